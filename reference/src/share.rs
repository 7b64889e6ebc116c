//! The table of shares.
