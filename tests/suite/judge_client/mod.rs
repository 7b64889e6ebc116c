//! `serve --judge-client`: clients that do one thing wrong, each in front of one that does it right.

mod desk;
mod player;

use desk::{Targets, judged};
use fsrvp::case::{ClientSpec, RpcLevel};
use player::{Client, client_does};
use std::io::Write as _;

/// Everything that a client has to do, in order.
const CLEAN: &str = "supported version context start add prepare commit expose mapping recover \
                     version delete leave";

/// A script of one answer.
fn answers(method: &str, what: &str) -> String {
    format!("[[answer]]\nmethod = \"{method}\"\n{what}\n")
}

#[test]
fn a_clean_lifecycle_breaks_nothing() {
    let run = client_does("", CLEAN);
    assert_eq!(run.code, 0, "{:#}", run.ledger);
    assert_eq!(run.with("fail").len() + run.with("non-strict").len(), 0);
    let passed = run.with("pass");
    for id in [
        "FSRVP-C-2.1-01",
        "FSRVP-C-3.1.2-01",
        "FSRVP-C-3.1.4-01",
        "FSRVP-C-3.2.4.2.1-08",
        "FSRVP-C-3.2.4.2.1-09",
        "FSRVP-C-3.2.4.2.2-01",
        "FSRVP-C-3.2.4.2.2-05",
        "FSRVP-C-3.2.4.2.2-06",
        "FSRVP-C-3.2.4.3-01",
        "FSRVP-C-3.2.4.4-01",
        "FSRVP-C-3.2.4.4-03",
        "FSRVP-C-3.2.4.5-01",
        "FSRVP-C-3.2.4.5-02",
        "FSRVP-C-3.2.4.8-02",
        "FSRVP-C-3.2.4.8-04",
        "FSRVP-C-3.2.4.8-05",
        "RPCE-C-3.3.1.5.2.2-01",
        "SMB2-C-3.1.4.1-01",
    ] {
        assert!(passed.contains(&id), "{id} did not pass: {:#}", run.ledger);
    }
    assert_eq!(run.ledger["calls"], 12);
    assert_eq!(run.ledger["clients"][0], "127.0.0.1");
}

/// The requirement, what the server answers, and what a client does that breaks it.
const WRONG: &[(&str, (&str, &str), &str)] = &[
    ("FSRVP-C-3.2.4.2.1-09", ("", ""), "context leave"),
    (
        "FSRVP-C-3.2.4.2.1-09",
        ("", ""),
        "supported version start leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-01",
        ("IsPathSupported", "supported = false"),
        "supported version context start add abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-01",
        ("IsPathSupported", "code = \"FSRVP_E_NOT_SUPPORTED\""),
        "supported version context start add abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-02",
        ("IsPathSupported", "owner = \"ELSEWHERE\""),
        "supported version context start abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-03",
        ("GetSupportedVersion", "min_version = 2"),
        "supported version context start abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-06",
        ("SetContext", "code = \"E_ACCESSDENIED\""),
        "version context start leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-08",
        ("", ""),
        "version context start add commit-own-id abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.2-01",
        ("", ""),
        "version context start add prepare commit add-more abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.2-02",
        ("", ""),
        "version context start add add abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.2-05",
        ("", ""),
        "version context start add commit abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.2-06",
        ("", ""),
        "version context start add prepare add-more abort leave",
    ),
    ("FSRVP-C-3.2.4.3-01", ("", ""), "version commit-nil leave"),
    (
        "FSRVP-C-3.2.4.4-01",
        ("", ""),
        "version context start add expose abort leave",
    ),
    (
        "FSRVP-C-3.2.4.4-01",
        ("CommitShadowCopySet", "code = \"E_FAIL\""),
        "version context start add prepare commit expose abort leave",
    ),
    (
        "FSRVP-C-3.2.4.4-03",
        ("", ""),
        "version context start add prepare commit expose mapping-2 mapping recover leave",
    ),
    (
        "FSRVP-C-3.2.4.4-03",
        ("", ""),
        "version context start add prepare commit expose mapping-swapped mapping recover leave",
    ),
    (
        "FSRVP-C-3.2.4.4-03",
        ("", ""),
        "version context start add prepare commit expose recover leave",
    ),
    (
        "FSRVP-C-3.2.4.5-01",
        ("", ""),
        "version context start add prepare commit recover abort leave",
    ),
    (
        "FSRVP-C-3.2.4.5-01",
        ("ExposeShadowCopySet", "code = \"E_FAIL\""),
        "version context start add prepare commit expose recover abort leave",
    ),
    (
        "FSRVP-C-3.2.4.5-02",
        ("", ""),
        "version context start add prepare commit expose mapping leave",
    ),
    (
        "FSRVP-C-3.2.4.6-01",
        ("", ""),
        "version context start add abort prepare leave",
    ),
    (
        "FSRVP-C-3.2.4.9-01",
        ("", ""),
        "version context start add leave",
    ),
    (
        "FSRVP-C-3.2.4.9-01",
        ("PrepareShadowCopySet", "code = \"E_OUTOFMEMORY\""),
        "version context start add prepare leave",
    ),
    (
        "FSRVP-C-3.2.4.9-01",
        ("", ""),
        "version context start add prepare commit expose mapping recover abort leave",
    ),
    (
        "FSRVP-C-3.2.4.9-01",
        ("RecoveryCompleteShadowCopySet", "code = \"E_FAIL\""),
        "version context start add prepare commit expose mapping recover leave",
    ),
    (
        "FSRVP-C-3-02",
        ("ExposeShadowCopySet", "code = \"FSRVP_E_WAIT_TIMEOUT\""),
        "version context start add prepare commit expose mapping abort leave",
    ),
    (
        "FSRVP-C-3.2.4.8-02",
        ("", ""),
        "version context start add prepare commit expose mapping recover delete-swapped leave",
    ),
    (
        "FSRVP-C-3.2.4.8-04",
        ("", ""),
        "version context start add prepare commit expose mapping recover delete delete leave",
    ),
    (
        "FSRVP-C-3.2.4.8-05",
        ("", ""),
        "version context start add prepare commit expose mapping recover delete-nil leave",
    ),
];

