//! An open venue with a funded account and a logged-on session for each account of a workload, and its records as the
//! commands that those sessions would send. Encoding is apart from applying, so that only the engine is timed.
//!
//! A move is an amend to the new price, which loses its priority. Where the price stays, which an amend would take for no
//! change, it is a cancel and a new order of what remained; the record's hints tell.

use engine::command::{
    AccountCreate, CancelOrder, Deposit, InstrumentCreate, Logon, ModifyOrder, NewOrder, Role,
};
use engine::command::{SessionCreate, VenueOpen};
use engine::limits::{ACCOUNT_MEMBERS_FROM, DEPOSIT_MAX, Limits, POSITION_LOTS_MAX};
use engine::message::{Framed, HEADER_BYTES, Message, NULL_I64, NULL_U64, ORIGIN_BYTES, Origin};
use engine::{Engine, LookAhead, Sequenced};
use zerocopy::{FromZeros, IntoBytes};

use super::sink::{Listener, Null};
use crate::workload::{BID, Header, Record, op};

/// Price9 of one tick; with this lot and contract a tick of one lot is one unit of money.
pub const TICK_SIZE: i64 = 1_000_000;
const LOT_SIZE: i64 = 1_000_000;
const CONTRACT_SIZE: i64 = 1_000_000_000;
const MARGIN_PPM: u32 = 50_000;
const MAKER_FEE_PPM: u32 = 100;
const TAKER_FEE_PPM: u32 = 400;
/// The connection that every session uses.
const CONNECTION: u32 = 1;

const LIMIT: u8 = 1;
const NO_STP: u8 = 1;

const PAYLOAD_BYTES: usize = ORIGIN_BYTES + HEADER_BYTES + size_of::<NewOrder>();

/// One command as it stands on the ingress ring.
#[repr(align(64))]
struct Slot {
    payload: [u8; PAYLOAD_BYTES],
    bytes: u32,
}

impl Slot {
    fn payload(&self) -> &[u8] {
        &self.payload[..self.bytes as usize]
    }
}

/// Commands made ready: each record is one or two of them.
#[derive(Default)]
pub struct Batch {
    slots: Vec<Slot>,
    /// Where each record's commands end.
    ends: Vec<usize>,
}

impl Batch {
    pub fn commands(&self) -> usize {
        self.slots.len()
    }

    fn push<M: Message>(&mut self, origin: &Origin, block: M) {
        let message = Framed::new(block);
        let mut slot = Slot { payload: [0; PAYLOAD_BYTES], bytes: 0 };
        let bytes = ORIGIN_BYTES + message.as_bytes().len();
        slot.payload[..ORIGIN_BYTES].copy_from_slice(origin.as_bytes());
        slot.payload[ORIGIN_BYTES..bytes].copy_from_slice(message.as_bytes());
        slot.bytes = bytes as u32;
        self.slots.push(slot);
    }
}

pub struct Desk {
    pub engine: Engine,
    /// Each session's next number.
    numbers: Vec<u64>,
}

impl Desk {
    /// `orders_max` is the venue's capacity for open orders; the other limits are the demo's, raised to what is needed.
    pub fn open(header: &Header, orders_max: u32) -> Desk {
        Desk::open_heard(header, orders_max, &mut Null)
    }

    /// The same, and `listener` hears of it.
    pub fn open_heard(header: &Header, orders_max: u32, listener: &mut impl Listener) -> Desk {
        let accounts = header.accounts.get();
        let mut desk = Desk { engine: Engine::new(), numbers: vec![1; accounts as usize] };
        desk.venue(opening(header, orders_max), listener);
        let middle = header.price_low.get().midpoint(header.price_high.get());
        for symbol in 0..header.symbols.get() {
            desk.venue(listing(symbol + 1, i64::from(middle)), listener);
        }
        for account in 0..accounts {
            desk.admit(account, listener);
        }
        desk
    }

