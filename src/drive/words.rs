//! What a step does, in the words of a report.

use crate::drive::verbs::FileJob;
use fsrvp_wire::fsrvp::Call;

/// A call as a report shows it.
pub(crate) fn describe(call: &Call) -> String {
    let name = call.opnum().name().unwrap_or_default();
    let what = match call {
        Call::GetSupportedVersion(_) => String::new(),
        Call::SetContext(r) => format!("{:?}", r.context),
        Call::StartShadowCopySet(_) => String::new(),
        Call::AddToShadowCopySet(r) => {
            format!("set {} share {}", r.shadow_copy_set_id, r.share_name.text())
        }
        Call::CommitShadowCopySet(r) => format!("set {}", r.shadow_copy_set_id),
        Call::ExposeShadowCopySet(r) => format!("set {}", r.shadow_copy_set_id),
        Call::PrepareShadowCopySet(r) => format!("set {}", r.shadow_copy_set_id),
        Call::RecoveryCompleteShadowCopySet(r) => format!("set {}", r.shadow_copy_set_id),
        Call::AbortShadowCopySet(r) => format!("set {}", r.shadow_copy_set_id),
        Call::IsPathSupported(r) => r.share_name.text(),
        Call::IsPathShadowCopied(r) => r.share_name.text(),
        Call::GetShareMapping(r) => format!(
            "set {} copy {} share {} level {}",
            r.shadow_copy_set_id,
            r.shadow_copy_id,
            r.share_name.text(),
            r.level
        ),
        Call::DeleteShareMapping(r) => format!(
            "set {} copy {} share {}",
            r.shadow_copy_set_id,
            r.shadow_copy_id,
            r.share_name.text()
        ),
    };
    format!("{name} {what}").trim_end().to_owned()
}

/// A use of a file as a report shows it.
pub(crate) fn describe_job(job: &FileJob) -> String {
    let verb = format!("{:?}", job.verb).to_lowercase();
    match job.name.as_str() {
        "" => format!("{verb} share {}", job.share),
        name => format!("{verb} {name} on share {}", job.share),
    }
}