#[test]
fn what_a_client_does_wrong_is_told() {
    for (requirement, (method, what), words) in WRONG {
        let script = match *method {
            "" => String::new(),
            method => answers(method, what),
        };
        let run = client_does(&script, words);
        run.is(requirement, "fail");
        assert_eq!(run.code, 1, "{words}");
        assert_eq!(
            run.with("fail"),
            [*requirement],
            "{words}: {:#}",
            run.ledger
        );
    }
}

#[test]
fn a_second_set_before_the_first_is_done_is_told_and_no_failure() {
    let wrong = client_does(
        "",
        "version context start add version context start abort leave",
    );
    wrong.is("FSRVP-C-3.1.4.2-01", "non-strict");
    assert_eq!(wrong.code, 0, "{:#}", wrong.ledger);
    let right = client_does(
        "",
        "version context start add abort version context start abort leave",
    );
    right.is("FSRVP-C-3.1.4.2-01", "pass");
    right.is("FSRVP-C-3.2.4.6-01", "pass");
    right.is("FSRVP-C-3.2.4.9-01", "pass");
}

#[test]
fn a_weak_client_is_told() {
    let weak = ClientSpec {
        rpc: Some(RpcLevel::None),
        ..ClientSpec::default()
    };
    let run = judged("", async |targets: Targets| {
        Client::new(targets, weak).does("version leave").await;
    });
    run.is("FSRVP-C-3.1.4-01", "fail");
}

/// What a server answers, and what a client does then; nothing of it is wrong.
const RIGHT: &[(&str, (&str, &str), &str)] = &[
    (
        "FSRVP-C-3.2.4.2.1-01",
        ("IsPathSupported", "supported = false"),
        "supported leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-02",
        ("IsPathSupported", "owner = \"ELSEWHERE\""),
        "supported reconnect version context start abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-02",
        ("IsPathSupported", "owner = \"ELSEWHERE\""),
        "supported version leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-03",
        ("GetSupportedVersion", "min_version = 2"),
        "supported version leave",
    ),
    (
        "FSRVP-C-3.2.4.2.1-06",
        (
            "SetContext",
            "code = \"FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS\"",
        ),
        "supported version context leave",
    ),
    (
        "FSRVP-C-3-02",
        ("ExposeShadowCopySet", "code = \"FSRVP_E_WAIT_TIMEOUT\""),
        "version context start add prepare commit expose abort leave",
    ),
    // Later it works.
    (
        "FSRVP-C-3-02",
        (
            "PrepareShadowCopySet",
            "code = \"FSRVP_E_WAIT_TIMEOUT\"\ncall = 1",
        ),
        "version context start add prepare prepare commit expose mapping recover leave",
    ),
    (
        "FSRVP-C-3.2.4.9-01",
        ("CommitShadowCopySet", "fault = 0x1c010014"),
        "version context start add prepare commit abort leave",
    ),
    (
        "FSRVP-C-3.2.4.5-02",
        (
            "RecoveryCompleteShadowCopySet",
            "code = \"E_FAIL\"\ncall = 1",
        ),
        "version context start add prepare commit expose mapping recover recover leave",
    ),
    // It was called, and the application may go on without what it tells.
    (
        "FSRVP-C-3.2.4.4-03",
        ("GetShareMapping", "code = \"E_FAIL\""),
        "version context start add prepare commit expose mapping recover leave",
    ),
    // To call it is all that a client has to do.
    (
        "FSRVP-C-3.2.4.9-01",
        ("AbortShadowCopySet", "code = \"E_FAIL\""),
        "version context start add abort leave",
    ),
    (
        "FSRVP-C-3.2.4.2.2-02",
        ("", ""),
        "version context start add add-more prepare commit expose mapping recover delete leave",
    ),
];

