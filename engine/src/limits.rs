//! Every capacity of the venue, in one file. Constants bound what one command may do; `Limits` holds the capacities that
//! an operator chooses: they stand in the first command of the journal, because a refusal depends on them. Memory is
//! taken when that command is applied and never grows; what does not fit is refused by name.

use std::ops::RangeInclusive;

use crate::combo::LEGS_MAX;
use crate::command::{MassQuote, QuoteEntry, VenueOpen};
use crate::event::{MassQuoteAck, QuoteAckEntry};
use crate::message::{GroupSize, HEADER_BYTES, ROUTE_BYTES};

/// Orders of the other side that a look ahead of Fok and Market orders takes in (rules 4.14 and 4.18).
pub const WALK_ORDERS_MAX: u32 = 4_096;

/// Largest frame that a session may send, header included.
pub const FRAME_BYTES_MAX: usize = 8192;
/// Ceiling of `Limits::matches_per_command`.
pub const MATCHES_PER_COMMAND_CEILING: u32 = 4096;
/// Largest event block.
pub const EVENT_BLOCK_BYTES_MAX: usize = 120;
/// Entries of one mass quote.
pub const QUOTE_ENTRIES_MAX: usize = 100;
/// Open members of one protection group (rule 9.15).
pub const GROUP_MEMBERS_MAX: u32 = 1_000;
/// Protection groups of one account (rule 9.10): they stay, so that none may take the room of all.
pub const GROUPS_PER_ACCOUNT_MAX: u32 = 32;
/// Messages that a session's outbox keeps for a resume.
pub const OUTBOX_MESSAGES: u64 = 65_536;
/// Events that one request for a history may ask for (rule 12.5).
pub const HISTORY_EVENTS_MAX: u32 = 10_000;
/// Open orders that an account may look at in a listing, at least, before it has to wait (rule 12.6), and how long one more takes.
pub const LOOKS_MAX_LEAST: u32 = 20_000;
pub const LOOK_NS: u64 = 1_000_000;
/// Keep-alive that a logon may ask for.
pub const KEEP_ALIVE_MS_MIN: u32 = 100;
pub const KEEP_ALIVE_MS_MAX: u32 = 60_000;

/// Largest value of one order at its price, in 1e-6 quote units: ten billion quote units.
pub const ORDER_VALUE_MAX: i128 = 10_000_000_000_000_000;
/// Largest single deposit, in 1e-6 quote units.
pub const DEPOSIT_MAX: i64 = 1_000_000_000_000_000_000;
/// Largest delta and vega of one lot, in millionths (rule 3.10).
pub const SENSITIVITY_MAX: i64 = 1_000_000_000_000;
/// Largest position, and largest sum of open orders on one side, per account and instrument.
pub const POSITION_LOTS_MAX: i64 = i32::MAX as i64;
/// An iceberg shows at least one part in so many of its quantity, so that nobody can make a sweep long.
pub const ICEBERG_PARTS_MAX: i64 = 100;
/// Largest price in ticks.
pub const PRICE_TICKS_MAX: i64 = 1 << 48;

/// Widest price band: from nothing to twice the mark.
pub const PRICE_BAND_PPM_MAX: u32 = 1_000_000;

/// Accounts that always exist: whoever owns what belongs to no member.
pub const ACCOUNT_INSURANCE: u32 = 1;
pub const ACCOUNT_FEES: u32 = 2;
pub const ACCOUNT_DUST: u32 = 3;
pub const ACCOUNT_MEMBERS_FROM: u32 = 4;

/// Events of one command besides two per step: the not-applied in front, the answer and its copy (or a mass cancel's ack at
/// the end), and what is canceled of the taker when it has met all. That makes four; a combo's match that had one step left
/// has two more for each leg (rule 11.5); the rest is room.
pub const EVENTS_BESIDE_STEPS: u32 = 8 + 2 * LEGS_MAX as u32;

/// Reduce-only orders that an account may have open in one instrument (rule 8.20).
pub const REDUCE_ONLY_ORDERS_MAX: u32 = 16;
/// Steps that a command may take past its cap, one event each: the reduce-only orders of both accounts of the last match
/// in all its legs (rules 8.21 and 11.5).
pub const STEPS_PAST_THE_CAP: u32 = 2 * REDUCE_ONLY_ORDERS_MAX * LEGS_MAX as u32;

/// A slot of the order table and the serial number share an order id: `serial << 24 | slot`.
pub const ORDER_SLOT_BITS: u32 = 24;

/// The capacities of one venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub accounts: u32,
    pub instruments: u32,
    pub sessions: u32,
    pub orders: u32,
    /// Those of `orders` that may be special at one time, all of them and one account's (rule 8.41).
    pub special_orders: u32,
    pub special_orders_per_account: u32,
    pub levels: u32,
    pub positions: u32,
    pub orders_per_account: u32,
    pub matches_per_command: u32,
    /// Client ids that are remembered after their orders have ended.
    pub closed_ids: u32,
    pub mmp_groups: u32,
}

