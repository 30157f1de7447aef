//! The present state of an instrument as messages, for whoever joins.

use engine::message::Framed;
use engine::units::Side;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::message::{
    LevelAction, LevelEntry, LevelUpdate, MdLevel, SnapshotBegin, SnapshotEnd, SnapshotOrders,
};
use super::projection::{LEVELS_MAX, Listing, Projection, append_group, bbo, level_entry, level_update};

/// Orders in one message.
const ORDERS_MAX: usize = 40;

/// Hands every message of the state to `say`, header and block.
pub fn tell(projection: &Projection, listing: &Listing, level: MdLevel, say: &mut dyn FnMut(&[u8])) {
    let now = projection.now();
    let mut bytes = Vec::new();
    let (definition, legs) = listing.definition();
    append_group(&mut bytes, definition, &legs);
    say(&bytes);
    say(Framed::new(listing.status(now)).as_bytes());
    if !listing.is_combo() {
        say(Framed::new(listing.stats(now)).as_bytes());
    }
    match level {
        MdLevel::Best => say(Framed::new(bbo(listing, now)).as_bytes()),
        MdLevel::Levels => tell_levels(projection, listing, say),
        MdLevel::Orders => tell_orders(projection, listing, say),
        MdLevel::None => {}
    }
}

fn begin(projection: &Projection, listing: &Listing, orders: usize) -> SnapshotBegin {
    SnapshotBegin {
        last_seq: U64::new(projection.next_seq() - 1),
        match_time: U64::new(projection.now().time_ns),
        instrument_id: U32::new(listing.id),
        orders: U32::new(orders as u32),
        levels: U32::new(listing.book.level_count() as u32),
        state: listing.state,
        pad_a: 0,
        pad_b: U16::new(0),
    }
}

fn end(projection: &Projection, listing: &Listing, book_hash: u64) -> SnapshotEnd {
    SnapshotEnd {
        last_seq: U64::new(projection.next_seq() - 1),
        book_hash: U64::new(book_hash),
        instrument_id: U32::new(listing.id),
        pad_a: U32::new(0),
    }
}

fn tell_levels(projection: &Projection, listing: &Listing, say: &mut dyn FnMut(&[u8])) {
    say(Framed::new(begin(projection, listing, 0)).as_bytes());
    let sides = [Side::Buy, Side::Sell].into_iter();
    let entries: Vec<LevelEntry> = sides
        .flat_map(|side| {
            listing.book.levels(side).map(move |(px, level)| {
                let standing = (level.qty, level.orders() as u32);
                level_entry(listing, side, px, standing, LevelAction::New)
            })
        })
        .collect();
    // The next live update names this one; one without entries says so where there is no level.
    let head = LevelUpdate {
        exec_id: U64::new(listing.levels_exec_id),
        prev_exec_id: U64::new(0),
        ..level_update(listing, projection.now())
    };
    let mut bytes = Vec::new();
    append_group(&mut bytes, head, &entries[..entries.len().min(LEVELS_MAX)]);
    say(&bytes);
    for part in entries.chunks(LEVELS_MAX).skip(1) {
        bytes.clear();
        append_group(&mut bytes, head, part);
        say(&bytes);
    }
    say(Framed::new(end(projection, listing, 0)).as_bytes());
}

fn tell_orders(projection: &Projection, listing: &Listing, say: &mut dyn FnMut(&[u8])) {
    let sides = [Side::Buy, Side::Sell].map(|side| (side, listing.book.entries(side)));
    let orders = sides.iter().map(|(_, entries)| entries.len()).sum();
    say(Framed::new(begin(projection, listing, orders)).as_bytes());
    let mut bytes = Vec::new();
    for (side, entries) in &sides {
        for (part, first) in entries.chunks(ORDERS_MAX).zip((0..).step_by(ORDERS_MAX)) {
            let head = SnapshotOrders {
                last_seq: U64::new(projection.next_seq() - 1),
                instrument_id: U32::new(listing.id),
                first_index: U32::new(first),
                side: *side as u8,
                pad_a: 0,
                pad_b: U16::new(0),
            };
            bytes.clear();
            append_group(&mut bytes, head, part);
            say(&bytes);
        }
    }
    let hash = super::hash::book_hash(&sides[0].1, &sides[1].1);
    say(Framed::new(end(projection, listing, hash)).as_bytes());
}
