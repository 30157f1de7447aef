//! Durable data that an operator gives up: only by the exact seq, never deleted, recorded for ever, and the same whether it
//! was done at once or killed at any of its system calls first. Readers beyond it are told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use journal::{
    Acceptance, Bookmark, CursorName, Damage, Fault, FloorOrigin, Kind, Limit, Loss, OpenError, ReadError,
    Reader, Record, SnapshotHead, Surrender, Writer, settle_loss, store_cursor,
};

use super::system_calls::has_strace;
use crate::BACK_END;
use crate::support::{
    DENSE, Oracle, append_command, files, identity, reopen, scratch, segment, stride, tiered, write,
};

const LAST: u64 = 900;
const REASON: &str = "the disk of a Tuesday";
const DIRECTORY: &str = "JOURNAL_TEST_LOSS";
const EXPECT: &str = "JOURNAL_TEST_LOSS_EXPECT";

/// Groups of ten, all durable, over several segments; a cursor and a snapshot at every hundredth seq.
fn made(directory: &Path) -> Vec<Bookmark> {
    let mut writer = Writer::create(directory, &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=LAST, 10, |_| true);
    let mut reader = Reader::open(directory).expect("opened");
    let mut marks = Vec::new();
    while reader.poll_group(Limit::Durable, u64::MAX, &mut |_| Ok(())).expect("read") {
        marks.push(reader.bookmark().expect("a group was handed out"));
    }
    fs::create_dir_all(journal::snapshots_directory(directory)).expect("made");
    for mark in marks.iter().filter(|mark| mark.seq.is_multiple_of(100)) {
        let name = CursorName::new(&format!("reader-{}", mark.seq)).expect("legal");
        store_cursor(directory, identity().journal_id, &name, mark).expect("stored");
        let head = SnapshotHead {
            journal_id: identity().journal_id,
            shard: identity().shard,
            logic_version: identity().logic_version,
            bookmark: *mark,
            state_hash: [9; 32],
        };
        let path = journal::snapshot_path(directory, mark.seq);
        journal::write_snapshot(&path, &head, &[("state", b"abc")]).expect("written");
    }
    assert!(marks.last().expect("groups").position.segment() >= 4, "several segments");
    marks
}

/// Spoils the group behind `seq`.
fn spoil(directory: &Path, marks: &[Bookmark], seq: u64) {
    let mark = marks.iter().find(|mark| mark.seq == seq).expect("a group ends there");
    let path = segment(directory, mark.position.segment());
    let file = fs::OpenOptions::new().write(true).open(path).expect("opened");
    file.write_all_at(b"spoilt", mark.position.offset() + 40).expect("written");
}

fn word(expect_last_seq: u64) -> Acceptance {
    Acceptance { expect_last_seq, reason: REASON.into() }
}

fn give_up(directory: &Path, expect_last_seq: u64) -> Result<(Writer, u64, Surrender), OpenError> {
    let mut heard = Heard::default();
    let opened = Writer::open_giving_up(
        directory,
        None,
        &DENSE,
        &word(expect_last_seq),
        &mut |record| heard.record(record),
        BACK_END.storage(),
    );
    let (writer, recovery, given_up) = opened?;
    assert_eq!(recovery.last_seq, heard.oracle.whole_seq());
    Ok((writer, recovery.last_seq, given_up))
}

/// The workload, with losses between.
#[derive(Default)]
struct Heard {
    oracle: Oracle,
    losses: Vec<Loss>,
}

impl Heard {
    fn record(&mut self, record: &Record<'_>) -> Result<(), String> {
        if record.kind != Kind::Loss {
            return self.oracle.check(record);
        }
        self.losses.push(Loss::read(record.payload).ok_or("a loss of another shape")?);
        Ok(())
    }
}

fn survey(directory: &Path) -> (u64, Vec<Loss>) {
    let mut heard = Heard::default();
    journal::survey(directory, Some(&identity()), &mut |record| heard.record(record)).expect("whole");
    (heard.oracle.whole_seq(), heard.losses)
}

fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("read"));
        }
    }
    found
}

