//! The engine as its users see it: one `apply`, and what may be asked between commands. Owns the order of commands (1.1)
//! and the moment of opening (1.2); everything after that is the venue's.

use zerocopy::FromBytes;

use crate::command::Command;
use crate::emit::Voice;
use crate::event::EventSink;
use crate::expiry::Due;
use crate::limits::Limits;
use crate::message::Origin;
use crate::standstill::Standstill;
use crate::units::Money;
use crate::venue::Venue;

/// A command in its place in the total order.
#[derive(Clone, Copy, Debug)]
pub struct Sequenced<'a> {
    pub seq: u64,
    pub ts_ns: u64,
    pub origin: &'a Origin,
    /// Header and block.
    pub message: &'a [u8],
}

impl<'a> Sequenced<'a> {
    /// `payload` is `| Origin | Header | block |`, as in the journal. `None` when it is too short for an origin; whatever
    /// stands behind it is judged by the rules.
    pub fn read(seq: u64, ts_ns: u64, payload: &'a [u8]) -> Option<Sequenced<'a>> {
        let (origin, message) = Origin::ref_from_prefix(payload).ok()?;
        Some(Sequenced { seq, ts_ns, origin, message })
    }
}

/// The exchange as a function. Closed and nearly empty until `VenueOpen` is applied; then all memory is taken at once.
pub struct Engine {
    pub(crate) last_seq: u64,
    pub(crate) last_ts_ns: u64,
    pub(crate) venue: Option<Box<Venue>>,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    pub fn new() -> Engine {
        Engine { last_seq: 0, last_ts_ns: 0, venue: None }
    }

    /// Applies the next command and tells `sink` what follows from it. Stops the process when the sequencer is at fault.
    pub fn apply(&mut self, command: &Sequenced<'_>, sink: &mut impl EventSink) {
        assert_eq!(command.seq, self.last_seq + 1, "rule 1.1: sequence numbers have no gap");
        assert!(command.ts_ns >= self.last_ts_ns, "rule 1.1: time never decreases");
        self.last_seq = command.seq;
        self.last_ts_ns = command.ts_ns;
        let mut voice = Voice::new(sink, command);
        match &mut self.venue {
            Some(venue) => venue.apply(&mut voice),
            None => self.open(&mut voice),
        }
    }

    /// Rule 1.2: a closed venue hears nothing but its own opening.
    fn open<S: EventSink>(&mut self, voice: &mut Voice<'_, S>) {
        if voice.command.origin.session.get() != 0 {
            return;
        }
        if let Some(Command::VenueOpen(open)) = Command::read(voice.command.message) {
            let opened = Venue::open(open);
            crate::privileged::confirm_opening(voice, opened.as_ref().err().copied());
            self.venue = opened.ok().map(Box::new);
        }
    }

    /// What `Continue` must name before any other command is applied: an order, or 0 for what has none (rule 5.6).
    pub fn continuation(&self) -> Option<u64> {
        self.venue.as_ref().and_then(|venue| venue.continuation.due())
    }

    /// The earliest moment at which something ends by itself (rule 8.2).
    pub fn deadline(&self) -> Option<u64> {
        self.venue.as_ref().and_then(|venue| venue.deadline())
    }

    /// What the venue must sequence before any other command at `ts_ns` (rules 5.6 and 8.2): as long as there is something.
    pub fn due(&self, ts_ns: u64) -> Option<Due> {
        self.venue.as_ref().and_then(|venue| venue.due(ts_ns))
    }

    /// What the venue as a whole keeps its members from (rule 10.6).
    pub fn standstill(&self) -> Standstill {
        self.venue.as_ref().map_or(Standstill::None, |venue| venue.standstill)
    }

    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    pub fn last_ts_ns(&self) -> u64 {
        self.last_ts_ns
    }

    /// `None` until the venue is open.
    pub fn limits(&self) -> Option<&Limits> {
        self.venue.as_ref().map(|venue| &venue.limits)
    }

    pub fn engine_epoch(&self) -> u64 {
        self.venue.as_ref().map_or(0, |venue| venue.engine_epoch)
    }

    pub fn venue_id(&self) -> u64 {
        self.venue.as_ref().map_or(0, |venue| venue.venue_id)
    }

    /// The sum of all deposits, which the balances of all accounts add up to (rule 7.1).
    pub fn deposits(&self) -> Money {
        self.venue.as_ref().map_or(Money::ZERO, |venue| venue.deposits)
    }

    /// Rules 7.1 to 7.4 and the agreement of every index with what it points to. For tests and restores: it walks
    /// everything and allocates.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.venue.as_ref().map_or(Ok(()), |venue| venue.check_invariants())
    }
}
