//! Files of a share, as a case wants them: connect, open, write, read, remove, list.

use crate::case::FileResult;
use crate::drive::connection::Connection;
use crate::drive::error::DriveError;
use crate::drive::limits::{ANSWER_MAX, FILE_BYTES_MAX, IO_BYTES_MAX, LISTINGS_MAX};
use crate::drive::session::Message;
use fsrvp_wire::smb2::create::{
    self, AccessMask, CreateDisposition, CreateOptions, ImpersonationLevel, ShareAccess,
};
use fsrvp_wire::smb2::fscc::directory::parse_list;
use fsrvp_wire::smb2::fscc::{FileAttributes, FileInfoClass};
use fsrvp_wire::smb2::{
    Body, FileId, NtStatus, close, query_directory, read, tree_connect, tree_disconnect, write,
};
use std::fmt;

/// What came of something done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileAnswer {
    /// It was done and the content was as demanded.
    Done,
    /// The server refused.
    Status {
        /// Which part of it.
        at: Stage,
        /// What the server says.
        status: NtStatus,
    },
    /// It was done, and what came is not what was demanded.
    Wrong(String),
}

/// The parts of something done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TREE_CONNECT.
    Connect,
    /// CREATE of a file that has to be there.
    Open,
    /// CREATE of a file that is made where it is not there.
    Create,
    /// WRITE.
    Write,
    /// READ.
    Read,
    /// CLOSE.
    Close,
    /// QUERY_DIRECTORY.
    List,
}

impl FileAnswer {
    /// The same of a CREATE that makes the file where it is not there.
    pub(crate) fn of_creation(self) -> FileAnswer {
        match self {
            FileAnswer::Status {
                at: Stage::Open,
                status,
            } => FileAnswer::Status {
                at: Stage::Create,
                status,
            },
            other => other,
        }
    }

    /// What it means for a case; `None` when it means none of the results a case can name.
    pub(crate) fn result(&self) -> Option<FileResult> {
        match self {
            FileAnswer::Done => Some(FileResult::Done),
            FileAnswer::Wrong(_) => None,
            FileAnswer::Status { at, status } => match (*at, *status) {
                (_, NtStatus::BAD_NETWORK_NAME | NtStatus::NETWORK_NAME_DELETED) => {
                    Some(FileResult::NoShare)
                }
                (
                    Stage::Open | Stage::Create | Stage::Write | Stage::Close,
                    NtStatus::ACCESS_DENIED
                    | NtStatus::MEDIA_WRITE_PROTECTED
                    | NtStatus::NETWORK_ACCESS_DENIED
                    | NtStatus::CANNOT_DELETE,
                ) => Some(FileResult::Refused),
                // A missing file is what the request was to end, so this refuses to make it: Samba
                // answers so in an exposed share of btrfs that has vfs_shadow_copy2 besides.
                (Stage::Create, NtStatus::OBJECT_NAME_NOT_FOUND) => Some(FileResult::Refused),
                // A server may refuse writes for good by closing the file.
                (Stage::Write, NtStatus::FILE_CLOSED) => Some(FileResult::Refused),
                (
                    Stage::Open | Stage::Create,
                    NtStatus::OBJECT_NAME_NOT_FOUND
                    | NtStatus::OBJECT_PATH_NOT_FOUND
                    | NtStatus::NO_SUCH_FILE,
                ) => Some(FileResult::NoFile),
                _ => None,
            },
        }
    }
}

impl fmt::Display for FileAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileAnswer::Done => f.write_str("done"),
            FileAnswer::Wrong(what) => f.write_str(what),
            FileAnswer::Status { at, status } => {
                let word = match self.result() {
                    Some(FileResult::Refused) => "refused: ",
                    Some(FileResult::NoShare) => "no-share: ",
                    Some(FileResult::NoFile) => "no-file: ",
                    _ => "",
                };
                write!(f, "{word}{at:?} {status}")
            }
        }
    }
}

/// An open file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handle {
    /// The tree connect that it belongs to.
    pub(crate) tree_id: u32,
    /// The open.
    pub(crate) file_id: FileId,
}

/// Ends the verb early with what the server said.
type Step<T> = Result<Result<T, FileAnswer>, DriveError>;

macro_rules! done_or_return {
    ($step:expr) => {
        match $step {
            Ok(value) => value,
            Err(answer) => return Ok(Err(answer)),
        }
    };
}

/// The files of the shares that one connection reaches.
pub(crate) struct Files<'a> {
    /// The connection, logged on.
    pub(crate) connection: &'a mut Connection,
    /// The host, for the share's UNC name.
    pub(crate) host: &'a str,
}

