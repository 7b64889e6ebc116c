//! A foreign server that is no longer there in the middle of a run.

use crate::case::{Case, Target};
use crate::outcome::{Outcome, Verdict};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long a server may take to accept a connection.
const ACCEPT_MAX: Duration = Duration::from_secs(5);

/// Watches whether a foreign server is there.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The case in which it went.
    gone_in: Option<String>,
}

impl Watch {
    /// What a case comes to that need not be tried, since the server went and is not back.
    pub(super) fn before(&mut self, case: &Case, target: &Target) -> Option<Outcome> {
        let since = self.gone_in.as_ref()?;
        let Err(why) = knock(target) else {
            self.gone_in = None;
            return None;
        };
        let what = format!("server gone since {since}: {why}");
        let requirements = case.requirements();
        Some(Outcome::unplayed(
            &case.id,
            Verdict::Inconclusive,
            requirements,
            what,
        ))
    }

    /// The same outcome; a failure where the server went in the middle of the case.
    pub(super) fn after(&mut self, mut outcome: Outcome, target: &Target) -> Outcome {
        if !matches!(outcome.verdict, Verdict::Fail | Verdict::Inconclusive) {
            return outcome;
        }
        if let Err(why) = knock(target) {
            outcome.verdict = Verdict::Fail;
            outcome.message = match outcome.message.as_str() {
                "" => format!("server gone: {why}"),
                message => format!("server gone: {why}\n{message}"),
            };
            self.gone_in = Some(outcome.case.clone());
        }
        outcome
    }
}

/// Whether somebody accepts connections there.
fn knock(target: &Target) -> Result<(), String> {
    let name = format!("{}:{}", target.host, target.port);
    let addresses = (target.host.as_str(), target.port)
        .to_socket_addrs()
        .map_err(|error| format!("{name}: {error}"))?;
    let mut why = format!("{name}: no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, ACCEPT_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("{address}: {error}"),
        }
    }
    Err(why)
}
