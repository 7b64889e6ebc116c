//! Zip files (APPNOTE.TXT 6.3): the one kind of archive that every desktop opens without a further
//! program, file by file.

use flate2::Crc;
use flate2::write::DeflateEncoder;
use std::io::{self, Write};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Version 2.0: deflate.
const NEEDED: u16 = 20;
/// The same, written on a Unix: then the mode counts.
const MADE_BY: u16 = (3 << 8) | 20;
const DEFLATE: u16 = 8;
/// Names are UTF-8.
const UTF_8: u16 = 1 << 11;
/// 1980-01-01: when something was seen stands in the capture, and equal contents give equal files.
const DATE: u16 = (1 << 5) | 1;
/// A regular file that only its owner may read.
const MODE: u32 = 0o100_600 << 16;

/// Files that are put into one.
#[derive(Default)]
pub(super) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    files: u16,
}

impl Zip {
    /// Adds a file; `name` is its path with slashes.
    ///
    /// # Errors
    /// It is longer than 4 GiB, or the 65,536th.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut packer = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(content)?;
        let packed = packer.finish()?;
        let mut crc = Crc::new();
        crc.update(content);
        let offset = length(self.bytes.len())?;
        let name_len = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.files = self
            .files
            .checked_add(1)
            .ok_or(io::ErrorKind::StorageFull)?;

        let mut common = Vec::new();
        for number in [NEEDED, UTF_8, DEFLATE, 0, DATE] {
            common.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), length(packed.len())?, length(content.len())?] {
            common.extend(number.to_le_bytes());
        }
        common.extend(name_len.to_le_bytes());
        // No extra field.
        common.extend([0; 2]);

        self.bytes.extend(LOCAL_HEADER.to_le_bytes());
        self.bytes.extend(&common);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(packed);

        self.directory.extend(CENTRAL_HEADER.to_le_bytes());
        self.directory.extend(MADE_BY.to_le_bytes());
        self.directory.extend(&common);
        // No comment, the first disk, no internal attributes.
        self.directory.extend([0; 6]);
        self.directory.extend(MODE.to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// It is longer than 4 GiB.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        let offset = length(self.bytes.len())?;
        let directory = length(self.directory.len())?;
        self.bytes.append(&mut self.directory);
        self.bytes.extend(END.to_le_bytes());
        // One disk only.
        self.bytes.extend([0; 4]);
        self.bytes.extend(self.files.to_le_bytes());
        self.bytes.extend(self.files.to_le_bytes());
        self.bytes.extend(directory.to_le_bytes());
        self.bytes.extend(offset.to_le_bytes());
        // No comment.
        self.bytes.extend([0; 2]);
        Ok(self.bytes)
    }
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(io::Error::other)
}
