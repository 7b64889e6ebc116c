//! One client of a case: a connection, logged on, with the FSRVP pipe when it is needed.

use crate::case::{Account, ClientSpec, SmbOptions, Target, User};
use crate::drive::connection::Connection;
use crate::drive::error::DriveError;
use crate::drive::files::{FileAnswer, Files, Handle};
use crate::drive::judge::RpcAnswer;
use crate::drive::limits::{ANSWER_MAX, CALL_MAX, FRAGMENT_BYTES_MAX, LOGON_LEGS_MAX};
use crate::drive::logon::{Logon, random};
use crate::drive::rpc::{BindStep, Binding, CallEnd, Rpc};
use crate::drive::tape::{LogonKey, Tape};
use crate::drive::verbs::FileJob;
use fsrvp_wire::fsrvp::{Call, Opnum, PIPE, Reply};
use fsrvp_wire::ndr::Representation;
use fsrvp_wire::rpce::{AuthType, next_fragment};
use fsrvp_wire::smb2::create::{
    self, AccessMask, CreateDisposition, ImpersonationLevel, ShareAccess,
};
use fsrvp_wire::smb2::ioctl::{self, CtlCode, IoctlFlags};
use fsrvp_wire::smb2::session_setup::{self, SecurityMode, SessionFlags};
use fsrvp_wire::smb2::{FileId, NtStatus, read, tree_connect, write};
use std::net::SocketAddr;
use std::time::Duration;
use uuid::Uuid;

/// What is being done when the tree of pipes is entered.
pub(crate) const CONNECT_IPC: &str = "tree connect to IPC$";
/// What is being done when the pipe is opened.
pub(crate) const OPEN_PIPE: &str = "open of the pipe FssagentRpc";

/// The open pipe and what is bound on it.
struct Pipe {
    tree_id: u32,
    file_id: FileId,
    rpc: Rpc,
}

/// What carries the calls of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carrier {
    /// Its own end.
    pub(crate) client: SocketAddr,
    /// The server's end.
    pub(crate) server: SocketAddr,
    /// The dialect revision.
    pub(crate) dialect: u16,
    /// Whether SMB messages are signed.
    pub(crate) signed: bool,
    /// The RPC authentication level.
    pub(crate) rpc_auth: u8,
}

/// One client.
pub(crate) struct Client {
    connection: Connection,
    host: String,
    account: Account,
    binding: Binding,
    pipe: Option<Pipe>,
}

impl Client {
    /// Connects and logs on; what travels goes to `tape`.
    pub(crate) async fn connect(
        target: &Target,
        spec: &ClientSpec,
        tape: &Tape,
    ) -> Result<Client, DriveError> {
        let (key, account) = match spec.user {
            User::Admin => ("user", Some(&target.admin)),
            User::Plain => ("plain_user", target.plain_user.as_ref()),
            User::BackupOperator => ("backup_operator", target.backup_operator.as_ref()),
        };
        let account = account
            .ok_or_else(|| DriveError::Own(format!("the target has no {key}")))?
            .clone();
        let options = SmbOptions {
            dialects: match spec.dialect {
                Some(dialect) => vec![dialect],
                None => target.smb.dialects.clone(),
            },
            ..target.smb.clone()
        };
        let client_guid = Uuid::from_bytes(random()?);
        let connection = Connection::open(
            &target.host,
            target.port,
            spec.other_address,
            options.clone(),
            client_guid,
            tape,
        )
        .await?;
        let mut client = Client {
            connection,
            host: target.host.clone(),
            account,
            binding: Binding {
                level: spec.rpc.unwrap_or(target.rpc_auth),
                raw_ntlm: spec.raw_ntlm,
                auth_type: spec.auth_type.map(AuthType),
                version: spec.interface_version,
            },
            pipe: None,
        };
        client.negotiate().await?;
        client.log_on(options.signing).await?;
        Ok(client)
    }

    async fn negotiate(&mut self) -> Result<(), DriveError> {
        let request = self.connection.session.negotiate_request(random()?);
        let (sent, answer) = self
            .connection
            .exchange(0, &request, "negotiate", ANSWER_MAX)
            .await?;
        self.connection.session.handle_negotiate(&sent, &answer)?;
        Ok(())
    }

