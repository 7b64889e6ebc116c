//! MS-FSCC 2.4: the classes of files that hold names.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::Utf16;
use crate::smb2::codec::structure;
use crate::smb2::codec::{Fixed, len32, read};
use crate::smb2::fscc::file::{
    FileAccessInformation, FileAlignmentInformation, FileBasicInformation, FileEaInformation,
    FileInternalInformation, FileModeInformation, FilePositionInformation, FileStandardInformation,
};
use crate::smb2::fscc::{append_entry, read_name, split_entries};

structure! {
    /// MS-FSCC 2.1.7 FILE_NAME_INFORMATION: classes 9 (name), 21 (alternate name) and 48
    /// (normalized name).
    pub struct FileNameInformation {
        /// The name, in the form that the class wants.
        pub file_name: Utf16,
    }
}

structure! {
    /// MS-FSCC 2.4 FileRenameInformation for SMB2 (10), also FileLinkInformation (11).
    pub struct FileRenameInformation {
        /// Not zero: a file of the new name goes.
        pub replace_if_exists: u8,
        /// Reserved; kept as it came.
        pub reserved: [u8; 7],
        /// Zero over SMB2.
        pub root_directory: u64,
        /// The new name from the share's root.
        pub file_name: Utf16,
    }
}

structure! {
    /// MS-FSCC 2.4 FileAllInformation (18).
    pub struct FileAllInformation {
        /// Times and attributes.
        pub basic: FileBasicInformation,
        /// Sizes.
        pub standard: FileStandardInformation,
        /// The file's number.
        pub internal: FileInternalInformation,
        /// Extended attributes.
        pub ea: FileEaInformation,
        /// What the open may do.
        pub access: FileAccessInformation,
        /// Where it stands.
        pub position: FilePositionInformation,
        /// How it was opened.
        pub mode: FileModeInformation,
        /// How buffers must be aligned.
        pub alignment: FileAlignmentInformation,
        /// The name.
        pub name: FileNameInformation,
    }
}

structure! {
    /// MS-FSCC 2.4 FileStreamInformation (22): one stream; the class is a list of them.
    pub struct FileStreamInformation {
        /// Length, in bytes.
        pub stream_size: u64,
        /// Room on the volume, in bytes.
        pub stream_allocation_size: u64,
        /// `:name:$DATA`, and `::$DATA` for the file itself.
        pub stream_name: Utf16,
    }
}

/// The most streams of one file that are read.
pub const STREAMS_MAX: usize = 4096;

impl FileNameInformation {
    /// Reads the structure from the start of `bytes`.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, bytes, Self::read).map(|(value, _)| value)
    }

    /// The structure's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write(&mut out);
        out.into_bytes()
    }

    fn read(input: &[u8]) -> PResult<'_, Self> {
        let mut rest = input;
        let length = read(&mut rest, "FileNameLength")?;
        let file_name = read_name(&mut rest, "FileName", length)?;
        Ok((rest, FileNameInformation { file_name }))
    }

    fn write(&self, out: &mut Writer) {
        out.u32(len32(2 * self.file_name.0.len()))
            .utf16(&self.file_name.0);
    }
}

impl FileRenameInformation {
    /// Reads the structure from the start of `bytes`.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, bytes, |input| {
            let mut rest = input;
            let replace_if_exists = read(&mut rest, "ReplaceIfExists")?;
            let reserved = read(&mut rest, "Reserved")?;
            let root_directory = read(&mut rest, "RootDirectory")?;
            let length = read(&mut rest, "FileNameLength")?;
            let value = FileRenameInformation {
                replace_if_exists,
                reserved,
                root_directory,
                file_name: read_name(&mut rest, "FileName", length)?,
            };
            Ok((rest, value))
        })
        .map(|(value, _)| value)
    }

    /// The structure's bytes, filled with zeros to the 24 that it has at least.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(self.replace_if_exists)
            .bytes(&self.reserved)
            .u64(self.root_directory)
            .u32(len32(2 * self.file_name.0.len()))
            .utf16(&self.file_name.0);
        out.zeros(24_usize.saturating_sub(out.len()));
        out.into_bytes()
    }
}

