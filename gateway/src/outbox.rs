//! What every session was told, kept for a resume: per session the last messages as frames, found by their number. A pure
//! function of the journal's events, so a restart rebuilds it. Knows no socket; a connection pulls from here what it has
//! room for.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut};
use engine::command::{Logon, Role, SessionCreate};
use engine::event::{
    Confirmed, FIRST_NUMBERED_TEMPLATE, HistoryGranted, LogonAck, LogonReject, RequestComplete,
};
use engine::limits::OUTBOX_MESSAGES;
use engine::message::{Header, Message, ORIGIN_BYTES, Origin, ROUTE_BYTES, Route, block};
use zerocopy::FromBytes;

use crate::frame::{self, END_OF_EVENT, FRAME_BYTES_MIN, SNAPSHOT};

/// A stream's first chunk, and what chunks grow to, each twice as large as the one before: a session that was told little takes
/// little.
const CHUNK_BYTES_FIRST: usize = 1024;
const CHUNK_BYTES: usize = 64 * 1024;
/// Room for one end is taken with so many bytes of a chunk.
const MESSAGE_BYTES: usize = 64;

/// Consecutive messages of one session, encoded as frames.
#[derive(Debug)]
struct Chunk {
    first_seq: u64,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Chunk {
    fn with_room(first_seq: u64, bytes: usize) -> Chunk {
        let (ends, bytes) = (Vec::with_capacity(bytes / MESSAGE_BYTES), Vec::with_capacity(bytes));
        Chunk { first_seq, ends, bytes }
    }
}

/// One session's output.
#[derive(Debug)]
pub struct Stream {
    next_seq: u64,
    /// Last client number that is applied and released.
    pub applied_client_seq: u64,
    /// The connection of the last accepted logon; what others send under this session is not applied.
    logged_on: u32,
    chunks: VecDeque<Chunk>,
    /// The drop copies that hear what this session is told (rule 2.7).
    copies: Vec<u64>,
}

impl Stream {
    fn new(copies: Vec<u64>) -> Stream {
        Stream { next_seq: 1, applied_client_seq: 0, logged_on: 0, chunks: VecDeque::new(), copies }
    }

    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub fn oldest_seq(&self) -> u64 {
        self.chunks.front().map_or(self.next_seq, |chunk| chunk.first_seq)
    }

    /// The frame with this number, as it was first encoded.
    pub fn frame(&self, seq: u64) -> Option<&[u8]> {
        let after = self.chunks.partition_point(|chunk| chunk.first_seq <= seq);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        let index = usize::try_from(seq - chunk.first_seq).ok()?;
        let end = *chunk.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| chunk.ends[before] as usize);
        Some(&chunk.bytes[start..end])
    }

    fn append(&mut self, seq: u64, message: &[u8]) {
        assert_eq!(seq, self.next_seq, "the engine numbers a session's messages without a gap");
        let room = self.room(self.chunks.len().saturating_sub(1));
        let full = self.chunks.back().is_none_or(|chunk| chunk.bytes.len() + message.len() + 64 > room);
        if full {
            self.chunks.push_back(Chunk::with_room(seq, self.room(self.chunks.len())));
            self.forget();
        }
        let chunk = self.chunks.back_mut().expect("a chunk was just pushed if there was none");
        frame::append_message(&mut chunk.bytes, 0, seq, 0, message);
        chunk.ends.push(chunk.bytes.len() as u32);
        self.next_seq = seq + 1;
    }

    /// Bytes of the chunk in this place: a function of what was told, so that a stream that was read back goes on alike.
    fn room(&self, place: usize) -> usize {
        match place.checked_sub(1) {
            Some(before) => (2 * self.chunks[before].bytes.len().next_power_of_two())
                .clamp(CHUNK_BYTES_FIRST, CHUNK_BYTES),
            None if self.oldest_seq() == 1 => CHUNK_BYTES_FIRST,
            None => CHUNK_BYTES,
        }
    }

    /// Whole chunks go once enough newer messages stand behind them.
    fn forget(&mut self) {
        while let Some(second) = self.chunks.get(1) {
            if self.next_seq - second.first_seq < OUTBOX_MESSAGES {
                return;
            }
            self.chunks.pop_front();
        }
    }

