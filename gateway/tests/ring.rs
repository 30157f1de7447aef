//! What the rings promise, one thread at a time: wrap, padding, exact capacity, refusal, forged headers.
#![cfg(not(loom))]

use gateway::ring::{
    FRAME_BYTES_MAX, Full, LINE_BYTES, LogReader, LogWriter, RECORD_BYTES_MAX, doorbell, doorbell_waking,
    frame_space, ingress, log,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const LINE_PAYLOAD: usize = LINE_BYTES - 8;

#[test]
fn ingress_hands_over_the_parts_as_one_record() {
    let (sender, mut receiver) = ingress(1024);
    assert!(receiver.peek().is_none());
    sender.try_push(&[b"order", b"", b" and ", b"account"]).unwrap();
    sender.try_push(&[]).unwrap();
    assert_eq!(receiver.peek().unwrap(), b"order and account");
    assert_eq!(receiver.peek().unwrap(), b"order and account", "it stays until released");
    assert_eq!(receiver.peek().unwrap().as_ptr() as usize % 8, 0);
    receiver.release();
    assert_eq!(receiver.peek().unwrap(), b"");
    receiver.release();
    assert!(receiver.peek().is_none());
}

#[test]
fn ingress_fills_to_the_last_line_and_refuses_without_trace() {
    let (sender, mut receiver) = ingress(4 * LINE_BYTES);
    for lap in 0..5u8 {
        for slot in 0..4 {
            sender.try_push(&[&[lap * 4 + slot; LINE_PAYLOAD]]).unwrap();
        }
        assert_eq!(sender.try_push(&[&[]]), Err(Full));
        for slot in 0..4 {
            assert_eq!(receiver.peek().unwrap(), [lap * 4 + slot; LINE_PAYLOAD]);
            receiver.release();
        }
        assert!(receiver.peek().is_none());
    }
}

#[test]
fn ingress_pads_over_the_wrap() {
    let (sender, mut receiver) = ingress(4 * LINE_BYTES);
    let two_lines = [2; LINE_PAYLOAD + LINE_BYTES];
    for _ in 0..3 {
        sender.try_push(&[&[1; LINE_PAYLOAD]]).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(sender.try_push(&[&two_lines]), Err(Full), "one line of padding and two of record");
        receiver.peek().unwrap();
        receiver.release();
    }
    sender.try_push(&[&two_lines]).unwrap();
    assert_eq!(sender.try_push(&[&[]]), Err(Full));
    assert_eq!(receiver.look_ahead(), Some(&two_lines[..]));
    assert_eq!(receiver.peek().unwrap(), [1; LINE_PAYLOAD]);
    receiver.release();
    assert_eq!(receiver.look_ahead(), None);
    assert_eq!(receiver.peek().unwrap(), two_lines);
    assert_eq!(receiver.look_ahead(), None);
    receiver.release();
    assert!(receiver.peek().is_none());
}

#[test]
fn ingress_takes_its_longest_record_at_every_offset() {
    let (sender, mut receiver) = ingress(2 * 32 * 1024);
    assert_eq!(sender.record_bytes_max(), RECORD_BYTES_MAX);
    for round in 0..1100usize {
        let length = if round % 2 == 0 { 1 } else { RECORD_BYTES_MAX };
        sender.try_push(&[&vec![round as u8; length]]).unwrap();
        assert!(receiver.peek().unwrap().iter().all(|byte| *byte == round as u8));
        assert_eq!(receiver.peek().unwrap().len(), length);
        receiver.release();
    }
    let (small, mut receiver) = ingress(2 * LINE_BYTES);
    for _ in 0..7 {
        small.try_push(&[&vec![7; small.record_bytes_max()]]).unwrap();
        receiver.peek().unwrap();
        receiver.release();
    }
}

/// Payloads made of words that would pass for headers of this lap and the next ones.
#[test]
fn ingress_takes_no_payload_for_a_header() {
    let (sender, mut receiver) = ingress(8 * LINE_BYTES);
    let mut position = 0;
    for round in 0..2000 {
        let words = 1 + round * 7 % 31;
        let lap = (position / (8 * LINE_BYTES) + 1 + round % 3) as u64;
        let forged = (lap << 16 | 40).to_le_bytes().repeat(words);
        sender.try_push(&[&forged]).unwrap();
        assert_eq!(receiver.peek().unwrap(), forged);
        receiver.release();
        assert!(receiver.peek().is_none(), "round {round}");
        let space = (8 + forged.len()).next_multiple_of(LINE_BYTES);
        let to_wrap = 8 * LINE_BYTES - position % (8 * LINE_BYTES);
        position += space + if space > to_wrap { to_wrap } else { 0 };
    }
}

#[test]
fn ingress_looks_ahead_once_at_each() {
    let (sender, mut receiver) = ingress(1024);
    for value in 0..4u8 {
        sender.try_push(&[&[value]]).unwrap();
    }
    assert_eq!(receiver.look_ahead(), Some(&[1][..]));
    assert_eq!(receiver.look_ahead(), Some(&[2][..]));
    assert_eq!(receiver.peek(), Some(&[0][..]));
    for _ in 0..3 {
        receiver.peek().unwrap();
        receiver.release();
    }
    assert_eq!(receiver.look_ahead(), None, "3 is the next itself");
    sender.try_push(&[&[4]]).unwrap();
    assert_eq!(receiver.look_ahead(), Some(&[4][..]));
    assert_eq!(receiver.peek(), Some(&[3][..]));
}

#[test]
#[should_panic(expected = "a release follows a peek")]
fn ingress_release_needs_a_peek() {
    let (sender, mut receiver) = ingress(1024);
    sender.try_push(&[b"x"]).unwrap();
    receiver.release();
}

#[test]
#[should_panic(expected = "a record of")]
fn ingress_rejects_an_impossible_length() {
    let (sender, _receiver) = ingress(1 << 20);
    let _ = sender.try_push(&[&[0; RECORD_BYTES_MAX], &[0]]);
}

fn put(writer: &mut LogWriter, frames: &[&[u8]]) {
    for frame in frames {
        writer.stage(frame.len()).copy_from_slice(frame);
    }
    writer.publish();
}

fn drain(reader: &mut LogReader) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = reader.peek() {
        assert_eq!(frame.as_ptr() as usize % 8, 0);
        frames.push(frame.to_vec());
        reader.advance();
    }
    reader.release();
    frames
}

