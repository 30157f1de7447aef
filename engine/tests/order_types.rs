//! Order types, times in force, post-only, bands and trading states as conversations, in the manner of `scenarios`.

mod desk;

use desk::{Desk, check, check_on};

/// Rules 4.11, 5.1 and 5.5.
#[test]
fn a_market_order_takes_what_there_is() {
    check(
        "
        20 sell 2@100 #1
        > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 sell 2@103 #2
        > 20:2 Accepted 2.1 #2 sell 2@103 ref 2
        10 buy 3@market #1 ioc
        > 10:1 Accepted 3.2 #1 buy 3@market ref 1
        > 10:2 taker 3.2 #1 buy 2@100 leaves 1 cum 2 fee 100000 position 2 match 1 ref 1
        > 20:3 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 10:3 taker 3.2 #1 buy 1@103 leaves 0 cum 3 fee 51500 position 3 match 2 ref 1
        > 20:4 maker 2.1 #2 sell 1@103 leaves 1 cum 1 fee 10300 position -3 match 2 ref 0
        10 buy 3@market #2 ioc
        > 10:4 Accepted 4.0 #2 buy 3@market ref 2
        > 10:5 taker 4.0 #2 buy 1@103 leaves 2 cum 1 fee 51500 position 4 match 3 ref 2
        > 20:5 maker 2.1 #2 sell 1@103 leaves 0 cum 2 fee 10300 position -4 match 3 ref 0
        > 10:6 Canceled 4.0 #2 orig #2 buy leaves 2 cum 1 reason 8 ref 2
        10 buy 3@market #3 ioc
        > 10:7 Rejected NoLiquidity field 0 detail 0 #3 order 0.0
        ",
    );
}

/// Rules 4.11 and 4.12: 3 % around 100 are 97 to 103.
#[test]
fn a_band_bounds_prices_and_market_orders() {
    check(
        "
        60 instrument id=3 band=30000
        > 60:1 Confirmed Done template 321 field 0 ref 1
        20 sell 1@103 #1 instrument=3
        > 20:1 Accepted 1.0 #1 sell 1@103 ref 1
        20 sell 1@104 #2 instrument=3
        > 20:2 Accepted 2.1 #2 sell 1@104 ref 2
        20 sell 1@97 #3 instrument=3
        > 20:3 Accepted 3.2 #3 sell 1@97 ref 3
        10 buy 5@market #1 ioc instrument=3
        > 10:1 Accepted 4.3 #1 buy 5@market ref 1
        > 10:2 taker 4.3 #1 buy 1@97 leaves 4 cum 1 fee 48500 position 1 match 1 ref 1
        > 20:4 maker 3.2 #3 sell 1@97 leaves 0 cum 1 fee 9700 position -1 match 1 ref 0
        > 10:3 taker 4.3 #1 buy 1@103 leaves 3 cum 2 fee 51500 position 2 match 2 ref 1
        > 20:5 maker 1.0 #1 sell 1@103 leaves 0 cum 1 fee 10300 position -2 match 2 ref 0
        > 10:4 Canceled 4.3 #1 orig #1 buy leaves 3 cum 2 reason 8 ref 1
        20 sell 1@96 #4 instrument=3
        > 20:6 Rejected PriceBelowBand field 2 detail 48500000000 #4 order 0.0
        10 buy 1@104 #2 instrument=3
        > 10:5 Rejected PriceAboveBand field 2 detail 51500000000 #2 order 0.0
        10 buy 1@103 #2 instrument=3
        > 10:6 Accepted 5.0 #2 buy 1@103 ref 3
        # Nothing stands within the band: the side is not empty, so the order is accepted.
        10 buy 1@market #9 ioc instrument=3
        > 10:7 Accepted 6.2 #9 buy 1@market ref 4
        > 10:8 Canceled 6.2 #9 orig #9 buy leaves 1 cum 0 reason 8 ref 4
        # The bounds follow the mark: 2 ticks have a band of 2 to 2.
        40 mark instrument=3 ticks=2
        > 40:1 Confirmed Done template 300 field 0 ref 1
        10 buy 1@3 #9 instrument=3
        > 10:9 Rejected PriceAboveBand field 2 detail 1000000000 #9 order 0.0
        20 sell 1@1 #9 instrument=3
        > 20:7 Rejected PriceBelowBand field 2 detail 1000000000 #9 order 0.0
        10 buy 1@2 #9 instrument=3
        > 10:10 Accepted 7.2 #9 buy 1@2 ref 6
        ",
    );
}

