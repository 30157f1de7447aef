//! Open orders and positions of one account, as the events of one session tell them. Told from the session's first
//! message on it is whole; a venue that keeps less gives what it keeps. Knows no connection.

use std::collections::BTreeMap;

use engine::command::NewTriggerOrder;
use engine::event::{OrderExecuted, OrderRejected, status};
use engine::message::Message;
use engine::reject::Reject;

use super::{Body, Event};

/// An order that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The member's own id of it.
    pub cl_ord_id: u64,
    /// The instrument's id.
    pub instrument: u32,
    /// As on the wire: 1 buy, 2 sell.
    pub side: u8,
    /// Null for an order at the market that waits for its trigger.
    pub price9: i64,
    /// In all, what is filled included.
    pub lots: i64,
    /// What may still trade.
    pub leaves: i64,
    /// It waits for its trigger.
    pub armed: bool,
}

/// It was armed, fired, and is gone. Refused at its entry it has no id, or that of an order with the same client id.
pub fn is_refused_at_its_trigger(rejected: &OrderRejected) -> bool {
    rejected.ref_template_id == NewTriggerOrder::TEMPLATE
        && rejected.order_id != 0
        && rejected.code != Reject::DuplicateClOrdId.code()
}

/// What one session's events say that its account holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portfolio {
    /// By the venue's order id.
    pub orders: BTreeMap<u64, OpenOrder>,
    /// Lots by instrument; what is flat is not listed.
    pub positions: BTreeMap<u32, i64>,
}

impl Portfolio {
    /// Takes one event, each once and in order.
    pub fn hear(&mut self, event: &Event) {
        if event.is_history() {
            return;
        }
        match &event.body {
            Body::Accepted(accepted) => {
                let order = OpenOrder {
                    cl_ord_id: accepted.cl_ord_id.get(),
                    instrument: accepted.instrument_id.get(),
                    side: accepted.side,
                    price9: accepted.price.get(),
                    lots: accepted.qty.get(),
                    leaves: accepted.leaves_qty.get(),
                    armed: accepted.status == status::SUSPENDED,
                };
                self.orders.insert(accepted.order_id.get(), order);
            }
            Body::Modified(modified) => {
                if let Some(open) = self.orders.get_mut(&modified.order_id.get()) {
                    open.price9 = modified.price.get();
                    open.lots = modified.qty.get();
                    open.leaves = modified.leaves_qty.get();
                    // An armed order cannot be amended: what tells of it is its firing.
                    open.armed = false;
                }
            }
            Body::Executed(fill) => self.fill(fill),
            Body::Rejected(rejected) if is_refused_at_its_trigger(rejected) => {
                self.orders.remove(&rejected.order_id.get());
            }
            Body::Canceled(canceled) => {
                self.orders.remove(&canceled.order_id.get());
            }
            _ => {}
        }
    }

    fn fill(&mut self, fill: &OrderExecuted) {
        let (order, leaves) = (fill.order_id.get(), fill.leaves_qty.get());
        if leaves == 0 {
            self.orders.remove(&order);
        } else if let Some(open) = self.orders.get_mut(&order) {
            open.leaves = leaves;
        }
        match fill.position.get() {
            0 => self.positions.remove(&fill.instrument_id.get()),
            lots => self.positions.insert(fill.instrument_id.get(), lots),
        };
    }
}
