//! 8.40 and 8.41: which orders are special, and how many there may be.

use super::matching::rests;
use super::*;

pub const SEEN: [&str; 3] = [
    "an account has no room for another special order",
    "the venue has no room for another special order",
    "an order cannot begin to hide for want of room",
];

impl Order {
    /// 8.40.
    pub(super) fn is_special(&self) -> bool {
        let grouped = self.group != 0 && !self.quote;
        let reduces = self.reduce_only && rests(self.tif);
        self.trigger.is_some() || self.expiry.is_some() || self.display.is_some() || grouped || reduces
    }
}

impl Model {
    fn special(&self) -> impl Iterator<Item = &Order> {
        self.all_orders().filter(|order| order.is_special())
    }

    /// 8.41 for one more of this account.
    pub(super) fn special_room(&self, account: u32) -> Outcome {
        let (all, own) = (self.limits().special_orders, self.limits().special_orders_per_account);
        if self.special().filter(|order| order.account == account).count() >= own as usize {
            return Err(with_detail(Reject::OpenOrderLimit, 0, own.into()));
        }
        demand(self.special().count() < all as usize, Reject::Capacity, 0)
    }

    /// Whether it is 8.41 that refuses a new order, or the amend of one.
    pub(super) fn note_special_refusal(&mut self, account: u32, amends: bool, why: Refusal) {
        let Err(room) = self.special_room(account) else { return };
        if (why.code, why.field, why.detail) == (room.code, 0, room.detail) {
            self.note(match room.code {
                _ if amends => SEEN[2],
                code if code == Reject::OpenOrderLimit.code() => SEEN[0],
                _ => SEEN[1],
            });
        }
    }
}
