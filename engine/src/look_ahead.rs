//! Looks at commands before their turn comes and asks memory for what they will touch, so that a command finds its lines
//! near however large the venue is. One line leads to the next (an id to a node, a node to its neighbours), so each
//! command is looked at several times on its way, and each look reads only what the one before asked for. Changes nothing:
//! the state is the same whether anybody looks ahead or not.

use zerocopy::FromBytes;

use crate::account::Account;
use crate::command::Command;
use crate::engine::Engine;
use crate::message::{NULL_I64, Origin};
use crate::order::{Order, slot_of};
use crate::pool::NONE;
use crate::position::Position;
use crate::session::Session;
use crate::units::Side;
use crate::venue::Venue;

/// Commands on their way at most.
const ROOM: usize = 16;
/// How many commands stand before one when it is looked at again.
const LOOKS: [u32; 5] = [11, 8, 6, 4, 2];
const _: () = assert!(ROOM.is_power_of_two() && LOOKS[0] < ROOM as u32);

/// Bytes at which a venue no longer lies in the second-level cache, or not together with what else runs there.
const LARGE_FROM: usize = 1 << 20;

/// What the next look at a command reads.
#[derive(Clone, Copy, Debug)]
enum Sight {
    /// Nothing more than the account's entries.
    Nothing,
    /// The book that the order enters.
    Book { side: Side, price: i64 },
    /// The entry in the table of client ids.
    Name { hash: u32, price: i64 },
    /// The node of an order, and the price that it is to have, or null.
    Node { slot: u32, price: i64 },
    /// The position entry of an order that moves: it tells the book.
    Moves { position: u32, side: Side, price: i64 },
    /// The entry in the table of pages.
    Page { hash: u32, index: u32 },
    /// The level where an order will rest.
    Level(u32),
    /// The level that an order will meet.
    Best(u32),
    /// The node of the order that it will meet.
    Maker(u32),
    /// The position entry of that order.
    Owner { position: u32, client_id: u64 },
}

/// What is known of a command that waits.
#[derive(Clone, Copy)]
struct Glimpse {
    sight: Sight,
    /// 0 when its row was asked for.
    session: u64,
    account: u32,
    /// 0 for none.
    instrument: u32,
    /// The entry of the account that was asked for last.
    entry: Entries,
}

/// How far the account's position entries were asked for.
#[derive(Clone, Copy)]
enum Entries {
    Account,
    From(u32),
    NotWanted,
}

impl Glimpse {
    const NOTHING: Glimpse =
        Glimpse { sight: Sight::Nothing, session: 0, account: 0, instrument: 0, entry: Entries::NotWanted };
}

/// Commands that were seen and have not been applied, in their order.
pub struct LookAhead {
    waiting: [Glimpse; ROOM],
    /// How many were ever seen, and how many of these have passed.
    seen: u32,
    passed: u32,
}

impl Default for LookAhead {
    fn default() -> LookAhead {
        LookAhead::new()
    }
}

impl LookAhead {
    pub fn new() -> LookAhead {
        LookAhead { waiting: [Glimpse::NOTHING; ROOM], seen: 0, passed: 0 }
    }

    /// How many commands were seen and have not passed.
    pub fn len(&self) -> usize {
        self.seen.wrapping_sub(self.passed) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// May one more be seen?
    pub fn has_room(&self) -> bool {
        self.len() < ROOM
    }

    /// The command behind all that were seen: `| Origin | Header | block |`, or nothing of it for one that nobody need look at.
    pub fn see(&mut self, engine: &Engine, payload: &[u8]) {
        debug_assert!(self.has_room());
        let venue = engine.venue.as_deref();
        let glimpse = venue.and_then(|venue| venue.first_look(payload)).unwrap_or(Glimpse::NOTHING);
        self.waiting[self.seen as usize % ROOM] = glimpse;
        self.seen = self.seen.wrapping_add(1);
    }

    /// The first one was applied: the others come nearer.
    pub fn pass(&mut self, engine: &Engine) {
        if self.is_empty() {
            return;
        }
        self.passed = self.passed.wrapping_add(1);
        let Some(venue) = &engine.venue else { return };
        let waiting = self.len() as u32;
        for before in LOOKS.into_iter().filter(|before| *before < waiting) {
            venue.look_again(&mut self.waiting[self.passed.wrapping_add(before) as usize % ROOM]);
        }
    }
}

impl Engine {
    /// Is the venue so large that looking ahead is worth its own instructions? A small one lies in the cache anyhow.
    pub fn is_large(&self) -> bool {
        self.venue.as_ref().is_some_and(|venue| venue.bytes_looked_up() >= LARGE_FROM)
    }
}

impl Venue {
    /// How much there is of what commands find at places that nobody can tell: rows and their entries in tables half full.
    fn bytes_looked_up(&self) -> usize {
        const ENTRIES: usize = 2 * size_of::<u64>();
        let rows = |count: u32, row_bytes: usize| count as usize * (row_bytes + ENTRIES);
        rows(self.orders.slots.used(), size_of::<Order>())
            + rows(self.positions.len(), size_of::<Position>())
            + rows(self.sessions.len(), size_of::<Session>())
            + rows(self.closed_ids.len(), 0)
            + self.accounts.len() as usize * size_of::<Account>()
    }

