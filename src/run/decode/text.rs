//! For people: a timeline, one lifecycle after the other.

use super::table::{self, Cells, headline, paragraph, words_of};
use super::timeline::{Freeze, Lifecycle, Row, Timeline};
use super::{End, Printer, Totals, listing, words};
use crate::flow::{Event, Listed};
use crate::oracle::Moment;
use crate::outcome::Finding;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

/// Prints lines of text.
#[derive(Default)]
pub(super) struct Text {
    /// The capture whose exchanges are listed.
    capture: String,
    timeline: Timeline,
}

/// How many characters the bar of a freeze has.
const BAR_LEN: u128 = 30;

impl Printer for Text {
    fn event(&mut self, _: &str, event: &Event, _: &mut dyn Write) -> std::io::Result<()> {
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
        end: Option<End<'_>>,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let is_end = end.is_some();
        let (findings, losses) =
            end.map_or((&[][..], Vec::new()), |end| (end.findings, end.losses));
        let lifecycles = self.timeline.lifecycles(moments, losses, is_end);
        if lifecycles.is_empty() {
            return Ok(());
        }
        write!(out, "{capture}\n{}", table::headings())?;
        let marked: BTreeSet<u64> = findings
            .iter()
            .flat_map(|finding| finding.frames.iter().copied())
            .collect();
        lifecycles
            .iter()
            .try_for_each(|lifecycle| print(lifecycle, &marked, out))
    }

    fn listed(
        &mut self,
        capture: &str,
        listed: &Listed,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        if self.capture != capture {
            capture.clone_into(&mut self.capture);
            writeln!(
                out,
                "{capture}: SMB2 and RPC exchanges in the order of their answers"
            )?;
        }
        write!(out, "{}", listing::text(listed))
    }

    fn findings(
        &mut self,
        capture: &str,
        findings: &[Finding],
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        if findings.is_empty() {
            return writeln!(out, "\n{capture}: no findings");
        }
        writeln!(out, "\n{capture}: {} findings", findings.len())?;
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
            "\n{} calls,{wrong} {} gaps; {} packets, {} connections, {} of them SMB, {} sessions, {}",
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
    write!(out, "\n{}", title(lifecycle))?;
    // The connection and protection of the call before, so that a change is said once.
    let mut before = String::new();
    for row in &lifecycle.rows {
        if let Row::Read {
            event: Event::Exchange(exchange),
            ..
        } = row
        {
            let now = words::connection(exchange);
            if before != now {
                write!(out, "{}", paragraph(&now))?;
                before = now;
            }
        }
        write!(out, "{}", line(row, marked))?;
    }
    lifecycle.freeze.and_then(bar).map_or(Ok(()), |bar| {
        write!(out, "{}", paragraph(&format!("freeze {bar}")))
    })
}

/// The lines of a row.
fn line(row: &Row, marked: &BTreeSet<u64>) -> String {
    match row {
        Row::Read {
            event: Event::Exchange(exchange),
            moment,
        } => {
            let frame = exchange.request_evidence.frames.first().copied();
            let known = moment.as_ref();
            table::row(&Cells {
                frame,
                time: exchange.request_evidence.time,
                marked: frame.is_some_and(|frame| marked.contains(&frame)),
                pieces: &words::call(exchange),
                state: &known.map_or("?".to_owned(), words::standing),
                timer: &known.map_or("?".to_owned(), |known| words::timer(known.timer)),
            })
        }
        Row::Read {
            event: Event::Gap(gap),
            ..
        } => apart(Some(gap.frames.0), gap.time, false, &words::gap(gap)),
        Row::Read {
            event: Event::BadSignature(found),
            ..
        } => {
            let frame = found.evidence.frames.first().copied();
            let words = words::bad_signature(found);
            apart(frame, found.evidence.time, true, &words)
        }
        Row::Lost(loss) => {
            let (words, state) = words::loss(loss);
            table::row(&Cells {
                // The server did it, and no frame shows it.
                frame: None,
                time: loss.time,
                marked: false,
                pieces: &words_of(&words),
                state: &state,
                timer: "",
            })
        }
    }
}

/// A row that is no call.
fn apart(frame: Option<u64>, time: Duration, marked: bool, words: &str) -> String {
    table::row(&Cells {
        frame,
        time,
        marked,
        pieces: &words_of(words),
        state: "",
        timer: "",
    })
}

fn title(lifecycle: &Lifecycle) -> String {
    let context = lifecycle.context.map_or(String::new(), |context| {
        format!(", {}", words::context(context))
    });
    let continued = match lifecycle.is_continued {
        true => ", continued",
        false => "",
    };
    let title = match lifecycle.set {
        Some(set) => format!("shadow copy set {set}{context}{continued}"),
        None => format!("no shadow copy set{context}{continued}"),
    };
    headline(&title)
}

/// From Prepare over Commit to the answer of Expose, to scale: `p` before the commit, `#` during
/// it, `-` after it.
fn bar(freeze: Freeze) -> Option<String> {
    let commit = freeze.commit?;
    // A capture's clock may go back; no part may be longer than the whole.
    let committed = freeze.committed?.max(commit);
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

fn finding(found: &Finding) -> String {
    let by = found.by;
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

#[cfg(test)]
mod tests {
    use super::{Freeze, bar};
    use std::time::Duration;

    #[test]
    fn a_clock_that_goes_back_makes_no_bar_longer() {
        let times = [0, 1, 5_000_000_000].map(Duration::from_nanos).map(Some);
        for prepare in times.into_iter().chain([None]) {
            for commit in times {
                for committed in times {
                    for exposed in times.into_iter().chain([None]) {
                        let freeze = Freeze {
                            prepare,
                            commit,
                            committed,
                            exposed,
                        };
                        let bar = bar(freeze).expect("the commit was answered");
                        assert!(bar.len() < 200, "{bar}");
                    }
                }
            }
        }
    }
}
