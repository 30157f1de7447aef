//! Sections 4 and 5.30 to 5.34: which orders and which amends are refused, in the order of the clauses, and what an
//! order is once it is accepted or amended.

use engine::limits::{ORDER_SLOT_BITS, ORDER_VALUE_MAX, PRICE_TICKS_MAX};

use super::*;

const POST_ONLY: u16 = 1;
const POST_ONLY_SLIDE: u16 = 2;
const OPEN: u8 = 4;
const HALTED: u8 = 6;

/// Where an amended order stands, and what it is to become.
struct Amend {
    index: usize,
    price: i128,
    total: i128,
}

impl Model {
    pub(super) fn new_order(&mut self, now: &Now, session: &Session, it: &NewOrder) {
        let taker = match self.admit(now, session, it) {
            Ok(order) => order,
            Err(why) => {
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                return self.reject(now, NewOrder::TEMPLATE, it.cl_ord_id.get(), instrument, account, why);
            }
        };
        self.serial += 1;
        self.positions.entry((taker.account, taker.instrument)).or_insert(0);
        let price = self.price9(&taker);
        self.tell(now, taker.session, |stamp| OrderAccepted {
            exec_id: stamp.exec_id.into(),
            order_id: taker.order_id.into(),
            cl_ord_id: taker.cl_ord_id.into(),
            ref_seq: stamp.ref_seq.into(),
            recv_time: stamp.recv_time.into(),
            match_time: stamp.match_time.into(),
            price: price.into(),
            qty: it.qty,
            leaves_qty: it.qty,
            display_qty: it.display_qty,
            instrument_id: it.instrument_id,
            account_id: it.account_id,
            side: it.side,
            ord_type: it.ord_type,
            tif: it.tif,
            status: status::NEW,
            flags: it.flags,
            mmp_group: it.mmp_group,
        });
        self.meet(now, taker);
    }

    /// 4.1 to 4.18 in order; what comes back is the order as accepted.
    fn admit(&self, now: &Now, session: &Session, it: &NewOrder) -> Result<Order, Refusal> {
        use Reject::*;
        let limits = self.limits();
        let (account, id) = (it.account_id.get(), it.instrument_id.get());
        demand(session.role == Role::Trade, Permission, 0)?;
        self.own_account(session, account, 7)?;
        let instrument = self.instruments.get(&id).ok_or(refusal(UnknownInstrument, 6))?;
        well_formed(it)?;
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
        demand(it.display_qty.get() == NULL_I64, DisplayQtyInvalid, 4)?;
        demand(it.expire_time.get() == NULL_U64, ExpireTimeInvalid, 5)?;
        let cl_ord_id = it.cl_ord_id.get();
        let twin = self.orders.iter().find(|order| order.account == account && order.cl_ord_id == cl_ord_id);
        if let Some(twin) = twin {
            return Err(Refusal { order_id: twin.order_id, ..refusal(DuplicateClOrdId, 1) });
        }
        in_time(now, it.max_delay_us.get(), 9)?;
        self.may_enter(account, instrument)?;

        let buy = it.side == 1;
        let asked = self.working_price(it, id, limit)?;
        within_band(instrument, buy, asked, 2)?;
        let price = self.passive(it.flags.get(), id, buy, asked)?;
        let order = Order {
            order_id: (self.serial + 1) << ORDER_SLOT_BITS | self.lowest_free_slot(),
            cl_ord_id,
            session: now.origin.session.get(),
            account,
            instrument: id,
            buy,
            market: it.ord_type == MARKET,
            tif: it.tif,
            stp_mode: it.stp_mode,
            stp_group: it.stp_group.get(),
            price,
            qty,
            leaves: qty,
        };
        if it.tif == FOK {
            let fillable = self.fillable(&order);
            if fillable < qty {
                return Err(with_detail(FokNotFillable, 0, fillable));
            }
        }
        within_value(instrument, qty, if order.market { instrument.mark } else { price })?;
        self.within_position(&order, &self.open(account, id, None))?;
        let own = self.orders.iter().filter(|order| order.account == account).count();
        if own >= limits.orders_per_account as usize {
            return Err(with_detail(OpenOrderLimit, 0, limits.orders_per_account.into()));
        }
        demand(self.orders.len() < limits.orders as usize, Capacity, 0)?;
        demand(self.levels_in_use() < limits.levels as usize, Capacity, 0)?;
        let key = (account, id);
        demand(self.has_entry(&key) || self.entries_in_use() < limits.positions as usize, Capacity, 0)?;
        let probe = Order { price: self.margin_price(&order), ..order };
        self.affordable(&probe, None)?;
        Ok(order)
    }

    /// 4.11.
    fn working_price(&self, it: &NewOrder, id: u32, limit: Option<i128>) -> Result<i128, Refusal> {
        if let Some(limit) = limit {
            return Ok(limit);
        }
        let buy = it.side == 1;
        let best = self.best(id, !buy).ok_or(refusal(Reject::NoLiquidity, 0))?;
        if it.ord_type != MARKET {
            return Ok(best);
        }
        Ok(match (band(&self.instruments[&id]), buy) {
            (Some((_, high)), true) => high,
            (Some((low, _)), false) => low,
            (None, true) => i128::from(PRICE_TICKS_MAX),
            (None, false) => 1,
        })
    }

