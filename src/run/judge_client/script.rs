//! The script of `--answer`: what the server says in place of what is right.

use crate::requirement::{FileError, line_of, nearest, read_toml};
use fsrvp_reference::config::{Dropped, Scripted, ScriptedAnswer};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use serde::Deserialize;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use toml::{Spanned, Value};

/// The longest script, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The longest delay: longer than any client may wait.
const DELAY_MS_MAX: u64 = 3_600_000;

/// A script as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    #[serde(default)]
    answer: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    method: Spanned<String>,
    call: Option<Spanned<u64>>,
    code: Option<Spanned<Value>>,
    fault: Option<Spanned<u32>>,
    supported: Option<Spanned<bool>>,
    owner: Option<Spanned<String>>,
    min_version: Option<Spanned<u32>>,
    delay_ms: Option<Spanned<u64>>,
    drop: Option<Spanned<String>>,
}

/// Reads a script.
///
/// # Errors
/// It cannot be read, or something in it is wrong: file, line, key and remedy.
pub(super) fn read(path: &Path) -> Result<Vec<ScriptedAnswer>, FileError> {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(FileError::new(&name, 0, error.to_string())),
        Ok(length) if length as u64 > FILE_BYTES_MAX => {
            Err(FileError::new(&name, 0, "longer than any script"))
        }
        Ok(_) => parse(&name, &text),
    }
}

fn parse(file: &str, text: &str) -> Result<Vec<ScriptedAnswer>, FileError> {
    let script: ScriptFile = read_toml(file, text)?;
    if script.answer.is_empty() {
        let what = "no answer in it; write [[answer]] with a method and what is answered";
        return Err(FileError::new(file, 0, what));
    }
    let entries = script.answer.into_iter();
    entries
        .map(|entry| {
            answer(entry)
                .map_err(|(offset, what)| FileError::new(file, line_of(text, offset), what))
        })
        .collect()
}

/// A mistake: where it begins, and what it is.
type Mistake = (usize, String);

fn at<T>(value: &Spanned<T>, what: impl Into<String>) -> Mistake {
    (value.span().start, what.into())
}

fn answer(entry: Spanned<Entry>) -> Result<ScriptedAnswer, Mistake> {
    let start = entry.span().start;
    let entry = entry.into_inner();
    let method = method(&entry.method)?;
    let mut answers = Vec::new();
    if let Some(code) = &entry.code {
        answers.push(Scripted::Code(self::code(code)?));
    }
    if let Some(fault) = &entry.fault {
        answers.push(Scripted::Fault(*fault.get_ref()));
    }
    if let Some(supported) = &entry.supported {
        only(method, Opnum::IsPathSupported, supported, "supported")?;
        if *supported.get_ref() {
            return Err(at(
                supported,
                "supported can only be false; leave it out for the right answer",
            ));
        }
        answers.push(Scripted::Unsupported);
    }
    if let Some(owner) = &entry.owner {
        only(method, Opnum::IsPathSupported, owner, "owner")?;
        answers.push(Scripted::Owner(owner.get_ref().clone()));
    }
    if let Some(version) = &entry.min_version {
        only(method, Opnum::GetSupportedVersion, version, "min_version")?;
        answers.push(Scripted::Versions(*version.get_ref(), *version.get_ref()));
    }
    let delay_ms = delay(entry.delay_ms.as_ref())?;
    let drop = entry.drop.as_ref().map(dropped).transpose()?;
    let call = match &entry.call {
        Some(call) if *call.get_ref() == 0 => return Err(at(call, "call counts from 1")),
        call => call.as_ref().map(|call| *call.get_ref()),
    };
    let several = answers.len() > 1;
    let answer = answers.pop();
    if several {
        let what = "one of code, fault, supported, owner and min_version is enough; give each its own [[answer]]";
        return Err((start, what.to_owned()));
    }
    if answer.is_none() && delay_ms == 0 && drop.is_none() {
        let what = "nothing is asked for; add code, fault, supported, owner, min_version, delay_ms or drop";
        return Err((start, what.to_owned()));
    }
    Ok(ScriptedAnswer {
        method,
        call,
        delay: Duration::from_millis(delay_ms),
        answer: answer.unwrap_or(Scripted::Right),
        drop,
    })
}

fn method(name: &Spanned<String>) -> Result<Opnum, Mistake> {
    let text = name.get_ref();
    Opnum::from_name(text).ok_or_else(|| {
        let known = (0..=u16::from(u8::MAX)).filter_map(|number| Opnum(number).name());
        let remedy = match nearest(text, known) {
            Some(known) => format!("; the nearest one is {known}"),
            None => "; write it as in MS-FSRVP 3.1.4".to_owned(),
        };
        at(name, format!("method {text} is none of FSRVP's{remedy}"))
    })
}

