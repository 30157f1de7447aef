//! The last group torn at every byte, in every manner, when it was never durable.

use std::collections::BTreeMap;
use std::fs;

use journal::{Ending, Writer};

use crate::support::{DENSE, Random, identity, put, reopen, scratch, segment, survey, write};

/// A journal of 20 durable commands and an unsynced group of 4, as files, with the extent of that group.
fn torn_material() -> (BTreeMap<String, Vec<u8>>, usize, usize) {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=20, 4, |_| true);
    let start = writer.watermarks().written_position().offset() as usize;
    write(&mut writer, 21..=24, 4, |_| false);
    let end = writer.watermarks().written_position().offset() as usize;
    drop(writer);
    (crate::support::files(directory.path()), start, end)
}

#[derive(Clone, Copy, Debug)]
enum Tear {
    Zeros,
    Garbage,
    Stale,
    Shifted,
    /// Everything but this: the head is lost and the rest is there, a frame above a hole.
    HeadLost,
}

fn torn(whole: &[u8], start: usize, end: usize, cut: usize, tear: Tear, random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    match tear {
        Tear::Zeros => bytes[cut..end].fill(0),
        Tear::Garbage => bytes[cut..end].iter_mut().for_each(|byte| *byte = random.next() as u8),
        Tear::Stale => bytes[cut..end].copy_from_slice(&whole[cut - (end - start)..start]),
        Tear::Shifted => bytes.copy_within(cut - 8..end - 8, cut),
        Tear::HeadLost => bytes[start..cut].fill(0),
    }
    bytes
}

#[test]
fn a_tear_at_every_byte_is_cut_back_to_the_group_before() {
    let (material, start, end) = torn_material();
    let directory = scratch();
    put(directory.path(), &material);
    let path = segment(directory.path(), 1);
    let whole = &material["00000000000000000001.seg"];
    let mut random = Random(0x7EA2);
    for tear in [Tear::Zeros, Tear::Garbage, Tear::Stale, Tear::Shifted, Tear::HeadLost] {
        for cut in start..end {
            let bytes = torn(whole, start, end, cut, tear, &mut random);
            fs::write(&path, &bytes).expect("torn");
            let found = survey(directory.path()).unwrap_or_else(|error| panic!("{tear:?} at {cut}: {error}"));
            let due = if bytes == *whole { 24 } else { 20 };
            assert_eq!(found.last_seq, due, "{tear:?} at {cut}");
            let gone = bytes[start..end].iter().all(|byte| *byte == 0);
            match found.ending {
                Ending::WholeGroup => assert!(due == 24 || gone, "{tear:?} at {cut}"),
                Ending::Torn { .. } => assert!(due == 20 && !gone, "{tear:?} at {cut}"),
                other => panic!("{tear:?} at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_is_cut_is_saved_zeroed_and_sealed_and_the_journal_goes_on() {
    let (material, start, end) = torn_material();
    let whole = &material["00000000000000000001.seg"];
    let mut random = Random(0x5A1E);
    for cut in (start..end).step_by(41) {
        for tear in [Tear::Zeros, Tear::Garbage, Tear::HeadLost] {
            let directory = scratch();
            put(directory.path(), &material);
            let bytes = torn(whole, start, end, cut, tear, &mut random);
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
