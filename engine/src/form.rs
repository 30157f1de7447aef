//! What a request says by itself: the forms of a new order (rules 4.4 to 4.7) and of a trigger order (8.30), and the parts of it that an amend shares.
//! Knows the terms of the instrument and nothing of its book or of anybody's account.

use crate::command::ord_type::{LIMIT, MARKET, MARKET_TO_LIMIT, STOP_LIMIT, STOP_MARKET};
use crate::command::{NewOrder, NewTriggerOrder, order_flags};
use crate::expiry::{EXPIRE_NS_END, day_end};
use crate::instrument::Instrument;
use crate::limits::ICEBERG_PARTS_MAX;
use crate::message::{NULL_I64, NULL_U64};
use crate::order::{Terms, Tif};
use crate::refusal::{Refusal, must, refused};
use crate::reject::Reject;
use crate::self_trade::{Stp, StpMode};
use crate::trigger::{Condition, Trigger, TriggerType};
use crate::units::{Lots, Side, Ticks};

/// OrdType on the wire, with the price that only a limit order has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrdType {
    Limit(Ticks),
    Market,
    MarketToLimit,
}

/// What becomes of an order that would meet the other side (rule 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    Takes,
    IsRefused,
    Slides,
}

const FIELD_DISPLAY: u16 = 4;

impl Crossing {
    /// `None` for any other bit, and for both.
    pub fn from_flags(flags: u16) -> Option<Crossing> {
        match flags {
            0 => Some(Crossing::Takes),
            order_flags::POST_ONLY => Some(Crossing::IsRefused),
            order_flags::POST_ONLY_SLIDE => Some(Crossing::Slides),
            _ => None,
        }
    }

    pub fn flags(self) -> u16 {
        match self {
            Crossing::Takes => 0,
            Crossing::IsRefused => order_flags::POST_ONLY,
            Crossing::Slides => order_flags::POST_ONLY_SLIDE,
        }
    }
}

#[derive(Clone, Copy)]
pub struct Form {
    pub side: Side,
    pub ord_type: OrdType,
    pub tif: Tif,
    /// When it ends; `NULL_U64` never.
    pub expire_ns: u64,
    /// Most that an iceberg shows; 0: it is none.
    pub display: u32,
    pub is_reduce_only: bool,
    pub lots: Lots,
    pub stp: Stp,
    pub crossing: Crossing,
    /// 0 is none.
    pub mmp_group: u16,
    /// `None` for an order that enters the market at once.
    pub trigger: Option<Trigger>,
    /// Rule 8.40, but for a trigger.
    pub is_special: bool,
}

impl Form {
    /// Is it an order that need not meet anybody now (rule 10.2)?
    pub fn can_wait(&self) -> bool {
        let has_price = matches!(self.ord_type, OrdType::Limit(_));
        has_price && self.tif.rests() && self.crossing == Crossing::Takes
    }

    /// What may be special about the order; its group is the venue's to find.
    pub fn terms(&self) -> Terms {
        Terms { expire_ns: self.expire_ns, display: self.display, ..Terms::PLAIN }
    }
}

/// Rules 4.4 to 4.7, for a trigger order as 8.30 changes them: `request` is then its first part.
pub fn read(
    instrument: &Instrument,
    ts_ns: u64,
    request: &NewOrder,
    waiting: Option<&NewTriggerOrder>,
) -> Result<Form, Refusal> {
    let side = Side::from_wire(request.side).ok_or(refused(Reject::InvalidSide, 10))?;
    let kind = kind_of(request.ord_type, waiting.is_some());
    let kind = kind.filter(|kind| !instrument.is_combo || *kind == LIMIT && waiting.is_none());
    let kind = kind.ok_or(refused(Reject::InvalidOrdType, 11))?;
    let tif = Tif::from_wire(request.tif).ok_or(refused(Reject::InvalidTif, 12))?;
    let combination = |field| refused(Reject::InvalidCombination, field);
    must(request.cl_ord_id.get() != 0, combination(1))?;
    let mode = StpMode::from_wire(request.stp_mode).ok_or(combination(13))?;
    let flags = request.flags.get();
    let (is_reduce_only, is_member) = (flags & order_flags::REDUCE_ONLY != 0, flags & order_flags::MMP != 0);
    let crossing =
        Crossing::from_flags(flags & !order_flags::REDUCE_ONLY & !order_flags::MMP).ok_or(combination(14))?;
    must(!(is_reduce_only && instrument.is_combo), combination(14))?;
    must(!is_member || request.ord_type == LIMIT && tif.rests(), combination(14))?;
    must((request.mmp_group.get() != 0) == is_member, combination(15))?;
    must(suits(kind, tif, crossing), combination(12))?;
    let watched = waiting.map(read_watched).transpose()?;
    let ord_type = read_type(instrument, kind, request.price.get())?;
    let trigger = watched.map(|watched| read_trigger(instrument, watched)).transpose()?;
    let lots = read_qty(instrument, request.qty.get(), 3)?;
    let display = match request.display_qty.get() {
        NULL_I64 => 0,
        display => {
            let rests = kind == LIMIT && tif.rests();
            must(rests, refused(Reject::DisplayQtyInvalid, FIELD_DISPLAY))?;
            read_display(lots, display, FIELD_DISPLAY)?
        }
    };
    let expire_ns = read_expiry(tif, ts_ns, request.expire_time.get())?;
    let reduces_at_rest = is_reduce_only && tif.rests();
    Ok(Form {
        side,
        ord_type,
        tif,
        expire_ns,
        display,
        is_reduce_only,
        lots,
        stp: Stp { mode, group: request.stp_group.get() },
        crossing,
        mmp_group: request.mmp_group.get(),
        trigger,
        is_special: expire_ns != NULL_U64 || display != 0 || is_member || reduces_at_rest,
    })
}

