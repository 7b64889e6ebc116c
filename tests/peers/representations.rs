//! smbtorture's suite in the data representations and transfer syntaxes that clients seldom use,
//! with proof from the wire that they were used.

use crate::relay::{Relay, Seen};
use crate::serve::{ADMIN, Serve, Store};
use crate::tool::Tool;
use crate::{Outcome, trial};
use libtest_mimic::Trial;

/// What needs a lifecycle, and every kind of parameter.
const SUBTESTS: [&str; 7] = [
    "get_version",
    "is_path_supported",
    "set_ctx",
    "create_simple",
    "sc_set_abort",
    "sc_share_io",
    "share_sd",
];

/// C706 12.6.3.9: version 5.0, a request, first and last fragment, integers with the low byte first.
const LITTLE_ENDIAN_REQUEST: &[u8] = &[5, 0, 0, 3, 0x10, 0, 0, 0];
/// The same with the high byte first.
const BIG_ENDIAN_REQUEST: &[u8] = &[5, 0, 0, 3, 0, 0, 0, 0];
/// The interface of MS-FSRVP 1.9, version 1.0, followed by one transfer syntax in a bind.
const INTERFACE: [u8; 20] = [
    0x3c, 0x65, 0xe0, 0xa8, 0x44, 0x27, 0x89, 0x43, 0xa6, 0x1d, 0x73, 0x73, 0xdf, 0x8b, 0x22, 0x92,
    1, 0, 0, 0,
];
/// C706 14: NDR, version 2.0.
const NDR32: [u8; 20] = [
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    2, 0, 0, 0,
];
/// MS-RPCE 3.1.1.4: NDR64, version 1.0.
const NDR64: [u8; 20] = [
    0x33, 0x05, 0x71, 0x71, 0xba, 0xbe, 0x37, 0x49, 0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36,
    1, 0, 0, 0,
];

pub(crate) fn trials() -> Vec<Trial> {
    [
        (
            "bigendian",
            "bigendian,sign",
            big_endian as fn(&Seen) -> Outcome,
        ),
        ("bigendian_sealed", "bigendian,seal", big_endian),
        ("ndr64", "ndr64,sign", ndr64),
        ("ndr64_sealed", "ndr64,seal", ndr64),
    ]
    .map(|(name, binding, proof)| {
        let name = format!("torture_representation::{name}");
        trial(name, &["smbtorture"], false, move || run(binding, proof))
    })
    .into()
}

fn run(binding: &str, proof: fn(&Seen) -> Outcome) -> Outcome {
    let options = ["--timers", "fixed_s=1"];
    for subtest in SUBTESTS {
        let server = Serve::start_with(Store::Any, &["fsrvp_share"], &options)?;
        let relay = Relay::to(server.port)?;
        let run = Tool::fsrvp_torture_over(relay.port, ADMIN, binding, subtest)?;
        if run.status != Some(0) {
            let text = format!("{binding}, {subtest}: {:?}\n{}", run.status, run.output);
            return Err(text.into());
        }
        proof(&relay.seen()).map_err(|error| format!("{binding}, {subtest}: {error:?}"))?;
    }
    Ok(())
}

fn big_endian(seen: &Seen) -> Outcome {
    let (big, little) = (
        seen.sent(BIG_ENDIAN_REQUEST),
        seen.sent(LITTLE_ENDIAN_REQUEST),
    );
    match big > 0 && little == 0 {
        true => Ok(()),
        false => Err(format!("{big} big-endian requests, {little} others").into()),
    }
}

/// The interface is bound with NDR64 and with no NDR32 beside it, and NDR64 is what was accepted.
fn ndr64(seen: &Seen) -> Outcome {
    let offered = seen.sent(&[INTERFACE, NDR64].concat());
    let others = seen.sent(&[INTERFACE, NDR32].concat());
    // A result: accepted, no reason.
    let accepted = seen.answered(&[[0; 4].as_slice(), &NDR64].concat());
    match offered > 0 && others == 0 && accepted > 0 {
        true => Ok(()),
        false => Err(format!(
            "NDR64 was offered {offered} times, NDR32 {others} times; NDR64 was accepted {accepted} times"
        )
        .into()),
    }
}