    /// The newest message ends what its command said to this session.
    fn end_event(&mut self) {
        let Some(chunk) = self.chunks.back_mut() else { return };
        let start = chunk.ends.len().checked_sub(2).map_or(0, |before| chunk.ends[before] as usize);
        let flags = &mut chunk.bytes[start + 6..start + 8];
        flags.copy_from_slice(&END_OF_EVENT.to_le_bytes());
    }
}

/// What an event asks of the sockets, beyond standing in an outbox.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The engine answered the logon of `connection`; the member wants its output from `wanted_seq` on.
    LogonAnswered { session: u64, connection: u32, wanted_seq: u64, message: &'a [u8] },
    /// Not numbered: told now or never, in a frame with these flags.
    Unnumbered { session: u64, flags: u16, message: &'a [u8] },
    /// A history that the journal has to be asked for, granted to `connection`.
    History { connection: u32, granted: HistoryGranted },
    /// Stands in the outbox of this session, and of those that hear what it is told.
    Numbered { session: u64 },
    /// Told to nobody.
    Nothing,
}

/// The outboxes of all sessions.
#[derive(Debug, Default)]
pub struct Outboxes {
    streams: BTreeMap<u64, Stream>,
    roster: Roster,
    /// The session that the current command asks for.
    asked_for: Option<SessionCreate>,
    origin: Option<Origin>,
    wanted_seq: u64,
    touched: Vec<u64>,
}

/// The account of every session and whether it acts for it (true) or hears what those are told that do (false).
#[derive(Debug, Default)]
struct Roster(BTreeMap<u64, (u32, bool)>);

impl Roster {
    /// Who hears what this session is told.
    fn copies_of(&self, session: u64) -> Vec<u64> {
        let Some((account, true)) = self.0.get(&session) else { return Vec::new() };
        self.0.iter().filter(|(_, row)| **row == (*account, false)).map(|(id, _)| *id).collect()
    }
}

impl Outboxes {
    /// A session that the engine has.
    pub fn enroll(&mut self, session: u64, account: u32, role: Role) {
        let acts = match role {
            Role::Trade | Role::CancelOnly => true,
            Role::ReadOnly => false,
            Role::Oracle | Role::RiskModel | Role::Bridge | Role::Admin => return,
        };
        self.roster.0.insert(session, (account, acts));
        let Outboxes { streams, roster, .. } = self;
        if acts {
            let own = streams.get_mut(&session);
            own.into_iter().for_each(|stream| stream.copies = roster.copies_of(session));
        } else {
            let heard = streams.iter_mut().filter(|(id, _)| roster.0.get(id) == Some(&(account, true)));
            heard.for_each(|(_, stream)| stream.copies.push(session));
        }
    }

    /// Who hears what this session is told.
    pub fn copies(&self, session: u64) -> &[u64] {
        self.stream(session).map_or(&[], |stream| &stream.copies)
    }

    pub fn stream(&self, session: u64) -> Option<&Stream> {
        self.streams.get(&session)
    }

    pub fn stream_mut(&mut self, session: u64) -> &mut Stream {
        let roster = &self.roster;
        self.streams.entry(session).or_insert_with(|| Stream::new(roster.copies_of(session)))
    }

    /// A command record: whoever is answered from here on is answered because of it.
    pub fn command(&mut self, payload: &[u8]) {
        self.finish_command();
        let Ok((origin, message)) = Origin::ref_from_prefix(payload) else { return };
        self.origin = Some(*origin);
        self.asked_for = block::<SessionCreate>(message).copied();
        match block::<Logon>(message) {
            Some(logon) => self.wanted_seq = logon.next_server_seq.get(),
            None => self.applied(origin),
        }
        debug_assert!(payload.len() >= ORIGIN_BYTES);
    }

    /// The engine takes a number from the logged-on connection only, and no number that jumps too far (rules 2.3, 2.4).
    fn applied(&mut self, origin: &Origin) {
        let Some(stream) = self.streams.get_mut(&origin.session.get()) else { return };
        let ahead = origin.client_seq.get().checked_sub(stream.applied_client_seq);
        let taken = ahead.is_some_and(|ahead| (1..=1 << 32).contains(&ahead));
        if taken && stream.logged_on == origin.connection.get() {
            stream.applied_client_seq = origin.client_seq.get();
        }
    }

    /// An event record of the current command.
    pub fn event<'a>(&mut self, payload: &'a [u8]) -> Notice<'a> {
        let Ok((route, message)) = Route::ref_from_prefix(payload) else { return Notice::Nothing };
        let Ok((header, _)) = Header::ref_from_prefix(message) else { return Notice::Nothing };
        debug_assert!(payload.len() > ROUTE_BYTES);
        let (session, server_seq) = (route.session.get(), route.server_seq.get());
        let template_id = header.template_id.get();
        if template_id == LogonAck::TEMPLATE || template_id == LogonReject::TEMPLATE {
            let connection = self.origin.map_or(0, |origin| origin.connection.get());
            if let Some(ack) = block::<LogonAck>(message) {
                let stream = self.stream_mut(session);
                stream.logged_on = connection;
                stream.applied_client_seq = ack.next_client_seq.get() - 1;
            }
            return Notice::LogonAnswered { session, connection, wanted_seq: self.wanted_seq, message };
        }
        if let Some(granted) = block::<HistoryGranted>(message) {
            let connection = self.origin.map_or(0, |origin| origin.connection.get());
            return Notice::History { connection, granted: *granted };
        }
        if let (Some(create), Some(confirmed)) = (self.asked_for, block::<Confirmed>(message))
            && let (0, Some(role)) = (confirmed.code.get(), Role::from_wire(create.role))
        {
            self.asked_for = None;
            self.enroll(create.session_id.get(), create.account_id.get(), role);
        }
        match (session, server_seq) {
            (0, _) => Notice::Nothing,
            (_, 0) => Notice::Unnumbered { session, flags: unnumbered_flags(template_id), message },
            _ => {
                let stream = self.stream_mut(session);
                stream.append(server_seq, message);
                let copies = std::mem::take(&mut stream.copies);
                self.touch(session);
                if !copies.is_empty() {
                    self.copy(session, copies, message);
                }
                Notice::Numbered { session }
            }
        }
    }

    /// The same message, under the next number of each that hears it: the engine counts alike (rule 2.7).
    fn copy(&mut self, session: u64, copies: Vec<u64>, message: &[u8]) {
        for copy in &copies {
            let stream = self.stream_mut(*copy);
            stream.append(stream.next_seq, message);
            self.touch(*copy);
        }
        self.stream_mut(session).copies = copies;
    }

    fn touch(&mut self, session: u64) {
        if !self.touched.contains(&session) {
            self.touched.push(session);
        }
    }

    /// All events of the current command were handed in.
    pub fn finish_command(&mut self) {
        while let Some(session) = self.touched.pop() {
            self.stream_mut(session).end_event();
        }
    }
}

