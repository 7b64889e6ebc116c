//! MS-SMB2 3.3.5.9: an open, from the share that it goes to up to what the file allows.

use super::{Connected, Files, done, info, made_at, status};
use crate::share::{Claim, FileDescriptor, FileKey, Rights, Share, ShareFile, Wish};
use crate::shell::handle::{Handle, check_delete, wish};
use crate::shell::security;
use crate::smb::work::{FileDone, FileResult, OpenWork};
use crate::tree::{
    self, Access, Attributes, Disposition, OpenOptions, TreeError, TreePath, Wanted,
};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::{AccessMask, CreateAction, CreateDisposition, CreateOptions};
use fsrvp_wire::smb2::fscc::{FileAttributes, FileTime};
use fsrvp_wire::smb2::previous_versions::to_the_second;
use std::sync::Arc;

/// The rights that change something.
const CHANGING: AccessMask = AccessMask::FILE_WRITE_DATA
    .union(AccessMask::FILE_APPEND_DATA)
    .union(AccessMask::FILE_WRITE_EA)
    .union(AccessMask::FILE_DELETE_CHILD)
    .union(AccessMask::FILE_WRITE_ATTRIBUTES)
    .union(AccessMask::DELETE)
    .union(AccessMask::WRITE_DAC)
    .union(AccessMask::WRITE_OWNER);

/// How often an open may lose against others that remove the same file.
const ROUNDS_MAX: usize = 8;

impl Files {
    /// The share as it was at a time, for reading.
    fn at(&self, tree: &Connected, time: FileTime) -> Result<Arc<Connected>, NtStatus> {
        let versions = self.shares.previous_versions(tree.share.name());
        let found = versions
            .into_iter()
            .find(|share| made_at(share).map(to_the_second) == Some(time));
        let share = found.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        let rights = tree.rights.min(Rights::Read);
        let who = tree.who.clone();
        Ok(Arc::new(Connected { share, rights, who }))
    }

    pub(super) fn open(&self, open: &OpenWork) -> FileResult {
        for _ in 0..ROUNDS_MAX {
            match self.open_once(open) {
                // It was removed after it was found and before it was held.
                Err(NtStatus::FILE_DELETED) => {}
                other => return other,
            }
        }
        Err(NtStatus::DELETE_PENDING)
    }

    fn open_once(&self, open: &OpenWork) -> FileResult {
        let mut tree = self.trees.get(&open.tree, NtStatus::NETWORK_NAME_DELETED)?;
        if let Some(time) = open.timewarp {
            tree = self.at(&tree, time)?;
        }
        let path = TreePath::parse(&open.path).map_err(status)?;
        let asked = Asked::new(open, &tree, &path)?;
        let found = asked.find_or_make()?;
        if let Some(reparse_point) = asked.stops_at(&found)? {
            return Ok(FileDone::Stopped(reparse_point));
        }
        let Granted {
            granted_access,
            maximal_access,
        } = asked.granted(&found)?;
        let Found { file, action, .. } = found;
        let empties = matches!(
            action,
            tree::CreateAction::Superseded | tree::CreateAction::Overwritten
        );
        let claim = self.claim(&file, &wish(open, granted_access, empties))?;
        let metadata = file.metadata().map_err(status)?;
        if metadata.links == 0 {
            return Err(NtStatus::FILE_DELETED);
        }
        if asked.deletes() {
            check_delete(&file)?;
        }
        if empties {
            done(file.overwrite(options(open, granted_access).attributes))?;
        }
        let handle = Handle {
            file,
            claim,
            delete_on_close: asked.deletes(),
        };
        let info = if empties {
            handle.info().map_err(status)?
        } else {
            info(&metadata)
        };
        self.files.insert(open.file, handle);
        Ok(FileDone::Opened {
            granted_access,
            maximal_access,
            action: match action {
                tree::CreateAction::Superseded => CreateAction::SUPERSEDED,
                tree::CreateAction::Opened => CreateAction::OPENED,
                tree::CreateAction::Created => CreateAction::CREATED,
                tree::CreateAction::Overwritten => CreateAction::OVERWRITTEN,
            },
            info,
        })
    }

