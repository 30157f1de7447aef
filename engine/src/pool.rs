//! Where things live: arenas whose memory is taken once, and the two ways to choose a slot in them. `Arena` reuses the
//! slot released last, for things whose slot never shows. `LowestFree` hands out the lowest slot, because an order's slot
//! is part of its id and must follow from the set of open orders alone. Neither knows what is kept in it.

use std::hint::black_box;
use std::ops::{Index, IndexMut};

use crate::prefetch;

/// No slot: the end of a list, an absent child.
pub const NONE: u32 = u32::MAX;

/// `count` items in memory whose every page was written, so that no page fault is left for the first command that gets
/// there. Reserving, or asking for zeros, would leave one for each page. The black box hides that `item` may be zero.
pub fn filled<T: Copy>(count: usize, item: T) -> Vec<T> {
    let mut items = Vec::with_capacity(count);
    items.resize(count, black_box(item));
    items
}

/// The same memory, empty.
pub fn room<T: Copy>(count: usize, item: T) -> Vec<T> {
    let mut items = filled(count, item);
    items.clear();
    items
}

/// Slots for `T`, taken and released in any order. All memory is taken at start, and `blank` is what lies there first.
pub struct Arena<T> {
    items: Vec<T>,
    free: Vec<u32>,
    capacity: u32,
}

impl<T: Copy> Arena<T> {
    pub fn new(capacity: u32, blank: T) -> Arena<T> {
        let size = capacity as usize;
        Arena { items: room(size, blank), free: room(size, NONE), capacity }
    }

    pub fn len(&self) -> u32 {
        (self.items.len() - self.free.len()) as u32
    }

    pub fn spare(&self) -> u32 {
        self.capacity - self.len()
    }

    /// Above every slot that was ever taken.
    pub fn slots_end(&self) -> usize {
        self.items.len()
    }

    pub fn is_full(&self) -> bool {
        self.spare() == 0
    }

    /// The slot that now holds `item`. The caller has asked `is_full`.
    pub fn take(&mut self, item: T) -> u32 {
        assert!(!self.is_full(), "a full arena was asked for a slot");
        match self.free.pop() {
            Some(slot) => {
                self.items[slot as usize] = item;
                slot
            }
            None => {
                self.items.push(item);
                (self.items.len() - 1) as u32
            }
        }
    }

    pub fn find(&self, slot: u32) -> Option<&T> {
        self.items.get(slot as usize)
    }

    pub fn prefetch(&self, slot: u32) {
        prefetch::lines_at(&self.items, slot as usize);
    }

    pub fn release(&mut self, slot: u32) {
        debug_assert!((slot as usize) < self.items.len());
        self.free.push(slot);
    }
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;
    fn index(&self, slot: u32) -> &T {
        &self.items[slot as usize]
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.items[slot as usize]
    }
}

/// Bits of one word of the bitmap.
const FAN: usize = 64;

/// The set of slots in use, as a bitmap of 64-bit words under bitmaps of "this word is full": the lowest free slot of
/// 2^24 is four counts of trailing ones away. Bits are set for what is used, so fresh memory means free.
pub struct LowestFree {
    layers: Vec<Vec<u64>>,
    used: u32,
    capacity: u32,
}

impl LowestFree {
    pub fn new(capacity: u32) -> LowestFree {
        let mut layers = Vec::new();
        let mut bits = capacity as usize;
        loop {
            let words = bits.div_ceil(FAN).max(1);
            layers.push(filled(words, 0));
            if words == 1 {
                return LowestFree { layers, used: 0, capacity };
            }
            bits = words;
        }
    }

    pub fn used(&self) -> u32 {
        self.used
    }

    pub fn is_full(&self) -> bool {
        self.used == self.capacity
    }

    /// Below the capacity because the lowest free slot is never above the number of used ones.
    pub fn take(&mut self) -> u32 {
        assert!(!self.is_full(), "a full set of slots was asked for one");
        let slot =
            self.layers.iter().rev().fold(0, |word, layer| word * FAN + layer[word].trailing_ones() as usize);
        self.mark(slot);
        slot as u32
    }

    /// Takes this very slot, for a snapshot. False when it is taken or does not exist.
    pub fn take_exactly(&mut self, slot: u32) -> bool {
        let free = slot < self.capacity && !self.contains(slot);
        if free {
            self.mark(slot as usize);
        }
        free
    }

    pub fn contains(&self, slot: u32) -> bool {
        let slot = slot as usize;
        self.layers[0].get(slot / FAN).is_some_and(|word| word >> (slot % FAN) & 1 == 1)
    }

    pub fn release(&mut self, slot: u32) {
        assert!(self.contains(slot), "a free slot was released");
        let mut place = slot as usize;
        for layer in &mut self.layers {
            let word = &mut layer[place / FAN];
            let was_full = *word == u64::MAX;
            *word &= !(1 << (place % FAN));
            if !was_full {
                break;
            }
            place /= FAN;
        }
        self.used -= 1;
    }

    fn mark(&mut self, slot: usize) {
        let mut place = slot;
        for layer in &mut self.layers {
            let word = &mut layer[place / FAN];
            *word |= 1 << (place % FAN);
            if *word != u64::MAX {
                break;
            }
            place /= FAN;
        }
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slot_comes_first() {
        let mut slots = LowestFree::new(5_000);
        for expected in 0..5_000 {
            assert_eq!(slots.take(), expected);
        }
        assert!(slots.is_full());
        for slot in [4_999, 64, 63, 4_096, 0, 128] {
            slots.release(slot);
        }
        for expected in [0, 63, 64, 128, 4_096, 4_999] {
            assert_eq!(slots.take(), expected);
        }
        assert!(slots.is_full());
    }

    #[test]
    fn a_slot_can_be_taken_by_name() {
        let mut slots = LowestFree::new(70);
        assert!(slots.take_exactly(0) && slots.take_exactly(69));
        assert!(!slots.take_exactly(69) && !slots.take_exactly(70));
        assert_eq!((slots.take(), slots.used()), (1, 3));
    }
}
