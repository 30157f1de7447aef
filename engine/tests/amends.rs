//! Amends as conversations, in the manner of `scenarios`: `session amend total@ticks #its-own-number orig=client-id`, `-` for
//! what stays.

mod desk;

use desk::{Desk, check, check_on};

/// Rule 5.33: fewer lots or the same values keep it; more lots or another price lose it.
#[test]
fn what_keeps_a_place_in_the_queue() {
    check(
        "
        10 buy 5@100 #1
        > 10:1 Accepted 1.0 #1 buy 5@100 ref 1
        11 buy 5@100 #2
        > 11:1 Accepted 2.1 #2 buy 5@100 ref 1
        10 buy 5@100 #3
        > 10:2 Accepted 3.2 #3 buy 5@100 ref 2
        10 amend 4@- #9 orig=1
        > 10:3 Modified 1.0 #9 orig #1 buy 4@100 leaves 4 status 1 priority kept ref 3
        10 amend -@- #10 orig=1
        > 10:4 Modified 1.0 #10 orig #1 buy 4@100 leaves 4 status 1 priority kept ref 4
        10 amend 4@100 #11 orig=1 post
        > 10:5 Modified 1.0 #11 orig #1 buy 4@100 leaves 4 status 1 priority kept ref 5
        20 sell 1@100 #1
        > 20:1 Accepted 4.3 #1 sell 1@100 ref 1
        > 20:2 taker 4.3 #1 sell 1@100 leaves 0 cum 1 fee 50000 position -1 match 1 ref 1
        > 10:6 maker 1.0 #1 buy 1@100 leaves 3 cum 1 fee 10000 position 1 match 1 ref 0
        10 amend 5@- #12 orig=1
        > 10:7 Modified 1.0 #12 orig #1 buy 5@100 leaves 4 status 2 priority lost ref 6
        20 sell 1@100 #2
        > 20:3 Accepted 5.3 #2 sell 1@100 ref 2
        > 20:4 taker 5.3 #2 sell 1@100 leaves 0 cum 1 fee 50000 position -2 match 2 ref 2
        > 11:2 maker 2.1 #2 buy 1@100 leaves 4 cum 1 fee 10000 position 2 match 2 ref 0
        11 amend 5@99 #13 orig=2
        > 11:3 Modified 2.1 #13 orig #2 buy 5@99 leaves 4 status 2 priority lost ref 2
        10 amend 5@100 #14 orig=2
        > 10:8 Modified 2.1 #14 orig #2 buy 5@100 leaves 4 status 2 priority lost ref 7
        > 11:4 Modified 2.1 #2 orig #2 buy 5@100 leaves 4 status 2 priority lost ref 0
        20 sell 12@100 #3
        > 20:5 Accepted 6.3 #3 sell 12@100 ref 3
        > 20:6 taker 6.3 #3 sell 5@100 leaves 7 cum 5 fee 250000 position -7 match 3 ref 3
        > 10:9 maker 3.2 #3 buy 5@100 leaves 0 cum 5 fee 50000 position 7 match 3 ref 0
        > 20:7 taker 6.3 #3 sell 4@100 leaves 3 cum 9 fee 200000 position -11 match 4 ref 3
        > 10:10 maker 1.0 #1 buy 4@100 leaves 0 cum 5 fee 40000 position 11 match 4 ref 0
        > 20:8 taker 6.3 #3 sell 3@100 leaves 0 cum 12 fee 150000 position -14 match 5 ref 3
        > 11:5 maker 2.1 #2 buy 3@100 leaves 1 cum 4 fee 30000 position 14 match 5 ref 0
        ",
    );
}

