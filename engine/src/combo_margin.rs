//! Margin of combos (rule 11.6) and the limits that a combo order meets in its legs (11.4). An open combo order counts in each
//! leg's entry as open lots, and its own entry requires slippage and fees alone. Changes nothing.

use crate::combo::{LEGS_MAX, Leg, RATIO_MAX};
use crate::instrument::TICK_VALUE_MAX;
use crate::limits::{POSITION_LOTS_MAX, PRICE_TICKS_MAX};
use crate::margin::{Asked, Standing, excess, requirement, slippage};
use crate::position::Position;
use crate::refusal::Refusal;
use crate::units::{Lots, Money, Ppm, Side};
use crate::venue::Venue;

/// All legs at the highest mark, times the lots that both sides may have open (rule 4.16 of the legs bounds the combo's),
/// times the highest tick value: the largest product here, and money has room for it.
const _: () = {
    let gross = LEGS_MAX as i128 * RATIO_MAX as i128 * PRICE_TICKS_MAX as i128;
    assert!(gross * (2 * POSITION_LOTS_MAX as i128) < i128::MAX / TICK_VALUE_MAX);
};

/// An account's entry in a leg, and what it becomes.
struct LegEntry {
    stands: Position,
    becomes: Position,
}

impl Venue {
    /// What a combo's own entry requires.
    pub fn combo_requirement(&self, position: &Position) -> Money {
        let id = position.instrument;
        let instrument = &self.instruments[id];
        let open = position.open_buy + position.open_sell;
        slippage(instrument, self.instruments.mark(id), position)
            + self.combo_fee(id, open, instrument.maker_fee)
    }

    /// A rate of the lots' whole value: the legs' fees are of that, whichever way they trade.
    fn combo_fee(&self, id: u32, lots: Lots, rate: Ppm) -> Money {
        let value = self.instruments.gross_mark(id) * lots * self.instruments[id].tick_value;
        value.share_rounded_up(rate)
    }

    /// Slippage and fee of the incoming order itself.
    fn combo_own_cost(&self, id: u32, asked: Asked) -> Money {
        let (instrument, mark) = (&self.instruments[id], self.instruments.mark(id));
        let slip = match asked.side {
            Side::Buy => excess(asked.ticks, mark),
            Side::Sell => excess(mark, asked.ticks),
        };
        let rate = instrument.maker_fee.max(instrument.taker_fee);
        slip * asked.lots * instrument.tick_value + self.combo_fee(id, asked.lots, rate)
    }

    /// Rule 6.5 for a combo order, or for one that is amended and had `replaced` lots open: the money that is missing.
    /// `own` is the combo's entry without it, and `before` what that entry required with it.
    pub fn combo_shortfall(
        &self,
        standing: &Standing,
        own: &Position,
        before: Money,
        asked: Asked,
        replaced: Lots,
    ) -> Option<Money> {
        let mut more = self.combo_requirement(own) - before + self.combo_own_cost(own.instrument, asked);
        for leg in self.instruments.legs(own.instrument).iter() {
            let LegEntry { stands, becomes } = self.leg_entry(own.account, leg, asked, replaced);
            let row = &self.instruments[leg.instrument];
            more += requirement(row, &becomes) - requirement(row, &stands);
        }
        let short = standing.requirement + more - standing.equity;
        (short > Money::ZERO && more > Money::ZERO).then_some(short)
    }

    /// Rule 4.16 in the order of the legs.
    pub fn check_legs_reach(&self, own: &Position, asked: Asked, replaced: Lots) -> Result<(), Refusal> {
        self.instruments.legs(own.instrument).iter().try_for_each(|leg| {
            let LegEntry { becomes, .. } = self.leg_entry(own.account, leg, asked, replaced);
            becomes.check_reach(Asked { side: leg.side(asked.side), ticks: asked.ticks, lots: Lots::ZERO })
        })
    }

    fn leg_entry(&self, account: u32, leg: &Leg, asked: Asked, replaced: Lots) -> LegEntry {
        let entry = self.positions.find(account, leg.instrument);
        let flat = Position::flat(account, leg.instrument);
        let stands = entry.map_or(flat, |slot| *self.positions.at(slot));
        let (mut becomes, side) = (stands, leg.side(asked.side));
        becomes.close_leg(side, leg.lots(replaced));
        becomes.open_leg(side, leg.lots(asked.lots));
        LegEntry { stands, becomes }
    }
}
