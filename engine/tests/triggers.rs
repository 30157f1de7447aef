//! Stop and take-profit orders (rules 8.30 to 8.34) and the index price (3.9), as conversations in the manner of `scenarios`.
//! `stop=` and `take=` are trigger prices in ticks; `on=` 1 follows the mark, 2 the index, 3 the last match. Status 7 is Triggered.

mod desk;

use desk::{Desk, check, check_on, venue_open};
use engine::units::{Lots, Ticks};
use engine::{Condition, Engine, Trigger, TriggerType};

const FUNDS: i64 = 1_000_000_000_000_000;

/// As many steps as it takes.
fn wide() -> Desk {
    let mut terms = venue_open([1, 2]);
    terms.matches_per_command_max = 100.into();
    terms.orders_per_account_max = 12.into();
    Desk::open_wide(terms, FUNDS)
}

/// What `script` asks changes nothing but the numbers of its session.
#[track_caller]
fn refuses(before: &str, script: &str) {
    let mut desk = wide();
    desk.play(before);
    let held = |desk: &Desk| {
        let orders: Vec<_> = desk.engine.open_orders().collect();
        let instruments: Vec<_> = desk
            .engine
            .instruments()
            .map(|it| (it.mark, it.index, it.last, it.best_bid, it.best_ask))
            .collect();
        let positions: Vec<_> = [4, 5].map(|id| desk.engine.positions(id).collect::<Vec<_>>()).into();
        (orders, instruments, positions)
    };
    let state = held(&desk);
    check_on(&mut desk, script);
    assert_eq!(held(&desk), state);
}

#[test]
fn a_stop_waits_for_the_mark_and_then_takes() {
    check(
        "
        20 sell 5@104 #1
        > 20:1 Accepted 1.0 #1 sell 5@104 ref 1
        10 buy 2@105 #2 stop=103
        > 10:1 Accepted 2.1 #2 buy 2@105 armed ref 1
        40 mark ticks=102
        > 40:1 Confirmed Done template 300 field 0 ref 1
        40 mark ticks=103
        > 40:2 Confirmed Done template 300 field 0 ref 2
        > 10:2 Modified 2.1 #2 orig #2 buy 2@105 leaves 2 status 7 priority lost ref 0
        > 10:3 taker 2.1 #2 buy 2@104 leaves 0 cum 2 fee 104000 position 2 match 1 ref 0
        > 20:2 maker 1.0 #1 sell 2@104 leaves 3 cum 2 fee 20800 position -2 match 1 ref 0
        ",
    );
}

#[test]
fn what_is_due_at_once_fires_at_once() {
    check(
        "
        10 sell 2@101 #1 take=100
        > 10:1 Accepted 1.0 #1 sell 2@101 armed ref 1
        > 10:2 Modified 1.0 #1 orig #1 sell 2@101 leaves 2 status 7 priority lost ref 1
        20 buy 1@101 #1
        > 20:1 Accepted 2.1 #1 buy 1@101 ref 1
        > 20:2 taker 2.1 #1 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 1
        > 10:3 maker 1.0 #1 sell 1@101 leaves 1 cum 1 fee 10100 position -1 match 1 ref 0
        ",
    );
}

/// Rule 8.32: four directions, each a tick before its trigger and at it.
#[test]
fn conditions_and_sides_decide_the_direction() {
    for (order, quiet, loud) in [
        ("10 buy 1@90 #1 stop=103", 102, 103),
        ("10 sell 1@110 #1 take=103", 102, 104),
        ("10 sell 1@110 #1 stop=97", 98, 97),
        ("10 buy 1@90 #1 take=97", 98, 96),
    ] {
        for (on, told) in [(1, "mark"), (2, "index")] {
            let mut desk = wide();
            desk.play(&format!("{order} on={on}"));
            desk.play(&format!("40 {told} ticks={quiet}"));
            assert!(desk.engine.open_orders().next().expect("open").trigger.is_some(), "{order} {told}");
            desk.play(&format!("40 {told} ticks={loud}"));
            assert!(desk.engine.open_orders().next().expect("open").trigger.is_none(), "{order} {told}");
        }
    }
}

