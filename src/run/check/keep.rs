//! A failed lifecycle: its shortest form, as an outcome and as a case file to be kept.

use crate::case::{
    Action, Answer, CallTemplate, Case, Expectation, IdRef, OutCheck, OutValue, Wanted,
};
use crate::drive::Company;
use crate::flow::{Answer as Came, Exchange};
use crate::generate::{TOPIC, case_file, shortest};
use crate::oracle::Live;
use crate::outcome::{Finding, Outcome, StepRecord, Verdict};
use crate::requirement::RequirementId;
use crate::run::check::archive::{FOLDER, Log, Story};
use crate::run::check::bench::Worker;
use crate::run::check::lives::{Breach, Done, Failure};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// How often a failed lifecycle is played to find its shortest form.
const PLAYS_MAX: usize = 250;
/// The same where every play costs the time of a foreign server.
const FOREIGN_PLAYS_MAX: usize = 60;
/// What a step that was refused as it should be is judged by where no rule spoke of it.
const ANY_FAILURE: &str = "FSRVP-3-02";

/// What came of one step of the shortest form.
struct Record {
    step: usize,
    exchange: Exchange,
    permitted: Vec<Hresult>,
    kept: Vec<&'static str>,
    finding: Option<Finding>,
}

impl Worker<'_> {
    /// The outcome of a failed lifecycle, `others` more of which failed in the same way. The
    /// shortest sequence that still fails goes into a case file below `place`.
    pub fn keep(&mut self, failure: &Failure, others: usize, place: &Path) -> Outcome {
        let kind = failure.fault.kind();
        let plays_max = match self.bench.is_foreign() {
            true => FOREIGN_PLAYS_MAX,
            false => PLAYS_MAX,
        };
        let verdict = failure.fault.verdict();
        // A foreign server that went is not made to go again and again.
        let went = self.bench.is_foreign() && matches!(failure.fault, Breach::Gone(_));
        let mut life = match verdict {
            _ if went => failure.life.clone(),
            Verdict::Inconclusive => failure.life.clone(),
            _ => shortest(&failure.life, plays_max, &mut |life| {
                let breach = self.look_for_breach(life, None);
                breach.is_some_and(|(_, breach)| breach.kind() == kind)
            }),
        };
        let seed = self.bench.seed();
        life.id = format!("{TOPIC}/{}", kind.to_lowercase());
        life.title = format!("Generated: {kind} holds");
        life.why = Some(format!("Lifecycle {} of seed {seed} broke it.", failure.n));
        let records = match went {
            true => Vec::new(),
            false => self.record(&life),
        };
        let outcome = outcome(&life, failure, &records);
        let mut message = format!("lifecycle {} of seed {seed}", failure.n);
        if others > 0 {
            message += &format!("; {others} more failed in the same way");
        }
        message += &format!("\n{}", told(&failure.fault, &records));
        let mut text = None;
        if !went && !matches!(failure.fault, Breach::Left(_)) {
            let told = self.write(&mut life, &records, place, &mut text);
            message += &format!("\n{told}");
        }
        let mut outcome = Outcome {
            title: life.title.clone(),
            message,
            ..outcome
        };
        let lives = failure.n.saturating_add(1);
        let story = Story {
            case: &life,
            text: text.as_deref(),
            again: &format!("fsrvp check --lifecycles {lives}{}", self.bench.again),
        };
        self.archive(&mut outcome, &story);
        outcome
    }

    fn record(&mut self, life: &Case) -> Vec<Record> {
        let mut records = Vec::new();
        let known = self.known().clone();
        let mut done = Done::default();
        let mut watch = |step: usize, exchange: &Exchange, live: &mut Live<'_>| {
            let permitted = live.permitted(exchange);
            let judgement = live.judge(exchange);
            let mut findings = judgement.findings.into_iter();
            let finding = findings.find(|finding| done.known(&known, exchange, finding).is_none());
            done.note(exchange);
            let broken = finding.is_some();
            records.push(Record {
                step,
                exchange: exchange.clone(),
                permitted,
                kept: judgement.kept,
                finding,
            });
            match broken {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        self.forget();
        // Those who were here before connected before anybody listened.
        self.company = Company::on_tape(&self.tape);
        let listening = self.log.as_ref().map(Log::listen);
        // What broke is the finding itself, or was told before.
        let _ = self.perform(life, &mut watch);
        drop(listening);
        let _ = self.renew();
        records
    }

    /// Writes the case file, also to `written_text`; gives where it lies, or why it does not.
    fn write(
        &mut self,
        life: &mut Case,
        records: &[Record],
        place: &Path,
        written_text: &mut Option<String>,
    ) -> String {
        for record in records {
            if let Some(step) = life.steps.get_mut(record.step) {
                step.expect = expectation(record, &step.action);
            }
        }
        if life.steps.iter().all(|step| step.expect.is_none()) {
            return "no case file: nothing in it can be judged by an answer alone".to_owned();
        }
        let text = case_file(life);
        let path = place.join(FOLDER).join(format!("{}.toml", life.id));
        let name = path.display().to_string();
        let read = self.bench.library.read_case(&life.id, &name, &text);
        let case = match read {
            Ok(case) => case,
            Err(error) => return format!("no case file: {error}"),
        };
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, &text));
        if let Err(error) = written {
            return format!("no case file: {name}: {error}");
        }
        *written_text = Some(text);
        let verdict = self.play_unheard(&case).verdict;
        let _ = self.renew();
        let cases = place.join(FOLDER);
        format!(
            "kept as {name}, which comes to {verdict}: fsrvp check --cases {}",
            cases.display()
        )
    }
}

