//! MS-SRVS 3.1.4: which shares there are, what is known of one, and who may change that.
//!
//! Everybody sees every share, as on other servers; paths and security descriptors are for those
//! alone who may use FSRVP, and so is every change. Connections to a share are not counted:
//! `current_uses` is zero.

use super::effects::Workshop;
use crate::agent::Caller;
use crate::share::{Descriptor, Share, ShareKind, ShareTable};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::srvsvc::{
    Call, NetApiStatus, Reply, ShareInfo, ShareInfoUnion, server_get_info, share_enum,
    share_get_info, share_set_info,
};

/// STYPE_IPC and STYPE_SPECIAL.
const TYPE_IPC: u32 = 0x8000_0003;
/// The share that holds the pipes.
const PIPES: &str = "IPC$";
/// As many as there may be.
const NO_LIMIT: u32 = u32::MAX;
/// PLATFORM_ID_NT.
const PLATFORM: u32 = 500;
/// SV_TYPE_WORKSTATION, SV_TYPE_SERVER and SV_TYPE_SERVER_NT.
const SERVER_TYPE: u32 = 0x0000_9003;
/// The version that clients take as one that speaks SMB 3.
const VERSION: (u32, u32) = (6, 3);

/// Answers a call.
pub(super) fn answer(workshop: &Workshop, name: &str, caller: &Caller, call: &Call) -> Reply {
    let shares = &workshop.shares;
    match call {
        Call::NetrShareEnum(request) => {
            let found = disks(shares, request, |_| true).chain([pipes()]);
            Reply::NetrShareEnum(list(found, caller, request))
        }
        Call::NetrShareEnumSticky(request) => {
            let is_configured = |share: &Share| matches!(share.kind(), ShareKind::Base { .. });
            let found = disks(shares, request, is_configured);
            Reply::NetrShareEnumSticky(list(found, caller, request))
        }
        Call::NetrShareGetInfo(request) => Reply::NetrShareGetInfo(get(shares, caller, request)),
        Call::NetrShareSetInfo(request) => Reply::NetrShareSetInfo(share_set_info::Response {
            parm_err: request.parm_err,
            status: set(workshop, caller, request),
        }),
        Call::NetrServerGetInfo(request) => Reply::NetrServerGetInfo(server(name, request)),
    }
}

/// What may be asked for, and by whom.
fn check_level(caller: &Caller, level: u32, levels: &[u32]) -> NetApiStatus {
    if !levels.contains(&level) {
        return NetApiStatus::ERROR_INVALID_LEVEL;
    }
    match level {
        2 | 502 if !caller.backup_rights => NetApiStatus::ERROR_ACCESS_DENIED,
        _ => NetApiStatus::NERR_SUCCESS,
    }
}

/// MS-SRVS 3.1.4.9 speaks of shares that stay: those of the configuration. An exposed one goes
/// with its shadow copy set.
fn disks(
    shares: &ShareTable,
    request: &share_enum::Request,
    which: impl Fn(&Share) -> bool,
) -> impl Iterator<Item = ShareInfo> {
    let level = request.info_struct.level;
    let all = shares.list().into_iter();
    all.filter(move |share| which(share))
        .map(move |share| disk(&share, level))
}

fn list(
    shares: impl Iterator<Item = ShareInfo>,
    caller: &Caller,
    request: &share_enum::Request,
) -> share_enum::Response {
    let level = request.info_struct.level;
    let status = check_level(caller, level, &[0, 1, 2, 501, 502]);
    let found = (status == NetApiStatus::NERR_SUCCESS).then(|| shares.collect::<Vec<_>>());
    let count = found.as_ref().map_or(0, Vec::len);
    share_enum::Response {
        info_struct: share_enum::ShareList {
            level,
            shares: Some(found),
        },
        total_entries: u32::try_from(count).unwrap_or(u32::MAX),
        // Everything was sent; there is nothing to go on with.
        resume_handle: request.resume_handle.map(|_| 0),
        status,
    }
}

