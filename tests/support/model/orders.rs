//! Sections 4 and 5.30 to 5.34: which orders and which amends are refused, in the order of the clauses, and what an
//! order is once it is accepted or amended.

use engine::limits::{ORDER_SLOT_BITS, PRICE_TICKS_MAX};

use super::iceberg::{amended_display, display, shown_after_amend, shows_more};
use super::matching::rests;
use super::time::expiry;
use super::*;

pub(super) const PASSIVE: u16 = POST_ONLY | POST_ONLY_SLIDE;
pub(super) const REDUCE_ONLY: u16 = 4;
pub(super) const MMP: u16 = 8;

/// Where an amended order stands, and what it is to become.
struct Amend {
    old: Order,
    price: i128,
    total: i128,
    display: Option<i128>,
}

impl Model {
    pub(super) fn new_order(&mut self, now: &Now, session: &Session, it: &NewOrder) {
        let taker = match self.admit(now, session, it) {
            Ok(order) => order,
            Err(why) => {
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                self.note_refusal(it, why);
                return self.reject(now, NewOrder::TEMPLATE, it.cl_ord_id.get(), instrument, account, why);
            }
        };
        self.note_entry(it, &taker);
        self.enter(session, &taker);
        let price = self.price9(&taker);
        self.tell(now, taker.session, |stamp| OrderAccepted {
            ord_type: it.ord_type,
            flags: it.flags,
            mmp_group: it.mmp_group,
            ..accepted(&stamp, &taker, price, status::NEW)
        });
        self.meet(now, taker);
    }

    fn note_entry(&mut self, it: &NewOrder, order: &Order) {
        let lots = self.position(order.account, order.instrument).abs();
        let forgotten = self.past_ids.contains(&(order.account, order.cl_ord_id));
        let seen = [
            (order.qty < it.qty.get().into(), reduce_only::SEEN[0]),
            (order.reduce_only && order.qty == lots, reduce_only::SEEN[1]),
            (forgotten, ids::SEEN[2]),
        ];
        for (_, name) in seen.into_iter().filter(|it| it.0) {
            self.note(name);
        }
    }

    fn note_refusal(&mut self, it: &NewOrder, why: Refusal) {
        self.note_special_refusal(it.account_id.get(), false, why);
        let id = (it.account_id.get(), it.cl_ord_id.get());
        let open = self.all_orders().any(|order| (order.account, order.cl_ord_id) == id);
        let duplicate = why.code == Reject::DuplicateClOrdId.code();
        let seen = [
            (why.code == Reject::OpenOrderLimit.code() && why.field == 14, reduce_only::SEEN[7]),
            (duplicate && why.order_id != 0 && !open, ids::SEEN[0]),
            (duplicate && why.order_id == 0, ids::SEEN[1]),
        ];
        for (_, name) in seen.into_iter().filter(|it| it.0) {
            self.note(name);
        }
    }

    /// What every accepted order leaves behind (5.1, 4.17, 12.2).
    pub(super) fn enter(&mut self, session: &Session, order: &Order) {
        self.serial += 1;
        self.take_entries(order);
        self.raise_high_water(session, order);
    }

