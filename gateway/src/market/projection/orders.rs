//! What events of orders change in the public books. An order is on its way as a taker until its command has no more matches for
//! it; then it rests, unless the cap on steps makes it wait (rule 5.6).

use engine::command::{NewTriggerOrder, side_or_both};
use engine::event::{
    OrderAccepted, OrderCanceled, OrderExecuted, OrderModified, OrderRejected, liquidity, priority, status,
};
use engine::message::{Message, NULL_I64};
use engine::reject::Reject;
use engine::units::Side;
use zerocopy::little_endian::{I64, U16, U32, U64};

use super::{Name, Order, Projection};
use crate::market::book::Place;
use crate::market::message::{OrderAdd, OrderDelete, OrderExecute, OrderReduce};

impl Order {
    fn place(&self) -> Place {
        Place { side: self.side, px: self.px, priority: self.place }
    }

    /// What it shows when it takes a place (rule 8.10).
    fn shows(&self) -> i64 {
        if self.display == 0 { self.leaves } else { self.leaves.min(self.display) }
    }
}

fn display(wire: I64) -> i64 {
    if wire.get() == NULL_I64 { 0 } else { wire.get() }
}

impl Projection {
    pub(super) fn accepted(&mut self, event: &OrderAccepted) {
        let Some(side) = Side::from_wire(event.side) else { return };
        let id = event.order_id.get();
        if event.status == status::SUSPENDED {
            self.armed.insert(id);
            return;
        }
        let order = Order {
            instrument: event.instrument_id.get(),
            side,
            px: event.price.get(),
            leaves: event.leaves_qty.get(),
            display: display(event.display_qty),
            shown: 0,
            place: 0,
            group: 0,
        };
        self.set_out(Name::Order(id), order);
    }

    pub(super) fn modified(&mut self, event: &OrderModified) {
        let Some(side) = Side::from_wire(event.side) else { return };
        let changed = Order {
            instrument: event.instrument_id.get(),
            side,
            px: event.price.get(),
            leaves: event.leaves_qty.get(),
            display: display(event.display_qty),
            shown: 0,
            place: 0,
            group: 0,
        };
        if event.status == status::TRIGGERED {
            self.armed.remove(&event.order_id.get());
            return self.set_out(Name::Order(event.order_id.get()), changed);
        }
        let name = self.name(event.order_id, event.account_id, event.instrument_id, side);
        let Some(before) = self.orders.get(&name).copied() else { return };
        if event.priority_kept == priority::KEPT {
            return self.shorten(name, before, &changed);
        }
        self.take_out(before);
        self.set_out(name, changed);
    }

    /// Rule 8.13: the place is kept, and what is shown can only shrink.
    fn shorten(&mut self, name: Name, before: Order, changed: &Order) {
        let mut order = before;
        order.leaves = changed.leaves;
        if order.place != 0 {
            let most =
                if changed.display == 0 { changed.leaves } else { changed.display.min(changed.leaves) };
            order.shown = before.shown.min(most);
        }
        order.display = changed.display;
        self.orders.insert(name, order);
        if order.shown != before.shown {
            self.show_less(&order);
        }
    }

    pub(super) fn canceled(&mut self, event: &OrderCanceled) {
        let Some(side) = Side::from_wire(event.side) else { return };
        let id = event.order_id.get();
        let is_copy = std::mem::replace(&mut self.command.ended, id) == id;
        if is_copy || self.armed.remove(&id) {
            return;
        }
        let name = self.name(event.order_id, event.account_id, event.instrument_id, side);
        if let Some(order) = self.orders.remove(&name) {
            self.take_out(order);
        }
        if self.taker == Some(name) {
            self.taker = None;
            self.tell_trades();
        }
    }

    /// Rule 8.34: an order that fired and was refused is gone.
    pub(super) fn rejected(&mut self, event: &OrderRejected) {
        let is_trigger = event.ref_template_id.get() == NewTriggerOrder::TEMPLATE;
        // There the id is that of another order (rule 4.8).
        if is_trigger && event.code.get() != Reject::DuplicateClOrdId.code() {
            self.armed.remove(&event.order_id.get());
        }
    }

    pub(super) fn executed(&mut self, event: &OrderExecuted) {
        let Some(side) = Side::from_wire(event.side) else { return };
        self.count_interest(event);
        let execution = (event.match_id.get(), event.order_id.get());
        let is_leg = std::mem::replace(&mut self.command.executed, execution) == execution;
        if is_leg {
            // The maker's say the same trade again.
            if event.liquidity == liquidity::TAKER {
                self.command.trades.add(event, event.side, 0);
            }
            return;
        }
        let name = self.name(event.order_id, event.account_id, event.instrument_id, side);
        let Some(mut order) = self.orders.get(&name).copied() else { return };
        order.leaves = event.leaves_qty.get();
        match event.liquidity {
            liquidity::TAKER => {
                self.command.trades.add(event, event.side, 1);
                self.keep(name, order);
            }
            liquidity::AUCTION => {
                let is_first = side == Side::Buy;
                if is_first {
                    self.command.trades.add(event, side_or_both::BOTH, 2);
                }
                order.shown = order.shows();
                self.fill(name, order, event);
            }
            _ => {
                order.shown -= event.last_qty.get();
                self.fill(name, order, event);
            }
        }
    }

