//! What a venue answers to input that it should not get, over real sockets: the reason that the protocol names, the number
//! used up or not, and a second member whose trades before, between and after are answered as ever. Clauses 2.x are those
//! of the engine's rules; the codes are those of the protocol's table.

use engine::command::{Logon, NewOrder};
use engine::limits::FRAME_BYTES_MAX;
use engine::message::{Header, Message};
use gateway::frame::{self, POSSIBLE_RESEND, RETRANSMIT};
use gateway::message::{Challenge, Heartbeat, Hello, RetransmitRequest, TestRequest};
use gateway::session::heartbeat;
use tests::member::{Member, last_words, shown};
use tests::orders::cancel;
use tests::peer::Peer;
use tests::venue::{Home, Venue};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

/// A venue, and somebody who trades there while others misbehave.
struct Scene {
    home: Home,
    venue: Venue,
    bystander: Member,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(|text| text)
    }

    fn with(edit: impl FnOnce(String) -> String) -> Scene {
        let home = Home::new(edit);
        let venue = home.serve();
        let mut bystander = Member::new(home.path(), "bob");
        bystander.trade();
        Scene { home, venue, bystander }
    }

    fn stranger(&self) -> Peer {
        Peer::connect(self.home.path(), "alice")
    }

    fn member(&self, name: &str) -> Member {
        Member::new(self.home.path(), name)
    }

    /// The last look: the venue still serves, and ends as it should.
    fn end(mut self) {
        self.bystander.trade();
        let (status, said) = self.venue.terminate();
        assert!(status.success(), "{said:?}");
    }
}

fn framed<M: Message>(flags: u16, seq: u64, block: M) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, flags, seq, 0, block);
    bytes
}

/// A frame with any header and block; the frame's own length is right.
fn raw(seq: u64, header: [u16; 4], block: &[u8]) -> Vec<u8> {
    let [block_length, template_id, schema_id, version] = header.map(U16::new);
    let header = Header { block_length, template_id, schema_id, version };
    let mut bytes = Vec::new();
    frame::append_message(&mut bytes, 0, seq, 0, &[header.as_bytes(), block].concat());
    bytes
}

/// Bytes that no continuation makes legal, and the code of the goodbye.
fn impossible_frames() -> Vec<(String, Vec<u8>, &'static str)> {
    let good = || framed(0, 0, TestRequest { echo: U64::new(1) });
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let mut cases = Vec::new();
    for length in 0..frame::FRAME_BYTES_MIN as u32 {
        cases.push((format!("length {length}"), with(0, &length.to_le_bytes()), "BadFrame"));
    }
    for length in [FRAME_BYTES_MAX as u32 + 1, 65_536, 1 << 31, u32::MAX] {
        cases.push((format!("length {length}"), with(0, &length.to_le_bytes()), "FrameTooLong"));
    }
    for encoding in [0_u16, 0xEB51, 0x50EB, 0xEB00, 0xFFFF] {
        cases.push((format!("encoding {encoding:x}"), with(4, &encoding.to_le_bytes()), "BadEncodingType"));
    }
    for bit in 1..16 {
        let flags = 1_u16 << bit;
        cases.push((format!("flags {flags:x}"), with(6, &flags.to_le_bytes()), "ReservedBitsSet"));
    }
    cases
}

#[test]
fn an_impossible_frame_ends_its_connection_and_takes_no_number() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    for (name, bytes, code) in impossible_frames() {
        let mut stranger = scene.stranger();
        stranger.write(&bytes);
        assert_eq!(last_words(&mut stranger), [format!("Logout {code}")], "{name}, not logged on");

        let seq = alice.order();
        alice.peer.write(&bytes);
        // What stands behind it is not looked at.
        alice.peer.say(0, seq + 1, alice.empty_order(seq + 1));
        let answers = [alice.hear(), alice.hear(), alice.hear()];
        // The goodbye goes out at once, the order's answer when it is durable: it may have to wait for the resume.
        let goodbye = format!("Logout {code}");
        assert!(answers.contains(&goodbye) && answers.contains(&"closed".into()), "{name}: {answers:?}");
        let accepted = format!("OrderAccepted ref={seq}");
        let heard = answers.contains(&accepted);
        scene.bystander.trade();
        alice.peer = scene.stranger();
        let ack = alice.peer.log_on(alice.next_server_seq);
        assert_eq!(ack.next_client_seq.get(), seq + 1, "{name}");
        if !heard {
            alice.hears(&[&format!("{accepted} again")]);
        }
    }
    scene.end();
}

#[test]
fn a_frame_counts_once_its_last_byte_is_there_and_not_before() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let frame_bytes = framed(0, 0, alice.empty_order(0)).len();
    for cut in 1..frame_bytes {
        let seq = alice.take_seq();
        let bytes = framed(0, seq, alice.empty_order(seq));
        alice.peer.write(&bytes[..cut]);
        // The gateway has read the first part when it answers this.
        scene.bystander.trade();
        assert_eq!(alice.peer.here(), [], "cut at {cut}");
        alice.peer.write(&bytes[cut..]);
        alice.hears(&[&format!("OrderRejected ref={seq} QtyNotPositive")]);
    }
    for cut in [1, 5, 23, 31, 32, frame_bytes - 1] {
        let bytes = framed(0, alice.next_seq, alice.empty_order(alice.next_seq));
        alice.peer.write(&bytes[..cut]);
        alice.peer.end_output();
        alice.hears(&["closed"]);
        alice.log_on_again();
    }
    scene.end();
}

