//! What a session asks to be shown (rule 12.4), as conversations in the manner of `scenarios`. Three steps are the most that
//! a command of this venue makes.

mod desk;

use desk::{Bytes, Desk, check, check_on};
use engine::command::{Continue, OpenOrdersRequest};
use engine::event::{OrderAccepted, RequestComplete};
use engine::message::{Framed, NULL_I64, Origin, ROUTE_BYTES, Route, block};
use engine::{Engine, Sequenced};
use zerocopy::{FromBytes, IntoBytes};

/// By serial, whoever entered them; without a place in the stream.
#[test]
fn every_open_order_is_told_as_it_stands() {
    check(
        "
        10 buy 5@99 #1
        > 10:1 Accepted 1.0 #1 buy 5@99 ref 1
        11 sell 2@110 #2 instrument=2
        > 11:1 Accepted 2.1 #2 sell 2@110 ref 1
        20 sell 2@99 #1
        > 20:1 Accepted 3.2 #1 sell 2@99 ref 1
        > 20:2 taker 3.2 #1 sell 2@99 leaves 0 cum 2 fee 99000 position -2 match 1 ref 1
        > 10:2 maker 1.0 #1 buy 2@99 leaves 3 cum 2 fee 19800 position 2 match 1 ref 0
        10 orders 7
        > 10:0 Accepted 1.0 #1 buy 3@99 ref 2
        > 10:0 Accepted 2.1 #2 sell 2@110 ref 2
        > 10:0 RequestComplete Done #7 count 2 ref 2
        13 orders 8 instrument=2
        > 13:0 Accepted 2.1 #2 sell 2@110 ref 1
        > 13:0 RequestComplete Done #8 count 1 ref 1
        12 orders 9 instrument=1
        > 12:0 Accepted 1.0 #1 buy 3@99 ref 1
        > 12:0 RequestComplete Done #9 count 1 ref 1
        20 orders 2
        > 20:0 RequestComplete Done #2 count 0 ref 2
        10 buy 1@90 #3
        > 10:3 Accepted 4.2 #3 buy 1@90 ref 3
        ",
    );
}

#[test]
fn refusals_come_in_order() {
    check(
        "
        40 orders 1 account=9 instrument=9
        > 40:0 RequestComplete Permission #1 count 0 ref 1
        10 orders 2 account=9 instrument=9
        > 10:0 RequestComplete UnknownAccount #2 count 0 ref 1
        10 orders 3 account=5 instrument=9
        > 10:0 RequestComplete NotYourAccount #3 count 0 ref 2
        10 orders 4 instrument=9
        > 10:0 RequestComplete UnknownInstrument #4 count 0 ref 3
        10 orders 5 cut=8
        > 10:0 SessionReject BadBlockLength ref 4 template 115 field 0
        0 orders 6
        ",
    );
}

/// Rule 5.6: the rest waits, and repeats the numbers of the request when it comes.
#[test]
fn a_long_list_goes_on_in_continuations() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 2.1 #2 buy 1@91 ref 2
        10 buy 1@92 #3 instrument=2
        > 10:3 Accepted 3.2 #3 buy 1@92 ref 3
        10 buy 1@93 #4
        > 10:4 Accepted 4.3 #4 buy 1@93 ref 4
        11 orders 7 instrument=1
        > 11:0 Accepted 1.0 #1 buy 1@90 ref 1
        > 11:0 Accepted 2.1 #2 buy 1@91 ref 1
        0 continue
        > 11:0 Accepted 4.3 #4 buy 1@93 ref 1
        > 11:0 RequestComplete Done #7 count 3 ref 1
        11 orders 8
        > 11:0 Accepted 1.0 #1 buy 1@90 ref 2
        > 11:0 Accepted 2.1 #2 buy 1@91 ref 2
        > 11:0 Accepted 3.2 #3 buy 1@92 ref 2
        0 continue
        > 11:0 Accepted 4.3 #4 buy 1@93 ref 2
        > 11:0 RequestComplete Done #8 count 4 ref 2
        ",
    );
}

