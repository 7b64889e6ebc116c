//! The tokio shell: one TCP connection, one request at a time, every wait bounded.

use crate::case::SmbOptions;
use crate::drive::error::DriveError;
use crate::drive::limits::{CONNECT_MAX, FRAME_BYTES_MAX};
use crate::drive::session::{Incoming, Message, Session};
use crate::drive::tape::{Tape, Track};
use fsrvp_wire::nbss;
use fsrvp_wire::smb2::{Body, NtStatus};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use uuid::Uuid;

/// Where a second client comes from on loopback.
const OTHER_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// How many bytes are read at once.
const READ_BYTES: usize = 16 * 1024;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What passes on it, for whoever keeps that; ends behind the stream.
    pub(crate) track: Track,
    /// What is spoken on it.
    pub(crate) session: Session,
}

impl Connection {
    /// Connects to `host:port`; with `other_address` from 127.0.0.2.
    pub(crate) async fn open(
        host: &str,
        port: u16,
        other_address: bool,
        options: SmbOptions,
        client_guid: Uuid,
        tape: &Tape,
    ) -> Result<Connection, DriveError> {
        let address = format!("{host}:{port}");
        let fail = |source| DriveError::Connect {
            address: address.clone(),
            source,
        };
        let connecting = async {
            let found: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
            let mut last = std::io::Error::other("the name has no address");
            for server in found {
                match connect_from(server, other_address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let stream = match timeout(CONNECT_MAX, connecting).await {
            Ok(result) => result.map_err(fail)?,
            Err(_) => return Err(fail(std::io::ErrorKind::TimedOut.into())),
        };
        // Small messages go back and forth: waiting to fill a segment would only cost time.
        stream.set_nodelay(true).map_err(fail)?;
        let ends = stream
            .local_addr()
            .and_then(|own| Ok((own, stream.peer_addr()?)));
        let (client, server) = ends.map_err(fail)?;
        Ok(Connection {
            stream,
            buffer: Vec::new(),
            track: Track::begin(tape, client, server),
            session: Session::new(options, client_guid),
        })
    }

    /// Its own end and the server's.
    pub(crate) fn ends(&self) -> Result<(SocketAddr, SocketAddr), DriveError> {
        let during = "look at the connection";
        let ends = || Ok((self.stream.local_addr()?, self.stream.peer_addr()?));
        ends().map_err(|source| io_error(during, source))
    }

    /// Sends a request and waits for its answer; also gives the request's bytes.
    pub(crate) async fn exchange<B: Body>(
        &mut self,
        tree_id: u32,
        body: &B,
        during: &'static str,
        max: Duration,
    ) -> Result<(Vec<u8>, Message), DriveError> {
        let within = self.session.options.answer_within_s;
        let max = within.map_or(max, |within| max.min(Duration::from_secs(within.into())));
        let (message_id, bytes) = self.session.request(tree_id, body)?;
        let silence = DriveError::Silence { during, after: max };
        let answer = timeout(max, self.transact(message_id, &bytes, during))
            .await
            .map_err(|_| silence)??;
        Ok((bytes, answer))
    }

    /// Sends a request; its answer must be success, and gives its body.
    pub(crate) async fn demand<B: Body, R: Body>(
        &mut self,
        tree_id: u32,
        body: &B,
        during: &'static str,
        max: Duration,
    ) -> Result<R, DriveError> {
        let (_, answer) = self.exchange(tree_id, body, during, max).await?;
        match answer.header.status {
            NtStatus::SUCCESS => answer.body(during),
            status => Err(DriveError::Refused { during, status }),
        }
    }

    async fn transact(
        &mut self,
        message_id: u64,
        bytes: &[u8],
        during: &'static str,
    ) -> Result<Message, DriveError> {
        let frame = nbss::emit(bytes)
            .ok_or_else(|| DriveError::Own(format!("{during}: the request is too long")))?;
        self.track.sent(&frame);
        if let Err(source) = self.stream.write_all(&frame).await {
            return Err(self.lost(during, source));
        }
        loop {
            let message = self.next_message(during).await?;
            match self.session.handle_message(message_id, during, message)? {
                Incoming::NotYet => {}
                Incoming::Answer(answer) => return Ok(answer),
            }
        }
    }

    async fn next_message(&mut self, during: &'static str) -> Result<Vec<u8>, DriveError> {
        loop {
            let frame = nbss::next_frame(&self.buffer, FRAME_BYTES_MAX)
                .map_err(|source| DriveError::Unreadable { during, source })?;
            if let Some(frame) = frame {
                let consumed = frame.consumed();
                let payload = self.buffer.get(frame.payload).unwrap_or_default().to_vec();
                self.buffer.drain(..consumed);
                if !payload.is_empty() {
                    return Ok(payload);
                }
                continue;
            }
            self.buffer.reserve(READ_BYTES);
            let had = self.buffer.len();
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    self.track.left_by_server(false);
                    return Err(DriveError::Closed { during });
                }
                Ok(_) => self
                    .track
                    .received(self.buffer.get(had..).unwrap_or_default()),
                Err(source) => return Err(self.lost(during, source)),
            }
        }
    }

    fn lost(&mut self, during: &'static str, source: std::io::Error) -> DriveError {
        let error = io_error(during, source);
        if matches!(error, DriveError::Closed { .. }) {
            self.track.left_by_server(true);
        }
        error
    }
}

/// A connection that the other side ended is an observation of its own.
fn io_error(during: &'static str, source: std::io::Error) -> DriveError {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            DriveError::Closed { during }
        }
        _ => DriveError::Io { during, source },
    }
}

async fn connect_from(server: SocketAddr, other_address: bool) -> std::io::Result<TcpStream> {
    if !other_address {
        return TcpStream::connect(server).await;
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(OTHER_LOOPBACK, 0))?;
    socket.connect(server).await
}
