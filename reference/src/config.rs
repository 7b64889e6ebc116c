//! What a server is told at its start: the `serve` configuration.

use crate::agent::Fault;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

mod command;
mod keys;
mod limits;
mod script;
mod trial;

pub use command::CommandConfig;
pub use limits::{BEFORE_LOGON_MAX, CONNECTIONS_MAX, FRAME_WAIT, LOGON_WAIT, Limits};
pub use script::{Dropped, Scripted, ScriptedAnswer};
pub use trial::{Passing, STEPS, Traffic, Trial};

/// The longest NetBIOS name, in bytes (RFC 1001 14.1, with the suffix byte left out).
pub const NAME_LEN_MAX: usize = 15;

/// The longest share name, in characters (MS-SRVS 2.2.4.23 leaves room for 80).
pub const SHARE_NAME_LEN_MAX: usize = 80;

/// How long writes may wait for a commit where nobody says otherwise, in seconds.
pub const FREEZE_MAX_S: f64 = 30.0;

/// Everything that [`crate::shell::Reference::start`] needs to know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the server listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The server's NetBIOS name, which IsPathSupported gives as OwnerMachineName.
    pub name: String,
    /// Whose behaviour the server shows where the known servers differ.
    pub profile: Profile,
    /// What makes backend snapshots.
    pub backend: BackendChoice,
    /// Where durable state lies; `None`: in a temporary directory that goes away with the server.
    pub state: Option<PathBuf>,
    /// How long the Message Sequence Timer runs.
    pub timers: Timers,
    /// Whether requests of dialects 3.0 and above may or must be encrypted.
    pub encryption: Encryption,
    /// Whether every request must be signed.
    pub signing: Signing,
    /// The shares.
    #[serde(rename = "share")]
    pub shares: Vec<ShareConfig>,
    /// Who may log on.
    #[serde(rename = "user")]
    pub users: Vec<UserConfig>,
    /// The programs of the backend `command`.
    pub command: Option<CommandConfig>,
    /// How long writes through the server may wait, in seconds, while the copies of a set are made.
    /// A commit that needs longer fails and keeps nothing.
    pub freeze_max_s: f64,
    /// How much clients may use together.
    pub limits: Limits,
    /// Whose clock the timers follow; not part of a configuration file.
    #[serde(skip)]
    pub clock: Clock,
    /// What the server does wrong on purpose; not part of a configuration file.
    #[serde(skip)]
    pub faults: Vec<Fault>,
    /// Answers in place of the right ones, for tests of clients; the first that fits a call counts.
    /// Not part of a configuration file.
    #[serde(skip)]
    pub answers: Vec<ScriptedAnswer>,
    /// For tests of this server; not part of a configuration file.
    #[serde(skip)]
    pub trial: Trial,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4455)),
            name: "FSRVPREF".to_owned(),
            profile: Profile::Spec,
            backend: BackendChoice::Auto,
            state: None,
            timers: Timers::default(),
            encryption: Encryption::Allowed,
            signing: Signing::Required,
            shares: Vec::new(),
            users: Vec::new(),
            command: None,
            freeze_max_s: FREEZE_MAX_S,
            limits: Limits::default(),
            clock: Clock::System,
            faults: Vec::new(),
            answers: Vec::new(),
            trial: Trial::default(),
        }
    }
}

/// Whose behaviour the server shows where the known servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Profile {
    /// The specification's text.
    #[default]
    Spec,
    /// Windows Server 2012, as far as its behaviour is documented.
    #[serde(alias = "windows-2012")]
    Windows,
    /// Windows Server 2012 R2 and later, as far as their behaviour is documented.
    #[serde(rename = "windows-2012r2")]
    Windows2012R2,
    /// Samba 4.17.
    Samba,
}

/// What makes backend snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackendChoice {
    /// The first that can of `btrfs`, `reflink` and `copy`, for each share.
    #[default]
    Auto,
    /// Subvolume snapshots.
    Btrfs,
    /// Trees of cloned files, on XFS and btrfs.
    Reflink,
    /// Plain copies, on any file system.
    Copy,
    /// The programs of [`Config::command`].
    Command,
}

