//! One JSON object a line.

use super::{Printer, Totals, listing};
use crate::flow::{Answer, BadSignature, Direction, Event, Exchange, Gap, Listed, Request};
use crate::oracle::requirement_of;
use crate::outcome::Finding;
use crate::requirement::{Level, Role};
use fsrvp_wire::fsrvp::{Call, Reply};
use fsrvp_wire::ndr::WideString;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// Prints JSON lines.
#[derive(Default)]
pub(super) struct Json {
    capture: String,
    calls: u64,
}

impl Printer for Json {
    fn event(&mut self, capture: &str, event: &Event, out: &mut dyn Write) -> std::io::Result<()> {
        if self.capture != capture {
            capture.clone_into(&mut self.capture);
            self.calls = 0;
        }
        let line = match event {
            Event::Exchange(exchange) => {
                self.calls += 1;
                call(capture, self.calls, exchange)
            }
            Event::Gap(found) => gap(capture, found),
            Event::BadSignature(found) => bad_signature(capture, found),
        };
        writeln!(out, "{line}")
    }

    fn listed(
        &mut self,
        capture: &str,
        listed: &Listed,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        writeln!(out, "{}", listing::json(capture, listed))
    }

    fn findings(
        &mut self,
        capture: &str,
        findings: &[Finding],
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        for found in findings {
            writeln!(out, "{}", finding(capture, found))?;
        }
        Ok(())
    }

