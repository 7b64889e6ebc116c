//! Which cases a user asks for.

use crate::case::Case;
use crate::requirement::Catalogue;

/// Words a case must match all of; commas inside one mean any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    all_of: Vec<Vec<String>>,
}

impl Filter {
    /// Takes the words of a command line.
    #[must_use]
    pub fn new(words: &[String]) -> Filter {
        let all_of = words
            .iter()
            .map(|word| {
                word.split(',')
                    .map(|part| part.trim().to_owned())
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
            })
            .filter(|any_of| !any_of.is_empty())
            .collect();
        Filter { all_of }
    }

    /// Whether `case` matches: by its topic or id, a requirement it judges, that requirement's
    /// section, level or method, a method it calls, or a profile that one of its answers names.
    #[must_use]
    pub fn selects(&self, case: &Case, catalogue: &Catalogue) -> bool {
        self.all_of
            .iter()
            .all(|any_of| any_of.iter().any(|word| matches(word, case, catalogue)))
    }
}

fn matches(word: &str, case: &Case, catalogue: &Catalogue) -> bool {
    let same = |text: &str| text.eq_ignore_ascii_case(word);
    let requirements = case.requirements();
    let by_requirement = || {
        requirements
            .iter()
            .filter_map(|id| catalogue.get(id))
            .any(|requirement| {
                same(&requirement.id.0)
                    || requirement.section.is_within(word)
                    || same(&requirement.level.to_string())
                    || same(&requirement.method)
            })
    };
    let by_profile = || {
        case.steps
            .iter()
            .filter_map(|step| step.expect.as_ref())
            .flat_map(|expect| &expect.answers)
            .flat_map(|answer| &answer.profiles)
            .any(|profile| same(profile.as_str()))
    };
    same(case.topic())
        || case
            .id
            .to_ascii_lowercase()
            .contains(&word.to_ascii_lowercase())
        || case.methods().any(|method| method.name().is_some_and(same))
        || by_requirement()
        || by_profile()
}