/// Rule 4.11: the best price becomes its own.
#[test]
fn a_market_to_limit_order_rests_at_the_best_price() {
    check(
        "
        10 buy 5@limit #1
        > 10:1 Rejected NoLiquidity field 0 detail 0 #1 order 0.0
        20 sell 2@101 #1
        > 20:1 Accepted 1.0 #1 sell 2@101 ref 1
        20 sell 2@102 #2
        > 20:2 Accepted 2.1 #2 sell 2@102 ref 2
        10 buy 5@limit #1
        > 10:2 Accepted 3.2 #1 buy 5@101 ref 2
        > 10:3 taker 3.2 #1 buy 2@101 leaves 3 cum 2 fee 101000 position 2 match 1 ref 2
        > 20:3 maker 1.0 #1 sell 2@101 leaves 0 cum 2 fee 20200 position -2 match 1 ref 0
        20 sell 1@limit #3
        > 20:4 Accepted 4.0 #3 sell 1@101 ref 3
        > 20:5 taker 4.0 #3 sell 1@101 leaves 0 cum 1 fee 50500 position -3 match 2 ref 3
        > 10:4 maker 3.2 #1 buy 1@101 leaves 2 cum 3 fee 10100 position 3 match 2 ref 0
        ",
    );
}

/// Rule 4.14.
#[test]
fn a_fill_or_kill_is_filled_whole_or_refused() {
    check(
        "
        20 sell 2@100 #1
        > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
        20 sell 2@101 #2
        > 20:2 Accepted 2.1 #2 sell 2@101 ref 2
        10 buy 5@101 #1 fok
        > 10:1 Rejected FokNotFillable field 0 detail 0 #1 order 0.0
        10 buy 3@100 #1 fok
        > 10:2 Rejected FokNotFillable field 0 detail 0 #1 order 0.0
        10 buy 4@101 #1 fok
        > 10:3 Accepted 3.2 #1 buy 4@101 ref 3
        > 10:4 taker 3.2 #1 buy 2@100 leaves 2 cum 2 fee 100000 position 2 match 1 ref 3
        > 20:3 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 10:5 taker 3.2 #1 buy 2@101 leaves 0 cum 4 fee 101000 position 4 match 2 ref 3
        > 20:4 maker 2.1 #2 sell 2@101 leaves 0 cum 2 fee 20200 position -4 match 2 ref 0
        10 buy 1@101 #2 fok
        > 10:6 Rejected FokNotFillable field 0 detail 0 #2 order 0.0
        10 buy 1@market #2 fok
        > 10:7 Rejected NoLiquidity field 0 detail 0 #2 order 0.0
        ",
    );
}

/// Rule 4.14 for each mode: three end the walk at the first own order, one steps over it, and None has none.
#[test]
fn own_orders_do_not_fill_a_fill_or_kill() {
    check(
        "
        20 sell 2@100 #1
        > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
        10 sell 2@100 #2
        > 10:1 Accepted 2.1 #2 sell 2@100 ref 1
        20 sell 2@101 #2
        > 20:2 Accepted 3.2 #2 sell 2@101 ref 2
        10 buy 3@101 #3 fok stp=2
        > 10:2 Rejected FokNotFillable field 0 detail 0 #3 order 0.0
        10 buy 3@101 #3 fok stp=4
        > 10:3 Rejected FokNotFillable field 0 detail 0 #3 order 0.0
        10 buy 3@101 #3 fok stp=5
        > 10:4 Rejected FokNotFillable field 0 detail 0 #3 order 0.0
        10 buy 5@101 #3 fok stp=3
        > 10:5 Rejected FokNotFillable field 0 detail 0 #3 order 0.0
        10 buy 4@101 #3 fok stp=3
        > 10:6 Accepted 4.3 #3 buy 4@101 ref 6
        > 10:7 taker 4.3 #3 buy 2@100 leaves 2 cum 2 fee 100000 position 2 match 1 ref 6
        > 20:3 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 10:8 Canceled 2.1 #2 orig #2 sell leaves 2 cum 0 reason 3 ref 6
        > 10:9 taker 4.3 #3 buy 2@101 leaves 0 cum 4 fee 101000 position 4 match 2 ref 6
        > 20:4 maker 3.2 #2 sell 2@101 leaves 0 cum 2 fee 20200 position -4 match 2 ref 0
        10 sell 1@101 #4
        > 10:10 Accepted 5.0 #4 sell 1@101 ref 7
        10 buy 1@101 #5 fok
        > 10:11 Accepted 6.1 #5 buy 1@101 ref 8
        > 10:12 taker 6.1 #5 buy 1@101 leaves 0 cum 1 fee 50500 position 4 match 3 ref 8
        > 10:13 maker 5.0 #4 sell 1@101 leaves 0 cum 1 fee 10100 position 4 match 3 ref 8
        ",
    );
}

