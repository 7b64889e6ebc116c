//! Where the rooms meet.
