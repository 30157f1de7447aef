//! Mass quotes as conversations, in the manner of `scenarios`: rules 9.1 to 9.6. An entry is `instrument:bid/ask`, each
//! `quantity@ticks`, or 0 for none.

mod desk;

use desk::{Bytes, Desk, check, check_on, instrument, quotes_bytes, venue_open};
use engine::Engine;
use engine::Sequenced;
use engine::command::{MassQuote, QuoteEntry};
use engine::event::{EventSink, MassQuoteAck, QuoteAckEntry, status};
use engine::limits::{GROUP_EVENT_BYTES_MAX, QUOTE_ENTRIES_MAX};
use engine::message::{ROUTE_BYTES, group};

const FUNDS: i64 = 1_000_000_000_000_000;

/// Rules 9.2, 9.5 and 9.6.
#[test]
fn a_quote_is_set_moved_and_pulled() {
    check(
        "
        20 quote #7 1:5@99/6@101 2:0/3@105
        > 20:1 QuoteAck Done #7 group 0 ref 1 | 1 set/set | 2 none/set
        20 quote #8 1:5@98/6@102
        > 20:2 QuoteAck Done #8 group 0 ref 2 | 1 set/set
        20 quote #9 1:0/4@102 2:0/0
        > 20:3 QuoteAck Done #9 group 0 ref 3 | 1 none/set | 2 none/none
        10 buy 9@102 #1 ioc
        > 10:1 Accepted 6.0 #1 buy 9@102 ref 1
        > 10:2 taker 6.0 #1 buy 4@102 leaves 5 cum 4 fee 204000 position 4 match 1 ref 1
        > 20:4 maker 5.1 #9 sell 4@102 leaves 0 cum 4 fee 40800 position -4 match 1 ref 0
        > 10:3 Canceled 6.0 #1 orig #1 buy leaves 5 cum 4 reason 8 ref 1
        ",
    );
}

/// Rule 9.4.
#[test]
fn a_smaller_quote_keeps_its_place() {
    check(
        "
        20 quote #7 1:5@99/5@101
        > 20:1 QuoteAck Done #7 group 0 ref 1 | 1 set/set
        10 buy 5@99 #1
        > 10:1 Accepted 3.2 #1 buy 5@99 ref 1
        # Its bid keeps the place before the order, its ask is larger and loses nothing but its place.
        20 quote #8 1:3@99/6@101
        > 20:2 QuoteAck Done #8 group 0 ref 2 | 1 set/set
        11 sell 4@99 #2 ioc
        > 11:1 Accepted 5.3 #2 sell 4@99 ref 1
        > 11:2 taker 5.3 #2 sell 3@99 leaves 1 cum 3 fee 148500 position -3 match 1 ref 1
        > 20:3 maker 1.0 #8 buy 3@99 leaves 0 cum 3 fee 29700 position 3 match 1 ref 0
        > 11:3 taker 5.3 #2 sell 1@99 leaves 0 cum 4 fee 49500 position -3 match 2 ref 1
        > 10:2 maker 3.2 #1 buy 1@99 leaves 4 cum 1 fee 9900 position -3 match 2 ref 0
        # A filled quote has fewer leaves: as many as are left keep the place, one more does not.
        20 quote #9 1:1@99/6@101
        > 20:4 QuoteAck Done #9 group 0 ref 3 | 1 set/set
        10 sell 2@101 #3
        > 10:3 Accepted 7.3 #3 sell 2@101 ref 2
        20 quote #10 1:1@99/6@101
        > 20:5 QuoteAck Done #10 group 0 ref 4 | 1 set/set
        11 buy 3@101 #4 ioc
        > 11:4 Accepted 8.4 #4 buy 3@101 ref 2
        > 11:5 taker 8.4 #4 buy 3@101 leaves 0 cum 3 fee 151500 position 0 match 3 ref 2
        > 20:6 maker 4.1 #10 sell 3@101 leaves 3 cum 3 fee 30300 position 0 match 3 ref 0
        20 quote #11 1:1@99/3@101
        > 20:7 QuoteAck Done #11 group 0 ref 5 | 1 set/set
        20 quote #12 1:1@99/4@101
        > 20:8 QuoteAck Done #12 group 0 ref 6 | 1 set/set
        11 buy 3@101 #5 ioc
        > 11:6 Accepted 10.4 #5 buy 3@101 ref 3
        > 11:7 taker 10.4 #5 buy 2@101 leaves 1 cum 2 fee 101000 position 0 match 4 ref 3
        > 10:4 maker 7.3 #3 sell 2@101 leaves 0 cum 2 fee 20200 position 0 match 4 ref 0
        > 11:8 taker 10.4 #5 buy 1@101 leaves 0 cum 3 fee 50500 position 1 match 5 ref 3
        > 20:9 maker 9.1 #12 sell 1@101 leaves 3 cum 1 fee 10100 position -1 match 5 ref 0
        ",
    );
}

