//! How far a long walk is, on standard error, for a person who watches it: nothing when that is no terminal, nothing for
//! what is done within a second.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const WIDTH: u64 = 40;
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);
/// The clock is looked at once in so many steps.
const STRIDE: u32 = 1024;

pub struct Progress {
    total: u64,
    /// `None` when nobody watches.
    due: Option<Instant>,
    started: Instant,
    steps: u32,
    is_drawn: bool,
}

impl Progress {
    pub fn of(total: u64) -> Progress {
        let started = Instant::now();
        let due = (total > 0 && stderr().is_terminal()).then(|| started + FIRST);
        Progress { total, due, started, steps: 0, is_drawn: false }
    }

    pub fn reached(&mut self, done: u64) {
        self.steps = self.steps.wrapping_add(1);
        if !self.steps.is_multiple_of(STRIDE) || self.due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        self.due = Some(Instant::now() + EVERY);
        self.is_drawn = true;
        let _ = write!(stderr(), "\r{}", bar(done, self.total, self.started.elapsed()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(stderr(), "\r{:80}\r", "");
        }
    }
}

fn bar(done: u64, total: u64, elapsed: Duration) -> String {
    let done = done.min(total);
    let filled = (u128::from(done) * u128::from(WIDTH) / u128::from(total)) as usize;
    let percent = u128::from(done) * 100 / u128::from(total);
    let left = elapsed.as_secs() as u128 * u128::from(total - done) / u128::from(done.max(1));
    let empty = WIDTH as usize - filled;
    format!(
        "[{}{}] {percent:3} %  seq {done} of {total}, {left} s left  ",
        "#".repeat(filled),
        ".".repeat(empty)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills() {
        let half = bar(50, 100, Duration::from_secs(5));
        assert!(half.starts_with("[####################....................]  50 %"), "{half}");
        assert!(half.contains("seq 50 of 100, 5 s left"), "{half}");
        assert!(bar(7, 5, Duration::ZERO).contains("100 %"));
    }
}
