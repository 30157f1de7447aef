//! The replay: what it accepts, what it refuses, and that no bytes whatsoever make it panic.

use engine::command::{
    AccountCreate, Continue, Deposit, InstrumentCreate, Logon, MassCancel, NewOrder, SessionCreate,
    VenueOpen, is_command,
};
use engine::event::EventSink;
use engine::message::{Framed, Message, NULL_I64, NULL_U64, Origin};
use engine::replay::{Checked, Difference, Replay, What, template_name};
use engine::{Engine, Sequenced};
use zerocopy::IntoBytes;

/// A command with what an engine said about it.
#[derive(Clone, Debug)]
struct Group {
    ts_ns: u64,
    command: Vec<u8>,
    events: Vec<Vec<u8>>,
}

struct Tape(Vec<Vec<u8>>);

impl EventSink for Tape {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.0.push(payload.to_vec());
        assert_eq!(sub as usize, self.0.len());
    }
}

fn said<M: Message>(origin: Origin, change: impl FnOnce(&mut M)) -> Vec<u8> {
    let mut block = M::new_zeroed();
    change(&mut block);
    [origin.as_bytes(), Framed::new(block).as_bytes()].concat()
}

fn from_venue<M: Message>(change: impl FnOnce(&mut M)) -> Vec<u8> {
    said(Origin::venue(), change)
}

fn from_session<M: Message>(client_seq: u64, change: impl FnOnce(&mut M)) -> Vec<u8> {
    let mut origin = Origin::venue();
    origin.session.set(10);
    origin.client_seq.set(client_seq);
    origin.connection.set(1);
    said(origin, change)
}

fn continued(order_id: u64) -> Vec<u8> {
    from_venue(|next: &mut Continue| next.order_id.set(order_id))
}

fn order(client_seq: u64, side: u8, ticks: i64, lots: i64) -> Vec<u8> {
    from_session(client_seq, |order: &mut NewOrder| {
        order.cl_ord_id.set(client_seq);
        order.price.set(ticks * 1_000_000_000);
        order.qty.set(lots);
        order.display_qty.set(NULL_I64);
        order.expire_time.set(NULL_U64);
        order.instrument_id.set(1);
        order.account_id.set(4);
        (order.side, order.ord_type, order.tif, order.stp_mode) = (side, 1, 2, 1);
    })
}

/// A venue of one member, who sells twice and then buys both; after one match the buyer is to be continued.
fn opening() -> Vec<Vec<u8>> {
    vec![
        from_venue(|open: &mut VenueOpen| {
            open.engine_epoch.set(1);
            open.accounts_max.set(10);
            open.instruments_max.set(10);
            open.sessions_max.set(10);
            open.orders_max.set(100);
            open.levels_max.set(100);
            open.positions_max.set(100);
            open.orders_per_account_max.set(100);
            open.matches_per_command_max.set(1);
        }),
        from_venue(|listed: &mut InstrumentCreate| {
            listed.tick_size.set(1_000_000_000);
            listed.lot_size.set(1_000_000_000);
            listed.contract_size.set(1_000_000_000);
            listed.mark.set(100_000_000_000);
            listed.qty_max.set(1000);
            listed.instrument_id.set(1);
            listed.initial_margin_ppm.set(100_000);
            listed.kind = 1;
        }),
        from_venue(|account: &mut AccountCreate| account.account_id.set(4)),
        from_venue(|session: &mut SessionCreate| {
            session.session_id.set(10);
            session.account_id.set(4);
            session.role = 1;
        }),
        from_venue(|deposit: &mut Deposit| {
            deposit.account_id.set(4);
            deposit.amount.set(1_000_000_000_000);
        }),
        from_session(0, |logon: &mut Logon| {
            logon.session_id.set(10);
            logon.next_client_seq.set(1);
            logon.next_server_seq.set(1);
        }),
        order(1, 2, 100, 1),
        order(2, 2, 101, 1),
        order(3, 1, 101, 2),
    ]
}

fn record(commands: Vec<Vec<u8>>) -> (Vec<Group>, Engine) {
    let mut engine = Engine::new();
    let groups = commands.into_iter().map(|command| {
        let mut tape = Tape(Vec::new());
        let seq = engine.last_seq() + 1;
        let ts_ns = 100 + seq;
        engine.apply(&Sequenced::read(seq, ts_ns, &command).expect("an origin"), &mut tape);
        Group { ts_ns, command, events: tape.0 }
    });
    (groups.collect(), engine)
}

fn replay(groups: &[Group]) -> Result<Replay, Difference> {
    let mut replay = Replay::new();
    for (seq, group) in (1..).zip(groups) {
        replay.command(seq, group.ts_ns, &group.command)?;
        for (sub, event) in (1..).zip(&group.events) {
            replay.event(seq, sub, event)?;
        }
    }
    replay.finish()?;
    Ok(replay)
}