#[test]
fn a_thousand_frames_in_one_write_are_a_thousand_commands_also_before_a_half_close() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let thousand = |alice: &mut Member| {
        let seqs: Vec<u64> = (0..1_000).map(|_| alice.take_seq()).collect();
        let bytes = seqs.iter().flat_map(|seq| framed(0, *seq, alice.empty_order(*seq))).collect::<Vec<_>>();
        alice.peer.write(&bytes);
        seqs
    };
    for seq in thousand(&mut alice) {
        alice.hears(&[&format!("OrderRejected ref={seq} QtyNotPositive")]);
    }
    scene.bystander.trade();

    let seqs = thousand(&mut alice);
    alice.peer.end_output();
    while alice.hear() != "closed" {}
    // Released before the logon is: the numbers are exact, and what was not heard is told again.
    alice.peer = scene.stranger();
    let ack = alice.peer.log_on(alice.next_server_seq);
    assert_eq!(ack.next_client_seq.get(), seqs[999] + 1);
    assert_eq!(ack.next_server_seq.get(), 2_001);
    while alice.next_server_seq < 2_001 {
        assert!(alice.hear().ends_with("QtyNotPositive again"));
    }
    scene.end();
}

/// Messages that a member may not send, as `(name, bytes, answer, takes a number)`; `seq` is the next number.
fn wrong_shapes(seq: u64, order: NewOrder) -> Vec<(&'static str, Vec<u8>, String, bool)> {
    let mut cases = Vec::new();
    let reject = |seq, template, code: &str| format!("SessionReject ref={seq} template={template} {code}");
    let mut numbered = |name, header: [u16; 4], block: &[u8], code| {
        cases.push((name, raw(seq, header, block), reject(seq, header[1], code), true));
    };
    let (order, cancel) = (order.as_bytes(), cancel(10, 1, 2));
    let cancel = cancel.as_bytes();
    numbered("unknown", [0, 109, 7701, 1], &[], "UnknownTemplate");
    numbered("unknown, with a block", [64, 999, 7701, 1], order, "UnknownTemplate");
    numbered("the last template", [0, u16::MAX, 7701, 1], &[], "UnknownTemplate");
    numbered("an event of the venue", [96, 200, 7701, 1], &[1; 96], "UnknownTemplate");
    numbered("the venue's Refused", [8, 330, 7701, 1], &[1; 8], "UnknownTemplate");
    numbered("the venue's Continue", [8, 331, 7701, 1], &[1; 8], "UnknownTemplate");
    numbered("the venue's VenueOpen", [80, 320, 7701, 1], &[1; 80], "UnknownTemplate");
    numbered("the venue's InstrumentCreate", [112, 321, 7701, 1], &[1; 112], "UnknownTemplate");
    numbered("the venue's AccountCreate", [24, 322, 7701, 1], &[1; 24], "UnknownTemplate");
    numbered("the venue's SessionCreate", [16, 323, 7701, 1], &[1; 16], "UnknownTemplate");
    numbered("the venue's Confirmed", [40, 350, 7701, 1], &[1; 40], "UnknownTemplate");
    numbered("no block", [0, 100, 7701, 1], &[], "BadBlockLength");
    numbered("block too short", [63, 100, 7701, 1], &order[..63], "BadBlockLength");
    numbered("block too long", [72, 100, 7701, 1], &[order, &[0; 8]].concat(), "BadBlockLength");
    numbered("the largest frame", [8160, 100, 7701, 1], &[0; 8160], "BadBlockLength");
    numbered("cancel too short", [24, 111, 7701, 1], &cancel[..24], "BadBlockLength");
    numbered("cancel too long", [40, 111, 7701, 1], &[cancel, &[0; 8]].concat(), "BadBlockLength");
    numbered("header says less", [56, 100, 7701, 1], order, "BadBlockLength");
    numbered("header says more", [65, 100, 7701, 1], order, "BadBlockLength");
    numbered("header says most", [u16::MAX, 100, 7701, 1], order, "BadBlockLength");
    numbered("schema of market data", [64, 100, 7702, 1], order, "SchemaMismatch");
    numbered("schema 0", [64, 100, 0, 1], order, "SchemaMismatch");
    numbered("version 0", [64, 100, 7701, 0], order, "VersionUnsupported");
    numbered("version 2", [64, 100, 7701, 2], order, "VersionUnsupported");
    for (name, header, block) in [
        ("the oracle's MarkPrice", [16, 300, 7701, 1], &[1; 24][..16]),
        ("the bridge's Deposit", [24, 310, 7701, 1], &[1; 24]),
    ] {
        cases.push((name, raw(seq, header, block), format!("Confirmed ref={seq} Permission"), true));
    }
    let mut unnumbered = |name, header: [u16; 4], block: &[u8], code| {
        cases.push((name, raw(0, header, block), reject(0, header[1], code), false));
    };
    unnumbered("template 0", [0, 0, 7701, 1], &[], "UnknownTemplate");
    unnumbered("hello once more", [80, Hello::TEMPLATE, 7701, 1], &[0; 80], "UnknownTemplate");
    unnumbered("a challenge", [64, Challenge::TEMPLATE, 7701, 1], &[0; 64], "UnknownTemplate");
    unnumbered("logon once more", [112, Logon::TEMPLATE, 7701, 1], &[0; 112], "UnknownTemplate");
    unnumbered("a logon's answer", [72, 4, 7701, 1], &[0; 72], "UnknownTemplate");
    unnumbered("a not-applied", [16, 13, 7701, 1], &[0; 16], "UnknownTemplate");
    unnumbered("the last of them", [0, 99, 7701, 1], &[], "UnknownTemplate");
    unnumbered("heartbeat too short", [16, Heartbeat::TEMPLATE, 7701, 1], &[0; 16], "BadBlockLength");
    unnumbered("heartbeat too long", [32, Heartbeat::TEMPLATE, 7701, 1], &[0; 32], "BadBlockLength");
    unnumbered("test request disagrees", [9, TestRequest::TEMPLATE, 7701, 1], &[0; 8], "BadBlockLength");
    unnumbered("test request of data", [8, TestRequest::TEMPLATE, 7702, 1], &[0; 8], "SchemaMismatch");
    unnumbered("retransmit of version 3", [24, 10, 7701, 3], &[0; 24], "VersionUnsupported");
    unnumbered("retransmit empty", [0, 10, 7701, 1], &[], "BadBlockLength");
    cases
}

