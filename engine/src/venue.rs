//! An open venue: all its state in one struct, and the precedence of the rules of section 2 for every command. Decides who
//! is heard; what the command then does stands in `privileged`, `entry`, `amend`, `cancel`, `mass_cancel`,
//! `mass_quote`, `protection`, `matching` and `standstill`.

use zerocopy::little_endian::{U16, U32, U64};

use crate::account::Accounts;
use crate::closed_ids::ClosedIds;
use crate::command::{Command, Logon, VenueOpen, template_of};
use crate::continuation::Continuation;
use crate::emit::Voice;
use crate::event::{EventSink, NotApplied, SessionReject};
use crate::expiry::Due;
use crate::instrument::Instruments;
use crate::ladder::Levels;
use crate::limits::Limits;
use crate::message::Origin;
use crate::order::Orders;
use crate::position::Positions;
use crate::protection::Groups;
use crate::reject::Reject;
use crate::session::{Sessions, Turn, VenueTerms, logon_reject};
use crate::standstill::Standstill;
use crate::table::HashKey;
use crate::timers::Timers;
use crate::units::Money;

pub struct Venue {
    pub venue_id: u64,
    pub engine_epoch: u64,
    pub hash_key: [u64; 2],
    pub limits: Limits,
    /// Serial of the next accepted order, and number of the next match.
    pub next_serial: u64,
    pub next_match: u64,
    /// What stopped at the cap on steps (rule 5.6), and how many are left to the present command.
    pub continuation: Continuation,
    pub steps_left: u32,
    pub deposits: Money,
    pub standstill: Standstill,
    pub accounts: Accounts,
    pub positions: Positions,
    pub instruments: Instruments,
    pub levels: Levels,
    pub orders: Orders,
    pub closed_ids: ClosedIds,
    /// When the open orders that have an expiry end; the slot is the place of their terms, the rank their id.
    pub expiries: Timers,
    /// When the instruments that are in Auction are told of next, or opened; slot and rank are the id.
    pub auctions: Timers,
    pub sessions: Sessions,
    pub groups: Groups,
}

impl Venue {
    /// Takes all memory that this venue will ever use, or names the field whose capacity is out of range (rule 3.2).
    pub fn open(open: &VenueOpen) -> Result<Venue, u16> {
        let hash_key = open.hash_key.map(U64::get);
        Ok(Venue::empty(open.venue_id.get(), open.engine_epoch.get(), hash_key, Limits::read(open)?))
    }

    pub fn empty(venue_id: u64, engine_epoch: u64, hash_key: [u64; 2], limits: Limits) -> Venue {
        let key = HashKey::new(hash_key);
        Venue {
            venue_id,
            engine_epoch,
            hash_key,
            limits,
            next_serial: 1,
            next_match: 1,
            continuation: Continuation::Nothing,
            steps_left: 0,
            deposits: Money::ZERO,
            standstill: Standstill::None,
            accounts: Accounts::new(limits.accounts),
            positions: Positions::new(limits.positions, key),
            instruments: Instruments::new(limits.instruments),
            levels: Levels::new(limits.levels, key),
            orders: Orders::new(limits.orders, limits.special_orders, key),
            closed_ids: ClosedIds::new(limits.closed_ids, key),
            expiries: Timers::new(limits.special_orders),
            auctions: Timers::new(limits.instruments + 1),
            sessions: Sessions::new(limits.sessions, key),
            groups: Groups::new(limits.mmp_groups, key),
        }
    }

    pub fn apply<S: EventSink>(&mut self, voice: &mut Voice<'_, S>) {
        self.steps_left = self.limits.matches_per_command;
        let command = Command::read(voice.command.message);
        let from_venue = voice.command.origin.session.get() == 0;
        if let (true, Some(Command::VenueState(request))) = (from_venue, command) {
            // Rule 10.6: it waits for nothing, not even for what is due.
            self.change_venue_state(voice, request);
        } else if let Some(due) = self.due(voice.command.ts_ns) {
            let allowed = command.filter(|command| from_venue && due.allows(command));
            assert!(allowed.is_some(), "{due} stands before any other command");
            match (due, command) {
                (Due::Continue(id), Some(Command::Continue(next))) if next.order_id.get() == id => {
                    self.go_on(voice);
                }
                (Due::Continue(_), _) => (),
                (Due::Tick, _) => self.tick(voice),
            }
        } else if from_venue {
            self.hear_venue(voice, command);
        } else {
            self.hear_session(voice, command);
        }
    }

    /// Is there a step left (rule 5.6)? Then it is taken.
    pub fn take_step(&mut self) -> bool {
        let left = self.steps_left > 0;
        self.steps_left = self.steps_left.saturating_sub(1);
        left
    }

