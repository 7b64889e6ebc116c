//! Holes of a share's files, behind the share's gate.

use super::ShareFile;
use crate::tree::{AllocatedRange, TreeError};

impl ShareFile {
    /// See [`OpenFile::set_sparse`](crate::tree::OpenFile::set_sparse).
    ///
    /// # Errors
    /// As for a write.
    pub fn set_sparse(&self, sparse: bool) -> Result<(), TreeError> {
        self.changing(|file| file.set_sparse(sparse))
    }

    /// See [`OpenFile::zero`](crate::tree::OpenFile::zero).
    ///
    /// # Errors
    /// As for a write.
    pub fn zero(&self, offset: u64, beyond: u64) -> Result<(), TreeError> {
        self.changing(|file| file.zero(offset, beyond))
    }

    /// See [`OpenFile::allocated_ranges`](crate::tree::OpenFile::allocated_ranges).
    ///
    /// # Errors
    /// As for a read.
    pub fn allocated_ranges(
        &self,
        offset: u64,
        length: u64,
        ranges_max: usize,
    ) -> Result<Vec<AllocatedRange>, TreeError> {
        self.reading()?.allocated_ranges(offset, length, ranges_max)
    }
}
