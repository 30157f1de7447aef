//! What members have been promised about a lost connection, over real sockets, with `kill -9` of the venue in the middle of
//! each: a fill while away, an amend whose answer was cut off, an order entered again, a list taken in the flow, a cancel
//! that crosses a fill, and two sessions of one account.

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ballast_client::event::{OrderAccepted, OrderExecuted, OrderModified, status};
use ballast_client::orders::{self, Tif};
use ballast_client::portfolio::Portfolio;
use ballast_client::{
    Body, Client, ClientConfig, ConnectOptions, Event, Reject, Resumed, SessionPosition, Side,
};
use gateway::frame::POSSIBLE_RESEND;
use rustix::process::{Signal, kill_process};
use tests::crowd::pass;
use tests::peer::{Came, Peer};
use tests::tier::{seed, tiered};
use tests::venue::{Home, Venue};
use tests::workload::Draw;

#[allow(dead_code)]
#[path = "../../gateway/clients/rust/examples/maker.rs"]
mod maker;
#[allow(dead_code)]
#[path = "../../gateway/clients/rust/examples/taker.rs"]
mod taker;

/// BTC-PERP at its mark, and half a dollar above.
const INSTRUMENT: u32 = 1;
const PRICE9: i64 = 50_000_000_000_000;
const TICK9: i64 = 500_000_000;
const PATIENCE: Duration = Duration::from_secs(120);
/// The second session of alice's account.
const SECOND: &str = "alice-too";

/// A venue at which alice's account has two sessions with one key.
fn home() -> Home {
    let home = Home::new(|text| {
        let alice = text.split("[[session]]").nth(1).expect("init wrote her session");
        assert!(alice.contains("id = 1001"), "{alice}");
        format!("{text}\n[[session]]{}", alice.replace("id = 1001", "id = 1005"))
    });
    let clients = home.path().join("clients");
    let text = fs::read_to_string(clients.join("alice.toml")).expect("init wrote it");
    let text = text.replace("session = 1001", "session = 1005");
    fs::write(clients.join(format!("{SECOND}.toml")), text).expect("the directory is ours");
    home
}

fn killed_and_back(home: &Home, venue: Venue) -> Venue {
    venue.kill();
    home.serve()
}

/// One member's client, its account, and the next client id that it uses.
struct Trader {
    client: Client,
    account: u32,
    next_id: u64,
}