/// Rule 5.31: a total that is filled cancels.
#[test]
fn a_total_counts_what_is_filled() {
    check(
        "
        10 buy 5@100 #1
        > 10:1 Accepted 1.0 #1 buy 5@100 ref 1
        20 sell 2@100 #1
        > 20:1 Accepted 2.1 #1 sell 2@100 ref 1
        > 20:2 taker 2.1 #1 sell 2@100 leaves 0 cum 2 fee 100000 position -2 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 2@100 leaves 3 cum 2 fee 20000 position 2 match 1 ref 0
        10 amend 4@- #9 orig=1
        > 10:3 Modified 1.0 #9 orig #1 buy 4@100 leaves 2 status 2 priority kept ref 2
        10 amend 2@- #10 orig=1
        > 10:4 Canceled 1.0 #10 orig #1 buy leaves 2 cum 2 reason 1 ref 3
        10 buy 5@100 #1
        > 10:5 Accepted 3.0 #1 buy 5@100 ref 4
        20 sell 2@100 #2
        > 20:3 Accepted 4.1 #2 sell 2@100 ref 2
        > 20:4 taker 4.1 #2 sell 2@100 leaves 0 cum 2 fee 100000 position -4 match 2 ref 2
        > 10:6 maker 3.0 #1 buy 2@100 leaves 3 cum 2 fee 20000 position 4 match 2 ref 0
        11 amend 1@- #11 orig=1
        > 11:1 Canceled 3.0 #11 orig #1 buy leaves 3 cum 2 reason 1 ref 1
        > 10:7 Canceled 3.0 #1 orig #1 buy leaves 3 cum 2 reason 1 ref 0
        ",
    );
}

/// Rule 5.35: the matches tell the session that entered the order.
#[test]
fn an_amend_that_crosses_takes() {
    check(
        "
        20 sell 2@101 #1
        > 20:1 Accepted 1.0 #1 sell 2@101 ref 1
        20 sell 2@102 #2
        > 20:2 Accepted 2.1 #2 sell 2@102 ref 2
        11 buy 3@99 #1
        > 11:1 Accepted 3.2 #1 buy 3@99 ref 1
        10 amend -@102 #9 orig=1
        > 10:1 Modified 3.2 #9 orig #1 buy 3@102 leaves 3 status 1 priority lost ref 1
        > 11:2 Modified 3.2 #1 orig #1 buy 3@102 leaves 3 status 1 priority lost ref 0
        > 11:3 taker 3.2 #1 buy 2@101 leaves 1 cum 2 fee 101000 position 2 match 1 ref 0
        > 20:3 maker 1.0 #1 sell 2@101 leaves 0 cum 2 fee 20200 position -2 match 1 ref 0
        > 11:4 taker 3.2 #1 buy 1@102 leaves 0 cum 3 fee 51000 position 3 match 2 ref 0
        > 20:4 maker 2.1 #2 sell 1@102 leaves 1 cum 1 fee 10200 position -3 match 2 ref 0
        20 cancel 7 orig=2 account=5
        > 20:5 Canceled 2.1 #7 orig #2 sell leaves 1 cum 1 reason 1 ref 3
        10 buy 1@98 #2
        > 10:2 Accepted 4.0 #2 buy 1@98 ref 2
        11 amend 4@101 #9 serial=4 slot=0
        > 11:5 Modified 4.0 #9 orig #2 buy 4@101 leaves 4 status 1 priority lost ref 2
        > 10:3 Modified 4.0 #2 orig #2 buy 4@101 leaves 4 status 1 priority lost ref 0
        20 sell 5@101 #3
        > 20:6 Accepted 5.1 #3 sell 5@101 ref 4
        > 20:7 taker 5.1 #3 sell 4@101 leaves 1 cum 4 fee 202000 position -7 match 3 ref 4
        > 10:4 maker 4.0 #2 buy 4@101 leaves 0 cum 4 fee 40400 position 7 match 3 ref 0
        ",
    );
}

