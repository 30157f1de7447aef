//! kill -9 at random moments under load from four sessions. Each member keeps what it was told; nothing of that may be
//! missing afterwards, nothing may be there twice, and the state must be the one that an independent replay and the
//! naive model reach. Some kills hit the start and the recovery themselves.
//!
//! `BALLAST_TIER=1` is the size of a release; `BALLAST_KILLS` sets the number of cycles, `BALLAST_ACKS` how many messages the
//! members hear at the least, `BALLAST_SEED` the moments.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

use gateway::snapshots::verify;
use journal::{load_identity, snapshot_path, snapshot_seqs};
use tests::audit::audit;
use tests::crowd::{Crowd, Sum, compare, pass, pass_to};
use tests::tier::{number, seed, tiered};
use tests::venue::{Home, Venue, run};
use tests::workload::Draw;

#[test]
fn nothing_acknowledged_is_lost_or_done_twice() {
    let (kills, seed) = (number("BALLAST_KILLS", tiered(50, 500)), seed());
    let least = number("BALLAST_ACKS", tiered(0, 5_000_000));
    println!("BALLAST_KILLS={kills} BALLAST_ACKS={least} BALLAST_SEED={seed}");
    let mut draw = Draw::new(seed);
    let (_nobody, never) = channel();
    let home = Home::new(|text| {
        // Snapshots are made, recorded and gone on from while everything is killed.
        let text = text.replace("mark_every = 10000", "mark_every = 500");
        text.replace("snapshot_every = 1000000", &format!("snapshot_every = {}", tiered(700, 20_000)))
    });
    let mut venue = home.serve();
    let crowd = Crowd::start(home.path(), seed);
    let acks = Arc::clone(&crowd.acks);
    let (mut in_recovery, mut idle) = (0, 0);
    for cycle in 0..kills {
        let before = acks.load(Ordering::Relaxed);
        // On a slow machine most members would not be back in so short a time.
        if cycle % 3 > 0 {
            pass_to(&never, &acks, before + 1);
        }
        pass_to(&never, &acks, least / kills * (cycle + 1));
        pass(&never, 10 + draw.below(70));
        if cycle % 10 == 3 {
            // On a slow machine no maker of the venue's own would be done in so short a life.
            let made = run("ballast", &["snapshot", "create", home.shown()]).status.code();
            assert!([Some(0), Some(5)].contains(&made), "made, or another one is at it: {made:?}");
        }
        idle += u64::from(acks.load(Ordering::Relaxed) == before);
        venue.kill();
        if cycle % 5 == 4 {
            // This one dies before it listens, somewhere in its own recovery.
            let unborn = Venue::spawn("serve", &home);
            pass(&never, draw.below(60));
            unborn.kill();
            in_recovery += 1;
        }
        venue = home.serve();
    }
    pass(&never, 200);
    let told = crowd.end();
    let (status, _) = venue.terminate();
    assert!(status.success(), "the last venue ends well: {status}");

    let audit = audit(&home.journal());
    let Sum { sent, heard, resumed, resent } = compare(&told, &audit);
    println!(
        "J1 kills: {kills} kills, {in_recovery} more in a recovery; {sent} commands sent, {heard} messages heard, 0 lost; \
         {resumed} resumes, {resent} commands sent again; {} commands and {} marks replayed equal",
        audit.commands, audit.marks
    );
    assert!(heard >= least / kills * kills, "only {heard} messages were heard");
    let (journal, mut snapshots) = (home.journal(), 0);
    for seq in snapshot_seqs(&journal).expect("listed") {
        let identity = load_identity(&journal).expect("a journal");
        let seen = verify::file(&snapshot_path(&journal, seq), Some(&identity));
        assert!(seen.verdict.is_ok(), "the snapshot of seq {seq}: {:?}", seen.verdict.err());
        snapshots += 1;
    }
    assert!(snapshots > 0, "some were made between the kills");
    assert!(audit.marks > 0 && resumed * 2 >= kills, "the cycles did what they are for");
    assert!(idle * 2 < kills, "most kills came under load");
}
