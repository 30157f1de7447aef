//! One record and its frame: the 32 bytes in front of every payload, and the checksum that binds a frame to
//! its place. Knows a frame's bytes, not what stands before or after it.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in front of every payload.
pub const FRAME_HEADER_BYTES: usize = 32;
/// The largest payload of one record.
pub const RECORD_PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Frames start on multiples of this many bytes, so that `len` never straddles an aligned word.
pub(crate) const FRAME_ALIGNMENT: usize = 8;
/// The largest frame without its padding.
pub(crate) const FRAME_BYTES_MAX: usize = FRAME_HEADER_BYTES + RECORD_PAYLOAD_BYTES_MAX;
/// Version of the framing of every kind that this crate itself writes.
pub(crate) const FRAMING_VERSION: u8 = 1;
/// Kinds from here on may be skipped by a reader that does not know them; they are still chained.
const KIND_COMPATIBLE_FIRST: u16 = 0x8000;

/// What a frame holds. `Seal`, `Group` and `Pad` belong to the journal itself and are never handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// A sequenced input: the only kind that advances `seq`.
    Command = 1,
    /// An output of the command before it, numbered by `sub` from 1.
    Event = 2,
    /// A digest of the state after the last command.
    Mark = 3,
    /// A change of leadership.
    Epoch = 4,
    /// A snapshot that was taken and verified.
    SnapshotRef = 5,
    /// New rules hold from here on.
    Logic = 6,
    /// Durable data was given up here, on purpose and for a stated reason.
    Loss = 7,
    /// The last frame of a segment's last group but for the `Group` frame itself.
    Seal = 8,
    /// Closes a group.
    Group = 9,
    /// Reserved: stepped over by readers, not written by this version.
    Pad = 10,
}

/// How a reader must treat a kind number that it found in a frame whose checksum holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindFound {
    Known(Kind),
    /// Written by a newer version that promises older readers may skip it.
    Skippable,
    /// Written by a newer version; going on would misread what follows.
    Incompatible,
}

impl Kind {
    /// Whether callers may append it and readers hand it out.
    pub fn is_record(self) -> bool {
        !matches!(self, Kind::Seal | Kind::Group | Kind::Pad)
    }

    pub(crate) fn find(number: u16) -> KindFound {
        const KNOWN: [Kind; 10] = [
            Kind::Command,
            Kind::Event,
            Kind::Mark,
            Kind::Epoch,
            Kind::SnapshotRef,
            Kind::Logic,
            Kind::Loss,
            Kind::Seal,
            Kind::Group,
            Kind::Pad,
        ];
        match KNOWN.iter().find(|kind| **kind as u16 == number) {
            Some(kind) => KindFound::Known(*kind),
            None if number >= KIND_COMPATIBLE_FIRST => KindFound::Skippable,
            None => KindFound::Incompatible,
        }
    }
}

/// One record as the caller sees it. A command has `sub` 0 and the next `seq`; its events carry its `seq` and
/// `sub` 1, 2, ...; every other kind carries the `seq` of the last command. `ts_ns` never decreases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub seq: u64,
    pub ts_ns: u64,
    pub kind: Kind,
    pub version: u8,
    pub flags: u8,
    pub sub: u32,
    pub payload: &'a [u8],
}

/// The frame header.
///
/// ```text
///   0        4        8                16               24    26 27 28       32
///   ├────────┼────────┼────────────────┼────────────────┼─────┼──┼──┼────────┼── payload ── zeros to 8
///   │ len    │ crc    │ seq            │ ts_ns          │kind │v │f │ sub    │
///   └────────┴────────┴────────────────┴────────────────┴─────┴──┴──┴────────┘
/// ```
///
/// `len` counts header and payload without padding; 0 means that nothing is here.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FrameHeader {
    pub len: U32,
    pub crc: U32,
    pub seq: U64,
    pub ts_ns: U64,
    pub kind: U16,
    pub version: u8,
    pub flags: u8,
    pub sub: U32,
}

