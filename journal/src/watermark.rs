//! The live watermarks in the shared file `control`: what the writer's process tells every other process.
//! Nothing here is durable, and nothing here is believed after the machine restarted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::directory;
use crate::map::SharedWords;
use crate::segment::{PAGE_BYTES, Position};

const MAGIC: u64 = u64::from_le_bytes(*b"BLSTCTL1");

/// Words of the file, by index. Each line of 64 bytes has one writer.
///
/// ```text
///   byte 0    magic │ boot id (2 words) │ epoch
///   byte 64   W seq │ check │ W position │ check
///   byte 128  D seq │ check │ D position │ check
///   byte 192  R seq │ check
///   byte 256  zeros to 4096
/// ```
///
/// A check copy is the bitwise complement of its word. The writer stores the check first, then the word, both
/// with release; a reader loads both with acquire and takes the smaller. Either is a value that was true, so
/// the smaller is safe, no reader ever waits, and a flipped bit in one word cannot raise a watermark.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Word {
    Magic = 0,
    Boot = 1,
    Epoch = 3,
    WrittenSeq = 8,
    WrittenPosition = 10,
    DurableSeq = 16,
    DurablePosition = 18,
    ReleasedSeq = 24,
}

/// W, D and R of one journal, shared between threads and processes.
pub struct Watermarks {
    words: SharedWords,
    boot: [u64; 2],
}

impl Watermarks {
    /// Maps the watermarks of the journal in `directory` for reading.
    pub fn open(directory: &Path) -> io::Result<Watermarks> {
        let file = File::open(directory.join(directory::CONTROL))?;
        if file.metadata()?.len() != PAGE_BYTES as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "control has the wrong size"));
        }
        let words = SharedWords::map(&file, PAGE_BYTES, false)?;
        if words.word(Word::Magic as usize).load(Ordering::Acquire) != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "control is not a control file"));
        }
        Ok(Watermarks { words, boot: boot_id() })
    }

    /// Maps them for writing, in place if the file is there, since readers may hold it. The caller holds the lock.
    pub(crate) fn open_for_writer(directory: &Path) -> io::Result<Watermarks> {
        let path = directory.join(directory::CONTROL);
        if fs::metadata(&path).map(|found| found.len()).unwrap_or(0) != PAGE_BYTES as u64 {
            directory::install(directory, directory::CONTROL, &[0; PAGE_BYTES])?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let words = SharedWords::map(&file, PAGE_BYTES, true)?;
        let watermarks = Watermarks { words, boot: boot_id() };
        if !watermarks.is_of_this_boot() {
            watermarks.reset();
        }
        Ok(watermarks)
    }

    /// Forgets what an earlier run of the machine left behind. The boot id comes last: until it is there,
    /// readers see nothing.
    fn reset(&self) {
        for word in [Word::WrittenSeq, Word::WrittenPosition, Word::DurableSeq, Word::DurablePosition] {
            self.store(word, 0);
        }
        self.store(Word::ReleasedSeq, 0);
        self.plain_store(Word::Epoch as usize, 0);
        self.plain_store(Word::Magic as usize, MAGIC);
        self.plain_store(Word::Boot as usize, self.boot[0]);
        self.plain_store(Word::Boot as usize + 1, self.boot[1]);
    }

    fn is_of_this_boot(&self) -> bool {
        let word = |index| self.words.word(index).load(Ordering::Acquire);
        word(Word::Magic as usize) == MAGIC
            && [word(Word::Boot as usize), word(Word::Boot as usize + 1)] == self.boot
    }

    fn plain_store(&self, index: usize, value: u64) {
        assert!(self.words.is_writable(), "only the writer's process publishes watermarks");
        self.words.word(index).store(value, Ordering::Release);
    }

    fn store(&self, word: Word, value: u64) {
        self.plain_store(word as usize + 1, !value);
        self.plain_store(word as usize, value);
    }

    fn load(&self, word: Word) -> u64 {
        if !self.is_of_this_boot() {
            return 0;
        }
        let value = self.words.word(word as usize).load(Ordering::Acquire);
        let check = !self.words.word(word as usize + 1).load(Ordering::Acquire);
        value.min(check)
    }

    /// W: the last seq that the page cache holds.
    pub fn written(&self) -> u64 {
        self.load(Word::WrittenSeq)
    }

    /// D: the last seq that the disk holds.
    pub fn durable(&self) -> u64 {
        self.load(Word::DurableSeq)
    }

    /// R: the last seq that the outside may know of.
    pub fn released(&self) -> u64 {
        self.load(Word::ReleasedSeq)
    }

    /// The end of the last group in the page cache.
    pub fn written_position(&self) -> Position {
        Position::from_word(self.load(Word::WrittenPosition))
    }

    /// The end of the last group on the disk.
    pub fn durable_position(&self) -> Position {
        Position::from_word(self.load(Word::DurablePosition))
    }

    /// Counts the writers that this journal has had: it changes when a writer has recovered.
    pub fn epoch(&self) -> u64 {
        self.words.word(Word::Epoch as usize).load(Ordering::Acquire)
    }

    /// Publishes R. Only for watermarks that came from a `Writer`; others are read-only, and this panics.
    pub fn publish_released(&self, seq: u64) {
        self.store(Word::ReleasedSeq, seq);
    }

    /// Publishes W. The group's bytes are in the page cache already, so whoever sees the new position sees them.
    /// The seq goes first: what a reader hands out is then never beyond the W that anybody loads afterwards.
    pub(crate) fn publish_written(&self, seq: u64, position: Position) {
        self.store(Word::WrittenSeq, seq);
        self.store(Word::WrittenPosition, position.word());
    }

    pub(crate) fn publish_durable(&self, seq: u64, position: Position) {
        self.store(Word::DurableSeq, seq);
        self.store(Word::DurablePosition, position.word());
    }

    pub(crate) fn publish_epoch(&self, epoch: u64) {
        self.plain_store(Word::Epoch as usize, epoch);
    }
}