    /// 4.1 to 4.18 in order; what comes back is the order as accepted.
    fn admit(&self, now: &Now, session: &Session, it: &NewOrder) -> Result<Order, Refusal> {
        use Reject::*;
        let (account, id) = (it.account_id.get(), it.instrument_id.get());
        demand(session.role == Role::Trade, Permission, 0)?;
        self.own_account(session, account, 7)?;
        let instrument = self.instruments.get(&id).ok_or(refusal(UnknownInstrument, 6))?;
        well_formed(it, instrument.is_combo())?;
        let limit = match it.ord_type {
            LIMIT => {
                demand(it.price.get() != NULL_I64, PriceRequired, 2)?;
                Some(in_ticks(instrument, it.price.get(), 2)?)
            }
            _ => {
                demand(it.price.get() == NULL_I64, PriceForbidden, 2)?;
                None
            }
        };
        let qty = quantity(instrument, it.qty.get(), 3)?;
        let may_hide = it.ord_type == LIMIT && rests(it.tif);
        let display = display(it.display_qty.get(), may_hide, qty)?;
        let expiry = expiry(now, it.tif, it.expire_time.get())?;
        self.unused_id(session, account, it.cl_ord_id.get())?;
        in_time(now, it.max_delay_us.get(), 9)?;
        self.moves()?;
        let order = Order {
            order_id: self.next_order_id(),
            cl_ord_id: it.cl_ord_id.get(),
            session: now.origin.session.get(),
            account,
            instrument: id,
            buy: it.side == 1,
            market: it.ord_type == MARKET,
            tif: it.tif,
            stp_mode: it.stp_mode,
            stp_group: it.stp_group.get(),
            price: 0,
            qty,
            leaves: qty,
            quote: false,
            group: it.mmp_group.get(),
            expiry,
            display,
            shown: 0,
            reduce_only: it.flags.get() & REDUCE_ONLY != 0,
            trigger: None,
        };
        let passive = it.flags.get() & PASSIVE != 0;
        self.may_enter(
            account,
            id,
            order.market || it.ord_type == MARKET_TO_LIMIT || !rests(it.tif) || passive,
        )?;
        self.may_join(now, account, order.group, 15)?;
        self.judge(order, it.flags.get(), limit, true)
    }

    /// 4.11 to 4.18 and 8.20: the order with its working price and cut. Its room is judged when it has none yet.
    pub(super) fn judge(
        &self,
        order: Order,
        flags: u16,
        limit: Option<i128>,
        needs_room: bool,
    ) -> Result<Order, Refusal> {
        let instrument = &self.instruments[&order.instrument];
        let asked = self.working_price(&order, limit)?;
        within_band(instrument, order.buy, asked, 2)?;
        let price = self.passive(flags, order.instrument, order.buy, asked)?;
        let order = self.cut(Order { price, ..order })?;
        let counted = Order { price: if order.market { instrument.mark } else { price }, ..order };
        self.within_value(&counted)?;
        self.within_position(&order, None)?;
        if needs_room {
            self.has_room(&order)?;
        }
        let probe = Order { price: self.margin_price(&order), ..order };
        self.affordable(&probe, None)?;
        demand(order.tif != FOK || self.fillable(&order) >= order.leaves, Reject::FokNotFillable, 0)?;
        Ok(order)
    }

    /// 4.17.
    pub(super) fn has_room(&self, order: &Order) -> Outcome {
        let (limits, account) = (self.limits(), order.account);
        let own = self.all_orders().filter(|order| order.account == account).count();
        if own >= limits.orders_per_account as usize {
            return Err(with_detail(Reject::OpenOrderLimit, 0, limits.orders_per_account.into()));
        }
        if order.is_special() {
            self.special_room(account)?;
        }
        demand(self.serial + 1 < 1 << 40, Reject::Capacity, 0)?;
        demand(self.all_orders().count() < limits.orders as usize, Reject::Capacity, 0)?;
        demand(self.has_free_level(), Reject::Capacity, 0)?;
        let new =
            self.touched(order.instrument).into_iter().filter(|id| !self.has_entry(account, *id)).count();
        let room = || self.entries_in_use() + new <= limits.positions as usize;
        demand(new == 0 || room(), Reject::Capacity, 0)
    }

    /// 4.11.
    fn working_price(&self, order: &Order, limit: Option<i128>) -> Result<i128, Refusal> {
        if let Some(limit) = limit {
            return Ok(limit);
        }
        let best = self.best(order.instrument, !order.buy).ok_or(refusal(Reject::NoLiquidity, 0))?;
        if !order.market {
            return Ok(best);
        }
        Ok(match (band(&self.instruments[&order.instrument]), order.buy) {
            (Some((_, high)), true) => high,
            (Some((low, _)), false) => low,
            (None, true) => i128::from(PRICE_TICKS_MAX),
            (None, false) => 1,
        })
    }

