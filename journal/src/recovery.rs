//! What a journal on disk is worth: walks every segment, finds the first group that does not verify and the
//! durable floor, and decides between a clean end, a torn tail and a refusal. Reads only; `repair` acts on it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::base;
use crate::bookmark::Bookmark;
use crate::cursor;
use crate::directory;
use crate::error::{Damage, Floor, FloorOrigin, OpenError};
use crate::group::GroupTrailer;
use crate::identity::{self, Identity};
use crate::map;
use crate::mark;
use crate::record::{Kind, Record};
use crate::retention::Loaded;
use crate::scan::{Fault, GroupFound, stray_trailers, verified_record_at, verify_group};
use crate::segment::{
    Layout, PAGE_BYTES, Position, SEGMENT_FIRST, bytes_before_zeros, check_belongs, find_header,
    header_of_shortened, is_zero, lengthen,
};
use crate::snapshot::{self, SnapshotHead};
use crate::tail::Tail;

/// Behind a header page: the widest alignment, and the page in which a group then starts.
const FIRST_GROUP_PAGES: usize = 17;

/// How the data ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No group was ever written.
    Empty,
    /// A seal: a clean close, or an end between two segments.
    Sealed,
    /// After a whole group, with nothing behind it.
    WholeGroup,
    /// Bytes that do not verify and were never durable.
    Torn { fault: Fault, bytes: u64, whole_groups_beyond: u64 },
}

/// What `Writer::open` would find. Nothing is modified by finding it.
#[derive(Clone, Debug)]
pub struct Survey {
    pub identity: Identity,
    pub last_seq: u64,
    pub last_ts_ns: u64,
    pub epoch: u64,
    pub chain: [u8; 32],
    pub commands: u64,
    pub records: u64,
    pub groups: u64,
    /// Segments that hold data.
    pub segments: u64,
    pub floor: Floor,
    pub ending: Ending,
    /// Where the verified data ends.
    pub end: Position,
    /// Headers of which only one of the two copies verified.
    pub header_copies_damaged: u64,
    pub(crate) tail: Tail,
    /// The last segment with data.
    pub(crate) last: Option<Layout>,
    /// The prepared ones behind it.
    pub(crate) spares: Vec<Layout>,
}

/// Verifies the journal in `directory` and hands each record of each whole group to `replay`, in order.
pub fn survey(
    directory: &Path,
    identity_expected: Option<&Identity>,
    replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
) -> Result<Survey, OpenError> {
    survey_from(directory, identity_expected, None, replay)
}

/// The same from a bookmark on: what is before it is neither read nor counted, and must be what it says.
pub fn survey_from(
    directory: &Path,
    identity_expected: Option<&Identity>,
    start: Option<&Bookmark>,
    replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
) -> Result<Survey, OpenError> {
    let identity = identity::load(directory)?;
    if let Some(field) = identity_expected.and_then(|expected| expected.difference(&identity)) {
        return Err(OpenError::OtherJournal { path: directory.join(directory::IDENTITY), field });
    }
    let marked = marked(directory, &identity)?;
    let base = base::load(directory, &identity.journal_id)?;
    let first = base.map_or(SEGMENT_FIRST, |base| base.position.segment());
    let numbers = directory::segment_numbers(directory)
        .map_err(|error| OpenError::io("list the segments", directory, error))?;
    let floor = promised(directory, &identity, marked, base)?;
    let is_new = marked.is_some_and(|marked| marked.position == Position::default());
    let start = Start::new(&identity, base, start);
    if start.first < first {
        return Err(missing(directory, start.first));
    }
    let (walk_from, follows_data) = (start.first, start.follows_data);
    let unsealed_from = drop_unsealed(directory, &numbers);
    let mut surveyor = Surveyor::new(directory, identity, floor, start, replay);
    let mut due = first;
    for &number in numbers.iter().filter(|number| **number >= first) {
        if number != due {
            return Err(missing(directory, due));
        }
        if number >= walk_from {
            if number < unsealed_from {
                read_ahead(directory, number + 1);
            }
            surveyor.segment(number).map_err(|error| surveyor.with_whole_floor(error, &numbers))?;
        }
        due += 1;
    }
    // Only a creation that was cut short leaves a mark of nothing and no segment.
    let has_segments = due > first;
    if due <= walk_from && (has_segments || follows_data || !is_new) {
        return Err(missing(directory, due));
    }
    surveyor.verdict()
}

