//! `durable.mark`: D on the disk, outside the segments, so that the last synced group is missed if it rots.
//! Two slots are written in turn, so a slot torn by a power cut leaves the other.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::unix::fs::FileExt;
use std::path::Path;

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::directory;
use crate::segment::{PAGE_BYTES, Position, is_zero};

const MAGIC: [u8; 8] = *b"BLSTMRK1";
const SLOTS: u64 = 2;

/// One slot; slot `generation % 2` of the file.
///
/// ```text
///   0        8            16            24                 32       40               56        4064    4096
///   ├────────┼────────────┼─────────────┼──────────────────┼────────┼────────────────┼─────────┼───────┤
///   │ magic  │ generation │ durable_seq │ durable_position │ epoch  │ journal_id     │ zeros   │BLAKE3 │
///   └────────┴────────────┴─────────────┴──────────────────┴────────┴────────────────┴─────────┴───────┘
/// ```
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Slot {
    magic: [u8; 8],
    generation: U64,
    durable_seq: U64,
    durable_position: U64,
    epoch: U64,
    journal_id: [u8; 16],
    reserved: [u8; 4008],
    checksum: [u8; 32],
}

const _: () = assert!(size_of::<Slot>() == PAGE_BYTES);
const _: () = assert!(offset_of!(Slot, journal_id) == 40);
const _: () = assert!(offset_of!(Slot, checksum) == 4064);

impl Slot {
    fn checksum_due(&self) -> [u8; 32] {
        *blake3::hash(&self.as_bytes()[..offset_of!(Slot, checksum)]).as_bytes()
    }

    fn is_whole(&self, journal_id: &[u8; 16]) -> bool {
        self.magic == MAGIC
            && self.journal_id == *journal_id
            && is_zero(&self.reserved)
            && self.checksum == self.checksum_due()
    }
}

/// What the newest whole slot says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marked {
    pub seq: u64,
    pub position: Position,
    generation: u64,
}

/// Reads the mark of a journal. None when the file or every whole slot is missing: then it says nothing.
pub(crate) fn load(directory: &Path, journal_id: &[u8; 16]) -> io::Result<Option<Marked>> {
    let bytes = match fs::read(directory.join(directory::MARK)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let slots = bytes.chunks_exact(PAGE_BYTES).filter_map(|page| Slot::read_from_bytes(page).ok());
    let newest = slots.filter(|slot| slot.is_whole(journal_id)).max_by_key(|slot| slot.generation.get());
    Ok(newest.map(|slot| Marked {
        seq: slot.durable_seq.get(),
        position: Position::from_word(slot.durable_position.get()),
        generation: slot.generation.get(),
    }))
}

/// The writer's hold on the file.
pub(crate) struct DurableMark {
    file: File,
    slot: Box<Slot>,
}

impl DurableMark {
    /// Opens the mark, making it first if there is none. The caller holds the lock.
    pub fn open(directory: &Path, journal_id: [u8; 16], epoch: u64) -> io::Result<DurableMark> {
        let path = directory.join(directory::MARK);
        let file_bytes = SLOTS * PAGE_BYTES as u64;
        if fs::metadata(&path).map(|found| found.len()).unwrap_or(0) != file_bytes {
            directory::install(directory, directory::MARK, &[0; SLOTS as usize * PAGE_BYTES])?;
        }
        let generation = load(directory, &journal_id)?.map_or(0, |marked| marked.generation);
        let mut slot = Box::new(Slot::new_zeroed());
        slot.magic = MAGIC;
        slot.generation = U64::new(generation);
        slot.epoch = U64::new(epoch);
        slot.journal_id = journal_id;
        Ok(DurableMark { file: OpenOptions::new().write(true).open(path)?, slot })
    }

    /// Writes what just became durable into the older slot. Not synced: it must never delay an acknowledgement.
    pub fn write(&mut self, seq: u64, position: Position) -> io::Result<()> {
        let generation = self.slot.generation.get() + 1;
        self.slot.generation = U64::new(generation);
        self.slot.durable_seq = U64::new(seq);
        self.slot.durable_position = U64::new(position.word());
        self.slot.checksum = self.slot.checksum_due();
        self.file.write_all_at(self.slot.as_bytes(), generation % SLOTS * PAGE_BYTES as u64)
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mark = DurableMark::open(directory.path(), [9; 16], 1).expect("made");
        assert!(load(directory.path(), &[9; 16]).expect("read").is_none());
        mark.write(4, Position::new(1, 4096)).expect("written");
        mark.write(6, Position::new(1, 8192)).expect("written");
        assert_eq!(load(directory.path(), &[9; 16]).expect("read").expect("whole").seq, 6);
        assert!(load(directory.path(), &[8; 16]).expect("read").is_none(), "another journal's mark");
        mark.file.write_all_at(&[1], 100).expect("slot 0 torn");
        assert_eq!(load(directory.path(), &[9; 16]).expect("read").expect("whole").seq, 4);
    }
}
