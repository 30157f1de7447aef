//! What a venue can say, decoded: total over all bytes that make a frame. Knows no sequence.

use engine::event::{
    Confirmed, LogonAck, LogonReject, MassCancelAck, MassQuoteAck, MmpTriggered, NotApplied, OrderAccepted,
    OrderCanceled, OrderExecuted, OrderModified, OrderRejected, QuoteAckEntry, RequestComplete,
    SessionReject,
};
use engine::message::{Message, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION, group};

use super::{ClientError, Resumed};
use crate::frame::{END_OF_EVENT, Frame, POSSIBLE_RESEND, RETRANSMIT, SNAPSHOT};
use crate::message::{Challenge, Heartbeat, Logout, Retransmission, RetransmitReject, TestRequest};

/// First template that takes a sequence number.
pub(super) const NUMBERED_FROM: u16 = 100;

/// One thing that the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number in the session, from 1 on without a gap; 0 for what takes none.
    pub server_seq: u64,
    /// When the venue sent it, in ns since 1970.
    pub send_time: u64,
    /// The venue says it again, or for the first time but late, after a logon.
    pub retransmitted: bool,
    /// The last message of what one command did.
    pub end_of_event: bool,
    /// What it says.
    pub body: Body,
}

impl Event {
    /// Told before, to this session or to another of the account, and told again because the client asked for history.
    pub fn is_history(&self) -> bool {
        self.retransmitted && self.server_seq == 0
    }
}

/// The venue's messages, as far as a member is told of them; `engine/RULES.md` says when each is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An order rests, or is armed, or is about to trade.
    Accepted(OrderAccepted),
    /// A request was refused, or an armed order at its trigger.
    Rejected(OrderRejected),
    /// An order was amended, or has fired.
    Modified(OrderModified),
    /// An order ended without being filled whole.
    Canceled(OrderCanceled),
    /// An order traded.
    Executed(OrderExecuted),
    /// The answer to a mass cancel.
    MassCanceled(MassCancelAck),
    /// The answer to a mass quote, with one entry for each of the request.
    Quoted(MassQuoteAck, Vec<QuoteAckEntry>),
    /// A protection group was breached, and all its orders are canceled.
    MmpTriggered(MmpTriggered),
    /// The answer to a privileged command.
    Confirmed(Confirmed),
    /// An open order as it stands, because the client asked.
    OpenOrder(OrderAccepted),
    /// The end of an answer of many parts, or the whole answer to a request that has none.
    Complete(RequestComplete),
    /// Commands that never reached the venue and never will.
    NotApplied(NotApplied),
    /// A frame that was not taken as a command; with `ref_seq` 0 the venue's state has changed.
    SessionReject(SessionReject),
    /// The client logged on again by itself; what it missed follows.
    Resumed(Resumed),
    /// A numbered message that this build does not know.
    Unknown {
        /// Of the message.
        template_id: u16,
    },
}

impl Body {
    /// The venue's id of an event of an order; 0 where there is none.
    pub fn exec_id(&self) -> u64 {
        match self {
            Body::Accepted(body) => body.exec_id.get(),
            Body::Rejected(body) => body.exec_id.get(),
            Body::Modified(body) => body.exec_id.get(),
            Body::Canceled(body) => body.exec_id.get(),
            Body::Executed(body) => body.exec_id.get(),
            Body::MassCanceled(body) => body.exec_id.get(),
            Body::Quoted(body, _) => body.exec_id.get(),
            Body::MmpTriggered(body) => body.exec_id.get(),
            _ => 0,
        }
    }

    /// The client's number that this answers; 0 when it answers none.
    pub fn ref_seq(&self) -> u64 {
        match self {
            Body::Accepted(body) => body.ref_seq.get(),
            Body::Rejected(body) => body.ref_seq.get(),
            Body::Modified(body) => body.ref_seq.get(),
            Body::MassCanceled(body) => body.ref_seq.get(),
            Body::Quoted(body, _) => body.ref_seq.get(),
            Body::Canceled(body) => body.ref_seq.get(),
            Body::Executed(body) => body.ref_seq.get(),
            Body::Confirmed(body) => body.ref_seq.get(),
            Body::OpenOrder(body) => body.ref_seq.get(),
            Body::Complete(body) => body.ref_seq.get(),
            Body::SessionReject(body) => body.ref_seq.get(),
            Body::MmpTriggered(_) | Body::NotApplied(_) | Body::Resumed(_) | Body::Unknown { .. } => 0,
        }
    }
}

