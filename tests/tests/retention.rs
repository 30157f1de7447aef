//! What a running venue does with what lies behind it: snapshots made by themselves and recorded, segments removed once nobody
//! needs them and never before, consumers that stay behind, and damage in sealed segments found while the venue runs.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use journal::{Bookmark, CursorName, Identity, Kind, Limit, Reader, Watermarks, snapshot_seqs};
use tests::member::Member;
use tests::venue::{Home, Venue, run};

/// For whatever must happen by itself, on any machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// A venue whose journal has small segments, and `keys` in its `[journal]` table in place of the defaults.
fn home(keys: &[(&str, &str)]) -> Home {
    Home::new(|mut text| {
        for (default, chosen) in keys {
            assert!(text.contains(default), "{default} stands in the file");
            text = text.replace(default, chosen);
        }
        text
    })
}

const SNAPSHOTS: (&str, &str) = ("snapshot_every = 1000000", "snapshot_every = 300\nkeep_segments = 0");

fn identity(home: &Home) -> Identity {
    journal::load_identity(&home.journal()).expect("a journal")
}

fn segments(home: &Home) -> Vec<u64> {
    journal::segments(&home.journal(), &identity(home)).expect("listed")
}

/// Trades on until `done`, which is asked after every few trades.
fn trade_until(alice: &mut Member, told: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{told}");
        (0..20).for_each(|_| alice.trade());
    }
}

fn pass_until(never: &Receiver<()>, told: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{told}");
        let _ = never.recv_timeout(Duration::from_millis(20));
    }
}

/// A venue whose standard error goes to a file.
fn serve_noting(home: &Home, notes: &Path) -> Venue {
    let file = File::create(notes).expect("there is room");
    let mut venue = Venue::spawn_with("serve", home, Stdio::from(file));
    venue.read_until("listening");
    venue
}

fn said(notes: &Path) -> String {
    fs::read_to_string(notes).unwrap_or_default()
}

fn beginning(home: &Home) -> Bookmark {
    journal::beginning(&home.journal(), &identity(home)).expect("it begins somewhere")
}

