//! `reserve.bin`: zeros on the disk for the hour in which it has nothing left. They become one last short segment, with room
//! for what a venue has to say before it stands still, so that nobody else can take the space in between. It is made again
//! once there is space.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::directory;
use crate::identity::{Options, SEGMENT_BYTES_MIN};
use crate::prepare::{create, fill, needs};
use crate::segment::is_zero;

/// The shortest segment that these options allow.
pub(crate) fn bytes(options: &Options) -> u64 {
    SEGMENT_BYTES_MIN.max(8 * u64::from(options.group_alignment))
}

/// Is it there, in its length, and nothing in it? One that was begun to be made a segment of has no name of one yet: it is
/// emptied where it stands.
pub(crate) fn is_whole(directory: &Path, options: &Options) -> bool {
    let length = bytes(options);
    let look = || -> io::Result<bool> {
        let file = open(directory, options)?;
        let mut found = vec![0; length as usize];
        file.read_exact_at(&mut found, 0)?;
        if !is_zero(&found) {
            fill(&file, None, length)?;
        }
        Ok(true)
    };
    look().unwrap_or(false)
}

/// The file, if it has its length: a longer or shorter one is another build's.
pub(crate) fn open(directory: &Path, options: &Options) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(directory.join(directory::RESERVE))?;
    let found = file.metadata()?.len();
    if found == bytes(options) { Ok(file) } else { Err(io::Error::other("the reserve has another length")) }
}

pub(crate) fn make(directory: &Path, options: &Options) -> io::Result<()> {
    let path = directory.join(directory::RESERVE);
    let temporary = directory::temporary_path(&path);
    let made = || -> io::Result<()> {
        fill(&create(&temporary)?, None, bytes(options))?;
        fs::rename(&temporary, &path)?;
        directory::sync(directory)
    };
    made().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        needs(&path, bytes(options), &error)
    })
}
