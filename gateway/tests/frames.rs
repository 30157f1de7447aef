//! Bytes from a peer that means harm: whatever comes, the parser and the session answer, and nothing reaches the ring before
//! a logon is established. Seeded, so that a failure comes back; the seed of each stream is printed with it.

use std::net::Ipv4Addr;

use ed25519_dalek::{Signer, SigningKey};
use engine::command::{CancelOrder, Logon, MassQuote, NewOrder, QuoteEntry, Quotes, session_block_bytes};
use engine::limits::FRAME_BYTES_MAX;
use engine::message::{Framed, GroupSize, Header, Message, split};
use gateway::frame::{self, FRAME_BYTES_MIN};
use gateway::keys::{Key, Keys};
use gateway::message::{
    Agreed, Challenge, Heartbeat, Hello, Logout, RetransmitRequest, TestRequest, logon_text, signature_words,
};
use gateway::release::SyncMode;
use gateway::session::{Door, LOGON_FAILURES_MAX, Session, State, Verdict};
use gateway::space::Takes;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

const STREAMS: u64 = 200_000;
const SESSION: u64 = 1001;
const CONNECTION: u32 = 3;
const NOW_NS: u64 = 1_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn keys() -> Keys {
    let key = Key { public: signing_key().verifying_key(), addresses: Vec::new(), revoked: false };
    let mut keys = Keys::default();
    keys.add(SESSION, 1, key);
    keys
}

fn nonce() -> Option<[u8; 32]> {
    Some([4; 32])
}

fn door(keys: &Keys) -> Door<'_> {
    let address = Ipv4Addr::LOCALHOST.into();
    Door {
        keys,
        address,
        engine_epoch: 1,
        sync_mode: SyncMode::Group,
        takes: Takes::Everything,
        wait_ms: 0,
        now_ns: NOW_NS,
        nonce,
    }
}

fn hello() -> Hello {
    Hello {
        session_id: U64::new(SESSION),
        schema_version_min: U16::new(1),
        schema_version_max: U16::new(1),
        ..Hello::new_zeroed()
    }
}

/// The logon that the challenge of this door opens to.
fn logon() -> Logon {
    let agreed =
        Agreed { client_nonce: [0; 32], server_nonce: [4; 32], server_time: NOW_NS, engine_epoch: 1 };
    let mut logon = Logon {
        session_id: U64::new(SESSION),
        key_id: U64::new(1),
        next_client_seq: U64::new(1),
        next_server_seq: U64::new(1),
        keep_alive_ms: U32::new(1_000),
        schema_version: U16::new(1),
        cod_mode: 1,
        ..Logon::new_zeroed()
    };
    logon.signature = signature_words(&signing_key().sign(&logon_text(&agreed, &logon)).to_bytes());
    logon
}

fn framed<M: Message>(seq: u64, block: M) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, 0, seq, 0, block);
    bytes
}

/// A mass quote of three entries.
fn quotes(seq: u64) -> Vec<u8> {
    let entries = [QuoteEntry::new_zeroed(); 3];
    let head = Framed::new(MassQuote::new_zeroed());
    let message = [head.as_bytes(), GroupSize::of(&entries).as_bytes(), entries.as_bytes()].concat();
    let mut bytes = Vec::new();
    frame::append_message(&mut bytes, 0, seq, 0, &message);
    bytes
}

/// Legal frames of every kind, from both directions.
fn seeds() -> Vec<Vec<u8>> {
    vec![
        framed(0, hello()),
        framed(0, logon()),
        framed(0, Heartbeat::new_zeroed()),
        framed(0, TestRequest::new_zeroed()),
        framed(0, RetransmitRequest::new_zeroed()),
        framed(0, Challenge::new_zeroed()),
        framed(0, Logout::new_zeroed()),
        framed(1, NewOrder::new_zeroed()),
        framed(2, CancelOrder::new_zeroed()),
        framed(3, engine::command::MarkPrice::new_zeroed()),
        framed(4, engine::command::VenueOpen::new_zeroed()),
        framed(5, engine::command::Refused::new_zeroed()),
        framed(6, engine::command::Continue::new_zeroed()),
        quotes(7),
    ]
}

/// A few frames one after the other, some of them changed, cut, doubled or made of nothing.
fn stream(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(6) {
        match random.below(8) {
            0 => bytes.extend((0..random.below(80)).map(|_| random.word() as u8)),
            1 => bytes.extend(any_header(random)),
            _ => bytes.extend(&seeds[random.below(seeds.len())]),
        }
    }
    for _ in 0..random.below(4) {
        if let Some(length) = bytes.len().checked_sub(1).filter(|length| *length > 0) {
            let at = random.below(length);
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.word() as u8,
                2 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, [random.word() as u8])),
            }
        }
    }
    bytes
}

/// A frame of the right length with any header.
fn any_header(random: &mut Random) -> Vec<u8> {
    let block = vec![random.word() as u8; random.below(130)];
    let any = |random: &mut Random, likely: u16| match random.below(3) {
        0 => random.word() as u16,
        _ => likely,
    };
    let template = random.below(360) as u16;
    let header = Header {
        block_length: U16::new(any(random, block.len() as u16)),
        template_id: U16::new(any(random, template)),
        schema_id: U16::new(any(random, 7701)),
        version: U16::new(any(random, 1)),
    };
    let mut bytes = Vec::new();
    let flags = any(random, 0);
    frame::append_message(&mut bytes, flags, random.word(), 0, &[header.as_bytes(), &block].concat());
    bytes
}

