//! A file that appears under its name only when it is complete, and takes nobody's place unasked.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::cli::{EXIT_ERROR, EXIT_NOT_FOUND, EXIT_REFUSED, Failure};

pub struct Pending {
    path: PathBuf,
    temporary: PathBuf,
    pub out: BufWriter<File>,
    force: bool,
}

impl Pending {
    /// `journal` is what is read: nothing is put into it.
    pub fn begin(path: &Path, force: bool, journal: &Path) -> Result<Pending, Failure> {
        let shown = path.display();
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(Failure::new(EXIT_REFUSED, format!("'{shown}' is no name of a file")));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let directory = parent.canonicalize().map_err(|error| failure(parent, &error))?;
        if journal.canonicalize().is_ok_and(|journal| directory.starts_with(journal)) {
            return Err(Failure::new(
                EXIT_REFUSED,
                format!("{shown} lies in the journal; name another place"),
            ));
        }
        if path.is_dir() {
            return Err(Failure::new(EXIT_REFUSED, format!("{shown} is a directory")));
        }
        if !force && path.exists() {
            return Err(there_already(path));
        }
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = directory.join(hidden);
        let file = File::create_new(&temporary).map_err(|error| failure(&temporary, &error))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        Ok(Pending { path: path.to_owned(), temporary, out, force })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Durable, and then under its name. Returns its length.
    pub fn end(mut self) -> Result<u64, Failure> {
        let written = self.out.flush().and_then(|()| {
            let file = self.out.get_ref();
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let bytes = written.map_err(|error| failure(&self.path, &error))?;
        let placed = if self.force { fs::rename(&self.temporary, &self.path) } else { self.place() };
        placed.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => there_already(&self.path),
            _ => failure(&self.path, &error),
        })?;
        Ok(bytes)
    }

    /// A link, unlike a rename, replaces nothing, whoever came first; where a file system has none, the rename must do.
    fn place(&self) -> io::Result<()> {
        match fs::hard_link(&self.temporary, &self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists && !self.path.exists() => {
                fs::rename(&self.temporary, &self.path)
            }
            placed => placed,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

pub fn failure(path: &Path, error: &io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::NotFound { EXIT_NOT_FOUND } else { EXIT_ERROR };
    Failure::new(code, format!("cannot write {}: {error}", path.display()))
}

fn there_already(path: &Path) -> Failure {
    let text = format!("{} is there already; name another file, or replace it with --force", path.display());
    Failure::new(EXIT_REFUSED, text)
}
