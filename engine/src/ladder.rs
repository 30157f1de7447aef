//! The price levels of one side of one book: a treap over levels that live in an arena shared by all books, threaded in
//! price order. Memory depends on the number of levels, never on the range of prices, and the priorities come from a
//! keyed mix of the price, so nobody can choose prices that make the tree deep. Best level and next level are one step.
//! Knows nothing of orders but the two ends of each level's queue.

use crate::pool::{Arena, NONE};
use crate::table::HashKey;
use crate::units::{Side, Ticks};

/// One price with orders resting at it.
#[derive(Clone, Copy)]
pub struct Level {
    pub ticks: Ticks,
    /// The oldest and the youngest order.
    pub head: u32,
    pub tail: u32,
    /// `children[0]` is better, `children[1]` is worse.
    children: [u32; 2],
    pub better: u32,
    pub worse: u32,
    priority: u32,
}

const _: () = assert!(size_of::<Level>() == 40);

impl Level {
    const BLANK: Level = Level {
        ticks: Ticks(0),
        head: NONE,
        tail: NONE,
        children: [NONE; 2],
        better: NONE,
        worse: NONE,
        priority: 0,
    };
}

/// One side of a book. `best_ticks` of an empty side is a price that nothing crosses and that costs no slippage.
#[derive(Clone, Copy)]
pub struct Ladder {
    pub best_ticks: Ticks,
    root: u32,
    pub best: u32,
}

impl Ladder {
    pub const fn empty(side: Side) -> Ladder {
        Ladder { best_ticks: nothing_at(side), root: NONE, best: NONE }
    }

    pub fn is_empty(&self) -> bool {
        self.best == NONE
    }
}

const fn nothing_at(side: Side) -> Ticks {
    match side {
        Side::Buy => Ticks(0),
        Side::Sell => Ticks(i64::MAX),
    }
}

/// Is `left` a better price than `right` for whoever meets this side?
fn is_better(side: Side, left: Ticks, right: Ticks) -> bool {
    match side {
        Side::Buy => left > right,
        Side::Sell => left < right,
    }
}

/// A place that holds a link: a child of a level, or the root.
type Link = (u32, usize);
const ROOT: Link = (NONE, 0);

/// All levels of the venue.
pub struct Levels {
    arena: Arena<Level>,
    key: HashKey,
}

impl Levels {
    pub fn new(capacity: u32, key: HashKey) -> Levels {
        Levels { arena: Arena::new(capacity, Level::BLANK), key }
    }

    pub fn len(&self) -> u32 {
        self.arena.len()
    }

