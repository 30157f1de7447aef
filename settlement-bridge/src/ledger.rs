//! Quote balances and positions summed from what the engine said: the second derivation of every account. It reads
//! executions and confirmations, and of commands only what a confirmation does not repeat (how much was deposited, what
//! was listed). It never asks the engine; `disagreement` is where the two meet.
//!
//! Nothing here rounds. `last_px` is a whole number of ticks, a tick of one lot a whole number of 1e-6 quote units
//! (RULES 3.3, 6.1), and fees arrive as whole 1e-6: a value that is none of these is a `Disagreement`.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::Engine;
use engine::command::{ComboCreate, Command, Deposit, InstrumentCreate};
use engine::event::{Confirmed, OrderExecuted};
use engine::limits::ACCOUNT_FEES;
use engine::message::{Message, ORIGIN_BYTES, ROUTE_BYTES, block};
use engine::units::{Lots, Money, Side, TickValue, Ticks};

/// Where the ledger and the engine part, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement(pub String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Default)]
pub struct Ledger {
    listings: BTreeMap<u32, Listing>,
    /// Their own executions move nothing; those of their legs do (RULES 11.5).
    combos: BTreeSet<u32>,
    accounts: BTreeMap<u32, Account>,
    deposits: Money,
    asked: Asked,
    /// What waits for the other side of its match.
    halves: Vec<Half>,
    changes: u64,
}

/// One side of a match, and the position that it is said to lead to.
#[derive(Clone, Copy)]
struct Half {
    match_id: u64,
    instrument: u32,
    account: u32,
    position: Lots,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub quote: Money,
    /// Lots by instrument id, none of them zero.
    pub positions: BTreeMap<u32, Lots>,
}

/// What turns an execution of one instrument into money.
#[derive(Clone, Copy)]
struct Listing {
    tick_size: i64,
    tick_value: TickValue,
}

/// What the last command asked for and a confirmation grants.
#[derive(Clone, Copy, Default)]
enum Asked {
    #[default]
    Nothing,
    Deposit(Deposit),
    Instrument(InstrumentCreate),
    Combo(u32),
}

impl Ledger {
    /// A command, `| Origin | Header | block |`: nothing changes until it is confirmed.
    pub fn command(&mut self, payload: &[u8]) {
        self.asked = match payload.get(ORIGIN_BYTES..).and_then(Command::read) {
            Some(Command::Deposit(deposit)) => Asked::Deposit(*deposit),
            Some(Command::InstrumentCreate(instrument)) => Asked::Instrument(*instrument),
            Some(Command::ComboCreate(combo)) => Asked::Combo(combo.instrument_id.get()),
            _ => Asked::Nothing,
        };
    }

    /// An event, `| Route | Header | block |`.
    pub fn event(&mut self, payload: &[u8]) -> Result<(), Disagreement> {
        let message = payload.get(ROUTE_BYTES..).unwrap_or_default();
        if let Some(executed) = block::<OrderExecuted>(message) {
            return self.execute(executed);
        }
        match block::<Confirmed>(message) {
            Some(confirmed) if confirmed.code.get() == 0 => self.confirm(confirmed),
            _ => Ok(()),
        }
    }

    /// Holds every balance and position against the engine's, and the sums against rules 7.1 and 7.2.
    pub fn compare(&self, engine: &Engine) -> Result<(), Disagreement> {
        if let Some(half) = self.halves.first() {
            return Err(half.alone());
        }
        self.compare_accounts(engine)?;
        self.compare_sums(engine)
    }

    fn compare_accounts(&self, engine: &Engine) -> Result<(), Disagreement> {
        let nothing = Account::default();
        let mut known = 0;
        for account in engine.accounts() {
            let ours = self.accounts.get(&account.id).unwrap_or(&nothing);
            known += usize::from(self.accounts.contains_key(&account.id));
            if ours.quote != account.quote {
                return Err(Disagreement(format!(
                    "account {}: quote sums to {}e-6, the engine has {}e-6",
                    account.id, ours.quote.0, account.quote.0
                )));
            }
            let held = engine.positions(account.id).filter(|position| position.lots != Lots::ZERO);
            let theirs = held.map(|position| (position.instrument, position.lots));
            if !ours.positions.iter().map(|(id, lots)| (*id, *lots)).eq(theirs) {
                return Err(Disagreement(format!(
                    "account {}: positions sum to {:?}",
                    account.id, ours.positions
                )));
            }
        }
        if known == self.accounts.len() {
            Ok(())
        } else {
            Err(Disagreement("an account is not the engine's".to_owned()))
        }
    }

    fn compare_sums(&self, engine: &Engine) -> Result<(), Disagreement> {
        let quote = self.accounts.values().fold(Money::ZERO, |sum, account| sum + account.quote);
        if quote != self.deposits || quote != engine.deposits() {
            return Err(Disagreement(format!(
                "all quote sums to {}e-6, deposits to {}e-6, the engine's deposits are {}e-6",
                quote.0,
                self.deposits.0,
                engine.deposits().0
            )));
        }
        let mut open: BTreeMap<u32, Lots> = BTreeMap::new();
        for (instrument, lots) in self.accounts.values().flat_map(|account| &account.positions) {
            *open.entry(*instrument).or_default() += *lots;
        }
        match open.iter().find(|(_, lots)| **lots != Lots::ZERO) {
            Some((id, lots)) => {
                Err(Disagreement(format!("instrument {id}: all positions sum to {} lots", lots.0)))
            }
            None => Ok(()),
        }
    }

