//! After the venue is open, no command allocates: counted by the allocator itself.

mod desk;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use desk::flow::{Random, draw};
use desk::{Desk, venue_open};
use engine::event::EventSink;
use engine::message::Origin;
use engine::{Engine, Sequenced};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches a thread-local integer only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, that is from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

struct Count(u64);

impl EventSink for Count {
    fn event(&mut self, _: u32, payload: &[u8]) {
        self.0 += payload.len() as u64;
    }
}

struct Run {
    engine: Engine,
    seq: u64,
    ts_ns: u64,
    random: Random,
    sink: Count,
}

impl Run {
    fn step(&mut self) {
        if self.random.one_in(100) {
            self.ts_ns += 3_600_000_000_000;
        }
        if let Some(due) = self.engine.due(self.ts_ns + 10) {
            return self.apply(Origin::venue(), &due.message());
        }
        let engine = &self.engine;
        let skip = self.random.below(8) as usize;
        let open = engine.open_orders().nth(skip).map(|order| order.order_id);
        let numbers = |id| engine.session(id).map_or(1, |session| session.next_client_seq);
        let (origin, draft) = draw(&mut self.random, self.ts_ns, numbers, open);
        self.apply(origin, draft.message());
    }

    fn apply(&mut self, origin: Origin, message: &[u8]) {
        self.seq += 1;
        self.ts_ns += 10;
        let command = Sequenced { seq: self.seq, ts_ns: self.ts_ns, origin: &origin, message };
        self.engine.apply(&command, &mut self.sink);
    }
}

#[test]
fn no_command_and_no_digest_allocates() {
    let desk = Desk::open_wide(venue_open([3, 4]), 1_000_000_000_000);
    let Desk { engine, seq, ts_ns } = desk;
    let mut run = Run { engine, seq, ts_ns, random: Random(1), sink: Count(0) };
    for _ in 0..1_000 {
        run.step();
    }
    let before = allocations();
    for _ in 0..200_000 {
        run.step();
    }
    let digest = run.engine.digest();
    assert_eq!(allocations() - before, 0, "allocations in 200,000 commands");
    assert!(run.sink.0 > 10_000_000, "the commands did something");
    assert_ne!(digest, [0; 32]);
}
