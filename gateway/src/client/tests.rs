use std::time::Duration;

use engine::event::{LogonReject, NotApplied, OrderAccepted, OrderRejected, SessionReject};
use engine::message::{Framed, Message};
use engine::reject::Reject;
use engine::units::Side;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use super::orders::Tif;
use super::peer::{ACCOUNT, Connection, Numbers, Venue, ack};
use super::*;
use crate::frame::{END_OF_EVENT, POSSIBLE_RESEND, RETRANSMIT};

const SOON: Duration = Duration::from_secs(120);
const BRIEF: Duration = Duration::from_millis(30);

fn quick() -> ConnectOptions {
    ConnectOptions {
        timeout: Duration::from_secs(120),
        reconnect_attempts: 3,
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(2),
        ..ConnectOptions::default()
    }
}

fn healing() -> ConnectOptions {
    ConnectOptions { auto_reconnect: true, ..quick() }
}

fn order(id: u64) -> NewOrder {
    orders::limit(ACCOUNT, 1, Side::Buy, 50_000_000_000_000, 2, Tif::Gtc, id)
}

/// An acceptance that answers command `ref_seq`, told as `seq`.
fn accept(connection: &mut Connection, flags: u16, seq: u64, ref_seq: u64) {
    let mut accepted = OrderAccepted::new_zeroed();
    accepted.ref_seq = U64::new(ref_seq);
    accepted.order_id = U64::new(100 + ref_seq);
    connection.say(flags, seq, accepted);
}

fn next(client: &mut Client) -> Event {
    client.next_event(SOON).expect("connected").expect("an event")
}

fn numbers(next_client_seq: u64, next_server_seq: u64) -> Numbers {
    Numbers { next_client_seq, next_server_seq, ..Numbers::default() }
}

#[test]
fn a_logon_is_signed_and_takes_its_numbers_from_the_venue() {
    let venue = Venue::run(|listener| {
        let (mut connection, logon) = Connection::establish(&listener, numbers(5, 3));
        assert_eq!((logon.next_client_seq.get(), logon.next_server_seq.get()), (1, 1));
        assert_eq!(logon.keep_alive_ms.get(), 10_000);
        let first = connection.hear().expect("an order");
        assert_eq!((first.seq, first.flags, first.block::<NewOrder>()), (5, 0, order(9)));
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    assert_eq!(client.position(), SessionPosition { next_client_seq: 5, next_server_seq: 1 });
    assert_eq!(client.live_from(), 3);
    assert!(client.server_time() >= client.logon_ack().server_time.get());
    assert_eq!(client.new_order(order(9)), Ok(5));
    venue.done();
}

#[test]
fn a_refusal_carries_its_code() {
    for (code, expected) in [(11, Some(Reject::BadSignature)), (999, None)] {
        let venue = Venue::run(move |listener| {
            let mut connection = Connection::accept(&listener);
            connection.hear_logon();
            let mut reject = LogonReject::new_zeroed();
            (reject.code, reject.text) = (U16::new(code), fixed_text("no"));
            connection.say(0, 0, reject);
        });
        let fault = Client::connect_with(&venue.config, quick()).err().expect("refused");
        match expected {
            Some(code) => assert_eq!(fault, ClientError::Refused(code, "no".into())),
            None => assert!(matches!(fault, ClientError::Protocol(_)), "{fault}"),
        }
        venue.done();
    }
}

#[test]
fn a_missing_key_and_a_missing_venue_are_sentences() {
    let venue = Venue::run(drop);
    let mut config = venue.config.clone();
    config.key_file = config.key_file.with_extension("none");
    let fault = Client::connect_with(&config, quick()).err().expect("no key");
    assert!(fault.to_string().contains("openssl genpkey"), "{fault}");
    let config = venue.config.clone();
    venue.done();
    // The listener is gone, and with its directory the key.
    let fault = Client::connect_with(&config, quick()).err().expect("nothing there");
    assert!(matches!(fault, ClientError::Key(_) | ClientError::Unreachable(_)), "{fault}");
}

#[test]
fn a_resume_sends_again_exactly_what_was_not_applied() {
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        for seq in 1..=4 {
            assert_eq!(connection.hear().expect("an order").seq, seq);
        }
        accept(&mut connection, END_OF_EVENT, 1, 1);
        drop(connection);
        // Orders 1 to 3 were applied; the answers to 2 and 3 are what the client missed.
        let (mut connection, logon) = Connection::establish(&listener, numbers(4, 4));
        assert_eq!((logon.next_client_seq.get(), logon.next_server_seq.get()), (5, 2));
        accept(&mut connection, RETRANSMIT | END_OF_EVENT, 2, 2);
        accept(&mut connection, RETRANSMIT | END_OF_EVENT, 3, 3);
        let again = connection.hear().expect("order 4 again");
        assert_eq!((again.seq, again.flags, again.block::<NewOrder>()), (4, POSSIBLE_RESEND, order(14)));
        accept(&mut connection, END_OF_EVENT, 4, 4);
        let fresh = connection.hear().expect("order 5");
        assert_eq!((fresh.seq, fresh.flags), (5, 0));
    });
    let mut client = Client::connect_with(&venue.config, healing()).expect("established");
    for id in 11..=14 {
        client.queue(order(id)).expect("queued");
    }
    client.flush().expect("written");
    let first = next(&mut client);
    assert_eq!((first.server_seq, first.retransmitted, first.body.ref_seq()), (1, false, 1));
    assert_eq!(client.unanswered(), 3);
    let resumed = Resumed { replayed: 2, resent: 1, engine_epoch: 11 };
    assert_eq!(next(&mut client).body, Body::Resumed(resumed));
    for (seq, retransmitted) in [(2, true), (3, true), (4, false)] {
        let event = next(&mut client);
        assert_eq!((event.server_seq, event.retransmitted, event.body.ref_seq()), (seq, retransmitted, seq));
        assert!(event.end_of_event);
    }
    assert_eq!(client.unanswered(), 0);
    assert_eq!(client.send(order(15)), Ok(5));
    venue.done();
}

