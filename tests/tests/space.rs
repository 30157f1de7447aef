//! A venue whose disk runs full under load, again and again: it says so, takes no more orders, halts in order, and goes on when
//! there is space, in the same life or in the next; nobody is told what is not durable, and nothing that was told is lost.
//!
//! A limit on the size of files stands for the full disk, which needs no rights: no whole segment can be made, everything else
//! can be written. `BALLAST_MOUNTS=1` has a third party fill a small file system as well. `BALLAST_TIER=1` is the size of a release,
//! `BALLAST_ROUNDS` any other, `BALLAST_SEED` where the moments start.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use engine::Standstill;
use engine::event::LogonReject;
use journal::SegmentState;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;
use tests::audit::audit;
use tests::crowd::{Crowd, Sum, compare, pass, pass_to_an_answer};
use tests::member::Member;
use tests::peer::Peer;
use tests::tier::{number, seed, tiered};
use tests::venue::{Home, Venue, program};
use tests::workload::Draw;

const SEGMENT_BYTES: u64 = 4 << 20;
/// How long a venue may take to what it must come to.
const PATIENCE: Duration = Duration::from_secs(240);
const LOW: &str = "cancel-only";
const HALTED: &str = "halted until there is space";
const GOES_ON: &str = "the venue goes on";

/// A running venue and what it says on standard error.
struct Watched {
    venue: Venue,
    notes: Receiver<String>,
}

impl Watched {
    fn start(home: &Home, is_full: bool) -> Watched {
        let mut watched = Watched::spawn(home, is_full);
        watched.venue.read_until("listening");
        watched
    }

    fn spawn(home: &Home, is_full: bool) -> Watched {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        let mut command = Command::new("sh");
        // In blocks of 512 bytes, wherever sh comes from.
        let limit =
            if is_full { format!("ulimit -S -f {} && ", SEGMENT_BYTES / 512 - 1) } else { String::new() };
        command
            .arg("-c")
            .arg(format!("{limit}exec \"$0\" serve \"$1\""))
            .arg(program("ballast"))
            .arg(home.shown());
        let venue = Venue::run(command, Stdio::from(writer));
        let (told, notes) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        Watched { venue, notes }
    }

    /// Every line up to the one that holds the words.
    fn wait_for(&self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.notes.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let is_it = line.contains(words);
                    lines.push(line);
                    if is_it {
                        return lines;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("it never said '{words}': {lines:#?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended before it said '{words}': {lines:#?}")
                }
            }
        }
    }
}

/// What takes the venue's space.
enum Thief<'a> {
    Limit,
    File(&'a Path),
}

impl Thief<'_> {
    fn takes(&self, venue: &Watched) {
        match self {
            Thief::Limit => limit(venue, Some(SEGMENT_BYTES - 1)),
            Thief::File(at) => fill(&at.join("other")),
        }
    }

    fn gives_back(&self, venue: Option<&Watched>) {
        match self {
            Thief::Limit => venue.iter().for_each(|venue| limit(venue, None)),
            Thief::File(at) => fs::remove_file(at.join("other")).expect("ours"),
        }
    }
}

fn limit(venue: &Watched, bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(venue.venue.pid()), Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum })
        .expect("ours");
}

/// Writes until nothing more is taken.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a name takes no space here");
    for bytes in [1 << 20, 4096, 1] {
        while file.write_all(&vec![7; bytes]).is_ok() {}
    }
}

/// Small matches, so that a command needs little room and the journal's end comes near before it is kept for one.
fn small(text: String) -> String {
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("it is set").to_string();
    let (matches, groups) = (line("matches_per_command"), line("mmp_groups"));
    text.replace(&matches, "matches_per_command = 20").replace(&groups, "mmp_groups = 20")
}

fn small_in_single_groups(text: String) -> String {
    assert!(text.contains("sync = \"group\""), "init writes it");
    small(text.replace("sync = \"group\"", "sync = \"sync\""))
}

fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

#[derive(Debug, Clone, Copy)]
enum Round {
    CancelOnly,
    Halt,
    /// Killed and started while there is no space.
    KilledHalted,
    KilledAtAnyTime,
    EndedHalted,
}

const ROUNDS: [Round; 5] =
    [Round::Halt, Round::KilledHalted, Round::CancelOnly, Round::KilledAtAnyTime, Round::EndedHalted];

