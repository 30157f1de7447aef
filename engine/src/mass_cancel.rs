//! Mass cancels: the rules of 5.20 to 5.22 and 12.3. The orders of one account leave in the order of their serials, so many a
//! command; what is left waits as a continuation.

use zerocopy::little_endian::{U16, U32, U64};

use crate::command::MassCancel;
use crate::continuation::Continuation;
use crate::emit::{Reference, Voice};
use crate::event::{EventSink, MassCancelAck, reason};
use crate::order::Order;
use crate::reject::Reject;
use crate::units::Side;
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

/// SideOrBoth on the wire.
const SIDE_BOTH: u8 = 3;

/// `None` inside is both.
pub fn sides_from_wire(value: u8) -> Option<Option<Side>> {
    if value == SIDE_BOTH { Some(None) } else { Side::from_wire(value).map(Some) }
}

pub fn sides_to_wire(side: Option<Side>) -> u8 {
    side.map_or(SIDE_BOTH, |side| side as u8)
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
    /// Orders of the account below this slot's in the list are done with. Where the list starts is as good: it only saves
    /// the walk.
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

    /// Rule 5.22, as far as the steps of one command go.
    pub fn run_mass_cancel<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, mut work: MassCanceling) {
        while let Some(order) = self.next_named(&work).copied() {
            if !self.take_step() {
                work.next = order.slot();
                self.continuation = Continuation::MassCancel(work);
                return;
            }
            (work.canceled, work.next) = (work.canceled + 1, order.after);
            let (to, leaves) = (order.session(), order.leaves());
            self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::MASS_CANCEL);
            self.remove(&order);
            self.leave_position(order.position);
        }
        self.acknowledge(voice, work.sender, work.cl_ord_id, work.reference, work.canceled, 0);
    }

    /// The next order that is to be canceled.
    pub fn next_named(&self, work: &MassCanceling) -> Option<&Order> {
        self.orders.listed_from(work.next).find(|order| self.names(work, order))
    }

    fn names(&self, work: &MassCanceling, order: &Order) -> bool {
        let instrument = self.positions.at(order.position).instrument;
        let in_scope = match work.scope {
            Scope::Session => order.session() == work.sender,
            Scope::Account => true,
            Scope::Instrument(id) => instrument == id,
            Scope::Underlying(id) => self.instruments.listing(instrument).underlying_id == id,
            Scope::Product { kind, underlying } => {
                let listing = self.instruments.listing(instrument);
                listing.kind == kind && (underlying == 0 || listing.underlying_id == underlying)
            }
            Scope::MmpGroup(group) => self.group_number(order) == group,
        };
        in_scope && work.side.is_none_or(|side| side == order.side())
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
