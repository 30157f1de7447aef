//! The volatility that a price implies.

use crate::black::Black;
use crate::fraction::{Fraction, PLACES};

/// The least deviation (volatility times the root of the years) at which the option is worth `price` units or more; None where
/// there is none: below what it is worth if nothing moves, or at or above the discounted forward (a call) or strike (a put).
/// Of equal prices for many deviations, as far from the money, the least is told.
pub fn deviation(option: &Black, is_call: bool, price: i64) -> Option<Fraction> {
    let worth = |bits: i64| {
        let worth = Black { deviation: Fraction::from_bits(bits), ..*option }.worth();
        if is_call { worth.call } else { worth.put }
    };
    let (mut low, mut high) = (0, 24 << PLACES);
    if price < worth(low) || price > worth(high) {
        return None;
    }
    if price == worth(low) {
        return Some(Fraction::ZERO);
    }
    // Worth less than the price at `low`, at least the price at `high`.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if worth(middle) < price { low = middle } else { high = middle }
    }
    Some(Fraction::from_bits(high))
}
