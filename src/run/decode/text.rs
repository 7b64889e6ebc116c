//! For people: a timeline, one lifecycle after the other.

use super::json::{dialect, method, request, response, rpc_auth, sender};
use super::timeline::{Freeze, Lifecycle, Row, Timeline};
use super::{Printer, Totals};
use crate::case::fault_text;
use crate::flow::{Answer, BadSignature, Event, Exchange, Gap, Request};
use crate::oracle::{Countdown, Moment};
use crate::outcome::Finding;
use crate::requirement::Role;
use fsrvp_wire::fsrvp::{Call, Context, Reply};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

/// Prints lines of text.
#[derive(Default)]
pub(super) struct Text {
    capture: String,
    timeline: Timeline,
}

/// The columns in front of each call.
const COLUMNS: &str = "  frame     time_s  timer          set                    call";

/// How many characters the bar of a freeze has.
const BAR_LEN: u128 = 48;

impl Printer for Text {
    fn event(&mut self, capture: &str, event: &Event, _: &mut dyn Write) -> std::io::Result<()> {
        if self.capture != capture {
            capture.clone_into(&mut self.capture);
        }
        self.timeline.push(event);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.timeline.is_full()
    }

    fn moments(
        &mut self,
        capture: &str,
        moments: Vec<Moment>,
        findings: Option<&[Finding]>,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let lifecycles = self.timeline.lifecycles(moments, findings.is_some());
        if lifecycles.is_empty() {
            return Ok(());
        }
        writeln!(out, "{capture}\n{COLUMNS}")?;
        let marked: BTreeSet<u64> = findings
            .unwrap_or_default()
            .iter()
            .flat_map(|finding| finding.frames.iter().copied())
            .collect();
        lifecycles
            .iter()
            .try_for_each(|lifecycle| print(lifecycle, &marked, out))
    }

    fn findings(
        &mut self,
        capture: &str,
        findings: &[Finding],
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        if findings.is_empty() {
            return writeln!(out, "{capture}: no findings");
        }
        writeln!(out, "{capture}: {} findings", findings.len())?;
        for found in findings {
            writeln!(out, "{}", finding(found))?;
        }
        Ok(())
    }