#[test]
fn a_wrong_shape_is_answered_by_its_code_and_the_session_stays_up() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let count = wrong_shapes(1, alice.empty_order(1)).len();
    for index in 0..count {
        let (seq, order) = (alice.next_seq, alice.empty_order(alice.next_seq));
        let (name, bytes, answer, numbered) = wrong_shapes(seq, order).swap_remove(index);
        alice.peer.write(&bytes);
        assert_eq!(alice.hear(), answer, "{name}");
        if numbered {
            alice.take_seq();
        }
        let next = alice.order();
        alice.hears(&[&format!("OrderAccepted ref={next}")]);
        scene.bystander.trade();
    }
    alice.log_on_again();
    scene.end();
}

/// A change to what a logon says after it was signed, or to what was signed.
type Change = fn(&Peer, &mut Challenge, &mut Logon) -> Option<Logon>;

/// `Some` of the change is sent as it is; `None` sends the changed values behind the signature of the right ones.
const BAD_LOGONS: &[(&str, &str, Change)] = &[
    ("another session", "ChallengeExpired", |_, _, it| {
        it.session_id = U64::new(1002);
        None
    }),
    ("unknown key", "UnknownKey", |_, _, it| {
        it.key_id = U64::new(2);
        None
    }),
    ("next client number", "BadSignature", |_, _, it| {
        it.next_client_seq = U64::new(2);
        None
    }),
    ("next server number", "BadSignature", |_, _, it| {
        it.next_server_seq = U64::new(2);
        None
    }),
    ("keep-alive", "BadSignature", |_, _, it| {
        it.keep_alive_ms = U32::new(59_999);
        None
    }),
    ("version", "VersionUnsupported", |_, _, it| {
        it.schema_version = U16::new(2);
        None
    }),
    ("cancel on disconnect", "BadSignature", |_, _, it| {
        it.cod_mode = 2;
        None
    }),
    ("grace", "BadSignature", |_, _, it| {
        it.cod_grace_ms = U32::new(1);
        None
    }),
    ("the last bit of the signature", "BadSignature", |_, _, it| {
        it.signature[7] = U64::new(it.signature[7].get() ^ 1 << 63);
        None
    }),
    ("the first bit of the signature", "BadSignature", |_, _, it| {
        it.signature[0] = U64::new(it.signature[0].get() ^ 1);
        None
    }),
    ("no signature", "BadSignature", |_, _, it| {
        it.signature = [U64::new(0); 8];
        None
    }),
    ("server nonce", "BadSignature", |peer, challenge, it| {
        challenge.server_nonce[31] ^= 1;
        Some(peer.sign(challenge, *it))
    }),
    ("server time", "BadSignature", |peer, challenge, it| {
        challenge.server_time = U64::new(challenge.server_time.get() + 1);
        Some(peer.sign(challenge, *it))
    }),
    ("epoch", "BadSignature", |peer, challenge, it| {
        challenge.engine_epoch = U64::new(challenge.engine_epoch.get() + 1);
        Some(peer.sign(challenge, *it))
    }),
    ("keep-alive too short", "InvalidParameter", |peer, challenge, it| {
        it.keep_alive_ms = U32::new(99);
        Some(peer.sign(challenge, *it))
    }),
    ("keep-alive too long", "InvalidParameter", |peer, challenge, it| {
        it.keep_alive_ms = U32::new(60_001);
        Some(peer.sign(challenge, *it))
    }),
    ("server number 0", "SeqOutOfRange", |peer, challenge, it| {
        it.next_server_seq = U64::new(0);
        Some(peer.sign(challenge, *it))
    }),
    ("server number beyond the venue's", "SeqRegressed", |peer, challenge, it| {
        it.next_server_seq = U64::new(2);
        Some(peer.sign(challenge, *it))
    }),
];

fn said_by(peer: &mut Peer) -> String {
    peer.next().map_or("closed".into(), |came| shown(&came))
}

#[test]
fn a_bad_logon_is_refused_by_its_code_and_a_good_one_may_follow() {
    let mut scene = Scene::new();
    for (name, code, change) in BAD_LOGONS {
        let mut peer = scene.stranger();
        let mut challenge = peer.challenge();
        let mut logon = peer.sign(&challenge, peer.logon_body(1));
        logon = change(&peer, &mut challenge, &mut logon).unwrap_or(logon);
        peer.say(0, 0, logon);
        assert_eq!(said_by(&mut peer), format!("LogonReject {code}"), "{name}");
        scene.bystander.trade();
        peer.log_on(1);
        peer.end_output();
        assert_eq!(last_words(&mut peer), [""; 0], "{name}");
    }
    scene.end();
}