impl BackendChoice {
    /// Every name that a configuration may use.
    pub const NAMES: [(&'static str, BackendChoice); 5] = [
        ("auto", BackendChoice::Auto),
        ("btrfs", BackendChoice::Btrfs),
        ("reflink", BackendChoice::Reflink),
        ("copy", BackendChoice::Copy),
        ("command", BackendChoice::Command),
    ];
}

/// How long the Message Sequence Timer runs (MS-FSRVP 3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timers {
    /// This many times faster than the specification says.
    Scale(f64),
    /// One duration in seconds instead of every nominal one.
    FixedS(f64),
}

impl Default for Timers {
    fn default() -> Self {
        Timers::Scale(1.0)
    }
}

impl Timers {
    /// How long the timer runs where the specification says `nominal`.
    #[must_use]
    pub fn duration(self, nominal: Duration) -> Duration {
        let seconds = match self {
            Timers::Scale(scale) => nominal.as_secs_f64() / scale,
            Timers::FixedS(seconds) => seconds,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(nominal)
    }
}

/// Whether requests of an authenticated session must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// Signed where the client asks for it.
    Allowed,
    /// Every request, or it is refused.
    #[default]
    Required,
}

/// Whether the requests of an authenticated session are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Never; no cipher is agreed on.
    Off,
    /// Where the client does so.
    #[default]
    Allowed,
    /// Every request; who cannot encrypt cannot log on.
    Required,
}

/// Whose clock the timers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// The caller's, who moves it on by [`crate::shell::Reference::advance`].
    Manual,
}

/// One share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareConfig {
    /// Its name, compared without case.
    pub name: String,
    /// Its root directory.
    pub path: PathBuf,
    /// The file store it lies on, where that is not the file system or subvolume of `path`; not
    /// with the backend `btrfs`.
    #[serde(default)]
    pub store: Option<String>,
    /// Where its shadow copies lie; `.fsrvp-copies` in the root of the
    /// share, which no client sees, otherwise.
    #[serde(default)]
    pub copies: Option<PathBuf>,
    /// The remark that clients show.
    #[serde(default)]
    pub comment: String,
    /// Nobody may write to it.
    #[serde(default)]
    pub read_only: bool,
    /// Whether requests to it, and to its shadow copies, are encrypted, where the server as a
    /// whole does not demand it: `required` or what the server says.
    #[serde(default)]
    pub encryption: Option<Encryption>,
    /// What its shadow copies do not go together with, which clients are told.
    #[serde(default)]
    pub disable: Vec<Disable>,
    /// Who may do what; empty: every user may do everything. Whoever is not on a list that is not
    /// empty may do nothing.
    #[serde(default)]
    pub access: Vec<AccessConfig>,
}

impl ShareConfig {
    /// The share `name` with the root `path`, everything else as nobody said otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        ShareConfig {
            name: name.into(),
            path: path.into(),
            store: None,
            copies: None,
            comment: String::new(),
            read_only: false,
            encryption: None,
            disable: Vec::new(),
            access: Vec::new(),
        }
    }
}

/// What one user may do on a share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// The user's name.
    pub user: String,
    /// What the user may do.
    pub rights: AccessRights,
}

/// MS-FSRVP 2.2.2.3: what is not to be done to a file store while it has a shadow copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disable {
    /// DISABLE_DEFRAG, for the files of a copy may share their extents with it.
    Defragmentation,
    /// DISABLE_CONTENTINDEX.
    Indexing,
}

/// What a user may do on a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessRights {
    /// Not even connect.
    None,
    /// Connect and read.
    Read,
    /// Connect, read, write and delete.
    Full,
}