    fn counters(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()> {
        for (name, rows) in totals.messages.tables() {
            writeln!(out, "{name}:")?;
            for (row, count) in rows {
                writeln!(out, "  {row:<28} {count:>9}")?;
            }
        }
        Ok(())
    }

    fn summary(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()> {
        let wrong = match totals.messages.bad_signatures {
            0 => String::new(),
            count => format!(" {count} wrong signatures,"),
        };
        writeln!(
            out,
            "{} calls,{wrong} {} gaps; {} packets, {} connections, {} of them SMB, {} sessions, {}",
            totals.calls,
            totals.gaps,
            totals.packets,
            totals.connections,
            totals.smb_connections,
            totals.sessions,
            format_args!("{} s", clock(totals.span).trim()),
        )
    }
}

fn clock(time: Duration) -> String {
    format!("{:>10.3}", time.as_secs_f64())
}

/// Prints one lifecycle; the requests in the frames of `marked` are marked.
fn print(
    lifecycle: &Lifecycle,
    marked: &BTreeSet<u64>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(out, "{}", title(lifecycle))?;
    // The connection and protection of the call before, so that a change is said once.
    let mut before = String::new();
    for row in &lifecycle.rows {
        match &row.event {
            Event::Exchange(exchange) => {
                let now = context(exchange);
                if before != now {
                    writeln!(out, "  {now}")?;
                    before = now;
                }
                let frame = exchange.request_evidence.frames.first();
                let mark = match frame.is_some_and(|frame| marked.contains(frame)) {
                    true => '!',
                    false => ' ',
                };
                writeln!(out, "{mark}{}", call(exchange, row))?;
            }
            Event::Gap(found) => writeln!(out, " {}", gap(found))?,
            Event::BadSignature(found) => writeln!(out, "!{}", bad_signature(found))?,
        }
    }
    lifecycle
        .freeze
        .and_then(bar)
        .map_or(Ok(()), |bar| writeln!(out, "  freeze {bar}"))
}

fn title(lifecycle: &Lifecycle) -> String {
    let context = lifecycle.context.map_or(String::new(), |context| {
        format!(", {}", context_name(context))
    });
    let continued = match lifecycle.is_continued {
        true => ", continued",
        false => "",
    };
    match lifecycle.set {
        Some(set) => format!("shadow copy set {set}{context}{continued}"),
        None => format!("no shadow copy set{context}{continued}"),
    }
}

fn context_name(context: Context) -> String {
    context
        .name()
        .unwrap_or_else(|| format!("{:#010x}", context.0))
}

/// From Prepare over Commit to the answer of Expose, to scale: `p` before the commit, `#` during
/// it, `-` after it.
fn bar(freeze: Freeze) -> Option<String> {
    let (commit, committed) = (freeze.commit?, freeze.committed?);
    let begin = freeze.prepare.unwrap_or(commit).min(commit);
    let end = freeze.exposed.unwrap_or(committed).max(committed);
    let whole = end.saturating_sub(begin);
    let length = |part: Duration| {
        let whole = whole.as_nanos().max(1);
        let characters = (part.as_nanos() * BAR_LEN + whole / 2) / whole;
        usize::try_from(characters).unwrap_or(0)
    };
    let seconds = |part: Duration| format!("{:.3} s", part.as_secs_f64());
    let parts = [
        ("p", commit.saturating_sub(begin)),
        ("#", committed.saturating_sub(commit)),
        ("-", end.saturating_sub(committed)),
    ];
    let bar: Vec<String> = parts
        .iter()
        .map(|(letter, part)| letter.repeat(length(*part)))
        .collect();
    let mut words = Vec::new();
    if freeze.prepare.is_some() {
        words.push(format!("Prepare {}", seconds(parts[0].1)));
    }
    words.push(format!("Commit {}", seconds(parts[1].1)));
    words.push(match freeze.exposed {
        Some(_) => format!("to Expose {}", seconds(parts[2].1)),
        None => "not exposed".to_owned(),
    });
    Some(format!("|{}| {}", bar.join("|"), words.join(", ")))
}

/// The timer when the call came: how many seconds of how many were used. `~` stands before a
/// duration that is the specification's because the server's own is not known.
fn timer(moment: &Moment) -> String {
    match moment.timer {
        Countdown::Unknown => "?".to_owned(),
        Countdown::Stopped => "-".to_owned(),
        Countdown::Fired => "fired".to_owned(),
        Countdown::Running {
            used,
            limit,
            nominal,
        } => {
            let about = if nominal { "~" } else { "" };
            let (used, limit) = (used.as_secs_f64(), limit.as_secs_f64());
            match used {
                ..10.0 => format!("{used:.3}/{about}{limit}"),
                _ => format!("{used:.1}/{about}{limit}"),
            }
        }
    }
}

/// The set before and after.
fn standing(moment: &Moment) -> String {
    let (before, after) = (moment.before.to_string(), moment.after.to_string());
    match before == after {
        true => after,
        false => format!("{before} > {after}"),
    }
}

fn context(exchange: &Exchange) -> String {
    let auth = exchange.rpc_auth.map_or("unknown".to_owned(), rpc_auth);
    let dialect = exchange
        .dialect
        .map_or("SMB, dialect not seen".to_owned(), |d| {
            format!("SMB {}", dialect(d))
        });
    format!(
        "{} -> {}, stream {}: {dialect}, {}, RPC level {auth}, {}",
        exchange.link.client,
        exchange.link.server,
        exchange.link.stream,
        exchange.smb.name(),
        exchange.ndr,
    )
}

fn call(exchange: &Exchange, row: &Row) -> String {
    let arguments = match &exchange.request {
        Request::Call(Call::SetContext(request)) => context_name(request.context),
        Request::Call(call) => short(&request(call)),
        Request::Unreadable { error: None, .. } => "?".to_owned(),
        Request::Unreadable {
            error: Some(error), ..
        } => format!("? {error}"),
    };
    let answer = match &exchange.answer {
        Answer::Reply(reply) => {
            let status = reply.status();
            let name = status
                .name()
                .map_or_else(|| status.to_string(), str::to_owned);
            match short(&results(reply)).as_str() {
                "" => name,
                results if status.is_success() => format!("{name} {results}"),
                _ => name,
            }
        }
        Answer::Fault(status) => format!("fault {}", fault_text(*status)),
        Answer::Unreadable {
            error: Some(error), ..
        } => format!("unreadable reply: {error}"),
        Answer::Unreadable { error: None, .. } => "unreadable reply".to_owned(),
        Answer::Missing => "no reply seen".to_owned(),
    };
    let frame = exchange.request_evidence.frames.first().unwrap_or(&0);
    let time = clock(exchange.request_evidence.time);
    let method = method(exchange);
    let (timer, standing) = match &row.moment {
        Some(moment) => (timer(moment), standing(moment)),
        None => ("?".to_owned(), "?".to_owned()),
    };
    format!("{frame:>6} {time}  {timer:<13}  {standing:<21}  {method}({arguments}) = {answer}")
}

fn gap(gap: &Gap) -> String {
    let many = match gap.count {
        0 | 1 => String::new(),
        count => format!(", {count} times up to frame {}", gap.frames.1),
    };
    format!(
        "{:>6} {}  -- gap: {}, {}, {} bytes on stream {}{many}: {}",
        gap.frames.0,
        clock(gap.time),
        gap.direction,
        gap.layer.name(),
        gap.length_bytes,
        gap.link.stream,
        gap.reason,
    )
}

fn bad_signature(found: &BadSignature) -> String {
    format!(
        "{:>6} {}  -- finding: the {}'s signature over a {} on stream {} is wrong ({})",
        found.evidence.frames.first().unwrap_or(&0),
        clock(found.evidence.time),
        sender(found.direction),
        found.signed,
        found.link.stream,
        found.signed.section(),
    )
}

fn finding(found: &Finding) -> String {
    let by = match found.by {
        Role::Server => "server",
        Role::Client => "client",
    };
    let times = match found.times {
        1 => String::new(),
        times => format!(", {times} times"),
    };
    format!(
        "{:>6} {}  {by} broke {} ({}, section {}) on stream {}{times}\n{:>20}expected: {}\n{:>20}seen:     {}",
        found.frames.first().unwrap_or(&0),
        clock(found.time),
        found.requirement,
        found.level,
        found.section,
        found.stream,
        "",
        found.expected,
        "",
        found.seen,
    )
}

/// What a reply brings that its request did not.
fn results(reply: &Reply) -> Value {
    match (reply, response(reply)) {
        (Reply::GetShareMapping(_), Value::Object(mut fields)) => {
            if let Some(Value::Object(mapping)) = fields.values_mut().next() {
                mapping.retain(|name, _| name != "ShadowCopySetId" && name != "ShadowCopyId");
            }
            Value::Object(fields)
        }
        (_, results) => results,
    }
}

/// Values in short: ids by their first group, strings in quotes, nested objects without names.
fn short(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields.values().map(short).collect::<Vec<_>>().join(", "),
        Value::String(text) => match text.split_once('-') {
            Some((first, _)) if text.len() == 36 && first.len() == 8 => first.to_owned(),
            _ => format!("\"{}\"", short_name(text)),
        },
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

/// The name of an exposed share, whose id says by its first group which one it is.
fn short_name(text: &str) -> String {
    let id = text.split_once("@{").and_then(|(base, rest)| {
        let (id, rest) = rest.split_at_checked(36)?;
        let first = id.get(..8).filter(|_| uuid::Uuid::try_parse(id).is_ok())?;
        Some(format!("{base}@{{{first}..{rest}"))
    });
    id.unwrap_or_else(|| text.to_owned())
}
