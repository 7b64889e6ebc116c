//! Lists of known deviations: what a target answers in place of what the text demands, and why.

use crate::case::Case;
use crate::requirement::{Catalogue, FileError, RequirementId, line_of, nearest, read_toml};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use serde::Deserialize;
use std::collections::BTreeSet;

/// What an entry names as its case that is only about generated lifecycles.
const LIFECYCLES: &str = "lifecycles";
/// What unsettles beside methods: the Message Sequence Timer.
const TIMER: &str = "timer";
/// The id of a lifecycle, whichever.
const ANY_LIFECYCLE: &str = "lifecycles/";

/// One known deviation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The case it is about, or the topic; without it, every case and every generated lifecycle
    /// that judges one of the requirements.
    pub case: Option<String>,
    /// The requirement that is not followed, or several.
    #[serde(alias = "requirements")]
    pub requirement: OneOrMore,
    /// Only what this method answers.
    pub method: Option<String>,
    /// What comes instead: a code by its name, `fault NUMBER`, `done`, `refused`; or the name of
    /// the out parameter that is not what it must be.
    pub answer: OneOrMore,
    /// Only in lifecycles in which this method has succeeded before.
    pub after: Option<String>,
    /// Why the embedded server of the same profile does not show it.
    pub unshown: Option<String>,
    /// Why only the embedded server of the same profile shows it.
    pub only_embedded: Option<String>,
    /// Why the target does so.
    pub reason: String,
    /// Where that is written or was seen.
    pub source: String,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, more) = match self {
            OneOrMore::One(text) => (Some(text), None),
            OneOrMore::More(texts) => (None, Some(texts)),
        };
        one.into_iter()
            .chain(more.into_iter().flatten())
            .map(String::as_str)
    }
}

impl Deviation {
    /// Whether this entry is about what a step of `case` with this method judges.
    #[must_use]
    pub fn is_about(
        &self,
        case: &str,
        requirements: &[RequirementId],
        method: Option<Opnum>,
    ) -> bool {
        let called = method.and_then(Opnum::name);
        let topic = case.split_once('/').map(|(topic, _)| topic);
        let names = |named: &str| named == case || Some(named) == topic;
        self.case.as_deref().is_none_or(names)
            && (self.method.is_none() || self.method.as_deref() == called)
            && requirements
                .iter()
                .any(|id| self.requirement.iter().any(|named| named == id.0))
    }

    /// Whether what came is what the entry says.
    #[must_use]
    pub fn has_answer(&self, actual: &str) -> bool {
        self.answer.iter().any(|wanted| {
            let code = Hresult::from_name(wanted).map(|code| code.to_string());
            let wanted = code.as_deref().unwrap_or(wanted);
            actual
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    /// The requirements, for a message.
    #[must_use]
    pub fn names(&self) -> String {
        self.requirement.iter().collect::<Vec<_>>().join(", ")
    }
}

/// All known deviations of one target.
#[derive(Debug, Clone, Default)]
pub struct KnownDeviations {
    entries: Vec<Deviation>,
    not_run: bool,
    unsettled_by: Vec<String>,
    extends: Option<Extends>,
}

/// The list that another one goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extends {
    /// Its name, or its path.
    pub list: String,
    /// The requirements whose entries do not hold here.
    pub without: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "target")]
    _target: String,
    /// Another list, whose entries hold here as well.
    extends: Option<String>,
    /// The requirements of whose entries that is not so.
    #[serde(default)]
    without: Vec<String>,
    /// The list comes from documents: nobody has run it against the target that it is about.
    #[serde(default)]
    not_run: bool,
    /// After these methods, and `timer`, it cannot be told which sets the target has.
    #[serde(default)]
    unsettled_by: Vec<String>,
    #[serde(default)]
    deviation: Vec<toml::Spanned<Deviation>>,
}

