//! The least that a book can cost: one instrument, prices in a known range, ids in a known range. A level for every price
//! in an array, a bitmap of those with orders for each side, queues threaded through a slab, a table from id to slot. Both
//! sides share one code without a branch: a bid's level is counted from the other end. No rule but price and time is kept. `EVENTS` writes 32 bytes for every change, `MARGIN` keeps positions and asks for linear margin.
//! What an engine costs is told as a multiple of this.

use perf::workload::{BID, Header, Record, Tally, op};

const NONE: u32 = u32::MAX;
/// Events are written round and round.
const EVENTS_KEPT: usize = 4_096;
/// Funds of an account, and the money that one lot of `worst` asks for.
const FUNDS: i64 = 1 << 50;
const MARGIN_PER_LOT: i64 = 2_500;

/// A ring of orders, oldest first; the level's own link closes it.
#[derive(Clone, Copy)]
struct Link {
    older: u32,
    younger: u32,
}

#[derive(Clone, Copy)]
struct Node {
    id: u64,
    lots: u32,
    account: u32,
    level: u32,
    side: u32,
}

#[derive(Clone, Copy, Default)]
struct Event {
    id: u64,
    other: u64,
    level: u32,
    lots: u32,
    kind: u32,
    account: u32,
}

const _: () = assert!(size_of::<Event>() == 32);

/// `Event::kind`.
const ACCEPTED: u32 = 0;
const CANCELED: u32 = 1;
const EXECUTED: u32 = 2;
const REFUSED: u32 = 3;

#[derive(Clone, Copy, Default)]
struct Account {
    cash: i64,
    position: i64,
    /// Lots of open orders, bids and asks.
    open: [i64; 2],
}

/// Which keys have orders: bits, words with bits, and words with such words.
struct Occupied {
    bits: Vec<u64>,
    words: Vec<u64>,
    top: u64,
}

impl Occupied {
    fn new(keys: usize) -> Occupied {
        let bits = keys.div_ceil(64);
        assert!(bits <= 64 * 64, "a range of 262,144 prices at most");
        Occupied { bits: vec![0; bits], words: vec![0; bits.div_ceil(64)], top: 0 }
    }

    fn set(&mut self, key: u32) {
        let (word, group) = (key as usize / 64, key as usize / 4_096);
        self.bits[word] |= 1 << (key % 64);
        self.words[group] |= 1 << (word % 64);
        self.top |= 1 << group;
    }

    fn clear(&mut self, key: u32) {
        let (word, group) = (key as usize / 64, key as usize / 4_096);
        self.bits[word] &= !(1 << (key % 64));
        if self.bits[word] == 0 {
            self.words[group] &= !(1 << (word % 64));
            if self.words[group] == 0 {
                self.top &= !(1 << group);
            }
        }
    }

    /// The next key above; `NONE` where there is none.
    fn above(&self, key: u32) -> u32 {
        let (word, group) = (key as usize / 64, key as usize / 4_096);
        let higher = |bits: u64, place: usize| bits & (u64::MAX << 1 << (place % 64));
        let here = higher(self.bits[word], key as usize);
        if here != 0 {
            return word as u32 * 64 + here.trailing_zeros();
        }
        let near = higher(self.words[group], word);
        let word = if near != 0 {
            group * 64 + near.trailing_zeros() as usize
        } else {
            let far = higher(self.top, group);
            if far == 0 {
                return NONE;
            }
            let group = far.trailing_zeros() as usize;
            group * 64 + self.words[group].trailing_zeros() as usize
        };
        word as u32 * 64 + self.bits[word].trailing_zeros()
    }
}

/// One side by keys that grow as prices get worse: asks count up, bids count down.
struct Ladder {
    occupied: Occupied,
    /// `NONE` where no order rests.
    best: u32,
}

pub struct Floor<const EVENTS: bool, const MARGIN: bool> {
    /// The price of level 0.
    base: u32,
    /// A level's key on each side is its index XOR this.
    flips: [u32; 2],
    ladders: [Ladder; 2],
    /// The levels' first, then those of the slots.
    links: Vec<Link>,
    /// How many levels there are, a power of two: the link of slot 0.
    levels: u32,
    nodes: Vec<Node>,
    free: Vec<u32>,
    slots: Vec<u32>,
    events: Box<[Event; EVENTS_KEPT]>,
    told: usize,
    accounts: Vec<Account>,
    pub tally: Tally,
}

/// `inline(always)`: left to itself the compiler called some of them in the largest form, for 10 ns of 22 per command.
impl<const EVENTS: bool, const MARGIN: bool> Floor<EVENTS, MARGIN> {
    pub fn new(header: &Header, orders_max: usize) -> Self {
        let base = header.price_low.get();
        let levels = (header.price_high.get() - base + 1).next_power_of_two();
        let mut links: Vec<Link> = (0..levels).map(|level| Link { older: level, younger: level }).collect();
        links.reserve_exact(orders_max);
        let ladder = || Ladder { occupied: Occupied::new(levels as usize), best: NONE };
        Floor {
            base,
            flips: [levels - 1, 0],
            ladders: [ladder(), ladder()],
            links,
            levels,
            nodes: Vec::with_capacity(orders_max),
            free: Vec::with_capacity(orders_max),
            slots: vec![NONE; header.id_max.get() as usize + 1],
            events: Box::new([Event::default(); EVENTS_KEPT]),
            told: 0,
            accounts: vec![Account { cash: FUNDS, ..Account::default() }; header.accounts.get() as usize],
            tally: Tally::default(),
        }
    }

