//! Every message of the market data as a block, save `AuctionIndicative`, which the engine says itself. All are of schema
//! 7702; what they mean stands in `MARKET-DATA.md`.

use engine::message::{blocks, rows};
use zerocopy::little_endian::{I32, I64, U16, U32, U64};

blocks! {
    /// The terms of one instrument, and of a combo its legs.
    InstrumentDefinition = 400, 156 {
        exec_id: U64, match_time: U64, instrument_id: U32, underlying_id: U32, symbol: [u8; 32], base_ccy: [u8; 16],
        settle_ccy: [u8; 16], tick_size: I64, lot_size: I64, contract_size: I64, strike: I64, expiry: U64, min_qty: I64,
        max_qty: I64, max_price_band_bps: U32, kind: u8, state: u8, inverse: u8, pad_a: u8, leg_count: U32,
    } => LegEntry

    /// Of one instrument, or with `instrument_id` 0 of the whole venue, then with the code of the reason. `effective_at` is the
    /// end of an auction.
    TradingStatus = 401, 32 {
        exec_id: U64, match_time: U64, instrument_id: U32, state: u8, pad_a: u8, code: U16, effective_at: U64,
    }

    MarketStats = 402, 88 {
        exec_id: U64, match_time: U64, instrument_id: U32, pad_a: U32, mark: I64, index: I64, funding_rate: I64,
        next_funding: U64, open_interest: I64, band_low: I64, band_high: I64, implied_vol: I64,
    }

    /// The best price of both sides: level 1.
    Bbo = 410, 56 {
        exec_id: U64, match_time: U64, instrument_id: U32, bid_orders: U16, ask_orders: U16, bid_px: I64, bid_qty: I64,
        ask_px: I64, ask_qty: I64,
    }

    /// What changed of the levels: level 2. `prev_exec_id` is that of the update before.
    LevelUpdate = 411, 36 {
        exec_id: U64, match_time: U64, instrument_id: U32, pad_a: U32, prev_exec_id: U64, pad_b: U32,
    } => LevelEntry

    /// An order that rests: level 3. Orders of one price trade by `priority`, the lower one first.
    OrderAdd = 420, 56 {
        exec_id: U64, match_time: U64, instrument_id: U32, side: u8, pad_a: u8, pad_b: U16, md_order_id: U64, priority: U64,
        px: I64, qty: I64,
    }

    /// Its quantity shrank and its place is the same.
    OrderReduce = 421, 40 {
        exec_id: U64, match_time: U64, instrument_id: U32, side: u8, pad_a: u8, pad_b: U16, md_order_id: U64, new_qty: I64,
    }

    OrderDelete = 422, 32 {
        exec_id: U64, match_time: U64, instrument_id: U32, side: u8, pad_a: u8, pad_b: U16, md_order_id: U64,
    }

    OrderExecute = 423, 64 {
        exec_id: U64, match_time: U64, instrument_id: U32, side: u8, pad_a: u8, pad_b: U16, md_order_id: U64, match_id: U64,
        qty: I64, leaves_qty: I64, px: I64,
    }

    /// What one aggressor traded at one price, with so many resting orders.
    TradeSummary = 424, 56 {
        exec_id: U64, match_time: U64, instrument_id: U32, aggressor: u8, liquidation: u8, pad_a: U16, trade_id: U64, px: I64,
        qty: I64, resting: U32, pad_b: U32,
    }

    BookClear = 425, 24 {
        exec_id: U64, match_time: U64, instrument_id: U32, reason: u8, pad_a: u8, pad_b: U16,
    }

    SnapshotBegin = 430, 32 {
        last_seq: U64, match_time: U64, instrument_id: U32, orders: U32, levels: U32, state: u8, pad_a: u8, pad_b: U16,
    }

    /// Resting orders of one side, in the order in which they trade.
    SnapshotOrders = 431, 20 {
        last_seq: U64, instrument_id: U32, first_index: U32, side: u8, pad_a: u8, pad_b: U16,
    } => OrderEntry

    SnapshotEnd = 432, 24 { last_seq: U64, book_hash: U64, instrument_id: U32, pad_a: U32 }

    MdRetransmitRequest = 450, 24 { request_id: U64, from_seq: U64, channel_id: U32, count: U32 }

    MdRetransmitReject = 451, 32 {
        request_id: U64, oldest_seq: U64, retry_after_ns: U64, channel_id: U32, code: U16, pad_a: U16,
    }

    /// What a connection wants to hear of an instrument, or with 0 of all; `level` None ends it.
    MdSubscribe = 452, 16 { request_id: U64, instrument_id: U32, level: u8, pad_a: u8, pad_b: U16 }

    /// The answer; with `code` 0 the present state follows, then what changes it.
    MdSubscribed = 453, 32 {
        request_id: U64, engine_epoch: U64, next_seq: U64, instrument_id: U32, code: U16, level: u8, pad_a: u8,
    }

    /// `oldest_seq` is the first that can be asked for again.
    MdHeartbeat = 454, 32 { next_seq: U64, oldest_seq: U64, engine_epoch: U64, channel_id: U32, pad_a: U32 }

    /// The last frame of a connection: why it is closed.
    MdClose = 455, 40 { code: U16, pad_a: U16, pad_b: U32, text: [u8; 32] }
}

rows! {
    /// A leg of a combo: so many lots for each of the combo's, the other way where negative.
    LegEntry = 16 { leg_instrument_id: U32, ratio: I32, pad_a: U64 }

    LevelEntry = 24 { px: I64, qty: I64, orders: U32, side: u8, action: u8, depth: U16 }

    OrderEntry = 32 { md_order_id: U64, priority: U64, px: I64, qty: I64 }
}

/// What happened to a level, as LevelAction on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LevelAction {
    New = 1,
    Change = 2,
    Delete = 3,
}

impl LevelAction {
    pub fn from_wire(value: u8) -> Option<LevelAction> {
        [LevelAction::New, LevelAction::Change, LevelAction::Delete]
            .into_iter()
            .find(|action| *action as u8 == value)
    }
}

/// How much of the book a connection hears, as MdLevel on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum MdLevel {
    /// The best prices.
    Best = 1,
    /// Every price.
    Levels = 2,
    /// Every order.
    Orders = 3,
    /// Nothing.
    None = 4,
}

impl MdLevel {
    pub fn from_wire(value: u8) -> Option<MdLevel> {
        [MdLevel::Best, MdLevel::Levels, MdLevel::Orders, MdLevel::None]
            .into_iter()
            .find(|level| *level as u8 == value)
    }
}