impl Trader {
    fn connect(home: &Home, name: &str, resume: Option<SessionPosition>) -> Trader {
        let path = home.path().join("clients").join(format!("{name}.toml"));
        let config = ClientConfig::load(&path).expect("init wrote it");
        let options = ConnectOptions {
            resume,
            auto_reconnect: true,
            reconnect_attempts: 100_000,
            backoff: Duration::from_millis(5),
            backoff_max: Duration::from_millis(20),
            ..ConnectOptions::default()
        };
        let client = Client::connect_with(&config, options).expect("the venue listens");
        Trader { client, account: config.account, next_id: 1 }
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// An order of its own; its client id.
    fn order(&mut self, side: Side, price9: i64, lots: i64, tif: Tif) -> u64 {
        let id = self.take_id();
        let order = orders::limit(self.account, INSTRUMENT, side, price9, lots, tif, id);
        self.client.send(order).expect("it is sent");
        id
    }

    fn hear(&mut self) -> Event {
        self.client.next_event(PATIENCE).expect("a member holds on").expect("the venue answers")
    }

    fn hears_accepted(&mut self) -> OrderAccepted {
        let Body::Accepted(accepted) = self.hear().body else { panic!("an order is accepted") };
        accepted
    }

    fn hears_executed(&mut self) -> OrderExecuted {
        match self.hear().body {
            Body::Executed(executed) => executed,
            other => panic!("not an execution: {other:?}"),
        }
    }

    fn hears_resumed(&mut self) -> Resumed {
        match self.hear().body {
            Body::Resumed(resumed) => resumed,
            other => panic!("not a resume: {other:?}"),
        }
    }

    /// What is told next is the answer to what is asked now: there was nothing else to tell.
    fn hears_nothing_else(&mut self) {
        let seq =
            self.client.send(orders::cancel_by_cl_ord_id(self.account, 1 << 40, 1 << 41)).expect("sent");
        let told = self.hear();
        assert!(matches!(told.body, Body::Rejected(_)) && told.body.ref_seq() == seq, "{told:?}");
    }

    /// The open orders, by client id: price and what is left.
    fn open_orders(&mut self) -> BTreeMap<u64, (i64, i64)> {
        let id = self.take_id();
        self.client.send(orders::open_orders(self.account, 0, id)).expect("it is sent");
        let mut open = BTreeMap::new();
        loop {
            match self.hear().body {
                Body::OpenOrder(it) => {
                    open.insert(it.cl_ord_id.get(), (it.price.get(), it.leaves_qty.get()));
                }
                Body::Complete(complete) => {
                    assert_eq!((complete.code.get(), complete.count.get() as usize), (0, open.len()));
                    return open;
                }
                other => panic!("not of the list: {other:?}"),
            }
        }
    }
}

/// (a) Two fills while the member is away, one on either side of a kill, and each is told once over two more resumes.
#[test]
fn a_fill_while_away_arrives_once() {
    let cycles = tiered(4, 40) as i64;
    let home = home();
    let mut venue = home.serve();
    let (mut alice, mut bob) = (Trader::connect(&home, "alice", None), Trader::connect(&home, "bob", None));
    alice.order(Side::Buy, PRICE9, 5 * cycles, Tif::Gtc);
    alice.hears_accepted();
    for cycle in 1..=cycles {
        let away = alice.client.position();
        // Her process dies: no goodbye.
        drop(alice);
        for lots in [2, 3] {
            bob.order(Side::Sell, PRICE9, lots, Tif::Ioc);
            bob.hears_accepted();
            assert_eq!(bob.hears_executed().last_qty.get(), lots);
            venue = killed_and_back(&home, venue);
            assert_eq!(bob.hears_resumed().replayed, 0);
        }
        alice = Trader::connect(&home, "alice", Some(away));
        let fills = [alice.hears_executed(), alice.hears_executed()];
        assert_eq!(fills.map(|fill| fill.last_qty.get()), [2, 3]);
        assert_eq!(fills[1].position.get(), 5 * cycle);
        alice.hears_nothing_else();
        venue = killed_and_back(&home, venue);
        assert_eq!(alice.hears_resumed().replayed, 0, "and not again");
        assert_eq!(bob.hears_resumed().replayed, 0);
        alice.hears_nothing_else();
    }
    assert!(alice.open_orders().is_empty());
}

/// What became of a frame that was written before the venue was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The venue was stopped before it came.
    NeverRead,
    /// Another session saw what it did.
    Seen,
    /// Killed at a moment that is drawn.
    Drawn,
}

/// (b) An amend whose answer nobody read: after the resume `nextClientSeq` alone says whether it was applied.
#[test]
fn an_amend_that_was_cut_off_is_told_by_the_next_number() {
    let mut draw = Draw::new(seed());
    let (_nobody, never) = channel();
    let home = home();
    let mut venue = home.serve();
    let mut second = Trader::connect(&home, SECOND, None);
    let mut entering = Trader::connect(&home, "alice", None);
    let order = entering.order(Side::Buy, PRICE9 - 100 * TICK9, 1, Tif::Gtc);
    let mut price9 = entering.hears_accepted().price.get();
    let account = entering.account;
    drop(entering);
    let fates = [Fate::NeverRead, Fate::Seen].into_iter();
    let drawn = std::iter::repeat_n(Fate::Drawn, tiered(4, 100) as usize);
    let mut applied_of_drawn = 0;
    for (round, fate) in fates.chain(drawn).enumerate() {
        let (seq, mut alice) = resumed(&home, |_| {});
        let wanted9 = price9 + TICK9;
        let amend = orders::modify(account, order, 1_000 + round as u64, Some(wanted9), None);
        if fate == Fate::NeverRead {
            kill_process(venue.pid(), Signal::STOP).expect("it is ours");
        }
        alice.say(0, seq, amend);
        match fate {
            Fate::NeverRead => {}
            Fate::Seen => while second.open_orders()[&order].0 != wanted9 {},
            Fate::Drawn => pass(&never, draw.below(4)),
        }
        venue = killed_and_back(&home, venue);
        assert!(matches!(second.hears_resumed(), Resumed { resent: 0, .. }));

        let mut told = 0;
        let (next, mut alice) = resumed(&home, |came| {
            told += u64::from(came.is::<OrderModified>().is_some_and(|it| it.ref_seq.get() == seq));
        });
        let applied = next == seq + 1;
        assert!(applied || next == seq, "{fate:?}: {next} after {seq}");
        assert!(fate == Fate::Drawn || applied == (fate == Fate::Seen), "{fate:?}");
        assert_eq!(told, u64::from(applied), "the answer is repeated if there is one");
        let stands = second.open_orders()[&order].0;
        assert_eq!(stands, if applied { wanted9 } else { price9 }, "{fate:?}");
        applied_of_drawn += u64::from(applied && fate == Fate::Drawn);
        if !applied {
            // The same frame under the same number does it, once.
            alice.say(POSSIBLE_RESEND, seq, amend);
            let answer = alice.next().and_then(|came| came.is::<OrderModified>()).expect("it is applied");
            assert_eq!((answer.ref_seq.get(), answer.price.get()), (seq, wanted9));
        }
        price9 = wanted9;
    }
    println!("amends cut off: {applied_of_drawn} of the drawn were applied");
}

