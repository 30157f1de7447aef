//! What the venue says, as a person reads it: one sentence for each event, with the symbols and sizes of the client's file.

use engine::event::{
    Confirmed, MassCancelAck, MassQuoteAck, MmpTriggered, OrderAccepted, OrderCanceled, OrderExecuted,
    OrderModified, OrderRejected, QuoteAckEntry, RequestComplete, mmp_reason, reason, status,
};
use engine::message::{NULL_I64, NULL_U64};
use engine::reject::Reject;
use engine::units::Side;
use zerocopy::little_endian::U16;

use crate::client::Body;
use crate::client::orders;
use crate::client::portfolio::is_refused_at_its_trigger;
use crate::client_config::ClientConfig;
use crate::decimal;

/// One event as a person reads it.
pub fn sentence(config: &ClientConfig, body: &Body) -> String {
    match body {
        Body::Accepted(accepted) => accepted_sentence(config, accepted),
        Body::Executed(fill) => fill_sentence(config, fill),
        Body::Canceled(canceled) => canceled_sentence(config, canceled),
        Body::Rejected(rejected) => rejected_sentence(rejected),
        Body::Modified(modified) => modified_sentence(config, modified),
        Body::MassCanceled(ack) => mass_cancel_sentence(ack),
        Body::Quoted(ack, entries) => quoted_sentence(config, ack, entries),
        Body::MmpTriggered(breach) => breach_sentence(breach),
        Body::Confirmed(confirmed) => confirmed_sentence(confirmed),
        Body::OpenOrder(order) => open_order_sentence(config, order),
        Body::Complete(complete) => complete_sentence(complete),
        Body::SessionReject(reject) => {
            format!("command {} refused: {}", reject.ref_seq, reject_text(reject.code.get()))
        }
        Body::NotApplied(hole) => {
            let (from, count) = (hole.from_seq.get(), u64::from(hole.count.get()));
            let last = from.saturating_add(count).saturating_sub(1);
            format!("commands {from} to {last} never arrived and have no effect")
        }
        Body::Resumed(resumed) => format!(
            "reconnected, {} messages replayed, {} commands sent again",
            resumed.replayed, resumed.resent
        ),
        Body::Unknown { template_id } => {
            format!("the venue said something of the unknown kind {template_id}")
        }
    }
}

fn accepted_sentence(config: &ClientConfig, accepted: &OrderAccepted) -> String {
    let of = amount(config, accepted.instrument_id.get(), accepted.qty.get());
    format!(
        "c{} {}: {} {of} at {}, order {}",
        accepted.cl_ord_id,
        if accepted.status == status::SUSPENDED { "armed" } else { "accepted" },
        side_name(accepted.side),
        price(accepted.price.get()),
        accepted.order_id
    )
}

fn open_order_sentence(config: &ClientConfig, order: &OrderAccepted) -> String {
    format!(
        "c{} {}: {} {} at {}, {} left{}, order {}",
        order.cl_ord_id,
        if order.status == status::SUSPENDED { "armed" } else { "open" },
        side_name(order.side),
        amount(config, order.instrument_id.get(), order.qty.get()),
        price(order.price.get()),
        count(order.leaves_qty.get()),
        manner(order),
        order.order_id
    )
}

/// How it stays, what of it shows, and what it may not do, in the words that enter it (`manner`).
fn manner(order: &OrderAccepted) -> String {
    let mut words = String::new();
    if let Some(tif) = engine::Tif::from_wire(order.tif) {
        words += &format!(", {}", format!("{tif:?}").to_lowercase());
    }
    if order.display_qty.get() != NULL_I64 && order.display_qty != order.qty {
        words += &format!(" show={}", order.display_qty);
    }
    for (bit, name) in
        [(orders::POST_ONLY, "post"), (orders::POST_ONLY_SLIDE, "slide"), (orders::REDUCE_ONLY, "reduce")]
    {
        if order.flags.get() & bit != 0 {
            words += &format!(" {name}");
        }
    }
    if order.flags.get() & orders::MMP != 0 {
        words += &format!(" group={}", order.mmp_group);
    }
    words
}