/// Rules 5.6 and 12.4: what is passed over is a step too.
#[test]
fn a_list_that_names_little_goes_on_in_continuations() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        10 buy 1@91 #2
        > 10:2 Accepted 2.1 #2 buy 1@91 ref 2
        10 buy 1@92 #3
        > 10:3 Accepted 3.2 #3 buy 1@92 ref 3
        10 buy 1@93 #4 instrument=2
        > 10:4 Accepted 4.3 #4 buy 1@93 ref 4
        11 orders 7 instrument=2
        0 continue
        > 11:0 Accepted 4.3 #4 buy 1@93 ref 1
        > 11:0 RequestComplete Done #7 count 1 ref 1
        ",
    );
}

/// Rule 12.6: twenty thousand looks, and one more each millisecond.
#[test]
fn an_account_that_looks_too_often_waits() {
    check(
        "
        10 buy 1@90 #1
        > 10:1 Accepted 1.0 #1 buy 1@90 ref 1
        11 buy 1@91 #2
        > 11:1 Accepted 2.1 #2 buy 1@91 ref 1
        10 orders 7 times=9999 at=1000000000
        > 10:0 Accepted 1.0 #1 buy 1@90 ref 10000
        > 10:0 Accepted 2.1 #2 buy 1@91 ref 10000
        > 10:0 RequestComplete Done #7 count 2 ref 10000
        12 orders 8 instrument=2
        > 12:0 RequestComplete Done #8 count 0 ref 1
        13 orders 9
        > 13:0 RequestComplete ThrottledOrders #9 count 0 again in 2 ms ref 1
        20 orders 1
        > 20:0 RequestComplete Done #1 count 0 ref 1
        10 orders 10 instrument=9
        > 10:0 RequestComplete UnknownInstrument #10 count 0 ref 10001
        13 orders 9 at=1001999999
        > 13:0 RequestComplete ThrottledOrders #9 count 0 again in 1 ms ref 2
        13 orders 9 at=1002000000
        > 13:0 Accepted 1.0 #1 buy 1@90 ref 3
        > 13:0 Accepted 2.1 #2 buy 1@91 ref 3
        > 13:0 RequestComplete Done #9 count 2 ref 3
        13 orders 9
        > 13:0 RequestComplete ThrottledOrders #9 count 0 again in 2 ms ref 4
        ",
    );
}

/// What is owed is in the snapshot; what came back is nothing that a state has.
#[test]
fn looks_are_restored() {
    let mut desk = Desk::open(1_000_000_000_000_000);
    desk.play("10 buy 1@90 #1\n10 buy 1@91 #2\n10 orders 7 times=9999 at=1000000000");
    let paid_until =
        |engine: &Engine| engine.accounts().find(|it| it.id == 4).expect("4").looks_paid_until_ns;
    assert_eq!(paid_until(&desk.engine), 1_000_000_000 + 9_999 * 2_000_000);
    let mut twin = Desk { engine: Engine::restore(&desk.engine.snapshot()).expect("its own"), ..desk };
    assert_eq!(paid_until(&twin.engine), 1_000_000_000 + 9_999 * 2_000_000);
    let refused = "> 10:0 RequestComplete ThrottledOrders #9 count 0 again in 2 ms ref 10003\n";
    assert!(twin.play("10 orders 8\n10 orders 9").ends_with(refused));
    twin.play("40 mark ticks=100 at=21000000000");
    assert_eq!(paid_until(&twin.engine), 0);
    let restored = Engine::restore(&twin.engine.snapshot()).expect("its own");
    assert_eq!(restored.digest(), twin.engine.digest());
}

/// A desk that stopped in the middle of a list of instrument 1: two of four told, one of instrument 2 skipped.
fn waiting() -> Desk {
    let mut desk = Desk::open(1_000_000_000_000_000);
    for (id, instrument) in [(1, 1), (2, 1), (3, 2), (4, 1), (5, 1)] {
        desk.play(&format!("10 buy 1@9{id} #{id} instrument={instrument}"));
    }
    desk.play("11 orders 7 instrument=1");
    assert_eq!(desk.engine.continuation(), Some(0));
    desk
}

