//! Reduce-only orders (rules 8.20 to 8.22) as conversations, in the manner of `scenarios`. The word `reduce` sets the flag;
//! reason 11 is ReduceOnly.

mod desk;

use desk::{Desk, Lines, check, check_on, session, venue_open};
use engine::command::{MassCancel, Role};
use engine::{Engine, Sequenced};
use zerocopy::FromZeros;

const FUNDS: i64 = 1_000_000_000_000_000;

/// Account 4 has bought 5 from account 5; sessions and order ids have moved on.
fn long() -> Desk {
    let mut desk = Desk::open(FUNDS);
    desk.play("20 sell 5@100 #1\n10 buy 5@100 #1");
    desk
}

#[test]
fn there_must_be_something_to_reduce() {
    let mut desk = long();
    check_on(
        &mut desk,
        "
        10 buy 1@99 #2 reduce
        > 10:3 Rejected ReduceOnly field 14 detail 0 #2 order 0.0
        20 sell 1@101 #2 reduce
        > 20:3 Rejected ReduceOnly field 14 detail 0 #2 order 0.0
        10 sell 1@101 #2 reduce instrument=2
        > 10:4 Rejected ReduceOnly field 14 detail 0 #2 order 0.0
        # Cut to what can be reduced; 4.13 comes before, 4.14 after.
        20 buy 9@99 #2 reduce
        > 20:4 Accepted 3.0 #2 buy 5@99 ref 3
        10 sell 9@99 #2 reduce post
        > 10:5 Rejected WouldCross field 0 detail 0 #2 order 0.0
        20 buy 1@98 #3
        > 20:5 Accepted 4.1 #3 buy 1@98 ref 4
        10 sell 9@98 #2 reduce fok
        > 10:6 Accepted 5.2 #2 sell 5@98 ref 5
        > 10:7 taker 5.2 #2 sell 5@99 leaves 0 cum 5 fee 247500 position 0 match 2 ref 5
        > 20:6 maker 3.0 #2 buy 5@99 leaves 0 cum 5 fee 49500 position 0 match 2 ref 0
        10 sell 1@100 #3 reduce
        > 10:8 Rejected ReduceOnly field 14 detail 0 #3 order 0.0
        ",
    );
}

#[test]
fn a_display_is_held_against_what_was_asked() {
    check_on(
        &mut long(),
        "
        10 sell 9@101 #2 reduce display=9
        > 10:3 Accepted 3.0 #2 sell 5@101 display 9 ref 2
        10 amend 9@- #9 orig=2
        > 10:4 Modified 3.0 #9 orig #2 sell 5@101 leaves 5 display 9 status 1 priority kept ref 3
        ",
    );
}

