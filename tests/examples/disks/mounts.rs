//! J4: ext4 and XFS are shut down without a flush of their log while a journal is under load, mounted again, and recovered.

use std::sync::mpsc::channel;
use std::time::Duration;

use journal::BackEnd;
use tests::tier::{seed, tiered};
use tests::workload::Draw;

use crate::loop_mount::LoopMount;
use crate::parent::{Life, Told};

const KINDS: [&str; 2] = ["ext4", "xfs"];
/// Lives of one directory; then a new one, so that creations are cut as well.
const LIVES: u64 = 6;

pub fn run() {
    let (cuts, seed) = (tiered(10, 200), seed());
    let disks = KINDS.map(LoopMount::make);
    let (mut recovered, mut advanced, mut promises) = (0, 0, 0);
    let lines = KINDS.len() * BackEnd::ALL.len();
    for line in 0..lines {
        let (disk, back_end) = (&disks[line % KINDS.len()], BackEnd::ALL[line / KINDS.len()]);
        let cuts = (cuts + lines as u64 - 1 - line as u64) / lines as u64;
        let told = cut(disk, back_end, cuts, seed + line as u64 * 1_000_003);
        recovered += told.recovered;
        advanced += told.advanced;
        promises += told.promises;
    }
    println!(
        "J4 shutdowns of ext4 and XFS: {cuts} without a flush of the log over written, mapped and direct, {recovered} recoveries, \
         {advanced} of them beyond D, {promises} promises kept, 0 failures (BALLAST_SEED={seed})"
    );
    assert!(recovered >= cuts && promises > cuts, "the cuts did what they are for");
}

fn cut(disk: &LoopMount, back_end: BackEnd, cuts: u64, seed: u64) -> Told {
    let mut draw = Draw::new(seed);
    let mut sum = Told::default();
    let mut told = Told::default();
    for at in 0..cuts {
        let place = format!("BALLAST_SEED={} {} {back_end} cut {at}", tests::tier::seed(), disk.kind);
        let directory = disk.point().join(format!("journal-{back_end}-{}", at / LIVES));
        disk.mount();
        let mut life = Life::begin(&directory, back_end, draw.bits());
        // Sometimes in the recovery, mostly under load.
        for _ in 0..if draw.one_in(4) { 0 } else { draw.below(500) } {
            if !life.hear(&mut told, &place) {
                break;
            }
        }
        pass(draw.below(20_000));
        disk.shut_down();
        let failed = life.end(&mut told, &place);
        disk.unmount();
        if at % LIVES == LIVES - 1 || at == cuts - 1 {
            // One that nothing happens to: all of it must be there.
            disk.mount();
            let life = Life::begin(&directory, back_end, draw.bits());
            let failed = life.end(&mut told, &place);
            assert!(failed.is_none(), "{place}, then: {failed:?}");
            disk.unmount();
            sum.add(&std::mem::take(&mut told));
        } else {
            assert!(failed.is_none_or(|failed| is_of_the_disk(&failed)), "{place}");
        }
    }
    sum
}

/// What a life may say whose disk is gone; a damaged journal is none of it.
pub fn is_of_the_disk(failed: &str) -> bool {
    let words = ["(os error", "signal: 7", "poisoned", "SIGBUS"];
    let is = words.iter().any(|word| failed.contains(word));
    if !is {
        eprintln!("failed: {failed}");
    }
    is
}

/// Passes the time without being woken; nobody sends.
fn pass(microseconds: u64) {
    let (_nobody, never) = channel::<()>();
    let _ = never.recv_timeout(Duration::from_micros(microseconds));
}
