//! `fsrvp explain`: what a requirement, a case or a return code means, and what judges it.

use crate::case::{Action, Advance, Case, Deviation, Expectation, Library, LoadError};
use crate::oracle;
use crate::outcome::Verdict;
use crate::requirement::{Requirement, RequirementId, embedded, nearest};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::fmt::Write as _;
use std::path::Path;

/// What was found out about the words of a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// A paragraph for each word that is known.
    pub text: String,
    /// A clause for each that is not, with the nearest name.
    pub unknown: Vec<String>,
}

/// Explains each of `words`: a requirement's id, a case's id, or a code by its name or number.
///
/// # Errors
/// None for a program whose tests passed: they read the same texts.
pub fn explain(words: &[String]) -> Result<Explanation, LoadError> {
    let library = Library::built_in()?;
    let known = known_deviations(&library)?;
    let book = Book {
        library: &library,
        known,
    };
    let mut explanation = Explanation::default();
    for word in words {
        match book.paragraph(word) {
            Some(paragraph) => {
                if !explanation.text.is_empty() {
                    explanation.text.push('\n');
                }
                explanation.text += &paragraph;
            }
            None => explanation.unknown.push(book.unknown(word)),
        }
    }
    Ok(explanation)
}

/// Explains a case of `library`.
///
/// # Errors
/// A built-in list of known deviations that the cases do not go with.
pub(crate) fn case(library: &Library, case: &Case) -> Result<String, LoadError> {
    let known = known_deviations(library)?;
    Ok(Book { library, known }.case(case))
}

/// The built-in lists of known deviations, by the names of their targets.
fn known_deviations(library: &Library) -> Result<Vec<(String, Vec<Deviation>)>, LoadError> {
    let mut lists = Vec::new();
    for (path, _) in embedded::FILES {
        let name = path
            .strip_prefix("known/")
            .and_then(|name| name.strip_suffix(".toml"));
        if let Some(name) = name {
            let list = library.known(name, Path::new(""))?;
            lists.push((name.to_owned(), list.entries().to_vec()));
        }
    }
    Ok(lists)
}

/// All that is built in.
struct Book<'l> {
    library: &'l Library,
    known: Vec<(String, Vec<Deviation>)>,
}

