//! The client that plays a case.
