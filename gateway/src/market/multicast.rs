//! The channel as UDP packets, on one line or two. A packet that the kernel does not take is lost like any other: whoever
//! listens asks for the hole.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use engine::message::HEADER_BYTES;
use socket2::{Domain, Protocol, Socket, Type};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::CHANNEL;
use super::packet::{MessageHeader, PacketHeader, message_flags, packet_type};
use super::projection::Public;

/// Largest packet.
pub const PACKET_BYTES_MAX: usize = 1_400;
const BEAT_NS: u64 = 1_000_000_000;

pub struct Multicast {
    socket: UdpSocket,
    lines: Vec<SocketAddr>,
    engine_epoch: u64,
    packet: Vec<u8>,
    first_seq: u64,
    messages: u16,
    sent_ns: u64,
}

impl Multicast {
    pub fn open(lines: &[SocketAddrV4], interface: Ipv4Addr, engine_epoch: u64) -> io::Result<Multicast> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_multicast_if_v4(&interface)?;
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(1)?;
        socket.set_nonblocking(true)?;
        Ok(Multicast {
            socket: socket.into(),
            lines: lines.iter().map(|line| SocketAddr::V4(*line)).collect(),
            engine_epoch,
            packet: Vec::with_capacity(PACKET_BYTES_MAX),
            first_seq: 0,
            messages: 0,
            sent_ns: 0,
        })
    }

    /// A message of the channel, in its place.
    pub fn hear(&mut self, message: &Public<'_>, now_ns: u64) {
        let length = size_of::<MessageHeader>() + message.bytes.len();
        debug_assert!(message.bytes.len() >= HEADER_BYTES);
        if self.packet.len() + length > PACKET_BYTES_MAX {
            self.flush(now_ns);
        }
        if self.messages == 0 {
            self.packet.resize(size_of::<PacketHeader>(), 0);
            self.first_seq = message.seq;
        }
        let start = if message.is_first { message_flags::START_OF_EVENT } else { 0 };
        let end = if message.is_last { message_flags::END_OF_EVENT } else { 0 };
        let header = MessageHeader {
            msg_length: U16::new(length as u16),
            msg_flags: U16::new(start | end),
            spare: U32::new(0),
        };
        self.packet.extend_from_slice(header.as_bytes());
        self.packet.extend_from_slice(message.bytes);
        self.messages += 1;
    }

    /// Sends what was gathered.
    pub fn flush(&mut self, now_ns: u64) {
        if self.messages > 0 {
            self.send(self.first_seq, packet_type::INCREMENTAL, now_ns);
        }
    }

    /// Once a second without a packet, what the next number is.
    pub fn tick(&mut self, next_seq: u64, now_ns: u64) {
        if now_ns >= self.sent_ns + BEAT_NS {
            self.packet.resize(size_of::<PacketHeader>(), 0);
            self.send(next_seq, packet_type::HEARTBEAT, now_ns);
        }
    }

    fn send(&mut self, seq: u64, type_bits: u16, now_ns: u64) {
        let header = PacketHeader {
            seq: U64::new(seq),
            send_time: U64::new(now_ns),
            engine_epoch: U64::new(self.engine_epoch),
            channel_id: U32::new(CHANNEL),
            type_bits: U16::new(type_bits),
            msg_count: U16::new(self.messages),
        };
        self.packet[..size_of::<PacketHeader>()].copy_from_slice(header.as_bytes());
        for line in &self.lines {
            // Lost, as a packet may be on its way.
            let _ = self.socket.send_to(&self.packet, line);
        }
        self.packet.clear();
        (self.messages, self.sent_ns) = (0, now_ns);
    }
}
