//! A group being built: frames in aligned memory, closed by the frame that says what the group holds and
//! chains it to everything before it. Knows bytes and places, no files.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::record::{
    FRAME_HEADER_BYTES, FRAMING_VERSION, FrameChecksum, FrameHeader, Kind, Record, frame_bytes,
};
use crate::segment::{Layout, PAGE_BYTES, Position};
use crate::tail::Tail;

/// The payload of a `Group` frame.
///
/// ```text
///   0           8          16     20    24             32       40            48                 56        88
///   ├───────────┼──────────┼──────┼─────┼──────────────┼────────┼─────────────┼──────────────────┼─────────┤
///   │ first_seq │ last_seq │frames│zeros│ start_offset │ epoch  │ durable_seq │ durable_position │ chain   │
///   └───────────┴──────────┴──────┴─────┴──────────────┴────────┴─────────────┴──────────────────┴─────────┘
/// ```
///
/// `first_seq` is one more than the last seq of the group before, so a group without a command has
/// `last_seq + 1 == first_seq`. `frames` counts the frames before this one.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GroupTrailer {
    pub first_seq: U64,
    pub last_seq: U64,
    pub frames: U32,
    pub reserved: U32,
    pub start_offset: U64,
    pub epoch: U64,
    pub durable_seq: U64,
    pub durable_position: U64,
    pub chain: [u8; 32],
}

pub(crate) const TRAILER_BYTES: usize = 88;
const _: () = assert!(size_of::<GroupTrailer>() == TRAILER_BYTES);
const _: () = assert!(offset_of!(GroupTrailer, start_offset) == 24);
const _: () = assert!(offset_of!(GroupTrailer, durable_seq) == 40);
const _: () = assert!(offset_of!(GroupTrailer, chain) == 56);

/// The whole `Group` frame; a multiple of 8, so it has no padding.
pub(crate) const TRAILER_FRAME_BYTES: usize = FRAME_HEADER_BYTES + TRAILER_BYTES;
const _: () = assert!(TRAILER_FRAME_BYTES.is_multiple_of(8));

/// The payload of a `Seal` frame.
///
/// ```text
///   0         8        12     16
///   ├─────────┼────────┼──────┤
///   │ segment │ reason │ zeros│
///   └─────────┴────────┴──────┘
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SealBody {
    pub segment: U64,
    pub reason: U32,
    pub reserved: U32,
}

const _: () = assert!(size_of::<SealBody>() == 16);

/// Why a segment was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum SealReason {
    Rotation = 1,
    CleanClose = 2,
    Recovery = 3,
}

impl SealBody {
    pub fn is_valid(&self, segment: u64) -> bool {
        self.segment.get() == segment && (1..=3).contains(&self.reason.get()) && self.reserved.get() == 0
    }
}

/// The chain value of a group: BLAKE3 over the chain before it, all bytes of its frames before the `Group`
/// frame, and that frame's own bytes from `seq` up to the chain field.
pub(crate) fn chain_over(previous: &[u8; 32], frames: &[u8], trailer_frame: &[u8]) -> [u8; 32] {
    let chain_field = FRAME_HEADER_BYTES + offset_of!(GroupTrailer, chain);
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous).update(frames).update(&trailer_frame[8..chain_field]);
    *hasher.finalize().as_bytes()
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
pub(crate) struct Page([u8; PAGE_BYTES]);

impl Page {
    pub const ZEROS: Page = Page([0; PAGE_BYTES]);
}

/// A group's bytes before they have a place. Page-aligned, so that a back end may bypass the page cache.
pub(crate) struct Image {
    pages: Vec<Page>,
    used: usize,
    frames: u32,
}

/// Where a group goes and what it says about the rest of the journal.
pub(crate) struct Placement<'a> {
    pub layout: &'a Layout,
    pub start: u64,
    /// The end of the group before.
    pub previous: &'a Tail,
    /// The state after this group's records; its chain is not known yet.
    pub last: &'a Tail,
    pub durable_seq: u64,
    pub durable_position: Position,
}

