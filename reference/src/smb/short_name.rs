//! MS-FSCC 2.1.5.2.1: names of eight and three characters. None are made up here: a file has such
//! a name where its own is one, as on a volume that makes none.

use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::fscc::file_names::FileNameInformation;

/// What may stand in a short name beside letters and digits.
const OTHERS: &str = "$%'-_@~`!(){}^#&";

/// The short name of the file at `path`.
pub(crate) fn of(path: &str) -> Result<FileNameInformation, NtStatus> {
    let name = path.rsplit('\\').next().unwrap_or(path);
    if !is_short(name) {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    Ok(FileNameInformation {
        file_name: name.into(),
    })
}

fn is_short(name: &str) -> bool {
    let (base, extension) = match name.split_once('.') {
        Some((base, extension)) => (base, Some(extension)),
        None => (name, None),
    };
    let is_part = |part: &str, length_max: usize| {
        let mut chars = part.chars();
        (1..=length_max).contains(&part.len())
            && chars.all(|c| c.is_ascii_alphanumeric() || OTHERS.contains(c))
    };
    is_part(base, 8) && extension.is_none_or(|extension| is_part(extension, 3))
}

#[cfg(test)]
mod tests {
    use super::is_short;

    #[test]
    fn eight_and_three_characters_make_a_short_name() {
        for name in ["a", "hello.txt", "READ_ME", "12345678.123"] {
            assert!(is_short(name), "{name}");
        }
        for name in [
            "",
            ".x",
            "123456789",
            "a.html",
            "a.b.c",
            "a b",
            "\u{e4}",
            "a.",
        ] {
            assert!(!is_short(name), "{name}");
        }
    }
}
