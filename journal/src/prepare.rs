//! Segments made ahead of use: reserved, zeroed, headed and named by a thread of their own, so that a rotation
//! costs no metadata commit. Knows nothing of what will be written into them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use zerocopy::IntoBytes;

use crate::directory;
use crate::identity::{Identity, Options};
use crate::map;
use crate::segment::{Layout, PAGE_BYTES, SegmentHeader};

static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// What every new segment of one writer has in common.
#[derive(Clone)]
pub(crate) struct Mould {
    pub directory: PathBuf,
    pub identity: Identity,
    pub options: Options,
    pub epoch: u64,
}

/// A segment that is complete under its final name and durable, with the descriptor that made it.
pub(crate) struct Prepared {
    pub file: File,
    pub layout: Layout,
}

impl Mould {
    /// Makes segment `number`. When it returns, a power cut leaves the file complete.
    pub fn cast(&self, number: u64) -> io::Result<Prepared> {
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        let header = SegmentHeader::new(&self.identity, &self.options, number, self.epoch, salt, now_ns());
        let path = directory::segment_path(&self.directory, number);
        let temporary = directory::temporary_path(&path);
        match self.install(&header, &temporary, &path) {
            Ok(file) => Ok(Prepared { file, layout: header.layout() }),
            Err(error) => {
                // A disk that ran full needs the space back; it may not even hold the file.
                let _ = fs::remove_file(&temporary);
                Err(needs(&path, self.options.segment_bytes, &error))
            }
        }
    }

    fn install(&self, header: &SegmentHeader, temporary: &Path, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(temporary)?;
        fill(&file, header, self.options.segment_bytes)?;
        fs::rename(temporary, path)?;
        directory::sync(&self.directory)?;
        Ok(file)
    }
}

/// `error` with what an operator needs to know when the disk is full. Its kind stays.
pub(crate) fn needs(path: &Path, bytes: u64, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{error}; {} needs {bytes} bytes", path.display()))
}

/// Blocks are written, not only reserved, or else each first sync into them would commit metadata. The zeros
/// then leave the cache: large folios of them would turn a small write into a large one on the device.
fn fill(file: &File, header: &SegmentHeader, bytes: u64) -> io::Result<()> {
    map::reserve(file, bytes)?;
    let mut offset = 0;
    while offset < bytes {
        let count = ZEROS.len().min((bytes - offset) as usize);
        file.write_all_at(&ZEROS[..count], offset)?;
        offset += count as u64;
    }
    file.write_all_at(header.as_bytes(), 0)?;
    file.write_all_at(header.as_bytes(), bytes - PAGE_BYTES as u64)?;
    file.sync_all()?;
    map::drop_cache(file);
    Ok(())
}

pub(crate) fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// The helper thread and the spare that it has ready or is at work on.
pub(crate) struct Preparer {
    mould: Mould,
    orders: Option<Sender<u64>>,
    /// None for a segment that could not be made ahead of use.
    ready: Receiver<Option<Prepared>>,
    fault: SpareFault,
    thread: Option<JoinHandle<()>>,
    ordered: u64,
}

/// Why the last attempt ahead of use failed; none once a spare is ready.
type SpareFault = Arc<Mutex<Option<String>>>;

impl Preparer {
    /// Starts the thread and orders segment `first`, which becomes the spare.
    pub fn start(mould: Mould, first: u64) -> io::Result<Preparer> {
        let (orders, ordered) = channel();
        let (finished, ready) = channel();
        let fault = SpareFault::default();
        let (own_mould, own_fault) = (mould.clone(), Arc::clone(&fault));
        let work = move || {
            for number in ordered {
                let attempt = own_mould.cast(number);
                *lock(&own_fault) = attempt.as_ref().err().map(io::Error::to_string);
                if finished.send(attempt.ok()).is_err() {
                    return;
                }
            }
        };
        let thread = Some(Builder::new().name("journal-prepare".into()).spawn(work)?);
        let mut preparer = Preparer { mould, orders: Some(orders), ready, fault, thread, ordered: first };
        preparer.order(first)?;
        Ok(preparer)
    }

    fn order(&mut self, number: u64) -> io::Result<()> {
        let gone = || io::Error::other("the thread that prepares segments has ended");
        self.orders.as_ref().ok_or_else(gone)?.send(number).map_err(|_| gone())?;
        self.ordered = number;
        Ok(())
    }

    /// Takes the spare and orders the next one. Waits only when rotations outrun the disk. A spare that could not be
    /// made ahead of use is tried once more here: what was in its way may be gone since.
    pub fn take(&mut self) -> io::Result<Prepared> {
        let gone = |_| io::Error::other("the thread that prepares segments has ended");
        let prepared = match self.ready.recv().map_err(gone)? {
            Some(prepared) => prepared,
            None => self.mould.cast(self.ordered)?,
        };
        self.order(self.ordered + 1)?;
        Ok(prepared)
    }

    pub fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }
}

fn lock(fault: &Mutex<Option<String>>) -> MutexGuard<'_, Option<String>> {
    fault.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the helper has already shown itself as a missing spare.
            let _ = thread.join();
        }
    }
}

/// Opens a segment that was prepared by an earlier writer.
pub(crate) fn reopen(directory: &Path, layout: Layout) -> io::Result<Prepared> {
    let path = directory::segment_path(directory, layout.segment);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Prepared { file, layout })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_cannot_be_made_is_named_with_its_size_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let mould = Mould {
            directory: directory.path().to_owned(),
            identity: Identity { journal_id: [1; 16], shard: 2, config_hash: [3; 32], logic_version: 4 },
            options: Options { segment_bytes: 64 << 10, ..Options::default() },
            epoch: 1,
        };
        // A directory where the rename must put the file.
        let path = directory::segment_path(directory.path(), 7);
        fs::create_dir(&path).expect("in the way");
        let error = mould.cast(7).err().expect("refused");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let due = format!("; {} needs 65536 bytes", path.display());
        assert!(error.to_string().ends_with(&due), "{error}");
        assert!(!directory::temporary_path(&path).exists(), "the space is given back");
    }
}
