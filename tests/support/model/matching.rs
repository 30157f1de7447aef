//! Section 5 without the amends: how an order meets the other side, what keeps a member from trading with itself, cancels
//! one by one and many at a time, and the work that waits for a continuation.

use super::requests::Listing;
use super::*;

const CANCEL_TAKER: u8 = 2;
const CANCEL_MAKER: u8 = 3;
const CANCEL_BOTH: u8 = 4;
/// The scope of 12.3.
const PRODUCT: u8 = 5;
const MMP_GROUP: u8 = 6;
/// Orders that a look ahead takes in.
pub(super) const SEEN_AHEAD: usize = 4096;

/// What a `Continue` is due for (5.6).
#[derive(Clone, Copy)]
pub(super) enum Waiting {
    Taker(Order),
    MassCancel(Sweep),
    /// The orders of an instrument that expired (10.3).
    Expired(u32),
    /// An instrument whose book is uncrossed, and the auction price (10.4).
    Uncross(u32, i128),
    OpenOrders(Listing),
    /// Triggers that are due (8.33).
    Triggers,
}

/// A mass cancel under way.
#[derive(Clone, Copy)]
pub(super) struct Sweep {
    /// Who asked, for the answer at the end.
    origin: Origin,
    request: MassCancel,
    canceled: u32,
    /// The serial of the last order that was looked at.
    seen: u64,
}

pub const SEEN: [&str; 2] =
    ["a group of one owner's accounts prevents", "a group of strangers does not prevent"];

pub const SEEN_OF_SWEEPS: [&str; 3] = [
    "a mass cancel passes over an order",
    "a mass cancel that passes over waits at the cap",
    "a mass cancel can name nothing and looks at nothing",
];

impl Model {
    /// 5.8.
    pub(super) fn own(&self, taker: &Order, maker: &Order) -> bool {
        let owner = self.owner(taker.account);
        let owned = owner != 0 && owner == self.owner(maker.account);
        taker.stp_mode != STP_NONE && (taker.account == maker.account || owned && same_group(taker, maker))
    }

    pub(super) fn meet(&mut self, now: &Now, mut taker: Order) {
        let meets = self.instruments[&taker.instrument].state != states::AUCTION;
        while taker.leaves > 0 && meets {
            let Some(maker) = self.best_maker(&taker) else { break };
            if self.at_the_cap() {
                self.waiting = Some(Waiting::Taker(taker));
                return;
            }
            self.steps += 1;
            let met = self.orders[maker];
            let prevents = self.own(&taker, &met);
            let strangers = taker.account != met.account && taker.stp_mode != STP_NONE;
            if strangers && same_group(&taker, &met) {
                self.note(SEEN[if prevents { 0 } else { 1 }]);
            }
            if prevents {
                self.prevent(now, &mut taker, maker);
            } else {
                self.trade(now, &mut taker, maker);
            }
        }
        if taker.leaves > 0 && rests(taker.tif) {
            self.rest(taker);
            return;
        }
        if taker.leaves > 0 {
            let why = if taker.tif == IOC { reason::IOC } else { reason::FOK };
            self.canceled(now, taker.session, &taker, taker.cl_ord_id, why);
        }
        self.close_id(&taker);
    }

    /// 5.6, and 8.21, 9.14 and 11.5 may have passed it.
    pub(super) fn at_the_cap(&self) -> bool {
        self.steps >= self.limits().matches_per_command
    }

    /// 5.6: a `Continue` that is due.
    pub(super) fn go_on(&mut self, now: &Now, order_id: u64) {
        if self.continuation() != Some(order_id) {
            return;
        }
        match self.waiting.take() {
            Some(Waiting::Taker(taker)) => self.meet(now, taker),
            Some(Waiting::MassCancel(sweep)) => self.sweep(now, sweep),
            Some(Waiting::Expired(instrument)) => self.expire(now, instrument),
            Some(Waiting::Uncross(instrument, price)) => self.uncross_at(now, instrument, price),
            Some(Waiting::OpenOrders(listing)) => self.list(now, listing),
            // Whoever ends a command looks at them.
            Some(Waiting::Triggers) | None => {}
        }
    }

