//! What a process does when the disk fails under a mapping: the kernel then sends SIGBUS, and there is no going on. The
//! handler closes the gate of everything that leaves the process, keeps where it happened, and ends the process.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

/// Maps that are remembered at once. One that finds no place is reported by its address.
const WATCHED_MAX: usize = 64;
const LINE_BYTES: usize = 160;

/// A mapped range and the segment that it shows. `bytes` is 0 while the place is free or being filled.
struct Place {
    start: AtomicUsize,
    bytes: AtomicUsize,
    segment: AtomicUsize,
    taken: AtomicBool,
}

static PLACES: [Place; WATCHED_MAX] = [const {
    Place {
        start: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        segment: AtomicUsize::new(0),
        taken: AtomicBool::new(false),
    }
}; WATCHED_MAX];

static STRUCK: AtomicBool = AtomicBool::new(false);
static NOTE: AtomicI32 = AtomicI32::new(-1);
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);

/// Remembers a map for as long as it lives.
pub(crate) struct Watched(Option<&'static Place>);

pub(crate) fn watch(start: usize, bytes: usize, segment: u64) -> Watched {
    let free = PLACES.iter().find(|place| !place.taken.swap(true, Ordering::AcqRel));
    if let Some(place) = free {
        place.start.store(start, Ordering::Relaxed);
        place.segment.store(segment as usize, Ordering::Relaxed);
        place.bytes.store(bytes, Ordering::Release);
    }
    Watched(free)
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.bytes.store(0, Ordering::Release);
            place.taken.store(false, Ordering::Release);
        }
    }
}

/// Whether the disk has failed under a mapping of this process, which is about to end. Whoever writes to a member looks
/// here first.
pub fn has_struck() -> bool {
    STRUCK.load(Ordering::Acquire)
}

/// From here on a SIGBUS writes where it happened to standard error and, if there is one, to `note`, and ends the
/// process with `exit_code`.
pub fn end_with(exit_code: u8, note: Option<File>) -> io::Result<()> {
    EXIT_CODE.store(exit_code.into(), Ordering::Release);
    // Given up for good: it must be open whenever the handler runs.
    NOTE.store(note.map_or(-1, IntoRawFd::into_raw_fd), Ordering::Release);
    // SAFETY: `sigaction` is plain data, for which all zeros is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_bus as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler only loads and stores atomics and calls write and _exit, all allowed in a handler; it never
    // returns. The pointers are to live values or null.
    match unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn on_bus(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    STRUCK.store(true, Ordering::Release);
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler with SA_SIGINFO, and fills the address for SIGBUS.
    let address = unsafe { (*info).si_addr() } as usize;
    let mut line = Line { bytes: [0; LINE_BYTES], used: 0 };
    describe(&mut line, address);
    for descriptor in [NOTE.load(Ordering::Acquire), libc::STDERR_FILENO] {
        if descriptor >= 0 {
            // SAFETY: the bytes are initialised and live; a descriptor that is not open is an error that changes nothing.
            unsafe { libc::write(descriptor, line.bytes.as_ptr().cast(), line.used) };
        }
    }
    // SAFETY: ends the process at once; no destructor and no other thread runs any more.
    unsafe { libc::_exit(EXIT_CODE.load(Ordering::Acquire)) }
}

/// One line: the segment and the offset in it, or the address if it is in no segment that is known.
fn describe(line: &mut Line, address: usize) {
    line.text("SIGBUS: the disk failed under a mapped file: ");
    let found = PLACES.iter().find(|place| {
        let bytes = place.bytes.load(Ordering::Acquire);
        address.wrapping_sub(place.start.load(Ordering::Relaxed)) < bytes
    });
    match found {
        Some(place) => {
            line.text("segment=");
            line.number(place.segment.load(Ordering::Relaxed));
            line.text(" offset=");
            line.number(address - place.start.load(Ordering::Relaxed));
        }
        None => {
            line.text("address=");
            line.number(address);
        }
    }
    line.text("; the process ends\n");
}

/// Text in memory of the handler's own, because it must not allocate.
struct Line {
    bytes: [u8; LINE_BYTES],
    used: usize,
}

impl Line {
    fn text(&mut self, text: &str) {
        let room = &mut self.bytes[self.used..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.used += count;
    }

    fn number(&mut self, number: usize) {
        let mut digits = [0; 20];
        let (mut rest, mut at) = (number, digits.len());
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(std::str::from_utf8(&digits[at..]).unwrap_or("?"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(address: usize) -> String {
        let mut line = Line { bytes: [0; LINE_BYTES], used: 0 };
        describe(&mut line, address);
        String::from_utf8_lossy(&line.bytes[..line.used]).into_owned()
    }

    #[test]
    fn an_address_in_a_watched_map_is_told_as_segment_and_offset() {
        let watched = watch(1 << 60, 4096, 42);
        assert!(described((1 << 60) + 4095).contains(": segment=42 offset=4095;"));
        assert!(described((1 << 60) + 4096).contains(": address=1152921504606851072;"));
        drop(watched);
        assert!(described(1 << 60).contains(": address="));
    }

    #[test]
    fn the_longest_line_fits() {
        let watched = watch(0x1000, usize::MAX - 0x1000, usize::MAX as u64);
        assert!(described(usize::MAX - 1).ends_with("; the process ends\n"));
        drop(watched);
    }
}
