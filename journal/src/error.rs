//! Everything that can go wrong, each with a sentence that says what happened, where, and what to do next.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::bookmark::Bookmark;
use crate::cursor::CursorName;
use crate::scan::{Disorder, Fault};
use crate::segment::Position;

/// Up to where the journal is known to have been durable, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    pub seq: u64,
    pub position: Position,
    pub origin: FloorOrigin,
}

/// What the durable floor was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorOrigin {
    /// Nothing says that anything was durable.
    Nothing,
    /// A `Group` frame whose checksum holds, at this place.
    Group(Position),
    /// `durable.mark`.
    Mark,
    /// The snapshot of this seq: only what was durable is put into one.
    Snapshot(u64),
    /// What this consumer has finished with.
    Cursor(CursorName),
    /// `journal.base`.
    Base,
    /// This segment holds data, which is only written once the segment before it is sealed and synced.
    NextSegment(u64),
    /// This segment's own seal: nothing may stand behind it.
    Seal(Position),
}

impl fmt::Display for FloorOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FloorOrigin::Nothing => write!(formatter, "nothing"),
            FloorOrigin::Group(place) => write!(formatter, "group@{place}"),
            FloorOrigin::Mark => write!(formatter, "durable.mark"),
            FloorOrigin::Snapshot(seq) => write!(formatter, "snapshot@{seq}"),
            FloorOrigin::Cursor(name) => write!(formatter, "cursor@{name}"),
            FloorOrigin::Base => write!(formatter, "journal.base"),
            FloorOrigin::NextSegment(segment) => write!(formatter, "segment@{segment}"),
            FloorOrigin::Seal(place) => write!(formatter, "seal@{place}"),
        }
    }
}

/// Durable data does not verify. Printed as one line of `name=value` pairs for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    pub segment: u64,
    /// Where the first group that does not verify starts.
    pub offset: u64,
    pub fault: Fault,
    pub last_good_seq: u64,
    pub floor: Floor,
}

impl Damage {
    /// What is wrong, for a person.
    fn what(&self) -> &'static str {
        match self.fault {
            Fault::BehindSeal if self.is_behind_everything() => {
                "bytes that are no record stand behind the journal's last seal, and everything before them is whole; put the \
                 segment back from a backup, or have them set aside"
            }
            Fault::BehindSeal => {
                "bytes that are no record stand behind a segment's seal; put the segment back from a backup before opening"
            }
            Fault::Shortened => {
                "the file of a segment is shorter than its header says; put the segment back from a backup before opening"
            }
            _ => "durable data is damaged; restore the segment before opening",
        }
    }

    /// Nothing that was promised stands behind it.
    pub fn is_behind_everything(&self) -> bool {
        self.floor.position <= Position::new(self.segment, self.offset)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "segment={} offset={} fault={:?} last_good_seq={} floor_seq={} floor_position={} floor_origin={} path={}",
            self.segment,
            self.offset,
            self.fault,
            self.last_good_seq,
            self.floor.seq,
            self.floor.position,
            self.floor.origin,
            self.path.display()
        )
    }
}

