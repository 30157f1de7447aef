//! A segment's shape: positions in it, its header page, and the second copy of that page at its end.

use std::fmt;
use std::mem::{offset_of, size_of};
use std::path::Path;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::OpenError;
use crate::identity::{Identity, Options};
use crate::record::FrameChecksum;

pub(crate) const FORMAT_MAJOR: u16 = 1;
pub(crate) const FORMAT_MINOR: u16 = 0;
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bounded so that an offset in units of 8 bytes fits the lower half of a [`Position`].
pub(crate) const SEGMENT_BYTES_MAX: u64 = 16 << 30;
/// The first segment's number.
pub(crate) const SEGMENT_FIRST: u64 = 1;
const MAGIC: [u8; 8] = *b"BLSTSEG1";

/// A place in the whole journal as one word: segment number in the upper half, offset in units of 8 bytes
/// in the lower. Positions compare as the journal grows, and one atomic store publishes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(u64);

impl Position {
    pub(crate) fn new(segment: u64, offset: u64) -> Position {
        assert!(segment <= u64::from(u32::MAX) && offset <= SEGMENT_BYTES_MAX, "a position fits one word");
        assert!(offset.is_multiple_of(8), "positions lie on frame boundaries");
        Position(segment << 32 | offset >> 3)
    }

    pub(crate) fn from_word(word: u64) -> Position {
        Position(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }

    pub fn segment(self) -> u64 {
        self.0 >> 32
    }

    pub fn offset(self) -> u64 {
        (self.0 & 0xFFFF_FFFF) << 3
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment(), self.offset())
    }
}

/// The header page; the same bytes again fill the last page of the file.
///
/// ```text
///      0 magic 8 │ major 2 │ minor 2 │ header_bytes 4
///     16 incompatible 8 │ compatible 8
///     32 journal_id 16
///     48 shard 4 │ logic_version 4 │ segment 8
///     64 segment_bytes 8 │ epoch 8
///     80 salt 16
///     96 config_hash 32
///    128 build_id 32
///    160 created_ns 8 │ group_alignment 4
///    172 zeros
///   4064 BLAKE3 of bytes 0..4064
/// ```
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SegmentHeader {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    header_bytes: U32,
    incompatible: U64,
    compatible: U64,
    journal_id: [u8; 16],
    shard: U32,
    logic_version: U32,
    segment: U64,
    segment_bytes: U64,
    epoch: U64,
    salt: [u8; 16],
    config_hash: [u8; 32],
    build_id: [u8; 32],
    created_ns: U64,
    group_alignment: U32,
    reserved: [u8; 3892],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<SegmentHeader>() == PAGE_BYTES);
const _: () = assert!(offset_of!(SegmentHeader, incompatible) == 16);
const _: () = assert!(offset_of!(SegmentHeader, journal_id) == 32);
const _: () = assert!(offset_of!(SegmentHeader, shard) == 48);
const _: () = assert!(offset_of!(SegmentHeader, segment_bytes) == 64);
const _: () = assert!(offset_of!(SegmentHeader, salt) == 80);
const _: () = assert!(offset_of!(SegmentHeader, config_hash) == 96);
const _: () = assert!(offset_of!(SegmentHeader, build_id) == 128);
const _: () = assert!(offset_of!(SegmentHeader, created_ns) == 160);
const _: () = assert!(offset_of!(SegmentHeader, reserved) == 172);
const _: () = assert!(offset_of!(SegmentHeader, checksum) == 4064);

