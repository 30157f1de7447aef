//! The log ring: one writer, a fixed number of readers, every reader sees every frame. It owns the hand-over of a group
//! (one command and all its events) as one step; it does not know what a group says. The writer asks for room before it
//! begins, and never overwrites what the slowest reader has not released.
//!
//! Frames of a group are written in place and become visible with one release store of the published position. Readers
//! poll that position only, never the line that is being staged. The alternative, a group whose withheld first header is
//! polled in place, saves one transfer on paper; measured, it gave no better stream in batches of 16 and a worse one
//! without batches (46 against 36 ns a message), and needs a zero word behind each group.
//!
//! ```text
//!   frame    +0  header, u64   bits 0..32 length, bit 32 frame, bit 33 padding
//!            +8  payload       rounded up to words; the rest of the last word is unspecified
//!   group    frame, frame, ...
//! ```
//!
//! A frame that would reach over the end starts at the beginning, behind padding.

use super::memory::{Memory, WORD_BYTES};
use super::sync::{Arc, AtomicU64};
use crossbeam::utils::CachePadded;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The longest payload of one frame.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;

const FRAME: u64 = 1 << 32;
const PADDING: u64 = 1 << 33;
const LENGTH_MASK: u64 = FRAME - 1;

const _: () = assert!(FRAME_BYTES_MAX.is_multiple_of(WORD_BYTES) && FRAME_BYTES_MAX as u64 <= LENGTH_MASK);

/// What a frame of this length takes of the room that [`LogWriter::has_room`] is asked for.
pub const fn frame_space(frame_bytes: usize) -> usize {
    (WORD_BYTES + frame_bytes).next_multiple_of(WORD_BYTES)
}

/// Creates a ring of `capacity_bytes`, a power of two, with `readers` readers, at least one.
pub fn log(capacity_bytes: usize, readers: usize) -> (LogWriter, Vec<LogReader>) {
    assert!(readers > 0, "a log ring has a reader");
    let shared = Arc::new(Shared {
        published: CachePadded::new(AtomicU64::new(0)),
        cursors: (0..readers).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
        memory: Memory::new(capacity_bytes),
    });
    let reader =
        |index| LogReader { shared: Arc::clone(&shared), index, cursor: 0, cursor_end: 0, published_seen: 0 };
    let readers = (0..readers).map(reader).collect();
    (LogWriter { shared, staged: 0, slowest: 0 }, readers)
}

struct Shared {
    /// Up to where frames are visible. Written by the writer only.
    published: CachePadded<AtomicU64>,
    /// Up to where each reader has released, each written by its reader only.
    cursors: Box<[CachePadded<AtomicU64>]>,
    memory: Memory,
}

/// The engine's end.
pub struct LogWriter {
    shared: Arc<Shared>,
    /// Where the next frame begins.
    staged: u64,
    /// The least of the cursors when last read: never beyond the true one, so what it allows is allowed.
    slowest: u64,
}

impl LogWriter {
    /// Whether a group whose frames take up to `bytes_max` of [`frame_space`] together fits, wherever the wrap falls.
    /// Reads the readers' cursors only when what it last saw of them does not suffice.
    ///
    /// # Panics
    /// If `bytes_max` exceeds [`LogWriter::room_max`]: no patience would help.
    #[inline]
    pub fn has_room(&mut self, bytes_max: usize) -> bool {
        assert!(bytes_max <= self.room_max(), "room for {bytes_max} bytes in a ring that never has it");
        let memory = &self.shared.memory;
        let wraps = bytes_max as u64 > memory.to_wrap(self.staged);
        let padding = if wraps { padding_max(bytes_max) } else { 0 };
        let end = self.staged + bytes_max as u64 + padding;
        if end <= self.slowest + memory.capacity() {
            return true;
        }
        // Acquire pairs with the readers' release in `release`: their reads come before our writes.
        let cursors = self.shared.cursors.iter().map(|cursor| cursor.load(Acquire));
        self.slowest = cursors.min().expect("a log ring has a reader");
        end <= self.slowest + memory.capacity()
    }

    /// The most that [`LogWriter::has_room`] may be asked for: what fits an empty ring at any position.
    pub fn room_max(&self) -> usize {
        let capacity = self.shared.memory.capacity() as usize;
        capacity.saturating_sub(frame_space(FRAME_BYTES_MAX)).max(capacity / 2)
    }

