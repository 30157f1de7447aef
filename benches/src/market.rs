//! A venue of a chosen size and what its members say: every kind of command in a steady state. Encoding is apart from
//! applying, so that only the engine is timed. What became of the commands is learnt from the events, and `settle` brings
//! the venue back to its size.
//!
//! Every account trades in four instruments at most, its own ones, so that the sum of its margin does not grow with the
//! venue. Orders are of two lots and lie below and above the mark, on as many prices as there are orders in the
//! instrument, from 16 to 10,000.

use engine::command::*;
use engine::event::{
    EventSink, MassQuoteAck, OrderAccepted, OrderExecuted, OrderRejected, QuoteAckEntry, SessionReject,
    liquidity, status,
};
use engine::limits::{ACCOUNT_MEMBERS_FROM, DEPOSIT_MAX, QUOTE_ENTRIES_MAX};
use engine::message::{Framed, GroupSize, Message, NULL_I64, NULL_U64, Origin, ROUTE_BYTES, block, group};
use engine::{Engine, LookAhead, Sequenced};
use zerocopy::{FromZeros, IntoBytes};

/// How large a venue is.
#[derive(Clone, Copy)]
pub struct Size {
    pub orders: u32,
    pub instruments: u32,
    pub accounts: u32,
}

/// How a cancel names its order.
#[derive(Clone, Copy)]
pub enum By {
    OrderId,
    ClientId,
}

/// Commands as they stand on the ingress ring, one behind the other.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn payload(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.payload(index))
    }

    pub fn append(&mut self, other: &Batch) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    fn push<M: Message>(&mut self, origin: Origin, block: M) {
        self.bytes.extend_from_slice(origin.as_bytes());
        self.bytes.extend_from_slice(Framed::new(block).as_bytes());
        self.ends.push(self.bytes.len());
    }
}

const TICK_SIZE: i64 = 1_000_000;
const MARK: i64 = 100_000;
const LOTS: i64 = 2;
const INSTRUMENTS_PER_ACCOUNT: u32 = 4;
const CONNECTION: u32 = 1;
const LIMIT: u8 = 1;
const NO_STP: u8 = 1;
const GTC: u8 = 2;
const IOC: u8 = 3;
const BUY: u8 = 1;
const SELL: u8 = 2;
/// Orders beside those that rest: what a round posts, and what stands in for a sweep.
const SPARE_ORDERS: u32 = 1 << 15;
const CLOSED_IDS: u32 = 1 << 16;
const SLOT_MASK: u64 = (1 << 24) - 1;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }
}

#[derive(Clone, Copy)]
struct Resting {
    order_id: u64,
    cl_ord_id: u64,
    ticks: i64,
    account: u32,
    instrument: u32,
    side: u8,
}

/// What the events said since the last `settle`.
#[derive(Default)]
pub struct Heard {
    /// Client's and venue's number.
    accepted: Vec<(u64, u64)>,
    /// Makers that were filled.
    taken: Vec<u64>,
    pub fills: u64,
    pub refusals: u64,
    /// Sides of mass quotes that were set.
    pub quoted: u64,
}

impl EventSink for Heard {
    fn event(&mut self, _: u32, payload: &[u8]) {
        let message = &payload[ROUTE_BYTES..];
        if let Some(accepted) = block::<OrderAccepted>(message) {
            self.accepted.push((accepted.cl_ord_id.get(), accepted.order_id.get()));
        } else if let Some(executed) = block::<OrderExecuted>(message) {
            if executed.liquidity == liquidity::MAKER {
                self.fills += 1;
                if executed.leaves_qty.get() == 0 {
                    self.taken.push(executed.order_id.get());
                }
            }
        } else if block::<OrderRejected>(message).is_some() || block::<SessionReject>(message).is_some() {
            self.refusals += 1;
        } else if let Some((ack, entries)) = group::<MassQuoteAck, QuoteAckEntry>(message) {
            let refused = |entry: &&QuoteAckEntry| entry.bid_code.get() != 0 || entry.ask_code.get() != 0;
            let set = |entry: &QuoteAckEntry| {
                [entry.bid_status, entry.ask_status].into_iter().filter(|side| *side == status::NEW).count()
            };
            self.quoted += entries.iter().map(set).sum::<usize>() as u64;
            self.refusals += u64::from(ack.code.get() != 0) + entries.iter().filter(refused).count() as u64;
        }
    }
}

