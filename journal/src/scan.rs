//! Verification of one group where it stands: every frame's checksum, order, count, chain, and the zeros
//! behind it. Total over all bytes, pure, and the only judge: recovery and readers both ask here.

use zerocopy::FromBytes;

use crate::group::{GroupTrailer, SealBody, TRAILER_BYTES, TRAILER_FRAME_BYTES, chain_over};
use crate::record::{
    FRAME_ALIGNMENT, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FRAMING_VERSION, FrameHeader, Kind, KindFound,
    Record,
};
use crate::segment::{Layout, Position, bytes_before_zeros, is_zero};
use crate::tail::Tail;

/// Why a record cannot come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    Seq { due: u64, found: u64 },
    Sub { due: u32, found: u32 },
    EventWithoutCommand,
    TimeBackwards { after_ns: u64, found_ns: u64 },
}

/// Why the bytes at some offset are not the next group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `len` is 0: nothing is here, or a frame of the group is missing.
    Nothing,
    /// `len` is impossible, or the frame would reach past the segment's end.
    Length,
    Checksum,
    /// Bytes that must be zero are not.
    NotZero,
    Order(Disorder),
    /// The `Group` frame contradicts the frames before it.
    Group,
    Epoch,
    Chain,
    /// Behind a seal, where nothing is ever written, something stands. It is no record.
    BehindSeal,
    /// The file ends before the segment does: somebody cut it.
    Shortened,
    /// A kind, or a version of one of the journal's own kinds, that only a newer version can read.
    Newer {
        kind: u16,
        version: u8,
    },
}

/// A group that verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupFound {
    /// Where its `Group` frame stands.
    pub trailer_offset: usize,
    /// Where the next group starts.
    pub end: usize,
    pub tail: Tail,
    pub sealed: bool,
    pub durable_seq: u64,
    pub durable_position: Position,
}

/// Verifies the group that starts at `start`. `bytes` begin at the segment's start and may end early.
pub(crate) fn verify_group(
    bytes: &[u8],
    layout: &Layout,
    start: usize,
    previous: &Tail,
) -> Result<GroupFound, Fault> {
    let mut walk = Walk { tail: Tail { sub: None, ..*previous }, frames: 0, sealed: false };
    let mut at = start;
    loop {
        let (header, frame) = checked_frame(bytes, layout, at)?;
        let payload = &frame[FRAME_HEADER_BYTES..];
        match Kind::find(header.kind.get()) {
            KindFound::Incompatible => return Err(newer(&header)),
            KindFound::Known(Kind::Group) => {
                let trailer = trailer_of(&header, payload)?;
                return walk.finish(bytes, layout, start, at, previous, &header, &trailer);
            }
            KindFound::Known(kind) => walk.step(layout, &header, kind, payload)?,
            KindFound::Skippable => walk.frames += 1,
        }
        at += frame.len().next_multiple_of(FRAME_ALIGNMENT);
    }
}

struct Walk {
    tail: Tail,
    frames: u32,
    sealed: bool,
}

