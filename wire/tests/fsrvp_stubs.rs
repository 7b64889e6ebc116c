//! FSRVP stubs: worked examples byte for byte, and the laws for all 13 methods, in both byte
//! orders and both transfer syntaxes.

#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

use fsrvp_wire::ErrorKind;
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_share_mapping, get_supported_version, is_path_shadow_copied, is_path_supported,
    prepare_shadow_copy_set, recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::{ByteOrder, Representation, STRING_UNITS_MAX, TransferSyntax, WideString};
use get_share_mapping::{ShareMapping, ShareMapping1};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use uuid::Uuid;

const SET: ShadowCopySetId =
    ShadowCopySetId(Uuid::from_u128(0x11111111_2222_3333_4444_555555555555));
const COPY: ShadowCopyId = ShadowCopyId(Uuid::from_u128(0xaaaaaaaa_bbbb_cccc_dddd_eeeeeeeeeeee));

fn share() -> WideString {
    WideString::from_text("\\\\srv\\share")
}

#[derive(Debug, PartialEq)]
enum Message {
    Call(Call),
    Reply(Reply),
}

fn expected(name: &str) -> Message {
    let mapping = |level, mapping| ShareMapping { level, mapping };
    match name {
        "IsPathSupported request" => {
            Message::Call(Call::IsPathSupported(is_path_supported::Request {
                share_name: share(),
            }))
        }
        "IsPathSupported response, TRUE, owner \"SRV\"" | "IsPathSupported response" => {
            Message::Reply(Reply::IsPathSupported(is_path_supported::Response {
                supported_by_this_provider: 1,
                owner_machine_name: Some(WideString::from_text("SRV")),
                status: Hresult::ZERO,
            }))
        }
        "AddToShadowCopySet request" => {
            Message::Call(Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
                client_shadow_copy_id: COPY.0,
                shadow_copy_set_id: SET,
                share_name: share(),
            }))
        }
        "AddToShadowCopySet response" => Message::Reply(Reply::AddToShadowCopySet(
            add_to_shadow_copy_set::Response {
                shadow_copy_id: COPY,
                status: Hresult::ZERO,
            },
        )),
        "PrepareShadowCopySet request, 1800000 ms" => Message::Call(Call::PrepareShadowCopySet(
            prepare_shadow_copy_set::Request {
                shadow_copy_set_id: SET,
                timeout_ms: 1_800_000,
            },
        )),
        "GetShareMapping request, level 1" => {
            Message::Call(Call::GetShareMapping(get_share_mapping::Request {
                shadow_copy_id: COPY,
                shadow_copy_set_id: SET,
                share_name: share(),
                level: 1,
            }))
        }
        "GetShareMapping response" => {
            Message::Reply(Reply::GetShareMapping(get_share_mapping::Response {
                share_mapping: mapping(
                    1,
                    Some(ShareMapping1 {
                        shadow_copy_set_id: SET,
                        shadow_copy_id: COPY,
                        share_name_unc: Some(share()),
                        shadow_copy_share_name: Some(WideString::from_text(&format!(
                            "share@{{{COPY}}}"
                        ))),
                        creation_timestamp: 0x01DA_0000_DEAD_BEEF,
                    }),
                ),
                status: Hresult::ZERO,
            }))
        }
        "GetShareMapping failure, level 1, E_INVALIDARG" => {
            Message::Reply(Reply::GetShareMapping(get_share_mapping::Response {
                share_mapping: mapping(1, None),
                status: Hresult::E_INVALIDARG,
            }))
        }
        "GetShareMapping failure, level 2, E_INVALIDARG" => {
            Message::Reply(Reply::GetShareMapping(get_share_mapping::Response {
                share_mapping: mapping(2, None),
                status: Hresult::E_INVALIDARG,
            }))
        }
        "DeleteShareMapping request" => {
            Message::Call(Call::DeleteShareMapping(delete_share_mapping::Request {
                shadow_copy_set_id: SET,
                shadow_copy_id: COPY,
                share_name: share(),
            }))
        }
        other => panic!("no expectation for {other:?}"),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| u8::try_from(digit).expect("a digit"))
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] * 16 + pair[1])
        .collect()
}

