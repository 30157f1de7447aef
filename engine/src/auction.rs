//! Auctions: the price at which a crossed book trades most, what is told of it while orders gather, and the matches that
//! uncross the book (rules 10.4 and 10.5). Knows the queues; the fill itself is `matching`'s.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::continuation::Continuation;
use crate::emit::Voice;
use crate::event::{AuctionIndicative, EventSink, imbalance};
use crate::instrument::Instrument;
use crate::message::{NULL_I64, NULL_U64};
use crate::pool::NONE;
use crate::timers::Timer;
use crate::trading_state::{AuctionTimes, StateChange, TradingState};
use crate::units::{Lots, Side, Ticks};
use crate::venue::Venue;

/// An auction price, and the lots that would trade there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    pub ticks: Ticks,
    /// Lots of bids at the price or above, and of asks at the price or below.
    pub demand: Lots,
    pub supply: Lots,
}

/// A book on its way to not being crossed.
#[derive(Clone, Copy)]
pub struct Uncrossing {
    pub instrument: u32,
    pub ticks: Ticks,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Clearing {
    fn volume(&self) -> Lots {
        self.demand.min(self.supply)
    }

    fn surplus(&self) -> Lots {
        (self.demand - self.supply).abs()
    }

    fn surplus_side(&self) -> u8 {
        match self.demand.cmp(&self.supply) {
            std::cmp::Ordering::Greater => Side::Buy as u8,
            std::cmp::Ordering::Less => Side::Sell as u8,
            std::cmp::Ordering::Equal => imbalance::NONE,
        }
    }

    /// Rule 10.4: the least of these is the auction price.
    fn rank(&self, mark: Ticks) -> (Lots, Lots, i64, Ticks) {
        (-self.volume(), self.surplus(), (self.ticks.0 - mark.0).abs(), self.ticks)
    }
}

impl Venue {
    /// Rule 10.4: the auction price of a book that is crossed. Demand and supply change only where an order stands, so the
    /// walk goes up through the prices from the best ask to the best bid in stretches of equal demand and supply; in each,
    /// the price next to the mark stands for all. It touches what is crossed, orders and levels, twice at most.
    pub fn clearing(&self, instrument: &Instrument) -> Option<Clearing> {
        let (bids, asks) = (instrument.book.side(Side::Buy), instrument.book.side(Side::Sell));
        let (mut bid, mut demand) = (NONE, Lots::ZERO);
        let mut next = bids.best;
        while next != NONE && self.levels.ticks(next) >= asks.best_ticks {
            demand += self.lots_at(self.levels.at(next).head);
            (bid, next) = (next, self.levels.worse(Side::Buy, next));
        }
        let (mut ask, mut supply) = (asks.best, Lots::ZERO);
        let mut low = asks.best_ticks;
        let mut best: Option<Clearing> = None;
        while bid != NONE {
            let bid_ticks = self.levels.ticks(bid);
            if ask != NONE && self.levels.ticks(ask) == low {
                supply += self.lots_at(self.levels.at(ask).head);
                ask = self.levels.worse(Side::Sell, ask);
            }
            let below_ask = if ask == NONE { bid_ticks } else { Ticks(self.levels.ticks(ask).0 - 1) };
            let high = bid_ticks.min(below_ask);
            let found = Clearing { ticks: instrument.mark.clamp(low, high), demand, supply };
            if best.is_none_or(|best| found.rank(instrument.mark) < best.rank(instrument.mark)) {
                best = Some(found);
            }
            low = Ticks(high.0 + 1);
            if high == bid_ticks {
                demand -= self.lots_at(self.levels.at(bid).head);
                bid = self.levels.better(Side::Buy, bid);
            }
        }
        best
    }

    /// All lots of the queue that starts here.
    fn lots_at(&self, head: u32) -> Lots {
        self.orders.queued_from(head).fold(Lots::ZERO, |sum, order| sum + order.leaves())
    }

