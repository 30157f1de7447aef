//! 12.6 as a store that is drawn from and fills up again.

use super::*;

const LOOK_NS: i128 = 1_000_000;

/// What was left at one time, as the time that it takes to come back.
#[derive(Clone, Copy)]
pub(super) struct Store {
    left_ns: i128,
    at_ns: u64,
}

impl Model {
    fn store_ns(&self) -> i128 {
        i128::from(self.limits().orders_per_account * 2).max(20_000) * LOOK_NS
    }

    fn looks_left(&self, account: u32, now_ns: u64) -> i128 {
        let full = self.store_ns();
        let came_back = |store: &Store| store.left_ns + i128::from(now_ns - store.at_ns);
        self.looks.get(&account).map_or(full, |store| came_back(store).min(full))
    }

    /// Draws so many looks, or says how many milliseconds it is too early.
    pub(super) fn draw_looks(&mut self, account: u32, looks: usize, now_ns: u64) -> Result<(), i128> {
        let left_ns = self.looks_left(account, now_ns) - looks as i128 * LOOK_NS;
        if left_ns < 0 {
            return Err((-left_ns + LOOK_NS - 1) / LOOK_NS);
        }
        // No time is later than the last that a clock can show.
        let rest_of_time = i128::from(u64::MAX - now_ns);
        let left_ns = left_ns.max(self.store_ns() - rest_of_time);
        self.looks.insert(account, Store { left_ns, at_ns: now_ns });
        Ok(())
    }

    /// When the account's store is full again; 0 where it is.
    pub fn looks_full_at(&self, account: u32) -> u64 {
        let missing = self.store_ns() - self.looks_left(account, self.ts_ns);
        if missing == 0 { 0 } else { self.ts_ns + missing as u64 }
    }
}