impl Limits {
    /// What `ballast init` writes: a venue that fits a laptop.
    pub const DEMO: Limits = Limits {
        accounts: 10_000,
        instruments: 1_000,
        sessions: 1_000,
        orders: 1 << 18,
        special_orders: 1 << 15,
        special_orders_per_account: 1_000,
        levels: 1 << 16,
        positions: 1 << 16,
        orders_per_account: 10_000,
        matches_per_command: 1_000,
        closed_ids: 1 << 20,
        mmp_groups: 1_000,
    };

    /// The name of each capacity in the operator's file and its range, in the order of the fields of `VenueOpen`, from field 4 on.
    pub const RANGES: [(&str, RangeInclusive<u32>); 12] = [
        ("accounts", 1..=1 << 24),
        ("instruments", 1..=1 << 20),
        ("sessions", 1..=1 << 20),
        ("orders", 1..=1 << ORDER_SLOT_BITS),
        ("levels", 1..=1 << 24),
        ("positions", 1..=1 << 26),
        ("orders_per_account", 1..=1 << ORDER_SLOT_BITS),
        ("matches_per_command", 1..=MATCHES_PER_COMMAND_CEILING),
        ("closed_ids", 0..=1 << 24),
        ("mmp_groups", 0..=1 << 20),
        ("special_orders", 0..=1 << ORDER_SLOT_BITS),
        ("special_orders_per_account", 0..=1 << ORDER_SLOT_BITS),
    ];

    /// The capacities that a `VenueOpen` asks for, or the number of its first field that is out of range.
    pub fn read(open: &VenueOpen) -> Result<Limits, u16> {
        let limits = Limits {
            accounts: open.accounts_max.get(),
            instruments: open.instruments_max.get(),
            sessions: open.sessions_max.get(),
            orders: open.orders_max.get(),
            levels: open.levels_max.get(),
            positions: open.positions_max.get(),
            orders_per_account: open.orders_per_account_max.get(),
            matches_per_command: open.matches_per_command_max.get(),
            closed_ids: open.closed_ids_max.get(),
            mmp_groups: open.mmp_groups_max.get(),
            special_orders: open.special_orders_max.get(),
            special_orders_per_account: open.special_orders_per_account_max.get(),
        };
        match limits.first_out_of_range() {
            Some(place) => Err(4 + place as u16),
            None => Ok(limits),
        }
    }

    /// All capacities, in the order of `RANGES`.
    pub fn values(&self) -> [u32; Limits::RANGES.len()] {
        [
            self.accounts,
            self.instruments,
            self.sessions,
            self.orders,
            self.levels,
            self.positions,
            self.orders_per_account,
            self.matches_per_command,
            self.closed_ids,
            self.mmp_groups,
            self.special_orders,
            self.special_orders_per_account,
        ]
    }

    /// The place in `RANGES` of the first capacity that is out of its range.
    pub fn first_out_of_range(&self) -> Option<usize> {
        Limits::RANGES.iter().zip(self.values()).position(|((_, range), value)| !range.contains(&value))
    }

    /// The store of looks of an account (rule 12.6): twice what one request may need, so that every request is granted some time.
    pub fn looks_max(&self) -> u32 {
        LOOKS_MAX_LEAST.max(2 * self.orders_per_account)
    }

    /// Most events that one command can emit. A step (rule 5.6) has at most two: both sides of a match, or of a prevented
    /// one; an order that a mass cancel, a listing, a `Tick` or rule 8.21 meets has one.
    pub fn events_per_command(&self) -> u32 {
        let steps = 2 * self.matches_per_command;
        // A group that was breached has no members for the rest of the command: both sides of the last match of an
        // auction may pass the cap with all of theirs, and no group is told of twice.
        let breaches = self.mmp_groups.min(steps) + self.mmp_groups.min(2) * GROUP_MEMBERS_MAX;
        steps + STEPS_PAST_THE_CAP + breaches + EVENTS_BESIDE_STEPS
    }
}

/// Largest event payload: route, header, block.
pub const EVENT_BYTES_MAX: usize = ROUTE_BYTES + HEADER_BYTES + EVENT_BLOCK_BYTES_MAX;

/// Largest payload of an event with a group, of which a command has one at most.
pub const GROUP_EVENT_BYTES_MAX: usize = ROUTE_BYTES
    + HEADER_BYTES
    + size_of::<MassQuoteAck>()
    + size_of::<GroupSize>()
    + QUOTE_ENTRIES_MAX * size_of::<QuoteAckEntry>();

const _: () = assert!(size_of::<crate::event::OrderExecuted>() == EVENT_BLOCK_BYTES_MAX);
/// The longest mass quote fits a frame, whose prefix has 24 bytes.
const _: () = assert!(
    24 + HEADER_BYTES
        + size_of::<MassQuote>()
        + size_of::<GroupSize>()
        + QUOTE_ENTRIES_MAX * size_of::<QuoteEntry>()
        <= FRAME_BYTES_MAX
);
const _: () = assert!(ACCOUNT_DUST < ACCOUNT_MEMBERS_FROM);
const _: () = assert!(ORDER_VALUE_MAX < i64::MAX as i128);
