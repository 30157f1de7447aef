//! What a hand-over between two cores costs: both rings of the gateway against the queues one would take instead, in one
//! run, with the same payloads and batches, beside the raw cache line. It knows the rings' public face only.
//!
//! ```text
//! cargo bench -p benches --bench ring
//! ```
//!
//! `round_trip` sends one message there and one back: half of it is a hop. `stream` counts per message while both ends
//! are busy. Absolute times follow the host's placement of the two cores; ratios to `cache_line` in the same run do not.

use core_affinity::CoreId;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use disruptor::{BusySpin, Polling, Producer};
use gateway::ring::{frame_space, ingress, log};
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// What a fill or a small order weighs; the first eight bytes count.
const MESSAGE_BYTES: usize = 56;
const SLOTS: usize = 4096;
const RING_BYTES: usize = SLOTS * 64;

type Message = [u8; MESSAGE_BYTES];

fn message(count: u64) -> Message {
    let mut message = [0; MESSAGE_BYTES];
    message[..8].copy_from_slice(&count.to_le_bytes());
    message
}

/// The same, encoded in place.
fn put(frame: &mut [u8], count: u64) {
    frame[..8].copy_from_slice(&count.to_le_bytes());
    frame[8..].fill(0);
}

fn count_of(message: &[u8]) -> u64 {
    u64::from_le_bytes(message[..8].try_into().expect("eight bytes"))
}

/// The list is read once: a pinned thread sees its own core only.
fn pin(core: usize) {
    static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();
    let cores = CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default());
    if !cores.is_empty() {
        core_affinity::set_for_current(cores[core % cores.len()]);
    }
}

/// Echoes on the other core until stopped; the bench thread sends and waits.
fn round_trip(name: &str, criterion: &mut Criterion, mut send_and_wait: impl FnMut(u64)) {
    let mut count = 0;
    criterion.benchmark_group("round_trip").bench_function(name, |bencher| {
        bencher.iter(|| {
            count += 1;
            send_and_wait(count);
        })
    });
}

/// Times `messages` from the first send to the last receipt. `receive` takes what there is and returns how many.
fn stream(
    name: &str,
    batch: usize,
    criterion: &mut Criterion,
    mut send: impl FnMut(u64) + Send,
    mut receive: impl FnMut() -> u64,
) {
    let go = CachePadded::new(AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            let mut sent = 0;
            while !stop.load(Relaxed) {
                while sent < go.load(Acquire) {
                    send(sent);
                    sent += batch as u64;
                }
                spin_loop();
            }
        });
        let mut group = criterion.benchmark_group("stream");
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(name, batch), |bencher| {
            bencher.iter_custom(|messages| {
                let messages = messages.next_multiple_of(batch as u64);
                let mut left = messages;
                let start = Instant::now();
                go.fetch_add(messages, Release);
                while left > 0 {
                    match receive() {
                        0 => spin_loop(),
                        received => left -= received,
                    }
                }
                start.elapsed()
            })
        });
        stop.store(true, Relaxed);
    });
}

fn with_echo(echo: impl FnMut() + Send, bench: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    let mut echo = echo;
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !stop.load(Relaxed) {
                echo();
                spin_loop();
            }
        });
        bench();
        stop.store(true, Relaxed);
    });
}

fn cache_line(criterion: &mut Criterion) {
    let line = CachePadded::new(AtomicU64::new(0));
    let echo = || {
        let seen = line.load(Acquire);
        if seen % 2 == 1 {
            line.store(seen + 1, Release);
        }
    };
    with_echo(echo, || {
        round_trip("cache_line", criterion, |count| {
            line.store(2 * count - 1, Release);
            while line.load(Acquire) != 2 * count {
                spin_loop();
            }
        })
    });
    let [there, back] = [(); 2].map(|()| CachePadded::new(AtomicU64::new(0)));
    let echo = || back.store(there.load(Acquire), Release);
    with_echo(echo, || {
        round_trip("cache_line_each_way", criterion, |count| {
            there.store(count, Release);
            while back.load(Acquire) != count {
                spin_loop();
            }
        })
    });
}

