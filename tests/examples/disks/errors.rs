//! J10: a venue on a disk of which the k-th sync fails, of which a sector cannot be read, and whose syncs last seconds.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use journal::BackEnd;
use tests::member::{Member, shown};
use tests::peer::Peer;
use tests::tier::{seed, tiered};
use tests::venue::{Home, Venue, run as run_program};
use tests::workload::Draw;

use crate::forgetful::{Disk, Plan};
use crate::forgetful_fuse::{Mounted, SharedDisk, lock};
use crate::slow::Slow;

const PATIENCE: Duration = Duration::from_secs(120);

pub fn run() {
    failed_syncs();
    bad_sectors();
    slow_syncs();
}

/// A venue's directory whose journal lies on the forgetful disk.
struct Rig {
    home: Home,
    disk: SharedDisk,
    slow: Arc<Slow>,
    mounted: Option<Mounted>,
}

impl Rig {
    fn new(keys: &[(&str, &str)]) -> Rig {
        let home = Home::new(|mut text| {
            for (default, chosen) in keys {
                assert!(text.contains(default), "{default} stands in the file");
                text = text.replace(default, chosen);
            }
            text
        });
        fs::create_dir_all(home.journal()).expect("there is room");
        let disk = Arc::new(Mutex::new(Disk::new()));
        Rig { home, disk, slow: Arc::new(Slow::default()), mounted: None }
    }

    fn mount(&mut self) {
        self.mounted = None;
        self.mounted = Some(Mounted::at(&self.home.journal(), &self.disk, &self.slow));
    }

    fn unmount(&mut self) {
        self.mounted = None;
    }

    fn choose(&self, back_end: BackEnd) {
        let file = self.home.path().join("ballast.toml");
        let text = fs::read_to_string(&file).expect("init wrote it");
        let line = text.lines().find(|line| line.starts_with("back_end")).expect("it is set");
        let text = text.replace(line, &format!("back_end = \"{back_end}\""));
        fs::write(&file, text).expect("the directory is ours");
    }

    fn notes(&self) -> PathBuf {
        self.home.path().join("notes")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.notes()).unwrap_or_default()
    }

    /// Started, and what it says to its operator kept. None if it ended before it listened.
    fn spawn(&self) -> Result<Venue, (Option<i32>, String)> {
        let notes = File::create(self.notes()).expect("there is room");
        let mut venue = Venue::spawn_with("serve", &self.home, Stdio::from(notes));
        match venue.try_read_until("listening") {
            Some(_) => Ok(venue),
            None => Err((venue.ended().0.code(), self.said())),
        }
    }

    fn start(&self) -> Venue {
        self.spawn().unwrap_or_else(|(code, said)| panic!("no start, {code:?}: {said}"))
    }
}

/// An order that is refused, so that it leaves nothing behind, and what came of it.
fn order(alice: &mut Member) -> String {
    let seq = alice.take_seq();
    let empty = alice.empty_order(seq);
    alice.peer.say(0, seq, empty);
    alice.hear()
}

/// In again, with everything that she was told and nothing that she did not send; false if the venue ended meanwhile.
fn log_on_again(alice: &mut Member, home: &Home, place: &str) -> bool {
    let Ok(peer) = Peer::try_connect(home.path(), "alice") else { return false };
    alice.peer = peer;
    let Some(ack) = alice.peer.try_log_on(alice.next_server_seq) else { return false };
    let (next_seq, next_server_seq) = (ack.next_client_seq.get(), ack.next_server_seq.get());
    // Only the last one that she sent was not answered.
    let is_kept =
        [alice.next_seq - 1, alice.next_seq].contains(&next_seq) && next_server_seq >= alice.next_server_seq;
    assert!(is_kept, "{place}: {ack:?}, due {} and {}", alice.next_seq, alice.next_server_seq);
    alice.next_seq = next_seq;
    while alice.next_server_seq < next_server_seq {
        let said = alice.hear();
        assert!(said != "closed", "{place}: not told again");
    }
    true
}

