//! Keys that nobody knows, each named with the known one most like it.

use super::ConfigError;
use toml::{Table, Value};

const ROOT: &[&str] = &[
    "listen",
    "name",
    "profile",
    "backend",
    "state",
    "timers",
    "encryption",
    "signing",
    "command",
    "freeze_max_s",
    "limits",
    "share",
    "user",
];
const TIMERS: &[&str] = &["scale", "fixed_s"];
const LIMITS: &[&str] = &[
    "connections_max",
    "before_logon_max",
    "logon_wait_s",
    "frame_wait_s",
];
const COMMAND: &[&str] = &["create", "seal", "remove", "timeout_s"];
const SHARE: &[&str] = &[
    "name",
    "path",
    "store",
    "copies",
    "comment",
    "read_only",
    "encryption",
    "disable",
    "access",
];
const ACCESS: &[&str] = &["user", "rights"];
const USER: &[&str] = &[
    "name",
    "password",
    "password_env",
    "password_file",
    "nt_hash",
    "groups",
];

/// Refuses the first unknown key of a configuration.
pub(super) fn check(root: &Table) -> Result<(), ConfigError> {
    known(root, "the configuration", ROOT)?;
    if let Some(Value::Table(timers)) = root.get("timers") {
        known(timers, "timers", TIMERS)?;
    }
    if let Some(Value::Table(limits)) = root.get("limits") {
        known(limits, "limits", LIMITS)?;
    }
    if let Some(Value::Table(command)) = root.get("command") {
        known(command, "[command]", COMMAND)?;
    }
    for share in tables(root, "share") {
        known(share, "[[share]]", SHARE)?;
        for access in tables(share, "access") {
            known(access, "access of [[share]]", ACCESS)?;
        }
    }
    for user in tables(root, "user") {
        known(user, "[[user]]", USER)?;
    }
    Ok(())
}

fn tables<'a>(parent: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let array = parent.get(key).and_then(Value::as_array);
    array.into_iter().flatten().filter_map(Value::as_table)
}

fn known(table: &Table, place: &str, names: &[&str]) -> Result<(), ConfigError> {
    for key in table.keys() {
        if !names.contains(&key.as_str()) {
            let nearest = names
                .iter()
                .min_by_key(|name| strsim::damerau_levenshtein(name, key));
            return Err(ConfigError::UnknownKey {
                key: key.clone(),
                table: place.to_owned(),
                nearest: nearest.copied().unwrap_or_default().to_owned(),
            });
        }
    }
    Ok(())
}
