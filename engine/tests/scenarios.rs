//! Market rules as conversations. A line is a command, or, behind `>`, what the engine answers: `session:place what ...`.
//! Sessions 10 and 11 trade for account 4, 12 may only cancel and 13 only read there, 20 trades for account 5, 40 is the
//! oracle, 50 the bridge, 60 the administrator. Instruments 1 and 2 are marked at 100; a tick of one lot is worth 1.

mod desk;

use desk::{Desk, check, check_on};

#[test]
fn an_order_rests_and_is_met_at_its_price_oldest_first() {
    check(
        "
        10 buy 5@100 #1
        > 10:1 Accepted 1.0 #1 buy 5@100 ref 1
        11 buy 5@100 #2
        > 11:1 Accepted 2.1 #2 buy 5@100 ref 1
        10 buy 2@101 #3
        > 10:2 Accepted 3.2 #3 buy 2@101 ref 2
        20 sell 9@100 #1
        > 20:1 Accepted 4.3 #1 sell 9@100 ref 1
        > 20:2 taker 4.3 #1 sell 2@101 leaves 7 cum 2 fee 101000 position -2 match 1 ref 1
        > 10:3 maker 3.2 #3 buy 2@101 leaves 0 cum 2 fee 20200 position 2 match 1 ref 0
        > 20:3 taker 4.3 #1 sell 5@100 leaves 2 cum 7 fee 250000 position -7 match 2 ref 1
        > 10:4 maker 1.0 #1 buy 5@100 leaves 0 cum 5 fee 50000 position 7 match 2 ref 0
        > 20:4 taker 4.3 #1 sell 2@100 leaves 0 cum 9 fee 100000 position -9 match 3 ref 1
        > 11:2 maker 2.1 #2 buy 2@100 leaves 3 cum 2 fee 20000 position 9 match 3 ref 0
        20 sell 1@102 #2
        > 20:5 Accepted 5.0 #2 sell 1@102 ref 2
        ",
    );
}

#[test]
fn fees_are_rounded_up_and_go_to_their_account() {
    let mut desk = Desk::open(1_000_000_000);
    desk.play("60 instrument id=3 tick=500000000 lot=2000 mark=500000000\n10 buy 1@1 #1 instrument=3\n20 sell 1@1 #1 instrument=3");
    let quotes: Vec<i128> = desk.engine.accounts().map(|account| account.quote.0).collect();
    assert_eq!(quotes, [0, 2, 0, 999_999_998, 1_000_000_000], "value 1: each side pays a fee of 1");
}

#[test]
fn what_remains_of_ioc_is_canceled() {
    check(
        "
        10 sell 2@100 #1
        > 10:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 buy 5@100 #7 ioc
        > 20:1 Accepted 2.1 #7 buy 5@100 ref 1
        > 20:2 taker 2.1 #7 buy 2@100 leaves 3 cum 2 fee 100000 position 2 match 1 ref 1
        > 10:2 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 20:3 Canceled 2.1 #7 orig #7 buy leaves 3 cum 2 reason 8 ref 1
        20 buy 5@100 #7 ioc
        > 20:4 Accepted 3.0 #7 buy 5@100 ref 2
        > 20:5 Canceled 3.0 #7 orig #7 buy leaves 5 cum 0 reason 8 ref 2
        ",
    );
}

#[test]
fn a_taker_stops_at_the_cap_and_is_continued() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("10 sell 1@100 #1\n10 sell 1@101 #2\n10 sell 1@101 #3\n11 sell 1@102 #4");
    check_on(
        &mut desk,
        "
        0 continue serial=1
        20 buy 6@103 #1
        > 20:1 Accepted 5.4 #1 buy 6@103 ref 1
        > 20:2 taker 5.4 #1 buy 1@100 leaves 5 cum 1 fee 50000 position 1 match 1 ref 1
        > 10:4 maker 1.0 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 20:3 taker 5.4 #1 buy 1@101 leaves 4 cum 2 fee 50500 position 2 match 2 ref 1
        > 10:5 maker 2.1 #2 sell 1@101 leaves 0 cum 1 fee 10100 position -2 match 2 ref 0
        > 20:4 taker 5.4 #1 buy 1@101 leaves 3 cum 3 fee 50500 position 3 match 3 ref 1
        > 10:6 maker 3.2 #3 sell 1@101 leaves 0 cum 1 fee 10100 position -3 match 3 ref 0
        0 continue serial=5 slot=3
        ",
    );
    assert_eq!(desk.engine.continuation(), Some(5 << 24 | 4));
    check_on(
        &mut desk,
        "
        0 continue serial=5 slot=4
        > 20:5 taker 5.4 #1 buy 1@102 leaves 2 cum 4 fee 51000 position 4 match 4 ref 0
        > 11:2 maker 4.3 #4 sell 1@102 leaves 0 cum 1 fee 10200 position -4 match 4 ref 0
        0 continue serial=5 slot=4
        20 cancel 9 serial=5 slot=4 account=5
        > 20:6 Canceled 5.4 #9 orig #1 buy leaves 2 cum 4 reason 1 ref 2
        ",
    );
}

