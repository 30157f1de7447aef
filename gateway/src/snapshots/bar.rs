//! How far a maker has read, on standard error, for a person who watches: nothing where that is no terminal, nothing for what
//! is done within a second.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const CELLS: u64 = 40;
const FIRST: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

pub struct Bar {
    /// None when nobody watches.
    due: Option<Instant>,
    is_drawn: bool,
}

impl Bar {
    pub fn new() -> Bar {
        Bar { due: stderr().is_terminal().then(|| Instant::now() + FIRST), is_drawn: false }
    }

    /// `done` of `total` commands were read.
    pub fn reached(&mut self, done: u64, total: u64) {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        self.due = Some(Instant::now() + EVERY);
        self.is_drawn = true;
        let _ = write!(stderr(), "\r{}", drawn(done, total));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(stderr(), "\r{:80}\r", "");
        }
    }
}

fn drawn(done: u64, total: u64) -> String {
    let share = |of: u64| (u128::from(done.min(total)) * u128::from(of) / u128::from(total.max(1))) as usize;
    let filled = share(CELLS);
    let empty = CELLS as usize - filled;
    format!("[{}{}] {:3} %  seq {done} of {total}", "#".repeat(filled), ".".repeat(empty), share(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        assert_eq!(drawn(0, 0), format!("[{}]   0 %  seq 0 of 0", ".".repeat(40)));
        assert!(drawn(50, 100).starts_with(&format!("[{}{}]  50 %", "#".repeat(20), ".".repeat(20))));
        assert!(drawn(7, 5).contains("100 %"));
    }
}
