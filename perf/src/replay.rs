//! `perf replay-workload` and `perf write-workload`: one workload file through the whole engine, with margin and events.
//! Owns the passes and the report. Three passes, each on a fresh venue: what comes of the commands is held against the
//! header; then whole batches are timed; then each record by itself. All three must end in the same digest.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use core_affinity::CoreId;
use engine::limits::{Limits, ORDER_SLOT_BITS};
use hdrhistogram::Histogram;
use quanta::Clock;

use crate::summary::{Summary, histogram};
use crate::workload::generate::{Plan, Which};
use crate::workload::shape::Shape;
use crate::workload::{Header, Record, Tally, Workload};

pub mod desk;
pub mod keep;
pub mod sink;

use desk::{Batch, Desk};
use sink::{Count, Listener, Ring};

/// Records that are made ready, then applied and timed together.
pub const BATCH: usize = 256;
/// Each has its session, and of those a venue has no more.
const ACCOUNTS_MAX: u32 = 1 << 20;
/// Readings of the clock behind one another whose median is its cost.
const CLOCK_READINGS: usize = 10_001;

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Name {
    /// 1,000 orders on 750 levels, 82 % moves
    W1,
    /// 100,000 orders on 10,000 levels, posts and cancels
    W2,
    /// 1,000 asks, then one order that takes all
    W3,
}

/// Draws a workload, plays it through a plain book, and writes the commands with what must come of them.
#[derive(Args, Debug)]
pub struct WriteOptions {
    pub workload: Name,
    pub file: PathBuf,
    /// Commands behind the prefill: 3,000,000, or 1,001,000 for W3, unless told
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub commands: Option<u64>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Price levels of W3
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub levels: u32,
}

pub fn write(options: &WriteOptions) -> Result<String, String> {
    let which = match options.workload {
        Name::W1 => Which::W1,
        Name::W2 => Which::W2,
        Name::W3 => Which::W3 { levels: options.levels },
    };
    let commands = options.commands.unwrap_or(which.commands());
    let workload = Plan { which, commands, seed: options.seed }.generate();
    workload.write(&options.file).map_err(|error| format!("{}: {error}", options.file.display()))?;
    Ok(Shape::of(&workload).to_string())
}

/// Replays a workload file through the whole engine: sessions, every rule, margin, fees, positions, and events into a log
/// ring. Exits with 3 when what comes of it is not what the file's header says.
#[derive(Args, Debug)]
pub struct ReplayOptions {
    pub file: PathBuf,
    /// The venue's capacity for open orders: 262,144 or what the file needs, unless told
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1 << ORDER_SLOT_BITS))]
    pub orders_max: Option<u32>,
    /// The core to run on; any, unless told
    #[arg(long)]
    pub core: Option<usize>,
}

/// What a replay came to.
pub struct Outcome {
    pub report: String,
    pub as_expected: bool,
}

pub fn replay(options: &ReplayOptions) -> Result<Outcome, String> {
    if let Some(id) = options.core
        && !core_affinity::set_for_current(CoreId { id })
    {
        return Err(format!("cannot run on core {id}"));
    }
    let workload =
        Workload::read(&options.file).map_err(|error| format!("{}: {error}", options.file.display()))?;
    let shape = Shape::of(&workload);
    if shape.live_max >= 1 << ORDER_SLOT_BITS || workload.header.accounts.get() > ACCOUNTS_MAX {
        return Err("more open orders or accounts than a venue can have".to_string());
    }
    let orders_max = options.orders_max.unwrap_or(orders_max(shape.live_max));
    let stage = Stage { workload: &workload, orders_max };
    let (count, live, digest) = stage.count();
    let timed = stage.time();
    let each = stage.time_each();
    assert!(timed.digest == digest && each.digest == digest, "the same commands lead to the same state");
    let found = Tally { live, ..count.tally };
    let expected = workload.expected();
    let mut report = format!("workload        {}\n{shape}", workload.name());
    let records = workload.commands().len().max(1) as f64;
    let ns = timed.elapsed.as_nanos() as f64;
    let _ = writeln!(report, "venue           {orders_max} orders at most, margin and events on");
    let _ = writeln!(
        report,
        "time            {:.1} ns per command, {:.1} in the median batch; {:.1} ns per engine command, {} of them",
        ns / records,
        timed.median_ns,
        ns / timed.commands.max(1) as f64,
        timed.commands
    );
    let _ = writeln!(report, "one by one, ns  {}", each.row());
    let _ = writeln!(report, "refused         {}", count.refusals);
    let lines = [
        ("trades", found.trades, expected.trades),
        ("volume", found.volume, expected.volume),
        ("notional", found.notional, expected.notional),
        ("live orders", found.live, expected.live),
    ];
    for (name, found, expected) in lines {
        let verdict = if found == expected { "as expected".to_string() } else { format!("NOT {expected}") };
        let _ = writeln!(report, "{name:<16}{found}, {verdict}");
    }
    Ok(Outcome { report, as_expected: found == expected })
}

/// The demo's capacity, raised to what the file needs.
pub fn orders_max(live_max: u64) -> u32 {
    u32::try_from(live_max + 1).unwrap_or(u32::MAX).max(Limits::DEMO.orders)
}

