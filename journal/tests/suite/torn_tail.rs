//! The last group torn at every byte, in every manner, when it was never durable.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;

use journal::{Ending, Options, Writer};
use tempfile::TempDir;

use crate::BACK_END;
use crate::support::{
    DENSE, Random, files, identity, put, reopen, scratch, seed, segment, stride, survey, write,
};

/// A journal of 20 durable commands and an unsynced group of 4, as files, with the extent of that group.
fn torn_material() -> (BTreeMap<String, Vec<u8>>, usize, usize) {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=20, 4, |_| true);
    let start = writer.watermarks().written_position().offset() as usize;
    write(&mut writer, 21..=24, 4, |_| false);
    let end = writer.watermarks().written_position().offset() as usize;
    drop(writer);
    (files(directory.path()), start, end)
}

#[derive(Clone, Copy, Debug)]
enum Tear {
    Zeros,
    Garbage,
    /// What a segment of another journal with the same records has at this place: only its salt differs.
    Stale,
    Shifted,
    /// Everything but this: the head is lost and the rest is there, a frame above a hole.
    HeadLost,
}

/// The bytes after a tear at `cut` of what was written from `start` to `end` and not synced.
fn torn(whole: &[u8], (start, end): (usize, usize), cut: usize, tear: Tear, other: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    match tear {
        Tear::Zeros => bytes[cut..end].fill(0),
        Tear::Garbage | Tear::Stale => bytes[cut..end].copy_from_slice(&other[cut..end]),
        Tear::Shifted => bytes.copy_within(cut - 8..end - 8, cut),
        Tear::HeadLost => bytes[start..cut].fill(0),
    }
    bytes
}

fn garbage(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..bytes).map(|_| random.next() as u8).collect()
}

const TAIL_BYTES: usize = 64 << 10;

/// A journal of one durable group and 64 KiB of groups that are not.
struct Long {
    directory: TempDir,
    whole: Vec<u8>,
    /// Where the groups that are not durable begin, and their last seqs.
    groups: Vec<(usize, u64)>,
    durable_seq: u64,
    end: usize,
}

fn long_tail() -> Long {
    const ROOMY: Options = Options { segment_bytes: 96 << 10, ..DENSE };
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &ROOMY).expect("created");
    write(&mut writer, 1..=3, 3, |_| true);
    let (durable_seq, mut seq) = (3, 3);
    let first = writer.watermarks().written_position().offset() as usize;
    let (mut groups, mut at) = (Vec::new(), first);
    while at < first + TAIL_BYTES {
        write(&mut writer, seq + 1..=seq + 3, 3, |_| false);
        seq += 3;
        groups.push((at, seq));
        at = writer.watermarks().written_position().offset() as usize;
    }
    drop(writer);
    let whole = fs::read(segment(directory.path(), 1)).expect("read");
    Long { directory, whole, groups, durable_seq, end: at }
}

impl Long {
    /// The last seq that is whole when everything from `cut` on is something else.
    fn due(&self, bytes: &[u8], cut: usize) -> u64 {
        let ends = self.groups.iter().skip(1).map(|(start, _)| *start).chain([self.end]);
        let whole = self.groups.iter().zip(ends).take_while(|(_, end)| {
            // A tear behind the last byte that is not zero may change nothing.
            *end <= cut || bytes[cut..*end] == self.whole[cut..*end]
        });
        whole.last().map_or(self.durable_seq, |((_, last_seq), _)| *last_seq)
    }
}

fn every_tear(tear: Tear) {
    let (long, seed) = (long_tail(), seed());
    let other = if matches!(tear, Tear::Stale) { long_tail().whole } else { garbage(long.whole.len(), seed) };
    let start = long.groups[0].0;
    let path = segment(long.directory.path(), 1);
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opened");
    let mut offsets = 0;
    for cut in (long.end - TAIL_BYTES..long.end).rev().step_by(stride()) {
        let bytes = torn(&long.whole, (start, long.end), cut, tear, &other);
        file.write_all_at(&bytes[cut..long.end], cut as u64).expect("torn");
        let found =
            survey(long.directory.path()).unwrap_or_else(|error| panic!("{tear:?} at {cut}: {error}"));
        assert_eq!(found.last_seq, long.due(&bytes, cut), "{tear:?} at {cut}");
        let is_clean = bytes[found.end.offset() as usize..long.end].iter().all(|byte| *byte == 0);
        match found.ending {
            Ending::WholeGroup => assert!(is_clean, "{tear:?} at {cut}"),
            Ending::Torn { .. } => assert!(!is_clean, "{tear:?} at {cut}"),
            other => panic!("{tear:?} at {cut}: {other:?}"),
        }
        offsets += 1;
    }
    println!(
        "J7 torn tails over {BACK_END}: {offsets} offsets with {tear:?}, 0 failures (BALLAST_SEED={seed})"
    );
}

