//! The same bits for ever: a digest of many prices, Greeks, variances and implied deviations, as it must come out of every build
//! on every machine.

use risk_model::black::Black;
use risk_model::fraction::Fraction;
use risk_model::implied;
use risk_model::svi::Svi;

/// Computed once; another one is another pricer, and a journal that was written with this one no longer replays.
const DIGEST: u64 = 0xf9c0_f4c9_39a6_f9d3;

/// FNV-1a over the little-endian bytes.
struct Digest(u64);

impl Digest {
    fn take(&mut self, number: i64) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn draw(state: &mut u64, below: u64) -> i64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((u128::from(*state) * u128::from(below)) >> 64) as i64
}

#[test]
fn the_digest_of_the_pricer() {
    let (mut state, mut digest) = (7, Digest(0xcbf2_9ce4_8422_2325));
    for round in 0..100_000_i64 {
        let forward = 1 + draw(&mut state, 1 << (20 + round % 36));
        let strike = 1 + draw(&mut state, 2 * forward as u64);
        let fraction = |bits: i64| Fraction::from_bits(bits);
        let volatility = fraction(draw(&mut state, 5 << 56));
        let years = fraction(1 + draw(&mut state, 3 << 56));
        let discount = fraction((1 << 55) + draw(&mut state, 1 << 55));
        let option = Black::new(forward, strike, volatility, years, discount);
        let (worth, greeks) = (option.worth(), option.greeks(volatility, years));
        for number in [worth.call, worth.put, greeks.gamma_value, greeks.vega, greeks.decay] {
            digest.take(number);
        }
        digest.take(greeks.call_delta.to_bits());
        digest.take(greeks.put_delta.to_bits());
        let svi = Svi {
            a: draw(&mut state, 1_000_000_000),
            b: draw(&mut state, 1_000_000_000),
            rho: draw(&mut state, 1_999_999_999) - 999_999_999,
            m: draw(&mut state, 1_000_000_000) - 500_000_000,
            sigma: 1 + draw(&mut state, 1_000_000_000),
        };
        let curve = svi.at(fraction(draw(&mut state, 4 << 56) - (2 << 56)));
        [curve.variance, curve.slope, curve.bend].iter().for_each(|it| digest.take(it.to_bits()));
        if round % 100 == 0 {
            digest.take(implied::deviation(&option, true, worth.call).map_or(-1, Fraction::to_bits));
        }
    }
    assert_eq!(digest.0, DIGEST, "the digest is {:#018x}", digest.0);
}