/// All that stood beyond is still there, byte for byte, and nothing beyond is in its old place.
fn check_kept(directory: &Path, before: &BTreeMap<PathBuf, Vec<u8>>, marks: &[Bookmark], kept_seq: u64) {
    let cut = marks.iter().find(|mark| mark.seq == kept_seq).expect("a group ends there").position;
    let after = tree(directory);
    let aside: Vec<&Vec<u8>> = after
        .iter()
        .filter(|(path, _)| path.parent() == Some(&directory.join("divergent")))
        .map(|(_, bytes)| bytes)
        .collect();
    for (path, bytes) in before {
        let name = path.file_name().expect("named").to_string_lossy();
        let is_beyond = match path.extension().and_then(|it| it.to_str()) {
            Some("seg") => name[..20].parse::<u64>().expect("a number") > cut.segment(),
            Some("snap") => name[..20].parse::<u64>().expect("a number") > kept_seq,
            _ => name.strip_prefix("reader-").is_some_and(|seq| seq.parse::<u64>().expect("seq") > kept_seq),
        };
        if is_beyond {
            assert!(aside.contains(&bytes), "{} is kept", path.display());
            assert_ne!(after.get(path), Some(bytes), "{} has left its place", path.display());
        }
    }
    let was = &before[&segment(directory, cut.segment())];
    let data = &was[cut.offset() as usize..was.len() - 4096];
    let used = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let torn = fs::read_dir(directory.join("torn"))
        .expect("there")
        .map(|entry| fs::read(entry.expect("listed").path()).expect("read"));
    assert!(torn.into_iter().any(|bytes| bytes == data[..used]), "what was zeroed is kept");
}

fn refused(directory: &Path) -> Damage {
    match journal::survey(directory, Some(&identity()), &mut |_| Ok(())) {
        Err(OpenError::Damaged(damage)) => *damage,
        other => panic!("{other:?}"),
    }
}

/// However early the walk stops, the refusal says how much had been promised, and the loss records the same.
#[test]
fn a_refusal_names_the_floor_of_the_whole_journal() {
    for kept_seq in [90, 450] {
        let directory = scratch();
        let marks = made(directory.path());
        fs::remove_dir_all(directory.path().join("cursors")).expect("there");
        fs::remove_dir_all(journal::snapshots_directory(directory.path())).expect("there");
        fs::remove_file(directory.path().join("durable.mark")).expect("there");
        spoil(directory.path(), &marks, kept_seq);
        let damage = refused(directory.path());
        assert_eq!((damage.last_good_seq, damage.floor.seq), (kept_seq, LAST - 10), "{damage}");
        assert!(matches!(damage.floor.origin, FloorOrigin::Group(_)), "{damage}");
        let (writer, _, given_up) = give_up(directory.path(), kept_seq).expect("accepted");
        assert_eq!(
            (given_up.loss.floor_seq, given_up.loss.floor_position),
            (LAST - 10, damage.floor.position)
        );
        drop(writer);
    }
}

#[test]
fn what_stands_behind_the_last_seal_is_named_and_set_aside() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=30, 10, |_| true);
    writer.close().expect("closed");
    let file = fs::OpenOptions::new().write(true).open(segment(directory.path(), 1)).expect("opened");
    file.write_all_at(b"stray", 50_000).expect("written");
    let damage = refused(directory.path());
    assert_eq!((damage.fault, damage.last_good_seq), (Fault::BehindSeal, 30), "{damage}");
    assert!(damage.is_behind_everything());
    let text = OpenError::Damaged(Box::new(damage)).to_string();
    assert!(text.starts_with("bytes that are no record stand behind the journal's last seal"), "{text}");
    let (writer, last_seq, given_up) = give_up(directory.path(), 30).expect("accepted");
    assert_eq!(last_seq, 30);
    assert!(given_up.loss.is_of_no_record());
    let saved = fs::read(given_up.torn.expect("saved")).expect("read");
    assert!(saved.ends_with(b"stray"));
    settle_loss(directory.path()).expect("settled");
    writer.close().expect("closed");
    assert_eq!(survey(directory.path()).0, 30);
}