    /// For a maker that is being filled: what its end will touch, and what the fill of the next in its queue will.
    pub fn look_behind(&self, maker: &Order) {
        self.prefetch_name(self.positions.at(maker.position).account, maker.cl_ord_id);
        if let Some(next) = self.orders.find_at(maker.younger) {
            self.orders.prefetch_neighbours(next);
            self.positions.prefetch(next.position);
            self.sessions.prefetch(next.session());
        }
    }

    /// What the bytes of a command name.
    fn first_look(&self, payload: &[u8]) -> Option<Glimpse> {
        let (origin, message) = Origin::ref_from_prefix(payload).ok()?;
        let session = origin.session.get();
        self.sessions.prefetch_entry(session);
        let glimpse = match Command::read(message)? {
            Command::NewOrder(request) => {
                let (account, instrument) = (request.account_id.get(), request.instrument_id.get());
                self.prefetch_name(account, request.cl_ord_id.get());
                self.positions.prefetch_entry(account, instrument);
                self.instruments.prefetch(instrument);
                let (side, price) = (Side::from_wire(request.side)?, request.price.get());
                let sight = Sight::Book { side, price };
                Glimpse { sight, session, account, instrument, entry: Entries::Account }
            }
            Command::ModifyOrder(request) => {
                let (account, instrument) = (request.account_id.get(), request.instrument_id.get());
                let (order_id, client_id) = (request.order_id.get(), request.orig_cl_ord_id.get());
                let sight = self.look_for(account, order_id, client_id, request.price.get());
                Glimpse { sight, session, account, instrument, entry: Entries::Account }
            }
            Command::CancelOrder(request) => {
                let (account, instrument) = (request.account_id.get(), request.instrument_id.get());
                let (order_id, client_id) = (request.order_id.get(), request.orig_cl_ord_id.get());
                let sight = self.look_for(account, order_id, client_id, NULL_I64);
                Glimpse { sight, session, account, instrument, entry: Entries::NotWanted }
            }
            _ => return None,
        };
        self.accounts.prefetch(glimpse.account);
        Some(glimpse)
    }

    /// An order that is named by one of its ids.
    fn look_for(&self, account: u32, order_id: u64, client_id: u64, price: i64) -> Sight {
        if order_id != 0 {
            let slot = slot_of(order_id);
            self.orders.prefetch(slot);
            Sight::Node { slot, price }
        } else {
            Sight::Name { hash: self.prefetch_name(account, client_id), price }
        }
    }

    /// Where a client id stands, among the open ones and among the closed ones: both tables have the venue's key.
    fn prefetch_name(&self, account: u32, client_id: u64) -> u32 {
        let hash = self.orders.name_hash(account, client_id);
        self.orders.prefetch_name(hash);
        self.closed_ids.prefetch_name(hash);
        hash
    }

