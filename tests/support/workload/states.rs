//! Trading states beyond open and closed: auctions with and without an end, the orders that fill them, and instruments
//! that expire and come again under another id.

use super::*;

/// What the venue says of itself (10.6).
pub(super) fn venue_state(state: u8, code: u16) -> Step {
    let it = VenueState { state, pad_a: 0, code: code.into(), pad_b: 0.into() };
    Step { origin: Origin::venue(), message: bytes(it) }
}

impl Workload {
    /// The venue stops what adds, or goes on, or says what it cannot mean.
    pub(super) fn stand_still(&mut self) -> Step {
        let full = Reject::JournalFull.code();
        let (state, code) = self.draw.of(&[(5, full), (6, full), (OPEN, 0)]);
        match self.draw.below(8) {
            0 => venue_state(self.draw.of(&[0, AUCTION, 7, EXPIRED, 255]), code),
            1 => venue_state(state, self.draw.of(&[0, 302, full, u16::MAX])),
            _ => venue_state(state, code),
        }
    }

    /// Does time play a part beyond delays?
    pub(super) fn waits(&self) -> bool {
        self.profile.features.auctions || self.profile.features.mmp
    }

    /// Expired is for good: not what combos stand on, save now and then, and only what can come again.
    pub(super) fn may_end(&mut self, model: &Model, id: u32) -> bool {
        let last = INSTRUMENTS + 1 - LISTINGS.len() as u32;
        let used = [1, 3, 4].contains(&id) || (FIRST_LEG..FIRST_REBORN).contains(&id);
        let lasts = id < last && id != 10 && model.instrument(id).is_some();
        lasts && (!used || self.draw.one_in(30)) && self.draw.one_in(2)
    }

    /// Lists what expired again.
    pub(super) fn reborn(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let expired = |id: &u32| model.instrument(*id).is_some_and(|it| it.state == EXPIRED);
        let lines = 1..=LISTINGS.len() as u32;
        let line = lines.clone().find(|line| expired(&self.latest(model, *line)))?;
        let id = self.latest(model, line);
        let next = if id < FIRST_REBORN { FIRST_REBORN + line - 1 } else { id + LISTINGS.len() as u32 };
        (next <= INSTRUMENTS).then(|| self.privileged(model, ts_ns, Role::Admin, listing(listed(next), next)))
    }

    /// Starts an auction, or ends one by another state.
    pub(super) fn auction(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut it = InstrumentState::new_zeroed();
        let line = self.draw.of(&[1, 2, 6, 7, 8]);
        let anywhere = self.any_instrument(model);
        let id = self.draw.of(&[self.latest(model, line), self.latest(model, line), anywhere]);
        it.instrument_id = id.into();
        it.state = AUCTION;
        let soon = ts_ns + self.draw.of(&[1, 60_000, 3_000_000, 800_000_000, 2_000_000_000, 2_500_000_000]);
        it.until = self.draw.of(&[0, soon, soon]).into();
        let under_way = model.instrument(id).is_some_and(|it| it.state == AUCTION);
        if under_way && self.draw.one_in(2) {
            (it.state, it.until) = (self.draw.of(&[4, 4, 5, 6]), 0.into());
        }
        if self.draw.one_in(10) {
            it.until = self.draw.of(&[ts_ns, ts_ns - 1, 1, 1 << 63, u64::MAX]).into();
        }
        if self.draw.one_in(20) {
            it.state = self.draw.of(&[4, 5, 6]);
        }
        self.privileged(model, ts_ns, Role::Admin, it)
    }

    /// An order for a book that is in an auction, or that an auction left crossed.
    pub(super) fn auction_order(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let crossed = |id: u32| {
            let (bid, ask) = (model.best(id, true), model.best(id, false));
            bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask)
        };
        let held = |id: &u32| {
            let state = model.instrument(*id).map_or(EXPIRED, |it| it.state);
            state == AUCTION || state != OPEN && state != EXPIRED && crossed(*id)
        };
        let held: Vec<u32> = (1..=INSTRUMENTS).filter(held).collect();
        if held.is_empty() {
            return None;
        }
        let id = self.draw.of(&held);
        let mut order = self.order_in(model, ts_ns, id, 4);
        if self.draw.one_in(8) {
            order.flags = self.draw.of(&[1, 2]).into();
            (order.tif, order.mmp_group) = (2, 0.into());
        } else if !self.draw.one_in(8) {
            order.tif = 2;
        }
        Some(self.send_order(model, ts_ns, order))
    }
}
