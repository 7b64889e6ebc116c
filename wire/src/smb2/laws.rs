//! The round-trip laws that every message obeys.

use crate::emit::Writer;
use crate::smb2::{Body, HEADER_LEN, Header};
use proptest::sample::Index;
use std::fmt::Debug;

/// For each body: what is emitted parses to the same value, and what parses goes out byte for
/// byte, also when bytes were changed, cut off or added on the way.
macro_rules! body_laws {
    ($($name:ident: $module:ident::$kind:ident,)*) => {$(
        mod $name {
            use crate::smb2::laws::{carries_a_value, keeps_bytes};
            use crate::smb2::sample::Sample;
            use crate::smb2::Header;
            use proptest::prelude::*;

            proptest! {
                #[test]
                fn carries_any_value(
                    header in Header::sample(),
                    body in <crate::smb2::$module::$kind as Sample>::sample(),
                ) {
                    carries_a_value(&header, &body);
                }

                #[test]
                fn keeps_any_bytes(
                    body in <crate::smb2::$module::$kind as Sample>::sample(),
                    changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
                    cut in prop::option::of(any::<prop::sample::Index>()),
                    tail in proptest::collection::vec(any::<u8>(), 0..10),
                ) {
                    keeps_bytes(&body, &changes, cut, &tail);
                }
            }
        }
    )*};
}

/// Emit, then parse, gives the value.
pub(crate) fn carries_a_value<B: Body + PartialEq + Debug>(header: &Header, body: &B) {
    let (got_header, got_body) = B::parse(&body.emit(header)).expect("own bytes parse");
    assert_eq!(&got_header, header);
    assert_eq!(&got_body, body);
}

/// Mangled bytes either do not parse or go out again as they came.
pub(crate) fn keeps_bytes<B: Body + PartialEq + Debug>(
    body: &B,
    changes: &[(Index, u8)],
    cut: Option<Index>,
    tail: &[u8],
) {
    let mut message = body.emit(&Header::default());
    message.extend(tail);
    for (at, byte) in changes {
        let at = HEADER_LEN + at.index(message.len() - HEADER_LEN);
        message[at] = *byte;
    }
    if let Some(cut) = cut {
        message.truncate(cut.index(message.len()));
    }
    let Ok((rest, body)) = B::read_body(&message) else {
        return;
    };
    let mut out = Writer::new();
    out.bytes(&message[..HEADER_LEN]);
    body.write_body(&mut out);
    out.bytes(rest);
    assert_eq!(out.into_bytes(), message);
}

body_laws! {
    negotiate_request: negotiate::Request,
    negotiate_response: negotiate::Response,
    session_setup_request: session_setup::Request,
    session_setup_response: session_setup::Response,
    logoff_request: logoff::Request,
    logoff_response: logoff::Response,
    tree_connect_request: tree_connect::Request,
    tree_connect_response: tree_connect::Response,
    tree_disconnect_request: tree_disconnect::Request,
    tree_disconnect_response: tree_disconnect::Response,
    create_request: create::Request,
    create_response: create::Response,
    close_request: close::Request,
    close_response: close::Response,
    flush_request: flush::Request,
    flush_response: flush::Response,
    read_request: read::Request,
    read_response: read::Response,
    write_request: write::Request,
    write_response: write::Response,
    lock_request: lock::Request,
    lock_response: lock::Response,
    ioctl_request: ioctl::Request,
    ioctl_response: ioctl::Response,
    cancel_request: cancel::Request,
    echo_request: echo::Request,
    echo_response: echo::Response,
    query_directory_request: query_directory::Request,
    query_directory_response: query_directory::Response,
    change_notify_request: change_notify::Request,
    change_notify_response: change_notify::Response,
    query_info_request: query_info::Request,
    query_info_response: query_info::Response,
    set_info_request: set_info::Request,
    set_info_response: set_info::Response,
    oplock_break_oplock: oplock_break::Oplock,
    oplock_break_lease_notification: oplock_break::LeaseNotification,
    oplock_break_lease: oplock_break::Lease,
    error_response: error::Response,
}
