//! Segments made ahead of use: reserved, zeroed, headed and named by a thread of their own, so that a rotation
//! costs no metadata commit, two of them and the reserve, and tried again for as long as the disk does not give what they
//! take. Knows nothing of what will be written into them.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zerocopy::IntoBytes;

use crate::directory;
use crate::identity::{Identity, Options};
use crate::map;
use crate::reserve;
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

/// A segment whose bytes are durable under a temporary name.
struct Filled {
    file: File,
    layout: Layout,
    directory: PathBuf,
}

impl Filled {
    fn path(&self) -> PathBuf {
        directory::segment_path(&self.directory, self.layout.segment)
    }

    fn install(self) -> io::Result<Prepared> {
        let path = self.path();
        let done = fs::rename(directory::temporary_path(&path), &path)
            .and_then(|()| directory::sync(&self.directory));
        match done {
            Ok(()) => Ok(Prepared { file: self.file, layout: self.layout }),
            Err(error) => {
                let bytes = self.layout.bytes;
                self.discard();
                Err(needs(&path, bytes, &error))
            }
        }
    }

    /// A disk that ran full needs the space back.
    fn discard(self) {
        let _ = fs::remove_file(directory::temporary_path(&self.path()));
    }
}

impl Mould {
    /// Makes segment `number`. When it returns, a power cut leaves the file complete.
    pub fn cast(&self, number: u64) -> io::Result<Prepared> {
        self.fill_ahead(number)?.install()
    }

    fn header(&self, number: u64, options: &Options) -> io::Result<SegmentHeader> {
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        Ok(SegmentHeader::new(&self.identity, options, number, self.epoch, salt, now_ns()))
    }

    fn fill_ahead(&self, number: u64) -> io::Result<Filled> {
        let header = self.header(number, &self.options)?;
        let path = directory::segment_path(&self.directory, number);
        let temporary = directory::temporary_path(&path);
        let bytes = self.options.segment_bytes;
        let filled = || -> io::Result<Filled> {
            let file = create(&temporary)?;
            fill(&file, Some(&header), bytes)?;
            Ok(Filled { file, layout: header.layout(), directory: self.directory.clone() })
        };
        filled().map_err(|error| {
            // A disk that ran full needs the space back; it may not even hold the file.
            let _ = fs::remove_file(&temporary);
            needs(&path, bytes, &error)
        })
    }

    /// Makes segment `number` of the reserve, as short as that is. Writes over blocks that are there and renames, no more.
    pub fn cast_from_reserve(&self, number: u64) -> io::Result<Prepared> {
        let options = Options { segment_bytes: reserve::bytes(&self.options), ..self.options.clone() };
        let header = self.header(number, &options)?;
        let file = reserve::open(&self.directory, &options)?;
        write_headers(&file, &header, options.segment_bytes)?;
        file.sync_all()?;
        fs::rename(
            self.directory.join(directory::RESERVE),
            directory::segment_path(&self.directory, number),
        )?;
        directory::sync(&self.directory)?;
        Ok(Prepared { file, layout: header.layout() })
    }
}

/// `error` with what an operator needs to know when the disk is full. Its kind stays.
pub(crate) fn needs(path: &Path, bytes: u64, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{error}; {} needs {bytes} bytes", path.display()))
}

/// Blocks are written, not only reserved, or else each first sync into them would commit metadata. The zeros
/// then leave the cache: large folios of them would turn a small write into a large one on the device.
pub(crate) fn fill(file: &File, header: Option<&SegmentHeader>, bytes: u64) -> io::Result<()> {
    map::reserve(file, bytes)?;
    let mut offset = 0;
    while offset < bytes {
        let count = ZEROS.len().min((bytes - offset) as usize);
        file.write_all_at(&ZEROS[..count], offset)?;
        offset += count as u64;
    }
    if let Some(header) = header {
        write_headers(file, header, bytes)?;
    }
    file.sync_all()?;
    map::drop_cache(file);
    Ok(())
}

pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
}

fn write_headers(file: &File, header: &SegmentHeader, bytes: u64) -> io::Result<()> {
    file.write_all_at(header.as_bytes(), 0)?;
    file.write_all_at(header.as_bytes(), bytes - PAGE_BYTES as u64)
}

pub(crate) fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// Spares that are kept ready. One would do; with two there is a whole segment's time to mend what is in the way.
const SPARES: usize = 2;
/// How long a failed attempt rests before the next, doubled up to the maximum.
const RETRY: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The helper thread and what it has made.
pub(crate) struct Preparer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// The stock, and its two numbers that a writer looks at for every group.
struct Shared {
    mould: Mould,
    stock: Mutex<Stock>,
    changed: Condvar,
    spares: AtomicUsize,
    is_short: AtomicBool,
}

/// What stands ready. Whoever gives a segment its name holds the lock, so that no number is given twice.
struct Stock {
    /// The number that the next segment gets.
    next: u64,
    spares: VecDeque<Prepared>,
    has_reserve: bool,
    /// Why the last attempt failed; none after one that did not.
    fault: Option<(io::ErrorKind, String)>,
    attempts: u64,
    /// Somebody waits for an attempt and cannot wait for its turn.
    hurry: bool,
    ended: bool,
}

