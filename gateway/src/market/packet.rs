//! Packets of market data, as UDP carries them. Over TCP the same messages stand in frames.
//!
//! ```text
//! 0 seqNum u64 | 8 sendTime u64 | 16 engineEpoch u64 | 24 channelId u32 | 28 typeBits u16 | 30 msgCount u16
//! then msgCount times: 0 msgLength u16 | 2 msgFlags u16 | 4 spare u32 | 8 SBE header 8 | 16 block
//! ```

use std::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// In front of the messages of a packet. `seq` is the first one's; each takes one number of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct PacketHeader {
    pub seq: U64,
    pub send_time: U64,
    pub engine_epoch: U64,
    pub channel_id: U32,
    pub type_bits: U16,
    pub msg_count: U16,
}

const _: () = assert!(size_of::<PacketHeader>() == 32 && offset_of!(PacketHeader, channel_id) == 24);
const _: () = assert!(offset_of!(PacketHeader, type_bits) == 28 && offset_of!(PacketHeader, msg_count) == 30);

/// In front of each message; `msg_length` counts from here to the message's end, so that bodies stay 8-aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct MessageHeader {
    pub msg_length: U16,
    pub msg_flags: U16,
    pub spare: U32,
}

const _: () = assert!(size_of::<MessageHeader>() == 8 && offset_of!(MessageHeader, msg_flags) == 2);

/// The bits of `type_bits`.
pub mod packet_type {
    pub const INCREMENTAL: u16 = 1 << 0;
    pub const SNAPSHOT: u16 = 1 << 1;
    pub const RETRANSMIT: u16 = 1 << 2;
    pub const HEARTBEAT: u16 = 1 << 3;
}

/// The bits of `msg_flags`.
pub mod message_flags {
    pub const START_OF_EVENT: u16 = 1 << 0;
    pub const END_OF_EVENT: u16 = 1 << 1;
}
