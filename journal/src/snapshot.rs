//! `snap/%020d.snap`: a state at the end of a group, in sections whose contents this crate does not know. Writes such a file,
//! verifies every byte of one, lists them, and puts one in place so that after a crash it is there entirely or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::mem::{offset_of, size_of};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::bookmark::{Bookmark, BookmarkBytes};
use crate::directory;
use crate::identity::Identity;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR, PAGE_BYTES, is_zero};

const MAGIC: [u8; 8] = *b"BLSTSNP1";
const SECTIONS_MAX: usize = 64;
const SECTION_ALIGNMENT: u64 = 8;
const HASH_BYTES: usize = 32;

/// One row of the header's table.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SectionRow {
    name: [u8; 8],
    offset: U64,
    length: U64,
    crc: U32,
    reserved: U32,
}

const _: () = assert!(size_of::<SectionRow>() == 32);

/// The header page.
///
/// ```text
///      0 magic 8 │ major 2 │ minor 2 │ header_bytes 4
///     16 journal_id 16
///     32 shard 4 │ logic_version 4 │ sections 4 │ zeros 4
///     48 bookmark 64: position, seq S, ts_ns, epoch, chain at S
///    112 state_hash 32
///    144 table: 64 rows of name 8, offset 8, length 8, crc 4, zeros 4
///   2192 zeros
///   4064 BLAKE3 of bytes 0..4064
/// ```
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderPage {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    header_bytes: U32,
    journal_id: [u8; 16],
    shard: U32,
    logic_version: U32,
    sections: U32,
    reserved: U32,
    bookmark: BookmarkBytes,
    state_hash: [u8; 32],
    table: [SectionRow; SECTIONS_MAX],
    reserved_tail: [u8; 1872],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<HeaderPage>() == PAGE_BYTES);
const _: () = assert!(offset_of!(HeaderPage, bookmark) == 48);
const _: () = assert!(offset_of!(HeaderPage, state_hash) == 112);
const _: () = assert!(offset_of!(HeaderPage, table) == 144);
const _: () = assert!(offset_of!(HeaderPage, checksum) == 4064);

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    pub journal_id: [u8; 16],
    pub shard: u32,
    pub logic_version: u32,
    /// The end of the group that the state stands behind.
    pub bookmark: Bookmark,
    pub state_hash: [u8; 32],
}

/// Why a file is not a snapshot to build on.
#[derive(Debug)]
pub enum SnapshotFault {
    Io(io::Error),
    /// Not the length that its header names.
    Length,
    /// The header page does not verify.
    Header,
    /// A section's bytes do not have its checksum, or sections do not follow each other.
    Section(String),
    /// The hash over the whole file differs.
    Hash,
    /// Made by a newer version.
    Newer(u16),
    /// Of another journal, shard or rules.
    Foreign(&'static str),
    /// The name says another seq.
    Name,
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotFault::Io(error) => write!(formatter, "it cannot be read: {error}"),
            SnapshotFault::Length => write!(formatter, "its length is not what its header says"),
            SnapshotFault::Header => write!(formatter, "its header does not verify"),
            SnapshotFault::Section(name) => write!(formatter, "its section '{name}' does not verify"),
            SnapshotFault::Hash => write!(formatter, "its hash differs"),
            SnapshotFault::Newer(major) => {
                write!(formatter, "it needs a newer version of this program (format {major})")
            }
            SnapshotFault::Foreign(field) => write!(formatter, "it is not of this journal: {field} differs"),
            SnapshotFault::Name => write!(formatter, "its name is not that of its seq"),
        }
    }
}

impl std::error::Error for SnapshotFault {}

/// A snapshot of which every byte verified.
pub struct Snapshot {
    pub head: SnapshotHead,
    /// BLAKE3 of the whole file but for itself: the file's last 32 bytes.
    pub file_hash: [u8; 32],
    bytes: Vec<u8>,
    sections: Vec<(String, Range<usize>)>,
}

