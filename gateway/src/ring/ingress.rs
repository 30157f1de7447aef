//! The ingress ring: many producers, one consumer, records of any length up to [`RECORD_BYTES_MAX`]. It owns the order in
//! which commands reach the engine; it does not know what they say. A full ring is a refusal that leaves no trace.
//!
//! A record begins on a cache line with its header, so a command of one line crosses between cores with one transfer:
//! what the consumer polls is what it then reads. Continuation lines hold payload where a later lap may expect a header;
//! the consumer therefore zeroes the first word of each before it gives the space back. Zeroing every byte instead
//! would write each line of a 4 KiB mass quote in full, and a separate array of headers would cost a second transfer.
//!
//! ```text
//!   line 0    +0  header, u64   48 bits lap | 1 bit padding | 15 bits length; stored last, with release
//!             +8  payload       up to the end of the line, and on through
//!   line 1..  +0  payload       as many whole lines as it takes; the rest of the last line is unspecified
//! ```
//!
//! A header counts only if it carries the lap of its position: what an earlier lap left there is no record. A record that
//! would reach over the end starts at the beginning; a padding header, claimed in the same step, fills the gap.

use super::memory::{LINE_BYTES, Memory, WORD_BYTES};
use super::sync::{Arc, AtomicU64};
use crossbeam::utils::CachePadded;
use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The longest payload of one record.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;

const LENGTH_BITS: u32 = 15;
const PADDING: u64 = 1 << LENGTH_BITS;
const LENGTH_MASK: u64 = PADDING - 1;
const LAP_SHIFT: u32 = LENGTH_BITS + 1;

const _: () = assert!(RECORD_BYTES_MAX as u64 <= LENGTH_MASK);
const _: () = assert!(LAP_SHIFT == 16);
const _: () = assert!(LINE_BYTES.is_multiple_of(WORD_BYTES) && LINE_BYTES > WORD_BYTES);

/// Creates a ring of `capacity_bytes`, a power of two. A record takes its length plus eight, rounded up to lines, and
/// at most half the ring.
pub fn ingress(capacity_bytes: usize) -> (IngressSender, IngressReceiver) {
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicU64::new(0)),
        head: CachePadded::new(AtomicU64::new(0)),
        memory: Memory::new(capacity_bytes),
    });
    let sender = IngressSender { shared: Arc::clone(&shared), head_seen: Cell::new(0) };
    (sender, IngressReceiver { shared, head: 0, head_end: 0, ahead: 0 })
}

/// The ring has no room for the record now. Nothing was written; the bytes may wait where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

struct Shared {
    /// Where the next claim begins. Producers only.
    tail: CachePadded<AtomicU64>,
    /// Up to where the consumer has given space back. Written by the consumer, read by a producer that finds no room.
    head: CachePadded<AtomicU64>,
    memory: Memory,
}

/// One per producing thread; clone it for the next.
pub struct IngressSender {
    shared: Arc<Shared>,
    /// The head as last read here: never beyond the true one, so what it allows is allowed.
    head_seen: Cell<u64>,
}

impl Clone for IngressSender {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), head_seen: self.head_seen.clone() }
    }
}

impl IngressSender {
    /// Appends the concatenation of `parts` as one record.
    ///
    /// # Panics
    /// If the record is longer than [`IngressSender::record_bytes_max`]: the frame parser has refused it before.
    #[inline]
    pub fn try_push(&self, parts: &[&[u8]]) -> Result<(), Full> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        assert!(length <= self.record_bytes_max(), "a record of {length} bytes");
        let claim = self.claim(record_space(length))?;
        let memory = &self.shared.memory;
        let mut position = claim.start + WORD_BYTES as u64;
        for part in parts {
            // SAFETY: `claim` gave these bytes to this call alone, in one piece: the compare-and-swap hands out each
            // position once, and the acquired head says that the consumer is done with what lay here a lap ago.
            unsafe { memory.write(position, part) };
            position += part.len() as u64;
        }
        if claim.padding != claim.start {
            let header = memory.lap(claim.padding) << LAP_SHIFT | PADDING;
            memory.store_header(claim.padding, header, Release);
        }
        let header = memory.lap(claim.start) << LAP_SHIFT | length as u64;
        memory.store_header(claim.start, header, Release);
        Ok(())
    }

    /// The longest record this ring takes: [`RECORD_BYTES_MAX`] unless the ring is very small. With half the ring, a
    /// record and the padding before it always fit an empty one.
    pub fn record_bytes_max(&self) -> usize {
        RECORD_BYTES_MAX.min(self.shared.memory.capacity() as usize / 2 - WORD_BYTES)
    }

    /// Padding and record are claimed together, so that a refusal claims nothing.
    #[inline]
    fn claim(&self, space: u64) -> Result<Claim, Full> {
        let shared = &*self.shared;
        let mut tail = shared.tail.load(Relaxed);
        loop {
            let to_wrap = shared.memory.to_wrap(tail);
            let start = if space <= to_wrap { tail } else { tail + to_wrap };
            let end = start + space;
            if !self.is_free(end) {
                return Err(Full);
            }
            // Relaxed, because the tail hands out numbers and no bytes: those travel by the head and by the headers.
            match shared.tail.compare_exchange_weak(tail, end, Relaxed, Relaxed) {
                Ok(_) => return Ok(Claim { padding: tail, start }),
                Err(moved) => tail = moved,
            }
        }
    }

    /// Acquire pairs with the consumer's release in `release`: its reads and its zeroes come before our writes. A tail
    /// that is stale by now only makes the answer "full" truer, and the compare-and-swap refuses the answer "free".
    #[inline]
    fn is_free(&self, end: u64) -> bool {
        let capacity = self.shared.memory.capacity();
        if end <= self.head_seen.get() + capacity {
            return true;
        }
        self.head_seen.set(self.shared.head.load(Acquire));
        end <= self.head_seen.get() + capacity
    }
}

