//! What a run is to come to of sections 8 and 12.

use super::*;
use crate::model::{
    HISTORY_GRANTED, SEEN_OF_GROUPS, SEEN_OF_ICEBERGS, SEEN_OF_IDS, SEEN_OF_LISTS, SEEN_OF_REDUCE_ONLY,
    SEEN_OF_SPECIAL, SEEN_OF_SWEEPS, SEEN_OF_TIME, SEEN_OF_TRIGGERS,
};

impl Coverage {
    pub(super) fn reachable_special(has: Features) -> Vec<Answer> {
        use Reject::*;
        let mut all = Vec::new();
        let (rejected, confirmed) = (OrderRejected::TEMPLATE, Confirmed::TEMPLATE);
        let (new, amend, trigger) = (NewOrder::TEMPLATE, ModifyOrder::TEMPLATE, NewTriggerOrder::TEMPLATE);
        let list = RequestComplete::TEMPLATE;
        let armed = &[
            Permission,
            UnknownAccount,
            NotYourAccount,
            UnknownInstrument,
            InvalidSide,
            InvalidOrdType,
            InvalidTif,
            InvalidCombination,
            PriceRequired,
            PriceNotOnTick,
            PriceForbidden,
            QtyNotPositive,
            QtyTooLarge,
            DisplayQtyInvalid,
            ExpireTimeInvalid,
            DuplicateClOrdId,
            StaleRequest,
            AccountBlocked,
            Halted,
            CancelOnly,
            OpenOrderLimit,
            Capacity,
            // When they fire.
            NoLiquidity,
            PriceAboveBand,
            PriceBelowBand,
            WouldCross,
            FokNotFillable,
            MaxOrderValue,
            PositionLimit,
            InsufficientMargin,
        ];
        let codes: [(bool, u16, u16, &[Reject]); 10] = [
            (has.history, list, 0, &[Permission, UnknownAccount, NotYourAccount, InvalidCombination]),
            (has.icebergs, rejected, amend, &[DisplayQtyInvalid]),
            (has.reduce_only, rejected, new, &[ReduceOnly]),
            (has.triggers, rejected, trigger, armed),
            (has.triggers && has.reduce_only, rejected, trigger, &[ReduceOnly]),
            (has.triggers && has.auctions, rejected, trigger, &[AuctionRule]),
            (has.triggers && has.states, rejected, trigger, &[Settling, ExpiredInstrument]),
            (
                has.triggers,
                confirmed,
                IndexPrice::TEMPLATE,
                &[Permission, UnknownInstrument, InvalidParameter, PriceNotOnTick],
            ),
            (
                has.open_orders,
                list,
                0,
                &[Permission, UnknownAccount, NotYourAccount, UnknownInstrument, ThrottledOrders],
            ),
            (has.rising_ids, confirmed, SessionCreate::TEMPLATE, &[InvalidParameter]),
        ];
        for (_, event, of, codes) in codes.into_iter().filter(|it| it.0) {
            all.extend(codes.iter().map(|code| Answer::Code { event, of, code: code.code() }));
        }
        all.extend(Coverage::special_kinds(has));
        let reasons = [(has.time, reason::EXPIRED), (has.reduce_only, reason::REDUCE_ONLY)];
        all.extend(reasons.iter().filter(|it| it.0).map(|it| Answer::CanceledFor(it.1)));
        let names: [(bool, &[&'static str]); 17] = [
            (true, &SEEN_OF_GROUPS),
            (true, &SEEN_OF_SWEEPS),
            (has.history, &[HISTORY_GRANTED]),
            (has.time, &SEEN_OF_TIME[..4]),
            (has.time && has.triggers, &SEEN_OF_TIME[4..5]),
            (has.time, &SEEN_OF_TIME[5..]),
            (has.icebergs, &SEEN_OF_ICEBERGS),
            (has.reduce_only, &SEEN_OF_REDUCE_ONLY),
            (has.time, &SEEN_OF_SPECIAL[..2]),
            (has.time && has.icebergs, &SEEN_OF_SPECIAL[2..]),
            (has.triggers, &SEEN_OF_TRIGGERS),
            (has.closed_ids, &SEEN_OF_IDS[..1]),
            (has.rising_ids, &SEEN_OF_IDS[1..2]),
            (has.closed_ids, &SEEN_OF_IDS[2..]),
            (has.open_orders && has.triggers, &SEEN_OF_LISTS[..1]),
            (has.open_orders && has.quotes && has.icebergs, &SEEN_OF_LISTS[1..]),
            (has.scopes, &[PRODUCT_OF_ALL, PRODUCT_OF_ONE]),
        ];
        all.extend(names.iter().filter(|it| it.0).flat_map(|it| it.1).map(|name| Answer::Feature(name)));
        all
    }

    fn special_kinds(has: Features) -> Vec<Answer> {
        let timed = [(1, 1, 0), (1, 5, 0), (3, 1, 0), (3, 5, 0)];
        let reducing = [(1, 2, 4), (1, 3, 4), (1, 4, 4), (2, 3, 4), (2, 4, 4), (1, 2, 5), (1, 2, 6)];
        let armed = [(4, 2, 0), (4, 3, 0), (4, 4, 0), (5, 3, 0), (5, 4, 0), (4, 2, 1), (4, 2, 2)];
        let both = [(4, 2, 4), (4, 2, 5), (5, 3, 4), (5, 4, 4)];
        let kinds: [(bool, &[Kind]); 5] = [
            (has.time, &timed),
            (has.reduce_only, &reducing),
            (has.triggers, &armed),
            (has.triggers && has.reduce_only, &both),
            (has.triggers && has.time, &[(4, 1, 0), (4, 5, 0)]),
        ];
        let kinds = kinds.iter().filter(|it| it.0).flat_map(|it| it.1);
        kinds.map(|&(ord_type, tif, flags)| Answer::Accepted { ord_type, tif, flags }).collect()
    }

    pub(super) fn count_special(&mut self, model: &mut Model, step: &Step, events: &[Vec<u8>]) {
        for (name, count) in model.take_seen() {
            *self.counts.entry(Answer::Feature(name)).or_insert(0) += count;
        }
        let swept = events.last().and_then(|event| block::<MassCancelAck>(&event[ROUTE_BYTES..]));
        if let Some(it) = block::<MassCancel>(&step.message).filter(|it| it.scope == 5)
            && swept.is_some_and(|it| it.canceled.get() > 0)
        {
            let name = if it.underlying_id.get() == 0 { PRODUCT_OF_ALL } else { PRODUCT_OF_ONE };
            *self.counts.entry(Answer::Feature(name)).or_insert(0) += 1;
        }
    }
}

/// Order type, time in force and flags.
type Kind = (u8, u8, u16);

const PRODUCT_OF_ALL: &str = "a product of every underlying is swept";
const PRODUCT_OF_ONE: &str = "a product of one underlying is swept";
