//! What all stages share: a thread is a struct that is polled, the numbers that flow backwards between stages, and how the
//! venue comes to its end. The order of the end is the order of the data: sockets, engine, journal, last words.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::utils::CachePadded;

/// A bounded amount of work, then return. The simulator polls the same structs on one thread.
pub trait Stage: Send {
    /// How much was done; 0 means that the stage waits for somebody.
    fn poll(&mut self) -> usize;

    /// Nothing will ever be done again.
    fn finished(&self) -> bool;
}

/// Watermark R: what the outside may see. The only edge that points backwards, and it is a number.
#[derive(Clone, Debug, Default)]
pub struct Released(Arc<CachePadded<AtomicU64>>);

impl Released {
    pub fn at(seq: u64) -> Released {
        Released(Arc::new(CachePadded::new(AtomicU64::new(seq))))
    }

    pub fn seq(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub fn publish(&self, seq: u64) {
        self.0.store(seq, Ordering::Release);
    }
}

/// How far the end has come.
#[derive(Clone, Debug, Default)]
pub struct Ending(Arc<Phases>);

#[derive(Debug, Default)]
struct Phases {
    asked: Arc<AtomicBool>,
    ingress_closed: AtomicBool,
    engine_done: AtomicBool,
    journal_done: AtomicBool,
    failure: OnceLock<String>,
    halted: OnceLock<String>,
    disk_failed: AtomicBool,
}

impl Ending {
    /// The flag that a signal sets.
    pub fn asked_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.asked)
    }

    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::Release);
    }

    pub fn asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// Nothing more comes from the sockets.
    pub fn close_ingress(&self) {
        self.0.ingress_closed.store(true, Ordering::Release);
    }

    pub fn ingress_closed(&self) -> bool {
        self.0.ingress_closed.load(Ordering::Acquire)
    }

    /// Everything that came was applied.
    pub fn engine_is_done(&self) {
        self.0.engine_done.store(true, Ordering::Release);
    }

    pub fn engine_done(&self) -> bool {
        self.0.engine_done.load(Ordering::Acquire)
    }

    /// Everything that was applied is durable and sealed.
    pub fn journal_is_done(&self) {
        self.0.journal_done.store(true, Ordering::Release);
    }

    pub fn journal_done(&self) -> bool {
        self.0.journal_done.load(Ordering::Acquire)
    }

    /// The journal cannot go on. Nothing is released from here on; the first reason is kept.
    pub fn fail(&self, reason: String) {
        let _ = self.0.failure.set(reason);
        self.ask();
    }

    /// The venue ends in its order, with everything durable, because it may not go on. The first reason is kept.
    pub fn halt(&self, reason: String) {
        let _ = self.0.halted.set(reason);
        self.ask();
    }

    pub fn halted(&self) -> Option<&str> {
        self.0.halted.get().map(String::as_str)
    }

    /// As `fail`, because the journal's disk did not take what it was given.
    pub fn fail_at_the_disk(&self, reason: String) {
        self.0.disk_failed.store(true, Ordering::Release);
        self.fail(reason);
    }

    pub fn disk_failed(&self) -> bool {
        self.0.disk_failed.load(Ordering::Acquire)
    }

    pub fn failure(&self) -> Option<&str> {
        self.0.failure.get().map(String::as_str)
    }
}
