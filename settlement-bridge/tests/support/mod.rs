//! A small venue whose journal the tests write: commands, what an engine said about them, and the hand that writes both
//! down, faithfully or not.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod json;

use std::path::Path;

use engine::command::{
    AccountCreate, CancelOrder, ComboCreate, Deposit, InstrumentCreate, Logon, NewOrder, SessionCreate,
    VenueOpen,
};
use engine::event::EventSink;
use engine::message::{Framed, Message, NULL_I64, NULL_U64, Origin};
use engine::units::Side;
use engine::{Engine, Sequenced};
use journal::{BackEnd, Identity, Kind, Options, Record, Writer};
use zerocopy::{FromZeros, IntoBytes};

pub const MAKER: u32 = 4;
pub const TAKER: u32 = 5;
pub const BTC: u32 = 1;
pub const ETH: u32 = 2;
const MAKER_SESSION: u64 = 10;
const TAKER_SESSION: u64 = 11;

/// One record with its own bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub kind: Kind,
    pub seq: u64,
    pub ts_ns: u64,
    pub sub: u32,
    pub payload: Vec<u8>,
}

impl Written {
    pub fn record(&self) -> Record<'_> {
        let Written { kind, seq, ts_ns, sub, ref payload } = *self;
        Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload }
    }
}

/// A venue that keeps what its journal must hold.
pub struct Venue {
    pub engine: Engine,
    pub records: Vec<Written>,
    client_seqs: [u64; 2],
    ts_ns: u64,
}

struct Tape<'a> {
    records: &'a mut Vec<Written>,
    seq: u64,
    ts_ns: u64,
}

impl EventSink for Tape<'_> {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        let Tape { seq, ts_ns, .. } = *self;
        self.records.push(Written { kind: Kind::Event, seq, ts_ns, sub, payload: payload.to_vec() });
    }
}

impl Venue {
    /// Two instruments, two members with a session and a deposit each.
    pub fn open() -> Venue {
        let mut venue =
            Venue { engine: Engine::new(), records: Vec::new(), client_seqs: [1, 1], ts_ns: 1_000 };
        let mut open = VenueOpen::new_zeroed();
        open.venue_id.set(7);
        open.engine_epoch.set(1);
        for (field, value) in [
            (&mut open.accounts_max, 100),
            (&mut open.instruments_max, 10),
            (&mut open.sessions_max, 10),
            (&mut open.orders_max, 1000),
            (&mut open.levels_max, 100),
            (&mut open.positions_max, 100),
            (&mut open.orders_per_account_max, 100),
            (&mut open.matches_per_command_max, 2),
        ] {
            field.set(value);
        }
        venue.say(Origin::venue(), open);
        venue.list(BTC, "BTC-PERP", 500_000_000, 1_000_000, 2_000_000_000);
        venue.list(ETH, "ETH-PERP", 10_000_000, 100_000_000, 1_000_000_000);
        for (account, session, name) in [(MAKER, MAKER_SESSION, "MAKER"), (TAKER, TAKER_SESSION, "TAKER")] {
            venue.admit(account, session, name);
        }
        venue
    }

    /// A combo `id` that buys BTC and sells a twin of it.
    pub fn list_combo(&mut self, twin: u32, id: u32) {
        self.list(twin, "BTC-NEXT", 500_000_000, 1_000_000, 2_000_000_000);
        let mut combo = ComboCreate::new_zeroed();
        combo.instrument_id.set(id);
        for (place, leg, ratio) in [(0, BTC, 1), (1, twin, -1)] {
            combo.leg_instruments[place].set(leg);
            combo.leg_ratios[place].set(ratio);
        }
        combo.qty_max.set(1_000);
        combo.price_band_ppm.set(1_000_000);
        self.say(Origin::venue(), combo);
    }

    fn list(&mut self, id: u32, symbol: &str, tick_size: i64, lot_size: i64, contract_size: i64) {
        let mut instrument = InstrumentCreate::new_zeroed();
        instrument.symbol[..symbol.len()].copy_from_slice(symbol.as_bytes());
        instrument.tick_size.set(tick_size);
        instrument.lot_size.set(lot_size);
        instrument.contract_size.set(contract_size);
        instrument.mark.set(tick_size * 1000);
        instrument.qty_max.set(1_000_000);
        instrument.instrument_id.set(id);
        instrument.initial_margin_ppm.set(100_000);
        instrument.maker_fee_ppm.set(100);
        instrument.taker_fee_ppm.set(501);
        instrument.kind = 1;
        self.say(Origin::venue(), instrument);
    }

    fn admit(&mut self, account: u32, session: u64, name: &str) {
        let mut create = AccountCreate::new_zeroed();
        create.account_id.set(account);
        create.name[..name.len()].copy_from_slice(name.as_bytes());
        self.say(Origin::venue(), create);
        let mut create = SessionCreate::new_zeroed();
        create.session_id.set(session);
        create.account_id.set(account);
        create.role = 1;
        self.say(Origin::venue(), create);
        self.deposit(account, 1_000_000_000_000);
        let mut logon = Logon::new_zeroed();
        logon.session_id.set(session);
        logon.next_client_seq.set(1);
        logon.next_server_seq.set(1);
        logon.keep_alive_ms.set(1000);
        logon.schema_version.set(1);
        self.say(origin(session, 0), logon);
    }

