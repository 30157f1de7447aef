//! Snapshots as an operator meets them: the state behind a snapshot and its tail is that of the whole journal wherever it is
//! cut, two processes write the same file, a damaged, foreign or stale one is passed over and said so, and a maker that is
//! killed leaves nothing that anybody believes.
//!
//! `BALLAST_TIER=1` is the size of a release; `BALLAST_CUTS` sets the number of random cut points, `BALLAST_KILLS` how many makers
//! are killed, `BALLAST_SEED` where and when.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use gateway::snapshots::standing::Standing;
use gateway::snapshots::verify;
use journal::{Bookmark, Identity, Record, snapshot_path, snapshot_seqs, survey_from};
use tests::member::Member;
use tests::tier::{number, scratch, seed, tiered};
use tests::venue::{Home, program, run};
use tests::workload::{Draw, Profile};
use tests::written;

const COMMANDS: u64 = 4_000;

/// Everything behind `bookmark`, or everything, heard to the end.
fn heard(directory: &Path, start: Option<(Standing, Bookmark)>) -> Standing {
    let bookmark = start.as_ref().map(|(_, bookmark)| *bookmark);
    let mut standing = start.map(|(standing, _)| standing).unwrap_or_default();
    let mut hear = |record: &Record<'_>| standing.hear(record).map_err(|found| found.to_string());
    survey_from(directory, None, bookmark.as_ref(), &mut hear).expect("as it was said then");
    standing.finish().expect("nothing is owed");
    standing
}

fn identity(directory: &Path) -> Identity {
    journal::load_identity(directory).expect("a journal")
}

fn create(directory: &Path, more: &[&str]) -> (Option<i32>, String) {
    let shown = directory.to_str().expect("temporary paths are text");
    let done = run("ballast", &[&["snapshot", "create", shown][..], more].concat());
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is readable").path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().expect("it has a name"))).expect("there is room");
        }
    }
}

#[test]
fn a_snapshot_and_its_tail_are_the_whole_journal_wherever_it_is_cut() {
    let (cuts, seed) = (number("BALLAST_CUTS", tiered(50, 1_000)), seed());
    let (mut draw, mut done) = (Draw::new(seed), 0);
    for (round, profile) in (0..).zip(Profile::ALL) {
        let home = scratch();
        let (one, other) = (home.path().join("journal"), home.path().join("replica"));
        let mut group = Draw::new(seed + round);
        written::journal(&one, seed + round, profile, COMMANDS, |_| group.one_in(4), |_| ());
        copy(&one, &other);
        let whole = heard(&one, None);
        let sections = whole.sections();
        for cut in 0..cuts.div_ceil(Profile::ALL.len() as u64) {
            let until = 1 + draw.below(COMMANDS);
            let told = format!("seed {seed}, profile {}, seq {until}", profile.name);
            let (code, said) = create(&one, &["--until-seq", &until.to_string()]);
            assert_eq!(code, Some(0), "{told}: {said}");
            let seqs = snapshot_seqs(&one).expect("listed");
            let seq = *seqs.iter().find(|seq| **seq >= until).expect("it was made");
            let start = Standing::load(&one, &identity(&one), seq).expect("it verifies");
            let tail = heard(&one, Some(start));
            assert_eq!(tail.engine().digest(), whole.engine().digest(), "{told}");
            assert!(tail.sections() == sections, "{told}: not the same bytes");
            // A second process that has only the journal writes the same file, whatever the first one started from.
            let (code, said) = create(&other, &["--until-seq", &until.to_string()]);
            assert_eq!(code, Some(0), "{told}: {said}");
            let file = |directory| fs::read(snapshot_path(directory, seq)).expect("it was made");
            assert!(file(&one) == file(&other), "{told}: two files");
            journal::remove_snapshot(&other, seq).expect("it was there");
            done += 1;
            if cut % 3 == 2 {
                seqs.iter().for_each(|seq| journal::remove_snapshot(&one, *seq).expect("it was there"));
            }
        }
    }
    println!(
        "D1 snapshot and tail: {done} cuts, all as the whole journal, all files the same from two processes"
    );
}

