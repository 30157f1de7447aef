//! What one command costs the engine alone: session, duplicate check, rules, margin, fees, positions and events, everything
//! but the rings' other end and the disk. Each kind of command in a steady state that it leaves as it found it.
//!
//! ```text
//! cargo bench -p benches --bench engine
//! ```
//!
//! About 1,000 orders rest on about 750 levels for 1,000 accounts, a session each, in one instrument. `null` throws events
//! away; `log` writes them and their command to a log ring as the matcher does, and a reader on this thread frees the
//! room. The state stays small and warm: figures for cold books and millions of accounts are not here.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::command::*;
use engine::event::EventSink;
use engine::limits::ACCOUNT_MEMBERS_FROM;
use engine::message::{Framed, Message, NULL_I64, NULL_U64, Origin};
use engine::{Engine, Sequenced};
use gateway::log::Entry;
use gateway::matcher::room_bytes;
use gateway::ring::{LogReader, LogWriter, log};
use std::hint::black_box;
use std::time::{Duration, Instant};
use zerocopy::{FromZeros, IntoBytes};

const ACCOUNTS: u32 = 1_000;
const LIVE_ORDERS: usize = 1_000;
/// Prices from which a resting order draws: 1,000 orders then lie on about 750 of them.
const LEVELS: u64 = 1_500;
const SESSION: u64 = 1;
const INSTRUMENT: u32 = 1;
const MARK_TICKS: u64 = 50_000;
const TICK: i64 = 10_000_000;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A command as it stands on the ingress ring.
#[derive(Clone)]
struct Asked {
    origin: Origin,
    message: Vec<u8>,
}

/// Where events go, and what a command costs besides.
trait Sink {
    fn command(&mut self, engine: &mut Engine, seq: u64, asked: &Asked);
}

struct Null;

impl EventSink for Null {
    fn event(&mut self, _: u32, payload: &[u8]) {
        black_box(payload);
    }
}

impl Sink for Null {
    fn command(&mut self, engine: &mut Engine, seq: u64, asked: &Asked) {
        let (origin, message) = (&asked.origin, asked.message.as_slice());
        engine.apply(&Sequenced { seq, ts_ns: seq, origin, message }, self);
    }
}

struct Ring {
    writer: LogWriter,
    reader: LogReader,
    room_bytes: usize,
    seq: u64,
}

impl Ring {
    fn new(engine: &Engine) -> Ring {
        let room_bytes = room_bytes(engine.limits().expect("the venue is open").events_per_command());
        let (writer, mut readers) = log((8 * room_bytes).next_power_of_two(), 1);
        Ring { writer, reader: readers.remove(0), room_bytes, seq: 0 }
    }
}

impl EventSink for Ring {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        Entry::event(self.seq, self.seq, sub).write(&mut self.writer, &[payload]);
    }
}

impl Sink for Ring {
    fn command(&mut self, engine: &mut Engine, seq: u64, asked: &Asked) {
        while !self.writer.has_room(self.room_bytes) {
            while self.reader.peek().is_some() {
                self.reader.advance();
            }
            self.reader.release();
        }
        self.seq = seq;
        Entry::command(seq, seq).write(&mut self.writer, &[asked.origin.as_bytes(), &asked.message]);
        let (origin, message) = (&asked.origin, asked.message.as_slice());
        engine.apply(&Sequenced { seq, ts_ns: seq, origin, message }, self);
        self.writer.publish();
    }
}

/// An open venue and what its members need to speak: their numbers, and what rests.
struct Desk {
    engine: Engine,
    draw: Draw,
    seqs: Vec<u64>,
    cl_ord_id: u64,
    /// Account and client's number of what rests.
    resting: Vec<(u32, u64)>,
}

impl Desk {
    fn open() -> Desk {
        let mut desk = Desk {
            engine: Engine::new(),
            draw: Draw(1),
            seqs: vec![1; ACCOUNTS as usize],
            cl_ord_id: 0,
            resting: Vec::new(),
        };
        desk.venue(opening());
        desk.venue(listing());
        for index in 0..ACCOUNTS {
            let account_id = (ACCOUNT_MEMBERS_FROM + index).into();
            desk.venue(AccountCreate { name: [b'a'; 16], account_id, owner: 0.into() });
            let amount = 1_000_000_000_000_000.into();
            desk.venue(Deposit { reference: 1.into(), amount, account_id, pad_a: 0.into() });
            let mut session = SessionCreate::new_zeroed();
            session.session_id = (SESSION + u64::from(index)).into();
            (session.account_id, session.role) = (account_id, Role::Trade as u8);
            desk.venue(session);
            let mut logon = Logon::new_zeroed();
            (logon.session_id, logon.next_server_seq) = (session.session_id, 1.into());
            let mut origin = Origin::new_zeroed();
            (origin.session, origin.connection) = (session.session_id, 1.into());
            desk.apply(&Asked { origin, message: message(logon) });
        }
        for _ in 0..LIVE_ORDERS {
            let asked = desk.post();
            desk.apply(&asked);
        }
        assert_eq!(desk.engine.open_orders().count(), LIVE_ORDERS);
        desk
    }

