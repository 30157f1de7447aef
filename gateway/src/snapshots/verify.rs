//! `ballast snapshot verify` and `ls`: what stands in `snap/`, and whether it is worth anything. Reads only.

use std::path::{Path, PathBuf};

use journal::{Identity, Snapshot, snapshot_path, snapshot_seqs, snapshots_directory};

use crate::cli::{EXIT_ERROR, EXIT_NOT_FOUND, Failure};
use crate::snapshots::create::Made;
use crate::snapshots::reference::SnapshotReference;
use crate::snapshots::standing::Standing;

/// A file, and what became of loading it.
pub struct Seen {
    pub path: PathBuf,
    pub verdict: Result<Verified, String>,
}

/// A snapshot that a process could go on from.
pub struct Verified {
    pub reference: SnapshotReference,
    pub bytes: u64,
}

/// Loads a snapshot as a start would: every byte, the state's digest, and its bytes written again.
pub fn file(path: &Path, identity: Option<&Identity>) -> Seen {
    let judge = || {
        let snapshot = Snapshot::load(path).map_err(|fault| fault.to_string())?;
        if let Some(identity) = identity {
            snapshot.head.check_belongs(identity).map_err(|fault| fault.to_string())?;
        }
        let standing = Standing::restore(&snapshot)?;
        for (name, bytes) in standing.sections() {
            if snapshot.section(name) != Some(&bytes) {
                return Err(format!("its section '{name}' is written again with other bytes"));
            }
        }
        Ok(of(&snapshot))
    };
    Seen { path: path.to_owned(), verdict: judge() }
}

fn of(snapshot: &Snapshot) -> Verified {
    let head = &snapshot.head;
    let reference = SnapshotReference::new(head.bookmark.seq, head.state_hash, snapshot.file_hash);
    Verified { reference, bytes: snapshot.bytes() as u64 }
}

/// The identity of the journal that a snapshot's file stands in; none if it stands elsewhere.
pub fn journal_around(path: &Path) -> Option<Identity> {
    let place = path.parent()?;
    let directory = place.parent()?;
    (place == snapshots_directory(directory)).then(|| journal::load_identity(directory).ok()).flatten()
}

/// Every snapshot of a journal by its seq, oldest first.
pub fn paths(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let seqs = snapshot_seqs(directory).map_err(|error| {
        Failure::new(EXIT_ERROR, format!("{}: {error}", snapshots_directory(directory).display()))
    })?;
    Ok(seqs.into_iter().map(|seq| snapshot_path(directory, seq)).collect())
}

pub fn none_found(directory: &Path) -> Failure {
    let text = format!("{} holds no snapshot", snapshots_directory(directory).display());
    Failure::new(EXIT_NOT_FOUND, text)
}

/// Nothing came since the newest snapshot: it is the one that was asked for.
pub fn there_already(
    directory: &Path,
    identity: &Identity,
    seq: u64,
    notes: Vec<String>,
) -> Result<Made, Failure> {
    let path = snapshot_path(directory, seq);
    let snapshot = journal::load_snapshot(directory, identity, seq)
        .map_err(|fault| Failure::new(EXIT_ERROR, format!("{}: {fault}", path.display())))?;
    let Verified { reference, bytes } = of(&snapshot);
    Ok(Made { path, reference, bytes, is_new: false, behind: Some(seq), notes })
}
