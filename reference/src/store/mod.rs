//! The configuration store of MS-FSRVP 3.1.3 and 3.1.4: what was answered with ZERO survives.
//!
//! One redb database, `agent.redb`, in the state directory. A save is one durable transaction
//! that leaves exactly the given sets behind.

use crate::agent::{ShadowCopySet, State};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use unsynced::Unsynced;
use uuid::Uuid;

mod descriptors;
mod unsynced;

/// The database's file in the state directory.
pub const FILE_NAME: &str = "agent.redb";

/// The form of what is stored; another one is refused.
const FORMAT: u64 = 1;

/// Set id, as its 16 bytes in text order, to its place in the order of making and the set as JSON.
const SETS: TableDefinition<'_, [u8; 16], (u64, &[u8])> = TableDefinition::new("sets");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory or the database cannot be opened.
    #[error("{path}: {reason}; name another state directory, or move this file away to begin anew")]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction failed.
    #[error("{path}: {reason}")]
    Transaction {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The open store; there is one for a state directory, redb refuses a second.
#[derive(Debug)]
pub struct Store {
    /// `None` after a failure: redb does nothing more once an access to the file has failed, on a
    /// disk that was full for a moment for example, so it is opened anew.
    database: Mutex<Option<Database>>,
    path: PathBuf,
    syncs: bool,
}

impl Store {
    /// Opens the store of a state directory; makes both where they are missing.
    ///
    /// # Errors
    /// The directory cannot be made, the file is locked, damaged, foreign, or of another form.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        Store::open_with(directory, true)
    }

    /// As [`Store::open`]. Without `syncs` nothing is brought to the disk, for a test that has to
    /// notice.
    pub(crate) fn open_with(directory: &Path, syncs: bool) -> Result<Store, StoreError> {
        let fail = |path: &Path, reason: String| StoreError::Open {
            path: path.to_owned(),
            reason,
        };
        std::fs::create_dir_all(directory).map_err(|error| fail(directory, error.to_string()))?;
        let path = directory.join(FILE_NAME);
        let database = open_checked(&path, syncs).map_err(|reason| fail(&path, reason))?;
        check_format(&database).map_err(|reason| fail(&path, reason))?;
        if syncs {
            sync_names(directory).map_err(|error| fail(directory, error.to_string()))?;
        }
        Ok(Store {
            database: Mutex::new(Some(database)),
            path,
            syncs,
        })
    }

    /// The sets as they were last saved, in the order of their making.
    ///
    /// # Errors
    /// The database cannot be read, or holds what no save has written.
    pub fn load(&self) -> Result<State, StoreError> {
        self.with(read).map_err(|reason| self.failed(reason))
    }

    /// Makes the store hold exactly these sets; when it returns they are on the disk.
    ///
    /// # Errors
    /// The transaction failed, and the store holds what it held before.
    pub fn save(&self, state: &State) -> Result<(), StoreError> {
        self.with(|database| write(database, state))
            .map_err(|reason| self.failed(reason))
    }

    fn failed(&self, reason: String) -> StoreError {
        StoreError::Transaction {
            path: self.path.clone(),
            reason,
        }
    }

    /// Works on the database; opens it anew where something failed before.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, String>) -> Result<T, String> {
        let mut slot = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match slot.take() {
            Some(database) => database,
            None => open_checked(&self.path, self.syncs)?,
        };
        let done = work(&database)?;
        *slot = Some(database);
        Ok(done)
    }
}

/// Writes the form into a new database; compares it in an old one.
fn check_format(database: &Database) -> Result<(), String> {
    let transaction = database.begin_write().map_err(text)?;
    let is_new = transaction.list_tables().map_err(text)?.next().is_none();
    {
        let mut meta = transaction.open_table(META).map_err(text)?;
        let found = meta
            .get(FORMAT_KEY)
            .map_err(text)?
            .map(|value| value.value());
        match found {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(format!("its form is {other}, this program knows {FORMAT}"));
            }
            None if !is_new => return Err("it belongs to another program".to_owned()),
            None => {
                meta.insert(FORMAT_KEY, FORMAT).map_err(text)?;
            }
        }
        transaction.open_table(SETS).map_err(text)?;
    }
    transaction.commit().map_err(text)
}

