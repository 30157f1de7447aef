//! From canonical bytes to an engine, or the reason why not. Total over all bytes: each record is judged by the rule that
//! made it before it enters, the invariants are checked at the end, and the engine must then say the same bytes again, so
//! that no two snapshots mean the same state.

use std::fmt;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::auction::Uncrossing;
use crate::closed_ids::ClosedId;
use crate::combo;
use crate::command::Role;
use crate::continuation::Continuation;
use crate::emit::Reference;
use crate::engine::Engine;
use crate::expiry;
use crate::form::{Crossing, shows_enough};
use crate::instrument::{Instrument, Listing, list};
use crate::limits::{
    ACCOUNT_DUST, LOOK_NS, Limits, ORDER_VALUE_MAX, POSITION_LOTS_MAX, PRICE_TICKS_MAX,
    REDUCE_ONLY_ORDERS_MAX, SENSITIVITY_MAX,
};
use crate::margin::Asked;
use crate::mass_cancel::{MassCanceling, Scope, sides_from_wire};
use crate::message::NULL_U64;
use crate::open_orders::{ListingOrders, may_list};
use crate::order::{Membership, Nature, Order, SERIAL_END, Terms, Tif, serial_of, slot_of};
use crate::pool::NONE;
use crate::position::Position;
use crate::privileged::has_account;
use crate::protection::{Group, GroupTerms};
use crate::self_trade::{Stp, StpMode};
use crate::session::Session;
use crate::snapshot::{
    AccountRecord, BookWorkRecord, ClosedIdRecord, ComboRecord, Digest, Expected, FillsRecord, GroupRecord,
    Head, InstrumentRecord, ListingRecord, MassCancelRecord, OrderRecord, PositionRecord, SessionRecord,
    VERSION, VenueRecord,
};
use crate::standstill::Standstill;
use crate::trading_state::{AuctionTimes, TradingState, UNTIL_NS_END};
use crate::trigger::{Condition, Span, Traded, TriggerType};
use crate::units::{Lots, Money, Side, Ticks};
use crate::venue::Venue;
use crate::window::{Fills, SLICES, Window};

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// They end inside a record.
    Truncated,
    /// They are of a version that this build does not read.
    Version(u64),
    /// They contradict a rule or themselves.
    Inconsistent(String),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Truncated => write!(to, "the snapshot ends inside a record"),
            SnapshotError::Version(version) => {
                write!(to, "the snapshot has version {version}, this build reads {VERSION}")
            }
            SnapshotError::Inconsistent(what) => write!(to, "the snapshot is inconsistent: {what}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

type Checked<T = ()> = Result<T, SnapshotError>;

/// Numbers beyond these are not reached by any history, and sums of them fit.
const MONEY_MAX: i128 = 1 << 100;
const SEQ_MAX: u64 = 1 << 63;

fn must(holds: bool, what: &str) -> Checked {
    if holds { Ok(()) } else { Err(missing(what)) }
}

fn missing(what: &str) -> SnapshotError {
    SnapshotError::Inconsistent(what.to_string())
}

/// The level of a resting or armed order among all of them: instrument, ladder, rank. Within it the records stand by priority, which nothing else tells.
type Place = (u32, u8, i64);

/// Rule 4.16 for lots that are open besides those in the entry.
fn check_reach(position: &Position, side: Side, lots: Lots) -> Checked {
    let within = position.check_reach(Asked { side, ticks: Ticks(0), lots });
    within.map_err(|_| missing("a position can grow too large"))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn record<R: FromBytes + KnownLayout + Immutable + Unaligned>(&mut self) -> Checked<&'a R> {
        let (record, rest) = R::ref_from_prefix(self.rest).map_err(|_| SnapshotError::Truncated)?;
        self.rest = rest;
        Ok(record)
    }

    /// Reads a section, record by record.
    fn section<R: FromBytes + KnownLayout + Immutable + Unaligned + 'a>(
        &mut self,
        mut each: impl FnMut(&'a R) -> Checked,
    ) -> Checked {
        let count: &U32 = self.record()?;
        for _ in 0..count.get() {
            each(self.record()?)?;
        }
        Ok(())
    }
}

impl Engine {
    /// The engine that said `bytes` in `snapshot`.
    pub fn restore(bytes: &[u8]) -> Result<Engine, SnapshotError> {
        Engine::restore_digested(bytes).map(|(engine, _)| engine)
    }

