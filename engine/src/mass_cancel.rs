//! Mass cancels: the rules of 5.20 to 5.22 and 12.3. The orders of one account are looked at in the order of their serials, so
//! many a command, and those that are named leave; what is left waits as a continuation.

use zerocopy::little_endian::{U16, U32, U64};

use crate::command::{MassCancel, side_or_both};
use crate::continuation::Continuation;
use crate::emit::{Reference, Voice};
use crate::event::{EventSink, MassCancelAck, reason};
use crate::order::Order;
use crate::pool::NONE;
use crate::reject::Reject;
use crate::units::{Lots, Side};
use crate::venue::Venue;

/// Which orders of the account are meant, as MassScope on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Session,
    Account,
    Instrument(u32),
    Underlying(u32),
    Product {
        kind: u8,
        /// 0 is any.
        underlying: u32,
    },
    MmpGroup(u16),
}

impl Scope {
    pub fn read(request: &MassCancel) -> Option<Scope> {
        let target = match request.scope {
            3 => request.instrument_id.get(),
            6 => request.mmp_group.get().into(),
            _ => request.underlying_id.get(),
        };
        Scope::from_wire(request.scope, target, request.kind)
    }

    /// `target` is the instrument, the underlying or the group, and means nothing to the first two; `kind` means something
    /// to the fifth alone.
    pub fn from_wire(value: u8, target: u32, kind: u8) -> Option<Scope> {
        match value {
            1 => Some(Scope::Session),
            2 => Some(Scope::Account),
            3 => Some(Scope::Instrument(target)),
            4 => Some(Scope::Underlying(target)),
            5 => Some(Scope::Product { kind, underlying: target }),
            6 => u16::try_from(target).ok().map(Scope::MmpGroup),
            _ => None,
        }
    }

    /// The wire's value, the target and the kind.
    pub fn to_wire(self) -> (u8, u32, u8) {
        match self {
            Scope::Session => (1, 0, 0),
            Scope::Account => (2, 0, 0),
            Scope::Instrument(id) => (3, id, 0),
            Scope::Underlying(id) => (4, id, 0),
            Scope::Product { kind, underlying } => (5, underlying, kind),
            Scope::MmpGroup(group) => (6, group.into(), 0),
        }
    }
}

/// `None` inside is both.
pub fn sides_from_wire(value: u8) -> Option<Option<Side>> {
    if value == side_or_both::BOTH { Some(None) } else { Side::from_wire(value).map(Some) }
}

pub fn sides_to_wire(side: Option<Side>) -> u8 {
    side.map_or(side_or_both::BOTH, |side| side as u8)
}

/// `MassCancel::block_new` on the wire.
const LEAVE: u8 = 0;
const BLOCK: u8 = 1;
const UNBLOCK: u8 = 2;

/// A mass cancel under way.
#[derive(Clone, Copy)]
pub struct MassCanceling {
    pub sender: u32,
    pub cl_ord_id: u64,
    /// What the ack repeats, whichever command says it (rule 5.22).
    pub reference: Reference,
    pub scope: Scope,
    /// `None` is both.
    pub side: Option<Side>,
    pub canceled: u32,
    /// Orders of the account before this slot's in its list are done with.
    pub next: u32,
}

/// What a mass cancel asks for, once its form is known to be good.
struct Wanted {
    scope: Scope,
    side: Option<Side>,
    /// `None` leaves the block as it is.
    blocked: Option<bool>,
}