impl SegmentHeader {
    pub fn new(
        identity: &Identity,
        options: &Options,
        segment: u64,
        epoch: u64,
        salt: [u8; 16],
        created_ns: u64,
    ) -> SegmentHeader {
        let mut build_id = [0u8; 32];
        let build = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).as_bytes();
        build_id[..build.len()].copy_from_slice(build);
        let mut header = SegmentHeader {
            magic: MAGIC,
            major: U16::new(FORMAT_MAJOR),
            minor: U16::new(FORMAT_MINOR),
            header_bytes: U32::new(PAGE_BYTES as u32),
            incompatible: U64::new(0),
            compatible: U64::new(0),
            journal_id: identity.journal_id,
            shard: U32::new(identity.shard),
            logic_version: U32::new(identity.logic_version),
            segment: U64::new(segment),
            segment_bytes: U64::new(options.segment_bytes),
            epoch: U64::new(epoch),
            salt,
            config_hash: identity.config_hash,
            build_id,
            created_ns: U64::new(created_ns),
            group_alignment: U32::new(options.group_alignment),
            reserved: [0; 3892],
            checksum: [0; 32],
        };
        header.checksum = header.checksum_due();
        header
    }

    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(SegmentHeader, checksum)]).as_bytes()
    }

    fn is_whole(&self) -> bool {
        self.magic == MAGIC && self.checksum == self.checksum_due()
    }

    fn is_newer(&self) -> bool {
        self.major.get() > FORMAT_MAJOR || self.incompatible.get() != 0
    }

    fn has_known_shape(&self) -> bool {
        let options = Options {
            segment_bytes: self.segment_bytes.get(),
            group_alignment: self.group_alignment.get(),
            ..Options::default()
        };
        let reserved_is_zero = self.minor.get() > FORMAT_MINOR || is_zero(&self.reserved);
        self.header_bytes.get() as usize == PAGE_BYTES && reserved_is_zero && options.check().is_ok()
    }

    pub fn identity(&self) -> Identity {
        Identity {
            journal_id: self.journal_id,
            shard: self.shard.get(),
            config_hash: self.config_hash,
            logic_version: self.logic_version.get(),
        }
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    pub fn created_ns(&self) -> u64 {
        self.created_ns.get()
    }

    pub fn layout(&self) -> Layout {
        let alignment = u64::from(self.group_alignment.get());
        let bytes = self.segment_bytes.get();
        Layout {
            segment: self.segment.get(),
            alignment,
            data_start: (PAGE_BYTES as u64).next_multiple_of(alignment),
            data_end: (bytes - PAGE_BYTES as u64) / alignment * alignment,
            bytes,
            checksum: FrameChecksum::new(&self.salt),
        }
    }
}

/// What the scanner and the writer need to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub segment: u64,
    pub alignment: u64,
    /// Where the first group starts.
    pub data_start: u64,
    /// Where groups must end at the latest.
    pub data_end: u64,
    pub bytes: u64,
    pub checksum: FrameChecksum,
}

impl Layout {
    /// The longest group that the segment can hold beside the group that seals it.
    pub fn group_bytes_max(&self) -> u64 {
        self.data_end - self.data_start - self.alignment
    }

    pub fn position(&self, offset: u64) -> Position {
        Position::new(self.segment, offset)
    }
}

/// A header that verified, and how many of its two copies did.
pub(crate) struct HeaderFound {
    pub header: SegmentHeader,
    pub copies_good: u32,
    /// The first copy is the one that verified, or both are.
    pub is_first_good: bool,
}

/// Reads the header from the first and the last page of a segment file.
pub(crate) fn find_header(first: &[u8], last: &[u8], path: &Path) -> Result<HeaderFound, OpenError> {
    let parse = |page| SegmentHeader::read_from_bytes(page).ok().filter(SegmentHeader::is_whole);
    let damaged = || OpenError::FileDamaged { path: path.to_owned() };
    let (header, copies_good, is_first_good) = if first == last {
        (parse(first).ok_or_else(damaged)?, 2, true)
    } else {
        match (parse(first), parse(last)) {
            (Some(only), None) => (only, 1, true),
            (None, Some(only)) => (only, 1, false),
            // Two whole headers that disagree: the file was put together from two.
            (Some(_), Some(_)) | (None, None) => return Err(damaged()),
        }
    };
    if header.is_newer() {
        let what = format!("format {}, incompatible features {:#x}", header.major, header.incompatible);
        return Err(OpenError::NewerFormat { path: path.to_owned(), what });
    }
    if header.has_known_shape() {
        Ok(HeaderFound { header, copies_good, is_first_good })
    } else {
        Err(damaged())
    }
}

