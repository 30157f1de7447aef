//! Bytes that change where they lie: every byte of a small journal, every durable group, frames and groups that
//! are moved, swapped, cut out or taken from another journal.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use journal::{Ending, Fault, FloorOrigin, Limit, OpenError, ReadError, Reader, Writer};

use crate::BACK_END;
use crate::support::{
    DENSE, Oracle, Random, files, identity, on_all_processors, put, reopen, scratch, seed, segment, stocked,
    stride, survey, tiered, write,
};

/// Writes groups of 2 commands, each synced, and returns where each starts; the last entry is the end.
fn durable_groups(directory: &Path, groups: u64) -> Vec<usize> {
    let mut writer = Writer::create(directory, &identity(), &DENSE).expect("created");
    stocked(&writer, directory);
    let mut starts = vec![4096];
    for group in 0..groups {
        write(&mut writer, group * 2 + 1..=group * 2 + 2, 2, |_| true);
        starts.push(writer.watermarks().durable_position().offset() as usize);
    }
    starts
}

/// Flips one bit and says whether the journal was refused. If it was not, nothing but the flip may be missing.
fn is_detected(directory: &Path, name: &str, at: usize, last_seq: u64) -> bool {
    match survey(directory) {
        Err(OpenError::Io { .. } | OpenError::Replay { .. }) => panic!("{name} byte {at}: wrong kind"),
        Err(_) => true,
        Ok(found) => {
            // The oracle has compared every record. All durable commands must be among them, and a flip in the
            // data area must not pass unseen.
            assert_eq!(found.last_seq, last_seq, "{name} byte {at}");
            let seen = found.header_copies_damaged > 0 || matches!(found.ending, Ending::Torn { .. });
            let is_inert = ["durable.mark", "journal.base"].contains(&name);
            assert!(seen || is_inert, "{name} byte {at} passed unseen");
            false
        }
    }
}

/// Header, groups, padding, footer, spare, name and mark: each byte in turn has each bit flipped (one of them at each
/// commit), and is detected or provably inert.
fn every_flip(kind: &str, directory: &Path, last_seq: u64) -> (u64, u64) {
    const BYTES_AT_ONCE: usize = 4096;
    let bits = tiered(1, 8);
    let whole = files(directory);
    let flipped =
        whole.iter().filter(|(name, _)| !["control", "LOCK", "reserve.bin"].contains(&name.as_str()));
    let parts: Vec<(&String, usize)> = flipped
        .flat_map(|(name, bytes)| (0..bytes.len()).step_by(BYTES_AT_ONCE).map(move |start| (name, start)))
        .collect();
    let (detected, inert) = (AtomicU64::new(0), AtomicU64::new(0));
    on_all_processors(parts.len() as u64, |part| {
        let (name, start) = parts[part as usize];
        let (copy, bytes) = (scratch(), &whole[name]);
        put(copy.path(), &whole);
        let file = fs::OpenOptions::new().write(true).open(copy.path().join(name)).expect("opened");
        let end = bytes.len().min(start + BYTES_AT_ONCE);
        for at in (start..end).step_by(stride()) {
            for bit in 0..bits {
                let bit = (at as u64 + bit) % 8;
                file.write_all_at(&[bytes[at] ^ (1 << bit)], at as u64).expect("flipped");
                let count = if is_detected(copy.path(), name, at, last_seq) { &detected } else { &inert };
                count.fetch_add(1, Ordering::Relaxed);
            }
            file.write_all_at(&bytes[at..=at], at as u64).expect("restored");
        }
    });
    let (detected, inert) = (detected.into_inner(), inert.into_inner());
    println!(
        "J6 bit flips over {BACK_END}: {} in {kind}, {bits} bits of each byte, {detected} detected, {inert} inert, 0 wrong states, 0 panics",
        detected + inert
    );
    (detected, inert)
}

