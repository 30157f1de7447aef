//! The rings and the doorbell under schedules that are drawn: more producers, readers and traffic than `ring_loom` can try
//! out exhaustively. `BALLAST_SCHEDULES` is how many for each model; the checker prints the schedule of a failure, which
//! `shuttle::replay` repeats.
#![cfg(shuttle)]

use std::time::Duration;

use gateway::ring::{IngressSender, doorbell, ingress, log};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, Ordering::Relaxed};
use shuttle::thread;

/// Half of the schedules any thread at any time, half with few switches at the places that matter.
fn explore(name: &str, model: impl Fn() + Sync + Send + Clone + 'static) {
    const SWITCHES: usize = 3;
    let set = std::env::var("BALLAST_SCHEDULES").ok();
    let schedules: usize = set.map_or(10_000, |text| text.parse().expect("a number"));
    shuttle::check_random(model.clone(), schedules - schedules / 2);
    shuttle::check_pct(model, schedules / 2, SWITCHES);
    println!("S2 {name}: {schedules} schedules drawn, 0 failures");
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn push(sender: &IngressSender, record: &[u8]) {
    while sender.try_push(&[record]).is_err() {
        thread::yield_now();
    }
}

/// Three producers over a ring of four lines: each one's records come whole and in order, and the sleeper is woken for each.
#[test]
fn ingress_with_three_producers_and_a_sleeper() {
    const PRODUCERS: u64 = 3;
    const RECORDS: u64 = 4;
    explore("ingress with doorbell, 3 producers x 4 records, 4 lines", || {
        let (sender, mut receiver) = ingress(64);
        let (bell, mut sleeper) = doorbell();
        let producers = (0..PRODUCERS).map(|producer| {
            let (sender, bell) = (sender.clone(), bell.clone());
            thread::spawn(move || {
                for record in 0..RECORDS {
                    // Of one line and of two.
                    let bytes =
                        words(&[producer << 32 | record, record, record][..1 + 2 * (record as usize % 2)]);
                    push(&sender, &bytes);
                    bell.ring();
                }
            })
        });
        let producers: Vec<_> = producers.collect();
        let mut due = [0; PRODUCERS as usize];
        for _ in 0..PRODUCERS * RECORDS {
            while receiver.peek().is_none() {
                sleeper.prepare();
                if receiver.peek().is_none() {
                    sleeper.sleep(Duration::ZERO);
                } else {
                    sleeper.cancel();
                }
            }
            let record = receiver.peek().expect("it was there");
            let first = u64::from_le_bytes(record[..8].try_into().expect("eight bytes"));
            let (producer, count) = ((first >> 32) as usize, first & 0xFFFF_FFFF);
            assert_eq!(count, due[producer], "order of one producer");
            due[producer] += 1;
            assert_eq!(record.len() as u64, 8 + 16 * (count % 2));
            assert!(record[8..].chunks(8).all(|word| word == count.to_le_bytes()));
            receiver.release();
        }
        assert!(receiver.peek().is_none());
        producers.into_iter().for_each(|it| it.join().expect("pushed"));
    });
}

/// Groups of two frames over a ring of eight lines, two readers, each sees every group whole.
#[test]
fn log_with_two_readers() {
    const GROUPS: u64 = 6;
    explore("log, 6 groups x 2 frames, 2 readers, 8 lines", || {
        let (mut writer, readers) = log(128, 2);
        let reading = readers.into_iter().map(|mut reader| {
            thread::spawn(move || {
                for frame in 0..2 * GROUPS {
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
            })
        });
        let reading: Vec<_> = reading.collect();
        for group in 0..GROUPS {
            while !writer.has_room(16 + 24) {
                thread::yield_now();
            }
            writer.stage(8).copy_from_slice(&words(&[2 * group]));
            writer.stage(16).copy_from_slice(&words(&[2 * group + 1, u64::MAX]));
            writer.publish();
        }
        reading.into_iter().for_each(|it| it.join().expect("read"));
    });
}

/// Three ringers, each bringing three pieces of work; a lost wake-up is a deadlock.
#[test]
fn doorbell_with_three_ringers() {
    const PIECES: u64 = 3;
    explore("doorbell, 3 ringers x 3", || {
        let (bell, mut sleeper) = doorbell();
        let work = [0, 1, 2].map(|_| Arc::new(AtomicU64::new(0)));
        let ringers = work.clone().map(|piece| {
            let bell = bell.clone();
            thread::spawn(move || {
                for count in 1..=PIECES {
                    piece.store(count, Relaxed);
                    bell.ring();
                }
            })
        });
        let done = || work.iter().all(|piece| piece.load(Relaxed) == PIECES);
        while !done() {
            sleeper.prepare();
            if done() {
                sleeper.cancel();
            } else {
                sleeper.sleep(Duration::ZERO);
            }
        }
        ringers.into_iter().for_each(|it| it.join().expect("rung"));
    });
}