#[test]
fn a_lost_connection_is_told_and_a_reconnect_heals_it() {
    let venue = Venue::run(|listener| {
        drop(Connection::establish(&listener, Numbers::default()));
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        assert!(connection.hear().is_some_and(|said| said.seq == 1));
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    assert!(matches!(client.next_event(SOON), Err(ClientError::Closed(_))));
    assert!(!client.is_connected());
    assert_eq!(client.send(order(1)), Err(ClientError::Disconnected));
    assert_eq!(client.position().next_client_seq, 1);
    assert_eq!(client.reconnect(), Ok(Resumed { replayed: 0, resent: 0, engine_epoch: 11 }));
    assert_eq!(client.send(order(1)), Ok(1));
    venue.done();
}

#[test]
fn a_repeat_is_dropped() {
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        for seq in [1, 2, 1, 2, 3] {
            accept(&mut connection, 0, seq, 0);
        }
        assert_eq!(connection.hear().expect("a goodbye").template, Logout::TEMPLATE);
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    for seq in 1..=3 {
        assert_eq!(next(&mut client).server_seq, seq);
    }
    assert_eq!(client.next_event(BRIEF), Ok(None));
    client.logout().expect("said");
    venue.done();
}

#[test]
fn a_gap_is_an_error_and_is_never_delivered() {
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        accept(&mut connection, 0, 1, 0);
        accept(&mut connection, 0, 3, 0);
        let (mut connection, logon) = Connection::establish(&listener, numbers(1, 4));
        assert_eq!(logon.next_server_seq.get(), 2);
        accept(&mut connection, RETRANSMIT, 2, 0);
        accept(&mut connection, RETRANSMIT, 3, 0);
        // A quiet venue whose next number is 6 has said 4 and 5.
        let (next_seq, ack_seq, echo) = (U64::new(6), U64::ZERO, U64::ZERO);
        connection.say(0, 0, Heartbeat { next_seq, ack_seq, echo });
        assert_eq!(connection.hear(), None);
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    assert_eq!(next(&mut client).server_seq, 1);
    assert_eq!(client.next_event(SOON), Err(ClientError::Gap { expected: 2, received: 3 }));
    assert_eq!(client.reconnect().map(|resumed| resumed.replayed), Ok(2));
    assert_eq!((next(&mut client).server_seq, next(&mut client).server_seq), (2, 3));
    assert_eq!(client.next_event(SOON), Err(ClientError::Gap { expected: 4, received: 6 }));
    venue.done();
}

/// What no venue sends, and each time an error instead of a panic or an event.
#[test]
fn garbage_is_an_error() {
    fn framed<M: Message>(flags: u16, seq: u64, block: M) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, flags, seq, 0, block);
        bytes
    }
    let with = |at: usize, value: u8| {
        let mut bytes = framed(0, 1, OrderAccepted::new_zeroed());
        bytes[at] = value;
        bytes
    };
    let answer_to = |ref_seq: u64| {
        let mut rejected = OrderRejected::new_zeroed();
        rejected.ref_seq = U64::new(ref_seq);
        framed(0, 1, rejected)
    };
    let far = Heartbeat { next_seq: U64::new(1), ack_seq: U64::new(u64::MAX), echo: U64::ZERO };
    let hole = NotApplied { from_seq: U64::new(u64::MAX), count: U32::new(u32::MAX), pad_a: U32::ZERO };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no frame at all", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("all ones", vec![0xff; 64]),
        ("all zeros", vec![0; 64]),
        ("another encoding", with(4, 0)),
        ("reserved flags", with(7, 0x80)),
        ("another schema", with(28, 0)),
        ("another version", with(30, 2)),
        ("a block of another length", with(24, 88)),
        ("a numbered message without a number", with(8, 0)),
        ("an unknown session template", framed(0, 0, order(1)).tap(26, 99)),
        ("a second acknowledgement", framed(0, 0, ack(Numbers::default()))),
        ("a number on a session message", framed(0, 1, TestRequest { echo: U64::ZERO })),
        ("an answer to what was never sent", answer_to(1)),
        ("an answer at the end of numbers", answer_to(u64::MAX)),
        ("a heartbeat at the end of numbers", framed(0, 0, far)),
        ("a hole at the end of numbers", framed(0, 0, hole)),
    ];
    for (what, bytes) in cases {
        let venue = Venue::run(move |listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            connection.say_bytes(&bytes);
            assert_eq!(connection.hear(), None);
        });
        let mut client = Client::connect_with(&venue.config, quick()).expect("established");
        let told = client.next_event(SOON);
        assert!(matches!(told, Err(ClientError::Protocol(_))), "{what}: {told:?}");
        venue.done();
    }
}

