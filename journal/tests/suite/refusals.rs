//! What is refused before anything is touched, and what a failed sync does to a writer.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use journal::{Identity, OpenError, Options, ReadError, Reader, WriteError, Writer};

use crate::BACK_END;
use crate::support::{
    DENSE, RecordingDisk, SMALL, Step, append_command, files, fix_checksum, identity, put, reopen, scratch,
    segment, survey, write,
};

fn open(directory: &std::path::Path, expected: &Identity) -> Option<OpenError> {
    Writer::open(directory, Some(expected), &SMALL, &mut |_| Ok(())).err()
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let directory = scratch();
    let writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    for _ in 0..100 {
        assert!(matches!(open(directory.path(), &identity()), Some(OpenError::Locked { .. })));
    }
    let again = Writer::create(directory.path(), &identity(), &SMALL);
    assert!(matches!(again, Err(OpenError::Locked { .. })));
    drop(writer);
    assert!(open(directory.path(), &identity()).is_none());
}

#[test]
fn the_lock_is_not_inherited_by_a_child() {
    let directory = scratch();
    let writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("a child");
    drop(writer);
    assert!(open(directory.path(), &identity()).is_none(), "the child must not hold the lock");
    drop(child.stdin.take());
    child.wait().expect("the child ends");
}

/// Child half of the test below: holds the journal open until its standard input ends.
#[test]
fn holder_in_another_process() {
    let Some(directory) = std::env::var_os("JOURNAL_TEST_HOLD") else {
        return;
    };
    let _writer = reopen(directory.as_ref(), &SMALL).expect("held");
    fs::write(std::path::Path::new(&directory).join("held"), b"").expect("told");
    std::io::stdin().read_line(&mut String::new()).expect("the parent lets go");
}

