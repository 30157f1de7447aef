//! What may be seen of the state between commands: for the bridge, for tools, for tests. Views are values; nothing in them
//! tells where the engine keeps what they show.

use crate::combo::Leg;
use crate::command::{Char16, Char32, Role};
use crate::engine::Engine;
use crate::instrument::{Instrument, Instruments};
use crate::message::NULL_U64;
use crate::order::{Order, Tif};
use crate::self_trade::Stp;
use crate::session::Session;
use crate::trading_state::TradingState;
use crate::trigger::Trigger;
use crate::units::{Lots, Money, Ppm, Side, TickValue, Ticks};
use crate::venue::Venue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView<'a> {
    pub id: u32,
    pub name: &'a Char16,
    pub quote: Money,
    pub open_orders: u32,
    /// New orders and amends are refused (rule 5.21).
    pub blocked: bool,
    /// Equity and requirement at the present marks (rules 6.2 and 6.3).
    pub equity: Money,
    pub requirement: Money,
    /// Who has it (rule 5.8); 0 is nobody.
    pub owner: u32,
    /// Until when its looks are paid for (rule 12.6); 0 where that is not beyond the last command.
    pub looks_paid_until_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView {
    pub instrument: u32,
    pub lots: Lots,
    pub open_buy: Lots,
    pub open_sell: Lots,
    /// Value of the open orders at their prices.
    pub open_value: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentView<'a> {
    pub id: u32,
    pub symbol: &'a Char32,
    pub mark: Ticks,
    /// `None` until the first one was told.
    pub index: Option<Ticks>,
    /// The price of the last match.
    pub last: Option<Ticks>,
    pub best_bid: Option<Ticks>,
    pub best_ask: Option<Ticks>,
    /// Price9 of one tick.
    pub tick_size: i64,
    pub lot_size: i64,
    pub contract_size: i64,
    pub tick_value: TickValue,
    pub qty_max: Lots,
    pub initial_margin: Ppm,
    pub maker_fee: Ppm,
    pub taker_fee: Ppm,
    /// 0 is no band.
    pub price_band: Ppm,
    pub state: TradingState,
    pub underlying_id: u32,
    pub kind: u8,
    /// What a combo trades; empty for any other instrument. Its mark is theirs, its fee rates are their highest.
    pub legs: &'a [Leg],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView {
    pub id: u64,
    /// 0 for roles without an account.
    pub account: u32,
    pub role: Role,
    pub next_client_seq: u64,
    pub next_server_seq: u64,
    /// The connection of the last logon.
    pub connection: Option<u32>,
    /// The client ids of its orders only rise (rule 12.2).
    pub rising_ids: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    pub order_id: u64,
    pub cl_ord_id: u64,
    pub session: u64,
    pub account: u32,
    pub instrument: u32,
    pub side: Side,
    pub tif: Tif,
    pub stp: Stp,
    /// Its price only bounds what it may meet.
    pub is_market: bool,
    /// What it waits for; `None` for an order that is in the market.
    pub trigger: Option<Trigger>,
    /// 0 for an order without a price that waits for a trigger.
    pub price: Ticks,
    pub qty: Lots,
    pub leaves: Lots,
    pub cum_qty: Lots,
    /// When it ends by itself.
    pub expire_ns: Option<u64>,
    /// Most that an iceberg shows.
    pub display: Option<Lots>,
    /// What a match may take of it now; 0 of an iceberg that waits to be continued.
    pub shown: Lots,
    pub is_reduce_only: bool,
    pub is_quote: bool,
    /// Its protection group, 0 for none.
    pub mmp_group: u16,
}

