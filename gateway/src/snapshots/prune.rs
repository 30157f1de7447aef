//! `ballast snapshot prune` and `forget`: what the keeper of a running venue does by itself, done by hand while no venue runs,
//! and the removal of a consumer that will not come back. Both take the right to write, so a running venue refuses them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use journal::{
    CursorName, Identity, Kind, Lock, Record, load_cursor, remove_cursor, remove_snapshot, snapshot_path,
    snapshot_seqs, snapshots_directory, survey_from,
};

use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_NOT_FOUND, EXIT_REFUSED, Failure};
use crate::snapshots::create::open_failure;
use crate::snapshots::reference::SnapshotReference;
use crate::snapshots::retention::{self, Floor, Policy, SNAPSHOTS_MIN};
use crate::snapshots::verify;

/// Where it is written down that a consumer was given up.
pub const FORGOTTEN: &str = "forgotten.log";

/// What went, and what held the rest.
pub struct Pruned {
    pub snapshots: Vec<u64>,
    pub segments: u64,
    pub floor: Floor,
}

/// Removes the snapshots beyond the newest `keep` that verify and, if the policy says so, the segments that nobody needs.
pub fn prune(directory: &Path, keep: usize, policy: &Policy) -> Result<Pruned, Failure> {
    if keep < SNAPSHOTS_MIN {
        return Err(Failure::new(EXIT_REFUSED, "at least 2 snapshots are kept: one to fall back on"));
    }
    let _right = Lock::take(directory).map_err(open_failure)?;
    let identity = journal::load_identity(directory).map_err(open_failure)?;
    let _maker = Lock::take(&snapshots_directory(directory)).map_err(open_failure)?;
    let failed = |error: std::io::Error| Failure::new(EXIT_ERROR, error.to_string());
    let seqs = snapshot_seqs(directory).map_err(failed)?;
    let is_good = |seq: &u64| verify::file(&snapshot_path(directory, *seq), Some(&identity)).verdict.is_ok();
    let good: Vec<u64> = seqs.iter().copied().filter(is_good).collect();
    let mut pruned = Vec::new();
    if let Some(from) = good.len().checked_sub(keep) {
        for seq in seqs.into_iter().filter(|seq| *seq < good[from]) {
            remove_snapshot(directory, seq).map_err(failed)?;
            pruned.push(seq);
        }
    }
    let (recorded, active) = recorded(directory, &identity, &good)?;
    let floor = retention::floor(directory, &identity, policy, &recorded, active).map_err(failed)?;
    let segments = retention::remove(directory, &identity, policy, &floor)
        .map_err(|text| Failure::new(EXIT_ERROR, text))?;
    Ok(Pruned { snapshots: pruned, segments, floor })
}

/// Which of the newest two good snapshots the journal says were verified, and the last segment with data.
fn recorded(directory: &Path, identity: &Identity, good: &[u64]) -> Result<(Vec<u64>, u64), Failure> {
    let oldest = good.iter().rev().nth(SNAPSHOTS_MIN - 1).or(good.first());
    let Some(seq) = oldest else { return Ok((Vec::new(), 0)) };
    let snapshot = journal::load_snapshot(directory, identity, *seq)
        .map_err(|fault| Failure::new(EXIT_DAMAGED, fault.to_string()))?;
    let mut recorded = Vec::new();
    let mut hear = |record: &Record<'_>| {
        if record.kind == Kind::SnapshotRef {
            recorded.extend(SnapshotReference::read(record.payload).map(|reference| reference.seq()));
        }
        Ok(())
    };
    let found = survey_from(directory, None, Some(&snapshot.head.bookmark), &mut hear);
    let active = found.map_err(open_failure)?.end.segment();
    recorded.retain(|seq| good.contains(seq));
    recorded.sort_unstable();
    recorded.dedup();
    Ok((recorded, active))
}

/// A consumer whose cursor moved in this time may well be running.
const RECENT: Duration = Duration::from_secs(60);

/// Removes a consumer's cursor, and writes down that it was done and why. What comes back says so where the consumer may be
/// running: nothing tells for sure, and it registers anew whenever it keeps what it has done.
pub fn forget(directory: &Path, name: &str, reason: &str) -> Result<Option<String>, Failure> {
    let identity = journal::load_identity(directory).map_err(open_failure)?;
    let unknown =
        || Failure::new(EXIT_NOT_FOUND, format!("there is no cursor '{name}' in {}", directory.display()));
    let name = CursorName::new(name).ok_or_else(unknown)?;
    let failed = |error: std::io::Error| Failure::new(EXIT_ERROR, error.to_string());
    let cursor = load_cursor(directory, &identity.journal_id, &name).map_err(failed)?.ok_or_else(unknown)?;
    let at = cursor
        .bookmark
        .map_or("an unreadable place".into(), |at| format!("seq {} at {}", at.seq, at.position));
    let when = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let path = directory.join(FORGOTTEN);
    let mut record = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    let reason = reason.replace(['\n', '\r'], " ");
    writeln!(record, "{when} {name} at {at}: {reason}").map_err(failed)?;
    record.sync_all().and_then(|()| File::open(directory)?.sync_all()).map_err(failed)?;
    remove_cursor(directory, &name).map_err(failed)?;
    let moved = SystemTime::UNIX_EPOCH + Duration::from_nanos(cursor.updated_ns);
    Ok(warning(&name, SystemTime::now().duration_since(moved).unwrap_or_default()))
}

fn warning(name: &CursorName, ago: Duration) -> Option<String> {
    (ago < RECENT).then(|| {
        let seconds = ago.as_secs();
        format!("{name} moved its cursor {seconds} s ago; if it runs, stop it, or it is back as soon as it moves it again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cursor_that_moved_in_the_last_minute_may_be_of_a_consumer_that_runs() {
        let bridge = CursorName::new("bridge").expect("legal");
        let told = warning(&bridge, Duration::from_millis(59_999)).expect("it may run");
        assert!(told.starts_with("bridge moved its cursor 59 s ago"), "{told}");
        assert_eq!(warning(&bridge, RECENT), None);
    }
}