/// Why a journal was not opened. Apart from `Io`, and an accepted loss that was begun, nothing was modified when one of these comes back.
#[derive(Debug)]
pub enum OpenError {
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Another writer holds the lock.
    Locked {
        path: PathBuf,
    },
    NetworkFileSystem {
        path: PathBuf,
    },
    Options {
        reason: &'static str,
    },
    /// `create` found a journal.
    AlreadyAJournal {
        path: PathBuf,
    },
    NotAJournal {
        path: PathBuf,
    },
    /// There are segments and no `journal.id`. Damage, although every record may still be there.
    IdentityMissing {
        path: PathBuf,
    },
    /// The file belongs to another journal, another shard, other rules, or another place in the numbering.
    OtherJournal {
        path: PathBuf,
        field: &'static str,
    },
    NewerFormat {
        path: PathBuf,
        what: String,
    },
    SegmentMissing {
        path: PathBuf,
        segment: u64,
    },
    /// A header, or `journal.id`, does not verify in any copy.
    FileDamaged {
        path: PathBuf,
    },
    /// Data below the durable floor does not verify.
    Damaged(Box<Damage>),
    /// The place to start from is not one of this journal's history: the group that should end there does not, or says
    /// another chain.
    BookmarkRefused {
        path: PathBuf,
        bookmark: Box<Bookmark>,
    },
    /// The caller refused a record.
    Replay {
        seq: u64,
        reason: String,
    },
    /// What an operator said about giving up durable data is not what is found.
    LossRefused {
        reason: String,
    },
    /// Durable data is being given up, and the act was cut short.
    LossUnfinished {
        path: PathBuf,
        last_seq: u64,
    },
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> OpenError {
        OpenError::Io { what, path: path.to_owned(), source }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io { what, path, source } => {
                write!(formatter, "could not {what} at {}: {source}", path.display())
            }
            OpenError::Locked { path } => {
                write!(
                    formatter,
                    "another writer holds {}; stop it first, the lock ends with it",
                    path.display()
                )
            }
            OpenError::NetworkFileSystem { path } => {
                write!(formatter, "{} is on a network file system; use a local disk", path.display())
            }
            OpenError::Options { reason } => write!(formatter, "options refused: {reason}"),
            OpenError::AlreadyAJournal { path } => {
                write!(
                    formatter,
                    "{} already holds a journal; open it, or name an empty directory",
                    path.display()
                )
            }
            OpenError::NotAJournal { path } => {
                write!(
                    formatter,
                    "{} holds no journal.id; check the path, or create a journal",
                    path.display()
                )
            }
            OpenError::IdentityMissing { path } => {
                write!(
                    formatter,
                    "{} is missing and segments are there; restore it from a backup before opening",
                    path.display()
                )
            }
            OpenError::OtherJournal { path, field } => write!(
                formatter,
                "{} differs in {field} from the journal it should belong to; put the right file back",
                path.display()
            ),
            OpenError::NewerFormat { path, what } => write!(
                formatter,
                "{} needs a newer version of this program ({what}); nothing was changed",
                path.display()
            ),
            OpenError::SegmentMissing { path, segment } => {
                write!(formatter, "segment {segment} is missing; restore {} before opening", path.display())
            }
            OpenError::FileDamaged { path } => {
                write!(formatter, "{} does not verify; restore it before opening", path.display())
            }
            OpenError::Damaged(damage) => write!(formatter, "{}: {damage}", damage.what()),
            OpenError::BookmarkRefused { path, bookmark } => write!(
                formatter,
                "seq {} at {} is not of the history in {}; start from another snapshot or from the beginning",
                bookmark.seq,
                bookmark.position,
                path.display()
            ),
            OpenError::Replay { seq, reason } => write!(formatter, "replay refused seq {seq}: {reason}"),
            OpenError::LossRefused { reason } => {
                write!(formatter, "no loss is accepted: {reason}; nothing was changed")
            }
            OpenError::LossUnfinished { path, last_seq } => write!(
                formatter,
                "{} says that the loss of everything behind seq {last_seq} was accepted and is not finished; accept it \
                 once more, with the same seq",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a writer did not do what was asked.
#[derive(Debug)]
pub enum WriteError {
    /// The write, sync or rotation failed; the writer is poisoned from here on.
    Io(io::Error),
    /// The active segment is full and no other could be made. Nothing was written and nothing is lost: the group stays open, and
    /// may be closed once there is space.
    NoSpace(io::Error),
    /// An earlier failure poisoned the writer: D is frozen, and only a new open may go on.
    Poisoned,
    /// The open group cannot grow by this record and still fit into one segment. The group is unchanged.
    GroupTooLarge {
        bytes: usize,
        bytes_max: usize,
    },
    PayloadTooLarge {
        bytes: usize,
    },
    /// `Seal`, `Group` and `Pad` are the journal's own.
    KindReserved,
    /// The record cannot come next; nothing was added.
    OutOfOrder(Disorder),
}

impl fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io(source) => {
                write!(formatter, "the journal's disk failed: {source}; reopen to recover")
            }
            WriteError::NoSpace(source) => {
                write!(formatter, "the journal is full: {source}; free space on its disk")
            }
            WriteError::Poisoned => {
                write!(formatter, "the writer failed before; reopen the journal to recover")
            }
            WriteError::GroupTooLarge { bytes, bytes_max } => write!(
                formatter,
                "a group of {bytes} bytes exceeds the {bytes_max} that one segment holds; use larger segments"
            ),
            WriteError::PayloadTooLarge { bytes } => {
                write!(formatter, "a payload of {bytes} bytes exceeds the maximum of one record")
            }
            WriteError::KindReserved => write!(formatter, "this kind is written by the journal itself"),
            WriteError::OutOfOrder(disorder) => {
                write!(formatter, "the record cannot come next: {disorder:?}")
            }
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WriteError::Io(source) | WriteError::NoSpace(source) => Some(source),
            _ => None,
        }
    }
}

/// Why a reader cannot go on.
#[derive(Debug)]
pub enum ReadError {
    /// The journal, or a segment of it, could not be opened.
    Open(OpenError),
    /// A published group does not verify.
    Damaged { path: PathBuf, segment: u64, offset: u64, fault: Fault, last_good_seq: u64 },
    /// `control` names a place that its segment does not have. A writer that opens the journal writes it anew.
    WatermarkDamaged { path: PathBuf, position: Position },
    /// A writer recovered and gave up records that this reader was handed: beyond D, or by an operator's word.
    Rewound { position_seq: u64 },
    /// The place to start from is not one of this journal's history, or lies beyond W.
    BookmarkRefused { bookmark: Bookmark, written: Position },
    /// The visitor refused the record; it is offered again by the next poll.
    Visit { seq: u64, reason: String },
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Open(error) => error.fmt(formatter),
            ReadError::Damaged { path, segment, offset, fault, last_good_seq } => write!(
                formatter,
                "a published group is damaged: segment={segment} offset={offset} fault={fault:?} \
                 last_good_seq={last_good_seq} path={}",
                path.display()
            ),
            ReadError::WatermarkDamaged { path, position } => write!(
                formatter,
                "the watermark {position} in {} lies beyond its segment; stop the venue and start it again, \
                 which writes that file anew",
                path.display()
            ),
            ReadError::Rewound { position_seq } => {
                write!(formatter, "the writer recovered to before seq {position_seq}; start a new reader")
            }
            ReadError::BookmarkRefused { bookmark, written } => write!(
                formatter,
                "seq {} at {} is not of this journal's history, which is written up to {written}; after a restart of \
                 the machine start the venue first, otherwise start from the beginning",
                bookmark.seq, bookmark.position
            ),
            ReadError::Visit { seq, reason } => write!(formatter, "the visitor refused seq {seq}: {reason}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<OpenError> for ReadError {
    fn from(error: OpenError) -> ReadError {
        ReadError::Open(error)
    }
}