#[test]
fn the_index_is_known_from_its_first_price_on() {
    check(
        "
        10 sell 1@90 #1 stop=100 on=2
        > 10:1 Accepted 1.0 #1 sell 1@90 armed ref 1
        40 mark ticks=90
        > 40:1 Confirmed Done template 300 field 0 ref 1
        40 index ticks=101
        > 40:2 Confirmed Done template 301 field 0 ref 2
        0 index ticks=100 instrument=2
        > 0:0 Confirmed Done template 301 field 0 ref 1
        0 index ticks=100
        > 0:0 Confirmed Done template 301 field 0 ref 1
        > 10:2 Modified 1.0 #1 orig #1 sell 1@90 leaves 1 status 7 priority lost ref 0
        ",
    );
}

/// Rule 3.9.
#[test]
fn index_prices_are_judged_like_marks() {
    refuses(
        "",
        "
        40 index ticks=100 instrument=9
        > 40:1 Confirmed UnknownInstrument template 301 field 2 ref 1
        40 index ticks=0
        > 40:2 Confirmed InvalidParameter template 301 field 1 ref 2
        40 index price=-500000000
        > 40:3 Confirmed InvalidParameter template 301 field 1 ref 3
        40 index price=1
        > 40:4 Confirmed PriceNotOnTick template 301 field 1 ref 4
        10 index ticks=100
        > 10:1 Confirmed Permission template 301 field 0 ref 1
        60 index ticks=100
        > 60:1 Confirmed Permission template 301 field 0 ref 1
        ",
    );
}

/// The span of the matches of one command counts, not only the last one.
#[test]
fn a_trigger_on_the_last_match_sees_every_match() {
    let mut desk = wide();
    check_on(
        &mut desk,
        "
        20 buy 1@99 #1
        > 20:1 Accepted 1.0 #1 buy 1@99 ref 1
        20 buy 1@98 #2
        > 20:2 Accepted 2.1 #2 buy 1@98 ref 2
        10 sell 1@102 #3 take=99 on=3
        > 10:1 Accepted 3.2 #3 sell 1@102 armed ref 1
        10 buy 1@91 #4 take=98 on=3
        > 10:2 Accepted 4.3 #4 buy 1@91 armed ref 2
        10 buy 1@90 #5 take=97 on=3
        > 10:3 Accepted 5.4 #5 buy 1@90 armed ref 3
        11 sell 2@98 #6
        > 11:1 Accepted 6.5 #6 sell 2@98 ref 1
        > 11:2 taker 6.5 #6 sell 1@99 leaves 1 cum 1 fee 49500 position -1 match 1 ref 1
        > 20:3 maker 1.0 #1 buy 1@99 leaves 0 cum 1 fee 9900 position 1 match 1 ref 0
        > 11:3 taker 6.5 #6 sell 1@98 leaves 0 cum 2 fee 49000 position -2 match 2 ref 1
        > 20:4 maker 2.1 #2 buy 1@98 leaves 0 cum 1 fee 9800 position 2 match 2 ref 0
        > 10:4 Modified 3.2 #3 orig #3 sell 1@102 leaves 1 status 7 priority lost ref 0
        > 10:5 Modified 4.3 #4 orig #4 buy 1@91 leaves 1 status 7 priority lost ref 0
        # At rest only 98 counts: a rising trigger at 99 is not reached by what was before.
        10 sell 1@103 #7 take=99 on=3
        > 10:6 Accepted 7.0 #7 sell 1@103 armed ref 4
        ",
    );
    assert_eq!(desk.engine.instruments().next().expect("one").last, Some(Ticks(98)));
}

/// Rule 8.33: rising before falling, mark, index, last; nearest first, then oldest.
#[test]
fn what_is_due_fires_in_one_order() {
    let mut desk = wide();
    desk.play("60 state 6");
    let mut reply = |line: &str| desk.play(line).lines().map(str::to_string).collect::<Vec<_>>();
    reply("60 state 4");
    for line in [
        "20 sell 1@100 #1",
        "10 buy 1@100 #1",
        "10 buy 1@81 #11 take=97 on=1",
        "10 buy 1@82 #12 take=98 on=1",
        "10 buy 1@83 #13 take=98 on=1",
        "10 buy 1@84 #14 take=99 on=2",
        "10 buy 1@85 #15 stop=99 on=2",
        "10 buy 1@86 #16 stop=103 on=1",
        "10 buy 1@87 #17 stop=102 on=1",
        "10 buy 1@88 #18 stop=102 on=1",
    ] {
        reply(line);
    }
    let ids = |lines: Vec<String>| -> Vec<String> {
        let fired = lines.into_iter().filter(|line| line.contains("status 7"));
        fired.map(|line| line.split(' ').nth(4).expect("an id").to_string()).collect()
    };
    assert_eq!(ids(reply("40 index ticks=99")), ["#15", "#14"]);
    assert_eq!(ids(reply("40 mark ticks=103")), ["#17", "#18", "#16"]);
    assert_eq!(ids(reply("40 mark ticks=97")), ["#12", "#13", "#11"]);
}

