//! Who is heard, and what the privileged commands answer: sections 1 to 3 as conversations, in the manner of `scenarios`.

mod desk;

use desk::{Desk, check, check_on, venue_open};

#[test]
fn a_closed_venue_hears_only_its_opening() {
    check_on(
        &mut Desk::closed(),
        "
        0 account id=4
        10 logon
        10 open
        0 unknown
        0 open matches=4097
        > 0:0 Confirmed InvalidParameter template 320 field 11 ref 1
        0 account id=4
        0 open
        > 0:0 Confirmed Done template 320 field 0 ref 1
        0 open
        > 0:0 Confirmed AlreadyExists template 320 field 0 ref 1
        ",
    );
}

#[test]
fn the_venue_itself_neither_trades_nor_logs_on() {
    check(
        "0 buy 1@100 #1\n0 amend 1@100 #1 orig=1\n0 cancel 1 orig=1\n0 mass 1\n0 logon\n0 refused code=1\n0 unknown\n0 deposit cut=8\n0 continue serial=1",
    );
}

#[test]
fn numbers_are_used_once_and_holes_are_named() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@90 #2 seq=1
        > 10:0 SessionReject DuplicateSeq ref 1 template 100 field 0
        10 buy 1@90 #2 seq=1 flags=1
        10 buy 1@90 #2 seq=5
        > 10:0 NotApplied from 2 count 3
        > 10:2 Accepted 2.1 #2 buy 1@90 ref 5
        10 buy 0@90 #3
        > 10:3 Rejected QtyNotPositive field 3 detail 0 #3 order 0.0
        10 buy 1@90 #3 seq=4294967303
        > 10:0 SessionReject SeqOutOfRange ref 4294967303 template 100 field 0
        10 buy 1@90 #3 seq=9223372036854775808
        > 10:0 SessionReject SeqOutOfRange ref 9223372036854775808 template 100 field 0
        10 refused code=5 template=100 field=3
        > 10:0 SessionReject BadBlockLength ref 7 template 100 field 3
        10 unknown
        > 10:0 SessionReject UnknownTemplate ref 8 template 999 field 0
        10 buy 1@90 #3 cut=8
        > 10:0 SessionReject BadBlockLength ref 9 template 100 field 0
        10 continue serial=1
        > 10:0 SessionReject UnknownTemplate ref 10 template 331 field 0
        10 buy 1@90 #3
        > 10:4 Accepted 3.2 #3 buy 1@90 ref 11
        20 buy 1@90 #3 seq=4294967296
        > 20:0 NotApplied from 1 count 4294967295
        > 20:1 Accepted 4.3 #3 buy 1@90 ref 4294967296
        ",
    );
}

#[test]
fn a_newer_logon_displaces_the_older() {
    check(
        "
        99 buy 1@90 #1
        99 logon
        > 99:0 LogonReject UnknownSession 'session is unknown'
        10 logon server=0
        > 10:0 LogonReject SeqOutOfRange 'sequence number is out of range'
        10 logon server=2 conn=77
        > 10:0 LogonReject SeqRegressed 'the client knows more messages t'
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 logon server=2 conn=77 keep=99
        > 10:0 LogonAck client 2 server 2 oldest 1 epoch 9 keep 100 open 6
        10 buy 1@90 #2
        10 unknown seq=1
        10 buy 1@90 #2 conn=77
        > 10:2 Accepted 2.1 #2 buy 1@90 ref 2
        10 logon server=1 keep=60001
        > 10:0 LogonAck client 3 server 3 oldest 1 epoch 9 keep 60000 open 6
        10 buy 1@90 #3 conn=77
        60 session id=70 account=4
        > 60:1 Confirmed Done template 323 field 0 ref 1
        70 buy 1@90 #4 conn=0
        ",
    );
}

#[test]
fn privileges_belong_to_roles() {
    check(
        "
        10 deposit amount=1
        > 10:1 Confirmed Permission template 310 field 0 ref 1
        60 mark ticks=1
        > 60:1 Confirmed Permission template 300 field 0 ref 1
        40 account id=6
        > 40:1 Confirmed Permission template 322 field 0 ref 1
        50 open
        > 50:1 Confirmed Permission template 320 field 0 ref 1
        60 open
        > 60:2 Confirmed AlreadyExists template 320 field 0 ref 2
        50 deposit amount=1
        > 50:2 Confirmed Done template 310 field 0 ref 2
        40 mark ticks=101
        > 40:2 Confirmed Done template 300 field 0 ref 2
        ",
    );
}

