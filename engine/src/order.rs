//! Open orders: one 64-byte node each, in slots that their ids name; the terms of special ones in a pool of their own; the
//! table that finds orders by the client's own number; and each account's list of them in the order of their serials. Knows
//! neither prices nor queues; the book threads the nodes.

use crate::account::Account;
use crate::limits::{ORDER_SLOT_BITS, POSITION_LOTS_MAX};
use crate::message::NULL_U64;
use crate::pool::{Arena, LowestFree, NONE, room};
use crate::prefetch;
use crate::self_trade::{Stp, StpMode};
use crate::table::{HashKey, Table};
use crate::units::{Lots, Side, Ticks};

/// Time in force, as Tif on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tif {
    Day = 1,
    Gtc = 2,
    Ioc = 3,
    Fok = 4,
    Gtd = 5,
}

impl Tif {
    pub fn from_wire(value: u8) -> Option<Tif> {
        [Tif::Day, Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtd].into_iter().find(|tif| *tif as u8 == value)
    }

    /// May what is left of the order rest (rule 8.1)?
    pub fn rests(self) -> bool {
        matches!(self, Tif::Day | Tif::Gtc | Tif::Gtd)
    }
}

/// An order: open in its slot, or on its way as a taker. `id` 0 marks a vacant node.
///
/// One cache line. Quantities have 32 bits because `qty_max` has 31; what is asked once per command shares a word:
///
/// ```text
/// 0..20 session slot | 20 sells | 21..24 tif | 24..27 stp mode | 27 market | 28 reduce-only | 29 special | 30 quote | 31 member
/// ```
///
/// Special: it has `Terms` (rule 8.40). Member: it has a protection group.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Order {
    pub id: u64,
    pub cl_ord_id: u64,
    pub ticks: Ticks,
    qty: u32,
    leaves: u32,
    /// Whose it is and in what: the account's position entry in the instrument.
    pub position: u32,
    /// Where it rests; `NONE` while it is a taker.
    pub level: u32,
    pub older: u32,
    pub younger: u32,
    /// The account's open orders of the next lower and the next higher serial.
    before: u32,
    pub after: u32,
    /// Its `stp_group`; of a special order the place of its terms, which hold that instead.
    group_or_terms: u32,
    word: u32,
}

const _: () = assert!(size_of::<Order>() == 64);
const _: () = assert!(POSITION_LOTS_MAX <= u32::MAX as i64);

const SESSION_BITS: u32 = 20;
const SELLS: u32 = 1 << SESSION_BITS;
const TIF_SHIFT: u32 = 21;
const STP_SHIFT: u32 = 24;
const MARKET: u32 = 1 << 27;
const REDUCE_ONLY: u32 = 1 << 28;
const SPECIAL: u32 = 1 << 29;
const QUOTE: u32 = 1 << 30;
const MEMBER: u32 = 1 << 31;

/// Where an order stands in its protection group: which one that is, and its neighbours in the order of serials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub group: u32,
    pub before: u32,
    pub after: u32,
}

impl Membership {
    pub const NONE: Membership = Membership::of(NONE);

    /// It has not joined yet.
    pub const fn of(group: u32) -> Membership {
        Membership { group, before: NONE, after: NONE }
    }
}

/// What special orders have (rule 8.40): kept beside the nodes, where the others neither touch it nor pay for it.
#[derive(Clone, Copy)]
pub struct Terms {
    /// When it ends; `NULL_U64` never.
    pub expire_ns: u64,
    /// An armed order's own price; its node's `ticks` is the trigger price.
    pub limit: Ticks,
    /// Most that an iceberg shows (0: it is none), and what it shows now.
    pub display: u32,
    pub shown: u32,
    /// A quote's stands beside its position entry.
    pub member: Membership,
    /// The account's reduce-only orders in the instrument of the next lower and the next higher serial.
    pub reduce_before: u32,
    pub reduce_after: u32,
    /// What its node has room for no more; `give_terms` fills it in.
    pub stp_group: u32,
    /// 0 is not armed. As on the wire; what a `Trigger` is made of, with the node's `ticks`.
    pub trigger_type: u8,
    pub condition: u8,
    /// The flags of an armed order's `Crossing`.
    pub posting: u8,
}

