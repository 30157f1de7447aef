//! Market-maker protection as conversations, in the manner of `scenarios`: rules 9.10 to 9.16. Reasons: 1 quantity, 2 delta,
//! 3 vega, 4 count.

mod desk;

use desk::{Bytes, Desk, check, venue_open};
use engine::{Engine, Sequenced};

const FUNDS: i64 = 1_000_000_000_000_000;

/// Rules 9.12 to 9.14 and 9.16: lots of all instruments count, and a frozen group takes no new member.
#[test]
fn a_breach_takes_all_members_away() {
    check(
        "
        20 mmp #1 group=7 qty=5 frozen=3
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 quote #2 mmp=7 1:4@99/4@101 2:4@99/4@101
        > 20:2 QuoteAck Done #2 group 7 ref 2 | 1 set/set | 2 set/set
        20 buy 3@98 #3 mmp=7
        > 20:3 Accepted 5.4 #3 buy 3@98 ref 3
        20 sell 3@110 #4
        > 20:4 Accepted 6.5 #4 sell 3@110 ref 4
        11 buy 4@101 #1 ioc
        > 11:1 Accepted 7.6 #1 buy 4@101 ref 1
        > 11:2 taker 7.6 #1 buy 4@101 leaves 0 cum 4 fee 202000 position 4 match 1 ref 1
        > 20:5 maker 2.1 #2 sell 4@101 leaves 0 cum 4 fee 40400 position -4 match 1 ref 0
        11 buy 2@110 #2 instrument=2
        > 11:3 Accepted 8.1 #2 buy 2@110 ref 2
        > 11:4 taker 8.1 #2 buy 2@101 leaves 0 cum 2 fee 101000 position 2 match 2 ref 2
        > 20:6 maker 4.3 #2 sell 2@101 leaves 2 cum 2 fee 20200 position -2 match 2 ref 0
        > 20:7 Canceled 1.0 #2 orig #2 buy leaves 4 cum 0 reason 4 ref 0
        > 20:8 Canceled 3.2 #2 orig #2 buy leaves 4 cum 0 reason 4 ref 0
        > 20:9 Canceled 4.3 #2 orig #2 sell leaves 2 cum 2 reason 4 ref 0
        > 20:10 Canceled 5.4 #3 orig #3 buy leaves 3 cum 0 reason 4 ref 0
        > 20:11 MmpTriggered group 7 reason 1 canceled 4 until 3029000
        20 quote #5 mmp=7 1:4@99/4@101
        > 20:12 QuoteAck MmpFrozen #5 group 7 ref 5
        20 quote #6 mmp=7 1:0/0
        > 20:13 QuoteAck Done #6 group 7 ref 6 | 1 none/none
        20 buy 3@98 #7 mmp=7
        > 20:14 Rejected MmpFrozen field 15 detail 0 #7 order 0.0
        20 quote #8 1:4@99/4@101
        > 20:15 QuoteAck Done #8 group 0 ref 8 | 1 set/set
        20 mmp #9 group=7 reset=1
        > 20:16 RequestComplete Done #9 count 0 ref 9
        20 buy 3@98 #10 mmp=7
        > 20:17 Accepted 11.2 #10 buy 3@98 ref 10
        ",
    );
}

