//! A journal read from outside once its venue has ended: replayed through the engine and the naive model at the same time,
//! and sorted by session, so that what members heard can be held against what is on disk.

use std::collections::BTreeMap;
use std::path::Path;

use engine::Engine;
use engine::event::{OrderAccepted, OrderCanceled, OrderRejected};
use engine::message::{ORIGIN_BYTES, Origin, ROUTE_BYTES, Route, block};
use engine::replay::Replay;
use journal::{Kind, Limit, Reader, Record};
use zerocopy::FromBytes;

use crate::agreement::same_state;
use crate::model::Model;

/// What a journal holds, checked.
pub struct Audit {
    pub engine: Engine,
    pub commands: u64,
    pub marks: u64,
    /// By session: its numbered messages (header and block) in order, number 1 first.
    pub told: BTreeMap<u64, Vec<Vec<u8>>>,
    /// By session and client number: how many answers it got (accepted, rejected, or canceled by the user).
    pub answered: BTreeMap<(u64, u64), u32>,
    /// By account and client order id: how many orders were accepted under it.
    pub accepted: BTreeMap<(u32, u64), u32>,
}

/// Replays all that is durable; panics at the first difference between journal, engine and model.
pub fn audit(journal: &Path) -> Audit {
    let mut reader = Reader::open(journal).expect("the journal is whole");
    let (mut replay, mut model) = (Replay::new(), Model::new());
    let mut audit = Audit {
        engine: Engine::new(),
        commands: 0,
        marks: 0,
        told: BTreeMap::new(),
        answered: BTreeMap::new(),
        accepted: BTreeMap::new(),
    };
    let mut expected: Vec<Vec<u8>> = Vec::new();
    let mut said: Vec<Vec<u8>> = Vec::new();
    let mut visit = |record: &Record<'_>| {
        let (seq, ts_ns, payload) = (record.seq, record.ts_ns, record.payload);
        match record.kind {
            Kind::Command => {
                assert_eq!(said, expected, "model and journal differ at seq {}", seq - 1);
                said.clear();
                let (origin, message) = payload.split_at(ORIGIN_BYTES);
                let origin = Origin::ref_from_bytes(origin).expect("it is as long as an origin");
                expected = model.apply(seq, ts_ns, origin, message);
                audit.commands += 1;
                replay.command(seq, ts_ns, payload)
            }
            Kind::Event => {
                said.push(payload.to_vec());
                audit.event(payload);
                replay.event(seq, record.sub, payload)
            }
            Kind::Mark => {
                audit.marks += 1;
                replay.mark(seq, payload)
            }
            _ => Ok(()),
        }
        .map_err(|difference| difference.to_string())
    };
    while reader.poll(Limit::Durable, 10_000, &mut visit).expect("the journal agrees with a replay") > 0 {}
    assert_eq!(said, expected, "model and journal differ at the end");
    replay.finish().expect("the last command said no more");
    audit.engine = replay.into_engine();
    same_state(&audit.engine, &model);
    audit
}

impl Audit {
    fn event(&mut self, payload: &[u8]) {
        let (route, message) = payload.split_at(ROUTE_BYTES);
        let route = Route::ref_from_bytes(route).expect("it is as long as a route");
        let session = route.session.get();
        if route.server_seq.get() > 0 {
            let told = self.told.entry(session).or_default();
            told.push(message.to_vec());
            assert_eq!(told.len() as u64, route.server_seq.get(), "a hole in session {session}");
        }
        let answer = if let Some(order) = block::<OrderAccepted>(message) {
            *self.accepted.entry((order.account_id.get(), order.cl_ord_id.get())).or_default() += 1;
            order.ref_seq.get()
        } else if let Some(reject) = block::<OrderRejected>(message) {
            reject.ref_seq.get()
        } else {
            block::<OrderCanceled>(message)
                .filter(|cancel| cancel.reason == 1)
                .map_or(0, |it| it.ref_seq.get())
        };
        if answer > 0 {
            *self.answered.entry((session, answer)).or_default() += 1;
        }
    }
}
