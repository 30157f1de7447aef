//! What commands of operators and oracles, and time, change of instruments.

use engine::TradingState;
use engine::command::{Command, Tick};
use engine::event::{AuctionIndicative, Confirmed, reason};
use engine::message::{NULL_U64, block};
use zerocopy::little_endian::{U16, U32, U64};

use super::{Listing, Projection};
use crate::market::message::{BookClear, TradingStatus};

impl Projection {
    /// A command of an operator, an oracle or the venue was done.
    pub(super) fn confirmed(&mut self, event: &Confirmed) {
        if event.code.get() != 0 {
            return;
        }
        let request = std::mem::take(&mut self.command.request);
        match Command::read(&request) {
            Some(Command::InstrumentCreate(it)) => self.list(Listing::of_instrument(it, self.now)),
            Some(Command::ComboCreate(it)) => {
                if let Some(leg) = self.listings.get(&it.leg_instruments[0].get()) {
                    self.list(Listing::of_combo(it, leg, self.now));
                }
            }
            Some(Command::InstrumentState(it)) => {
                self.set_state(it.instrument_id.get(), it.state, it.until.get());
            }
            Some(Command::MarkPrice(it)) => {
                self.set_stats(it.instrument_id.get(), |listing| listing.mark = it.price.get());
            }
            Some(Command::IndexPrice(it)) => {
                self.set_stats(it.instrument_id.get(), |listing| listing.index = it.price.get());
            }
            Some(Command::VenueState(it)) => self.set_venue_state(it.state, it.code.get()),
            _ => {}
        }
        self.command.request = request;
    }

    fn list(&mut self, listing: Listing) {
        let (definition, legs) = listing.definition();
        self.command.told.say_group(listing.id, definition, &legs);
        if !listing.is_combo() {
            self.command.told.say(listing.id, listing.stats(self.now));
        }
        self.listings.insert(listing.id, listing);
    }

    fn set_state(&mut self, instrument: u32, state: u8, until: u64) {
        let Some(listing) = self.listings.get_mut(&instrument) else { return };
        listing.state = state;
        let ends = state == TradingState::Auction as u8 && until != 0;
        listing.until = if ends { until } else { NULL_U64 };
        self.command.told.say(instrument, listing.status(self.now));
    }

    fn set_stats(&mut self, instrument: u32, change: impl FnOnce(&mut Listing)) {
        let Some(listing) = self.listings.get_mut(&instrument) else { return };
        change(listing);
        self.command.told.say(instrument, listing.stats(self.now));
    }

    fn set_venue_state(&mut self, state: u8, code: u16) {
        (self.venue_state, self.venue_code) = (state, code);
        let status = self.venue_status();
        self.command.told.say(0, status);
    }

    /// Of the whole venue.
    pub fn venue_status(&self) -> TradingStatus {
        TradingStatus {
            exec_id: U64::new(self.now.exec_id),
            match_time: U64::new(self.now.time_ns),
            instrument_id: U32::new(0),
            state: self.venue_state,
            pad_a: 0,
            code: U16::new(self.venue_code),
            effective_at: U64::new(NULL_U64),
        }
    }

    /// Rule 10.5: said by a `Tick` at its end, an auction is over and the instrument is open.
    pub(super) fn indicated(&mut self, event: &AuctionIndicative) {
        let instrument = event.instrument_id.get();
        self.command.told.say(instrument, *event);
        let Some(listing) = self.listings.get(&instrument) else { return };
        let is_over = listing.state == TradingState::Auction as u8 && listing.until <= self.now.time_ns;
        if is_over && block::<Tick>(&self.command.request).is_some() {
            self.set_state(instrument, TradingState::Open as u8, 0);
        }
    }

    /// Rule 10.3: an expired instrument has no order any more, and never will.
    pub(super) fn tell_cleared(&mut self) {
        let now = self.now;
        let is_over = |listing: &&mut Listing| {
            listing.state == TradingState::Expired as u8 && !listing.is_cleared && listing.book.is_empty()
        };
        // Only these commands can bring it about, and they are rare.
        let may_be = matches!(
            Command::read(&self.command.request),
            Some(Command::InstrumentState(_) | Command::Continue(_))
        );
        if !may_be {
            return;
        }
        for listing in self.listings.values_mut().filter(is_over) {
            listing.is_cleared = true;
            self.command.told.say(
                listing.id,
                BookClear {
                    exec_id: U64::new(now.exec_id),
                    match_time: U64::new(now.time_ns),
                    instrument_id: U32::new(listing.id),
                    reason: reason::INSTRUMENT_EXPIRED,
                    pad_a: 0,
                    pad_b: U16::new(0),
                },
            );
        }
    }
}