/// Drops the clean cached pages of every segment that may not be durable: after a failed sync they may show data that the
/// disk does not have. Those are the last one with data and what lies behind it: the writer syncs a seal before it goes on.
/// Returns the first of them.
fn drop_unsealed(directory: &Path, numbers: &[u64]) -> u64 {
    let mut oldest = u64::MAX;
    for number in numbers.iter().rev() {
        oldest = *number;
        // A file that cannot be read is judged when its turn comes.
        let Ok(file) = File::open(directory::segment_path(directory, *number)) else { break };
        map::drop_cache(&file);
        if !is_spare(&file).unwrap_or(false) {
            break;
        }
    }
    oldest
}

/// Whether nothing stands where a first group would.
fn is_spare(file: &File) -> io::Result<bool> {
    let pages = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)? / PAGE_BYTES;
    let mut start = [0; FIRST_GROUP_PAGES * PAGE_BYTES];
    let start = &mut start[..pages.saturating_sub(2).min(FIRST_GROUP_PAGES) * PAGE_BYTES];
    file.read_exact_at(start, PAGE_BYTES as u64)?;
    Ok(is_zero(start))
}

/// Has the disk bring the next segment while this one is verified. Advice only.
fn read_ahead(directory: &Path, number: u64) {
    if let Ok(file) = File::open(directory::segment_path(directory, number)) {
        map::read_ahead(&file);
    }
}

fn marked(directory: &Path, identity: &Identity) -> Result<Option<mark::Marked>, OpenError> {
    mark::load(directory, &identity.journal_id)
        .map_err(|error| OpenError::io("read the durable mark", &directory.join(directory::MARK), error))
}

/// The durable floor as far as it is known without looking into a segment.
fn promised(
    directory: &Path,
    identity: &Identity,
    marked: Option<mark::Marked>,
    base: Option<Bookmark>,
) -> Result<Floor, OpenError> {
    let mut floor = Floor { seq: 0, position: Position::default(), origin: FloorOrigin::Nothing };
    let mut raise = |seq, position, origin| {
        if position > floor.position {
            floor = Floor { seq, position, origin };
        }
    };
    if let Some(marked) = marked {
        raise(marked.seq, marked.position, FloorOrigin::Mark);
    }
    if let Some(base) = base {
        raise(base.seq, base.position, FloorOrigin::Base);
    }
    let failed = |what, path: PathBuf| move |error| OpenError::io(what, &path, error);
    let consumers = cursor::cursors(directory, &identity.journal_id)
        .map_err(failed("list the cursors", directory.join(directory::CURSORS)))?;
    for (name, at) in consumers.iter().filter_map(|cursor| Some((cursor.name, cursor.bookmark?))) {
        raise(at.seq, at.position, FloorOrigin::Cursor(name));
    }
    let seqs = snapshot::snapshot_seqs(directory)
        .map_err(failed("list the snapshots", snapshot::snapshots_directory(directory)))?;
    for seq in seqs {
        // One that does not verify says nothing.
        let head = SnapshotHead::load(&snapshot::snapshot_path(directory, seq)).ok();
        if let Some(head) = head.filter(|head| head.check_belongs(identity).is_ok()) {
            raise(head.bookmark.seq, head.bookmark.position, FloorOrigin::Snapshot(seq));
        }
    }
    Ok(floor)
}

fn missing(directory: &Path, segment: u64) -> OpenError {
    OpenError::SegmentMissing { path: directory::segment_path(directory, segment), segment }
}

/// Where the walk through a segment stopped.
struct Stop {
    layout: Layout,
    offset: u64,
    /// None after a seal.
    fault: Option<Fault>,
    /// Bytes up to the last that is not zero.
    rest_bytes: u64,
    whole_groups_beyond: u64,
}

