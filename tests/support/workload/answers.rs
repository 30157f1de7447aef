//! What a run saw of quotes, protection, states, auctions and combos, by name: what the answers alone do not tell is read
//! from the model before and after a command.

use super::*;

/// What stood before a command.
#[derive(Default)]
pub struct Before {
    /// The account's quotes: id, client id, leaves.
    quotes: Vec<(u64, u64, i128)>,
    state: u8,
    /// All quotes of the venue.
    quote_ids: Vec<u64>,
}

const QUOTES: [&str; 6] = [
    "a quote keeps its place",
    "a quote enters",
    "a quote trades",
    "a quote is canceled by its id",
    "a quote is swept by a mass cancel",
    "a hundred quotes at once",
];
const PROTECTION: [&str; 7] = [
    "breach of lots",
    "breach of delta",
    "breach of vega",
    "breach of count",
    "a freeze until reset",
    "a breach of more than one member",
    "a member order trades as maker",
];
const AUCTIONS: [&str; 10] = [
    "an indicative price with a surplus of bids",
    "an indicative price with a surplus of asks",
    "an indicative price that clears",
    "an indicative of a book that is not crossed",
    "a second of an auction",
    "an auction ended by its time",
    "an uncrossing",
    "an uncrossing waits",
    "an amend in an auction keeps its place",
    "an amend in an auction rests anew",
];
const COMBOS_SEEN: [&str; 8] = [
    "a combo of two legs trades",
    "a combo of three legs trades",
    "a combo of four legs trades",
    "a combo trades below nothing",
    "a leg trades below nothing",
    "a combo's order is amended",
    "a combo's order would meet its own",
    "a combo's order is swept by a mass cancel",
];
const BOTH: [&str; 3] =
    ["a breach in an auction", "a combo's quote trades", "a reduce-only order is cut in an uncrossing"];

