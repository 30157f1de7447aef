//! 8.20 to 8.22: orders that may only bring their account nearer to flat.

use super::matching::serial;
use super::*;

pub const SEEN: [&str; 8] = [
    "a reduce-only order is cut at entry",
    "a reduce-only order stands for all that it can reduce",
    "a reduce-only order is cut by an amend",
    "a resting reduce-only order shrinks",
    "a resting reduce-only order ends",
    "several reduce-only orders end at once",
    "reduce-only orders pass the cap",
    "a seventeenth reduce-only order",
];

const MOST: usize = 16;

impl Model {
    /// 8.20: what an order of this side can reduce.
    fn reducible(&self, order: &Order) -> i128 {
        let lots = self.position(order.account, order.instrument);
        if order.buy { (-lots).max(0) } else { lots.max(0) }
    }

    fn reduce_only_orders(&self, account: u32, instrument: u32) -> impl Iterator<Item = &Order> {
        let counts = move |order: &&Order| {
            order.reduce_only && order.account == account && order.instrument == instrument
        };
        self.orders.iter().filter(counts)
    }

    /// 8.20: a new order, cut.
    pub(super) fn cut(&self, order: Order) -> Result<Order, Refusal> {
        if !order.reduce_only {
            return Ok(order);
        }
        let reducible = self.reducible(&order);
        demand(reducible > 0, Reject::ReduceOnly, 14)?;
        if self.reduce_only_orders(order.account, order.instrument).count() >= MOST {
            return Err(with_detail(Reject::OpenOrderLimit, 14, MOST as i128));
        }
        let qty = order.qty.min(reducible);
        Ok(Order { qty, leaves: qty, ..order })
    }

    /// 8.22: the total of an amended order, cut.
    pub(super) fn cut_amend(&self, old: &Order, total: i128) -> Result<i128, Refusal> {
        if !old.reduce_only {
            return Ok(total);
        }
        let reducible = self.reducible(old);
        demand(reducible > 0, Reject::ReduceOnly, 5)?;
        Ok(old.filled() + (total - old.filled()).min(reducible))
    }

    /// 8.21, for one account whose position changed.
    pub(super) fn reduce(&mut self, now: &Now, account: u32, instrument: u32) {
        let mut orders: Vec<Order> = self.reduce_only_orders(account, instrument).copied().collect();
        orders.sort_by_key(serial);
        let mut ended = 0;
        for order in orders {
            let excess = order.leaves - self.reducible(&order);
            if excess <= 0 {
                continue;
            }
            self.steps += 1;
            ended += u32::from(excess == order.leaves);
            self.note(if excess == order.leaves { SEEN[4] } else { SEEN[3] });
            match self.lose(now, &order, excess, reason::REDUCE_ONLY) {
                Some(rest) => {
                    let place = self.orders.iter_mut().find(|it| it.order_id == rest.order_id);
                    *place.expect("it rests") = rest;
                }
                None => self.remove(&order),
            }
        }
        if ended > 1 {
            self.note(SEEN[5]);
        }
        if self.steps > self.limits().matches_per_command {
            self.note(SEEN[6]);
        }
    }

    /// 7.5.
    pub(super) fn check_reduce_only(&self) {
        for order in self.orders.iter().filter(|order| order.reduce_only) {
            assert!(order.leaves <= self.reducible(order), "7.5: {order:?}");
        }
    }
}