/// One time that the space goes and comes back. The venue that lives at its end.
fn play(
    round: Round,
    home: &Home,
    venue: Watched,
    thief: &Thief<'_>,
    draw: &mut Draw,
    crowd: &Crowd,
) -> Watched {
    let (_nobody, never) = channel();
    pass_to_an_answer(&never, &crowd.acks);
    thief.takes(&venue);
    let venue = match round {
        Round::CancelOnly => {
            venue.wait_for(LOW);
            venue
        }
        Round::Halt => {
            venue.wait_for(HALTED);
            venue
        }
        Round::KilledHalted => {
            venue.wait_for(HALTED);
            pass(&never, draw.below(30));
            venue.venue.kill();
            Watched::start(home, matches!(thief, Thief::Limit))
        }
        Round::KilledAtAnyTime => {
            pass(&never, draw.below(600));
            venue.venue.kill();
            let again = Watched::spawn(home, matches!(thief, Thief::Limit));
            pass(&never, draw.below(300));
            // Whether it came up or was refused, the next one finds all that was.
            again.venue.kill();
            thief.gives_back(None);
            return Watched::start(home, false);
        }
        Round::EndedHalted => {
            venue.wait_for(HALTED);
            let (status, said) = venue.venue.terminate();
            assert!(status.success(), "{said:?}");
            thief.gives_back(None);
            return Watched::start(home, false);
        }
    };
    thief.gives_back(Some(&venue));
    venue.wait_for(GOES_ON);
    venue
}

/// What rounds came to.
#[derive(Default)]
struct Total {
    played: [u64; ROUNDS.len()],
    sent: u64,
    heard: u64,
    commands: u64,
    marks: u64,
}

/// So many rounds of one venue: its journal holds all of them.
const ROUNDS_OF_A_VENUE: u64 = 10;

/// All rounds over venues and disks that `make` makes; the disk, where there is one, goes last. Every fifth venue has groups of
/// many commands; in the others each has one of its own, so that a disk runs full of a tenth as many, and the audit of what was
/// said, which is most of the work, is as much shorter.
fn rounds(what: &str, count: u64, make: impl Fn(fn(String) -> String) -> (Home, Option<Disk>)) {
    let mut total = Total::default();
    for first in (0..count).step_by(ROUNDS_OF_A_VENUE as usize) {
        let is_grouped = (first / ROUNDS_OF_A_VENUE) % 5 == 4;
        let (home, disk) = make(if is_grouped { small } else { small_in_single_groups });
        let thief = disk.as_ref().map_or(Thief::Limit, |disk| Thief::File(&disk.place));
        total.add(&home, &thief, seed() + first, ROUNDS_OF_A_VENUE.min(count - first));
        drop(home);
    }
    let Total { played, sent, heard, commands, marks } = total;
    println!(
        "J9 {what}: {count} rounds {:?}, {sent} commands sent, {heard} messages heard, 0 lost, 0 phantom; {commands} commands \
         and {marks} marks replayed equal (BALLAST_SEED={})",
        ROUNDS.into_iter().zip(played).collect::<Vec<_>>(),
        seed()
    );
}

impl Total {
    fn add(&mut self, home: &Home, thief: &Thief<'_>, seed: u64, count: u64) {
        let mut draw = Draw::new(seed);
        let mut venue = Watched::start(home, false);
        let crowd = Crowd::start(home.path(), seed);
        for number in 0..count {
            let kind = number as usize % ROUNDS.len();
            venue = play(ROUNDS[kind], home, venue, thief, &mut draw, &crowd);
            self.played[kind] += 1;
        }
        let (_nobody, never) = channel();
        pass_to_an_answer(&never, &crowd.acks);
        let told = crowd.end();
        let (status, said) = venue.venue.terminate();
        assert!(status.success(), "{said:?}");
        let audit = audit(&home.journal());
        assert_eq!(audit.engine.standstill(), Standstill::None);
        let Sum { sent, heard, .. } = compare(&told, &audit);
        self.sent += sent;
        self.heard += heard;
        self.commands += audit.commands;
        self.marks += audit.marks;
    }
}

fn count() -> u64 {
    number("BALLAST_ROUNDS", tiered(5, 500))
}

