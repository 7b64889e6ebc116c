//! MS-SMB2 3.3.5.18: listing a directory.

use super::dispatch::{Request, check_charge};
use super::limits;
use super::opens::Listing;
use super::pattern::Pattern;
use super::reply::Step;
use super::state::State;
use super::work::{Entry, FileDone, FileWork};
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::fscc::FileInfoClass;
use fsrvp_wire::smb2::fscc::directory::{DirectoryEntry, ListWriter, is_directory_class};
use fsrvp_wire::smb2::query_directory::{self, QueryDirectoryFlags};
use fsrvp_wire::smb2::{FileId, NtStatus};

/// Where a query goes on, and how its answer looks.
#[derive(Clone, Copy)]
struct Query {
    file_id: FileId,
    session_id: u64,
    tree_id: u32,
    class: FileInfoClass,
    single: bool,
    length_max: usize,
}

/// MS-SMB2 3.3.5.18.
pub(crate) fn query(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: query_directory::Request = request.body()?;
    check_charge(state, &request.header, body.output_buffer_length)?;
    if !is_directory_class(body.file_information_class) {
        return Err(NtStatus::INVALID_INFO_CLASS);
    }
    let query = Query {
        file_id: request.file_id(body.file_id)?,
        session_id: request.header.session_id,
        tree_id: request.header.tree_id,
        class: body.file_information_class,
        single: body
            .flags
            .contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY),
        length_max: usize::try_from(body.output_buffer_length)
            .map_err(|_| NtStatus::INVALID_PARAMETER)?,
    };
    let open = state
        .opens
        .get(query.file_id, query.session_id, query.tree_id)?;
    let file = open.file()?;
    if !file.is_directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    file.require(AccessMask::FILE_LIST_DIRECTORY)?;
    let restarts = QueryDirectoryFlags::RESTART_SCANS | QueryDirectoryFlags::REOPEN;
    if file.listing.is_some() && (body.flags & restarts).0 == 0 {
        return look(state, query);
    }
    file.listing = None;
    let pattern = Pattern::new(&body.file_name.text());
    Step::work(FileWork::List(file.token), move |state, result| {
        let FileDone::Entries(entries) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let mut left = entries;
        left.retain(|entry| pattern.matches(&entry.name));
        left.reverse();
        let listed = state.opens.listed();
        if listed > 0 && listed.saturating_add(left.len()) > limits::LISTED_MAX {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        let open = state
            .opens
            .get(query.file_id, query.session_id, query.tree_id)?;
        let listing = open.file()?.listing.insert(Listing { left, began: false });
        let entries = next(listing, query)?;
        answer(&entries, query)
    })
}

/// Sends what comes next of the listing, as it is now: what has gone since it was begun is not
/// told any more.
fn look(state: &mut State, query: Query) -> Result<Step, NtStatus> {
    let open = state
        .opens
        .get(query.file_id, query.session_id, query.tree_id)?;
    let file = open.file()?;
    let listing = file.listing.as_mut().ok_or(NtStatus::INTERNAL_ERROR)?;
    let names = next(listing, query)?.into_iter().map(|entry| entry.name);
    let work = FileWork::Look {
        file: file.token,
        names: names.collect(),
    };
    Step::work(work, move |state, result| {
        let FileDone::Entries(entries) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        match entries.is_empty() {
            true => look(state, query),
            false => answer(&entries, query),
        }
    })
}

/// Takes from the listing what fits into one answer.
fn next(listing: &mut Listing, query: Query) -> Result<Vec<Entry>, NtStatus> {
    if listing.left.is_empty() {
        let began = std::mem::replace(&mut listing.began, true);
        return Err(if began {
            NtStatus::NO_MORE_FILES
        } else {
            NtStatus::NO_SUCH_FILE
        });
    }
    let mut list =
        ListWriter::new(query.class, query.length_max).ok_or(NtStatus::INVALID_INFO_CLASS)?;
    let mut taken = Vec::new();
    while let Some(entry) = listing.left.pop() {
        if !list.push(&directory_entry(&entry)) {
            listing.left.push(entry);
            break;
        }
        taken.push(entry);
        listing.began = true;
        if query.single {
            break;
        }
    }
    match taken.is_empty() {
        true => Err(NtStatus::INFO_LENGTH_MISMATCH),
        false => Ok(taken),
    }
}

fn answer(entries: &[Entry], query: Query) -> Result<Step, NtStatus> {
    let mut list =
        ListWriter::new(query.class, query.length_max).ok_or(NtStatus::INVALID_INFO_CLASS)?;
    for entry in entries {
        // What was taken for this answer fits: an entry's length is that of its name.
        if !list.push(&directory_entry(entry)) {
            return Err(NtStatus::INTERNAL_ERROR);
        }
    }
    Step::body(&query_directory::Response {
        buffer: list.into_bytes(),
        ..query_directory::Response::default()
    })
}

fn directory_entry(entry: &Entry) -> DirectoryEntry {
    let info = &entry.info;
    DirectoryEntry {
        creation_time: info.creation_time,
        last_access_time: info.last_access_time,
        last_write_time: info.last_write_time,
        change_time: info.change_time,
        end_of_file: info.end_of_file,
        allocation_size: info.allocation_size,
        file_attributes: info.attributes,
        ea_size: info.reparse_tag,
        file_id: info.file_id,
        file_name: entry.name.as_str().into(),
        ..DirectoryEntry::default()
    }
}