impl KnownDeviations {
    /// Reads a list; `file` is its name in errors. An entry about nothing that `cases` judge is an
    /// error.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
        cases: &[Case],
    ) -> Result<KnownDeviations, FileError> {
        let (list, parsed) = parse(file, text)?;
        for (line, entry) in &parsed {
            check(entry, catalogue, cases).map_err(|what| FileError::new(file, *line, what))?;
        }
        let entries = parsed.into_iter().map(|(_, entry)| entry).collect();
        Ok(KnownDeviations { entries, ..list })
    }

    /// The list that this one goes on from.
    #[must_use]
    pub fn extends(&self) -> Option<&Extends> {
        self.extends.as_ref()
    }

    /// The same behind the entries of `other`, which it goes on from.
    ///
    /// # Errors
    /// A requirement of `without` that `other` has no entry of.
    pub fn behind(mut self, other: &KnownDeviations) -> Result<KnownDeviations, String> {
        let Some(Extends { list, without }) = self.extends.take() else {
            return Ok(self);
        };
        let names = |entry: &Deviation, id: &str| entry.requirement.iter().any(|named| named == id);
        for id in &without {
            if !other.entries.iter().any(|entry| names(entry, id)) {
                return Err(format!("without: {list} has no entry about {id}"));
            }
        }
        let holds = |entry: &&Deviation| !without.iter().any(|id| names(entry, id));
        let mut entries: Vec<_> = other.entries.iter().filter(holds).cloned().collect();
        entries.append(&mut self.entries);
        let mut unsettled_by = other.unsettled_by.clone();
        unsettled_by.append(&mut self.unsettled_by);
        Ok(KnownDeviations {
            entries,
            unsettled_by,
            ..self
        })
    }

    /// Reads a list and passes over the entries about nothing that `cases` judge.
    ///
    /// # Errors
    /// A text that is no list, with its line.
    pub fn read_what_applies(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
        cases: &[Case],
    ) -> Result<KnownDeviations, FileError> {
        let (list, parsed) = parse(file, text)?;
        let entries = parsed
            .into_iter()
            .map(|(_, entry)| entry)
            .filter(|entry| check(entry, catalogue, cases).is_ok())
            .collect();
        Ok(KnownDeviations { entries, ..list })
    }

    /// The same for a server that is not the embedded one.
    #[must_use]
    pub fn of_target(mut self) -> KnownDeviations {
        self.entries.retain(|entry| entry.only_embedded.is_none());
        self
    }

    /// The same for the embedded server of the target's profile: without what that does not show,
    /// and with every entry required to still deviate.
    #[must_use]
    pub fn shown_here(mut self) -> KnownDeviations {
        self.entries.retain(|entry| entry.unshown.is_none());
        self.not_run = false;
        self
    }

    /// Whether the list comes from documents alone, so that an entry which does not deviate says
    /// something of the list rather than of the target.
    #[must_use]
    pub fn is_not_run(&self) -> bool {
        self.not_run
    }

    /// The entry that says `actual` comes of a step of `case` with
    /// this method that judges `requirements`; one that names the case goes before others.
    #[must_use]
    pub fn find(
        &self,
        case: &str,
        requirements: &[RequirementId],
        method: Option<Opnum>,
        actual: &str,
    ) -> Option<&Deviation> {
        self.entries
            .iter()
            .filter(|entry| entry.is_about(case, requirements, method) && entry.has_answer(actual))
            .max_by_key(|entry| entry.case.is_some())
    }

    /// Whether it cannot be told which sets the target has after a call of this method.
    #[must_use]
    pub fn unsettles(&self, method: Opnum) -> bool {
        let name = method.name();
        self.unsettled_by.iter().any(|by| Some(by.as_str()) == name)
    }

    /// Whether it cannot be told which sets the target has after its timer may have run out.
    #[must_use]
    pub fn timers_unsettle(&self) -> bool {
        self.unsettled_by.iter().any(|by| by == TIMER)
    }

    /// The entry that says `actual` comes of a call of this method in a generated lifecycle, where
    /// `requirement` is judged and the methods of `done` have succeeded before.
    #[must_use]
    pub fn find_in_lifecycle(
        &self,
        requirement: &RequirementId,
        method: Opnum,
        actual: &str,
        done: &BTreeSet<Opnum>,
    ) -> Option<&Deviation> {
        let was_done = |entry: &Deviation| {
            let after = entry.after.as_deref().map(Opnum::from_name);
            after.is_none_or(|method| method.is_some_and(|method| done.contains(&method)))
        };
        let ids = std::slice::from_ref(requirement);
        self.entries.iter().find(|entry| {
            entry.is_about(ANY_LIFECYCLE, ids, Some(method))
                && entry.has_answer(actual)
                && was_done(entry)
        })
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Deviation] {
        &self.entries
    }
}

