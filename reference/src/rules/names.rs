//! Names that belong to virtual machines.

use std::ffi::OsStr;
use std::path::Path;

/// The files of Hyper-V by their extensions: disks, checkpoints, configurations, saved states, change
/// tracking, replica logs, attached media.
const EXTENSIONS: &[&str] = &[
    "vhd", "vhdx", "avhd", "avhdx", "vhds", "vmcx", "vmrs", "vmgs", "bin", "vsv", "slp", "rct",
    "mrt", "hrl", "hru", "iso", "vfd", "vhdpmem",
];
/// Directories that Hyper-V makes.
const DIRECTORIES: &[&str] = &[
    "virtual machines",
    "virtual hard disks",
    "snapshots",
    "hyper-v replica",
    "undolog configuration",
    "planned virtual machines",
];
/// What file servers and clients put into a root by themselves.
const IGNORED: &[&str] = &[
    "~snapshot",
    ".snapshot",
    ".snapshots",
    ".zfs",
    "lost+found",
    "system volume information",
    "$recycle.bin",
    ".deleted",
    "desktop.ini",
    "thumbs.db",
    ".ds_store",
];
/// Those of them that hold snapshots of the tree, which a walk does not enter.
const SNAPSHOTS: &[&str] = &["~snapshot", ".snapshot", ".snapshots", ".zfs"];

fn is_one_of(name: &OsStr, names: &[&str]) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    names.contains(&name.as_str())
}

/// Whether a file of this name belongs to a virtual machine.
pub(super) fn is_vm_file(path: &Path) -> bool {
    let is_xml = path.extension().is_some_and(|e| is_one_of(e, &["xml"]));
    match path.extension() {
        // A configuration up to 2012 R2 has the id of its machine for a name.
        Some(_) if is_xml => path.file_stem().is_some_and(is_guid),
        Some(extension) => is_one_of(extension, EXTENSIONS),
        None => false,
    }
}

/// Whether a directory of this name belongs to virtual machines, whatever it holds.
pub(super) fn is_vm_directory(name: &OsStr) -> bool {
    is_one_of(name, DIRECTORIES) || is_guid(name)
}

/// Whether it may lie in any root.
pub(super) fn is_ignored(name: &OsStr) -> bool {
    is_one_of(name, IGNORED)
}

/// Whether it holds snapshots where it lies in the root.
pub(super) fn holds_snapshots(name: &OsStr) -> bool {
    is_one_of(name, SNAPSHOTS)
}

fn is_guid(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.len() == 36 && uuid::Uuid::try_parse(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_machines_are_told_by_their_names() {
        let guid = "5f3c9a52-0c9b-4b47-8a7e-5d0d3f1f6a11";
        for name in [
            "a.vhdx",
            "A.VHDX",
            "b.avhd",
            &format!("{guid}.xml"),
            &format!("{guid}.vmcx"),
        ] {
            assert!(is_vm_file(Path::new(name)), "{name}");
        }
        for name in ["vhdx", "readme.txt", "settings.xml", ".vhdx", "a.vhdx.txt"] {
            assert!(!is_vm_file(Path::new(name)), "{name}");
        }
        assert!(is_vm_directory(OsStr::new("Virtual Machines")));
        assert!(is_vm_directory(OsStr::new(guid)));
        assert!(!is_vm_directory(OsStr::new("{5f3c9a52}")));
        assert!(is_ignored(OsStr::new("Lost+Found")) && !holds_snapshots(OsStr::new("lost+found")));
    }
}
