//! A member asks what its account was told before, over a real socket (rule 12.5, PROTOCOL.md 2.15): fills and rejects of an
//! earlier connection and of another session of the account, over a restart, long after the outbox has forgotten them, a part
//! at a time; what nobody is told; and who does not read or does not wait for the answer. In every layout of threads.

use std::collections::BTreeMap;

use engine::event::{OrderAccepted, OrderCanceled, OrderExecuted, OrderRejected, RequestComplete};
use engine::limits::{HISTORY_EVENTS_MAX, OUTBOX_MESSAGES};
use engine::message::{Header, ROUTE_BYTES, Route};
use engine::reject::Reject;
use gateway::client::orders::history;
use gateway::frame::{self, END_OF_EVENT, RETRANSMIT, SNAPSHOT};
use journal::{Kind, Limit, Reader, remove_segments_below};
use tests::audit::audit;
use tests::orders::{cancel, limit};
use tests::peer::{Came, Peer};
use tests::venue::Home;
use zerocopy::FromBytes;

const ACCOUNT: u32 = 10;
const OF_CAROL: u32 = 12;
const PRICE: i64 = 49_000_000_000_000;
const FAR: i64 = PRICE - 1_000_000_000_000;
const MAX: u64 = u64::MAX;

/// Alice and bob are sessions of one account.
fn home(threads: &str) -> Home {
    Home::new(|text| {
        let (auto, bob) = ("threads = \"auto\"", "id = 1002\naccount = 11");
        assert!(text.contains(auto) && text.contains(bob), "{text}");
        let text = text.replace(auto, &format!("threads = \"{threads}\""));
        text.replace(bob, &format!("id = 1002\naccount = {ACCOUNT}"))
    })
}

fn log_on(home: &Home, name: &str, next_server_seq: u64) -> Peer {
    let mut peer = Peer::connect(home.path(), name);
    peer.log_on(next_server_seq);
    peer
}

fn next(peer: &mut Peer) -> Came {
    peer.next().expect("the venue answers")
}

fn exec_id(message: &[u8]) -> u64 {
    u64::from_le_bytes(message[8..16].try_into().expect("every block of an order begins with it"))
}

/// What was asked for.
#[derive(Clone, Copy)]
struct Asked {
    account: u32,
    ids: [u64; 2],
    most: u32,
    /// Of one order or request alone; 0 of all.
    of: u64,
}

const ALL: Asked = Asked { account: ACCOUNT, ids: [1, MAX], most: HISTORY_EVENTS_MAX, of: 0 };

/// What is told again, and the end of it. What takes a number is for others to hear.
fn told(peer: &mut Peer, seq: u64, asked: Asked) -> (Vec<Vec<u8>>, RequestComplete) {
    peer.say(0, seq, history(asked.account, asked.ids[0]..=asked.ids[1], asked.most, asked.of));
    let mut messages = Vec::new();
    loop {
        let came = next(peer);
        assert_eq!(came.seq, 0, "it takes no number");
        if let Some(complete) = came.is::<RequestComplete>() {
            assert_eq!(came.flags, SNAPSHOT | END_OF_EVENT);
            assert_eq!((complete.cl_ord_id.get(), complete.ref_seq.get()), (asked.of, seq));
            assert_eq!(complete.count.get() as usize, messages.len());
            return (messages, complete);
        }
        assert_eq!(came.flags, RETRANSMIT);
        messages.push(came.message);
    }
}

fn whole(peer: &mut Peer, seq: u64, asked: Asked) -> Vec<Vec<u8>> {
    let (messages, complete) = told(peer, seq, asked);
    assert_eq!(complete.code.get(), 0);
    assert!(messages.last().is_none_or(|last| exec_id(last) < complete.exec_id.get()));
    messages
}

fn refused(peer: &mut Peer, seq: u64, asked: Asked, why: Reject) {
    let (messages, complete) = told(peer, seq, asked);
    assert_eq!((messages.len(), complete.code.get()), (0, why.code()));
}