const _: () = assert!(size_of::<Terms>() == 56);

impl Terms {
    pub const PLAIN: Terms = Terms {
        expire_ns: NULL_U64,
        limit: Ticks(0),
        display: 0,
        shown: 0,
        member: Membership::NONE,
        reduce_before: NONE,
        reduce_after: NONE,
        stp_group: 0,
        trigger_type: 0,
        condition: 0,
        posting: 0,
    };
}

/// What an order is from its entry to its end.
#[derive(Clone, Copy)]
pub struct Nature {
    pub session: u32,
    pub side: Side,
    pub tif: Tif,
    pub stp: Stp,
    /// It has no price of its own: `ticks` only bounds its walk.
    pub is_market: bool,
    pub is_reduce_only: bool,
    pub is_quote: bool,
    /// It has a protection group, where it is counted while it rests or waits.
    pub is_member: bool,
}

impl Nature {
    pub fn plain(session: u32, side: Side, tif: Tif, stp: Stp) -> Nature {
        Nature {
            session,
            side,
            tif,
            stp,
            is_market: false,
            is_reduce_only: false,
            is_quote: false,
            is_member: false,
        }
    }
}

impl Order {
    const VACANT: Order = Order {
        id: 0,
        cl_ord_id: 0,
        ticks: Ticks(0),
        qty: 0,
        leaves: 0,
        position: NONE,
        level: NONE,
        older: NONE,
        younger: NONE,
        before: NONE,
        after: NONE,
        group_or_terms: 0,
        word: 0,
    };

    /// An order that stands nowhere yet, nothing of it filled.
    pub fn new(
        id: u64,
        cl_ord_id: u64,
        position: u32,
        ticks: Ticks,
        qty: Lots,
        Nature { session, side, tif, stp, is_market, is_reduce_only, is_quote, is_member }: Nature,
    ) -> Order {
        debug_assert!(session < 1 << SESSION_BITS && (0..=POSITION_LOTS_MAX).contains(&qty.0));
        let word = session
            | if side == Side::Sell { SELLS } else { 0 }
            | (tif as u32) << TIF_SHIFT
            | (stp.mode as u32) << STP_SHIFT
            | if is_market { MARKET } else { 0 }
            | if is_reduce_only { REDUCE_ONLY } else { 0 }
            | if is_quote { QUOTE } else { 0 }
            | if is_member { MEMBER } else { 0 };
        let (qty, group_or_terms) = (qty.0 as u32, stp.group);
        Order { id, cl_ord_id, position, ticks, qty, leaves: qty, group_or_terms, word, ..Order::VACANT }
    }

    pub fn slot(&self) -> u32 {
        slot_of(self.id)
    }

    pub fn session(&self) -> u32 {
        self.word & (SELLS - 1)
    }

    pub fn side(&self) -> Side {
        if self.word & SELLS == 0 { Side::Buy } else { Side::Sell }
    }

    pub fn tif(&self) -> Tif {
        Tif::from_wire((self.word >> TIF_SHIFT & 7) as u8).expect("the word was made of a Tif")
    }

    pub fn stp_mode(&self) -> StpMode {
        StpMode::from_wire((self.word >> STP_SHIFT & 7) as u8).expect("the word was made of an StpMode")
    }

    pub fn is_market(&self) -> bool {
        self.word & MARKET != 0
    }

    pub fn is_reduce_only(&self) -> bool {
        self.word & REDUCE_ONLY != 0
    }

    pub fn is_quote(&self) -> bool {
        self.word & QUOTE != 0
    }

    /// Does it have `Terms` (rule 8.40)?
    pub fn is_special(&self) -> bool {
        self.word & SPECIAL != 0
    }

