//! MS-FSCC 2.5: the classes of file systems.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::run;
use crate::smb2::Utf16;
use crate::smb2::codec::{Fixed, len32, read};
use crate::smb2::codec::{codes, flags, record, standalone, structure};
use crate::smb2::fscc::FileTime;
use crate::smb2::fscc::read_name;

codes! {
    /// MS-FSCC 2.5.10: what kind of device holds the file system.
    DeviceType(u32) {
        CD_ROM = 0x0000_0002,
        DISK = 0x0000_0007,
    }
}

flags! {
    /// MS-FSCC 2.5.10: properties of the device.
    Characteristics(u32) {
        REMOVABLE_MEDIA = 0x0000_0001,
        READ_ONLY_DEVICE = 0x0000_0002,
        FLOPPY_DISKETTE = 0x0000_0004,
        WRITE_ONCE_MEDIA = 0x0000_0008,
        REMOTE_DEVICE = 0x0000_0010,
        DEVICE_IS_MOUNTED = 0x0000_0020,
        VIRTUAL_VOLUME = 0x0000_0040,
    }
}

flags! {
    /// MS-FSCC 2.5.1: what the file system can do.
    FileSystemAttributes(u32) {
        CASE_SENSITIVE_SEARCH = 0x0000_0001,
        CASE_PRESERVED_NAMES = 0x0000_0002,
        UNICODE_ON_DISK = 0x0000_0004,
        PERSISTENT_ACLS = 0x0000_0008,
        FILE_COMPRESSION = 0x0000_0010,
        VOLUME_QUOTAS = 0x0000_0020,
        SUPPORTS_SPARSE_FILES = 0x0000_0040,
        SUPPORTS_REPARSE_POINTS = 0x0000_0080,
        SUPPORTS_REMOTE_STORAGE = 0x0000_0100,
        VOLUME_IS_COMPRESSED = 0x0000_8000,
        SUPPORTS_OBJECT_IDS = 0x0001_0000,
        SUPPORTS_ENCRYPTION = 0x0002_0000,
        NAMED_STREAMS = 0x0004_0000,
        READ_ONLY_VOLUME = 0x0008_0000,
        SEQUENTIAL_WRITE_ONCE = 0x0010_0000,
        SUPPORTS_TRANSACTIONS = 0x0020_0000,
        SUPPORTS_HARD_LINKS = 0x0040_0000,
        SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000,
        SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000,
        SUPPORTS_USN_JOURNAL = 0x0200_0000,
        SUPPORTS_INTEGRITY_STREAMS = 0x0400_0000,
        SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000,
        SUPPORTS_SPARSE_VDL = 0x1000_0000,
    }
}

structure! {
    /// MS-FSCC 2.5.9 FileFsVolumeInformation (1).
    pub struct FileFsVolumeInformation {
        /// When the volume was made.
        pub volume_creation_time: FileTime,
        /// Its number.
        pub volume_serial_number: u32,
        /// 1 when it has object ids.
        pub supports_objects: u8,
        /// Reserved.
        pub reserved: u8,
        /// Its name.
        pub volume_label: Utf16,
    }
}

record! {
    /// MS-FSCC 2.5.8 FileFsSizeInformation (3).
    pub struct FileFsSizeInformation {
        /// How many units the volume has.
        pub total_allocation_units: u64 = "TotalAllocationUnits",
        /// How many are free for this user.
        pub available_allocation_units: u64 = "AvailableAllocationUnits",
        /// How many sectors a unit has.
        pub sectors_per_allocation_unit: u32 = "SectorsPerAllocationUnit",
        /// The length of a sector, in bytes.
        pub bytes_per_sector: u32 = "BytesPerSector",
    }
}

record! {
    /// MS-FSCC 2.5.10 FileFsDeviceInformation (4).
    pub struct FileFsDeviceInformation {
        /// What kind of device it is.
        pub device_type: DeviceType = "DeviceType",
        /// Its properties.
        pub characteristics: Characteristics = "Characteristics",
    }
}

structure! {
    /// MS-FSCC 2.5.1 FileFsAttributeInformation (5).
    pub struct FileFsAttributeInformation {
        /// What the file system can do.
        pub file_system_attributes: FileSystemAttributes,
        /// The longest name of one file, in UTF-16 units.
        pub maximum_component_name_length: u32,
        /// The file system's name.
        pub file_system_name: Utf16,
    }
}

record! {
    /// MS-FSCC 2.5.4 FileFsFullSizeInformation (7).
    pub struct FileFsFullSizeInformation {
        /// How many units the volume has.
        pub total_allocation_units: u64 = "TotalAllocationUnits",
        /// How many are free for this user.
        pub caller_available_allocation_units: u64 = "CallerAvailableAllocationUnits",
        /// How many are free.
        pub actual_available_allocation_units: u64 = "ActualAvailableAllocationUnits",
        /// How many sectors a unit has.
        pub sectors_per_allocation_unit: u32 = "SectorsPerAllocationUnit",
        /// The length of a sector, in bytes.
        pub bytes_per_sector: u32 = "BytesPerSector",
    }
}