    fn venue<M: Message>(&mut self, block: M) {
        self.apply(&Asked { origin: Origin::venue(), message: message(block) });
    }

    fn apply(&mut self, asked: &Asked) {
        let seq = self.engine.last_seq() + 1;
        Null.command(&mut self.engine, seq, asked);
    }

    fn say<M: Message>(&mut self, account: u32, block: M) -> Asked {
        let member = account - ACCOUNT_MEMBERS_FROM;
        let seq = &mut self.seqs[member as usize];
        let mut origin = Origin::new_zeroed();
        (origin.session, origin.connection) = ((SESSION + u64::from(member)).into(), 1.into());
        origin.client_seq = (*seq).into();
        *seq += 1;
        Asked { origin, message: message(block) }
    }

    fn anybody(&mut self) -> u32 {
        ACCOUNT_MEMBERS_FROM + self.draw.below(ACCOUNTS.into()) as u32
    }

    fn order(&mut self, account: u32, side: u8, ticks: u64, qty: i64, tif: u8) -> Asked {
        self.cl_ord_id += 1;
        let mut order = NewOrder::new_zeroed();
        order.cl_ord_id = self.cl_ord_id.into();
        order.price = (ticks as i64 * TICK).into();
        (order.qty, order.display_qty) = (qty.into(), NULL_I64.into());
        order.expire_time = NULL_U64.into();
        (order.instrument_id, order.account_id) = (INSTRUMENT.into(), account.into());
        (order.side, order.ord_type, order.tif, order.stp_mode) = (side, 1, tif, 1);
        self.say(account, order)
    }

    /// An order of nine lots that rests: bids below the mark, asks above.
    fn post(&mut self) -> Asked {
        let away = 1 + self.draw.below(LEVELS / 2);
        let (side, ticks) =
            if self.draw.below(2) == 0 { (1, MARK_TICKS - away) } else { (2, MARK_TICKS + away) };
        let account = self.anybody();
        let asked = self.order(account, side, ticks, 9, 2);
        self.resting.push((account, self.cl_ord_id));
        asked
    }

    /// Of one that rests, or of one that has been taken meanwhile.
    fn cancel(&mut self) -> Asked {
        let at = self.draw.below(self.resting.len() as u64) as usize;
        let (account, orig_cl_ord_id) = self.resting.swap_remove(at);
        self.cl_ord_id += 1;
        let block = CancelOrder {
            cl_ord_id: self.cl_ord_id.into(),
            orig_cl_ord_id: orig_cl_ord_id.into(),
            order_id: 0.into(),
            instrument_id: 0.into(),
            account_id: account.into(),
        };
        self.say(account, block)
    }

    /// One lot of whatever is best.
    fn take(&mut self) -> Asked {
        let account = self.anybody();
        match self.draw.below(2) {
            0 => self.order(account, 1, MARK_TICKS + LEVELS, 1, 3),
            _ => self.order(account, 2, MARK_TICKS - LEVELS, 1, 3),
        }
    }

    fn refused(&mut self) -> Asked {
        let account = self.anybody();
        self.order(account, 1, MARK_TICKS - 1, 0, 2)
    }

    /// As many orders as at the start, and `resting` names those that do rest.
    fn settle(&mut self) {
        self.resting = self.engine.open_orders().map(|order| (order.account, order.cl_ord_id)).collect();
        while self.resting.len() != LIVE_ORDERS {
            let asked = if self.resting.len() < LIVE_ORDERS { self.post() } else { self.cancel() };
            self.apply(&asked);
        }
    }
}

fn message<M: Message>(block: M) -> Vec<u8> {
    Framed::new(block).as_bytes().to_vec()
}

fn opening() -> VenueOpen {
    let mut open = VenueOpen::new_zeroed();
    open.venue_id = 1.into();
    open.accounts_max = (2 * ACCOUNTS).into();
    open.instruments_max = 10.into();
    open.sessions_max = (2 * ACCOUNTS).into();
    open.orders_max = (1 << 16).into();
    open.levels_max = (1 << 14).into();
    open.positions_max = (1 << 14).into();
    open.orders_per_account_max = 10_000.into();
    open.matches_per_command_max = 1_000.into();
    open
}