/// What fires moves the last price, and that is looked at anew.
#[test]
fn one_stop_sets_off_the_next() {
    let mut desk = wide();
    check_on(
        &mut desk,
        "
        20 buy 1@99 #1
        > 20:1 Accepted 1.0 #1 buy 1@99 ref 1
        20 buy 1@98 #2
        > 20:2 Accepted 2.1 #2 buy 1@98 ref 2
        20 buy 1@97 #3
        > 20:3 Accepted 3.2 #3 buy 1@97 ref 3
        10 sell 1@market #4 stop=98 on=3 ioc
        > 10:1 Accepted 4.3 #4 sell 1@market armed ref 1
        10 sell 1@market #5 stop=99 on=3 ioc
        > 10:2 Accepted 5.4 #5 sell 1@market armed ref 2
        11 sell 1@99 #6
        > 11:1 Accepted 6.5 #6 sell 1@99 ref 1
        > 11:2 taker 6.5 #6 sell 1@99 leaves 0 cum 1 fee 49500 position -1 match 1 ref 1
        > 20:4 maker 1.0 #1 buy 1@99 leaves 0 cum 1 fee 9900 position 1 match 1 ref 0
        > 10:3 Modified 5.4 #5 orig #5 sell 1@market leaves 1 status 7 priority lost ref 0
        > 10:4 taker 5.4 #5 sell 1@98 leaves 0 cum 1 fee 49000 position -2 match 2 ref 0
        > 20:5 maker 2.1 #2 buy 1@98 leaves 0 cum 1 fee 9800 position 2 match 2 ref 0
        > 10:5 Modified 4.3 #4 orig #4 sell 1@market leaves 1 status 7 priority lost ref 0
        > 10:6 taker 4.3 #4 sell 1@97 leaves 0 cum 1 fee 48500 position -3 match 3 ref 0
        > 20:6 maker 3.2 #3 buy 1@97 leaves 0 cum 1 fee 9700 position 3 match 3 ref 0
        ",
    );
}

/// Rule 8.34: each refusal as of a new order, with the order's id, and then it is gone.
#[test]
fn an_order_that_fires_may_be_refused() {
    let mut desk = wide();
    check_on(
        &mut desk,
        "
        10 buy 1@market #1 stop=101 ioc
        > 10:1 Accepted 1.0 #1 buy 1@market armed ref 1
        40 mark ticks=101
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:2 Rejected NoLiquidity field 0 detail 0 #1 order 1.0 trigger
        10 buy 1@110 #1 stop=102 instrument=3
        > 10:3 Accepted 2.0 #1 buy 1@110 armed ref 2
        40 mark ticks=102 instrument=3
        > 40:2 Confirmed Done template 300 field 0 ref 2
        > 10:4 Rejected PriceAboveBand field 2 detail 52500000000 #1 order 2.0 trigger
        20 sell 1@101 #1
        > 20:1 Accepted 3.0 #1 sell 1@101 ref 1
        10 buy 1@101 #2 stop=102 post
        > 10:5 Accepted 4.1 #2 buy 1@101 armed ref 3
        10 buy 1@101 #3 stop=103 slide
        > 10:6 Accepted 5.2 #3 buy 1@101 armed ref 4
        10 buy 2@101 #4 stop=104 fok
        > 10:7 Accepted 6.3 #4 buy 2@101 armed ref 5
        10 buy 2000000000@101 #5 stop=105 qty=1
        > 10:8 Rejected QtyTooLarge field 3 detail 1000000000 #5 order 0.0 trigger
        40 mark ticks=104
        > 40:3 Confirmed Done template 300 field 0 ref 3
        > 10:9 Rejected WouldCross field 0 detail 0 #2 order 4.1 trigger
        > 10:10 Modified 5.2 #3 orig #3 buy 1@100 leaves 1 status 7 priority lost ref 0
        > 10:11 Rejected FokNotFillable field 0 detail 0 #4 order 6.3 trigger
        10 buy 1@100 #6 stop=105
        > 10:12 Accepted 7.1 #6 buy 1@100 armed ref 7
        12 mass 9 side=2 block=1
        > 12:1 MassCancelAck Done #9 canceled 0 ref 1
        40 mark ticks=105
        > 40:4 Confirmed Done template 300 field 0 ref 4
        > 10:13 Rejected AccountBlocked field 0 detail 0 #6 order 7.1 trigger
        ",
    );
    assert_eq!(desk.engine.accounts().find(|account| account.id == 4).expect("one").open_orders, 1);
}

