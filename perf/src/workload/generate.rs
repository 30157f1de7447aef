//! W1, W2 and W3: drawn from a seed, played through the reference while they are drawn, so that each command is
//! meant for the book as it stands, and the header says what must come of all of them.

use zerocopy::FromZeros;

use super::reference::Reference;
use super::{ASK, BID, Header, MAGIC, Record, Tally, Workload, op};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// About 1,000 orders on about 750 levels, mostly moved.
    W1,
    /// 100,000 orders on 10,000 levels, posted and canceled.
    W2,
    /// Rounds of 1,000 asks over so many levels and one order that takes all.
    W3 { levels: u32 },
}

impl Which {
    /// What the published figures are measured with.
    pub fn commands(self) -> u64 {
        match self {
            Which::W1 | Which::W2 => 3_000_000,
            Which::W3 { .. } => 1_000 * (W3_ASKS + 1),
        }
    }
}

/// Which workload, how long, and its luck.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub which: Which,
    /// Rounded up to whole rounds in W3.
    pub commands: u64,
    pub seed: u64,
}

impl Plan {
    pub fn generate(&self) -> Workload {
        match self.which {
            Which::W1 => w1(self.commands, self.seed),
            Which::W2 => w2(self.commands, self.seed),
            Which::W3 { levels } => w3(self.commands.div_ceil(W3_ASKS + 1), levels, self.seed),
        }
    }
}

const ACCOUNTS: u32 = 1_000;
/// Where prices lie around.
const MIDDLE: u32 = 50_000;
/// Commands whose kinds are dealt from one shuffled pack: shares are exact in every hundred.
const PACK: usize = 100;

const W1_LIVE: u64 = 1_000;
/// Ticks to either side of the middle: 1,000 uniform draws from 2 x 820 prices hit 750 of them.
const W1_REACH: u32 = 820;
/// How far the middle itself may wander, and how seldom it takes a step.
const W1_DRIFT: u32 = 400;
const W1_STEP_EVERY: u64 = 64;
const W1_LOTS: u32 = 200;
const W1_IOC_LOTS: u32 = 3;
/// How seldom one with more lots than the best order has is let through.
const W1_SWEEP_EVERY: u64 = 8;

const W2_LIVE: u64 = 100_000;
const W2_REACH: u32 = 5_000;
/// Half of what W2 posts stands this near to the middle.
const W2_NEAR: u32 = 100;
const W2_LOTS: u32 = 1_000;
const W2_IOC_LOTS: u32 = 4;
/// Orders that count as recent, and how many of a hundred cancels mean one of them.
const W2_RECENT: usize = 1_000;
const W2_RECENT_PERCENT: u64 = 70;

