//! The journal and the venue on disks that lose power and fail: real file systems on loop devices that are shut down without
//! their log (J4), a file system of our own that forgets or tears what was not synced (J5) and that fails syncs and reads or
//! takes its time (J10), and the bytes that a device is written for one command. Needs root, and a kernel with loop devices
//! and FUSE; mkfs.ext4, mkfs.xfs and xfs_io for J4.
//!
//! Everything is mounted in a mount namespace of its own, on loop devices that detach themselves: when the last process of a
//! run is gone, however it ended, nothing of it is left.
//!
//! ```text
//! cargo run -p tests --example disks -- mounts | forgetful | errors | bytes
//! ```

#![forbid(unsafe_code)]

mod bytes;
mod errors;
mod forgetful;
mod forgetful_fuse;
mod life;
mod loop_mount;
mod mounts;
mod parent;
mod power;
mod slow;

use std::process::{Command, ExitCode};

const USAGE: &str = "usage: disks mounts | forgetful | errors | bytes";
/// Set where the mount namespace is our own.
const INSIDE: &str = "BALLAST_DISKS_INSIDE";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["life", directory, back_end, seed] = words[..] {
        return life::main(directory, back_end, seed);
    }
    if std::env::var_os(INSIDE).is_none() {
        return in_a_namespace(&words);
    }
    match words[..] {
        ["mounts"] => mounts::run(),
        ["forgetful"] => power::run(),
        ["errors"] => errors::run(),
        ["bytes"] => bytes::run(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// This program again, where what is mounted ends with it.
fn in_a_namespace(words: &[&str]) -> ExitCode {
    let this = std::env::current_exe().expect("a program has a path");
    let run = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(this)
        .args(words)
        .env(INSIDE, "1")
        .status();
    match run {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => {
            eprintln!("unshare: {error}; these disks need root and util-linux");
            ExitCode::FAILURE
        }
    }
}
