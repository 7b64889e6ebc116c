//! Case files and target files.
