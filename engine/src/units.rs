//! The engine's numbers: ticks, lots and money as types of their own, so that what compiles has the right unit.
//! `Ticks * Lots` is a `TickLots`, and only an instrument's `TickValue` turns that into money. Because a tick of one lot
//! is a whole number of 1e-6 (checked when an instrument is listed), a trade moves money without any rounding.
//! All rounding that exists stands in this file, and each name says its direction.

use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

/// A price in ticks of its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(pub i64);

/// A signed quantity in lots of its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lots(pub i64);

/// Ticks times lots: a notional that still waits for its tick value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TickLots(pub i128);

/// Money of one tick of one lot, in 1e-6 quote units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TickValue(pub i64);

/// Money in 1e-6 quote units. 128 bits inside, so that no sum of what members can do overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(pub i128);

const MILLION: u64 = 1_000_000;

/// A rate in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ppm(pub u32);

/// The whole product of two 64-bit factors: it always fits, so nothing is checked.
fn wide(left: i64, right: i64) -> i128 {
    i128::from(left).wrapping_mul(i128::from(right))
}

impl Mul<Lots> for Ticks {
    type Output = TickLots;
    fn mul(self, lots: Lots) -> TickLots {
        TickLots(wide(self.0, lots.0))
    }
}

impl Mul<TickValue> for TickLots {
    type Output = Money;
    fn mul(self, value: TickValue) -> Money {
        match i64::try_from(self.0) {
            Ok(small) => Money(wide(small, value.0)),
            Err(_) => Money(self.0 * i128::from(value.0)),
        }
    }
}

impl TickLots {
    /// `rate` of what a non-negative notional is worth, rounded up. Nearly always the whole product fits 64 bits.
    #[inline]
    pub fn share_rounded_up(self, value: TickValue, rate: Ppm) -> Money {
        debug_assert!(self.0 >= 0 && value.0 >= 0);
        let whole = u64::try_from(self.0)
            .ok()
            .and_then(|small| small.checked_mul(value.0 as u64))
            .and_then(|worth| worth.checked_mul(u64::from(rate.0)));
        match whole {
            Some(millionths) => Money(i128::from(millionths.div_ceil(MILLION))),
            None => (self * value).share_rounded_up(rate),
        }
    }
}

impl Ticks {
    /// `rate` of a price, to the next lower and the next higher tick. Whole millions and the rest apart: a price has 48
    /// bits and a rate at most 21, so each product fits 64.
    pub fn share_rounded_down(self, rate: Ppm) -> Ticks {
        let (millions, rest, rate) = self.in_millions(rate);
        Ticks((millions * rate + rest * rate / MILLION) as i64)
    }

    pub fn share_rounded_up(self, rate: Ppm) -> Ticks {
        let (millions, rest, rate) = self.in_millions(rate);
        Ticks((millions * rate + (rest * rate).div_ceil(MILLION)) as i64)
    }

    fn in_millions(self, rate: Ppm) -> (u64, u64, u64) {
        debug_assert!(self.0 >= 0);
        let ticks = self.0 as u64;
        (ticks / MILLION, ticks % MILLION, u64::from(rate.0))
    }
}

impl Lots {
    pub const ZERO: Lots = Lots(0);

    pub fn abs(self) -> Lots {
        Lots(self.0.abs())
    }
}

impl Money {
    pub const ZERO: Money = Money(0);

    pub fn abs(self) -> Money {
        Money(self.0.abs())
    }

    /// The wire's Money6. What does not fit is shown at its bound; state never passes through here.
    pub fn to_wire(self) -> i64 {
        i64::try_from(self.0).unwrap_or(if self.0 < 0 { i64::MIN + 1 } else { i64::MAX })
    }

    /// `rate` of a non-negative amount, rounded up: against whoever pays.
    #[inline]
    pub fn share_rounded_up(self, rate: Ppm) -> Money {
        debug_assert!(self.0 >= 0);
        debug_assert!(u64::from(rate.0) <= MILLION);
        let rate = u64::from(rate.0);
        if let Some(millionths) = u64::try_from(self.0).ok().and_then(|small| small.checked_mul(rate)) {
            return Money(i128::from(millionths.div_ceil(MILLION)));
        }
        // Whole millions and the rest apart, so that no product overflows; a rate is at most one.
        let of_rest = |rest: u64| (rest * rate).div_ceil(MILLION);
        let million = i128::from(MILLION);
        Money(self.0 / million * i128::from(rate) + i128::from(of_rest((self.0 % million) as u64)))
    }
}

macro_rules! sums {
    ($($unit:ty),+) => {$(
        impl Add for $unit {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl Sub for $unit {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl Neg for $unit {
            type Output = Self;
            fn neg(self) -> Self { Self(-self.0) }
        }
        impl AddAssign for $unit {
            fn add_assign(&mut self, other: Self) { self.0 += other.0; }
        }
        impl SubAssign for $unit {
            fn sub_assign(&mut self, other: Self) { self.0 -= other.0; }
        }
    )+};
}
sums!(Lots, TickLots, Money);

/// Which side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    Buy = 1,
    Sell = 2,
}

impl Side {
    pub fn from_wire(value: u8) -> Option<Side> {
        match value {
            1 => Some(Side::Buy),
            2 => Some(Side::Sell),
            _ => None,
        }
    }

    /// Bids stand before asks where both have a place.
    pub fn index(self) -> usize {
        self as usize - 1
    }

    pub fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// Is `price` one that an order of this side with the limit `limit` does not take?
    pub fn is_beyond(self, price: Ticks, limit: Ticks) -> bool {
        match self {
            Side::Buy => price > limit,
            Side::Sell => price < limit,
        }
    }

    /// What a fill of `lots` does to a position.
    pub fn signed(self, lots: Lots) -> Lots {
        match self {
            Side::Buy => lots,
            Side::Sell => -lots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition, on both sides of what fits 64 bits.
    #[test]
    fn a_share_is_rounded_up_whatever_its_size() {
        for notional in [0, 1, 999_999, 1_000_000, 1 << 40, i128::from(u64::MAX), 1 << 80] {
            for value in [1, 3, 1_000_000, 1_000_000_000_000] {
                for rate in [0, 1, 399, 50_000, 999_999, 1_000_000] {
                    let worth = notional * i128::from(value);
                    let exact = (worth / 1_000_000) * i128::from(rate)
                        + (worth % 1_000_000 * i128::from(rate) + 999_999) / 1_000_000;
                    let share = TickLots(notional).share_rounded_up(TickValue(value), Ppm(rate));
                    assert_eq!(share, Money(exact), "{notional} x {value} at {rate}");
                    assert_eq!(Money(worth).share_rounded_up(Ppm(rate)), Money(exact));
                }
            }
        }
    }
}