    /// Has it neither terms nor a group?
    pub fn is_simple(&self) -> bool {
        self.word & (SPECIAL | MEMBER) == 0
    }

    /// The place of a special order's terms.
    pub fn terms_place(&self) -> u32 {
        debug_assert!(self.is_special());
        self.group_or_terms
    }

    /// Does it have a protection group?
    pub fn is_member(&self) -> bool {
        self.word & MEMBER != 0
    }

    pub fn qty(&self) -> Lots {
        Lots(i64::from(self.qty))
    }

    pub fn leaves(&self) -> Lots {
        Lots(i64::from(self.leaves))
    }

    pub fn filled(&self) -> Lots {
        Lots(i64::from(self.qty - self.leaves))
    }

    /// So much of it was matched.
    pub fn fill(&mut self, lots: Lots) {
        debug_assert!(lots <= self.leaves());
        self.leaves -= lots.0 as u32;
    }

    /// So much of it was taken away: what was filled stays filled.
    pub fn shrink(&mut self, lots: Lots) {
        debug_assert!(lots <= self.leaves());
        self.qty -= lots.0 as u32;
        self.leaves -= lots.0 as u32;
    }

    /// A quote that stays where it is belongs to another message now (rule 9.4).
    pub fn requote(&mut self, quote_id: u64, session: u32, stp: Stp) {
        debug_assert!(self.is_quote() && !self.is_special() && session < 1 << SESSION_BITS);
        self.cl_ord_id = quote_id;
        self.group_or_terms = stp.group;
        let kept = self.word & !(SELLS - 1) & !(7 << STP_SHIFT);
        self.word = kept | session | (stp.mode as u32) << STP_SHIFT;
    }

    /// A new price and a new total, which is not below what is filled.
    pub fn amend(&mut self, ticks: Ticks, total: Lots) {
        debug_assert!(self.filled() <= total && total.0 <= POSITION_LOTS_MAX);
        let filled = self.qty - self.leaves;
        self.ticks = ticks;
        self.qty = total.0 as u32;
        self.leaves = self.qty - filled;
    }

    /// As `other` stands now: what matching and an amend change, and whether it is special. The threads through the node stay.
    pub fn catch_up(&mut self, other: &Order) {
        debug_assert!(self.id == other.id);
        (self.ticks, self.qty, self.leaves) = (other.ticks, other.qty, other.leaves);
        (self.group_or_terms, self.word) = (other.group_or_terms, other.word);
    }
}

/// First serial that an order id has no room for.
pub const SERIAL_END: u64 = 1 << (u64::BITS - ORDER_SLOT_BITS);

/// Rule 5.1.
pub fn order_id(serial: u64, slot: u32) -> u64 {
    debug_assert!(serial < SERIAL_END);
    serial << ORDER_SLOT_BITS | u64::from(slot)
}

pub fn slot_of(id: u64) -> u32 {
    id as u32 & ((1 << ORDER_SLOT_BITS) - 1)
}

pub fn serial_of(id: u64) -> u64 {
    id >> ORDER_SLOT_BITS
}

/// All open orders of the venue.
pub struct Orders {
    nodes: Vec<Order>,
    terms: Arena<Terms>,
    pub slots: LowestFree,
    by_client_id: Table,
    key: HashKey,
}

impl Orders {
    pub fn new(capacity: u32, special: u32, key: HashKey) -> Orders {
        Orders {
            nodes: room(capacity as usize, Order::VACANT),
            terms: Arena::new(special, Terms::PLAIN),
            slots: LowestFree::new(capacity),
            by_client_id: Table::new(capacity),
            key,
        }
    }

    pub fn at(&self, slot: u32) -> &Order {
        &self.nodes[slot as usize]
    }

    pub fn find_at(&self, slot: u32) -> Option<&Order> {
        self.nodes.get(slot as usize)
    }

    pub fn prefetch(&self, slot: u32) {
        prefetch::lines_at(&self.nodes, slot as usize);
    }