impl Coverage {
    /// The events, codes and names that the features bring.
    pub(super) fn reachable_features(has: Features) -> Vec<Answer> {
        use Reject::*;
        let mut all = Vec::new();
        let events = [
            (has.quotes, MassQuoteAck::TEMPLATE),
            (has.mmp, MmpTriggered::TEMPLATE),
            (has.mmp, RequestComplete::TEMPLATE),
            (has.auctions, AuctionIndicative::TEMPLATE),
        ];
        all.extend(events.iter().filter(|it| it.0).map(|it| Answer::Event(it.1)));
        let (rejected, confirmed) = (OrderRejected::TEMPLATE, Confirmed::TEMPLATE);
        let whole = &[
            Permission,
            UnknownAccount,
            NotYourAccount,
            TooManyQuotes,
            InvalidCombination,
            StaleRequest,
            AccountBlocked,
        ];
        let config =
            &[Permission, UnknownAccount, NotYourAccount, InvalidCombination, MmpNotConfigured, Capacity];
        let combo = &[Permission, InvalidParameter, AlreadyExists, UnknownInstrument];
        let told = &[Permission, UnknownInstrument, InvalidParameter];
        let codes: [(bool, u16, u16, &[Reject]); 12] = [
            (has.quotes, MassQuoteAck::TEMPLATE, 0, whole),
            (has.quotes && has.mmp, MassQuoteAck::TEMPLATE, 0, &[MmpNotConfigured, MmpFrozen]),
            (has.mmp, RequestComplete::TEMPLATE, 0, config),
            (has.mmp && has.scopes, MassCancelAck::TEMPLATE, 0, &[MmpNotConfigured]),
            (has.mmp, rejected, NewOrder::TEMPLATE, &[MmpNotConfigured, MmpFrozen]),
            (has.mmp, confirmed, Sensitivity::TEMPLATE, told),
            (has.states, rejected, NewOrder::TEMPLATE, &[Settling, ExpiredInstrument]),
            (has.states, rejected, ModifyOrder::TEMPLATE, &[Settling]),
            (has.states, confirmed, InstrumentState::TEMPLATE, &[ExpiredInstrument]),
            (has.combos, confirmed, ComboCreate::TEMPLATE, combo),
            (has.auctions, rejected, NewOrder::TEMPLATE, &[AuctionRule]),
            (has.auctions, rejected, ModifyOrder::TEMPLATE, &[AuctionRule]),
        ];
        for (_, event, of, codes) in codes.into_iter().filter(|it| it.0) {
            all.extend(codes.iter().map(|code| Answer::Code { event, of, code: code.code() }));
        }
        all.extend(Coverage::quote_sides(has));
        if has.mmp {
            all.push(Answer::CanceledFor(reason::MMP));
            all.extend([8, 9, 10].map(|flags| Answer::Accepted { ord_type: 1, tif: 2, flags }));
        }
        if has.states {
            all.push(Answer::CanceledFor(reason::INSTRUMENT_EXPIRED));
        }
        let states = (3..=8_u8).flat_map(|from| (3..=8_u8).map(move |to| (from, to)));
        let may = |state: u8| match state {
            AUCTION => has.auctions,
            7 | EXPIRED => has.states,
            _ => true,
        };
        let transitions =
            states.filter(|(from, to)| may(*from) && may(*to) && (*from != EXPIRED || *to == EXPIRED));
        all.extend(transitions.map(|(from, to)| Answer::Transition { from, to }));
        let names: [(bool, &[&'static str]); 7] = [
            (has.quotes, &QUOTES),
            (has.mmp, &PROTECTION),
            (has.auctions, &AUCTIONS),
            (has.combos, &COMBOS_SEEN),
            (has.auctions && has.mmp, &BOTH[..1]),
            (has.quotes && has.combos, &BOTH[1..2]),
            (has.auctions && has.reduce_only, &BOTH[2..]),
        ];
        all.extend(names.iter().filter(|it| it.0).flat_map(|it| it.1).map(|name| Answer::Feature(name)));
        all
    }

    fn quote_sides(has: Features) -> Vec<Answer> {
        use Reject::*;
        if !has.quotes {
            return Vec::new();
        }
        let mut codes = vec![
            UnknownInstrument,
            DuplicateQuoteEntry,
            Halted,
            CancelOnly,
            QtyNotPositive,
            QtyTooLarge,
            PriceRequired,
            PriceNotOnTick,
            InvalidCombination,
            PriceAboveBand,
            PriceBelowBand,
            WouldCross,
            MaxOrderValue,
            PositionLimit,
            OpenOrderLimit,
            Capacity,
            InsufficientMargin,
        ];
        codes.extend([Settling, ExpiredInstrument].iter().filter(|_| has.states));
        codes.extend([AuctionRule].iter().filter(|_| has.auctions && has.combos));
        let side = |status: u8, code: u16| Answer::QuoteSide { status, code };
        let fine = [side(status::NEW, 0), side(status::CANCELED, 0)];
        fine.into_iter().chain(codes.iter().map(|code| side(status::REJECTED, code.code()))).collect()
    }

    /// Before a command is applied.
    pub(super) fn look(&mut self, model: &Model, step: &Step) {
        self.before = Before::default();
        if let Some((head, _)) = crate::model::quote_entries(&step.message) {
            let own = |it: &&Order| it.quote && it.account == head.account_id.get();
            let own = model.open_orders().iter().filter(own);
            self.before.quotes = own.map(|it| (it.order_id, it.cl_ord_id, it.leaves)).collect();
        }
        if let Some(it) = block::<InstrumentState>(&step.message) {
            self.before.state = model.instrument(it.instrument_id.get()).map_or(0, |it| it.state);
        }
        let quotes = model.open_orders().iter().filter(|it| it.quote);
        self.before.quote_ids = quotes.map(|it| it.order_id).collect();
    }

    pub(super) fn count_features(&mut self, model: &Model, step: &Step, events: &[Vec<u8>]) {
        let before = std::mem::take(&mut self.before);
        for event in events {
            self.count_feature(&before, model, step, &event[ROUTE_BYTES..]);
        }
        if let Some((_, entries)) = crate::model::quote_entries(&step.message) {
            let after = |id: u64| model.open_orders().iter().find(|it| it.order_id == id);
            let kept = |it: &&(u64, u64, i128)| {
                after(it.0).is_some_and(|now| (now.cl_ord_id, now.leaves) != (it.1, it.2))
            };
            if before.quotes.iter().any(|it| kept(&it)) {
                self.feature(QUOTES[0]);
            }
            let is_new = |it: &Order| it.quote && !before.quote_ids.contains(&it.order_id);
            if model.open_orders().iter().any(is_new) {
                self.feature(QUOTES[1]);
            }
            if entries.len() == 100 && events.iter().any(|it| it.len() > 1_600) {
                self.feature(QUOTES[5]);
            }
        }
        let breached = events.iter().any(|it| block::<MmpTriggered>(&it[ROUTE_BYTES..]).is_some());
        let crossing = events.iter().filter_map(|it| block::<OrderExecuted>(&it[ROUTE_BYTES..]));
        let crossing = crossing.filter(|it| it.liquidity == liquidity::AUCTION).count();
        if crossing > 0 {
            self.feature(AUCTIONS[6]);
        }
        if crossing > 0 && model.continuation().is_some() {
            self.feature(AUCTIONS[7]);
        }
        let mut canceled = events.iter().filter_map(|it| block::<OrderCanceled>(&it[ROUTE_BYTES..]));
        if crossing > 0 && canceled.any(|it| it.reason == reason::REDUCE_ONLY) {
            self.feature(BOTH[2]);
        }
        if breached && crossing > 0 {
            self.feature(BOTH[0]);
        }
    }

    fn feature(&mut self, name: &'static str) {
        self.one(Answer::Feature(name));
    }

    fn count_feature(&mut self, before: &Before, model: &Model, step: &Step, message: &[u8]) {
        if let Some((head, entries)) = quotes_acked(message) {
            debug_assert!(head.code.get() == 0 || entries.is_empty());
            for it in entries {
                self.one(Answer::QuoteSide { status: it.bid_status, code: it.bid_code.get() });
                self.one(Answer::QuoteSide { status: it.ask_status, code: it.ask_code.get() });
            }
        }
        if let Some(it) = block::<MmpTriggered>(message) {
            self.feature(PROTECTION[usize::from(it.reason) - 1]);
            if it.frozen_until.get() == NULL_U64 {
                self.feature(PROTECTION[4]);
            }
            if it.canceled.get() > 1 {
                self.feature(PROTECTION[5]);
            }
        }
        if let Some(it) = block::<Confirmed>(message).filter(|it| it.code.get() == 0)
            && it.ref_template_id.get() == InstrumentState::TEMPLATE
        {
            let to = block::<InstrumentState>(&step.message).map_or(0, |it| it.state);
            self.one(Answer::Transition { from: before.state, to });
        }
        if let Some(it) = block::<AuctionIndicative>(message) {
            self.count_indicative(model, step, it);
        }
        if let Some(it) = block::<OrderExecuted>(message) {
            self.count_trade(before, model, it);
        }
        let instrument = |id: u32| model.instrument(id).expect("it has orders");
        if let Some(it) = block::<OrderModified>(message) {
            let instrument = instrument(it.instrument_id.get());
            if instrument.state == AUCTION {
                self.feature(AUCTIONS[7 + usize::from(it.priority_kept)]);
            }
            if instrument.is_combo() {
                self.feature(COMBOS_SEEN[5]);
            }
        }
        if let Some(it) =
            block::<OrderCanceled>(message).filter(|it| instrument(it.instrument_id.get()).is_combo())
        {
            match it.reason {
                reason::STP => self.feature(COMBOS_SEEN[6]),
                reason::MASS_CANCEL => self.feature(COMBOS_SEEN[7]),
                _ => {}
            }
        }
        if let Some(it) = block::<OrderCanceled>(message)
            && before.quote_ids.contains(&it.order_id.get())
        {
            match it.reason {
                reason::BY_USER => self.feature(QUOTES[3]),
                reason::MASS_CANCEL => self.feature(QUOTES[4]),
                _ => {}
            }
        }
    }

    fn count_indicative(&mut self, model: &Model, step: &Step, it: &AuctionIndicative) {
        self.feature(match (it.indicative_qty.get(), it.imbalance_side) {
            (0, _) => AUCTIONS[3],
            (_, 1) => AUCTIONS[0],
            (_, 2) => AUCTIONS[1],
            _ => AUCTIONS[2],
        });
        if block::<Tick>(&step.message).is_some() {
            let ended = model.instrument(it.instrument_id.get()).is_some_and(|it| it.state == OPEN);
            self.feature(if ended { AUCTIONS[5] } else { AUCTIONS[4] });
        }
    }

    fn count_trade(&mut self, before: &Before, model: &Model, it: &OrderExecuted) {
        let quote = before.quote_ids.contains(&it.order_id.get());
        let instrument = model.instrument(it.instrument_id.get()).expect("it trades");
        if quote {
            self.feature(QUOTES[2]);
        }
        if it.mmp_group.get() != 0 && it.liquidity == liquidity::MAKER && !quote {
            self.feature(PROTECTION[6]);
        }
        if instrument.is_combo() {
            self.feature(COMBOS_SEEN[instrument.legs().count() - 2]);
            if it.last_px.get() < 0 {
                self.feature(COMBOS_SEEN[3]);
            }
            if quote {
                self.feature(BOTH[1]);
            }
        } else if it.last_px.get() < 0 {
            self.feature(COMBOS_SEEN[4]);
        }
    }
}
