//! A venue killed at each of its system calls in turn, from its start through its first words to its shutdown: the next start
//! finds everything that a member was told, and what an independent replay finds is the same. strace counts and kills.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::audit::audit;
use tests::peer::Peer;
use tests::tier::tiered;
use tests::venue::{Home, program};

/// What changes a directory or a file, or opens one. Each is counted by itself, in each thread.
const CALLS: [&str; 9] =
    ["mkdir", "openat", "pwrite64", "write", "fsync", "fdatasync", "rename", "unlink", "fallocate"];

/// Serves until it is killed, or, once it listens and a member was let in, until SIGTERM ends it. Returns whether it was killed
/// and whether the member was.
fn killed(home: &Home, call: &str, at: u64) -> (bool, bool) {
    let mut venue = Command::new("strace")
        // The tracer is the grandchild, so that the child is the venue.
        .args(["-D", "-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={at}")])
        .arg(program("ballast"))
        .args(["serve", home.shown()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace runs");
    let output = BufReader::new(venue.stdout.take().expect("it is piped"));
    let mut is_let_in = false;
    for line in output.lines() {
        let Ok(line) = line else { break };
        if line.contains("listening") {
            let peer = Peer::try_connect(home.path(), "alice").ok();
            is_let_in = peer.and_then(|mut peer| peer.try_log_on(1)).is_some();
            // It may be gone already.
            let _ = kill_process(Pid::from_child(&venue), Signal::TERM);
        }
    }
    let status = venue.wait().expect("it is ours");
    (!status.success(), is_let_in)
}

#[test]
fn a_venue_killed_at_any_system_call_starts_again() {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if !strace.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed");
        return println!("J2 venue: SKIPPED, strace is not installed");
    }
    let (most, stride) = (tiered(20, 2_000), tiered(3, 1));
    let (mut kills, mut under_load, mut whole) = (0, 0, 0);
    let mut home = Home::new(|text| text);
    for call in CALLS {
        for at in (1..=most).step_by(stride as usize) {
            // A new one now and then, so that creations are killed as well as recoveries.
            if kills % 7 == 0 {
                home = Home::new(|text| text);
            }
            let (is_killed, is_let_in) = killed(&home, call, at);
            let place = format!("killed at {call} {at}");
            let venue = home.serve();
            let (status, _) = venue.terminate();
            assert!(status.success(), "{place}: {status}");
            let found = audit(&home.journal());
            assert!(found.commands > 0, "{place}");
            if !is_killed {
                whole += 1;
                break;
            }
            kills += 1;
            under_load += u64::from(is_let_in);
        }
    }
    println!(
        "J2 venue: killed at {kills} system calls of starts, recoveries and shutdowns, {under_load} with a member in, of {whole} of {} \
         kinds at every one; each started again and replayed equal, 0 failures",
        CALLS.len()
    );
    assert!(kills >= CALLS.len() as u64, "the venues were hardly killed");
}
