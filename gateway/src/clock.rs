//! The one clock of the process: nanoseconds since 1970 that never go back, from the processor's counter, anchored once to
//! the wall clock. The engine never sees it; the matcher stamps commands with it, once per batch.

use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug)]
pub struct Clock {
    counter: quanta::Clock,
    start: quanta::Instant,
    start_ns: u64,
}

impl Clock {
    pub fn start() -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock::on(quanta::Clock::new(), u64::try_from(since.as_nanos()).unwrap_or(u64::MAX / 2))
    }

    /// A clock that shows `start_ns` and goes on as `counter` does. Tests have counters that stand, stumble and go back.
    pub fn on(counter: quanta::Clock, start_ns: u64) -> Clock {
        Clock { start: counter.now(), counter, start_ns }
    }

    pub fn now_ns(&self) -> u64 {
        let since = self.counter.now().saturating_duration_since(self.start);
        self.start_ns + since.as_nanos() as u64
    }
}
