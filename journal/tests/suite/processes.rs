//! Several processes on one directory: two writers that start at once, and readers that follow at full rate while they
//! are killed, frozen and started again. A child is this very binary, told by its environment what to be.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use journal::{Limit, OpenError, Options, Reader, Writer};

use crate::BACK_END;
use crate::support::{
    DENSE, Oracle, Random, SMALL, append_command, identity, reopen, scratch, seed, survey, tiered, write,
};

const DIRECTORY: &str = "JOURNAL_TEST_DIRECTORY";
/// How long a test waits for a process before it says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

fn child(test: &str, directory: &Path, extra: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, directory)
        .envs(extra.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process")
}

fn told() -> Option<std::path::PathBuf> {
    std::env::var_os(DIRECTORY).map(Into::into)
}

/// Child half of the test below: waits for the word, tries to be the writer, says how it went, and writes on if it is.
#[test]
fn contender() {
    let Some(directory) = told() else { return };
    println!("\nready");
    std::io::stdin().read_exact(&mut [0]).expect("the parent gives the word");
    match reopen(&directory, &DENSE) {
        Ok((mut writer, recovery)) => {
            let next = recovery.last_seq + 1;
            write(&mut writer, next..=next + 4, 1, |_| true);
            println!("\nruns");
            // The other one tries for as long as this one lives.
            std::io::stdin().read_to_end(&mut Vec::new()).expect("the parent lets go");
        }
        Err(OpenError::Locked { .. }) => println!("\nrefused"),
        Err(other) => println!("\nfailed: {other}"),
    }
}

fn line(output: &mut impl BufRead, wanted: &[&str]) -> String {
    loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).expect("the pipe is ours") > 0, "the child ended early");
        let line = line.trim();
        assert!(!line.starts_with("failed"), "{line}");
        if wanted.contains(&line) {
            return line.to_owned();
        }
    }
}

#[test]
fn of_two_writers_that_start_at_once_exactly_one_runs() {
    let rounds = tiered(100, 1_000);
    let directory = scratch();
    Writer::create(directory.path(), &identity(), &DENSE).expect("created").close().expect("closed");
    for round in 1..=rounds {
        let mut children = [0, 1].map(|_| child("suite::processes::contender", directory.path(), &[]));
        let mut outputs =
            children.each_mut().map(|it| BufReader::new(it.stdout.take().expect("it is piped")));
        outputs.iter_mut().for_each(|it| drop(line(it, &["ready"])));
        for it in &mut children {
            it.stdin.as_mut().expect("it is piped").write_all(b"!").expect("it waits");
        }
        let said = outputs.each_mut().map(|it| line(it, &["runs", "refused"]));
        let running = said.iter().filter(|it| *it == "runs").count();
        assert_eq!(running, 1, "round {round}: {said:?}");
        for mut it in children {
            // Every other time the winner is killed: its lock must die with it.
            if round % 2 == 0 {
                it.kill().expect("it is ours");
            }
            drop(it.stdin.take());
            it.wait().expect("it ends");
        }
    }
    assert_eq!(survey(directory.path()).expect("whole").last_seq, rounds * 5);
    println!(
        "J11 two writers over {BACK_END}: {rounds} rounds, one runs and one is refused in each, 0 failures"
    );
}

/// Child half of the test below: follows to D and says how many records it has verified.
#[test]
fn follower() {
    let Some(directory) = told() else { return };
    let last_seq: u64 = std::env::var("JOURNAL_TEST_LAST").expect("set").parse().expect("a number");
    let mut reader = Reader::open(&directory).expect("opened");
    let mut oracle = Oracle::default();
    println!("\nfollows");
    while oracle.seq < last_seq {
        let count = reader.poll(Limit::Durable, 4_096, &mut |record| oracle.check(record)).expect("read");
        if count == 0 {
            std::thread::yield_now();
        }
    }
    while reader.poll(Limit::Durable, 4_096, &mut |record| oracle.check(record)).expect("read") > 0 {}
    assert_eq!(oracle.whole_seq(), last_seq);
    println!("\nread {}", oracle.records);
}