/// Rule 4.13.
#[test]
fn a_post_only_order_does_not_take() {
    check(
        "
        20 sell 2@100 #1
        > 20:1 Accepted 1.0 #1 sell 2@100 ref 1
        10 buy 1@100 #1 post
        > 10:1 Rejected WouldCross field 0 detail 0 #1 order 0.0
        10 buy 1@99 #1 post
        > 10:2 Accepted 2.1 #1 buy 1@99 ref 2
        10 buy 1@105 #2 slide
        > 10:3 Accepted 3.2 #2 buy 1@99 ref 3
        10 buy 1@98 #3 slide
        > 10:4 Accepted 4.3 #3 buy 1@98 ref 4
        20 sell 1@90 #2 slide
        > 20:2 Accepted 5.4 #2 sell 1@100 ref 2
        20 sell 1@90 #3 post
        > 20:3 Rejected WouldCross field 0 detail 0 #3 order 0.0
        ",
    );
}

/// Rule 4.13 at its lower end.
#[test]
fn nothing_slides_below_one_tick() {
    check(
        "
        20 sell 1@1 #1
        > 20:1 Accepted 1.0 #1 sell 1@1 ref 1
        10 buy 1@5 #1 slide
        > 10:1 Rejected WouldCross field 0 detail 0 #1 order 0.0
        10 buy 1@5 #1 post
        > 10:2 Rejected WouldCross field 0 detail 0 #1 order 0.0
        ",
    );
}

/// Rule 4.13 at its upper end: one tick more is no Price9.
#[test]
fn nothing_slides_to_a_price_that_cannot_be_said() {
    check(
        "
        60 instrument id=3 tick=1000000000000000 lot=1000000 contract=1000000000 mark=9223000000000000000
        > 60:1 Confirmed Done template 321 field 0 ref 1
        10 buy 1@1 #1 price=9223000000000000000 instrument=3
        > 10:1 Accepted 1.0 #1 buy 1@18446000000 ref 1
        20 sell 1@1 #1 price=9223000000000000000 instrument=3 slide
        > 20:1 Rejected WouldCross field 0 detail 0 #1 order 0.0
        ",
    );
}

/// The end of rule 4.4, and rule 4.5.
#[test]
fn forms_that_exclude_each_other() {
    check(
        "
        10 buy 1@market #1
        > 10:1 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@limit #1 ioc
        > 10:2 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@limit #1 fok
        > 10:3 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@100 #1 ioc post
        > 10:4 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@100 #1 fok slide
        > 10:5 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@market #1 ioc post
        > 10:6 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@limit #1 slide
        > 10:7 Rejected InvalidCombination field 12 detail 0 #1 order 0.0
        10 buy 1@market #1 ioc price=50000000000
        > 10:8 Rejected PriceForbidden field 2 detail 0 #1 order 0.0
        10 buy 1@limit #1 price=50000000000
        > 10:9 Rejected PriceForbidden field 2 detail 0 #1 order 0.0
        10 buy 1@- #1
        > 10:10 Rejected PriceRequired field 2 detail 0 #1 order 0.0
        10 buy 1@market #1 ioc
        > 10:11 Rejected NoLiquidity field 0 detail 0 #1 order 0.0
        10 buy 1@limit #1
        > 10:12 Rejected NoLiquidity field 0 detail 0 #1 order 0.0
        ",
    );
}

