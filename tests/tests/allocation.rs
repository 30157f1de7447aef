//! The engine's thread in steady state: the real matcher between the real rings, counted by the allocator and by the
//! kernel. No command and no mark allocates, frees, or touches a page that was not touched at start.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::Duration;

use ballast_client::orders::{self, Tif};
use ballast_client::{Body, Client, ClientConfig, Side};
use engine::Engine;
use engine::command::*;
use engine::event::{OrderCanceled, OrderExecuted, OrderRejected};
use engine::limits::{ACCOUNT_MEMBERS_FROM, Limits};
use engine::message::{Message, Origin, ROUTE_BYTES, block};
use engine::reject::Reject;
use gateway::clock::Clock;
use gateway::log::Entry;
use gateway::matcher::{Matcher, Parts, room_bytes};
use gateway::ring::{LogReader, doorbell, ingress, log};
use gateway::space::{Level, Space};
use gateway::stage::{Ending, Stage};
use journal::{Kind, Room};
use tests::heard;
use tests::orders::{cancel, limit};
use tests::venue::Home;
use tests::workload::{Draw, Profile, Sequenced, Step, Stream, bytes};
use zerocopy::{FromZeros, IntoBytes};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static DEALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches thread-local integers only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        DEALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: `pointer` came from `alloc` above, that is from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What this thread has cost so far.
#[derive(Clone, Copy, Debug)]
struct Cost {
    allocations: u64,
    deallocations: u64,
    minor_faults: u64,
    major_faults: u64,
}

impl Cost {
    fn now() -> Cost {
        let (minor_faults, major_faults) = faults();
        Cost {
            allocations: ALLOCATIONS.with(Cell::get),
            deallocations: DEALLOCATIONS.with(Cell::get),
            minor_faults,
            major_faults,
        }
    }

    fn since(self, before: Cost) -> Cost {
        Cost {
            allocations: self.allocations - before.allocations,
            deallocations: self.deallocations - before.deallocations,
            minor_faults: self.minor_faults - before.minor_faults,
            major_faults: self.major_faults - before.major_faults,
        }
    }
}

/// Minor and major faults: fields 10 and 12 of this thread's line in /proc. The name in field 2 may hold spaces, so counting
/// starts behind it. Reads into a buffer on the stack: a count must not cost what it counts.
fn faults() -> (u64, u64) {
    let mut buffer = [0; 1024];
    let mut file = File::open("/proc/thread-self/stat").expect("Linux keeps it");
    let bytes = file.read(&mut buffer).expect("it is readable");
    let line = str::from_utf8(&buffer[..bytes]).expect("it is text");
    let behind_the_name = &line[line.rfind(')').expect("the name stands in parentheses") + 1..];
    let field = |number: usize| {
        let text = behind_the_name.split_whitespace().nth(number - 3).expect("the line has 52 fields");
        text.parse().expect("a number")
    };
    (field(10), field(12))
}

/// A flow from its first command on: what opens the venue, and what the matcher is then fed.
struct Flow {
    engine: Engine,
    steps: Vec<Step>,
}

/// What the reader of the log saw.
#[derive(Debug, Default)]
struct Seen {
    commands: u64,
    marks: u64,
    executions: u64,
    cancels: u64,
    rejects: u64,
}

impl Seen {
    fn entry(&mut self, frame: &[u8]) {
        let (entry, payload) = Entry::read(frame);
        match entry.kind() {
            Kind::Command => self.commands += 1,
            Kind::Event => self.event(&payload[ROUTE_BYTES..]),
            _ => self.marks += 1,
        }
    }

    fn add(&mut self, other: Seen) {
        self.commands += other.commands;
        self.marks += other.marks;
        self.executions += other.executions;
        self.cancels += other.cancels;
        self.rejects += other.rejects;
    }

    fn event(&mut self, message: &[u8]) {
        self.executions += u64::from(block::<OrderExecuted>(message).is_some());
        self.cancels += u64::from(block::<OrderCanceled>(message).is_some());
        self.rejects += u64::from(block::<OrderRejected>(message).is_some());
    }
}

