//! How long the syncs of a disk last, and whether one lasts right now.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Nothing by itself: a sync then ends where it began.
#[derive(Default)]
pub struct Slow {
    lasts_ms: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Slow {
    /// How long each sync lasts that begins from here on.
    pub fn set(&self, lasts: Duration) {
        self.lasts_ms.store(lasts.as_millis() as u64, SeqCst);
    }

    pub fn begin(&self) -> Option<Duration> {
        let lasts_ms = self.lasts_ms.load(SeqCst);
        if lasts_ms == 0 {
            return None;
        }
        self.begun.fetch_add(1, SeqCst);
        Some(Duration::from_millis(lasts_ms))
    }

    /// Nobody can wake it.
    pub fn wait(&self, lasts: Duration) {
        let (_nobody, never) = channel::<()>();
        let _ = never.recv_timeout(lasts);
    }

    pub fn end(&self) {
        self.ended.fetch_add(1, SeqCst);
    }

    /// Slow syncs that have begun, and those that have ended.
    pub fn counts(&self) -> (u64, u64) {
        (self.begun.load(SeqCst), self.ended.load(SeqCst))
    }
}