/// It keeps its serial, so a mass cancel still meets it first.
#[test]
fn an_amend_stops_at_the_cap_and_is_continued() {
    check(
        "
        10 buy 9@95 #1
        > 10:1 Accepted 1.0 #1 buy 9@95 ref 1
        20 sell 1@100 #1
        > 20:1 Accepted 2.1 #1 sell 1@100 ref 1
        20 sell 1@101 #2
        > 20:2 Accepted 3.2 #2 sell 1@101 ref 2
        20 sell 1@101 #3
        > 20:3 Accepted 4.3 #3 sell 1@101 ref 3
        20 sell 1@101 #4
        > 20:4 Accepted 5.4 #4 sell 1@101 ref 4
        10 buy 1@94 #2
        > 10:2 Accepted 6.5 #2 buy 1@94 ref 2
        10 amend -@101 #9 orig=1
        > 10:3 Modified 1.0 #9 orig #1 buy 9@101 leaves 9 status 1 priority lost ref 3
        > 10:4 taker 1.0 #1 buy 1@100 leaves 8 cum 1 fee 50000 position 1 match 1 ref 3
        > 20:5 maker 2.1 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 10:5 taker 1.0 #1 buy 1@101 leaves 7 cum 2 fee 50500 position 2 match 2 ref 3
        > 20:6 maker 3.2 #2 sell 1@101 leaves 0 cum 1 fee 10100 position -2 match 2 ref 0
        > 10:6 taker 1.0 #1 buy 1@101 leaves 6 cum 3 fee 50500 position 3 match 3 ref 3
        > 20:7 maker 4.3 #3 sell 1@101 leaves 0 cum 1 fee 10100 position -3 match 3 ref 0
        0 continue serial=1 slot=1
        0 continue serial=1
        > 10:7 taker 1.0 #1 buy 1@101 leaves 5 cum 4 fee 50500 position 4 match 4 ref 0
        > 20:8 maker 5.4 #4 sell 1@101 leaves 0 cum 1 fee 10100 position -4 match 4 ref 0
        10 mass 10
        > 10:8 Canceled 1.0 #1 orig #1 buy leaves 5 cum 4 reason 2 ref 4
        > 10:9 Canceled 6.5 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 4
        > 10:10 MassCancelAck Done #10 canceled 2 ref 4
        ",
    );
}

/// Rule 5.35.
#[test]
fn an_amended_order_prevents_by_its_own_mode() {
    check(
        "
        20 sell 1@101 #1
        > 20:1 Accepted 1.0 #1 sell 1@101 ref 1
        10 sell 2@101 #2
        > 10:1 Accepted 2.1 #2 sell 2@101 ref 1
        11 buy 4@99 #1 stp=5
        > 11:1 Accepted 3.2 #1 buy 4@99 ref 1
        10 amend -@101 #9 orig=1
        > 10:2 Modified 3.2 #9 orig #1 buy 4@101 leaves 4 status 1 priority lost ref 2
        > 11:2 Modified 3.2 #1 orig #1 buy 4@101 leaves 4 status 1 priority lost ref 0
        > 11:3 taker 3.2 #1 buy 1@101 leaves 3 cum 1 fee 50500 position 1 match 1 ref 0
        > 20:2 maker 1.0 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        > 10:3 Canceled 2.1 #2 orig #2 sell leaves 2 cum 0 reason 3 ref 2
        > 11:4 Modified 3.2 #1 orig #1 buy 2@101 leaves 1 status 2 priority kept ref 0
        ",
    );
}

/// Rule 5.32.
#[test]
fn a_price_that_slides_back_is_no_new_price() {
    check(
        "
        20 sell 2@101 #1
        > 20:1 Accepted 1.0 #1 sell 2@101 ref 1
        10 buy 2@100 #1
        > 10:1 Accepted 2.1 #1 buy 2@100 ref 1
        10 buy 2@100 #2
        > 10:2 Accepted 3.2 #2 buy 2@100 ref 2
        10 amend -@101 #9 orig=1 post
        > 10:3 Rejected WouldCross field 0 detail 0 #9 order 0.0
        10 amend -@105 #9 orig=1 slide
        > 10:4 Modified 2.1 #9 orig #1 buy 2@100 leaves 2 status 1 priority kept ref 4
        10 amend 3@105 #9 orig=1 slide
        > 10:5 Modified 2.1 #9 orig #1 buy 3@100 leaves 3 status 1 priority lost ref 5
        10 amend 3@105 #9 orig=2 slide
        > 10:6 Modified 3.2 #9 orig #2 buy 3@100 leaves 3 status 1 priority lost ref 6
        ",
    );
}

