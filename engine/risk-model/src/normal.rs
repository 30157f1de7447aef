//! The normal distribution.

use crate::fraction::{Fraction, PLACES, exp_inner, inner_times};

/// Beyond this the distribution is 0 or 1 to all places.
const END: i64 = 9;
const NODES_PER_UNIT: i64 = 8;
const INNER: u32 = 62;
/// 1 / sqrt(2 pi) in inner places.
const PER_ROOT_2_PI: i64 = 1_839_796_536_686_825_613;
const TERMS: i64 = 18;

/// The density at `x`.
pub fn density(x: Fraction) -> Fraction {
    let x = i128::from(x.to_bits());
    if x.abs() >= i128::from(END) << PLACES {
        return Fraction::ZERO;
    }
    Fraction::from_bits(density_inner(x) >> (INNER - PLACES))
}

fn density_inner(x: i128) -> i64 {
    let half_square = (x * x) >> (PLACES + 1);
    let exponent = Fraction::from_bits(-(half_square as i64));
    inner_times(exp_inner(exponent), PER_ROOT_2_PI)
}

/// The probability of what is at most `x`.
pub fn cumulative(x: Fraction) -> Fraction {
    let tail = tail(x.to_bits().unsigned_abs());
    Fraction::from_bits(if x < Fraction::ZERO { tail } else { (1 << PLACES) - tail })
}

/// What lies above `x`, of which the bits are given: the value at the nearest node, and the series of Taylor from there, whose
/// terms follow from each other as the polynomials of Hermite do.
fn tail(x: u64) -> i64 {
    if x >= (END as u64) << PLACES {
        return 0;
    }
    let x = x as i64;
    let node = (x * NODES_PER_UNIT + (1 << (PLACES - 1))) >> PLACES;
    let step = (x - (node << PLACES) / NODES_PER_UNIT) << (INNER - PLACES);
    let at_node = i128::from(node << PLACES) / i128::from(NODES_PER_UNIT);
    // A term is a derivative times a power of the step, over a factorial.
    let (mut before, mut term, mut sum) = (0, 1_i64 << INNER, 0);
    for n in 0..TERMS {
        sum += term / (n + 1);
        let next = i128::from(node) * i128::from(term) / i128::from(NODES_PER_UNIT) + i128::from(before);
        before = inner_times(step, term);
        term = (-((i128::from(step) * next) >> INNER) / i128::from(n + 1)) as i64;
    }
    let change = inner_times(density_inner(at_node), inner_times(step, sum));
    let tail = (TAILS[node as usize] >> (64 - INNER)) as i64 - change;
    ((tail + (1 << (INNER - PLACES - 1))) >> (INNER - PLACES)).max(0)
}

/// The tail above each eighth from 0 to 9, times 2^64. `tests/float.rs` computes it anew.
#[rustfmt::skip]
const TAILS: [u64; 73] = [
    0x8000000000000000, 0x73445b0efe5a99fa, 0x66bb2ea748949e58, 0x5a949e407a090c65, 0x4efc50ee6a9c490d,
    0x4417a0ac79327f4f, 0x3a04400ad6749b6a, 0x30d769eb014973e1, 0x289da176f964165b, 0x215afb41f3617102,
    0x1b0bdd12ba9c2945, 0x15a61963dc9205f9, 0x111a46d89647ee9e, 0x0d5532dfd27c1706, 0x0a415120a2ab6e54,
    0x07c80e53b2fd9ebb, 0x05d2f3e0b27617e6, 0x044c90edfce009eb, 0x0321249e43a6c24a, 0x023f0b4393652fba,
    0x0196f4e57e49ce46, 0x011bee6c07df1464, 0x00c34821a4f64016, 0x0084644873e6dfb7, 0x00587787e616d75b,
    0x003a435e95c1badb, 0x0025d0dfafa0680d, 0x0018301be4097ac0, 0x000f3ede495bbeea, 0x000977fbfe188f3c,
    0x0005cb65592cb738, 0x00037e6ecc749487, 0x0002135af2a95fff, 0x000136feaecd8d1e, 0x0000b352de5f9227,
    0x000065dd6d1709a3, 0x00003900e51ba760, 0x00001f6c707d24b1, 0x0000111056da03cc, 0x00000920a4ced8d9,
    0x000004cf28bc84ce, 0x0000027ef51b1da5, 0x00000146a16cd7b7, 0x000000a475c6555c, 0x000000518f3ea720,
    0x00000027d668a48e, 0x000000132a35e336, 0x00000009149b1bbc, 0x000000043cc3bc02, 0x00000001f289d487,
    0x00000000e1a6147a, 0x000000006495bf0c, 0x000000002c280966, 0x000000001317156a, 0x000000000820bc4f,
    0x0000000003686e01, 0x0000000001683c36, 0x0000000000927b05, 0x00000000003aa7c8, 0x0000000000172128,
    0x000000000008fb48, 0x0000000000036f3a, 0x0000000000014b14, 0x0000000000007ac4, 0x0000000000002cd4,
    0x000000000000101e, 0x00000000000005b5, 0x00000000000001fd, 0x00000000000000af, 0x000000000000003b,
    0x0000000000000014, 0x0000000000000006, 0x0000000000000002,];