const MARK_EVERY: u64 = 1_000;

/// Runs a flow through a matcher on a thread of its own: what the last three quarters of it cost, and the last half.
fn run(engine: Engine, steps: &[Step]) -> ([Cost; 2], Seen, Matcher) {
    let events = engine.limits().expect("the flow opened the venue").events_per_command();
    let (sender, receiver) = ingress(4 << 20);
    let (writer, mut readers) = log((16 << 20).max((8 * room_bytes(events)).next_power_of_two()), 1);
    let reader = &mut readers[0];
    let (journal, _journal_sleeper) = doorbell();
    let (net, _net_sleeper) = doorbell();
    let ending = Ending::default();
    // A disk without an end.
    let space = Space::at(Level::Enough);
    let room = Room { left_bytes: 0, segment_bytes: 1 << 60, spares: 2, is_short: false };
    space.publish(Level::Enough, room, 0, 0);
    let parts = Parts {
        engine,
        ingress: receiver,
        log: writer,
        clock: Clock::start(),
        journal,
        net,
        ending: ending.clone(),
        space,
        mark_every: MARK_EVERY,
    };
    let mut seen = Seen::default();
    let (costs, matcher) = thread::scope(|scope| {
        let total = steps.len() as u64;
        let matching = scope.spawn(move || match_all(Matcher::new(parts), total));
        for step in steps {
            while sender.try_push(&[step.origin.as_bytes(), &step.message]).is_err() {
                assert!(!matching.is_finished(), "the matcher ended early");
                drain(reader, &mut seen);
                thread::yield_now();
            }
        }
        ending.close_ingress();
        while !matching.is_finished() {
            drain(reader, &mut seen);
            thread::yield_now();
        }
        drain(reader, &mut seen);
        matching.join().expect("the matcher holds its assertions")
    });
    println!("{seen:?}\n  last three quarters {:?}\n  last half           {:?}", costs[0], costs[1]);
    (costs, seen, matcher)
}

/// The matcher's thread. Continuations come on top of `total`, so a quarter is a little less than that.
fn match_all(mut matcher: Matcher, total: u64) -> ([Cost; 2], Matcher) {
    let mut applied = 0;
    let mut until = |commands: u64| {
        while applied < commands {
            match matcher.poll() {
                0 => thread::yield_now(),
                more => applied += more as u64,
            }
        }
        Cost::now()
    };
    let (quarter, half, end) = (until(total / 4), until(total / 2), until(total));
    while !matcher.finished() {
        matcher.poll();
    }
    ([end.since(quarter), end.since(half)], matcher)
}

/// A journal that writes nothing.
fn drain(reader: &mut LogReader, seen: &mut Seen) {
    while let Some(frame) = reader.peek() {
        seen.entry(frame);
        reader.advance();
    }
    reader.release();
}

/// A page that is first used late faults in every attempt; the kernel, moving a page for its own reasons, does not.
const ATTEMPTS: usize = 6;

fn check(flow: impl Fn() -> Flow) -> Seen {
    // Matchers and steps stay: what the next attempt is given must not be memory that the last one touched.
    let mut kept = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let Flow { engine, steps } = flow();
        let ([steady, late], seen, matcher) = run(engine, &steps);
        kept.push((matcher, steps));
        assert_eq!((steady.allocations, steady.deallocations), (0, 0), "allocations, deallocations");
        if (late.minor_faults, late.major_faults) == (0, 0) {
            return seen;
        }
        assert!(attempt < ATTEMPTS, "page faults in steady state: {late:?}");
    }
    unreachable!("the last attempt returns or fails")
}

// The flows.

const COMMANDS: usize = 240_000;
/// A stream of the generator, which uses its sessions up: more streams, not longer ones.
const COMMANDS_PER_STREAM: usize = 50_000;

