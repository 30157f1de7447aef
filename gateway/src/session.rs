//! One connection's side of the session protocol: hello, challenge, signed logon, then frames. A pure state machine: frames
//! and the time in, a verdict out; it owns no socket and no ring. Sequence numbers are judged by the engine alone, so that
//! they are judged once and stand in the journal.

use std::net::IpAddr;

use engine::command::{
    CancelOrder, Logon, MassCancel, MassQuote, Quotes, Refused, VenueState, session_block_bytes,
};
use engine::event::{LogonReject, SessionReject};
use engine::limits::{KEEP_ALIVE_MS_MAX, KEEP_ALIVE_MS_MIN};
use engine::message::{
    Framed, ORIGIN_POSSIBLE_RESEND, Origin, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION, block, split,
};
use engine::reject::Reject;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

use crate::frame::{self, CLIENT_FLAGS, Frame, POSSIBLE_RESEND};
use crate::keys::Keys;
use crate::message::{
    Agreed, Challenge, Heartbeat, Hello, Logout, RetransmitRequest, TestRequest, fixed_text, logon_text,
    signature_bytes,
};
use crate::release::SyncMode;
use crate::space::Takes;
use engine::message::Message;

/// A peer has this long for each step up to the logon.
pub const LOGON_STEP_NS_MAX: u64 = 5_000_000_000;
/// What a logon is told to wait while the venue is halted.
const HALT_RETRY_MS: u32 = 1_000;
/// Failed logons on one connection before it is closed.
pub const LOGON_FAILURES_MAX: u32 = 3;
/// Messages in a row that cannot be read before the connection is closed.
pub const MALFORMED_MAX: u32 = 10;

/// Where a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Connected,
    Challenged {
        session_id: u64,
        agreed: Agreed,
    },
    /// The signed logon is on its way through the engine.
    LogonPending {
        session_id: u64,
    },
    Established {
        session_id: u64,
    },
}

/// What the gateway must do with the frame that was just read.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Nothing more; an answer, if any, is in the output.
    Done,
    /// It could not be read; the answer is in the output.
    Refused,
    /// Onto the ring: the frame's own message.
    Forward(Origin, &'a [u8]),
    /// Onto the ring: a record that this frame took a number and could not be read.
    ForwardRefused(Origin, Framed<Refused>),
    /// Messages of this session once more.
    Retransmit(u64, RetransmitRequest),
    /// A heartbeat of this session that returns the peer's word.
    Echo(u64, u64),
    /// Say goodbye with this code (`None`: the peer said it) and close.
    Close(Option<Reject>),
}

/// What the session needs to know of the venue.
#[derive(Debug)]
pub struct Door<'a> {
    pub keys: &'a Keys,
    /// Where the peer comes from.
    pub address: IpAddr,
    pub engine_epoch: u64,
    pub sync_mode: SyncMode,
    /// What the journal's disk still lets members say.
    pub takes: Takes,
    /// How long the peer's source has to wait for its next logon; 0 for not at all.
    pub wait_ms: u32,
    pub now_ns: u64,
    /// Fresh random bytes for a challenge; drawn only when one is made.
    pub nonce: fn() -> Option<[u8; 32]>,
}

/// The state of one connection, and what its output needs to know.
#[derive(Clone, Debug)]
pub struct Session {
    pub state: State,
    pub connection: u32,
    pub deadline_ns: u64,
    /// The key of the last logon that was verified.
    key_id: u64,
    failures: u32,
    /// Messages in a row that could not be read.
    malformed: u32,
}

impl Session {
    pub fn new(connection: u32, now_ns: u64) -> Session {
        Session {
            state: State::Connected,
            connection,
            deadline_ns: now_ns + LOGON_STEP_NS_MAX,
            key_id: 0,
            failures: 0,
            malformed: 0,
        }
    }

    /// The session and the key that this peer proved to have.
    pub fn proved(&self) -> Option<(u64, u64)> {
        match self.state {
            State::LogonPending { session_id } | State::Established { session_id } => {
                Some((session_id, self.key_id))
            }
            State::Connected | State::Challenged { .. } => None,
        }
    }

    pub fn established(&self) -> Option<u64> {
        match self.state {
            State::Established { session_id } => Some(session_id),
            _ => None,
        }
    }

    /// Nothing was proved yet: nobody knows who this is.
    pub fn is_strange(&self) -> bool {
        matches!(self.state, State::Connected | State::Challenged { .. })
    }

