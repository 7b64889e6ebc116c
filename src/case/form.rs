//! The form of a case file, as its keys and values stand there.

use crate::case::answer;
use crate::case::needs::Feature;
use crate::case::target::{Dialect, Profile, RpcLevel};
use crate::case::{BackendStep, BackendWork, ClientSpec, User};
use crate::requirement::{RequirementId, nearest};
use fsrvp_wire::fsrvp::{Context, Hresult};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    pub(super) title: String,
    pub(super) why: Option<String>,
    #[serde(default)]
    pub(super) needs: BTreeSet<Feature>,
    #[serde(default)]
    pub(super) client: BTreeMap<String, ClientFile>,
    pub(super) step: Vec<toml::Spanned<StepFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientFile {
    #[serde(default)]
    pub(super) user: UserFile,
    pub(super) rpc: Option<RpcLevel>,
    #[serde(default)]
    pub(super) raw_ntlm: bool,
    pub(super) auth_type: Option<u8>,
    pub(super) dialect: Option<Dialect>,
    #[serde(default)]
    pub(super) other_address: bool,
    pub(super) interface_version: Option<(u16, u16)>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UserFile {
    #[default]
    Admin,
    Plain,
    BackupOperator,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NameOrNumber {
    Number(u32),
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) client: Option<String>,
    pub(super) save: Option<String>,
    pub(super) repeat: Option<u32>,
    pub(super) until: Option<NameOrNumber>,
    pub(super) expect: Option<ExpectFile>,
    // A call.
    pub(super) call: Option<String>,
    pub(super) context: Option<NameOrNumber>,
    pub(super) set: Option<String>,
    pub(super) copy: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) share: Option<String>,
    pub(super) level: Option<u32>,
    pub(super) timeout_ms: Option<u32>,
    // A raw request.
    pub(super) raw: Option<NameOrNumber>,
    pub(super) stub: Option<String>,
    // A file.
    pub(super) file: Option<VerbFile>,
    pub(super) exposed: Option<String>,
    pub(super) name: Option<String>,
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) holds: Vec<String>,
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    pub(super) handle: Option<String>,
    // Time.
    pub(super) advance_s: Option<u64>,
    pub(super) of_s: Option<u64>,
    // A connection.
    pub(super) connection: Option<ConnectionFile>,
    // A call that is not waited for, and its answer.
    pub(super) background: Option<String>,
    pub(super) answer: Option<String>,
    // The server.
    pub(super) restart: Option<bool>,
    pub(super) backend: Option<BackendStep>,
    pub(super) at: Option<BackendWork>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum VerbFile {
    Connect,
    Open,
    Write,
    Read,
    Remove,
    List,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConnectionFile {
    Open,
    Drop,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFile {
    pub(super) requirement: Option<RequirementId>,
    #[serde(default)]
    pub(super) requirements: Vec<RequirementId>,
    pub(super) status: Option<NameOrNumber>,
    pub(super) fault: Option<NameOrNumber>,
    pub(super) bind: Option<BindFile>,
    pub(super) result: Option<String>,
    #[serde(default)]
    pub(super) out: BTreeMap<String, OutFile>,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) or: Vec<AnswerFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerFile {
    pub(super) status: Option<NameOrNumber>,
    pub(super) fault: Option<NameOrNumber>,
    pub(super) bind: Option<BindFile>,
    pub(super) result: Option<String>,
    #[serde(default)]
    pub(super) out: BTreeMap<String, OutFile>,
    pub(super) source: String,
    #[serde(default)]
    pub(super) profiles: Vec<Profile>,
    pub(super) verdict: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum BindFile {
    Accepted,
    Refused,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OutFile {
    Number(i64),
    Word(String),
    AnyOf(Vec<String>),
}

impl From<ClientFile> for ClientSpec {
    fn from(file: ClientFile) -> ClientSpec {
        ClientSpec {
            user: match file.user {
                UserFile::Admin => User::Admin,
                UserFile::Plain => User::Plain,
                UserFile::BackupOperator => User::BackupOperator,
            },
            rpc: file.rpc,
            raw_ntlm: file.raw_ntlm,
            auth_type: file.auth_type,
            dialect: file.dialect,
            other_address: file.other_address,
            interface_version: file.interface_version,
        }
    }
}

pub(super) fn read_context(context: NameOrNumber) -> Result<Context, String> {
    let name = match context {
        NameOrNumber::Number(number) => return Ok(Context(number)),
        NameOrNumber::Name(name) => name,
    };
    let mut value = 0;
    for part in name.split('|') {
        let bits = Context::BASES
            .iter()
            .find(|(base, _)| *base == part)
            .map(|(_, context)| context.0);
        value |= match (bits, part) {
            (Some(bits), _) => bits,
            (None, "ATTR_AUTO_RECOVERY") => Context::ATTR_AUTO_RECOVERY,
            (None, "ATTR_NO_AUTO_RECOVERY") => Context::ATTR_NO_AUTO_RECOVERY,
            _ => {
                return Err(format!(
                    "unknown context {part}: give a CTX_ name or a number"
                ));
            }
        };
    }
    Ok(Context(value))
}

pub(super) fn hresult(code: NameOrNumber) -> Result<Hresult, String> {
    match code {
        NameOrNumber::Number(number) => Ok(Hresult(number)),
        NameOrNumber::Name(name) => Hresult::from_name(&name).ok_or_else(|| {
            let known = Hresult::NAMED.iter().filter_map(|code| code.name());
            match nearest(&name, known) {
                Some(near) => format!("unknown code {name}; the nearest known one is {near}"),
                None => format!("unknown code {name}"),
            }
        }),
    }
}

pub(super) fn read_fault(fault: NameOrNumber) -> Result<u32, String> {
    match fault {
        NameOrNumber::Number(number) => Ok(number),
        NameOrNumber::Name(name) => answer::FAULTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, code)| *code)
            .ok_or_else(|| format!("unknown fault {name}: give its number")),
    }
}

/// Bytes from hexadecimal digits; blanks are for the reader.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| {
            character
                .to_digit(16)
                .ok_or_else(|| format!("stub: {character:?} is no hexadecimal digit"))
        })
        .collect::<Result<_, _>>()?;
    if !digits.len().is_multiple_of(2) {
        return Err("stub: an odd number of hexadecimal digits".to_owned());
    }
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).map_err(|error| error.to_string()),
            _ => Err("stub: an odd number of hexadecimal digits".to_owned()),
        })
        .collect()
}
