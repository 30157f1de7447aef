//! Self-trade prevention as conversations, in the manner of `scenarios`. Sessions 10 and 11 are of one account, 20 of another.
//! Modes: 1 None, 2 CancelTaker, 3 CancelMaker, 4 CancelBoth, 5 DecrementBoth. Reason 3 is Stp.

mod desk;

use desk::{Desk, check, check_on, venue_open};

#[test]
fn without_a_mode_own_orders_match() {
    check(
        "
        10 sell 2@100 #1
        > 10:1 Accepted 1.0 #1 sell 2@100 ref 1
        11 buy 2@100 #2 group=7
        > 11:1 Accepted 2.1 #2 buy 2@100 ref 1
        > 11:2 taker 2.1 #2 buy 2@100 leaves 0 cum 2 fee 100000 position 0 match 1 ref 1
        > 10:2 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position 0 match 1 ref 0
        ",
    );
}

#[test]
fn cancel_taker_ends_the_taker_at_its_own_order() {
    check(
        "
        20 sell 1@99 #1
        > 20:1 Accepted 1.0 #1 sell 1@99 ref 1
        10 sell 2@100 #1
        > 10:1 Accepted 2.1 #1 sell 2@100 ref 1
        20 sell 2@100 #2
        > 20:2 Accepted 3.2 #2 sell 2@100 ref 2
        11 buy 5@100 #2 stp=2
        > 11:1 Accepted 4.3 #2 buy 5@100 ref 1
        > 11:2 taker 4.3 #2 buy 1@99 leaves 4 cum 1 fee 49500 position 1 match 1 ref 1
        > 20:3 maker 1.0 #1 sell 1@99 leaves 0 cum 1 fee 9900 position -1 match 1 ref 0
        > 11:3 Canceled 4.3 #2 orig #2 buy leaves 4 cum 1 reason 3 ref 1
        11 buy 5@100 #3 stp=2 ioc
        > 11:4 Accepted 5.0 #3 buy 5@100 ref 2
        > 11:5 Canceled 5.0 #3 orig #3 buy leaves 5 cum 0 reason 3 ref 2
        ",
    );
}

#[test]
fn cancel_maker_takes_own_orders_out_of_the_way() {
    check(
        "
        10 sell 2@100 #1
        > 10:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 sell 2@100 #1
        > 20:1 Accepted 2.1 #1 sell 2@100 ref 1
        10 sell 2@101 #2
        > 10:2 Accepted 3.2 #2 sell 2@101 ref 2
        11 buy 5@101 #3 stp=3
        > 11:1 Accepted 4.3 #3 buy 5@101 ref 1
        > 10:3 Canceled 1.0 #1 orig #1 sell leaves 2 cum 0 reason 3 ref 0
        > 11:2 taker 4.3 #3 buy 2@100 leaves 3 cum 2 fee 100000 position 2 match 1 ref 1
        > 20:2 maker 2.1 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 10:4 Canceled 3.2 #2 orig #2 sell leaves 2 cum 0 reason 3 ref 0
        ",
    );
}

#[test]
fn cancel_both_ends_both() {
    check(
        "
        20 sell 1@100 #1
        > 20:1 Accepted 1.0 #1 sell 1@100 ref 1
        11 sell 2@100 #1
        > 11:1 Accepted 2.1 #1 sell 2@100 ref 1
        20 sell 1@101 #2
        > 20:2 Accepted 3.2 #2 sell 1@101 ref 2
        10 buy 5@101 #3 stp=4
        > 10:1 Accepted 4.3 #3 buy 5@101 ref 1
        > 10:2 taker 4.3 #3 buy 1@100 leaves 4 cum 1 fee 50000 position 1 match 1 ref 1
        > 20:3 maker 1.0 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 11:2 Canceled 2.1 #1 orig #1 sell leaves 2 cum 0 reason 3 ref 0
        > 10:3 Canceled 4.3 #3 orig #3 buy leaves 4 cum 1 reason 3 ref 1
        ",
    );
}