#[test]
fn a_hello_of_another_kind_is_refused() {
    let scene = Scene::new();
    let range = |peer: &Peer, min, max| {
        let mut hello = peer.hello();
        (hello.schema_version_min, hello.schema_version_max) = (U16::new(min), U16::new(max));
        hello
    };
    for (min, max) in [(2, 9), (0, 0), (1, 0)] {
        let mut peer = scene.stranger();
        peer.say(0, 0, range(&peer, min, max));
        assert_eq!(said_by(&mut peer), "LogonReject VersionUnsupported", "{min} to {max}");
        peer.log_on(1);
    }
    let mut peer = scene.stranger();
    peer.say(0, 0, range(&peer, 0, u16::MAX));
    assert_eq!(said_by(&mut peer), "Challenge", "a range that holds ours");

    // The session and the nonce of the hello are signed as well.
    let mut peer = scene.stranger();
    let hello = Hello { client_nonce: [8; 32], ..peer.hello() };
    peer.say(0, 0, hello);
    let challenge = peer.next().and_then(|came| came.is::<Challenge>()).expect("a hello is answered");
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, logon);
    assert_eq!(said_by(&mut peer), "LogonReject BadSignature");

    let mut peer = scene.stranger();
    peer.config.session = 4_711;
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, logon);
    assert_eq!(said_by(&mut peer), "LogonReject UnknownSession");

    // Another member's key does not open this session.
    let mut peer = scene.stranger();
    peer.key = Peer::connect(scene.home.path(), "carol").key;
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, logon);
    assert_eq!(said_by(&mut peer), "LogonReject BadSignature");
    scene.end();
}

#[test]
fn nothing_but_a_hello_and_a_logon_is_heard_before_the_logon() {
    let mut scene = Scene::new();
    let order = scene.bystander.empty_order(1);
    let heartbeat = Heartbeat { next_seq: U64::new(1), ack_seq: U64::new(0), echo: U64::new(0) };
    let hello = scene.stranger().hello();
    let mut schema = framed(0, 0, hello);
    schema[28] ^= 1;
    for (name, bytes, answer) in [
        ("an order", framed(0, 1, order), "Logout NotEstablished"),
        ("a cancel", framed(0, 1, cancel(10, 1, 2)), "Logout NotEstablished"),
        ("a heartbeat", framed(0, 0, heartbeat), "Logout NotEstablished"),
        ("an unknown template", raw(1, [0, 999, 7701, 1], &[]), "Logout NotEstablished"),
        ("the venue's Continue", raw(0, [8, 331, 7701, 1], &[0; 8]), "Logout NotEstablished"),
        ("a hello too short", raw(0, [72, 1, 7701, 1], &[0; 72]), "Logout BadBlockLength"),
        ("a hello of another schema", schema, "Logout SchemaMismatch"),
        ("a logon too long", raw(0, [120, 3, 7701, 1], &[0; 120]), "Logout BadBlockLength"),
    ] {
        let mut peer = scene.stranger();
        peer.write(&bytes);
        assert_eq!(last_words(&mut peer), [answer], "{name}");
        // Nor between hello and logon, where a second hello is out of place as well.
        let mut peer = scene.stranger();
        peer.challenge();
        peer.write(&bytes);
        let answer = if name.starts_with("a hello") { "Logout NotEstablished" } else { answer };
        assert_eq!(last_words(&mut peer), [answer], "{name} after the hello");
        scene.bystander.trade();
    }
    // Behind a logon that is not answered yet, an order has no session to belong to.
    let mut peer = scene.stranger();
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.write(&[framed(0, 0, logon), framed(0, 1, order)].concat());
    assert_eq!(last_words(&mut peer), ["Logout NotEstablished"]);
    assert_eq!(scene.stranger().log_on(1).next_client_seq.get(), 1);

    let mut peer = scene.stranger();
    peer.say(0, 0, peer.logon_body(1));
    assert_eq!(said_by(&mut peer), "LogonReject ChallengeExpired", "a logon without a hello");
    peer.log_on(1);
    scene.end();
}

#[test]
fn a_challenge_opens_one_door_once() {
    let scene = Scene::new();
    // A second try with the same challenge, now with the right signature.
    let mut peer = scene.stranger();
    let challenge = peer.challenge();
    let good = peer.sign(&challenge, peer.logon_body(1));
    peer.say(0, 0, Logon { signature: [U64::new(1); 8], ..good });
    assert_eq!(said_by(&mut peer), "LogonReject BadSignature");
    peer.say(0, 0, good);
    assert_eq!(said_by(&mut peer), "LogonReject ChallengeExpired");

    // The same logon twice on one connection, before its answer and after it.
    let mut peer = scene.stranger();
    let challenge = peer.challenge();
    let logon = peer.sign(&challenge, peer.logon_body(1));
    peer.write(&framed(0, 0, logon).repeat(2));
    assert_eq!(last_words(&mut peer), ["Logout NotEstablished"]);

    let mut alice = scene.stranger();
    let challenge = alice.challenge();
    let recorded = alice.sign(&challenge, alice.logon_body(1));
    for answer in ["LogonAck", "SessionReject ref=0 template=3 UnknownTemplate"] {
        alice.say(0, 0, recorded);
        assert_eq!(said_by(&mut alice), answer);
    }
    // Recorded and said again on other connections: with no hello, with a hello of the same words.
    let mut thief = scene.stranger();
    thief.say(0, 0, recorded);
    assert_eq!(said_by(&mut thief), "LogonReject ChallengeExpired");
    thief.challenge();
    thief.say(0, 0, recorded);
    assert_eq!(said_by(&mut thief), "LogonReject BadSignature");
    alice.say(0, 0, TestRequest { echo: U64::new(5) });
    assert_eq!(said_by(&mut alice), "Heartbeat next=1 ack=0 echo=5", "the first is still logged on");
    scene.end();
}