    fn admit(&mut self, account: u32, listener: &mut impl Listener) {
        let account_id = (ACCOUNT_MEMBERS_FROM + account).into();
        self.venue(AccountCreate { name: [b'W'; 16], account_id, owner: 0.into() }, listener);
        let amount = DEPOSIT_MAX.into();
        self.venue(Deposit { reference: 1.into(), amount, account_id, pad_a: 0.into() }, listener);
        let mut session = SessionCreate::new_zeroed();
        session.session_id = session_of(account).into();
        (session.account_id, session.role) = (account_id, Role::Trade as u8);
        self.venue(session, listener);
        let mut logon = Logon::new_zeroed();
        (logon.session_id, logon.next_server_seq) = (session.session_id, 1.into());
        let mut origin = Origin::new_zeroed();
        (origin.session, origin.connection) = (session.session_id, CONNECTION.into());
        apply(&mut self.engine, &origin, Framed::new(logon).as_bytes(), listener);
        listener.answered();
    }

    fn venue<M: Message>(&mut self, block: M, listener: &mut impl Listener) {
        apply(&mut self.engine, &Origin::venue(), Framed::new(block).as_bytes(), listener);
        listener.answered();
    }

    /// Replaces what is in the batch.
    pub fn encode(&mut self, records: &[Record], batch: &mut Batch) {
        batch.slots.clear();
        batch.ends.clear();
        for record in records {
            match record.op {
                op::NEW | op::IOC => self.enter(record, record.quantity.get(), batch),
                op::CANCEL => self.cancel(record, batch),
                _ if record.hint_quantity.get() == 0 => self.cancel(record, batch),
                _ if record.hint_price != record.price => self.amend(record, batch),
                _ => {
                    self.cancel(record, batch);
                    self.enter(record, record.hint_quantity.get(), batch);
                }
            }
            batch.ends.push(batch.slots.len());
        }
    }

    fn enter(&mut self, record: &Record, lots: u32, batch: &mut Batch) {
        let mut order = NewOrder::new_zeroed();
        order.cl_ord_id = client_id(record).into();
        order.price = (i64::from(record.price.get()) * TICK_SIZE).into();
        (order.qty, order.display_qty) = (i64::from(lots).into(), NULL_I64.into());
        order.expire_time = NULL_U64.into();
        order.instrument_id = (u32::from(record.symbol.get()) + 1).into();
        order.account_id = (ACCOUNT_MEMBERS_FROM + record.account.get()).into();
        order.side = if record.side == BID { 1 } else { 2 };
        order.tif = if record.op == op::IOC { 3 } else { 2 };
        (order.ord_type, order.stp_mode) = (LIMIT, NO_STP);
        batch.push(&self.origin(record), order);
    }

    fn cancel(&mut self, record: &Record, batch: &mut Batch) {
        let cancel = CancelOrder {
            cl_ord_id: client_id(record).into(),
            orig_cl_ord_id: client_id(record).into(),
            order_id: 0.into(),
            instrument_id: (u32::from(record.symbol.get()) + 1).into(),
            account_id: (ACCOUNT_MEMBERS_FROM + record.account.get()).into(),
        };
        batch.push(&self.origin(record), cancel);
    }

    fn amend(&mut self, record: &Record, batch: &mut Batch) {
        let mut amend = ModifyOrder::new_zeroed();
        (amend.cl_ord_id, amend.orig_cl_ord_id) = (client_id(record).into(), client_id(record).into());
        amend.price = (i64::from(record.price.get()) * TICK_SIZE).into();
        (amend.qty, amend.display_qty) = (NULL_I64.into(), NULL_I64.into());
        amend.account_id = (ACCOUNT_MEMBERS_FROM + record.account.get()).into();
        batch.push(&self.origin(record), amend);
    }