trait Tap {
    fn tap(self, at: usize, value: u8) -> Self;
}

impl Tap for Vec<u8> {
    fn tap(mut self, at: usize, value: u8) -> Vec<u8> {
        self[at] = value;
        self
    }
}

/// Every byte of a good stream, changed in turn: an answer of some kind, never a panic.
#[test]
fn a_changed_byte_never_panics_the_reader() {
    let mut message = Framed::new(OrderAccepted::new_zeroed()).as_bytes().to_vec();
    for at in 0..message.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let kept = std::mem::replace(&mut message[at], value);
            let mut bytes = Vec::new();
            frame::append_message(&mut bytes, 0, 1, 0, &message);
            let frame = frame::first(&bytes).expect("legal").expect("whole");
            let _ = event::read(&frame);
            message[at] = kept;
        }
    }
}

#[test]
fn impossible_numbers_in_a_logon_are_refused() {
    for bad in [numbers(0, 1), numbers(u64::MAX, 1), numbers(1, 0), numbers(1, u64::MAX)] {
        let venue = Venue::run(move |listener| drop(Connection::establish(&listener, bad)));
        let fault = Client::connect_with(&venue.config, quick()).err().expect("refused");
        assert!(matches!(fault, ClientError::Protocol(_)), "{fault}");
        venue.done();
    }
}

