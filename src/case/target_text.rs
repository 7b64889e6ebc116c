//! A target as the text of a target file, for others to read and to use.

use crate::case::target::{Dialect, Encryption, Target, Timers};
use crate::requirement::embedded;
use toml::{Table, Value};

/// Where the passwords are then to be found.
const PASSWORD_ENV: &str = "FSRVP_PASSWORD";
const PLAIN_PASSWORD_ENV: &str = "FSRVP_PLAIN_PASSWORD";
const OPERATOR_PASSWORD_ENV: &str = "FSRVP_OPERATOR_PASSWORD";

impl Target {
    /// A target file of it, in which environment variables stand for the passwords. A list of known
    /// deviations that is a file of the user's is left out.
    #[must_use]
    pub fn without_secrets(&self) -> String {
        let mut table = Table::new();
        let mut put = |key: &str, value: Value| {
            table.insert(key.to_owned(), value);
        };
        put("name", word(&self.name));
        put("host", word(&self.host));
        put("port", Value::Integer(self.port.into()));
        put("user", word(&self.admin.name));
        put("password_env", word(PASSWORD_ENV));
        put("domain", word(&self.admin.domain));
        put("shares", words(&self.shares));
        put("same_store", words(&self.same_store));
        if let Some(hidden) = &self.hidden {
            put("hidden", word(hidden));
        }
        put("unsupported", words(&self.unsupported));
        for (key, share) in [
            ("mount_points", &self.mount_points),
            ("restricted", &self.restricted),
            ("no_defragmentation", &self.no_defragmentation),
            ("no_indexing", &self.no_indexing),
        ] {
            if let Some(share) = share {
                put(key, word(share));
            }
        }
        for (key, user, variable) in [
            ("plain_user", &self.plain_user, PLAIN_PASSWORD_ENV),
            (
                "backup_operator",
                &self.backup_operator,
                OPERATOR_PASSWORD_ENV,
            ),
        ] {
            if let Some(user) = user {
                put(
                    key,
                    map([("name", user.name.as_str()), ("password_env", variable)]),
                );
            }
        }
        put("profile", word(self.profile.as_str()));
        put("timers", timers(self.timers));
        let owners = self.owners.iter();
        put(
            "owners",
            map(owners.map(|(name, host)| (name.as_str(), host.as_str()))),
        );
        put("rpc_auth", word(self.rpc_auth.as_str()));
        let pause = i64::try_from(self.pause_between_sets.as_millis());
        put(
            "pause_between_sets_ms",
            Value::Integer(pause.unwrap_or(i64::MAX)),
        );
        let paths = self.local_path.iter();
        let paths = paths.filter_map(|(share, path)| Some((share.as_str(), path.to_str()?)));
        put("local_path", map(paths));
        let is_built_in = |name: &&String| embedded::text(&format!("known/{name}.toml")).is_some();
        if let Some(known) = self.known.as_ref().filter(is_built_in) {
            put("known", word(known));
        }
        let mut smb = Table::new();
        let dialects = self.smb.dialects.iter();
        let dialects = dialects.map(|dialect| word(dialect_word(*dialect)));
        smb.insert("dialects".to_owned(), Value::Array(dialects.collect()));
        smb.insert("signing".to_owned(), Value::Boolean(self.smb.signing));
        let encryption = match self.smb.encryption {
            Encryption::Off => "off",
            Encryption::Allowed => "allowed",
            Encryption::Required => "required",
        };
        smb.insert("encryption".to_owned(), word(encryption));
        put("smb", Value::Table(smb));
        table.to_string()
    }
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn words(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(|text| word(text)).collect())
}

fn map<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Value {
    let pairs = pairs.into_iter();
    Value::Table(
        pairs
            .map(|(key, text)| (key.to_owned(), word(text)))
            .collect(),
    )
}

/// Nobody else can move the clock of a server that was ours.
fn timers(timers: Timers) -> Value {
    let (key, value) = match timers {
        Timers::Scale(scale) => ("scale", Value::Float(scale)),
        Timers::Fixed(duration) => ("fixed_s", Value::Float(duration.as_secs_f64())),
        Timers::Unknown | Timers::Ours => ("unknown", Value::Boolean(true)),
    };
    Value::Table(Table::from_iter([(key.to_owned(), value)]))
}

fn dialect_word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Smb202 => "2.0.2",
        Dialect::Smb210 => "2.1",
        Dialect::Smb300 => "3.0",
        Dialect::Smb302 => "3.0.2",
        Dialect::Smb311 => "3.1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const WHOLE: &str = r#"
name = "s"
host = "192.0.2.1"
port = 4455
user = "u"
password = "very secret"
domain = "D"
shares = ["data", "more"]
same_store = ["alias"]
hidden = "h$"
unsupported = ["none"]
mount_points = "mounts"
restricted = "limited"
no_defragmentation = "more"
no_indexing = "data"
profile = "samba"
rpc_auth = "privacy"
pause_between_sets_ms = 1100
known = "samba-4.17"
timers = { fixed_s = 2.5 }
plain_user = { name = "p", password = "also secret" }
backup_operator = { name = "b", password = "third secret" }
owners = { OTHER = "192.0.2.2" }
local_path = { data = "/srv/data" }
smb = { dialects = ["2.1", "3.1.1"], signing = false, encryption = "allowed" }
"#;

    fn read(text: &str) -> Target {
        let env = |name: &str| match name {
            "FSRVP_PASSWORD" => Some("very secret".to_owned()),
            "FSRVP_PLAIN_PASSWORD" => Some("also secret".to_owned()),
            "FSRVP_OPERATOR_PASSWORD" => Some("third secret".to_owned()),
            _ => None,
        };
        Target::read(Path::new("t.toml"), text, &env, &|_| {
            Err(std::io::ErrorKind::NotFound.into())
        })
        .unwrap()
    }

    #[test]
    fn all_but_the_passwords_comes_back() {
        for text in [
            WHOLE,
            "name = \"s\"\nhost = \"h\"\nuser = \"u\"\nshares = [\"data\"]\n",
        ] {
            let target = read(text);
            let written = target.without_secrets();
            assert!(!written.contains("secret"), "{written}");
            assert_eq!(format!("{:?}", read(&written)), format!("{target:?}"));
        }
    }

    #[test]
    fn a_list_of_the_users_own_is_left_out() {
        let target = Target {
            known: Some("my/list.toml".to_owned()),
            ..read(WHOLE)
        };
        assert_eq!(read(&target.without_secrets()).known, None);
    }
}
