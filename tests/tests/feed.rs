//! The feed over real sockets: whoever joins, whenever, has the books that the journal has; a kill in between changes no number;
//! packets that are lost are told again; bad input ends one connection, and slow readers end themselves.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::mpsc::channel;
use std::time::Duration;

use engine::message::Message;
use engine::reject::Reject;
use gateway::frame;
use gateway::market::message::{
    Bbo, LevelUpdate, MdClose, MdHeartbeat, MdLevel, MdRetransmitReject, OrderAdd,
};
use gateway::market::packet::{MessageHeader, PacketHeader, packet_type};
use gateway::market::shadow::{Shadow, ShadowBook};
use gateway::message::TestRequest;
use socket2::{Domain, Protocol, Socket, Type};
use tests::crowd::{Crowd, pass_to};
use tests::listener::Listener;
use tests::venue::{Home, run};
use tests::workload::Draw;
use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

/// What `ballast journal verify --books` says: the channel's next number, and the hash of each book.
fn journal_says(home: &Home) -> (u64, BTreeMap<u32, u64>) {
    let done = run("ballast", &["journal", "verify", home.shown(), "--books"]);
    let text = String::from_utf8(done.stdout).expect("it prints text");
    assert!(done.status.success(), "{text}");
    let next = text.lines().find_map(|line| line.split("the channel is ").nth(1));
    let next = next.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}"));
    let books = text.lines().filter(|line| line.starts_with("book "));
    let books = books.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hash = words.last().and_then(|hash| hash.strip_prefix("0x")).expect("a hash ends the line");
        let id = words[1].parse().expect("an id is a number");
        (id, u64::from_str_radix(hash, 16).expect("a hash is hexadecimal"))
    });
    (next, books.collect())
}

fn hear_up_to(listener: &mut Listener, next_seq: u64) {
    while listener.next_seq < next_seq {
        listener.hear().expect("the venue goes on");
    }
}

fn same_books(shadow: &Shadow, books: &BTreeMap<u32, u64>, who: &str) {
    for (id, hash) in books {
        let found = shadow.book(*id).map_or_else(|| ShadowBook::default().hash(), |book| book.hash());
        assert_eq!(found, *hash, "{who}: the book of {id}");
    }
}

#[test]
fn whoever_joins_has_the_books_of_the_journal() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let (_nobody, never) = channel();
    let mut early = Listener::connect(home.market);
    early.subscribe(0, MdLevel::Orders);
    let crowd = Crowd::start(home.path(), 1);
    let mut joined = vec![early];
    for round in 1..=4 {
        pass_to(&never, &crowd.acks, 300 * round);
        let mut listener = Listener::connect(home.market);
        listener.subscribe(0, MdLevel::Orders);
        joined.push(listener);
    }
    let mut best = Listener::connect(home.market);
    best.subscribe(0, MdLevel::Best);
    let mut levels = Listener::connect(home.market);
    levels.subscribe(1, MdLevel::Levels);
    pass_to(&never, &crowd.acks, 2_000);
    crowd.end();
    let (next_seq, books) = journal_says(&home);
    assert!(next_seq > 2_000 && books.len() == 4, "{next_seq} {books:?}");
    for (place, listener) in joined.iter_mut().enumerate() {
        hear_up_to(listener, next_seq);
        same_books(&listener.shadow, &books, &format!("listener {place}"));
    }
    // Whoever was there from the start has heard every number that level 3 has, and the others are told when asked for.
    let first = &mut joined[0];
    first.ask_again(1, 10_000);
    while first.again.len() < (next_seq as usize - 1).min(10_000) {
        first.hear().expect("the venue goes on");
    }
    for (seq, message) in &first.again {
        assert!(first.live.get(seq).is_none_or(|live| live == message), "{seq} was another message");
    }
    let numbers: Vec<u64> = first.again.keys().copied().collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]) && numbers[0] == 1);
    // The levels below agree with level 3.
    hear_up_to(&mut best, next_seq);
    hear_up_to(&mut levels, next_seq);
    let whole = joined[0].shadow.book(1).expect("it was traded");
    for side in [engine::units::Side::Buy, engine::units::Side::Sell] {
        let expected: BTreeMap<i64, (i64, u32)> =
            whole.book().levels(side).map(|(px, level)| (px, (level.qty, level.orders() as u32))).collect();
        assert_eq!(*levels.shadow.book(1).expect("it was asked for").levels(side), expected);
    }
    let bbo = best.shadow.book(1).and_then(|book| book.bbo().copied()).expect("it was asked for");
    assert_eq!((bbo.bid_px.get(), bbo.bid_qty.get()), {
        let best = whole.best(engine::units::Side::Buy);
        (best.0, best.1.0)
    });
    assert!(best.live.values().all(|message| template(message) != OrderAdd::TEMPLATE));
    assert!(levels.live.values().all(|message| template(message) != Bbo::TEMPLATE));
    assert!(best.live.values().all(|message| template(message) != LevelUpdate::TEMPLATE));
    venue.terminate();
    assert_eq!(last_code(&mut best), Some(Reject::ServerShutdown.code()));
}

