//! Privileged commands: who may give them, and what each does (section 3). Every one is answered by one `Confirmed`.

use zerocopy::little_endian::{I64, U16};

use crate::combo;
use crate::command::{
    AccountCreate, ComboCreate, Command, Deposit, IndexPrice, InstrumentCreate, InstrumentState, MarkPrice,
    Role, Sensitivity, SessionCreate, VenueOpen,
};
use crate::emit::Voice;
use crate::event::{Confirmed, EventSink};
use crate::instrument::{BadPrice, list};
use crate::limits::{DEPOSIT_MAX, SENSITIVITY_MAX};
use crate::message::Message;
use crate::reject::Reject;
use crate::session::Session;
use crate::units::{Money, Ticks};
use crate::venue::Venue;

/// Why a privileged command was refused, and the field that is to blame.
pub type Refusal = (Reject, u16);

const DONE: (u16, u16) = (0, 0);

impl Venue {
    /// `sender` is `None` for the venue itself, which may give each of them (rule 3.1). Any other command has no effect.
    pub fn apply_privileged<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: Option<u32>,
        command: Command<'_>,
    ) {
        let role = sender.map(|slot| self.sessions.at(slot).role);
        let may = |only: Role| {
            if role.is_none_or(|role| role == only) { Ok(()) } else { Err((Reject::Permission, 0)) }
        };
        let mut change = None;
        let moved = match command {
            Command::MarkPrice(request) => Some(request.instrument_id.get()),
            Command::IndexPrice(request) => Some(request.instrument_id.get()),
            _ => None,
        };
        let (template, outcome) = match command {
            Command::VenueOpen(_) => {
                let taken = may(Role::Admin).and(Err((Reject::AlreadyExists, 0)));
                (VenueOpen::TEMPLATE, taken)
            }
            Command::InstrumentCreate(request) => {
                let outcome = may(Role::Admin).and_then(|()| self.create_instrument(request));
                (InstrumentCreate::TEMPLATE, outcome)
            }
            Command::ComboCreate(request) => {
                let outcome = may(Role::Admin).and_then(|()| self.create_combo(request));
                (ComboCreate::TEMPLATE, outcome)
            }
            Command::InstrumentState(request) => {
                let now_ns = voice.command.ts_ns;
                let read = may(Role::Admin).and_then(|()| self.read_state(now_ns, request));
                change = read.ok();
                (InstrumentState::TEMPLATE, read.map(drop))
            }
            Command::AccountCreate(request) => {
                let outcome = may(Role::Admin).and_then(|()| self.create_account(request));
                (AccountCreate::TEMPLATE, outcome)
            }
            Command::SessionCreate(request) => {
                let outcome = may(Role::Admin).and_then(|()| self.create_session(request));
                (SessionCreate::TEMPLATE, outcome)
            }
            Command::MarkPrice(request) => {
                (MarkPrice::TEMPLATE, may(Role::Oracle).and_then(|()| self.set_mark(request)))
            }
            Command::Sensitivity(request) => {
                let outcome = may(Role::RiskModel).and_then(|()| self.set_sensitivity(request));
                (Sensitivity::TEMPLATE, outcome)
            }
            Command::IndexPrice(request) => {
                (IndexPrice::TEMPLATE, may(Role::Oracle).and_then(|()| self.set_index(request)))
            }
            Command::Deposit(request) => {
                (Deposit::TEMPLATE, may(Role::Bridge).and_then(|()| self.deposit(request)))
            }
            Command::Logon(_)
            | Command::NewOrder(_)
            | Command::NewTriggerOrder(_)
            | Command::ModifyOrder(_)
            | Command::CancelOrder(_)
            | Command::MassCancel(_)
            | Command::MassQuote(_)
            | Command::MmpConfig(_)
            | Command::OpenOrdersRequest(_)
            | Command::ExecHistoryRequest(_)
            | Command::Refused(_)
            | Command::Continue(_)
            | Command::Tick(_)
            | Command::VenueState(_) => return,
        };
        let block = confirmed(voice, template, outcome);
        match sender {
            Some(slot) => voice.tell(self.sessions.at_mut(slot), block),
            None => voice.tell_unnumbered(0, block),
        }
        if let Some(change) = change {
            self.change_state(voice, change);
        }
        if let (Ok(()), Some(instrument)) = (outcome, moved) {
            self.look_at_triggers(voice, instrument);
        }
    }

    /// Rule 3.3.
    fn create_instrument(&mut self, request: &InstrumentCreate) -> Result<(), Refusal> {
        let id = request.instrument_id.get();
        self.check_new_instrument(id, 7)?;
        let (instrument, listing) = list(request)?;
        self.instruments.create(id, instrument, listing);
        Ok(())
    }

    /// Rule 11.1.
    fn create_combo(&mut self, request: &ComboCreate) -> Result<(), Refusal> {
        let id = request.instrument_id.get();
        self.check_new_instrument(id, 5)?;
        let (instrument, listing) = combo::list(&self.instruments, request)?;
        self.instruments.create(id, instrument, listing);
        Ok(())
    }

    fn check_new_instrument(&self, id: u32, field: u16) -> Result<(), Refusal> {
        if id == 0 || id > self.limits.instruments {
            return Err((Reject::InvalidParameter, field));
        }
        if self.instruments.contains(id) {
            return Err((Reject::AlreadyExists, field));
        }
        Ok(())
    }

    /// Rule 3.4.
    fn create_account(&mut self, request: &AccountCreate) -> Result<(), Refusal> {
        let id = request.account_id.get();
        if id == 0 {
            return Err((Reject::InvalidParameter, 2));
        }
        if id > self.limits.accounts {
            return Err((Reject::Capacity, 2));
        }
        if self.accounts.contains(id) {
            return Err((Reject::AlreadyExists, 2));
        }
        self.accounts.create(id, request.name, request.owner.get());
        Ok(())
    }

    /// Rule 3.5.
    fn create_session(&mut self, request: &SessionCreate) -> Result<(), Refusal> {
        let (id, account) = (request.session_id.get(), request.account_id.get());
        if id == 0 {
            return Err((Reject::InvalidParameter, 1));
        }
        if self.sessions.find(id).is_some() {
            return Err((Reject::AlreadyExists, 1));
        }
        let role = Role::from_wire(request.role).ok_or((Reject::InvalidParameter, 3))?;
        let rising_ids = request.rising_ids == 1;
        if request.rising_ids > 1 || rising_ids && role != Role::Trade {
            return Err((Reject::InvalidParameter, 4));
        }
        if has_account(role) {
            if !self.accounts.contains(account) {
                return Err((Reject::UnknownAccount, 2));
            }
        } else if account != 0 {
            return Err((Reject::InvalidParameter, 2));
        }
        if self.sessions.is_full() {
            return Err((Reject::Capacity, 1));
        }
        self.sessions.create(Session { rising_ids, ..Session::new(id, account, role) });
        Ok(())
    }

    /// Rule 3.6.
    fn set_mark(&mut self, request: &MarkPrice) -> Result<(), Refusal> {
        let id = request.instrument_id.get();
        let mark = self.read_reference(id, request.price.get())?;
        self.instruments[id].mark = mark;
        Ok(())
    }

    /// Rule 3.10.
    fn set_sensitivity(&mut self, request: &Sensitivity) -> Result<(), Refusal> {
        let id = request.instrument_id.get();
        if !self.instruments.contains(id) {
            return Err((Reject::UnknownInstrument, 3));
        }
        let (delta, vega) = (request.delta.get(), request.vega.get());
        for (value, field) in [(delta, 1), (vega, 2)] {
            if !(-SENSITIVITY_MAX..=SENSITIVITY_MAX).contains(&value) {
                return Err((Reject::InvalidParameter, field));
            }
        }
        let listing = self.instruments.listing_mut(id);
        (listing.delta, listing.vega) = (delta, vega);
        Ok(())
    }

    /// Rule 3.9.
    fn set_index(&mut self, request: &IndexPrice) -> Result<(), Refusal> {
        let id = request.instrument_id.get();
        let index = self.read_reference(id, request.price.get())?;
        self.instruments.triggers_mut(id).index = Some(index);
        Ok(())
    }

    /// Rule 3.6.
    fn read_reference(&self, instrument: u32, price: i64) -> Result<Ticks, Refusal> {
        let row = self.instruments.find(instrument).ok_or((Reject::UnknownInstrument, 2))?;
        if row.is_combo {
            // Rule 11.2: its mark is its legs', and nothing follows it.
            return Err((Reject::InvalidParameter, 2));
        }
        row.ticks(price).map_err(|bad| match bad {
            BadPrice::OutOfRange => (Reject::InvalidParameter, 1),
            BadPrice::OffTick => (Reject::PriceNotOnTick, 1),
        })
    }

    /// Rule 3.7.
    fn deposit(&mut self, request: &Deposit) -> Result<(), Refusal> {
        let (id, amount) = (request.account_id.get(), request.amount.get());
        if !self.accounts.contains(id) {
            return Err((Reject::UnknownAccount, 3));
        }
        if !(1..=DEPOSIT_MAX).contains(&amount) {
            return Err((Reject::InvalidParameter, 2));
        }
        let amount = Money(i128::from(amount));
        self.accounts[id].quote += amount;
        self.deposits += amount;
        Ok(())
    }
}

/// Roles that act for one account.
pub fn has_account(role: Role) -> bool {
    matches!(role, Role::Trade | Role::ReadOnly | Role::CancelOnly)
}

/// The answer to the opening itself, told to nobody: before it no session exists.
pub fn confirm_opening<S: EventSink>(voice: &mut Voice<'_, S>, wrong_field: Option<u16>) {
    let outcome = wrong_field.map_or(Ok(()), |field| Err((Reject::InvalidParameter, field)));
    let block = confirmed(voice, VenueOpen::TEMPLATE, outcome);
    voice.tell_unnumbered(0, block);
}

pub fn confirmed<S: EventSink>(
    voice: &Voice<'_, S>,
    template: u16,
    outcome: Result<(), Refusal>,
) -> Confirmed {
    let (code, field) = outcome.err().map_or(DONE, |(reject, field)| (reject.code(), field));
    Confirmed {
        exec_id: voice.exec_id(),
        ref_seq: voice.command.origin.client_seq,
        match_time: voice.time(),
        detail: I64::new(0),
        code: U16::new(code),
        ref_template_id: U16::new(template),
        ref_field_id: U16::new(field),
        pad_a: U16::new(0),
    }
}
