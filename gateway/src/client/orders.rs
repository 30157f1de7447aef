//! Commands with every field that a plain one does not use set to its null.

use std::ops::RangeInclusive;

use engine::command::{
    CancelOrder, Deposit, ExecHistoryRequest, IndexPrice, InstrumentState, MarkPrice, MassCancel, MassQuote,
    MmpConfig, ModifyOrder, NewOrder, NewTriggerOrder, OpenOrdersRequest, QuoteEntry, Sensitivity,
};
use engine::message::{NULL_I64, NULL_U64};
use engine::units::Side;
use engine::{Condition, TradingState, TriggerType};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

const ORD_TYPE_LIMIT: u8 = 1;
const ORD_TYPE_MARKET: u8 = 2;
const ORD_TYPE_MARKET_TO_LIMIT: u8 = 3;
const ORD_TYPE_STOP_LIMIT: u8 = 4;
const ORD_TYPE_STOP_MARKET: u8 = 5;
const STP_NONE: u8 = 1;
const SCOPE_ACCOUNT: u8 = 2;
const SIDE_BOTH: u8 = 3;

/// Flag of an order that is refused if it would take.
pub const POST_ONLY: u16 = 1;
/// Flag of an order that moves to the nearest price at which it would not take.
pub const POST_ONLY_SLIDE: u16 = 2;
/// Flag of an order that may only bring its account's position nearer to flat.
pub const REDUCE_ONLY: u16 = 4;
/// Flag of an order that belongs to its `mmp_group`.
pub const MMP: u16 = 8;

/// How long an order stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tif {
    /// Rests until the next 08:00:00 UTC.
    Day = 1,
    /// Rests until it is filled or canceled.
    Gtc = 2,
    /// What does not trade at once is canceled.
    Ioc = 3,
    /// Trades whole at once, or not at all.
    Fok = 4,
    /// Rests until its `expire_time`.
    Gtd = 5,
}

/// A limit order; `price9` in 1e-9, `lots` a count of the instrument's lots, `cl_ord_id` not 0.
pub fn limit(
    account: u32,
    instrument: u32,
    side: Side,
    price9: i64,
    lots: i64,
    tif: Tif,
    cl_ord_id: u64,
) -> NewOrder {
    NewOrder {
        cl_ord_id: U64::new(cl_ord_id),
        price: I64::new(price9),
        qty: I64::new(lots),
        display_qty: I64::new(NULL_I64),
        expire_time: U64::new(NULL_U64),
        instrument_id: U32::new(instrument),
        account_id: U32::new(account),
        stp_group: U32::ZERO,
        max_delay_us: U32::ZERO,
        side: side as u8,
        ord_type: ORD_TYPE_LIMIT,
        tif: tif as u8,
        stp_mode: STP_NONE,
        flags: U16::ZERO,
        mmp_group: U16::ZERO,
    }
}

/// A market order: takes what there is within the price band, the rest is canceled.
pub fn market(account: u32, instrument: u32, side: Side, lots: i64, cl_ord_id: u64) -> NewOrder {
    let order = limit(account, instrument, side, NULL_I64, lots, Tif::Ioc, cl_ord_id);
    NewOrder { ord_type: ORD_TYPE_MARKET, ..order }
}

/// Takes what there is at the best price of the other side; the rest rests at that price.
pub fn market_to_limit(account: u32, instrument: u32, side: Side, lots: i64, cl_ord_id: u64) -> NewOrder {
    let order = limit(account, instrument, side, NULL_I64, lots, Tif::Gtc, cl_ord_id);
    NewOrder { ord_type: ORD_TYPE_MARKET_TO_LIMIT, ..order }
}

/// `order`, waiting until the price that it follows reaches `trigger9`.
pub fn trigger(
    order: NewOrder,
    condition: Condition,
    follows: TriggerType,
    trigger9: i64,
) -> NewTriggerOrder {
    let mut armed = NewTriggerOrder::new_zeroed();
    armed.as_mut_bytes()[..size_of::<NewOrder>()].copy_from_slice(order.as_bytes());
    NewTriggerOrder {
        ord_type: if order.ord_type == ORD_TYPE_MARKET { ORD_TYPE_STOP_MARKET } else { ORD_TYPE_STOP_LIMIT },
        trigger_price: I64::new(trigger9),
        trail_offset: I64::new(NULL_I64),
        trigger_type: follows as u8,
        condition: condition as u8,
        ..armed
    }
}

/// One side of a quote: lots and price. `None` takes the side's quote away.
pub type Quote = Option<(i64, i64)>;

/// Both sides of one instrument, an entry of a mass quote.
pub fn quote(instrument: u32, bid: Quote, ask: Quote) -> QuoteEntry {
    let side = |quote: Quote| {
        quote.map_or((I64::ZERO, I64::new(NULL_I64)), |(lots, price9)| (lots.into(), price9.into()))
    };
    let ((bid_qty, bid_px), (ask_qty, ask_px)) = (side(bid), side(ask));
    QuoteEntry { instrument_id: U32::new(instrument), pad_a: U32::ZERO, bid_px, bid_qty, ask_px, ask_qty }
}

/// The head of a mass quote; `group` 0 is no protection, `flags` as an order's.
pub fn quotes(account: u32, group: u16, flags: u16, quote_id: u64) -> MassQuote {
    MassQuote {
        quote_id: U64::new(quote_id),
        account_id: U32::new(account),
        mmp_group: U16::new(group),
        stp_mode: STP_NONE,
        flags: U16::new(flags),
        ..MassQuote::new_zeroed()
    }
}

