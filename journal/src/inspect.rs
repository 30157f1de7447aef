//! What an operator sees of a journal without reading it: one summary for each segment file, and whether a writer stands
//! in it. Reads headers and the two ends of the data; whether what lies between verifies is `recovery`'s to say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::directory;
use crate::error::OpenError;
use crate::group::{SealReason, TRAILER_FRAME_BYTES};
use crate::identity::{self, Identity};
use crate::map;
use crate::record::{FRAME_HEADER_BYTES, FrameHeader, Kind};
use crate::retention;
use crate::scan::stray_trailers;
use crate::segment::{Layout, PAGE_BYTES, bytes_before_zeros, check_belongs, find_header};

/// What a segment is to the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Complete, and nothing in it yet.
    Spare,
    /// Holds groups and may get more.
    Active,
    /// Ended, and why: `rotation`, `clean close` or `recovery`.
    Sealed(&'static str),
    /// Its header does not verify, or its last group contradicts itself.
    Damaged(String),
}

/// One segment file. Sequence numbers and times are of its first and its last group; 0 where there is none.
#[derive(Clone, Debug)]
pub struct SegmentSummary {
    pub number: u64,
    pub path: PathBuf,
    /// Length of the file.
    pub bytes: u64,
    /// Up to the end of the last group, header included.
    pub used_bytes: u64,
    pub state: SegmentState,
    /// Of the writer that made the file.
    pub epoch: u64,
    pub created_ns: u64,
    pub group_alignment: u64,
    /// The first command is `first_seq`, the last `last_seq`; none in between when `first_seq` is the larger.
    pub first_seq: u64,
    pub last_seq: u64,
    pub first_ts_ns: u64,
    pub last_ts_ns: u64,
    /// Durable data was given up before it: its first record says so.
    pub begins_after_loss: bool,
}

/// A segment whose header has one copy left that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCopyDamaged {
    pub segment: u64,
    pub path: PathBuf,
    /// The pages of 4096 bytes of the copy that is whole and of the one that is not.
    pub whole_page: u64,
    pub damaged_page: u64,
}

/// Every segment of which one header copy does not verify: all of its data may be whole. One without a whole copy, or that
/// cannot be read, is for a walk to judge.
pub fn header_copies_damaged(directory: &Path) -> Result<Vec<HeaderCopyDamaged>, OpenError> {
    let identity = identity::load(directory)?;
    let numbers = retention::segments(directory, &identity)?;
    Ok(numbers.into_iter().filter_map(|number| header_copy_damaged(directory, number)).collect())
}

fn header_copy_damaged(directory: &Path, segment: u64) -> Option<HeaderCopyDamaged> {
    let path = directory::segment_path(directory, segment);
    let file = File::open(&path).ok()?;
    let pages = file.metadata().ok()?.len() / PAGE_BYTES as u64;
    let last_page = pages.checked_sub(1)?;
    let (mut first, mut last) = ([0; PAGE_BYTES], [0; PAGE_BYTES]);
    file.read_exact_at(&mut first, 0).ok()?;
    file.read_exact_at(&mut last, last_page * PAGE_BYTES as u64).ok()?;
    let found = find_header(&first, &last, &path).ok().filter(|found| found.copies_good < 2)?;
    let (whole_page, damaged_page) = if found.is_first_good { (0, last_page) } else { (last_page, 0) };
    Some(HeaderCopyDamaged { segment, path, whole_page, damaged_page })
}

