//! `DIR/venue.id`: which journal this directory has, kept beside it. A journal that was deleted or not mounted must not look
//! like a new venue, for a new venue would hand out its deposits again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::config::to_hex;
use crate::recovery::{StartError, start_error};

const FILE: &str = "venue.id";

fn known(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join(FILE)).ok().map(|text| text.trim().to_string())
}

fn of_journal(journal: &Path) -> Result<String, StartError> {
    let identity = journal::load_identity(journal).map_err(start_error)?;
    Ok(to_hex(&identity.journal_id))
}

/// There is no journal: then there must never have been one.
pub fn refuse_if_known(directory: &Path, journal: &Path) -> Result<(), StartError> {
    known(directory).map_or(Ok(()), |id| {
        let text = format!(
            "{} says that this venue has journal {id}, but {} holds none; mount or restore it (to start another venue, \
             use another directory)",
            directory.join(FILE).display(),
            journal.display()
        );
        Err(StartError::refused("journal_missing", journal, text))
    })
}

/// There is a journal: it must be the one that this directory had before.
pub fn check(directory: &Path, journal: &Path) -> Result<(), StartError> {
    let Some(id) = known(directory) else { return Ok(()) };
    let found = of_journal(journal)?;
    if id == found {
        return Ok(());
    }
    let text = format!(
        "{} names journal {id}, but {} holds journal {found}; put the right one back",
        directory.join(FILE).display(),
        journal.display()
    );
    Err(StartError::refused("other_journal", journal, text))
}

/// From the first start on, before anything is acknowledged.
pub fn keep(directory: &Path, journal: &Path) -> Result<(), StartError> {
    if known(directory).is_some() {
        return Ok(());
    }
    let path = directory.join(FILE);
    let id = of_journal(journal)?;
    let written = File::create(&path).and_then(|mut file| {
        writeln!(file, "{id}")?;
        file.sync_all()
    });
    written
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(|error| StartError::Other(format!("{}: {error}", path.display())))
}
