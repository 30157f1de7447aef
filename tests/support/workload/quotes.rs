//! Mass quotes: most of them what a market maker would send, and among them every way to be refused as a whole or by
//! the side.

use super::*;

/// Header, head, dimension and entries.
pub fn mass_quote_bytes(head: MassQuote, entries: &[QuoteEntry]) -> Vec<u8> {
    let size = GroupSize {
        block_length: (size_of::<QuoteEntry>() as u16).into(),
        num_in_group: (entries.len() as u16).into(),
    };
    [bytes(head), size.as_bytes().to_vec(), entries.as_bytes().to_vec()].concat()
}

impl Workload {
    pub(super) fn mass_quote(&mut self, model: &Model, ts_ns: u64) -> Step {
        let session = self.draw.of(&SESSIONS[..20]);
        let mut head = self.quote_head(model, session.1);
        let few = self.draw.of(&[1, 1, 2, 3, 5]);
        let count = if self.draw.one_in(150) { 100 } else { few };
        let mut entries: Vec<QuoteEntry> = (0..count).map(|_| self.quote_entry(model, session.1)).collect();
        if self.draw.one_in(12) {
            entries.iter_mut().for_each(|it| (it.bid_qty, it.ask_qty) = (0.into(), 0.into()));
        }
        if self.draw.one_in(6) {
            self.spoil_entry(&mut entries);
        }
        let mut step = self.send_bytes(model, ts_ns, session.0, mass_quote_bytes(head, &entries));
        if self.draw.one_in(12) {
            let limit_us = self.draw.of(&[1, 5, 1_000, u32::MAX]);
            head.max_delay_us = limit_us.into();
            step.origin.sent_ns = self.sent_ns(ts_ns, limit_us).into();
            step.message = mass_quote_bytes(head, &entries);
        }
        step
    }

    fn quote_head(&mut self, model: &Model, account: u32) -> MassQuote {
        let mut head = MassQuote::new_zeroed();
        self.cl_ord_id += 1;
        // The client ids of orders and the ids of quotes are two things.
        let like_an_order = self.draw.one_in(2);
        head.quote_id = if like_an_order { self.cl_ord_id } else { self.draw.below(50) + 1 }.into();
        head.account_id = account.into();
        head.stp_mode = self.draw.of(&[1, 1, 2, 3, 4, 5]);
        head.stp_group = self.draw.of(&[0, 0, 7, 8]).into();
        head.flags = self.draw.of(&[0, 0, 1, 2, 2]).into();
        if self.profile.features.mmp {
            head.mmp_group = self.group_of(model, account).into();
        }
        head
    }

    /// Both sides of an instrument, as they stand, moved, or anew.
    fn quote_entry(&mut self, model: &Model, account: u32) -> QuoteEntry {
        let mut entry = QuoteEntry::new_zeroed();
        let quotes = model.open_orders().iter().filter(|it| it.quote && it.account == account);
        let quoted: Vec<u32> = quotes.map(|it| it.instrument).collect();
        let again = !quoted.is_empty() && self.draw.one_in(2);
        let line = self.draw.of(&[1, 2, 6, 7, 8]);
        let id = match self.draw.below(8) {
            _ if again => self.draw.of(&quoted),
            0 => self.any_instrument(model),
            1 | 2 if self.profile.features.combos => self.draw.of(&COMBOS),
            _ => self.latest(model, line),
        };
        // One lucky trade where a tick is a fortune, and an account would never be short again.
        let id = if is_poor(account) && is_dear(id) { self.latest(model, 1) } else { id };
        entry.instrument_id = id.into();
        let (bid, ask) =
            (self.quote_side(model, account, id, true), self.quote_side(model, account, id, false));
        (entry.bid_px, entry.bid_qty) = (bid.0.into(), bid.1.into());
        (entry.ask_px, entry.ask_qty) = (ask.0.into(), ask.1.into());
        entry
    }