/// A frame as the session sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Told(Event),
    Challenge(Challenge),
    LogonAck(LogonAck),
    LogonReject(LogonReject),
    Logout(Logout),
    Heartbeat(Heartbeat),
    TestRequest(TestRequest),
    /// An answer to a request that this client never makes.
    Unasked,
}

pub(super) fn read(frame: &Frame<'_>) -> Result<Heard, ClientError> {
    check_envelope(frame)?;
    let told = |body: Body| {
        Heard::Told(Event {
            server_seq: frame.prefix.seq.get(),
            send_time: frame.prefix.send_time.get(),
            retransmitted: frame.prefix.flags.get() & RETRANSMIT != 0,
            end_of_event: frame.prefix.flags.get() & END_OF_EVENT != 0,
            body,
        })
    };
    Ok(match frame.template_id() {
        Challenge::TEMPLATE => Heard::Challenge(body(frame)?),
        LogonAck::TEMPLATE => Heard::LogonAck(body(frame)?),
        LogonReject::TEMPLATE => Heard::LogonReject(body(frame)?),
        Logout::TEMPLATE => Heard::Logout(body(frame)?),
        Heartbeat::TEMPLATE => Heard::Heartbeat(body(frame)?),
        TestRequest::TEMPLATE => Heard::TestRequest(body(frame)?),
        Retransmission::TEMPLATE | RetransmitReject::TEMPLATE => Heard::Unasked,
        NotApplied::TEMPLATE => told(Body::NotApplied(body(frame)?)),
        SessionReject::TEMPLATE => told(Body::SessionReject(body(frame)?)),
        OrderAccepted::TEMPLATE if is_snapshot(frame) => told(Body::OpenOrder(body(frame)?)),
        RequestComplete::TEMPLATE => told(Body::Complete(body(frame)?)),
        OrderAccepted::TEMPLATE => told(Body::Accepted(body(frame)?)),
        OrderRejected::TEMPLATE => told(Body::Rejected(body(frame)?)),
        OrderModified::TEMPLATE => told(Body::Modified(body(frame)?)),
        MassCancelAck::TEMPLATE => told(Body::MassCanceled(body(frame)?)),
        MassQuoteAck::TEMPLATE => told(quoted(frame)?),
        MmpTriggered::TEMPLATE => told(Body::MmpTriggered(body(frame)?)),
        OrderCanceled::TEMPLATE => told(Body::Canceled(body(frame)?)),
        OrderExecuted::TEMPLATE => told(Body::Executed(body(frame)?)),
        Confirmed::TEMPLATE => told(Body::Confirmed(body(frame)?)),
        template_id if template_id >= NUMBERED_FROM => told(Body::Unknown { template_id }),
        template_id => return Err(strange(format!("template {template_id}, which is not for a client"))),
    })
}

fn check_envelope(frame: &Frame<'_>) -> Result<(), ClientError> {
    let (schema, version) = (frame.header.schema_id.get(), frame.header.version.get());
    if (schema, version) != (SCHEMA_ORDER_ENTRY, SCHEMA_VERSION) {
        return Err(strange(format!("schema {schema} version {version}")));
    }
    let flags = frame.prefix.flags.get();
    if flags & !(POSSIBLE_RESEND | RETRANSMIT | END_OF_EVENT | SNAPSHOT) != 0 {
        return Err(strange(format!("reserved frame flags, {flags:#x}")));
    }
    let (template, seq) = (frame.template_id(), frame.prefix.seq.get());
    let may_lack_number = is_snapshot(frame) || flags & RETRANSMIT != 0;
    let fits = if seq == 0 {
        template < NUMBERED_FROM || may_lack_number
    } else {
        template >= NUMBERED_FROM && !is_snapshot(frame)
    };
    if !fits {
        return Err(strange(format!("template {template} with sequence number {seq}")));
    }
    Ok(())
}

/// It shows what is and takes no number.
fn is_snapshot(frame: &Frame<'_>) -> bool {
    frame.prefix.flags.get() & SNAPSHOT != 0
}

fn body<M: Message>(frame: &Frame<'_>) -> Result<M, ClientError> {
    frame.block::<M>().copied().ok_or_else(|| misshapen(frame))
}

fn quoted(frame: &Frame<'_>) -> Result<Body, ClientError> {
    let (head, entries) =
        group::<MassQuoteAck, QuoteAckEntry>(frame.message).ok_or_else(|| misshapen(frame))?;
    Ok(Body::Quoted(*head, entries.to_vec()))
}

fn misshapen(frame: &Frame<'_>) -> ClientError {
    strange(format!("template {} with a block of {} bytes", frame.template_id(), frame.block.len()))
}

pub(super) fn strange(what: String) -> ClientError {
    ClientError::Protocol(what)
}
