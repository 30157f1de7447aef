//! Black's formula of 1976: what a European option on a forward is worth. Prices come and go in whole units of any size; which,
//! the caller knows.

use crate::fraction::{Fraction, PLACES, ln_ratio, over, part_of, ratio, sqrt, times};
use crate::normal::{cumulative, density};

/// A call and a put at one strike. `forward` and `strike` are not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Black {
    pub forward: i64,
    pub strike: i64,
    /// Volatility times the root of the years to go; more than 24 is as 24.
    pub deviation: Fraction,
    /// What one paid at the end is worth today, from 0 to 1 or a little above.
    pub discount: Fraction,
}

/// Rounded to the nearest unit; call and put differ by the discounted forward less strike, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    pub call: i64,
    pub put: i64,
}

/// How the worth changes, first derivatives of the formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeks {
    /// With the forward.
    pub call_delta: Fraction,
    pub put_delta: Fraction,
    /// Change of delta for a rise of the forward by all of itself, times the forward.
    pub gamma_value: i64,
    /// For a rise of the volatility by 1.
    pub vega: i64,
    /// For a year that passes, without what interest adds.
    pub decay: i64,
}

const DEVIATION_MAX: Fraction = Fraction::from_bits(24 << PLACES);

impl Black {
    /// `volatility` for `years`.
    pub fn new(
        forward: i64,
        strike: i64,
        volatility: Fraction,
        years: Fraction,
        discount: Fraction,
    ) -> Black {
        Black { forward, strike, deviation: deviation(volatility, years), discount }
    }

    pub fn worth(&self) -> Worth {
        let parity = self.discounted(i128::from(self.forward - self.strike) << PLACES);
        let outside = self.discounted(self.outside());
        if self.forward >= self.strike {
            Worth { call: outside + parity, put: outside }
        } else {
            Worth { call: outside, put: outside - parity }
        }
    }

    /// The one of the two that would not be exercised today, undiscounted, in fractions of a unit. It is the smaller one, so
    /// the other follows from it without a loss.
    fn outside(&self) -> i128 {
        let Some((d1, d2)) = self.distances() else { return 0 };
        let value = |forward: Fraction, strike: Fraction| {
            i128::from(self.forward) * i128::from(forward.to_bits())
                - i128::from(self.strike) * i128::from(strike.to_bits())
        };
        let worth = if self.forward >= self.strike {
            -value(cumulative(-d1), cumulative(-d2))
        } else {
            value(cumulative(d1), cumulative(d2))
        };
        worth.max(0)
    }

    /// None where the end is certain: nothing can move, or one of the two is 0.
    fn distances(&self) -> Option<(Fraction, Fraction)> {
        let deviation = self.deviation.min(DEVIATION_MAX);
        if self.forward == 0 || self.strike == 0 || deviation <= Fraction::ZERO {
            return None;
        }
        let log = ln_ratio(self.forward.unsigned_abs(), self.strike.unsigned_abs());
        let half = deviation / 2;
        let moneyness = clamped_over(log, deviation);
        Some((moneyness.saturating_add(half), moneyness.saturating_sub(half)))
    }

    pub fn greeks(&self, volatility: Fraction, years: Fraction) -> Greeks {
        let discounted = |delta| times(delta, self.discount);
        let Some((d1, _)) = self.distances() else {
            let call = if self.forward > self.strike { Fraction::ONE } else { Fraction::ZERO };
            let (call_delta, put_delta) = (discounted(call), discounted(call - Fraction::ONE));
            return Greeks { call_delta, put_delta, gamma_value: 0, vega: 0, decay: 0 };
        };
        let density = density(d1);
        let spread = part_of(i128::from(self.forward) << PLACES, density);
        let per_deviation =
            part_of(i128::from(self.forward) << PLACES, clamped_over(density, self.deviation));
        let vega = part_of(spread, sqrt(years));
        Greeks {
            call_delta: discounted(cumulative(d1)),
            put_delta: -discounted(cumulative(-d1)),
            gamma_value: self.discounted(per_deviation),
            vega: self.discounted(vega),
            decay: -self.discounted(part_of(part_of(per_deviation, volatility), volatility / 2)),
        }
    }

    /// `value` in fractions of a unit, discounted, to the nearest unit.
    fn discounted(&self, value: i128) -> i64 {
        let rounded = (part_of(value, self.discount) + (1 << (PLACES - 1))) >> PLACES;
        i64::try_from(rounded).expect("a worth is below the larger of forward and strike")
    }
}

/// Far beyond what the normal distribution can tell apart, and no further.
fn clamped_over(a: Fraction, b: Fraction) -> Fraction {
    const FAR: i64 = 100;
    let far = Fraction::from_bits(FAR << PLACES);
    let quotient = (i128::from(a.to_bits()) << PLACES) / i128::from(b.to_bits());
    i64::try_from(quotient)
        .map_or(if quotient < 0 { -far } else { far }, |bits| Fraction::from_bits(bits).clamp(-far, far))
}

pub fn deviation(volatility: Fraction, years: Fraction) -> Fraction {
    times(volatility, sqrt(years)).min(DEVIATION_MAX)
}

/// Years of 365 days.
pub fn years(seconds: i64) -> Fraction {
    ratio(seconds.max(0), 365 * 86_400)
}

/// The volatility that has this variance in all over these years, which are not 0.
pub fn volatility(variance: Fraction, years: Fraction) -> Fraction {
    sqrt(over(variance, years))
}