/// Each field of their GUIDs repeats one byte, so the byte order of a GUID has a test of its own.
#[test]
fn worked_stubs_parse_and_emit_byte_for_byte() {
    let mut seen = 0;
    let text = include_str!("data/fsrvp-stubs.txt");
    for entry in text.split("\n\n").skip(1) {
        let (title, hex) = entry.split_once('\n').expect("a title and bytes");
        let (representation, rest) = title.split_once(' ').expect("a representation");
        let (name, _length) = rest.rsplit_once(" (").expect("a length");
        let representation = match representation {
            "ndr32" => Representation::NDR32,
            "ndr64" => Representation::NDR64,
            other => panic!("unknown representation {other}"),
        };
        let bytes = bytes_of(hex);
        let opnum = Opnum::from_name(name.split(' ').next().expect("a method")).expect("known");
        let (message, emitted) = if name.contains(" request") {
            let call = Call::parse_strict(opnum, &bytes, representation).expect(title);
            let emitted = call.emit(representation);
            (Message::Call(call), emitted)
        } else {
            let reply = Reply::parse_strict(opnum, &bytes, representation).expect(title);
            let emitted = reply.emit(representation);
            (Message::Reply(reply), emitted)
        };
        assert_eq!(message, expected(name), "{title}");
        assert_eq!(emitted, bytes, "{title}");
        seen += 1;
    }
    assert_eq!(seen, 17);
}

#[test]
fn a_guid_obeys_the_byte_order_in_its_first_three_fields() {
    let call = Call::AbortShadowCopySet(abort_shadow_copy_set::Request {
        shadow_copy_set_id: ShadowCopySetId(Uuid::from_u128(
            0x00112233_4455_6677_8899_aabbccddeeff,
        )),
    });
    let big = Representation {
        byte_order: ByteOrder::Big,
        syntax: TransferSyntax::Ndr32,
    };
    assert_eq!(
        call.emit(Representation::NDR32),
        bytes_of("33221100 5544 7766 8899aabbccddeeff")
    );
    assert_eq!(
        call.emit(big),
        bytes_of("00112233 4455 6677 8899aabbccddeeff")
    );
}

#[test]
fn bytes_behind_the_last_parameter_are_reported() {
    let mut stub = Call::SetContext(set_context::Request {
        context: Context::CTX_BACKUP,
    })
    .emit(Representation::NDR32);
    stub.extend([0xff, 0xff]);
    let (_, rest) =
        Call::parse_prefix(Opnum::SetContext, &stub, Representation::NDR32).expect("parses");
    assert_eq!(rest, [0xff, 0xff]);
    assert!(Call::parse(Opnum::SetContext, &stub, Representation::NDR32).is_ok());
    let error =
        Call::parse_strict(Opnum::SetContext, &stub, Representation::NDR32).expect_err("strict");
    assert_eq!(
        (error.offset_bytes, error.kind),
        (4, ErrorKind::TrailingBytes)
    );
}

#[test]
fn a_string_above_the_limit_and_one_cut_short_are_refused() {
    let refused = |counts: [u32; 3]| {
        let stub: Vec<u8> = counts
            .iter()
            .flat_map(|count| count.to_le_bytes())
            .collect();
        Call::parse(Opnum::IsPathSupported, &stub, Representation::NDR32)
            .expect_err("refused")
            .kind
    };
    let above = u32::try_from(STRING_UNITS_MAX).expect("small") + 1;
    assert_eq!(refused([above, 0, above]), ErrorKind::LengthOutOfRange);
    assert_eq!(refused([4, 0, 4]), ErrorKind::Truncated { needed: 8 });
    assert_eq!(
        refused([u32::MAX, 0, u32::MAX]),
        ErrorKind::LengthOutOfRange
    );
}