/// Every kind of command and refusal that the generator knows. It numbers its own continuations; the matcher has its own.
fn mixed(profile: Profile) -> Flow {
    const GENESIS: usize = 150;
    let mut stream = Stream::new(1, profile);
    let mut engine = Engine::new();
    for _ in 0..GENESIS {
        let command = stream.advance();
        heard::answer(&mut engine, command.seq, command.ts_ns, &command.step.origin, &command.step.message);
    }
    let steps = std::iter::repeat_with(|| in_time(stream.advance()));
    let steps = steps.filter(|step| block::<Continue>(&step.message).is_none());
    Flow { engine, steps: steps.take(COMMANDS_PER_STREAM).collect() }
}

/// The matcher's clock is far ahead of the generator's, so an order that was in time says so by naming no limit. Otherwise
/// the engine's book and the one that the generator aims at would part.
fn in_time(command: Sequenced) -> Step {
    let stale = |event: &Vec<u8>| {
        let rejected = block::<OrderRejected>(&event[ROUTE_BYTES..]);
        rejected.is_some_and(|it| it.code.get() == Reject::StaleRequest.code())
    };
    let mut step = command.step;
    if let Some(order) = block::<NewOrder>(&step.message)
        && !command.events.iter().any(stale)
    {
        step.message = bytes(NewOrder { max_delay_us: 0.into(), ..*order });
    }
    step
}

const MEMBERS: u32 = 32;
const SESSION: u64 = 100;
const ORACLE: u64 = 9;
const TICK: i64 = 500_000_000;
const MARK_TICKS: i64 = 100_000;
/// Orders rest this far from the mark, and nowhere nearer than its last thousandth.
const REACH_TICKS: i64 = 30_000;

/// The venue that `ballast init` makes, filled until its tables are nearly full, so that memory is first used to the end.
fn growing() -> Flow {
    let mut engine = Engine::new();
    for (index, step) in venue().iter().enumerate() {
        heard::answer(&mut engine, index as u64 + 1, 1, &step.origin, &step.message);
    }
    let (mut draw, mut seqs) = (Draw::new(7), [0; MEMBERS as usize]);
    let mut marks = 0;
    let mut step = |count: usize| {
        if count.is_multiple_of(1_000) {
            marks += 1;
            let price = (MARK_TICKS + draw.between(-50, 50)) * TICK;
            let mark = MarkPrice { price: price.into(), instrument_id: 1.into(), pad_a: 0.into() };
            return from(ORACLE, marks, mark);
        }
        let member = draw.below(MEMBERS.into()) as usize;
        seqs[member] += 1;
        let (account, session, seq) =
            (ACCOUNT_MEMBERS_FROM + member as u32, SESSION + member as u64, seqs[member]);
        let side = draw.of(&[1, 2]);
        let away = draw.between(100, REACH_TICKS) * if side == 1 { -1 } else { 1 };
        let price = |away: i64| (MARK_TICKS + away) * TICK;
        match draw.below(100) {
            0..80 => from(session, seq, limit(account, 1, side, price(away), draw.between(1, 9), 2, seq)),
            80..88 => from(session, seq, limit(account, 1, side, price(-away), draw.between(1, 20), 3, seq)),
            88..95 => from(session, seq, cancel(account, seq, 1 + draw.below(seq))),
            _ => from(session, seq, limit(account, 1, side, price(away), 0, 2, seq)),
        }
    };
    let steps = (1..=COMMANDS).map(&mut step).collect();
    Flow { engine, steps }
}

fn from<M: Message>(session: u64, client_seq: u64, message: M) -> Step {
    let mut origin = Origin::new_zeroed();
    (origin.session, origin.client_seq, origin.connection) = (session.into(), client_seq.into(), 1.into());
    Step { origin, message: bytes(message) }
}

