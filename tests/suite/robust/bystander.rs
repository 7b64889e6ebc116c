//! Another client, whose lifecycles go on as if nothing were the matter.

use crate::server::Server;
use fsrvp::case::Target;
use fsrvp::drive::ManualClient;
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, add_to_shadow_copy_set, commit_shadow_copy_set,
    delete_share_mapping, expose_shadow_copy_set, prepare_shadow_copy_set,
    recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

const TIMEOUT_MS: u32 = 60_000;
const UNC: &str = r"\\server\more";

/// The server as our own client sees it.
pub(crate) fn target(server: &Server) -> Target {
    let path = server.target("", "");
    let text = std::fs::read_to_string(&path).expect("a target file");
    let read = |path: &std::path::Path| std::fs::read_to_string(path);
    Target::read(&path, &text, &|_| None, &read).expect("a target")
}

/// A call that is answered with ZERO.
pub(crate) async fn call(client: &mut ManualClient, call: Call) -> Reply {
    let reply = client.call(&call).await.expect("a connection");
    let reply = reply.expect("a reply");
    assert_eq!(reply.status(), Hresult::ZERO, "{call:?}: {reply:?}");
    reply
}

/// Does what `hostile` does while another client plays lifecycles, each from its logon to its end;
/// the last of them begins when the hostility is over.
pub(crate) fn beside<T>(server: &Server, hostile: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let is_over = AtomicBool::new(false);
    let target = target(server);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            for round in 0.. {
                let is_last = is_over.load(Ordering::SeqCst);
                runtime.block_on(lifecycle(&target, round));
                if is_last {
                    return;
                }
            }
        });
        let over = Over(&is_over);
        let done = hostile();
        drop(over);
        others.join().expect("the bystander's lifecycles");
        done
    })
}

/// A whole lifecycle on a connection of its own, with a look at what it has made.
async fn lifecycle(target: &Target, round: u64) {
    let mut client = ManualClient::connect(target).await.expect("logged on");
    let content = format!("round {round}").into_bytes();
    let put = client.put("more", "bystander", &content).await;
    put.expect("a connection").expect("written");
    let context = Context(Context::CTX_APP_ROLLBACK.0 | Context::ATTR_AUTO_RECOVERY);
    call(
        &mut client,
        Call::SetContext(set_context::Request { context }),
    )
    .await;
    let request = start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::from_u128(1),
    };
    let Reply::StartShadowCopySet(started) =
        call(&mut client, Call::StartShadowCopySet(request)).await
    else {
        unreachable!("another method's reply");
    };
    let shadow_copy_set_id = started.shadow_copy_set_id;
    let request = add_to_shadow_copy_set::Request {
        client_shadow_copy_id: Uuid::from_u128(2),
        shadow_copy_set_id,
        share_name: WideString::from_text(UNC),
    };
    let Reply::AddToShadowCopySet(added) =
        call(&mut client, Call::AddToShadowCopySet(request)).await
    else {
        unreachable!("another method's reply");
    };
    let shadow_copy_id = added.shadow_copy_id;
    let timeout_ms = TIMEOUT_MS;
    let calls = [
        Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
            shadow_copy_set_id,
            timeout_ms,
        }),
        Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
            shadow_copy_set_id,
            timeout_ms,
        }),
        Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
            shadow_copy_set_id,
            timeout_ms,
        }),
        Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
            shadow_copy_set_id,
        }),
    ];
    for next in calls {
        call(&mut client, next).await;
    }
    let share = format!("more@{{{}}}", shadow_copy_id.0);
    let got = client.get(&share, "bystander").await.expect("a connection");
    assert_eq!(got, Ok(content), "what was committed");
    let request = delete_share_mapping::Request {
        shadow_copy_set_id,
        shadow_copy_id,
        share_name: WideString::from_text(UNC),
    };
    call(&mut client, Call::DeleteShareMapping(request)).await;
}
