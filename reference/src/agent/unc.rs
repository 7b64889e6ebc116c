//! Share names as clients send them.

/// The share that `\\host\share` or `\\host\share\` names; `None` for anything else.
pub(super) fn share_of(unc: &str) -> Option<&str> {
    let (host, share) = unc.strip_prefix(r"\\")?.split_once('\\')?;
    let share = share.strip_suffix('\\').unwrap_or(share);
    let whole = !host.is_empty() && !share.is_empty() && !share.contains(['\\', '/']);
    whole.then_some(share)
}

/// Whether two share names are the same: they compare without case.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.chars()
        .flat_map(char::to_uppercase)
        .eq(b.chars().flat_map(char::to_uppercase))
}

#[cfg(test)]
mod tests {
    use super::{same_name, share_of};

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
    fn names_compare_without_case() {
        assert!(same_name("Daten-Ä", "dATEN-ä"));
        assert!(!same_name("data", "data2"));
    }
}