/// Takers of the resting order's size, and smaller; larger ones are above.
#[test]
fn who_cancels_does_not_ask_how_much() {
    check(
        "
        10 sell 3@100 #1
        > 10:1 Accepted 1.0 #1 sell 3@100 ref 1
        11 buy 3@100 #2 stp=2
        > 11:1 Accepted 2.1 #2 buy 3@100 ref 1
        > 11:2 Canceled 2.1 #2 orig #2 buy leaves 3 cum 0 reason 3 ref 1
        11 buy 2@100 #2 stp=2
        > 11:3 Accepted 3.1 #2 buy 2@100 ref 2
        > 11:4 Canceled 3.1 #2 orig #2 buy leaves 2 cum 0 reason 3 ref 2
        11 buy 2@100 #2 stp=3
        > 11:5 Accepted 4.1 #2 buy 2@100 ref 3
        > 10:2 Canceled 1.0 #1 orig #1 sell leaves 3 cum 0 reason 3 ref 0
        11 cancel 9 orig=2
        > 11:6 Canceled 4.1 #9 orig #2 buy leaves 2 cum 0 reason 1 ref 4
        10 sell 3@100 #1
        > 10:3 Accepted 5.0 #1 sell 3@100 ref 2
        11 buy 3@100 #2 stp=3
        > 11:7 Accepted 6.1 #2 buy 3@100 ref 5
        > 10:4 Canceled 5.0 #1 orig #1 sell leaves 3 cum 0 reason 3 ref 0
        11 cancel 9 orig=2
        > 11:8 Canceled 6.1 #9 orig #2 buy leaves 3 cum 0 reason 1 ref 6
        10 sell 3@100 #1
        > 10:5 Accepted 7.0 #1 sell 3@100 ref 3
        11 buy 2@100 #2 stp=4
        > 11:9 Accepted 8.1 #2 buy 2@100 ref 7
        > 10:6 Canceled 7.0 #1 orig #1 sell leaves 3 cum 0 reason 3 ref 0
        > 11:10 Canceled 8.1 #2 orig #2 buy leaves 2 cum 0 reason 3 ref 7
        10 sell 3@100 #1
        > 10:7 Accepted 9.0 #1 sell 3@100 ref 4
        11 buy 3@100 #2 stp=4
        > 11:11 Accepted 10.1 #2 buy 3@100 ref 8
        > 10:8 Canceled 9.0 #1 orig #1 sell leaves 3 cum 0 reason 3 ref 0
        > 11:12 Canceled 10.1 #2 orig #2 buy leaves 3 cum 0 reason 3 ref 8
        ",
    );
}

/// The taker goes on with what it has left.
#[test]
fn decrement_both_with_a_larger_taker() {
    check(
        "
        11 sell 2@100 #1
        > 11:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 sell 1@100 #1
        > 20:1 Accepted 2.1 #1 sell 1@100 ref 1
        10 buy 5@100 #3 stp=5
        > 10:1 Accepted 3.2 #3 buy 5@100 ref 1
        > 11:2 Canceled 1.0 #1 orig #1 sell leaves 2 cum 0 reason 3 ref 0
        > 10:2 Modified 3.2 #3 orig #3 buy 3@100 leaves 3 status 1 priority kept ref 1
        > 10:3 taker 3.2 #3 buy 1@100 leaves 2 cum 1 fee 50000 position 1 match 1 ref 1
        > 20:2 maker 2.1 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        ",
    );
}

/// The resting order keeps its place, and what it had filled.
#[test]
fn decrement_both_with_a_smaller_taker() {
    check(
        "
        11 sell 1@100 #2
        > 11:1 Accepted 1.0 #2 sell 1@100 ref 1
        11 sell 5@100 #1
        > 11:2 Accepted 2.1 #1 sell 5@100 ref 2
        20 sell 1@100 #1
        > 20:1 Accepted 3.2 #1 sell 1@100 ref 1
        20 buy 2@100 #4
        > 20:2 Accepted 4.3 #4 buy 2@100 ref 2
        > 20:3 taker 4.3 #4 buy 1@100 leaves 1 cum 1 fee 50000 position 1 match 1 ref 2
        > 11:3 maker 1.0 #2 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 20:4 taker 4.3 #4 buy 1@100 leaves 0 cum 2 fee 50000 position 2 match 2 ref 2
        > 11:4 maker 2.1 #1 sell 1@100 leaves 4 cum 1 fee 10000 position -2 match 2 ref 0
        10 buy 3@100 #3 stp=5
        > 10:1 Accepted 5.0 #3 buy 3@100 ref 1
        > 11:5 Modified 2.1 #1 orig #1 sell 2@100 leaves 1 status 2 priority kept ref 0
        > 10:2 Canceled 5.0 #3 orig #3 buy leaves 3 cum 0 reason 3 ref 1
        20 buy 2@100 #5
        > 20:5 Accepted 6.0 #5 buy 2@100 ref 3
        > 20:6 taker 6.0 #5 buy 1@100 leaves 1 cum 1 fee 50000 position 3 match 3 ref 3
        > 11:6 maker 2.1 #1 sell 1@100 leaves 0 cum 2 fee 10000 position -3 match 3 ref 0
        > 20:7 taker 6.0 #5 buy 1@100 leaves 0 cum 2 fee 50000 position 3 match 4 ref 3
        > 20:8 maker 3.2 #1 sell 1@100 leaves 0 cum 1 fee 10000 position 3 match 4 ref 3
        ",
    );
}

