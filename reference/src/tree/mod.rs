//! The files of a share, reached without ever leaving its root.
