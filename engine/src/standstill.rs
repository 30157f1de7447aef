//! What the venue as a whole keeps its members from, and why (rule 10.6): set by the venue itself when it is short of what
//! it needs to go on. It lies on top of the instruments' states and leaves them alone, so that its end restores them.

use zerocopy::little_endian::{U16, U32};

use crate::command::VenueState;
use crate::emit::Voice;
use crate::event::EventSink;
use crate::message::{Framed, HEADER_BYTES, Message};
use crate::privileged::{self, confirmed};
use crate::refusal::{Refusal, refused};
use crate::reject::Reject;
use crate::trading_state::TradingState;
use crate::venue::Venue;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standstill {
    #[default]
    None,
    /// Whatever adds is refused.
    CancelOnly(Reject),
    /// The same, and whoever sequences commands has stopped, or is about to.
    Halted(Reject),
}

/// Why a venue may stand still.
const REASONS: [Reject; 1] = [Reject::JournalFull];

impl Standstill {
    pub const MESSAGE_BYTES: usize = HEADER_BYTES + size_of::<VenueState>();

    pub fn state(self) -> TradingState {
        match self {
            Standstill::None => TradingState::Open,
            Standstill::CancelOnly(_) => TradingState::CancelOnly,
            Standstill::Halted(_) => TradingState::Halted,
        }
    }

    pub fn reason(self) -> Option<Reject> {
        match self {
            Standstill::None => None,
            Standstill::CancelOnly(reason) | Standstill::Halted(reason) => Some(reason),
        }
    }

    /// As the wire and the snapshot have it; the error is the field of `VenueState` to blame.
    pub fn read(state: u8, code: u16) -> Result<Standstill, u16> {
        const FIELD_STATE: u16 = 1;
        const FIELD_CODE: u16 = 3;
        let reason = REASONS.into_iter().find(|reason| reason.code() == code).ok_or(FIELD_CODE);
        match TradingState::from_wire(state) {
            Some(TradingState::Open) if code == 0 => Ok(Standstill::None),
            Some(TradingState::Open) => Err(FIELD_CODE),
            Some(TradingState::CancelOnly) => reason.map(Standstill::CancelOnly),
            Some(TradingState::Halted) => reason.map(Standstill::Halted),
            _ => Err(FIELD_STATE),
        }
    }

    pub fn code(self) -> u16 {
        self.reason().map_or(0, Reject::code)
    }

    /// Header and block of the command that brings it. Its origin is the venue's.
    pub fn message(self) -> [u8; Standstill::MESSAGE_BYTES] {
        let (state, code) = (self.state() as u8, U16::new(self.code()));
        let block = VenueState { state, pad_a: 0, code, pad_b: U32::new(0) };
        let mut message = [0; Standstill::MESSAGE_BYTES];
        message.copy_from_slice(zerocopy::IntoBytes::as_bytes(&Framed::new(block)));
        message
    }
}

impl Venue {
    /// Rule 10.6: what adds is refused.
    pub fn check_standstill(&self) -> Result<(), Refusal> {
        self.standstill.reason().map_or(Ok(()), |reason| Err(refused(reason, 0)))
    }

    /// Rule 10.6.
    pub fn change_venue_state<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, request: &VenueState) {
        let read = Standstill::read(request.state, request.code.get());
        let outcome: Result<(), privileged::Refusal> = match read {
            Ok(standstill) => {
                self.standstill = standstill;
                Ok(())
            }
            Err(field) => Err((Reject::InvalidParameter, field)),
        };
        let block = confirmed(voice, VenueState::TEMPLATE, outcome);
        voice.tell_unnumbered(0, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_on_the_wire_is_read_back() {
        let full = Reject::JournalFull;
        for standstill in [Standstill::None, Standstill::CancelOnly(full), Standstill::Halted(full)] {
            assert_eq!(Standstill::read(standstill.state() as u8, standstill.code()), Ok(standstill));
        }
        for (state, code, field) in
            [(4, 503, 3), (5, 0, 3), (6, 302, 3), (3, 503, 1), (7, 503, 1), (8, 0, 1), (0, 0, 1)]
        {
            assert_eq!(Standstill::read(state, code), Err(field), "{state} {code}");
        }
    }
}
