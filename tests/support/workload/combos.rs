//! Combos: those that every venue with combos has, orders in them, and every way to refuse another.

use zerocopy::little_endian::{I32, U32};

use super::*;

/// A spread, a butterfly, a leg that weighs eight, four legs, two of the smallest lots, and two of the largest.
#[rustfmt::skip]
const PATTERNS: [[(u32, i32); 4]; 6] = [
    [(11, 1), (12, -1), (0, 0), (0, 0)],
    [(11, 1), (12, -2), (1, 1), (0, 0)],
    [(12, -1), (13, 8), (0, 0), (0, 0)],
    [(13, 1), (11, 2), (12, -2), (1, -8)],
    [(4, 1), (14, -8), (0, 0), (0, 0)],
    [(15, 1), (3, -1), (0, 0), (0, 0)],
];

pub(super) fn listed() -> Vec<ComboCreate> {
    let combos = COMBOS.iter().zip(&PATTERNS);
    combos.map(|(id, legs)| combo(*id, legs, super::listed(legs[0].0).qty_max)).collect()
}

fn combo(id: u32, legs: &[(u32, i32); 4], qty_max: i64) -> ComboCreate {
    ComboCreate {
        symbol: [b'C'; 32],
        leg_instruments: legs.map(|leg| U32::new(leg.0)),
        leg_ratios: legs.map(|leg| I32::new(leg.1)),
        qty_max: qty_max.into(),
        instrument_id: id.into(),
        price_band_ppm: if id == 22 { 1_000_000 } else { 20 }.into(),
    }
}

impl Workload {
    pub(super) fn combo_order(&mut self, model: &Model, ts_ns: u64) -> Step {
        let id = self.draw.of(&COMBOS);
        let reach = self.draw.of(&[4, 4, 4, 40, 100_000]);
        let mut order = self.order_in(model, ts_ns, id, reach);
        if self.draw.one_in(3) {
            let touch = self.price_at_the_touch(model, id, order.side == 1);
            order.price = touch.unwrap_or(order.price.get()).into();
        }
        if self.draw.one_in(30) {
            order.flags = (order.flags.get() | 4).into();
        }
        self.send_order(model, ts_ns, order)
    }

    pub(super) fn combo_create(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut legs = self.draw.of(&PATTERNS[..4]);
        let mut it =
            combo(self.draw.of(&[ODD_COMBO, ODD_COMBO, ODD_COMBO, 0, 1, 21, INSTRUMENTS + 1]), &legs, 100);
        let leg = self.draw.below(4) as usize;
        match self.draw.below(14) {
            0 => legs[leg] = (0, 0),
            1 => legs[leg].0 = self.draw.of(&[10, 27, 99, u32::MAX]),
            2 => legs[leg].0 = 21,
            3 => legs[1].0 = legs[0].0,
            4 => legs[leg].1 = self.draw.of(&[0, 9, -9, i32::MIN, i32::MAX]),
            5 => legs.iter_mut().for_each(|leg| leg.1 *= 2),
            6 => legs[leg].0 = self.draw.of(&[2, 4, 5, 6]),
            7 => it.qty_max = self.draw.of(&[0, -1, 2_147_483_648, i64::MAX]).into(),
            8 => it.price_band_ppm = self.draw.of(&[0, 1_000_001, u32::MAX]).into(),
            9 => legs = [(11, 1), (0, 0), (0, 0), (0, 0)],
            10 => legs = [(0, 0), (11, 1), (12, 1), (0, 0)],
            11 => legs[3].1 = 1,
            12 if self.draw.one_in(8) => {}
            _ => it.instrument_id = self.draw.of(&[0, 1, 21, u32::MAX]).into(),
        }
        it.leg_instruments = legs.map(|leg| U32::new(leg.0));
        it.leg_ratios = legs.map(|leg| I32::new(leg.1));
        self.privileged(model, ts_ns, Role::Admin, it)
    }
}
