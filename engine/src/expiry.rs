//! Orders that end by themselves: when (rule 8.1), and the `Tick` that ends them (8.2, 8.3). No clock: time is the `ts_ns` of
//! commands, and whoever sequences them asks for the deadline.

use std::fmt;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U64;

use crate::command::{Command, Continue, Tick};
use crate::emit::Voice;
use crate::event::{EventSink, reason};
use crate::message::{Framed, HEADER_BYTES, NULL_U64};
use crate::order::{Order, Tif, slot_of};
use crate::timers::{Timer, Timers};
use crate::venue::Venue;

const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;
/// When a trading day ends, counted from midnight UTC.
const DAY_END_NS: u64 = 8 * HOUR_NS;

/// First moment that a Gtd order may not name.
pub const EXPIRE_NS_END: u64 = 1 << 63;

/// The first 08:00:00 UTC after `ts_ns`. At the end of all time it comes too early rather than never.
pub fn day_end(ts_ns: u64) -> u64 {
    let into_day = (ts_ns % DAY_NS + DAY_NS - DAY_END_NS) % DAY_NS;
    ts_ns.saturating_add(DAY_NS - into_day).min(NULL_U64 - 1)
}

/// Could an order of this time in force have this expiry?
pub fn suits(tif: Tif, expire_ns: u64) -> bool {
    match tif {
        Tif::Day => (1..NULL_U64).contains(&expire_ns) && day_end(expire_ns - 1) == expire_ns,
        Tif::Gtd => (1..EXPIRE_NS_END).contains(&expire_ns),
        Tif::Gtc | Tif::Ioc | Tif::Fok => expire_ns == NULL_U64,
    }
}

/// What the venue has to sequence before any other command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Rule 5.6, with the order that it names.
    Continue(u64),
    /// Rule 8.2.
    Tick,
}

impl Due {
    pub const MESSAGE_BYTES: usize = HEADER_BYTES + size_of::<Continue>();

    /// Header and block of the command that is due. Its origin is the venue's.
    pub fn message(self) -> [u8; Due::MESSAGE_BYTES] {
        let mut message = [0; Due::MESSAGE_BYTES];
        match self {
            Due::Continue(order_id) => {
                message.copy_from_slice(Framed::new(Continue { order_id: U64::new(order_id) }).as_bytes());
            }
            Due::Tick => message.copy_from_slice(Framed::new(Tick { pad_a: U64::new(0) }).as_bytes()),
        }
        message
    }

    /// Is it of this kind that the command is, or of the one that waits for nothing (10.6)? What a `Continue` names is judged
    /// by rule 5.6.
    pub fn allows(self, command: &Command<'_>) -> bool {
        match (self, command) {
            (Due::Continue(_), Command::Continue(_)) | (Due::Tick, Command::Tick(_)) => true,
            (_, command) => matches!(command, Command::VenueState(_)),
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Due::Continue(order_id) => write!(to, "rule 5.6: the Continue of {order_id}"),
            Due::Tick => write!(to, "rule 8.2: a Tick"),
        }
    }
}

const _: () = assert!(size_of::<Continue>() == size_of::<Tick>());

impl Venue {
    /// Rules 5.6 and 8.2 for a command at `ts_ns`.
    pub fn due(&self, ts_ns: u64) -> Option<Due> {
        match self.continuation.due() {
            Some(order_id) => Some(Due::Continue(order_id)),
            None => self.deadline().filter(|deadline| *deadline <= ts_ns).map(|_| Due::Tick),
        }
    }

    /// Rule 8.2.
    pub fn deadline(&self) -> Option<u64> {
        let first = |timers: &Timers| timers.first().map(|timer| timer.due_ns);
        match (first(&self.expiries), first(&self.auctions)) {
            (Some(expiry), Some(auction)) => Some(expiry.min(auction)),
            (expiry, auction) => expiry.or(auction),
        }
    }

    /// Rule 8.3: a `Tick` that finds orders to end does nothing else.
    pub fn tick<S: EventSink>(&mut self, voice: &mut Voice<'_, S>) {
        let now_ns = voice.command.ts_ns;
        if self.expiries.first_due(now_ns).is_some() {
            self.end_expired(voice, now_ns);
        } else if let Some(timer) = self.auctions.first_due(now_ns) {
            self.tick_auction(voice, timer.slot);
        }
    }

    /// As far as the steps of one command go.
    fn end_expired<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, now_ns: u64) {
        while let Some(timer) = self.expiries.first_due(now_ns) {
            if !self.take_step() {
                return;
            }
            let order = *self.orders.at(slot_of(timer.rank));
            let (to, leaves) = (order.session(), order.leaves());
            self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::EXPIRED);
            self.remove(&order);
            self.leave_position(order.position);
        }
    }

    /// An order that has an expiry is open from now on.
    pub fn start_expiry(&mut self, order: &Order) {
        let due_ns = self.orders.terms(order).expire_ns;
        if due_ns != NULL_U64 {
            self.expiries.start(Timer { due_ns, rank: order.id, slot: order.terms_place() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_eight() {
        let eight = 20_000 * DAY_NS + DAY_END_NS;
        assert_eq!(day_end(eight - 1), eight);
        assert_eq!(day_end(eight), eight + DAY_NS);
        assert_eq!(day_end(eight - DAY_NS), eight);
        assert_eq!(day_end(0), DAY_END_NS);
        assert_eq!(day_end(u64::MAX), u64::MAX - 1, "no order lasts for ever by overflow");
        for ts_ns in [0, 1, eight - 1, eight, u64::MAX / 2, u64::MAX - 2] {
            assert!(suits(Tif::Day, day_end(ts_ns)));
        }
        assert!(!suits(Tif::Day, eight + 1) && !suits(Tif::Day, 0) && !suits(Tif::Day, NULL_U64));
    }
}