/// Rules 9.2 and 9.4: the account has one quote for each side, told to whoever named it last.
#[test]
fn a_quote_has_one_owner_and_the_session_of_its_last_message() {
    check(
        "
        10 quote #7 1:5@99/5@101
        > 10:1 QuoteAck Done #7 group 0 ref 1 | 1 set/set
        11 quote #8 1:5@99/6@101
        > 11:1 QuoteAck Done #8 group 0 ref 1 | 1 set/set
        20 sell 1@99 #1 ioc
        > 20:1 Accepted 4.2 #1 sell 1@99 ref 1
        > 20:2 taker 4.2 #1 sell 1@99 leaves 0 cum 1 fee 49500 position -1 match 1 ref 1
        > 11:2 maker 1.0 #8 buy 1@99 leaves 4 cum 1 fee 9900 position 1 match 1 ref 0
        10 cancel #2 serial=1
        > 10:2 Canceled 1.0 #2 orig #8 buy leaves 4 cum 1 reason 1 ref 2
        > 11:3 Canceled 1.0 #8 orig #8 buy leaves 4 cum 1 reason 1 ref 0
        20 buy 1@101 #2 ioc
        > 20:3 Accepted 5.0 #2 buy 1@101 ref 2
        > 20:4 taker 5.0 #2 buy 1@101 leaves 0 cum 1 fee 50500 position 0 match 2 ref 2
        > 11:4 maker 3.1 #8 sell 1@101 leaves 5 cum 1 fee 10100 position 0 match 2 ref 0
        10 quote #9 1:0/0
        > 10:3 QuoteAck Done #9 group 0 ref 3 | 1 none/none
        ",
    );
}

/// Rules 9.3, 9.5 and 4.13.
#[test]
fn a_quote_never_takes() {
    check(
        "
        10 buy 1@99 #1
        > 10:1 Accepted 1.0 #1 buy 1@99 ref 1
        10 sell 1@101 #2
        > 10:2 Accepted 2.1 #2 sell 1@101 ref 2
        20 quote #7 1:5@100/5@99
        > 20:1 QuoteAck Done #7 group 0 ref 1 | 1 InvalidCombination/InvalidCombination
        20 quote #7 1:5@101/5@102
        > 20:2 QuoteAck Done #7 group 0 ref 2 | 1 WouldCross/set
        20 quote #8 1:5@98/5@99
        > 20:3 QuoteAck Done #8 group 0 ref 3 | 1 set/WouldCross
        20 quote #9 1:5@101/5@102 slide
        > 20:4 QuoteAck Done #9 group 0 ref 4 | 1 set/set
        20 quote #10 1:5@98/5@99 slide
        > 20:5 QuoteAck Done #10 group 0 ref 5 | 1 set/set
        20 quote #11 1:0/5@99 post
        > 20:6 QuoteAck Done #11 group 0 ref 6 | 1 none/WouldCross
        ",
    );
}

