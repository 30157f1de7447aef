//! What the journal's disk still lets the venue do: how much may be sequenced before the journal has said more, and whether
//! the venue must stand still (rules, 10.6). Three words that flow backwards, from the journal's stage to the engine's and to
//! the door; it knows no disk and no order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use engine::Standstill;
use journal::Room;

/// What a command can take in the journal beside its frames, which are as long there as on the log ring: the end of a group of
/// its own, and the zeros up to where the next one may begin.
const COMMAND_BYTES: u64 = 4096 + 512;
/// What the journal's stage writes for itself: a record of a snapshot, a seal.
const OWN_BYTES: u64 = 4 * 4096;

/// What the door lets through (rules, 10.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Takes {
    Everything = 0,
    /// Half of what was left when the venue became cancel-only is gone: the rest is kept for what takes away.
    WhatTakesAway = 1,
    Nothing = 2,
}

/// How the disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    Enough = 0,
    /// No segment is ready, none can be made, and little is left of the active one: nothing is to be added.
    Low = 1,
    /// There is no room for one more command and what it may say. What is left is the halt's.
    Nothing = 2,
}

impl Level {
    /// The level in which an earlier life left the venue.
    pub fn behind(standstill: Standstill) -> Level {
        match standstill {
            Standstill::None => Level::Enough,
            Standstill::CancelOnly(_) => Level::Low,
            Standstill::Halted(_) => Level::Nothing,
        }
    }

    /// The next level. `command_bytes` is the most that one command takes. Once low, it is enough again only when a whole
    /// segment stands ready and nothing else is missing, so that it does not change to and fro.
    pub fn next(self, room: Room, command_bytes: u64) -> Level {
        let has_none = room.spares == 0 && room.is_short;
        let kept = command_bytes + OWN_BYTES;
        match self {
            _ if has_none && room.left_bytes < kept => Level::Nothing,
            Level::Enough if has_none && room.left_bytes < kept + room.segment_bytes / 10 => Level::Low,
            Level::Low | Level::Nothing if room.spares > 0 && !room.is_short => Level::Enough,
            level => level,
        }
    }
}

/// Where a command stands in what the journal will take: never less than the journal's own count.
pub fn charge(log_position: u64, commands: u64) -> u64 {
    log_position + commands * COMMAND_BYTES
}

/// The most that one command is charged for, with `room_bytes` on the log ring.
pub fn charge_max(room_bytes: usize) -> u64 {
    charge(room_bytes as u64, 1)
}

#[derive(Clone, Debug)]
pub struct Space(Arc<Words>);

#[derive(Debug)]
struct Words {
    level: AtomicU8,
    limit: CachePadded<AtomicU64>,
    is_halted: AtomicBool,
    keeps_the_rest: AtomicBool,
}

impl Space {
    pub fn at(level: Level) -> Space {
        let words = Words {
            level: AtomicU8::new(level as u8),
            limit: CachePadded::new(AtomicU64::new(0)),
            is_halted: AtomicBool::new(level == Level::Nothing),
            keeps_the_rest: AtomicBool::new(level != Level::Enough),
        };
        Space(Arc::new(words))
    }

    pub fn level(&self) -> Level {
        match self.0.level.load(Ordering::Acquire) {
            0 => Level::Enough,
            1 => Level::Low,
            _ => Level::Nothing,
        }
    }

    /// May a command be sequenced that is charged up to here?
    pub fn allows(&self, charge: u64) -> bool {
        charge <= self.0.limit.load(Ordering::Acquire)
    }

    /// From the journal's stage, when all that it has copied is written: `charged` is what that was charged for. A spare is
    /// taken for a segment that nothing stands in yet, and what is left of the active one is then not counted, because a
    /// group that does not fit into it leaves it as it is.
    pub fn publish(&self, level: Level, room: Room, charged: u64, command_bytes: u64) {
        let free = if room.spares > 0 {
            room.segment_bytes.saturating_sub(OWN_BYTES).max(command_bytes)
        } else {
            room.left_bytes.saturating_sub(OWN_BYTES)
        };
        self.0.limit.store(charged + free, Ordering::Release);
        // Cancel-only begins with a tenth of a segment; a start into it knows no more than that.
        let half = command_bytes + OWN_BYTES + room.segment_bytes / 20;
        let keeps_the_rest = level != Level::Enough && room.left_bytes < half;
        self.0.keeps_the_rest.store(keeps_the_rest, Ordering::Release);
        self.0.level.store(level as u8, Ordering::Release);
    }

