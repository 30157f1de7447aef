//! Mass quotes (rules 9.1 to 9.6): both sides of up to a hundred instruments in one command. The whole message is judged
//! before anything changes; then quotes that stay are renewed, the others leave, and the new ones enter. An account's
//! quotes are found through its position entries, two in each.

use zerocopy::little_endian::{U16, U32};

use crate::command::{MassQuote, QuoteEntry, Quotes, Role};
use crate::emit::Voice;
use crate::event::{EventSink, MassQuoteAck, QuoteAckEntry, status};
use crate::form::{self, Crossing};
use crate::instrument::Instrument;
use crate::limits::QUOTE_ENTRIES_MAX;
use crate::margin::{Asked, Standing};
use crate::matching::Taker;
use crate::message::NULL_I64;
use crate::order::{Membership, Nature, Order, Tif, order_id};
use crate::pool::NONE;
use crate::position::Position;
use crate::reject::Reject;
use crate::self_trade::{Stp, StpMode};
use crate::units::{Lots, Money, Side, Ticks};
use crate::venue::Venue;

/// The sides of an entry in their order.
const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

/// What is the same for all quotes of a message.
#[derive(Clone, Copy)]
struct Quoting {
    sender: u32,
    account: u32,
    quote_id: u64,
    stp: Stp,
    /// Never `Takes`: a quote never does (rule 9.6).
    crossing: Crossing,
    /// The slot of the protection group, or `NONE`.
    group: u32,
}

/// What becomes of one side of an entry.
#[derive(Clone, Copy)]
enum Fate {
    /// Refused, and whatever quote there is stays: the entry names nothing, or nothing anew.
    Ignored(Reject),
    /// Refused, and no quote is left.
    Refused(Reject),
    /// Taken away, as asked.
    Pulled,
    /// To be set; at the end, set.
    Set { ticks: Ticks, lots: Lots },
    /// Set, with its place kept.
    Kept,
}

#[derive(Clone, Copy)]
struct Verdict {
    instrument: u32,
    /// Bid and ask.
    fates: [Fate; 2],
}

impl Verdict {
    const NONE: Verdict = Verdict { instrument: 0, fates: [Fate::Pulled; 2] };
}

fn must(holds: bool, reject: Reject) -> Result<(), Reject> {
    if holds { Ok(()) } else { Err(reject) }
}