fn get(
    shares: &ShareTable,
    caller: &Caller,
    request: &share_get_info::Request,
) -> share_get_info::Response {
    let level = request.level;
    let name = request.net_name.text();
    let mut status = check_level(caller, level, &[0, 1, 2, 501, 502, 1005]);
    let found = match shares.find(&name) {
        Some(share) => Some(disk(&share, level)),
        None => name.eq_ignore_ascii_case(PIPES).then(pipes),
    };
    if found.is_none() && status == NetApiStatus::NERR_SUCCESS {
        status = NetApiStatus::NERR_NET_NAME_NOT_FOUND;
    }
    share_get_info::Response {
        info_struct: ShareInfoUnion {
            level,
            info: found.filter(|_| status == NetApiStatus::NERR_SUCCESS),
        },
        status,
    }
}

fn set(workshop: &Workshop, caller: &Caller, request: &share_set_info::Request) -> NetApiStatus {
    if !caller.backup_rights {
        return NetApiStatus::ERROR_ACCESS_DENIED;
    }
    // Of level 502 the descriptor is taken over; the rest belongs to the configuration.
    if !matches!(request.level, 502 | 1501) {
        return NetApiStatus::ERROR_INVALID_LEVEL;
    }
    let Some(share) = workshop.shares.find(&request.net_name.text()) else {
        return NetApiStatus::NERR_NET_NAME_NOT_FOUND;
    };
    let info = request.share_info.info.as_ref();
    let info = info.filter(|_| request.share_info.level == request.level);
    let Some(info) = info else {
        return NetApiStatus::ERROR_INVALID_PARAMETER;
    };
    let Some(bytes) = &info.security_descriptor else {
        return match request.level {
            502 => NetApiStatus::NERR_SUCCESS,
            _ => NetApiStatus::ERROR_INVALID_PARAMETER,
        };
    };
    match Descriptor::parse(bytes) {
        Ok(descriptor) => {
            if let Err(error) = workshop.store.set_descriptor(share.name(), bytes) {
                tracing::warn!(share = share.name(), %error, "security descriptor not set");
                return NetApiStatus::ERROR_WRITE_FAULT;
            }
            share.set_access(share.access().described_by(descriptor));
            tracing::info!(share = share.name(), user = caller.user, client = %caller.address,
                "security descriptor set");
            NetApiStatus::NERR_SUCCESS
        }
        Err(error) => {
            tracing::info!(share = share.name(), user = caller.user, %error, "refused");
            NetApiStatus::ERROR_INVALID_PARAMETER
        }
    }
}

fn server(name: &str, request: &server_get_info::Request) -> server_get_info::Response {
    let is_known = server_get_info::is_known(request.level);
    let (version_major, version_minor) = VERSION;
    server_get_info::Response {
        level: request.level,
        info: is_known.then(|| server_get_info::ServerInfo {
            platform_id: PLATFORM,
            name: text(name),
            version_major,
            version_minor,
            server_type: SERVER_TYPE,
            comment: text(""),
        }),
        status: match is_known {
            true => NetApiStatus::NERR_SUCCESS,
            false => NetApiStatus::ERROR_INVALID_LEVEL,
        },
    }
}

fn text(text: &str) -> Option<WideString> {
    Some(WideString::from_text(text))
}

fn disk(share: &Share, level: u32) -> ShareInfo {
    let is_for_administrators = matches!(level, 2 | 502);
    let path = share.root().to_string_lossy().replace('/', "\\");
    ShareInfo {
        name: text(share.name()),
        share_type: 0,
        remark: text(share.comment()),
        max_uses: NO_LIMIT,
        path: text(&format!("C:{path}")).filter(|_| is_for_administrators),
        password: text(""),
        security_descriptor: (level == 502).then(|| share.access().descriptor()),
        ..ShareInfo::default()
    }
}

fn pipes() -> ShareInfo {
    ShareInfo {
        name: text(PIPES),
        share_type: TYPE_IPC,
        remark: text("Remote IPC"),
        max_uses: NO_LIMIT,
        path: text(""),
        password: text(""),
        ..ShareInfo::default()
    }
}
