//! What R follows (the journal's sync modes): the last group in the page cache, or the last on the disk. Decided by the
//! operator, said at the start and in every challenge, obeyed by the journal's stage.

use std::fmt;

use journal::Limit;
use serde::{Deserialize, Serialize};

/// Which watermark releases output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum SyncMode {
    /// R = W, and the disk is asked only when a segment ends. A power cut takes everything that was not synced.
    None = 1,
    /// R = W, and the disk follows within a time and a bound. A power cut takes what was on the way.
    Async = 2,
    /// R = D, as many commands to a sync as came while the last one ran.
    #[default]
    Group = 3,
    /// R = D, one command to a sync.
    Sync = 4,
}

impl SyncMode {
    /// As the challenge has it; none for a number that this version does not know.
    pub fn from_wire(value: u8) -> Option<SyncMode> {
        [SyncMode::None, SyncMode::Async, SyncMode::Group, SyncMode::Sync]
            .into_iter()
            .find(|mode| *mode as u8 == value)
    }

    /// How far a follower of the journal may read of what is to be told.
    pub fn limit(self) -> Limit {
        if self.waits_for_the_disk() { Limit::Durable } else { Limit::Written }
    }

    pub fn name(self) -> &'static str {
        match self {
            SyncMode::None => "none",
            SyncMode::Async => "async",
            SyncMode::Group => "group",
            SyncMode::Sync => "sync",
        }
    }

    /// Is something said only once it is durable?
    pub fn waits_for_the_disk(self) -> bool {
        matches!(self, SyncMode::Group | SyncMode::Sync)
    }
}

/// A mode with what bounds it.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    pub mode: SyncMode,
    /// Only for `Async`: how long a group waits for its sync to start, and how much may wait.
    pub async_ns: u64,
    pub unsynced_bytes_max: u64,
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.mode.name();
        match self.mode {
            SyncMode::None => write!(
                formatter,
                "BEFORE the disk (sync = \"{name}\"): a power cut takes back what was said; for benchmarks only"
            ),
            SyncMode::Async => write!(
                formatter,
                "BEFORE the disk (sync = \"{name}\"): a power cut takes back what was said in the last {} ms and \
                 one sync, at most {} MiB",
                self.async_ns / 1_000_000,
                self.unsynced_bytes_max >> 20
            ),
            SyncMode::Group => {
                write!(
                    formatter,
                    "after the disk has it (sync = \"{name}\"): nothing is said before it is durable"
                )
            }
            SyncMode::Sync => write!(
                formatter,
                "after the disk has it (sync = \"{name}\"), each command by itself: nothing is said before it is \
                 durable"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_go_over_the_wire_and_back() {
        for mode in [SyncMode::None, SyncMode::Async, SyncMode::Group, SyncMode::Sync] {
            assert_eq!(SyncMode::from_wire(mode as u8), Some(mode));
        }
        assert_eq!((SyncMode::from_wire(0), SyncMode::from_wire(5)), (None, None));
    }

    #[test]
    fn a_mode_that_does_not_wait_says_so_loudly() {
        for (mode, loud) in [
            (SyncMode::None, true),
            (SyncMode::Async, true),
            (SyncMode::Group, false),
            (SyncMode::Sync, false),
        ] {
            let release = Release { mode, async_ns: 10_000_000, unsynced_bytes_max: 8 << 20 };
            assert_eq!(release.to_string().contains("BEFORE"), loud);
            assert_eq!(mode.waits_for_the_disk(), !loud);
        }
    }
}
