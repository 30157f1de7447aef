//! What a session asks to be shown: the open orders of its account as they stand (rule 12.4), so many a command. What is left
//! waits as a continuation. Changes nothing but the account's credit of looks (12.6).

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::command::ord_type::{LIMIT, STOP_LIMIT, STOP_MARKET};
use crate::command::order_flags::{MMP, REDUCE_ONLY};
use crate::command::{OpenOrdersRequest, Role};
use crate::continuation::Continuation;
use crate::emit::{Reference, Voice};
use crate::event::{EventSink, OrderAccepted, RequestComplete, status};
use crate::message::NULL_I64;
use crate::order::{Order, Terms};
use crate::reject::Reject;
use crate::units::Lots;
use crate::venue::Venue;

/// A list of open orders under way.
#[derive(Clone, Copy)]
pub struct ListingOrders {
    pub sender: u32,
    pub cl_ord_id: u64,
    /// What every part repeats, whichever command says it.
    pub reference: Reference,
    /// 0 is all.
    pub instrument: u32,
    pub told: u32,
    /// Orders of the account before this slot's in its list are done with.
    pub next: u32,
}

impl Venue {
    pub fn list_open_orders<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &OpenOrdersRequest,
    ) {
        let mut work = ListingOrders {
            sender,
            cl_ord_id: request.cl_ord_id.get(),
            reference: voice.reference(self.sessions.at(sender).id),
            instrument: request.instrument_id.get(),
            told: 0,
            next: crate::pool::NONE,
        };
        if let Err(reject) = self.check_listing(sender, request) {
            return self.complete_listing(voice, &work, reject.code(), 0);
        }
        let account = request.account_id.get();
        let looks = self.accounts[account].open_orders().max(1);
        if let Err(retry_after_ms) = self.take_looks(account, looks, voice.command.ts_ns) {
            let code = Reject::ThrottledOrders.code();
            return self.complete_listing(voice, &work, code, retry_after_ms);
        }
        work.next = self.accounts[account].oldest;
        self.run_listing(voice, work);
    }

    fn check_listing(&self, sender: u32, request: &OpenOrdersRequest) -> Result<(), Reject> {
        let session = self.sessions.at(sender);
        if !may_list(session.role) {
            return Err(Reject::Permission);
        }
        self.check_account(session, request.account_id.get(), 0).map_err(|refusal| refusal.reject)?;
        match request.instrument_id.get() {
            0 => Ok(()),
            id if self.instruments.contains(id) => Ok(()),
            _ => Err(Reject::UnknownInstrument),
        }
    }

    /// As far as the steps of one command go.
    pub fn run_listing<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, mut work: ListingOrders) {
        while let Some(order) = self.orders.find_at(work.next).copied() {
            if !self.take_step() {
                self.continuation = Continuation::Listing(work);
                return;
            }
            work.next = order.after;
            if self.is_asked_for(&work, &order) {
                work.told += 1;
                let shown = self.show(voice, &work, &order);
                voice.tell_unnumbered(self.sessions.at(work.sender).id, shown);
            }
        }
        self.complete_listing(voice, &work, 0, 0);
    }

    /// Is it told of, or passed over?
    pub fn is_asked_for(&self, work: &ListingOrders, order: &Order) -> bool {
        work.instrument == 0 || self.positions.at(order.position).instrument == work.instrument
    }

    /// The order as it stands.
    fn show<S: EventSink>(&self, voice: &Voice<'_, S>, work: &ListingOrders, order: &Order) -> OrderAccepted {
        let (position, terms) = (self.positions.at(order.position), self.orders.terms(order));
        let instrument = &self.instruments[position.instrument];
        let ticks = if is_armed(terms) { terms.limit } else { order.ticks };
        let (ord_type, status) = type_and_status(order, terms);
        let group = self.group_number(order);
        OrderAccepted {
            exec_id: voice.exec_id(),
            order_id: U64::new(order.id),
            cl_ord_id: U64::new(order.cl_ord_id),
            ref_seq: work.reference.seq,
            recv_time: work.reference.recv_time,
            match_time: voice.time(),
            price: I64::new(if order.is_market() { NULL_I64 } else { instrument.price(ticks) }),
            qty: I64::new(order.qty().0),
            leaves_qty: I64::new(order.leaves().0),
            display_qty: I64::new(if terms.display == 0 { NULL_I64 } else { terms.display.into() }),
            instrument_id: U32::new(position.instrument),
            account_id: U32::new(position.account),
            side: order.side() as u8,
            ord_type,
            tif: order.tif() as u8,
            status,
            flags: U16::new(flags_of(order, group)),
            mmp_group: U16::new(group),
        }
    }

    fn complete_listing<S: EventSink>(
        &self,
        voice: &mut Voice<'_, S>,
        work: &ListingOrders,
        code: u16,
        retry_after_ms: u32,
    ) {
        let block = RequestComplete {
            exec_id: voice.exec_id(),
            cl_ord_id: U64::new(work.cl_ord_id),
            ref_seq: work.reference.seq,
            count: U32::new(work.told),
            code: U16::new(code),
            retry_after_ms: U16::new(retry_after_ms.try_into().unwrap_or(u16::MAX)),
        };
        voice.tell_unnumbered(self.sessions.at(work.sender).id, block);
    }
}

/// Who may ask what an account has and had.
pub fn may_list(role: Role) -> bool {
    matches!(role, Role::Trade | Role::CancelOnly | Role::ReadOnly)
}

fn flags_of(order: &Order, group: u16) -> u16 {
    let reduces = if order.is_reduce_only() { REDUCE_ONLY } else { 0 };
    let is_member = group != 0 && !order.is_quote();
    reduces | if is_member { MMP } else { 0 }
}

fn is_armed(terms: &Terms) -> bool {
    terms.trigger_type != 0
}

fn type_and_status(order: &Order, terms: &Terms) -> (u8, u8) {
    if is_armed(terms) {
        return (if order.is_market() { STOP_MARKET } else { STOP_LIMIT }, status::SUSPENDED);
    }
    (LIMIT, if order.filled() > Lots::ZERO { status::PARTIALLY_FILLED } else { status::NEW })
}