/// Rules 5.30 and 5.32: each line has everything that the lines after it have wrong.
#[test]
fn refusals_of_amends_come_in_order() {
    check(
        "
        60 instrument id=3 band=30000 qty_max=100
        > 60:1 Confirmed Done template 321 field 0 ref 1
        10 buy 5@99 #1 instrument=3
        > 10:1 Accepted 1.0 #1 buy 5@99 ref 1
        20 sell 5@101 #1 instrument=3
        > 20:1 Accepted 2.1 #1 sell 5@101 ref 1
        13 amend 0@- #0 account=99
        > 13:2 Rejected Permission field 0 detail 0 #0 order 0.0
        12 amend 0@- #0 account=99
        > 12:1 Rejected Permission field 0 detail 0 #0 order 0.0
        10 amend 0@- #9 account=19 order_flags=4 display=1
        > 10:2 Rejected UnknownAccount field 11 detail 0 #9 order 0.0
        10 amend 0@- #9 account=5 order_flags=4 display=1
        > 10:3 Rejected NotYourAccount field 11 detail 0 #9 order 0.0
        10 amend 0@- #9 order_flags=4 display=1
        > 10:4 Rejected InvalidCombination field 2 detail 0 #9 order 0.0
        10 amend 0@- #9 orig=1 serial=1 order_flags=4 display=1
        > 10:5 Rejected InvalidCombination field 2 detail 0 #9 order 1.0
        10 amend 0@- #9 orig=7 order_flags=4 display=1
        > 10:6 Rejected InvalidCombination field 9 detail 0 #9 order 0.0
        10 amend 0@- #9 orig=7
        > 10:7 Rejected UnknownOrder field 2 detail 0 #9 order 0.0
        10 amend 0@- #9 serial=7
        > 10:8 Rejected UnknownOrder field 3 detail 0 #9 order 7.0
        10 amend 0@- #9 orig=1 instrument=1
        > 10:9 Rejected UnknownOrder field 2 detail 0 #9 order 0.0
        10 amend 0@0 #9 serial=1 instrument=3
        > 10:10 Rejected PriceNotOnTick field 4 detail 0 #9 order 1.0
        10 amend 0@- #9 serial=1 price=1
        > 10:11 Rejected PriceNotOnTick field 4 detail 0 #9 order 1.0
        10 amend 0@110 #9 serial=1 delay=1 sent=0 display=101
        > 10:12 Rejected QtyNotPositive field 5 detail 0 #9 order 1.0
        10 amend 101@110 #9 serial=1 delay=1 sent=0 display=102
        > 10:13 Rejected QtyTooLarge field 5 detail 100 #9 order 1.0
        10 amend 100@110 #9 serial=1 delay=1 sent=0 display=101
        > 10:14 Rejected DisplayQtyInvalid field 6 detail 0 #9 order 1.0
        10 amend 100@110 #9 serial=1 delay=1 sent=0
        > 10:15 Rejected StaleRequest field 8 detail 41000 #9 order 1.0
        10 amend 100@110 #9 serial=1 delay=1 sent=2000000000
        > 10:16 Rejected StaleRequest field 8 detail 0 #9 order 1.0
        10 mass 1 block=1 side=2
        > 10:17 MassCancelAck Done #1 canceled 0 ref 17
        60 state 6 id=3
        > 60:2 Confirmed Done template 324 field 0 ref 2
        10 amend 100@110 #9 serial=1 post
        > 10:18 Rejected AccountBlocked field 0 detail 0 #9 order 1.0
        10 mass 1 block=2 side=2
        > 10:19 MassCancelAck Done #1 canceled 0 ref 19
        10 amend 100@110 #9 serial=1 post
        > 10:20 Rejected Halted field 0 detail 0 #9 order 1.0
        60 state 5 id=3
        > 60:3 Confirmed Done template 324 field 0 ref 3
        10 amend 100@110 #9 serial=1 post
        > 10:21 Rejected CancelOnly field 0 detail 0 #9 order 1.0
        60 state 4 id=3
        > 60:4 Confirmed Done template 324 field 0 ref 4
        10 amend 100@110 #9 serial=1 post
        > 10:22 Rejected PriceAboveBand field 4 detail 51500000000 #9 order 1.0
        10 amend 100@101 #9 serial=1 post
        > 10:23 Rejected WouldCross field 0 detail 0 #9 order 1.0
        10 amend 100@103 #9 serial=1
        > 10:24 Modified 1.0 #9 orig #1 buy 100@103 leaves 100 status 1 priority lost ref 24
        > 10:25 taker 1.0 #1 buy 5@101 leaves 95 cum 5 fee 252500 position 5 match 1 ref 24
        > 20:2 maker 2.1 #1 sell 5@101 leaves 0 cum 5 fee 50500 position -5 match 1 ref 0
        ",
    );
}