    /// Takes steps that must not wait: they may pass the cap.
    pub fn take_more_steps(&mut self, count: u32) {
        self.steps_left = self.steps_left.saturating_sub(count);
    }

    /// Rule 3.1: the venue gives itself privileged commands only. A `Continue` or a `Tick` that is due never comes here.
    fn hear_venue<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, command: Option<Command<'_>>) {
        if let Some(command) = command {
            self.apply_privileged(voice, None, command);
        }
    }

    /// Rules 2.1 to 2.6 in their order.
    fn hear_session<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, command: Option<Command<'_>>) {
        let origin = voice.command.origin;
        let found = self.sessions.find(origin.session.get());
        if let Some(Command::Logon(logon)) = command {
            return self.log_on(voice, found, logon);
        }
        let Some(sender) = found else { return };
        if self.sessions.at(sender).connection != Some(origin.connection.get()) {
            return;
        }
        self.sessions.catch_up(sender);
        if !self.take_turn(voice, sender, origin) {
            return;
        }
        let template = template_of(voice.command.message);
        match command {
            None => self.reject_session(voice, sender, shape_reject(template), template, 0),
            Some(Command::Continue(_) | Command::Tick(_) | Command::VenueState(_)) => {
                self.reject_session(voice, sender, Reject::UnknownTemplate.code(), template, 0);
            }
            Some(Command::Refused(refused)) => {
                let (template, field) = (refused.ref_template_id.get(), refused.ref_field_id.get());
                self.reject_session(voice, sender, refused.code.get(), template, field);
            }
            Some(Command::NewOrder(request)) => self.enter_order(voice, sender, request),
            Some(Command::NewTriggerOrder(request)) => self.enter_trigger(voice, sender, request),
            Some(Command::ModifyOrder(request)) => self.modify_order(voice, sender, request),
            Some(Command::CancelOrder(request)) => self.cancel_order(voice, sender, request),
            Some(Command::MassCancel(request)) => self.mass_cancel(voice, sender, request),
            Some(Command::MassQuote(quotes)) => self.mass_quote(voice, sender, quotes),
            Some(Command::MmpConfig(request)) => self.configure_group(voice, sender, request),
            Some(Command::OpenOrdersRequest(request)) => self.list_open_orders(voice, sender, request),
            Some(Command::ExecHistoryRequest(request)) => self.grant_history(voice, sender, request),
            Some(privileged) => self.apply_privileged(voice, Some(sender), privileged),
        }
    }

    fn log_on<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, found: Option<u32>, logon: &Logon) {
        let origin = voice.command.origin;
        let Some(slot) = found else {
            let session = origin.session.get();
            return voice.tell_unnumbered(session, logon_reject(session, Reject::UnknownSession));
        };
        self.sessions.catch_up(slot);
        let terms = VenueTerms {
            engine_epoch: self.engine_epoch,
            ts_ns: voice.command.ts_ns,
            orders_per_account: self.limits.orders_per_account,
            trading_state: self.standstill.state(),
        };
        let session = self.sessions.at_mut(slot);
        match session.log_on(origin, logon, &terms) {
            Ok(ack) => voice.tell(session, ack),
            Err(reject) => voice.tell(session, logon_reject(session.id, reject)),
        }
    }

    /// Rule 2.4: is the command to be applied?
    fn take_turn<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, sender: u32, origin: &Origin) -> bool {
        let session = self.sessions.at_mut(sender);
        match session.take_turn(origin) {
            Turn::Next => true,
            Turn::AfterHole { from_seq, count } => {
                let from_seq = U64::new(from_seq);
                voice.tell(session, NotApplied { from_seq, count: U32::new(count), pad_a: U32::new(0) });
                true
            }
            Turn::Repeated => false,
            Turn::Refused(reject) => {
                self.reject_session(voice, sender, reject.code(), template_of(voice.command.message), 0);
                false
            }
        }
    }

    fn reject_session<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        code: u16,
        template: u16,
        field: u16,
    ) {
        let block = SessionReject {
            ref_seq: voice.command.origin.client_seq,
            code: U16::new(code),
            ref_template_id: U16::new(template),
            ref_field_id: U16::new(field),
            pad_a: U16::new(0),
        };
        voice.tell(self.sessions.at_mut(sender), block);
    }
}

/// Rule 2.6: what is wrong with a message that is no command.
fn shape_reject(template: u16) -> u16 {
    let known = crate::command::is_command(template);
    if known { Reject::BadBlockLength.code() } else { Reject::UnknownTemplate.code() }
}