/// Rules 3.10, 9.12 and 9.13. A lot moves two lots down and three of vega up; sells of the maker turn the signs.
#[test]
fn limits_have_an_order() {
    check(
        "
        60 session id=70 role=5
        > 60:1 Confirmed Done template 323 field 0 ref 1
        70 logon
        > 70:0 LogonAck client 1 server 1 oldest 1 epoch 9 keep 100 open 6
        70 sensitivity delta=-2000000 vega=3000000
        > 70:1 Confirmed Done template 302 field 0 ref 1
        20 mmp #1 qty=2 count=1 delta=1 vega=1
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 quote #2 mmp=1 1:9@99/9@101
        > 20:2 QuoteAck Done #2 group 1 ref 2 | 1 set/set
        11 buy 1@101 #1
        > 11:1 Accepted 3.2 #1 buy 1@101 ref 1
        > 11:2 taker 3.2 #1 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 1
        > 20:3 maker 2.1 #2 sell 1@101 leaves 8 cum 1 fee 10100 position -1 match 1 ref 0
        > 20:4 Canceled 1.0 #2 orig #2 buy leaves 9 cum 0 reason 4 ref 0
        > 20:5 Canceled 2.1 #2 orig #2 sell leaves 8 cum 1 reason 4 ref 0
        > 20:6 MmpTriggered group 1 reason 4 canceled 2 until reset
        20 mmp #3 qty=2 delta=2 vega=1
        > 20:7 RequestComplete Done #3 count 0 ref 3
        20 quote #4 mmp=1 1:9@99/9@101
        > 20:8 QuoteAck Done #4 group 1 ref 4 | 1 set/set
        11 buy 1@101 #2
        > 11:3 Accepted 6.2 #2 buy 1@101 ref 2
        > 11:4 taker 6.2 #2 buy 1@101 leaves 0 cum 1 fee 50500 position 2 match 2 ref 2
        > 20:9 maker 5.1 #4 sell 1@101 leaves 8 cum 1 fee 10100 position -2 match 2 ref 0
        > 20:10 Canceled 4.0 #4 orig #4 buy leaves 9 cum 0 reason 4 ref 0
        > 20:11 Canceled 5.1 #4 orig #4 sell leaves 8 cum 1 reason 4 ref 0
        > 20:12 MmpTriggered group 1 reason 2 canceled 2 until reset
        20 mmp #5 qty=2 delta=3 vega=3
        > 20:13 RequestComplete Done #5 count 0 ref 5
        20 quote #6 mmp=1 1:9@99/9@101
        > 20:14 QuoteAck Done #6 group 1 ref 6 | 1 set/set
        11 buy 1@101 #3
        > 11:5 Accepted 9.2 #3 buy 1@101 ref 3
        > 11:6 taker 9.2 #3 buy 1@101 leaves 0 cum 1 fee 50500 position 3 match 3 ref 3
        > 20:15 maker 8.1 #6 sell 1@101 leaves 8 cum 1 fee 10100 position -3 match 3 ref 0
        > 20:16 Canceled 7.0 #6 orig #6 buy leaves 9 cum 0 reason 4 ref 0
        > 20:17 Canceled 8.1 #6 orig #6 sell leaves 8 cum 1 reason 4 ref 0
        > 20:18 MmpTriggered group 1 reason 3 canceled 2 until reset
        20 mmp #7 qty=2 count=1
        > 20:19 RequestComplete Done #7 count 0 ref 7
        20 quote #8 mmp=1 1:9@99/9@101
        > 20:20 QuoteAck Done #8 group 1 ref 8 | 1 set/set
        11 buy 2@101 #4
        > 11:7 Accepted 12.2 #4 buy 2@101 ref 4
        > 11:8 taker 12.2 #4 buy 2@101 leaves 0 cum 2 fee 101000 position 5 match 4 ref 4
        > 20:21 maker 11.1 #8 sell 2@101 leaves 7 cum 2 fee 20200 position -5 match 4 ref 0
        > 20:22 Canceled 10.0 #8 orig #8 buy leaves 9 cum 0 reason 4 ref 0
        > 20:23 Canceled 11.1 #8 orig #8 sell leaves 7 cum 2 reason 4 ref 0
        > 20:24 MmpTriggered group 1 reason 1 canceled 2 until reset
        20 mmp #9 delta=3
        > 20:25 RequestComplete Done #9 count 0 ref 9
        20 quote #10 mmp=1 1:9@99/9@101
        > 20:26 QuoteAck Done #10 group 1 ref 10 | 1 set/set
        11 buy 1@101 #5 ioc
        > 11:9 Accepted 15.2 #5 buy 1@101 ref 5
        > 11:10 taker 15.2 #5 buy 1@101 leaves 0 cum 1 fee 50500 position 6 match 5 ref 5
        > 20:27 maker 14.1 #10 sell 1@101 leaves 8 cum 1 fee 10100 position -6 match 5 ref 0
        11 sell 1@99 #6 ioc
        > 11:11 Accepted 16.2 #6 sell 1@99 ref 6
        > 11:12 taker 16.2 #6 sell 1@99 leaves 0 cum 1 fee 49500 position 5 match 6 ref 6
        > 20:28 maker 13.0 #10 buy 1@99 leaves 8 cum 1 fee 9900 position -5 match 6 ref 0
        11 buy 1@101 #7 ioc
        > 11:13 Accepted 17.2 #7 buy 1@101 ref 7
        > 11:14 taker 17.2 #7 buy 1@101 leaves 0 cum 1 fee 50500 position 6 match 7 ref 7
        > 20:29 maker 14.1 #10 sell 1@101 leaves 7 cum 2 fee 10100 position -6 match 7 ref 0
        11 buy 1@101 #8 ioc
        > 11:15 Accepted 18.2 #8 buy 1@101 ref 8
        > 11:16 taker 18.2 #8 buy 1@101 leaves 0 cum 1 fee 50500 position 7 match 8 ref 8
        > 20:30 maker 14.1 #10 sell 1@101 leaves 6 cum 3 fee 10100 position -7 match 8 ref 0
        > 20:31 Canceled 13.0 #10 orig #10 buy leaves 8 cum 1 reason 4 ref 0
        > 20:32 Canceled 14.1 #10 orig #10 sell leaves 6 cum 3 reason 4 ref 0
        > 20:33 MmpTriggered group 1 reason 2 canceled 2 until reset
        ",
    );
}

