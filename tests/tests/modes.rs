//! The sync modes, each as a member and an operator meet it: what is said before the disk has it and what is not, that the
//! disk follows within its bound, and that `kill -9` takes nothing in any of them.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use gateway::clock::Clock;
use gateway::config::Config;
use gateway::pipeline::{self, Pipeline};
use gateway::recovery;
use gateway::release::SyncMode;
use gateway::stage::{Ending, Stage};
use journal::{Storage, Syncer, Watermarks, Writer, Written};
use mio::net::TcpListener;
use tests::member::Member;
use tests::orders::limit;
use tests::peer::Peer;
use tests::venue::Home;

fn home(mode: &str) -> Home {
    let line = format!("sync = \"{mode}\"");
    Home::new(|text| {
        let text = text.replace("sync = \"group\"", &line);
        text.replace("async_ms = 10", "async_ms = 1").replace("async_mib = 16", "async_mib = 1")
    })
}

#[test]
fn the_mode_is_said_at_the_start_and_to_every_member() {
    for (name, mode) in [
        ("none", SyncMode::None),
        ("async", SyncMode::Async),
        ("group", SyncMode::Group),
        ("sync", SyncMode::Sync),
    ] {
        let home = home(name);
        let venue = home.serve();
        let said = venue.said.iter().find(|line| line.starts_with("release ")).expect("it is printed");
        assert!(said.contains(&format!("(sync = \"{name}\")")), "{said}");
        assert_eq!(said.contains("BEFORE"), !mode.waits_for_the_disk(), "{said}");
        let challenge = Peer::connect(home.path(), "alice").challenge();
        assert_eq!(SyncMode::from_wire(challenge.sync_mode), Some(mode));
        assert!(venue.terminate().0.success());
    }
}

#[test]
fn a_kill_takes_nothing_in_any_mode() {
    for name in ["none", "async", "group", "sync"] {
        let home = home(name);
        let mut venue = home.serve();
        let mut alice = Member::new(home.path(), "alice");
        for _ in 0..3 {
            (0..30).for_each(|_| alice.trade());
            venue.kill();
            venue = home.serve();
            alice.log_on_again();
        }
        assert!(venue.terminate().0.success(), "{name}");
    }
}

/// A disk whose syncs beside the writer wait until the test lets them go.
struct SlowDisk {
    disk: Written,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Storage for SlowDisk {
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()> {
        self.disk.attach(segment, file)
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        self.disk.write(offset, image)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync()
    }

    fn syncer(&self) -> io::Result<Option<Syncer>> {
        let (go, sync) = (Arc::clone(&self.go), self.disk.syncer()?.expect("this back end has one"));
        Ok(Some(Box::new(move || {
            // When the test is over, nobody holds a sync back any more.
            let _ = go.lock().expect("no test thread panicked").recv();
            sync()
        })))
    }
}

/// The stages of a venue on the slow disk, and what lets one sync go.
fn slow_venue(home: &Home) -> (Pipeline, Sender<()>) {
    let config = Config::load(home.path()).expect("init wrote it");
    let clock = Clock::start();
    let mut recovered = recovery::open(home.path(), &config, &clock).expect("a new directory");
    // Dropped first: it holds the lock.
    drop(recovered.writer);
    let (let_go, go) = channel();
    let disk = Box::new(SlowDisk { disk: Written::default(), go: Arc::new(Mutex::new(go)) });
    let options = journal::Options { segment_bytes: 4 << 20, ..Default::default() };
    let opened = Writer::open_with(&home.journal(), None, &options, &mut |_| Ok(()), disk);
    recovered.writer = opened.expect("whole").0;
    let address: SocketAddr = config.venue.listen.parse().expect("init wrote it");
    let listener = TcpListener::bind(address).expect("the port is free");
    let keys = config.keys().expect("init wrote them");
    let built = pipeline::build(recovered, &config, keys, listener, clock, Ending::default());
    (built.expect("sockets are to be had"), let_go)
}

fn turn(venue: &mut Pipeline) {
    venue.net.poll();
    venue.matcher.poll();
    venue.journaler.poll();
}

#[test]
fn async_speaks_before_the_disk_but_runs_ahead_of_it_only_so_far() {
    const BOUND_BYTES: u64 = 1 << 20;
    const GROUP_BYTES: u64 = 4096;
    const DATA_START: u64 = 4096;
    let home = home("async");
    let (mut venue, let_go) = slow_venue(&home);
    let path = home.path().to_owned();
    let logon = std::thread::spawn(move || {
        let mut peer = Peer::connect(&path, "alice");
        peer.log_on(1);
        peer
    });
    while !logon.is_finished() {
        turn(&mut venue);
    }
    let mut peer = logon.join().expect("answered while no sync has ended");
    let marks = Watermarks::open(&home.journal()).expect("mapped");
    let durable = marks.durable_position();
    // One order to a group, until nothing is answered any more.
    let mut seq = 0;
    let ahead = loop {
        seq += 1;
        peer.say(0, seq, limit(10, 1, 1, 49_000_000_000_000, 1, 2, seq));
        let answered = (0..2_000).any(|_| {
            turn(&mut venue);
            !peer.here().is_empty()
        });
        // The venue was opened twice, so it writes into a segment of which nothing is durable yet.
        assert!(marks.written_position().segment() > durable.segment());
        let ahead = marks.written_position().offset() - DATA_START;
        if !answered {
            break ahead;
        }
        assert_eq!(marks.durable_position(), durable, "no sync was let go");
        assert!(ahead <= BOUND_BYTES + GROUP_BYTES, "{ahead} bytes are not durable");
    };
    assert!((BOUND_BYTES..=BOUND_BYTES + GROUP_BYTES).contains(&ahead), "{ahead}");
    assert_eq!(marks.written(), marks.released(), "what is written is said");
    let_go.send(()).expect("a sync waits");
    let_go.send(()).expect("and another will");
    while peer.here().is_empty() {
        turn(&mut venue);
    }
    drop(let_go);
    while marks.durable() < marks.written() {
        turn(&mut venue);
    }
}