/// Rules 4.9 to 4.18, 4.14 last: each line has everything that the lines after it have wrong.
#[test]
fn refusals_by_the_market_come_in_order() {
    check(
        "
        60 instrument id=3 band=30000 qty_max=2147483647
        > 60:1 Confirmed Done template 321 field 0 ref 1
        20 sell 1@103 #1 instrument=3
        > 20:1 Accepted 1.0 #1 sell 1@103 ref 1
        10 buy 1@110 #1 instrument=3
        > 10:1 Rejected PriceAboveBand field 2 detail 51500000000 #1 order 0.0
        10 mass 1 block=1
        > 10:2 MassCancelAck Done #1 canceled 0 ref 2
        60 state 6 id=3
        > 60:2 Confirmed Done template 324 field 0 ref 2
        10 buy 1000000000@110 #2 instrument=3 post delay=1 sent=0
        > 10:3 Rejected StaleRequest field 9 detail 28000 #2 order 0.0
        10 buy 1000000000@110 #2 instrument=3 post
        > 10:4 Rejected AccountBlocked field 0 detail 0 #2 order 0.0
        10 mass 2 block=2
        > 10:5 MassCancelAck Done #2 canceled 0 ref 5
        10 buy 1000000000@110 #2 instrument=3 post
        > 10:6 Rejected Halted field 0 detail 0 #2 order 0.0
        60 state 5 id=3
        > 60:3 Confirmed Done template 324 field 0 ref 3
        10 buy 1000000000@110 #2 instrument=3 post
        > 10:7 Rejected CancelOnly field 0 detail 0 #2 order 0.0
        60 state 4 id=3
        > 60:4 Confirmed Done template 324 field 0 ref 4
        10 buy 1000000000@110 #2 instrument=3 post
        > 10:8 Rejected PriceAboveBand field 2 detail 51500000000 #2 order 0.0
        10 buy 1000000000@103 #2 instrument=3 post
        > 10:9 Rejected WouldCross field 0 detail 0 #2 order 0.0
        10 buy 1000000000@103 #2 instrument=3 fok
        > 10:10 Rejected MaxOrderValue field 0 detail 10000000000000000 #2 order 0.0
        10 buy 2147483647@1 #2 instrument=3 fok
        > 10:11 Rejected InsufficientMargin field 0 detail 20475910211823500 #2 order 0.0
        10 buy 2@103 #2 instrument=3 fok
        > 10:12 Rejected FokNotFillable field 0 detail 0 #2 order 0.0
        10 buy 1@market #2 instrument=3 fok
        > 10:13 Accepted 2.1 #2 buy 1@market ref 13
        > 10:14 taker 2.1 #2 buy 1@103 leaves 0 cum 1 fee 51500 position 1 match 1 ref 13
        > 20:2 maker 1.0 #1 sell 1@103 leaves 0 cum 1 fee 10300 position -1 match 1 ref 0
        ",
    );
}

/// Rules 3.8, 4.10 and 5.13.
#[test]
fn a_trading_state_stops_orders_and_not_cancels() {
    check(
        "
        10 buy 2@99 #1
        > 10:1 Accepted 1.0 #1 buy 2@99 ref 1
        60 state 5
        > 60:1 Confirmed Done template 324 field 0 ref 1
        20 sell 1@99 #1
        > 20:1 Rejected CancelOnly field 0 detail 0 #1 order 0.0
        10 amend 3@- #9 orig=1
        > 10:2 Rejected CancelOnly field 0 detail 0 #9 order 0.0
        60 state 6
        > 60:2 Confirmed Done template 324 field 0 ref 2
        20 sell 1@99 #1
        > 20:2 Rejected Halted field 0 detail 0 #1 order 0.0
        10 buy 1@99 #2 instrument=2
        > 10:3 Accepted 2.1 #2 buy 1@99 ref 3
        10 cancel 5 orig=1
        > 10:4 Canceled 1.0 #5 orig #1 buy leaves 2 cum 0 reason 1 ref 4
        60 state 4
        > 60:3 Confirmed Done template 324 field 0 ref 3
        20 sell 1@99 #1
        > 20:3 Accepted 3.0 #1 sell 1@99 ref 3
        10 state 4
        > 10:5 Confirmed Permission template 324 field 0 ref 5
        60 state 2
        > 60:4 Confirmed InvalidParameter template 324 field 2 ref 4
        60 state 4 id=9
        > 60:5 Confirmed UnknownInstrument template 324 field 1 ref 5
        0 state 6
        > 0:0 Confirmed Done template 324 field 0 ref 1
        40 state 4
        > 40:1 Confirmed Permission template 324 field 0 ref 1
        ",
    );
}

