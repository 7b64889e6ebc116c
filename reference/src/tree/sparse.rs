//! MS-FSA 2.1.5.9: sparse files: the attribute, holes, and where the data lie.

use std::os::fd::AsFd;

use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;

use super::metadata::{Attributes, Kept, read_kept, through, write_kept};
use super::{OpenFile, TreeError, stream};

/// A part of a file that takes room on the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatedRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl OpenFile {
    /// Makes the file sparse, or not sparse. The attribute alone changes: holes that are there
    /// stay, for they read as zeros either way, and are told of no more.
    ///
    /// # Errors
    /// [`TreeError::NotSupported`] for a named stream, and where the file system keeps no extended
    /// attributes.
    pub fn set_sparse(&self, sparse: bool) -> Result<(), TreeError> {
        self.must_be_file()?;
        if self.stream.is_some() {
            return Err(TreeError::NotSupported);
        }
        let kept = read_kept(&through(self.fd.as_fd()));
        let attributes = match sparse {
            true => kept.attributes | Attributes::SPARSE,
            false => kept.attributes & !Attributes::SPARSE,
        };
        write_kept(self.fd.as_fd(), Kept { attributes, ..kept })
    }

    /// Makes the bytes from `offset` to in front of `beyond` zero, without making the file longer:
    /// in a sparse file as a hole, in another one with the room that it had.
    ///
    /// # Errors
    /// As for a write; [`TreeError::NotSupported`] where the file system cannot.
    pub fn zero(&self, offset: u64, beyond: u64) -> Result<(), TreeError> {
        self.must_be_file()?;
        self.must_write()?;
        if let Some(name) = self.stream() {
            return stream::zero(self.fd.as_fd(), &name, offset, beyond);
        }
        let metadata = self.metadata()?;
        let length = metadata.size.min(beyond).saturating_sub(offset);
        if length == 0 {
            return Ok(());
        }
        let fallocate = |mode: FallocateFlags| {
            let mode = mode | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(self.fd.as_fd(), mode, offset, length)
        };
        if metadata.attributes.has(Attributes::SPARSE) {
            return Ok(fallocate(FallocateFlags::PUNCH_HOLE)?);
        }
        match fallocate(FallocateFlags::ZERO_RANGE) {
            // tmpfs punches holes and fills them, but does not do both at once.
            Err(Errno::OPNOTSUPP) => {
                fallocate(FallocateFlags::PUNCH_HOLE)?;
                Ok(fallocate(FallocateFlags::empty())?)
            }
            other => Ok(other?),
        }
    }

    /// The parts of `length` bytes from `offset` that are no holes, the first `ranges_max` of them.
    /// A file that is not sparse is one range.
    ///
    /// # Errors
    /// [`TreeError::AccessDenied`] for a handle that was not opened to read.
    pub fn allocated_ranges(
        &self,
        offset: u64,
        length: u64,
        ranges_max: usize,
    ) -> Result<Vec<AllocatedRange>, TreeError> {
        self.must_be_file()?;
        if !self.access.read {
            return Err(TreeError::AccessDenied);
        }
        let metadata = self.metadata()?;
        let end = metadata.size.min(offset.saturating_add(length));
        let has_holes = metadata.attributes.has(Attributes::SPARSE);
        let mut ranges = Vec::new();
        let mut at = offset;
        while at < end && ranges.len() < ranges_max {
            let (start, stop) = match has_holes {
                true => match self.next_data(at, end)? {
                    Some(range) => range,
                    None => break,
                },
                false => (at, end),
            };
            ranges.push(AllocatedRange {
                offset: start,
                length: stop - start,
            });
            at = stop;
        }
        Ok(ranges)
    }

    /// Where the next data begin and end, of those in front of `end`.
    fn next_data(&self, at: u64, end: u64) -> Result<Option<(u64, u64)>, TreeError> {
        let seek = |to| match rustix::fs::seek(self.fd.as_fd(), to) {
            Ok(found) => Ok(Some(found)),
            // Nothing of that kind is left, or the file was cut meanwhile.
            Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(TreeError::from(error)),
        };
        let Some(start) = seek(SeekFrom::Data(at))?.filter(|start| *start < end) else {
            return Ok(None);
        };
        let stop = seek(SeekFrom::Hole(start))?.map(|stop| stop.min(end));
        Ok(stop.filter(|stop| *stop > start).map(|stop| (start, stop)))
    }
}
