//! Messages that have left memory, told again out of the journal: from the last snapshot before them, or from its start, the
//! journal is projected anew, on a thread of its own. One bounded part of one answer at a time, in the order in which they were
//! asked for, so that nobody waits long behind another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::Builder;

use journal::{Limit, load_identity, load_snapshot, snapshot_seqs};
use mio::Waker;

use super::feed::{Follower, Start};
use super::projection::Projection;
use crate::cli::warn;
use crate::clock::Clock;
use crate::frame::{self, END_OF_EVENT, RETRANSMIT};
use crate::snapshots::standing;

/// A part is handed over once it has this many bytes.
const PART_BYTES: usize = 256 << 10;
/// What the projection that reads keeps; more than one group says.
const WINDOW_BYTES: usize = 16 << 20;
/// Errands that wait; who comes then asks again.
const ERRANDS_MAX: usize = 64;

/// One look into the journal.
#[derive(Clone, Copy, Debug)]
pub struct Errand {
    pub subscriber: u64,
    pub from: u64,
    pub end: u64,
}

/// What came of it: frames up to `next_seq`; none where the journal no longer has the first.
#[derive(Debug)]
pub struct Part {
    pub subscriber: u64,
    pub frames: Vec<u8>,
    pub next_seq: u64,
}

/// The feed's side.
pub struct Archive {
    errands: SyncSender<Errand>,
    parts: Receiver<Part>,
    /// The first number that the journal can still tell.
    pub oldest_seq: u64,
}

impl Archive {
    /// Starts the thread. It ends when the archive is dropped.
    pub fn open(journal: PathBuf, limit: Limit, clock: Clock, waker: Arc<Waker>) -> Result<Archive, String> {
        let (errands, to_go) = sync_channel(ERRANDS_MAX);
        let (done, parts) = channel();
        let oldest_seq = oldest(&journal).unwrap_or(u64::MAX);
        let archivist = Archivist { journal, limit, clock, waker, errands: to_go, parts: done, last: None };
        let thread = Builder::new().name("market-again".into()).spawn(move || archivist.run());
        thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Archive { errands, parts, oldest_seq })
    }

    /// False where too many wait.
    pub fn send(&self, errand: Errand) -> bool {
        // A thread that ended has said why; nobody is told anything by it any more.
        !matches!(self.errands.try_send(errand), Err(TrySendError::Full(_)))
    }

    pub fn part(&self) -> Option<Part> {
        self.parts.try_recv().ok()
    }
}

/// The first number of the journal: that of its start, or of the oldest snapshot where retention has taken that.
fn oldest(journal: &Path) -> Option<u64> {
    let identity = load_identity(journal).ok()?;
    let held = journal::segments(journal, &identity).ok()?;
    if held.first().is_none_or(|first| *first <= 1) {
        return Some(1);
    }
    let seqs = snapshot_seqs(journal).ok()?;
    seqs.into_iter().find_map(|seq| Some(at_snapshot(journal, seq)?.projection.next_seq()))
}

fn at_snapshot(journal: &Path, seq: u64) -> Option<Start> {
    let snapshot = load_snapshot(journal, &load_identity(journal).ok()?, seq).ok()?;
    let projection = Projection::restore(snapshot.section(standing::MARKET)?)?;
    Some(Start { projection, bookmark: Some(snapshot.head.bookmark) })
}

struct Archivist {
    journal: PathBuf,
    limit: Limit,
    clock: Clock,
    waker: Arc<Waker>,
    errands: Receiver<Errand>,
    parts: Sender<Part>,
    /// Where the last errand ended: the next one often goes on there.
    last: Option<Follower>,
}

impl Archivist {
    fn run(mut self) {
        while let Ok(errand) = self.errands.recv() {
            let part = self.go(errand);
            if self.parts.send(part).is_err() {
                return;
            }
            // The descriptor lives as long as the process.
            let _ = self.waker.wake();
        }
    }

    fn go(&mut self, errand: Errand) -> Part {
        let (mut frames, mut next_seq) = (Vec::new(), errand.from);
        let is_behind = |follower: &Follower| follower.window().oldest_seq() <= errand.from;
        let follower = match self.last.take().filter(is_behind) {
            Some(follower) => Some(follower),
            None => self.start(errand.from),
        };
        if let Some(mut follower) = follower {
            let told = self.tell(&mut follower, errand.end, &mut frames, &mut next_seq);
            match told {
                Ok(()) => self.last = Some(follower),
                Err(error) => {
                    warn(format_args!("market data cannot be told again from the journal: {error}"))
                }
            }
        }
        Part { subscriber: errand.subscriber, frames, next_seq }
    }

    fn tell(
        &self,
        follower: &mut Follower,
        end: u64,
        frames: &mut Vec<u8>,
        next_seq: &mut u64,
    ) -> Result<(), journal::ReadError> {
        let now_ns = self.clock.now_ns();
        while *next_seq < end && frames.len() < PART_BYTES {
            if *next_seq >= follower.window().next_seq() {
                if !follower.poll()? {
                    break;
                }
                continue;
            }
            let Some(message) = follower.window().get(*next_seq) else { break };
            let flags = RETRANSMIT | if message.is_last { END_OF_EVENT } else { 0 };
            frame::append_message(frames, flags, message.seq, now_ns, message.bytes);
            *next_seq += 1;
        }
        Ok(())
    }

    /// The nearest place before `from`.
    fn start(&self, from: u64) -> Option<Follower> {
        let seqs = snapshot_seqs(&self.journal).ok()?;
        let starts = seqs.into_iter().rev().filter_map(|seq| at_snapshot(&self.journal, seq));
        let mut starts = starts.filter(|start| start.projection.next_seq() <= from);
        let start = match starts.next() {
            Some(start) => start,
            None if oldest(&self.journal) == Some(1) => Start::default(),
            None => return None,
        };
        Follower::open(&self.journal, start, self.limit, WINDOW_BYTES).ok()
    }
}
