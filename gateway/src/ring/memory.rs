//! The bytes of a ring. It owns the allocation and the arithmetic from an endless position to a place in it; it does
//! not know who may touch which bytes when: that is the protocol of `ingress` and `log`, whose SAFETY sentences say it.
//!
//! Headers are 8-byte words that are only ever touched atomically; payloads are plain bytes behind a header. Which word
//! is a header changes from lap to lap, so both kinds live in one allocation of atomic words.

use super::sync::AtomicU64;
use std::sync::atomic::Ordering;

/// What moves between cores at a time, and the grain of the ingress ring.
pub const LINE_BYTES: usize = if cfg!(any(loom, shuttle)) { 16 } else { 64 };

/// A header, and the alignment of everything.
pub(super) const WORD_BYTES: usize = 8;

#[cfg(not(any(loom, shuttle)))]
#[repr(C, align(64))]
struct Line([AtomicU64; LINE_BYTES / WORD_BYTES]);

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Line>() == LINE_BYTES && align_of::<Line>() == LINE_BYTES);

/// A power of two of bytes, all zero at first, addressed by positions that only grow.
#[cfg(not(any(loom, shuttle)))]
pub(super) struct Memory {
    lines: Box<[Line]>,
    mask: u64,
}

#[cfg(not(any(loom, shuttle)))]
impl Memory {
    /// Writes every page, so that no page fault is left for later.
    pub(super) fn new(capacity_bytes: usize) -> Self {
        check_capacity(capacity_bytes);
        let lines = (0..capacity_bytes / LINE_BYTES).map(|_| Line(Default::default())).collect();
        Self { lines, mask: capacity_bytes as u64 - 1 }
    }

    fn pointer(&self, position: u64) -> *mut u8 {
        let offset = (position & self.mask) as usize;
        // SAFETY: the mask is the allocation's size less one, so the offset lies inside it. The words are atomics,
        // hence a pointer that comes from a shared reference may be written through.
        unsafe { self.lines.as_ptr().cast::<u8>().cast_mut().add(offset) }
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        debug_assert!(position.is_multiple_of(WORD_BYTES as u64));
        let pointer = self.pointer(position).cast();
        // SAFETY: the position is a multiple of 8 and the allocation is made of lines, so the word is aligned and whole.
        unsafe { AtomicU64::from_ptr(pointer) }
    }

    pub(super) fn load_header(&self, position: u64, order: Ordering) -> u64 {
        self.word(position).load(order)
    }

    pub(super) fn store_header(&self, position: u64, header: u64, order: Ordering) {
        self.word(position).store(header, order);
    }

    /// # Safety
    /// The bytes do not reach over the end of the ring, and nobody writes them while the slice lives.
    pub(super) unsafe fn payload(&self, position: u64, bytes: usize) -> &[u8] {
        debug_assert!(self.is_contiguous(position, bytes));
        // SAFETY: contiguous and unwritten by the caller's promise; initialised since `new`.
        unsafe { std::slice::from_raw_parts(self.pointer(position), bytes) }
    }

    /// # Safety
    /// The bytes do not reach over the end of the ring, and nobody else touches them while the slice lives.
    #[expect(
        clippy::mut_from_ref,
        reason = "a ring is shared by nature; exclusivity is the caller's promise"
    )]
    pub(super) unsafe fn payload_mut(&self, position: u64, bytes: usize) -> &mut [u8] {
        debug_assert!(self.is_contiguous(position, bytes));
        // SAFETY: contiguous and exclusive by the caller's promise; initialised since `new`.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(position), bytes) }
    }

    /// # Safety
    /// As [`Memory::payload_mut`].
    pub(super) unsafe fn write(&self, position: u64, part: &[u8]) {
        // SAFETY: passed on.
        unsafe { self.payload_mut(position, part.len()) }.copy_from_slice(part);
    }

    /// Tells the model checker that the reader has just looked at these bytes.
    pub(super) fn witness_read(&self, _position: u64, _bytes: usize) {}
}

/// The same for the model checkers: real bytes, a tracked cell over each word to catch unordered payload accesses, and a
/// tracked copy of each word, because a payload may later lie where a header is expected and must then not pass for one.
#[cfg(any(loom, shuttle))]
pub(super) struct Memory {
    words: Box<[AtomicU64]>,
    cells: Box<[super::sync::UnsafeCell<()>]>,
    bytes: Box<[std::cell::UnsafeCell<u64>]>,
    mask: u64,
}