impl Venue {
    pub fn mass_quote<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, sender: u32, quotes: Quotes<'_>) {
        let mut verdicts = [Verdict::NONE; QUOTE_ENTRIES_MAX];
        let quoting = match self.read_quoting(voice, sender, quotes) {
            Ok(quoting) => quoting,
            Err(reject) => return self.acknowledge_quotes(voice, sender, quotes.head, reject.code(), &[]),
        };
        let verdicts = &mut verdicts[..quotes.entries.len()];
        for (index, entry) in quotes.entries.iter().enumerate() {
            verdicts[index] = self.judge_entry(&quoting, &quotes.entries[..index], entry);
        }
        self.clear_quotes(&quoting, verdicts);
        self.set_quotes(&quoting, verdicts);
        self.acknowledge_quotes(voice, sender, quotes.head, 0, verdicts);
    }

    /// Rule 9.1 in its order.
    fn read_quoting<S: EventSink>(
        &self,
        voice: &Voice<'_, S>,
        sender: u32,
        quotes: Quotes<'_>,
    ) -> Result<Quoting, Reject> {
        let Quotes { head, entries } = quotes;
        let session = self.sessions.at(sender);
        must(session.role == Role::Trade, Reject::Permission)?;
        let account = head.account_id.get();
        self.check_account(session, account, 0).map_err(|refusal| refusal.reject)?;
        must((1..=QUOTE_ENTRIES_MAX).contains(&entries.len()), Reject::TooManyQuotes)?;
        let mode = StpMode::from_wire(head.stp_mode).ok_or(Reject::InvalidCombination)?;
        let crossing = Crossing::from_flags(head.flags.get()).ok_or(Reject::InvalidCombination)?;
        let crossing = if crossing == Crossing::Takes { Crossing::IsRefused } else { crossing };
        must(head.quote_id.get() != 0, Reject::InvalidCombination)?;
        let group = match head.mmp_group.get() {
            0 => NONE,
            number => self.groups.find(account, number).ok_or(Reject::MmpNotConfigured)?,
        };
        if entries.iter().any(|entry| entry.bid_qty.get() != 0 || entry.ask_qty.get() != 0) {
            let (ts_ns, sent_ns) = (voice.command.ts_ns, voice.command.origin.sent_ns.get());
            form::check_age(ts_ns, sent_ns, head.max_delay_us.get(), 0).map_err(|refusal| refusal.reject)?;
            self.check_standstill().map_err(|refusal| refusal.reject)?;
            must(!self.accounts[account].is_blocked(), Reject::AccountBlocked)?;
            self.check_frozen(group, ts_ns, 0).map_err(|refusal| refusal.reject)?;
        }
        let stp = Stp { mode, group: head.stp_group.get() };
        Ok(Quoting { sender, account, quote_id: head.quote_id.get(), stp, crossing, group })
    }

    /// Rule 9.3 for one entry, which `earlier` stand before.
    fn judge_entry(&self, quoting: &Quoting, earlier: &[QuoteEntry], entry: &QuoteEntry) -> Verdict {
        let id = entry.instrument_id.get();
        let ignored = |reject| Verdict { instrument: id, fates: [Fate::Ignored(reject); 2] };
        let Some(instrument) = self.instruments.find(id) else {
            return ignored(Reject::UnknownInstrument);
        };
        if earlier.iter().any(|other| other.instrument_id == entry.instrument_id) {
            return ignored(Reject::DuplicateQuoteEntry);
        }
        let trading = self.check_trading(quoting.account, id).map_err(|refusal| refusal.reject);
        let fate = |price: i64, qty: i64| {
            if qty == 0 {
                return Fate::Pulled;
            }
            match trading.and_then(|()| read_side(instrument, price, qty)) {
                Ok((ticks, lots)) => Fate::Set { ticks, lots },
                Err(reject) => Fate::Refused(reject),
            }
        };
        let bid = fate(entry.bid_px.get(), entry.bid_qty.get());
        let ask = fate(entry.ask_px.get(), entry.ask_qty.get());
        let fates = match (bid, ask) {
            (Fate::Set { ticks: bid, .. }, Fate::Set { ticks: ask, .. }) if bid >= ask => {
                [Fate::Refused(Reject::InvalidCombination); 2]
            }
            fates => fates.into(),
        };
        Verdict { instrument: id, fates }
    }

    /// Rule 9.4 for the quotes that keep their place, and the first half of 9.5: all others that were named leave.
    fn clear_quotes(&mut self, quoting: &Quoting, verdicts: &mut [Verdict]) {
        for Verdict { instrument, fates } in verdicts {
            for (side, fate) in SIDES.into_iter().zip(fates) {
                if matches!(fate, Fate::Ignored(_)) {
                    continue;
                }
                let Some(quote) = self.find_quote(quoting.account, *instrument, side) else { continue };
                let stays = |ticks, lots| {
                    let same_group = self.group_of(&quote) == quoting.group;
                    ticks == quote.ticks && lots <= quote.leaves() && same_group
                };
                match *fate {
                    Fate::Set { ticks, lots } if stays(ticks, lots) => {
                        self.renew_quote(quoting, &quote, lots);
                        *fate = Fate::Kept;
                    }
                    _ => {
                        self.remove(&quote);
                        self.leave_position(quote.position);
                    }
                }
            }
        }
    }

    fn find_quote(&self, account: u32, instrument: u32, side: Side) -> Option<Order> {
        let position = self.positions.at(self.positions.find(account, instrument)?);
        let slot = position.quote(side);
        (slot != NONE).then(|| *self.orders.at(slot))
    }

    fn renew_quote(&mut self, quoting: &Quoting, quote: &Order, lots: Lots) {
        self.shrink(quote.slot(), quote.leaves() - lots);
        self.orders.at_mut(quote.slot()).requote(quoting.quote_id, quoting.sender, quoting.stp);
        self.sessions.at_mut(quote.session()).open_orders -= 1;
        self.sessions.at_mut(quoting.sender).open_orders += 1;
    }

    /// The second half of rule 9.5. Each quote is judged as the account stands with those before it; that is carried along, so
    /// that the account's entries are not summed for each.
    fn set_quotes(&mut self, quoting: &Quoting, verdicts: &mut [Verdict]) {
        let mut standing = None;
        for Verdict { instrument, fates } in verdicts {
            for (side, fate) in SIDES.into_iter().zip(fates) {
                let Fate::Set { ticks, lots } = *fate else { continue };
                let asked = Asked { side, ticks, lots };
                let before = standing.get_or_insert_with(|| self.standing(quoting.account));
                match self.admit_quote(quoting, before, *instrument, asked) {
                    Ok((ticks, entry)) => {
                        before.requirement -=
                            entry.map_or(Money::ZERO, |slot| self.requirement(self.positions.at(slot)));
                        let entry = self.set_quote(quoting, *instrument, Asked { ticks, ..asked }, entry);
                        before.requirement += self.requirement(self.positions.at(entry));
                        if self.instruments[*instrument].is_combo {
                            // The entries of its legs have changed too.
                            standing = None;
                        }
                    }
                    Err(reject) => *fate = Fate::Refused(reject),
                }
            }
        }
        debug_assert!(
            standing.is_none_or(|carried| carried == self.standing(quoting.account)),
            "what was carried along is how the account stands"
        );
    }

    /// The rules of entry that rule 9.5 names: the price at which the quote is posted, and the account's position entry.
    fn admit_quote(
        &self,
        quoting: &Quoting,
        standing: &Standing,
        instrument_id: u32,
        asked: Asked,
    ) -> Result<(Ticks, Option<u32>), Reject> {
        let reject = |refusal: crate::refusal::Refusal| refusal.reject;
        let (instrument, account) = (&self.instruments[instrument_id], quoting.account);
        self.instruments.check_band(instrument_id, asked.side, asked.ticks, 0).map_err(reject)?;
        let ticks = instrument.post(quoting.crossing, asked.side, asked.ticks).map_err(reject)?;
        let asked = Asked { ticks, ..asked };
        self.instruments.check_value(instrument_id, ticks, asked.lots).map_err(reject)?;
        let entry = self.positions.find(account, instrument_id);
        let position = entry.map_or(Position::flat(account, instrument_id), |slot| *self.positions.at(slot));
        self.check_reach(&position, asked, Lots::ZERO).map_err(reject)?;
        self.check_room(account, instrument_id, entry, false).map_err(reject)?;
        match self.shortfall_from(standing, instrument_id, &position, asked) {
            Some(_) => Err(Reject::InsufficientMargin),
            None => self.check_members(quoting.group, 0).map(|()| (ticks, entry)).map_err(reject),
        }
    }

    /// The position entry that it counts in.
    fn set_quote(&mut self, quoting: &Quoting, instrument: u32, asked: Asked, entry: Option<u32>) -> u32 {
        let account = quoting.account;
        let position = entry.unwrap_or_else(|| {
            self.positions.enter(&mut self.accounts[account], Position::flat(account, instrument))
        });
        let id = order_id(self.next_serial, self.orders.slots.take());
        self.next_serial += 1;
        let is_member = quoting.group != NONE;
        let plain = Nature::plain(quoting.sender, asked.side, Tif::Gtc, quoting.stp);
        let nature = Nature { is_quote: true, is_member, ..plain };
        let order = Order::new(id, quoting.quote_id, position, asked.ticks, asked.lots, nature);
        if is_member {
            *self.positions.membership_mut(position, asked.side) = Membership::of(quoting.group);
        }
        *self.positions.at_mut(position).quote_mut(asked.side) = order.slot();
        self.stand(&Taker { order, is_open: false });
        self.rest(&order);
        position
    }

    /// Rule 9.6.
    fn acknowledge_quotes<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        to: u32,
        request: &MassQuote,
        code: u16,
        verdicts: &[Verdict],
    ) {
        let origin = voice.command.origin;
        let head = MassQuoteAck {
            exec_id: voice.exec_id(),
            quote_id: request.quote_id,
            ref_seq: origin.client_seq,
            recv_time: origin.received_ns,
            match_time: voice.time(),
            code: U16::new(code),
            mmp_group: request.mmp_group,
        };
        let mut entries = [NO_ENTRY; QUOTE_ENTRIES_MAX];
        for (entry, verdict) in entries.iter_mut().zip(verdicts) {
            *entry = told(verdict);
        }
        voice.tell_group(self.sessions.at_mut(to), head, &entries[..verdicts.len()]);
    }
}