#[test]
fn an_unknown_opnum_is_named() {
    let error = Call::parse(Opnum(13), &[], Representation::NDR32).expect_err("refused");
    assert_eq!(error.to_string(), "fsrvp: opnum at byte 0: unknown value");
}

fn representation() -> impl Strategy<Value = Representation> {
    let order = prop_oneof![Just(ByteOrder::Big), Just(ByteOrder::Little)];
    let syntax = prop_oneof![Just(TransferSyntax::Ndr32), Just(TransferSyntax::Ndr64)];
    (order, syntax).prop_map(|(byte_order, syntax)| Representation { byte_order, syntax })
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn set() -> impl Strategy<Value = ShadowCopySetId> {
    id().prop_map(ShadowCopySetId)
}

fn copy() -> impl Strategy<Value = ShadowCopyId> {
    id().prop_map(ShadowCopyId)
}

fn status() -> impl Strategy<Value = Hresult> {
    any::<u32>().prop_map(Hresult)
}

/// Any string, legal or not, whose actual count is true.
fn string() -> impl Strategy<Value = WideString> {
    (any::<u32>(), any::<u32>(), vec(any::<u16>(), 0..20)).prop_map(|(max, offset, units)| {
        WideString {
            max_count: u64::from(max),
            offset: u64::from(offset),
            actual_count: units.len() as u64,
            units,
        }
    })
}

fn by_path() -> impl Strategy<Value = Call> {
    prop_oneof![
        string().prop_map(
            |share_name| Call::IsPathSupported(is_path_supported::Request { share_name })
        ),
        string().prop_map(
            |share_name| Call::IsPathShadowCopied(is_path_shadow_copied::Request { share_name })
        ),
        (id(), set(), string()).prop_map(
            |(client_shadow_copy_id, shadow_copy_set_id, share_name)| {
                Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
                    client_shadow_copy_id,
                    shadow_copy_set_id,
                    share_name,
                })
            }
        ),
        (copy(), set(), string(), any::<u32>()).prop_map(
            |(shadow_copy_id, shadow_copy_set_id, share_name, level)| {
                Call::GetShareMapping(get_share_mapping::Request {
                    shadow_copy_id,
                    shadow_copy_set_id,
                    share_name,
                    level,
                })
            }
        ),
        (copy(), set(), string()).prop_map(|(shadow_copy_id, shadow_copy_set_id, share_name)| {
            Call::DeleteShareMapping(delete_share_mapping::Request {
                shadow_copy_set_id,
                shadow_copy_id,
                share_name,
            })
        }),
    ]
}

fn by_set() -> impl Strategy<Value = Call> {
    let one = set().prop_flat_map(|shadow_copy_set_id| {
        prop_oneof![
            Just(Call::RecoveryCompleteShadowCopySet(
                recovery_complete_shadow_copy_set::Request { shadow_copy_set_id }
            )),
            Just(Call::AbortShadowCopySet(abort_shadow_copy_set::Request {
                shadow_copy_set_id
            })),
        ]
    });
    let timed = (set(), any::<u32>()).prop_flat_map(|(shadow_copy_set_id, timeout_ms)| {
        prop_oneof![
            Just(Call::PrepareShadowCopySet(
                prepare_shadow_copy_set::Request {
                    shadow_copy_set_id,
                    timeout_ms
                }
            )),
            Just(Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms
            })),
            Just(Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms
            })),
        ]
    });
    prop_oneof![one, timed]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        Just(Call::GetSupportedVersion(get_supported_version::Request)),
        any::<u32>().prop_map(|context| Call::SetContext(set_context::Request {
            context: Context(context)
        })),
        id().prop_map(|client_shadow_copy_set_id| Call::StartShadowCopySet(
            start_shadow_copy_set::Request {
                client_shadow_copy_set_id
            }
        )),
        by_set(),
        by_path(),
    ]
}

