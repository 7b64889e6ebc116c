//! A backend that takes its time, or all time: a program that ends when the test says so.

use super::bystander::{call, target};
use crate::raw::Raw;
use crate::server::Server;
use fsrvp::drive::ManualClient;
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_supported_version, prepare_shadow_copy_set, recovery_complete_shadow_copy_set, set_context,
    start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::smb2::{NtStatus, write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// Copies when there is somebody who opens the other end of its pipe.
const SCRIPT: &str = r#"#!/bin/sh
set -eu
order=$(cat)
field() { printf '%s' "$order" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
copy=$(dirname "$0")/vendor/$(field shadow_copy_id)
case $1 in
create)
    echo "$copy" >>"$(dirname "$0")/begun"
    : <"$(dirname "$0")/go"
    mkdir -p "$(dirname "$0")/vendor"
    cp -a "$(field source)" "$copy"
    printf '{"path": "%s"}' "$copy"
    ;;
remove) rm -rf -- "$copy" ;;
esac
"#;

/// A server whose backend waits, and the pipe that it waits for.
fn slow_server(timeout_s: f64) -> (Server, tempfile::TempDir, PathBuf) {
    let programs = tempfile::tempdir().expect("a directory");
    let script = programs.path().join("program");
    std::fs::write(&script, SCRIPT).expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("a program");
    let go = programs.path().join("go");
    let made = std::process::Command::new("mkfifo").arg(&go).status();
    assert!(made.expect("mkfifo").success());
    let line = |action: &str| format!("[{:?}, {action:?}]", script.display().to_string());
    let keys = format!(
        "command = {{ create = {}, remove = {}, timeout_s = {timeout_s:?} }}",
        line("create"),
        line("remove")
    );
    let server = Server::of_backend("command", &keys);
    std::fs::write(server.share("data").join("file"), "before").expect("written");
    (server, programs, go)
}

async fn prepared(client: &mut ManualClient) -> (ShadowCopySetId, ShadowCopyId) {
    let context = Context::CTX_BACKUP;
    call(client, Call::SetContext(set_context::Request { context })).await;
    let request = start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::from_u128(1),
    };
    let Reply::StartShadowCopySet(started) = call(client, Call::StartShadowCopySet(request)).await
    else {
        unreachable!("another method's reply");
    };
    let shadow_copy_set_id = started.shadow_copy_set_id;
    let request = add_to_shadow_copy_set::Request {
        client_shadow_copy_id: Uuid::from_u128(2),
        shadow_copy_set_id,
        share_name: WideString::from_text(r"\\server\data"),
    };
    let Reply::AddToShadowCopySet(added) = call(client, Call::AddToShadowCopySet(request)).await
    else {
        unreachable!("another method's reply");
    };
    let prepare = prepare_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: 60_000,
    };
    call(client, Call::PrepareShadowCopySet(prepare)).await;
    (shadow_copy_set_id, added.shadow_copy_id)
}

fn commit(shadow_copy_set_id: ShadowCopySetId, timeout_ms: u32) -> Call {
    Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms,
    })
}

async fn code(client: &mut ManualClient, call: &Call) -> Hresult {
    let reply = client.call(call).await.expect("a connection");
    reply.expect("a reply").status()
}

/// MS-FSRVP 3.1.4.5: the first Commit is told in time that it takes longer, the copy goes on being
/// made, and a second Commit waits for its end.
#[tokio::test]
async fn a_second_commit_waits_for_the_work_of_the_first() {
    let (server, programs, go) = slow_server(60.0);
    let target = target(&server);
    let mut client = ManualClient::connect(&target).await.expect("logged on");
    let (set, copy) = prepared(&mut client).await;
    let timeout = Hresult::FSSAGENT_E_TIMEOUT;
    assert_eq!(code(&mut client, &commit(set, 300)).await, timeout);
    // Two clients wait for one work.
    let mut other = ManualClient::connect(&target).await.expect("logged on");
    assert_eq!(code(&mut other, &commit(set, 200)).await, timeout);
    // Somebody who can write is what the program waits for; one who can read as well does not wait.
    let go = std::fs::OpenOptions::new().read(true).write(true).open(go);
    call(&mut client, commit(set, 60_000)).await;
    drop(go.expect("opened"));
    let begun = std::fs::read_to_string(programs.path().join("begun")).expect("a list");
    assert_eq!(begun.lines().count(), 1, "one work for all who waited");
    let expose = expose_shadow_copy_set::Request {
        shadow_copy_set_id: set,
        timeout_ms: 60_000,
    };
    std::fs::write(server.share("data").join("file"), "after").expect("written");
    call(&mut client, Call::ExposeShadowCopySet(expose)).await;
    let share = format!("data@{{{}}}", copy.0);
    let got = client.get(&share, "file").await.expect("a connection");
    assert_eq!(got, Ok(b"before".to_vec()));
}

