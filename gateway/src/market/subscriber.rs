//! One connection to the feed: what it asked for, what it has not taken yet, what it must still be told. Its memory is bounded;
//! whoever reads too slowly is told less, or no more. Knows no other connection and no thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::Range;

use bytes::{Buf, BytesMut};
use engine::event::AuctionIndicative;
use engine::message::{Framed, Message, SCHEMA_MARKET_DATA, SCHEMA_VERSION};
use engine::reject::Reject;
use mio::net::TcpStream;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::CHANNEL;
use super::message::*;
use super::present;
use super::projection::{Projection, Public};
use super::window::Window;
use crate::frame::{self, END_OF_EVENT, Frame, RETRANSMIT, SNAPSHOT};
use crate::message::fixed_text;

/// What waits for a connection before it counts as slow.
const OUTBOUND_BYTES_MAX: usize = 1 << 20;
/// What is not live is added as long as less waits.
const OUTBOUND_BYTES_EASY: usize = 128 << 10;
const READ_BYTES: usize = 4096;
const REQUESTS_PER_S_MAX: u32 = 1_000;
const REPEATS_MAX: u32 = 10_000;
const REPEATS_PER_TURN: usize = 256;
/// When somebody who has one under way may ask again.
const BUSY_NS: u64 = 10_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// By when the first request must be there.
const PATIENCE_NS: u64 = 5 * SECOND_NS;
/// How long waiting output may lie untouched.
const STUCK_NS_MAX: u64 = 5 * SECOND_NS;
/// How long a peer may take for its last words.
const LINGER_NS_MAX: u64 = SECOND_NS;

/// What a connection hears of one instrument.
#[derive(Clone, Copy, Debug)]
struct Line {
    level: MdLevel,
    /// Its present state was told; what changes it follows.
    is_live: bool,
}

/// What subscribers look at.
pub struct Scene<'a> {
    pub projection: &'a Projection,
    pub window: &'a Window,
    /// The first number that the journal can tell again.
    pub oldest_seq: u64,
    pub engine_epoch: u64,
    pub now_ns: u64,
}

impl Scene<'_> {
    fn oldest(&self) -> u64 {
        self.oldest_seq.min(self.window.oldest_seq())
    }
}

#[derive(Debug)]
pub struct Subscriber {
    /// Never another's.
    pub id: u64,
    socket: TcpStream,
    inbound: BytesMut,
    outbound: BytesMut,
    all: Option<MdLevel>,
    lines: BTreeMap<u32, Line>,
    /// Instruments whose present state must be told.
    due: BTreeSet<u32>,
    /// That of the whole venue must.
    is_venue_due: bool,
    repeats: Range<u64>,
    /// Somebody is away to find them in the journal.
    is_away: bool,
    repeats_id: U64,
    /// Where the flags of the last frame of the command stand that is being told.
    last_flags: Option<usize>,
    readable: bool,
    born_ns: u64,
    sent_ns: u64,
    stuck_ns: Option<u64>,
    requests: u32,
    second_ns: u64,
    closing_ns: Option<u64>,
    is_gone: bool,
}

/// Which levels a message is for.
fn is_for(template_id: u16, level: MdLevel) -> bool {
    match template_id {
        Bbo::TEMPLATE => level == MdLevel::Best,
        LevelUpdate::TEMPLATE => level == MdLevel::Levels,
        OrderAdd::TEMPLATE | OrderReduce::TEMPLATE | OrderDelete::TEMPLATE | OrderExecute::TEMPLATE => {
            level == MdLevel::Orders
        }
        InstrumentDefinition::TEMPLATE
        | TradingStatus::TEMPLATE
        | MarketStats::TEMPLATE
        | TradeSummary::TEMPLATE
        | BookClear::TEMPLATE
        | AuctionIndicative::TEMPLATE => level != MdLevel::None,
        _ => false,
    }
}

impl Subscriber {
    pub fn new(id: u64, socket: TcpStream, scene: &Scene<'_>) -> Subscriber {
        let mut subscriber = Subscriber {
            id,
            socket,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            all: None,
            lines: BTreeMap::new(),
            due: BTreeSet::new(),
            is_venue_due: false,
            repeats: 0..0,
            is_away: false,
            repeats_id: U64::new(0),
            last_flags: None,
            readable: true,
            born_ns: scene.now_ns,
            sent_ns: scene.now_ns,
            stuck_ns: None,
            requests: 0,
            second_ns: scene.now_ns,
            closing_ns: None,
            is_gone: false,
        };
        subscriber.beat(scene);
        subscriber
    }