#[test]
fn three_failed_logons_end_the_connection_whoever_refused() {
    let scene = Scene::new();
    let mut peer = scene.stranger();
    for _ in 0..3 {
        peer.say(0, 0, peer.logon_body(1));
    }
    let rejected = "LogonReject ChallengeExpired";
    assert_eq!(last_words(&mut peer), [rejected, rejected, rejected, "Logout LogonRate"]);

    // Refused by the engine: well signed, but from number 0 on.
    let mut peer = scene.stranger();
    for _ in 0..3 {
        let challenge = peer.challenge();
        let logon = peer.sign(&challenge, peer.logon_body(0));
        peer.say(0, 0, logon);
        assert_eq!(said_by(&mut peer), "LogonReject SeqOutOfRange");
    }
    assert_eq!(last_words(&mut peer), ["Logout LogonRate"]);
    scene.end();
}

#[test]
fn whoever_does_not_log_on_in_time_is_sent_away() {
    let mut scene = Scene::new();
    let mut silent = scene.stranger();
    let mut greeted = scene.stranger();
    greeted.challenge();
    let mut slow = scene.stranger();
    let hello = framed(0, 0, slow.hello());
    slow.write(&hello[..40]);
    scene.bystander.trade();
    for (name, peer) in [("silent", &mut silent), ("greeted", &mut greeted), ("slow", &mut slow)] {
        assert_eq!(last_words(peer), ["Logout ChallengeExpired"], "{name}");
    }
    scene.end();
}

#[test]
fn the_client_s_numbers_are_taken_once_and_holes_are_named() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let rejected = |seq: u64| format!("OrderRejected ref={seq} QtyNotPositive");
    let refused = |seq: u64, code: &str| format!("SessionReject ref={seq} template=100 {code}");
    // Flags, number, answers: rule 2.4 from top to bottom.
    let table: &[(u16, u64, &[String])] = &[
        (0, 1, &[rejected(1)]),
        (0, 1, &[refused(1, "DuplicateSeq")]),
        (POSSIBLE_RESEND, 1, &[]),
        (POSSIBLE_RESEND, 2, &[rejected(2)]),
        (0, 2, &[refused(2, "DuplicateSeq")]),
        (0, 0, &[refused(0, "DuplicateSeq")]),
        (0, 4, &["NotApplied 3+1".into(), rejected(4)]),
        (POSSIBLE_RESEND, 3, &[]),
        (0, 3, &[refused(3, "DuplicateSeq")]),
        (POSSIBLE_RESEND, 1_000_005, &["NotApplied 5+1000000".into(), rejected(1_000_005)]),
        (0, 1_000_006 + (1 << 32), &[refused(1_000_006 + (1 << 32), "SeqOutOfRange")]),
        (0, 1 << 63, &[refused(1 << 63, "SeqOutOfRange")]),
        (0, u64::MAX, &[refused(u64::MAX, "SeqOutOfRange")]),
        (POSSIBLE_RESEND, u64::MAX, &[refused(u64::MAX, "SeqOutOfRange")]),
        (0, 1_000_006, &[rejected(1_000_006)]),
    ];
    for (flags, seq, answers) in table {
        alice.peer.say(*flags, *seq, alice.empty_order(*seq));
        for answer in *answers {
            assert_eq!(alice.hear(), *answer, "number {seq}, flags {flags}");
        }
        scene.bystander.trade();
    }
    // The hole counts for a frame that cannot be read, too.
    alice.peer.write(&raw(1_000_009, [0, 999, 7701, 1], &[]));
    alice.hears(&["NotApplied 1000007+2", "SessionReject ref=1000009 template=999 UnknownTemplate"]);
    alice.peer.say(0, 0, TestRequest { echo: U64::new(1) });
    alice.hears(&[&format!("Heartbeat next={} ack=1000009 echo=1", alice.next_server_seq)]);
    alice.next_seq = 1_000_010;
    alice.log_on_again();
    scene.end();
}

#[test]
fn a_newer_logon_displaces_the_older_connection() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    for _ in 0..20 {
        let first = alice.order();
        alice.hears(&[&format!("OrderAccepted ref={first}")]);
        let mut old = std::mem::replace(&mut alice.peer, scene.stranger());
        alice.log_on_again();
        old.say(0, alice.next_seq, alice.empty_order(alice.next_seq));
        assert_eq!(last_words(&mut old), ["Logout Displaced"]);
        scene.bystander.trade();
        // The older one's number was not taken.
        let next = alice.order();
        alice.hears(&[&format!("OrderAccepted ref={next}")]);
    }
    // A newer one that does not live to see its answer displaces as well: the engine hears the older no more.
    for round in 0..20 {
        let mut hasty = scene.stranger();
        let challenge = hasty.challenge();
        let logon = hasty.sign(&challenge, hasty.logon_body(1));
        hasty.say(0, 0, logon);
        drop(hasty);
        assert_eq!(last_words(&mut alice.peer), ["Logout Displaced"], "round {round}");
        alice.log_on_again();
        scene.bystander.trade();
    }
    scene.end();
}

/// A member that is being told more than a socket takes at once, and has heard the beginning of it.
fn told_much(scene: &Scene, name: &str) -> Member {
    const WORDS: u64 = 5_000;
    let mut member = scene.member(name);
    much_said(&mut member, WORDS);
    member.peer.say(0, 0, retransmit(1, 1, WORDS as u32));
    member.hears(&[&format!("Retransmission 1: 1+{WORDS}")]);
    member
}

/// Frames that are not answered, as many bytes as the venue needs some time to judge.
fn chatter(frames: usize) -> Vec<u8> {
    let heartbeat = Heartbeat { next_seq: U64::new(1), ack_seq: U64::new(0), echo: U64::new(0) };
    framed(0, 0, heartbeat).repeat(frames)
}