#[test]
fn what_an_engine_said_is_accepted() {
    let (groups, engine) = record(opening());
    let mut replay = replay(&groups).expect("no difference");
    replay.mark(engine.last_seq(), &engine.digest()).expect("the same state");
    let events = groups.iter().map(|group| group.events.len() as u64).sum();
    assert_eq!(replay.checked(), Checked { commands: groups.len() as u64, events, marks: 1 });
    assert_eq!(replay.owed(), 0);
    assert_eq!(replay.into_engine().digest(), engine.digest());
}

#[test]
fn a_replay_goes_on_from_a_state() {
    let (groups, mut engine) = record(opening());
    let order_id = engine.continuation().expect("one match of two");
    let mut replay = Replay::from_engine(replay(&groups).expect("no difference").into_engine());
    let (seq, ts_ns, command) = (engine.last_seq() + 1, engine.last_ts_ns(), continued(order_id));
    let mut tape = Tape(Vec::new());
    engine.apply(&Sequenced::read(seq, ts_ns, &command).expect("an origin"), &mut tape);
    assert!(replay.command(seq, ts_ns - 1, &command).is_err(), "time does not go back across the start");
    replay.command(seq, ts_ns, &command).expect("next");
    assert_eq!(replay.owed(), tape.0.len());
    let missing = replay.finish().expect_err("nothing is recorded yet");
    assert_eq!((missing.seq, missing.sub), (seq, 1));
    for (sub, event) in (1..).zip(&tape.0) {
        replay.event(seq, sub, event).expect("the same");
    }
    replay.mark(seq, &engine.digest()).expect("the same state");
}

#[test]
fn a_changed_event_is_named_with_its_place_and_both_sides() {
    let (groups, engine) = record(opening());
    let seq = engine.last_seq();
    let event = groups[8].events[1].clone();
    let mut changed = event.clone();
    changed[30] ^= 0xff;
    let mut groups_changed = groups.clone();
    groups_changed[8].events[1] = changed.clone();
    let difference = replay(&groups_changed).map(|_| ()).expect_err("a byte");
    let what = What::EventDiffers { recorded: changed.into(), computed: event.into() };
    assert_eq!(difference, Difference { seq, sub: 2, what });
    let start = "event seq 9 sub 2: recorded OrderExecuted, computed OrderExecuted, \
                 first different at byte 30 (block byte 6); recorded ";
    assert!(difference.to_string().starts_with(start), "{difference}");
}

#[test]
fn every_other_difference_is_a_sentence() {
    let (groups, engine) = record(opening()[..8].to_vec());
    let (seq, digest) = (engine.last_seq(), engine.digest());
    let mut replay = replay(&groups).expect("no difference");
    let check = |result: Result<(), Difference>, part: &str| {
        let sentence = result.expect_err("a difference").to_string();
        assert!(sentence.contains(part), "'{part}' is not in: {sentence}");
    };
    check(replay.event(seq, 2, b""), "event seq 8 sub 2: recorded 0 unreadable bytes, computed nothing");
    check(
        replay.event(seq + 1, 1, b""),
        "event seq 9 sub 1: recorded 0 unreadable bytes while the last command is seq 8",
    );
    check(replay.mark(seq, &[0; 31]), "mark seq 8: recorded digest 0000");
    check(replay.mark(seq - 1, &digest), "mark seq 7: recorded while the last command is seq 8");
    check(replay.command(seq, 1000, b""), "command seq 8: recorded as the next after seq 8");
    check(replay.command(seq + 2, 1000, b""), "command seq 10: recorded as the next after seq 8");
    check(replay.command(0, 1000, b""), "command seq 0: recorded as the next after seq 8");
    check(
        replay.command(seq + 1, 0, b""),
        "command seq 9: recorded at 0 ns, before the command ahead of it at 108 ns",
    );
    check(
        replay.command(seq + 1, 1000, b"short"),
        "command seq 9: recorded 5 bytes that are no command: 73686f7274",
    );
    replay.command(seq + 1, 1000, &order(3, 1, 50, 1)).expect("next");
    check(replay.event(seq + 1, 2, b""), "where sub 1 must stand");
    check(
        replay.command(seq + 2, 1000, b""),
        "event seq 9 sub 1: recorded nothing after 0 of 1 events, computed OrderAccepted",
    );
}

/// Rule 5.6, which the engine itself only answers by stopping.
#[test]
fn while_a_continuation_is_due_nothing_else_is_applied() {
    let (groups, engine) = record(opening());
    let order_id = engine.continuation().expect("one match of two");
    let mut replay = replay(&groups).expect("no difference");
    let of_session = from_session(4, |next: &mut Continue| next.order_id.set(order_id));
    for (command, name) in
        [(order(4, 1, 1, 1), "NewOrder"), (of_session, "Continue"), (vec![0; 40], "unreadable")]
    {
        let difference = replay.command(engine.last_seq() + 1, 1000, &command).expect_err("not now");
        assert!(matches!(difference.what, What::ContinuationDue { .. }), "{difference}");
        assert!(difference.to_string().contains(name), "{difference}");
    }
    replay.command(engine.last_seq() + 1, 1000, &continued(order_id + 1)).expect("another's: without effect");
    replay.command(engine.last_seq() + 2, 1000, &continued(order_id)).expect("due");
}