    pub fn apply(&mut self, record: &Record) {
        match record.op {
            op::NEW | op::IOC => self.enter(record),
            op::CANCEL => self.cancel(record.id.get()),
            _ => self.reprice(record.id.get(), record.price.get() - self.base),
        }
    }

    fn enter(&mut self, record: &Record) {
        let mut taker = Node {
            id: record.id.get(),
            lots: record.quantity.get(),
            account: record.account.get(),
            level: record.price.get() - self.base,
            side: u32::from(record.side),
        };
        if MARGIN && !self.is_admitted(&taker, taker.lots) {
            return self.tell(REFUSED, &taker, 0, taker.lots);
        }
        self.tell(ACCEPTED, &taker, 0, taker.lots);
        self.cross(&mut taker);
        if taker.lots > 0 && record.op == op::NEW {
            let slot = self.place(taker);
            self.slots[taker.id as usize] = slot;
            self.append(slot, taker.side, taker.level);
            self.tally.live += 1;
            self.reserve(&taker, i64::from(taker.lots));
        } else if taker.lots > 0 {
            self.tell(CANCELED, &taker, 0, taker.lots);
        }
    }

    fn cancel(&mut self, id: u64) {
        let slot = self.slots[id as usize];
        let Some(node) = self.nodes.get(slot as usize).copied() else { return };
        self.unlink(slot, node.side, node.level);
        self.reserve(&node, -i64::from(node.lots));
        self.vacate(slot, id);
        self.tell(CANCELED, &node, 0, node.lots);
    }

    /// One that meets nobody keeps its slot and what is reserved for it.
    #[inline(always)]
    fn reprice(&mut self, id: u64, level: u32) {
        let slot = self.slots[id as usize];
        let Some(node) = self.nodes.get(slot as usize).copied() else { return };
        self.unlink(slot, node.side, node.level);
        let mut taker = Node { level, ..node };
        if MARGIN && !self.is_admitted(&taker, 0) {
            self.reserve(&node, -i64::from(node.lots));
            self.vacate(slot, id);
            return self.tell(REFUSED, &taker, 0, taker.lots);
        }
        self.tell(ACCEPTED, &taker, 0, taker.lots);
        self.cross(&mut taker);
        if taker.lots < node.lots {
            self.reserve(&node, i64::from(taker.lots) - i64::from(node.lots));
        }
        if taker.lots == 0 {
            self.vacate(slot, id);
        } else {
            self.nodes[slot as usize] = taker;
            self.append(slot, taker.side, level);
        }
    }

    /// Meets the other side as far as prices cross.
    fn cross(&mut self, taker: &mut Node) {
        let other = (1 - taker.side as usize) & 1;
        let reach = taker.level ^ self.flips[other];
        while taker.lots > 0 && self.ladders[other].best <= reach {
            self.meet(taker, other);
        }
    }

    /// Takes from the best level of a side, oldest first.
    fn meet(&mut self, taker: &mut Node, side: usize) {
        let key = self.ladders[side].best;
        let level = key ^ self.flips[side];
        let mut link = self.links[level as usize].younger;
        while taker.lots > 0 && link != level {
            let slot = link - self.levels;
            let maker = &mut self.nodes[slot as usize];
            let lots = taker.lots.min(maker.lots);
            taker.lots -= lots;
            maker.lots -= lots;
            let maker = *maker;
            self.tally.trade(self.base + level, lots);
            if MARGIN {
                self.exchange(taker, &maker, level, lots);
            }
            self.tell(EXECUTED, taker, maker.id, lots);
            if maker.lots > 0 {
                break;
            }
            self.vacate(slot, maker.id);
            link = self.links[link as usize].younger;
        }
        self.links[level as usize].younger = link;
        self.links[link as usize].older = level;
        if link == level {
            self.leave(side, key);
        }
    }

    /// Lots one way, money the other.
    fn exchange(&mut self, taker: &Node, maker: &Node, level: u32, lots: u32) {
        let lots = i64::from(lots);
        let signed = if taker.side == u32::from(BID) { lots } else { -lots };
        let value = i64::from(self.base + level) * signed;
        let account = &mut self.accounts[taker.account as usize];
        account.position += signed;
        account.cash -= value;
        let account = &mut self.accounts[maker.account as usize];
        account.position -= signed;
        account.cash += value;
        account.open[maker.side as usize & 1] -= lots;
    }

