//! The clerk reads the journal for members who ask what their accounts were told. Asleep until it is sent; each errand is
//! bounded, so that nobody waits long behind a history that is. It sees durable records only, and none behind the grant.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender};

use engine::event::{
    MassCancelAck, MassQuoteAck, MmpTriggered, OrderAccepted, OrderCanceled, OrderExecuted, OrderModified,
    OrderRejected,
};
use engine::message::{HEADER_BYTES, Header, Message, Route, block};
use journal::{Kind, Limit, ReadError, Reader, Record};
use zerocopy::FromBytes;

use super::{End, Errand, PART_BYTES, Part, append_end};
use crate::cli::warn;
use crate::clock::Clock;
use crate::frame::{self, RETRANSMIT};
use crate::ring::Bell;

/// Records between two looks at how much there is.
const RECORDS_PER_POLL: usize = 256;
/// Polls of one errand that finds little: then another member has its turn. A part ends on a later group than it began
/// with, so the next goes on further, whatever this is.
const POLLS_PER_ERRAND: usize = 256;

/// What the clerk is given.
pub struct Office {
    /// Where the journal lies.
    pub journal: PathBuf,
    /// The account of every session that has one.
    pub accounts: BTreeMap<u64, u32>,
    /// Rung when a part is there.
    pub net: Bell,
    pub clock: Clock,
}

pub struct Clerk {
    office: Office,
    errands: Receiver<Errand>,
    parts: SyncSender<Part>,
}

impl Clerk {
    pub(super) fn new(office: Office, errands: Receiver<Errand>, parts: SyncSender<Part>) -> Clerk {
        Clerk { office, errands, parts }
    }

    /// Until the gateway is gone.
    pub fn run(self) {
        while let Ok(errand) = self.errands.recv() {
            if self.parts.send(self.go(errand)).is_err() {
                return;
            }
            self.office.net.ring();
        }
    }

    fn go(&self, errand: Errand) -> Part {
        let now_ns = self.office.clock.now_ns();
        let mut find = Find::new(errand, &self.office.accounts, now_ns);
        let end = self.look(&mut find).unwrap_or_else(|error| {
            warn(format_args!("a history cannot be read from the journal: {error}"));
            Some(End::Unreadable(find.errand.next_exec_id))
        });
        let Find { errand, mut frames, .. } = find;
        if let Some(end) = end {
            let told = errand.granted.max_count.get() - errand.left;
            append_end(&mut frames, &errand.granted, told, (end.exec_id(), end.code()), now_ns);
        }
        Part { errand, frames, end }
    }

    /// How the answer ends; nothing when it goes on.
    fn look(&self, find: &mut Find<'_>) -> Result<Option<End>, ReadError> {
        let granted_id = find.errand.granted.exec_id.get();
        let (first_seq, last_seq) = (find.errand.next_exec_id >> 16, find.last_exec_id >> 16);
        if find.errand.next_exec_id > find.last_exec_id {
            return Ok(Some(End::Whole(granted_id)));
        }
        let mut reader = match &find.errand.start {
            Some(start) => Reader::open_at(&self.office.journal, start)?,
            None => Reader::open_before(&self.office.journal, first_seq)?,
        };
        if reader.position_seq() >= first_seq.max(1) && find.errand.start.is_none() {
            return Ok(Some(End::KeptFrom((reader.position_seq() + 1) << 16)));
        }
        let start = reader.group_start();
        for polls in 1.. {
            let before = reader.group_start();
            let read = reader.poll(Limit::Durable, RECORDS_PER_POLL, &mut |record| {
                find.hear(record);
                Ok(())
            })?;
            let seq = reader.position_seq();
            if let Some(next) = find.more_from {
                return Ok(Some(End::MoreFrom(next)));
            }
            if find.is_full() {
                // What this poll read behind the last message was not heard.
                find.errand.start = Some(before);
                return Ok(None);
            }
            if seq > last_seq || (read == 0 && seq == last_seq) {
                return Ok(Some(End::Whole(granted_id)));
            }
            if read == 0 {
                // What is released is durable in every mode but those that promise less.
                return Ok(Some(End::Whole(seq << 16 | 0xFFFF)));
            }
            if polls >= POLLS_PER_ERRAND && reader.group_start() != start {
                break;
            }
        }
        find.errand.start = Some(reader.group_start());
        Ok(None)
    }
}