    /// 4.13: the price at which the flags let an order stand.
    pub(super) fn passive(&self, flags: u16, id: u32, buy: bool, price: i128) -> Result<i128, Refusal> {
        if self.instruments[&id].state == states::AUCTION {
            return Ok(price);
        }
        let best = self.best(id, !buy);
        let crossed = best.filter(|best| if buy { price >= *best } else { price <= *best });
        let Some(best) = crossed else { return Ok(price) };
        demand(flags & POST_ONLY == 0, Reject::WouldCross, 0)?;
        if flags & POST_ONLY_SLIDE == 0 {
            return Ok(price);
        }
        let slid = if buy { best - 1 } else { best + 1 };
        // Nor to a price that no member could ask for, because a Price9 does not reach it.
        let instrument = &self.instruments[&id];
        let shown = i64::try_from(slid * instrument.tick_size).is_ok_and(|price| price != NULL_I64);
        let most = i128::from(PRICE_TICKS_MAX);
        let least = if instrument.is_combo() { -most } else { 1 };
        demand(shown && (least..=most).contains(&slid), Reject::WouldCross, 0)?;
        Ok(slid)
    }

    /// 4.18: the price at which margin is asked for.
    fn margin_price(&self, order: &Order) -> i128 {
        if !order.market {
            return order.price;
        }
        let mut wanted = order.leaves;
        let mut worst = self.instruments[&order.instrument].mark;
        for maker in self.seen_ahead(order).into_iter().filter(|maker| !self.own(order, maker)) {
            if wanted <= 0 {
                break;
            }
            wanted -= maker.in_sight();
            worst = if order.buy { worst.max(maker.price) } else { worst.min(maker.price) };
        }
        if wanted > 0 && self.queue(order).len() >= matching::SEEN_AHEAD {
            worst = if order.buy { worst.max(order.price) } else { worst.min(order.price) };
        }
        worst
    }

    /// 4.10; `barred` is what an auction does not take.
    pub(super) fn may_enter(&self, account: u32, id: u32, barred: bool) -> Outcome {
        demand(!self.blocked.contains(&account), Reject::AccountBlocked, 0)?;
        self.takes_orders(id, barred)
    }

    /// 4.16, with what is open beside `order` and the order that it replaces.
    pub(super) fn within_position(&self, order: &Order, replaces: Option<u64>) -> Outcome {
        let most = i128::from(i32::MAX);
        for (id, ratio) in self.ratios(order.instrument) {
            let (lots, buy) = (order.leaves * ratio.abs(), order.buy == (ratio > 0));
            let open = self.open(order.account, id, replaces);
            let position = self.position(order.account, id);
            let side = lots + if buy { open.buys } else { open.sells };
            let reach = if buy { position + side } else { position - side };
            if reach.abs() > most || side > most {
                return Err(with_detail(Reject::PositionLimit, 0, most));
            }
        }
        Ok(())
    }

    /// 4.18 and 6.5: `probe` is not in the book; `replaces` is the order that it takes the place of.
    pub(super) fn affordable(&self, probe: &Order, replaces: Option<u64>) -> Outcome {
        let (equity, with) = (self.equity(probe.account), self.requirement_with(probe, replaces));
        let closes = || replaces.is_none() && self.only_closes(probe);
        if equity >= with || with <= self.requirement(probe.account) || closes() {
            return Ok(());
        }
        Err(with_detail(Reject::InsufficientMargin, 0, with - equity))
    }

    /// 6.6
    fn only_closes(&self, probe: &Order) -> bool {
        let instrument = &self.instruments[&probe.instrument];
        if instrument.is_combo() {
            return false;
        }
        let open = self.open(probe.account, probe.instrument, None);
        let lots = self.position(probe.account, probe.instrument);
        let (held, others, slip) = if probe.buy {
            (-lots, open.buys, probe.price - instrument.mark)
        } else {
            (lots, open.sells, instrument.mark - probe.price)
        };
        let dearest = instrument.maker_fee_ppm.max(instrument.taker_fee_ppm);
        let per_tick = probe.leaves * instrument.tick_value;
        let cost = slip.max(0) * per_tick + share_up(probe.price * per_tick, dearest);
        others + probe.leaves <= held
            && cost < share_up(instrument.mark * per_tick, instrument.initial_margin_ppm)
    }

