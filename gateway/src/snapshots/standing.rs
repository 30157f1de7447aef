//! What a venue consists of between two commands, engine, outboxes and market data, as it is built from the journal: the state that a
//! snapshot holds. Hears records, checks each against what the engine says, and knows no file format but the names of its
//! sections.

use std::path::Path;
use std::thread;

use engine::Engine;
use engine::replay::{Difference, Replay};
use journal::{Bookmark, Identity, Kind, Record, Snapshot, load_snapshot};

use crate::market::projection::Projection;
use crate::outbox::Outboxes;
use crate::snapshots::reference::SnapshotReference;

const ENGINE: &str = "engine";
const OUTBOX: &str = "outbox";
/// The section of the market data, for whoever needs nothing else.
pub const MARKET: &str = "market";

/// What everybody is told, as long as this state keeps it.
enum Market {
    Kept(Box<Projection>),
    GivenAway,
}

impl Default for Market {
    fn default() -> Market {
        Market::Kept(Box::default())
    }
}

/// A state that follows the journal.
#[derive(Default)]
pub struct Standing {
    replay: Replay,
    outboxes: Outboxes,
    market: Market,
    /// The snapshots that the journal, as far as it was heard, says were verified.
    recorded: Vec<SnapshotReference>,
}

impl Standing {
    /// The state of the snapshot of `seq`, and where the journal goes on. The text says why it is not one to build on.
    pub fn load(directory: &Path, identity: &Identity, seq: u64) -> Result<(Standing, Bookmark), String> {
        let snapshot = load_snapshot(directory, identity, seq).map_err(|fault| fault.to_string())?;
        Ok((Standing::restore(&snapshot)?, snapshot.head.bookmark))
    }

    /// The state in a file of which every byte verified. The engine compares its own bytes with those it was given, and the
    /// digest with the one in the header.
    pub fn restore(snapshot: &Snapshot) -> Result<Standing, String> {
        let section = |name| snapshot.section(name).ok_or(format!("it has no section '{name}'"));
        let (engine, outbox, market) = (section(ENGINE)?, section(OUTBOX)?, section(MARKET)?);
        if snapshot.sections().count() != 3 {
            return Err("it has sections that this version does not know".into());
        }
        let (engine, outboxes) = thread::scope(|scope| {
            let outboxes = scope.spawn(|| {
                let outboxes = Outboxes::restore(outbox).ok_or("its outboxes do not verify")?;
                let is_canonical = outboxes.snapshot() == outbox;
                is_canonical.then_some(outboxes).ok_or("its outboxes are not in canonical form")
            });
            (Engine::restore_digested(engine), outboxes.join())
        });
        let (engine, digest) = engine.map_err(|error| format!("the engine refuses it: {error}"))?;
        if engine.last_seq() != snapshot.head.bookmark.seq {
            return Err(format!("its engine stands at seq {}", engine.last_seq()));
        }
        if digest != snapshot.head.state_hash {
            return Err("its state has another digest than its header says".into());
        }
        let mut outboxes = outboxes.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        engine.sessions().for_each(|session| outboxes.enroll(session.id, session.account, session.role));
        let market = Projection::restore(market).ok_or("its market data do not verify")?;
        let market = Market::Kept(Box::new(market));
        Ok(Standing { replay: Replay::from_engine(engine), outboxes, market, recorded: Vec::new() })
    }

    /// The next record of the journal.
    pub fn hear(&mut self, record: &Record<'_>) -> Result<(), Difference> {
        if let Market::Kept(market) = &mut self.market {
            market.hear(record);
        }
        match record.kind {
            Kind::Command => {
                self.outboxes.command(record.payload);
                self.replay.command(record.seq, record.ts_ns, record.payload)
            }
            Kind::Event => {
                self.outboxes.event(record.payload);
                self.replay.event(record.seq, record.sub, record.payload)
            }
            Kind::Mark => self.replay.mark(record.seq, record.payload),
            Kind::Logic => self.replay.logic(record.seq, record.payload),
            Kind::SnapshotRef => {
                self.recorded.extend(SnapshotReference::read(record.payload));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The last command was heard with all its events; if not, that is a difference.
    pub fn finish(&mut self) -> Result<(), Difference> {
        self.outboxes.finish_command();
        if let Market::Kept(market) = &mut self.market {
            market.end();
        }
        self.replay.finish()
    }

    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    /// The version of the rules that a record has put in force; none before there is one.
    pub fn logic_recorded(&self) -> Option<u32> {
        self.replay.logic_recorded()
    }

    /// The bytes of a snapshot's sections. The last command was finished.
    pub fn sections(&self) -> [(&'static str, Vec<u8>); 3] {
        let Market::Kept(market) = &self.market else { panic!("who makes a snapshot keeps the market data") };
        let (engine, outbox) = (self.engine().snapshot(), self.outboxes.snapshot());
        [(ENGINE, engine), (OUTBOX, outbox), (MARKET, market.snapshot())]
    }

    /// Leaves the market data to whoever follows the journal for them from here on.
    pub fn give_away_market(&mut self) -> Projection {
        match std::mem::replace(&mut self.market, Market::GivenAway) {
            Market::Kept(market) => *market,
            Market::GivenAway => panic!("the market data are given away once"),
        }
    }

    pub fn into_parts(self) -> (Engine, Outboxes, Vec<SnapshotReference>) {
        (self.replay.into_engine(), self.outboxes, self.recorded)
    }
}
