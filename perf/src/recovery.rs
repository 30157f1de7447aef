//! What a restart costs. A journal of W1 is replayed, every event and digest compared, in turn with the engine's own run of
//! the same commands; and a venue of many accounts and open orders is started from its snapshot. The journals are real ones,
//! written and read by the same code as a venue's.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use gateway::snapshots::standing::Standing;
use journal::{
    BackEnd, Bookmark, Limit, Options, Reader, Record as Kept, SnapshotHead, Writer, install_snapshot,
    load_identity, snapshot_path, snapshots_directory, write_snapshot,
};
use zerocopy::FromZeros;

use crate::replay::desk::{Batch, Desk};
use crate::replay::keep::Keep;
use crate::replay::sink::{Listener, Ring};
use crate::replay::{BATCH, orders_max};
use crate::workload::generate::{Plan, Which};
use crate::workload::shape::Shape;
use crate::workload::{ASK, BID, Header, Record, Workload, op};

#[derive(Args, Debug)]
pub struct Recovery {
    /// Where the journals are made and removed again; 10,000,000 commands take about 5 GB
    #[arg(default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Commands of W1 that are replayed
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    commands: u64,
    /// Accounts of the venue that starts from a snapshot, each with one open order
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    accounts: u32,
    /// Rounds, of which the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    rounds: u64,
    /// One JSON object instead of sentences
    #[arg(long)]
    json: bool,
}

/// As a venue has them where its file says nothing.
const OPTIONS: Options =
    Options { segment_bytes: 64 << 20, group_alignment: 4096, back_end: BackEnd::Written };
/// Instruments of the venue that starts from a snapshot.
const SYMBOLS: u32 = 100;
/// Its asks lie above its bids, so that all rest.
const BIDS_FROM: u32 = 40_000;
const ASKS_FROM: u32 = 60_000;
const PRICES: u32 = 5_000;
const LOTS: u32 = 10;

/// Both ways through the same commands.
struct Replayed {
    commands: u64,
    journal_bytes: u64,
    /// The engine alone, events into a log ring.
    own: Duration,
    /// Recovery of the journal: every frame, chain, event and digest.
    verified: Duration,
}

struct Started {
    orders: u64,
    snapshot_bytes: u64,
    /// The snapshot read, verified and restored, and the journal behind it opened for writing.
    start: Duration,
}

pub fn run(options: &Recovery) -> Result<String, Box<dyn Error>> {
    let parent = options.directory.join(format!("ballast-recovery-{}", std::process::id()));
    fs::create_dir(&parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    let measured = replayed(options, &parent.join("replay"))
        .and_then(|replayed| Ok((replayed, started(options, &parent.join("start"))?)));
    let removed = fs::remove_dir_all(&parent);
    let (replayed, started) = measured?;
    removed.map_err(|error| format!("{}: {error}; remove it by hand", parent.display()))?;
    Ok(if options.json { json(&replayed, &started) } else { text(options, &replayed, &started) })
}

fn replayed(options: &Recovery, directory: &Path) -> Result<Replayed, Box<dyn Error>> {
    let workload = Plan { which: Which::W1, commands: options.commands, seed: 1 }.generate();
    let orders_max = orders_max(Shape::of(&workload).live_max);
    let mut keep = Keep::create(directory, &OPTIONS)?;
    let mut desk = Desk::open_heard(&workload.header, orders_max, &mut keep);
    written(&mut desk, &workload, &mut keep);
    let (commands, digest) = (desk.engine.last_seq(), desk.engine.digest());
    keep.close(&desk.engine)?;
    drop(desk);
    let (mut owns, mut verifieds) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        owns.push(own(&workload, orders_max));
        let begin = Instant::now();
        let (standing, writer) = open(directory, Standing::default(), None, &OPTIONS)?;
        verifieds.push(begin.elapsed());
        assert!(standing.engine().digest() == digest, "the same commands lead to the same state");
        writer.close()?;
    }
    let journal_bytes = bytes_below(directory)?;
    fs::remove_dir_all(directory)?;
    Ok(Replayed { commands, journal_bytes, own: median(owns), verified: median(verifieds) })
}

fn written(desk: &mut Desk, workload: &Workload, keep: &mut Keep) {
    let mut batch = Batch::default();
    for records in [workload.prefill(), workload.commands()].into_iter().flat_map(|part| part.chunks(BATCH)) {
        desk.encode(records, &mut batch);
        desk.apply(&batch, keep);
        keep.mark(&desk.engine);
    }
}

/// The time in the engine; encoding and the ring's reader are left out.
fn own(workload: &Workload, orders_max: u32) -> Duration {
    let mut desk = Desk::open(&workload.header, orders_max);
    let mut ring = Ring::new(desk.engine.limits().expect("the venue is open"));
    let (mut batch, mut elapsed) = (Batch::default(), Duration::ZERO);
    for records in [workload.prefill(), workload.commands()].into_iter().flat_map(|part| part.chunks(BATCH)) {
        desk.encode(records, &mut batch);
        let begin = Instant::now();
        desk.apply(&batch, &mut ring);
        elapsed += begin.elapsed();
        ring.rest();
    }
    elapsed
}

/// As a venue starts: everything behind the bookmark is compared with what the engine says.
fn open(
    directory: &Path,
    mut standing: Standing,
    bookmark: Option<&Bookmark>,
    options: &Options,
) -> Result<(Standing, Writer), Box<dyn Error>> {
    let mut hear = |record: &Kept<'_>| standing.hear(record).map_err(|difference| difference.to_string());
    let storage = options.back_end.storage();
    let (writer, _) = Writer::open_from(directory, None, bookmark, options, &mut hear, storage)?;
    standing.finish().map_err(|difference| difference.to_string())?;
    Ok((standing, writer))
}

