//! From what an operator names to the records of a journal. A journal that a venue writes is read up to D, and nothing
//! beyond is looked at; one that nobody writes is judged whole, as a start would judge it. Opens nothing for writing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use journal::{Identity, Limit, OpenError, Position, ReadError, Reader, Record, Survey, Watermarks};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_NOT_FOUND, EXIT_REFUSED, Failure};
use crate::config::Config;
use crate::recovery::StartError;
use crate::venue_id;

/// How long a follower rests when there is nothing new.
const REST: Duration = Duration::from_millis(20);

/// A journal that was found.
pub struct Journal {
    pub directory: PathBuf,
    pub identity: Identity,
    /// A writer stands in it.
    pub is_running: bool,
    interrupted: Arc<AtomicBool>,
}

/// What a visitor wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Next,
    Enough,
}

/// How a walk ended.
pub enum Walked {
    /// The visitor had enough.
    Cut,
    /// At D of a venue that runs.
    ToDurable { seq: u64, chain: [u8; 32] },
    /// At the end of a journal that nobody writes.
    ToEnd(Box<Survey>),
}

type Visit<'a> = &'a mut dyn FnMut(&Record<'_>) -> Result<Step, Failure>;

impl Journal {
    pub fn find(directory: &Path) -> Result<Journal, Failure> {
        let directory = journal_directory(directory)?;
        let identity = journal::load_identity(&directory).map_err(failure)?;
        let is_running = journal::is_being_written(&directory).map_err(failure)?;
        Ok(Journal { directory, identity, is_running, interrupted: interruption()? })
    }

    /// Hands out every record, verified, in order.
    pub fn walk(&self, visit: Visit<'_>) -> Result<Walked, Failure> {
        self.walk_from(None, visit)
    }

    /// The same for whoever wants nothing before `seq`: what lies well before it is not read.
    pub fn walk_from(&self, seq: Option<u64>, visit: Visit<'_>) -> Result<Walked, Failure> {
        if self.is_running { self.walk_to_durable(seq, visit) } else { self.walk_to_end(seq, visit) }
    }

    fn walk_to_end(&self, seq: Option<u64>, visit: Visit<'_>) -> Result<Walked, Failure> {
        let mut guarded = Guarded { visit, interrupted: &self.interrupted, ended: None };
        // What keeps a place from being found is told by the walk, from the start.
        let start = seq.and_then(|seq| journal::bookmark_before(&self.directory, seq).ok().flatten());
        let mut hear = |record: &Record<'_>| guarded.hear(record);
        let done = journal::survey_from(&self.directory, None, start.as_ref(), &mut hear);
        if let Some(ended) = guarded.ended {
            return ended.map(|()| Walked::Cut);
        }
        match done {
            Ok(survey) => Ok(Walked::ToEnd(Box::new(survey))),
            // What looks damaged may be a group that is just being written.
            Err(_) if journal::is_being_written(&self.directory).map_err(failure)? => Err(Failure::new(
                EXIT_REFUSED,
                format!("a venue started on {} meanwhile; ask again", self.directory.display()),
            )),
            Err(error) => Err(failure(error)),
        }
    }

    fn walk_to_durable(&self, from: Option<u64>, visit: Visit<'_>) -> Result<Walked, Failure> {
        let marks = self.watermarks()?;
        let (seq, end) = (marks.durable(), marks.durable_position());
        if end == Position::default() {
            let text = format!(
                "a venue is recovering {} and has published nothing yet; ask again once it listens",
                self.directory.display()
            );
            return Err(Failure::new(EXIT_REFUSED, text));
        }
        let mut reader = self.reader_from(from)?;
        // Bounded, so that a venue under load does not outrun the walk for ever.
        let mut is_cut = false;
        let mut bounded = |record: &Record<'_>| {
            if record.seq > seq {
                return Ok(Step::Enough);
            }
            visit(record).inspect(|step| is_cut = *step == Step::Enough)
        };
        let mut guarded = Guarded { visit: &mut bounded, interrupted: &self.interrupted, ended: None };
        guarded.drain(&mut reader)?;
        if is_cut { Ok(Walked::Cut) } else { Ok(Walked::ToDurable { seq, chain: reader.chain() }) }
    }

    fn reader_from(&self, seq: Option<u64>) -> Result<Reader, Failure> {
        let opened = match seq {
            Some(seq) => Reader::open_before(&self.directory, seq),
            None => Reader::open(&self.directory),
        };
        opened.map_err(read_failure)
    }

    /// Hands out every record up to D, and goes on as D does, until the visitor has enough or somebody interrupts; from
    /// `seq` on, and perhaps some before. `idle` is called when there is nothing new.
    pub fn follow(
        &self,
        seq: Option<u64>,
        visit: Visit<'_>,
        idle: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut reader = self.reader_from(seq)?;
        let mut guarded = Guarded { visit, interrupted: &self.interrupted, ended: None };
        while !self.interrupted.load(Ordering::Relaxed) {
            match guarded.drain(&mut reader) {
                Ok(false) => {}
                // Whoever follows ends it so.
                Err(_) if self.interrupted.load(Ordering::Relaxed) => return Ok(()),
                ended => return ended.map(drop),
            }
            idle()?;
            sleep(REST);
        }
        Ok(())
    }

    pub fn watermarks(&self) -> Result<Watermarks, Failure> {
        Watermarks::open(&self.directory).map_err(|error| {
            let path = self.directory.join("control");
            Failure::new(EXIT_ERROR, format!("cannot read {}: {error}", path.display()))
        })
    }

    /// The largest seq that a walk can reach, for a progress bar; 0 when it cannot be told.
    pub fn last_seq_seen(&self) -> u64 {
        let segments = journal::segment_summaries(&self.directory).unwrap_or_default();
        segments.iter().map(|segment| segment.last_seq).max().unwrap_or(0)
    }

    /// Sleeps unless interrupted.
    pub fn rest(&self, time: Duration) -> Result<(), Failure> {
        let mut left = time;
        while !left.is_zero() {
            let part = left.min(REST);
            sleep(part);
            left -= part;
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
        }
        Ok(())
    }
}

