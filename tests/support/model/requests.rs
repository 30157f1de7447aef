//! 12.4, 12.5: what a session asks to be shown.

use super::matching::{Waiting, serial};
use super::orders::{MMP, REDUCE_ONLY, accepted};
use super::triggers::{STOP_LIMIT, STOP_MARKET};
use super::*;

pub const SEEN: [&str; 9] = [
    "an armed order is listed",
    "a partly filled order is listed",
    "an iceberg is listed",
    "a quote is listed",
    "nothing is listed",
    "a list waits at the cap",
    "a list passes over an order",
    "a list asks for more looks than there are",
    "a list is told again after a wait for looks",
];

pub const HISTORY_GRANTED: &str = "a history is granted";

/// A list of open orders under way.
#[derive(Clone, Copy)]
pub(super) struct Listing {
    /// Who asked, for all that is told.
    origin: Origin,
    request: OpenOrdersRequest,
    /// The serial of the last order that was looked at.
    seen: u64,
    count: u32,
}

impl Model {
    pub(super) fn exec_history_request(&mut self, now: &Now, session: &Session, it: &ExecHistoryRequest) {
        let asker = now.origin.session;
        let code = self.judge_history(session, it).err().map_or(0, |why| why.code);
        if code != 0 {
            return self.tell_unnumbered(now, asker.get(), |stamp| RequestComplete {
                exec_id: stamp.exec_id.into(),
                cl_ord_id: it.cl_ord_id,
                ref_seq: stamp.ref_seq.into(),
                count: 0.into(),
                code: code.into(),
                retry_after_ms: 0.into(),
            });
        }
        self.note(HISTORY_GRANTED);
        self.tell_unnumbered(now, asker.get(), |stamp| HistoryGranted {
            session: asker,
            exec_id: stamp.exec_id.into(),
            cl_ord_id: it.cl_ord_id,
            ref_seq: stamp.ref_seq.into(),
            from_exec_id: it.from_exec_id,
            to_exec_id: it.to_exec_id,
            account_id: it.account_id,
            max_count: it.max_count,
        });
    }

    fn judge_history(&self, session: &Session, it: &ExecHistoryRequest) -> Outcome {
        let may = matches!(session.role, Role::Trade | Role::CancelOnly | Role::ReadOnly);
        demand(may, Reject::Permission, 0)?;
        self.own_account(session, it.account_id.get(), 0)?;
        let (from, to, count) = (it.from_exec_id.get(), it.to_exec_id.get(), it.max_count.get());
        let sane = 0 < from && from <= to && 0 < count && count <= 10_000;
        demand(sane, Reject::InvalidCombination, 0)
    }

    pub(super) fn open_orders_request(&mut self, now: &Now, session: &Session, it: &OpenOrdersRequest) {
        let listing = Listing { origin: now.origin, request: *it, seen: 0, count: 0 };
        if let Err(why) = self.judge_listing(session, it) {
            return self.complete(now, &listing, why.code, 0);
        }
        let account = it.account_id.get();
        let open = self.all_orders().filter(|order| order.account == account).count();
        match self.draw_looks(account, open.max(1), now.ts_ns) {
            Ok(()) => {
                if self.throttled.remove(&account) {
                    self.note(SEEN[8]);
                }
                self.list(now, listing);
            }
            Err(early_ms) => {
                self.note(SEEN[7]);
                self.throttled.insert(account);
                self.complete(now, &listing, Reject::ThrottledOrders.code(), early_ms);
            }
        }
    }

    fn judge_listing(&self, session: &Session, it: &OpenOrdersRequest) -> Outcome {
        let may = matches!(session.role, Role::Trade | Role::CancelOnly | Role::ReadOnly);
        demand(may, Reject::Permission, 0)?;
        self.own_account(session, it.account_id.get(), 0)?;
        let id = it.instrument_id.get();
        demand(id == 0 || self.instruments.contains_key(&id), Reject::UnknownInstrument, 0)
    }

    pub(super) fn list(&mut self, now: &Now, mut listing: Listing) {
        let (account, wanted) = (listing.request.account_id.get(), listing.request.instrument_id.get());
        while let Some(order) = self.next_of(account, listing.seen) {
            if self.at_the_cap() {
                self.note(SEEN[5]);
                self.waiting = Some(Waiting::OpenOrders(listing));
                return;
            }
            self.steps += 1;
            listing.seen = serial(&order);
            if wanted == 0 || wanted == order.instrument {
                self.show(now, &listing, &order);
                listing.count += 1;
            } else {
                self.note(SEEN[6]);
            }
        }
        if listing.count == 0 {
            self.note(SEEN[4]);
        }
        self.complete(now, &listing, 0, 0);
    }

    fn show(&mut self, now: &Now, listing: &Listing, order: &Order) {
        let (ord_type, status) = match (order.trigger, order.market) {
            (Some(_), true) => (STOP_MARKET, status::SUSPENDED),
            (Some(_), false) => (STOP_LIMIT, status::SUSPENDED),
            (None, _) if order.filled() > 0 => (LIMIT, status::PARTIALLY_FILLED),
            (None, _) => (LIMIT, status::NEW),
        };
        let flags = if order.reduce_only { REDUCE_ONLY } else { 0 } | if order.group != 0 { MMP } else { 0 };
        let flags = if order.quote { 0 } else { flags };
        let what = [order.trigger.is_some(), order.filled() > 0, order.display.is_some(), order.quote];
        for (_, name) in what.into_iter().zip(SEEN).filter(|it| it.0) {
            self.note(name);
        }
        let price = self.price9(order);
        let asked = Now { origin: listing.origin, ..*now };
        self.tell_unnumbered(&asked, listing.origin.session.get(), |stamp| OrderAccepted {
            ord_type,
            flags: flags.into(),
            mmp_group: order.group.into(),
            ..accepted(&stamp, order, price, status)
        });
    }

    fn complete(&mut self, now: &Now, listing: &Listing, code: u16, early_ms: i128) {
        let asked = Now { origin: listing.origin, ..*now };
        self.tell_unnumbered(&asked, listing.origin.session.get(), |stamp| RequestComplete {
            exec_id: stamp.exec_id.into(),
            cl_ord_id: listing.request.cl_ord_id,
            ref_seq: stamp.ref_seq.into(),
            count: listing.count.into(),
            code: code.into(),
            retry_after_ms: (early_ms.min(65_535) as u16).into(),
        });
    }
}
