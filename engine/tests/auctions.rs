//! Trading states and auctions as conversations, in the manner of `scenarios`, and the auction price against a search over
//! all prices (section 10). Three steps are the most that a command of this venue makes.

mod desk;

use desk::flow::Random;
use desk::{Bytes, Desk, TICK_SIZE, bytes_of, check, check_on, describe, spoil, venue_open};
use engine::command::{Continue, InstrumentState, NewOrder};
use engine::event::{EventSink, OrderExecuted, liquidity};
use engine::message::{Header, NULL_I64, NULL_U64, Origin, ROUTE_BYTES, block};
use engine::units::{Lots, Side};
use engine::{Engine, Sequenced};
use zerocopy::FromBytes;

/// Rule 10.1.
#[test]
fn states_are_told_by_number() {
    check(
        "
        60 state 4 id=9
        > 60:1 Confirmed UnknownInstrument template 324 field 1 ref 1
        60 state 2
        > 60:2 Confirmed InvalidParameter template 324 field 2 ref 2
        60 state 9
        > 60:3 Confirmed InvalidParameter template 324 field 2 ref 3
        60 state 4 until=9000000000
        > 60:4 Confirmed InvalidParameter template 324 field 5 ref 4
        60 state 3 until=1
        > 60:5 Confirmed InvalidParameter template 324 field 5 ref 5
        60 state 3 until=9223372036854775808
        > 60:6 Confirmed InvalidParameter template 324 field 5 ref 6
        60 state 7
        > 60:7 Confirmed Done template 324 field 0 ref 7
        60 state 8 until=9000000000
        > 60:8 Confirmed InvalidParameter template 324 field 5 ref 8
        60 state 8
        > 60:9 Confirmed Done template 324 field 0 ref 9
        60 state 8
        > 60:10 Confirmed Done template 324 field 0 ref 10
        60 state 4
        > 60:11 Confirmed ExpiredInstrument template 324 field 2 ref 11
        60 state 4 until=9000000000
        > 60:12 Confirmed ExpiredInstrument template 324 field 2 ref 12
        10 state 4
        > 10:1 Confirmed Permission template 324 field 0 ref 1
        ",
    );
}

/// Rule 10.1: what is refused changes nothing.
#[test]
fn a_refused_state_leaves_the_old_one() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("60 state 3\n10 buy 1@90 #1\n60 state 8 id=2");
    for line in ["0 state 2", "0 state 9", "0 state 4 id=9", "0 state 3 until=1", "0 state 5 id=2"] {
        let before = without_head(&desk.engine);
        desk.play(line);
        assert_eq!(without_head(&desk.engine), before, "{line}");
    }
}

/// The canonical bytes behind the head, which counts the commands.
fn without_head(engine: &Engine) -> Vec<u8> {
    engine.snapshot()[32..].to_vec()
}

/// Rule 10.2.
#[test]
fn settlement_and_expiry_refuse_what_is_new() {
    check(
        "
        10 buy 2@90 #1
        > 10:1 Accepted 1.0 #1 buy 2@90 ref 1
        0 state 7
        > 0:0 Confirmed Done template 324 field 0 ref 1
        10 buy 1@90 #2
        > 10:2 Rejected Settling field 0 detail 0 #2 order 0.0
        10 amend 1@- #2 orig=1
        > 10:3 Rejected Settling field 0 detail 0 #2 order 0.0
        10 cancel #3 orig=1
        > 10:4 Canceled 1.0 #3 orig #1 buy leaves 2 cum 0 reason 1 ref 4
        0 state 8
        > 0:0 Confirmed Done template 324 field 0 ref 1
        10 buy 1@90 #2
        > 10:5 Rejected ExpiredInstrument field 0 detail 0 #2 order 0.0
        ",
    );
}