/// A visitor that can end a walk, with or without a failure.
struct Guarded<'a> {
    visit: Visit<'a>,
    interrupted: &'a AtomicBool,
    ended: Option<Result<(), Failure>>,
}

impl Guarded<'_> {
    /// The text of the error is nobody's to read: `ended` says what happened.
    fn hear(&mut self, record: &Record<'_>) -> Result<(), String> {
        if self.interrupted.load(Ordering::Relaxed) {
            self.ended = Some(Err(interrupted()));
            return Err(String::new());
        }
        match (self.visit)(record) {
            Ok(Step::Next) => return Ok(()),
            Ok(Step::Enough) => self.ended = Some(Ok(())),
            Err(failure) => self.ended = Some(Err(failure)),
        }
        Err(String::new())
    }

    /// Everything up to D; true when the visitor has enough.
    fn drain(&mut self, reader: &mut Reader) -> Result<bool, Failure> {
        loop {
            match reader.poll(Limit::Durable, 10_000, &mut |record| self.hear(record)) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(ReadError::Visit { .. }) => {
                    return self.ended.take().expect("only the visitor refuses").map(|()| true);
                }
                Err(error) => return Err(read_failure(error)),
            }
        }
    }
}

/// A venue's directory has its journal below it, and says which one that must be.
fn journal_directory(directory: &Path) -> Result<PathBuf, Failure> {
    let shown = directory.display();
    if !directory.is_dir() {
        return Err(Failure::new(EXIT_NOT_FOUND, format!("there is no directory {shown}")));
    }
    let below = Config::journal_directory(directory);
    if directory.join("journal.id").exists() || !below.is_dir() {
        return match journal::segment_summaries(directory) {
            Err(OpenError::NotAJournal { .. }) => Err(Failure::new(
                EXIT_NOT_FOUND,
                format!("{shown} is neither a journal nor a venue with one: there is no journal.id"),
            )),
            _ => Ok(directory.to_owned()),
        };
    }
    venue_id::check(directory, &below).map_err(|error| match error {
        StartError::Locked(text) | StartError::UnknownRules(text) | StartError::LossRefused { text, .. } => {
            Failure::new(EXIT_REFUSED, text)
        }
        StartError::JournalRefused { text, report } => Failure::new(EXIT_DAMAGED, text).reporting(report),
        StartError::Other(text) => Failure::new(EXIT_ERROR, text),
    })?;
    Ok(below)
}

/// Set by Ctrl-C and SIGTERM; the second one ends the process at once.
pub fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .map_err(|error| Failure::new(EXIT_ERROR, format!("cannot listen to signals: {error}")))?;
    }
    Ok(flag)
}

fn interrupted() -> Failure {
    Failure::new(EXIT_ERROR, "interrupted; nothing was changed")
}

/// The exit code that a refusal of the journal has.
pub fn failure(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::NotAJournal { .. } => EXIT_NOT_FOUND,
        OpenError::Io { source, .. } if source.kind() == ErrorKind::NotFound => EXIT_NOT_FOUND,
        OpenError::NewerFormat { .. } | OpenError::Locked { .. } => EXIT_REFUSED,
        OpenError::Damaged(_)
        | OpenError::FileDamaged { .. }
        | OpenError::SegmentMissing { .. }
        | OpenError::IdentityMissing { .. }
        | OpenError::OtherJournal { .. }
        | OpenError::Replay { .. }
        | OpenError::LossUnfinished { .. } => EXIT_DAMAGED,
        _ => EXIT_ERROR,
    };
    let failure = Failure::new(code, error.to_string());
    if code == EXIT_DAMAGED { failure.reporting(error.report()) } else { failure }
}

pub fn read_failure(error: ReadError) -> Failure {
    match error {
        ReadError::Open(error) => failure(error),
        ReadError::Damaged { .. } => Failure::new(EXIT_DAMAGED, error.to_string()),
        error => Failure::new(EXIT_ERROR, error.to_string()),
    }
}
