//! kill -9 at random moments under load from four sessions. Each member keeps what it was told; nothing of that may be
//! missing afterwards, nothing may be there twice, and the state must be the one that an independent replay and the
//! naive model reach. Some kills hit the start and the recovery themselves.
//!
//! `BALLAST_TIER=1` is the size of a release; `BALLAST_KILLS` sets the number of cycles, `BALLAST_ACKS` how many messages the
//! members hear at the least, `BALLAST_SEED` the moments.

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
use gateway::snapshots::verify;
use journal::{load_identity, snapshot_path, snapshot_seqs};
use tests::audit::audit;
use tests::orders::{cancel, limit};
use tests::tier::{number, seed, tiered};
use tests::venue::{Home, Venue, run};
use tests::workload::Draw;
use zerocopy::IntoBytes;

const MEMBERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// How long the members of a venue that lives may hear nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// Commands that a member leaves unanswered.
fn window() -> usize {
    tiered(8, 64) as usize
}

/// What a member knows at the end.
struct Told {
    name: &'static str,
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
fn pass(never: &Receiver<()>, milliseconds: u64) {
    let _ = never.recv_timeout(Duration::from_millis(milliseconds));
}

/// Waits until so much was told to all together.
fn pass_to(never: &Receiver<()>, acks: &AtomicU64, due: u64) {
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

fn start_members(
    home: &Path,
    seed: u64,
    stop: &Arc<AtomicBool>,
    acks: &Arc<AtomicU64>,
) -> Vec<JoinHandle<Told>> {
    let quiet = Arc::new(Barrier::new(MEMBERS.len()));
    let start = |(index, name): (usize, &&'static str)| {
        let (name, stop, acks, quiet) = (*name, Arc::clone(stop), Arc::clone(acks), Arc::clone(&quiet));
        let config =
            ClientConfig::load(&home.join("clients").join(format!("{name}.toml"))).expect("init wrote it");
        std::thread::spawn(move || member(config, name, seed ^ index as u64, stop, acks, quiet))
    };
    MEMBERS.iter().enumerate().map(start).collect()
}

#[test]
fn nothing_acknowledged_is_lost_or_done_twice() {
    let (kills, seed) = (number("BALLAST_KILLS", tiered(50, 500)), seed());
    let least = number("BALLAST_ACKS", tiered(0, 5_000_000));
    println!("BALLAST_KILLS={kills} BALLAST_ACKS={least} BALLAST_SEED={seed}");
    let mut draw = Draw::new(seed);
    let (_nobody, never) = channel();
    let home = Home::new(|text| {
        // Snapshots are made, recorded and gone on from while everything is killed.
        let text = text.replace("mark_every = 10000", "mark_every = 500");
        text.replace("snapshot_every = 1000000", &format!("snapshot_every = {}", tiered(700, 20_000)))
    });
    let (stop, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));

    let mut venue = home.serve();
    let members = start_members(home.path(), seed, &stop, &acks);
    let (mut in_recovery, mut idle) = (0, 0);
    for cycle in 0..kills {
        let before = acks.load(Ordering::Relaxed);
        // On a slow machine most members would not be back in so short a time.
        if cycle % 3 > 0 {
            pass_to(&never, &acks, before + 1);
        }
        pass_to(&never, &acks, least / kills * (cycle + 1));
        pass(&never, 10 + draw.below(70));
        if cycle % 10 == 3 {
            // On a slow machine no maker of the venue's own would be done in so short a life.
            let made = run("ballast", &["snapshot", "create", home.shown()]).status.code();
            assert!([Some(0), Some(5)].contains(&made), "made, or another one is at it: {made:?}");
        }
        idle += u64::from(acks.load(Ordering::Relaxed) == before);
        venue.kill();
        if cycle % 5 == 4 {
            // This one dies before it listens, somewhere in its own recovery.
            let unborn = Venue::spawn("serve", &home);
            pass(&never, draw.below(60));
            unborn.kill();
            in_recovery += 1;
        }
        venue = home.serve();
    }
    pass(&never, 200);
    stop.store(true, Ordering::Relaxed);
    let told: Vec<Told> = members.into_iter().map(|it| it.join().expect("a member's checks hold")).collect();
    let (status, _) = venue.terminate();
    assert!(status.success(), "the last venue ends well: {status}");

    let audit = audit(&home.journal());
    let (mut lost, mut heard, mut sent, mut resumed, mut resent) = (0, 0, 0, 0, 0);
    for member in &told {
        let on_disk = audit.told.get(&member.session).map_or(&[][..], Vec::as_slice);
        for (server_seq, message) in &member.heard {
            let kept = on_disk.get(*server_seq as usize - 1);
            lost += u64::from(kept != Some(message));
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
        heard += member.heard.len() as u64;
        sent += member.sent;
        resumed += member.resumed;
        resent += member.resent;
    }
    println!(
        "J1 kills: {kills} kills, {in_recovery} more in a recovery; {sent} commands sent, {heard} messages heard, {lost} lost; \
         {resumed} resumes, {resent} commands sent again; {} commands and {} marks replayed equal",
        audit.commands, audit.marks
    );
    assert!(lost == 0 && heard >= least / kills * kills, "{lost} of {heard} are lost");
    let (journal, mut snapshots) = (home.journal(), 0);
    for seq in snapshot_seqs(&journal).expect("listed") {
        let identity = load_identity(&journal).expect("a journal");
        let seen = verify::file(&snapshot_path(&journal, seq), Some(&identity));
        assert!(seen.verdict.is_ok(), "the snapshot of seq {seq}: {:?}", seen.verdict.err());
        snapshots += 1;
    }
    assert!(snapshots > 0, "some were made between the kills");
    assert!(audit.marks > 0 && resumed * 2 >= kills, "the cycles did what they are for");
    assert!(idle * 2 < kills, "most kills came under load");
}
