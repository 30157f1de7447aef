//! Cancels: the rules of 5.10 to 5.13, and how a request names an order.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::command::{CancelOrder, Role};
use crate::emit::Voice;
use crate::event::{EventSink, OrderCanceled, reason};
use crate::message::Message;
use crate::order::Order;
use crate::refusal::{Refusal, Request, must, refused};
use crate::reject::Reject;
use crate::session::Session;
use crate::units::Lots;
use crate::venue::Venue;

/// How a cancel or an amend names its order: fields 2 and 3 of either.
#[derive(Clone, Copy)]
pub struct Named {
    pub orig_cl_ord_id: u64,
    pub order_id: u64,
    /// 0 is any.
    pub instrument: u32,
}

const FIELD_ORIG_CL_ORD_ID: u16 = 2;
pub const FIELD_ORDER_ID: u16 = 3;

impl Named {
    /// Rule 5.11.
    pub fn check_one(&self) -> Result<(), Refusal> {
        let one = (self.orig_cl_ord_id == 0) != (self.order_id == 0);
        must(one, refused(Reject::InvalidCombination, FIELD_ORIG_CL_ORD_ID))
    }

    /// The field that names it.
    pub fn field(&self) -> u16 {
        if self.order_id == 0 { FIELD_ORIG_CL_ORD_ID } else { FIELD_ORDER_ID }
    }
}

impl Venue {
    pub fn cancel_order<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &CancelOrder,
    ) {
        match self.find_cancelable(sender, request) {
            Ok(order) => self.cancel_by_user(voice, sender, request.cl_ord_id.get(), &order),
            Err(refusal) => {
                let repeated = Request {
                    template: CancelOrder::TEMPLATE,
                    cl_ord_id: request.cl_ord_id.get(),
                    instrument: request.instrument_id.get(),
                    account: request.account_id.get(),
                };
                self.refuse(voice, sender, repeated, refusal);
            }
        }
    }

    /// Rules 5.10 to 5.12 in their order.
    fn find_cancelable(&self, sender: u32, request: &CancelOrder) -> Result<Order, Refusal> {
        let session = self.sessions.at(sender);
        self.check_may_cancel(session)?;
        let account = request.account_id.get();
        self.check_account(session, account, 5)?;
        let named = Named {
            orig_cl_ord_id: request.orig_cl_ord_id.get(),
            order_id: request.order_id.get(),
            instrument: request.instrument_id.get(),
        };
        named.check_one()?;
        self.find_named(account, named)
    }

    /// The role of rule 5.10.
    pub fn check_may_cancel(&self, session: &Session) -> Result<(), Refusal> {
        let may = matches!(session.role, Role::Trade | Role::CancelOnly);
        must(may, refused(Reject::Permission, 0))
    }

    /// Rule 5.12.
    pub fn find_named(&self, account: u32, named: Named) -> Result<Order, Refusal> {
        let is_of = |position| self.positions.at(position).account == account;
        let found = if named.order_id == 0 {
            self.orders.by_client_id(account, named.orig_cl_ord_id, is_of)
        } else {
            self.orders.by_id(named.order_id)
        };
        found
            .filter(|order| {
                let position = self.positions.at(order.position);
                let somewhere = named.instrument == 0 || named.instrument == position.instrument;
                position.account == account && somewhere
            })
            .copied()
            .ok_or(refused(Reject::UnknownOrder, named.field()).with_order(named.order_id))
    }

    /// Rule 5.13. `cl_ord_id` is the request's.
    pub fn cancel_by_user<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        cl_ord_id: u64,
        order: &Order,
    ) {
        let leaves = order.leaves();
        self.tell_canceled(voice, sender, order, cl_ord_id, leaves, reason::BY_USER);
        if order.session() != sender {
            self.tell_canceled(voice, order.session(), order, order.cl_ord_id, leaves, reason::BY_USER);
        }
        self.remove(order);
        self.leave_position(order.position);
    }

    /// `canceled` lots of an order are no more.
    pub fn tell_canceled<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        to: u32,
        order: &Order,
        cl_ord_id: u64,
        canceled: Lots,
        reason: u8,
    ) {
        let position = self.positions.at(order.position);
        let session = self.sessions.at_mut(to);
        let reference = voice.reference(session.id);
        let block = OrderCanceled {
            exec_id: voice.exec_id(),
            order_id: U64::new(order.id),
            cl_ord_id: U64::new(cl_ord_id),
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            orig_cl_ord_id: U64::new(order.cl_ord_id),
            canceled_qty: I64::new(canceled.0),
            cum_qty: I64::new(order.filled().0),
            instrument_id: U32::new(position.instrument),
            account_id: U32::new(position.account),
            side: order.side() as u8,
            reason,
            pad_a: U16::new(0),
            pad_b: U32::new(0),
        };
        voice.tell(session, block);
    }
}
