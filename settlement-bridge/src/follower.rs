//! The tail of a live journal, verified record by record. It reads up to the durable watermark and never beyond: what is
//! only written, a crash may take back. It opens files for reading, takes no lock, and sleeps nowhere; its owner decides
//! how often to poll.

use std::io;
use std::path::{Path, PathBuf};

use journal::{Kind, Limit, Loss, OpenError, ReadError, Reader, Watermarks};

use crate::state::Home;
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
    home: Option<Home>,
    /// What stands in the state and the cursor.
    kept_seq: u64,
}

impl Follower {
    /// `directory` is a journal, or a venue's directory with a journal in `journal/`. Records beyond `until_seq` are
    /// left alone.
    pub fn open(directory: &Path, until_seq: Option<u64>) -> Result<Follower, Stop> {
        Follower::open_with(directory, until_seq, None)
    }

    /// The same from what `home` kept, if it kept anything; from then on the journal keeps what this follower needs.
    pub fn open_with(directory: &Path, until_seq: Option<u64>, home: Option<Home>) -> Result<Follower, Stop> {
        let path = journal_path(directory);
        if !path.is_dir() {
            return Err(Stop::NotFound { path });
        }
        let failed = |error| Stop::Open { path: path.clone(), error };
        let identity = journal::load_identity(&path).map_err(|error| failed(ReadError::Open(error)))?;
        let state = match &home {
            Some(home) => home.load(&identity).map_err(|fault| Stop::State { path: home.path(), fault })?,
            None => None,
        };
        let (reader, verifier) = match state {
            Some((verifier, bookmark)) => {
                let opened = Reader::open_at(&path, &bookmark);
                (opened.map_err(|error| parted(&path, bookmark.seq, error, failed))?, verifier)
            }
            None => (Reader::open(&path).map_err(failed)?, Verifier::default()),
        };
        let kept_seq = verifier.replay().engine().last_seq();
        if kept_seq < reader.position_seq() {
            return Err(Stop::BeginsLater { seq: reader.position_seq(), path });
        }
        if let (Some(home), Some(bookmark)) = (&home, reader.bookmark()) {
            let keep = home.register(&path, &identity, &bookmark);
            keep.map_err(|error| Stop::Keep { path: home.path(), error })?;
        }
        let watermarks = Watermarks::open(&path).map_err(|source| failed(no_watermarks(&path, source)))?;
        let until_seq = until_seq.unwrap_or(u64::MAX);
        Ok(Follower { path, reader, watermarks, verifier, until_seq, passed: false, home, kept_seq })
    }

    /// Reads and verifies a bounded number of durable records; 0 when there are no more for now.
    pub fn poll(&mut self) -> Result<usize, Stop> {
        self.read(RECORDS_PER_POLL_MAX)
    }

    fn read(&mut self, records_max: usize) -> Result<usize, Stop> {
        let Follower { path, reader, verifier, until_seq, passed, .. } = self;
        let mut fault = None;
        let read = reader.poll(Limit::Durable, records_max, &mut |record| {
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
            (None, Err(error)) => {
                let seq = verifier.replay().engine().last_seq();
                Err(parted(path, seq, error, |error| Stop::Read { path: path.clone(), error }))
            }
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

    /// Keeps what was reached if anything came since, after reading on to the end of the group that the last poll broke off
    /// in. First the own state, durably, then the cursor that lets the journal go.
    pub fn keep(&mut self) -> Result<(), Stop> {
        while self.home.is_some() && !self.passed && self.reader.bookmark().is_none() && self.read(1)? > 0 {}
        let seq = self.last_seq();
        let (Some(home), Some(bookmark)) = (&self.home, self.reader.bookmark()) else { return Ok(()) };
        if seq == self.kept_seq || bookmark.seq != seq || !self.verifier.is_whole() {
            return Ok(());
        }
        self.compare()?;
        let kept = home.keep(&self.path, &self.reader.identity(), &self.verifier, &bookmark);
        kept.map_err(|error| Stop::Keep { path: home.path(), error })?;
        self.kept_seq = seq;
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

/// Why the journal does not go on from `seq`: by an operator's word, if its records say so, and otherwise as `error` says.
fn parted(path: &Path, seq: u64, error: ReadError, otherwise: impl Fn(ReadError) -> Stop) -> Stop {
    let may_be_given_up = matches!(
        error,
        ReadError::Rewound { .. }
            | ReadError::BookmarkRefused { .. }
            | ReadError::Open(OpenError::SegmentMissing { .. })
    );
    match may_be_given_up.then(|| loss_before(path, seq)).flatten() {
        Some(loss) => Stop::GivenUp { path: path.to_owned(), seq, loss },
        None => otherwise(error),
    }
}

/// The loss that took away `seq`. All of the journal is read for it: whoever asks cannot go on.
fn loss_before(path: &Path, seq: u64) -> Option<Loss> {
    let mut reader = Reader::open(path).ok()?;
    let mut found = None;
    let mut hear = |record: &journal::Record<'_>| {
        if record.kind == Kind::Loss {
            found = Loss::read(record.payload).filter(|loss| loss.last_seq < seq).or(found.take());
        }
        Ok(())
    };
    while reader.poll(Limit::Durable, RECORDS_PER_POLL_MAX, &mut hear).ok()? > 0 {}
    found
}

fn journal_path(directory: &Path) -> PathBuf {
    let inside = directory.join("journal");
    if inside.is_dir() { inside } else { directory.to_owned() }
}

fn no_watermarks(path: &Path, source: io::Error) -> ReadError {
    ReadError::Open(OpenError::Io { what: "map the watermarks", path: path.to_owned(), source })
}
