//! The credit of looks (rule 12.6): how many open orders an account may have looked at for listings, so that short requests
//! do not make long answers without end. One number an account: the time until which its looks are paid for.

use crate::limits::LOOK_NS;
use crate::venue::Venue;

impl Venue {
    /// Takes so many looks of the account's store, or tells after how many milliseconds they will be there.
    pub fn take_looks(&mut self, account: u32, looks: u32, now_ns: u64) -> Result<(), u32> {
        let paid_until_ns = self.accounts.looks_paid_until(account, now_ns);
        let until_ns = pay(paid_until_ns, now_ns, looks, self.limits.looks_max())?;
        self.accounts.pay_looks_until(account, until_ns);
        Ok(())
    }
}

/// Until when all is paid for once these looks are taken too; a full store is one that has nothing to pay.
fn pay(paid_until_ns: u64, now_ns: u64, looks: u32, looks_max: u32) -> Result<u64, u32> {
    let owed_ns = paid_until_ns.saturating_sub(now_ns) + u64::from(looks) * LOOK_NS;
    let missing_ns = owed_ns.saturating_sub(u64::from(looks_max) * LOOK_NS);
    match missing_ns.div_ceil(LOOK_NS) {
        0 => Ok(now_ns.saturating_add(owed_ns)),
        missing => Err(missing as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    #[test]
    fn a_full_store_is_spent_and_comes_back_one_a_millisecond() {
        let spent = pay(0, NOW, 20_000, 20_000).expect("the store was full");
        assert_eq!(spent, NOW + 20_000 * LOOK_NS);
        assert_eq!(pay(spent, NOW, 1, 20_000), Err(1));
        assert_eq!(pay(spent, NOW + 1, 1, 20_000), Err(1));
        assert_eq!(pay(spent, NOW + LOOK_NS - 1, 1, 20_000), Err(1));
        assert_eq!(pay(spent, NOW + LOOK_NS, 1, 20_000), Ok(spent + LOOK_NS));
        assert_eq!(pay(spent, NOW + LOOK_NS, 10_000, 20_000), Err(9_999));
    }

    #[test]
    fn a_store_is_never_more_than_full() {
        let long_ago = NOW - 1_000_000 * LOOK_NS;
        assert_eq!(pay(long_ago, NOW, 20_001, 20_000), Err(1));
        assert_eq!(pay(long_ago, NOW, 20_000, 20_000), Ok(NOW + 20_000 * LOOK_NS));
    }

    #[test]
    fn the_end_of_time_is_no_fault() {
        assert_eq!(pay(0, u64::MAX, 5, 20_000), Ok(u64::MAX));
        assert_eq!(pay(u64::MAX, u64::MAX - 1, 20_000, 20_000), Err(1));
    }
}
