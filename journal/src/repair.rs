//! Acts on a survey's verdict: saves and zeroes a torn tail, seals, and syncs everything that was recovered
//! before anybody may build on it. Never shortens a file, because a reader may have it mapped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U32, U64};

use crate::base;
use crate::directory;
use crate::error::{Floor, OpenError};
use crate::group::{Image, Page, Placement, SealBody, SealReason};
use crate::prepare::{Mould, Prepared, needs, reopen};
use crate::record::{FRAMING_VERSION, Kind, Record};
use crate::recovery::{Ending, Survey, torn_path};
use crate::segment::{Layout, PAGE_BYTES, Position, SEGMENT_FIRST};
use crate::storage::Storage;
use crate::tail::Tail;

/// Bytes that were cut from the end, because they did not verify and were never durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    pub segment: u64,
    pub offset: u64,
    pub bytes: u64,
    /// Where they were saved.
    pub saved: PathBuf,
    /// Groups beyond the cut whose closing frame is whole: they were written but never durable.
    pub whole_groups_beyond: u64,
}

/// What an open found and did. All of it is durable by the time the caller sees it.
#[derive(Clone, Debug)]
pub struct Recovery {
    pub last_seq: u64,
    pub last_ts_ns: u64,
    pub commands: u64,
    pub records: u64,
    pub groups: u64,
    pub segments: u64,
    pub floor: Floor,
    /// The new writer's epoch.
    pub epoch: u64,
    /// Headers of which only one of the two copies verified: the medium has begun to rot.
    pub header_copies_damaged: u64,
    pub discarded: Option<TornTail>,
}

/// The journal after a repair: where the new writer starts.
pub(crate) struct Repaired {
    pub tail: Tail,
    pub end: Position,
    pub active: Layout,
    /// The active segment is the sealed last one: the disk has no room for the next.
    pub sealed: bool,
    /// Behind it, ready.
    pub spares: Vec<Prepared>,
    pub recovery: Recovery,
}

/// Makes the verified data durable and closes its segment. `storage` is left attached to the new one.
pub(crate) fn repair(
    survey: Survey,
    mould: &Mould,
    storage: &mut dyn Storage,
) -> Result<Repaired, OpenError> {
    let directory = mould.directory.as_path();
    let failed = |error| OpenError::io("repair the journal's end", directory, error);
    directory::remove_temporaries(directory).map_err(failed)?;
    // One that an earlier build made no room for; without it nothing can be removed from a full disk, and that is all.
    let _ = base::prepare(directory);
    if let Some(base) = base::load(directory, &mould.identity.journal_id)? {
        base::remove_below(directory, base.position.segment()).map_err(failed)?;
    }
    let discarded = save_torn_tail(directory, &survey)
        .map_err(|error| OpenError::io("save the torn tail", directory, error))?;
    let (mut tail, mut end) = (Tail { epoch: mould.epoch, ..survey.tail }, survey.end);
    if let Some(layout) = survey.last {
        storage.attach(layout.segment, open(directory, &layout).map_err(failed)?).map_err(failed)?;
        (tail, end) = close_segment(&survey, &layout, tail, discarded.as_ref(), storage).map_err(failed)?;
    }
    let next = survey.last.map_or(SEGMENT_FIRST, |layout| layout.segment + 1);
    let (active, sealed, spares) = match (segments_ahead(&survey, mould, next), survey.last) {
        (Ok((active, spares)), last) => {
            let Prepared { file, layout } = active;
            if last.is_none() {
                end = layout.position(layout.data_start);
            }
            storage.attach(next, file).map_err(failed)?;
            (layout, false, spares)
        }
        // All that was said stands complete behind a seal; the writer goes on when there is space.
        (Err(error), Some(last)) if is_full(&error) => (last, true, Vec::new()),
        (Err(error), _) => return Err(OpenError::io("make a segment", directory, error)),
    };
    let recovery = Recovery {
        last_seq: survey.last_seq,
        last_ts_ns: survey.last_ts_ns,
        commands: survey.commands,
        records: survey.records,
        groups: survey.groups,
        segments: survey.segments,
        floor: survey.floor,
        epoch: mould.epoch,
        header_copies_damaged: survey.header_copies_damaged,
        discarded,
    };
    Ok(Repaired { tail, end, active, sealed, spares, recovery })
}

pub(crate) fn open(directory: &Path, layout: &Layout) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(directory::segment_path(directory, layout.segment))
}

/// Zeroes what was torn, syncs, and only then seals: behind a seal nothing may stand, so the zeros must not reach
/// the disk after it.
fn close_segment(
    survey: &Survey,
    layout: &Layout,
    tail: Tail,
    torn: Option<&TornTail>,
    storage: &mut dyn Storage,
) -> io::Result<(Tail, Position)> {
    if let Some(torn) = torn {
        zero(torn.offset, torn.bytes, layout, storage)?;
    }
    storage.sync()?;
    if survey.ending == Ending::Sealed {
        return Ok((tail, survey.end));
    }
    let start = survey.end.offset();
    let mut image = Image::with_capacity(layout.alignment as usize);
    let durable = (tail.seq, survey.end);
    let (bytes, tail) = seal_image(&mut image, layout, start, &tail, durable, SealReason::Recovery);
    storage.write(start, bytes)?;
    let end = layout.position(start + bytes.len() as u64);
    storage.sync()?;
    Ok((tail, end))
}

