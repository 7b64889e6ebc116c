//! MS-FSCC 2.4: the classes of directory entries, for QUERY_DIRECTORY.
//!
//! One structure, [`DirectoryEntry`], holds what any of the classes can hold; [`emit_list`] and
//! [`parse_list`] take the class that says which fields travel.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::run;
use crate::smb2::Utf16;
use crate::smb2::codec::structure;
use crate::smb2::codec::{Failure, Fixed, failure, len32, read, read_bytes, within};
use crate::smb2::fscc::{FileAttributes, FileTime};
use crate::smb2::fscc::{FileInfoClass, append_entry, read_name, split_entries};

/// The most entries of one buffer that are read.
pub const ENTRIES_MAX: usize = 1 << 16;

structure! {
    /// MS-FSCC 2.4, the directory classes 1, 2, 3, 12, 37 and 38: one entry of a directory.
    ///
    /// Class 12 (names) has `file_index` and `file_name` alone. Classes 2, 3, 37 and 38 have
    /// `ea_size`; 3 and 37 have `short_name`; 37 and 38 have `file_id`.
    pub struct DirectoryEntry {
        /// Where the entry stands; zero on file systems without an order.
        pub file_index: u32,
        /// When the file was made.
        pub creation_time: FileTime,
        /// When it was last read.
        pub last_access_time: FileTime,
        /// When it was last written.
        pub last_write_time: FileTime,
        /// When it or its attributes last changed.
        pub change_time: FileTime,
        /// Length, in bytes.
        pub end_of_file: u64,
        /// Room on the volume, in bytes.
        pub allocation_size: u64,
        /// The attributes.
        pub file_attributes: FileAttributes,
        /// The length of all extended attributes, in bytes, or the tag of a reparse point.
        pub ea_size: u32,
        /// The 8.3 name, at most 12 units; empty when there is none.
        pub short_name: Utf16,
        /// The file's number on its volume.
        pub file_id: u64,
        /// The name.
        pub file_name: Utf16,
    }
}

/// Which fields an entry of a class has beyond the common ones.
#[derive(Clone, Copy)]
struct Shape {
    /// Times, sizes and attributes.
    details: bool,
    /// `EaSize`.
    ea_size: bool,
    /// `ShortNameLength`, `Reserved` and 24 bytes of `ShortName`.
    short_name: bool,
    /// `FileId`, and how many reserved bytes stand before it.
    file_id_after: Option<usize>,
}

impl Shape {
    fn of(class: FileInfoClass) -> Option<Shape> {
        let (details, ea_size, short_name, file_id_after) = match class {
            FileInfoClass::FILE_NAMES_INFORMATION => (false, false, false, None),
            FileInfoClass::FILE_DIRECTORY_INFORMATION => (true, false, false, None),
            FileInfoClass::FILE_FULL_DIRECTORY_INFORMATION => (true, true, false, None),
            FileInfoClass::FILE_BOTH_DIRECTORY_INFORMATION => (true, true, true, None),
            FileInfoClass::FILE_ID_BOTH_DIRECTORY_INFORMATION => (true, true, true, Some(2)),
            FileInfoClass::FILE_ID_FULL_DIRECTORY_INFORMATION => (true, true, false, Some(4)),
            _ => return None,
        };
        Some(Shape {
            details,
            ea_size,
            short_name,
            file_id_after,
        })
    }
}

/// The room for `ShortName`, in bytes.
const SHORT_NAME_LEN: usize = 24;

/// Whether entries of this class can be read and written here.
#[must_use]
pub fn is_directory_class(class: FileInfoClass) -> bool {
    Shape::of(class).is_some()
}

/// Reads the entries of one buffer; an empty buffer is an empty list.
///
/// # Errors
/// `UnknownValue` for a class that is no directory class, and the first field that could not be
/// read, with its offset from the start of `buffer`.
pub fn parse_list(class: FileInfoClass, buffer: &[u8]) -> Result<Vec<DirectoryEntry>, ParseError> {
    run(Layer::Smb2, buffer, |buffer| {
        let shape = Shape::of(class)
            .ok_or_else(|| failure(buffer, "FileInformationClass", ErrorKind::UnknownValue))?;
        let entries: Result<Vec<_>, _> = split_entries(buffer, ENTRIES_MAX)?
            .into_iter()
            .map(|entry| read_entry(shape, entry))
            .collect();
        Ok((&[][..], entries?))
    })
    .map(|(entries, _)| entries)
}

