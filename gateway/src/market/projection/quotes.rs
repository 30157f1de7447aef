//! Mass quotes (section 9): the answer tells only what became of each side, so where and with what priority a quote stands
//! follows from the request.

use engine::command::{Command, QuoteEntry, order_flags};
use engine::event::{MassQuoteAck, QuoteAckEntry, status};
use engine::message::group;
use engine::reject::Reject;
use engine::units::Side;

use super::{Name, Order, Projection};

/// One side of one entry that counts.
#[derive(Clone, Copy)]
struct Asked {
    name: Name,
    instrument: u32,
    side: Side,
    px: i64,
    qty: i64,
    rests: bool,
    is_kept: bool,
}

impl Asked {
    fn of(account: u32, entry: &QuoteEntry, ack: &QuoteAckEntry, side: Side) -> Asked {
        let instrument = entry.instrument_id.get();
        let (px, qty, status) = match side {
            Side::Buy => (entry.bid_px, entry.bid_qty, ack.bid_status),
            Side::Sell => (entry.ask_px, entry.ask_qty, ack.ask_status),
        };
        let name = Name::quote(account, instrument, side);
        let rests = status == status::NEW;
        Asked { name, instrument, side, px: px.get(), qty: qty.get(), rests, is_kept: false }
    }
}

impl Projection {
    pub(super) fn quoted(&mut self, message: &[u8]) {
        let Some((ack, answers)) = group::<MassQuoteAck, QuoteAckEntry>(message) else { return };
        if ack.code.get() != 0 {
            return;
        }
        let request = std::mem::take(&mut self.command.request);
        if let Some(Command::MassQuote(quotes)) = Command::read(&request) {
            let account = quotes.head.account_id.get();
            let counts = |ack: &QuoteAckEntry| {
                let code = Reject::from_code(ack.bid_code.get());
                !matches!(code, Some(Reject::DuplicateQuoteEntry | Reject::UnknownInstrument))
            };
            let pairs = quotes.entries.iter().zip(answers).filter(|pair| counts(pair.1));
            let sides = pairs.flat_map(|(entry, ack)| {
                [Side::Buy, Side::Sell].map(|side| Asked::of(account, entry, ack, side))
            });
            let slides = quotes.head.flags.get() & order_flags::POST_ONLY_SLIDE != 0;
            self.set_quotes(sides.collect(), quotes.head.mmp_group.get(), slides);
        }
        self.command.request = request;
    }

    fn set_quotes(&mut self, mut sides: Vec<Asked>, group: u16, slides: bool) {
        for asked in &mut sides {
            asked.is_kept = self.keep_quote(asked, group);
        }
        // Rule 9.5: first all out, then all in.
        for asked in sides.iter().filter(|asked| !asked.is_kept) {
            if let Some(order) = self.orders.remove(&asked.name) {
                self.take_out(order);
            }
        }
        for asked in sides.iter().filter(|asked| asked.rests && !asked.is_kept) {
            let order = Order {
                instrument: asked.instrument,
                side: asked.side,
                px: if slides { self.slid(asked) } else { asked.px },
                leaves: asked.qty,
                display: 0,
                shown: 0,
                place: 0,
                group,
            };
            self.rest(asked.name, order);
        }
    }

    /// Rule 9.4: the same price, no more lots, the same group.
    fn keep_quote(&mut self, asked: &Asked, group: u16) -> bool {
        let Some(order) = self.orders.get_mut(&asked.name).filter(|_| asked.rests) else { return false };
        if order.px != asked.px || asked.qty > order.leaves || order.group != group {
            return false;
        }
        let is_less = asked.qty < order.leaves;
        (order.leaves, order.shown) = (asked.qty, asked.qty);
        let order = *order;
        if is_less {
            self.show_less(&order);
        }
        true
    }

    /// Rule 4.13: one tick short of the best price of the other side, where it would meet it.
    fn slid(&self, asked: &Asked) -> i64 {
        let Some(listing) = self.listings.get(&asked.instrument) else { return asked.px };
        if !listing.matches() || !listing.book.crosses(asked.side, asked.px) {
            return asked.px;
        }
        let best = listing.book.best(asked.side.opposite()).expect("something is crossed").0;
        match asked.side {
            Side::Buy => best - listing.tick_size,
            Side::Sell => best + listing.tick_size,
        }
    }
}