#[cfg(any(loom, shuttle))]
// SAFETY: the model checker runs one thread at a time, and `cells` reports any access that real threads could race on.
unsafe impl Sync for Memory {}
#[cfg(any(loom, shuttle))]
// SAFETY: plain words, owned by whoever owns the ring.
unsafe impl Send for Memory {}

#[cfg(any(loom, shuttle))]
impl Memory {
    pub(super) fn new(capacity_bytes: usize) -> Self {
        check_capacity(capacity_bytes);
        let words = capacity_bytes / WORD_BYTES;
        Self {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            cells: (0..words).map(|_| super::sync::UnsafeCell::new(())).collect(),
            bytes: (0..words).map(|_| std::cell::UnsafeCell::new(0)).collect(),
            mask: capacity_bytes as u64 - 1,
        }
    }

    fn index(&self, position: u64) -> usize {
        (position & self.mask) as usize / WORD_BYTES
    }

    pub(super) fn load_header(&self, position: u64, order: Ordering) -> u64 {
        self.cells[self.index(position)].with(|_| ());
        self.words[self.index(position)].load(order)
    }

    pub(super) fn store_header(&self, position: u64, header: u64, order: Ordering) {
        self.words[self.index(position)].store(header, order);
    }

    pub(super) fn witness_read(&self, position: u64, bytes: usize) {
        assert!(self.is_contiguous(position, bytes));
        for index in self.index(position)..self.index(position) + bytes.div_ceil(WORD_BYTES) {
            self.cells[index].with(|_| ());
        }
    }

    /// What the payload becomes is not known yet, so later header reads must never meet these words.
    fn witness_write(&self, position: u64, bytes: usize) {
        assert!(self.is_contiguous(position, bytes));
        for index in self.index(position)..self.index(position) + bytes.div_ceil(WORD_BYTES) {
            self.cells[index].with_mut(|_| ());
            self.words[index].store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// # Safety
    /// As its twin above.
    pub(super) unsafe fn payload(&self, position: u64, bytes: usize) -> &[u8] {
        self.witness_read(position, bytes);
        // SAFETY: contiguous (asserted), and one thread runs at a time.
        unsafe { std::slice::from_raw_parts(self.bytes[self.index(position)].get().cast(), bytes) }
    }

    /// # Safety
    /// As its twin above.
    #[expect(
        clippy::mut_from_ref,
        reason = "a ring is shared by nature; exclusivity is the caller's promise"
    )]
    pub(super) unsafe fn payload_mut(&self, position: u64, bytes: usize) -> &mut [u8] {
        self.witness_write(position, bytes);
        // SAFETY: contiguous (asserted), and one thread runs at a time.
        unsafe { std::slice::from_raw_parts_mut(self.bytes[self.index(position)].get().cast(), bytes) }
    }

    /// # Safety
    /// As its twin above.
    pub(super) unsafe fn write(&self, position: u64, part: &[u8]) {
        assert!(position.is_multiple_of(8) && part.len().is_multiple_of(8), "models write whole words");
        // SAFETY: passed on.
        unsafe { self.payload_mut(position, part.len()) }.copy_from_slice(part);
        for (step, word) in part.chunks_exact(WORD_BYTES).enumerate() {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
            self.words[self.index(position) + step].store(word, Ordering::Relaxed);
        }
    }
}

impl Memory {
    pub(super) fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// From a position to the next wrap, never zero.
    pub(super) fn to_wrap(&self, position: u64) -> u64 {
        self.capacity() - (position & self.mask)
    }

    /// Which lap a position belongs to, from 1 so that zeroed memory belongs to none.
    pub(super) fn lap(&self, position: u64) -> u64 {
        (position >> self.capacity().trailing_zeros()) + 1
    }

    fn is_contiguous(&self, position: u64, bytes: usize) -> bool {
        (position & self.mask) + bytes as u64 <= self.capacity()
    }
}

fn check_capacity(capacity_bytes: usize) {
    assert!(capacity_bytes.is_power_of_two(), "a ring's capacity is a power of two, not {capacity_bytes}");
    assert!(capacity_bytes >= 2 * LINE_BYTES, "a ring holds at least two lines, not {capacity_bytes} bytes");
}
