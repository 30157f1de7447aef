//! The gateway's stage: sockets in, sockets out. Reads frames, lets the session judge them and puts commands on the ingress
//! ring; reads the log ring behind the release gate and hands every event to its session. It decides nothing about orders.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use engine::command::Logon;
use engine::message::Message;
use engine::reject::Reject;
use journal::Kind;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use crate::clock::Clock;
use crate::config::Gateway;
use crate::connection::{Connection, LINGER_NS_MAX, STUCK_NS_MAX};
use crate::doorkeeper::{Doorkeeper, Source};
use crate::frame;
use crate::history::{self, Askers, Desk};
use crate::keys::Keys;
use crate::log::Entry;
use crate::message::{Retransmission, RetransmitReject, RetransmitRequest, TestRequest};
use crate::outbox::{Notice, Outboxes, Stream};
use crate::peers::Peers;
use crate::release::SyncMode;
use crate::renewal::NewKeys;
use crate::ring::{Bell, IngressSender, LogReader};
use crate::session::{self, Door, Verdict, heartbeat, payload_parts};
use crate::space::Space;
use crate::stage::{Ending, Released, Stage};
use crate::wire::Wire;

const PLAIN: Token = Token(usize::MAX - 1);
const SECURED: Token = Token(usize::MAX - 3);
/// The token that wakes a sleeping poll.
pub const WAKER: Token = Token(usize::MAX - 2);
/// Frames of one connection per turn, so that nobody starves the others.
const FRAMES_PER_TURN: usize = 16;
/// Entries of the log ring per turn.
const ENTRIES_PER_TURN: usize = 1024;
const READ_BYTES: usize = 32 * 1024;
/// New connections per turn.
const ACCEPTS_PER_TURN: usize = 64;
/// Logons per turn: a signature is by far the dearest thing to check, and anybody may send a wrong one.
const LOGONS_PER_TURN: usize = 4;
const TIMER_NS: u64 = 10_000_000;
/// A connection that says nothing for so long gives back its buffers.
const RESTING_NS: u64 = 1_000_000_000;
/// Largest `RetransmitRequest.count`.
const RETRANSMIT_MAX: u32 = 10_000;
/// At the end, how long a peer that reads slowly is told what it has not heard yet.
const HEARING_NS_MAX: u64 = 2_000_000_000;
/// What the goodbye itself and the peer's half may take behind that.
const LAST_WORD_NS_MAX: u64 = STUCK_NS_MAX + LINGER_NS_MAX;

pub struct Net {
    poll: Poll,
    events: Events,
    entrances: Vec<Entrance>,
    /// Logons that this turn may still look at.
    logons: usize,
    peers: Peers,
    scratch: Box<[u8]>,
    answers: Vec<u8>,
    /// A list of slots, kept for its memory.
    spare: Vec<usize>,
    outboxes: Outboxes,
    history: Desk,
    ingress: IngressSender,
    log: LogReader,
    released: Released,
    matcher: Bell,
    keys: Keys,
    renewed: Receiver<NewKeys>,
    engine_epoch: u64,
    sync_mode: SyncMode,
    space: Space,
    clock: Clock,
    ending: Ending,
    timer_ns: u64,
    /// When the last words must be said.
    goodbye_ns: Option<u64>,
    finished: bool,
}

/// Where peers come in.
#[derive(Debug)]
pub struct Listeners {
    pub plain: TcpListener,
    /// The one for TLS, and what it shows.
    pub secured: Option<(TcpListener, Arc<ServerConfig>)>,
}

impl From<TcpListener> for Listeners {
    fn from(plain: TcpListener) -> Listeners {
        Listeners { plain, secured: None }
    }
}

/// One listener.
struct Entrance {
    listener: TcpListener,
    /// It may hold connections that were not accepted yet.
    knocking: bool,
    tls: Option<Arc<ServerConfig>>,
}