    /// Equity at the price asked for against the worst that open orders can lead to, with so many lots more.
    #[inline(always)]
    fn is_admitted(&self, taker: &Node, more: u32) -> bool {
        let Account { cash, position, open: [bids, asks] } = self.accounts[taker.account as usize];
        let (more, is_bid) = (i64::from(more), taker.side == u32::from(BID));
        // Selected, not indexed: an indexed store would stall the loads behind it.
        let bids = bids + if is_bid { more } else { 0 };
        let asks = asks + if is_bid { 0 } else { more };
        // Not `abs`: with its check for overflow it would branch on a sign that nobody can foretell.
        let worst = (position + bids).unsigned_abs().max((position - asks).unsigned_abs()) as i64;
        let equity = cash + position * i64::from(self.base + taker.level);
        equity >= worst * MARGIN_PER_LOT
    }

    #[inline(always)]
    fn reserve(&mut self, node: &Node, lots: i64) {
        if MARGIN {
            self.accounts[node.account as usize].open[node.side as usize & 1] += lots;
        }
    }

    fn place(&mut self, node: Node) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.nodes[slot as usize] = node;
            return slot;
        }
        self.nodes.push(node);
        self.links.push(Link { older: NONE, younger: NONE });
        self.nodes.len() as u32 - 1
    }

    fn vacate(&mut self, slot: u32, id: u64) {
        self.slots[id as usize] = NONE;
        self.free.push(slot);
        self.tally.live -= 1;
    }

    /// Behind all others of the level.
    #[inline(always)]
    fn append(&mut self, slot: u32, side: u32, level: u32) {
        let link = slot + self.levels;
        let older = std::mem::replace(&mut self.links[level as usize].older, link);
        self.links[older as usize].younger = link;
        self.links[link as usize] = Link { older, younger: level };
        let side = side as usize & 1;
        let (key, ladder) = (level ^ self.flips[side], &mut self.ladders[side]);
        ladder.occupied.set(key);
        ladder.best = ladder.best.min(key);
    }

    #[inline(always)]
    fn unlink(&mut self, slot: u32, side: u32, level: u32) {
        let Link { older, younger } = self.links[(slot + self.levels) as usize];
        self.links[older as usize].younger = younger;
        self.links[younger as usize].older = older;
        if older == younger {
            // Between two ends of the same level stands nobody.
            let side = side as usize & 1;
            self.leave(side, level ^ self.flips[side]);
        }
    }

    /// The last order of a level is gone.
    fn leave(&mut self, side: usize, key: u32) {
        let ladder = &mut self.ladders[side];
        ladder.occupied.clear(key);
        if key == ladder.best {
            ladder.best = ladder.occupied.above(key);
        }
    }

    #[inline(always)]
    fn tell(&mut self, kind: u32, node: &Node, other: u64, lots: u32) {
        if EVENTS {
            let Node { id, level, account, .. } = *node;
            self.events[self.told % EVENTS_KEPT] = Event { id, other, level, lots, kind, account };
            self.told += 1;
        }
    }

    /// How many events were written, and something of the last, so that none is left out.
    pub fn events(&self) -> (usize, u64) {
        let last = self.events[self.told.wrapping_sub(1) % EVENTS_KEPT];
        (self.told, last.id ^ last.other ^ u64::from(last.level ^ last.lots ^ last.kind ^ last.account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf::workload::generate::{Plan, Which};

    fn agrees(which: Which) {
        let workload = Plan { which, commands: 20_000, seed: 9 }.generate();
        let mut bare = Floor::<false, false>::new(&workload.header, 1 << 18);
        let mut told = Floor::<true, false>::new(&workload.header, 1 << 18);
        let mut full = Floor::<true, true>::new(&workload.header, 1 << 18);
        for record in &workload.records {
            bare.apply(record);
            told.apply(record);
            full.apply(record);
        }
        for tally in [bare.tally, told.tally, full.tally] {
            assert_eq!(tally, workload.expected(), "no prefill trades");
        }
        assert_eq!(full.accounts.iter().map(|account| account.position).sum::<i64>(), 0);
        let open: i64 = full.accounts.iter().flat_map(|account| account.open).sum();
        let resting = full.slots.iter().filter(|slot| **slot != NONE);
        assert_eq!(open, resting.map(|slot| i64::from(full.nodes[*slot as usize].lots)).sum::<i64>());
        assert!(told.events().0 >= 20_000 && bare.events().0 == 0);
    }

    #[test]
    fn agrees_with_the_reference() {
        agrees(Which::W1);
        agrees(Which::W2);
        for levels in [1, 100, 1_000] {
            agrees(Which::W3 { levels });
        }
    }

    #[test]
    fn the_bitmap_finds_its_neighbours() {
        let mut occupied = Occupied::new(262_144);
        let set = [0, 63, 64, 4_095, 4_096, 70_000, 262_143];
        set.iter().for_each(|level| occupied.set(*level));
        for pair in set.windows(2) {
            assert_eq!(occupied.above(pair[0]), pair[1]);
        }
        assert_eq!(occupied.above(262_143), NONE);
        occupied.clear(4_096);
        assert_eq!(occupied.above(4_095), 70_000);
    }
}
