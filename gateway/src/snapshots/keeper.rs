//! The thread of a running venue that looks after what lies behind it: has snapshots made by a process of their own, has the
//! journal record those that were verified, removes what nobody needs, and raises an alarm when a consumer stays behind.
//! Nothing that goes wrong here is the venue's end, but for the one bound that an operator sets for it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use journal::{Identity, SnapshotHead, Watermarks, cursors, snapshot_path, snapshot_seqs};

use crate::cli::{EXIT_REFUSED, say, warn};
use crate::config::{self, Config};
use crate::snapshots::reference::SnapshotReference;
use crate::snapshots::retention::{self, Policy};
use crate::snapshots::scrubber::Scrubber;
use crate::stage::Ending;

const LOOK: Duration = Duration::from_millis(100);
/// What costs a few system calls is done once in so many looks.
const LOOKS_PER_ROUND: u32 = 10;

/// The line to the journal's stage: what it shall record, and what it has made durable of that.
pub struct Line {
    pub references: Sender<SnapshotReference>,
    pub recorded: Receiver<u64>,
}

/// What the keeper is built from.
pub struct Parts {
    /// The venue's directory.
    pub directory: PathBuf,
    pub config: config::Journal,
    pub line: Line,
    /// What the start found in the journal.
    pub recorded: Vec<SnapshotReference>,
    /// The snapshot that this process started from, which has loaded it and so verified it.
    pub started_from: Option<u64>,
    pub ending: Ending,
}

/// The threads; dropped, they end.
pub struct Keeper {
    stops: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Keeper {
    pub fn start(parts: Parts) -> Result<Keeper, String> {
        let journal = Config::journal_directory(&parts.directory);
        let identity = journal::load_identity(&journal).map_err(|error| error.to_string())?;
        let watermarks = || Watermarks::open(&journal).map_err(|error| error.to_string());
        let damaged = Arc::new(AtomicBool::new(false));
        let mut keeper = Keeper { stops: Vec::new(), threads: Vec::new() };
        if parts.config.scrub_mib_per_s > 0 {
            let scrubber = Scrubber {
                journal: journal.clone(),
                identity: identity.clone(),
                watermarks: watermarks()?,
                bytes_per_second: parts.config.scrub_mib_per_s << 20,
                damaged: Arc::clone(&damaged),
                stop: keeper.stop(),
            };
            keeper.spawn("journal-scrub", move || scrubber.run())?;
        }
        let round = Round::new(parts, journal.clone(), identity, watermarks()?, damaged, keeper.stop());
        keeper.spawn("journal-keep", move || round.run())?;
        Ok(keeper)
    }

    fn stop(&mut self) -> Receiver<()> {
        let (sender, receiver) = channel();
        self.stops.push(sender);
        receiver
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
        let thread = Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(|error| format!("cannot start a thread: {error}"))?);
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            // A panic there has shown itself on standard error, and ended nothing else.
            let _ = thread.join();
        }
    }
}

struct Round {
    directory: PathBuf,
    journal: PathBuf,
    identity: Identity,
    config: config::Journal,
    policy: Policy,
    line: Line,
    watermarks: Watermarks,
    damaged: Arc<AtomicBool>,
    ending: Ending,
    stop: Receiver<()>,
    /// Seqs of the snapshots that are verified and recorded, ascending.
    recorded: Vec<u64>,
    /// Snapshots up to here were offered to the journal, or lay there before.
    offered: u64,
    /// The next one is made when so much is durable.
    due_seq: u64,
    making: Option<Child>,
    alarms: Alarms,
}

impl Round {
    fn new(
        parts: Parts,
        journal: PathBuf,
        identity: Identity,
        watermarks: Watermarks,
        damaged: Arc<AtomicBool>,
        stop: Receiver<()>,
    ) -> Round {
        let Parts { directory, config, line, recorded, started_from, ending } = parts;
        let mut recorded: Vec<u64> = recorded.iter().map(SnapshotReference::seq).collect();
        recorded.sort_unstable();
        recorded.dedup();
        let policy = Policy { keep_segments: config.keep_segments, archive: config.archive.clone() };
        let newest = snapshot_seqs(&journal).ok().and_then(|seqs| seqs.last().copied()).unwrap_or(0);
        let mut round = Round {
            due_seq: started_from.unwrap_or(0).saturating_add(config.snapshot_every),
            directory,
            journal,
            identity,
            config,
            policy,
            line,
            watermarks,
            damaged,
            ending,
            stop,
            recorded,
            offered: newest,
            making: None,
            alarms: Alarms::default(),
        };
        if let Some(seq) = started_from.filter(|seq| !round.recorded.contains(seq)) {
            round.offer(seq);
        }
        round
    }