impl Files<'_> {
    /// Connects to a share.
    pub(crate) async fn connect(&mut self, share: &str) -> Step<u32> {
        let request = tree_connect::Request {
            path: format!(r"\\{}\{share}", self.host).into(),
            ..Default::default()
        };
        let answer = self.ask(0, &request, Stage::Connect).await?;
        Ok(answer.map(|answer| answer.header.tree_id))
    }

    /// Leaves a share. A share that is gone meanwhile is left already.
    pub(crate) async fn disconnect(&mut self, tree_id: u32) -> Result<(), DriveError> {
        let request = tree_disconnect::Request::default();
        let during = "tree disconnect";
        self.connection
            .exchange(tree_id, &request, during, ANSWER_MAX)
            .await?;
        Ok(())
    }

    /// Opens a file.
    pub(crate) async fn open(
        &mut self,
        tree_id: u32,
        name: &str,
        desired_access: AccessMask,
        create_disposition: CreateDisposition,
        create_options: CreateOptions,
    ) -> Step<Handle> {
        let request = create::Request {
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access,
            file_attributes: FileAttributes::NORMAL,
            share_access: ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE,
            create_disposition,
            create_options,
            name: name.replace('/', "\\").into(),
            ..Default::default()
        };
        let answer = done_or_return!(self.ask(tree_id, &request, Stage::Open).await?);
        let response: create::Response = answer.body("create")?;
        Ok(Ok(Handle {
            tree_id,
            file_id: response.file_id,
        }))
    }

    /// Closes a file.
    pub(crate) async fn close(&mut self, handle: Handle) -> Step<()> {
        let request = close::Request {
            file_id: handle.file_id,
            ..Default::default()
        };
        let answer = self.ask(handle.tree_id, &request, Stage::Close).await?;
        Ok(answer.map(|_| ()))
    }

    /// Writes from the start of an open file.
    pub(crate) async fn write(&mut self, handle: Handle, content: &[u8]) -> Step<()> {
        for (n, chunk) in content.chunks(IO_BYTES_MAX as usize).enumerate() {
            let request = write::Request {
                offset: (n as u64) * u64::from(IO_BYTES_MAX),
                file_id: handle.file_id,
                data: chunk.to_vec(),
                ..Default::default()
            };
            done_or_return!(self.ask(handle.tree_id, &request, Stage::Write).await?);
        }
        Ok(Ok(()))
    }

    /// Reads an open file whole.
    pub(crate) async fn read(&mut self, handle: Handle) -> Step<Vec<u8>> {
        let mut content = Vec::new();
        while content.len() < FILE_BYTES_MAX {
            let request = read::Request {
                length: IO_BYTES_MAX,
                offset: content.len() as u64,
                file_id: handle.file_id,
                ..Default::default()
            };
            match self.ask(handle.tree_id, &request, Stage::Read).await? {
                Ok(answer) => {
                    let response: read::Response = answer.body("read")?;
                    if response.data.is_empty() {
                        break;
                    }
                    content.extend(response.data);
                }
                Err(FileAnswer::Status {
                    status: NtStatus::END_OF_FILE,
                    ..
                }) => break,
                Err(other) => return Ok(Err(other)),
            }
        }
        Ok(Ok(content))
    }

    /// Lists an open directory, without `.` and `..`.
    pub(crate) async fn list(&mut self, handle: Handle) -> Step<Vec<String>> {
        let mut names = Vec::new();
        for _ in 0..LISTINGS_MAX {
            let request = query_directory::Request {
                file_information_class: FileInfoClass::FILE_NAMES_INFORMATION,
                file_id: handle.file_id,
                output_buffer_length: IO_BYTES_MAX,
                file_name: "*".into(),
                ..Default::default()
            };
            match self.ask(handle.tree_id, &request, Stage::List).await? {
                Ok(answer) => {
                    let response: query_directory::Response = answer.body("query directory")?;
                    let class = FileInfoClass::FILE_NAMES_INFORMATION;
                    let during = "query directory";
                    let entries = parse_list(class, &response.buffer)
                        .map_err(|source| DriveError::Unreadable { during, source })?;
                    names.extend(entries.iter().map(|entry| entry.file_name.text()));
                }
                Err(FileAnswer::Status {
                    status: NtStatus::NO_MORE_FILES,
                    ..
                }) => break,
                Err(other) => return Ok(Err(other)),
            }
        }
        names.retain(|name| name != "." && name != "..");
        Ok(Ok(names))
    }

    async fn ask<B: Body>(&mut self, tree_id: u32, body: &B, at: Stage) -> Step<Message> {
        let during = match at {
            Stage::Connect => "tree connect",
            Stage::Open | Stage::Create => "create",
            Stage::Write => "write",
            Stage::Read => "read",
            Stage::Close => "close",
            Stage::List => "query directory",
        };
        let (_, answer) = self
            .connection
            .exchange(tree_id, body, during, ANSWER_MAX)
            .await?;
        Ok(match answer.header.status {
            NtStatus::SUCCESS => Ok(answer),
            status => Err(FileAnswer::Status { at, status }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_found_refuses_only_what_would_have_made_it() {
        let missing = |at| FileAnswer::Status {
            at,
            status: NtStatus::OBJECT_NAME_NOT_FOUND,
        };
        let opened = missing(Stage::Open);
        assert_eq!(opened.result(), Some(FileResult::NoFile));
        assert_eq!(opened.of_creation().result(), Some(FileResult::Refused));
        // What fails later is no matter of making it.
        assert_eq!(missing(Stage::Write).of_creation(), missing(Stage::Write));
    }
}
