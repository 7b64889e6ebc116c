//! What makes backend snapshots.