    /// All orders that a taker may meet, in the order in which it meets them.
    pub(super) fn queue(&self, taker: &Order) -> Vec<Order> {
        let mut queue: Vec<Order> =
            self.orders.iter().filter(|maker| crosses(taker, maker)).copied().collect();
        // Stable: equals stay in the order of time.
        queue.sort_by_key(|maker| if taker.buy { maker.price } else { -maker.price });
        queue
    }

    /// As far as a look ahead goes (4.14, 4.18).
    pub(super) fn seen_ahead(&self, taker: &Order) -> Vec<Order> {
        let mut queue = self.queue(taker);
        queue.truncate(SEEN_AHEAD);
        queue
    }

    /// 4.14 and 8.12.
    pub(super) fn fillable(&self, taker: &Order) -> i128 {
        let queue = self.seen_ahead(taker);
        let ends = |maker: &&Order| self.own(taker, maker) && taker.stp_mode != CANCEL_MAKER;
        let end = queue.iter().find(ends).map(|maker| maker.price);
        let before_the_end = queue.iter().take_while(|maker| !ends(maker));
        let others = before_the_end.filter(|maker| !self.own(taker, maker));
        others.map(|maker| if Some(maker.price) == end { maker.in_sight() } else { maker.leaves }).sum()
    }

    /// Where the order stands that the taker meets next.
    fn best_maker(&self, taker: &Order) -> Option<usize> {
        let found = self.orders.iter().enumerate().filter(|(_, maker)| crosses(taker, maker));
        // The first of equals is the oldest.
        let best = found.min_by_key(|(_, maker)| if taker.buy { maker.price } else { -maker.price });
        best.map(|(index, _)| index)
    }

    fn trade(&mut self, now: &Now, taker: &mut Order, index: usize) {
        let lots = taker.leaves.min(self.orders[index].in_sight());
        taker.leaves -= lots;
        self.orders[index].leaves -= lots;
        if self.orders[index].display.is_some() {
            self.orders[index].shown -= lots;
        }
        let maker = self.orders[index];
        if maker.leaves == 0 {
            self.orders.remove(index);
            self.close_id(&maker);
            if maker.display.is_some() {
                self.note(iceberg::SEEN[1]);
            }
        } else if maker.in_sight() == 0 {
            self.note(iceberg::SEEN[0]);
            self.orders.remove(index);
            self.rest(maker);
        }
        self.settle(now, [(taker, liquidity::TAKER), (&maker, liquidity::MAKER)], maker.price, lots);
        self.steps += self.instruments[&maker.instrument].legs().count() as u32;
        self.count_fill(now, &maker, lots);
    }

    /// 5.3, 5.4 and 11.5: both sides of a match as they stand after it.
    pub(super) fn settle(&mut self, now: &Now, sides: [(&Order, u8); 2], price: i128, lots: i128) {
        self.match_id += 1;
        let mut parts: Vec<(&Order, Vec<Part>)> = Vec::new();
        for (order, liquidity) in sides {
            parts.push((order, self.fill(order, price, lots, liquidity)));
        }
        for (order, mut parts) in parts {
            for part in &mut parts {
                // Where both sides are one account, each shows what it holds after both.
                part.position = self.position(order.account, part.instrument);
                self.executed(now, order, part);
            }
        }
        let [(first, _), (second, _)] = sides;
        if !self.instruments[&first.instrument].is_combo() {
            self.note_match(first.instrument, price);
        }
        if first.account != second.account {
            for (id, _) in self.ratios(first.instrument) {
                self.reduce(now, first.account, id);
                self.reduce(now, second.account, id);
            }
        }
    }