    /// Those that change when the order leaves.
    pub fn prefetch_neighbours(&self, order: &Order) {
        for slot in [order.older, order.younger, order.before, order.after] {
            self.prefetch(slot);
        }
    }

    pub fn name_hash(&self, account: u32, cl_ord_id: u64) -> u32 {
        self.key.hash(u64::from(account), cl_ord_id)
    }

    pub fn prefetch_name(&self, hash: u32) {
        self.by_client_id.prefetch(hash);
    }

    /// The order that a name probably has.
    pub fn glance(&self, hash: u32) -> Option<u32> {
        self.by_client_id.glance(hash)
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Order {
        &mut self.nodes[slot as usize]
    }

    /// What is special about an order: nothing unless it says so.
    pub fn terms(&self, order: &Order) -> &Terms {
        if order.is_special() { &self.terms[order.terms_place()] } else { &Terms::PLAIN }
    }

    pub fn terms_mut(&mut self, order: &Order) -> &mut Terms {
        &mut self.terms[order.terms_place()]
    }

    /// The terms of the special order in this slot.
    pub fn terms_at_mut(&mut self, slot: u32) -> &mut Terms {
        let place = self.at(slot).terms_place();
        &mut self.terms[place]
    }

    /// Does it wait for a trigger (rule 8.31)?
    pub fn is_armed(&self, order: &Order) -> bool {
        self.terms(order).trigger_type != 0
    }

    pub fn stp_group(&self, order: &Order) -> u32 {
        if order.is_special() { self.terms(order).stp_group } else { order.group_or_terms }
    }

    pub fn stp(&self, order: &Order) -> Stp {
        Stp { mode: order.stp_mode(), group: self.stp_group(order) }
    }

    /// How many orders are special, those on their way included.
    pub fn special(&self) -> u32 {
        self.terms.len()
    }

    /// Is there no place for the terms of one more?
    pub fn is_special_full(&self) -> bool {
        self.terms.is_full()
    }

    /// Gives a plain order terms, before it is open or while it is. The caller has seen that there is a place.
    pub fn give_terms(&mut self, order: &mut Order, terms: Terms) {
        debug_assert!(!order.is_special() && !order.is_quote());
        let stp_group = order.group_or_terms;
        order.group_or_terms = self.terms.take(Terms { stp_group, ..terms });
        order.word |= SPECIAL;
    }

    /// Takes a special order's terms back: they say nothing any more.
    pub fn take_terms(&mut self, order: &mut Order) {
        let place = order.terms_place();
        order.group_or_terms = self.terms[place].stp_group;
        order.word &= !SPECIAL;
        self.terms.release(place);
    }

    /// The open order with this id.
    pub fn by_id(&self, id: u64) -> Option<&Order> {
        self.nodes.get(slot_of(id) as usize).filter(|order| order.id == id && id != 0)
    }

    /// The open order that the account calls `cl_ord_id`, no quote; `is_of` tells whether a position entry is the account's.
    pub fn by_client_id(&self, account: u32, cl_ord_id: u64, is_of: impl Fn(u32) -> bool) -> Option<&Order> {
        let hash = self.key.hash(u64::from(account), cl_ord_id);
        let slot = self.by_client_id.find(hash, |slot| {
            let order = self.at(slot);
            order.cl_ord_id == cl_ord_id && is_of(order.position)
        })?;
        Some(self.at(slot))
    }

    /// Puts an order into its slot, which the caller has taken. It stands in no account's list yet.
    pub fn open(&mut self, account: u32, order: Order) {
        let slot = order.slot();
        if self.nodes.len() <= slot as usize {
            // By one, save in a restore: the lowest free slot is never above the nodes that were ever used.
            self.nodes.resize(slot as usize + 1, Order::VACANT);
        }
        debug_assert!(self.slots.contains(slot));
        self.nodes[slot as usize] = order;
        if !order.is_quote() {
            self.by_client_id.insert(self.key.hash(u64::from(account), order.cl_ord_id), slot);
        }
    }

    /// Vacates the node of an order that stands in no account's list; its slot stays taken until the caller releases it.
    pub fn close(&mut self, account: u32, slot: u32) {
        let order = std::mem::replace(self.at_mut(slot), Order::VACANT);
        if !order.is_quote() {
            self.by_client_id.remove(self.key.hash(u64::from(account), order.cl_ord_id), slot);
        }
    }

    /// Puts an open order behind all others of its account: it has the highest serial.
    pub fn enlist(&mut self, account: &mut Account, slot: u32) {
        let before = std::mem::replace(&mut account.youngest, slot);
        if before == NONE {
            account.oldest = slot;
        } else {
            debug_assert!(serial_of(self.at(before).id) < serial_of(self.at(slot).id));
            self.at_mut(before).after = slot;
        }
        let order = self.at_mut(slot);
        (order.before, order.after) = (before, NONE);
        account.count_opened();
    }

    /// Takes an open order out of its account's list.
    pub fn delist(&mut self, account: &mut Account, slot: u32) {
        let Order { before, after, .. } = *self.at(slot);
        if before == NONE {
            account.oldest = after;
        } else {
            self.at_mut(before).after = after;
        }
        if after == NONE {
            account.youngest = before;
        } else {
            self.at_mut(after).before = before;
        }
        account.count_closed();
    }

    /// The account's open orders from `slot` on, in the order of their serials.
    pub fn listed_from(&self, slot: u32) -> impl Iterator<Item = &Order> {
        let step = |slot: u32| (slot != NONE).then(|| self.at(slot));
        std::iter::successors(step(slot), move |order| step(order.after))
    }

    /// The orders of one queue from `slot` on, oldest first.
    pub fn queued_from(&self, slot: u32) -> impl Iterator<Item = &Order> {
        let step = |slot: u32| (slot != NONE).then(|| self.at(slot));
        std::iter::successors(step(slot), move |order| step(order.younger))
    }

    /// All open orders in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.nodes.iter().filter(|order| order.id != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_what_it_was_made_of() {
        for session in [0, 1, (1 << SESSION_BITS) - 1] {
            for (side, tif, mode, is_market) in [
                (Side::Buy, Tif::Gtc, StpMode::None, false),
                (Side::Sell, Tif::Ioc, StpMode::CancelTaker, true),
                (Side::Buy, Tif::Fok, StpMode::DecrementBoth, true),
                (Side::Sell, Tif::Gtc, StpMode::CancelBoth, false),
            ] {
                let stp = Stp { mode, group: u32::MAX };
                let nature = Nature {
                    is_market,
                    is_reduce_only: !is_market,
                    is_member: is_market,
                    ..Nature::plain(session, side, tif, stp)
                };
                let order = Order::new(1 << 24, 1, 0, Ticks(1), Lots(POSITION_LOTS_MAX), nature);
                assert_eq!((order.session(), order.side(), order.tif()), (session, side, tif));
                assert_eq!((order.stp_mode(), order.group_or_terms), (mode, stp.group));
                assert_eq!(order.is_market(), is_market);
                assert_eq!(
                    (order.is_reduce_only(), order.is_quote(), order.is_special(), order.is_member()),
                    (!is_market, false, false, is_market)
                );
                assert_eq!((order.qty(), order.leaves()), (Lots(POSITION_LOTS_MAX), Lots(POSITION_LOTS_MAX)));
            }
        }
    }

    #[test]
    fn what_is_filled_stays_filled() {
        let stp = Stp { mode: StpMode::None, group: 0 };
        let nature = Nature::plain(0, Side::Buy, Tif::Gtc, stp);
        let mut order = Order::new(1 << 24, 1, 0, Ticks(1), Lots(10), nature);
        order.fill(Lots(4));
        order.shrink(Lots(1));
        assert_eq!((order.qty(), order.leaves(), order.filled()), (Lots(9), Lots(5), Lots(4)));
        order.amend(Ticks(2), Lots(12));
        assert_eq!((order.qty(), order.leaves(), order.filled()), (Lots(12), Lots(8), Lots(4)));
    }
}
