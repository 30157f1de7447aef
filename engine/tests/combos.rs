//! Combos: their listing, their book, what a match moves in the legs, and what an open order holds there (section 11).

mod desk;

use desk::flow::Random;
use desk::{Desk, check_on, combo, instrument, venue_open};
use engine::Engine;
use engine::units::{Lots, Money, Ticks};

const RICH: i64 = 1_000_000_000_000_000;

/// Legs 5 at mark 100, 6 at 90 and 7 at 40; combo 8 buys 5 and sells 6, combo 9 buys two of 7 and sells 5.
/// Initial margin a tenth, maker fee 0.01 %, taker fee 0.05 %; a tick of one lot is 1 quote unit.
fn desk_with(change: impl Fn(&mut engine::command::VenueOpen), funds: i64) -> Desk {
    let mut terms = venue_open([1, 2]);
    terms.instruments_max = 12.into();
    terms.positions_max = 20.into();
    change(&mut terms);
    let mut desk = Desk::open_with(terms, funds);
    for (id, mark) in [(5, 100), (6, 90), (7, 40)] {
        desk.venue(instrument(id, mark));
    }
    desk.venue(combo(8, &[(5, 1), (6, -1)]));
    desk.venue(combo(9, &[(7, 2), (5, -1)]));
    desk
}

fn desk() -> Desk {
    desk_with(|_| (), RICH)
}

#[track_caller]
fn check(script: &str) {
    check_on(&mut desk(), script);
}

fn requirement(desk: &Desk, account: u32) -> i128 {
    desk.engine.accounts().find(|it| it.id == account).expect("an account").requirement.0 / 1_000_000
}

/// Open lots of account 4: instrument, buys, sells.
fn open_lots(desk: &Desk) -> Vec<(u32, i64, i64)> {
    desk.engine.positions(4).map(|it| (it.instrument, it.open_buy.0, it.open_sell.0)).collect()
}

/// Rule 11.1 in its order.
#[test]
fn a_listing_is_judged_in_order() {
    check(
        "60 combo id=0 leg1=9
         > 60:1 Confirmed InvalidParameter template 325 field 5 ref 1
         60 combo id=13 leg1=9
         > 60:2 Confirmed InvalidParameter template 325 field 5 ref 2
         60 combo id=5 leg1=9
         > 60:3 Confirmed AlreadyExists template 325 field 5 ref 3
         60 combo id=10 leg1=5 ratio1=1
         > 60:4 Confirmed InvalidParameter template 325 field 2 ref 4
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=1 leg4=7 ratio4=1
         > 60:5 Confirmed InvalidParameter template 325 field 2 ref 5
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=1 ratio3=1
         > 60:6 Confirmed InvalidParameter template 325 field 2 ref 6
         60 combo id=10 leg1=5 leg2=12 ratio2=9
         > 60:7 Confirmed UnknownInstrument template 325 field 2 ref 7
         60 combo id=10 leg1=5 leg2=8 ratio2=9
         > 60:8 Confirmed InvalidParameter template 325 field 2 ref 8
         60 combo id=10 leg1=5 ratio1=1 leg2=5 ratio2=1
         > 60:9 Confirmed InvalidParameter template 325 field 2 ref 9
         60 combo id=10 leg1=5 ratio1=1 leg2=6
         > 60:10 Confirmed InvalidParameter template 325 field 3 ref 10
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=-9
         > 60:11 Confirmed InvalidParameter template 325 field 3 ref 11
         60 combo id=10 leg1=5 ratio1=2 leg2=6 ratio2=-3 qty_max=0
         > 60:12 Confirmed InvalidParameter template 325 field 3 ref 12
         60 instrument id=11 contract=2000000000
         > 60:13 Confirmed Done template 321 field 0 ref 13
         60 combo id=10 leg1=5 ratio1=1 leg2=11 ratio2=-8 qty_max=0
         > 60:14 Confirmed InvalidParameter template 325 field 2 ref 14
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=-8 qty_max=0 band=0
         > 60:15 Confirmed InvalidParameter template 325 field 4 ref 15
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=-8 band=0
         > 60:16 Confirmed InvalidParameter template 325 field 6 ref 16
         60 combo id=10 leg1=5 ratio1=1 leg2=6 ratio2=-8 band=1000001
         > 60:17 Confirmed InvalidParameter template 325 field 6 ref 17
         60 combo id=10 leg1=7 ratio1=2 leg2=6 ratio2=8 leg3=5 ratio3=-8 leg4=1 ratio4=-1
         > 60:18 Confirmed Done template 325 field 0 ref 18
         10 combo id=12 leg1=5 ratio1=1 leg2=6 ratio2=1
         > 10:1 Confirmed Permission template 325 field 0 ref 1",
    );
}