fn started(options: &Recovery, directory: &Path) -> Result<Started, Box<dyn Error>> {
    let mut keep = Keep::create(directory, &OPTIONS)?;
    let mut header = Header::new_zeroed();
    (header.accounts, header.symbols) = (options.accounts.into(), SYMBOLS.into());
    (header.price_low, header.price_high) = (BIDS_FROM.into(), (ASKS_FROM + PRICES).into());
    let mut desk = Desk::open_heard(&header, options.accounts, &mut keep);
    let records: Vec<Record> = (0..options.accounts).map(resting).collect();
    let mut batch = Batch::default();
    for records in records.chunks(BATCH) {
        desk.encode(records, &mut batch);
        desk.apply(&batch, &mut keep);
        keep.mark(&desk.engine);
    }
    let (orders, digest) = (desk.live(), desk.engine.digest());
    keep.close(&desk.engine)?;
    drop(desk);
    let (seq, snapshot_bytes) = snapshot(directory)?;
    let identity = load_identity(directory)?;
    let mut starts = Vec::new();
    for _ in 0..options.rounds {
        let begin = Instant::now();
        let (standing, bookmark) = Standing::load(directory, &identity, seq)?;
        let (standing, writer) = open(directory, standing, Some(&bookmark), &OPTIONS)?;
        starts.push(begin.elapsed());
        assert!(standing.engine().digest() == digest, "a snapshot is the state that was");
        writer.close()?;
    }
    Ok(Started { orders, snapshot_bytes, start: median(starts) })
}

/// The one order of each account: bids of the even ones, asks of the odd ones, over all instruments and prices.
fn resting(account: u32) -> Record {
    let is_bid = account.is_multiple_of(2);
    let spread = account / SYMBOLS % PRICES;
    let mut record = Record::new_zeroed();
    (record.op, record.side) = (op::NEW, if is_bid { BID } else { ASK });
    record.symbol = ((account % SYMBOLS) as u16).into();
    record.account = account.into();
    record.id = u64::from(account).into();
    record.price = (if is_bid { BIDS_FROM } else { ASKS_FROM } + spread).into();
    record.quantity = LOTS.into();
    record
}

/// Follows the journal to its end and puts what stands there into a snapshot, as `ballast snapshot create` does.
fn snapshot(directory: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let (mut reader, mut standing) = (Reader::open(directory)?, Standing::default());
    let mut hear = |record: &Kept<'_>| standing.hear(record).map_err(|difference| difference.to_string());
    while reader.poll_group(Limit::Durable, u64::MAX, &mut hear)? {}
    standing.finish().map_err(|difference| difference.to_string())?;
    let bookmark = reader.bookmark().ok_or("the journal is empty")?;
    let (seq, identity) = (bookmark.seq, reader.identity());
    let head = SnapshotHead {
        journal_id: identity.journal_id,
        shard: identity.shard,
        logic_version: identity.logic_version,
        bookmark,
        state_hash: standing.engine().digest(),
    };
    let sections = standing.sections();
    let parts = sections.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()));
    fs::create_dir_all(snapshots_directory(directory))?;
    let temporary = snapshot_path(directory, seq).with_extension("snap.tmp");
    write_snapshot(&temporary, &head, &parts)?;
    let path = install_snapshot(directory, &temporary, seq)?;
    Ok((seq, fs::metadata(path)?.len()))
}

fn bytes_below(directory: &Path) -> std::io::Result<u64> {
    fs::read_dir(directory)?.map(|entry| entry?.metadata().map(|metadata| metadata.len())).sum()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

impl Replayed {
    fn ns_per_command(&self, time: Duration) -> f64 {
        time.as_nanos() as f64 / self.commands as f64
    }

    /// Speed of the verified replay in times of the engine's own.
    fn ratio(&self) -> f64 {
        self.own.as_secs_f64() / self.verified.as_secs_f64()
    }
}

fn text(options: &Recovery, replayed: &Replayed, started: &Started) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "replayed        {} commands of W1 from {} MB, every frame, event and digest compared; medians of {} rounds",
        replayed.commands,
        replayed.journal_bytes / 1_000_000,
        options.rounds
    );
    for (name, time) in [("the engine's own", replayed.own), ("verified replay", replayed.verified)] {
        let (seconds, ns) = (time.as_secs_f64(), replayed.ns_per_command(time));
        let _ = writeln!(text, "{name:<16}{seconds:.2} s, {ns:.0} ns a command");
    }
    let _ = writeln!(text, "speed           {:.2} of the engine's own", replayed.ratio());
    let _ = writeln!(
        text,
        "start           {:.2} s from a snapshot of {} MB: {} accounts, {} open orders",
        started.start.as_secs_f64(),
        started.snapshot_bytes / 1_000_000,
        options.accounts,
        started.orders
    );
    text
}

fn json(replayed: &Replayed, started: &Started) -> String {
    format!(
        "{{\"commands\":{},\"journal_bytes\":{},\"own_ns\":{},\"verified_ns\":{},\"speed\":{:.3},\"open_orders\":{},\
         \"snapshot_bytes\":{},\"start_ns\":{}}}\n",
        replayed.commands,
        replayed.journal_bytes,
        replayed.own.as_nanos(),
        replayed.verified.as_nanos(),
        replayed.ratio(),
        started.orders,
        started.snapshot_bytes,
        started.start.as_nanos()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_measured_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Recovery {
            directory: directory.path().to_owned(),
            commands: 20_000,
            accounts: 1_000,
            rounds: 1,
            json: true,
        };
        let report = run(&options).expect("measured");
        assert!(report.contains("\"open_orders\":1000,"), "{report}");
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    }
}