/// Does a writer hold the lock? Asks without taking it.
pub fn is_being_written(directory: &Path) -> Result<bool, OpenError> {
    let path = directory.join(directory::LOCK);
    let failed = |source| OpenError::io("ask for the writer's lock", &path, source);
    match File::open(&path) {
        Ok(file) => map::is_locked(&file).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Every segment file of the journal by number, damaged ones among them. A number that is missing is for the caller to see.
pub fn segment_summaries(directory: &Path) -> Result<Vec<SegmentSummary>, OpenError> {
    let identity = identity::load(directory)?;
    let numbers = retention::segments(directory, &identity)?;
    numbers.into_iter().map(|number| summary(directory, &identity, number)).collect()
}

fn summary(directory: &Path, identity: &Identity, number: u64) -> Result<SegmentSummary, OpenError> {
    let path = directory::segment_path(directory, number);
    let failed = |error| OpenError::io("read the segment", &path, error);
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut found = SegmentSummary {
        number,
        path: path.clone(),
        bytes,
        used_bytes: 0,
        state: SegmentState::Spare,
        epoch: 0,
        created_ns: 0,
        group_alignment: 0,
        first_seq: 0,
        last_seq: 0,
        first_ts_ns: 0,
        last_ts_ns: 0,
        begins_after_loss: false,
    };
    match layout_of(&file, identity, &mut found) {
        Ok(layout) => look_at_ends(&file, &layout, &mut found).map_err(failed)?,
        Err(OpenError::Io { source, .. }) => return Err(failed(source)),
        Err(error) => found.state = SegmentState::Damaged(error.to_string()),
    }
    Ok(found)
}

fn layout_of(file: &File, identity: &Identity, found: &mut SegmentSummary) -> Result<Layout, OpenError> {
    let path = &found.path;
    let failed = |error| OpenError::io("read the segment", path, error);
    if found.bytes < 2 * PAGE_BYTES as u64 {
        return Err(OpenError::FileDamaged { path: path.clone() });
    }
    let (mut first, mut last) = ([0; PAGE_BYTES], [0; PAGE_BYTES]);
    file.read_exact_at(&mut first, 0).map_err(failed)?;
    file.read_exact_at(&mut last, found.bytes - PAGE_BYTES as u64).map_err(failed)?;
    let header = find_header(&first, &last, path)?.header;
    check_belongs(&header, identity, found.number, found.bytes, path)?;
    let layout = header.layout();
    (found.epoch, found.created_ns) = (header.epoch(), header.created_ns());
    (found.group_alignment, found.used_bytes) = (layout.alignment, layout.data_start);
    Ok(layout)
}

fn look_at_ends(file: &File, layout: &Layout, found: &mut SegmentSummary) -> io::Result<()> {
    let Some(last_byte) = last_not_zero(file, layout)? else {
        return Ok(());
    };
    let mut bytes = vec![0; (last_byte + 1).next_multiple_of(layout.alignment) as usize];
    // The last frame ends where the zeros begin, give or take the zeros at the end of its own hash. Where no frame ends
    // there, a group is being written or was torn, and the one before it may stand anywhere.
    let near = (last_byte + 1).saturating_sub(2 * TRAILER_FRAME_BYTES as u64).max(layout.data_start) & !7;
    let mut last = None;
    for from in [near, layout.data_start] {
        file.read_exact_at(&mut bytes[from as usize..], from)?;
        last = stray_trailers(&bytes, layout, from as usize).last();
        if last.is_some() {
            break;
        }
    }
    let Some((at, trailer)) = last else {
        found.state = SegmentState::Active;
        return Ok(());
    };
    let frame = FrameHeader::at(&bytes, at).expect("its checksum held");
    found.used_bytes = ((at + TRAILER_FRAME_BYTES) as u64).next_multiple_of(layout.alignment);
    (found.last_seq, found.last_ts_ns) = (trailer.last_seq.get(), frame.ts_ns.get());
    let mut start = [0; FRAME_HEADER_BYTES];
    file.read_exact_at(&mut start, layout.data_start)?;
    let first = FrameHeader::at(&start, 0).expect("the buffer is as long as a header");
    let is_command = first.kind.get() == Kind::Command as u16;
    (found.first_seq, found.first_ts_ns) = (first.seq.get() + u64::from(!is_command), first.ts_ns.get());
    found.begins_after_loss = first.kind.get() == Kind::Loss as u16;
    found.state = state_of(file, layout, trailer.start_offset.get())?;
    Ok(())
}

/// A seal is the only frame of its group.
fn state_of(file: &File, layout: &Layout, group: u64) -> io::Result<SegmentState> {
    let mut start = [0; FRAME_HEADER_BYTES + 16];
    if group < layout.data_start || group + start.len() as u64 > layout.data_end {
        return Ok(SegmentState::Damaged("its last group says that it starts elsewhere".to_owned()));
    }
    file.read_exact_at(&mut start, group)?;
    let header = FrameHeader::at(&start, 0).expect("the buffer is longer than a header");
    if header.kind.get() != Kind::Seal as u16 {
        return Ok(SegmentState::Active);
    }
    let reason = u32::from_le_bytes(start[FRAME_HEADER_BYTES + 8..][..4].try_into().expect("four bytes"));
    Ok(SegmentState::Sealed(match reason {
        reason if reason == SealReason::Rotation as u32 => "rotation",
        reason if reason == SealReason::CleanClose as u32 => "clean close",
        _ => "recovery",
    }))
}

/// The last byte of the groups area that is not zero.
fn last_not_zero(file: &File, layout: &Layout) -> io::Result<Option<u64>> {
    const STRIDE: u64 = 1 << 20;
    let mut buffer = vec![0; STRIDE as usize];
    let mut end = layout.data_end;
    while end > layout.data_start {
        let start = end.saturating_sub(STRIDE).max(layout.data_start);
        let part = &mut buffer[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(at) = bytes_before_zeros(part).checked_sub(1) {
            return Ok(Some(start + at as u64));
        }
        end = start;
    }
    Ok(None)
}
