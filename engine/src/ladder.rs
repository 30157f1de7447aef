//! The price levels of one side of one book, in pages of 16 neighbouring ticks that live in an arena shared by all books.
//!
//! A page is one entry of a keyed table (ladder, ticks / 16), so a price is found with one probe however many there are; its
//! 16 levels are two slots each, and a bitmap says which are taken, so the next level is a bit away. Pages of a ladder are
//! threaded in price order, and stand in a treap that only a new page descends. Memory depends on the number of
//! levels, never on the range of prices, and neither the table nor the treap can be made deep by a choice of prices: both are
//! keyed. Knows nothing of orders but the two ends of each level's queue.
//!
//! ```text
//! page 160   16 x (head u32 | tail u32) | base i64 | ladder u32 | taken u32 | children 2 x u32 | better u32 | worse u32
//! ```
//!
//! What an operation touches: the best price, nothing but the ladder; a price that has orders, the table entry and two lines of its page;
//! a level that goes, the same, and the next page when it was the last of its page.

use crate::limits::PRICE_TICKS_MAX;
use crate::pool::{Arena, NONE};
use crate::prefetch;
use crate::table::{HashKey, Table};
use crate::units::{Side, Ticks};

/// Ticks of one page.
const SPAN: u32 = 16;
const SPAN_BITS: u32 = SPAN.trailing_zeros();

/// The oldest and the youngest order of one price; `NONE` twice where there is none.
#[derive(Clone, Copy)]
pub struct Level {
    pub head: u32,
    pub tail: u32,
}

const EMPTY: Level = Level { head: NONE, tail: NONE };

/// Aligned so that neither a level nor what stands behind the levels lies across two lines.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Page {
    levels: [Level; SPAN as usize],
    /// Its lowest price is `base << SPAN_BITS`.
    base: i64,
    ladder: u32,
    /// Bit by bit, the levels that have orders.
    taken: u32,
    /// `children[0]` is better, `children[1]` is worse.
    children: [u32; 2],
    better: u32,
    worse: u32,
}

const _: () = assert!(size_of::<Page>() == 160);

impl Page {
    const BLANK: Page = Page::new(0, 0);

    const fn new(ladder: u32, base: i64) -> Page {
        Page {
            levels: [EMPTY; SPAN as usize],
            base,
            ladder,
            taken: 0,
            children: [NONE; 2],
            better: NONE,
            worse: NONE,
        }
    }

    /// The best of its levels.
    fn best(&self, side: Side) -> u32 {
        debug_assert!(self.taken != 0);
        match side {
            Side::Buy => self.taken.ilog2(),
            Side::Sell => self.taken.trailing_zeros(),
        }
    }

    /// The best of its levels that are worse than the one at `index`.
    fn next(&self, side: Side, index: u32) -> Option<u32> {
        let rest = match side {
            Side::Buy => self.taken & ((1 << index) - 1),
            Side::Sell => self.taken & !((2 << index) - 1),
        };
        match side {
            _ if rest == 0 => None,
            Side::Buy => Some(rest.ilog2()),
            Side::Sell => Some(rest.trailing_zeros()),
        }
    }

    fn ticks(&self, index: u32) -> Ticks {
        Ticks(self.base << SPAN_BITS | i64::from(index))
    }
}

/// One side of a book. `best_ticks` of an empty side is a price that nothing crosses and that costs no slippage.
#[derive(Clone, Copy)]
pub struct Ladder {
    pub best_ticks: Ticks,
    /// The level of the best price.
    pub best: u32,
    root: u32,
    /// Its name in the table of pages, from its first level on; 0 before.
    id: u32,
}

