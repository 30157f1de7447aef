//! The one writer: appends records into an open group's image, closes groups, syncs, and rotates segments.
//! Knows when W and D may move; knows nothing of who waits for them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::background::Background;
use crate::base;
use crate::bookmark::Bookmark;
use crate::directory;
use crate::error::{OpenError, WriteError};
use crate::group::{Image, Placement, SealReason, TRAILER_FRAME_BYTES};
use crate::identity::{self, Identity, Options};
use crate::lock::Lock;
use crate::mark::DurableMark;
use crate::prepare::{Mould, Prepared, Preparer, now_ns};
use crate::record::{Kind, RECORD_PAYLOAD_BYTES_MAX, Record, frame_bytes};
use crate::recovery::survey_from;
use crate::repair::{Recovery, Repaired, repair, seal_image};
use crate::segment::{Layout, Position};
use crate::storage::Storage;
use crate::surrender::{Acceptance, Surrender, refuse_if_pending, surrender};
use crate::tail::Tail;
use crate::watermark::Watermarks;

/// The image's size at the start. It doubles when one group needs more, up to what a segment holds.
const IMAGE_BYTES_AT_START: u64 = 4 << 20;

/// What a writer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of the active segment.
    pub left_bytes: u64,
    /// Of a whole one.
    pub segment_bytes: u64,
    /// Whole ones that are ready.
    pub spares: usize,
    /// A spare or the reserve is missing, and the last attempt to make it failed.
    pub is_short: bool,
}

/// Appends to a journal. Dropping it without [`Writer::close`] is a crash: the open group is gone, and the next
/// open recovers the rest.
pub struct Writer {
    storage: Box<dyn Storage>,
    preparer: Preparer,
    active: Layout,
    /// Where the next group goes in the active segment.
    next_group: u64,
    image: Image,
    seal: Image,
    /// After the last closed group, and after the last appended record.
    closed: Tail,
    open: Tail,
    written: (u64, Position),
    durable: (u64, Position),
    mark: DurableMark,
    background: Option<Background>,
    /// Up to where the sync beside this thread reaches; none when there is none.
    syncing: Option<(u64, Position)>,
    watermarks: Arc<Watermarks>,
    /// The active segment has ended, and none follows it yet.
    sealed: bool,
    poisoned: bool,
    /// Dropped last: until then no other writer may start.
    _lock: Lock,
}

impl Writer {
    /// Makes a new journal. The directory is made if need be and must hold no journal.
    pub fn create(directory: &Path, identity: &Identity, options: &Options) -> Result<Writer, OpenError> {
        Writer::create_with(directory, identity, options, options.back_end.storage())
    }

    /// The same over storage of the caller's.
    pub fn create_with(
        directory: &Path,
        identity: &Identity,
        options: &Options,
        storage: Box<dyn Storage>,
    ) -> Result<Writer, OpenError> {
        options.check()?;
        let failed = |error| OpenError::io("create the journal", directory, error);
        directory::create(directory).map_err(failed)?;
        let lock = Lock::take(directory)?;
        match identity::load(directory) {
            Err(OpenError::NotAJournal { .. }) => {}
            Err(error @ OpenError::IdentityMissing { .. }) => return Err(error),
            _ => return Err(OpenError::AlreadyAJournal { path: directory.to_owned() }),
        }
        // A mark of nothing, then the name, then segments: with this order a crash leaves an empty journal or none.
        let mut mark = DurableMark::open(directory, identity.journal_id, 0).map_err(failed)?;
        mark.write(0, Position::default()).and_then(|()| mark.sync()).map_err(failed)?;
        base::prepare(directory).map_err(failed)?;
        identity::install(directory, identity, now_ns()).map_err(failed)?;
        let (writer, _) =
            Writer::recover(directory, Some(identity), None, options, &mut |_| Ok(()), storage, lock)?;
        Ok(writer)
    }