    /// Moves money and lots of one side, and gives what it is told of.
    fn fill(&mut self, order: &Order, price: i128, lots: i128, liquidity: u8) -> Vec<Part> {
        let instrument = self.instruments[&order.instrument];
        let mut parts = Vec::new();
        for (id, ratio, price) in self.shares(order.instrument, price) {
            let leg = self.instruments[&id];
            let rate = if liquidity == liquidity::TAKER { leg.taker_fee_ppm } else { leg.maker_fee_ppm };
            let (lots, buy) = (lots * ratio.abs(), order.buy == (ratio > 0));
            let value = lots * price * leg.tick_value;
            let fee = share_up(value.abs(), rate);
            let sign = if buy { 1 } else { -1 };
            *self.positions.entry((order.account, id)).or_insert(0) += sign * lots;
            *self.accounts.get_mut(&order.account).expect("it has orders") -= sign * value + fee;
            *self.accounts.get_mut(&ACCOUNT_FEES).expect("always exists") += fee;
            parts.push(Part { instrument: id, buy, price, lots, fee, position: 0, liquidity });
        }
        if instrument.is_combo() {
            let fee = parts.iter().map(|part| part.fee).sum();
            let (instrument, buy) = (order.instrument, order.buy);
            parts.insert(0, Part { instrument, buy, price, lots, fee, position: 0, liquidity });
        }
        parts
    }

    /// 5.8: what happens where the taker would meet an order of its own.
    fn prevent(&mut self, now: &Now, taker: &mut Order, index: usize) {
        let maker = self.orders[index];
        match taker.stp_mode {
            CANCEL_TAKER => self.give_up(now, taker),
            CANCEL_MAKER | CANCEL_BOTH => {
                self.orders.remove(index);
                self.lose(now, &maker, maker.leaves, reason::STP);
                self.close_id(&maker);
                if taker.stp_mode == CANCEL_BOTH {
                    self.give_up(now, taker);
                }
            }
            _ => {
                let lots = taker.leaves.min(maker.leaves);
                if maker.display.is_some() && maker.leaves > lots && maker.shown > maker.leaves - lots {
                    self.note(iceberg::SEEN[6]);
                }
                match self.lose(now, &maker, lots, reason::STP) {
                    Some(rest) => self.orders[index] = rest,
                    None => {
                        self.orders.remove(index);
                        self.close_id(&maker);
                    }
                }
                let rest = self.lose(now, taker, lots, reason::STP);
                *taker = rest.unwrap_or(Order { leaves: 0, ..*taker });
            }
        }
    }

    fn give_up(&mut self, now: &Now, taker: &mut Order) {
        self.lose(now, taker, taker.leaves, reason::STP);
        taker.leaves = 0;
    }

    /// Tells that `lots` of an order are taken away, and gives what is left of it (5.8, 8.21).
    pub(super) fn lose(&mut self, now: &Now, order: &Order, lots: i128, why: u8) -> Option<Order> {
        if lots == order.leaves {
            self.canceled(now, order.session, order, order.cl_ord_id, why);
            return None;
        }
        let leaves = order.leaves - lots;
        let rest = Order { qty: order.qty - lots, leaves, shown: order.shown.min(leaves), ..*order };
        self.modified(now, order.session, &rest, order.cl_ord_id, true);
        Some(rest)
    }

    // Cancels

    pub(super) fn cancel_order(&mut self, now: &Now, session: &Session, it: &CancelOrder) {
        let cl_ord_id = it.cl_ord_id.get();
        match self.find_cancel(session, it) {
            Ok(order) => self.cancel_by_user(now, &order, cl_ord_id),
            Err(why) => {
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                self.reject(now, CancelOrder::TEMPLATE, cl_ord_id, instrument, account, why);
            }
        }
    }

    /// 5.13.
    pub(super) fn cancel_by_user(&mut self, now: &Now, order: &Order, cl_ord_id: u64) {
        self.remove(order);
        let sender = now.origin.session.get();
        self.canceled(now, sender, order, cl_ord_id, reason::BY_USER);
        if order.session != sender {
            self.canceled(now, order.session, order, order.cl_ord_id, reason::BY_USER);
        }
    }

