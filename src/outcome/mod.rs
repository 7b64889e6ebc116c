//! Verdicts and what they rest on.
