//! Section 11: instruments of several legs, and what becomes of a price, a quantity or a value in them.

use engine::limits::ORDER_VALUE_MAX;

use super::*;

const FUTURE_COMBO: u8 = 5;

impl Model {
    /// 11.1.
    pub(super) fn combo_create(&mut self, it: &ComboCreate) -> Outcome {
        use Reject::*;
        let id = it.instrument_id.get();
        demand((1..=self.limits().instruments).contains(&id), InvalidParameter, 5)?;
        demand(!self.instruments.contains_key(&id), AlreadyExists, 5)?;
        let legs = it.leg_instruments.iter().zip(&it.leg_ratios);
        let legs: Vec<(u32, i128)> = legs.map(|(leg, ratio)| (leg.get(), ratio.get().into())).collect();
        let count = legs.iter().take_while(|leg| leg.0 != 0).count();
        let unused = legs[count..].iter().all(|leg| *leg == NO_LEG);
        demand(count >= 2 && unused, InvalidParameter, 2)?;
        let legs = &legs[..count];
        for (at, (leg, _)) in legs.iter().enumerate() {
            let known = self.instruments.get(leg).ok_or(refusal(UnknownInstrument, 2))?;
            demand(!known.is_combo(), InvalidParameter, 2)?;
            demand(legs[..at].iter().all(|earlier| earlier.0 != *leg), InvalidParameter, 2)?;
        }
        let small = legs.iter().all(|(_, ratio)| (1..=8).contains(&ratio.abs()));
        let single = legs.iter().any(|(_, ratio)| ratio.abs() == 1);
        demand(small && single, InvalidParameter, 3)?;
        let first = self.instruments[&legs[0].0];
        let sizes = |it: &Instrument| (it.tick_size, it.lot_size, it.contract_size);
        let alike = legs.iter().all(|leg| sizes(&self.instruments[&leg.0]) == sizes(&first));
        demand(alike, InvalidParameter, 2)?;
        demand((1..=i64::from(i32::MAX)).contains(&it.qty_max.get()), InvalidParameter, 4)?;
        demand((1..=1_000_000).contains(&it.price_band_ppm.get()), InvalidParameter, 6)?;
        let mut instrument = Instrument {
            kind: FUTURE_COMBO,
            qty_max: it.qty_max.get().into(),
            band_ppm: it.price_band_ppm.get().into(),
            state: states::OPEN,
            auction: None,
            index: None,
            matched: None,
            delta: 0,
            vega: 0,
            ..first
        };
        instrument.legs[..count].copy_from_slice(legs);
        self.instruments.insert(id, instrument);
        self.mark_combos();
        Ok(())
    }

    /// 11.2: the marks that follow from the legs'.
    pub(super) fn mark_combos(&mut self) {
        let marks: BTreeMap<u32, i128> = self.instruments.iter().map(|(id, it)| (*id, it.mark)).collect();
        for combo in self.instruments.values_mut().filter(|it| it.is_combo()) {
            combo.mark = combo.legs().map(|(leg, ratio)| ratio * marks[&leg]).sum();
            combo.gross_mark = combo.legs().map(|(leg, ratio)| ratio.abs() * marks[&leg]).sum();
        }
    }

    /// What a match at `price` trades: each instrument with its ratio and its price (11.5).
    pub(super) fn shares(&self, id: u32, price: i128) -> Vec<(u32, i128, i128)> {
        let instrument = &self.instruments[&id];
        if !instrument.is_combo() {
            return vec![(id, 1, price)];
        }
        let mut highest: Option<(u32, i128)> = None;
        for (leg, ratio) in instrument.legs().filter(|(_, ratio)| ratio.abs() == 1) {
            let mark = self.instruments[&leg].mark;
            if highest.is_none_or(|(best, _)| mark > self.instruments[&best].mark) {
                highest = Some((leg, ratio));
            }
        }
        let (adjusted, sign) = highest.expect("11.1: one ratio is 1 or -1");
        let share = |(leg, ratio): (u32, i128)| {
            let off = if leg == adjusted { sign * (price - instrument.mark) } else { 0 };
            (leg, ratio, self.instruments[&leg].mark + off)
        };
        instrument.legs().map(share).collect()
    }

    /// The instruments whose positions an order moves, with their ratios.
    pub(super) fn ratios(&self, id: u32) -> Vec<(u32, i128)> {
        let instrument = &self.instruments[&id];
        if instrument.is_combo() { instrument.legs().collect() } else { vec![(id, 1)] }
    }

    /// The instruments in which an order needs a position entry (11.4).
    pub(super) fn touched(&self, id: u32) -> Vec<u32> {
        let legs = self.instruments[&id].legs().map(|leg| leg.0);
        [id].into_iter().chain(legs).collect()
    }

    /// 4.15 and 11.4.
    pub(super) fn within_value(&self, order: &Order) -> Outcome {
        let combo = self.instruments[&order.instrument].is_combo();
        for (id, ratio) in self.ratios(order.instrument) {
            let instrument = &self.instruments[&id];
            let price = if combo { instrument.mark } else { order.price };
            if order.leaves * ratio.abs() * price * instrument.tick_value > ORDER_VALUE_MAX {
                return Err(with_detail(Reject::MaxOrderValue, 0, ORDER_VALUE_MAX));
            }
        }
        let own = order.leaves * order.price.abs() * self.instruments[&order.instrument].tick_value;
        if combo && own > ORDER_VALUE_MAX {
            return Err(with_detail(Reject::MaxOrderValue, 0, ORDER_VALUE_MAX));
        }
        Ok(())
    }
}