/// What must hold of every answer, whatever was said. True while the connection stands.
fn judged(session: &mut Session, bytes: &[u8], at: &mut usize, door: &Door<'_>, out: &mut Vec<u8>) -> bool {
    let Ok(Some(frame)) = frame::first(&bytes[*at..]) else { return false };
    assert!((FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&frame.bytes()), "a frame has bounds");
    assert!(frame.bytes() <= bytes.len() - *at, "a frame is whole");
    *at += frame.bytes();
    let before = session.state.clone();
    out.clear();
    let verdict = session.frame(&frame, door, out);
    assert!(out.len() <= 128, "one frame asks for at most one answer");
    assert!(frame::first(out).is_ok(), "the answer is legal");
    match verdict {
        Verdict::Close(_) => return false,
        Verdict::Done | Verdict::Refused => {}
        Verdict::Forward(origin, message) => {
            assert_eq!((origin.session.get(), origin.connection.get()), (SESSION, CONNECTION));
            if Quotes::read(message).is_some() {
                assert!(matches!(before, State::Established { .. }), "{before:?} forwards");
                return true;
            }
            let (header, block) = split(message).expect("what is forwarded has its length");
            match before {
                State::Challenged { session_id, .. } => {
                    assert_eq!((session_id, header.template_id.get()), (SESSION, Logon::TEMPLATE));
                    // Padding means nothing, so it is not signed.
                    let said = frame.block::<Logon>().expect("it was forwarded as one");
                    let said = Logon { pad_a: 0, pad_b: U32::new(0), ..*said };
                    assert_eq!(said, logon(), "only the signed words open the door");
                    assert_eq!(session.state, State::LogonPending { session_id: SESSION });
                }
                State::Established { .. } => {
                    assert_eq!(session_block_bytes(header.template_id.get()), Some(block.len()));
                }
                other => panic!("{other:?} forwards"),
            }
        }
        Verdict::ForwardRefused(..) | Verdict::Retransmit(..) | Verdict::Echo(..) => {
            assert_eq!(before, State::Established { session_id: SESSION });
        }
    }
    true
}

fn play(session: &mut Session, bytes: &[u8], keys: &Keys, out: &mut Vec<u8>) {
    let (door, mut at) = (door(keys), 0);
    while judged(session, bytes, &mut at, &door, out) {}
}

/// Prints the seed of the stream in which a test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the stream of seed {}", self.0);
        }
    }
}

#[test]
fn no_stream_reaches_the_ring_without_a_logon() {
    let (keys, seeds, mut out) = (keys(), seeds(), Vec::new());
    let (mut forwarded, mut refused) = (0, 0);
    for seed in 0..STREAMS {
        let told = Told(seed);
        let bytes = stream(&mut Random(seed), &seeds);
        let mut session = Session::new(CONNECTION, NOW_NS);
        play(&mut session, &bytes, &keys, &mut out);
        assert_eq!(session.established(), None, "nobody but the engine establishes a session");
        forwarded += usize::from(matches!(session.state, State::LogonPending { .. }));
        refused += usize::from(session.has_failed_too_often());
        drop(told);
    }
    // The streams are good enough to get there now and then.
    assert!(forwarded > 100 && refused > 0, "{forwarded} logons, {refused} sent away");
}

#[test]
fn no_stream_breaks_an_established_session() {
    let (keys, seeds, mut out) = (keys(), seeds(), Vec::new());
    let established = {
        let mut session = Session::new(CONNECTION, NOW_NS);
        play(&mut session, &[framed(0, hello()), framed(0, logon())].concat(), &keys, &mut out);
        session.logon_answered(true, NOW_NS);
        assert_eq!(session.established(), Some(SESSION));
        session
    };
    for seed in STREAMS..2 * STREAMS {
        let told = Told(seed);
        let bytes = stream(&mut Random(seed), &seeds);
        let mut session = established.clone();
        play(&mut session, &bytes, &keys, &mut out);
        assert_eq!(session.state, established.state, "no frame changes who is logged on");
        drop(told);
    }
}

#[test]
fn no_bytes_upset_the_parser_and_more_of_them_never_change_its_mind() {
    let seeds = seeds();
    for seed in 2 * STREAMS..3 * STREAMS {
        let told = Told(seed);
        let mut random = Random(seed);
        let bytes = stream(&mut random, &seeds);
        let cut = random.below(bytes.len() + 1);
        let whole = frame::first(&bytes).map(|frame| frame.map(|frame| frame.bytes()));
        match frame::first(&bytes[..cut]).map(|frame| frame.map(|frame| frame.bytes())) {
            Ok(None) => {}
            decided => assert_eq!(decided, whole, "cut at {cut}"),
        }
        drop(told);
    }
}

#[test]
fn three_wrong_signatures_are_three_failures() {
    let (keys, mut out) = (keys(), Vec::new());
    let mut session = Session::new(CONNECTION, NOW_NS);
    let wrong = Logon { next_server_seq: U64::new(7), ..logon() };
    let once = [framed(0, hello()), framed(0, wrong)].concat();
    for failures in 1..=LOGON_FAILURES_MAX {
        play(&mut session, &once, &keys, &mut out);
        assert_eq!(session.has_failed_too_often(), failures == LOGON_FAILURES_MAX);
    }
}
