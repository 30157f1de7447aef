//! The two rings and the doorbell between the stages of the process. [`ingress`] carries commands from many
//! producers to the engine, [`log`] carries the engine's groups to every reader, [`doorbell`] wakes a stage that
//! sleeps. It owns memory and its order between threads; it does not know what a command, an event or a session is,
//! it never waits, and after creation it takes no memory, no lock and (but for a doorbell whose sleeper sleeps) makes
//! no system call.
//!
//! # Why there is unsafe code here
//!
//! What safe code offers is a queue of owned values (`crossbeam::queue::ArrayQueue`). For records of any length it loses
//! twice by its shape: a slot must be as large as the largest record (16 KiB for a 112-byte order), and a value is copied
//! in and out instead of being read where it lies. It also has one reader per message; the log has several.
//!
//! For short messages of one length the shape decides nothing, and time must. Median of one run, 56-byte messages, two
//! virtual cores of a shared x86-64 server:
//!
//! ```text
//! cargo bench -p benches --bench ring -- 'ballast_log|stream/disruptor/16|round_trip/array|round_trip/ballast_ing'
//!
//!   round trip   ingress 155 ns   log 211 ns   ArrayQueue 265 ns
//!   stream, in batches of 16, a message   log 17.8 ns   disruptor 7.4 ns
//! ```
//!
//! The ingress ring was ahead of `ArrayQueue` in each quiet run. The log ring is not always: another run had 315 ns
//! against 264, because a reader fetches two lines, the published position and the frame. And it is slower than a ring of
//! fixed slots in batches. Its case is length, several readers and groups that become visible whole, not the short hop.
//!
//! # How it is checked
//!
//! ```text
//! cargo test -p gateway --test ring --test ring_stress
//! RUSTFLAGS="--cfg loom" cargo test -p gateway --test ring_loom --release --target-dir target/loom -- --nocapture --test-threads 1
//! ```
//!
//! The second runs the protocols of `ingress`, `log` and `doorbell` under the loom model checker, which tries the
//! interleavings and the stale values that the memory model allows, up to the preemption bounds that it prints. There, a
//! line is 16 bytes instead of 64, so that small models reach the wrap, and `memory` is a twin of its own: every access
//! is reported to the checker as read or write. The pointer arithmetic of the real `memory` is therefore not under the
//! model; `ring` and `ring_stress` run it. Eight models, 178,280 executions, 12 s behind the build; `log_two_readers` is
//! the bounded one: three frames on two lines, two forced switches, 1,019 executions.
//!
//! Loom can only do little traffic. The `shuttle` checker draws schedules of much more of it, by a seed, over the same twin of
//! `memory`, without stale values: `ring_shuttle`, with `--cfg shuttle`. `.ci/models` runs both.

mod doorbell;
mod ingress;
mod log;
mod memory;

pub use doorbell::{Bell, Sleeper, doorbell, doorbell_waking};
pub use ingress::{Full, IngressReceiver, IngressSender, RECORD_BYTES_MAX, ingress};
pub use log::{FRAME_BYTES_MAX, LogReader, LogWriter, frame_space, log};
pub use memory::LINE_BYTES;

/// The primitives, from the standard library or from a model checker.
mod sync {
    #[cfg(loom)]
    pub(super) use loom::{
        cell::UnsafeCell,
        sync::Arc,
        sync::atomic::{AtomicBool, AtomicU64, fence},
        thread::{Thread, current},
    };
    #[cfg(shuttle)]
    pub(super) use shuttle::{
        sync::Arc,
        sync::atomic::{AtomicBool, AtomicU64, fence},
        thread::{Thread, current},
    };
    #[cfg(not(any(loom, shuttle)))]
    pub(super) use std::{
        sync::Arc,
        sync::atomic::{AtomicBool, AtomicU64, fence},
        thread::{Thread, current},
    };

    /// Shuttle has no cell that is tracked: it orders every access of every thread, and looks for wrong answers alone.
    #[cfg(shuttle)]
    pub(super) struct UnsafeCell<T>(T);

    #[cfg(shuttle)]
    impl<T> UnsafeCell<T> {
        pub(super) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(value)
        }

        pub(super) fn with(&self, look: impl FnOnce(&T)) {
            look(&self.0);
        }

        pub(super) fn with_mut(&self, change: impl FnOnce(&T)) {
            change(&self.0);
        }
    }
}