/// Changes of many connections wait for the end of a commit; whoever reads, and whoever deletes
/// another set, does not wait for them.
#[tokio::test]
async fn changes_that_wait_for_a_commit_hold_up_no_others() {
    let (server, _programs, go) = slow_server(60.0);
    let target = target(&server);
    let mut client = ManualClient::connect(&target).await.expect("logged on");
    let open = || std::fs::OpenOptions::new().read(true).write(true).open(&go);
    let going = open().expect("opened");
    let (first, copy) = prepared(&mut client).await;
    call(&mut client, commit(first, 60_000)).await;
    let expose = expose_shadow_copy_set::Request {
        shadow_copy_set_id: first,
        timeout_ms: 60_000,
    };
    call(&mut client, Call::ExposeShadowCopySet(expose)).await;
    let recover = recovery_complete_shadow_copy_set::Request {
        shadow_copy_set_id: first,
    };
    call(&mut client, Call::RecoveryCompleteShadowCopySet(recover)).await;
    drop(going);
    let (second, _) = prepared(&mut client).await;
    let timeout = code(&mut client, &commit(second, 300)).await;
    assert_eq!(timeout, Hresult::FSSAGENT_E_TIMEOUT);
    let mut floods = flood(&server);
    let mut other = ManualClient::connect(&target).await.expect("logged on");
    let delete = delete_share_mapping::Request {
        shadow_copy_set_id: first,
        shadow_copy_id: copy,
        share_name: WideString::from_text(r"\\server\data"),
    };
    let others = async {
        let got = other.get("data", "file").await.expect("a connection");
        assert_eq!(got, Ok(b"before".to_vec()));
        call(&mut other, Call::DeleteShareMapping(delete)).await;
    };
    let others = tokio::time::timeout(Duration::from_secs(15), others).await;
    others.expect("the others did not wait");
    let going = open().expect("opened");
    call(&mut client, commit(second, 60_000)).await;
    drop(going);
    for (raw, writes) in &mut floods {
        for _ in 0..*writes {
            assert_eq!(raw.answer().0.status, NtStatus::SUCCESS, "and none is lost");
        }
    }
}

/// Connections with more writes than a server has threads, all waiting; with how many each.
fn flood(server: &Server) -> Vec<(Raw, usize)> {
    let writes = 40;
    let mut floods = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::inside(server.address(), "data");
        let file_id = raw.open_to_write("file").expect("open");
        for offset in 0..writes {
            let request = write::Request {
                offset: 100 + offset,
                file_id,
                data: vec![7],
                ..write::Request::default()
            };
            let message = raw.message(&request);
            raw.send(&message).expect("sent");
        }
        let told = raw.receive().expect("a word").0;
        assert_eq!(told.status, NtStatus::PENDING);
        floods.push((raw, usize::try_from(writes).expect("few")));
    }
    floods
}

/// A program that never ends is killed at its time, the commit fails and leaves nothing, and others
/// were served meanwhile.
#[tokio::test]
async fn a_program_that_never_ends_fails_its_commit_and_nothing_else() {
    let (server, _programs, _go) = slow_server(2.0);
    let target = target(&server);
    let mut client = ManualClient::connect(&target).await.expect("logged on");
    let (set, _) = prepared(&mut client).await;
    let hung = commit(set, 60_000);
    let mut other = ManualClient::connect(&target).await.expect("logged on");
    let (failed, ()) = tokio::join!(code(&mut client, &hung), async {
        let version = Call::GetSupportedVersion(get_supported_version::Request);
        call(&mut other, version).await;
        let got = other.get("data", "file").await.expect("a connection");
        assert_eq!(got, Ok(b"before".to_vec()));
        // This one waits for the end of the freeze, and is not lost.
        let put = tokio::time::timeout(Duration::from_secs(30), other.put("data", "new", b"x"));
        put.await
            .expect("in time")
            .expect("a connection")
            .expect("written");
    });
    assert_eq!(failed, Hresult::E_FAIL);
    let abort = abort_shadow_copy_set::Request {
        shadow_copy_set_id: set,
    };
    call(&mut client, Call::AbortShadowCopySet(abort)).await;
    let copies = server.share("data").join(".fsrvp-copies");
    let left = std::fs::read_dir(copies).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}