    /// Rule 10.5.
    pub fn start_auction<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32, until_ns: u64) {
        let next_second_ns = voice.command.ts_ns.saturating_add(SECOND_NS);
        self.time_auction(instrument, AuctionTimes { until_ns, next_second_ns });
        self.tell_indicative(voice, instrument);
    }

    /// Rule 10.5 for the one that is due: its end, or the next second.
    pub fn tick_auction<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32) {
        let (now_ns, times) = (voice.command.ts_ns, *self.instruments.auction(instrument));
        if times.is_over(now_ns) {
            let state = TradingState::Open;
            return self.change_state(voice, StateChange { instrument, state, until_ns: 0 });
        }
        let into_second = (now_ns - times.next_second_ns) % SECOND_NS;
        let next_second_ns = now_ns.saturating_add(SECOND_NS - into_second);
        self.time_auction(instrument, AuctionTimes { next_second_ns, ..times });
        self.tell_indicative(voice, instrument);
    }

    /// Sets the times of an auction, and its timer by them.
    pub fn time_auction(&mut self, instrument: u32, times: AuctionTimes) {
        *self.instruments.auction_mut(instrument) = times;
        self.auctions.stop(instrument);
        if times != AuctionTimes::NONE {
            let (due_ns, rank) = (times.due_ns(), u64::from(instrument));
            self.auctions.start(Timer { due_ns, rank, slot: instrument });
        }
    }

    /// Rule 10.5: the last word of an auction, whatever comes after it.
    pub fn end_auction<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32) {
        self.tell_indicative(voice, instrument);
        self.time_auction(instrument, AuctionTimes::NONE);
    }

    /// Rule 10.4 for an instrument that has become Open.
    pub fn uncross<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32) {
        if let Some(Clearing { ticks, .. }) = self.clearing(&self.instruments[instrument]) {
            self.run_uncrossing(voice, Uncrossing { instrument, ticks });
        }
    }

    /// The matches of rule 10.4, as far as the steps of one command go.
    pub fn run_uncrossing<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, mut work: Uncrossing) {
        loop {
            let instrument = &self.instruments[work.instrument];
            if !instrument.meets_at(work.ticks) {
                // Crossed still: what a fill caused took lots out of the book.
                let Some(clearing) = self.clearing(instrument) else { return };
                work.ticks = clearing.ticks;
            }
            if !self.take_step() {
                self.continuation = Continuation::Uncrossing(work);
                return;
            }
            let book = &self.instruments[work.instrument].book;
            let best = [Side::Buy, Side::Sell].map(|side| self.levels.at(book.side(side).best).head);
            self.fill_in_auction(voice, work.instrument, work.ticks, best);
        }
    }

    fn tell_indicative<S: EventSink>(&self, voice: &mut Voice<'_, S>, id: u32) {
        let instrument = &self.instruments[id];
        let until_ns = self.instruments.auction(id).until_ns;
        let clearing = self.clearing(instrument);
        let nothing = Clearing { ticks: Ticks(0), demand: Lots::ZERO, supply: Lots::ZERO };
        let shown = clearing.unwrap_or(nothing);
        let block = AuctionIndicative {
            exec_id: voice.exec_id(),
            match_time: voice.time(),
            instrument_id: U32::new(id),
            imbalance_side: shown.surplus_side(),
            pad_a: 0,
            pad_b: U16::new(0),
            indicative_px: I64::new(clearing.map_or(NULL_I64, |clearing| instrument.price(clearing.ticks))),
            indicative_qty: I64::new(shown.volume().0),
            imbalance_qty: I64::new(shown.surplus().0),
            auction_end: U64::new(if until_ns == 0 { NULL_U64 } else { until_ns }),
        };
        voice.tell_unnumbered(0, block);
    }
}

impl Instrument {
    /// Do the best bid and the best ask both accept this price?
    pub fn meets_at(&self, ticks: Ticks) -> bool {
        let best = |side| self.book.side(side).best_ticks;
        best(Side::Sell) <= ticks && ticks <= best(Side::Buy)
    }
}