    /// The same with its digest, which one walk tells along with the comparison.
    pub fn restore_digested(bytes: &[u8]) -> Result<(Engine, [u8; 32]), SnapshotError> {
        let mut reader = Reader { rest: bytes };
        let head: &Head = reader.record()?;
        if head.version.get() != VERSION {
            return Err(SnapshotError::Version(head.version.get()));
        }
        let mut engine =
            Engine { last_seq: head.last_seq.get(), last_ts_ns: head.last_ts_ns.get(), venue: None };
        if head.open.get() != 0 {
            must(engine.last_seq > 0, "a venue is open before its first command")?;
            let venue = read_venue(&mut reader)?;
            let begun = venue.groups.iter().all(|group| group.window.has_begun(engine.last_ts_ns));
            must(begun, "a fill of a group is later than the last command")?;
            must(venue.owe_no_more_than_all(engine.last_ts_ns), "more looks are paid for than there are")?;
            engine.venue = Some(Box::new(venue));
        }
        must(reader.rest.is_empty(), "bytes follow the last record")?;
        let mut expected = Expected { rest: bytes, same: true, digest: Digest::new() };
        engine.encode(&mut expected);
        must(expected.same && expected.rest.is_empty(), "the bytes are not in canonical form")?;
        Ok((engine, expected.digest.finish()))
    }
}

fn read_venue(reader: &mut Reader<'_>) -> Checked<Venue> {
    let record: &VenueRecord = reader.record()?;
    let terms = &record.terms;
    let limits = Limits::read(terms)
        .map_err(|field| SnapshotError::Inconsistent(format!("capacity {field} is out of range")))?;
    let hash_key = terms.hash_key.map(|word| word.get());
    let mut venue = Venue::empty(terms.venue_id.get(), terms.engine_epoch.get(), hash_key, limits);
    venue.next_serial = record.next_serial.get();
    venue.next_match = record.next_match.get();
    if record.continuation.get() != 0 {
        venue.continuation = Continuation::Taker(record.continuation.get());
    }
    if record.triggers.get() != 0 {
        must(venue.continuation.due().is_none(), "two continuations are due")?;
        venue.continuation = Continuation::Triggers(record.triggers.get());
    }
    venue.deposits = Money(record.deposits.get());
    venue.standstill = read_standstill(record.standstill, record.reason.get())?;
    must((1..=SERIAL_END).contains(&venue.next_serial), "the next serial is out of range")?;
    must((1..=SEQ_MAX).contains(&venue.next_match), "the next match is out of range")?;
    must((0..=MONEY_MAX).contains(&venue.deposits.0), "the deposits are out of range")?;
    reader.section(|record| venue.read_account(record))?;
    reader.section(|record| venue.read_instrument(record))?;
    reader.section(|record| venue.read_combo(record))?;
    reader.section(|record| venue.read_session(record))?;
    reader.section(|record| venue.read_group(record))?;
    reader.section(|record| venue.read_position(record))?;
    let mut last: Option<Place> = None;
    reader.section(|record| venue.read_order(record, &mut last))?;
    let taker = venue.continuation.taker();
    let looked_at = venue.continuation.triggers();
    must(
        looked_at == 0 || venue.instruments.contains(looked_at),
        "the instrument to be continued is missing",
    )?;
    must(taker == 0 || venue.orders.by_id(taker).is_some(), "the order to be continued is missing")?;
    venue.list_orders()?;
    reader.section(|record| venue.read_mass_cancel_record(record))?;
    reader.section(|record| venue.read_book_work(record))?;
    reader.section(|record| venue.read_listing(record))?;
    venue.read_closed_ids(reader)?;
    venue.check_invariants().map_err(SnapshotError::Inconsistent)?;
    Ok(venue)
}

/// Open has no state of its own here: 0.
fn read_standstill(state: u8, reason: u16) -> Checked<Standstill> {
    must(state != TradingState::Open as u8, "an open venue stands still")?;
    let state = if state == 0 { TradingState::Open as u8 } else { state };
    Standstill::read(state, reason).map_err(|_| missing("why the venue stands still is unknown"))
}

/// Lots of one slice that no history reaches; their sums fit.
const FILLED_MAX: u64 = 1 << 56;

