//! Matching: a taker meets the other side until nothing crosses, its quantity is gone, or the cap on the steps of one
//! command is reached (section 5). Owns the fill: the one place where lots and money change hands.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::closed_ids::ClosedId;
use crate::continuation::Continuation;
use crate::emit::Voice;
use crate::event::{EventSink, OrderExecuted, liquidity, reason, status};
use crate::limits::ACCOUNT_FEES;
use crate::order::{Order, Tif, slot_of};
use crate::pool::NONE;
use crate::position::Position;
use crate::protection::Busy;
use crate::trading_state::TradingState;
use crate::units::{Lots, Money, Side, TickLots, Ticks};
use crate::venue::Venue;

/// An order on its way against the other side. It stands in no queue, and its lots count for nobody.
pub struct Taker {
    pub order: Order,
    /// It has a node and stands in its account's list: it was amended or waited. A new one has neither until it needs them.
    pub is_open: bool,
}

/// Why a taker stopped.
enum Stop {
    /// Filled, or canceled at its own order.
    Done,
    NothingCrosses,
    AtTheCap,
}

/// One match, before and after either side is told.
pub struct Match {
    pub id: u64,
    pub instrument: u32,
    pub price: i64,
    pub lots: Lots,
}

/// One side of a match, or of a leg of it.
pub struct Execution<'a> {
    pub order: &'a Order,
    pub side: Side,
    pub fee: Money,
    /// The account's lots in the instrument afterwards.
    pub position: Lots,
    pub liquidity: u8,
}

