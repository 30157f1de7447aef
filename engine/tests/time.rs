//! Orders that end by themselves (rules 8.1 to 8.3), as conversations in the manner of `scenarios`. `at=` is the time of one
//! command in ns, `expire=` makes an order Gtd, `day` makes it Day. Reason 7 is Expired.

mod desk;

use desk::{Desk, bytes_of, check, check_on, venue_open};
use engine::command::{CancelOrder, Tick};
use engine::message::Origin;
use engine::{Due, Engine, Sequenced};
use zerocopy::FromZeros;

const HOUR_NS: u64 = 3_600_000_000_000;
const FUNDS: i64 = 1_000_000_000_000_000;

#[test]
fn a_gtd_order_needs_a_time_to_come_and_others_none() {
    check(
        "
        10 buy 1@100 #1 at=1000000 expire=1000000
        > 10:1 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1@100 #1 at=2000000 expire=9223372036854775808
        > 10:2 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1@100 #1 tif=5
        > 10:3 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1@100 #1 tif=2 expire=9000000
        > 10:4 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1@100 #1 tif=1 expire=9000000
        > 10:5 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1@100 #1 at=3000000 expire=3000001
        > 10:6 Accepted 1.0 #1 buy 1@100 ref 6
        0 tick at=3000001
        > 10:7 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 7 ref 0
        10 buy 1@100 #1 expire=9223372036854775807
        > 10:8 Accepted 2.0 #1 buy 1@100 ref 7
        ",
    );
}

/// Rule 4.7: the display is judged before the time.
#[test]
fn every_time_in_force_that_rests_may_post() {
    check(
        "
        20 sell 1@101 #1
        > 20:1 Accepted 1.0 #1 sell 1@101 ref 1
        10 buy 1@101 #1 day post
        > 10:1 Rejected WouldCross field 0 detail 0 #1 order 0.0
        10 buy 1@101 #1 day slide
        > 10:2 Accepted 2.1 #1 buy 1@100 ref 2
        10 buy 1@limit #2 day
        > 10:3 Accepted 3.2 #2 buy 1@101 ref 3
        > 10:4 taker 3.2 #2 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 3
        > 20:2 maker 1.0 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        10 buy 1@market #3 day
        > 10:5 Rejected InvalidCombination field 12 detail 0 #3 order 0.0
        10 buy 1@100 #3 expire=1 display=2
        > 10:6 Rejected DisplayQtyInvalid field 4 detail 0 #3 order 0.0
        ",
    );
}

#[test]
fn a_day_order_ends_at_eight() {
    let mut desk = Desk::open(FUNDS);
    let eight = 100 * 24 * HOUR_NS + 8 * HOUR_NS;
    for (entered, ends) in [(eight - 1, eight), (eight, eight + 24 * HOUR_NS)] {
        desk.ts_ns = entered - 1_000;
        let said = desk.play("10 buy 1@100 #1 day");
        assert!(said.contains("Accepted"), "{said}");
        assert_eq!(desk.engine.deadline(), Some(ends));
        assert_eq!(desk.engine.due(ends - 1), None);
        assert_eq!(desk.engine.due(ends), Some(Due::Tick));
        let said = desk.play(&format!("0 tick at={ends}"));
        assert!(said.contains("reason 7"), "{said}");
        assert_eq!(desk.engine.deadline(), None);
    }
}

