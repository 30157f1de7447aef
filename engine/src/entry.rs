//! Entry of an order: every refusal of section 4 in its order, then the acceptance. What the order then meets is
//! `matching`'s.

use zerocopy::little_endian::{I64, U64};

use crate::command::{NewOrder, NewTriggerOrder, Role};
use crate::depth::Walk;
use crate::emit::Voice;
use crate::engine::Sequenced;
use crate::event::{EventSink, OrderAccepted, status};
use crate::form::{self, Crossing, Form, OrdType};
use crate::instrument::{Instrument, Instruments};
use crate::limits::{ORDER_VALUE_MAX, POSITION_LOTS_MAX};
use crate::margin::Asked;
use crate::matching::Taker;
use crate::message::{Message, NULL_I64};
use crate::order::{Membership, Nature, Order, SERIAL_END, Terms, Tif, order_id};
use crate::pool::NONE;
use crate::position::Position;
use crate::refusal::{Refusal, Request, must, refused};
use crate::reject::Reject;
use crate::session::Session;
use crate::trading_state::TradingState;
use crate::units::{Lots, Money, Side, Ticks};
use crate::venue::Venue;

/// Field 2 of a `NewOrder`.
const FIELD_PRICE: u16 = 2;
/// Field 15 of a `NewOrder`.
const FIELD_MMP_GROUP: u16 = 15;

/// A request that passed every rule: what is left to do cannot fail.
pub struct Admitted {
    pub form: Form,
    /// The quantity, cut where it may only reduce (rule 8.20).
    pub lots: Lots,
    /// The working price (rule 4.11).
    pub ticks: Ticks,
    /// The account's entry in the instrument, where it has one.
    pub position: Option<u32>,
    /// The slot of its protection group, or `NONE`.
    pub group: u32,
}

