//! The price band of an instrument: how far from the mark an order may be priced (rule 4.12). Also what bounds an order
//! without a price (4.11).

use crate::instrument::{Instrument, Instruments};
use crate::limits::PRICE_TICKS_MAX;
use crate::refusal::Refusal;
use crate::reject::Reject;
use crate::units::{Ppm, Side, Ticks};

const WHOLE_PPM: u32 = 1_000_000;

/// The lowest price of a sell and the highest of a buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub low: Ticks,
    pub high: Ticks,
}

impl Band {
    pub fn around(mark: Ticks, width: Ppm) -> Band {
        Band {
            low: mark.share_rounded_up(Ppm(WHOLE_PPM - width.0)).max(Ticks(1)),
            high: mark.share_rounded_down(Ppm(WHOLE_PPM + width.0)),
        }
    }
}

impl Band {
    /// Rule 4.12: is an order of this side priced too far, and what is the bound?
    fn refuses(&self, side: Side, ticks: Ticks) -> Option<(Reject, Ticks)> {
        match side {
            Side::Buy if ticks > self.high => Some((Reject::PriceAboveBand, self.high)),
            Side::Sell if ticks < self.low => Some((Reject::PriceBelowBand, self.low)),
            _ => None,
        }
    }
}

impl Instrument {
    /// `None` where the listing asked for none.
    pub fn band(&self) -> Option<Band> {
        (self.price_band != Ppm(0)).then(|| Band::around(self.mark, self.price_band))
    }

    /// Rule 4.11: the price that a market order does not go beyond.
    pub fn market_bound(&self, side: Side) -> Ticks {
        let band = self.band().unwrap_or(Band { low: Ticks(1), high: Ticks(PRICE_TICKS_MAX) });
        match side {
            Side::Buy => band.high,
            Side::Sell => band.low,
        }
    }
}

impl Instruments {
    /// Rules 4.12 and 11.3. A plain bound has a Price9: who is refused has a price beyond it.
    pub fn check_band(&self, id: u32, side: Side, ticks: Ticks, field: u16) -> Result<(), Refusal> {
        let instrument = &self[id];
        let band = if instrument.is_combo { Some(self.combo_band(id)) } else { instrument.band() };
        match band.and_then(|band| band.refuses(side, ticks)) {
            Some((reject, bound)) => {
                Err(Refusal::new(reject, field).with_detail(instrument.price_shown(bound)))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_lie_within_the_width() {
        let check = |mark: i64, width: u32| {
            let Band { low, high } = Band::around(Ticks(mark), Ppm(width));
            let (mark, width) = (i128::from(mark), i128::from(width));
            let exact = |rate: i128| mark * rate;
            assert_eq!(i128::from(low.0), (exact(1_000_000 - width) + 999_999).div_euclid(1_000_000).max(1));
            assert_eq!(i128::from(high.0), exact(1_000_000 + width) / 1_000_000);
        };
        for mark in [1, 2, 3, 99, 100, 101, 999_999, 1_000_001, PRICE_TICKS_MAX - 1, PRICE_TICKS_MAX] {
            for width in [1, 10, 9_999, 10_000, 333_333, 999_999, 1_000_000] {
                check(mark, width);
            }
        }
    }
}