/// A history of all orders has no client id.
fn complete_sentence(complete: &RequestComplete) -> String {
    let whose = match complete.cl_ord_id.get() {
        0 => String::new(),
        id => format!("c{id} "),
    };
    let (count, exec_id) = (complete.count, complete.exec_id);
    match (complete.code.get(), Reject::from_code(complete.code.get())) {
        (0, _) if count == 0 => format!("{whose}done"),
        (0, _) => format!("{whose}done: {count} told"),
        (_, Some(Reject::RetransmitTooMany)) => {
            format!("{whose}done: {count} told, and there are more from {exec_id} on")
        }
        (_, Some(Reject::RetransmitTooOld)) => format!("{whose}refused: what is kept begins with {exec_id}"),
        (_, Some(Reject::ThrottledOrders)) => {
            let wait = decimal::show(complete.retry_after_ms.get().into(), 3);
            format!("{whose}refused: open orders were asked for too often; ask again in {wait} s")
        }
        (code, _) => format!("{whose}refused: {}", reject_text(code)),
    }
}

/// A modify on request carries the request's id first, and the order's behind it.
fn modified_sentence(config: &ClientConfig, modified: &OrderModified) -> String {
    let instrument = modified.instrument_id.get();
    if modified.status == status::TRIGGERED {
        return format!(
            "c{} triggered: {} {} at {}, order {}",
            modified.orig_cl_ord_id,
            side_name(modified.side),
            amount(config, instrument, modified.leaves_qty.get()),
            price(modified.price.get()),
            modified.order_id
        );
    }
    format!(
        "c{} modified: {} at {}, {} left, {}, order {}",
        modified.orig_cl_ord_id,
        amount(config, instrument, modified.qty.get()),
        price(modified.price.get()),
        count(modified.leaves_qty.get()),
        if modified.priority_kept == 1 { "priority kept" } else { "priority lost" },
        modified.order_id
    )
}

fn mass_cancel_sentence(ack: &MassCancelAck) -> String {
    match ack.code.get() {
        0 => format!("c{}: {} orders canceled", ack.cl_ord_id, ack.canceled),
        code => format!("c{} refused: {}", ack.cl_ord_id, reject_text(code)),
    }
}

fn quoted_sentence(config: &ClientConfig, ack: &MassQuoteAck, entries: &[QuoteAckEntry]) -> String {
    if ack.code.get() != 0 {
        return format!("c{} refused: {}", ack.quote_id, reject_text(ack.code.get()));
    }
    let side = |status, code: U16| match status {
        status::NEW => "rests".to_string(),
        status::CANCELED => "none".to_string(),
        _ => format!("none: {}", reject_text(code.get())),
    };
    let sides = entries.iter().map(|entry| {
        let (bid, ask) = (side(entry.bid_status, entry.bid_code), side(entry.ask_status, entry.ask_code));
        format!("{} bid {bid}, ask {ask}", symbol(config, entry.instrument_id.get()))
    });
    format!("c{} quoted: {}", ack.quote_id, sides.collect::<Vec<_>>().join("; "))
}

fn breach_sentence(breach: &MmpTriggered) -> String {
    let limit = match breach.reason {
        mmp_reason::QTY => "quantity".to_string(),
        mmp_reason::DELTA => "delta".to_string(),
        mmp_reason::VEGA => "vega".to_string(),
        mmp_reason::COUNT => "count of fills".to_string(),
        reason => format!("limit {reason}"),
    };
    let until = match breach.frozen_until.get() {
        NULL_U64 => "until it is reset".to_string(),
        until => {
            let ns = until.saturating_sub(breach.match_time.get());
            format!("for {} seconds", decimal::show(ns.into(), 9))
        }
    };
    format!(
        "group {} reached its {limit}: {} orders canceled, frozen {until}",
        breach.mmp_group, breach.canceled
    )
}

fn fill_sentence(config: &ClientConfig, fill: &OrderExecuted) -> String {
    let instrument = fill.instrument_id.get();
    format!(
        "c{} filled: {} {} at {}, {} left, fee {}, position {}",
        fill.cl_ord_id,
        if fill.side == Side::Buy as u8 { "bought" } else { "sold" },
        amount(config, instrument, fill.last_qty.get()),
        price(fill.last_px.get()),
        count(fill.leaves_qty.get()),
        decimal::show(fill.fee.get().into(), 6),
        amount(config, instrument, fill.position.get()),
    )
}

