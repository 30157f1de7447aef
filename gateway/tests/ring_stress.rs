//! The rings and the doorbell between real threads: millions of records, every byte verified. Where there are fewer
//! cores than threads they yield, so that a waiting thread does not spend the time slice of the one it waits for.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)]

use gateway::ring::{IngressReceiver, LogReader, Sleeper, doorbell, frame_space, ingress, log};
use std::thread;
use std::time::{Duration, Instant};

/// Who wrote the record and when, then a pattern that no other record has.
fn fill(record: &mut [u8], producer: u64, count: u64) {
    let name = producer << 56 | count;
    record[..8].copy_from_slice(&name.to_le_bytes());
    let pattern = name.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    for (place, byte) in record[8..].iter_mut().enumerate() {
        *byte = pattern[place % 8] ^ (place / 8) as u8;
    }
}

fn length(producer: u64, count: u64, longest: u64) -> usize {
    let mixed = (producer << 56 | count).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32;
    (8 + mixed % (longest - 7)) as usize
}

/// Verifies every byte and returns who wrote the record and when.
fn check(record: &[u8], scratch: &mut [u8], longest: u64) -> (usize, u64) {
    let name = u64::from_le_bytes(record[..8].try_into().unwrap());
    let (producer, count) = (name >> 56, name & ((1 << 56) - 1));
    assert_eq!(record.len(), length(producer, count, longest));
    fill(&mut scratch[..record.len()], producer, count);
    assert!(record == &scratch[..record.len()], "producer {producer} record {count}");
    (producer as usize, count)
}

fn ingress_stress(producers: u64, records: u64, capacity_bytes: usize, longest: u64) {
    let (sender, mut receiver) = ingress(capacity_bytes);
    thread::scope(|scope| {
        for producer in 0..producers {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut record = vec![0; longest as usize];
                for count in 0..records {
                    let length = length(producer, count, longest);
                    fill(&mut record[..length], producer, count);
                    let (front, back) = record[..length].split_at(length / 3);
                    while sender.try_push(&[front, back]).is_err() {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut expected = vec![0; producers as usize];
        let mut scratch = vec![0; longest as usize];
        let mut left = producers * records;
        while left > 0 {
            if left.is_multiple_of(3)
                && let Some(record) = receiver.look_ahead()
            {
                check(record, &mut scratch, longest);
            }
            let Some(record) = receiver.peek() else {
                thread::yield_now();
                continue;
            };
            let (producer, count) = check(record, &mut scratch, longest);
            assert_eq!(count, expected[producer], "order of producer {producer}");
            expected[producer] += 1;
            receiver.release();
            left -= 1;
        }
        assert!(receiver.peek().is_none());
    });
}

#[test]
fn ingress_two_producers_small_ring() {
    ingress_stress(2, 500_000, 4096, 200);
}

#[test]
fn ingress_four_producers() {
    ingress_stress(4, 250_000, 256 * 1024, 240);
}

#[test]
fn ingress_three_producers_mass_quotes() {
    ingress_stress(3, 20_000, 256 * 1024, 4096);
}

/// Groups of one to four frames; the reader pauses and releases every `lazy` frames.
fn follow(mut reader: LogReader, groups: u64, lazy: u64, longest: u64) {
    let mut scratch = vec![0; longest as usize];
    let (mut frame_count, mut group, mut left_in_group) = (0, 0, 1);
    while group < groups {
        let Some(frame) = reader.peek() else {
            reader.release();
            thread::yield_now();
            continue;
        };
        assert_eq!(check(frame, &mut scratch, longest), (0, frame_count));
        reader.advance();
        frame_count += 1;
        left_in_group -= 1;
        if left_in_group == 0 {
            group += 1;
            left_in_group = 1 + group % 4;
        } else {
            assert!(reader.peek().is_some(), "a group is seen whole");
        }
        if frame_count % lazy == 0 {
            reader.release();
            if lazy > 1 {
                thread::yield_now();
            }
        }
    }
    assert!(reader.peek().is_none());
    reader.release();
}

fn log_stress(groups: u64, capacity_bytes: usize, longest: u64) {
    let (mut writer, readers) = log(capacity_bytes, 3);
    thread::scope(|scope| {
        for (reader, lazy) in readers.into_iter().zip([1, 7, 40]) {
            scope.spawn(move || follow(reader, groups, lazy, longest));
        }
        let mut frames = 0;
        for group in 0..groups {
            let members = 1 + group % 4;
            while !writer.has_room(members as usize * frame_space(longest as usize)) {
                thread::yield_now();
            }
            for _ in 0..members {
                fill(writer.stage(length(0, frames, longest)), 0, frames);
                frames += 1;
            }
            writer.publish();
        }
    });
}

#[test]
fn log_three_readers_small_ring() {
    log_stress(50_000, 16 * 1024, 200);
}

#[test]
fn log_three_readers_large_frames() {
    log_stress(8_000, 256 * 1024, 4096);
}

/// No thread waits this long for its time slice.
const SLEEP_MAX: Duration = Duration::from_secs(120);

/// Sleeps until a record is there; returns its number and how many sleeps ended without one.
fn take_sleeping(receiver: &mut IngressReceiver, sleeper: &mut Sleeper) -> (u64, u64) {
    let mut late = 0;
    while receiver.peek().is_none() {
        sleeper.prepare();
        if receiver.peek().is_some() {
            sleeper.cancel();
            continue;
        }
        let asleep = Instant::now();
        let rang = sleeper.sleep(SLEEP_MAX);
        assert!(asleep.elapsed() < SLEEP_MAX, "a wake-up was lost");
        late += u64::from(!rang && receiver.peek().is_none());
    }
    let count = u64::from_le_bytes(receiver.peek().unwrap().try_into().unwrap());
    receiver.release();
    (count, late)
}

/// Two threads that sleep at every turn. A lost wake-up is a sleep to its end; early returns are few.
#[test]
fn doorbell_ping_pong() {
    const TURNS: u64 = 50_000;
    let started = Instant::now();
    let (to_there, mut there) = ingress(1024);
    let (to_here, mut here) = ingress(1024);
    let (bell_here, mut sleeper_here) = doorbell();
    let (bell_there, mut sleeper_there) = doorbell();
    thread::scope(|scope| {
        scope.spawn(move || {
            for expected in 0..TURNS {
                assert_eq!(take_sleeping(&mut there, &mut sleeper_there).0, expected);
                to_here.try_push(&[&expected.to_le_bytes()]).unwrap();
                bell_here.ring();
            }
        });
        let mut idle = 0;
        for expected in 0..TURNS {
            to_there.try_push(&[&expected.to_le_bytes()]).unwrap();
            bell_there.ring();
            let (count, returns) = take_sleeping(&mut here, &mut sleeper_here);
            assert_eq!(count, expected);
            idle += returns;
        }
        println!("{TURNS} turns in {:?}, {idle} sleeps ended for no record", started.elapsed());
    });
}
