//! Generated lifecycles: played, judged call by call by the oracle, and shortened where they fail.

use crate::case::{Case, Deviation, KnownDeviations, Target, Timers};
use crate::drive::{IdSource, LivePlayer, Time, Trouble, out_values};
use crate::flow::{Answer, Exchange};
use crate::generate::{Stage, lifecycle};
use crate::oracle::{Durations, Live};
use crate::outcome::{Finding, Lifecycles, Verdict};
use crate::requirement::{Level, RequirementId};
use crate::run::check::bench::{CASE_MAX, Worker, until_interrupted};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A lifecycle that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its number in the run.
    pub n: u64,
    /// The lifecycle up to the step that failed.
    pub life: Case,
    /// What came to be seen there.
    pub fault: Breach,
}

/// What failed.
#[derive(Debug, Clone)]
pub enum Breach {
    /// A requirement was broken.
    Finding(Box<Finding>),
    /// The conversation broke.
    Gone(String),
    /// The server could not be cleaned up.
    Left(String),
}

impl Breach {
    /// The requirement that was broken.
    #[must_use]
    pub fn requirement(&self) -> Option<&RequirementId> {
        match self {
            Breach::Finding(finding) => Some(&finding.requirement),
            Breach::Gone(_) | Breach::Left(_) => None,
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Breach::Finding(finding) if finding.level == Level::Must => Verdict::Fail,
            Breach::Finding(_) => Verdict::NonStrict,
            Breach::Gone(_) => Verdict::Fail,
            Breach::Left(_) => Verdict::Inconclusive,
        }
    }

    /// What failures of the same kind have in common.
    pub(super) fn kind(&self) -> String {
        match self {
            Breach::Finding(finding) => finding.requirement.0.clone(),
            Breach::Gone(_) => "server-gone".to_owned(),
            Breach::Left(_) => "not-cleaned-up".to_owned(),
        }
    }
}

/// Who looks at each exchange before the judge learns from it; gives what the judge then says.
pub(super) type Watch<'w> =
    dyn FnMut(usize, &Exchange, &mut Live<'_>) -> ControlFlow<()> + Send + 'w;

impl Worker<'_> {
    /// Plays the `n`th lifecycle of the run and adds what it came to.
    pub fn lifecycle(&mut self, n: u64, tally: &mut Lifecycles) -> Option<Failure> {
        let stage = Stage::of(&self.target()?);
        let life = lifecycle(self.bench.seed(), n, &stage);
        tally.count += 1;
        let failure = self.look_for_breach(&life, Some(tally));
        let (step, fault) = failure?;
        tally.failed += 1;
        let mut life = life;
        life.steps.truncate(step.saturating_add(1));
        Some(Failure { n, life, fault })
    }

    /// Plays a lifecycle up to its first breach; gives the step and what it is. The next one finds
    /// another server where the embedded one was in breach: nobody knows what state it is in.
    pub(super) fn look_for_breach(
        &mut self,
        life: &Case,
        mut tally: Option<&mut Lifecycles>,
    ) -> Option<(usize, Breach)> {
        let mut breach = None;
        let known = self.known().clone();
        let mut done = Done::default();
        let mut watch = |step: usize, exchange: &Exchange, live: &mut Live<'_>| {
            let judgement = live.judge(exchange);
            if let Some(tally) = &mut tally {
                note(tally, exchange, judgement.status, &judgement.kept);
            }
            for finding in judgement.findings {
                match (&mut tally, done.known(&known, exchange, &finding)) {
                    (Some(tally), Some(entry)) => {
                        tally.known += 1;
                        let what = format!("{}: {}", entry.names(), entry.reason);
                        *tally.deviations.entry(what).or_default() += 1;
                    }
                    (_, Some(_)) => {}
                    _ if finding.level == Level::May => {}
                    _ => {
                        breach = Some((step, Breach::Finding(Box::new(finding))));
                        return ControlFlow::Break(());
                    }
                }
            }
            done.note(exchange);
            ControlFlow::Continue(())
        };
        let played = self.perform(life, &mut watch);
        if let (None, Err(trouble)) = (&breach, played) {
            let fault = match trouble.step < life.steps.len() {
                true => Breach::Gone(trouble.what),
                false => Breach::Left(trouble.what),
            };
            breach = Some((trouble.step, fault));
        }
        if let (Some((_, Breach::Gone(_))), Some((target, _))) = (&breach, &self.bench.foreign) {
            self.watch.look(&life.id, target, &self.runtime);
        }
        if breach.is_some() {
            // Where no other server starts, the next lifecycle fails for it.
            let _ = self.renew();
        }
        breach
    }

    /// Plays a lifecycle; `watch` gets each exchange.
    pub(super) fn perform(&mut self, life: &Case, watch: &mut Watch<'_>) -> Result<(), Trouble> {
        let none = |what: &str| Trouble {
            step: 0,
            what: what.to_owned(),
        };
        let catalogue = self.bench.catalogue();
        let ours;
        let unsettled = self.known().clone();
        let (target, time, mut live) = match (&self.bench.foreign, &self.embedded) {
            (Some((target, _)), _) => {
                let live = Live::unknown(catalogue, durations(target));
                (target, Time::Theirs, live)
            }
            (None, Some(embedded)) => {
                ours = embedded.target();
                (&ours, embedded.time(), Live::fresh(catalogue))
            }
            (None, None) => return Err(none("the worker has no server")),
        };
        let ids = IdSource::new(self.bench.seed());
        let player = LivePlayer::new(target, time, ids, &mut self.company);
        let mut judge = |step: usize, exchange: &Exchange| {
            if unsettled.timers_unsettle() && live.may_have_run_out(exchange) {
                live.forget();
            }
            let flow = watch(step, exchange, &mut live);
            if unsettled.unsettles(exchange.opnum) {
                live.forget();
            }
            flow
        };
        let playing = async { tokio::time::timeout(CASE_MAX, player.play(life, &mut judge)).await };
        let interrupted = Arc::clone(&self.bench.interrupted);
        match self
            .runtime
            .block_on(until_interrupted(playing, &interrupted))
        {
            Some(Ok(played)) => played,
            Some(Err(_)) => Err(none("given up after ten minutes")),
            None => Err(none("interrupted")),
        }
    }

    /// Whether a foreign server has gone, or answers no more.
    pub(super) fn is_server_gone(&self) -> bool {
        self.watch.is_gone()
    }

    /// What the server is known to do otherwise.
    pub(super) fn known(&self) -> &KnownDeviations {
        match &self.bench.foreign {
            Some((_, known)) => known,
            None => &self.bench.embedded.1,
        }
    }

    /// The server that is played against.
    pub(super) fn target(&self) -> Option<Target> {
        match (&self.bench.foreign, &self.embedded) {
            (Some((target, _)), _) => Some(target.clone()),
            (None, Some(embedded)) => Some(embedded.target()),
            (None, None) => None,
        }
    }
}

