//! A disk that gives no more: what stands ready, what the reserve is for, that a writer without a segment loses nothing and
//! goes on when there is space, and that a journal is opened on such a disk or refused whole. Directories under the temporary
//! names of segments and of the reserve stand for a full disk; with `BALLAST_MOUNTS=1` a small file system is one.

use std::fs;
use std::io::ErrorKind;
use std::ops::RangeFrom;
use std::path::Path;
use std::process::Command;

use journal::{OpenError, Options, WriteError, Writer};

use super::system_calls::{DIRECTORY, has_strace};
use crate::BACK_END;
use crate::support::{
    DENSE, append_command, files, fill_up, identity, make_space, reopen, scratch, segment, stocked, survey,
    tiered,
};

const RESERVE_BYTES: u64 = 64 << 10;
/// Larger than the reserve, so that the two can be told apart.
const WHOLE: Options = Options { segment_bytes: 128 << 10, ..DENSE };

/// Writes until the writer gives up, each group synced; the seq that stands in the open group.
fn write_until_full(writer: &mut Writer, seqs: &mut RangeFrom<u64>) -> u64 {
    loop {
        let seq = seqs.next().expect("no end");
        append_command(writer, seq);
        match writer.close_group() {
            Ok(written) => assert_eq!((written, writer.sync().expect("synced")), (seq, seq)),
            Err(WriteError::NoSpace(_)) => return seq,
            Err(error) => panic!("{error}"),
        }
    }
}

fn wait_for_fault(writer: &Writer) -> String {
    loop {
        match writer.spare_fault() {
            Some(fault) => return fault,
            None => std::thread::yield_now(),
        }
    }
}

fn length(directory: &Path, number: u64) -> u64 {
    fs::metadata(segment(directory, number)).expect("it is there").len()
}

#[test]
fn two_spares_and_a_reserve_stand_ready_and_are_kept_for_the_next_writer() {
    let directory = scratch();
    let (home, reserve) = (directory.path(), directory.path().join("reserve.bin"));
    let writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    assert_eq!((length(home, 2), length(home, 3)), (128 << 10, 128 << 10));
    assert_eq!(fs::read(&reserve).expect("made"), vec![0; RESERVE_BYTES as usize]);
    assert!(!segment(home, 4).exists() && !writer.room().is_short);
    writer.close().expect("closed");
    let before: Vec<_> = [2, 3].map(|number| fs::read(segment(home, number)).expect("read")).into();
    let writer = reopen(home, &WHOLE).expect("whole").0;
    stocked(&writer, home);
    for (number, bytes) in [2, 3].into_iter().zip(before) {
        assert!(fs::read(segment(home, number)).expect("read") == bytes, "segment {number} was made once");
    }
}

/// A group that finds no segment stays open, however often it is tried, and is written when there is one.
#[test]
fn a_writer_without_space_loses_nothing_and_goes_on_when_there_is_some() {
    let directory = scratch();
    let home = directory.path();
    let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    fill_up(home, 4..40);
    let mut seqs = 1..;
    let waiting = write_until_full(&mut writer, &mut seqs);
    let fault = wait_for_fault(&writer);
    assert!(fault.contains("reserve.bin") || fault.contains("needs 131072 bytes"), "{fault}");
    assert_eq!((length(home, 3), length(home, 4)), (128 << 10, RESERVE_BYTES), "the last one is the reserve");
    assert!(writer.room().is_short && writer.room().spares == 0, "{:?}", writer.room());
    for _ in 0..3 {
        assert!(matches!(writer.close_group(), Err(WriteError::NoSpace(_))));
        assert_eq!(writer.sync().expect("what was closed is durable"), waiting - 1);
    }
    make_space(home, 4..40);
    assert_eq!(writer.close_group().expect("there is space"), waiting);
    assert_eq!(writer.sync().expect("synced"), waiting);
    stocked(&writer, home);
    assert_eq!(writer.spare_fault(), None);
    assert_eq!(length(home, 5), 128 << 10, "whole again");
    writer.close().expect("closed");
    assert_eq!(reopen(home, &WHOLE).expect("whole").1.last_seq, waiting);
}

