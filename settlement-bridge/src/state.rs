//! What a bridge has reached, on its own disk: engine and ledger at the end of a group, in one file that is replaced whole. It
//! is durable before the journal is told, by the cursor, that what is before it may go.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use engine::Engine;
use journal::{
    Bookmark, CursorName, Identity, Lock, Snapshot, SnapshotFault, SnapshotHead, store_cursor, write_snapshot,
};

use crate::ledger::Ledger;
use crate::verifier::Verifier;

const FILE: &str = "bridge.state";
const ENGINE: &str = "engine";
const LEDGER: &str = "ledger";

/// A bridge's directory, held by one process at a time.
pub struct Home {
    directory: PathBuf,
    name: CursorName,
    _lock: Lock,
}

/// Why a state is not gone on from.
#[derive(Debug)]
pub enum StateFault {
    Io(io::Error),
    Locked(String),
    Damaged(String),
}

impl Home {
    pub fn open(directory: &Path, name: CursorName) -> Result<Home, StateFault> {
        fs::create_dir_all(directory).map_err(StateFault::Io)?;
        let lock = Lock::take(directory).map_err(|error| StateFault::Locked(error.to_string()))?;
        Ok(Home { directory: directory.to_owned(), name, _lock: lock })
    }

    pub fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// The state that was kept last, and where the journal goes on; none in a new directory.
    pub fn load(&self, identity: &Identity) -> Result<Option<(Verifier, Bookmark)>, StateFault> {
        let snapshot = match Snapshot::load(&self.path()) {
            Ok(snapshot) => snapshot,
            Err(SnapshotFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(StateFault::Damaged(fault.to_string())),
        };
        let damaged = |why: &str| StateFault::Damaged(why.to_owned());
        snapshot.head.check_belongs(identity).map_err(|fault| damaged(&fault.to_string()))?;
        let engine = snapshot.section(ENGINE).and_then(|bytes| Engine::restore(bytes).ok());
        let engine = engine.ok_or_else(|| damaged("its engine does not verify"))?;
        if engine.digest() != snapshot.head.state_hash {
            return Err(damaged("its engine has another digest"));
        }
        let ledger = snapshot.section(LEDGER).and_then(Ledger::restore);
        let ledger = ledger.ok_or_else(|| damaged("its ledger does not verify"))?;
        let verifier = Verifier::from_state(engine, ledger);
        verifier.compare().map_err(|fault| damaged(&fault.to_string()))?;
        Ok(Some((verifier, snapshot.head.bookmark)))
    }

    /// Keeps what was reached, durably, and then moves the cursor in the journal.
    pub fn keep(
        &self,
        journal: &Path,
        identity: &Identity,
        verifier: &Verifier,
        bookmark: &Bookmark,
    ) -> io::Result<()> {
        let engine = verifier.replay().engine();
        let head = SnapshotHead {
            journal_id: identity.journal_id,
            shard: identity.shard,
            logic_version: identity.logic_version,
            bookmark: *bookmark,
            state_hash: engine.digest(),
        };
        let temporary = self.path().with_extension("state.tmp");
        let (engine, ledger) = (engine.snapshot(), verifier.ledger().snapshot());
        write_snapshot(&temporary, &head, &[(ENGINE, &engine), (LEDGER, &ledger)])?;
        fs::rename(&temporary, self.path())?;
        File::open(&self.directory)?.sync_all()?;
        self.register(journal, identity, bookmark)
    }

    /// Tells the journal that everything from `bookmark` on is still needed.
    pub fn register(&self, journal: &Path, identity: &Identity, bookmark: &Bookmark) -> io::Result<()> {
        store_cursor(journal, identity.journal_id, &self.name, bookmark)
    }
}