impl Engine {
    /// All accounts in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = AccountView<'_>> {
        self.venue.iter().flat_map(|venue| {
            venue.accounts.iter().map(|(id, row)| {
                let standing = venue.standing(id);
                AccountView {
                    id,
                    name: venue.accounts.name(id),
                    quote: row.quote,
                    open_orders: row.open_orders(),
                    blocked: row.is_blocked(),
                    equity: standing.equity,
                    requirement: standing.requirement,
                    owner: venue.accounts.owner(id),
                    looks_paid_until_ns: venue.accounts.looks_paid_until(id, self.last_ts_ns),
                }
            })
        })
    }

    /// What an account holds and has open, by instrument id. Nothing for an account that does not exist.
    pub fn positions(&self, account: u32) -> impl Iterator<Item = PositionView> {
        let venue = self.venue.iter().filter(move |venue| venue.accounts.contains(account));
        venue.flat_map(move |venue| {
            venue.positions.of(&venue.accounts[account]).map(|position| PositionView {
                instrument: position.instrument,
                lots: position.lots,
                open_buy: position.open_buy,
                open_sell: position.open_sell,
                open_value: position.open_value * venue.instruments[position.instrument].tick_value,
            })
        })
    }

    /// All instruments in the order of their ids.
    pub fn instruments(&self) -> impl Iterator<Item = InstrumentView<'_>> {
        self.venue.iter().flat_map(|venue| {
            venue.instruments.iter().map(|(id, row)| instrument_view(&venue.instruments, id, row))
        })
    }

    pub fn session(&self, id: u64) -> Option<SessionView> {
        let venue = self.venue.as_ref()?;
        venue.sessions.find(id).map(|slot| session_view(venue.sessions.as_it_stands(slot)))
    }

    /// All sessions in the order of their ids.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView> {
        self.venue.iter().flat_map(|venue| venue.sessions.iter().map(session_view))
    }

    /// All open orders in the canonical order: by instrument, bids before asks, best price first, oldest first, then those
    /// that wait for a trigger; last the taker that is to be continued.
    pub fn open_orders(&self) -> impl Iterator<Item = OrderView> {
        self.venue.iter().flat_map(|venue| venue.canonical_orders().map(|order| order_view(venue, order)))
    }
}

impl Venue {
    pub fn canonical_orders(&self) -> impl Iterator<Item = &Order> {
        let sides = [Side::Buy, Side::Sell];
        let resting = self.instruments.iter().flat_map(move |(id, instrument)| {
            let queue = move |side| instrument.book.queue(&self.levels, &self.orders, side);
            let armed = self.instruments.triggers(id).queue(&self.levels, &self.orders);
            sides.into_iter().flat_map(queue).chain(armed)
        });
        resting.map(|slot| self.orders.at(slot)).chain(self.orders.by_id(self.continuation.taker()))
    }
}

fn instrument_view<'a>(all: &'a Instruments, id: u32, row: &Instrument) -> InstrumentView<'a> {
    let listing = all.listing(id);
    let best = |side| {
        let ladder = row.book.side(side);
        (!ladder.is_empty()).then_some(ladder.best_ticks)
    };
    InstrumentView {
        id,
        symbol: &listing.symbol,
        mark: all.mark(id),
        index: all.triggers(id).index,
        last: row.traded.last,
        best_bid: best(Side::Buy),
        best_ask: best(Side::Sell),
        tick_size: row.tick_size,
        lot_size: listing.lot_size,
        contract_size: listing.contract_size,
        tick_value: row.tick_value,
        qty_max: row.qty_max,
        initial_margin: row.initial_margin,
        maker_fee: row.maker_fee,
        taker_fee: row.taker_fee,
        price_band: row.price_band,
        state: row.state,
        underlying_id: listing.underlying_id,
        kind: listing.kind,
        legs: listing.legs.as_slice(),
    }
}

fn session_view(session: Session) -> SessionView {
    SessionView {
        id: session.id,
        account: session.account,
        role: session.role,
        next_client_seq: session.next_client_seq,
        next_server_seq: session.next_server_seq,
        connection: session.connection,
        rising_ids: session.rising_ids,
    }
}

fn order_view(venue: &Venue, order: &Order) -> OrderView {
    let terms = venue.orders.terms(order);
    let position = venue.positions.at(order.position);
    let trigger = venue.trigger_of(order);
    OrderView {
        order_id: order.id,
        cl_ord_id: order.cl_ord_id,
        session: venue.sessions.at(order.session()).id,
        account: position.account,
        instrument: position.instrument,
        side: order.side(),
        tif: order.tif(),
        stp: venue.orders.stp(order),
        is_market: order.is_market(),
        trigger,
        price: if trigger.is_some() { venue.orders.terms(order).limit } else { order.ticks },
        qty: order.qty(),
        leaves: order.leaves(),
        cum_qty: order.filled(),
        expire_ns: Some(terms.expire_ns).filter(|expire_ns| *expire_ns != NULL_U64),
        display: (terms.display != 0).then_some(Lots(i64::from(terms.display))),
        shown: venue.orders.shown(order),
        is_reduce_only: order.is_reduce_only(),
        is_quote: order.is_quote(),
        mmp_group: venue.group_number(order),
    }
}