/// The list without its entries, and the entries with their lines.
fn parse(file: &str, text: &str) -> Result<(KnownDeviations, Vec<(usize, Deviation)>), FileError> {
    let parsed: File = read_toml(file, text)?;
    let not_run = parsed.not_run;
    let is_known = |by: &&String| by.as_str() == TIMER || Opnum::from_name(by).is_some();
    if let Some(by) = parsed.unsettled_by.iter().find(|by| !is_known(by)) {
        let what = format!("unsettled_by: {by} is neither a method nor {TIMER}");
        let line = text.find("unsettled_by").map_or(0, |at| line_of(text, at));
        return Err(FileError::new(file, line, what));
    }
    let with_line = |entry: toml::Spanned<Deviation>| {
        let line = line_of(text, entry.span().start);
        let mut entry = entry.into_inner();
        if not_run && !entry.source.is_empty() {
            entry.source += "; not run by us";
        }
        (line, entry)
    };
    let entries = parsed.deviation.into_iter().map(with_line).collect();
    if parsed.extends.is_none() && !parsed.without.is_empty() {
        let what = "without is only there beside extends";
        let line = text.find("without").map_or(0, |at| line_of(text, at));
        return Err(FileError::new(file, line, what.to_owned()));
    }
    let without = parsed.without;
    let list = KnownDeviations {
        entries: Vec::new(),
        not_run,
        unsettled_by: parsed.unsettled_by,
        extends: parsed.extends.map(|list| Extends { list, without }),
    };
    Ok((list, entries))
}

