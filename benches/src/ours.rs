//! The books that stand here: the floor in its three forms, the plain one, and the whole engine.

use perf::replay::desk::{Batch, Desk};
use perf::replay::sink::{Listener, Null, Ring};
use perf::workload::reference::Reference;
use perf::workload::{Header, Record, Tally};

use crate::contest::Book;
use crate::floor::Floor;

impl<const EVENTS: bool, const MARGIN: bool> Book for Floor<EVENTS, MARGIN> {
    fn play(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.apply(record));
    }

    fn tally(&mut self) -> Tally {
        std::hint::black_box(self.events());
        self.tally
    }
}

/// BTreeMap and VecDeque.
pub struct Plain(Reference);

impl Plain {
    pub fn new(header: &Header) -> Plain {
        Plain(Reference::new(header.symbols.get(), header.id_max.get()))
    }
}

impl Book for Plain {
    fn play(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.0.apply(record));
    }

    fn tally(&mut self) -> Tally {
        self.0.tally
    }
}

/// The engine with all its rules; the events go to `L`.
pub struct Ballast<L> {
    desk: Desk,
    listener: L,
    batch: Batch,
}

impl Ballast<Null> {
    pub fn null(header: &Header, orders_max: u32) -> Ballast<Null> {
        Ballast { desk: Desk::open(header, orders_max), listener: Null, batch: Batch::default() }
    }
}

impl Ballast<Ring> {
    pub fn ring(header: &Header, orders_max: u32) -> Ballast<Ring> {
        let desk = Desk::open(header, orders_max);
        let listener = Ring::new(desk.engine.limits().expect("the venue is open"));
        Ballast { desk, listener, batch: Batch::default() }
    }
}

impl<L: Listener> Book for Ballast<L> {
    fn ready(&mut self, records: &[Record]) {
        self.listener.rest();
        self.desk.encode(records, &mut self.batch);
    }

    fn play(&mut self, _: &[Record]) {
        self.desk.apply(&self.batch, &mut self.listener);
    }

    fn tally(&mut self) -> Tally {
        self.listener.rest();
        Tally { live: self.desk.live(), ..self.listener.counted() }
    }
}