#[test]
fn a_list_that_waits_is_restored() {
    let mut desk = waiting();
    let bytes = desk.engine.snapshot();
    let mut twin = Engine::restore(&bytes).expect("an engine reads its own snapshot");
    assert_eq!((twin.digest(), twin.continuation()), (desk.engine.digest(), Some(0)));
    let (origin, message) = (Origin::venue(), Framed::new(Continue { order_id: 0.into() }));
    let (mut heard, mut repeated) = (Bytes::default(), Bytes::default());
    desk.apply_to(origin, message.as_bytes(), &mut heard);
    let command =
        Sequenced { seq: desk.seq, ts_ns: desk.ts_ns, origin: &origin, message: message.as_bytes() };
    twin.apply(&command, &mut repeated);
    assert_eq!(heard, repeated);
    assert_eq!(heard.1, 3);
    assert_eq!(twin.digest(), desk.engine.digest());
}

/// Whatever a flipped byte makes of it, it is refused or a state that could have been.
#[test]
fn a_spoiled_list_is_refused() {
    let bytes = waiting().engine.snapshot();
    // The list is the last record in front of an empty window.
    for place in bytes.len() - 60..bytes.len() {
        for flip in [1, 2, 4, 0x80, 0xFF] {
            let mut flipped = bytes.clone();
            flipped[place] ^= flip;
            if let Ok(engine) = Engine::restore(&flipped) {
                assert_eq!(engine.snapshot(), flipped, "byte {place}");
            }
        }
    }
}

/// Field by field: a partly filled order, and the time that the request was received.
#[test]
fn the_answer_says_all_that_an_order_is() {
    let mut desk = Desk::open(1_000_000_000_000_000);
    desk.play("10 buy 5@99 #1\n20 sell 2@99 #1");
    let origin = desk.origin(10);
    let request =
        Framed::new(OpenOrdersRequest { cl_ord_id: 9.into(), account_id: 4.into(), instrument_id: 0.into() });
    let mut heard = Bytes::default();
    desk.apply_to(origin, request.as_bytes(), &mut heard);
    // Each event behind its `sub` and its route.
    let (first, rest) = heard.0[4..].split_at(ROUTE_BYTES + size_of::<Framed<OrderAccepted>>());
    let (route, message) = Route::ref_from_prefix(first).expect("a route");
    assert_eq!((route.session.get(), route.server_seq.get()), (10, 0));
    let shown = block::<OrderAccepted>(message).expect("an order");
    assert_eq!((shown.qty.get(), shown.leaves_qty.get(), shown.display_qty.get()), (5, 3, NULL_I64));
    assert_eq!((shown.ord_type, shown.tif, shown.status), (1, 2, 2));
    assert_eq!((shown.flags.get(), shown.mmp_group.get()), (0, 0));
    assert_eq!((shown.ref_seq, shown.recv_time), (origin.client_seq, origin.received_ns));
    assert_eq!(shown.exec_id.get(), desk.seq << 16 | 1);
    let done = block::<RequestComplete>(&rest[4 + ROUTE_BYTES..]).expect("the end");
    assert_eq!((done.exec_id.get(), done.count.get()), (desk.seq << 16 | 2, 1));
}

/// Nothing is changed by looking, save the client's number.
#[test]
fn looking_changes_nothing() {
    let mut desk = Desk::open(1_000_000_000_000_000);
    desk.play("10 buy 5@99 #1");
    let orders: Vec<_> = desk.engine.open_orders().collect();
    check_on(
        &mut desk,
        "
        10 orders 7
        > 10:0 Accepted 1.0 #1 buy 5@99 ref 2
        > 10:0 RequestComplete Done #7 count 1 ref 2
        ",
    );
    assert_eq!(desk.engine.open_orders().collect::<Vec<_>>(), orders);
    assert_eq!(desk.engine.session(10).map(|it| it.next_server_seq), Some(2));
}
