//! The whole state table of MS-FSRVP 3.1.4: every method in every situation, as one golden.

use super::bench::{self, Bench, UNKNOWN};
use crate::agent::Status;
use fsrvp_wire::fsrvp::{Call, Context, Reply, ShadowCopyId, ShadowCopySetId};

type Make = fn(ShadowCopySetId, ShadowCopyId) -> Call;

const METHODS: [(&str, Make); 14] = [
    ("GetSupportedVersion", |_, _| bench::version()),
    ("SetContext", |_, _| bench::set_context(Context::CTX_BACKUP)),
    ("StartShadowCopySet", |_, _| bench::start()),
    ("AddToShadowCopySet, same store", |set, _| {
        bench::add(set, "alias")
    }),
    ("AddToShadowCopySet, other store", |set, _| {
        bench::add(set, "more")
    }),
    ("PrepareShadowCopySet", |set, _| bench::prepare(set)),
    ("CommitShadowCopySet", |set, _| bench::commit(set)),
    ("ExposeShadowCopySet", |set, _| bench::expose(set)),
    ("RecoveryComplete", |set, _| bench::recover(set)),
    ("AbortShadowCopySet", |set, _| bench::abort(set)),
    ("IsPathSupported", |_, _| bench::supported("data")),
    ("IsPathShadowCopied, same store", |_, _| {
        bench::copied("alias")
    }),
    ("GetShareMapping", |set, copy| {
        bench::mapping(set, copy, "data", 1)
    }),
    ("DeleteShareMapping", |set, copy| {
        bench::delete(set, copy, "data")
    }),
];

const SITUATIONS: [(&str, Option<Status>); 8] = [
    ("no context", None),
    ("context", None),
    ("Started", Some(Status::Started)),
    ("Added", Some(Status::Added)),
    ("CreationInProgress", Some(Status::CreationInProgress)),
    ("Committed", Some(Status::Committed)),
    ("Exposed", Some(Status::Exposed)),
    ("Recovered", Some(Status::Recovered)),
];

/// The situation, freshly made, with the ids of its set and copy.
fn situation(name: &str, status: Option<Status>) -> (Bench, ShadowCopySetId, ShadowCopyId) {
    let mut bench = Bench::new();
    let (set, copy) = match status {
        Some(status) => bench.reach(Context::CTX_BACKUP, status),
        None => {
            if name == "context" {
                bench.call(bench::set_context(Context::CTX_BACKUP));
            }
            (ShadowCopySetId(UNKNOWN), ShadowCopyId(UNKNOWN))
        }
    };
    (bench, set, copy)
}

/// The answer, and what it changed: the set's status, and `C` where a context is set afterwards.
fn describe(bench: &Bench, set: ShadowCopySetId, reply: Option<&Reply>) -> String {
    let answer = match reply {
        Some(Reply::IsPathShadowCopied(response)) => format!(
            "{} present={}",
            response.status, response.shadow_copy_present
        ),
        Some(reply) => reply.status().to_string(),
        None => "waits".to_owned(),
    };
    let status = match bench.agent.state().set(set) {
        Some(set) => format!("{:?}", set.status),
        None => "-".to_owned(),
    };
    let sets = bench.agent.state().sets.len();
    let context = if bench.agent.context().is_some() {
        "C"
    } else {
        "c"
    };
    format!("{answer} {status} {sets} {context}")
}

#[test]
fn every_method_in_every_situation() {
    let mut text = String::from("answer, status of the set, number of sets, C: context set\n");
    for (method, make) in METHODS {
        text += &format!("\n{method}\n");
        for (name, status) in SITUATIONS {
            let (mut bench, set, copy) = situation(name, status);
            let token = bench.send(make(set, copy));
            let reply = bench.reply_to(token).cloned();
            text += &format!("  {name:<19} {}\n", describe(&bench, set, reply.as_ref()));
        }
    }
    insta::assert_snapshot!("state_table", text);
}
