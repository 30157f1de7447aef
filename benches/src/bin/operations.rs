//! One kind of command a number of times, for a counter of instructions: only what runs in `measured` is meant. What a
//! command costs is then its instructions there divided by the number. `.ci/instructions` holds the ten of them against
//! `benches/instructions.toml`.
//!
//! ```text
//! operations NAME COUNT
//! ```

#![forbid(unsafe_code)]

use std::process::ExitCode;

use benches::market::{Batch, By, Market, Size};

const SIZE: Size = Size { orders: 10_000, instruments: 100, accounts: 1_000 };
/// Makers of one sweep, and pairs of one mass quote.
const SWEPT: u32 = 100;
const PAIRS: u32 = 10;

struct Operation {
    name: &'static str,
    commands: fn(&mut Market, u32) -> Batch,
    fills: u32,
    is_refused: bool,
}

const fn plain(name: &'static str, commands: fn(&mut Market, u32) -> Batch) -> Operation {
    Operation { name, commands, fills: 0, is_refused: false }
}

const OPERATIONS: [Operation; 10] = [
    plain("post", Market::posts),
    plain("cancel-by-order-id", |market, count| market.cancels(count, By::OrderId)),
    plain("cancel-by-client-id", |market, count| market.cancels(count, By::ClientId)),
    plain("amend-that-moves", Market::moves),
    plain("amend-that-stays", Market::shortens),
    Operation { fills: 1, ..plain("cross-of-one", Market::crosses) },
    Operation { fills: SWEPT, ..plain("sweep-of-100", sweeps) },
    Operation { is_refused: true, ..plain("margin-refusal", Market::refusals) },
    plain("quote-of-10-pairs", |market, count| market.quotes(count, PAIRS)),
    plain("mark-price", Market::marks),
];

/// All the makers stand before the first sweep.
fn sweeps(market: &mut Market, count: u32) -> Batch {
    let asks = market.asks(1, count * SWEPT, SWEPT / 10);
    market.play(&asks);
    let mut batch = Batch::default();
    (0..count).for_each(|_| batch.append(&market.sweep(2, SWEPT)));
    batch
}

#[inline(never)]
fn measured(market: &mut Market, batch: &Batch) {
    market.play(batch);
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count = words.get(1).and_then(|word| word.parse::<u32>().ok());
    let operation =
        OPERATIONS.iter().find(|operation| Some(operation.name) == words.first().map(String::as_str));
    let (Some(operation), Some(count)) = (operation, count) else {
        eprintln!("usage: operations NAME COUNT, where NAME is one of");
        OPERATIONS.iter().for_each(|operation| eprintln!("  {}", operation.name));
        return ExitCode::from(2);
    };
    let mut market = Market::open(SIZE);
    let batch = (operation.commands)(&mut market, count);
    measured(&mut market, &batch);
    let (fills, refusals) = market.settle();
    assert_eq!(fills, u64::from(operation.fills * count), "every operation does what its name says");
    assert_eq!(refusals, if operation.is_refused { count.into() } else { 0 });
    ExitCode::SUCCESS
}