/// A part as it grows.
struct Find<'a> {
    errand: Errand,
    last_exec_id: u64,
    accounts: &'a BTreeMap<u64, u32>,
    frames: Vec<u8>,
    /// What follows the last that was asked for.
    more_from: Option<u64>,
    now_ns: u64,
}

impl<'a> Find<'a> {
    fn new(errand: Errand, accounts: &'a BTreeMap<u64, u32>, now_ns: u64) -> Find<'a> {
        let last_exec_id = errand.granted.to_exec_id.get().min(errand.granted.exec_id.get());
        Find { errand, last_exec_id, accounts, frames: Vec::new(), more_from: None, now_ns }
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= PART_BYTES
    }

    fn hear(&mut self, record: &Record<'_>) {
        let exec_id = record.seq << 16 | u64::from(record.sub);
        let is_due = (self.errand.next_exec_id..=self.last_exec_id).contains(&exec_id);
        if record.kind != Kind::Event || !is_due || self.more_from.is_some() || self.is_full() {
            return;
        }
        let Some(message) = self.wanted(record.payload) else { return };
        if self.errand.left == 0 {
            self.more_from = Some(exec_id);
            return;
        }
        frame::append_message(&mut self.frames, RETRANSMIT, 0, self.now_ns, message);
        self.errand.left -= 1;
        self.errand.next_exec_id = exec_id + 1;
    }

    /// The message of an event that took a number in the stream of one of the account's sessions and is about orders.
    fn wanted<'m>(&self, payload: &'m [u8]) -> Option<&'m [u8]> {
        let (route, message) = Route::ref_from_prefix(payload).ok()?;
        let account = self.accounts.get(&route.session.get())?;
        let is_told = route.server_seq.get() != 0 && *account == self.errand.granted.account_id.get();
        let ids = is_told.then(|| client_ids(message))??;
        let wanted = self.errand.granted.cl_ord_id.get();
        (wanted == 0 || ids.contains(&wanted)).then_some(message)
    }
}

/// The client ids that an event of orders names: the request's and the order's. Nothing for other events.
fn client_ids(message: &[u8]) -> Option<[u64; 2]> {
    let (header, _) = Header::ref_from_prefix(message).ok()?;
    Some(match header.template_id.get() {
        OrderAccepted::TEMPLATE => [block::<OrderAccepted>(message)?.cl_ord_id.get(); 2],
        OrderRejected::TEMPLATE => [block::<OrderRejected>(message)?.cl_ord_id.get(); 2],
        OrderModified::TEMPLATE => {
            let modified = block::<OrderModified>(message)?;
            [modified.cl_ord_id.get(), modified.orig_cl_ord_id.get()]
        }
        OrderCanceled::TEMPLATE => {
            let canceled = block::<OrderCanceled>(message)?;
            [canceled.cl_ord_id.get(), canceled.orig_cl_ord_id.get()]
        }
        OrderExecuted::TEMPLATE => [block::<OrderExecuted>(message)?.cl_ord_id.get(); 2],
        MassCancelAck::TEMPLATE => [block::<MassCancelAck>(message)?.cl_ord_id.get(); 2],
        MassQuoteAck::TEMPLATE => {
            [MassQuoteAck::ref_from_prefix(&message[HEADER_BYTES..]).ok()?.0.quote_id.get(); 2]
        }
        MmpTriggered::TEMPLATE => [0; 2],
        _ => return None,
    })
}
