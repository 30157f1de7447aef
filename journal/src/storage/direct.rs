//! The back end `direct`: pwrite past the page cache from aligned memory, each write durable when it returns (O_DIRECT, and
//! O_DSYNC per write, on the descriptor that made the segment). The kernel drops the cached pages that it overwrites, so
//! readers' mappings stay coherent. After the sync at the attachment its sync has nothing left to do.

use std::fs::File;
use std::io;

use super::{Storage, none_attached};
use crate::map;

#[derive(Default)]
pub struct Direct {
    file: Option<File>,
}

impl Storage for Direct {
    fn attach(&mut self, _segment: u64, file: File) -> io::Result<()> {
        map::bypass_cache(&file).map_err(|error| refused(&error))?;
        // What an earlier life left in the page cache: a recovery builds on it, and no write of ours would sync it.
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or_else(none_attached)?;
        map::write_durably(file, offset, image).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => refused(&error),
            _ => error,
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refused(error: &io::Error) -> io::Error {
    let text = format!(
        "{error}; the file system takes no direct writes of this alignment: use the back end \"written\", or a \
         group_alignment that is a multiple of the device's sector"
    );
    io::Error::new(io::ErrorKind::Unsupported, text)
}