/// Rule 8.3: by expiry, then by serial; each told to the session that entered it.
#[test]
fn a_tick_ends_what_is_due_and_nothing_else() {
    check(
        "
        10 buy 2@99 #1 expire=9000002
        > 10:1 Accepted 1.0 #1 buy 2@99 ref 1
        20 buy 1@98 #1 expire=9000001
        > 20:1 Accepted 2.1 #1 buy 1@98 ref 1
        11 sell 1@105 #2 expire=9000001
        > 11:1 Accepted 3.2 #2 sell 1@105 ref 1
        10 buy 1@97 #3
        > 10:2 Accepted 4.3 #3 buy 1@97 ref 2
        10 buy 1@96 #4 expire=9000003
        > 10:3 Accepted 5.4 #4 buy 1@96 ref 3
        20 sell 1@99 #2 ioc
        > 20:2 Accepted 6.5 #2 sell 1@99 ref 2
        > 20:3 taker 6.5 #2 sell 1@99 leaves 0 cum 1 fee 49500 position -1 match 1 ref 2
        > 10:4 maker 1.0 #1 buy 1@99 leaves 1 cum 1 fee 9900 position 1 match 1 ref 0
        0 tick at=9000000
        0 tick at=9000002
        > 20:4 Canceled 2.1 #1 orig #1 buy leaves 1 cum 0 reason 7 ref 0
        > 11:2 Canceled 3.2 #2 orig #2 sell leaves 1 cum 0 reason 7 ref 0
        > 10:5 Canceled 1.0 #1 orig #1 buy leaves 1 cum 1 reason 7 ref 0
        0 tick at=9000003
        > 10:6 Canceled 5.4 #4 orig #4 buy leaves 1 cum 0 reason 7 ref 0
        0 tick at=9000004
        ",
    );
}

/// The venue of the desk takes three steps a command.
#[test]
fn a_tick_stops_at_the_cap_and_another_follows() {
    let mut desk = Desk::open(FUNDS);
    for (id, price) in [(1, 96), (2, 97), (3, 98), (4, 99)] {
        desk.play(&format!("10 buy 1@{price} #{id} expire=9000000"));
    }
    check_on(
        &mut desk,
        "
        0 tick at=9000000
        > 10:5 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 7 ref 0
        > 10:6 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 7 ref 0
        > 10:7 Canceled 3.2 #3 orig #3 buy leaves 1 cum 0 reason 7 ref 0
        ",
    );
    assert_eq!((desk.engine.due(9_000_000), desk.engine.continuation()), (Some(Due::Tick), None));
    let mut restored = Engine::restore(&desk.engine.snapshot()).expect("between two ticks");
    assert_eq!(restored.due(9_000_000), Some(Due::Tick));
    check_on(
        &mut desk,
        "
        0 tick at=9000000
        > 10:8 Canceled 4.3 #4 orig #4 buy leaves 1 cum 0 reason 7 ref 0
        ",
    );
    let mut sink = desk::Lines::default();
    let (origin, message) = (Origin::venue(), Due::Tick.message());
    restored
        .apply(&Sequenced { seq: desk.seq, ts_ns: 9_000_000, origin: &origin, message: &message }, &mut sink);
    assert_eq!(restored.digest(), desk.engine.digest());
}

/// What ends in another way leaves no timer behind: the invariants after each command would say so.
#[test]
fn a_fill_a_cancel_and_an_amend_know_the_timer() {
    let mut desk = Desk::open(FUNDS);
    check_on(
        &mut desk,
        "
        10 buy 1@100 #1 expire=9000001
        > 10:1 Accepted 1.0 #1 buy 1@100 ref 1
        20 sell 1@100 #1
        > 20:1 Accepted 2.1 #1 sell 1@100 ref 1
        > 20:2 taker 2.1 #1 sell 1@100 leaves 0 cum 1 fee 50000 position -1 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 1@100 leaves 0 cum 1 fee 10000 position 1 match 1 ref 0
        10 buy 1@100 #2 expire=9000001
        > 10:3 Accepted 3.0 #2 buy 1@100 ref 2
        10 cancel #3 orig=2
        > 10:4 Canceled 3.0 #3 orig #2 buy leaves 1 cum 0 reason 1 ref 3
        ",
    );
    assert_eq!(desk.engine.deadline(), None);
    check_on(
        &mut desk,
        "
        20 sell 1@101 #5
        > 20:3 Accepted 4.0 #5 sell 1@101 ref 2
        10 buy 3@100 #4 expire=9000001
        > 10:5 Accepted 5.1 #4 buy 3@100 ref 4
        10 amend 4@101 #6 orig=4
        > 10:6 Modified 5.1 #6 orig #4 buy 4@101 leaves 4 status 1 priority lost ref 5
        > 10:7 taker 5.1 #4 buy 1@101 leaves 3 cum 1 fee 50500 position 2 match 2 ref 5
        > 20:4 maker 4.0 #5 sell 1@101 leaves 0 cum 1 fee 10100 position -2 match 2 ref 0
        0 tick at=9000001
        > 10:8 Canceled 5.1 #4 orig #4 buy leaves 3 cum 1 reason 7 ref 0
        ",
    );
}