/// Rule 10.2: nothing meets, and what cannot wait is refused.
#[test]
fn orders_gather_in_an_auction() {
    check(
        "
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 3@101 #1
        > 10:1 Accepted 1.0 #1 buy 3@101 ref 1
        20 sell 1@99 #1
        > 20:1 Accepted 2.1 #1 sell 1@99 ref 1
        20 sell 1@market #2 ioc
        > 20:2 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 sell 1@limit #2
        > 20:3 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 sell 1@99 #2 ioc
        > 20:4 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 sell 1@99 #2 fok
        > 20:5 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 sell 1@120 #2 post
        > 20:6 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 sell 1@120 #2 slide
        > 20:7 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 amend 1@120 #2 orig=1 post account=5
        > 20:8 Rejected AuctionRule field 0 detail 0 #2 order 0.0
        20 amend 2@99 #2 orig=1 post account=5
        > 20:9 Modified 2.1 #2 orig #1 sell 2@99 leaves 2 status 1 priority lost ref 9
        20 amend 2@98 #3 orig=1 account=5
        > 20:10 Modified 2.1 #3 orig #1 sell 2@98 leaves 2 status 1 priority lost ref 10
        10 amend 2@- #2 orig=1 slide
        > 10:2 Modified 1.0 #2 orig #1 buy 2@101 leaves 2 status 1 priority kept ref 2
        10 cancel #2 orig=1
        > 10:3 Canceled 1.0 #2 orig #1 buy leaves 2 cum 0 reason 1 ref 3
        0 state 5
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        20 sell 1@120 #2
        > 20:11 Rejected CancelOnly field 0 detail 0 #2 order 0.0
        ",
    );
}

/// Rules 10.2 and 4.10: other instruments go on.
#[test]
fn an_auction_is_of_one_instrument() {
    check(
        "
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 1@100 #1 instrument=2
        > 10:1 Accepted 1.0 #1 buy 1@100 ref 1
        20 sell 1@100 #1 instrument=2
        > 20:1 Accepted 2.1 #1 sell 1@100 ref 1
        > 20:2 taker 2.1 #1 sell 1@100 leaves 0 cum 1 fee 50000 position -1 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 1@100 leaves 0 cum 1 fee 10000 position 1 match 1 ref 0
        ",
    );
}

/// Rule 10.4: best prices first, oldest first, all at one price and the maker's fee; rule 10.5 before that.
#[test]
fn an_opening_uncrosses_at_one_price() {
    check(
        "
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 4000@101 #1
        > 10:1 Accepted 1.0 #1 buy 4000@101 ref 1
        10 buy 1000@104 #2
        > 10:2 Accepted 2.1 #2 buy 1000@104 ref 2
        20 sell 3000@96 #1
        > 20:1 Accepted 3.2 #1 sell 3000@96 ref 1
        20 sell 1000@103 #2
        > 20:2 Accepted 4.3 #2 sell 1000@103 ref 2
        60 state 4
        > 60:1 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 3000@100 surplus 2000 buy end untold
        > 10:3 auction 2.1 #2 buy 1000@100 leaves 0 cum 1000 fee 10000000 position 1000 match 1 ref 0
        > 20:3 auction 3.2 #1 sell 1000@100 leaves 2000 cum 1000 fee 10000000 position -1000 match 1 ref 0
        > 10:4 auction 1.0 #1 buy 2000@100 leaves 2000 cum 2000 fee 20000000 position 3000 match 2 ref 0
        > 20:4 auction 3.2 #1 sell 2000@100 leaves 0 cum 3000 fee 20000000 position -3000 match 2 ref 0
        20 sell 1@101 #3
        > 20:5 Accepted 5.1 #3 sell 1@101 ref 3
        > 20:6 taker 5.1 #3 sell 1@101 leaves 0 cum 1 fee 50500 position -3001 match 3 ref 3
        > 10:5 maker 1.0 #1 buy 1@101 leaves 1999 cum 2001 fee 10100 position 3001 match 3 ref 0
        ",
    );
}