/// A logon as alice that takes everything repeated; the venue's next number for her.
fn resumed(home: &Home, mut hear: impl FnMut(&Came)) -> (u64, Peer) {
    let mut peer = Peer::connect(home.path(), "alice");
    let ack = peer.log_on(1);
    for seq in 1..ack.next_server_seq.get() {
        let came = peer.next().expect("it is repeated");
        assert_eq!(came.seq, seq, "without a gap");
        hear(&came);
    }
    (ack.next_client_seq.get(), peer)
}

/// (c) A client that knows nothing any more enters its order again: the answer names the first, and one is live.
#[test]
fn the_same_order_again_names_the_first() {
    let home = home();
    let mut venue = home.serve();
    for round in 1..=tiered(4, 40) {
        let enters = |trader: &mut Trader| {
            trader.next_id = round;
            trader.order(Side::Buy, PRICE9 - 100 * TICK9, 1, Tif::Gtc)
        };
        let mut alice = Trader::connect(&home, "alice", None);
        skip_history(&mut alice);
        enters(&mut alice);
        let first = alice.hears_accepted();
        drop(alice);
        venue = killed_and_back(&home, venue);
        for name in ["alice", SECOND] {
            let mut again = Trader::connect(&home, name, None);
            skip_history(&mut again);
            enters(&mut again);
            let Body::Rejected(rejected) = again.hear().body else { panic!("its id is used") };
            assert_eq!(rejected.code.get(), Reject::DuplicateClOrdId.code());
            assert_eq!(rejected.order_id, first.order_id, "by session {name}");
            let live = again.open_orders();
            assert_eq!(live.keys().filter(|id| **id == round).count(), 1);
            assert_eq!(live.len() as u64, round);
        }
    }
}

/// Takes what is repeated because the client remembers nothing.
fn skip_history(trader: &mut Trader) {
    while trader.client.position().next_server_seq < trader.client.live_from() {
        trader.hear();
    }
}

/// What is open by the numbered messages below an execution id.
fn open_before(told: &[Event], exec_id: u64) -> BTreeMap<u64, (i64, i64)> {
    let mut portfolio = Portfolio::default();
    for event in told.iter().filter(|event| event.body.exec_id() < exec_id) {
        portfolio.hear(event);
    }
    portfolio.orders.values().map(|order| (order.cl_ord_id, (order.price9, order.leaves))).collect()
}