fn mapping() -> impl Strategy<Value = ShareMapping> {
    let arm = (
        set(),
        copy(),
        option::of(string()),
        option::of(string()),
        any::<i64>(),
    )
        .prop_map(
            |(set, copy, share_name_unc, shadow_copy_share_name, creation_timestamp)| {
                ShareMapping1 {
                    shadow_copy_set_id: set,
                    shadow_copy_id: copy,
                    share_name_unc,
                    shadow_copy_share_name,
                    creation_timestamp,
                }
            },
        );
    prop_oneof![
        option::of(arm).prop_map(|mapping| ShareMapping { level: 1, mapping }),
        (2..=u32::MAX).prop_map(|level| ShareMapping {
            level,
            mapping: None
        }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let bare = (0..13_u16, status()).prop_map(|(opnum, status)| {
        Reply::failure(Opnum(opnum), status).expect("a method of that number")
    });
    prop_oneof![
        bare,
        (any::<u32>(), any::<u32>(), status()).prop_map(|(min_version, max_version, status)| {
            Reply::GetSupportedVersion(get_supported_version::Response {
                min_version,
                max_version,
                status,
            })
        }),
        (set(), status()).prop_map(|(shadow_copy_set_id, status)| {
            Reply::StartShadowCopySet(start_shadow_copy_set::Response {
                shadow_copy_set_id,
                status,
            })
        }),
        (copy(), status()).prop_map(|(shadow_copy_id, status)| {
            Reply::AddToShadowCopySet(add_to_shadow_copy_set::Response {
                shadow_copy_id,
                status,
            })
        }),
        (any::<u32>(), option::of(string()), status()).prop_map(
            |(supported_by_this_provider, owner_machine_name, status)| {
                Reply::IsPathSupported(is_path_supported::Response {
                    supported_by_this_provider,
                    owner_machine_name,
                    status,
                })
            }
        ),
        (any::<u32>(), any::<i32>(), status()).prop_map(
            |(shadow_copy_present, shadow_copy_compatibility, status)| {
                Reply::IsPathShadowCopied(is_path_shadow_copied::Response {
                    shadow_copy_present,
                    shadow_copy_compatibility,
                    status,
                })
            }
        ),
        (mapping(), status()).prop_map(|(share_mapping, status)| {
            Reply::GetShareMapping(get_share_mapping::Response {
                share_mapping,
                status,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn a_call_survives_emit_and_parse(call in call(), representation in representation()) {
        let stub = call.emit(representation);
        prop_assert_eq!(Call::parse_strict(call.opnum(), &stub, representation), Ok(call));
    }

    #[test]
    fn a_reply_survives_emit_and_parse(reply in reply(), representation in representation()) {
        let stub = reply.emit(representation);
        prop_assert_eq!(Reply::parse_strict(reply.opnum(), &stub, representation), Ok(reply));
    }

    #[test]
    fn whatever_parses_is_the_same_after_emit(
        opnum in 0..13_u16,
        stub in vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..160),
        representation in representation(),
    ) {
        let opnum = Opnum(opnum);
        if let Ok(call) = Call::parse(opnum, &stub, representation) {
            let again = call.emit(representation);
            prop_assert_eq!(Call::parse_strict(opnum, &again, representation), Ok(call));
        }
        if let Ok(reply) = Reply::parse(opnum, &stub, representation) {
            let again = reply.emit(representation);
            prop_assert_eq!(Reply::parse_strict(opnum, &again, representation), Ok(reply));
        }
    }

    #[test]
    fn a_stub_cut_short_is_refused(call in call(), representation in representation(), cut in 1..64_usize) {
        let stub = call.emit(representation);
        if let Some(short) = stub.len().checked_sub(cut).and_then(|end| stub.get(..end)) {
            let outcome = Call::parse(call.opnum(), short, representation);
            prop_assert_eq!(outcome.is_err(), true);
        }
    }
}