/// A writer to a string never fails: the results of `writeln!` are dropped below.
impl Book<'_> {
    fn paragraph(&self, word: &str) -> Option<String> {
        let mut requirements = self.library.catalogue.iter();
        let requirement = requirements.find(|known| known.id.0.eq_ignore_ascii_case(word));
        let case = || self.library.cases.iter().find(|case| case.id == word);
        match requirement {
            Some(requirement) => Some(self.requirement(requirement)),
            None => case()
                .map(|case| self.case(case))
                .or_else(|| code(word).map(|code| self.code(code))),
        }
    }

    fn unknown(&self, word: &str) -> String {
        let ids = self
            .library
            .catalogue
            .iter()
            .map(|known| known.id.0.as_str());
        let cases = self.library.cases.iter().map(|case| case.id.as_str());
        let codes = Hresult::NAMED.iter().filter_map(|code| code.name());
        let candidates: Vec<&str> = ids.chain(cases).chain(codes).collect();
        let upper = word.to_ascii_uppercase();
        // Half of a code's name says more than likeness does.
        let half = candidates
            .iter()
            .copied()
            .find(|known| known.contains(&upper));
        let near = half
            .or_else(|| nearest(word, candidates.iter().copied()))
            .or_else(|| nearest(&upper, candidates));
        match near {
            Some(near) => {
                format!("{word}: no requirement, case or code; the nearest known one is {near}")
            }
            None => format!(
                "{word}: no requirement, case or code; `fsrvp check --list` shows the cases"
            ),
        }
    }

    fn requirement(&self, requirement: &Requirement) -> String {
        let Requirement {
            id, level, role, ..
        } = requirement;
        let (section, method) = (&requirement.section, &requirement.method);
        let mut out = format!("{id}: {level} of the {role}, section {section}, method {method}\n");
        for (name, text) in [
            ("given", &requirement.given),
            ("when", &requirement.when),
            ("then", &requirement.then),
            ("note", &requirement.note),
        ] {
            if !text.is_empty() {
                let _ = writeln!(out, "  {name:<6} {text}");
            }
        }
        let _ = writeln!(out, "  {}", by_rules(requirement));
        if let Some(exception) = &requirement.exception {
            let _ = writeln!(out, "  no case judges it: {exception}");
        }
        for case in &self.library.cases {
            let steps = case.steps.iter().enumerate();
            let mut judging = steps
                .filter_map(|(n, step)| step.expect.as_ref().map(|expect| (n, step, expect)))
                .filter(|(_, _, expect)| expect.requirements.contains(id))
                .peekable();
            if judging.peek().is_some() {
                let _ = writeln!(out, "  case {}: {}", case.id, case.title);
            }
            for (n, step, expect) in judging {
                let _ = writeln!(out, "    step {}: {}", n + 1, action(&step.action));
                answers(expect, &mut out);
            }
        }
        self.deviations(
            |entry| entry.requirement.iter().any(|named| named == id.0),
            &mut out,
        );
        out
    }

    fn case(&self, case: &Case) -> String {
        let mut out = format!("case {}: {}\n", case.id, case.title);
        for line in case.why.iter().flat_map(|why| why.trim().lines()) {
            let _ = writeln!(out, "  {line}");
        }
        for (n, step) in case.steps.iter().enumerate() {
            let _ = writeln!(out, "  step {}: {}", n + 1, action(&step.action));
            if let Some(expect) = &step.expect {
                let _ = writeln!(out, "    judges {}", ids(&expect.requirements));
                answers(expect, &mut out);
            }
        }
        for requirement in case.requirements() {
            if let Some(known) = self.library.catalogue.get(&requirement) {
                let (level, section, then) = (known.level, &known.section, &known.then);
                let _ = writeln!(out, "  {requirement}: {level}, section {section}: {then}");
            }
        }
        let is_about = |entry: &Deviation| {
            case.steps.iter().any(|step| {
                step.expect.as_ref().is_some_and(|expect| {
                    entry.is_about(&case.id, &expect.requirements, step.method())
                })
            })
        };
        self.deviations(is_about, &mut out);
        out
    }

    fn code(&self, code: Hresult) -> String {
        let mut out = format!("{} ({code})\n", code.name().unwrap_or("no name"));
        let _ = writeln!(out, "  {}", code.meaning().unwrap_or_default());
        let wanted = crate::case::Wanted::Status(code);
        for case in &self.library.cases {
            let permits = |expect: &&Expectation| {
                let mut answers = expect.answers.iter();
                answers.any(|answer| answer.wanted == wanted)
            };
            let steps = case.steps.iter().filter_map(|step| step.expect.as_ref());
            let mut judged: Vec<RequirementId> = steps
                .filter(permits)
                .flat_map(|expect| expect.requirements.iter().cloned())
                .collect();
            judged.sort();
            judged.dedup();
            if !judged.is_empty() {
                let _ = writeln!(out, "  permitted in {}  [{}]", case.id, ids(&judged));
            }
        }
        let name = code.name().unwrap_or_default();
        self.deviations(
            |entry| entry.answer.iter().any(|answer| answer == name),
            &mut out,
        );
        out
    }

    fn deviations(&self, is_about: impl Fn(&Deviation) -> bool, out: &mut String) {
        for (target, entries) in &self.known {
            for entry in entries.iter().filter(|entry| is_about(entry)) {
                let answers: Vec<&str> = entry.answer.iter().collect();
                let _ = writeln!(
                    out,
                    "  known of {target}: {} for {}: {} ({})",
                    answers.join(" or "),
                    entry.names(),
                    entry.reason,
                    entry.source
                );
            }
        }
    }
}

/// The code with this name or number, if it has a name.
fn code(word: &str) -> Option<Hresult> {
    let upper = word.to_ascii_uppercase();
    let number = match upper.strip_prefix("0X") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    Hresult::from_name(&upper)
        .or(number.map(Hresult))
        .filter(|code| code.name().is_some())
}

fn ids(requirements: &[RequirementId]) -> String {
    let ids: Vec<&str> = requirements.iter().map(|id| id.0.as_str()).collect();
    ids.join(" ")
}

/// Whether rules judge it in captures, in lifecycles and behind `serve --judge-client`.
fn by_rules(requirement: &Requirement) -> String {
    if oracle::requirements().contains(&requirement.id.0.as_str()) {
        return "a rule judges it from traffic alone".to_owned();
    }
    match &requirement.reason {
        Some(reason) => format!("no rule judges it from traffic alone: {reason}"),
        None => "no rule judges it from traffic alone".to_owned(),
    }
}

