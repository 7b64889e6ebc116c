//! Backend snapshots that programs of the user's make: the way in for a store of a vendor's own.
//!
//! # What a program is told, and what it answers
//!
//! Each program is run without a shell, in `/`, with no environment but `PATH` and `LC_ALL`. One
//! JSON object comes on its standard input:
//!
//! | key | |
//! | --- | --- |
//! | `action` | `create`, `seal` or `remove` |
//! | `shadow_copy_id` | which one, in lower case |
//! | `source` | the root directory of the share |
//! | `place` | the directory for backend snapshots of this share; nothing in it is visible to clients |
//! | `path` | `create`: where the backend snapshot may be put, which does not exist; else: where it is |
//! | `writable` | `create`: whether the server writes to it until it is sealed |
//! | `handle` | `seal`, `remove`: what `create` answered under that name, or null |
//!
//! Exit status 0 is success. `create` may then print a JSON object with `path`, an absolute
//! directory that shows the files, where that is not the one it was offered; and `handle`, any JSON
//! value. What the others print is ignored. When a program fails, the last line on its standard
//! error goes into the log.
//!
//! - `create` returns when the backend snapshot is whole and on the disk. Writes through the server
//!   wait until then.
//! - `seal` makes it read-only for good, and may be run twice. Without such a program nothing is
//!   run: the server's own gate keeps its clients out in any case.
//! - `remove` deletes it. It may be run twice, and after a `create` that failed, was killed, or was
//!   cut short by a crash of the machine: then `handle` is null, and what there is has to be found
//!   by its id. When there is nothing, that is success.
//! - Who takes longer than the time limit is killed with all processes of its group.
//!
//! What was begun is written down in `<place>/<id>.command` before `create` runs, and is crossed
//! out after `remove`, so that a crash in between leaves nothing behind that nobody knows of.

mod record;
mod run;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BackendError, BackendKind, BackendSnapshot, CreateRequest, ShadowBackend, make_place};
use record::Record;
pub(super) use record::recorded;

/// The programs of the backend `command`, each with its arguments.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Makes a backend snapshot.
    pub create: Vec<String>,
    /// Makes it read-only; nothing to do where it is empty.
    pub seal: Vec<String>,
    /// Deletes it.
    pub remove: Vec<String>,
    /// How long each of them may take.
    pub timeout: Duration,
}

/// Runs [`Programs`]; see the module for what they are told.
#[derive(Debug)]
pub struct CommandBackend {
    programs: Programs,
}

#[derive(Serialize)]
struct Order<'a> {
    action: &'a str,
    shadow_copy_id: Uuid,
    source: &'a Path,
    place: &'a Path,
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    writable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<&'a serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Answer {
    path: Option<PathBuf>,
    #[serde(default)]
    handle: serde_json::Value,
}

impl CommandBackend {
    /// A backend that runs these.
    pub fn new(programs: Programs) -> Self {
        Self { programs }
    }

    fn run(&self, program: &[String], order: &Order<'_>) -> Result<String, BackendError> {
        let input = serde_json::to_vec(order).map_err(|error| {
            // A path that is no UTF-8 has no form in JSON.
            BackendError::unsupported(order.source, error.to_string())
        })?;
        run::run(program, &input, self.programs.timeout)
    }

    fn make(
        &self,
        request: &CreateRequest,
        snapshot: &BackendSnapshot,
    ) -> Result<(), BackendError> {
        let container = snapshot.container();
        let order = Order {
            action: "create",
            shadow_copy_id: request.shadow_copy_id,
            source: &request.source_root,
            place: &request.place,
            path: &container,
            writable: Some(request.writable),
            handle: None,
        };
        let output = self.run(&self.programs.create, &order)?;
        let fail = |reason: String| BackendError::Program {
            program: run::path_of(&self.programs.create),
            reason,
        };
        let answer: Answer = match output.trim() {
            "" => Answer::default(),
            text => serde_json::from_str(text)
                .map_err(|error| fail(format!("what it printed is not its answer: {error}")))?,
        };
        if let Some(path) = answer.path.filter(|path| *path != container) {
            if !path.is_absolute() {
                return Err(fail(format!("the path {} is not absolute", path.display())));
            }
            symlink(&path, &container).map_err(|error| BackendError::io(&container, error))?;
        }
        let real = std::fs::canonicalize(&container)
            .map_err(|error| fail(format!("it made no {}: {error}", container.display())))?;
        if !real.is_dir() {
            return Err(fail(format!("{} is no directory", real.display())));
        }
        let source = std::fs::canonicalize(&request.source_root);
        let source = source.map_err(|error| BackendError::io(&request.source_root, error))?;
        if source.starts_with(&real) {
            return Err(fail(format!("{} shows the share itself", real.display())));
        }
        Record {
            source: request.source_root.clone(),
            handle: answer.handle,
        }
        .write(&request.place, request.shadow_copy_id)
    }

