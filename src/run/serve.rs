//! `fsrvp serve`: the reference server, from a configuration file, from flags, or from both.

use fsrvp_reference::config::{
    BackendChoice, Config, Profile, ShareConfig, Timers, UserConfig, same_name,
};
use fsrvp_reference::shell::{Reference, descriptors};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// The environment variable that holds the password of every `--user`.
pub const PASSWORD_VARIABLE: &str = "FSRVP_PASSWORD";

/// What the command line says; it changes what the configuration file says.
#[derive(Debug, Default)]
pub struct ServeOptions {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--share NAME=PATH`, added to the file's shares.
    pub shares: Vec<String>,
    /// `--user NAME`, added to the file's users.
    pub users: Vec<String>,
    /// `--backend`.
    pub backend: Option<String>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--timers KEY=N`.
    pub timers: Option<String>,
}

impl ServeOptions {
    /// Where the state lies, of `--state` or of the file.
    ///
    /// # Errors
    /// One clause that says how to name it.
    pub fn state_directory(&self) -> Result<PathBuf, String> {
        let of_file = match (&self.state, &self.config) {
            (None, Some(path)) => {
                let config = Config::from_file(path).map_err(|error| error.to_string())?;
                config.state
            }
            _ => None,
        };
        self.state.clone().or(of_file).ok_or_else(|| {
            "no state directory: name the server's with --state DIR or in --config".to_owned()
        })
    }

    /// The configuration that the file and the options make together.
    ///
    /// # Errors
    /// One clause that names the option or the file, and the remedy.
    pub(super) fn configuration(&self) -> Result<Config, String> {
        let mut config = match &self.config {
            Some(path) => Config::from_file(path).map_err(|error| error.to_string())?,
            None => Config::default(),
        };
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(name) = &self.backend {
            config.backend = backend(name)?;
        }
        if let Some(name) = &self.profile {
            config.profile = profile(name)?;
        }
        if let Some(text) = &self.timers {
            config.timers = timers(text)?;
        }
        if self.state.is_some() {
            config.state.clone_from(&self.state);
        }
        for share in &self.shares {
            let (name, path) = share
                .split_once('=')
                .filter(|(name, path)| !name.is_empty() && !path.is_empty())
                .ok_or_else(|| format!("--share {share}: write it as NAME=PATH"))?;
            config.shares.push(ShareConfig::new(name, path));
        }
        for name in &self.users {
            config.users.push(user(name, &config.users)?);
        }
        if config.shares.is_empty() {
            return Err(
                "no share to serve: name one with --share NAME=PATH or in --config".to_owned(),
            );
        }
        if config.users.is_empty() {
            return Err(
                "nobody could log on: name a user with --user NAME or in --config".to_owned(),
            );
        }
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }
}

fn backend(name: &str) -> Result<BackendChoice, String> {
    let known = BackendChoice::NAMES.iter();
    let found = known.clone().find(|(known, _)| *known == name);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = known.map(|(name, _)| *name).collect();
        format!("--backend {name}: there are {}", names.join(", "))
    })
}

pub(super) fn profile(name: &str) -> Result<Profile, String> {
    match name {
        "spec" => Ok(Profile::Spec),
        "windows" | "windows-2012" => Ok(Profile::Windows),
        "windows-2012r2" => Ok(Profile::Windows2012R2),
        "samba" => Ok(Profile::Samba),
        _ => Err(format!(
            "--profile {name}: there are spec, windows and samba, and windows-2012r2 for later versions"
        )),
    }
}

fn timers(text: &str) -> Result<Timers, String> {
    let number = |text: &str| text.parse::<f64>().ok();
    match text.split_once('=') {
        Some(("scale", n)) => number(n).map(Timers::Scale),
        Some(("fixed_s", n)) => number(n).map(Timers::FixedS),
        _ => None,
    }
    .ok_or_else(|| format!("--timers {text}: write scale=N or fixed_s=N"))
}

/// A user of `--user`, with the password of the environment, who may use FSRVP.
fn user(name: &str, others: &[UserConfig]) -> Result<UserConfig, String> {
    if others.iter().any(|other| same_name(&other.name, name)) {
        return Err(format!(
            "--user {name}: the name is taken, give each user one name"
        ));
    }
    let password = std::env::var(PASSWORD_VARIABLE)
        .map_err(|_| format!("--user {name}: set {PASSWORD_VARIABLE} to the password"))?;
    Ok(UserConfig::with_password(
        name,
        &password,
        &["Administrators"],
    ))
}

/// Serves until SIGINT or SIGTERM; the first line on `out` is `ready ADDR:PORT`.
///
/// # Errors
/// One clause that says what could not be started and what to do.
pub fn serve(options: &ServeOptions, out: &mut dyn Write) -> Result<(), String> {
    let config = options.configuration()?;
    descriptors::raise();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let stop = |kind| signal(kind).map_err(|error| format!("no signal handler: {error}"));
        let (mut interrupt, mut terminate) = (
            stop(SignalKind::interrupt())?,
            stop(SignalKind::terminate())?,
        );
        let reference = Reference::start(config)
            .await
            .map_err(|error| error.to_string())?;
        writeln!(out, "ready {}", reference.address())
            .and_then(|()| out.flush())
            .map_err(|error| format!("standard output: {error}"))?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        reference.stop().await;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::{ServeOptions, timers};
    use fsrvp_reference::config::Timers;

    #[test]
    fn timers_are_read_as_they_are_written() {
        assert_eq!(timers("scale=90"), Ok(Timers::Scale(90.0)));
        assert_eq!(timers("fixed_s=2"), Ok(Timers::FixedS(2.0)));
        assert!(timers("fixed=2").is_err());
        assert!(timers("scale=fast").is_err());
    }

    #[test]
    fn a_share_without_a_path_is_refused_by_name() {
        let options = ServeOptions {
            shares: vec!["data".to_owned()],
            ..ServeOptions::default()
        };
        let error = options.configuration().expect_err("no path");
        assert!(
            error.contains("--share data") && error.contains("NAME=PATH"),
            "{error}"
        );
    }

    #[test]
    fn a_server_without_shares_says_so() {
        let error = ServeOptions::default()
            .configuration()
            .expect_err("no shares");
        assert!(error.contains("--share"), "{error}");
    }
}
