//! The numbers that order ids are made of (rules 4.17 and 5.1).

mod desk;

use desk::{Desk, check_on, venue_open};
use engine::Engine;

/// Where a snapshot says the next serial: behind the head and the block of `VenueOpen`.
const NEXT_SERIAL: usize = 32 + 80;

/// The desk as if so many orders had been accepted.
fn desk_after(orders: u64) -> Desk {
    let Desk { engine, seq, ts_ns } = Desk::open_with(venue_open([1, 2]), 1_000_000_000_000_000);
    let mut bytes = engine.snapshot();
    bytes[NEXT_SERIAL..NEXT_SERIAL + 8].copy_from_slice(&(orders + 1).to_le_bytes());
    let engine = Engine::restore(&bytes).expect("any number of orders may have ended");
    Desk { engine, seq, ts_ns }
}

/// Rule 4.17: an id has 40 bits for its serial, and none is ever given twice.
#[test]
fn serials_end() {
    let mut desk = desk_after((1 << 40) - 2);
    check_on(
        &mut desk,
        "
        10 buy 1@99 #1
        > 10:1 Accepted 1099511627775.0 #1 buy 1@99 ref 1
        10 buy 1@98 #2
        > 10:2 Rejected Capacity field 0 detail 0 #2 order 0.0
        10 buy 1@98 #2 stop=120
        > 10:3 Rejected Capacity field 0 detail 0 #2 order 0.0 trigger
        10 cancel #3 orig=1
        > 10:4 Canceled 1099511627775.0 #3 orig #1 buy leaves 1 cum 0 reason 1 ref 4
        ",
    );
    let mut desk = desk_after((1 << 40) - 2);
    check_on(
        &mut desk,
        "
        20 quote #5 1:1@99/1@101
        > 20:1 QuoteAck Done #5 group 0 ref 1 | 1 set/Capacity
        20 sell 1@101 #6
        > 20:2 Rejected Capacity field 0 detail 0 #6 order 0.0
        ",
    );
}