    /// Holds the file among all who have it open, or says who stands against it.
    fn claim(&self, file: &ShareFile, wish: &Wish) -> Result<Claim, NtStatus> {
        let metadata = file.metadata().map_err(status)?;
        let stream = file.stream().map_err(status)?;
        let key = FileKey::of(&metadata, stream.as_ref());
        self.shares.handles().claim(key, wish).map_err(status)
    }
}

/// What an open asks for, as far as the share decides it.
struct Asked<'a> {
    open: &'a OpenWork,
    tree: &'a Connected,
    path: &'a TreePath,
    granted_access: AccessMask,
    /// Whether the file's own security descriptor has nothing to say.
    passes: bool,
}

/// What was found or made for it.
struct Found {
    file: ShareFile,
    action: tree::CreateAction,
    granted_access: AccessMask,
    /// The security descriptor that a new file inherits from.
    directory: Option<FileDescriptor>,
    /// Whether what was there is emptied.
    empties: bool,
}

/// What an open may do, and could have asked for.
struct Granted {
    granted_access: AccessMask,
    maximal_access: AccessMask,
}

impl<'a> Asked<'a> {
    fn new(
        open: &'a OpenWork,
        tree: &'a Connected,
        path: &'a TreePath,
    ) -> Result<Asked<'a>, NtStatus> {
        let maximal_access = maximal(&tree.share, tree.rights);
        let asked = Asked {
            open,
            tree,
            path,
            granted_access: grant(open.desired_access, maximal_access, tree)?,
            passes: security::passes(open, &tree.who),
        };
        if asked.deletes() && !asked.granted_access.contains(AccessMask::DELETE) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if asked.deletes() && open.attributes.contains(FileAttributes::READONLY) {
            return Err(NtStatus::CANNOT_DELETE);
        }
        Ok(asked)
    }

    fn deletes(&self) -> bool {
        self.open.options.contains(CreateOptions::DELETE_ON_CLOSE)
    }

    fn find_or_make(&self) -> Result<Found, NtStatus> {
        let (open, tree) = (self.open, self.tree);
        let as_asked = options(open, self.granted_access);
        let (directory, asked) =
            security::before_making(&tree.share, self.path, &as_asked, &tree.who, self.passes)?;
        let directory_refuses = asked.disposition != as_asked.disposition;
        let opening = |granted| {
            let options = OpenOptions {
                disposition: asked.disposition,
                ..options(open, granted)
            };
            match tree.share.open(tree.rights, self.path, &options) {
                // It is missing, and may not be made.
                Err(TreeError::NotFound) if directory_refuses => Err(TreeError::AccessDenied),
                other => other,
            }
        };
        let readable = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE;
        let mut granted_access = self.granted_access;
        let (file, action) = match opening(granted_access) {
            // The most that a file with FILE_ATTRIBUTE_READONLY allows is to read it.
            Err(TreeError::AccessDenied) if open.desired_access == AccessMask::MAXIMUM_ALLOWED => {
                granted_access = granted_access & readable;
                opening(granted_access).map_err(status)?
            }
            other => other.map_err(status)?,
        };
        Ok(Found {
            file,
            action,
            granted_access,
            directory,
            empties: asked.disposition.empties(),
        })
    }

    /// The reparse point at which the open ends, where it is not about that itself.
    fn stops_at(&self, found: &Found) -> Result<Option<Vec<u8>>, NtStatus> {
        let options = self.open.options;
        if options.contains(CreateOptions::OPEN_REPARSE_POINT)
            || self.path.stream().is_some()
            || found.action == tree::CreateAction::Created
        {
            return Ok(None);
        }
        found.file.reparse_point().map_err(status)
    }

    /// Gives a new file its security descriptor, and asks that of one that was there.
    fn granted(&self, found: &Found) -> Result<Granted, NtStatus> {
        let who = &self.tree.who;
        let rights = Granted {
            granted_access: found.granted_access,
            maximal_access: maximal(&self.tree.share, self.tree.rights),
        };
        if found.action == tree::CreateAction::Created && self.path.stream().is_none() {
            security::describe(&found.file, self.open, found.directory.as_ref(), who)?;
            return Ok(rights);
        }
        if self.passes {
            return Ok(rights);
        }
        let allowed = security::allowed(&found.file, self.path, who)?;
        let named = self
            .open
            .desired_access
            .without(AccessMask::MAXIMUM_ALLOWED);
        let to_empty = match found.empties {
            true => AccessMask::FILE_WRITE_DATA,
            false => AccessMask(0),
        };
        let needed = grant(named, AccessMask::FILE_ALL_ACCESS, self.tree)? | to_empty;
        let privileged = security::by_privilege(who) & needed;
        if needed.without(allowed | privileged).0 != 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(Granted {
            granted_access: rights.granted_access & (allowed | privileged),
            maximal_access: rights.maximal_access & allowed,
        })
    }
}

