//! The words behind `cancel` that name more than one order: which, and of which side. Reads words and sets fields; what they
//! name is the venue's to find.

use engine::command::MassCancel;
use zerocopy::little_endian::{U16, U32};

use crate::client::orders;

/// MassScope, Side and InstrKind on the wire.
const SESSION: u8 = 1;
const INSTRUMENT: u8 = 3;
const UNDERLYING: u8 = 4;
const PRODUCT: u8 = 5;
const GROUP: u8 = 6;
const BUY: u8 = 1;
const SELL: u8 = 2;
const BOTH: u8 = 3;
const PRODUCTS: [(&str, u8); 3] = [("perpetual", 1), ("future", 2), ("combo", 5)];
const SCOPES: [&str; 5] = ["session", "on", "underlying", "product", "group"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canceling {
    scope: u8,
    side: u8,
    instrument: u32,
    underlying: u32,
    product: u8,
    group: u16,
}

impl Canceling {
    /// Whether these words name a scope and not an order.
    pub fn begins_with(words: &[&str]) -> bool {
        words.first().is_some_and(|word| SCOPES.contains(word))
    }

    /// `instrument` finds the id of a symbol. `None` where the words say nothing that can be canceled.
    pub fn read(words: &[&str], instrument: impl Fn(&str) -> Option<u32>) -> Option<Canceling> {
        let (words, side) = match words {
            [words @ .., "buy"] => (words, BUY),
            [words @ .., "sell"] => (words, SELL),
            words => (words, BOTH),
        };
        let named = Canceling { side, ..Canceling::default() };
        Some(match words {
            ["session"] => Canceling { scope: SESSION, ..named },
            ["on", symbol] => Canceling { scope: INSTRUMENT, instrument: instrument(symbol)?, ..named },
            ["underlying", id] => Canceling { scope: UNDERLYING, underlying: id.parse().ok()?, ..named },
            ["product", kind] => Canceling { scope: PRODUCT, product: product(kind)?, ..named },
            ["product", kind, id] => {
                Canceling { scope: PRODUCT, product: product(kind)?, underlying: id.parse().ok()?, ..named }
            }
            ["group", number] => Canceling { scope: GROUP, group: number.parse().ok()?, ..named },
            _ => return None,
        })
    }

    pub fn of(self, account: u32, cl_ord_id: u64) -> MassCancel {
        MassCancel {
            instrument_id: U32::new(self.instrument),
            underlying_id: U32::new(self.underlying),
            mmp_group: U16::new(self.group),
            scope: self.scope,
            side: self.side,
            kind: self.product,
            ..orders::cancel_all(account, cl_ord_id)
        }
    }
}

fn product(name: &str) -> Option<u8> {
    PRODUCTS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = (u8, u8, u32, u32, u8, u16);

    fn said(line: &str) -> Option<Fields> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let request = Canceling::read(&words, |symbol| (symbol == "BTC").then_some(9))?.of(4, 1);
        let (instrument, underlying) = (request.instrument_id.get(), request.underlying_id.get());
        Some((request.scope, request.side, instrument, underlying, request.kind, request.mmp_group.get()))
    }

    #[test]
    fn words_become_fields() {
        for (line, fields) in [
            ("session", Some((1, 3, 0, 0, 0, 0))),
            ("session sell", Some((1, 2, 0, 0, 0, 0))),
            ("on BTC buy", Some((3, 1, 9, 0, 0, 0))),
            ("on ETH", None),
            ("underlying 7", Some((4, 3, 0, 7, 0, 0))),
            ("product future", Some((5, 3, 0, 0, 2, 0))),
            ("product combo 7 sell", Some((5, 2, 0, 7, 5, 0))),
            ("product stock", None),
            ("group 65535", Some((6, 3, 0, 0, 0, 65_535))),
            ("group 65536", None),
            ("session here", None),
            ("", None),
        ] {
            assert_eq!(said(line), fields, "{line}");
        }
    }
}