#[cfg(all(test, any(loom, shuttle)))]
impl Watermarks {
    /// Watermarks of a model: those of the writer, and those that another process maps.
    pub(crate) fn for_model() -> [Watermarks; 2] {
        let words = SharedWords::in_memory(Word::ReleasedSeq as usize + 2);
        let writer = Watermarks { words: words.clone(), boot: [1, 2] };
        writer.reset();
        [writer, Watermarks { words, boot: [1, 2] }]
    }
}

/// The kernel's random id of this boot; zeros where there is none.
fn boot_id() -> [u64; 2] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let half = |range| digits.get(range).and_then(|part| u64::from_str_radix(part, 16).ok()).unwrap_or(0);
    [half(0..16), half(16..32)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_mapping_sees_what_was_published_and_the_smaller_of_two_wins() {
        let directory = tempfile::tempdir().expect("a directory");
        let writer = Watermarks::open_for_writer(directory.path()).expect("made");
        let reader = Watermarks::open(directory.path()).expect("mapped");
        writer.publish_written(7, Position::new(1, 8192));
        writer.publish_durable(5, Position::new(1, 4096));
        writer.publish_released(4);
        assert_eq!((reader.written(), reader.durable(), reader.released()), (7, 5, 4));
        assert_eq!(reader.written_position(), Position::new(1, 8192));
        writer.plain_store(Word::WrittenSeq as usize, 1 << 40);
        assert_eq!(reader.written(), 7, "a raised word alone is not believed");
        writer.plain_store(Word::WrittenSeq as usize + 1, !3);
        writer.plain_store(Word::WrittenSeq as usize, 7);
        assert_eq!(reader.written(), 3, "nor is a raised check copy");
    }

    #[test]
    fn nothing_is_believed_of_an_earlier_boot() {
        let directory = tempfile::tempdir().expect("a directory");
        let writer = Watermarks::open_for_writer(directory.path()).expect("made");
        writer.publish_durable(5, Position::new(1, 4096));
        writer.plain_store(Word::Boot as usize, !writer.boot[0]);
        assert_eq!(Watermarks::open(directory.path()).expect("mapped").durable(), 0);
        drop(writer);
        assert_eq!(Watermarks::open_for_writer(directory.path()).expect("reset").durable(), 0);
    }
}
