//! Positions: what an account holds and has open in one instrument. An entry exists while lots or open lots are not zero,
//! or an armed order holds it.
//! It is found by (account, instrument) in a table, and each account threads its entries by instrument number, which is
//! the order of margin sums and of snapshots. Knows no prices but those of the open orders' value.

use crate::account::Account;
use crate::order::Membership;
use crate::pool::{Arena, NONE, filled};
use crate::table::{HashKey, Table};
use crate::units::{Lots, Side, TickLots, Ticks};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Position {
    /// Sum of price times leaves over the open orders; negative only in a combo.
    pub open_value: TickLots,
    pub lots: Lots,
    pub open_buy: Lots,
    pub open_sell: Lots,
    pub account: u32,
    pub instrument: u32,
    /// The account's next entry, by instrument number.
    pub next: u32,
    /// The slots of the account's quotes, bid and ask.
    pub quotes: [u32; 2],
    /// The reduce-only order of the lowest serial.
    pub reduce_only: u32,
}

const _: () = assert!(size_of::<Position>() == 64);

impl Position {
    pub fn flat(account: u32, instrument: u32) -> Position {
        Position {
            open_value: TickLots(0),
            lots: Lots::ZERO,
            open_buy: Lots::ZERO,
            open_sell: Lots::ZERO,
            account,
            instrument,
            next: NONE,
            quotes: [NONE; 2],
            reduce_only: NONE,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lots == Lots::ZERO && self.open_buy == Lots::ZERO && self.open_sell == Lots::ZERO
    }

    pub fn open_lots(&self, side: Side) -> Lots {
        match side {
            Side::Buy => self.open_buy,
            Side::Sell => self.open_sell,
        }
    }

    /// The slot of the account's quote on this side.
    pub fn quote(&self, side: Side) -> u32 {
        match side {
            Side::Buy => self.quotes[0],
            Side::Sell => self.quotes[1],
        }
    }

    pub fn quote_mut(&mut self, side: Side) -> &mut u32 {
        match side {
            Side::Buy => &mut self.quotes[0],
            Side::Sell => &mut self.quotes[1],
        }
    }

    /// Counts lots of a combo that this entry's instrument is a leg of (rule 11.6): never their value.
    pub fn open_leg(&mut self, side: Side, lots: Lots) {
        *self.open_lots_mut(side) += lots;
    }

    pub fn close_leg(&mut self, side: Side, lots: Lots) {
        *self.open_lots_mut(side) -= lots;
        debug_assert!(self.open_lots(side) >= Lots::ZERO);
    }

    pub fn open(&mut self, side: Side, ticks: Ticks, lots: Lots) {
        *self.open_lots_mut(side) += lots;
        self.open_value += ticks * lots;
    }

    pub fn close(&mut self, side: Side, ticks: Ticks, lots: Lots) {
        *self.open_lots_mut(side) -= lots;
        self.open_value -= ticks * lots;
        debug_assert!(self.open_lots(side) >= Lots::ZERO);
    }

    fn open_lots_mut(&mut self, side: Side) -> &mut Lots {
        match side {
            Side::Buy => &mut self.open_buy,
            Side::Sell => &mut self.open_sell,
        }
    }
}

/// All position entries of the venue.
pub struct Positions {
    arena: Arena<Position>,
    /// Armed orders of each entry, which have no lots there: kept beside, so that others never touch it.
    armed: Vec<u32>,
    /// Where the quotes of each entry stand in their protection groups, bid and ask.
    memberships: Vec<[Membership; 2]>,
    by_owner: Table,
    key: HashKey,
}

impl Positions {
    pub fn new(capacity: u32, key: HashKey) -> Positions {
        Positions {
            arena: Arena::new(capacity, Position::flat(0, 0)),
            armed: filled(capacity as usize, 0),
            memberships: filled(capacity as usize, [Membership::NONE; 2]),
            by_owner: Table::new(capacity),
            key,
        }
    }

    pub fn len(&self) -> u32 {
        self.arena.len()
    }

    /// How many entries may still be made.
    pub fn free(&self) -> u32 {
        self.arena.spare()
    }