fn read_fills(record: &FillsRecord) -> Checked<Fills> {
    let fills = Fills {
        lots: record.lots.get(),
        count: record.count.get(),
        delta: record.delta.get(),
        vega: record.vega.get(),
    };
    // A fill has one lot at least, and a lot moves so much at most.
    let filled =
        fills.lots <= FILLED_MAX && fills.count <= fills.lots && (fills.count == 0) == (fills.lots == 0);
    let most = u128::from(fills.lots) * SENSITIVITY_MAX as u128;
    let moved = fills.delta.unsigned_abs() <= most && fills.vega.unsigned_abs() <= most;
    must(filled && moved, "the fills of a group are out of range")?;
    Ok(fills)
}

/// By price within one ladder, the best first.
fn rank(side: Side, ticks: Ticks) -> i64 {
    if side == Side::Buy { -ticks.0 } else { ticks.0 }
}

/// The next order of a ladder, or the first of one that stands behind it.
fn follow(last: &mut Option<Place>, place: Place) -> Checked {
    must(last.is_none_or(|last| last <= place), "orders are not in their order")?;
    *last = Some(place);
    Ok(())
}

impl Venue {
    fn read_account(&mut self, record: &AccountRecord) -> Checked {
        let (id, quote) = (record.account_id.get(), record.quote.get());
        let owner = record.owner.get();
        if (1..=ACCOUNT_DUST).contains(&id) {
            must(*self.accounts.name(id) == record.name, "an account of the venue has another name")?;
            must(owner == 0, "an account of the venue has an owner")?;
        } else {
            must((1..=self.limits.accounts).contains(&id), "an account id is out of range")?;
            must(!self.accounts.contains(id), "an account stands twice")?;
            self.accounts.create(id, record.name, owner);
        }
        must((-MONEY_MAX..=MONEY_MAX).contains(&quote), "a balance is out of range")?;
        must(record.blocked.get() <= 1, "a block is neither on nor off")?;
        self.accounts[id].quote = Money(quote);
        self.accounts[id].set_blocked(record.blocked.get() == 1);
        self.accounts.raise_highest_id(id, record.highest_id.get());
        self.accounts.pay_looks_until(id, record.looks_paid_until.get());
        Ok(())
    }

    /// Rule 12.6.
    fn owe_no_more_than_all(&self, last_ts_ns: u64) -> bool {
        let most = u64::from(self.limits.looks_max()) * LOOK_NS;
        let paid_until = |id| self.accounts.looks_paid_until(id, last_ts_ns);
        self.accounts.iter().all(|(id, _)| paid_until(id).saturating_sub(last_ts_ns) <= most)
    }

    fn read_instrument(&mut self, record: &InstrumentRecord) -> Checked {
        let (instrument, listing) = list(&record.terms).map_err(|(reject, _)| missing(reject.text()))?;
        let id = record.terms.instrument_id.get();
        self.place_instrument(id, instrument, listing, record.state.get())?;
        self.read_sensitivity(id, record.delta.get(), record.vega.get())?;
        let known = [&record.index, &record.last, &record.lowest, &record.highest].map(|ticks| ticks.get());
        must(known.iter().all(|ticks| (0..=PRICE_TICKS_MAX).contains(ticks)), "a price is out of range")?;
        let [index, last, low, high] = known.map(Ticks);
        self.instruments.triggers_mut(id).index = (index > Ticks(0)).then_some(index);
        if last > Ticks(0) {
            must(
                low > Ticks(0) && (low..=high).contains(&last),
                "the last match is out of the span of matches",
            )?;
            self.instruments[id].traded = Traded { last: Some(last), span: Span { low, high } };
        }
        let times = AuctionTimes { until_ns: record.until.get(), next_second_ns: record.next_second.get() };
        self.time_auction(id, times);
        let is_auction = self.instruments[id].state == TradingState::Auction;
        let has_times = is_auction && times.until_ns < UNTIL_NS_END;
        must(has_times || times == AuctionTimes::NONE, "an instrument has the times of an auction")
    }

    fn read_combo(&mut self, record: &ComboRecord) -> Checked {
        let listed = combo::list(&self.instruments, &record.terms);
        let (instrument, listing) = listed.map_err(|(reject, _)| missing(reject.text()))?;
        let id = record.terms.instrument_id.get();
        self.place_instrument(id, instrument, listing, record.state.get())?;
        must(self.instruments[id].state != TradingState::Auction, "a combo is auctioned")?;
        self.read_sensitivity(id, record.delta.get(), record.vega.get())
    }

