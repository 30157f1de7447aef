//! What the code declares, gathered: the layouts of all messages, and what the values of every enumeration and set are
//! called. A schema is held against this.

use engine::command::{Role, cod_mode, instr_kind, ord_type, order_flags, side_or_both};
use engine::event::{imbalance, liquidity, mmp_reason, priority, reason, status};
use engine::layout::Layout;
use engine::message::{FIRST_PUBLIC_TEMPLATE, SCHEMA_MARKET_DATA};
use engine::units::Side;
use engine::{Condition, Scope, StpMode, Tif, TradingState, TriggerType};

use super::document::{camel, pascal};
use crate::market;
use crate::market::message::{LevelAction, MdLevel};
use crate::release::SyncMode;

/// The layouts of one schema, by template.
pub fn layouts(schema_id: u16) -> Vec<&'static Layout> {
    let is_public = schema_id == SCHEMA_MARKET_DATA;
    let all = engine::layout::all().chain(crate::message::LAYOUTS).chain(market::message::LAYOUTS);
    let mut layouts: Vec<_> =
        all.filter(|layout| (layout.template >= FIRST_PUBLIC_TEMPLATE) == is_public).collect();
    layouts.sort_by_key(|layout| layout.template);
    layouts
}

/// The fields that `ref_field_id` numbers otherwise than by their place (rule 8.30): from which place on, and by how much.
pub const FIELD_IDS_SHIFTED: [(&str, usize, u16); 1] = [("NewTriggerOrder", 15, 1)];

/// An enumeration of the code by its name in a schema; bits by their places.
pub struct Values {
    pub name: &'static str,
    /// Where it is declared.
    pub home: &'static str,
    pub is_set: bool,
    pub values: Vec<(String, u64)>,
}

/// Every enumeration and set that a field of a schema may have.
pub fn values() -> Vec<Values> {
    const COMMAND: &str = "engine/src/command.rs";
    const EVENT: &str = "engine/src/event.rs";
    vec![
        probed("Side", "engine/src/units.rs", Side::from_wire),
        listed("SideOrBoth", COMMAND, side_or_both::ALL),
        listed("Imbalance", EVENT, imbalance::ALL),
        listed("OrdType", COMMAND, ord_type::ALL),
        probed("Tif", "engine/src/order.rs", Tif::from_wire),
        probed("StpMode", "engine/src/self_trade.rs", StpMode::from_wire),
        listed("OrdStatus", EVENT, status::ALL),
        probed("TriggerType", "engine/src/trigger.rs", TriggerType::from_wire),
        probed("TriggerCondition", "engine/src/trigger.rs", Condition::from_wire),
        listed("PriorityKept", EVENT, priority::ALL),
        listed("CancelReason", EVENT, reason::ALL),
        probed("MassScope", "engine/src/mass_cancel.rs", |value| Scope::from_wire(value, 0, 0)),
        listed("Liquidity", EVENT, liquidity::ALL),
        listed("MmpReason", EVENT, mmp_reason::ALL),
        probed("TradingState", "engine/src/trading_state.rs", TradingState::from_wire),
        listed("InstrKind", COMMAND, instr_kind::ALL),
        probed("Role", COMMAND, Role::from_wire),
        listed("CodMode", COMMAND, cod_mode::ALL),
        probed("SyncMode", "gateway/src/release.rs", SyncMode::from_wire),
        probed("LevelAction", "gateway/src/market/message.rs", LevelAction::from_wire),
        probed("MdLevel", "gateway/src/market/message.rs", MdLevel::from_wire),
        Values {
            name: "OrderFlags",
            home: COMMAND,
            is_set: true,
            values: order_flags::ALL
                .iter()
                .map(|(name, bit)| (camel(&name.to_lowercase()), bit.trailing_zeros().into()))
                .collect(),
        },
    ]
}

fn listed(name: &'static str, home: &'static str, table: &[(&str, u8)]) -> Values {
    let values = table.iter().map(|(name, value)| (pascal(name), u64::from(*value))).collect();
    Values { name, home, is_set: false, values }
}

/// Every byte is asked, so that none is forgotten.
fn probed<T: std::fmt::Debug>(
    name: &'static str,
    home: &'static str,
    from_wire: impl Fn(u8) -> Option<T>,
) -> Values {
    let named = |value: u8| {
        let shown = format!("{:?}", from_wire(value)?);
        let end = shown.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(shown.len());
        Some((shown[..end].to_owned(), u64::from(value)))
    };
    Values { name, home, is_set: false, values: (0..=u8::MAX).filter_map(named).collect() }
}
