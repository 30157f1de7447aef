//! Which features a run uses. A command that needs one that is off becomes one that does not.

use engine::command::*;
use engine::message::*;
use zerocopy::FromBytes;

/// Of sections 8 to 12.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    pub time: bool,
    pub icebergs: bool,
    pub reduce_only: bool,
    pub triggers: bool,
    pub closed_ids: bool,
    pub rising_ids: bool,
    pub scopes: bool,
    pub open_orders: bool,
    pub history: bool,
    pub quotes: bool,
    pub mmp: bool,
    /// Settlement and Expired, and that expired instruments come again under other ids.
    pub states: bool,
    pub auctions: bool,
    pub combos: bool,
}

const UNKNOWN: u16 = 99;
const REDUCE_ONLY: u16 = 4;

impl Features {
    pub const ALL: Features = Features {
        time: true,
        icebergs: true,
        reduce_only: true,
        triggers: true,
        closed_ids: true,
        rising_ids: true,
        scopes: true,
        open_orders: true,
        history: true,
        quotes: true,
        mmp: true,
        states: true,
        auctions: true,
        combos: true,
    };

    /// All but those that a list names: what is left narrows a difference down.
    pub fn without(names: &str) -> Features {
        let mut features = Features::ALL;
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let switch = match name {
                "time" => &mut features.time,
                "icebergs" => &mut features.icebergs,
                "reduce_only" => &mut features.reduce_only,
                "triggers" => &mut features.triggers,
                "closed_ids" => &mut features.closed_ids,
                "rising_ids" => &mut features.rising_ids,
                "scopes" => &mut features.scopes,
                "open_orders" => &mut features.open_orders,
                "history" => &mut features.history,
                "quotes" => &mut features.quotes,
                "mmp" => &mut features.mmp,
                "states" => &mut features.states,
                "auctions" => &mut features.auctions,
                "combos" => &mut features.combos,
                _ => panic!("no feature is called {name}"),
            };
            *switch = false;
        }
        features
    }

    pub fn tame(&self, message: &mut [u8]) {
        self.tame_template(message);
        let Some(template) = split(message).map(|(header, _)| header.template_id.get()) else { return };
        let body = &mut message[HEADER_BYTES..];
        match template {
            NewOrder::TEMPLATE => {
                let Ok(it) = NewOrder::mut_from_bytes(body) else { return };
                if !self.time && matches!(it.tif, 1 | 5) {
                    (it.tif, it.expire_time) = (2, NULL_U64.into());
                }
                if !self.icebergs && it.display_qty.get() > 0 {
                    it.display_qty = NULL_I64.into();
                }
                if !self.reduce_only {
                    it.flags = (it.flags.get() & !REDUCE_ONLY).into();
                }
            }
            ModifyOrder::TEMPLATE => {
                let Ok(it) = ModifyOrder::mut_from_bytes(body) else { return };
                if !self.icebergs {
                    it.display_qty = NULL_I64.into();
                }
            }
            NewTriggerOrder::TEMPLATE => {
                let Ok(it) = NewTriggerOrder::mut_from_bytes(body) else { return };
                if !self.time && matches!(it.tif, 1 | 5) {
                    (it.tif, it.expire_time) = (2, NULL_U64.into());
                }
                if !self.icebergs && it.display_qty.get() > 0 {
                    it.display_qty = NULL_I64.into();
                }
                if !self.reduce_only {
                    it.flags = (it.flags.get() & !REDUCE_ONLY).into();
                }
            }
            MassCancel::TEMPLATE => {
                let Ok(it) = MassCancel::mut_from_bytes(body) else { return };
                if !self.scopes && it.scope == 5 {
                    it.scope = 0;
                }
            }
            SessionCreate::TEMPLATE => {
                let Ok(it) = SessionCreate::mut_from_bytes(body) else { return };
                if !self.rising_ids {
                    it.rising_ids = 0;
                }
            }
            _ => {}
        }
    }

    fn tame_template(&self, message: &mut [u8]) {
        let Ok((header, _)) = Header::mut_from_prefix(message) else { return };
        let off = match header.template_id.get() {
            NewTriggerOrder::TEMPLATE | IndexPrice::TEMPLATE => !self.triggers,
            OpenOrdersRequest::TEMPLATE => !self.open_orders,
            ExecHistoryRequest::TEMPLATE => !self.history,
            Tick::TEMPLATE => !self.time,
            _ => false,
        };
        if off {
            header.template_id = UNKNOWN.into();
        }
    }
}
