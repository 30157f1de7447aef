//! Combos: instruments of two to four legs that trade in a book of their own (rules 11.1 to 11.5). Owns the legs, what their
//! marks make of a combo's, and the prices at which a match trades them. Whose the lots are is not its business.

use crate::band::Band;
use crate::book::Book;
use crate::command::{ComboCreate, instr_kind};
use crate::instrument::{ABSENT, BadPrice, Instrument, Instruments, Listing, UNLISTED};
use crate::limits::{POSITION_LOTS_MAX, PRICE_BAND_PPM_MAX, PRICE_TICKS_MAX};
use crate::reject::Reject;
use crate::units::{Lots, Ppm, Side, Ticks};

pub const LEGS_MAX: usize = 4;
const LEGS_MIN: usize = 2;
/// Largest ratio, either way.
pub const RATIO_MAX: i32 = 8;
/// InstrKind FutureCombo.
const KIND: u8 = instr_kind::FUTURE_COMBO;

/// Marks of all legs and a price of the combo, each at its bound: what a leg's price may reach fits far.
const _: () = assert!((LEGS_MAX as i64 * RATIO_MAX as i64 + 2) * PRICE_TICKS_MAX < i64::MAX / 4);

/// One leg: so many lots of an instrument for each lot of the combo, the other way where the ratio is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub instrument: u32,
    pub ratio: i32,
}

impl Leg {
    /// Which way the leg trades for a combo order of `side`.
    pub fn side(&self, side: Side) -> Side {
        if self.ratio > 0 { side } else { side.opposite() }
    }

    pub fn lots(&self, combos: Lots) -> Lots {
        Lots(i64::from(self.ratio.abs()) * combos.0)
    }

    /// Can the leg take what is between the combo's mark and its price? Only one lot for one lot divides any price.
    fn absorbs(&self) -> bool {
        self.ratio.abs() == 1
    }
}

/// The legs of one combo, in the order of its listing; none for any other instrument.
#[derive(Clone, Copy)]
pub struct Legs {
    legs: [Leg; LEGS_MAX],
    count: u8,
}

impl Legs {
    pub const NONE: Legs = Legs { legs: [Leg { instrument: 0, ratio: 0 }; LEGS_MAX], count: 0 };

    pub fn iter(&self) -> std::slice::Iter<'_, Leg> {
        self.as_slice().iter()
    }

    pub fn as_slice(&self) -> &[Leg] {
        &self.legs[..usize::from(self.count)]
    }

    /// As `ComboCreate` says them, unused places included.
    pub fn places(&self) -> &[Leg; LEGS_MAX] {
        &self.legs
    }

    /// The legs stand in front, and nothing behind them.
    fn read(request: &ComboCreate) -> Option<Legs> {
        let mut legs = Legs::NONE.legs;
        for (place, leg) in legs.iter_mut().enumerate() {
            leg.instrument = request.leg_instruments[place].get();
            leg.ratio = request.leg_ratios[place].get();
        }
        let count = legs.iter().take_while(|leg| leg.instrument != 0).count();
        let unused = legs[count..].iter().all(|leg| leg.instrument == 0 && leg.ratio == 0);
        (count >= LEGS_MIN && unused).then_some(Legs { legs, count: count as u8 })
    }
}

/// Rule 11.1 behind the instrument's id: the combo of a request, or the code and field of what is wrong with it.
pub fn list(
    instruments: &Instruments,
    request: &ComboCreate,
) -> Result<(Instrument, Listing), (Reject, u16)> {
    let must = |holds: bool, field: u16| if holds { Ok(()) } else { Err((Reject::InvalidParameter, field)) };
    let legs = Legs::read(request).ok_or((Reject::InvalidParameter, 2))?;
    for (place, leg) in legs.iter().enumerate() {
        let row = instruments.find(leg.instrument).ok_or((Reject::UnknownInstrument, 2))?;
        must(!row.is_combo, 2)?;
        must(legs.iter().take(place).all(|other| other.instrument != leg.instrument), 2)?;
    }
    must(legs.iter().all(|leg| leg.ratio != 0 && (-RATIO_MAX..=RATIO_MAX).contains(&leg.ratio)), 3)?;
    must(legs.iter().any(Leg::absorbs), 3)?;
    let rows = || legs.iter().map(|leg| &instruments[leg.instrument]);
    let listings = || legs.iter().map(|leg| instruments.listing(leg.instrument));
    let (first, listed) =
        (&instruments[legs.legs[0].instrument], instruments.listing(legs.legs[0].instrument));
    must(rows().all(|row| row.tick_size == first.tick_size), 2)?;
    let same = |leg: &Listing| leg.lot_size == listed.lot_size && leg.contract_size == listed.contract_size;
    must(listings().all(same), 2)?;
    must((1..=POSITION_LOTS_MAX).contains(&request.qty_max.get()), 4)?;
    must((1..=PRICE_BAND_PPM_MAX).contains(&request.price_band_ppm.get()), 6)?;
    let highest = |fee: fn(&Instrument) -> Ppm| rows().map(fee).max().unwrap_or_default();
    let combo = Instrument {
        book: Book::empty(),
        tick_size: first.tick_size,
        tick_value: first.tick_value,
        qty_max: Lots(request.qty_max.get()),
        maker_fee: highest(|row| row.maker_fee),
        taker_fee: highest(|row| row.taker_fee),
        price_band: Ppm(request.price_band_ppm.get()),
        is_combo: true,
        exists: true,
        ..ABSENT
    };
    let listing = Listing {
        symbol: request.symbol,
        lot_size: listed.lot_size,
        contract_size: listed.contract_size,
        underlying_id: listed.underlying_id,
        kind: KIND,
        legs,
        ..UNLISTED
    };
    Ok((combo, listing))
}

