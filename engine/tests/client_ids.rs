//! Client ids that are used up: the window of closed ones (rule 12.1) and sessions whose ids rise (rule 12.2), as
//! conversations in the manner of `scenarios`.

mod desk;

use desk::{Desk, check_on, venue_open};
use engine::Engine;

/// A window of `closed_ids`, and a billion for either account.
fn desk(closed_ids: u32) -> Desk {
    let mut terms = venue_open([1, 2]);
    terms.closed_ids_max = closed_ids.into();
    Desk::open_with(terms, 1_000_000_000_000_000)
}

/// The engine from its own snapshot in place of the engine.
fn restore(desk: &mut Desk) {
    let twin = Engine::restore(&desk.engine.snapshot()).expect("an engine reads its own snapshot");
    assert_eq!(twin.digest(), desk.engine.digest());
    desk.engine = twin;
}

/// Rule 12.1: canceled by its owner, filled as maker and as taker, canceled as Ioc, and by a mass cancel.
#[test]
fn an_id_stays_used_however_its_order_ended() {
    let mut desk = desk(10);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #1
        > 10:2 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0
        10 cancel 50 orig=1
        > 10:3 Canceled 1.0 #50 orig #1 buy leaves 1 cum 0 reason 1 ref 3
        11 buy 1@91 #1
        > 11:1 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0
        10 buy 1@100 #2
        > 10:4 Accepted 2.0 #2 buy 1@100 ref 4
        20 sell 3@100 #1 ioc
        > 20:1 Accepted 3.1 #1 sell 3@100 ref 1
        > 20:2 taker 3.1 #1 sell 1@100 leaves 2 cum 1 fee 50000 position -1 match 1 ref 1
        > 10:5 maker 2.0 #2 buy 1@100 leaves 0 cum 1 fee 10000 position 1 match 1 ref 0
        > 20:3 Canceled 3.1 #1 orig #1 sell leaves 2 cum 1 reason 8 ref 1
        20 sell 3@100 #1
        > 20:4 Rejected DuplicateClOrdId field 1 detail 0 #1 order 3.1
        10 buy 1@100 #2
        > 10:6 Rejected DuplicateClOrdId field 1 detail 0 #2 order 2.0
        10 buy 1@90 #3
        > 10:7 Accepted 4.0 #3 buy 1@90 ref 6
        10 mass 51
        > 10:8 Canceled 4.0 #3 orig #3 buy leaves 1 cum 0 reason 2 ref 7
        > 10:9 MassCancelAck Done #51 canceled 1 ref 7
        10 buy 1@90 #3
        > 10:10 Rejected DuplicateClOrdId field 1 detail 0 #3 order 4.0
        ",
    );
    restore(&mut desk);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #3
        > 10:11 Rejected DuplicateClOrdId field 1 detail 0 #3 order 4.0
        20 buy 1@90 #3
        > 20:5 Accepted 5.0 #3 buy 1@90 ref 3
        ",
    );
}

/// Rule 12.1: a taker that filled at once, one that its own order stopped, and one that was amended away.
#[test]
fn takers_and_prevented_orders_use_their_ids_up() {
    check_on(
        &mut desk(10),
        "
        10 buy 1@100 #1
        > 10:1 Accepted 1.0 #1 buy 1@100 ref 1
        11 sell 1@100 #2 stp=4
        > 11:1 Accepted 2.1 #2 sell 1@100 ref 1
        > 10:2 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 3 ref 0
        > 11:2 Canceled 2.1 #2 orig #2 sell leaves 1 cum 0 reason 3 ref 1
        10 buy 1@100 #1
        > 10:3 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0
        10 buy 1@100 #2
        > 10:4 Rejected DuplicateClOrdId field 1 detail 0 #2 order 2.1
        10 buy 2@100 #3
        > 10:5 Accepted 3.0 #3 buy 2@100 ref 4
        20 sell 1@100 #9 fok
        > 20:1 Accepted 4.1 #9 sell 1@100 ref 1
        > 20:2 taker 4.1 #9 sell 1@100 leaves 0 cum 1 fee 50000 position -1 match 1 ref 1
        > 10:6 maker 3.0 #3 buy 1@100 leaves 1 cum 1 fee 10000 position 1 match 1 ref 0
        20 sell 1@100 #9
        > 20:3 Rejected DuplicateClOrdId field 1 detail 0 #9 order 4.1
        10 amend 1@- #50 orig=3
        > 10:7 Canceled 3.0 #50 orig #3 buy leaves 1 cum 1 reason 1 ref 5
        10 buy 1@100 #3
        > 10:8 Rejected DuplicateClOrdId field 1 detail 0 #3 order 3.0
        ",
    );
}

