//! A refusal of an order, an amend or a cancel on its way to becoming `OrderRejected`: the code, the field to blame, and what the
//! rule adds.

use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::emit::Voice;
use crate::event::{EventSink, OrderRejected};
use crate::reject::Reject;
use crate::venue::Venue;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reject: Reject,
    pub field: u16,
    pub detail: i64,
    pub order_id: u64,
}

impl Refusal {
    pub const fn new(reject: Reject, field: u16) -> Refusal {
        Refusal { reject, field, detail: 0, order_id: 0 }
    }

    pub const fn with_detail(self, detail: i64) -> Refusal {
        Refusal { detail, ..self }
    }

    pub const fn with_order(self, order_id: u64) -> Refusal {
        Refusal { order_id, ..self }
    }
}

pub const fn refused(reject: Reject, field: u16) -> Refusal {
    Refusal::new(reject, field)
}

pub fn must(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

/// What a refusal repeats of its request.
pub struct Request {
    pub template: u16,
    pub cl_ord_id: u64,
    pub instrument: u32,
    pub account: u32,
}

impl Venue {
    pub fn refuse<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: Request,
        refusal: Refusal,
    ) {
        let session = self.sessions.at_mut(sender);
        let reference = voice.reference(session.id);
        let block = OrderRejected {
            exec_id: voice.exec_id(),
            order_id: U64::new(refusal.order_id),
            cl_ord_id: U64::new(request.cl_ord_id),
            ref_seq: reference.seq,
            recv_time: reference.recv_time,
            match_time: voice.time(),
            detail: I64::new(refusal.detail),
            instrument_id: U32::new(request.instrument),
            account_id: U32::new(request.account),
            code: U16::new(refusal.reject.code()),
            ref_template_id: U16::new(request.template),
            ref_field_id: U16::new(refusal.field),
            pad_a: U16::new(0),
        };
        voice.tell(session, block);
    }
}
