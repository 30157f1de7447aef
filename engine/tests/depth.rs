//! The look ahead of orders that are filled whole or not at all, and of orders without a price, is bounded (rules 4.14 and 4.18).

mod desk;

use desk::{Desk, venue_open};
use engine::Sequenced;
use engine::command::VenueOpen;
use engine::limits::WALK_ORDERS_MAX;

const FUNDS: i64 = 1_000_000_000_000_000;

/// One lot at 100 from account 5, so many times.
fn asks(count: u32) -> Desk {
    let room = (count + 8).into();
    let terms = VenueOpen { orders_max: room, orders_per_account_max: room, ..venue_open([1, 2]) };
    let mut desk = Desk::open_with(terms, FUNDS);
    for id in 1..=count {
        let (origin, message) = desk.message(&format!("20 sell 1@100 #{id}"));
        (desk.seq, desk.ts_ns) = (desk.seq + 1, desk.ts_ns + 1_000);
        let command = Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message: &message };
        // Without the checks of section 7 after each of so many.
        desk.engine.apply(&command, &mut Silent);
    }
    desk
}

struct Silent;

impl engine::event::EventSink for Silent {
    fn event(&mut self, _: u32, _: &[u8]) {}
}

#[test]
fn a_fok_counts_on_so_many_orders_and_no_more() {
    let mut desk = asks(WALK_ORDERS_MAX + 2);
    let said = desk.play(&format!("10 buy {}@100 #1 fok", WALK_ORDERS_MAX + 1));
    assert!(said.contains("Rejected FokNotFillable field 0 detail 0"), "{said}");
    let said = desk.play(&format!("10 buy {WALK_ORDERS_MAX}@100 #1 fok"));
    assert!(said.contains("Accepted"), "{said}");
}

/// Without a band a market order has no bound but the highest of all prices, which nobody can pay.
#[test]
fn a_market_order_is_priced_at_its_bound_beyond_so_many_orders() {
    let mut desk = asks(WALK_ORDERS_MAX + 2);
    let said = desk.play(&format!("10 buy {}@market #1 ioc", WALK_ORDERS_MAX + 1));
    assert!(said.contains("Rejected InsufficientMargin"), "{said}");
    let said = desk.play(&format!("10 buy {WALK_ORDERS_MAX}@market #1 ioc"));
    assert!(said.contains("Accepted"), "{said}");
}