/// Rule 12.1: of all accounts together, the oldest is forgotten first.
#[test]
fn the_window_is_the_venues_and_forgets_the_oldest() {
    let mut desk = desk(2);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@90 #2
        > 10:2 Accepted 2.1 #2 buy 1@90 ref 2
        10 cancel 50 orig=2
        > 10:3 Canceled 2.1 #50 orig #2 buy leaves 1 cum 0 reason 1 ref 3
        10 cancel 51 orig=1
        > 10:4 Canceled 1.0 #51 orig #1 buy leaves 1 cum 0 reason 1 ref 4
        10 buy 1@90 #2
        > 10:5 Rejected DuplicateClOrdId field 1 detail 0 #2 order 2.1
        20 buy 1@90 #1
        > 20:1 Accepted 3.0 #1 buy 1@90 ref 1
        20 cancel 52 orig=1 account=5
        > 20:2 Canceled 3.0 #52 orig #1 buy leaves 1 cum 0 reason 1 ref 2
        10 buy 1@90 #2
        > 10:6 Accepted 4.0 #2 buy 1@90 ref 6
        ",
    );
    restore(&mut desk);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1
        > 10:7 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0
        20 buy 1@90 #1
        > 20:3 Rejected DuplicateClOrdId field 1 detail 0 #1 order 3.0
        10 cancel 53 orig=2
        > 10:8 Canceled 4.0 #53 orig #2 buy leaves 1 cum 0 reason 1 ref 8
        10 buy 1@90 #1
        > 10:9 Accepted 5.0 #1 buy 1@90 ref 9
        ",
    );
}

/// Rule 12.1: what is no order uses nothing up.
#[test]
fn ids_of_cancels_amends_and_refused_orders_stay_free() {
    check_on(
        &mut desk(10),
        "
        10 buy 2@90 #1
        > 10:1 Accepted 1.0 #1 buy 2@90 ref 1
        10 amend 1@- #2 orig=1
        > 10:2 Modified 1.0 #2 orig #1 buy 1@90 leaves 1 status 1 priority kept ref 2
        10 cancel 3 orig=1
        > 10:3 Canceled 1.0 #3 orig #1 buy leaves 1 cum 0 reason 1 ref 3
        10 buy 0@90 #4
        > 10:4 Rejected QtyNotPositive field 3 detail 0 #4 order 0.0
        10 buy 1@90 #2
        > 10:5 Accepted 2.0 #2 buy 1@90 ref 5
        10 buy 1@90 #3
        > 10:6 Accepted 3.1 #3 buy 1@90 ref 6
        10 buy 1@90 #4
        > 10:7 Accepted 4.2 #4 buy 1@90 ref 7
        ",
    );
}

#[test]
fn without_a_window_only_open_ids_are_used() {
    check_on(
        &mut desk(0),
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 cancel 50 orig=1
        > 10:2 Canceled 1.0 #50 orig #1 buy leaves 1 cum 0 reason 1 ref 2
        10 buy 1@90 #1
        > 10:3 Accepted 2.0 #1 buy 1@90 ref 3
        ",
    );
}