fn venue() -> Vec<Step> {
    let said = |message| Step { origin: Origin::venue(), message };
    let limits = Limits::DEMO;
    let mut open = VenueOpen::new_zeroed();
    open.venue_id = 1.into();
    open.accounts_max = limits.accounts.into();
    open.instruments_max = limits.instruments.into();
    open.sessions_max = limits.sessions.into();
    open.orders_max = limits.orders.into();
    open.levels_max = limits.levels.into();
    open.positions_max = limits.positions.into();
    open.orders_per_account_max = limits.orders_per_account.into();
    open.matches_per_command_max = limits.matches_per_command.into();
    open.special_orders_max = limits.special_orders.into();
    open.special_orders_per_account_max = limits.special_orders_per_account.into();
    let mut listing = InstrumentCreate::new_zeroed();
    listing.symbol = [b'X'; 32];
    listing.tick_size = TICK.into();
    listing.lot_size = 1_000_000.into();
    listing.contract_size = 1_000_000_000.into();
    listing.mark = (MARK_TICKS * TICK).into();
    listing.qty_max = 1_000.into();
    listing.instrument_id = 1.into();
    listing.initial_margin_ppm = 50_000.into();
    listing.kind = 1;
    let mut steps = vec![said(bytes(open)), said(bytes(listing))];
    let accounts = ACCOUNT_MEMBERS_FROM..ACCOUNT_MEMBERS_FROM + MEMBERS;
    for account in accounts.clone() {
        let name: Char16 = [b'a'; 16];
        steps.push(said(bytes(AccountCreate { name, account_id: account.into(), owner: 0.into() })));
        let amount = 100_000_000_000_000.into();
        let deposit = Deposit { reference: 1.into(), amount, account_id: account.into(), pad_a: 0.into() };
        steps.push(said(bytes(deposit)));
    }
    let members = (SESSION..).zip(accounts).map(|(id, account)| (id, account, Role::Trade));
    for (id, account, role) in members.chain([(ORACLE, 0, Role::Oracle)]) {
        let mut session = SessionCreate::new_zeroed();
        (session.session_id, session.account_id, session.role) = (id.into(), account.into(), role as u8);
        steps.push(said(bytes(session)));
        let mut logon = Logon::new_zeroed();
        (logon.session_id, logon.next_server_seq) = (id.into(), 1.into());
        steps.push(from(id, 0, logon));
    }
    steps
}

#[test]
fn no_kind_of_command_costs_the_engine_memory() {
    let mut all = Seen::default();
    for profile in Profile::ALL {
        println!("{}", profile.name);
        all.add(check(|| mixed(profile)));
    }
    let commands = (COMMANDS_PER_STREAM * Profile::ALL.len()) as u64;
    assert!(all.commands > commands + 500, "continuations come on top: {all:?}");
    assert!(all.marks >= commands / MARK_EVERY, "{all:?}");
    assert!(all.executions > 10_000 && all.cancels > 2_000 && all.rejects > 20_000, "{all:?}");
}

#[test]
fn a_venue_that_fills_up_costs_the_engine_no_page() {
    let seen = check(growing);
    assert!(seen.commands >= COMMANDS as u64 && seen.marks >= COMMANDS as u64 / MARK_EVERY);
    assert!(seen.executions > 50_000 && seen.cancels > 10_000 && seen.rejects > 10_000);
}

/// The member's side, with a venue in another process: once its buffers have grown, neither a command nor an answer allocates.
#[test]
fn a_client_in_steady_state_does_not_allocate() {
    let home = Home::new(|text| text.replace("sync = \"group\"", "sync = \"none\""));
    let _venue = home.serve();
    let config = ClientConfig::load(&home.path().join("clients/alice.toml")).expect("init wrote it");
    let mut client = Client::connect(&config).expect("the venue listens");
    let mut round = |ids: std::ops::RangeInclusive<u64>| {
        for id in ids {
            let order = orders::limit(config.account, 1, Side::Buy, 49_000_000_000_000, 1, Tif::Ioc, id);
            client.send(order).expect("it is sent");
            for _ in 0..2 {
                let event = client.next_event(Duration::from_secs(120)).expect("the venue lives");
                assert!(matches!(event.expect("it answers").body, Body::Accepted(_) | Body::Canceled(_)));
            }
        }
    };
    round(1..=100);
    let before = Cost::now();
    round(101..=400);
    let cost = Cost::now().since(before);
    assert_eq!((cost.allocations, cost.deallocations), (0, 0), "{cost:?}");
}