fn ingress_ring(criterion: &mut Criterion) {
    let (there, mut at_there) = ingress(RING_BYTES);
    let (back, mut at_back) = ingress(RING_BYTES);
    let echo = move || {
        if let Some(record) = at_there.peek() {
            back.try_push(&[record]).expect("one message under way");
            at_there.release();
        }
    };
    with_echo(echo, || {
        round_trip("ballast_ingress", criterion, |count| {
            there.try_push(&[&message(count)]).expect("one message under way");
            while at_back.peek().is_none() {
                spin_loop();
            }
            at_back.release();
        })
    });
    for batch in [1, 16] {
        let (sender, mut receiver) = ingress(RING_BYTES);
        let send = move |first| {
            for count in first..first + batch as u64 {
                let message = message(count);
                while sender.try_push(&[&message]).is_err() {
                    spin_loop();
                }
            }
        };
        stream("ballast_ingress", batch, criterion, send, || {
            let mut received = 0;
            while received < 16
                && let Some(record) = receiver.peek()
            {
                black_box(count_of(record));
                receiver.release();
                received += 1;
            }
            received
        });
    }
}

fn log_ring(criterion: &mut Criterion) {
    let (mut there, mut at_there) = log(RING_BYTES, 1);
    let (mut back, mut at_back) = log(RING_BYTES, 1);
    let echo = move || {
        if let Some(frame) = at_there[0].peek() {
            assert!(back.has_room(frame_space(MESSAGE_BYTES)));
            back.stage(MESSAGE_BYTES).copy_from_slice(frame);
            back.publish();
            at_there[0].advance();
            at_there[0].release();
        }
    };
    with_echo(echo, || {
        round_trip("ballast_log", criterion, |count| {
            assert!(there.has_room(frame_space(MESSAGE_BYTES)));
            put(there.stage(MESSAGE_BYTES), count);
            there.publish();
            while at_back[0].peek().is_none() {
                spin_loop();
            }
            at_back[0].advance();
            at_back[0].release();
        })
    });
    for batch in [1, 16] {
        let (mut writer, mut readers) = log(RING_BYTES, 1);
        let send = move |first| {
            while !writer.has_room(batch * frame_space(MESSAGE_BYTES)) {
                spin_loop();
            }
            for count in first..first + batch as u64 {
                put(writer.stage(MESSAGE_BYTES), count);
            }
            writer.publish();
        };
        stream("ballast_log", batch, criterion, send, || {
            let mut received = 0;
            while received < 256
                && let Some(frame) = readers[0].peek()
            {
                black_box(count_of(frame));
                readers[0].advance();
                received += 1;
            }
            if received > 0 {
                readers[0].release();
            }
            received
        });
    }
}

fn array_queue(criterion: &mut Criterion) {
    let queues = || Arc::new(ArrayQueue::<Message>::new(SLOTS));
    let (there, back) = (queues(), queues());
    let echo = || {
        if let Some(message) = there.pop() {
            back.push(message).expect("one message under way");
        }
    };
    with_echo(echo, || {
        round_trip("array_queue", criterion, |count| {
            there.push(message(count)).expect("one message under way");
            while back.pop().is_none() {
                spin_loop();
            }
        })
    });
    let queue = queues();
    let send = |count| {
        while queue.push(message(count)).is_err() {
            spin_loop();
        }
    };
    stream("array_queue", 1, criterion, send, || {
        let Some(message) = queue.pop() else { return 0 };
        black_box(count_of(&message));
        1
    });
}

