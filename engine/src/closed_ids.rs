//! The window of recently closed client ids (rule 12.1): a ring of the last ones in the order in which their orders ended,
//! and a table that finds them. It keeps a sum over what it holds, so that the digest need not walk it. Does not know why an
//! order ended.

use crate::pool::room;
use crate::table::{HashKey, Table};

/// An order that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedId {
    pub account: u32,
    pub cl_ord_id: u64,
    pub order_id: u64,
}

const BLANK: ClosedId = ClosedId { account: 0, cl_ord_id: 0, order_id: 0 };

pub struct ClosedIds {
    ring: Vec<ClosedId>,
    /// The place of the oldest, once the ring is full.
    oldest: usize,
    capacity: usize,
    by_client_id: Table,
    key: HashKey,
    /// How many ever entered; the next one's number.
    entered: u64,
    sum: u128,
}

impl ClosedIds {
    /// A window of 0 remembers nothing.
    pub fn new(capacity: u32, key: HashKey) -> ClosedIds {
        ClosedIds {
            ring: room(capacity as usize, BLANK),
            oldest: 0,
            capacity: capacity as usize,
            by_client_id: Table::new(capacity),
            key,
            entered: 0,
            sum: 0,
        }
    }

    /// An order has ended. The account has no other with this client id here.
    pub fn enter(&mut self, closed: ClosedId) {
        if self.capacity == 0 {
            return;
        }
        self.sum = self.sum.wrapping_add(mix(self.entered, &closed));
        let hash = self.hash(&closed);
        let place = if self.ring.len() < self.capacity {
            self.ring.push(closed);
            self.ring.len() - 1
        } else {
            self.replace_oldest(closed)
        };
        self.by_client_id.insert(hash, place as u32);
        self.entered += 1;
    }

    fn replace_oldest(&mut self, closed: ClosedId) -> usize {
        let place = self.oldest;
        let forgotten = std::mem::replace(&mut self.ring[place], closed);
        let number = self.entered - self.capacity as u64;
        self.sum = self.sum.wrapping_sub(mix(number, &forgotten));
        self.by_client_id.remove(self.hash(&forgotten), place as u32);
        self.oldest = if place + 1 == self.capacity { 0 } else { place + 1 };
        place
    }

    /// The ended order that the account called so.
    pub fn find(&self, account: u32, cl_ord_id: u64) -> Option<u64> {
        let hash = self.key.hash(u64::from(account), cl_ord_id);
        let place = self.by_client_id.find(hash, |place| {
            let closed = &self.ring[place as usize];
            closed.account == account && closed.cl_ord_id == cl_ord_id
        })?;
        Some(self.ring[place as usize].order_id)
    }

    /// `hash` is that of account and client id under the venue's key.
    pub fn prefetch_name(&self, hash: u32) {
        self.by_client_id.prefetch(hash);
    }

    fn hash(&self, closed: &ClosedId) -> u32 {
        self.key.hash(u64::from(closed.account), closed.cl_ord_id)
    }

    pub fn len(&self) -> u32 {
        self.ring.len() as u32
    }

    pub fn entered(&self) -> u64 {
        self.entered
    }

    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &ClosedId> {
        let (younger, older) = self.ring.split_at(self.oldest);
        older.iter().chain(younger)
    }

    /// An empty window into which so many entered already, in front of its first `enter`.
    pub fn resume_at(&mut self, entered: u64) {
        debug_assert!(self.ring.is_empty());
        self.entered = entered;
    }

    /// What the sum ought to be.
    pub fn recomputed_sum(&self) -> u128 {
        let first = self.entered - u64::from(self.len());
        (first..)
            .zip(self.iter())
            .fold(0, |sum: u128, (number, closed)| sum.wrapping_add(mix(number, closed)))
    }
}

/// Two lanes of odd multipliers from the fractions of the golden ratio and of the square roots of 2 and 3.
const SEEDS: [u64; 2] = [0x6A09_E667_F3BC_C909, 0xBB67_AE85_84CA_A73B];
const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03];

/// Fixed and unkeyed, because every replay must find the same sum. It notices faults; it does not resist a forger.
fn mix(number: u64, closed: &ClosedId) -> u128 {
    let words = [u64::from(closed.account), closed.cl_ord_id, closed.order_id, number];
    let lane = |index: usize| {
        words.iter().fold(SEEDS[index], |mixed, word| {
            let mixed = (mixed ^ word).wrapping_mul(FACTORS[index]);
            mixed ^ (mixed >> 32)
        })
    };
    u128::from(lane(0)) << 64 | u128::from(lane(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn closed(serial: u64) -> ClosedId {
        ClosedId { account: serial as u32 % 3, cl_ord_id: serial, order_id: serial << 24 }
    }

    fn window(capacity: u32) -> ClosedIds {
        ClosedIds::new(capacity, HashKey::new([1, 2]))
    }

    #[test]
    fn the_last_ones_are_found_and_no_others() {
        for capacity in [1, 2, 7, 64] {
            let (mut window, mut model) = (window(capacity), VecDeque::new());
            for serial in 1..500 {
                window.enter(closed(serial));
                model.push_back(closed(serial));
                if model.len() > capacity as usize {
                    let gone = model.pop_front().expect("it is not empty");
                    assert_eq!(window.find(gone.account, gone.cl_ord_id), None);
                }
                assert!(window.iter().eq(&model));
                assert_eq!((window.entered(), window.len() as usize), (serial, model.len()));
                assert_eq!(window.sum(), window.recomputed_sum());
                for known in &model {
                    assert_eq!(window.find(known.account, known.cl_ord_id), Some(known.order_id));
                    assert_eq!(window.find(known.account + 1, known.cl_ord_id), None);
                }
            }
        }
    }

    #[test]
    fn no_window_remembers_nothing() {
        let mut window = window(0);
        window.enter(closed(1));
        assert_eq!((window.len(), window.entered(), window.sum()), (0, 0, 0));
        assert_eq!(window.find(1, 1), None);
    }

    /// Whoever stands where, and behind how many, is part of the sum; how it came to stand in memory is not.
    #[test]
    fn the_sum_is_of_what_is_held() {
        let sum = |entered: u64, serials: &[u64]| {
            let mut window = window(3);
            window.resume_at(entered);
            serials.iter().for_each(|serial| window.enter(closed(*serial)));
            window.sum()
        };
        assert_eq!(sum(0, &[1, 2, 3, 4, 5]), sum(2, &[3, 4, 5]));
        assert_ne!(sum(0, &[1, 2]), sum(0, &[2, 1]));
        assert_ne!(sum(0, &[1, 2]), sum(1, &[1, 2]));
        let base = mix(7, &closed(9));
        for other in [
            mix(8, &closed(9)),
            mix(7, &ClosedId { account: 1, ..closed(9) }),
            mix(7, &ClosedId { cl_ord_id: 1, ..closed(9) }),
            mix(7, &ClosedId { order_id: 1, ..closed(9) }),
        ] {
            let differing = (base ^ other).count_ones();
            assert!((30..98).contains(&differing), "{differing} bits");
        }
    }
}
