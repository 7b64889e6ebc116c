//! One line a call, for people.

use super::json::{dialect, method, request, response, rpc_auth, sender};
use super::{Printer, Totals};
use crate::flow::{Answer, BadSignature, Event, Exchange, Gap, Request};
use crate::outcome::Finding;
use crate::requirement::Role;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// Prints lines of text.
#[derive(Default)]
pub(super) struct Text {
    capture: String,
    /// The connection and protection of the call before, so that a change is said once.
    context: String,
}

impl Printer for Text {
    fn event(&mut self, capture: &str, event: &Event, out: &mut dyn Write) -> std::io::Result<()> {
        if self.capture != capture {
            writeln!(out, "{capture}")?;
            capture.clone_into(&mut self.capture);
            self.context.clear();
        }
        match event {
            Event::Exchange(exchange) => {
                let context = context(exchange);
                if self.context != context {
                    writeln!(out, "  {context}")?;
                    self.context = context;
                }
                writeln!(out, "  {}", call(exchange))
            }
            Event::Gap(found) => writeln!(out, "  {}", gap(found)),
            Event::BadSignature(found) => writeln!(out, "  {}", bad_signature(found)),
        }
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
            clock(totals.span).trim(),
        )
    }
}

fn clock(time: Duration) -> String {
    format!("{:>10.3}s", time.as_secs_f64())
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

fn call(exchange: &Exchange) -> String {
    let arguments = match &exchange.request {
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
            match short(&response(reply)).as_str() {
                "" => name,
                results if status.is_success() => format!("{name} {results}"),
                _ => name,
            }
        }
        Answer::Fault(status) => format!("fault {status:#010x}"),
        Answer::Unreadable {
            error: Some(error), ..
        } => format!("unreadable reply: {error}"),
        Answer::Unreadable { error: None, .. } => "unreadable reply".to_owned(),
        Answer::Missing => "no reply seen".to_owned(),
    };
    let frame = exchange.request_evidence.frames.first().unwrap_or(&0);
    let time = clock(exchange.request_evidence.time);
    let method = method(exchange);
    format!("{frame:>6} {time}  {method}({arguments}) = {answer}")
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

/// Values in short: ids by their first group, strings in quotes, nested objects without names.
fn short(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields.values().map(short).collect::<Vec<_>>().join(", "),
        Value::String(text) => match text.split_once('-') {
            Some((first, _)) if text.len() == 36 && first.len() == 8 => first.to_owned(),
            _ => format!("\"{text}\""),
        },
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}
