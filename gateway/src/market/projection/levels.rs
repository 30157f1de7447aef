//! Levels 1 and 2 out of level 3: what a command changed of each price, told once, at its end.

use std::collections::BTreeMap;

use engine::message::NULL_I64;
use engine::units::Side;
use zerocopy::little_endian::{I64, U16, U32, U64};

use super::{Listing, Moment, Projection};
use crate::market::book::Level;
use crate::market::message::{Bbo, LevelAction, LevelEntry, LevelUpdate};

/// Entries of one update, so that it fits a packet.
pub const LEVELS_MAX: usize = 50;
/// Levels from the best on whose place is told.
pub const DEPTH_MAX: usize = 100;

/// Lots and orders of a price.
type Standing = (i64, u32);

/// What the prices that a command touched were before it, and the best of both sides.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    levels: BTreeMap<(u32, bool, i64), Standing>,
    best: BTreeMap<u32, [Option<Best>; 2]>,
}

type Best = (i64, Standing);

fn standing(level: &Level) -> Standing {
    (level.qty, level.orders() as u32)
}

fn best(listing: &Listing) -> [Option<Best>; 2] {
    [Side::Buy, Side::Sell].map(|side| listing.book.best(side).map(|(px, level)| (px, standing(level))))
}

/// Level 1 of an instrument as it stands.
pub fn bbo(listing: &Listing, now: Moment) -> Bbo {
    let [bid, ask] = best(listing).map(|best| best.unwrap_or((NULL_I64, (0, 0))));
    let orders = |best: Best| U16::new(u16::try_from(best.1.1).unwrap_or(u16::MAX));
    Bbo {
        exec_id: U64::new(now.exec_id),
        match_time: U64::new(now.time_ns),
        instrument_id: U32::new(listing.id),
        bid_orders: orders(bid),
        ask_orders: orders(ask),
        bid_px: I64::new(bid.0),
        bid_qty: I64::new(bid.1.0),
        ask_px: I64::new(ask.0),
        ask_qty: I64::new(ask.1.0),
    }
}

/// Part of level 2.
pub fn level_update(listing: &Listing, now: Moment) -> LevelUpdate {
    LevelUpdate {
        exec_id: U64::new(now.exec_id),
        match_time: U64::new(now.time_ns),
        instrument_id: U32::new(listing.id),
        pad_a: U32::new(0),
        prev_exec_id: U64::new(listing.levels_exec_id),
        pad_b: U32::new(0),
    }
}

pub fn level_entry(
    listing: &Listing,
    side: Side,
    px: i64,
    (qty, orders): Standing,
    action: LevelAction,
) -> LevelEntry {
    LevelEntry {
        px: I64::new(px),
        qty: I64::new(qty),
        orders: U32::new(orders),
        side: side as u8,
        action: action as u8,
        depth: U16::new(listing.book.depth(side, px, DEPTH_MAX)),
    }
}

impl Projection {
    /// A price of a book is about to change.
    pub(super) fn touch(&mut self, instrument: u32, side: Side, px: i64) {
        let Some(listing) = self.listings.get(&instrument) else { return };
        let touched = &mut self.command.touched;
        touched.best.entry(instrument).or_insert_with(|| best(listing));
        let before = || listing.book.level(side, px).map_or((0, 0), standing);
        touched.levels.entry((instrument, side == Side::Sell, px)).or_insert_with(before);
    }

    /// First level 2, then level 1, instrument by instrument.
    pub(super) fn tell_levels(&mut self) {
        let touched = std::mem::take(&mut self.command.touched);
        let mut levels = touched.levels.into_iter().peekable();
        for (instrument, best_before) in touched.best {
            let mut entries = Vec::new();
            let listing = &self.listings[&instrument];
            while let Some(((_, is_sell, px), before)) = levels.next_if(|level| level.0.0 == instrument) {
                let side = if is_sell { Side::Sell } else { Side::Buy };
                let after = listing.book.level(side, px).map_or((0, 0), standing);
                if after != before {
                    let action = match (before.1, after.1) {
                        (0, _) => LevelAction::New,
                        (_, 0) => LevelAction::Delete,
                        _ => LevelAction::Change,
                    };
                    entries.push(level_entry(listing, side, px, after, action));
                }
            }
            for part in entries.chunks(LEVELS_MAX) {
                let listing = self.listings.get_mut(&instrument).expect("it was touched");
                let update = level_update(listing, self.now);
                listing.levels_exec_id = self.now.exec_id;
                self.command.told.say_group(instrument, update, part);
            }
            let listing = &self.listings[&instrument];
            if best(listing) != best_before {
                self.command.told.say(instrument, bbo(listing, self.now));
            }
        }
    }
}
