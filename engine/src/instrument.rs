//! Instruments: the terms that a listing fixed, the mark, the trading state, the times of an auction, and the book. Indexed by id. Owns the rules of a listing (3.3)
//! and of a price on the tick; the terms that no order looks at stand apart.

use std::ops::{Index, IndexMut};

use crate::book::Book;
use crate::combo::{self, Legs};
use crate::command::{Char32, InstrumentCreate, instr_kind};
use crate::limits::{POSITION_LOTS_MAX, PRICE_BAND_PPM_MAX, PRICE_TICKS_MAX};
use crate::message::NULL_I64;
use crate::pool::room;
use crate::prefetch;
use crate::reject::Reject;
use crate::trading_state::{AuctionTimes, TradingState};
use crate::trigger::{Traded, Triggers};
use crate::units::{Lots, Ppm, TickValue, Ticks};

/// What every order of the instrument reads.
#[derive(Clone, Copy)]
pub struct Instrument {
    pub book: Book,
    pub mark: Ticks,
    pub tick_size: i64,
    pub tick_value: TickValue,
    pub qty_max: Lots,
    pub initial_margin: Ppm,
    pub maker_fee: Ppm,
    pub taker_fee: Ppm,
    /// How far from the mark a price may be; 0 is anywhere (rule 4.12).
    pub price_band: Ppm,
    pub state: TradingState,
    /// It trades in legs (section 11); its mark is theirs, and `mark` stays 0.
    pub is_combo: bool,
    pub(crate) exists: bool,
    /// Orders that wait for a trigger (rule 8.31); they stand in its `Triggers`.
    pub armed: u32,
    pub traded: Traded,
}

/// What no order looks at. `tick_size` and `tick_value` follow from here.
#[derive(Clone, Copy)]
pub struct Listing {
    pub symbol: Char32,
    pub lot_size: i64,
    pub contract_size: i64,
    pub underlying_id: u32,
    pub kind: u8,
    /// What one lot moves, in millionths (rule 3.10).
    pub delta: i64,
    pub vega: i64,
    pub legs: Legs,
}

/// Highest tick value, in 1e-6 quote units.
pub const TICK_VALUE_MAX: i128 = 1_000_000_000_000;
/// Three factors in 1e-9, a product in 1e-6: 10^27 / 10^6.
const TICK_VALUE_SCALE: i128 = 1_000_000_000_000_000_000_000;
/// Highest fee rate.
const FEE_PPM_MAX: u32 = 100_000;
/// InstrKind Perpetual and Future.
const KINDS: [u8; 2] = [instr_kind::PERPETUAL, instr_kind::FUTURE];

/// What is wrong with a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPrice {
    OutOfRange,
    OffTick,
}

impl Instrument {
    /// A Price9 in ticks. The range is judged before the tick.
    pub fn ticks(&self, price: i64) -> Result<Ticks, BadPrice> {
        ticks(price, self.tick_size)
    }

    /// As `ticks`, for the price of an order (rules 4.5 and 11.2).
    pub fn order_ticks(&self, price: i64) -> Result<Ticks, BadPrice> {
        if self.is_combo { combo::ticks(price, self.tick_size) } else { self.ticks(price) }
    }

    /// Is there such a price of an order, as a Price9?
    pub fn has_price(&self, ticks: Ticks) -> bool {
        let lowest = if self.is_combo { -PRICE_TICKS_MAX } else { 1 };
        (lowest..=PRICE_TICKS_MAX).contains(&ticks.0)
            && ticks.0.checked_mul(self.tick_size).is_some_and(|price| price != NULL_I64)
    }

    /// A price that exists in this instrument as a Price9.
    pub fn price(&self, ticks: Ticks) -> i64 {
        ticks.0 * self.tick_size
    }

    /// Any price that follows from marks: what no Price9 can show is shown at the bound (rule 11.5).
    pub fn price_shown(&self, ticks: Ticks) -> i64 {
        ticks.0.saturating_mul(self.tick_size).max(-i64::MAX)
    }
}

