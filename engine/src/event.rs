//! The language that the engine speaks: every event as a block, and the sink that receives them. An event is encoded
//! once, here; the log ring, the journal and the wire carry these bytes.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::layout::values;
use crate::message::{blocks, rows};

blocks! {
    LogonAck = 4, 72 {
        session_id: U64, next_client_seq: U64, next_server_seq: U64, oldest_server_seq: U64,
        engine_epoch: U64, server_time: U64, keep_alive_ms: U32, schema_version: U16, cod_mode: u8, trading_state: u8,
        orders_per_sec: U32, order_burst: U32, max_frame: U32, max_open_orders: U32,
    }

    LogonReject = 5, 56 {
        session_id: U64, code: U16, pad_a: U16, retry_after_ms: U32,
        schema_version_min: U16, schema_version_max: U16, pad_b: U32, text: [u8; 32],
    }

    /// The client's numbers `from_seq .. from_seq + count` never arrived and never will.
    NotApplied = 13, 16 { from_seq: U64, count: U32, pad_a: U32 }

    SessionReject = 14, 16 { ref_seq: U64, code: U16, ref_template_id: U16, ref_field_id: U16, pad_a: U16 }

    OrderAccepted = 200, 96 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        price: I64, qty: I64, leaves_qty: I64, display_qty: I64, instrument_id: U32, account_id: U32,
        side: u8, ord_type: u8, tif: u8, status: u8, flags: U16, mmp_group: U16,
    }

    OrderRejected = 201, 72 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        detail: I64, instrument_id: U32, account_id: U32,
        code: U16, ref_template_id: U16, ref_field_id: U16, pad_a: U16,
    }

    OrderModified = 202, 104 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        orig_cl_ord_id: U64, price: I64, qty: I64, leaves_qty: I64, display_qty: I64, instrument_id: U32, account_id: U32,
        side: u8, status: u8, priority_kept: u8, pad_a: u8, flags: U16, pad_b: U16,
    }

    OrderCanceled = 203, 88 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        orig_cl_ord_id: U64, canceled_qty: I64, cum_qty: I64, instrument_id: U32, account_id: U32,
        side: u8, reason: u8, pad_a: U16, pad_b: U32,
    }

    OrderExecuted = 204, 120 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        match_id: U64, last_px: I64, last_qty: I64, leaves_qty: I64, cum_qty: I64, fee: I64, position: I64,
        instrument_id: U32, account_id: U32, side: u8, status: u8, liquidity: u8, pad_a: u8, mmp_group: U16, pad_b: U16,
    }

    MassCancelAck = 210, 56 {
        exec_id: U64, order_id: U64, cl_ord_id: U64, ref_seq: U64, recv_time: U64, match_time: U64,
        canceled: U32, code: U16, pad_a: U16,
    }

    /// The head of the answer to a mass quote; a `GroupSize` and one `QuoteAckEntry` for each entry follow.
    MassQuoteAck = 211, 44 {
        exec_id: U64, quote_id: U64, ref_seq: U64, recv_time: U64, match_time: U64, code: U16, mmp_group: U16,
    } => QuoteAckEntry

    /// A protection group was breached: all its orders are canceled.
    MmpTriggered = 212, 40 {
        exec_id: U64, match_time: U64, frozen_until: U64, account_id: U32, canceled: U32, mmp_group: U16, reason: u8, pad_a: u8,
        pad_b: U32,
    }

    /// The end of an answer of many parts, or the whole answer to a request that has none. `retry_after_ms` goes with ThrottledOrders.
    RequestComplete = 216, 32 { exec_id: U64, cl_ord_id: U64, ref_seq: U64, count: U32, code: U16, retry_after_ms: U16 }

    /// A session may be told its account's history: for the gateway, which finds it in the journal, and never sent (rule 12.5).
    HistoryGranted = 220, 56 {
        session: U64, exec_id: U64, cl_ord_id: U64, ref_seq: U64, from_exec_id: U64, to_exec_id: U64, account_id: U32,
        max_count: U32,
    }

    /// What the auction would do now.
    AuctionIndicative = 440, 56 {
        exec_id: U64, match_time: U64, instrument_id: U32, imbalance_side: u8, pad_a: u8, pad_b: U16,
        indicative_px: I64, indicative_qty: I64, imbalance_qty: I64, auction_end: U64,
    }

    /// The answer to every privileged command: `code` 0 is done, anything else is why not.
    Confirmed = 350, 40 {
        exec_id: U64, ref_seq: U64, match_time: U64, detail: I64, code: U16, ref_template_id: U16, ref_field_id: U16, pad_a: U16,
    }
}

rows! {
    /// What became of one entry of a mass quote.
    QuoteAckEntry = 16 {
        instrument_id: U32, bid_status: u8, ask_status: u8, bid_code: U16, ask_code: U16, pad_a: U16, pad_b: U32,
    }
}

/// Templates from here on take a place in the session's output stream (rule 1.5), save what 12.4 and 12.5 say.
pub const FIRST_NUMBERED_TEMPLATE: u16 = 100;

values! {
    /// OrdStatus on the wire.
    status: u8 {
        NEW = 1,
        PARTIALLY_FILLED = 2,
        FILLED = 3,
        CANCELED = 4,
        REJECTED = 5,
        TRIGGERED = 7,
        SUSPENDED = 8,
    }

    /// CancelReason on the wire.
    reason: u8 {
        BY_USER = 1,
        MASS_CANCEL = 2,
        STP = 3,
        MMP = 4,
        EXPIRED = 7,
        IOC = 8,
        FOK = 9,
        REDUCE_ONLY = 11,
        INSTRUMENT_EXPIRED = 15,
    }

    /// `OrderModified::priority_kept` on the wire.
    priority: u8 {
        KEPT = 1,
        LOST = 2,
    }

    /// Liquidity on the wire.
    liquidity: u8 {
        MAKER = 1,
        TAKER = 2,
        AUCTION = 3,
    }

    /// MmpReason on the wire.
    mmp_reason: u8 {
        QTY = 1,
        DELTA = 2,
        VEGA = 3,
        COUNT = 4,
    }

    /// Which side of an auction has more than the other.
    imbalance: u8 {
        BUY = 1,
        SELL = 2,
        NONE = 3,
    }
}

/// Who listens to the engine: the log ring in production, a comparison in a replay, a list in a test.
pub trait EventSink {
    /// `payload` is `| Route | Header | block |`; `sub` counts the events of one command from 1.
    fn event(&mut self, sub: u32, payload: &[u8]);
}
