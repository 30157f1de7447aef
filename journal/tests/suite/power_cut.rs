//! Crashes at arbitrary points: the process dies and the cache survives, or the power goes and any subset of the
//! unsynced sectors is on the disk, whole or as garbage. Recovered is always an exact prefix that ends in [D, W].

use std::collections::BTreeMap;

use journal::Writer;

use crate::support::{
    DENSE, Random, RecordingDisk, SMALL, Step, Trace, append_command, files, identity, put, reopen, scratch,
    survey, write,
};

const SECTOR: usize = 512;

#[test]
fn killed_at_arbitrary_points_everything_written_is_there() {
    let mut random = Random(0xD1E);
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    let mut seq = 0;
    for round in 0..60 {
        for _ in 0..random.below(30) {
            seq += 1;
            append_command(&mut writer, seq);
            if random.below(4) == 0 {
                writer.close_group().expect("closed");
            }
            if random.below(6) == 0 {
                writer.sync().expect("synced");
            }
        }
        let (durable, written) = (writer.watermarks().durable(), writer.watermarks().written());
        let copy = scratch();
        put(copy.path(), &files(directory.path()));
        let found = survey(copy.path()).expect("a copy under a running writer");
        assert_eq!(found.last_seq, written, "round {round}");
        drop(reopen(copy.path(), &SMALL).expect("recovered"));
        assert_eq!(survey(copy.path()).expect("recovered twice").last_seq, written);
        drop(writer);
        let (opened, recovery) = reopen(directory.path(), &SMALL).expect("reopened");
        assert!((durable..=written).contains(&recovery.last_seq) && recovery.last_seq == written);
        (writer, seq) = (opened, recovery.last_seq);
    }
    assert!(seq > 300);
}

/// What the disk and the writer went through: the trace, and W and D after so many of its steps.
struct Run {
    trace: Trace,
    /// (steps done, W, D) in order.
    progress: Vec<(usize, u64, u64)>,
    /// The directory at the end; its segments are wiped before the trace is played into them.
    last: BTreeMap<String, Vec<u8>>,
}

fn run(seed: u64) -> Run {
    let mut random = Random(seed);
    let directory = scratch();
    Writer::create(directory.path(), &identity(), &DENSE).expect("created").close().expect("closed");
    let (disk, trace) = RecordingDisk::new(directory.path());
    let base = files(directory.path());
    let mut writer =
        Writer::open_with(directory.path(), None, &DENSE, &mut |_| Ok(()), disk).expect("opened").0;
    let mut progress = vec![(0, 0, 0)];
    for seq in 1..=random.below(250) + 20 {
        append_command(&mut writer, seq);
        let mut note = |writer: &Writer| {
            let steps = trace.lock().expect("ours").steps.len();
            progress.push((steps, writer.watermarks().written(), writer.watermarks().durable()));
        };
        if random.below(2) == 0 {
            writer.close_group().expect("closed");
            note(&writer);
        }
        if random.below(5) == 0 {
            writer.sync().expect("synced");
            note(&writer);
        }
    }
    drop(writer);
    let mut last = files(directory.path());
    // Segment 1 is as it was; the writer touched only those behind it.
    last.insert("00000000000000000001.seg".into(), base["00000000000000000001.seg"].clone());
    let trace = std::mem::take(&mut *trace.lock().expect("ours"));
    Run { trace, progress, last }
}

