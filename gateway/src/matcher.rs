//! The engine's stage: takes commands from the ingress ring, stamps place and time, applies them, and publishes each with its
//! events as one group on the log ring. Takes a command only when the log ring has room for the worst that it can say, so
//! back-pressure ends at the sockets and nothing waits here. No allocation, no system call, no file-backed page.

use engine::event::EventSink;
use engine::limits::{EVENT_BYTES_MAX, GROUP_EVENT_BYTES_MAX};
use engine::message::{HEADER_BYTES, ORIGIN_BYTES, Origin};
use engine::reject::Reject;
use engine::{Engine, LookAhead, Sequenced, Standstill};
use zerocopy::IntoBytes;

use crate::clock::Clock;
use crate::log::{Entry, LOG_HEADER_BYTES};
use crate::ring::{Bell, IngressReceiver, LogWriter, RECORD_BYTES_MAX, frame_space};
use crate::space::{Level, Space, charge, charge_max};
use crate::stage::{Ending, Stage};

/// Commands per poll: one clock reading serves them all.
const BATCH: usize = 64;

const DIGEST_BYTES: usize = 32;

pub struct Matcher {
    engine: Engine,
    ingress: IngressReceiver,
    /// The commands that stand on the ingress ring behind the next one.
    ahead: LookAhead,
    log: LogWriter,
    clock: Clock,
    journal: Bell,
    net: Bell,
    ending: Ending,
    room_bytes: usize,
    space: Space,
    /// Before the first command of this life.
    first_seq: u64,
    mark_every: u64,
    marked_seq: u64,
    finished: bool,
}

/// What became of one look at the ingress ring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Applied,
    /// Nothing came, and nothing of an earlier command is left to do.
    Empty,
    /// Neither on the log ring nor, perhaps, in the journal.
    NoRoom,
}

/// What the matcher is built from.
pub struct Parts {
    pub engine: Engine,
    pub ingress: IngressReceiver,
    pub log: LogWriter,
    pub clock: Clock,
    /// Rung when the journal has something to copy.
    pub journal: Bell,
    /// Rung when the ingress ring has room again.
    pub net: Bell,
    pub ending: Ending,
    pub space: Space,
    pub mark_every: u64,
}

/// Bytes of log ring that one command can need: itself, its events, of which one may have a group, a mark.
pub fn room_bytes(events_per_command: u32) -> usize {
    frame_space(LOG_HEADER_BYTES + RECORD_BYTES_MAX)
        + events_per_command as usize * frame_space(LOG_HEADER_BYTES + EVENT_BYTES_MAX)
        + frame_space(LOG_HEADER_BYTES + GROUP_EVENT_BYTES_MAX)
        + frame_space(LOG_HEADER_BYTES + DIGEST_BYTES)
}

/// Writes events behind their command, not yet visible.
struct Staged<'a> {
    log: &'a mut LogWriter,
    seq: u64,
    ts_ns: u64,
}

impl EventSink for Staged<'_> {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        Entry::event(self.seq, self.ts_ns, sub).write(self.log, &[payload]);
    }
}

impl Matcher {
    pub fn new(parts: Parts) -> Matcher {
        let limits = parts.engine.limits().expect("the genesis opened the venue");
        Matcher {
            room_bytes: room_bytes(limits.events_per_command()),
            first_seq: parts.engine.last_seq(),
            marked_seq: parts.engine.last_seq(),
            space: parts.space,
            engine: parts.engine,
            ingress: parts.ingress,
            ahead: LookAhead::new(),
            log: parts.log,
            clock: parts.clock,
            journal: parts.journal,
            net: parts.net,
            ending: parts.ending,
            mark_every: parts.mark_every,
            finished: false,
        }
    }

    /// The next command, if there is one and room for all that it may say. What the rules make due goes first (5.6, 8.2);
    /// an idle matcher looks often enough for a deadline, because no stage sleeps for long.
    fn step(&mut self, now_ns: u64) -> Step {
        if !self.log.has_room(self.room_bytes) || !self.has_space() {
            return Step::NoRoom;
        }
        let (seq, ts_ns) = (self.engine.last_seq() + 1, now_ns.max(self.engine.last_ts_ns()));
        if let Some(due) = self.engine.due(ts_ns) {
            apply(&mut self.engine, &mut self.log, seq, ts_ns, &Origin::venue(), &due.message());
        } else {
            let Some(payload) = self.ingress.peek() else { return Step::Empty };
            if let Some(command) = Sequenced::read(seq, ts_ns, payload) {
                apply(&mut self.engine, &mut self.log, seq, ts_ns, command.origin, command.message);
            } else {
                debug_assert!(payload.len() < ORIGIN_BYTES + HEADER_BYTES, "only the gateway writes here");
            }
            self.ingress.release();
            self.ahead.pass(&self.engine);
        }
        if self.engine.last_seq() - self.marked_seq >= self.mark_every {
            self.mark();
        }
        self.log.publish();
        Step::Applied
    }