/// Rules 11.1 and 11.2: what is seen of one, and that nobody marks it.
#[test]
fn a_combo_has_the_marks_of_its_legs() {
    let mut desk = desk();
    check_on(
        &mut desk,
        "40 mark ticks=20 instrument=8
         > 40:1 Confirmed InvalidParameter template 300 field 2 ref 1
         40 mark ticks=115 instrument=6
         > 40:2 Confirmed Done template 300 field 0 ref 2",
    );
    let seen = |id| desk.engine.instruments().find(|it| it.id == id).expect("it is listed");
    assert_eq!((seen(8).mark, seen(8).kind, seen(8).legs.len()), (Ticks(-15), 5, 2));
    assert_eq!((seen(9).mark, seen(9).legs[0].ratio), (Ticks(-20), 2));
    assert!(seen(5).legs.is_empty());
}

/// Rules 11.2 and 11.3: forms, prices and the band.
#[test]
fn prices_may_be_zero_or_negative_within_the_band() {
    check(
        "10 buy 1@market #1 instrument=8 ioc
         > 10:1 Rejected InvalidOrdType field 11 detail 0 #1 order 0.0
         10 buy 1@limit #1 instrument=8
         > 10:2 Rejected InvalidOrdType field 11 detail 0 #1 order 0.0
         10 buy 1@0 #1 instrument=8 order_flags=4
         > 10:3 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
         10 buy 1@0 #1 instrument=8 price=1
         > 10:4 Rejected PriceNotOnTick field 2 detail 0 #1 order 0.0
         10 buy 1@201 #1 instrument=8
         > 10:5 Rejected PriceAboveBand field 2 detail 100000000000 #1 order 0.0
         10 sell 1@-181 #1 instrument=8
         > 10:6 Rejected PriceBelowBand field 2 detail -90000000000 #1 order 0.0
         10 buy 1@-9000000000 #1 instrument=8
         > 10:7 Accepted 1.0 #1 buy 1@-9000000000 ref 7
         10 buy 1@0 #2 instrument=8
         > 10:8 Accepted 2.1 #2 buy 1@0 ref 8
         10 sell 1@0 #3 instrument=8 post
         > 10:9 Rejected WouldCross field 0 detail 0 #3 order 0.0
         10 sell 1@-5 #3 instrument=8 slide
         > 10:10 Accepted 3.2 #3 sell 1@1 ref 10
         10 amend 1@-7 #4 orig=2
         > 10:11 Modified 2.1 #4 orig #2 buy 1@-7 leaves 1 status 1 priority lost ref 11",
    );
}

