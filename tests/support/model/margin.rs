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
        let held = self.positions.iter().filter(|((owner, _), _)| *owner == account);
        let worth =
            held.map(|((_, id), lots)| lots * self.instruments[id].mark * self.instruments[id].tick_value);
        self.accounts[&account] + worth.sum::<i128>()
    }

    /// 6.3: what the account must hold.
    pub fn requirement(&self, account: u32) -> i128 {
        self.instruments.keys().map(|id| self.requirement_in(account, *id, None, None)).sum()
    }

    /// 6.4: with an order that is not in the book, in the place of one that is.
    pub(super) fn requirement_with(&self, incoming: &Order, replaces: Option<u64>) -> i128 {
        let each = self.instruments.keys().map(|id| {
            let incoming = Some(incoming).filter(|order| order.instrument == *id);
            (*id, incoming)
        });
        each.map(|(id, here)| self.requirement_in(incoming.account, id, here, replaces)).sum()
    }

    fn requirement_in(&self, account: u32, id: u32, incoming: Option<&Order>, without: Option<u64>) -> i128 {
        if incoming.is_none() && !self.positions.contains_key(&(account, id)) {
            return 0;
        }
        let instrument = &self.instruments[&id];
        let (mark, tick_value) = (instrument.mark, instrument.tick_value);
        let position = self.position(account, id);
        let open = self.open(account, id, without);
        let (mut buys, mut sells) = (open.buys, open.sells);
        let mut required = share_up(open.value, instrument.maker_fee_ppm);
        if let Some(best) = self.best(id, true) {
            required += open.buys * (best - mark).max(0) * tick_value;
        }
        if let Some(best) = self.best(id, false) {
            required += open.sells * (mark - best).max(0) * tick_value;
        }
        if let Some(order) = incoming {
            let dearest = instrument.maker_fee_ppm.max(instrument.taker_fee_ppm);
            required += share_up(order.leaves * order.price * tick_value, dearest);
            if order.buy {
                buys += order.leaves;
                required += order.leaves * (order.price - mark).max(0) * tick_value;
            } else {
                sells += order.leaves;
                required += order.leaves * (mark - order.price).max(0) * tick_value;
            }
        }
        let worst = (position + buys).abs().max((position - sells).abs());
        required + share_up(worst * mark * tick_value, instrument.initial_margin_ppm)
    }

    /// `without` is the id of an order that does not count.
    pub(super) fn open(&self, account: u32, id: u32, without: Option<u64>) -> Open {
        let mut open = Open::default();
        let counts = |order: &&Order| {
            order.account == account && order.instrument == id && Some(order.order_id) != without
        };
        for order in self.orders.iter().filter(counts) {
            open.value += order.leaves * order.price * self.instruments[&id].tick_value;
            *(if order.buy { &mut open.buys } else { &mut open.sells }) += order.leaves;
        }
        open
    }
}
