//! What is known of a stored capture: the file `manifest.toml` beside it.

use serde::Deserialize;

/// The manifest of a stored capture.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What the capture shows, in one sentence.
    pub what: String,
    /// Who recorded it, where and when, or from which other one it was made.
    pub origin: String,
    /// The client, with its version.
    pub tool: String,
    /// The server, with its version and what was set there.
    pub peer: String,
    /// The licence of the file.
    pub licence: String,
    /// The server's port.
    pub port: u16,
    /// How long the server's Message Sequence Timer runs; not known where nothing is said.
    pub timers: Option<Timers>,
    /// Every FSRVP call in it, in the order of the requests.
    pub calls: Vec<ExpectedCall>,
}

/// How long a server's Message Sequence Timer runs: as many times faster than nominal, or one
/// duration for every step; or that nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Timers {
    /// So many times faster than nominal; 1 is nominal.
    Scale(f64),
    /// Seconds, for every step.
    FixedS(f64),
    /// Somebody moves the server's clock: nothing is known, its time stamps least of all.
    Moved,
}

impl Timers {
    /// Reads `scale=N`, `fixed_s=N` or `moved`; `None` for anything else.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Timers> {
        if word == "moved" {
            return Some(Timers::Moved);
        }
        let (key, number) = word.split_once('=')?;
        let number: f64 = number
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite() && *n > 0.0)?;
        match key {
            "scale" => Some(Timers::Scale(number)),
            "fixed_s" => Some(Timers::FixedS(number)),
            _ => None,
        }
    }
}

/// A call that a capture holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCall {
    /// The frame in which its request begins.
    pub frame: u64,
    /// The number of its connection.
    pub stream: u64,
    /// Its RPC call id.
    pub call_id: u32,
    /// The method, or `opnum13` for one without a name.
    pub method: String,
    /// The return value such as `0x00000000`, or `fault 0x1c010002`, or nothing.
    pub code: String,
}

impl Manifest {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// It is no TOML, a key is missing or not known.
    pub fn parse(text: &str) -> Result<Manifest, toml::de::Error> {
        toml::from_str(text)
    }
}