    pub fn touched(&mut self) {
        self.readable = true;
    }

    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// There is something that only another turn can do.
    pub fn has_work(&self) -> bool {
        let has_room = self.outbound.len() < OUTBOUND_BYTES_EASY;
        let has_repeats = !self.repeats.is_empty() && !self.is_away;
        !self.is_gone && (self.readable || (has_room && (!self.due.is_empty() || has_repeats)))
    }

    // ---- live

    /// A message of the channel, in its place.
    pub fn hear(&mut self, message: &Public<'_>, now_ns: u64) {
        if self.closing_ns.is_some() {
            return;
        }
        if message.is_first {
            self.last_flags = None;
        }
        if self.wants(message) {
            if self.outbound.len() > OUTBOUND_BYTES_MAX {
                self.fall_behind(message.instrument, now_ns);
            } else {
                self.last_flags = Some(self.outbound.len() + 6);
                frame::append_message(&mut self.outbound, 0, message.seq, now_ns, message.bytes);
                self.sent_ns = now_ns;
            }
        }
        if message.is_last
            && let Some(at) = self.last_flags.take()
        {
            self.outbound[at..at + 2].copy_from_slice(&END_OF_EVENT.to_le_bytes());
        }
    }

    fn wants(&mut self, message: &Public<'_>) -> bool {
        if message.instrument == 0 {
            return !self.is_venue_due && (self.all.is_some() || !self.lines.is_empty());
        }
        if message.template_id == InstrumentDefinition::TEMPLATE
            && let Some(level) = self.all
        {
            self.lines.entry(message.instrument).or_insert(Line { level, is_live: true });
        }
        let line = self.lines.get(&message.instrument);
        line.is_some_and(|line| line.is_live && is_for(message.template_id, line.level))
    }

    /// Too much waits: level 3 cannot go on with a hole, the others are told anew what then holds.
    fn fall_behind(&mut self, instrument: u32, now_ns: u64) {
        if self.lines.values().any(|line| line.level == MdLevel::Orders) {
            return self.close(Reject::SlowConsumer, now_ns);
        }
        match self.lines.get_mut(&instrument) {
            Some(line) => {
                line.is_live = false;
                self.due.insert(instrument);
            }
            None => self.is_venue_due = true,
        }
    }

    // ---- turns

    /// A bounded amount of everything; how much was done.
    pub fn turn(&mut self, scene: &Scene<'_>) -> usize {
        if self.closing_ns.is_some() {
            self.discard();
            self.write(scene.now_ns);
            return 0;
        }
        let read = self.read(scene);
        let told = self.tell_due(scene) + self.repeat(scene);
        self.write(scene.now_ns);
        read + told
    }

    fn read(&mut self, scene: &Scene<'_>) -> usize {
        if !self.readable || self.outbound.len() > OUTBOUND_BYTES_MAX {
            return 0;
        }
        let mut bytes = [0; READ_BYTES];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.is_gone = true,
            Ok(read) => self.inbound.extend_from_slice(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.is_gone = true,
        }
        let mut frames = 0;
        while self.closing_ns.is_none() && !self.is_gone {
            let inbound = std::mem::take(&mut self.inbound);
            let taken = match frame::first(&inbound) {
                Ok(Some(frame)) => {
                    let taken = frame.bytes();
                    if let Err(code) = self.request(&frame, scene) {
                        self.close(code, scene.now_ns);
                    }
                    frames += 1;
                    taken
                }
                Ok(None) => 0,
                Err(code) => {
                    self.close(code, scene.now_ns);
                    0
                }
            };
            self.inbound = inbound;
            self.inbound.advance(taken);
            if taken == 0 {
                break;
            }
        }
        frames
    }

    fn request(&mut self, frame: &Frame<'_>, scene: &Scene<'_>) -> Result<(), Reject> {
        let header = frame.header;
        if frame.prefix.flags.get() != 0 {
            return Err(Reject::ReservedBitsSet);
        }
        if header.schema_id.get() != SCHEMA_MARKET_DATA {
            return Err(Reject::SchemaMismatch);
        }
        if header.version.get() != SCHEMA_VERSION {
            return Err(Reject::VersionUnsupported);
        }
        if scene.now_ns >= self.second_ns + SECOND_NS {
            (self.second_ns, self.requests) = (scene.now_ns, 0);
        }
        self.requests += 1;
        if self.requests > REQUESTS_PER_S_MAX {
            return Err(Reject::ThrottledOrders);
        }
        match frame.template_id() {
            MdSubscribe::TEMPLATE => {
                let it = frame.block::<MdSubscribe>().ok_or(Reject::BadBlockLength)?;
                self.subscribe(it, scene);
            }
            MdRetransmitRequest::TEMPLATE => {
                let it = frame.block::<MdRetransmitRequest>().ok_or(Reject::BadBlockLength)?;
                self.ask_again(it, scene);
            }
            _ => return Err(Reject::UnknownTemplate),
        }
        Ok(())
    }