    /// The engine answered the logon.
    pub fn logon_answered(&mut self, accepted: bool, now_ns: u64) {
        let State::LogonPending { session_id } = self.state else { return };
        if accepted {
            self.state = State::Established { session_id };
            self.deadline_ns = u64::MAX;
        } else {
            self.failed(now_ns);
        }
    }

    /// A peer that fails this often is sent away, whoever refused it.
    pub fn has_failed_too_often(&self) -> bool {
        self.failures >= LOGON_FAILURES_MAX
    }

    /// Logons of this connection that were refused.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The peer can speak from now on.
    pub fn opened(&mut self, now_ns: u64) {
        self.deadline_ns = now_ns + LOGON_STEP_NS_MAX;
    }

    /// A peer that says nothing that can be read is sent away.
    pub fn is_gibberish(&self) -> bool {
        self.malformed >= MALFORMED_MAX
    }

    fn failed(&mut self, now_ns: u64) {
        self.failures += 1;
        self.state = State::Connected;
        self.deadline_ns = now_ns + LOGON_STEP_NS_MAX;
    }

    /// One whole frame. Answers of the session itself are appended to `out`.
    pub fn frame<'a>(&mut self, frame: &Frame<'a>, door: &Door<'_>, out: &mut Vec<u8>) -> Verdict<'a> {
        if frame.prefix.flags.get() & !CLIENT_FLAGS != 0 {
            return Verdict::Close(Some(Reject::ReservedBitsSet));
        }
        let verdict = self.judge(frame, door, out);
        let is_malformed = matches!(verdict, Verdict::Refused | Verdict::ForwardRefused(..));
        self.malformed = if is_malformed { self.malformed + 1 } else { 0 };
        verdict
    }

    fn judge<'a>(&mut self, frame: &Frame<'a>, door: &Door<'_>, out: &mut Vec<u8>) -> Verdict<'a> {
        match (&self.state, frame.template_id()) {
            (_, Logout::TEMPLATE) => Verdict::Close(None),
            (State::Connected, Hello::TEMPLATE) => self.hello(frame, door, out),
            // A challenge is used by the first logon that names it, good or bad.
            (State::Connected | State::Challenged { .. }, Logon::TEMPLATE) => self.logon(frame, door, out),
            (State::Established { session_id }, 0..100) => session_message(*session_id, frame, door, out),
            // Its number is not used up, and after the next logon it may come again.
            (State::Established { .. }, template) if !is_taken(template, door.takes) => {
                Verdict::Close(Some(Reject::JournalFull))
            }
            (State::Established { session_id }, _) => application(*session_id, self.connection, frame, door),
            _ => Verdict::Close(Some(Reject::NotEstablished)),
        }
    }

    fn hello<'a>(&mut self, frame: &Frame<'a>, door: &Door<'_>, out: &mut Vec<u8>) -> Verdict<'a> {
        let hello = match readable::<Hello>(frame) {
            Ok(hello) => hello,
            Err(code) => return Verdict::Close(Some(code)),
        };
        let session_id = hello.session_id.get();
        if door.wait_ms > 0 {
            return self.send_away(session_id, door, out);
        }
        if !(hello.schema_version_min.get()..=hello.schema_version_max.get()).contains(&SCHEMA_VERSION) {
            return self.refuse(session_id, Reject::VersionUnsupported, door, out);
        }
        let Some(server_nonce) = (door.nonce)() else {
            return self.refuse(session_id, Reject::Internal, door, out);
        };
        let agreed = Agreed {
            client_nonce: hello.client_nonce,
            server_nonce,
            server_time: door.now_ns,
            engine_epoch: door.engine_epoch,
        };
        let challenge = Challenge {
            session_id: hello.session_id,
            server_nonce,
            server_time: U64::new(agreed.server_time),
            engine_epoch: U64::new(agreed.engine_epoch),
            schema_version_min: U16::new(SCHEMA_VERSION),
            schema_version_max: U16::new(SCHEMA_VERSION),
            sync_mode: door.sync_mode as u8,
            pad_a: 0,
            pad_b: U16::new(0),
        };
        frame::append(out, 0, 0, door.now_ns, challenge);
        self.state = State::Challenged { session_id, agreed };
        self.deadline_ns = door.now_ns + LOGON_STEP_NS_MAX;
        Verdict::Done
    }

