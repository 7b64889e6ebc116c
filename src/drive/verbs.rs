//! What a case does with a file, made of what [`Files`] can do.

use crate::case::FileVerb;
use crate::drive::error::DriveError;
use crate::drive::files::{FileAnswer, Files, Handle};
use fsrvp_wire::smb2::create::{AccessMask, CreateDisposition, CreateOptions};

/// Something to do with a file, names filled in.
#[derive(Debug, Clone)]
pub(crate) struct FileJob {
    /// What is done.
    pub(crate) verb: FileVerb,
    /// The share.
    pub(crate) share: String,
    /// The path inside the share.
    pub(crate) name: String,
    /// What is written, or must be there.
    pub(crate) content: Option<String>,
    /// Names that a listing must hold.
    pub(crate) holds: Vec<String>,
    /// Names that a listing must not hold.
    pub(crate) lacks: Vec<String>,
    /// The open file to use.
    pub(crate) handle: Option<Handle>,
}

impl Files<'_> {
    /// Does it; for an open, also gives the handle.
    pub(crate) async fn run(
        &mut self,
        job: &FileJob,
    ) -> Result<(FileAnswer, Option<Handle>), DriveError> {
        if let Some(handle) = job.handle {
            return Ok((self.with_handle(job, handle).await?, None));
        }
        let tree_id = match self.connect(&job.share).await? {
            Ok(tree_id) => tree_id,
            Err(answer) => return Ok((answer, None)),
        };
        if job.verb == FileVerb::Open {
            let opened = self.open_for(job, tree_id).await?;
            return Ok(match opened {
                Ok(handle) => (FileAnswer::Done, Some(handle)),
                Err(answer) => {
                    self.disconnect(tree_id).await?;
                    (answer, None)
                }
            });
        }
        let answer = if job.verb == FileVerb::Connect {
            FileAnswer::Done
        } else {
            self.open_and_use(job, tree_id).await?
        };
        self.disconnect(tree_id).await?;
        Ok((answer, None))
    }

    async fn open_for(
        &mut self,
        job: &FileJob,
        tree_id: u32,
    ) -> Result<Result<Handle, FileAnswer>, DriveError> {
        let read = AccessMask::FILE_GENERIC_READ;
        let both = read | AccessMask::FILE_GENERIC_WRITE;
        let file = CreateOptions::NON_DIRECTORY_FILE;
        let (access, disposition, options) = match job.verb {
            FileVerb::Write => (both, CreateDisposition::OVERWRITE_IF, file),
            FileVerb::Open => (both, CreateDisposition::OPEN, file),
            FileVerb::Remove => (
                AccessMask::DELETE | AccessMask::FILE_READ_ATTRIBUTES,
                CreateDisposition::OPEN,
                file | CreateOptions::DELETE_ON_CLOSE,
            ),
            FileVerb::List => (read, CreateDisposition::OPEN, CreateOptions::DIRECTORY_FILE),
            FileVerb::Read | FileVerb::Connect => (read, CreateDisposition::OPEN, file),
        };
        self.open(tree_id, &job.name, access, disposition, options)
            .await
    }

    async fn open_and_use(
        &mut self,
        job: &FileJob,
        tree_id: u32,
    ) -> Result<FileAnswer, DriveError> {
        let handle = match self.open_for(job, tree_id).await? {
            Ok(handle) => handle,
            Err(answer) if job.verb == FileVerb::Write => return Ok(answer.of_creation()),
            Err(answer) => return Ok(answer),
        };
        let answer = self.with_handle(job, handle).await?;
        // A refusal counts wherever it comes: some servers say it only when the file is closed.
        Ok(match (answer, self.close(handle).await?) {
            (FileAnswer::Done, Err(at_close)) => at_close,
            (answer, _) => answer,
        })
    }

    async fn with_handle(
        &mut self,
        job: &FileJob,
        handle: Handle,
    ) -> Result<FileAnswer, DriveError> {
        let content = job.content.as_deref();
        let answer = match job.verb {
            FileVerb::Write => {
                let bytes = content.unwrap_or_default().as_bytes();
                self.write(handle, bytes).await?.map(|()| FileAnswer::Done)
            }
            FileVerb::Read => self
                .read(handle)
                .await?
                .map(|bytes| compare(content, &bytes)),
            FileVerb::List => self
                .list(handle)
                .await?
                .map(|names| compare_names(job, &names)),
            FileVerb::Connect | FileVerb::Open | FileVerb::Remove => Ok(FileAnswer::Done),
        };
        Ok(answer.unwrap_or_else(|refusal| refusal))
    }
}

/// How much of a content that is not as demanded is shown, in characters.
const SHOWN_MAX: usize = 60;

fn compare(wanted: Option<&str>, got: &[u8]) -> FileAnswer {
    match wanted {
        Some(wanted) if wanted.as_bytes() != got => {
            let shown: String = String::from_utf8_lossy(got)
                .chars()
                .take(SHOWN_MAX)
                .collect();
            FileAnswer::Wrong(format!("content {shown:?}, not {wanted:?}"))
        }
        _ => FileAnswer::Done,
    }
}

fn compare_names(job: &FileJob, names: &[String]) -> FileAnswer {
    let is_there = |name: &&String| names.iter().any(|other| other.eq_ignore_ascii_case(name));
    if let Some(missing) = job.holds.iter().find(|name| !is_there(name)) {
        return FileAnswer::Wrong(format!("listed without {missing}"));
    }
    match job.lacks.iter().find(is_there) {
        Some(present) => FileAnswer::Wrong(format!("listed with {present}")),
        None => FileAnswer::Done,
    }
}
