//! Icebergs (rules 8.10 to 8.13) as conversations, in the manner of `scenarios`. `display=` is what shows at most.

mod desk;

use desk::{Desk, check, check_on};
use engine::{Engine, OrderView};

const FUNDS: i64 = 1_000_000_000_000_000;

/// What each open order shows of its leaves, in the canonical order.
fn shown(desk: &Desk) -> Vec<(u64, i64, i64)> {
    let seen = |it: OrderView| (it.order_id >> 24, it.shown.0, it.leaves.0);
    desk.engine.open_orders().map(seen).collect()
}

#[test]
fn a_display_is_of_a_limit_that_rests_and_at_most_all_of_it() {
    check(
        "
        10 buy 5@100 #1 display=0
        > 10:1 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@100 #1 display=6
        > 10:2 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@100 #1 display=-1
        > 10:3 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@100 #1 display=5 ioc
        > 10:4 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@100 #1 display=5 fok
        > 10:5 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@market #1 display=5 ioc
        > 10:6 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@limit #1 display=5
        > 10:7 Rejected DisplayQtyInvalid field 4 detail 0 #1 order 0.0
        10 buy 5@100 #1 display=5
        > 10:8 Accepted 1.0 #1 buy 5@100 display 5 ref 8
        10 buy 5@100 #2 display=1 day post
        > 10:9 Accepted 2.1 #2 buy 5@100 display 1 ref 9
        ",
    );
}

/// Rule 8.10: nobody makes a sweep long by showing himself lot by lot.
#[test]
fn an_iceberg_shows_a_hundredth_of_itself_at_least() {
    check(
        "
        10 buy 99@90 #1 display=1
        > 10:1 Accepted 1.0 #1 buy 99@90 display 1 ref 1
        10 buy 100@90 #2 display=1
        > 10:2 Accepted 2.1 #2 buy 100@90 display 1 ref 2
        10 amend 101@- #9 orig=2
        > 10:3 Rejected DisplayQtyInvalid field 6 detail 0 #9 order 0.0
        ",
    );
}

/// Rule 8.11: what is shown goes first, what is hidden goes behind.
#[test]
fn a_match_takes_what_is_shown_and_the_rest_goes_behind() {
    let mut desk = Desk::open(FUNDS);
    check_on(
        &mut desk,
        "
        20 sell 5@100 #1 display=2
        > 20:1 Accepted 1.0 #1 sell 5@100 display 2 ref 1
        20 sell 2@100 #2
        > 20:2 Accepted 2.1 #2 sell 2@100 ref 2
        10 buy 1@100 #1
        > 10:1 Accepted 3.2 #1 buy 1@100 ref 1
        > 10:2 taker 3.2 #1 buy 1@100 leaves 0 cum 1 fee 50000 position 1 match 1 ref 1
        > 20:3 maker 1.0 #1 sell 1@100 leaves 4 cum 1 fee 10000 position -1 match 1 ref 0
        ",
    );
    assert_eq!(shown(&desk), [(1, 1, 4), (2, 2, 2)]);
    check_on(
        &mut desk,
        "
        10 buy 4@100 #2
        > 10:3 Accepted 4.2 #2 buy 4@100 ref 2
        > 10:4 taker 4.2 #2 buy 1@100 leaves 3 cum 1 fee 50000 position 2 match 2 ref 2
        > 20:4 maker 1.0 #1 sell 1@100 leaves 3 cum 2 fee 10000 position -2 match 2 ref 0
        > 10:5 taker 4.2 #2 buy 2@100 leaves 1 cum 3 fee 100000 position 4 match 3 ref 2
        > 20:5 maker 2.1 #2 sell 2@100 leaves 0 cum 2 fee 20000 position -4 match 3 ref 0
        > 10:6 taker 4.2 #2 buy 1@100 leaves 0 cum 4 fee 50000 position 5 match 4 ref 2
        > 20:6 maker 1.0 #1 sell 1@100 leaves 2 cum 3 fee 10000 position -5 match 4 ref 0
        ",
    );
    assert_eq!(shown(&desk), [(1, 1, 2)]);
    check_on(
        &mut desk,
        "
        10 buy 2@100 #3 fok
        > 10:7 Accepted 5.1 #3 buy 2@100 ref 3
        > 10:8 taker 5.1 #3 buy 1@100 leaves 1 cum 1 fee 50000 position 6 match 5 ref 3
        > 20:7 maker 1.0 #1 sell 1@100 leaves 1 cum 4 fee 10000 position -6 match 5 ref 0
        > 10:9 taker 5.1 #3 buy 1@100 leaves 0 cum 2 fee 50000 position 7 match 6 ref 3
        > 20:8 maker 1.0 #1 sell 1@100 leaves 0 cum 5 fee 10000 position -7 match 6 ref 0
        ",
    );
}

