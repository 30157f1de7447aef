//! The right to write into a directory: an open-file-description lock on `LOCK`. It dies with the process, so there is no
//! stale lock, hence no time limit and no override.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::directory;
use crate::error::OpenError;
use crate::map;

/// Held for as long as it lives. The descriptor is close-on-exec, so no child inherits it.
pub struct Lock {
    file: File,
}

impl Lock {
    pub fn take(directory: &Path) -> Result<Lock, OpenError> {
        let path = directory.join(directory::LOCK);
        let failed = |source| OpenError::io("take the writer's lock", &path, source);
        // The standard library opens every file close-on-exec.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        if map::is_on_network(&file).map_err(failed)? {
            return Err(OpenError::NetworkFileSystem { path });
        }
        match map::lock_exclusive(&file).map_err(failed)? {
            true => Ok(Lock { file }),
            false => Err(OpenError::Locked { path }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file, right after this, gives the lock back as well unless a child is just being started.
        let _ = map::unlock(&self.file);
    }
}
