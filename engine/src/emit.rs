//! How the engine speaks: numbers events within their command and within each session's stream, puts route and header in
//! front, and hands them to the sink. Owns rules 1.3 to 1.5; what is said is decided elsewhere.

use zerocopy::little_endian::U64;
use zerocopy::{Immutable, IntoBytes};

use crate::engine::Sequenced;
use crate::event::{EventSink, FIRST_NUMBERED_TEMPLATE};
use crate::limits::GROUP_EVENT_BYTES_MAX;
use crate::message::{Framed, GroupSize, Message, Route, Routed};
use crate::session::Session;

/// The session's next place in its stream, for a template that takes one.
fn next_place<M: Message>(session: &mut Session) -> u64 {
    let server_seq = if M::TEMPLATE >= FIRST_NUMBERED_TEMPLATE { session.next_server_seq } else { 0 };
    session.next_server_seq += u64::from(server_seq != 0);
    server_seq
}

/// The voice for one command.
pub struct Voice<'a, S: EventSink> {
    sink: &'a mut S,
    pub command: &'a Sequenced<'a>,
    sub: u32,
}

/// What every answer repeats of the command (rule 1.4).
#[derive(Clone, Copy)]
pub struct Reference {
    pub seq: U64,
    pub recv_time: U64,
}

impl<'a, S: EventSink> Voice<'a, S> {
    pub fn new(sink: &'a mut S, command: &'a Sequenced<'a>) -> Voice<'a, S> {
        Voice { sink, command, sub: 0 }
    }

    /// The id of the event that is told next.
    pub fn exec_id(&self) -> U64 {
        U64::new(self.command.seq << 16 | u64::from(self.sub + 1))
    }

    pub fn time(&self) -> U64 {
        U64::new(self.command.ts_ns)
    }

    /// What an event told to `session` repeats: the sender's own numbers when it is the sender, else 0.
    pub fn reference(&self, session: u64) -> Reference {
        let origin = self.command.origin;
        if session == origin.session.get() {
            Reference { seq: origin.client_seq, recv_time: origin.received_ns }
        } else {
            Reference { seq: U64::new(0), recv_time: U64::new(0) }
        }
    }

    /// Tells a session, and gives the event its place in the session's stream.
    pub fn tell<M: Message>(&mut self, session: &mut Session, block: M) {
        let server_seq = next_place::<M>(session);
        self.send(session.id, server_seq, block);
    }

    /// As `tell`, with a group behind the head: the header says the length of the head alone.
    pub fn tell_group<M: Message, E: IntoBytes + Immutable>(
        &mut self,
        session: &mut Session,
        head: M,
        entries: &[E],
    ) {
        let route = Route { session: U64::new(session.id), server_seq: U64::new(next_place::<M>(session)) };
        let routed = Routed { route, message: Framed::new(head) };
        let mut payload = [0; GROUP_EVENT_BYTES_MAX];
        let mut length = 0;
        for part in [routed.as_bytes(), GroupSize::of(entries).as_bytes(), entries.as_bytes()] {
            payload[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        self.sub += 1;
        self.sink.event(self.sub, &payload[..length]);
    }

    /// Tells nobody (0), a session that does not exist, or a session something that is not kept for it (rules 12.4, 12.5).
    pub fn tell_unnumbered<M: Message>(&mut self, session: u64, block: M) {
        self.send(session, 0, block);
    }

    fn send<M: Message>(&mut self, session: u64, server_seq: u64, block: M) {
        self.sub += 1;
        let route = Route { session: U64::new(session), server_seq: U64::new(server_seq) };
        self.sink.event(self.sub, Routed { route, message: Framed::new(block) }.as_bytes());
    }
}