#[test]
fn no_byte_of_a_snapshot_may_be_another() {
    let home = scratch();
    let directory = home.path().join("journal");
    written::journal(&directory, 7, Profile::ALL[0], 120, |_| true, |_| ());
    // A young venue, so that there are few bytes.
    assert_eq!(create(&directory, &["--until-seq", "20"]).0, Some(0));
    let path = snapshot_path(&directory, 20);
    let good = fs::read(&path).expect("it was made");
    assert!(verify::file(&path, Some(&identity(&directory))).verdict.is_ok());
    let flipped = home.path().join("flipped.snap");
    fs::write(&flipped, &good).expect("there is room");
    let file = fs::OpenOptions::new().write(true).open(&flipped).expect("it was made");
    let bits = tiered(1, 8) as usize;
    for at in 0..good.len() {
        for bit in (at..at + bits).map(|bit| bit % 8) {
            file.write_all_at(&[good[at] ^ (1 << bit)], at as u64).expect("flipped");
            assert!(verify::file(&flipped, None).verdict.is_err(), "byte {at} of {}, bit {bit}", good.len());
        }
        file.write_all_at(&good[at..=at], at as u64).expect("restored");
    }
    println!("J6 snapshot: {} bytes, {bits} bits of each flipped, all refused", good.len());
    file.write_all_at(&[!good[0]], 0).expect("flipped");
    let shown = flipped.to_str().expect("temporary paths are text");
    let done = run("ballast", &["snapshot", "verify", shown, "--json"]);
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&done.stdout).contains(r#""good":false"#));
}

/// A venue that has traded a little, ended, and two snapshots of it.
fn traded() -> (Home, Vec<u64>) {
    let home = Home::new(|text| text);
    let mut venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    for _ in 0..2 {
        (0..20).for_each(|_| alice.trade());
        let (code, said) = create(home.path(), &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("verified"), "{said}");
    }
    assert!(create(home.path(), &[]).1.contains("is there already"));
    (0..20).for_each(|_| alice.trade());
    assert!(venue.terminate().0.success());
    venue = home.serve();
    assert!(venue.said.iter().any(|line| line.contains("from the snapshot of seq")), "{:?}", venue.said);
    alice.log_on_again();
    (0..5).for_each(|_| alice.trade());
    venue.kill();
    let seqs = snapshot_seqs(&home.journal()).expect("listed");
    assert_eq!(seqs.len(), 2);
    (home, seqs)
}

/// What the start says of the journal.
fn report(home: &Home) -> String {
    let venue = home.serve();
    let line = venue.said.iter().find(|line| line.starts_with("journal")).expect("it is said").clone();
    assert!(venue.terminate().0.success());
    line
}

#[test]
fn a_start_falls_back_behind_what_does_not_verify_and_says_so() {
    let (home, seqs) = traded();
    let [older, newer] = [seqs[0], seqs[1]];
    let path = snapshot_path(&home.journal(), newer);
    let good = fs::read(&path).expect("it is there");
    let mut draw = Draw::new(3);
    for _ in 0..4 {
        let mut bytes = good.clone();
        bytes[draw.below(good.len() as u64) as usize] ^= 1;
        fs::write(&path, &bytes).expect("there is room");
        let line = report(&home);
        assert!(line.contains(&format!("from the snapshot of seq {older}")), "{line}");
        assert!(line.contains(&format!("the snapshot of seq {newer} is not used: ")), "{line}");
    }
    fs::write(snapshot_path(&home.journal(), older), &good).expect("there is room");
    let line = report(&home);
    assert!(
        line.contains("every event as it was said then") && !line.contains("from the snapshot"),
        "{line}"
    );
    assert!(line.contains("its name is not that of its seq"), "{line}");
    fs::write(&path, &good).expect("there is room");
    assert!(report(&home).contains(&format!("from the snapshot of seq {newer}")));
}