    fn has_free_level(&self) -> bool {
        let most = self.limits().levels as usize;
        if self.all_orders().count() < most {
            return true;
        }
        let mut levels: Vec<_> =
            self.orders.iter().map(|order| (order.instrument, order.buy, order.price)).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len() + self.armed.len() < most
    }

    /// An account has an entry in an instrument while it holds lots there, or orders there or in a combo with it.
    fn entries(&self) -> impl Iterator<Item = (u32, u32)> {
        let held = self.positions.iter().filter(|(_, lots)| **lots != 0).map(|(key, _)| *key);
        let legs = |order: &Order| self.instruments[&order.instrument].legs().map(|leg| leg.0);
        let ordered = self.all_orders().flat_map(move |order| {
            [order.instrument].into_iter().chain(legs(order)).map(|id| (order.account, id))
        });
        held.chain(ordered)
    }

    fn has_entry(&self, account: u32, instrument: u32) -> bool {
        self.entries().any(|entry| entry == (account, instrument))
    }

    fn entries_in_use(&self) -> usize {
        let mut entries: Vec<_> = self.entries().collect();
        entries.sort_unstable();
        entries.dedup();
        entries.len()
    }

    pub(super) fn take_entries(&mut self, order: &Order) {
        for id in self.touched(order.instrument) {
            self.positions.entry((order.account, id)).or_insert(0);
        }
    }

    /// 5.1: the next serial and the lowest free slot.
    pub(super) fn next_order_id(&self) -> u64 {
        let mask = (1 << ORDER_SLOT_BITS) - 1;
        let mut taken: Vec<u64> = self.all_orders().map(|order| order.order_id & mask).collect();
        taken.sort_unstable();
        let gap = (0..).zip(&taken).find(|(slot, taken)| slot != *taken);
        let slot = gap.map_or(taken.len() as u64, |(slot, _)| slot);
        (self.serial + 1) << ORDER_SLOT_BITS | slot
    }

    // Amends

    pub(super) fn modify_order(&mut self, now: &Now, session: &Session, it: &ModifyOrder) {
        let cl_ord_id = it.cl_ord_id.get();
        let amend = match self.judge_amend(now, session, it) {
            Ok(amend) => amend,
            Err(why) => {
                let why = Refusal { order_id: it.order_id.get(), ..why };
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                self.note_special_refusal(account, true, why);
                return self.reject(now, ModifyOrder::TEMPLATE, cl_ord_id, instrument, account, why);
            }
        };
        let old = amend.old;
        if amend.total <= old.filled() {
            return self.cancel_by_user(now, &old, cl_ord_id);
        }
        let kept = amend.keeps_priority();
        let new = amend.new_order();
        if let Some(name) = iceberg::seen_of_amend(&old, &new) {
            self.note(name);
        }
        if it.qty.get() != NULL_I64 && new.qty < it.qty.get().into() {
            self.note(reduce_only::SEEN[2]);
        }
        let sender = now.origin.session.get();
        self.modified(now, sender, &new, cl_ord_id, kept);
        if old.session != sender {
            self.modified(now, old.session, &new, old.cl_ord_id, kept);
        }
        if kept {
            let place = self.orders.iter_mut().find(|order| order.order_id == old.order_id);
            *place.expect("it rests") = new;
        } else {
            self.orders.retain(|order| order.order_id != old.order_id);
            self.meet(now, new);
        }
    }

