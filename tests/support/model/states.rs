//! The states of 10.1 to 10.3, and what time does to an instrument (8.2, 10.5).

use super::*;

pub(super) const AUCTION: u8 = 3;
pub(super) const OPEN: u8 = 4;
const CANCEL_ONLY: u8 = 5;
const HALTED: u8 = 6;
const SETTLEMENT: u8 = 7;
pub(super) const EXPIRED: u8 = 8;

/// An auction under way.
#[derive(Clone, Copy, Debug)]
pub struct Auction {
    pub start: u64,
    /// 0: until told.
    pub until: u64,
    /// Whole seconds since the start when it was told of last.
    pub seconds: u64,
}

impl Auction {
    fn due(&self) -> u64 {
        let next = self.start + (self.seconds + 1) * SECOND_NS as u64;
        if self.until == 0 { next } else { next.min(self.until) }
    }
}

impl Model {
    /// 10.1.
    pub(super) fn instrument_state(&mut self, now: &Now, it: &InstrumentState) -> Outcome {
        use Reject::*;
        let id = it.instrument_id.get();
        let instrument = *self.instruments.get(&id).ok_or(refusal(UnknownInstrument, 1))?;
        let until = it.until.get();
        demand((AUCTION..=EXPIRED).contains(&it.state), InvalidParameter, 2)?;
        demand(it.state != AUCTION || !instrument.is_combo(), InvalidParameter, 2)?;
        demand(instrument.state != EXPIRED || it.state == EXPIRED, ExpiredInstrument, 2)?;
        let later = it.state == AUCTION && until > now.ts_ns && until < 1 << 63;
        demand(until == 0 || later, InvalidParameter, 5)?;
        let instrument = self.instruments.get_mut(&id).expect("known");
        instrument.state = it.state;
        Ok(())
    }

    /// What a new state brings after `Confirmed`.
    pub(super) fn state_confirmed(&mut self, now: &Now, it: &InstrumentState) {
        let id = it.instrument_id.get();
        let before = self.instruments[&id].auction;
        if it.state == AUCTION {
            let auction = Auction { start: now.ts_ns, until: it.until.get(), seconds: 0 };
            self.instruments.get_mut(&id).expect("known").auction = Some(auction);
            return self.tell_auction(now, id);
        }
        if before.is_some() {
            self.tell_auction(now, id);
            self.instruments.get_mut(&id).expect("known").auction = None;
        }
        match it.state {
            OPEN => self.uncross(now, id),
            EXPIRED => self.expire(now, id),
            _ => {}
        }
    }

    /// 10.6.
    pub(super) fn venue_state(&mut self, it: &VenueState) -> Outcome {
        let (state, code) = (it.state, it.code.get());
        demand([OPEN, CANCEL_ONLY, HALTED].contains(&state), Reject::InvalidParameter, 1)?;
        let wanted = if state == OPEN { 0 } else { Reject::JournalFull.code() };
        demand(code == wanted, Reject::InvalidParameter, 3)?;
        self.standstill = Some((state, code)).filter(|_| state != OPEN);
        Ok(())
    }

    /// 10.6: nothing is added while the venue stands still.
    pub(super) fn moves(&self) -> Outcome {
        demand(self.standstill.is_none(), Reject::JournalFull, 0)
    }

    pub fn stands_still(&self) -> bool {
        self.standstill.is_some()
    }

    /// 4.10, 10.2 and 11.4: whether an instrument and its legs take an order; `barred` is what an auction refuses.
    pub(super) fn takes_orders(&self, id: u32, barred: bool) -> Outcome {
        let instrument = &self.instruments[&id];
        let reject = match instrument.state {
            OPEN => None,
            AUCTION => Some(Reject::AuctionRule).filter(|_| barred),
            CANCEL_ONLY => Some(Reject::CancelOnly),
            HALTED => Some(Reject::Halted),
            SETTLEMENT => Some(Reject::Settling),
            _ => Some(Reject::ExpiredInstrument),
        };
        if let Some(reject) = reject {
            return Err(refusal(reject, 0));
        }
        instrument.legs().try_for_each(|(leg, _)| self.takes_orders(leg, true))
    }

    /// 10.3.
    pub(super) fn expire(&mut self, now: &Now, id: u32) {
        loop {
            let here = self.orders.iter().enumerate().filter(|(_, order)| order.instrument == id);
            // The first of equals is the oldest.
            let first = here.min_by_key(|(_, it)| (!it.buy, if it.buy { -it.price } else { it.price }));
            let booked = first.map(|(index, _)| self.orders[index]);
            let Some(order) = booked.or(self.armed_in(id).first().copied()) else { return };
            if self.at_the_cap() {
                self.waiting = Some(Waiting::Expired(id));
                return;
            }
            self.remove(&order);
            self.canceled(now, order.session, &order, order.cl_ord_id, reason::INSTRUMENT_EXPIRED);
            self.steps += 1;
        }
    }

    pub(super) fn next_auction(&self) -> Option<(u64, u32)> {
        let auctions = self.instruments.iter().filter_map(|(id, it)| Some((it.auction?.due(), *id)));
        auctions.min()
    }

    /// 8.3 and 10.5.
    pub(super) fn auction_tick(&mut self, now: &Now) {
        let Some((_, id)) = self.next_auction().filter(|(at, _)| *at <= now.ts_ns) else { return };
        let mut auction = self.instruments[&id].auction.expect("it is due");
        self.tell_auction(now, id);
        let ends = auction.until != 0 && auction.until <= now.ts_ns;
        auction.seconds = (now.ts_ns - auction.start) / SECOND_NS as u64;
        let instrument = self.instruments.get_mut(&id).expect("known");
        instrument.auction = Some(auction).filter(|_| !ends);
        if ends {
            instrument.state = OPEN;
            self.uncross(now, id);
        }
    }
}