pub struct Market {
    pub engine: Engine,
    pub heard: Heard,
    size: Size,
    /// Prices on each side of an instrument.
    levels: u32,
    draw: Draw,
    /// Each session's next number.
    numbers: Vec<u64>,
    cl_ord_id: u64,
    /// Mass quotes so far.
    quotes: u64,
    resting: Vec<Resting>,
    /// By the slot in an order's id: its place in `resting`.
    places: Vec<u32>,
    /// Posted, and not heard of yet.
    posted: Vec<Resting>,
}

impl Market {
    /// With its orders; the account behind the last has no money.
    pub fn open(size: Size) -> Market {
        let slots = (size.orders + SPARE_ORDERS) as usize;
        let mut market = Market {
            engine: Engine::new(),
            heard: Heard::default(),
            size,
            levels: (size.orders / size.instruments / 2).clamp(8, 5_000),
            draw: Draw(1),
            numbers: vec![1; size.accounts as usize + 1],
            cl_ord_id: 0,
            quotes: 0,
            resting: Vec::with_capacity(slots),
            places: vec![0; slots],
            posted: Vec::new(),
        };
        let mut batch = Batch::default();
        batch.push(Origin::venue(), opening(size));
        (1..=size.instruments).for_each(|instrument| batch.push(Origin::venue(), listing(instrument)));
        (0..=size.accounts).for_each(|account| admit(&mut batch, account, account < size.accounts));
        market.play(&batch);
        market.settle();
        market
    }

    pub fn play(&mut self, batch: &Batch) {
        batch.iter().for_each(|payload| self.step(payload));
    }

    /// One command, and what it makes due.
    pub fn step(&mut self, payload: &[u8]) {
        let seq = self.engine.last_seq() + 1;
        let command = Sequenced::read(seq, seq, payload).expect("a batch holds whole commands");
        self.engine.apply(&command, &mut self.heard);
        while let Some(due) = self.engine.due(self.engine.last_seq() + 1) {
            let seq = self.engine.last_seq() + 1;
            let (origin, message) = (Origin::venue(), due.message());
            self.engine
                .apply(&Sequenced { seq, ts_ns: seq, origin: &origin, message: &message }, &mut self.heard);
        }
    }

    /// A batch, with a look ahead at its next commands as the venue has one; `step` is to call its argument once.
    pub fn play_ahead(&mut self, batch: &Batch, mut step: impl FnMut(&mut dyn FnMut())) {
        let mut ahead = LookAhead::new();
        let mut seen = batch.iter();
        for payload in batch.iter() {
            step(&mut || {
                while ahead.has_room()
                    && let Some(next) = seen.next()
                {
                    ahead.see(&self.engine, next);
                }
                self.step(payload);
                ahead.pass(&self.engine);
            });
        }
    }

    /// Learns what was said, and brings the number of orders back to the venue's size. Returns how many fills and refusals
    /// there were.
    pub fn settle(&mut self) -> (u64, u64) {
        let counts = (self.heard.fills, self.heard.refusals);
        self.learn();
        let wanted = self.size.orders as usize;
        while self.resting.len() != wanted {
            let difference = self.resting.len().abs_diff(wanted).min(SPARE_ORDERS as usize / 2) as u32;
            let batch = match self.resting.len() < wanted {
                true => self.posts(difference),
                false => self.cancels(difference, By::OrderId),
            };
            self.play(&batch);
            self.learn();
        }
        counts
    }