impl Ladder {
    pub const fn empty(side: Side) -> Ladder {
        Ladder { best_ticks: nothing_at(side), best: NONE, root: NONE, id: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.best == NONE
    }
}

/// Beyond every price, negative ones of combos included, and so near that no difference of it to one overflows.
const NOWHERE: i64 = i64::MAX / 2;
const _: () = assert!(NOWHERE > (1 << 12) * PRICE_TICKS_MAX);

const fn nothing_at(side: Side) -> Ticks {
    match side {
        Side::Buy => Ticks(-NOWHERE),
        Side::Sell => Ticks(NOWHERE),
    }
}

/// Is `left` a better price, or page, than `right` for whoever meets this side?
fn is_better(side: Side, left: i64, right: i64) -> bool {
    match side {
        Side::Buy => left > right,
        Side::Sell => left < right,
    }
}

/// A place that holds a link: a child of a page, or the root.
type Link = (u32, usize);
const ROOT: Link = (NONE, 0);

/// All levels of the venue. A level's slot is `page << 4 | index`.
pub struct Levels {
    pages: Arena<Page>,
    table: Table,
    /// Levels that nobody may take: each armed order has one to itself, and most that share a trigger price do not use it yet.
    pub kept_back: u32,
    key: HashKey,
    taken: u32,
    capacity: u32,
    ladders: u32,
}

fn split(slot: u32) -> (u32, u32) {
    (slot >> SPAN_BITS, slot & (SPAN - 1))
}

fn join(page: u32, index: u32) -> u32 {
    page << SPAN_BITS | index
}

impl Levels {
    /// Each level may need a page of its own.
    pub fn new(capacity: u32, key: HashKey) -> Levels {
        Levels {
            pages: Arena::new(capacity, Page::BLANK),
            table: Table::new(capacity),
            key,
            taken: 0,
            capacity,
            ladders: 0,
            kept_back: 0,
        }
    }

    pub fn len(&self) -> u32 {
        self.taken
    }

    pub fn is_full(&self) -> bool {
        self.capacity - self.taken <= self.kept_back
    }