    fn subscribe(&mut self, it: &MdSubscribe, scene: &Scene<'_>) {
        let instrument = it.instrument_id.get();
        let level = MdLevel::from_wire(it.level);
        let is_known = instrument == 0 || scene.projection.listing(instrument).is_some();
        let code = match level {
            None => Reject::InvalidCombination.code(),
            Some(_) if !is_known => Reject::UnknownInstrument.code(),
            Some(_) => 0,
        };
        let answer = MdSubscribed {
            request_id: it.request_id,
            engine_epoch: U64::new(scene.engine_epoch),
            next_seq: U64::new(scene.projection.next_seq()),
            instrument_id: it.instrument_id,
            code: U16::new(code),
            level: it.level,
            pad_a: 0,
        };
        frame::append(&mut self.outbound, 0, 0, scene.now_ns, answer);
        self.sent_ns = scene.now_ns;
        if let (0, Some(level)) = (code, level) {
            self.is_venue_due |= level != MdLevel::None && self.lines.is_empty() && self.all.is_none();
            self.set_level(instrument, level, scene.projection);
        }
    }

    fn set_level(&mut self, instrument: u32, level: MdLevel, projection: &Projection) {
        let is_end = level == MdLevel::None;
        if instrument == 0 {
            self.all = (!is_end).then_some(level);
            self.lines.clear();
            self.due.clear();
            if !is_end {
                let ids = || projection.listings().map(|listing| listing.id);
                self.lines = ids().map(|id| (id, Line { level, is_live: false })).collect();
                self.due = ids().collect();
            }
        } else if is_end {
            self.lines.remove(&instrument);
            self.due.remove(&instrument);
        } else {
            self.lines.insert(instrument, Line { level, is_live: false });
            self.due.insert(instrument);
        }
    }

    fn ask_again(&mut self, it: &MdRetransmitRequest, scene: &Scene<'_>) {
        let (from, next, oldest) = (it.from_seq.get(), scene.window.next_seq(), scene.oldest());
        let (code, retry_after_ns) = match it.count.get() {
            _ if it.channel_id.get() != CHANNEL => (Reject::InvalidCombination, 0),
            _ if from == 0 || from >= next => (Reject::SeqOutOfRange, 0),
            0 | REPEATS_TOO_MANY.. => (Reject::RetransmitTooMany, 0),
            _ if from < oldest => (Reject::RetransmitTooOld, 0),
            _ if !self.repeats.is_empty() || self.is_away => (Reject::RetransmitBusy, BUSY_NS),
            count => {
                self.repeats = from..next.min(from + u64::from(count));
                self.repeats_id = it.request_id;
                return;
            }
        };
        self.reject(it.request_id, code, retry_after_ns, scene);
    }

    fn reject(&mut self, request_id: U64, code: Reject, retry_after_ns: u64, scene: &Scene<'_>) {
        let reject = MdRetransmitReject {
            request_id,
            oldest_seq: U64::new(scene.oldest()),
            retry_after_ns: U64::new(retry_after_ns),
            channel_id: U32::new(CHANNEL),
            code: U16::new(code.code()),
            pad_a: U16::new(0),
        };
        frame::append(&mut self.outbound, 0, 0, scene.now_ns, reject);
        self.sent_ns = scene.now_ns;
    }

    /// What must be found in the journal, once there is room for it.
    pub fn errand(&self, scene: &Scene<'_>) -> Option<Range<u64>> {
        let is_far = !self.repeats.is_empty() && self.repeats.start < scene.window.oldest_seq();
        let has_room = self.outbound.len() < OUTBOUND_BYTES_EASY && self.closing_ns.is_none();
        (is_far && has_room && !self.is_away).then(|| self.repeats.clone())
    }

    pub fn wait_for_the_journal(&mut self) {
        self.is_away = true;
    }

    /// What was found there, up to `next_seq`; nothing where it is not there any more.
    pub fn found(&mut self, frames: &[u8], next_seq: u64, scene: &Scene<'_>) {
        self.is_away = false;
        if self.closing_ns.is_some() {
            return;
        }
        if frames.is_empty() {
            self.repeats = 0..0;
            return self.reject(self.repeats_id, Reject::RetransmitTooOld, 0, scene);
        }
        self.outbound.extend_from_slice(frames);
        self.sent_ns = scene.now_ns;
        self.repeats.start = next_seq;
    }

