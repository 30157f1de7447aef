//! Durable before visible, one step at a time: the stages of a real venue on this thread, with real sockets and a real
//! journal, polled in an order that would show any output that leaves too early. Without the release gate in
//! `gateway::net` the first assertion fails at once.

use std::net::SocketAddr;

use engine::event::{OrderAccepted, OrderRejected};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::pipeline::{self, Pipeline};
use gateway::recovery;
use gateway::stage::{Ending, Stage};
use mio::net::TcpListener;
use tests::orders::limit;
use tests::peer::Peer;
use tests::venue::Home;

fn venue(home: &Home) -> Pipeline {
    let config = Config::load(home.path()).expect("init wrote it");
    let clock = Clock::start();
    let recovered = recovery::open(home.path(), &config, &clock).expect("a new directory");
    let address: SocketAddr = config.venue.listen.parse().expect("init wrote it");
    let listener = TcpListener::bind(address).expect("the port is free");
    let keys = config.keys().expect("init wrote them");
    pipeline::build(recovered, &config, keys, listener, clock, Ending::default())
        .expect("sockets are to be had")
}

/// Sockets and engine, as often as anybody could wish; the journal not at all.
fn without_the_journal(venue: &mut Pipeline) {
    for _ in 0..2_000 {
        venue.net.poll();
        venue.matcher.poll();
    }
}

#[test]
fn nothing_is_said_before_it_is_durable() {
    let home = Home::new(|text| text);
    let mut venue = venue(&home);
    let path = home.path().to_owned();
    let (step, steps) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel();

    // The peer blocks, so it has a thread of its own; the venue moves only when this test polls it.
    let member = std::thread::spawn(move || {
        let mut peer = Peer::connect(&path, "alice");
        let challenge = peer.challenge();
        let logon = peer.sign(&challenge, peer.logon_body(1));
        peer.say(0, 0, logon);
        step.send(peer).expect("the test waits");
        let mut peer: Peer = gone.recv().expect("the test hands it back");
        let ack = peer.next().expect("the logon is answered");
        (peer, ack)
    });
    let mut peer = loop {
        without_the_journal(&mut venue);
        if let Ok(peer) = steps.try_recv() {
            break peer;
        }
    };
    without_the_journal(&mut venue);
    assert_eq!(peer.here(), [], "a logon was answered before its sync");
    go.send(peer).expect("the peer waits");
    let (mut peer, ack) = loop {
        venue.journaler.poll();
        without_the_journal(&mut venue);
        if member.is_finished() {
            break member.join().expect("the logon went well");
        }
    };
    assert_eq!(ack.template_id(), 4);

    for seq in 1..=200 {
        // Every second order is refused: refusals reflect state as well.
        let qty = if seq % 2 == 0 { 0 } else { 1 };
        peer.say(0, seq, limit(10, 1, 1, 49_000_000_000_000, qty, 2, seq));
        without_the_journal(&mut venue);
        assert_eq!(peer.here(), [], "order {seq} was answered before its sync");
        let mut came = Vec::new();
        while came.is_empty() {
            venue.journaler.poll();
            without_the_journal(&mut venue);
            came = peer.here();
        }
        let [answer] = came.as_slice() else { panic!("order {seq}: {came:?}") };
        match seq % 2 {
            0 => assert_eq!(answer.is::<OrderRejected>().map(|it| it.ref_seq.get()), Some(seq)),
            _ => assert_eq!(answer.is::<OrderAccepted>().map(|it| it.ref_seq.get()), Some(seq)),
        }
    }
}
