//! Special orders (rules 8.40 and 8.41): which they are, and the room that they share. What is special about one stands in
//! its `Terms`; a plain order has none, and pays for none: what is done to special ones is kept out of its code.

use crate::order::{Order, Terms};
use crate::refusal::{Refusal, must, refused};
use crate::reject::Reject;
use crate::venue::Venue;

impl Venue {
    /// Rule 8.41: is there room for one more of this account?
    #[cold]
    pub fn check_special_room(&self, account: u32) -> Result<(), Refusal> {
        let bound = self.limits.special_orders_per_account;
        let too_many = refused(Reject::OpenOrderLimit, 0).with_detail(i64::from(bound));
        must(self.accounts.special_orders(account) < bound, too_many)?;
        must(!self.orders.is_special_full(), refused(Reject::Capacity, 0))
    }

    /// Gives a plain order terms. The caller has seen that there is room.
    #[cold]
    pub fn make_special(&mut self, order: &mut Order, terms: Terms) {
        *self.accounts.special_orders_mut(self.positions.at(order.position).account) += 1;
        self.orders.give_terms(order, terms);
    }

    /// Nothing is special about an order any more.
    #[cold]
    pub fn make_plain(&mut self, order: &mut Order) {
        *self.accounts.special_orders_mut(self.positions.at(order.position).account) -= 1;
        self.orders.take_terms(order);
    }

    /// What opening means besides, for an order that is special or in a group.
    #[cold]
    pub fn open_special(&mut self, order: &Order) {
        self.start_expiry(order);
        if order.is_member() {
            self.join_group(order);
        }
    }

    /// The same for closing.
    #[cold]
    pub fn close_special(&mut self, order: &Order) {
        if order.is_special() {
            self.expiries.stop(order.terms_place());
        }
        if order.is_member() {
            self.leave_group(order);
        }
    }

    /// The end of a special order.
    #[cold]
    pub fn end_special(&mut self, order: &Order) {
        self.make_plain(&mut { *order });
    }
}