    /// The present state of what is due, as long as there is room.
    fn tell_due(&mut self, scene: &Scene<'_>) -> usize {
        let mut told = 0;
        let last_seq = scene.projection.next_seq() - 1;
        while self.outbound.len() < OUTBOUND_BYTES_EASY {
            let outbound = &mut self.outbound;
            let mut say = |message: &[u8]| {
                frame::append_message(outbound, SNAPSHOT, last_seq, scene.now_ns, message);
            };
            if std::mem::take(&mut self.is_venue_due) {
                say(Framed::new(scene.projection.venue_status()).as_bytes());
            } else if let Some(instrument) = self.due.pop_first() {
                let line = self.lines.get_mut(&instrument);
                if let (Some(line), Some(listing)) = (line, scene.projection.listing(instrument)) {
                    present::tell(scene.projection, listing, line.level, &mut say);
                    line.is_live = true;
                }
            } else {
                break;
            }
            self.sent_ns = scene.now_ns;
            told += 1;
        }
        told
    }

    fn repeat(&mut self, scene: &Scene<'_>) -> usize {
        let mut told = 0;
        while told < REPEATS_PER_TURN && self.outbound.len() < OUTBOUND_BYTES_EASY {
            let seq = self.repeats.start;
            // What is not in the window is an errand's.
            let Some(message) = scene.window.get(seq).filter(|_| !self.repeats.is_empty()) else { break };
            self.repeats.start += 1;
            let flags = RETRANSMIT | if message.is_last { END_OF_EVENT } else { 0 };
            frame::append_message(&mut self.outbound, flags, seq, scene.now_ns, message.bytes);
            self.sent_ns = scene.now_ns;
            told += 1;
        }
        told
    }

    fn write(&mut self, now_ns: u64) {
        while !self.outbound.is_empty() && !self.is_gone {
            match self.socket.write(&self.outbound) {
                Ok(written) => {
                    self.outbound.advance(written);
                    self.stuck_ns = None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stuck_ns.get_or_insert(now_ns);
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.is_gone = true,
            }
        }
        if self.closing_ns.is_some() {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }

    /// A peer that writes before it reads must come to its reading.
    fn discard(&mut self) {
        let mut bytes = [0; READ_BYTES];
        for _ in 0..16 {
            match self.socket.read(&mut bytes) {
                Ok(0) => self.is_gone = true,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(_) => self.is_gone = true,
            }
            return;
        }
    }

    /// What time brings: heartbeats, and the ends of those that ask nothing or take nothing.
    pub fn tick(&mut self, scene: &Scene<'_>) {
        let now_ns = scene.now_ns;
        match self.closing_ns {
            Some(at) if now_ns >= at => self.is_gone = true,
            Some(_) => {}
            None if self.stuck_ns.is_some_and(|since| now_ns >= since + STUCK_NS_MAX) => {
                self.close(Reject::SlowConsumer, now_ns);
            }
            None if self.requests == 0
                && self.all.is_none()
                && self.lines.is_empty()
                && now_ns >= self.born_ns + PATIENCE_NS =>
            {
                self.close(Reject::HeartbeatLost, now_ns);
            }
            None if now_ns >= self.sent_ns + SECOND_NS && self.has_said_all() => self.beat(scene),
            None => {}
        }
    }

    /// A heartbeat stands behind everything below the number that it says.
    fn has_said_all(&self) -> bool {
        self.outbound.is_empty() && self.due.is_empty()
    }

    fn beat(&mut self, scene: &Scene<'_>) {
        let beat = heartbeat(scene);
        frame::append(&mut self.outbound, 0, 0, scene.now_ns, beat);
        self.sent_ns = scene.now_ns;
    }

    /// Says why, and goes when the peer has heard it or had its time.
    pub fn close(&mut self, code: Reject, now_ns: u64) {
        if self.closing_ns.is_some() {
            return;
        }
        let close = MdClose {
            code: U16::new(code.code()),
            pad_a: U16::new(0),
            pad_b: U32::new(0),
            text: fixed_text(code.text()),
        };
        frame::append(&mut self.outbound, 0, 0, now_ns, close);
        self.closing_ns = Some(now_ns + LINGER_NS_MAX);
        self.last_flags = None;
        self.readable = true;
        (self.repeats, self.due) = (0..0, BTreeSet::new());
    }
}

const REPEATS_TOO_MANY: u32 = REPEATS_MAX + 1;

fn heartbeat(scene: &Scene<'_>) -> MdHeartbeat {
    MdHeartbeat {
        next_seq: U64::new(scene.window.next_seq()),
        oldest_seq: U64::new(scene.oldest()),
        engine_epoch: U64::new(scene.engine_epoch),
        channel_id: U32::new(CHANNEL),
        pad_a: U32::new(0),
    }
}