/// What the stage is built from.
pub struct Parts {
    pub poll: Poll,
    pub listeners: Listeners,
    pub connections_max: usize,
    pub limits: Gateway,
    pub outboxes: Outboxes,
    pub history: Desk,
    pub ingress: IngressSender,
    pub log: LogReader,
    pub released: Released,
    /// Rung when the engine has something to do.
    pub matcher: Bell,
    pub keys: Keys,
    /// Keys that take the place of those.
    pub renewed: Receiver<NewKeys>,
    pub engine_epoch: u64,
    /// Told to whoever asks for a challenge.
    pub sync_mode: SyncMode,
    pub space: Space,
    pub clock: Clock,
    pub ending: Ending,
}

impl Entrance {
    fn accept(&mut self, peers: &mut Peers, now_ns: u64) -> usize {
        for accepted in 0..ACCEPTS_PER_TURN {
            if !peers.doorkeeper.has_time(now_ns) {
                // They wait with the kernel.
                return accepted;
            }
            match self.listener.accept() {
                Ok((socket, from)) => {
                    if let Ok(wire) = self.wire(socket) {
                        peers.admit(wire, from.ip(), now_ns);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.knocking = false;
                    return accepted;
                }
                // The caller has left again, or there is no descriptor for the next: the listener itself is well, and
                // says nothing new about those that still wait. The next turn tries again.
                Err(_) => return accepted,
            }
        }
        ACCEPTS_PER_TURN
    }

    fn wire(&self, socket: TcpStream) -> std::io::Result<Wire> {
        match &self.tls {
            Some(terms) => Wire::secured(socket, Arc::clone(terms)),
            None => Ok(Wire::plain(socket)),
        }
    }
}

/// What became of one look at a connection's input.
enum Step {
    Handled,
    NoFrame,
    /// The frame waits where it is: the ring is full, or this turn has seen enough logons.
    NotNow,
    Ended,
}

fn fresh_nonce() -> Option<[u8; 32]> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).ok()?;
    Some(nonce)
}

impl Net {
    pub fn new(parts: Parts) -> std::io::Result<Net> {
        let registry = parts.poll.registry();
        let Listeners { plain, secured } = parts.listeners;
        let secured = secured.map(|(listener, tls)| (listener, Some(tls)));
        let mut entrances = Vec::new();
        for (token, (mut listener, tls)) in
            [PLAIN, SECURED].into_iter().zip([(plain, None)].into_iter().chain(secured))
        {
            registry.register(&mut listener, token, Interest::READABLE)?;
            entrances.push(Entrance { listener, knocking: true, tls });
        }
        Ok(Net {
            peers: Peers::new(registry.try_clone()?, parts.connections_max, Doorkeeper::new(parts.limits)),
            poll: parts.poll,
            events: Events::with_capacity(1024),
            entrances,
            logons: LOGONS_PER_TURN,
            scratch: vec![0; READ_BYTES].into(),
            answers: Vec::with_capacity(4096),
            spare: Vec::with_capacity(parts.connections_max),
            outboxes: parts.outboxes,
            history: parts.history,
            ingress: parts.ingress,
            log: parts.log,
            released: parts.released,
            matcher: parts.matcher,
            keys: parts.keys,
            renewed: parts.renewed,
            engine_epoch: parts.engine_epoch,
            sync_mode: parts.sync_mode,
            space: parts.space,
            timer_ns: parts.clock.now_ns(),
            clock: parts.clock,
            ending: parts.ending,
            goodbye_ns: None,
            finished: false,
        })
    }

    /// Sleeps in the kernel until a socket has something, the waker wakes, or the time is over.
    pub fn wait(&mut self, timeout: Duration) {
        self.sockets(timeout);
    }

    /// Input waits that only a fuller look can move, not the kernel.
    pub fn has_input(&self) -> bool {
        self.peers.has_ready()
    }

