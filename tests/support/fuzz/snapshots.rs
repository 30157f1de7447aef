//! Any bytes as a snapshot: refused with a reason, or an engine that says the same bytes again and can go on.

use engine::Engine;
use engine::command::{InstrumentState, MarkPrice, VenueOpen};
use engine::limits::Limits;
use engine::message::Origin;
use zerocopy::{FromBytes, FromZeros};

use crate::heard;
use crate::workload::bytes;

/// Where the venue's capacities stand in a snapshot.
const TERMS_AT: usize = 32;
const CAPACITY_MAX: u32 = 1 << 12;
const DUE_MAX: usize = 2_000;
const OPEN: u8 = 4;
const EXPIRED: u8 = 8;
const DAY_NS: u64 = 86_400_000_000_000;

pub fn restore(input: &[u8]) {
    if !is_small(input) {
        return;
    }
    let Ok(mut engine) = Engine::restore(input) else { return };
    assert!(engine.snapshot() == input, "what is accepted is canonical");
    assert_eq!(engine.check_invariants(), Ok(()));
    go_on(&mut engine);
}

/// Memory is taken by capacity: large venues are read elsewhere.
fn is_small(input: &[u8]) -> bool {
    let Ok((terms, _)) = VenueOpen::ref_from_prefix(input.get(TERMS_AT..).unwrap_or_default()) else {
        return true;
    };
    Limits::read(terms).map_or(true, |it| {
        let capacities = [
            it.accounts,
            it.instruments,
            it.sessions,
            it.orders,
            it.levels,
            it.positions,
            it.orders_per_account,
        ];
        let capacities = capacities.into_iter().chain([it.matches_per_command, it.closed_ids, it.mmp_groups]);
        let capacities = capacities.chain([it.special_orders, it.special_orders_per_account]);
        capacities.max().is_none_or(|most| most <= CAPACITY_MAX)
    })
}

/// What is due, then what a day brings, then prices and states, up to the end of every instrument.
fn go_on(engine: &mut Engine) {
    // Places in the order and moments run out one day.
    if engine.last_seq() > u64::MAX / 2 || engine.last_ts_ns() > u64::MAX / 2 {
        return;
    }
    for later_ns in [0, 1, DAY_NS] {
        settle(engine, later_ns);
    }
    let instruments: Vec<u32> = engine.instruments().map(|it| it.id).collect();
    for id in instruments {
        for message in [
            price(id, 1_000_000_000),
            price(id, 9_000_000_000_000_000_000),
            state(id, OPEN),
            state(id, EXPIRED),
        ] {
            settle(engine, 0);
            if engine.due(engine.last_ts_ns()).is_none() {
                say(engine, engine.last_ts_ns(), &message);
            }
        }
    }
    settle(engine, 0);
}

fn settle(engine: &mut Engine, later_ns: u64) {
    let ts_ns = engine.last_ts_ns() + later_ns;
    for _ in 0..DUE_MAX {
        let Some(due) = engine.due(ts_ns) else { break };
        say(engine, ts_ns, &due.message());
    }
    assert_eq!(engine.check_invariants(), Ok(()));
}

fn say(engine: &mut Engine, ts_ns: u64, message: &[u8]) {
    heard::answer(engine, engine.last_seq() + 1, ts_ns, &Origin::venue(), message);
}

fn price(instrument: u32, price: i64) -> Vec<u8> {
    bytes(MarkPrice { price: price.into(), instrument_id: instrument.into(), pad_a: 0.into() })
}

fn state(instrument: u32, state: u8) -> Vec<u8> {
    let mut it = InstrumentState::new_zeroed();
    (it.instrument_id, it.state) = (instrument.into(), state);
    bytes(it)
}