fn template(message: &[u8]) -> u16 {
    u16::from_le_bytes([message[2], message[3]])
}

/// The code with which the venue closes.
fn last_code(listener: &mut Listener) -> Option<u16> {
    let mut code = None;
    while let Some(came) = listener.hear() {
        code = came.is::<MdClose>().map(|close| close.code.get()).or(code);
    }
    code
}

/// Asks for every message that the venue still has, and holds it against what was heard before.
fn hold_against(listener: &mut Listener, heard: &BTreeMap<u64, Vec<u8>>) -> u64 {
    let beat = listener.until::<MdHeartbeat>();
    let (oldest, next) = (beat.oldest_seq.get(), beat.next_seq.get());
    let mut from = oldest;
    while from < next {
        listener.ask_again(from, 10_000);
        let until = next.min(from + 10_000);
        while !listener.again.contains_key(&(until - 1)) {
            listener.hear().expect("the venue goes on");
        }
        from = until;
    }
    let numbers: Vec<u64> = listener.again.keys().copied().collect();
    assert_eq!(numbers, (oldest..next).collect::<Vec<u64>>(), "no gap");
    for (seq, message) in heard.range(oldest..) {
        assert_eq!(listener.again.get(seq), Some(message), "number {seq} is another message, or lost");
    }
    oldest
}

#[test]
fn a_kill_changes_no_number() {
    // From snapshots as well as from the start of the journal.
    let home = Home::new(|text| text.replace("snapshot_every = 1000000", "snapshot_every = 1500"));
    let (_nobody, never) = channel();
    let mut venue = home.serve();
    let crowd = Crowd::start(home.path(), 7);
    let mut heard: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut from_snapshots = 0;
    for kill in 1..=3 {
        let mut listener = Listener::connect(home.market);
        assert_eq!(hold_against(&mut listener, &heard), 1, "the journal has everything");
        heard.append(&mut std::mem::take(&mut listener.again));
        listener.subscribe(0, MdLevel::Orders);
        let acks = crowd.acks.load(std::sync::atomic::Ordering::Relaxed);
        pass_to(&never, &crowd.acks, acks + 700);
        venue.kill();
        while listener.hear().is_some() {}
        let next = heard.last_key_value().map_or(0, |last| *last.0) + 1;
        let live = listener.live.range(next..).map(|(seq, message)| (*seq, message.clone()));
        heard.extend(live);
        println!("kill {kill}: {} messages heard", heard.len());
        venue = home.serve();
        from_snapshots += usize::from(venue.said.iter().any(|line| line.contains("from the snapshot")));
    }
    crowd.end();
    assert!(from_snapshots > 0, "no start went on from a snapshot");
    let mut listener = Listener::connect(home.market);
    hold_against(&mut listener, &heard);
    listener.subscribe(0, MdLevel::Orders);
    let (next_seq, books) = journal_says(&home);
    hear_up_to(&mut listener, next_seq);
    while listener.last_seqs.len() < books.len() {
        listener.hear().expect("the venue goes on");
    }
    same_books(&listener.shadow, &books, "after three kills");
    venue.terminate();
}

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 77, 2, 1);