/// Everything from `ids`, so many at a time: each answer says where the next begins.
fn pages(peer: &mut Peer, seq: &mut u64, mut asked: Asked) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let (messages, complete) = told(peer, *seq, asked);
        *seq += 1;
        all.extend(messages);
        if complete.code.get() == 0 {
            return all;
        }
        assert_eq!(complete.code.get(), Reject::RetransmitTooMany.code());
        assert_eq!(complete.count.get(), asked.most, "there are more only behind a full page");
        assert!(all.last().is_some_and(|last| exec_id(last) < complete.exec_id.get()));
        asked.ids[0] = complete.exec_id.get();
    }
}

/// What the journal says that these sessions were told of orders, by execution id.
fn journaled(home: &Home, sessions: &[u64]) -> Vec<Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut reader = Reader::open(&home.journal()).expect("it is whole");
    while reader
        .poll(Limit::Durable, 10_000, &mut |record| {
            if record.kind == Kind::Event {
                let (route, message) = record.payload.split_at(ROUTE_BYTES);
                let route = Route::ref_from_bytes(route).expect("it is as long as a route");
                let (header, _) = Header::ref_from_prefix(message).expect("it has a header");
                let of_orders = (200..=212).contains(&header.template_id.get());
                if of_orders && route.server_seq.get() > 0 && sessions.contains(&route.session.get()) {
                    found.insert((record.seq, record.sub), message.to_vec());
                }
            }
            Ok(())
        })
        .expect("read")
        > 0
    {}
    found.into_values().collect()
}

fn an_account_is_told_its_history(threads: &str) {
    let home = home(threads);
    let venue = home.serve();
    let (mut alice, mut bob) = (log_on(&home, "alice", 1), log_on(&home, "bob", 1));
    let mut carol = log_on(&home, "carol", 1);
    let mut expected = Vec::new();
    alice.say(0, 1, limit(ACCOUNT, 1, 1, PRICE, 1, 2, 1));
    expected.push(next(&mut alice).message);
    alice.say(0, 2, limit(ACCOUNT, 1, 1, PRICE, 0, 2, 2));
    let reject = next(&mut alice);
    assert_eq!(reject.is::<OrderRejected>().expect("no lots").code.get(), Reject::QtyNotPositive.code());
    expected.push(reject.message);
    bob.say(0, 1, limit(ACCOUNT, 1, 1, FAR, 1, 2, 3));
    expected.push(next(&mut bob).message);
    // What another account says in this account's name is nothing of its history.
    carol.say(0, 1, limit(ACCOUNT, 1, 2, PRICE, 1, 3, 1));
    assert!(next(&mut carol).is::<OrderRejected>().is_some());
    carol.say(0, 2, limit(OF_CAROL, 1, 2, PRICE, 1, 3, 2));
    assert!(next(&mut carol).is::<OrderAccepted>().is_some());
    assert!(next(&mut carol).is::<OrderExecuted>().is_some());
    let fill = next(&mut alice);
    assert!(fill.is::<OrderExecuted>().is_some());
    expected.push(fill.message);
    let ids: Vec<u64> = expected.iter().map(|message| exec_id(message)).collect();

    assert_eq!(whole(&mut bob, 2, ALL), expected);
    let of_carol = whole(&mut carol, 3, Asked { account: OF_CAROL, ..ALL });
    assert_eq!(of_carol, journaled(&home, &[carol.config.session]), "her own alone");
    refused(&mut carol, 4, ALL, Reject::NotYourAccount);
    refused(&mut bob, 3, Asked { ids: [0, MAX], ..ALL }, Reject::InvalidCombination);
    refused(&mut bob, 4, Asked { most: HISTORY_EVENTS_MAX + 1, ..ALL }, Reject::InvalidCombination);

    drop((alice, bob));
    venue.kill();
    let venue = home.serve();
    let mut bob = log_on(&home, "bob", 2);
    assert_eq!(whole(&mut bob, 5, ALL), expected);
    assert_eq!(whole(&mut bob, 6, Asked { ids: [ids[1], ids[2]], most: 2, ..ALL }), expected[1..3]);
    let (first, complete) = told(&mut bob, 7, Asked { most: 2, ..ALL });
    assert_eq!(first, expected[..2]);
    let more = (Reject::RetransmitTooMany.code(), ids[2]);
    assert_eq!((complete.code.get(), complete.exec_id.get()), more);
    assert_eq!(whole(&mut bob, 8, Asked { ids: [ids[2], MAX], most: 2, ..ALL }), expected[2..]);
    assert!(whole(&mut bob, 9, Asked { ids: [MAX, MAX], most: 1, ..ALL }).is_empty());
    let of_one = [expected[0].clone(), expected[3].clone()];
    assert_eq!(whole(&mut bob, 10, Asked { of: 1, ..ALL }), of_one);
    // After the restart the journal goes on in another segment.
    bob.say(0, 11, limit(ACCOUNT, 1, 1, FAR, 1, 2, 4));
    expected.push(next(&mut bob).message);
    let newest = [exec_id(&expected[4]), MAX];
    assert_eq!(whole(&mut bob, 12, ALL), expected);
    assert_eq!(whole(&mut bob, 13, Asked { ids: newest, ..ALL }), expected[4..]);
    let mut seq = 14;
    assert_eq!(pages(&mut bob, &mut seq, Asked { most: 1, ..ALL }), expected);
    drop(bob);

    let script = format!("history 1\nhistory {} {}\nhistory 1 c3\nhistory x\nquit\n", ids[0], ids[1]);
    let typed = home.typed("alice", &script);
    assert_eq!(typed.matches("told before, ").count(), 8, "{typed}");
    assert!(typed.contains("done: 5 told") && typed.contains("done: 2 told"), "{typed}");
    assert!(typed.contains("c3 done: 1 told"), "{typed}");
    assert!(typed.contains("use it as: history FROM [TO] [cID]"), "{typed}");
    let (status, said) = venue.terminate();
    assert!(status.success(), "{said:?}");
    audit(&home.journal());
}

