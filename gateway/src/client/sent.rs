//! The commands that were numbered and are not known to be applied: the frames themselves, one after the other, so that
//! writing, and writing again after a new logon, is writing a tail of one buffer. Knows no socket.
//!
//! ```text
//! | applied, to be cut | written, not known to be applied | queued |
//!                      ^ start                            ^ written
//! ```

use std::collections::VecDeque;

use crate::frame::{self, POSSIBLE_RESEND};

/// Where the flags stand in a frame.
const FLAGS_AT: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: Vec<u8>,
    start: usize,
    written: usize,
    /// Number and length of each frame behind `start`, oldest first.
    frames: VecDeque<(u64, usize)>,
}

impl Sent {
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn oldest(&self) -> Option<u64> {
        self.frames.front().map(|(seq, _)| *seq)
    }

    pub fn push(&mut self, seq: u64, send_time: u64, message: &[u8]) {
        let before = self.bytes.len();
        frame::append_message(&mut self.bytes, 0, seq, send_time, message);
        self.frames.push_back((seq, self.bytes.len() - before));
    }

    /// What was queued and not written yet.
    pub fn queued(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    pub fn mark_written(&mut self) {
        self.written = self.bytes.len();
    }

    /// Forgets every command below `seq`. What still waits to be written is never forgotten: nobody can have applied it.
    pub fn applied_below(&mut self, seq: u64) {
        while let Some((oldest, bytes)) = self.frames.front().copied() {
            if oldest >= seq || self.start + bytes > self.written {
                break;
            }
            self.frames.pop_front();
            self.start += bytes;
        }
        self.compact();
    }

    /// Queues everything again, marked as possibly sent before where that is so.
    pub fn rewind(&mut self) {
        let mut at = self.start;
        for (_, bytes) in &self.frames {
            if at >= self.written {
                break;
            }
            self.bytes[at + FLAGS_AT] |= POSSIBLE_RESEND as u8;
            at += bytes;
        }
        self.written = self.start;
    }

    /// Moves bytes only when at least half of the buffer is dead, so each byte moves at most once on average.
    fn compact(&mut self) {
        if self.start * 2 < self.bytes.len() {
            return;
        }
        self.bytes.drain(..self.start);
        self.written -= self.start;
        self.start = 0;
    }
}
