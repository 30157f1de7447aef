//! Members under load who know nothing of what befalls their venue: each keeps what it was told, resumes where it was cut
//! off, and sends again what was not answered. What they heard is held against what is on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::message::Framed;
use gateway::client::{Body, Client, ConnectOptions};
use gateway::client_config::ClientConfig;
use zerocopy::IntoBytes;

use crate::audit::Audit;
use crate::orders::{cancel, limit};
use crate::tier::tiered;
use crate::workload::Draw;

pub const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// How long the members of a venue that lives may hear nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// Commands that a member leaves unanswered.
fn window() -> usize {
    tiered(8, 64) as usize
}

/// What a member knows at the end.
pub struct Told {
    pub name: &'static str,
    session: u64,
    account: u32,
    sent: u64,
    /// By number: header and block.
    heard: BTreeMap<u64, Vec<u8>>,
    resumed: u64,
    resent: u64,
}

/// The message of a numbered event, as it stood in its frame.
fn message(body: &Body) -> Option<Vec<u8>> {
    Some(match body {
        Body::Accepted(body) => Framed::new(*body).as_bytes().to_vec(),
        Body::Rejected(body) => Framed::new(*body).as_bytes().to_vec(),
        Body::Canceled(body) => Framed::new(*body).as_bytes().to_vec(),
        Body::Executed(body) => Framed::new(*body).as_bytes().to_vec(),
        Body::Confirmed(body) => Framed::new(*body).as_bytes().to_vec(),
        _ => return None,
    })
}

/// A member that trades until told to stop, then waits for its last answers. It never knows that the venue dies.
fn member(
    config: ClientConfig,
    name: &'static str,
    seed: u64,
    stop: Arc<AtomicBool>,
    acks: Arc<AtomicU64>,
    quiet: Arc<Barrier>,
) -> Told {
    let options = ConnectOptions {
        auto_reconnect: true,
        reconnect_attempts: 100_000,
        backoff: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        ..ConnectOptions::default()
    };
    let (_nobody, never) = channel();
    let since = Instant::now();
    let mut client = loop {
        // The first venue may be killed before this member has come in.
        match Client::connect_with(&config, options.clone()) {
            Ok(client) => break client,
            Err(error) => assert!(since.elapsed() < PATIENCE, "no venue lets this member in: {error}"),
        }
        pass(&never, 10);
    };
    let (session, account) = (config.session, config.account);
    let (mut draw, window) = (Draw::new(seed), window());
    let mut told = Told { name, session, account, sent: 0, heard: BTreeMap::new(), resumed: 0, resent: 0 };
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        if stopping && client.unanswered() == 0 {
            break;
        }
        while !stopping && client.is_connected() && client.unanswered() < window {
            let id = told.sent + 1;
            let queued = if draw.one_in(3) && id > 4 {
                client.queue(cancel(account, id, id - 1 - draw.below(4)))
            } else {
                let (side, tif) = (1 + draw.below(2) as u8, if draw.one_in(4) { 3 } else { 2 });
                let price9 = 50_000_000_000_000 + draw.between(-6, 6) * 500_000_000;
                client.queue(limit(account, 1, side, price9, draw.between(1, 20), tif, id))
            };
            match queued {
                Ok(_) => told.sent += 1,
                Err(_) => break,
            }
        }
        told.hear(&mut client, &acks);
    }
    // The others' last orders may still trade with this member's; after the barrier nobody has one under way.
    quiet.wait();
    client.reconnect().expect("the last venue listens");
    while told.heard.len() as u64 + 1 < client.live_from() {
        told.hear(&mut client, &acks);
    }
    client.logout().expect("the last venue listens");
    told
}

impl Told {
    fn hear(&mut self, client: &mut Client, acks: &AtomicU64) {
        let event = client.next_event(Duration::from_millis(20)).expect("a member holds on");
        let Some(event) = event else { return };
        if let Body::Resumed(resumed) = event.body {
            self.resumed += 1;
            self.resent += resumed.resent as u64;
        }
        if let Some(message) = message(&event.body) {
            let twice = self.heard.insert(event.server_seq, message);
            assert!(twice.is_none(), "{} was told {} twice", self.name, event.server_seq);
            acks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Passes the time without being woken; nobody sends.
pub fn pass(never: &Receiver<()>, milliseconds: u64) {
    let _ = never.recv_timeout(Duration::from_millis(milliseconds));
}

/// Waits until so much was told to all together.
pub fn pass_to(never: &Receiver<()>, acks: &AtomicU64, due: u64) {
    let (mut told, mut since) = (acks.load(Ordering::Relaxed), Instant::now());
    while told < due {
        assert!(since.elapsed() < PATIENCE, "the members hear nothing");
        pass(never, 1);
        let before = std::mem::replace(&mut told, acks.load(Ordering::Relaxed));
        if told > before {
            since = Instant::now();
        }
    }
}

/// Waits until somebody was told something.
pub fn pass_to_an_answer(never: &Receiver<()>, acks: &AtomicU64) {
    pass_to(never, acks, acks.load(Ordering::Relaxed) + 1);
}

/// Members of one venue, each on a thread of its own.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    pub acks: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Told>>,
}

impl Crowd {
    pub fn start(home: &Path, seed: u64) -> Crowd {
        let (stop, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let quiet = Arc::new(Barrier::new(MEMBERS.len()));
        let start = |(index, name): (usize, &&'static str)| {
            let (name, stop, acks, quiet) = (*name, Arc::clone(&stop), Arc::clone(&acks), Arc::clone(&quiet));
            let config = ClientConfig::load(&home.join("clients").join(format!("{name}.toml")))
                .expect("init wrote it");
            std::thread::spawn(move || member(config, name, seed ^ index as u64, stop, acks, quiet))
        };
        let threads = MEMBERS.iter().enumerate().map(start).collect();
        Crowd { stop, acks, threads }
    }

    /// Lets all come to their last answers, which a venue must be there to give.
    pub fn end(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|it| it.join().expect("a member's checks hold")).collect()
    }
}

/// What all members together did and heard.
#[derive(Default)]
pub struct Sum {
    pub sent: u64,
    pub heard: u64,
    pub resumed: u64,
    pub resent: u64,
}

/// Holds what members heard against what is on disk: nothing lost, nothing beyond what was said, each command answered once.
pub fn compare(told: &[Told], audit: &Audit) -> Sum {
    let mut sum = Sum::default();
    for member in told {
        let on_disk = audit.told.get(&member.session).map_or(&[][..], Vec::as_slice);
        for (server_seq, message) in &member.heard {
            let kept = on_disk.get(*server_seq as usize - 1);
            assert_eq!(kept, Some(message), "{} was told {server_seq}, and it is lost", member.name);
        }
        assert_eq!(member.heard.len(), on_disk.len(), "{} heard everything that was said to it", member.name);
        for seq in 1..=member.sent {
            let answers = audit.answered.get(&(member.session, seq)).copied().unwrap_or(0);
            assert_eq!(answers, 1, "{} number {seq} was answered {answers} times", member.name);
            let orders = audit.accepted.get(&(member.account, seq)).copied().unwrap_or(0);
            assert!(orders <= 1, "{} order {seq} was accepted {orders} times", member.name);
        }
        let session = audit.engine.session(member.session).expect("init wrote it");
        assert_eq!(session.next_client_seq, member.sent + 1, "{}: nothing beyond what was sent", member.name);
        sum.heard += member.heard.len() as u64;
        sum.sent += member.sent;
        sum.resumed += member.resumed;
        sum.resent += member.resent;
    }
    sum
}