/// Every permitted answer with its source.
fn answers(expect: &Expectation, out: &mut String) {
    for answer in &expect.answers {
        let _ = write!(out, "    permitted: {} ({})", answer.wanted, answer.source);
        if answer.verdict != Verdict::Pass {
            let _ = write!(out, ", {}", answer.verdict);
        }
        if !answer.profiles.is_empty() {
            let profiles: Vec<&str> = answer.profiles.iter().map(|p| p.as_str()).collect();
            let _ = write!(out, ", of profile {}", profiles.join(", "));
        }
        out.push('\n');
        for check in &answer.out {
            let values: Vec<String> = check.any_of.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "      {} is {}", check.parameter, values.join(" or "));
        }
    }
}

/// What a step does, in a few words.
fn action(action: &Action) -> String {
    let name = |method: Opnum| match method.name() {
        Some(name) => name.to_owned(),
        None => format!("opnum {}", method.0),
    };
    match action {
        Action::Call(call) => name(call.method),
        Action::Raw { opnum, stub } => {
            format!("{} with a stub of {} bytes", name(*opnum), stub.len())
        }
        Action::File(file) => format!("{:?} {}", file.verb, file.name)
            .trim_end()
            .to_owned(),
        Action::Advance(Advance { by, .. }) => format!("{} s go by", by.as_secs_f64()),
        Action::Connect => "connects".to_owned(),
        Action::Disconnect => "disconnects".to_owned(),
        Action::Send {
            name: as_name,
            call,
        } => {
            format!("{} goes out as {as_name}", name(call.method))
        }
        Action::Answer {
            name: of_name,
            opnum,
        } => {
            format!("the answer of {of_name}, {}", name(*opnum))
        }
        Action::Backend { work, step } => format!("{} {}", work.as_str(), step.as_str()),
        Action::Restart => "the server is restarted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> Explanation {
        explain(&[word.to_owned()]).expect("the texts read")
    }

    #[test]
    fn everything_that_is_built_in_can_be_explained() {
        let library = Library::built_in().expect("it reads");
        let ids = library.catalogue.iter().map(|known| known.id.0.clone());
        let cases = library.cases.iter().map(|case| case.id.clone());
        let codes = Hresult::NAMED.iter().map(ToString::to_string);
        let words: Vec<String> = ids.chain(cases).chain(codes).collect();
        let all = explain(&words).expect("the texts read");
        assert_eq!(all.unknown, Vec::<String>::new());
    }

    #[test]
    fn a_requirement_is_told_with_its_cases_answers_and_deviations() {
        let text = of("fsrvp-3.1.4.4-07").text;
        for part in [
            "FSRVP-3.1.4.4-07: MUST of the server, section 3.1.4.4, method AddToShadowCopySet",
            "  given ",
            "a rule judges it from traffic alone",
            "  case ",
            "permitted: FSRVP_E_",
            "known of samba-4.17: E_INVALIDARG for FSRVP-3.1.4.4-07",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn a_code_is_found_by_name_and_number() {
        let by_name = of("fsrvp_e_bad_state").text;
        assert!(
            by_name.starts_with("FSRVP_E_BAD_STATE (0x80042301)\n  MS-FSRVP 2.2.4: the method")
        );
        assert_eq!(of("0x80042301").text, by_name);
        assert_eq!(of("2147754753").text, by_name);
        assert!(by_name.contains("permitted in "), "{by_name}");
    }

    #[test]
    fn what_is_unknown_has_its_nearest_name_and_leaves_the_rest_alone() {
        let words = [
            "FSRVP-3.1.4.4-077".to_owned(),
            "set-context/retry-limit".to_owned(),
        ];
        let both = explain(&words).expect("the texts read");
        assert!(
            both.text.starts_with("case set-context/retry-limit: "),
            "{}",
            both.text
        );
        assert_eq!(both.unknown.len(), 1);
        assert!(
            both.unknown[0].contains("nearest known one is FSRVP-3.1.4.4-07"),
            "{both:?}"
        );
        assert_eq!(of("0x12345678").unknown.len(), 1);
        assert!(of("bad_stat").unknown[0].contains("is FSRVP_E_BAD_STATE"));
    }
}