#[test]
fn a_tear_at_every_byte_filled_with_zeros_is_cut_back_to_the_group_before() {
    every_tear(Tear::Zeros);
}

#[test]
fn a_tear_at_every_byte_filled_with_garbage_is_cut_back_to_the_group_before() {
    every_tear(Tear::Garbage);
}

#[test]
fn a_tear_at_every_byte_filled_from_another_segment_is_cut_back_to_the_group_before() {
    every_tear(Tear::Stale);
}

#[test]
fn a_tear_at_every_byte_filled_with_a_shifted_frame_is_cut_back_to_the_group_before() {
    every_tear(Tear::Shifted);
}

#[test]
fn a_hole_of_every_length_is_cut_back_to_before_it() {
    let (material, start, end) = torn_material();
    let directory = scratch();
    put(directory.path(), &material);
    let whole = &material["00000000000000000001.seg"];
    for cut in start..end {
        let bytes = torn(whole, (start, end), cut, Tear::HeadLost, &[]);
        fs::write(segment(directory.path(), 1), &bytes).expect("torn");
        let found = survey(directory.path()).unwrap_or_else(|error| panic!("a hole up to {cut}: {error}"));
        assert_eq!(found.last_seq, if bytes == *whole { 24 } else { 20 }, "a hole up to {cut}");
        let gone = bytes[start..end].iter().all(|byte| *byte == 0);
        assert_eq!(found.ending == Ending::WholeGroup, bytes == *whole || gone, "a hole up to {cut}");
    }
}

#[test]
fn what_is_cut_is_saved_zeroed_and_sealed_and_the_journal_goes_on() {
    let (material, start, end) = torn_material();
    let whole = &material["00000000000000000001.seg"];
    let noise = garbage(whole.len(), 0x5A1E);
    for cut in (start..end).step_by(41) {
        for tear in [Tear::Zeros, Tear::Garbage, Tear::HeadLost] {
            let directory = scratch();
            put(directory.path(), &material);
            let bytes = torn(whole, (start, end), cut, tear, &noise);
            let changed = bytes != *whole;
            fs::write(segment(directory.path(), 1), &bytes).expect("torn");
            let (mut writer, recovery) = reopen(directory.path(), &DENSE).expect("reopened");
            let gone = bytes[start..].iter().take(end - start).all(|byte| *byte == 0);
            assert_eq!(recovery.discarded.is_some(), changed && !gone, "{tear:?} at {cut}");
            if let Some(torn) = &recovery.discarded {
                assert_eq!((torn.segment, torn.offset as usize), (1, start));
                let saved = fs::read(&torn.saved).expect("saved");
                assert_eq!(saved, bytes[start..start + torn.bytes as usize]);
            }
            let next = recovery.last_seq + 1;
            write(&mut writer, next..=40, 3, |_| true);
            assert_eq!(writer.watermarks().durable_position().segment(), 2, "a new segment");
            drop(writer);
            let found = survey(directory.path()).expect("whole again");
            assert_eq!((found.last_seq, found.ending), (40, Ending::WholeGroup));
        }
    }
}

#[test]
fn a_whole_group_above_a_hole_is_reported_and_not_believed() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=8, 4, |_| true);
    let hole = writer.watermarks().written_position().offset() as usize;
    write(&mut writer, 9..=16, 4, |_| false);
    drop(writer);
    let path = segment(directory.path(), 1);
    let mut bytes = fs::read(&path).expect("read");
    bytes[hole..hole + 512].fill(0);
    fs::write(&path, bytes).expect("holed");
    let found = survey(directory.path()).expect("undurable");
    assert_eq!(found.last_seq, 8);
    assert!(matches!(found.ending, Ending::Torn { whole_groups_beyond: 1.., .. }), "{:?}", found.ending);
    let (_, recovery) = reopen(directory.path(), &DENSE).expect("reopened");
    assert_eq!(recovery.last_seq, 8);
}
