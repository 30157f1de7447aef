//! One instrument as everybody knows it: its terms, its state, what it is worth, its public book.

use engine::TradingState;
use engine::command::{ComboCreate, InstrumentCreate, instr_kind};
use engine::limits::PRICE_TICKS_MAX;
use engine::message::{NULL_I64, NULL_U64};
use zerocopy::FromZeros;
use zerocopy::little_endian::{I32, I64, U16, U32, U64};

use crate::market::book::Book;
use crate::market::message::{InstrumentDefinition, LegEntry, MarketStats, TradingStatus};

const MILLION: i128 = 1_000_000;

/// When something was said: the event and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub exec_id: u64,
    pub time_ns: u64,
}

#[derive(Clone, Debug)]
pub struct Listing {
    pub id: u32,
    pub created: Moment,
    pub symbol: [u8; 32],
    pub underlying: u32,
    pub tick_size: i64,
    pub lot_size: i64,
    pub contract_size: i64,
    pub qty_max: i64,
    pub band_ppm: u32,
    pub kind: u8,
    /// Of a combo: instrument and ratio.
    pub legs: Vec<(u32, i32)>,
    pub state: u8,
    /// The end of the auction, null without one.
    pub until: u64,
    /// Null for a combo: its legs have marks.
    pub mark: i64,
    pub index: i64,
    /// Lots that are held long.
    pub open_interest: i64,
    /// The last `LevelUpdate`.
    pub levels_exec_id: u64,
    /// It was said that nothing will ever rest here again.
    pub is_cleared: bool,
    pub book: Book,
}

impl Listing {
    pub fn of_instrument(it: &InstrumentCreate, created: Moment) -> Listing {
        Listing {
            id: it.instrument_id.get(),
            created,
            symbol: it.symbol,
            underlying: it.underlying_id.get(),
            tick_size: it.tick_size.get(),
            lot_size: it.lot_size.get(),
            contract_size: it.contract_size.get(),
            qty_max: it.qty_max.get(),
            band_ppm: it.price_band_ppm.get(),
            kind: it.kind,
            mark: it.mark.get(),
            ..Listing::blank()
        }
    }

    /// Sizes are those of the legs, which all have the same (rule 11.1).
    pub fn of_combo(it: &ComboCreate, first_leg: &Listing, created: Moment) -> Listing {
        let legs = it.leg_instruments.iter().zip(&it.leg_ratios);
        Listing {
            id: it.instrument_id.get(),
            created,
            symbol: it.symbol,
            underlying: first_leg.underlying,
            tick_size: first_leg.tick_size,
            lot_size: first_leg.lot_size,
            contract_size: first_leg.contract_size,
            qty_max: it.qty_max.get(),
            band_ppm: it.price_band_ppm.get(),
            kind: instr_kind::FUTURE_COMBO,
            legs: legs.map(|(id, ratio)| (id.get(), ratio.get())).filter(|leg| leg.0 != 0).collect(),
            ..Listing::blank()
        }
    }

    pub(super) fn blank() -> Listing {
        Listing {
            id: 0,
            created: Moment::default(),
            symbol: [0; 32],
            underlying: 0,
            tick_size: 1,
            lot_size: 1,
            contract_size: 1,
            qty_max: 1,
            band_ppm: 0,
            kind: 0,
            legs: Vec::new(),
            state: TradingState::Open as u8,
            until: NULL_U64,
            mark: NULL_I64,
            index: NULL_I64,
            open_interest: 0,
            levels_exec_id: 0,
            is_cleared: false,
            book: Book::default(),
        }
    }

    pub fn is_combo(&self) -> bool {
        !self.legs.is_empty()
    }

    /// Does an order that comes meet the other side?
    pub fn matches(&self) -> bool {
        self.state == TradingState::Open as u8
    }

    pub fn definition(&self) -> (InstrumentDefinition, Vec<LegEntry>) {
        let legs = self.legs.iter().map(|(id, ratio)| LegEntry {
            leg_instrument_id: U32::new(*id),
            ratio: I32::new(*ratio),
            pad_a: U64::new(0),
        });
        let mut it = InstrumentDefinition::new_zeroed();
        it.exec_id = U64::new(self.created.exec_id);
        it.match_time = U64::new(self.created.time_ns);
        it.instrument_id = U32::new(self.id);
        it.underlying_id = U32::new(self.underlying);
        it.symbol = self.symbol;
        it.tick_size = I64::new(self.tick_size);
        it.lot_size = I64::new(self.lot_size);
        it.contract_size = I64::new(self.contract_size);
        it.strike = I64::new(NULL_I64);
        it.expiry = U64::new(NULL_U64);
        it.min_qty = I64::new(1);
        it.max_qty = I64::new(self.qty_max);
        it.max_price_band_bps = U32::new(self.band_ppm / 100);
        it.kind = self.kind;
        it.state = self.state;
        it.leg_count = U32::new(self.legs.len() as u32);
        (it, legs.collect())
    }

    pub fn status(&self, now: Moment) -> TradingStatus {
        TradingStatus {
            exec_id: U64::new(now.exec_id),
            match_time: U64::new(now.time_ns),
            instrument_id: U32::new(self.id),
            state: self.state,
            pad_a: 0,
            code: U16::new(0),
            effective_at: U64::new(self.until),
        }
    }

    pub fn stats(&self, now: Moment) -> MarketStats {
        let (low, high) = self.band();
        MarketStats {
            exec_id: U64::new(now.exec_id),
            match_time: U64::new(now.time_ns),
            instrument_id: U32::new(self.id),
            pad_a: U32::new(0),
            mark: I64::new(self.mark),
            index: I64::new(self.index),
            funding_rate: I64::new(NULL_I64),
            next_funding: U64::new(NULL_U64),
            open_interest: I64::new(if self.is_combo() { NULL_I64 } else { self.open_interest }),
            band_low: I64::new(low),
            band_high: I64::new(high),
            implied_vol: I64::new(NULL_I64),
        }
    }

    /// Rule 4.12; null where there is none. What a Price9 cannot show is shown at the bound.
    fn band(&self) -> (i64, i64) {
        if self.band_ppm == 0 || self.mark == NULL_I64 {
            return (NULL_I64, NULL_I64);
        }
        let (tick, ppm) = (i128::from(self.tick_size), i128::from(self.band_ppm));
        let mark = i128::from(self.mark) / tick;
        let low = -(-mark * (MILLION - ppm)).div_euclid(MILLION);
        let high = (mark * (MILLION + ppm)).div_euclid(MILLION);
        let shown = |ticks: i128| i64::try_from(ticks * tick).unwrap_or(i64::MAX);
        (shown(low.max(1)), shown(high.min(2 * i128::from(PRICE_TICKS_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_rounded_inwards() {
        let band = |mark, band_ppm| Listing { mark, band_ppm, tick_size: 10, ..Listing::blank() }.band();
        assert_eq!(band(3_000, 1_000), (3_000, 3_000));
        assert_eq!(band(3_000, 10_000), (2_970, 3_030));
        assert_eq!(band(3_330, 10_000), (3_300, 3_360));
        assert_eq!(band(3_330, 0), (NULL_I64, NULL_I64));
        assert_eq!(band(3_330, 1_000_000), (10, 6_660));
    }
}