    fn learn(&mut self) {
        let mut posted = std::mem::take(&mut self.posted).into_iter().peekable();
        for (cl_ord_id, order_id) in std::mem::take(&mut self.heard.accepted) {
            if let Some(order) = posted.next_if(|order| order.cl_ord_id == cl_ord_id) {
                self.places[(order_id & SLOT_MASK) as usize] = self.resting.len() as u32;
                self.resting.push(Resting { order_id, ..order });
            }
        }
        for order_id in std::mem::take(&mut self.heard.taken) {
            let place = self.places[(order_id & SLOT_MASK) as usize];
            if self.resting.get(place as usize).is_some_and(|order| order.order_id == order_id) {
                self.forget(place);
            }
        }
        self.heard = Heard::default();
    }

    fn forget(&mut self, place: u32) -> Resting {
        let gone = self.resting.swap_remove(place as usize);
        if let Some(moved) = self.resting.get(place as usize) {
            self.places[(moved.order_id & SLOT_MASK) as usize] = place;
        }
        gone
    }

    /// New orders that rest.
    pub fn posts(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let account = self.draw.below(self.size.accounts);
            let instrument = self.instrument_of(account);
            let (side, ticks) = self.place();
            self.post(&mut batch, account, instrument, side, ticks);
        }
        batch
    }

    fn post(&mut self, batch: &mut Batch, account: u32, instrument: u32, side: u8, ticks: i64) {
        let cl_ord_id = self.enter(batch, account, instrument, side, ticks, LOTS, GTC);
        self.posted.push(Resting { order_id: 0, cl_ord_id, ticks, account, instrument, side });
    }

    /// Asks of one account in the first instrument, from the mark upwards over so many prices; they leave with what takes them.
    pub fn asks(&mut self, account: u32, count: u32, levels: u32) -> Batch {
        let mut batch = Batch::default();
        for index in 0..count {
            self.enter(&mut batch, account, 1, SELL, MARK + i64::from(index % levels), LOTS, GTC);
        }
        batch
    }

    /// One order that takes so many of `asks`.
    pub fn sweep(&mut self, account: u32, count: u32) -> Batch {
        let mut batch = Batch::default();
        self.enter(&mut batch, account, 1, BUY, MARK + 10_000, LOTS * i64::from(count), IOC);
        batch
    }

    /// Orders far from the mark in the account's instruments; they leave by `cancel_all`.
    pub fn far(&mut self, account: u32, count: u32) -> Batch {
        let mut batch = Batch::default();
        for index in 0..count {
            let instrument = self.instrument_of(account);
            self.enter(
                &mut batch,
                account,
                instrument,
                SELL,
                MARK + 20_000 + i64::from(index % 100),
                LOTS,
                GTC,
            );
        }
        batch
    }

    pub fn cancel_all(&mut self, account: u32) -> Batch {
        let mut batch = Batch::default();
        let mut mass = MassCancel::new_zeroed();
        (mass.cl_ord_id, mass.account_id) = (self.next_id().into(), member(account).into());
        (mass.scope, mass.side) = (2, 3);
        batch.push(self.origin(account), mass);
        batch
    }

    /// Amends to another price on the same side.
    pub fn moves(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let place = self.draw.below(self.resting.len() as u32) as usize;
            let Resting { side, ticks, .. } = self.resting[place];
            let next = loop {
                let (drawn_side, drawn) = self.place();
                if drawn_side == side && drawn != ticks {
                    break drawn;
                }
            };
            self.resting[place].ticks = next;
            self.amend(&mut batch, place, next * TICK_SIZE, NULL_I64);
        }
        batch
    }

    /// Amends to one lot of the orders that came last: they stay in their place.
    pub fn shortens(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for place in self.resting.len() - count as usize..self.resting.len() {
            self.amend(&mut batch, place, NULL_I64, 1);
        }
        batch
    }

    fn amend(&mut self, batch: &mut Batch, place: usize, price: i64, qty: i64) {
        let order = self.resting[place];
        let mut amend = ModifyOrder::new_zeroed();
        (amend.cl_ord_id, amend.order_id) = (self.next_id().into(), order.order_id.into());
        (amend.price, amend.qty, amend.display_qty) = (price.into(), qty.into(), NULL_I64.into());
        amend.account_id = member(order.account).into();
        batch.push(self.origin(order.account), amend);
    }

    pub fn cancels(&mut self, count: u32, by: By) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let place = self.draw.below(self.resting.len() as u32);
            let order = self.forget(place);
            let mut cancel = CancelOrder::new_zeroed();
            (cancel.cl_ord_id, cancel.account_id) = (self.next_id().into(), member(order.account).into());
            match by {
                By::OrderId => cancel.order_id = order.order_id.into(),
                By::ClientId => cancel.orig_cl_ord_id = order.cl_ord_id.into(),
            }
            batch.push(self.origin(order.account), cancel);
        }
        batch
    }

    /// IOC orders that each take the best order of a side: of one that some order stands on, no more often than it has orders.
    pub fn crosses(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for drawn in 0..count {
            let left = self.resting.len() as u32 - drawn;
            let (place, last) = (self.draw.below(left), left - 1);
            self.exchange(place, last);
            let Resting { account, instrument, side, .. } = self.resting[last as usize];
            // The next account that trades there too.
            let taker =
                (account + (self.size.instruments / INSTRUMENTS_PER_ACCOUNT).max(1)) % self.size.accounts;
            let (side, ticks) = if side == BUY { (SELL, MARK / 2) } else { (BUY, 2 * MARK) };
            self.enter(&mut batch, taker, instrument, side, ticks, LOTS, IOC);
        }
        batch
    }

    fn exchange(&mut self, one: u32, other: u32) {
        self.resting.swap(one as usize, other as usize);
        for place in [one, other] {
            self.places[(self.resting[place as usize].order_id & SLOT_MASK) as usize] = place;
        }
    }

    /// Orders of the account that has no money.
    pub fn refusals(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let instrument = 1 + self.draw.below(self.size.instruments);
            let (side, ticks) = self.place();
            self.enter(&mut batch, self.size.accounts, instrument, side, ticks, LOTS, GTC);
        }
        batch
    }

    /// Mass quotes of the first account, each of so many pairs, at prices that differ from one to the next, of whichever call:
    /// a quote that keeps its price keeps its place and costs little.
    pub fn quotes(&mut self, count: u32, pairs: u32) -> Batch {
        assert!(
            pairs as usize <= QUOTE_ENTRIES_MAX && pairs <= self.size.instruments,
            "so many pairs at most"
        );
        let mut batch = Batch::default();
        for _ in 0..count {
            self.quotes += 1;
            let away = 1 + (self.quotes % 2) as i64;
            let mut head = MassQuote::new_zeroed();
            (head.quote_id, head.account_id, head.stp_mode) =
                (self.next_id().into(), member(0).into(), NO_STP);
            let entries: Vec<QuoteEntry> = (1..=pairs)
                .map(|instrument| QuoteEntry {
                    instrument_id: instrument.into(),
                    pad_a: 0.into(),
                    bid_px: ((MARK - 20_000 - away) * TICK_SIZE).into(),
                    bid_qty: 1.into(),
                    ask_px: ((MARK + 20_000 + away) * TICK_SIZE).into(),
                    ask_qty: 1.into(),
                })
                .collect();
            let origin = self.origin(0);
            batch.bytes.extend_from_slice(origin.as_bytes());
            batch.bytes.extend_from_slice(Framed::new(head).as_bytes());
            batch.bytes.extend_from_slice(GroupSize::of(&entries).as_bytes());
            batch.bytes.extend_from_slice(entries.as_bytes());
            batch.ends.push(batch.bytes.len());
        }
        batch
    }

    /// Mark prices that stay between the sides.
    pub fn marks(&mut self, count: u32) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..count {
            let instrument_id = (1 + self.draw.below(self.size.instruments)).into();
            batch.push(
                Origin::venue(),
                MarkPrice { price: (MARK * TICK_SIZE).into(), instrument_id, pad_a: 0.into() },
            );
        }
        batch
    }

    #[expect(clippy::too_many_arguments, reason = "what an order says")]
    fn enter(
        &mut self,
        batch: &mut Batch,
        account: u32,
        instrument: u32,
        side: u8,
        ticks: i64,
        lots: i64,
        tif: u8,
    ) -> u64 {
        let cl_ord_id = self.next_id();
        let mut order = NewOrder::new_zeroed();
        order.cl_ord_id = cl_ord_id.into();
        order.price = (ticks * TICK_SIZE).into();
        (order.qty, order.display_qty) = (lots.into(), NULL_I64.into());
        order.expire_time = NULL_U64.into();
        (order.instrument_id, order.account_id) = (instrument.into(), member(account).into());
        (order.side, order.ord_type, order.tif, order.stp_mode) = (side, LIMIT, tif, NO_STP);
        batch.push(self.origin(account), order);
        cl_ord_id
    }

    fn next_id(&mut self) -> u64 {
        self.cl_ord_id += 1;
        self.cl_ord_id
    }

    fn origin(&mut self, account: u32) -> Origin {
        let number = &mut self.numbers[account as usize];
        let mut origin = Origin::new_zeroed();
        (origin.session, origin.connection) = (session_of(account).into(), CONNECTION.into());
        origin.client_seq = (*number).into();
        *number += 1;
        origin
    }

    fn instrument_of(&mut self, account: u32) -> u32 {
        let first = account % self.size.instruments * INSTRUMENTS_PER_ACCOUNT;
        1 + (first + self.draw.below(INSTRUMENTS_PER_ACCOUNT)) % self.size.instruments
    }

    /// A side, and a price of it that crosses nothing.
    fn place(&mut self) -> (u8, i64) {
        let away = 1 + i64::from(self.draw.below(self.levels));
        if self.draw.below(2) == 0 { (BUY, MARK - away) } else { (SELL, MARK + away) }
    }
}