/// The sender hears its own numbers where its own command fires (rule 1.4).
#[test]
fn a_refusal_at_once_refers_to_the_request() {
    check(
        "
        10 buy 1@market #1 stop=100 fok
        > 10:1 Accepted 1.0 #1 buy 1@market armed ref 1
        > 10:2 Rejected NoLiquidity field 0 detail 0 #1 order 1.0 trigger
        10 buy 1@99 #1 stop=100
        > 10:3 Accepted 2.0 #1 buy 1@99 armed ref 2
        > 10:4 Modified 2.0 #1 orig #1 buy 1@99 leaves 1 status 7 priority lost ref 2
        ",
    );
}

#[test]
fn an_armed_order_reserves_no_margin_and_is_judged_when_it_fires() {
    let mut desk = Desk::open(0);
    check_on(
        &mut desk,
        "
        10 buy 5@100 #1 stop=101
        > 10:1 Accepted 1.0 #1 buy 5@100 armed ref 1
        10 buy 5@100 #2
        > 10:2 Rejected InsufficientMargin field 0 detail 50250000 #2 order 0.0
        40 mark ticks=101
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:3 Rejected InsufficientMargin field 0 detail 50750000 #1 order 1.0 trigger
        ",
    );
    assert_eq!(desk.engine.positions(4).count(), 0, "its position entry is given back");
}

/// Rule 8.30, each refusal in its order: what stands behind it is wrong as well.
#[test]
fn trigger_orders_are_refused_in_order() {
    refuses(
        "10 buy 1@90 #1 stop=150",
        "
        12 buy 1@90 #2 stop=150
        > 12:1 Rejected Permission field 0 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 account=9 instrument=9
        > 10:2 Rejected UnknownAccount field 7 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 account=5 instrument=9
        > 10:3 Rejected NotYourAccount field 7 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 instrument=9 side=3
        > 10:4 Rejected UnknownInstrument field 6 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 side=3 type=1
        > 10:5 Rejected InvalidSide field 10 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 type=1 tif=9
        > 10:6 Rejected InvalidOrdType field 11 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 type=3
        > 10:7 Rejected InvalidOrdType field 11 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 type=6
        > 10:8 Rejected InvalidOrdType field 11 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #0 stop=150 tif=9
        > 10:9 Rejected InvalidTif field 12 detail 0 #0 order 0.0 trigger
        10 buy 1@90 #0 stop=150 stp=0
        > 10:10 Rejected InvalidCombination field 1 detail 0 #0 order 0.0 trigger
        10 buy 1@90 #2 stop=150 stp=0 order_flags=8
        > 10:11 Rejected InvalidCombination field 13 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 order_flags=8 mmp=1
        > 10:12 Rejected InvalidCombination field 14 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 mmp=1 order_flags=1 ioc
        > 10:13 Rejected InvalidCombination field 15 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=150 ioc post trail=1
        > 10:14 Rejected InvalidCombination field 12 detail 0 #2 order 0.0 trigger
        10 buy 1@market #2 stop=150 trail=1
        > 10:15 Rejected InvalidCombination field 12 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 trail=1 oco=1
        > 10:16 Rejected InvalidCombination field 18 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 oco=1 on=4
        > 10:17 Rejected InvalidCombination field 19 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 on=4 condition=3
        > 10:18 Rejected InvalidCombination field 20 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 on=0 condition=3
        > 10:19 Rejected InvalidCombination field 20 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 condition=3
        > 10:20 Rejected InvalidCombination field 21 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=150 condition=0
        > 10:21 Rejected InvalidCombination field 21 detail 0 #2 order 0.0 trigger
        10 buy 1@- #2 stop=0
        > 10:22 Rejected PriceRequired field 2 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=0 price=1
        > 10:23 Rejected PriceNotOnTick field 2 detail 0 #2 order 0.0 trigger
        10 buy 1@90 #2 stop=0 type=5 ioc
        > 10:24 Rejected PriceForbidden field 2 detail 0 #2 order 0.0 trigger
        10 buy 0@90 #2 stop=0 trigger=-9223372036854775808
        > 10:25 Rejected PriceRequired field 17 detail 0 #2 order 0.0 trigger
        10 buy 0@90 #2 stop=0
        > 10:26 Rejected PriceNotOnTick field 17 detail 0 #2 order 0.0 trigger
        10 buy 0@90 #2 stop=0 trigger=7
        > 10:27 Rejected PriceNotOnTick field 17 detail 0 #2 order 0.0 trigger
        10 buy 0@90 #1 stop=150
        > 10:28 Rejected QtyNotPositive field 3 detail 0 #1 order 0.0 trigger
        10 buy 1@90 #1 stop=150 sent=0 delay=1
        > 10:29 Rejected DuplicateClOrdId field 1 detail 0 #1 order 1.0 trigger
        ",
    );
}

