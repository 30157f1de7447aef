//! A second pricer, written in floating point with another's functions, against the one in integers.

use risk_model::black::{Black, years};
use risk_model::fraction::{self, Fraction};
use risk_model::implied;
use risk_model::normal::{cumulative, density};

fn fraction(x: f64) -> Fraction {
    Fraction::from_num(x)
}

fn float(x: Fraction) -> f64 {
    x.to_num()
}

/// Deterministic numbers from 0 to 1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn from(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / 2f64.sqrt())
}

/// Call and put.
fn black(forward: f64, strike: f64, deviation: f64, discount: f64) -> (f64, f64) {
    let d1 = libm::log(forward / strike) / deviation + deviation / 2.0;
    let d2 = d1 - deviation;
    let call = forward * normal(d1) - strike * normal(d2);
    let put = strike * normal(-d2) - forward * normal(-d1);
    (discount * call, discount * put)
}

#[test]
fn functions_are_within_a_few_units_of_the_last_place() {
    let mut draw = Draw(1);
    let mut worst = [0f64; 5];
    for _ in 0..200_000 {
        let x = fraction(draw.from(-44.0, 4.8));
        let exact = libm::exp(float(x));
        let e = (float(fraction::exp(x)) - exact).abs() / exact.max(1.0);
        let a = 1 + (libm::exp(draw.from(0.0, 43.0))) as u64;
        let b = 1 + (libm::exp(draw.from(0.0, 43.0))) as u64;
        let l = (float(fraction::ln_ratio(a, b)) - (libm::log(a as f64) - libm::log(b as f64))).abs();
        let y = fraction(draw.from(0.0, 127.0));
        let s = (float(fraction::sqrt(y)) - float(y).sqrt()).abs();
        let z = fraction(draw.from(-10.0, 10.0));
        let n = (float(cumulative(z)) - normal(float(z))).abs();
        let p = (float(density(z))
            - libm::exp(-float(z) * float(z) / 2.0) / libm::sqrt(2.0 * std::f64::consts::PI))
        .abs();
        for (worst, it) in worst.iter_mut().zip([e, l, s, n, p]) {
            *worst = worst.max(it);
        }
    }
    println!(
        "worst differences: exp {:e}, ln {:e}, sqrt {:e}, cumulative {:e}, density {:e}",
        worst[0], worst[1], worst[2], worst[3], worst[4]
    );
    // What a float itself is off by: a few of its own last places.
    assert!(worst[0] < 5e-16 && worst[1] < 2e-14 && worst[2] < 4e-15 && worst[3] < 5e-16 && worst[4] < 5e-16);
}

#[test]
fn the_distribution_has_no_step_between_nodes() {
    // Half way between two nodes the series of both are asked; a wrong figure in the table would be a step.
    for sixteenth in 1..=141 {
        let middle = fraction(f64::from(sixteenth) / 16.0);
        let around = [-1, 0, 1].map(|bits| cumulative(Fraction::from_bits(middle.to_bits() + bits)));
        let slope = float(density(middle));
        for pair in around.windows(2) {
            let step = (pair[1] - pair[0]).to_bits() as f64;
            assert!((step - slope).abs() <= 3.0, "at {middle}: {around:?}");
        }
        assert_eq!(cumulative(-middle), Fraction::ONE - cumulative(middle));
    }
    assert_eq!(cumulative(Fraction::ZERO), Fraction::ONE / 2);
    assert_eq!((cumulative(Fraction::MAX), cumulative(Fraction::MIN)), (Fraction::ONE, Fraction::ZERO));
}

#[test]
fn both_pricers_agree() {
    let mut draw = Draw(2);
    let (mut worst, mut count) = (0f64, 0);
    for _ in 0..200_000 {
        // Prices in 1e-6, forwards from a cent to ten million, strikes from a hundredth to a hundredfold.
        let forward = libm::exp(draw.from(libm::log(1e4), libm::log(1e13))) as i64;
        let strike = (forward as f64 * libm::exp(draw.from(-4.6, 4.6))) as i64 + 1;
        let volatility = fraction(draw.from(0.01, 5.0));
        let years = years(draw.from(60.0, 3.0 * 365.0 * 86_400.0) as i64);
        let discount = fraction(draw.from(0.5, 1.0));
        let option = Black::new(forward, strike, volatility, years, discount);
        let worth = option.worth();
        let (call, put) = black(forward as f64, strike as f64, float(option.deviation), float(discount));
        let off = (worth.call as f64 - call).abs().max((worth.put as f64 - put).abs());
        let scale = forward.max(strike) as f64;
        // Half a unit of rounding, and what a float of this size cannot hold.
        assert!(off <= 1.5 + scale * 4e-15, "{option:?}: {worth:?}, {call} {put}");
        worst = worst.max(off - scale * 4e-15);
        count += 1;
        let parity = fraction::part_of(i128::from(forward - strike), discount);
        assert!((i128::from(worth.call - worth.put) - parity).abs() <= 1);
    }
    println!("pricers: {count} options, worst difference {worst:.3} units");
}

#[test]
fn what_an_option_is_worth_rises_with_the_deviation_and_implies_it() {
    let mut draw = Draw(3);
    let mut count = 0;
    for _ in 0..3_000 {
        let forward = 1_000_000_000 + (draw.next() * 1e11) as i64;
        let strike = (forward as f64 * draw.from(0.6, 1.6)) as i64;
        let deviation = fraction(draw.from(0.01, 2.0));
        let option = Black { forward, strike, deviation, discount: Fraction::ONE };
        for is_call in [true, false] {
            let price = if is_call { option.worth().call } else { option.worth().put };
            let found = implied::deviation(&option, is_call, price).expect("it was made from one");
            let again = Black { deviation: found, ..option }.worth();
            let just_below = Black { deviation: found - Fraction::DELTA, ..option }.worth();
            let of = |worth: risk_model::black::Worth| if is_call { worth.call } else { worth.put };
            assert!(of(again) >= price && (found == Fraction::ZERO || of(just_below) < price), "{option:?}");
            assert!(found <= deviation + Fraction::DELTA * 8);
            count += 1;
        }
    }
    let option = Black { forward: 100, strike: 90, deviation: Fraction::ZERO, discount: Fraction::ONE };
    assert_eq!(implied::deviation(&option, true, 9), None);
    assert_eq!(implied::deviation(&option, true, 101), None);
    assert_eq!(implied::deviation(&option, true, 10), Some(Fraction::ZERO));
    println!("implied: {count} prices");
}