/// Rules 10.4 and 5.6: the price stays over continuations, whatever they are called by; self-trades are let through.
#[test]
fn an_uncrossing_goes_on_in_a_continuation() {
    check(
        "
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 4@102 #1 stp=4
        > 10:1 Accepted 1.0 #1 buy 4@102 ref 1
        10 sell 1@100 #2 stp=4
        > 10:2 Accepted 2.1 #2 sell 1@100 ref 2
        10 sell 1@100 #3 stp=4
        > 10:3 Accepted 3.2 #3 sell 1@100 ref 3
        10 sell 1@101 #4 stp=4
        > 10:4 Accepted 4.3 #4 sell 1@101 ref 4
        10 sell 3@102 #5 stp=4
        > 10:5 Accepted 5.4 #5 sell 3@102 ref 5
        0 state 4
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 4@102 surplus 2 sell end untold
        > 10:6 auction 1.0 #1 buy 1@102 leaves 3 cum 1 fee 10200 position 0 match 1 ref 0
        > 10:7 auction 2.1 #2 sell 1@102 leaves 0 cum 1 fee 10200 position 0 match 1 ref 0
        > 10:8 auction 1.0 #1 buy 1@102 leaves 2 cum 2 fee 10200 position 0 match 2 ref 0
        > 10:9 auction 3.2 #3 sell 1@102 leaves 0 cum 1 fee 10200 position 0 match 2 ref 0
        > 10:10 auction 1.0 #1 buy 1@102 leaves 1 cum 3 fee 10200 position 0 match 3 ref 0
        > 10:11 auction 4.3 #4 sell 1@102 leaves 0 cum 1 fee 10200 position 0 match 3 ref 0
        0 continue serial=1
        0 continue
        > 10:12 auction 1.0 #1 buy 1@102 leaves 0 cum 4 fee 10200 position 0 match 4 ref 0
        > 10:13 auction 5.4 #5 sell 1@102 leaves 2 cum 1 fee 10200 position 0 match 4 ref 0
        0 continue
        ",
    );
}

/// Rule 10.4: a book stays crossed in every state but Open, and an Open one does not become so.
#[test]
fn a_halt_keeps_the_book_crossed() {
    check(
        "
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        10 buy 1@101 #1
        > 10:1 Accepted 1.0 #1 buy 1@101 ref 1
        20 sell 1@99 #1
        > 20:1 Accepted 2.1 #1 sell 1@99 ref 1
        0 state 3
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 1@100 surplus 0 none end untold
        0 state 6
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 1@100 surplus 0 none end untold
        0 state 5
        > 0:0 Confirmed Done template 324 field 0 ref 1
        40 mark ticks=90
        > 40:1 Confirmed Done template 300 field 0 ref 1
        0 state 4
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 10:2 auction 1.0 #1 buy 1@99 leaves 0 cum 1 fee 9900 position 1 match 1 ref 0
        > 20:2 auction 2.1 #1 sell 1@99 leaves 0 cum 1 fee 9900 position -1 match 1 ref 0
        0 state 4
        > 0:0 Confirmed Done template 324 field 0 ref 1
        ",
    );
}

