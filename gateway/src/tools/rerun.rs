//! The engine run over a journal, every event and every digest compared with what is recorded.

use engine::Engine;
use engine::logic;
use engine::replay::{Difference, Replay, What};
use journal::{Kind, Record};

use super::json::Object;
use super::source::{Journal, failure};
use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_REFUSED, Failure};
use crate::snapshots::standing::Standing;

const SEGMENT_FIRST: u64 = 1;

pub struct Rerun {
    pub replay: Replay,
    /// What the state that it began with already contains.
    from_seq: u64,
}

impl Rerun {
    /// From the first command, or, where retention has taken that, from the oldest snapshot that verifies.
    pub fn start(journal: &Journal) -> Result<Rerun, Failure> {
        let version = journal.identity.logic_version;
        logic::check(version).map_err(|unknown| Failure::new(EXIT_REFUSED, unknown.to_string()))?;
        let held = journal::segments(&journal.directory, &journal.identity).map_err(failure)?;
        if held.first().is_none_or(|first| *first <= SEGMENT_FIRST) {
            return Ok(Rerun { replay: Replay::new(), from_seq: 0 });
        }
        let engine = oldest_standing(journal)?.into_parts().0;
        let from_seq = engine.last_seq();
        Ok(Rerun { replay: Replay::from_engine(engine), from_seq })
    }

    /// The state after this command is the first that can be shown.
    pub fn first_seq(&self) -> u64 {
        self.from_seq
    }

    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        if self.from_seq > 0 && record.seq <= self.from_seq {
            return Ok(());
        }
        let replay = &mut self.replay;
        match record.kind {
            Kind::Command => replay.command(record.seq, record.ts_ns, record.payload),
            Kind::Event => replay.event(record.seq, record.sub, record.payload),
            Kind::Mark => replay.mark(record.seq, record.payload),
            Kind::Logic => replay.logic(record.seq, record.payload),
            // They change no state; what a loss took away shows as a seq that is not the next.
            Kind::Epoch | Kind::SnapshotRef | Kind::Loss | Kind::Seal | Kind::Group | Kind::Pad => Ok(()),
        }
        .map_err(|difference| differs(&difference))
    }

    /// Nothing more is to come of the last command.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.replay.finish().map_err(|difference| differs(&difference))
    }

    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }
}

/// The oldest snapshot that verifies.
pub fn oldest_standing(journal: &Journal) -> Result<Standing, Failure> {
    let directory = &journal.directory;
    let unread = |error| {
        Failure::new(EXIT_ERROR, format!("cannot list the snapshots of {}: {error}", directory.display()))
    };
    let mut why = "there is none".to_owned();
    for seq in journal::snapshot_seqs(directory).map_err(unread)? {
        match Standing::load(directory, &journal.identity, seq) {
            Ok((standing, _)) => return Ok(standing),
            Err(fault) => why = format!("that of seq {seq}: {fault}"),
        }
    }
    let text =
        format!("{} does not begin at seq 1, so a replay needs a snapshot: {why}", directory.display());
    let report = Object::new().text("refusal", "no_snapshot").text("path", &directory.display().to_string());
    Err(Failure::new(EXIT_DAMAGED, text.clone()).reporting(report.text("text", &text).end()))
}

fn differs(difference: &Difference) -> Failure {
    let code = if matches!(difference.what, What::LogicUnknown(_)) { EXIT_REFUSED } else { EXIT_DAMAGED };
    Failure::new(code, format!("the journal differs from the replay: {difference}"))
}
