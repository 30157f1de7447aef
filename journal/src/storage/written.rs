//! The back end `written`: pwrite and fdatasync through the page cache. Readers' mappings are coherent with it, and every
//! error comes back as a return code.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{Storage, Syncer, none_attached, syncer_of};

#[derive(Default)]
pub struct Written {
    file: Option<File>,
}

impl Storage for Written {
    fn attach(&mut self, _segment: u64, file: File) -> io::Result<()> {
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        self.file.as_ref().ok_or_else(none_attached)?.write_all_at(image, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.as_ref().ok_or_else(none_attached)?.sync_data()
    }

    fn syncer(&self) -> io::Result<Option<Syncer>> {
        syncer_of(self.file.as_ref().ok_or_else(none_attached)?)
    }
}
