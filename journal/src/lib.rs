//! An append-only log of opaque records: one writer, any number of reading processes, and a recovery
//! that never cuts what was durable.
//!
//! The crate owns a directory of fixed-size segment files, the framing inside them, the watermarks beside
//! them, and the decision of what a damaged ending means. It knows nothing about what a payload says.
//! `FORMAT.md` beside this crate holds every byte map, the recovery table and the assumptions about the disk.
//!
//! ```text
//!   append ──> image ──close_group──> pwrite ──> W ──sync──> fdatasync ──> D
//!                                       │                                  │
//!                                 segment files <── mmap ── Reader::poll(limit)
//! ```

#![deny(unsafe_code)]

mod directory;
mod error;
mod group;
mod identity;
mod lock;
#[allow(unsafe_code)]
mod map;
mod mark;
mod prepare;
mod reader;
mod record;
mod recovery;
mod repair;
mod scan;
mod segment;
mod storage;
mod tail;
mod watermark;
mod writer;

pub use error::{Damage, Floor, FloorOrigin, OpenError, ReadError, WriteError};
pub use identity::{Identity, Options};
pub use reader::{Limit, Reader};
pub use record::{FRAME_HEADER_BYTES, Kind, RECORD_PAYLOAD_BYTES_MAX, Record};
pub use recovery::{Ending, Survey, survey};
pub use repair::{Recovery, TornTail};
pub use scan::{Disorder, Fault};
pub use segment::Position;
pub use storage::{Storage, Written};
pub use watermark::Watermarks;
pub use writer::Writer;
