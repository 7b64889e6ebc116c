//! The answers that an expectation permits.

use crate::case::target::Profile;
use crate::outcome::Verdict;
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::fmt;

/// One permitted answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What may come.
    pub wanted: Wanted,
    /// What the out parameters must be when it comes.
    pub out: Vec<OutCheck>,
    /// Where it is written.
    pub source: String,
    /// Permitted only of targets with one of these profiles; empty: of all.
    pub profiles: Vec<Profile>,
    /// What the step comes to when it comes.
    pub verdict: Verdict,
}

impl Answer {
    /// Whether it is permitted of a target with this profile. What is permitted of `windows` is so
    /// of its later versions.
    #[must_use]
    pub fn is_for(&self, profile: Profile) -> bool {
        let of_windows = profile.is_windows() && self.profiles.contains(&Profile::Windows);
        self.profiles.is_empty() || self.profiles.contains(&profile) || of_windows
    }
}

/// What may come of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A method's return value.
    Status(Hresult),
    /// An RPC fault.
    Fault(u32),
    /// The bind is accepted, or refused.
    Bind(bool),
    /// The result of something done with a file.
    File(FileResult),
}

/// How something done with a file may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileResult {
    /// It was done, and the content was the one demanded.
    Done,
    /// Writing is not permitted here.
    Refused,
    /// The share is not there.
    NoShare,
    /// The file is not there.
    NoFile,
}

impl FileResult {
    /// All of them with their words.
    pub const WORDS: [(&'static str, FileResult); 4] = [
        ("done", FileResult::Done),
        ("refused", FileResult::Refused),
        ("no-share", FileResult::NoShare),
        ("no-file", FileResult::NoFile),
    ];
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Status(status) => write!(f, "{status:?}"),
            Wanted::Fault(code) => write!(f, "fault {}", fault_text(*code)),
            Wanted::Bind(true) => f.write_str("bind accepted"),
            Wanted::Bind(false) => f.write_str("bind refused"),
            Wanted::File(result) => {
                let word = FileResult::WORDS
                    .iter()
                    .find(|(_, other)| other == result)
                    .map_or("", |(word, _)| *word);
                f.write_str(word)
            }
        }
    }
}

/// The RPC faults that cases speak of, by C706 appendix E and MS-RPCE.
pub(super) const FAULTS: [(&str, u32); 4] = [
    ("nca_s_op_rng_error", 0x1c01_0002),
    ("rpc_x_bad_stub_data", 0x0000_06f7),
    ("nca_s_fault_ndr", 0x0000_06f7),
    ("nca_s_fault_access_denied", 0x0000_0005),
];

/// An RPC fault with its name where it has one.
#[must_use]
pub fn fault_text(code: u32) -> String {
    match FAULTS.iter().find(|(_, known)| *known == code) {
        Some((name, _)) => format!("{name} ({code:#010x})"),
        None => format!("{code:#010x}"),
    }
}

/// What one out parameter must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutCheck {
    /// The parameter's name in the specification.
    pub parameter: String,
    /// Any of these will do.
    pub any_of: Vec<OutValue>,
}

/// What an out parameter may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutValue {
    /// Zero, the nil GUID or a NULL pointer.
    Zero,
    /// Not [`OutValue::Zero`].
    NonZero,
    /// A GUID that is not nil and that did not come up in the case before.
    New,
    /// The id that a step saved under this name.
    Saved(String),
    /// What the same parameter was in the answer saved under this name.
    Same(String),
    /// A time within five minutes of now.
    Recent,
    /// The bare name, or the UNC name, of the share that exposes the call's shadow copy: base
    /// name, `@`, id in braces; the id compared without case.
    ExposedName,
    /// [`OutValue::ExposedName`], bare or with the host of the call's share before it.
    ExposedNameHere,
    /// The exposed name with `$` appended.
    ExposedNameHidden,
    /// A number.
    Number(i64),
    /// A number up to this one.
    UpTo(i64),
    /// A number with all of these bits.
    Bits(i64),
    /// A text, with placeholders, compared without case and without a trailing backslash.
    Text(String),
}

impl OutValue {
    /// Reads the word for a check: `zero`, `non-zero`, `new`, `recent`, `exposed-name`,
    /// `exposed-name-here`, `exposed-name$`, `saved NAME`, `same NAME`, `up-to N`, `bits N`;
    /// anything else is a text.
    #[must_use]
    pub fn from_word(word: &str) -> OutValue {
        match word {
            "zero" | "nil" | "null" => OutValue::Zero,
            "non-zero" => OutValue::NonZero,
            "new" => OutValue::New,
            "recent" => OutValue::Recent,
            "exposed-name" => OutValue::ExposedName,
            "exposed-name-here" => OutValue::ExposedNameHere,
            "exposed-name$" => OutValue::ExposedNameHidden,
            _ => match word.split_once(' ') {
                Some(("saved", name)) => OutValue::Saved(name.to_owned()),
                Some(("same", name)) => OutValue::Same(name.to_owned()),
                Some(("up-to", number)) if number.parse::<i64>().is_ok() => {
                    OutValue::UpTo(number.parse().unwrap_or_default())
                }
                Some(("bits", number)) if number.parse::<i64>().is_ok() => {
                    OutValue::Bits(number.parse().unwrap_or_default())
                }
                _ => OutValue::Text(word.to_owned()),
            },
        }
    }
}

impl fmt::Display for OutValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutValue::Zero => f.write_str("zero"),
            OutValue::NonZero => f.write_str("non-zero"),
            OutValue::New => f.write_str("a new id"),
            OutValue::Saved(name) => write!(f, "the id of {name}"),
            OutValue::Same(name) => write!(f, "the same as in {name}"),
            OutValue::Recent => f.write_str("a time within five minutes of now"),
            OutValue::ExposedName => f.write_str("SHARE@{id of the shadow copy}"),
            OutValue::ExposedNameHere => {
                f.write_str("SHARE@{id of the shadow copy} on the host of the share")
            }
            OutValue::ExposedNameHidden => f.write_str("SHARE@{id of the shadow copy}$"),
            OutValue::Number(number) => write!(f, "{number}"),
            OutValue::UpTo(number) => write!(f, "at most {number}"),
            OutValue::Bits(number) => write!(f, "with the bits {number:#x}"),
            OutValue::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// The out parameters of each method, by the specification's names.
#[must_use]
pub(super) fn out_parameters(method: Opnum) -> &'static [&'static str] {
    match method {
        Opnum::GetSupportedVersion => &["MinVersion", "MaxVersion"],
        Opnum::StartShadowCopySet => &["ShadowCopySetId"],
        Opnum::AddToShadowCopySet => &["ShadowCopyId"],
        Opnum::IsPathSupported => &["SupportedByThisProvider", "OwnerMachineName"],
        Opnum::IsPathShadowCopied => &["ShadowCopyPresent", "ShadowCopyCompatibility"],
        Opnum::GetShareMapping => &[
            "Level",
            "ShadowCopySetId",
            "ShadowCopyId",
            "ShareNameUNC",
            "ShadowCopyShareName",
            "CreationTimestamp",
        ],
        _ => &[],
    }
}