/// (e) Lists asked for in the middle of a flow of orders, amends, cancels and fills, of which some are cut off by a kill: each
/// that is whole is exact at its execution id.
#[test]
fn a_list_in_the_flow_is_exact_at_its_execution_id() {
    let mut draw = Draw::new(seed());
    let home = home();
    let mut venue = home.serve();
    let (mut alice, mut bob) = (Trader::connect(&home, "alice", None), Trader::connect(&home, "bob", None));
    let (mut told, mut listed, mut list) = (Vec::new(), Vec::new(), BTreeMap::new());
    let (kills, mut asked) = (tiered(4, 40), 0);
    for cycle in 0..=kills {
        for step in 0..120 {
            let known = 1 + draw.below(alice.next_id);
            let price9 = PRICE9 + draw.between(-6, 6) * TICK9;
            match draw.below(6) {
                0..=2 => {
                    let side = if draw.one_in(2) { Side::Buy } else { Side::Sell };
                    alice.order(side, price9, draw.between(1, 9), Tif::Gtc);
                }
                3 => {
                    let id = alice.take_id();
                    let amend =
                        orders::modify(alice.account, known, id, Some(price9), Some(draw.between(1, 9)));
                    alice.client.send(amend).expect("it is sent");
                }
                4 => {
                    let id = alice.take_id();
                    let cancel = orders::cancel_by_cl_ord_id(alice.account, known, id);
                    alice.client.send(cancel).expect("it is sent");
                }
                _ => {
                    let side = if draw.one_in(2) { Side::Buy } else { Side::Sell };
                    bob.order(side, price9, draw.between(1, 9), Tif::Ioc);
                }
            }
            if step % 10 == 0 {
                let id = alice.take_id();
                alice.client.send(orders::open_orders(alice.account, 0, id)).expect("it is sent");
                asked += 1;
            }
            if cycle < kills && step == 60 {
                venue = killed_and_back(&home, venue);
            }
            while bob.client.next_event(Duration::ZERO).expect("a member holds on").is_some() {}
        }
        // All of this cycle, up to the answer to its last command.
        let last =
            alice.client.send(orders::cancel_by_cl_ord_id(alice.account, 1 << 40, 1 << 41)).expect("sent");
        loop {
            let event = alice.hear();
            match &event.body {
                Body::Resumed(_) => list.clear(),
                Body::OpenOrder(it) => {
                    list.insert(it.cl_ord_id.get(), (it.price.get(), it.leaves_qty.get()));
                }
                Body::Complete(complete) => {
                    assert_eq!((complete.code.get(), complete.count.get() as usize), (0, list.len()));
                    listed.push((complete.exec_id.get(), std::mem::take(&mut list)));
                }
                _ => {}
            }
            let done = event.body.ref_seq() == last;
            told.push(event);
            if done {
                break;
            }
        }
    }
    assert!(listed.len() as u64 * 2 > asked, "most of {asked} lists came whole: {}", listed.len());
    assert!(listed.iter().any(|(_, list)| list.len() > 5), "there was something to list");
    for (exec_id, list) in &listed {
        assert_eq!(*list, open_before(&told, *exec_id), "at {exec_id}");
    }
    println!("lists in the flow: {} of {asked} came whole over {kills} kills", listed.len());
}

/// How the last event of an order ends it.
fn ends(event: &Event, order_id: u64) -> bool {
    match &event.body {
        Body::Executed(fill) => fill.order_id.get() == order_id && fill.status == status::FILLED,
        Body::Canceled(canceled) => canceled.order_id.get() == order_id,
        _ => false,
    }
}

/// (f) A cancel that crosses a fill: whichever was first, the order ends once, for both members alike, kills or not.
#[test]
fn a_cancel_that_crosses_a_fill_ends_once() {
    let mut draw = Draw::new(seed());
    let home = home();
    let mut venue = home.serve();
    let (mut alice, mut bob) = (Trader::connect(&home, "alice", None), Trader::connect(&home, "bob", None));
    let (mut filled, mut canceled) = (0, 0);
    for round in 0..tiered(40, 1_000) {
        let order = alice.order(Side::Buy, PRICE9, 1, Tif::Gtc);
        let order_id = loop {
            if let Body::Accepted(accepted) = alice.hear().body {
                break accepted.order_id.get();
            }
        };
        let id = alice.take_id();
        let cancel = orders::cancel_by_cl_ord_id(alice.account, order, id);
        // Either is first, and neither waits for the other.
        let bob_first = draw.one_in(2);
        if bob_first {
            bob.order(Side::Sell, PRICE9, 1, Tif::Ioc);
        }
        let asked = alice.client.send(cancel).expect("it is sent");
        if !bob_first {
            bob.order(Side::Sell, PRICE9, 1, Tif::Ioc);
        }
        if round % 10 == 5 {
            venue = killed_and_back(&home, venue);
        }
        let (mut ended, mut refused) = (0, false);
        loop {
            let event = alice.hear();
            ended += u64::from(ends(&event, order_id));
            refused |= matches!(&event.body, Body::Rejected(it) if it.ref_seq.get() == asked);
            if event.body.ref_seq() == asked {
                break;
            }
        }
        // His order is immediate: what it did not trade is canceled.
        let traded = loop {
            match bob.hear().body {
                Body::Executed(_) => break true,
                Body::Canceled(_) => break false,
                _ => {}
            }
        };
        assert_eq!(ended, 1, "round {round}: one end");
        assert_eq!(refused, traded, "round {round}: the cancel was refused because the order was filled");
        filled += i64::from(traded);
        canceled += i64::from(!traded);
    }
    assert!(alice.open_orders().is_empty() && bob.open_orders().is_empty());
    println!("cancels that crossed: {filled} filled, {canceled} canceled");
}

