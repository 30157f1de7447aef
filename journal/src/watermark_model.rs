//! Watermarks and the groups below them under the model checkers: what the writer stores, in the order and with the
//! strength in which it stores it, against a reader that may be anywhere. `.ci/models` runs it.
//!
//! A group is a word that is stored and loaded without any order of its own: loom hands the reader every value that a
//! watermark does not exclude, for little traffic; shuttle draws schedules of more of it, without stale values.

use std::sync::atomic::Ordering::Relaxed;

#[cfg(loom)]
use loom::{sync::Arc, sync::atomic::AtomicU64 as Word, thread};
#[cfg(shuttle)]
use shuttle::{sync::Arc, sync::atomic::AtomicU64 as Word, thread};

use crate::segment::Position;
use crate::watermark::Watermarks;

const GROUPS: u64 = if cfg!(loom) { 2 } else { 8 };
/// How often a reader looks.
const LOOKS: u64 = GROUPS;
#[cfg(loom)]
const PREEMPTIONS: usize = 3;

/// Draws schedules of `model`: so many that the three models here and the three of the rings make a million at each commit.
#[cfg(shuttle)]
fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let schedules = shuttle_schedules();
    shuttle::check_random(model, schedules);
    println!("S2 {name}, {GROUPS} groups: {schedules} schedules drawn, 0 failures");
}

#[cfg(shuttle)]
fn shuttle_schedules() -> usize {
    std::env::var("BALLAST_SCHEDULES").map_or(10_000, |text| text.parse().expect("a number"))
}

/// Explores `model` with all forced switches up to the bound.
#[cfg(loom)]
fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    use std::sync::atomic::AtomicU64;
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    let executions = executions.load(Relaxed);
    println!(
        "S2 {name}, {GROUPS} groups: {executions} executions, all with up to {PREEMPTIONS} preemptions, 0 failures"
    );
}

/// Groups of 4096 bytes, one word for each.
struct Segment(Vec<Word>);

impl Segment {
    fn new() -> Arc<Segment> {
        Arc::new(Segment((0..GROUPS).map(|_| Word::new(0)).collect()))
    }

    fn write(&self, seq: u64) {
        self.0[seq as usize - 1].store(seq, Relaxed);
    }

    /// Reads every group below `end` and returns the last seq.
    fn read_to(&self, end: Position) -> u64 {
        let groups = end.offset() / 4096;
        for seq in 1..=groups {
            assert_eq!(self.0[seq as usize - 1].load(Relaxed), seq, "a published group is whole");
        }
        groups
    }
}

fn end_of(seq: u64) -> Position {
    Position::new(1, seq * 4096)
}

/// A group is committed by W: whoever sees the position sees all of the group, and its seq is not beyond W.
#[test]
fn a_published_group_is_whole_and_not_beyond_w() {
    explore("frame commit and reader", || {
        let [writer, reader] = Watermarks::for_model();
        let segment = Segment::new();
        let written = Arc::clone(&segment);
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                written.write(seq);
                writer.publish_written(seq, end_of(seq));
            }
        });
        for _ in 0..LOOKS {
            let seq = segment.read_to(reader.written_position());
            assert!(seq <= reader.written(), "handed out beyond W");
        }
        writing.join().expect("written");
        assert_eq!(segment.read_to(reader.written_position()), GROUPS);
    });
}

/// D follows W, W never lags behind a D that was seen, and no watermark goes back.
#[test]
fn d_is_never_beyond_w_and_neither_goes_back() {
    explore("watermarks, groups written and synced", || {
        let [writer, reader] = Watermarks::for_model();
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                writer.publish_written(seq, end_of(seq));
                writer.publish_durable(seq, end_of(seq));
            }
        });
        let (mut durable_before, mut written_before) = (0, 0);
        for _ in 0..LOOKS {
            let durable = reader.durable();
            let written = reader.written();
            assert!(durable <= written, "D {durable} beyond W {written}");
            assert!(durable >= durable_before && written >= written_before, "a watermark went back");
            (durable_before, written_before) = (durable, written);
        }
        writing.join().expect("published");
        assert_eq!((reader.durable(), reader.written()), (GROUPS, GROUPS));
    });
}

/// What was released is durable, whenever one looks.
#[test]
fn r_follows_d() {
    explore("released watermark", || {
        let [writer, reader] = Watermarks::for_model();
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                writer.publish_durable(seq, end_of(seq));
                writer.publish_released(seq);
            }
        });
        for _ in 0..LOOKS {
            let released = reader.released();
            assert!(released <= reader.durable(), "R beyond D");
        }
        writing.join().expect("published");
        assert_eq!(reader.released(), GROUPS);
    });
}