impl Image {
    pub fn with_capacity(bytes: usize) -> Image {
        Image { pages: vec![Page::ZEROS; bytes.div_ceil(PAGE_BYTES)], used: 0, frames: 0 }
    }

    pub fn used(&self) -> usize {
        self.used
    }

    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    pub fn clear(&mut self) {
        self.used = 0;
        self.frames = 0;
    }

    /// Makes room for `bytes` in all. Doubles, so that it stops happening.
    pub fn reserve(&mut self, bytes: usize) {
        let pages_needed = bytes.div_ceil(PAGE_BYTES);
        if pages_needed > self.pages.len() {
            let pages = pages_needed.max(self.pages.len() * 2);
            self.pages.resize(pages, Page::ZEROS);
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.pages.as_mut_slice().as_mut_bytes()
    }

    /// Adds a frame whose checksum is still open. Room was made before.
    pub fn push(&mut self, record: &Record<'_>) {
        let (start, end) = (self.used, self.used + frame_bytes(record.payload.len()));
        let header = FrameHeader::unplaced(record);
        let frame = &mut self.bytes_mut()[start..end];
        let (head, rest) = frame.split_at_mut(FRAME_HEADER_BYTES);
        head.copy_from_slice(header.as_bytes());
        let (body, padding) = rest.split_at_mut(record.payload.len());
        body.copy_from_slice(record.payload);
        padding.fill(0);
        self.used = end;
        self.frames += 1;
    }

    /// Closes the group at its place: checksums, `Group` frame, zeros to the alignment. Returns the image to
    /// write and the new chain. Checksums come last because only now is it known where the group goes.
    pub fn close(&mut self, placement: &Placement<'_>) -> (&[u8], [u8; 32]) {
        let (frames_end, checksum) = (self.used, placement.layout.checksum);
        let alignment = placement.layout.alignment as usize;
        let end = (frames_end + TRAILER_FRAME_BYTES).next_multiple_of(alignment);
        assert!(placement.start + end as u64 <= placement.layout.data_end, "a group never spans segments");
        let mut trailer = GroupTrailer {
            first_seq: U64::new(placement.previous.seq + 1),
            last_seq: U64::new(placement.last.seq),
            frames: U32::new(self.frames),
            reserved: U32::new(0),
            start_offset: U64::new(placement.start),
            epoch: U64::new(placement.last.epoch),
            durable_seq: U64::new(placement.durable_seq),
            durable_position: U64::new(placement.durable_position.word()),
            chain: [0; 32],
        };
        self.reserve(end);
        self.push(&Record {
            seq: placement.last.seq,
            ts_ns: placement.last.ts_ns,
            kind: Kind::Group,
            version: FRAMING_VERSION,
            flags: 0,
            sub: 0,
            payload: trailer.as_bytes(),
        });
        let bytes = &mut self.bytes_mut()[..end];
        place_frames(&mut bytes[..frames_end], placement.start, checksum);
        let (frames, rest) = bytes.split_at_mut(frames_end);
        let (frame, fill) = rest.split_at_mut(TRAILER_FRAME_BYTES);
        let chain = chain_over(&placement.previous.chain, frames, frame);
        trailer.chain = chain;
        frame[FRAME_HEADER_BYTES..].copy_from_slice(trailer.as_bytes());
        place_frames(frame, placement.start + frames_end as u64, checksum);
        fill.fill(0);
        (bytes, chain)
    }
}

/// Writes the checksum of each frame in `frames`, the first of which goes to `offset`.
fn place_frames(frames: &mut [u8], offset: u64, checksum: FrameChecksum) {
    let mut at = 0;
    while at < frames.len() {
        let len = FrameHeader::at(frames, at).expect("the image holds whole frames").len.get() as usize;
        let crc = checksum.of(offset + at as u64, &frames[at..at + len]);
        frames[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        at += len.next_multiple_of(8);
    }
}
