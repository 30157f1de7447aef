//! Where a reader may start that wants only what comes after some seq. A group says itself where it ends and what it is
//! chained to, so the first group of a segment is a place to start behind, and segments are searched by halves: nothing is
//! remembered, and nothing before the segment that is wanted is read. What is handed out is verified from there on; that the
//! first group itself follows what is before it is for whoever reads that.

use std::path::Path;

use crate::bookmark::Bookmark;
use crate::error::{OpenError, ReadError};
use crate::group::TRAILER_FRAME_BYTES;
use crate::identity::{self, Identity};
use crate::reader::{Reader, map_segment, map_watermarks};
use crate::record::FrameHeader;
use crate::retention;
use crate::scan::stray_trailers;
use crate::segment::Position;
use crate::tail::Tail;

impl Reader {
    /// A reader that hands out every durable record of `seq` and after it, and some before. It starts at the first record
    /// that the journal still holds where nothing later will do.
    pub fn open_before(directory: &Path, seq: u64) -> Result<Reader, ReadError> {
        match bookmark_before(directory, seq)? {
            Some(start) => Reader::open_at(directory, &start),
            None => Reader::open(directory),
        }
    }
}

/// The end of the first group of a segment: of the last segment where it is durable and before `seq`. None where nothing
/// later than the start of the journal will do.
pub fn bookmark_before(directory: &Path, seq: u64) -> Result<Option<Bookmark>, OpenError> {
    let identity = identity::load(directory)?;
    let durable = map_watermarks(directory)?.durable_position();
    let mut segments = retention::segments(directory, &identity)?;
    segments.retain(|segment| *segment <= durable.segment());
    let (mut low, mut high, mut found) = (0, segments.len(), None);
    while low < high {
        let middle = low + (high - low) / 2;
        match end_of_first_group(directory, &identity, segments[middle], durable)? {
            Some(end) if end.seq < seq => (low, found) = (middle + 1, Some(end)),
            _ => high = middle,
        }
    }
    Ok(found)
}

/// None where the segment holds nothing durable.
fn end_of_first_group(
    directory: &Path,
    identity: &Identity,
    segment: u64,
    durable: Position,
) -> Result<Option<Bookmark>, OpenError> {
    let (map, layout) = map_segment(directory, identity, segment)?;
    let end = if segment == durable.segment() { durable.offset() } else { layout.data_end };
    let bytes = map.published(end.min(layout.data_end) as usize);
    let Some((at, trailer)) = stray_trailers(bytes, &layout, layout.data_start as usize).next() else {
        return Ok(None);
    };
    let header = FrameHeader::at(bytes, at).expect("a whole frame stands there");
    let tail = Tail {
        seq: trailer.last_seq.get(),
        ts_ns: header.ts_ns.get(),
        sub: None,
        epoch: trailer.epoch.get(),
        chain: trailer.chain,
    };
    let end = ((at + TRAILER_FRAME_BYTES) as u64).next_multiple_of(layout.alignment);
    Ok(Some(Bookmark::new(layout.position(end), &tail)))
}
