//! Strangers and members at the door: nothing is passed on that its sender had no right to say, whatever came before it.
//!
//! ```text
//! session: then each: deed u8 and what it takes         logon: fields of a logon | then flips, offset u16 | mask u8
//! ```

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use ed25519_dalek::{Signer, SigningKey};
use engine::command::{Logon, MassQuote, session_block_bytes};
use engine::event::{LogonReject, SessionReject};
use engine::limits::{KEEP_ALIVE_MS_MAX, KEEP_ALIVE_MS_MIN};
use engine::message::{Framed, HEADER_BYTES, Header, Message, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION, block};
use engine::reject::Reject;
use gateway::frame::{self, Frame, PREFIX_BYTES};
use gateway::keys::{Key, Keys};
use gateway::message::{Agreed, Challenge, Hello, fixed_text, logon_text, signature_words};
use gateway::release::SyncMode;
use gateway::session::{Door, LOGON_FAILURES_MAX, LOGON_STEP_NS_MAX, Session, State, Verdict};
use gateway::space::Takes;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::Reader;

const DEEDS_MAX: usize = 200;
const CONNECTION: u32 = 17;
const EPOCH: u64 = 5;
const START_NS: u64 = 1_700_000_000_000_000_000;
/// The sessions that have keys, and the ids of each one's.
const SESSIONS: [u64; 2] = [101, 102];
const KEYS: [u64; 2] = [1, 2];

thread_local! {
    static NONCES: Cell<u64> = const { Cell::new(0) };
}

/// Each time another, so that a challenge is known by it.
fn nonce() -> Option<[u8; 32]> {
    let number = NONCES.get();
    NONCES.set(number + 1);
    let mut nonce = [7; 32];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    Some(nonce)
}

fn secret(session: u64, key: u64) -> SigningKey {
    let mut seed = [9; 32];
    (seed[0], seed[1]) = (session as u8, key as u8);
    SigningKey::from_bytes(&seed)
}

static PUBLIC: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::default();
    for (session, id) in SESSIONS.iter().flat_map(|session| KEYS.map(|id| (*session, id))) {
        let public = secret(session, id).verifying_key();
        assert!(keys.add(session, id, Key { public, addresses: Vec::new(), revoked: false }));
    }
    keys
});

/// A challenge that was heard and not answered yet.
struct Open {
    agreed: Agreed,
    session: u64,
    until_ns: u64,
}

/// One connection, and what its peer knows to be true.
struct Visit {
    session: Session,
    now_ns: u64,
    is_halted: bool,
    open: Option<Open>,
    pending: Option<u64>,
    established: Option<u64>,
    failures: u32,
    seq: u64,
}

impl Visit {
    fn new() -> Visit {
        Visit {
            session: Session::new(CONNECTION, START_NS),
            now_ns: START_NS,
            is_halted: false,
            open: None,
            pending: None,
            established: None,
            failures: 0,
            seq: 1,
        }
    }

    /// Says the bytes of one frame. `proved`: a logon that the venue must believe, of this session. True where it goes on.
    fn say(&mut self, bytes: &[u8], proved: Option<u64>) -> bool {
        let Ok(Some(frame)) = frame::first(bytes) else { return false };
        let door = Door {
            keys: &PUBLIC,
            address: Ipv4Addr::LOCALHOST.into(),
            wait_ms: 0,
            engine_epoch: EPOCH,
            sync_mode: SyncMode::Group,
            takes: if self.is_halted { Takes::Nothing } else { Takes::Everything },
            now_ns: self.now_ns,
            nonce,
        };
        let mut out = Vec::new();
        let was_challenged = matches!(self.session.state, State::Connected | State::Challenged { .. });
        let verdict = self.session.frame(&frame, &door, &mut out);
        let (goes_on, forwarded) = match &verdict {
            Verdict::Close(_) => (false, None),
            Verdict::Forward(origin, message) => {
                assert_eq!(*message, frame.message, "what is passed on is what was said");
                (true, Some(origin))
            }
            Verdict::ForwardRefused(origin, _) => (true, Some(origin)),
            Verdict::Done | Verdict::Refused => (true, None),
            Verdict::Retransmit(session, _) | Verdict::Echo(session, _) => {
                assert_eq!(Some(*session), self.established, "only a member is answered");
                (true, None)
            }
        };
        if let Some(origin) = forwarded {
            assert!(!self.is_halted, "a halted venue takes nothing");
            assert_eq!((origin.connection.get(), origin.client_seq), (CONNECTION, frame.prefix.seq));
            if frame.template_id() == Logon::TEMPLATE && self.established.is_none() {
                assert_eq!(Some(origin.session.get()), proved, "a logon that proves nothing");
                assert!(matches!(verdict, Verdict::Forward(..)));
                self.pending = proved;
            } else {
                assert_eq!(
                    Some(origin.session.get()),
                    self.established,
                    "said before the logon was answered"
                );
                assert!(frame.template_id() >= 100, "session messages are never sequenced");
                self.shape(&frame, matches!(verdict, Verdict::Forward(..)));
            }
        } else {
            let believed = proved.is_none() || self.is_halted;
            assert!(believed, "a logon that is in order, {verdict:?}");
        }
        self.hear(&out);
        if was_challenged && frame.template_id() == Logon::TEMPLATE {
            self.open = None;
        }
        assert_eq!(self.failures >= LOGON_FAILURES_MAX, self.session.has_failed_too_often());
        assert!(
            !goes_on || !self.session.has_failed_too_often(),
            "after so many failures the connection ends"
        );
        goes_on
    }