struct Claim {
    /// Where the claim begins; padding if it is not where the record begins.
    padding: u64,
    start: u64,
}

/// The engine's end.
pub struct IngressReceiver {
    shared: Arc<Shared>,
    /// The next record, or the padding in front of it.
    head: u64,
    /// The end of the record that `peek` returned, or `head` if it has returned none since the last release.
    head_end: u64,
    /// Where `look_ahead` goes on.
    ahead: u64,
}

impl IngressReceiver {
    /// The next committed record, 8-aligned. It stays in the ring until [`IngressReceiver::release`], so the engine may
    /// look, find no room for the outcome, and come back.
    #[inline]
    pub fn peek(&mut self) -> Option<&[u8]> {
        let (start, length) = committed(&self.shared.memory, self.head)?;
        self.head = start;
        self.head_end = start + record_space(length);
        Some(self.record(start, length))
    }

    /// Gives the space of the record that `peek` returned back to the producers.
    ///
    /// # Panics
    /// If `peek` has not returned a record since the last release.
    #[inline]
    pub fn release(&mut self) {
        assert!(self.head_end > self.head, "a release follows a peek that returned a record");
        let memory = &self.shared.memory;
        for line in (self.head..self.head_end).step_by(LINE_BYTES).skip(1) {
            memory.store_header(line, 0, Relaxed);
        }
        memory.witness_read(self.head + WORD_BYTES as u64, (self.head_end - self.head) as usize - WORD_BYTES);
        self.head = self.head_end;
        self.shared.head.store(self.head, Release);
    }

    /// The committed records behind the next one, each once, in order: what to prefetch for. Never beyond the first one
    /// that is not committed yet; begins again behind the head when the head has overtaken it.
    #[inline]
    pub fn look_ahead(&mut self) -> Option<&[u8]> {
        if self.ahead <= self.head {
            let (start, length) = committed(&self.shared.memory, self.head)?;
            self.ahead = start + record_space(length);
        }
        let (start, length) = committed(&self.shared.memory, self.ahead)?;
        self.ahead = start + record_space(length);
        Some(self.record(start, length))
    }

    fn record(&self, start: u64, length: usize) -> &[u8] {
        // SAFETY: `committed` acquired the header that its producer stored after the bytes, and producers keep off until
        // the head passes it, which takes `&mut self` and so ends this borrow.
        unsafe { self.shared.memory.payload(start + WORD_BYTES as u64, length) }
    }
}

/// Start and length of the record at or, behind padding, after `position`, if it is committed.
fn committed(memory: &Memory, position: u64) -> Option<(u64, usize)> {
    let header = memory.load_header(position, Acquire);
    if header >> LAP_SHIFT != memory.lap(position) {
        return None;
    }
    if header & PADDING != 0 {
        let start = position + memory.to_wrap(position);
        assert!(memory.to_wrap(start) == memory.capacity(), "padding ends at the wrap");
        let behind = memory.load_header(start, Acquire);
        return (behind >> LAP_SHIFT == memory.lap(start))
            .then_some((start, (behind & LENGTH_MASK) as usize));
    }
    Some((position, (header & LENGTH_MASK) as usize))
}

fn record_space(length: usize) -> u64 {
    ((WORD_BYTES + length) as u64).next_multiple_of(LINE_BYTES as u64)
}
