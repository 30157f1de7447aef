//! The Loss record, which says for ever that durable data was given up, by whose word and how much; and `loss.pending`, which
//! makes that act one that a crash can interrupt anywhere and a second attempt ends alike. Knows bytes, touches no data.

use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::directory;
use crate::error::OpenError;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR, Position};

/// What an operator may write at most about why.
pub const REASON_BYTES_MAX: usize = 1024;
const MAGIC: [u8; 8] = *b"BLSTLOS1";
const HASH_BYTES: usize = 32;

/// Durable data that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The last seq that was kept.
    pub last_seq: u64,
    /// Where what was given up began.
    pub end: Position,
    /// Up to where data had been promised.
    pub floor_seq: u64,
    pub floor_position: Position,
    /// When, by the clock of the machine.
    pub accepted_ns: u64,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What the payload of a Loss record begins with; the reason follows to its end.
///
/// ```text
///   0          8     16          24               32            40
///   ├──────────┼─────┼───────────┼────────────────┼─────────────┼── reason, UTF-8 ──
///   │ last_seq │ end │ floor_seq │ floor_position │ accepted_ns │
///   └──────────┴─────┴───────────┴────────────────┴─────────────┴────
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct LossHead {
    last_seq: U64,
    end: U64,
    floor_seq: U64,
    floor_position: U64,
    accepted_ns: U64,
}

const _: () = assert!(size_of::<LossHead>() == 40);
const _: () = assert!(offset_of!(LossHead, accepted_ns) == 32);

impl Loss {
    /// None where the payload has another shape.
    pub fn read(payload: &[u8]) -> Option<Loss> {
        let (head, reason) = LossHead::ref_from_prefix(payload).ok()?;
        Some(Loss {
            last_seq: head.last_seq.get(),
            end: Position::from_word(head.end.get()),
            floor_seq: head.floor_seq.get(),
            floor_position: Position::from_word(head.floor_position.get()),
            accepted_ns: head.accepted_ns.get(),
            reason: std::str::from_utf8(reason).ok()?.to_owned(),
        })
    }

    /// Nothing had been promised behind what was kept: what was given up stood where no record was.
    pub fn is_of_no_record(&self) -> bool {
        self.floor_position <= self.end
    }

    /// The payload of its record, version 1.
    pub fn payload(&self) -> Vec<u8> {
        let head = LossHead {
            last_seq: U64::new(self.last_seq),
            end: U64::new(self.end.word()),
            floor_seq: U64::new(self.floor_seq),
            floor_position: U64::new(self.floor_position.word()),
            accepted_ns: U64::new(self.accepted_ns),
        };
        [head.as_bytes(), self.reason.as_bytes()].concat()
    }
}

/// How far the giving up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Something may be cut, or everything.
    Cutting = 1,
    /// Nothing beyond the end remains: from here on every segment behind it is new.
    Cut = 2,
}

/// The file `loss.pending` begins with this; the loss as in its record follows, then BLAKE3 of everything before.
///
/// ```text
///   0        8    10   12       16               32
///   ├────────┼────┼────┼────────┼────────────────┼── loss ──┼─ BLAKE3 ─┤
///   │ magic  │maj │min │ stage  │ journal_id     │
///   └────────┴────┴────┴────────┴────────────────┴────
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PendingHead {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    stage: U32,
    journal_id: [u8; 16],
}

const _: () = assert!(size_of::<PendingHead>() == 32);

/// A loss that was accepted and is not yet done with.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub loss: Loss,
    pub stage: Stage,
}

pub(crate) fn pending_path(directory: &Path) -> PathBuf {
    directory.join(directory::LOSS)
}

impl Pending {
    pub fn load(directory: &Path, journal_id: &[u8; 16]) -> Result<Option<Pending>, OpenError> {
        let path = pending_path(directory);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("read the accepted loss", &path, error)),
        };
        let pending = Pending::read(&bytes, journal_id);
        pending.map(Some).ok_or(OpenError::FileDamaged { path })
    }

    fn read(bytes: &[u8], journal_id: &[u8; 16]) -> Option<Pending> {
        let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        let (head, loss) = PendingHead::ref_from_prefix(body).ok()?;
        let is_whole = *blake3::hash(body).as_bytes() == hash
            && head.magic == MAGIC
            && head.major.get() <= FORMAT_MAJOR
            && head.journal_id == *journal_id;
        let stage = [Stage::Cutting, Stage::Cut].into_iter().find(|stage| *stage as u32 == head.stage.get());
        Some(Pending { loss: is_whole.then(|| Loss::read(loss))??, stage: stage? })
    }

    /// When it returns, a crash leaves either the file as it was before or this.
    pub fn store(&self, directory: &Path, journal_id: [u8; 16]) -> io::Result<()> {
        let head = PendingHead {
            magic: MAGIC,
            major: U16::new(FORMAT_MAJOR),
            minor: U16::new(FORMAT_MINOR),
            stage: U32::new(self.stage as u32),
            journal_id,
        };
        let mut bytes = [head.as_bytes(), &self.loss.payload()].concat();
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        directory::install(directory, directory::LOSS, &bytes)
    }
}

/// The loss is recorded, and everything that follows from it is durable: the next start is a plain one.
pub fn settle_loss(directory: &Path) -> io::Result<()> {
    match fs::remove_file(pending_path(directory)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => directory::sync(directory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss() -> Loss {
        Loss {
            last_seq: 7,
            end: Position::new(2, 8192),
            floor_seq: 90,
            floor_position: Position::new(4, 4096),
            accepted_ns: 12,
            reason: "the disk of a Tuesday — gone".into(),
        }
    }

    #[test]
    fn a_loss_comes_back_from_its_record() {
        assert_eq!(Loss::read(&loss().payload()), Some(loss()));
        assert_eq!(Loss::read(&loss().payload()[..39]), None);
        assert_eq!(Loss::read(&[&loss().payload()[..], &[0xFF]].concat()), None, "no UTF-8");
    }

    #[test]
    fn every_byte_of_a_pending_loss_is_covered() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(Pending::load(directory.path(), &[1; 16]).expect("none").is_none());
        let pending = Pending { loss: loss(), stage: Stage::Cut };
        pending.store(directory.path(), [1; 16]).expect("stored");
        let found = Pending::load(directory.path(), &[1; 16]).expect("read").expect("there");
        assert_eq!((found.loss, found.stage), (loss(), Stage::Cut));
        assert!(Pending::load(directory.path(), &[2; 16]).is_err(), "another journal's");
        let path = pending_path(directory.path());
        let good = fs::read(&path).expect("there");
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 4;
            fs::write(&path, flipped).expect("written");
            assert!(Pending::load(directory.path(), &[1; 16]).is_err(), "byte {at}");
        }
        settle_loss(directory.path()).expect("removed");
        settle_loss(directory.path()).expect("nothing to remove");
    }
}
