//! The names behind the numbers of a fill: symbols and lots of instruments, names of accounts, as the journal lists them.

use std::collections::BTreeMap;

use engine::Engine;
use engine::command::{AccountCreate, ComboCreate, Command, InstrumentCreate};
use engine::event::Confirmed;
use engine::message::block;
use journal::{Kind, Record};

use crate::tools::shown;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub symbol: String,
    /// Size of one lot in 1e-9.
    pub lot_size: i64,
    /// Its fills move no position; those of its legs do (rule 11.5).
    pub is_combo: bool,
}

#[derive(Default)]
pub struct Listings {
    instruments: BTreeMap<u32, Listing>,
    accounts: BTreeMap<u32, String>,
    /// What the last command lists if it is confirmed.
    asked: Option<Asked>,
}

enum Asked {
    Instrument(u32, Listing),
    Account(u32, String),
}

fn text_of(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

impl Listings {
    /// What an engine has already listed; nothing for an empty one.
    pub fn of(engine: &Engine) -> Listings {
        let instruments = engine.instruments().map(|it| {
            let is_combo = !it.legs.is_empty();
            (it.id, Listing { symbol: text_of(it.symbol), lot_size: it.lot_size, is_combo })
        });
        Listings {
            instruments: instruments.collect(),
            accounts: engine.accounts().map(|it| (it.id, text_of(it.name))).collect(),
            asked: None,
        }
    }

    pub fn hear(&mut self, record: &Record<'_>) {
        match record.kind {
            Kind::Command => self.asked = self.asked_by(shown::message(record)),
            Kind::Event if self.asked.is_some() => {
                let answer = block::<Confirmed>(shown::message(record));
                if answer.is_some_and(|confirmed| confirmed.code.get() == 0) {
                    self.list();
                }
            }
            _ => {}
        }
    }

    fn asked_by(&self, message: &[u8]) -> Option<Asked> {
        match Command::read(message)? {
            Command::InstrumentCreate(InstrumentCreate { symbol, lot_size, instrument_id, .. }) => {
                let listing = Listing { symbol: text_of(symbol), lot_size: lot_size.get(), is_combo: false };
                Some(Asked::Instrument(instrument_id.get(), listing))
            }
            Command::ComboCreate(ComboCreate { symbol, leg_instruments, instrument_id, .. }) => {
                // All legs have the same lot.
                let lot_size = self.instrument(leg_instruments[0].get()).map_or(0, |leg| leg.lot_size);
                let listing = Listing { symbol: text_of(symbol), lot_size, is_combo: true };
                Some(Asked::Instrument(instrument_id.get(), listing))
            }
            Command::AccountCreate(AccountCreate { name, account_id, .. }) => {
                Some(Asked::Account(account_id.get(), text_of(name)))
            }
            _ => None,
        }
    }

    fn list(&mut self) {
        match self.asked.take() {
            Some(Asked::Instrument(id, listing)) => {
                self.instruments.insert(id, listing);
            }
            Some(Asked::Account(id, name)) => {
                self.accounts.insert(id, name);
            }
            None => {}
        }
    }

    pub fn instrument(&self, id: u32) -> Option<&Listing> {
        self.instruments.get(&id)
    }

    pub fn account(&self, id: u32) -> &str {
        self.accounts.get(&id).map_or("", String::as_str)
    }
}
