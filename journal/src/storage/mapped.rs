//! The back end `mapped`: stores into a shared mapping of the segment, and fdatasync on the descriptor that made it. A
//! store that the file system cannot take is a SIGBUS and no return code: `bus` is what answers it.

use std::fs::File;
use std::io;

use super::{Storage, Syncer, none_attached, syncer_of};
use crate::map::StoreMap;

#[derive(Default)]
pub struct Mapped {
    attached: Option<(File, StoreMap)>,
}

impl Storage for Mapped {
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()> {
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let map = StoreMap::map(&file, bytes, segment)?;
        self.attached = Some((file, map));
        Ok(())
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        let (_, map) = self.attached.as_mut().ok_or_else(none_attached)?;
        map.store(offset as usize, image);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let (file, _) = self.attached.as_ref().ok_or_else(none_attached)?;
        file.sync_data()
    }

    fn syncer(&self) -> io::Result<Option<Syncer>> {
        let (file, _) = self.attached.as_ref().ok_or_else(none_attached)?;
        syncer_of(file)
    }
}
