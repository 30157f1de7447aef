//! 9.1 to 9.6: mass quotes, each side of each entry judged for itself.

use zerocopy::FromBytes;

use super::orders::{in_ticks, in_time, known_flags, quantity, within_band};
use super::*;

const ENTRIES_MAX: usize = 100;

/// What is to become of one side of one entry.
#[derive(Clone, Copy)]
struct Quote {
    instrument: u32,
    buy: bool,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    /// At this price in ticks, so many lots.
    Asked(i128, i128),
    Pulled,
    /// Refused, and the quote of this side goes.
    Lost(Reject),
    /// Refused, and nothing was named.
    Ignored(Reject),
}

/// The shape of 9.1: the head and the entries.
pub fn quote_entries(message: &[u8]) -> Option<(MassQuote, Vec<QuoteEntry>)> {
    let (header, rest) = Header::read_from_prefix(message).ok()?;
    let (head, rest) = MassQuote::read_from_prefix(rest).ok()?;
    let (size, rest) = GroupSize::read_from_prefix(rest).ok()?;
    let entries = <[QuoteEntry]>::ref_from_bytes(rest).ok()?;
    let named = header.template_id.get() == MassQuote::TEMPLATE;
    let sized = usize::from(header.block_length.get()) == size_of::<MassQuote>()
        && usize::from(size.block_length.get()) == size_of::<QuoteEntry>()
        && usize::from(size.num_in_group.get()) == entries.len();
    (named && sized).then(|| (head, entries.to_vec()))
}

impl Model {
    pub(super) fn mass_quote(
        &mut self,
        now: &Now,
        session: &Session,
        head: &MassQuote,
        entries: &[QuoteEntry],
    ) {
        if let Err(why) = self.judge_mass_quote(now, session, head, entries) {
            return self.quotes_acked(now, head, why.code, &[]);
        }
        let mut quotes = self.judge_entries(entries);
        let keep: Vec<bool> = quotes.iter().map(|quote| self.keeps_place(now, head, quote)).collect();
        for (quote, keeps) in quotes.iter().zip(&keep) {
            let named = !matches!(quote.fate, Fate::Ignored(_));
            if named && !keeps {
                let found = self.quote_of(head.account_id.get(), quote.instrument, quote.buy);
                found.map(|index| self.orders.remove(index));
            }
        }
        for (quote, _) in quotes.iter_mut().zip(&keep).filter(|(_, keeps)| !**keeps) {
            if let Fate::Asked(price, qty) = quote.fate
                && let Err(why) = self.enter_quote(now, head, quote, price, qty)
            {
                quote.fate = Fate::Lost(Reject::from_code(why.code).expect("a reject's code"));
            }
        }
        let told: Vec<(u8, u16)> = quotes.iter().map(|quote| told(quote.fate)).collect();
        let rows = entries.iter().zip(told.chunks(2)).map(|(entry, sides)| QuoteAckEntry {
            instrument_id: entry.instrument_id,
            bid_status: sides[0].0,
            ask_status: sides[1].0,
            bid_code: sides[0].1.into(),
            ask_code: sides[1].1.into(),
            pad_a: 0.into(),
            pad_b: 0.into(),
        });
        let rows: Vec<QuoteAckEntry> = rows.collect();
        self.quotes_acked(now, head, 0, &rows);
    }

    /// 9.1 in order.
    fn judge_mass_quote(
        &self,
        now: &Now,
        session: &Session,
        head: &MassQuote,
        entries: &[QuoteEntry],
    ) -> Outcome {
        let (account, group) = (head.account_id.get(), head.mmp_group.get());
        demand(session.role == Role::Trade, Reject::Permission, 0)?;
        self.own_account(session, account, 0)?;
        demand((1..=ENTRIES_MAX).contains(&entries.len()), Reject::TooManyQuotes, 0)?;
        let formed = (1..=5).contains(&head.stp_mode) && known_flags(head.flags.get());
        demand(formed && head.quote_id.get() != 0, Reject::InvalidCombination, 0)?;
        let known = group == 0 || self.groups.contains_key(&(account, group));
        demand(known, Reject::MmpNotConfigured, 0)?;
        if entries.iter().all(|entry| entry.bid_qty.get() == 0 && entry.ask_qty.get() == 0) {
            return Ok(());
        }
        in_time(now, head.max_delay_us.get(), 0)?;
        self.moves()?;
        demand(!self.blocked.contains(&account), Reject::AccountBlocked, 0)?;
        demand(!self.is_frozen(account, group, now.ts_ns), Reject::MmpFrozen, 0)
    }

