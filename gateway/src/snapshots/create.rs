//! `ballast snapshot create`: tails the journal to D from the newest snapshot that verifies, beside a venue that knows
//! nothing of it, writes what stands there, has a fresh process verify the file, and only then gives it its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::replay::Difference;
use journal::{
    Bookmark, Identity, Limit, Lock, OpenError, ReadError, Reader, SnapshotHead, Watermarks,
    install_snapshot, snapshot_path, snapshot_seqs, snapshots_directory, write_snapshot,
};

use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_NOT_FOUND, EXIT_REFUSED, Failure};
use crate::snapshots::reference::SnapshotReference;
use crate::snapshots::standing::Standing;
use crate::snapshots::verify;

/// What was made, or was there already.
#[derive(Debug)]
pub struct Made {
    pub path: PathBuf,
    pub reference: SnapshotReference,
    pub bytes: u64,
    pub is_new: bool,
    /// The snapshot that the tail was read behind; none if the journal was read from its start.
    pub behind: Option<u64>,
    /// Snapshots that were passed over, and why.
    pub notes: Vec<String>,
}

/// Makes a snapshot of the first group's end that reaches `until_seq` or, without it, what is durable now. `reached` is told
/// how far the tail was read, and how far it goes.
pub fn create(
    directory: &Path,
    until_seq: Option<u64>,
    reached: &mut dyn FnMut(u64, u64),
) -> Result<Made, Failure> {
    let failed = |text: String| Failure::new(EXIT_ERROR, text);
    let identity = journal::load_identity(directory).map_err(open_failure)?;
    let place = snapshots_directory(directory);
    fs::create_dir_all(&place).map_err(|error| failed(format!("{}: {error}", place.display())))?;
    let _lock = Lock::take(&place).map_err(open_failure)?;
    remove_leftovers(&place).map_err(|error| failed(format!("{}: {error}", place.display())))?;

    let durable = Watermarks::open(directory).map_or(0, |marks| marks.durable());
    let target = until_seq.unwrap_or(durable);
    if durable == 0 || target > durable || target == 0 {
        let text = format!(
            "seq {target} of {} is not known to be durable, seq {durable} is; after a restart of the machine start the \
             venue first",
            directory.display()
        );
        return Err(Failure::new(EXIT_REFUSED, text));
    }
    let mut notes = Vec::new();
    let start = newest_up_to(directory, &identity, target, &mut notes)?;
    let behind = start.as_ref().map(|(_, bookmark)| bookmark.seq);
    let (standing, bookmark) = tail(directory, start, target, reached)?;
    if behind == Some(bookmark.seq) {
        return verify::there_already(directory, &identity, bookmark.seq, notes);
    }
    write(directory, &identity, &standing, bookmark, behind, notes)
}

