//! Mass cancels and the block as conversations, in the manner of `scenarios`. Scopes: 1 session, 2 account, 3 instrument, 4
//! underlying. Three steps are the most that a command of this venue makes.

mod desk;

use desk::check;

/// Rule 5.22.
#[test]
fn scopes_and_sides_say_what_is_meant() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        11 buy 1@91 #2
        > 11:1 Accepted 2.1 #2 buy 1@91 ref 1
        10 sell 1@110 #3 instrument=2
        > 10:2 Accepted 3.2 #3 sell 1@110 ref 2
        20 buy 1@90 #1
        > 20:1 Accepted 4.3 #1 buy 1@90 ref 1
        10 mass 50 scope=1 side=1
        > 10:3 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 3
        > 10:4 MassCancelAck Done #50 canceled 1 ref 3
        10 buy 1@90 #1
        > 10:5 Accepted 5.0 #1 buy 1@90 ref 4
        10 mass 51 scope=3 instrument=1 side=2
        > 10:6 MassCancelAck Done #51 canceled 0 ref 5
        10 mass 52 scope=3 instrument=2
        > 10:7 Canceled 3.2 #3 orig #3 sell leaves 1 cum 0 reason 2 ref 6
        > 10:8 MassCancelAck Done #52 canceled 1 ref 6
        10 sell 1@110 #3 instrument=2
        > 10:9 Accepted 6.2 #3 sell 1@110 ref 7
        12 mass 53 scope=1
        > 12:1 MassCancelAck Done #53 canceled 0 ref 1
        12 mass 54 scope=2
        > 11:2 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 0
        > 10:10 Canceled 5.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 0
        > 10:11 Canceled 6.2 #3 orig #3 sell leaves 1 cum 0 reason 2 ref 0
        > 12:2 MassCancelAck Done #54 canceled 3 ref 2
        12 mass 55
        > 12:3 MassCancelAck Done #55 canceled 0 ref 3
        ",
    );
}

/// Nothing need be listed under it.
#[test]
fn an_underlying_is_a_scope() {
    check(
        "
        60 instrument id=3 underlying=7
        > 60:1 Confirmed Done template 321 field 0 ref 1
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@90 #2 instrument=3
        > 10:2 Accepted 2.1 #2 buy 1@90 ref 2
        10 mass 9 scope=4 underlying=7
        > 10:3 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 3
        > 10:4 MassCancelAck Done #9 canceled 1 ref 3
        10 mass 10 scope=4
        > 10:5 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 4
        > 10:6 MassCancelAck Done #10 canceled 1 ref 4
        10 mass 11 scope=4 underlying=99
        > 10:7 MassCancelAck Done #11 canceled 0 ref 5
        ",
    );
}

/// Rules 5.6 and 5.22: the ack repeats the numbers of the command that asked.
#[test]
fn a_mass_cancel_goes_on_in_a_continuation() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        11 buy 1@91 #2
        > 11:1 Accepted 2.1 #2 buy 1@91 ref 1
        10 sell 1@110 #3
        > 10:2 Accepted 3.2 #3 sell 1@110 ref 2
        10 buy 1@93 #4
        > 10:3 Accepted 4.3 #4 buy 1@93 ref 3
        11 buy 1@94 #5
        > 11:2 Accepted 5.4 #5 buy 1@94 ref 2
        10 buy 1@95 #6
        > 10:4 Accepted 6.5 #6 buy 1@95 ref 4
        10 mass 50 side=1
        > 10:5 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 5
        > 11:3 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 0
        0 continue serial=1
        0 continue
        > 10:6 Canceled 4.3 #4 orig #4 buy leaves 1 cum 0 reason 2 ref 0
        > 11:4 Canceled 5.4 #5 orig #5 buy leaves 1 cum 0 reason 2 ref 0
        > 10:7 Canceled 6.5 #6 orig #6 buy leaves 1 cum 0 reason 2 ref 0
        > 10:8 MassCancelAck Done #50 canceled 5 ref 5
        20 sell 1@94 #1
        > 20:1 Accepted 7.0 #1 sell 1@94 ref 1
        10 mass 51 seq=20
        > 10:0 NotApplied from 6 count 14
        > 10:9 Canceled 3.2 #3 orig #3 sell leaves 1 cum 0 reason 2 ref 20
        > 10:10 MassCancelAck Done #51 canceled 1 ref 20
        ",
    );
}

/// Rule 5.23: what is passed over is a step like what is canceled.
#[test]
fn a_mass_cancel_that_names_little_goes_on_in_a_continuation() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 2.1 #2 buy 1@91 ref 2
        10 buy 1@92 #3
        > 10:3 Accepted 3.2 #3 buy 1@92 ref 3
        10 sell 1@110 #4
        > 10:4 Accepted 4.3 #4 sell 1@110 ref 4
        10 mass 9 side=2
        0 continue
        > 10:5 Canceled 4.3 #4 orig #4 sell leaves 1 cum 0 reason 2 ref 0
        > 10:6 MassCancelAck Done #9 canceled 1 ref 5
        ",
    );
}