    /// Takes an order that has ended from where it stands, and closes its client id.
    pub(super) fn remove(&mut self, order: &Order) {
        self.orders.retain(|it| it.order_id != order.order_id);
        self.armed.retain(|it| it.order_id != order.order_id);
        self.close_id(order);
    }

    fn find_cancel(&self, session: &Session, it: &CancelOrder) -> Result<Order, Refusal> {
        let (orig, order_id) = (it.orig_cl_ord_id.get(), it.order_id.get());
        demand(may_cancel(session), Reject::Permission, 0)?;
        self.own_account(session, it.account_id.get(), 5)?;
        demand((orig == 0) != (order_id == 0), Reject::InvalidCombination, 2)?;
        self.find_named(it.account_id.get(), it.instrument_id.get(), orig, order_id)
    }

    /// 5.12: one of `orig` and `order_id` is 0.
    pub(super) fn find_named(
        &self,
        account: u32,
        instrument: u32,
        orig: u64,
        order_id: u64,
    ) -> Result<Order, Refusal> {
        let named = |order: &Order| {
            let named =
                if orig != 0 { order.cl_ord_id == orig && !order.quote } else { order.order_id == order_id };
            named && order.account == account && (instrument == 0 || instrument == order.instrument)
        };
        let field = if orig != 0 { 2 } else { 3 };
        let found = self.all_orders().copied().find(named);
        found.ok_or(Refusal { order_id, ..refusal(Reject::UnknownOrder, field) })
    }

    // Mass cancels

    pub(super) fn mass_cancel(&mut self, now: &Now, session: &Session, it: &MassCancel) {
        let sweep = Sweep { origin: now.origin, request: *it, canceled: 0, seen: 0 };
        if let Err(why) = self.judge_mass_cancel(session, it) {
            return self.mass_canceled(now, &sweep, why.code);
        }
        match it.block_new {
            1 => drop(self.blocked.insert(it.account_id.get())),
            2 => drop(self.blocked.remove(&it.account_id.get())),
            _ => {}
        }
        self.sweep(now, sweep);
    }

    /// 5.20 in order.
    fn judge_mass_cancel(&self, session: &Session, it: &MassCancel) -> Outcome {
        demand(may_cancel(session), Reject::Permission, 0)?;
        self.own_account(session, it.account_id.get(), 0)?;
        demand((1..=6).contains(&it.scope), Reject::InvalidCombination, 0)?;
        demand((1..=3).contains(&it.side), Reject::InvalidSide, 0)?;
        demand(it.block_new <= 2, Reject::InvalidCombination, 0)?;
        let exists = self.instruments.contains_key(&it.instrument_id.get());
        demand(it.scope != 3 || exists, Reject::UnknownInstrument, 0)?;
        let configured = self.groups.contains_key(&(it.account_id.get(), it.mmp_group.get()));
        demand(it.scope != MMP_GROUP || configured, Reject::MmpNotConfigured, 0)
    }

    /// 5.22 and 5.23.
    fn sweep(&mut self, now: &Now, mut sweep: Sweep) {
        let account = sweep.request.account_id.get();
        if !self.may_name(&sweep) {
            if self.next_of(account, sweep.seen).is_some() {
                self.note(SEEN_OF_SWEEPS[2]);
            }
            return self.mass_canceled(now, &sweep, 0);
        }
        while let Some(order) = self.next_of(account, sweep.seen) {
            if self.at_the_cap() {
                if self.next_of(account, 0).is_some_and(|first| serial(&first) <= sweep.seen) {
                    self.note(SEEN_OF_SWEEPS[1]);
                }
                self.waiting = Some(Waiting::MassCancel(sweep));
                return;
            }
            self.steps += 1;
            sweep.seen = serial(&order);
            if self.is_named(&sweep, &order) {
                self.remove(&order);
                self.canceled(now, order.session, &order, order.cl_ord_id, reason::MASS_CANCEL);
                sweep.canceled += 1;
            } else {
                self.note(SEEN_OF_SWEEPS[0]);
            }
        }
        self.mass_canceled(now, &sweep, 0);
    }

