//! Trades as they are summed up: one for each aggressor, instrument and price.

use engine::event::OrderExecuted;
use zerocopy::little_endian::{I64, U16, U32, U64};

use super::listing::Moment;
use crate::market::message::TradeSummary;

#[derive(Clone, Debug)]
struct Trade {
    instrument: u32,
    /// SideOrBoth.
    aggressor: u8,
    /// The first match.
    match_id: u64,
    px: i64,
    qty: i64,
    resting: u32,
}

/// The trades of the aggressor that is on its way.
#[derive(Clone, Debug, Default)]
pub struct Trades(Vec<Trade>);

impl Trades {
    /// A match, or what it traded in a leg; `resting` orders of the instrument's own book took part.
    pub fn add(&mut self, of: &OrderExecuted, aggressor: u8, resting: u32) {
        let (instrument, px) = (of.instrument_id.get(), of.last_px.get());
        let last = self.0.iter_mut().rev().find(|trade| trade.instrument == instrument);
        if let Some(trade) = last.filter(|trade| trade.px == px && trade.aggressor == aggressor) {
            trade.qty += of.last_qty.get();
            trade.resting += resting;
            return;
        }
        self.0.push(Trade {
            instrument,
            aggressor,
            match_id: of.match_id.get(),
            px,
            qty: of.last_qty.get(),
            resting,
        });
    }

    /// In the order of their first matches.
    pub fn drain(&mut self, now: Moment) -> impl Iterator<Item = TradeSummary> {
        self.0.drain(..).map(move |trade| TradeSummary {
            exec_id: U64::new(now.exec_id),
            match_time: U64::new(now.time_ns),
            instrument_id: U32::new(trade.instrument),
            aggressor: trade.aggressor,
            liquidation: 0,
            pad_a: U16::new(0),
            trade_id: U64::new(trade.match_id),
            px: I64::new(trade.px),
            qty: I64::new(trade.qty),
            resting: U32::new(trade.resting),
            pad_b: U32::new(0),
        })
    }
}