    fn read_sensitivity(&mut self, id: u32, delta: i64, vega: i64) -> Checked {
        let within = [delta, vega].iter().all(|value| (-SENSITIVITY_MAX..=SENSITIVITY_MAX).contains(value));
        must(within, "a sensitivity is out of range")?;
        let listing = self.instruments.listing_mut(id);
        (listing.delta, listing.vega) = (delta, vega);
        Ok(())
    }

    fn place_instrument(&mut self, id: u32, row: Instrument, listing: Listing, state: u32) -> Checked {
        must((1..=self.limits.instruments).contains(&id), "an instrument id is out of range")?;
        must(!self.instruments.contains(id), "an instrument stands twice")?;
        let state = u8::try_from(state).ok().and_then(TradingState::from_wire);
        self.instruments.create(id, row, listing);
        self.instruments[id].state = state.ok_or(missing("a trading state is unknown"))?;
        Ok(())
    }

    fn read_session(&mut self, record: &SessionRecord) -> Checked {
        let (id, account) = (record.session_id.get(), record.account_id.get());
        let role = Role::from_wire(record.role)
            .ok_or_else(|| SnapshotError::Inconsistent("a role is unknown".to_string()))?;
        must(id != 0 && self.sessions.find(id).is_none(), "a session stands twice or is the venue's")?;
        must(!self.sessions.is_full(), "there are more sessions than the limit")?;
        let owned = if has_account(role) { self.accounts.contains(account) } else { account == 0 };
        must(owned, "a session's account does not suit its role")?;
        let rises = record.rising_ids == 1 && role == Role::Trade;
        must(record.rising_ids == 0 || rises, "a session's ids cannot rise")?;
        let seqs = [record.next_client_seq.get(), record.next_server_seq.get()];
        must(seqs.iter().all(|seq| (1..=SEQ_MAX).contains(seq)), "a session's number is out of range")?;
        self.sessions.create(Session {
            next_client_seq: seqs[0],
            next_server_seq: seqs[1],
            connection: (record.connected != 0).then_some(record.connection.get()),
            rising_ids: record.rising_ids == 1,
            ..Session::new(id, account, role)
        });
        Ok(())
    }

    fn read_group(&mut self, record: &GroupRecord) -> Checked {
        let (account, number) = (record.account_id.get(), record.mmp_group.get());
        let session = self.sessions.find(record.session_id.get());
        let session = session.ok_or(missing("a group's session is missing"))?;
        let owner = self.sessions.at(session);
        must(owner.role == Role::Trade && owner.account == account, "a group is not its session's")?;
        must(number != 0 && self.groups.find(account, number).is_none(), "a group stands twice or is none")?;
        must(self.groups.has_room(account), "there are more groups than the limit")?;
        let terms = GroupTerms {
            window_ms: record.window_ms.get(),
            frozen_ms: record.frozen_ms.get(),
            qty_limit: record.qty_limit.get(),
            delta_limit: record.delta_limit.get(),
            vega_limit: record.vega_limit.get(),
            count_limit: record.count_limit.get(),
        };
        must(terms.has_window() && terms.has_limits(), "the terms of a group are out of range")?;
        let mut slices = [Fills::default(); SLICES];
        for (slice, record) in slices.iter_mut().zip(&record.slices) {
            *slice = read_fills(record)?;
        }
        must(record.newest.get() < SEQ_MAX, "a slice is out of range")?;
        let window = Window::restore(terms.window_ms, record.newest.get(), &slices);
        must(terms.breach(&window.sum()).is_none(), "the window of a group is above its limits")?;
        let frozen_until = record.frozen_until.get();
        self.groups.create(Group { frozen_until, window, ..Group::new(account, number, session, terms) });
        Ok(())
    }

    fn read_position(&mut self, record: &PositionRecord) -> Checked {
        let (account, instrument) = (record.account_id.get(), record.instrument_id.get());
        let lots = record.lots.get();
        must(self.accounts.contains(account), "a position's account is missing")?;
        must(self.instruments.contains(instrument), "a position's instrument is missing")?;
        must(self.positions.find(account, instrument).is_none(), "a position stands twice")?;
        must(!self.positions.is_full(), "there are more positions than the limit")?;
        must((-POSITION_LOTS_MAX..=POSITION_LOTS_MAX).contains(&lots), "a position is out of range")?;
        must(lots == 0 || !self.instruments[instrument].is_combo, "a combo is held in lots")?;
        let position = Position { lots: Lots(lots), ..Position::flat(account, instrument) };
        self.positions.enter(&mut self.accounts[account], position);
        Ok(())
    }