#[test]
fn what_a_client_does_right_passes() {
    for (requirement, (method, what), words) in RIGHT {
        let script = match *method {
            "" => String::new(),
            method => answers(method, what),
        };
        let run = client_does(&script, words);
        run.is(requirement, "pass");
        assert_eq!(run.code, 0, "{words}: {:#}", run.ledger);
    }
}

#[test]
fn a_client_that_dies_or_is_cut_off_is_not_called_wrong() {
    let died = client_does("", "version context start add vanish");
    died.is("FSRVP-C-3.2.4.9-01", "inconclusive");
    assert_eq!((died.code, died.with("fail").len()), (1, 0));
    let exposed = client_does(
        "",
        "version context start add prepare commit expose mapping vanish",
    );
    exposed.is("FSRVP-C-3.2.4.5-02", "inconclusive");
    for when in ["before", "after"] {
        let script = answers("PrepareShadowCopySet", &format!("drop = \"{when}\""));
        let cut = client_does(&script, "version context start add prepare leave");
        assert_eq!(cut.with("fail"), Vec::<&str>::new(), "{:#}", cut.ledger);
        let dropped = cut.ledger["calls"].as_u64();
        assert_eq!(dropped, Some(5), "{:#}", cut.ledger);
    }
    // The call under way has no answer that the client could have read.
    let script = answers("CommitShadowCopySet", "drop = \"before\"");
    let cut = client_does(&script, "version context start add prepare commit");
    cut.is("FSRVP-C-3.2.4.9-01", "inconclusive");
    // It comes back, and does what is left.
    let back = client_does(
        "",
        "version context start add prepare commit expose mapping vanish-and-come-back recover leave",
    );
    back.is("FSRVP-C-3.2.4.5-02", "pass");
    assert_eq!(back.code, 0, "{:#}", back.ledger);
}

#[test]
fn a_client_that_comes_back_only_to_delete_has_not_recovered() {
    let exposed = "version context start add prepare commit expose mapping";
    let script = |words: &str| judged_until_another_leaves(&format!("{exposed} {words}"));
    let deserted = script("leave delete leave");
    deserted.is("FSRVP-C-3.2.4.5-02", "fail");
    let recovered = script("leave recover delete leave");
    recovered.is("FSRVP-C-3.2.4.5-02", "pass");
    // It stays by another connection, which it made before.
    let stayed = judged("", async |targets: Targets| {
        let mut idle = Client::new(targets, ClientSpec::default());
        idle.does("version").await;
        let words = format!("{exposed} leave");
        let mut busy = Client::new(targets, ClientSpec::default());
        busy.does(&words).await;
        busy.does("delete leave").await;
        idle.does("leave").await;
    });
    stayed.is("FSRVP-C-3.2.4.5-02", "n/a");
    // The text lets a client delete what is Exposed.
    let deleted = script("delete leave");
    deleted.is("FSRVP-C-3.2.4.5-02", "n/a");
}

/// One client that may leave and come back: the run lasts until another one has left, whose call
/// came first.
fn judged_until_another_leaves(words: &str) -> desk::Run {
    judged("", async |targets: Targets| {
        let elsewhere = ClientSpec {
            other_address: true,
            ..ClientSpec::default()
        };
        let mut first = Client::new(targets, elsewhere);
        first.does("version").await;
        Client::new(targets, ClientSpec::default())
            .does(words)
            .await;
        first.does("leave").await;
    })
}

