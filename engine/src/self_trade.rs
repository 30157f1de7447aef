//! Self-trade prevention: which resting orders are a taker's own, and what happens instead of a match (rules 5.7, 5.8).
//! Decides nothing about where a taker goes; `matching` asks at every order that it meets.

use crate::emit::Voice;
use crate::event::{EventSink, priority, reason};
use crate::order::Order;
use crate::units::Lots;
use crate::venue::Venue;

/// StpMode on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StpMode {
    None = 1,
    CancelTaker = 2,
    CancelMaker = 3,
    CancelBoth = 4,
    DecrementBoth = 5,
}

impl StpMode {
    pub fn from_wire(value: u8) -> Option<StpMode> {
        [
            StpMode::None,
            StpMode::CancelTaker,
            StpMode::CancelMaker,
            StpMode::CancelBoth,
            StpMode::DecrementBoth,
        ]
        .into_iter()
        .find(|mode| *mode as u8 == value)
    }
}

/// What an order says about meeting its own. Only the taker's mode counts; the group of both does, where
/// both accounts have one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stp {
    pub mode: StpMode,
    pub group: u32,
}

impl Venue {
    /// Rule 5.8: is a resting order the own one of a taker of this account?
    pub fn is_own(&self, account: u32, stp: Stp, resting: &Order) -> bool {
        if stp.mode == StpMode::None {
            return false;
        }
        let other = self.positions.at(resting.position).account;
        let shares_group = || stp.group != 0 && stp.group == self.orders.stp_group(resting);
        other == account || shares_group() && self.accounts.have_one_owner(other, account)
    }

    /// Rule 5.8: what happens where a taker meets its own order. A taker that is canceled has no leaves afterwards.
    pub fn prevent_self_trade<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        taker: &mut Order,
        resting: u32,
    ) {
        let mode = taker.stp_mode();
        if mode == StpMode::DecrementBoth {
            return self.decrement_both(voice, taker, resting);
        }
        if mode != StpMode::CancelTaker {
            let resting = *self.orders.at(resting);
            self.tell_prevented(voice, &resting, resting.leaves());
            self.take_away(&resting, taker);
        }
        if mode != StpMode::CancelMaker {
            self.tell_prevented(voice, taker, taker.leaves());
            taker.shrink(taker.leaves());
        }
    }

    fn decrement_both<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, taker: &mut Order, resting: u32) {
        let lots = taker.leaves().min(self.orders.at(resting).leaves());
        taker.shrink(lots);
        let order = self.shrink(resting, lots);
        self.tell_decremented(voice, &order, lots);
        if order.leaves() == Lots::ZERO {
            self.take_away(&order, taker);
        }
        self.tell_decremented(voice, taker, lots);
    }

    /// Removes a resting order; the taker's own position entry stays until the taker is done.
    fn take_away(&mut self, resting: &Order, taker: &Order) {
        self.remove(resting);
        if resting.position != taker.position {
            self.leave_position(resting.position);
        }
    }

    /// The order lost `lots` and is as it is now.
    fn tell_decremented<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, order: &Order, lots: Lots) {
        if order.leaves() == Lots::ZERO {
            self.tell_prevented(voice, order, lots);
        } else {
            self.tell_modified(voice, order.session(), order, order.cl_ord_id, priority::KEPT);
        }
    }

    fn tell_prevented<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, order: &Order, lots: Lots) {
        self.tell_canceled(voice, order.session(), order, order.cl_ord_id, lots, reason::STP);
    }
}