#[test]
fn every_flip_in_an_open_journal_is_detected_or_inert() {
    let directory = scratch();
    durable_groups(directory.path(), 6);
    let (detected, inert) = every_flip("a journal that begins", directory.path(), 12);
    // In an unsealed segment's unused space a flip is a torn tail; in the spares behind it, a reason to refuse.
    let least = 60_000 / stride() as u64;
    assert!(detected > least && inert > least, "{detected} {inert}");
}

#[test]
fn every_flip_in_a_full_and_sealed_journal_is_detected_or_inert() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=230, 10, |_| true);
    assert_eq!(writer.watermarks().durable_position().segment(), 1);
    assert!(writer.watermarks().durable_position().offset() > 48 << 10, "most of the segment is used");
    stocked(&writer, directory.path());
    writer.close().expect("closed");
    let (detected, inert) = every_flip("a full and sealed one", directory.path(), 230);
    // Either header copy is enough, so is either slot of the mark, and a base of zeros says nothing; in the spare behind the seal a flip is a torn tail, and
    // in the one behind that it is a reason to refuse.
    let inert_bytes = 6 * 4096 + 2 * 8192 + ((64 << 10) - 8192);
    assert_eq!(inert, tiered(1, 8) * inert_bytes / stride() as u64, "{detected} detected");
}

/// What makes a group worthless.
#[derive(Clone, Copy, Debug)]
enum Harm {
    FirstByte,
    Payload,
    LastByte,
    Zeroed,
    Garbage,
    /// Its own bytes of another time: the group before it, moved here.
    Stale,
}

const HARMS: [Harm; 6] =
    [Harm::FirstByte, Harm::Payload, Harm::LastByte, Harm::Zeroed, Harm::Garbage, Harm::Stale];

impl Harm {
    fn apply(self, segment: &mut [u8], start: usize, end: usize, random: &mut Random) {
        match self {
            Harm::FirstByte => segment[start] ^= 0x40,
            Harm::Payload => segment[start + 40] ^= 0x40,
            Harm::LastByte => segment[end - 1] ^= 0x40,
            Harm::Zeroed => segment[start..end].fill(0),
            Harm::Garbage => segment[start..end].iter_mut().for_each(|byte| *byte = random.next() as u8),
            Harm::Stale => {
                let bytes = (end - start).min(start);
                segment.copy_within(start - bytes..start, start);
            }
        }
    }
}

/// Each group of a journal of many segments harmed in turn: every start is refused, names the group, and changes nothing.
#[test]
fn damage_below_the_floor_refuses_at_every_group_and_modifies_nothing() {
    const GROUPS: u64 = 1_000;
    let (seed, directory) = (seed(), scratch());
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    let mut groups = Vec::new();
    let mut start = (1, 4096);
    for group in 1..=GROUPS {
        write(&mut writer, group * 2 - 1..=group * 2, 2, |_| true);
        let end = writer.watermarks().durable_position();
        if end.segment() > start.0 {
            start = (end.segment(), 4096);
        }
        groups.push((start.0, start.1, end.offset() as usize));
        start.1 = end.offset() as usize;
    }
    drop(writer);
    let last = groups.last().expect("groups").0;
    let mut random = Random(seed);
    let mut starts = 0;
    let before = files(directory.path());
    for (index, (number, start, end)) in groups.iter().enumerate() {
        let path = segment(directory.path(), *number);
        let whole = &before[&format!("{number:020}.seg")];
        let all = tiered(1, HARMS.len() as u64) as usize;
        for harm in (0..all).map(|harm| HARMS[(index + harm) % HARMS.len()]) {
            let mut harmed = whole.clone();
            harm.apply(&mut harmed, *start, *end, &mut random);
            fs::write(&path, &harmed).expect("damaged");
            let place = format!("BALLAST_SEED={seed} group {index} of segment {number}, {harm:?}");
            let damage = match reopen(directory.path(), &DENSE) {
                Err(OpenError::Damaged(damage)) => damage,
                Err(other) => panic!("{place}: {other}"),
                Ok(_) => panic!("{place}: opened"),
            };
            assert_eq!((damage.segment, damage.offset as usize), (*number, *start), "{place}: {damage}");
            assert!(
                damage.path == path && damage.to_string().ends_with(&format!(" path={}", path.display()))
            );
            assert_eq!(damage.last_good_seq, index as u64 * 2, "{place}: {damage}");
            if *number == last {
                assert_eq!(
                    (damage.floor.seq, &damage.floor.origin),
                    (GROUPS * 2, &FloorOrigin::Mark),
                    "{damage}"
                );
            }
            starts += 1;
            assert_eq!(fs::read(&path).expect("read"), harmed, "{place}: a refusal modified the segment");
            fs::write(&path, whole).expect("restored");
            if starts % 50 == 0 {
                assert!(files(directory.path()) == before, "{place}: a refusal modified something else");
            }
        }
    }
    assert!(files(directory.path()) == before && !directory.path().join("torn").exists());
    assert_eq!(survey(directory.path()).expect("whole").last_seq, GROUPS * 2);
    println!(
        "J8 damage below the floor, {BACK_END}: {starts} starts over {GROUPS} groups of {last} segments, all refused, no file \
         modified, 0 failures (BALLAST_SEED={seed})"
    );
}

