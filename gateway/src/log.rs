//! An entry of the log ring: what the engine puts behind one another and what the journal and the sockets read. The ring
//! carries bytes; this file says which.
//!
//! ```text
//! 0 seq u64 | 8 ts_ns u64 | 16 kind u16 | 18 zero u16 | 20 sub u32 | 24 payload
//! ```

use journal::Kind;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ring::LogWriter;

/// In front of every payload on the log ring; never leaves the process, so native byte order.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    pub seq: u64,
    pub ts_ns: u64,
    kind: u16,
    zero: u16,
    pub sub: u32,
}

pub const LOG_HEADER_BYTES: usize = size_of::<Entry>();
const _: () = assert!(LOG_HEADER_BYTES == 24);

impl Entry {
    pub fn command(seq: u64, ts_ns: u64) -> Entry {
        Entry { seq, ts_ns, kind: Kind::Command as u16, zero: 0, sub: 0 }
    }

    pub fn event(seq: u64, ts_ns: u64, sub: u32) -> Entry {
        Entry { seq, ts_ns, kind: Kind::Event as u16, zero: 0, sub }
    }

    pub fn mark(seq: u64, ts_ns: u64) -> Entry {
        Entry { seq, ts_ns, kind: Kind::Mark as u16, zero: 0, sub: 0 }
    }

    pub fn is_event(&self) -> bool {
        self.kind() == Kind::Event
    }

    pub fn kind(&self) -> Kind {
        match self.kind {
            kind if kind == Kind::Command as u16 => Kind::Command,
            kind if kind == Kind::Event as u16 => Kind::Event,
            _ => Kind::Mark,
        }
    }

    /// Stages the entry with its payload; the caller publishes.
    pub fn write(&self, log: &mut LogWriter, payload: &[&[u8]]) {
        let bytes: usize = payload.iter().map(|part| part.len()).sum();
        let (head, mut rest) = log.stage(LOG_HEADER_BYTES + bytes).split_at_mut(LOG_HEADER_BYTES);
        head.copy_from_slice(self.as_bytes());
        for part in payload {
            let (here, behind) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = behind;
        }
    }

    /// The entry and its payload.
    pub fn read(frame: &[u8]) -> (Entry, &[u8]) {
        Entry::read_from_prefix(frame).expect("only entries are written to the log ring")
    }
}
