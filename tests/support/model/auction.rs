//! 10.4 and 10.5: the price of an auction, found by trying every candidate, and the uncrossing of a book.

use engine::limits::PRICE_TICKS_MAX;

use super::*;

const BUY: u8 = 1;
const SELL: u8 = 2;
const BOTH: u8 = 3;

/// A price, what would trade at it, and what would be left: more than 0 is of the bids.
struct Clearing {
    price: i128,
    volume: i128,
    surplus: i128,
}

impl Model {
    fn is_crossed(&self, id: u32) -> bool {
        let (bid, ask) = (self.best(id, true), self.best(id, false));
        bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask)
    }

    /// 10.4; `None` when the book is not crossed.
    fn clearing(&self, id: u32) -> Option<Clearing> {
        if !self.is_crossed(id) {
            return None;
        }
        let here: Vec<&Order> = self.orders.iter().filter(|order| order.instrument == id).collect();
        let mark = self.instruments[&id].mark;
        let mut candidates = vec![mark];
        candidates.extend(here.iter().flat_map(|order| [order.price - 1, order.price, order.price + 1]));
        candidates.retain(|price| (1..=i128::from(PRICE_TICKS_MAX)).contains(price));
        let at = |price: i128| {
            let bids = here.iter().filter(|order| order.buy && order.price >= price);
            let asks = here.iter().filter(|order| !order.buy && order.price <= price);
            let demand: i128 = bids.map(|order| order.leaves).sum();
            let supply: i128 = asks.map(|order| order.leaves).sum();
            Clearing { price, volume: demand.min(supply), surplus: demand - supply }
        };
        let best = |it: &Clearing| (-it.volume, it.surplus.abs(), (it.price - mark).abs(), it.price);
        candidates.into_iter().map(at).min_by_key(best)
    }

    /// 10.5: what is told to nobody.
    pub(super) fn tell_auction(&mut self, now: &Now, id: u32) {
        let instrument = self.instruments[&id];
        let until = instrument.auction.map_or(0, |auction| auction.until);
        let end = if until == 0 { NULL_U64 } else { until };
        let shown = self.clearing(id);
        let price = shown.as_ref().map_or(NULL_I64, |it| wire(it.price * instrument.tick_size));
        let (volume, surplus) = shown.map_or((0, 0), |it| (it.volume, it.surplus));
        let side = match surplus {
            0 => BOTH,
            1.. => BUY,
            _ => SELL,
        };
        self.tell(now, NOBODY, |stamp| AuctionIndicative {
            exec_id: stamp.exec_id.into(),
            match_time: stamp.match_time.into(),
            instrument_id: id.into(),
            imbalance_side: side,
            pad_a: 0,
            pad_b: 0.into(),
            indicative_px: price.into(),
            indicative_qty: wire(volume).into(),
            imbalance_qty: wire(surplus.abs()).into(),
            auction_end: end.into(),
        });
    }

    /// 10.4: an instrument became Open.
    pub(super) fn uncross(&mut self, now: &Now, id: u32) {
        if let Some(clearing) = self.clearing(id) {
            self.uncross_at(now, id, clearing.price);
        }
    }

    pub(super) fn uncross_at(&mut self, now: &Now, id: u32, mut price: i128) {
        while self.is_crossed(id) {
            let bid = self.front(id, true).filter(|bid| self.orders[*bid].price >= price);
            let ask = self.front(id, false).filter(|ask| self.orders[*ask].price <= price);
            let Some((bid, ask)) = bid.zip(ask) else {
                price = self.clearing(id).expect("it is crossed").price;
                continue;
            };
            if self.at_the_cap() {
                self.waiting = Some(Waiting::Uncross(id, price));
                return;
            }
            self.steps += 1;
            self.match_at(now, [bid, ask], price);
        }
    }

    fn match_at(&mut self, now: &Now, pair: [usize; 2], price: i128) {
        let lots = self.orders[pair[0]].leaves.min(self.orders[pair[1]].leaves);
        let [bid, ask] = pair.map(|index| {
            let order = &mut self.orders[index];
            order.leaves -= lots;
            order.shown = order.display.map_or(0, |most| most.min(order.leaves));
            *order
        });
        self.orders.retain(|order| order.leaves > 0);
        for order in [&bid, &ask].into_iter().filter(|order| order.leaves == 0) {
            self.close_id(order);
        }
        self.settle(now, [(&bid, liquidity::AUCTION), (&ask, liquidity::AUCTION)], price, lots);
        self.count_fill(now, &bid, lots);
        self.count_fill(now, &ask, lots);
    }

    /// Where the oldest order at the best price of a side stands.
    fn front(&self, id: u32, buy: bool) -> Option<usize> {
        let best = self.best(id, buy)?;
        self.orders.iter().position(|it| it.instrument == id && it.buy == buy && it.price == best)
    }
}
