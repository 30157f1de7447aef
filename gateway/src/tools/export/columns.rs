//! A fill as a row: which columns there are, and what each cell says, exactly. CSV and Parquet write the same rows.

use engine::event::OrderExecuted;
use engine::units::Side;

use super::listings::Listing;
use crate::tools::words;

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Unsigned,
    Signed,
    /// With so many places.
    Decimal(u32),
    TimeNs,
    Text,
    Flag,
}

pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    Unsigned(u64),
    Signed(i64),
    Decimal(i128),
    TimeNs(u64),
    Text(&'a str),
    Flag(bool),
}

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind }
}

/// One row for each side of a match: `signed_lots` is negative for a seller.
pub const COLUMNS: [Column; 23] = [
    column("seq", ColumnKind::Unsigned),
    column("sub", ColumnKind::Unsigned),
    column("time", ColumnKind::TimeNs),
    column("match_id", ColumnKind::Unsigned),
    column("exec_id", ColumnKind::Unsigned),
    column("order_id", ColumnKind::Unsigned),
    column("cl_ord_id", ColumnKind::Unsigned),
    column("session", ColumnKind::Unsigned),
    column("account_id", ColumnKind::Unsigned),
    column("account", ColumnKind::Text),
    column("instrument_id", ColumnKind::Unsigned),
    column("symbol", ColumnKind::Text),
    column("combo", ColumnKind::Flag),
    column("side", ColumnKind::Text),
    column("price", ColumnKind::Decimal(9)),
    column("lots", ColumnKind::Signed),
    column("signed_lots", ColumnKind::Signed),
    column("size", ColumnKind::Decimal(9)),
    column("fee", ColumnKind::Decimal(6)),
    column("liquidity", ColumnKind::Text),
    column("leaves_lots", ColumnKind::Signed),
    column("cum_lots", ColumnKind::Signed),
    column("position_lots", ColumnKind::Signed),
];

/// One side of a match with the names of what it names.
pub struct Fill<'a> {
    pub seq: u64,
    pub sub: u32,
    pub ts_ns: u64,
    pub session: u64,
    pub executed: &'a OrderExecuted,
    pub listing: &'a Listing,
    pub account: &'a str,
}

impl Fill<'_> {
    pub fn cells(&self) -> [Cell<'_>; COLUMNS.len()] {
        let it = self.executed;
        let lots = it.last_qty.get();
        let is_sell = it.side == Side::Sell as u8;
        [
            Cell::Unsigned(self.seq),
            Cell::Unsigned(self.sub.into()),
            Cell::TimeNs(self.ts_ns),
            Cell::Unsigned(it.match_id.get()),
            Cell::Unsigned(it.exec_id.get()),
            Cell::Unsigned(it.order_id.get()),
            Cell::Unsigned(it.cl_ord_id.get()),
            Cell::Unsigned(self.session),
            Cell::Unsigned(it.account_id.get().into()),
            Cell::Text(self.account),
            Cell::Unsigned(it.instrument_id.get().into()),
            Cell::Text(&self.listing.symbol),
            Cell::Flag(self.listing.is_combo),
            Cell::Text(if is_sell { "sell" } else { "buy" }),
            Cell::Decimal(it.last_px.get().into()),
            Cell::Signed(lots),
            Cell::Signed(if is_sell { -lots } else { lots }),
            Cell::Decimal(i128::from(lots) * i128::from(self.listing.lot_size)),
            Cell::Decimal(it.fee.get().into()),
            Cell::Text(words::liquidity(it.liquidity)),
            Cell::Signed(it.leaves_qty.get()),
            Cell::Signed(it.cum_qty.get()),
            Cell::Signed(it.position.get()),
        ]
    }
}
