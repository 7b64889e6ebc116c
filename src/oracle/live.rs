//! The same rules over a server that answers now: each exchange is judged as it comes.

use super::history::History;
use super::rule::{Act, Ruling};
use super::server::Judged;
use super::statuses::{Status, Statuses};
use super::timer::Fired;
use super::{Durations, Server, finding};
use crate::flow::{Answer, Exchange};
use crate::outcome::Finding;
use crate::requirement::{Catalogue, Role};
use fsrvp_wire::fsrvp::{FSRVP_RPC_VERSION_1, Hresult, Opnum, Reply};
use fsrvp_wire::ndr::WideString;
use uuid::Uuid;

/// Judges one server, one exchange after the other. Only what the server did is told.
pub struct Live<'c> {
    catalogue: &'c Catalogue,
    durations: Durations,
    server: Server,
}

/// What an exchange came to.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// What was broken, the strongest requirement first.
    pub findings: Vec<Finding>,
    /// The requirements that were followed.
    pub kept: Vec<&'static str>,
    /// The status before the call of the set that it names, or else of the server's unfinished set;
    /// the words are those of [`Live::STATUSES`]. `None` where it is not certain.
    pub status: Option<&'static str>,
}

impl<'c> Live<'c> {
    /// Every status of a set; the first one says that there is none.
    pub const STATUSES: [&'static str; 7] = [
        "none",
        "Started",
        "Added",
        "CreationInProgress",
        "Committed",
        "Exposed",
        "Recovered",
    ];

    /// A server without any set or context, that nobody else uses and whose clock stands still
    /// between the times of the exchanges.
    #[must_use]
    pub fn fresh(catalogue: &'c Catalogue) -> Live<'c> {
        Live {
            catalogue,
            durations: Durations::Exact,
            server: Server {
                history: History::fresh(),
                ..Server::default()
            },
        }
    }

    /// A server of which nothing is known.
    #[must_use]
    pub fn unknown(catalogue: &'c Catalogue, durations: Durations) -> Live<'c> {
        Live {
            catalogue,
            durations,
            server: Server::default(),
        }
    }

    /// Forgets what sets and context the server has.
    pub fn forget(&mut self) {
        self.server = Server::default();
    }

    /// Whether the server's timer may have run out before this exchange, or runs nobody knows how
    /// long.
    #[must_use]
    pub fn may_have_run_out(&self, exchange: &Exchange) -> bool {
        let asked = exchange.request_evidence.time;
        let answered = exchange.answer_evidence.time.max(asked);
        let history = &self.server.history;
        history.fired(self.durations, asked, answered) != Fired::No
    }

    /// Judges an exchange, which nothing else overlaps, and learns from it.
    pub fn judge(&mut self, exchange: &Exchange) -> Judgement {
        let time = exchange.request_evidence.time;
        let answered = exchange.answer_evidence.time.max(time);
        self.server.history.advance(self.durations, time, answered);
        let status = self.status(exchange);
        let (judged, _) = self.server.exchange(exchange, true, self.durations);
        let mut judgement = Judgement {
            status,
            ..Judgement::default()
        };
        for judged in judged.into_iter().filter(|judged| self.is_servers(judged)) {
            if judged.ruling == Ruling::Kept {
                judgement.kept.push(judged.requirement);
            } else {
                let found = finding(self.catalogue, exchange, judged);
                judgement.findings.extend(found);
            }
        }
        judgement
            .findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.level));
        judgement
    }

    /// The codes of MS-FSRVP 2.2.4 with which the server would have broken no rule, success first.
    #[must_use]
    pub fn permitted(&self, exchange: &Exchange) -> Vec<Hresult> {
        let named = Hresult::NAMED.iter().copied();
        let of_the_protocol = named.filter(|code| {
            let name = code.name().unwrap_or_default();
            let ours = ["FSRVP_E_", "FSSAGENT_E_"];
            *code == Hresult::E_INVALIDARG || ours.iter().any(|prefix| name.starts_with(prefix))
        });
        std::iter::once(Hresult::ZERO)
            .chain(of_the_protocol)
            .filter(|code| self.permits(exchange, *code))
            .collect()
    }

    fn permits(&self, exchange: &Exchange, code: Hresult) -> bool {
        answers_with(exchange.opnum, code).into_iter().any(|reply| {
            let mut other = exchange.clone();
            other.answer = Answer::Reply(reply);
            let (judged, _) = self.server.clone().exchange(&other, true, self.durations);
            judged
                .iter()
                // A mapping cannot be made up; whether it is there says nothing of the code.
                .filter(|judged| judged.requirement != "FSRVP-2.2.3.1-01")
                .filter(|judged| self.is_servers(judged))
                .all(|judged| !matches!(judged.ruling, Ruling::Broken { .. }))
        })
    }

    fn is_servers(&self, judged: &Judged) -> bool {
        let id = crate::requirement::RequirementId(judged.requirement.to_owned());
        let requirement = self.catalogue.get(&id);
        requirement.is_some_and(|requirement| requirement.role == Role::Server)
    }

    fn status(&self, exchange: &Exchange) -> Option<&'static str> {
        let act = Act {
            exchange,
            alone: true,
        };
        let history = &self.server.history;
        let status = match act.set_id() {
            Some(id) => history.statuses(id).certain(),
            None => {
                let mut sets = history.sets().map(|(_, set)| set.statuses);
                let first = history.unfinished().next().map(|(_, set)| set.statuses);
                let recovered = Statuses::only(Status::Recovered);
                match first {
                    Some(statuses) => statuses.certain(),
                    None if sets.any(|statuses| statuses == recovered) => Some(Status::Recovered),
                    None => Some(Status::Absent),
                }
            }
        };
        Some(match status? {
            Status::Absent => "none",
            other => other.name(),
        })
    }
}

/// Answers with this code, with out parameters as a server could set them.
fn answers_with(opnum: Opnum, code: Hresult) -> Vec<Reply> {
    // Some id that nobody has.
    let fresh = Uuid::from_u128(0x0f7e_57ed_0000_4000_8000_0000_0000_0001);
    let Some(mut reply) = Reply::failure(opnum, code) else {
        return Vec::new();
    };
    match &mut reply {
        _ if !code.is_success() => {}
        Reply::GetSupportedVersion(reply) => {
            reply.min_version = FSRVP_RPC_VERSION_1;
            reply.max_version = FSRVP_RPC_VERSION_1;
        }
        Reply::StartShadowCopySet(reply) => reply.shadow_copy_set_id.0 = fresh,
        Reply::AddToShadowCopySet(reply) => reply.shadow_copy_id.0 = fresh,
        Reply::IsPathSupported(reply) => {
            reply.supported_by_this_provider = 1;
            reply.owner_machine_name = Some(WideString::from_text("SERVER"));
        }
        Reply::IsPathShadowCopied(absent) => {
            let mut present = absent.clone();
            present.shadow_copy_present = 1;
            return vec![Reply::IsPathShadowCopied(present), reply];
        }
        _ => {}
    }
    vec![reply]
}