#[test]
fn a_writer_in_another_process_holds_the_lock_and_its_death_frees_it() {
    let directory = scratch();
    Writer::create(directory.path(), &identity(), &SMALL).expect("created").close().expect("closed");
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::refusals::holder_in_another_process"])
        .env("JOURNAL_TEST_HOLD", directory.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a second process");
    while !directory.path().join("held").exists() {
        assert!(child.try_wait().expect("asked").is_none(), "the holder died");
        std::thread::yield_now();
    }
    assert!(matches!(open(directory.path(), &identity()), Some(OpenError::Locked { .. })));
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(open(directory.path(), &identity()).is_none());
}

#[test]
fn other_journals_and_missing_files_are_named() {
    let directory = scratch();
    assert!(matches!(open(directory.path(), &identity()), Some(OpenError::NotAJournal { .. })));
    assert_eq!(files(directory.path()).len(), 0, "no lock file in a foreign directory");
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=600, 10, |_| true);
    writer.close().expect("closed");
    let again = Writer::create(directory.path(), &identity(), &SMALL);
    assert!(matches!(again, Err(OpenError::AlreadyAJournal { .. })));
    for (changed, due) in [
        (Identity { journal_id: [0; 16], ..identity() }, "journal_id"),
        (Identity { shard: 4, ..identity() }, "shard"),
        (Identity { config_hash: [8; 32], ..identity() }, "config_hash"),
        (Identity { logic_version: 2, ..identity() }, "logic_version"),
    ] {
        match open(directory.path(), &changed) {
            Some(OpenError::OtherJournal { field, .. }) => assert_eq!(field, due),
            other => panic!("{due}: {other:?}"),
        }
    }
    let whole = files(directory.path());
    let last = whole.keys().filter(|name| name.ends_with(".seg")).count() as u64;
    assert!(last >= 4);
    for missing in 1..=last - 1 {
        let copy = scratch();
        put(copy.path(), &whole);
        fs::remove_file(segment(copy.path(), missing)).expect("removed");
        let refusal = open(copy.path(), &identity()).expect("refused");
        // Without the last segment that holds data, only the mark knows.
        let named = matches!(refusal, OpenError::SegmentMissing { segment, .. } if segment == missing)
            || (missing == last - 1 && matches!(refusal, OpenError::Damaged(_)));
        assert!(named, "{missing}: {refusal}");
    }
    let copy = scratch();
    put(copy.path(), &whole);
    fs::copy(segment(directory.path(), 2), segment(copy.path(), 1)).expect("misnamed");
    assert!(matches!(open(copy.path(), &identity()), Some(OpenError::OtherJournal { .. })));
    let stranger = scratch();
    let other = Identity { journal_id: [1; 16], ..identity() };
    Writer::create(stranger.path(), &other, &SMALL).expect("created").close().expect("closed");
    fs::copy(segment(stranger.path(), 1), segment(copy.path(), 1)).expect("foreign");
    match open(copy.path(), &identity()) {
        Some(OpenError::OtherJournal { field: "journal_id", .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(Reader::open(copy.path()).is_err());
}

#[test]
fn a_creation_that_was_cut_short_can_be_opened() {
    let directory = scratch();
    let writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    drop(writer);
    let whole = files(directory.path());
    let copy = scratch();
    for name in ["journal.id", "LOCK"] {
        fs::write(copy.path().join(name), &whole[name]).expect("copied");
    }
    assert!(matches!(open(copy.path(), &identity()), Some(OpenError::SegmentMissing { segment: 1, .. })));
    // Creation writes a mark of nothing first, so its absence beside a journal.id is damage; with it, all is well.
    let mut mark = whole["durable.mark"].clone();
    mark[..4096].fill(0);
    fs::write(copy.path().join("durable.mark"), &mark).expect("the first mark");
    let (mut writer, recovery) = reopen(copy.path(), &SMALL).expect("an empty journal");
    assert_eq!(recovery.last_seq, 0);
    append_command(&mut writer, 1);
    writer.close().expect("closed");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=4, 2, |_| false);
    drop(writer);
    let path = segment(directory.path(), 1);
    let mut bytes = fs::read(&path).expect("read");
    // An unknown incompatible kind in the last, undurable group, with a checksum that holds.
    let kind_at = 4096 + 24;
    bytes[kind_at..kind_at + 2].copy_from_slice(&77u16.to_le_bytes());
    let len = u32::from_le_bytes(bytes[4096..4100].try_into().expect("four bytes")) as usize;
    fix_checksum(&mut bytes, 4096, len);
    fs::write(&path, bytes).expect("written by a newer version");
    let before = files(directory.path());
    assert!(matches!(reopen(directory.path(), &DENSE), Err(OpenError::NewerFormat { .. })));
    assert!(files(directory.path()) == before);
}

#[test]
fn impossible_options_are_refused() {
    for (segment_bytes, group_alignment) in
        [(32 << 10, 4096), (64 << 10, 100), (64 << 10, 256), ((64 << 10) + 1, 512)]
    {
        let directory = scratch();
        let made = Writer::create(
            directory.path(),
            &identity(),
            &Options { segment_bytes, group_alignment, ..SMALL },
        );
        assert!(matches!(made, Err(OpenError::Options { .. })), "{segment_bytes} {group_alignment}");
    }
}

#[test]
fn a_replay_that_objects_refuses_the_open() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=9, 2, |_| true);
    drop(writer);
    let before = files(directory.path());
    let mut object =
        |record: &journal::Record<'_>| if record.seq == 5 { Err("differs".into()) } else { Ok(()) };
    match Writer::open(directory.path(), None, &SMALL, &mut object) {
        Err(OpenError::Replay { seq: 5, reason }) => assert_eq!(reason, "differs"),
        other => panic!("{:?}", other.err()),
    }
    assert!(files(directory.path()) == before);
}

