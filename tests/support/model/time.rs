//! 8.1 to 8.3: when an order ends by itself, and what a `Tick` does.

use super::matching::serial;
use super::*;

pub const SEEN: [&str; 7] = [
    "a command comes one nanosecond before the deadline",
    "an order ends at the very nanosecond",
    "an order ends late",
    "a Day order ends",
    "an armed order ends by time",
    "a Tick ends several",
    "a Tick stops at the cap",
];

const DAY_NS: u64 = 86_400_000_000_000;
const EIGHT_HOURS_NS: u64 = DAY_NS / 3;

/// 8.1: when an order of this time in force ends.
pub(super) fn expiry(now: &Now, tif: u8, expire_time: u64) -> Result<Option<u64>, Refusal> {
    let invalid = Err(refusal(Reject::ExpireTimeInvalid, 5));
    match (tif, expire_time) {
        (GTD, time) if time > now.ts_ns && time < 1 << 63 => Ok(Some(time)),
        (DAY, NULL_U64) => Ok(Some(next_morning(now.ts_ns))),
        (GTC | IOC | FOK, NULL_U64) => Ok(None),
        _ => invalid,
    }
}

/// The first 08:00:00 UTC after `ts_ns`, at most 2^64 - 2.
fn next_morning(ts_ns: u64) -> u64 {
    let midnight = u128::from(ts_ns / DAY_NS * DAY_NS);
    let mornings = [0, 1].map(|days| midnight + u128::from(days * DAY_NS + EIGHT_HOURS_NS));
    let morning =
        mornings.into_iter().find(|morning| *morning > ts_ns.into()).expect("tomorrow's at the latest");
    morning.min(u128::from(u64::MAX) - 1) as u64
}

impl Model {
    /// 8.2.
    pub fn deadline(&self) -> Option<u64> {
        let auction = self.next_auction().map(|(at, _)| at);
        self.all_orders().filter_map(|order| order.expiry).chain(auction).min()
    }

    /// 8.3.
    pub(super) fn tick(&mut self, now: &Now) {
        assert!(self.waiting.is_none(), "5.6: a command between continuations");
        let is_due = |order: &&Order| order.expiry.is_some_and(|expiry| expiry <= now.ts_ns);
        let mut due: Vec<Order> = self.all_orders().filter(is_due).copied().collect();
        due.sort_by_key(|order| (order.expiry, serial(order)));
        if due.is_empty() {
            return self.auction_tick(now);
        }
        for order in due {
            if self.at_the_cap() {
                return self.note(SEEN[6]);
            }
            if self.steps == 1 {
                self.note(SEEN[5]);
            }
            self.note(if order.expiry == Some(now.ts_ns) { SEEN[1] } else { SEEN[2] });
            if order.tif == DAY {
                self.note(SEEN[3]);
            }
            if order.trigger.is_some() {
                self.note(SEEN[4]);
            }
            self.steps += 1;
            self.remove(&order);
            self.canceled(now, order.session, &order, order.cl_ord_id, reason::EXPIRED);
        }
    }
}