    /// How often a balance or a position has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn deposits(&self) -> Money {
        self.deposits
    }

    /// The accounts that ever had a balance or a position, by id.
    pub fn accounts(&self) -> &BTreeMap<u32, Account> {
        &self.accounts
    }

    fn confirm(&mut self, confirmed: &Confirmed) -> Result<(), Disagreement> {
        match (confirmed.ref_template_id.get(), std::mem::take(&mut self.asked)) {
            (Deposit::TEMPLATE, Asked::Deposit(deposit)) => {
                let amount = Money(i128::from(deposit.amount.get()));
                self.account(deposit.account_id.get()).quote += amount;
                self.deposits += amount;
                self.changes += 1;
                Ok(())
            }
            (InstrumentCreate::TEMPLATE, Asked::Instrument(instrument)) => self.list(&instrument),
            (ComboCreate::TEMPLATE, Asked::Combo(id)) => {
                self.combos.insert(id);
                Ok(())
            }
            (Deposit::TEMPLATE | InstrumentCreate::TEMPLATE | ComboCreate::TEMPLATE, _) => {
                Err(Disagreement(format!(
                    "template {} is confirmed, which the command did not ask for",
                    confirmed.ref_template_id
                )))
            }
            _ => Ok(()),
        }
    }

    fn list(&mut self, instrument: &InstrumentCreate) -> Result<(), Disagreement> {
        let id = instrument.instrument_id.get();
        let tick_value = tick_value(instrument).ok_or_else(|| {
            Disagreement(format!("instrument {id} is listed, but one tick of one lot is no whole 1e-6"))
        })?;
        self.listings.insert(id, Listing { tick_size: instrument.tick_size.get(), tick_value });
        Ok(())
    }

    /// RULES 5.4 and 6.1: the value moves between buyer and seller, the fee to account 2. Each side has its own event.
    fn execute(&mut self, executed: &OrderExecuted) -> Result<(), Disagreement> {
        let (instrument, id) = (executed.instrument_id.get(), executed.account_id.get());
        if self.combos.contains(&instrument) {
            return Ok(());
        }
        let wrong = |why: &str| Disagreement(format!("match {}: account {id}, {why}", executed.match_id));
        let listing = self.listings.get(&instrument).ok_or_else(|| wrong("its instrument is not listed"))?;
        let side = Side::from_wire(executed.side).ok_or_else(|| wrong("its side is unknown"))?;
        let lots = Lots(executed.last_qty.get());
        let value =
            listing.value(executed.last_px.get(), lots).ok_or_else(|| wrong("its price is off the tick"))?;
        let fee = Money(i128::from(executed.fee.get()));

        let account = self.account(id);
        account.quote += match side {
            Side::Buy => -value,
            Side::Sell => value,
        };
        account.quote -= fee;
        account.trade(instrument, side.signed(lots));
        self.account(ACCOUNT_FEES).quote += fee;
        self.changes += 1;
        self.pair(Half {
            match_id: executed.match_id.get(),
            instrument,
            account: id,
            position: Lots(executed.position.get()),
        })
    }

    /// RULES 5.3: what both sides are said to hold is so after both, which may be one account's; in a combo leg by leg.
    fn pair(&mut self, half: Half) -> Result<(), Disagreement> {
        if let Some(stale) = self.halves.iter().find(|other| other.match_id != half.match_id) {
            return Err(stale.alone());
        }
        let Some(place) = self.halves.iter().position(|other| other.instrument == half.instrument) else {
            self.halves.push(half);
            return Ok(());
        };
        let first = self.halves.swap_remove(place);
        [first, half].iter().try_for_each(|half| self.check_position(half))
    }

    fn check_position(&self, half: &Half) -> Result<(), Disagreement> {
        let position = self.accounts[&half.account].lots(half.instrument);
        if position == half.position {
            return Ok(());
        }
        Err(Disagreement(format!(
            "match {}: account {}, its position is said as {}, the sum is {}",
            half.match_id, half.account, half.position.0, position.0
        )))
    }

    fn account(&mut self, id: u32) -> &mut Account {
        self.accounts.entry(id).or_default()
    }
}

impl Account {
    fn trade(&mut self, instrument: u32, lots: Lots) {
        let position = self.positions.entry(instrument).or_default();
        *position += lots;
        if *position == Lots::ZERO {
            self.positions.remove(&instrument);
        }
    }

    fn lots(&self, instrument: u32) -> Lots {
        self.positions.get(&instrument).copied().unwrap_or_default()
    }
}

impl Half {
    fn alone(&self) -> Disagreement {
        Disagreement(format!(
            "match {}: its other side in instrument {} is missing",
            self.match_id, self.instrument
        ))
    }
}

impl Listing {
    /// `None` where `price` is no whole number of ticks, or the product is beyond any fill that the rules allow.
    fn value(&self, price: i64, lots: Lots) -> Option<Money> {
        if price % self.tick_size != 0 {
            return None;
        }
        let ticks = i128::from(Ticks(price / self.tick_size).0);
        ticks.checked_mul(i128::from(lots.0))?.checked_mul(i128::from(self.tick_value.0)).map(Money)
    }
}

/// RULES 3.3: `tick_size * lot_size * contract_size / 10^21`, a whole number.
fn tick_value(instrument: &InstrumentCreate) -> Option<TickValue> {
    const SCALE: i128 = 1_000_000_000_000_000_000_000;
    let sizes = [instrument.tick_size, instrument.lot_size, instrument.contract_size].map(|size| size.get());
    let product = sizes.iter().try_fold(1_i128, |product, size| product.checked_mul(i128::from(*size)))?;
    if sizes.iter().any(|size| *size <= 0) || product % SCALE != 0 {
        return None;
    }
    i64::try_from(product / SCALE).ok().map(TickValue)
}