    /// Nothing is sequenced, so the door answers in the engine's place.
    pub fn is_halted(&self) -> bool {
        self.0.is_halted.load(Ordering::Acquire)
    }

    /// What the door may let onto the ring.
    pub fn takes(&self) -> Takes {
        if self.is_halted() {
            Takes::Nothing
        } else if self.0.keeps_the_rest.load(Ordering::Acquire) {
            Takes::WhatTakesAway
        } else {
            Takes::Everything
        }
    }

    /// From the engine's stage.
    pub fn halted(&self, is_halted: bool) {
        self.0.is_halted.store(is_halted, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: u64 = 1 << 20;
    const SEGMENT: u64 = 64 << 20;

    fn room(left_bytes: u64, spares: usize, is_short: bool) -> Room {
        Room { left_bytes, segment_bytes: SEGMENT, spares, is_short }
    }

    #[test]
    fn a_disk_runs_low_and_then_out_and_is_enough_only_with_all_that_was_missing() {
        let tenth = SEGMENT / 10 + COMMAND + OWN_BYTES;
        for (level, room, next) in [
            (Level::Enough, room(0, 0, false), Level::Enough),
            (Level::Enough, room(0, 1, true), Level::Enough),
            (Level::Enough, room(tenth, 0, true), Level::Enough),
            (Level::Enough, room(tenth - 1, 0, true), Level::Low),
            (Level::Enough, room(COMMAND, 0, true), Level::Nothing),
            (Level::Low, room(SEGMENT, 0, true), Level::Low),
            (Level::Low, room(SEGMENT, 0, false), Level::Low),
            (Level::Low, room(SEGMENT, 1, true), Level::Low),
            (Level::Low, room(SEGMENT, 1, false), Level::Enough),
            (Level::Low, room(COMMAND, 0, true), Level::Nothing),
            (Level::Nothing, room(0, 0, false), Level::Nothing),
            (Level::Nothing, room(0, 1, true), Level::Nothing),
            (Level::Nothing, room(0, 1, false), Level::Enough),
        ] {
            assert_eq!(level.next(room, COMMAND), next, "{level:?} {room:?}");
        }
    }

    #[test]
    fn the_second_half_of_the_last_tenth_is_for_what_takes_away() {
        let space = Space::at(Level::Enough);
        let half = COMMAND + OWN_BYTES + SEGMENT / 20;
        for (level, left_bytes, takes) in [
            (Level::Enough, half - 1, Takes::Everything),
            (Level::Low, half, Takes::Everything),
            (Level::Low, half - 1, Takes::WhatTakesAway),
            (Level::Enough, SEGMENT, Takes::Everything),
        ] {
            space.publish(level, room(left_bytes, 0, true), 0, COMMAND);
            assert_eq!(space.takes(), takes, "{level:?} {left_bytes}");
        }
        space.halted(true);
        assert_eq!(space.takes(), Takes::Nothing);
    }

    #[test]
    fn as_much_may_be_sequenced_as_surely_finds_room() {
        let space = Space::at(Level::Enough);
        assert!(!space.allows(1), "nothing before the journal's stage has looked");
        space.publish(Level::Enough, room(5 * COMMAND, 0, false), 700, COMMAND);
        assert!(space.allows(700 + 5 * COMMAND - OWN_BYTES) && !space.allows(701 + 5 * COMMAND - OWN_BYTES));
        space.publish(Level::Enough, room(0, 2, false), 700, COMMAND);
        assert!(space.allows(700 + SEGMENT - OWN_BYTES) && !space.allows(701 + SEGMENT - OWN_BYTES));
        space.publish(Level::Enough, Room { segment_bytes: 5, ..room(0, 1, false) }, 0, COMMAND);
        assert!(space.allows(COMMAND), "one command always, where there is a segment");
    }
}
