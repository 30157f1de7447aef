//! The doorbell: how a stage that sleeps is woken, at no system call while it is awake. It owns the agreement between one
//! sleeper and those who bring it work; it does not know where the work lies. A stage that spins never announces sleep.
//!
//! The sleeper:                                    whoever brings work:
//!
//! ```text
//!   asleep <- true        (prepare)                 work <- stored           (push, publish)
//!   fence, sequentially consistent                  fence, sequentially consistent  (ring)
//!   looks at its queues                             looks at asleep
//! ```
//!
//! Of the two fences one comes first in their single order, and what was stored before it is seen by what is loaded behind
//! the other. If the sleeper's is first, the ringer sees `asleep` and wakes it; if the ringer's is first, the sleeper
//! sees the work and does not sleep. Neither sees the other's store only if each fence comes before the other. A wake
//! token for a sleeper that has changed its mind stays with the thread and costs one early return from its next sleep.

use super::sync::{Arc, AtomicBool, Thread, current, fence};
use crossbeam::utils::CachePadded;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use std::time::Duration;

/// A doorbell for a thread that sleeps in [`Sleeper::sleep`].
pub fn doorbell() -> (Bell, Sleeper) {
    build(Wake::Unpark(OnceLock::new()))
}

/// A doorbell for a thread that sleeps elsewhere, in epoll say, and that `wake` brings back. `wake` runs on the ringer's
/// thread, at most once per announcement, and must leave a token when it comes before the sleep, as `mio::Waker` does.
pub fn doorbell_waking(wake: Box<dyn Fn() + Send + Sync>) -> (Bell, Sleeper) {
    build(Wake::Call(wake))
}

fn build(wake: Wake) -> (Bell, Sleeper) {
    let shared = Arc::new(Shared { asleep: CachePadded::new(AtomicBool::new(false)), wake });
    (Bell { shared: Arc::clone(&shared) }, Sleeper { shared })
}

struct Shared {
    /// True from the announcement until the sleeper is awake or someone has undertaken to wake it.
    asleep: CachePadded<AtomicBool>,
    wake: Wake,
}

enum Wake {
    /// The sleeper's thread, known from its first announcement.
    Unpark(OnceLock<Thread>),
    Call(Box<dyn Fn() + Send + Sync>),
}

/// For those who bring work.
#[derive(Clone)]
pub struct Bell {
    shared: Arc<Shared>,
}

impl Bell {
    /// Call it after the work is visible (pushed, published, released), once per batch.
    #[inline]
    pub fn ring(&self) {
        fence(SeqCst);
        if self.shared.asleep.load(Relaxed) {
            self.wake();
        }
    }

    /// The swap lets one of several ringers make the call.
    #[cold]
    fn wake(&self) {
        if !self.shared.asleep.swap(false, AcqRel) {
            return;
        }
        match &self.shared.wake {
            Wake::Unpark(thread) => {
                thread.get().expect("set before the announcement that the swap acquired").unpark()
            }
            Wake::Call(wake) => wake(),
        }
    }
}

/// For the one who sleeps: `prepare`, look at every queue once more, then `sleep` or `cancel`.
pub struct Sleeper {
    shared: Arc<Shared>,
}

impl Sleeper {
    /// Announces sleep. Work that was brought before is visible to the look that follows; whoever brings it later rings.
    ///
    /// # Panics
    /// If another thread than at the first announcement calls it: the bell would wake the wrong one.
    pub fn prepare(&mut self) {
        if let Wake::Unpark(thread) = &self.shared.wake {
            let owner = thread.get_or_init(current);
            assert!(owner.id() == current().id(), "a sleeper stays on the thread it first slept on");
        }
        // A swap, not a store: it reads the last ringer's swap, so the two are ordered for the model checker too. The
        // path to sleep can afford it.
        self.shared.asleep.swap(true, AcqRel);
        fence(SeqCst);
    }

    /// Sleeps until the bell rings, the time is over, or, rarely, for no reason; then is awake. Returns whether it rang.
    ///
    /// # Panics
    /// If the doorbell was made by [`doorbell_waking`]: its owner sleeps elsewhere and then calls `cancel`.
    pub fn sleep(&mut self, timeout: Duration) -> bool {
        assert!(matches!(self.shared.wake, Wake::Unpark(_)), "this doorbell's sleeper sleeps elsewhere");
        park(timeout);
        self.cancel()
    }

    /// Is awake again, or still: work was found after `prepare`, or the sleep elsewhere is over. Returns whether it rang.
    pub fn cancel(&mut self) -> bool {
        !self.shared.asleep.swap(false, AcqRel)
    }
}

#[cfg(not(any(loom, shuttle)))]
fn park(timeout: Duration) {
    std::thread::park_timeout(timeout);
}

/// The model has no time: a sleep that nobody ends is a deadlock, which the checker reports.
#[cfg(loom)]
fn park(_timeout: Duration) {
    loom::thread::park();
}

#[cfg(shuttle)]
fn park(_timeout: Duration) {
    shuttle::thread::park();
}
