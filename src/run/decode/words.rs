//! Calls, answers, holes and losses in words, as pieces of lines.

use super::json::{dialect, method, request, response, role, rpc_auth};
use super::table::{shortened, words_of};
use crate::case::fault_text;
use crate::flow::{Answer, BadSignature, Exchange, Gap, Request};
use crate::oracle::{Countdown, Loss, LossCause, Moment, requirement_of};
use fsrvp_wire::fsrvp::{Call, Context, Reply};
use serde_json::Value;
use std::time::Duration;

/// How long a string of a message may be in a timeline; the table shortens what is still too long
/// for a line.
const STRING_MAX: usize = 400;

/// The connection of a call, and how it was protected.
pub(super) fn connection(exchange: &Exchange) -> String {
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

/// A call and its answer, in pieces that are not broken.
pub(super) fn call(exchange: &Exchange) -> Vec<String> {
    let (mut arguments, problem) = match &exchange.request {
        Request::Call(call) => (arguments(call), None),
        Request::Unreadable { error, .. } => (vec!["?".to_owned()], error.as_ref()),
    };
    let mut pieces = vec![format!("{}(", method(exchange))];
    let last = arguments.pop();
    for (index, argument) in arguments.iter().enumerate() {
        append(&mut pieces, index == 0, &format!("{argument},"));
    }
    append(
        &mut pieces,
        arguments.is_empty(),
        &format!("{})", last.unwrap_or_default()),
    );
    pieces.extend(answer(exchange));
    if let Some(problem) = problem {
        pieces.extend(words_of(&format!("; {problem}")));
    }
    pieces
}

/// The first argument stands right behind the name, unless it is a long one.
fn append(pieces: &mut Vec<String>, first: bool, argument: &str) {
    const SHORT: usize = 12;
    match pieces.last_mut() {
        Some(name) if first && argument.len() <= SHORT => name.push_str(argument),
        _ if first => pieces.push(argument.to_owned()),
        _ => pieces.push(format!(" {argument}")),
    }
}

fn answer(exchange: &Exchange) -> Vec<String> {
    let words = match &exchange.answer {
        Answer::Reply(reply) => {
            let status = reply.status();
            let name = status
                .name()
                .map_or_else(|| status.to_string(), str::to_owned);
            let mut pieces = vec![format!(" = {name}")];
            if status.is_success() {
                let results = results(&exchange.request, reply);
                let last = results.len().saturating_sub(1);
                pieces.extend(results.iter().enumerate().map(|(index, result)| {
                    let comma = if index == last { "" } else { "," };
                    format!(" {result}{comma}")
                }));
            }
            return pieces;
        }
        Answer::Fault(status) => format!("fault {}", fault_text(*status)),
        Answer::Unreadable {
            error: Some(error), ..
        } => format!("unreadable reply: {error}"),
        Answer::Unreadable { error: None, .. } => "unreadable reply".to_owned(),
        Answer::Missing => "no reply seen".to_owned(),
    };
    let words = words.split(' ').enumerate();
    words
        .map(|(index, word)| match index {
            0 => format!(" = {word}"),
            _ => format!(" {word}"),
        })
        .collect()
}

/// The arguments in the order of the message.
fn arguments(call: &Call) -> Vec<String> {
    match call {
        Call::SetContext(request) => vec![context(request.context)],
        _ => values(&request(call)),
    }
}

/// The results; of a mapping, the two ids only where they are not those of the request.
fn results(request: &Request, reply: &Reply) -> Vec<String> {
    let (Reply::GetShareMapping(reply), Request::Call(Call::GetShareMapping(asked))) =
        (reply, request)
    else {
        return values(&response(reply));
    };
    let Some(mapping) = &reply.share_mapping.mapping else {
        return vec!["NULL".to_owned()];
    };
    let same = mapping.shadow_copy_set_id == asked.shadow_copy_set_id
        && mapping.shadow_copy_id == asked.shadow_copy_id;
    let mut words = match same {
        true => Vec::new(),
        false => vec![
            short_id(&mapping.shadow_copy_set_id.to_string()),
            short_id(&mapping.shadow_copy_id.to_string()),
        ],
    };
    for name in [&mapping.share_name_unc, &mapping.shadow_copy_share_name] {
        let name = name.as_ref();
        words.push(name.map_or("NULL".to_owned(), |name| quoted(&name.text())));
    }
    words.push(file_time(mapping.creation_timestamp));
    words
}

/// MS-FSRVP 2.2.2.1 and 2.2.2.2: a context by name; one that is not valid by its attributes.
pub(super) fn context(context: Context) -> String {
    const ATTRIBUTES: [(&str, u32); 6] = [
        ("ATTR_PERSISTENT", Context::ATTR_PERSISTENT),
        ("ATTR_NO_AUTO_RECOVERY", Context::ATTR_NO_AUTO_RECOVERY),
        ("ATTR_NO_AUTO_RELEASE", Context::ATTR_NO_AUTO_RELEASE),
        ("ATTR_NO_WRITERS", Context::ATTR_NO_WRITERS),
        ("ATTR_AUTO_RECOVERY", Context::ATTR_AUTO_RECOVERY),
        ("ATTR_FILE_SHARE", Context::ATTR_FILE_SHARE),
    ];
    if let Some(name) = context.name() {
        return name;
    }
    let mut rest = context.0;
    let mut words = Vec::new();
    for (name, bit) in ATTRIBUTES {
        if context.0 & bit != 0 {
            words.push(name.to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        words.push(format!("{rest:#010x}"));
    }
    words.join("|")
}

/// Values in short: ids by their first group, strings in quotes, nested objects without names.
fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields.values().flat_map(values).collect(),
        Value::String(text) => match text.split_once('-') {
            Some((first, _)) if text.len() == 36 && first.len() == 8 => vec![first.to_owned()],
            _ => vec![quoted(text)],
        },
        Value::Null => vec!["NULL".to_owned()],
        other => vec![other.to_string()],
    }
}

fn short_id(id: &str) -> String {
    id.split('-').next().unwrap_or_default().to_owned()
}

/// A string of a peer: what would move the cursor is shown as its number.
pub(super) fn quoted(text: &str) -> String {
    let shortened = shortened(text, STRING_MAX);
    let mut shown = String::from("\"");
    for c in shortened.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

/// MS-FSRVP 2.2.1.1: a time in units of 100 ns since 1601, as one of today's calendar, in UTC.
fn file_time(time: i64) -> String {
    const PER_SECOND: i64 = 10_000_000;
    const DAY: i64 = 86_400;
    let seconds = time.div_euclid(PER_SECOND);
    let milliseconds = time.rem_euclid(PER_SECOND) / 10_000;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years of 400 repeat; 1601 begins one of them. Counted from March, leap days come last.
    let days = days + 306;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month {
        0..=9 => (month + 3, year),
        _ => (month - 9, year + 1),
    };
    format!(
        "{:04}-{month:02}-{day_of_month:02}T{:02}:{:02}:{:02}.{milliseconds:03}Z",
        1600 + era * 400 + year,
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

/// The set before and after a call.
pub(super) fn standing(moment: &Moment) -> String {
    let (before, after) = (moment.before.to_string(), moment.after.to_string());
    match before == after {
        true => after,
        false => format!("{before} > {after}"),
    }
}

/// The timer when the call came: how many seconds of how many were used. `~` stands before a
/// duration that is the specification's because the server's own is not known.
pub(super) fn timer(timer: Countdown) -> String {
    match timer {
        Countdown::Unknown => "?".to_owned(),
        Countdown::Stopped => "-".to_owned(),
        Countdown::Fired => "fired".to_owned(),
        Countdown::Running {
            used,
            limit,
            nominal: true,
        } => format!("{}/~{}", seconds(used), limit.as_secs_f64()),
        Countdown::Running {
            used,
            limit,
            nominal: false,
        } => {
            let hundredth = limit.as_millis().max(1);
            let percent = used.as_millis().saturating_mul(100) / hundredth;
            format!("{}/{} {percent}%", seconds(used), limit.as_secs_f64())
        }
    }
}

/// Seconds in at most five characters, as long as they are less than a day.
fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0..10 => format!("{seconds:.3}"),
        10..100 => format!("{seconds:.1}"),
        _ => format!("{seconds:.0}"),
    }
}

/// Why the server let go of a set, and the change of its state.
pub(super) fn loss(loss: &Loss) -> (String, String) {
    let (words, after) = match loss.cause {
        LossCause::Expired { started_by, limit } => (
            format!(
                "-- the timer that {started_by} started ran out after {} s",
                limit.as_secs_f64()
            ),
            "expired",
        ),
        LossCause::Dropped => ("-- SetContext was called again".to_owned(), "dropped"),
    };
    (words, format!("{} > {after}", loss.was))
}

pub(super) fn gap(gap: &Gap) -> String {
    let many = match gap.count {
        0 | 1 => String::new(),
        count => format!(", {count} times up to frame {}", gap.frames.1),
    };
    format!(
        "-- gap: {}, {}, {} bytes on stream {}{many}: {}",
        gap.direction,
        gap.layer.name(),
        gap.length_bytes,
        gap.link.stream,
        gap.reason,
    )
}

pub(super) fn bad_signature(found: &BadSignature) -> String {
    let by = role(found.direction);
    format!(
        "-- finding: the {}'s signature over a {} on stream {} is wrong ({})",
        by,
        found.signed,
        found.link.stream,
        requirement_of(found.signed, by),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(file_time(0), "1601-01-01T00:00:00.000Z");
        // 11,644,473,600 s later begins 1970.
        assert_eq!(
            file_time(116_444_736_000_000_000),
            "1970-01-01T00:00:00.000Z"
        );
        let leap = 116_444_736_000_000_000 + 951_782_400 * 10_000_000 + 1_230_000;
        assert_eq!(file_time(leap), "2000-02-29T00:00:00.123Z");
        assert_eq!(file_time(-10_000), "1600-12-31T23:59:59.999Z");
    }

    #[test]
    fn contexts_have_names_also_where_they_are_not_valid() {
        assert_eq!(
            context(Context(0x0040_0010)),
            "CTX_FILE_SHARE_BACKUP|ATTR_AUTO_RECOVERY"
        );
        assert_eq!(
            context(Context(0x8000_0003)),
            "ATTR_PERSISTENT|ATTR_NO_AUTO_RECOVERY|0x80000000"
        );
    }

    #[test]
    fn a_timer_shows_how_much_of_it_was_used() {
        let used = |nominal| Countdown::Running {
            used: Duration::from_millis(90_040),
            limit: Duration::from_secs(180),
            nominal,
        };
        assert_eq!(timer(used(true)), "90.0/~180");
        assert_eq!(timer(used(false)), "90.0/180 50%");
        assert_eq!(timer(Countdown::Stopped), "-");
    }
}
