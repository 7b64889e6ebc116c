//! `fsrvp explain` as a user meets it.

use std::process::{Command, Output};

fn explain(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .arg("explain")
        .args(words)
        .output()
        .expect("the binary runs")
}

#[test]
fn what_is_known_goes_to_standard_output_and_the_exit_code_is_0() {
    let run = explain(&["FSRVP-3.1.4.4-09", "FSRVP_E_BAD_STATE"]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(0));
    assert!(text.starts_with("FSRVP-3.1.4.4-09: "), "{text}");
    assert!(
        text.contains("\n\nFSRVP_E_BAD_STATE (0x80042301)\n"),
        "{text}"
    );
}

#[test]
fn what_is_unknown_is_named_with_its_nearest_name_and_the_exit_code_is_3() {
    let run = explain(&["set-context/retry-limits"]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(3));
    assert!(run.stdout.is_empty());
    assert!(
        told.contains("nearest known one is set-context/retry-limit\n"),
        "{told}"
    );
}
