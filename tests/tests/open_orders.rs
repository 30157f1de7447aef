//! A member asks what it has open, over a real socket: more orders than one command may tell of, in frames that take no
//! number and are not kept (rule 12.4); and what a session with rising ids is refused (rule 12.2).

use engine::command::NewOrder;
use engine::event::{OrderAccepted, OrderRejected, RequestComplete};
use engine::reject::Reject;
use gateway::client::orders::open_orders;
use gateway::frame::{END_OF_EVENT, SNAPSHOT};
use tests::audit::audit;
use tests::orders::limit;
use tests::peer::{Came, Peer};
use tests::venue::Home;

const ORDERS: u64 = 12;

/// Five steps a command, and alice's client ids rise.
fn home() -> Home {
    Home::new(|text| {
        let text = text.replace("matches_per_command = 1000", "matches_per_command = 5");
        assert!(text.contains("matches_per_command = 5") && text.contains("rising_ids = false"));
        text.replacen("rising_ids = false", "rising_ids = true", 1)
    })
}

fn next(peer: &mut Peer) -> Came {
    peer.next().expect("the venue answers")
}

/// BTC-PERP below its mark and within the band.
fn buy(account: u32, id: u64) -> NewOrder {
    limit(account, 1, 1, 46_000_000_000_000, 1, 2, id)
}

/// The answer whole: the client ids in the order of the serials.
fn listed(peer: &mut Peer, account: u32, seq: u64) -> Vec<u64> {
    peer.say(0, seq, open_orders(account, 0, 77));
    let mut ids = Vec::new();
    loop {
        let came = next(peer);
        assert_eq!(came.seq, 0, "it takes no number");
        if let Some(complete) = came.is::<RequestComplete>() {
            assert_eq!(came.flags, SNAPSHOT | END_OF_EVENT);
            assert_eq!((complete.code.get(), complete.cl_ord_id.get()), (0, 77));
            assert_eq!((complete.ref_seq.get(), complete.count.get() as usize), (seq, ids.len()));
            return ids;
        }
        assert_eq!(came.flags, SNAPSHOT);
        let order = came.is::<OrderAccepted>().expect("an order, or the end");
        assert_eq!((order.ref_seq.get(), order.status), (seq, 1));
        ids.push(order.cl_ord_id.get());
    }
}

#[test]
fn open_orders_are_shown_and_not_numbered() {
    let home = home();
    let venue = home.serve();
    let mut alice = Peer::connect(home.path(), "alice");
    alice.log_on(1);
    let account = alice.config.account;
    for id in 1..=ORDERS {
        alice.say(0, id, buy(account, id));
        assert_eq!(next(&mut alice).seq, id, "an acceptance each");
    }
    assert_eq!(listed(&mut alice, account, ORDERS + 1), (1..=ORDERS).collect::<Vec<_>>());

    // Ids rise: what is below the highest is refused, and is the next number of the stream.
    alice.say(0, ORDERS + 2, buy(account, 5));
    let came = next(&mut alice);
    let rejected = came.is::<OrderRejected>().expect("a used id");
    assert_eq!(rejected.code.get(), Reject::DuplicateClOrdId.code());
    assert_eq!(came.seq, ORDERS + 1);

    // A resume repeats what was numbered and nothing else, over a restart too.
    drop(alice);
    venue.kill();
    let venue = home.serve();
    let mut alice = Peer::connect(home.path(), "alice");
    let ack = alice.log_on(ORDERS);
    assert_eq!((ack.next_client_seq.get(), ack.next_server_seq.get()), (ORDERS + 3, ORDERS + 2));
    let repeated = [next(&mut alice), next(&mut alice)].map(|came| came.seq);
    assert_eq!(repeated, [ORDERS, ORDERS + 1]);
    assert_eq!(listed(&mut alice, account, ORDERS + 3).len() as u64, ORDERS);
    drop(alice);

    let typed = home.typed("alice", "open\nopen ETH-PERP\nquit\n");
    assert_eq!(typed.lines().filter(|line| line.contains(" open: buy ")).count() as u64, ORDERS, "{typed}");
    assert!(typed.contains("done: 12 told") && typed.contains(" done\n"), "{typed}");
    let (status, said) = venue.terminate();
    assert!(status.success(), "{said:?}");
    audit(&home.journal());
}
