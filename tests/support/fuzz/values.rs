//! What one byte of an input stands for in a field of each kind: mostly values that meet what is there already. From
//! `RAW` on a byte says that the field's own bytes follow, so that every value can be had.

use engine::limits::PRICE_TICKS_MAX;
use engine::message::{NULL_I64, NULL_U64};

use super::layouts::Kind;
use crate::model::{Model, Order, band};

pub const RAW: u8 = 0xf0;

/// What values are chosen by.
pub struct Scene<'a> {
    pub model: &'a Model,
    pub ts_ns: u64,
    /// Of the session that speaks; 0 without one.
    pub account: u32,
    /// Named by the command so far.
    pub instrument: u32,
    /// Highest client id that was given out.
    pub client_id: u64,
}

/// Where most of the trade is.
const INSTRUMENTS: [u32; 8] = [1, 2, 3, 4, 11, 12, 21, 22];
const AHEAD_NS: [u64; 12] = [
    0,
    1,
    700,
    40_000,
    1_000_000,
    8_000_000,
    90_000_000,
    999_999_999,
    1_000_000_000,
    3_500_000_000,
    3_600_000_000_000,
    86_400_000_000_000,
];

/// The value that `byte`, below `RAW`, stands for. The field takes as many of its low bits as it has.
pub fn value(scene: &Scene<'_>, kind: Kind, byte: u8) -> u64 {
    let small = u64::from(byte);
    match kind {
        Kind::Byte | Kind::Fill | Kind::Small => small,
        Kind::Limit if byte < 0x40 => NULL_I64 as u64,
        Kind::Limit => small - 0x40,
        Kind::Instrument if byte < 0x80 => INSTRUMENTS[usize::from(byte % 8)].into(),
        Kind::Instrument => small - 0x80,
        Kind::Account if byte < 0xc0 => scene.account.into(),
        Kind::Account => small - 0xc0,
        Kind::OrderId => named(scene, byte).map_or(0, |order| order.order_id),
        Kind::Named => named(scene, byte).map_or(0, |order| order.cl_ord_id),
        Kind::ClientId if byte < 0x80 => scene.client_id.wrapping_add(1 + small),
        Kind::ClientId => small - 0x80,
        Kind::Price => price(scene, byte) as u64,
        Kind::Qty if byte < 0xb0 => small,
        Kind::Qty if byte < 0xc0 => NULL_I64 as u64,
        Kind::Qty => 1 << (byte - 0xc0),
        Kind::Time if byte < 0x80 => NULL_U64,
        Kind::Until if byte < 0x40 => 0,
        Kind::Time | Kind::Until => scene.ts_ns.saturating_add(ahead(byte)),
        Kind::Ppm => {
            [0, 1, 50, 200, 1_000, 20_000, 99_999, 100_000, 333_333, 1_000_000][usize::from(byte) % 10]
        }
        Kind::Amount if byte < 0x80 => 10u64.pow(u32::from(byte) % 19),
        Kind::Amount => 10u64.pow(u32::from(byte) % 19).wrapping_neg(),
        Kind::Ratio => (i64::from(byte) % 19 - 9) as u64,
    }
}

/// Clocks of a script stop two days before the last moment that 64 bits can say: no day ends and no auction's second
/// comes after it.
const LAST_NS: u64 = u64::MAX - 2 * 86_400_000_000_000;

/// Where the clock stands so much later.
pub fn later(ts_ns: u64, by_ns: u64) -> u64 {
    ts_ns.saturating_add(by_ns).min(LAST_NS)
}

pub fn ahead(byte: u8) -> u64 {
    AHEAD_NS[usize::from(byte) % AHEAD_NS.len()]
}

/// An open order of the account, or with a higher byte of anybody; none for low ones.
fn named<'a>(scene: &Scene<'a>, byte: u8) -> Option<&'a Order> {
    let own_alone = byte < 0xc0;
    let model = scene.model;
    let wanted = |order: &&Order| !own_alone || order.account == scene.account;
    let open: Vec<&Order> = model.open_orders().iter().chain(model.armed()).filter(wanted).collect();
    let index = usize::from(byte.checked_sub(0x60)?);
    open.get(index % open.len().max(1)).copied()
}

/// Around the mark, the best prices and the band of the instrument, or at what bounds all prices.
fn price(scene: &Scene<'_>, byte: u8) -> i64 {
    let Some(instrument) = scene.model.instrument(scene.instrument) else {
        return if byte == 0 { NULL_I64 } else { i64::from(byte) };
    };
    let near = |centre: Option<i128>, zero: u8| {
        centre.unwrap_or(instrument.mark) + i128::from(byte) - i128::from(zero)
    };
    let best = |buy| scene.model.best(scene.instrument, buy);
    let (low, high) = band(instrument).unwrap_or((1, PRICE_TICKS_MAX.into()));
    let ticks = match byte {
        0 => return NULL_I64,
        0x01..0x80 => near(None, 0x40),
        0x80..0xa0 => near(best(true), 0x90),
        0xa0..0xc0 => near(best(false), 0xb0),
        0xc0..0xd0 => near(Some(low), 0xc8),
        0xd0..0xe0 => near(Some(high), 0xd8),
        0xe0..0xe8 => near(Some(0), 0xe4),
        _ => near(Some(PRICE_TICKS_MAX.into()), 0xec),
    };
    let price = ticks * instrument.tick_size;
    price.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