    fn sockets(&mut self, timeout: Duration) -> usize {
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout)) {
            assert!(error.kind() == ErrorKind::Interrupted, "the poll of the sockets failed: {error}");
            return 0;
        }
        for event in &self.events {
            match event.token() {
                WAKER => {}
                token @ (PLAIN | SECURED) => {
                    if let Some(entrance) = self.entrances.get_mut(usize::from(token == SECURED)) {
                        entrance.knocking = true;
                    }
                }
                Token(slot) => self.peers.touched(slot, event.is_readable(), event.is_read_closed()),
            }
        }
        let now_ns = self.clock.now_ns();
        let Net { entrances, peers, .. } = self;
        let knocked = entrances.iter_mut().filter(|entrance| entrance.knocking);
        let accepted: usize = knocked.map(|entrance| entrance.accept(peers, now_ns)).sum();
        self.events.iter().count() + accepted
    }

    // ---- in

    fn input(&mut self) -> usize {
        let mut done = 0;
        let mut waits = None;
        self.logons = LOGONS_PER_TURN;
        let turn = self.peers.take_ready(std::mem::take(&mut self.spare));
        for &slot in &turn {
            let (frames, step) = self.input_of(slot);
            done += frames;
            if matches!(step, Step::Handled | Step::NotNow) {
                self.peers.look_at(slot);
            }
            if matches!(step, Step::NotNow) {
                waits.get_or_insert(slot);
            }
        }
        // Whoever found no room first is the first to get some: those before it have had theirs.
        if let Some(slot) = waits {
            self.peers.look_first_at(slot);
        }
        self.spare = turn;
        if done > 0 {
            self.matcher.ring();
        }
        done
    }

    /// One turn of one connection: frames handled, and what became of the last look.
    fn input_of(&mut self, slot: usize) -> (usize, Step) {
        let now_ns = self.clock.now_ns();
        let Some(connection) = self.peers.get(slot) else { return (0, Step::Ended) };
        if connection.is_closing() || self.ending.asked() {
            return self.discard(slot, now_ns);
        }
        if connection.is_full() {
            return (0, Step::NoFrame);
        }
        let reads = connection.readable && connection.inbound().len() < READ_BYTES;
        if reads && connection.read(&mut self.scratch, now_ns).is_err() {
            self.peers.close(slot);
            return (1, Step::Ended);
        }
        for handled in 0..FRAMES_PER_TURN {
            match self.one_frame(slot, now_ns) {
                Step::Handled => {}
                Step::NoFrame => return (handled, self.no_frame(slot, now_ns)),
                Step::NotNow => return (handled, Step::NotNow),
                Step::Ended => return (handled + 1, Step::Ended),
            }
        }
        (FRAMES_PER_TURN, Step::Handled)
    }

    /// One turn of a connection whose input counts no more. It is read all the same: a peer that writes before it reads must
    /// come to its reading, and closing with unread input would take back what was said.
    fn discard(&mut self, slot: usize, now_ns: u64) -> (usize, Step) {
        let Some(connection) = self.peers.get(slot) else { return (0, Step::Ended) };
        if connection.discard(&mut self.scratch, now_ns).is_err() {
            self.peers.close(slot);
            return (1, Step::Ended);
        }
        if connection.readable {
            return (1, Step::Handled);
        }
        if connection.ended && connection.is_closing() {
            self.peers.hand_over(slot);
        }
        (0, Step::NoFrame)
    }

    /// The buffer holds no whole frame: more is read, or waited for, or will never come.
    fn no_frame(&mut self, slot: usize, now_ns: u64) -> Step {
        match self.peers.get(slot) {
            Some(connection) if connection.readable => Step::Handled,
            Some(connection) if connection.ended => {
                self.peers.goodbye(slot, None, now_ns);
                Step::Ended
            }
            _ => Step::NoFrame,
        }
    }

    fn one_frame(&mut self, slot: usize, now_ns: u64) -> Step {
        let Some(connection) = self.peers.get(slot) else { return Step::Ended };
        let (source, is_known) = (Source::from(connection.address), connection.session.proved().is_some());
        let wait_ms = if is_known { 0 } else { self.peers.doorkeeper.wait_ms(source, now_ns) };
        let Some(connection) = self.peers.get(slot) else { return Step::Ended };
        let frame = match frame::first(connection.inbound()) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Step::NoFrame,
            Err(code) => {
                self.peers.goodbye(slot, Some(code), now_ns);
                return Step::Ended;
            }
        };
        if frame.template_id() == Logon::TEMPLATE && connection.session.established().is_none() {
            let Some(left) = self.logons.checked_sub(1) else { return Step::NotNow };
            self.logons = left;
        }
        let door = Door {
            keys: &self.keys,
            address: connection.address,
            engine_epoch: self.engine_epoch,
            sync_mode: self.sync_mode,
            takes: self.space.takes(),
            wait_ms,
            now_ns,
            nonce: fresh_nonce,
        };
        let mut session = connection.session.clone();
        self.answers.clear();
        let verdict = session.frame(&frame, &door, &mut self.answers);
        let pushed = match &verdict {
            Verdict::Forward(origin, message) => self.ingress.try_push(&payload_parts(origin, message)),
            Verdict::ForwardRefused(origin, refused) => {
                self.ingress.try_push(&payload_parts(origin, refused.as_bytes()))
            }
            _ => Ok(()),
        };
        if pushed.is_err() {
            // The frame stays where it is and the session as it was; the peer's next bytes wait in the kernel.
            return Step::NotNow;
        }
        let bytes = frame.bytes();
        let mut goodbye = None;
        match verdict {
            Verdict::Close(code) => goodbye = Some(code),
            Verdict::Retransmit(session, request) => {
                let stream = self.outboxes.stream_mut(session);
                retransmission(&mut self.answers, &request, stream, connection, now_ns);
            }
            Verdict::Echo(session, echo) => {
                let stream = self.outboxes.stream_mut(session);
                let heartbeat = heartbeat(connection.next_to_send, stream.applied_client_seq, echo);
                frame::append(&mut self.answers, 0, 0, now_ns, heartbeat);
            }
            Verdict::Done | Verdict::Refused | Verdict::Forward(..) | Verdict::ForwardRefused(..) => {}
        }
        let failed = session.failures() > connection.session.failures();
        let proved = !is_known && session.proved().is_some();
        if session.is_gibberish() {
            goodbye = Some(Some(Reject::BadFrame));
        }
        connection.session = session;
        connection.consume(bytes, now_ns);
        if !self.answers.is_empty() {
            connection.write(&self.answers, now_ns);
            self.peers.hand_over(slot);
        }
        if failed {
            self.peers.doorkeeper.failed(source, now_ns);
        } else if proved {
            self.peers.doorkeeper.succeeded(source);
        }
        match goodbye {
            Some(code) => {
                self.peers.goodbye(slot, code, now_ns);
                Step::Ended
            }
            None => Step::Handled,
        }
    }

    // ---- out

    /// The gate: nothing that derives from a command passes before the release watermark has passed it.
    fn output(&mut self) -> usize {
        let released = self.released.seq();
        let now_ns = self.clock.now_ns();
        let mut done = 0;
        while let Some(frame) = self.log.peek() {
            let (entry, payload) = Entry::read(frame);
            if entry.seq > released {
                break;
            }
            if done >= ENTRIES_PER_TURN && entry.kind() == Kind::Command {
                break;
            }
            match entry.kind() {
                Kind::Command => {
                    self.outboxes.command(payload);
                    if let Some(notice) = session::standstill_notice(payload) {
                        self.peers.tell_all(notice.as_bytes(), now_ns);
                    }
                }
                Kind::Event => {
                    hand_out(&mut self.outboxes, &mut self.peers, &mut self.history, payload, now_ns);
                }
                _ => {}
            }
            self.log.advance();
            done += 1;
        }
        if done > 0 {
            self.log.release();
            self.matcher.ring();
            // R stands between commands, and so does the end of a turn: the last one was handed out whole.
            self.outboxes.finish_command();
        }
        done
    }

    fn timers(&mut self, now_ns: u64) {
        if now_ns < self.timer_ns {
            return;
        }
        self.timer_ns = now_ns + TIMER_NS;
        self.renew_keys(now_ns);
        for slot in self.peers.occupied() {
            let Some(connection) = self.peers.get(slot) else { continue };
            if let Some(limit_ns) = connection.closing_ns {
                if now_ns > limit_ns {
                    self.peers.close(slot);
                } else {
                    self.peers.hand_over(slot);
                }
                continue;
            }
            if connection.opens_until_ns.is_some_and(|limit_ns| now_ns > limit_ns) {
                // Under TLS that did not come about nothing can be said.
                self.peers.close(slot);
                continue;
            }
            let session = connection.session.established();
            let stream = session.and_then(|session| self.outboxes.stream(session));
            match overdue(connection, stream, now_ns) {
                Some(code) => self.peers.goodbye(slot, Some(code), now_ns),
                None => {
                    if now_ns.saturating_sub(connection.received_ns) > RESTING_NS {
                        connection.rest();
                    }
                    if let Some(stream) = stream {
                        keep_alive(connection, stream, now_ns);
                    }
                    if connection.has_output() {
                        self.peers.hand_over(slot);
                    }
                }
            }
        }
    }

    /// Newer keys hold for everybody: who may not be here by them is sent away.
    fn renew_keys(&mut self, now_ns: u64) {
        let Some(NewKeys { keys, in_force }) = self.renewed.try_iter().last() else { return };
        self.keys = keys;
        for slot in self.peers.occupied() {
            let Some(connection) = self.peers.get(slot) else { continue };
            let Some((session, key)) = connection.session.proved() else { continue };
            if let Err(code) = self.keys.judge(session, key, connection.address) {
                self.peers.goodbye(slot, Some(code), now_ns);
            }
        }
        // Whoever asked may have gone.
        let _ = in_force.send(());
    }

    // ---- end

    /// Closes the door when the end was asked for; after the journal's end says the last words.
    fn end(&mut self, now_ns: u64, all_said: bool) {
        if self.ending.asked() && !self.ending.ingress_closed() {
            self.entrances.clear();
            self.ending.close_ingress();
            self.matcher.ring();
        }
        let over = self.ending.failure().is_some() || all_said;
        if over {
            let limit_ns = *self.goodbye_ns.get_or_insert(now_ns + HEARING_NS_MAX + LAST_WORD_NS_MAX);
            let failed = self.ending.failure().is_some();
            let code = if failed { Reject::Internal } else { Reject::ServerShutdown };
            for slot in self.peers.occupied() {
                let waits = !failed && now_ns + LAST_WORD_NS_MAX < limit_ns && self.has_more_to_hear(slot);
                if !waits {
                    self.peers.goodbye(slot, Some(code), now_ns);
                }
            }
        }
        self.finished = self.goodbye_ns.is_some_and(|limit| self.peers.is_empty() || now_ns > limit);
    }
}