impl FileAllInformation {
    /// Reads the structure from the start of `bytes`.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, bytes, |input| {
            let mut rest = input;
            let mut value = FileAllInformation {
                basic: read(&mut rest, "BasicInformation")?,
                standard: read(&mut rest, "StandardInformation")?,
                internal: read(&mut rest, "InternalInformation")?,
                ea: read(&mut rest, "EaInformation")?,
                access: read(&mut rest, "AccessInformation")?,
                position: read(&mut rest, "PositionInformation")?,
                mode: read(&mut rest, "ModeInformation")?,
                alignment: read(&mut rest, "AlignmentInformation")?,
                ..FileAllInformation::default()
            };
            let (rest, name) = FileNameInformation::read(rest)?;
            value.name = name;
            Ok((rest, value))
        })
        .map(|(value, _)| value)
    }

    /// The structure's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.basic.write(&mut out);
        self.standard.write(&mut out);
        self.internal.write(&mut out);
        self.ea.write(&mut out);
        self.access.write(&mut out);
        self.position.write(&mut out);
        self.mode.write(&mut out);
        self.alignment.write(&mut out);
        self.name.write(&mut out);
        out.into_bytes()
    }
}

impl FileStreamInformation {
    /// Reads the list of a file's streams; an empty buffer is an empty list.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse_list(buffer: &[u8]) -> Result<Vec<Self>, ParseError> {
        run(Layer::Smb2, buffer, |buffer| {
            let mut streams = Vec::new();
            for entry in split_entries(buffer, STREAMS_MAX)? {
                let mut rest = entry;
                let _next: u32 = read(&mut rest, "NextEntryOffset")?;
                let length = read(&mut rest, "StreamNameLength")?;
                streams.push(FileStreamInformation {
                    stream_size: read(&mut rest, "StreamSize")?,
                    stream_allocation_size: read(&mut rest, "StreamAllocationSize")?,
                    stream_name: read_name(&mut rest, "StreamName", length)?,
                });
            }
            Ok((&[][..], streams))
        })
        .map(|(streams, _)| streams)
    }

    /// The list's bytes; no padding behind the last stream.
    #[must_use]
    pub fn emit_list(streams: &[Self]) -> Vec<u8> {
        let mut out = Writer::new();
        let mut last = None;
        for stream in streams {
            let mut entry = Writer::new();
            entry
                .u32(0)
                .u32(len32(2 * stream.stream_name.0.len()))
                .u64(stream.stream_size)
                .u64(stream.stream_allocation_size)
                .utf16(&stream.stream_name.0);
            last = Some(append_entry(&mut out, last, entry.as_slice()));
        }
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        FileAllInformation, FileNameInformation, FileRenameInformation, FileStreamInformation,
    };
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_survive_the_wire(
            name in FileNameInformation::sample(),
            rename in FileRenameInformation::sample(),
            all in FileAllInformation::sample(),
            streams in Vec::<FileStreamInformation>::sample(),
        ) {
            prop_assert_eq!(FileNameInformation::parse(&name.emit()).unwrap(), name);
            prop_assert_eq!(FileRenameInformation::parse(&rename.emit()).unwrap(), rename);
            prop_assert_eq!(FileAllInformation::parse(&all.emit()).unwrap(), all);
            let list = FileStreamInformation::emit_list(&streams);
            prop_assert_eq!(FileStreamInformation::parse_list(&list).unwrap(), streams);
        }

        #[test]
        fn what_parses_means_the_same_again(bytes in proptest::collection::vec(any::<u8>(), 0..140)) {
            if let Ok(rename) = FileRenameInformation::parse(&bytes) {
                prop_assert_eq!(FileRenameInformation::parse(&rename.emit()).unwrap(), rename);
            }
            if let Ok(all) = FileAllInformation::parse(&bytes) {
                prop_assert_eq!(FileAllInformation::parse(&all.emit()).unwrap(), all);
            }
            if let Ok(streams) = FileStreamInformation::parse_list(&bytes) {
                let list = FileStreamInformation::emit_list(&streams);
                prop_assert_eq!(FileStreamInformation::parse_list(&list).unwrap(), streams);
            }
        }
    }
}