/// What an order is once nothing holds it back: the type of a new order, or of one that fired.
fn kind_of(ord_type: u8, is_trigger: bool) -> Option<u8> {
    match (ord_type, is_trigger) {
        (LIMIT..=MARKET_TO_LIMIT, false) => Some(ord_type),
        (STOP_LIMIT, true) => Some(LIMIT),
        (STOP_MARKET, true) => Some(MARKET),
        _ => None,
    }
}

/// What a trigger order follows, and to which price, as it was sent.
type Watched = (TriggerType, Condition, i64);

/// What rule 8.30 adds to 4.4.
fn read_watched(request: &NewTriggerOrder) -> Result<Watched, Refusal> {
    let combination = |field| refused(Reject::InvalidCombination, field);
    must(request.trail_offset.get() == NULL_I64, combination(18))?;
    must(request.oco_group.get() == 0, combination(19))?;
    let trigger_type = TriggerType::from_wire(request.trigger_type).ok_or(combination(20))?;
    let condition = Condition::from_wire(request.condition).ok_or(combination(21))?;
    Ok((trigger_type, condition, request.trigger_price.get()))
}

/// What rule 8.30 adds to 4.5.
fn read_trigger(
    instrument: &Instrument,
    (trigger_type, condition, price): Watched,
) -> Result<Trigger, Refusal> {
    must(price != NULL_I64, refused(Reject::PriceRequired, 17))?;
    Ok(Trigger { trigger_type, condition, ticks: read_price(instrument, price, 17)? })
}

/// The end of rule 4.4.
fn suits(ord_type: u8, tif: Tif, crossing: Crossing) -> bool {
    let posts = crossing != Crossing::Takes;
    match ord_type {
        MARKET => !tif.rests() && !posts,
        MARKET_TO_LIMIT => tif.rests() && !posts,
        _ => tif.rests() || !posts,
    }
}

/// Rule 8.1: when an order that is entered at `ts_ns` ends.
fn read_expiry(tif: Tif, ts_ns: u64, expire_time: u64) -> Result<u64, Refusal> {
    let invalid = refused(Reject::ExpireTimeInvalid, 5);
    if tif == Tif::Gtd {
        must(expire_time > ts_ns && expire_time < EXPIRE_NS_END, invalid)?;
        return Ok(expire_time);
    }
    must(expire_time == NULL_U64, invalid)?;
    Ok(if tif == Tif::Day { day_end(ts_ns) } else { NULL_U64 })
}

/// Rule 4.5.
fn read_type(instrument: &Instrument, ord_type: u8, price: i64) -> Result<OrdType, Refusal> {
    if ord_type == LIMIT {
        must(price != NULL_I64, refused(Reject::PriceRequired, 2))?;
        return read_price(instrument, price, 2).map(OrdType::Limit);
    }
    must(price == NULL_I64, refused(Reject::PriceForbidden, 2))?;
    Ok(if ord_type == MARKET { OrdType::Market } else { OrdType::MarketToLimit })
}

/// Rule 4.5 for a price that is there.
pub fn read_price(instrument: &Instrument, price: i64, field: u16) -> Result<Ticks, Refusal> {
    instrument.order_ticks(price).map_err(|_| refused(Reject::PriceNotOnTick, field))
}

/// Rule 4.6.
pub fn read_qty(instrument: &Instrument, qty: i64, field: u16) -> Result<Lots, Refusal> {
    must(qty > 0, refused(Reject::QtyNotPositive, field))?;
    let qty_max = instrument.qty_max.0;
    must(qty <= qty_max, refused(Reject::QtyTooLarge, field).with_detail(qty_max))?;
    Ok(Lots(qty))
}

/// Rule 8.10: an order that shows little of itself makes whoever meets it take many steps.
pub fn shows_enough(lots: Lots, display: i64) -> bool {
    display * ICEBERG_PARTS_MAX >= lots.0
}

/// Rules 8.10 and 8.13 for a display that is there, of an order of `lots`.
pub fn read_display(lots: Lots, display: i64, field: u16) -> Result<u32, Refusal> {
    let within = (1..=lots.0).contains(&display) && shows_enough(lots, display);
    must(within, refused(Reject::DisplayQtyInvalid, field))?;
    Ok(display as u32)
}

/// How far a sender's clock may be ahead of the venue's (rule 4.9).
const CLOCK_AHEAD_NS_MAX: u64 = 1_000_000_000;

/// Rule 4.9. Sums in 128 bits: the sender's clock may say anything.
pub fn check_age(ts_ns: u64, sent_ns: u64, max_delay_us: u32, field: u16) -> Result<(), Refusal> {
    if max_delay_us == 0 {
        return Ok(());
    }
    let stale = refused(Reject::StaleRequest, field);
    let late_ns = i128::from(ts_ns) - i128::from(sent_ns) - 1_000 * i128::from(max_delay_us);
    must(late_ns <= 0, stale.with_detail(i64::try_from(late_ns).unwrap_or(i64::MAX)))?;
    must(sent_ns.saturating_sub(ts_ns) <= CLOCK_AHEAD_NS_MAX, stale)
}
