//! Orders that may only bring their account's position nearer to flat (rules 8.20 to 8.22). Owns each position's list of
//! those that rest, by serial: short, so that every match can look at all of them.

use crate::emit::Voice;
use crate::event::{EventSink, priority, reason};
use crate::limits::REDUCE_ONLY_ORDERS_MAX;
use crate::order::{Order, serial_of};
use crate::pool::NONE;
use crate::position::Position;
use crate::refusal::{Refusal, must, refused};
use crate::reject::Reject;
use crate::units::{Lots, Side};
use crate::venue::Venue;

/// Field 14 of a `NewOrder`.
const FIELD_FLAGS: u16 = 14;

impl Position {
    /// What an order of this side can take away from the position.
    pub fn reducible(&self, side: Side) -> Lots {
        (-side.signed(self.lots)).max(Lots::ZERO)
    }
}

impl Venue {
    /// Rule 8.20: the quantity that an order of `lots` is cut to.
    pub fn cut_to_reduce(&self, entry: Option<u32>, side: Side, lots: Lots) -> Result<Lots, Refusal> {
        let position = entry.map(|slot| self.positions.at(slot));
        let reducible = position.map_or(Lots::ZERO, |position| position.reducible(side));
        must(reducible > Lots::ZERO, refused(Reject::ReduceOnly, FIELD_FLAGS))?;
        let most =
            refused(Reject::OpenOrderLimit, FIELD_FLAGS).with_detail(i64::from(REDUCE_ONLY_ORDERS_MAX));
        let open = position.map_or(0, |position| self.reduce_only_orders(position).count() as u32);
        must(open < REDUCE_ONLY_ORDERS_MAX, most)?;
        Ok(lots.min(reducible))
    }

    /// The reduce-only orders that rest, by serial.
    pub fn reduce_only_orders(&self, position: &Position) -> impl Iterator<Item = &Order> {
        let step = |slot: u32| (slot != NONE).then(|| self.orders.at(slot));
        std::iter::successors(step(position.reduce_only), move |order| {
            step(self.orders.terms(order).reduce_after)
        })
    }

    /// Rule 8.21 after the lots of a position have changed. The entry stays, even when nothing is left in it.
    pub fn cap_reduce_only<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, position: u32) {
        let mut next = self.positions.at(position).reduce_only;
        while next != NONE {
            let order = *self.orders.at(next);
            next = self.orders.terms(&order).reduce_after;
            let reducible = self.positions.at(position).reducible(order.side());
            if order.leaves() <= reducible {
                continue;
            }
            // It happens with or without a step left: the next match must not find too much.
            self.take_step();
            if reducible == Lots::ZERO {
                let (to, leaves) = (order.session(), order.leaves());
                self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::REDUCE_ONLY);
                self.remove(&order);
            } else {
                let order = self.shrink(order.slot(), order.leaves() - reducible);
                self.tell_modified(voice, order.session(), &order, order.cl_ord_id, priority::KEPT);
            }
        }
    }

    /// A reduce-only order rests from now on.
    pub fn join_reduce_only(&mut self, order: &Order) {
        let (mut before, mut after) = (NONE, self.positions.at(order.position).reduce_only);
        while after != NONE && serial_of(self.orders.at(after).id) < serial_of(order.id) {
            before = after;
            after = self.orders.terms(self.orders.at(after)).reduce_after;
        }
        let terms = self.orders.terms_mut(order);
        (terms.reduce_before, terms.reduce_after) = (before, after);
        self.link_reduce_only(order.position, before, order.slot());
        if after != NONE {
            let after = *self.orders.at(after);
            self.orders.terms_mut(&after).reduce_before = order.slot();
        }
    }

    /// A reduce-only order rests no more.
    pub fn leave_reduce_only(&mut self, order: &Order) {
        let terms = *self.orders.terms(order);
        self.link_reduce_only(order.position, terms.reduce_before, terms.reduce_after);
        if terms.reduce_after != NONE {
            let after = *self.orders.at(terms.reduce_after);
            self.orders.terms_mut(&after).reduce_before = terms.reduce_before;
        }
    }

    fn link_reduce_only(&mut self, position: u32, before: u32, slot: u32) {
        if before == NONE {
            self.positions.at_mut(position).reduce_only = slot;
        } else {
            let before = *self.orders.at(before);
            self.orders.terms_mut(&before).reduce_after = slot;
        }
    }
}