fn listing() -> InstrumentCreate {
    let mut listing = InstrumentCreate::new_zeroed();
    listing.symbol = [b'X'; 32];
    listing.tick_size = TICK.into();
    listing.lot_size = 10_000_000.into();
    listing.contract_size = 1_000_000_000.into();
    listing.mark = (MARK_TICKS as i64 * TICK).into();
    listing.qty_max = 1_000.into();
    listing.instrument_id = INSTRUMENT.into();
    listing.initial_margin_ppm = 50_000.into();
    (listing.maker_fee_ppm, listing.taker_fee_ppm) = (100.into(), 400.into());
    listing.kind = 1;
    listing
}

/// A kind of command.
struct Kind {
    name: &'static str,
    /// What must come first, not measured.
    before: fn(&mut Desk) -> Vec<Asked>,
    measured: fn(&mut Desk) -> Vec<Asked>,
}

const KINDS: [Kind; 5] = [
    Kind { name: "post", before: nothing, measured: posts },
    Kind { name: "cancel", before: posts, measured: cancels },
    Kind { name: "take", before: nothing, measured: takes },
    Kind { name: "refuse", before: nothing, measured: refusals },
    Kind { name: "mix", before: nothing, measured: mix },
];

/// Commands of a round: the book grows or shrinks by half of itself at most.
const ROUND: usize = 500;

fn nothing(_: &mut Desk) -> Vec<Asked> {
    Vec::new()
}

fn posts(desk: &mut Desk) -> Vec<Asked> {
    (0..ROUND).map(|_| desk.post()).collect()
}

fn cancels(desk: &mut Desk) -> Vec<Asked> {
    (0..ROUND).map(|_| desk.cancel()).collect()
}

fn takes(desk: &mut Desk) -> Vec<Asked> {
    (0..ROUND).map(|_| desk.take()).collect()
}

fn refusals(desk: &mut Desk) -> Vec<Asked> {
    (0..ROUND).map(|_| desk.refused()).collect()
}

/// What the published single-symbol benchmark is made of, in its proportions: 9 % new, 3 % IOC, 6 % cancel, 82 % move. This
/// engine moves an order by a cancel and a new one, and they count as the two commands that they are.
fn mix(desk: &mut Desk) -> Vec<Asked> {
    let mut asked = Vec::with_capacity(2 * ROUND);
    for _ in 0..ROUND {
        match desk.draw.below(100) {
            0..9 => asked.push(desk.post()),
            9..12 => asked.push(desk.take()),
            12..18 => asked.push(desk.cancel()),
            _ => {
                asked.push(desk.cancel());
                asked.push(desk.post());
            }
        }
    }
    asked
}

/// Time for `commands` commands, as that of whole rounds.
fn time(desk: &mut Desk, sink: &mut impl Sink, kind: &Kind, commands: u64) -> Duration {
    let (mut elapsed, mut done) = (Duration::ZERO, 0);
    while done < commands {
        for asked in (kind.before)(desk) {
            desk.apply(&asked);
        }
        let asked = (kind.measured)(desk);
        let first = desk.engine.last_seq() + 1;
        let start = Instant::now();
        for (seq, asked) in (first..).zip(&asked) {
            sink.command(&mut desk.engine, seq, asked);
        }
        elapsed += start.elapsed();
        done += asked.len() as u64;
        desk.settle();
    }
    elapsed.mul_f64(commands as f64 / done as f64)
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(1));
    for kind in &KINDS {
        let mut desk = Desk::open();
        group.bench_function(BenchmarkId::new("null", kind.name), |bencher| {
            bencher.iter_custom(|commands| time(&mut desk, &mut Null, kind, commands))
        });
        let mut desk = Desk::open();
        let mut ring = Ring::new(&desk.engine);
        group.bench_function(BenchmarkId::new("log", kind.name), |bencher| {
            bencher.iter_custom(|commands| time(&mut desk, &mut ring, kind, commands))
        });
    }
}

/// The whole state: what a mark and a snapshot cost.
fn state(criterion: &mut Criterion) {
    let mut desk = Desk::open();
    while desk.resting.len() < 10_000 {
        let asked = desk.post();
        desk.apply(&asked);
    }
    assert_eq!(desk.engine.open_orders().count(), 10_000);
    let mut group = criterion.benchmark_group("state_of_10000_orders");
    group.bench_function("digest", |bencher| bencher.iter(|| desk.engine.digest()));
    group.bench_function("snapshot", |bencher| bencher.iter(|| desk.engine.snapshot()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(1500)).sample_size(20);
    targets = commands, state
}
criterion_main!(benches);