impl Net {
    /// Some of what is durable has not reached this peer's buffer yet.
    fn has_more_to_hear(&mut self, slot: usize) -> bool {
        let Some(connection) = self.peers.get(slot) else { return false };
        let session = connection.session.established();
        let next = session.and_then(|session| self.outboxes.stream(session)).map_or(0, Stream::next_seq);
        connection.is_repeating() || connection.next_to_send < next
    }
}

/// One released event to whom it concerns.
fn hand_out(outboxes: &mut Outboxes, peers: &mut Peers, history: &mut Desk, payload: &[u8], now_ns: u64) {
    match outboxes.event(payload) {
        Notice::LogonAnswered { session, connection, wanted_seq, message } => {
            let stream = outboxes.stream_mut(session);
            peers.logon_answered(connection, session, wanted_seq, message, stream, now_ns);
        }
        Notice::Unnumbered { session, flags, message } => peers.tell(session, flags, message, now_ns),
        Notice::History { connection, granted } => {
            if !history.ask(connection, granted) {
                let busy = history::busy(&granted, now_ns);
                peers.tell_frames(granted.session.get(), connection, &busy, now_ns);
            }
        }
        Notice::Numbered { session } => {
            peers.has_output(session);
            outboxes.copies(session).iter().for_each(|copy| peers.has_output(*copy));
        }
        Notice::Nothing => {}
    }
}

