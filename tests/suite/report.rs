//! `fsrvp check` on the command line: its formats, every step, and how far it has come.

use std::process::{Command, Output, Stdio};

/// Two cases, which the embedded server passes.
const FEW: &str = "get-supported-version";

fn fsrvp(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_page_is_one_file_with_every_requirement_and_every_case() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("report.html");
    let output = path.display().to_string();
    let seed = ["--seed", "3"];
    let run = fsrvp(
        &[
            &[
                "check",
                "--format",
                "html",
                "--output",
                &output,
                "set-context",
            ][..],
            &seed,
        ]
        .concat(),
    );
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(run.stdout.is_empty(), "{}", text(&run.stdout));
    let json = fsrvp(&[&["check", "--format", "json", "set-context"][..], &seed].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    for (list, key, kind) in [
        ("outcomes", "case", "case"),
        ("requirements", "requirement", "req"),
    ] {
        let all = json[list].as_array().expect("a list");
        assert!(all.len() > 5, "{list}: {}", all.len());
        for one in all {
            let verdict = one["verdict"].as_str().unwrap_or("not judged");
            let id = one[key].as_str().expect("an id");
            let anchor = format!("id=\"{kind}-{id}\" data-verdict=\"{verdict}\"");
            assert_eq!(page.matches(&anchor).count(), 1, "{anchor}");
        }
    }
    let files = std::fs::read_dir(dir.path()).expect("readable").count();
    assert_eq!(files, 1, "the page has brought others");
}

#[test]
fn what_has_no_page_says_so() {
    for (arguments, word) in [
        (["check", "--list", "--format", "html"], "--list"),
        (["serve", "--status", "--format", "html"], "--status"),
    ] {
        let run = fsrvp(&arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        let told = text(&run.stderr);
        assert!(told.contains(word) && told.contains("--format"), "{told}");
        assert!(run.stdout.is_empty(), "{}", text(&run.stdout));
    }
}

#[test]
fn a_list_says_at_its_end_how_much_it_is() {
    let run = fsrvp(&["check", "--list", FEW]);
    let list = text(&run.stdout);
    let cases = list.lines().filter(|line| line.starts_with("get-")).count();
    let wanted = format!("\n\nembedded (spec): {cases} cases, 0 of them not played here\n");
    assert!(cases > 1 && list.contains(&wanted), "{list}");
}

#[test]
fn verbose_shows_every_step_and_without_it_a_pass_is_one_line() {
    let case = "abort-shadow-copy-set/ends-the-context";
    let plain = text(&fsrvp(&["check", case, "--seed", "3"]).stdout);
    assert!(!plain.contains("StartShadowCopySet"), "{plain}");
    let verbose = text(&fsrvp(&["check", case, "--seed", "3", "-v"]).stdout);
    let without_steps: Vec<&str> = verbose
        .lines()
        .filter(|line| !line.starts_with("              "))
        .collect();
    assert_eq!(without_steps, plain.lines().collect::<Vec<_>>());
    let wanted = "\
               1. SetContext CTX_BACKUP (0x00000000): 0x00000000 ZERO
               2. StartShadowCopySet: 0x00000000 ZERO
               3. AbortShadowCopySet set {set-1}: 0x00000000 ZERO
                  permitted 0x00000000 ZERO  [FSRVP-3.1.4.8-03]
               4. StartShadowCopySet: 0x80042301 FSRVP_E_BAD_STATE
                  permitted 0x80042301 FSRVP_E_BAD_STATE  [FSRVP-3.1.4.8-09]
";
    assert!(verbose.contains(wanted), "{verbose}");
}

/// What appears on a terminal, which `script` (of Debian's bsdutils, always there) makes.
fn on_a_terminal(arguments: &str, status: i32) -> String {
    let program = env!("CARGO_BIN_EXE_fsrvp");
    let run = Command::new("script")
        .args([
            "-q",
            "-e",
            "-c",
            &format!("{program} {arguments}"),
            "/dev/null",
        ])
        .stdin(Stdio::null())
        .output()
        .expect("script is there");
    assert_eq!(run.status.code(), Some(status), "{}", text(&run.stdout));
    text(&run.stdout)
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_played() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("no-such/report.html");
    let shown = on_a_terminal(&format!("check {FEW} --output {}", path.display()), 2);
    assert!(
        shown.contains("no-such/report.html: No such file"),
        "{shown}"
    );
    assert!(!shown.contains(" of "), "something was played: {shown}");
}

#[test]
fn progress_shows_on_a_terminal_is_gone_at_the_end_and_shows_nowhere_else() {
    let clear = "\r\u{1b}[K";
    let arguments = format!("check {FEW} --lifecycles 20 --seed 3 --jobs 1");
    let shown = on_a_terminal(&arguments, 0);
    for line in [
        "1 of 2 cases, 0 of 20 lifecycles, 0 failed",
        "2 of 2 cases, 20 of 20 lifecycles, 0 failed",
    ] {
        assert!(
            shown.contains(&format!("{clear}{line}{clear}")),
            "{shown:?}"
        );
    }
    let (_, left) = shown.rsplit_once(clear).expect("the line is cleared");
    assert!(left.starts_with("pass "), "{left}");
    let run = fsrvp(&arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(text(&run.stderr), "");
    assert_eq!(text(&run.stdout).replace('\n', "\r\n"), left);
}

/// The version that the server has is not the one that the case wants, and the requirement that it
/// names is a SHOULD.
#[test]
fn strict_turns_the_exit_code_and_every_report_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let topic = dir.path().join("get-supported-version");
    std::fs::create_dir(&topic).expect("a directory");
    let case = "title = \"Only version 2\"\n\n[[step]]\ncall = \"GetSupportedVersion\"\n\
                [step.expect]\nrequirements = [\"FSRVP-2.1-03\"]\nstatus = \"FSRVP_E_BAD_STATE\"\n";
    std::fs::write(topic.join("two.toml"), case).expect("written");
    let cases = dir.path().display().to_string();
    for (format, lenient, strict) in [
        (
            "text",
            "1 non-strict, 0 fail",
            "1 non-strict count as failures",
        ),
        ("json", "\"strict\": false", "\"strict\": true"),
        ("junit", "failures=\"0\"", "failures=\"1\""),
        ("html", "exit code 0<", "exit code 1<"),
    ] {
        let plain = [
            "check",
            "--cases",
            &cases,
            "--no-archives",
            "--format",
            format,
        ];
        let run = fsrvp(&plain);
        let report = text(&run.stdout);
        assert_eq!(run.status.code(), Some(0), "{format}: {report}");
        assert!(
            report.contains(lenient) && !report.contains(strict),
            "{format}: {report}"
        );
        let run = fsrvp(&[&plain[..], &["--strict"]].concat());
        let report = text(&run.stdout);
        assert_eq!(run.status.code(), Some(1), "{format}: {report}");
        assert!(report.contains(strict), "{format}: {report}");
    }
}

/// The last line of a list is counted as the trace table counts.
#[test]
fn a_list_says_how_many_requirements_are_judged() {
    let list = fsrvp(&["check", "--list", FEW]);
    assert_eq!(list.status.code(), Some(0), "{}", text(&list.stderr));
    let printed = text(&list.stdout);
    let last = printed.lines().last().expect("a line");
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/trace.md");
    let trace = std::fs::read_to_string(trace).expect("it is there");
    let counted = trace
        .lines()
        .find(|line| line.contains(" have a case or a rule, "));
    let mut words = counted.expect("the table counts").split(' ');
    let (judged, all) = (
        words.next().expect("a number"),
        words.nth(1).expect("another"),
    );
    assert!(
        last.starts_with(&format!(
            "{judged} of {all} requirements have a case or a rule;"
        )),
        "{last}"
    );
    let number = |word: &str| word.parse::<usize>().expect("a number");
    let rest = number(all) - number(judged);
    assert!(
        last.ends_with(&format!("why the other {rest} have none")),
        "{last}"
    );
    assert!(
        number(judged) >= 305 && number(judged) * 10 >= number(all) * 9,
        "{last}"
    );
}