/// Orders that are refused, until `messages` of them were told.
fn many(peer: &mut Peer, seq: &mut u64, messages: u64) {
    const WINDOW: u64 = 500;
    for _ in 0..messages.div_ceil(WINDOW) {
        let mut bytes = Vec::new();
        for _ in 0..WINDOW {
            frame::append(&mut bytes, 0, *seq, 0, limit(ACCOUNT, 1, 1, PRICE, 0, 2, 1));
            *seq += 1;
        }
        peer.write(&bytes);
        for _ in 0..WINDOW {
            assert!(next(peer).is::<OrderRejected>().is_some());
        }
    }
}

#[test]
fn what_the_outbox_has_forgotten_is_told_from_the_journal() {
    let home = home("auto");
    let venue = home.serve();
    let (mut alice, mut carol) = (log_on(&home, "alice", 1), log_on(&home, "carol", 1));
    let sessions = [alice.config.session, Peer::connect(home.path(), "bob").config.session];
    alice.say(0, 1, limit(ACCOUNT, 1, 1, PRICE, 2, 2, 1));
    assert!(next(&mut alice).is::<OrderAccepted>().is_some());
    carol.say(0, 1, limit(OF_CAROL, 1, 2, PRICE, 1, 3, 2));
    assert!(next(&mut alice).is::<OrderExecuted>().is_some());
    alice.say(0, 2, cancel(ACCOUNT, 9, 1));
    assert!(next(&mut alice).is::<OrderCanceled>().is_some());
    let mut seq = 3;
    many(&mut alice, &mut seq, OUTBOX_MESSAGES + 2_000);
    drop(alice);
    venue.kill();

    let venue = home.serve();
    let mut alice = Peer::connect(home.path(), "alice");
    let ack = alice.log_on(seq + 1);
    assert!(ack.oldest_server_seq.get() > 4, "the outbox has forgotten the beginning");
    let expected = journaled(&home, &sessions);
    assert!(expected.len() as u64 > OUTBOX_MESSAGES + 2_000);
    let heard = pages(&mut alice, &mut seq, ALL);
    assert!(heard == expected, "{} of {} messages, or others", heard.len(), expected.len());
    let of_one = whole(&mut alice, seq, Asked { of: 1, most: 3, ids: [1, exec_id(&expected[2])], ..ALL });
    assert_eq!(of_one, expected[..3]);
    let late = expected.len() - 5;
    let newest = Asked { ids: [exec_id(&expected[late]), MAX], ..ALL };
    assert_eq!(whole(&mut alice, seq + 1, newest), expected[late..]);

    // While one answer is under way there is no other; both are ended.
    seq += 2;
    loop {
        assert!(seq < expected.len() as u64 + 1_000, "ten thousand are never in the way of the next answer");
        let both = [seq, seq + 1];
        seq += 2;
        let mut bytes = Vec::new();
        for number in both {
            frame::append(&mut bytes, 0, number, 0, history(ACCOUNT, 1..=MAX, HISTORY_EVENTS_MAX, 0));
        }
        alice.write(&bytes);
        let mut codes = BTreeMap::new();
        while codes.len() < 2 {
            if let Some(complete) = next(&mut alice).is::<RequestComplete>() {
                codes.insert(complete.ref_seq.get(), complete.code.get());
            }
        }
        assert_eq!(codes[&both[0]], Reject::RetransmitTooMany.code());
        if codes[&both[1]] == Reject::RetransmitBusy.code() {
            break;
        }
        assert_eq!(codes[&both[1]], Reject::RetransmitTooMany.code());
    }
    // What is kept no longer is not passed over in silence.
    let reader = Reader::open(&home.journal()).expect("it is whole");
    assert!(remove_segments_below(&home.journal(), &reader.identity(), 3).expect("removed") > 0);
    let (messages, complete) = told(&mut alice, seq, ALL);
    assert_eq!((messages.len(), complete.code.get()), (0, Reject::RetransmitTooOld.code()));
    let rest = journaled(&home, &sessions);
    assert!(rest.len() > 100 && rest.len() < expected.len() && expected.ends_with(&rest));
    let oldest = complete.exec_id.get();
    assert!(oldest <= exec_id(&rest[0]));
    seq += 1;
    assert!(pages(&mut alice, &mut seq, Asked { ids: [oldest, MAX], ..ALL }) == rest);
    refused(&mut alice, seq, Asked { ids: [oldest - 1, oldest], ..ALL }, Reject::RetransmitTooOld);
    drop((alice, carol));
    assert!(venue.terminate().0.success());
}

