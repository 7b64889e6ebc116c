//! What came of a step, held against what the case permits.

use crate::case::{Expectation, FileResult, KnownDeviations, OutCheck, OutValue, Profile, Wanted};
use crate::drive::error::DriveError;
use crate::drive::files::FileAnswer;
use crate::drive::values::{Value, out_values, share_part};
use crate::outcome::Verdict;
use crate::requirement::{Catalogue, Level};
use fsrvp_wire::ParseError;
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How far a server's clock may be from ours, in units of 100 ns: five minutes.
const RECENT_TICKS_MAX: i64 = 300 * 10_000_000;

/// The answer to an RPC request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RpcAnswer {
    /// A response that parses.
    Reply(Reply),
    /// A fault.
    Fault(u32),
    /// A response whose stub does not parse, or that has no method.
    Unreadable(ParseError),
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum StepResult {
    /// Of a call or a raw request.
    Rpc(RpcAnswer),
    /// Of a connection.
    Bind(Result<(), String>),
    /// Of something done with a file.
    File(FileAnswer),
    /// Of something that has no answer.
    Done,
    /// The conversation broke.
    Broken(DriveError),
}

impl StepResult {
    /// What came, as a ledger shows it.
    pub(crate) fn text(&self) -> String {
        match self {
            StepResult::Rpc(RpcAnswer::Reply(reply)) => reply.status().to_string(),
            StepResult::Rpc(RpcAnswer::Fault(code)) => format!("fault {code:#010x}"),
            StepResult::Rpc(RpcAnswer::Unreadable(what)) => format!("unreadable: {what}"),
            StepResult::Bind(Ok(())) => "bind accepted".to_owned(),
            StepResult::Bind(Err(why)) => format!("bind refused: {why}"),
            StepResult::File(answer) => answer.to_string(),
            StepResult::Done => "done".to_owned(),
            StepResult::Broken(error) => format!("no answer: {error}"),
        }
    }

    /// Why a step that only prepares did not do so; `None` when it did.
    pub(crate) fn failed_to_prepare(&self) -> Option<String> {
        let worked = match self {
            StepResult::Rpc(RpcAnswer::Reply(reply)) => reply.status().is_success(),
            StepResult::Bind(Ok(())) | StepResult::Done => true,
            StepResult::File(answer) => answer.result() == Some(FileResult::Done),
            _ => false,
        };
        (!worked).then(|| match self {
            StepResult::Rpc(RpcAnswer::Reply(reply)) => format!("{:?}", reply.status()),
            other => other.text(),
        })
    }

    fn is(&self, wanted: Wanted) -> bool {
        match (self, wanted) {
            (StepResult::Rpc(RpcAnswer::Reply(reply)), Wanted::Status(status)) => {
                reply.status() == status
            }
            (StepResult::Rpc(RpcAnswer::Fault(code)), Wanted::Fault(wanted)) => *code == wanted,
            (StepResult::Bind(result), Wanted::Bind(wanted)) => result.is_ok() == wanted,
            (StepResult::File(answer), Wanted::File(wanted)) => answer.result() == Some(wanted),
            _ => false,
        }
    }
}

/// A wanted answer as a ledger shows it.
fn wanted_text(wanted: Wanted) -> String {
    match wanted {
        Wanted::Status(status) => status.to_string(),
        Wanted::Fault(code) => format!("fault {code:#010x}"),
        other => other.to_string(),
    }
}

/// What the out parameters are held against.
pub(crate) struct Facts<'a> {
    /// The call that was made, for the names that follow from it.
    pub(crate) call: Option<&'a Call>,
    /// Ids by the name they were saved under.
    pub(crate) ids: &'a BTreeMap<String, Uuid>,
    /// Answers by the name they were saved under.
    pub(crate) replies: &'a BTreeMap<String, Reply>,
    /// Fills placeholders.
    pub(crate) fill: &'a dyn Fn(&str) -> String,
    /// What time it is for the server, in 100 ns since 1601.
    pub(crate) now_ticks: i64,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) expected: Vec<String>,
    pub(crate) actual: String,
    pub(crate) message: String,
}