/// Who may log on, and as a member of which groups.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The user's name, compared without case.
    pub name: String,
    /// The password itself.
    #[serde(default)]
    pub password: Option<Zeroizing<String>>,
    /// The environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// The file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The NT hash of the password, as 32 hexadecimal digits.
    #[serde(default)]
    pub nt_hash: Option<Zeroizing<String>>,
    /// `Administrators` and `Backup Operators` may use FSRVP.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl UserConfig {
    /// A user with a password, in these groups.
    #[must_use]
    pub fn with_password(name: &str, password: &str, groups: &[&str]) -> Self {
        UserConfig {
            name: name.to_owned(),
            password: Some(Zeroizing::new(password.to_owned())),
            password_env: None,
            password_file: None,
            nt_hash: None,
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        }
    }
}

impl std::fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserConfig")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The configuration file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not a configuration.
    #[error("{0}")]
    Syntax(String),
    /// A key that nobody knows.
    #[error("unknown key `{key}` in {table}, the nearest known one is `{nearest}`")]
    UnknownKey {
        /// The key as it stands.
        key: String,
        /// The table that holds it.
        table: String,
        /// The known key most like it.
        nearest: String,
    },
    /// A value that makes no sense.
    #[error("{place}: {reason}")]
    Value {
        /// Which key of which table.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    /// The value at `place` cannot be used because of `reason`.
    pub(crate) fn value(place: impl Into<String>, reason: impl Into<String>) -> Self {
        ConfigError::Value {
            place: place.into(),
            reason: reason.into(),
        }
    }
}

impl Config {
    /// Reads a configuration file. Relative paths in it are relative to the file.
    ///
    /// # Errors
    /// The file that cannot be read, or the first thing wrong in it.
    pub fn from_file(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config = Config::from_toml(&text).map_err(|error| match error {
            ConfigError::Syntax(message) => {
                ConfigError::Syntax(format!("{}: {message}", path.display()))
            }
            other => other,
        })?;
        if let Some(folder) = path.parent() {
            config.rebase(folder);
        }
        Ok(config)
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// The first thing wrong in it.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax(error.to_string());
        let table: toml::Table = text.parse().map_err(syntax)?;
        keys::check(&table)?;
        let config: Config = toml::from_str(text).map_err(syntax)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what the types cannot: names, durations, references between tables.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.name.is_empty() || self.name.len() > NAME_LEN_MAX || !self.name.is_ascii() {
            return Err(ConfigError::value(
                "name",
                format!("a NetBIOS name has 1 to {NAME_LEN_MAX} ASCII characters"),
            ));
        }
        let (Timers::Scale(number) | Timers::FixedS(number)) = self.timers;
        if !(number.is_finite() && number > 0.0) {
            return Err(ConfigError::value("timers", "must be above zero"));
        }
        if !(self.freeze_max_s.is_finite() && self.freeze_max_s > 0.0) {
            return Err(ConfigError::value("freeze_max_s", "must be above zero"));
        }
        self.limits.validate()?;
        match (&self.command, self.backend) {
            (Some(command), _) => command.validate()?,
            (None, BackendChoice::Command) => {
                let reason = "the backend command needs its programs, in the table [command]";
                return Err(ConfigError::value("backend", reason));
            }
            (None, _) => {}
        }
        for (index, share) in self.shares.iter().enumerate() {
            validate_share_name(&share.name)?;
            let earlier = self.shares.iter().take(index);
            if earlier
                .into_iter()
                .any(|other| same_name(&other.name, &share.name))
            {
                return Err(ConfigError::value(
                    format!("share {}", share.name),
                    "named twice",
                ));
            }
            validate_encryption(self.encryption, share)?;
            if share.store.is_some() && self.backend == BackendChoice::Btrfs {
                return Err(ConfigError::value(
                    format!("share {}, store", share.name),
                    "a share on btrfs snapshots cannot name its store",
                ));
            }
        }
        Ok(())
    }

    fn rebase(&mut self, folder: &Path) {
        let rebase = |path: &mut PathBuf| *path = folder.join(&*path);
        self.state.as_mut().map(rebase);
        for share in &mut self.shares {
            rebase(&mut share.path);
            share.copies.as_mut().map(rebase);
        }
        for user in &mut self.users {
            user.password_file.as_mut().map(rebase);
        }
    }
}

