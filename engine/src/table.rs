//! A hash table from keys that stand elsewhere to slots: open addressing, at most half full, of a size fixed at start.
//! An entry keeps half of its hash beside the slot, so a probe that does not match reads no second line. The hash is
//! keyed with the venue's `hash_key`: members choose their order ids, and must not be able to choose their neighbours.

use crate::pool::filled;
use crate::prefetch;

/// The venue's hash key, spread so that even the key zero mixes well.
#[derive(Clone, Copy)]
pub struct HashKey {
    first: u64,
    second: u64,
    third: u64,
}

impl HashKey {
    pub fn new(key: [u64; 2]) -> HashKey {
        let spread = |word: u64, round: u64| {
            let word =
                (word ^ key[1].rotate_left(32)).wrapping_add(round.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        };
        HashKey { first: spread(key[0], 1) | 1, second: spread(key[0], 2), third: spread(key[0], 3) | 1 }
    }

    /// Two folded multiplications. Without the key, which pairs collide cannot be told.
    pub fn hash(self, high: u64, low: u64) -> u32 {
        let once = fold(high ^ self.first, low ^ self.second);
        (fold(once ^ low ^ self.second, self.third) >> 32) as u32
    }
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product >> 64) as u64 ^ product as u64
}

/// An entry is `hash << 32 | slot + 1`; 0 is empty.
pub struct Table {
    entries: Vec<u64>,
    mask: usize,
}

impl Table {
    pub fn new(capacity: u32) -> Table {
        let size = (2 * capacity as usize).next_power_of_two().max(4);
        Table { entries: filled(size, 0), mask: size - 1 }
    }

    /// The slot under this hash for which `is_it` holds.
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = hash as usize & self.mask;
        loop {
            let entry = self.entries[place];
            if entry == 0 {
                return None;
            }
            if hash_of(entry) == hash && is_it(slot_of(entry)) {
                return Some(slot_of(entry));
            }
            place = (place + 1) & self.mask;
        }
    }

    pub fn prefetch(&self, hash: u32) {
        prefetch::lines_at(&self.entries, hash as usize & self.mask);
    }

    /// As `find`, without looking whose the slot is.
    pub fn glance(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// The caller keeps the number of entries within the capacity, and keys unique.
    pub fn insert(&mut self, hash: u32, slot: u32) {
        let mut place = hash as usize & self.mask;
        while self.entries[place] != 0 {
            place = (place + 1) & self.mask;
        }
        self.entries[place] = u64::from(hash) << 32 | u64::from(slot + 1);
    }

    /// Removes an entry that is there, and moves its followers back so that no gap breaks their probe.
    pub fn remove(&mut self, hash: u32, slot: u32) {
        let wanted = u64::from(hash) << 32 | u64::from(slot + 1);
        let mut gap = hash as usize & self.mask;
        while self.entries[gap] != wanted {
            assert!(self.entries[gap] != 0, "an entry was removed that is not in the table");
            gap = (gap + 1) & self.mask;
        }
        let mut place = gap;
        loop {
            place = (place + 1) & self.mask;
            let entry = self.entries[place];
            if entry == 0 {
                break;
            }
            let home = hash_of(entry) as usize & self.mask;
            let distance_from_home = place.wrapping_sub(home) & self.mask;
            let distance_from_gap = place.wrapping_sub(gap) & self.mask;
            if distance_from_home >= distance_from_gap {
                self.entries[gap] = entry;
                gap = place;
            }
        }
        self.entries[gap] = 0;
    }
}

fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

fn slot_of(entry: u64) -> u32 {
    entry as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Against a set, with hashes so few that every probe is long.
    #[test]
    fn behaves_like_a_set_under_collisions() {
        let mut table = Table::new(64);
        let mut model = BTreeSet::new();
        let mut seed = 1_u64;
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let slot = (seed >> 33) as u32 % 64;
            let hash = slot % 5 * 31;
            if model.remove(&slot) {
                table.remove(hash, slot);
            } else {
                model.insert(slot);
                table.insert(hash, slot);
            }
            for each in 0..64 {
                let found = table.find(each % 5 * 31, |candidate| candidate == each);
                assert_eq!(found.is_some(), model.contains(&each));
            }
        }
    }

    #[test]
    fn keys_decide_the_hash() {
        let (one, two) = (HashKey::new([1, 2]), HashKey::new([1, 3]));
        let differing = (0..1_000).filter(|id| one.hash(7, *id) != two.hash(7, *id)).count();
        assert!(differing > 990);
        let distinct: BTreeSet<u32> = (0..1_000).map(|id| HashKey::new([0, 0]).hash(4, id)).collect();
        assert!(distinct.len() > 990);
    }
}
