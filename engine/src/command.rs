//! The language that the engine hears: every command as a block, and `Command`, the one place where bytes become a
//! command. Layouts of templates 3-115 are those of the public schema; 300-349 are privileged, 330 to 333 are written
//! by the venue's own stages and never accepted from a socket.

use zerocopy::little_endian::{I32, I64, U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

use crate::layout::values;
use crate::message::{Header, Message, blocks, group, rows, split};

pub type Char16 = [u8; 16];
pub type Char32 = [u8; 32];

blocks! {
    /// A verified logon. The signature is kept: the journal shows who proved what.
    Logon = 3, 112 {
        session_id: U64, key_id: U64, next_client_seq: U64, next_server_seq: U64,
        keep_alive_ms: U32, schema_version: U16, cod_mode: u8, pad_a: u8, cod_grace_ms: U32, pad_b: U32,
        signature: [U64; 8],
    }

    NewOrder = 100, 64 {
        cl_ord_id: U64, price: I64, qty: I64, display_qty: I64, expire_time: U64,
        instrument_id: U32, account_id: U32, stp_group: U32, max_delay_us: U32,
        side: u8, ord_type: u8, tif: u8, stp_mode: u8, flags: U16, mmp_group: U16,
    }

    /// Rests armed until its trigger fires. `condition` 1 stop, 2 take-profit; `trigger_type` 1 mark, 2 index, 3 last.
    NewTriggerOrder = 101, 88 {
        cl_ord_id: U64, price: I64, qty: I64, display_qty: I64, expire_time: U64,
        instrument_id: U32, account_id: U32, stp_group: U32, max_delay_us: U32,
        side: u8, ord_type: u8, tif: u8, stp_mode: u8, flags: U16, mmp_group: U16,
        trigger_price: I64, trail_offset: I64, oco_group: U32, trigger_type: u8, condition: u8, pad_a: U16,
    }

    /// `qty` is the total; null fields stay as they are. Exactly one of `orig_cl_ord_id` and `order_id` is not zero.
    ModifyOrder = 110, 64 {
        cl_ord_id: U64, orig_cl_ord_id: U64, order_id: U64, price: I64, qty: I64, display_qty: I64,
        instrument_id: U32, max_delay_us: U32, flags: U16, pad_a: U16, account_id: U32,
    }

    /// Exactly one of `orig_cl_ord_id` and `order_id` is not zero.
    CancelOrder = 111, 32 {
        cl_ord_id: U64, orig_cl_ord_id: U64, order_id: U64, instrument_id: U32, account_id: U32,
    }

    MassCancel = 112, 32 {
        cl_ord_id: U64, account_id: U32, instrument_id: U32, underlying_id: U32, mmp_group: U16,
        scope: u8, side: u8, block_new: u8, kind: u8, pad_a: U16, pad_b: U32,
    }

    /// The head of a mass quote; a `GroupSize` and that many `QuoteEntry` follow.
    MassQuote = 113, 28 {
        quote_id: U64, account_id: U32, stp_group: U32, max_delay_us: U32, mmp_group: U16, stp_mode: u8, pad_a: u8,
        flags: U16, pad_b: U16,
    } => QuoteEntry

    /// The terms of one market-maker protection group; with `reset` 1 only its freeze ends.
    MmpConfig = 114, 56 {
        cl_ord_id: U64, account_id: U32, mmp_group: U16, reset: u8, pad_a: u8, window_ms: U32, frozen_ms: U32,
        qty_limit: I64, delta_limit: I64, vega_limit: I64, count_limit: U32, pad_b: U32,
    }

    /// `instrument_id` 0 asks for the orders of all instruments.
    OpenOrdersRequest = 115, 16 { cl_ord_id: U64, account_id: U32, instrument_id: U32 }

    /// Asks to be told again what the account was told, from one execution id to another; `cl_ord_id` 0 asks for everything.
    ExecHistoryRequest = 116, 32 { cl_ord_id: U64, from_exec_id: U64, to_exec_id: U64, account_id: U32, max_count: U32 }

    /// The mark price of one instrument, from an oracle.
    MarkPrice = 300, 16 { price: I64, instrument_id: U32, pad_a: U32 }

    /// The index price that triggers may follow, from an oracle.
    IndexPrice = 301, 16 { price: I64, instrument_id: U32, pad_a: U32 }

    /// What one lot moves: `delta` in millionths of a lot of the underlying, `vega` in millionths, from the risk model.
    Sensitivity = 302, 24 { delta: I64, vega: I64, instrument_id: U32, pad_a: U32 }

    /// Collateral that arrived; `reference` is the sender's own number for it.
    Deposit = 310, 24 { reference: U64, amount: I64, account_id: U32, pad_a: U32 }

    /// The first command of every journal: the venue's name and its capacities.
    VenueOpen = 320, 80 {
        venue_id: U64, engine_epoch: U64, hash_key: [U64; 2],
        accounts_max: U32, instruments_max: U32, sessions_max: U32, orders_max: U32,
        levels_max: U32, positions_max: U32, orders_per_account_max: U32, matches_per_command_max: U32,
        closed_ids_max: U32, mmp_groups_max: U32, special_orders_max: U32, special_orders_per_account_max: U32,
    }

    /// `kind` as InstrKind; money in 1e-6, prices and sizes in 1e-9.
    InstrumentCreate = 321, 112 {
        symbol: Char32, tick_size: I64, lot_size: I64, contract_size: I64, mark: I64, qty_max: I64,
        instrument_id: U32, underlying_id: U32, initial_margin_ppm: U32, maker_fee_ppm: U32, taker_fee_ppm: U32,
        kind: u8, pad_a: u8, pad_b: U16, price_band_ppm: U32, pad_c: U32, pad_d: U64,
    }

    /// `owner` 0 is nobody.
    AccountCreate = 322, 24 { name: Char16, account_id: U32, owner: U32 }

    /// `rising_ids` 1: client ids of its orders only rise.
    SessionCreate = 323, 16 { session_id: U64, account_id: U32, role: u8, rising_ids: u8, pad_a: U16 }

    /// The trading state of one instrument; `until` is the end of an auction, 0 for none.
    InstrumentState = 324, 16 { instrument_id: U32, state: u8, pad_a: u8, pad_b: U16, until: U64 }

    /// An instrument of two to four legs, all of which trade at once.
    ComboCreate = 325, 80 {
        symbol: Char32, leg_instruments: [U32; 4], leg_ratios: [I32; 4], qty_max: I64, instrument_id: U32, price_band_ppm: U32,
    }

    /// A frame that took its place in the client's sequence but could not be read.
    Refused = 330, 8 { code: U16, ref_template_id: U16, ref_field_id: U16, pad_a: U16 }

    /// What stopped at the cap on steps goes on: a taker, or with 0 what has no order of its own.
    Continue = 331, 8 { order_id: U64 }

    /// Time has reached the deadline.
    Tick = 332, 8 { pad_a: U64 }

    /// The trading state of the whole venue: Open 4, CancelOnly 5 or Halted 6, the last two with the code of the reason.
    VenueState = 333, 8 { state: u8, pad_a: u8, code: U16, pad_b: U32 }
}

rows! {
    /// One instrument of a mass quote: both sides, a quantity of 0 being none.
    QuoteEntry = 40 { instrument_id: U32, pad_a: U32, bid_px: I64, bid_qty: I64, ask_px: I64, ask_qty: I64 }
}

values! {
    /// OrdType on the wire; the last two are a trigger order's.
    ord_type: u8 {
        LIMIT = 1,
        MARKET = 2,
        MARKET_TO_LIMIT = 3,
        STOP_LIMIT = 4,
        STOP_MARKET = 5,
    }

    /// OrderFlags on the wire.
    order_flags: u16 {
        POST_ONLY = 1 << 0,
        POST_ONLY_SLIDE = 1 << 1,
        REDUCE_ONLY = 1 << 2,
        MMP = 1 << 3,
    }

    /// SideOrBoth on the wire.
    side_or_both: u8 {
        BUY = 1,
        SELL = 2,
        BOTH = 3,
    }

    /// InstrKind on the wire.
    instr_kind: u8 {
        PERPETUAL = 1,
        FUTURE = 2,
        FUTURE_COMBO = 5,
    }

    /// CodMode on the wire.
    cod_mode: u8 {
        OFF = 1,
    }
}

impl NewTriggerOrder {
    /// Fields 1 to 16, which are those of a `NewOrder`.
    pub fn order(&self) -> &NewOrder {
        NewOrder::ref_from_prefix(self.as_bytes()).expect("a trigger order is longer").0
    }
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Trade = 1,
    ReadOnly = 2,
    CancelOnly = 3,
    Oracle = 4,
    RiskModel = 5,
    Bridge = 6,
    Admin = 7,
}

impl Role {
    pub fn from_wire(value: u8) -> Option<Role> {
        [
            Role::Trade,
            Role::ReadOnly,
            Role::CancelOnly,
            Role::Oracle,
            Role::RiskModel,
            Role::Bridge,
            Role::Admin,
        ]
        .into_iter()
        .find(|role| *role as u8 == value)
    }
}

/// A mass quote, head and entries.
#[derive(Clone, Copy, Debug)]
pub struct Quotes<'a> {
    pub head: &'a MassQuote,
    pub entries: &'a [QuoteEntry],
}

