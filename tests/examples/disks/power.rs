//! J5: the power goes at any write, sync or change of a name of a journal's life, on a disk that forgets or tears whatever
//! was not synced. `written` and `direct` reach the disk as they are; of `mapped`, what the kernel has not written back is
//! forgotten with its page cache.

use std::sync::{Arc, Mutex};

use journal::BackEnd;
use tests::tier::{seed, tiered};
use tests::workload::Draw;

use crate::forgetful::{Counts, Disk, Plan};
use crate::forgetful_fuse::{Mounted, SharedDisk, lock};
use crate::mounts::is_of_the_disk;
use crate::parent::{Life, Told};
use crate::slow::Slow;

/// Lives on one disk; then an empty one, so that creations are cut as well.
const LIVES: u64 = 8;

pub fn run() {
    let (cuts, seed) = (tiered(10, 300), seed());
    let mut told = Told::default();
    let mut counts = Counts::default();
    for (line, back_end) in BackEnd::ALL.into_iter().enumerate() {
        let lines = BackEnd::ALL.len() as u64;
        let cuts = (cuts + lines - 1 - line as u64) / lines;
        let mut draw = Draw::new(seed + line as u64 * 1_000_003);
        for first in (0..cuts).step_by(LIVES as usize) {
            let (one, of) = one_disk(back_end, first..cuts.min(first + LIVES), &mut draw);
            told.add(&one);
            counts.add(&of);
            assert!(back_end != BackEnd::Direct || of.through > 0, "direct writes are seen as what they are");
        }
    }
    println!(
        "J5 forgetful disk: {cuts} power cuts over written, mapped and direct; {} sectors forgotten, {} arrived, {} torn, {} names \
         lost; {} recoveries, {} of them beyond D, {} promises kept, 0 failures (BALLAST_SEED={seed})",
        counts.forgotten,
        counts.arrived,
        counts.torn,
        counts.names_lost,
        told.recovered,
        told.advanced,
        told.promises
    );
    assert!(
        counts.forgotten > cuts && counts.torn > 0 && told.promises > cuts,
        "the cuts did what they are for"
    );
}

fn one_disk(back_end: BackEnd, cuts: std::ops::Range<u64>, draw: &mut Draw) -> (Told, Counts) {
    let home = tests::tier::scratch();
    let (disk, slow): (SharedDisk, _) = (Arc::new(Mutex::new(Disk::new())), Arc::new(Slow::default()));
    let directory = home.path().join("journal");
    let mut told = Told::default();
    for cut in cuts {
        let place = format!("BALLAST_SEED={} {back_end} cut {cut}", seed());
        // Few steps: the creation or the recovery is cut.
        let steps = if draw.one_in(3) { 1 + draw.below(60) } else { 1 + draw.below(3_000) };
        lock(&disk).begin(Plan { power_lasts: Some(steps), ..Plan::default() });
        let mounted = Mounted::at(home.path(), &disk, &slow);
        let life = Life::begin(&directory, back_end, draw.bits());
        let failed = life.end(&mut told, &place);
        let is_cut = lock(&disk).is_off();
        assert!(
            failed.as_deref().is_none_or(|failed| is_cut && is_of_the_disk(failed)),
            "{place}: {failed:?}"
        );
        lock(&disk).switch_off();
        drop(mounted);
        lock(&disk).cut(draw);
    }
    // One that nothing happens to: all of it must be there.
    let mounted = Mounted::at(home.path(), &disk, &slow);
    let failed = Life::begin(&directory, back_end, draw.bits()).end(&mut told, "the last life");
    assert!(failed.is_none(), "{failed:?}");
    drop(mounted);
    let counts = lock(&disk).counts;
    (told, counts)
}