/// Rule 10.3.
#[test]
fn expiry_ends_every_order() {
    let mut desk = Desk::open(1_000_000_000_000);
    check_on(
        &mut desk,
        "
        20 sell 1@111 #1
        > 20:1 Accepted 1.0 #1 sell 1@111 ref 1
        10 buy 1@90 #1
        > 10:1 Accepted 2.1 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 3.2 #2 buy 1@91 ref 2
        20 sell 1@110 #2
        > 20:2 Accepted 4.3 #2 sell 1@110 ref 2
        11 buy 1@91 #3
        > 11:1 Accepted 5.4 #3 buy 1@91 ref 1
        10 buy 1@80 #4 instrument=2
        > 10:3 Accepted 6.5 #4 buy 1@80 ref 3
        60 state 8
        > 60:1 Confirmed Done template 324 field 0 ref 1
        > 10:4 Canceled 3.2 #2 orig #2 buy leaves 1 cum 0 reason 15 ref 0
        > 11:2 Canceled 5.4 #3 orig #3 buy leaves 1 cum 0 reason 15 ref 0
        > 10:5 Canceled 2.1 #1 orig #1 buy leaves 1 cum 0 reason 15 ref 0
        ",
    );
    assert_eq!(desk.engine.continuation(), Some(0));
    let mut twin = Engine::restore(&desk.engine.snapshot()).expect("an expiry under way restores");
    std::mem::swap(&mut twin, &mut desk.engine);
    check_on(
        &mut desk,
        "
        0 continue
        > 20:3 Canceled 4.3 #2 orig #2 sell leaves 1 cum 0 reason 15 ref 0
        > 20:4 Canceled 1.0 #1 orig #1 sell leaves 1 cum 0 reason 15 ref 0
        10 cancel #9 orig=4
        > 10:6 Canceled 6.5 #9 orig #4 buy leaves 1 cum 0 reason 1 ref 4
        ",
    );
}

/// Lots and price of one side's orders.
type Gathered = &'static [(i64, i64)];

/// Rule 10.4, one clause a line: bids, asks, mark, then what is told.
#[test]
fn the_auction_price_follows_its_clauses() {
    let told = |bids: Gathered, asks: Gathered, mark: i64| {
        let mut desk = Desk::open(1_000_000_000_000);
        desk.play(&format!("40 mark ticks={mark}\n0 state 3"));
        for (at, (qty, ticks)) in bids.iter().enumerate() {
            desk.play(&format!("10 buy {qty}@{ticks} #{}", at + 1));
        }
        for (at, (qty, ticks)) in asks.iter().enumerate() {
            desk.play(&format!("20 sell {qty}@{ticks} #{}", at + 1));
        }
        let lines = desk.play("0 state 6");
        let line = lines.lines().find(|line| line.contains("Indicative")).expect("an auction's end is told");
        line.trim_start_matches("> 0:0 Indicative 1 ").trim_end_matches(" end untold").to_string()
    };
    let cases: [(&str, Gathered, Gathered, i64, &str); 10] = [
        ("nothing", &[], &[], 100, "0@none surplus 0 none"),
        ("one side", &[(5, 100)], &[], 100, "0@none surplus 0 none"),
        ("not crossed", &[(5, 99)], &[(5, 100)], 100, "0@none surplus 0 none"),
        ("met", &[(5, 100)], &[(5, 100)], 90, "5@100 surplus 0 none"),
        ("(a)", &[(1, 110), (6, 100)], &[(4, 98), (1, 108)], 110, "4@100 surplus 3 buy"),
        ("(b)", &[(5, 105), (3, 101)], &[(5, 95)], 100, "5@102 surplus 0 none"),
        ("(b), sells left", &[(5, 105)], &[(7, 95), (1, 99)], 200, "5@98 surplus 2 sell"),
        ("(c) below", &[(5, 105)], &[(5, 95)], 50, "5@95 surplus 0 none"),
        ("(c) within", &[(5, 105)], &[(5, 95)], 99, "5@99 surplus 0 none"),
        ("(c) above, buys left", &[(6, 105)], &[(5, 95)], 150, "5@105 surplus 1 buy"),
    ];
    for (clause, bids, asks, mark, expected) in cases {
        assert_eq!(told(bids, asks, mark), expected, "{clause}");
    }
}