/// Everything that was on its way, then the goodbye, then the end.
fn hears_all(member: &mut Member, goodbye: &str) {
    let words = last_words(&mut member.peer);
    let (last, again) = words.split_last().expect("there are last words");
    assert_eq!((last.as_str(), again.len()), (goodbye, 5_000), "the first is {:?}", again.first());
    for (index, word) in again.iter().enumerate() {
        assert_eq!(*word, format!("OrderRejected ref={} QtyNotPositive again", index + 1));
    }
}

/// Closing a socket with unread input makes the kernel take back what the peer has not got yet.
#[test]
fn the_last_words_reach_a_peer_that_is_still_talking() {
    let scene = Scene::new();
    let mut alice = told_much(&scene, "alice");
    let (_, broken, code) = impossible_frames().swap_remove(0);
    alice.peer.write(&[broken, chatter(20_000)].concat());
    hears_all(&mut alice, &format!("Logout {code}"));

    let mut carol = told_much(&scene, "carol");
    carol.peer.write(&chatter(20_000));
    let mut newer = Peer::connect(scene.home.path(), "carol");
    newer.log_on(5_001);
    carol.peer.write(&chatter(20_000));
    hears_all(&mut carol, "Logout Displaced");

    // The peer reads nothing before the venue is gone.
    let mut dave = told_much(&scene, "dave");
    dave.peer.write(&chatter(60_000));
    scene.end();
    hears_all(&mut dave, "Logout ServerShutdown");
}

#[test]
fn whoever_was_told_goodbye_and_does_not_close_holds_no_place() {
    let mut scene = Scene::with(|text| text.replace("connections_max = 1024", "connections_max = 2"));
    let alone = sockets(&scene.venue);
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut alice = scene.stranger();
        alice.log_on(1);
        alice.write(&impossible_frames()[0].1);
        assert_eq!(last_words(&mut alice), ["Logout BadFrame"]);
        scene.bystander.trade();
        deaf.push(alice);
    }
    // And is let go in the end, whether or not anybody wants its place.
    while sockets(&scene.venue) > alone {
        scene.bystander.trade();
    }
    scene.end();
}

/// A logon that asks for this keep-alive.
fn lively(mut peer: Peer, keep_alive_ms: u32) -> Peer {
    let challenge = peer.challenge();
    let mut logon = peer.logon_body(1);
    logon.keep_alive_ms = U32::new(keep_alive_ms);
    let logon = peer.sign(&challenge, logon);
    peer.say(0, 0, logon);
    assert_eq!(said_by(&mut peer), "LogonAck");
    peer
}

#[test]
fn heartbeats_keep_a_connection_and_silence_ends_it() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    for echo in [0, 1, u64::MAX] {
        let seq = alice.order();
        alice.hears(&[&format!("OrderAccepted ref={seq}")]);
        alice.peer.say(0, 0, TestRequest { echo: U64::new(echo) });
        let next = alice.next_server_seq;
        alice.hears(&[&format!("Heartbeat next={next} ack={seq} echo={echo}")]);
    }
    // Nothing is said: a question, which breaks the venue's own silence as well as a heartbeat does, and goodbye.
    let heartbeat = "Heartbeat next=1 ack=0 echo=0";
    let mut words = last_words(&mut lively(Peer::connect(scene.home.path(), "carol"), 100));
    words.retain(|word| word != heartbeat);
    assert_eq!(words, ["TestRequest", "Logout HeartbeatLost"]);
    scene.bystander.trade();

    // Every word answered: after more than two silences of the venue the connection still stands. They are long, because this
    // test may be late with its answers by one of them.
    let mut lively = lively(Peer::connect(scene.home.path(), "dave"), 2_000);
    let mut words = Vec::new();
    for _ in 0..4 {
        words.push(said_by(&mut lively));
        lively.say(0, 0, Heartbeat { next_seq: U64::new(1), ack_seq: U64::new(0), echo: U64::new(0) });
    }
    assert!(words.iter().all(|word| word == heartbeat || word == "TestRequest"), "{words:?}");
    assert!(words.iter().any(|word| word == heartbeat), "{words:?}");
    lively.say(0, 0, TestRequest { echo: U64::new(77) });
    while said_by(&mut lively) != "Heartbeat next=1 ack=0 echo=77" {}
    scene.end();
}

fn retransmit(request_id: u64, from_seq: u64, count: u32) -> RetransmitRequest {
    RetransmitRequest {
        request_id: U64::new(request_id),
        from_seq: U64::new(from_seq),
        count: U32::new(count),
        pad_a: U32::new(0),
    }
}

