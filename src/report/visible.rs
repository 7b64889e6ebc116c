//! Text of servers and files, so that it can neither hide nor steer what shows it.

use fsrvp_wire::fsrvp::Hresult;
use std::borrow::Cow;

/// Characters that turn the direction of what stands beside them, or that nobody sees.
const UNSEEN: [std::ops::RangeInclusive<char>; 6] = [
    '\u{061c}'..='\u{061c}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
];

/// `text` with each control character but the line feed, and each character that nobody sees,
/// written as `\u{..}`. A share's name may hold any of them.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let hides = |ch: char| {
        (ch.is_control() && ch != '\n') || UNSEEN.iter().any(|range| range.contains(&ch))
    };
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        if hides(ch) {
            out.extend(ch.escape_unicode());
        } else {
            out.push(ch);
        }
    }
    Cow::Owned(out)
}

/// `answer` with the name of the code behind it, where it is one that has a name.
pub(super) fn named(answer: &str) -> Cow<'_, str> {
    let code = answer
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match code.and_then(|code| Hresult(code).name()) {
        Some(name) => Cow::Owned(format!("{answer} {name}")),
        None => Cow::Borrowed(answer),
    }
}

/// All `answers` with the names of their codes.
pub(super) fn any_of(answers: &[String]) -> String {
    let answers: Vec<_> = answers.iter().map(|answer| named(answer)).collect();
    answers.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_is_written_out_and_the_rest_left_alone() {
        assert_eq!(
            visible("a\u{1b}[2J\r\n\u{202e}b\0"),
            "a\\u{1b}[2J\\u{d}\n\\u{202e}b\\u{0}"
        );
        assert!(matches!(visible("größer, 日本\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn only_a_code_that_has_a_name_gets_it() {
        assert_eq!(named("0x80042301"), "0x80042301 FSRVP_E_BAD_STATE");
        for other in [
            "0x80042399",
            "0x1",
            "bind refused",
            "0x80042301 and more",
            "0x+0042301",
        ] {
            assert_eq!(named(other), other);
        }
    }
}