    async fn log_on(&mut self, signing: bool) -> Result<(), DriveError> {
        let during = "logon";
        let mut logon = Logon::new(&self.account, &self.host, false)?;
        let mut token = Some(logon.first_token());
        for _ in 0..LOGON_LEGS_MAX {
            let request = session_setup::Request {
                security_mode: if signing {
                    SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED
                } else {
                    SecurityMode::SIGNING_ENABLED
                },
                security_buffer: token.take().unwrap_or_default(),
                ..Default::default()
            };
            let (sent, answer) = self
                .connection
                .exchange(0, &request, during, ANSWER_MAX)
                .await?;
            let status = answer.header.status;
            let user = self.account.name.clone();
            if status != NtStatus::MORE_PROCESSING_REQUIRED && status != NtStatus::SUCCESS {
                return Err(DriveError::Logon { user, status });
            }
            let response: session_setup::Response = answer.body(during)?;
            let session = &mut self.connection.session;
            session.session_id = answer.header.session_id;
            session.hash_logon(&sent);
            token = logon.next_token(&response.security_buffer)?;
            if status == NtStatus::MORE_PROCESSING_REQUIRED {
                session.hash_logon(&answer.bytes);
                continue;
            }
            let flags = response.session_flags;
            if flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL) {
                return Err(DriveError::Guest { user });
            }
            if flags.contains(SessionFlags::ENCRYPT_DATA) {
                return Err(DriveError::Encryption { user });
            }
            let session_key = logon.session_key()?;
            session.start_signing(session_key.as_bytes())?;
            // Told before the check: whoever looks into a wrong signature needs the key.
            self.connection.track.tape().logon(&LogonKey::Smb {
                session_id: session.session_id,
                session_key,
            });
            return session.check_logon_answer(&answer);
        }
        let what = format!("no end after {LOGON_LEGS_MAX} legs");
        Err(DriveError::Misbehaved { during, what })
    }

    /// Opens the pipe and binds, unless that was done; gives the server's reason when it refused.
    pub(crate) async fn bind(&mut self) -> Result<Result<(), String>, DriveError> {
        if self.pipe.is_some() {
            return Ok(Ok(()));
        }
        let (tree_id, file_id) = self.open_pipe().await?;
        let logon = match self.binding.level {
            crate::case::RpcLevel::None => None,
            _ => Some(Logon::new(
                &self.account,
                &self.host,
                self.binding.raw_ntlm,
            )?),
        };
        let mut rpc = Rpc::new(self.binding, logon);
        let mut send = rpc.bind()?;
        loop {
            let answer = self
                .transceive(tree_id, file_id, &[send], ANSWER_MAX)
                .await?;
            match rpc.handle_bind_answer(&answer)? {
                BindStep::Exchange(next) => send = next,
                BindStep::SendLast(last) => {
                    self.write_pipe(tree_id, file_id, &last).await?;
                    break;
                }
                BindStep::Done => break,
                BindStep::Refused(reason) => return Ok(Err(reason)),
            }
        }
        if let Some(key) = rpc.take_logon_key() {
            self.connection.track.tape().logon(&key);
        }
        self.pipe = Some(Pipe {
            tree_id,
            file_id,
            rpc,
        });
        Ok(Ok(()))
    }

    async fn open_pipe(&mut self) -> Result<(u32, FileId), DriveError> {
        let request = tree_connect::Request {
            path: format!(r"\\{}\IPC$", self.host).into(),
            ..Default::default()
        };
        let during = CONNECT_IPC;
        let (_, answer) = self
            .connection
            .exchange(0, &request, during, ANSWER_MAX)
            .await?;
        if answer.header.status != NtStatus::SUCCESS {
            let status = answer.header.status;
            return Err(DriveError::Refused { during, status });
        }
        let tree_id = answer.header.tree_id;
        let request = create::Request {
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE,
            share_access: ShareAccess::READ | ShareAccess::WRITE,
            create_disposition: CreateDisposition::OPEN,
            name: PIPE.into(),
            ..Default::default()
        };
        let response: create::Response = self
            .connection
            .demand(tree_id, &request, OPEN_PIPE, ANSWER_MAX)
            .await?;
        Ok((tree_id, response.file_id))
    }

    /// The facts about its connection that each of its exchanges carries.
    pub(crate) fn carrier(&self) -> Result<Carrier, DriveError> {
        let (client, server) = self.connection.ends()?;
        Ok(Carrier {
            client,
            server,
            dialect: self.connection.session.dialect.0,
            signed: self.connection.session.options.signing,
            rpc_auth: self.binding.level.number(),
        })
    }

    /// Makes a call.
    pub(crate) async fn call(&mut self, call: &Call) -> Result<RpcAnswer, DriveError> {
        let stub = call.emit(Representation::NDR32);
        self.raw(call.opnum(), &stub).await
    }

    /// Sends a stub as a request of any opnum.
    pub(crate) async fn raw(&mut self, opnum: Opnum, stub: &[u8]) -> Result<RpcAnswer, DriveError> {
        if let Err(reason) = self.bind().await? {
            return Err(DriveError::BindRefused(reason));
        }
        let Some(pipe) = &mut self.pipe else {
            return Err(DriveError::Own("no pipe".to_owned()));
        };
        let (tree_id, file_id) = (pipe.tree_id, pipe.file_id);
        let fragments = pipe.rpc.request(opnum.0, stub)?;
        self.connection
            .track
            .mark(opnum.name().unwrap_or("an opnum without a method"));
        let mut fragment = self
            .transceive(tree_id, file_id, &fragments, CALL_MAX)
            .await?;
        loop {
            let Some(pipe) = &mut self.pipe else {
                return Err(DriveError::Own("no pipe".to_owned()));
            };
            match pipe.rpc.handle_fragment(&fragment)? {
                Some(CallEnd::Fault(code)) => return Ok(RpcAnswer::Fault(code)),
                Some(CallEnd::Stub(stub)) => {
                    let reply = Reply::parse_strict(opnum, &stub, Representation::NDR32);
                    return Ok(match reply {
                        Ok(reply) => RpcAnswer::Reply(reply),
                        Err(error) => RpcAnswer::Unreadable(error),
                    });
                }
                None => fragment = self.read_fragment(tree_id, file_id, Vec::new()).await?,
            }
        }
    }

    /// Sends fragments, the last one by pipe transceive, and gives the first one of the answer.
    async fn transceive(
        &mut self,
        tree_id: u32,
        file_id: FileId,
        fragments: &[Vec<u8>],
        max: Duration,
    ) -> Result<Vec<u8>, DriveError> {
        let during = "pipe transceive";
        let Some((last, first)) = fragments.split_last() else {
            return Err(DriveError::Own("a request without fragments".to_owned()));
        };
        for fragment in first {
            self.write_pipe(tree_id, file_id, fragment).await?;
        }
        let request = ioctl::Request {
            ctl_code: CtlCode::FSCTL_PIPE_TRANSCEIVE,
            file_id,
            input: last.clone(),
            max_output_response: u32::from(FRAGMENT_BYTES_MAX),
            flags: IoctlFlags::IS_FSCTL,
            ..Default::default()
        };
        let (_, answer) = self
            .connection
            .exchange(tree_id, &request, during, max)
            .await?;
        match answer.header.status {
            NtStatus::SUCCESS | NtStatus::BUFFER_OVERFLOW => {}
            status => return Err(DriveError::Refused { during, status }),
        }
        let response: ioctl::Response = answer.body(during)?;
        self.read_fragment(tree_id, file_id, response.output).await
    }

    /// Reads until `bytes` is one whole fragment.
    async fn read_fragment(
        &mut self,
        tree_id: u32,
        file_id: FileId,
        mut bytes: Vec<u8>,
    ) -> Result<Vec<u8>, DriveError> {
        let during = "pipe read";
        loop {
            let length = next_fragment(&bytes)
                .map_err(|source| DriveError::Unreadable { during, source })?;
            match length {
                Some(length) if bytes.len() == length => return Ok(bytes),
                Some(length) if bytes.len() > length => {
                    let what = "bytes behind a fragment".to_owned();
                    return Err(DriveError::Misbehaved { during, what });
                }
                _ => {}
            }
            let request = read::Request {
                length: u32::from(FRAGMENT_BYTES_MAX),
                file_id,
                ..Default::default()
            };
            let (_, answer) = self
                .connection
                .exchange(tree_id, &request, during, ANSWER_MAX)
                .await?;
            match answer.header.status {
                NtStatus::SUCCESS | NtStatus::BUFFER_OVERFLOW => {}
                status => return Err(DriveError::Refused { during, status }),
            }
            let response: read::Response = answer.body(during)?;
            if response.data.is_empty() {
                let what = "an empty read in the middle of a fragment".to_owned();
                return Err(DriveError::Misbehaved { during, what });
            }
            bytes.extend(response.data);
        }
    }

    async fn write_pipe(
        &mut self,
        tree_id: u32,
        file_id: FileId,
        data: &[u8],
    ) -> Result<(), DriveError> {
        let request = write::Request {
            file_id,
            data: data.to_vec(),
            ..Default::default()
        };
        let _: write::Response = self
            .connection
            .demand(tree_id, &request, "pipe write", ANSWER_MAX)
            .await?;
        Ok(())
    }

    /// Connects to a share and leaves it again.
    pub(crate) async fn visit(&mut self, share: &str) -> Result<FileAnswer, DriveError> {
        let mut files = self.files();
        match files.connect(share).await? {
            Ok(tree_id) => {
                files.disconnect(tree_id).await?;
                Ok(FileAnswer::Done)
            }
            Err(answer) => Ok(answer),
        }
    }

    /// Does something with a file.
    pub(crate) async fn file(
        &mut self,
        job: &FileJob,
    ) -> Result<(FileAnswer, Option<Handle>), DriveError> {
        self.files().run(job).await
    }

    /// Closes the pipe, where there is one, and leaves its share.
    pub(crate) async fn close_pipe(&mut self) -> Result<(), DriveError> {
        let Some(pipe) = self.pipe.take() else {
            return Ok(());
        };
        self.close(Handle {
            tree_id: pipe.tree_id,
            file_id: pipe.file_id,
        })
        .await
    }

    /// Gives an open file back.
    pub(crate) async fn close(&mut self, handle: Handle) -> Result<(), DriveError> {
        let mut files = self.files();
        // A handle of a share that is gone is closed already, which the server may say.
        let _ = files.close(handle).await?;
        files.disconnect(handle.tree_id).await
    }

    /// The files that the connection reaches.
    pub(crate) fn files(&mut self) -> Files<'_> {
        Files {
            connection: &mut self.connection,
            host: &self.host,
        }
    }
}
