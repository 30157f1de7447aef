//! Names in the journal's directory, and the one safe way to put a small file into it. Knows no contents.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) const LOCK: &str = "LOCK";
pub(crate) const IDENTITY: &str = "journal.id";
pub(crate) const CONTROL: &str = "control";
pub(crate) const MARK: &str = "durable.mark";
pub(crate) const TORN: &str = "torn";
pub(crate) const DIVERGENT: &str = "divergent";
pub(crate) const LOSS: &str = "loss.pending";
pub(crate) const RESERVE: &str = "reserve.bin";
pub(crate) const BASE: &str = "journal.base";
pub(crate) const CURSORS: &str = "cursors";
pub(crate) const SNAPSHOTS: &str = "snap";
pub(crate) const SNAPSHOT_SUFFIX: &str = ".snap";
const SEGMENT_SUFFIX: &str = ".seg";
const TEMPORARY_SUFFIX: &str = ".tmp";
const NUMBER_DIGITS: usize = 20;

pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    numbered_path(directory, number, SEGMENT_SUFFIX)
}

pub(crate) fn numbered_path(directory: &Path, number: u64, suffix: &str) -> PathBuf {
    directory.join(format!("{number:0NUMBER_DIGITS$}{suffix}"))
}

/// The name under which a file is filled before it is renamed to what it will be.
pub(crate) fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}

/// The numbers of all segment files, ascending as numbers, whatever order the directory lists them in.
pub(crate) fn segment_numbers(directory: &Path) -> io::Result<Vec<u64>> {
    numbers(directory, SEGMENT_SUFFIX)
}

/// The numbers of all files with this suffix, ascending.
pub(crate) fn numbers(directory: &Path, suffix: &str) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| number_in(name, suffix)) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_in(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    let all_digits = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// Removes files that were being filled when a writer died: nothing refers to them.
pub(crate) fn remove_temporaries(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.ends_with(TEMPORARY_SUFFIX));
        if is_ours && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes `directory` and whatever above it is missing, all of it durable. The one above is synced even if `directory`
/// was there: whoever made it a moment ago need not have known that a journal would be put into it.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    let missing = directory.ancestors().take_while(|path| !path.exists()).count();
    fs::create_dir_all(directory)?;
    for parent in directory.ancestors().skip(1).take(missing.max(1)) {
        // The directory above a lone name is the one that the process stands in.
        sync(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Makes creations, renames and removals in `directory` durable. An XFS that was shut down in between drops its log and then
/// answers the sync of a directory with success, for it has nothing left to write; to open it again it refuses.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()?;
    File::open(directory).map(drop)
}

/// Puts a whole file in place so that after a crash it is there entirely or not at all.
pub(crate) fn install(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = directory.join(name);
    let temporary = temporary_path(&path);
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    sync(directory)
}

/// Moves a file below `directory` into `divergent/`, under its own name or, where that is taken, with a number behind it.
/// Durable when it returns.
pub(crate) fn move_aside(directory: &Path, path: &Path) -> io::Result<PathBuf> {
    let aside = directory.join(DIVERGENT);
    if !aside.is_dir() {
        create(&aside)?;
    }
    let name = path.file_name().expect("a file has a name");
    let mut target = aside.join(name);
    for attempt in 1u32.. {
        if !target.exists() {
            break;
        }
        target = aside.join(format!("{}.{attempt}", name.to_string_lossy()));
    }
    fs::rename(path, &target)?;
    sync(&aside)?;
    sync(path.parent().expect("a file lies in a directory"))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_at_any_depth_and_may_be_there() {
        let root = tempfile::tempdir().expect("a directory");
        for path in ["a", "a/b/c", "a/b/c/d/", "a"] {
            create(&root.path().join(path)).expect("made and synced");
            assert!(root.path().join(path).is_dir());
        }
        create(Path::new(".")).expect("there");
        fs::write(root.path().join("file"), b"").expect("written");
        assert!(create(&root.path().join("file/below")).is_err());
    }

    #[test]
    fn only_exact_names_are_segments() {
        assert_eq!(number_in("00000000000000000042.seg", SEGMENT_SUFFIX), Some(42));
        for name in ["42.seg", "00000000000000000042.seg.tmp", "0000000000000000004x.seg", ".seg", "LOCK"] {
            assert_eq!(number_in(name, SEGMENT_SUFFIX), None, "{name}");
        }
    }
}
