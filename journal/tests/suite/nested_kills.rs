//! A recovery that is killed, the recovery of that, and the recovery of that one too, each at any of its system calls that
//! change something. What comes to its end at last finds what the first one would have found.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use journal::Writer;

use super::kills::CALLS;
use super::system_calls::{DIRECTORY, has_strace};
use crate::BACK_END;
use crate::support::{
    DENSE, Random, append_command, identity, reopen, scratch, seed, segment, tiered, write,
};

const LAST: u64 = 61;
/// A recovery makes fewer calls of each kind.
const CALLS_MAX: u64 = 200;

/// Child half of the test below: recovers, and dies without a close.
#[test]
fn recovery() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (_, recovery) = reopen(Path::new(&directory), &DENSE).expect("recovered");
    assert_eq!(recovery.last_seq, LAST);
}

/// Whether it was killed; if not, it recovered everything.
fn is_killed(directory: &Path, (call, at): (&str, u64)) -> bool {
    let done = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={at}")])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::nested_kills::recovery", "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(!said.contains("FAILED"), "killed at {call} {at}: {said}");
    !said.contains("test result: ok")
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

/// A journal that was cut in the middle of a group, and the leftovers of a segment in the making.
fn torn(directory: &Path) {
    use std::os::unix::fs::FileExt;
    let mut writer = Writer::create(directory, &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=LAST - 1, 5, |_| true);
    append_command(&mut writer, LAST);
    writer.close_group().expect("closed");
    let end = writer.watermarks().written_position();
    drop(writer);
    let file = fs::OpenOptions::new().write(true).open(segment(directory, end.segment())).expect("opened");
    file.write_all_at(&[7; 3_000], end.offset()).expect("torn");
    fs::write(directory.join("00000000000000000009.seg.tmp"), [1; 5_000]).expect("a leftover");
}

#[test]
fn a_recovery_killed_three_times_in_a_row_recovers_to_the_same() {
    if !has_strace("J2 nested kills") {
        return;
    }
    let home = scratch();
    let start = home.path().join("torn");
    torn(&start);
    let all = tiered(0, 1) > 0;
    let mut random = Random(seed());
    // Every place of the first recovery, found by being killed there.
    let mut places = Vec::new();
    for call in CALLS {
        for at in 1..=CALLS_MAX {
            let directory = home.path().join("first");
            copy(&start, &directory);
            let killed = is_killed(&directory, (call, at));
            fs::remove_dir_all(&directory).expect("ours");
            if !killed {
                break;
            }
            places.push((call, at));
        }
    }
    let (mut chains, mut kills) = (0, 0);
    for first in 0..places.len() {
        let seconds =
            if all { (0..places.len()).collect() } else { vec![random.below(places.len() as u64) as usize] };
        for second in seconds {
            let third = random.below(places.len() as u64) as usize;
            let directory = home.path().join("chain");
            copy(&start, &directory);
            for place in [first, second, third] {
                kills += u64::from(is_killed(&directory, places[place]));
            }
            let chain = [first, second, third].map(|place| places[place]);
            let opened = reopen(&directory, &DENSE);
            let (mut writer, recovery) =
                opened.unwrap_or_else(|error| panic!("killed at {chain:?}: {error}"));
            assert_eq!(recovery.last_seq, LAST, "killed at {chain:?}");
            append_command(&mut writer, LAST + 1);
            writer.close_group().and_then(|_| writer.sync()).expect("it goes on");
            drop(writer);
            fs::remove_dir_all(&directory).expect("ours");
            chains += 1;
        }
    }
    println!(
        "J2 nested kills over {BACK_END}: {} places of a recovery, {chains} chains of three recoveries, {kills} kills, 0 failures \
         (BALLAST_SEED={})",
        places.len(),
        seed()
    );
    assert!(kills > 2 * chains, "the recoveries were hardly killed");
}
