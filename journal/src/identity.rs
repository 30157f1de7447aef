//! Which journal this is: `journal.id`, and the options that new segments are made with.

use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::directory;
use crate::error::OpenError;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR, PAGE_BYTES, SEGMENT_BYTES_MAX};
use crate::storage::BackEnd;

/// What makes two journals different. All of it stands in every segment header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub journal_id: [u8; 16],
    pub shard: u32,
    pub config_hash: [u8; 32],
    pub logic_version: u32,
}

impl Identity {
    /// The first field in which the two differ, named.
    pub(crate) fn difference(&self, other: &Identity) -> Option<&'static str> {
        match () {
            () if self.journal_id != other.journal_id => Some("journal_id"),
            () if self.shard != other.shard => Some("shard"),
            () if self.config_hash != other.config_hash => Some("config_hash"),
            () if self.logic_version != other.logic_version => Some("logic_version"),
            () => None,
        }
    }

    /// What the first group of the first segment is chained to.
    pub(crate) fn chain_genesis(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"ballast journal chain 1").update(&self.journal_id).update(&self.shard.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// How new segments are made. One group must fit into one segment: the largest possible group is
/// `segment_bytes` less two header pages and one `group_alignment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of a segment file: a multiple of 4096, from 64 KiB to 16 GiB.
    pub segment_bytes: u64,
    /// Groups start on multiples of this: a power of two, at least the device's physical sector.
    pub group_alignment: u32,
    /// How groups reach the disk. Not part of the format.
    pub back_end: BackEnd,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 256 << 20, group_alignment: 4096, back_end: BackEnd::default() }
    }
}

pub(crate) const SEGMENT_BYTES_MIN: u64 = 64 << 10;
const GROUP_ALIGNMENT_MIN: u32 = 512;
const GROUP_ALIGNMENT_MAX: u32 = 64 << 10;

impl Options {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refuse = |reason| Err(OpenError::Options { reason });
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return refuse("segment_bytes must lie between 64 KiB and 16 GiB");
        }
        if !self.segment_bytes.is_multiple_of(PAGE_BYTES as u64) {
            return refuse("segment_bytes must be a multiple of 4096");
        }
        if !self.group_alignment.is_power_of_two()
            || !(GROUP_ALIGNMENT_MIN..=GROUP_ALIGNMENT_MAX).contains(&self.group_alignment)
        {
            return refuse("group_alignment must be a power of two between 512 and 65536");
        }
        if self.segment_bytes < 8 * u64::from(self.group_alignment) {
            return refuse("segment_bytes must hold at least eight group alignments");
        }
        Ok(())
    }
}

const MAGIC: [u8; 8] = *b"BLSTJID1";

/// The file `journal.id`.
///
/// ```text
///   0        8    10   12       16               32       36       40               72               104    136
///   ├────────┼────┼────┼────────┼────────────────┼────────┼────────┼────────────────┼────────────────┼──────┤
///   │ magic  │maj │min │ zeros  │ journal_id     │ shard  │ logic  │ config_hash    │ created, zeros │BLAKE3│
///   └────────┴────┴────┴────────┴────────────────┴────────┴────────┴────────────────┴────────────────┴──────┘
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct IdentityFile {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    reserved: [u8; 4],
    journal_id: [u8; 16],
    shard: U32,
    logic_version: U32,
    config_hash: [u8; 32],
    created_ns: U64,
    reserved_tail: [u8; 24],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<IdentityFile>() == 136);
const _: () = assert!(offset_of!(IdentityFile, journal_id) == 16);
const _: () = assert!(offset_of!(IdentityFile, config_hash) == 40);
const _: () = assert!(offset_of!(IdentityFile, checksum) == 104);

/// Writes `journal.id`: from here on the directory is a journal.
pub(crate) fn install(directory: &Path, identity: &Identity, created_ns: u64) -> io::Result<()> {
    let mut file = IdentityFile {
        magic: MAGIC,
        major: U16::new(FORMAT_MAJOR),
        minor: U16::new(FORMAT_MINOR),
        reserved: [0; 4],
        journal_id: identity.journal_id,
        shard: U32::new(identity.shard),
        logic_version: U32::new(identity.logic_version),
        config_hash: identity.config_hash,
        created_ns: U64::new(created_ns),
        reserved_tail: [0; 24],
        checksum: [0; 32],
    };
    file.checksum = checksum_of(&file);
    directory::install(directory, directory::IDENTITY, file.as_bytes())
}

/// Reads and verifies `journal.id`.
pub fn load(directory: &Path) -> Result<Identity, OpenError> {
    let path = directory.join(directory::IDENTITY);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(missing(directory, path));
        }
        Err(error) => return Err(OpenError::io("read the journal's identity", &path, error)),
    };
    let Ok(file) = IdentityFile::read_from_bytes(&bytes) else {
        return Err(OpenError::FileDamaged { path });
    };
    if file.checksum != checksum_of(&file) || file.magic != MAGIC {
        return Err(OpenError::FileDamaged { path });
    }
    if file.major.get() > FORMAT_MAJOR {
        return Err(OpenError::NewerFormat { path, what: format!("format {}", file.major) });
    }
    Ok(Identity {
        journal_id: file.journal_id,
        shard: file.shard.get(),
        config_hash: file.config_hash,
        logic_version: file.logic_version.get(),
    })
}

/// Segments without a name were a journal, and the name must come back; anything else is no journal.
fn missing(directory: &Path, path: PathBuf) -> OpenError {
    match directory::segment_numbers(directory) {
        Ok(numbers) if !numbers.is_empty() => OpenError::IdentityMissing { path },
        _ => OpenError::NotAJournal { path: directory.to_owned() },
    }
}

fn checksum_of(file: &IdentityFile) -> [u8; 32] {
    *blake3::hash(&file.as_bytes()[..offset_of!(IdentityFile, checksum)]).as_bytes()
}
