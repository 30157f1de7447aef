//! Who listens while a workload is replayed: nobody, one who counts, or a log ring as in production.

use std::hint::black_box;

use engine::Sequenced;
use engine::event::{EventSink, OrderExecuted, OrderRejected, SessionReject, liquidity};
use engine::limits::Limits;
use engine::message::{ROUTE_BYTES, block};
use gateway::log::Entry;
use gateway::matcher::room_bytes;
use gateway::ring::{LogReader, LogWriter, log};
use zerocopy::IntoBytes;

use super::desk::TICK_SIZE;
use crate::workload::Tally;

/// Events and what stands around them.
pub trait Listener: EventSink {
    /// A command is about to be applied.
    fn command(&mut self, _: &Sequenced<'_>) {}
    /// All its events are told.
    fn answered(&mut self) {}
    /// Between batches, not timed.
    fn rest(&mut self) {}
    /// What it counted so far, if it counts.
    fn counted(&self) -> Tally {
        Tally::default()
    }
}

/// Looks at nothing.
pub struct Null;

impl EventSink for Null {
    fn event(&mut self, _: u32, payload: &[u8]) {
        black_box(payload);
    }
}

impl Listener for Null {}

/// Reads the events and counts what a header counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub tally: Tally,
    pub refusals: u64,
}

impl EventSink for Count {
    fn event(&mut self, _: u32, payload: &[u8]) {
        let message = &payload[ROUTE_BYTES..];
        if let Some(executed) = block::<OrderExecuted>(message) {
            if executed.liquidity == liquidity::TAKER {
                let price = (executed.last_px.get() / TICK_SIZE) as u32;
                self.tally.trade(price, executed.last_qty.get() as u32);
            }
        } else if block::<OrderRejected>(message).is_some() || block::<SessionReject>(message).is_some() {
            self.refusals += 1;
        }
    }
}

impl Listener for Count {
    fn counted(&self) -> Tally {
        self.tally
    }
}

/// The log ring of the venue: the command, then its events, published together. Its reader counts, between batches.
pub struct Ring {
    writer: LogWriter,
    reader: LogReader,
    room_bytes: usize,
    seq: u64,
    count: Count,
}

/// Smallest ring; it holds what a batch says, so that the reader comes between batches.
const RING_BYTES_MIN: usize = 1 << 20;

impl Ring {
    pub fn new(limits: &Limits) -> Ring {
        let room_bytes = room_bytes(limits.events_per_command());
        let (writer, mut readers) = log((2 * room_bytes).next_power_of_two().max(RING_BYTES_MIN), 1);
        Ring { writer, reader: readers.remove(0), room_bytes, seq: 0, count: Count::default() }
    }
}

impl EventSink for Ring {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        Entry::event(self.seq, self.seq, sub).write(&mut self.writer, &[payload]);
    }
}

impl Listener for Ring {
    fn command(&mut self, command: &Sequenced<'_>) {
        if !self.writer.has_room(self.room_bytes) {
            self.rest();
            assert!(self.writer.has_room(self.room_bytes), "an empty ring holds what one command says");
        }
        self.seq = command.seq;
        Entry::command(command.seq, command.ts_ns)
            .write(&mut self.writer, &[command.origin.as_bytes(), command.message]);
    }

    fn answered(&mut self) {
        self.writer.publish();
    }

    fn rest(&mut self) {
        while let Some(frame) = self.reader.peek() {
            let (entry, payload) = Entry::read(frame);
            if entry.is_event() {
                self.count.event(entry.sub, payload);
            }
            self.reader.advance();
        }
        self.reader.release();
    }

    fn counted(&self) -> Tally {
        self.count.tally
    }
}
