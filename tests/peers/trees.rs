//! `fsrvp check --tree` over what only root can make: mounts, subvolumes, devices, reparse points as
//! a file server keeps them.

use crate::serve::{Mount, Store, make_share};
use crate::tool;
use crate::{Outcome, trial};
use libtest_mimic::{Failed, Trial};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: &[&str] = &["mkfs.btrfs", "btrfs", "mount", "umount", "setpriv"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "trees::mounts_and_subvolumes",
        TOOLS,
        true,
        mounts_and_subvolumes,
    )]
}

/// Mounts, unmounted in the other order when dropped.
#[derive(Default)]
struct Mounts(Vec<PathBuf>);

impl Mounts {
    fn mount(&mut self, words: &[&str], at: &Path) -> Outcome {
        let mut mount = Command::new("mount");
        mount.args(words).arg(at);
        tool::run_with_input(mount, b"")?.success("mount")?;
        self.0.push(at.to_owned());
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        while let Some(at) = self.0.pop() {
            let mut umount = Command::new("umount");
            umount.arg(at);
            let _ = tool::run_with_input(umount, b"");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// What is found in a tree: by rule the paths; and what nobody could see.
type Found = (BTreeMap<String, Vec<String>>, Vec<String>);

fn check(mut command: Command, root: &Path) -> Result<Found, Failed> {
    command
        .args(["check", "--format", "json", "--all", "--tree"])
        .arg(root);
    let run = tool::run_with_input(command, b"")?;
    let report: Value =
        serde_json::from_str(&run.output).map_err(|error| format!("{error}: {}", run.output))?;
    let paths = |value: &Value| {
        let examples = value["examples"].as_array().into_iter().flatten();
        let mut paths: Vec<String> = examples
            .filter_map(|one| Some(one["path"].as_str()?.to_owned()))
            .collect();
        paths.sort();
        paths
    };
    let findings = report["findings"].as_array().into_iter().flatten();
    let by_rule = findings
        .map(|finding| {
            let rule = finding["rule"].as_str().unwrap_or_default().to_owned();
            (rule, paths(finding))
        })
        .collect();
    Ok((by_rule, paths(&report["unseen"])))
}

fn fsrvp() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fsrvp"))
}

fn mounts_and_subvolumes() -> Outcome {
    let dir = tempfile::Builder::new().prefix("fsrvp-trees-").tempdir()?;
    let store = Mount::new(dir.path(), &["mkfs.btrfs", "-q", "-f"])?;
    let share = dir.path().join("mnt/share");
    make_share(Store::Btrfs, &share)?;
    let mut mounts = Mounts::default();
    let made = make(&share, &dir.path().join("mnt"), &mut mounts);
    let looked = made.and_then(|()| check(fsrvp(), &share));
    let (found, unseen) = looked?;
    let expected: BTreeMap<String, Vec<String>> = [
        ("DIR-JCT-01", &["vm/btrfs"][..]),
        ("DIR-JCT-02", &["vm/bind"]),
        ("DIR-JCT-03", &["vm/loop"]),
        ("DIR-JCT-04", &["vm/nested"]),
        ("DIR-JCT-08", &["vm/junction.vhdx"]),
        ("DIR-JCT-09", &["vm/over.vhdx", "vm/tmpfs"]),
        ("DIR-REG-12", &["vm/null"]),
        ("DIR-REG-13", &["vm/disk"]),
        ("DIR-REG-14", &["vm/link.vhdx"]),
        ("DIR-REG-15", &["vm/dedup.vhdx"]),
        ("DIR-REG-16", &["vm/bit.vhdx", "vm/data.vhdx"]),
        // The share is a subvolume, which is the root of its file store.
        ("DIR-SHR-01", &[""]),
    ]
    .map(|(rule, paths)| {
        (
            rule.to_owned(),
            paths.iter().map(|&path| path.to_owned()).collect(),
        )
    })
    .into();
    if found != expected {
        return Err(format!("{found:#?}\nin place of\n{expected:#?}").into());
    }
    if unseen != [".snapshots"] {
        return Err(format!("not seen: {unseen:?}").into());
    }
    // In a snapshot an empty directory stands where the subvolume was.
    let frozen = share.with_file_name("frozen");
    let mut snapshot = Command::new("btrfs");
    snapshot.args([
        "-q",
        "subvolume",
        "snapshot",
        "-r",
        text(&share),
        text(&frozen),
    ]);
    tool::run_with_input(snapshot, b"")?.success("btrfs")?;
    let (in_copy, _) = check(fsrvp(), &frozen)?;
    if in_copy.get("DIR-JCT-04") != Some(&vec!["vm/nested".to_owned()]) {
        return Err(format!("in the snapshot: {in_copy:#?}").into());
    }
    unreadable(&frozen.with_file_name("plain"))?;
    drop(mounts);
    drop(store);
    Ok(())
}

/// What a user may not read is said to be so.
fn unreadable(root: &Path) -> Outcome {
    fs::create_dir_all(root.join("vm/closed"))?;
    fs::write(root.join("vm/disk.vhdx"), "")?;
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(root.join("vm/closed"), closed)?;
    // Of the directories above it only this one is closed to others.
    let temporary = root.ancestors().nth(2).unwrap_or(root);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(temporary, open)?;
    // The user reads the program over a copy that he may reach.
    let program = temporary.join("fsrvp");
    fs::copy(env!("CARGO_BIN_EXE_fsrvp"), &program)?;
    let mut as_games = Command::new("setpriv");
    as_games.args(["--reuid=games", "--regid=games", "--clear-groups"]);
    as_games.arg(&program);
    let (found, _) = check(as_games, root)?;
    let expected: BTreeMap<String, Vec<String>> =
        [("DIR-REG-17".to_owned(), vec!["vm/closed".to_owned()])].into();
    match found == expected {
        true => Ok(()),
        false => Err(format!("unreadable: {found:#?}").into()),
    }
}

/// Plants one of each below `share`, which lies on btrfs mounted at `store`.
fn make(share: &Path, store: &Path, mounts: &mut Mounts) -> Outcome {
    let vm = share.join("vm");
    for name in ["", "bind", "loop", "tmpfs", "btrfs", "plain"] {
        fs::create_dir_all(vm.join(name))?;
    }
    fs::write(vm.join("plain/disk.vhdx"), "x")?;
    fs::write(vm.join("over.vhdx"), "x")?;
    make_share(Store::Btrfs, &vm.join("nested"))?;
    make_share(Store::Btrfs, &share.join(".snapshots"))?;
    mounts.mount(&["--bind", text(&vm.join("plain"))], &vm.join("bind"))?;
    mounts.mount(&["--bind", text(share)], &vm.join("loop"))?;
    mounts.mount(&["-t", "tmpfs", "none"], &vm.join("tmpfs"))?;
    let loose = store.with_file_name("loose");
    fs::write(&loose, "y")?;
    mounts.mount(&["--bind", text(&loose)], &vm.join("over.vhdx"))?;
    // A file system of its own: procfs is mounted and is no file store.
    mounts.mount(&["-t", "proc", "none"], &vm.join("btrfs"))?;
    for (name, kind) in [
        ("null", FileType::CharacterDevice),
        ("disk", FileType::BlockDevice),
    ] {
        let device = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, vm.join(name), kind, Mode::from_raw_mode(0o600), device)?;
    }
    for (name, tag, has_bit) in [
        ("junction.vhdx", Some(0xA000_0003u32), true),
        ("link.vhdx", Some(0xA000_000C), true),
        ("dedup.vhdx", Some(0x8000_0013), true),
        ("data.vhdx", Some(0xA000_000C), false),
        ("bit.vhdx", None, true),
    ] {
        let path = vm.join(name);
        fs::write(&path, "")?;
        if let Some(tag) = tag {
            // Tag, length and reserved field of REPARSE_DATA_BUFFER, and more than is looked at.
            let data = [tag.to_le_bytes().as_slice(), &[8, 0, 0, 0], &[0; 8]].concat();
            rustix::fs::setxattr(&path, "user.SmbReparse", &data, XattrFlags::empty())?;
        }
        let attributes: &[u8] = if has_bit {
            b"0x420\0more"
        } else {
            b"0x20\0more"
        };
        rustix::fs::setxattr(&path, "user.DOSATTRIB", attributes, XattrFlags::empty())?;
    }
    Ok(())
}