    pub fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    pub fn at(&self, slot: u32) -> &Level {
        &self.arena[slot]
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Level {
        &mut self.arena[slot]
    }

    /// The level of this price, made when there is none. The caller has seen that a level is free.
    pub fn enter(&mut self, ladder: &mut Ladder, side: Side, ticks: Ticks) -> u32 {
        if ladder.best_ticks == ticks {
            return ladder.best;
        }
        let priority = self.key.hash(side as u64, ticks.0 as u64);
        let (mut better, mut worse) = (NONE, NONE);
        let (mut link, mut place) = (ROOT, None);
        loop {
            let slot = self.follow(ladder, link);
            if slot == NONE {
                break;
            }
            let level = &self.arena[slot];
            if level.ticks == ticks {
                return slot;
            }
            if place.is_none() && level.priority < priority {
                place = Some(link);
            }
            if is_better(side, ticks, level.ticks) {
                worse = slot;
                link = (slot, 0);
            } else {
                better = slot;
                link = (slot, 1);
            }
        }
        let level = Level { ticks, head: NONE, tail: NONE, children: [NONE; 2], better, worse, priority };
        let slot = self.arena.take(level);
        self.thread(ladder, slot);
        self.plant(ladder, side, place.unwrap_or(link), slot);
        slot
    }

    /// Takes an empty level out.
    pub fn leave(&mut self, ladder: &mut Ladder, side: Side, slot: u32) {
        let level = self.arena[slot];
        debug_assert!(level.head == NONE && level.tail == NONE);
        if level.better == NONE {
            ladder.best = level.worse;
            ladder.best_ticks =
                if level.worse == NONE { nothing_at(side) } else { self.arena[level.worse].ticks };
        } else {
            self.arena[level.better].worse = level.worse;
        }
        if level.worse != NONE {
            self.arena[level.worse].better = level.better;
        }
        self.uproot(ladder, side, slot);
        self.arena.release(slot);
    }

    /// Joins a new level to its neighbours in price order.
    fn thread(&mut self, ladder: &mut Ladder, slot: u32) {
        let Level { ticks, better, worse, .. } = self.arena[slot];
        if better == NONE {
            ladder.best = slot;
            ladder.best_ticks = ticks;
        } else {
            self.arena[better].worse = slot;
        }
        if worse != NONE {
            self.arena[worse].better = slot;
        }
    }

    /// Puts a new level at `place`, the first link on its way down whose level has a lower priority, and splits what
    /// hung there by price under it.
    fn plant(&mut self, ladder: &mut Ladder, side: Side, place: Link, slot: u32) {
        let ticks = self.arena[slot].ticks;
        let mut rest = self.follow(ladder, place);
        self.join(ladder, place, slot);
        let mut open = [(slot, 0), (slot, 1)];
        while rest != NONE {
            let to = usize::from(!is_better(side, self.arena[rest].ticks, ticks));
            self.join(ladder, open[to], rest);
            open[to] = (rest, 1 - to);
            rest = self.arena[rest].children[1 - to];
        }
        self.join(ladder, open[0], NONE);
        self.join(ladder, open[1], NONE);
    }

    /// Takes a level out of the tree and merges its two subtrees in its place.
    fn uproot(&mut self, ladder: &mut Ladder, side: Side, slot: u32) {
        let Level { ticks, children: [mut better, mut worse], .. } = self.arena[slot];
        let mut link = ROOT;
        loop {
            let here = self.follow(ladder, link);
            if here == slot {
                break;
            }
            link = (here, usize::from(!is_better(side, ticks, self.arena[here].ticks)));
        }
        while better != NONE && worse != NONE {
            if self.arena[better].priority > self.arena[worse].priority {
                self.join(ladder, link, better);
                link = (better, 1);
                better = self.arena[better].children[1];
            } else {
                self.join(ladder, link, worse);
                link = (worse, 0);
                worse = self.arena[worse].children[0];
            }
        }
        self.join(ladder, link, if better == NONE { worse } else { better });
    }

    fn follow(&self, ladder: &Ladder, (parent, child): Link) -> u32 {
        if parent == NONE { ladder.root } else { self.arena[parent].children[child] }
    }

    fn join(&mut self, ladder: &mut Ladder, (parent, child): Link, slot: u32) {
        if parent == NONE {
            ladder.root = slot;
        } else {
            self.arena[parent].children[child] = slot;
        }
    }

    /// The levels of one side, best first.
    pub fn walk(&self, ladder: &Ladder) -> impl Iterator<Item = &Level> + use<'_> {
        let first = ladder.best;
        std::iter::successors((first != NONE).then(|| self.at(first)), |level| {
            (level.worse != NONE).then(|| self.at(level.worse))
        })
    }

    /// Depth of the tree and whether order, priorities and thread agree: for tests and `check_invariants`.
    pub fn check(&self, ladder: &Ladder, side: Side) -> Result<(), String> {
        let mut count = 0_u32;
        let mut stack = Vec::from([(ladder.root, u32::MAX)]);
        while let Some((slot, above)) = stack.pop() {
            if slot == NONE {
                continue;
            }
            let level = self.at(slot);
            if level.priority > above {
                return Err(format!("level {} stands below a level of lower priority", level.ticks.0));
            }
            count += 1;
            stack.extend(level.children.map(|child| (child, level.priority)));
        }
        let threaded: Vec<Ticks> = self.walk(ladder).map(|level| level.ticks).collect();
        let sorted = threaded.windows(2).all(|pair| is_better(side, pair[0], pair[1]));
        let best = threaded.first().copied().unwrap_or(nothing_at(side));
        if !sorted || threaded.len() as u32 != count || best != ladder.best_ticks {
            return Err("the thread of the levels and their tree differ".to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn random_walk(side: Side) {
        let mut levels = Levels::new(600, HashKey::new([3, 4]));
        let mut ladder = Ladder::empty(side);
        let mut model: BTreeMap<i64, u32> = BTreeMap::new();
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let ticks = (seed >> 33) as i64 % 500 + 1;
            match model.remove(&ticks) {
                Some(slot) => levels.leave(&mut ladder, side, slot),
                None => {
                    let slot = levels.enter(&mut ladder, side, Ticks(ticks));
                    assert_eq!(levels.enter(&mut ladder, side, Ticks(ticks)), slot);
                    model.insert(ticks, slot);
                }
            }
            let mut expected: Vec<i64> = model.keys().copied().collect();
            if side == Side::Buy {
                expected.reverse();
            }
            let walked: Vec<i64> = levels.walk(&ladder).map(|level| level.ticks.0).collect();
            assert_eq!(walked, expected);
            levels.check(&ladder, side).expect("tree and thread agree");
        }
    }

    #[test]
    fn both_sides_agree_with_a_sorted_map() {
        random_walk(Side::Buy);
        random_walk(Side::Sell);
    }
}
