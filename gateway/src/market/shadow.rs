//! The books as somebody outside has them, built from nothing but what the feed says: level 3 order by order, level 2 price by
//! price, level 1. For `ballast market` and for whoever tests the feed.

use std::collections::BTreeMap;

use engine::message::{Header, NULL_I64, block, group};
use engine::units::Side;
use zerocopy::FromBytes;

use super::book::{Book, Place};
use super::message::{
    Bbo, BookClear, LevelAction, LevelEntry, LevelUpdate, OrderAdd, OrderDelete, OrderEntry, OrderExecute,
    OrderReduce, SnapshotBegin, SnapshotEnd, SnapshotOrders,
};
use engine::message::Message;

/// Why a message does not fit what was told before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

type Standing = (i64, u32);

/// One instrument.
#[derive(Clone, Debug, Default)]
pub struct ShadowBook {
    orders: BTreeMap<u64, Place>,
    book: Book,
    levels: [BTreeMap<i64, Standing>; 2],
    levels_exec_id: u64,
    bbo: Option<Bbo>,
    /// Of the snapshot that is being told, and how many orders it announced.
    announced: Option<u32>,
}

impl ShadowBook {
    /// Level 3.
    pub fn book(&self) -> &Book {
        &self.book
    }

    pub fn hash(&self) -> u64 {
        self.book.hash()
    }

    /// Level 2 of one side by price, ascending: lots and orders.
    pub fn levels(&self, side: Side) -> &BTreeMap<i64, Standing> {
        &self.levels[usize::from(side == Side::Sell)]
    }

    pub fn bbo(&self) -> Option<&Bbo> {
        self.bbo.as_ref()
    }

    fn add(&mut self, side: u8, entry: &OrderEntry) -> Result<(), Misfit> {
        let id = entry.md_order_id.get();
        let side = side_of(side)?;
        let place = Place { side, px: entry.px.get(), priority: entry.priority.get() };
        if entry.qty.get() <= 0 || self.orders.insert(id, place).is_some() {
            return Err(Misfit(format!("order {id} is there already, or has no lots")));
        }
        if !self.book.add(place, id, entry.qty.get()) {
            return Err(Misfit(format!("the place of order {id} is taken")));
        }
        Ok(())
    }

    fn set(&mut self, id: u64, qty: i64) -> Result<(), Misfit> {
        let place = *self.orders.get(&id).ok_or_else(|| Misfit(format!("there is no order {id}")))?;
        if qty == 0 {
            self.orders.remove(&id);
        }
        self.book.set(place, qty);
        Ok(())
    }

    fn update(
        &mut self,
        update: &LevelUpdate,
        entries: &[LevelEntry],
        is_snapshot: bool,
    ) -> Result<(), Misfit> {
        if !is_snapshot && self.levels_exec_id != update.prev_exec_id.get() {
            return Err(Misfit(format!(
                "a LevelUpdate behind {} where {} was the last",
                update.prev_exec_id.get(),
                self.levels_exec_id
            )));
        }
        self.levels_exec_id = update.exec_id.get();
        for entry in entries {
            let side = side_of(entry.side)?;
            let levels = &mut self.levels[usize::from(side == Side::Sell)];
            let px = entry.px.get();
            let standing = (entry.qty.get(), entry.orders.get());
            let was = match LevelAction::from_wire(entry.action) {
                Some(LevelAction::Delete) => levels.remove(&px).is_some(),
                Some(LevelAction::Change) => levels.insert(px, standing).is_some(),
                Some(LevelAction::New) => levels.insert(px, standing).is_none(),
                None => false,
            };
            if !was {
                return Err(Misfit(format!("a level at {px} does not fit")));
            }
        }
        Ok(())
    }

