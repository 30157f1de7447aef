//! One life of a journal on a disk that may fail at any moment, in a process of its own: recovers what is there and compares
//! all of it, says what it found, then writes groups, cursors and snapshots, and says of each when it is promised. Commands
//! are a function of their seq, so whoever reads them later needs no memory of them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use journal::{
    BackEnd, Bookmark, CursorName, Identity, Kind, Limit, OpenError, Options, Reader, Record, SnapshotHead,
    Writer,
};
use tests::workload::Draw;

/// After so many groups a life ends by itself.
const GROUPS: u64 = 800;
const SNAPSHOTS_KEPT: usize = 3;

pub fn main(directory: &str, back_end: &str, seed: &str) -> ExitCode {
    let back_end = back_end.parse().expect("a back end");
    let seed = seed.parse().expect("a number");
    match live(Path::new(directory), back_end, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed {error}"));
            ExitCode::from(6)
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone has no questions.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

pub fn identity() -> Identity {
    Identity { journal_id: *b"a disk that fail", shard: 1, config_hash: [3; 32], logic_version: 1 }
}

fn bridge() -> CursorName {
    CursorName::new("bridge").expect("legal")
}

/// The payload of a command's record; events have a sub above 0.
fn payload(seq: u64, sub: u32) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seq.to_le_bytes()).update(&sub.to_le_bytes());
    let mut bytes = vec![0; (seq * 37 + u64::from(sub) * 11) as usize % 300];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn events(seq: u64) -> u32 {
    (seq % 4) as u32
}

pub fn append(writer: &mut Writer, seq: u64) -> Result<(), String> {
    for sub in 0..=events(seq) {
        let kind = if sub == 0 { Kind::Command } else { Kind::Event };
        let payload = payload(seq, sub);
        let record = Record { seq, ts_ns: seq * 10, kind, version: 1, flags: 0, sub, payload: &payload };
        writer.append(&record).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Knows each record that may come next; the first may be any command's.
#[derive(Default)]
struct Oracle {
    seq: u64,
    sub: u32,
}

impl Oracle {
    fn check(&mut self, record: &Record<'_>) -> Result<(), String> {
        if self.seq == 0 {
            (self.seq, self.sub) = (record.seq, 0);
        } else if self.sub == events(self.seq) {
            (self.seq, self.sub) = (self.seq + 1, 0);
        } else {
            self.sub += 1;
        }
        let due = (self.seq, self.seq * 10, self.sub, payload(self.seq, self.sub));
        let found = (record.seq, record.ts_ns, record.sub, record.payload.to_vec());
        if found == due { Ok(()) } else { Err(format!("due {due:?}, found {found:?}")) }
    }

    fn is_whole(&self) -> bool {
        self.seq == 0 || self.sub == events(self.seq)
    }
}

fn live(directory: &Path, back_end: BackEnd, seed: u64) -> Result<(), String> {
    let mut draw = Draw::new(seed);
    let options = Options { segment_bytes: 128 << 10, group_alignment: 4096, back_end };
    if draw.one_in(3) {
        prune(directory)?;
    }
    let mut writer = open(directory, &options)?;
    let (mut seq, _) = writer.last();
    let cursor = journal::load_cursor(directory, &identity().journal_id, &bridge()).map_err(shown)?;
    let cursor = cursor.map_or(Ok(0), |cursor| {
        cursor.bookmark.map(|bookmark| bookmark.seq).ok_or("the cursor does not verify")
    })?;
    let mut snapshots = journal::snapshot_seqs(directory).map_err(shown)?;
    for seq in &snapshots {
        journal::load_snapshot(directory, &identity(), *seq).map_err(shown)?;
    }
    say(&format!("recovered {seq} {cursor} {}", snapshots.iter().max().unwrap_or(&0)));
    for group in 1..=GROUPS {
        let commands = 1 + draw.below(6);
        say(&format!("begun {}", seq + commands));
        for _ in 0..commands {
            seq += 1;
            append(&mut writer, seq)?;
        }
        writer.close_group().map_err(shown)?;
        if draw.one_in(3) {
            continue;
        }
        say(&format!("durable {}", writer.sync().map_err(shown)?));
        if group % 16 == 0 {
            let bookmark = bookmark(directory)?;
            journal::store_cursor(directory, identity().journal_id, &bridge(), &bookmark).map_err(shown)?;
            say(&format!("cursor {}", bookmark.seq));
        }
        if group % 40 == 0 {
            let made = snapshot(directory)?;
            say(&format!("snapshot {made}"));
            snapshots.push(made);
            if snapshots.len() > SNAPSHOTS_KEPT {
                journal::remove_snapshot(directory, snapshots.remove(0)).map_err(shown)?;
            }
        }
    }
    writer.close().map_err(shown)?;
    say(&format!("durable {seq}"));
    Ok(())
}

fn shown(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn open(directory: &Path, options: &Options) -> Result<Writer, String> {
    let mut oracle = Oracle::default();
    match Writer::open(directory, Some(&identity()), options, &mut |record| oracle.check(record)) {
        Ok((writer, recovery)) => {
            let is_prefix = oracle.is_whole() && (oracle.seq == recovery.last_seq || oracle.seq == 0);
            is_prefix.then_some(writer).ok_or_else(|| format!("it ends inside command {}", oracle.seq))
        }
        Err(OpenError::NotAJournal { .. }) => Writer::create(directory, &identity(), options).map_err(shown),
        Err(error) => Err(shown(error)),
    }
}

/// What a venue would let go of: everything below the cursor's segment.
fn prune(directory: &Path) -> Result<(), String> {
    if !directory.join("journal.id").exists() {
        return Ok(());
    }
    let cursor = journal::load_cursor(directory, &identity().journal_id, &bridge()).map_err(shown)?;
    let Some(bookmark) = cursor.and_then(|cursor| cursor.bookmark) else { return Ok(()) };
    journal::remove_segments_below(directory, &identity(), bookmark.position.segment()).map_err(shown)?;
    Ok(())
}

/// The end of what is durable, as a reader finds it.
fn bookmark(directory: &Path) -> Result<Bookmark, String> {
    let mut reader = Reader::open(directory).map_err(shown)?;
    let mut oracle = Oracle::default();
    while reader.poll(Limit::Durable, 1_000, &mut |record| oracle.check(record)).map_err(shown)? > 0 {}
    reader.bookmark().ok_or_else(|| "nothing is durable".into())
}

fn snapshot(directory: &Path) -> Result<u64, String> {
    let bookmark = bookmark(directory)?;
    let making = journal::snapshot_path(directory, bookmark.seq).with_extension("snap.tmp");
    fs::create_dir_all(journal::snapshots_directory(directory)).map_err(shown)?;
    let Identity { journal_id, shard, logic_version, .. } = identity();
    let head = SnapshotHead { journal_id, shard, logic_version, bookmark, state_hash: [1; 32] };
    let state = payload(bookmark.seq, 7).repeat(30);
    journal::write_snapshot(&making, &head, &[("engine", &state)]).map_err(shown)?;
    journal::install_snapshot(directory, &making, bookmark.seq).map_err(shown)?;
    Ok(bookmark.seq)
}