/// Rule 8.21: a match of the account's elsewhere in the book takes from those that rest, by serial.
#[test]
fn what_rests_never_exceeds_what_can_reduce() {
    check_on(
        &mut long(),
        "
        10 sell 5@103 #2 reduce
        > 10:3 Accepted 3.0 #2 sell 5@103 ref 2
        11 sell 3@102 #3 reduce
        > 11:1 Accepted 4.1 #3 sell 3@102 ref 1
        10 sell 5@104 #4
        > 10:4 Accepted 5.2 #4 sell 5@104 ref 3
        20 buy 1@99 #2
        > 20:3 Accepted 6.3 #2 buy 1@99 ref 2
        # As a taker: one order is cut, the other has no more than can reduce.
        10 sell 1@99 #5
        > 10:5 Accepted 7.4 #5 sell 1@99 ref 4
        > 10:6 taker 7.4 #5 sell 1@99 leaves 0 cum 1 fee 49500 position 4 match 2 ref 4
        > 20:4 maker 6.3 #2 buy 1@99 leaves 0 cum 1 fee 9900 position -4 match 2 ref 0
        > 10:7 Modified 3.0 #2 orig #2 sell 4@103 leaves 4 status 1 priority kept ref 4
        # As a maker, by one of them: the other loses as much as it can.
        20 buy 2@102 #3
        > 20:5 Accepted 8.3 #3 buy 2@102 ref 3
        > 20:6 taker 8.3 #3 buy 2@102 leaves 0 cum 2 fee 102000 position -2 match 3 ref 3
        > 11:2 maker 4.1 #3 sell 2@102 leaves 1 cum 2 fee 20400 position 2 match 3 ref 0
        > 10:8 Modified 3.0 #2 orig #2 sell 2@103 leaves 2 status 1 priority kept ref 0
        # The position turns: nothing can be reduced any more.
        20 buy 1@98 #4
        > 20:7 Accepted 9.3 #4 buy 1@98 ref 4
        20 buy 2@98 #5
        > 20:8 Accepted 10.4 #5 buy 2@98 ref 5
        10 sell 3@98 #6
        > 10:9 Accepted 11.5 #6 sell 3@98 ref 5
        > 10:10 taker 11.5 #6 sell 1@98 leaves 2 cum 1 fee 49000 position 1 match 4 ref 5
        > 20:9 maker 9.3 #4 buy 1@98 leaves 0 cum 1 fee 9800 position -1 match 4 ref 0
        > 10:11 Modified 3.0 #2 orig #2 sell 1@103 leaves 1 status 1 priority kept ref 5
        > 10:12 taker 11.5 #6 sell 2@98 leaves 0 cum 3 fee 98000 position -1 match 5 ref 5
        > 20:10 maker 10.4 #5 buy 2@98 leaves 0 cum 2 fee 19600 position 1 match 5 ref 0
        > 10:13 Canceled 3.0 #2 orig #2 sell leaves 1 cum 0 reason 11 ref 5
        > 11:3 Canceled 4.1 #3 orig #3 sell leaves 1 cum 2 reason 11 ref 0
        ",
    );
}

/// Rule 8.21: the taker's account first, then the maker's.
#[test]
fn both_sides_of_a_match_are_capped() {
    check_on(
        &mut long(),
        "
        20 buy 5@98 #2 reduce
        > 20:3 Accepted 3.0 #2 buy 5@98 ref 2
        10 sell 5@103 #2 reduce
        > 10:3 Accepted 4.1 #2 sell 5@103 ref 2
        20 buy 2@99 #3
        > 20:4 Accepted 5.2 #3 buy 2@99 ref 3
        10 sell 2@99 #3
        > 10:4 Accepted 6.3 #3 sell 2@99 ref 3
        > 10:5 taker 6.3 #3 sell 2@99 leaves 0 cum 2 fee 99000 position 3 match 2 ref 3
        > 20:5 maker 5.2 #3 buy 2@99 leaves 0 cum 2 fee 19800 position -3 match 2 ref 0
        > 10:6 Modified 4.1 #2 orig #2 sell 3@103 leaves 3 status 1 priority kept ref 3
        > 20:6 Modified 3.0 #2 orig #2 buy 3@98 leaves 3 status 1 priority kept ref 0
        ",
    );
}

/// Rule 5.5: what a Fok was admitted on may be taken away while it trades.
#[test]
fn a_fok_may_be_left_short() {
    check_on(
        &mut long(),
        "
        10 sell 5@101 #2 reduce
        > 10:3 Accepted 3.0 #2 sell 5@101 ref 2
        10 sell 5@102 #3 reduce
        > 10:4 Accepted 4.1 #3 sell 5@102 ref 3
        20 buy 10@102 #2 fok
        > 20:3 Accepted 5.2 #2 buy 10@102 ref 2
        > 20:4 taker 5.2 #2 buy 5@101 leaves 5 cum 5 fee 252500 position 0 match 2 ref 2
        > 10:5 maker 3.0 #2 sell 5@101 leaves 0 cum 5 fee 50500 position 0 match 2 ref 0
        > 10:6 Canceled 4.1 #3 orig #3 sell leaves 5 cum 0 reason 11 ref 0
        > 20:5 Canceled 5.2 #2 orig #2 buy leaves 5 cum 5 reason 9 ref 2
        ",
    );
}