#[test]
fn a_writer_that_ends_without_space_has_lost_what_was_never_closed_and_no_more() {
    let directory = scratch();
    let home = directory.path();
    let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    fill_up(home, 4..40);
    let waiting = write_until_full(&mut writer, &mut (1..));
    assert!(matches!(writer.close(), Err(WriteError::NoSpace(_))));
    let refused = reopen(home, &WHOLE).err();
    assert!(matches!(&refused, Some(OpenError::Io { what: "make a segment", .. })), "{refused:?}");
    make_space(home, 4..40);
    assert_eq!(reopen(home, &WHOLE).expect("whole").1.last_seq, waiting - 1);
}

/// Sealed ahead of a rotation, a journal is complete as it lies there; it goes on in the next segment, in this life or another.
#[test]
fn a_journal_that_was_sealed_early_goes_on_in_the_next_segment() {
    for is_reopened in [false, true] {
        let directory = scratch();
        let home = directory.path();
        let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
        stocked(&writer, home);
        append_command(&mut writer, 1);
        writer.seal().expect("a group is open: nothing happens");
        writer.close_group().expect("closed");
        writer.seal().expect("sealed");
        writer.seal().expect("once");
        assert_eq!(writer.room().left_bytes, 0);
        if is_reopened {
            drop(writer);
            writer = reopen(home, &WHOLE).expect("whole").0;
        }
        append_command(&mut writer, 2);
        writer.close_group().expect("closed");
        assert_eq!(writer.watermarks().written_position().segment(), 2);
        writer.close().expect("closed");
        let (_, recovery) = reopen(home, &WHOLE).expect("whole");
        assert_eq!((recovery.last_seq, recovery.discarded), (2, None));
    }
}

/// Killed in the hour of need, and again: each start finds the reserve, or what was made of it, as long as nothing is said.
#[test]
fn a_journal_is_opened_on_a_full_disk_by_means_of_the_reserve() {
    let directory = scratch();
    let home = directory.path();
    let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    fill_up(home, 2..40);
    for number in [2, 3] {
        fs::remove_file(segment(home, number)).expect("never made");
    }
    append_command(&mut writer, 1);
    writer.close_group().expect("closed");
    writer.sync().expect("synced");
    drop(writer);
    for life in 0..3 {
        let (writer, recovery) = reopen(home, &WHOLE).expect("the reserve is a segment");
        assert_eq!((recovery.last_seq, length(home, 2)), (1, RESERVE_BYTES), "life {life}");
        assert!(!home.join("reserve.bin").exists());
        wait_for_fault(&writer);
    }
    make_space(home, 2..40);
    let (mut writer, _) = reopen(home, &WHOLE).expect("whole");
    assert_eq!(length(home, 2), 128 << 10, "an unused short one is replaced");
    append_command(&mut writer, 2);
    writer.close_group().expect("closed");
    stocked(&writer, home);
    writer.close().expect("closed");
    assert_eq!(reopen(home, &WHOLE).expect("whole").1.last_seq, 2);
}

/// A venue that is halted seals as soon as nothing is to be written, and is killed or ended, again and again.
#[test]
fn a_journal_in_which_nothing_is_written_takes_no_segment_however_often_it_is_opened() {
    let directory = scratch();
    let home = directory.path();
    let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    fill_up(home, 2..40);
    for number in [2, 3] {
        fs::remove_file(segment(home, number)).expect("never made");
    }
    append_command(&mut writer, 1);
    writer.close_group().expect("closed");
    writer.close().expect("closed");
    let mut names = Vec::new();
    for life in 0..6 {
        let (mut writer, recovery) = reopen(home, &WHOLE).expect("what the last one had is there");
        assert_eq!(recovery.last_seq, 1);
        wait_for_fault(&writer);
        writer.seal().expect("nothing is in it");
        if life % 2 == 0 {
            writer.close().expect("closed");
        }
        let found: Vec<String> = files(home).into_keys().collect();
        assert!(life == 0 || found == names, "life {life}: {found:?}");
        names = found;
    }
    assert!(segment(home, 2).exists() && !segment(home, 3).exists());
    make_space(home, 2..40);
    assert_eq!(reopen(home, &WHOLE).expect("whole").1.last_seq, 1);
}