#[test]
fn a_dead_venue_is_noticed_after_a_test_request() {
    let venue = Venue::run(|listener| {
        let short = Numbers { keep_alive_ms: 100, ..Numbers::default() };
        let (mut connection, _) = Connection::establish(&listener, short);
        let mut heard = Vec::new();
        while let Some(said) = connection.hear() {
            heard.push(said.template);
        }
        assert!(heard.contains(&TestRequest::TEMPLATE), "{heard:?}");
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    let told = client.next_event(SOON);
    assert!(matches!(told, Err(ClientError::Silent { waited_ms: 200.. })), "{told:?}");
    venue.done();
}

#[test]
fn heartbeats_are_said_in_silence_and_on_request() {
    let venue = Venue::run(|listener| {
        let short = Numbers { keep_alive_ms: 3_000, ..numbers(4, 1) };
        let (mut connection, _) = Connection::establish(&listener, short);
        accept(&mut connection, 0, 1, 3);
        connection.say(0, 0, TestRequest { echo: U64::new(77) });
        let answer: Heartbeat = connection.hear().expect("an answer").block();
        assert_eq!((answer.next_seq.get(), answer.ack_seq.get(), answer.echo.get()), (4, 1, 77));
        // Silence on both sides: the client tests the venue or says that it lives, whichever is due first.
        let mut heard = Vec::new();
        while !heard.contains(&Heartbeat::TEMPLATE) {
            connection.say(0, 0, Heartbeat { next_seq: U64::new(2), ack_seq: U64::ZERO, echo: U64::ZERO });
            heard.push(connection.hear().expect("alive").template);
        }
        accept(&mut connection, 0, 2, 0);
        while connection.hear().is_some_and(|said| said.template != Logout::TEMPLATE) {}
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    assert_eq!((next(&mut client).server_seq, next(&mut client).server_seq), (1, 2));
    client.logout().expect("said");
    venue.done();
}

#[test]
fn answers_and_heartbeats_release_what_was_sent() {
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        for _ in 0..4 {
            connection.hear().expect("an order");
        }
        let mut reject = SessionReject::new_zeroed();
        reject.ref_seq = U64::new(1);
        connection.say(0, 0, reject);
        let hole = NotApplied { from_seq: U64::new(2), count: U32::new(1), pad_a: U32::ZERO };
        connection.say(0, 0, hole);
        connection.say(0, 0, Heartbeat { next_seq: U64::new(1), ack_seq: U64::new(3), echo: U64::ZERO });
        accept(&mut connection, 0, 1, 0);
        connection.hear().expect("a goodbye");
    });
    let options = ConnectOptions { unanswered_max: 4, ..quick() };
    let mut client = Client::connect_with(&venue.config, options).expect("established");
    for id in 1..=4 {
        client.send(order(id)).expect("sent");
    }
    assert_eq!(client.send(order(5)), Err(ClientError::TooManyUnanswered(4)));
    assert!(matches!(next(&mut client).body, Body::SessionReject(_)));
    assert_eq!(client.unanswered(), 3);
    assert!(matches!(next(&mut client).body, Body::NotApplied(_)));
    assert_eq!(client.unanswered(), 2);
    assert_eq!(next(&mut client).server_seq, 1);
    assert_eq!(client.unanswered(), 1);
    client.logout().expect("said");
    venue.done();
}

#[test]
fn a_displaced_client_does_not_come_back_by_itself() {
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        let mut logout = Logout::new_zeroed();
        (logout.code, logout.text) = (U16::new(Reject::Displaced.code()), fixed_text("displaced"));
        connection.say(0, 0, logout);
        assert_eq!(connection.hear(), None);
    });
    let mut client = Client::connect_with(&venue.config, healing()).expect("established");
    let displaced = ClientError::LoggedOut(Some(Reject::Displaced), "displaced".into());
    assert_eq!(client.next_event(SOON), Err(displaced));
    assert_eq!(client.next_event(SOON), Err(ClientError::Disconnected));
    venue.done();
}

