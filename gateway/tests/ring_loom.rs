//! The rings and the doorbell under the model checker. Each model is the smallest traffic that reaches the wrap, a full
//! ring and a refused claim; the command stands at the head of `gateway/src/ring/mod.rs`.
#![cfg(loom)]

use gateway::ring::{IngressSender, LogReader, doorbell, doorbell_waking, ingress, log};
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::sync::{Arc, Notify};
use loom::thread;
use std::sync::atomic::AtomicU64 as Counter;
use std::time::Duration;

/// Explores `model`; `preemptions` bounds the forced switches per execution, None explores every one.
fn explore(name: &str, preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let executions = std::sync::Arc::new(Counter::new(0));
    let counted = std::sync::Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    let (executions, bound) = (
        executions.load(Relaxed),
        preemptions.map_or("any number of".to_owned(), |it| format!("up to {it}")),
    );
    println!("S2 {name}: {executions} executions, all with {bound} preemptions, 0 failures");
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A payload word that would pass for the header of an 8-byte record of this lap.
fn forged_header(lap: u64) -> u64 {
    lap << 16 | 8
}

fn push(sender: &IngressSender, record: &[u8]) {
    while sender.try_push(&[record]).is_err() {
        thread::yield_now();
    }
}

/// Four lines: two producers push two records each, of two lines and of one, six lines in all and maybe padding.
#[test]
fn ingress_two_producers() {
    explore("ingress, 2 producers x 2 records, 4 lines", Some(1), || {
        let (sender, mut receiver) = ingress(64);
        let producers = [0, 1].map(|producer: u64| {
            let sender = sender.clone();
            thread::spawn(move || {
                push(&sender, &words(&[producer << 32, forged_header(2), forged_header(2)]));
                push(&sender, &words(&[producer << 32 | 1]));
            })
        });
        let mut expected = [0, 0];
        for _ in 0..4 {
            while receiver.peek().is_none() {
                thread::yield_now();
            }
            let record = receiver.peek().unwrap();
            let first = u64::from_le_bytes(record[..8].try_into().unwrap());
            let (producer, count) = ((first >> 32) as usize, first & 0xFFFF_FFFF);
            assert_eq!(count, expected[producer], "order of one producer");
            expected[producer] += 1;
            assert_eq!(record.len(), if count == 0 { 24 } else { 8 });
            assert!(record[8..].chunks(8).all(|word| word == forged_header(2).to_le_bytes()));
            receiver.release();
        }
        assert!(receiver.peek().is_none());
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// The race for the last two lines: both producers want them, the loser is refused until the consumer gives space back.
#[test]
fn ingress_race_for_room() {
    explore("ingress, 2 producers x 1 record, 4 lines, one refused", Some(2), || {
        let (sender, mut receiver) = ingress(64);
        sender.try_push(&[&words(&[9, forged_header(2), forged_header(2)])]).unwrap();
        let producers = [0, 1].map(|producer: u64| {
            let sender = sender.clone();
            thread::spawn(move || push(&sender, &words(&[producer, producer, producer])))
        });
        let mut sum = 0;
        for _ in 0..3 {
            while receiver.peek().is_none() {
                thread::yield_now();
            }
            sum += u64::from_le_bytes(receiver.peek().unwrap()[..8].try_into().unwrap());
            receiver.release();
        }
        assert_eq!(sum, 10);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// One producer, two laps of a ring of four lines, forged headers where the next lap's headers will be.
#[test]
fn ingress_wrap() {
    explore("ingress, 1 producer x 5 records, 4 lines", Some(4), || {
        let (sender, mut receiver) = ingress(64);
        let producer = thread::spawn(move || {
            for count in 0..5 {
                let length = if count % 2 == 0 { 3 } else { 1 };
                push(&sender, &words(&[count, forged_header(2), forged_header(3)][..length]));
            }
        });
        for count in 0..5u64 {
            while receiver.peek().is_none() {
                thread::yield_now();
            }
            assert_eq!(receiver.peek().unwrap()[..8], count.to_le_bytes());
            receiver.release();
        }
        assert!(receiver.peek().is_none());
        producer.join().unwrap();
    });
}

/// Groups of two frames over a ring of eight lines, one reader that releases by the group.
#[test]
fn log_one_reader() {
    explore("log, 3 groups x 2 frames, 1 reader, 8 lines", None, || {
        let (mut writer, mut readers) = log(128, 1);
        let mut reader = readers.pop().unwrap();
        let reading = thread::spawn(move || {
            for frame in 0..6u64 {
                while frame % 2 == 0 && reader.peek().is_none() {
                    thread::yield_now();
                }
                let seen = reader.peek().expect("a group is seen whole");
                assert_eq!(seen[..8], frame.to_le_bytes());
                reader.advance();
                if frame % 2 == 1 {
                    reader.release();
                }
            }
            assert!(reader.peek().is_none());
        });
        for group in 0..3u64 {
            while !writer.has_room(16 + 24) {
                thread::yield_now();
            }
            writer.stage(8).copy_from_slice(&words(&[2 * group]));
            writer.stage(16).copy_from_slice(&words(&[2 * group + 1, u64::MAX]));
            writer.publish();
        }
        reading.join().unwrap();
    });
}

/// Single frames over a ring of two lines, two readers, of which the slower one shares the writer's thread: the third frame
/// waits for both. More frames or a third thread and the model does not come to its end.
#[test]
fn log_two_readers() {
    const FRAMES: u64 = 3;
    explore("log, 3 groups x 1 frame, 2 readers, 2 lines", Some(2), || {
        let (mut writer, readers) = log(32, 2);
        let [mut reader, mut slow] = readers.try_into().ok().unwrap();
        let follow = |reader: &mut LogReader, frame: u64| {
            while reader.peek().is_none() {
                thread::yield_now();
            }
            assert_eq!(reader.peek().unwrap(), frame.to_le_bytes());
            reader.advance();
            reader.release();
        };
        let reading = thread::spawn(move || (0..FRAMES).for_each(|frame| follow(&mut reader, frame)));
        let mut slow_frames = 0;
        for frame in 0..FRAMES {
            while !writer.has_room(16) {
                if slow_frames < frame {
                    follow(&mut slow, slow_frames);
                    slow_frames += 1;
                } else {
                    thread::yield_now();
                }
            }
            writer.stage(8).copy_from_slice(&words(&[frame]));
            writer.publish();
        }
        (slow_frames..FRAMES).for_each(|frame| follow(&mut slow, frame));
        reading.join().unwrap();
    });
}

/// Two ringers, each bringing one piece of work; a lost wake-up is a deadlock.
#[test]
fn doorbell_loses_no_wake_up() {
    explore("doorbell, 2 ringers", Some(4), || {
        let (bell, mut sleeper) = doorbell();
        let work = [0, 1].map(|_| Arc::new(AtomicU64::new(0)));
        let ringers = work.clone().map(|piece| {
            let bell = bell.clone();
            thread::spawn(move || {
                piece.store(1, Relaxed);
                bell.ring();
            })
        });
        let done = || work.iter().all(|piece| piece.load(Relaxed) == 1);
        while !done() {
            sleeper.prepare();
            if done() {
                sleeper.cancel();
            } else {
                sleeper.sleep(Duration::ZERO);
            }
        }
        ringers.into_iter().for_each(|ringer| ringer.join().unwrap());
    });
}

/// The same for a sleeper that sleeps elsewhere.
#[test]
fn doorbell_waking_loses_no_wake_up() {
    explore("doorbell of another sleep, 1 ringer x 2", None, || {
        let notify = Arc::new(Notify::new());
        let waker = Arc::clone(&notify);
        let (bell, mut sleeper) = doorbell_waking(Box::new(move || waker.notify()));
        let work = Arc::new(AtomicU64::new(0));
        let brought = Arc::clone(&work);
        let ringer = thread::spawn(move || {
            for piece in 1..=2 {
                brought.store(piece, Relaxed);
                bell.ring();
            }
        });
        while work.load(Relaxed) < 2 {
            sleeper.prepare();
            if work.load(Relaxed) < 2 {
                notify.wait();
            }
            sleeper.cancel();
        }
        ringer.join().unwrap();
    });
}

/// The ring and the doorbell together, as the stages use them.
#[test]
fn ingress_with_doorbell() {
    explore("ingress with doorbell, 2 records", None, || {
        let (sender, mut receiver) = ingress(64);
        let (bell, mut sleeper) = doorbell();
        let producer = thread::spawn(move || {
            for count in 0..2u64 {
                push(&sender, &count.to_le_bytes());
                bell.ring();
            }
        });
        for count in 0..2u64 {
            while receiver.peek().is_none() {
                sleeper.prepare();
                if receiver.peek().is_none() {
                    sleeper.sleep(Duration::ZERO);
                } else {
                    sleeper.cancel();
                }
            }
            assert_eq!(receiver.peek().unwrap(), count.to_le_bytes());
            receiver.release();
        }
        producer.join().unwrap();
    });
}
