//! A thread of the venue that reads all sealed segments again and again, at a bounded rate, and says when one no longer
//! verifies: a start reads only what is behind its snapshot, so the rest is looked at here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use journal::{Identity, OpenError, Watermarks, beginning, verify_sealed_segment};

use crate::cli::warn;

/// Between two rounds, and while there is nothing to read.
const REST: Duration = Duration::from_secs(1);

pub struct Scrubber {
    pub journal: PathBuf,
    pub identity: Identity,
    pub watermarks: Watermarks,
    pub bytes_per_second: u64,
    /// Set once damage was found: from then on nothing is removed, for the rest may be needed to mend it.
    pub damaged: Arc<AtomicBool>,
    /// Ends when the other side does.
    pub stop: Receiver<()>,
}

impl Scrubber {
    /// Round after round until it is stopped.
    pub fn run(self) {
        let mut told = String::new();
        loop {
            match self.round() {
                Ok(true) => {}
                Ok(false) => return,
                Err(text) if text == told => {}
                Err(text) => {
                    self.damaged.store(true, Ordering::Release);
                    warn(format_args!(
                        "ALARM: a sealed segment no longer verifies; restore it from the archive, a backup or \
                         a replica, and remove nothing until then: {text}"
                    ));
                    told = text;
                }
            }
            if self.is_stopped(REST) {
                return;
            }
        }
    }

    /// Every sealed segment once; false if it was stopped on the way.
    fn round(&self) -> Result<bool, String> {
        let text = |error: OpenError| error.to_string();
        let directory: &Path = &self.journal;
        let mut end = beginning(directory, &self.identity).map_err(text)?;
        for number in journal::segments(directory, &self.identity).map_err(text)? {
            if number >= self.watermarks.durable_position().segment() {
                break;
            }
            let (started, mut read) = (Instant::now(), 0);
            let mut pace = |bytes: usize| {
                read += bytes as u64;
                let due = Duration::from_secs_f64(read as f64 / self.bytes_per_second as f64);
                !self.is_stopped(due.saturating_sub(started.elapsed()))
            };
            match verify_sealed_segment(directory, &self.identity, number, &end, &mut pace) {
                Ok(Some(after)) => end = after,
                Ok(None) => return Ok(false),
                // Retention was faster; the next round begins where the journal begins then.
                Err(_) if !journal::segment_path(directory, number).exists() && self.begins_later(number) => {
                    return Ok(true);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(true)
    }

    fn begins_later(&self, number: u64) -> bool {
        let first = beginning(&self.journal, &self.identity);
        first.is_ok_and(|first| first.position.segment() > number)
    }

    fn is_stopped(&self, rest: Duration) -> bool {
        self.stop.recv_timeout(rest) != Err(RecvTimeoutError::Timeout)
    }
}
