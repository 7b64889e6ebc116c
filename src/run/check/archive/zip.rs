//! Zip files: the one kind of archive that every desktop opens without a further program, file by
//! file.

use std::io::{self, Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Only its owner may read a file: keys are among them.
const MODE: u32 = 0o600;

/// Files that are put into one.
pub(super) struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    /// One without files.
    pub(super) fn new() -> Zip {
        Zip(ZipWriter::new(Cursor::default()))
    }

    /// Adds a file; `name` is its path with slashes.
    ///
    /// # Errors
    /// It is longer than 4 GiB.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            // When something was seen stands in the capture, and equal contents give equal files.
            .last_modified_time(DateTime::default())
            .unix_permissions(MODE);
        self.0.start_file(name, options)?;
        self.0.write_all(content)
    }

    /// The whole file.
    ///
    /// # Errors
    /// It cannot be ended.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        Ok(self.0.finish()?.into_inner())
    }
}
