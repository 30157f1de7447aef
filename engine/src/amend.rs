//! Amends: every refusal of rule 5.30 in its order, what the change does to the order's priority (5.31 to 5.33), and how it
//! is told (5.34). An order that loses its priority is a taker again; the rest is `matching`'s.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::cancel::{FIELD_ORDER_ID, Named};
use crate::command::{ModifyOrder, Role};
use crate::emit::Voice;
use crate::event::{EventSink, OrderModified, priority, status};
use crate::form::{self, Crossing};
use crate::margin::Asked;
use crate::matching::Taker;
use crate::message::{Message, NULL_I64, Origin};
use crate::order::Order;
use crate::refusal::{Refusal, Request, must, refused};
use crate::reject::Reject;
use crate::units::{Lots, Ticks};
use crate::venue::Venue;

/// What an amend that passed every rule does to its order.
enum Amend {
    Cancel,
    KeepPriority { total: Lots, display: u32 },
    LosePriority { ticks: Ticks, total: Lots, display: u32 },
}

/// What the form of an amend says, null fields filled in from the order.
struct Wanted {
    ticks: Ticks,
    total: Lots,
    /// 0 is no iceberg.
    display: u32,
    crossing: Crossing,
}

const FIELD_PRICE: u16 = 4;
const FIELD_QTY: u16 = 5;
const FIELD_DISPLAY: u16 = 6;