/// Rule 9.5: canceled like any order, found by its id alone, amended never.
#[test]
fn a_quote_is_an_open_order() {
    check(
        "
        20 buy 1@90 #7
        > 20:1 Accepted 1.0 #7 buy 1@90 ref 1
        20 quote #7 1:5@99/5@101
        > 20:2 QuoteAck Done #7 group 0 ref 2 | 1 set/set
        20 cancel #1 orig=7 account=5
        > 20:3 Canceled 1.0 #1 orig #7 buy leaves 1 cum 0 reason 1 ref 3
        20 cancel #2 orig=7 account=5
        > 20:4 Rejected UnknownOrder field 2 detail 0 #2 order 0.0
        20 amend 4@99 #3 serial=2 slot=1 account=5
        > 20:5 Rejected InvalidCombination field 3 detail 0 #3 order 2.1
        20 cancel #4 serial=2 slot=1 account=5
        > 20:6 Canceled 2.1 #4 orig #7 buy leaves 5 cum 0 reason 1 ref 6
        20 cancel #5 serial=2 slot=1 account=5
        > 20:7 Rejected UnknownOrder field 3 detail 0 #5 order 2.1
        20 buy 1@90 #7
        > 20:8 Accepted 4.0 #7 buy 1@90 ref 8
        20 mass #6 side=2
        > 20:9 Canceled 3.2 #7 orig #7 sell leaves 5 cum 0 reason 2 ref 9
        > 20:10 MassCancelAck Done #6 canceled 1 ref 9
        20 quote #8 1:5@99/5@101
        > 20:11 QuoteAck Done #8 group 0 ref 10 | 1 set/set
        20 sell 5@98 #9 stp=3 ioc
        > 20:12 Accepted 7.3 #9 sell 5@98 ref 11
        > 20:13 Canceled 5.1 #8 orig #8 buy leaves 5 cum 0 reason 3 ref 11
        > 20:14 Canceled 7.3 #9 orig #9 sell leaves 5 cum 0 reason 8 ref 11
        20 quote #10 1:5@99/5@101
        > 20:15 QuoteAck Done #10 group 0 ref 12 | 1 set/set
        ",
    );
}

/// Rules 5.2 and 5.8.
#[test]
fn a_taker_meets_quotes_as_orders() {
    check(
        "
        20 quote #7 1:0/1@101 2:1@99/1@101
        > 20:1 QuoteAck Done #7 group 0 ref 1 | 1 none/set | 2 set/set
        10 sell 1@101 #1
        > 10:1 Accepted 4.3 #1 sell 1@101 ref 1
        20 buy 1@102 #4 stp=4
        > 20:2 Accepted 5.4 #4 buy 1@102 ref 2
        > 20:3 Canceled 1.0 #7 orig #7 sell leaves 1 cum 0 reason 3 ref 2
        > 20:4 Canceled 5.4 #4 orig #4 buy leaves 1 cum 0 reason 3 ref 2
        20 buy 1@102 #5 stp=3
        > 20:5 Accepted 6.0 #5 buy 1@102 ref 3
        > 20:6 taker 6.0 #5 buy 1@101 leaves 0 cum 1 fee 50500 position 1 match 1 ref 3
        > 10:2 maker 4.3 #1 sell 1@101 leaves 0 cum 1 fee 10100 position -1 match 1 ref 0
        ",
    );
}

/// Rule 9.1.
#[test]
fn refusals_of_a_message_come_in_order() {
    check(
        "
        12 quote #0 account=9 stp=6 order_flags=3 mmp=1
        > 12:1 QuoteAck Permission #0 group 1 ref 1
        10 quote #0 account=9 stp=6 order_flags=3 mmp=1
        > 10:1 QuoteAck UnknownAccount #0 group 1 ref 1
        10 quote #0 account=5 stp=6 order_flags=3 mmp=1
        > 10:2 QuoteAck NotYourAccount #0 group 1 ref 2
        10 quote #0 stp=6 order_flags=3 mmp=1
        > 10:3 QuoteAck TooManyQuotes #0 group 1 ref 3
        10 quote #0 stp=6 order_flags=3 mmp=1 1:1@99/0
        > 10:4 QuoteAck InvalidCombination #0 group 1 ref 4
        10 quote #0 stp=1 order_flags=3 mmp=1 1:1@99/0
        > 10:5 QuoteAck InvalidCombination #0 group 1 ref 5
        10 quote #0 stp=1 order_flags=4 mmp=1 1:1@99/0
        > 10:6 QuoteAck InvalidCombination #0 group 1 ref 6
        10 quote #0 stp=1 order_flags=1 mmp=1 1:1@99/0
        > 10:7 QuoteAck InvalidCombination #0 group 1 ref 7
        10 quote #1 stp=1 order_flags=1 mmp=1 1:1@99/0 delay=1 sent=5
        > 10:8 QuoteAck MmpNotConfigured #1 group 1 ref 8
        10 mass #1 block=1
        > 10:9 MassCancelAck Done #1 canceled 0 ref 9
        10 quote #1 1:1@99/0 delay=1 sent=5
        > 10:10 QuoteAck StaleRequest #1 group 0 ref 10
        10 quote #1 1:1@99/0
        > 10:11 QuoteAck AccountBlocked #1 group 0 ref 11
        10 quote #1 1:0/0 delay=1 sent=5
        > 10:12 QuoteAck Done #1 group 0 ref 12 | 1 none/none
        10 mass #1 block=2
        > 10:13 MassCancelAck Done #1 canceled 0 ref 13
        10 quote #1 1:1@99/0
        > 10:14 QuoteAck Done #1 group 0 ref 14 | 1 set/none
        ",
    );
}