/// What a kill left: nothing refers to it, and whoever makes a snapshot holds the lock.
fn remove_leftovers(place: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The newest snapshot at or below `target` that verifies; those that do not are noted.
fn newest_up_to(
    directory: &Path,
    identity: &Identity,
    target: u64,
    notes: &mut Vec<String>,
) -> Result<Option<(Standing, Bookmark)>, Failure> {
    let seqs = snapshot_seqs(directory)
        .map_err(|error| Failure::new(EXIT_ERROR, format!("cannot list the snapshots: {error}")))?;
    for seq in seqs.into_iter().rev().filter(|seq| *seq <= target) {
        match Standing::load(directory, identity, seq) {
            Ok(found) => return Ok(Some(found)),
            Err(why) => notes.push(format!("the snapshot of seq {seq} is not used: {why}")),
        }
    }
    Ok(None)
}

/// Reads on to the first end of a group that reaches `target`, and compares everything on the way.
fn tail(
    directory: &Path,
    start: Option<(Standing, Bookmark)>,
    target: u64,
    reached: &mut dyn FnMut(u64, u64),
) -> Result<(Standing, Bookmark), Failure> {
    let opened = match &start {
        Some((_, bookmark)) => Reader::open_at(directory, bookmark),
        None => Reader::open(directory),
    };
    let mut reader = opened.map_err(read_failure)?;
    if start.is_none() && reader.position_seq() > 0 {
        let text = format!(
            "{} begins behind seq {}, and no snapshot of it verifies; put one back from a backup into {}",
            directory.display(),
            reader.position_seq(),
            snapshots_directory(directory).display()
        );
        return Err(Failure::new(EXIT_DAMAGED, text));
    }
    let (mut standing, mut end) = match start {
        Some((standing, bookmark)) => (standing, Some(bookmark)),
        None => (Standing::default(), None),
    };
    let mut difference: Option<Difference> = None;
    while standing.engine().last_seq() < target {
        let mut hear = |record: &journal::Record<'_>| {
            standing.hear(record).map_err(|found| difference.insert(found).to_string())
        };
        let read = reader.poll_group(Limit::Durable, u64::MAX, &mut hear);
        if let Some(found) = &difference {
            let text = format!("the journal differs from the replay: {found}");
            return Err(Failure::new(EXIT_DAMAGED, text));
        }
        if !read.map_err(read_failure)? {
            let last = standing.engine().last_seq();
            let text = format!("the journal in {} ends at seq {last}", directory.display());
            return Err(Failure::new(EXIT_DAMAGED, text));
        }
        end = reader.bookmark();
        reached(standing.engine().last_seq(), target);
    }
    standing.finish().map_err(|difference| Failure::new(EXIT_DAMAGED, difference.to_string()))?;
    Ok((standing, end.expect("a target above 0 lies behind a group")))
}

fn write(
    directory: &Path,
    identity: &Identity,
    standing: &Standing,
    bookmark: Bookmark,
    behind: Option<u64>,
    notes: Vec<String>,
) -> Result<Made, Failure> {
    let head = SnapshotHead {
        journal_id: identity.journal_id,
        shard: identity.shard,
        logic_version: identity.logic_version,
        bookmark,
        state_hash: standing.engine().digest(),
    };
    let temporary = snapshot_path(directory, bookmark.seq).with_extension("snap.tmp");
    let failed = |error: std::io::Error| {
        let _ = fs::remove_file(&temporary);
        Failure::new(EXIT_ERROR, format!("{}: {error}", temporary.display()))
    };
    let sections = standing.sections();
    let parts = sections.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()));
    let file_hash = write_snapshot(&temporary, &head, &parts).map_err(failed)?;
    verify_in_a_fresh_process(&temporary)?;
    let bytes = fs::metadata(&temporary).map_err(failed)?.len();
    let path = install_snapshot(directory, &temporary, bookmark.seq).map_err(failed)?;
    let reference = SnapshotReference::new(bookmark.seq, head.state_hash, file_hash);
    Ok(Made { path, reference, bytes, is_new: true, behind, notes })
}

/// Another process has nothing of this one's memory: what it loads, a start can load.
fn verify_in_a_fresh_process(path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::new(EXIT_ERROR, format!("cannot start the verification: {error}"));
    let own = std::env::current_exe().map_err(failed)?;
    let mut verification = Command::new(own);
    verification.args(["snapshot", "verify"]).arg(path).stdin(Stdio::null());
    let done = verification.output().map_err(failed)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let text = format!("{} does not verify, so it was not put in place: {}", path.display(), said.trim());
    Err(Failure::new(EXIT_DAMAGED, text))
}

pub fn open_failure(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::Locked { .. } => EXIT_REFUSED,
        OpenError::NotAJournal { .. } => EXIT_NOT_FOUND,
        OpenError::Damaged(_)
        | OpenError::FileDamaged { .. }
        | OpenError::SegmentMissing { .. }
        | OpenError::IdentityMissing { .. }
        | OpenError::OtherJournal { .. }
        | OpenError::BookmarkRefused { .. } => EXIT_DAMAGED,
        _ => EXIT_ERROR,
    };
    let failure = Failure::new(code, error.to_string());
    if code == EXIT_DAMAGED { failure.reporting(error.report()) } else { failure }
}

fn read_failure(error: ReadError) -> Failure {
    match error {
        ReadError::Open(error) => open_failure(error),
        other => Failure::new(EXIT_DAMAGED, other.to_string()),
    }
}