#[test]
fn a_failed_sync_poisons_the_writer_and_freezes_d() {
    const SYNCS: u64 = 200;
    for failing in 1..=SYNCS {
        let directory = scratch();
        Writer::create(directory.path(), &identity(), &DENSE).expect("created").close().expect("closed");
        let (disk, trace) = RecordingDisk::new(directory.path());
        trace.lock().expect("ours").sync_to_fail = Some(failing);
        let opened = Writer::open_with(directory.path(), None, &DENSE, &mut |_| Ok(()), disk);
        // Of the first syncs some belong to the recovery: then there is no writer at all.
        let Ok((mut writer, _)) = opened else {
            assert!(failing <= 2 && matches!(opened.err(), Some(OpenError::Io { .. })), "sync {failing}");
            continue;
        };
        let watermarks = writer.watermarks();
        let mut durable = 0;
        for seq in 1.. {
            append_command(&mut writer, seq);
            match writer.close_group().and_then(|_| writer.sync()) {
                Ok(synced) => durable = synced,
                Err(WriteError::Io(_)) => break,
                Err(other) => panic!("sync {failing}: {other}"),
            }
        }
        // A rotation syncs as well, and moves D before its own second sync.
        let frozen = watermarks.durable();
        assert!(frozen >= durable && frozen <= durable + 1, "sync {failing}: {frozen} after {durable}");
        assert!(matches!(writer.sync(), Err(WriteError::Poisoned)));
        assert!(matches!(writer.close_group(), Err(WriteError::Poisoned)));
        let record = journal::Record {
            seq: 1,
            ts_ns: 0,
            kind: journal::Kind::Command,
            version: 1,
            flags: 0,
            sub: 0,
            payload: b"",
        };
        assert!(matches!(writer.append(&record), Err(WriteError::Poisoned)));
        assert!(matches!(writer.close(), Err(WriteError::Poisoned)));
        assert_eq!(watermarks.durable(), frozen);
        assert_eq!(
            trace.lock().expect("ours").touched_after_failure,
            0,
            "sync {failing}: the disk was touched"
        );
        assert!(survey(directory.path()).expect("recovers").last_seq >= frozen);
        forget_unsynced(directory.path(), &trace.lock().expect("ours").steps);
        let (_, recovery) = reopen(directory.path(), &DENSE).expect("recovers");
        assert_eq!(recovery.last_seq, frozen, "sync {failing}: the disk has exactly D");
    }
    println!(
        "J10 failed syncs over {BACK_END}: the k-th fails, k = 1..{SYNCS}: D frozen, disk left alone, D recovered, 0 failures"
    );
}

/// What a failed sync may mean: of what was written since the last good one, the disk has nothing. The last step failed.
fn forget_unsynced(directory: &std::path::Path, steps: &[Step]) {
    let good = &steps[..steps.len() - 1];
    let last_sync = good.iter().rposition(|step| matches!(step, Step::Sync { .. })).map_or(0, |at| at + 1);
    for step in &good[last_sync..] {
        let Step::Write { segment: number, offset, bytes } = step else { continue };
        let file = fs::OpenOptions::new().write(true).open(segment(directory, *number)).expect("opened");
        file.write_all_at(&vec![0; bytes.len()], *offset).expect("forgotten");
    }
}

#[test]
fn a_journal_that_lost_its_name_is_not_taken_for_another_or_for_none() {
    let directory = scratch();
    drop(Writer::create(directory.path(), &identity(), &SMALL).expect("created"));
    let name = directory.path().join("journal.id");
    let bytes = fs::read(&name).expect("read");
    fs::remove_file(&name).expect("lost");
    let before = files(directory.path());
    let created = Writer::create(directory.path(), &identity(), &SMALL).err();
    let read = Reader::open(directory.path()).err();
    for refusal in [created, open(directory.path(), &identity())] {
        match refusal {
            Some(OpenError::IdentityMissing { path }) => assert_eq!(path, name),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(read, Some(ReadError::Open(OpenError::IdentityMissing { .. }))), "{read:?}");
    assert!(files(directory.path()) == before, "nothing was changed");
    fs::write(&name, bytes).expect("restored");
    assert!(open(directory.path(), &identity()).is_none());
}