#[test]
fn a_continued_ioc_is_canceled_in_its_last_command() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("10 sell 1@100 #1\n10 sell 1@100 #2\n10 sell 1@100 #3\n10 sell 1@100 #4\n20 buy 5@100 #1 ioc");
    check_on(
        &mut desk,
        "
        0 continue serial=5 slot=4
        > 20:5 taker 5.4 #1 buy 1@100 leaves 1 cum 4 fee 50000 position 4 match 4 ref 0
        > 10:8 maker 4.3 #4 sell 1@100 leaves 0 cum 1 fee 10000 position -4 match 4 ref 0
        > 20:6 Canceled 5.4 #1 orig #1 buy leaves 1 cum 4 reason 8 ref 0
        ",
    );
}

#[test]
#[should_panic(expected = "rule 5.6")]
fn nothing_may_come_between() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("10 sell 1@100 #1\n10 sell 1@100 #2\n10 sell 1@100 #3\n10 sell 1@100 #4\n20 buy 5@100 #1");
    desk.play("50 deposit amount=1");
}

#[test]
fn an_account_may_trade_with_itself() {
    check(
        "
        10 sell 2@100 #1
        > 10:1 Accepted 1.0 #1 sell 2@100 ref 1
        11 buy 2@100 #2
        > 11:1 Accepted 2.1 #2 buy 2@100 ref 1
        > 11:2 taker 2.1 #2 buy 2@100 leaves 0 cum 2 fee 100000 position 0 match 1 ref 1
        > 10:2 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position 0 match 1 ref 0
        ",
    );
}

#[test]
fn orders_are_canceled_by_either_id_and_from_another_session() {
    check(
        "
        10 buy 5@99 #1
        > 10:1 Accepted 1.0 #1 buy 5@99 ref 1
        10 buy 5@98 #2
        > 10:2 Accepted 2.1 #2 buy 5@98 ref 2
        10 buy 5@97 #3
        > 10:3 Accepted 3.2 #3 buy 5@97 ref 3
        10 cancel 50 orig=2 instrument=1
        > 10:4 Canceled 2.1 #50 orig #2 buy leaves 5 cum 0 reason 1 ref 4
        11 cancel 51 serial=3 slot=2
        > 11:1 Canceled 3.2 #51 orig #3 buy leaves 5 cum 0 reason 1 ref 1
        > 10:5 Canceled 3.2 #3 orig #3 buy leaves 5 cum 0 reason 1 ref 0
        12 cancel 0 orig=1
        > 12:1 Canceled 1.0 #0 orig #1 buy leaves 5 cum 0 reason 1 ref 1
        > 10:6 Canceled 1.0 #1 orig #1 buy leaves 5 cum 0 reason 1 ref 0
        10 buy 1@99 #1
        > 10:7 Accepted 4.0 #1 buy 1@99 ref 5
        ",
    );
}

/// Rules 5.10 to 5.12: each line has everything that the lines after it have wrong.
#[test]
fn refusals_of_cancels_come_in_order() {
    let mut desk = Desk::open(1_000_000_000);
    desk.play("10 buy 1@99 #1");
    check_on(
        &mut desk,
        "
        13 cancel 1 account=99
        > 13:2 Rejected Permission field 0 detail 0 #1 order 0.0
        40 cancel 1 account=99
        > 40:1 Rejected Permission field 0 detail 0 #1 order 0.0
        10 cancel 1 account=19
        > 10:2 Rejected UnknownAccount field 5 detail 0 #1 order 0.0
        10 cancel 1 account=5
        > 10:3 Rejected NotYourAccount field 5 detail 0 #1 order 0.0
        10 cancel 1
        > 10:4 Rejected InvalidCombination field 2 detail 0 #1 order 0.0
        10 cancel 1 orig=1 serial=1
        > 10:5 Rejected InvalidCombination field 2 detail 0 #1 order 0.0
        10 cancel 1 orig=2
        > 10:6 Rejected UnknownOrder field 2 detail 0 #1 order 0.0
        10 cancel 1 orig=1 instrument=2
        > 10:7 Rejected UnknownOrder field 2 detail 0 #1 order 0.0
        10 cancel 1 serial=2
        > 10:8 Rejected UnknownOrder field 3 detail 0 #1 order 2.0
        20 cancel 1 serial=1 account=5
        > 20:1 Rejected UnknownOrder field 3 detail 0 #1 order 1.0
        20 cancel 1 orig=1 account=5
        > 20:2 Rejected UnknownOrder field 2 detail 0 #1 order 0.0
        ",
    );
}