/// By what a case is judged.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The case's id.
    pub(crate) case: &'a str,
    /// By whose reading.
    pub(crate) profile: Profile,
    /// How strong each requirement is.
    pub(crate) catalogue: &'a Catalogue,
    /// What the target is known to do otherwise.
    pub(crate) known: &'a KnownDeviations,
}

/// Holds what came of a step that calls `method` against what it must be.
pub(crate) fn judge(
    rules: Rules<'_>,
    method: Option<Opnum>,
    expect: &Expectation,
    result: &StepResult,
    facts: &Facts<'_>,
) -> Judgement {
    let profile = rules.profile;
    let permitted: Vec<_> = expect
        .answers
        .iter()
        .filter(|answer| answer.is_for(profile))
        .collect();
    let expected: Vec<String> = permitted
        .iter()
        .map(|answer| wanted_text(answer.wanted))
        .collect();
    let sources: Vec<String> = permitted
        .iter()
        .map(|answer| format!("{} ({})", answer.wanted, answer.source))
        .collect();
    let matching = || permitted.iter().filter(|answer| result.is(answer.wanted));
    // Of several answers with the same code, that counts whose out parameters hold as well.
    let matched = matching()
        .find(|answer| wrong_out(&answer.out, result, facts).is_none())
        .or_else(|| matching().next());
    let wrong_out = matched.and_then(|answer| wrong_out(&answer.out, result, facts));
    let (actual, deviation_key, message) = match (&matched, &wrong_out) {
        (Some(answer), None) => {
            let note = if answer.verdict == Verdict::Pass {
                String::new()
            } else {
                format!("{} ({})", answer.wanted, answer.source)
            };
            (result.text(), None, note)
        }
        (_, Some(wrong)) => (
            format!("{} with {} = {}", result.text(), wrong.parameter, wrong.got),
            Some(wrong.parameter.clone()),
            format!(
                "{} must be {}, is {}",
                wrong.parameter, wrong.wanted, wrong.got
            ),
        ),
        (None, None) => (
            result.text(),
            Some(result.text()),
            format!("permitted: {}", sources.join(", ")),
        ),
    };
    let deviation = deviation_key.as_ref().map(|key| {
        rules
            .known
            .find(rules.case, &expect.requirements, method, key)
    });
    let (verdict, message) = match deviation {
        None => (
            matched.map_or(Verdict::Fail, |answer| answer.verdict),
            message,
        ),
        Some(Some(entry)) => (
            Verdict::Known,
            format!("{} ({})", entry.reason, entry.source),
        ),
        Some(None) => (broken(expect, rules.catalogue, profile), message),
    };
    Judgement {
        verdict,
        expected,
        actual,
        message,
    }
}

/// What it comes to that none of the permitted answers came.
fn broken(expect: &Expectation, catalogue: &Catalogue, profile: Profile) -> Verdict {
    if profile == Profile::Observe {
        return Verdict::Info;
    }
    let level = expect
        .requirements
        .iter()
        .filter_map(|id| catalogue.get(id))
        .map(|requirement| requirement.level)
        .max();
    match level {
        Some(Level::May) => Verdict::Info,
        Some(Level::Should) => Verdict::NonStrict,
        Some(Level::Must) | None => Verdict::Fail,
    }
}

/// An out parameter that is not what it must be.
struct WrongOut {
    parameter: String,
    wanted: String,
    got: String,
}

