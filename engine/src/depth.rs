//! What a taker would find on the other side, without taking it: for orders that are filled whole or not at all (rule 4.14)
//! and for the margin of orders without a price (4.18). Reads the book in priority order and changes nothing.

use crate::instrument::Instrument;
use crate::limits::WALK_ORDERS_MAX;
use crate::pool::NONE;
use crate::self_trade::{Stp, StpMode};
use crate::units::{Lots, Side, Ticks};
use crate::venue::Venue;

/// A walk that is to be taken.
#[derive(Clone, Copy)]
pub struct Walk {
    pub account: u32,
    pub stp: Stp,
    pub side: Side,
    /// The price beyond which nothing is met.
    pub ticks: Ticks,
    pub lots: Lots,
}

/// What counts of the orders that a walk meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// Hidden lots too, until an own order is met.
    UntilOwn,
    /// Hidden lots too; own orders are stepped over.
    PastOwn,
    /// What is shown; own orders are stepped over.
    Shown,
}

/// How far a walk came.
struct Depth {
    /// At most what was asked for.
    lots: Lots,
    /// The price of the last order that gave something.
    last: Option<Ticks>,
    /// Orders that may still be looked at.
    looks: u32,
}

impl Venue {
    /// Rule 4.14: is there enough?
    pub fn is_fillable(&self, instrument: &Instrument, walk: Walk) -> bool {
        let steps_over = walk.stp.mode == StpMode::CancelMaker;
        let counting = if steps_over { Counting::PastOwn } else { Counting::UntilOwn };
        self.walk(instrument, walk, counting).lots == walk.lots
    }

    /// Rule 4.18: the worst price that a market order would reach if nothing were hidden, the mark where that is worse.
    pub fn worst_price(&self, instrument: &Instrument, walk: Walk) -> Ticks {
        let mark = instrument.mark;
        let depth = self.walk(instrument, walk, Counting::Shown);
        let is_cut_short = depth.looks == 0 && depth.lots < walk.lots;
        let last = if is_cut_short { walk.ticks } else { depth.last.unwrap_or(mark) };
        match walk.side {
            Side::Buy => last.max(mark),
            Side::Sell => last.min(mark),
        }
    }

    fn walk(&self, instrument: &Instrument, walk: Walk, counting: Counting) -> Depth {
        let mut depth = Depth { lots: Lots::ZERO, last: None, looks: WALK_ORDERS_MAX };
        let other = walk.side.opposite();
        for (ticks, level) in self.levels.walk(instrument.book.side(other), other) {
            if depth.lots == walk.lots || depth.looks == 0 || walk.side.is_beyond(ticks, walk.ticks) {
                break;
            }
            let wanted = Walk { lots: walk.lots - depth.lots, ..walk };
            let (found, ends) = self.walk_queue(level.head, wanted, counting, &mut depth.looks);
            if found > Lots::ZERO {
                depth.lots += found;
                depth.last = Some(ticks);
            }
            if ends {
                break;
            }
        }
        depth
    }

    /// What one price gives, and whether the walk ends there. Rule 8.12: what is hidden comes behind all of its price, so
    /// it is met only where no own order stands in the way.
    fn walk_queue(&self, head: u32, walk: Walk, counting: Counting, looks: &mut u32) -> (Lots, bool) {
        let (mut shown, mut whole, mut next) = (Lots::ZERO, Lots::ZERO, head);
        while next != NONE && *looks > 0 {
            let enough = if counting == Counting::PastOwn { whole } else { shown };
            if enough >= walk.lots {
                break;
            }
            *looks -= 1;
            let maker = self.orders.at(next);
            next = maker.younger;
            if !self.is_own(walk.account, walk.stp, maker) {
                shown += self.orders.shown(maker);
                whole += maker.leaves();
            } else if counting == Counting::UntilOwn {
                return (shown, true);
            }
        }
        let found = if counting == Counting::Shown { shown } else { whole };
        (found.min(walk.lots), false)
    }
}