/// A socket in the group on loopback, and its port.
fn group() -> (UdpSocket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("there are sockets");
    socket.set_recv_buffer_size(4 << 20).expect("a socket takes it");
    socket.bind(&SocketAddrV4::new(GROUP, 0).into()).expect("there is a port");
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).expect("loopback has groups");
    let socket: UdpSocket = socket.into();
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket takes it");
    let port = socket.local_addr().expect("it is bound").port();
    (socket, port)
}

/// The numbers and messages of a packet, and the number that comes behind them.
fn unpacked(packet: &[u8]) -> (Vec<(u64, Vec<u8>)>, u64) {
    assert!(packet.len() <= 1_400);
    let (header, mut rest) = PacketHeader::ref_from_prefix(packet).expect("a packet has its header");
    let mut seq = header.seq.get();
    let is_beat = header.type_bits.get() == packet_type::HEARTBEAT;
    assert_eq!(is_beat, header.msg_count.get() == 0);
    let mut messages = Vec::new();
    for _ in 0..header.msg_count.get() {
        let (message, _) = MessageHeader::ref_from_prefix(rest).expect("a message has its header");
        let length = usize::from(message.msg_length.get());
        messages.push((seq, rest[size_of::<MessageHeader>()..length].to_vec()));
        rest = &rest[length..];
        seq += 1;
    }
    assert!(rest.is_empty());
    (messages, seq)
}

#[test]
fn lost_packets_are_told_again() {
    let (socket, port) = group();
    let home = Home::new(|text| {
        text.replace("replay_mib = 64", &format!("replay_mib = 64\nmulticast = [\"{GROUP}:{port}\"]"))
    });
    let venue = home.serve();
    let mut listener = Listener::connect(home.market);
    let crowd = Crowd::start(home.path(), 3);
    let (_nobody, never) = channel();
    pass_to(&never, &crowd.acks, 6_000);
    crowd.end();
    let (next_seq, books) = journal_says(&home);

    let (mut heard, mut draw, mut seen) = (BTreeMap::new(), Draw::new(5), 1);
    let (mut packets, mut lost) = (0, 0);
    while seen < next_seq {
        let mut packet = [0; 2_048];
        let length = socket.recv(&mut packet).expect("packets come");
        let (messages, next) = unpacked(&packet[..length]);
        packets += 1;
        seen = seen.max(next);
        if draw.one_in(100) {
            lost += 1;
        } else {
            heard.extend(messages);
        }
    }
    assert!(lost > 0, "{packets} packets came");
    let holes: Vec<u64> = (1..next_seq).filter(|seq| !heard.contains_key(seq)).collect();
    for hole in holes.chunk_by(|before, after| before + 1 == *after) {
        let last = hole[hole.len() - 1];
        listener.ask_again(hole[0], hole.len() as u32);
        while !listener.again.contains_key(&last) {
            listener.hear().expect("the venue goes on");
        }
    }
    heard.append(&mut listener.again);
    let mut shadow = Shadow::default();
    for (seq, message) in &heard {
        assert_eq!(shadow.hear(message, false), Ok(()), "message {seq}");
    }
    same_books(&shadow, &books, "with holes filled");
    println!("{packets} packets, {lost} lost, {} messages told again, {} in all", holes.len(), heard.len());

    // Whoever lost more than that takes a snapshot, and of what it heard meanwhile only what is newer.
    listener.subscribe(0, MdLevel::Orders);
    while listener.last_seqs.len() < books.len() {
        listener.hear().expect("the venue goes on");
    }
    assert!(listener.last_seqs.values().all(|last| *last == next_seq - 1));
    same_books(&listener.shadow, &books, "by snapshot");
    venue.terminate();
}

