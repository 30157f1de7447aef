//! Commands and events as packets of a capture file: each is the frame of the protocol that carried it, or would have, at
//! the engine's time to the nanosecond. Link type 147 (USER0) names no other protocol, so a dissector is set for it.

use std::io::{self, Write};

use engine::message::{Origin, Route};
use journal::{Kind, Record};
use zerocopy::FromBytes;

use crate::frame;
use crate::tools::shown;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const LINK_USER0: u16 = 147;

const OPTION_COMMENT: u16 = 1;
const OPTION_FLAGS: u16 = 2;
const OPTION_NAME: u16 = 2;
const OPTION_PROGRAM: u16 = 4;
const OPTION_RESOLUTION: u16 = 9;
/// Times are in 10^-9 s.
const NANOSECONDS: u8 = 9;
/// Seen from the venue.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

pub fn begin(out: &mut dyn Write) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend_from_slice(&BYTE_ORDER.to_le_bytes());
    section.extend_from_slice(&1_u16.to_le_bytes());
    section.extend_from_slice(&0_u16.to_le_bytes());
    // Of unknown length.
    section.extend_from_slice(&u64::MAX.to_le_bytes());
    push_option(&mut section, OPTION_PROGRAM, concat!("ballast ", env!("CARGO_PKG_VERSION")).as_bytes());
    block(out, SECTION, section)?;
    let mut interface = Vec::new();
    interface.extend_from_slice(&LINK_USER0.to_le_bytes());
    interface.extend_from_slice(&[0; 6]);
    push_option(&mut interface, OPTION_NAME, b"journal");
    push_option(&mut interface, OPTION_RESOLUTION, &[NANOSECONDS]);
    block(out, INTERFACE, interface)
}

/// A command or an event; nothing for any other record. Returns how many packets were written.
pub fn packet(out: &mut dyn Write, record: &Record<'_>) -> io::Result<u64> {
    let (session, number, time_ns, way) = match record.kind {
        Kind::Command => {
            let Ok((origin, _)) = Origin::ref_from_prefix(record.payload) else { return Ok(0) };
            (origin.session.get(), origin.client_seq.get(), origin.sent_ns.get(), INBOUND)
        }
        Kind::Event => {
            let Ok((route, _)) = Route::ref_from_prefix(record.payload) else { return Ok(0) };
            (route.session.get(), route.server_seq.get(), record.ts_ns, OUTBOUND)
        }
        _ => return Ok(0),
    };
    let mut framed = Vec::new();
    frame::append_message(&mut framed, 0, number, time_ns, shown::message(record));
    let mut body = Vec::new();
    body.extend_from_slice(&0_u32.to_le_bytes());
    body.extend_from_slice(&((record.ts_ns >> 32) as u32).to_le_bytes());
    body.extend_from_slice(&(record.ts_ns as u32).to_le_bytes());
    let length = u32::try_from(framed.len()).map_err(io::Error::other)?;
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&framed);
    body.resize(body.len().next_multiple_of(4), 0);
    let comment = match record.kind {
        Kind::Event => format!("seq {}.{} to session {session}", record.seq, record.sub),
        _ => format!("seq {} from session {session}", record.seq),
    };
    push_option(&mut body, OPTION_COMMENT, comment.as_bytes());
    push_option(&mut body, OPTION_FLAGS, &way.to_le_bytes());
    block(out, PACKET, body)?;
    Ok(1)
}

fn push_option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A block says its length at both ends; its options end with an empty one.
fn block(out: &mut dyn Write, kind: u32, mut body: Vec<u8>) -> io::Result<()> {
    push_option(&mut body, 0, &[]);
    let length = (body.len() + 12) as u32;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&body)?;
    out.write_all(&length.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use engine::command::Tick;
    use engine::message::Framed;
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    #[test]
    fn blocks_follow_each_other_and_a_packet_is_a_frame() {
        let payload = [Origin::venue().as_bytes(), Framed::new(Tick::new_zeroed()).as_bytes()].concat();
        let ts_ns = 0x1122_3344_5566_7788;
        let record =
            Record { seq: 7, ts_ns, kind: Kind::Command, version: 1, flags: 0, sub: 0, payload: &payload };
        let mut out = Vec::new();
        begin(&mut out).expect("memory is there");
        assert_eq!(packet(&mut out, &record).expect("memory is there"), 1);
        assert_eq!(packet(&mut out, &Record { kind: Kind::Mark, ..record }).expect("nothing to write"), 0);
        let word = |at: usize| u32::from_le_bytes(out[at..at + 4].try_into().expect("four bytes"));
        let (mut at, mut blocks) = (0, Vec::new());
        while at < out.len() {
            let length = word(at + 4) as usize;
            assert_eq!(word(at + length - 4) as usize, length);
            blocks.push((word(at), at));
            at += length;
        }
        assert_eq!(blocks.iter().map(|block| block.0).collect::<Vec<_>>(), [SECTION, INTERFACE, PACKET]);
        let packet = blocks[2].1;
        assert_eq!((word(packet + 12), word(packet + 16), word(packet + 20)), (0x1122_3344, 0x5566_7788, 40));
        let framed = frame::first(&out[packet + 28..packet + 68]).expect("legal").expect("whole");
        assert_eq!(framed.template_id(), 332);
    }
}