impl Venue {
    pub fn enter_order<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, sender: u32, request: &NewOrder) {
        match self.admit(sender, voice.command, request) {
            Ok(admitted) => {
                self.accept(voice, sender, request, &admitted);
                self.look_at_triggers(voice, request.instrument_id.get());
            }
            Err(refusal) => {
                let repeated = Request {
                    template: NewOrder::TEMPLATE,
                    cl_ord_id: request.cl_ord_id.get(),
                    instrument: request.instrument_id.get(),
                    account: request.account_id.get(),
                };
                self.refuse(voice, sender, repeated, refusal);
            }
        }
    }

    /// Rules 4.1 to 4.18 in their order.
    fn admit(&self, sender: u32, command: &Sequenced<'_>, request: &NewOrder) -> Result<Admitted, Refusal> {
        let form = self.check_request(sender, command, request, None)?;
        self.check_standstill()?;
        self.judge(command.ts_ns, request.account_id.get(), request.instrument_id.get(), form, true)
    }

    /// Rules 4.1 to 4.9; what a trigger order adds is in `waiting` (8.30).
    pub fn check_request(
        &self,
        sender: u32,
        command: &Sequenced<'_>,
        request: &NewOrder,
        waiting: Option<&NewTriggerOrder>,
    ) -> Result<Form, Refusal> {
        let session = self.sessions.at(sender);
        must(session.role == Role::Trade, refused(Reject::Permission, 0))?;
        let account_id = request.account_id.get();
        self.check_account(session, account_id, 7)?;
        let instrument_id = request.instrument_id.get();
        let instrument = self.instruments.find(instrument_id).ok_or(refused(Reject::UnknownInstrument, 6))?;
        let form = form::read(instrument, command.ts_ns, request, waiting)?;
        self.check_client_id(session, account_id, request.cl_ord_id.get())?;
        let sent_ns = command.origin.sent_ns.get();
        form::check_age(command.ts_ns, sent_ns, request.max_delay_us.get(), 9)?;
        Ok(form)
    }

    /// Rules 4.10 to 4.18. An order that fired is not new: it has had its room since it was armed (8.34).
    pub fn judge(
        &self,
        ts_ns: u64,
        account_id: u32,
        instrument_id: u32,
        form: Form,
        is_new: bool,
    ) -> Result<Admitted, Refusal> {
        self.check_trading(account_id, instrument_id)?;
        let instrument = &self.instruments[instrument_id];
        instrument.check_auction(form.can_wait())?;
        let group = self.check_group(account_id, form.mmp_group, ts_ns, FIELD_MMP_GROUP)?;
        let ticks = working_price(instrument, &form)?;
        self.instruments.check_band(instrument_id, form.side, ticks, FIELD_PRICE)?;
        let ticks = instrument.post(form.crossing, form.side, ticks)?;
        let Form { side, stp, ord_type, tif, .. } = form;
        let entry = self.positions.find(account_id, instrument_id);
        let lots = if form.is_reduce_only { self.cut_to_reduce(entry, side, form.lots)? } else { form.lots };
        let walk = Walk { account: account_id, stp, side, ticks, lots };
        let is_market = ord_type == OrdType::Market;
        let valued = if is_market { instrument.mark } else { ticks };
        self.instruments.check_value(instrument_id, valued, lots)?;
        let position =
            entry.map_or(Position::flat(account_id, instrument_id), |slot| *self.positions.at(slot));
        self.check_reach(&position, Asked { side, ticks, lots }, Lots::ZERO)?;
        if is_new {
            self.check_room(account_id, instrument_id, entry, form.is_special)?;
        }
        let priced = if is_market { self.worst_price(instrument, walk) } else { ticks };
        if let Some(short) =
            self.margin_shortfall(instrument_id, &position, Asked { side, ticks: priced, lots })
        {
            return Err(refused(Reject::InsufficientMargin, 0).with_detail(short.to_wire()));
        }
        // Last, and without a number: it tells what icebergs hide, and so only whom it would have bound.
        let fits = tif != Tif::Fok || self.is_fillable(instrument, walk);
        must(fits, refused(Reject::FokNotFillable, 0))?;
        Ok(Admitted { form, lots, ticks, position: entry, group })
    }

    /// Rules 4.2, 5.10 and 5.30.
    pub fn check_account(&self, session: &Session, account: u32, field: u16) -> Result<(), Refusal> {
        if session.account == account {
            // A session of a role that trades or cancels was made for an account that exists.
            return Ok(());
        }
        must(self.accounts.contains(account), refused(Reject::UnknownAccount, field))?;
        Err(refused(Reject::NotYourAccount, field))
    }

    /// Rules 4.8, 12.1 and 12.2.
    pub fn check_client_id(&self, session: &Session, account: u32, cl_ord_id: u64) -> Result<(), Refusal> {
        let duplicate = refused(Reject::DuplicateClOrdId, 1);
        let is_of = |position| self.positions.at(position).account == account;
        let open = self.orders.by_client_id(account, cl_ord_id, is_of).map(|other| other.id);
        if let Some(first) = open.or_else(|| self.closed_ids.find(account, cl_ord_id)) {
            return Err(duplicate.with_order(first));
        }
        must(!session.rising_ids || cl_ord_id > self.accounts.highest_id(account), duplicate)
    }

    /// Rule 12.2: an order was accepted.
    pub fn raise_highest_id(&mut self, sender: u32, account: u32, cl_ord_id: u64) {
        if self.sessions.at(sender).rising_ids {
            self.accounts.raise_highest_id(account, cl_ord_id);
        }
    }

    /// Rule 4.10; a combo is judged before its legs (11.4).
    pub fn check_trading(&self, account: u32, id: u32) -> Result<(), Refusal> {
        must(!self.accounts[account].is_blocked(), refused(Reject::AccountBlocked, 0))?;
        let instrument = &self.instruments[id];
        check_state(instrument.state)?;
        if instrument.is_combo {
            self.instruments.legs(id).iter().try_for_each(|leg| {
                let state = self.instruments[leg.instrument].state;
                check_state(state)?;
                must(state != TradingState::Auction, refused(Reject::AuctionRule, 0))
            })?;
        }
        Ok(())
    }

    /// Rule 4.16; a combo's is that of its legs (11.4). `replaced` lots of a combo order that is amended do not count.
    pub fn check_reach(&self, position: &Position, asked: Asked, replaced: Lots) -> Result<(), Refusal> {
        if self.instruments[position.instrument].is_combo {
            self.check_legs_reach(position, asked, replaced)
        } else {
            position.check_reach(asked)
        }
    }

    /// Rule 4.17. A level is asked for even of an order that may never rest, so that the answer does not depend on luck.
    /// `entry` is the account's in the instrument.
    pub fn check_room(
        &self,
        account: u32,
        instrument: u32,
        entry: Option<u32>,
        is_special: bool,
    ) -> Result<(), Refusal> {
        let bound = self.limits.orders_per_account;
        let too_many = refused(Reject::OpenOrderLimit, 0).with_detail(i64::from(bound));
        must(self.accounts[account].open_orders() < bound, too_many)?;
        if is_special {
            self.check_special_room(account)?;
        }
        let full = self.next_serial == SERIAL_END
            || self.orders.slots.is_full()
            || self.levels.is_full()
            || self.positions.free() < self.entries_missing(account, instrument, entry);
        must(!full, refused(Reject::Capacity, 0))
    }

    /// How many position entries an order needs that the account has not.
    fn entries_missing(&self, account: u32, id: u32, entry: Option<u32>) -> u32 {
        let missing = |instrument| u32::from(self.positions.find(account, instrument).is_none());
        let mut count = u32::from(entry.is_none());
        if self.instruments[id].is_combo {
            count += self.instruments.legs(id).iter().map(|leg| missing(leg.instrument)).sum::<u32>();
        }
        count
    }

    /// Rule 5.1, then the market.
    fn accept<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &NewOrder,
        admitted: &Admitted,
    ) {
        let Admitted { form: Form { side, tif, stp, is_reduce_only, .. }, lots, ticks, .. } = *admitted;
        let is_market = admitted.form.ord_type == OrdType::Market;
        let id = self.take_order_id();
        let instrument = request.instrument_id.get();
        let position = self.enter_position(admitted.position, request.account_id.get(), instrument);
        let price = if is_market { NULL_I64 } else { self.instruments[instrument].price(ticks) };
        self.raise_highest_id(sender, request.account_id.get(), request.cl_ord_id.get());
        let taken = NewOrder { price: I64::new(price), qty: I64::new(lots.0), ..*request };
        self.tell_accepted(voice, sender, &taken, id, status::NEW);
        let is_member = admitted.group != NONE;
        let nature = Nature { is_market, is_reduce_only, is_member, ..Nature::plain(sender, side, tif, stp) };
        let mut order = Order::new(id, request.cl_ord_id.get(), position, ticks, lots, nature);
        if admitted.form.is_special {
            let member = Membership::of(admitted.group);
            self.make_special(&mut order, Terms { member, ..admitted.form.terms() });
        }
        self.run_taker(voice, Taker { order, is_open: false });
    }

    /// Rule 5.1.
    pub fn take_order_id(&mut self) -> u64 {
        let id = order_id(self.next_serial, self.orders.slots.take());
        self.next_serial += 1;
        id
    }

    /// The account's entry in an instrument, made where none was found. The caller has seen that one is free.
    pub fn enter_position(&mut self, found: Option<u32>, account: u32, instrument: u32) -> u32 {
        found.unwrap_or_else(|| {
            self.positions.enter(&mut self.accounts[account], Position::flat(account, instrument))
        })
    }

    /// Rule 5.1: `taken` is the request with the price and the quantity that the order has.
    pub fn tell_accepted<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        taken: &NewOrder,
        id: u64,
        status: u8,
    ) {
        let reference = voice.reference(voice.command.origin.session.get());
        let block = OrderAccepted {
            exec_id: voice.exec_id(),
            order_id: U64::new(id),
            cl_ord_id: taken.cl_ord_id,
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            price: taken.price,
            qty: taken.qty,
            leaves_qty: taken.qty,
            display_qty: taken.display_qty,
            instrument_id: taken.instrument_id,
            account_id: taken.account_id,
            side: taken.side,
            ord_type: taken.ord_type,
            tif: taken.tif,
            status,
            flags: taken.flags,
            mmp_group: taken.mmp_group,
        };
        voice.tell(self.sessions.at_mut(sender), block);
    }
}

