//! Reads sealed segments again, from the disk and not from the cache: damage is found before the bytes are needed. Knows
//! how to judge one segment, not when or how fast.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::base;
use crate::bookmark::Bookmark;
use crate::directory;
use crate::error::{Damage, Floor, FloorOrigin, OpenError};
use crate::identity::Identity;
use crate::map;
use crate::scan::{Fault, verify_group};
use crate::segment::{Layout, PAGE_BYTES, Position, SEGMENT_FIRST, check_belongs, find_header, is_zero};
use crate::tail::Tail;

/// Bytes that are read at once; the pace is kept between.
const READ_BYTES: usize = 256 << 10;

/// What the first segment that is still there follows.
pub fn beginning(directory: &Path, identity: &Identity) -> Result<Bookmark, OpenError> {
    let base = base::load(directory, &identity.journal_id)?;
    let genesis = Tail::genesis(identity.chain_genesis());
    Ok(base.unwrap_or_else(|| Bookmark::new(Position::new(SEGMENT_FIRST, 0), &genesis)))
}

/// Verifies every byte of a sealed segment that follows `previous`, and returns its end. `pace` is called after each piece
/// that was read and says whether to go on; `None` if it said no.
pub fn verify_sealed_segment(
    directory: &Path,
    identity: &Identity,
    number: u64,
    previous: &Bookmark,
    pace: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Bookmark>, OpenError> {
    let path = directory::segment_path(directory, number);
    let Some(bytes) = read(&path, pace).map_err(|error| OpenError::io("read the segment", &path, error))?
    else {
        return Ok(None);
    };
    if bytes.len() < 2 * PAGE_BYTES {
        return Err(OpenError::FileDamaged { path });
    }
    let found = find_header(&bytes[..PAGE_BYTES], &bytes[bytes.len() - PAGE_BYTES..], &path)?;
    check_belongs(&found.header, identity, number, bytes.len() as u64, &path)?;
    // Either copy would do to go on; one that rotted says that the medium has begun to.
    if found.copies_good < 2 {
        return Err(OpenError::FileDamaged { path });
    }
    let layout = found.header.layout();
    let damage = |offset: usize, fault, tail: &Tail| {
        let floor = Floor {
            seq: tail.seq,
            position: layout.position(layout.data_end),
            origin: FloorOrigin::NextSegment(number + 1),
        };
        let (path, last_good_seq) = (path.clone(), tail.seq);
        let damage = Damage { path, segment: number, offset: offset as u64, fault, last_good_seq, floor };
        OpenError::Damaged(Box::new(damage))
    };
    let (end, tail) = walk(&bytes, &layout, previous.tail(), &damage)?;
    Ok(Some(Bookmark::new(layout.position(end as u64), &tail)))
}

fn walk(
    bytes: &[u8],
    layout: &Layout,
    mut tail: Tail,
    damage: &dyn Fn(usize, Fault, &Tail) -> OpenError,
) -> Result<(usize, Tail), OpenError> {
    let mut offset = layout.data_start as usize;
    if !is_zero(&bytes[PAGE_BYTES..offset]) {
        return Err(damage(PAGE_BYTES, Fault::NotZero, &tail));
    }
    loop {
        let group =
            verify_group(bytes, layout, offset, &tail).map_err(|fault| damage(offset, fault, &tail))?;
        (offset, tail) = (group.end, group.tail);
        if group.sealed {
            break;
        }
    }
    if !is_zero(&bytes[offset..bytes.len() - PAGE_BYTES]) {
        return Err(damage(offset, Fault::NotZero, &tail));
    }
    Ok((offset, tail))
}

/// The whole file; none if `pace` ended it. The cache is dropped first, so that the medium is what is read.
fn read(path: &Path, pace: &mut dyn FnMut(usize) -> bool) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    map::drop_cache(&file);
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    let mut offset = 0;
    for piece in bytes.chunks_mut(READ_BYTES) {
        file.read_exact_at(piece, offset)?;
        offset += piece.len() as u64;
        if !pace(piece.len()) {
            return Ok(None);
        }
    }
    map::drop_cache(&file);
    Ok(Some(bytes))
}