fn wrong_out(checks: &[OutCheck], result: &StepResult, facts: &Facts<'_>) -> Option<WrongOut> {
    let StepResult::Rpc(RpcAnswer::Reply(reply)) = result else {
        return None;
    };
    let values = out_values(reply);
    checks.iter().find_map(|check| {
        let value = values.get(check.parameter.as_str());
        let holds = value.is_some_and(|value| {
            check
                .any_of
                .iter()
                .any(|wanted| holds(wanted, &check.parameter, value, reply, facts))
        });
        (!holds).then(|| WrongOut {
            parameter: check.parameter.clone(),
            wanted: check
                .any_of
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" or "),
            got: value.map_or("not there".to_owned(), ToString::to_string),
        })
    })
}

fn holds(
    wanted: &OutValue,
    parameter: &str,
    value: &Value,
    reply: &Reply,
    facts: &Facts<'_>,
) -> bool {
    let is_zero = match value {
        Value::Number(number) => *number == 0,
        Value::Id(id) => id.is_nil(),
        Value::Text(text) => text.is_none(),
    };
    match (wanted, value) {
        (OutValue::Zero, _) => is_zero,
        (OutValue::NonZero, Value::Text(Some(text))) => !text.is_empty(),
        (OutValue::NonZero, _) => !is_zero,
        (OutValue::New, Value::Id(id)) => !is_zero && facts.ids.values().all(|old| old != id),
        (OutValue::Saved(name), Value::Id(id)) => facts.ids.get(name) == Some(id),
        (OutValue::Same(name), _) => facts
            .replies
            .get(name)
            .is_some_and(|old| out_values(old).get(parameter) == Some(value)),
        (OutValue::Recent, Value::Number(ticks)) => {
            facts.now_ticks.abs_diff(*ticks) <= RECENT_TICKS_MAX.unsigned_abs()
        }
        (OutValue::Number(wanted), Value::Number(number)) => wanted == number,
        (OutValue::UpTo(most), Value::Number(number)) => (0..=*most).contains(number),
        (OutValue::Bits(bits), Value::Number(number)) => number & bits == *bits,
        (OutValue::Text(wanted), Value::Text(Some(text))) => same_name(&(facts.fill)(wanted), text),
        (OutValue::ExposedName, Value::Text(Some(text))) => is_exposed_name(text, "", reply, facts),
        (OutValue::ExposedNameHere, Value::Text(Some(text))) => {
            is_exposed_name(text, "", reply, facts) && is_on_the_same_host(text, facts)
        }
        (OutValue::ExposedNameHidden, Value::Text(Some(text))) => {
            is_exposed_name(text, "$", reply, facts)
        }
        _ => false,
    }
}

/// Share names compare without case; a trailing backslash says nothing.
fn same_name(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('\\').to_lowercase();
    plain(a) == plain(b)
}

/// MS-FSRVP 3.1.4.6: base share, `@`, id in braces; alone or as `\\host\` and that.
fn is_exposed_name(text: &str, suffix: &str, reply: &Reply, facts: &Facts<'_>) -> bool {
    let (Reply::GetShareMapping(response), Some(Call::GetShareMapping(request))) =
        (reply, facts.call)
    else {
        return false;
    };
    let Some(mapping) = &response.share_mapping.mapping else {
        return false;
    };
    let base = share_part(&request.share_name.text());
    let wanted = format!("{base}@{{{}}}{suffix}", mapping.shadow_copy_id);
    let is_bare_or_unc = !text.contains('\\') || text.starts_with(r"\\");
    is_bare_or_unc && share_part(text).eq_ignore_ascii_case(&wanted)
}

/// Whether a name has no host, or the one of the call's share.
fn is_on_the_same_host(text: &str, facts: &Facts<'_>) -> bool {
    let host = |unc: &str| {
        let rest = unc.strip_prefix(r"\\")?;
        rest.split('\\').next().map(str::to_lowercase)
    };
    let Some(Call::GetShareMapping(request)) = facts.call else {
        return false;
    };
    let named = host(text);
    named.is_none() || named == host(&request.share_name.text())
}

#[cfg(test)]
mod tests;
