//! `perf acks`: blocks of orders with blocks of bare writes and bare round trips between them, so that all three meet the
//! same machine in the same minute, and the ratios that follow. Owns the method and the report.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use core_affinity::CoreId;
use quanta::Clock;

use crate::bare::{self, Disk};
use crate::member::{EXCHANGES, Member};
use crate::summary::{Summary, histogram};

/// Logs on as the client, posts and cancels one lot at the lowest price in turn, and measures from the moment before an
/// order is handed to the socket until its answer was read. The answer leaves the venue only after the order is durable.
///
/// Between the blocks it measures the machine itself, one at a time: a write of 4 KiB with fdatasync into a file full of
/// zeros, and a round trip over loopback TCP of the same frame sizes, both sides busy. Compare ratios, not microseconds.
#[derive(Args, Debug)]
pub struct Options {
    /// The member's file, as `ballast init` writes it: DIR/clients/NAME.toml
    pub client: PathBuf,
    /// Orders that are measured, rounded up to whole blocks; half of them are cancels
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub orders: u64,
    /// Orders in flight at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub window: u32,
    /// Orders before the first that is measured
    #[arg(long, default_value_t = 1_000)]
    pub warmup: u64,
    /// Blocks that the orders are divided into
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub blocks: u64,
    /// Bare writes and bare round trips after each block; 0 leaves both out
    #[arg(long, default_value_t = 250)]
    pub bare: u64,
    /// Where the bare writes go; the directory above the client's, on the venue's disk, unless told
    #[arg(long, value_name = "DIR")]
    pub disk: Option<PathBuf>,
    /// The core to run on; any, unless told
    #[arg(long)]
    pub core: Option<usize>,
    /// The core of the far side of the bare round trip; the one after --core, if that is given
    #[arg(long)]
    pub echo_core: Option<usize>,
    /// One line of JSON, in nanoseconds
    #[arg(long)]
    pub json: bool,
}

impl Options {
    fn disk_directory(&self) -> &Path {
        let above =
            || self.client.parent().and_then(Path::parent).filter(|path| !path.as_os_str().is_empty());
        self.disk.as_deref().or_else(above).unwrap_or(Path::new("."))
    }

    fn far_core(&self) -> Option<usize> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.echo_core.or(self.core.map(|core| (core + 1) % cores))
    }
}

/// What a run found.
struct Found {
    window: u32,
    blocks: u64,
    acks: Summary,
    acks_per_second: f64,
    /// The bare write and the bare round trip.
    bare: Option<(Summary, Summary)>,
}

pub fn run(options: &Options) -> Result<String, String> {
    if let Some(id) = options.core
        && !core_affinity::set_for_current(CoreId { id })
    {
        return Err(format!("cannot run on core {id}"));
    }
    let found = measure(options)?;
    Ok(if options.json { found.json() } else { found.text() })
}

fn measure(options: &Options) -> Result<Found, String> {
    let directory = options.disk_directory();
    let told = |error: std::io::Error| format!("the bare write in {}: {error}", directory.display());
    let mut disk = if options.bare > 0 { Some(Disk::create(directory).map_err(told)?) } else { None };
    let clock = Clock::new();
    let mut member = Member::log_on(&options.client)?;
    let (mut acks, mut writes, mut trips) = (histogram(), histogram(), histogram());
    member.orders(even(options.warmup), options.window as usize, &clock, &mut histogram())?;
    let mut busy = Duration::ZERO;
    for _ in 0..options.blocks {
        let start = clock.now();
        let orders = even(options.orders.div_ceil(options.blocks));
        member.orders(orders, options.window as usize, &clock, &mut acks)?;
        busy += start.elapsed();
        if let Some(disk) = &mut disk {
            disk.measure(options.bare, &clock, &mut writes).map_err(told)?;
            bare::echo(options.bare, &EXCHANGES, options.far_core(), &clock, &mut trips)
                .map_err(|error| format!("the bare round trip: {error}"))?;
        }
    }
    Ok(Found {
        window: options.window,
        blocks: options.blocks,
        acks: Summary::of(&acks),
        acks_per_second: acks.len() as f64 / busy.as_secs_f64(),
        bare: disk.is_some().then(|| (Summary::of(&writes), Summary::of(&trips))),
    })
}

/// Every post with its cancel.
fn even(orders: u64) -> u64 {
    orders.next_multiple_of(2)
}

impl Found {
    fn text(&self) -> String {
        let titles = Summary::TITLES.map(|title| format!("{title:>10}")).concat();
        let mut text = format!("microseconds        {titles}   samples\n");
        let mut row = |name: &str, summary: &Summary| {
            let _ = writeln!(text, "{name:<20}{}{:>10}", summary.row(), summary.count);
        };
        row("ack", &self.acks);
        if let Some((write, trip)) = &self.bare {
            row("bare write and sync", write);
            row("bare round trip", trip);
            for (name, other) in [("ack / write", write), ("ack / round trip", trip)] {
                let ratios = self.acks.ratios(other).map(|ratio| format!("{ratio:>10.2}")).concat();
                let _ = writeln!(text, "{name:<20}{ratios}");
            }
        }
        let (rate, window, blocks) = (self.acks_per_second, self.window, self.blocks);
        let _ = writeln!(text, "{rate:.0} acks a second, {window} in flight, {blocks} blocks");
        text
    }

    fn json(&self) -> String {
        let mut text = format!(
            "{{\"window\":{},\"blocks\":{},\"acks_per_second\":{:.1},\"ack_ns\":{}",
            self.window,
            self.blocks,
            self.acks_per_second,
            self.acks.json()
        );
        if let Some((write, trip)) = &self.bare {
            let _ =
                write!(text, ",\"bare_write_ns\":{},\"bare_round_trip_ns\":{}", write.json(), trip.json());
        }
        text + "}\n"
    }
}