/// Child half of the test below: opens a journal whose last segment is all there is, and finds no room for a group.
#[test]
fn life_on_a_full_disk() {
    let Some(directory) = std::env::var_os(FULL) else { return };
    let (mut writer, recovery) = reopen(directory.as_ref(), &WHOLE).expect("it needs nothing");
    assert_eq!(recovery.last_seq, 1);
    assert_eq!(writer.room().left_bytes, 0);
    append_command(&mut writer, 2);
    assert!(matches!(writer.close_group(), Err(WriteError::NoSpace(_))));
    assert_eq!(writer.sync().expect("what was closed is durable"), 1);
}

const FULL: &str = "JOURNAL_TEST_FULL";

/// No spare, no reserve, and no file may grow.
#[test]
fn a_journal_is_opened_on_a_disk_that_gives_nothing_at_all() {
    let directory = scratch();
    let home = directory.path();
    let mut writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    append_command(&mut writer, 1);
    writer.close_group().expect("closed");
    writer.sync().expect("synced");
    drop(writer);
    for name in ["00000000000000000002.seg", "00000000000000000003.seg", "reserve.bin"] {
        fs::remove_file(home.join(name)).expect("never made");
    }
    for _ in 0..3 {
        // In blocks of 512 bytes: enough for what is there, and too little for the reserve.
        let done = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -S -f 100; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().expect("this binary"))
            .args(["--exact", "suite::space::life_on_a_full_disk", "--nocapture"])
            .env(FULL, home)
            .output()
            .expect("sh runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(!segment(home, 2).exists() && !home.join("reserve.bin").exists());
    }
    let (mut writer, _) = reopen(home, &WHOLE).expect("whole");
    append_command(&mut writer, 2);
    writer.close_group().expect("there is space");
    writer.close().expect("closed");
    assert_eq!(reopen(home, &WHOLE).expect("whole").1.last_seq, 2);
}

/// A crash between the reserve's new header and its new name.
#[test]
fn a_reserve_that_is_not_empty_is_emptied() {
    let directory = scratch();
    let home = directory.path();
    let writer = Writer::create(home, &identity(), &WHOLE).expect("created");
    stocked(&writer, home);
    drop(writer);
    let reserve = home.join("reserve.bin");
    for damaged in [vec![1; RESERVE_BYTES as usize], vec![0; 5], Vec::new()] {
        fs::write(&reserve, &damaged).expect("harmed");
        let writer = reopen(home, &WHOLE).expect("whole").0;
        while fs::read(&reserve).expect("there") != vec![0; RESERVE_BYTES as usize] {
            assert!(writer.spare_fault().is_none());
            std::thread::yield_now();
        }
    }
}

/// A journal's life in which the kernel refuses one allocation of each thread, in each way in which a disk has nothing to give.
/// The first is that of the first segment: such a creation is refused, and the next one finds nothing in its way.
#[test]
fn every_allocation_may_be_refused_once() {
    if !has_strace("J9 refused allocations") {
        return;
    }
    let (mut refused, mut lived) = (0, 0);
    for (at, error) in (1..=tiered(6, 24)).zip(["ENOSPC", "EDQUOT", "EFBIG"].into_iter().cycle()) {
        let home = scratch();
        let directory = home.path().join("journal");
        let done = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", "trace=fallocate", "-e"])
            .arg(format!("inject=fallocate:error={error}:when={at}"))
            .arg(std::env::current_exe().expect("this binary"))
            .args(["--exact", "suite::system_calls::life", "--nocapture", "--test-threads", "1"])
            .env(DIRECTORY, &directory)
            .output()
            .expect("strace runs");
        let said = String::from_utf8_lossy(&done.stderr);
        if at == 1 {
            assert!(!done.status.success() && said.contains("needs 65536 bytes"), "{said}");
            drop(reopen(&directory, &DENSE).expect("nothing is in the way"));
            refused += 1;
            continue;
        }
        assert!(done.status.success(), "{error} at {at}: {said}");
        let (_, recovery) =
            Writer::open(&directory, Some(&identity()), &DENSE, &mut |_| Ok(())).expect("whole");
        assert_eq!(recovery.last_seq, 302, "{error} at {at}");
        lived += 1;
    }
    println!(
        "J9 refused allocations over {BACK_END}: {refused} creations refused, {lived} lives went on, 0 lost, 0 failures"
    );
}

