//! Security descriptors that `srvsvc` set: kept over restarts, for exposed shares as well, and
//! forgotten with them.

use super::{Place, abort, call, caller, expose, shares};
use crate::shell::{Reference, srvsvc};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::srvsvc::{
    Call, NetApiStatus, Reply, ShareInfo, ShareInfoUnion, share_get_info, share_set_info,
};

/// MS-DTYP 2.4.6: self-relative, with a DACL of one entry that gives everybody (S-1-1-0) `mask`.
fn everybody(mask: u32) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0x04, 0x80];
    for offset in [0_u32, 0, 0, 20] {
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend([2, 0, 28, 0, 1, 0, 0, 0]);
    bytes.extend([0, 0, 20, 0]);
    bytes.extend(mask.to_le_bytes());
    bytes.extend([1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    bytes
}

/// FILE_GENERIC_READ with FILE_EXECUTE, and FILE_ALL_ACCESS.
const READ: u32 = 0x0012_00A9;
const ALL: u32 = 0x001F_01FF;

async fn ask(server: &Reference, call: Call) -> Reply {
    let tasks = server.tasks.as_ref().expect("it runs");
    let workshop = std::sync::Arc::clone(&tasks.workshop);
    let answer = move || srvsvc::answer(&workshop, "server", &caller(), &call);
    tokio::task::spawn_blocking(answer).await.expect("no panic")
}

async fn set(server: &Reference, share: &str, descriptor: Vec<u8>) {
    let request = share_set_info::Request {
        server_name: None,
        net_name: WideString::from_text(share),
        level: 1501,
        share_info: ShareInfoUnion {
            level: 1501,
            info: Some(ShareInfo {
                security_descriptor: Some(descriptor),
                ..ShareInfo::default()
            }),
        },
        parm_err: None,
    };
    let Reply::NetrShareSetInfo(reply) =
        ask(server, Call::NetrShareSetInfo(Box::new(request))).await
    else {
        panic!("another method's reply");
    };
    assert_eq!(reply.status, NetApiStatus::NERR_SUCCESS);
}

async fn descriptor_of(server: &Reference, share: &str) -> Option<Vec<u8>> {
    let request = share_get_info::Request {
        server_name: None,
        net_name: WideString::from_text(share),
        level: 502,
    };
    let Reply::NetrShareGetInfo(reply) = ask(server, Call::NetrShareGetInfo(request)).await else {
        panic!("another method's reply");
    };
    reply.info_struct.info?.security_descriptor
}

#[tokio::test]
async fn what_was_set_for_a_share_and_taken_over_by_its_copy_survives_a_restart() {
    let place = Place::new();
    let start = || Reference::start(place.config(Some("state")));
    let server = start().await.expect("a start");
    set(&server, "data", everybody(READ)).await;
    let (copy, _) = expose(&server).await;
    set(&server, "DATA", everybody(ALL)).await;
    server.stop().await;

    let server = start().await.expect("a start");
    assert_eq!(descriptor_of(&server, "data").await, Some(everybody(ALL)));
    assert_eq!(descriptor_of(&server, &copy).await, Some(everybody(READ)));
    assert!(shares(&server).find(&copy).is_some());
    set(&server, &copy, everybody(ALL)).await;
    server.stop().await;

    let server = start().await.expect("a start");
    assert_eq!(descriptor_of(&server, &copy).await, Some(everybody(ALL)));
    server.stop().await;
}

#[tokio::test]
async fn the_descriptor_of_a_share_that_is_gone_is_forgotten() {
    let place = Place::new();
    let server = Reference::start(place.config(Some("state"))).await;
    let server = server.expect("a start");
    set(&server, "data", everybody(READ)).await;
    let (_, id) = expose(&server).await;
    let kept = |server: &Reference| {
        let tasks = server.tasks.as_ref().expect("it runs");
        tasks.workshop.store.descriptors().expect("read").len()
    };
    assert_eq!(kept(&server), 2);
    call(&server, abort(id)).await;
    assert_eq!(kept(&server), 1);
    server.stop().await;
}
