//! Work that stopped at the cap on the steps of one command, and the `Continue` that is due before anything else is
//! applied (rule 5.6).

use crate::auction::Uncrossing;
use crate::emit::Voice;
use crate::event::EventSink;
use crate::mass_cancel::MassCanceling;
use crate::open_orders::ListingOrders;
use crate::venue::Venue;

/// What waits.
#[derive(Clone, Copy)]
pub enum Continuation {
    Nothing,
    /// The id of the taker.
    Taker(u64),
    MassCancel(MassCanceling),
    Uncrossing(Uncrossing),
    /// The instrument whose orders end.
    Expiring(u32),
    Listing(ListingOrders),
    /// Triggers of this instrument are due (rule 8.33).
    Triggers(u32),
}

impl Continuation {
    /// What `Continue` must name.
    pub fn due(&self) -> Option<u64> {
        match self {
            Continuation::Nothing => None,
            Continuation::Taker(id) => Some(*id),
            Continuation::MassCancel(_)
            | Continuation::Uncrossing(_)
            | Continuation::Expiring(_)
            | Continuation::Listing(_)
            | Continuation::Triggers(_) => Some(0),
        }
    }

    /// The id of the taker that waits; 0, which no order has, when there is none.
    pub fn taker(&self) -> u64 {
        self.due().unwrap_or(0)
    }

    /// The instrument whose triggers wait; 0, which none has, when there is none.
    pub fn triggers(&self) -> u32 {
        if let Continuation::Triggers(instrument) = self { *instrument } else { 0 }
    }
}

impl Venue {
    pub fn go_on<S: EventSink>(&mut self, voice: &mut Voice<'_, S>) {
        match std::mem::replace(&mut self.continuation, Continuation::Nothing) {
            Continuation::Nothing => (),
            Continuation::Taker(id) => self.continue_taker(voice, id),
            Continuation::MassCancel(work) => self.run_mass_cancel(voice, work),
            Continuation::Uncrossing(work) => {
                self.run_uncrossing(voice, work);
                self.look_at_triggers(voice, work.instrument);
            }
            Continuation::Expiring(instrument) => self.end_orders(voice, instrument),
            Continuation::Listing(work) => self.run_listing(voice, work),
            Continuation::Triggers(instrument) => self.look_at_triggers(voice, instrument),
        }
    }
}
