//! 8.10 to 8.13: orders that show less than they have.

use super::*;

pub const SEEN: [&str; 7] = [
    "an iceberg shows its next part",
    "an iceberg's last part trades",
    "a larger display loses priority",
    "a smaller display keeps it",
    "an order begins to hide",
    "a smaller total is all in sight",
    "a prevented self-trade reaches hidden lots",
];

impl Order {
    /// What the others can see of it while it rests.
    pub(super) fn in_sight(&self) -> i128 {
        if self.display.is_some() { self.shown } else { self.leaves }
    }
}

/// 8.10.
pub(super) fn display(wanted: i64, may_hide: bool, qty: i128) -> Result<Option<i128>, Refusal> {
    if wanted == NULL_I64 {
        return Ok(None);
    }
    let wanted = i128::from(wanted);
    let enough = (1..=qty).contains(&wanted) && qty <= 100 * wanted;
    demand(may_hide && enough, Reject::DisplayQtyInvalid, 4)?;
    Ok(Some(wanted))
}

/// 8.13: the display after an amend that asks for `wanted`.
pub(super) fn amended_display(old: &Order, wanted: i64, total: i128) -> Result<Option<i128>, Refusal> {
    if wanted == NULL_I64 {
        demand(old.display.is_none_or(|kept| total <= 100 * kept), Reject::DisplayQtyInvalid, 6)?;
        return Ok(old.display);
    }
    let wanted = i128::from(wanted);
    demand((1..=total).contains(&wanted) && total <= 100 * wanted, Reject::DisplayQtyInvalid, 6)?;
    Ok(Some(wanted))
}

/// 8.13: what is larger than before loses priority.
pub(super) fn shows_more(old: &Order, display: Option<i128>) -> bool {
    old.display.is_some_and(|before| display.is_some_and(|now| now > before))
}

/// 8.13: what an amended order shows where it stands.
pub(super) fn shown_after_amend(old: &Order, display: Option<i128>, leaves: i128) -> i128 {
    display.map_or(0, |most| old.in_sight().min(most).min(leaves))
}

/// What an amend came to, by name.
pub(super) fn seen_of_amend(old: &Order, new: &Order) -> Option<&'static str> {
    match (old.display, new.display) {
        (None, Some(_)) => Some(SEEN[4]),
        (Some(before), Some(now)) if now > before => Some(SEEN[2]),
        (Some(before), Some(now)) if now < before => Some(SEEN[3]),
        (Some(_), Some(_)) if new.leaves < old.leaves && new.leaves == new.shown => Some(SEEN[5]),
        _ => None,
    }
}

impl Model {
    /// 5.5 and 8.11: behind all orders of its price, as much of it in sight as may be.
    pub(super) fn rest(&mut self, mut order: Order) {
        order.shown = order.display.map_or(0, |most| most.min(order.leaves));
        self.orders.push(order);
    }
}
