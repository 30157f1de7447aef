//! Who may be told what an account was told before (rule 12.5). The engine keeps no history: a grant is an event for the
//! gateway, which finds the rest in the journal. Changes nothing.

use zerocopy::little_endian::{U16, U32, U64};

use crate::command::ExecHistoryRequest;
use crate::emit::Voice;
use crate::event::{EventSink, HistoryGranted, RequestComplete};
use crate::limits::HISTORY_EVENTS_MAX;
use crate::open_orders::may_list;
use crate::reject::Reject;
use crate::venue::Venue;

impl Venue {
    pub fn grant_history<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &ExecHistoryRequest,
    ) {
        let session = self.sessions.at(sender).id;
        let (exec_id, ref_seq) = (voice.exec_id(), voice.reference(session).seq);
        if let Err(reject) = self.check_history(sender, request) {
            let refusal = RequestComplete {
                exec_id,
                cl_ord_id: request.cl_ord_id,
                ref_seq,
                count: U32::new(0),
                code: U16::new(reject.code()),
                retry_after_ms: U16::new(0),
            };
            return voice.tell_unnumbered(session, refusal);
        }
        let granted = HistoryGranted {
            session: U64::new(session),
            exec_id,
            cl_ord_id: request.cl_ord_id,
            ref_seq,
            from_exec_id: request.from_exec_id,
            to_exec_id: request.to_exec_id,
            account_id: request.account_id,
            max_count: request.max_count,
        };
        voice.tell_unnumbered(session, granted);
    }

    fn check_history(&self, sender: u32, request: &ExecHistoryRequest) -> Result<(), Reject> {
        let session = self.sessions.at(sender);
        if !may_list(session.role) {
            return Err(Reject::Permission);
        }
        self.check_account(session, request.account_id.get(), 0).map_err(|refusal| refusal.reject)?;
        let ids = 1..=request.to_exec_id.get();
        let counts = 1..=HISTORY_EVENTS_MAX;
        let is_sane = ids.contains(&request.from_exec_id.get()) && counts.contains(&request.max_count.get());
        if is_sane { Ok(()) } else { Err(Reject::InvalidCombination) }
    }
}
