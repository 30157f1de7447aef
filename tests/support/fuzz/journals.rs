//! Any change to the files of a journal: refused with a reason, or every record that is handed out is the one that was
//! written under its seq. `segments` changes frames, groups and headers, `names` the small files beside them.
//!
//! An input is a list of changes, `file u8 | flags u8 | offset u16 | count u8 | bytes`. Flags: 1 gives the frame that was
//! changed, or the small file, the checksum that its bytes call for; 2 puts the offset into the second half of the file;
//! 4 cuts the file there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use journal::{
    CursorName, Identity, Kind, Limit, Options, Reader as Follower, Record, Snapshot, SnapshotHead, Writer,
};
use tempfile::TempDir;

use super::Reader;
use crate::tier::scratch;

const CHECKSUM_BYTES: usize = 32;
const IDENTITY: Identity =
    Identity { journal_id: *b"of the fuzz test", shard: 3, config_hash: [7; 32], logic_version: 1 };

/// A journal that stays as it is between inputs.
struct Fixture {
    home: TempDir,
    /// The files that inputs name, in order.
    files: Vec<(PathBuf, Vec<u8>)>,
}

thread_local! {
    static SEGMENTS: Fixture = Fixture::of_segments();
    static NAMES: Fixture = Fixture::of_names();
}

/// Payloads say where they belong.
fn payload(seq: u64, sub: u32) -> Vec<u8> {
    [seq.to_le_bytes(), (seq ^ u64::from(sub) << 32).to_le_bytes()].concat().repeat(1 + sub as usize)
}

fn check(record: &Record<'_>) {
    let due = payload(record.seq, record.sub);
    assert!(
        record.payload == due && record.ts_ns == record.seq * 10,
        "a record that nobody wrote: {record:?}"
    );
    assert!(matches!(record.kind, Kind::Command | Kind::Event), "a record of another kind: {record:?}");
}

fn append(writer: &mut Writer, seq: u64) {
    for sub in 0..3 {
        let kind = if sub == 0 { Kind::Command } else { Kind::Event };
        let payload = payload(seq, sub);
        let record = Record { seq, ts_ns: seq * 10, kind, version: 1, flags: 0, sub, payload: &payload };
        writer.append(&record).expect("in order");
    }
}

/// Commands up to `last`, two to a group; those up to `durable` are synced.
fn write(directory: &Path, last: u64, durable: u64) -> Writer {
    let options = Options { segment_bytes: 64 << 10, group_alignment: 512, ..Options::default() };
    let mut writer = Writer::create(directory, &IDENTITY, &options).expect("a new journal");
    for seq in 1..=last {
        append(&mut writer, seq);
        if seq % 2 == 0 {
            writer.close_group().expect("there is room");
        }
        if seq <= durable {
            writer.sync().expect("a file in memory");
        }
    }
    writer
}

impl Fixture {
    fn new(home: TempDir, names: &[&str]) -> Fixture {
        let read = |name: &&str| {
            let path = home.path().join(name);
            let bytes = fs::read(&path).expect("it was made");
            (path, bytes)
        };
        let files = names.iter().map(read).collect();
        Fixture { home, files }
    }

    /// A sealed segment, one with a tail that is not durable, and a spare.
    fn of_segments() -> Fixture {
        let home = scratch();
        drop(write(home.path(), 250, 240));
        let names = [
            "00000000000000000001.seg",
            "00000000000000000002.seg",
            "00000000000000000003.seg",
            "durable.mark",
        ];
        Fixture::new(home, &names)
    }

    /// A journal whose beginning is gone, with a snapshot and a cursor.
    fn of_names() -> Fixture {
        let home = scratch();
        write(home.path(), 250, 250).close().expect("a file in memory");
        let mut reader = Follower::open(home.path()).expect("it is whole");
        while reader.poll(Limit::Durable, 100, &mut |_| Ok(())).expect("it is whole") > 0 {}
        let bookmark = reader.bookmark().expect("all of a group was handed out");
        let name = CursorName::new("bridge").expect("legal");
        journal::store_cursor(home.path(), IDENTITY.journal_id, &name, &bookmark).expect("stored");
        let head = SnapshotHead {
            journal_id: IDENTITY.journal_id,
            shard: IDENTITY.shard,
            logic_version: IDENTITY.logic_version,
            bookmark,
            state_hash: [9; 32],
        };
        fs::create_dir_all(journal::snapshots_directory(home.path())).expect("made");
        let path = journal::snapshot_path(home.path(), bookmark.seq);
        journal::write_snapshot(&path, &head, &[("engine", b"state"), ("outbox", b"words")])
            .expect("written");
        journal::remove_segments_below(home.path(), &IDENTITY, 2).expect("pruned");
        let snapshot = path.strip_prefix(home.path()).expect("inside").to_str().expect("digits").to_owned();
        let names = ["journal.id", "durable.mark", "journal.base", "cursors/bridge", &snapshot, "control"];
        Fixture::new(home, &names)
    }