    fn logon<'a>(&mut self, frame: &Frame<'a>, door: &Door<'_>, out: &mut Vec<u8>) -> Verdict<'a> {
        let before = std::mem::replace(&mut self.state, State::Connected);
        let logon = match readable::<Logon>(frame) {
            Ok(logon) => logon,
            Err(code) => return Verdict::Close(Some(code)),
        };
        let session_id = logon.session_id.get();
        if door.wait_ms > 0 {
            return self.send_away(session_id, door, out);
        }
        match verify(&before, logon, self.deadline_ns, door) {
            Err(code) => self.refuse(session_id, code, door, out),
            Ok(()) if door.takes == Takes::Nothing => {
                let reject = LogonReject {
                    retry_after_ms: U32::new(HALT_RETRY_MS),
                    ..logon_reject(session_id, Reject::JournalFull)
                };
                frame::append(out, 0, 0, door.now_ns, reject);
                self.deadline_ns = door.now_ns + LOGON_STEP_NS_MAX;
                Verdict::Done
            }
            Ok(()) => {
                self.state = State::LogonPending { session_id };
                self.key_id = logon.key_id.get();
                self.deadline_ns = u64::MAX;
                Verdict::Forward(origin(session_id, self.connection, frame, door), frame.message)
            }
        }
    }

    /// Too many logons from there have failed: this one is not looked at.
    fn send_away<'a>(&mut self, session_id: u64, door: &Door<'_>, out: &mut Vec<u8>) -> Verdict<'a> {
        let reject = LogonReject {
            retry_after_ms: U32::new(door.wait_ms),
            ..logon_reject(session_id, Reject::LogonRate)
        };
        frame::append(out, 0, 0, door.now_ns, reject);
        Verdict::Close(Some(Reject::LogonRate))
    }

    fn refuse<'a>(
        &mut self,
        session_id: u64,
        code: Reject,
        door: &Door<'_>,
        out: &mut Vec<u8>,
    ) -> Verdict<'a> {
        frame::append(out, 0, 0, door.now_ns, logon_reject(session_id, code));
        self.failed(door.now_ns);
        if self.has_failed_too_often() { Verdict::Close(Some(Reject::LogonRate)) } else { Verdict::Done }
    }
}

/// Cancels of orders, and what operators and oracles say, are taken up to the halt.
fn is_taken(template_id: u16, takes: Takes) -> bool {
    match takes {
        Takes::Everything => true,
        Takes::WhatTakesAway => {
            let is_privileged = template_id >= 300 && session_block_bytes(template_id).is_some();
            is_privileged || [CancelOrder::TEMPLATE, MassCancel::TEMPLATE].contains(&template_id)
        }
        Takes::Nothing => false,
    }
}

pub fn logon_reject(session_id: u64, code: Reject) -> LogonReject {
    LogonReject {
        session_id: U64::new(session_id),
        code: U16::new(code.code()),
        pad_a: U16::new(0),
        retry_after_ms: U32::new(0),
        schema_version_min: U16::new(SCHEMA_VERSION),
        schema_version_max: U16::new(SCHEMA_VERSION),
        pad_b: U32::new(0),
        text: fixed_text(code.text()),
    }
}

pub fn logout(code: Reject) -> Logout {
    Logout {
        code: U16::new(code.code()),
        pad_a: U16::new(0),
        pad_b: U32::new(0),
        text: fixed_text(code.text()),
    }
}

/// The checks of a logon, cheapest first; the signature last, because it costs the most.
fn verify(state: &State, logon: &Logon, deadline_ns: u64, door: &Door<'_>) -> Result<(), Reject> {
    let State::Challenged { session_id, agreed } = state else {
        return Err(Reject::ChallengeExpired);
    };
    if door.now_ns > deadline_ns || logon.session_id.get() != *session_id {
        return Err(Reject::ChallengeExpired);
    }
    if logon.schema_version.get() != SCHEMA_VERSION {
        return Err(Reject::VersionUnsupported);
    }
    if !(KEEP_ALIVE_MS_MIN..=KEEP_ALIVE_MS_MAX).contains(&logon.keep_alive_ms.get()) {
        return Err(Reject::InvalidParameter);
    }
    let key = door.keys.judge(*session_id, logon.key_id.get(), door.address)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature_bytes(&logon.signature));
    key.verify_strict(&logon_text(agreed, logon), &signature).map_err(|_| Reject::BadSignature)
}

fn origin(session_id: u64, connection: u32, frame: &Frame<'_>, door: &Door<'_>) -> Origin {
    let resent = frame.prefix.flags.get() & POSSIBLE_RESEND != 0;
    Origin {
        session: U64::new(session_id),
        client_seq: frame.prefix.seq,
        sent_ns: frame.prefix.send_time,
        received_ns: U64::new(door.now_ns),
        connection: U32::new(connection),
        flags: U32::new(if resent { ORIGIN_POSSIBLE_RESEND } else { 0 }),
    }
}