    fn look_again(&self, glimpse: &mut Glimpse) {
        if glimpse.session != 0 {
            self.sessions.prefetch_row(glimpse.session);
            glimpse.session = 0;
        }
        glimpse.entry = self.look_at_entries(glimpse);
        glimpse.sight = match glimpse.sight {
            Sight::Nothing => return,
            Sight::Book { side, price } => {
                self.positions.prefetch_found(glimpse.account, glimpse.instrument);
                if let Some(account) = self.accounts.find(glimpse.account) {
                    self.orders.prefetch(account.youngest);
                }
                self.look_at_book(glimpse.instrument, side, price)
            }
            Sight::Name { hash, price } => self.orders.glance(hash).map_or(Sight::Nothing, |slot| {
                self.orders.prefetch(slot);
                Sight::Node { slot, price }
            }),
            Sight::Node { slot, price } => self.look_at_node(slot, price, glimpse.account),
            Sight::Moves { position, side, price } => match self.positions.find_at(position) {
                Some(entry) => {
                    self.instruments.prefetch(entry.instrument);
                    self.look_at_book(entry.instrument, side, price)
                }
                None => Sight::Nothing,
            },
            Sight::Page { hash, index } => {
                self.levels.glance(hash, index).map_or(Sight::Nothing, Sight::Level)
            }
            Sight::Level(slot) => {
                if let Some(level) = self.levels.find_at(slot) {
                    self.orders.prefetch(level.tail);
                }
                Sight::Nothing
            }
            Sight::Best(slot) => match self.levels.find_at(slot) {
                Some(level) => {
                    self.orders.prefetch(level.head);
                    Sight::Maker(level.head)
                }
                None => Sight::Nothing,
            },
            Sight::Maker(slot) => match self.orders.find_at(slot) {
                Some(order) => {
                    self.look_around(order);
                    Sight::Owner { position: order.position, client_id: order.cl_ord_id }
                }
                None => Sight::Nothing,
            },
            Sight::Owner { position, client_id } => {
                if let Some(position) = self.positions.find_at(position) {
                    self.accounts.prefetch(position.account);
                    self.prefetch_name(position.account, client_id);
                }
                Sight::Nothing
            }
        };
    }

    /// Margin is asked of all entries of the account: one more of them.
    fn look_at_entries(&self, glimpse: &Glimpse) -> Entries {
        let next = match glimpse.entry {
            Entries::NotWanted => return Entries::NotWanted,
            Entries::Account => self.accounts.find(glimpse.account).map(|account| account.positions),
            Entries::From(slot) => self.positions.find_at(slot).map(|position| {
                self.instruments.prefetch(position.instrument);
                position.next
            }),
        };
        match next {
            None | Some(NONE) => Entries::NotWanted,
            Some(next) => {
                self.positions.prefetch(next);
                Entries::From(next)
            }
        }
    }

    /// Everything that the node of an order names.
    fn look_at_node(&self, slot: u32, price: i64, account: u32) -> Sight {
        let Some(order) = self.orders.find_at(slot) else { return Sight::Nothing };
        self.look_around(order);
        self.prefetch_name(account, order.cl_ord_id);
        match price {
            NULL_I64 => Sight::Nothing,
            price => Sight::Moves { position: order.position, side: order.side(), price },
        }
    }

    fn look_around(&self, order: &Order) {
        self.orders.prefetch_neighbours(order);
        self.levels.prefetch(order.level);
        self.positions.prefetch(order.position);
    }

