//! A journal killed at each of its system calls in turn: in its creation, at a rotation, while a cursor and a snapshot are
//! installed, in a recovery, at its close and while segments are removed. strace counts and kills. At each commit only the
//! calls that change something are looked at, for a release all that a life makes: a kill at any other leaves the same files.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use journal::{OpenError, Writer};

use super::system_calls::{DIRECTORY, PER_GROUP, has_strace};
use crate::BACK_END;
use crate::support::{DENSE, Oracle, append_command, identity, scratch, tiered};

/// What changes a directory or a file, or opens one. Each is counted by itself, in each thread.
pub const CALLS: [&str; 10] = [
    "mkdir",
    "openat",
    "pwrite64",
    "pwritev2",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "fallocate",
];
/// So that rotations come after few calls.
const COMMANDS_PER_GROUP: u64 = 10;
const LAST: u64 = 302;

/// Lives until one of its threads makes a call for the `at`th time; returns the last D that it told, and whether it was killed.
fn killed(directory: &Path, call: &str, at: u64) -> (u64, bool) {
    let done = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={at}")])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::system_calls::life", "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, directory)
        .env(PER_GROUP, COMMANDS_PER_GROUP.to_string())
        .stdin(Stdio::null())
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // The last line may be cut short by the kill.
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let told = whole.lines().filter_map(|line| line.strip_prefix("durable ")?.parse().ok()).max();
    (told.unwrap_or(0), !said.contains("test result: ok"))
}

/// What the next start finds: everything that was told, in order, and files that are whole.
fn check(directory: &Path, told: u64, place: &str) {
    let mut oracle: Option<Oracle> = None;
    // Segments may have been removed, so the first record is whichever is left.
    let mut visit = |record: &journal::Record<'_>| {
        let start = || Oracle::behind(record.seq - 1);
        oracle.get_or_insert_with(start).check(record)
    };
    let opened = Writer::open(directory, Some(&identity()), &DENSE, &mut visit);
    let (mut writer, recovery) = match opened {
        Ok(opened) => opened,
        Err(OpenError::NotAJournal { .. }) => {
            assert_eq!(told, 0, "{place}: the journal is gone");
            let writer = Writer::create(directory, &identity(), &DENSE);
            return drop(writer.unwrap_or_else(|error| panic!("{place}: {error}")));
        }
        Err(error) => panic!("{place}: {error}"),
    };
    assert!((told..=LAST).contains(&recovery.last_seq), "{place}: {} after {told}", recovery.last_seq);
    let found = oracle.map_or(0, |oracle| oracle.whole_seq());
    assert_eq!(found, recovery.last_seq, "{place}");
    for seq in journal::snapshot_seqs(directory).expect("listed") {
        assert!(journal::load_snapshot(directory, &identity(), seq).is_ok(), "{place}: snapshot {seq}");
    }
    for cursor in journal::cursors(directory, &identity().journal_id).expect("listed") {
        assert!(cursor.bookmark.is_some(), "{place}: cursor {}", cursor.name);
    }
    append_command(&mut writer, recovery.last_seq + 1);
    writer.close_group().and_then(|_| writer.sync()).unwrap_or_else(|error| panic!("{place}: {error}"));
}

/// The kinds of calls of a whole life.
fn kinds() -> BTreeSet<String> {
    let home = scratch();
    let trace = home.path().join("trace");
    let done = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::system_calls::life", "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, home.path().join("journal"))
        .env(PER_GROUP, COMMANDS_PER_GROUP.to_string())
        .output()
        .expect("strace runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&trace).expect("strace wrote it");
    let name = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        name.bytes()
            .all(|it| it.is_ascii_lowercase() || it == b'_' || it.is_ascii_digit())
            .then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[test]
fn a_kill_at_any_system_call_loses_nothing_that_was_told() {
    if !has_strace("J2 kills") {
        return;
    }
    // No call comes so often in a whole life.
    let most = tiered(40, 10_000);
    let changing = || CALLS.into_iter().map(str::to_owned);
    let calls: BTreeSet<String> =
        if tiered(0, 1) == 0 { changing().collect() } else { changing().chain(kinds()).collect() };
    let (mut kills, mut whole_lives) = (0, 0);
    for call in &calls {
        for at in 1..=most {
            let home = scratch();
            let directory = home.path().join("journal");
            let (told, is_killed) = killed(&directory, call, at);
            if !is_killed {
                assert_eq!(told, LAST, "{call} {at}: it ended by itself");
                whole_lives += 1;
                break;
            }
            check(&directory, told, &format!("killed at {call} {at}, told {told}"));
            kills += 1;
        }
    }
    println!(
        "J2 kills over {BACK_END}: at {kills} system calls, of {whole_lives} of {} kinds at every one, 0 failures",
        calls.len()
    );
    assert!(kills > tiered(150, 200), "the child was hardly killed");
}
