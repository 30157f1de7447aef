//! One socket: what was read and is not yet a whole frame, what is written and not yet taken by the kernel, and the clocks of
//! the session. Memory per connection is bounded: a peer that does not read is not read either. Knows no other connection.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::ops::Range;

use bytes::{Buf, BytesMut};
use journal::bus;

use crate::frame::{self, PREFIX_BYTES, RETRANSMIT};
use crate::outbox::Stream;
use crate::session::Session;
use crate::wire::Wire;

/// Output that waits for the kernel, at most; the rest waits in the outbox.
const OUTBOUND_BYTES_MAX: usize = 1 << 20;
/// What is told now or never goes beyond that, to here: lists of half a million open orders.
const UNNUMBERED_BYTES_MAX: usize = 64 << 20;
/// Room that a buffer without bytes keeps.
const IDLE_BYTES_MAX: usize = 4 << 10;
/// A peer may leave its output untouched this long while more waits.
pub const STUCK_NS_MAX: u64 = 1_000_000_000;
/// A handshake of TLS may take this long.
const HANDSHAKE_NS_MAX: u64 = 3_000_000_000;
/// A peer has this long to close its half once ours is shut.
pub const LINGER_NS_MAX: u64 = 1_000_000_000;
/// Buffers of input that one turn throws away.
const DISCARDS_PER_TURN: usize = 16;

#[derive(Debug)]
pub struct Connection {
    pub wire: Wire,
    /// Where the peer comes from.
    pub address: IpAddr,
    pub session: Session,
    /// Until when the handshake of TLS may take; none once it is done.
    pub opens_until_ns: Option<u64>,
    inbound: BytesMut,
    outbound: BytesMut,
    /// The kernel may hold bytes that were not read yet.
    pub readable: bool,
    /// The peer will say nothing more; what the kernel holds of it is still read.
    pub hung_up: bool,
    /// Everything that the peer ever said is in the buffer; its whole frames still count.
    pub ended: bool,
    /// Number of the next message of the outbox that this peer gets; messages below `live_from` are repeats.
    pub next_to_send: u64,
    pub live_from: u64,
    /// Messages that the peer asked for once more; they go before the next one.
    repeats: Range<u64>,
    pub keep_alive_ns: u64,
    pub received_ns: u64,
    pub sent_ns: u64,
    /// When a test request went out, if nothing was heard since.
    pub tested_ns: Option<u64>,
    /// Since when the kernel has taken nothing although output waits.
    stuck_ns: Option<u64>,
    /// Goodbye is written. The next step, shutting our half or closing, is waited for until this time.
    pub closing_ns: Option<u64>,
    /// Our half is shut: the kernel has every word, and none can follow.
    said_all: bool,
}

impl Connection {
    pub fn new(wire: Wire, address: IpAddr, id: u32, now_ns: u64) -> Connection {
        let is_opening = wire.is_opening();
        Connection {
            wire,
            address,
            session: Session::new(id, now_ns),
            opens_until_ns: is_opening.then_some(now_ns + HANDSHAKE_NS_MAX),
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            readable: true,
            hung_up: false,
            ended: false,
            next_to_send: 1,
            live_from: 1,
            repeats: 0..0,
            keep_alive_ns: u64::MAX,
            received_ns: now_ns,
            sent_ns: now_ns,
            tested_ns: None,
            stuck_ns: None,
            closing_ns: None,
            said_all: false,
        }
    }

    /// Reads what the kernel has, up to `scratch`. An error means that the peer is gone.
    pub fn read(&mut self, scratch: &mut [u8], now_ns: u64) -> std::io::Result<()> {
        let done = self.read_once(scratch);
        if self.opens_until_ns.is_some() && !self.wire.is_opening() {
            self.opens_until_ns = None;
            self.session.opened(now_ns);
        }
        done
    }

