//! `ballast journal replay` and `ballast state-hash`: the engine run over a journal to some place, and the state there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use engine::Engine;
use journal::{Kind, Record, Snapshot};

use super::decode::Decoded;
use super::instant;
use super::json::Object;
use super::output::Output;
use super::place::Place;
use super::progress::Progress;
use super::rerun::Rerun;
use super::shown;
use super::source::{Journal, Step};
use super::state::{Parts, State};
use crate::cli::{EXIT_DAMAGED, EXIT_NOT_FOUND, Failure};
use crate::config::to_hex;
use crate::snapshots::standing::Standing;

pub const EXAMPLES: &str = "Examples:
  ballast journal replay my-venue
  ballast journal replay my-venue --seq 1000 --accounts
  ballast journal replay my-venue --time 2026-11-21T09:30:00Z --book 1 --json
  ballast journal replay my-venue --order 4294967297";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("place in the journal").args(["seq", "time", "order"]))]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    /// To the end of this command
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    /// To the last command at or before this moment: RFC 3339 in UTC, or ns since 1970
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    time: Option<u64>,
    /// To the last command that said anything of this order, as a number or 0x and hexadecimal
    #[arg(long, value_name = "ID", value_parser = order_id)]
    order: Option<u64>,
    /// So many times as fast as it happened; as fast as possible without
    #[arg(long, value_name = "X", value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,
    /// Show the accounts
    #[arg(long)]
    accounts: bool,
    /// Show the open orders of this instrument
    #[arg(long, value_name = "ID", value_parser = instrument_id)]
    book: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Hash {
    /// A venue's directory, a journal's, or a snapshot's file
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// For programs: one JSON object
    #[arg(long)]
    pub json: bool,
    /// After this command instead of the last
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
}

/// The journal knows instruments by their numbers alone.
fn instrument_id(text: &str) -> Result<u32, String> {
    let wrong = |_| format!("'{text}' is no instrument id, such as 1; the symbols stand in ballast.toml");
    text.parse().map_err(wrong)
}

fn order_id(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("'{text}' is no order id: {error}"))
}

/// Where a replay ends.
#[derive(Clone, Copy)]
enum Until {
    End,
    Seq(u64),
    TimeNs(u64),
}

