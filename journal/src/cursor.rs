//! `cursors/NAME`: up to where a consumer has finished with the journal. Retention keeps everything at and behind the
//! oldest one, and recovery knows that what a consumer has finished with was durable. Knows places, not consumers.

use std::fmt;
use std::fs;
use std::io;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::bookmark::{Bookmark, BookmarkBytes};
use crate::directory;
use crate::prepare::now_ns;
use crate::segment::{FORMAT_MAJOR, FORMAT_MINOR};

const MAGIC: [u8; 8] = *b"BLSTCUR1";
const NAME_BYTES_MAX: usize = 32;

/// A consumer's name: 1 to 32 of `a` to `z`, `0` to `9` and `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CursorName {
    letters: [u8; NAME_BYTES_MAX],
}

impl CursorName {
    pub fn new(name: &str) -> Option<CursorName> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(legal) {
            return None;
        }
        let mut letters = [0; NAME_BYTES_MAX];
        letters[..name.len()].copy_from_slice(name.as_bytes());
        Some(CursorName { letters })
    }

    pub fn as_str(&self) -> &str {
        let bytes = self.letters.iter().position(|letter| *letter == 0).unwrap_or(NAME_BYTES_MAX);
        std::str::from_utf8(&self.letters[..bytes]).expect("a name is ASCII")
    }
}

impl fmt::Debug for CursorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for CursorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The file of one consumer.
///
/// ```text
///   0        8    10   12       16               32                96           104      128    160
///   ├────────┼────┼────┼────────┼────────────────┼─────────────────┼────────────┼────────┼──────┤
///   │ magic  │maj │min │ zeros  │ journal_id     │ bookmark        │ updated_ns │ zeros  │BLAKE3│
///   └────────┴────┴────┴────────┴────────────────┴─────────────────┴────────────┴────────┴──────┘
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CursorFile {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    reserved: [u8; 4],
    journal_id: [u8; 16],
    bookmark: BookmarkBytes,
    updated_ns: U64,
    reserved_tail: [u8; 24],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<CursorFile>() == 160);
const _: () = assert!(offset_of!(CursorFile, updated_ns) == 96);
const _: () = assert!(offset_of!(CursorFile, checksum) == 128);

impl CursorFile {
    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(CursorFile, checksum)]).as_bytes()
    }
}

/// One consumer, as the directory shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub name: CursorName,
    /// None if the file does not verify: then nobody knows what its consumer still needs.
    pub bookmark: Option<Bookmark>,
    pub updated_ns: u64,
}

/// Registers a consumer, or moves its cursor. When it returns, the cursor is durable: the consumer's own state must have
/// been before.
pub fn store_cursor(
    directory: &Path,
    journal_id: [u8; 16],
    name: &CursorName,
    bookmark: &Bookmark,
) -> io::Result<()> {
    let mut file = CursorFile {
        magic: MAGIC,
        major: U16::new(FORMAT_MAJOR),
        minor: U16::new(FORMAT_MINOR),
        reserved: [0; 4],
        journal_id,
        bookmark: BookmarkBytes::of(bookmark),
        updated_ns: U64::new(now_ns()),
        reserved_tail: [0; 24],
        checksum: [0; 32],
    };
    file.checksum = file.checksum_due();
    let cursors = directory.join(directory::CURSORS);
    if !cursors.is_dir() {
        directory::create(&cursors)?;
    }
    directory::install(&cursors, name.as_str(), file.as_bytes())
}

pub(crate) fn cursor_path(directory: &Path, name: &CursorName) -> PathBuf {
    directory.join(directory::CURSORS).join(name.as_str())
}

/// Forgets a consumer; false if there was none. What it had not read may go from here on.
pub fn remove_cursor(directory: &Path, name: &CursorName) -> io::Result<bool> {
    match fs::remove_file(cursor_path(directory, name)) {
        Ok(()) => directory::sync(&directory.join(directory::CURSORS)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// All consumers of the journal, by name.
pub fn cursors(directory: &Path, journal_id: &[u8; 16]) -> io::Result<Vec<Cursor>> {
    let cursors = directory.join(directory::CURSORS);
    let entries = match fs::read_dir(&cursors) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(CursorName::new) {
            found.extend(load(entry.path(), name, journal_id)?);
        }
    }
    found.sort_unstable_by_key(|cursor| cursor.name);
    Ok(found)
}

/// The cursor of one consumer; none if it has none.
pub fn load_cursor(directory: &Path, journal_id: &[u8; 16], name: &CursorName) -> io::Result<Option<Cursor>> {
    load(cursor_path(directory, name), *name, journal_id)
}

fn load(path: PathBuf, name: CursorName, journal_id: &[u8; 16]) -> io::Result<Option<Cursor>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let file = CursorFile::read_from_bytes(&bytes).ok().filter(|file| {
        file.magic == MAGIC
            && file.checksum == file.checksum_due()
            && file.major.get() <= FORMAT_MAJOR
            && file.journal_id == *journal_id
    });
    Ok(Some(Cursor {
        name,
        bookmark: file.as_ref().map(|file| file.bookmark.bookmark()),
        updated_ns: file.map_or(0, |file| file.updated_ns.get()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Position;

    fn bookmark() -> Bookmark {
        Bookmark { position: Position::new(3, 8192), seq: 9, ts_ns: 90, epoch: 2, chain: [5; 32] }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_put_and_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let (bridge, other) =
            (CursorName::new("bridge").expect("legal"), CursorName::new("a-2").expect("legal"));
        assert_eq!(cursors(directory.path(), &[1; 16]).expect("none"), []);
        for name in [&bridge, &other] {
            store_cursor(directory.path(), [1; 16], name, &bookmark()).expect("stored");
        }
        let found = cursors(directory.path(), &[1; 16]).expect("listed");
        assert_eq!(found.iter().map(|cursor| cursor.name.as_str()).collect::<Vec<_>>(), ["a-2", "bridge"]);
        assert!(found.iter().all(|cursor| cursor.bookmark == Some(bookmark())));
        assert!(remove_cursor(directory.path(), &bridge).expect("removed"));
        assert!(!remove_cursor(directory.path(), &bridge).expect("nothing to remove"));
        assert_eq!(load_cursor(directory.path(), &[1; 16], &bridge).expect("read"), None);
    }

    #[test]
    fn every_byte_of_a_cursor_is_covered() {
        let directory = tempfile::tempdir().expect("a directory");
        let name = CursorName::new("bridge").expect("legal");
        store_cursor(directory.path(), [1; 16], &name, &bookmark()).expect("stored");
        let path = directory.path().join("cursors/bridge");
        let good = fs::read(&path).expect("there");
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 4;
            fs::write(&path, flipped).expect("written");
            let found = load_cursor(directory.path(), &[1; 16], &name).expect("read").expect("there");
            assert_eq!(found.bookmark, None, "byte {at}");
        }
        fs::write(&path, &good).expect("written");
        let foreign = load_cursor(directory.path(), &[2; 16], &name).expect("read").expect("there");
        assert_eq!(foreign.bookmark, None, "a cursor of another journal");
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["", "Bridge", "a/b", "..", "a.tmp", "123456789012345678901234567890123"] {
            assert_eq!(CursorName::new(name), None, "{name}");
        }
        assert_eq!(CursorName::new("12345678901234567890123456789012").expect("32").as_str().len(), 32);
    }
}