    /// Room for the next frame of the group in hand, 8-aligned, in one piece, its contents unspecified. No reader sees it
    /// before [`LogWriter::publish`].
    ///
    /// # Panics
    /// If the frame is longer than [`FRAME_BYTES_MAX`] or the group exceeds what `has_room` has granted.
    #[inline]
    pub fn stage(&mut self, frame_bytes: usize) -> &mut [u8] {
        assert!(frame_bytes <= FRAME_BYTES_MAX, "a frame of {frame_bytes} bytes");
        let space = frame_space(frame_bytes) as u64;
        let to_wrap = self.shared.memory.to_wrap(self.staged);
        let padding = if space > to_wrap { to_wrap } else { 0 };
        let end = self.staged + padding + space;
        let limit = self.slowest + self.shared.memory.capacity();
        assert!(end <= limit, "a frame of {frame_bytes} bytes for which there was no room");
        if padding > 0 {
            self.lay(PADDING | (padding - WORD_BYTES as u64), padding);
        }
        let payload = self.staged + WORD_BYTES as u64;
        self.lay(FRAME | frame_bytes as u64, space);
        // SAFETY: in one piece, since padding went over the wrap; ahead of what is published and, by the assert, not
        // ahead of what the slowest reader released (acquired by `has_room`), so no reader touches it; and the borrow
        // of `self` keeps the next `stage` or `publish` away.
        unsafe { self.shared.memory.payload_mut(payload, frame_bytes) }
    }

    /// Bytes that all frames so far took, padding included. A reader that has passed them all stands at the same.
    pub fn position(&self) -> u64 {
        self.staged
    }

    /// Makes all staged frames visible at once.
    #[inline]
    pub fn publish(&mut self) {
        // Release: whoever acquires this position sees the frames before it and their headers.
        self.shared.published.store(self.staged, Release);
    }

    #[inline]
    fn lay(&mut self, header: u64, space: u64) {
        self.shared.memory.store_header(self.staged, header, Relaxed);
        self.staged += space;
    }
}

/// What the wrap can cost a group: the largest frame in it might miss the end by one word.
fn padding_max(bytes_max: usize) -> u64 {
    bytes_max.min(frame_space(FRAME_BYTES_MAX)).saturating_sub(WORD_BYTES) as u64
}

/// A reader's end: the journal stage, egress, market data.
pub struct LogReader {
    shared: Arc<Shared>,
    index: usize,
    /// The next frame, or the padding in front of it.
    cursor: u64,
    /// The end of the frame that `peek` returned, or `cursor` if it has returned none since the last advance.
    cursor_end: u64,
    /// The published position when last read.
    published_seen: u64,
}

impl LogReader {
    /// The next published frame, 8-aligned.
    #[inline]
    pub fn peek(&mut self) -> Option<&[u8]> {
        let memory = &self.shared.memory;
        loop {
            if self.cursor == self.published_seen {
                self.published_seen = self.shared.published.load(Acquire);
                if self.cursor == self.published_seen {
                    return None;
                }
            }
            let header = memory.load_header(self.cursor, Relaxed);
            let length = header & LENGTH_MASK;
            let end = self.cursor + frame_space(length as usize) as u64;
            if header == PADDING | length {
                self.cursor = end;
                self.cursor_end = end;
                continue;
            }
            assert!(header == FRAME | length, "a header that no writer stored: {header:#x}");
            self.cursor_end = end;
            // SAFETY: before the published position that this thread has acquired; the writer keeps off until `release` stores a cursor beyond it, which takes `&mut self` and
            // so ends this borrow.
            return Some(unsafe { memory.payload(self.cursor + WORD_BYTES as u64, length as usize) });
        }
    }

    /// Moves past the frame that `peek` returned. The writer does not know yet.
    ///
    /// # Panics
    /// If `peek` has not returned a frame since the last advance.
    #[inline]
    pub fn advance(&mut self) {
        assert!(self.cursor_end > self.cursor, "an advance follows a peek that returned a frame");
        let payload_bytes = (self.cursor_end - self.cursor) as usize - WORD_BYTES;
        self.shared.memory.witness_read(self.cursor + WORD_BYTES as u64, payload_bytes);
        self.cursor = self.cursor_end;
    }

    /// Where the writer stood when it had staged what was passed so far.
    pub fn position(&self) -> u64 {
        self.cursor
    }

    /// Gives all frames passed so far back to the writer; once per batch.
    #[inline]
    pub fn release(&mut self) {
        self.shared.cursors[self.index].store(self.cursor, Release);
    }
}