#[test]
fn armed_orders_need_an_open_instrument_and_room() {
    refuses(
        "60 state 6",
        "
        10 buy 1@90 #2 stop=150
        > 10:1 Rejected Halted field 0 detail 0 #2 order 0.0 trigger
        ",
    );
    let mut terms = venue_open([1, 2]);
    terms.orders_per_account_max = 2.into();
    let mut desk = Desk::open_with(terms, FUNDS);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1 stop=150
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        10 buy 1@90 #2 stop=150
        > 10:2 Accepted 2.1 #2 buy 1@90 armed ref 2
        10 buy 1@90 #3 stop=150
        > 10:3 Rejected OpenOrderLimit field 0 detail 2 #3 order 0.0 trigger
        10 buy 1@90 #3
        > 10:4 Rejected OpenOrderLimit field 0 detail 2 #3 order 0.0
        ",
    );
}

/// Rule 4.17: an armed order has a level to itself, so that it can rest wherever it fires.
#[test]
fn armed_orders_of_one_price_hold_a_level_each() {
    let mut terms = venue_open([1, 2]);
    (terms.levels_max, terms.orders_per_account_max) = (3.into(), 10.into());
    let mut desk = Desk::open_with(terms, FUNDS);
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1 stop=103
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        10 buy 1@91 #2 stop=103
        > 10:2 Accepted 2.1 #2 buy 1@91 armed ref 2
        10 buy 1@92 #3 stop=103
        > 10:3 Accepted 3.2 #3 buy 1@92 armed ref 3
        10 buy 1@92 #4 stop=103
        > 10:4 Rejected Capacity field 0 detail 0 #4 order 0.0 trigger
        10 buy 1@92 #4
        > 10:5 Rejected Capacity field 0 detail 0 #4 order 0.0
        40 mark ticks=103
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:6 Modified 1.0 #1 orig #1 buy 1@90 leaves 1 status 7 priority lost ref 0
        > 10:7 Modified 2.1 #2 orig #2 buy 1@91 leaves 1 status 7 priority lost ref 0
        > 10:8 Modified 3.2 #3 orig #3 buy 1@92 leaves 1 status 7 priority lost ref 0
        ",
    );
}

#[test]
fn armed_orders_are_canceled_like_others_and_not_amended() {
    let mut desk = wide();
    check_on(
        &mut desk,
        "
        10 buy 1@90 #1 stop=150
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        10 buy 1@90 #2 stop=150
        > 10:2 Accepted 2.1 #2 buy 1@90 armed ref 2
        10 sell 1@market #3 stop=50 on=3 ioc
        > 10:3 Accepted 3.2 #3 sell 1@market armed ref 3
        10 amend 2@91 #9 orig=1
        > 10:4 Rejected InvalidCombination field 2 detail 0 #9 order 0.0
        10 amend 2@91 #9 serial=1 slot=0
        > 10:5 Rejected InvalidCombination field 3 detail 0 #9 order 1.0
        10 amend 2@91 #9 serial=1 slot=0 instrument=2
        > 10:6 Rejected UnknownOrder field 3 detail 0 #9 order 1.0
        11 cancel 8 orig=1
        > 11:1 Canceled 1.0 #8 orig #1 buy leaves 1 cum 0 reason 1 ref 1
        > 10:7 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 1 ref 0
        11 mass 8 scope=3 instrument=1 side=2
        > 10:8 Canceled 3.2 #3 orig #3 sell leaves 1 cum 0 reason 2 ref 0
        > 11:2 MassCancelAck Done #8 canceled 1 ref 2
        12 mass 8
        > 10:9 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 0
        > 12:1 MassCancelAck Done #8 canceled 1 ref 1
        40 mark ticks=150
        > 40:1 Confirmed Done template 300 field 0 ref 1
        ",
    );
    assert_eq!(desk.engine.positions(4).count(), 0);
}