    /// `last` is the place of the resting order before, and `None` in front of the first.
    fn read_order(&mut self, record: &OrderRecord, last: &mut Option<Place>) -> Checked {
        let mut order = self.parse_order(record)?;
        self.check_names(record, &order)?;
        if record.trigger_type != 0 {
            return self.read_armed(record, order, last);
        }
        self.check_entry(record, &order)?;
        let is_taker = order.id == self.continuation.taker();
        let instrument = record.instrument_id.get();
        must(self.orders.slots.take_exactly(order.slot()), "an order's slot is taken or out of range")?;
        self.open_lots(&order, order.leaves());
        self.read_terms(record, &mut order)?;
        self.orders.open(record.account_id.get(), order);
        self.start_expiry(&order);
        if order.is_quote() {
            *self.positions.at_mut(order.position).quote_mut(order.side()) = order.slot();
        }
        if is_taker {
            let row = &self.instruments[instrument];
            let meets = row.state == TradingState::Open && row.book.crosses(order.side(), order.ticks);
            must(record.shown.get() == 0, "the order to be continued shows something")?;
            return must(meets, "the order to be continued meets nothing");
        }
        must(order.tif().rests(), "an order rests that may not")?;
        let place = (instrument, record.side, rank(order.side(), order.ticks));
        let new_level = *last != Some(place);
        follow(last, place)?;
        must(!(new_level && self.levels.is_full()), "there are more levels than the limit")?;
        self.rest(&order);
        self.read_shown(record, &order)
    }

    /// An order that waits for a trigger (rules 8.30 and 8.31).
    fn read_armed(&mut self, record: &OrderRecord, mut order: Order, last: &mut Option<Place>) -> Checked {
        let trigger_type =
            TriggerType::from_wire(record.trigger_type).ok_or(missing("a reference is unknown"))?;
        let condition = Condition::from_wire(record.condition).ok_or(missing("a condition is unknown"))?;
        let posting = Crossing::from_flags(record.posting.into()).ok_or(missing("a posting is unknown"))?;
        let limit = Ticks(record.limit.get());
        let is_taker = order.id == self.continuation.taker();
        must(!is_taker && !order.is_quote(), "an armed order is a taker or a quote")?;
        must(order.leaves() == order.qty(), "an armed order is filled")?;
        must(!self.instruments[record.instrument_id.get()].is_combo, "an order is armed in a combo")?;
        self.check_price(record.instrument_id.get(), order.ticks)?;
        if order.is_market() {
            must(limit == Ticks(0) && !order.tif().rests(), "an order has a price it may not have")?;
        } else {
            self.check_price(record.instrument_id.get(), limit)?;
        }
        let suits = posting == Crossing::Takes || !order.is_market() && order.tif().rests();
        must(suits, "an order posts that may not")?;
        let waits_on = condition.waits_on(order.side());
        // Behind the two sides of the book.
        let place = 2 + if waits_on == Side::Sell { 0 } else { 3 } + trigger_type as u8;
        follow(last, (record.instrument_id.get(), place, rank(waits_on, order.ticks)))?;
        must(!self.levels.is_full(), "there are more levels than the limit")?;
        must(self.orders.slots.take_exactly(order.slot()), "an order's slot is taken or out of range")?;
        self.read_terms(record, &mut order)?;
        self.orders.open(record.account_id.get(), order);
        self.start_expiry(&order);
        self.arm(&order);
        Ok(())
    }

    /// What an order says of itself.
    fn parse_order(&self, record: &OrderRecord) -> Checked<Order> {
        let id = record.order_id.get();
        let (account, instrument) = (record.account_id.get(), record.instrument_id.get());
        let position = self.positions.find(account, instrument).ok_or(missing("an order has no position"))?;
        let session = self.sessions.find(record.session_id.get());
        let session = session.ok_or(missing("an order's session is missing"))?;
        let side = Side::from_wire(record.side).ok_or(missing("an order's side is unknown"))?;
        let tif = Tif::from_wire(record.tif).ok_or(missing("an order's time in force is unknown"))?;
        must((1..self.next_serial).contains(&serial_of(id)), "an order's serial is out of range")?;
        must(slot_of(id) < self.limits.orders, "an order's slot is out of range")?;
        let mode =
            StpMode::from_wire(record.stp_mode).ok_or(missing("a self-trade prevention is unknown"))?;
        let stp = Stp { mode, group: record.stp_group.get() };
        let is_member = record.mmp_group.get() != 0;
        must(record.market <= 1, "an order is neither priced nor not")?;
        must(record.reduce_only <= 1, "an order neither only reduces nor does not")?;
        must(record.quote <= 1, "an order is neither a quote nor not")?;
        let nature = Nature {
            is_market: record.market == 1,
            is_reduce_only: record.reduce_only == 1,
            is_quote: record.quote == 1,
            is_member,
            ..Nature::plain(session, side, tif, stp)
        };
        let (qty, leaves) = (Lots(record.qty.get()), Lots(record.leaves.get()));
        let qty_max = self.instruments[instrument].qty_max;
        must((Lots(1)..=qty_max).contains(&qty), "an order's quantity is out of range")?;
        must((Lots(1)..=qty).contains(&leaves), "an order's leaves are out of range")?;
        let ticks = Ticks(record.price.get());
        let mut order = Order::new(id, record.cl_ord_id.get(), position, ticks, qty, nature);
        order.fill(qty - leaves);
        Ok(order)
    }

