//! The ledger's canonical bytes, between two commands. All numbers little-endian, everything by id.
//!
//! ```text
//! deposits i128
//! listings u32, each: instrument u32 | tick_size i64 | tick_value i64
//! combos   u32, each: instrument u32
//! accounts u32, each: account u32 | quote i128 | positions u32, each: instrument u32 | lots i64
//! ```

use engine::units::{Lots, Money, TickValue};

use super::{Account, Ledger, Listing};

impl Ledger {
    /// Both sides of every match were heard.
    pub fn snapshot(&self) -> Vec<u8> {
        assert!(self.halves.is_empty(), "a ledger is kept between two commands");
        let mut bytes = self.deposits.0.to_le_bytes().to_vec();
        let count = |bytes: &mut Vec<u8>, of: usize| bytes.extend((of as u32).to_le_bytes());
        count(&mut bytes, self.listings.len());
        for (id, Listing { tick_size, tick_value }) in &self.listings {
            bytes.extend(id.to_le_bytes());
            bytes.extend(tick_size.to_le_bytes());
            bytes.extend(tick_value.0.to_le_bytes());
        }
        count(&mut bytes, self.combos.len());
        self.combos.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
        count(&mut bytes, self.accounts.len());
        for (id, Account { quote, positions }) in &self.accounts {
            bytes.extend(id.to_le_bytes());
            bytes.extend(quote.0.to_le_bytes());
            count(&mut bytes, positions.len());
            for (instrument, lots) in positions {
                bytes.extend(instrument.to_le_bytes());
                bytes.extend(lots.0.to_le_bytes());
            }
        }
        bytes
    }

    /// The ledger that said `bytes` in `snapshot`; none if none did.
    pub fn restore(bytes: &[u8]) -> Option<Ledger> {
        let mut rest = Rest(bytes);
        let mut ledger = Ledger { deposits: Money(i128::from_le_bytes(rest.take()?)), ..Ledger::default() };
        for _ in 0..rest.count()? {
            let (id, tick_size) = (rest.count()?, i64::from_le_bytes(rest.take()?));
            let tick_value = TickValue(i64::from_le_bytes(rest.take()?));
            ledger.listings.insert(id, Listing { tick_size, tick_value });
        }
        for _ in 0..rest.count()? {
            ledger.combos.insert(rest.count()?);
        }
        for _ in 0..rest.count()? {
            let (id, quote) = (rest.count()?, Money(i128::from_le_bytes(rest.take()?)));
            let mut account = Account { quote, ..Account::default() };
            for _ in 0..rest.count()? {
                let (instrument, lots) = (rest.count()?, Lots(i64::from_le_bytes(rest.take()?)));
                account.positions.insert(instrument, lots);
            }
            ledger.accounts.insert(id, account);
        }
        (rest.0.is_empty() && ledger.snapshot() == bytes).then_some(ledger)
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (first, rest) = self.0.split_first_chunk::<BYTES>()?;
        self.0 = rest;
        Some(*first)
    }

    fn count(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}