#[test]
fn decrement_both_with_equals() {
    check(
        "
        11 sell 2@100 #1
        > 11:1 Accepted 1.0 #1 sell 2@100 ref 1
        10 buy 2@100 #3 stp=5
        > 10:1 Accepted 2.1 #3 buy 2@100 ref 1
        > 11:2 Canceled 1.0 #1 orig #1 sell leaves 2 cum 0 reason 3 ref 0
        > 10:2 Canceled 2.1 #3 orig #3 buy leaves 2 cum 0 reason 3 ref 1
        ",
    );
}

#[test]
fn a_market_order_that_is_decremented_has_no_price() {
    check(
        "
        11 sell 2@100 #1
        > 11:1 Accepted 1.0 #1 sell 2@100 ref 1
        10 buy 5@market #3 stp=5 ioc
        > 10:1 Accepted 2.1 #3 buy 5@market ref 1
        > 11:2 Canceled 1.0 #1 orig #1 sell leaves 2 cum 0 reason 3 ref 0
        > 10:2 Modified 2.1 #3 orig #3 buy 3@market leaves 3 status 1 priority kept ref 1
        > 10:3 Canceled 2.1 #3 orig #3 buy leaves 3 cum 0 reason 8 ref 1
        ",
    );
}

/// Rule 5.8: who guesses a stranger's group trades with him.
#[test]
fn a_group_means_nothing_between_accounts_of_two_owners() {
    for owner in [0, 8] {
        let mut desk = Desk::open_owned(venue_open([1, 2]), 1_000_000_000_000_000, owner);
        check_on(
            &mut desk,
            "
            20 sell 2@100 #1 group=7 stp=2
            > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
            10 buy 1@100 #1 stp=3 group=7
            > 10:1 Accepted 2.1 #1 buy 1@100 ref 1
            > 10:2 taker 2.1 #1 buy 1@100 leaves 0 cum 1 fee 50000 position 1 match 1 ref 1
            > 20:2 maker 1.0 #1 sell 1@100 leaves 1 cum 1 fee 10000 position -1 match 1 ref 0
            10 buy 1@100 #2 stp=2 group=7 fok
            > 10:3 Accepted 3.1 #2 buy 1@100 ref 2
            > 10:4 taker 3.1 #2 buy 1@100 leaves 0 cum 1 fee 50000 position 2 match 2 ref 2
            > 20:3 maker 1.0 #1 sell 1@100 leaves 0 cum 2 fee 10000 position -2 match 2 ref 0
            ",
        );
    }
}

/// Nobody is no owner: two accounts of nobody are strangers.
#[test]
fn accounts_of_nobody_are_strangers() {
    let mut desk = Desk::open(1_000_000_000_000_000);
    desk.play("60 account id=6\n60 account id=7");
    desk.play("60 session id=70 account=6 role=1\n60 session id=80 account=7 role=1");
    desk.play("50 deposit account=6 amount=1000000000\n50 deposit account=7 amount=1000000000");
    desk.log_on(70);
    desk.log_on(80);
    desk.play("70 sell 1@100 #1 group=7 account=6");
    let met = desk.play("80 buy 1@100 #1 group=7 stp=2 account=7");
    assert!(met.contains("taker 2.1 #1 buy 1@100 leaves 0"), "{met}");
}

/// Both must name the group, and only the taker the mode.
#[test]
fn a_group_makes_orders_of_two_accounts_own() {
    check(
        "
        20 sell 2@100 #1 group=7
        > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 sell 2@100 #2 group=8
        > 20:2 Accepted 2.1 #2 sell 2@100 ref 2
        10 buy 1@100 #1 stp=2 group=7
        > 10:1 Accepted 3.2 #1 buy 1@100 ref 1
        > 10:2 Canceled 3.2 #1 orig #1 buy leaves 1 cum 0 reason 3 ref 1
        10 buy 1@100 #2 stp=2 group=9
        > 10:3 Accepted 4.2 #2 buy 1@100 ref 2
        > 10:4 taker 4.2 #2 buy 1@100 leaves 0 cum 1 fee 50000 position 1 match 1 ref 2
        > 20:3 maker 1.0 #1 sell 1@100 leaves 1 cum 1 fee 10000 position -1 match 1 ref 0
        10 buy 1@100 #3 stp=2
        > 10:5 Accepted 5.2 #3 buy 1@100 ref 3
        > 10:6 taker 5.2 #3 buy 1@100 leaves 0 cum 1 fee 50000 position 2 match 2 ref 3
        > 20:4 maker 1.0 #1 sell 1@100 leaves 0 cum 2 fee 10000 position -2 match 2 ref 0
        20 buy 4@90 #3 stp=3 group=7
        > 20:5 Accepted 6.0 #3 buy 4@90 ref 3
        10 sell 4@90 #4 stp=3 group=7
        > 10:7 Accepted 7.2 #4 sell 4@90 ref 4
        > 20:6 Canceled 6.0 #3 orig #3 buy leaves 4 cum 0 reason 3 ref 0
        10 sell 4@90 #5 stp=5 group=7
        > 10:8 Accepted 8.0 #5 sell 4@90 ref 5
        ",
    );
}