    fn quote_side(&mut self, model: &Model, account: u32, id: u32, buy: bool) -> (i64, i64) {
        let Some(instrument) = model.instrument(id) else { return (1, 1) };
        let away = i128::from(self.draw.of(&[0, 1, 1, 2, 2, 3, 3, 5, 20, -1, -2, 100_000]));
        let near = price9(instrument, if buy { instrument.mark - away } else { instrument.mark + away });
        let touch = self.price_at_the_touch(model, id, buy).unwrap_or(near);
        let qty = self.quantity(id);
        let is = |it: &&Order| it.quote && (it.account, it.instrument, it.buy) == (account, id, buy);
        let old =
            model.open_orders().iter().find(is).map(|it| (price9(instrument, it.price), it.leaves as i64));
        let fresh = (near, qty);
        let (price, leaves) = old.unwrap_or(fresh);
        match self.draw.below(12) {
            0..3 => (price, leaves),
            3 | 4 => (price, self.draw.between(1, leaves)),
            5 => (price, leaves + 1),
            6 => (self.draw.of(&[near, 0, NULL_I64]), 0),
            7 => (touch, qty),
            _ => fresh,
        }
    }

    fn spoil_entry(&mut self, entries: &mut Vec<QuoteEntry>) {
        let at = self.draw.below(entries.len() as u64) as usize;
        let it = &mut entries[at];
        match self.draw.below(9) {
            0 => it.instrument_id = self.draw.of(&ODD_INSTRUMENTS).into(),
            1 => (it.bid_px, it.ask_px) = (it.ask_px, it.bid_px),
            2 => it.bid_qty = self.draw.of(&[-1, i64::MIN, i64::MAX, 2_147_483_648]).into(),
            3 => it.ask_qty = self.draw.of(&[-1, i64::MIN, i64::MAX, 10_001]).into(),
            4 => it.bid_px = NULL_I64.into(),
            5 => it.ask_px = self.odd_price(it.ask_px.get()).into(),
            6 => it.bid_px = self.odd_price(it.bid_px.get()).into(),
            7 => it.ask_px = it.bid_px,
            _ => {
                let twin = *it;
                entries.push(twin);
            }
        }
    }

    pub(super) fn bad_mass_quote(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut session = self.draw.of(&SESSIONS[..20]);
        let mut head = self.quote_head(model, session.1);
        let entry = self.quote_entry(model, session.1);
        let mut entries = vec![entry];
        for _ in 0..1 + self.draw.one_in(8) as u32 {
            match self.draw.below(8) {
                0 => session = self.draw.of(&SESSIONS),
                1 => head.account_id = self.draw.of(&[0, 1, 3, 5, 30, u32::MAX]).into(),
                2 => entries.resize(self.draw.of(&[0, 101, 102, 203]), entry),
                3 => head.stp_mode = self.draw.of(&[0, 6, 255]),
                4 => head.flags = self.draw.of(&[3, 4, 8, 9, 0x8000]).into(),
                5 => head.quote_id = 0.into(),
                6 => head.mmp_group = self.draw.of(&[9, u16::MAX]).into(),
                _ => return self.bent_mass_quote(model, ts_ns, session.0, head, &entries),
            }
        }
        self.send_bytes(model, ts_ns, session.0, mass_quote_bytes(head, &entries))
    }

    /// A group that is not as its dimension says, a head that is not a head, or half of either.
    fn bent_mass_quote(
        &mut self,
        model: &Model,
        ts_ns: u64,
        id: u64,
        head: MassQuote,
        entries: &[QuoteEntry],
    ) -> Step {
        let mut message = mass_quote_bytes(head, entries);
        let dimension = HEADER_BYTES + size_of::<MassQuote>();
        match self.draw.below(5) {
            0 => message[0] = self.draw.of(&[0, 27, 29, 72]),
            1 => message[dimension] = self.draw.of(&[0, 39, 41]),
            2 => message[dimension + 2] = self.draw.of(&[0, 2, 255]),
            3 => message[dimension + 3] = 1,
            _ => message.truncate(self.draw.below(message.len() as u64) as usize),
        }
        self.send_bytes(model, ts_ns, id, message)
    }
}