#[test]
fn what_speaks_no_smb_puts_nothing_in_doubt() {
    let run = judged("", async |targets: Targets| {
        let address = ("127.0.0.1", targets.target().port);
        let mut stranger = std::net::TcpStream::connect(address).expect("a connection");
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        let mut client = Client::new(targets, ClientSpec::default());
        client.does("supported version context start abort").await;
        drop(stranger);
        client.does("leave").await;
    });
    assert_eq!(run.code, 0, "{:#}", run.ledger);
}

#[test]
fn two_clients_are_judged_each_for_itself() {
    let elsewhere = || ClientSpec {
        other_address: true,
        ..ClientSpec::default()
    };
    // The second one is refused, and leaves.
    let run = judged("", async |targets: Targets| {
        let mut first = Client::new(targets, ClientSpec::default());
        first.does("supported version context start add").await;
        let mut second = Client::new(targets, elsewhere());
        second.does("supported version context leave").await;
        first
            .does("prepare commit expose mapping recover leave")
            .await;
    });
    assert_eq!(run.code, 0, "{:#}", run.ledger);
    run.is("FSRVP-C-3.2.4.2.1-06", "pass");
    assert_eq!(run.ledger["clients"].as_array().map(Vec::len), Some(2));
    // The second one goes on although it was refused.
    let run = judged("", async |targets: Targets| {
        let mut first = Client::new(targets, ClientSpec::default());
        first.does("supported version context start add").await;
        let mut second = Client::new(targets, elsewhere());
        second.does("supported version context start leave").await;
        first
            .does("prepare commit expose mapping recover leave")
            .await;
    });
    assert_eq!(
        run.with("fail"),
        ["FSRVP-C-3.2.4.2.1-06"],
        "{:#}",
        run.ledger
    );
    let outcomes = run.ledger["outcomes"].as_array().expect("a list");
    let failed = outcomes.iter().find(|of| of["verdict"] == "fail");
    let place = &failed.expect("a failure")["breaches"][0]["place"];
    let client = place["client"].as_str().unwrap_or_default();
    assert!(!client.starts_with("127.0.0.1:"), "{place}");
    assert_eq!(
        (&place["call"], &place["method"]),
        (&4.into(), &"StartShadowCopySet".into())
    );
    // Both at the same time: whoever is refused leaves.
    let run = judged("", async |targets: Targets| {
        let mut first = Client::new(targets, ClientSpec::default());
        first.does("supported version").await;
        let mut second = Client::new(targets, elsewhere());
        let lifecycle = first.does("context start add prepare commit expose mapping recover");
        tokio::join!(
            lifecycle,
            second.does("supported version supported version leave")
        );
        first.does("leave").await;
    });
    assert_eq!(run.with("fail"), Vec::<&str>::new(), "{:#}", run.ledger);
}

#[test]
fn an_answer_is_held_back_as_long_as_the_script_says() {
    let words = "version context context version version leave";
    let slow = format!(
        "{}{}",
        answers("GetSupportedVersion", "delay_ms = 60\ncall = 2"),
        // So that the time of the last one is told.
        answers("GetSupportedVersion", "min_version = 2\ncall = 3"),
    );
    let time = |id: &str, run: &desk::Run| {
        let outcomes = run.ledger["outcomes"].as_array().expect("a list");
        let of_it = outcomes.iter().find(|of| of["requirement"] == id);
        let place = &of_it.expect("an outcome")["first_kept"];
        place["time_s"].as_f64().expect("a time")
    };
    let run = client_does(&slow, words);
    let began = time("FSRVP-C-2.1-01", &run);
    let last = time("FSRVP-C-3.2.4.2.1-03", &run);
    assert!(last - began >= 0.06, "{began} {last}");
    assert_eq!(run.ledger["calls"], 5);
}

#[test]
fn nobody_who_calls_is_nothing_judged_and_a_bad_script_is_named() {
    let files = tempfile::tempdir().expect("a directory");
    let script = files.path().join("script.toml");
    std::fs::write(&script, answers("Prepare", "code = 1")).expect("written");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args([
            "serve",
            "--judge-client",
            "--listen",
            "127.0.0.1:0",
            "--user",
            "admin",
        ])
        .arg("--share")
        .arg(format!("data={}", files.path().display()))
        .arg("--answer")
        .arg(&script)
        .env("FSRVP_PASSWORD", "secret")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(
        said.contains("script.toml line 2: method Prepare"),
        "{said}"
    );
    assert!(said.contains("PrepareShadowCopySet"), "{said}");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["serve", "--once", "--user", "admin"])
        .output()
        .expect("the binary runs");
    assert_eq!(run.status.code(), Some(2));
}
