//! A listener that writes a journal as the venue's stages do: commands, what they said, and a digest every so often.

use std::path::Path;

use engine::event::EventSink;
use engine::message::ORIGIN_BYTES;
use engine::{Engine, Sequenced, logic};
use journal::{Identity, Kind, Options, Record, WriteError, Writer};
use zerocopy::IntoBytes;

use super::sink::Listener;

/// As a stage that is behind closes its groups.
const GROUP_BYTES: usize = 1 << 20;
/// The venue's own `mark_every`.
const MARK_EVERY: u64 = 10_000;

pub struct Keep {
    writer: Writer,
    command: (u64, u64),
    marked_seq: u64,
    /// The first fault; nothing is written after it.
    fault: Option<WriteError>,
    payload: Vec<u8>,
}

impl Keep {
    pub fn create(directory: &Path, options: &Options) -> Result<Keep, journal::OpenError> {
        let logic_version = logic::LOGIC_VERSION;
        let identity = Identity { journal_id: [1; 16], shard: 0, config_hash: [0; 32], logic_version };
        let writer = Writer::create(directory, &identity, options)?;
        Ok(Keep { writer, command: (0, 0), marked_seq: 0, fault: None, payload: Vec::new() })
    }

    fn append(&mut self, kind: Kind, sub: u32, payload: &[u8]) {
        let (seq, ts_ns) = self.command;
        let record = Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload };
        if self.fault.is_none() {
            self.fault = self.writer.append(&record).err();
        }
    }

    /// Between batches: a digest of the state, if one is due.
    pub fn mark(&mut self, engine: &Engine) {
        if engine.last_seq() >= self.marked_seq + MARK_EVERY {
            self.marked_seq = engine.last_seq();
            self.append(Kind::Mark, 0, &engine.digest());
        }
    }

    /// The journal with its last digest, closed.
    pub fn close(mut self, engine: &Engine) -> Result<(), WriteError> {
        self.append(Kind::Mark, 0, &engine.digest());
        match self.fault {
            Some(fault) => Err(fault),
            None => self.writer.close(),
        }
    }
}

impl EventSink for Keep {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.append(Kind::Event, sub, payload);
    }
}

impl Listener for Keep {
    fn command(&mut self, command: &Sequenced<'_>) {
        self.command = (command.seq, command.ts_ns);
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        payload.extend_from_slice(command.origin.as_bytes());
        debug_assert!(payload.len() == ORIGIN_BYTES, "a message stands behind its origin");
        payload.extend_from_slice(command.message);
        self.append(Kind::Command, 0, &payload);
        self.payload = payload;
    }

    fn answered(&mut self) {
        if self.fault.is_none() && self.writer.open_group_bytes() >= GROUP_BYTES {
            self.fault = self.writer.close_group().err();
        }
    }
}