#[test]
fn without_the_mark_the_floor_comes_from_later_groups() {
    let directory = scratch();
    let starts = durable_groups(directory.path(), 10);
    fs::write(directory.path().join("durable.mark"), [0; 8192]).expect("mark lost");
    let path = segment(directory.path(), 1);
    let whole = fs::read(&path).expect("read");
    for (group, start) in starts[..10].iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[*start + 33] ^= 1;
        fs::write(&path, bytes).expect("damaged");
        match survey(directory.path()) {
            Err(OpenError::Damaged(damage)) => {
                assert!(group < 9, "{damage}");
                assert!(matches!(damage.floor.origin, FloorOrigin::Group(_)), "{damage}");
                assert_eq!(damage.floor.seq, 18);
            }
            // The residual: nothing in the journal says yet that the last synced group was durable.
            Ok(found) => assert_eq!((group, found.last_seq), (9, 18)),
            Err(other) => panic!("group {group}: {other}"),
        }
    }
}

/// Puts changed bytes in place of segment 1 and says whether the journal was refused with a damage report.
fn refused(directory: &Path, bytes: &[u8]) -> bool {
    fs::write(segment(directory, 1), bytes).expect("changed");
    matches!(survey(directory), Err(OpenError::Damaged(_)))
}

#[test]
fn moved_swapped_cut_and_repeated_groups_are_refused() {
    let directory = scratch();
    let starts = durable_groups(directory.path(), 8);
    let whole = fs::read(segment(directory.path(), 1)).expect("read");
    let (data_start, data_end) = (4096, *starts.last().expect("groups"));
    let group = |index: usize| whole[starts[index]..starts[index + 1]].to_vec();
    let assembled = |order: &[usize]| {
        let data: Vec<u8> = order.iter().flat_map(|index| group(*index)).collect();
        let mut bytes = whole.clone();
        bytes[data_start..data_end.max(data_start + data.len())].fill(0);
        bytes[data_start..data_start + data.len()].copy_from_slice(&data);
        bytes
    };
    assert!(assembled(&[0, 1, 2, 3, 4, 5, 6, 7]) == whole);
    for one in 0..8 {
        let cut: Vec<usize> = (0..8).filter(|index| *index != one).collect();
        assert!(refused(directory.path(), &assembled(&cut)), "group {one} cut out");
        for two in 0..one {
            let mut swapped: Vec<usize> = (0..8).collect();
            swapped.swap(one, two);
            assert!(refused(directory.path(), &assembled(&swapped)), "groups {two} and {one} swapped");
        }
        let mut repeated: Vec<usize> = (0..8).collect();
        repeated[one] = (one + 1) % 8;
        assert!(refused(directory.path(), &assembled(&repeated)), "group {one} replaced by its neighbour");
    }
    fs::write(segment(directory.path(), 1), &whole).expect("restored");
    assert_eq!(survey(directory.path()).expect("whole").last_seq, 16);
}

