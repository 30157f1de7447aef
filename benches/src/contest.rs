//! A contest of books over one workload: every round plays each contender once, one after the other, so that all meet the
//! same machine; the table holds the median and best of the rounds, and the median of the ratios within a round. Owns the
//! method; knows no book.

use std::time::{Duration, Instant};

use perf::workload::reference::Reference;
use perf::workload::{Record, Tally, Workload, op};

/// Records that are made ready, then played and timed together.
const BATCH: usize = 256;

/// The verdict on a book that came to another end than the reference.
const DIFFERS: &str = "DIFFERS";

/// A book that plays records. `ready` is not timed, `play` is; each batch is played once, right after it was made ready.
pub trait Book {
    fn ready(&mut self, _: &[Record]) {}
    fn play(&mut self, records: &[Record]);
    /// So far; where trades are not counted, what rests.
    fn tally(&mut self) -> Tally;
}

pub struct Contender<'a> {
    pub name: &'static str,
    pub open: Box<dyn Fn() -> Box<dyn Book> + 'a>,
    /// Commands that it plays: the slow ones play fewer.
    pub commands: usize,
    /// Is it a fault when it comes to another end than the reference?
    pub must_agree: bool,
}

/// What a round took, sweeps apart from all other commands.
#[derive(Clone, Copy, Default)]
struct Lap {
    ns_per_command: f64,
    ns_per_fill: f64,
}

pub struct Contest<'a> {
    pub workload: &'a Workload,
    /// Time the orders of W3 that take all by themselves, per fill.
    pub sweeps: bool,
    pub rounds: usize,
}

impl Contest<'_> {
    /// The table, and whether all agreed who must: the first contender is what the others are compared with.
    pub fn run(&self, contenders: &[Contender<'_>]) -> (String, bool) {
        let expected: Vec<Tally> = contenders.iter().map(|one| self.expected(one.commands)).collect();
        let mut laps = vec![Vec::with_capacity(self.rounds); contenders.len()];
        let mut verdicts = vec![""; contenders.len()];
        let mut agreed = true;
        for _ in 0..self.rounds {
            for (index, contender) in contenders.iter().enumerate() {
                let (lap, tally) = self.lap(contender, &expected[index]);
                laps[index].push(lap);
                verdicts[index] = verdict(&tally, &expected[index]);
                agreed &= verdicts[index] != DIFFERS || !contender.must_agree;
            }
        }
        let figure = |lap: &Lap| if self.sweeps { lap.ns_per_fill } else { lap.ns_per_command };
        let mut table = format!(
            "{:<34}{:>10}{:>10}{:>10}   {}\n",
            if self.sweeps { "ns per fill" } else { "ns per command" },
            "median",
            "best",
            "x floor",
            "trades, volume, notional, live"
        );
        for (index, contender) in contenders.iter().enumerate() {
            let ns: Vec<f64> = laps[index].iter().map(figure).collect();
            let ratios = laps[index].iter().zip(&laps[0]).map(|(lap, floor)| figure(lap) / figure(floor));
            table += &format!(
                "{:<34}{:>10.1}{:>10.1}{:>10.2}   {}\n",
                contender.name,
                median(ns.clone()),
                ns.iter().copied().fold(f64::INFINITY, f64::min),
                median(ratios.collect()),
                verdicts[index],
            );
        }
        (table, agreed)
    }

    fn expected(&self, commands: usize) -> Tally {
        let header = &self.workload.header;
        let mut book = Reference::new(header.symbols.get(), header.id_max.get());
        self.workload.prefill().iter().for_each(|record| book.apply(record));
        let before = book.tally;
        self.workload.commands().iter().take(commands).for_each(|record| book.apply(record));
        book.tally.since(&before)
    }

    fn lap(&self, contender: &Contender<'_>, expected: &Tally) -> (Lap, Tally) {
        let mut book = (contender.open)();
        for records in self.workload.prefill().chunks(BATCH) {
            book.ready(records);
            book.play(records);
        }
        let before = book.tally();
        let commands = self.workload.commands();
        let commands = &commands[..contender.commands.min(commands.len())];
        let (mut others, mut sweeps) = (Duration::ZERO, Duration::ZERO);
        for records in self.batches(commands) {
            book.ready(records);
            let start = Instant::now();
            book.play(records);
            let elapsed = start.elapsed();
            let is_sweep = self.sweeps && records[0].op == op::IOC;
            *(if is_sweep { &mut sweeps } else { &mut others }) += elapsed;
        }
        let tally = book.tally().since(&before);
        let per = |time: Duration, count: usize| time.as_nanos() as f64 / count.max(1) as f64;
        let lap = Lap {
            ns_per_command: per(others, commands.len()),
            ns_per_fill: per(sweeps, expected.trades as usize),
        };
        (lap, tally)
    }

    /// Where sweeps count by themselves, each is a batch of its own.
    fn batches<'b>(&self, commands: &'b [Record]) -> Vec<&'b [Record]> {
        if self.sweeps {
            let same = |left: &Record, right: &Record| left.op == right.op;
            commands.chunk_by(same).collect()
        } else {
            commands.chunks(BATCH).collect()
        }
    }
}

fn verdict(found: &Tally, expected: &Tally) -> &'static str {
    if found == expected {
        "same"
    } else if found.trades == 0 && found.live == expected.live {
        "live same, rest not counted"
    } else if (Tally { live: 0, ..*found }) == (Tally { live: 0, ..*expected }) {
        "same, live not counted"
    } else {
        DIFFERS
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