#[test]
fn a_venue_under_load_survives_a_disk_that_runs_full() {
    rounds("file-size limit", count(), |edit| (Home::within(&memory(), edit), None));
}

/// A file system of its own, gone with it.
struct Disk {
    place: PathBuf,
    _directory: TempDir,
}

impl Disk {
    fn mounted(mib: u64) -> Disk {
        let directory = tempfile::tempdir().expect("a place to mount at");
        let (place, size) = (directory.path().to_owned(), format!("size={mib}m"));
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "venue"]).arg(&place).status();
        assert!(done.expect("there is mount").success(), "BALLAST_MOUNTS=1 needs the right to mount");
        Disk { place, _directory: directory }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

#[test]
fn a_venue_survives_a_third_party_that_fills_its_disk() {
    if std::env::var_os("BALLAST_MOUNTS").is_none() {
        println!("J9 third party: SKIPPED, set BALLAST_MOUNTS=1 as root");
        return;
    }
    rounds("a third party fills the disk", count(), |edit| {
        let disk = Disk::mounted(1024);
        (Home::within(&disk.place, edit), Some(disk))
    });
    println!("J9 quota: SKIPPED, it does not bind root; EDQUOT is what the journal's own tests inject");
}

/// Files of the journal that take space, and their lengths.
fn files(home: &Home) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = fs::read_dir(home.journal())
        .expect("it is ours")
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), entry.metadata().expect("ours").len())
        })
        .filter(|(name, _)| !name.ends_with(".tmp"))
        .collect();
    found.sort();
    found
}

/// Nothing is written any more: the last segment that holds anything has ended.
fn is_sealed(home: &Home) -> bool {
    let segments = journal::segment_summaries(&home.journal()).expect("listed");
    let last = segments.iter().rfind(|segment| segment.state != SegmentState::Spare);
    last.is_some_and(|segment| matches!(segment.state, SegmentState::Sealed(_)))
}