/// Rules 8.2 and 10.5: each second from the start, and the end in place of a second.
#[test]
fn a_timed_auction_is_told_each_second_and_opens() {
    let mut desk = Desk::open(1_000_000_000_000);
    check_on(
        &mut desk,
        "
        0 state 3 until=3500000000 at=1000000000
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end 3500000000
        10 buy 2@101 #1
        > 10:1 Accepted 1.0 #1 buy 2@101 ref 1
        20 sell 1@99 #1
        > 20:1 Accepted 2.1 #1 sell 1@99 ref 1
        0 tick at=2000000000
        > 0:0 Indicative 1 1@100 surplus 1 buy end 3500000000
        0 tick at=2500000000
        0 tick at=3400000000
        > 0:0 Indicative 1 1@100 surplus 1 buy end 3500000000
        0 tick at=3499999999
        0 tick at=3500000000
        > 0:0 Indicative 1 1@100 surplus 1 buy end 3500000000
        > 10:2 auction 1.0 #1 buy 1@100 leaves 1 cum 1 fee 10000 position 1 match 1 ref 0
        > 20:2 auction 2.1 #1 sell 1@100 leaves 0 cum 1 fee 10000 position -1 match 1 ref 0
        ",
    );
    assert_eq!(desk.engine.deadline(), None);
}

/// Rule 10.5: seconds count from the start, and those that nobody was there to tell of are not told.
#[test]
fn missed_seconds_are_told_once() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("0 state 3 at=1000000000");
    assert_eq!(desk.engine.deadline(), Some(2_000_000_000));
    check_on(
        &mut desk,
        "
        0 tick at=5999999999
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        ",
    );
    assert_eq!(desk.engine.deadline(), Some(6_000_000_000));
    check_on(
        &mut desk,
        "
        0 tick at=6000000000
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        0 state 6
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        ",
    );
    assert_eq!(desk.engine.deadline(), None);
}

/// Rules 8.3 and 10.5: orders that end go first, then auctions by time, then by id; a second that is the end is the end.
#[test]
fn a_tick_does_what_is_due_first() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("0 state 3 id=2 at=1000000000\n0 state 3 until=2000000000 at=1000000000");
    desk.play("10 buy 1@90 #1 expire=2000000000");
    let mut twin = Engine::restore(&desk.engine.snapshot()).expect("a timed auction restores");
    assert_eq!(twin.deadline(), Some(2_000_000_000));
    std::mem::swap(&mut desk.engine, &mut twin);
    check_on(
        &mut desk,
        "
        0 tick at=2000000000
        > 10:2 Canceled 1.0 #1 orig #1 buy leaves 1 cum 0 reason 7 ref 0
        0 tick at=2000000000
        > 0:0 Indicative 1 0@none surplus 0 none end 2000000000
        0 tick at=2000000000
        > 0:0 Indicative 2 0@none surplus 0 none end untold
        0 tick at=2000000000
        10 buy 1@90 #1
        > 10:3 Accepted 2.0 #1 buy 1@90 ref 2
        ",
    );
    assert_eq!(desk.engine.deadline(), Some(3_000_000_000));
}

/// Rule 10.5: an auction that is set again starts anew, and one that an administrator ends has no deadline.
#[test]
fn an_auction_set_again_starts_anew() {
    let mut desk = Desk::open(1_000_000_000_000);
    check_on(
        &mut desk,
        "
        0 state 3 until=9000000000 at=1000000000
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end 9000000000
        0 state 3 at=1500000000
        > 0:0 Confirmed Done template 324 field 0 ref 1
        > 0:0 Indicative 1 0@none surplus 0 none end untold
        ",
    );
    assert_eq!(desk.engine.deadline(), Some(2_500_000_000));
    desk.play("0 state 8");
    assert_eq!(desk.engine.deadline(), None);
}

/// Rule 8.2: what is due is done before anything else.
#[test]
#[should_panic(expected = "rule 8.2")]
fn an_auction_whose_end_is_due_stands_before_other_commands() {
    Desk::open(0).play("0 state 3 until=2000000 at=1000000\n0 mark ticks=99 at=2000000");
}

/// The executions of an uncrossing, and every payload.
#[derive(Default)]
struct Heard {
    executions: Vec<OrderExecuted>,
    lines: Vec<String>,
    bytes: Bytes,
}