/// What a list of known deviations calls that which is wrong: the out parameter, or what was
/// answered.
fn wrong(exchange: &Exchange, finding: &Finding) -> String {
    match &exchange.answer {
        Answer::Reply(reply) => {
            let first = finding.seen.split(' ').next().unwrap_or_default();
            match out_values(reply).contains_key(first) {
                true => first.to_owned(),
                false => reply.status().to_string(),
            }
        }
        Answer::Fault(status) => format!("fault {status:#010x}"),
        Answer::Unreadable { .. } => "unreadable".to_owned(),
        Answer::Missing => "no answer".to_owned(),
    }
}

/// The methods that have succeeded in a lifecycle.
#[derive(Debug, Default)]
pub(super) struct Done(BTreeSet<Opnum>);

impl Done {
    /// The entry of `known` that says the exchange comes as the finding has it.
    pub(super) fn known<'k>(
        &self,
        known: &'k KnownDeviations,
        exchange: &Exchange,
        finding: &Finding,
    ) -> Option<&'k Deviation> {
        let actual = wrong(exchange, finding);
        known.find_in_lifecycle(&finding.requirement, exchange.opnum, &actual, &self.0)
    }

    /// Notes what came of a call.
    pub(super) fn note(&mut self, exchange: &Exchange) {
        if matches!(&exchange.answer, Answer::Reply(reply) if reply.status().is_success()) {
            self.0.insert(exchange.opnum);
        }
    }
}

/// How long the timers of a foreign server run.
fn durations(target: &Target) -> Durations {
    match target.timers {
        Timers::Scale(scale) => Durations::Scaled(scale),
        Timers::Fixed(duration) => Durations::Fixed(duration),
        Timers::Unknown | Timers::Ours => Durations::Unknown,
    }
}

fn note(
    tally: &mut Lifecycles,
    exchange: &Exchange,
    status: Option<&'static str>,
    kept: &[&'static str],
) {
    let method = exchange
        .opnum
        .name()
        .map_or_else(|| format!("opnum {}", exchange.opnum.0), str::to_owned);
    let code = match &exchange.answer {
        Answer::Reply(reply) => Some(reply.status()),
        _ => None,
    };
    let answer = match (&exchange.answer, code) {
        (_, Some(code)) => code.name().map_or_else(|| code.to_string(), str::to_owned),
        (Answer::Fault(status), _) => format!("fault {status:#010x}"),
        _ => "unreadable".to_owned(),
    };
    // Who is refused meets no status.
    let met = code.is_some_and(|code| code != Hresult::E_ACCESSDENIED);
    tally.note(&method, answer, status.filter(|_| met));
    for requirement in kept {
        tally.judged(requirement);
    }
}