/// Rule 9.14: each order canceled is a step.
#[test]
fn a_taker_goes_on_behind_a_breach() {
    check(
        "
        20 mmp #1 count=2
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 quote #2 mmp=1 1:0/1@101 2:0/1@101
        > 20:2 QuoteAck Done #2 group 1 ref 2 | 1 none/set | 2 none/set
        20 sell 1@101 #3 mmp=1
        > 20:3 Accepted 3.2 #3 sell 1@101 ref 3
        20 sell 1@102 #4 mmp=1
        > 20:4 Accepted 4.3 #4 sell 1@102 ref 4
        20 sell 1@103 #5
        > 20:5 Accepted 5.4 #5 sell 1@103 ref 5
        # Two matches and two cancels: one step past the cap.
        11 buy 5@103 #1
        > 11:1 Accepted 6.5 #1 buy 5@103 ref 1
        > 11:2 taker 6.5 #1 buy 1@101 leaves 4 cum 1 fee 50500 position 1 match 1 ref 1
        > 20:6 maker 1.0 #2 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        > 11:3 taker 6.5 #1 buy 1@101 leaves 3 cum 2 fee 50500 position 2 match 2 ref 1
        > 20:7 maker 3.2 #3 sell 1@101 leaves 0 cum 1 fee 10100 position -2 match 2 ref 0
        > 20:8 Canceled 2.1 #2 orig #2 sell leaves 1 cum 0 reason 4 ref 0
        > 20:9 Canceled 4.3 #4 orig #4 sell leaves 1 cum 0 reason 4 ref 0
        > 20:10 MmpTriggered group 1 reason 4 canceled 2 until reset
        0 continue serial=6 slot=5
        > 11:4 taker 6.5 #1 buy 1@103 leaves 2 cum 3 fee 51500 position 3 match 3 ref 0
        > 20:11 maker 5.4 #5 sell 1@103 leaves 0 cum 1 fee 10300 position -3 match 3 ref 0
        20 sell 1@103 #6 mmp=1
        > 20:12 Rejected MmpFrozen field 15 detail 0 #6 order 0.0
        ",
    );
}

/// Rule 9.14: a taker on its way is no member until it rests. Then it cannot be amended while the group is frozen.
#[test]
fn the_group_of_a_taker_does_not_hold_it() {
    check(
        "
        20 mmp #1 count=1
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 sell 1@101 #2 mmp=1
        > 20:2 Accepted 1.0 #2 sell 1@101 ref 2
        20 sell 1@102 #3 mmp=1
        > 20:3 Accepted 2.1 #3 sell 1@102 ref 3
        20 buy 3@99 #4 mmp=1
        > 20:4 Accepted 3.2 #4 buy 3@99 ref 4
        20 amend 3@102 #5 orig=4
        > 20:5 Modified 3.2 #5 orig #4 buy 3@102 leaves 3 status 1 priority lost ref 5
        > 20:6 taker 3.2 #4 buy 1@101 leaves 2 cum 1 fee 50500 position 0 match 1 ref 5
        > 20:7 maker 1.0 #2 sell 1@101 leaves 0 cum 1 fee 10100 position 0 match 1 ref 5
        > 20:8 Canceled 2.1 #3 orig #3 sell leaves 1 cum 0 reason 4 ref 5
        > 20:9 MmpTriggered group 1 reason 4 canceled 1 until reset
        20 amend 2@102 #6 orig=4
        > 20:10 Rejected MmpFrozen field 0 detail 0 #6 order 0.0
        20 cancel #7 orig=4 account=5
        > 20:11 Canceled 3.2 #7 orig #4 buy leaves 2 cum 1 reason 1 ref 7
        ",
    );
}

