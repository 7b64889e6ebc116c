//! What is emitted parses to the same, in every representation; what parses parses again.

use super::{Call, NetApiStatus, Opnum, Reply, ShareInfo, ShareInfoUnion};
use super::{server_get_info, share_enum, share_get_info, share_set_info};
use crate::ndr::{ByteOrder, Representation, TransferSyntax, WideString};

fn representations() -> Vec<Representation> {
    let mut all = Vec::new();
    for byte_order in [ByteOrder::Little, ByteOrder::Big] {
        for syntax in [TransferSyntax::Ndr32, TransferSyntax::Ndr64] {
            all.push(Representation { byte_order, syntax });
        }
    }
    all
}

fn text(text: &str) -> Option<WideString> {
    Some(WideString::from_text(text))
}

/// What a level keeps of a share about which everything is known.
fn share(level: u32) -> ShareInfo {
    let whole = ShareInfo {
        name: text("data$"),
        share_type: 0x8000_0000,
        remark: text("odd"),
        permissions: 7,
        max_uses: u32::MAX,
        current_uses: 3,
        path: text(r"C:\srv"),
        password: None,
        flags: 0x30,
        security_descriptor: Some(vec![1, 2, 3]),
    };
    let none = ShareInfo::default();
    match level {
        0 => ShareInfo {
            name: whole.name,
            ..none
        },
        1 => ShareInfo {
            name: whole.name,
            share_type: whole.share_type,
            remark: whole.remark,
            ..none
        },
        501 => ShareInfo {
            name: whole.name,
            share_type: whole.share_type,
            remark: whole.remark,
            flags: whole.flags,
            ..none
        },
        2 => ShareInfo {
            flags: 0,
            security_descriptor: None,
            ..whole
        },
        502 => ShareInfo { flags: 0, ..whole },
        1004 => ShareInfo {
            remark: whole.remark,
            ..none
        },
        1005 => ShareInfo {
            flags: whole.flags,
            ..none
        },
        _ => ShareInfo {
            security_descriptor: whole.security_descriptor,
            ..none
        },
    }
}

fn calls() -> Vec<(Opnum, Call)> {
    let mut calls = Vec::new();
    for level in [0, 1, 2, 501, 502] {
        let info_struct = share_enum::ShareList {
            level,
            shares: Some(None),
        };
        let request = share_enum::Request {
            server_name: text(r"\\srv"),
            info_struct,
            prefered_maximum_length: u32::MAX,
            resume_handle: Some(0),
        };
        calls.push((Opnum::NetrShareEnum, Call::NetrShareEnum(request.clone())));
        calls.push((
            Opnum::NetrShareEnumSticky,
            Call::NetrShareEnumSticky(request),
        ));
    }
    for level in [2, 502, 1004, 1005, 1501] {
        calls.push((
            Opnum::NetrShareSetInfo,
            Call::NetrShareSetInfo(Box::new(share_set_info::Request {
                server_name: None,
                net_name: WideString::from_text("data"),
                level,
                share_info: ShareInfoUnion {
                    level,
                    info: Some(share(level)),
                },
                parm_err: Some(0),
            })),
        ));
    }
    calls.push((
        Opnum::NetrShareGetInfo,
        Call::NetrShareGetInfo(share_get_info::Request {
            server_name: text("s"),
            net_name: WideString::from_text("data"),
            level: 77,
        }),
    ));
    calls.push((
        Opnum::NetrServerGetInfo,
        Call::NetrServerGetInfo(server_get_info::Request {
            server_name: None,
            level: 101,
        }),
    ));
    calls
}

fn replies() -> Vec<(Opnum, Reply)> {
    let mut replies = Vec::new();
    for level in [0, 1, 2, 501, 502] {
        let info_struct = share_enum::ShareList {
            level,
            shares: Some(Some(vec![share(level), share(level)])),
        };
        let response = share_enum::Response {
            info_struct,
            total_entries: 2,
            resume_handle: None,
            status: NetApiStatus::NERR_SUCCESS,
        };
        replies.push((Opnum::NetrShareEnum, Reply::NetrShareEnum(response.clone())));
        replies.push((
            Opnum::NetrShareEnumSticky,
            Reply::NetrShareEnumSticky(response),
        ));
    }
    for level in [0, 1, 2, 501, 502, 1005, 3000] {
        let info = super::share_info::is_known(level).then(|| share(level));
        replies.push((
            Opnum::NetrShareGetInfo,
            Reply::NetrShareGetInfo(share_get_info::Response {
                info_struct: ShareInfoUnion { level, info },
                status: NetApiStatus::NERR_SUCCESS,
            }),
        ));
    }
    for level in [100, 101, 102] {
        let info = server_get_info::is_known(level).then(|| server_get_info::ServerInfo {
            platform_id: 500,
            name: text("SRV"),
            version_major: if level == 101 { 6 } else { 0 },
            comment: text("c").filter(|_| level == 101),
            ..server_get_info::ServerInfo::default()
        });
        replies.push((
            Opnum::NetrServerGetInfo,
            Reply::NetrServerGetInfo(server_get_info::Response {
                level,
                info,
                status: NetApiStatus::ERROR_INVALID_LEVEL,
            }),
        ));
    }
    replies.push((
        Opnum::NetrShareSetInfo,
        Reply::NetrShareSetInfo(share_set_info::Response {
            parm_err: Some(4),
            status: NetApiStatus::ERROR_INVALID_PARAMETER,
        }),
    ));
    replies
}

#[test]
fn what_is_emitted_parses_to_the_same() {
    for representation in representations() {
        for (opnum, call) in calls() {
            let stub = call.emit(representation);
            assert_eq!(Call::parse(opnum, &stub, representation), Ok(call));
        }
        for (opnum, reply) in replies() {
            let stub = reply.emit(representation);
            assert_eq!(Reply::parse(opnum, &stub, representation), Ok(reply));
        }
    }
}

#[test]
fn a_stub_that_ends_early_is_refused_and_one_that_is_bent_does_no_harm() {
    for representation in representations() {
        for (opnum, call) in calls() {
            let stub = call.emit(representation);
            for end in 0..stub.len() {
                assert!(Call::parse(opnum, &stub[..end], representation).is_err());
            }
            for at in 0..stub.len() {
                let mut bent = stub.clone();
                bent[at] ^= 0xFF;
                if let Ok(call) = Call::parse(opnum, &bent, representation) {
                    let again = Call::parse(opnum, &call.emit(representation), representation);
                    assert_eq!(again, Ok(call));
                }
            }
        }
    }
}