    /// 5.30 to 5.33 in order.
    fn judge_amend(&self, now: &Now, session: &Session, it: &ModifyOrder) -> Result<Amend, Refusal> {
        let account = it.account_id.get();
        let (orig, order_id) = (it.orig_cl_ord_id.get(), it.order_id.get());
        demand(session.role == Role::Trade, Reject::Permission, 0)?;
        self.own_account(session, account, 11)?;
        demand((orig == 0) != (order_id == 0), Reject::InvalidCombination, 2)?;
        demand(known_flags(it.flags.get()), Reject::InvalidCombination, 9)?;
        let old = self.find_named(account, it.instrument_id.get(), orig, order_id)?;
        let named = if orig != 0 { 2 } else { 3 };
        demand(!old.quote && old.trigger.is_none(), Reject::InvalidCombination, named)?;
        let instrument = &self.instruments[&old.instrument];
        let asked = match it.price.get() {
            NULL_I64 => old.price,
            price => in_ticks(instrument, price, 4)?,
        };
        let total = match it.qty.get() {
            NULL_I64 => old.qty,
            qty => quantity(instrument, qty, 5)?,
        };
        let display = amended_display(&old, it.display_qty.get(), total)?;
        in_time(now, it.max_delay_us.get(), 8)?;
        let barred = asked != old.price && it.flags.get() != 0;
        self.may_enter(account, old.instrument, barred)?;
        let frozen = old.group != 0 && self.is_frozen(account, old.group, now.ts_ns);
        demand(!frozen, Reject::MmpFrozen, 0)?;
        if total <= old.filled() {
            return Ok(Amend { old, price: old.price, total, display });
        }
        let mut price = asked;
        if asked != old.price {
            within_band(instrument, old.buy, asked, 4)?;
            price = self.passive(it.flags.get(), old.instrument, old.buy, asked)?;
        }
        let total = self.cut_amend(&old, total)?;
        let amend = Amend { old, price, total, display };
        let new = amend.new_order();
        if new.is_special() && !old.is_special() {
            self.special_room(account)?;
        }
        if !amend.keeps_priority() {
            self.within_value(&new)?;
            self.within_position(&new, Some(old.order_id))?;
            let free = self.has_free_level();
            demand(price == old.price || free, Reject::Capacity, 0)?;
            self.affordable(&new, Some(old.order_id))?;
            self.moves()?;
        }
        Ok(amend)
    }
}

impl Amend {
    /// 5.33 and 8.13.
    fn keeps_priority(&self) -> bool {
        self.price == self.old.price && self.total <= self.old.qty && !shows_more(&self.old, self.display)
    }

    /// What the order is to be, where it is.
    fn new_order(&self) -> Order {
        let leaves = self.total - self.old.filled();
        let shown = shown_after_amend(&self.old, self.display, leaves);
        Order { price: self.price, qty: self.total, leaves, display: self.display, shown, ..self.old }
    }
}

/// What is told of an order as it stands (5.1); its type, flags and group are the caller's to say.
pub(super) fn accepted(stamp: &Stamp, order: &Order, price: i64, status: u8) -> OrderAccepted {
    OrderAccepted {
        exec_id: stamp.exec_id.into(),
        order_id: order.order_id.into(),
        cl_ord_id: order.cl_ord_id.into(),
        ref_seq: stamp.ref_seq.into(),
        recv_time: stamp.recv_time.into(),
        match_time: stamp.match_time.into(),
        price: price.into(),
        qty: wire(order.qty).into(),
        leaves_qty: wire(order.leaves).into(),
        display_qty: order.display.map_or(NULL_I64, wire).into(),
        instrument_id: order.instrument.into(),
        account_id: order.account.into(),
        side: side_of(order),
        ord_type: LIMIT,
        tif: order.tif,
        status,
        flags: 0.into(),
        mmp_group: 0.into(),
    }
}