/// Rule 9.10. The venue has room for three groups.
#[test]
fn refusals_of_a_config_come_in_order() {
    check(
        "
        12 mmp #1 account=9 group=0 reset=2 window=0
        > 12:1 RequestComplete Permission #1 count 0 ref 1
        10 mmp #1 account=9 group=0 reset=2 window=0
        > 10:1 RequestComplete UnknownAccount #1 count 0 ref 1
        10 mmp #1 account=5 group=0 reset=2 window=0
        > 10:2 RequestComplete NotYourAccount #1 count 0 ref 2
        10 mmp #2 group=0
        > 10:3 RequestComplete InvalidCombination #2 count 0 ref 3
        10 mmp #2 reset=2
        > 10:4 RequestComplete InvalidCombination #2 count 0 ref 4
        10 mmp #2 window=0
        > 10:5 RequestComplete InvalidCombination #2 count 0 ref 5
        10 mmp #2 window=3600001
        > 10:6 RequestComplete InvalidCombination #2 count 0 ref 6
        10 mmp #2 qty=0
        > 10:7 RequestComplete InvalidCombination #2 count 0 ref 7
        10 mmp #2 delta=-1
        > 10:8 RequestComplete InvalidCombination #2 count 0 ref 8
        10 mmp #2 vega=4611686018427387905
        > 10:9 RequestComplete InvalidCombination #2 count 0 ref 9
        10 mmp #2 reset=1 window=0
        > 10:10 RequestComplete MmpNotConfigured #2 count 0 ref 10
        10 mmp #3 window=3600000 vega=4611686018427387904
        > 10:11 RequestComplete Done #3 count 0 ref 11
        10 mmp #4 reset=1 window=0
        > 10:12 RequestComplete Done #4 count 0 ref 12
        10 mmp #4 reset=1 qty=0
        > 10:13 RequestComplete InvalidCombination #4 count 0 ref 13
        10 mmp #5 group=2
        > 10:14 RequestComplete Done #5 count 0 ref 14
        20 mmp #6 group=1
        > 20:1 RequestComplete Done #6 count 0 ref 1
        20 mmp #7 group=2
        > 20:2 RequestComplete Capacity #7 count 0 ref 2
        10 mmp #8 group=2
        > 10:15 RequestComplete Done #8 count 0 ref 15
        ",
    );
}

/// Rules 4.4 and 9.11.
#[test]
fn members_of_a_group_are_judged() {
    check(
        "
        10 buy 1@99 #1 order_flags=8
        > 10:1 Rejected InvalidCombination field 15 detail 0 #1 order 0.0
        10 buy 1@99 #1 mmp=1 order_flags=0
        > 10:2 Rejected InvalidCombination field 15 detail 0 #1 order 0.0
        10 buy 1@99 #1 mmp=1 ioc
        > 10:3 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
        10 buy 1@market #1 mmp=1 ioc
        > 10:4 Rejected InvalidCombination field 14 detail 0 #1 order 0.0
        10 buy 1@99 #1 mmp=1
        > 10:5 Rejected MmpNotConfigured field 15 detail 0 #1 order 0.0
        10 mmp #2
        > 10:6 RequestComplete Done #2 count 0 ref 6
        20 buy 1@99 #1 mmp=1
        > 20:1 Rejected MmpNotConfigured field 15 detail 0 #1 order 0.0
        10 buy 1@99 #3 mmp=1 order_flags=9
        > 10:7 Accepted 1.0 #3 buy 1@99 ref 7
        20 sell 1@99 #2
        > 20:2 Accepted 2.1 #2 sell 1@99 ref 2
        > 20:3 taker 2.1 #2 sell 1@99 leaves 0 cum 1 fee 49500 position -1 match 1 ref 2
        > 10:8 maker 1.0 #3 buy 1@99 leaves 0 cum 1 fee 9900 position 1 match 1 ref 0
        ",
    );
}