/// Rule 9.3.
#[test]
fn refusals_of_sides_come_in_order() {
    check(
        "
        10 quote #1 1:1@99/1@101 2:1@99/1@101
        > 10:1 QuoteAck Done #1 group 0 ref 1 | 1 set/set | 2 set/set
        20 buy 1@50 #90
        > 20:1 Accepted 5.4 #90 buy 1@50 ref 1
        10 quote #2 9:1@99/0 9:0/0 1:-1@-/0 1:1@99/1@101
        > 10:2 QuoteAck Done #2 group 0 ref 2 | 9 UnknownInstrument/UnknownInstrument | 9 UnknownInstrument/UnknownInstrument | 1 QtyNotPositive/none | 1 DuplicateQuoteEntry/DuplicateQuoteEntry
        10 quote #3 1:2000000000@-/1@- 2:1@0/1@-
        > 10:3 QuoteAck Done #3 group 0 ref 3 | 1 QtyTooLarge/PriceRequired | 2 PriceNotOnTick/PriceRequired
        10 quote #4 1:1@100/1@100 2:1@101/1@100
        > 10:4 QuoteAck Done #4 group 0 ref 4 | 1 InvalidCombination/InvalidCombination | 2 InvalidCombination/InvalidCombination
        10 quote #5 1:1@100/0@100 2:0@101/1@100
        > 10:5 QuoteAck Done #5 group 0 ref 5 | 1 set/none | 2 none/set
        60 state 6 id=1
        > 60:1 Confirmed Done template 324 field 0 ref 1
        60 state 5 id=2
        > 60:2 Confirmed Done template 324 field 0 ref 2
        10 quote #6 1:-1@-/1@100 2:1@99/0
        > 10:6 QuoteAck Done #6 group 0 ref 6 | 1 Halted/Halted | 2 CancelOnly/none
        20 sell 1@100 #91
        > 20:2 Rejected Halted field 0 detail 0 #91 order 0.0
        ",
    );
}

/// Rule 9.5: 4.12 and 4.15.
#[test]
fn a_side_meets_the_rules_of_entry() {
    check(
        "
        60 instrument id=3 band=30000
        > 60:1 Confirmed Done template 321 field 0 ref 1
        10 quote #1 3:1@104/0
        > 10:1 QuoteAck Done #1 group 0 ref 1 | 3 PriceAboveBand/none
        10 quote #2 3:0/1@96
        > 10:2 QuoteAck Done #2 group 0 ref 2 | 3 none/PriceBelowBand
        10 quote #3 3:1@97/1@103
        > 10:3 QuoteAck Done #3 group 0 ref 3 | 3 set/set
        10 quote #4 3:1@97/1@104
        > 10:4 QuoteAck Done #4 group 0 ref 4 | 3 set/set
        10 quote #5 1:1000000000@99/0 2:1000000000@99/0 3:1000000000@99/0
        > 10:5 QuoteAck Done #5 group 0 ref 5 | 1 MaxOrderValue/none | 2 MaxOrderValue/none | 3 MaxOrderValue/none
        ",
    );
}