/// Where the walk begins.
struct Start {
    /// The first segment that is looked into, and the state before it or before the bookmark.
    first: u64,
    tail: Tail,
    bookmark: Option<Bookmark>,
    /// Groups stand before it, so their end must be there.
    follows_data: bool,
}

impl Start {
    fn new(identity: &Identity, base: Option<Bookmark>, bookmark: Option<&Bookmark>) -> Start {
        match bookmark.copied().or(base) {
            None => Start {
                first: SEGMENT_FIRST,
                tail: Tail::genesis(identity.chain_genesis()),
                bookmark: None,
                follows_data: false,
            },
            Some(from) => Start {
                first: from.position.segment(),
                tail: from.tail(),
                bookmark: bookmark.copied(),
                follows_data: true,
            },
        }
    }
}

struct Surveyor<'a> {
    directory: &'a Path,
    start: Start,
    replay: &'a mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    /// One buffer for all segments: reading, unlike mapping, turns a bad sector into an error.
    buffer: Vec<u8>,
    /// The segment at hand is shorter than its header says.
    is_shortened: bool,
    found: Survey,
    stop: Option<Stop>,
}

impl<'a> Surveyor<'a> {
    fn new(
        directory: &'a Path,
        identity: Identity,
        floor: Floor,
        start: Start,
        replay: &'a mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    ) -> Surveyor<'a> {
        let tail = start.tail;
        let found = Survey {
            identity,
            last_seq: 0,
            last_ts_ns: 0,
            epoch: 0,
            chain: tail.chain,
            commands: 0,
            records: 0,
            groups: 0,
            segments: 0,
            floor,
            ending: Ending::Empty,
            end: Position::default(),
            header_copies_damaged: 0,
            tail,
            last: None,
            spares: Vec::new(),
        };
        Surveyor { directory, start, replay, buffer: Vec::new(), is_shortened: false, found, stop: None }
    }

    fn segment(&mut self, number: u64) -> Result<(), OpenError> {
        let path = directory::segment_path(self.directory, number);
        let file = self.read(&path).map_err(|error| OpenError::io("read the segment", &path, error))?;
        self.is_shortened = false;
        if let Some(header) = header_of_shortened(&self.buffer) {
            // What is missing is judged as nothing.
            lengthen(&mut self.buffer, &header);
            self.is_shortened = true;
        }
        let bytes = std::mem::take(&mut self.buffer);
        let result = self.judge_segment(number, &path, &bytes);
        self.buffer = bytes;
        if self.found.spares.last().is_some_and(|spare| spare.segment == number) {
            map::drop_cache(&file);
        }
        result
    }

    fn read(&mut self, path: &Path) -> io::Result<File> {
        let file = File::open(path)?;
        let bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        self.buffer.resize(bytes, 0);
        file.read_exact_at(&mut self.buffer, 0)?;
        Ok(file)
    }

    fn judge_segment(&mut self, number: u64, path: &Path, bytes: &[u8]) -> Result<(), OpenError> {
        if bytes.len() < 2 * PAGE_BYTES {
            return Err(OpenError::FileDamaged { path: path.to_owned() });
        }
        let (first, last) = (&bytes[..PAGE_BYTES], &bytes[bytes.len() - PAGE_BYTES..]);
        let found = find_header(first, last, path)?;
        check_belongs(&found.header, &self.found.identity, number, bytes.len() as u64, path)?;
        self.found.header_copies_damaged += u64::from(found.copies_good < 2);
        let layout = found.header.layout();
        let start = layout.data_start as usize;
        if let Some(bookmark) = self.start.bookmark.filter(|bookmark| bookmark.position.segment() == number) {
            return self.walk_from(&bookmark, layout, path, bytes);
        }
        if is_zero(&bytes[PAGE_BYTES..bytes.len() - PAGE_BYTES]) {
            if self.is_shortened {
                return Err(self.damage(layout, layout.data_start, Fault::Shortened, self.found.floor));
            }
            self.found.spares.push(layout);
            return Ok(());
        }
        self.check_predecessor(number)?;
        if !is_zero(&bytes[PAGE_BYTES..start]) {
            return Err(self.damage(layout, 0, Fault::NotZero, self.found.floor));
        }
        self.walk(layout, path, bytes, start)
    }

    /// The walk begins inside this segment, or at its start, behind groups that are not read again.
    fn walk_from(
        &mut self,
        bookmark: &Bookmark,
        layout: Layout,
        path: &Path,
        bytes: &[u8],
    ) -> Result<(), OpenError> {
        let Some(anchor) = bookmark.anchor(bytes, &layout) else {
            let path = path.to_owned();
            return Err(OpenError::BookmarkRefused { path, bookmark: Box::new(*bookmark) });
        };
        let offset = bookmark.position.offset().max(layout.data_start) as usize;
        if anchor.sealed {
            return self.rest(layout, bytes, offset, None);
        }
        self.walk(layout, path, bytes, offset)
    }

    /// A segment with data is believed only behind a sealed one: the writer syncs the seal before it goes on.
    fn check_predecessor(&mut self, number: u64) -> Result<(), OpenError> {
        let reached = |stop: &Stop| stop.layout.segment + 1 == number && stop.fault.is_none();
        if self.stop.as_ref().is_some_and(reached) || (self.stop.is_none() && number == self.start.first) {
            return Ok(());
        }
        let (layout, offset, fault) = match (&self.stop, self.found.spares.first().copied()) {
            (Some(stop), None) => (stop.layout, stop.offset, stop.fault.unwrap_or(Fault::Nothing)),
            (_, Some(spare)) => (spare, spare.data_start, Fault::Nothing),
            (None, None) => return Err(missing(self.directory, self.start.first)),
        };
        let floor = Floor {
            seq: self.found.tail.seq,
            position: Position::new(number, 0),
            origin: FloorOrigin::NextSegment(number),
        };
        Err(self.damage(layout, offset, fault, floor))
    }

    fn walk(&mut self, layout: Layout, path: &Path, bytes: &[u8], start: usize) -> Result<(), OpenError> {
        let mut offset = start;
        let fault = loop {
            match verify_group(bytes, &layout, offset, &self.found.tail) {
                Ok(group) => {
                    self.accept(&layout, bytes, offset, &group)?;
                    offset = group.end;
                    if group.sealed {
                        break None;
                    }
                }
                Err(Fault::Newer { kind, version }) => {
                    let what = format!("frame kind {kind} version {version} in the group at offset {offset}");
                    return Err(OpenError::NewerFormat { path: path.to_owned(), what });
                }
                Err(fault) => break Some(fault),
            }
        };
        self.rest(layout, bytes, offset, fault)
    }

    fn accept(
        &mut self,
        layout: &Layout,
        bytes: &[u8],
        start: usize,
        group: &GroupFound,
    ) -> Result<(), OpenError> {
        let mut at = start;
        while at < group.trailer_offset {
            let (record, next) = verified_record_at(bytes, at);
            if let Some(record) = record {
                (self.replay)(&record).map_err(|reason| OpenError::Replay { seq: record.seq, reason })?;
                self.found.records += 1;
                self.found.commands += u64::from(record.kind == Kind::Command);
            }
            at = next;
        }
        self.found.groups += 1;
        self.found.tail = group.tail;
        let place = layout.position(group.trailer_offset as u64);
        self.raise_floor(group.durable_seq, group.durable_position, place);
        Ok(())
    }

    fn raise_floor(&mut self, seq: u64, position: Position, told_by: Position) {
        if position > self.found.floor.position {
            self.found.floor = Floor { seq, position, origin: FloorOrigin::Group(told_by) };
        }
    }

    /// Looks through everything behind the last good group.
    fn rest(
        &mut self,
        layout: Layout,
        bytes: &[u8],
        offset: usize,
        fault: Option<Fault>,
    ) -> Result<(), OpenError> {
        let data = &bytes[offset..bytes.len() - PAGE_BYTES];
        let rest_bytes = bytes_before_zeros(data) as u64;
        if fault.is_none() && rest_bytes > 0 {
            let position = layout.position(offset as u64);
            let floor = Floor { seq: self.found.tail.seq, position, origin: FloorOrigin::Seal(position) };
            return Err(self.damage(layout, offset as u64, Fault::BehindSeal, floor));
        }
        let mut whole_groups_beyond = 0;
        if rest_bytes > 0 {
            for (at, trailer) in stray_trailers(bytes, &layout, offset) {
                whole_groups_beyond += 1;
                let position = Position::from_word(trailer.durable_position.get());
                self.raise_floor(trailer.durable_seq.get(), position, layout.position(at as u64));
            }
        }
        if self.is_shortened {
            return Err(self.damage(layout, offset as u64, Fault::Shortened, self.found.floor));
        }
        self.found.last = Some(layout);
        self.found.segments += 1;
        self.stop = Some(Stop { layout, offset: offset as u64, fault, rest_bytes, whole_groups_beyond });
        Ok(())
    }

    fn damage(&self, layout: Layout, offset: u64, fault: Fault, floor: Floor) -> OpenError {
        let segment = layout.segment;
        let path = directory::segment_path(self.directory, segment);
        let last_good_seq = self.found.tail.seq;
        OpenError::Damaged(Box::new(Damage { path, segment, offset, fault, last_good_seq, floor }))
    }

    /// A walk that stopped knows only what shows the damage. How much was promised stands in everything that was read, and in
    /// the segments behind, of which the last one with a group frame says the most.
    fn with_whole_floor(&self, error: OpenError, numbers: &[u64]) -> OpenError {
        let OpenError::Damaged(mut damage) = error else { return error };
        let behind = numbers.iter().rev().take_while(|number| **number > damage.segment);
        let told = behind.copied().find_map(|number| {
            let Loaded { bytes, layout } = Loaded::read(self.directory, &self.found.identity, number).ok()?;
            let frames = stray_trailers(&bytes, &layout, layout.data_start as usize);
            frames.map(|(at, trailer)| floor_of(&trailer, layout.position(at as u64))).max_by_key(by_place)
        });
        let known = [Some(damage.floor), Some(self.found.floor), told];
        damage.floor = known.into_iter().flatten().max_by_key(by_place).expect("the first is there");
        OpenError::Damaged(damage)
    }

    fn verdict(mut self) -> Result<Survey, OpenError> {
        let tail = self.found.tail;
        (self.found.last_seq, self.found.last_ts_ns) = (tail.seq, tail.ts_ns);
        (self.found.epoch, self.found.chain) = (tail.epoch, tail.chain);
        let Some(stop) = self.stop.take() else {
            return self.verdict_on_nothing();
        };
        self.found.end = stop.layout.position(stop.offset);
        // By position, not by seq: a group that holds only marks is durable data as well.
        if self.found.floor.position > self.found.end {
            let fault = stop.fault.unwrap_or(Fault::Nothing);
            return Err(self.damage(stop.layout, stop.offset, fault, self.found.floor));
        }
        self.found.ending = match stop.fault {
            None => Ending::Sealed,
            Some(_) if stop.rest_bytes == 0 => Ending::WholeGroup,
            Some(fault) => {
                Ending::Torn { fault, bytes: stop.rest_bytes, whole_groups_beyond: stop.whole_groups_beyond }
            }
        };
        Ok(self.found)
    }

    /// No segment holds data, which is right only if nothing was ever durable.
    fn verdict_on_nothing(self) -> Result<Survey, OpenError> {
        match self.found.spares.first().copied() {
            Some(first)
                if self.start.follows_data
                    || self.found.floor.position > first.position(first.data_start) =>
            {
                Err(self.damage(first, first.data_start, Fault::Nothing, self.found.floor))
            }
            _ => Ok(self.found),
        }
    }
}

fn by_place(floor: &Floor) -> Position {
    floor.position
}

fn floor_of(trailer: &GroupTrailer, told_by: Position) -> Floor {
    Floor {
        seq: trailer.durable_seq.get(),
        position: Position::from_word(trailer.durable_position.get()),
        origin: FloorOrigin::Group(told_by),
    }
}

pub(crate) fn torn_path(directory: &Path, end: Position) -> PathBuf {
    let name = format!("{:020}-{:011}", end.segment(), end.offset());
    directory.join(directory::TORN).join(name)
}
