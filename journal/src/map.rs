//! Shared mappings, and the few system calls that the standard library does not wrap (open-file-description lock,
//! fallocate, fadvise, direct writes, fstatfs). With `bus` the only file with `unsafe`. Knows addresses and descriptors,
//! nothing of frames or watermarks.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use memmap2::{Advice, MmapOptions, MmapRaw};

use crate::bus::{self, Watched};

/// From the standard library or from a model checker.
#[cfg(loom)]
use loom::sync::{Arc, atomic::AtomicU64};
#[cfg(shuttle)]
use shuttle::sync::{Arc, atomic::AtomicU64};
#[cfg(not(any(loom, shuttle)))]
use std::sync::atomic::AtomicU64;

/// A file of 8-byte words shared between processes.
#[cfg(not(any(loom, shuttle)))]
pub(crate) struct SharedWords {
    raw: MmapRaw,
    writable: bool,
}

#[cfg(not(any(loom, shuttle)))]
impl SharedWords {
    pub fn map(file: &File, bytes: usize, writable: bool) -> io::Result<SharedWords> {
        let mut options = MmapOptions::new();
        options.len(bytes);
        let raw = if writable { options.map_raw(file)? } else { options.map_raw_read_only(file)? };
        Ok(SharedWords { raw, writable })
    }

    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Word number `index`. Callers store only through writable maps: `Watermarks` asserts it.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!((index + 1) * 8 <= self.raw.len(), "word {index} lies inside the map");
        let word = self.raw.as_ptr().cast::<u64>().wrapping_add(index).cast_mut();
        // SAFETY: the map is page-aligned and lives as long as `self`, the word lies inside it (asserted), and
        // every process touches these words only as whole atomics.
        unsafe { AtomicU64::from_ptr(word) }
    }
}

/// The same for the model checkers, which know no files: words in memory, shared by cloning.
#[cfg(any(loom, shuttle))]
#[derive(Clone)]
pub(crate) struct SharedWords(Arc<Vec<AtomicU64>>);

#[cfg(any(loom, shuttle))]
impl SharedWords {
    pub fn map(_file: &File, bytes: usize, _writable: bool) -> io::Result<SharedWords> {
        Ok(SharedWords::in_memory(bytes / 8))
    }

    pub fn in_memory(words: usize) -> SharedWords {
        SharedWords(Arc::new((0..words).map(|_| AtomicU64::new(0)).collect()))
    }

    pub fn is_writable(&self) -> bool {
        true
    }

    pub fn word(&self, index: usize) -> &AtomicU64 {
        &self.0[index]
    }
}

/// A segment mapped for reading.
pub(crate) struct SegmentMap {
    raw: MmapRaw,
    _watched: Watched,
}

impl SegmentMap {
    pub fn map(file: &File, bytes: usize, segment: u64) -> io::Result<SegmentMap> {
        let raw = MmapOptions::new().len(bytes).map_raw_read_only(file)?;
        let _watched = bus::watch(raw.as_ptr() as usize, bytes, segment);
        Ok(SegmentMap { raw, _watched })
    }

    /// The first `end` bytes. `end` must come from a watermark that was loaded with acquire: below it the
    /// writer stores nothing any more.
    pub fn published(&self, end: usize) -> &[u8] {
        assert!(end <= self.raw.len(), "the published end lies inside the segment");
        // SAFETY: the range lies inside a live map (asserted) of a file that is never shortened, and bytes
        // below a published watermark are not written again while this slice is used.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr(), end) }
    }
}

/// A segment mapped for its writer.
pub(crate) struct StoreMap {
    raw: MmapRaw,
    _watched: Watched,
}

impl StoreMap {
    /// Without read-ahead, which would bring the zeros of a prepared segment into the cache as large folios: one store
    /// would then make the device write a whole one.
    pub fn map(file: &File, bytes: usize, segment: u64) -> io::Result<StoreMap> {
        let raw = MmapOptions::new().len(bytes).map_raw(file)?;
        raw.advise(Advice::Random)?;
        let _watched = bus::watch(raw.as_ptr() as usize, bytes, segment);
        Ok(StoreMap { raw, _watched })
    }

    pub fn store(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.raw.len(), "a group lies inside its segment");
        // SAFETY: the target lies inside a live writable map (asserted); the source is other memory. This process
        // makes no slice of the range before a watermark has passed it, and readers of others map it for themselves.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.raw.as_mut_ptr().add(offset), bytes.len());
        }
    }
}

/// Lets writes to `file` pass the page cache. An error where the file system cannot.
pub(crate) fn bypass_cache(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_DIRECT) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Writes all of `bytes` at `offset` and returns when they are durable.
pub(crate) fn write_durably(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        let vector = libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: rest.len() };
        let at = (offset + done as u64) as libc::off_t;
        // SAFETY: the descriptor is open and the one vector describes a live slice, which the call only reads.
        let count = unsafe { libc::pwritev2(file.as_raw_fd(), &raw const vector, 1, at, libc::RWF_DSYNC) };
        match count {
            1.. => done += count as usize,
            0 => return Err(io::ErrorKind::WriteZero.into()),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Takes the exclusive lock of `file`'s open file description; false when another description holds it.
pub(crate) fn lock_exclusive(file: &File) -> io::Result<bool> {
    let Err(error) = set_lock(file, libc::F_WRLCK) else {
        return Ok(true);
    };
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// Whether some open file description holds the lock of `file`, which may be open for reading only. Takes nothing.
pub(crate) fn is_locked(file: &File) -> io::Result<bool> {
    // SAFETY: `flock` is plain data, for which all zeros is a valid value.
    let mut whole_file: libc::flock = unsafe { std::mem::zeroed() };
    whole_file.l_type = libc::F_WRLCK as libc::c_short;
    whole_file.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open for the duration of the call and the pointer is to a live `flock`.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut whole_file) } {
        0 => Ok(whole_file.l_type != libc::F_UNLCK as libc::c_short),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives the lock back at once, even while a child between fork and exec still shares the description.
pub(crate) fn unlock(file: &File) -> io::Result<()> {
    set_lock(file, libc::F_UNLCK)
}

fn set_lock(file: &File, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: `flock` is plain data, for which all zeros is a valid value.
    let mut whole_file: libc::flock = unsafe { std::mem::zeroed() };
    whole_file.l_type = kind as libc::c_short;
    whole_file.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open for the duration of the call and the pointer is to a live `flock`.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole_file) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reserves the blocks of `file`, so that a full disk shows here. A file system that cannot is no error:
/// the zero-fill that follows reserves them as well.
pub(crate) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes as libc::off_t) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}

/// Drops the clean cached pages of `file`. Advice only: the result tells nothing that a caller could use.
pub(crate) fn drop_cache(file: &File) {
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}

/// Asks for all of `file` to be brought into the cache. Advice only, as above.
pub(crate) fn read_ahead(file: &File) {
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_WILLNEED) };
}

/// Whether `file` lies on a network file system, where neither the lock nor a sync means what we need.
pub(crate) fn is_on_network(file: &File) -> io::Result<bool> {
    const NETWORK_MAGICS: [u32; 4] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42];
    // SAFETY: `statfs` is plain data, for which all zeros is a valid value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open for the duration of the call and the pointer is to a live `statfs`.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(NETWORK_MAGICS.contains(&(found.f_type as u32)))
}
