//! The SnapshotRef record: the journal says of a snapshot that a fresh process has verified it. Only then does retention
//! count on it.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The payload of a SnapshotRef record, version 1.
///
/// ```text
/// 0 seq u64 | 8 state_hash 32 | 40 the file's BLAKE3, its last bytes, 32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SnapshotReference {
    seq: U64,
    state_hash: [u8; 32],
    file_hash: [u8; 32],
}

const _: () = assert!(size_of::<SnapshotReference>() == 72);

impl SnapshotReference {
    pub fn new(seq: u64, state_hash: [u8; 32], file_hash: [u8; 32]) -> SnapshotReference {
        SnapshotReference { seq: U64::new(seq), state_hash, file_hash }
    }

    /// None where the payload has another shape, as of a newer version: then nothing is recorded that counts here.
    pub fn read(payload: &[u8]) -> Option<SnapshotReference> {
        SnapshotReference::read_from_bytes(payload).ok()
    }

    pub fn seq(&self) -> u64 {
        self.seq.get()
    }

    pub fn state_hash(&self) -> &[u8; 32] {
        &self.state_hash
    }

    pub fn file_hash(&self) -> &[u8; 32] {
        &self.file_hash
    }

    pub fn payload(&self) -> &[u8] {
        self.as_bytes()
    }
}