/// Rule 11.2: a Price9 in ticks, which may be 0 or negative.
pub fn ticks(price: i64, tick_size: i64) -> Result<Ticks, BadPrice> {
    let (ticks, rest) = (price / tick_size, price % tick_size);
    if rest != 0 {
        return Err(BadPrice::OffTick);
    }
    let exists = (-PRICE_TICKS_MAX..=PRICE_TICKS_MAX).contains(&ticks);
    if exists { Ok(Ticks(ticks)) } else { Err(BadPrice::OutOfRange) }
}

impl Instruments {
    /// The legs of an instrument that may be a combo.
    pub fn legs(&self, id: u32) -> Legs {
        self.listing(id).legs
    }

    /// The present mark of any instrument; a combo's is its legs' (rule 11.2).
    pub fn mark(&self, id: u32) -> Ticks {
        let row = &self[id];
        if row.is_combo { self.sum_of_marks(id, |leg| leg.ratio) } else { row.mark }
    }

    /// What all legs of one lot of a combo are worth at their marks, whichever way they trade.
    pub fn gross_mark(&self, id: u32) -> Ticks {
        self.sum_of_marks(id, |leg| leg.ratio.abs())
    }

    fn sum_of_marks(&self, id: u32, times: fn(&Leg) -> i32) -> Ticks {
        let legs = self.legs(id);
        Ticks(legs.iter().map(|leg| i64::from(times(leg)) * self[leg.instrument].mark.0).sum())
    }

    /// Rule 11.3.
    pub fn combo_band(&self, id: u32) -> Band {
        let (mark, width) = (self.mark(id), self.gross_mark(id).share_rounded_down(self[id].price_band));
        Band { low: Ticks(mark.0 - width.0), high: Ticks(mark.0 + width.0) }
    }

    /// Rule 11.5: each leg's price in a match of the combo at `ticks`, by its place.
    pub fn leg_prices(&self, id: u32, ticks: Ticks) -> [Ticks; LEGS_MAX] {
        let legs = self.legs(id);
        let mut prices = [Ticks(0); LEGS_MAX];
        let mut absorbing = None;
        for (place, leg) in legs.iter().enumerate() {
            let mark = self[leg.instrument].mark;
            prices[place] = mark;
            if leg.absorbs() && absorbing.is_none_or(|other: usize| mark > prices[other]) {
                absorbing = Some(place);
            }
        }
        let place = absorbing.expect("rule 11.1: a leg with ratio 1 or -1");
        prices[place].0 += i64::from(legs.legs[place].ratio) * (ticks.0 - self.mark(id).0);
        prices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_of_a_combo_has_two_bounds() {
        assert_eq!(ticks(0, 10), Ok(Ticks(0)));
        assert_eq!(ticks(-10, 10), Ok(Ticks(-1)));
        assert_eq!(ticks(-15, 10), Err(BadPrice::OffTick));
        assert_eq!(ticks(-PRICE_TICKS_MAX * 10, 10), Ok(Ticks(-PRICE_TICKS_MAX)));
        assert_eq!(ticks(-PRICE_TICKS_MAX * 10 - 10, 10), Err(BadPrice::OutOfRange));
        assert_eq!(ticks(i64::MIN, 1), Err(BadPrice::OutOfRange));
    }
}
