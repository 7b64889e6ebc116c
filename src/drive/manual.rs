//! A client without a case: whoever owns it calls and reads what it likes.

use crate::case::{ClientSpec, Target};
use crate::drive::client::Client;
use crate::drive::error::DriveError;
use crate::drive::files::{FileAnswer, Handle};
use crate::drive::judge::RpcAnswer;
use crate::drive::tape::Tape;
use fsrvp_wire::fsrvp::{Call, Reply};
use fsrvp_wire::smb2::create::{AccessMask, CreateDisposition, CreateOptions};

/// A connection to a server, logged on as the target's admin.
pub struct ManualClient(Client);

/// An open file.
#[derive(Debug, Clone, Copy)]
pub struct ManualFile(Handle);

/// What was done, or what the server said instead, for a reader.
type Done<T> = Result<Result<T, String>, DriveError>;

impl ManualClient {
    /// Connects and logs on.
    ///
    /// # Errors
    /// Nobody listens, or the logon fails.
    pub async fn connect(target: &Target) -> Result<ManualClient, DriveError> {
        Self::connect_as(target, &ClientSpec::default()).await
    }

    /// Connects as `spec` says, and logs on.
    ///
    /// # Errors
    /// Nobody listens, or the logon fails.
    pub async fn connect_as(
        target: &Target,
        spec: &ClientSpec,
    ) -> Result<ManualClient, DriveError> {
        let client = Client::connect(target, spec, &Tape::default()).await?;
        Ok(ManualClient(client))
    }

    /// Closes the pipe, and then the connection; without this the connection just ends.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn leave(mut self) -> Result<(), DriveError> {
        self.0.close_pipe().await
    }

    /// Makes a call; gives the reply whatever its code, or what came in place of one.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn call(&mut self, call: &Call) -> Done<Reply> {
        Ok(match self.0.call(call).await? {
            RpcAnswer::Reply(reply) => Ok(reply),
            RpcAnswer::Fault(code) => Err(format!("fault {code:#010x}")),
            RpcAnswer::Unreadable(error) => Err(format!("unreadable: {error}")),
        })
    }

    /// Opens the file `name` of `share` for reading and writing; makes it where it is missing.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn open(&mut self, share: &str, name: &str) -> Done<ManualFile> {
        let access = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE;
        let opened = self.open_as(share, name, access, CreateDisposition::OPEN_IF);
        Ok(opened.await?.map(ManualFile))
    }

    /// Writes `content` at the beginning of an open file.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn write(&mut self, file: ManualFile, content: &[u8]) -> Done<()> {
        let written = self.0.files().write(file.0, content).await?;
        Ok(written.map_err(text))
    }

    /// Makes or changes the file `name` of `share`.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn put(&mut self, share: &str, name: &str, content: &[u8]) -> Done<()> {
        let file = match self.open(share, name).await? {
            Ok(file) => file,
            Err(answer) => return Ok(Err(answer)),
        };
        let written = self.write(file, content).await?;
        self.0.close(file.0).await?;
        Ok(written)
    }

    /// Reads the file `name` of `share` whole.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn get(&mut self, share: &str, name: &str) -> Done<Vec<u8>> {
        let access = AccessMask::FILE_GENERIC_READ;
        let opened = self.open_as(share, name, access, CreateDisposition::OPEN);
        let handle = match opened.await? {
            Ok(handle) => handle,
            Err(answer) => return Ok(Err(answer)),
        };
        let content = self.0.files().read(handle).await?;
        self.0.close(handle).await?;
        Ok(content.map_err(text))
    }

    async fn open_as(
        &mut self,
        share: &str,
        name: &str,
        access: AccessMask,
        disposition: CreateDisposition,
    ) -> Done<Handle> {
        let mut files = self.0.files();
        let tree_id = match files.connect(share).await? {
            Ok(tree_id) => tree_id,
            Err(answer) => return Ok(Err(text(answer))),
        };
        let options = CreateOptions::NON_DIRECTORY_FILE;
        let opened = files.open(tree_id, name, access, disposition, options);
        match opened.await? {
            Ok(handle) => Ok(Ok(handle)),
            Err(answer) => {
                files.disconnect(tree_id).await?;
                Ok(Err(text(answer)))
            }
        }
    }
}

impl std::fmt::Debug for ManualClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManualClient").finish_non_exhaustive()
    }
}

fn text(answer: FileAnswer) -> String {
    answer.to_string()
}
