//! Who may log on, and who of them may use FSRVP.

use crate::config::{ConfigError, UserConfig};
use fsrvp_wire::auth::ntlm::NtHash;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// MS-FSRVP <4>: the groups whose members may use FSRVP.
pub const BACKUP_GROUPS: [&str; 2] = ["Administrators", "Backup Operators"];

/// All users of a server, by their names without case.
#[derive(Debug, Default)]
pub struct Users {
    by_name: HashMap<String, User>,
}

/// One user. The password is kept as its NT hash alone.
#[derive(Clone)]
pub struct User {
    /// The name, as configured.
    pub name: String,
    /// Whether the user is in one of [`BACKUP_GROUPS`].
    pub backup_rights: bool,
    nt_hash: NtHash,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("backup_rights", &self.backup_rights)
            .finish_non_exhaustive()
    }
}

impl User {
    /// The NT hash of the password.
    #[must_use]
    pub fn nt_hash(&self) -> NtHash {
        self.nt_hash.clone()
    }
}

impl Users {
    /// Takes the users of a configuration over, with their passwords from wherever they lie.
    ///
    /// # Errors
    /// A user without a password or with two, a source that cannot be read, an unknown group.
    pub fn from_config(users: &[UserConfig]) -> Result<Users, ConfigError> {
        let mut by_name = HashMap::new();
        for config in users {
            let place = format!("user {}", config.name);
            if config.name.is_empty() {
                return Err(ConfigError::value("user", "a name is missing"));
            }
            let user = User {
                name: config.name.clone(),
                backup_rights: backup_rights(&place, &config.groups)?,
                nt_hash: nt_hash(&place, config)?,
            };
            if by_name.insert(fold(&config.name), user).is_some() {
                return Err(ConfigError::value(place, "named twice"));
            }
        }
        Ok(Users { by_name })
    }

    /// The user of this name, compared without case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&User> {
        self.by_name.get(&fold(name))
    }
}

fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).collect()
}

fn backup_rights(place: &str, groups: &[String]) -> Result<bool, ConfigError> {
    let known = |group: &String| {
        BACKUP_GROUPS
            .iter()
            .any(|name| name.eq_ignore_ascii_case(group))
    };
    if let Some(unknown) = groups
        .iter()
        .find(|group| !known(group) && !group.eq_ignore_ascii_case("Users"))
    {
        return Err(ConfigError::value(
            format!("{place}, groups"),
            format!("`{unknown}` is none of Administrators, Backup Operators, Users"),
        ));
    }
    Ok(groups.iter().any(known))
}

fn nt_hash(place: &str, config: &UserConfig) -> Result<NtHash, ConfigError> {
    let refuse = |reason: &str| Err(ConfigError::value(place, reason));
    let sources = [
        config.password.is_some(),
        config.password_env.is_some(),
        config.password_file.is_some(),
        config.nt_hash.is_some(),
    ];
    if sources.iter().filter(|is_given| **is_given).count() != 1 {
        return refuse(
            "exactly one of password, password_env, password_file, nt_hash must be given",
        );
    }
    if let Some(digits) = &config.nt_hash {
        return match parse_hash(digits) {
            Some(hash) => Ok(NtHash::new(*hash)),
            None => refuse("nt_hash must have 32 hexadecimal digits"),
        };
    }
    let password = if let Some(password) = &config.password {
        password.clone()
    } else if let Some(variable) = &config.password_env {
        match std::env::var(variable) {
            Ok(password) => Zeroizing::new(password),
            Err(error) => return refuse(&format!("environment variable {variable}: {error}")),
        }
    } else {
        let path = config.password_file.clone().unwrap_or_default();
        match std::fs::read_to_string(&path).map(Zeroizing::new) {
            Ok(text) => {
                let line = text.lines().next().unwrap_or_default();
                Zeroizing::new(line.to_owned())
            }
            Err(error) => return refuse(&format!("{}: {error}", path.display())),
        }
    };
    Ok(NtHash::of_password(&password))
}

fn parse_hash(digits: &str) -> Option<Zeroizing<[u8; 16]>> {
    let mut hash = Zeroizing::new([0; 16]);
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        let pair = digits.get(2 * index..2 * index + 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::Users;
    use crate::config::UserConfig;
    use fsrvp_wire::auth::ntlm::NtHash;
    use zeroize::Zeroizing;

    fn user() -> UserConfig {
        UserConfig {
            password: None,
            ..UserConfig::with_password("Eve", "", &["backup operators"])
        }
    }

    #[test]
    fn names_and_groups_compare_without_case() {
        let config = UserConfig::with_password("Eve", "secret", &["backup operators"]);
        let users = Users::from_config(&[config]).expect("a good user");
        assert!(users.find("EVE").is_some_and(|user| user.backup_rights));
        assert!(users.find("eva").is_none());
    }

    #[test]
    fn a_hash_stands_for_its_password() {
        let mut config = user();
        let digits = "8846f7eaee8fb117ad06bdd830b7586c";
        config.nt_hash = Some(Zeroizing::new(digits.to_owned()));
        let users = Users::from_config(&[config]).expect("a good user");
        let hash = users.find("eve").expect("Eve").nt_hash();
        assert_eq!(hash.as_bytes(), NtHash::of_password("password").as_bytes());
    }

    #[test]
    fn a_file_gives_its_first_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("password");
        std::fs::write(&path, "password\nnot this\n").expect("written");
        let mut config = user();
        config.password_file = Some(path);
        let users = Users::from_config(&[config]).expect("a good user");
        let hash = users.find("eve").expect("Eve").nt_hash();
        assert_eq!(hash.as_bytes(), NtHash::of_password("password").as_bytes());
    }

    #[test]
    fn one_password_from_one_place_and_known_groups() {
        let mut two = UserConfig::with_password("Eve", "x", &[]);
        two.password_env = Some("X".to_owned());
        let mut short = user();
        short.nt_hash = Some(Zeroizing::new("8846".to_owned()));
        let stranger = UserConfig::with_password("Eve", "x", &["Wheel"]);
        let twin = UserConfig::with_password("eve", "x", &[]);
        let first = UserConfig::with_password("Eve", "x", &[]);
        for users in [
            vec![user()],
            vec![two],
            vec![short],
            vec![stranger],
            vec![first, twin],
        ] {
            assert!(Users::from_config(&users).is_err(), "{users:?}");
        }
    }
}