/// Rule 5.7.
#[test]
fn only_the_mode_of_the_taker_counts() {
    check(
        "
        10 buy 1@90 #1 stp=2
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        11 sell 1@90 #2
        > 11:1 Accepted 2.1 #2 sell 1@90 ref 1
        > 11:2 taker 2.1 #2 sell 1@90 leaves 0 cum 1 fee 45000 position 0 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 1@90 leaves 0 cum 1 fee 9000 position 0 match 1 ref 0
        10 buy 1@90 #3
        > 10:3 Accepted 3.0 #3 buy 1@90 ref 2
        11 sell 1@90 #4 stp=2
        > 11:3 Accepted 4.1 #4 sell 1@90 ref 2
        > 11:4 Canceled 4.1 #4 orig #4 sell leaves 1 cum 0 reason 3 ref 2
        ",
    );
}

/// Rule 5.6: after three of them the taker waits.
#[test]
fn a_prevention_is_a_step() {
    check(
        "
        10 sell 1@100 #1
        > 10:1 Accepted 1.0 #1 sell 1@100 ref 1
        10 sell 1@100 #2
        > 10:2 Accepted 2.1 #2 sell 1@100 ref 2
        10 sell 1@100 #3
        > 10:3 Accepted 3.2 #3 sell 1@100 ref 3
        10 sell 1@100 #4
        > 10:4 Accepted 4.3 #4 sell 1@100 ref 4
        11 buy 9@100 #5 stp=3
        > 11:1 Accepted 5.4 #5 buy 9@100 ref 1
        > 10:5 Canceled 1.0 #1 orig #1 sell leaves 1 cum 0 reason 3 ref 0
        > 10:6 Canceled 2.1 #2 orig #2 sell leaves 1 cum 0 reason 3 ref 0
        > 10:7 Canceled 3.2 #3 orig #3 sell leaves 1 cum 0 reason 3 ref 0
        0 continue serial=5 slot=4
        > 10:8 Canceled 4.3 #4 orig #4 sell leaves 1 cum 0 reason 3 ref 0
        ",
    );
}

/// Its cancel is a step too, and comes with the continuation.
#[test]
fn a_taker_waits_in_front_of_its_own_order() {
    check(
        "
        20 sell 1@100 #1
        > 20:1 Accepted 1.0 #1 sell 1@100 ref 1
        20 sell 1@100 #2
        > 20:2 Accepted 2.1 #2 sell 1@100 ref 2
        20 sell 1@100 #3
        > 20:3 Accepted 3.2 #3 sell 1@100 ref 3
        10 sell 1@100 #4
        > 10:1 Accepted 4.3 #4 sell 1@100 ref 1
        11 buy 9@100 #5 stp=2
        > 11:1 Accepted 5.4 #5 buy 9@100 ref 1
        > 11:2 taker 5.4 #5 buy 1@100 leaves 8 cum 1 fee 50000 position 1 match 1 ref 1
        > 20:4 maker 1.0 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 11:3 taker 5.4 #5 buy 1@100 leaves 7 cum 2 fee 50000 position 2 match 2 ref 1
        > 20:5 maker 2.1 #2 sell 1@100 leaves 0 cum 1 fee 10000 position -2 match 2 ref 0
        > 11:4 taker 5.4 #5 buy 1@100 leaves 6 cum 3 fee 50000 position 3 match 3 ref 1
        > 20:6 maker 3.2 #3 sell 1@100 leaves 0 cum 1 fee 10000 position -3 match 3 ref 0
        0 continue serial=5 slot=4
        > 11:5 Canceled 5.4 #5 orig #5 buy leaves 6 cum 3 reason 3 ref 0
        ",
    );
}
