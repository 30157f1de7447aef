//! The plain book: sorted maps of queues, for what must come of a workload. The benches also time it, as what one writes
//! first. Price, then time; knows no accounts.

use std::collections::{BTreeMap, VecDeque};

use super::{ASK, BID, Record, Tally, op};

#[derive(Clone, Copy)]
struct Resting {
    id: u64,
    lots: u32,
}

/// Where an order rests; price 0 is nowhere.
#[derive(Clone, Copy, Default)]
struct Place {
    price: u32,
    symbol: u16,
    side: u8,
}

type Levels = BTreeMap<u32, VecDeque<Resting>>;

/// The two sides of one symbol.
#[derive(Clone, Default)]
struct Sides {
    bids: Levels,
    asks: Levels,
}

impl Sides {
    fn of(&mut self, side: u8) -> &mut Levels {
        if side == BID { &mut self.bids } else { &mut self.asks }
    }
}

pub struct Reference {
    symbols: Vec<Sides>,
    /// By id.
    places: Vec<Place>,
    pub tally: Tally,
}

impl Reference {
    pub fn new(symbols: u32, id_max: u64) -> Reference {
        Reference {
            symbols: vec![Sides::default(); symbols as usize],
            places: vec![Place::default(); id_max as usize + 1],
            tally: Tally::default(),
        }
    }

    pub fn apply(&mut self, record: &Record) {
        let id = record.id.get();
        let place = Place { price: record.price.get(), symbol: record.symbol.get(), side: record.side };
        match record.op {
            op::NEW => self.enter(id, place, record.quantity.get()),
            op::IOC => {
                self.take(place, record.quantity.get());
            }
            op::CANCEL => {
                self.remove(id);
            }
            _ => {
                let place = Place { price: place.price, ..self.places[id as usize] };
                if let Some(lots) = self.remove(id) {
                    self.enter(id, place, lots);
                }
            }
        }
    }

    /// Of the first symbol, as all that is asked without one.
    pub fn best_bid(&self) -> Option<u32> {
        self.symbols[0].bids.last_key_value().map(|(price, _)| *price)
    }

    pub fn best_ask(&self) -> Option<u32> {
        self.symbols[0].asks.first_key_value().map(|(price, _)| *price)
    }

    /// Lots of the order that `side` would meet first.
    pub fn best_lots(&self, side: u8) -> Option<u32> {
        let Sides { bids, asks } = &self.symbols[0];
        let queue = if side == BID { asks.first_key_value() } else { bids.last_key_value() };
        queue.and_then(|(_, queue)| queue.front()).map(|order| order.lots)
    }

    /// Levels of all symbols.
    pub fn levels(&self) -> usize {
        self.symbols.iter().map(|sides| sides.bids.len() + sides.asks.len()).sum()
    }

    /// Side, price and remaining lots of an order that rests.
    pub fn resting(&self, id: u64) -> Option<(u8, u32, u32)> {
        let Place { price, symbol, side } = self.places[id as usize];
        let Sides { bids, asks } = &self.symbols[usize::from(symbol)];
        let queue = if side == BID { bids } else { asks }.get(&price)?;
        queue.iter().find(|order| order.id == id).map(|order| (side, price, order.lots))
    }

    fn enter(&mut self, id: u64, place: Place, lots: u32) {
        let left = self.take(place, lots);
        if left > 0 {
            let levels = self.symbols[usize::from(place.symbol)].of(place.side);
            levels.entry(place.price).or_default().push_back(Resting { id, lots: left });
            self.places[id as usize] = place;
            self.tally.live += 1;
        }
    }

    /// Meets the other side as far as prices cross; what is left comes back.
    fn take(&mut self, Place { price: limit, symbol, side }: Place, mut lots: u32) -> u32 {
        let Sides { bids, asks } = &mut self.symbols[usize::from(symbol)];
        while lots > 0 {
            let best = if side == BID { asks.first_entry() } else { bids.last_entry() };
            let Some(mut level) = best else { break };
            let price = *level.key();
            if side == BID && price > limit || side == ASK && price < limit {
                break;
            }
            let maker = level.get_mut().front_mut().expect("a level has orders");
            let traded = lots.min(maker.lots);
            lots -= traded;
            maker.lots -= traded;
            self.tally.trade(price, traded);
            if maker.lots == 0 {
                self.places[maker.id as usize] = Place::default();
                self.tally.live -= 1;
                level.get_mut().pop_front();
                if level.get().is_empty() {
                    level.remove();
                }
            }
        }
        lots
    }

    fn remove(&mut self, id: u64) -> Option<u32> {
        let Place { price, symbol, side } = std::mem::take(&mut self.places[id as usize]);
        let levels = self.symbols[usize::from(symbol)].of(side);
        let queue = levels.get_mut(&price)?;
        let index = queue.iter().position(|order| order.id == id)?;
        let lots = queue.remove(index).map(|order| order.lots);
        if queue.is_empty() {
            levels.remove(&price);
        }
        self.tally.live -= 1;
        lots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn record(op: u8, side: u8, id: u64, price: u32, quantity: u32) -> Record {
        let mut record = Record::new_zeroed();
        (record.op, record.side, record.id) = (op, side, id.into());
        (record.price, record.quantity) = (price.into(), quantity.into());
        record
    }

    #[test]
    fn price_then_time_and_a_move_goes_behind() {
        let mut book = Reference::new(1, 9);
        for (id, price) in [(1, 10), (2, 10), (3, 9)] {
            book.apply(&record(op::NEW, ASK, id, price, 5));
        }
        book.apply(&record(op::MOVE, ASK, 1, 11, 0));
        book.apply(&record(op::MOVE, ASK, 1, 10, 0));
        book.apply(&record(op::IOC, BID, 4, 10, 12));
        assert_eq!(book.tally, Tally { trades: 3, volume: 12, notional: 5 * 9 + 7 * 10, live: 1 });
        assert_eq!(book.resting(1), Some((ASK, 10, 3)));
        book.apply(&record(op::NEW, BID, 5, 10, 4));
        assert_eq!((book.best_bid(), book.best_ask(), book.tally.live), (Some(10), None, 1));
        book.apply(&record(op::CANCEL, BID, 5, 0, 0));
        book.apply(&record(op::CANCEL, BID, 5, 0, 0));
        assert_eq!((book.tally.live, book.levels()), (0, 0));
    }

    #[test]
    fn symbols_do_not_meet() {
        let mut book = Reference::new(2, 2);
        book.apply(&record(op::NEW, ASK, 1, 10, 5));
        let mut other = record(op::NEW, BID, 2, 10, 5);
        other.symbol = 1.into();
        book.apply(&other);
        assert_eq!((book.tally.trades, book.tally.live, book.levels()), (0, 2, 2));
        book.apply(&record(op::CANCEL, BID, 2, 0, 0));
        assert_eq!(book.levels(), 1);
    }
}
