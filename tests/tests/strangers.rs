//! What one peer may take of the venue, over real sockets: connections, failed logons, words without sense, time, memory, and
//! turns. The honest go on all the while. The battery's G1 and G2; `BALLAST_TIER=1` is the size of a release.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use engine::event::LogonReject;
use engine::reject::Reject;
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::frame;
use gateway::message::TestRequest;
use gateway::pipeline::{self, Pipeline};
use gateway::recovery;
use gateway::stage::{Ending, Stage};
use mio::net::TcpListener;
use tests::crowd::pass;
use tests::member::{Member, last_words, shown};
use tests::orders::limit;
use tests::peer::{Came, Peer};
use tests::tier::tiered;
use tests::venue::{Home, Venue};
use zerocopy::little_endian::U64;

/// Alice's account, and a price at which nothing meets.
const ALICE: u32 = 10;
const PRICE: i64 = 49_000_000_000_000;

fn told(peer: &mut Peer) -> String {
    peer.next().map_or("closed".into(), |came| shown(&came))
}

/// A logon with a signature of something else.
fn fail(peer: &mut Peer) -> String {
    let challenge = peer.challenge();
    let mut logon = peer.sign(&challenge, peer.logon_body(1));
    logon.signature[0] = U64::new(!logon.signature[0].get());
    peer.say(0, 0, logon);
    told(peer)
}

/// Many sessions of alice's account that only read.
fn crowd(home: &Home, count: u64) -> Vec<String> {
    let sessions: Vec<(String, u64)> =
        (0..count).map(|place| (format!("many-{place}"), 10_000 + place)).collect();
    home.enroll_many(&sessions, "alice", ALICE, "cancel-only");
    sessions.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_source_has_so_many_connections_and_no_more() {
    let home = Home::new(|text| text.replace("connections_per_address = 256", "connections_per_address = 3"));
    let _venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let connect = || Peer::connect(home.path(), "alice");
    let (mut second, mut third) = (connect(), connect());
    assert_eq!((second.challenge().session_id.get(), third.challenge().session_id.get()), (1001, 1001));
    for _ in 0..5 {
        assert_eq!(last_words(&mut connect()), [""; 0], "the fourth is closed without a word");
        bob.trade();
    }
    drop(second);
    // The venue sees the end of the second when it sees it.
    while last_words_of_a_logon(&mut connect()) != "LogonAck" {}
    bob.trade();
}

fn last_words_of_a_logon(peer: &mut Peer) -> String {
    peer.say(0, 0, peer.hello());
    let Some(challenge) = peer.next().and_then(|came| came.is()) else { return "closed".into() };
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, logon);
    told(peer)
}

#[test]
fn after_three_failures_in_a_row_a_source_waits_and_who_is_here_does_not() {
    let home = Home::new(|text| text.replace("logon_backoff_ms = 0", "logon_backoff_ms = 10000"));
    let _venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    // Two, then a good one: not in a row.
    let mut alice = Peer::connect(home.path(), "alice");
    assert_eq!([fail(&mut alice), fail(&mut alice)], ["LogonReject BadSignature"; 2]);
    alice.log_on(1);
    let mut failing = Peer::connect(home.path(), "alice");
    assert_eq!([fail(&mut failing), fail(&mut failing)], ["LogonReject BadSignature"; 2]);
    // One that had its challenge before the third failure has no use for it.
    let mut ready = Peer::connect(home.path(), "carol");
    let challenge = ready.challenge();
    assert_eq!(fail(&mut failing), "LogonReject BadSignature");
    assert_eq!(last_words(&mut failing), ["Logout LogonRate"]);
    ready.say(0, 0, ready.sign(&challenge, ready.logon_body(1)));
    let mut heard: Vec<Came> = ready.by_ref().collect();
    assert_eq!(heard.iter().map(shown).collect::<Vec<_>>(), ["LogonReject LogonRate", "Logout LogonRate"]);
    let wait = heard.swap_remove(0).is::<LogonReject>().expect("a reject").retry_after_ms.get();
    assert!((1..=10_000).contains(&wait), "{wait}");
    bob.trade();
    alice.say(0, 0, TestRequest { echo: U64::new(3) });
    assert!(told(&mut alice).ends_with("echo=3"));

    let (_nobody, never) = channel();
    loop {
        let mut carol = Peer::connect(home.path(), "carol");
        carol.say(0, 0, carol.hello());
        let came = carol.next().expect("an answer");
        let Some(reject) = came.is::<LogonReject>() else { break };
        assert_eq!(reject.code.get(), Reject::LogonRate.code());
        pass(&never, reject.retry_after_ms.get().into());
    }
    assert_eq!(last_words_of_a_logon(&mut Peer::connect(home.path(), "carol")), "LogonAck");
    bob.trade();
}