/// Rule 10.6.
#[test]
fn a_venue_that_stands_still_lets_nothing_be_added() {
    check(
        "
        10 buy 4@99 #1
        > 10:1 Accepted 1.0 #1 buy 4@99 ref 1
        0 venue 5 code=503
        > 0:0 Confirmed Done template 333 field 0 ref 1
        20 sell 1@99 #1
        > 20:1 Rejected JournalFull field 0 detail 0 #1 order 0.0
        10 amend 5@- #9 orig=1
        > 10:2 Rejected JournalFull field 0 detail 0 #9 order 0.0
        10 amend 3@- #9 orig=1
        > 10:3 Modified 1.0 #9 orig #1 buy 3@99 leaves 3 status 1 priority kept ref 3
        60 state 6
        > 60:1 Confirmed Done template 324 field 0 ref 1
        0 venue 6 code=503
        > 0:0 Confirmed Done template 333 field 0 ref 1
        20 sell 1@99 #1
        > 20:2 Rejected JournalFull field 0 detail 0 #1 order 0.0
        10 cancel 5 orig=1
        > 10:4 Canceled 1.0 #5 orig #1 buy leaves 3 cum 0 reason 1 ref 4
        0 venue 4
        > 0:0 Confirmed Done template 333 field 0 ref 1
        20 sell 1@99 #1
        > 20:3 Rejected Halted field 0 detail 0 #1 order 0.0
        60 venue 5 code=503
        > 60:0 SessionReject UnknownTemplate ref 2 template 333 field 0
        0 venue 4 code=503
        > 0:0 Confirmed InvalidParameter template 333 field 3 ref 1
        0 venue 5 code=302
        > 0:0 Confirmed InvalidParameter template 333 field 3 ref 1
        0 venue 3 code=503
        > 0:0 Confirmed InvalidParameter template 333 field 1 ref 1
        ",
    );
}

/// Rule 10.6 with 5.6: a `VenueState` waits for nothing, and what waits goes on behind it.
#[test]
fn a_venue_may_stop_while_a_taker_waits() {
    check(
        "
        20 sell 1@100 #1
        > 20:1 Accepted 1.0 #1 sell 1@100 ref 1
        20 sell 1@100 #2
        > 20:2 Accepted 2.1 #2 sell 1@100 ref 2
        20 sell 1@100 #3
        > 20:3 Accepted 3.2 #3 sell 1@100 ref 3
        20 sell 1@100 #4
        > 20:4 Accepted 4.3 #4 sell 1@100 ref 4
        10 buy 4@100 #1
        > 10:1 Accepted 5.4 #1 buy 4@100 ref 1
        > 10:2 taker 5.4 #1 buy 1@100 leaves 3 cum 1 fee 50000 position 1 match 1 ref 1
        > 20:5 maker 1.0 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        > 10:3 taker 5.4 #1 buy 1@100 leaves 2 cum 2 fee 50000 position 2 match 2 ref 1
        > 20:6 maker 2.1 #2 sell 1@100 leaves 0 cum 1 fee 10000 position -2 match 2 ref 0
        > 10:4 taker 5.4 #1 buy 1@100 leaves 1 cum 3 fee 50000 position 3 match 3 ref 1
        > 20:7 maker 3.2 #3 sell 1@100 leaves 0 cum 1 fee 10000 position -3 match 3 ref 0
        0 venue 6 code=503
        > 0:0 Confirmed Done template 333 field 0 ref 1
        0 venue 4
        > 0:0 Confirmed Done template 333 field 0 ref 1
        0 continue serial=5 slot=4
        > 10:5 taker 5.4 #1 buy 1@100 leaves 0 cum 4 fee 50000 position 4 match 4 ref 0
        > 20:8 maker 4.3 #4 sell 1@100 leaves 0 cum 1 fee 10000 position -4 match 4 ref 0
        ",
    );
}

/// Rule 4.18. Funds 100: 5 lots are 50 of margin; 10 ticks on each are 50 of slippage; fees on top.
#[test]
fn the_margin_of_a_market_order_is_that_of_its_walk() {
    check_on(
        &mut Desk::open(100_000_000),
        "
        20 sell 1@100 #1
        > 20:1 Accepted 1.0 #1 sell 1@100 ref 1
        20 sell 4@110 #2
        > 20:2 Accepted 2.1 #2 sell 4@110 ref 2
        10 buy 5@market #1 ioc
        > 10:1 Rejected InsufficientMargin field 0 detail 275000 #1 order 0.0
        10 sell 1@110 #2
        > 10:2 Accepted 3.2 #2 sell 1@110 ref 2
        10 buy 5@market #1 ioc stp=3
        > 10:3 Rejected InsufficientMargin field 0 detail 286000 #1 order 0.0
        10 buy 9@80 #3
        > 10:4 Accepted 4.3 #3 buy 9@80 ref 4
        20 buy 1@90 #3
        > 20:3 Accepted 5.4 #3 buy 1@90 ref 3
        10 sell 5@market #4 ioc
        > 10:5 Rejected InsufficientMargin field 0 detail 90283000 #4 order 0.0
        ",
    );
}