/// Whether two names of shares or users are the same: both compare without case.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a.chars()
        .flat_map(char::to_uppercase)
        .eq(b.chars().flat_map(char::to_uppercase))
}

/// A share can ask for more than its server, not for less.
fn validate_encryption(server: Encryption, share: &ShareConfig) -> Result<(), ConfigError> {
    let reason = match (server, share.encryption) {
        (Encryption::Off, Some(Encryption::Allowed | Encryption::Required)) => {
            "the server has encryption off"
        }
        (Encryption::Allowed, Some(Encryption::Off)) => {
            "a share cannot switch off what the server allows"
        }
        (Encryption::Required, Some(Encryption::Off | Encryption::Allowed)) => {
            "the server requires encryption"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::value(
        format!("share {}, encryption", share.name),
        reason,
    ))
}

fn validate_share_name(name: &str) -> Result<(), ConfigError> {
    let refuse = |reason: &str| Err(ConfigError::value(format!("share {name}"), reason));
    if name.is_empty() || name.chars().count() > SHARE_NAME_LEN_MAX {
        return refuse("a share name has 1 to 80 characters");
    }
    if same_name(name, "IPC$") {
        return refuse("this name is the server's own");
    }
    if name
        .chars()
        .any(|c| c.is_control() || "\\/:*?\"<>|[]+=;,@".contains(c))
    {
        return refuse("the name holds a character that no share name may have");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BackendChoice, Config, Timers};
    use std::time::Duration;

    const WHOLE: &str = r#"
        listen = "127.0.0.1:0"
        name = "NODE1"
        profile = "spec"
        backend = "copy"
        state = "state"
        timers = { scale = 90.0 }
        encryption = "allowed"
        signing = "required"

        [[share]]
        name = "data"
        path = "data"
        store = "one"
        copies = "copies"
        comment = "the data"
        read_only = false
        encryption = "required"
        access = [{ user = "eve", rights = "read" }]

        [[user]]
        name = "admin"
        password = "Geheim-1!"
        groups = ["Administrators"]
    "#;

    #[test]
    fn a_whole_configuration_is_read() {
        let config = Config::from_toml(WHOLE).expect("a good configuration");
        assert_eq!(config.backend, BackendChoice::Copy);
        assert_eq!(
            config.timers.duration(Duration::from_secs(180)),
            Duration::from_secs(2)
        );
        assert_eq!(config.shares.len(), 1);
        assert_eq!(config.users.len(), 1);
    }

    #[test]
    fn a_password_shows_nowhere() {
        let config = Config::from_toml(WHOLE).expect("a good configuration");
        assert!(!format!("{config:?}").contains("Geheim"));
    }

    #[test]
    fn one_duration_can_stand_for_all() {
        let timers = Timers::FixedS(2.5);
        assert_eq!(
            timers.duration(Duration::from_secs(1800)),
            Duration::from_millis(2500)
        );
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one() {
        for (text, key, nearest) in [
            ("lisen = 'x'", "lisen", "listen"),
            ("[[share]]\npth = 'x'", "pth", "path"),
            ("[[user]]\npasword = 'x'", "pasword", "password"),
            ("timers = { scal = 2 }", "scal", "scale"),
        ] {
            let message = Config::from_toml(text).expect_err(text).to_string();
            assert!(
                message.contains(key) && message.contains(nearest),
                "{message}"
            );
        }
    }

    #[test]
    fn senseless_values_are_refused() {
        for text in [
            "name = ''",
            "name = 'MUCHTOOLONGANAME'",
            "timers = { scale = 0.0 }",
            "profile = 'vista'",
            "[[share]]\nname = 'IPC$'\npath = 'x'",
            "encryption = 'off'\n[[share]]\nname = 'a'\npath = 'x'\nencryption = 'required'",
            "[[share]]\nname = 'a'\npath = 'x'\nencryption = 'off'",
            "[[share]]\nname = 'a/b'\npath = 'x'",
            "[[share]]\nname = 'a'\npath = 'x'\n[[share]]\nname = 'A'\npath = 'y'",
        ] {
            assert!(Config::from_toml(text).is_err(), "{text}");
        }
    }
}