impl Snapshot {
    /// Reads and verifies a whole file.
    pub fn load(path: &Path) -> Result<Snapshot, SnapshotFault> {
        let bytes = fs::read(path).map_err(SnapshotFault::Io)?;
        let page = bytes.get(..PAGE_BYTES).ok_or(SnapshotFault::Length)?;
        let page = whole_page(page)?;
        let body = bytes.len().checked_sub(HASH_BYTES).ok_or(SnapshotFault::Length)?;
        let sections = sections_of(&page, &bytes[..body])?;
        let mut file_hash = [0; HASH_BYTES];
        file_hash.copy_from_slice(&bytes[body..]);
        if *blake3::hash(&bytes[..body]).as_bytes() != file_hash {
            return Err(SnapshotFault::Hash);
        }
        Ok(Snapshot { head: page.head(), file_hash, bytes, sections })
    }

    pub fn section(&self, name: &str) -> Option<&[u8]> {
        let (_, range) = self.sections.iter().find(|(known, _)| known == name)?;
        Some(&self.bytes[range.clone()])
    }

    pub fn sections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sections.iter().map(|(name, range)| (name.as_str(), range.len()))
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl SnapshotHead {
    /// Reads the header page alone, which has a checksum of its own.
    pub fn load(path: &Path) -> Result<SnapshotHead, SnapshotFault> {
        let mut page = [0; PAGE_BYTES];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut page));
        match read {
            Ok(()) => whole_page(&page).map(|page| page.head()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SnapshotFault::Length),
            Err(error) => Err(SnapshotFault::Io(error)),
        }
    }

    pub fn check_belongs(&self, identity: &Identity) -> Result<(), SnapshotFault> {
        match () {
            () if self.journal_id != identity.journal_id => Err(SnapshotFault::Foreign("journal_id")),
            () if self.shard != identity.shard => Err(SnapshotFault::Foreign("shard")),
            () if self.logic_version != identity.logic_version => {
                Err(SnapshotFault::Foreign("logic_version"))
            }
            () => Ok(()),
        }
    }

    fn page(&self) -> HeaderPage {
        let mut page = HeaderPage::new_zeroed();
        page.magic = MAGIC;
        (page.major, page.minor) = (U16::new(FORMAT_MAJOR), U16::new(FORMAT_MINOR));
        page.header_bytes = U32::new(PAGE_BYTES as u32);
        page.journal_id = self.journal_id;
        (page.shard, page.logic_version) = (U32::new(self.shard), U32::new(self.logic_version));
        page.bookmark = BookmarkBytes::of(&self.bookmark);
        page.state_hash = self.state_hash;
        page
    }
}

impl HeaderPage {
    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(HeaderPage, checksum)]).as_bytes()
    }

    fn head(&self) -> SnapshotHead {
        SnapshotHead {
            journal_id: self.journal_id,
            shard: self.shard.get(),
            logic_version: self.logic_version.get(),
            bookmark: self.bookmark.bookmark(),
            state_hash: self.state_hash,
        }
    }
}

fn whole_page(bytes: &[u8]) -> Result<HeaderPage, SnapshotFault> {
    let page = HeaderPage::read_from_bytes(bytes).map_err(|_| SnapshotFault::Length)?;
    if page.magic != MAGIC || page.checksum != page.checksum_due() {
        return Err(SnapshotFault::Header);
    }
    if page.major.get() > FORMAT_MAJOR {
        return Err(SnapshotFault::Newer(page.major.get()));
    }
    let sections = page.sections.get() as usize;
    let is_plain = page.header_bytes.get() as usize == PAGE_BYTES
        && page.reserved.get() == 0
        && is_zero(&page.reserved_tail)
        && sections <= SECTIONS_MAX
        && is_zero(page.table[sections.min(SECTIONS_MAX)..].as_bytes());
    if is_plain { Ok(page) } else { Err(SnapshotFault::Header) }
}

/// The sections fill `body` from the header to its end, in the table's order, with zeros up to the next multiple of 8.
fn sections_of(page: &HeaderPage, body: &[u8]) -> Result<Vec<(String, Range<usize>)>, SnapshotFault> {
    let mut sections = Vec::new();
    let mut at = PAGE_BYTES;
    for row in &page.table[..page.sections.get() as usize] {
        let name = String::from_utf8_lossy(&row.name).trim_end_matches('\0').to_owned();
        let wrong = || SnapshotFault::Section(name.clone());
        let length = usize::try_from(row.length.get()).map_err(|_| wrong())?;
        let end = at.checked_add(length).ok_or_else(wrong)?;
        let next = end.checked_next_multiple_of(SECTION_ALIGNMENT as usize).ok_or_else(wrong)?;
        if row.offset.get() != at as u64 || row.reserved.get() != 0 {
            return Err(wrong());
        }
        let bytes = body.get(at..end).ok_or(SnapshotFault::Length)?;
        let fill = body.get(end..next).ok_or(SnapshotFault::Length)?;
        if crc32c::crc32c(bytes) != row.crc.get() || !is_zero(fill) {
            return Err(wrong());
        }
        sections.push((name, at..end));
        at = next;
    }
    if at == body.len() { Ok(sections) } else { Err(SnapshotFault::Length) }
}

