//! A place between two groups and all that the group there must follow: whoever holds one starts there and verifies as if
//! everything before had been read. Knows how it stands in a file, not in which.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::scan::group_ending_at;
use crate::segment::{Layout, Position};
use crate::tail::Tail;

/// The end of one group, or the start of a segment. It is worth nothing where a crash took back what was before it, which
/// can happen only beyond D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    pub position: Position,
    /// The last seq before it.
    pub seq: u64,
    pub ts_ns: u64,
    pub epoch: u64,
    /// The chain of the group before it.
    pub chain: [u8; 32],
}

/// A bookmark in a file.
///
/// ```text
///   0          8      16      24      32       64
///   ├──────────┼──────┼───────┼───────┼────────┤
///   │ position │ seq  │ ts_ns │ epoch │ chain  │
///   └──────────┴──────┴───────┴───────┴────────┘
/// ```
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BookmarkBytes {
    position: U64,
    seq: U64,
    ts_ns: U64,
    epoch: U64,
    chain: [u8; 32],
}

const _: () = assert!(size_of::<BookmarkBytes>() == 64);
const _: () = assert!(offset_of!(BookmarkBytes, chain) == 32);

impl BookmarkBytes {
    pub fn of(bookmark: &Bookmark) -> BookmarkBytes {
        BookmarkBytes {
            position: U64::new(bookmark.position.word()),
            seq: U64::new(bookmark.seq),
            ts_ns: U64::new(bookmark.ts_ns),
            epoch: U64::new(bookmark.epoch),
            chain: bookmark.chain,
        }
    }

    pub fn bookmark(&self) -> Bookmark {
        Bookmark {
            position: Position::from_word(self.position.get()),
            seq: self.seq.get(),
            ts_ns: self.ts_ns.get(),
            epoch: self.epoch.get(),
            chain: self.chain,
        }
    }
}

/// What stands right before a bookmark that holds.
pub(crate) struct Anchor {
    /// Where the `Group` frame of the group before stands; none at the start of a segment.
    pub trailer_offset: Option<usize>,
    /// That group seals its segment.
    pub sealed: bool,
}

impl Bookmark {
    pub(crate) fn new(position: Position, tail: &Tail) -> Bookmark {
        let Tail { seq, ts_ns, epoch, chain, .. } = *tail;
        Bookmark { position, seq, ts_ns, epoch, chain }
    }

    pub(crate) fn tail(&self) -> Tail {
        Tail { seq: self.seq, ts_ns: self.ts_ns, sub: None, epoch: self.epoch, chain: self.chain }
    }

    /// Offset 0 stands for the first group's place too: whoever has not seen the segment does not know its alignment.
    pub(crate) fn is_at_start_of(&self, layout: &Layout) -> bool {
        [0, layout.data_start].contains(&self.position.offset())
    }

    /// Holds the bookmark against its segment, whose bytes up to it are there. At the start of a segment there is nothing
    /// to compare: the first group there is chained to it. Elsewhere the group before it must end right here and say the
    /// same, or the bookmark is of another history.
    pub(crate) fn anchor(&self, bytes: &[u8], layout: &Layout) -> Option<Anchor> {
        let offset = self.position.offset();
        if self.is_at_start_of(layout) {
            return Some(Anchor { trailer_offset: None, sealed: false });
        }
        if offset > layout.data_end || !offset.is_multiple_of(layout.alignment) {
            return None;
        }
        let group = group_ending_at(bytes, layout, offset as usize, &self.tail())?;
        Some(Anchor { trailer_offset: Some(group.trailer_offset), sealed: group.sealed })
    }
}
