//! From what the journal says to what everybody is told: a function of commands and events alone, so that whoever reads the same
//! journal numbers the same messages alike. Owns the public books and the channel's sequence; knows no file and no socket.
//! `MARKET-DATA.md` says what each message means; rules are those of `engine/RULES.md`.

mod instruments;
mod interest;
mod levels;
mod listing;
mod orders;
mod quotes;
mod section;
mod told;
mod trades;

use std::collections::{BTreeMap, BTreeSet};

use engine::TradingState;
use engine::event::{
    AuctionIndicative, Confirmed, MassQuoteAck, OrderAccepted, OrderCanceled, OrderExecuted, OrderModified,
    OrderRejected,
};
use engine::message::{Header, Message, ORIGIN_BYTES, Route, block};
use engine::units::Side;
use journal::{Kind, Record};
use zerocopy::FromBytes;

pub use levels::{LEVELS_MAX, bbo, level_entry, level_update};
pub use listing::{Listing, Moment};
pub use told::{Public, Told, append_group};

use interest::Matched;
use levels::Touched;
use trades::Trades;

/// Whose order it is, as the events name it. Nothing tells the ids of quotes, and an account has one on each side (rule 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Order(u64),
    Quote { account: u32, instrument: u32, is_sell: bool },
}

/// An order that is open and not armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    instrument: u32,
    side: Side,
    /// Null for a market order, which never rests.
    px: i64,
    leaves: i64,
    /// Most that an iceberg shows, 0 for one that shows all.
    display: i64,
    /// What stands in the public book.
    shown: i64,
    /// Public id and priority, given each time that an order takes its place; 0 while it has none.
    place: u64,
    /// A quote's protection group.
    group: u16,
}

/// The public side of a venue between two commands.
#[derive(Clone, Debug)]
pub struct Projection {
    next_seq: u64,
    /// Orders that ever took a place in a public book.
    places: u64,
    venue_state: u8,
    venue_code: u16,
    listings: BTreeMap<u32, Listing>,
    orders: BTreeMap<Name, Order>,
    /// Orders that wait for a trigger: nobody is told of them.
    armed: BTreeSet<u64>,
    /// The order that is on its way against the other side.
    taker: Option<Name>,
    now: Moment,
    command: Current,
}

/// The command that is being heard.
#[derive(Clone, Debug, Default)]
struct Current {
    is_open: bool,
    /// Header and block of the request.
    request: Vec<u8>,
    told: Told,
    touched: Touched,
    trades: Trades,
    matched: Matched,
    /// The order that ended last; a copy for another session says it again.
    ended: u64,
    /// Match and order of the last execution: a combo's legs follow under the same.
    executed: (u64, u64),
}

impl Default for Projection {
    fn default() -> Projection {
        Projection {
            next_seq: 1,
            places: 0,
            venue_state: TradingState::Open as u8,
            venue_code: 0,
            listings: BTreeMap::new(),
            orders: BTreeMap::new(),
            armed: BTreeSet::new(),
            taker: None,
            now: Moment::default(),
            command: Current::default(),
        }
    }
}

impl Projection {
    /// The next record of the journal, where nobody listens.
    pub fn hear(&mut self, record: &Record<'_>) {
        match record.kind {
            Kind::Command => {
                self.end();
                self.begin(record.seq, record.ts_ns, record.payload);
            }
            Kind::Event => self.event(record.sub, record.payload),
            _ => {}
        }
    }

    /// A command; `payload` is as in the journal. The command before was ended.
    pub fn begin(&mut self, seq: u64, ts_ns: u64, payload: &[u8]) {
        assert!(!self.command.is_open, "each command is ended");
        self.now = Moment { exec_id: seq << 16, time_ns: ts_ns };
        let command = &mut self.command;
        command.is_open = true;
        command.told.clear(self.next_seq);
        command.request.clear();
        command.request.extend_from_slice(payload.get(ORIGIN_BYTES..).unwrap_or_default());
        (command.ended, command.executed) = (0, (0, 0));
    }

    /// An event of it.
    pub fn event(&mut self, sub: u32, payload: &[u8]) {
        self.now.exec_id = self.now.exec_id >> 16 << 16 | u64::from(sub);
        let Ok((route, message)) = Route::ref_from_prefix(payload) else { return };
        let Ok((header, _)) = Header::ref_from_prefix(message) else { return };
        match header.template_id.get() {
            // What is not numbered lists open orders (rule 12.4).
            OrderAccepted::TEMPLATE if route.server_seq.get() != 0 => self.on(message, Projection::accepted),
            OrderModified::TEMPLATE => self.on(message, Projection::modified),
            OrderExecuted::TEMPLATE => self.on(message, Projection::executed),
            OrderCanceled::TEMPLATE => self.on(message, Projection::canceled),
            OrderRejected::TEMPLATE => self.on(message, Projection::rejected),
            MassQuoteAck::TEMPLATE => self.quoted(message),
            Confirmed::TEMPLATE => self.on(message, Projection::confirmed),
            AuctionIndicative::TEMPLATE => self.on(message, Projection::indicated),
            _ => {}
        }
    }

    fn on<M: Message>(&mut self, message: &[u8], act: fn(&mut Projection, &M)) {
        if let Some(event) = block::<M>(message) {
            act(self, event);
        }
    }

    /// All events of the command were heard: what it told everybody.
    pub fn end(&mut self) -> &Told {
        if self.command.is_open {
            self.command.is_open = false;
            self.settle_at_the_end();
            self.tell_levels();
            self.tell_cleared();
            self.next_seq += self.command.told.len() as u64;
        } else {
            self.command.told.clear(self.next_seq);
        }
        &self.command.told
    }

    /// The number that the next message of the channel gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The last event that was heard.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The state of the whole venue, and why.
    pub fn venue_state(&self) -> (u8, u16) {
        (self.venue_state, self.venue_code)
    }

    /// All instruments by their ids.
    pub fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.listings.values()
    }

    pub fn listing(&self, instrument: u32) -> Option<&Listing> {
        self.listings.get(&instrument)
    }
}
