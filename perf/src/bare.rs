//! What the machine itself costs, measured between the blocks of a run: one synced write, and one round trip over loopback.
//! Neither knows the venue.

use std::fs::{File, OpenOptions, remove_file};
use std::hint::spin_loop;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use core_affinity::CoreId;
use hdrhistogram::Histogram;
use quanta::Clock;

const PAGE_BYTES: usize = 4096;
const FILE_PAGES: u64 = 4096;

/// A file full of zeros, so that a sync has no metadata to write. Removed with its owner.
pub struct Disk {
    file: File,
    path: PathBuf,
    page: u64,
}

impl Disk {
    pub fn create(directory: &Path) -> Result<Disk> {
        let path = directory.join(format!("perf-bare-write-{}.tmp", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let disk = Disk { file, path, page: 0 };
        for page in 0..FILE_PAGES {
            disk.file.write_all_at(&[0; PAGE_BYTES], page * PAGE_BYTES as u64)?;
        }
        disk.file.sync_all()?;
        Ok(disk)
    }

    /// pwrite of one page and fdatasync, `count` times, each behind the last.
    pub fn measure(&mut self, count: u64, clock: &Clock, taken: &mut Histogram<u64>) -> Result<()> {
        for _ in 0..count {
            self.page = (self.page + 1) % FILE_PAGES;
            let bytes = [self.page as u8 | 1; PAGE_BYTES];
            let start = clock.now();
            self.file.write_all_at(&bytes, self.page * PAGE_BYTES as u64)?;
            self.file.sync_data()?;
            taken.saturating_record(start.elapsed().as_nanos() as u64);
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = remove_file(&self.path);
    }
}

/// Round trips, both sides busy: `exchanges` names the bytes of question and answer, taken in turn.
pub fn echo(
    count: u64,
    exchanges: &[(usize, usize)],
    core: Option<usize>,
    clock: &Clock,
    taken: &mut Histogram<u64>,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    for socket in [&near, &far] {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
    }
    let stop = AtomicBool::new(false);
    let turns = || exchanges.iter().cycle().take(count as usize);
    thread::scope(|scope| {
        scope.spawn(|| {
            core.map(|id| core_affinity::set_for_current(CoreId { id }));
            for (question, answer) in turns() {
                if pass(&mut far, *question, Some(&stop)).is_err()
                    || far.write_all(&vec![1; *answer]).is_err()
                {
                    return;
                }
            }
        });
        let asked = turns().try_for_each(|(question, answer)| {
            let frame = vec![1; *question];
            let start = clock.now();
            near.write_all(&frame)?;
            pass(&mut near, *answer, None)?;
            taken.saturating_record(start.elapsed().as_nanos() as u64);
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        asked
    })
}

/// Reads so many bytes, busily.
fn pass(socket: &mut TcpStream, bytes: usize, stop: Option<&AtomicBool>) -> Result<()> {
    let mut buffer = [0; 1024];
    let mut left = bytes;
    while left > 0 {
        let most = left.min(buffer.len());
        match socket.read(&mut buffer[..most]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => left -= read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => spin_loop(),
            Err(error) => return Err(error),
        }
        if left > 0 && stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(ErrorKind::Interrupted.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::histogram;

    #[test]
    fn both_measure_as_often_as_asked_and_leave_nothing() {
        let directory = tempfile::tempdir().expect("there is room");
        let (clock, mut writes, mut trips) = (Clock::new(), histogram(), histogram());
        let mut disk = Disk::create(directory.path()).expect("the directory is writable");
        disk.measure(5, &clock, &mut writes).expect("the file is writable");
        echo(20, &[(96, 128), (64, 120)], None, &clock, &mut trips).expect("loopback is there");
        drop(disk);
        assert_eq!((writes.len(), trips.len()), (5, 20));
        assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
    }
}
