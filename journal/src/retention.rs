//! Which segments may go, and how they go: the base first, then the files. Knows places, not who needs them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base;
use crate::bookmark::Bookmark;
use crate::directory;
use crate::error::OpenError;
use crate::identity::Identity;
use crate::scan::{tail_of_sealed, verify_group};
use crate::segment::{
    Layout, PAGE_BYTES, SEGMENT_FIRST, check_belongs, find_header, header_of_shortened, lengthen,
};

/// The numbers of the segments that are there and belong to the journal, ascending: what an interrupted removal left is
/// not among them.
pub fn segments(directory: &Path, identity: &Identity) -> Result<Vec<u64>, OpenError> {
    let first = first_segment(directory, identity)?;
    let numbers = directory::segment_numbers(directory)
        .map_err(|error| OpenError::io("list the segments", directory, error))?;
    Ok(numbers.into_iter().filter(|number| *number >= first).collect())
}

/// The file of a segment.
pub fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory::segment_path(directory, number)
}

fn first_segment(directory: &Path, identity: &Identity) -> Result<u64, OpenError> {
    let base = base::load(directory, &identity.journal_id)?;
    Ok(base.map_or(SEGMENT_FIRST, |base| base.position.segment()))
}

/// Makes `first` the journal's first segment and removes those below; returns how many went. Only for whoever has the
/// right to write. The segment before `first` must be sealed and `first` must hold a group that follows it, so that the
/// base is known to be right before anything is gone.
pub fn remove_segments_below(directory: &Path, identity: &Identity, first: u64) -> Result<u64, OpenError> {
    let held = segments(directory, identity)?;
    if held.first().is_none_or(|oldest| *oldest >= first) {
        return Ok(0);
    }
    let before = Loaded::read(directory, identity, first - 1)?;
    let kept = Loaded::read(directory, identity, first)?;
    let damaged = |loaded: &Loaded| OpenError::FileDamaged {
        path: directory::segment_path(directory, loaded.layout.segment),
    };
    let tail = tail_of_sealed(&before.bytes, &before.layout).ok_or_else(|| damaged(&before))?;
    let start = kept.layout.data_start;
    verify_group(&kept.bytes, &kept.layout, start as usize, &tail).map_err(|_| damaged(&kept))?;
    let failed = |error| OpenError::io("move the journal's base", directory, error);
    let base = Bookmark::new(kept.layout.position(start), &tail);
    base::install(directory, identity.journal_id, &base).map_err(failed)?;
    base::remove_below(directory, first).map_err(failed)
}

/// A whole segment in memory.
pub(crate) struct Loaded {
    pub bytes: Vec<u8>,
    pub layout: Layout,
}

impl Loaded {
    pub fn read(directory: &Path, identity: &Identity, number: u64) -> Result<Loaded, OpenError> {
        let path = directory::segment_path(directory, number);
        let bytes = fs::read(&path).map_err(|error| OpenError::io("read the segment", &path, error))?;
        Loaded::of(bytes, path, identity, number)
    }

    /// The same of a file that may end before its segment does: the rest is nothing.
    pub fn read_lengthened(directory: &Path, identity: &Identity, number: u64) -> Result<Loaded, OpenError> {
        let path = directory::segment_path(directory, number);
        let mut bytes = fs::read(&path).map_err(|error| OpenError::io("read the segment", &path, error))?;
        if let Some(header) = header_of_shortened(&bytes) {
            lengthen(&mut bytes, &header);
        }
        Loaded::of(bytes, path, identity, number)
    }

    fn of(bytes: Vec<u8>, path: PathBuf, identity: &Identity, number: u64) -> Result<Loaded, OpenError> {
        if bytes.len() < 2 * PAGE_BYTES {
            return Err(OpenError::FileDamaged { path });
        }
        let header = find_header(&bytes[..PAGE_BYTES], &bytes[bytes.len() - PAGE_BYTES..], &path)?.header;
        check_belongs(&header, identity, number, bytes.len() as u64, &path)?;
        Ok(Loaded { layout: header.layout(), bytes })
    }
}