    /// The account's open order of the next serial.
    pub(super) fn next_of(&self, account: u32, seen: u64) -> Option<Order> {
        let next = |order: &&Order| order.account == account && serial(order) > seen;
        self.all_orders().filter(next).min_by_key(|order| serial(order)).copied()
    }

    fn is_named(&self, sweep: &Sweep, order: &Order) -> bool {
        let it = &sweep.request;
        let inside = match it.scope {
            1 => order.session == sweep.origin.session.get(),
            MMP_GROUP => order.group == it.mmp_group.get(),
            _ => self.is_in_scope(it, order.instrument),
        };
        inside && (it.side == 3 || it.side == side_of(order))
    }

    /// What a scope says of an instrument.
    fn is_in_scope(&self, it: &MassCancel, id: u32) -> bool {
        let (instrument, underlying) = (&self.instruments[&id], it.underlying_id.get());
        match it.scope {
            3 => id == it.instrument_id.get(),
            4 => instrument.underlying == underlying,
            PRODUCT => instrument.kind == it.kind && [0, instrument.underlying].contains(&underlying),
            _ => true,
        }
    }

    /// 5.23: an armed order may be of either side, and a combo's stands for its legs too.
    fn may_name(&self, sweep: &Sweep) -> bool {
        let it = &sweep.request;
        let own = || self.all_orders().filter(|order| order.account == it.account_id.get());
        let entered = own().any(|order| order.session == sweep.origin.session.get());
        let joined = own().any(|order| order.group == it.mmp_group.get());
        let side = |buy: bool| it.side == 3 || (it.side == 1) == buy;
        let open = own().any(|order| {
            let itself =
                self.is_in_scope(it, order.instrument) && (order.trigger.is_some() || side(order.buy));
            let legs = || self.instruments[&order.instrument].legs();
            let leg = || legs().any(|(id, ratio)| self.is_in_scope(it, id) && side(order.buy == (ratio > 0)));
            itself || leg()
        });
        open && (it.scope != 1 || entered) && (it.scope != MMP_GROUP || joined)
    }

    /// The answer carries the numbers of the request, whichever command ends it.
    fn mass_canceled(&mut self, now: &Now, sweep: &Sweep, code: u16) {
        let asked = Now { origin: sweep.origin, ..*now };
        self.tell(&asked, sweep.origin.session.get(), |stamp| MassCancelAck {
            exec_id: stamp.exec_id.into(),
            order_id: 0.into(),
            cl_ord_id: sweep.request.cl_ord_id,
            ref_seq: stamp.ref_seq.into(),
            recv_time: stamp.recv_time.into(),
            match_time: stamp.match_time.into(),
            canceled: sweep.canceled.into(),
            code: code.into(),
            pad_a: 0.into(),
        });
    }

    /// The work that a `Continue` is due for: a taker's order id, else 0.
    pub fn continuation(&self) -> Option<u64> {
        self.waiting.map(|waiting| match waiting {
            Waiting::Taker(taker) => taker.order_id,
            Waiting::MassCancel(_)
            | Waiting::Expired(_)
            | Waiting::Uncross(..)
            | Waiting::OpenOrders(_)
            | Waiting::Triggers => 0,
        })
    }
}

fn same_group(taker: &Order, maker: &Order) -> bool {
    taker.stp_group != 0 && taker.stp_group == maker.stp_group
}

/// 8.1.
pub(super) fn rests(tif: u8) -> bool {
    matches!(tif, DAY | GTC | GTD)
}

/// 5.1.
pub(super) fn serial(order: &Order) -> u64 {
    order.order_id >> ORDER_SLOT_BITS
}

fn may_cancel(session: &Session) -> bool {
    matches!(session.role, Role::Trade | Role::CancelOnly)
}

fn crosses(taker: &Order, maker: &Order) -> bool {
    let reaches = if taker.buy { maker.price <= taker.price } else { maker.price >= taker.price };
    maker.instrument == taker.instrument && maker.buy != taker.buy && reaches
}
