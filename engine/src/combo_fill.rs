//! A match of a combo: all legs trade at once, at prices that sum to the combo's (rule 11.5); and how the lots of a combo
//! order that is open count in the legs (11.6). `matching` decides what meets what.

use crate::combo::Leg;
use crate::emit::Voice;
use crate::event::{EventSink, liquidity};
use crate::matching::{Execution, Match};
use crate::order::Order;
use crate::position::Position;
use crate::units::{Lots, Money, Side, Ticks};
use crate::venue::Venue;

/// What one leg of a match moves between the taker and the maker.
#[derive(Clone, Copy)]
struct LegTrade {
    leg: Leg,
    ticks: Ticks,
    lots: Lots,
    value: Money,
}

impl Venue {
    /// Rule 11.5. A match needs one step, which is taken, and uses as many more as it has legs.
    pub fn fill_combo<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        made: &Match,
        ticks: Ticks,
        taker: &Order,
        maker: &Order,
    ) {
        let legs = self.instruments.legs(made.instrument);
        let prices = self.instruments.leg_prices(made.instrument, ticks);
        let trades = || {
            legs.iter().zip(prices).map(|(leg, ticks)| LegTrade {
                leg: *leg,
                ticks,
                lots: leg.lots(made.lots),
                // The combo has its legs' tick value.
                value: ticks * leg.lots(made.lots) * self.instruments[made.instrument].tick_value,
            })
        };
        let mut planned = [None; crate::combo::LEGS_MAX];
        planned.iter_mut().zip(trades()).for_each(|(place, trade)| *place = Some(trade));
        self.take_more_steps(legs.as_slice().len() as u32);
        for (order, role) in [(taker, liquidity::TAKER), (maker, liquidity::MAKER)] {
            for trade in planned.iter().flatten() {
                self.move_leg(order, trade, role);
            }
        }
        for (order, role) in [(taker, liquidity::TAKER), (maker, liquidity::MAKER)] {
            self.tell_legs(voice, made, order, role, &planned);
        }
    }

    fn tell_legs<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        made: &Match,
        order: &Order,
        liquidity: u8,
        trades: &[Option<LegTrade>],
    ) {
        let fees = trades.iter().flatten().map(|trade| self.leg_fee(trade, liquidity));
        let fee = fees.fold(Money::ZERO, |sum, fee| sum + fee);
        let whole = Execution { order, side: order.side(), fee, position: Lots::ZERO, liquidity };
        self.tell_executed(voice, made, &whole);
        let account = self.positions.at(order.position).account;
        for trade in trades.iter().flatten() {
            let instrument = trade.leg.instrument;
            let price = self.instruments[instrument].price_shown(trade.ticks);
            let part = Match { id: made.id, instrument, price, lots: trade.lots };
            let held = self.positions.find(account, instrument).map(|slot| self.positions.at(slot).lots);
            let side = trade.leg.side(order.side());
            let position = held.expect("a leg that has traded has an entry");
            let fee = self.leg_fee(trade, liquidity);
            self.tell_executed(voice, &part, &Execution { order, side, fee, position, liquidity });
        }
    }

    /// The fee of one side of one leg, whose value may be negative (rule 11.5).
    fn leg_fee(&self, trade: &LegTrade, role: u8) -> Money {
        let leg = &self.instruments[trade.leg.instrument];
        let rate = if role == liquidity::MAKER { leg.maker_fee } else { leg.taker_fee };
        trade.value.abs().share_rounded_up(rate)
    }

    fn move_leg(&mut self, order: &Order, trade: &LegTrade, role: u8) {
        let account = self.positions.at(order.position).account;
        let entry = self.entry(account, trade.leg.instrument);
        let side = trade.leg.side(order.side());
        let fee = self.leg_fee(trade, role);
        self.move_lots_and_money(entry, side, trade.lots, trade.value, fee);
    }

    /// Rules 8.21 and 11.5: leg by leg, the taker's reduce-only orders, then the maker's.
    pub fn cap_legs<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        combo: u32,
        taker: &Order,
        maker: &Order,
    ) {
        let [taker, maker] = [taker, maker].map(|order| self.positions.at(order.position).account);
        for leg in self.instruments.legs(combo).iter() {
            let entry = self.entry(taker, leg.instrument);
            self.cap_reduce_only(voice, entry);
            if maker != taker {
                let entry = self.entry(maker, leg.instrument);
                self.cap_reduce_only(voice, entry);
            }
        }
    }

    /// The account's entry in an instrument, made when there is none. A combo order was only accepted while there was one
    /// for each leg (rule 11.4), and nothing takes one while the order meets others.
    fn entry(&mut self, account: u32, instrument: u32) -> u32 {
        self.positions.find(account, instrument).unwrap_or_else(|| {
            self.positions.enter(&mut self.accounts[account], Position::flat(account, instrument))
        })
    }

    /// Rule 11.6: counts open lots of a combo order in the legs.
    pub fn open_legs(&mut self, account: u32, combo: u32, side: Side, lots: Lots) {
        for leg in self.instruments.legs(combo).iter() {
            let entry = self.entry(account, leg.instrument);
            self.positions.at_mut(entry).open_leg(leg.side(side), leg.lots(lots));
        }
    }

    pub fn close_legs(&mut self, account: u32, combo: u32, side: Side, lots: Lots) {
        for leg in self.instruments.legs(combo).iter() {
            let entry = self.entry(account, leg.instrument);
            self.positions.at_mut(entry).close_leg(leg.side(side), leg.lots(lots));
        }
    }

    /// Gives the entries of the legs back in which nothing is left, save those that are busy.
    pub fn leave_legs(&mut self, account: u32, combo: u32, busy: &[u32]) {
        for leg in self.instruments.legs(combo).iter() {
            if let Some(entry) = self.positions.find(account, leg.instrument)
                && !busy.contains(&entry)
            {
                self.positions.leave_if_empty(&mut self.accounts[account], entry);
            }
        }
    }
}
