//! The gateway's side of what accounts were told before (rule 12.5): who has asked, how far each answer has come, and what it
//! waits for. The clerk, on a thread of its own, is sent into the journal for one part of an answer at a time, and only once
//! the asker's connection has room for it: nothing is read that nobody takes, and no answer is in anybody's way. Knows no
//! socket and no file.

mod clerk;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use engine::event::{HistoryGranted, RequestComplete};
use engine::reject::Reject;
use journal::Bookmark;
use zerocopy::little_endian::{U16, U32, U64};

use crate::frame::{self, END_OF_EVENT, SNAPSHOT};

pub use clerk::{Clerk, Office};

/// Requests under way, of all sessions together; one more is told to ask later.
const REQUESTS_MAX: usize = 256;
/// Parts that wait for the gateway; then the clerk waits.
const PARTS_MAX: usize = 4;
/// A part is handed over once it has this many bytes.
const PART_BYTES: usize = 64 * 1024;

/// One look into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Errand {
    session: u64,
    connection: u32,
    granted: HistoryGranted,
    /// The first execution id that was not looked at.
    next_exec_id: u64,
    /// Messages that may still be told.
    left: u32,
    /// Where the look before this one ended.
    start: Option<Bookmark>,
}

impl Errand {
    fn new(connection: u32, granted: HistoryGranted) -> Errand {
        let (session, next_exec_id) = (granted.session.get(), granted.from_exec_id.get());
        Errand { session, connection, granted, next_exec_id, left: granted.max_count.get(), start: None }
    }
}

/// What came of it.
#[derive(Debug)]
struct Part {
    errand: Errand,
    frames: Vec<u8>,
    end: Option<End>,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Everything up to this execution id was told.
    Whole(u64),
    /// As much as was asked for was told; this is the next.
    MoreFrom(u64),
    /// Nothing was told: the journal begins with this execution id.
    KeptFrom(u64),
    /// The journal cannot be read here.
    Unreadable(u64),
}

impl End {
    fn code(self) -> u16 {
        match self {
            End::Whole(_) => 0,
            End::MoreFrom(_) => Reject::RetransmitTooMany.code(),
            End::KeptFrom(_) => Reject::RetransmitTooOld.code(),
            End::Unreadable(_) => Reject::Internal.code(),
        }
    }

    fn exec_id(self) -> u64 {
        match self {
            End::Whole(id) | End::MoreFrom(id) | End::KeptFrom(id) | End::Unreadable(id) => id,
        }
    }
}

/// An answer under way.
#[derive(Debug)]
enum Answer {
    /// The asker must have room before the clerk goes.
    Due(Errand),
    /// The clerk is at it, on behalf of this connection. A later connection of the session waits until the clerk is back,
    /// so that a session has one errand away however often it comes anew.
    Away { connection: u32, next: Option<Errand> },
}

impl Answer {
    /// Whom it is for.
    fn connection(&self) -> u32 {
        match self {
            Answer::Due(errand) | Answer::Away { next: Some(errand), .. } => errand.connection,
            Answer::Away { connection, next: None } => *connection,
        }
    }
}

/// The gateway's side.
pub struct Desk {
    errands: SyncSender<Errand>,
    parts: Receiver<Part>,
    /// By session.
    answers: BTreeMap<u64, Answer>,
}

/// Where parts go to.
pub trait Askers {
    /// None when the connection is not the session's any more; else whether it has room for a part.
    fn has_room(&mut self, session: u64, connection: u32) -> Option<bool>;

    fn tell(&mut self, session: u64, connection: u32, frames: &[u8]);
}

pub fn open(office: Office) -> (Desk, Clerk) {
    let (errand_sender, errands) = sync_channel(REQUESTS_MAX);
    let (part_sender, parts) = sync_channel(PARTS_MAX);
    let desk = Desk { errands: errand_sender, parts, answers: BTreeMap::new() };
    (desk, Clerk::new(office, errands, part_sender))
}