/// Rule 8.22.
#[test]
fn an_amend_is_cut_too() {
    check_on(
        &mut long(),
        "
        10 sell 3@101 #2 reduce
        > 10:3 Accepted 3.0 #2 sell 3@101 ref 2
        20 buy 1@101 #2
        > 20:3 Accepted 4.1 #2 buy 1@101 ref 2
        > 20:4 taker 4.1 #2 buy 1@101 leaves 0 cum 1 fee 50500 position -4 match 2 ref 2
        > 10:4 maker 3.0 #2 sell 1@101 leaves 2 cum 1 fee 10100 position 4 match 2 ref 0
        10 amend 9@- #9 orig=2
        > 10:5 Modified 3.0 #9 orig #2 sell 5@101 leaves 4 status 2 priority lost ref 3
        # Cut to what it had, it keeps its place.
        10 amend 9@- #9 orig=2
        > 10:6 Modified 3.0 #9 orig #2 sell 5@101 leaves 4 status 2 priority kept ref 4
        10 amend 2@102 #9 orig=2
        > 10:7 Modified 3.0 #9 orig #2 sell 2@102 leaves 1 status 2 priority lost ref 5
        10 amend 1@- #9 orig=2
        > 10:8 Canceled 3.0 #9 orig #2 sell leaves 1 cum 1 reason 1 ref 6
        ",
    );
}

/// Rule 8.21: by serial, wherever they rest and whatever happened to them since.
#[test]
fn an_amended_order_keeps_its_serial() {
    let mut desk = long();
    desk.play("10 sell 5@103 #2 reduce\n10 sell 5@104 #3 reduce\n10 amend -@105 #9 orig=2\n20 buy 1@99 #2");
    check_on(
        &mut desk,
        "
        11 sell 1@99 #4
        > 11:1 Accepted 6.3 #4 sell 1@99 ref 1
        > 11:2 taker 6.3 #4 sell 1@99 leaves 0 cum 1 fee 49500 position 4 match 2 ref 1
        > 20:4 maker 5.2 #2 buy 1@99 leaves 0 cum 1 fee 9900 position -4 match 2 ref 0
        > 10:6 Modified 3.0 #2 orig #2 sell 4@105 leaves 4 status 1 priority kept ref 0
        > 10:7 Modified 4.1 #3 orig #3 sell 4@104 leaves 4 status 1 priority kept ref 0
        ",
    );
}

/// Rules 8.20 and 8.21 at their largest: sixteen orders on each side of the last match, two of three steps gone.
#[test]
fn sixteen_at_most_and_the_cap_is_passed() {
    let mut terms = venue_open([1, 2]);
    (terms.orders_max, terms.orders_per_account_max) = (64.into(), 32.into());
    (terms.levels_max, terms.matches_per_command_max) = (64.into(), 1.into());
    let mut desk = Desk::open_with(terms, FUNDS);
    desk.play("20 sell 5@100 #1\n10 buy 5@100 #1");
    for id in 2..18 {
        let said =
            desk.play(&format!("10 sell 5@{} #{id} reduce\n20 buy 5@{} #{id} reduce", 100 + id, 100 - id));
        assert_eq!(said.matches("Accepted").count(), 2, "{said}");
    }
    check_on(
        &mut desk,
        "
        10 sell 5@110 #20 reduce
        > 10:19 Rejected OpenOrderLimit field 14 detail 16 #20 order 0.0
        20 buy 4@99 #20
        > 20:19 Accepted 35.32 #20 buy 4@99 ref 18
        20 buy 2@99 #21
        > 20:20 Accepted 36.33 #21 buy 2@99 ref 19
        ",
    );
    let said = desk.play("11 sell 6@99 #21");
    assert_eq!(said.matches("Modified").count(), 32, "{said}");
    let waiting = desk.engine.continuation().expect("the match took the only step");
    let mut twin =
        Engine::restore(&desk.engine.snapshot()).expect("a waiting taker among reduce-only orders");
    let script = format!("0 continue serial={} slot={}", waiting >> 24, waiting & 0xFF_FFFF);
    let said = desk.play(&script);
    assert_eq!(said.matches("reason 11").count(), 32, "{said}");
    let (origin, message) = (desk.origin(0), engine::Due::Continue(waiting).message());
    let mut heard = Lines::default();
    twin.apply(
        &Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message: &message },
        &mut heard,
    );
    assert_eq!(twin.digest(), desk.engine.digest());
}

