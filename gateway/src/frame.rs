//! Frames: the 24-byte prefix in front of every message, and the cutting of a byte stream into whole frames. Owns what
//! makes a frame impossible; does not know what a message means.
//!
//! ```text
//! 0 frameLength u32 | 4 encodingType u16 | 6 frameFlags u16 | 8 seqNum u64 | 16 sendTime u64 | 24 SBE header 8 | 32 block
//! ```

use bytes::BufMut;
use engine::limits::FRAME_BYTES_MAX;
use engine::message::{Framed, HEADER_BYTES, Header, Message};
use engine::reject::Reject;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// SOFH code of SBE 1.0, little-endian.
pub const ENCODING_TYPE: u16 = 0xEB50;

pub const POSSIBLE_RESEND: u16 = 1;
pub const RETRANSMIT: u16 = 1 << 1;
pub const END_OF_EVENT: u16 = 1 << 2;
pub const SNAPSHOT: u16 = 1 << 3;

/// The prefix of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Prefix {
    pub frame_length: U32,
    pub encoding_type: U16,
    pub flags: U16,
    pub seq: U64,
    pub send_time: U64,
}

pub const PREFIX_BYTES: usize = size_of::<Prefix>();
pub const FRAME_BYTES_MIN: usize = PREFIX_BYTES + HEADER_BYTES;
const _: () = assert!(PREFIX_BYTES == 24 && FRAME_BYTES_MIN == 32);

/// A whole frame, still in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub prefix: &'a Prefix,
    pub header: &'a Header,
    pub block: &'a [u8],
    /// Header and block: what the ring and the journal carry.
    pub message: &'a [u8],
}

impl<'a> Frame<'a> {
    pub fn template_id(&self) -> u16 {
        self.header.template_id.get()
    }

    pub fn bytes(&self) -> usize {
        PREFIX_BYTES + self.message.len()
    }

    /// The block as `M`, if template and length are M's.
    pub fn block<M: Message>(&self) -> Option<&'a M> {
        engine::message::block::<M>(self.message)
    }
}

/// The first frame of `bytes`: `Ok(None)` while it is not whole, an error as soon as no continuation could make it legal.
pub fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>, Reject> {
    if let Some(length) = bytes.get(0..4) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes were taken")) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Reject::FrameTooLong);
        }
        if length < FRAME_BYTES_MIN {
            return Err(Reject::BadFrame);
        }
    }
    if bytes.get(4..6).is_some_and(|code| code != ENCODING_TYPE.to_le_bytes()) {
        return Err(Reject::BadEncodingType);
    }
    let Ok((prefix, _)) = Prefix::ref_from_prefix(bytes) else {
        return Ok(None);
    };
    let length = prefix.frame_length.get() as usize;
    let Some(message) = bytes.get(PREFIX_BYTES..length) else {
        return Ok(None);
    };
    let (header, block) = Header::ref_from_prefix(message).expect("a frame holds at least its header");
    Ok(Some(Frame { prefix, header, block, message }))
}

/// Frame flags that a client may set.
pub const CLIENT_FLAGS: u16 = POSSIBLE_RESEND;

/// Appends one frame to `out`.
pub fn append<M: Message>(out: &mut impl BufMut, flags: u16, seq: u64, send_time: u64, block: M) {
    append_message(out, flags, seq, send_time, Framed::new(block).as_bytes());
}

/// Appends one frame whose message (header and block) is encoded already.
pub fn append_message(out: &mut impl BufMut, flags: u16, seq: u64, send_time: u64, message: &[u8]) {
    let prefix = Prefix {
        frame_length: U32::new((PREFIX_BYTES + message.len()) as u32),
        encoding_type: U16::new(ENCODING_TYPE),
        flags: U16::new(flags),
        seq: U64::new(seq),
        send_time: U64::new(send_time),
    };
    out.put_slice(prefix.as_bytes());
    out.put_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TestRequest;

    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, 0, 7, 9, TestRequest { echo: U64::new(5) });
        out
    }

    #[test]
    fn a_frame_is_whole_only_at_its_last_byte() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            assert!(first(&bytes[..cut]).expect("a prefix of a legal frame").is_none(), "cut at {cut}");
        }
        let frame = first(&bytes).expect("legal").expect("whole");
        assert_eq!((frame.template_id(), frame.prefix.seq.get(), frame.bytes()), (9, 7, bytes.len()));
        assert_eq!(frame.block::<TestRequest>().map(|test| test.echo.get()), Some(5));
    }

    #[test]
    fn every_length_field_is_judged_from_four_bytes() {
        for length in 0..=u32::from(u16::MAX) + 10 {
            let bytes = length.to_le_bytes();
            let judged = first(&bytes);
            match length as usize {
                0..FRAME_BYTES_MIN => assert_eq!(judged.err(), Some(Reject::BadFrame)),
                FRAME_BYTES_MIN..=FRAME_BYTES_MAX => assert!(judged.is_ok_and(|frame| frame.is_none())),
                _ => assert_eq!(judged.err(), Some(Reject::FrameTooLong)),
            }
        }
    }

    #[test]
    fn another_encoding_is_refused_at_its_sixth_byte() {
        let mut bytes = sample();
        bytes[4] ^= 1;
        assert_eq!(first(&bytes[..6]).err(), Some(Reject::BadEncodingType));
    }
}
