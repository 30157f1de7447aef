//! The state of a venue at one command, for a person or for a program: digest, balances, positions, open orders.

use std::collections::BTreeMap;

use engine::units::{Lots, Money, Side, Ticks};
use engine::{AccountView, Engine, InstrumentView, OrderView, PositionView};

use super::instant;
use super::json::{self, Object};
use crate::config::to_hex;
use crate::decimal;

/// What of the state is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub accounts: bool,
    /// Every open order, or those of one instrument.
    pub orders: bool,
    pub book: Option<u32>,
}

pub struct State<'a> {
    engine: &'a Engine,
    instruments: BTreeMap<u32, InstrumentView<'a>>,
    parts: Parts,
}

fn text_of(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn money(money: Money) -> String {
    decimal::show(money.0, 6)
}

impl<'a> State<'a> {
    pub fn of(engine: &'a Engine, parts: Parts) -> State<'a> {
        let instruments = engine.instruments().map(|instrument| (instrument.id, instrument)).collect();
        State { engine, instruments, parts }
    }

    fn symbol(&self, instrument: u32) -> String {
        self.instruments.get(&instrument).map_or_else(|| instrument.to_string(), |it| text_of(it.symbol))
    }

    fn price(&self, instrument: u32, ticks: Ticks) -> String {
        let tick_size = self.instruments.get(&instrument).map_or(1, |it| it.tick_size);
        decimal::show(i128::from(ticks.0) * i128::from(tick_size), 9)
    }

    fn orders(&self) -> impl Iterator<Item = OrderView> {
        let book = self.parts.book;
        self.engine.open_orders().filter(move |order| book.is_none_or(|id| order.instrument == id))
    }

    fn positions(&self, account: u32) -> impl Iterator<Item = PositionView> {
        self.engine
            .positions(account)
            .filter(|position| *position != PositionView { instrument: position.instrument, ..NOTHING })
    }

    pub fn text(&self) -> String {
        let engine = self.engine;
        let mut lines = vec![
            format!("seq       {} at {}", engine.last_seq(), instant::show(engine.last_ts_ns())),
            format!("digest    {}", to_hex(&engine.digest())),
            format!(
                "holds     {} instruments, {} accounts, {} open orders; deposits of {}",
                self.instruments.len(),
                engine.accounts().count(),
                engine.open_orders().count(),
                money(engine.deposits())
            ),
        ];
        if self.parts.accounts {
            lines.push(String::new());
            lines.push(format!(
                "{:>8}  {:<16}  {:>22}  {:>22}  {:>22}  {:>6}  net lots",
                "account", "name", "quote balance", "equity", "requirement", "orders"
            ));
            lines.extend(engine.accounts().map(|account| self.account_row(&account)));
        }
        if self.parts.orders {
            lines.push(String::new());
            lines.push(format!(
                "{:<16}  {:<4}  {:>18}  {:>10}  {:>10}  {:>20}  {:>20}  {:>8}",
                "instrument", "side", "price", "left", "of", "order", "client id", "account"
            ));
            lines.extend(self.orders().map(|order| self.order_row(&order)));
        }
        lines.join("\n")
    }

    fn account_row(&self, account: &AccountView<'_>) -> String {
        let held = self.engine.positions(account.id).filter(|position| position.lots != Lots::ZERO);
        let held: Vec<String> = held
            .map(|position| format!("{} {:+}", self.symbol(position.instrument), position.lots.0))
            .collect();
        format!(
            "{:>8}  {:<16}  {:>22}  {:>22}  {:>22}  {:>6}  {}{}",
            account.id,
            text_of(account.name),
            money(account.quote),
            money(account.equity),
            money(account.requirement),
            account.open_orders,
            if held.is_empty() { "-".to_owned() } else { held.join(", ") },
            if account.blocked { "  (blocked)" } else { "" }
        )
    }

    fn order_row(&self, order: &OrderView) -> String {
        let waits = order.trigger.map_or(String::new(), |trigger| {
            let price = self.price(order.instrument, trigger.ticks);
            format!("  waits for {:?} {:?} {price}", trigger.trigger_type, trigger.condition)
        });
        format!(
            "{:<16}  {:<4}  {:>18}  {:>10}  {:>10}  {:>20}  {:>20}  {:>8}{waits}",
            self.symbol(order.instrument),
            side(order.side),
            self.price(order.instrument, order.price),
            order.leaves.0,
            order.qty.0,
            order.order_id,
            order.cl_ord_id,
            order.account
        )
    }

    pub fn json(&self) -> String {
        let engine = self.engine;
        let mut object = Object::new()
            .raw("seq", engine.last_seq())
            .raw("ts_ns", engine.last_ts_ns())
            .text("time", &instant::show(engine.last_ts_ns()))
            .text("digest", &to_hex(&engine.digest()))
            .text("deposits", &money(engine.deposits()))
            .raw("open_orders", engine.open_orders().count());
        object = object.raw("instruments", json::list(self.instruments.values().map(instrument_object)));
        if self.parts.accounts {
            let accounts = engine.accounts().map(|account| self.account_object(&account));
            object = object.raw("accounts", json::list(accounts));
        }
        if self.parts.orders {
            object = object.raw("orders", json::list(self.orders().map(|order| self.order_object(&order))));
        }
        object.end()
    }

    fn account_object(&self, account: &AccountView<'_>) -> String {
        let positions = self.positions(account.id).map(|position| {
            Object::new()
                .raw("instrument", position.instrument)
                .text("symbol", &self.symbol(position.instrument))
                .raw("lots", position.lots.0)
                .raw("open_buy", position.open_buy.0)
                .raw("open_sell", position.open_sell.0)
                .text("open_value", &money(position.open_value))
                .end()
        });
        Object::new()
            .raw("id", account.id)
            .text("name", &text_of(account.name))
            .text("quote", &money(account.quote))
            .text("equity", &money(account.equity))
            .text("requirement", &money(account.requirement))
            .raw("open_orders", account.open_orders)
            .raw("blocked", account.blocked)
            .raw("positions", json::list(positions))
            .end()
    }

    fn order_object(&self, order: &OrderView) -> String {
        let mut object = Object::new()
            .raw("order_id", order.order_id)
            .text("order_id_hex", &format!("0x{:x}", order.order_id))
            .raw("cl_ord_id", order.cl_ord_id)
            .raw("session", order.session)
            .raw("account", order.account)
            .raw("instrument", order.instrument)
            .text("side", side(order.side))
            .text("price", &self.price(order.instrument, order.price))
            .raw("qty", order.qty.0)
            .raw("leaves", order.leaves.0)
            .raw("cum_qty", order.cum_qty.0)
            .text("tif", &format!("{:?}", order.tif));
        if let Some(trigger) = order.trigger {
            object = object
                .text("trigger_type", &format!("{:?}", trigger.trigger_type))
                .text("condition", &format!("{:?}", trigger.condition))
                .text("trigger_price", &self.price(order.instrument, trigger.ticks));
        }
        if let Some(expire_ns) = order.expire_ns {
            object = object.raw("expire_ns", expire_ns);
        }
        if let Some(display) = order.display {
            object = object.raw("display", display.0);
        }
        object
            .raw("reduce_only", order.is_reduce_only)
            .raw("quote", order.is_quote)
            .raw("mmp_group", order.mmp_group)
            .end()
    }
}

/// What the engine may keep an entry of without anything in it.
const NOTHING: PositionView = PositionView {
    instrument: 0,
    lots: Lots::ZERO,
    open_buy: Lots::ZERO,
    open_sell: Lots::ZERO,
    open_value: Money::ZERO,
};

fn side(side: Side) -> &'static str {
    if side == Side::Buy { "buy" } else { "sell" }
}

fn instrument_object(instrument: &InstrumentView<'_>) -> String {
    let price = |ticks: Ticks| {
        json::quoted(&decimal::show(i128::from(ticks.0) * i128::from(instrument.tick_size), 9))
    };
    let maybe = |ticks: Option<Ticks>| ticks.map_or("null".to_owned(), price);
    let legs = instrument
        .legs
        .iter()
        .map(|leg| Object::new().raw("instrument", leg.instrument).raw("ratio", leg.ratio).end());
    Object::new()
        .raw("id", instrument.id)
        .text("symbol", &text_of(instrument.symbol))
        .text("state", &format!("{:?}", instrument.state))
        .raw("mark", price(instrument.mark))
        .raw("index", maybe(instrument.index))
        .raw("last", maybe(instrument.last))
        .raw("best_bid", maybe(instrument.best_bid))
        .raw("best_ask", maybe(instrument.best_ask))
        .text("tick_size", &decimal::show(instrument.tick_size.into(), 9))
        .text("lot_size", &decimal::show(instrument.lot_size.into(), 9))
        .text("contract_size", &decimal::show(instrument.contract_size.into(), 9))
        .raw("legs", json::list(legs))
        .end()
}