#[test]
fn who_does_not_read_or_leaves_ends_its_own_request_alone() {
    let home = home("auto");
    let venue = home.serve();
    let (mut alice, mut bob) = (log_on(&home, "alice", 1), log_on(&home, "bob", 1));
    let (mut seq, mut bobs) = (1, 1);
    many(&mut alice, &mut seq, 12_000);
    let few = Asked { most: 10, ..ALL };
    let expected = journaled(&home, &[alice.config.session])[..10].to_vec();
    // Until the venue has closed the connection of one that asks and asks and never reads, the other is answered.
    while alice.is_taken(seq, history(ACCOUNT, 1..=MAX, HISTORY_EVENTS_MAX, 0)) {
        seq += 1;
        assert_eq!(told(&mut bob, bobs, few).0, expected);
        bobs += 1;
    }
    drop(alice);
    for _ in 0..20 {
        let mut leaver = Peer::connect(home.path(), "alice");
        let ack = leaver.log_on(12_001);
        leaver.say(0, ack.next_client_seq.get(), history(ACCOUNT, 1..=MAX, HISTORY_EVENTS_MAX, 0));
    }
    assert_eq!(told(&mut bob, bobs, few).0, expected);
    let mut alice = Peer::connect(home.path(), "alice");
    let mut seq = alice.log_on(12_001).next_client_seq.get();
    let all = pages(&mut alice, &mut seq, ALL);
    assert!(all == journaled(&home, &[alice.config.session]), "{} messages, or others", all.len());
    drop((alice, bob));
    assert!(venue.terminate().0.success());
}

#[test]
fn an_account_is_told_its_history_by_a_thread_apart_from_the_only_one() {
    an_account_is_told_its_history("single");
}

#[test]
fn an_account_is_told_its_history_beside_sleeping_stages() {
    an_account_is_told_its_history("blocking");
}

#[test]
fn an_account_is_told_its_history_beside_two_threads() {
    an_account_is_told_its_history("shared");
}

#[test]
fn an_account_is_told_its_history_beside_three_threads() {
    an_account_is_told_its_history("dedicated");
}