/// Rule 4.17: what leaves makes room first.
#[test]
fn an_account_has_so_many_orders_quotes_among_them() {
    check(
        "
        10 quote #1 1:1@99/1@101 2:1@99/1@101
        > 10:1 QuoteAck Done #1 group 0 ref 1 | 1 set/set | 2 set/set
        10 buy 1@90 #2
        > 10:2 Accepted 5.4 #2 buy 1@90 ref 2
        60 instrument
        > 60:1 Confirmed Done template 321 field 0 ref 1
        10 quote #3 3:1@99/1@101
        > 10:3 QuoteAck Done #3 group 0 ref 3 | 3 set/OpenOrderLimit
        10 buy 1@90 #4
        > 10:4 Rejected OpenOrderLimit field 0 detail 6 #4 order 0.0
        10 quote #5 2:1@98/1@102 1:2@99/2@101
        > 10:5 QuoteAck Done #5 group 0 ref 5 | 2 set/set | 1 set/set
        10 quote #6 2:0/0 3:1@99/1@101
        > 10:6 QuoteAck Done #6 group 0 ref 6 | 2 none/none | 3 set/set
        ",
    );
}

/// Rule 4.18. A hundred covers ten lots at a mark of 100, fees not counted.
#[test]
fn a_quote_needs_margin() {
    check_on(
        &mut Desk::open(100_000_000),
        "
        10 quote #1 1:10@100/0
        > 10:1 QuoteAck Done #1 group 0 ref 1 | 1 InsufficientMargin/none
        10 quote #2 1:9@100/9@101
        > 10:2 QuoteAck Done #2 group 0 ref 2 | 1 set/set
        10 quote #3 1:9@100/9@101 2:1@100/0
        > 10:3 QuoteAck Done #3 group 0 ref 3 | 1 set/set | 2 InsufficientMargin/none
        10 quote #4 2:9@100/0 1:1@100/9@101
        > 10:4 QuoteAck Done #4 group 0 ref 4 | 2 InsufficientMargin/none | 1 set/set
        ",
    );
}

/// Rule 2.6: a cut message, then one without entries.
#[test]
fn a_message_has_one_shape() {
    check(
        "
        10 quote #7 1:5@99/5@101 cut=1
        > 10:0 SessionReject BadBlockLength ref 1 template 113 field 0
        10 quote #7 1:5@99/5@101 cut=40
        > 10:0 SessionReject BadBlockLength ref 2 template 113 field 0
        10 quote #7 1:5@99/5@101 cut=44
        > 10:0 SessionReject BadBlockLength ref 3 template 113 field 0
        10 quote #7
        > 10:1 QuoteAck TooManyQuotes #7 group 0 ref 4
        ",
    );
}

/// Rule 9.1: a refused message changes nothing but the session's number.
#[test]
fn a_refused_message_leaves_the_state() {
    let mut desk = Desk::open(FUNDS);
    desk.play("10 quote #1 1:5@99/5@101 2:5@99/5@101");
    let before: Vec<_> = desk.engine.open_orders().collect();
    desk.play("10 quote #2 stp=9 1:0/0 2:0/0\n10 quote #0 1:0/0\n10 quote #3 mmp=4 1:0/0\n13 quote #3 1:0/0");
    let after: Vec<_> = desk.engine.open_orders().collect();
    assert_eq!(before, after);
}

/// Rule 9.3: nothing that its owner meant to move stays, save where an entry names nothing.
#[test]
fn a_failed_side_loses_its_quote() {
    let mut desk = Desk::open(FUNDS);
    let open = |desk: &Desk| desk.engine.open_orders().count();
    desk.play("10 quote #1 1:5@99/5@101 2:5@99/5@101");
    desk.play("10 quote #2 9:1@99/1@101");
    assert_eq!(open(&desk), 4);
    desk.play("10 quote #3 1:-1@99/5@101");
    assert_eq!(open(&desk), 3);
    desk.play("60 state 6 id=2\n10 quote #4 2:1@99/1@101");
    assert_eq!(open(&desk), 1, "the instrument is halted, and its quotes are gone");
}

/// The answer to the last command, as a group.
#[derive(Default)]
struct Ack(Vec<u8>);

impl EventSink for Ack {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        assert_eq!(sub, 1, "rule 9.6: the answer is the only event");
        self.0 = payload[ROUTE_BYTES..].to_vec();
        assert!(payload.len() <= GROUP_EVENT_BYTES_MAX);
    }
}

impl Ack {
    fn entries(&self) -> &[QuoteAckEntry] {
        group::<MassQuoteAck, QuoteAckEntry>(&self.0).expect("a mass quote is answered").1
    }
}