/// The canonical bytes of the outboxes between two commands, for a snapshot. All numbers little-endian; sessions by number,
/// chunks and messages as they follow each other.
///
/// ```text
/// streams u32, then each: session u64 | next_seq u64 | applied_client_seq u64 | logged_on u32 | chunks u32
///   chunk: first_seq u64 | messages u32 | bytes u32 | end of each message u32 | the frames
/// ```
impl Outboxes {
    pub fn snapshot(&self) -> Vec<u8> {
        assert!(self.touched.is_empty(), "the last command was finished");
        let mut bytes = Vec::new();
        bytes.put_u32_le(self.streams.len() as u32);
        for (session, stream) in &self.streams {
            bytes.put_u64_le(*session);
            bytes.put_u64_le(stream.next_seq);
            bytes.put_u64_le(stream.applied_client_seq);
            bytes.put_u32_le(stream.logged_on);
            bytes.put_u32_le(stream.chunks.len() as u32);
            for chunk in &stream.chunks {
                bytes.put_u64_le(chunk.first_seq);
                bytes.put_u32_le(chunk.ends.len() as u32);
                bytes.put_u32_le(chunk.bytes.len() as u32);
                chunk.ends.iter().for_each(|end| bytes.put_u32_le(*end));
                bytes.extend_from_slice(&chunk.bytes);
            }
        }
        bytes
    }

    /// The outboxes that said `bytes` in `snapshot`; none if none did. The engine's sessions are yet to be enrolled.
    pub fn restore(bytes: &[u8]) -> Option<Outboxes> {
        let mut rest = bytes;
        let mut outboxes = Outboxes::default();
        for _ in 0..rest.try_get_u32_le().ok()? {
            let session = rest.try_get_u64_le().ok()?;
            let follows = outboxes.streams.last_key_value().is_none_or(|(last, _)| *last < session);
            let stream = Stream::read(&mut rest)?;
            outboxes.streams.insert(session, stream);
            if !follows {
                return None;
            }
        }
        rest.is_empty().then_some(outboxes)
    }
}

