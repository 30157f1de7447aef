//! Engine and model side by side: every command goes to both, and both must answer the same bytes. Owns the order of
//! commands and the clock; what is due comes first (5.6, 8.2).

use engine::command::Continue;
use engine::message::Origin;
use engine::{Due, Engine};

use crate::agreement::same_state;
use crate::model::Model;
use crate::workload::{Profile, Step, bytes, genesis};
use crate::{heard, text};

const FIRST_NS: u64 = 1_700_000_000_000_000_000;
const INVARIANTS_EVERY: u64 = 8;
const STATE_EVERY: u64 = 64;
/// What is due at one moment ends before so many commands.
const DUE_MAX: u64 = 20_000;

pub struct Pair {
    pub engine: Engine,
    pub model: Model,
    pub ts_ns: u64,
    seq: u64,
    /// Of the genesis, which is the same each time and is not looked at again.
    genesis: u64,
    /// Highest client id that a script gave.
    pub client_id: u64,
}

impl Pair {
    /// A venue of this profile with all that trades there.
    pub fn new(profile: &Profile) -> Pair {
        let mut pair = Pair {
            engine: Engine::new(),
            model: Model::new(),
            ts_ns: FIRST_NS,
            seq: 0,
            genesis: 0,
            client_id: 0,
        };
        let genesis = genesis(profile);
        pair.genesis = genesis.len() as u64;
        for step in genesis {
            pair.apply(&step);
        }
        pair
    }

    pub fn apply(&mut self, step: &Step) -> Vec<Vec<u8>> {
        self.seq += 1;
        let place = Place { seq: self.seq, ts_ns: self.ts_ns, step };
        let said = self.model.apply(self.seq, self.ts_ns, &step.origin, &step.message);
        let heard = heard::answer(&mut self.engine, self.seq, self.ts_ns, &step.origin, &step.message);
        if heard != said {
            panic!("the answers differ\nmodel\n{}\nengine\n{}", text::events(&said), text::events(&heard));
        }
        assert_eq!(self.engine.continuation(), self.model.continuation(), "5.6: what is due");
        if self.engine.continuation().is_none() {
            assert_eq!(self.engine.deadline(), self.model.deadline(), "8.2: the deadline");
        }
        let count = self.seq.saturating_sub(self.genesis);
        if count % INVARIANTS_EVERY == 1 {
            assert_eq!(self.engine.check_invariants(), Ok(()));
        }
        if count % STATE_EVERY == 1 {
            self.compare();
        }
        drop(place);
        said
    }

    /// A taker between its continuations is neither open nor done: the state is compared when it has ended.
    fn compare(&self) {
        if self.engine.continuation().is_none() {
            same_state(&self.engine, &self.model);
        }
    }

    /// Everything that is due now. `strays` says that a `Continue` of another order comes before each that is due.
    pub fn settle(&mut self, strays: bool) {
        for _ in 0..DUE_MAX {
            let Some(due) = self.engine.due(self.ts_ns) else { return };
            if let (Due::Continue(order_id), true) = (due, strays) {
                self.apply(&from_venue(bytes(Continue { order_id: (order_id ^ 1).into() })));
            }
            self.apply(&from_venue(due.message().to_vec()));
        }
        panic!("what is due at {} never ends", self.ts_ns);
    }

    /// Goes on with the engine that the snapshot gives.
    pub fn restart(&mut self) {
        let (snapshot, digest) = (self.engine.snapshot(), self.engine.digest());
        self.engine = Engine::restore(&snapshot).expect("a snapshot of the engine restores");
        assert_eq!(self.engine.digest(), digest);
        assert!(self.engine.snapshot() == snapshot, "a snapshot of the restored is the same bytes");
        assert_eq!(self.engine.check_invariants(), Ok(()));
    }

    pub fn end(mut self) {
        self.compare();
        self.restart();
    }
}

fn from_venue(message: Vec<u8>) -> Step {
    Step { origin: Origin::venue(), message }
}

/// Says which command it was when a panic happened.
struct Place<'a> {
    seq: u64,
    ts_ns: u64,
    step: &'a Step,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", text::command(self.seq, self.ts_ns, &self.step.origin, &self.step.message));
        }
    }
}
