//! From a ledger to text, JSON, JUnit and HTML.
//!
//! **Architectural invariants**
//! - A report shows a ledger and judges nothing: the format never changes a verdict.

mod client;
mod html;
mod junit;
#[cfg(test)]
mod tests;
mod text;
mod visible;

pub use text::{line, totals};
pub(crate) use visible::visible;

use crate::outcome::{Cause, ClientLedger, Ledger, RequirementOutcome};
use crate::requirement::Catalogue;
use serde::Serialize;

/// How a ledger is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// One line a case, then totals.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// JUnit XML.
    Junit,
    /// One HTML page that needs nothing but itself.
    Html,
}

/// How much a text shows of each case; the other formats have all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// What it came to.
    #[default]
    Outcome,
    /// Each of its steps as well.
    Steps,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// JSON.
    #[error("the ledger has no JSON form: {0}")]
    Json(#[from] serde_json::Error),
    /// JUnit.
    #[error("the ledger has no JUnit form: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// A ledger with what follows from it.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    ledger: &'a Ledger,
    causes: Vec<Cause>,
    requirements: Vec<RequirementOutcome>,
}

/// The report of a ledger, a line feed at its end.
///
/// # Errors
/// When the serialiser of the format fails.
pub fn render(
    ledger: &Ledger,
    catalogue: &Catalogue,
    format: Format,
    detail: Detail,
) -> Result<String, ReportError> {
    match format {
        Format::Text => Ok(text::render(ledger, catalogue, detail)),
        Format::Json => {
            let whole = Whole {
                ledger,
                causes: ledger.causes(),
                requirements: ledger.requirements(catalogue),
            };
            Ok(serde_json::to_string_pretty(&whole)? + "\n")
        }
        Format::Junit => Ok(junit::render(ledger)?),
        Format::Html => Ok(html::check(ledger, catalogue)),
    }
}

/// The report of a ledger of clients, a line feed at its end.
///
/// # Errors
/// When the serialiser of the format fails.
pub fn render_client(ledger: &ClientLedger, format: Format) -> Result<String, ReportError> {
    match format {
        Format::Text => Ok(client::text(ledger)),
        Format::Json => Ok(serde_json::to_string_pretty(ledger)? + "\n"),
        Format::Junit => Ok(client::junit(ledger)?),
        Format::Html => Ok(html::client(ledger)),
    }
}
