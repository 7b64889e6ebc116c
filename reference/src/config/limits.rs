//! How much the clients of a server may use together, where a machine may want other numbers. What
//! one connection may use stands in the limits of the room `smb`.

use super::ConfigError;
use serde::Deserialize;
use std::time::Duration;

/// How many clients may be connected at a time; whoever comes then waits to be let in.
pub const CONNECTIONS_MAX: usize = 2048;

/// How many of them may not have logged on yet; with one more, the oldest of these has to go.
pub const BEFORE_LOGON_MAX: usize = 256;

/// How long a connection may live without a logon.
pub const LOGON_WAIT: Duration = Duration::from_secs(30);

/// How long a frame may take from its first byte to its last.
pub const FRAME_WAIT: Duration = Duration::from_secs(300);

/// The table `limits` of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many clients may be connected at a time.
    pub connections_max: usize,
    /// How many of them may not have logged on yet.
    pub before_logon_max: usize,
    /// How long a connection may live without a logon, in seconds.
    pub logon_wait_s: f64,
    /// How long a frame may take from its first byte to its last, in seconds.
    pub frame_wait_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: CONNECTIONS_MAX,
            before_logon_max: BEFORE_LOGON_MAX,
            logon_wait_s: LOGON_WAIT.as_secs_f64(),
            frame_wait_s: FRAME_WAIT.as_secs_f64(),
        }
    }
}

impl Limits {
    /// How long a connection may live without a logon.
    #[must_use]
    pub fn logon_wait(&self) -> Duration {
        Duration::try_from_secs_f64(self.logon_wait_s).unwrap_or(LOGON_WAIT)
    }

    /// How long a frame may take from its first byte to its last.
    #[must_use]
    pub fn frame_wait(&self) -> Duration {
        Duration::try_from_secs_f64(self.frame_wait_s).unwrap_or(FRAME_WAIT)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("connections_max", self.connections_max),
            ("before_logon_max", self.before_logon_max),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::value(
                format!("limits, {key}"),
                "must be above zero",
            ));
        }
        if self.before_logon_max >= self.connections_max {
            let reason = "must be less than connections_max, so that there is room to log on";
            return Err(ConfigError::value("limits, before_logon_max", reason));
        }
        let waits = [
            ("logon_wait_s", self.logon_wait_s),
            ("frame_wait_s", self.frame_wait_s),
        ];
        for (key, seconds) in waits {
            if seconds <= 0.0 || Duration::try_from_secs_f64(seconds).is_err() {
                let reason = "must be a number of seconds above zero";
                return Err(ConfigError::value(format!("limits, {key}"), reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn limits_are_read_and_nonsense_is_refused_by_name() {
        let config = Config::from_toml("limits = { frame_wait_s = 0.5 }").expect("good");
        assert_eq!(config.limits.frame_wait().as_millis(), 500);
        assert_eq!(config.limits.connections_max, super::CONNECTIONS_MAX);
        for (text, place) in [
            ("limits = { before_logon_max = 0 }", "before_logon_max"),
            ("limits = { connections_max = 9 }", "before_logon_max"),
            ("limits = { logon_wait_s = -1.0 }", "logon_wait_s"),
            ("limits = { logon_wait_s = 1e300 }", "logon_wait_s"),
            ("limits = { logon_wait = 1.0 }", "logon_wait_s"),
        ] {
            let error = Config::from_toml(text).expect_err("nonsense").to_string();
            assert!(error.contains(place), "{text}: {error}");
        }
    }
}
