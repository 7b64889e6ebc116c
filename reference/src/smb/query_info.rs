//! MS-SMB2 3.3.5.20: what a file, its volume and its security are.

use super::dispatch::{Request, check_charge};
use super::opens::{OpenFile, Target};
use super::reply::{Reply, Step};
use super::short_name;
use super::state::State;
use super::work::{FileDone, FileInfo, FileWork, StreamInfo, Volume};
use fsrvp_wire::smb2::create::{AccessMask, CreateOptions};
use fsrvp_wire::smb2::fscc::file::{
    FileAccessInformation, FileAlignmentInformation, FileAttributeTagInformation,
    FileBasicInformation, FileEaInformation, FileIdInformation, FileInternalInformation,
    FileModeInformation, FileNetworkOpenInformation, FilePositionInformation,
    FileStandardInformation,
};
use fsrvp_wire::smb2::fscc::file_names::{
    FileAllInformation, FileNameInformation, FileStreamInformation,
};
use fsrvp_wire::smb2::fscc::volume::{
    Characteristics, DeviceType, FileFsAttributeInformation, FileFsDeviceInformation,
    FileFsFullSizeInformation, FileFsSectorSizeInformation, FileFsSizeInformation,
    FileFsVolumeInformation, FileSystemAttributes,
};
use fsrvp_wire::smb2::fscc::{FileInfoClass, FileTime, FsInfoClass};
use fsrvp_wire::smb2::query_info::{self, InfoType};
use fsrvp_wire::smb2::{NtStatus, error};

/// The sector that every volume claims, in bytes.
const SECTOR_BYTES: u32 = 512;

/// What is answered, and whether it may be cut to the client's room.
struct Answer {
    bytes: Vec<u8>,
    may_be_cut: bool,
}

/// MS-SMB2 3.3.5.20.
pub(crate) fn query(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: query_info::Request = request.body()?;
    check_charge(state, &request.header, body.output_buffer_length)?;
    let length_max =
        usize::try_from(body.output_buffer_length).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let header = &request.header;
    let file_id = request.file_id(body.file_id)?;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let file = match &open.target {
        Target::File(file) => file.clone(),
        Target::Pipe(_) => return pipe(&body, length_max),
    };
    match body.info_type {
        InfoType::FILE => {
            let class = FileInfoClass(body.file_info_class);
            check_class(class)?;
            check_access(&file, class)?;
            if class == FileInfoClass::FILE_STREAM_INFORMATION {
                return streams(&file, length_max);
            }
            Step::work(FileWork::Info(file.token), move |_, result| {
                let FileDone::Info(info) = result? else {
                    return Err(NtStatus::INTERNAL_ERROR);
                };
                send(file_class(class, &file, &info)?, length_max)
            })
        }
        InfoType::FILESYSTEM => {
            let class = FsInfoClass(body.file_info_class);
            Step::work(FileWork::Volume(file.tree), move |_, result| {
                let FileDone::Volume(volume) = result? else {
                    return Err(NtStatus::INTERNAL_ERROR);
                };
                send(volume_class(class, &volume)?, length_max)
            })
        }
        InfoType::SECURITY => {
            file.require(AccessMask::READ_CONTROL)?;
            let work = FileWork::Security {
                file: file.token,
                wanted: body.additional_information,
                maximal_access: file.maximal_access,
            };
            Step::work(work, move |_, result| {
                let FileDone::Data(descriptor) = result? else {
                    return Err(NtStatus::INTERNAL_ERROR);
                };
                send_whole(descriptor, length_max)
            })
        }
        _ => Err(NtStatus::NOT_SUPPORTED),
    }
}

