//! Follows a journal from outside: maps segments read-only, never looks beyond a published watermark, and
//! verifies all that it hands out. Takes no lock and can delay nobody. Waiting is the caller's business.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::base;
use crate::bookmark::Bookmark;
use crate::directory;
use crate::error::{OpenError, ReadError};
use crate::group::TRAILER_FRAME_BYTES;
use crate::identity::{self, Identity};
use crate::map::SegmentMap;
use crate::record::Record;
use crate::scan::{Fault, GroupFound, record_at, verify_group};
use crate::segment::{Layout, PAGE_BYTES, Position, SEGMENT_FIRST, check_belongs, find_header};
use crate::tail::Tail;
use crate::watermark::Watermarks;

/// How far a reader may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// To D: what is handed out is never taken back, but by an operator's word.
    Durable,
    /// To W: a power cut, or a failed sync, may take back what is beyond D.
    Written,
}

/// One follower, from the first record on or from a bookmark.
pub struct Reader {
    directory: PathBuf,
    identity: Identity,
    watermarks: Watermarks,
    layout: Layout,
    map: SegmentMap,
    /// Where the next group starts, and the state before it.
    next_group: usize,
    tail: Tail,
    segment_start: Bookmark,
    /// Where the group starts that is being handed out.
    group_start: Bookmark,
    /// Frames of a verified group that are still to be handed out.
    frame: usize,
    frames_end: usize,
    /// Where the `Group` frame of the last verified group of this segment stands, and what it was.
    trailer: Option<(usize, [u8; TRAILER_FRAME_BYTES])>,
    /// The last group of this segment was its seal.
    sealed: bool,
    epoch: u64,
    /// The furthest D that was seen.
    durable_seen: Position,
    position_seq: u64,
}

impl Reader {
    /// From the first record that the journal still holds.
    pub fn open(directory: &Path) -> Result<Reader, ReadError> {
        let identity = identity::load(directory)?;
        let base = base::load(directory, &identity.journal_id)?;
        let start = base.map_or((SEGMENT_FIRST, Tail::genesis(identity.chain_genesis())), |base| {
            (base.position.segment(), base.tail())
        });
        Reader::begin(directory, identity, start, None)
    }

    /// From a bookmark of the same journal on: the first record handed out is the one behind it. A bookmark of another
    /// history, or one that lies beyond what is published, is refused.
    pub fn open_at(directory: &Path, start: &Bookmark) -> Result<Reader, ReadError> {
        let identity = identity::load(directory)?;
        Reader::begin(directory, identity, (start.position.segment(), start.tail()), Some(start))
    }

    fn begin(
        directory: &Path,
        identity: Identity,
        (segment, tail): (u64, Tail),
        at: Option<&Bookmark>,
    ) -> Result<Reader, ReadError> {
        let watermarks = map_watermarks(directory)?;
        let (map, layout) = map_segment(directory, &identity, segment).map_err(|error| match segment {
            SEGMENT_FIRST => lost_or_yet_to_come(error, directory, watermarks.epoch()),
            later => missing(later)(error),
        })?;
        let segment_start = Bookmark::new(layout.position(layout.data_start), &tail);
        let mut reader = Reader {
            directory: directory.to_owned(),
            segment_start,
            group_start: at.copied().unwrap_or(segment_start),
            tail,
            identity,
            epoch: watermarks.epoch(),
            durable_seen: Position::default(),
            watermarks,
            map,
            next_group: layout.data_start as usize,
            layout,
            frame: 0,
            frames_end: 0,
            trailer: None,
            sealed: false,
            position_seq: tail.seq,
        };
        if let Some(bookmark) = at {
            reader.advance_to(bookmark)?;
        }
        Ok(reader)
    }

    /// Steps over everything before `bookmark`, which lies in the segment that is mapped.
    fn advance_to(&mut self, bookmark: &Bookmark) -> Result<(), ReadError> {
        let written = self.watermarks.written_position();
        let refused = || ReadError::BookmarkRefused { bookmark: *bookmark, written };
        if bookmark.is_at_start_of(&self.layout) {
            return Ok(());
        }
        let offset = bookmark.position.offset();
        if written < bookmark.position || offset > self.layout.data_end {
            return Err(refused());
        }
        let bytes = self.map.published(offset as usize);
        let anchor = bookmark.anchor(bytes, &self.layout).ok_or_else(refused)?;
        self.next_group = offset as usize;
        self.sealed = anchor.sealed;
        if let Some(at) = anchor.trailer_offset {
            self.remember_trailer(at);
        }
        Ok(())
    }