/// The bytes of a list; `None` for a class that is no directory class.
#[must_use]
pub fn emit_list(class: FileInfoClass, entries: &[DirectoryEntry]) -> Option<Vec<u8>> {
    let mut list = ListWriter::new(class, usize::MAX)?;
    for entry in entries {
        list.push(entry);
    }
    Some(list.into_bytes())
}

/// Fills a buffer of limited length with entries.
#[derive(Debug)]
pub struct ListWriter {
    class: FileInfoClass,
    length_max: usize,
    out: Writer,
    last: Option<usize>,
}

impl ListWriter {
    /// An empty list of at most `length_max` bytes; `None` for a class that is no directory
    /// class.
    #[must_use]
    pub fn new(class: FileInfoClass, length_max: usize) -> Option<Self> {
        Shape::of(class).map(|_| ListWriter {
            class,
            length_max,
            out: Writer::new(),
            last: None,
        })
    }

    /// Appends an entry; `false`, and nothing is done, when it does not fit.
    pub fn push(&mut self, entry: &DirectoryEntry) -> bool {
        let Some(shape) = Shape::of(self.class) else {
            return false;
        };
        let bytes = emit_entry(shape, entry);
        if self
            .out
            .len()
            .next_multiple_of(8)
            .saturating_add(bytes.len())
            > self.length_max
        {
            return false;
        }
        self.last = Some(append_entry(&mut self.out, self.last, &bytes));
        true
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The list's bytes; no padding behind the last entry.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

fn read_entry(shape: Shape, bytes: &[u8]) -> Result<DirectoryEntry, Failure<'_>> {
    let mut rest = bytes;
    let _next: u32 = read(&mut rest, "NextEntryOffset")?;
    let mut entry = DirectoryEntry {
        file_index: read(&mut rest, "FileIndex")?,
        ..DirectoryEntry::default()
    };
    if shape.details {
        entry.creation_time = read(&mut rest, "CreationTime")?;
        entry.last_access_time = read(&mut rest, "LastAccessTime")?;
        entry.last_write_time = read(&mut rest, "LastWriteTime")?;
        entry.change_time = read(&mut rest, "ChangeTime")?;
        entry.end_of_file = read(&mut rest, "EndOfFile")?;
        entry.allocation_size = read(&mut rest, "AllocationSize")?;
        entry.file_attributes = read(&mut rest, "FileAttributes")?;
    }
    let name_length = read(&mut rest, "FileNameLength")?;
    if shape.ea_size {
        entry.ea_size = read(&mut rest, "EaSize")?;
    }
    if shape.short_name {
        let length: u8 = read(&mut rest, "ShortNameLength")?;
        within(rest, "ShortNameLength", usize::from(length), SHORT_NAME_LEN)?;
        let _reserved: u8 = read(&mut rest, "Reserved1")?;
        let mut room = read_bytes(&mut rest, "ShortName", SHORT_NAME_LEN)?;
        entry.short_name = read_name(&mut room, "ShortName", u32::from(length))?;
    }
    if let Some(reserved) = shape.file_id_after {
        read_bytes(&mut rest, "Reserved2", reserved)?;
        entry.file_id = read(&mut rest, "FileId")?;
    }
    entry.file_name = read_name(&mut rest, "FileName", name_length)?;
    Ok(entry)
}

fn emit_entry(shape: Shape, entry: &DirectoryEntry) -> Vec<u8> {
    let mut out = Writer::new();
    out.u32(0).u32(entry.file_index);
    if shape.details {
        out.u64(entry.creation_time.0)
            .u64(entry.last_access_time.0)
            .u64(entry.last_write_time.0)
            .u64(entry.change_time.0)
            .u64(entry.end_of_file)
            .u64(entry.allocation_size);
        entry.file_attributes.write(&mut out);
    }
    out.u32(len32(2 * entry.file_name.0.len()));
    if shape.ea_size {
        out.u32(entry.ea_size);
    }
    if shape.short_name {
        let mut room = entry.short_name.to_bytes();
        room.truncate(SHORT_NAME_LEN);
        out.u8(u8::try_from(room.len()).unwrap_or_default()).u8(0);
        room.resize(SHORT_NAME_LEN, 0);
        out.bytes(&room);
    }
    if let Some(reserved) = shape.file_id_after {
        out.zeros(reserved).u64(entry.file_id);
    }
    out.utf16(&entry.file_name.0);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{DirectoryEntry, ListWriter, Shape, emit_list, parse_list};
    use crate::smb2::Utf16;
    use crate::smb2::fscc::{FileInfoClass, FileTime};
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    const CLASSES: [u8; 6] = [1, 2, 3, 12, 37, 38];

    /// The entry without what the class does not carry.
    fn carried(class: FileInfoClass, mut entry: DirectoryEntry) -> DirectoryEntry {
        let shape = Shape::of(class).unwrap();
        if !shape.details {
            entry = DirectoryEntry {
                file_index: entry.file_index,
                file_name: entry.file_name,
                ..DirectoryEntry::default()
            };
        }
        if !shape.ea_size {
            entry.ea_size = 0;
        }
        if !shape.short_name {
            entry.short_name = Utf16::default();
        }
        if shape.file_id_after.is_none() {
            entry.file_id = 0;
        }
        entry
    }

    proptest! {
        #[test]
        fn lists_survive_the_wire(
            class in prop::sample::select(&CLASSES[..]),
            entries in Vec::<DirectoryEntry>::sample(),
        ) {
            let class = FileInfoClass(class);
            let list = emit_list(class, &entries).unwrap();
            let carried: Vec<_> = entries.into_iter().map(|entry| carried(class, entry)).collect();
            prop_assert_eq!(parse_list(class, &list).unwrap(), carried);
        }

        #[test]
        fn broken_lists_mean_the_same_again_or_are_refused(
            class in prop::sample::select(&CLASSES[..]),
            entries in Vec::<DirectoryEntry>::sample(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let class = FileInfoClass(class);
            let mut list = emit_list(class, &entries).unwrap();
            for (at, byte) in changes {
                if !list.is_empty() {
                    let at = at.index(list.len());
                    list[at] = byte;
                }
            }
            if let Ok(entries) = parse_list(class, &list) {
                let again = emit_list(class, &entries).unwrap();
                prop_assert_eq!(parse_list(class, &again).unwrap(), entries);
            }
        }

        #[test]
        fn a_list_never_outgrows_its_limit(
            entries in Vec::<DirectoryEntry>::sample(),
            length_max in 0..2000_usize,
        ) {
            let class = FileInfoClass::FILE_ID_BOTH_DIRECTORY_INFORMATION;
            let mut list = ListWriter::new(class, length_max).unwrap();
            let taken = entries.iter().take_while(|entry| list.push(entry)).count();
            let bytes = list.into_bytes();
            prop_assert!(bytes.len() <= length_max);
            prop_assert_eq!(parse_list(class, &bytes).unwrap().len(), taken);
        }
    }

    #[test]
    fn fields_stand_where_ms_fscc_has_them() {
        let entry = DirectoryEntry {
            creation_time: FileTime(0x11),
            file_id: 0x22,
            short_name: "S".into(),
            file_name: "name".into(),
            ..DirectoryEntry::default()
        };
        let at = |class, wanted: u8| {
            let bytes = emit_list(class, std::slice::from_ref(&entry)).unwrap();
            bytes.iter().position(|byte| *byte == wanted).unwrap()
        };
        let id_both = FileInfoClass::FILE_ID_BOTH_DIRECTORY_INFORMATION;
        assert_eq!(
            (at(id_both, 0x22), at(id_both, b'S'), at(id_both, b'n')),
            (96, 70, 104)
        );
        let id_full = FileInfoClass::FILE_ID_FULL_DIRECTORY_INFORMATION;
        assert_eq!((at(id_full, 0x22), at(id_full, b'n')), (72, 80));
        assert_eq!(at(FileInfoClass::FILE_BOTH_DIRECTORY_INFORMATION, b'n'), 94);
        assert_eq!(at(FileInfoClass::FILE_FULL_DIRECTORY_INFORMATION, b'n'), 68);
        assert_eq!(at(FileInfoClass::FILE_DIRECTORY_INFORMATION, b'n'), 64);
        assert_eq!(at(FileInfoClass::FILE_NAMES_INFORMATION, b'n'), 12);
    }
}
