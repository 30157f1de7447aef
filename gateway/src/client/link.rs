//! One TCP connection to the venue: whole frames in, whole frames out, and the times of both. Dies with the first error.
//! Knows no sequence and no logon.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::event::{self, Heard};
use super::pipe::Pipe;
use super::{ClientError, saturating_add};
use crate::frame;

const INPUT_BYTES: usize = 64 * 1024;
/// The venue's answers to all that may be unanswered; more than this unread means that nobody reads.
const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A write that finds no room for this long looks whether the venue waits for us to read.
const WRITE_SLICE: Duration = Duration::from_millis(5);
const READ_SLICE: Duration = Duration::from_millis(1);

pub(super) struct Link {
    stream: Pipe,
    /// `input[start..end]` is what was read and not taken.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// The read timeout that the socket has now; `None` does not block.
    waits: Option<Duration>,
    patience: Duration,
    pub heard_at: Instant,
    pub wrote_at: Instant,
    /// When a test request went out, if nothing came since.
    pub tested_at: Option<Instant>,
}

impl Link {
    /// Under TLS with `trust`, plain without.
    pub fn open(
        address: &str,
        trust: Option<&Arc<ClientConfig>>,
        patience: Duration,
    ) -> Result<Link, ClientError> {
        let unreachable = |why: &dyn std::fmt::Display| ClientError::Unreachable(format!("{address}: {why}"));
        let mut refusal = unreachable(&"the name has no address");
        for candidate in address.to_socket_addrs().map_err(|error| unreachable(&error))? {
            match TcpStream::connect_timeout(&candidate, patience) {
                Ok(stream) => {
                    let opened = Pipe::open(stream, address, trust, patience);
                    let link = opened.and_then(|pipe| Link::over(pipe, patience));
                    return link.map_err(|error| unreachable(&error));
                }
                Err(error) => refusal = unreachable(&error),
            }
        }
        Err(refusal)
    }

    fn over(stream: Pipe, patience: Duration) -> std::io::Result<Link> {
        stream.socket().set_write_timeout(Some(WRITE_SLICE))?;
        stream.socket().set_read_timeout(Some(READ_SLICE))?;
        let now = Instant::now();
        let (heard_at, wrote_at) = (now, now);
        let (input, waits) = (vec![0; INPUT_BYTES], Some(READ_SLICE));
        Ok(Link { stream, input, start: 0, end: 0, waits, patience, heard_at, wrote_at, tested_at: None })
    }

    /// The next frame that was read already.
    pub fn take(&mut self) -> Result<Option<Heard>, ClientError> {
        let unread = &self.input[self.start..self.end];
        let Some(frame) = frame::first(unread)
            .map_err(|reject| event::strange(format!("a broken frame ({})", reject.text())))?
        else {
            return Ok(None);
        };
        let heard = event::read(&frame);
        self.start += frame.bytes();
        heard.map(Some)
    }

    /// Reads once, for at most `wait`; whether anything came.
    pub fn fill(&mut self, wait: Duration) -> Result<bool, ClientError> {
        self.make_room()?;
        self.set_wait(wait).map_err(closed)?;
        match self.stream.read(&mut self.input[self.end..]) {
            Ok(0) => Err(ClientError::Closed("the venue closed it".into())),
            Ok(bytes) => {
                self.end += bytes;
                self.heard_at = Instant::now();
                self.tested_at = None;
                Ok(true)
            }
            Err(error) if is_pause(&error) => Ok(false),
            Err(error) => Err(closed(error)),
        }
    }

    /// Writes all of `bytes`. While the venue takes none it may be waiting for us, so what it sends is read meanwhile.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), ClientError> {
        let mut moved_at: Option<Instant> = None;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(ClientError::Closed("the venue takes no more bytes".into())),
                Ok(written) => {
                    bytes = &bytes[written..];
                    moved_at = None;
                    continue;
                }
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(closed(error)),
            }
            let since = *moved_at.get_or_insert_with(Instant::now);
            if self.fill(READ_SLICE)? {
                moved_at = None;
            } else if since.elapsed() > self.patience {
                return Err(ClientError::Closed("the venue does not read".into()));
            }
        }
        self.wrote_at = Instant::now();
        Ok(())
    }

    /// Says that no more comes, and reads until the venue has said the same: closing with unread input would make the
    /// kernel discard what we wrote last.
    pub fn finish(mut self) {
        self.stream.end();
        let deadline = saturating_add(Instant::now(), self.patience);
        loop {
            (self.start, self.end) = (0, 0);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.fill(left).is_err() {
                return;
            }
        }
    }

    fn make_room(&mut self) -> Result<(), ClientError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end < self.input.len() {
            return Ok(());
        }
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else if self.input.len() < INPUT_BYTES_MAX {
            self.input.resize(self.input.len() * 2, 0);
        } else {
            let held = self.end;
            return Err(ClientError::Closed(format!("{held} bytes were never read by the caller")));
        }
        Ok(())
    }

    /// A system call only when the wait changes its kind or its length; a caller that polls with one timeout pays once.
    fn set_wait(&mut self, wait: Duration) -> std::io::Result<()> {
        let wanted = (!wait.is_zero()).then(|| wait.max(READ_SLICE));
        if wanted == self.waits {
            return Ok(());
        }
        if wanted.is_some() != self.waits.is_some() {
            self.stream.socket().set_nonblocking(wanted.is_none())?;
        }
        if wanted.is_some() {
            self.stream.socket().set_read_timeout(wanted)?;
        }
        self.waits = wanted;
        Ok(())
    }
}

fn closed(error: std::io::Error) -> ClientError {
    ClientError::Closed(error.to_string())
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