impl Until {
    fn is_past(self, record: &Record<'_>) -> bool {
        match self {
            Until::End => false,
            Until::Seq(seq) => record.seq > seq,
            Until::TimeNs(ns) => record.ts_ns > ns,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { place, seq, time, order, speed, accounts, book } = arguments;
    let journal = Journal::find(&place.directory)?;
    let until = match (seq, time, order) {
        (Some(seq), ..) => Until::Seq(*seq),
        (_, Some(ns), _) => Until::TimeNs(*ns),
        (_, _, Some(order)) => Until::Seq(last_event_of(&journal, *order)?),
        _ => Until::End,
    };
    let rerun = replay(&journal, until, speed.map(Pace::new))?;
    if let Some(instrument) = book {
        known_instrument(rerun.engine(), *instrument)?;
    }
    let everything = !accounts && book.is_none();
    let parts =
        Parts { accounts: *accounts || everything, orders: book.is_some() || everything, book: *book };
    let state = State::of(rerun.engine(), parts);
    let mut output = Output::new();
    output.line(if place.json { state.json() } else { state.text() })?;
    output.flush()
}

pub fn state_hash(hash: &Hash) -> Result<(), Failure> {
    let Hash { directory, json, seq } = hash;
    let (seq, digest) = if directory.is_file() {
        hash_of_snapshot(directory, *seq)?
    } else {
        let journal = Journal::find(directory)?;
        let rerun = replay(&journal, seq.map_or(Until::End, Until::Seq), None)?;
        (rerun.engine().last_seq(), rerun.engine().digest())
    };
    let digest = to_hex(&digest);
    let mut output = Output::new();
    output.line(if *json {
        Object::new().raw("seq", seq).text("digest", &digest).end()
    } else {
        format!("{digest}  seq {seq}")
    })?;
    output.flush()
}

fn hash_of_snapshot(path: &Path, seq: Option<u64>) -> Result<(u64, [u8; 32]), Failure> {
    let wrong = |code, why: String| Failure::new(code, format!("{}: {why}", path.display()));
    let snapshot = Snapshot::load(path).map_err(|fault| wrong(EXIT_DAMAGED, fault.to_string()))?;
    let standing = Standing::restore(&snapshot).map_err(|why| wrong(EXIT_DAMAGED, why))?;
    let engine = standing.engine();
    let found = engine.last_seq();
    match seq {
        Some(seq) if seq != found => {
            Err(wrong(EXIT_NOT_FOUND, format!("it is of seq {found}, not of {seq}")))
        }
        _ => Ok((found, engine.digest())),
    }
}

fn replay(journal: &Journal, until: Until, mut pace: Option<Pace>) -> Result<Rerun, Failure> {
    let mut rerun = Rerun::start(journal)?;
    let has_gone = match until {
        Until::End => false,
        Until::Seq(seq) => seq < rerun.first_seq(),
        Until::TimeNs(ns) => ns < rerun.engine().last_ts_ns(),
    };
    if has_gone {
        let text = format!(
            "{} can be replayed from seq {} on; what is before it was given up",
            journal.directory.display(),
            rerun.first_seq()
        );
        return Err(Failure::new(EXIT_NOT_FOUND, text));
    }
    let total = match until {
        Until::Seq(seq) => seq.min(journal.last_seq_seen()),
        _ => journal.last_seq_seen(),
    };
    let mut progress = Progress::of(total);
    journal.walk(&mut |record| {
        if until.is_past(record) {
            return Ok(Step::Enough);
        }
        if let (Some(pace), Kind::Command) = (&mut pace, record.kind) {
            journal.rest(pace.wait(record.ts_ns))?;
        }
        progress.reached(record.seq);
        rerun.record(record).map(|()| Step::Next)
    })?;
    rerun.finish()?;
    let reached = rerun.engine().last_seq();
    match until {
        Until::Seq(seq) if reached < seq => {
            let text = format!("{} ends at seq {reached}, before seq {seq}", journal.directory.display());
            Err(Failure::new(EXIT_NOT_FOUND, text))
        }
        _ => Ok(rerun),
    }
}

/// How a replay keeps to the time in which it happened.
struct Pace {
    speed: u32,
    began: Option<(Instant, u64)>,
}

impl Pace {
    fn new(speed: u32) -> Pace {
        Pace { speed, began: None }
    }

    /// What is left until a command of `ts_ns` is due.
    fn wait(&mut self, ts_ns: u64) -> Duration {
        let (began, first_ns) = *self.began.get_or_insert_with(|| (Instant::now(), ts_ns));
        let due = Duration::from_nanos(ts_ns.saturating_sub(first_ns)) / self.speed;
        due.saturating_sub(began.elapsed())
    }
}

/// The command that said the last about an order.
fn last_event_of(journal: &Journal, order: u64) -> Result<u64, Failure> {
    let mut last = None;
    journal.walk(&mut |record| {
        if record.kind == Kind::Event
            && Decoded::read(shown::message(record)).is_some_and(|it| it.names(&["order_id"], order))
        {
            last = Some(record.seq);
        }
        Ok(Step::Next)
    })?;
    last.ok_or_else(|| {
        let text = format!("{} says nothing of order {order}", journal.directory.display());
        Failure::new(EXIT_NOT_FOUND, text)
    })
}

fn known_instrument(engine: &Engine, instrument: u32) -> Result<(), Failure> {
    if engine.instruments().any(|known| known.id == instrument) {
        return Ok(());
    }
    let text = format!("there is no instrument {instrument} at seq {}", engine.last_seq());
    Err(Failure::new(EXIT_NOT_FOUND, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_named_in_both_ways() {
        assert_eq!(order_id("4294967297"), Ok(4_294_967_297));
        assert_eq!(order_id("0x100000001"), Ok(4_294_967_297));
        assert!(order_id("x").is_err() && order_id("0x").is_err() && order_id("-1").is_err());
    }

    #[test]
    fn a_pace_waits_for_what_is_still_to_come() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.wait(5_000_000_000), Duration::ZERO);
        let wait = pace.wait(5_000_000_000 + 10 * 3_600_000_000_000);
        assert!(wait > Duration::from_secs(1800) && wait <= Duration::from_secs(3600), "{wait:?}");
    }
}