/// Rule 9.4.
#[test]
fn a_group_that_changes_loses_the_place() {
    check(
        "
        20 mmp #1
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 quote #2 1:5@99/0
        > 20:2 QuoteAck Done #2 group 0 ref 2 | 1 set/none
        10 buy 5@99 #1
        > 10:1 Accepted 2.1 #1 buy 5@99 ref 1
        20 quote #3 mmp=1 1:5@99/0
        > 20:3 QuoteAck Done #3 group 1 ref 3 | 1 set/none
        11 sell 5@99 #2
        > 11:1 Accepted 4.2 #2 sell 5@99 ref 1
        > 11:2 taker 4.2 #2 sell 5@99 leaves 0 cum 5 fee 247500 position 0 match 1 ref 1
        > 10:2 maker 2.1 #1 buy 5@99 leaves 0 cum 5 fee 49500 position 0 match 1 ref 0
        ",
    );
}

/// Rule 3.10.
#[test]
fn sensitivities_are_the_risk_models() {
    check(
        "
        10 sensitivity delta=1
        > 10:1 Confirmed Permission template 302 field 0 ref 1
        60 sensitivity delta=1
        > 60:1 Confirmed Permission template 302 field 0 ref 1
        60 session id=70 role=5
        > 60:2 Confirmed Done template 323 field 0 ref 2
        70 logon
        > 70:0 LogonAck client 1 server 1 oldest 1 epoch 9 keep 100 open 6
        70 sensitivity delta=1000000000001 vega=1000000000001 instrument=9
        > 70:1 Confirmed UnknownInstrument template 302 field 3 ref 1
        70 sensitivity delta=1000000000001 vega=1000000000001
        > 70:2 Confirmed InvalidParameter template 302 field 1 ref 2
        70 sensitivity delta=-1000000000000 vega=1000000000001
        > 70:3 Confirmed InvalidParameter template 302 field 2 ref 3
        70 sensitivity delta=-1000000000000 vega=1000000000000
        > 70:4 Confirmed Done template 302 field 0 ref 4
        ",
    );
}

/// Rule 9.10: who configured it last is told of the breach; who set the quotes, of their cancels.
#[test]
fn two_are_told_of_a_group() {
    check(
        "
        10 mmp #1 count=1
        > 10:1 RequestComplete Done #1 count 0 ref 1
        11 mmp #2 count=1
        > 11:1 RequestComplete Done #2 count 0 ref 1
        10 mmp #3 reset=1
        > 10:2 RequestComplete Done #3 count 0 ref 2
        10 quote #4 mmp=1 1:5@99/5@101
        > 10:3 QuoteAck Done #4 group 1 ref 3 | 1 set/set
        20 buy 1@101 #1 ioc
        > 20:1 Accepted 3.2 #1 buy 1@101 ref 1
        > 20:2 taker 3.2 #1 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 1
        > 10:4 maker 2.1 #4 sell 1@101 leaves 4 cum 1 fee 10100 position -1 match 1 ref 0
        > 10:5 Canceled 1.0 #4 orig #4 buy leaves 5 cum 0 reason 4 ref 0
        > 10:6 Canceled 2.1 #4 orig #4 sell leaves 4 cum 1 reason 4 ref 0
        > 11:2 MmpTriggered group 1 reason 4 canceled 2 until reset
        ",
    );
}

/// Rule 9.12: a window of 16 ms has slices of 1 ms; what counts is the slice of now and the 16 before it.
#[test]
fn fills_are_forgotten_by_the_slice() {
    let breached_after = |ms: u64| {
        let mut desk = Desk::open(FUNDS);
        desk.play("20 mmp #1 window=16 count=2\n20 quote #2 mmp=1 1:9@99/9@101");
        desk.ts_ns = 5_000_000;
        desk.play("11 buy 1@101 #1 ioc");
        desk.ts_ns = 5_000_000 + ms * 1_000_000 - 2_000;
        desk.play("11 buy 1@101 #2 ioc").contains("MmpTriggered")
    };
    assert!(breached_after(1) && breached_after(16) && breached_after(17));
    assert!(!breached_after(18), "the first fill stands seventeen slices back");
}