/// Section 4: each line mends what the line before was refused for, and is wrong in everything that is checked later.
#[test]
fn refusals_of_orders_come_in_order() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("10 buy 1@99 #1");
    check_on(
        &mut desk,
        "
        13 buy 0@0 #0 account=99 instrument=9 side=3 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 13:2 Rejected Permission field 0 detail 0 #0 order 0.0
        12 buy 0@0 #0
        > 12:1 Rejected Permission field 0 detail 0 #0 order 0.0
        10 buy 0@0 #0 account=19 instrument=9 side=3 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 10:2 Rejected UnknownAccount field 7 detail 0 #0 order 0.0
        10 buy 0@0 #0 account=5 instrument=9 side=3 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 10:3 Rejected NotYourAccount field 7 detail 0 #0 order 0.0
        10 buy 0@0 #0 instrument=9 side=3 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 10:4 Rejected UnknownInstrument field 6 detail 0 #0 order 0.0
        10 buy 0@0 #0 side=3 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 10:5 Rejected InvalidSide field 10 detail 0 #0 order 0.0
        10 buy 0@0 #0 type=4 tif=1 stp=0 order_flags=3 mmp=1
        > 10:6 Rejected InvalidOrdType field 11 detail 0 #0 order 0.0
        10 buy 0@0 #0 tif=6 stp=0 order_flags=3 mmp=1
        > 10:7 Rejected InvalidTif field 12 detail 0 #0 order 0.0
        10 buy 0@0 #0 tif=3 stp=0 order_flags=3 mmp=1
        > 10:8 Rejected InvalidCombination field 1 detail 0 #0 order 0.0
        10 buy 0@0 #1 tif=3 stp=0 order_flags=3 mmp=1
        > 10:9 Rejected InvalidCombination field 13 detail 0 #1 order 0.0
        10 buy 0@0 #1 tif=3 stp=5 order_flags=3 mmp=1
        > 10:10 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
        10 buy 0@0 #1 tif=3 stp=5 order_flags=1 mmp=1
        > 10:11 Rejected InvalidCombination field 15 detail 0 #1 order 0.0
        10 buy 0@0 #1 tif=3 stp=5 group=7 order_flags=1 display=1000000001
        > 10:12 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 0@0 #1 price=-9223372036854775808 display=1000000001
        > 10:13 Rejected PriceRequired field 2 detail 0 #1 order 0.0
        10 buy 0@0 #1 display=1000000001
        > 10:14 Rejected PriceNotOnTick field 2 detail 0 #1 order 0.0
        10 buy 0@0 #1 price=499999999 display=1000000001
        > 10:15 Rejected PriceNotOnTick field 2 detail 0 #1 order 0.0
        10 buy 0@200000000 #1 display=1000000001 expire=1
        > 10:16 Rejected QtyNotPositive field 3 detail 0 #1 order 0.0
        10 buy 1000000001@200000000 #1 display=1000000001 expire=1
        > 10:17 Rejected QtyTooLarge field 3 detail 1000000000 #1 order 0.0
        10 buy 1000000000@200000000 #1 display=1000000001 expire=1
        > 10:18 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 1000000000@200000000 #1 expire=1
        > 10:19 Rejected ExpireTimeInvalid field 5 detail 0 #1 order 0.0
        10 buy 1000000000@200000000 #1 delay=1 sent=0
        > 10:20 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0
        10 buy 1000000000@200000000 #2 delay=1 sent=0
        > 10:21 Rejected StaleRequest field 9 detail 45000 #2 order 0.0
        10 buy 1000000000@200000000 #2 delay=1 sent=2000000000
        > 10:22 Rejected StaleRequest field 9 detail 0 #2 order 0.0
        10 buy 1000000000@200000000 #2 delay=1
        > 10:23 Rejected MaxOrderValue field 0 detail 10000000000000000 #2 order 0.0
        10 buy 1000000000@10 #2
        > 10:24 Rejected InsufficientMargin field 0 detail 10004000010009900 #2 order 0.0
        ",
    );
}

