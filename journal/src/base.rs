//! `journal.base`: what the journal's first remaining group must follow once the segments before it are gone. Knows where
//! the journal begins, not why.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::unix::fs::FileExt;
use std::path::Path;

use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::bookmark::{Bookmark, BookmarkBytes};
use crate::directory;
use crate::error::OpenError;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR, PAGE_BYTES, is_zero};

const MAGIC: [u8; 8] = *b"BLSTBAS1";
const COPIES: usize = 2;
const FILE_BYTES: usize = COPIES * PAGE_BYTES;

/// One of the two copies in `journal.base`.
///
/// ```text
///   0        8    10   12       16               32                96      4064   4096
///   ├────────┼────┼────┼────────┼────────────────┼─────────────────┼───────┼──────┤
///   │ magic  │maj │min │ zeros  │ journal_id     │ bookmark        │ zeros │BLAKE3│
///   └────────┴────┴────┴────────┴────────────────┴─────────────────┴───────┴──────┘
/// ```
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BaseCopy {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    reserved: [u8; 4],
    journal_id: [u8; 16],
    bookmark: BookmarkBytes,
    reserved_tail: [u8; 3968],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<BaseCopy>() == PAGE_BYTES);
const _: () = assert!(offset_of!(BaseCopy, bookmark) == 32);
const _: () = assert!(offset_of!(BaseCopy, checksum) == 4064);

impl BaseCopy {
    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(BaseCopy, checksum)]).as_bytes()
    }

    fn is_whole(&self) -> bool {
        self.magic == MAGIC && self.checksum == self.checksum_due()
    }
}

/// The start of the first segment that remains; none while segment 1 does. A copy of zeros was never written, and what is
/// torn beside it was being written when nothing had gone yet.
pub(crate) fn load(directory: &Path, journal_id: &[u8; 16]) -> Result<Option<Bookmark>, OpenError> {
    let path = directory.join(directory::BASE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("read the journal's base", &path, error)),
    };
    if bytes.len() != FILE_BYTES {
        return Err(OpenError::FileDamaged { path });
    }
    let copies = bytes.chunks_exact(PAGE_BYTES).filter_map(|page| BaseCopy::read_from_bytes(page).ok());
    let newest =
        copies.filter(BaseCopy::is_whole).max_by_key(|copy| copy.bookmark.bookmark().position.segment());
    let Some(copy) = newest else {
        let was_begun = bytes.chunks_exact(PAGE_BYTES).any(is_zero);
        return if was_begun { Ok(None) } else { Err(OpenError::FileDamaged { path }) };
    };
    if copy.major.get() > FORMAT_MAJOR {
        return Err(OpenError::NewerFormat { path, what: format!("format {}", copy.major) });
    }
    if copy.journal_id != *journal_id {
        return Err(OpenError::OtherJournal { path, field: "journal_id" });
    }
    Ok(Some(copy.bookmark.bookmark()))
}

/// Makes the file if it is not there, so that a disk that is full takes a base all the same.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    if directory.join(directory::BASE).exists() {
        return Ok(());
    }
    directory::install(directory, directory::BASE, &[0; FILE_BYTES])
}

/// Puts the base in place, durably, over blocks that are there. Only then may what is before it go. One copy is always
/// whole, and both are when it returns.
pub(crate) fn install(directory: &Path, journal_id: [u8; 16], base: &Bookmark) -> io::Result<()> {
    prepare(directory)?;
    let mut copy = BaseCopy::new_zeroed();
    (copy.magic, copy.major, copy.minor) = (MAGIC, U16::new(FORMAT_MAJOR), U16::new(FORMAT_MINOR));
    (copy.journal_id, copy.bookmark) = (journal_id, BookmarkBytes::of(base));
    copy.checksum = copy.checksum_due();
    let file: File = OpenOptions::new().write(true).open(directory.join(directory::BASE))?;
    for place in (0..COPIES).rev() {
        file.write_all_at(copy.as_bytes(), (place * PAGE_BYTES) as u64)?;
        file.sync_data()?;
    }
    Ok(())
}

/// Removes the segments below `first`: what an interrupted removal left. Returns how many.
pub(crate) fn remove_below(directory: &Path, first: u64) -> io::Result<u64> {
    let mut removed = 0;
    for number in directory::segment_numbers(directory)?.into_iter().filter(|number| *number < first) {
        fs::remove_file(directory::segment_path(directory, number))?;
        removed += 1;
    }
    if removed > 0 {
        directory::sync(directory)?;
    }
    Ok(removed)
}