/// Cut to every length from its header on, the last segment with data is refused with all that is known, and given up.
#[test]
fn a_segment_that_was_cut_is_refused_with_its_last_good_seq_and_may_be_given_up() {
    let whole = scratch();
    let marks = made(whole.path());
    let end = marks.last().expect("groups").position;
    for bytes in [4096, 4096 + 512, end.offset() - 700, end.offset(), 60_000, (64 << 10) - 1] {
        let directory = scratch();
        made(directory.path());
        let path = segment(directory.path(), end.segment());
        fs::OpenOptions::new().write(true).open(&path).expect("opened").set_len(bytes).expect("cut");
        let damage = refused(directory.path());
        assert_eq!((damage.fault, damage.segment), (Fault::Shortened, end.segment()), "{damage}");
        let kept = marks
            .iter()
            .rev()
            .find(|mark| mark.position.segment() < end.segment() || mark.position.offset() <= bytes);
        let kept = kept.expect("the segments before are whole").seq;
        assert_eq!((damage.last_good_seq, damage.floor.seq), (kept, LAST), "cut to {bytes}: {damage}");
        let (writer, last_seq, _) = give_up(directory.path(), kept).expect("accepted");
        assert_eq!(last_seq, kept);
        settle_loss(directory.path()).expect("settled");
        drop(writer);
        assert_eq!(fs::metadata(&path).expect("there").len(), 64 << 10);
        let found = journal::survey(directory.path(), Some(&identity()), &mut |_| Ok(())).expect("whole");
        assert_eq!((found.last_seq, found.header_copies_damaged), (kept, 0));
    }
}

#[test]
fn damaged_data_is_given_up_by_its_exact_seq_and_kept_aside() {
    // In the first segment, in one in the middle, and in the last.
    for kept_seq in [90, 450, LAST - 10] {
        let directory = scratch();
        let marks = made(directory.path());
        spoil(directory.path(), &marks, kept_seq);
        let before = tree(directory.path());
        assert!(matches!(reopen(directory.path(), &DENSE), Err(OpenError::Damaged(_))), "refused at first");
        for wrong in [0, kept_seq - 1, kept_seq + 1, kept_seq + 10, LAST] {
            let refused = give_up(directory.path(), wrong);
            assert!(matches!(refused, Err(OpenError::LossRefused { .. })), "seq {wrong} is not {kept_seq}");
        }
        assert_eq!(tree(directory.path()), before, "a refusal modifies nothing");

        let (mut writer, last_seq, given_up) = give_up(directory.path(), kept_seq).expect("accepted");
        let Loss { floor_seq, ref reason, .. } = given_up.loss;
        assert_eq!((last_seq, given_up.loss.last_seq, reason.as_str()), (kept_seq, kept_seq, REASON));
        assert_eq!(floor_seq, LAST, "what was promised is named");
        check_kept(directory.path(), &before, &marks, kept_seq);
        append_command(&mut writer, kept_seq + 1);
        writer.close_group().and_then(|_| writer.sync()).expect("it goes on");
        drop(writer);
        assert!(matches!(
            reopen(directory.path(), &DENSE),
            Err(OpenError::LossUnfinished { last_seq, .. }) if last_seq == kept_seq
        ));
        settle_loss(directory.path()).expect("settled");
        let mut heard = Heard::default();
        Writer::open(directory.path(), Some(&identity()), &DENSE, &mut |record| heard.record(record))
            .expect("a plain start");
        assert_eq!((heard.oracle.whole_seq(), heard.losses), (kept_seq + 1, vec![given_up.loss]));
    }
}

#[test]
fn what_is_whole_is_not_given_up() {
    let directory = scratch();
    made(directory.path());
    let before = tree(directory.path());
    for seq in [LAST, LAST - 10, 0] {
        assert!(matches!(give_up(directory.path(), seq), Err(OpenError::LossRefused { .. })));
    }
    assert_eq!(tree(directory.path()), before);
    // A torn tail is no damage either: the ordinary recovery cuts it.
    let mut writer = reopen(directory.path(), &DENSE).expect("whole").0;
    append_command(&mut writer, LAST + 1);
    writer.close_group().expect("closed");
    let end = writer.watermarks().written_position();
    drop(writer);
    let file =
        fs::OpenOptions::new().write(true).open(segment(directory.path(), end.segment())).expect("opened");
    file.write_all_at(b"torn", end.offset()).expect("written");
    assert!(matches!(give_up(directory.path(), LAST + 1), Err(OpenError::LossRefused { .. })));
    assert!(reopen(directory.path(), &DENSE).expect("whole").1.discarded.is_some());
}

#[test]
fn a_reason_must_be_given_and_be_short() {
    let directory = scratch();
    let marks = made(directory.path());
    spoil(directory.path(), &marks, 450);
    for reason in ["", "  ", &"x".repeat(1025)] {
        let acceptance = Acceptance { expect_last_seq: 450, reason: reason.into() };
        let storage = BACK_END.storage();
        let refused =
            Writer::open_giving_up(directory.path(), None, &DENSE, &acceptance, &mut |_| Ok(()), storage);
        assert!(matches!(refused, Err(OpenError::LossRefused { .. })), "{reason:?}");
    }
}

