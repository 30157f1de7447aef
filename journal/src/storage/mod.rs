//! How a group's image reaches a segment. Three back ends stand behind one trait and write one file format; the trait is
//! also where a disk that fails on command takes its place. Knows bytes, offsets and descriptors, no frames.

mod direct;
mod mapped;
mod written;

use std::fmt;
use std::fs::File;
use std::io;
use std::str::FromStr;

pub use direct::Direct;
pub use mapped::Mapped;
pub use written::Written;

/// Writes and syncs in the segment that was attached last. An error from any method poisons the writer: an
/// implementation must not retry, because the kernel reports a failed write-back once and then forgets it.
pub trait Storage: Send {
    /// From here on, writes go to this segment. Everything written to the one before has been synced. `file` is the
    /// descriptor that made the segment: an error of its write-back comes back to a sync of it and to no other.
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()>;

    /// Writes all of `image` at `offset`. When it returns, every process that maps the file sees the bytes. `image`
    /// lies in memory on a multiple of 4096; `offset` and its length are multiples of 512.
    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()>;

    /// Returns when everything written so far is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// What makes durable, on another thread, everything written so far; none where only `sync` can. An error of the
    /// write-back must be told to it as it would be to `sync`.
    fn syncer(&self) -> io::Result<Option<Syncer>> {
        Ok(None)
    }
}

pub type Syncer = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// fdatasync on a second handle of the same open file, which shares its errors.
fn syncer_of(file: &File) -> io::Result<Option<Syncer>> {
    let file = file.try_clone()?;
    Ok(Some(Box::new(move || file.sync_data())))
}

/// Which of the back ends a writer uses. The file format does not depend on it, and it may change at every open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackEnd {
    /// pwrite into the page cache and fdatasync.
    #[default]
    Written,
    /// Stores into a shared mapping of the segment, and fdatasync.
    Mapped,
    /// pwrite past the page cache that returns when the device has the bytes.
    Direct,
}

impl BackEnd {
    pub const ALL: [BackEnd; 3] = [BackEnd::Written, BackEnd::Mapped, BackEnd::Direct];

    pub fn storage(self) -> Box<dyn Storage> {
        match self {
            BackEnd::Written => Box::new(Written::default()),
            BackEnd::Mapped => Box::new(Mapped::default()),
            BackEnd::Direct => Box::new(Direct::default()),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            BackEnd::Written => "written",
            BackEnd::Mapped => "mapped",
            BackEnd::Direct => "direct",
        }
    }
}

impl fmt::Display for BackEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for BackEnd {
    type Err = String;

    fn from_str(name: &str) -> Result<BackEnd, String> {
        let found = BackEnd::ALL.into_iter().find(|back_end| back_end.name() == name);
        found.ok_or_else(|| format!("'{name}' is not one of written, mapped, direct"))
    }
}

fn none_attached() -> io::Error {
    io::Error::other("no segment is attached")
}
