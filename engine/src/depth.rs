//! What a taker would find on the other side, without taking it: for orders that are filled whole or not at all (rule 4.14)
//! and for the margin of orders without a price (4.18). Reads the book in priority order and changes nothing.

use crate::instrument::Instrument;
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
        let makers = instrument.book.queue(&self.levels, &self.orders, walk.side.opposite());
        for maker in makers.map(|slot| self.orders.at(slot)) {
            if depth.lots == walk.lots || walk.side.is_beyond(maker.ticks, walk.ticks) {
                break;
            }
            if self.is_own(walk.account, walk.stp, maker) {
                if ends_at_own {
                    break;
                }
                continue;
            }
            depth.lots += maker.leaves().min(walk.lots - depth.lots);
            depth.last = Some(maker.ticks);
        }
        depth
    }
}