/// Rule 11.5: the leg at the highest mark takes what is between mark and price; fees by leg; one match for all.
#[test]
fn a_match_trades_every_leg_at_prices_that_sum_to_its_own() {
    let mut desk = desk();
    check_on(
        &mut desk,
        "20 sell 3@12 #1 instrument=8
         > 20:1 Accepted 1.0 #1 sell 3@12 ref 1
         10 buy 2@15 #1 instrument=8
         > 10:1 Accepted 2.1 #1 buy 2@15 ref 1
         > 10:2 taker 2.1 #1 buy 2@12 in 8 leaves 0 cum 2 fee 192000 position 0 match 1 ref 1
         > 10:3 taker 2.1 #1 buy 2@102 in 5 leaves 0 cum 2 fee 102000 position 2 match 1 ref 1
         > 10:4 taker 2.1 #1 sell 2@90 in 6 leaves 0 cum 2 fee 90000 position -2 match 1 ref 1
         > 20:2 maker 1.0 #1 sell 2@12 in 8 leaves 1 cum 2 fee 38400 position 0 match 1 ref 0
         > 20:3 maker 1.0 #1 sell 2@102 in 5 leaves 1 cum 2 fee 20400 position -2 match 1 ref 0
         > 20:4 maker 1.0 #1 buy 2@90 in 6 leaves 1 cum 2 fee 18000 position 2 match 1 ref 0
         20 buy 1@-30 #2 instrument=9
         > 20:5 Accepted 3.1 #2 buy 1@-30 ref 2
         10 sell 1@-30 #2 instrument=9
         > 10:5 Accepted 4.2 #2 sell 1@-30 ref 2
         > 10:6 taker 4.2 #2 sell 1@-30 in 9 leaves 0 cum 1 fee 95000 position 0 match 2 ref 2
         > 10:7 taker 4.2 #2 sell 2@40 in 7 leaves 0 cum 1 fee 40000 position -2 match 2 ref 2
         > 10:8 taker 4.2 #2 buy 1@110 in 5 leaves 0 cum 1 fee 55000 position 3 match 2 ref 2
         > 20:6 maker 3.1 #2 buy 1@-30 in 9 leaves 0 cum 1 fee 19000 position 0 match 2 ref 0
         > 20:7 maker 3.1 #2 buy 2@40 in 7 leaves 0 cum 1 fee 8000 position 2 match 2 ref 0
         > 20:8 maker 3.1 #2 sell 1@110 in 5 leaves 0 cum 1 fee 11000 position -3 match 2 ref 0",
    );
    let quote = |id| desk.engine.accounts().find(|it| it.id == id).expect("an account").quote;
    // 4 pays 2 * 12 for the first and gets -30 for the second, less its fees of 192000 and 95000.
    assert_eq!(quote(4), Money(i128::from(RICH) - 24_000_000 - 30_000_000 - 287_000));
    assert_eq!(quote(5), Money(i128::from(RICH) + 24_000_000 + 30_000_000 - 57_400));
}

/// Rule 11.5: a price far off the mark makes the absorbing leg's negative; the buyer of that leg is paid.
#[test]
fn the_absorbing_leg_may_trade_below_zero() {
    check(
        "20 buy 1@-150 #1 instrument=8
         > 20:1 Accepted 1.0 #1 buy 1@-150 ref 1
         10 sell 1@-150 #1 instrument=8
         > 10:1 Accepted 2.1 #1 sell 1@-150 ref 1
         > 10:2 taker 2.1 #1 sell 1@-150 in 8 leaves 0 cum 1 fee 75000 position 0 match 1 ref 1
         > 10:3 taker 2.1 #1 sell 1@-60 in 5 leaves 0 cum 1 fee 30000 position -1 match 1 ref 1
         > 10:4 taker 2.1 #1 buy 1@90 in 6 leaves 0 cum 1 fee 45000 position 1 match 1 ref 1
         > 20:2 maker 1.0 #1 buy 1@-150 in 8 leaves 0 cum 1 fee 15000 position 0 match 1 ref 0
         > 20:3 maker 1.0 #1 buy 1@-60 in 5 leaves 0 cum 1 fee 6000 position 1 match 1 ref 0
         > 20:4 maker 1.0 #1 sell 1@90 in 6 leaves 0 cum 1 fee 9000 position -1 match 1 ref 0",
    );
}

/// Rule 11.5: of equal marks the first leg absorbs.
#[test]
fn the_first_of_equal_marks_absorbs() {
    let mut desk = desk();
    desk.venue(combo(10, &[(6, -1), (5, 1)]));
    check_on(
        &mut desk,
        "40 mark ticks=100 instrument=6
         > 40:1 Confirmed Done template 300 field 0 ref 1
         20 sell 1@3 #1 instrument=10
         > 20:1 Accepted 1.0 #1 sell 1@3 ref 1
         10 buy 1@3 #1 instrument=10 ioc
         > 10:1 Accepted 2.1 #1 buy 1@3 ref 1
         > 10:2 taker 2.1 #1 buy 1@3 in 10 leaves 0 cum 1 fee 98500 position 0 match 1 ref 1
         > 10:3 taker 2.1 #1 sell 1@97 in 6 leaves 0 cum 1 fee 48500 position -1 match 1 ref 1
         > 10:4 taker 2.1 #1 buy 1@100 in 5 leaves 0 cum 1 fee 50000 position 1 match 1 ref 1
         > 20:2 maker 1.0 #1 sell 1@3 in 10 leaves 0 cum 1 fee 19700 position 0 match 1 ref 0
         > 20:3 maker 1.0 #1 buy 1@97 in 6 leaves 0 cum 1 fee 9700 position 1 match 1 ref 0
         > 20:4 maker 1.0 #1 sell 1@100 in 5 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0",
    );
}