/// A cancel on request carries the request's id first, and the order's behind it.
fn canceled_sentence(config: &ClientConfig, canceled: &OrderCanceled) -> String {
    let order = match canceled.orig_cl_ord_id.get() {
        0 => canceled.cl_ord_id.get(),
        order => order,
    };
    let of = amount(config, canceled.instrument_id.get(), canceled.canceled_qty.get());
    let why = match canceled.reason {
        reason::BY_USER => "on request".to_string(),
        reason::MASS_CANCEL => "by a mass cancel".to_string(),
        reason::STP => "it would have traded with its own side".to_string(),
        reason::MMP => "its protection group was breached".to_string(),
        reason::EXPIRED => "its time was over".to_string(),
        reason::IOC => "immediate or cancel".to_string(),
        reason::FOK => "fill or kill".to_string(),
        reason::REDUCE_ONLY => "it would no longer reduce the position".to_string(),
        reason::INSTRUMENT_EXPIRED => "its instrument has expired".to_string(),
        reason => format!("reason {reason}"),
    };
    format!("c{order} canceled: {of}, {why}, order {}", canceled.order_id)
}

fn rejected_sentence(rejected: &OrderRejected) -> String {
    let detail = rejected.detail.get();
    let more = match Reject::from_code(rejected.code.get()) {
        Some(Reject::InsufficientMargin) => format!(", {} short", decimal::show(detail.into(), 6)),
        Some(Reject::QtyTooLarge | Reject::PositionLimit | Reject::OpenOrderLimit) => {
            format!(", at most {detail}")
        }
        Some(Reject::MaxOrderValue) => format!(", at most {}", decimal::show(detail.into(), 6)),
        Some(Reject::PriceAboveBand | Reject::PriceBelowBand) => format!(", the bound is {}", price(detail)),
        Some(Reject::DuplicateClOrdId) => format!(", by order {}", rejected.order_id),
        _ => String::new(),
    };
    let what = if is_refused_at_its_trigger(rejected) { "triggered and refused" } else { "refused" };
    format!("c{} {what}: {}{more}", rejected.cl_ord_id, reject_text(rejected.code.get()))
}

fn confirmed_sentence(confirmed: &Confirmed) -> String {
    match confirmed.code.get() {
        0 => format!("command {} done", confirmed.ref_seq),
        code => format!("command {} refused: {}", confirmed.ref_seq, reject_text(code)),
    }
}

fn reject_text(code: u16) -> String {
    Reject::from_code(code).map_or_else(|| format!("code {code}"), |reject| reject.text().to_string())
}

pub fn side_name(side: u8) -> &'static str {
    if side == Side::Buy as u8 { "buy" } else { "sell" }
}

/// A price, or null for none.
pub fn price(price9: i64) -> String {
    if price9 == NULL_I64 { "the market".into() } else { decimal::show(price9.into(), 9) }
}

pub fn count(lots: i64) -> String {
    if lots.unsigned_abs() == 1 { format!("{lots} lot") } else { format!("{lots} lots") }
}

fn symbol(config: &ClientConfig, instrument: u32) -> String {
    let known = config.instruments.iter().find(|one| one.id == instrument);
    known.map_or_else(|| format!("instrument {instrument}"), |one| one.symbol.clone())
}

/// Lots, what they are in the instrument's units, and the symbol.
pub fn amount(config: &ClientConfig, instrument: u32, lots: i64) -> String {
    let Some(known) = config.instruments.iter().find(|one| one.id == instrument) else {
        return format!("{} of instrument {instrument}", count(lots));
    };
    match decimal::parse(&known.lot, 9) {
        Ok(lot9) => {
            let size = decimal::show(i128::from(lots) * i128::from(lot9), 9);
            format!("{} ({size}) of {}", count(lots), known.symbol)
        }
        Err(_) => format!("{} of {}", count(lots), known.symbol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    #[test]
    fn whoever_asks_too_often_is_told_when_to_ask_again() {
        let mut complete = RequestComplete::new_zeroed();
        (complete.cl_ord_id, complete.code) = (7.into(), Reject::ThrottledOrders.code().into());
        complete.retry_after_ms = 1_250.into();
        assert_eq!(
            complete_sentence(&complete),
            "c7 refused: open orders were asked for too often; ask again in 1.25 s"
        );
    }
}
