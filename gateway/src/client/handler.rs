//! The style that calls back: what a member does about each kind of event, and when nothing happens.

use std::time::Duration;

use engine::event::{
    MassCancelAck, MassQuoteAck, MmpTriggered, NotApplied, OrderAccepted, OrderCanceled, OrderExecuted,
    OrderModified, OrderRejected, QuoteAckEntry, RequestComplete, SessionReject,
};

use super::{Body, Client, ClientError, Event, Resumed};

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Waits for the next event.
    Continue,
    /// Ends `Client::run`.
    Stop,
}

/// What a member does about what it is told. Every method may send; those that are not written do nothing.
#[allow(unused_variables)]
pub trait Handler {
    /// An order was accepted; it rests, or is armed.
    fn accepted(&mut self, client: &mut Client, order: &OrderAccepted) {}
    /// A request was refused, or an armed order at its trigger.
    fn rejected(&mut self, client: &mut Client, reject: &OrderRejected) {}
    /// An order was amended, by this session or another of the account, or its trigger has fired.
    fn modified(&mut self, client: &mut Client, order: &OrderModified) {}
    /// An order ended without being filled whole.
    fn canceled(&mut self, client: &mut Client, order: &OrderCanceled) {}
    /// An order traded.
    fn executed(&mut self, client: &mut Client, fill: &OrderExecuted) {}
    /// The answer to a mass cancel.
    fn mass_canceled(&mut self, client: &mut Client, answer: &MassCancelAck) {}
    /// The answer to a mass quote, with one entry for each of its own.
    fn quoted(&mut self, client: &mut Client, answer: &MassQuoteAck, entries: &[QuoteAckEntry]) {}
    /// A protection group was breached: all its orders are canceled.
    fn protected(&mut self, client: &mut Client, event: &MmpTriggered) {}
    /// An open order as it stands, because the member asked.
    fn open_order(&mut self, client: &mut Client, order: &OrderAccepted) {}
    /// The end of an answer of many parts, or the whole answer to a request that has none.
    fn complete(&mut self, client: &mut Client, answer: &RequestComplete) {}
    /// A frame was not taken as a command.
    fn session_reject(&mut self, client: &mut Client, reject: &SessionReject) {}
    /// Commands that never reached the venue and never will.
    fn not_applied(&mut self, client: &mut Client, hole: &NotApplied) {}
    /// The connection broke and the session goes on; what was missed follows.
    fn resumed(&mut self, client: &mut Client, resumed: &Resumed) {}
    /// Told of history, on request: what was told before, to whichever session of the account.
    fn history(&mut self, client: &mut Client, event: &Event) {}
    /// Behind every event, with its numbers, and with none when nothing came for as long as `run` was told to wait.
    fn after(&mut self, client: &mut Client, event: Option<&Event>) -> Step {
        Step::Continue
    }
}

impl Client {
    /// Calls `handler` for every event until it stops; an event that does not come within `idle` is told as none.
    pub fn run(&mut self, handler: &mut impl Handler, idle: Duration) -> Result<(), ClientError> {
        loop {
            let event = self.next_event(idle)?;
            if let Some(event) = &event {
                tell(self, handler, event);
            }
            if handler.after(self, event.as_ref()) == Step::Stop {
                return Ok(());
            }
        }
    }
}

fn tell(client: &mut Client, handler: &mut impl Handler, event: &Event) {
    if event.is_history() {
        return handler.history(client, event);
    }
    match &event.body {
        Body::Accepted(it) => handler.accepted(client, it),
        Body::Rejected(it) => handler.rejected(client, it),
        Body::Modified(it) => handler.modified(client, it),
        Body::Canceled(it) => handler.canceled(client, it),
        Body::Executed(it) => handler.executed(client, it),
        Body::MassCanceled(it) => handler.mass_canceled(client, it),
        Body::Quoted(it, entries) => handler.quoted(client, it, entries),
        Body::MmpTriggered(it) => handler.protected(client, it),
        Body::OpenOrder(it) => handler.open_order(client, it),
        Body::Complete(it) => handler.complete(client, it),
        Body::SessionReject(it) => handler.session_reject(client, it),
        Body::NotApplied(it) => handler.not_applied(client, it),
        Body::Resumed(it) => handler.resumed(client, it),
        Body::Confirmed(_) | Body::Unknown { .. } => {}
    }
}