    pub fn is_full(&self) -> bool {
        self.arena.is_full()
    }

    pub fn at(&self, slot: u32) -> &Position {
        &self.arena[slot]
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Position {
        &mut self.arena[slot]
    }

    pub fn find(&self, account: u32, instrument: u32) -> Option<u32> {
        self.by_owner.find(self.hash(account, instrument), |slot| {
            let position = self.at(slot);
            position.account == account && position.instrument == instrument
        })
    }

    pub fn find_at(&self, slot: u32) -> Option<&Position> {
        self.arena.find(slot)
    }

    pub fn prefetch(&self, slot: u32) {
        self.arena.prefetch(slot);
    }

    pub fn prefetch_entry(&self, account: u32, instrument: u32) {
        self.by_owner.prefetch(self.hash(account, instrument));
    }

    /// What the entry leads to.
    pub fn prefetch_found(&self, account: u32, instrument: u32) {
        if let Some(slot) = self.by_owner.glance(self.hash(account, instrument)) {
            self.prefetch(slot);
        }
    }

    /// How many armed orders hold this entry (rule 8.31).
    pub fn armed(&self, slot: u32) -> u32 {
        self.armed[slot as usize]
    }

    pub fn count_armed(&mut self, slot: u32) {
        self.armed[slot as usize] += 1;
    }

    pub fn count_disarmed(&mut self, slot: u32) {
        self.armed[slot as usize] -= 1;
    }

    /// Where the quote of an entry stands in its protection group.
    pub fn membership(&self, slot: u32, side: Side) -> &Membership {
        &self.memberships[slot as usize][side.index()]
    }

    pub fn membership_mut(&mut self, slot: u32, side: Side) -> &mut Membership {
        &mut self.memberships[slot as usize][side.index()]
    }

    /// A new entry in an account that has none in the instrument. The caller has seen that one is free.
    pub fn enter(&mut self, account: &mut Account, position: Position) -> u32 {
        let slot = self.arena.take(position);
        self.by_owner.insert(self.hash(position.account, position.instrument), slot);
        let (before, after) = self.neighbours(account, position.instrument);
        self.arena[slot].next = after;
        self.link(account, before, slot);
        slot
    }

    /// Takes an entry out once nothing is left in it.
    pub fn leave_if_empty(&mut self, account: &mut Account, slot: u32) {
        let position = self.arena[slot];
        if !position.is_empty() || self.armed(slot) > 0 {
            return;
        }
        assert!(position.open_value == TickLots(0), "no open lots, and yet an open value");
        let (before, _) = self.neighbours(account, position.instrument);
        self.link(account, before, position.next);
        self.by_owner.remove(self.hash(position.account, position.instrument), slot);
        self.arena.release(slot);
    }

    /// The account's entries by instrument number.
    pub fn of(&self, account: &Account) -> impl Iterator<Item = &Position> + use<'_> {
        self.slots_of(account).map(|slot| self.at(slot))
    }

    /// The slots of the account's entries by instrument number.
    pub fn slots_of(&self, account: &Account) -> impl Iterator<Item = u32> + use<'_> {
        let step = |slot: u32| (slot != NONE).then_some(slot);
        std::iter::successors(step(account.positions), move |slot| step(self.at(*slot).next))
    }

    /// Above every slot that was ever taken.
    pub fn slots_end(&self) -> usize {
        self.arena.slots_end()
    }

    /// The entry before `instrument` (`NONE`: the account itself), and the first one from it on.
    fn neighbours(&self, account: &Account, instrument: u32) -> (u32, u32) {
        let (mut before, mut here) = (NONE, account.positions);
        while here != NONE && self.arena[here].instrument < instrument {
            (before, here) = (here, self.arena[here].next);
        }
        (before, here)
    }

    fn link(&mut self, account: &mut Account, before: u32, slot: u32) {
        if before == NONE {
            account.positions = slot;
        } else {
            self.arena[before].next = slot;
        }
    }

    fn hash(&self, account: u32, instrument: u32) -> u32 {
        self.key.hash(u64::from(account), u64::from(instrument))
    }
}