/// A start into a halt says so and takes nothing of what is free, however often it is tried.
#[test]
fn a_venue_that_is_halted_starts_into_its_halt_any_number_of_times() {
    let home = Home::within(&memory(), small);
    let venue = Watched::start(&home, false);
    let crowd = Crowd::start(home.path(), seed());
    let (_nobody, never) = channel();
    pass_to_an_answer(&never, &crowd.acks);
    limit(&venue, Some(SEGMENT_BYTES - 1));
    venue.wait_for(HALTED);
    // It is told when the disk has run full; what the venue then says is durable at the latest with the seal.
    let since = Instant::now();
    while !is_sealed(&home) {
        assert!(since.elapsed() < PATIENCE, "a venue that is halted seals");
        pass(&never, 10);
    }
    venue.venue.kill();
    let mut before = Vec::new();
    for life in 0..4 {
        let venue = Watched::start(&home, true);
        let line = venue.venue.said.iter().find(|line| line.starts_with("space")).expect("it is said");
        for part in ["the venue is halted", "bytes must be free for a segment", "goes on by itself"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        venue.wait_for("short of segments");
        if life % 2 == 0 {
            venue.venue.kill();
        } else {
            assert!(venue.venue.terminate().0.success());
        }
        // The first may make the reserve anew, for which there is room.
        let found = files(&home);
        assert!(life == 0 || found == before, "life {life}: {found:?}\n{before:?}");
        before = found;
    }
    let venue = Watched::start(&home, false);
    let told = crowd.end();
    assert!(venue.venue.terminate().0.success());
    let Sum { heard, .. } = compare(&told, &audit(&home.journal()));
    assert!(heard > 0);
}

/// Has refusals fill the journal until the venue is cancel-only.
fn use_up(bob: &mut Member) {
    let notice = loop {
        let seq = bob.take_seq();
        bob.peer.say(0, seq, bob.empty_order(seq));
        let heard = bob.hear();
        if heard != format!("OrderRejected ref={seq} QtyNotPositive") {
            break heard;
        }
    };
    assert_eq!(notice, "SessionReject ref=0 template=333 JournalFull");
}

/// Whatever one member is refused in cancel-only, the cancels of the others find room.
#[test]
fn refusals_leave_room_for_the_cancels_of_others() {
    let home = Home::within(&memory(), small_in_single_groups);
    let venue = Watched::start(&home, false);
    let mut alice = Member::new(home.path(), "alice");
    let orders: Vec<u64> = (0..20).map(|_| alice.order()).collect();
    for order in &orders {
        alice.hears(&[&format!("OrderAccepted ref={order}")]);
    }
    let mut carol = Member::new(home.path(), "carol");
    limit(&venue, Some(SEGMENT_BYTES - 1));
    use_up(&mut Member::new(home.path(), "bob"));
    venue.wait_for(LOW);
    for member in [&mut alice, &mut carol] {
        member.hears(&["SessionReject ref=0 template=333 JournalFull"]);
    }
    let mut refused = 0;
    let last = loop {
        let seq = carol.order();
        let heard = carol.hear();
        if heard != format!("OrderRejected ref={seq} JournalFull") {
            break heard;
        }
        refused += 1;
    };
    assert_eq!(last, "Logout JournalFull");
    assert!(refused > 10, "{refused}");
    let account = alice.peer.config.account;
    for order in orders {
        let seq = alice.take_seq();
        alice.peer.say(0, seq, tests::orders::cancel(account, seq, order));
        alice.hears(&[&format!("OrderCanceled ref={seq}")]);
    }
    limit(&venue, None);
    venue.wait_for(GOES_ON);
    assert!(venue.venue.terminate().0.success());
}

/// What one member sees of it, step by step.
#[test]
fn a_member_is_told_why_and_is_let_in_again() {
    let home = Home::within(&memory(), small);
    let venue = Watched::start(&home, false);
    let mut alice = Member::new(home.path(), "alice");
    let first = alice.order();
    alice.hears(&[&format!("OrderAccepted ref={first}")]);
    limit(&venue, Some(SEGMENT_BYTES - 1));
    use_up(&mut Member::new(home.path(), "bob"));
    alice.hears(&["SessionReject ref=0 template=333 JournalFull"]);
    let lines = venue.wait_for(LOW);
    let alarm = lines.iter().find(|line| line.contains("short of segments")).expect("it warned before");
    assert!(alarm.contains("needs 4194304 bytes") && alarm.contains("bytes are free in"), "{alarm}");
    assert!(lines.len() <= 4, "each thing is said once: {lines:#?}");
    // What adds is refused, what takes away is not, and a member may come and go.
    let second = alice.order();
    alice.hears(&[&format!("OrderRejected ref={second} JournalFull")]);
    let (account, seq) = (alice.peer.config.account, alice.take_seq());
    alice.peer.say(0, seq, tests::orders::cancel(account, seq, first));
    alice.hears(&[&format!("OrderCanceled ref={seq}")]);
    alice.log_on_again();
    // Cancels of nothing, until there is no room for one more.
    let last = loop {
        let seq = alice.take_seq();
        alice.peer.say(0, seq, tests::orders::cancel(account, seq, 1 << 40));
        let heard = alice.hear();
        if heard != format!("OrderRejected ref={seq} UnknownOrder") {
            break heard;
        }
    };
    venue.wait_for(HALTED);
    // The door may know of the halt before the word of it is durable.
    let mut words = vec![last];
    if words[0] == "SessionReject ref=0 template=333 JournalFull" {
        alice.order();
    }
    while words.last().is_some_and(|word| word != "closed") {
        words.push(alice.hear());
    }
    assert!(words.contains(&"Logout JournalFull".to_string()), "{words:?}");
    let mut peer = Peer::connect(home.path(), "alice");
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(alice.next_server_seq));
    peer.say(0, 0, logon);
    let reject = peer.next().and_then(|came| came.is::<LogonReject>()).expect("refused at the door");
    assert_eq!((reject.code.get(), reject.retry_after_ms.get()), (503, 1_000));
    limit(&venue, None);
    venue.wait_for(GOES_ON);
    let ack = loop {
        let mut peer = Peer::connect(home.path(), "alice");
        let challenge = peer.challenge();
        let logon = peer.sign(&challenge, peer.logon_body(alice.next_server_seq));
        peer.say(0, 0, logon);
        match peer.next().and_then(|came| came.is::<engine::event::LogonAck>()) {
            Some(ack) => break ack,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!(ack.trading_state, 4);
    assert!(venue.venue.terminate().0.success());
}