/// 4.4.
fn well_formed(it: &NewOrder, combo: bool) -> Outcome {
    use Reject::*;
    demand(it.side == 1 || it.side == 2, InvalidSide, 10)?;
    let types: &[u8] = if combo { &[LIMIT] } else { &[LIMIT, MARKET, MARKET_TO_LIMIT] };
    let flags = it.flags.get();
    demand(types.contains(&it.ord_type), InvalidOrdType, 11)?;
    demand((DAY..=GTD).contains(&it.tif), InvalidTif, 12)?;
    demand(it.cl_ord_id.get() != 0, InvalidCombination, 1)?;
    demand((1..=5).contains(&it.stp_mode), InvalidCombination, 13)?;
    let (grouped, reduces) = (flags & MMP != 0, flags & REDUCE_ONLY != 0);
    let may_join = it.ord_type == LIMIT && rests(it.tif);
    let flagged = known_flags(flags & !(MMP | REDUCE_ONLY)) && !(reduces && combo) && (!grouped || may_join);
    demand(flagged, InvalidCombination, 14)?;
    demand((it.mmp_group.get() != 0) == grouped, InvalidCombination, 15)?;
    demand(fits_tif(it.ord_type, it.tif, flags), InvalidCombination, 12)
}

/// 4.4: what is said last of types, times in force and flags.
pub(super) fn fits_tif(ord_type: u8, tif: u8, flags: u16) -> bool {
    let wrong = match ord_type {
        MARKET => rests(tif),
        MARKET_TO_LIMIT => !rests(tif),
        _ => false,
    };
    !wrong && (flags & PASSIVE == 0 || ord_type == LIMIT && rests(tif))
}

pub(super) fn known_flags(flags: u16) -> bool {
    flags & !PASSIVE == 0 && flags != PASSIVE
}

/// 4.5; 11.2 for a combo.
pub(super) fn in_ticks(instrument: &Instrument, price: i64, field: u16) -> Result<i128, Refusal> {
    let price = i128::from(price);
    let signed = instrument.is_combo();
    demand((price > 0 || signed) && price % instrument.tick_size == 0, Reject::PriceNotOnTick, field)?;
    let ticks = price / instrument.tick_size;
    demand(ticks.abs() <= 1 << 48, Reject::PriceNotOnTick, field)?;
    Ok(ticks)
}

/// 4.6.
pub(super) fn quantity(instrument: &Instrument, qty: i64, field: u16) -> Result<i128, Refusal> {
    let qty = i128::from(qty);
    demand(qty > 0, Reject::QtyNotPositive, field)?;
    if qty > instrument.qty_max {
        return Err(with_detail(Reject::QtyTooLarge, field, instrument.qty_max));
    }
    Ok(qty)
}

/// 4.9.
pub(super) fn in_time(now: &Now, max_delay_us: u32, field: u16) -> Outcome {
    if max_delay_us == 0 {
        return Ok(());
    }
    let (ts, sent) = (i128::from(now.ts_ns), i128::from(now.origin.sent_ns.get()));
    let late = ts - (sent + 1000 * i128::from(max_delay_us));
    if late > 0 {
        return Err(with_detail(Reject::StaleRequest, field, late));
    }
    demand(sent <= ts + SECOND_NS, Reject::StaleRequest, field)
}

/// 4.12, 11.3: the lowest and the highest price of the band, `None` without one.
pub fn band(instrument: &Instrument) -> Option<(i128, i128)> {
    let (mark, ppm) = (instrument.mark, instrument.band_ppm);
    if instrument.is_combo() {
        let width = instrument.gross_mark * ppm / MILLION;
        return Some((mark - width, mark + width));
    }
    let low = (mark * (MILLION - ppm) + MILLION - 1) / MILLION;
    let high = mark * (MILLION + ppm) / MILLION;
    (ppm != 0).then_some((low.max(1), high))
}

pub(super) fn within_band(instrument: &Instrument, buy: bool, price: i128, field: u16) -> Outcome {
    let Some((low, high)) = band(instrument) else { return Ok(()) };
    if buy && price > high {
        return Err(with_detail(Reject::PriceAboveBand, field, high * instrument.tick_size));
    }
    if !buy && price < low {
        return Err(with_detail(Reject::PriceBelowBand, field, low * instrument.tick_size));
    }
    Ok(())
}
