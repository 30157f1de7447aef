//! What everybody is told against what the engine holds: after every command of random streams with every feature, the books that
//! a stranger builds from the feed alone are the engine's, level by level.

use std::collections::BTreeMap;

use engine::message::NULL_I64;
use engine::units::Side;
use engine::{Engine, TradingState};
use gateway::market::projection::Projection;
use gateway::market::shadow::Shadow;
use tests::workload::{Features, Profile, Sequenced, Stream};
use tests::{heard, text};
use zerocopy::IntoBytes;

const COMMANDS_PER_RUN: u64 = 20_000;
const SNAPSHOT_EVERY: u64 = 997;

/// Price and shown lots of the orders of one side, in the order in which they trade.
type Queue = Vec<(i64, i64)>;

/// What stands in the engine's books.
fn engine_books(engine: &Engine) -> BTreeMap<(u32, bool), Queue> {
    let ticks: BTreeMap<u32, i64> = engine.instruments().map(|it| (it.id, it.tick_size)).collect();
    let waits = engine.continuation();
    let mut books: BTreeMap<(u32, bool), Queue> = BTreeMap::new();
    for order in engine.open_orders() {
        if order.trigger.is_none() && waits != Some(order.order_id) {
            let book = books.entry((order.instrument, order.side == Side::Sell)).or_default();
            book.push((order.price.0 * ticks[&order.instrument], order.shown.0));
        }
    }
    books
}

/// The projection beside the engine, and a stranger who hears what it says.
struct Feed {
    projection: Projection,
    shadow: Shadow,
    next_seq: u64,
}

impl Feed {
    fn new() -> Feed {
        Feed { projection: Projection::default(), shadow: Shadow::default(), next_seq: 1 }
    }

    /// Everything that a command told, each message as template and bytes.
    fn hear(&mut self, command: &Sequenced) -> Vec<(u16, Vec<u8>)> {
        let payload = [command.step.origin.as_bytes(), &command.step.message].concat();
        self.projection.begin(command.seq, command.ts_ns, &payload);
        for (sub, event) in (1..).zip(&command.events) {
            self.projection.event(sub, event);
        }
        let mut said = Vec::new();
        for message in self.projection.end().messages() {
            assert_eq!(message.seq, self.next_seq, "one number for each message");
            self.next_seq += 1;
            let heard = self.shadow.hear(message.bytes, false);
            assert_eq!(heard, Ok(()), "seq {} template {}", command.seq, message.template_id);
            said.push((message.template_id, message.bytes.to_vec()));
        }
        said
    }
}

fn agree(engine: &Engine, feed: &Feed) -> Result<(), String> {
    let mut books = engine_books(engine);
    for (id, shadow) in feed.shadow.books() {
        for side in [Side::Buy, Side::Sell] {
            let expected = books.remove(&(id, side == Side::Sell)).unwrap_or_default();
            let found: Queue =
                shadow.book().entries(side).iter().map(|order| (order.px.get(), order.qty.get())).collect();
            if found != expected {
                return Err(format!("L3 of {id} {side:?}: {found:?}, the engine has {expected:?}"));
            }
            let mut levels: BTreeMap<i64, (i64, u32)> = BTreeMap::new();
            for (px, qty) in &expected {
                let level = levels.entry(*px).or_default();
                (level.0, level.1) = (level.0 + qty, level.1 + 1);
            }
            if *shadow.levels(side) != levels {
                return Err(format!("L2 of {id} {side:?}: {:?} for {levels:?}", shadow.levels(side)));
            }
            let best = if side == Side::Buy { levels.last_key_value() } else { levels.first_key_value() };
            let expected = best.map_or((NULL_I64, (0, 0)), |(px, level)| (*px, *level));
            let said = shadow.bbo().map_or((NULL_I64, (0, 0)), |bbo| match side {
                Side::Buy => (bbo.bid_px.get(), (bbo.bid_qty.get(), bbo.bid_orders.get().into())),
                Side::Sell => (bbo.ask_px.get(), (bbo.ask_qty.get(), bbo.ask_orders.get().into())),
            });
            if said != expected {
                return Err(format!("Bbo of {id} {side:?}: {said:?} for {expected:?}"));
            }
        }
        let listing = feed.projection.listing(id).ok_or("an instrument that nobody listed")?;
        if shadow.hash() != listing.book.hash() {
            return Err(format!("bookHash of {id}"));
        }
    }
    if let Some((place, queue)) = books.into_iter().next() {
        return Err(format!("nothing was told of {place:?}, where the engine has {queue:?}"));
    }
    Ok(())
}

/// Terms, states and prices, which change seldom.
fn agree_on_instruments(engine: &Engine, feed: &Feed) {
    let mut listings = feed.projection.listings();
    for view in engine.instruments() {
        let listing = listings.next().expect("every instrument was told");
        assert_eq!((listing.id, listing.symbol, listing.kind), (view.id, *view.symbol, view.kind));
        assert_eq!(listing.tick_size, view.tick_size);
        assert_eq!(listing.qty_max, view.qty_max.0);
        assert_eq!(TradingState::from_wire(listing.state), Some(view.state), "instrument {}", view.id);
        if view.legs.is_empty() {
            assert_eq!(listing.mark, view.mark.0 * view.tick_size);
            let index = view.index.map_or(NULL_I64, |index| index.0 * view.tick_size);
            assert_eq!(listing.index, index);
            let long: i64 = engine
                .accounts()
                .flat_map(|account| engine.positions(account.id))
                .filter(|position| position.instrument == view.id)
                .map(|position| position.lots.0.max(0))
                .sum();
            assert_eq!(listing.open_interest, long, "open interest of {}", view.id);
        }
    }
    assert!(listings.next().is_none());
}

struct Place(String);

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

fn run(seed: u64, profile: Profile, commands: u64) -> BTreeMap<u16, u64> {
    let mut stream = Stream::new(seed, profile);
    let mut engine = Engine::new();
    let mut feed = Feed::new();
    let mut place = Place(String::new());
    let mut counts = BTreeMap::new();
    for count in 1..=commands {
        let command = stream.advance();
        let step = &command.step;
        let shown = text::command(command.seq, command.ts_ns, &step.origin, &step.message);
        place.0 = format!("{} seed {seed}\n{shown}\n{}", profile.name, text::events(&command.events));
        let said = heard::answer(&mut engine, command.seq, command.ts_ns, &step.origin, &step.message);
        assert_eq!(said, command.events);
        for (template, _) in feed.hear(&command) {
            *counts.entry(template).or_default() += 1;
        }
        assert_eq!(agree(&engine, &feed), Ok(()));
        if count % SNAPSHOT_EVERY == 0 {
            agree_on_instruments(&engine, &feed);
            let bytes = feed.projection.snapshot();
            feed.projection = Projection::restore(&bytes).expect("it was just said");
            assert_eq!(feed.projection.snapshot(), bytes);
        }
    }
    counts
}

#[test]
fn the_books_of_a_stranger_are_the_engines() {
    let mut all: BTreeMap<u16, u64> = BTreeMap::new();
    for (seed, profile) in (1..).zip(Profile::ALL) {
        for (template, count) in run(seed, Profile { features: Features::ALL, ..profile }, COMMANDS_PER_RUN) {
            *all.entry(template).or_default() += count;
        }
    }
    println!("messages by template: {all:?}");
    for template in [400, 401, 402, 410, 411, 420, 421, 422, 423, 424, 425, 440] {
        assert!(all.get(&template).is_some_and(|count| *count > 0), "no message {template} was ever told");
    }
}