/// Rules 5.6 and 11.5: with three steps a command, one match of two legs uses all.
#[test]
fn a_match_takes_a_step_for_itself_and_each_leg() {
    check(
        "20 sell 1@10 #1 instrument=8
         > 20:1 Accepted 1.0 #1 sell 1@10 ref 1
         20 sell 1@11 #2 instrument=8
         > 20:2 Accepted 2.1 #2 sell 1@11 ref 2
         10 buy 2@11 #1 instrument=8
         > 10:1 Accepted 3.2 #1 buy 2@11 ref 1
         > 10:2 taker 3.2 #1 buy 1@10 in 8 leaves 1 cum 1 fee 95000 position 0 match 1 ref 1
         > 10:3 taker 3.2 #1 buy 1@100 in 5 leaves 1 cum 1 fee 50000 position 1 match 1 ref 1
         > 10:4 taker 3.2 #1 sell 1@90 in 6 leaves 1 cum 1 fee 45000 position -1 match 1 ref 1
         > 20:3 maker 1.0 #1 sell 1@10 in 8 leaves 0 cum 1 fee 19000 position 0 match 1 ref 0
         > 20:4 maker 1.0 #1 sell 1@100 in 5 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
         > 20:5 maker 1.0 #1 buy 1@90 in 6 leaves 0 cum 1 fee 9000 position 1 match 1 ref 0
         0 continue serial=3 slot=2
         > 10:5 taker 3.2 #1 buy 1@11 in 8 leaves 0 cum 2 fee 95500 position 0 match 2 ref 0
         > 10:6 taker 3.2 #1 buy 1@101 in 5 leaves 0 cum 2 fee 50500 position 2 match 2 ref 0
         > 10:7 taker 3.2 #1 sell 1@90 in 6 leaves 0 cum 2 fee 45000 position -2 match 2 ref 0
         > 20:6 maker 2.1 #2 sell 1@11 in 8 leaves 0 cum 1 fee 19100 position 0 match 2 ref 0
         > 20:7 maker 2.1 #2 sell 1@101 in 5 leaves 0 cum 1 fee 10100 position -2 match 2 ref 0
         > 20:8 maker 2.1 #2 buy 1@90 in 6 leaves 0 cum 1 fee 9000 position 2 match 2 ref 0",
    );
}

/// A waiting taker of a combo stands in a snapshot, with what it holds in its legs.
#[test]
fn a_snapshot_before_the_continuation_of_a_combo_goes_on() {
    let mut desk = desk();
    desk.play("20 sell 1@10 #1 instrument=8\n20 sell 1@11 #2 instrument=8\n10 buy 2@11 #1 instrument=8");
    assert!(desk.engine.continuation().is_some());
    let twin = Engine::restore(&desk.engine.snapshot()).expect("it restores");
    assert_eq!(twin.digest(), desk.engine.digest());
    let mut other = Desk { engine: twin, seq: desk.seq, ts_ns: desk.ts_ns };
    let script = "0 continue serial=3 slot=2\n10 buy 1@-3 #9 instrument=8\n20 sell 1@5 #8 instrument=5";
    assert_eq!(desk.play(script), other.play(script));
    assert_eq!(desk.engine.digest(), other.engine.digest());
}