fn ticks(price: i64, tick_size: i64) -> Result<Ticks, BadPrice> {
    let (ticks, rest) = (price / tick_size, price % tick_size);
    if price <= 0 || ticks > PRICE_TICKS_MAX || ticks == PRICE_TICKS_MAX && rest > 0 {
        return Err(BadPrice::OutOfRange);
    }
    if rest == 0 { Ok(Ticks(ticks)) } else { Err(BadPrice::OffTick) }
}

/// The money of one tick of one lot, where that is a whole number in range.
fn tick_value(tick_size: i64, lot_size: i64, contract_size: i64) -> Option<TickValue> {
    let scaled = (i128::from(tick_size) * i128::from(lot_size)).checked_mul(i128::from(contract_size))?;
    let value = scaled / TICK_VALUE_SCALE;
    let whole = scaled % TICK_VALUE_SCALE == 0;
    (whole && (1..=TICK_VALUE_MAX).contains(&value)).then_some(TickValue(value as i64))
}

/// Rule 3.3 from `tick_size` on: the instrument of a request, or the code and field of what is wrong with it.
pub fn list(request: &InstrumentCreate) -> Result<(Instrument, Listing), (Reject, u16)> {
    let must = |holds: bool, field: u16| if holds { Ok(()) } else { Err((Reject::InvalidParameter, field)) };
    let (tick_size, lot_size) = (request.tick_size.get(), request.lot_size.get());
    let contract_size = request.contract_size.get();
    must(tick_size > 0, 2)?;
    must(lot_size > 0, 3)?;
    must(contract_size > 0, 4)?;
    let tick_value = tick_value(tick_size, lot_size, contract_size).ok_or((Reject::InvalidParameter, 2))?;
    let mark = ticks(request.mark.get(), tick_size).map_err(|bad| match bad {
        BadPrice::OutOfRange => (Reject::InvalidParameter, 5),
        BadPrice::OffTick => (Reject::PriceNotOnTick, 5),
    })?;
    must((1..=POSITION_LOTS_MAX).contains(&request.qty_max.get()), 6)?;
    must((1..=1_000_000).contains(&request.initial_margin_ppm.get()), 9)?;
    must(request.maker_fee_ppm.get() <= FEE_PPM_MAX, 10)?;
    must(request.taker_fee_ppm.get() <= FEE_PPM_MAX, 11)?;
    must(KINDS.contains(&request.kind), 12)?;
    must(request.price_band_ppm.get() <= PRICE_BAND_PPM_MAX, 15)?;
    let instrument = Instrument {
        book: Book::empty(),
        mark,
        tick_size,
        tick_value,
        qty_max: Lots(request.qty_max.get()),
        initial_margin: Ppm(request.initial_margin_ppm.get()),
        maker_fee: Ppm(request.maker_fee_ppm.get()),
        taker_fee: Ppm(request.taker_fee_ppm.get()),
        price_band: Ppm(request.price_band_ppm.get()),
        state: TradingState::Open,
        is_combo: false,
        exists: true,
        armed: 0,
        traded: Traded::NEVER,
    };
    let underlying_id = request.underlying_id.get();
    let listing = Listing {
        symbol: request.symbol,
        lot_size,
        contract_size,
        underlying_id,
        kind: request.kind,
        ..UNLISTED
    };
    Ok((instrument, listing))
}

/// All instruments of the venue.
pub struct Instruments {
    rows: Vec<Instrument>,
    listings: Vec<Listing>,
    /// Only what is in Auction has times.
    auctions: Vec<AuctionTimes>,
    triggers: Vec<Triggers>,
}

pub const ABSENT: Instrument = Instrument {
    book: Book::empty(),
    mark: Ticks(0),
    tick_size: 0,
    tick_value: TickValue(0),
    qty_max: Lots::ZERO,
    initial_margin: Ppm(0),
    maker_fee: Ppm(0),
    taker_fee: Ppm(0),
    price_band: Ppm(0),
    state: TradingState::Open,
    is_combo: false,
    exists: false,
    armed: 0,
    traded: Traded::NEVER,
};

