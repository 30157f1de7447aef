//! The public book of one instrument: what everybody may see of the orders that rest, by price and, within a price, by
//! priority. Knows ids that are public and quantities that are shown; whose they are it does not know.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use engine::units::Side;

use super::hash::{book_hash, entry};
use super::message::OrderEntry;

/// The orders of one price, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Level {
    orders: BTreeMap<u64, Shown>,
    pub qty: i64,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    md_order_id: u64,
    qty: i64,
}

impl Level {
    pub fn orders(&self) -> usize {
        self.orders.len()
    }
}

/// An order's place: side, price, priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub side: Side,
    pub px: i64,
    pub priority: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<i128, Level>,
    asks: BTreeMap<i128, Level>,
}

/// Prices so that the best comes first.
fn key(side: Side, px: i64) -> i128 {
    match side {
        Side::Buy => -i128::from(px),
        Side::Sell => i128::from(px),
    }
}

fn px(side: Side, key: i128) -> i64 {
    let px = if side == Side::Buy { -key } else { key };
    i64::try_from(px).expect("it was a price")
}

impl Book {
    fn side(&self, side: Side) -> &BTreeMap<i128, Level> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i128, Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// False where the place is taken.
    pub fn add(&mut self, place: Place, md_order_id: u64, qty: i64) -> bool {
        let level = self.side_mut(place.side).entry(key(place.side, place.px)).or_default();
        match level.orders.entry(place.priority) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(Shown { md_order_id, qty });
                level.qty += qty;
                true
            }
        }
    }

    /// Sets what is shown of an order, 0 taking it away. False where there is none.
    pub fn set(&mut self, place: Place, qty: i64) -> bool {
        let levels = self.side_mut(place.side);
        let Some(level) = levels.get_mut(&key(place.side, place.px)) else { return false };
        let Some(shown) = level.orders.get_mut(&place.priority) else { return false };
        level.qty += qty - shown.qty;
        shown.qty = qty;
        if qty == 0 {
            level.orders.remove(&place.priority);
            if level.orders.is_empty() {
                levels.remove(&key(place.side, place.px));
            }
        }
        true
    }

    pub fn best(&self, side: Side) -> Option<(i64, &Level)> {
        self.levels(side).next()
    }

    pub fn level(&self, side: Side, px: i64) -> Option<&Level> {
        self.side(side).get(&key(side, px))
    }

    /// Does a price of `side` meet the best of the other side?
    pub fn crosses(&self, side: Side, px: i64) -> bool {
        self.best(side.opposite()).is_some_and(|(best, _)| key(side, px) <= key(side, best))
    }

    /// Best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (i64, &Level)> {
        self.side(side).iter().map(move |(key, level)| (px(side, *key), level))
    }

    /// The place of a price from the best on, counted from 1; 0 beyond `max`.
    pub fn depth(&self, side: Side, px: i64, max: usize) -> u16 {
        let better = self.side(side).range(..key(side, px)).take(max).count();
        if better < max { better as u16 + 1 } else { 0 }
    }

    pub fn level_count(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// The orders of one side in the order in which they trade.
    pub fn entries(&self, side: Side) -> Vec<OrderEntry> {
        let levels = self.levels(side);
        let orders = levels.flat_map(|(px, level)| {
            level
                .orders
                .iter()
                .map(move |(priority, shown)| entry(shown.md_order_id, *priority, px, shown.qty))
        });
        orders.collect()
    }

    pub fn hash(&self) -> u64 {
        book_hash(&self.entries(Side::Buy), &self.entries(Side::Sell))
    }
}
