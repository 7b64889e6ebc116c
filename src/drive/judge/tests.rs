use super::*;
use crate::case::{Answer, Library, OutValue};
use crate::drive::files::Stage;
use crate::requirement::RequirementId;
use fsrvp_wire::fsrvp::get_share_mapping::{self, ShareMapping, ShareMapping1};
use fsrvp_wire::fsrvp::{Hresult, ShadowCopyId, ShadowCopySetId};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::smb2::NtStatus;
use std::sync::LazyLock;

/// A MUST, a SHOULD and a MAY of the catalogue.
const LEVELS: [(&str, Verdict); 3] = [
    ("FSRVP-3.1.4.4-14", Verdict::Fail),
    ("FSRVP-3.1.4.11-07", Verdict::NonStrict),
    ("FSRVP-3.1.4.4-20", Verdict::Info),
];

fn answer(wanted: Wanted) -> Answer {
    Answer {
        wanted,
        out: Vec::new(),
        source: "a test".to_owned(),
        profiles: Vec::new(),
        verdict: Verdict::Pass,
    }
}

fn expect(requirement: &str, answers: Vec<Answer>) -> Expectation {
    Expectation {
        requirements: vec![RequirementId(requirement.to_owned())],
        answers,
    }
}

fn failed(status: Hresult) -> StepResult {
    let reply = Reply::failure(Opnum::AddToShadowCopySet, status).expect("a method");
    StepResult::Rpc(RpcAnswer::Reply(reply))
}

fn judged(expect: &Expectation, result: &StepResult, profile: Profile, known: &str) -> Judgement {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::built_in().expect("it reads"));
    let library = &*LIBRARY;
    let text = format!("target = \"t\"\n{known}");
    let known = KnownDeviations::read("k.toml", &text, &library.catalogue, &library.cases);
    let rules = Rules {
        case: "add-to-shadow-copy-set/second-share-on-same-store",
        profile,
        catalogue: &library.catalogue,
        known: &known.expect("the list reads"),
    };
    let facts = Facts {
        call: None,
        ids: &BTreeMap::new(),
        replies: &BTreeMap::new(),
        fill: &str::to_owned,
        now_ticks: 0,
    };
    judge(
        rules,
        Some(Opnum::AddToShadowCopySet),
        expect,
        result,
        &facts,
    )
}

fn verdict(expect: &Expectation, result: &StepResult) -> Verdict {
    judged(expect, result, Profile::Spec, "").verdict
}

#[test]
fn an_answer_that_is_not_permitted_weighs_as_much_as_the_requirement() {
    for (requirement, wanted) in LEVELS {
        let expect = expect(requirement, vec![answer(Wanted::Status(Hresult::ZERO))]);
        assert_eq!(verdict(&expect, &failed(Hresult::E_INVALIDARG)), wanted);
        let observed = judged(
            &expect,
            &failed(Hresult::E_INVALIDARG),
            Profile::Observe,
            "",
        );
        assert_eq!(observed.verdict, Verdict::Info);
        assert_eq!(verdict(&expect, &failed(Hresult::ZERO)), Verdict::Pass);
    }
}

#[test]
fn a_lost_connection_is_never_the_error_that_was_expected() {
    let answers = vec![
        answer(Wanted::Status(Hresult::E_INVALIDARG)),
        answer(Wanted::Fault(5)),
    ];
    let expect = expect("FSRVP-3.1.4.4-14", answers);
    let closed = StepResult::Broken(DriveError::Closed { during: "a call" });
    assert_eq!(verdict(&expect, &closed), Verdict::Fail);
    let fault = |code| StepResult::Rpc(RpcAnswer::Fault(code));
    assert_eq!(verdict(&expect, &fault(5)), Verdict::Pass);
    assert_eq!(verdict(&expect, &fault(6)), Verdict::Fail);
    // A method that fails with the number of a fault has not raised one.
    assert_eq!(verdict(&expect, &failed(Hresult(5))), Verdict::Fail);
}

#[test]
fn an_answer_of_another_profile_is_not_permitted() {
    let mut windows = answer(Wanted::Status(Hresult::E_INVALIDARG));
    windows.profiles = vec![Profile::Windows];
    let expect = expect(
        "FSRVP-3.1.4.4-14",
        vec![answer(Wanted::Status(Hresult::ZERO)), windows],
    );
    let came = failed(Hresult::E_INVALIDARG);
    assert_eq!(verdict(&expect, &came), Verdict::Fail);
    let judgement = judged(&expect, &came, Profile::Windows, "");
    assert_eq!(judgement.verdict, Verdict::Pass);
}

#[test]
fn a_listed_deviation_is_known_only_with_the_listed_answer() {
    let list = "[[deviation]]\nrequirement = \"FSRVP-3.1.4.4-14\"\nanswer = \"E_INVALIDARG\"\n\
                reason = \"r\"\nsource = \"s\"\n";
    let wanted = Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS;
    let expect = expect("FSRVP-3.1.4.4-14", vec![answer(Wanted::Status(wanted))]);
    let with = |status| judged(&expect, &failed(status), Profile::Samba, list).verdict;
    assert_eq!(with(Hresult::E_INVALIDARG), Verdict::Known);
    assert_eq!(with(Hresult::E_ACCESSDENIED), Verdict::Fail);
    assert_eq!(with(Hresult::ZERO), Verdict::Fail);
    assert_eq!(with(wanted), Verdict::Pass);
}