/// Expected and seen, in the words of the rule.
fn told(fault: &Breach, records: &[Record]) -> String {
    let finding = records.iter().find_map(|record| record.finding.as_ref());
    match (finding, fault) {
        (Some(finding), _) => format!("expected {}\nseen     {}", finding.expected, finding.seen),
        (None, Breach::Finding(finding)) => {
            format!("expected {}\nseen     {}", finding.expected, finding.seen)
        }
        (None, Breach::Gone(what)) => format!("server gone: {what}"),
        (None, Breach::Left(what)) => what.clone(),
    }
}

fn outcome(life: &Case, failure: &Failure, records: &[Record]) -> Outcome {
    let requirements: Vec<RequirementId> =
        failure.fault.requirement().into_iter().cloned().collect();
    let mut outcome = Outcome::unplayed(&life.id, failure.fault.verdict(), requirements, "");
    for record in records {
        let actual = came(&record.exchange);
        let finding = record.finding.as_ref();
        if finding.is_some() {
            let permitted = record.permitted.iter();
            outcome.expected = permitted.map(ToString::to_string).collect();
            outcome.actual.clone_from(&actual);
        }
        outcome.steps.push(StepRecord {
            step: record.step + 1,
            action: record
                .exchange
                .opnum
                .name()
                .map_or_else(|| record.exchange.opnum.0.to_string(), str::to_owned),
            actual,
            expected: Vec::new(),
            requirements: finding.map(|f| f.requirement.clone()).into_iter().collect(),
            verdict: match finding {
                Some(_) => failure.fault.verdict(),
                None => Verdict::Pass,
            },
            message: finding.map_or(String::new(), |finding| finding.seen.clone()),
        });
    }
    outcome
}

fn came(exchange: &Exchange) -> String {
    match &exchange.answer {
        Came::Reply(reply) => reply.status().to_string(),
        Came::Fault(status) => format!("fault {status:#010x}"),
        Came::Unreadable { .. } => "unreadable".to_owned(),
        Came::Missing => "no answer".to_owned(),
    }
}