fn read(database: &Database) -> Result<State, String> {
    let transaction = database.begin_read().map_err(text)?;
    let table = transaction.open_table(SETS).map_err(text)?;
    let mut sets: Vec<(u64, ShadowCopySet)> = Vec::new();
    for row in table.iter().map_err(text)? {
        let (id, value) = row.map_err(text)?;
        let (place, json) = value.value();
        let set = serde_json::from_slice(json)
            .map_err(|error| format!("set {}: {error}", Uuid::from_bytes(id.value())))?;
        sets.push((place, set));
    }
    sets.sort_by_key(|(place, _)| *place);
    Ok(State {
        sets: sets.into_iter().map(|(_, set)| set).collect(),
    })
}

fn write(database: &Database, state: &State) -> Result<(), String> {
    let transaction = database.begin_write().map_err(text)?;
    {
        let mut table = transaction.open_table(SETS).map_err(text)?;
        table.retain(|_, _| false).map_err(text)?;
        for (place, set) in (0u64..).zip(&state.sets) {
            let json = serde_json::to_vec(set).map_err(text)?;
            table
                .insert(set.id.0.into_bytes(), (place, json.as_slice()))
                .map_err(text)?;
        }
    }
    transaction.commit().map_err(text)
}

/// Opens a database, or makes it. redb looks at its checksums only when it is asked to; what it
/// answers besides is whether it had to repair the file.
fn open_checked(path: &Path, syncs: bool) -> Result<Database, String> {
    let open = || {
        let mut database = if syncs {
            Database::create(path).map_err(text)?
        } else {
            let backend = Unsynced::open(path).map_err(text)?;
            let created = Database::builder().create_with_backend(backend);
            created.map_err(text)?
        };
        database.check_integrity().map_err(text)?;
        Ok(database)
    };
    // redb panics over some damaged files. What it has opened and checked is sound.
    std::panic::catch_unwind(open).unwrap_or_else(|_| Err("the database is damaged".to_owned()))
}

