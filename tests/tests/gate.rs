//! Durable before visible, one step at a time: the stages of a real venue on this thread, with real sockets and a real
//! journal, polled in an order that would show any output that leaves too early. Without the release gate in
//! `gateway::net` the first assertion fails at once.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

use engine::event::{OrderAccepted, OrderRejected};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::market::feed::{Follower, Start};
use gateway::pipeline::{self, Pipeline};
use gateway::recovery;
use gateway::stage::{Ending, Stage};
use journal::{BackEnd, Options, Storage, Writer};
use mio::net::TcpListener;
use tests::orders::limit;
use tests::peer::Peer;
use tests::venue::Home;

/// `disk` is what its journal is written to, if not the usual one.
fn venue(home: &Home, disk: Option<Slow>) -> Pipeline {
    let config = Config::load(home.path()).expect("init wrote it");
    let clock = Clock::start();
    let mut recovered = recovery::open(home.path(), &config, &clock).expect("a new directory");
    if let Some(disk) = disk {
        recovered.writer.close().expect("it is durable");
        let opened =
            Writer::open_with(&home.journal(), None, &Options::default(), &mut |_| Ok(()), Box::new(disk));
        recovered.writer = opened.expect("it was closed").0;
    }
    let address: SocketAddr = config.venue.listen.parse().expect("init wrote it");
    let listener = TcpListener::bind(address).expect("the port is free");
    let keys = config.keys().expect("init wrote them");
    pipeline::build(recovered, &config, keys, listener, clock, Ending::default())
        .expect("sockets are to be had")
}

/// A disk of which a sync, once asked to be slow, lasts until the test lets it end.
struct Slow {
    disk: Box<dyn Storage>,
    is_slow: Arc<AtomicBool>,
    begun: Sender<()>,
    end: Receiver<()>,
}

impl Storage for Slow {
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()> {
        self.disk.attach(segment, file)
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        self.disk.write(offset, image)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_slow.load(Relaxed) {
            self.begun.send(()).expect("the test waits");
            self.end.recv().expect("the test lets it end");
        }
        self.disk.sync()
    }
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
    let mut venue = venue(&home, None);
    let path = home.path().to_owned();
    let (step, steps) = channel();
    let (go, gone) = channel();

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

/// A sync may last seconds: sockets and engine go on meanwhile, and nothing of what they did is said before it ends.
#[test]
fn while_a_sync_lasts_nothing_is_said() {
    const ORDERS: u64 = 20;
    let home = Home::new(|text| text);
    let (is_slow, (begun, begins), (go, end)) = (Arc::new(AtomicBool::new(false)), channel(), channel());
    let disk = Slow { disk: BackEnd::default().storage(), is_slow: Arc::clone(&is_slow), begun, end };
    let Pipeline { mut net, mut matcher, mut journaler, .. } = venue(&home, Some(disk));
    let limit_of_release = Config::load(home.path()).expect("init wrote it").journal.sync.limit();
    let opened = Follower::open(&home.journal(), Start::default(), limit_of_release, 1 << 20);
    let mut follower = opened.expect("the journal is there");
    let path = home.path().to_owned();
    let member = std::thread::spawn(move || {
        let mut peer = Peer::connect(&path, "alice");
        peer.log_on(1);
        peer
    });
    while !member.is_finished() {
        net.poll();
        matcher.poll();
        journaler.poll();
    }
    let mut peer = member.join().expect("the logon went well");
    while journaler.poll() > 0 {}
    is_slow.store(true, Relaxed);
    let is_over = AtomicBool::new(false);
    let over = &is_over;
    std::thread::scope(|scope| {
        // Gone with a failed assertion, so that the disk does not wait for ever.
        let go = go;
        let journal = scope.spawn(move || {
            while !over.load(Relaxed) {
                journaler.poll();
            }
        });
        for seq in 1..=ORDERS {
            while follower.poll().expect("the journal is whole") {}
            let next_public = follower.window().next_seq();
            peer.say(0, seq, limit(10, 1, 1, 49_000_000_000_000, 1, 2, seq));
            while begins.try_recv().is_err() {
                net.poll();
                matcher.poll();
            }
            for _ in 0..2_000 {
                net.poll();
                matcher.poll();
            }
            assert_eq!(peer.here(), [], "order {seq} was answered while its sync lasted");
            follower.poll().expect("the journal is whole");
            let told = follower.window().next_seq();
            assert_eq!(told, next_public, "order {seq} was told to everybody while its sync lasted");
            go.send(()).expect("the disk waits");
            while peer.here().is_empty() {
                net.poll();
                matcher.poll();
            }
        }
        while follower.poll().expect("the journal is whole") {}
        assert!(follower.window().next_seq() > ORDERS, "the orders rest in the public book");
        is_slow.store(false, Relaxed);
        is_over.store(true, Relaxed);
        journal.join().expect("it goes on to the end");
    });
    println!("J10 slow syncs: {ORDERS} orders, nothing said while the sync of each lasted, 0 failures");
}