/// The connections as the desk of histories knows them.
struct PeersNow<'a> {
    peers: &'a mut Peers,
    now_ns: u64,
}

impl Askers for PeersNow<'_> {
    fn has_room(&mut self, session: u64, connection: u32) -> Option<bool> {
        self.peers.has_room(session, connection)
    }

    fn tell(&mut self, session: u64, connection: u32, frames: &[u8]) {
        self.peers.tell_frames(session, connection, frames, self.now_ns);
    }
}

/// Why a connection must go, if it must.
fn overdue(connection: &Connection, stream: Option<&Stream>, now_ns: u64) -> Option<Reject> {
    if now_ns > connection.session.deadline_ns {
        return Some(Reject::ChallengeExpired);
    }
    if connection.is_stuck(now_ns) || stream.is_some_and(|stream| connection.has_fallen_behind(stream)) {
        return Some(Reject::SlowConsumer);
    }
    // What waits in the kernel because the venue does not read it is not the peer's silence, nor is a pause of the venue:
    // whoever was asked has a whole keep-alive to answer.
    let is_over = |asked_ns| now_ns.saturating_sub(asked_ns) > connection.keep_alive_ns;
    let is_heard_out = !connection.readable && !connection.has_frame();
    let is_lost = is_heard_out && connection.tested_ns.is_some_and(is_over);
    is_lost.then_some(Reject::HeartbeatLost)
}