fn failed_syncs() {
    let (most, seed) = (tiered(20, 200), seed());
    let mut rig = Rig::new(&[]);
    let mut draw = Draw::new(seed);
    let (mut in_starts, mut under_load, mut survived, mut answered) = (0, 0, 0, 0);
    rig.mount();
    rig.choose(BackEnd::Written);
    let venue = rig.start();
    let mut alice = Member::new(rig.home.path(), "alice");
    assert!(venue.terminate().0.success());
    for k in 1..=most {
        let back_end = BackEnd::ALL[(k % 3) as usize];
        let place = format!("BALLAST_SEED={seed} {back_end}, sync {k} fails");
        rig.choose(back_end);
        if draw.one_in(2) {
            // The power goes between: what was not on the medium is gone from every cache as well.
            rig.unmount();
            lock(&rig.disk).cut(&mut draw);
            rig.mount();
        }
        lock(&rig.disk).begin(Plan { sync_fails: Some(k), ..Plan::default() });
        let failures = || lock(&rig.disk).counts.failed_syncs;
        let before = failures();
        match rig.spawn() {
            Err((code, said)) => {
                assert!(
                    [Some(1), Some(6)].contains(&code) && failures() > before,
                    "{place}: {code:?} {said}"
                );
                in_starts += 1;
            }
            Ok(venue) => {
                let mut left = 5;
                let mut heard = String::new();
                let is_in = log_on_again(&mut alice, &rig.home, &place);
                // A failure of what is made ahead of use is an alarm, and the venue goes on.
                while is_in && left > 0 {
                    heard = order(&mut alice);
                    if !heard.starts_with("OrderRejected") {
                        break;
                    }
                    answered += 1;
                    left -= u64::from(failures() > before);
                }
                if is_in && left == 0 {
                    let (status, _) = venue.terminate();
                    assert!(status.success(), "{place}: {status}: {}", rig.said());
                    survived += 1;
                } else {
                    assert!(["Logout Internal", "closed", ""].contains(&heard.as_str()), "{place}: {heard}");
                    let (status, said) = venue.ended();
                    assert_eq!(status.code(), Some(6), "{place}: {said:?} {}", rig.said());
                    under_load += 1;
                }
            }
        }
        lock(&rig.disk).begin(Plan::default());
        let venue = rig.start();
        assert!(log_on_again(&mut alice, &rig.home, &place), "{place}: {}", rig.said());
        assert!(order(&mut alice).starts_with("OrderRejected"), "{place}");
        venue.kill();
    }
    println!(
        "J10 failed syncs: the k-th for each k up to {most} over written, mapped and direct: {in_starts} ended a start, {under_load} a \
         venue under load, {survived} were of what is made ahead; {answered} answers before them, 0 lost, 0 failures (BALLAST_SEED={seed})"
    );
    assert!(in_starts > 0 && (under_load > 0 || most < 40), "the failures did what they are for");
}

/// Files that hold nothing yet: a writer keeps two ahead.
const SPARES: usize = 2;

/// Trades until the journal writes into its segment of this number.
fn grow(rig: &Rig, segment: usize) -> Member {
    let mut alice = Member::new(rig.home.path(), "alice");
    let since = Instant::now();
    let count = || lock(&rig.disk).files().keys().filter(|name| name.ends_with(".seg")).count();
    while count() < segment + SPARES {
        (0..50).for_each(|_| alice.trade());
        assert!(since.elapsed() < PATIENCE, "the journal grows");
    }
    alice
}

