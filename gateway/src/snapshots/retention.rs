//! What of the journal may go: the floor below which nobody needs a segment any more, who holds it there, and the removal.
//! A segment that anybody may need stays; in doubt everything stays.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use journal::{Cursor, Identity, Position, SnapshotHead, cursors, snapshot_path};

/// An operator who makes this file in the journal's directory keeps everything, as long as it is there.
pub const HOLD: &str = "hold";
/// Snapshots that must be verified and recorded before anything goes: one to start from, one to fall back on.
pub const SNAPSHOTS_MIN: usize = 2;

/// How much an operator wants to keep, and where what goes is copied to first.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Sealed segments that stay although nobody needs them. None keeps everything.
    pub keep_segments: Option<u64>,
    pub archive: Option<PathBuf>,
}

/// The first segment that somebody needs, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    pub segment: u64,
    pub held_by: String,
}

impl Floor {
    fn everything(held_by: impl Into<String>) -> Floor {
        Floor { segment: 0, held_by: held_by.into() }
    }

    fn lower(&mut self, segment: u64, held_by: impl FnOnce() -> String) {
        if segment < self.segment {
            *self = Floor { segment, held_by: held_by() };
        }
    }
}

/// The least of: the second newest snapshot among `recorded`, every consumer's cursor, what the policy keeps behind the
/// segment that is written, and the operator's hold.
pub fn floor(
    directory: &Path,
    identity: &Identity,
    policy: &Policy,
    recorded: &[u64],
    active_segment: u64,
) -> io::Result<Floor> {
    let Some(keep) = policy.keep_segments else {
        return Ok(Floor::everything("[journal] keep_segments, which is not set"));
    };
    if directory.join(HOLD).exists() {
        return Ok(Floor::everything(format!("the operator's {}", directory.join(HOLD).display())));
    }
    let Some(seq) = recorded.iter().rev().nth(SNAPSHOTS_MIN - 1) else {
        return Ok(Floor::everything("that there are not two snapshots in the journal's record"));
    };
    let Ok(head) = SnapshotHead::load(&snapshot_path(directory, *seq)) else {
        return Ok(Floor::everything(format!("the snapshot of seq {seq}, which does not verify")));
    };
    let segment = head.bookmark.position.segment();
    let mut floor = Floor { segment, held_by: format!("the snapshot of seq {seq}") };
    floor.lower(active_segment.saturating_sub(keep), || format!("[journal] keep_segments = {keep}"));
    for Cursor { name, bookmark, .. } in cursors(directory, &identity.journal_id)? {
        let segment = bookmark.map_or(0, |bookmark| bookmark.position.segment());
        floor.lower(segment, || format!("the cursor of {name}"));
    }
    Ok(floor)
}

/// Copies what goes to the archive, if there is one, and removes it; returns how many segments went.
pub fn remove(directory: &Path, identity: &Identity, policy: &Policy, floor: &Floor) -> Result<u64, String> {
    let held = journal::segments(directory, identity).map_err(|error| error.to_string())?;
    let going: Vec<u64> = held.into_iter().filter(|number| *number < floor.segment).collect();
    if going.is_empty() {
        return Ok(0);
    }
    if let Some(archive) = &policy.archive {
        for number in &going {
            let path = journal::segment_path(directory, *number);
            keep_copy(&path, archive).map_err(|error| {
                format!("{} cannot be archived in {}: {error}", path.display(), archive.display())
            })?;
        }
    }
    journal::remove_segments_below(directory, identity, floor.segment).map_err(|error| error.to_string())
}

/// A copy that was read back and has the hash of what it was made from. One that is there already is only compared.
fn keep_copy(path: &Path, archive: &Path) -> io::Result<()> {
    let name = path.file_name().expect("a segment has a name");
    let (copy, temporary) = (archive.join(name), archive.join(name).with_extension("seg.tmp"));
    fs::create_dir_all(archive)?;
    let due = hash(path)?;
    if copy.exists() {
        return if hash(&copy)? == due { Ok(()) } else { Err(io::Error::other("another file has its name")) };
    }
    fs::copy(path, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    if hash(&temporary)? != due {
        return Err(io::Error::other("the copy has another hash"));
    }
    fs::rename(&temporary, &copy)?;
    File::open(archive)?.sync_all()
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize())
}

/// How far each consumer is behind `end`, in bytes of the journal, whose segments have `segment_bytes`.
pub fn behind(cursors: &[Cursor], end: Position, segment_bytes: u64) -> Vec<(String, u64)> {
    let place = |position: Position| position.segment() * segment_bytes + position.offset();
    let at = |cursor: &Cursor| cursor.bookmark.map_or(0, |bookmark| place(bookmark.position));
    cursors.iter().map(|cursor| (cursor.name.to_string(), place(end).saturating_sub(at(cursor)))).collect()
}