    /// What is special about an order.
    fn read_terms(&mut self, record: &OrderRecord, order: &mut Order) -> Checked {
        let expire_ns = record.expire_ns.get();
        must(expiry::suits(order.tif(), expire_ns), "an order's expiry does not suit its time in force")?;
        let display = record.display.get();
        let within = i64::from(display) <= self.instruments[record.instrument_id.get()].qty_max.0;
        let enough = shows_enough(order.qty(), i64::from(display));
        must(display == 0 || within && enough && order.tif().rests(), "an order's display is out of range")?;
        let group = match record.mmp_group.get() {
            0 => NONE,
            number => {
                let found = self.groups.find(record.account_id.get(), number);
                found.ok_or(missing("an order's protection group is missing"))?
            }
        };
        let is_armed = record.trigger_type != 0;
        let may_join = !is_armed && !order.is_market() && order.tif().rests();
        must(group == NONE || may_join, "an order is in a group that may not be")?;
        if order.is_quote() {
            let none = expire_ns == NULL_U64 && display == 0 && !order.is_reduce_only();
            must(none, "a quote is special")?;
            *self.positions.membership_mut(order.position, order.side()) = Membership::of(group);
            return Ok(());
        }
        let plain = Terms { expire_ns, display, member: Membership::of(group), ..Terms::PLAIN };
        let armed = Terms {
            limit: Ticks(record.limit.get()),
            posting: record.posting,
            trigger_type: record.trigger_type,
            condition: record.condition,
            ..plain
        };
        let may_rest_and_reduces = order.is_reduce_only() && order.tif().rests();
        if is_armed || expire_ns != NULL_U64 || display != 0 || may_rest_and_reduces || group != NONE {
            self.check_special_room(record.account_id.get())
                .map_err(|_| missing("there are more special orders than the limit"))?;
            self.make_special(order, if is_armed { armed } else { plain });
        }
        if order.is_reduce_only() && !is_armed {
            let position = self.positions.at(order.position);
            let others = self.reduce_only_orders(position).count() as u32;
            must(others < REDUCE_ONLY_ORDERS_MAX, "there are more reduce-only orders than may be")?;
        }
        Ok(())
    }

    /// What an iceberg that rests shows.
    fn read_shown(&mut self, record: &OrderRecord, order: &Order) -> Checked {
        let shown = record.shown.get();
        let most = self.orders.terms(order).shown;
        must(shown <= most && (shown == 0) == (most == 0), "what an order shows is out of range")?;
        if shown != 0 {
            self.orders.terms_mut(order).shown = shown;
        }
        Ok(())
    }

    /// Whose it is, and what it is called.
    fn check_names(&self, record: &OrderRecord, order: &Order) -> Checked {
        let (account, session) = (record.account_id.get(), self.sessions.at(order.session()));
        must(session.role == Role::Trade && session.account == account, "an order is not its session's")?;
        must(order.cl_ord_id != 0, "a client order id is 0")?;
        let is_of = |position| self.positions.at(position).account == account;
        let twin = self.orders.by_client_id(account, order.cl_ord_id, is_of);
        must(order.is_quote() || twin.is_none(), "a client order id stands twice")
    }

    /// Rule 4.5.
    fn check_price(&self, instrument: u32, ticks: Ticks) -> Checked {
        must((1..=PRICE_TICKS_MAX).contains(&ticks.0), "an order's price is out of range")?;
        let price = i128::from(ticks.0) * i128::from(self.instruments[instrument].tick_size);
        must(price <= i128::from(i64::MAX), "an order's price is out of range")
    }

