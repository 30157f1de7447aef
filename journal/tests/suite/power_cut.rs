//! Crashes at arbitrary points: the process dies and the cache survives, or the power goes and any subset of the
//! unsynced sectors is on the disk, whole or as garbage. Recovered is always an exact prefix that ends in [D, W].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use journal::{Ending, Writer};

use crate::BACK_END;
use crate::support::{
    DENSE, Disk, Random, RecordingDisk, SMALL, Step, Trace, append_command, files, identity,
    on_all_processors, put, reopen, scratch, seed, survey, tiered, write,
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

/// What became of the sectors that were written and not synced.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// A prefix that ends at a sync.
    NoneArrived,
    AllArrived,
    /// Of eight sectors so many arrived whole.
    Subset(u64),
    /// All arrived but one, which was in flight.
    OneTorn,
    /// Some arrived, some did not, and some hold garbage.
    Mixed,
}

impl Fate {
    fn draw(random: &mut Random) -> Fate {
        match random.below(8) {
            0 => Fate::NoneArrived,
            1 => Fate::AllArrived,
            2..5 => Fate::Subset(1 + random.below(7)),
            5 => Fate::OneTorn,
            _ => Fate::Mixed,
        }
    }

    /// `is_torn` is true for one sector of the image.
    fn apply(self, target: &mut [u8], sector: &[u8], is_torn: bool, random: &mut Random) {
        let arrived = match self {
            Fate::NoneArrived => false,
            Fate::AllArrived => true,
            Fate::Subset(eighths) => random.below(8) < eighths,
            Fate::OneTorn => !is_torn,
            Fate::Mixed => random.below(2) == 0,
        };
        let garbage = match self {
            Fate::OneTorn => is_torn,
            Fate::Mixed => !arrived && random.below(4) == 0,
            _ => false,
        };
        if garbage {
            target.iter_mut().for_each(|byte| *byte = random.next() as u8);
        } else if arrived {
            target.copy_from_slice(sector);
        }
    }
}