#[test]
fn a_mass_cancel_that_is_due_is_named() {
    let mut commands = opening()[..8].to_vec();
    commands.push(from_session(3, |all: &mut MassCancel| {
        all.account_id.set(4);
        (all.scope, all.side) = (2, 3);
    }));
    let (groups, engine) = record(commands);
    assert_eq!(engine.continuation(), Some(0), "one step of two");
    let mut replay = replay(&groups).expect("no difference");
    let difference = replay.command(10, 1000, &order(4, 1, 1, 1)).expect_err("not now").to_string();
    let start = "command seq 10: recorded NewOrder while a continuation without an order is due";
    assert!(difference.starts_with(start), "{difference}");
    replay.command(10, 1000, &continued(0)).expect("due");
    assert_eq!(replay.owed(), 2, "the second cancel and the answer");
}

#[test]
fn every_template_has_a_name() {
    let names = [
        (3, "Logon"),
        (100, "NewOrder"),
        (110, "ModifyOrder"),
        (112, "MassCancel"),
        (202, "OrderModified"),
        (204, "OrderExecuted"),
        (210, "MassCancelAck"),
        (324, "InstrumentState"),
        (331, "Continue"),
        (350, "Confirmed"),
    ];
    for (template, name) in names {
        assert_eq!(template_name(template), Some(name));
    }
    assert_eq!(template_name(0), None);
    for template in (0..=u16::MAX).filter(|template| is_command(*template)) {
        assert!(template_name(template).is_some(), "command {template}");
    }
}

#[test]
fn rules_that_this_build_has_not_are_refused_by_both_numbers() {
    let mut replay = Replay::new();
    replay.logic(0, &1_u32.to_le_bytes()).expect("the rules of this build");
    for (seq, payload, start) in [
        (
            0,
            &2_u32.to_le_bytes()[..],
            "after seq 0 the journal needs version 2 of the rules; this build knows version 1 only",
        ),
        (0, &0_u32.to_le_bytes()[..], "after seq 0 the journal needs version 0 of the rules"),
        (0, &[1, 0, 0][..], "rules after seq 0: recorded no version: 010000"),
        (7, &1_u32.to_le_bytes()[..], "rules after seq 7: recorded while the last command is seq 0"),
    ] {
        let difference = replay.logic(seq, payload).expect_err("refused").to_string();
        assert!(difference.starts_with(start), "{difference}");
    }
}

/// Numbers without an order of their own, the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Random, or one of the values that arithmetic stumbles over.
    fn byte(&mut self) -> u8 {
        match self.below(4) {
            0 => 0,
            1 => 0xff,
            2 => 0x7f,
            _ => self.below(256) as u8,
        }
    }

    /// Overwrites some runs of bytes, and now and then cuts the end off.
    fn spoil(&mut self, command: &mut Vec<u8>) {
        for _ in 0..self.below(6) {
            let start = self.below(command.len() as u64) as usize;
            let end = (start + 1 + self.below(8) as usize).min(command.len());
            command[start..end].fill(self.byte());
        }
        if self.below(16) == 0 {
            command.truncate(self.below(command.len() as u64) as usize);
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let commands = opening();
    for seed in 1..=400_u64 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut replay = Replay::new();
        for _ in 0..80 {
            let engine = replay.engine();
            let (seq, mut ts_ns) = (engine.last_seq() + 1, engine.last_ts_ns());
            let mut command = match (engine.due(ts_ns), commands.get(seq as usize - 1)) {
                (Some(due), _) if dice.below(2) == 0 => [Origin::venue().as_bytes(), &due.message()].concat(),
                (_, Some(command)) => command.clone(),
                (_, None) => commands[1 + dice.below(8) as usize].clone(),
            };
            // The opening stays whole: a journal that asks for all memory gets all memory.
            if seq > 1 && dice.below(3) == 0 {
                dice.spoil(&mut command);
            }
            if dice.below(200) == 0 {
                ts_ns = u64::MAX - dice.below(1000);
            }
            let faults = [
                replay.command(seq, ts_ns, &command),
                replay.event(seq, 1, &command),
                replay.mark(seq, &command),
            ];
            for difference in faults.into_iter().filter_map(Result::err) {
                assert!(!difference.to_string().is_empty());
            }
            // Nothing of what the engine said was recorded, so this replay ends here; the next goes on from its state.
            replay = Replay::from_engine(replay.into_engine());
        }
        replay.engine().check_invariants().unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}