fn bad_sectors() {
    let (most, seed) = (tiered(10, 200), seed());
    // Without snapshots a start reads everything.
    let keys = [
        ("snapshot_every = 1000000", "snapshot_every = 0"),
        ("scrub_mib_per_s = 8", "scrub_mib_per_s = 256"),
    ];
    let mut rig = Rig::new(&keys);
    let mut draw = Draw::new(seed);
    rig.mount();
    let venue = rig.start();
    let alice = grow(&rig, 2);
    drop(alice);

    // While the venue runs: the scrubber finds it, and the venue goes on.
    let bad = ("00000000000000000001.seg".to_owned(), 300_000);
    lock(&rig.disk).begin(Plan { bad_sector: Some(bad), ..Plan::default() });
    let since = Instant::now();
    while !rig.said().contains("ALARM") {
        assert!(since.elapsed() < PATIENCE, "the scrubber finds the bad sector: {}", rig.said());
        Slow::default().wait(Duration::from_millis(20));
    }
    let said = rig.said();
    assert!(said.contains("00000000000000000001.seg") || said.contains("segment=1"), "{said}");
    lock(&rig.disk).begin(Plan::default());
    assert!(venue.terminate().0.success());

    let whole = unchanging(&rig);
    let (mut refused, mut followed) = (0, 0);
    for at in 0..most {
        // A reserve that cannot be read is none, and is made anew.
        let names: Vec<&String> = whole.keys().filter(|name| *name != "reserve.bin").collect();
        let name = names[draw.below(names.len() as u64) as usize].clone();
        let sector = draw.below(whole[&name].len() as u64) & !511;
        let place = format!("BALLAST_SEED={seed} {at}: {name} at {sector} cannot be read");
        rig.mount();
        lock(&rig.disk).begin(Plan { bad_sector: Some((name.clone(), sector)), ..Plan::default() });
        if at % 2 == 0 {
            let (code, said) = rig.spawn().err().unwrap_or_else(|| panic!("{place}: it starts"));
            assert!(code == Some(1) && said.contains(&name), "{place}: {code:?} {said}");
            refused += 1;
        } else {
            let shown = rig.home.shown();
            let done =
                run_program("settlement-bridge", &["follow", shown, "--exit-at-end", "--json", "--quiet"]);
            let said = [done.stdout, done.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            let is_read = lock(&rig.disk).counts.failed_reads > 0;
            let is_refused = [Some(1), Some(3), Some(7)].contains(&done.status.code());
            // A spare, or what is behind the end, is none of a reader's business.
            assert!(is_refused && is_read || done.status.success(), "{place}: {} {said}", done.status);
            followed += u64::from(is_refused);
        }
        assert!(unchanging(&rig) == whole, "{place}: a refusal modified something");
    }
    rig.mount();
    lock(&rig.disk).begin(Plan::default());
    let venue = rig.start();
    assert!(venue.terminate().0.success());
    println!(
        "J10 bad sectors: {most}, {refused} starts refused with nothing modified, {followed} bridges ended, 1 found by the scrubber, \
         0 failures (BALLAST_SEED={seed})"
    );
    assert!(refused > 0 && followed > 0, "the bad sectors did what they are for");
}

/// What no refusal may touch.
fn unchanging(rig: &Rig) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = lock(&rig.disk).files();
    files.retain(|name, bytes| name != "control" && !bytes.is_empty());
    files
}

fn slow_syncs() {
    let (most, seed) = (tiered(2, 30), seed());
    let mut draw = Draw::new(seed);
    let mut waited = Duration::ZERO;
    for back_end in [BackEnd::Written, BackEnd::Mapped] {
        let mut rig = Rig::new(&[]);
        rig.choose(back_end);
        rig.mount();
        let venue = rig.start();
        let mut alice = Member::new(rig.home.path(), "alice");
        for _ in 0..most / 2 {
            let lasts = Duration::from_millis(1_000 + draw.below(if most < 10 { 500 } else { 4_000 }));
            // The sync of an idle moment is over by then.
            rig.slow.wait(Duration::from_millis(300));
            let (_, ended) = rig.slow.counts();
            rig.slow.set(lasts);
            let seq = alice.take_seq();
            let empty = alice.empty_order(seq);
            alice.peer.say(0, seq, empty);
            let since = Instant::now();
            loop {
                let here = alice.peer.here();
                let (_, now) = rig.slow.counts();
                if let [answer] = here.as_slice() {
                    assert!(
                        now > ended,
                        "BALLAST_SEED={seed} {back_end}: {} before its sync ended",
                        shown(answer)
                    );
                    alice.next_server_seq += 1;
                    break;
                }
                assert!(since.elapsed() < PATIENCE, "{back_end}: the answer comes");
                rig.slow.wait(Duration::from_millis(1));
            }
            rig.slow.set(Duration::ZERO);
            waited += lasts;
        }
        assert!(venue.terminate().0.success());
    }
    println!(
        "J10 slow syncs on a disk: {most} of 1 to 5 s, {} s in all, no answer before the end of its own, 0 failures (BALLAST_SEED={seed})",
        waited.as_secs()
    );
}