#[test]
fn what_is_asked_wrongly_is_answered_with_a_code() {
    let home = Home::new(|text| {
        text.replace("[market]", "[market]\nconnections_max = 4").replacen("connections_max = 256\n", "", 1)
    });
    let venue = home.serve();
    let mut listener = Listener::connect(home.market);
    assert_eq!(listener.ask(77, 1).code.get(), Reject::UnknownInstrument.code());
    assert_eq!(listener.ask(1, 0).code.get(), Reject::InvalidCombination.code());
    assert_eq!(listener.ask(1, 5).code.get(), Reject::InvalidCombination.code());
    for (from, count, code) in [
        (0, 1, Reject::SeqOutOfRange),
        (1_000_000, 1, Reject::SeqOutOfRange),
        (1, 0, Reject::RetransmitTooMany),
        (1, 10_001, Reject::RetransmitTooMany),
    ] {
        listener.ask_again(from, count);
        let reject = listener.until::<MdRetransmitReject>();
        assert_eq!((reject.code.get(), reject.oldest_seq.get()), (code.code(), 1), "{from}+{count}");
    }
    let mut foreign = Vec::new();
    frame::append(&mut foreign, 0, 0, 0, TestRequest { echo: U64::new(1) });
    let mut unknown = foreign.clone();
    unknown[26..30].copy_from_slice(&[0, 2, 0x16, 0x1e]);
    let mut short = unknown.clone();
    short[26..28].copy_from_slice(&452_u16.to_le_bytes());
    let mut flagged = short.clone();
    flagged[6] = 1;
    let mut newer = unknown.clone();
    newer[30] = 2;
    for (bytes, code) in [
        (foreign, Reject::SchemaMismatch),
        (unknown, Reject::UnknownTemplate),
        (short, Reject::BadBlockLength),
        (flagged, Reject::ReservedBitsSet),
        (newer, Reject::VersionUnsupported),
        (vec![0xff; 64], Reject::FrameTooLong),
        (vec![1; 4].into_iter().chain([0; 60]).collect(), Reject::FrameTooLong),
        (vec![64, 0, 0, 0, 9, 9, 9, 9], Reject::BadEncodingType),
        (vec![1, 0, 0, 0], Reject::BadFrame),
    ] {
        let mut bad = Listener::connect(home.market);
        bad.write(&bytes);
        assert_eq!(last_code(&mut bad), Some(code.code()), "{bytes:?}");
    }
    // Nobody who asks nothing stays, and there is no room for more than the operator said.
    let mut idle: Vec<Listener> = (0..4).map(|_| Listener::connect(home.market)).collect();
    let codes: Vec<Option<u16>> = idle.iter_mut().map(last_code).collect();
    for code in [Reject::HeartbeatLost, Reject::Capacity] {
        assert!(codes.contains(&Some(code.code())), "{codes:?}");
    }
    listener.subscribe(0, MdLevel::Best);
    venue.terminate();
}

#[test]
fn whoever_does_not_read_is_let_go() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let (_nobody, never) = channel();
    let mut slow = Listener::connect_small(home.market);
    slow.subscribe(0, MdLevel::Orders);
    let mut patient = Listener::connect(home.market);
    patient.subscribe(0, MdLevel::Best);
    let crowd = Crowd::start(home.path(), 9);
    let mut quick = Listener::connect(home.market);
    quick.subscribe(0, MdLevel::Orders);
    while quick.live.len() < 25_000 {
        quick.hear().expect("whoever reads stays");
    }
    pass_to(&never, &crowd.acks, 1);
    crowd.end();
    assert_eq!(last_code(&mut slow), Some(Reject::SlowConsumer.code()));
    let (next_seq, books) = journal_says(&home);
    hear_up_to(&mut quick, next_seq);
    same_books(&quick.shadow, &books, "who reads");
    // Level 1 was told less, and what it was told last is true.
    hear_up_to(&mut patient, next_seq);
    let (bid, said) = (
        quick.shadow.book(1).expect("it was traded").best(engine::units::Side::Buy),
        patient.shadow.book(1).and_then(|book| book.bbo().copied()).expect("it was asked for"),
    );
    assert_eq!((said.bid_px.get(), said.bid_qty.get()), (bid.0, bid.1.0));
    venue.terminate();
}
