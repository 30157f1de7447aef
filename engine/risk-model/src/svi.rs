//! A slice of the surface: the total variance of one expiry as a function of log moneyness, in the raw parameters of SVI
//! (Gatheral), and what tells whether it admits arbitrage between strikes.

use crate::fraction::{Fraction, PLACES, over, ratio, sqrt, times};

/// Parameters are given in this part of 1.
pub const PARAMETER_UNIT: i64 = 1_000_000_000;
/// Log moneyness is taken from -10 to 10: e^10 is 22,026.
pub const MONEYNESS_MAX: Fraction = Fraction::lit("10");

/// `a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`, each in `PARAMETER_UNIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Svi {
    pub a: i64,
    pub b: i64,
    pub rho: i64,
    pub m: i64,
    pub sigma: i64,
}

/// Total variance and its first two derivatives in log moneyness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    pub variance: Fraction,
    pub slope: Fraction,
    pub bend: Fraction,
}

/// The parameters as fractions.
#[derive(Clone, Copy, Debug)]
struct Raw {
    a: Fraction,
    b: Fraction,
    rho: Fraction,
    m: Fraction,
    sigma: Fraction,
}

impl Svi {
    fn raw(&self) -> Raw {
        let part = |parameter| ratio(parameter, PARAMETER_UNIT);
        Raw {
            a: part(self.a),
            b: part(self.b),
            rho: part(self.rho),
            m: part(self.m),
            sigma: part(self.sigma),
        }
    }

    /// Why these are no parameters of a slice.
    pub fn fault(&self) -> Option<&'static str> {
        let beyond = |it: i64, bound: i64| it.unsigned_abs() > (bound * PARAMETER_UNIT) as u64;
        // So that no variance leaves the range of a fraction.
        if beyond(self.a, 8) || beyond(self.m, 8) || beyond(self.b, 4) || beyond(self.sigma, 4) {
            Some("a and m must be from -8 to 8, b and sigma at most 4")
        } else if self.rho.unsigned_abs() >= PARAMETER_UNIT as u64 {
            Some("rho must be between -1 and 1")
        } else if self.b < 0 || self.sigma <= 0 {
            Some("b must not be negative and sigma must be above 0")
        } else {
            None
        }
    }

    /// At a log moneyness within `MONEYNESS_MAX`.
    pub fn at(&self, k: Fraction) -> Curve {
        let Raw { a, b, rho, m, sigma } = self.raw();
        let x = k.clamp(-MONEYNESS_MAX, MONEYNESS_MAX).saturating_sub(m).clamp(-MONEYNESS_MAX, MONEYNESS_MAX);
        let squared = times(sigma, sigma);
        let root = sqrt(times(x, x) + squared).max(Fraction::DELTA);
        let direction = over(x, root);
        Curve {
            variance: a + times(b, times(rho, x) + root),
            slope: times(b, rho + direction),
            // b sigma^2 / root^3, divided one after the other so that nothing leaves the range.
            bend: times(b, bend(sigma, root)),
        }
    }

    pub fn variance(&self, k: Fraction) -> Fraction {
        self.at(k).variance
    }

    /// The larger slope of the two wings, `b (1 + |rho|)`, in `PARAMETER_UNIT`, rounded up. Above 2 a wing admits arbitrage (Lee).
    pub fn wing(&self) -> i64 {
        let slope = i128::from(self.b) * i128::from(PARAMETER_UNIT + self.rho.abs());
        let slope = slope + i128::from(PARAMETER_UNIT) - 1;
        (slope / i128::from(PARAMETER_UNIT)) as i64
    }
}

/// `sigma^2 / root^3`; the curvature of a vertex that is all but a corner is cut at 100.
fn bend(sigma: Fraction, root: Fraction) -> Fraction {
    let share = over(sigma, root);
    let square = times(share, share).to_bits();
    let quotient = (i128::from(square) << PLACES) / i128::from(root.to_bits());
    i64::try_from(quotient).map_or(Fraction::lit("100"), Fraction::from_bits).min(Fraction::lit("100"))
}

/// Gatheral's g times the square of the variance: below 0 where the slice implies a negative density. None where the variance is
/// not above 0. Without a division, so that its sign is that of the exact value wherever that is not next to 0.
pub fn density_sign(k: Fraction, curve: &Curve) -> Option<i128> {
    let Curve { variance, slope, bend } = *curve;
    if variance <= Fraction::ZERO {
        return None;
    }
    // g = (1 - k w' / 2w)^2 - w'^2 / 4 (1/w + 1/4) + w''/2
    let product = |a: i128, b: i128| (a * b) >> PLACES;
    let [k, w, slope, bend] = [k, variance, slope, bend].map(|it| i128::from(it.to_bits()));
    let lean = w - product(k, slope) / 2;
    let (steep, square) = (product(slope, slope), product(w, w));
    Some(
        product(lean, lean) - product(steep, w) / 4 - product(steep, square) / 16 + product(bend, square) / 2,
    )
}
