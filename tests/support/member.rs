//! A member that behaves: keeps its numbers, knows what it must be told next, and notices when it is told anything else. And
//! the one line of text by which the tests compare what was said.

use std::path::{Path, PathBuf};

use engine::event::{
    Confirmed, LogonAck, LogonReject, NotApplied, OrderAccepted, OrderCanceled, OrderExecuted, OrderRejected,
    SessionReject,
};
use engine::message::Message;
use engine::reject::Reject;
use gateway::frame::RETRANSMIT;
use gateway::message::{Challenge, Heartbeat, Logout, Retransmission, RetransmitReject, TestRequest};

use crate::orders::limit;
use crate::peer::{Came, Peer};

/// A frame as text: the message and what it refers to, the code by its name.
pub fn shown(came: &Came) -> String {
    let again = if came.flags & RETRANSMIT != 0 { " again" } else { "" };
    format!("{}{again}", body(came))
}

fn body(came: &Came) -> String {
    if let Some(it) = came.is::<Logout>() {
        return format!("Logout {}", named(it.code.get()));
    }
    if let Some(it) = came.is::<LogonReject>() {
        return format!("LogonReject {}", named(it.code.get()));
    }
    if let Some(it) = came.is::<SessionReject>() {
        let (seq, template) = (it.ref_seq.get(), it.ref_template_id.get());
        return format!("SessionReject ref={seq} template={template} {}", named(it.code.get()));
    }
    if let Some(it) = came.is::<NotApplied>() {
        return format!("NotApplied {}+{}", it.from_seq.get(), it.count.get());
    }
    if let Some(it) = came.is::<Heartbeat>() {
        let (next, ack, echo) = (it.next_seq.get(), it.ack_seq.get(), it.echo.get());
        return format!("Heartbeat next={next} ack={ack} echo={echo}");
    }
    if let Some(it) = came.is::<Retransmission>() {
        return format!("Retransmission {}: {}+{}", it.request_id.get(), it.from_seq.get(), it.count.get());
    }
    if let Some(it) = came.is::<RetransmitReject>() {
        return format!("RetransmitReject {}: {}", it.request_id.get(), named(it.code.get()));
    }
    if let Some(it) = came.is::<OrderAccepted>() {
        return format!("OrderAccepted ref={}", it.ref_seq.get());
    }
    if let Some(it) = came.is::<OrderRejected>() {
        return format!("OrderRejected ref={} {}", it.ref_seq.get(), named(it.code.get()));
    }
    if let Some(it) = came.is::<OrderCanceled>() {
        return format!("OrderCanceled ref={}", it.ref_seq.get());
    }
    if let Some(it) = came.is::<OrderExecuted>() {
        return format!("OrderExecuted ref={} qty={}", it.ref_seq.get(), it.last_qty.get());
    }
    if let Some(it) = came.is::<Confirmed>() {
        return format!("Confirmed ref={} {}", it.ref_seq.get(), named(it.code.get()));
    }
    match came.template_id() {
        LogonAck::TEMPLATE => "LogonAck".into(),
        Challenge::TEMPLATE => "Challenge".into(),
        TestRequest::TEMPLATE => "TestRequest".into(),
        other => format!("template {other}"),
    }
}

fn named(code: u16) -> String {
    Reject::from_code(code).map_or_else(|| format!("code {code}"), |reject| format!("{reject:?}"))
}

/// Everything up to the end of the connection.
pub fn last_words(peer: &mut Peer) -> Vec<String> {
    peer.map(|came| shown(&came)).collect()
}

/// BTC-PERP below its mark: nothing rests on the other side.
const QUIET: (u32, i64) = (1, 49_000_000_000_000);
/// ETH-PERP at its mark: where `trade` trades.
const BUSY: (u32, i64) = (2, 3_000_000_000_000);

pub struct Member {
    pub peer: Peer,
    /// The next number of each direction.
    pub next_seq: u64,
    pub next_server_seq: u64,
    directory: PathBuf,
    name: String,
}

impl Member {
    /// The first logon of this member in a new venue.
    pub fn new(directory: &Path, name: &str) -> Member {
        let mut peer = Peer::connect(directory, name);
        let ack = peer.log_on(1);
        assert_eq!((ack.next_client_seq.get(), ack.next_server_seq.get()), (1, 1), "{name} is new");
        let (directory, name) = (directory.to_owned(), name.to_owned());
        Member { peer, next_seq: 1, next_server_seq: 1, directory, name }
    }

    /// The same member on another connection, going on exactly where it was.
    pub fn log_on_again(&mut self) {
        self.peer = Peer::connect(&self.directory, &self.name);
        let ack = self.peer.log_on(self.next_server_seq);
        let numbers = (ack.next_client_seq.get(), ack.next_server_seq.get());
        assert_eq!(numbers, (self.next_seq, self.next_server_seq), "{} goes on where it was", self.name);
    }

    pub fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// A small order that rests; its client order id is its number.
    pub fn order(&mut self) -> u64 {
        let seq = self.take_seq();
        let order = limit(self.peer.config.account, QUIET.0, 1, QUIET.1, 1, 2, seq);
        self.peer.say(0, seq, order);
        seq
    }

    /// An order that is refused, so that it leaves nothing behind.
    pub fn empty_order(&self, seq: u64) -> engine::command::NewOrder {
        limit(self.peer.config.account, QUIET.0, 1, QUIET.1, 0, 2, seq)
    }

    /// The next frame as text, its number checked; "closed" at the end.
    pub fn hear(&mut self) -> String {
        let Some(came) = self.peer.next() else { return "closed".into() };
        if came.seq != 0 {
            assert_eq!(came.seq, self.next_server_seq, "{} is told everything once", self.name);
            self.next_server_seq += 1;
        }
        shown(&came)
    }

    pub fn hears(&mut self, expected: &[&str]) {
        for line in expected {
            assert_eq!(self.hear(), *line, "{}", self.name);
        }
    }

    /// An order that rests, one that meets it, and nothing but the four answers.
    pub fn trade(&mut self) {
        let account = self.peer.config.account;
        let (sell, buy) = (self.take_seq(), self.take_seq());
        self.peer.say(0, sell, limit(account, BUSY.0, 2, BUSY.1, 1, 2, sell));
        self.peer.say(0, buy, limit(account, BUSY.0, 1, BUSY.1, 1, 3, buy));
        self.hears(&[
            &format!("OrderAccepted ref={sell}"),
            &format!("OrderAccepted ref={buy}"),
            &format!("OrderExecuted ref={buy} qty=1"),
            &format!("OrderExecuted ref={buy} qty=1"),
        ]);
    }
}
