//! The room of special orders (rules 8.40 and 8.41): who needs it, who gives it back, and what a snapshot says of it.

mod desk;

use desk::{Desk, venue_open};
use engine::command::VenueOpen;
use engine::limits::Limits;
use engine::{Engine, SnapshotError};

const FUNDS: i64 = 1_000_000_000_000_000;
/// Where a snapshot has the venue's limits on special orders, all of them and one account's.
const LIMITS_AT: [usize; 2] = [32 + 72, 32 + 76];

fn desk(all: u32, each: u32) -> Desk {
    let mut terms = venue_open([1, 2]);
    terms.matches_per_command_max = 100.into();
    (terms.special_orders_max, terms.special_orders_per_account_max) = (all.into(), each.into());
    Desk::open_with(terms, FUNDS)
}

/// Account 4 is long 10 lots, and has a protection group.
fn prepared(all: u32, each: u32) -> Desk {
    let mut desk = desk(all, each);
    desk.play("20 sell 10@100 #900\n10 buy 10@100 #900\n10 mmp #901 group=1 count=100 window=1000");
    desk
}

const SPECIAL: [&str; 7] = [
    "10 buy 5@95 #1 day",
    "10 buy 5@95 #1 expire=9000000000000",
    "10 buy 5@95 #1 display=1",
    "10 sell 5@105 #1 reduce",
    "10 buy 5@95 #1 mmp=1",
    "10 sell 5@105 #1 stop=90 on=1",
    "10 sell 5@market #1 stop=90 on=1 ioc",
];

const PLAIN: [&str; 4] = [
    "10 buy 5@95 #1",
    "10 sell 5@100 #1 reduce ioc",
    "10 quote #1 mmp=1 1:5@99/5@101",
    "10 buy 5@95 #1 group=7",
];

#[test]
fn what_is_special_needs_room_and_what_is_plain_does_not() {
    for line in SPECIAL {
        assert!(prepared(1, 1).play(line).contains("Accepted"), "{line}");
        let said = prepared(1, 0).play(line);
        assert!(said.contains("Rejected OpenOrderLimit field 0 detail 0"), "{said}");
        let said = prepared(0, 1).play(line);
        assert!(said.contains("Rejected Capacity field 0 detail 0"), "{said}");
    }
    for line in PLAIN {
        let said = prepared(0, 0).play(line);
        assert!(!said.contains("Reject") && !said.contains("/OpenOrderLimit"), "{said}");
    }
}

#[test]
fn a_refusal_changes_nothing() {
    for line in
        SPECIAL.into_iter().chain(["10 amend -@- #2 orig=3 display=2", "10 amend 9@- #2 orig=3 display=2"])
    {
        let mut refused = prepared(0, 9);
        refused.play("10 buy 5@95 #3");
        let before: Vec<_> = refused.engine.open_orders().collect();
        assert!(refused.play(line).contains("Rejected Capacity"), "{line}");
        assert_eq!(refused.engine.open_orders().collect::<Vec<_>>(), before, "{line}");
        // The client id is free and the next order has the next serial, as where nothing was ever asked.
        let said = refused.play("10 buy 5@95 #1");
        assert!(said.contains("Accepted 4.1 #1"), "{said}");
    }
}

/// Whatever ends an order, or takes from it what was special, gives its place back.
#[test]
fn places_come_back() {
    let ends = [
        "10 cancel 50 orig=1",
        "10 mass #9 scope=2 side=3 block=0",
        "20 sell 50@95 #7\n20 buy 9@105 #8",
        "40 mark ticks=90\n20 buy 9@105 #8",
        "0 state 8 id=1",
    ];
    for line in SPECIAL {
        let freed = ends.iter().filter(|end| {
            let mut desk = prepared(1, 1);
            desk.play(line);
            let full = desk.play("11 buy 1@94 #2 day");
            assert!(full.contains("OpenOrderLimit"), "{line}: {full}");
            desk.play(end);
            desk.play("11 buy 1@94 id=2 #3 day").contains("Accepted")
        });
        assert!(freed.count() >= 3, "{line}");
    }
}

/// Rule 5.8: the group of an order that is special is its own as before.
#[test]
fn a_special_order_keeps_its_self_trade_group() {
    for special in ["day", "display=1", "mmp=1"] {
        let mut desk = prepared(9, 9);
        desk.play(&format!("10 buy 5@99 #1 group=7 {special}"));
        let met = desk.play("20 sell 5@99 #1 group=7 stp=3");
        assert!(met.contains("Canceled Stp") || met.contains("reason 3"), "{met}");
        let group = |desk: &Desk| desk.engine.open_orders().map(|it| it.stp.group).collect::<Vec<_>>();
        assert_eq!(group(&desk), [7]);
        let mut desk = prepared(9, 9);
        desk.play(&format!("10 buy 5@99 #1 group=7 {special}"));
        let twin = Engine::restore(&desk.engine.snapshot()).expect("a snapshot restores");
        assert_eq!(twin.open_orders().map(|it| it.stp.group).collect::<Vec<_>>(), [7]);
        desk.play("10 amend 9@98 #2 orig=1");
        assert_eq!(group(&desk), [7]);
    }
}

/// A trigger that fired and waits at the cap has no terms any more: the engine that is restored from there has as much room.
#[test]
fn a_fired_trigger_that_waits_is_plain() {
    let mut terms = venue_open([1, 2]);
    (terms.special_orders_max, terms.matches_per_command_max) = (1.into(), 2.into());
    let mut desk = Desk::open_with(terms, FUNDS);
    desk.play("20 buy 1@100 #1\n20 buy 1@100 #2\n20 buy 1@100 #3");
    desk.play("10 sell 3@market #1 stop=95 on=1 ioc group=7");
    desk.play("40 mark ticks=95");
    assert!(desk.engine.continuation().is_some_and(|id| id != 0), "a taker waits");
    let twin = Engine::restore(&desk.engine.snapshot()).expect("mid-order snapshots restore");
    assert_eq!(twin.check_invariants(), Ok(()));
    assert_eq!(twin.open_orders().last().map(|it| it.stp.group), Some(7));
    assert_eq!(twin.digest(), desk.engine.digest());
    desk.play("0 continue serial=4 slot=3\n10 buy 1@90 #2 day");
    assert_eq!(desk.engine.open_orders().filter(|it| it.expire_ns.is_some()).count(), 1);
}

#[test]
fn a_snapshot_with_more_than_the_limits_is_refused() {
    let mut desk = prepared(5, 5);
    desk.play("10 buy 5@95 #1 day\n10 buy 5@94 #2 display=1\n10 sell 5@105 #3 stop=90 on=1");
    let bytes = desk.engine.snapshot();
    for at in LIMITS_AT {
        for most in 0..=5 {
            let mut changed = bytes.clone();
            changed[at] = most;
            match Engine::restore(&changed) {
                Ok(engine) => assert!(most >= 3 && engine.snapshot() == changed),
                Err(SnapshotError::Inconsistent(why)) => {
                    assert!(most < 3 && why == "there are more special orders than the limit", "{why}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn each_limit_has_its_field() {
    let read = |change: fn(&mut VenueOpen)| {
        let mut open = venue_open([1, 2]);
        change(&mut open);
        Limits::read(&open)
    };
    assert_eq!(read(|open| open.special_orders_max = (1 << 24 | 1).into()), Err(14));
    assert_eq!(read(|open| open.special_orders_per_account_max = (1 << 24 | 1).into()), Err(15));
    assert!(read(|open| open.special_orders_max = 0.into()).is_ok());
    assert!(read(|open| open.special_orders_per_account_max = 0.into()).is_ok());
}