/// A heartbeat after our own silence, a test request after the peer's.
fn keep_alive(connection: &mut Connection, stream: &Stream, now_ns: u64) {
    let mut words = Vec::new();
    if now_ns.saturating_sub(connection.sent_ns) >= connection.keep_alive_ns {
        // The next number on this connection, which may be behind what the outbox holds.
        let heartbeat = heartbeat(connection.next_to_send, stream.applied_client_seq, 0);
        frame::append(&mut words, 0, 0, now_ns, heartbeat);
    }
    if connection.tested_ns.is_none()
        && now_ns.saturating_sub(connection.received_ns) > connection.keep_alive_ns
    {
        connection.tested_ns = Some(now_ns);
        frame::append(&mut words, 0, 0, now_ns, TestRequest { echo: U64::new(now_ns) });
    }
    if !words.is_empty() {
        connection.write(&words, now_ns);
    }
}

/// Promises messages that were sent before, once more, or says why not. The connection pulls them from the outbox.
fn retransmission(
    out: &mut Vec<u8>,
    request: &RetransmitRequest,
    stream: &Stream,
    connection: &mut Connection,
    now_ns: u64,
) {
    let (from, count) = (request.from_seq.get(), request.count.get());
    let end = from.saturating_add(u64::from(count));
    let fault = if connection.is_repeating() {
        Some(Reject::RetransmitBusy)
    } else if count > RETRANSMIT_MAX {
        Some(Reject::RetransmitTooMany)
    } else if from < stream.oldest_seq() {
        Some(Reject::RetransmitTooOld)
    } else if count == 0 || end > connection.next_to_send {
        Some(Reject::SeqOutOfRange)
    } else {
        None
    };
    if let Some(code) = fault {
        let reject = RetransmitReject {
            request_id: request.request_id,
            oldest_server_seq: U64::new(stream.oldest_seq()),
            code: U16::new(code.code()),
            pad_a: U16::new(0),
            pad_b: U32::new(0),
        };
        return frame::append(out, 0, 0, now_ns, reject);
    }
    let head = Retransmission {
        request_id: request.request_id,
        from_seq: request.from_seq,
        count: request.count,
        pad_a: U32::new(0),
    };
    frame::append(out, 0, 0, now_ns, head);
    connection.repeat(from..end);
}

impl Stage for Net {
    fn poll(&mut self) -> usize {
        if self.finished {
            return 0;
        }
        let now_ns = self.clock.now_ns();
        let seen = self.sockets(Duration::ZERO);
        let asked = self.ending.asked();
        // Read before the ring is: what was released before the journal ended is handed out below.
        let journal_done = self.ending.journal_done();
        let read = self.input();
        let said = self.output();
        let found = self.history.attend(&mut PeersNow { peers: &mut self.peers, now_ns });
        self.timers(now_ns);
        let spare = std::mem::take(&mut self.spare);
        self.spare = self.peers.flush(&self.outboxes, spare, now_ns);
        if asked {
            self.end(now_ns, journal_done && said == 0);
        }
        seen + read + said + found
    }

    fn finished(&self) -> bool {
        self.finished
    }
}
