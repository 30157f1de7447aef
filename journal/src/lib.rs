//! An append-only log of opaque records: one writer, any number of reading processes, and a recovery
//! that never cuts what was durable.
//!
//! The crate owns a directory of fixed-size segment files, the framing inside them, the watermarks beside
//! them, and the decision of what a damaged ending means. It knows nothing about what a payload says.
//! `FORMAT.md` beside this crate holds every byte map, the recovery table and the assumptions about the disk.
//!
//! ```text
//!   append ──> image ──close_group──> storage ──> W ──sync──> storage ──> D
//!                                       │                                  │
//!                                 segment files <── mmap ── Reader::poll(limit)
//! ```

#![deny(unsafe_code)]

mod background;
mod base;
mod bookmark;
#[allow(unsafe_code)]
pub mod bus;
mod cursor;
mod directory;
mod error;
mod group;
mod identity;
mod inspect;
mod lock;
mod loss;
#[allow(unsafe_code)]
mod map;
mod mark;
mod prepare;
mod reader;
mod record;
mod recovery;
mod repair;
mod report;
mod reserve;
mod retention;
mod scan;
mod scrub;
mod seek;
mod segment;
mod snapshot;
mod storage;
mod surrender;
mod tail;
mod watermark;
#[cfg(all(test, any(loom, shuttle)))]
mod watermark_model;
mod writer;

pub use bookmark::Bookmark;
pub use cursor::{Cursor, CursorName, cursors, load_cursor, remove_cursor, store_cursor};
pub use error::{Damage, Floor, FloorOrigin, OpenError, ReadError, WriteError};
pub use identity::{Identity, Options, load as load_identity};
pub use inspect::{
    HeaderCopyDamaged, SegmentState, SegmentSummary, header_copies_damaged, is_being_written,
    segment_summaries,
};
pub use lock::Lock;
pub use loss::{Loss, REASON_BYTES_MAX, settle_loss};
pub use reader::{Limit, Reader};
pub use record::{FRAME_HEADER_BYTES, Kind, RECORD_PAYLOAD_BYTES_MAX, Record};
pub use recovery::{Ending, Survey, survey, survey_from};
pub use repair::{Recovery, TornTail};
pub use retention::{remove_segments_below, segment_path, segments};
pub use scan::{Disorder, Fault};
pub use scrub::{beginning, verify_sealed_segment};
pub use seek::bookmark_before;
pub use segment::Position;
pub use snapshot::{
    Snapshot, SnapshotFault, SnapshotHead, install_snapshot, load_snapshot, remove_snapshot, snapshot_hash,
    snapshot_path, snapshot_seqs, snapshots_directory, write_snapshot,
};
pub use storage::{BackEnd, Direct, Mapped, Storage, Syncer, Written};
pub use surrender::{Acceptance, Surrender};
pub use watermark::Watermarks;
pub use writer::{Room, Writer};
