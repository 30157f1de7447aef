//! Icebergs: orders that show a part of what they have (rules 8.10 to 8.13). Owns what is shown now; the whole of the
//! leaves counts for everything else.

use crate::order::{Order, Orders, Terms};
use crate::pool::NONE;
use crate::units::Lots;
use crate::venue::Venue;

impl Orders {
    /// What a match may take of a resting order (rule 8.11).
    pub fn shown(&self, order: &Order) -> Lots {
        let terms = self.terms(order);
        if terms.display == 0 { order.leaves() } else { Lots(i64::from(terms.shown)) }
    }

    /// The display of an order that is one, 0 of others.
    pub fn display(&self, order: &Order) -> u32 {
        self.terms(order).display
    }

    /// A special order shows as much as it may, and no more than it has; one that is no iceberg nothing of its own.
    pub fn show_anew(&mut self, order: &Order) {
        let leaves = order.leaves().0 as u32;
        let terms = self.terms_mut(order);
        terms.shown = terms.display.min(leaves);
    }
}

impl Venue {
    /// Rule 8.11 for a special order that rests on after a match of `lots`.
    pub fn show_less(&mut self, order: &Order, lots: Lots) {
        let terms = self.orders.terms_mut(order);
        if terms.display == 0 {
            return;
        }
        terms.shown -= lots.0 as u32;
        if terms.shown > 0 {
            return;
        }
        self.orders.show_anew(order);
        if order.younger != NONE {
            let instrument = self.positions.at(order.position).instrument;
            let book = &mut self.instruments[instrument].book;
            book.lift(&mut self.levels, &mut self.orders, order.slot());
            book.rest(&mut self.levels, &mut self.orders, order.slot());
        }
    }

    /// Takes `lots` away from an order that rests on, what is shown last (rules 8.13, 9.4). The order as it is then.
    pub fn shrink(&mut self, slot: u32, lots: Lots) -> Order {
        let order = self.orders.at_mut(slot);
        order.shrink(lots);
        let order = *order;
        self.close_lots(&order, lots);
        if order.is_special() {
            let terms = self.orders.terms_mut(&order);
            terms.shown = terms.shown.min(order.leaves().0 as u32);
        }
        order
    }

    /// What an iceberg shows at most from now on. An order that was none becomes one; the caller has seen that it may (rule 8.41).
    pub fn set_display(&mut self, order: &mut Order, display: u32) {
        if display == self.orders.display(order) {
            return;
        }
        if !order.is_special() {
            self.make_special(order, Terms::PLAIN);
        }
        self.orders.terms_mut(order).display = display;
    }

    /// Rule 8.13 for an order that keeps its place: it shows at most `display` from now on.
    pub fn lower_display(&mut self, order: &mut Order, display: u32) {
        let shown = self.orders.shown(order).0 as u32;
        self.set_display(order, display);
        self.orders.at_mut(order.slot()).catch_up(order);
        if display != 0 {
            self.orders.terms_mut(order).shown = shown.min(display);
        }
    }
}
