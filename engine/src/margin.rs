//! Margin: what an account must hold for its positions and open orders, and whether one more order may join them
//! (section 6). Pure arithmetic over the account's position entries; changes nothing.

use crate::instrument::Instrument;
use crate::position::Position;
use crate::units::{Lots, Money, Side, Ticks};
use crate::venue::Venue;

/// An order that asks to be admitted.
#[derive(Clone, Copy)]
pub struct Asked {
    pub side: Side,
    pub ticks: Ticks,
    pub lots: Lots,
}

/// `max(0, above - below)` in ticks: what a fill at `above` loses against `below`.
pub fn excess(above: Ticks, below: Ticks) -> Ticks {
    Ticks((above.0 - below.0).max(0))
}

/// Rule 6.3: `worst` times the mark, at the initial margin's rate.
fn initial_margin(instrument: &Instrument, worst: Lots) -> Money {
    (instrument.mark * worst).share_rounded_up(instrument.tick_value, instrument.initial_margin)
}

/// The larger distance from flat that fills of open orders can lead to.
fn worst(position: Lots, buys: Lots, sells: Lots) -> Lots {
    (position + buys).abs().max((position - sells).abs())
}

/// Rule 6.3: slippage of the open lots against the best prices.
pub fn slippage(instrument: &Instrument, mark: Ticks, position: &Position) -> Money {
    let best = |side| instrument.book.side(side).best_ticks;
    let (above, below) = (excess(best(Side::Buy), mark), excess(mark, best(Side::Sell)));
    if above == Ticks(0) && below == Ticks(0) {
        // Nearly always: the mark lies between the sides.
        return Money::ZERO;
    }
    (above * position.open_buy + below * position.open_sell) * instrument.tick_value
}

/// Rule 6.3 without its first term: slippage and fees of the open orders.
fn open_order_cost(instrument: &Instrument, position: &Position) -> Money {
    if position.open_buy == Lots::ZERO && position.open_sell == Lots::ZERO {
        return Money::ZERO;
    }
    let fees = position.open_value.share_rounded_up(instrument.tick_value, instrument.maker_fee);
    slippage(instrument, instrument.mark, position) + fees
}

/// Rule 6.3 for one instrument that is no combo.
pub fn requirement(instrument: &Instrument, position: &Position) -> Money {
    let worst = worst(position.lots, position.open_buy, position.open_sell);
    initial_margin(instrument, worst) + open_order_cost(instrument, position)
}

/// Rule 6.4 without the open orders' cost, which an order that joins leaves as it is.
fn joined(instrument: &Instrument, position: &Position, asked: Asked) -> Money {
    let Position { lots, open_buy: buys, open_sell: sells, .. } = *position;
    let joined = match asked.side {
        Side::Buy => worst(lots, buys + asked.lots, sells),
        Side::Sell => worst(lots, buys, sells + asked.lots),
    };
    initial_margin(instrument, joined) + own_cost(instrument, asked)
}

/// Rule 6.4: by how much the requirement rises once the order has joined.
fn rise(instrument: &Instrument, position: &Position, asked: Asked) -> Money {
    let worst = worst(position.lots, position.open_buy, position.open_sell);
    joined(instrument, position, asked) - initial_margin(instrument, worst)
}

/// Rule 6.4: slippage and fee of the order itself.
fn own_cost(instrument: &Instrument, asked: Asked) -> Money {
    let slip = match asked.side {
        Side::Buy => excess(asked.ticks, instrument.mark),
        Side::Sell => excess(instrument.mark, asked.ticks),
    };
    let fee = instrument.maker_fee.max(instrument.taker_fee);
    let fees = (asked.ticks * asked.lots).share_rounded_up(instrument.tick_value, fee);
    if slip == Ticks(0) { fees } else { slip * asked.lots * instrument.tick_value + fees }
}

/// Rule 6.6: the order can only bring the position nearer to flat, and costs less than the margin that it sets free.
fn only_closes(instrument: &Instrument, position: &Position, asked: Asked) -> bool {
    let (against, open) = match asked.side {
        Side::Buy => (-position.lots, position.open_buy),
        Side::Sell => (position.lots, position.open_sell),
    };
    open + asked.lots <= against && own_cost(instrument, asked) < initial_margin(instrument, asked.lots)
}

/// Equity and requirement of an account as it stands (rules 6.2 and 6.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub equity: Money,
    pub requirement: Money,
}

impl Venue {
    pub fn standing(&self, account: u32) -> Standing {
        let row = &self.accounts[account];
        let flat = Standing { equity: row.quote, requirement: Money::ZERO };
        self.positions.of(row).fold(flat, |sum, position| {
            let instrument = &self.instruments[position.instrument];
            let held = instrument.mark * position.lots * instrument.tick_value;
            Standing { equity: sum.equity + held, requirement: sum.requirement + self.requirement(position) }
        })
    }

    /// Rules 6.3 and 11.6 for one entry.
    pub fn requirement(&self, position: &Position) -> Money {
        let instrument = &self.instruments[position.instrument];
        if instrument.is_combo { self.combo_requirement(position) } else { requirement(instrument, position) }
    }

    /// Rules 6.5 and 6.6: the money that is missing for an order; `None` when it is admitted.
    pub fn margin_shortfall(&self, instrument: u32, position: &Position, asked: Asked) -> Option<Money> {
        self.shortfall_from(&self.standing(position.account), instrument, position, asked)
    }

    /// The same for an account that is known to stand so.
    pub fn shortfall_from(
        &self,
        standing: &Standing,
        instrument: u32,
        position: &Position,
        asked: Asked,
    ) -> Option<Money> {
        let instrument = &self.instruments[instrument];
        if instrument.is_combo {
            let before = self.combo_requirement(position);
            return self.combo_shortfall(standing, position, before, asked, Lots::ZERO);
        }
        let more = rise(instrument, position, asked);
        let short = standing.requirement + more - standing.equity;
        let refused = short > Money::ZERO && more > Money::ZERO && !only_closes(instrument, position, asked);
        refused.then_some(short)
    }

    /// Rule 5.33: the same for an order that stands in `position` and is judged as if it stood in `without`.
    pub fn amend_shortfall(&self, position: &Position, without: &Position, asked: Asked) -> Option<Money> {
        let instrument = &self.instruments[position.instrument];
        let standing = self.standing(position.account);
        if instrument.is_combo {
            let replaced = position.open_lots(asked.side) - without.open_lots(asked.side);
            return self.combo_shortfall(
                &standing,
                without,
                self.combo_requirement(position),
                asked,
                replaced,
            );
        }
        let with = joined(instrument, without, asked) + open_order_cost(instrument, without);
        let more = with - requirement(instrument, position);
        let short = standing.requirement + more - standing.equity;
        (short > Money::ZERO && more > Money::ZERO).then_some(short)
    }
}
