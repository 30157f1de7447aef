//! The gate that a surface must pass before margin is computed with it: it may not admit arbitrage, and may not jump. What is
//! refused names the expiry, the place and the rule; the surface before it stays.

use std::fmt;

use crate::fraction::{Fraction, ratio};
use crate::svi::{PARAMETER_UNIT, Svi, density_sign};

/// One expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Seconds of Unix time.
    pub expiry: i64,
    /// Above 0, in the units of the venue's prices.
    pub forward: i64,
    pub svi: Svi,
}

/// What is asked of a surface beside the absence of arbitrage, each in `PARAMETER_UNIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A forward is at most this part away from the index.
    pub forward_from_index: i64,
    /// The variance of a node is at most this part above or below what it was.
    pub change: i64,
}

/// A surface: expiries in rising order, seen at a moment, over nodes of log moneyness.
#[derive(Clone, Copy, Debug)]
pub struct Surface<'a> {
    pub slices: &'a [Slice],
    pub index: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NoSlices,
    /// Two expiries that do not rise, or a forward that is not above 0.
    Order,
    Parameters(&'static str),
    /// Total variance is not above 0.
    Variance(Fraction),
    /// A butterfly would cost less than nothing.
    Butterfly(Fraction),
    /// A wing rises faster than 2.
    Wing,
    /// Less total variance than the expiry before.
    Calendar(Fraction),
    /// Too far from the index.
    Forward,
    /// More change than is allowed at once.
    Change(Fraction),
}

/// A fault, and the slice that it was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub slice: usize,
    pub fault: Fault,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "slice {}: ", self.slice)?;
        match self.fault {
            Fault::NoSlices => write!(out, "a surface has at least one slice"),
            Fault::Order => write!(out, "expiries must rise, and forwards be above 0"),
            Fault::Parameters(why) => write!(out, "{why}"),
            Fault::Variance(k) => write!(out, "the variance at log moneyness {k} is not above 0"),
            Fault::Butterfly(k) => write!(out, "it admits a butterfly for nothing at log moneyness {k}"),
            Fault::Wing => write!(out, "b (1 + |rho|) is above 2"),
            Fault::Calendar(k) => {
                write!(out, "the variance at log moneyness {k} is below that of the expiry before")
            }
            Fault::Forward => write!(out, "the forward is too far from the index"),
            Fault::Change(k) => write!(out, "the variance at log moneyness {k} changes too much at once"),
        }
    }
}

/// Log moneyness from -2.4 to 2.4 in 192 steps of 0.025: what the nodes of any grid lie between.
pub fn nodes() -> impl Iterator<Item = Fraction> {
    (-96..=96).map(|step| ratio(step * 25, 1_000))
}

impl Surface<'_> {
    /// Whether this may be priced with; `before` is what is in force, if anything is.
    pub fn admit(&self, before: Option<&Surface<'_>>, bounds: &Bounds) -> Result<(), Refusal> {
        if self.slices.is_empty() {
            return Err(Refusal { slice: 0, fault: Fault::NoSlices });
        }
        for (at, slice) in self.slices.iter().enumerate() {
            let earlier = at.checked_sub(1).map(|before| &self.slices[before]);
            let was = before.and_then(|it| it.slices.iter().find(|was| was.expiry == slice.expiry));
            self.fault(slice, earlier, was, bounds)
                .map_or(Ok(()), |fault| Err(Refusal { slice: at, fault }))?;
        }
        Ok(())
    }

    fn fault(
        &self,
        slice: &Slice,
        earlier: Option<&Slice>,
        was: Option<&Slice>,
        bounds: &Bounds,
    ) -> Option<Fault> {
        if slice.forward <= 0 || earlier.is_some_and(|earlier| earlier.expiry >= slice.expiry) {
            return Some(Fault::Order);
        }
        if let Some(why) = slice.svi.fault() {
            return Some(Fault::Parameters(why));
        }
        if slice.svi.wing() > 2 * PARAMETER_UNIT {
            return Some(Fault::Wing);
        }
        let apart = i128::from(slice.forward) - i128::from(self.index);
        let allowed = i128::from(self.index) * i128::from(bounds.forward_from_index);
        if apart.abs() * i128::from(PARAMETER_UNIT) > allowed {
            return Some(Fault::Forward);
        }
        nodes().find_map(|k| node_fault(k, slice, earlier, was, bounds))
    }
}

fn node_fault(
    k: Fraction,
    slice: &Slice,
    earlier: Option<&Slice>,
    was: Option<&Slice>,
    bounds: &Bounds,
) -> Option<Fault> {
    let curve = slice.svi.at(k);
    match density_sign(k, &curve) {
        None => return Some(Fault::Variance(k)),
        Some(sign) if sign < 0 => return Some(Fault::Butterfly(k)),
        Some(_) => {}
    }
    if earlier.is_some_and(|earlier| earlier.svi.variance(k) > curve.variance) {
        return Some(Fault::Calendar(k));
    }
    let moves = |was: &Slice| {
        let was = i128::from(was.svi.variance(k).to_bits());
        (i128::from(curve.variance.to_bits()) - was).abs() * i128::from(PARAMETER_UNIT)
            > was * i128::from(bounds.change)
    };
    was.filter(|was| moves(was)).map(|_| Fault::Change(k))
}
