//! The end of what is known: what the next record and the next group must follow. The writer checks it before
//! it writes and every scanner after it reads, with this one rule.

use crate::record::{Kind, Record};
use crate::scan::Disorder;

/// The state after some whole number of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub seq: u64,
    pub ts_ns: u64,
    /// `sub` of the last record of the command that is open in this group; none at the start of a group.
    pub sub: Option<u32>,
    pub epoch: u64,
    pub chain: [u8; 32],
}

impl Tail {
    pub fn genesis(chain: [u8; 32]) -> Tail {
        Tail { seq: 0, ts_ns: 0, sub: None, epoch: 0, chain }
    }

    /// The state after `record`, or why it cannot come next.
    pub fn after(&self, record: &Record<'_>) -> Result<Tail, Disorder> {
        if record.ts_ns < self.ts_ns {
            return Err(Disorder::TimeBackwards { after_ns: self.ts_ns, found_ns: record.ts_ns });
        }
        let (seq_due, sub_due) = match record.kind {
            Kind::Command => (self.seq + 1, Some(0)),
            Kind::Event => (self.seq, Some(self.sub.ok_or(Disorder::EventWithoutCommand)?.wrapping_add(1))),
            _ => (self.seq, self.sub),
        };
        if record.seq != seq_due {
            return Err(Disorder::Seq { due: seq_due, found: record.seq });
        }
        if let (Kind::Command | Kind::Event, Some(due)) = (record.kind, sub_due)
            && record.sub != due
        {
            return Err(Disorder::Sub { due, found: record.sub });
        }
        Ok(Tail { seq: seq_due, ts_ns: record.ts_ns, sub: sub_due, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, ts_ns: u64, kind: Kind, sub: u32) -> Record<'static> {
        Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload: b"" }
    }

    #[test]
    fn what_may_follow_what() {
        let start = Tail::genesis([0; 32]);
        let command = start.after(&record(1, 5, Kind::Command, 0)).expect("the first command");
        let event = command.after(&record(1, 5, Kind::Event, 1)).expect("its event");
        for (tail, next, allowed) in [
            (start, record(2, 5, Kind::Command, 0), false),
            (start, record(0, 5, Kind::Event, 1), false),
            (start, record(0, 5, Kind::Mark, 0), true),
            (command, record(2, 5, Kind::Command, 0), true),
            (command, record(1, 5, Kind::Command, 0), false),
            (command, record(2, 4, Kind::Command, 0), false),
            (command, record(2, 5, Kind::Command, 1), false),
            (event, record(1, 5, Kind::Event, 2), true),
            (event, record(1, 5, Kind::Event, 1), false),
            (event, record(1, 5, Kind::Event, 3), false),
            (event, record(1, 6, Kind::Mark, 0), true),
            (event, record(2, 6, Kind::Mark, 0), false),
        ] {
            assert_eq!(tail.after(&next).is_ok(), allowed, "{tail:?} {next:?}");
        }
    }
}
