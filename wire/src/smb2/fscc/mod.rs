//! MS-FSCC 2.4 to 2.6: what files, directories and file systems say about themselves.

pub mod attributes;
pub mod control;
pub mod directory;
pub mod file;
pub mod file_names;
pub mod time;
pub mod volume;

pub use attributes::FileAttributes;
pub use time::FileTime;

use crate::emit::Writer;
use crate::error::ErrorKind;
use crate::smb2::codec::codes;
use crate::smb2::codec::{Failure, failure, len32, read, read_bytes, within};
use crate::smb2::{PATH_MAX, Utf16};

codes! {
    /// MS-FSCC 2.4: the classes of files and, for QUERY_DIRECTORY, of directory entries.
    FileInfoClass(u8) {
        FILE_DIRECTORY_INFORMATION = 1,
        FILE_FULL_DIRECTORY_INFORMATION = 2,
        FILE_BOTH_DIRECTORY_INFORMATION = 3,
        FILE_BASIC_INFORMATION = 4,
        FILE_STANDARD_INFORMATION = 5,
        FILE_INTERNAL_INFORMATION = 6,
        FILE_EA_INFORMATION = 7,
        FILE_ACCESS_INFORMATION = 8,
        FILE_NAME_INFORMATION = 9,
        FILE_RENAME_INFORMATION = 10,
        FILE_LINK_INFORMATION = 11,
        FILE_NAMES_INFORMATION = 12,
        FILE_DISPOSITION_INFORMATION = 13,
        FILE_POSITION_INFORMATION = 14,
        FILE_FULL_EA_INFORMATION = 15,
        FILE_MODE_INFORMATION = 16,
        FILE_ALIGNMENT_INFORMATION = 17,
        FILE_ALL_INFORMATION = 18,
        FILE_ALLOCATION_INFORMATION = 19,
        FILE_END_OF_FILE_INFORMATION = 20,
        FILE_ALTERNATE_NAME_INFORMATION = 21,
        FILE_STREAM_INFORMATION = 22,
        FILE_PIPE_INFORMATION = 23,
        FILE_PIPE_LOCAL_INFORMATION = 24,
        FILE_COMPRESSION_INFORMATION = 28,
        FILE_NETWORK_OPEN_INFORMATION = 34,
        FILE_ATTRIBUTE_TAG_INFORMATION = 35,
        FILE_ID_BOTH_DIRECTORY_INFORMATION = 37,
        FILE_ID_FULL_DIRECTORY_INFORMATION = 38,
        FILE_VALID_DATA_LENGTH_INFORMATION = 39,
        FILE_NORMALIZED_NAME_INFORMATION = 48,
        FILE_ID_INFORMATION = 59,
        FILE_ID_EXTD_DIRECTORY_INFORMATION = 60,
        FILE_DISPOSITION_INFORMATION_EX = 64,
        FILE_RENAME_INFORMATION_EX = 65,
    }
}

codes! {
    /// MS-FSCC 2.5: the classes of file systems.
    FsInfoClass(u8) {
        FILE_FS_VOLUME_INFORMATION = 1,
        FILE_FS_LABEL_INFORMATION = 2,
        FILE_FS_SIZE_INFORMATION = 3,
        FILE_FS_DEVICE_INFORMATION = 4,
        FILE_FS_ATTRIBUTE_INFORMATION = 5,
        FILE_FS_CONTROL_INFORMATION = 6,
        FILE_FS_FULL_SIZE_INFORMATION = 7,
        FILE_FS_OBJECT_ID_INFORMATION = 8,
        FILE_FS_SECTOR_SIZE_INFORMATION = 11,
    }
}

/// Takes a name whose length in bytes was stated before it.
fn read_name<'a>(
    rest: &mut &'a [u8],
    name: &'static str,
    length: u32,
) -> Result<Utf16, Failure<'a>> {
    within(rest, name, length as usize, PATH_MAX)?;
    Utf16::read(read_bytes(rest, name, length as usize)?, name)
}

/// Cuts a list of entries that begin with `NextEntryOffset`; each entry keeps that field.
///
/// An empty buffer is an empty list.
fn split_entries(buffer: &[u8], entries_max: usize) -> Result<Vec<&[u8]>, Failure<'_>> {
    let mut entries = Vec::new();
    let mut rest = buffer;
    while !rest.is_empty() {
        within(rest, "Entries", entries.len() + 1, entries_max)?;
        let next: u32 = read(&mut &*rest, "NextEntryOffset")?;
        let (entry, after) = match next as usize {
            0 => (rest, &[][..]),
            next if next < 4 => {
                return Err(failure(
                    rest,
                    "NextEntryOffset",
                    ErrorKind::LengthOutOfRange,
                ));
            }
            next => rest
                .split_at_checked(next)
                .ok_or_else(|| failure(rest, "NextEntryOffset", ErrorKind::LengthOutOfRange))?,
        };
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

/// Appends an entry to a list whose last entry begins at `last`; `entry` begins with a zero
/// `NextEntryOffset`. Gives where the new entry begins.
fn append_entry(out: &mut Writer, last: Option<usize>, entry: &[u8]) -> usize {
    out.align(8);
    let start = out.len();
    if let Some(last) = last {
        out.patch(last, &len32(start - last).to_le_bytes());
    }
    out.bytes(entry);
    start
}
