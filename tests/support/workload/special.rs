//! Commands of sections 8 and 12: icebergs, reduce-only orders, triggers, the index, used client ids, requests.

use engine::limits::PRICE_TICKS_MAX;

use super::*;

const REDUCE_ONLY: u16 = 4;
/// More than an account may have of them in one instrument (8.20).
const BURST: u32 = 18;
/// Requests for open orders that one account sends at most until it is told to wait, and then.
const CURIOUS: u32 = 1_500;
const STUBBORN: u32 = 12;
/// Client ids that the workload remembers to use again.
const REMEMBERED: usize = 60;

/// Reduce-only orders of one account in one instrument, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Burst {
    account: u32,
    instrument: u32,
    left: u32,
}

/// An account that asks for its open orders again and again (12.6).
#[derive(Clone, Copy)]
pub(super) struct Curious {
    session: (u64, u32, Role),
    left: u32,
}

impl Workload {
    pub(super) fn special_step(&mut self, model: &Model, ts_ns: u64) -> Step {
        match self.draw.below(100) {
            0..30 => self.trigger(model, ts_ns),
            30..37 => self.bad_trigger(model, ts_ns),
            37..47 => self.index(model, ts_ns),
            47..75 => self.reduce(model, ts_ns),
            75..81 => self.list_orders(model, ts_ns),
            81..83 => self.history(model, ts_ns),
            83..90 => self.touch_armed(model, ts_ns),
            _ => self.use_again(model, ts_ns),
        }
    }

    /// Remembers what was accepted.
    pub(super) fn remember(&mut self, step: &Step, events: &[Vec<u8>]) {
        let named = block::<NewOrder>(&step.message).map(|it| it.cl_ord_id.get());
        let named = named.or(block::<NewTriggerOrder>(&step.message).map(|it| it.cl_ord_id.get()));
        let mut told = events.iter().filter_map(|event| block::<OrderAccepted>(&event[ROUTE_BYTES..]));
        let accepted = told.find(|it| Some(it.cl_ord_id.get()) == named);
        if let Some(it) = accepted {
            self.ids.push((it.account_id.get(), it.cl_ord_id.get()));
            if self.ids.len() > REMEMBERED {
                self.ids.remove(0);
            }
        }
    }

    /// A client id of the account that is used, or was.
    pub(super) fn remembered(&mut self, account: u32) -> Option<u64> {
        let own: Vec<u64> = self.ids.iter().filter(|(of, _)| *of == account).map(|(_, id)| *id).collect();
        if own.is_empty() { None } else { Some(self.draw.of(&own)) }
    }

    fn use_again(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut order = self.order(model, ts_ns, 4);
        let (session, account, _) = self.draw.of(&SESSIONS[..20]);
        order.account_id = account.into();
        let unused = self.cl_ord_id.saturating_sub(1 + self.draw.below(300)).max(1);
        let again = self.remembered(account).unwrap_or(unused);
        order.cl_ord_id = self.draw.of(&[again, again, again, unused]).into();
        if self.draw.one_in(10) && !RISING.contains(&session) {
            order.cl_ord_id = self.draw.of(&[u64::MAX, 1 << 63, 1]).into();
        }
        self.send(model, ts_ns, session, order)
    }

    // Icebergs

    /// What an order of `qty` may show, or a little that it may not.
    pub(super) fn display(&mut self, qty: i64) -> I64 {
        let least = 1.max(qty / 100 + i64::from(qty % 100 > 0));
        let some = self.draw.between(least, qty.max(least));
        self.draw
            .of(&[least - 1, least, least, least + 1, some, some, qty / 3 + 1, qty, qty.saturating_add(1)])
            .into()
    }

    // Reduce-only

    fn reduce(&mut self, model: &Model, ts_ns: u64) -> Step {
        let held: Vec<(u32, u32, i128)> = model
            .positions()
            .filter(|(account, _, lots)| *lots != 0 && SESSIONS[..20].iter().any(|it| it.1 == *account))
            .collect();
        if held.is_empty() {
            return self.near_order(model, ts_ns);
        }
        let (account, instrument, _) = self.draw.of(&held);
        if self.burst.is_none() && self.draw.one_in(20) {
            self.burst = Some(Burst { account, instrument, left: BURST });
        }
        self.reduce_in(model, ts_ns, account, instrument, false)
    }