/// The names of the state directory and of the database in it survive a power failure too.
fn sync_names(directory: &Path) -> std::io::Result<()> {
    let whole = directory.canonicalize()?;
    for directory in whole.ancestors().take(2) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::{FILE_NAME, FORMAT, FORMAT_KEY, META, SETS, Store};
    use crate::agent::{BackendRef, MappedShare, ShadowCopy, ShadowCopySet, State, Status};
    use fsrvp_wire::fsrvp::{ShadowCopyId, ShadowCopySetId};
    use redb::TableDefinition;
    use uuid::Uuid;

    fn set(number: u128, status: Status) -> ShadowCopySet {
        ShadowCopySet {
            id: ShadowCopySetId(Uuid::from_u128(number)),
            status,
            context: 9,
            copies: vec![ShadowCopy {
                id: ShadowCopyId(Uuid::from_u128(number + 100)),
                volume_name: "volume".to_owned(),
                creation_timestamp: i64::MAX,
                mappings: vec![MappedShare {
                    share_name: r"\\srv\data\".to_owned(),
                    base_name: "data".to_owned(),
                    exposed_name: Some("data@{x}".to_owned()),
                }],
                backend_ref: Some(BackendRef(serde_json::json!({ "path": "/x" }))),
            }],
        }
    }

    #[test]
    fn what_was_saved_is_there_after_reopening_and_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        // The ids are not in the order of making.
        let state = State {
            sets: vec![set(9, Status::Recovered), set(1, Status::Exposed)],
        };
        {
            let store = Store::open(dir.path()).expect("opens");
            assert_eq!(store.load().expect("loads"), State::default());
            store
                .save(&State {
                    sets: vec![set(5, Status::Started)],
                })
                .expect("saves");
            store.save(&state).expect("saves");
        }
        let store = Store::open(dir.path()).expect("opens again");
        assert_eq!(store.load().expect("loads"), state);
    }

    #[test]
    fn after_a_failure_the_store_is_opened_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("opens");
        let state = State {
            sets: vec![set(1, Status::Started)],
        };
        store.save(&state).expect("saves");
        let failed: Result<(), String> = store.with(|_| Err("no room".to_owned()));
        assert!(failed.is_err());
        assert_eq!(store.load().expect("loads"), state);
        store.save(&State::default()).expect("saves");
        assert_eq!(store.load().expect("loads"), State::default());
    }

    #[test]
    fn a_second_owner_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let _first = Store::open(dir.path()).expect("opens");
        let error = Store::open(dir.path()).expect_err("in use").to_string();
        assert!(error.contains(FILE_NAME), "{error}");
    }

    #[test]
    fn a_foreign_file_is_refused_by_name_and_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE_NAME);
        let text = "this is no database\n".repeat(1000);
        std::fs::write(&path, &text).expect("written");
        let error = Store::open(dir.path()).expect_err("foreign").to_string();
        assert!(
            error.contains(FILE_NAME) && error.contains("state directory"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let error = Store::open(std::path::Path::new("/proc/nowhere"))
            .expect_err("no")
            .to_string();
        assert!(error.contains("/proc/nowhere"), "{error}");
    }

    /// Runs a transaction of the test's own on the database's file.
    fn change(dir: &std::path::Path, change: impl FnOnce(&redb::WriteTransaction)) {
        let database = redb::Database::create(dir.join(FILE_NAME)).expect("opens");
        let transaction = database.begin_write().expect("begins");
        change(&transaction);
        transaction.commit().expect("commits");
    }

    #[test]
    fn another_form_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(Store::open(dir.path()).expect("opens"));
        change(dir.path(), |transaction| {
            let mut meta = transaction.open_table(META).expect("a table");
            meta.insert(FORMAT_KEY, FORMAT + 1).expect("inserted");
        });
        let error = Store::open(dir.path()).expect_err("too new").to_string();
        assert!(
            error.contains("its form is 2, this program knows 1"),
            "{error}"
        );
    }

    #[test]
    fn another_programs_database_is_refused_and_left_alone() {
        const OTHER: TableDefinition<'_, &str, u64> = TableDefinition::new("other");
        let dir = tempfile::tempdir().expect("a directory");
        change(dir.path(), |transaction| {
            let mut other = transaction.open_table(OTHER).expect("a table");
            other.insert("x", 1).expect("inserted");
        });
        let error = Store::open(dir.path()).expect_err("foreign").to_string();
        assert!(error.contains("another program"), "{error}");
        change(dir.path(), |transaction| {
            let names: Vec<_> = transaction.list_tables().expect("lists").collect();
            assert_eq!(names.len(), 1, "nothing was added");
        });
    }

    #[test]
    fn a_set_that_no_save_has_written_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(Store::open(dir.path()).expect("opens"));
        change(dir.path(), |transaction| {
            let mut sets = transaction.open_table(SETS).expect("a table");
            let json: &[u8] = br#"{"status":"Dreaming"}"#;
            sets.insert([7; 16], (0, json)).expect("inserted");
        });
        let store = Store::open(dir.path()).expect("opens");
        let error = store.load().expect_err("no set").to_string();
        assert!(
            error.contains("07070707-0707-0707-0707-070707070707"),
            "{error}"
        );
    }

    #[test]
    fn a_byte_that_was_changed_is_an_error_or_no_matter_and_never_another_state() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State {
            sets: (1..9).map(|number| set(number, Status::Exposed)).collect(),
        };
        Store::open(dir.path())
            .and_then(|store| store.save(&state))
            .expect("saves");
        let path = dir.path().join(FILE_NAME);
        let whole = std::fs::read(&path).expect("a file");
        let mut refused = 0;
        // A step that is prime meets every part of every page.
        for at in (0..whole.len()).step_by(1021) {
            let mut changed = whole.clone();
            changed[at] ^= 0xFF;
            std::fs::write(&path, &changed).expect("written");
            match Store::open(dir.path()).and_then(|store| store.load()) {
                Ok(found) => assert_eq!(found, state, "byte {at}"),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(FILE_NAME), "{error}");
                }
            }
        }
        assert!(refused > 0);
    }

    #[test]
    fn a_torn_file_is_an_error_or_what_was_saved_and_never_a_panic() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State {
            sets: (1..40).map(|number| set(number, Status::Exposed)).collect(),
        };
        Store::open(dir.path())
            .and_then(|store| store.save(&state))
            .expect("saves");
        let path = dir.path().join(FILE_NAME);
        let whole = std::fs::read(&path).expect("a file");
        let mut refused = 0;
        for cut in [0, 1, 100, 4096, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).expect("written");
            match Store::open(dir.path()).and_then(|store| store.load()) {
                Ok(found) => assert!(cut == 0 || found == state, "cut to {cut}: {found:?}"),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(FILE_NAME), "{error}");
                }
            }
        }
        assert!(refused > 0);
    }
}