/// Rule 12.2: sessions 14 and 15 rise, 10 does not; the mark is the account's.
#[test]
fn rising_ids_stay_above_the_accounts_mark() {
    let mut desk = desk(1);
    check_on(
        &mut desk,
        "
        0 session id=14 account=4 rising=1
        > 0:0 Confirmed Done template 323 field 0 ref 1
        0 session id=15 account=4 rising=1
        > 0:0 Confirmed Done template 323 field 0 ref 1
        ",
    );
    desk.log_on(14);
    desk.log_on(15);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #100
        > 10:1 Accepted 1.0 #100 buy 1@90 ref 1
        14 buy 1@90 #5
        > 14:1 Accepted 2.1 #5 buy 1@90 ref 1
        14 buy 1@90 #4
        > 14:2 Rejected DuplicateClOrdId field 1 detail 0 #4 order 0.0
        15 buy 1@90 #5
        > 15:1 Rejected DuplicateClOrdId field 1 detail 0 #5 order 2.1
        14 buy 0@90 #50
        > 14:3 Rejected QtyNotPositive field 3 detail 0 #50 order 0.0
        15 buy 1@90 #6
        > 15:2 Accepted 3.2 #6 buy 1@90 ref 2
        15 cancel 60 orig=5
        > 15:3 Canceled 2.1 #60 orig #5 buy leaves 1 cum 0 reason 1 ref 3
        > 14:4 Canceled 2.1 #5 orig #5 buy leaves 1 cum 0 reason 1 ref 0
        ",
    );
    restore(&mut desk);
    check_on(
        &mut desk,
        "
        14 buy 1@90 #5
        > 14:5 Rejected DuplicateClOrdId field 1 detail 0 #5 order 2.1
        15 cancel 61 orig=6
        > 15:4 Canceled 3.2 #61 orig #6 buy leaves 1 cum 0 reason 1 ref 4
        14 buy 1@90 #5
        > 14:6 Rejected DuplicateClOrdId field 1 detail 0 #5 order 0.0
        10 buy 1@90 #3
        > 10:2 Accepted 4.1 #3 buy 1@90 ref 2
        14 buy 1@90 #7
        > 14:7 Accepted 5.2 #7 buy 1@90 ref 6
        ",
    );
}

/// Rule 3.5.
#[test]
fn only_sessions_that_trade_have_rising_ids() {
    check_on(
        &mut desk(1),
        "
        60 session id=14 account=4 rising=2
        > 60:1 Confirmed InvalidParameter template 323 field 4 ref 1
        60 session id=14 account=4 rising=1 role=3
        > 60:2 Confirmed InvalidParameter template 323 field 4 ref 2
        60 session id=14 account=9 rising=1 role=9
        > 60:3 Confirmed InvalidParameter template 323 field 3 ref 3
        60 session id=14 account=9 rising=2
        > 60:4 Confirmed InvalidParameter template 323 field 4 ref 4
        60 session id=14 account=9 rising=1
        > 60:5 Confirmed UnknownAccount template 323 field 2 ref 5
        ",
    );
}

/// A refusal for a used id leaves everything as it was, save the client's number and what was said.
#[test]
fn the_digest_is_of_the_window_as_well() {
    let history = |first: u64, second: u64| {
        let mut desk = desk(2);
        for id in [first, second] {
            desk.play(&format!("10 buy 1@90 #{id}\n10 cancel 50 orig={id}"));
        }
        desk
    };
    assert_eq!(history(1, 2).engine.digest(), history(1, 2).engine.digest());
    assert_ne!(history(1, 2).engine.digest(), history(2, 1).engine.digest());
    let desk = history(1, 2);
    let bytes = desk.engine.snapshot();
    // The last record: account u32, client id u64, order id u64.
    let mut other = bytes.clone();
    other[bytes.len() - 16] ^= 4;
    let other = Engine::restore(&other).expect("another id could have been the last");
    assert_ne!(other.digest(), desk.engine.digest());
}