    /// Where in the book of an instrument an order will stand, or whom it will meet.
    fn look_at_book(&self, instrument: u32, side: Side, price: i64) -> Sight {
        let Some(instrument) = self.instruments.find(instrument) else { return Sight::Nothing };
        let ticks = instrument.order_ticks(price).ok();
        match ticks.filter(|ticks| !instrument.book.crosses(side, *ticks)) {
            Some(ticks) => {
                let (hash, index) = self.levels.prefetch_entry(instrument.book.side(side), ticks);
                Sight::Page { hash, index }
            }
            // Also what has no price, or a wrong one.
            None => {
                let best = instrument.book.side(side.opposite()).best;
                self.levels.prefetch(best);
                Sight::Best(best)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{CancelOrder, ModifyOrder, NewOrder, Role};
    use crate::instrument::{ABSENT, Instrument, UNLISTED};
    use crate::limits::{ACCOUNT_MEMBERS_FROM, Limits};
    use crate::matching::Taker;
    use crate::message::{Framed, Message};
    use crate::order::{Nature, Tif};
    use crate::self_trade::{Stp, StpMode};
    use crate::session::Session;
    use crate::units::{Lots, Ticks};
    use zerocopy::{FromZeros, IntoBytes};

    const ACCOUNT: u32 = ACCOUNT_MEMBERS_FROM;
    const CLIENT_ID: u64 = 7;

    /// One order: an ask of the account at 100 ticks.
    fn venue() -> (Venue, u64) {
        let mut venue = Venue::empty(1, 1, [1, 2], Limits { orders: 16, ..Limits::DEMO });
        venue.accounts.create(ACCOUNT, [b'A'; 16], 0);
        venue.sessions.create(Session::new(1, ACCOUNT, Role::Trade));
        let instrument = Instrument { exists: true, tick_size: 1, mark: Ticks(100), ..ABSENT };
        venue.instruments.create(1, instrument, UNLISTED);
        let position = venue.enter_position(None, ACCOUNT, 1);
        let id = venue.take_order_id();
        let nature = Nature::plain(0, Side::Sell, Tif::Gtc, Stp { mode: StpMode::None, group: 0 });
        let order = Order::new(id, CLIENT_ID, position, Ticks(100), Lots(1), nature);
        venue.stand(&Taker { order, is_open: false });
        venue.rest(&order);
        (venue, id)
    }

    /// What each look reads, up to the last that asks for anything.
    fn looks<M: Message>(venue: &Venue, message: M) -> Vec<String> {
        let payload = [Origin::venue().as_bytes(), Framed::new(message).as_bytes()].concat();
        let mut glimpse = venue.first_look(&payload).expect("the command is one that is looked at");
        let mut read = Vec::new();
        while !matches!(glimpse.sight, Sight::Nothing) {
            let sight = format!("{:?}", glimpse.sight);
            read.push(sight.split([' ', '(']).next().expect("a name").to_string());
            venue.look_again(&mut glimpse);
        }
        read
    }

    fn entry(side: Side, price: i64) -> NewOrder {
        let mut order = NewOrder::new_zeroed();
        (order.account_id, order.instrument_id) = (ACCOUNT.into(), 1.into());
        (order.side, order.price) = (side as u8, price.into());
        order
    }

    fn amend(orig_cl_ord_id: u64, order_id: u64, price: i64) -> ModifyOrder {
        let mut amend = ModifyOrder::new_zeroed();
        (amend.orig_cl_ord_id, amend.order_id) = (orig_cl_ord_id.into(), order_id.into());
        (amend.account_id, amend.price) = (ACCOUNT.into(), price.into());
        amend
    }

    fn cancel(orig_cl_ord_id: u64, order_id: u64) -> CancelOrder {
        let mut cancel = CancelOrder::new_zeroed();
        (cancel.orig_cl_ord_id, cancel.order_id) = (orig_cl_ord_id.into(), order_id.into());
        cancel.account_id = ACCOUNT.into();
        cancel
    }

    #[test]
    fn a_command_is_followed_from_line_to_line() {
        let (venue, id) = venue();
        assert_eq!(looks(&venue, entry(Side::Sell, 100)), ["Book", "Page", "Level"]);
        assert_eq!(looks(&venue, entry(Side::Sell, 500)), ["Book", "Page"], "no order is near");
        assert_eq!(looks(&venue, entry(Side::Buy, 100)), ["Book", "Best", "Maker", "Owner"]);
        assert_eq!(looks(&venue, entry(Side::Buy, NULL_I64)), ["Book", "Best", "Maker", "Owner"]);
        assert_eq!(looks(&venue, cancel(0, id)), ["Node"]);
        assert_eq!(looks(&venue, cancel(CLIENT_ID, 0)), ["Name", "Node"]);
        assert_eq!(looks(&venue, amend(CLIENT_ID, 0, NULL_I64)), ["Name", "Node"]);
        let longest = looks(&venue, amend(CLIENT_ID, 0, 101));
        assert_eq!(longest, ["Name", "Node", "Moves", "Page", "Level"]);
        assert_eq!(longest.len(), LOOKS.len(), "there are as many looks as the longest way has");
    }

    #[test]
    fn what_is_not_there_ends_the_way() {
        let (venue, id) = venue();
        assert_eq!(looks(&venue, cancel(CLIENT_ID + 1, 0)), ["Name"]);
        assert_eq!(looks(&venue, cancel(0, id + 1)), ["Node"], "a slot that was never used");
        let stranger =
            NewOrder { account_id: u32::MAX.into(), instrument_id: 9.into(), ..entry(Side::Buy, 1) };
        assert_eq!(looks(&venue, stranger), ["Book"]);
        let empty_side = looks(&venue, entry(Side::Sell, NULL_I64));
        assert_eq!(empty_side, ["Book", "Best"]);
    }

    #[test]
    fn commands_pass_in_their_order() {
        let engine = Engine::new();
        let mut ahead = LookAhead::new();
        ahead.pass(&engine);
        assert!(ahead.is_empty(), "whoever was not seen passes unseen");
        for _ in 0..ROOM {
            assert!(ahead.has_room());
            ahead.see(&engine, &[]);
        }
        assert!(!ahead.has_room());
        for left in (0..ROOM).rev() {
            ahead.pass(&engine);
            assert_eq!(ahead.len(), left);
        }
    }
}
