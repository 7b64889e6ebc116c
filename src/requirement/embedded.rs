//! The texts of `cases/`, built into the program.

/// Every TOML file below `cases/` as its path there and its text, in the order of the paths.
pub static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/case_files.rs"));

/// The text of the file at `path` below `cases/`.
#[must_use]
pub fn text(path: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}
