//! What an instrument lets its members do, and what a change of that does (rules 10.1 to 10.3). How an auction ends is
//! `auction`'s.

use crate::command::InstrumentState;
use crate::continuation::Continuation;
use crate::emit::Voice;
use crate::event::{EventSink, reason};
use crate::instrument::Instrument;
use crate::order::Order;
use crate::pool::NONE;
use crate::privileged::Refusal as PrivilegedRefusal;
use crate::refusal::{Refusal, must, refused};
use crate::reject::Reject;
use crate::trigger::Triggers;
use crate::units::Side;
use crate::venue::Venue;

/// TradingState on the wire, as far as an instrument has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TradingState {
    /// Orders gather and nothing matches.
    Auction = 3,
    Open = 4,
    CancelOnly = 5,
    Halted = 6,
    Settlement = 7,
    /// For ever.
    Expired = 8,
}

impl TradingState {
    pub fn from_wire(value: u8) -> Option<TradingState> {
        [
            TradingState::Auction,
            TradingState::Open,
            TradingState::CancelOnly,
            TradingState::Halted,
            TradingState::Settlement,
            TradingState::Expired,
        ]
        .into_iter()
        .find(|state| *state as u8 == value)
    }

    /// Rules 4.10 and 10.2: why no new order and no amend passes.
    pub fn refusal(self) -> Option<Reject> {
        match self {
            TradingState::Auction | TradingState::Open => None,
            TradingState::CancelOnly => Some(Reject::CancelOnly),
            TradingState::Halted => Some(Reject::Halted),
            TradingState::Settlement => Some(Reject::Settling),
            TradingState::Expired => Some(Reject::ExpiredInstrument),
        }
    }
}

/// When an auction ends, 0 until told, and when it is told of next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuctionTimes {
    pub until_ns: u64,
    pub next_second_ns: u64,
}

/// First moment that an auction may not last until.
pub const UNTIL_NS_END: u64 = 1 << 63;

impl AuctionTimes {
    pub const NONE: AuctionTimes = AuctionTimes { until_ns: 0, next_second_ns: 0 };

    /// Is the auction to end by now?
    pub fn is_over(&self, now_ns: u64) -> bool {
        self.until_ns != 0 && self.until_ns <= now_ns
    }

    /// When something is to be done about it.
    pub fn due_ns(&self) -> u64 {
        if self.until_ns == 0 { self.next_second_ns } else { self.next_second_ns.min(self.until_ns) }
    }
}

/// A change of state that nothing speaks against.
#[derive(Clone, Copy)]
pub struct StateChange {
    pub instrument: u32,
    pub state: TradingState,
    /// 0 is none.
    pub until_ns: u64,
}

impl Instrument {
    /// Rule 10.2: nothing is taken in an auction, so what comes must be able to wait.
    pub fn check_auction(&self, can_wait: bool) -> Result<(), Refusal> {
        must(can_wait || self.state != TradingState::Auction, refused(Reject::AuctionRule, 0))
    }
}

impl Venue {
    /// Rules 3.8 and 10.1.
    pub fn read_state(
        &self,
        now_ns: u64,
        request: &InstrumentState,
    ) -> Result<StateChange, PrivilegedRefusal> {
        let (id, until_ns) = (request.instrument_id.get(), request.until.get());
        let instrument = self.instruments.find(id).ok_or((Reject::UnknownInstrument, 1))?;
        let state = TradingState::from_wire(request.state).ok_or((Reject::InvalidParameter, 2))?;
        if state == TradingState::Auction && instrument.is_combo {
            return Err((Reject::InvalidParameter, 2));
        }
        if instrument.state == TradingState::Expired && state != TradingState::Expired {
            return Err((Reject::ExpiredInstrument, 2));
        }
        let is_timed = state == TradingState::Auction && now_ns < until_ns && until_ns < UNTIL_NS_END;
        if until_ns != 0 && !is_timed {
            return Err((Reject::InvalidParameter, 5));
        }
        Ok(StateChange { instrument: id, state, until_ns })
    }

    /// What follows `Confirmed`: the end of an auction or the start of one, then what the new state does to the book.
    pub fn change_state<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, change: StateChange) {
        let StateChange { instrument: id, state, until_ns } = change;
        let starts = state == TradingState::Auction;
        if self.instruments[id].state == TradingState::Auction && !starts {
            self.end_auction(voice, id);
        }
        self.instruments[id].state = state;
        match state {
            TradingState::Auction => self.start_auction(voice, id, until_ns),
            TradingState::Open => self.uncross(voice, id),
            TradingState::Expired => self.end_orders(voice, id),
            TradingState::CancelOnly | TradingState::Halted | TradingState::Settlement => (),
        }
        self.look_at_triggers(voice, id);
    }

    /// Rule 10.3, as far as the steps of one command go. What is left stands first, so nothing need be remembered.
    pub fn end_orders<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, instrument: u32) {
        while let Some(order) = self.first_order(instrument).copied() {
            if !self.take_step() {
                self.continuation = Continuation::Expiring(instrument);
                return;
            }
            let (to, leaves) = (order.session(), order.leaves());
            self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::INSTRUMENT_EXPIRED);
            self.remove(&order);
            self.leave_position(order.position);
        }
    }

    /// The order of an instrument that rule 10.3 cancels first.
    pub fn first_order(&self, instrument: u32) -> Option<&Order> {
        let (book, triggers) = (&self.instruments[instrument].book, self.instruments.triggers(instrument));
        let resting = [Side::Buy, Side::Sell].into_iter().map(|side| book.side(side).best);
        let armed =
            Triggers::places().map(|(side, trigger_type)| triggers.book(trigger_type).side(side).best);
        let mut best = resting.chain(armed).filter(|level| *level != NONE);
        best.next().map(|level| self.orders.at(self.levels.at(level).head))
    }
}
