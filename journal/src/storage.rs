//! How a group's image reaches a segment. One implementation ships: `Written`. The trait is where another back
//! end, or a disk that fails on command, takes its place; the file format does not depend on which.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes and syncs in the segment that was attached last. An error from any method poisons the writer: an
/// implementation must not retry, because the kernel reports a failed write-back once and then forgets it.
pub trait Storage: Send {
    /// From here on, writes go to this segment. Everything written to the one before has been synced.
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()>;

    /// Writes all of `image` at `offset`. When it returns, every process that maps the file sees the bytes.
    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()>;

    /// Returns when everything written so far is durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// pwrite and fdatasync through the page cache. Of the ways measured this one keeps readers' mappings coherent,
/// gives errors back as return codes, and writes 4 KiB to the device for a small group.
#[derive(Default)]
pub struct Written {
    file: Option<File>,
}

impl Written {
    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::Error::other("no segment is attached"))
    }
}

impl Storage for Written {
    fn attach(&mut self, _segment: u64, file: File) -> io::Result<()> {
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        self.file()?.write_all_at(image, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file()?.sync_data()
    }
}