/// Builds the group that ends a segment at `start`, and the state after it.
pub(crate) fn seal_image<'a>(
    image: &'a mut Image,
    layout: &Layout,
    start: u64,
    tail: &Tail,
    (durable_seq, durable_position): (u64, Position),
    reason: SealReason,
) -> (&'a [u8], Tail) {
    let body = SealBody {
        segment: U64::new(layout.segment),
        reason: U32::new(reason as u32),
        reserved: U32::new(0),
    };
    image.clear();
    image.push(&Record {
        seq: tail.seq,
        ts_ns: tail.ts_ns,
        kind: Kind::Seal,
        version: FRAMING_VERSION,
        flags: 0,
        sub: 0,
        payload: body.as_bytes(),
    });
    let placement = Placement { layout, start, previous: tail, last: tail, durable_seq, durable_position };
    let (bytes, chain) = image.close(&placement);
    (bytes, Tail { chain, sub: None, ..*tail })
}

/// Zeroes so many bytes from `offset` on, up to the end of the last sector.
pub(crate) fn zero(offset: u64, bytes: u64, layout: &Layout, storage: &mut dyn Storage) -> io::Result<()> {
    static ZEROS: [Page; 16] = [Page::ZEROS; 16];
    let zeros = ZEROS.as_bytes();
    // Segments end on a multiple of a page, so whole sectors of zeros never reach the header's second copy.
    let end = (offset + bytes).next_multiple_of(layout.alignment.min(PAGE_BYTES as u64));
    let mut offset = offset;
    while offset < end {
        let count = (zeros.len() as u64).min(end - offset);
        storage.write(offset, &zeros[..count as usize])?;
        offset += count;
    }
    Ok(())
}

/// Copies the torn bytes to `torn/`, durably, before they are zeroed. A crash in between saves them twice.
fn save_torn_tail(directory: &Path, survey: &Survey) -> io::Result<Option<TornTail>> {
    let (Ending::Torn { bytes, whole_groups_beyond, .. }, Some(layout)) = (&survey.ending, &survey.last)
    else {
        return Ok(None);
    };
    let offset = survey.end.offset();
    let mut torn = vec![0; usize::try_from(*bytes).map_err(io::Error::other)?];
    open(directory, layout)?.read_exact_at(&mut torn, offset)?;
    Ok(Some(TornTail {
        segment: layout.segment,
        offset,
        bytes: *bytes,
        saved: save_torn(directory, survey.end, &torn)?,
        whole_groups_beyond: *whole_groups_beyond,
    }))
}

/// Puts bytes that stood from `end` on into a new file of `torn/`, durably.
pub(crate) fn save_torn(directory: &Path, end: Position, torn: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory.join(directory::TORN))?;
    let stem = torn_path(directory, end);
    let (mut file, saved) = (0u32..)
        .find_map(|attempt| {
            let path = stem.with_extension(format!("{attempt}.bin"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                result => Some(result.map(|file| (file, path))),
            }
        })
        .expect("the attempts do not run out before the disk does")?;
    let bytes = torn.len() as u64;
    file.write_all(torn).and_then(|()| file.sync_all()).map_err(|error| needs(&saved, bytes, &error))?;
    directory::sync(&directory.join(directory::TORN))?;
    directory::sync(directory)?;
    Ok(saved)
}

/// The prepared segments from `number` on that are made as the options say; if there is none, a new one in its place.
/// Replacing is safe: the survey found nothing but zeros in it, and no reader goes where no watermark was. A disk that has
/// no room for a new one may still have one of another length, or the reserve.
fn segments_ahead(survey: &Survey, mould: &Mould, number: u64) -> io::Result<(Prepared, Vec<Prepared>)> {
    let fitting = survey.spares.iter().take_while(|spare| fits(spare, mould));
    let mut ready: Vec<Prepared> =
        fitting.map(|spare| reopen(&mould.directory, *spare)).collect::<io::Result<_>>()?;
    if ready.is_empty() {
        let other = || survey.spares.first().and_then(|spare| reopen(&mould.directory, *spare).ok());
        let last_resort = || other().or_else(|| mould.cast_from_reserve(number).ok());
        ready.push(mould.cast(number).or_else(|error| last_resort().ok_or(error))?);
    }
    let active = ready.remove(0);
    assert_eq!(active.layout.segment, number, "segments follow each other");
    Ok((active, ready))
}

/// A disk, a quota or a limit on the size of files that has nothing more to give.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn fits(spare: &Layout, mould: &Mould) -> bool {
    let options = &mould.options;
    spare.bytes == options.segment_bytes && spare.alignment == u64::from(options.group_alignment)
}