/// Rule 11.6: open lots in each leg, through rest, amend, fill, prevention and cancel; entries go when nothing is left.
#[test]
fn open_lots_of_a_combo_stand_in_its_legs() {
    let mut desk = desk();
    desk.play("10 buy 3@10 #1 instrument=9");
    assert_eq!(open_lots(&desk), [(5, 0, 3), (7, 6, 0), (9, 3, 0)]);
    desk.play("10 sell 2@20 #2 instrument=8");
    assert_eq!(open_lots(&desk), [(5, 0, 5), (6, 2, 0), (7, 6, 0), (8, 0, 2), (9, 3, 0)]);
    desk.play("10 sell 4@100 #3 instrument=5");
    assert_eq!(open_lots(&desk)[0], (5, 0, 9));
    desk.play("10 amend 2@- #4 orig=1");
    assert_eq!(open_lots(&desk), [(5, 0, 8), (6, 2, 0), (7, 4, 0), (8, 0, 2), (9, 2, 0)]);
    desk.play("10 amend 5@-40 #4 orig=1");
    assert_eq!(open_lots(&desk), [(5, 0, 11), (6, 2, 0), (7, 10, 0), (8, 0, 2), (9, 5, 0)]);
    desk.play("20 sell 1@-40 #1 instrument=9");
    assert_eq!(open_lots(&desk), [(5, 0, 10), (6, 2, 0), (7, 8, 0), (8, 0, 2), (9, 4, 0)]);
    desk.play("10 sell 3@-50 #5 instrument=9 stp=5");
    assert_eq!(open_lots(&desk), [(5, 0, 7), (6, 2, 0), (7, 2, 0), (8, 0, 2), (9, 1, 0)]);
    desk.play("10 sell 3@-50 #5 instrument=9 stp=3 ioc");
    assert_eq!(open_lots(&desk), [(5, 0, 6), (6, 2, 0), (7, 0, 0), (8, 0, 2)]);
    desk.play("10 mass #6 scope=2");
    let held: Vec<_> = desk.engine.positions(4).map(|it| (it.instrument, it.lots)).collect();
    assert_eq!(held, [(5, Lots(-1)), (7, Lots(2))]);
}

/// Rule 11.6 in numbers.
#[test]
fn a_combo_order_requires_the_margin_of_its_legs_slippage_and_fees() {
    let mut desk = desk();
    desk.play("10 buy 100@12 #1 instrument=8");
    // Legs 5 and 6: a tenth of 100 * 100 and of 100 * 90. Slippage 2 * 100. Fees 0.01 % of 100 * 190.
    assert_eq!(requirement(&desk, 4), 1_000 + 900 + 200 + 1);
    desk.play("10 sell 100@8 #2 instrument=6");
    // It joins the sells of leg 6 and lies 82 below its mark, as far as both orders' lots go; and fees of 800.
    assert_eq!(requirement(&desk, 4), 1_000 + 1_800 + 200 + 1 + 200 * 82);
    desk.play("10 cancel #3 orig=1");
    assert_eq!(requirement(&desk, 4), 900 + 100 * 82);
}

/// Rules 6.5 and 11.6: what is missing for an order or an amend, to the last unit; a combo is no closing order (6.6).
#[test]
fn an_order_that_is_short_of_margin_says_how_much() {
    // A tenth of 1000 and of 900, slippage 20, fees 0.05 % of 1900: 210.95 quote units.
    let script = "10 buy 10@12 #1 instrument=8";
    let mut desk = desk_with(|_| (), 210_949_999);
    check_on(
        &mut desk,
        &format!("{script}\n > 10:1 Rejected InsufficientMargin field 0 detail 1 #1 order 0.0"),
    );
    let mut desk = desk_with(|_| (), 210_950_000);
    check_on(
        &mut desk,
        &format!(
            "{script}
             > 10:1 Accepted 1.0 #1 buy 10@12 ref 1
             10 amend 10@13 #2 orig=1
             > 10:2 Rejected InsufficientMargin field 0 detail 10000000 #2 order 0.0
             10 amend 10@10 #2 orig=1
             > 10:3 Modified 1.0 #2 orig #1 buy 10@10 leaves 10 status 1 priority lost ref 3
             10 amend 12@10 #3 orig=1
             > 10:4 Rejected InsufficientMargin field 0 detail 18190000 #3 order 0.0"
        ),
    );
}

