//! Commands and events as a person reads them, for the message of a test that failed. Reads layouts, knows no rule.

use engine::command::{ComboCreate, Command, MmpConfig, Sensitivity, Tick, VenueState};
use engine::event::*;
use engine::message::*;
use engine::reject::Reject;
use zerocopy::FromBytes;

use crate::model::quote_entries;

pub fn command(seq: u64, ts_ns: u64, origin: &Origin, message: &[u8]) -> String {
    let body = match (Command::read(message), quote_entries(message)) {
        (Some(command), _) => plain(&format!("{command:?}")),
        (None, Some(quotes)) => plain(&format!("{quotes:?}")),
        _ => asked(message).map_or(format!("no command: {message:02x?}"), |text| plain(&text)),
    };
    format!("seq {seq} ts {ts_ns} {}\n  {body}", plain(&format!("{origin:?}")))
}

/// Those that `Command` may not know yet.
fn asked(message: &[u8]) -> Option<String> {
    let text = block::<MmpConfig>(message).map(|it| format!("{it:?}"));
    let text = text.or_else(|| block::<Sensitivity>(message).map(|it| format!("{it:?}")));
    let text = text.or_else(|| block::<Tick>(message).map(|it| format!("{it:?}")));
    let text = text.or_else(|| block::<VenueState>(message).map(|it| format!("{it:?}")));
    text.or_else(|| block::<ComboCreate>(message).map(|it| format!("{it:?}")))
}

pub fn event(payload: &[u8]) -> String {
    let Ok((route, message)) = Route::ref_from_prefix(payload) else {
        return format!("no event: {payload:02x?}");
    };
    let body = decoded(message).unwrap_or_else(|| format!("no event: {message:02x?}"));
    format!("  -> {}#{} {}", route.session.get(), route.server_seq.get(), plain(&body))
}

pub fn events(payloads: &[Vec<u8>]) -> String {
    let lines: Vec<String> = payloads.iter().map(|payload| event(payload)).collect();
    if lines.is_empty() { "  (none)".into() } else { lines.join("\n") }
}

fn decoded(message: &[u8]) -> Option<String> {
    fn shown<M: Message + std::fmt::Debug>(message: &[u8]) -> Option<String> {
        block::<M>(message).map(|it| format!("{it:?}"))
    }
    let text = shown::<LogonAck>(message)
        .or_else(|| shown::<LogonReject>(message))
        .or_else(|| shown::<NotApplied>(message))
        .or_else(|| shown::<SessionReject>(message))
        .or_else(|| shown::<OrderAccepted>(message))
        .or_else(|| shown::<OrderRejected>(message))
        .or_else(|| shown::<OrderModified>(message))
        .or_else(|| shown::<OrderCanceled>(message))
        .or_else(|| shown::<MassCancelAck>(message))
        .or_else(|| shown::<OrderExecuted>(message))
        .or_else(|| shown::<MmpTriggered>(message))
        .or_else(|| shown::<RequestComplete>(message))
        .or_else(|| shown::<AuctionIndicative>(message))
        .or_else(|| quotes_acked(message).map(|it| format!("{it:?}")))
        .or_else(|| shown::<Confirmed>(message))?;
    let code =
        block::<OrderRejected>(message).map(|it| it.code).or(block::<Confirmed>(message).map(|it| it.code));
    let code = code.or(block::<MassCancelAck>(message).map(|it| it.code));
    let code = code.or(block::<RequestComplete>(message).map(|it| it.code));
    let code = code.or(quotes_acked(message).map(|it| it.0.code));
    let code = code.or(block::<SessionReject>(message).map(|it| it.code)).map_or(0, |code| code.get());
    Some(Reject::from_code(code).map_or(text.clone(), |reject| format!("{reject:?}: {text}")))
}

/// A `MassQuoteAck` and its entries.
pub fn quotes_acked(message: &[u8]) -> Option<(MassQuoteAck, Vec<QuoteAckEntry>)> {
    let (header, rest) = Header::read_from_prefix(message).ok()?;
    let (head, rest) = MassQuoteAck::read_from_prefix(rest).ok()?;
    let (size, rest) = GroupSize::read_from_prefix(rest).ok()?;
    let entries = <[QuoteAckEntry]>::ref_from_bytes(rest).ok()?;
    let whole = usize::from(size.num_in_group.get()) == entries.len();
    (header.template_id.get() == MassQuoteAck::TEMPLATE && whole).then(|| (head, entries.to_vec()))
}

/// `U64(5)` reads better as `5`.
fn plain(text: &str) -> String {
    let mut plain = text.to_string();
    for kind in ["U64(", "I64(", "U32(", "U16("] {
        while let Some(at) = plain.find(kind) {
            let Some(end) = plain[at..].find(')') else { break };
            plain.replace_range(at + end..at + end + 1, "");
            plain.replace_range(at..at + kind.len(), "");
        }
    }
    plain
}
