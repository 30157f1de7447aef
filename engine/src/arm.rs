//! Entry of a trigger order: the refusals of rule 8.30, and where an armed order stands (8.31). It counts as an open order
//! and holds its account's position entry, but no lots: it reserves nothing.

use crate::command::{NewOrder, NewTriggerOrder};
use crate::emit::Voice;
use crate::event::{EventSink, status};
use crate::form::{Form, OrdType};
use crate::message::Message;
use crate::order::{Nature, Order, Terms};
use crate::refusal::{Refusal, Request};
use crate::trigger::{Condition, Trigger, TriggerType};
use crate::units::Ticks;
use crate::venue::Venue;

/// A trigger order that passed every rule.
struct Armed {
    form: Form,
    trigger: Trigger,
    /// The account's entry in the instrument, where it has one.
    position: Option<u32>,
}

impl Venue {
    pub fn enter_trigger<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &NewTriggerOrder,
    ) {
        let order = request.order();
        let (account, instrument) = (order.account_id.get(), order.instrument_id.get());
        match self.admit_trigger(voice, sender, request) {
            Ok(armed) => {
                self.accept_trigger(voice, sender, order, &armed);
                self.look_at_triggers(voice, instrument);
            }
            Err(refusal) => {
                let cl_ord_id = order.cl_ord_id.get();
                let repeated =
                    Request { template: NewTriggerOrder::TEMPLATE, cl_ord_id, instrument, account };
                self.refuse(voice, sender, repeated, refusal);
            }
        }
    }

    /// Rule 8.30.
    fn admit_trigger<S: EventSink>(
        &self,
        voice: &Voice<'_, S>,
        sender: u32,
        request: &NewTriggerOrder,
    ) -> Result<Armed, Refusal> {
        let order = request.order();
        let (account, instrument) = (order.account_id.get(), order.instrument_id.get());
        let form = self.check_request(sender, voice.command, order, Some(request))?;
        let trigger = form.trigger.expect("the form of a trigger order has a trigger");
        self.check_standstill()?;
        self.check_trading(account, instrument)?;
        self.instruments[instrument].check_auction(false)?;
        let entry = self.positions.find(account, instrument);
        self.check_room(account, instrument, entry, true)?;
        Ok(Armed { form, trigger, position: entry })
    }

    /// Rule 8.31.
    fn accept_trigger<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &NewOrder,
        &Armed { form, trigger, position }: &Armed,
    ) {
        let account = request.account_id.get();
        let id = self.take_order_id();
        let position = self.enter_position(position, account, request.instrument_id.get());
        let limit = match form.ord_type {
            OrdType::Limit(ticks) => ticks,
            OrdType::Market | OrdType::MarketToLimit => Ticks(0),
        };
        self.raise_highest_id(sender, account, request.cl_ord_id.get());
        self.tell_accepted(voice, sender, request, id, status::SUSPENDED);
        let nature = Nature {
            is_market: form.ord_type == OrdType::Market,
            is_reduce_only: form.is_reduce_only,
            ..Nature::plain(sender, form.side, form.tif, form.stp)
        };
        let mut order = Order::new(id, request.cl_ord_id.get(), position, trigger.ticks, form.lots, nature);
        let terms = Terms {
            expire_ns: form.expire_ns,
            display: form.display,
            limit,
            posting: form.crossing.flags() as u8,
            trigger_type: trigger.trigger_type as u8,
            condition: trigger.condition as u8,
            ..Terms::PLAIN
        };
        self.make_special(&mut order, terms);
        self.orders.open(account, order);
        self.enlist(account, &order);
        self.start_expiry(&order);
        self.arm(&order);
    }

    /// Puts an order with a trigger behind all others that wait for its price. It keeps a level back for the price at which it may
    /// rest one day (4.17).
    pub fn arm(&mut self, order: &Order) {
        let trigger = self.trigger_of(order).expect("the order has a trigger");
        let instrument = self.positions.at(order.position).instrument;
        let levels = self.levels.len();
        let book = self.instruments.triggers_mut(instrument).book_mut(trigger.trigger_type);
        let waits_on = trigger.condition.waits_on(order.side());
        book.enqueue(&mut self.levels, &mut self.orders, order.slot(), waits_on);
        self.levels.kept_back += 1 + levels - self.levels.len();
        self.instruments[instrument].armed += 1;
        self.positions.count_armed(order.position);
    }

    /// Takes an armed order out of its queue, and its trigger from it.
    pub fn disarm(&mut self, order: &Order) {
        let trigger = self.trigger_of(order).expect("the order is armed");
        let instrument = self.positions.at(order.position).instrument;
        let levels = self.levels.len();
        let book = self.instruments.triggers_mut(instrument).book_mut(trigger.trigger_type);
        let waits_on = trigger.condition.waits_on(order.side());
        book.dequeue(&mut self.levels, &mut self.orders, order.slot(), waits_on);
        self.levels.kept_back -= 1 + self.levels.len() - levels;
        self.instruments[instrument].armed -= 1;
        self.positions.count_disarmed(order.position);
        let terms = self.orders.terms_mut(order);
        (terms.limit, terms.posting, terms.trigger_type, terms.condition) = (Ticks(0), 0, 0, 0);
    }

    /// `None` for an order that is not armed.
    pub fn trigger_of(&self, order: &Order) -> Option<Trigger> {
        let terms = self.orders.terms(order);
        let trigger_type = TriggerType::from_wire(terms.trigger_type)?;
        let condition =
            Condition::from_wire(terms.condition).expect("who has a trigger_type has a condition");
        Some(Trigger { trigger_type, condition, ticks: order.ticks })
    }
}