/// Rule 5.23: by session, by side, by instrument, by group; and counts that do not tell enough.
#[test]
fn a_mass_cancel_that_can_name_nothing_looks_at_nothing() {
    check(
        "
        10 mmp 1 group=7 qty=50 window=1000
        > 10:1 RequestComplete Done #1 count 0 ref 1
        10 buy 1@90 #1
        > 10:2 Accepted 1.0 #1 buy 1@90 ref 2
        10 buy 1@91 #2
        > 10:3 Accepted 2.1 #2 buy 1@91 ref 3
        10 buy 1@92 #3
        > 10:4 Accepted 3.2 #3 buy 1@92 ref 4
        10 buy 1@93 #4
        > 10:5 Accepted 4.3 #4 buy 1@93 ref 5
        11 mass 9 scope=1
        > 11:1 MassCancelAck Done #9 canceled 0 ref 1
        11 mass 10 side=2
        > 11:2 MassCancelAck Done #10 canceled 0 ref 2
        11 mass 11 scope=3 instrument=2
        > 11:3 MassCancelAck Done #11 canceled 0 ref 3
        11 mass 12 scope=4 underlying=99
        > 11:4 MassCancelAck Done #12 canceled 0 ref 4
        10 mass 13 scope=6 mmp=7
        > 10:6 MassCancelAck Done #13 canceled 0 ref 6
        11 sell 1@110 #5 instrument=2
        > 11:5 Accepted 5.4 #5 sell 1@110 ref 5
        11 mass 14 scope=1 side=1
        0 continue
        > 11:6 MassCancelAck Done #14 canceled 0 ref 6
        ",
    );
}

/// Rule 9.4: a quote that is renewed counts for the session of the new message.
#[test]
fn a_renewed_quote_is_of_the_session_that_renewed_it() {
    check(
        "
        10 quote #1 1:5@99/0
        > 10:1 QuoteAck Done #1 group 0 ref 1 | 1 set/none
        11 quote #2 1:5@99/0
        > 11:1 QuoteAck Done #2 group 0 ref 1 | 1 set/none
        10 mass 9 scope=1
        > 10:2 MassCancelAck Done #9 canceled 0 ref 2
        11 mass 10 scope=1
        > 11:2 Canceled 1.0 #2 orig #2 buy leaves 5 cum 0 reason 2 ref 2
        > 11:3 MassCancelAck Done #10 canceled 1 ref 2
        ",
    );
}

#[test]
fn as_many_as_the_cap_need_no_continuation() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 2.1 #2 buy 1@91 ref 2
        10 buy 1@92 #3
        > 10:3 Accepted 3.2 #3 buy 1@92 ref 3
        11 mass 50
        > 10:4 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 0
        > 10:5 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 0
        > 10:6 Canceled 3.2 #3 orig #3 buy leaves 1 cum 0 reason 2 ref 0
        > 11:1 MassCancelAck Done #50 canceled 3 ref 1
        ",
    );
}

/// Rule 5.21: what rests still trades.
#[test]
fn a_block_stops_orders_and_amends() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        12 mass 9 block=1 side=2
        > 12:1 MassCancelAck Done #9 canceled 0 ref 1
        11 buy 1@90 #2
        > 11:1 Rejected AccountBlocked field 0 detail 0 #2 order 0.0
        11 amend 1@- #5 orig=1
        > 11:2 Rejected AccountBlocked field 0 detail 0 #5 order 0.0
        20 sell 1@90 #1
        > 20:1 Accepted 2.1 #1 sell 1@90 ref 1
        > 20:2 taker 2.1 #1 sell 1@90 leaves 0 cum 1 fee 45000 position -1 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 1@90 leaves 0 cum 1 fee 9000 position 1 match 1 ref 0
        20 buy 1@90 #2
        > 20:3 Accepted 3.0 #2 buy 1@90 ref 2
        10 sell 1@95 #3
        > 10:3 Rejected AccountBlocked field 0 detail 0 #3 order 0.0
        11 mass 10 block=2
        > 11:3 MassCancelAck Done #10 canceled 0 ref 3
        10 sell 1@95 #3
        > 10:4 Accepted 4.1 #3 sell 1@95 ref 3
        10 mass 11 block=1
        > 10:5 Canceled 4.1 #3 orig #3 sell leaves 1 cum 0 reason 2 ref 4
        > 10:6 MassCancelAck Done #11 canceled 1 ref 4
        10 mass 12
        > 10:7 MassCancelAck Done #12 canceled 0 ref 5
        10 sell 1@95 #4
        > 10:8 Rejected AccountBlocked field 0 detail 0 #4 order 0.0
        ",
    );
}