const _: () = assert!(size_of::<FrameHeader>() == FRAME_HEADER_BYTES);
const _: () = assert!(offset_of!(FrameHeader, crc) == 4);
const _: () = assert!(offset_of!(FrameHeader, seq) == 8);
const _: () = assert!(offset_of!(FrameHeader, ts_ns) == 16);
const _: () = assert!(offset_of!(FrameHeader, kind) == 24);
const _: () = assert!(offset_of!(FrameHeader, version) == 26);
const _: () = assert!(offset_of!(FrameHeader, flags) == 27);
const _: () = assert!(offset_of!(FrameHeader, sub) == 28);

impl FrameHeader {
    /// The header of `record` with its checksum still open: the place is not known yet.
    pub fn unplaced(record: &Record<'_>) -> FrameHeader {
        debug_assert!(record.payload.len() <= RECORD_PAYLOAD_BYTES_MAX);
        FrameHeader {
            len: U32::new((FRAME_HEADER_BYTES + record.payload.len()) as u32),
            crc: U32::new(0),
            seq: U64::new(record.seq),
            ts_ns: U64::new(record.ts_ns),
            kind: U16::new(record.kind as u16),
            version: record.version,
            flags: record.flags,
            sub: U32::new(record.sub),
        }
    }

    /// The header at `offset`, or nothing when the bytes end before it does.
    pub fn at(bytes: &[u8], offset: usize) -> Option<FrameHeader> {
        let tail = bytes.get(offset..)?;
        FrameHeader::read_from_prefix(tail).ok().map(|(header, _)| header)
    }

    pub fn record<'a>(&self, kind: Kind, payload: &'a [u8]) -> Record<'a> {
        Record {
            seq: self.seq.get(),
            ts_ns: self.ts_ns.get(),
            kind,
            version: self.version,
            flags: self.flags,
            sub: self.sub.get(),
            payload,
        }
    }
}

/// Bytes that a frame takes up, padding included.
pub(crate) fn frame_bytes(payload_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_bytes).next_multiple_of(FRAME_ALIGNMENT)
}

/// The checksum of frames in one segment: seeded by the segment's salt, so that no frame of another segment
/// or journal verifies here, and by the file offset, so that no frame verifies anywhere but in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameChecksum {
    seed: u32,
}

impl FrameChecksum {
    pub fn new(salt: &[u8; 16]) -> FrameChecksum {
        FrameChecksum { seed: crc32c::crc32c(salt) }
    }

    /// CRC-32C over salt, file offset, `len`, and all bytes of the frame from 8 on. `frame` has no padding.
    pub fn of(self, offset: u64, frame: &[u8]) -> u32 {
        let mut place = [0u8; 12];
        place[..8].copy_from_slice(&offset.to_le_bytes());
        place[8..].copy_from_slice(&frame[..4]);
        crc32c::crc32c_append(crc32c::crc32c_append(self.seed, &place), &frame[8..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number() {
        for number in 0..=u16::MAX {
            match Kind::find(number) {
                KindFound::Known(kind) => assert_eq!(kind as u16, number),
                KindFound::Skippable => assert!(number >= KIND_COMPATIBLE_FIRST),
                KindFound::Incompatible => {
                    assert!(number == 0 || (11..KIND_COMPATIBLE_FIRST).contains(&number))
                }
            }
        }
    }

    #[test]
    fn the_checksum_depends_on_salt_offset_length_and_every_byte() {
        let checksum = FrameChecksum::new(&[7; 16]);
        let frame: Vec<u8> = (0..48).collect();
        let good = checksum.of(4096, &frame);
        assert_ne!(good, FrameChecksum::new(&[8; 16]).of(4096, &frame));
        assert_ne!(good, checksum.of(4104, &frame));
        for at in (0..4).chain(8..48) {
            let mut flipped = frame.clone();
            flipped[at] ^= 1;
            assert_ne!(good, checksum.of(4096, &flipped), "byte {at}");
        }
    }
}
