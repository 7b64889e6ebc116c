//! What a case knows while it is played: saved ids and answers, placeholders, out parameters.

use crate::case::{CallTemplate, IdRef, Target};
use fsrvp_wire::fsrvp::{
    Call, Opnum, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_share_mapping, get_supported_version, is_path_shadow_copied, is_path_supported,
    prepare_shadow_copy_set, recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An id that no server made.
const UNKNOWN_ID: Uuid = Uuid::from_u128(0x0bad_1d00_7e57_4c0d_8e11_00c0_ffee_0001);
/// A share that no server has.
const MISSING_SHARE: &str = "fsrvp-no-such-share";

/// Makes the ids that a client chooses, the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct IdSource {
    state: u64,
}

impl IdSource {
    /// Ids for a seed.
    #[must_use]
    pub fn new(seed: u64) -> IdSource {
        IdSource { state: seed }
    }

    /// The next id: a version 4 GUID from the splitmix64 sequence.
    pub fn next_id(&mut self) -> Uuid {
        let (high, low) = (self.next_number(), self.next_number());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
    }

    /// The ids of one case in a run of this seed, whatever was played before it: FNV-1a of its id
    /// says where in the sequence they begin.
    #[must_use]
    pub fn of_case(seed: u64, case: &str) -> IdSource {
        let hash = case.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        IdSource::new(seed ^ hash)
    }

    fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The value of an out parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// An integer, a BOOL or a time.
    Number(i64),
    /// A GUID.
    Id(Uuid),
    /// A string; `None` is NULL.
    Text(Option<String>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Id(id) => write!(f, "{id}"),
            Value::Text(None) => f.write_str("NULL"),
            Value::Text(Some(text)) => write!(f, "{text:?}"),
        }
    }
}

/// The out parameters of an answer, by the specification's names. A NULL mapping has no fields.
pub(crate) fn out_values(reply: &Reply) -> BTreeMap<&'static str, Value> {
    let text = |text: &Option<WideString>| Value::Text(text.as_ref().map(WideString::text));
    let number = |number: u32| Value::Number(i64::from(number));
    let mut out = BTreeMap::new();
    match reply {
        Reply::GetSupportedVersion(r) => {
            out.insert("MinVersion", number(r.min_version));
            out.insert("MaxVersion", number(r.max_version));
        }
        Reply::StartShadowCopySet(r) => {
            out.insert("ShadowCopySetId", Value::Id(r.shadow_copy_set_id.0));
        }
        Reply::AddToShadowCopySet(r) => {
            out.insert("ShadowCopyId", Value::Id(r.shadow_copy_id.0));
        }
        Reply::IsPathSupported(r) => {
            out.insert(
                "SupportedByThisProvider",
                number(r.supported_by_this_provider),
            );
            out.insert("OwnerMachineName", text(&r.owner_machine_name));
        }
        Reply::IsPathShadowCopied(r) => {
            out.insert("ShadowCopyPresent", number(r.shadow_copy_present));
            let bits = i64::from(r.shadow_copy_compatibility);
            out.insert("ShadowCopyCompatibility", Value::Number(bits));
        }
        Reply::GetShareMapping(r) => {
            out.insert("Level", number(r.share_mapping.level));
            if let Some(mapping) = &r.share_mapping.mapping {
                out.insert("ShadowCopySetId", Value::Id(mapping.shadow_copy_set_id.0));
                out.insert("ShadowCopyId", Value::Id(mapping.shadow_copy_id.0));
                out.insert("ShareNameUNC", text(&mapping.share_name_unc));
                out.insert("ShadowCopyShareName", text(&mapping.shadow_copy_share_name));
                out.insert(
                    "CreationTimestamp",
                    Value::Number(mapping.creation_timestamp),
                );
            }
        }
        _ => {}
    }
    out
}

/// What a case knows while it is played.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// Ids by the name they were saved under.
    pub(crate) ids: BTreeMap<String, Uuid>,
    /// Answers by the name they were saved under.
    pub(crate) replies: BTreeMap<String, Reply>,
    /// The share name that each shadow copy was made of.
    pub(crate) share_of: BTreeMap<Uuid, String>,
    /// The share that exposes each shadow copy, as the server named it.
    pub(crate) exposed_as: BTreeMap<Uuid, String>,
}

impl Values {
    /// The id that a call means; an error names the saved one that never came.
    pub(crate) fn id(&self, reference: &IdRef, ids: &mut IdSource) -> Result<Uuid, String> {
        match reference {
            IdRef::Nil => Ok(Uuid::nil()),
            IdRef::Unknown => Ok(UNKNOWN_ID),
            IdRef::New => Ok(ids.next_id()),
            IdRef::Saved(name) => {
                self.ids.get(name).copied().ok_or_else(|| {
                    format!("no id was saved as {name}: the step that saves it failed")
                })
            }
        }
    }

    /// The share that exposes a shadow copy: as the server named it, or as MS-FSRVP 3.1.4.6 has
    /// the name formed.
    pub(crate) fn exposed_share(&self, name: &str) -> Result<String, String> {
        let id = self
            .ids
            .get(name)
            .ok_or_else(|| format!("no shadow copy was saved as {name}"))?;
        if let Some(share) = self.exposed_as.get(id) {
            return Ok(share.clone());
        }
        let base = self
            .share_of
            .get(id)
            .ok_or_else(|| format!("{name} is no shadow copy"))?;
        Ok(format!("{base}@{{{id}}}"))
    }

