//! A relay between a real client and our server, which keeps every byte of both directions.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// What has passed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// From clients, of all connections.
    pub(crate) to_server: Vec<u8>,
    /// From the server.
    pub(crate) to_client: Vec<u8>,
}

impl Seen {
    /// How often `bytes` stand in what clients sent.
    pub(crate) fn sent(&self, bytes: &[u8]) -> usize {
        count(&self.to_server, bytes)
    }

    /// How often `bytes` stand in what the server answered.
    pub(crate) fn answered(&self, bytes: &[u8]) -> usize {
        count(&self.to_client, bytes)
    }
}

fn count(all: &[u8], bytes: &[u8]) -> usize {
    all.windows(bytes.len())
        .filter(|window| *window == bytes)
        .count()
}

/// The relay; it takes connections as long as the process lives.
pub(crate) struct Relay {
    pub(crate) port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    /// Opens a port of 127.0.0.1 that leads to another one.
    pub(crate) fn to(server: u16) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that cannot be made is closed, which the client tells.
                drop(
                    TcpStream::connect((Ipv4Addr::LOCALHOST, server))
                        .and_then(|server| {
                            let kept = Arc::clone(&kept);
                            pass(client.try_clone()?, server.try_clone()?, move |bytes| {
                                lock(&kept).to_server.extend_from_slice(bytes);
                            });
                            Ok((client, server))
                        })
                        .map(|(client, server)| {
                            let kept = Arc::clone(&kept);
                            pass(server, client, move |bytes| {
                                lock(&kept).to_client.extend_from_slice(bytes);
                            })
                        }),
                );
            }
        });
        Ok(Relay { port, seen })
    }

    /// What has passed until now.
    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on what comes from `from` until it ends.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    keep: impl Fn(&[u8]) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length) else {
                break;
            };
            keep(bytes);
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        // Whichever side is gone already does not care.
        let _ = to.shutdown(Shutdown::Write);
    })
}