#[test]
fn ten_messages_in_a_row_without_sense_are_the_last() {
    let home = Home::new(|text| text);
    let _venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let mut alice = Peer::connect(home.path(), "alice");
    alice.log_on(1);
    let mut seq = 0;
    let mut nonsense = |alice: &mut Peer, place: u64| {
        // Unnumbered and numbered ones count alike.
        let is_numbered = place.is_multiple_of(2);
        seq += u64::from(is_numbered);
        let template = if is_numbered { 199_u16 } else { 99 };
        let header = [0, template, 7701, 1].map(u16::to_le_bytes).concat();
        let mut bytes = Vec::new();
        frame::append_message(&mut bytes, 0, if is_numbered { seq } else { 0 }, 0, &header);
        alice.write(&bytes);
    };
    for place in 1..=9 {
        nonsense(&mut alice, place);
        assert!(told(&mut alice).starts_with("SessionReject"));
    }
    alice.say(0, 0, TestRequest { echo: U64::new(1) });
    assert!(told(&mut alice).ends_with("echo=1"));
    (1..=10).for_each(|place| nonsense(&mut alice, place));
    alice.say(0, 10, limit(ALICE, 1, 1, PRICE, 1, 2, 1));
    let heard = last_words(&mut alice);
    assert_eq!(heard.last().map(String::as_str), Some("Logout BadFrame"), "{heard:?}");
    assert!(heard.iter().all(|line| !line.starts_with("OrderAccepted")), "{heard:?}");
    // Their numbers are used up all the same.
    let mut again = Peer::connect(home.path(), "alice");
    assert_eq!(again.log_on(1).next_client_seq.get(), 10);
    bob.trade();
}

#[test]
fn who_drips_is_closed_at_the_deadline_before_and_after_its_logon() {
    let count = tiered(100, 2_500);
    let home = Home::new(roomy);
    let names = crowd(&home, count);
    let venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let (_nobody, never) = channel();
    let mut dripping: Vec<(Peer, bool)> = Vec::new();
    for name in &names {
        dripping.push((Peer::connect(home.path(), "alice"), false));
        let mut member = Peer::connect(home.path(), name);
        let challenge = member.challenge();
        let mut logon = member.logon_body(1);
        logon.keep_alive_ms.set(1_000);
        let logon = member.sign(&challenge, logon);
        member.say(0, 0, logon);
        assert_eq!(told(&mut member), "LogonAck");
        dripping.push((member, true));
    }
    // A byte now and then of a frame that is never whole: a hello for those, an order for these.
    let mut hello = Vec::new();
    frame::append(&mut hello, 0, 0, 0, dripping[0].0.hello());
    let mut order = Vec::new();
    frame::append(&mut order, 0, 1, 0, limit(ALICE, 1, 1, PRICE, 1, 2, 1));
    let (mut ends, mut words, mut drops) = ([0, 0], 0, 0);
    while !dripping.is_empty() {
        let byte = drops.min(70);
        drops += 1;
        dripping.retain_mut(|(peer, is_member)| {
            let drop = if *is_member { order[byte] } else { hello[byte] };
            let is_taken = peer.drip(drop);
            let goodbye = if *is_member { "Logout HeartbeatLost" } else { "Logout ChallengeExpired" };
            let said = peer.here().iter().any(|came| shown(came) == goodbye);
            words += u64::from(said);
            // Who is too slow to hear the goodbye finds the connection gone.
            let is_over = said || !is_taken;
            ends[usize::from(*is_member)] += u64::from(is_over);
            !is_over
        });
        bob.trade();
        assert!(drops < 70 * 20, "{} drip on", dripping.len());
        pass(&never, 200);
    }
    assert!(words > count, "{words} were told why");
    assert_eq!(ends, [count, count]);
    println!("G2 {} connections that dripped were closed at their deadlines", 2 * count);
    let (status, said) = venue.terminate();
    assert!(status.success(), "{said:?}");
}

