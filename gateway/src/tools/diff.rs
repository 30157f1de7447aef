//! `ballast journal diff`: two journals side by side, up to the first record in which they part. What changes the state
//! or was said is compared; where groups end, and which digests and snapshots were noted, is each journal's own.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use clap::Args;
use journal::{Kind, Record};

use super::json::Object;
use super::output::Output;
use super::progress::Progress;
use super::shown;
use super::source::{Journal, Step};
use crate::cli::{EXIT_DAMAGED, Failure};

#[derive(Debug, Args)]
pub struct Arguments {
    /// A venue's directory, or a journal's
    #[arg(value_name = "A")]
    one: PathBuf,
    /// The other
    #[arg(value_name = "B")]
    other: PathBuf,
    /// For programs: one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A record that outlives its segment's mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    seq: u64,
    ts_ns: u64,
    kind: Kind,
    version: u8,
    flags: u8,
    sub: u32,
    payload: Vec<u8>,
}

impl Kept {
    fn of(record: &Record<'_>) -> Kept {
        let Record { seq, ts_ns, kind, version, flags, sub, payload } = *record;
        Kept { seq, ts_ns, kind, version, flags, sub, payload: payload.to_vec() }
    }

    fn record(&self) -> Record<'_> {
        let Kept { seq, ts_ns, kind, version, flags, sub, ref payload } = *self;
        Record { seq, ts_ns, kind, version, flags, sub, payload }
    }
}

/// Records travel in batches, so that two threads do not hand each one over by itself.
const BATCH: usize = 1024;

type Batch = Result<Vec<Kept>, Failure>;

/// What the two have in common, and what comes then.
#[derive(Default)]
struct Verdict {
    /// The last seq of a command that both have.
    same_up_to: u64,
    parts: Option<[Option<Kept>; 2]>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (one, other) = (Journal::find(&arguments.one)?, Journal::find(&arguments.other)?);
    let mut progress = Progress::of(one.last_seq_seen());
    let verdict = thread::scope(|scope| {
        let mut sides = [&one, &other].map(|journal| {
            let (sender, receiver) = sync_channel(4);
            scope.spawn(move || send(journal, sender));
            Side { receiver, batch: Vec::new().into_iter() }
        });
        compare(&mut sides, &mut progress)
    })?;
    drop(progress);
    let mut output = Output::new();
    output.line(if arguments.json { object(&verdict) } else { text(&verdict, arguments) })?;
    output.flush()?;
    match &verdict.parts {
        Some([Some(_), Some(_)]) => {
            Err(Failure::new(EXIT_DAMAGED, format!("the journals part after seq {}", verdict.same_up_to)))
        }
        _ => Ok(()),
    }
}

/// Where nobody listens any more, the walk ends.
fn send(journal: &Journal, sender: SyncSender<Batch>) {
    let mut batch = Vec::with_capacity(BATCH);
    let walked = journal.walk(&mut |record| {
        if !matches!(record.kind, Kind::Command | Kind::Event | Kind::Logic | Kind::Loss) {
            return Ok(Step::Next);
        }
        batch.push(Kept::of(record));
        if batch.len() < BATCH {
            return Ok(Step::Next);
        }
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        Ok(if sender.send(Ok(full)).is_ok() { Step::Next } else { Step::Enough })
    });
    let _ = sender.send(Ok(batch));
    if let Err(failure) = walked {
        let _ = sender.send(Err(failure));
    }
}

struct Side {
    receiver: Receiver<Batch>,
    batch: std::vec::IntoIter<Kept>,
}

impl Side {
    fn next(&mut self) -> Result<Option<Kept>, Failure> {
        loop {
            if let Some(kept) = self.batch.next() {
                return Ok(Some(kept));
            }
            match self.receiver.recv() {
                Ok(batch) => self.batch = batch?.into_iter(),
                Err(_) => return Ok(None),
            }
        }
    }
}

/// A journal that was pruned begins later: both are compared from where both have begun.
fn compare(sides: &mut [Side; 2], progress: &mut Progress) -> Result<Verdict, Failure> {
    let [one, other] = sides;
    let mut verdict = Verdict::default();
    let (mut left, mut right) = (one.next()?, other.next()?);
    let begin = [&left, &right].into_iter().flatten().map(|kept| kept.seq).max().unwrap_or(0);
    while left.as_ref().is_some_and(|kept| kept.seq < begin) {
        left = one.next()?;
    }
    while right.as_ref().is_some_and(|kept| kept.seq < begin) {
        right = other.next()?;
    }
    loop {
        match (&left, &right) {
            (None, None) => return Ok(verdict),
            (Some(same), Some(twin)) if same == twin => {
                verdict.same_up_to = same.seq;
                progress.reached(same.seq);
            }
            _ => {
                verdict.parts = Some([left, right]);
                return Ok(verdict);
            }
        }
        (left, right) = (one.next()?, other.next()?);
    }
}

fn text(verdict: &Verdict, Arguments { one, other, .. }: &Arguments) -> String {
    let seq = verdict.same_up_to;
    let prefix = |short: &PathBuf, long: &PathBuf| {
        format!("{} is a prefix of {}: equal up to seq {seq}, where it ends", short.display(), long.display())
    };
    match &verdict.parts {
        None => format!("equal up to seq {seq}, where both end"),
        Some([None, _]) => prefix(one, other),
        Some([_, None]) => prefix(other, one),
        Some([Some(left), Some(right)]) => format!(
            "equal up to seq {seq}, then different:\nA {}\nB {}",
            shown::text(&left.record()),
            shown::text(&right.record())
        ),
    }
}

fn object(verdict: &Verdict) -> String {
    let object = Object::new().raw("same_up_to", verdict.same_up_to);
    match &verdict.parts {
        None => object.text("result", "equal").end(),
        Some([None, _]) => object.text("result", "a is a prefix of b").end(),
        Some([_, None]) => object.text("result", "b is a prefix of a").end(),
        Some([Some(left), Some(right)]) => object
            .text("result", "different")
            .raw("first_different_seq", left.seq.min(right.seq))
            .raw("a", shown::object(&left.record()))
            .raw("b", shown::object(&right.record()))
            .end(),
    }
}
