//! What one source may take of the door: connections at once, connections a second, and logons that fail. Its tables are
//! bounded, whoever knocks from wherever. Knows no socket and no session.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::config::{Gateway, LOGON_BACKOFF_MS_MAX};

/// Logons that fail in a row before a source has to wait.
const FAILURES_FREE: u32 = 3;
/// Sources of which failures are kept; the one whose wait ends first makes place.
const SOURCES_MAX: usize = 4096;
/// A source that waited and did not come again is forgotten after so long.
const FORGOTTEN_NS: u64 = 60_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Where peers come from, as one counts them: whoever has an IPv6 address has 2^64 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(u128);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    in_a_row: u32,
    /// No logon is looked at before.
    until_ns: u64,
}

#[derive(Debug)]
pub struct Doorkeeper {
    limits: Gateway,
    /// Connections that are here.
    here: HashMap<Source, usize>,
    failures: HashMap<Source, Failures>,
    /// Until when the connections that were let in are paid for.
    paid_until_ns: u64,
}

impl Doorkeeper {
    pub fn new(limits: Gateway) -> Doorkeeper {
        Doorkeeper { limits, here: HashMap::new(), failures: HashMap::new(), paid_until_ns: 0 }
    }

    /// May another connection be taken from the kernel?
    pub fn has_time(&self, now_ns: u64) -> bool {
        self.paid_until_ns.max(now_ns) + self.cost_ns() <= now_ns + SECOND_NS
    }

    /// What one connection takes of the time.
    fn cost_ns(&self) -> u64 {
        SECOND_NS / u64::from(self.limits.accepts_per_s)
    }

    /// A connection was taken from the kernel. False if its source has enough of them.
    pub fn admit(&mut self, source: Source, now_ns: u64) -> bool {
        self.paid_until_ns = self.paid_until_ns.max(now_ns) + self.cost_ns();
        let count = self.here.get(&source).copied().unwrap_or(0);
        let fits = count < self.limits.connections_per_address;
        if fits {
            self.here.insert(source, count + 1);
        }
        fits
    }

    /// A connection that was admitted is gone.
    pub fn leave(&mut self, source: Source) {
        let count = self.here.get_mut(&source).expect("whoever leaves was admitted");
        *count -= 1;
        if *count == 0 {
            self.here.remove(&source);
        }
    }

    /// How long the source has to wait for its next logon; 0 for not at all.
    pub fn wait_ms(&self, source: Source, now_ns: u64) -> u32 {
        let until_ns = self.failures.get(&source).map_or(0, |failures| failures.until_ns);
        until_ns.saturating_sub(now_ns).div_ceil(1_000_000).try_into().unwrap_or(u32::MAX)
    }

    /// A logon from there was refused.
    pub fn failed(&mut self, source: Source, now_ns: u64) {
        if self.limits.logon_backoff_ms == 0 {
            return;
        }
        self.make_room(source, now_ns);
        let failures = self.failures.entry(source).or_insert(Failures { in_a_row: 0, until_ns: now_ns });
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        let doublings = failures.in_a_row.checked_sub(FAILURES_FREE);
        let wait_ms = doublings.map_or(0, |doublings| {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            self.limits.logon_backoff_ms.saturating_mul(factor).min(LOGON_BACKOFF_MS_MAX)
        });
        failures.until_ns = now_ns + u64::from(wait_ms) * 1_000_000;
    }

    /// Somebody there has proved who it is.
    pub fn succeeded(&mut self, source: Source) {
        self.failures.remove(&source);
    }

    fn make_room(&mut self, source: Source, now_ns: u64) {
        if self.failures.len() < SOURCES_MAX || self.failures.contains_key(&source) {
            return;
        }
        self.failures.retain(|_, failures| now_ns < failures.until_ns + FORGOTTEN_NS);
        if self.failures.len() == SOURCES_MAX {
            let first = self.failures.iter().min_by_key(|(source, failures)| (failures.until_ns, source.0));
            let first = *first.expect("it is full").0;
            self.failures.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn source(text: &str) -> Source {
        text.parse::<IpAddr>().expect("an address").into()
    }

    fn doorkeeper() -> Doorkeeper {
        Doorkeeper::new(Gateway { connections_per_address: 2, accepts_per_s: 10, ..Gateway::default() })
    }

    #[test]
    fn a_source_is_an_address_or_the_half_of_one() {
        assert_eq!(source("10.0.0.1"), source("::ffff:10.0.0.1"));
        assert_ne!(source("10.0.0.1"), source("10.0.0.2"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    }

    #[test]
    fn a_source_has_so_many_connections_and_others_have_theirs() {
        let mut door = doorkeeper();
        let (one, other) = (source("10.0.0.1"), source("10.0.0.2"));
        let admitted: Vec<bool> = [one, one, one, other].map(|source| door.admit(source, 0)).into();
        assert_eq!(admitted, [true, true, false, true]);
        door.leave(one);
        assert!(door.admit(one, 0) && !door.admit(one, 0));
        [one, one, other].into_iter().for_each(|source| door.leave(source));
        assert!(door.here.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn so_many_come_in_a_second_and_as_many_at_once() {
        let mut door = doorkeeper();
        let let_in = |door: &mut Doorkeeper, now_ns: u64| {
            let mut count = 0;
            while door.has_time(now_ns) {
                door.admit(source(&format!("10.0.{count}.1")), now_ns);
                count += 1;
            }
            count
        };
        let now_ns = 5_000 * MS;
        assert_eq!([0, 0, 50, 100, 350].map(|ms| let_in(&mut door, now_ns + ms * MS)), [10, 0, 0, 1, 2]);
        assert_eq!(let_in(&mut door, 60_000 * MS), 10, "what was not used is not saved");
    }

    #[test]
    fn the_third_failure_in_a_row_costs_time_and_each_further_one_twice_as_much() {
        let mut door = doorkeeper();
        let (one, other) = (source("10.0.0.1"), source("10.0.0.2"));
        let waits: Vec<u32> = (0..10)
            .map(|_| {
                door.failed(one, 7 * MS);
                door.wait_ms(one, 7 * MS)
            })
            .collect();
        assert_eq!(waits, [0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(door.wait_ms(one, 60_006 * MS), 1);
        assert_eq!(door.wait_ms(one, 60_007 * MS), 0);
        assert_eq!(door.wait_ms(other, 7 * MS), 0);
        door.succeeded(one);
        door.failed(one, 8 * MS);
        assert_eq!(door.wait_ms(one, 8 * MS), 0, "one failure in a row");
    }

    #[test]
    fn however_many_sources_fail_so_many_are_kept_and_the_longest_waits_stay() {
        let mut door = doorkeeper();
        let patient = source("10.0.0.1");
        (0..8).for_each(|_| door.failed(patient, 0));
        for count in 0..3 * SOURCES_MAX as u32 {
            door.failed(IpAddr::from(std::net::Ipv4Addr::from(0x0B00_0000 + count)).into(), u64::from(count));
        }
        assert_eq!(door.failures.len(), SOURCES_MAX);
        assert_eq!(door.wait_ms(patient, 0), 32_000);
        door.failed(source("12.0.0.1"), 200_000 * MS);
        assert_eq!(door.failures.len(), 1, "who did not come again is forgotten");
    }
}