/// Rule 11.4: each refusal leaves everything as it is.
#[test]
fn limits_are_those_of_the_legs() {
    let mut desk = desk_with(|terms| terms.positions_max = 4.into(), i64::from(i32::MAX) * 100_000_000);
    desk.venue(combo(10, &[(5, 8), (6, -1)]));
    // Two entries of account 5 leave room for two, and a combo needs three.
    desk.play("20 buy 1@1 #1 instrument=1\n20 buy 1@1 #2 instrument=2");
    check_on(
        &mut desk,
        "10 buy 1@10 #1 instrument=8
         > 10:1 Rejected Capacity field 0 detail 0 #1 order 0.0
         20 cancel #3 orig=2 account=5
         > 20:3 Canceled 2.1 #3 orig #2 buy leaves 1 cum 0 reason 1 ref 3
         10 buy 268435456@10 #1 instrument=10
         > 10:2 Rejected QtyTooLarge field 3 detail 1000000 #1 order 0.0
         10 buy 1@10 #1 instrument=8
         > 10:3 Accepted 3.1 #1 buy 1@10 ref 3",
    );
    let mut desk = desk_with(|_| (), RICH);
    let mut large = combo(10, &[(5, 8), (6, -1)]);
    large.qty_max = 1_000_000_000.into();
    desk.venue(large);
    check_on(
        &mut desk,
        "10 buy 12500001@10 #1 instrument=10
         > 10:1 Rejected MaxOrderValue field 0 detail 10000000000000000 #1 order 0.0
         40 mark ticks=1 instrument=5
         > 40:1 Confirmed Done template 300 field 0 ref 1
         40 mark ticks=1 instrument=6
         > 40:2 Confirmed Done template 300 field 0 ref 2
         10 buy 268435456@-100 #1 instrument=10
         > 10:2 Rejected MaxOrderValue field 0 detail 10000000000000000 #1 order 0.0
         10 buy 268435456@-10 #1 instrument=10
         > 10:3 Rejected PositionLimit field 0 detail 2147483647 #1 order 0.0
         10 buy 4@-10 #1 instrument=5 side=9
         > 10:4 Rejected InvalidSide field 10 detail 0 #1 order 0.0",
    );
}

/// Rules 4.10, 11.4 and 11.7: the combo's state, then its legs'.
#[test]
fn a_leg_that_does_not_trade_stops_its_combos() {
    let mut desk = desk();
    let digest = |desk: &mut Desk, script: &str| {
        check_on(desk, script);
    };
    digest(
        &mut desk,
        "10 buy 1@10 #1 instrument=8
         > 10:1 Accepted 1.0 #1 buy 1@10 ref 1
         60 state 6 id=6
         > 60:1 Confirmed Done template 324 field 0 ref 1
         10 buy 1@10 #2 instrument=8
         > 10:2 Rejected Halted field 0 detail 0 #2 order 0.0
         10 amend 2@10 #2 orig=1
         > 10:3 Rejected Halted field 0 detail 0 #2 order 0.0
         60 state 5 id=8
         > 60:2 Confirmed Done template 324 field 0 ref 2
         10 buy 1@10 #2 instrument=8
         > 10:4 Rejected CancelOnly field 0 detail 0 #2 order 0.0
         10 buy 1@10 #2 instrument=9
         > 10:5 Accepted 2.1 #2 buy 1@10 ref 5
         10 cancel #3 orig=1
         > 10:6 Canceled 1.0 #3 orig #1 buy leaves 1 cum 0 reason 1 ref 6",
    );
}

/// Rule 4.14 in a combo's book.
#[test]
fn fill_or_kill_walks_the_combos_book() {
    check(
        "20 sell 2@-5 #1 instrument=8
         > 20:1 Accepted 1.0 #1 sell 2@-5 ref 1
         10 buy 3@0 #1 instrument=8 fok
         > 10:1 Rejected FokNotFillable field 0 detail 0 #1 order 0.0
         10 buy 3@0 #1 instrument=8 ioc
         > 10:2 Accepted 2.1 #1 buy 3@0 ref 2
         > 10:3 taker 2.1 #1 buy 2@-5 in 8 leaves 1 cum 2 fee 175000 position 0 match 1 ref 2
         > 10:4 taker 2.1 #1 buy 2@85 in 5 leaves 1 cum 2 fee 85000 position 2 match 1 ref 2
         > 10:5 taker 2.1 #1 sell 2@90 in 6 leaves 1 cum 2 fee 90000 position -2 match 1 ref 2
         > 20:2 maker 1.0 #1 sell 2@-5 in 8 leaves 0 cum 2 fee 35000 position 0 match 1 ref 0
         > 20:3 maker 1.0 #1 sell 2@85 in 5 leaves 0 cum 2 fee 17000 position -2 match 1 ref 0
         > 20:4 maker 1.0 #1 buy 2@90 in 6 leaves 0 cum 2 fee 18000 position 2 match 1 ref 0
         > 10:6 Canceled 2.1 #1 orig #1 buy leaves 1 cum 2 reason 8 ref 2",
    );
}