    /// What goes on as a message has a template that members may send; what is wrong goes on as a refusal.
    fn shape(&self, frame: &Frame<'_>, is_whole: bool) {
        let known = session_block_bytes(frame.template_id());
        let versions = (frame.header.schema_id.get(), frame.header.version.get());
        if is_whole {
            let bytes = known.expect("a template of members");
            assert!(frame.block.len() >= bytes && versions == (SCHEMA_ORDER_ENTRY, SCHEMA_VERSION));
        } else {
            // A mass quote wants its group as well.
            let fits = frame.template_id() != MassQuote::TEMPLATE
                && known == Some(frame.block.len())
                && usize::from(frame.header.block_length.get()) == frame.block.len();
            assert!(
                !fits || versions != (SCHEMA_ORDER_ENTRY, SCHEMA_VERSION),
                "a message in order is refused"
            );
        }
    }

    /// The venue's own words: at most one whole frame, without a number.
    fn hear(&mut self, out: &[u8]) {
        if out.is_empty() {
            return;
        }
        let frame = frame::first(out).expect("a legal frame").expect("a whole one");
        assert!(frame.bytes() == out.len() && frame.prefix.seq.get() == 0);
        match frame.template_id() {
            Challenge::TEMPLATE => {
                let challenge = block::<Challenge>(frame.message).expect("a challenge");
                self.open = Some(Open {
                    agreed: Agreed {
                        client_nonce: CLIENT_NONCE,
                        server_nonce: challenge.server_nonce,
                        server_time: challenge.server_time.get(),
                        engine_epoch: challenge.engine_epoch.get(),
                    },
                    session: challenge.session_id.get(),
                    until_ns: self.now_ns + LOGON_STEP_NS_MAX,
                });
            }
            LogonReject::TEMPLATE => {
                let reject = block::<LogonReject>(frame.message).expect("a reject");
                self.failures += u32::from(reject.code.get() != Reject::JournalFull.code());
                self.open = None;
            }
            other => assert_eq!((other, self.established.is_some()), (SessionReject::TEMPLATE, true)),
        }
    }

    fn answered(&mut self, accepted: bool) {
        if let Some(session) = self.pending.take() {
            self.session.logon_answered(accepted, self.now_ns);
            if accepted {
                self.established = Some(session);
            } else {
                self.failures += 1;
            }
            assert_eq!(self.session.established(), self.established);
        }
    }

    /// A logon of this session by this key, signed over what was agreed last, and whether it must be believed.
    fn logon(&mut self, session: u64, key: u64, keep_alive_ms: u32) -> (Vec<u8>, Option<u64>) {
        let agreed = self.open.as_ref().map(|it| it.agreed).unwrap_or(Agreed {
            client_nonce: CLIENT_NONCE,
            server_nonce: [0; 32],
            server_time: self.now_ns,
            engine_epoch: EPOCH,
        });
        let mut logon = Logon {
            session_id: U64::new(session),
            key_id: U64::new(key),
            next_client_seq: U64::new(self.seq),
            next_server_seq: U64::new(1),
            keep_alive_ms: U32::new(keep_alive_ms),
            schema_version: U16::new(SCHEMA_VERSION),
            cod_mode: 1,
            pad_a: 0,
            cod_grace_ms: U32::ZERO,
            pad_b: U32::ZERO,
            signature: [U64::ZERO; 8],
        };
        logon.signature =
            signature_words(&secret(session, key).sign(&logon_text(&agreed, &logon)).to_bytes());
        let is_known = SESSIONS.contains(&session) && KEYS.contains(&key);
        let in_order = is_known
            && (KEEP_ALIVE_MS_MIN..=KEEP_ALIVE_MS_MAX).contains(&keep_alive_ms)
            && self.pending.is_none()
            && self.established.is_none()
            && self.open.as_ref().is_some_and(|it| it.session == session && self.now_ns <= it.until_ns);
        (framed(0, self.seq, self.now_ns, Framed::new(logon).as_bytes()), in_order.then_some(session))
    }
}

const CLIENT_NONCE: [u8; 32] = [3; 32];

fn framed(flags: u16, seq: u64, now_ns: u64, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append_message(&mut bytes, flags, seq, now_ns, message);
    bytes
}

fn hello(session: u64, versions: u8) -> Hello {
    Hello {
        session_id: U64::new(session),
        client_nonce: CLIENT_NONCE,
        schema_version_min: U16::new(u16::from(versions & 3)),
        schema_version_max: U16::new(u16::from(versions >> 2 & 3)),
        pad_a: U32::ZERO,
        client_name: fixed_text("fuzz"),
        client_version: fixed_text("1"),
    }
}