/// Protection of a group over a window that never trips; set the limits. A freeze of 0 lasts until a reset.
pub fn protection(account: u32, group: u16, window_ms: u32, frozen_ms: u32, cl_ord_id: u64) -> MmpConfig {
    MmpConfig {
        cl_ord_id: U64::new(cl_ord_id),
        account_id: U32::new(account),
        mmp_group: U16::new(group),
        window_ms: U32::new(window_ms),
        frozen_ms: U32::new(frozen_ms),
        qty_limit: I64::new(NULL_I64),
        delta_limit: I64::new(NULL_I64),
        vega_limit: I64::new(NULL_I64),
        ..MmpConfig::new_zeroed()
    }
}

/// Ends the freeze of a protection group.
pub fn reset_protection(account: u32, group: u16, cl_ord_id: u64) -> MmpConfig {
    MmpConfig { reset: 1, ..protection(account, group, 0, 0, cl_ord_id) }
}

/// A new total quantity and a new price for the order that was entered with `orig_cl_ord_id`; `None` leaves it as it is.
pub fn modify(
    account: u32,
    orig_cl_ord_id: u64,
    cl_ord_id: u64,
    price9: Option<i64>,
    total: Option<i64>,
) -> ModifyOrder {
    ModifyOrder {
        cl_ord_id: U64::new(cl_ord_id),
        orig_cl_ord_id: U64::new(orig_cl_ord_id),
        price: I64::new(price9.unwrap_or(NULL_I64)),
        qty: I64::new(total.unwrap_or(NULL_I64)),
        display_qty: I64::new(NULL_I64),
        account_id: U32::new(account),
        ..ModifyOrder::new_zeroed()
    }
}

/// Cancels every open order of the account.
pub fn cancel_all(account: u32, cl_ord_id: u64) -> MassCancel {
    MassCancel {
        cl_ord_id: U64::new(cl_ord_id),
        account_id: U32::new(account),
        scope: SCOPE_ACCOUNT,
        side: SIDE_BOTH,
        ..MassCancel::new_zeroed()
    }
}

/// Cancels the order that was entered with `orig_cl_ord_id`.
pub fn cancel_by_cl_ord_id(account: u32, orig_cl_ord_id: u64, cl_ord_id: u64) -> CancelOrder {
    CancelOrder {
        cl_ord_id: U64::new(cl_ord_id),
        orig_cl_ord_id: U64::new(orig_cl_ord_id),
        order_id: U64::ZERO,
        instrument_id: U32::ZERO,
        account_id: U32::new(account),
    }
}

/// Cancels the order that the venue calls `order_id`.
pub fn cancel_by_order_id(account: u32, order_id: u64, cl_ord_id: u64) -> CancelOrder {
    CancelOrder {
        cl_ord_id: U64::new(cl_ord_id),
        orig_cl_ord_id: U64::ZERO,
        order_id: U64::new(order_id),
        instrument_id: U32::ZERO,
        account_id: U32::new(account),
    }
}

/// Every open order of the account, or of one instrument; 0 is all.
pub fn open_orders(account: u32, instrument: u32, cl_ord_id: u64) -> OpenOrdersRequest {
    OpenOrdersRequest {
        cl_ord_id: U64::new(cl_ord_id),
        account_id: U32::new(account),
        instrument_id: U32::new(instrument),
    }
}

/// What the account was told from one execution id to another, both included, and at most `count_max` of it; of one order or
/// request alone, or with `cl_ord_id` 0 of all.
pub fn history(account: u32, ids: RangeInclusive<u64>, count_max: u32, cl_ord_id: u64) -> ExecHistoryRequest {
    ExecHistoryRequest {
        cl_ord_id: U64::new(cl_ord_id),
        from_exec_id: U64::new(*ids.start()),
        to_exec_id: U64::new(*ids.end()),
        account_id: U32::new(account),
        max_count: U32::new(count_max),
    }
}

/// A mark price, from an oracle session.
pub fn mark(instrument: u32, price9: i64) -> MarkPrice {
    MarkPrice { price: I64::new(price9), instrument_id: U32::new(instrument), pad_a: U32::ZERO }
}

/// An index price, from an oracle session.
pub fn index(instrument: u32, price9: i64) -> IndexPrice {
    IndexPrice { price: I64::new(price9), instrument_id: U32::new(instrument), pad_a: U32::ZERO }
}

/// What one lot moves, in millionths, from a risk model's session.
pub fn sensitivity(instrument: u32, delta6: i64, vega6: i64) -> Sensitivity {
    Sensitivity {
        delta: I64::new(delta6),
        vega: I64::new(vega6),
        instrument_id: U32::new(instrument),
        pad_a: U32::ZERO,
    }
}

/// A trading state, from an administrator's session. An auction ends at `until_ns`; 0 is none.
pub fn state(instrument: u32, state: TradingState, until_ns: u64) -> InstrumentState {
    InstrumentState {
        instrument_id: U32::new(instrument),
        state: state as u8,
        pad_a: 0,
        pad_b: U16::ZERO,
        until: U64::new(until_ns),
    }
}

/// Collateral that arrived, from a bridge session; `amount6` in 1e-6.
pub fn deposit(account: u32, amount6: i64, reference: u64) -> Deposit {
    Deposit {
        reference: U64::new(reference),
        amount: I64::new(amount6),
        account_id: U32::new(account),
        pad_a: U32::ZERO,
    }
}