/// The directory after a power cut that follows `steps` steps.
fn crash_image(run: &Run, steps: usize, random: &mut Random) -> BTreeMap<String, Vec<u8>> {
    let mut image = run.last.clone();
    let reached = run.trace.steps[..steps].iter().map(Step::segment).max().unwrap_or(1);
    image.retain(|name, _| {
        name != "control"
            && name
                .strip_suffix(".seg")
                .is_none_or(|number| number.parse::<u64>().expect("a number") <= reached + 1)
    });
    for (name, bytes) in &mut image {
        if name.ends_with(".seg") && name != "00000000000000000001.seg" {
            let end = bytes.len() - 4096;
            bytes[4096..end].fill(0);
        }
    }
    for (at, step) in run.trace.steps[..steps].iter().enumerate() {
        let Step::Write { segment, offset, bytes } = step else {
            continue;
        };
        let synced = run.trace.steps[at..steps]
            .iter()
            .any(|later| matches!(later, Step::Sync { segment: synced } if synced == segment));
        let disk = image.get_mut(&format!("{segment:020}.seg")).expect("a segment that was reached");
        for (index, sector) in bytes.chunks(SECTOR).enumerate() {
            let start = *offset as usize + index * SECTOR;
            let target = &mut disk[start..start + sector.len()];
            match random.below(8) {
                _ if synced => target.copy_from_slice(sector),
                0..4 => target.copy_from_slice(sector),
                4..7 => {}
                _ => target.iter_mut().for_each(|byte| *byte = random.next() as u8),
            }
        }
    }
    let mark = image.get_mut("durable.mark").expect("a mark");
    // The mark is not synced with the data: any state up to now may be on the disk, or none, or a torn slot.
    match random.below(4) {
        0 => mark.fill(0),
        1 => *mark = run.trace.marks[random.below(steps as u64) as usize].clone(),
        _ => mark.clone_from(run.trace.marks.get(steps).unwrap_or(&run.last["durable.mark"])),
    }
    if random.below(4) == 0 {
        let slot = random.below(2) as usize * 4096;
        mark[slot..slot + SECTOR].iter_mut().for_each(|byte| *byte = random.next() as u8);
    }
    image
}

impl Step {
    fn segment(&self) -> u64 {
        match self {
            Step::Write { segment, .. } | Step::Sync { segment } => *segment,
        }
    }
}

#[test]
fn any_subset_of_unsynced_sectors_recovers_to_a_prefix_between_d_and_w() {
    let (mut torn, mut advanced) = (0, 0);
    for seed in 1..=60u64 {
        let run = run(seed);
        let mut random = Random(seed << 20 | 1);
        for cut in 0..40 {
            let steps = 1 + random.below(run.trace.steps.len() as u64) as usize;
            let durable =
                run.progress.iter().filter(|(at, ..)| *at <= steps).map(|(.., durable)| *durable).max();
            let written = run.progress.iter().find(|(at, ..)| *at >= steps).map(|(_, written, _)| *written);
            let durable = durable.expect("a start");
            let written = written.unwrap_or(run.progress.last().expect("a start").1);
            let place = format!("seed {seed} cut {cut} after {steps} steps, D {durable} W {written}");
            let directory = scratch();
            put(directory.path(), &crash_image(&run, steps, &mut random));
            let (mut writer, recovery) =
                reopen(directory.path(), &DENSE).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!((durable..=written).contains(&recovery.last_seq), "{place}: found {}", recovery.last_seq);
            torn += u64::from(recovery.discarded.is_some());
            advanced += u64::from(recovery.last_seq > durable);
            if cut % 8 == 0 {
                write(&mut writer, recovery.last_seq + 1..=recovery.last_seq + 9, 2, |_| true);
                drop(writer);
                let found = survey(directory.path()).unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(found.last_seq, recovery.last_seq + 9, "{place}");
            }
        }
    }
    assert!(torn > 200 && advanced > 200, "the images were too easy: {torn} torn, {advanced} beyond D");
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_recovers_to_the_same() {
    for seed in 100..=112u64 {
        let run = run(seed);
        let mut random = Random(seed << 20 | 1);
        let steps = run.trace.steps.len();
        let image = crash_image(&run, steps, &mut random);
        let directory = scratch();
        put(directory.path(), &image);
        let (disk, trace) = RecordingDisk::new(directory.path());
        let (writer, recovery) =
            Writer::open_with(directory.path(), None, &DENSE, &mut |_| Ok(()), disk).expect("recovered");
        drop(writer);
        let repair = std::mem::take(&mut *trace.lock().expect("ours"));
        for done in 0..=repair.steps.len() {
            let mut halfway = image.clone();
            for step in &repair.steps[..done] {
                if let Step::Write { segment, offset, bytes } = step {
                    let disk = halfway.get_mut(&format!("{segment:020}.seg")).expect("present");
                    disk[*offset as usize..*offset as usize + bytes.len()].copy_from_slice(bytes);
                }
            }
            let again = scratch();
            put(again.path(), &halfway);
            let (_, second) = reopen(again.path(), &DENSE)
                .unwrap_or_else(|error| panic!("seed {seed}, {done} steps of the repair: {error}"));
            assert_eq!(second.last_seq, recovery.last_seq, "seed {seed}, {done} steps of the repair");
        }
    }
}