#[test]
fn a_share_that_is_gone_is_no_refusal_to_write() {
    let refused = expect(
        "FSRVP-2.2.2.1-01",
        vec![answer(Wanted::File(FileResult::Refused))],
    );
    let came = |at, status| StepResult::File(FileAnswer::Status { at, status });
    for status in [NtStatus::ACCESS_DENIED, NtStatus::MEDIA_WRITE_PROTECTED] {
        assert_eq!(
            verdict(&refused, &came(Stage::Write, status)),
            Verdict::Pass
        );
        assert_eq!(verdict(&refused, &came(Stage::Open, status)), Verdict::Pass);
        assert_eq!(
            verdict(&refused, &came(Stage::Connect, status)),
            Verdict::Fail
        );
    }
    for status in [NtStatus::BAD_NETWORK_NAME, NtStatus::OBJECT_NAME_NOT_FOUND] {
        assert_eq!(verdict(&refused, &came(Stage::Open, status)), Verdict::Fail);
    }
    assert_eq!(
        verdict(&refused, &StepResult::File(FileAnswer::Done)),
        Verdict::Fail
    );
}

const COPY: Uuid = Uuid::from_u128(0xaaaa_aaaa_bbbb_cccc_dddd_eeee_eeee_eeee);

/// Whether an exposed share may be named so, when `asked` is the share that was asked for.
fn is_permitted_name(asked: &str, name: &str, wanted: OutValue) -> bool {
    let mapping = ShareMapping1 {
        shadow_copy_set_id: ShadowCopySetId::NIL,
        shadow_copy_id: ShadowCopyId(COPY),
        share_name_unc: None,
        shadow_copy_share_name: Some(WideString::from_text(name)),
        creation_timestamp: 0,
    };
    let reply = Reply::GetShareMapping(get_share_mapping::Response {
        share_mapping: ShareMapping {
            level: 1,
            mapping: Some(mapping),
        },
        status: Hresult::ZERO,
    });
    let call = Call::GetShareMapping(get_share_mapping::Request {
        shadow_copy_id: ShadowCopyId(COPY),
        shadow_copy_set_id: ShadowCopySetId::NIL,
        share_name: WideString::from_text(asked),
        level: 1,
    });
    let facts = Facts {
        call: Some(&call),
        ids: &BTreeMap::new(),
        replies: &BTreeMap::new(),
        fill: &str::to_owned,
        now_ticks: 0,
    };
    let check = OutCheck {
        parameter: "ShadowCopyShareName".to_owned(),
        any_of: vec![wanted],
    };
    let result = StepResult::Rpc(RpcAnswer::Reply(reply));
    wrong_out(&[check], &result, &facts).is_none()
}

#[test]
fn an_exposed_share_has_the_name_of_its_base_share_and_the_id() {
    let id = COPY.to_string();
    let upper = id.to_uppercase();
    let permitted = |name: &str| is_permitted_name(r"\\srv\data\", name, OutValue::ExposedName);
    for yes in [
        format!("data@{{{id}}}"),
        format!("DATA@{{{upper}}}"),
        format!(r"\\other\data@{{{id}}}"),
    ] {
        assert!(permitted(&yes), "{yes}");
    }
    for no in [
        format!("data@{id}"),
        format!("data-{{{id}}}"),
        format!("dat@{{{id}}}"),
        format!("data@{{{id}}}$"),
        format!(r"srv\data@{{{id}}}"),
        format!("data@{{{}}}", Uuid::from_u128(7)),
        String::new(),
    ] {
        assert!(!permitted(&no), "{no}");
    }
    let hidden = format!("data@{{{id}}}$");
    assert!(is_permitted_name(
        r"\\srv\data",
        &hidden,
        OutValue::ExposedNameHidden
    ));
}

#[test]
fn the_host_of_an_exposed_share_is_that_of_its_base_share_or_not_there() {
    let id = COPY.to_string();
    let here = |name: &str| is_permitted_name(r"\\srv\data", name, OutValue::ExposedNameHere);
    assert!(here(&format!("data@{{{id}}}")));
    assert!(here(&format!(r"\\SRV\data@{{{id}}}")));
    assert!(!here(&format!(r"\\other\data@{{{id}}}")));
    assert!(!here(&format!(r"\\srv\dat@{{{id}}}")));
}

/// The parameter of a failed AddToShadowCopySet is nil.
#[test]
fn of_answers_with_one_code_that_counts_whose_parameters_hold() {
    let code = Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS;
    let with = |wanted: OutValue, verdict| Answer {
        out: vec![OutCheck {
            parameter: "ShadowCopyId".to_owned(),
            any_of: vec![wanted],
        }],
        verdict,
        ..answer(Wanted::Status(code))
    };
    let both = |second| {
        let first = with(OutValue::NonZero, Verdict::Pass);
        expect("FSRVP-3.1.4.4-14", vec![first, with(second, Verdict::Info)])
    };
    assert_eq!(verdict(&both(OutValue::Zero), &failed(code)), Verdict::Info);
    assert_eq!(verdict(&both(OutValue::New), &failed(code)), Verdict::Fail);
}

#[test]
fn bits_are_there_or_not_whatever_stands_beside_them() {
    let is = |bits: i64, number: i64| {
        let reply = Reply::failure(Opnum::IsPathShadowCopied, Hresult::ZERO).expect("a method");
        let facts = Facts {
            call: None,
            ids: &BTreeMap::new(),
            replies: &BTreeMap::new(),
            fill: &str::to_owned,
            now_ticks: 0,
        };
        let value = Value::Number(number);
        let name = "ShadowCopyCompatibility";
        holds(&OutValue::Bits(bits), name, &value, &reply, &facts)
    };
    assert!(is(1, 1) && is(1, 3) && is(2, 2) && is(2, 3) && is(3, 3));
    assert!(!is(1, 0) && !is(1, 2) && !is(2, 1) && !is(3, 1));
}