/// Rule 5.20: each line has everything that the lines after it have wrong. A refusal blocks nothing.
#[test]
fn refusals_of_mass_cancels_come_in_order() {
    check(
        "
        13 mass 9 account=99 scope=9 side=9 block=9
        > 13:1 MassCancelAck Permission #9 canceled 0 ref 1
        40 mass 9 account=99 scope=9 side=9 block=9
        > 40:1 MassCancelAck Permission #9 canceled 0 ref 1
        10 mass 9 account=19 scope=9 side=9 block=9
        > 10:1 MassCancelAck UnknownAccount #9 canceled 0 ref 1
        10 mass 9 account=5 scope=9 side=9 block=9
        > 10:2 MassCancelAck NotYourAccount #9 canceled 0 ref 2
        10 mass 9 scope=7 side=9 block=9
        > 10:3 MassCancelAck InvalidCombination #9 canceled 0 ref 3
        10 mass 9 scope=0 side=1
        > 10:4 MassCancelAck InvalidCombination #9 canceled 0 ref 4
        10 mass 9 scope=3 side=4 block=9 instrument=9
        > 10:5 MassCancelAck InvalidSide #9 canceled 0 ref 5
        10 mass 9 scope=3 side=0 block=9 instrument=9
        > 10:6 MassCancelAck InvalidSide #9 canceled 0 ref 6
        10 mass 9 scope=3 block=3 instrument=9
        > 10:7 MassCancelAck InvalidCombination #9 canceled 0 ref 7
        10 mass 9 scope=3 block=1 instrument=9
        > 10:8 MassCancelAck UnknownInstrument #9 canceled 0 ref 8
        10 buy 1@90 #1
        > 10:9 Accepted 1.0 #1 buy 1@90 ref 9
        0 mass 9
        0 amend 5@- #1 orig=1
        0 state 4
        > 0:0 Confirmed Done template 324 field 0 ref 1
        ",
    );
}

/// Rule 12.3: perpetuals are kind 1, futures 2; the underlying narrows it unless it is 0.
#[test]
fn a_product_is_a_scope() {
    check(
        "
        60 instrument id=3 underlying=7
        > 60:1 Confirmed Done template 321 field 0 ref 1
        60 instrument id=4 underlying=7 kind=2
        > 60:2 Confirmed Done template 321 field 0 ref 2
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@90 #2 instrument=3
        > 10:2 Accepted 2.1 #2 buy 1@90 ref 2
        10 buy 1@90 #3 instrument=4
        > 10:3 Accepted 3.2 #3 buy 1@90 ref 3
        10 mass 9 scope=5 kind=1 underlying=7
        > 10:4 Canceled 2.1 #2 orig #2 buy leaves 1 cum 0 reason 2 ref 4
        > 10:5 MassCancelAck Done #9 canceled 1 ref 4
        10 mass 10 scope=5 kind=9
        > 10:6 MassCancelAck Done #10 canceled 0 ref 5
        10 mass 11 scope=5 kind=2 side=2
        > 10:7 MassCancelAck Done #11 canceled 0 ref 6
        10 mass 12 scope=5 kind=2
        > 10:8 Canceled 3.2 #3 orig #3 buy leaves 1 cum 0 reason 2 ref 7
        > 10:9 MassCancelAck Done #12 canceled 1 ref 7
        10 mass 13 scope=5 kind=1
        > 10:10 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 2 ref 8
        > 10:11 MassCancelAck Done #13 canceled 1 ref 8
        10 mass 14 scope=7 kind=1
        > 10:12 MassCancelAck InvalidCombination #14 canceled 0 ref 9
        ",
    );
}

/// Rule 12.3, after the side and the block.
#[test]
fn a_group_that_is_not_configured_is_no_scope() {
    check(
        "
        10 mass 9 scope=6 mmp=3 side=9
        > 10:1 MassCancelAck InvalidSide #9 canceled 0 ref 1
        10 mass 9 scope=6 mmp=3 block=1
        > 10:2 MassCancelAck MmpNotConfigured #9 canceled 0 ref 2
        10 buy 1@90 #1
        > 10:3 Accepted 1.0 #1 buy 1@90 ref 3
        ",
    );
}

/// Rule 12.3: quotes and orders of the group, and no others.
#[test]
fn a_group_is_a_scope() {
    check(
        "
        20 mmp #1 group=7 qty=50
        > 20:1 RequestComplete Done #1 count 0 ref 1
        20 quote #2 mmp=7 1:4@99/0
        > 20:2 QuoteAck Done #2 group 7 ref 2 | 1 set/none
        20 buy 3@98 #3 mmp=7
        > 20:3 Accepted 2.1 #3 buy 3@98 ref 3
        20 buy 3@97 #4
        > 20:4 Accepted 3.2 #4 buy 3@97 ref 4
        20 mass 9 scope=6 mmp=8
        > 20:5 MassCancelAck MmpNotConfigured #9 canceled 0 ref 5
        20 mass 9 scope=6 mmp=7
        > 20:6 Canceled 1.0 #2 orig #2 buy leaves 4 cum 0 reason 2 ref 6
        > 20:7 Canceled 2.1 #3 orig #3 buy leaves 3 cum 0 reason 2 ref 6
        > 20:8 MassCancelAck Done #9 canceled 2 ref 6
        20 orders 10
        > 20:0 Accepted 3.2 #4 buy 3@97 ref 7
        > 20:0 RequestComplete Done #10 count 1 ref 7
        ",
    );
}
