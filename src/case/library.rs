//! All cases, built in or from a folder, with the catalogue they refer to.

use crate::case::known::KnownDeviations;
use crate::case::{Case, file};
use crate::requirement::{Catalogue, FileError, embedded};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Files in `cases/` that are no cases.
const NO_CASES: [&str; 2] = ["known", "targets"];
/// The longest case file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why cases could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file says something wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file or folder could not be read.
    #[error("{path}: {source}")]
    Io {
        /// What was to be read.
        path: String,
        /// Why it could not be.
        source: io::Error,
    },
    /// A folder holds no case.
    #[error("{0}: holds no case: cases are TOML files in a folder for each topic")]
    Empty(String),
}

/// The catalogue of requirements and the cases that refer to it.
#[derive(Debug, Clone)]
pub struct Library {
    /// The requirements.
    pub catalogue: Catalogue,
    /// The cases, in the order of their ids.
    pub cases: Vec<Case>,
    /// The text of each case, by its id.
    texts: BTreeMap<String, String>,
    /// Whether the cases are other ones than those that are built in.
    is_custom: bool,
}

impl Library {
    /// The cases that are built into the program.
    ///
    /// # Errors
    /// None for a program whose tests passed: they read these very texts.
    pub fn built_in() -> Result<Library, LoadError> {
        let files = embedded::FILES.iter().map(|(path, text)| {
            (
                (*path).to_owned(),
                format!("cases/{path}"),
                (*text).to_owned(),
            )
        });
        Library::from_files(Catalogue::built_in()?, files)
    }

    /// The cases below `dir`. A `requirements.toml` there takes the place of the built-in one.
    ///
    /// # Errors
    /// What could not be read, or the first thing that is wrong, with file and line.
    pub fn from_dir(dir: &Path) -> Result<Library, LoadError> {
        let mut paths = Vec::new();
        walk(dir, &mut paths)?;
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let name = path.strip_prefix(dir).unwrap_or(&path);
            let name = name.to_string_lossy().replace('\\', "/");
            files.push((name, path.display().to_string(), read_text(&path)?));
        }
        let catalogue = match files.iter().find(|(name, ..)| name == "requirements.toml") {
            Some((_, file, text)) => Catalogue::read(file, text)?,
            None => Catalogue::built_in()?,
        };
        let mut library = Library::from_files(catalogue, files.into_iter())?;
        library.is_custom = true;
        if library.cases.is_empty() {
            return Err(LoadError::Empty(dir.display().to_string()));
        }
        Ok(library)
    }

    fn from_files(
        catalogue: Catalogue,
        files: impl Iterator<Item = (String, String, String)>,
    ) -> Result<Library, LoadError> {
        let mut cases = Vec::new();
        let mut texts = BTreeMap::new();
        for (name, file, text) in files {
            let Some(id) = name.strip_suffix(".toml") else {
                continue;
            };
            let is_case = id
                .split_once('/')
                .is_some_and(|(topic, _)| !NO_CASES.contains(&topic));
            if is_case {
                cases.push(file::read(id, &file, &text, &catalogue)?);
                texts.insert(id.to_owned(), text);
            }
        }
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Library {
            catalogue,
            cases,
            texts,
            is_custom: false,
        })
    }

    /// The text of a case's file.
    #[must_use]
    pub fn text_of(&self, case: &str) -> Option<&str> {
        self.texts.get(case).map(String::as_str)
    }

    /// The case of one text, that refers to these requirements. `file` is its name in errors.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read_case(&self, id: &str, file: &str, text: &str) -> Result<Case, LoadError> {
        Ok(file::read(id, file, text, &self.catalogue)?)
    }

    /// The list of known deviations that a target names: a built-in name, or a path relative to
    /// the folder `beside`. An entry about nothing that these cases judge is an error; of a built-in
    /// list it is passed over when the cases are other ones.
    ///
    /// # Errors
    /// A name that is not built in and no file, or the first thing that is wrong with the list.
    pub fn known(&self, name: &str, beside: &Path) -> Result<KnownDeviations, LoadError> {
        let (file, list) = self.known_alone(name, beside)?;
        let Some(extends) = list.extends() else {
            return Ok(list);
        };
        let (_, other) = self.known_alone(&extends.list, beside)?;
        let error = |what| FileError::new(&file, 0, what);
        if other.extends().is_some() {
            let what = format!("extends: {} itself extends another list", extends.list);
            return Err(error(what).into());
        }
        Ok(list.behind(&other).map_err(error)?)
    }

    /// A list, without the one that it goes on from, and the name of its file.
    fn known_alone(
        &self,
        name: &str,
        beside: &Path,
    ) -> Result<(String, KnownDeviations), LoadError> {
        let inside = format!("known/{name}.toml");
        let (catalogue, cases) = (&self.catalogue, &self.cases);
        if let Some(text) = embedded::text(&inside) {
            let file = format!("cases/{inside}");
            let list = match self.is_custom {
                true => KnownDeviations::read_what_applies(&file, text, catalogue, cases)?,
                false => KnownDeviations::read(&file, text, catalogue, cases)?,
            };
            return Ok((file, list));
        }
        let path = beside.join(name);
        let text = read_text(&path)?;
        let file = path.display().to_string();
        let list = KnownDeviations::read(&file, &text, catalogue, cases)?;
        Ok((file, list))
    }
}

/// The text of a file that is not too long.
fn read_text(path: &Path) -> Result<String, LoadError> {
    let fail = |source| LoadError::Io {
        path: path.display().to_string(),
        source,
    };
    let length = fs::metadata(path).map_err(fail)?.len();
    if length > FILE_BYTES_MAX {
        let what = format!("longer than {FILE_BYTES_MAX} bytes");
        return Err(fail(io::Error::other(what)));
    }
    fs::read_to_string(path).map_err(fail)
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let fail = |source| LoadError::Io {
        path: dir.display().to_string(),
        source,
    };
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        // A link is not followed: it could lead in a circle.
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            walk(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    Ok(())
}