impl Desk {
    /// Takes a history that the engine granted. False when the connection has one under way, or too many are. What an
    /// earlier connection of the session asked for is over.
    pub fn ask(&mut self, connection: u32, granted: HistoryGranted) -> bool {
        let (session, is_full) = (granted.session.get(), self.answers.len() == REQUESTS_MAX);
        let errand = Errand::new(connection, granted);
        match self.answers.get_mut(&session) {
            Some(answer) if answer.connection() == connection => return false,
            Some(Answer::Due(due)) => *due = errand,
            Some(Answer::Away { next, .. }) => *next = Some(errand),
            None if is_full => return false,
            None => drop(self.answers.insert(session, Answer::Due(errand))),
        }
        true
    }

    /// Hands out what the clerk has found, and sends it for more where there is room.
    pub fn attend(&mut self, askers: &mut impl Askers) -> usize {
        if self.answers.is_empty() {
            return 0;
        }
        let mut done = 0;
        while done < PARTS_MAX {
            let Ok(part) = self.parts.try_recv() else { break };
            self.take(part, askers);
            done += 1;
        }
        done + self.send(askers)
    }

    fn take(&mut self, part: Part, askers: &mut impl Askers) {
        let Part { errand, frames, end } = part;
        let Some(Answer::Away { next, .. }) = self.answers.get_mut(&errand.session) else { return };
        if let Some(next) = next.take() {
            self.answers.insert(errand.session, Answer::Due(next));
            return;
        }
        askers.tell(errand.session, errand.connection, &frames);
        match end {
            Some(_) => self.answers.remove(&errand.session),
            None => self.answers.insert(errand.session, Answer::Due(errand)),
        };
    }