    pub fn at(&self, slot: u32) -> &Level {
        let (page, index) = split(slot);
        &self.pages[page].levels[index as usize]
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Level {
        let (page, index) = split(slot);
        &mut self.pages[page].levels[index as usize]
    }

    /// The price of a level.
    pub fn ticks(&self, slot: u32) -> Ticks {
        let (page, index) = split(slot);
        self.pages[page].ticks(index)
    }

    pub fn find_at(&self, slot: u32) -> Option<&Level> {
        let (page, index) = split(slot);
        self.pages.find(page).map(|page| &page.levels[index as usize])
    }

    /// A level, and what stands behind the levels of its page.
    pub fn prefetch(&self, slot: u32) {
        let (page, index) = split(slot);
        if let Some(page) = self.pages.find(page) {
            prefetch::lines_of(&page.levels[index as usize]);
            prefetch::lines_of(&page.base);
        }
    }

    /// The entry of the page of a price, and the price's place in the page.
    pub fn prefetch_entry(&self, ladder: &Ladder, ticks: Ticks) -> (u32, u32) {
        let hash = self.hash(ladder.id, ticks.0 >> SPAN_BITS);
        self.table.prefetch(hash);
        (hash, ticks.0 as u32 & (SPAN - 1))
    }

    /// The level that an entry leads to.
    pub fn glance(&self, hash: u32, index: u32) -> Option<u32> {
        let page = self.table.glance(hash)?;
        let slot = join(page, index);
        self.prefetch(slot);
        Some(slot)
    }

    /// The next worse level, `NONE` behind the last.
    pub fn worse(&self, side: Side, slot: u32) -> u32 {
        let (page, index) = split(slot);
        let here = &self.pages[page];
        match here.next(side, index) {
            Some(next) => join(page, next),
            None if here.worse == NONE => NONE,
            None => join(here.worse, self.pages[here.worse].best(side)),
        }
    }

    /// The next better level, `NONE` before the first.
    pub fn better(&self, side: Side, slot: u32) -> u32 {
        let (page, index) = split(slot);
        let here = &self.pages[page];
        match here.next(side.opposite(), index) {
            Some(next) => join(page, next),
            None if here.better == NONE => NONE,
            None => join(here.better, self.pages[here.better].best(side.opposite())),
        }
    }

    /// The level of this price, made when there is none. The caller has seen that a level is free.
    pub fn enter(&mut self, ladder: &mut Ladder, side: Side, ticks: Ticks) -> u32 {
        if ladder.best_ticks == ticks {
            return ladder.best;
        }
        let (base, index) = (ticks.0 >> SPAN_BITS, ticks.0 as u32 & (SPAN - 1));
        let page = match self.find(ladder, base) {
            Some(page) => page,
            None => self.add_page(ladder, side, base),
        };
        let (slot, bit) = (join(page, index), 1 << index);
        let here = &mut self.pages[page];
        if here.taken & bit == 0 {
            here.taken |= bit;
            self.taken += 1;
            if ladder.best == NONE || is_better(side, ticks.0, ladder.best_ticks.0) {
                (ladder.best, ladder.best_ticks) = (slot, ticks);
            }
        }
        slot
    }

    /// Takes an empty level out.
    pub fn leave(&mut self, ladder: &mut Ladder, side: Side, slot: u32) {
        let (page, index) = split(slot);
        if slot == ladder.best {
            ladder.best = self.worse(side, slot);
            ladder.best_ticks = if ladder.best == NONE { nothing_at(side) } else { self.ticks(ladder.best) };
        }
        let here = &mut self.pages[page];
        here.levels[index as usize] = EMPTY;
        here.taken &= !(1 << index);
        self.taken -= 1;
        if here.taken == 0 {
            self.remove_page(ladder, side, page);
        }
    }

    fn hash(&self, ladder: u32, base: i64) -> u32 {
        self.key.hash(u64::from(ladder), base as u64)
    }

    fn find(&self, ladder: &Ladder, base: i64) -> Option<u32> {
        let best = ladder.best >> SPAN_BITS;
        if ladder.best != NONE && self.pages[best].base == base {
            return Some(best);
        }
        self.table.find(self.hash(ladder.id, base), |page| {
            let page = &self.pages[page];
            page.base == base && page.ladder == ladder.id
        })
    }

    /// Places a page that is not there.
    fn add_page(&mut self, ladder: &mut Ladder, side: Side, base: i64) -> u32 {
        if ladder.id == 0 {
            self.ladders += 1;
            ladder.id = self.ladders;
        }
        let hash = self.hash(ladder.id, base);
        let (mut better, mut worse) = (NONE, NONE);
        let (mut link, mut place) = (ROOT, None);
        loop {
            let here = self.follow(ladder, link);
            if here == NONE {
                break;
            }
            if place.is_none() && self.priority(here) < hash {
                place = Some(link);
            }
            if is_better(side, base, self.pages[here].base) {
                worse = here;
                link = (here, 0);
            } else {
                better = here;
                link = (here, 1);
            }
        }
        let page = self.pages.take(Page { better, worse, ..Page::new(ladder.id, base) });
        self.table.insert(hash, page);
        if better != NONE {
            self.pages[better].worse = page;
        }
        if worse != NONE {
            self.pages[worse].better = page;
        }
        self.plant(ladder, side, place.unwrap_or(link), page);
        page
    }

    fn remove_page(&mut self, ladder: &mut Ladder, side: Side, page: u32) {
        let Page { base, better, worse, .. } = self.pages[page];
        if better != NONE {
            self.pages[better].worse = worse;
        }
        if worse != NONE {
            self.pages[worse].better = better;
        }
        self.uproot(ladder, side, page);
        self.table.remove(self.hash(ladder.id, base), page);
        self.pages.release(page);
    }

    /// A page's rank in the treap: its hash, which nobody can choose.
    fn priority(&self, page: u32) -> u32 {
        let Page { ladder, base, .. } = self.pages[page];
        self.hash(ladder, base)
    }

    /// Puts a new page at `place`, the first link on its way down whose page has a lower priority, and splits what
    /// hung there by price under it.
    fn plant(&mut self, ladder: &mut Ladder, side: Side, place: Link, page: u32) {
        let base = self.pages[page].base;
        let mut rest = self.follow(ladder, place);
        self.hang(ladder, place, page);
        let mut open = [(page, 0), (page, 1)];
        while rest != NONE {
            let to = usize::from(!is_better(side, self.pages[rest].base, base));
            self.hang(ladder, open[to], rest);
            open[to] = (rest, 1 - to);
            rest = self.pages[rest].children[1 - to];
        }
        self.hang(ladder, open[0], NONE);
        self.hang(ladder, open[1], NONE);
    }

    /// Takes a page out of the tree and merges its two subtrees in its place.
    fn uproot(&mut self, ladder: &mut Ladder, side: Side, page: u32) {
        let Page { base, children: [mut better, mut worse], .. } = self.pages[page];
        let mut link = ROOT;
        loop {
            let here = self.follow(ladder, link);
            if here == page {
                break;
            }
            link = (here, usize::from(!is_better(side, base, self.pages[here].base)));
        }
        while better != NONE && worse != NONE {
            if self.priority(better) > self.priority(worse) {
                self.hang(ladder, link, better);
                link = (better, 1);
                better = self.pages[better].children[1];
            } else {
                self.hang(ladder, link, worse);
                link = (worse, 0);
                worse = self.pages[worse].children[0];
            }
        }
        self.hang(ladder, link, if better == NONE { worse } else { better });
    }

    fn follow(&self, ladder: &Ladder, (parent, child): Link) -> u32 {
        if parent == NONE { ladder.root } else { self.pages[parent].children[child] }
    }

    fn hang(&mut self, ladder: &mut Ladder, (parent, child): Link, page: u32) {
        if parent == NONE {
            ladder.root = page;
        } else {
            self.pages[parent].children[child] = page;
        }
    }

    /// The levels of one side with their prices, best first.
    pub fn walk(&self, ladder: &Ladder, side: Side) -> impl Iterator<Item = (Ticks, &Level)> + use<'_> {
        let step = |slot: u32| (slot != NONE).then_some(slot);
        std::iter::successors(step(ladder.best), move |slot| step(self.worse(side, *slot)))
            .map(|slot| (self.ticks(slot), self.at(slot)))
    }

