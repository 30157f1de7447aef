//! The canonical bytes of a projection between two commands, for a snapshot. All numbers little-endian.
//!
//! ```text
//! version u32 | next_seq u64 | places u64 | exec_id u64 | time_ns u64 | venue state u8 | code u16
//! listings u32, then each by id: id u32 | created exec_id u64, time_ns u64 | symbol 32 | underlying u32 | tick, lot, contract,
//!   qty_max i64 | band u32 | kind u8 | state u8 | until u64 | mark, index, open_interest i64 | levels_exec_id u64 | cleared u8
//!   | legs u8, then each: id u32, ratio i32
//! orders u32, then each by name: kind u8 (1 order: id u64; 2 quote: account u32, instrument u32, sell u8) | instrument u32
//!   | side u8 | px, leaves, display, shown i64 | place u64 | group u16
//! armed u32, then each id u64 | taker: kind u8 (0 none) and its name
//! ```

use bytes::{Buf, BufMut};
use engine::units::Side;

use super::{Listing, Moment, Name, Order, Projection};
use crate::market::book::Place;

const VERSION: u32 = 1;

impl Projection {
    pub fn snapshot(&self) -> Vec<u8> {
        assert!(!self.command.is_open, "the last command was ended");
        let mut bytes = Vec::new();
        bytes.put_u32_le(VERSION);
        for word in [self.next_seq, self.places, self.now.exec_id, self.now.time_ns] {
            bytes.put_u64_le(word);
        }
        bytes.put_u8(self.venue_state);
        bytes.put_u16_le(self.venue_code);
        bytes.put_u32_le(self.listings.len() as u32);
        self.listings.values().for_each(|listing| put_listing(&mut bytes, listing));
        bytes.put_u32_le(self.orders.len() as u32);
        for (name, order) in &self.orders {
            put_name(&mut bytes, *name);
            put_order(&mut bytes, order);
        }
        bytes.put_u32_le(self.armed.len() as u32);
        self.armed.iter().for_each(|id| bytes.put_u64_le(*id));
        match self.taker {
            Some(name) => put_name(&mut bytes, name),
            None => bytes.put_u8(0),
        }
        bytes
    }

    /// The projection that said `bytes` in `snapshot`; none if none did.
    pub fn restore(bytes: &[u8]) -> Option<Projection> {
        let mut rest = bytes;
        if rest.try_get_u32_le().ok()? != VERSION {
            return None;
        }
        let mut it = Projection {
            next_seq: rest.try_get_u64_le().ok()?,
            places: rest.try_get_u64_le().ok()?,
            now: Moment { exec_id: rest.try_get_u64_le().ok()?, time_ns: rest.try_get_u64_le().ok()? },
            venue_state: rest.try_get_u8().ok()?,
            venue_code: rest.try_get_u16_le().ok()?,
            ..Projection::default()
        };
        for _ in 0..rest.try_get_u32_le().ok()? {
            let listing = read_listing(&mut rest)?;
            it.listings.insert(listing.id, listing);
        }
        for _ in 0..rest.try_get_u32_le().ok()? {
            let name = read_name(&mut rest)??;
            let order = read_order(&mut rest)?;
            if order.place != 0 {
                let place = Place { side: order.side, px: order.px, priority: order.place };
                let book = &mut it.listings.get_mut(&order.instrument)?.book;
                book.add(place, order.place, order.shown).then_some(())?;
            }
            it.orders.insert(name, order);
        }
        for _ in 0..rest.try_get_u32_le().ok()? {
            it.armed.insert(rest.try_get_u64_le().ok()?);
        }
        it.taker = read_name(&mut rest)?;
        (rest.is_empty() && it.snapshot() == bytes).then_some(it)
    }
}

fn put_name(bytes: &mut Vec<u8>, name: Name) {
    match name {
        Name::Order(id) => {
            bytes.put_u8(1);
            bytes.put_u64_le(id);
        }
        Name::Quote { account, instrument, is_sell } => {
            bytes.put_u8(2);
            bytes.put_u32_le(account);
            bytes.put_u32_le(instrument);
            bytes.put_u8(u8::from(is_sell));
        }
    }
}

