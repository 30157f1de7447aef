//! What a workload is made of, counted by playing it through the reference.

use std::fmt;

use super::reference::Reference;
use super::{Tally, Workload, op};

/// How often the book's size is looked at: a prime, so that it keeps no step with rounds.
const LOOK_EVERY: usize = 997;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub commands: u64,
    /// By `op`.
    pub ops: [u64; 4],
    /// Commands that traded.
    pub trading: u64,
    pub live_mean: f64,
    /// The prefill included.
    pub live_max: u64,
    pub levels_mean: f64,
    pub tally: Tally,
}

impl Shape {
    pub fn of(workload: &Workload) -> Shape {
        let mut book = Reference::new(workload.header.symbols.get(), workload.header.id_max.get());
        let mut live_max = 0;
        for record in workload.prefill() {
            book.apply(record);
            live_max = live_max.max(book.tally.live);
        }
        let before = book.tally;
        let (mut ops, mut trading) = ([0; 4], 0);
        let (mut looks, mut live, mut levels) = (0, 0, 0);
        for (index, record) in workload.commands().iter().enumerate() {
            if index % LOOK_EVERY == 0 {
                looks += 1;
                live += book.tally.live;
                levels += book.levels() as u64;
            }
            let trades = book.tally.trades;
            book.apply(record);
            live_max = live_max.max(book.tally.live);
            ops[usize::from(record.op)] += 1;
            trading += u64::from(book.tally.trades > trades);
        }
        let mean = |sum: u64| sum as f64 / f64::from(looks.max(1));
        Shape {
            commands: workload.commands().len() as u64,
            ops,
            trading,
            live_mean: mean(live),
            live_max,
            levels_mean: mean(levels),
            tally: book.tally.since(&before),
        }
    }

    fn percent(&self, part: u64) -> f64 {
        100.0 * part as f64 / self.commands.max(1) as f64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |op: u8| self.percent(self.ops[usize::from(op)]);
        let (new, ioc, cancel, moved) = (of(op::NEW), of(op::IOC), of(op::CANCEL), of(op::MOVE));
        writeln!(out, "commands        {}", self.commands)?;
        writeln!(
            out,
            "made of         {new:.2} % new, {ioc:.2} % IOC, {cancel:.2} % cancel, {moved:.2} % move"
        )?;
        writeln!(out, "that trade      {:.2} %", self.percent(self.trading))?;
        writeln!(out, "orders, levels  {:.0} on {:.0} (means)", self.live_mean, self.levels_mean)?;
        let Tally { trades, volume, notional, live } = self.tally;
        writeln!(out, "expected        {trades} trades, {volume} lots, notional {notional}, {live} live")
    }
}