    /// 9.3: bid and ask of each entry.
    fn judge_entries(&self, entries: &[QuoteEntry]) -> Vec<Quote> {
        let mut quotes = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let id = entry.instrument_id.get();
            let fates = match self.instruments.get(&id) {
                None => [Fate::Ignored(Reject::UnknownInstrument); 2],
                Some(_)
                    if entries[..at].iter().any(|earlier| earlier.instrument_id == entry.instrument_id) =>
                {
                    [Fate::Ignored(Reject::DuplicateQuoteEntry); 2]
                }
                Some(instrument) => {
                    let bid = self.judge_side(id, instrument, entry.bid_px.get(), entry.bid_qty.get());
                    let ask = self.judge_side(id, instrument, entry.ask_px.get(), entry.ask_qty.get());
                    match (bid, ask) {
                        (Fate::Asked(bid, _), Fate::Asked(ask, _)) if bid >= ask => {
                            [Fate::Lost(Reject::InvalidCombination); 2]
                        }
                        _ => [bid, ask],
                    }
                }
            };
            for (buy, fate) in [true, false].into_iter().zip(fates) {
                quotes.push(Quote { instrument: id, buy, fate });
            }
        }
        quotes
    }

    fn judge_side(&self, id: u32, instrument: &Instrument, price: i64, qty: i64) -> Fate {
        if qty == 0 {
            return Fate::Pulled;
        }
        let judged = || {
            self.takes_orders(id, false)?;
            let qty = quantity(instrument, qty, 0)?;
            demand(price != NULL_I64, Reject::PriceRequired, 0)?;
            Ok((in_ticks(instrument, price, 0)?, qty))
        };
        match judged() {
            Ok((price, qty)) => Fate::Asked(price, qty),
            Err(Refusal { code, .. }) => Fate::Lost(Reject::from_code(code).expect("a reject's code")),
        }
    }

    /// Where the quote of 9.2 stands.
    fn quote_of(&self, account: u32, instrument: u32, buy: bool) -> Option<usize> {
        let is = |it: &Order| it.quote && (it.account, it.instrument, it.buy) == (account, instrument, buy);
        self.orders.iter().position(is)
    }

    /// 9.4: whether a side keeps its place, and then it is changed.
    fn keeps_place(&mut self, now: &Now, head: &MassQuote, quote: &Quote) -> bool {
        let Fate::Asked(price, qty) = quote.fate else { return false };
        let index = self.quote_of(head.account_id.get(), quote.instrument, quote.buy);
        let Some(index) = index else { return false };
        let old = self.orders[index];
        if old.price != price || qty > old.leaves || old.group != head.mmp_group.get() {
            return false;
        }
        self.orders[index] = Order {
            cl_ord_id: head.quote_id.get(),
            session: now.origin.session.get(),
            stp_mode: head.stp_mode,
            stp_group: head.stp_group.get(),
            qty: old.filled() + qty,
            leaves: qty,
            ..old
        };
        true
    }

    /// 9.5.
    fn enter_quote(&mut self, now: &Now, head: &MassQuote, quote: &Quote, price: i128, qty: i128) -> Outcome {
        let (id, buy, account) = (quote.instrument, quote.buy, head.account_id.get());
        within_band(&self.instruments[&id], buy, price, 0)?;
        let flags = if head.flags.get() == 0 { POST_ONLY } else { head.flags.get() };
        let order = Order {
            order_id: self.next_order_id(),
            cl_ord_id: head.quote_id.get(),
            session: now.origin.session.get(),
            account,
            instrument: id,
            buy,
            market: false,
            tif: GTC,
            stp_mode: head.stp_mode,
            stp_group: head.stp_group.get(),
            price: self.passive(flags, id, buy, price)?,
            qty,
            leaves: qty,
            quote: true,
            expiry: None,
            display: None,
            shown: 0,
            reduce_only: false,
            trigger: None,
            group: head.mmp_group.get(),
        };
        self.within_value(&order)?;
        self.within_position(&order, None)?;
        self.has_room(&order)?;
        self.affordable(&order, None)?;
        self.within_group(account, order.group, 0)?;
        self.take_entries(&order);
        self.serial += 1;
        self.orders.push(order);
        Ok(())
    }

    fn quotes_acked(&mut self, now: &Now, head: &MassQuote, code: u16, rows: &[QuoteAckEntry]) {
        let size = GroupSize {
            block_length: (size_of::<QuoteAckEntry>() as u16).into(),
            num_in_group: (rows.len() as u16).into(),
        };
        let group = [size.as_bytes(), rows.as_bytes()].concat();
        let block = |stamp: Stamp| MassQuoteAck {
            exec_id: stamp.exec_id.into(),
            quote_id: head.quote_id,
            ref_seq: stamp.ref_seq.into(),
            recv_time: stamp.recv_time.into(),
            match_time: stamp.match_time.into(),
            code: code.into(),
            mmp_group: head.mmp_group,
        };
        self.tell_as(now, now.origin.session.get(), true, block, &group);
    }
}

/// 9.6.
fn told(fate: Fate) -> (u8, u16) {
    match fate {
        Fate::Asked(..) => (status::NEW, 0),
        Fate::Pulled => (status::CANCELED, 0),
        Fate::Lost(reject) | Fate::Ignored(reject) => (status::REJECTED, reject.code()),
    }
}