/// Writes a snapshot to `path`, durably, and returns its hash. Not under its final name: whoever writes it has it verified
/// first.
pub fn write_snapshot(path: &Path, head: &SnapshotHead, sections: &[(&str, &[u8])]) -> io::Result<[u8; 32]> {
    let mut page = head.page();
    page.sections = U32::new(u32::try_from(sections.len()).map_err(io::Error::other)?);
    let mut offset = PAGE_BYTES as u64;
    for (row, (name, bytes)) in page.table.iter_mut().zip(sections) {
        assert!(name.len() <= row.name.len(), "a section's name has at most 8 bytes");
        row.name[..name.len()].copy_from_slice(name.as_bytes());
        row.offset = U64::new(offset);
        row.length = U64::new(bytes.len() as u64);
        row.crc = U32::new(crc32c::crc32c(bytes));
        offset = (offset + bytes.len() as u64).next_multiple_of(SECTION_ALIGNMENT);
    }
    page.checksum = page.checksum_due();
    let mut file = Hashed { file: File::create(path)?, hasher: blake3::Hasher::new() };
    file.write(page.as_bytes())?;
    for (_, bytes) in sections {
        file.write(bytes)?;
        let fill = bytes.len().next_multiple_of(SECTION_ALIGNMENT as usize) - bytes.len();
        file.write(&[0; SECTION_ALIGNMENT as usize][..fill])?;
    }
    let hash = *file.hasher.finalize().as_bytes();
    file.file.write_all(&hash)?;
    file.file.sync_all()?;
    Ok(hash)
}

struct Hashed {
    file: File,
    hasher: blake3::Hasher,
}

impl Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }
}

/// The hash that ends the file at `path`. Whether it is right, only `Snapshot::load` knows.
pub fn snapshot_hash(path: &Path) -> io::Result<[u8; 32]> {
    let file = File::open(path)?;
    let mut hash = [0; HASH_BYTES];
    let end = file.metadata()?.len().checked_sub(HASH_BYTES as u64);
    file.read_exact_at(&mut hash, end.ok_or(io::ErrorKind::UnexpectedEof)?)?;
    Ok(hash)
}

/// Where the snapshots of the journal in `directory` stand.
pub fn snapshots_directory(directory: &Path) -> PathBuf {
    directory.join(directory::SNAPSHOTS)
}

pub fn snapshot_path(directory: &Path, seq: u64) -> PathBuf {
    directory::numbered_path(&snapshots_directory(directory), seq, directory::SNAPSHOT_SUFFIX)
}

/// The seqs of all snapshots that are in place, ascending.
pub fn snapshot_seqs(directory: &Path) -> io::Result<Vec<u64>> {
    match directory::numbers(&snapshots_directory(directory), directory::SNAPSHOT_SUFFIX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

/// Loads the snapshot that stands under the name of `seq`, and checks that it is of this journal and of that seq.
pub fn load_snapshot(directory: &Path, identity: &Identity, seq: u64) -> Result<Snapshot, SnapshotFault> {
    let snapshot = Snapshot::load(&snapshot_path(directory, seq))?;
    snapshot.head.check_belongs(identity)?;
    if snapshot.head.bookmark.seq == seq { Ok(snapshot) } else { Err(SnapshotFault::Name) }
}

/// Gives a snapshot that was written and verified beside its place the name by which it is found.
pub fn install_snapshot(directory: &Path, written: &Path, seq: u64) -> io::Result<PathBuf> {
    let path = snapshot_path(directory, seq);
    fs::rename(written, &path)?;
    directory::sync(&snapshots_directory(directory))?;
    Ok(path)
}

/// Removes a snapshot, durably.
pub fn remove_snapshot(directory: &Path, seq: u64) -> io::Result<()> {
    fs::remove_file(snapshot_path(directory, seq))?;
    directory::sync(&snapshots_directory(directory))
}
