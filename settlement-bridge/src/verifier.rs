//! Every record judged: commands applied to the bridge's own engine, events and marks compared with what it computes,
//! and the ledger compared with its accounts. It knows records, not where they are read from, and stops for good at the
//! first difference. There is no override: the cure is a repaired journal or the build that wrote it.

use std::fmt;

use engine::Engine;
use engine::replay::{Checked, Difference, Replay, What};
use journal::{Kind, Loss, Record};

use crate::ledger::{Disagreement, Ledger};

/// What stops a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record and the engine part.
    Replay(Difference),
    /// The ledger and the engine part after the command `seq`.
    Ledger { seq: u64, disagreement: Disagreement },
}

impl Fault {
    /// Nothing is wrong but this build, which is older than the rules of the journal.
    pub fn is_newer(&self) -> bool {
        matches!(self, Fault::Replay(Difference { what: What::LogicUnknown(_), .. }))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Replay(unknown) if self.is_newer() => write!(f, "{unknown}"),
            Fault::Replay(difference) => write!(f, "the journal differs from the replay: {difference}"),
            Fault::Ledger { seq, disagreement } => {
                write!(f, "the ledger differs from the engine after seq {seq}: {disagreement}")
            }
        }
    }
}

impl std::error::Error for Fault {}

#[derive(Default)]
pub struct Verifier {
    replay: Replay,
    ledger: Ledger,
    losses: Vec<Loss>,
}

impl Verifier {
    /// From what was reached before: the journal goes on behind it.
    pub fn from_state(engine: Engine, ledger: Ledger) -> Verifier {
        Verifier { replay: Replay::from_engine(engine), ledger, losses: Vec::new() }
    }

    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        match record.kind {
            Kind::Command => self.command(record),
            Kind::Event => self.event(record),
            Kind::Mark => {
                self.replay.mark(record.seq, record.payload).map_err(Fault::Replay)?;
                self.compare()
            }
            Kind::Logic => self.replay.logic(record.seq, record.payload).map_err(Fault::Replay),
            // It changes no state: whoever gets here had not read what it took away.
            Kind::Loss => {
                self.losses.extend(Loss::read(record.payload));
                Ok(())
            }
            // They change no state: a new leader, a snapshot taken.
            Kind::Epoch | Kind::SnapshotRef => Ok(()),
            Kind::Seal | Kind::Group | Kind::Pad => Ok(()),
        }
    }

    /// Nothing more is to come: every event of the last command was recorded, and the ledger agrees.
    pub fn finish(&mut self) -> Result<(), Fault> {
        self.replay.finish().map_err(Fault::Replay)?;
        self.compare()
    }

    /// Whether the last command stands with all its events, which is where ledger and engine can be compared.
    pub fn is_whole(&self) -> bool {
        self.replay.owed() == 0
    }

    pub fn checked(&self) -> Checked {
        self.replay.checked()
    }

    /// Durable data that was given up in what was read: none of it had been read before.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Holds the ledger against the engine's accounts.
    pub fn compare(&self) -> Result<(), Fault> {
        let engine = self.replay.engine();
        self.ledger
            .compare(engine)
            .map_err(|disagreement| Fault::Ledger { seq: engine.last_seq(), disagreement })
    }

    fn command(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        self.replay.command(record.seq, record.ts_ns, record.payload).map_err(Fault::Replay)?;
        self.ledger.command(record.payload);
        Ok(())
    }

    /// The ledger hears an event only after the replay found it equal, so it never sees a value that no rule allows.
    fn event(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        self.replay.event(record.seq, record.sub, record.payload).map_err(Fault::Replay)?;
        self.ledger
            .event(record.payload)
            .map_err(|disagreement| Fault::Ledger { seq: record.seq, disagreement })
    }
}
