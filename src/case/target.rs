//! Target files: where a server is and what it has.

use crate::requirement::{FileError, line_of, read_toml};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest wait for a timer of a server whose clock is not ours.
pub const REAL_WAIT_MAX: Duration = Duration::from_secs(30);

/// A password; never shown, and wiped when it is no longer needed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a password.
    #[must_use]
    pub fn new(text: String) -> SecretText {
        SecretText(Zeroizing::new(text))
    }

    /// The password itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Who logs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: SecretText,
    /// The domain; empty where there is none.
    pub domain: String,
}

/// By whose reading a server is judged where the readings differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The text of MS-FSRVP.
    #[default]
    Spec,
    /// With the product notes of Windows Server 2012.
    #[serde(alias = "windows-2012")]
    Windows,
    /// With the product notes of Windows Server 2012 R2 and later.
    #[serde(rename = "windows-2012r2")]
    Windows2012R2,
    /// Judged by the text; what Samba does otherwise is on its list of known deviations.
    Samba,
    /// ONTAP.
    Ontap,
    /// The profile `seed`.
    Seed,
    /// HNAS.
    Hnas,
    /// Nothing is judged; what comes is recorded.
    Observe,
}

impl Profile {
    /// The word for it in a target file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Spec => "spec",
            Profile::Windows => "windows",
            Profile::Windows2012R2 => "windows-2012r2",
            Profile::Samba => "samba",
            Profile::Ontap => "ontap",
            Profile::Seed => "seed",
            Profile::Hnas => "hnas",
            Profile::Observe => "observe",
        }
    }

    /// Whether it is a Windows Server.
    #[must_use]
    pub fn is_windows(self) -> bool {
        matches!(self, Profile::Windows | Profile::Windows2012R2)
    }
}

/// The authentication level of an RPC binding, MS-RPCE 2.2.1.1.8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpcLevel {
    /// No authentication at all.
    None,
    /// RPC_C_AUTHN_LEVEL_CONNECT.
    Connect,
    /// RPC_C_AUTHN_LEVEL_PKT.
    Packet,
    /// RPC_C_AUTHN_LEVEL_PKT_INTEGRITY.
    #[default]
    Integrity,
    /// RPC_C_AUTHN_LEVEL_PKT_PRIVACY.
    Privacy,
}

impl RpcLevel {
    /// The word for it in a target file or a case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RpcLevel::None => "none",
            RpcLevel::Connect => "connect",
            RpcLevel::Packet => "packet",
            RpcLevel::Integrity => "integrity",
            RpcLevel::Privacy => "privacy",
        }
    }

    /// C706 13.1.2.1: the level's number on the wire; 0 where there is no authentication.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            RpcLevel::None => 0,
            RpcLevel::Connect => 2,
            RpcLevel::Packet => 4,
            RpcLevel::Integrity => 5,
            RpcLevel::Privacy => 6,
        }
    }
}

/// An SMB dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Dialect {
    /// SMB 2.0.2.
    #[serde(rename = "2.0.2")]
    Smb202,
    /// SMB 2.1.
    #[serde(rename = "2.1")]
    Smb210,
    /// SMB 3.0.
    #[serde(rename = "3.0")]
    Smb300,
    /// SMB 3.0.2.
    #[serde(rename = "3.0.2")]
    Smb302,
    /// SMB 3.1.1.
    #[serde(rename = "3.1.1")]
    Smb311,
}

impl Dialect {
    /// All of them, oldest first.
    pub const ALL: [Dialect; 5] = [
        Dialect::Smb202,
        Dialect::Smb210,
        Dialect::Smb300,
        Dialect::Smb302,
        Dialect::Smb311,
    ];

    /// The number that travels.
    #[must_use]
    pub fn revision(self) -> u16 {
        match self {
            Dialect::Smb202 => 0x0202,
            Dialect::Smb210 => 0x0210,
            Dialect::Smb300 => 0x0300,
            Dialect::Smb302 => 0x0302,
            Dialect::Smb311 => 0x0311,
        }
    }
}

/// Whether SMB messages are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Never.
    #[default]
    Off,
    /// When the server can.
    Allowed,
    /// Always.
    Required,
}

