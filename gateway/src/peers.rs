//! All connections of one gateway thread, by slot, by id and by session, with the lists of those that have something to do.
//! Owns opening, binding and closing; knows neither rings nor what a frame says.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use engine::event::LogonAck;
use engine::message::block;
use engine::reject::Reject;
use mio::{Interest, Registry, Token};

use crate::connection::Connection;
use crate::doorkeeper::Doorkeeper;
use crate::frame;
use crate::outbox::{Outboxes, Stream};
use crate::wire::Wire;

pub struct Peers {
    pub doorkeeper: Doorkeeper,
    registry: Registry,
    slots: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    by_id: HashMap<u32, usize>,
    by_session: HashMap<u64, usize>,
    /// Ids in the order of arrival, among them all that have not logged on; the others are passed over.
    strangers: VecDeque<u32>,
    /// Ids in the order in which they were told everything; they only have to close, or have done so.
    leaving: VecDeque<u32>,
    /// Slots with input to look at.
    ready: Marked,
    /// Slots with output to hand over.
    dirty: Marked,
    next_id: u32,
}

/// A list of slots in which each stands at most once.
struct Marked {
    slots: Vec<usize>,
    is_marked: Vec<bool>,
}

impl Marked {
    fn new(slots_max: usize) -> Marked {
        Marked { slots: Vec::with_capacity(slots_max), is_marked: vec![false; slots_max] }
    }

    fn mark(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.is_marked[slot], true) {
            self.slots.push(slot);
        }
    }

    /// The next turn begins with this slot; whoever stood before it stands behind the last.
    fn begin_with(&mut self, slot: usize) {
        let place = self.slots.iter().position(|other| *other == slot);
        self.slots.rotate_left(place.unwrap_or(0));
    }

    /// The list as it is, and an empty one in its place, built from `spare`.
    fn take(&mut self, mut spare: Vec<usize>) -> Vec<usize> {
        spare.clear();
        self.slots.iter().for_each(|slot| self.is_marked[*slot] = false);
        std::mem::replace(&mut self.slots, spare)
    }
}

impl Peers {
    pub fn new(registry: Registry, connections_max: usize, doorkeeper: Doorkeeper) -> Peers {
        Peers {
            doorkeeper,
            registry,
            slots: (0..connections_max).map(|_| None).collect(),
            vacant: (0..connections_max).rev().collect(),
            by_id: HashMap::with_capacity(connections_max),
            by_session: HashMap::with_capacity(connections_max),
            strangers: VecDeque::with_capacity(2 * connections_max),
            leaving: VecDeque::with_capacity(2 * connections_max),
            ready: Marked::new(connections_max),
            dirty: Marked::new(connections_max),
            next_id: 1,
        }
    }