pub const UNLISTED: Listing = Listing {
    symbol: [0; 32],
    lot_size: 0,
    contract_size: 0,
    underlying_id: 0,
    kind: 0,
    delta: 0,
    vega: 0,
    legs: Legs::NONE,
};

impl Instruments {
    pub fn new(limit: u32) -> Instruments {
        let size = limit as usize + 1;
        Instruments {
            rows: room(size, ABSENT),
            listings: room(size, UNLISTED),
            auctions: room(size, AuctionTimes::NONE),
            triggers: room(size, Triggers::NONE),
        }
    }

    pub fn create(&mut self, id: u32, instrument: Instrument, listing: Listing) {
        debug_assert!(!self.contains(id));
        let index = id as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, ABSENT);
            self.listings.resize(index + 1, UNLISTED);
            self.auctions.resize(index + 1, AuctionTimes::NONE);
            self.triggers.resize(index + 1, Triggers::NONE);
        }
        self.rows[index] = instrument;
        self.listings[index] = listing;
    }

    pub fn contains(&self, id: u32) -> bool {
        self.find(id).is_some()
    }

    pub fn find(&self, id: u32) -> Option<&Instrument> {
        self.rows.get(id as usize).filter(|instrument| instrument.exists)
    }

    pub fn prefetch(&self, id: u32) {
        prefetch::lines_at(&self.rows, id as usize);
    }

    pub fn listing(&self, id: u32) -> &Listing {
        &self.listings[id as usize]
    }

    pub fn listing_mut(&mut self, id: u32) -> &mut Listing {
        &mut self.listings[id as usize]
    }

    pub fn auction(&self, id: u32) -> &AuctionTimes {
        &self.auctions[id as usize]
    }

    pub fn auction_mut(&mut self, id: u32) -> &mut AuctionTimes {
        &mut self.auctions[id as usize]
    }

    pub fn triggers(&self, id: u32) -> &Triggers {
        &self.triggers[id as usize]
    }

    pub fn triggers_mut(&mut self, id: u32) -> &mut Triggers {
        &mut self.triggers[id as usize]
    }

    /// All instruments in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Instrument)> {
        self.rows.iter().enumerate().filter(|(_, row)| row.exists).map(|(id, row)| (id as u32, row))
    }
}

impl Index<u32> for Instruments {
    type Output = Instrument;
    fn index(&self, id: u32) -> &Instrument {
        &self.rows[id as usize]
    }
}

impl IndexMut<u32> for Instruments {
    fn index_mut(&mut self, id: u32) -> &mut Instrument {
        &mut self.rows[id as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_values_are_whole_and_in_range() {
        assert_eq!(tick_value(500_000_000, 1_000, 1_000_000_000), None, "half of 1e-6 is not whole");
        assert_eq!(tick_value(500_000_000, 1_000_000_000, 1_000_000_000), Some(TickValue(500_000)));
        assert_eq!(tick_value(i64::MAX, i64::MAX, i64::MAX), None, "does not fit 128 bits");
        assert_eq!(
            tick_value(1_000_000_000_000, 1_000_000_000_000, 1_000_000_000),
            Some(TickValue(1_000_000_000_000))
        );
        assert_eq!(tick_value(1_000_000_000_000, 1_000_000_000_000, 2_000_000_000), None);
    }

    #[test]
    fn the_range_of_a_price_is_judged_before_its_tick() {
        assert_eq!(ticks(PRICE_TICKS_MAX * 10, 10), Ok(Ticks(PRICE_TICKS_MAX)));
        assert_eq!(ticks(PRICE_TICKS_MAX * 10 + 1, 10), Err(BadPrice::OutOfRange));
        assert_eq!(ticks(15, 10), Err(BadPrice::OffTick));
        assert_eq!(ticks(0, 10), Err(BadPrice::OutOfRange));
        assert_eq!(ticks(i64::MIN, 1), Err(BadPrice::OutOfRange));
    }
}
