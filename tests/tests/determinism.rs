//! One run, four ways to its state: the engine that lived through it, a replay of its journal, a snapshot with the rest of
//! the journal behind it, and the naive model. The digests are equal at each 10,000 commands, the model's state is the same.
//!
//! `BALLAST_TIER=1` is the size of a release, `BALLAST_COMMANDS` any other, `BALLAST_SEED` where the seeds start.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Engine;
use engine::replay::Replay;
use journal::{Identity, Kind, Limit, Options, Reader, Record, Writer};
use tests::agreement::same_state;
use tests::heard;
use tests::tier::{number, scratch, seed, tiered};
use tests::workload::{Draw, Profile, Sequenced, Stream};
use zerocopy::IntoBytes;

const COMMANDS_PER_RUN: u64 = 50_000;
const DIGEST_EVERY: u64 = 10_000;

/// A moment of the run, to go on from.
struct Cut {
    seq: u64,
    /// Digests behind it.
    digests: u64,
    snapshot: Vec<u8>,
}

/// As the venue ends a group that has grown so large.
const GROUP_BYTES: usize = 1 << 20;

fn append(writer: &mut Writer, command: &Sequenced, digest: Option<[u8; 32]>) {
    if writer.open_group_bytes() >= GROUP_BYTES {
        writer.close_group().expect("there is room");
    }
    let (seq, ts_ns) = (command.seq, command.ts_ns);
    let record = |kind, sub, payload| Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload };
    let payload = [command.step.origin.as_bytes(), &command.step.message].concat();
    writer.append(&record(Kind::Command, 0, &payload)).expect("in order");
    for (sub, event) in (1..).zip(&command.events) {
        writer.append(&record(Kind::Event, sub, event)).expect("in order");
    }
    if let Some(digest) = digest {
        writer.append(&record(Kind::Mark, 0, &digest)).expect("in order");
        writer.close_group().expect("there is room");
    }
}

/// The engine and the model side by side, written down as they go.
fn live(directory: &Path, seed: u64, profile: Profile) -> Cut {
    let identity = Identity { journal_id: [5; 16], shard: 0, config_hash: [6; 32], logic_version: 1 };
    let options = Options { segment_bytes: 8 << 20, ..Options::default() };
    let mut writer = Writer::create(directory, &identity, &options).expect("a new journal");
    let (mut stream, mut engine) = (Stream::new(seed, profile), Engine::new());
    let cut_at = 1 + Draw::new(seed).below(COMMANDS_PER_RUN - 1);
    let (mut cut, mut state_is_due) = (None, false);
    for count in 1..=COMMANDS_PER_RUN {
        let command = stream.advance_uncounted();
        let step = &command.step;
        let heard = heard::answer(&mut engine, command.seq, command.ts_ns, &step.origin, &step.message);
        assert!(heard == command.events, "engine and model differ at seq {}", command.seq);
        let is_marked = count % DIGEST_EVERY == 0;
        append(&mut writer, &command, is_marked.then(|| engine.digest()));
        state_is_due |= is_marked;
        // A taker between its continuations is neither open nor done: the state is compared when it has ended.
        if state_is_due && engine.continuation().is_none() {
            same_state(&engine, &stream.model);
            state_is_due = false;
        }
        if count == cut_at {
            let digests = COMMANDS_PER_RUN / DIGEST_EVERY - count / DIGEST_EVERY;
            cut = Some(Cut { seq: command.seq, digests, snapshot: engine.snapshot() });
        }
    }
    writer.close().expect("it is durable");
    cut.expect("the cut lies inside the run")
}

/// Replays everything behind `from` and returns how many digests were equal.
fn replayed(directory: &Path, mut replay: Replay, from: u64) -> u64 {
    let mut reader = Reader::open(directory).expect("the journal is whole");
    let mut marks = 0;
    let mut visit = |record: &Record<'_>| {
        if record.seq <= from {
            return Ok(());
        }
        match record.kind {
            Kind::Command => replay.command(record.seq, record.ts_ns, record.payload),
            Kind::Event => replay.event(record.seq, record.sub, record.payload),
            Kind::Mark => {
                marks += 1;
                replay.mark(record.seq, record.payload)
            }
            _ => Ok(()),
        }
        .map_err(|difference| difference.to_string())
    };
    while reader.poll(Limit::Durable, 10_000, &mut visit).expect("a replay says the same") > 0 {}
    replay.finish().expect("the last command said no more");
    marks
}

/// Says how to come back to where a panic happened.
struct Place(u64);

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("run {} of BALLAST_SEED={}", self.0, seed());
        }
    }
}

#[test]
fn run_replay_and_snapshot_with_tail_have_one_digest_and_the_model_s_state() {
    let (commands, seed) = (number("BALLAST_COMMANDS", tiered(2_000_000, 100_000_000)), seed());
    let runs = commands / COMMANDS_PER_RUN;
    let (next, whole, tails) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return;
            }
            let _place = Place(run);
            let home = scratch();
            let directory = home.path().join("journal");
            let profile = Profile::ALL[run as usize % Profile::ALL.len()];
            let cut = live(&directory, seed.wrapping_mul(1_000_003) + run, profile);
            let marks = replayed(&directory, Replay::new(), 0);
            assert_eq!(marks, COMMANDS_PER_RUN / DIGEST_EVERY, "no digest was left out");
            let Ok(engine) = Engine::restore(&cut.snapshot) else { panic!("a snapshot restores") };
            let tail = replayed(&directory, Replay::from_engine(engine), cut.seq);
            assert_eq!(tail, cut.digests, "no digest was left out");
            whole.fetch_add(marks, Ordering::Relaxed);
            tails.fetch_add(tail, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    println!(
        "D1 determinism: {commands} commands in {runs} runs, {} digests equal in run and replay, {} in snapshot and tail, \
         0 differences from the model (BALLAST_SEED={seed})",
        whole.into_inner(),
        tails.into_inner()
    );
}