    fn counters(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()> {
        let mut line = Map::new();
        line.insert("type".to_owned(), "messages".into());
        for (name, rows) in totals.messages.tables() {
            let rows = rows
                .iter()
                .map(|(row, count)| ((*row).to_owned(), Value::from(*count)))
                .collect();
            line.insert(name.to_owned(), Value::Object(rows));
        }
        writeln!(out, "{}", Value::Object(line))
    }

    fn summary(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()> {
        let line = json!({
            "type": "summary",
            "captures": totals.captures,
            "packets": totals.packets,
            "unread_packets": totals.unread_packets,
            "bytes": totals.bytes,
            "connections": totals.connections,
            "smb_connections": totals.smb_connections,
            "sessions": totals.sessions,
            "calls": totals.calls,
            "gaps": totals.gaps,
            "findings": totals.messages.bad_signatures + totals.findings,
            "seconds": seconds(totals.span),
        });
        writeln!(out, "{line}")
    }
}

/// The name of a dialect, such as `3.1.1`.
pub(super) fn dialect(revision: u16) -> String {
    match revision {
        0x0202 => "2.0.2".to_owned(),
        0x0210 => "2.1".to_owned(),
        0x0300 => "3.0".to_owned(),
        0x0302 => "3.0.2".to_owned(),
        0x0311 => "3.1.1".to_owned(),
        other => format!("{other:#06x}"),
    }
}

/// MS-RPCE 2.2.1.1.8: the name of an authentication level.
pub(super) fn rpc_auth(level: u8) -> String {
    match level {
        0 | 1 => "none".to_owned(),
        2 => "connect".to_owned(),
        3 => "call".to_owned(),
        4 => "packet".to_owned(),
        5 => "integrity".to_owned(),
        6 => "privacy".to_owned(),
        other => format!("level{other}"),
    }
}

/// The name of a method, or `opnum13` for one without a name.
pub(super) fn method(exchange: &Exchange) -> String {
    match exchange.opnum.name() {
        Some(name) => name.to_owned(),
        None => format!("opnum{}", exchange.opnum.0),
    }
}

fn call(capture: &str, n: u64, exchange: &Exchange) -> Value {
    let (request, request_error) = match &exchange.request {
        Request::Call(call) => (request(call), Value::Null),
        Request::Unreadable { error, .. } => (Value::Null, text(error.as_ref())),
    };
    let status = match &exchange.answer {
        Answer::Reply(reply) => Some(reply.status()),
        _ => None,
    };
    let fault = match exchange.answer {
        Answer::Fault(status) => Value::from(format!("{status:#010x}")),
        _ => Value::Null,
    };
    let (response, response_error) = match &exchange.answer {
        Answer::Reply(reply) => (response(reply), Value::Null),
        Answer::Unreadable { error, .. } => (Value::Null, text(error.as_ref())),
        Answer::Fault(_) | Answer::Missing => (Value::Null, Value::Null),
    };
    let mut line = json!({
        "type": "call",
        "capture": capture,
        "n": n,
        "time_s": seconds(exchange.request_evidence.time),
        "stream": exchange.link.stream,
        "client": exchange.link.client.to_string(),
        "server": exchange.link.server.to_string(),
        "dialect": exchange.dialect.map(dialect),
        "smb": exchange.smb.name(),
        "rpc_auth": exchange.rpc_auth.map(rpc_auth),
        "ndr": exchange.ndr,
        "call_id": exchange.call_id,
        "opnum": exchange.opnum.0,
        "method": method(exchange),
        "request": request,
        "response": response,
        "status": text(status),
        "status_name": status.and_then(|status| status.name()),
        "fault": fault,
        "request_frames": exchange.request_evidence.frames,
        "response_frames": exchange.answer_evidence.frames,
    });
    for (name, error) in [
        ("request_error", request_error),
        ("response_error", response_error),
    ] {
        if let (false, Value::Object(fields)) = (error.is_null(), &mut line) {
            fields.insert(name.to_owned(), error);
        }
    }
    line
}

fn gap(capture: &str, gap: &Gap) -> Value {
    json!({
        "type": "gap",
        "capture": capture,
        "time_s": seconds(gap.time),
        "stream": gap.link.stream,
        "client": gap.link.client.to_string(),
        "server": gap.link.server.to_string(),
        "frame": gap.frames.0,
        "last_frame": gap.frames.1,
        "direction": gap.direction.to_string(),
        "layer": gap.layer.name(),
        "reason": gap.reason.to_string(),
        "offset": gap.offset_bytes,
        "bytes": gap.length_bytes,
        "count": gap.count,
    })
}

/// The role of who sent something.
pub(super) fn role(direction: Direction) -> Role {
    match direction {
        Direction::ClientToServer => Role::Client,
        Direction::ServerToClient => Role::Server,
    }
}

fn bad_signature(capture: &str, found: &BadSignature) -> Value {
    json!({
        "type": "finding",
        "capture": capture,
        "time_s": seconds(found.evidence.time),
        "stream": found.link.stream,
        "client": found.link.client.to_string(),
        "server": found.link.server.to_string(),
        "requirement": requirement_of(found.signed, role(found.direction)),
        "section": found.signed.section(),
        "level": Level::Must,
        "by": role(found.direction),
        "expected": format!("a signature over the {} by the key of its session", found.signed),
        "seen": "another one",
        "frames": found.evidence.frames,
    })
}

/// What a peer did against the specification.
fn finding(capture: &str, found: &Finding) -> Value {
    json!({
        "type": "finding",
        "capture": capture,
        "time_s": seconds(found.time),
        "stream": found.stream,
        "client": found.client.to_string(),
        "server": found.server.to_string(),
        "requirement": found.requirement,
        "section": found.section,
        "level": found.level,
        "by": found.by,
        "expected": found.expected,
        "seen": found.seen,
        "times": found.times,
        "frames": found.frames,
    })
}

/// Seconds to the nanosecond.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn text(value: Option<impl Display>) -> Value {
    value.map_or(Value::Null, |value| value.to_string().into())
}

fn string(value: &WideString) -> Value {
    value.text().into()
}

fn optional(value: Option<&WideString>) -> Value {
    value.map_or(Value::Null, string)
}

/// The parameters of a request, by the specification's names.
pub(super) fn request(call: &Call) -> Value {
    let id = |id: &dyn Display| Value::from(id.to_string());
    match call {
        Call::GetSupportedVersion(_) => json!({}),
        Call::SetContext(r) => json!({"Context": r.context.0}),
        Call::StartShadowCopySet(r) => {
            json!({"ClientShadowCopySetId": id(&r.client_shadow_copy_set_id)})
        }
        Call::AddToShadowCopySet(r) => json!({
            "ClientShadowCopyId": id(&r.client_shadow_copy_id),
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "ShareName": string(&r.share_name),
        }),
        Call::CommitShadowCopySet(r) => json!({
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "TimeOutInMilliseconds": r.timeout_ms,
        }),
        Call::ExposeShadowCopySet(r) => json!({
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "TimeOutInMilliseconds": r.timeout_ms,
        }),
        Call::RecoveryCompleteShadowCopySet(r) => {
            json!({"ShadowCopySetId": id(&r.shadow_copy_set_id)})
        }
        Call::AbortShadowCopySet(r) => json!({"ShadowCopySetId": id(&r.shadow_copy_set_id)}),
        Call::IsPathSupported(r) => json!({"ShareName": string(&r.share_name)}),
        Call::IsPathShadowCopied(r) => json!({"ShareName": string(&r.share_name)}),
        Call::GetShareMapping(r) => json!({
            "ShadowCopyId": id(&r.shadow_copy_id),
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "ShareName": string(&r.share_name),
            "Level": r.level,
        }),
        Call::DeleteShareMapping(r) => json!({
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "ShadowCopyId": id(&r.shadow_copy_id),
            "ShareName": string(&r.share_name),
        }),
        Call::PrepareShadowCopySet(r) => json!({
            "ShadowCopySetId": id(&r.shadow_copy_set_id),
            "TimeOutInMilliseconds": r.timeout_ms,
        }),
    }
}

/// The results of a reply without its return value, by the specification's names.
pub(super) fn response(reply: &Reply) -> Value {
    let id = |id: &dyn Display| Value::from(id.to_string());
    match reply {
        Reply::GetSupportedVersion(r) => json!({
            "MinVersion": r.min_version,
            "MaxVersion": r.max_version,
        }),
        Reply::StartShadowCopySet(r) => json!({"ShadowCopySetId": id(&r.shadow_copy_set_id)}),
        Reply::AddToShadowCopySet(r) => json!({"ShadowCopyId": id(&r.shadow_copy_id)}),
        Reply::IsPathSupported(r) => json!({
            "SupportedByThisProvider": r.supported_by_this_provider,
            "OwnerMachineName": optional(r.owner_machine_name.as_ref()),
        }),
        Reply::IsPathShadowCopied(r) => json!({
            "ShadowCopyPresent": r.shadow_copy_present,
            "ShadowCopyCompatibility": r.shadow_copy_compatibility,
        }),
        Reply::GetShareMapping(r) => {
            let mapping = r.share_mapping.mapping.as_ref().map(|mapping| {
                json!({
                    "ShadowCopySetId": id(&mapping.shadow_copy_set_id),
                    "ShadowCopyId": id(&mapping.shadow_copy_id),
                    "ShareNameUNC": optional(mapping.share_name_unc.as_ref()),
                    "ShadowCopyShareName": optional(mapping.shadow_copy_share_name.as_ref()),
                    "CreationTimestamp": mapping.creation_timestamp,
                })
            });
            json!({"ShareMapping": mapping})
        }
        Reply::SetContext(_)
        | Reply::CommitShadowCopySet(_)
        | Reply::ExposeShadowCopySet(_)
        | Reply::RecoveryCompleteShadowCopySet(_)
        | Reply::AbortShadowCopySet(_)
        | Reply::DeleteShareMapping(_)
        | Reply::PrepareShadowCopySet(_) => json!({}),
    }
}
