//! Share names as the methods carry them, compared without case and without a trailing backslash.

/// A share name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShareName {
    /// The host, in lower case.
    pub(super) host: String,
    /// The share, in lower case.
    pub(super) share: String,
    /// Whether something stands behind the share.
    pub(super) deeper: bool,
}

impl ShareName {
    /// `\\host\share` or `\\host\share\`, and what is below it; `None` where the two backslashes,
    /// the host or the share are missing.
    pub(super) fn parse(text: &str) -> Option<ShareName> {
        let rest = text.strip_prefix(r"\\")?;
        let (host, rest) = rest.split_once('\\')?;
        let (share, below) = rest.split_once('\\').unwrap_or((rest, ""));
        if host.is_empty() || share.is_empty() {
            return None;
        }
        Some(ShareName {
            host: host.to_lowercase(),
            share: share.to_lowercase(),
            deeper: !below.is_empty(),
        })
    }

    /// Whether both hosts are the same word, one of them perhaps with its domain.
    pub(super) fn same_host(&self, other: &ShareName) -> bool {
        let is_address = |host: &str| host.parse::<std::net::IpAddr>().is_ok();
        if self.host == other.host {
            return true;
        }
        if is_address(&self.host) || is_address(&other.host) {
            return false;
        }
        let first = |host: &str| host.split('.').next().unwrap_or_default().to_owned();
        let one_is_short = !self.host.contains('.') || !other.host.contains('.');
        one_is_short && first(&self.host) == first(&other.host)
    }

    /// Whether both name the same share of the same host.
    pub(super) fn is(&self, other: &ShareName) -> bool {
        self.same_host(other) && self.share == other.share
    }
}

/// What follows the last backslash of an exposed share's name: the bare name, which some servers
/// return, or the share of a UNC name.
pub(super) fn exposed_share(text: &str) -> &str {
    text.rsplit('\\').next().unwrap_or_default()
}

/// MS-FSRVP 3.1.4.6: whether `exposed` is `base@{id}`, with a `$` behind it where the base share
/// is hidden.
pub(super) fn is_exposed_form(exposed: &str, base: &str, id: uuid::Uuid) -> bool {
    let bare = exposed_share(exposed).to_lowercase();
    let wanted = format!("{base}@{{{id}}}");
    bare == wanted || (base.ends_with('$') && bare == format!("{wanted}$"))
}

/// Whether a text is a UNC name of a share.
pub(super) fn is_unc(text: &str) -> bool {
    ShareName::parse(text).is_some_and(|name| !name.deeper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_without_case_and_trailing_backslash() {
        let a = ShareName::parse(r"\\Server\Share\").expect("a name");
        let b = ShareName::parse(r"\\server.example.org\SHARE").expect("a name");
        assert!(a.is(&b));
        let c = ShareName::parse(r"\\other\share").expect("a name");
        assert!(!a.is(&c));
        for text in [
            "",
            "share",
            r"\server\share",
            r"\\server",
            r"\\server\",
            r"\\\share",
        ] {
            assert_eq!(ShareName::parse(text), None, "{text}");
        }
        assert!(ShareName::parse(r"\\s\share\dir").expect("a name").deeper);
    }

    #[test]
    fn addresses_are_hosts_of_their_own() {
        let a = ShareName::parse(r"\\10.0.0.1\x").expect("a name");
        let b = ShareName::parse(r"\\10.0.0.2\x").expect("a name");
        assert!(!a.is(&b));
        assert!(!a.is(&ShareName::parse(r"\\10\x").expect("a name")));
    }

    #[test]
    fn an_exposed_name_is_the_base_and_the_id() {
        let id = uuid::Uuid::from_u128(7);
        assert!(is_exposed_form(&format!("Vol@{{{id}}}"), "vol", id));
        assert!(is_exposed_form(&format!(r"\\s\vol@{{{id}}}"), "vol", id));
        assert!(!is_exposed_form(&format!("vol2@{{{id}}}"), "vol", id));
        assert!(!is_exposed_form(&format!("vol@{id}"), "vol", id));
        assert!(!is_exposed_form(&format!("vol@{{{id}}}$"), "vol", id));
        assert!(is_exposed_form(&format!("vol$@{{{id}}}$"), "vol$", id));
    }
}