    fn run(mut self) {
        for look in 1_u32.. {
            if self.stop.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            self.make();
            if look.is_multiple_of(LOOKS_PER_ROUND) {
                self.hear();
                self.offer_new();
                self.tidy();
                self.look_at_consumers();
            }
        }
        if let Some(mut child) = self.making.take() {
            // The next venue, or an operator, makes one; what this one left is removed then.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the process that makes a snapshot, or looks whether it is done.
    fn make(&mut self) {
        let durable = self.watermarks.durable();
        let Some(child) = &mut self.making else {
            if self.config.snapshot_every > 0 && durable >= self.due_seq {
                self.due_seq = durable.saturating_add(self.config.snapshot_every);
                match maker(&self.directory) {
                    Ok(child) => self.making = Some(child),
                    Err(error) => self.alarms.raise("snapshot", format!("no snapshot is made: {error}")),
                }
            }
            return;
        };
        match child.try_wait() {
            Ok(None) => {}
            // Refused: somebody else is making one.
            Ok(Some(status)) if [Some(0), Some(i32::from(EXIT_REFUSED))].contains(&status.code()) => {
                self.making = None;
                self.alarms.over("snapshot");
            }
            _ => {
                let mut said = String::new();
                if let Some(mut pipe) = child.stderr.take() {
                    let _ = pipe.read_to_string(&mut said);
                }
                self.making = None;
                let next = self.due_seq;
                let text = format!("no snapshot was made; the next try is at seq {next}: {}", said.trim());
                self.alarms.raise("snapshot", text);
            }
        }
    }

    fn hear(&mut self) {
        while let Ok(seq) = self.line.recorded.try_recv() {
            if let Err(place) = self.recorded.binary_search(&seq) {
                self.recorded.insert(place, seq);
            }
            say(format_args!("snapshot  seq {seq} is verified and recorded"));
        }
    }

    /// Whatever appeared under its name was verified by a process of its own before, whoever asked for it.
    fn offer_new(&mut self) {
        let seqs = snapshot_seqs(&self.journal).unwrap_or_default();
        for seq in seqs.into_iter().filter(|seq| *seq > self.offered).collect::<Vec<_>>() {
            self.offered = seq;
            self.offer(seq);
        }
    }

    fn offer(&mut self, seq: u64) {
        let path = snapshot_path(&self.journal, seq);
        let head = SnapshotHead::load(&path)
            .ok()
            .filter(|head| head.check_belongs(&self.identity).is_ok() && head.bookmark.seq == seq);
        if let (Some(head), Ok(hash)) = (head, journal::snapshot_hash(&path)) {
            let reference = SnapshotReference::new(seq, head.state_hash, hash);
            // The journal's stage may be at its end; then so is this.
            let _ = self.line.references.send(reference);
        }
    }

    /// Removes what nobody needs: segments below the floor, then snapshots beyond those that are kept.
    fn tidy(&mut self) {
        if self.damaged.load(Ordering::Acquire) {
            return;
        }
        let active = self.watermarks.durable_position().segment();
        let floor = retention::floor(&self.journal, &self.identity, &self.policy, &self.recorded, active);
        let done = floor.map_err(|error| error.to_string()).and_then(|floor| {
            let removed = retention::remove(&self.journal, &self.identity, &self.policy, &floor)?;
            Ok((floor, removed))
        });
        match done {
            Ok((floor, removed)) => {
                self.alarms.over("retention");
                if removed > 0 {
                    say(format_args!(
                        "retention removed {removed} segments; the journal begins with segment {}, held by {}",
                        floor.segment, floor.held_by
                    ));
                }
            }
            Err(text) => self.alarms.raise("retention", format!("nothing is removed: {text}")),
        }
        let kept = self.recorded.len().checked_sub(self.config.snapshots_keep);
        if let Some(oldest) = kept.map(|from| self.recorded[from]) {
            let seqs = snapshot_seqs(&self.journal).unwrap_or_default();
            for seq in seqs.into_iter().filter(|seq| *seq < oldest) {
                if let Err(error) = journal::remove_snapshot(&self.journal, seq) {
                    self.alarms.raise("snapshots", format!("an old snapshot cannot be removed: {error}"));
                }
            }
            self.recorded.retain(|seq| *seq >= oldest);
        }
    }

    /// A consumer that stays behind keeps the disk from being freed: it is told of, and past the bound the venue stops rather
    /// than lose what the consumer has not read.
    fn look_at_consumers(&mut self) {
        let Ok(cursors) = cursors(&self.journal, &self.identity.journal_id) else { return };
        let end = self.watermarks.durable_position();
        for (name, bytes) in retention::behind(&cursors, end, self.config.segment_mib << 20) {
            let mib = bytes >> 20;
            let way_out = format!(
                "start it, or give up what it has not read: ballast snapshot forget {} {name} --reason TEXT",
                self.directory.display()
            );
            let bound = self.config.consumer_halt_mib;
            if bound > 0 && mib >= bound {
                self.ending.halt(format!(
                    "consumer {name} is {mib} MiB behind, and [journal] consumer_halt_mib = {bound}; {way_out}"
                ));
            }
            if mib >= self.config.consumer_alarm_mib.max(1) {
                // Told again each time that it has doubled.
                let step = u64::BITS - (mib / self.config.consumer_alarm_mib.max(1)).leading_zeros();
                let text = format!(
                    "consumer {name} is more than {} MiB behind; {way_out}",
                    self.config.consumer_alarm_mib.max(1) << (step - 1)
                );
                self.alarms.raise(&format!("consumer {name}"), text);
            } else {
                self.alarms.over(&format!("consumer {name}"));
            }
        }
    }
}

/// The program that this process is, asked for a snapshot.
fn maker(directory: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["snapshot", "create", "--background", "--end-with-stdin"])
        .arg(directory)
        // Held open by this process, and by nobody else.
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// What was told, so that it is told once.
#[derive(Default)]
struct Alarms(std::collections::BTreeMap<String, String>);

impl Alarms {
    fn raise(&mut self, about: &str, text: String) {
        if self.0.get(about) != Some(&text) {
            warn(format_args!("ALARM: {text}"));
            self.0.insert(about.to_owned(), text);
        }
    }

    fn over(&mut self, about: &str) {
        self.0.remove(about);
    }
}