    fn keep(&mut self, name: Name, order: Order) {
        if order.leaves == 0 {
            self.orders.remove(&name);
        } else {
            self.orders.insert(name, order);
        }
    }

    /// A resting order was matched. Rule 8.11: an iceberg that shows nothing any more takes a new place.
    fn fill(&mut self, name: Name, order: Order, event: &OrderExecuted) {
        self.touch(order.instrument, order.side, order.px);
        if let Some(listing) = self.listings.get_mut(&order.instrument) {
            listing.book.set(order.place(), order.shown);
        }
        self.command.told.say(
            order.instrument,
            OrderExecute {
                exec_id: U64::new(self.now.exec_id),
                match_time: U64::new(self.now.time_ns),
                instrument_id: U32::new(order.instrument),
                side: order.side as u8,
                pad_a: 0,
                pad_b: U16::new(0),
                md_order_id: U64::new(order.place),
                match_id: event.match_id,
                qty: event.last_qty,
                leaves_qty: I64::new(order.shown),
                px: event.last_px,
            },
        );
        self.keep(name, order);
        if order.leaves > 0 && order.shown == 0 {
            self.rest(name, order);
        }
    }

    /// An order begins to meet the other side. The one before it has met all it can.
    fn set_out(&mut self, name: Name, order: Order) {
        if self.taker != Some(name) {
            self.settle();
        }
        self.orders.insert(name, order);
        self.taker = Some(name);
    }

    /// The taker has met all it can: what is left of it rests.
    fn settle(&mut self) {
        self.tell_trades();
        let Some(name) = self.taker.take() else { return };
        if let Some(order) = self.orders.get(&name).copied() {
            self.rest(name, order);
        }
    }

    /// Rule 5.6: what could still match waits for its continuation, and stands in no book.
    pub(super) fn settle_at_the_end(&mut self) {
        if self.waits() {
            self.tell_trades();
        } else {
            self.settle();
        }
    }

    fn waits(&self) -> bool {
        let Some(order) = self.taker.and_then(|name| self.orders.get(&name)) else { return false };
        let Some(listing) = self.listings.get(&order.instrument) else { return false };
        order.px == NULL_I64 || (listing.matches() && listing.book.crosses(order.side, order.px))
    }

    /// Behind all orders of its price, under a new public id.
    pub(super) fn rest(&mut self, name: Name, mut order: Order) {
        self.places += 1;
        (order.place, order.shown) = (self.places, order.shows());
        self.orders.insert(name, order);
        self.touch(order.instrument, order.side, order.px);
        if let Some(listing) = self.listings.get_mut(&order.instrument) {
            listing.book.add(order.place(), order.place, order.shown);
        }
        self.command.told.say(
            order.instrument,
            OrderAdd {
                exec_id: U64::new(self.now.exec_id),
                match_time: U64::new(self.now.time_ns),
                instrument_id: U32::new(order.instrument),
                side: order.side as u8,
                pad_a: 0,
                pad_b: U16::new(0),
                md_order_id: U64::new(order.place),
                priority: U64::new(order.place),
                px: I64::new(order.px),
                qty: I64::new(order.shown),
            },
        );
    }

    /// Out of its book, if it stands in one.
    pub(super) fn take_out(&mut self, order: Order) {
        if order.place == 0 {
            return;
        }
        self.touch(order.instrument, order.side, order.px);
        if let Some(listing) = self.listings.get_mut(&order.instrument) {
            listing.book.set(order.place(), 0);
        }
        self.command.told.say(
            order.instrument,
            OrderDelete {
                exec_id: U64::new(self.now.exec_id),
                match_time: U64::new(self.now.time_ns),
                instrument_id: U32::new(order.instrument),
                side: order.side as u8,
                pad_a: 0,
                pad_b: U16::new(0),
                md_order_id: U64::new(order.place),
            },
        );
    }

    pub(super) fn show_less(&mut self, order: &Order) {
        self.touch(order.instrument, order.side, order.px);
        if let Some(listing) = self.listings.get_mut(&order.instrument) {
            listing.book.set(order.place(), order.shown);
        }
        self.command.told.say(
            order.instrument,
            OrderReduce {
                exec_id: U64::new(self.now.exec_id),
                match_time: U64::new(self.now.time_ns),
                instrument_id: U32::new(order.instrument),
                side: order.side as u8,
                pad_a: 0,
                pad_b: U16::new(0),
                md_order_id: U64::new(order.place),
                new_qty: I64::new(order.shown),
            },
        );
    }

    fn name(&self, order_id: U64, account: U32, instrument: U32, side: Side) -> Name {
        let order = Name::Order(order_id.get());
        if self.orders.contains_key(&order) {
            return order;
        }
        Name::quote(account.get(), instrument.get(), side)
    }

    fn tell_trades(&mut self) {
        let (now, command) = (self.now, &mut self.command);
        for trade in command.trades.drain(now) {
            command.told.say(trade.instrument_id.get(), trade);
        }
    }
}

impl Name {
    pub(super) fn quote(account: u32, instrument: u32, side: Side) -> Name {
        Name::Quote { account, instrument, is_sell: side == Side::Sell }
    }
}