#[test]
fn what_was_said_is_said_again_on_request_or_the_request_is_refused() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let mut first = Vec::new();
    for _ in 0..50 {
        let seq = alice.order();
        first.push(alice.peer.next().expect("an order is answered"));
        alice.next_server_seq += 1;
        assert_eq!(shown(&first[first.len() - 1]), format!("OrderAccepted ref={seq}"));
    }
    for (from, count) in [(1, 1), (1, 50), (50, 1), (17, 20)] {
        alice.peer.say(0, 0, retransmit(9, from, count));
        assert_eq!(said_by(&mut alice.peer), format!("Retransmission 9: {from}+{count}"));
        for seq in from..from + u64::from(count) {
            let mut again = alice.peer.next().expect("it was promised");
            assert_eq!((again.seq, again.flags & RETRANSMIT), (seq, RETRANSMIT));
            again.flags &= !RETRANSMIT;
            assert_eq!(again, first[seq as usize - 1]);
        }
    }
    for (from, count, code) in [
        (1, 10_001, "RetransmitTooMany"),
        (1, u32::MAX, "RetransmitTooMany"),
        (0, 1, "RetransmitTooOld"),
        (1, 0, "SeqOutOfRange"),
        (51, 1, "SeqOutOfRange"),
        (50, 2, "SeqOutOfRange"),
        (u64::MAX, 1, "SeqOutOfRange"),
        (u64::MAX, 10_000, "SeqOutOfRange"),
    ] {
        alice.peer.say(0, 0, retransmit(3, from, count));
        alice.hears(&[&format!("RetransmitReject 3: {code}")]);
        scene.bystander.trade();
    }
    // One at a time: the second stands behind the first in the same write.
    alice.peer.write(&[framed(0, 0, retransmit(1, 1, 2)), framed(0, 0, retransmit(2, 1, 2))].concat());
    let said: Vec<String> = (0..4).map(|_| said_by(&mut alice.peer)).collect();
    assert_eq!(
        said,
        [
            "Retransmission 1: 1+2",
            "RetransmitReject 2: RetransmitBusy",
            "OrderAccepted ref=1 again",
            "OrderAccepted ref=2 again",
        ]
    );
    let seq = alice.order();
    alice.hears(&[&format!("OrderAccepted ref={seq}")]);
    scene.end();
}

#[test]
fn a_resume_begins_where_the_member_says_without_gap_or_repeat() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    for _ in 0..300 {
        alice.order();
    }
    for seq in 1..=300 {
        alice.hears(&[&format!("OrderAccepted ref={seq}")]);
    }
    for from in [1, 2, 150, 300, 301] {
        let mut peer = scene.stranger();
        let ack = peer.log_on(from);
        assert_eq!((ack.next_server_seq.get(), ack.oldest_server_seq.get()), (301, 1));
        for seq in from..=300 {
            let came = peer.next().expect("it is kept");
            assert_eq!((came.seq, came.flags & RETRANSMIT), (seq, RETRANSMIT), "from {from}");
        }
        // Then live, without the flag and without a number in between.
        alice.peer = peer;
        alice.peer.say(0, 0, TestRequest { echo: U64::new(from) });
        alice.hears(&[&format!("Heartbeat next=301 ack=300 echo={from}")]);
        scene.bystander.trade();
    }
    let seq = alice.order();
    alice.hears(&[&format!("OrderAccepted ref={seq}")]);
    alice.log_on_again();
    scene.end();
}

// ---- floods

fn resident_kib(venue: &Venue) -> u64 {
    let path = format!("/proc/{}/status", venue.pid().as_raw_nonzero());
    let text = std::fs::read_to_string(path).expect("the venue runs");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

fn sockets(venue: &Venue) -> usize {
    let files =
        std::fs::read_dir(format!("/proc/{}/fd", venue.pid().as_raw_nonzero())).expect("the venue runs");
    // One may be closed between the listing and the look.
    let leads = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    leads.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
}

/// SplitMix64: the same garbage in every run.
struct Garbage(u64);

impl Garbage {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.word() as u8).collect()
    }
}

#[test]
fn a_hundred_thousand_pieces_of_garbage_leave_no_trace_in_memory() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    let mut garbage = Garbage(7);
    let (before_kib, held_open) = (resident_kib(&scene.venue), sockets(&scene.venue));
    let hello = framed(0, 0, alice.peer.hello());
    let address = alice.peer.config.address.clone();
    for round in 0..10_000_u64 {
        let mut socket = std::net::TcpStream::connect(&address).expect("the venue listens");
        let bytes = match round % 4 {
            0 => garbage.bytes(64),
            1 => hello[..garbage.word() as usize % hello.len()].to_vec(),
            2 => hello.clone(),
            _ => Vec::new(),
        };
        let _ = std::io::Write::write_all(&mut socket, &bytes);
        if round % 1_000 == 0 {
            scene.bystander.trade();
        }
    }
    for round in 0..90 {
        // A thousand frames that take no number and are answered one by one, and enough sense between them to be heard.
        let frames: Vec<u8> = (0..1_000)
            .flat_map(|place| {
                let template = (15 + garbage.word() % 85) as u16;
                let sense = framed(0, 0, heartbeat(1, 0, 0));
                let nonsense = raw(garbage.word(), [8, template, 7701, 1], &garbage.bytes(8));
                if place % 9 == 0 { [sense, nonsense].concat() } else { nonsense }
            })
            .collect();
        alice.peer.write(&frames);
        for _ in 0..1_000 {
            let word = alice.hear();
            assert!(word.ends_with("UnknownTemplate"), "{round}: {word}");
        }
        scene.bystander.trade();
    }
    let grown_kib = resident_kib(&scene.venue).saturating_sub(before_kib);
    println!("memory of the venue grew by {grown_kib} KiB from {before_kib} KiB");
    assert!(grown_kib < 64 * 1024, "grew by {grown_kib} KiB");
    // A leak would keep this from ending.
    while sockets(&scene.venue) > held_open {
        scene.bystander.trade();
    }
    scene.end();
}

#[test]
fn a_house_full_of_members_turns_the_next_away_at_once() {
    let mut scene = Scene::with(|text| text.replace("connections_max = 1024", "connections_max = 2"));
    let mut alice = scene.member("alice");
    let held_open = sockets(&scene.venue);
    for round in 0..500 {
        assert_eq!(last_words(&mut scene.stranger()), [""; 0], "the house is full");
        if round % 50 == 0 {
            alice.trade();
            scene.bystander.trade();
        }
    }
    assert_eq!(sockets(&scene.venue), held_open);
    // A place that becomes vacant is taken by the next.
    alice.peer.end_output();
    alice.hears(&["closed"]);
    alice.log_on_again();
    scene.end();
}

