//! Gives up durable data that is damaged, by an operator's word: finds what is left, writes down what is about to be done,
//! saves and zeroes what does not verify, and moves aside whatever stands beyond. Each step can be done twice. Nothing is
//! deleted. What then remains is a journal that ends whole, which the ordinary recovery goes on from.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::bookmark::Bookmark;
use crate::cursor;
use crate::directory;
use crate::error::{Damage, OpenError};
use crate::identity::Identity;
use crate::loss::{Loss, Pending, REASON_BYTES_MAX, Stage, pending_path};
use crate::mark::DurableMark;
use crate::prepare::now_ns;
use crate::recovery::survey_from;
use crate::repair::{open, save_torn, zero};
use crate::retention::Loaded;
use crate::segment::{Layout, PAGE_BYTES, Position};
use crate::snapshot::{self, SnapshotHead};
use crate::storage::BackEnd;
use crate::watermark::Watermarks;

/// An operator's word that what is beyond the last good seq may go. It counts only if it names that seq.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pub expect_last_seq: u64,
    pub reason: String,
}

/// What was given up, and where it lies.
#[derive(Clone, Debug)]
pub struct Surrender {
    pub loss: Loss,
    /// The bytes that did not verify, or stood behind them in the same segment; none if there were none, or if an earlier
    /// attempt had saved them.
    pub torn: Option<PathBuf>,
    /// Segments, snapshots and cursors that stood beyond, as this attempt found them, under their new names.
    pub moved: Vec<PathBuf>,
}

/// Cuts the journal behind its last good seq. The caller holds the lock, opens the journal next, and writes the record.
pub(crate) fn surrender(
    directory: &Path,
    identity: &Identity,
    start: Option<&Bookmark>,
    acceptance: &Acceptance,
) -> Result<Surrender, OpenError> {
    let pending = match Pending::load(directory, &identity.journal_id)? {
        Some(pending) => resumed(pending, acceptance)?,
        None => begun(directory, identity, start, acceptance)?,
    };
    let failed = |error| OpenError::io("give up what is damaged", directory, error);
    let (mut torn, mut moved) = (None, Vec::new());
    if pending.stage == Stage::Cutting {
        let cut = Cut { directory, identity, loss: &pending.loss };
        cut.tell_readers().map_err(failed)?;
        cut.lengthen()?;
        torn = cut.save_and_zero()?;
        moved = cut.move_aside().map_err(failed)?;
        cut.lower_the_mark().map_err(failed)?;
        let done = Pending { stage: Stage::Cut, ..pending.clone() };
        done.store(directory, identity.journal_id).map_err(failed)?;
    }
    Ok(Surrender { loss: pending.loss, torn, moved })
}

/// An attempt before this one was cut short; this one goes on in its words.
fn resumed(pending: Pending, acceptance: &Acceptance) -> Result<Pending, OpenError> {
    let last_seq = pending.loss.last_seq;
    if last_seq == acceptance.expect_last_seq {
        return Ok(pending);
    }
    refuse(format!(
        "a loss of everything behind seq {last_seq} was accepted and is not finished, which is not seq {}",
        acceptance.expect_last_seq
    ))
}

/// Looks, judges, and makes the intention durable before anything is touched.
fn begun(
    directory: &Path,
    identity: &Identity,
    start: Option<&Bookmark>,
    acceptance: &Acceptance,
) -> Result<Pending, OpenError> {
    let Acceptance { expect_last_seq, reason } = acceptance;
    if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX {
        return refuse(format!("the reason must have 1 to {REASON_BYTES_MAX} bytes"));
    }
    let damage = match survey_from(directory, None, start, &mut |_| Ok(())) {
        Err(OpenError::Damaged(damage)) => damage,
        Err(other) => return Err(other),
        Ok(found) => {
            let last = found.last_seq;
            return refuse(format!("nothing durable is damaged, the journal is whole up to seq {last}"));
        }
    };
    if damage.last_good_seq != *expect_last_seq {
        let last = damage.last_good_seq;
        return refuse(format!("the last good seq is {last}, not {expect_last_seq}: {damage}"));
    }
    let pending = Pending { loss: loss_of(directory, identity, &damage, reason)?, stage: Stage::Cutting };
    pending
        .store(directory, identity.journal_id)
        .map_err(|error| OpenError::io("write down the accepted loss", directory, error))?;
    Ok(pending)
}

fn refuse<T>(reason: String) -> Result<T, OpenError> {
    Err(OpenError::LossRefused { reason })
}

fn loss_of(directory: &Path, identity: &Identity, damage: &Damage, reason: &str) -> Result<Loss, OpenError> {
    let layout = Loaded::read_lengthened(directory, identity, damage.segment)?.layout;
    let floor = damage.floor;
    Ok(Loss {
        last_seq: damage.last_good_seq,
        end: layout.position(damage.offset.max(PAGE_BYTES as u64)),
        floor_seq: floor.seq,
        floor_position: floor.position,
        accepted_ns: now_ns(),
        reason: reason.to_owned(),
    })
}

