//! A whole server whose shadow copies are made by programs of the user's.

use super::{Place, expose, read, recover, shares, write};
use crate::config::{BackendChoice, CommandConfig, Config};
use crate::shell::Reference;
use crate::tree::TreeError;
use fsrvp_wire::fsrvp::timers;
use std::os::unix::fs::PermissionsExt;

/// Keeps its copies beside the share, where the server would never put them.
const SCRIPT: &str = r#"#!/bin/sh
set -eu
order=$(cat)
field() { printf '%s' "$order" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
copy=$(dirname "$0")/vendor/$(field shadow_copy_id)
case $1 in
create) mkdir -p "$(dirname "$0")/vendor"; cp -a "$(field source)" "$copy"; printf '{"path": "%s"}' "$copy" ;;
remove) rm -rf -- "$copy" ;;
esac
"#;

fn config(place: &Place) -> Config {
    let script = place.path("program");
    std::fs::write(&script, SCRIPT).expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("a program");
    let line = |action: &str| vec![script.display().to_string(), action.to_owned()];
    Config {
        backend: BackendChoice::Command,
        command: Some(CommandConfig {
            create: line("create"),
            seal: Vec::new(),
            remove: line("remove"),
            timeout_s: 10.0,
        }),
        ..place.config(Some("state"))
    }
}

fn copies_of_the_vendor(place: &Place) -> usize {
    std::fs::read_dir(place.path("vendor")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn what_a_program_made_is_exposed_sealed_kept_and_removed() {
    let place = Place::new();
    let config = config(&place);
    let server = Reference::start(config.clone()).await.expect("a start");
    let (kept, set) = expose(&server).await;
    std::fs::write(place.path("data/file"), "after").expect("written");
    assert_eq!(read(&shares(&server), &kept), b"before");
    assert!(write(&shares(&server), &kept).is_ok());
    recover(&server, set).await;
    server.stop().await;

    let server = Reference::start(config).await.expect("a second start");
    assert_eq!(read(&shares(&server), &kept), b"before");
    assert!(matches!(
        write(&shares(&server), &kept),
        Err(TreeError::ReadOnly)
    ));
    let (expired, _) = expose(&server).await;
    assert_eq!(copies_of_the_vendor(&place), 2);
    server.advance(timers::AFTER_EXPOSE).await;
    assert!(shares(&server).find(&expired).is_none());
    assert_eq!(copies_of_the_vendor(&place), 1);
    server.stop().await;
}