    /// What the rules of entry allowed once (section 4).
    fn check_entry(&self, record: &OrderRecord, order: &Order) -> Checked {
        let instrument = &self.instruments[record.instrument_id.get()];
        if order.is_market() {
            let bound = instrument.market_bound(order.side());
            let may = !instrument.is_combo && !order.tif().rests() && order.ticks == bound;
            must(may, "an order has a price it may not have")?;
        } else {
            must(instrument.has_price(order.ticks), "an order's price is out of range")?;
            let value = order.ticks * order.leaves() * instrument.tick_value;
            must(value.abs() <= Money(ORDER_VALUE_MAX), "an order's value is out of range")?;
        }
        if instrument.is_combo {
            self.check_legs_entry(record.instrument_id.get(), record.account_id.get(), order)?;
        }
        let position = self.positions.at(order.position);
        if order.is_quote() {
            let twin = position.quote(order.side()) != NONE;
            let is_taker = order.id == self.continuation.taker();
            must(!twin && !is_taker && order.tif() == Tif::Gtc, "a quote is one that no message set")?;
        }
        check_reach(position, order.side(), order.leaves())
    }

    /// A combo order counts in an entry of each leg (rule 11.6).
    fn check_legs_entry(&self, combo: u32, account: u32, order: &Order) -> Checked {
        self.instruments.legs(combo).iter().try_for_each(|leg| {
            let entry = self.positions.find(account, leg.instrument);
            let entry = entry.ok_or(missing("a combo order has no position in a leg"))?;
            check_reach(self.positions.at(entry), leg.side(order.side()), leg.lots(order.leaves()))
        })
    }

    /// Every order behind those of its account that have lower serials.
    fn list_orders(&mut self) -> Checked {
        let mut ids: Vec<u64> = self.orders.iter().map(|order| order.id).collect();
        ids.sort_unstable();
        let twins = ids.windows(2).any(|pair| serial_of(pair[0]) == serial_of(pair[1]));
        must(!twins, "a serial stands twice")?;
        for slot in ids.into_iter().map(slot_of) {
            let order = *self.orders.at(slot);
            let account = self.positions.at(order.position).account;
            let within = self.accounts[account].open_orders() < self.limits.orders_per_account;
            must(within, "an account has more orders than the limit")?;
            self.enlist(account, &order);
            self.check_members(self.group_of(&order), 0).map_err(|_| missing("a group is too large"))?;
            if order.is_member() {
                self.join_group(&order);
            }
        }
        Ok(())
    }

    fn read_mass_cancel_record(&mut self, record: &MassCancelRecord) -> Checked {
        must(self.continuation.due().is_none(), "two continuations are due")?;
        let sender = self.sessions.find(record.session_id.get());
        let sender = sender.ok_or(missing("the session of a mass cancel is missing"))?;
        let session = self.sessions.at(sender);
        let may = matches!(session.role, Role::Trade | Role::CancelOnly);
        let counted = record.ref_seq.get() < session.next_client_seq;
        must(may && counted, "a mass cancel is not its session's")?;
        let target = record.target.get();
        let scope =
            Scope::from_wire(record.scope, target, record.kind).ok_or(missing("a scope is unknown"))?;
        let side = sides_from_wire(record.side).ok_or(missing("the sides of a mass cancel are unknown"))?;
        let known = !matches!(scope, Scope::Instrument(id) if !self.instruments.contains(id));
        must(known, "the instrument of a mass cancel is missing")?;
        let group = |number| self.groups.find(session.account, number);
        let known = !matches!(scope, Scope::MmpGroup(number) if group(number).is_none());
        must(known, "the group of a mass cancel is missing")?;
        let account = &self.accounts[session.account];
        // Those that are canceled and those that are open were open together.
        let room = self.limits.orders_per_account - account.open_orders();
        must((0..=room).contains(&record.canceled.get()), "a mass cancel's count is out of range")?;
        let work = MassCanceling {
            sender,
            cl_ord_id: record.cl_ord_id.get(),
            reference: Reference { seq: record.ref_seq, recv_time: record.recv_time },
            scope,
            side,
            canceled: record.canceled.get(),
            next: self.next_of(session.account, record.next.get())?,
        };
        let oldest = account.oldest;
        must(work.canceled > 0 || work.next != oldest, "a mass cancel has looked at nothing")?;
        let passed = self.orders.listed_from(oldest).take_while(|order| order.slot() != work.next);
        must(
            !passed.into_iter().any(|order| self.names(&work, order)),
            "a mass cancel has passed over what it names",
        )?;
        self.continuation = Continuation::MassCancel(work);
        Ok(())
    }

