//! `journal.base`: what the journal's first remaining group must follow once the segments before it are gone. Knows where
//! the journal begins, not why.

use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::path::Path;

use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::bookmark::{Bookmark, BookmarkBytes};
use crate::directory;
use crate::error::OpenError;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR};

const MAGIC: [u8; 8] = *b"BLSTBAS1";

/// The file `journal.base`.
///
/// ```text
///   0        8    10   12       16               32                96    128
///   ├────────┼────┼────┼────────┼────────────────┼─────────────────┼──────┤
///   │ magic  │maj │min │ zeros  │ journal_id     │ bookmark        │BLAKE3│
///   └────────┴────┴────┴────────┴────────────────┴─────────────────┴──────┘
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BaseFile {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    reserved: [u8; 4],
    journal_id: [u8; 16],
    bookmark: BookmarkBytes,
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<BaseFile>() == 128);
const _: () = assert!(offset_of!(BaseFile, bookmark) == 32);
const _: () = assert!(offset_of!(BaseFile, checksum) == 96);

impl BaseFile {
    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(BaseFile, checksum)]).as_bytes()
    }
}

/// The start of the first segment that remains; none while segment 1 does.
pub(crate) fn load(directory: &Path, journal_id: &[u8; 16]) -> Result<Option<Bookmark>, OpenError> {
    let path = directory.join(directory::BASE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("read the journal's base", &path, error)),
    };
    let file = match BaseFile::read_from_bytes(&bytes) {
        Ok(file) if file.magic == MAGIC && file.checksum == file.checksum_due() => file,
        _ => return Err(OpenError::FileDamaged { path }),
    };
    if file.major.get() > FORMAT_MAJOR {
        return Err(OpenError::NewerFormat { path, what: format!("format {}", file.major) });
    }
    if file.journal_id != *journal_id {
        return Err(OpenError::OtherJournal { path, field: "journal_id" });
    }
    Ok(Some(file.bookmark.bookmark()))
}

/// Puts the base in place, durably. Only then may what is before it go.
pub(crate) fn install(directory: &Path, journal_id: [u8; 16], base: &Bookmark) -> io::Result<()> {
    let mut file = BaseFile {
        magic: MAGIC,
        major: U16::new(FORMAT_MAJOR),
        minor: U16::new(FORMAT_MINOR),
        reserved: [0; 4],
        journal_id,
        bookmark: BookmarkBytes::of(base),
        checksum: [0; 32],
    };
    file.checksum = file.checksum_due();
    directory::install(directory, directory::BASE, file.as_bytes())
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
