//! 12.1 and 12.2: which client ids are used, and those that only rise.

use super::*;

pub const SEEN: [&str; 3] = [
    "a closed client id is refused",
    "a client id below the mark is refused",
    "a forgotten client id is taken again",
];

/// A client id whose order has ended.
#[derive(Clone, Copy)]
pub(super) struct Closed {
    account: u32,
    cl_ord_id: u64,
    order_id: u64,
}

impl Model {
    /// 4.8.
    pub(super) fn unused_id(&self, session: &Session, account: u32, cl_ord_id: u64) -> Outcome {
        let is_its = |it: &&Order| it.account == account && it.cl_ord_id == cl_ord_id && !it.quote;
        let open = self.all_orders().find(is_its);
        let closed = self.closed.iter().find(|it| it.account == account && it.cl_ord_id == cl_ord_id);
        let first = open.map(|it| it.order_id).or(closed.map(|it| it.order_id));
        let mark = self.high_water.get(&account).copied().unwrap_or(0);
        let rises = !session.rising_ids || cl_ord_id > mark;
        if first.is_some() || !rises {
            return Err(Refusal { order_id: first.unwrap_or(0), ..refusal(Reject::DuplicateClOrdId, 1) });
        }
        Ok(())
    }

    /// 12.2.
    pub(super) fn raise_high_water(&mut self, session: &Session, order: &Order) {
        if session.rising_ids {
            self.high_water.insert(order.account, order.cl_ord_id);
        }
    }

    /// 12.1: the order has ended.
    pub(super) fn close_id(&mut self, order: &Order) {
        if order.quote {
            return;
        }
        let (account, cl_ord_id, order_id) = (order.account, order.cl_ord_id, order.order_id);
        self.closed.push(Closed { account, cl_ord_id, order_id });
        if self.closed.len() > self.limits().closed_ids as usize {
            let Closed { account, cl_ord_id, .. } = self.closed.remove(0);
            self.past_ids.insert((account, cl_ord_id));
        }
    }
}
