//! How much the tests of the battery do: `BALLAST_TIER` is 0 for each commit (the default) or 1 for a release, `BALLAST_SEED`
//! is what everything drawn follows from.

use std::path::Path;

use tempfile::TempDir;

/// A number from the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

pub fn tiered(each_commit: u64, release: u64) -> u64 {
    if number("BALLAST_TIER", 0) == 0 { each_commit } else { release }
}

pub fn seed() -> u64 {
    number("BALLAST_SEED", 1)
}

/// A directory in memory where there is one, for tests that are not about a device.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a scratch directory")
}