    fn origin(&mut self, record: &Record) -> Origin {
        let account = record.account.get();
        let number = &mut self.numbers[account as usize];
        let mut origin = Origin::new_zeroed();
        (origin.session, origin.connection) = (session_of(account).into(), CONNECTION.into());
        origin.client_seq = (*number).into();
        *number += 1;
        origin
    }

    /// Applies a whole batch, with a look ahead as the venue has one.
    pub fn apply(&mut self, batch: &Batch, listener: &mut impl Listener) {
        if !self.engine.is_large() {
            return batch.slots.iter().for_each(|slot| self.step(slot, listener));
        }
        let mut ahead = LookAhead::new();
        let mut seen = batch.slots.iter();
        for slot in &batch.slots {
            while ahead.has_room()
                && let Some(next) = seen.next()
            {
                ahead.see(&self.engine, next.payload());
            }
            self.step(slot, listener);
            ahead.pass(&self.engine);
        }
    }

    /// Applies what the record at `index` of the batch came to.
    pub fn apply_record(&mut self, batch: &Batch, index: usize, listener: &mut impl Listener) {
        let first = if index == 0 { 0 } else { batch.ends[index - 1] };
        batch.slots[first..batch.ends[index]].iter().for_each(|slot| self.step(slot, listener));
    }

    fn step(&mut self, slot: &Slot, listener: &mut impl Listener) {
        let seq = self.engine.last_seq() + 1;
        let command = Sequenced::read(seq, seq, slot.payload()).expect("a batch holds whole commands");
        listener.command(&command);
        self.engine.apply(&command, listener);
        while let Some(due) = self.engine.due(self.engine.last_seq() + 1) {
            apply(&mut self.engine, &Origin::venue(), &due.message(), listener);
        }
        listener.answered();
    }

    pub fn live(&self) -> u64 {
        self.engine.open_orders().count() as u64
    }
}

fn apply(engine: &mut Engine, origin: &Origin, message: &[u8], listener: &mut impl Listener) {
    let seq = engine.last_seq() + 1;
    let command = Sequenced { seq, ts_ns: seq, origin, message };
    listener.command(&command);
    engine.apply(&command, listener);
}

fn session_of(account: u32) -> u64 {
    1 + u64::from(account)
}

/// Ids of files may be 0, those of clients not.
fn client_id(record: &Record) -> u64 {
    record.id.get() + 1
}

fn opening(header: &Header, orders_max: u32) -> VenueOpen {
    let (accounts, symbols) = (header.accounts.get(), header.symbols.get());
    let mut open = VenueOpen::new_zeroed();
    open.venue_id = 1.into();
    open.accounts_max = (accounts + ACCOUNT_MEMBERS_FROM).max(Limits::DEMO.accounts).into();
    open.instruments_max = symbols.max(Limits::DEMO.instruments).into();
    open.sessions_max = accounts.max(Limits::DEMO.sessions).into();
    open.orders_max = orders_max.into();
    open.levels_max = orders_max.max(Limits::DEMO.levels).into();
    open.positions_max = orders_max.max(accounts).max(Limits::DEMO.positions).into();
    open.orders_per_account_max = orders_max.into();
    open.matches_per_command_max = Limits::DEMO.matches_per_command.into();
    open
}

fn listing(instrument: u32, mark_ticks: i64) -> InstrumentCreate {
    let mut listing = InstrumentCreate::new_zeroed();
    listing.symbol = [b'W'; 32];
    (listing.tick_size, listing.lot_size) = (TICK_SIZE.into(), LOT_SIZE.into());
    (listing.contract_size, listing.mark) = (CONTRACT_SIZE.into(), (mark_ticks * TICK_SIZE).into());
    (listing.qty_max, listing.instrument_id) = (POSITION_LOTS_MAX.into(), instrument.into());
    listing.initial_margin_ppm = MARGIN_PPM.into();
    (listing.maker_fee_ppm, listing.taker_fee_ppm) = (MAKER_FEE_PPM.into(), TAKER_FEE_PPM.into());
    listing.kind = 1;
    listing
}