#[test]
fn segments_go_once_two_snapshots_are_recorded_and_the_venue_goes_on_without_them() {
    let home = home(&[SNAPSHOTS]);
    let mut venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "segment 1 goes", || segments(&home)[0] > 1);
    assert!(home.journal().join("journal.base").is_file());
    venue.read_until("is verified and recorded");
    venue.read_until("retention removed");
    let done = run("ballast", &["snapshot", "prune", home.shown()]);
    assert_eq!(done.status.code(), Some(5), "a running venue does that itself");
    for life in 0..3 {
        venue.kill();
        venue = home.serve();
        let line = venue.said.iter().find(|line| line.starts_with("journal")).expect("it is said");
        assert!(line.contains("from the snapshot of seq"), "life {life}: {line}");
        alice.log_on_again();
        let first = segments(&home)[0];
        trade_until(&mut alice, "more of them go", || segments(&home)[0] > first);
    }
    assert!(venue.terminate().0.success());

    // Two snapshots that are left were recorded in the part of the journal that is left: a kill may come between a snapshot
    // and its record, and such a one does not count.
    let mut recorded = Vec::new();
    let mut reader = Reader::open(&home.journal()).expect("it begins later");
    let mut visit = |record: &journal::Record<'_>| {
        if record.kind == Kind::SnapshotRef {
            recorded.push(u64::from_le_bytes(record.payload[..8].try_into().expect("eight bytes")));
        }
        Ok(())
    };
    while reader.poll(Limit::Durable, 1_000, &mut visit).expect("whole") > 0 {}
    let kept = snapshot_seqs(&home.journal()).expect("listed");
    let sure: Vec<u64> = kept.iter().copied().filter(|seq| recorded.contains(seq)).collect();
    assert!(sure.len() >= 2, "{kept:?} {recorded:?}");
    let floor = sure[sure.len() - 2];
    assert!(beginning(&home).seq <= floor, "the journal begins behind the snapshot of seq {floor}");

    let done =
        run("ballast", &["snapshot", "prune", home.shown(), "--keep", "2", "--keep-segments", "0", "--json"]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
    assert!(text.contains(r#""floor_segment":"#), "{text}");
    assert_eq!(snapshot_seqs(&home.journal()).expect("listed").len(), 2);
    let done = run("ballast", &["snapshot", "prune", home.shown(), "--keep", "1"]);
    assert_eq!(done.status.code(), Some(5));
    venue = home.serve();
    alice.log_on_again();
    alice.trade();
    assert!(venue.terminate().0.success());
}

#[test]
fn a_consumer_that_stopped_keeps_its_segments_until_it_is_given_up() {
    let home = home(&[SNAPSHOTS, ("consumer_alarm_mib = 1024", "consumer_alarm_mib = 1")]);
    let notes = home.path().join("notes");
    let venue = serve_noting(&home, &notes);
    let bridge = CursorName::new("bridge").expect("legal");
    let start = beginning(&home);
    journal::store_cursor(&home.journal(), identity(&home).journal_id, &bridge, &start).expect("stored");
    let mut alice = Member::new(home.path(), "alice");
    let far = |home: &Home| segments(home).last().is_some_and(|last| *last > 4);
    trade_until(&mut alice, "the journal grows", || far(&home));
    let (_nobody, never) = channel();
    pass_until(&never, "the alarm", || said(&notes).contains("ALARM: consumer bridge is more than "));
    pass_until(&never, "snapshots", || snapshot_seqs(&home.journal()).expect("listed").len() >= 2);
    (0..100).for_each(|_| alice.trade());
    assert_eq!(segments(&home)[0], 1, "what a consumer has not read stays");
    let mut reader = Reader::open_at(&home.journal(), &start).expect("it can go on where it was");
    assert!(reader.poll(Limit::Durable, 10, &mut |_| Ok(())).expect("whole") > 0);

    let forget = ["snapshot", "forget", home.shown(), "bridge"];
    assert_eq!(run("ballast", &forget).status.code(), Some(2), "a reason is asked for");
    journal::store_cursor(&home.journal(), identity(&home).journal_id, &bridge, &start).expect("stored");
    let done = run("ballast", &[&forget[..], &["--reason", "it moved elsewhere"]].concat());
    assert!(done.status.success());
    let warned = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(warned.contains("bridge moved its cursor "), "it may be running: {warned}");
    let kept = fs::read_to_string(home.journal().join("forgotten.log")).expect("written down");
    assert!(kept.contains("bridge at seq 0") && kept.contains("it moved elsewhere"), "{kept}");
    // The snapshots so far may both lie in the first segment: more trades make later ones.
    trade_until(&mut alice, "what nobody needs goes", || segments(&home)[0] > 1);
    assert!(venue.terminate().0.success());
}

#[test]
fn a_consumer_that_stays_behind_the_bound_ends_the_venue_rather_than_lose_what_it_needs() {
    let home = home(&[("consumer_halt_mib = 0", "consumer_halt_mib = 6")]);
    let notes = home.path().join("notes");
    let venue = serve_noting(&home, &notes);
    let bridge = CursorName::new("bridge").expect("legal");
    let mut alice = Member::new(home.path(), "alice");
    let marks = Watermarks::open(&home.journal()).expect("mapped");
    // Of segments of 4 MiB, two are full: spares hold nothing.
    trade_until(&mut alice, "the journal grows", || marks.durable_position().segment() > 2);
    // Nobody writes any more, so nobody's connection breaks in the middle of a word.
    let start = beginning(&home);
    journal::store_cursor(&home.journal(), identity(&home).journal_id, &bridge, &start).expect("stored");
    let (status, _) = venue.ended();
    assert_eq!(status.code(), Some(1), "{}", said(&notes));
    assert!(said(&notes).contains("halted: consumer bridge is"), "{}", said(&notes));
    assert_eq!(segments(&home)[0], 1, "nothing is lost");
}

#[test]
fn the_operators_hold_keeps_everything_and_an_archive_gets_what_goes() {
    let home = home(&[SNAPSHOTS]);
    let archive = home.path().join("archive");
    let file = home.path().join("ballast.toml");
    let text = fs::read_to_string(&file).expect("there");
    let keys = format!("keep_segments = 0\narchive = {:?}", archive.display().to_string());
    fs::write(&file, text.replace("keep_segments = 0", &keys)).expect("there is room");
    let venue = home.serve();
    fs::write(home.journal().join("hold"), "an audit").expect("there is room");
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "the journal grows", || segments(&home).last().is_some_and(|last| *last > 4));
    let (_nobody, never) = channel();
    pass_until(&never, "snapshots", || snapshot_seqs(&home.journal()).expect("listed").len() >= 2);
    (0..100).for_each(|_| alice.trade());
    assert_eq!(segments(&home)[0], 1);
    let first = fs::read(journal::segment_path(&home.journal(), 1)).expect("it is held");
    fs::remove_file(home.journal().join("hold")).expect("it was there");
    pass_until(&never, "what nobody needs goes", || segments(&home)[0] > 1);
    let kept = archive.join("00000000000000000001.seg");
    assert!(fs::read(kept).expect("it was archived") == first, "the archive has other bytes");
    assert!(venue.terminate().0.success());
}

/// What a running venue does by itself, done by hand: nothing under a hold, then all but what is to stay, archived first.
#[test]
fn an_operator_prunes_by_hand_what_nobody_needs() {
    let home = home(&[("snapshot_every = 1000000", "snapshot_every = 300")]);
    let mut venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "the journal grows", || {
        segments(&home).last().is_some_and(|last| *last > 5)
            && snapshot_seqs(&home.journal()).expect("listed").len() > 2
    });
    let newest = *snapshot_seqs(&home.journal()).expect("listed").last().expect("there are three");
    venue.read_until(&format!("seq {newest} is verified and recorded"));
    assert!(venue.terminate().0.success());
    // A start records what its maker verified last.
    assert!(home.serve().terminate().0.success());
    let archive = home.path().join("archive");
    let prune = |more: &[&str]| {
        let done = run("ballast", &[&["snapshot", "prune", home.shown(), "--json"][..], more].concat());
        let said = String::from_utf8_lossy(&[&done.stdout[..], &done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{said}");
        said
    };
    fs::write(home.journal().join("hold"), "an audit").expect("there is room");
    assert!(prune(&["--keep-segments", "0"]).contains("\"segments\":0"), "it is held");
    fs::remove_file(home.journal().join("hold")).expect("it was there");
    let before: Vec<(u64, Vec<u8>)> = segments(&home)
        .into_iter()
        .map(|number| (number, fs::read(journal::segment_path(&home.journal(), number)).expect("there")))
        .collect();
    let said = prune(&["--keep-segments", "1", "--archive", archive.to_str().expect("text")]);
    let first = segments(&home)[0];
    assert!(first > 1, "{said}");
    assert!(said.contains(&format!("\"segments\":{}", first - 1)), "{said}");
    for (number, bytes) in before.iter().filter(|(number, _)| *number < first) {
        let kept = fs::read(archive.join(format!("{number:020}.seg"))).expect("it was archived");
        assert!(kept == *bytes, "segment {number} has other bytes in the archive");
    }
    assert!(home.serve().terminate().0.success(), "the rest is a journal");
}

/// To free space takes none: the disk has not one byte left, and nothing but segments can go.
#[test]
fn an_operator_prunes_a_disk_that_is_full() {
    if std::env::var_os("BALLAST_MOUNTS").is_none() {
        println!("J9 prune on a full disk: SKIPPED, set BALLAST_MOUNTS=1 as root");
        return;
    }
    let place = tempfile::tempdir().expect("a place to mount at");
    let mount = |words: &[&str]| Command::new(words[0]).args(&words[1..]).arg(place.path()).status();
    let done = mount(&["mount", "-t", "tmpfs", "-o", "size=256m", "venue"]);
    assert!(done.expect("there is mount").success(), "BALLAST_MOUNTS=1 needs the right to mount");
    let home = Home::within(place.path(), |text| text.replace(SNAPSHOTS.0, "snapshot_every = 300"));
    let mut venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "the journal grows", || {
        segments(&home).last().is_some_and(|last| *last > 5)
            && snapshot_seqs(&home.journal()).expect("listed").len() > 2
    });
    let newest = *snapshot_seqs(&home.journal()).expect("listed").last().expect("there are three");
    venue.read_until(&format!("seq {newest} is verified and recorded"));
    assert!(venue.terminate().0.success());
    assert!(home.serve().terminate().0.success());
    let mut other = File::create(place.path().join("other")).expect("a name takes no space here");
    for bytes in [1 << 20, 4096, 1] {
        while other.write_all(&vec![7; bytes]).is_ok() {}
    }
    let all = snapshot_seqs(&home.journal()).expect("listed").len().to_string();
    let done = run("ballast", &["snapshot", "prune", home.shown(), "--keep", &all, "--keep-segments", "1"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(segments(&home)[0] > 1, "{}", String::from_utf8_lossy(&done.stdout));
    assert!(home.serve().terminate().0.success(), "the rest is a journal");
    drop(home);
    let _ = mount(&["umount", "-l"]);
    println!("J9 prune on a full disk: done with 0 bytes free");
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_reported_while_the_venue_runs_and_freezes_retention() {
    let home = home(&[SNAPSHOTS, ("scrub_mib_per_s = 8", "scrub_mib_per_s = 256")]);
    fs::create_dir_all(home.journal()).expect("there is room");
    let notes = home.path().join("notes");
    let venue = serve_noting(&home, &notes);
    fs::write(home.journal().join("hold"), "").expect("there is room");
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "the journal grows", || segments(&home).last().is_some_and(|last| *last > 3));
    assert!(!said(&notes).contains("ALARM"), "{}", said(&notes));
    let path = journal::segment_path(&home.journal(), 1);
    let bytes = fs::read(&path).expect("there");
    // In its place: the file is never shorter, as it is not when a medium rots.
    let file = File::options().write(true).open(&path).expect("it is ours");
    file.write_all_at(&[bytes[100_000] ^ 0x10], 100_000).expect("there is room");
    let (_nobody, never) = channel();
    pass_until(&never, "the alarm", || said(&notes).contains("ALARM: a sealed segment no longer verifies"));
    assert!(said(&notes).contains("segment=1"), "{}", said(&notes));
    fs::remove_file(home.journal().join("hold")).expect("it was there");
    (0..200).for_each(|_| alice.trade());
    assert_eq!(segments(&home)[0], 1, "nothing goes while something is damaged");
    assert!(venue.terminate().0.success(), "the venue goes on all the same");
}

/// The maker fails; the venue says so and trades on.
#[test]
fn a_snapshot_that_cannot_be_made_is_an_alarm_and_nothing_more() {
    let home = home(&[("snapshot_every = 1000000", "snapshot_every = 100")]);
    let notes = home.path().join("notes");
    let venue = serve_noting(&home, &notes);
    // A file where the directory must be.
    fs::write(home.journal().join("snap"), "in the way").expect("there is room");
    let mut alice = Member::new(home.path(), "alice");
    trade_until(&mut alice, "the alarm", || said(&notes).contains("ALARM: no snapshot was made"));
    alice.trade();
    assert!(venue.terminate().0.success());
}