fn some_session(byte: u8) -> u64 {
    SESSIONS.get(usize::from(byte % 3)).copied().unwrap_or(u64::from(byte))
}

pub fn session(input: &[u8]) {
    let mut reader = Reader::new(input);
    let mut visit = Visit::new();
    for _ in 0..DEEDS_MAX {
        if reader.is_empty() || !deed(&mut visit, &mut reader) {
            return;
        }
    }
}

/// True where the connection goes on.
fn deed(visit: &mut Visit, reader: &mut Reader<'_>) -> bool {
    visit.seq += 1;
    let (seq, now_ns) = (visit.seq, visit.now_ns);
    match reader.byte() % 9 {
        0 => {
            let hello = hello(some_session(reader.byte()), reader.byte());
            visit.say(&framed(0, 0, now_ns, Framed::new(hello).as_bytes()), None)
        }
        1 => {
            let (session, key) = (some_session(reader.byte()), u64::from(reader.byte() % 4));
            let keep_alive_ms = if reader.byte() == 0 { reader.number(4) as u32 } else { KEEP_ALIVE_MS_MIN };
            let (bytes, proved) = visit.logon(session, key, keep_alive_ms);
            visit.say(&bytes, proved)
        }
        2 => {
            let (flags, template) = (reader.byte(), reader.number(2) as u16);
            let length = match reader.byte() {
                255 => session_block_bytes(template).unwrap_or(0),
                other => usize::from(other),
            };
            any_message(visit, reader, u16::from(flags & 31), template, length)
        }
        // The templates that are known, in their length.
        3 => {
            let template = KNOWN[usize::from(reader.byte()) % KNOWN.len()];
            let length = session_block_bytes(template).unwrap_or(24);
            any_message(visit, reader, 0, template, length)
        }
        4 => {
            let ns = [1, 1_000_000, LOGON_STEP_NS_MAX, LOGON_STEP_NS_MAX + 1][usize::from(reader.byte() % 4)];
            visit.now_ns += ns;
            true
        }
        5 => {
            visit.answered(true);
            true
        }
        6 => {
            visit.answered(false);
            !visit.session.has_failed_too_often()
        }
        7 => {
            visit.is_halted = !visit.is_halted;
            true
        }
        // The bytes of a frame as they come.
        _ => {
            let mut bytes = framed(0, seq, now_ns, &[0; HEADER_BYTES + 24]);
            reader.fill(&mut bytes[PREFIX_BYTES..]);
            visit.say(&bytes, None)
        }
    }
}

/// Session messages and those of members.
const KNOWN: [u16; 14] = [1, 3, 6, 8, 9, 10, 100, 101, 110, 111, 112, 113, 115, 320];

fn any_message(visit: &mut Visit, reader: &mut Reader<'_>, flags: u16, template: u16, length: usize) -> bool {
    let schema = reader.byte();
    let header = Header {
        block_length: (length as u16).into(),
        template_id: template.into(),
        schema_id: if schema == 1 { 7702 } else { SCHEMA_ORDER_ENTRY }.into(),
        version: if schema == 2 { 2 } else { SCHEMA_VERSION }.into(),
    };
    let mut message = header.as_bytes().to_vec();
    message.resize(HEADER_BYTES + length, 0);
    reader.fill(&mut message[HEADER_BYTES..]);
    visit.say(&framed(flags, visit.seq, visit.now_ns, &message), None)
}

/// Bytes of a logon's frame that its signature does not cover: number, time of sending, padding.
const FREE: [std::ops::Range<usize>; 3] = [8..24, 71..72, 76..80];

pub fn logon(input: &[u8]) {
    let mut reader = Reader::new(input);
    let mut visit = Visit::new();
    let (session, key) = (some_session(reader.byte()), u64::from(reader.byte() % 4));
    let keep_alive_ms = reader.number(4) as u32;
    visit.seq = reader.number(8);
    let hello = hello(session, 1 | 1 << 2);
    visit.say(&framed(0, 0, START_NS, Framed::new(hello).as_bytes()), None);
    let (right, proved) = visit.logon(session, key, keep_alive_ms);
    let mut bytes = right.clone();
    while !reader.is_empty() {
        let at = usize::from(reader.number(2) as u16) % bytes.len();
        bytes[at] ^= reader.byte();
    }
    let differs = |at: usize| bytes[at] != right[at] && !FREE.iter().any(|free| free.contains(&at));
    // A client may say of any frame that it was perhaps sent before.
    let resent = bytes[6] ^ right[6] <= 1;
    let is_touched = (0..bytes.len()).any(|at| differs(at) && !(at == 6 && resent));
    let goes_on = visit.say(&bytes, proved.filter(|_| !is_touched));
    // No challenge serves two logons.
    if goes_on && visit.pending.is_none() {
        visit.say(&right, None);
    }
}