/// A file system of so many pages, gone with it.
struct Disk<'a>(&'a Path);

impl Disk<'_> {
    fn mounted(at: &Path, kib: u64) -> Disk<'_> {
        let size = format!("size={kib}k");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "journal"]).arg(at).status();
        assert!(done.expect("there is mount").success(), "BALLAST_MOUNTS=1 needs the right to mount");
        Disk(at)
    }

    fn resize(&self, kib: u64) {
        let size = format!("remount,size={kib}k");
        let done = Command::new("mount").args(["-o", &size]).arg(self.0).status();
        assert!(done.expect("there is mount").success(), "it is ours");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Disks of every size from nothing to enough: a journal is made on one, or refused and made there once it is larger.
#[test]
fn a_creation_meets_the_end_of_the_disk_at_every_page() {
    if std::env::var_os("BALLAST_MOUNTS").is_none() {
        println!("J9 creation at the end of the disk over {BACK_END}: SKIPPED, set BALLAST_MOUNTS=1 as root");
        return;
    }
    let home = scratch();
    let enough = 700;
    let (mut refused, mut made) = (0, 0);
    let coarse = if tiered(0, 1) == 0 { 20 } else { 4 };
    for kib in (4..120).step_by(4).chain((120..=enough).step_by(coarse)) {
        let disk = Disk::mounted(home.path(), kib);
        let directory = home.path().join("journal");
        match Writer::create(&directory, &identity(), &DENSE) {
            Err(OpenError::Io { source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::StorageFull, "{kib} KiB: {source}");
                refused += 1;
            }
            Err(other) => panic!("{kib} KiB: {other}"),
            Ok(mut writer) => {
                let waiting = write_until_full_or(&mut writer, 200);
                drop(writer);
                made += 1;
                disk.resize(enough);
                let (_, recovery) =
                    reopen(&directory, &DENSE).unwrap_or_else(|error| panic!("{kib} KiB: {error}"));
                assert_eq!(recovery.last_seq, waiting, "{kib} KiB");
                continue;
            }
        }
        disk.resize(enough);
        let again = if directory.join("journal.id").exists() {
            reopen(&directory, &DENSE).map(|opened| opened.0)
        } else {
            Writer::create(&directory, &identity(), &DENSE)
        };
        let mut writer = again.unwrap_or_else(|error| panic!("{kib} KiB: {error}"));
        append_command(&mut writer, 1);
        writer.close_group().expect("closed");
        writer.close().expect("closed");
        assert_eq!(survey(&directory).expect("whole").last_seq, 1);
    }
    assert!(refused > 5 && made > 5, "{refused} {made}");
    println!(
        "J9 creation at the end of the disk over {BACK_END}: {refused} refused whole, {made} made, 0 lost, 0 failures"
    );
}

/// Up to `most` commands, each synced; the last one that was.
fn write_until_full_or(writer: &mut Writer, most: u64) -> u64 {
    for seq in 1..=most {
        append_command(writer, seq);
        match writer.close_group() {
            Ok(_) => assert_eq!(writer.sync().expect("synced"), seq),
            Err(WriteError::NoSpace(_)) => return seq - 1,
            Err(error) => panic!("{error}"),
        }
    }
    most
}