    /// 4.13: the price at which the flags let an order stand.
    fn passive(&self, flags: u16, id: u32, buy: bool, price: i128) -> Result<i128, Refusal> {
        let best = self.best(id, !buy);
        let crossed = best.filter(|best| if buy { price >= *best } else { price <= *best });
        let Some(best) = crossed else { return Ok(price) };
        demand(flags & POST_ONLY == 0, Reject::WouldCross, 0)?;
        if flags & POST_ONLY_SLIDE == 0 {
            return Ok(price);
        }
        let slid = if buy { best - 1 } else { best + 1 };
        // Nor to a price that no member could ask for, because a Price9 does not reach it.
        let shown = i64::try_from(slid * self.instruments[&id].tick_size).is_ok();
        demand(shown && (1..=i128::from(PRICE_TICKS_MAX)).contains(&slid), Reject::WouldCross, 0)?;
        Ok(slid)
    }

    /// 4.18: the price at which margin is asked for.
    fn margin_price(&self, order: &Order) -> i128 {
        if !order.market {
            return order.price;
        }
        let mut wanted = order.leaves;
        let mut worst = self.instruments[&order.instrument].mark;
        for maker in self.queue(order).into_iter().filter(|maker| !own(order, maker)) {
            if wanted <= 0 {
                break;
            }
            wanted -= maker.leaves;
            worst = if order.buy { worst.max(maker.price) } else { worst.min(maker.price) };
        }
        worst
    }

    /// 4.10.
    fn may_enter(&self, account: u32, instrument: &Instrument) -> Outcome {
        demand(!self.blocked.contains(&account), Reject::AccountBlocked, 0)?;
        demand(instrument.state != HALTED, Reject::Halted, 0)?;
        demand(instrument.state == OPEN, Reject::CancelOnly, 0)
    }

    /// 4.16, `open` being what the account has open beside `order`.
    fn within_position(&self, order: &Order, open: &Open) -> Outcome {
        let most = i128::from(i32::MAX);
        let position = self.position(order.account, order.instrument);
        let side = order.leaves + if order.buy { open.buys } else { open.sells };
        let reach = if order.buy { position + side } else { position - side };
        if reach.abs() > most || side > most {
            return Err(with_detail(Reject::PositionLimit, 0, most));
        }
        Ok(())
    }

    /// 4.18 and 6.5: `probe` is not in the book; `replaces` is the order that it takes the place of.
    fn affordable(&self, probe: &Order, replaces: Option<u64>) -> Outcome {
        let equity = self.equity(probe.account);
        let with = self.requirement_with(probe, replaces);
        let closes = replaces.is_none() && self.only_closes(probe);
        if equity < with && with > self.requirement(probe.account) && !closes {
            return Err(with_detail(Reject::InsufficientMargin, 0, with - equity));
        }
        Ok(())
    }