impl Walk {
    fn step(
        &mut self,
        layout: &Layout,
        header: &FrameHeader,
        kind: Kind,
        payload: &[u8],
    ) -> Result<(), Fault> {
        if self.sealed {
            return Err(Fault::Group);
        }
        if kind == Kind::Seal {
            if header.version != FRAMING_VERSION {
                return Err(newer(header));
            }
            let body = SealBody::read_from_bytes(payload).map_err(|_| Fault::Group)?;
            self.sealed = body.is_valid(layout.segment);
            if !self.sealed || self.frames != 0 {
                return Err(Fault::Group);
            }
        }
        if kind != Kind::Pad {
            self.tail = self.tail.after(&header.record(kind, payload)).map_err(Fault::Order)?;
        }
        self.frames += 1;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one decision over everything that the walk saw")]
    fn finish(
        self,
        bytes: &[u8],
        layout: &Layout,
        start: usize,
        at: usize,
        previous: &Tail,
        header: &FrameHeader,
        trailer: &GroupTrailer,
    ) -> Result<GroupFound, Fault> {
        let consistent = trailer.first_seq.get() == previous.seq + 1
            && trailer.last_seq.get() == self.tail.seq
            && header.seq.get() == self.tail.seq
            && header.ts_ns.get() == self.tail.ts_ns
            && (header.flags, header.sub.get(), trailer.reserved.get()) == (0, 0, 0)
            && trailer.frames.get() == self.frames
            && self.frames > 0
            && trailer.start_offset.get() == start as u64
            && trailer.durable_seq.get() <= previous.seq
            && trailer.durable_position.get() <= layout.position(start as u64).word();
        if !consistent {
            return Err(Fault::Group);
        }
        if trailer.epoch.get() < previous.epoch {
            return Err(Fault::Epoch);
        }
        let frame = &bytes[at..at + TRAILER_FRAME_BYTES];
        if trailer.chain != chain_over(&previous.chain, &bytes[start..at], frame) {
            return Err(Fault::Chain);
        }
        let end = (at + TRAILER_FRAME_BYTES).next_multiple_of(layout.alignment as usize);
        if end as u64 > layout.data_end || end > bytes.len() {
            return Err(Fault::Length);
        }
        if !is_zero(&bytes[at + TRAILER_FRAME_BYTES..end]) {
            return Err(Fault::NotZero);
        }
        Ok(GroupFound {
            trailer_offset: at,
            end,
            tail: Tail { sub: None, epoch: trailer.epoch.get(), chain: trailer.chain, ..self.tail },
            sealed: self.sealed,
            durable_seq: trailer.durable_seq.get(),
            durable_position: Position::from_word(trailer.durable_position.get()),
        })
    }
}

fn newer(header: &FrameHeader) -> Fault {
    Fault::Newer { kind: header.kind.get(), version: header.version }
}

/// The frame at `at` if its length is possible, its checksum holds at this place and its padding is zero.
fn checked_frame<'a>(bytes: &'a [u8], layout: &Layout, at: usize) -> Result<(FrameHeader, &'a [u8]), Fault> {
    let data = &bytes[..bytes.len().min(layout.data_end as usize)];
    let header = FrameHeader::at(data, at).ok_or(Fault::Length)?;
    let len = header.len.get() as usize;
    if len == 0 {
        return Err(Fault::Nothing);
    }
    if !(FRAME_HEADER_BYTES..=FRAME_BYTES_MAX).contains(&len) {
        return Err(Fault::Length);
    }
    let frame = data.get(at..at + len).ok_or(Fault::Length)?;
    let padding = data.get(at + len..at + len.next_multiple_of(FRAME_ALIGNMENT)).ok_or(Fault::Length)?;
    if layout.checksum.of(at as u64, frame) != header.crc.get() {
        return Err(Fault::Checksum);
    }
    if !is_zero(padding) {
        return Err(Fault::NotZero);
    }
    Ok((header, frame))
}

fn trailer_of(header: &FrameHeader, payload: &[u8]) -> Result<GroupTrailer, Fault> {
    if header.version != FRAMING_VERSION {
        return Err(newer(header));
    }
    GroupTrailer::read_from_bytes(payload).map_err(|_| Fault::Group)
}

/// The frame at `at` of a group that verified: its record, if it is one to hand out, and where the next frame is.
/// The checksum is asked again, because a recovery may have cut the group since.
pub(crate) fn record_at<'a>(
    bytes: &'a [u8],
    layout: &Layout,
    at: usize,
) -> Result<(Option<Record<'a>>, usize), Fault> {
    let (header, frame) = checked_frame(bytes, layout, at)?;
    let next = at + frame.len().next_multiple_of(FRAME_ALIGNMENT);
    let record = match Kind::find(header.kind.get()) {
        KindFound::Known(kind) if kind.is_record() => Some(header.record(kind, &frame[FRAME_HEADER_BYTES..])),
        _ => None,
    };
    Ok((record, next))
}

/// The same where nothing can have changed since the group verified.
pub(crate) fn verified_record_at(bytes: &[u8], at: usize) -> (Option<Record<'_>>, usize) {
    let header = FrameHeader::at(bytes, at).expect("the group verified in this very buffer");
    let len = header.len.get() as usize;
    let record = match Kind::find(header.kind.get()) {
        KindFound::Known(kind) if kind.is_record() => {
            Some(header.record(kind, &bytes[at + FRAME_HEADER_BYTES..at + len]))
        }
        _ => None,
    };
    (record, at + len.next_multiple_of(FRAME_ALIGNMENT))
}