/// The most that a user with these rights may do now.
pub(super) fn maximal(share: &Share, rights: Rights) -> AccessMask {
    if rights == Rights::Change && share.is_writable() {
        return AccessMask::FILE_ALL_ACCESS;
    }
    AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE
}

/// MS-SMB2 3.3.5.9: what an open gets for what it asks; generic rights become the file's own.
fn grant(
    desired: AccessMask,
    maximal: AccessMask,
    tree: &Connected,
) -> Result<AccessMask, NtStatus> {
    let generic = [
        (AccessMask::GENERIC_ALL, AccessMask::FILE_ALL_ACCESS),
        (AccessMask::GENERIC_READ, AccessMask::FILE_GENERIC_READ),
        (AccessMask::GENERIC_WRITE, AccessMask::FILE_GENERIC_WRITE),
        (
            AccessMask::GENERIC_EXECUTE,
            AccessMask::FILE_GENERIC_EXECUTE,
        ),
        (AccessMask::MAXIMUM_ALLOWED, maximal),
    ];
    let mut wanted = desired;
    for (asked, meant) in generic {
        if desired.contains(asked) {
            wanted = wanted.without(asked) | meant;
        }
    }
    let refused = wanted.without(maximal);
    if refused.0 == 0 {
        return Ok(wanted);
    }
    // The user could, but the share can not be written (any more).
    if tree.rights == Rights::Change && refused.without(CHANGING).0 == 0 {
        return Err(NtStatus::MEDIA_WRITE_PROTECTED);
    }
    Err(NtStatus::ACCESS_DENIED)
}

fn options(open: &OpenWork, granted: AccessMask) -> OpenOptions {
    let any_of = |rights: AccessMask| (granted & rights).0 != 0;
    OpenOptions {
        access: Access {
            read: any_of(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE),
            write: any_of(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA),
        },
        disposition: match open.disposition {
            CreateDisposition::SUPERSEDE => Disposition::Supersede,
            CreateDisposition::CREATE => Disposition::Create,
            CreateDisposition::OPEN_IF => Disposition::OpenIf,
            CreateDisposition::OVERWRITE => Disposition::Overwrite,
            CreateDisposition::OVERWRITE_IF => Disposition::OverwriteIf,
            _ => Disposition::Open,
        },
        wanted: if open.options.contains(CreateOptions::DIRECTORY_FILE) {
            Wanted::Directory
        } else if open.options.contains(CreateOptions::NON_DIRECTORY_FILE) {
            Wanted::File
        } else {
            Wanted::Any
        },
        open_link: open.options.contains(CreateOptions::OPEN_REPARSE_POINT),
        // MS-FSA 2.1.5.1.1: what is new has not been backed up yet.
        attributes: Attributes(open.attributes.0 | Attributes::ARCHIVE),
        keep_contents: true,
    }
}