/// What the case file expects of a step: nothing where it succeeded as it should, its refusal where
/// it was refused as it should be, and everything that is permitted where it broke a rule.
fn expectation(record: &Record, action: &Action) -> Option<Expectation> {
    let code = match &record.exchange.answer {
        Came::Reply(reply) => Some(reply.status()),
        _ => None,
    };
    let Some(finding) = &record.finding else {
        if code.is_some_and(Hresult::is_success) {
            return None;
        }
        let kept = record.kept.iter().find(|id| **id != ANY_FAILURE);
        let requirement = RequirementId((*kept.unwrap_or(&ANY_FAILURE)).to_owned());
        let wanted = match (&record.exchange.answer, code) {
            (Came::Fault(status), _) => Wanted::Fault(*status),
            (_, code) => Wanted::Status(code?),
        };
        let answers = vec![answer(wanted, Vec::new(), "as it came")];
        return Some(Expectation {
            requirements: vec![requirement],
            answers,
        });
    };
    let source = format!("MS-FSRVP {}", finding.section);
    let is_out =
        code.is_some_and(|code| record.permitted.is_empty() || record.permitted.contains(&code));
    let answers = if let (true, Some(code), Action::Call(call)) = (is_out, code, action) {
        let out = out_demanded(call, code, &finding.requirement);
        vec![answer(Wanted::Status(code), out, &source)]
    } else {
        record
            .permitted
            .iter()
            .map(|code| answer(Wanted::Status(*code), Vec::new(), &source))
            .collect()
    };
    Some(Expectation {
        requirements: vec![finding.requirement.clone()],
        answers,
    })
}

fn answer(wanted: Wanted, out: Vec<OutCheck>, source: &str) -> Answer {
    Answer {
        wanted,
        out,
        source: source.to_owned(),
        profiles: Vec::new(),
        verdict: Verdict::Pass,
    }
}

/// What the out parameters must be with this code.
fn out_demanded(call: &CallTemplate, code: Hresult, broken: &RequirementId) -> Vec<OutCheck> {
    let check = |parameter: &str, value| OutCheck {
        parameter: parameter.to_owned(),
        any_of: vec![value],
    };
    let saved = |parameter: &str, id: &IdRef| match id {
        IdRef::Saved(name) => Some(check(parameter, OutValue::Saved(name.clone()))),
        _ => None,
    };
    let new_if_success = match code.is_success() {
        true => OutValue::New,
        false => OutValue::Zero,
    };
    match call.method {
        Opnum::GetSupportedVersion => vec![
            check("MinVersion", OutValue::Number(1)),
            check("MaxVersion", OutValue::Number(1)),
        ],
        Opnum::StartShadowCopySet => vec![check("ShadowCopySetId", new_if_success)],
        Opnum::AddToShadowCopySet => vec![check("ShadowCopyId", new_if_success)],
        Opnum::IsPathSupported => vec![
            check("SupportedByThisProvider", OutValue::NonZero),
            check("OwnerMachineName", OutValue::NonZero),
        ],
        Opnum::IsPathShadowCopied => {
            let present = ["-06", "-07", "-08"];
            let is_present = present.iter().any(|end| broken.0.ends_with(end));
            vec![check(
                "ShadowCopyPresent",
                match is_present {
                    true => OutValue::NonZero,
                    false => OutValue::Zero,
                },
            )]
        }
        Opnum::GetShareMapping if code.is_success() => {
            let ids = [
                saved("ShadowCopySetId", &call.set),
                saved("ShadowCopyId", &call.copy),
            ];
            let mut checks: Vec<OutCheck> = ids.into_iter().flatten().collect();
            checks.push(check("ShadowCopyShareName", OutValue::ExposedName));
            checks.push(check("ShareNameUNC", OutValue::Text(call.share.clone())));
            checks.push(check("CreationTimestamp", OutValue::Recent));
            checks
        }
        _ => Vec::new(),
    }
}