/// A code by its name, or as a number; not zero, which would promise what was not done.
fn code(value: &Spanned<Value>) -> Result<Hresult, Mistake> {
    let code = match value.get_ref() {
        Value::String(name) => Hresult::from_name(name).ok_or_else(|| {
            let known = Hresult::NAMED.iter().filter_map(|code| code.name());
            let remedy = match nearest(name, known) {
                Some(known) => format!("; the nearest one is {known}"),
                None => "; a number such as 0x80042301 also does".to_owned(),
            };
            at(value, format!("code {name} is not known{remedy}"))
        })?,
        Value::Integer(number) => u32::try_from(*number)
            .map(Hresult)
            .map_err(|_| at(value, "code does not fit into 32 bits"))?,
        _ => return Err(at(value, "code is a name in quotes or a number")),
    };
    match code.is_success() {
        true => Err(at(
            value,
            "code ZERO would promise what was not done; leave it out for the right answer",
        )),
        false => Ok(code),
    }
}

fn only<T>(is: Opnum, wanted: Opnum, value: &Spanned<T>, key: &str) -> Result<(), Mistake> {
    match is == wanted {
        true => Ok(()),
        false => Err(at(
            value,
            format!(
                "{key} goes with method {} alone",
                wanted.name().unwrap_or_default()
            ),
        )),
    }
}

fn delay(value: Option<&Spanned<u64>>) -> Result<u64, Mistake> {
    match value {
        None => Ok(0),
        Some(ms) if *ms.get_ref() > DELAY_MS_MAX => {
            Err(at(ms, format!("delay_ms is at most {DELAY_MS_MAX}")))
        }
        Some(ms) => Ok(*ms.get_ref()),
    }
}

fn dropped(value: &Spanned<String>) -> Result<Dropped, Mistake> {
    match value.get_ref().as_str() {
        "before" => Ok(Dropped::Before),
        "after" => Ok(Dropped::After),
        _ => Err(at(value, "drop is \"before\" or \"after\" the answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_as_it_is_written() {
        let text = r#"
            [[answer]]
            method = "PrepareShadowCopySet"
            call = 2
            code = "FSRVP_E_WAIT_TIMEOUT"
            delay_ms = 5
            [[answer]]
            method = "GetSupportedVersion"
            min_version = 2
            [[answer]]
            method = "CommitShadowCopySet"
            drop = "before"
            [[answer]]
            method = "AbortShadowCopySet"
            fault = 0x1c010014
        "#;
        let script = parse("s.toml", text).expect("it reads");
        let first = ScriptedAnswer {
            method: Opnum::PrepareShadowCopySet,
            call: Some(2),
            delay: Duration::from_millis(5),
            answer: Scripted::Code(Hresult::FSRVP_E_WAIT_TIMEOUT),
            drop: None,
        };
        let each = ScriptedAnswer::each;
        let dropped = ScriptedAnswer {
            drop: Some(Dropped::Before),
            ..each(Opnum::CommitShadowCopySet, Scripted::Right)
        };
        let wanted = [
            first,
            each(Opnum::GetSupportedVersion, Scripted::Versions(2, 2)),
            dropped,
            each(Opnum::AbortShadowCopySet, Scripted::Fault(0x1c01_0014)),
        ];
        assert_eq!(script, wanted);
    }

    #[test]
    fn mistakes_are_named_with_line_key_and_remedy() {
        let head = "[[answer]]\nmethod = \"PrepareShadowCopySet\"\n";
        for (text, line, word) in [
            (
                "[[answer]]\nmethod = \"Prepare\"\n",
                2,
                "PrepareShadowCopySet",
            ),
            (
                "[[answer]]\nmetod = \"x\"\n",
                2,
                "nearest known one is method",
            ),
            (
                &format!("{head}code = \"FSRVP_E_BAD_STAT\"\n"),
                3,
                "FSRVP_E_BAD_STATE",
            ),
            (&format!("{head}code = \"ZERO\"\n"), 3, "leave it out"),
            (&format!("{head}code = 1.5\n"), 3, "in quotes or a number"),
            (&format!("{head}code = 0x1ffffffff\n"), 3, "32 bits"),
            (
                &format!("{head}supported = false\n"),
                3,
                "IsPathSupported alone",
            ),
            (
                &format!("{head}owner = \"X\"\n"),
                3,
                "IsPathSupported alone",
            ),
            (
                &format!("{head}min_version = 2\n"),
                3,
                "GetSupportedVersion alone",
            ),
            (&format!("{head}call = 0\nfault = 1\n"), 3, "counts from 1"),
            (
                &format!("{head}drop = \"late\"\n"),
                3,
                "\"before\" or \"after\"",
            ),
            (&format!("{head}delay_ms = 9999999\n"), 3, "at most"),
            (
                &format!("{head}code = 1\nfault = 1\n"),
                1,
                "give each its own",
            ),
            (head, 1, "nothing is asked for"),
            ("", 0, "[[answer]]"),
        ] {
            let error = parse("s.toml", text).expect_err(text);
            assert_eq!(error.line, line, "{text}{error}");
            assert!(error.what.contains(word), "{text}{error}");
        }
    }
}
