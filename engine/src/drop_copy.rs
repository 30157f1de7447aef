//! Drop copies: the sessions of role ReadOnly, which hear what the sessions that act for their account are told (rule 2.7).
//! Nothing is told twice here. The outbox writes the copies; the engine only knows how many there are, and counts them when a
//! drop copy speaks itself, so that an order costs the same whether somebody listens or not.

use crate::command::Role;
use crate::pool::{NONE, room};
use crate::privileged::has_account;
use crate::session::{Session, Sessions};
use crate::table::Table;

/// Columns beside the rows of sessions, looked at when a drop copy speaks.
pub struct Circles {
    /// One session of each account that has some.
    by_account: Table,
    /// The next session of the same account, round in a circle.
    next: Vec<u32>,
    /// Of a drop copy: how much of what the others of its circle were told stands in its own number. Sums wrap, their differences
    /// do not.
    counted: Vec<u64>,
}

impl Circles {
    pub fn new(capacity: u32) -> Circles {
        Circles {
            by_account: Table::new(capacity),
            next: room(capacity as usize, NONE),
            counted: room(capacity as usize, 0),
        }
    }
}

/// What a drop copy hears is what sessions of these roles are told.
fn acts(session: &Session) -> bool {
    matches!(session.role, Role::Trade | Role::CancelOnly)
}

impl Sessions {
    /// The youngest session joins those of its account. What it was told in an earlier life stands in the numbers of those that
    /// listened then.
    pub fn join_circle(&mut self) {
        let slot = self.len() - 1;
        let session = *self.at(slot);
        self.circles.next.push(slot);
        self.circles.counted.push(0);
        if !has_account(session.role) {
            return;
        }
        let place = self.key.hash(session.account.into(), 0);
        let Some(first) =
            self.circles.by_account.find(place, |other| self.at(other).account == session.account)
        else {
            return self.circles.by_account.insert(place, slot);
        };
        let told = if acts(&session) { session.next_server_seq - 1 } else { 0 };
        self.circles.next[slot as usize] = self.circles.next[first as usize];
        self.circles.next[first as usize] = slot;
        let mut other = self.circles.next[slot as usize];
        while other != slot {
            let counted = &mut self.circles.counted[other as usize];
            *counted = counted.wrapping_add(told);
            other = self.circles.next[other as usize];
        }
        self.circles.counted[slot as usize] = self.told_to_others(slot);
    }

    /// How many messages the sessions that act for this one's account were told.
    fn told_to_others(&self, slot: u32) -> u64 {
        let mut sum = 0_u64;
        let mut other = self.circles.next[slot as usize];
        while other != slot {
            let session = self.at(other);
            if acts(session) {
                sum = sum.wrapping_add(session.next_server_seq - 1);
            }
            other = self.circles.next[other as usize];
        }
        sum
    }

    /// The session with the number that its next message has.
    pub fn as_it_stands(&self, slot: u32) -> Session {
        let mut session = *self.at(slot);
        if session.role == Role::ReadOnly {
            let told = self.told_to_others(slot);
            session.next_server_seq += told.wrapping_sub(self.circles.counted[slot as usize]);
        }
        session
    }

    /// Before a drop copy is told something itself: its number moves behind what it heard.
    #[inline]
    pub fn catch_up(&mut self, slot: u32) {
        if self.at(slot).role == Role::ReadOnly {
            self.count_copies(slot);
        }
    }

    #[cold]
    fn count_copies(&mut self, slot: u32) {
        let session = self.as_it_stands(slot);
        *self.at_mut(slot) = session;
        self.circles.counted[slot as usize] = self.told_to_others(slot);
    }
}
