//! The tail of a live journal, verified record by record. It reads up to the durable watermark and never beyond: what is
//! only written, a crash may take back. It opens files for reading, takes no lock, and sleeps nowhere; its owner decides
//! how often to poll.

use std::io;
use std::path::{Path, PathBuf};

use journal::{Limit, OpenError, ReadError, Reader, Watermarks};

use crate::stop::Stop;
use crate::verifier::{Fault, Verifier};

/// Records that one poll reads at most, so that a signal is noticed while catching up.
const RECORDS_PER_POLL_MAX: usize = 4096;

pub struct Follower {
    path: PathBuf,
    reader: Reader,
    watermarks: Watermarks,
    verifier: Verifier,
    until_seq: u64,
    /// A record beyond `until_seq` was seen, so all that belongs to it was.
    passed: bool,
}

impl Follower {
    /// `directory` is a journal, or a venue's directory with a journal in `journal/`. Records beyond `until_seq` are
    /// left alone.
    pub fn open(directory: &Path, until_seq: Option<u64>) -> Result<Follower, Stop> {
        let path = journal_path(directory);
        if !path.is_dir() {
            return Err(Stop::NotFound { path });
        }
        let failed = |error| Stop::Open { path: path.clone(), error };
        let reader = Reader::open(&path).map_err(failed)?;
        let watermarks = Watermarks::open(&path).map_err(|source| failed(no_watermarks(&path, source)))?;
        let until_seq = until_seq.unwrap_or(u64::MAX);
        Ok(Follower { path, reader, watermarks, verifier: Verifier::default(), until_seq, passed: false })
    }

    /// Reads and verifies a bounded number of durable records; 0 when there are no more for now.
    pub fn poll(&mut self) -> Result<usize, Stop> {
        let Follower { path, reader, verifier, until_seq, passed, .. } = self;
        let mut fault = None;
        let read = reader.poll(Limit::Durable, RECORDS_PER_POLL_MAX, &mut |record| {
            *passed |= record.seq > *until_seq;
            if *passed {
                return Ok(());
            }
            verifier.record(record).map_err(|found| {
                let reason = found.to_string();
                fault = Some(found);
                reason
            })
        });
        match (fault, read) {
            (Some(fault), _) => Err(Stop::Different { path: path.clone(), fault }),
            (None, Ok(records)) => Ok(records),
            (None, Err(error)) => Err(Stop::Read { path: path.clone(), error }),
        }
    }

    /// Reads all that is durable at this moment, and on to the end of the command that the last poll broke off in: the
    /// place to stop at when the end is asked for in the middle of catching up. Bounded, however fast the venue writes.
    pub fn read_what_is_durable(&mut self) -> Result<(), Stop> {
        let durable_seq = self.durable_seq();
        let mut read = usize::MAX;
        while read > 0 && !self.passed && !(self.last_seq() > durable_seq && self.verifier.is_whole()) {
            read = self.poll()?;
        }
        Ok(())
    }

    /// Whether a record beyond `until_seq` was seen, so that nothing of `until_seq` is still to come.
    pub fn has_passed(&self) -> bool {
        self.passed
    }

    /// Whether `until_seq` stands with all its events. More of it, such as a mark, may still come.
    pub fn has_reached(&self) -> bool {
        self.last_seq() >= self.until_seq && self.verifier.is_whole()
    }

    /// Nothing more is to be read: what is owed is a difference, and the ledger is compared a last time.
    pub fn finish(&mut self) -> Result<(), Stop> {
        self.verifier.finish().map_err(|fault| self.different(fault))
    }

    /// Holds the ledger against the engine now.
    pub fn compare(&self) -> Result<(), Stop> {
        self.verifier.compare().map_err(|fault| self.different(fault))
    }

    pub fn last_seq(&self) -> u64 {
        self.verifier.replay().engine().last_seq()
    }

    /// The durable watermark.
    pub fn durable_seq(&self) -> u64 {
        self.watermarks.durable()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn different(&self, fault: Fault) -> Stop {
        Stop::Different { path: self.path.clone(), fault }
    }
}

fn journal_path(directory: &Path) -> PathBuf {
    let inside = directory.join("journal");
    if inside.is_dir() { inside } else { directory.to_owned() }
}

fn no_watermarks(path: &Path, source: io::Error) -> ReadError {
    ReadError::Open(OpenError::Io { what: "map the watermarks", path: path.to_owned(), source })
}