    /// Plays the input's changes, looks, and puts everything back.
    fn with(&self, input: &[u8], are_segments: bool, look: impl FnOnce(&Path)) {
        let mut input = Reader::new(input);
        let mut changed = BTreeMap::new();
        while !input.is_empty() {
            let at = input.byte() as usize % self.files.len();
            let (path, whole) = &self.files[at];
            let bytes = changed.entry(path).or_insert_with(|| whole.clone());
            change(&mut input, bytes, are_segments);
        }
        for (path, bytes) in &changed {
            fs::write(path, bytes).expect("the directory is ours");
        }
        look(self.home.path());
        for (path, whole) in self.files.iter().filter(|(path, _)| changed.contains_key(path)) {
            fs::write(path, whole).expect("the directory is ours");
        }
    }
}

fn change(input: &mut Reader<'_>, bytes: &mut Vec<u8>, are_segments: bool) {
    let (flags, offset, count) = (input.byte(), input.number(2) as usize, input.byte() as usize % 16);
    if bytes.is_empty() {
        return;
    }
    let half = if flags & 2 == 0 { 0 } else { bytes.len() / 2 };
    let start = (half + offset) % bytes.len();
    for at in start..(start + count).min(bytes.len()) {
        bytes[at] = input.byte();
    }
    if flags & 4 != 0 {
        bytes.truncate(start);
    }
    if flags & 1 != 0 {
        if are_segments { frame_checksum(bytes, start) } else { file_checksum(bytes) }
    }
}

/// The frame at or before `at` that starts on a multiple of 512, for which the input may have forged a length.
fn frame_checksum(segment: &mut [u8], at: usize) {
    let start = at / 512 * 512;
    let Some(len) = segment.get(start..start + 4) else { return };
    let len = u32::from_le_bytes(len.try_into().expect("four bytes")) as usize;
    if len < 32 || start + len > segment.len() {
        return;
    }
    let mut crc = crc32c::crc32c(&segment[80..96]);
    crc = crc32c::crc32c_append(crc, &(start as u64).to_le_bytes());
    crc = crc32c::crc32c_append(crc, &segment[start..start + 4]);
    crc = crc32c::crc32c_append(crc, &segment[start + 8..start + len]);
    segment[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// BLAKE3 of everything before it at the end, in each page of a file of pages.
fn file_checksum(bytes: &mut [u8]) {
    let pages = if bytes.len().is_multiple_of(4096) { 4096 } else { bytes.len() };
    for page in bytes.chunks_mut(pages).filter(|page| page.len() > CHECKSUM_BYTES) {
        let (body, checksum) = page.split_at_mut(page.len() - CHECKSUM_BYTES);
        checksum.copy_from_slice(blake3::hash(body).as_bytes());
    }
}

/// Every way of reading a journal.
fn look(directory: &Path) {
    let mut next = None;
    let mut ordered = |record: &Record<'_>| {
        check(record);
        let due = *next.get_or_insert(record.seq);
        assert!(record.seq == due || record.seq == due + 1, "seq {} after {due}", record.seq);
        next = Some(record.seq);
        Ok(())
    };
    // Most inputs are refused, and a refusal is as good as an answer.
    let _ = journal::survey(directory, None, &mut ordered);
    let _ = journal::survey(directory, Some(&IDENTITY), &mut |_| Ok(()));
    for limit in [Limit::Durable, Limit::Written] {
        let Ok(mut reader) = Follower::open(directory) else { continue };
        let mut visit = |record: &Record<'_>| {
            check(record);
            Ok(())
        };
        while reader.poll(limit, 100, &mut visit).is_ok_and(|count| count > 0) {}
    }
    let _ = journal::cursors(directory, &IDENTITY.journal_id);
    let _ = journal::load_identity(directory);
    let Ok(seqs) = journal::snapshot_seqs(directory) else { return };
    for seq in seqs {
        if let Ok(snapshot) = journal::load_snapshot(directory, &IDENTITY, seq) {
            let bytes: usize = snapshot.sections().map(|(_, bytes)| bytes).sum();
            assert!(bytes <= snapshot.bytes() && snapshot.section("no such").is_none());
        }
        let _ = SnapshotHead::load(&journal::snapshot_path(directory, seq));
        let _ = Snapshot::load(&journal::snapshot_path(directory, seq));
    }
}

pub fn segments(input: &[u8]) {
    SEGMENTS.with(|fixture| fixture.with(input, true, look));
}

pub fn names(input: &[u8]) {
    NAMES.with(|fixture| fixture.with(input, false, look));
}

/// Any text as the operator's file.
pub fn config(input: &[u8]) {
    thread_local!(static HOME: TempDir = scratch());
    HOME.with(|home| {
        fs::write(home.path().join("ballast.toml"), input).expect("the directory is ours");
        match gateway::config::Config::load(home.path()) {
            Ok(config) => assert!(config.keys().is_ok() && config.check().is_ok()),
            Err(fault) => assert!(fault.contains("ballast.toml"), "a fault names its file: {fault}"),
        }
    });
}
