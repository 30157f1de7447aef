//! The book of one instrument: a ladder of price levels for each side, and at each level a queue of orders, oldest first.
//! Owns the threads through orders and levels; whose the orders are and what they cost is not its business.

use crate::ladder::{Ladder, Levels};
use crate::order::Orders;
use crate::pool::NONE;
use crate::units::{Side, Ticks};

#[derive(Clone, Copy)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
}

impl Book {
    pub const fn empty() -> Book {
        Book { bids: Ladder::empty(Side::Buy), asks: Ladder::empty(Side::Sell) }
    }

    pub fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Does an order of `side` at `ticks` meet the best price of the other side? An empty side has a price nobody meets.
    pub fn crosses(&self, side: Side, ticks: Ticks) -> bool {
        match side {
            Side::Buy => ticks >= self.asks.best_ticks,
            Side::Sell => ticks <= self.bids.best_ticks,
        }
    }

    /// Do the two sides meet? Only a book that was not matched for a while is like that (rule 10.4).
    pub fn is_crossed(&self) -> bool {
        self.bids.best_ticks >= self.asks.best_ticks
    }

    /// Puts an open order behind all others of its price.
    pub fn rest(&mut self, levels: &mut Levels, orders: &mut Orders, slot: u32) {
        self.enqueue(levels, orders, slot, orders.at(slot).side());
    }

    /// The same on a side that need not be the order's own: where it waits for a trigger.
    pub fn enqueue(&mut self, levels: &mut Levels, orders: &mut Orders, slot: u32, side: Side) {
        let ticks = orders.at(slot).ticks;
        let place = levels.enter(self.side_mut(side), side, ticks);
        let level = levels.at_mut(place);
        let older = std::mem::replace(&mut level.tail, slot);
        if older == NONE {
            level.head = slot;
        } else {
            orders.at_mut(older).younger = slot;
        }
        let order = orders.at_mut(slot);
        (order.level, order.older, order.younger) = (place, older, NONE);
    }

    /// Takes an order out of its queue, and its level out of the ladder when it was the last there.
    pub fn lift(&mut self, levels: &mut Levels, orders: &mut Orders, slot: u32) {
        self.dequeue(levels, orders, slot, orders.at(slot).side());
    }

    /// The same where `enqueue` put it on `side`.
    pub fn dequeue(&mut self, levels: &mut Levels, orders: &mut Orders, slot: u32, side: Side) {
        let order = *orders.at(slot);
        let level = levels.at_mut(order.level);
        if order.older == NONE {
            level.head = order.younger;
        } else {
            orders.at_mut(order.older).younger = order.younger;
        }
        if order.younger == NONE {
            level.tail = order.older;
        } else {
            orders.at_mut(order.younger).older = order.older;
        }
        if level.head == NONE {
            levels.leave(self.side_mut(side), side, order.level);
        }
    }

    /// The slots of one side's orders in priority: best price first, within a price the oldest first.
    pub fn queue<'a>(
        &self,
        levels: &'a Levels,
        orders: &'a Orders,
        side: Side,
    ) -> impl Iterator<Item = u32> + use<'a> {
        levels.walk(self.side(side), side).flat_map(move |(_, level)| {
            let step = |slot: u32| (slot != NONE).then_some(slot);
            std::iter::successors(step(level.head), move |slot| step(orders.at(*slot).younger))
        })
    }
}
