//! Fills as CSV (RFC 4180): a head, then a line for each; decimals exact, times in UTC to the nanosecond.

use std::io::{self, Write};

use super::columns::{COLUMNS, Cell, ColumnKind};
use crate::decimal;
use crate::tools::instant;

pub fn head(out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    write!(out, "{}\r\n", names.join(","))
}

pub fn row(out: &mut dyn Write, cells: &[Cell<'_>]) -> io::Result<()> {
    let shown: Vec<String> =
        COLUMNS.iter().zip(cells).map(|(column, cell)| shown(column.kind, cell)).collect();
    write!(out, "{}\r\n", shown.join(","))
}

fn shown(kind: ColumnKind, cell: &Cell<'_>) -> String {
    match (kind, cell) {
        (ColumnKind::Decimal(places), Cell::Decimal(value)) => decimal::show(*value, places),
        (_, Cell::Decimal(value)) => value.to_string(),
        (_, Cell::Unsigned(value)) => value.to_string(),
        (_, Cell::Signed(value)) => value.to_string(),
        (_, Cell::TimeNs(ns)) => instant::show(*ns),
        (_, Cell::Flag(flag)) => flag.to_string(),
        (_, Cell::Text(text)) if text.contains(['"', ',', '\r', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        (_, Cell::Text(text)) => (*text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_exact_and_texts_are_quoted_where_they_must() {
        for (kind, cell, text) in [
            (ColumnKind::Decimal(9), Cell::Decimal(-1_500_000_001), "-1.500000001"),
            (ColumnKind::Unsigned, Cell::Unsigned(u64::MAX), "18446744073709551615"),
            (ColumnKind::TimeNs, Cell::TimeNs(1), "1970-01-01T00:00:00.000000001Z"),
            (ColumnKind::Text, Cell::Text("BTC,\"A\""), "\"BTC,\"\"A\"\"\""),
            (ColumnKind::Flag, Cell::Flag(true), "true"),
        ] {
            assert_eq!(shown(kind, &cell), text);
        }
    }
}