    fn read_once(&mut self, scratch: &mut [u8]) -> std::io::Result<()> {
        match self.wire.read(scratch) {
            Ok(0) => {
                (self.ended, self.readable) = (true, false);
                Ok(())
            }
            Ok(bytes) => {
                self.inbound.extend_from_slice(&scratch[..bytes]);
                // A short read empties the kernel's buffer, but its end of file makes no second event.
                self.readable = bytes == scratch.len() || self.hung_up || !self.wire.tells_when_empty();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what the kernel has, up to a few `scratch`, and forgets it: nobody will act on it.
    pub fn discard(&mut self, scratch: &mut [u8], now_ns: u64) -> std::io::Result<()> {
        for _ in 0..DISCARDS_PER_TURN {
            self.inbound.clear();
            if !self.readable {
                break;
            }
            self.read(scratch, now_ns)?;
        }
        self.inbound.clear();
        Ok(())
    }

    pub fn inbound(&self) -> &[u8] {
        &self.inbound
    }

    /// A turn of this connection may find something to do.
    pub fn has_input(&self) -> bool {
        self.readable || self.ended || !self.inbound.is_empty()
    }

    /// A whole frame was heard; less than that is silence.
    pub fn consume(&mut self, bytes: usize, now_ns: u64) {
        self.inbound.advance(bytes);
        self.received_ns = now_ns;
        self.tested_ns = None;
    }

    /// A frame is here that the venue has had no room for.
    pub fn has_frame(&self) -> bool {
        !matches!(frame::first(&self.inbound), Ok(None))
    }

    /// Gives back what a burst took: an idle connection keeps little.
    pub fn rest(&mut self) {
        for buffer in [&mut self.inbound, &mut self.outbound] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Behind everything that is written already.
    pub fn write(&mut self, bytes: &[u8], now_ns: u64) {
        self.outbound.extend_from_slice(bytes);
        self.sent_ns = now_ns;
    }

    /// Full: the peer's own input waits until it reads.
    pub fn is_full(&self) -> bool {
        self.outbound.len() >= OUTBOUND_BYTES_MAX
    }

    /// Nothing more fits: this peer has asked for more than it reads.
    pub fn is_flooded(&self) -> bool {
        self.outbound.len() >= UNNUMBERED_BYTES_MAX
    }

    pub fn has_output(&self) -> bool {
        !self.outbound.is_empty() || self.wire.has_output()
    }

    /// Sends these messages once more, as fast as the peer reads; one request at a time.
    pub fn repeat(&mut self, seqs: Range<u64>) {
        assert!(!self.is_repeating(), "a second request is refused while the first is under way");
        self.repeats = seqs;
    }

    pub fn is_repeating(&self) -> bool {
        !self.repeats.is_empty()
    }

    /// The number of the message that is pulled next.
    fn due(&self) -> u64 {
        if self.is_repeating() { self.repeats.start } else { self.next_to_send }
    }

    /// The outbox has forgotten what is due: this peer can only go on with a gap, so it must not go on.
    pub fn has_fallen_behind(&self, stream: &Stream) -> bool {
        self.due() < stream.oldest_seq()
    }

    /// Takes messages from the outbox while there is room.
    pub fn pull(&mut self, stream: &Stream, now_ns: u64) {
        while !self.is_full() {
            let due = self.due();
            let Some(bytes) = stream.frame(due) else { return };
            let repeated = self.is_repeating() || due < self.live_from;
            let start = self.outbound.len();
            self.outbound.extend_from_slice(bytes);
            let flags_of = |bytes: &[u8]| u16::from_le_bytes([bytes[6], bytes[7]]);
            let head = &mut self.outbound[start..start + PREFIX_BYTES];
            let flags = flags_of(head) | if repeated { RETRANSMIT } else { 0 };
            head[6..8].copy_from_slice(&flags.to_le_bytes());
            head[16..24].copy_from_slice(&now_ns.to_le_bytes());
            if self.is_repeating() {
                self.repeats.start += 1;
            } else {
                self.next_to_send += 1;
            }
            self.sent_ns = now_ns;
        }
    }

    /// Hands output to the kernel. An error means that the peer is gone.
    pub fn flush(&mut self, now_ns: u64) -> std::io::Result<()> {
        // A journal whose disk has failed under a mapping may have lost what these words rest on.
        while self.has_output() && !bus::has_struck() {
            let written = if self.outbound.is_empty() {
                self.wire.push().map(|()| None)
            } else {
                self.wire.write(&self.outbound).map(Some)
            };
            match written {
                Ok(None) => self.stuck_ns = None,
                Ok(Some(0)) => return Err(ErrorKind::WriteZero.into()),
                Ok(Some(bytes)) => {
                    self.outbound.advance(bytes);
                    self.stuck_ns = None;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stuck_ns.get_or_insert(now_ns);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The kernel has taken nothing for too long while the buffer is full.
    pub fn is_stuck(&self, now_ns: u64) -> bool {
        self.is_full() && self.stuck_ns.is_some_and(|since| now_ns.saturating_sub(since) > STUCK_NS_MAX)
    }

    /// Writes a goodbye; nothing may be written behind it.
    pub fn say_goodbye(&mut self, code: Option<engine::reject::Reject>, now_ns: u64) {
        if let Some(code) = code {
            frame::append(&mut self.outbound, 0, 0, now_ns, crate::session::logout(code));
        }
        self.closing_ns = Some(now_ns + STUCK_NS_MAX);
    }

    pub fn is_closing(&self) -> bool {
        self.closing_ns.is_some()
    }

    /// Shuts our half behind the goodbye, once. A close with unread input would make the kernel discard what the peer has
    /// not got yet, so the peer's half is read to its end first.
    pub fn end_output(&mut self, now_ns: u64) -> std::io::Result<()> {
        assert!(self.is_closing() && !self.has_output(), "the goodbye is the last word");
        if self.wire.end()? {
            (self.said_all, self.closing_ns) = (true, Some(now_ns + LINGER_NS_MAX));
        }
        Ok(())
    }

    pub fn has_said_all(&self) -> bool {
        self.said_all
    }
}