/// As a taker it is met with all of it; only what rests is shown in part.
#[test]
fn what_takes_hides_nothing() {
    let mut desk = Desk::open(FUNDS);
    check_on(
        &mut desk,
        "
        20 sell 3@100 #1
        > 20:1 Accepted 1.0 #1 sell 3@100 ref 1
        10 buy 5@100 #1 display=1
        > 10:1 Accepted 2.1 #1 buy 5@100 display 1 ref 1
        > 10:2 taker 2.1 #1 buy 3@100 leaves 2 cum 3 fee 150000 position 3 match 1 ref 1
        > 20:2 maker 1.0 #1 sell 3@100 leaves 0 cum 3 fee 30000 position -3 match 1 ref 0
        ",
    );
    assert_eq!(shown(&desk), [(2, 1, 2)]);
}

/// Rule 8.12: at the price of an own order only what shows in front of it can be had.
#[test]
fn a_fok_counts_what_is_hidden_unless_its_own_stands_there() {
    check(
        "
        20 sell 9@99 #1 display=1
        > 20:1 Accepted 1.0 #1 sell 9@99 display 1 ref 1
        20 sell 9@100 #2 display=2
        > 20:2 Accepted 2.1 #2 sell 9@100 display 2 ref 2
        11 sell 1@100 #1
        > 11:1 Accepted 3.2 #1 sell 1@100 ref 1
        20 sell 9@100 #3
        > 20:3 Accepted 4.3 #3 sell 9@100 ref 3
        10 buy 12@100 #2 stp=2 fok
        > 10:1 Rejected FokNotFillable field 0 detail 0 #2 order 0.0
        10 buy 28@100 #2 stp=3 fok
        > 10:2 Rejected FokNotFillable field 0 detail 0 #2 order 0.0
        10 buy 29@100 #2 fok
        > 10:3 Rejected FokNotFillable field 0 detail 0 #2 order 0.0
        ",
    );
    let mut desk = Desk::open(FUNDS);
    desk.play("20 sell 9@99 #1 display=5\n20 sell 9@100 #2 display=2\n11 sell 1@100 #1");
    check_on(
        &mut desk,
        "
        10 buy 11@100 #2 stp=2 fok
        > 10:1 Accepted 4.3 #2 buy 11@100 ref 1
        > 10:2 taker 4.3 #2 buy 5@99 leaves 6 cum 5 fee 247500 position 5 match 1 ref 1
        > 20:3 maker 1.0 #1 sell 5@99 leaves 4 cum 5 fee 49500 position -5 match 1 ref 0
        > 10:3 taker 4.3 #2 buy 4@99 leaves 2 cum 9 fee 198000 position 9 match 2 ref 1
        > 20:4 maker 1.0 #1 sell 4@99 leaves 0 cum 9 fee 39600 position -9 match 2 ref 0
        > 10:4 taker 4.3 #2 buy 2@100 leaves 0 cum 11 fee 100000 position 11 match 3 ref 1
        > 20:5 maker 2.1 #2 sell 2@100 leaves 7 cum 2 fee 20000 position -11 match 3 ref 0
        ",
    );
    assert_eq!(shown(&desk), [(3, 1, 1), (2, 2, 7)]);
}

