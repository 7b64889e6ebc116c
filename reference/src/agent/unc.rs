//! Share names as clients send them.

/// The share that `\\host\share` or `\\host\share\` names; `None` for anything else.
pub(super) fn share_of(unc: &str) -> Option<&str> {
    let (host, share) = unc.strip_prefix(r"\\")?.split_once('\\')?;
    let share = share.strip_suffix('\\').unwrap_or(share);
    let whole = !host.is_empty() && !share.is_empty() && !share.contains(['\\', '/']);
    whole.then_some(share)
}

/// The share part of such a name, whatever stands in front of it or behind it.
pub(super) fn share_somewhere_in(unc: &str) -> Option<&str> {
    let (_, rest) = unc.split_once(r"\\")?;
    let (host, rest) = rest.split_once('\\')?;
    let share = rest.split_once('\\').map_or(rest, |(share, _)| share);
    (!host.is_empty() && !share.is_empty()).then_some(share)
}

/// Whether two share names are the same: they compare without case.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.chars()
        .flat_map(char::to_uppercase)
        .eq(b.chars().flat_map(char::to_uppercase))
}

#[cfg(test)]
mod tests {
    use super::{same_name, share_of, share_somewhere_in};

    #[test]
    fn one_trailing_backslash_is_part_of_no_name() {
        assert_eq!(share_of(r"\\srv\share"), Some("share"));
        assert_eq!(share_of(r"\\srv\share\"), Some("share"));
    }

    #[test]
    fn what_is_not_a_share_names_none() {
        for text in [
            "",
            "share",
            r"\share",
            r"\\srv",
            r"\\srv\",
            r"\\\share",
            r"\\srv\share\dir",
            r"\\srv\share\\",
            r"\\srv\\",
            "//srv/share",
        ] {
            assert_eq!(share_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_lenient_reader_finds_the_share_in_the_middle() {
        for text in [
            r"\\srv\share",
            r"\\srv\share\",
            r"\\srv\share\dir\x",
            r"x\\srv\share",
        ] {
            assert_eq!(share_somewhere_in(text), Some("share"), "{text}");
        }
        for text in ["", r"\\srv", r"\\srv\", r"\\\share", "//srv/share"] {
            assert_eq!(share_somewhere_in(text), None, "{text}");
        }
    }

    #[test]
    fn names_compare_without_case() {
        assert!(same_name("Daten-Ä", "dATEN-ä"));
        assert!(!same_name("data", "data2"));
    }
}