#[test]
fn refusals_of_accounts_sessions_marks_and_deposits_come_in_order() {
    check(
        "
        0 account id=0
        > 0:0 Confirmed InvalidParameter template 322 field 2 ref 1
        0 account id=21
        > 0:0 Confirmed Capacity template 322 field 2 ref 1
        0 account id=3
        > 0:0 Confirmed AlreadyExists template 322 field 2 ref 1
        0 session id=0 account=9 role=9
        > 0:0 Confirmed InvalidParameter template 323 field 1 ref 1
        0 session id=10 account=9 role=9
        > 0:0 Confirmed AlreadyExists template 323 field 1 ref 1
        0 session id=80 account=9 role=9
        > 0:0 Confirmed InvalidParameter template 323 field 3 ref 1
        0 session id=80 account=9 role=2
        > 0:0 Confirmed UnknownAccount template 323 field 2 ref 1
        0 session id=80 account=4 role=5
        > 0:0 Confirmed InvalidParameter template 323 field 2 ref 1
        0 session id=80 role=5
        > 0:0 Confirmed Done template 323 field 0 ref 1
        0 session id=81 role=5
        > 0:0 Confirmed Done template 323 field 0 ref 1
        0 session id=82 role=5
        > 0:0 Confirmed Done template 323 field 0 ref 1
        0 session id=83 role=5
        > 0:0 Confirmed Done template 323 field 0 ref 1
        0 session id=84 role=5
        > 0:0 Confirmed Capacity template 323 field 1 ref 1
        0 mark instrument=3 price=0
        > 0:0 Confirmed UnknownInstrument template 300 field 2 ref 1
        0 mark price=0
        > 0:0 Confirmed InvalidParameter template 300 field 1 ref 1
        0 mark price=500000001
        > 0:0 Confirmed PriceNotOnTick template 300 field 1 ref 1
        0 deposit account=9
        > 0:0 Confirmed UnknownAccount template 310 field 3 ref 1
        0 deposit amount=0
        > 0:0 Confirmed InvalidParameter template 310 field 2 ref 1
        0 deposit amount=1000000000000000001
        > 0:0 Confirmed InvalidParameter template 310 field 2 ref 1
        ",
    );
}

#[test]
fn refusals_of_listings_come_in_order() {
    check(
        "
        0 instrument id=5 tick=0
        > 0:0 Confirmed InvalidParameter template 321 field 7 ref 1
        0 instrument id=1 tick=0
        > 0:0 Confirmed AlreadyExists template 321 field 7 ref 1
        0 instrument tick=0 lot=0 contract=0
        > 0:0 Confirmed InvalidParameter template 321 field 2 ref 1
        0 instrument lot=0 contract=0
        > 0:0 Confirmed InvalidParameter template 321 field 3 ref 1
        0 instrument contract=0
        > 0:0 Confirmed InvalidParameter template 321 field 4 ref 1
        0 instrument lot=1000 mark=0
        > 0:0 Confirmed InvalidParameter template 321 field 2 ref 1
        0 instrument mark=0 qty_max=0
        > 0:0 Confirmed InvalidParameter template 321 field 5 ref 1
        0 instrument mark=1 qty_max=0
        > 0:0 Confirmed PriceNotOnTick template 321 field 5 ref 1
        0 instrument qty_max=2147483648 margin=0
        > 0:0 Confirmed InvalidParameter template 321 field 6 ref 1
        0 instrument margin=1000001 maker=100001
        > 0:0 Confirmed InvalidParameter template 321 field 9 ref 1
        0 instrument maker=100001 taker=100001
        > 0:0 Confirmed InvalidParameter template 321 field 10 ref 1
        0 instrument taker=100001 kind=3
        > 0:0 Confirmed InvalidParameter template 321 field 11 ref 1
        0 instrument kind=3 band=1000001
        > 0:0 Confirmed InvalidParameter template 321 field 12 ref 1
        0 instrument band=1000001
        > 0:0 Confirmed InvalidParameter template 321 field 15 ref 1
        0 instrument
        > 0:0 Confirmed Done template 321 field 0 ref 1
        ",
    );
}

#[test]
fn a_drop_copy_counts_what_the_sessions_of_its_account_are_told() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 0@90 #2
        > 10:2 Rejected QtyNotPositive field 3 detail 0 #2 order 0.0
        20 buy 1@90 #1
        > 20:1 Accepted 2.1 #1 buy 1@90 ref 1
        13 buy 1@90 #3
        > 13:3 Rejected Permission field 0 detail 0 #3 order 0.0
        12 cancel 1 orig=1
        > 12:1 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 1 ref 1
        > 10:3 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 1 ref 0
        13 logon server=7
        > 13:0 LogonReject SeqRegressed 'the client knows more messages t'
        13 logon server=6
        > 13:0 LogonAck client 2 server 6 oldest 1 epoch 9 keep 100 open 6
        10 buy 1@90 #5
        > 10:4 Accepted 3.0 #5 buy 1@90 ref 3
        0 session id=80 account=4 role=2
        > 0:0 Confirmed Done template 323 field 0 ref 1
        80 logon
        > 80:0 LogonAck client 1 server 1 oldest 1 epoch 9 keep 100 open 6
        13 cancel 1 orig=5
        > 13:7 Rejected Permission field 0 detail 0 #1 order 0.0
        10 cancel 1 orig=5
        > 10:5 Canceled 3.0 #1 orig #5 buy leaves 1 cum 0 reason 1 ref 4
        80 logon
        > 80:0 LogonAck client 1 server 2 oldest 1 epoch 9 keep 100 open 6
        13 logon server=9
        > 13:0 LogonAck client 3 server 9 oldest 1 epoch 9 keep 100 open 6
        ",
    );
}

#[test]
#[should_panic(expected = "rule 1.1")]
fn a_gap_in_the_sequence_stops_the_engine() {
    let mut desk = Desk::closed();
    desk.seq = 1;
    desk.venue(venue_open([0, 0]));
}

#[test]
#[should_panic(expected = "time never decreases")]
fn time_that_decreases_stops_the_engine() {
    let mut desk = Desk::closed();
    desk.ts_ns = 9_000;
    desk.venue(venue_open([0, 0]));
    desk.ts_ns = 0;
    desk.venue(venue_open([0, 0]));
}