    /// Hands out up to `records_max` records that lie within `limit` and returns how many. If `visit` refuses
    /// one, it stays where it is and comes again.
    pub fn poll(
        &mut self,
        limit: Limit,
        records_max: usize,
        visit: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    ) -> Result<usize, ReadError> {
        self.check_restart()?;
        let mut count = 0;
        while count < records_max {
            if self.frame < self.frames_end {
                match self.hand_out(visit)? {
                    Some(handed_out) => count += handed_out,
                    None => break,
                }
            } else if !self.next_group(limit)? {
                break;
            }
        }
        Ok(count)
    }

    /// Hands out the whole next group if it lies within `limit` and ends at or below `seq_max`; true if there was one.
    pub fn poll_group(
        &mut self,
        limit: Limit,
        seq_max: u64,
        visit: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    ) -> Result<bool, ReadError> {
        self.check_restart()?;
        while self.frame >= self.frames_end {
            if !self.next_group(limit)? {
                return Ok(false);
            }
        }
        if self.tail.seq > seq_max {
            return Ok(false);
        }
        while self.frame < self.frames_end {
            if self.hand_out(visit)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands out the next frame of the group and returns how many records it was; none when it is gone.
    fn hand_out(
        &mut self,
        visit: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    ) -> Result<Option<usize>, ReadError> {
        let bytes = self.map.published(self.frames_end);
        let (record, next) = match record_at(bytes, &self.layout, self.frame) {
            Ok(found) => found,
            Err(fault) => {
                let group_end = self.layout.position(self.next_group as u64);
                return self.not_verified(fault, group_end, self.frame).map(|_| None);
            }
        };
        let handed_out = usize::from(record.is_some());
        if let Some(record) = record {
            visit(&record).map_err(|reason| ReadError::Visit { seq: record.seq, reason })?;
            self.position_seq = record.seq;
        }
        self.frame = next;
        Ok(Some(handed_out))
    }

    /// Verifies the next group within the limit; false when there is none yet.
    fn next_group(&mut self, limit: Limit) -> Result<bool, ReadError> {
        let end = match limit {
            Limit::Durable => self.watermarks.durable_position(),
            Limit::Written => self.watermarks.written_position(),
        };
        let here = self.layout.position(self.next_group as u64);
        if limit == Limit::Durable && end != Position::default() {
            // Only an accepted loss takes D back.
            if end < self.durable_seen {
                return Err(ReadError::Rewound { position_seq: self.position_seq });
            }
            self.durable_seen = end;
        }
        if end <= here {
            return self.nothing_more(limit, end, here);
        }
        if self.sealed {
            // Only now: until the writer is in the next segment, a recovery may still make it anew.
            let moved_on = end.segment() > self.layout.segment;
            if moved_on {
                self.enter_next_segment()?;
            }
            return Ok(moved_on);
        }
        let same_segment = end.segment() == self.layout.segment;
        if same_segment && end.offset() > self.layout.data_end {
            let path = self.directory.join(directory::CONTROL);
            return Err(ReadError::WatermarkDamaged { path, position: end });
        }
        let published_end = if same_segment { end.offset() } else { self.layout.data_end };
        let bytes = self.map.published(published_end as usize);
        match verify_group(bytes, &self.layout, self.next_group, &self.tail) {
            Ok(group) => self.enter(&group),
            Err(fault) => self.not_verified(fault, end, self.next_group),
        }
    }

    /// W below a reader that follows W means that a writer gave records up.
    fn nothing_more(&self, limit: Limit, end: Position, here: Position) -> Result<bool, ReadError> {
        if limit == Limit::Written && end < here && end != Position::default() && self.trailer.is_some() {
            return Err(ReadError::Rewound { position_seq: self.position_seq });
        }
        Ok(false)
    }

    fn enter(&mut self, group: &GroupFound) -> Result<bool, ReadError> {
        self.remember_trailer(group.trailer_offset);
        self.group_start = Bookmark::new(self.layout.position(self.next_group as u64), &self.tail);
        (self.frame, self.frames_end) = (self.next_group, group.trailer_offset);
        self.next_group = group.end;
        self.tail = group.tail;
        self.sealed = group.sealed;
        Ok(true)
    }

    fn remember_trailer(&mut self, at: usize) {
        let mut trailer = [0; TRAILER_FRAME_BYTES];
        trailer.copy_from_slice(&self.map.published(at + TRAILER_FRAME_BYTES)[at..]);
        self.trailer = Some((at, trailer));
    }

    fn enter_next_segment(&mut self) -> Result<(), ReadError> {
        let next = self.layout.segment + 1;
        let (map, layout) = map_segment(&self.directory, &self.identity, next).map_err(missing(next))?;
        (self.map, self.next_group, self.layout) = (map, layout.data_start as usize, layout);
        (self.frame, self.frames_end, self.trailer, self.sealed) = (0, 0, None, false);
        self.segment_start = Bookmark::new(self.layout.position(self.layout.data_start), &self.tail);
        Ok(())
    }

    /// Either the bytes are damaged, or a writer is recovering under our eyes: it lowers W before it zeroes, and
    /// then the next poll looks again.
    fn not_verified(&mut self, fault: Fault, end: Position, offset: usize) -> Result<bool, ReadError> {
        if self.watermarks.epoch() != self.epoch {
            self.check_restart()?;
            return Ok(false);
        }
        let written = self.watermarks.written_position();
        if written < self.layout.position(self.next_group as u64) {
            return Err(ReadError::Rewound { position_seq: self.position_seq });
        }
        if written < end {
            return Ok(false);
        }
        Err(ReadError::Damaged {
            path: directory::segment_path(&self.directory, self.layout.segment),
            segment: self.layout.segment,
            offset: offset as u64,
            fault,
            last_good_seq: self.tail.seq,
        })
    }

    /// A new writer may have cut groups that were beyond D, or, by an operator's word, below it; whole segments then went
    /// elsewhere, and what has their names is new. Our group is kept if its closing frame still stands where it stood.
    fn check_restart(&mut self) -> Result<(), ReadError> {
        let epoch = self.watermarks.epoch();
        if epoch == self.epoch {
            return Ok(());
        }
        self.epoch = epoch;
        let stands = self.has_its_segment()?
            && self.trailer.as_ref().is_none_or(|(offset, trailer)| {
                self.map.published(offset + TRAILER_FRAME_BYTES)[*offset..] == *trailer
            });
        if stands { Ok(()) } else { Err(ReadError::Rewound { position_seq: self.position_seq }) }
    }

    /// Whether the segment that is mapped is the one that has its name. One that retention has removed was part of the
    /// history and is read to its end.
    fn has_its_segment(&self) -> Result<bool, ReadError> {
        let segment = self.layout.segment;
        match map_segment(&self.directory, &self.identity, segment).map_err(missing(segment)) {
            Ok((_, layout)) => Ok(layout == self.layout),
            Err(OpenError::SegmentMissing { .. }) => {
                let base = base::load(&self.directory, &self.identity.journal_id)?;
                Ok(base.is_some_and(|base| base.position.segment() > segment))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The seq of the last record handed out.
    pub fn position_seq(&self) -> u64 {
        self.position_seq
    }

    /// The start of the segment that is being read.
    pub fn segment_start(&self) -> Bookmark {
        self.segment_start
    }

    /// The start of the group that is being handed out, or was last: all that is still to come stands behind it.
    pub fn group_start(&self) -> Bookmark {
        self.group_start
    }

    /// Where this reader stands, once the last group that it entered was handed out to its end.
    pub fn bookmark(&self) -> Option<Bookmark> {
        let is_between_groups = self.frame >= self.frames_end;
        is_between_groups.then(|| Bookmark::new(self.layout.position(self.next_group as u64), &self.tail))
    }

    /// The chain value of the last group that was entered.
    pub fn chain(&self) -> [u8; 32] {
        self.tail.chain
    }

    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }
}

/// A first segment that is not there was lost if a writer ever stood in this journal: one makes it before it publishes
/// its epoch. Otherwise the journal is still being made, or its making was cut short.
fn lost_or_yet_to_come(error: OpenError, directory: &Path, epoch: u64) -> OpenError {
    let is_new = epoch == 0 && directory::segment_numbers(directory).is_ok_and(|found| found.is_empty());
    if is_new { error } else { missing(SEGMENT_FIRST)(error) }
}

/// Where the segment must be, its absence is damage.
fn missing(segment: u64) -> impl FnOnce(OpenError) -> OpenError {
    move |error| match error {
        OpenError::Io { path, source, .. } if source.kind() == io::ErrorKind::NotFound => {
            OpenError::SegmentMissing { path, segment }
        }
        other => other,
    }
}

pub(crate) fn map_watermarks(directory: &Path) -> Result<Watermarks, OpenError> {
    let path = directory.join(directory::CONTROL);
    Watermarks::open(directory).map_err(|error| OpenError::io("map the watermarks", &path, error))
}

pub(crate) fn map_segment(
    directory: &Path,
    identity: &Identity,
    number: u64,
) -> Result<(SegmentMap, Layout), OpenError> {
    let path = directory::segment_path(directory, number);
    let failed = |error: io::Error| OpenError::io("map the segment", &path, error);
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes < 2 * PAGE_BYTES as u64 {
        return Err(OpenError::FileDamaged { path });
    }
    let mut pages = [0; 2 * PAGE_BYTES];
    let (first, last) = pages.split_at_mut(PAGE_BYTES);
    file.read_exact_at(first, 0).map_err(failed)?;
    file.read_exact_at(last, bytes - PAGE_BYTES as u64).map_err(failed)?;
    let header = find_header(first, last, &path)?.header;
    check_belongs(&header, identity, number, bytes, &path)?;
    let map = SegmentMap::map(&file, bytes as usize, number).map_err(failed)?;
    Ok((map, header.layout()))
}