record! {
    /// MS-FSCC 2.5.6 FileFsObjectIdInformation (8).
    pub struct FileFsObjectIdInformation {
        /// The volume's object id.
        pub object_id: [u8; 16] = "ObjectId",
        /// The first 24 of the 48 bytes of extended information.
        pub extended_info_head: [u8; 24] = "ExtendedInfo",
        /// The last 24 of them.
        pub extended_info_tail: [u8; 24] = "ExtendedInfo",
    }
}

record! {
    /// MS-FSCC 2.5.7 FileFsSectorSizeInformation (11).
    pub struct FileFsSectorSizeInformation {
        /// The length of a logical sector, in bytes.
        pub logical_bytes_per_sector: u32 = "LogicalBytesPerSector",
        /// The length that the device writes as one, in bytes.
        pub physical_bytes_per_sector_for_atomicity: u32 = "PhysicalBytesPerSectorForAtomicity",
        /// The length that performs best, in bytes.
        pub physical_bytes_per_sector_for_performance: u32 = "PhysicalBytesPerSectorForPerformance",
        /// The length that the file system takes for atomic, in bytes.
        pub file_system_effective_physical_bytes_per_sector_for_atomicity: u32
            = "FileSystemEffectivePhysicalBytesPerSectorForAtomicity",
        /// Properties of the device.
        pub flags: u32 = "Flags",
        /// The offset of sectors inside of a logical one, in bytes.
        pub byte_offset_for_sector_alignment: u32 = "ByteOffsetForSectorAlignment",
        /// The offset of partitions, in bytes.
        pub byte_offset_for_partition_alignment: u32 = "ByteOffsetForPartitionAlignment",
    }
}

standalone!(
    FileFsSizeInformation,
    FileFsDeviceInformation,
    FileFsFullSizeInformation,
    FileFsObjectIdInformation,
    FileFsSectorSizeInformation
);

impl FileFsVolumeInformation {
    /// Reads the structure from the start of `bytes`.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, bytes, |input| {
            let mut rest = input;
            let volume_creation_time = read(&mut rest, "VolumeCreationTime")?;
            let volume_serial_number = read(&mut rest, "VolumeSerialNumber")?;
            let length = read(&mut rest, "VolumeLabelLength")?;
            let value = FileFsVolumeInformation {
                volume_creation_time,
                volume_serial_number,
                supports_objects: read(&mut rest, "SupportsObjects")?,
                reserved: read(&mut rest, "Reserved")?,
                volume_label: read_name(&mut rest, "VolumeLabel", length)?,
            };
            Ok((rest, value))
        })
        .map(|(value, _)| value)
    }

    /// The structure's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.volume_creation_time.write(&mut out);
        out.u32(self.volume_serial_number)
            .u32(len32(2 * self.volume_label.0.len()))
            .u8(self.supports_objects)
            .u8(self.reserved)
            .utf16(&self.volume_label.0);
        out.into_bytes()
    }
}

impl FileFsAttributeInformation {
    /// Reads the structure from the start of `bytes`.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, bytes, |input| {
            let mut rest = input;
            let file_system_attributes = read(&mut rest, "FileSystemAttributes")?;
            let maximum = read(&mut rest, "MaximumComponentNameLength")?;
            let length = read(&mut rest, "FileSystemNameLength")?;
            let value = FileFsAttributeInformation {
                file_system_attributes,
                maximum_component_name_length: maximum,
                file_system_name: read_name(&mut rest, "FileSystemName", length)?,
            };
            Ok((rest, value))
        })
        .map(|(value, _)| value)
    }

    /// The structure's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.file_system_attributes.write(&mut out);
        out.u32(self.maximum_component_name_length)
            .u32(len32(2 * self.file_system_name.0.len()))
            .utf16(&self.file_system_name.0);
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        FileFsAttributeInformation, FileFsDeviceInformation, FileFsFullSizeInformation,
        FileFsObjectIdInformation, FileFsSectorSizeInformation, FileFsSizeInformation,
        FileFsVolumeInformation,
    };
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_survive_the_wire(
            volume in FileFsVolumeInformation::sample(),
            attribute in FileFsAttributeInformation::sample(),
        ) {
            prop_assert_eq!(FileFsVolumeInformation::parse(&volume.emit()).unwrap(), volume);
            prop_assert_eq!(FileFsAttributeInformation::parse(&attribute.emit()).unwrap(), attribute);
        }
    }

    #[test]
    fn lengths_are_those_of_ms_fscc() {
        assert_eq!(FileFsSizeInformation::WIRE_LEN, 24);
        assert_eq!(FileFsDeviceInformation::WIRE_LEN, 8);
        assert_eq!(FileFsFullSizeInformation::WIRE_LEN, 32);
        assert_eq!(FileFsObjectIdInformation::WIRE_LEN, 64);
        assert_eq!(FileFsSectorSizeInformation::WIRE_LEN, 28);
    }
}
