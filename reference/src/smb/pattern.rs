//! MS-FSA 2.1.4.4: does a name match a search pattern?

/// A search pattern, ready to be compared with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    symbols: Vec<char>,
}

impl Pattern {
    /// The pattern of a QUERY_DIRECTORY; an empty one matches everything.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = match text {
            "" | "*.*" => "*",
            other => other,
        };
        Pattern {
            symbols: upper(text),
        }
    }

    /// Whether the pattern can match more than one name.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.symbols.iter().any(|c| "*?<>\"".contains(*c))
    }

    /// Whether `name` matches, letters compared without case.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name = upper(name);
        // Which positions of the name the symbols so far can have come to: no way of branching
        // makes this slow.
        let mut reached = vec![false; name.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for symbol in &self.symbols {
            reached = step(*symbol, &name, &reached);
        }
        reached.last().copied().unwrap_or(false)
    }
}

fn upper(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_uppercase).collect()
}

/// Where `symbol` can lead from the positions in `reached`.
fn step(symbol: char, name: &[char], reached: &[bool]) -> Vec<bool> {
    let end = name.len();
    let last_dot = name.iter().rposition(|c| *c == '.');
    let mut next = vec![false; end + 1];
    let mut allow = |range: std::ops::RangeInclusive<usize>| {
        if let Some(slots) = next.get_mut(range) {
            slots.fill(true);
        }
    };
    for at in (0..=end).filter(|at| reached.get(*at) == Some(&true)) {
        match (symbol, name.get(at)) {
            ('*', _) => allow(at..=end),
            // DOS_STAR: up to and with the last dot, or everything.
            ('<', _) => {
                allow(at..=last_dot.map_or(end, |dot| dot + 1).max(at));
                allow(end..=end);
            }
            // DOS_QM: one character, or nothing before a dot and at the end. DOS_DOT: a dot, or
            // nothing at the end.
            ('>', None | Some('.')) | ('"', None) => allow(at..=at),
            ('>' | '?', Some(_)) | ('"', Some('.')) => allow(at + 1..=at + 1),
            ('?', None) | ('"', Some(_)) | (_, None) => {}
            (plain, Some(here)) if plain == *here => allow(at + 1..=at + 1),
            (_, Some(_)) => {}
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn names_match_as_a_user_expects() {
        for (pattern, name, expected) in [
            ("*", "anything.at.all", true),
            ("", "x", true),
            ("*.*", "README", true),
            ("*.txt", "a.txt", true),
            ("*.txt", "a.TXT", true),
            ("*.txt", "a.txt.old", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("file", "FILE", true),
            ("file", "file1", false),
            ("ärger*", "ÄRGER.doc", true),
            ("<.txt", "a.b.txt", true),
            ("f>>>.txt", "f.txt", true),
            ("f>>>.txt", "fabcd.txt", false),
            ("name\"", "name", true),
            ("name\"", "name.", true),
            ("name\"", "name.x", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} on {name}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = Pattern::new(&"*a".repeat(120));
        assert!(pattern.matches(&"a".repeat(250)));
        assert!(!pattern.matches(&"ab".repeat(125)));
    }

    #[test]
    fn only_wildcards_can_match_many() {
        assert!(Pattern::new("*").has_wildcard());
        assert!(Pattern::new("a>").has_wildcard());
        assert!(!Pattern::new("a.b").has_wildcard());
    }
}