impl Stream {
    fn read(rest: &mut &[u8]) -> Option<Stream> {
        let mut stream = Stream::new(Vec::new());
        stream.next_seq = rest.try_get_u64_le().ok()?;
        stream.applied_client_seq = rest.try_get_u64_le().ok()?;
        stream.logged_on = rest.try_get_u32_le().ok()?;
        let chunks = rest.try_get_u32_le().ok()?;
        for _ in 0..chunks {
            let chunk = Chunk::read(rest)?;
            let follows = stream.chunks.back().is_none_or(|before| before.end_seq() == chunk.first_seq);
            stream.chunks.push_back(chunk);
            if !follows {
                return None;
            }
        }
        let end_seq = stream.chunks.back().map_or(1, Chunk::end_seq);
        (end_seq == stream.next_seq).then_some(stream)
    }
}

impl Chunk {
    /// The number behind its last message.
    fn end_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.ends.len() as u64)
    }

    fn read(rest: &mut &[u8]) -> Option<Chunk> {
        let first_seq = rest.try_get_u64_le().ok()?;
        let messages = rest.try_get_u32_le().ok()? as usize;
        let length = rest.try_get_u32_le().ok()? as usize;
        if messages == 0 || rest.len() < length || (rest.len() - length) / 4 < messages {
            return None;
        }
        let mut ends: Vec<u32> = Vec::with_capacity(messages);
        for _ in 0..messages {
            let end = rest.try_get_u32_le().ok()?;
            let start = ends.last().copied().unwrap_or(0);
            let shortest = start.checked_add(FRAME_BYTES_MIN as u32)?;
            ends.push(end);
            if end < shortest {
                return None;
            }
        }
        let (frames, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        let is_whole = ends.last().is_some_and(|end| *end as usize == length);
        is_whole.then(|| Chunk { first_seq, ends, bytes: frames.to_vec() })
    }
}