#[test]
fn frames_and_groups_of_another_journal_do_not_verify_here() {
    let (one, two) = (scratch(), scratch());
    // The same identity and the same records: only the salt of the segments differs.
    let starts = durable_groups(one.path(), 8);
    assert_eq!(starts, durable_groups(two.path(), 8));
    let whole = fs::read(segment(one.path(), 1)).expect("read");
    let other = fs::read(segment(two.path(), 1)).expect("read");
    for group in 0..8 {
        let mut spliced = whole.clone();
        spliced[starts[group]..starts[group + 1]].copy_from_slice(&other[starts[group]..starts[group + 1]]);
        assert!(refused(one.path(), &spliced), "group {group}");
        let first_frame = starts[group]..starts[group] + 32;
        let mut spliced = whole.clone();
        spliced[first_frame.clone()].copy_from_slice(&other[first_frame]);
        assert!(refused(one.path(), &spliced), "first frame of group {group}");
    }
    assert!(survey(two.path()).is_ok());
}

#[test]
fn a_forged_record_with_a_good_checksum_breaks_the_chain() {
    let directory = scratch();
    let starts = durable_groups(directory.path(), 6);
    let whole = fs::read(segment(directory.path(), 1)).expect("read");
    for start in &starts[..6] {
        let mut bytes = whole.clone();
        let len = u32::from_le_bytes(bytes[*start..start + 4].try_into().expect("four bytes")) as usize;
        bytes[start + 27] ^= 1;
        crate::support::fix_checksum(&mut bytes, *start, len);
        fs::write(segment(directory.path(), 1), &bytes).expect("forged");
        match survey_unchecked(directory.path()) {
            Err(OpenError::Damaged(damage)) => {
                assert_eq!((damage.fault, damage.offset), (Fault::Chain, *start as u64))
            }
            other => panic!("at {start}: {other:?}"),
        }
    }
}

/// Where the group that starts at `start` has its `Group` frame.
fn trailer_of(segment: &[u8], start: usize) -> usize {
    const GROUP: u8 = 9;
    let mut at = start;
    while segment[at + 24] != GROUP {
        let len = u32::from_le_bytes(segment[at..at + 4].try_into().expect("four bytes")) as usize;
        at += len.next_multiple_of(8);
    }
    at
}

/// Whoever can forge the chain and the checksum can still not make a group say another number of frames than it has.
#[test]
fn a_group_must_count_its_frames_even_where_chain_and_checksum_hold() {
    const TRAILER_BYTES: usize = 120;
    let directory = scratch();
    let starts = durable_groups(directory.path(), 6);
    let whole = fs::read(segment(directory.path(), 1)).expect("read");
    let (before, trailer) = (trailer_of(&whole, starts[4]), trailer_of(&whole, starts[5]));
    for (change, is_refused) in [(0, false), (1, true), (u32::MAX, true)] {
        let mut bytes = whole.clone();
        let count = trailer + 48..trailer + 52;
        let frames = u32::from_le_bytes(bytes[count.clone()].try_into().expect("four bytes"));
        bytes[count].copy_from_slice(&frames.wrapping_add(change).to_le_bytes());
        let mut chain = blake3::Hasher::new();
        chain.update(&whole[before + 88..before + TRAILER_BYTES]).update(&bytes[starts[5]..trailer]);
        chain.update(&bytes[trailer + 8..trailer + 88]);
        bytes[trailer + 88..trailer + TRAILER_BYTES].copy_from_slice(chain.finalize().as_bytes());
        crate::support::fix_checksum(&mut bytes, trailer, TRAILER_BYTES);
        assert!(is_refused || bytes == whole, "the forger knows the format");
        fs::write(segment(directory.path(), 1), &bytes).expect("forged");
        match survey_unchecked(directory.path()) {
            Err(OpenError::Damaged(damage)) if is_refused => {
                assert_eq!((damage.fault, damage.offset), (Fault::Group, starts[5] as u64));
            }
            Ok(found) if !is_refused => assert_eq!(found.last_seq, 12),
            other => panic!("{change}: {other:?}"),
        }
    }
}