/// A hundred instruments, and an account that quotes them all.
fn wide_desk() -> Desk {
    let mut terms = venue_open([1, 2]);
    terms.instruments_max = 100.into();
    terms.orders_max = 400.into();
    terms.levels_max = 400.into();
    terms.positions_max = 200.into();
    terms.orders_per_account_max = 300.into();
    let mut desk = Desk::open_with(terms, FUNDS);
    for id in 3..=100 {
        desk.venue(instrument(id, 100));
    }
    desk
}

fn all_pairs(quote_id: u64, bid: (i64, i64), ask: (i64, i64)) -> Vec<u8> {
    let head = MassQuote {
        quote_id: quote_id.into(),
        account_id: 5.into(),
        stp_group: 0.into(),
        max_delay_us: 0.into(),
        mmp_group: 0.into(),
        stp_mode: 1,
        pad_a: 0,
        flags: 0.into(),
        pad_b: 0.into(),
    };
    let entries: Vec<QuoteEntry> = (1..=QUOTE_ENTRIES_MAX as u32)
        .map(|instrument| QuoteEntry {
            instrument_id: instrument.into(),
            pad_a: 0.into(),
            bid_px: (bid.1 * desk::TICK_SIZE).into(),
            bid_qty: bid.0.into(),
            ask_px: (ask.1 * desk::TICK_SIZE).into(),
            ask_qty: ask.0.into(),
        })
        .collect();
    quotes_bytes(head, &entries)
}

#[test]
fn a_hundred_pairs_are_set_moved_kept_and_pulled_in_one_command_each() {
    let mut desk = wide_desk();
    let say = |desk: &mut Desk, quote_id, bid, ask, wanted| {
        let mut ack = Ack::default();
        desk.apply_to(desk.origin(20), &all_pairs(quote_id, bid, ask), &mut ack);
        assert_eq!(ack.entries().len(), QUOTE_ENTRIES_MAX);
        assert!(ack.entries().iter().all(|entry| (entry.bid_status, entry.ask_status) == (wanted, wanted)));
        let orders: Vec<_> = desk.engine.open_orders().collect();
        assert!(orders.iter().all(|order| order.cl_ord_id == quote_id));
        orders
    };
    let set = say(&mut desk, 1, (9, 99), (9, 101), status::NEW);
    assert_eq!(set.len(), 200);
    let moved = say(&mut desk, 2, (9, 98), (9, 102), status::NEW);
    assert_eq!(moved.len(), 200);
    assert!(moved.iter().all(|order| order.order_id >> 24 > 200), "they are new");
    let kept = say(&mut desk, 3, (8, 98), (9, 102), status::NEW);
    let ids = |orders: &[engine::OrderView]| orders.iter().map(|order| order.order_id).collect::<Vec<_>>();
    assert_eq!(ids(&moved), ids(&kept));
    assert!(kept.iter().all(|order| order.leaves.0 == if order.side as u8 == 1 { 8 } else { 9 }));
    assert!(say(&mut desk, 4, (0, 0), (0, 0), status::CANCELED).is_empty());
}

/// One entry more than a message may have.
#[test]
fn a_hundred_and_one_are_too_many() {
    let mut desk = wide_desk();
    let script: String = (1..=101).map(|id| format!(" {id}:1@99/0")).collect();
    let heard = desk.play(&format!("20 quote #1{script}"));
    assert!(heard.contains("QuoteAck TooManyQuotes #1"), "{heard}");
    assert_eq!(desk.engine.open_orders().count(), 0);
}

#[test]
fn quotes_restore_and_go_on_alike() {
    let mut desk = Desk::open(FUNDS);
    desk.play("10 quote #7 1:5@99/6@101 2:0/3@105\n20 sell 2@99 #1\n11 quote #8 2:4@99/2@105 stp=2 group=9");
    let bytes = desk.engine.snapshot();
    let mut twin = Engine::restore(&bytes).expect("an engine reads its own snapshot");
    assert_eq!(twin.digest(), desk.engine.digest());
    for entries in [all_pairs(9, (3, 99), (9, 101)), all_pairs(10, (0, 0), (0, 0))] {
        let (mut one, mut two) = (Bytes::default(), Bytes::default());
        let origin = desk.origin(20);
        desk.apply_to(origin, &entries, &mut one);
        let command = Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message: &entries };
        twin.apply(&command, &mut two);
        assert_eq!((one, desk.engine.digest()), (two, twin.digest()));
    }
}