    fn read_book_work(&mut self, record: &BookWorkRecord) -> Checked {
        must(self.continuation.due().is_none(), "two continuations are due")?;
        let (instrument, ticks) = (record.instrument_id.get(), Ticks(record.price.get()));
        let row =
            self.instruments.find(instrument).ok_or(missing("the instrument of an auction is missing"))?;
        self.continuation = if ticks == Ticks(0) {
            let is_left = row.state == TradingState::Expired && self.first_order(instrument).is_some();
            must(is_left, "an instrument has no orders left to end")?;
            Continuation::Expiring(instrument)
        } else {
            let is_left = row.state == TradingState::Open && row.meets_at(ticks);
            must(is_left, "an auction has nothing left to match")?;
            Continuation::Uncrossing(Uncrossing { instrument, ticks })
        };
        Ok(())
    }

    /// The slot of the order of the account that is to be looked at next.
    fn next_of(&self, account: u32, id: u64) -> Checked<u32> {
        let order = self.orders.by_id(id).ok_or(missing("the order to be looked at is missing"))?;
        must(self.positions.at(order.position).account == account, "another's order is to be looked at")?;
        Ok(order.slot())
    }

    fn read_listing(&mut self, record: &ListingRecord) -> Checked {
        must(self.continuation.due().is_none(), "two continuations are due")?;
        let sender = self.sessions.find(record.session_id.get());
        let sender = sender.ok_or(missing("the session of a list is missing"))?;
        let session = self.sessions.at(sender);
        let counted = record.ref_seq.get() < session.next_client_seq;
        must(may_list(session.role) && counted, "a list is not its session's")?;
        let instrument = record.instrument_id.get();
        let known = instrument == 0 || self.instruments.contains(instrument);
        must(known, "the instrument of a list is missing")?;
        let oldest = self.accounts[session.account].oldest;
        let work = ListingOrders {
            sender,
            cl_ord_id: record.cl_ord_id.get(),
            reference: Reference { seq: record.ref_seq, recv_time: record.recv_time },
            instrument,
            told: record.told.get(),
            next: self.next_of(session.account, record.next.get())?,
        };
        must(work.next != oldest, "a list has looked at nothing")?;
        let passed = self.orders.listed_from(oldest).take_while(|order| order.slot() != work.next);
        let told = passed.filter(|order| self.is_asked_for(&work, order)).count();
        must(told == work.told as usize, "a list told of other orders than there are")?;
        self.continuation = Continuation::Listing(work);
        Ok(())
    }

    /// The window as it was filled: as many as entered, or as many as it holds. The invariants compare it with the orders.
    fn read_closed_ids(&mut self, reader: &mut Reader<'_>) -> Checked {
        let entered: &U64 = reader.record()?;
        let entered = entered.get();
        must(entered < self.next_serial, "more orders have ended than there were")?;
        let room = u64::from(self.limits.closed_ids);
        must(room > 0 || entered == 0, "closed ids entered where no window is")?;
        let held = entered.min(room);
        self.closed_ids.resume_at(entered - held);
        reader.section(|record: &ClosedIdRecord| {
            must(self.closed_ids.entered() < entered, "the window holds too many closed ids")?;
            let closed = ClosedId {
                account: record.account_id.get(),
                cl_ord_id: record.cl_ord_id.get(),
                order_id: record.order_id.get(),
            };
            self.check_closed_id(&closed)?;
            self.closed_ids.enter(closed);
            Ok(())
        })?;
        must(self.closed_ids.entered() == entered, "the window holds too few closed ids")
    }

    fn check_closed_id(&self, closed: &ClosedId) -> Checked {
        let id = closed.order_id;
        must(self.accounts.contains(closed.account), "a closed id's account is missing")?;
        must((1..self.next_serial).contains(&serial_of(id)), "a closed id's serial is out of range")?;
        must(slot_of(id) < self.limits.orders, "a closed id's slot is out of range")?;
        let twin = self.closed_ids.find(closed.account, closed.cl_ord_id);
        must(closed.cl_ord_id != 0 && twin.is_none(), "a closed id stands twice or is 0")
    }
}
