//! The table `[command]`: the programs of the backend `command`.

use super::ConfigError;
use serde::Deserialize;

/// How long a program may take where nobody says otherwise, in seconds.
const TIMEOUT_S: f64 = 30.0;

/// The programs of the backend `command`, each an absolute path and its arguments. What they are
/// told and what they answer: [`crate::backend`], `command`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// Makes a backend snapshot.
    pub create: Vec<String>,
    /// Makes it read-only; nothing is run where it is missing.
    #[serde(default)]
    pub seal: Vec<String>,
    /// Deletes it.
    pub remove: Vec<String>,
    /// How long each of them may take, in seconds.
    #[serde(default = "timeout_s")]
    pub timeout_s: f64,
}

fn timeout_s() -> f64 {
    TIMEOUT_S
}

impl CommandConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let programs = [
            ("create", &self.create, true),
            ("seal", &self.seal, false),
            ("remove", &self.remove, true),
        ];
        for (name, words, is_needed) in programs {
            let is_absolute = words.first().is_some_and(|word| word.starts_with('/'));
            if !is_absolute && (is_needed || !words.is_empty()) {
                return Err(ConfigError::value(
                    format!("command, {name}"),
                    "the first word is the absolute path of a program",
                ));
            }
        }
        if !(self.timeout_s.is_finite() && self.timeout_s > 0.0) {
            return Err(ConfigError::value(
                "command, timeout_s",
                "must be above zero",
            ));
        }
        Ok(())
    }
}