/// A survey without the oracle, which would notice a forged record by itself.
fn survey_unchecked(directory: &Path) -> Result<journal::Survey, OpenError> {
    journal::survey(directory, None, &mut |_| Ok(()))
}

#[test]
fn a_reader_stops_at_damage_below_its_watermark() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=6, 2, |_| true);
    let start = writer.watermarks().durable_position().offset();
    write(&mut writer, 7..=12, 2, |_| true);
    let path = segment(directory.path(), 1);
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opened");
    file.write_all_at(&[0xFF], start + 8).expect("damaged");
    let mut reader = Reader::open(directory.path()).expect("opened");
    let mut oracle = Oracle::default();
    let outcome = reader.poll(Limit::Durable, 1_000, &mut |record| oracle.check(record));
    assert_eq!(oracle.whole_seq(), 6, "what is before the damage is handed out");
    match outcome {
        Err(ReadError::Damaged { segment: 1, offset, last_good_seq: 6, .. }) => assert_eq!(offset, start),
        other => panic!("{other:?}"),
    }
}

/// Reads until nothing more comes or something is wrong; whatever `control` says, it must be one of the two.
fn read_out(directory: &Path, limit: Limit) -> Result<u64, ReadError> {
    let mut oracle = Oracle::default();
    let mut reader = Reader::open(directory)?;
    while reader.poll(limit, 1_000, &mut |record| oracle.check(record))? > 0 {}
    Ok(oracle.whole_seq())
}

#[test]
fn no_byte_of_control_makes_a_reader_panic() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    // Into a second segment, so that a position can name a whole one as well.
    write(&mut writer, 1..=600, 6, |_| true);
    drop(writer);
    let whole = fs::read(directory.path().join("control")).expect("read");
    for at in 0..256 {
        for value in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
            // The word alone, and the word with its check copy made to agree.
            for both in [false, true] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if both && at + 8 < 256 {
                    bytes[at + 8] = !value;
                }
                fs::write(directory.path().join("control"), &bytes).expect("damaged");
                for limit in [Limit::Durable, Limit::Written] {
                    if let Ok(seq) = read_out(directory.path(), limit) {
                        assert!(seq <= 600, "byte {at} as {value:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_watermark_beyond_its_segment_is_reported_and_the_next_writer_mends_it() {
    let directory = scratch();
    durable_groups(directory.path(), 6);
    let control = directory.path().join("control");
    let whole = fs::read(&control).expect("read");
    for (limit, word) in [(Limit::Written, 80), (Limit::Durable, 144)] {
        let mut bytes = whole.clone();
        bytes[word + 3] = 0x7F;
        bytes[word + 11] = !0x7F;
        fs::write(&control, &bytes).expect("damaged");
        match read_out(directory.path(), limit) {
            Err(ReadError::WatermarkDamaged { path, position }) => {
                assert_eq!((path, position.segment()), (control.clone(), 1));
            }
            other => panic!("{other:?}"),
        }
    }
    let mut bytes = whole.clone();
    bytes[24..32].fill(0xFF);
    bytes[147] = 0x7F;
    bytes[155] = !0x7F;
    fs::write(&control, &bytes).expect("damaged, the epoch as well");
    let (writer, recovery) = reopen(directory.path(), &DENSE).expect("a writer does not believe it");
    assert_eq!((recovery.last_seq, recovery.epoch), (12, 2));
    assert_eq!(read_out(directory.path(), Limit::Durable).expect("mended"), 12);
    drop(writer);
}