fn check(entry: &Deviation, catalogue: &Catalogue, cases: &[Case]) -> Result<(), String> {
    if entry.reason.is_empty() || entry.source.is_empty() {
        return Err(format!(
            "{}: reason and source must say something",
            entry.names()
        ));
    }
    for name in entry.requirement.iter() {
        let id = RequirementId(name.to_owned());
        if catalogue.get(&id).is_none() {
            return Err(match catalogue.nearest(&id) {
                Some(near) => format!("unknown requirement {id}; the nearest known one is {near}"),
                None => format!("unknown requirement {id}"),
            });
        }
    }
    let mut whys = entry.unshown.iter().chain(&entry.only_embedded);
    if whys.any(String::is_empty) {
        let what = "unshown and only_embedded must say why";
        return Err(format!("{}: {what}", entry.names()));
    }
    let of_lifecycles = entry.case.as_deref() == Some(LIFECYCLES);
    if entry.after.is_some() && !of_lifecycles {
        let what = "after is only there beside case = \"lifecycles\"";
        return Err(format!("{}: {what}", entry.names()));
    }
    let mut methods = entry.method.iter().chain(&entry.after);
    if let Some(method) = methods.find(|method| Opnum::from_name(method).is_none()) {
        let known = Opnum::ALL.iter().filter_map(|opnum| opnum.name());
        let near = nearest(method, known).unwrap_or("any of the 13");
        return Err(format!(
            "unknown method {method}; the nearest known one is {near}"
        ));
    }
    if of_lifecycles {
        return Ok(());
    }
    if let Some(name) = &entry.case
        && !cases
            .iter()
            .any(|case| &case.id == name || case.topic() == name)
    {
        return Err(
            match nearest(name, cases.iter().map(|case| case.id.as_str())) {
                Some(near) => format!("unknown case {name}; the nearest known one is {near}"),
                None => format!("unknown case {name}"),
            },
        );
    }
    let is_judged = cases.iter().any(|case| {
        case.steps.iter().any(|step| {
            step.expect
                .as_ref()
                .is_some_and(|expect| entry.is_about(&case.id, &expect.requirements, step.method()))
        })
    });
    match is_judged {
        true => Ok(()),
        false => Err(format!("{}: no such step is judged", entry.names())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Library;

    const ID: &str = "FSRVP-3.1.4.2-12";

    fn list(entry: &str) -> Result<KnownDeviations, FileError> {
        let library = Library::built_in().expect("it reads");
        let text = format!(
            "target = \"t\"\nnot_run = true\nunsettled_by = [\"timer\"]\n[[deviation]]\n\
             requirement = \"{ID}\"\nreason = \"r\"\nsource = \"s\"\n{entry}"
        );
        KnownDeviations::read("k.toml", &text, &library.catalogue, &library.cases)
    }

    #[test]
    fn a_lifecycle_meets_an_entry_by_requirement_method_answer_and_what_came_before() {
        let known = list(
            "case = \"lifecycles\"\nmethod = \"StartShadowCopySet\"\n\
             answer = \"FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS\"\nafter = \"AbortShadowCopySet\"\n",
        )
        .expect("it reads");
        let id = RequirementId(ID.to_owned());
        let aborted = BTreeSet::from([Opnum::AbortShadowCopySet]);
        let find = |id: &RequirementId, method, actual: &str, done: &BTreeSet<Opnum>| {
            known.find_in_lifecycle(id, method, actual, done).is_some()
        };
        let start = Opnum::StartShadowCopySet;
        assert!(find(&id, start, "0x80042316", &aborted));
        assert!(!find(&id, start, "0x80042301", &aborted));
        assert!(!find(&id, start, "0x80042316", &BTreeSet::new()));
        assert!(!find(&id, Opnum::SetContext, "0x80042316", &aborted));
        let other = RequirementId("FSRVP-3.1.4.2-13".to_owned());
        assert!(!find(&other, start, "0x80042316", &aborted));
        // No case is a lifecycle.
        let judged = std::slice::from_ref(&id);
        let of_case = known.find("set-context/x", judged, Some(start), "0x80042316");
        assert!(of_case.is_none());
    }

    #[test]
    fn what_only_documents_say_is_marked_and_what_one_server_shows_is_for_it_alone() {
        let known = list("answer = \"ZERO\"\nunshown = \"why\"\n").expect("it reads");
        assert!(known.is_not_run() && known.timers_unsettle());
        assert!(known.entries()[0].source.ends_with("; not run by us"));
        assert_eq!(known.clone().of_target().entries().len(), 1);
        assert_eq!(known.shown_here().entries().len(), 0);
        let known = list("answer = \"ZERO\"\nonly_embedded = \"why\"\n").expect("it reads");
        assert_eq!(known.clone().of_target().entries().len(), 0);
        assert_eq!(known.shown_here().entries().len(), 1);
    }

    #[test]
    fn mistakes_are_told() {
        for (entry, told) in [
            ("answer = \"ZERO\"\nunshown = \"\"\n", "must say why"),
            (
                "answer = \"ZERO\"\nafter = \"SetContext\"\n",
                "only there beside case",
            ),
            (
                "case = \"lifecycles\"\nanswer = \"ZERO\"\nafter = \"SetContexts\"\n",
                "unknown method SetContexts; the nearest known one is SetContext",
            ),
        ] {
            let error = list(entry).expect_err(entry).to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