/// Every `Group` frame at or after `from` that verifies in its place, whatever stands around it: after a power
/// cut a later group may be on the disk and an earlier one not, and what it says about D is still true.
pub(crate) fn stray_trailers<'a>(
    bytes: &'a [u8],
    layout: &'a Layout,
    from: usize,
) -> impl Iterator<Item = (usize, GroupTrailer)> + 'a {
    (from..layout.data_end as usize)
        .step_by(FRAME_ALIGNMENT)
        .filter_map(move |at| trailer_at(bytes, layout, at).map(|(_, trailer)| (at, trailer)))
}

/// A group of which only the closing frame was looked at.
pub(crate) struct GroupEnded {
    pub trailer_offset: usize,
    pub sealed: bool,
}

/// The group that ends at `end` and leaves the state `tail`. Its closing frame is looked for in the last alignment before
/// `end`, and its chain says that everything up to there is what `tail` was made from.
pub(crate) fn group_ending_at(bytes: &[u8], layout: &Layout, end: usize, tail: &Tail) -> Option<GroupEnded> {
    let newest = end.checked_sub(TRAILER_FRAME_BYTES)?;
    let oldest = newest.saturating_sub(layout.alignment as usize - 1).max(layout.data_start as usize);
    let bytes = bytes.get(..end)?;
    (oldest.next_multiple_of(FRAME_ALIGNMENT)..=newest).step_by(FRAME_ALIGNMENT).find_map(|at| {
        let (header, trailer) = trailer_at(bytes, layout, at)?;
        let said = (header.seq.get(), header.ts_ns.get(), trailer.epoch.get(), trailer.chain);
        let is_it = said == (tail.seq, tail.ts_ns, tail.epoch, tail.chain);
        is_it.then(|| GroupEnded { trailer_offset: at, sealed: is_seal(bytes, layout, &trailer) })
    })
}

/// The `Group` frame at `at`, if one stands there whole.
fn trailer_at(bytes: &[u8], layout: &Layout, at: usize) -> Option<(FrameHeader, GroupTrailer)> {
    const TRAILER_LEN: [u8; 4] = (TRAILER_FRAME_BYTES as u32).to_le_bytes();
    if bytes.get(at..at + 4)? != TRAILER_LEN {
        return None;
    }
    let (header, frame) = checked_frame(bytes, layout, at).ok()?;
    let is_trailer = header.kind.get() == Kind::Group as u16 && header.version == FRAMING_VERSION;
    debug_assert!(frame.len() == FRAME_HEADER_BYTES + TRAILER_BYTES);
    let trailer = GroupTrailer::read_from_bytes(&frame[FRAME_HEADER_BYTES..]).ok()?;
    is_trailer.then_some((header, trailer))
}

fn is_seal(bytes: &[u8], layout: &Layout, trailer: &GroupTrailer) -> bool {
    let start = usize::try_from(trailer.start_offset.get()).unwrap_or(usize::MAX);
    let first = checked_frame(bytes, layout, start);
    first.is_ok_and(|(header, _)| header.kind.get() == Kind::Seal as u16)
}

/// The state that a sealed segment leaves behind, by the closing frame of its seal; none if it is not sealed.
pub(crate) fn tail_of_sealed(bytes: &[u8], layout: &Layout) -> Option<Tail> {
    let last = bytes_before_zeros(&bytes[..layout.data_end as usize]).checked_sub(1)?;
    // The chain's last bytes may be zeros themselves, so the frame may end a little later than the last byte that is not.
    let newest = last & !(FRAME_ALIGNMENT - 1);
    let oldest = newest.saturating_sub(TRAILER_FRAME_BYTES).max(layout.data_start as usize);
    (oldest..=newest).step_by(FRAME_ALIGNMENT).find_map(|at| {
        let (header, trailer) = trailer_at(bytes, layout, at)?;
        is_seal(bytes, layout, &trailer).then(|| Tail {
            seq: header.seq.get(),
            ts_ns: header.ts_ns.get(),
            sub: None,
            epoch: trailer.epoch.get(),
            chain: trailer.chain,
        })
    })
}