impl Venue {
    pub fn modify_order<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &ModifyOrder,
    ) {
        let cl_ord_id = request.cl_ord_id.get();
        match self.judge_amend(sender, voice.command.ts_ns, voice.command.origin, request) {
            Ok((order, Amend::Cancel)) => self.cancel_by_user(voice, sender, cl_ord_id, &order),
            Ok((mut order, Amend::KeepPriority { total, display })) => {
                self.lower_display(&mut order, display);
                self.shorten(voice, sender, cl_ord_id, order, total);
            }
            Ok((mut order, Amend::LosePriority { ticks, total, display })) => {
                self.lift(&order);
                order.amend(ticks, total);
                self.set_display(&mut order, display);
                self.tell_amended(voice, sender, cl_ord_id, &order, priority::LOST);
                let instrument = self.positions.at(order.position).instrument;
                self.run_taker(voice, Taker { order, is_open: true });
                self.look_at_triggers(voice, instrument);
            }
            Err(refusal) => {
                let repeated = Request {
                    template: ModifyOrder::TEMPLATE,
                    cl_ord_id,
                    instrument: request.instrument_id.get(),
                    account: request.account_id.get(),
                };
                self.refuse(voice, sender, repeated, refusal.with_order(request.order_id.get()));
            }
        }
    }

    /// Rule 5.30, then what the change is.
    fn judge_amend(
        &self,
        sender: u32,
        ts_ns: u64,
        origin: &Origin,
        request: &ModifyOrder,
    ) -> Result<(Order, Amend), Refusal> {
        let session = self.sessions.at(sender);
        must(session.role == Role::Trade, refused(Reject::Permission, 0))?;
        let account = request.account_id.get();
        self.check_account(session, account, 11)?;
        let named = Named {
            orig_cl_ord_id: request.orig_cl_ord_id.get(),
            order_id: request.order_id.get(),
            instrument: request.instrument_id.get(),
        };
        named.check_one()?;
        let crossing = Crossing::from_flags(request.flags.get());
        let crossing = crossing.ok_or(refused(Reject::InvalidCombination, 9))?;
        let order = self.find_named(account, named)?;
        must(!order.is_quote(), refused(Reject::InvalidCombination, FIELD_ORDER_ID))?;
        must(!self.orders.is_armed(&order), refused(Reject::InvalidCombination, named.field()))?;
        let wanted = self.read_amend(&order, request, crossing)?;
        form::check_age(ts_ns, origin.sent_ns.get(), request.max_delay_us.get(), 8)?;
        let instrument = self.positions.at(order.position).instrument;
        self.check_trading(account, instrument)?;
        let can_wait = wanted.ticks == order.ticks || wanted.crossing == Crossing::Takes;
        self.instruments[instrument].check_auction(can_wait)?;
        self.check_frozen(self.group_of(&order), ts_ns, 0)?;
        let amend = self.weigh(&order, &wanted)?;
        if matches!(amend, Amend::LosePriority { .. }) {
            self.check_standstill()?;
        }
        Ok((order, amend))
    }

    fn read_amend(
        &self,
        order: &Order,
        request: &ModifyOrder,
        crossing: Crossing,
    ) -> Result<Wanted, Refusal> {
        let instrument = &self.instruments[self.positions.at(order.position).instrument];
        let ticks = match request.price.get() {
            NULL_I64 => order.ticks,
            price => form::read_price(instrument, price, FIELD_PRICE)?,
        };
        let total = match request.qty.get() {
            NULL_I64 => order.qty(),
            qty => form::read_qty(instrument, qty, FIELD_QTY)?,
        };
        let display = match request.display_qty.get() {
            NULL_I64 => {
                let display = self.orders.display(order);
                let enough = display == 0 || form::shows_enough(total, i64::from(display));
                must(enough, refused(Reject::DisplayQtyInvalid, FIELD_DISPLAY))?;
                display
            }
            display => form::read_display(total, display, FIELD_DISPLAY)?,
        };
        Ok(Wanted { ticks, total, display, crossing })
    }

    /// Rules 5.31 to 5.33, 8.13, 8.22 and 8.41.
    fn weigh(&self, order: &Order, wanted: &Wanted) -> Result<Amend, Refusal> {
        if wanted.total <= order.filled() {
            return Ok(Amend::Cancel);
        }
        let ticks = self.new_price(order, wanted)?;
        let total = self.cut_amended(order, wanted.total);
        let (old, display) = (self.orders.display(order), wanted.display);
        let shows_more = old != 0 && display > old;
        if display != 0 && !order.is_special() {
            self.check_special_room(self.positions.at(order.position).account)?;
        }
        if ticks == order.ticks && total <= order.qty() && !shows_more {
            return Ok(Amend::KeepPriority { total, display });
        }
        self.check_amended(order, Asked { side: order.side(), ticks, lots: total - order.filled() })?;
        Ok(Amend::LosePriority { ticks, total, display })
    }

    /// Rule 8.22. Something can always be reduced while a reduce-only order rests (7.5).
    fn cut_amended(&self, order: &Order, total: Lots) -> Lots {
        if !order.is_reduce_only() {
            return total;
        }
        let reducible = self.positions.at(order.position).reducible(order.side());
        order.filled() + (total - order.filled()).min(reducible)
    }

    /// Rule 5.32: the price after the amend, which may be the old one.
    fn new_price(&self, order: &Order, wanted: &Wanted) -> Result<Ticks, Refusal> {
        if wanted.ticks == order.ticks {
            return Ok(order.ticks);
        }
        let id = self.positions.at(order.position).instrument;
        self.instruments.check_band(id, order.side(), wanted.ticks, FIELD_PRICE)?;
        self.instruments[id].post(wanted.crossing, order.side(), wanted.ticks)
    }

    /// Rule 5.33 for an order that loses its priority: judged as if its old lots had never been.
    fn check_amended(&self, order: &Order, asked: Asked) -> Result<(), Refusal> {
        let position = self.positions.at(order.position);
        let mut without = *position;
        without.close(order.side(), order.ticks, order.leaves());
        self.instruments.check_value(position.instrument, asked.ticks, asked.lots)?;
        self.check_reach(&without, asked, order.leaves())?;
        let needs_level = asked.ticks != order.ticks;
        must(!(needs_level && self.levels.is_full()), refused(Reject::Capacity, 0))?;
        match self.amend_shortfall(position, &without, asked) {
            Some(short) => Err(refused(Reject::InsufficientMargin, 0).with_detail(short.to_wire())),
            None => Ok(()),
        }
    }

    /// The order stays in its queue with as many lots or fewer.
    fn shorten<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        cl_ord_id: u64,
        order: Order,
        total: Lots,
    ) {
        let order = self.shrink(order.slot(), order.qty() - total);
        self.tell_amended(voice, sender, cl_ord_id, &order, priority::KEPT);
    }

    /// Rule 5.34.
    fn tell_amended<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        cl_ord_id: u64,
        order: &Order,
        priority: u8,
    ) {
        self.tell_modified(voice, sender, order, cl_ord_id, priority);
        if order.session() != sender {
            self.tell_modified(voice, order.session(), order, order.cl_ord_id, priority);
        }
    }

    /// An order has another quantity or price.
    pub fn tell_modified<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        to: u32,
        order: &Order,
        cl_ord_id: u64,
        priority_kept: u8,
    ) {
        let filled = order.filled() > Lots::ZERO;
        let status = if filled { status::PARTIALLY_FILLED } else { status::NEW };
        self.tell_changed(voice, to, order, cl_ord_id, status, priority_kept);
    }

    pub fn tell_changed<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        to: u32,
        order: &Order,
        cl_ord_id: u64,
        status: u8,
        priority_kept: u8,
    ) {
        let position = self.positions.at(order.position);
        let instrument = &self.instruments[position.instrument];
        let session = self.sessions.at_mut(to);
        let reference = voice.reference(session.id);
        let display = match self.orders.display(order) {
            0 => NULL_I64,
            display => i64::from(display),
        };
        let block = OrderModified {
            exec_id: voice.exec_id(),
            order_id: U64::new(order.id),
            cl_ord_id: U64::new(cl_ord_id),
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            orig_cl_ord_id: U64::new(order.cl_ord_id),
            price: I64::new(if order.is_market() { NULL_I64 } else { instrument.price(order.ticks) }),
            qty: I64::new(order.qty().0),
            leaves_qty: I64::new(order.leaves().0),
            display_qty: I64::new(display),
            instrument_id: U32::new(position.instrument),
            account_id: U32::new(position.account),
            side: order.side() as u8,
            status,
            priority_kept,
            pad_a: 0,
            flags: U16::new(0),
            pad_b: U16::new(0),
        };
        voice.tell(session, block);
    }
}