#[test]
fn a_position_has_a_bound_before_the_margin_has() {
    let mut desk = Desk::open(0);
    for _ in 0..20 {
        desk.play("0 deposit amount=1000000000000000000");
    }
    check_on(
        &mut desk,
        "
        10 buy 1000000000@1 #1
        > 10:1 Accepted 1.0 #1 buy 1000000000@1 ref 1
        10 buy 1000000000@1 #2
        > 10:2 Accepted 2.1 #2 buy 1000000000@1 ref 2
        10 buy 147483648@1 #3
        > 10:3 Rejected PositionLimit field 0 detail 2147483647 #3 order 0.0
        10 buy 147483647@1 #3
        > 10:4 Accepted 3.2 #3 buy 147483647@1 ref 4
        10 sell 1000000000@2 #4
        > 10:5 Accepted 4.3 #4 sell 1000000000@2 ref 5
        ",
    );
}

#[test]
fn the_account_and_the_venue_have_room_for_so_many() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play(
        "10 buy 1@90 #1\n10 buy 1@91 #2\n10 buy 1@92 #3\n10 buy 1@93 #4\n10 buy 1@94 #5\n10 buy 1@95 #6",
    );
    check_on(
        &mut desk,
        "
        10 buy 1@96 #7
        > 10:7 Rejected OpenOrderLimit field 0 detail 6 #7 order 0.0
        20 buy 1@97 #1
        > 20:1 Accepted 7.6 #1 buy 1@97 ref 1
        20 buy 1@98 #2
        > 20:2 Accepted 8.7 #2 buy 1@98 ref 2
        20 buy 1@97 #3
        > 20:3 Rejected Capacity field 0 detail 0 #3 order 0.0
        10 cancel 1 orig=3
        > 10:8 Canceled 3.2 #1 orig #3 buy leaves 1 cum 0 reason 1 ref 8
        20 buy 1@97 #3
        > 20:4 Accepted 9.2 #3 buy 1@97 ref 4
        ",
    );
}

/// Rules 6.2 to 6.5 with numbers worked by hand. Funds 100; initial margin 10 %, fees 0.01 % and 0.05 %.
#[test]
fn margin_is_what_the_page_says() {
    let mut desk = Desk::open(100_000_000);
    check_on(
        &mut desk,
        "
        # 9 lots at 100: 90 of margin, 900 * 0.05 % = 0.45 of fee.
        10 buy 9@100 #1
        > 10:1 Accepted 1.0 #1 buy 9@100 ref 1
        # Now 90 + 0.09 stand; one more lot at 102: 10 more, slippage 2, fee 0.051: 102.141 against 100.
        10 buy 1@102 #2
        > 10:2 Rejected InsufficientMargin field 0 detail 2141000 #2 order 0.0
        # A sell does not raise the worst side; slippage 1 below the mark, fee 0.0495: 91.1395.
        10 sell 1@101 #3
        > 10:3 Accepted 2.1 #3 sell 1@101 ref 3
        # The mark falls to 90 by no order: 9 * 9 of margin, and 9 * (100 - 90) of slippage on the bids.
        40 mark ticks=90
        > 40:1 Confirmed Done template 300 field 0 ref 1
        # 81 + 90 + ceil(1001 * 0.01 %) = 171.1001; a lot more of sells: fee 0.0505 only, but equity is 100.
        10 sell 1@101 #4
        > 10:4 Rejected InsufficientMargin field 0 detail 71150600 #4 order 0.0
        ",
    );
    let account = desk.engine.accounts().find(|account| account.id == 4).expect("account 4");
    assert_eq!((account.equity.0, account.requirement.0), (100_000_000, 171_100_100));
}

/// Rule 6.5: who is short of equity may still do what does not raise the requirement.
#[test]
fn an_order_that_raises_nothing_is_admitted() {
    let mut desk = Desk::open(100_000_000);
    desk.play("60 instrument id=3 maker=0 taker=0\n10 sell 9@100 #1 instrument=3\n20 buy 9@100 #1 instrument=3\n40 mark instrument=3 ticks=85");
    check_on(
        &mut desk,
        "
        # Equity 100 - 9 * 15 = -35, requirement 76.5. Selling to flat at no loss against the mark raises nothing.
        20 sell 9@85 #2 instrument=3
        > 20:3 Accepted 3.0 #2 sell 9@85 ref 2
        20 buy 1@85 #3 instrument=3
        > 20:4 Rejected InsufficientMargin field 0 detail 120000000 #3 order 0.0
        ",
    );
}