    /// The next of a burst, if one is under way.
    pub(super) fn next_of_burst(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let Burst { account, instrument, left } = self.burst?;
        self.burst = (left > 1).then_some(Burst { account, instrument, left: left - 1 });
        Some(self.reduce_in(model, ts_ns, account, instrument, true))
    }

    fn reduce_in(&mut self, model: &Model, ts_ns: u64, account: u32, id: u32, patient: bool) -> Step {
        let mut order = self.order(model, ts_ns, 4);
        let lots = model.position(account, id);
        let against = if lots > 0 { 2 } else { 1 };
        (order.account_id, order.instrument_id) = (account.into(), id.into());
        order.side = if patient || !self.draw.one_in(8) { against } else { 3 - against };
        order.flags = self.draw.of(&[REDUCE_ONLY, REDUCE_ONLY, REDUCE_ONLY | 1, REDUCE_ONLY | 2]).into();
        let size = lots.abs().clamp(1, listed(id).qty_max.into()) as i64;
        order.qty = self.draw.of(&[1, size, size, size / 2 + 1, size.saturating_add(1)]).into();
        let buy = order.side == 1;
        // Where it waits, and where it trades.
        let away: i64 = self.draw.of(&[1, 2, 3, 5, 0, -1]);
        let away = if patient { away.abs() + 4 } else { away };
        order.price = price_beside(model, id, if buy { -away } else { away }).into();
        order.display_qty = NULL_I64.into();
        if patient {
            order.flags = REDUCE_ONLY.into();
            let ends = account.is_multiple_of(2);
            (order.tif, order.expire_time) =
                if ends { (5, together(ts_ns).into()) } else { (2, NULL_U64.into()) };
        } else if order.tif == 2 && self.draw.one_in(5) {
            order.display_qty = self.display(order.qty.get());
        } else if self.draw.one_in(6) {
            (order.ord_type, order.tif, order.price) = (2, self.draw.of(&[3, 4]), NULL_I64.into());
            order.expire_time = NULL_U64.into();
            order.flags = REDUCE_ONLY.into();
        }
        let session = self.a_session_of(account);
        self.send(model, ts_ns, session, order)
    }

    // Triggers

    fn trigger(&mut self, model: &Model, ts_ns: u64) -> Step {
        let it = self.trigger_order(model, ts_ns);
        let session = self.draw.of(&SESSIONS[..20]);
        let it = NewTriggerOrder { account_id: session.1.into(), ..it };
        let mut step = self.send(model, ts_ns, session.0, it);
        if self.draw.one_in(20) {
            let limit_us = self.draw.of(&[1, 5, 1_000, u32::MAX]);
            step.origin.sent_ns = self.sent_ns(ts_ns, limit_us).into();
            step.message = bytes(NewTriggerOrder { max_delay_us: limit_us.into(), ..it });
        }
        step
    }

    fn trigger_order(&mut self, model: &Model, ts_ns: u64) -> NewTriggerOrder {
        let mut it = NewTriggerOrder::new_zeroed();
        let busy = self.draw.of(&[1, 2, 7]);
        let busy = self.latest(model, busy);
        let base = if self.draw.one_in(2) {
            self.order_in(model, ts_ns, busy, 5)
        } else {
            self.order(model, ts_ns, 5)
        };
        let id = base.instrument_id.get();
        it.as_mut_bytes()[..size_of::<NewOrder>()].copy_from_slice(base.as_bytes());
        it.mmp_group = 0.into();
        (it.trigger_type, it.condition) = (self.draw.of(&[1, 1, 2, 3, 3]), self.draw.of(&[1, 2]));
        let rising = (it.side == 1) == (it.condition == 1);
        let ahead = self.draw.of(&[1, 1, 2, 2, 3, 4, 6, 0, -1, -3]);
        it.trigger_price = price_beside(model, id, if rising { ahead } else { -ahead }).into();
        it.trail_offset = NULL_I64.into();
        let waits = !matches!(it.tif, 3 | 4);
        it.flags = self.draw.of(&[0, 0, 0, 0, REDUCE_ONLY, if waits { 1 } else { 0 }, 0]).into();
        it.ord_type = 4;
        if self.draw.one_in(3) {
            (it.ord_type, it.tif, it.price) = (5, self.draw.of(&[3, 3, 4]), NULL_I64.into());
            (it.expire_time, it.display_qty) = (NULL_U64.into(), NULL_I64.into());
            it.flags = self.draw.of(&[0, 0, REDUCE_ONLY]).into();
        } else if waits && self.draw.one_in(6) {
            it.flags = self.draw.of(&[1, 2, 2, REDUCE_ONLY | 1]).into();
        }
        it
    }

