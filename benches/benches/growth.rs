//! What growth costs, and who waits: nanoseconds of one operation with 10^3 to 10^6 resting orders in 1, 100 and 10,000
//! instruments (`growth`), with 10^3 to 10^6 accounts (`accounts`), and of the next command behind a large one (`behind`).
//!
//! ```text
//! cargo bench -p benches --bench growth
//! cargo bench -p benches --bench growth -- --rounds 15 --core 1 behind
//! ```
//!
//! All venues stand at once and take turns, so that a ratio compares what ran in the same minute; in each turn a first part
//! is not counted, because the turns of the others left the caches to nobody. Each operation is timed by itself and the
//! clock's own cost subtracted. `--test` plays tiny venues and says nothing about time.

use std::process::ExitCode;

use benches::market::{Batch, By, Market, Size};
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use quanta::Clock;

struct Options {
    rounds: usize,
    test: bool,
    core: Option<usize>,
    /// Names of tables; all when empty.
    only: Vec<String>,
}

impl Options {
    /// What cargo itself adds, as `--bench`, is passed over.
    fn read() -> Options {
        let mut options = Options { rounds: 9, test: false, core: None, only: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number behind it");
            match word.as_str() {
                "--rounds" => options.rounds = number(),
                "--core" => options.core = Some(number()),
                "--test" => options.test = true,
                other if other.starts_with('-') => {}
                name => options.only.push(name.to_string()),
            }
        }
        if options.test {
            options.rounds = 1;
        }
        options
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name == only)
    }
}

/// Commands of one kind in one part of a turn.
const PART: u32 = 256;
/// Parts of a turn: the first is not counted.
const PARTS: usize = 4;

struct Operation {
    name: &'static str,
    commands: fn(&mut Market, u32) -> Batch,
    fills: u32,
}

const OPERATIONS: [Operation; 5] = [
    Operation { name: "new order that rests", commands: Market::posts, fills: 0 },
    Operation { name: "amend that moves", commands: Market::moves, fills: 0 },
    Operation {
        name: "cancel by order id",
        commands: |market, count| market.cancels(count, By::OrderId),
        fills: 0,
    },
    Operation {
        name: "cancel by client id",
        commands: |market, count| market.cancels(count, By::ClientId),
        fills: 0,
    },
    Operation { name: "cross of one", commands: Market::crosses, fills: 1 },
];

/// Reads the clock around each command.
struct Watch {
    clock: Clock,
    cost_ns: u64,
}

impl Watch {
    fn new() -> Watch {
        let clock = Clock::new();
        let mut readings: Vec<u64> = (0..10_001)
            .map(|_| {
                let before = clock.raw();
                clock.delta_as_nanos(before, clock.raw())
            })
            .collect();
        readings.sort_unstable();
        Watch { clock, cost_ns: readings[readings.len() / 2] }
    }

    fn time(&self, work: impl FnOnce()) -> u64 {
        let before = self.clock.raw();
        work();
        self.clock.delta_as_nanos(before, self.clock.raw()).saturating_sub(self.cost_ns)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("the bounds are in order")
}

/// A venue and what was timed on it.
struct Lane {
    size: Size,
    market: Market,
    /// Of each operation, without and with a look ahead.
    times: Vec<[Histogram<u64>; 2]>,
}

impl Lane {
    fn open(size: Size) -> Lane {
        Lane {
            size,
            market: Market::open(size),
            times: OPERATIONS.iter().map(|_| [(); 2].map(|()| histogram())).collect(),
        }
    }