/// How the harness speaks SMB.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmbOptions {
    /// The dialects to offer.
    pub dialects: Vec<Dialect>,
    /// Whether to sign, and to demand signatures.
    pub signing: bool,
    /// Whether to encrypt.
    pub encryption: Encryption,
    /// How long the server may take for an answer, in seconds, where that is less than the harness
    /// waits anyway: 20 for SMB, 180 for a call.
    pub answer_within_s: Option<u16>,
}

impl Default for SmbOptions {
    fn default() -> Self {
        SmbOptions {
            dialects: Dialect::ALL.to_vec(),
            signing: true,
            encryption: Encryption::Off,
            answer_within_s: None,
        }
    }
}

/// How long the server's Message Sequence Timer runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timers {
    /// So many times faster than nominal.
    Scale(f64),
    /// One duration for every timer.
    Fixed(Duration),
    /// Not known.
    Unknown,
    /// The harness moves the server's clock.
    Ours,
}

impl Timers {
    /// Whether a case that lets a timer run out can be played.
    #[must_use]
    pub fn can_be_waited_for(self) -> bool {
        let nominal = fsrvp_wire::fsrvp::timers::AFTER_ADD;
        match self {
            Timers::Ours => true,
            Timers::Unknown => false,
            Timers::Fixed(duration) => duration <= REAL_WAIT_MAX,
            Timers::Scale(scale) => nominal.as_secs_f64() / scale <= REAL_WAIT_MAX.as_secs_f64(),
        }
    }
}

/// A server to judge.
#[derive(Debug, Clone)]
pub struct Target {
    /// The user's name for it.
    pub name: String,
    /// The host, as in the UNC names of its shares.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The account with backup rights.
    pub admin: Account,
    /// An account without.
    pub plain_user: Option<Account>,
    /// An account whose only right is that of its group, Backup Operators.
    pub backup_operator: Option<Account>,
    /// Shares that can be shadow copied, each on a file store of its own.
    pub shares: Vec<String>,
    /// Further shares on the store of the first.
    pub same_store: Vec<String>,
    /// A hidden share.
    pub hidden: Option<String>,
    /// Shares that cannot be shadow copied.
    pub unsupported: Vec<String>,
    /// A share below whose root other file stores are mounted.
    pub mount_points: Option<String>,
    /// A share that `plain_user` may read and may not write to.
    pub restricted: Option<String>,
    /// A share whose shadow copies do not go together with defragmentation.
    pub no_defragmentation: Option<String>,
    /// A share whose shadow copies do not go together with content indexing.
    pub no_indexing: Option<String>,
    /// By whose reading it is judged.
    pub profile: Profile,
    /// How long its timers run.
    pub timers: Timers,
    /// Where the machines lie that the server may name as owners.
    pub owners: BTreeMap<String, String>,
    /// The level of the ordinary RPC binding.
    pub rpc_auth: RpcLevel,
    /// How to speak SMB.
    pub smb: SmbOptions,
    /// How long to wait between two shadow copy sets.
    pub pause_between_sets: Duration,
    /// Where shares lie on this machine.
    pub local_path: BTreeMap<String, PathBuf>,
    /// The list of known deviations: a built-in name or a path.
    pub known: Option<String>,
    /// The program that stops the server and starts it again, with its arguments; empty where there
    /// is none.
    pub restart: Vec<String>,
    /// The target file; `None` for the embedded server.
    pub file: Option<PathBuf>,
}