fn pipe(body: &query_info::Request, length_max: usize) -> Result<Step, NtStatus> {
    if body.info_type != InfoType::FILE {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    match FileInfoClass(body.file_info_class) {
        FileInfoClass::FILE_STANDARD_INFORMATION => {
            let standard = FileStandardInformation {
                allocation_size: 4096,
                number_of_links: 1,
                ..FileStandardInformation::default()
            };
            send(fixed(standard.emit()), length_max)
        }
        _ => Err(NtStatus::INVALID_INFO_CLASS),
    }
}

fn send(answer: Answer, length_max: usize) -> Result<Step, NtStatus> {
    let mut buffer = answer.bytes;
    let mut status = NtStatus::SUCCESS;
    if buffer.len() > length_max {
        if !answer.may_be_cut {
            return Err(NtStatus::INFO_LENGTH_MISMATCH);
        }
        buffer.truncate(length_max);
        status = NtStatus::BUFFER_OVERFLOW;
    }
    let body = query_info::Response {
        buffer,
        ..query_info::Response::default()
    };
    Ok(Step::Done(Reply::new(status, &body)))
}

/// MS-SMB2 3.3.5.20.3: a descriptor that does not fit is answered by the room it needs.
fn send_whole(bytes: Vec<u8>, length_max: usize) -> Result<Step, NtStatus> {
    if bytes.len() <= length_max {
        return send(fixed(bytes), length_max);
    }
    let needed = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let body = error::Response {
        error_data: needed.to_le_bytes().to_vec(),
        ..error::Response::default()
    };
    Ok(Step::Done(Reply::new(NtStatus::BUFFER_TOO_SMALL, &body)))
}

fn fixed(bytes: Vec<u8>) -> Answer {
    Answer {
        bytes,
        may_be_cut: false,
    }
}

fn open_ended(bytes: Vec<u8>) -> Answer {
    Answer {
        bytes,
        may_be_cut: true,
    }
}

fn check_class(class: FileInfoClass) -> Result<(), NtStatus> {
    match class {
        FileInfoClass::FILE_BASIC_INFORMATION
        | FileInfoClass::FILE_STANDARD_INFORMATION
        | FileInfoClass::FILE_INTERNAL_INFORMATION
        | FileInfoClass::FILE_EA_INFORMATION
        | FileInfoClass::FILE_ACCESS_INFORMATION
        | FileInfoClass::FILE_NORMALIZED_NAME_INFORMATION
        | FileInfoClass::FILE_POSITION_INFORMATION
        | FileInfoClass::FILE_MODE_INFORMATION
        | FileInfoClass::FILE_ALIGNMENT_INFORMATION
        | FileInfoClass::FILE_ALL_INFORMATION
        | FileInfoClass::FILE_STREAM_INFORMATION
        | FileInfoClass::FILE_NETWORK_OPEN_INFORMATION
        | FileInfoClass::FILE_ATTRIBUTE_TAG_INFORMATION
        | FileInfoClass::FILE_ID_INFORMATION => Ok(()),
        FileInfoClass::FILE_ALTERNATE_NAME_INFORMATION => Ok(()),
        // There are no extended attributes here.
        FileInfoClass::FILE_FULL_EA_INFORMATION => Err(NtStatus::NO_MORE_EAS),
        _ => Err(NtStatus::INVALID_INFO_CLASS),
    }
}

/// MS-FSCC 2.4: which classes need the right to read attributes.
fn check_access(file: &OpenFile, class: FileInfoClass) -> Result<(), NtStatus> {
    match class {
        FileInfoClass::FILE_BASIC_INFORMATION
        | FileInfoClass::FILE_ALL_INFORMATION
        | FileInfoClass::FILE_NETWORK_OPEN_INFORMATION
        | FileInfoClass::FILE_ATTRIBUTE_TAG_INFORMATION => {
            file.require(AccessMask::FILE_READ_ATTRIBUTES)
        }
        _ => Ok(()),
    }
}

fn file_class(class: FileInfoClass, file: &OpenFile, info: &FileInfo) -> Result<Answer, NtStatus> {
    Ok(match class {
        FileInfoClass::FILE_BASIC_INFORMATION => fixed(basic(info).emit()),
        FileInfoClass::FILE_STANDARD_INFORMATION => fixed(standard(info).emit()),
        FileInfoClass::FILE_INTERNAL_INFORMATION => fixed(internal(info).emit()),
        FileInfoClass::FILE_EA_INFORMATION => fixed(FileEaInformation::default().emit()),
        FileInfoClass::FILE_ACCESS_INFORMATION => fixed(access(file).emit()),
        FileInfoClass::FILE_POSITION_INFORMATION => fixed(position(file).emit()),
        FileInfoClass::FILE_MODE_INFORMATION => fixed(mode(file).emit()),
        FileInfoClass::FILE_ALIGNMENT_INFORMATION => {
            fixed(FileAlignmentInformation::default().emit())
        }
        FileInfoClass::FILE_NORMALIZED_NAME_INFORMATION => open_ended(name(file, "").emit()),
        FileInfoClass::FILE_ALTERNATE_NAME_INFORMATION => {
            open_ended(short_name::of(&file.path)?.emit())
        }
        FileInfoClass::FILE_ALL_INFORMATION => open_ended(all(file, info).emit()),
        FileInfoClass::FILE_NETWORK_OPEN_INFORMATION => fixed(network_open(info).emit()),
        FileInfoClass::FILE_ATTRIBUTE_TAG_INFORMATION => {
            let tag = FileAttributeTagInformation {
                file_attributes: info.attributes,
                reparse_tag: info.reparse_tag,
            };
            fixed(tag.emit())
        }
        FileInfoClass::FILE_ID_INFORMATION => fixed(id(info).emit()),
        _ => return Err(NtStatus::INVALID_INFO_CLASS),
    })
}

fn basic(info: &FileInfo) -> FileBasicInformation {
    FileBasicInformation {
        creation_time: info.creation_time,
        last_access_time: info.last_access_time,
        last_write_time: info.last_write_time,
        change_time: info.change_time,
        file_attributes: info.attributes,
        reserved: 0,
    }
}

fn standard(info: &FileInfo) -> FileStandardInformation {
    FileStandardInformation {
        allocation_size: info.allocation_size,
        end_of_file: info.end_of_file,
        number_of_links: info.links.saturating_sub(u32::from(info.delete_pending)),
        delete_pending: u8::from(info.delete_pending),
        directory: u8::from(info.is_directory()),
        reserved: 0,
    }
}

fn internal(info: &FileInfo) -> FileInternalInformation {
    FileInternalInformation {
        index_number: info.file_id,
    }
}

fn access(file: &OpenFile) -> FileAccessInformation {
    FileAccessInformation {
        access_flags: file.granted_access,
    }
}

fn position(file: &OpenFile) -> FilePositionInformation {
    FilePositionInformation {
        current_byte_offset: file.position,
    }
}

/// MS-FSCC 2.4.31: the options that belong to the mode.
fn mode(file: &OpenFile) -> FileModeInformation {
    let kept = CreateOptions::WRITE_THROUGH
        | CreateOptions::SEQUENTIAL_ONLY
        | CreateOptions::NO_INTERMEDIATE_BUFFERING
        | CreateOptions::SYNCHRONOUS_IO_ALERT
        | CreateOptions::SYNCHRONOUS_IO_NONALERT
        | CreateOptions::DELETE_ON_CLOSE;
    FileModeInformation {
        mode: file.options & kept,
    }
}

fn name(file: &OpenFile, prefix: &str) -> FileNameInformation {
    FileNameInformation {
        file_name: format!("{prefix}{}", file.path).into(),
    }
}

fn all(file: &OpenFile, info: &FileInfo) -> FileAllInformation {
    FileAllInformation {
        basic: basic(info),
        standard: standard(info),
        internal: internal(info),
        ea: FileEaInformation::default(),
        access: access(file),
        position: position(file),
        mode: mode(file),
        alignment: FileAlignmentInformation::default(),
        name: name(file, "\\"),
    }
}

/// MS-FSCC 2.4.49: of all streams of the file, whichever of them is open. As many as there is room
/// for: part of one tells nothing.
fn streams(file: &OpenFile, length_max: usize) -> Result<Step, NtStatus> {
    Step::work(FileWork::Streams(file.token), move |_, result| {
        let FileDone::Streams(streams) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let mut list: Vec<_> = streams.iter().map(stream).collect();
        let mut buffer = FileStreamInformation::emit_list(&list);
        let mut status = NtStatus::SUCCESS;
        while buffer.len() > length_max {
            status = NtStatus::BUFFER_OVERFLOW;
            list.pop();
            buffer = FileStreamInformation::emit_list(&list);
        }
        let body = query_info::Response {
            buffer,
            ..query_info::Response::default()
        };
        Ok(Step::Done(Reply::new(status, &body)))
    })
}

fn stream(info: &StreamInfo) -> FileStreamInformation {
    FileStreamInformation {
        stream_size: info.size,
        stream_allocation_size: info.allocation_size,
        stream_name: format!(":{}:$DATA", info.name).as_str().into(),
    }
}

fn network_open(info: &FileInfo) -> FileNetworkOpenInformation {
    FileNetworkOpenInformation {
        creation_time: info.creation_time,
        last_access_time: info.last_access_time,
        last_write_time: info.last_write_time,
        change_time: info.change_time,
        allocation_size: info.allocation_size,
        end_of_file: info.end_of_file,
        file_attributes: info.attributes,
        reserved: 0,
    }
}

fn id(info: &FileInfo) -> FileIdInformation {
    let mut file_id = [0; 16];
    for (slot, byte) in file_id.iter_mut().zip(info.file_id.to_le_bytes()) {
        *slot = byte;
    }
    FileIdInformation {
        volume_serial_number: info.volume_id,
        file_id,
    }
}

fn volume_class(class: FsInfoClass, volume: &Volume) -> Result<Answer, NtStatus> {
    let sectors_per_allocation_unit = (volume.unit_bytes / SECTOR_BYTES).max(1);
    Ok(match class {
        FsInfoClass::FILE_FS_VOLUME_INFORMATION => open_ended(
            FileFsVolumeInformation {
                volume_creation_time: FileTime::ZERO,
                volume_serial_number: short_serial(volume.serial),
                volume_label: "fsrvp".into(),
                ..FileFsVolumeInformation::default()
            }
            .emit(),
        ),
        FsInfoClass::FILE_FS_SIZE_INFORMATION => fixed(
            FileFsSizeInformation {
                total_allocation_units: volume.units,
                available_allocation_units: volume.units_available,
                sectors_per_allocation_unit,
                bytes_per_sector: SECTOR_BYTES,
            }
            .emit(),
        ),
        FsInfoClass::FILE_FS_FULL_SIZE_INFORMATION => fixed(
            FileFsFullSizeInformation {
                total_allocation_units: volume.units,
                caller_available_allocation_units: volume.units_available,
                actual_available_allocation_units: volume.units_free,
                sectors_per_allocation_unit,
                bytes_per_sector: SECTOR_BYTES,
            }
            .emit(),
        ),
        FsInfoClass::FILE_FS_DEVICE_INFORMATION => fixed(device(volume).emit()),
        FsInfoClass::FILE_FS_ATTRIBUTE_INFORMATION => open_ended(attributes(volume).emit()),
        FsInfoClass::FILE_FS_SECTOR_SIZE_INFORMATION => fixed(
            FileFsSectorSizeInformation {
                logical_bytes_per_sector: SECTOR_BYTES,
                physical_bytes_per_sector_for_atomicity: SECTOR_BYTES,
                physical_bytes_per_sector_for_performance: SECTOR_BYTES,
                file_system_effective_physical_bytes_per_sector_for_atomicity: SECTOR_BYTES,
                ..FileFsSectorSizeInformation::default()
            }
            .emit(),
        ),
        _ => return Err(NtStatus::INVALID_INFO_CLASS),
    })
}

fn device(volume: &Volume) -> FileFsDeviceInformation {
    let mut characteristics = Characteristics::DEVICE_IS_MOUNTED;
    if volume.read_only {
        characteristics |= Characteristics::READ_ONLY_DEVICE;
    }
    FileFsDeviceInformation {
        device_type: DeviceType::DISK,
        characteristics,
    }
}

/// What MS-FSCC 2.5.1 calls NTFS is a promise of abilities that clients read from the flags; the
/// name says so only because some clients refuse what they do not know.
fn attributes(volume: &Volume) -> FileFsAttributeInformation {
    let mut flags = FileSystemAttributes::CASE_SENSITIVE_SEARCH
        | FileSystemAttributes::CASE_PRESERVED_NAMES
        | FileSystemAttributes::UNICODE_ON_DISK
        | FileSystemAttributes::SUPPORTS_SPARSE_FILES
        | FileSystemAttributes::NAMED_STREAMS
        | FileSystemAttributes::SUPPORTS_REPARSE_POINTS;
    if volume.read_only {
        flags |= FileSystemAttributes::READ_ONLY_VOLUME;
    }
    FileFsAttributeInformation {
        file_system_attributes: flags,
        maximum_component_name_length: volume.name_len_max,
        file_system_name: "NTFS".into(),
    }
}

/// The 32 bits that this class has for a serial number of 64.
fn short_serial(serial: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = serial.to_le_bytes();
    u32::from_le_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}