/// Schema, version and the block's length.
fn readable<'a, M: Message>(frame: &Frame<'a>) -> Result<&'a M, Reject> {
    known_schema(frame)?;
    frame.block::<M>().ok_or(Reject::BadBlockLength)
}

fn known_schema(frame: &Frame<'_>) -> Result<(), Reject> {
    if frame.header.schema_id.get() != SCHEMA_ORDER_ENTRY {
        return Err(Reject::SchemaMismatch);
    }
    if frame.header.version.get() != SCHEMA_VERSION {
        return Err(Reject::VersionUnsupported);
    }
    Ok(())
}

fn session_message<'a>(
    session_id: u64,
    frame: &Frame<'a>,
    door: &Door<'_>,
    out: &mut Vec<u8>,
) -> Verdict<'a> {
    let fault = match frame.template_id() {
        Heartbeat::TEMPLATE => match readable::<Heartbeat>(frame) {
            Ok(_) => return Verdict::Done,
            Err(code) => code,
        },
        TestRequest::TEMPLATE => match readable::<TestRequest>(frame) {
            Ok(test) => return Verdict::Echo(session_id, test.echo.get()),
            Err(code) => code,
        },
        RetransmitRequest::TEMPLATE => match readable::<RetransmitRequest>(frame) {
            Ok(request) => return Verdict::Retransmit(session_id, *request),
            Err(code) => code,
        },
        _ => Reject::UnknownTemplate,
    };
    // Not numbered, so nothing of it belongs in the journal: answered at the door.
    let reject = SessionReject {
        ref_seq: frame.prefix.seq,
        code: U16::new(fault.code()),
        ref_template_id: frame.header.template_id,
        ref_field_id: U16::new(0),
        pad_a: U16::new(0),
    };
    frame::append(out, 0, 0, door.now_ns, reject);
    Verdict::Refused
}

/// What members are told when the venue stops what adds, halts, or goes on (rules, 10.6): a reject of no command of theirs,
/// with the code of the reason, 0 where it goes on.
pub fn standstill_notice(payload: &[u8]) -> Option<Framed<SessionReject>> {
    let (origin, message) = Origin::ref_from_prefix(payload).ok()?;
    let state = block::<VenueState>(message).filter(|_| origin.session.get() == 0)?;
    Some(Framed::new(SessionReject {
        ref_seq: U64::new(0),
        code: state.code,
        ref_template_id: U16::new(VenueState::TEMPLATE),
        ref_field_id: U16::new(0),
        pad_a: U16::new(0),
    }))
}

pub fn heartbeat(next_seq: u64, ack_seq: u64, echo: u64) -> Heartbeat {
    Heartbeat { next_seq: U64::new(next_seq), ack_seq: U64::new(ack_seq), echo: U64::new(echo) }
}

fn application<'a>(session_id: u64, connection: u32, frame: &Frame<'a>, door: &Door<'_>) -> Verdict<'a> {
    let origin = origin(session_id, connection, frame, door);
    match known_template(frame) {
        Ok(()) => Verdict::Forward(origin, frame.message),
        Err(code) => Verdict::ForwardRefused(
            origin,
            Framed::new(Refused {
                code: U16::new(code.code()),
                ref_template_id: frame.header.template_id,
                ref_field_id: U16::new(0),
                pad_a: U16::new(0),
            }),
        ),
    }
}

fn known_template(frame: &Frame<'_>) -> Result<(), Reject> {
    known_schema(frame)?;
    if frame.template_id() == MassQuote::TEMPLATE {
        // A group follows the block: the header says the length of the block alone.
        return Quotes::read(frame.message).map(|_| ()).ok_or(Reject::BadBlockLength);
    }
    let (_, block) = split(frame.message).ok_or(Reject::BadBlockLength)?;
    let bytes = session_block_bytes(frame.template_id()).ok_or(Reject::UnknownTemplate)?;
    if block.len() == bytes { Ok(()) } else { Err(Reject::BadBlockLength) }
}

/// The bytes of a `Forward` or a `ForwardRefused`, as one command payload in parts.
pub fn payload_parts<'a>(origin: &'a Origin, message: &'a [u8]) -> [&'a [u8]; 2] {
    [origin.as_bytes(), message]
}