/// Rule 4.11.
#[inline]
fn working_price(instrument: &Instrument, form: &Form) -> Result<Ticks, Refusal> {
    let other = instrument.book.side(form.side.opposite());
    match form.ord_type {
        OrdType::Limit(ticks) => Ok(ticks),
        _ if other.is_empty() => Err(refused(Reject::NoLiquidity, 0)),
        OrdType::Market => Ok(instrument.market_bound(form.side)),
        OrdType::MarketToLimit => Ok(other.best_ticks),
    }
}

impl Instrument {
    /// Rule 4.13: the price at which an order may be posted, in an auction any (10.2, 9.5). A tick further may be a price that
    /// no Price9 can say.
    pub fn post(&self, crossing: Crossing, side: Side, ticks: Ticks) -> Result<Ticks, Refusal> {
        let meets = self.state != TradingState::Auction && self.book.crosses(side, ticks);
        if crossing == Crossing::Takes || !meets {
            return Ok(ticks);
        }
        let best = self.book.side(side.opposite()).best_ticks;
        let slid = match side {
            Side::Buy => Ticks(best.0 - 1),
            Side::Sell => Ticks(best.0 + 1),
        };
        must(crossing == Crossing::Slides && self.has_price(slid), refused(Reject::WouldCross, 0))?;
        Ok(slid)
    }

    /// Rule 4.15.
    fn check_value(&self, ticks: Ticks, lots: Lots) -> Result<(), Refusal> {
        let too_large = refused(Reject::MaxOrderValue, 0).with_detail(ORDER_VALUE_MAX as i64);
        must(ticks * lots * self.tick_value <= Money(ORDER_VALUE_MAX), too_large)
    }
}

impl Instruments {
    /// Rules 4.15 and 11.4: a combo's legs are judged at their marks, then the combo at its price, which bounds every fill.
    pub fn check_value(&self, id: u32, ticks: Ticks, lots: Lots) -> Result<(), Refusal> {
        let instrument = &self[id];
        if !instrument.is_combo {
            return instrument.check_value(ticks, lots);
        }
        for leg in self.legs(id).iter() {
            self[leg.instrument].check_value(self[leg.instrument].mark, leg.lots(lots))?;
        }
        instrument.check_value(Ticks(ticks.0.abs()), lots)
    }
}

/// What a trading state says of new orders and amends.
fn check_state(state: TradingState) -> Result<(), Refusal> {
    state.refusal().map_or(Ok(()), |reject| Err(refused(reject, 0)))
}

impl Position {
    /// Rule 4.16.
    pub fn check_reach(&self, asked: Asked) -> Result<(), Refusal> {
        let open = self.open_lots(asked.side) + asked.lots;
        let reach = self.lots + asked.side.signed(open);
        let bound = Lots(POSITION_LOTS_MAX);
        let too_large = refused(Reject::PositionLimit, 0).with_detail(POSITION_LOTS_MAX);
        must(reach.abs() <= bound && open <= bound, too_large)
    }
}