fn member(account: u32) -> u32 {
    ACCOUNT_MEMBERS_FROM + account
}

fn session_of(account: u32) -> u64 {
    1 + u64::from(account)
}

fn admit(batch: &mut Batch, account: u32, has_money: bool) {
    let account_id = member(account).into();
    batch.push(Origin::venue(), AccountCreate { name: [b'G'; 16], account_id, owner: 0.into() });
    if has_money {
        let amount = DEPOSIT_MAX.into();
        batch.push(Origin::venue(), Deposit { reference: 1.into(), amount, account_id, pad_a: 0.into() });
    }
    let mut session = SessionCreate::new_zeroed();
    session.session_id = session_of(account).into();
    (session.account_id, session.role) = (account_id, Role::Trade as u8);
    batch.push(Origin::venue(), session);
    let mut logon = Logon::new_zeroed();
    (logon.session_id, logon.next_server_seq) = (session.session_id, 1.into());
    let mut origin = Origin::new_zeroed();
    (origin.session, origin.connection) = (session.session_id, CONNECTION.into());
    batch.push(origin, logon);
}

fn opening(size: Size) -> VenueOpen {
    let orders = size.orders + SPARE_ORDERS;
    let mut open = VenueOpen::new_zeroed();
    open.venue_id = 1.into();
    open.accounts_max = (size.accounts + ACCOUNT_MEMBERS_FROM).into();
    open.instruments_max = size.instruments.into();
    open.sessions_max = (size.accounts + 1).into();
    open.orders_max = orders.into();
    open.levels_max = orders.into();
    // Beside its own instruments an account may quote a hundred.
    open.positions_max = (INSTRUMENTS_PER_ACCOUNT * size.accounts + QUOTE_ENTRIES_MAX as u32).into();
    open.orders_per_account_max = orders.into();
    open.matches_per_command_max = 1_000.into();
    open.closed_ids_max = CLOSED_IDS.into();
    open
}

fn listing(instrument: u32) -> InstrumentCreate {
    let mut listing = InstrumentCreate::new_zeroed();
    listing.symbol = [b'G'; 32];
    (listing.tick_size, listing.lot_size) = (TICK_SIZE.into(), TICK_SIZE.into());
    (listing.contract_size, listing.mark) = (1_000_000_000.into(), (MARK * TICK_SIZE).into());
    (listing.qty_max, listing.instrument_id) = (1_000_000.into(), instrument.into());
    listing.initial_margin_ppm = 50_000.into();
    (listing.maker_fee_ppm, listing.taker_fee_ppm) = (100.into(), 400.into());
    listing.kind = 1;
    listing
}