    /// Recovers; hands every surviving record (not `Seal`, `Group`, `Pad`) in order to `replay`. An error from
    /// `replay` refuses the open. When an error comes back, whatever was replayed must be thrown away: the
    /// records are handed out as their groups verify, before the verdict on the journal's end is known.
    pub fn open(
        directory: &Path,
        identity_expected: Option<&Identity>,
        options: &Options,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    ) -> Result<(Writer, Recovery), OpenError> {
        Writer::open_with(directory, identity_expected, options, replay, options.back_end.storage())
    }

    /// The same over storage of the caller's.
    pub fn open_with(
        directory: &Path,
        identity_expected: Option<&Identity>,
        options: &Options,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
        storage: Box<dyn Storage>,
    ) -> Result<(Writer, Recovery), OpenError> {
        Writer::open_from(directory, identity_expected, None, options, replay, storage)
    }

    /// The same from a bookmark on, such as a snapshot's: `replay` hears what is behind it. What is before it is not read.
    pub fn open_from(
        directory: &Path,
        identity_expected: Option<&Identity>,
        start: Option<&Bookmark>,
        options: &Options,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
        storage: Box<dyn Storage>,
    ) -> Result<(Writer, Recovery), OpenError> {
        options.check()?;
        // Before the lock, which would leave a file in a directory that is none of ours.
        let identity = identity::load(directory)?;
        let lock = Lock::take(directory)?;
        refuse_if_pending(directory, &identity)?;
        Writer::recover(directory, identity_expected, start, options, replay, storage, lock)
    }