#[test]
fn strangers_that_hold_every_connection_lock_nobody_out() {
    let mut scene = Scene::with(|text| text.replace("connections_max = 1024", "connections_max = 8"));
    let mut held: Vec<Peer> = (0..7).map(|_| scene.stranger()).collect();
    for peer in &mut held {
        peer.challenge();
    }
    // Whoever has waited longest goes, without a word; on a slow machine its time was over before.
    let mut alice = scene.member("alice");
    let words = last_words(&mut held[0]);
    assert!(words.is_empty() || words == ["Logout ChallengeExpired"], "{words:?}");
    let held_open = sockets(&scene.venue);
    for round in 0..500 {
        held.push(scene.stranger());
        held.remove(1);
        if round % 50 == 0 {
            alice.trade();
            scene.bystander.trade();
        }
    }
    scene.bystander.trade();
    assert!(sockets(&scene.venue) <= held_open);
    scene.end();
}

/// Many refused orders, all of them answered and read.
fn much_said(member: &mut Member, orders: u64) {
    for _ in 0..orders / 1_000 {
        let seqs: Vec<u64> = (0..1_000).map(|_| member.take_seq()).collect();
        let frames: Vec<u8> = seqs.iter().flat_map(|seq| framed(0, *seq, member.empty_order(*seq))).collect();
        member.peer.write(&frames);
        for seq in seqs {
            member.hears(&[&format!("OrderRejected ref={seq} QtyNotPositive")]);
        }
    }
}

#[test]
fn a_peer_that_does_not_read_is_sent_away_and_costs_little() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    much_said(&mut alice, 80_000);
    let kept_from = {
        alice.peer.say(0, 0, retransmit(1, 1, 1));
        alice.hears(&["RetransmitReject 1: RetransmitTooOld"]);
        80_001 - 65_536
    };
    let (held_open, before_kib) = (sockets(&scene.venue), resident_kib(&scene.venue));
    // It asks for everything there is, again and again, and reads nothing of it.
    let mut deaf = scene.stranger();
    let challenge = deaf.challenge();
    let logon = deaf.sign(&challenge, deaf.logon_body(kept_from));
    deaf.say(0, 0, logon);
    assert_eq!(last_words(&mut alice.peer), ["Logout Displaced"]);
    let requests: Vec<u8> =
        (0..1_000).flat_map(|id| framed(0, 0, retransmit(id, kept_from, 10_000))).collect();
    deaf.write(&requests);
    while sockets(&scene.venue) >= held_open {
        scene.bystander.trade();
        let grown_kib = resident_kib(&scene.venue).saturating_sub(before_kib);
        assert!(grown_kib < 16 * 1024, "grew by {grown_kib} KiB");
    }
    drop(deaf);
    alice.log_on_again();
    scene.end();
}

#[test]
fn a_retransmission_of_ten_thousand_comes_whole_and_in_turn_with_what_is_new() {
    let mut scene = Scene::new();
    let mut alice = scene.member("alice");
    much_said(&mut alice, 10_000);
    for id in 0..5 {
        let new = alice.take_seq();
        let order = framed(0, new, alice.empty_order(new));
        alice.peer.write(&[framed(0, 0, retransmit(id, 1, 10_000)), order].concat());
        assert_eq!(said_by(&mut alice.peer), format!("Retransmission {id}: 1+10000"));
        for seq in 1..=10_000 {
            let came = alice.peer.next().expect("it was promised");
            assert_eq!((came.seq, came.flags & RETRANSMIT), (seq, RETRANSMIT));
        }
        alice.hears(&[&format!("OrderRejected ref={new} QtyNotPositive")]);
        scene.bystander.trade();
    }
    scene.end();
}

#[test]
fn a_flood_of_orders_leaves_the_others_their_turn() {
    let mut scene = Scene::new();
    let path = scene.home.path().to_owned();
    let floods: Vec<_> = ["alice", "carol", "dave"]
        .into_iter()
        .map(|name| {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut member = Member::new(&path, name);
                for _ in 0..4 {
                    much_said(&mut member, 5_000);
                }
            })
        })
        .collect();
    let mut trades = 0;
    while trades < 50 || !floods.iter().all(std::thread::JoinHandle::is_finished) {
        scene.bystander.trade();
        trades += 1;
    }
    println!("{trades} trades beside the floods");
    floods.into_iter().for_each(|flood| flood.join().expect("every order was answered"));
    scene.end();
}

#[test]
fn a_flood_of_wrong_signatures_leaves_the_others_their_turn() {
    let mut scene = Scene::new();
    let path = scene.home.path().to_owned();
    let flood = std::thread::spawn(move || {
        for _ in 0..20 {
            let mut peers: Vec<Peer> = (0..50).map(|_| Peer::connect(&path, "alice")).collect();
            for peer in &mut peers {
                let logon = Logon { signature: [U64::new(1); 8], ..peer.logon_body(1) };
                let once = [framed(0, 0, peer.hello()), framed(0, 0, logon)].concat();
                peer.write(&once.repeat(3));
            }
            for peer in &mut peers {
                let words = last_words(peer);
                assert_eq!(words.len(), 7, "{words:?}");
                assert_eq!(words[6], "Logout LogonRate");
            }
        }
    });
    while !flood.is_finished() {
        scene.bystander.trade();
    }
    flood.join().expect("every logon was answered");
    scene.member("alice").trade();
    scene.end();
}
