//! The embedded server in each profile: what it does otherwise than the text is what is known of
//! those whom it imitates, and nothing else.

use std::process::Command;

/// `fsrvp check --profile` of every case.
fn check(profile: &str) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--profile", profile])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{profile}: {text}");
    text
}

#[test]
fn samba_deviates_as_its_list_says() {
    let text = check("samba");
    assert!(text.lines().any(|line| line.starts_with("known")), "{text}");
    assert!(text.contains("embedded (samba): "), "{text}");
}

#[test]
fn windows_gives_what_the_cases_permit_it() {
    assert!(check("windows").contains("embedded (windows): "));
}

#[test]
fn a_profile_that_there_is_not_is_named() {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--profile", "solaris"])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{text}");
    assert!(text.contains("spec, windows and samba"), "{text}");
}