    fn bad_trigger(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut it = self.trigger_order(model, ts_ns);
        let mut session = self.draw.of(&SESSIONS[..20]);
        it.account_id = session.1.into();
        for _ in 0..1 + self.draw.one_in(8) as u32 {
            match self.draw.below(24) {
                0 => session = self.draw.of(&SESSIONS),
                1 => it.account_id = self.draw.of(&[0, 1, 3, 5, 6, 30, 99, u32::MAX]).into(),
                2 => it.instrument_id = self.draw.of(&[0, 11, 12, u32::MAX]).into(),
                3 => it.side = self.draw.of(&[0, 3, 255]),
                4 => it.ord_type = self.draw.of(&[0, 1, 2, 3, 6, 255]),
                5 => it.tif = self.draw.of(&[0, 1, 2, 3, 4, 5, 6, 255]),
                6 => it.cl_ord_id = 0.into(),
                7 => it.ord_type = self.draw.of(&[4, 5]),
                8 => it.stp_mode = self.draw.of(&[0, 6, 255]),
                9 => it.flags = self.draw.of(&[1, 2, 3, 4, 5, 7, 8, 0x80, 0x8000]).into(),
                10 => it.mmp_group = self.draw.of(&[1, u16::MAX]).into(),
                11 => it.price = NULL_I64.into(),
                12 => it.price = self.odd_price(it.price.get()).into(),
                13 => it.qty = self.draw.of(&[0, -1, i64::MIN, i64::MIN + 1]).into(),
                14 => it.qty = self.odd_quantity(it.instrument_id.get()).into(),
                15 => it.display_qty = self.draw.of(&[0, 1, -1, i64::MAX]).into(),
                16 => it.expire_time = self.draw.of(&[0, 1, ts_ns, 1 << 63, u64::MAX - 1]).into(),
                17 => it.trigger_price = NULL_I64.into(),
                18 => it.trigger_price = self.odd_price(it.trigger_price.get()).into(),
                19 => it.trail_offset = self.draw.of(&[0, 1, -1, i64::MAX]).into(),
                20 => it.oco_group = self.draw.of(&[1, u32::MAX]).into(),
                21 => it.trigger_type = self.draw.of(&[0, 4, 255]),
                22 => it.condition = self.draw.of(&[0, 3, 255]),
                _ => it.cl_ord_id = self.used_cl_ord_id(model, session.1).into(),
            }
        }
        self.send(model, ts_ns, session.0, it)
    }

    /// Cancels or amends what is armed.
    fn touch_armed(&mut self, model: &Model, ts_ns: u64) -> Step {
        let armed: Vec<&Order> = model.armed().iter().collect();
        if armed.is_empty() {
            return self.trigger(model, ts_ns);
        }
        let order = *self.draw.of(&armed);
        let session = self.a_session_of(order.account);
        if self.draw.one_in(3) {
            let it = self.amend_of(model, &order);
            return self.send(model, ts_ns, session, it);
        }
        let it = self.naming(&order);
        self.send(model, ts_ns, session, it)
    }

    /// Where something is armed, a price at its trigger or beside it.
    pub(super) fn price_that_fires(&mut self, model: &Model) -> Option<(u32, i64)> {
        let armed: Vec<&Order> = model.armed().iter().collect();
        if armed.is_empty() {
            return None;
        }
        let order = self.draw.of(&armed);
        let instrument = model.instrument(order.instrument)?;
        let trigger = order.trigger?.price + i128::from(self.draw.of(&[-1, 0, 0, 0, 1]));
        // A walk stays where orders are.
        let far = (trigger - i128::from(listed(order.instrument).mark)).abs() > 20;
        (!far).then(|| (order.instrument, price9(instrument, trigger)))
    }

