//! What a taker would find on the other side, without taking it: for orders that are filled whole or not at all (rule 4.14)
//! and for the margin of orders without a price (4.18). Reads the book in priority order and changes nothing.

use crate::instrument::Instrument;
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

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// At most what was asked for.
    pub lots: Lots,
    /// The price of the last order that gave something.
    pub last: Option<Ticks>,
}

impl Venue {
    /// Rule 4.14: the lots that could be filled.
    pub fn fillable(&self, instrument: &Instrument, walk: Walk) -> Lots {
        let ends_at_own = walk.stp.mode != StpMode::CancelMaker;
        self.walk(instrument, walk, ends_at_own).lots
    }

    /// Rule 4.18: the worst price that a market order would reach, the mark where that is worse.
    pub fn worst_price(&self, instrument: &Instrument, walk: Walk) -> Ticks {
        let mark = instrument.mark;
        let last = self.walk(instrument, walk, false).last.unwrap_or(mark);
        match walk.side {
            Side::Buy => last.max(mark),
            Side::Sell => last.min(mark),
        }
    }

    fn walk(&self, instrument: &Instrument, walk: Walk, ends_at_own: bool) -> Depth {
        let mut depth = Depth { lots: Lots::ZERO, last: None };
        let other = walk.side.opposite();
        for (ticks, level) in self.levels.walk(instrument.book.side(other), other) {
            if depth.lots == walk.lots || walk.side.is_beyond(ticks, walk.ticks) {
                break;
            }
            let wanted = walk.lots - depth.lots;
            let (found, ends) = self.walk_queue(level.head, Walk { lots: wanted, ..walk }, ends_at_own);
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
    fn walk_queue(&self, head: u32, walk: Walk, ends_at_own: bool) -> (Lots, bool) {
        let (mut shown, mut whole, mut next) = (Lots::ZERO, Lots::ZERO, head);
        while next != NONE && (if ends_at_own { shown } else { whole }) < walk.lots {
            let maker = self.orders.at(next);
            next = maker.younger;
            if !self.is_own(walk.account, walk.stp, maker) {
                shown += self.orders.shown(maker);
                whole += maker.leaves();
            } else if ends_at_own {
                return (shown, true);
            }
        }
        (whole.min(walk.lots), false)
    }
}
