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
use engine::limits::Limits;
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

/// What one more of each capacity costs, by its name in `[limits]`. A price level is one page at worst, shared by 16
/// prices at best.
fn rows() -> [(&'static str, u64); 12] {
    [
        ("accounts", bytes_each(|open, count| open.accounts_max = count.into())),
        ("instruments", bytes_each(|open, count| open.instruments_max = count.into())),
        ("sessions", bytes_each(|open, count| open.sessions_max = count.into())),
        ("orders", bytes_each(|open, count| open.orders_max = count.into())),
        ("levels", bytes_each(|open, count| open.levels_max = count.into())),
        ("positions", bytes_each(|open, count| open.positions_max = count.into())),
        ("orders_per_account", bytes_each(|open, count| open.orders_per_account_max = count.into())),
        ("matches_per_command", bytes_each(|open, count| open.matches_per_command_max = (count >> 4).into())),
        ("closed_ids", bytes_each(|open, count| open.closed_ids_max = count.into())),
        ("mmp_groups", bytes_each(|open, count| open.mmp_groups_max = count.into())),
        ("special_orders", bytes_each(|open, count| open.special_orders_max = count.into())),
        ("special_orders_per_account", {
            bytes_each(|open, count| open.special_orders_per_account_max = count.into())
        }),
    ]
}

/// What `engine/RULES.md` says in the last column of the row that has `name` in one of its own.
fn stated(name: &str) -> u64 {
    let page = include_str!("../RULES.md");
    let row = page.lines().find(|line| line.starts_with('|') && line.split('|').any(|it| it.trim() == name));
    let row = row.unwrap_or_else(|| panic!("RULES.md has no row for {name}"));
    let last = row.trim_end_matches('|').rsplit('|').next().expect("a last column");
    last.trim().parse().unwrap_or_else(|_| panic!("{name}: {last} is no number of bytes"))
}

/// An order with its share of the special ones as by default, its level apart: 96 bytes at most. An account with three
/// positions: a KiB at most.
#[test]
fn bytes_of_an_order_and_of_an_account() {
    let rows = rows();
    let of = |name: &str| rows.iter().find(|row| row.0 == name).expect("it was counted").1;
    let share = Limits::DEMO.orders / Limits::DEMO.special_orders;
    let resting = of("orders") + of("special_orders").div_ceil(share.into());
    let with_three = of("accounts") + 3 * of("positions");
    for (name, bytes) in rows {
        println!("{name:<32}{bytes:>6} bytes");
        assert_eq!(stated(&format!("`{name}`")), bytes, "RULES.md tells of other bytes for {name}");
    }
    println!("resting order {resting}, account with three positions {with_three}");
    let order_row =
        "a resting order, with its share of `special_orders` as by default (an eighth), without its level";
    assert_eq!((stated(order_row), share), (resting, 8));
    assert_eq!(stated("an account with three positions"), with_three);
    assert!(resting <= 96, "a resting order takes {resting} bytes");
    assert!(with_three <= 1024, "an account with three positions takes {with_three} bytes");
}

/// What `ballast init` writes is what the page says, and at that size the whole venue keeps to the goal.
#[test]
fn the_demonstration_venue_keeps_to_the_goal() {
    let taken = |orders: u32, special: u32| {
        let mut open = venue_open([3, 4]);
        (open.orders_max, open.special_orders_max) = (orders.into(), special.into());
        bytes_taken(open)
    };
    let demo = Limits::DEMO;
    let more = taken(demo.orders, demo.special_orders) - taken(1, 1);
    assert!(more <= 96 * u64::from(demo.orders), "{more} bytes for {} orders", demo.orders);
}