#[test]
fn triggers_are_looked_at_only_while_the_instrument_is_open() {
    check(
        "
        10 buy 1@90 #1 stop=103
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        60 state 6
        > 60:1 Confirmed Done template 324 field 0 ref 1
        40 mark ticks=104
        > 40:1 Confirmed Done template 300 field 0 ref 1
        60 state 5
        > 60:2 Confirmed Done template 324 field 0 ref 2
        60 state 4
        > 60:3 Confirmed Done template 324 field 0 ref 3
        > 10:2 Modified 1.0 #1 orig #1 buy 1@90 leaves 1 status 7 priority lost ref 0
        ",
    );
}

#[test]
fn an_amend_that_matches_sets_triggers_off() {
    check(
        "
        20 sell 1@101 #1
        > 20:1 Accepted 1.0 #1 sell 1@101 ref 1
        10 buy 1@100 #2
        > 10:1 Accepted 2.1 #2 buy 1@100 ref 1
        10 buy 1@90 #3 stop=101 on=3
        > 10:2 Accepted 3.2 #3 buy 1@90 armed ref 2
        10 amend 1@101 #9 orig=2
        > 10:3 Modified 2.1 #9 orig #2 buy 1@101 leaves 1 status 1 priority lost ref 3
        > 10:4 taker 2.1 #2 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 3
        > 20:2 maker 1.0 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        > 10:5 Modified 3.2 #3 orig #3 buy 1@90 leaves 1 status 7 priority lost ref 3
        ",
    );
}

/// Self-trade prevention goes on from the armed order's own mode.
#[test]
fn a_fired_order_keeps_its_own_self_trade_prevention() {
    check(
        "
        10 sell 1@101 #1
        > 10:1 Accepted 1.0 #1 sell 1@101 ref 1
        10 buy 2@101 #2 stop=103 stp=3
        > 10:2 Accepted 2.1 #2 buy 2@101 armed ref 2
        40 mark ticks=103
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:3 Modified 2.1 #2 orig #2 buy 2@101 leaves 2 status 7 priority lost ref 0
        > 10:4 Canceled 1.0 #1 orig #1 sell leaves 1 cum 0 reason 3 ref 0
        ",
    );
}

/// Three steps a command: a firing is one, and so is each match of what fired.
#[test]
fn firing_goes_on_after_the_cap() {
    check(
        "
        20 sell 1@101 #1
        > 20:1 Accepted 1.0 #1 sell 1@101 ref 1
        20 sell 1@102 #2
        > 20:2 Accepted 2.1 #2 sell 1@102 ref 2
        20 sell 1@103 #3
        > 20:3 Accepted 3.2 #3 sell 1@103 ref 3
        10 buy 3@104 #4 stop=103
        > 10:1 Accepted 4.3 #4 buy 3@104 armed ref 1
        10 buy 1@90 #5 stop=103
        > 10:2 Accepted 5.4 #5 buy 1@90 armed ref 2
        10 buy 1@91 #6 stop=103 on=3
        > 10:3 Accepted 6.5 #6 buy 1@91 armed ref 3
        10 buy 1@89 #7 stop=103 on=3
        > 10:4 Accepted 7.6 #7 buy 1@89 armed ref 4
        40 mark ticks=103
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:5 Modified 4.3 #4 orig #4 buy 3@104 leaves 3 status 7 priority lost ref 0
        > 10:6 taker 4.3 #4 buy 1@101 leaves 2 cum 1 fee 50500 position 1 match 1 ref 0
        > 20:4 maker 1.0 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        > 10:7 taker 4.3 #4 buy 1@102 leaves 1 cum 2 fee 51000 position 2 match 2 ref 0
        > 20:5 maker 2.1 #2 sell 1@102 leaves 0 cum 1 fee 10200 position -2 match 2 ref 0
        0 continue serial=4 slot=3
        > 10:8 taker 4.3 #4 buy 1@103 leaves 0 cum 3 fee 51500 position 3 match 3 ref 0
        > 20:6 maker 3.2 #3 sell 1@103 leaves 0 cum 1 fee 10300 position -3 match 3 ref 0
        > 10:9 Modified 5.4 #5 orig #5 buy 1@90 leaves 1 status 7 priority lost ref 0
        > 10:10 Modified 6.5 #6 orig #6 buy 1@91 leaves 1 status 7 priority lost ref 0
        0 continue
        > 10:11 Modified 7.6 #7 orig #7 buy 1@89 leaves 1 status 7 priority lost ref 0
        ",
    );
}