fn rtrb_ring(criterion: &mut Criterion) {
    let (mut there, mut at_there) = rtrb::RingBuffer::<Message>::new(SLOTS);
    let (mut back, mut at_back) = rtrb::RingBuffer::<Message>::new(SLOTS);
    let echo = move || {
        if let Ok(message) = at_there.pop() {
            back.push(message).expect("one message under way");
        }
    };
    with_echo(echo, || {
        round_trip("rtrb", criterion, |count| {
            there.push(message(count)).expect("one message under way");
            while at_back.pop().is_err() {
                spin_loop();
            }
        })
    });
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Message>::new(SLOTS);
    let send = move |count| {
        while producer.push(message(count)).is_err() {
            spin_loop();
        }
    };
    stream("rtrb", 1, criterion, send, || {
        let Ok(message) = consumer.pop() else { return 0 };
        black_box(count_of(&message));
        1
    });
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Message>::new(SLOTS);
    let send = move |first| {
        let chunk = loop {
            match producer.write_chunk_uninit(16) {
                Ok(chunk) => break chunk,
                Err(_) => spin_loop(),
            }
        };
        chunk.fill_from_iter((first..first + 16).map(message));
    };
    stream("rtrb", 16, criterion, send, || {
        let received = consumer.slots().min(256);
        let chunk = consumer.read_chunk(received).expect("as many as there are");
        chunk.into_iter().for_each(|message| assert!(black_box(count_of(&message)) < u64::MAX));
        received as u64
    });
}

fn disruptor_ring(criterion: &mut Criterion) {
    let builder = || disruptor::build_single_producer(SLOTS, || message(0), BusySpin).new_event_poller();
    let (mut at_there, there) = builder();
    let (mut at_back, back) = builder();
    let (mut there, mut back) = (there.build(), back.build());
    let echo = move || {
        if let Ok(mut events) = at_there.poll() {
            for event in &mut events {
                back.publish(|slot| *slot = *event);
            }
        }
    };
    with_echo(echo, || {
        round_trip("disruptor", criterion, |count| {
            there.publish(|slot| *slot = message(count));
            loop {
                match at_back.poll() {
                    Ok(_) => break,
                    Err(Polling::NoEvents) => spin_loop(),
                    Err(Polling::Shutdown) => unreachable!("the echo outlives the bench"),
                }
            }
        })
    });
    for batch in [1, 16] {
        let (mut poller, producer) = builder();
        let mut producer = producer.build();
        let send = move |first: u64| {
            if batch == 1 {
                producer.publish(|slot| *slot = message(first));
            } else {
                producer.batch_publish(batch, |slots| {
                    slots.zip(first..).for_each(|(slot, count)| *slot = message(count));
                });
            }
        };
        stream("disruptor", batch, criterion, send, || {
            let Ok(mut events) = poller.poll() else { return 0 };
            let mut received = 0;
            for event in &mut events {
                black_box(count_of(event));
                received += 1;
            }
            received
        });
    }
    let (mut poller, producer) =
        disruptor::build_multi_producer(SLOTS, || message(0), BusySpin).new_event_poller();
    let mut producer = producer.build();
    let send = move |first: u64| producer.publish(|slot| *slot = message(first));
    stream("disruptor_multi_producer", 1, criterion, send, || {
        let Ok(mut events) = poller.poll() else { return 0 };
        let mut received = 0;
        for event in &mut events {
            black_box(count_of(event));
            received += 1;
        }
        received
    });
}

/// A two-sided mass quote of 100 pairs: what the copy and the zeroes of its continuation lines cost.
fn mass_quote(criterion: &mut Criterion) {
    let (sender, mut receiver) = ingress(1 << 20);
    let quote = [7u8; 4096];
    let send = move |_| {
        while sender.try_push(&[&quote]).is_err() {
            spin_loop();
        }
    };
    stream("ballast_ingress_4096_bytes", 1, criterion, send, || match receiver.peek() {
        None => 0,
        Some(record) => {
            black_box(record.iter().step_by(64).fold(0, |sum: u8, byte| sum ^ byte));
            receiver.release();
            1
        }
    });
}

fn rings(criterion: &mut Criterion) {
    pin(0);
    cache_line(criterion);
    log_ring(criterion);
    disruptor_ring(criterion);
    ingress_ring(criterion);
    rtrb_ring(criterion);
    array_queue(criterion);
    mass_quote(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(1000)).sample_size(20);
    targets = rings
}
criterion_main!(benches);