/// Room for as many as the tests of this file need.
fn roomy(text: String) -> String {
    text.replace("connections_per_address = 256", "connections_per_address = 20000")
        .replace("connections_max = 1024", "connections_max = 15000")
        .replace("accepts_per_s = 1000", "accepts_per_s = 100000")
        .replace("sessions = 1000", "sessions = 16000")
}

/// What the venue has in memory, from the system.
fn resident_bytes(venue: &Venue) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", venue.pid().as_raw_nonzero())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("the system says it");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().expect("a number") * 1024
}

#[test]
fn an_idle_connection_costs_little() {
    let count = tiered(500, 10_000);
    let home = Home::new(roomy);
    let names = crowd(&home, count);
    let venue = home.serve();
    let mut bob = Member::new(home.path(), "bob");
    let before = resident_bytes(&venue);
    let mut idle: Vec<Peer> = Vec::new();
    for name in &names {
        let mut peer = Peer::connect(home.path(), name);
        peer.log_on(1);
        for echo in 0..8 {
            peer.say(0, 0, TestRequest { echo: U64::new(echo) });
            assert!(told(&mut peer).starts_with("Heartbeat"));
        }
        idle.push(peer);
    }
    bob.trade();
    let each = resident_bytes(&venue).saturating_sub(before) / count;
    println!("G1 {count} idle connections: {each} bytes each in memory");
    assert!(each <= 64 * 1024, "{each} bytes each");
    // They are all still here.
    for peer in &mut idle {
        peer.say(0, 0, TestRequest { echo: U64::new(9) });
        assert!(told(peer).ends_with("echo=9"));
    }
}

/// A venue whose stages move only when the test polls them.
fn still(home: &Home) -> Pipeline {
    let config = Config::load(home.path()).expect("init wrote it");
    let clock = Clock::start();
    let recovered = recovery::open(home.path(), &config, &clock).expect("a new directory");
    let address: SocketAddr = config.venue.listen.parse().expect("init wrote it");
    let listener = TcpListener::bind(address).expect("the port is free");
    let keys = config.keys().expect("init wrote them");
    pipeline::build(recovered, &config, keys, listener, clock, Ending::default())
        .expect("sockets are to be had")
}

fn step(venue: &mut Pipeline) {
    venue.net.poll();
    venue.matcher.poll();
    venue.journaler.poll();
}

/// Polls until `member` has said and heard what it does on a thread of its own.
fn meanwhile<T: Send + 'static>(venue: &mut Pipeline, member: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(member);
    while !thread.is_finished() {
        step(venue);
    }
    thread.join().expect("the member is content")
}

#[test]
fn whoever_floods_has_no_more_turns_than_the_others() {
    const FLOOD: u64 = 300;
    let home = Home::new(|text| text);
    let mut venue = still(&home);
    let log_on = |venue: &mut Pipeline, name: &'static str| {
        let path = home.path().to_owned();
        meanwhile(venue, move || {
            let mut peer = Peer::connect(&path, name);
            peer.log_on(1);
            peer
        })
    };
    let mut alice = log_on(&mut venue, "alice");
    let mut bob = log_on(&mut venue, "bob");
    let mut carol = log_on(&mut venue, "carol");
    // A flood is in the kernel, and has had one turn, when each of the others says one thing.
    let mut flood = Vec::new();
    for seq in 1..=FLOOD {
        frame::append(&mut flood, 0, seq, 0, limit(ALICE, 1, 1, PRICE, 0, 2, seq));
    }
    alice.write(&flood);
    venue.net.poll();
    bob.say(0, 1, limit(11, 1, 1, PRICE, 0, 2, 1));
    carol.say(0, 1, limit(12, 1, 1, PRICE, 0, 2, 1));
    let (last, others) = meanwhile(&mut venue, move || {
        let flooded: Vec<u64> = alice.by_ref().take(FLOOD as usize).map(|came| command(&came)).collect();
        let others = [bob.next(), carol.next()].map(|came| command(&came.expect("an answer")));
        ((flooded[0], flooded[FLOOD as usize - 1]), others)
    });
    // Sixteen frames are a turn, and whoever comes first in a round has had one more.
    for other in others {
        assert!(
            other.saturating_sub(last.0) <= 2 * 16 + 2,
            "{other} came behind {} of the flood",
            other - last.0
        );
    }
    assert!(last.1 - last.0 >= FLOOD - 1);
}

/// The command that a numbered message follows from.
fn command(came: &Came) -> u64 {
    u64::from_le_bytes(came.message[8..16].try_into().expect("eight bytes")) >> 16
}