    /// Keeps what a successful answer says under `name`, in place of what was there.
    pub(crate) fn save(&mut self, name: &str, call: &Call, reply: &Reply) {
        let id = match reply {
            Reply::StartShadowCopySet(r) => Some(r.shadow_copy_set_id.0),
            Reply::AddToShadowCopySet(r) => Some(r.shadow_copy_id.0),
            _ => None,
        };
        if let Some(id) = id {
            self.ids.insert(name.to_owned(), id);
        }
        if let (Some(id), Call::AddToShadowCopySet(request)) = (id, call) {
            let share = share_part(&request.share_name.text());
            self.share_of.insert(id, share);
        }
        if let Reply::GetShareMapping(r) = reply
            && let Some(mapping) = &r.share_mapping.mapping
            && let Some(name) = &mapping.shadow_copy_share_name
        {
            let share = share_part(&name.text());
            self.exposed_as.insert(mapping.shadow_copy_id.0, share);
        }
        self.replies.insert(name.to_owned(), reply.clone());
    }
}

/// The share in `\\host\share\...`; a text without backslashes is the share itself.
pub(crate) fn share_part(unc: &str) -> String {
    match unc.strip_prefix(r"\\") {
        Some(rest) => rest.split('\\').nth(1).unwrap_or_default().to_owned(),
        None => unc.to_owned(),
    }
}

/// `text` with its placeholders replaced by what the target has.
pub(crate) fn fill(text: &str, target: &Target) -> String {
    let share = |n: usize| target.shares.get(n).cloned().unwrap_or_default();
    let first = |names: &[String]| names.first().cloned().unwrap_or_default();
    let or_none = |name: &Option<String>| name.clone().unwrap_or_default();
    let pairs = [
        ("{host}", target.host.clone()),
        ("{share}", share(0)),
        ("{share2}", share(1)),
        ("{share3}", share(2)),
        ("{SHARE}", other_case(&share(0))),
        ("{same_store}", first(&target.same_store)),
        ("{hidden}", or_none(&target.hidden)),
        ("{unsupported}", first(&target.unsupported)),
        ("{mount_points}", or_none(&target.mount_points)),
        ("{restricted}", or_none(&target.restricted)),
        ("{no_defragmentation}", or_none(&target.no_defragmentation)),
        ("{no_indexing}", or_none(&target.no_indexing)),
        ("{missing}", MISSING_SHARE.to_owned()),
    ];
    pairs.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(name, value)
    })
}

/// The same letters in the other case.
fn other_case(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

/// The call that a template means.
pub(crate) fn build_call(
    template: &CallTemplate,
    values: &Values,
    target: &Target,
    ids: &mut IdSource,
) -> Result<Call, String> {
    use Opnum as M;
    let set = ShadowCopySetId(values.id(&template.set, ids)?);
    let copy = ShadowCopyId(values.id(&template.copy, ids)?);
    let share = || WideString::from_text(&fill(&template.share, target));
    let timeout_ms = template.timeout_ms;
    Ok(match template.method {
        M::GetSupportedVersion => Call::GetSupportedVersion(get_supported_version::Request {}),
        M::SetContext => Call::SetContext(set_context::Request {
            context: template.context,
        }),
        M::StartShadowCopySet => Call::StartShadowCopySet(start_shadow_copy_set::Request {
            client_shadow_copy_set_id: values.id(&template.client_id, ids)?,
        }),
        M::AddToShadowCopySet => Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
            client_shadow_copy_id: values.id(&template.client_id, ids)?,
            shadow_copy_set_id: set,
            share_name: share(),
        }),
        M::CommitShadowCopySet => Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
            shadow_copy_set_id: set,
            timeout_ms,
        }),
        M::ExposeShadowCopySet => Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
            shadow_copy_set_id: set,
            timeout_ms,
        }),
        M::RecoveryCompleteShadowCopySet => {
            Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
                shadow_copy_set_id: set,
            })
        }
        M::AbortShadowCopySet => Call::AbortShadowCopySet(abort_shadow_copy_set::Request {
            shadow_copy_set_id: set,
        }),
        M::IsPathSupported => Call::IsPathSupported(is_path_supported::Request {
            share_name: share(),
        }),
        M::IsPathShadowCopied => Call::IsPathShadowCopied(is_path_shadow_copied::Request {
            share_name: share(),
        }),
        M::GetShareMapping => Call::GetShareMapping(get_share_mapping::Request {
            shadow_copy_id: copy,
            shadow_copy_set_id: set,
            share_name: share(),
            level: template.level,
        }),
        M::DeleteShareMapping => Call::DeleteShareMapping(delete_share_mapping::Request {
            shadow_copy_set_id: set,
            shadow_copy_id: copy,
            share_name: share(),
        }),
        M::PrepareShadowCopySet => Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
            shadow_copy_set_id: set,
            timeout_ms,
        }),
        other => return Err(format!("opnum {} names no method", other.0)),
    })
}
