//! Watermarks and the groups below them under the model checker: what the writer stores, in the order and with the
//! strength in which it stores it, against a reader that may be anywhere. `.ci/models` runs it.
//!
//! A group is a word that is stored and loaded without any order of its own: the checker hands the reader every value that
//! a watermark does not exclude.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use loom::sync::Arc;
use loom::sync::atomic::AtomicU64 as Word;
use loom::thread;

use crate::segment::Position;
use crate::watermark::Watermarks;

const GROUPS: u64 = 2;

/// Explores `model`; `preemptions` bounds the forced switches per execution.
fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    let executions = executions.load(Relaxed);
    println!("S2 {name}: {executions} executions, all with up to {preemptions} preemptions, 0 failures");
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
    explore("frame commit and reader, 2 groups", 3, || {
        let [writer, reader] = Watermarks::for_model();
        let segment = Segment::new();
        let written = Arc::clone(&segment);
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                written.write(seq);
                writer.publish_written(seq, end_of(seq));
            }
        });
        for _ in 0..2 {
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
    explore("watermarks, 2 groups written and synced", 3, || {
        let [writer, reader] = Watermarks::for_model();
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                writer.publish_written(seq, end_of(seq));
                writer.publish_durable(seq, end_of(seq));
            }
        });
        let (mut durable_before, mut written_before) = (0, 0);
        for _ in 0..2 {
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
    explore("released watermark, 2 groups", 3, || {
        let [writer, reader] = Watermarks::for_model();
        let writing = thread::spawn(move || {
            for seq in 1..=GROUPS {
                writer.publish_durable(seq, end_of(seq));
                writer.publish_released(seq);
            }
        });
        for _ in 0..2 {
            let released = reader.released();
            assert!(released <= reader.durable(), "R beyond D");
        }
        writing.join().expect("published");
        assert_eq!(reader.released(), GROUPS);
    });
}
