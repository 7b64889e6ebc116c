//! What was begun and not yet removed, one file each beside the backend snapshots.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BackendError, BackendKind, BackendSnapshot};

const SUFFIX: &str = ".command";

/// What `seal` and `remove` are told again.
#[derive(Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) source: PathBuf,
    pub(super) handle: serde_json::Value,
}

fn path_of(place: &Path, id: Uuid) -> PathBuf {
    place.join(format!("{id}{SUFFIX}"))
}

/// The backend snapshots that are on record in `place`, finished or not.
pub(in crate::backend) fn recorded(place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
    let entries = match std::fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BackendError::io(place, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| BackendError::io(place, error))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        let Some(id) = id.and_then(|id| Uuid::try_parse(id).ok()) else {
            continue;
        };
        found.push(BackendSnapshot {
            kind: BackendKind::Command,
            shadow_copy_id: id,
            place: place.to_owned(),
            inside: PathBuf::new(),
        });
    }
    found.sort_by_key(|snapshot| snapshot.shadow_copy_id);
    Ok(found)
}

impl Record {
    /// Writes down that something is begun; an id is begun once.
    pub(super) fn begin(&self, place: &Path, id: Uuid) -> Result<(), BackendError> {
        let path = path_of(place, id);
        if path.symlink_metadata().is_ok() {
            return Err(BackendError::Exists(path));
        }
        self.write(place, id)
    }

    /// Writes the record, which is on the disk when this returns.
    pub(super) fn write(&self, place: &Path, id: Uuid) -> Result<(), BackendError> {
        let path = path_of(place, id);
        let written = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(place)?;
            serde_json::to_writer(&mut file, self)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(place)?.sync_all()
        };
        written().map_err(|error| BackendError::io(&path, error))
    }

    pub(super) fn read(place: &Path, id: Uuid) -> Result<Option<Self>, BackendError> {
        let path = path_of(place, id);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| BackendError::io(path, std::io::Error::from(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BackendError::io(path, error)),
        }
    }

    /// Crosses it out.
    pub(super) fn delete(place: &Path, id: Uuid) -> Result<(), BackendError> {
        let path = path_of(place, id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(BackendError::io(path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