struct Cut<'a> {
    directory: &'a Path,
    identity: &'a Identity,
    loss: &'a Loss,
}

impl Cut<'_> {
    /// Before a byte under them changes, readers beyond the end must know.
    fn tell_readers(&self) -> io::Result<()> {
        let watermarks = Watermarks::open_for_writer(self.directory)?;
        let Loss { last_seq, end, .. } = *self.loss;
        if watermarks.durable_position() > end {
            watermarks.publish_durable(last_seq, end);
        }
        if watermarks.written_position() > end {
            watermarks.publish_written(last_seq, end);
        }
        Ok(())
    }

    /// Gives a segment that somebody cut its length and its second header back.
    fn lengthen(&self) -> Result<(), OpenError> {
        let number = self.loss.end.segment();
        let path = directory::segment_path(self.directory, number);
        let failed = |error| OpenError::io("give the segment its length back", &path, error);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        let was = file.metadata().map_err(failed)?.len();
        let Loaded { bytes, .. } = Loaded::read_lengthened(self.directory, self.identity, number)?;
        if was < bytes.len() as u64 {
            file.write_all_at(&bytes[was as usize..], was).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    /// What stands in the segment behind its last good group.
    fn save_and_zero(&self) -> Result<Option<PathBuf>, OpenError> {
        let Loaded { bytes, layout } = Loaded::read(self.directory, self.identity, self.loss.end.segment())?;
        let rest = &bytes[self.loss.end.offset() as usize..bytes.len() - PAGE_BYTES];
        let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return Ok(None) };
        let failed = |error| OpenError::io("save what does not verify", self.directory, error);
        let saved = save_torn(self.directory, self.loss.end, &rest[..=last]).map_err(failed)?;
        self.zero(&layout, last as u64 + 1).map_err(failed)?;
        Ok(Some(saved))
    }

    fn zero(&self, layout: &Layout, bytes: u64) -> io::Result<()> {
        let mut storage = BackEnd::Written.storage();
        storage.attach(layout.segment, open(self.directory, layout)?)?;
        zero(self.loss.end.offset(), bytes, layout, storage.as_mut())?;
        storage.sync()
    }

    /// Segments behind, spares among them, and the snapshots and cursors of what is no longer part of the history.
    fn move_aside(&self) -> io::Result<Vec<PathBuf>> {
        let Loss { last_seq, end, .. } = *self.loss;
        let mut going: Vec<PathBuf> = Vec::new();
        let segments = directory::segment_numbers(self.directory)?;
        let beyond = segments.into_iter().filter(|number| *number > end.segment());
        going.extend(beyond.map(|number| directory::segment_path(self.directory, number)));
        for seq in snapshot::snapshot_seqs(self.directory)? {
            let path = snapshot::snapshot_path(self.directory, seq);
            let is_beyond = SnapshotHead::load(&path).is_ok_and(|head| head.bookmark.position > end);
            if seq > last_seq || is_beyond {
                going.push(path);
            }
        }
        for cursor in cursor::cursors(self.directory, &self.identity.journal_id)? {
            if cursor.bookmark.is_some_and(|bookmark| bookmark.position > end) {
                going.push(cursor::cursor_path(self.directory, &cursor.name));
            }
        }
        going.into_iter().map(|path| directory::move_aside(self.directory, &path)).collect()
    }

    /// Both slots, so that none is left that promises more. One at the very start of a segment says nothing: the segment
    /// before it is sealed, and what is behind its seal was never there.
    fn lower_the_mark(&self) -> io::Result<()> {
        let Loss { last_seq, end, .. } = *self.loss;
        let is_start = end.offset() <= self.data_start(end.segment())?;
        let position = if is_start { Position::default() } else { end };
        let mut mark = DurableMark::open(self.directory, self.identity.journal_id, 0)?;
        mark.write(last_seq, position)?;
        mark.write(last_seq, position)?;
        mark.sync()
    }

    fn data_start(&self, segment: u64) -> io::Result<u64> {
        let loaded = Loaded::read(self.directory, self.identity, segment);
        loaded.map(|loaded| loaded.layout.data_start).map_err(io::Error::other)
    }
}

/// Whether an accepted loss waits to be finished: then only the same acceptance opens the journal.
pub(crate) fn refuse_if_pending(directory: &Path, identity: &Identity) -> Result<(), OpenError> {
    match Pending::load(directory, &identity.journal_id)? {
        None => Ok(()),
        Some(Pending { loss, .. }) => {
            let path = pending_path(directory);
            Err(OpenError::LossUnfinished { path, last_seq: loss.last_seq })
        }
    }
}