/// A cancel, a mass cancel and an expiry leave no thread behind: the invariants after each command would say so.
#[test]
fn the_list_lets_go_of_whoever_leaves() {
    let mut desk = long();
    desk.venue(session(14, 4, Role::Trade));
    desk.play("10 sell 1@103 #2 reduce\n10 sell 1@103 #3 reduce\n10 sell 1@103 #4 reduce expire=9000000\n10 sell 1@103 #5 reduce\n10 sell 1@103 #6 reduce");
    desk.play("10 cancel #9 orig=3\n0 tick at=9000000\n10 cancel #9 orig=2\n10 cancel #9 orig=6");
    assert_eq!(desk.engine.open_orders().count(), 1);
    let mut all = MassCancel::new_zeroed();
    (all.account_id, all.scope, all.side) = (4.into(), 2, 3);
    desk.apply(desk.origin(10), &desk::bytes_of(all));
    assert_eq!(desk.engine.open_orders().count(), 0);
}

/// State is what it was after a refusal, but for the client's number and the place in the stream.
#[test]
fn a_refusal_changes_nothing() {
    let mut desk = long();
    desk.play("10 sell 4@103 #2 reduce");
    let seen = |desk: &Desk| {
        let positions: Vec<_> = desk.engine.positions(4).collect();
        (desk.engine.open_orders().collect::<Vec<_>>(), positions)
    };
    let before = seen(&desk);
    desk.play("10 buy 4@90 #3 reduce\n10 sell 1@90 #3 reduce display=2\n10 sell 0@90 #3 reduce");
    assert_eq!(seen(&desk), before);
}

#[test]
fn the_flag_goes_with_every_type() {
    check(
        "
        10 buy 1@99 #1 order_flags=16
        > 10:1 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
        10 buy 1@99 #1 order_flags=7
        > 10:2 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
        10 buy 1@market #1 reduce ioc
        > 10:3 Rejected NoLiquidity field 0 detail 0 #1 order 0.0
        20 sell 1@100 #1
        > 20:1 Accepted 1.0 #1 sell 1@100 ref 1
        10 buy 1@market #1 reduce ioc
        > 10:4 Rejected ReduceOnly field 14 detail 0 #1 order 0.0
        ",
    );
}

/// Rule 10.4: the uncrossing caps as well, the bid's account first; what is cut may cross no more.
#[test]
fn an_auction_caps_too() {
    let mut desk = long();
    desk.play("10 sell 5@103 #2 reduce\n20 buy 5@97 #2 reduce\n0 state 3\n10 sell 2@99 #3\n20 buy 2@101 #3");
    let said = desk.play("0 state 4");
    let told: Vec<&str> = said.lines().filter(|line| line.contains("Modified")).collect();
    assert_eq!(
        told,
        [
            "> 20:6 Modified 4.1 #2 orig #2 buy 3@97 leaves 3 status 1 priority kept ref 0",
            "> 10:6 Modified 3.0 #2 orig #2 sell 3@103 leaves 3 status 1 priority kept ref 0",
        ],
        "{said}"
    );
}