    fn remove(&self, snapshot: &BackendSnapshot, record: &Record) -> Result<(), BackendError> {
        let container = snapshot.container();
        let shown = std::fs::read_link(&container).unwrap_or_else(|_| container.clone());
        let order = Order {
            action: "remove",
            shadow_copy_id: snapshot.shadow_copy_id,
            source: &record.source,
            place: &snapshot.place,
            path: &shown,
            writable: None,
            handle: Some(&record.handle),
        };
        self.run(&self.programs.remove, &order)?;
        if container.is_symlink() {
            std::fs::remove_file(&container)
                .map_err(|error| BackendError::io(&container, error))?;
        } else if container.exists() {
            return Err(BackendError::Program {
                program: run::path_of(&self.programs.remove),
                reason: format!("it succeeded, and {} is still there", container.display()),
            });
        }
        Record::delete(&snapshot.place, snapshot.shadow_copy_id)
    }
}

impl ShadowBackend for CommandBackend {
    fn name(&self) -> &'static str {
        BackendKind::Command.name()
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        std::fs::read_dir(source_root).map_err(|error| BackendError::io(source_root, error))?;
        for program in [&self.programs.create, &self.programs.remove] {
            run::must_be_program(program)?;
        }
        Ok(BackendKind::Command)
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        make_place(&request.place)?;
        let snapshot = BackendSnapshot {
            kind: BackendKind::Command,
            shadow_copy_id: request.shadow_copy_id,
            place: request.place.clone(),
            inside: PathBuf::new(),
        };
        let container = snapshot.container();
        if container.symlink_metadata().is_ok() {
            return Err(BackendError::Exists(container));
        }
        let begun = Record {
            source: request.source_root.clone(),
            handle: serde_json::Value::Null,
        };
        begun.begin(&request.place, request.shadow_copy_id)?;
        request.watch.step("create.begun");
        if let Err(error) = self.make(request, &snapshot) {
            // What was wrong first is what the caller has to know; what could not be removed is
            // still on record.
            let _ = self.remove(&snapshot, &begun);
            return Err(error);
        }
        request.watch.step("create.renamed");
        Ok(snapshot)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        let container = snapshot.container();
        let record = Record::read(&snapshot.place, snapshot.shadow_copy_id)?
            .ok_or_else(|| BackendError::NotMine(container.clone()))?;
        if self.programs.seal.is_empty() {
            return Ok(());
        }
        let shown = std::fs::read_link(&container).unwrap_or(container);
        let order = Order {
            action: "seal",
            shadow_copy_id: snapshot.shadow_copy_id,
            source: &record.source,
            place: &snapshot.place,
            path: &shown,
            writable: None,
            handle: Some(&record.handle),
        };
        self.run(&self.programs.seal, &order).map(drop)
    }

    fn seals_on_disk(&self, _snapshot: &BackendSnapshot) -> bool {
        // Nobody here knows what the program does.
        false
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        match Record::read(&snapshot.place, snapshot.shadow_copy_id)? {
            Some(record) => self.remove(snapshot, &record),
            None if snapshot.container().symlink_metadata().is_ok() => {
                Err(BackendError::NotMine(snapshot.container()))
            }
            None => Ok(()),
        }
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        recorded(place)
    }

    fn delete_unfinished(&self, _place: &Path) -> Result<usize, BackendError> {
        // What was begun is on record, and so in the list.
        Ok(0)
    }
}
