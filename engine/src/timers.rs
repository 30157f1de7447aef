//! What is due when: a binary heap of moments, each of one slot, that knows where every slot stands, so that a moment can be
//! taken back. Ordered by time, then by rank: for orders the id, whose upper part is the serial, so that the order of what
//! is due never depends on memory. Knows neither what a slot holds nor what is to be done.

use crate::pool::{NONE, filled, room};

/// When a slot is due, and its rank among those that are due at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub due_ns: u64,
    pub rank: u64,
    pub slot: u32,
}

pub struct Timers {
    heap: Vec<Timer>,
    /// Where each slot stands in the heap; `NONE` where it does not.
    places: Vec<u32>,
}

impl Timers {
    pub fn new(capacity: u32) -> Timers {
        let size = capacity as usize;
        let blank = Timer { due_ns: 0, rank: 0, slot: NONE };
        Timers { heap: room(size, blank), places: filled(size, NONE) }
    }

    /// The timer that is due first.
    pub fn first(&self) -> Option<&Timer> {
        self.heap.first()
    }

    /// The timer that is due first, where it is due by now.
    pub fn first_due(&self, now_ns: u64) -> Option<Timer> {
        self.first().copied().filter(|timer| timer.due_ns <= now_ns)
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the slot is due.
    pub fn of(&self, slot: u32) -> Option<&Timer> {
        self.heap.get(self.places[slot as usize] as usize)
    }

    /// Starts the timer of a slot that has none.
    pub fn start(&mut self, timer: Timer) {
        debug_assert!(self.of(timer.slot).is_none(), "a slot has one timer");
        let place = self.heap.len();
        self.heap.push(timer);
        self.rise(place);
    }

    /// Stops the timer of a slot, where it has one.
    pub fn stop(&mut self, slot: u32) {
        let place = std::mem::replace(&mut self.places[slot as usize], NONE) as usize;
        if place >= self.heap.len() {
            return;
        }
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            let place = self.rise(place);
            self.sink(place);
        }
    }

    /// Moves what stands at `place` up to where nothing above is later; returns where that is.
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.heap[above] <= self.heap[place] {
                break;
            }
            self.swap(above, place);
            place = above;
        }
        self.settle(place);
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let Some(&first) = self.heap.get(left) else { break };
            let right_is_first = self.heap.get(left + 1).is_some_and(|right| *right < first);
            let below = left + usize::from(right_is_first);
            if self.heap[place] <= self.heap[below] {
                break;
            }
            self.swap(place, below);
            place = below;
        }
        self.settle(place);
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.settle(one);
        self.settle(other);
    }

    fn settle(&mut self, place: usize) {
        self.places[self.heap[place].slot as usize] = place as u32;
    }

    /// Whether no timer stands above an earlier one, and each slot knows its place: for tests and `check_invariants`.
    pub fn check(&self) -> Result<(), String> {
        for (place, timer) in self.heap.iter().enumerate() {
            if place > 0 && self.heap[(place - 1) / 2] > *timer {
                return Err(format!("the timer of slot {} stands below a later one", timer.slot));
            }
            if self.places[timer.slot as usize] as usize != place {
                return Err(format!("slot {} does not know its timer", timer.slot));
            }
        }
        let known = self.places.iter().filter(|place| **place != NONE).count();
        if known != self.heap.len() {
            return Err(format!("{known} slots know a timer, there are {}", self.heap.len()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_first_is_the_first_of_a_sorted_set() {
        let mut timers = Timers::new(40);
        let mut model: BTreeSet<Timer> = BTreeSet::new();
        let mut seed = 11_u64;
        let mut draw = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % end
        };
        for rank in 0..20_000 {
            let slot = draw(40) as u32;
            match model.iter().find(|timer| timer.slot == slot).copied() {
                Some(timer) => {
                    timers.stop(slot);
                    model.remove(&timer);
                }
                None => {
                    let timer = Timer { due_ns: draw(9), rank, slot };
                    timers.start(timer);
                    model.insert(timer);
                }
            }
            assert_eq!(timers.first(), model.first());
            timers.check().expect("heap and places agree");
        }
    }
}