/// What else would be numbered shows what is (rule 12.4), and ends with its `RequestComplete`.
fn unnumbered_flags(template_id: u16) -> u16 {
    match template_id {
        RequestComplete::TEMPLATE => SNAPSHOT | END_OF_EVENT,
        FIRST_NUMBERED_TEMPLATE.. => SNAPSHOT,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestRequest;
    use engine::message::Framed;
    use zerocopy::little_endian::U64;
    use zerocopy::{FromZeros, IntoBytes};

    fn told(session: u64, server_seq: u64) -> Vec<u8> {
        let route = Route { session: U64::new(session), server_seq: U64::new(server_seq) };
        let mut payload = route.as_bytes().to_vec();
        payload.extend_from_slice(Framed::new(TestRequest { echo: U64::new(server_seq) }).as_bytes());
        payload
    }

    #[test]
    fn every_kept_message_is_found_by_its_number() {
        let mut outboxes = Outboxes::default();
        let last = OUTBOX_MESSAGES + 20_000;
        for seq in 1..=last {
            assert_eq!(outboxes.event(&told(5, seq)), Notice::Numbered { session: 5 });
            outboxes.finish_command();
        }
        let stream = outboxes.stream(5).expect("it was told something");
        assert_eq!(stream.next_seq(), last + 1);
        assert!(stream.next_seq() - stream.oldest_seq() >= OUTBOX_MESSAGES);
        assert!(stream.oldest_seq() > 1, "old messages are forgotten");
        assert!(stream.frame(stream.oldest_seq() - 1).is_none());
        assert!(stream.frame(stream.next_seq()).is_none());
        for seq in stream.oldest_seq()..stream.next_seq() {
            let frame = frame::first(stream.frame(seq).expect("kept")).expect("legal").expect("whole");
            assert_eq!((frame.prefix.seq.get(), frame.prefix.flags.get()), (seq, END_OF_EVENT));
        }
    }

    fn created(outboxes: &mut Outboxes, session: u64, account: u32, role: Role, code: u16) {
        let create = SessionCreate {
            session_id: U64::new(session),
            account_id: account.into(),
            role: role as u8,
            ..SessionCreate::new_zeroed()
        };
        outboxes.command(&[Origin::venue().as_bytes(), Framed::new(create).as_bytes()].concat());
        let route = Route { session: U64::new(0), server_seq: U64::new(0) };
        let confirmed = Confirmed { code: code.into(), ..Confirmed::new_zeroed() };
        outboxes.event(&[route.as_bytes(), Framed::new(confirmed).as_bytes()].concat());
    }

    #[test]
    fn a_drop_copy_hears_what_the_sessions_of_its_account_hear_and_goes_on_after_a_snapshot() {
        let mut outboxes = Outboxes::default();
        created(&mut outboxes, 5, 1, Role::Trade, 0);
        created(&mut outboxes, 6, 1, Role::CancelOnly, 0);
        created(&mut outboxes, 7, 2, Role::Trade, 0);
        let tell = |outboxes: &mut Outboxes, session, server_seq| {
            assert_eq!(outboxes.event(&told(session, server_seq)), Notice::Numbered { session });
        };
        tell(&mut outboxes, 5, 1);
        created(&mut outboxes, 8, 1, Role::ReadOnly, 0);
        created(&mut outboxes, 9, 1, Role::ReadOnly, 1);
        tell(&mut outboxes, 5, 2);
        tell(&mut outboxes, 7, 1);
        tell(&mut outboxes, 6, 1);
        tell(&mut outboxes, 8, 3);
        outboxes.finish_command();
        let mut restored = Outboxes::restore(&outboxes.snapshot()).expect("its own bytes");
        let roles =
            [(8, 1, Role::ReadOnly), (5, 1, Role::Trade), (6, 1, Role::CancelOnly), (7, 2, Role::Trade)];
        roles.into_iter().for_each(|(id, account, role)| restored.enroll(id, account, role));
        for outboxes in [&mut outboxes, &mut restored] {
            tell(outboxes, 5, 3);
            outboxes.finish_command();
            let copy = outboxes.stream(8).expect("it was told something");
            let echo = |seq| copy.frame(seq).map(|frame| frame[32]);
            assert_eq!([1, 2, 3, 4, 5].map(echo), [Some(2), Some(1), Some(3), Some(3), None]);
            assert_eq!(outboxes.copies(5), [8]);
            assert!(outboxes.copies(7).is_empty() && outboxes.stream(9).is_none());
            let last = frame::first(copy.frame(4).expect("kept")).expect("legal").expect("whole");
            assert_eq!(last.prefix.flags.get(), END_OF_EVENT);
        }
        assert_eq!(restored.snapshot(), outboxes.snapshot());
    }

    #[test]
    fn a_snapshot_brings_back_every_message_and_goes_on_alike() {
        let mut outboxes = Outboxes::default();
        for seq in 1..=5_000 {
            outboxes.event(&told(5 + seq % 2, seq.div_ceil(2)));
            outboxes.finish_command();
        }
        let bytes = outboxes.snapshot();
        let mut restored = Outboxes::restore(&bytes).expect("its own bytes");
        assert_eq!(restored.snapshot(), bytes);
        for outboxes in [&mut outboxes, &mut restored] {
            for seq in 2_501..=4_000 {
                outboxes.event(&told(5, seq));
                outboxes.finish_command();
            }
        }
        assert_eq!(restored.snapshot(), outboxes.snapshot());
        for cut in (0..bytes.len()).step_by(331) {
            assert!(Outboxes::restore(&bytes[..cut]).is_none(), "{cut} bytes");
        }
        assert!(Outboxes::restore(&[&bytes[..], &[0]].concat()).is_none());
    }

    #[test]
    fn only_the_last_message_of_a_command_ends_the_event() {
        let mut outboxes = Outboxes::default();
        for payload in [told(5, 1), told(6, 1), told(5, 2)] {
            outboxes.event(&payload);
        }
        outboxes.finish_command();
        let flags = |session: u64, seq: u64| {
            let bytes = outboxes.stream(session).and_then(|stream| stream.frame(seq)).expect("kept");
            frame::first(bytes).expect("legal").expect("whole").prefix.flags.get()
        };
        assert_eq!((flags(5, 1), flags(5, 2), flags(6, 1)), (0, END_OF_EVENT, END_OF_EVENT));
    }
}