impl EventSink for Heard {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.executions.extend(block::<OrderExecuted>(&payload[ROUTE_BYTES..]));
        self.lines.push(describe(payload));
        self.bytes.event(sub, payload);
    }
}

/// One side's orders in priority: price and lots.
type Queue = Vec<(i64, i64)>;

const TICKS_END: i64 = 40;

/// Rule 10.4 by looking at every price.
fn best_price(bids: &Queue, asks: &Queue, mark: i64) -> Option<(i64, i64)> {
    let at = |price: i64| {
        let demand: i64 = bids.iter().filter(|(ticks, _)| *ticks >= price).map(|(_, lots)| lots).sum();
        let supply: i64 = asks.iter().filter(|(ticks, _)| *ticks <= price).map(|(_, lots)| lots).sum();
        (-demand.min(supply), (demand - supply).abs(), (price - mark).abs(), price)
    };
    let best = (1..TICKS_END).map(at).min().expect("there is a price");
    (best.0 != 0).then_some((best.3, -best.0))
}

fn queues(engine: &Engine) -> (Queue, Queue) {
    let side = |side: Side| {
        let orders = engine.open_orders().filter(move |order| order.side == side && order.instrument == 1);
        orders.map(|order| (order.price.0, order.leaves.0)).collect()
    };
    (side(Side::Buy), side(Side::Sell))
}

fn in_state(state: u8) -> InstrumentState {
    InstrumentState { instrument_id: 1.into(), state, pad_a: 0, pad_b: 0.into(), until: 0.into() }
}

/// Applies to both, and wants the same of both.
fn apply(desk: &mut Desk, twin: &mut Engine, origin: Origin, message: &[u8]) -> Heard {
    let (mut heard, mut repeated) = (Heard::default(), Bytes::default());
    desk.apply_to(origin, message, &mut heard);
    let command = Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message };
    twin.apply(&command, &mut repeated);
    assert_eq!(heard.bytes, repeated);
    heard
}

/// Rules 10.4 and 7.4 for thousands of small books: the price is the one that a search finds, as many lots trade as it says,
/// nobody trades beyond his limit, the best come first, and the book is not crossed after it. A restored engine does the same.
#[test]
fn the_price_is_the_one_that_a_search_finds() {
    let mut crossed = 0;
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let mut terms = venue_open([seed, 3]);
        terms.matches_per_command_max = (1 + random.below(4) as u32).into();
        terms.levels_max = 30.into();
        terms.orders_per_account_max = 12.into();
        terms.orders_max = 30.into();
        let mut desk = Desk::open_with(terms, 1_000_000_000_000);
        let mark = 1 + random.below(TICKS_END as u64 - 1) as i64;
        desk.play(&format!("40 mark ticks={mark}\n0 state 3"));
        for number in 0..2 + random.below(16) {
            let message = bytes_of(gathered(&mut random, number + 1));
            let session = if message[52..56] == 5_u32.to_le_bytes() { 20 } else { 10 };
            desk.apply(desk.origin(session), &message);
        }
        let (bids, asks) = queues(&desk.engine);
        let expected = best_price(&bids, &asks, mark);
        let mut twin = Engine::restore(&desk.engine.snapshot()).expect("an auction restores");
        let mut heard = apply(&mut desk, &mut twin, Origin::venue(), &bytes_of(in_state(4)));
        let (price, lots) = expected.map_or(("none".to_string(), 0), |(p, lots)| (p.to_string(), lots));
        let told = format!("Indicative 1 {lots}@{price} ");
        assert!(heard.lines[1].contains(&told), "seed {seed}: {told} in {}", heard.lines[1]);
        while let Some(order_id) = desk.engine.continuation() {
            assert_eq!(order_id, 0);
            twin = Engine::restore(&desk.engine.snapshot()).expect("an uncrossing under way restores");
            let message = bytes_of(Continue { order_id: order_id.into() });
            heard.executions.extend(apply(&mut desk, &mut twin, Origin::venue(), &message).executions);
        }
        assert_eq!(desk.engine.digest(), twin.digest());
        check_executions(&heard.executions, expected, (bids, asks));
        let (bids, asks) = queues(&desk.engine);
        assert_eq!(best_price(&bids, &asks, mark), None, "seed {seed}: crossed still");
        crossed += u32::from(expected.is_some());
    }
    assert!(crossed > 2_000, "only {crossed} books were crossed");
}