const W3_ASKS: u64 = 1_000;
const W3_LOTS: u32 = 100;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 1 to `most`.
    fn upto(&mut self, most: u32) -> u32 {
        1 + self.below(u64::from(most)) as u32
    }

    fn side(&mut self) -> u8 {
        self.below(2) as u8
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

/// Kinds of commands in fixed shares and random order.
struct Deck {
    pack: [u8; PACK],
    next: usize,
}

impl Deck {
    fn new(shares: [usize; 4]) -> Deck {
        let mut pack = [op::NEW; PACK];
        let kinds = (0..).zip(shares).flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
        pack.iter_mut().zip(kinds).for_each(|(place, kind)| *place = kind);
        Deck { pack, next: PACK }
    }

    fn deal(&mut self, draw: &mut Draw) -> u8 {
        if self.next == PACK {
            draw.shuffle(&mut self.pack);
            self.next = 0;
        }
        self.next += 1;
        self.pack[self.next - 1]
    }
}

/// A workload in the making.
struct Scene {
    draw: Draw,
    book: Reference,
    records: Vec<Record>,
    /// By id, from 1; `owners[0]` is nobody.
    owners: Vec<u32>,
    /// All that rest, and some that rest no more.
    live: Vec<u64>,
    middle: u32,
    before: Tally,
    prefill: u64,
}

impl Scene {
    fn new(seed: u64, records: u64) -> Scene {
        Scene {
            draw: Draw(seed),
            book: Reference::new(1, records + 1),
            records: Vec::with_capacity(records as usize),
            owners: vec![0],
            live: Vec::new(),
            middle: MIDDLE,
            before: Tally::default(),
            prefill: 0,
        }
    }

    fn record(&mut self, op: u8, side: u8, id: u64, price: u32, quantity: u32) {
        let mut record = Record::new_zeroed();
        (record.op, record.side, record.id) = (op, side, id.into());
        record.account = self.owners[id as usize].into();
        (record.price, record.quantity) = (price.into(), quantity.into());
        if let Some((_, price, lots)) = self.book.resting(id) {
            (record.hint_price, record.hint_quantity) = (price.into(), lots.into());
        }
        self.book.apply(&record);
        self.records.push(record);
    }

    fn enter(&mut self, op: u8, side: u8, price: u32, lots: u32) -> u64 {
        let id = self.owners.len() as u64;
        self.owners.push(self.draw.below(u64::from(ACCOUNTS)) as u32);
        self.record(op, side, id, price, lots);
        id
    }

    fn post(&mut self, side: u8, price: u32, lots: u32) -> u64 {
        let id = self.enter(op::NEW, side, price, lots);
        self.live.push(id);
        id
    }

    fn cancel(&mut self, id: u64) {
        let (side, price, lots) = self.book.resting(id).expect("the order rests");
        self.record(op::CANCEL, side, id, price, lots);
    }

    /// One of those that rest.
    fn anybody(&mut self) -> u64 {
        loop {
            let index = self.draw.below(self.live.len() as u64) as usize;
            let id = self.live[index];
            if self.book.resting(id).is_some() {
                return id;
            }
            self.live.swap_remove(index);
        }
    }

    /// A price so far from the middle, held back from meeting the other side.
    fn passive(&self, side: u8, away: u32) -> u32 {
        match side {
            BID => (self.middle - away).min(self.book.best_ask().map_or(u32::MAX, |ask| ask - 1)),
            _ => (self.middle + away).max(self.book.best_bid().map_or(0, |bid| bid + 1)),
        }
    }

    /// A price that meets the best of the other side.
    fn aggressive(&self, side: u8) -> Option<u32> {
        if side == BID { self.book.best_ask() } else { self.book.best_bid() }
    }

    /// A few lots at the best price, but not the last lot there, so that it is the resting orders who decide how many
    /// they are.
    fn nibble(&mut self, most: u32) {
        let mut side = self.draw.side();
        if self.aggressive(side).is_none() {
            side = 1 - side;
        }
        let price = self.aggressive(side).expect("one side has orders");
        let room = self.book.best_lots(side).expect("one side has orders") - 1;
        let lots = self.draw.upto(most).min(room.max(1));
        self.enter(op::IOC, side, price, lots);
    }

    fn end_prefill(&mut self) {
        self.prefill = self.records.len() as u64;
        self.before = self.book.tally;
    }

    fn finish(self, kind: u64) -> Workload {
        let entered = self.records.iter().filter(|record| record.op != op::CANCEL);
        let prices = entered.map(|record| record.price.get());
        let tally = self.book.tally.since(&self.before);
        let header = Header {
            magic: MAGIC.into(),
            prefill: self.prefill.into(),
            commands: (self.records.len() as u64 - self.prefill).into(),
            id_max: (self.owners.len() as u64 - 1).into(),
            price_low: prices.clone().min().unwrap_or(MIDDLE).into(),
            price_high: prices.max().unwrap_or(MIDDLE).into(),
            accounts: ACCOUNTS.into(),
            symbols: 1.into(),
            trades: tally.trades.into(),
            volume: tally.volume.into(),
            notional: tally.notional.into(),
            live: tally.live.into(),
            kind: kind.into(),
            reserved: [0; 48],
        };
        Workload { header, records: self.records }
    }
}

/// 9 % new, 3 % IOC, 6 % cancel, 82 % move. What the cancels leave over is taken away by moves that meet the best price,
/// whenever there are more orders than there should be: about 3 % of commands, and the IOC orders make it 6 %.
fn w1(commands: u64, seed: u64) -> Workload {
    let mut scene = Scene::new(seed, W1_LIVE + commands);
    for index in 0..W1_LIVE {
        let (away, lots) = (scene.draw.upto(W1_REACH), scene.draw.upto(W1_LOTS));
        let side = (index % 2) as u8;
        scene.post(side, scene.passive(side, away), lots);
    }
    scene.end_prefill();
    let mut deck = Deck::new([9, 3, 6, 82]);
    for _ in 0..commands {
        if scene.draw.below(W1_STEP_EVERY) == 0 {
            let step = scene.middle + 2 * scene.draw.below(2) as u32 - 1;
            scene.middle = step.clamp(MIDDLE - W1_DRIFT, MIDDLE + W1_DRIFT);
        }
        match deck.deal(&mut scene.draw) {
            op::NEW => {
                let (side, away) = (scene.draw.side(), scene.draw.upto(W1_REACH));
                let lots = scene.draw.upto(W1_LOTS);
                scene.post(side, scene.passive(side, away), lots);
            }
            op::IOC => scene.nibble(W1_IOC_LOTS),
            op::CANCEL => {
                let id = scene.anybody();
                scene.cancel(id);
            }
            _ => reprice(&mut scene),
        }
    }
    scene.finish(1)
}

fn reprice(scene: &mut Scene) {
    let id = scene.anybody();
    let (side, old, lots) = scene.book.resting(id).expect("the order rests");
    let away = scene.draw.upto(W1_REACH);
    let crowded = scene.book.tally.live > W1_LIVE;
    // Mostly those who leave one order less, so that many may.
    let fits = scene.book.best_lots(side).is_some_and(|best| lots < best);
    let meets = crowded && (fits || scene.draw.below(W1_SWEEP_EVERY) == 0);
    let price = scene.aggressive(side).filter(|_| meets).unwrap_or(scene.passive(side, away));
    let farther = if side == BID { old - 1 } else { old + 1 };
    scene.record(op::MOVE, side, id, if price == old { farther } else { price }, lots);
}

/// 45 % new, 10 % IOC, 45 % cancel.
fn w2(commands: u64, seed: u64) -> Workload {
    let mut scene = Scene::new(seed, W2_LIVE + commands);
    let mut aways: Vec<u32> =
        (0..W2_LIVE).map(|index| 1 + (index / 2 % u64::from(W2_REACH)) as u32).collect();
    let mut sides: Vec<u8> = (0..W2_LIVE).map(|index| (index % 2) as u8).collect();
    let mut order: Vec<usize> = (0..aways.len()).collect();
    scene.draw.shuffle(&mut order);
    aways = order.iter().map(|index| aways[*index]).collect();
    sides = order.iter().map(|index| sides[*index]).collect();
    for (side, away) in sides.into_iter().zip(aways) {
        let lots = scene.draw.upto(W2_LOTS);
        scene.post(side, scene.passive(side, away), lots);
    }
    scene.end_prefill();
    let mut recent = vec![0; W2_RECENT];
    let mut deck = Deck::new([45, 10, 45, 0]);
    for index in 0..commands as usize {
        match deck.deal(&mut scene.draw) {
            op::NEW => {
                let reach = if scene.draw.below(2) == 0 { W2_NEAR } else { W2_REACH };
                let (side, away, lots) =
                    (scene.draw.side(), scene.draw.upto(reach), scene.draw.upto(W2_LOTS));
                recent[index % W2_RECENT] = scene.post(side, scene.passive(side, away), lots);
            }
            op::IOC => scene.nibble(W2_IOC_LOTS),
            _ => {
                let id =
                    if scene.draw.below(100) < W2_RECENT_PERCENT { newcomer(&mut scene, &recent) } else { 0 };
                let id = if id == 0 { scene.anybody() } else { id };
                scene.cancel(id);
            }
        }
    }
    scene.finish(2)
}

/// One of the recent orders that still rests; 0 when some tries found none.
fn newcomer(scene: &mut Scene, recent: &[u64]) -> u64 {
    let tries = (0..16).map(|_| recent[scene.draw.below(recent.len() as u64) as usize]);
    let tries: Vec<u64> = tries.collect();
    tries.into_iter().find(|id| scene.book.resting(*id).is_some()).unwrap_or(0)
}

fn w3(rounds: u64, levels: u32, seed: u64) -> Workload {
    let mut scene = Scene::new(seed, rounds * (W3_ASKS + 1));
    let mut prices: Vec<u32> = (0..W3_ASKS as u32).map(|index| MIDDLE + index % levels).collect();
    for _ in 0..rounds {
        scene.draw.shuffle(&mut prices);
        let mut sum = 0;
        for price in &prices {
            let lots = scene.draw.upto(W3_LOTS);
            sum += lots;
            scene.enter(op::NEW, ASK, *price, lots);
        }
        scene.enter(op::IOC, BID, MIDDLE + levels - 1, sum);
    }
    scene.finish(3)
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    fn shape(which: Which, commands: u64) -> Shape {
        let workload = Plan { which, commands, seed: 7 }.generate();
        let shape = Shape::of(&workload);
        assert_eq!(shape.tally, workload.expected());
        shape
    }

    fn near(figure: f64, wanted: f64, share: f64) {
        assert!((figure - wanted).abs() <= wanted * share, "{figure}, not about {wanted}");
    }

    #[test]
    fn w1_has_its_shape() {
        let shape = shape(Which::W1, 200_000);
        assert_eq!(shape.ops, [18_000, 6_000, 12_000, 164_000]);
        near(shape.live_mean, 1_000.0, 0.01);
        near(shape.levels_mean, 750.0, 0.01);
        near(shape.trading as f64 / shape.commands as f64, 0.06, 0.05);
    }

    #[test]
    fn w2_has_its_shape() {
        let shape = shape(Which::W2, 200_000);
        assert_eq!(shape.ops, [90_000, 20_000, 90_000, 0]);
        near(shape.live_mean, 100_000.0, 0.01);
        near(shape.levels_mean, 10_000.0, 0.01);
        assert_eq!(shape.trading, 20_000);
    }

    #[test]
    fn w3_takes_all() {
        for levels in [1, 100, 1_000] {
            let shape = shape(Which::W3 { levels }, 5_000);
            assert_eq!((shape.ops, shape.trading), ([5_000, 5, 0, 0], 5));
            assert_eq!((shape.tally.trades, shape.tally.live), (5_000, 0));
        }
    }

    #[test]
    fn a_seed_says_it_all() {
        let plan = Plan { which: Which::W1, commands: 5_000, seed: 3 };
        assert_eq!(plan.generate(), plan.generate());
        assert_ne!(plan.generate(), Plan { seed: 4, ..plan }.generate());
    }
}
