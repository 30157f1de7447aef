//! The net positions of all accounts at one command, as a table for people or as one line of JSON for programs.
//! Amounts are exact decimals: money has six places, and in JSON it is a string, so that no reader makes a float of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine::units::{Lots, Money};
use engine::{Engine, PositionView};

pub struct Statement {
    seq: u64,
    durable_seq: u64,
    digest: [u8; 32],
    is_last: bool,
    rows: Vec<Row>,
}

struct Row {
    id: u32,
    name: String,
    quote: Money,
    positions: Vec<Position>,
}

struct Position {
    instrument: u32,
    symbol: String,
    lots: i64,
}

impl Statement {
    pub fn of(engine: &Engine, durable_seq: u64, is_last: bool) -> Statement {
        let symbols: BTreeMap<u32, String> =
            engine.instruments().map(|instrument| (instrument.id, text(instrument.symbol))).collect();
        // The engine keeps an entry for open orders too; a position is what is held.
        let held = |position: PositionView| {
            (position.lots != Lots::ZERO).then(|| Position {
                instrument: position.instrument,
                symbol: symbols.get(&position.instrument).cloned().unwrap_or_default(),
                lots: position.lots.0,
            })
        };
        let rows = engine.accounts().map(|account| Row {
            id: account.id,
            name: text(account.name),
            quote: account.quote,
            positions: engine.positions(account.id).filter_map(held).collect(),
        });
        Statement {
            seq: engine.last_seq(),
            durable_seq,
            digest: engine.digest(),
            is_last,
            rows: rows.collect(),
        }
    }

    /// One line with the place, then one line for each account that has anything, then a count of the others.
    pub fn table(&self) -> String {
        let last = if self.is_last { "  last" } else { "" };
        let digest = &hex(&self.digest)[..16];
        let mut table = format!("seq {}  durable {}  digest {digest}{last}\n", self.seq, self.durable_seq);
        let shown: Vec<&Row> = self.rows.iter().filter(|row| !row.is_empty()).collect();
        let widest =
            |column: fn(&Row) -> usize, least| shown.iter().map(|row| column(row)).fold(least, usize::max);
        let name_width = widest(|row| row.name.chars().count(), "name".len());
        let quote_width = widest(|row| money(row.quote).len(), "quote balance".len());
        let mut line = |id: &str, name: &str, quote: &str, positions: &str| {
            let _ = writeln!(table, "  {id:>8}  {name:<name_width$}  {quote:>quote_width$}  {positions}");
        };
        line("account", "name", "quote balance", "net lots");
        for row in &shown {
            line(&row.id.to_string(), &row.name, &money(row.quote), &row.lots());
        }
        let empty = self.rows.len() - shown.len();
        if empty > 0 {
            let _ = writeln!(table, "  and {empty} with neither balance nor position");
        }
        table
    }

    /// Every account, empty or not, on one line.
    pub fn json(&self) -> String {
        let accounts: Vec<String> = self.rows.iter().map(Row::json).collect();
        format!(
            "{{\"seq\":{},\"durable\":{},\"digest\":\"{}\",\"last\":{},\"accounts\":[{}]}}\n",
            self.seq,
            self.durable_seq,
            hex(&self.digest),
            self.is_last,
            accounts.join(",")
        )
    }
}

impl Row {
    fn is_empty(&self) -> bool {
        self.quote == Money::ZERO && self.positions.is_empty()
    }

    fn lots(&self) -> String {
        let of = |position: &Position| format!("{} {:+}", position.symbol, position.lots);
        if self.positions.is_empty() {
            "-".to_owned()
        } else {
            self.positions.iter().map(of).collect::<Vec<_>>().join(", ")
        }
    }

    fn json(&self) -> String {
        let positions: Vec<String> = self.positions.iter().map(Position::json).collect();
        format!(
            "{{\"id\":{},\"name\":{},\"quote\":\"{}\",\"positions\":[{}]}}",
            self.id,
            json_text(&self.name),
            money(self.quote),
            positions.join(",")
        )
    }
}

impl Position {
    fn json(&self) -> String {
        let symbol = json_text(&self.symbol);
        format!("{{\"instrument\":{},\"symbol\":{symbol},\"lots\":{}}}", self.instrument, self.lots)
    }
}

/// Money with all of its six places.
fn money(amount: Money) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let (whole, part) = (amount.0.unsigned_abs() / 1_000_000, amount.0.unsigned_abs() % 1_000_000);
    format!("{sign}{whole}.{part:06}")
}

/// A fixed text of the journal up to its first zero. What a terminal or a parser could stumble over becomes a mark.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let clean =
        |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    String::from_utf8_lossy(&bytes[..end]).chars().map(clean).collect()
}

/// Without control characters only two need an escape.
fn json_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_shows_every_place_and_its_sign() {
        for (amount, shown) in
            [(0, "0.000000"), (-1, "-0.000001"), (1_234_567, "1.234567"), (-12_000_000, "-12.000000")]
        {
            assert_eq!(money(Money(amount)), shown);
        }
    }

    #[test]
    fn names_cannot_break_a_line_or_a_string() {
        assert_eq!(text(b"MAKER\0\0junk"), "MAKER");
        assert_eq!(text(b"a\nb\x1b[2J\xff"), "a\u{fffd}b\u{fffd}[2J\u{fffd}");
        assert_eq!(json_text("a\"b\\c"), r#""a\"b\\c""#);
    }
}