/// Checks that a header belongs to this journal, this number and a file of this size.
pub(crate) fn check_belongs(
    header: &SegmentHeader,
    identity: &Identity,
    number: u64,
    file_bytes: u64,
    path: &Path,
) -> Result<(), OpenError> {
    if let Some(field) = identity.difference(&header.identity()) {
        return Err(OpenError::OtherJournal { path: path.to_owned(), field });
    }
    if header.segment.get() != number {
        return Err(OpenError::OtherJournal { path: path.to_owned(), field: "segment number" });
    }
    if header.segment_bytes.get() != file_bytes {
        return Err(OpenError::FileDamaged { path: path.to_owned() });
    }
    Ok(())
}

/// The header of a file that ends before its segment does: its second copy went with the end.
pub(crate) fn header_of_shortened(bytes: &[u8]) -> Option<SegmentHeader> {
    let first = bytes.get(..PAGE_BYTES)?;
    let header = SegmentHeader::read_from_bytes(first).ok().filter(SegmentHeader::is_whole)?;
    let is_short = (bytes.len() as u64) < header.segment_bytes.get();
    (is_short && !header.is_newer() && header.has_known_shape()).then_some(header)
}

/// The segment with zeros where its file ended, and the header's second copy.
pub(crate) fn lengthen(bytes: &mut Vec<u8>, header: &SegmentHeader) {
    let whole = usize::try_from(header.segment_bytes.get()).expect("what is opened fits into memory");
    bytes.resize(whole - PAGE_BYTES, 0);
    bytes.extend_from_slice(header.as_bytes());
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<64>();
    blocks.iter().all(|block| *block == [0; 64]) && rest.iter().all(|byte| *byte == 0)
}

/// So many bytes are left without the zeros at the end.
pub(crate) fn bytes_before_zeros(bytes: &[u8]) -> usize {
    let (rest, blocks) = bytes.as_rchunks::<64>();
    let zeros = 64 * blocks.iter().rev().take_while(|block| **block == [0; 64]).count();
    let end = rest.len() + 64 * blocks.len() - zeros;
    bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_their_parts_and_order() {
        let place = Position::new(12, 4096);
        assert_eq!((place.segment(), place.offset()), (12, 4096));
        assert!(place < Position::new(12, 8192) && place < Position::new(13, 4096));
    }

    #[test]
    fn the_zeros_at_the_end_are_left_out_wherever_they_begin() {
        for len in [0, 1, 63, 64, 65, 200] {
            for last in 0..len {
                let mut bytes = vec![0; len];
                (bytes[0], bytes[last]) = (7, 9);
                assert_eq!(bytes_before_zeros(&bytes), last + 1, "of {len}");
            }
            assert_eq!(bytes_before_zeros(&vec![0; len]), 0, "of {len}");
        }
    }

    #[test]
    fn either_copy_of_a_header_will_do_but_not_two_different_ones() {
        let identity = Identity { journal_id: [1; 16], shard: 2, config_hash: [3; 32], logic_version: 4 };
        let header = SegmentHeader::new(&identity, &Options::default(), 1, 1, [5; 16], 6);
        let other = SegmentHeader::new(&identity, &Options::default(), 1, 1, [6; 16], 6);
        let path = Path::new("x");
        let good = header.as_bytes();
        assert_eq!(find_header(good, good, path).expect("whole").copies_good, 2);
        assert_eq!(find_header(&[0; PAGE_BYTES], good, path).expect("second copy").copies_good, 1);
        assert_eq!(find_header(good, &[0; PAGE_BYTES], path).expect("first copy").copies_good, 1);
        assert!(find_header(good, other.as_bytes(), path).is_err());
        for at in 0..PAGE_BYTES {
            let mut flipped = good.to_vec();
            flipped[at] ^= 0x10;
            assert!(find_header(&flipped, &flipped, path).is_err(), "byte {at}");
        }
    }
}