#[test]
fn a_venue_that_only_hangs_up_is_given_up() {
    let venue = Venue::run(|listener| {
        for _ in 0..4 {
            drop(Connection::establish(&listener, Numbers::default()));
        }
    });
    let mut client = Client::connect_with(&venue.config, healing()).expect("established");
    let mut resumed = 0;
    let fault = loop {
        match client.next_event(SOON) {
            Ok(Some(event)) => assert!(matches!(event.body, Body::Resumed(_))),
            Ok(None) => panic!("nothing is told"),
            Err(fault) => break fault,
        }
        resumed += 1;
    };
    assert!(matches!(fault, ClientError::Closed(_)), "{fault}");
    assert_eq!(resumed, 3);
    venue.done();
}

#[test]
fn another_history_is_not_continued() {
    // (the venue's next client number, what it keeps from, the error)
    let cases = [
        (3, 1, ClientError::Diverged { mine: 2, venue: 3 }),
        (1, 2, ClientError::Forgotten { asked: 1, oldest: 2 }),
    ];
    for (next_client_seq, oldest_server_seq, expected) in cases {
        let venue = Venue::run(move |listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            assert_eq!(connection.hear().expect("an order").seq, 1);
            drop(connection);
            let later =
                Numbers { next_client_seq, next_server_seq: 9, oldest_server_seq, ..Numbers::default() };
            let (mut connection, _) = Connection::establish(&listener, later);
            assert_eq!(connection.hear(), None);
        });
        let mut client = Client::connect_with(&venue.config, healing()).expect("established");
        client.send(order(1)).expect("sent");
        assert_eq!(client.next_event(SOON), Err(expected));
        venue.done();
    }
}

#[test]
fn a_saved_position_is_asked_for_and_none_takes_what_is_kept() {
    let saved = SessionPosition { next_client_seq: 8, next_server_seq: 6 };
    for (resume, asked, starts_at) in [(Some(saved), 6, 6), (None, 1, 4)] {
        let venue = Venue::run(move |listener| {
            let kept = Numbers { oldest_server_seq: 4, ..numbers(20, 7) };
            let (mut connection, logon) = Connection::establish(&listener, kept);
            assert_eq!(logon.next_server_seq.get(), asked);
            accept(&mut connection, RETRANSMIT, starts_at, 19);
            connection.hear();
        });
        let mut client =
            Client::connect_with(&venue.config, ConnectOptions { resume, ..quick() }).expect("in");
        assert_eq!(client.position().next_client_seq, 20);
        assert_eq!(next(&mut client).server_seq, starts_at);
        drop(client);
        venue.done();
    }
}

/// Neither side may wait for the other: the venue answers every order, and the client reads only when all are written.
#[test]
fn a_burst_against_a_venue_that_answers_does_not_lock() {
    const BURST: u64 = 16_000;
    let venue = Venue::run(|listener| {
        let (mut connection, _) = Connection::establish(&listener, Numbers::default());
        for seq in 1..=BURST {
            assert_eq!(connection.hear().expect("an order").seq, seq);
            for copy in 0..4 {
                accept(&mut connection, 0, seq * 4 - 3 + copy, seq);
            }
        }
        connection.hear().expect("a goodbye");
    });
    let mut client = Client::connect_with(&venue.config, quick()).expect("established");
    for id in 1..=BURST {
        client.queue(order(id)).expect("queued");
    }
    client.flush().expect("written");
    for seq in 1..=BURST * 4 {
        assert_eq!(next(&mut client).server_seq, seq);
    }
    client.logout().expect("said");
    venue.done();
}