/// Rule 8.13.
#[test]
fn an_amend_of_the_display() {
    let mut desk = Desk::open(FUNDS);
    desk.play("20 sell 6@100 #1 display=4\n20 sell 6@100 #2\n20 sell 6@100 #3 display=2");
    let before = desk.engine.digest();
    check_on(
        &mut desk,
        "
        20 amend -@- #9 orig=1 display=7
        > 20:4 Rejected DisplayQtyInvalid field 6 detail 0 #9 order 0.0
        20 amend 3@- #9 orig=1 display=4
        > 20:5 Rejected DisplayQtyInvalid field 6 detail 0 #9 order 0.0
        20 amend 0@- #9 orig=1 display=9
        > 20:6 Rejected QtyNotPositive field 5 detail 0 #9 order 0.0
        20 amend -@- #9 orig=1 display=0
        > 20:7 Rejected DisplayQtyInvalid field 6 detail 0 #9 order 0.0
        ",
    );
    assert_ne!(desk.engine.digest(), before, "client sequence numbers were used up");
    assert_eq!(shown(&desk), [(1, 4, 6), (2, 6, 6), (3, 2, 6)]);
    check_on(
        &mut desk,
        "
        # A smaller one, and one on an order that had none, keep their place.
        20 amend -@- #9 orig=1 display=3
        > 20:8 Modified 1.0 #9 orig #1 sell 6@100 leaves 6 display 3 status 1 priority kept ref 8
        20 amend -@- #9 orig=2 display=5
        > 20:9 Modified 2.1 #9 orig #2 sell 6@100 leaves 6 display 5 status 1 priority kept ref 9
        # A smaller total keeps it too, and shows no more than there is.
        20 amend 2@- #9 orig=1
        > 20:10 Modified 1.0 #9 orig #1 sell 2@100 leaves 2 display 3 status 1 priority kept ref 10
        ",
    );
    assert_eq!(shown(&desk), [(1, 2, 2), (2, 5, 6), (3, 2, 6)]);
    check_on(
        &mut desk,
        "
        # A larger one goes behind, and shows anew.
        20 amend -@- #9 orig=2 display=6
        > 20:11 Modified 2.1 #9 orig #2 sell 6@100 leaves 6 display 6 status 1 priority lost ref 11
        10 buy 3@100 #1
        > 10:1 Accepted 4.3 #1 buy 3@100 ref 1
        > 10:2 taker 4.3 #1 buy 2@100 leaves 1 cum 2 fee 100000 position 2 match 1 ref 1
        > 20:12 maker 1.0 #1 sell 2@100 leaves 0 cum 2 fee 20000 position -2 match 1 ref 0
        > 10:3 taker 4.3 #1 buy 1@100 leaves 0 cum 3 fee 50000 position 3 match 2 ref 1
        > 20:13 maker 3.2 #3 sell 1@100 leaves 5 cum 1 fee 10000 position -3 match 2 ref 0
        # A new price for an order that was plain, and a display with it.
        20 sell 4@105 #4
        > 20:14 Accepted 5.0 #4 sell 4@105 ref 12
        20 amend -@104 #9 orig=4 display=1
        > 20:15 Modified 5.0 #9 orig #4 sell 4@104 leaves 4 display 1 status 1 priority lost ref 13
        ",
    );
    assert_eq!(shown(&desk), [(3, 1, 5), (2, 6, 6), (5, 1, 4)]);
}

