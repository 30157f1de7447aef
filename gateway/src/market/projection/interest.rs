//! Open interest: every lot that is held long, as executions move it.

use engine::event::OrderExecuted;
use engine::units::Side;

use super::Projection;

/// What the first side of a match changed in one instrument.
#[derive(Clone, Copy, Debug)]
struct Change {
    instrument: u32,
    account: u32,
    lots: i64,
}

/// The match that is being told.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    id: u64,
    first: Vec<Change>,
}

impl Projection {
    /// Positions in events are those after the whole match (rule 5.3), so one between two orders of one account changes nothing,
    /// which only the second event tells.
    pub(super) fn count_interest(&mut self, event: &OrderExecuted) {
        let (Some(side), Some(listing)) =
            (Side::from_wire(event.side), self.listings.get_mut(&event.instrument_id.get()))
        else {
            return;
        };
        if listing.is_combo() {
            return;
        }
        let matched = &mut self.command.matched;
        if matched.id != event.match_id.get() {
            matched.id = event.match_id.get();
            matched.first.clear();
        }
        let account = event.account_id.get();
        let first = matched.first.iter().find(|first| first.instrument == listing.id);
        match first {
            Some(first) if first.account == account => listing.open_interest -= first.lots,
            _ => {
                let (after, lots) = (event.position.get(), event.last_qty.get());
                let before = if side == Side::Buy { after - lots } else { after + lots };
                let lots = after.max(0) - before.max(0);
                listing.open_interest += lots;
                matched.first.push(Change { instrument: listing.id, account, lots });
            }
        }
    }
}