/// Rule 9.3 for one side with a quantity, as far as its instrument and the entry say.
fn read_side(instrument: &Instrument, price: i64, qty: i64) -> Result<(Ticks, Lots), Reject> {
    let lots = form::read_qty(instrument, qty, 0).map_err(|refusal| refusal.reject)?;
    must(price != NULL_I64, Reject::PriceRequired)?;
    let ticks = form::read_price(instrument, price, 0).map_err(|refusal| refusal.reject)?;
    Ok((ticks, lots))
}

const NO_ENTRY: QuoteAckEntry = QuoteAckEntry {
    instrument_id: U32::ZERO,
    bid_status: 0,
    ask_status: 0,
    bid_code: U16::ZERO,
    ask_code: U16::ZERO,
    pad_a: U16::ZERO,
    pad_b: U32::ZERO,
};

fn told(verdict: &Verdict) -> QuoteAckEntry {
    let [bid, ask] = verdict.fates.map(|fate| match fate {
        Fate::Set { .. } | Fate::Kept => (status::NEW, 0),
        Fate::Pulled => (status::CANCELED, 0),
        Fate::Ignored(reject) | Fate::Refused(reject) => (status::REJECTED, reject.code()),
    });
    QuoteAckEntry {
        instrument_id: U32::new(verdict.instrument),
        bid_status: bid.0,
        ask_status: ask.0,
        bid_code: U16::new(bid.1),
        ask_code: U16::new(ask.1),
        ..NO_ENTRY
    }
}