    pub fn deposit(&mut self, account: u32, amount: i64) {
        let mut deposit = Deposit::new_zeroed();
        deposit.account_id.set(account);
        deposit.amount.set(amount);
        self.say(Origin::venue(), deposit);
    }

    /// A Gtc order at `ticks` times the instrument's tick of `tick_size`; what falls due is sequenced.
    pub fn order(&mut self, account: u32, instrument: u32, side: Side, ticks: i64, lots: i64) {
        let mut order = NewOrder::new_zeroed();
        let client_seq = self.next_client_seq(account);
        order.cl_ord_id.set(client_seq);
        order.price.set(ticks * if instrument == BTC { 500_000_000 } else { 10_000_000 });
        order.qty.set(lots);
        order.display_qty.set(NULL_I64);
        order.expire_time.set(NULL_U64);
        order.instrument_id.set(instrument);
        order.account_id.set(account);
        (order.side, order.ord_type, order.tif, order.stp_mode) = (side as u8, 1, 2, 1);
        self.say(origin(session_of(account), client_seq), order);
        while let Some(due) = self.engine.due(self.ts_ns) {
            self.say_message(Origin::venue(), &due.message());
        }
    }

    pub fn cancel(&mut self, account: u32, cl_ord_id: u64) {
        let client_seq = self.next_client_seq(account);
        let mut cancel = CancelOrder::new_zeroed();
        cancel.cl_ord_id.set(client_seq);
        cancel.orig_cl_ord_id.set(cl_ord_id);
        cancel.account_id.set(account);
        self.say(origin(session_of(account), client_seq), cancel);
    }

    pub fn mark(&mut self) {
        let (seq, ts_ns) = (self.engine.last_seq(), self.ts_ns);
        let payload = self.engine.digest().to_vec();
        self.records.push(Written { kind: Kind::Mark, seq, ts_ns, sub: 0, payload });
    }

    /// A day of trading: fills in both instruments, a taker over several makers with a continuation, a rejection, a
    /// cancel, a mark in between and one at the end.
    pub fn trade(&mut self) {
        for ticks in 1000..1006 {
            self.order(MAKER, BTC, Side::Sell, ticks, 10);
        }
        self.order(TAKER, BTC, Side::Buy, 1004, 47);
        self.mark();
        self.order(MAKER, ETH, Side::Buy, 990, 30);
        self.order(TAKER, ETH, Side::Sell, 990, 33);
        self.order(TAKER, ETH, Side::Buy, 0, 1);
        self.cancel(MAKER, 6);
        self.deposit(MAKER, 77);
        self.mark();
    }

    fn next_client_seq(&mut self, account: u32) -> u64 {
        let next = &mut self.client_seqs[usize::from(account == TAKER)];
        *next += 1;
        *next - 1
    }

    fn say<M: Message>(&mut self, origin: Origin, block: M) {
        self.say_message(origin, Framed::new(block).as_bytes());
    }

    fn say_message(&mut self, origin: Origin, message: &[u8]) {
        self.ts_ns += 1_000;
        let (seq, ts_ns) = (self.engine.last_seq() + 1, self.ts_ns);
        let payload = [origin.as_bytes(), message].concat();
        let command = Sequenced::read(seq, ts_ns, &payload).expect("it has an origin");
        self.records.push(Written { kind: Kind::Command, seq, ts_ns, sub: 0, payload: payload.clone() });
        self.engine.apply(&command, &mut Tape { records: &mut self.records, seq, ts_ns });
    }
}

fn session_of(account: u32) -> u64 {
    if account == MAKER { MAKER_SESSION } else { TAKER_SESSION }
}

fn origin(session: u64, client_seq: u64) -> Origin {
    let mut origin = Origin::venue();
    origin.session.set(session);
    origin.client_seq.set(client_seq);
    origin.connection.set(session as u32);
    origin
}

/// The smallest segments that a journal has.
pub const OPTIONS: Options =
    Options { segment_bytes: 64 << 10, group_alignment: 512, back_end: BackEnd::Written };

pub fn create(directory: &Path) -> Writer {
    let identity = Identity { journal_id: [3; 16], shard: 0, config_hash: [4; 32], logic_version: 1 };
    Writer::create(directory, &identity, &OPTIONS).expect("a new journal")
}

/// Appends with a group for each command; nothing is synced.
pub fn append(writer: &mut Writer, records: &[Written]) {
    for written in records {
        if written.kind == Kind::Command {
            writer.close_group().expect("room");
        }
        writer.append(&written.record()).expect("in order");
    }
    writer.close_group().expect("room");
}

/// A whole journal, durable, its writer gone.
pub fn write_journal(directory: &Path, records: &[Written]) {
    let mut writer = create(directory);
    append(&mut writer, records);
    writer.close().expect("closed");
}