    fn send(&mut self, askers: &mut impl Askers) -> usize {
        let mut sent = 0;
        let errands = &self.errands;
        self.answers.retain(|session, answer| {
            let Answer::Due(errand) = answer else { return true };
            match askers.has_room(*session, errand.connection) {
                None => return false,
                Some(false) => return true,
                Some(true) => {}
            }
            match errands.try_send(errand.clone()) {
                Ok(()) => {
                    *answer = Answer::Away { connection: errand.connection, next: None };
                    sent += 1;
                    true
                }
                Err(TrySendError::Full(_)) => true,
                // The clerk has stopped, and the venue is told so by its guard.
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
        sent
    }
}

/// The end of an answer as a frame, with the flags of every answer that takes no number.
fn append_end(frames: &mut Vec<u8>, granted: &HistoryGranted, count: u32, end: (u64, u16), now_ns: u64) {
    let complete = RequestComplete {
        exec_id: U64::new(end.0),
        cl_ord_id: granted.cl_ord_id,
        ref_seq: granted.ref_seq,
        count: U32::new(count),
        code: U16::new(end.1),
        retry_after_ms: U16::new(0),
    };
    frame::append(frames, SNAPSHOT | END_OF_EVENT, 0, now_ns, complete);
}

/// What is said to whoever asks too much at once.
pub fn busy(granted: &HistoryGranted, now_ns: u64) -> Vec<u8> {
    let mut frames = Vec::with_capacity(64);
    append_end(&mut frames, granted, 0, (granted.exec_id.get(), Reject::RetransmitBusy.code()), now_ns);
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use zerocopy::FromZeros;

    fn granted(session: u64) -> HistoryGranted {
        let mut granted = HistoryGranted::new_zeroed();
        (granted.session, granted.max_count) = (session.into(), 10.into());
        granted
    }

    /// A desk whose clerk is the test.
    fn desk() -> (Desk, Receiver<Errand>, SyncSender<Part>) {
        let (errand_sender, errands) = sync_channel(REQUESTS_MAX);
        let (part_sender, parts) = sync_channel(PARTS_MAX);
        (Desk { errands: errand_sender, parts, answers: BTreeMap::new() }, errands, part_sender)
    }

    #[derive(Default)]
    struct Room {
        full: BTreeSet<u32>,
        gone: BTreeSet<u32>,
        told: Vec<(u32, usize)>,
    }

    impl Askers for Room {
        fn has_room(&mut self, _: u64, connection: u32) -> Option<bool> {
            (!self.gone.contains(&connection)).then(|| !self.full.contains(&connection))
        }

        fn tell(&mut self, _: u64, connection: u32, frames: &[u8]) {
            self.told.push((connection, frames.len()));
        }
    }

    fn part(errand: Errand, bytes: usize, end: Option<End>) -> Part {
        Part { errand, frames: vec![0; bytes], end }
    }

    #[test]
    fn a_connection_asks_one_thing_at_a_time_and_the_house_is_bounded() {
        let (mut desk, errands, parts) = desk();
        let mut room = Room::default();
        assert!(desk.ask(1, granted(5)) && !desk.ask(1, granted(5)));
        assert!((1..REQUESTS_MAX as u64).all(|other| desk.ask(9, granted(1000 + other))));
        assert!(!desk.ask(2, granted(6)), "all places are taken");
        assert_eq!(desk.attend(&mut room), REQUESTS_MAX);
        let errand = errands.try_recv().expect("it was sent");
        assert_eq!((errand.session, errands.try_iter().count()), (5, REQUESTS_MAX - 1));
        parts.send(part(errand, 7, Some(End::Whole(0)))).expect("there is room");
        assert_eq!((desk.attend(&mut room), &room.told[..]), (1, &[(1, 7)][..]));
        assert!(desk.ask(2, granted(6)) && !desk.ask(1, granted(5)));
    }

    #[test]
    fn nothing_is_looked_for_that_has_no_room() {
        let (mut desk, errands, parts) = desk();
        let mut room = Room::default();
        room.full.insert(1);
        assert!(desk.ask(1, granted(5)) && desk.ask(2, granted(6)));
        assert_eq!((desk.attend(&mut room), desk.attend(&mut room)), (1, 0), "the other goes on alone");
        let other = errands.try_recv().expect("it was sent");
        assert!(other.session == 6 && errands.try_recv().is_err());
        room.full.clear();
        assert_eq!(desk.attend(&mut room), 1);
        let mut errand = errands.try_recv().expect("it has room");
        errand.next_exec_id = 99;
        room.full.insert(1);
        parts.send(part(errand.clone(), 3, None)).expect("there is room");
        assert_eq!((desk.attend(&mut room), errands.try_recv().is_err()), (1, true), "one part at a time");
        room.full.clear();
        desk.attend(&mut room);
        assert_eq!(errands.try_recv(), Ok(errand));
    }

    #[test]
    fn a_gone_asker_ends_its_own_request_alone() {
        let (mut desk, errands, parts) = desk();
        let mut room = Room::default();
        assert!(desk.ask(1, granted(5)) && desk.ask(2, granted(6)));
        desk.attend(&mut room);
        let [old, other] = [0; 2].map(|_| errands.try_recv().expect("both were sent"));
        // The session comes back and asks anew while the clerk is still at the first.
        room.gone.insert(1);
        assert!(desk.ask(3, granted(5)));
        desk.attend(&mut room);
        assert!(errands.try_recv().is_err(), "a session has one errand away");
        parts.send(part(old, 5, None)).expect("there is room");
        parts.send(part(other, 6, None)).expect("there is room");
        desk.attend(&mut room);
        assert_eq!(room.told, [(2, 6)]);
        let connections: Vec<u32> = errands.try_iter().map(|errand| errand.connection).collect();
        assert_eq!(connections, [3, 2]);
        // Nobody comes back: the request is forgotten as soon as its part is there.
        room.gone.insert(3);
        assert_eq!(desk.answers.len(), 2);
        let gone = Errand::new(3, granted(5));
        parts.send(part(gone, 5, None)).expect("there is room");
        desk.attend(&mut room);
        assert_eq!(desk.answers.len(), 1);
    }
}
