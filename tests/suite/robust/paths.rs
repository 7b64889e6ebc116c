//! Names that would lead out of the share, names that cannot be, and links that are swapped in
//! between two looks.

use super::beside;
use crate::raw::Raw;
use crate::server::Server;
use fsrvp_wire::smb2::create::{CreateDisposition, CreateOptions};
use fsrvp_wire::smb2::fscc::FileInfoClass;
use fsrvp_wire::smb2::{NtStatus, Utf16, set_info};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn no_name_leads_out_of_the_share() {
    let server = Server::start();
    let outside = server.share("");
    let before = names_in(&outside);
    std::fs::create_dir(server.share("data").join("sub")).expect("made");
    let long = "a".repeat(256);
    let wide = "é".repeat(200);
    let deep = "d\\".repeat(8000) + "x";
    let names = [
        r"..\escaped",
        r"..",
        r"sub\..\..\escaped",
        r"sub\..",
        r".\x",
        r"\escaped",
        "/etc/escaped",
        r"sub/../../escaped",
        r"\\server\more\escaped",
        r"C:\escaped",
        "a\0b",
        "a*",
        "a?",
        "a|b",
        "a<b",
        "a\"b",
        "\u{F02E}\u{F02E}\\escaped",
        "\u{F02F}etc",
        r".fsrvp-copies\x",
        &long,
        &wide,
        &deep,
        r"sub\\x",
    ];
    beside(&server, || {
        let mut raw = Raw::inside(server.address(), "data");
        for name in names {
            let shown: String = name.chars().take(40).collect();
            for disposition in [CreateDisposition::OPEN_IF, CreateDisposition::CREATE] {
                for options in [CreateOptions::default(), CreateOptions::DIRECTORY_FILE] {
                    let made = raw.create(name, disposition, options);
                    assert!(made.is_err(), "{shown:?}");
                    assert_ne!(made, Err(NtStatus::INTERNAL_ERROR), "{shown:?}");
                }
            }
        }
        for units in [&[0xD800][..], &[0x61, 0xDC00], &[0xDBFF, 0x61]] {
            let made = raw.create(
                Utf16(units.to_vec()),
                CreateDisposition::CREATE,
                CreateOptions::default(),
            );
            assert_eq!(made, Err(NtStatus::OBJECT_NAME_INVALID), "{units:?}");
        }
        // Renames are names as well; a `\` in front stands for the share's root there.
        let options = CreateOptions::default();
        let file_id = raw.create("victim", CreateDisposition::CREATE, options);
        let file_id = file_id.expect("made");
        for name in names.into_iter().filter(|name| *name != r"\escaped") {
            let units: Vec<u16> = name.encode_utf16().collect();
            let length = u32::try_from(units.len() * 2).expect("short");
            let mut buffer = vec![0; 16];
            buffer.extend(length.to_le_bytes());
            buffer.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
            let request = set_info::Request {
                info_type: fsrvp_wire::smb2::query_info::InfoType::FILE,
                file_info_class: FileInfoClass::FILE_RENAME_INFORMATION.0,
                file_id,
                buffer,
                ..set_info::Request::default()
            };
            let shown: String = name.chars().take(40).collect();
            assert_ne!(raw.status(&request), NtStatus::SUCCESS, "{shown:?}");
        }
    });
    let mut now = names_in(&outside);
    now.retain(|name| name != "target.toml");
    assert_eq!(
        now,
        before
            .into_iter()
            .filter(|name| name != "target.toml")
            .collect()
    );
    let data = names_in(&server.share("data"));
    assert_eq!(data, ["sub", "victim"].map(str::to_owned).into());
}

/// Names that mean something on other systems are names here, and files of the share.
#[test]
fn reserved_names_are_files_like_others() {
    let server = Server::start();
    let longest = "n".repeat(255);
    let names = [
        "CON", "NUL", "aux.txt", "COM1", "dot.", "space ", "...", &longest,
    ];
    let mut raw = Raw::inside(server.address(), "data");
    for name in names {
        let made = raw.create(name, CreateDisposition::CREATE, CreateOptions::default());
        assert!(made.is_ok(), "{name:?}: {made:?}");
    }
    let found = names_in(&server.share("data"));
    assert_eq!(found, names.map(str::to_owned).into());
}

/// A process on the server's machine swaps a directory of the share for a link to another place and
/// back, as fast as it can. No open of a client ends up there.
#[test]
fn a_link_that_is_swapped_in_is_never_followed() {
    let server = Server::start();
    let (data, outside) = (
        server.share("data"),
        tempfile::tempdir().expect("a directory"),
    );
    std::fs::create_dir(data.join("swap")).expect("made");
    std::fs::write(data.join("swap/inside"), "of the share").expect("written");
    std::fs::write(outside.path().join("inside"), "SECRET").expect("written");
    let link = data.join("other");
    std::os::unix::fs::symlink(outside.path(), &link).expect("a link");
    let is_over = AtomicBool::new(false);
    let address = server.address();
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let (from, to) = (data.join("swap"), &link);
                renameat_with(CWD, &from, CWD, to, RenameFlags::EXCHANGE).expect("swapped");
                swaps += 1;
            }
            swaps
        });
        let attempt = std::panic::catch_unwind(|| {
            let mut raw = Raw::inside(address, "data");
            let (mut met, mut missed) = (0, 0);
            for round in 0..1500 {
                match raw.open(r"swap\inside") {
                    Ok(file_id) => {
                        met += 1;
                        assert_eq!(raw.read(file_id).expect("read"), b"of the share");
                        let close = fsrvp_wire::smb2::close::Request {
                            file_id,
                            ..Default::default()
                        };
                        raw.status(&close);
                    }
                    Err(_) => missed += 1,
                }
                let name = format!(r"swap\new{round}");
                let options = CreateOptions::DELETE_ON_CLOSE;
                // Made in the share or not at all; what is made goes again with its handle.
                if let Ok(file_id) = raw.create(name.as_str(), CreateDisposition::CREATE, options) {
                    let close = fsrvp_wire::smb2::close::Request {
                        file_id,
                        ..Default::default()
                    };
                    raw.status(&close);
                }
                assert_eq!(
                    std::fs::read_dir(outside.path()).expect("listed").count(),
                    1
                );
            }
            (met, missed)
        });
        is_over.store(true, Ordering::Relaxed);
        let swaps = swapper.join().expect("the swapper");
        let (met, missed) = attempt.expect("no way out");
        assert!(
            swaps > 100 && met > 0 && missed > 0,
            "{swaps} {met} {missed}"
        );
    });
    let left = std::fs::read_to_string(outside.path().join("inside")).expect("still there");
    assert_eq!(left, "SECRET");
}