/// Says `line` here and to an engine that was restored just before, which must answer the same and be the same.
fn play_with_twin(desk: &mut Desk, line: &str) {
    let bytes = desk.engine.snapshot();
    let engine = Engine::restore(&bytes).expect(line);
    let mut twin = Desk { engine, seq: desk.seq, ts_ns: desk.ts_ns };
    assert_eq!(twin.engine.snapshot(), bytes);
    assert_eq!(twin.play(line), desk.play(line));
    assert_eq!(twin.engine.digest(), desk.engine.digest(), "{line}");
}

/// Mid-feature: armed orders of every kind, an index, a span of matches, and a continuation of either kind.
#[test]
fn armed_orders_survive_a_snapshot() {
    let mut terms = venue_open([1, 2]);
    terms.matches_per_command_max = 1.into();
    terms.levels_max = 20.into();
    terms.orders_per_account_max = 12.into();
    let mut desk = Desk::open_with(terms, FUNDS);
    let lines = "
        20 sell 1@101 #1
        20 sell 1@102 #2
        20 sell 1@103 #3
        40 index ticks=100
        10 buy 1@90 #4 stop=101 on=3 slide
        10 buy 1@91 #5 stop=101 on=3 post stp=3 group=4
        10 sell 1@market #6 stop=80 on=2 fok
        10 sell 1@110 #7 take=120 on=2
        10 buy 1@88 #8 stop=102 ioc
        10 buy 1@87 #9 take=70
        11 buy 2@102 #10
        40 mark ticks=102
        40 index ticks=80
        20 buy 1@79 #11
        20 buy 1@78 #12
        40 mark ticks=70";
    let (mut takers, mut looks) = (0, 0);
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        play_with_twin(&mut desk, line);
        while let Some(due) = desk.engine.continuation() {
            takers += u32::from(due != 0);
            looks += u32::from(due == 0);
            play_with_twin(&mut desk, &format!("0 continue serial={} slot={}", due >> 24, due & 0xFF_FFFF));
        }
    }
    assert!(takers > 0 && looks > 0, "{takers} takers and {looks} looks waited");
}

#[test]
fn what_waits_can_be_seen() {
    let mut desk = wide();
    desk.play("10 sell 3@95 #1 stop=96 on=3\n10 buy 2@market #2 take=90 on=2 ioc\n20 buy 1@80 #1");
    let seen: Vec<_> =
        desk.engine.open_orders().map(|it| (it.cl_ord_id, it.trigger, it.price, it.leaves)).collect();
    let trigger =
        |trigger_type, condition, ticks| Some(Trigger { trigger_type, condition, ticks: Ticks(ticks) });
    let expected = [
        (1, None, Ticks(80), Lots(1)),
        (2, trigger(TriggerType::Index, Condition::TakeProfit, 90), Ticks(0), Lots(2)),
        (1, trigger(TriggerType::Last, Condition::Stop, 96), Ticks(95), Lots(3)),
    ];
    assert_eq!(seen, expected);
    // No lots are open for what waits.
    assert!(desk.engine.positions(4).all(|it| it.open_buy == Lots(0) && it.open_sell == Lots(0)));
}

/// Whether anything is armed changes nothing that others hear.
#[test]
fn a_trigger_that_never_fires_is_not_felt() {
    let lines =
        "20 sell 3@101 #1\n10 buy 2@102 #2\n40 mark ticks=99\n10 sell 2@90 #3\n60 state 6\n60 state 4";
    let (mut with, mut without) = (wide(), wide());
    with.play("20 buy 1@1 #9 take=1");
    without.play("20 cancel 9 orig=9");
    let told = |desk: &mut Desk| {
        let told = desk.play(lines);
        told.lines()
            .filter(|line| !line.contains("20:") && !line.contains('.'))
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&mut with), told(&mut without));
}