/// What every pass starts from.
struct Stage<'a> {
    workload: &'a Workload,
    orders_max: u32,
}

struct Timed {
    elapsed: Duration,
    /// Per record of the median batch: what a machine that others use too disturbs least.
    median_ns: f64,
    commands: usize,
    digest: [u8; 32],
}

struct Each {
    histogram: Histogram<u64>,
    clock_ns: u64,
    digest: [u8; 32],
}

impl Stage<'_> {
    fn header(&self) -> &Header {
        &self.workload.header
    }

    /// A venue that stands where the prefill leaves it.
    fn filled(&self, listener: &mut impl Listener) -> Desk {
        let mut desk = Desk::open(self.header(), self.orders_max);
        play(&mut desk, self.workload.prefill(), listener);
        desk
    }

    fn count(&self) -> (Count, u64, [u8; 32]) {
        let mut desk = self.filled(&mut sink::Null);
        let mut count = Count::default();
        play(&mut desk, self.workload.commands(), &mut count);
        (count, desk.live(), desk.engine.digest())
    }

    fn time(&self) -> Timed {
        let mut desk = self.filled(&mut sink::Null);
        let mut ring = Ring::new(desk.engine.limits().expect("the venue is open"));
        let (mut batch, mut elapsed, mut commands) = (Batch::default(), Duration::ZERO, 0);
        let mut batches_ns = Vec::new();
        for records in self.workload.commands().chunks(BATCH) {
            desk.encode(records, &mut batch);
            let start = Instant::now();
            desk.apply(&batch, &mut ring);
            let took = start.elapsed();
            elapsed += took;
            batches_ns.push(took.as_nanos() as f64 / records.len() as f64);
            commands += batch.commands();
            ring.rest();
        }
        batches_ns.sort_by(f64::total_cmp);
        let median_ns = batches_ns.get(batches_ns.len() / 2).copied().unwrap_or(0.0);
        Timed { elapsed, median_ns, commands, digest: desk.engine.digest() }
    }

    fn time_each(&self) -> Each {
        let mut desk = self.filled(&mut sink::Null);
        let mut ring = Ring::new(desk.engine.limits().expect("the venue is open"));
        let (clock, mut batch, mut histogram) = (Clock::new(), Batch::default(), histogram());
        let clock_ns = cost_ns(&clock);
        for records in self.workload.commands().chunks(BATCH) {
            desk.encode(records, &mut batch);
            let mut before = clock.raw();
            for index in 0..records.len() {
                desk.apply_record(&batch, index, &mut ring);
                let after = clock.raw();
                histogram.saturating_record(clock.delta_as_nanos(before, after).saturating_sub(clock_ns));
                before = clock.raw();
            }
            ring.rest();
        }
        Each { histogram, clock_ns, digest: desk.engine.digest() }
    }
}

impl Each {
    fn row(&self) -> String {
        let summary = Summary::of(&self.histogram);
        format!(
            "p50 {}, p90 {}, p99 {}, p99.9 {}, max {} (the clock's {} ns subtracted)",
            summary.p50_ns, summary.p90_ns, summary.p99_ns, summary.p999_ns, summary.max_ns, self.clock_ns
        )
    }
}

fn play(desk: &mut Desk, records: &[Record], listener: &mut impl Listener) {
    let mut batch = Batch::default();
    for records in records.chunks(BATCH) {
        desk.encode(records, &mut batch);
        desk.apply(&batch, listener);
        listener.rest();
    }
}

/// Median distance of two readings behind one another.
fn cost_ns(clock: &Clock) -> u64 {
    let mut readings: Vec<u64> = (0..CLOCK_READINGS)
        .map(|_| {
            let before = clock.raw();
            clock.delta_as_nanos(before, clock.raw())
        })
        .collect();
    readings.sort_unstable();
    readings[CLOCK_READINGS / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(which: Which, commands: u64) {
        let workload = Plan { which, commands, seed: 5 }.generate();
        let orders_max = orders_max(Shape::of(&workload).live_max);
        let stage = Stage { workload: &workload, orders_max };
        let (count, live, digest) = stage.count();
        assert_eq!(Tally { live, ..count.tally }, workload.expected());
        assert_eq!(count.refusals, 0);
        assert_eq!(stage.time().digest, digest);
        assert_eq!(stage.time_each().digest, digest);
    }

    #[test]
    fn the_engine_agrees_with_the_reference() {
        agrees(Which::W1, 20_000);
        agrees(Which::W2, 20_000);
        for levels in [1, 100, 1_000] {
            agrees(Which::W3 { levels }, 3_000);
        }
    }

    #[test]
    fn a_wrong_expectation_is_told() {
        let mut workload = Plan { which: Which::W1, commands: 2_000, seed: 5 }.generate();
        workload.header.volume = (workload.header.volume.get() + 1).into();
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("w1");
        workload.write(&file).expect("written");
        let options = ReplayOptions { file, orders_max: None, core: None };
        let outcome = replay(&options).expect("replayed");
        assert!(!outcome.as_expected);
        assert!(outcome.report.contains("NOT"), "{}", outcome.report);
    }
}