impl Preparer {
    /// Starts the thread. `ready` are spares of an earlier writer; the first segment to be made is the one behind them.
    pub fn start(mould: Mould, ready: Vec<Prepared>, first: u64) -> io::Result<Preparer> {
        let has_reserve = reserve::is_whole(&mould.directory, &mould.options);
        let stock = Stock {
            next: first + ready.len() as u64,
            spares: ready.into(),
            has_reserve,
            fault: None,
            attempts: 0,
            hurry: false,
            ended: false,
        };
        let shared = Arc::new(Shared {
            mould,
            spares: AtomicUsize::new(stock.spares.len()),
            is_short: AtomicBool::new(false),
            stock: Mutex::new(stock),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let thread = Builder::new().name("journal-prepare".into()).spawn(move || own.work())?;
        Ok(Preparer { shared, thread: Some(thread) })
    }

    /// The next spare. Waits only when rotations outrun the disk; where there is none, what was in the way of the last
    /// attempt may be gone since, so it is made once more.
    pub fn take(&self) -> io::Result<Prepared> {
        let shared = &self.shared;
        let mut stock = shared.lock();
        let attempts = stock.attempts;
        stock.hurry = stock.spares.is_empty();
        shared.changed.notify_all();
        while stock.spares.is_empty() && !stock.ended && (stock.attempts == attempts || stock.fault.is_none())
        {
            stock = shared.wait(stock);
        }
        let taken = stock.spares.pop_front();
        shared.publish(&stock);
        shared.changed.notify_all();
        taken.ok_or_else(|| match &stock.fault {
            Some((kind, text)) => io::Error::new(*kind, text.clone()),
            None => io::Error::other("the thread that prepares segments has ended"),
        })
    }

    /// Makes a short segment of the reserve, which takes no space. Only where there is no spare.
    pub fn release_reserve(&self) -> io::Result<Prepared> {
        let mut stock = self.shared.lock();
        assert!(stock.spares.is_empty(), "the reserve is for when there is no spare");
        let prepared = self.shared.mould.cast_from_reserve(stock.next)?;
        stock.next += 1;
        stock.has_reserve = false;
        self.shared.changed.notify_all();
        Ok(prepared)
    }

    pub fn spares(&self) -> usize {
        self.shared.spares.load(Ordering::Acquire)
    }

    /// Is something missing that could not be made?
    pub fn is_short(&self) -> bool {
        self.shared.is_short.load(Ordering::Acquire)
    }

    /// What one spare and the reserve take, as far as they are missing.
    pub fn missing_bytes(&self) -> u64 {
        let stock = self.shared.lock();
        let spare = if stock.spares.is_empty() { self.shared.mould.options.segment_bytes } else { 0 };
        spare + if stock.has_reserve { 0 } else { self.reserve_bytes() }
    }

    pub fn fault(&self) -> Option<String> {
        self.shared.lock().fault.as_ref().map(|(_, text)| text.clone())
    }

    /// What a whole segment has for groups.
    pub fn group_bytes_max(&self) -> u64 {
        let Options { segment_bytes, group_alignment, .. } = self.shared.mould.options;
        segment_bytes - 2 * PAGE_BYTES as u64 - 2 * u64::from(group_alignment)
    }

    pub fn reserve_bytes(&self) -> u64 {
        reserve::bytes(&self.shared.mould.options)
    }
}

/// What is to be made next.
enum Task {
    Reserve,
    Spare(u64),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, stock: MutexGuard<'a, Stock>) -> MutexGuard<'a, Stock> {
        self.changed.wait(stock).unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, stock: &Stock) {
        self.spares.store(stock.spares.len(), Ordering::Release);
        self.is_short.store(stock.fault.is_some(), Ordering::Release);
    }

    fn work(&self) {
        let _last = Last(self);
        let mut rest = RETRY;
        while let Some(task) = self.next_task() {
            let made = match task {
                Task::Reserve => reserve::make(&self.mould.directory, &self.mould.options).map(|()| None),
                Task::Spare(number) => self.mould.fill_ahead(number).map(Some),
            };
            if self.stow(made) {
                rest = RETRY;
            } else {
                self.rest(rest);
                rest = (rest * 2).min(RETRY_MAX);
            }
        }
    }

    /// Waits until something is missing. The reserve is small, and without it the venue cannot halt in order.
    fn next_task(&self) -> Option<Task> {
        let mut stock = self.lock();
        loop {
            if stock.ended {
                return None;
            }
            if stock.spares.len() < SPARES && stock.hurry {
                return Some(Task::Spare(stock.next));
            }
            if !stock.has_reserve {
                return Some(Task::Reserve);
            }
            if stock.spares.len() < SPARES {
                return Some(Task::Spare(stock.next));
            }
            stock = self.wait(stock);
        }
    }

    /// Puts what was made where it belongs, under its name and durably, before it counts. False after a failure.
    fn stow(&self, made: io::Result<Option<Filled>>) -> bool {
        let mut stock = self.lock();
        let stowed = match made {
            Ok(None) => {
                stock.has_reserve = true;
                Ok(())
            }
            Ok(Some(filled)) if filled.layout.segment == stock.next => filled.install().map(|prepared| {
                stock.next += 1;
                stock.spares.push_back(prepared);
            }),
            // The reserve took the number meanwhile.
            Ok(Some(filled)) => {
                filled.discard();
                Ok(())
            }
            Err(error) => Err(error),
        };
        stock.attempts += 1;
        stock.hurry = false;
        stock.fault = stowed.as_ref().err().map(|error| (error.kind(), error.to_string()));
        self.publish(&stock);
        self.changed.notify_all();
        stowed.is_ok()
    }

    /// Until the time is over, or somebody waits.
    fn rest(&self, time: Duration) {
        let stock = self.lock();
        let idle = |stock: &mut Stock| !stock.hurry && !stock.ended;
        // Whatever ended the wait, the next task is looked for.
        let _ = self.changed.wait_timeout_while(stock, time, idle);
    }
}

/// Nobody waits for a thread that has gone.
struct Last<'a>(&'a Shared);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
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
