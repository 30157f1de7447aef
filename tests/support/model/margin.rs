//! Section 6: what an account is worth and what it must hold.

use super::*;

/// The open orders of one account in one instrument.
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    pub buys: i128,
    pub sells: i128,
    pub value: i128,
}

impl Model {
    pub fn equity(&self, account: u32) -> i128 {
        let value = |(id, lots)| {
            let instrument = &self.instruments[&id];
            lots * instrument.mark * instrument.tick_value
        };
        self.accounts[&account] + self.entries_of(account).map(value).sum::<i128>()
    }

    /// What the position table has of an account: instruments and lots, the flat ones too.
    fn entries_of(&self, account: u32) -> impl Iterator<Item = (u32, i128)> {
        let entries = self.positions.range((account, 0)..=(account, u32::MAX));
        entries.map(|((_, id), lots)| (*id, *lots))
    }

    /// 6.3: what the account must hold.
    pub fn requirement(&self, account: u32) -> i128 {
        self.entries_of(account).map(|(id, _)| self.requirement_in(account, id, None, None)).sum()
    }

    /// 6.4: with an order that is not in the book, in the place of one that is.
    pub(super) fn requirement_with(&self, incoming: &Order, replaces: Option<u64>) -> i128 {
        let account = incoming.account;
        let held = self.entries_of(account).map(|(id, _)| id);
        let each: BTreeSet<u32> = held.chain(self.touched(incoming.instrument)).collect();
        each.into_iter().map(|id| self.requirement_in(account, id, Some(incoming), replaces)).sum()
    }

    fn requirement_in(&self, account: u32, id: u32, incoming: Option<&Order>, without: Option<u64>) -> i128 {
        let lots_here = incoming.map_or((0, 0), |order| self.lots_in(order, id));
        let instrument = &self.instruments[&id];
        let (mark, tick_value) = (instrument.mark, instrument.tick_value);
        let itself = incoming.filter(|order| order.instrument == id);
        let mut open = self.open(account, id, without);
        if itself.is_none() {
            // 11.6: a leg of the incoming combo order counts as one of an open one.
            (open.buys, open.sells) = (open.buys + lots_here.0, open.sells + lots_here.1);
        }
        let mut required = 0;
        if let Some(best) = self.best(id, true) {
            required += open.buys * (best - mark).max(0) * tick_value;
        }
        if let Some(best) = self.best(id, false) {
            required += open.sells * (mark - best).max(0) * tick_value;
        }
        if let Some(order) = itself {
            let slip = if order.buy { order.price - mark } else { mark - order.price };
            required += order.leaves * slip.max(0) * tick_value;
        }
        required += self.fees_in(id, &open, itself);
        if instrument.is_combo() {
            return required;
        }
        if itself.is_some() {
            (open.buys, open.sells) = (open.buys + lots_here.0, open.sells + lots_here.1);
        }
        let position = self.position(account, id);
        let worst = (position + open.buys).abs().max((position - open.sells).abs());
        required + share_up(worst * mark * tick_value, instrument.initial_margin_ppm)
    }

    /// The fees of 6.3 and 6.4, or of 11.6.
    fn fees_in(&self, id: u32, open: &Open, incoming: Option<&Order>) -> i128 {
        let instrument = &self.instruments[&id];
        let rates = |it: &Instrument| (it.maker_fee_ppm, it.maker_fee_ppm.max(it.taker_fee_ppm));
        let (maker, dearest, per_lot) = if instrument.is_combo() {
            let legs: Vec<_> = instrument.legs().map(|(leg, _)| rates(&self.instruments[&leg])).collect();
            let highest = |rates: Vec<i128>| rates.into_iter().max().unwrap_or(0);
            let maker = highest(legs.iter().map(|it| it.0).collect());
            let dearest = highest(legs.iter().map(|it| it.1).collect());
            (maker, dearest, Some(instrument.gross_mark * instrument.tick_value))
        } else {
            let (maker, dearest) = rates(instrument);
            (maker, dearest, None)
        };
        let resting = per_lot.map_or(open.value, |value| (open.buys + open.sells) * value);
        let entering =
            incoming.map_or(0, |order| order.leaves * per_lot.unwrap_or(order.price * instrument.tick_value));
        share_up(resting, maker) + share_up(entering, dearest)
    }

    /// How much of an order counts in an instrument: bought and sold.
    fn lots_in(&self, order: &Order, id: u32) -> (i128, i128) {
        let ratio = if order.instrument == id {
            1
        } else {
            self.instruments[&order.instrument].legs().find(|leg| leg.0 == id).map_or(0, |leg| leg.1)
        };
        let lots = order.leaves * ratio.abs();
        if order.buy == (ratio > 0) { (lots, 0) } else { (0, lots) }
    }

    /// `without` is the id of an order that does not count.
    pub(super) fn open(&self, account: u32, id: u32, without: Option<u64>) -> Open {
        let mut open = Open::default();
        let counts = |order: &&Order| order.account == account && Some(order.order_id) != without;
        for order in self.orders.iter().filter(counts) {
            let (bought, sold) = self.lots_in(order, id);
            (open.buys, open.sells) = (open.buys + bought, open.sells + sold);
            if order.instrument == id {
                open.value += order.leaves * order.price * self.instruments[&id].tick_value;
            }
        }
        open
    }
}