    /// A new peer, unless there are enough from where it comes. In a full house whoever was told everything and has not closed makes place for it, then the stranger that
    /// has waited longest, so that nobody locks members out by holding connections; where all have logged on, the new one is
    /// closed at once.
    pub fn admit(&mut self, mut wire: Wire, address: IpAddr, now_ns: u64) {
        if !self.doorkeeper.admit(address.into(), now_ns) {
            return;
        }
        let Some(slot) = self.vacant.pop().or_else(|| self.evict()) else {
            return self.doorkeeper.leave(address.into());
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.registry.register(&mut wire.socket, Token(slot), interest);
        if registered.and_then(|()| wire.socket.set_nodelay(true)).is_err() {
            self.vacant.push(slot);
            return self.doorkeeper.leave(address.into());
        }
        let id = self.fresh_id();
        self.by_id.insert(id, slot);
        self.slots[slot] = Some(Connection::new(wire, address, id, now_ns));
        remember(&mut self.strangers, id, &self.by_id);
        self.look_at(slot);
    }

    /// The slot of whoever can best be spared, vacated.
    fn evict(&mut self) -> Option<usize> {
        while let Some(id) = self.leaving.pop_front().or_else(|| self.strangers.pop_front()) {
            let Some(&slot) = self.by_id.get(&id) else { continue };
            let can_go = |peer: &Connection| peer.has_said_all() || peer.session.is_strange();
            if self.slots[slot].as_ref().is_some_and(can_go) {
                self.close(slot);
                return self.vacant.pop();
            }
        }
        None
    }

    /// Numbers come round after four thousand million connections, and an old connection may still hold one.
    fn fresh_id(&mut self) -> u32 {
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    pub fn close(&mut self, slot: usize) {
        let Some(mut connection) = self.slots[slot].take() else { return };
        let _ = self.registry.deregister(&mut connection.wire.socket);
        self.doorkeeper.leave(connection.address.into());
        self.by_id.remove(&connection.session.connection);
        self.unbind(connection.session.established(), slot);
        self.vacant.push(slot);
    }

    fn unbind(&mut self, session: Option<u64>, slot: usize) {
        if let Some(session) = session.filter(|session| self.by_session.get(session) == Some(&slot)) {
            self.by_session.remove(&session);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn get(&mut self, slot: usize) -> Option<&mut Connection> {
        self.slots[slot].as_mut()
    }

    pub fn occupied(&self) -> impl Iterator<Item = usize> + use<> {
        let slots: Vec<usize> = self.by_id.values().copied().collect();
        slots.into_iter()
    }

    /// The socket says that something happened.
    pub fn touched(&mut self, slot: usize, readable: bool, hung_up: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        connection.readable |= readable;
        connection.hung_up |= hung_up;
        self.look_at(slot);
        self.hand_over(slot);
    }

    pub fn look_at(&mut self, slot: usize) {
        self.ready.mark(slot);
    }

    /// The next turn begins with this slot, if anybody is to be looked at.
    pub fn look_first_at(&mut self, slot: usize) {
        self.ready.begin_with(slot);
    }

    pub fn hand_over(&mut self, slot: usize) {
        self.dirty.mark(slot);
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.slots.is_empty()
    }

    /// The slots to look at; `spare` is the list of the turn before.
    pub fn take_ready(&mut self, spare: Vec<usize>) -> Vec<usize> {
        self.ready.take(spare)
    }

    /// The last word to this connection. Its session is nobody's from now on, and what it still says is thrown away.
    pub fn goodbye(&mut self, slot: usize, code: Option<Reject>, now_ns: u64) {
        let Some(connection) = self.slots[slot].as_mut().filter(|it| !it.is_closing()) else { return };
        connection.say_goodbye(code, now_ns);
        let session = connection.session.established();
        self.unbind(session, slot);
        self.hand_over(slot);
        self.look_at(slot);
    }

    /// The engine answered a logon: the connection gets the answer, then everything from `wanted_seq` on, then what comes.
    /// The connection that had the session before is told that it was displaced, even when the new one is gone already:
    /// the engine does not hear it any more.
    pub fn logon_answered(
        &mut self,
        connection: u32,
        session: u64,
        wanted_seq: u64,
        message: &[u8],
        stream: &Stream,
        now_ns: u64,
    ) {
        let open = |slot: &usize| self.slots[*slot].as_ref().is_some_and(|it| !it.is_closing());
        let slot = self.by_id.get(&connection).copied().filter(open);
        let ack = block::<LogonAck>(message);
        if ack.is_some() {
            self.bind(session, slot, now_ns);
        }
        let Some(slot) = slot else { return };
        let peer = self.slots[slot].as_mut().expect("an id names an occupied slot");
        peer.session.logon_answered(ack.is_some(), now_ns);
        let mut bytes = Vec::with_capacity(128);
        frame::append_message(&mut bytes, 0, 0, now_ns, message);
        peer.write(&bytes, now_ns);
        if let Some(ack) = ack {
            peer.keep_alive_ns = u64::from(ack.keep_alive_ms.get()) * 1_000_000;
            peer.next_to_send = wanted_seq.max(stream.oldest_seq());
            peer.live_from = stream.next_seq();
        } else if peer.session.has_failed_too_often() {
            self.goodbye(slot, Some(Reject::LogonRate), now_ns);
        }
        self.hand_over(slot);
        self.look_at(slot);
    }

    /// The session is this slot's from now on, or nobody's.
    fn bind(&mut self, session: u64, slot: Option<usize>, now_ns: u64) {
        let before = match slot {
            Some(slot) => self.by_session.insert(session, slot),
            None => self.by_session.remove(&session),
        };
        if let Some(before) = before.filter(|before| Some(*before) != slot) {
            self.goodbye(before, Some(Reject::Displaced), now_ns);
        }
    }

    /// Something new stands in this session's outbox.
    pub fn has_output(&mut self, session: u64) {
        if let Some(&slot) = self.by_session.get(&session) {
            self.hand_over(slot);
        }
    }

    /// A message that is told now or never.
    pub fn tell(&mut self, session: u64, flags: u16, message: &[u8], now_ns: u64) {
        let Some(&slot) = self.by_session.get(&session) else { return };
        let Some(connection) = self.slots[slot].as_mut() else { return };
        if connection.is_flooded() {
            return self.goodbye(slot, Some(Reject::SlowConsumer), now_ns);
        }
        let mut bytes = Vec::with_capacity(128);
        frame::append_message(&mut bytes, flags, 0, now_ns, message);
        connection.write(&bytes, now_ns);
        self.hand_over(slot);
    }

    /// To every member that is here.
    pub fn tell_all(&mut self, message: &[u8], now_ns: u64) {
        let sessions: Vec<u64> = self.by_session.keys().copied().collect();
        for session in sessions {
            self.tell(session, 0, message, now_ns);
        }
    }

    /// This connection of the session, if it is its connection still.
    fn asker(&mut self, session: u64, connection: u32) -> Option<(usize, &mut Connection)> {
        let slot = *self.by_session.get(&session)?;
        let peer = self.slots[slot].as_mut().filter(|peer| peer.session.connection == connection)?;
        Some((slot, peer))
    }

    /// Whether a part of an answer may be found for this connection; None when it is gone.
    pub fn has_room(&mut self, session: u64, connection: u32) -> Option<bool> {
        self.asker(session, connection).map(|(_, peer)| !peer.is_full())
    }

    /// Frames that are told now or never, to this connection of the session or to nobody.
    pub fn tell_frames(&mut self, session: u64, connection: u32, frames: &[u8], now_ns: u64) {
        let Some((slot, peer)) = self.asker(session, connection) else { return };
        peer.write(frames, now_ns);
        self.hand_over(slot);
    }

    /// Moves output from outboxes to buffers to the kernel.
    pub fn flush(&mut self, outboxes: &Outboxes, spare: Vec<usize>, now_ns: u64) -> Vec<usize> {
        let dirty = self.dirty.take(spare);
        for &slot in &dirty {
            if self.flush_one(slot, outboxes, now_ns).is_err() {
                self.close(slot);
            }
        }
        dirty
    }

    fn flush_one(&mut self, slot: usize, outboxes: &Outboxes, now_ns: u64) -> std::io::Result<()> {
        let Some(connection) = self.slots[slot].as_mut() else { return Ok(()) };
        let bound = connection.session.established();
        let stream = bound.and_then(|session| outboxes.stream(session));
        loop {
            if let Some(stream) = stream.filter(|_| !connection.is_closing()) {
                connection.pull(stream, now_ns);
            }
            let was_full = connection.is_full();
            connection.flush(now_ns)?;
            if !was_full || connection.has_output() {
                break;
            }
        }
        if connection.is_closing() && !connection.has_output() {
            if connection.ended {
                self.close(slot);
            } else if !connection.has_said_all() {
                connection.end_output(now_ns)?;
                if connection.has_said_all() {
                    remember(&mut self.leaving, connection.session.connection, &self.by_id);
                }
            }
        } else if connection.has_input() && !connection.is_closing() {
            // Its input may have waited for this output to leave.
            self.look_at(slot);
        }
        Ok(())
    }
}

/// Behind those that came before. Ids without a connection are forgotten when they are many.
fn remember(ids: &mut VecDeque<u32>, id: u32, by_id: &HashMap<u32, usize>) {
    if ids.len() == ids.capacity() {
        ids.retain(|id| by_id.contains_key(id));
    }
    ids.push_back(id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_found_no_room_stands_first_in_the_next_turn() {
        let mut ready = Marked::new(8);
        for slot in [3, 1, 4, 1, 5] {
            ready.mark(slot);
        }
        ready.begin_with(4);
        ready.begin_with(7);
        assert_eq!(ready.take(Vec::new()), [4, 5, 3, 1]);
        ready.begin_with(4);
        assert_eq!(ready.take(Vec::new()), [0; 0]);
    }
}