/// Rule 5.33: what the order has open is taken out first.
#[test]
fn an_amend_has_the_bounds_of_an_order() {
    check(
        "
        50 deposit amount=1000000000000000000
        > 50:1 Confirmed Done template 310 field 0 ref 1
        10 buy 1000000000@1 #1
        > 10:1 Accepted 1.0 #1 buy 1000000000@1 ref 1
        10 buy 1000000000@1 #2
        > 10:2 Accepted 2.1 #2 buy 1000000000@1 ref 2
        10 buy 100000000@1 #3
        > 10:3 Accepted 3.2 #3 buy 100000000@1 ref 3
        10 amend 999999999@11 #9 orig=3
        > 10:4 Rejected MaxOrderValue field 0 detail 10000000000000000 #9 order 0.0
        10 amend 147483648@1 #9 orig=3
        > 10:5 Rejected PositionLimit field 0 detail 2147483647 #9 order 0.0
        10 amend 147483647@1 #9 orig=3
        > 10:6 Modified 3.2 #9 orig #3 buy 147483647@1 leaves 147483647 status 1 priority lost ref 6
        10 amend 5000@- #9 orig=2
        > 10:7 Modified 2.1 #9 orig #2 buy 5000@1 leaves 5000 status 1 priority kept ref 7
        ",
    );
}

/// Rule 5.33: eight levels are taken.
#[test]
fn a_new_price_needs_a_free_level() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 2.1 #2 buy 1@91 ref 2
        10 buy 1@92 #3
        > 10:3 Accepted 3.2 #3 buy 1@92 ref 3
        10 buy 1@93 #4
        > 10:4 Accepted 4.3 #4 buy 1@93 ref 4
        10 buy 1@94 #5
        > 10:5 Accepted 5.4 #5 buy 1@94 ref 5
        10 buy 1@95 #6
        > 10:6 Accepted 6.5 #6 buy 1@95 ref 6
        20 buy 1@96 #1
        > 20:1 Accepted 7.6 #1 buy 1@96 ref 1
        20 buy 1@97 #2
        > 20:2 Accepted 8.7 #2 buy 1@97 ref 2
        10 amend -@89 #9 orig=1
        > 10:7 Rejected Capacity field 0 detail 0 #9 order 0.0
        10 amend -@91 #9 orig=1
        > 10:8 Rejected Capacity field 0 detail 0 #9 order 0.0
        10 amend 2@90 #9 orig=1
        > 10:9 Modified 1.0 #9 orig #1 buy 2@90 leaves 2 status 1 priority lost ref 9
        20 cancel 5 orig=1 account=5
        > 20:3 Canceled 7.6 #5 orig #1 buy leaves 1 cum 0 reason 1 ref 3
        10 amend -@89 #9 orig=1
        > 10:10 Modified 1.0 #9 orig #1 buy 2@89 leaves 2 status 1 priority lost ref 10
        ",
    );
}

/// Rule 5.33. Funds 100. Short of equity, an amend may still lower the requirement.
#[test]
fn the_margin_of_an_amend_is_that_of_a_new_order() {
    check_on(
        &mut Desk::open(100_000_000),
        "
        10 buy 9@100 #1
        > 10:1 Accepted 1.0 #1 buy 9@100 ref 1
        10 amend 10@100 #9 orig=1
        > 10:2 Rejected InsufficientMargin field 0 detail 500000 #9 order 0.0
        10 amend 9@102 #9 orig=1
        > 10:3 Rejected InsufficientMargin field 0 detail 8459000 #9 order 0.0
        10 amend 9@101 #9 orig=1
        > 10:4 Modified 1.0 #9 orig #1 buy 9@101 leaves 9 status 1 priority lost ref 4
        40 mark ticks=90
        > 40:1 Confirmed Done template 300 field 0 ref 1
        10 amend 9@100 #9 orig=1
        > 10:5 Modified 1.0 #9 orig #1 buy 9@100 leaves 9 status 1 priority lost ref 5
        10 amend 9@102 #9 orig=1
        > 10:6 Rejected InsufficientMargin field 0 detail 89459000 #9 order 0.0
        ",
    );
}