impl Target {
    /// Whether the server is on this machine's loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Reads the target file at `path`, whose text is `text`. `env` looks up an environment
    /// variable and `read` a file, so that nothing else is read here.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and what to do.
    pub fn read(
        path: &Path,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Target, FileError> {
        let name = path.display().to_string();
        let file: TargetFile = read_toml(&name, text)?;
        let at = |key: &str, what: String| FileError::new(&name, line_of_key(text, key), what);
        if file.shares.is_empty() {
            return Err(at(
                "shares",
                "shares is empty: name at least one share".to_owned(),
            ));
        }
        if file.smb.dialects.is_empty() {
            return Err(at(
                "smb",
                "smb.dialects is empty: name at least one".to_owned(),
            ));
        }
        if file.smb.encryption == Encryption::Required {
            let what = "smb.encryption = \"required\" is not there yet: say \"off\"";
            return Err(at("smb", what.to_owned()));
        }
        if file.smb.answer_within_s == Some(0) {
            let what = "smb.answer_within_s is 0: say how many seconds an answer may take";
            return Err(at("smb", what.to_owned()));
        }
        let restart = file.restart.unwrap_or_default();
        if restart.first().is_some_and(String::is_empty) {
            let what = "restart names no program: write [\"PROGRAM\", \"ARGUMENT\", ...]";
            return Err(at("restart", what.to_owned()));
        }
        let timers = file.timers.map_or(Ok(Timers::Scale(1.0)), |timers| {
            timers.read().map_err(|what| at("timers", what))
        })?;
        let secrets = Secrets {
            dir: path.parent().unwrap_or(Path::new(".")),
            env,
            read,
        };
        let password = secrets
            .find(file.password, file.password_env, file.password_file, true)
            .map_err(|what| at("password", what))?;
        let other = |key: &str, user: Option<OtherUser>| match user {
            None => Ok(None),
            Some(user) => secrets
                .find(user.password, user.password_env, user.password_file, false)
                .map(|password| {
                    Some(Account {
                        name: user.name,
                        password,
                        domain: file.domain.clone(),
                    })
                })
                .map_err(|what| at(key, format!("{key}: {what}"))),
        };
        let plain_user = other("plain_user", file.plain_user)?;
        let backup_operator = other("backup_operator", file.backup_operator)?;
        Ok(Target {
            name: file.name,
            host: file.host,
            port: file.port,
            admin: Account {
                name: file.user,
                password,
                domain: file.domain,
            },
            plain_user,
            backup_operator,
            shares: file.shares,
            same_store: file.same_store,
            hidden: file.hidden,
            unsupported: file.unsupported,
            mount_points: file.mount_points,
            restricted: file.restricted,
            no_defragmentation: file.no_defragmentation,
            no_indexing: file.no_indexing,
            profile: file.profile,
            timers,
            owners: file.owners,
            rpc_auth: file.rpc_auth,
            smb: file.smb,
            pause_between_sets: Duration::from_millis(file.pause_between_sets_ms),
            local_path: file.local_path,
            known: file.known,
            restart,
            file: Some(path.to_owned()),
        })
    }
}

/// The line where a key stands; 0 when it does not.
fn line_of_key(text: &str, key: &str) -> usize {
    text.lines()
        .position(|line| line.trim_start().starts_with(key))
        .map_or(0, |at| {
            let before: usize = text.lines().take(at).map(|line| line.len() + 1).sum();
            line_of(text, before)
        })
}

/// Where passwords come from.
struct Secrets<'a> {
    dir: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    read: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

impl Secrets<'_> {
    fn find(
        &self,
        password: Option<String>,
        variable: Option<String>,
        file: Option<PathBuf>,
        or_default: bool,
    ) -> Result<SecretText, String> {
        if let Some(password) = password {
            return Ok(SecretText::new(password));
        }
        if let Some(variable) = variable {
            return (self.env)(&variable)
                .map(SecretText::new)
                .ok_or_else(|| format!("password_env names {variable}, which is not set: set it"));
        }
        if let Some(file) = file {
            let path = self.dir.join(file);
            let text = (self.read)(&path)
                .map_err(|error| format!("password_file {}: {error}", path.display()))?;
            return Ok(SecretText::new(
                text.trim_end_matches(['\r', '\n']).to_owned(),
            ));
        }
        let fallback = if or_default {
            (self.env)("FSRVP_PASSWORD")
        } else {
            None
        };
        fallback.map(SecretText::new).ok_or_else(|| {
            let remedy = "give password, password_env or password_file";
            if or_default {
                format!("no password: {remedy}, or set FSRVP_PASSWORD")
            } else {
                format!("no password: {remedy}")
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    name: String,
    host: String,
    #[serde(default = "default_port")]
    port: u16,
    user: String,
    password: Option<String>,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    domain: String,
    shares: Vec<String>,
    #[serde(default)]
    same_store: Vec<String>,
    hidden: Option<String>,
    #[serde(default)]
    unsupported: Vec<String>,
    mount_points: Option<String>,
    restricted: Option<String>,
    no_defragmentation: Option<String>,
    no_indexing: Option<String>,
    plain_user: Option<OtherUser>,
    backup_operator: Option<OtherUser>,
    #[serde(default)]
    profile: Profile,
    timers: Option<TimersFile>,
    #[serde(default)]
    owners: BTreeMap<String, String>,
    #[serde(default)]
    rpc_auth: RpcLevel,
    #[serde(default)]
    smb: SmbOptions,
    #[serde(default)]
    pause_between_sets_ms: u64,
    #[serde(default)]
    local_path: BTreeMap<String, PathBuf>,
    known: Option<String>,
    restart: Option<Vec<String>>,
}

fn default_port() -> u16 {
    445
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherUser {
    name: String,
    password: Option<String>,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimersFile {
    fixed_s: Option<f64>,
    scale: Option<f64>,
    unknown: Option<bool>,
}

impl TimersFile {
    fn read(&self) -> Result<Timers, String> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match (self.fixed_s, self.scale, self.unknown) {
            (Some(seconds), None, None) if positive(seconds) && seconds < 1.0e6 => {
                Ok(Timers::Fixed(Duration::from_secs_f64(seconds)))
            }
            (None, Some(scale), None) if positive(scale) => Ok(Timers::Scale(scale)),
            (None, None, Some(true)) => Ok(Timers::Unknown),
            _ => Err(
                "timers wants one of fixed_s = SECONDS, scale = TIMES FASTER and unknown = true"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"s\"\nhost = \"127.0.0.1\"\nuser = \"u\"\nshares = [\"data\"]\n";

    fn read(more: &str) -> Result<Target, FileError> {
        Target::read(
            Path::new("/etc/t/target.toml"),
            &format!("{HEAD}{more}"),
            &|name| (name == "FSRVP_PASSWORD").then(|| "from the environment".to_owned()),
            &|path| match path.to_str() {
                Some("/etc/t/secret") => Ok("from the file\n".to_owned()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            },
        )
    }

    #[test]
    fn a_password_comes_from_the_file_the_environment_or_the_key() {
        let password = |more: &str| {
            read(more)
                .expect("reads")
                .admin
                .password
                .reveal()
                .to_owned()
        };
        assert_eq!(password(""), "from the environment");
        assert_eq!(password("password_file = \"secret\"\n"), "from the file");
        assert_eq!(password("password = \"here\"\n"), "here");
        let error = read("password_env = \"NOPE\"\n").expect_err("not set");
        assert!(error.to_string().contains("NOPE"), "{error}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let target = read("password = \"hunter2\"\n").expect("reads");
        assert!(!format!("{target:?}").contains("hunter2"));
    }

    #[test]
    fn timers_are_exactly_one_of_three() {
        let timers = |more: &str| read(more).map(|target| target.timers);
        assert_eq!(timers(""), Ok(Timers::Scale(1.0)));
        assert_eq!(
            timers("timers = { fixed_s = 2 }\n"),
            Ok(Timers::Fixed(Duration::from_secs(2)))
        );
        assert_eq!(timers("timers = { unknown = true }\n"), Ok(Timers::Unknown));
        for wrong in [
            "{ }",
            "{ fixed_s = 2, scale = 3 }",
            "{ scale = 0 }",
            "{ fixed_s = -1 }",
        ] {
            let error = timers(&format!("timers = {wrong}\n")).expect_err(wrong);
            assert_eq!(error.line, 5, "{wrong}");
        }
    }

    #[test]
    fn a_restart_is_a_program_with_its_arguments() {
        let restart = |more: &str| read(more).map(|target| target.restart);
        assert_eq!(restart(""), Ok(Vec::new()));
        let words = vec!["/bin/restart".to_owned(), "now".to_owned()];
        assert_eq!(
            restart("restart = [\"/bin/restart\", \"now\"]\n"),
            Ok(words)
        );
        let error = restart("restart = [\"\", \"now\"]\n").expect_err("no program");
        assert_eq!(error.line, 5);
        restart("restart = \"/bin/restart now\"\n").expect_err("no shell splits a line");
    }

    #[test]
    fn nominal_timers_are_too_slow_to_be_waited_for() {
        assert!(!Timers::Scale(1.0).can_be_waited_for());
        assert!(Timers::Scale(90.0).can_be_waited_for());
        assert!(Timers::Fixed(Duration::from_secs(2)).can_be_waited_for());
    }
}
