//! MS-FSCC 2.3: what controls of a file read and give.

use crate::smb2::codec::{record, standalone};
use uuid::Uuid;

record! {
    /// MS-FSCC 2.3 FILE_SET_SPARSE_BUFFER: the input of FSCTL_SET_SPARSE; none at all means 1.
    pub struct FileSetSparseBuffer {
        /// 0 for a file that is not sparse any more; anything else makes it sparse.
        pub set_sparse: u8 = "SetSparse",
    }
}

record! {
    /// MS-FSCC 2.3 FILE_ZERO_DATA_INFORMATION: the input of FSCTL_SET_ZERO_DATA.
    pub struct FileZeroDataInformation {
        /// The first byte that becomes zero; a signed number on the wire, never below zero.
        pub file_offset: u64 = "FileOffset",
        /// The byte behind the last one; signed as well.
        pub beyond_final_zero: u64 = "BeyondFinalZero",
    }
}

record! {
    /// MS-FSCC 2.3 FILE_ALLOCATED_RANGE_BUFFER: the input of FSCTL_QUERY_ALLOCATED_RANGES, and
    /// each range of its output.
    pub struct FileAllocatedRangeBuffer {
        /// The first byte; a signed number on the wire, never below zero.
        pub file_offset: u64 = "FileOffset",
        /// How many bytes; signed as well.
        pub length: u64 = "Length",
    }
}

record! {
    /// MS-FSCC 2.1.3.1 FILE_OBJECTID_BUFFER Type 1: the output of FSCTL_CREATE_OR_GET_OBJECT_ID.
    pub struct FileObjectIdBuffer {
        /// The file's id on its volume.
        pub object_id: Uuid = "ObjectId",
        /// The volume that the id was made on.
        pub birth_volume_id: Uuid = "BirthVolumeId",
        /// The id that it had there.
        pub birth_object_id: Uuid = "BirthObjectId",
        /// Reserved.
        pub domain_id: Uuid = "DomainId",
    }
}

standalone!(
    FileSetSparseBuffer,
    FileZeroDataInformation,
    FileAllocatedRangeBuffer,
    FileObjectIdBuffer
);

#[cfg(test)]
mod tests {
    use super::{
        FileAllocatedRangeBuffer, FileObjectIdBuffer, FileSetSparseBuffer, FileZeroDataInformation,
    };
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_those_of_ms_fscc() {
        assert_eq!(FileSetSparseBuffer::WIRE_LEN, 1);
        assert_eq!(FileZeroDataInformation::WIRE_LEN, 16);
        assert_eq!(FileAllocatedRangeBuffer::WIRE_LEN, 16);
        assert_eq!(FileObjectIdBuffer::WIRE_LEN, 64);
    }

    proptest! {
        #[test]
        fn records_survive_the_wire(
            sparse in FileSetSparseBuffer::sample(),
            zero in FileZeroDataInformation::sample(),
            range in FileAllocatedRangeBuffer::sample(),
            id in FileObjectIdBuffer::sample(),
        ) {
            prop_assert_eq!(FileSetSparseBuffer::parse(&sparse.emit()).unwrap(), sparse);
            prop_assert_eq!(FileZeroDataInformation::parse(&zero.emit()).unwrap(), zero);
            prop_assert_eq!(FileAllocatedRangeBuffer::parse(&range.emit()).unwrap(), range);
            prop_assert_eq!(FileObjectIdBuffer::parse(&id.emit()).unwrap(), id);
        }

        #[test]
        fn the_end_of_the_bytes_is_an_error(length in 0..16_usize) {
            prop_assert!(FileZeroDataInformation::parse(&[0; 16][..length]).is_err());
            prop_assert!(FileAllocatedRangeBuffer::parse(&[0; 16][..length]).is_err());
        }
    }
}
