//! A database's file that is never brought to the disk.

use redb::StorageBackend;
use redb::backends::FileBackend;
use std::io;
use std::path::Path;

/// As redb's own file, but for the one call that makes it durable.
#[derive(Debug)]
pub(super) struct Unsynced(FileBackend);

impl Unsynced {
    pub(super) fn open(path: &Path) -> Result<Self, redb::DatabaseError> {
        let opened = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = opened.map_err(redb::StorageError::from)?;
        FileBackend::new(file).map(Self)
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