#[test]
fn log_shows_a_group_at_once_to_every_reader() {
    let (mut writer, mut readers) = log(4096, 3);
    assert!(writer.has_room(100));
    writer.stage(5).copy_from_slice(b"order");
    writer.stage(0);
    assert!(readers.iter_mut().all(|reader| reader.peek().is_none()));
    writer.stage(4).copy_from_slice(b"fill");
    writer.publish();
    writer.publish();
    for reader in &mut readers {
        assert_eq!(drain(reader), [&b"order"[..], b"", b"fill"]);
        assert!(reader.peek().is_none());
    }
}

#[test]
fn log_waits_for_the_slowest_reader() {
    let (mut writer, mut readers) = log(1024, 2);
    let mut groups = 0;
    while writer.has_room(frame_space(56)) {
        put(&mut writer, &[&[groups; 56]]);
        groups += 1;
    }
    assert_eq!(groups, 16, "to the last byte");
    assert_eq!(drain(&mut readers[0]).len(), 16);
    assert!(!writer.has_room(frame_space(56)));
    readers[1].peek().unwrap();
    readers[1].advance();
    assert!(!writer.has_room(frame_space(56)), "not released yet");
    readers[1].release();
    assert!(writer.has_room(frame_space(56)));
    assert!(!writer.has_room(frame_space(57)));
    assert_eq!(drain(&mut readers[1]).len(), 15);
}

/// Every sum that `has_room` grants is used up by frames of random sizes, at every kind of offset, and arrives whole.
#[test]
fn log_room_is_enough_wherever_the_wrap_falls() {
    for capacity_bytes in [256, 1024, 4096, 65536] {
        let (mut writer, mut readers) = log(capacity_bytes, 1);
        let mut random = Random(capacity_bytes as u64);
        for round in 0..10_000 {
            let bytes_max = random.below(writer.room_max() + 1);
            assert!(writer.has_room(bytes_max), "capacity {capacity_bytes} round {round}: the ring is empty");
            let mut expected = Vec::new();
            let mut left = bytes_max;
            while left >= frame_space(0) {
                let longest = ((left - frame_space(0)) / 8 * 8).min(FRAME_BYTES_MAX);
                let frame = vec![random.below(256) as u8; random.below(longest + 1)];
                writer.stage(frame.len()).copy_from_slice(&frame);
                left -= frame_space(frame.len());
                expected.push(frame);
            }
            writer.publish();
            let seen = drain(&mut readers[0]);
            assert!(seen == expected, "capacity {capacity_bytes} round {round}");
        }
    }
}

#[test]
#[should_panic(expected = "there was no room")]
fn log_never_overwrites() {
    let (mut writer, _readers) = log(256, 1);
    for _ in 0..10 {
        put(&mut writer, &[&[0; 56]]);
    }
}

#[test]
#[should_panic(expected = "in a ring that never has it")]
fn log_has_no_room_for_the_impossible() {
    let (mut writer, _readers) = log(256, 1);
    writer.has_room(200);
}

#[test]
#[should_panic(expected = "an advance follows a peek")]
fn log_advance_needs_a_peek() {
    let (mut writer, mut readers) = log(256, 1);
    put(&mut writer, &[b"x"]);
    readers[0].advance();
}

#[test]
fn doorbell_calls_only_a_sleeper() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let call = move || {
        counted.fetch_add(1, Relaxed);
    };
    let (bell, mut sleeper) = doorbell_waking(Box::new(call));
    bell.ring();
    assert_eq!(calls.load(Relaxed), 0);
    sleeper.prepare();
    assert!(!sleeper.cancel());
    bell.ring();
    assert_eq!(calls.load(Relaxed), 0);
    sleeper.prepare();
    bell.ring();
    bell.clone().ring();
    assert_eq!(calls.load(Relaxed), 1, "once per announcement");
    assert!(sleeper.cancel());
}

#[test]
fn doorbell_before_the_sleep_is_not_lost() {
    let (bell, mut sleeper) = doorbell();
    sleeper.prepare();
    bell.ring();
    assert!(sleeper.sleep(Duration::from_secs(60)));
    sleeper.prepare();
    assert!(!sleeper.sleep(Duration::from_millis(1)));
}

/// Xorshift: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