    fn index(&mut self, model: &Model, ts_ns: u64) -> Step {
        let (instrument_id, price) = self.oracle_price(model);
        let it = IndexPrice { price, instrument_id, pad_a: 0.into() };
        self.privileged(model, ts_ns, Role::Oracle, it)
    }

    // Requests

    fn list_orders(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut session = self.draw.of(&SESSIONS[..23]);
        let open = model.all_orders().filter(|order| order.account == session.1).count();
        if self.may_be_curious() && open >= 30 {
            self.curious = Some(Curious { session, left: CURIOUS });
        }
        let mut it = OpenOrdersRequest::new_zeroed();
        self.cl_ord_id += self.draw.below(2);
        (it.cl_ord_id, it.account_id) = (self.cl_ord_id.into(), session.1.into());
        let one = self.draw.between(1, LISTINGS.len() as i64) as u32;
        it.instrument_id = self.draw.of(&[0, 0, 0, one]).into();
        match self.draw.below(16) {
            0 => session = self.draw.of(&SESSIONS[20..]),
            1 => it.account_id = self.draw.of(&[0, 1, 4, 5, 30, u32::MAX]).into(),
            2 => it.instrument_id = self.draw.of(&[11, 12, u32::MAX]).into(),
            _ => {}
        }
        self.send(model, ts_ns, session.0, it)
    }

    /// Where lists need few continuations, and once, because it takes long.
    fn may_be_curious(&self) -> bool {
        self.profile.matches_per_command >= 20 && self.curious.is_none()
    }

    /// The next request of an account that does not stop asking.
    pub(super) fn next_of_curious(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let Curious { session, left } = self.curious.filter(|it| it.left > 0)?;
        self.curious = Some(Curious { session, left: left - 1 });
        let mut it = OpenOrdersRequest::new_zeroed();
        it.account_id = session.1.into();
        it.instrument_id = self.draw.of(&[0, 0, 0, 1]).into();
        Some(self.send(model, ts_ns, session.0, it))
    }

    /// Once it is told to wait it asks a few times more.
    pub(super) fn calm(&mut self, events: &[Vec<u8>]) {
        let told = events.last().and_then(|event| block::<RequestComplete>(&event[ROUTE_BYTES..]));
        let waits = told.is_some_and(|it| it.code.get() == Reject::ThrottledOrders.code());
        if let Some(it) = self.curious.as_mut().filter(|_| waits) {
            it.left = it.left.min(STUBBORN);
        }
    }

    fn history(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut session = self.draw.of(&SESSIONS[..23]);
        let mut it = ExecHistoryRequest::new_zeroed();
        (it.cl_ord_id, it.account_id) = (self.cl_ord_id.into(), session.1.into());
        it.from_exec_id = self.draw.of(&[1, 1 << 16, 3 << 16, u64::MAX]).into();
        (it.to_exec_id, it.max_count) = (u64::MAX.into(), self.draw.of(&[1, 10_000]).into());
        match self.draw.below(12) {
            0 => session = self.draw.of(&SESSIONS[20..]),
            1 => it.account_id = self.draw.of(&[0, 1, 4, 5, 30, u32::MAX]).into(),
            2 => it.from_exec_id = 0.into(),
            3 => it.to_exec_id = (it.from_exec_id.get() - 1).into(),
            4 => it.max_count = self.draw.of(&[0, 10_001, u32::MAX]).into(),
            _ => {}
        }
        self.send(model, ts_ns, session.0, it)
    }
}

/// So many ticks from the mark.
fn price_beside(model: &Model, id: u32, ticks: i64) -> i64 {
    let Some(instrument) = model.instrument(id) else { return 1 };
    let price = (instrument.mark + i128::from(ticks)).clamp(1, PRICE_TICKS_MAX.into());
    (price * instrument.tick_size).min(i64::MAX.into()) as i64
}