    fn end(&mut self, end: &SnapshotEnd) -> Result<(), Misfit> {
        let announced = self.announced.take().ok_or_else(|| Misfit("no snapshot has begun".into()))?;
        if announced as usize != self.orders.len() {
            return Err(Misfit(format!("{} orders of {announced} were told", self.orders.len())));
        }
        let (said, found) = (end.book_hash.get(), self.hash());
        if announced > 0 && said != found {
            return Err(Misfit(format!("bookHash {said:#018x} is said, {found:#018x} is found")));
        }
        Ok(())
    }
}

/// All instruments that were heard of.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    books: BTreeMap<u32, ShadowBook>,
}

impl Shadow {
    pub fn book(&self, instrument: u32) -> Option<&ShadowBook> {
        self.books.get(&instrument)
    }

    pub fn books(&self) -> impl Iterator<Item = (u32, &ShadowBook)> {
        self.books.iter().map(|(id, book)| (*id, book))
    }

    fn at(&mut self, instrument: zerocopy::little_endian::U32) -> &mut ShadowBook {
        self.books.entry(instrument.get()).or_default()
    }

    /// A message of the feed, header and block; whether it is part of a snapshot, or says what has changed.
    pub fn hear(&mut self, message: &[u8], is_snapshot: bool) -> Result<(), Misfit> {
        let Ok((header, _)) = Header::ref_from_prefix(message) else { return Err(malformed()) };
        match header.template_id.get() {
            OrderAdd::TEMPLATE => {
                let it = block::<OrderAdd>(message).ok_or_else(malformed)?;
                let entry =
                    super::hash::entry(it.md_order_id.get(), it.priority.get(), it.px.get(), it.qty.get());
                self.at(it.instrument_id).add(it.side, &entry)
            }
            OrderReduce::TEMPLATE => {
                let it = block::<OrderReduce>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).set(it.md_order_id.get(), it.new_qty.get())
            }
            OrderDelete::TEMPLATE => {
                let it = block::<OrderDelete>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).set(it.md_order_id.get(), 0)
            }
            OrderExecute::TEMPLATE => {
                let it = block::<OrderExecute>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).set(it.md_order_id.get(), it.leaves_qty.get())
            }
            BookClear::TEMPLATE => {
                let it = block::<BookClear>(message).ok_or_else(malformed)?;
                let book = self.at(it.instrument_id);
                (book.orders, book.book) = Default::default();
                Ok(())
            }
            LevelUpdate::TEMPLATE => {
                let (it, entries) = group::<LevelUpdate, LevelEntry>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).update(it, entries, is_snapshot)
            }
            Bbo::TEMPLATE => {
                let it = block::<Bbo>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).bbo = Some(*it);
                Ok(())
            }
            SnapshotBegin::TEMPLATE => {
                let it = block::<SnapshotBegin>(message).ok_or_else(malformed)?;
                let book = self.at(it.instrument_id);
                *book = ShadowBook { bbo: book.bbo, announced: Some(it.orders.get()), ..Default::default() };
                Ok(())
            }
            SnapshotOrders::TEMPLATE => {
                let (it, entries) = group::<SnapshotOrders, OrderEntry>(message).ok_or_else(malformed)?;
                let book = self.at(it.instrument_id);
                entries.iter().try_for_each(|entry| book.add(it.side, entry))
            }
            SnapshotEnd::TEMPLATE => {
                let it = block::<SnapshotEnd>(message).ok_or_else(malformed)?;
                self.at(it.instrument_id).end(it)
            }
            _ => Ok(()),
        }
    }
}

impl ShadowBook {
    /// Level 1 out of level 3: price, lots and orders of the best of a side, none being a null price.
    pub fn best(&self, side: Side) -> (i64, Standing) {
        let best = self.book.best(side);
        best.map_or((NULL_I64, (0, 0)), |(px, level)| (px, (level.qty, level.orders() as u32)))
    }
}

fn side_of(wire: u8) -> Result<Side, Misfit> {
    Side::from_wire(wire).ok_or_else(malformed)
}

fn malformed() -> Misfit {
    Misfit("a message has another shape than its template".into())
}