/// A slot whose last order had an expiry gives none to the next.
#[test]
fn a_plain_order_in_a_used_slot_never_ends() {
    let mut desk = Desk::open(FUNDS);
    desk.play("10 buy 1@100 #1 expire=9000001\n10 cancel #2 orig=1\n10 buy 1@100 #3");
    assert_eq!(desk.engine.deadline(), None);
    assert_eq!(desk.engine.open_orders().next().expect("it rests").expire_ns, None);
}

/// Rule 8.2: a `Continue` that is due goes before the `Tick`, and what waits may have an expiry.
#[test]
fn a_taker_that_waits_expires_once_it_rests() {
    let mut desk = Desk::open(FUNDS);
    for id in 1..=4 {
        desk.play(&format!("20 sell 1@100 #{id}"));
    }
    desk.play("10 buy 6@100 #1 at=5000000 expire=5000100");
    let due = 5 << 24 | 4;
    assert_eq!(desk.engine.due(6_000_000), Some(Due::Continue(due)));
    assert_eq!(desk.engine.deadline(), Some(5_000_100));
    let restored = Engine::restore(&desk.engine.snapshot()).expect("a waiting taker with an expiry");
    assert_eq!(restored.digest(), desk.engine.digest());
    check_on(
        &mut desk,
        "
        0 continue serial=5 slot=4 at=6000000
        > 10:5 taker 5.4 #1 buy 1@100 leaves 2 cum 4 fee 50000 position 4 match 4 ref 0
        > 20:8 maker 4.3 #4 sell 1@100 leaves 0 cum 1 fee 10000 position -4 match 4 ref 0
        0 tick at=6000000
        > 10:6 Canceled 5.4 #1 orig #1 buy leaves 2 cum 4 reason 7 ref 0
        ",
    );
}

#[test]
fn a_tick_that_is_not_due_changes_nothing() {
    let mut desk = Desk::open(FUNDS);
    desk.play("10 buy 1@100 #1 expire=9000000");
    let before = desk.engine.snapshot();
    assert_eq!(desk.play("0 tick"), "0 tick\n");
    // But for its place in the order of commands, which stands in the head.
    assert_eq!(desk.engine.snapshot()[32..], before[32..]);
}

#[test]
fn a_session_cannot_tell_the_time() {
    check(
        "
        10 tick
        > 10:0 SessionReject UnknownTemplate ref 1 template 332 field 0
        10 tick cut=1
        > 10:0 SessionReject BadBlockLength ref 2 template 332 field 0
        ",
    );
}

#[test]
fn past_the_deadline_only_a_tick_is_heard() {
    let late: [(Origin, Vec<u8>); 3] = [
        (Origin::venue(), bytes_of(CancelOrder::new_zeroed())),
        (Desk::open(FUNDS).origin(10), bytes_of(Tick::new_zeroed())),
        (Origin::venue(), bytes_of(Tick::new_zeroed())[..15].to_vec()),
    ];
    for (origin, message) in late {
        let ended = std::panic::catch_unwind(move || {
            let mut desk = Desk::open_with(venue_open([1, 2]), FUNDS);
            desk.play("10 buy 1@100 #1 expire=9000000");
            desk.ts_ns = 9_000_000;
            desk.apply(origin, &message);
        });
        assert!(ended.is_err(), "rule 8.2: a fault of the sequencer stops the engine");
    }
}
