//! Why the bridge ended other than as asked: what happened, where, what to do next, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use journal::{Loss, OpenError, ReadError};

use crate::state::StateFault;
use crate::verifier::Fault;

#[derive(Debug)]
pub enum Stop {
    NotFound {
        path: PathBuf,
    },
    Open {
        path: PathBuf,
        error: ReadError,
    },
    /// The journal was open, and what was durable could not be read.
    Read {
        path: PathBuf,
        error: ReadError,
    },
    /// What this bridge has verified is no longer part of the history: an operator gave it up.
    GivenUp {
        path: PathBuf,
        seq: u64,
        loss: Loss,
    },
    /// It could be read, and says something else than what is computed.
    Different {
        path: PathBuf,
        fault: Fault,
    },
    /// `--until-seq` was not reached by what is durable.
    EndsBefore {
        last_seq: u64,
        until_seq: u64,
    },
    /// The journal's first commands are gone, and there is no state of this bridge to go on from.
    BeginsLater {
        path: PathBuf,
        seq: u64,
    },
    /// The bridge's own state cannot be used.
    State {
        path: PathBuf,
        fault: StateFault,
    },
    /// The bridge's own state, or its cursor, cannot be written.
    Keep {
        path: PathBuf,
        error: io::Error,
    },
    Output(io::Error),
    /// The wait for signals, or for the end of standard input, could not be set up.
    Signals(io::Error),
}

const EXIT_ERROR: u8 = 1;
const EXIT_DAMAGED: u8 = 3;
const EXIT_NOT_FOUND: u8 = 4;
const EXIT_REFUSED: u8 = 5;

impl Stop {
    pub fn exit_code(&self) -> u8 {
        match self {
            Stop::NotFound { .. } => EXIT_NOT_FOUND,
            Stop::Open { error, .. } | Stop::Read { error, .. } => read_exit_code(error),
            Stop::Different { .. } | Stop::GivenUp { .. } => EXIT_DAMAGED,
            Stop::BeginsLater { .. } => EXIT_NOT_FOUND,
            Stop::State { fault: StateFault::Damaged(_), .. } => EXIT_DAMAGED,
            Stop::State { fault: StateFault::Locked(_), .. } => EXIT_REFUSED,
            Stop::State { .. } | Stop::Keep { .. } => EXIT_ERROR,
            Stop::EndsBefore { .. } | Stop::Output(_) | Stop::Signals(_) => EXIT_ERROR,
        }
    }

    /// Whether whoever read the positions has left, as `head` does: nobody is there to be told.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether this may be a journal that is yet to be made, or in the middle of being made: its name comes before its
    /// watermarks and its first segment.
    pub fn is_too_early(&self) -> bool {
        match self {
            Stop::NotFound { .. } => true,
            Stop::Open { error: ReadError::Open(error), .. } => match error {
                OpenError::NotAJournal { .. } => true,
                OpenError::Io { source, .. } => {
                    matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// What was durable and no longer verifies, or no longer is there, is damage; the rest is circumstance.
fn read_exit_code(error: &ReadError) -> u8 {
    match error {
        ReadError::Open(OpenError::NotAJournal { .. }) => EXIT_NOT_FOUND,
        ReadError::Damaged { .. }
        | ReadError::WatermarkDamaged { .. }
        | ReadError::Rewound { .. }
        | ReadError::BookmarkRefused { .. } => EXIT_DAMAGED,
        ReadError::Open(
            OpenError::Damaged(_)
            | OpenError::FileDamaged { .. }
            | OpenError::SegmentMissing { .. }
            | OpenError::IdentityMissing { .. }
            | OpenError::OtherJournal { .. }
            | OpenError::BookmarkRefused { .. },
        ) => EXIT_DAMAGED,
        ReadError::Open(_) | ReadError::Visit { .. } => EXIT_ERROR,
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::NotFound { path } => write!(
                f,
                "no journal at {}; check the path, or add --wait to start before the venue does",
                path.display()
            ),
            Stop::Open { path, error } => write!(f, "cannot open the journal at {}: {error}", path.display()),
            Stop::Read { path, error } => write!(
                f,
                "cannot read on in the journal at {}: {error}\nKeep the journal as it is; nothing from this place on \
                 was verified, and nothing of it may be settled",
                path.display()
            ),
            Stop::GivenUp { path, seq, loss } => write!(
                f,
                "the journal at {} goes on behind seq {} in another way than this bridge has verified, up to seq {seq}: an \
                 operator gave up what was there ({})\nWhat was settled beyond seq {} is not in the venue's books: settle \
                 that by hand, then remove this bridge's state to verify the journal from its start",
                path.display(),
                loss.last_seq,
                loss.reason,
                loss.last_seq
            ),
            Stop::Different { path, fault } if fault.is_newer() => write!(f, "{}: {fault}", path.display()),
            Stop::Different { path, fault } => write!(
                f,
                "{}: {fault}\nKeep the journal as it is, halt the venue, and compare the build that wrote it with \
                 this one ({}); nothing from this seq on may be settled",
                path.display(),
                env!("CARGO_PKG_VERSION")
            ),
            Stop::EndsBefore { last_seq, until_seq } => write!(
                f,
                "what is durable ends at seq {last_seq}, before seq {until_seq}; leave out --exit-at-end to wait for it"
            ),
            Stop::BeginsLater { path, seq } => write!(
                f,
                "the journal at {} begins behind seq {seq}; go on from this bridge's own state (--state DIR), or put the \
                 segments back from the archive",
                path.display()
            ),
            Stop::State { path, fault: StateFault::Io(error) } => {
                write!(f, "cannot read the bridge's state {}: {error}", path.display())
            }
            Stop::State { fault: StateFault::Locked(text), .. } => {
                write!(f, "another bridge has this state: {text}")
            }
            Stop::State { path, fault: StateFault::Damaged(why) } => write!(
                f,
                "the bridge's state {} is not used: {why}; put it back from a backup, or remove it to verify the journal from \
                 its start",
                path.display()
            ),
            Stop::Keep { path, error } => write!(
                f,
                "cannot keep the bridge's state in {} and its cursor: {error}; what was kept last still stands, start again",
                path.display()
            ),
            Stop::Output(error) => {
                write!(f, "cannot write the positions: {error}; run it again from the start")
            }
            Stop::Signals(error) => write!(f, "cannot wait to be asked to end: {error}"),
        }
    }
}

impl std::error::Error for Stop {}