    /// Do tree, thread, table, bitmaps and the best price agree? For tests and `check_invariants`.
    pub fn check(&self, ladder: &Ladder, side: Side) -> Result<(), String> {
        let mut pages = 0_usize;
        let mut taken = 0_usize;
        let mut stack = Vec::from([(ladder.root, u32::MAX)]);
        while let Some((slot, above)) = stack.pop() {
            if slot == NONE {
                continue;
            }
            let (page, priority) = (&self.pages[slot], self.priority(slot));
            if priority > above {
                return Err(format!("page {} stands below a page of lower priority", page.base));
            }
            if self.find(ladder, page.base) != Some(slot) || page.taken == 0 {
                return Err(format!("page {} is empty or not in the table", page.base));
            }
            for index in 0..SPAN {
                let level = &page.levels[index as usize];
                if (page.taken >> index & 1 == 0) != (level.head == NONE) {
                    return Err(format!("the bitmap of page {} is not that of its levels", page.base));
                }
            }
            pages += 1;
            taken += page.taken.count_ones() as usize;
            stack.extend(page.children.map(|child| (child, priority)));
        }
        let walked: Vec<Ticks> = self.walk(ladder, side).map(|(ticks, _)| ticks).collect();
        let sorted = walked.windows(2).all(|pair| is_better(side, pair[0].0, pair[1].0));
        let best = walked.first().copied().unwrap_or(nothing_at(side));
        if !sorted || walked.len() != taken || best != ladder.best_ticks || (pages == 0) != (taken == 0) {
            return Err("the thread of the pages and their tree differ".to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn random_walk(side: Side, spread: i64) {
        let mut levels = Levels::new(600, HashKey::new([3, 4]));
        let mut ladder = Ladder::empty(side);
        let mut model: BTreeMap<i64, u32> = BTreeMap::new();
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let ticks = ((seed >> 33) as i64 % 500 - 250) * spread;
            match model.remove(&ticks) {
                Some(slot) => levels.leave(&mut ladder, side, slot),
                None => {
                    let slot = levels.enter(&mut ladder, side, Ticks(ticks));
                    levels.at_mut(slot).head = 1;
                    assert_eq!(levels.enter(&mut ladder, side, Ticks(ticks)), slot);
                    model.insert(ticks, slot);
                }
            }
            let mut expected: Vec<i64> = model.keys().copied().collect();
            if side == Side::Buy {
                expected.reverse();
            }
            let walked: Vec<i64> = levels.walk(&ladder, side).map(|(ticks, _)| ticks.0).collect();
            assert_eq!(walked, expected);
            let back = std::iter::successors(Some(ladder.best), |slot| {
                Some(levels.worse(side, *slot)).filter(|slot| *slot != NONE)
            });
            let better = back.map(|slot| levels.better(side, slot)).filter(|slot| *slot != NONE);
            let better: Vec<i64> = better.map(|slot| levels.ticks(slot).0).collect();
            assert_eq!(better, expected[..expected.len().saturating_sub(1)]);
            levels.check(&ladder, side).expect("tree, thread and table agree");
            assert_eq!(levels.len() as usize, model.len());
        }
    }

    #[test]
    fn both_sides_agree_with_a_sorted_map() {
        for spread in [1, 7, 1_000_003] {
            random_walk(Side::Buy, spread);
            random_walk(Side::Sell, spread);
        }
    }
}