#[test]
fn a_snapshot_of_another_venue_or_another_history_is_passed_over() {
    let (home, seqs) = traded();
    let (other, others) = traded();
    let newer = seqs[1];
    let path = snapshot_path(&home.journal(), newer);
    fs::copy(snapshot_path(&other.journal(), others[1]), &path).expect("there is room");
    assert!(report(&home).contains("it is not of this journal: journal_id differs"), "{}", report(&home));

    let identity = identity(&home.journal());
    let (standing, bookmark) =
        Standing::load(&home.journal(), &identity, seqs[0]).expect("the older one is good");
    let head = journal::SnapshotHead {
        journal_id: identity.journal_id,
        shard: identity.shard,
        logic_version: identity.logic_version,
        bookmark: Bookmark { chain: [1; 32], ..bookmark },
        state_hash: standing.engine().digest(),
    };
    journal::remove_snapshot(&home.journal(), newer).expect("it was there");
    let sections = standing.sections();
    let parts = sections.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()));
    let path = snapshot_path(&home.journal(), seqs[0]);
    journal::write_snapshot(&path, &head, &parts).expect("there is room");
    let line = report(&home);
    assert!(line.contains("is not of the history"), "{line}");
    assert!(!line.contains("from the snapshot"), "{line}");
}

/// Its maker saw seq S durable, so a journal that ends before S has lost what members were told.
#[test]
fn a_journal_that_ends_before_its_snapshot_is_refused() {
    let (home, seqs) = traded();
    let journal = home.journal();
    let kept: PathBuf = home.path().join("kept");
    copy(&journal, &kept);
    let (_, bookmark) = Standing::load(&journal, &identity(&journal), seqs[1]).expect("good");
    fs::remove_file(journal.join("durable.mark")).expect("it was there");
    let segments = journal::segments(&journal, &identity(&journal)).expect("listed");
    for number in segments.into_iter().filter(|number| *number >= bookmark.position.segment()) {
        let path = journal::segment_path(&journal, number);
        let mut bytes = fs::read(&path).expect("there");
        let (from, end) = (bookmark.position.offset() as usize - 512, bytes.len() - 4096);
        let from = if number == bookmark.position.segment() { from & !4095 } else { 4096 };
        bytes[from..end].fill(0);
        fs::write(&path, bytes).expect("there is room");
    }
    let done = run("ballast", &["serve", home.shown()]);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("floor_origin=snapshot@{}", seqs[1])), "{said}");
}