    fn turn(&mut self, watch: &Watch) {
        for part in 0..PARTS {
            for (operation, times) in OPERATIONS.iter().zip(&mut self.times) {
                for (looks_ahead, times) in times.iter_mut().enumerate() {
                    let count = PART.min(self.size.orders / 4);
                    let batch = (operation.commands)(&mut self.market, count);
                    let mut record = |took| {
                        if part > 0 {
                            times.saturating_record(took);
                        }
                    };
                    if looks_ahead == 1 {
                        self.market.play_ahead(&batch, |step| record(watch.time(step)));
                    } else {
                        batch.iter().for_each(|payload| record(watch.time(|| self.market.step(payload))));
                    }
                    let done = self.market.settle();
                    assert_eq!(done, (u64::from(operation.fills * count), 0), "{}", operation.name);
                }
            }
        }
    }
}

/// More orders and more instruments.
fn growth(options: &Options, watch: &Watch) {
    let (orders, instruments, accounts): (&[u32], &[u32], u32) = match options.test {
        true => (&[64, 256], &[1, 16], 64),
        false => (&[1_000, 10_000, 100_000, 1_000_000], &[1, 100, 10_000], 10_000),
    };
    let with = |instruments| orders.iter().map(move |&orders| Size { orders, instruments, accounts });
    compare(options, watch, instruments.iter().flat_map(|&instruments| with(instruments)).collect());
}

/// More accounts.
fn accounts(options: &Options, watch: &Watch) {
    let (orders, accounts): (u32, &[u32]) = match options.test {
        true => (64, &[16, 64]),
        false => (10_000, &[1_000, 10_000, 100_000, 1_000_000]),
    };
    let with = |&accounts| Size { orders, instruments: 100, accounts };
    compare(options, watch, accounts.iter().map(with).collect());
}

/// One table: each operation in venues of these sizes, the first of which the ratios are against.
fn compare(options: &Options, watch: &Watch, sizes: Vec<Size>) {
    let mut lanes: Vec<Lane> = sizes.into_iter().map(Lane::open).collect();
    for _ in 0..options.rounds {
        lanes.iter_mut().for_each(|lane| lane.turn(watch));
    }
    println!("one operation, ns: median / p99 (the median against that of the first size)");
    print!("{:>11} {:>9} {:>9} {:>10}", "instruments", "orders", "accounts", "look-ahead");
    OPERATIONS.iter().for_each(|operation| print!(" | {:^22}", operation.name));
    println!();
    for lane in &lanes {
        for (looks_ahead, said) in ["off", "on"].into_iter().enumerate() {
            let Size { instruments, orders, accounts } = lane.size;
            print!("{instruments:>11} {orders:>9} {accounts:>9} {said:>10}");
            for (times, smallest) in lane.times.iter().zip(&lanes[0].times) {
                let [times, smallest] = [times, smallest].map(|times| &times[looks_ahead]);
                let (median, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
                let ratio = median as f64 / smallest.value_at_quantile(0.5).max(1) as f64;
                print!(" | {median:>5} / {p99:>5} ({ratio:>4.2}x)");
            }
            println!();
        }
    }
    println!();
}

/// A large command, and how to make room for it.
struct Large {
    name: &'static str,
    before: fn(&mut Market) -> Batch,
    command: fn(&mut Market) -> Batch,
    /// Sides of quotes that it sets.
    quoted: u64,
}

const LARGE: [Large; 5] = [
    Large { name: "nothing", before: |_| Batch::default(), command: |_| Batch::default(), quoted: 0 },
    Large {
        name: "sweep of 1,000 on 1 level",
        before: |market| market.asks(1, 1_000, 1),
        command: |market| market.sweep(2, 1_000),
        quoted: 0,
    },
    Large {
        name: "sweep of 1,000 on 100 levels",
        before: |market| market.asks(1, 1_000, 100),
        command: |market| market.sweep(2, 1_000),
        quoted: 0,
    },
    Large {
        name: "mass quote of 100 pairs",
        before: |_| Batch::default(),
        command: |market| market.quotes(1, 100),
        quoted: 200,
    },
    Large {
        name: "mass cancel of 10,000",
        before: |market| market.far(3, 10_000),
        command: |market| market.cancel_all(3),
        quoted: 0,
    },
];

/// Commands that come behind: the first waits for the large one and finds what it left of the caches.
const BEHIND: u32 = 3;

fn behind(options: &Options, watch: &Watch) {
    let mut market = Market::open(Size { orders: 10_000, instruments: 100, accounts: 1_000 });
    let mut times: Vec<[Histogram<u64>; 3]> = LARGE.iter().map(|_| [(); 3].map(|()| histogram())).collect();
    let rounds = if options.test { 1 } else { options.rounds * 20 };
    for round in 0..rounds + 1 {
        for (large, [alone, next, both]) in LARGE.iter().zip(&mut times) {
            let before = (large.before)(&mut market);
            market.play(&before);
            let warm = market.posts(PART);
            market.play(&warm);
            let (command, nexts) = ((large.command)(&mut market), market.posts(BEHIND));
            let large_ns = watch.time(|| market.play(&command));
            let next_ns = watch.time(|| market.step(nexts.payload(0)));
            nexts.iter().skip(1).for_each(|payload| market.step(payload));
            assert_eq!(market.heard.quoted, large.quoted, "{}", large.name);
            let (_, refusals) = market.settle();
            assert_eq!(refusals, 0, "{}", large.name);
            if round > 0 {
                alone.saturating_record(large_ns);
                next.saturating_record(next_ns);
                both.saturating_record(large_ns + next_ns);
            }
        }
    }
    println!(
        "the next command behind a large one, ns: median / p99; its own time against that behind nothing"
    );
    println!(
        "{:<30} | {:^21} | {:^28} | {:^21}",
        "behind", "the large one", "the next, alone", "the next with its wait"
    );
    for (large, row) in LARGE.iter().zip(&times) {
        let [alone, next, both] =
            row.each_ref().map(|times| [0.5, 0.99].map(|at| times.value_at_quantile(at)));
        let ratio = next[0] as f64 / times[0][1].value_at_quantile(0.5).max(1) as f64;
        println!(
            "{:<30} | {:>9} / {:>9} | {:>8} / {:>8} ({ratio:>5.2}x) | {:>9} / {:>9}",
            large.name, alone[0], alone[1], next[0], next[1], both[0], both[1]
        );
    }
    println!();
}

fn main() -> ExitCode {
    let options = Options::read();
    if let Some(id) = options.core {
        assert!(core_affinity::set_for_current(CoreId { id }), "core {id} is not to be had");
    }
    let watch = Watch::new();
    if options.wants("growth") {
        growth(&options, &watch);
    }
    if options.wants("accounts") {
        accounts(&options, &watch);
    }
    if options.wants("behind") {
        behind(&options, &watch);
    }
    ExitCode::SUCCESS
}
