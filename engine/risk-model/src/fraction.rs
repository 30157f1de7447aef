//! Fractions of 56 bits behind the point, from -128 to 128, and the four functions that a pricer needs of them. Each is within
//! two units of the last place of the exact value.

pub use fixed::types::I8F56 as Fraction;

/// Bits behind the point.
pub const PLACES: u32 = 56;
/// The functions work with six more.
const INNER: u32 = 62;
const ONE: i64 = 1 << INNER;
/// ln 2 and 1 / ln 2.
const LN_2: i64 = 0x2c5c_85fd_f473_de6b;
const PER_LN_2: i128 = 0x171_5476_52b8_2fe1;

/// `numerator / denominator`, rounded down. Both fit a fraction once divided.
pub fn ratio(numerator: i64, denominator: i64) -> Fraction {
    narrow((i128::from(numerator) << PLACES).div_euclid(i128::from(denominator)))
}

pub fn times(a: Fraction, b: Fraction) -> Fraction {
    narrow((i128::from(a.to_bits()) * i128::from(b.to_bits())) >> PLACES)
}

/// Rounded down. `b` is not 0.
pub fn over(a: Fraction, b: Fraction) -> Fraction {
    narrow((i128::from(a.to_bits()) << PLACES).div_euclid(i128::from(b.to_bits())))
}

/// `amount * part`, rounded down; the amount may be as long as a price with all places behind it.
pub fn part_of(amount: i128, part: Fraction) -> i128 {
    let (whole, rest) = (amount >> PLACES, amount & ((1 << PLACES) - 1));
    let part = i128::from(part.to_bits());
    whole * part + ((rest * part) >> PLACES)
}

fn narrow(bits: i128) -> Fraction {
    Fraction::from_bits(i64::try_from(bits).expect("a fraction is from -128 to 128"))
}

/// Of a fraction that is not negative.
pub fn sqrt(x: Fraction) -> Fraction {
    let bits = u128::try_from(x.to_bits()).expect("a root of what is not negative") << PLACES;
    narrow(i128::try_from(bits.isqrt()).expect("a root is shorter than its square"))
}

/// e to the power of `x`, which is at most 4.85; below -43 it is 0.
pub fn exp(x: Fraction) -> Fraction {
    let (bits, shift) = exp_parts(i128::from(x.to_bits()));
    let shift = i128::from(INNER - PLACES) - shift;
    match u32::try_from(shift) {
        Ok(0) => Fraction::from_bits(bits),
        Ok(right @ 1..=62) => Fraction::from_bits((bits + (1 << (right - 1))) >> right),
        Ok(_) => Fraction::ZERO,
        Err(_) => narrow(i128::from(bits) << -shift),
    }
}

/// The same for `x` up to 0, with the inner places.
pub(crate) fn exp_inner(x: Fraction) -> i64 {
    let (bits, shift) = exp_parts(i128::from(x.to_bits()));
    let right = u32::try_from(-shift).expect("a power of at most 1");
    if right > 62 { 0 } else { bits >> right }
}

/// The mantissa in inner places, from 0.7 to 1.42, and the power of 2 that it is multiplied by.
fn exp_parts(x: i128) -> (i64, i128) {
    let power = (x * PER_LN_2 + (1 << (2 * PLACES - 1))) >> (2 * PLACES);
    let rest = ((x << (INNER - PLACES)) - power * i128::from(LN_2)) as i64;
    let mut sum = ONE;
    for n in (1..=15).rev() {
        sum = ONE + inner_times(rest, sum) / n;
    }
    (sum, power)
}

pub(crate) fn inner_times(a: i64, b: i64) -> i64 {
    ((i128::from(a) * i128::from(b)) >> INNER) as i64
}

/// The natural logarithm of `a / b`, both above 0.
pub fn ln_ratio(a: u64, b: u64) -> Fraction {
    let ((above, more), (below, less)) = (ln_parts(a), ln_parts(b));
    let sum = i128::from(more - less) * i128::from(LN_2) + 2 * i128::from(above - below);
    narrow((sum + (1 << (INNER - PLACES - 1))) >> (INNER - PLACES))
}

/// Half the logarithm of what is left when the power of 2 is taken out, in inner places, and that power.
fn ln_parts(x: u64) -> (i64, i64) {
    const ROOT_2: u64 = 0xb504_f333_f9de_6484;
    let zeros = x.leading_zeros();
    let mantissa = x << zeros;
    // From 1/sqrt 2 to sqrt 2, in inner places.
    let (mantissa, power) =
        if mantissa > ROOT_2 { (mantissa >> 2, 64 - zeros) } else { (mantissa >> 1, 63 - zeros) };
    let (mantissa, one) = (i128::from(mantissa), i128::from(ONE));
    let z = (((mantissa - one) << INNER) / (mantissa + one)) as i64;
    let square = inner_times(z, z);
    let mut sum = 0;
    for n in (1..=12).rev() {
        sum = inner_times(square, sum + ONE / (2 * n + 1));
    }
    (z + inner_times(z, sum), i64::from(power))
}
