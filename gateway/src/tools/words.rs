//! The names of what is a number on the wire, as the protocol's page lists them.

use engine::reject::Reject;

type Names = &'static [(u64, &'static str)];

const SIDE: Names = &[(1, "Buy"), (2, "Sell")];
const ORD_TYPE: Names =
    &[(1, "Limit"), (2, "Market"), (3, "MarketToLimit"), (4, "StopLimit"), (5, "StopMarket")];
const TIF: Names = &[(1, "Day"), (2, "Gtc"), (3, "Ioc"), (4, "Fok"), (5, "Gtd")];
const STP_MODE: Names =
    &[(1, "None"), (2, "CancelTaker"), (3, "CancelMaker"), (4, "CancelBoth"), (5, "DecrementBoth")];
const STATUS: Names = &[
    (1, "New"),
    (2, "PartiallyFilled"),
    (3, "Filled"),
    (4, "Canceled"),
    (5, "Rejected"),
    (7, "Triggered"),
    (8, "Suspended"),
];
const LIQUIDITY: Names = &[(1, "Maker"), (2, "Taker"), (3, "Auction")];
const CANCEL_REASON: Names = &[
    (1, "ByUser"),
    (2, "MassCancel"),
    (3, "Stp"),
    (4, "Mmp"),
    (7, "Expired"),
    (8, "Ioc"),
    (9, "Fok"),
    (11, "ReduceOnly"),
    (15, "InstrumentExpired"),
];
const MMP_REASON: Names = &[(1, "Qty"), (2, "Delta"), (3, "Vega"), (4, "Count")];
const TRIGGER_TYPE: Names = &[(1, "Mark"), (2, "Index"), (3, "Last")];
const CONDITION: Names = &[(1, "Stop"), (2, "TakeProfit")];
const TRADING_STATE: Names =
    &[(3, "Auction"), (4, "Open"), (5, "CancelOnly"), (6, "Halted"), (7, "Settlement"), (8, "Expired")];
const ROLE: Names = &[
    (1, "Trade"),
    (2, "ReadOnly"),
    (3, "CancelOnly"),
    (4, "Oracle"),
    (5, "RiskModel"),
    (6, "Bridge"),
    (7, "Admin"),
];

/// Who waited, who came.
pub fn liquidity(value: u8) -> &'static str {
    LIQUIDITY.iter().find(|(number, _)| *number == u64::from(value)).map_or("", |(_, name)| name)
}

/// What `value` of the field is called in this message.
pub fn of(message: &str, field: &str, value: u64) -> Option<String> {
    if matches!(field, "code" | "bid_code" | "ask_code") {
        let code = u16::try_from(value).ok().and_then(Reject::from_code)?;
        return Some(format!("{code:?}"));
    }
    let names = match (message, field) {
        (_, "side") => SIDE,
        (_, "ord_type") => ORD_TYPE,
        (_, "tif") => TIF,
        (_, "stp_mode") => STP_MODE,
        (_, "status" | "bid_status" | "ask_status") => STATUS,
        (_, "liquidity") => LIQUIDITY,
        ("MmpTriggered", "reason") => MMP_REASON,
        (_, "reason") => CANCEL_REASON,
        (_, "trigger_type") => TRIGGER_TYPE,
        (_, "condition") => CONDITION,
        ("InstrumentState", "state") => TRADING_STATE,
        ("SessionCreate", "role") => ROLE,
        (_, "ref_template_id") => {
            let template = u16::try_from(value).ok()?;
            return engine::replay::template_name(template).map(str::to_owned);
        }
        _ => return None,
    };
    names.iter().find(|(number, _)| *number == value).map(|(_, name)| (*name).to_owned())
}