impl Venue {
    /// Matches a taker, then gives what is left of it its place (rules 5.2 to 5.6).
    pub fn run_taker<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, mut taker: Taker) {
        let stop = self.cross(voice, &mut taker.order);
        let order = taker.order;
        match (stop, order.tif()) {
            (Stop::AtTheCap, _) => {
                self.stand(&taker);
                self.continuation = Continuation::Taker(order.id);
            }
            (Stop::NothingCrosses, tif) if tif.rests() => {
                self.stand(&taker);
                self.rest(&order);
            }
            (Stop::NothingCrosses, tif) => {
                let reason = if tif == Tif::Fok { reason::FOK } else { reason::IOC };
                self.tell_canceled(voice, order.session(), &order, order.cl_ord_id, order.leaves(), reason);
                self.end(&taker);
            }
            (Stop::Done, _) => self.end(&taker),
        }
        self.leave_position(order.position);
    }

    /// Rule 5.6: the order that stopped at the cap is a taker again, with a fresh count.
    pub fn continue_taker<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, id: u64) {
        let order = *self.orders.at(slot_of(id));
        assert_eq!(order.id, id, "the order that is due is open");
        self.close_lots(&order, order.leaves());
        let instrument = self.positions.at(order.position).instrument;
        self.run_taker(voice, Taker { order, is_open: true });
        self.look_at_triggers(voice, instrument);
    }

    fn cross<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, taker: &mut Order) -> Stop {
        let Position { account, instrument, .. } = *self.positions.at(taker.position);
        if self.instruments[instrument].state == TradingState::Auction {
            return Stop::NothingCrosses;
        }
        let (side, stp) = (taker.side(), self.orders.stp(taker));
        while taker.leaves() > Lots::ZERO {
            let book = &self.instruments[instrument].book;
            if !book.crosses(side, taker.ticks) {
                return Stop::NothingCrosses;
            }
            let best = book.side(side.opposite()).best;
            if !self.take_step() {
                return Stop::AtTheCap;
            }
            let maker = self.levels.at(best).head;
            if self.is_own(account, stp, self.orders.at(maker)) {
                self.prevent_self_trade(voice, taker, maker);
            } else {
                self.fill(voice, instrument, taker, maker);
            }
        }
        Stop::Done
    }

    /// Rule 5.3: two orders match at the maker's price.
    fn fill<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        instrument: u32,
        taker: &mut Order,
        maker_slot: u32,
    ) {
        let lots = taker.leaves().min(self.orders.shown(self.orders.at(maker_slot)));
        taker.fill(lots);
        let maker = self.fill_resting(maker_slot, lots);
        self.look_behind(&maker);
        let group = self.group_of(&maker);
        let terms = &mut self.instruments[instrument];
        let is_combo = terms.is_combo;
        if !is_combo {
            terms.traded.at(maker.ticks);
        }
        let made = Match { id: self.next_match, instrument, price: terms.price(maker.ticks), lots };
        self.next_match += 1;
        if is_combo {
            self.fill_combo(voice, &made, maker.ticks, taker, &maker);
        } else {
            self.fill_plain(voice, &made, maker.ticks, taker, &maker);
        }
        if maker.leaves() == Lots::ZERO {
            self.remove(&maker);
        } else if maker.is_special() {
            self.show_less(&maker, lots);
        }
        if is_combo {
            self.cap_legs(voice, instrument, taker, &maker);
        } else {
            self.cap_reduce_only(voice, taker.position);
            if maker.position != taker.position {
                self.cap_reduce_only(voice, maker.position);
            }
        }
        if group != NONE {
            let busy = Busy { taker: taker.id, positions: [taker.position, maker.position] };
            self.count_fill(voice, group, &maker, lots, busy);
        }
        if maker.position != taker.position {
            self.leave_position(maker.position);
        }
    }

    /// Rule 10.4: two orders that rest, at a price that is neither's own. Neither is a taker.
    pub fn fill_in_auction<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        instrument: u32,
        ticks: Ticks,
        slots: [u32; 2],
    ) {
        let [bid, ask] = slots.map(|slot| self.orders.at(slot).leaves());
        let lots = bid.min(ask);
        let orders = slots.map(|slot| self.fill_resting(slot, lots));
        let terms = &mut self.instruments[instrument];
        terms.traded.at(ticks);
        let fee = (ticks * lots * terms.tick_value).share_rounded_up(terms.maker_fee);
        let made = Match { id: self.next_match, instrument, price: terms.price(ticks), lots };
        self.next_match += 1;
        let groups = orders.map(|order| self.group_of(&order));
        self.trade(voice, &made, ticks, [0, 1].map(|at| (&orders[at], fee, liquidity::AUCTION)));
        for order in &orders {
            if order.leaves() == Lots::ZERO {
                self.remove(order);
            } else if order.is_special() {
                self.orders.show_anew(order);
            }
        }
        let positions = orders.map(|order| order.position);
        let [bid, ask] = positions;
        self.cap_reduce_only(voice, bid);
        if ask != bid {
            self.cap_reduce_only(voice, ask);
        }
        for (order, group) in orders.iter().zip(groups).filter(|(_, group)| *group != NONE) {
            self.count_fill(voice, group, order, lots, Busy { taker: 0, positions });
        }
        if ask != bid {
            self.leave_position(ask);
        }
        self.leave_position(bid);
    }

    /// So many lots of a resting order are matched: what it is after that. It leaves its queue when all that it says is told.
    fn fill_resting(&mut self, slot: u32, lots: Lots) -> Order {
        let order = self.orders.at_mut(slot);
        order.fill(lots);
        let order = *order;
        self.close_lots(&order, lots);
        order
    }

    /// Rule 5.4 for an instrument that trades itself.
    fn fill_plain<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        made: &Match,
        ticks: Ticks,
        taker: &Order,
        maker: &Order,
    ) {
        let terms = &self.instruments[made.instrument];
        let notional = ticks * made.lots;
        let taker_fee = notional.share_rounded_up(terms.tick_value, terms.taker_fee);
        let maker_fee = notional.share_rounded_up(terms.tick_value, terms.maker_fee);
        let sides = [(taker, taker_fee, liquidity::TAKER), (maker, maker_fee, liquidity::MAKER)];
        self.trade(voice, made, ticks, sides);
    }

    /// Both sides of a match with their fees: what moves, then what is told.
    fn trade<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        made: &Match,
        ticks: Ticks,
        sides: [(&Order, Money, u8); 2],
    ) {
        let value = ticks * made.lots * self.instruments[made.instrument].tick_value;
        for (order, fee, _) in sides {
            self.move_lots_and_money(order.position, order.side(), made.lots, value, fee);
        }
        for (order, fee, liquidity) in sides {
            let (side, position) = (order.side(), self.positions.at(order.position).lots);
            self.tell_executed(voice, made, &Execution { order, side, fee, position, liquidity });
        }
    }

    /// Rule 6.1: lots one way, money the other.
    pub fn move_lots_and_money(&mut self, entry: u32, side: Side, lots: Lots, value: Money, fee: Money) {
        let position = self.positions.at_mut(entry);
        position.lots += side.signed(lots);
        let quote = &mut self.accounts[position.account].quote;
        match side {
            Side::Buy => *quote -= value + fee,
            Side::Sell => *quote += value - fee,
        }
        self.accounts[ACCOUNT_FEES].quote += fee;
    }

    pub fn tell_executed<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        made: &Match,
        of: &Execution<'_>,
    ) {
        let order = of.order;
        let mmp_group = U16::new(self.group_number(order));
        let account = self.positions.at(order.position).account;
        let session = self.sessions.at_mut(order.session());
        let reference = voice.reference(session.id);
        let filled = order.leaves() == Lots::ZERO;
        let block = OrderExecuted {
            exec_id: voice.exec_id(),
            order_id: U64::new(order.id),
            cl_ord_id: U64::new(order.cl_ord_id),
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            match_id: U64::new(made.id),
            last_px: I64::new(made.price),
            last_qty: I64::new(made.lots.0),
            leaves_qty: I64::new(order.leaves().0),
            cum_qty: I64::new(order.filled().0),
            fee: I64::new(of.fee.to_wire()),
            position: I64::new(of.position.0),
            instrument_id: U32::new(made.instrument),
            account_id: U32::new(account),
            side: of.side as u8,
            status: if filled { status::FILLED } else { status::PARTIALLY_FILLED },
            liquidity: of.liquidity,
            pad_a: 0,
            mmp_group,
            pad_b: U16::new(0),
        };
        voice.tell(session, block);
    }

    /// Counts what is left of a taker among the open orders of its account.
    pub fn stand(&mut self, taker: &Taker) {
        let order = taker.order;
        self.open_lots(&order, order.leaves());
        let account = self.positions.at(order.position).account;
        if taker.is_open {
            self.orders.at_mut(order.slot()).catch_up(&order);
        } else {
            self.orders.open(account, order);
            self.enlist(account, &order);
            if !order.is_simple() {
                self.open_special(&order);
            }
        }
    }

    /// Puts an open order into the list of its account, and counts it for the session that entered it.
    pub fn enlist(&mut self, account: u32, order: &Order) {
        self.orders.enlist(&mut self.accounts[account], order.slot());
        self.sessions.at_mut(order.session()).open_orders += 1;
    }

    /// Nothing is left of a taker.
    pub fn end(&mut self, taker: &Taker) {
        if taker.is_open {
            self.close(&taker.order);
        }
        self.retire(&taker.order);
    }

    /// Takes a resting order away for good. Its position entry stays where it is.
    pub fn remove(&mut self, order: &Order) {
        self.lift(order);
        self.close(order);
        self.retire(order);
    }

    /// An order has ended: its slot is free, its terms too, and its client id stays used for a while (rule 12.1).
    pub fn retire(&mut self, order: &Order) {
        if !order.is_quote() {
            let account = self.positions.at(order.position).account;
            self.closed_ids.enter(ClosedId { account, cl_ord_id: order.cl_ord_id, order_id: order.id });
            if order.is_special() {
                self.end_special(order);
            }
        }
        self.orders.slots.release(order.slot());
    }

    /// Vacates the node of an order that stands in no queue and whose lots no longer count.
    fn close(&mut self, order: &Order) {
        let position = self.positions.at_mut(order.position);
        let account = position.account;
        if order.is_quote() {
            *position.quote_mut(order.side()) = NONE;
        }
        self.orders.delist(&mut self.accounts[account], order.slot());
        self.sessions.at_mut(order.session()).open_orders -= 1;
        if !order.is_simple() {
            self.close_special(order);
        }
        self.orders.close(account, order.slot());
    }

    /// Puts an open order into its queue.
    pub fn rest(&mut self, order: &Order) {
        let instrument = self.positions.at(order.position).instrument;
        self.instruments[instrument].book.rest(&mut self.levels, &mut self.orders, order.slot());
        if order.is_special() {
            self.orders.show_anew(order);
            if order.is_reduce_only() {
                self.join_reduce_only(order);
            }
        }
    }

    /// Takes an open order out of its queue, and its lots out of those that count.
    pub fn lift(&mut self, order: &Order) {
        if self.orders.is_armed(order) {
            return self.disarm(order);
        }
        self.close_lots(order, order.leaves());
        let instrument = self.positions.at(order.position).instrument;
        let book = &mut self.instruments[instrument].book;
        book.lift(&mut self.levels, &mut self.orders, order.slot());
        if order.is_special() {
            self.orders.terms_mut(order).shown = 0;
            if order.is_reduce_only() {
                self.leave_reduce_only(order);
            }
        }
    }

    /// Counts lots of an open order in its entry (rule 7.3), and of a combo in those of its legs.
    pub fn open_lots(&mut self, order: &Order, lots: Lots) {
        let position = self.positions.at_mut(order.position);
        position.open(order.side(), order.ticks, lots);
        let Position { account, instrument, .. } = *position;
        if self.instruments[instrument].is_combo {
            self.open_legs(account, instrument, order.side(), lots);
        }
    }

    /// No longer counts lots of an open order.
    pub fn close_lots(&mut self, order: &Order, lots: Lots) {
        let position = self.positions.at_mut(order.position);
        position.close(order.side(), order.ticks, lots);
        let Position { account, instrument, open_value, .. } = *position;
        let is_combo = self.instruments[instrument].is_combo;
        debug_assert!(is_combo || open_value >= TickLots(0));
        if is_combo {
            self.close_legs(account, instrument, order.side(), lots);
        }
    }

    /// Gives a position entry back once nothing is left in it, and for a combo those of its legs.
    pub fn leave_position(&mut self, slot: u32) {
        self.leave_position_but(slot, &[]);
    }

    /// The same for an entry that is not `busy`, and for those of its legs that are not.
    pub fn leave_position_but(&mut self, slot: u32, busy: &[u32]) {
        let Position { account, instrument, .. } = *self.positions.at(slot);
        if self.instruments[instrument].is_combo {
            self.leave_legs(account, instrument, busy);
        }
        if !busy.contains(&slot) {
            self.positions.leave_if_empty(&mut self.accounts[account], slot);
        }
    }
}