/// (g) Two sessions of one account amend and cancel each other's orders (rules 5.13 and 5.35): the sender is answered under its own
/// id, who entered the order gets a copy under the order's, and executions go to who entered it.
#[test]
fn two_sessions_of_one_account_change_each_others_orders() {
    let home = home();
    let mut venue = home.serve();
    let (mut first, mut second) =
        (Trader::connect(&home, "alice", None), Trader::connect(&home, SECOND, None));
    let mut bob = Trader::connect(&home, "bob", None);
    second.next_id = 1_000_000;
    for round in 0..tiered(3, 30) as i64 {
        let (enters, changes) =
            if round % 2 == 0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
        let order = enters.order(Side::Buy, PRICE9, 10, Tif::Gtc);
        let order_id = enters.hears_accepted().order_id;
        venue = killed_and_back(&home, venue);
        enters.hears_resumed();
        changes.hears_resumed();
        bob.hears_resumed();

        let amend = changes.take_id();
        let account = changes.account;
        let asked =
            changes.client.send(orders::modify(account, order, amend, None, Some(8))).expect("it is sent");
        let Body::Modified(answer) = changes.hear().body else { panic!("it is amended") };
        assert_eq!((answer.cl_ord_id.get(), answer.orig_cl_ord_id.get()), (amend, order));
        assert_eq!((answer.ref_seq.get(), answer.leaves_qty.get()), (asked, 8));
        let Body::Modified(copy) = enters.hear().body else { panic!("who entered it is told") };
        assert_eq!((copy.cl_ord_id.get(), copy.ref_seq.get(), copy.leaves_qty.get()), (order, 0, 8));

        bob.order(Side::Sell, PRICE9, 3, Tif::Ioc);
        bob.hears_accepted();
        bob.hears_executed();
        let fill = enters.hears_executed();
        assert_eq!((fill.order_id, fill.leaves_qty.get()), (order_id, 5));
        changes.hears_nothing_else();

        let cancel = changes.take_id();
        let asked = changes
            .client
            .send(orders::cancel_by_order_id(account, order_id.get(), cancel))
            .expect("it is sent");
        let Body::Canceled(answer) = changes.hear().body else { panic!("it is canceled") };
        assert_eq!((answer.cl_ord_id.get(), answer.orig_cl_ord_id.get()), (cancel, order));
        assert_eq!((answer.ref_seq.get(), answer.canceled_qty.get()), (asked, 5));
        let Body::Canceled(copy) = enters.hear().body else { panic!("who entered it is told") };
        assert_eq!((copy.cl_ord_id.get(), copy.ref_seq.get(), copy.cum_qty.get()), (order, 0, 3));
        enters.hears_nothing_else();
        assert!(changes.open_orders().is_empty());
    }
}

/// The examples, as somebody starts them: the maker quotes, the taker takes, and a kill between the two fills stops neither.
#[test]
fn the_examples_trade() {
    let home = home();
    let mut venue = home.serve();
    let file = |name: &str| home.path().join("clients").join(format!("{name}.toml"));
    let alice = file("alice");
    let maker = thread::spawn(move || maker::make(&alice, "BTC-PERP", "50000", Some(2)));
    for round in 0..2 {
        // The quote may not be there yet.
        while taker::take(&file("bob"), "BTC-PERP", "51000", 1).expect("the venue takes orders") == 0 {}
        if round == 0 {
            venue = killed_and_back(&home, venue);
        }
    }
    assert_eq!(maker.join().expect("it does not panic"), Ok(-2));
    assert!(venue.terminate().0.success());
}