    /// Is there room in the journal for one more command and all that it may say?
    fn has_space(&self) -> bool {
        let commands = self.engine.last_seq() - self.first_seq;
        self.space.allows(charge(self.log.position(), commands) + charge_max(self.room_bytes))
    }

    /// Has the venue stand still as the disk demands (10.6), and go on when it can. False while nothing is to be sequenced.
    /// What had come before a halt was seen is answered before it ends, so that nobody trades on old orders.
    fn keep_to_the_disk(&mut self, now_ns: u64) -> bool {
        let reason = Reject::JournalFull;
        match (self.space.level(), self.engine.standstill()) {
            (Level::Enough, Standstill::None | Standstill::Halted(_)) => true,
            (Level::Enough, Standstill::CancelOnly(_)) => {
                self.stand(now_ns, Standstill::None);
                true
            }
            (Level::Low, Standstill::None) => {
                self.stand(now_ns, Standstill::CancelOnly(reason));
                true
            }
            (Level::Low, Standstill::CancelOnly(_)) => true,
            (Level::Low | Level::Nothing, Standstill::Halted(_)) => {
                self.space.halted(true);
                false
            }
            (Level::Nothing, _) => {
                let stands = self.stand(now_ns, Standstill::Halted(reason));
                self.space.halted(stands);
                false
            }
        }
    }

    /// One `VenueState` and a mark behind it. A halt takes what was kept for it, anything else what everybody takes.
    fn stand(&mut self, now_ns: u64, standstill: Standstill) -> bool {
        let is_halt = matches!(standstill, Standstill::Halted(_));
        if !self.log.has_room(self.room_bytes) || !is_halt && !self.has_space() {
            return false;
        }
        let (seq, ts_ns) = (self.engine.last_seq() + 1, now_ns.max(self.engine.last_ts_ns()));
        apply(&mut self.engine, &mut self.log, seq, ts_ns, &Origin::venue(), &standstill.message());
        self.mark();
        self.log.publish();
        self.journal.ring();
        true
    }

    /// Has the engine look at the commands that came, as many as it can keep in sight. Whoever was never seen stands in front of the
    /// first that was.
    fn look_ahead(&mut self) {
        while self.ahead.has_room()
            && let Some(payload) = self.ingress.look_ahead()
        {
            if self.ahead.is_empty() {
                self.ahead.see(&self.engine, &[]);
            }
            self.ahead.see(&self.engine, payload);
        }
    }

    /// The digest of the whole state, so that a replay knows that it stands where this engine stood.
    fn mark(&mut self) {
        self.marked_seq = self.engine.last_seq();
        Entry::mark(self.marked_seq, self.engine.last_ts_ns()).write(&mut self.log, &[&self.engine.digest()]);
    }

    /// After the last command: a mark, then nothing more.
    fn finish(&mut self) {
        if self.marked_seq < self.engine.last_seq() {
            self.mark();
            self.log.publish();
        }
        self.finished = true;
        self.ending.engine_is_done();
        self.journal.ring();
    }
}

fn apply(engine: &mut Engine, log: &mut LogWriter, seq: u64, ts_ns: u64, origin: &Origin, message: &[u8]) {
    Entry::command(seq, ts_ns).write(log, &[origin.as_bytes(), message]);
    engine.apply(&Sequenced { seq, ts_ns, origin, message }, &mut Staged { log, seq, ts_ns });
}

impl Stage for Matcher {
    fn poll(&mut self) -> usize {
        if self.finished {
            return 0;
        }
        // Read before the ring is: what was pushed before the ingress closed is seen below.
        let closed = self.ending.ingress_closed();
        let now_ns = self.clock.now_ns();
        if !self.keep_to_the_disk(now_ns) {
            if closed {
                self.finish();
            }
            return 0;
        }
        let is_large = self.engine.is_large();
        let mut applied = 0;
        let mut last = Step::Applied;
        while applied < BATCH && last == Step::Applied {
            if is_large {
                self.look_ahead();
            }
            last = self.step(now_ns);
            applied += usize::from(last == Step::Applied);
        }
        if applied > 0 {
            self.journal.ring();
            self.net.ring();
        } else if last == Step::Empty && matches!(self.engine.standstill(), Standstill::Halted(_)) {
            let goes_on = self.stand(now_ns, Standstill::None);
            self.space.halted(!goes_on);
        } else if closed && last == Step::Empty {
            self.finish();
        }
        applied
    }

    fn finished(&self) -> bool {
        self.finished
    }
}