    /// The same where durable data is damaged and an operator gives it up: everything behind the last good seq goes into
    /// `torn/` and `divergent/`, and a Loss record says so for ever. Killed at any point, it is done by the next attempt.
    /// The caller ends it with `settle_loss`, once whatever else follows from the loss is durable.
    pub fn open_giving_up(
        directory: &Path,
        start: Option<&Bookmark>,
        options: &Options,
        acceptance: &Acceptance,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
        storage: Box<dyn Storage>,
    ) -> Result<(Writer, Recovery, Surrender), OpenError> {
        options.check()?;
        let identity = identity::load(directory)?;
        let lock = Lock::take(directory)?;
        let given_up = surrender(directory, &identity, start, acceptance)?;
        let payload = given_up.loss.payload();
        let mut is_recorded = false;
        let mut hear = |record: &Record<'_>| {
            is_recorded |= record.kind == Kind::Loss && record.payload == payload;
            replay(record)
        };
        let (mut writer, recovery) =
            Writer::recover(directory, None, start, options, &mut hear, storage, lock)?;
        if !is_recorded {
            let recorded = writer.record_loss(&payload);
            recorded.map_err(|error| {
                OpenError::io("record the loss", directory, io::Error::other(error.to_string()))
            })?;
        }
        Ok((writer, recovery, given_up))
    }

    fn record_loss(&mut self, payload: &[u8]) -> Result<(), WriteError> {
        let (seq, ts_ns) = self.last();
        self.append(&Record { seq, ts_ns, kind: Kind::Loss, version: 1, flags: 0, sub: 0, payload })?;
        self.close_group()?;
        self.sync().map(drop)
    }

    fn recover(
        directory: &Path,
        identity_expected: Option<&Identity>,
        start: Option<&Bookmark>,
        options: &Options,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
        mut storage: Box<dyn Storage>,
        lock: Lock,
    ) -> Result<(Writer, Recovery), OpenError> {
        let survey = survey_from(directory, identity_expected, start, replay)?;
        let failed = |error| OpenError::io("start the writer", directory, error);
        let watermarks = Watermarks::open_for_writer(directory).map_err(failed)?;
        let mould = Mould {
            directory: directory.to_owned(),
            identity: survey.identity.clone(),
            options: options.clone(),
            epoch: next_epoch(survey.epoch, watermarks.epoch()),
        };
        // Readers beyond the end must know before the tail under them is zeroed.
        if watermarks.written_position() > survey.end {
            watermarks.publish_written(survey.last_seq, survey.end);
        }
        let Repaired { tail, end, active, sealed, spares, recovery } =
            repair(survey, &mould, storage.as_mut())?;
        let mut mark =
            DurableMark::open(directory, mould.identity.journal_id, mould.epoch).map_err(failed)?;
        mark.write(tail.seq, end).and_then(|()| mark.sync()).map_err(failed)?;
        watermarks.publish_epoch(mould.epoch);
        watermarks.publish_written(tail.seq, end);
        watermarks.publish_durable(tail.seq, end);
        let next = active.segment + 1;
        let image_bytes = IMAGE_BYTES_AT_START.min(active.group_bytes_max());
        let writer = Writer {
            storage,
            preparer: Preparer::start(mould, spares, next).map_err(failed)?,
            next_group: if sealed { end.offset() } else { active.data_start },
            image: Image::with_capacity(image_bytes as usize),
            seal: Image::with_capacity(active.alignment as usize),
            active,
            closed: tail,
            open: tail,
            written: (tail.seq, end),
            durable: (tail.seq, end),
            mark,
            background: None,
            syncing: None,
            watermarks: Arc::new(watermarks),
            sealed,
            poisoned: false,
            _lock: lock,
        };
        Ok((writer, recovery))
    }

    /// Adds a record to the open group. No system call and no allocation, but for the image doubling when this
    /// group is larger than any before. On an error the open group is as it was.
    pub fn append(&mut self, record: &Record<'_>) -> Result<(), WriteError> {
        self.check_alive()?;
        if !record.kind.is_record() {
            return Err(WriteError::KindReserved);
        }
        if record.payload.len() > RECORD_PAYLOAD_BYTES_MAX {
            return Err(WriteError::PayloadTooLarge { bytes: record.payload.len() });
        }
        let frames_end = self.image.used() + frame_bytes(record.payload.len());
        let bytes = self.group_bytes(frames_end);
        let bytes_max = self.active.group_bytes_max() as usize;
        if bytes > bytes_max {
            return Err(WriteError::GroupTooLarge { bytes, bytes_max });
        }
        self.open = self.open.after(record).map_err(WriteError::OutOfOrder)?;
        self.image.reserve(bytes);
        self.image.push(record);
        Ok(())
    }

    /// Bytes that a group takes up in the segment when its frames end at `frames_end`.
    fn group_bytes(&self, frames_end: usize) -> usize {
        (frames_end + TRAILER_FRAME_BYTES).next_multiple_of(self.active.alignment as usize)
    }

    /// Bytes of the open group so far.
    pub fn open_group_bytes(&self) -> usize {
        self.image.used()
    }

    /// Writes the open group and returns W. Nothing happens when it is empty. If the segment is full, it is
    /// sealed and synced first, which moves D as well. Close groups only between commands. `NoSpace` leaves everything as it
    /// was, the open group too: the call may be made again.
    pub fn close_group(&mut self) -> Result<u64, WriteError> {
        self.check_alive()?;
        if self.image.is_empty() {
            return Ok(self.written.0);
        }
        let bytes = self.group_bytes(self.image.used()) as u64;
        if self.sealed || self.next_group + bytes + self.active.alignment > self.active.data_end {
            let next = self.next_segment(bytes)?;
            let result = self.rotate(next);
            self.poison_on_error(result)?;
        }
        let result = self.write_group(bytes);
        self.poison_on_error(result)?;
        Ok(self.written.0)
    }

    /// A spare, or what the reserve makes when there is none and this group fits into it.
    fn next_segment(&mut self, group_bytes: u64) -> Result<Prepared, WriteError> {
        let error = match self.preparer.take() {
            Ok(spare) => return Ok(spare),
            Err(error) => error,
        };
        let reserve_bytes = self.preparer.reserve_bytes().saturating_sub(4 * self.active.alignment.max(4096));
        if group_bytes > reserve_bytes {
            return Err(WriteError::NoSpace(error));
        }
        self.preparer.release_reserve().map_err(|_| WriteError::NoSpace(error))
    }

    fn write_group(&mut self, bytes: u64) -> io::Result<()> {
        let placement = Placement {
            layout: &self.active,
            start: self.next_group,
            previous: &self.closed,
            last: &self.open,
            durable_seq: self.durable.0,
            durable_position: self.durable.1,
        };
        let (image, chain) = self.image.close(&placement);
        self.storage.write(self.next_group, image)?;
        self.closed = Tail { chain, sub: None, ..self.open };
        self.open = self.closed;
        self.next_group += bytes;
        self.image.clear();
        self.publish_written();
        Ok(())
    }

    fn publish_written(&mut self) {
        assert!(self.closed.seq >= self.written.0, "W never goes back");
        self.written = (self.closed.seq, self.active.position(self.next_group));
        self.watermarks.publish_written(self.written.0, self.written.1);
    }

    /// Makes all closed groups durable and returns D. No system call when they are already. After an error the
    /// writer is poisoned and D stays: the kernel reports a failed write-back once, so a retry would lie.
    pub fn sync(&mut self) -> Result<u64, WriteError> {
        self.check_alive()?;
        let result = self.sync_written();
        self.poison_on_error(result)?;
        Ok(self.durable.0)
    }

    /// Starts to make all closed groups durable beside this thread; false if another such sync is under way. Where the
    /// back end cannot, it is done when this returns.
    pub fn start_sync(&mut self) -> Result<bool, WriteError> {
        self.check_alive()?;
        let result = self.start_background();
        self.poison_on_error(result)
    }

    fn start_background(&mut self) -> io::Result<bool> {
        if self.syncing.is_some() {
            return Ok(false);
        }
        if self.durable.1 == self.written.1 {
            return Ok(true);
        }
        let Some(syncer) = self.storage.syncer()? else { return self.sync_written().map(|()| true) };
        if self.background.is_none() {
            self.background = Some(Background::start()?);
        }
        self.background.as_mut().expect("it was started").order(syncer)?;
        self.syncing = Some(self.written);
        Ok(true)
    }

    /// D, as far as a sync that was started has brought it. Does not wait.
    pub fn look_at_sync(&mut self) -> Result<u64, WriteError> {
        self.check_alive()?;
        let ended = self.background.as_mut().filter(|_| self.syncing.is_some()).and_then(Background::look);
        let result = ended.map_or(Ok(()), |ended| self.end_sync(ended));
        self.poison_on_error(result)?;
        Ok(self.durable.0)
    }

    fn end_sync(&mut self, ended: io::Result<()>) -> io::Result<()> {
        let reached = self.syncing.take().expect("a sync was under way");
        ended?;
        self.publish_durable(reached)
    }

    /// Bytes of closed groups that are not known to be durable.
    pub fn unsynced_bytes(&self) -> u64 {
        let ((_, written), (_, durable)) = (self.written, self.durable);
        let is_here = durable.segment() == written.segment();
        written.offset() - if is_here { durable.offset() } else { self.active.data_start }
    }

    fn sync_written(&mut self) -> io::Result<()> {
        if self.syncing.is_some() {
            let ended = self.background.as_mut().expect("it was started").wait();
            self.end_sync(ended)?;
        }
        if self.durable.1 == self.written.1 {
            return Ok(());
        }
        self.storage.sync()?;
        self.publish_durable(self.written)
    }

    fn publish_durable(&mut self, reached: (u64, Position)) -> io::Result<()> {
        self.durable = reached;
        self.watermarks.publish_durable(self.durable.0, self.durable.1);
        self.mark.write(self.durable.0, self.durable.1)
    }

    /// Makes `durable.mark` itself durable. For idle moments: call it when nothing came for about 50 ms, and
    /// the last synced group is missed if it rots.
    pub fn sync_mark(&mut self) -> Result<(), WriteError> {
        self.check_alive()?;
        let result = self.mark.sync();
        self.poison_on_error(result)
    }

    /// Ends the active segment and makes all of it durable, the seal included. Only then may a byte go into the
    /// next segment, so that data behind an unsealed segment always means damage.
    fn seal_active(&mut self, reason: SealReason) -> io::Result<()> {
        let (start, durable) = (self.next_group, self.durable);
        let (bytes, tail) = seal_image(&mut self.seal, &self.active, start, &self.closed, durable, reason);
        self.storage.write(start, bytes)?;
        self.next_group += bytes.len() as u64;
        self.open.chain = tail.chain;
        self.closed = tail;
        self.publish_written();
        self.sync_written()
    }

    /// Ends the active segment while none follows it: what was written is then complete as it lies on the disk, whatever
    /// comes. The next group goes on in the next segment. Nothing happens when it has ended, when nothing stands in it, or
    /// when a group is open.
    pub fn seal(&mut self) -> Result<(), WriteError> {
        self.check_alive()?;
        if self.sealed || self.is_unused() || !self.image.is_empty() {
            return Ok(());
        }
        let result = self.seal_active(SealReason::Rotation).and_then(|()| self.mark.sync());
        self.sealed = result.is_ok();
        self.poison_on_error(result)
    }

    /// Nothing stands in the active segment: it is as good as a spare to the next writer.
    fn is_unused(&self) -> bool {
        self.next_group == self.active.data_start
    }

    fn rotate(&mut self, next: Prepared) -> io::Result<()> {
        if !self.sealed {
            self.seal_active(SealReason::Rotation)?;
        }
        self.sealed = false;
        assert!(next.layout.segment == self.active.segment + 1, "segments follow each other");
        self.storage.attach(next.layout.segment, next.file)?;
        self.active = next.layout;
        self.next_group = next.layout.data_start;
        Ok(())
    }

    /// Closes the open group, syncs, and seals the segment, so that the next open has nothing to repair. One in which
    /// nothing stands is left to the next writer.
    pub fn close(mut self) -> Result<(), WriteError> {
        self.close_group()?;
        let is_complete = self.sealed || self.is_unused();
        let sealed = if is_complete { Ok(()) } else { self.seal_active(SealReason::CleanClose) };
        let result = sealed.and_then(|()| self.mark.sync());
        self.poison_on_error(result)
    }

    /// W, D and R, for other threads of this process.
    pub fn watermarks(&self) -> Arc<Watermarks> {
        Arc::clone(&self.watermarks)
    }

    /// What is left for groups. No system call.
    pub fn room(&self) -> Room {
        let spares = self.preparer.spares();
        let end = self.active.data_end - self.active.alignment;
        Room {
            left_bytes: if self.sealed { 0 } else { end - self.next_group.min(end) },
            segment_bytes: self.preparer.group_bytes_max(),
            spares,
            is_short: self.preparer.is_short(),
        }
    }

    /// Bytes that must be free for a whole segment and the reserve to stand ready; 0 where they do.
    pub fn missing_bytes(&self) -> u64 {
        self.preparer.missing_bytes()
    }

    /// Why the next segment or the reserve is not ready, if the last attempt to make it failed: a warning for the operator.
    /// It is tried again and again, and once more when the active segment is full. None again as soon as one was made.
    pub fn spare_fault(&self) -> Option<String> {
        self.preparer.fault()
    }

    /// Seq and time of the last record: what a record between commands must carry.
    pub fn last(&self) -> (u64, u64) {
        (self.open.seq, self.open.ts_ns)
    }

    /// The chain value of the last closed group.
    pub fn chain(&self) -> [u8; 32] {
        self.closed.chain
    }

    fn check_alive(&self) -> Result<(), WriteError> {
        if self.poisoned { Err(WriteError::Poisoned) } else { Ok(()) }
    }

    fn poison_on_error<T>(&mut self, result: io::Result<T>) -> Result<T, WriteError> {
        self.poisoned |= result.is_err();
        result.map_err(WriteError::Io)
    }
}

/// Above every epoch before. The one that `control` publishes has no check copy, so one beyond four billion openings
/// is taken for a flipped byte.
fn next_epoch(recorded: u64, published: u64) -> u64 {
    let believed = if published <= u64::from(u32::MAX) { published } else { 0 };
    recorded.max(believed) + 1
}