impl<'a> Quotes<'a> {
    pub fn read(message: &'a [u8]) -> Option<Quotes<'a>> {
        group(message).map(|(head, entries)| Quotes { head, entries })
    }
}

/// A command whose bytes are known to have the shape of its template.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    Logon(&'a Logon),
    NewOrder(&'a NewOrder),
    NewTriggerOrder(&'a NewTriggerOrder),
    ModifyOrder(&'a ModifyOrder),
    CancelOrder(&'a CancelOrder),
    MassCancel(&'a MassCancel),
    MassQuote(Quotes<'a>),
    MmpConfig(&'a MmpConfig),
    OpenOrdersRequest(&'a OpenOrdersRequest),
    ExecHistoryRequest(&'a ExecHistoryRequest),
    MarkPrice(&'a MarkPrice),
    Sensitivity(&'a Sensitivity),
    IndexPrice(&'a IndexPrice),
    Deposit(&'a Deposit),
    VenueOpen(&'a VenueOpen),
    InstrumentCreate(&'a InstrumentCreate),
    AccountCreate(&'a AccountCreate),
    SessionCreate(&'a SessionCreate),
    InstrumentState(&'a InstrumentState),
    ComboCreate(&'a ComboCreate),
    Refused(&'a Refused),
    Continue(&'a Continue),
    Tick(&'a Tick),
    VenueState(&'a VenueState),
}

impl<'a> Command<'a> {
    /// `None` for an unknown template or a block that has not its template's length.
    pub fn read(message: &'a [u8]) -> Option<Command<'a>> {
        fn body<M: Message>(block: &[u8]) -> Option<&M> {
            M::ref_from_bytes(block).ok()
        }
        if template_of(message) == MassQuote::TEMPLATE {
            return Quotes::read(message).map(Command::MassQuote);
        }
        let (header, block) = split(message)?;
        Some(match header.template_id.get() {
            Logon::TEMPLATE => Command::Logon(body(block)?),
            NewOrder::TEMPLATE => Command::NewOrder(body(block)?),
            NewTriggerOrder::TEMPLATE => Command::NewTriggerOrder(body(block)?),
            ModifyOrder::TEMPLATE => Command::ModifyOrder(body(block)?),
            CancelOrder::TEMPLATE => Command::CancelOrder(body(block)?),
            MassCancel::TEMPLATE => Command::MassCancel(body(block)?),
            MmpConfig::TEMPLATE => Command::MmpConfig(body(block)?),
            OpenOrdersRequest::TEMPLATE => Command::OpenOrdersRequest(body(block)?),
            ExecHistoryRequest::TEMPLATE => Command::ExecHistoryRequest(body(block)?),
            MarkPrice::TEMPLATE => Command::MarkPrice(body(block)?),
            Sensitivity::TEMPLATE => Command::Sensitivity(body(block)?),
            IndexPrice::TEMPLATE => Command::IndexPrice(body(block)?),
            Deposit::TEMPLATE => Command::Deposit(body(block)?),
            VenueOpen::TEMPLATE => Command::VenueOpen(body(block)?),
            InstrumentCreate::TEMPLATE => Command::InstrumentCreate(body(block)?),
            AccountCreate::TEMPLATE => Command::AccountCreate(body(block)?),
            SessionCreate::TEMPLATE => Command::SessionCreate(body(block)?),
            InstrumentState::TEMPLATE => Command::InstrumentState(body(block)?),
            ComboCreate::TEMPLATE => Command::ComboCreate(body(block)?),
            Refused::TEMPLATE => Command::Refused(body(block)?),
            Continue::TEMPLATE => Command::Continue(body(block)?),
            Tick::TEMPLATE => Command::Tick(body(block)?),
            VenueState::TEMPLATE => Command::VenueState(body(block)?),
            _ => return None,
        })
    }
}

/// The template that a message names; 0 when it is too short to name one.
pub fn template_of(message: &[u8]) -> u16 {
    Header::ref_from_prefix(message).map_or(0, |(header, _)| header.template_id.get())
}

/// Is this the template of a command?
pub fn is_command(template_id: u16) -> bool {
    matches!(
        template_id,
        Logon::TEMPLATE
            | NewOrder::TEMPLATE
            | NewTriggerOrder::TEMPLATE
            | ModifyOrder::TEMPLATE
            | CancelOrder::TEMPLATE
            | MassCancel::TEMPLATE
            | MassQuote::TEMPLATE
            | MmpConfig::TEMPLATE
            | OpenOrdersRequest::TEMPLATE
            | ExecHistoryRequest::TEMPLATE
            | MarkPrice::TEMPLATE
            | Sensitivity::TEMPLATE
            | IndexPrice::TEMPLATE
            | Deposit::TEMPLATE
            | VenueOpen::TEMPLATE
            | InstrumentCreate::TEMPLATE
            | AccountCreate::TEMPLATE
            | SessionCreate::TEMPLATE
            | InstrumentState::TEMPLATE
            | ComboCreate::TEMPLATE
            | Refused::TEMPLATE
            | Continue::TEMPLATE
            | Tick::TEMPLATE
            | VenueState::TEMPLATE
    )
}

/// The block length of a template that a session may send, `None` for all others. The gateway asks this at the door. A
/// group that follows the block is not in it.
pub fn session_block_bytes(template_id: u16) -> Option<usize> {
    match template_id {
        NewOrder::TEMPLATE => Some(size_of::<NewOrder>()),
        NewTriggerOrder::TEMPLATE => Some(size_of::<NewTriggerOrder>()),
        ModifyOrder::TEMPLATE => Some(size_of::<ModifyOrder>()),
        CancelOrder::TEMPLATE => Some(size_of::<CancelOrder>()),
        MassCancel::TEMPLATE => Some(size_of::<MassCancel>()),
        MassQuote::TEMPLATE => Some(size_of::<MassQuote>()),
        MmpConfig::TEMPLATE => Some(size_of::<MmpConfig>()),
        OpenOrdersRequest::TEMPLATE => Some(size_of::<OpenOrdersRequest>()),
        ExecHistoryRequest::TEMPLATE => Some(size_of::<ExecHistoryRequest>()),
        MarkPrice::TEMPLATE => Some(size_of::<MarkPrice>()),
        Sensitivity::TEMPLATE => Some(size_of::<Sensitivity>()),
        IndexPrice::TEMPLATE => Some(size_of::<IndexPrice>()),
        Deposit::TEMPLATE => Some(size_of::<Deposit>()),
        InstrumentState::TEMPLATE => Some(size_of::<InstrumentState>()),
        _ => None,
    }
}
