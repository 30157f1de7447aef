//! The look at the triggers of an instrument after whatever may have moved them (rule 8.33), and what becomes of an order
//! that fires (8.34): it is judged like a new one, and then a taker like any other.

use crate::command::NewTriggerOrder;
use crate::continuation::Continuation;
use crate::emit::Voice;
use crate::event::{EventSink, priority, status};
use crate::form::{Crossing, Form, OrdType};
use crate::matching::Taker;
use crate::message::{Message, NULL_U64};
use crate::order::Order;
use crate::position::Position;
use crate::refusal::{Refusal, Request};
use crate::trading_state::TradingState;
use crate::venue::Venue;

impl Venue {
    /// Rule 8.33. Whoever may have moved a reference asks for it last; work that waits asks again at its end. A look too many
    /// finds nothing due.
    pub fn look_at_triggers<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32) {
        while self.continuation.due().is_none() {
            let Some(slot) = self.due_trigger(instrument) else {
                return self.instruments[instrument].traded.come_to_rest();
            };
            if self.take_step() {
                self.fire(voice, slot);
            } else {
                self.continuation = Continuation::Triggers(instrument);
            }
        }
    }

    /// The armed order that fires next, while the instrument is Open.
    pub fn due_trigger(&self, instrument: u32) -> Option<u32> {
        let row = &self.instruments[instrument];
        if row.armed == 0 || row.state != TradingState::Open {
            return None;
        }
        self.instruments.triggers(instrument).due(row, &self.levels)
    }

    /// Rule 8.34.
    fn fire<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, slot: u32) {
        let mut order = *self.orders.at(slot);
        let form = self.form_of_armed(&order);
        self.disarm(&order);
        if !form.is_special {
            self.make_plain(&mut order);
            self.orders.at_mut(slot).catch_up(&order);
        }
        let Position { account, instrument, .. } = *self.positions.at(order.position);
        match self.judge(voice.command.ts_ns, account, instrument, form, false) {
            Ok(admitted) => {
                order.amend(admitted.ticks, admitted.lots);
                let (to, cl_ord_id) = (order.session(), order.cl_ord_id);
                self.tell_changed(voice, to, &order, cl_ord_id, status::TRIGGERED, priority::LOST);
                self.run_taker(voice, Taker { order, is_open: true });
            }
            Err(refusal) => self.refuse_fired(voice, &order, refusal),
        }
    }

    /// An armed order as what it is once it has fired.
    fn form_of_armed(&self, order: &Order) -> Form {
        let terms = self.orders.terms(order);
        let reduces_at_rest = order.is_reduce_only() && order.tif().rests();
        Form {
            side: order.side(),
            ord_type: if order.is_market() { OrdType::Market } else { OrdType::Limit(terms.limit) },
            tif: order.tif(),
            expire_ns: terms.expire_ns,
            display: terms.display,
            is_reduce_only: order.is_reduce_only(),
            lots: order.leaves(),
            stp: self.orders.stp(order),
            crossing: Crossing::from_flags(u16::from(terms.posting)).expect("made of a Crossing"),
            mmp_group: 0,
            trigger: None,
            is_special: terms.expire_ns != NULL_U64 || terms.display != 0 || reduces_at_rest,
        }
    }

    fn refuse_fired<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, order: &Order, refusal: Refusal) {
        let Position { account, instrument, .. } = *self.positions.at(order.position);
        let repeated =
            Request { template: NewTriggerOrder::TEMPLATE, cl_ord_id: order.cl_ord_id, instrument, account };
        self.refuse(voice, order.session(), repeated, refusal.with_order(order.id));
        self.end(&Taker { order: *order, is_open: true });
        self.leave_position(order.position);
    }
}