    /// 6.6
    fn only_closes(&self, probe: &Order) -> bool {
        let instrument = &self.instruments[&probe.instrument];
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

    fn levels_in_use(&self) -> usize {
        let mut levels: Vec<_> =
            self.orders.iter().map(|order| (order.instrument, order.buy, order.price)).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len()
    }

    /// An account has an entry in an instrument while it holds lots or orders there.
    fn has_entry(&self, (account, instrument): &(u32, u32)) -> bool {
        let mut orders = self.orders.iter();
        self.position(*account, *instrument) != 0
            || orders.any(|order| order.account == *account && order.instrument == *instrument)
    }

    fn entries_in_use(&self) -> usize {
        self.positions.keys().filter(|key| self.has_entry(key)).count()
    }

    fn lowest_free_slot(&self) -> u64 {
        let mask = (1 << ORDER_SLOT_BITS) - 1;
        let mut taken: Vec<u64> = self.orders.iter().map(|order| order.order_id & mask).collect();
        taken.sort_unstable();
        (0..).zip(&taken).find(|(slot, taken)| slot != *taken).map_or(taken.len() as u64, |(slot, _)| slot)
    }

    // Amends

    pub(super) fn modify_order(&mut self, now: &Now, session: &Session, it: &ModifyOrder) {
        let cl_ord_id = it.cl_ord_id.get();
        let amend = match self.judge_amend(now, session, it) {
            Ok(amend) => amend,
            Err(why) => {
                let why = Refusal { order_id: it.order_id.get(), ..why };
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                return self.reject(now, ModifyOrder::TEMPLATE, cl_ord_id, instrument, account, why);
            }
        };
        let old = self.orders[amend.index];
        if amend.total <= old.filled() {
            return self.cancel_by_user(now, amend.index, cl_ord_id);
        }
        let leaves = amend.total - old.filled();
        let new = Order { price: amend.price, qty: amend.total, leaves, ..old };
        let kept = new.price == old.price && new.qty <= old.qty;
        let sender = now.origin.session.get();
        self.modified(now, sender, &new, cl_ord_id, kept);
        if old.session != sender {
            self.modified(now, old.session, &new, old.cl_ord_id, kept);
        }
        if kept {
            self.orders[amend.index] = new;
        } else {
            self.orders.remove(amend.index);
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
        demand(it.display_qty.get() == NULL_I64, Reject::DisplayQtyInvalid, 6)?;
        let index = self.find_named(account, it.instrument_id.get(), orig, order_id)?;
        let old = self.orders[index];
        let instrument = &self.instruments[&old.instrument];
        let asked = match it.price.get() {
            NULL_I64 => old.price,
            price => in_ticks(instrument, price, 4)?,
        };
        let total = match it.qty.get() {
            NULL_I64 => old.qty,
            qty => quantity(instrument, qty, 5)?,
        };
        in_time(now, it.max_delay_us.get(), 8)?;
        self.may_enter(account, instrument)?;
        if total <= old.filled() {
            return Ok(Amend { index, price: old.price, total });
        }
        let mut price = asked;
        if asked != old.price {
            within_band(instrument, old.buy, asked, 4)?;
            price = self.passive(it.flags.get(), old.instrument, old.buy, asked)?;
        }
        if price != old.price || total > old.qty {
            let leaves = total - old.filled();
            let new = Order { price, qty: total, leaves, ..old };
            within_value(instrument, leaves, price)?;
            self.within_position(&new, &self.open(account, old.instrument, Some(old.order_id)))?;
            let free = self.levels_in_use() < self.limits().levels as usize;
            demand(price == old.price || free, Reject::Capacity, 0)?;
            self.affordable(&new, Some(old.order_id))?;
        }
        Ok(Amend { index, price, total })
    }
}

/// 4.4.
fn well_formed(it: &NewOrder) -> Outcome {
    use Reject::*;
    demand(it.side == 1 || it.side == 2, InvalidSide, 10)?;
    demand(matches!(it.ord_type, LIMIT | MARKET | MARKET_TO_LIMIT), InvalidOrdType, 11)?;
    demand(matches!(it.tif, GTC | IOC | FOK), InvalidTif, 12)?;
    demand(it.cl_ord_id.get() != 0, InvalidCombination, 1)?;
    demand((1..=5).contains(&it.stp_mode), InvalidCombination, 13)?;
    demand(known_flags(it.flags.get()), InvalidCombination, 14)?;
    demand(it.mmp_group.get() == 0, InvalidCombination, 15)?;
    let wrong = match it.ord_type {
        MARKET => it.tif == GTC,
        MARKET_TO_LIMIT => it.tif != GTC,
        _ => false,
    };
    let rests = it.ord_type == LIMIT && it.tif == GTC;
    demand(!wrong && (it.flags.get() == 0 || rests), InvalidCombination, 12)
}

fn known_flags(flags: u16) -> bool {
    flags & !(POST_ONLY | POST_ONLY_SLIDE) == 0 && flags != POST_ONLY | POST_ONLY_SLIDE
}

/// 4.5.
fn in_ticks(instrument: &Instrument, price: i64, field: u16) -> Result<i128, Refusal> {
    let price = i128::from(price);
    demand(price > 0 && price % instrument.tick_size == 0, Reject::PriceNotOnTick, field)?;
    let ticks = price / instrument.tick_size;
    demand(ticks <= 1 << 48, Reject::PriceNotOnTick, field)?;
    Ok(ticks)
}

/// 4.6.
fn quantity(instrument: &Instrument, qty: i64, field: u16) -> Result<i128, Refusal> {
    let qty = i128::from(qty);
    demand(qty > 0, Reject::QtyNotPositive, field)?;
    if qty > instrument.qty_max {
        return Err(with_detail(Reject::QtyTooLarge, field, instrument.qty_max));
    }
    Ok(qty)
}

/// 4.9.
fn in_time(now: &Now, max_delay_us: u32, field: u16) -> Outcome {
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

/// 4.12: the lowest and the highest price of the band, `None` without one.
pub fn band(instrument: &Instrument) -> Option<(i128, i128)> {
    let (mark, ppm) = (instrument.mark, instrument.band_ppm);
    let low = (mark * (MILLION - ppm) + MILLION - 1) / MILLION;
    let high = mark * (MILLION + ppm) / MILLION;
    (ppm != 0).then_some((low.max(1), high))
}

fn within_band(instrument: &Instrument, buy: bool, price: i128, field: u16) -> Outcome {
    let Some((low, high)) = band(instrument) else { return Ok(()) };
    if buy && price > high {
        return Err(with_detail(Reject::PriceAboveBand, field, high * instrument.tick_size));
    }
    if !buy && price < low {
        return Err(with_detail(Reject::PriceBelowBand, field, low * instrument.tick_size));
    }
    Ok(())
}

/// 4.15.
fn within_value(instrument: &Instrument, lots: i128, price: i128) -> Outcome {
    if lots * price * instrument.tick_value > ORDER_VALUE_MAX {
        return Err(with_detail(Reject::MaxOrderValue, 0, ORDER_VALUE_MAX));
    }
    Ok(())
}