/// The directory after a power cut that follows `steps` steps.
fn crash_image(run: &Run, steps: usize, fate: Fate, random: &mut Random) -> BTreeMap<String, Vec<u8>> {
    let done = &run.trace.steps[..steps];
    let reached = done.iter().map(Step::segment).max().unwrap_or(1);
    // The segment behind the last used one is made by a thread of its own: complete, half made, or not begun.
    let spare = match random.below(4) {
        0 => None,
        1 => Some(random.below(65_536) as usize),
        _ => Some(usize::MAX),
    };
    let mut image = run.last.clone();
    image.retain(|name, _| {
        let number = name.strip_suffix(".seg").map(|number| number.parse::<u64>().expect("a number"));
        name != "control" && number.is_none_or(|number| number <= reached + u64::from(spare.is_some()))
    });
    for (name, bytes) in &mut image {
        if name.ends_with(".seg") && name != "00000000000000000001.seg" {
            let end = bytes.len() - 4096;
            bytes[4096..end].fill(0);
        }
    }
    if let Some(made) = spare.filter(|made| *made < 65_536) {
        let name = format!("{:020}.seg", reached + 1);
        if let Some(mut half) = image.remove(&name) {
            half.truncate(made);
            image.insert(format!("{name}.tmp"), half);
        }
    }
    let last_sync = |number: u64| {
        let is_sync = |step: &Step| matches!(step, Step::Sync { segment } if *segment == number);
        done.iter().rposition(is_sync).unwrap_or(0)
    };
    let synced: BTreeMap<u64, usize> = (1..=reached).map(|number| (number, last_sync(number))).collect();
    let sectors = |step: &Step| if let Step::Write { bytes, .. } = step { bytes.len() / SECTOR } else { 0 };
    let in_flight: usize = done
        .iter()
        .enumerate()
        .filter(|(at, step)| synced[&step.segment()] < *at)
        .map(|(_, step)| sectors(step))
        .sum();
    let mut until_torn = random.below(in_flight.max(1) as u64);
    for (at, step) in done.iter().enumerate() {
        let Step::Write { segment, offset, bytes } = step else {
            continue;
        };
        let disk = image.get_mut(&format!("{segment:020}.seg")).expect("a segment that was reached");
        let place = *offset as usize..*offset as usize + bytes.len();
        if at < synced[segment] {
            disk[place].copy_from_slice(bytes);
            continue;
        }
        for (target, sector) in disk[place].chunks_mut(SECTOR).zip(bytes.chunks(SECTOR)) {
            fate.apply(target, sector, until_torn == 0, random);
            until_torn = until_torn.wrapping_sub(1);
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

/// D and W when so many steps were done: what recovery must keep, and what it may find.
fn bounds(run: &Run, steps: usize) -> (u64, u64) {
    let durable = run.progress.iter().filter(|(at, ..)| *at <= steps).map(|(.., durable)| *durable).max();
    let written = run.progress.iter().find(|(at, ..)| *at >= steps).map(|(_, written, _)| *written);
    (durable.expect("a start"), written.unwrap_or(run.progress.last().expect("a start").1))
}

#[test]
fn any_subset_of_unsynced_sectors_recovers_to_a_prefix_between_d_and_w() {
    const IMAGES_PER_RUN: u64 = 200;
    /// So many images are recovered as well, and a writer goes on in them; of the others only the verdict is asked.
    const RECOVERED_OF: u64 = 16;
    let (images, seed) = (tiered(20_000, 1_000_000), seed());
    let counts: [AtomicU64; 3] = Default::default();
    on_all_processors(images / IMAGES_PER_RUN, |round| {
        let [torn, advanced, recovered] = &counts;
        let count = |what: &AtomicU64, is_so| what.fetch_add(u64::from(is_so), Ordering::Relaxed);
        let run = run(seed.wrapping_mul(1_000_003) + round);
        let mut random = Random((seed << 40) + (round << 8) + 1);
        let mut disk = Disk::new();
        for cut in 0..IMAGES_PER_RUN {
            let steps = 1 + random.below(run.trace.steps.len() as u64) as usize;
            let (durable, written) = bounds(&run, steps);
            let fate = Fate::draw(&mut random);
            let place = format!(
                "BALLAST_SEED={seed} round {round} cut {cut} after {steps} steps, {fate:?}, D {durable} W {written}"
            );
            let image = crash_image(&run, steps, fate, &mut random);
            disk.hold(&image);
            let found = survey(disk.path()).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!((durable..=written).contains(&found.last_seq), "{place}: found {}", found.last_seq);
            count(torn, matches!(found.ending, Ending::Torn { .. }));
            count(advanced, found.last_seq > durable);
            if cut % RECOVERED_OF == 0 {
                recover_and_go_on(&image, found.last_seq, &place);
                count(recovered, true);
            }
        }
    });
    let [torn, advanced, recovered] = counts.map(AtomicU64::into_inner);
    println!(
        "J3 power cuts over {BACK_END}: {images} crash images, {recovered} of them recovered and written on, {torn} torn tails, \
         {advanced} beyond D, 0 failures (BALLAST_SEED={seed})"
    );
    assert!(
        torn * 10 > images && advanced * 10 > images,
        "the images were too easy: {torn} torn, {advanced} beyond D"
    );
}

fn recover_and_go_on(image: &BTreeMap<String, Vec<u8>>, last_seq: u64, place: &str) {
    let directory = scratch();
    put(directory.path(), image);
    let (mut writer, recovery) =
        reopen(directory.path(), &DENSE).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(recovery.last_seq, last_seq, "{place}");
    write(&mut writer, last_seq + 1..=last_seq + 9, 2, |_| true);
    drop(writer);
    let found = survey(directory.path()).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(found.last_seq, last_seq + 9, "{place}");
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_recovers_to_the_same() {
    for seed in 100..=112u64 {
        let run = run(seed);
        let mut random = Random(seed << 20 | 1);
        let steps = run.trace.steps.len();
        let image = crash_image(&run, steps, Fate::Mixed, &mut random);
        let directory = scratch();
        put(directory.path(), &image);
        let (disk, trace) = RecordingDisk::new(directory.path());
        let (writer, recovery) =
            Writer::open_with(directory.path(), None, &DENSE, &mut |_| Ok(()), disk).expect("recovered");
        drop(writer);
        let repair = std::mem::take(&mut *trace.lock().expect("ours"));
        for (done, only_the_last) in (0..=repair.steps.len()).flat_map(|done| [(done, false), (done, true)]) {
            let mut halfway = image.clone();
            let is_sync = |step: &Step| matches!(step, Step::Sync { .. });
            let synced = repair.steps[..done].iter().rposition(is_sync).map_or(0, |at| at + 1);
            for (at, step) in repair.steps[..done].iter().enumerate() {
                // The power may go as well, and of what was not synced only the last write is on the disk.
                let is_lost = only_the_last && at >= synced && at + 1 < done;
                if let (Step::Write { segment, offset, bytes }, false) = (step, is_lost) {
                    let disk = halfway.get_mut(&format!("{segment:020}.seg")).expect("present");
                    disk[*offset as usize..*offset as usize + bytes.len()].copy_from_slice(bytes);
                }
            }
            let again = scratch();
            put(again.path(), &halfway);
            let place = format!("seed {seed}, {done} steps of the repair, only the last: {only_the_last}");
            let (_, second) = reopen(again.path(), &DENSE).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(second.last_seq, recovery.last_seq, "{place}");
        }
    }
}