/// Rule 8.31: it expires like any other, armed or fired.
#[test]
fn armed_orders_expire() {
    check(
        "
        10 buy 1@90 #1 stop=103 at=1000000 expire=5000000
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        10 buy 1@91 #2 stop=101 day
        > 10:2 Accepted 2.1 #2 buy 1@91 armed ref 2
        10 buy 1@90 #3 stop=103 expire=5000000 ioc
        > 10:3 Rejected ExpireTimeInvalid field 5 detail 0 #3 order 0.0 trigger
        40 mark ticks=101
        > 40:1 Confirmed Done template 300 field 0 ref 1
        > 10:4 Modified 2.1 #2 orig #2 buy 1@91 leaves 1 status 7 priority lost ref 0
        0 tick at=5000000
        > 10:5 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 7 ref 0
        40 mark ticks=103
        > 40:2 Confirmed Done template 300 field 0 ref 2
        0 tick at=28800000000000
        > 10:6 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 7 ref 0
        ",
    );
}

/// None is accepted in an auction; what waits looks on until it is over, and then sees its price (rules 8.30, 8.33, 10.4).
#[test]
fn auctions_set_triggers_off_at_their_end() {
    check(
        "
        10 buy 1@90 #1 stop=101 on=3
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        60 state 3
        > 60:1 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 1@90 #2 stop=101
        > 10:2 Rejected AuctionRule field 0 detail 0 #2 order 0.0 trigger
        11 buy 1@101 #3
        > 11:1 Accepted 2.1 #3 buy 1@101 ref 1
        20 sell 1@101 #1
        > 20:1 Accepted 3.2 #1 sell 1@101 ref 1
        60 state 4
        > 60:2 Confirmed Done template 324 field 0 ref 2
        > 0:0 Indicative 1 1@101 surplus 0 none end untold
        > 11:2 auction 2.1 #3 buy 1@101 leaves 0 cum 1 fee 10100 position 1 match 1 ref 0
        > 20:2 auction 3.2 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        > 10:3 Modified 1.0 #1 orig #1 buy 1@90 leaves 1 status 7 priority lost ref 0
        ",
    );
}

/// Rule 10.3: behind the book, rising before falling, mark, index, last.
#[test]
fn armed_orders_end_with_their_instrument() {
    check(
        "
        10 buy 1@90 #1 take=90
        > 10:1 Accepted 1.0 #1 buy 1@90 armed ref 1
        10 buy 1@90 #2 stop=110 on=2
        > 10:2 Accepted 2.1 #2 buy 1@90 armed ref 2
        10 buy 1@90 #3 stop=120
        > 10:3 Accepted 3.2 #3 buy 1@90 armed ref 3
        10 sell 1@130 #4
        > 10:4 Accepted 4.3 #4 sell 1@130 ref 4
        60 state 8
        > 60:1 Confirmed Done template 324 field 0 ref 1
        > 10:5 Canceled 4.3 #4 orig #4 sell leaves 1 cum 0 reason 15 ref 0
        > 10:6 Canceled 3.2 #3 orig #3 buy leaves 1 cum 0 reason 15 ref 0
        > 10:7 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 15 ref 0
        0 continue
        > 10:8 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 15 ref 0
        ",
    );
}

/// Rule 8.30: a combo has no triggers, whatever a snapshot says.
#[test]
fn no_snapshot_arms_an_order_in_a_combo() {
    for line in ["10 sell 1@100 #1 stop=90", "10 buy 1@100 #1 stop=120"] {
        let mut desk = Desk::open_wide(venue_open([1, 2]), FUNDS);
        desk.play(line);
        let mut bytes = desk.engine.snapshot();
        let position = [4_u32, 1, 0, 0].map(u32::to_le_bytes).concat();
        let order = [1_u64 << 24, 1].map(u64::to_le_bytes).concat();
        let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).rposition(|here| here == part);
        let at = find(&bytes, &position).expect("the entry") + 4;
        bytes[at] = 4;
        let at = find(&bytes, &order).expect("the order") + 52;
        assert_eq!(bytes[at], 1);
        bytes[at] = 4;
        assert!(Engine::restore(&bytes).is_err(), "{line}");
        // Its look waits.
        bytes[136] = 4;
        assert!(Engine::restore(&bytes).is_err(), "{line}");
    }
}