/// `Some(None)` is no name.
fn read_name(rest: &mut &[u8]) -> Option<Option<Name>> {
    Some(match rest.try_get_u8().ok()? {
        0 => None,
        1 => Some(Name::Order(rest.try_get_u64_le().ok()?)),
        2 => Some(Name::Quote {
            account: rest.try_get_u32_le().ok()?,
            instrument: rest.try_get_u32_le().ok()?,
            is_sell: rest.try_get_u8().ok()? == 1,
        }),
        _ => return None,
    })
}

fn put_order(bytes: &mut Vec<u8>, order: &Order) {
    bytes.put_u32_le(order.instrument);
    bytes.put_u8(order.side as u8);
    for word in [order.px, order.leaves, order.display, order.shown] {
        bytes.put_i64_le(word);
    }
    bytes.put_u64_le(order.place);
    bytes.put_u16_le(order.group);
}

fn read_order(rest: &mut &[u8]) -> Option<Order> {
    Some(Order {
        instrument: rest.try_get_u32_le().ok()?,
        side: Side::from_wire(rest.try_get_u8().ok()?)?,
        px: rest.try_get_i64_le().ok()?,
        leaves: rest.try_get_i64_le().ok()?,
        display: rest.try_get_i64_le().ok()?,
        shown: rest.try_get_i64_le().ok()?,
        place: rest.try_get_u64_le().ok()?,
        group: rest.try_get_u16_le().ok()?,
    })
}

fn put_listing(bytes: &mut Vec<u8>, it: &Listing) {
    bytes.put_u32_le(it.id);
    bytes.put_u64_le(it.created.exec_id);
    bytes.put_u64_le(it.created.time_ns);
    bytes.extend_from_slice(&it.symbol);
    bytes.put_u32_le(it.underlying);
    for word in [it.tick_size, it.lot_size, it.contract_size, it.qty_max] {
        bytes.put_i64_le(word);
    }
    bytes.put_u32_le(it.band_ppm);
    bytes.put_u8(it.kind);
    bytes.put_u8(it.state);
    bytes.put_u64_le(it.until);
    for word in [it.mark, it.index, it.open_interest] {
        bytes.put_i64_le(word);
    }
    bytes.put_u64_le(it.levels_exec_id);
    bytes.put_u8(u8::from(it.is_cleared));
    bytes.put_u8(it.legs.len() as u8);
    for (id, ratio) in &it.legs {
        bytes.put_u32_le(*id);
        bytes.put_i32_le(*ratio);
    }
}

fn read_listing(rest: &mut &[u8]) -> Option<Listing> {
    let mut it = Listing::blank();
    it.id = rest.try_get_u32_le().ok()?;
    it.created = Moment { exec_id: rest.try_get_u64_le().ok()?, time_ns: rest.try_get_u64_le().ok()? };
    rest.try_copy_to_slice(&mut it.symbol).ok()?;
    it.underlying = rest.try_get_u32_le().ok()?;
    for word in [&mut it.tick_size, &mut it.lot_size, &mut it.contract_size, &mut it.qty_max] {
        *word = rest.try_get_i64_le().ok()?;
    }
    it.band_ppm = rest.try_get_u32_le().ok()?;
    it.kind = rest.try_get_u8().ok()?;
    it.state = rest.try_get_u8().ok()?;
    it.until = rest.try_get_u64_le().ok()?;
    for word in [&mut it.mark, &mut it.index, &mut it.open_interest] {
        *word = rest.try_get_i64_le().ok()?;
    }
    it.levels_exec_id = rest.try_get_u64_le().ok()?;
    it.is_cleared = rest.try_get_u8().ok()? == 1;
    for _ in 0..rest.try_get_u8().ok()? {
        it.legs.push((rest.try_get_u32_le().ok()?, rest.try_get_i32_le().ok()?));
    }
    Some(it)
}
