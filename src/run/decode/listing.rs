//! `--all`: every SMB2 and RPC exchange, a line each.

use super::table::{self, Cells, words_of};
use crate::case::fault_text;
use crate::flow::{Evidence, Listed, Part, RpcExchange, Smb2Exchange};
use fsrvp_wire::rpce::PType;
use fsrvp_wire::smb2::Command;
use serde_json::{Map, Value, json};

/// An exchange as a JSON object.
pub(super) fn json(capture: &str, listed: &Listed) -> Value {
    let (kind, link, specific) = match listed {
        Listed::Smb2(exchange) => ("smb2", &exchange.link, smb2_json(exchange)),
        Listed::Rpc(exchange) => ("rpc", &exchange.link, rpc_json(exchange)),
    };
    let (request, response) = sides(listed);
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put("type", kind.into());
    put("capture", capture.into());
    put("time_s", began(listed).time.as_secs_f64().into());
    put("stream", link.stream.into());
    put("client", link.client.to_string().into());
    put("server", link.server.to_string().into());
    if let Value::Object(specific) = specific {
        for (name, value) in specific {
            put(&name, value);
        }
    }
    put("request_frames", frames(request));
    put("response_frames", frames(response));
    put("request_bytes", length(request));
    put("response_bytes", length(response));
    Value::Object(line)
}

fn smb2_json(exchange: &Smb2Exchange) -> Value {
    json!({
        "command": command(exchange.command),
        "message_id": exchange.message_id,
        "session_id": wire_order(exchange.session_id),
        "tree_id": exchange.tree_id,
        "smb": exchange.protection.name(),
        "name": exchange.name,
        "status": exchange.status.map(|status| format!("{:#010x}", status.0)),
        "status_name": exchange.status.and_then(|status| status.name()),
    })
}

/// The bytes of a session id as they travel, as keys files have them.
fn wire_order(session_id: u64) -> String {
    let bytes = session_id.to_le_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rpc_json(exchange: &RpcExchange) -> Value {
    let interfaces = exchange.interfaces.iter().map(ToString::to_string);
    json!({
        "pipe": exchange.pipe,
        "call_id": exchange.call_id,
        "packet": exchange.packet.map(packet),
        "answer": exchange.answer.map(packet),
        "interfaces": interfaces.collect::<Vec<_>>(),
        "context_id": exchange.context_id,
        "opnum": exchange.opnum,
        "fault": exchange.fault.map(|status| format!("{status:#010x}")),
    })
}

/// An exchange as lines of text.
pub(super) fn text(listed: &Listed) -> String {
    let words = match listed {
        Listed::Smb2(exchange) => smb2_words(exchange),
        Listed::Rpc(exchange) => rpc_words(exchange),
    };
    let (request, response) = sides(listed);
    let bytes = |part: Option<&Part>| {
        part.map_or_else(|| "?".to_owned(), |part| part.length_bytes.to_string())
    };
    let words = format!("{words}, {} > {} bytes", bytes(request), bytes(response));
    let evidence = began(listed);
    table::row(&Cells {
        frame: evidence.frames.first().copied(),
        time: evidence.time,
        marked: false,
        pieces: &words_of(&words),
        state: "",
        timer: "",
    })
}

fn smb2_words(exchange: &Smb2Exchange) -> String {
    let name = exchange.name.as_ref().map_or(String::new(), |name| {
        format!(" {}", super::words::quoted(name))
    });
    let status = match exchange.status {
        Some(status) => status
            .name()
            .map_or_else(|| format!("{:#010x}", status.0), str::to_owned),
        // MS-SMB2 3.3.5.16: nobody answers a CANCEL.
        None if exchange.command == Command::CANCEL => "(no response)".to_owned(),
        None => "no response seen".to_owned(),
    };
    let stream = exchange.link.stream;
    let command = command(exchange.command);
    format!("stream {stream}: {command}{name} = {status}")
}

fn rpc_words(exchange: &RpcExchange) -> String {
    let asked = exchange
        .packet
        .map_or_else(|| "request not seen".to_owned(), packet);
    let mut words = format!("stream {}: rpc {asked}", exchange.link.stream);
    if let Some(pipe) = &exchange.pipe {
        words.push_str(&format!(" on {}", super::words::quoted(pipe)));
    }
    for interface in &exchange.interfaces {
        words.push_str(&format!(" {interface}"));
    }
    if let Some(opnum) = exchange.opnum {
        words.push_str(&format!(" opnum {opnum}"));
    }
    match (exchange.answer, exchange.fault) {
        (_, Some(fault)) => words.push_str(&format!(" = fault {}", fault_text(fault))),
        (Some(answer), None) => words.push_str(&format!(" = {}", packet(answer))),
        (None, None) => {}
    }
    words
}

fn command(command: Command) -> String {
    command
        .name()
        .map_or_else(|| format!("{:#06x}", command.0), str::to_owned)
}

fn packet(packet: PType) -> String {
    packet
        .name()
        .map_or_else(|| format!("type {}", packet.0), str::to_lowercase)
}

fn sides(listed: &Listed) -> (Option<&Part>, Option<&Part>) {
    match listed {
        Listed::Smb2(exchange) => (exchange.request.as_ref(), exchange.response.as_ref()),
        Listed::Rpc(exchange) => (exchange.request.as_ref(), exchange.response.as_ref()),
    }
}

/// What brought the first part of it that was seen.
fn began(listed: &Listed) -> Evidence {
    let (request, response) = sides(listed);
    request
        .or(response)
        .map(|part| part.evidence.clone())
        .unwrap_or_default()
}

fn frames(part: Option<&Part>) -> Value {
    part.map_or_else(
        || Value::Array(Vec::new()),
        |part| part.evidence.frames.clone().into(),
    )
}

fn length(part: Option<&Part>) -> Value {
    part.map_or(Value::Null, |part| part.length_bytes.into())
}
