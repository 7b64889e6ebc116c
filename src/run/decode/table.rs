//! The columns of a timeline: what stands where, and where it is broken.

use std::fmt::Write as _;
use std::time::Duration;

/// How wide a line may be.
const WIDTH: usize = 100;

/// Where a call begins: behind its frame and its time.
const INDENT: usize = 18;

/// How wide the columns of the call, the state and the timer are, with a space between them.
const CALL: usize = 46;
const STATE: usize = 20;

/// How far the second line of a call is moved in.
const HANGING: &str = "  ";

/// The cells of a line.
pub(super) struct Cells<'a> {
    /// None for what has no frame of its own.
    pub(super) frame: Option<u64>,
    pub(super) time: Duration,
    /// Whether a `!` stands before the call.
    pub(super) marked: bool,
    /// What is not broken; each with the space before it.
    pub(super) pieces: &'a [String],
    pub(super) state: &'a str,
    pub(super) timer: &'a str,
}

/// The heading of the columns.
pub(super) fn headings() -> String {
    let call = pad("call", CALL);
    let state = pad("state", STATE);
    format!("{:>6} {:>9}  {call} {state} timer, s\n", "frame", "time, s")
}

/// The lines of a row, each with its end.
pub(super) fn row(cells: &Cells<'_>) -> String {
    let states = broken_state(cells.state);
    let full = WIDTH - INDENT;
    let beside = match (cells.state, cells.timer) {
        ("", "") => 0,
        _ => states.len(),
    };
    let calls = fill(cells.pieces, |line| match line < beside {
        true => CALL,
        false => full,
    });
    let frame = cells.frame.map_or(String::new(), |frame| frame.to_string());
    let mark = if cells.marked { '!' } else { ' ' };
    let mut out = String::new();
    for line in 0..calls.len().max(beside) {
        let left = match line {
            0 => format!("{frame:>6} {:>9.3} {mark}", cells.time.as_secs_f64()),
            _ => " ".repeat(INDENT),
        };
        let call = calls.get(line).map_or("", String::as_str);
        let state = states.get(line).map_or("", String::as_str);
        let timer = match line {
            0 => cells.timer,
            _ => "",
        };
        let text = match line < beside {
            true => format!("{left}{} {} {timer}", pad(call, CALL), pad(state, STATE)),
            false => format!("{left}{call}"),
        };
        let _ = writeln!(out, "{}", text.trim_end());
    }
    out
}

/// Words over the whole width.
pub(super) fn paragraph(words: &str) -> String {
    let lines = fill(&words_of(words), |_| WIDTH - HANGING.len());
    let lines = lines.iter().map(|line| format!("{HANGING}{line}\n"));
    lines.collect()
}

/// Words over the whole width, from its first column on.
pub(super) fn headline(words: &str) -> String {
    let lines = fill(&words_of(words), |_| WIDTH);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The pieces of a text that is broken at spaces.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let words = text.split(' ').enumerate();
    words
        .map(|(index, word)| match index {
            0 => word.to_owned(),
            _ => format!(" {word}"),
        })
        .collect()
}

/// A state change broken where it does not fit its column.
fn broken_state(state: &str) -> Vec<String> {
    if state.chars().count() <= STATE {
        return vec![state.to_owned()];
    }
    let (before, after) = match state.split_once(" > ") {
        Some((before, after)) => (before, Some(format!(" > {after}"))),
        None => (state, None),
    };
    let pieces: Vec<String> = before
        .split_inclusive('/')
        .map(str::to_owned)
        .chain(after)
        .collect();
    let width = |line| match line {
        0 => STATE,
        // The last column is free there.
        _ => WIDTH - INDENT - CALL - 1,
    };
    fill(&pieces, width)
}

/// Puts pieces on lines of the widths given by number; one that is longer than a line is shortened
/// in its middle.
fn fill(pieces: &[String], width: impl Fn(usize) -> usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for piece in pieces {
        let room = width(lines.len());
        let fits = line.chars().count() + piece.chars().count() <= room;
        if !fits && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            line.push_str(HANGING);
            let room = width(lines.len()).saturating_sub(HANGING.len());
            line.push_str(&shortened(piece.trim_start(), room));
        } else {
            line.push_str(&shortened(piece, room));
        }
    }
    lines.push(line);
    lines
}

/// A text of at most `max` characters; what is too long loses its middle.
pub(super) fn shortened(text: &str, max: usize) -> String {
    const LOST: &str = "...";
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let kept = max.saturating_sub(LOST.len());
    let head = kept.div_ceil(2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - (kept - head)).collect();
    format!("{start}{LOST}{end}")
}

fn pad(text: &str, width: usize) -> String {
    let count = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str], state: &str, timer: &str) -> Vec<String> {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let row = row(&Cells {
            frame: Some(28),
            time: Duration::from_millis(15),
            marked: false,
            pieces: &pieces,
            state,
            timer,
        });
        assert!(
            row.lines().all(|line| line.chars().count() <= WIDTH),
            "{row}"
        );
        row.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_fits_stands_on_one_line() {
        let line = lines(&["Abort(d52539a5)", " = ZERO"], "Added > aborted", "1.500");
        let call = "Abort(d52539a5) = ZERO                        ";
        let state = "Added > aborted     ";
        assert_eq!(line, [format!("    28     0.015  {call} {state} 1.500")]);
    }

    #[test]
    fn a_long_call_goes_on_below_and_so_does_a_long_state() {
        let found = lines(
            &[
                "AddToShadowCopySet(e2c87743,",
                " d52539a5,",
                " \"share\")",
                " = ZERO",
            ],
            "none/CreationInProgress > Committed",
            "?",
        );
        let call = "AddToShadowCopySet(e2c87743, d52539a5,        ";
        let rest = "  \"share\") = ZERO                             ";
        let indent = " ".repeat(INDENT);
        assert_eq!(
            found,
            [
                format!("    28     0.015  {call} none/                ?"),
                format!("{indent}{rest}   CreationInProgress > Committed"),
            ]
        );
    }

    #[test]
    fn a_name_longer_than_a_line_loses_its_middle() {
        let long = format!(" \"{}\")", "x".repeat(300));
        let found = lines(&["IsPathSupported(", &long, " = ZERO"], "", "");
        assert_eq!(found.len(), 3);
        assert!(found[1].contains("xxx...xxx"), "{found:?}");
        assert_eq!(shortened("0123456789", 7), "01...89");
        assert_eq!(shortened("0123456789", 10), "0123456789");
    }
}