/// Rules 9.13 and 9.14: a freeze ends by itself at its time, and the window starts empty.
#[test]
fn a_freeze_ends_at_its_time() {
    let mut desk = Desk::open(FUNDS);
    desk.play("20 mmp #1 count=1 frozen=1\n20 quote #2 mmp=1 1:9@99/9@101");
    let told = desk.play("11 buy 1@101 #1 ioc");
    let until = desk.ts_ns + 1_000_000;
    assert!(told.contains(&format!("until {until}")), "{told}");
    desk.ts_ns = until - 2_000;
    assert!(desk.play("20 quote #3 mmp=1 1:9@99/9@101").contains("MmpFrozen"));
    assert!(desk.play("20 quote #4 mmp=1 1:9@99/9@101").contains("set/set"));
}

#[test]
fn refusals_leave_the_groups_as_they_were() {
    let mut desk = Desk::open(FUNDS);
    desk.play("20 mmp #1 count=2 frozen=9\n20 quote #2 mmp=1 1:9@99/9@101\n11 buy 1@101 #1 ioc");
    let groups = |desk: &Desk| desk.engine.snapshot().len();
    let before = (groups(&desk), desk.engine.open_orders().collect::<Vec<_>>());
    desk.play("20 mmp #2 window=0\n20 mmp #2 group=9 reset=1\n10 mmp #2 account=5");
    assert_eq!(before, (groups(&desk), desk.engine.open_orders().collect::<Vec<_>>()));
    assert!(desk.play("11 buy 1@101 #2 ioc").contains("MmpTriggered"), "the window was not emptied");
}

/// Rule 9.15, and the largest breach there is.
#[test]
fn a_group_has_a_thousand_members() {
    let mut terms = venue_open([1, 2]);
    terms.orders_max = 1_100.into();
    terms.orders_per_account_max = 1_100.into();
    (terms.special_orders_max, terms.special_orders_per_account_max) = (1_100.into(), 1_100.into());
    let mut desk = Desk::open_with(terms, FUNDS);
    desk.play("20 mmp #1 count=1");
    for id in 1..=999 {
        desk.play(&format!("20 buy 1@99 #{id} mmp=1"));
    }
    assert!(desk.play("20 quote #1 mmp=1 1:1@98/1@101").contains("set/OpenOrderLimit"));
    let refused = desk.play("20 buy 1@99 #1000 mmp=1");
    assert!(refused.contains("Rejected OpenOrderLimit field 15 detail 1000"), "{refused}");
    let breach = desk.play("10 sell 1@99 #1");
    assert!(breach.contains("MmpTriggered group 1 reason 4 canceled 999 until reset"), "{breach}");
    assert_eq!(desk.engine.open_orders().count(), 0);
}

#[test]
fn groups_restore_and_go_on_alike() {
    let mut desk = Desk::open(FUNDS);
    desk.play(
        "20 mmp #1 count=3 qty=9\n10 mmp #1 group=2 delta=5 frozen=7\n20 quote #2 mmp=1 1:9@99/9@101\n\
         10 buy 2@98 #3 mmp=2\n20 buy 1@97 #4 mmp=1\n11 buy 1@101 #1 ioc\n11 buy 1@101 #2 ioc",
    );
    let mut twin = Engine::restore(&desk.engine.snapshot()).expect("an engine reads its own snapshot");
    assert_eq!(twin.digest(), desk.engine.digest());
    for script in ["buy 1@101 #3 ioc", "buy 1@97 #5", "sell 1@97 #6"] {
        let (mut one, mut two) = (Bytes::default(), Bytes::default());
        let (origin, message) = desk.message(&format!("11 {script}"));
        desk.apply_to(origin, &message, &mut one);
        let command = Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message: &message };
        twin.apply(&command, &mut two);
        assert_eq!((one, desk.engine.digest()), (two, twin.digest()));
    }
}

/// Rule 9.10: groups stay for ever, so nobody may take those of all others.
#[test]
fn an_account_has_so_many_groups() {
    let mut terms = venue_open([1, 2]);
    terms.mmp_groups_max = 100.into();
    let mut desk = Desk::open_with(terms, FUNDS);
    for group in 1..=32 {
        assert!(desk.play(&format!("10 mmp #1 group={group}")).contains("Done"), "{group}");
    }
    let full = desk.engine.snapshot();
    for (line, code) in [
        ("10 mmp #1 group=33", "Capacity"),
        ("11 mmp #1 group=65535", "Capacity"),
        ("10 mmp #1 group=32 qty=7", "Done"),
        ("20 mmp #1 group=33", "Done"),
    ] {
        let said = desk.play(line);
        assert!(said.contains(code), "{said}");
    }
    assert!(Engine::restore(&full).is_ok());
}