impl Venue {
    pub fn mass_cancel<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, sender: u32, request: &MassCancel) {
        let reference = voice.reference(self.sessions.at(sender).id);
        let wanted = match self.read_mass_cancel(sender, request) {
            Ok(wanted) => wanted,
            Err(reject) => {
                return self.acknowledge(voice, sender, request.cl_ord_id.get(), reference, 0, reject.code());
            }
        };
        let account = &mut self.accounts[request.account_id.get()];
        if let Some(blocked) = wanted.blocked {
            account.set_blocked(blocked);
        }
        let work = MassCanceling {
            sender,
            cl_ord_id: request.cl_ord_id.get(),
            reference,
            scope: wanted.scope,
            side: wanted.side,
            canceled: 0,
            next: account.oldest,
        };
        self.run_mass_cancel(voice, work);
    }

    /// Rule 5.20 in its order.
    fn read_mass_cancel(&self, sender: u32, request: &MassCancel) -> Result<Wanted, Reject> {
        let session = self.sessions.at(sender);
        self.check_may_cancel(session).map_err(|refusal| refusal.reject)?;
        self.check_account(session, request.account_id.get(), 0).map_err(|refusal| refusal.reject)?;
        let scope = Scope::read(request).ok_or(Reject::InvalidCombination)?;
        let side = sides_from_wire(request.side).ok_or(Reject::InvalidSide)?;
        let blocked = match request.block_new {
            LEAVE => None,
            BLOCK => Some(true),
            UNBLOCK => Some(false),
            _ => return Err(Reject::InvalidCombination),
        };
        match scope {
            Scope::Instrument(id) if !self.instruments.contains(id) => Err(Reject::UnknownInstrument),
            Scope::MmpGroup(group) if self.groups.find(session.account, group).is_none() => {
                Err(Reject::MmpNotConfigured)
            }
            _ => Ok(Wanted { scope, side, blocked }),
        }
    }

    /// Rules 5.22 and 5.23, as far as the steps of one command go.
    pub fn run_mass_cancel<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, mut work: MassCanceling) {
        if !self.may_name(&work) {
            work.next = NONE;
        }
        while let Some(order) = self.orders.find_at(work.next).copied() {
            if !self.take_step() {
                self.continuation = Continuation::MassCancel(work);
                return;
            }
            work.next = order.after;
            if self.names(&work, &order) {
                work.canceled += 1;
                let (to, leaves) = (order.session(), order.leaves());
                self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::MASS_CANCEL);
                self.remove(&order);
                self.leave_position(order.position);
            }
        }
        self.acknowledge(voice, work.sender, work.cl_ord_id, work.reference, work.canceled, 0);
    }

    /// Rule 5.23: can an order be named at all, as far as counts tell that are kept anyway?
    fn may_name(&self, work: &MassCanceling) -> bool {
        let sender = self.sessions.at(work.sender);
        let account = &self.accounts[sender.account];
        let counted = match work.scope {
            Scope::Session => sender.open_orders,
            Scope::MmpGroup(number) => {
                self.groups.find(sender.account, number).map_or(0, |slot| self.groups.at(slot).members)
            }
            _ => account.open_orders(),
        };
        let has_open = |slot: u32| {
            let position = self.positions.at(slot);
            let open = |side| position.open_lots(side) > Lots::ZERO;
            self.positions.armed(slot) > 0 || work.side.map_or(open(Side::Buy) || open(Side::Sell), open)
        };
        counted > 0
            && match work.scope {
                Scope::Instrument(id) => self.positions.find(sender.account, id).is_some_and(has_open),
                scope => self
                    .positions
                    .slots_of(account)
                    .any(|slot| self.covers(scope, self.positions.at(slot).instrument) && has_open(slot)),
            }
    }

    pub fn names(&self, work: &MassCanceling, order: &Order) -> bool {
        let in_scope = match work.scope {
            Scope::Session => order.session() == work.sender,
            Scope::MmpGroup(group) => self.group_number(order) == group,
            scope => self.covers(scope, self.positions.at(order.position).instrument),
        };
        in_scope && work.side.is_none_or(|side| side == order.side())
    }

    /// May a scope name orders in this instrument?
    fn covers(&self, scope: Scope, instrument: u32) -> bool {
        match scope {
            Scope::Session | Scope::Account | Scope::MmpGroup(_) => true,
            Scope::Instrument(id) => instrument == id,
            Scope::Underlying(id) => self.instruments.listing(instrument).underlying_id == id,
            Scope::Product { kind, underlying } => {
                let listing = self.instruments.listing(instrument);
                listing.kind == kind && (underlying == 0 || listing.underlying_id == underlying)
            }
        }
    }

    fn acknowledge<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        to: u32,
        cl_ord_id: u64,
        reference: Reference,
        canceled: u32,
        code: u16,
    ) {
        let block = MassCancelAck {
            exec_id: voice.exec_id(),
            order_id: U64::new(0),
            cl_ord_id: U64::new(cl_ord_id),
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            canceled: U32::new(canceled),
            code: U16::new(code),
            pad_a: U16::new(0),
        };
        voice.tell(self.sessions.at_mut(to), block);
    }
}