/// A follower's last word.
fn count(mut follower: Child) -> u64 {
    let mut said = String::new();
    follower.stdout.take().expect("it is piped").read_to_string(&mut said).expect("text");
    assert!(follower.wait().expect("it ends").success(), "{said}");
    let count = said.lines().find_map(|line| line.strip_prefix("read "));
    count.unwrap_or_else(|| panic!("no count: {said}")).parse().expect("a number")
}

fn signal(to: &Child, name: &str) {
    let done = Command::new("kill").args([name, &to.id().to_string()]).status().expect("kill runs");
    assert!(done.success());
}

/// Kills, freezes and starts followers until the writer is done; returns the last one and what was done.
fn disturbed(
    directory: &Path,
    last_seq: u64,
    random: &mut Random,
    writing: &dyn Fn() -> bool,
) -> (Child, u64, u64) {
    let (_nobody, never) = channel::<()>();
    let pass = |milliseconds| {
        let _ = never.recv_timeout(Duration::from_millis(milliseconds));
    };
    let start =
        || child("suite::processes::follower", directory, &[("JOURNAL_TEST_LAST", last_seq.to_string())]);
    let (mut it, mut kills, mut freezes) = (start(), 0, 0);
    let since = Instant::now();
    while writing() || kills + freezes < 4 {
        assert!(since.elapsed() < PATIENCE, "the writer is held up");
        pass(20 + random.below(80));
        if random.below(2) == 0 {
            it.kill().expect("it is ours");
            it.wait().expect("it ends");
            (it, kills) = (start(), kills + 1);
        } else if it.try_wait().expect("asked").is_none() {
            signal(&it, "-STOP");
            pass(random.below(100));
            signal(&it, "-CONT");
            freezes += 1;
        }
    }
    (it, kills, freezes)
}

#[test]
fn followers_in_processes_of_their_own_verify_every_frame_whatever_is_done_to_them() {
    const SEGMENTS: Options = Options { segment_bytes: 4 << 20, ..SMALL };
    /// 2.6 records for each command, on the average.
    const COMMANDS: u64 = 2_000_000;
    /// A group has up to so many: at full rate there are many in each.
    const COMMANDS_PER_GROUP: u64 = 200;
    let (rounds, seed) = (tiered(1, 100), seed());
    let (mut frames, mut kills, mut freezes) = (0, 0, 0);
    for round in 0..rounds {
        let directory = scratch();
        let mut random = Random(seed << 20 | (round + 1));
        let mut writer = Writer::create(directory.path(), &identity(), &SEGMENTS).expect("created");
        let last = [("JOURNAL_TEST_LAST", COMMANDS.to_string())];
        let steady = child("suite::processes::follower", directory.path(), &last);
        let watermarks = writer.watermarks();
        let other = std::thread::scope(|scope| {
            let mut sizes = Random(random.next());
            let writer = &mut writer;
            scope.spawn(move || {
                let mut seq = 0;
                while seq < COMMANDS {
                    let end = COMMANDS.min(seq + 1 + sizes.below(COMMANDS_PER_GROUP));
                    (seq + 1..=end).for_each(|seq| append_command(writer, seq));
                    writer.close_group().expect("closed");
                    seq = writer.sync().expect("synced");
                }
            });
            disturbed(directory.path(), COMMANDS, &mut random, &|| watermarks.durable() < COMMANDS)
        });
        let verified = count(steady);
        assert_eq!(count(other.0), verified, "BALLAST_SEED={seed} round {round}");
        frames += 2 * verified;
        kills += other.1;
        freezes += other.2;
    }
    println!(
        "J12 followers over {BACK_END}: {frames} frames verified in two processes while {COMMANDS} commands a round were written, \
         {kills} kills, {freezes} freezes, 0 failures (BALLAST_SEED={seed})"
    );
}