/// Marks at their bounds, the largest lots and the highest tick value: nothing overflows, prices are shown at their bounds.
#[test]
fn numbers_at_their_bounds_are_carried() {
    let mut desk = desk();
    let highest = 1_i64 << 48;
    for id in [10, 11] {
        let mut terms = instrument(id, 1);
        (terms.tick_size, terms.mark) = (30_000.into(), 30_000.into());
        (terms.lot_size, terms.contract_size) = (1_000_000_000_000.into(), 1_000_000_000_000.into());
        desk.venue(terms);
    }
    desk.venue(combo(12, &[(10, 8), (11, -1)]));
    let answers = desk.play(&format!(
        "20 sell 1@0 #1 instrument=12 price=0
         40 mark instrument=10 price={0}
         40 mark instrument=11 price={0}
         10 buy 1@0 #1 instrument=12 price=0",
        highest * 30_000
    ));
    assert!(answers.contains("10:1 Rejected MaxOrderValue"), "{answers}");
    desk.engine.check_invariants().expect("section 7");
    desk.engine.accounts().for_each(|it| assert!(it.requirement >= Money::ZERO));
}

/// Plain and combo orders at once, marks that move: two derivations of every number after each command, restored midway.
#[test]
fn a_market_of_legs_and_combos_conserves() {
    let mut trades = 0;
    for seed in 0..40 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let steps = 1 + random.below(8) as u32;
        let funds = random.pick(&[3_000_000_000, 30_000_000_000, RICH]);
        let mut desk = desk_with(|terms| terms.matches_per_command_max = steps.into(), funds);
        let mut twin = None;
        for round in 0..400 {
            if round == 200 {
                let bytes = desk.engine.snapshot();
                let engine = Engine::restore(&bytes).expect("an engine reads its own snapshot");
                assert_eq!(engine.snapshot(), bytes);
                twin = Some(Desk { engine, seq: desk.seq, ts_ns: desk.ts_ns });
            }
            let line = line(&mut random, &desk);
            let heard = desk.play(&line);
            trades += heard.matches(" in 8 ").count() + heard.matches(" in 9 ").count();
            if let Some(twin) = &mut twin {
                assert_eq!(twin.play(&line), heard);
                assert_eq!(twin.engine.digest(), desk.engine.digest());
            }
        }
    }
    assert!(trades > 200, "combos traded {trades} times");
}

fn line(random: &mut Random, desk: &Desk) -> String {
    if let Some(id) = desk.engine.continuation() {
        return format!("0 continue serial={} slot={}", id >> 24, id & 0xFF_FFFF);
    }
    let session = random.pick(&[10, 20, 20]);
    let account = if session == 20 { 5 } else { 4 };
    let (id, around) =
        random.pick(&[(5, 100), (6, 90), (7, 40), (8, 10), (8, 10), (8, -2), (9, -20), (9, -20)]);
    let ticks = around + random.below(9) as i64 - 4;
    let (qty, name) = (1 + random.below(9), 1 + random.below(30));
    let side = random.pick(&["buy", "sell"]);
    let stp = random.pick(&[1, 1, 2, 3, 4, 5]);
    match random.below(20) {
        0 => format!("40 mark ticks={} instrument={id}", (around + random.below(9) as i64).max(1)),
        1 => format!("40 mark ticks={} instrument=5", random.pick(&[1, 30, 100, 100, 250])),
        2 => format!("{session} mass #{name} scope=2 side={}", 1 + random.below(3)),
        3..6 => format!("{session} cancel #99 orig={name} account={account}"),
        6..9 => format!("{session} amend {qty}@{ticks} #99 orig={name}"),
        _ => {
            let tif = random.pick(&["", "", "", "ioc", "fok", "post", "slide"]);
            format!("{session} {side} {qty}@{ticks} #{name} instrument={id} stp={stp} {tif}")
        }
    }
}
