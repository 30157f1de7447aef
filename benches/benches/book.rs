//! What a command costs: the least that a book can cost, the book that one writes first, and the whole engine, over the
//! same commands in the same minute; with `--features peers` also crates that others use.
//!
//! ```text
//! cargo bench -p benches --bench book
//! cargo bench -p benches --features peers --bench book -- --rounds 5 --commands 300000 W1 W2
//! ```
//!
//! Rounds are interleaved. A ratio is the median of the ratios within a round; nanoseconds alone say little on a machine
//! that others use too. `--core N` pins, `--test` plays a few commands of each and only holds the counts.

use std::process::ExitCode;

use benches::contest::{Book, Contender, Contest};
use benches::floor::Floor;
use benches::ours::{Ballast, Plain};
use core_affinity::CoreId;
use perf::replay::orders_max;
use perf::workload::Workload;
use perf::workload::generate::{Plan, Which};
use perf::workload::shape::Shape;

const SEED: u64 = 1;

struct Options {
    rounds: usize,
    commands: u64,
    test: bool,
    core: Option<usize>,
    /// Names of workloads; all when empty.
    only: Vec<String>,
}

impl Options {
    /// What cargo itself adds, as `--bench`, is passed over.
    fn read() -> Options {
        let mut options =
            Options { rounds: 7, commands: 1_000_000, test: false, core: None, only: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number behind it");
            match word.as_str() {
                "--rounds" => options.rounds = number() as usize,
                "--commands" => options.commands = number(),
                "--core" => options.core = Some(number() as usize),
                "--test" => options.test = true,
                other if other.starts_with('-') => {}
                name => options.only.push(name.to_string()),
            }
        }
        if options.test {
            (options.rounds, options.commands) = (1, 3_000);
        }
        options
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only))
    }
}

fn contenders<'a>(workload: &'a Workload, orders_max: u32) -> Vec<Contender<'a>> {
    let (header, slots, commands) = (&workload.header, orders_max as usize, workload.commands().len());
    let ours = |name, open| Contender { name, open, commands, must_agree: true };
    let contenders = vec![
        ours(
            "floor, margin and events",
            Box::new(move || Box::new(Floor::<true, true>::new(header, slots)) as Box<dyn Book>)
                as Box<dyn Fn() -> Box<dyn Book>>,
        ),
        ours("floor, events", Box::new(move || Box::new(Floor::<true, false>::new(header, slots)))),
        ours("floor, bare", Box::new(move || Box::new(Floor::<false, false>::new(header, slots)))),
        ours("ballast, events to nobody", Box::new(move || Box::new(Ballast::null(header, orders_max)))),
        ours(
            "ballast, events to the log ring",
            Box::new(move || Box::new(Ballast::ring(header, orders_max))),
        ),
        ours("BTreeMap and VecDeque", Box::new(move || Box::new(Plain::new(header)))),
    ];
    #[cfg(feature = "peers")]
    let contenders = contenders.into_iter().chain(benches::peers::contenders(header, commands)).collect();
    contenders
}

fn main() -> ExitCode {
    let options = Options::read();
    if let Some(id) = options.core {
        assert!(core_affinity::set_for_current(CoreId { id }), "core {id} is not to be had");
    }
    let workloads = [
        ("W1", Which::W1),
        ("W2", Which::W2),
        ("W3-1", Which::W3 { levels: 1 }),
        ("W3-100", Which::W3 { levels: 100 }),
        ("W3-1000", Which::W3 { levels: 1_000 }),
    ];
    let mut all_agreed = true;
    for (name, which) in workloads.into_iter().filter(|(name, _)| options.wants(name)) {
        let sweeps = matches!(which, Which::W3 { .. });
        let commands = if sweeps { options.commands / 4 } else { options.commands };
        let workload = Plan { which, commands, seed: SEED }.generate();
        let shape = Shape::of(&workload);
        println!("{name}\n{shape}");
        let contest = Contest { workload: &workload, sweeps, rounds: options.rounds };
        let orders_max = orders_max(shape.live_max);
        let (table, agreed) = contest.run(&contenders(&workload, orders_max));
        println!("{table}");
        all_agreed &= agreed;
    }
    if all_agreed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
