//! A whole surface from three numbers an expiry (SSVI, Gatheral and Jacquier): the variance at the money, the steepness and one
//! correlation. Each slice is one of SVI, and whether it admits arbitrage between strikes is told by two inequalities.

use crate::fraction::{Fraction, part_of, ratio, sqrt, times};
use crate::svi::{PARAMETER_UNIT, Svi};

/// `theta / 2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))`, each in `PARAMETER_UNIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssvi {
    pub theta: i64,
    pub phi: i64,
    pub rho: i64,
}

/// The sufficient conditions of Theorem 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Butterfly {
    /// `theta phi (1 + |rho|) < 4`
    pub is_slope_in_order: bool,
    /// `theta phi^2 (1 + |rho|) <= 4`
    pub is_bend_in_order: bool,
}

impl Ssvi {
    pub fn butterfly(&self) -> Butterfly {
        // A product that overflows is far above either bound.
        let unit = i128::from(PARAMETER_UNIT);
        let (theta, phi) = (i128::from(self.theta), i128::from(self.phi));
        let tilt = unit + i128::from(self.rho.abs());
        let Some(product) = theta.checked_mul(phi).and_then(|it| it.checked_mul(tilt)) else {
            return Butterfly { is_slope_in_order: false, is_bend_in_order: false };
        };
        let cube = unit * unit * unit;
        Butterfly {
            is_slope_in_order: product < 4 * cube,
            is_bend_in_order: product.checked_mul(phi).is_some_and(|it| it <= 4 * cube * unit),
        }
    }

    /// The same curve in the parameters of SVI; None where they leave its range.
    pub fn slice(&self) -> Option<Svi> {
        let unit = PARAMETER_UNIT;
        if self.phi <= 0 || self.rho.abs() >= unit || self.theta <= 0 {
            return None;
        }
        let part = |number: i128| i64::try_from(number).ok();
        let (theta, phi, rho) = (i128::from(self.theta), i128::from(self.phi), i128::from(self.rho));
        let unit_wide = i128::from(unit);
        let square = ratio(self.rho, unit);
        let spread = sqrt(Fraction::ONE - times(square, square));
        let svi = Svi {
            a: part(theta * (unit_wide * unit_wide - rho * rho) / (2 * unit_wide * unit_wide))?,
            b: part(theta * phi / (2 * unit_wide))?,
            rho: self.rho,
            m: part(-rho * unit_wide / phi)?,
            sigma: part(part_of(unit_wide, spread) * unit_wide / phi)?,
        };
        svi.fault().is_none().then_some(svi)
    }
}
