//! What outlasts a restart, and what outlasts a removal that failed: shares with who may use them.

use super::trouble::{start, status};
use super::{Place, abort, call, caller, expose, read, recover, shares, write};
use crate::agent::Caller;
use crate::backend::{Fault, FaultControl, Operation};
use crate::share::{Access, Rights};
use crate::shell::{Reference, srvsvc};
use fsrvp_wire::fsrvp::{Call, Hresult, delete_share_mapping};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::srvsvc::{
    Call as ShareCall, NetApiStatus, Reply, ShareInfo, ShareInfoUnion, share_enum, share_set_info,
};
use std::time::Duration;

fn ask(server: &Reference, caller: &Caller, call: &ShareCall) -> Reply {
    let workshop = &server.tasks.as_ref().expect("it runs").workshop;
    srvsvc::answer(workshop, "SRV", caller, call)
}

/// Lets `others` do with a share what the configuration knows nothing of.
fn describe(server: &Reference, share: &str, others: Rights) {
    let descriptor = Access::for_all(others)
        .with("admin", Rights::Change)
        .descriptor();
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
    let reply = ask(
        server,
        &caller(),
        &ShareCall::NetrShareSetInfo(Box::new(request)),
    );
    let Reply::NetrShareSetInfo(reply) = reply else {
        panic!("another method's reply");
    };
    assert_eq!(reply.status, NetApiStatus::NERR_SUCCESS);
}

fn rights(server: &Reference, share: &str) -> Rights {
    let share = shares(server).find(share).expect("the share");
    share.access().rights_of("eve", false)
}

#[tokio::test]
async fn descriptors_outlast_a_restart_each_with_its_own_share() {
    let place = Place::new();
    let config = place.config(Some("state"));
    let server = Reference::start(config.clone()).await.expect("a start");
    let (plain, set) = expose(&server).await;
    recover(&server, set).await;
    describe(&server, "data", Rights::Read);
    let (described, set) = expose(&server).await;
    recover(&server, set).await;
    assert_eq!(
        rights(&server, &described),
        Rights::Read,
        "as its base had it"
    );
    describe(&server, "DATA", Rights::None);
    for _ in 0..2 {
        let server = Reference::start(config.clone()).await;
        assert!(server.is_err(), "the state belongs to the one that runs");
    }
    let before = [&plain, &described, &"data".to_owned()].map(|share| rights(&server, share));
    assert_eq!(before, [Rights::Change, Rights::Read, Rights::None]);
    server.stop().await;
    let server = Reference::start(config).await.expect("a second start");
    let after = [&plain, &described, &"data".to_owned()].map(|share| rights(&server, share));
    assert_eq!(after, before);
    server.stop().await;
}

/// MS-FSRVP 3.1.4.8 step 3, 3.1.4.12: the set stays to be removed again, and with it what it shows.
#[tokio::test]
async fn a_removal_that_fails_leaves_the_share_as_it_was() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(place.config(Some("state")), &control).await;
    let (name, set) = expose(&server).await;
    describe(&server, &name, Rights::Read);
    control.set(Operation::Delete, Fault::FailNext(1));
    assert_eq!(status(&server, abort(set)).await, Hresult::E_FAIL);
    // The answer does not wait for the way back.
    server.advance(Duration::ZERO).await;
    assert_eq!(read(&shares(&server), &name), b"before");
    assert_eq!(rights(&server, &name), Rights::Read);
    assert!(write(&shares(&server), &name).is_ok(), "not sealed either");
    recover(&server, set).await;
    control.set(Operation::Delete, Fault::FailNext(1));
    let id = name.trim_start_matches("data@{").trim_end_matches('}');
    let delete = Call::DeleteShareMapping(delete_share_mapping::Request {
        shadow_copy_set_id: set,
        shadow_copy_id: fsrvp_wire::fsrvp::ShadowCopyId(id.parse().expect("an id")),
        share_name: WideString::from_text(r"\\server\data"),
    });
    assert_eq!(status(&server, delete.clone()).await, Hresult::E_FAIL);
    server.advance(Duration::ZERO).await;
    assert_eq!(read(&shares(&server), &name), b"before");
    assert!(write(&shares(&server), &name).is_err(), "sealed as it was");
    call(&server, delete).await;
    assert!(shares(&server).find(&name).is_none());
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_list_of_shares_that_stay_has_those_of_the_configuration() {
    let place = Place::new();
    let server = Reference::start(place.config(None)).await.expect("a start");
    let (name, _) = expose(&server).await;
    let request = share_enum::Request {
        server_name: None,
        info_struct: share_enum::ShareList {
            level: 1,
            shares: Some(None),
        },
        prefered_maximum_length: u32::MAX,
        resume_handle: None,
    };
    let names = |reply: share_enum::Response| {
        let shares = reply.info_struct.shares.flatten().expect("shares");
        let names = shares.into_iter().filter_map(|share| share.name);
        names.map(|name| name.text()).collect::<Vec<_>>()
    };
    let all = ask(
        &server,
        &caller(),
        &ShareCall::NetrShareEnum(request.clone()),
    );
    let sticky = ask(&server, &caller(), &ShareCall::NetrShareEnumSticky(request));
    let (Reply::NetrShareEnum(all), Reply::NetrShareEnumSticky(sticky)) = (all, sticky) else {
        panic!("another method's reply");
    };
    assert_eq!(names(all), ["data".to_owned(), name, "IPC$".to_owned()]);
    assert_eq!(names(sticky), ["data"]);
    server.stop().await;
}
