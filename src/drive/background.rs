//! Calls that are not waited for where they are made.

use crate::drive::client::Client;
use crate::drive::error::DriveError;
use crate::drive::judge::RpcAnswer;
use crate::drive::limits::ANSWER_MAX;
use fsrvp_wire::fsrvp::Call;
use std::collections::BTreeMap;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The calls that wait for their answers, by the names that a case gives them.
#[derive(Default)]
pub(crate) struct Background(BTreeMap<String, Sent>);

struct Sent {
    name: String,
    call: Call,
    answer: JoinHandle<(Client, Result<RpcAnswer, DriveError>)>,
}

/// An answer that came in the end.
pub(crate) struct Answered {
    /// The client that made the call, for whoever goes on with it.
    pub(crate) client: (String, Client),
    pub(crate) call: Call,
    pub(crate) answer: Result<RpcAnswer, DriveError>,
}

impl Background {
    /// Makes `call` as the client of this name, which is busy until the answer is taken.
    pub(crate) fn send(&mut self, name: &str, client: (String, Client), call: Call) {
        let (client_name, mut client) = client;
        let request = call.clone();
        let answer = tokio::spawn(async move {
            let answer = client.call(&request).await;
            (client, answer)
        });
        let sent = Sent {
            name: client_name,
            call,
            answer,
        };
        self.0.insert(name.to_owned(), sent);
    }

    /// Whether that client waits for an answer.
    pub(crate) fn is_busy(&self, client: &str) -> bool {
        self.0.values().any(|sent| sent.name == client)
    }

    /// Waits for the answer of a call.
    pub(crate) async fn answer(&mut self, name: &str) -> Result<Answered, String> {
        let sent = self.0.remove(name);
        let Sent { name, call, answer } = sent.ok_or_else(|| format!("{name} was not called"))?;
        let (client, answer) = answer.await.map_err(|error| error.to_string())?;
        Ok(Answered {
            client: (name, client),
            call,
            answer,
        })
    }

    /// Waits for what nobody asked for, a while at most: a case may have ended early.
    pub(crate) async fn end(&mut self) {
        for (_, mut sent) in std::mem::take(&mut self.0) {
            if timeout(ANSWER_MAX, &mut sent.answer).await.is_err() {
                sent.answer.abort();
            }
        }
    }
}