#[test]
fn whoever_stood_beyond_is_told_and_whoever_did_not_goes_on() {
    let directory = scratch();
    let marks = made(directory.path());
    let at = |seq| marks.iter().find(|mark| mark.seq == seq).expect("a group ends there");
    let mut readers: Vec<(u64, Reader)> = [100, 440, 450, 460, 600, LAST]
        .map(|seq| (seq, Reader::open_at(directory.path(), at(seq)).expect("of this history")))
        .into();
    let mut nowhere = Reader::open(directory.path()).expect("opened");
    spoil(directory.path(), &marks, 450);
    let (mut writer, ..) = give_up(directory.path(), 450).expect("accepted");
    write(&mut writer, 451..=LAST + 50, 10, |_| true);
    for (seq, reader) in &mut readers {
        let mut heard = Heard { oracle: Oracle::behind(*seq), losses: Vec::new() };
        let read = loop {
            match reader.poll(Limit::Durable, 10_000, &mut |record| heard.record(record)) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        if *seq <= 450 {
            read.expect("its history goes on");
            assert_eq!((heard.oracle.seq, heard.losses.len()), (LAST + 50, 1), "from {seq}");
        } else {
            assert!(matches!(read, Err(ReadError::Rewound { .. })), "from {seq}: {read:?}");
            let again = Reader::open_at(directory.path(), at(*seq));
            assert!(again.is_err(), "a bookmark at {seq} is of another history");
        }
    }
    let mut heard = Heard::default();
    while nowhere.poll(Limit::Durable, 10_000, &mut |record| heard.record(record)).expect("read") > 0 {}
    assert_eq!(heard.oracle.seq, LAST + 50);
}

/// Child half of the test below.
#[test]
fn giving_up() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let seq = std::env::var(EXPECT).expect("set").parse().expect("a number");
    let (writer, ..) = give_up(Path::new(&directory), seq).expect("accepted");
    drop(writer);
    settle_loss(Path::new(&directory)).expect("settled");
}

/// Gives up in a process that is killed at the `at`th of these calls; true if it was.
fn killed(directory: &Path, seq: u64, call: &str, at: u64) -> bool {
    let done = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={at}")])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::loss::giving_up", "--test-threads", "1"])
        .env(DIRECTORY, directory)
        .env(EXPECT, seq.to_string())
        .stdin(Stdio::null())
        .output()
        .expect("strace runs");
    !String::from_utf8_lossy(&done.stdout).contains("test result: ok")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        let target = to.join(path.file_name().expect("named"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn giving_up_may_be_killed_anywhere_and_ends_alike() {
    if !has_strace("loss, kills") {
        return;
    }
    let most = tiered(30, 10_000);
    let (mut kills, mut whole_lives) = (0, 0);
    let origin = scratch();
    let marks = made(origin.path());
    spoil(origin.path(), &marks, 450);
    for call in ["openat", "pwrite64", "write", "fsync", "fdatasync", "rename", "unlink"] {
        for at in (1..=most).step_by(stride()) {
            let home = scratch();
            let directory = home.path().join("journal");
            copy(origin.path(), &directory);
            let before = tree(&directory);
            if !killed(&directory, 450, call, at) {
                whole_lives += 1;
                break;
            }
            let place = format!("killed at {call} {at}");
            // Unfinished, it opens by the same word alone; done, it opens plainly, and nothing is given up twice.
            match give_up(&directory, 450) {
                Ok((writer, last_seq, _)) => {
                    assert_eq!(last_seq, 450, "{place}");
                    drop(writer);
                    settle_loss(&directory).expect("settled");
                }
                Err(OpenError::LossRefused { .. }) => {}
                Err(error) => panic!("{place}: {error}"),
            }
            let (last_seq, losses) = survey(&directory);
            assert_eq!((last_seq, losses.len(), losses[0].last_seq), (450, 1, 450), "{place}");
            check_kept(&directory, &before, &marks, 450);
            assert!(files(&directory).keys().all(|name| !name.starts_with("loss")), "{place}");
            kills += 1;
        }
    }
    println!(
        "loss over {BACK_END}: killed at {kills} system calls, of {whole_lives} of 7 kinds at every one, 0 failures"
    );
    assert!(kills > tiered(60, 60) / 2, "the child was hardly killed: {kills}");
}