/// An order that can wait, of account 4 or 5.
fn gathered(random: &mut Random, cl_ord_id: u64) -> NewOrder {
    NewOrder {
        cl_ord_id: cl_ord_id.into(),
        price: ((1 + random.below(TICKS_END as u64 - 1) as i64) * TICK_SIZE).into(),
        qty: (1 + random.below(9) as i64).into(),
        display_qty: NULL_I64.into(),
        expire_time: NULL_U64.into(),
        instrument_id: 1.into(),
        account_id: random.pick(&[4, 5]).into(),
        stp_group: 0.into(),
        max_delay_us: 0.into(),
        side: 1 + random.below(2) as u8,
        ord_type: 1,
        tif: 2,
        stp_mode: random.pick(&[1, 2, 5]),
        flags: 0.into(),
        mmp_group: 0.into(),
    }
}

/// Bid and ask by turns, all at one price, each side in its order of priority.
fn check_executions(heard: &[OrderExecuted], expected: Option<(i64, i64)>, (bids, asks): (Queue, Queue)) {
    let Some((price, lots)) = expected else { return assert!(heard.is_empty()) };
    let mut traded = [Lots::ZERO; 2];
    for (at, execution) in heard.iter().enumerate() {
        let side = usize::from(execution.side) - 1;
        assert_eq!(side, at % 2, "the bid is told first");
        assert_eq!(execution.last_px.get(), price * TICK_SIZE);
        assert_eq!(execution.liquidity, liquidity::AUCTION);
        let queue = [&bids, &asks][side];
        let mut before = traded[side].0;
        let next = queue.iter().find(|(_, lots)| {
            before -= lots;
            before < 0
        });
        let (limit, _) = next.expect("somebody is left");
        assert!(if side == 0 { *limit >= price } else { *limit <= price }, "nobody trades beyond his limit");
        traded[side] += Lots(execution.last_qty.get());
    }
    assert_eq!(traded, [Lots(lots); 2]);
}

/// In an auction, with an uncrossing that waits, and with an expiry that waits.
#[test]
fn a_restore_in_an_auction_is_total() {
    let mut desk = Desk::open(1_000_000_000_000);
    desk.play("0 state 3\n10 buy 9@103 #1\n11 buy 1@101 #2");
    for number in 1..=5 {
        desk.play(&format!("20 sell 1@{} #{number}", 95 + number));
    }
    spoil(&desk.engine.snapshot());
    desk.play("0 state 4");
    assert_eq!(desk.engine.continuation(), Some(0));
    spoil(&desk.engine.snapshot());
    desk.play("0 continue\n20 sell 1@110 #6\n20 sell 1@111 #7\n0 state 8");
    assert_eq!(desk.engine.continuation(), Some(0));
    spoil(&desk.engine.snapshot());
}

/// What is told to everybody is of the schema of market data.
#[test]
fn an_indicative_is_public() {
    struct Schemas(Vec<(u16, u16)>);
    impl EventSink for Schemas {
        fn event(&mut self, _: u32, payload: &[u8]) {
            let (header, _) = Header::ref_from_prefix(&payload[ROUTE_BYTES..]).expect("a header");
            self.0.push((header.template_id.get(), header.schema_id.get()));
        }
    }
    let (mut desk, mut heard) = (Desk::open(0), Schemas(Vec::new()));
    desk.apply_to(Origin::venue(), &bytes_of(in_state(3)), &mut heard);
    assert_eq!(heard.0, [(350, 7701), (440, 7702)]);
}