/// Rules 5.8 and 8.13: what is prevented is taken from what is hidden first.
#[test]
fn a_prevented_trade_takes_what_is_shown_last() {
    let mut desk = Desk::open(FUNDS);
    check_on(
        &mut desk,
        "
        10 sell 6@100 #1 display=3
        > 10:1 Accepted 1.0 #1 sell 6@100 display 3 ref 1
        10 buy 2@100 #2 stp=5
        > 10:2 Accepted 2.1 #2 buy 2@100 ref 2
        > 10:3 Modified 1.0 #1 orig #1 sell 4@100 leaves 4 display 3 status 1 priority kept ref 2
        > 10:4 Canceled 2.1 #2 orig #2 buy leaves 2 cum 0 reason 3 ref 2
        ",
    );
    assert_eq!(shown(&desk), [(1, 3, 4)]);
    desk.play("10 buy 2@100 #3 stp=5");
    assert_eq!(shown(&desk), [(1, 2, 2)]);
}

/// A market order is priced with what is shown (rule 4.18), so that what it lacks tells nothing of what is hidden.
#[test]
fn margin_counts_what_is_shown() {
    let lacks = |hidden: u32| {
        let mut desk = Desk::open(0);
        desk.play("50 deposit account=4 amount=105500000\n50 deposit account=5 amount=1000000000");
        desk.play(&format!("20 sell {hidden}@100 #1 display=1\n20 sell 10@200 #2"));
        desk.play("10 buy 10@market #1 ioc")
    };
    let said = lacks(9);
    assert!(said.contains("InsufficientMargin"), "{said}");
    assert_eq!(said, lacks(100));
}

/// Rule 4.14 is judged last: who could not trade anyway does not learn what is hidden.
#[test]
fn a_fok_that_cannot_be_paid_finds_nothing_out() {
    let mut desk = Desk::open(0);
    desk.play("50 deposit account=4 amount=1000000\n50 deposit account=5 amount=1000000000");
    desk.play("20 sell 50@100 #1 display=1");
    for lots in [49, 50, 51] {
        let said = desk.play(&format!("10 buy {lots}@100 #1 fok"));
        assert!(said.contains("Rejected InsufficientMargin"), "{said}");
    }
}

#[test]
fn what_is_shown_survives_a_snapshot() {
    let mut desk = Desk::open(FUNDS);
    desk.play("20 sell 9@100 #1 display=4\n20 sell 9@100 #2 display=3\n10 buy 1@100 #1\n20 sell 1@99 #3");
    // A taker that waits at the cap of three steps is an iceberg too.
    for script in ["", "10 buy 9@100 #2 display=2"] {
        desk.play(script);
        let bytes = desk.engine.snapshot();
        let restored = Engine::restore(&bytes).expect("it reads its own snapshot");
        assert_eq!(restored.snapshot(), bytes);
        let mut twin = Desk { engine: restored, seq: desk.seq, ts_ns: desk.ts_ns };
        assert_eq!(shown(&twin), shown(&desk));
        let more = "0 continue serial=5 slot=3\n10 buy 5@100 #7";
        if desk.engine.continuation().is_some() {
            assert_eq!(twin.play(more), desk.play(more));
            assert_eq!(twin.engine.digest(), desk.engine.digest());
        }
    }
}

/// Rule 10.4: what is hidden trades too, the order keeps its place, and shows anew.
#[test]
fn an_auction_takes_what_is_hidden() {
    let mut desk = Desk::open(FUNDS);
    desk.play("0 state 3\n10 buy 9@101 #1 display=3\n10 buy 9@101 #2\n20 sell 5@99 #1\n0 state 4");
    assert_eq!(shown(&desk), [(1, 3, 4), (2, 9, 9)]);
    desk.play("20 sell 2@101 #2");
    assert_eq!(shown(&desk), [(1, 1, 2), (2, 9, 9)]);
    desk.play("0 state 3\n20 sell 1@99 #3\n0 state 4");
    assert_eq!(shown(&desk), [(1, 1, 1), (2, 9, 9)]);
}