#[test]
fn a_maker_that_is_killed_leaves_nothing_that_anybody_believes() {
    let home = tempfile::tempdir().expect("there is room");
    let directory = home.path().join("journal");
    written::journal(&directory, 9, Profile::ALL[1], 3_000, |seq| seq % 3 == 0, |_| ());
    let (_nobody, never) = channel::<()>();
    let mut draw = Draw::new(seed());
    let kills = number("BALLAST_KILLS", tiered(50, 500));
    let mut finished = 0;
    for _ in 0..kills {
        let until = (1 + draw.below(3_000)).to_string();
        let mut making = Command::new(program("ballast"))
            .args(["snapshot", "create"])
            .arg(&directory)
            .args(["--until-seq", &until])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let moment = Duration::from_micros(draw.below(60_000));
        assert_eq!(never.recv_timeout(moment), Err(RecvTimeoutError::Timeout));
        making.kill().expect("it is ours");
        finished += u64::from(making.wait().expect("it is ours").success());
        for seq in snapshot_seqs(&directory).expect("listed") {
            let seen = verify::file(&snapshot_path(&directory, seq), Some(&identity(&directory)));
            assert!(seen.verdict.is_ok(), "seq {seq}: {:?}", seen.verdict.err());
        }
    }
    println!(
        "J1 snapshot: {kills} makers killed, {finished} of them too late; nothing half made is believed"
    );
    let (code, said) = create(&directory, &[]);
    assert_eq!(code, Some(0), "{said}");
    let leftovers = fs::read_dir(journal::snapshots_directory(&directory)).expect("there");
    let names = leftovers.map(|entry| entry.expect("readable").file_name().into_string().expect("plain"));
    assert!(names.into_iter().all(|name| name.ends_with(".snap") || name == "LOCK"), "a leftover stayed");
    let shown = directory.to_str().expect("temporary paths are text");
    for task in ["ls", "verify"] {
        let done = run("ballast", &["snapshot", task, shown]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn what_cannot_be_done_is_said_with_its_exit_code() {
    let home = tempfile::tempdir().expect("there is room");
    let directory = home.path().join("journal");
    let empty = home.path().to_str().expect("temporary paths are text").to_owned();
    let code = |arguments: &[&str]| run("ballast", arguments).status.code();
    assert_eq!(code(&["snapshot", "create", &empty]), Some(4));
    assert_eq!(code(&["snapshot", "verify", &empty]), Some(4));
    assert_eq!(code(&["snapshot"]), Some(2));
    written::journal(&directory, 9, Profile::ALL[0], 50, |_| true, |_| ());
    assert_eq!(code(&["snapshot", "ls", &empty]), Some(4));
    let (ended, said) = create(&directory, &["--until-seq", "51"]);
    assert_eq!(ended, Some(5), "{said}");
    assert!(said.contains("seq 50 is"), "{said}");
    let _held = journal::Lock::take(&{
        fs::create_dir_all(journal::snapshots_directory(&directory)).expect("made");
        journal::snapshots_directory(&directory)
    });
    assert_eq!(create(&directory, &[]).0, Some(5), "another one is being made");
}

/// What changes a directory or a file, or opens one; strace counts each by itself, in each thread and process.
const CALLS: [&str; 7] = ["mkdir", "openat", "write", "fsync", "rename", "unlink", "clone3"];

#[test]
fn a_maker_killed_at_any_system_call_leaves_nothing_that_anybody_believes() {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if !strace.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed");
        return println!("J2 snapshot: SKIPPED, strace is not installed");
    }
    // No maker makes a call so often.
    let most = tiered(15, 2_000);
    let home = tempfile::tempdir().expect("there is room");
    let directory = home.path().join("journal");
    written::journal(&directory, 9, Profile::ALL[1], 300, |seq| seq % 3 == 0, |_| ());
    let (mut kills, mut whole) = (0, 0);
    for call in CALLS {
        for at in 1..=most {
            let _ = fs::remove_dir_all(journal::snapshots_directory(&directory));
            let done = Command::new("strace")
                .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
                .args(["-e", &format!("inject={call}:signal=KILL:when={at}")])
                .arg(program("ballast"))
                .args(["snapshot", "create"])
                .arg(&directory)
                .output()
                .expect("strace runs");
            let place = format!("killed at {call} {at}");
            for seq in snapshot_seqs(&directory).unwrap_or_default() {
                let seen = verify::file(&snapshot_path(&directory, seq), Some(&identity(&directory)));
                assert!(seen.verdict.is_ok(), "{place}: seq {seq}: {:?}", seen.verdict.err());
            }
            let (code, said) = create(&directory, &[]);
            assert_eq!(code, Some(0), "{place}: {said}");
            assert_eq!(snapshot_seqs(&directory).expect("listed").len(), 1, "{place}");
            if done.status.success() {
                whole += 1;
                break;
            }
            kills += 1;
        }
    }
    println!(
        "J2 snapshot: makers killed at {kills} system calls, of {whole} of {} kinds at every one; nothing half made is believed",
        CALLS.len()
    );
    assert!(kills >= 20, "the makers were hardly killed");
}
