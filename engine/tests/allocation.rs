//! What the venue takes when it opens, and that no command takes more: counted by the allocator itself.
//!
//! ```text
//! cargo test -p engine --test allocation -- --nocapture bytes
//! ```

mod desk;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use desk::flow::{Random, draw};
use desk::{Desk, venue_open};
use engine::command::VenueOpen;
use engine::event::EventSink;
use engine::message::{Framed, Origin};
use engine::{Engine, Sequenced};
use zerocopy::IntoBytes;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it came; counting touches thread-local integers only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as u64));
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

/// What a venue takes from the allocator at its opening.
fn bytes_taken(open: VenueOpen) -> u64 {
    let mut engine = Engine::new();
    let (origin, message) = (Origin::venue(), Framed::new(open));
    let before = BYTES.with(Cell::get);
    engine
        .apply(&Sequenced { seq: 1, ts_ns: 1, origin: &origin, message: message.as_bytes() }, &mut Count(0));
    let taken = BYTES.with(Cell::get) - before;
    assert!(engine.limits().is_some());
    taken
}

/// So many more of a capacity are so many more bytes: from one power of two to the next, where tables are fullest.
fn bytes_each(raise: fn(&mut VenueOpen, u32)) -> u64 {
    const FEW: u32 = 1 << 14;
    let taken = |count| {
        let mut open = venue_open([3, 4]);
        raise(&mut open, count);
        bytes_taken(open)
    };
    (taken(2 * FEW) - taken(FEW)).div_ceil(FEW.into())
}

/// Bytes by the capacities that a venue is opened with. A price level is one page at worst, shared by 16 prices at best.
#[test]
fn bytes_of_an_order_and_of_an_account() {
    let order = bytes_each(|open, count| open.orders_max = count.into());
    let level = bytes_each(|open, count| open.levels_max = count.into());
    let position = bytes_each(|open, count| open.positions_max = count.into());
    let account = bytes_each(|open, count| open.accounts_max = count.into());
    let session = bytes_each(|open, count| open.sessions_max = count.into());
    let instrument = bytes_each(|open, count| open.instruments_max = count.into());
    let closed_id = bytes_each(|open, count| open.closed_ids_max = count.into());
    // As in the demonstration venue: a level for every four orders.
    let resting = order + level.div_ceil(4);
    let with_three = account + 3 * position;
    let rows = [
        ("order", order, 170),
        ("price level", level, 184),
        ("resting order, four to a level", resting, 216),
        ("position entry", position, 92),
        ("account", account, 56),
        ("account with three positions", with_three, 1024),
        ("session", session, 84),
        ("instrument", instrument, 1024),
        ("closed client id", closed_id, 40),
    ];
    for (name, bytes, most) in rows {
        println!("{name:<32}{bytes:>6} bytes, at most {most}");
    }
    for (name, bytes, most) in rows {
        assert!(bytes <= most, "{name}: {bytes} bytes, at most {most}");
    }
}
