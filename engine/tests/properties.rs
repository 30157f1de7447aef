//! What must hold over any history: section 7 after every command, and that the canonical bytes say all there is.

mod desk;

use desk::flow::{Random, draw};
use desk::{Bytes, Desk, Lines, bytes_of, spoil, venue_open};
use engine::command::Continue;
use engine::message::Origin;
use engine::{Due, Engine, LookAhead, Sequenced};
use zerocopy::IntoBytes;

/// A desk driven by a seed. With little money, so that margin refuses too.
struct Run {
    desk: Desk,
    random: Random,
    events: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = Random(seed);
        let key = [random.next(), random.next()];
        let funds = random.pick(&[0, 500_000_000, 5_000_000_000, 1_000_000_000_000]);
        let mut terms = venue_open(key);
        terms.matches_per_command_max = (1 + random.below(3) as u32).into();
        terms.closed_ids_max = random.pick(&[0, 0, 1, 5]).into();
        Run { desk: Desk::open_wide(terms, funds), random, events: 0 }
    }

    /// The next command: a continuation when one is due.
    fn next(&mut self) -> (Origin, Vec<u8>) {
        if let Some(order_id) = self.desk.engine.continuation() {
            // Naming another order has no effect, and leaves it due (rule 5.6).
            let wrong = u64::from(self.random.one_in(4));
            return (Origin::venue(), bytes_of(Continue { order_id: (order_id + wrong).into() }));
        }
        if self.random.one_in(40) {
            // Now and then an hour goes by.
            self.desk.ts_ns += 3_600_000_000_000;
        }
        if self.desk.is_due() {
            return (Origin::venue(), Due::Tick.message().to_vec());
        }
        let engine = &self.desk.engine;
        let open: Vec<u64> = engine.open_orders().map(|order| order.order_id).collect();
        let open = (!open.is_empty()).then(|| self.random.pick(&open));
        let numbers = |id| engine.session(id).map_or(1, |session| session.next_client_seq);
        let (origin, draft) = draw(&mut self.random, self.desk.ts_ns, numbers, open);
        (origin, draft.message().to_vec())
    }

    /// Applies the next command here and, where given, on a second engine that must say the same.
    fn step(&mut self, twin: Option<&mut Engine>) {
        let (origin, message) = self.next();
        let mut heard = Bytes::default();
        self.desk.apply_to(origin, &message, &mut heard);
        self.events += heard.0.len();
        if let Some(twin) = twin {
            let mut repeated = Bytes::default();
            let command =
                Sequenced { seq: self.desk.seq, ts_ns: self.desk.ts_ns, origin: &origin, message: &message };
            twin.apply(&command, &mut repeated);
            assert_eq!(heard, repeated, "a restored engine says the same");
            assert_eq!(self.desk.engine.digest(), twin.digest(), "and is the same");
        }
    }
}

#[test]
fn section_seven_holds_after_every_command() {
    for seed in 0..60 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for _ in 0..1_000 {
            run.step(None);
        }
        assert!(run.events > 50_000, "the commands did something: {} bytes", run.events);
    }
}

/// A flow that never meets a rule shows nothing about it.
#[test]
fn the_flow_meets_the_rules() {
    let mut heard = Vec::new();
    for seed in 300..620 {
        let mut run = Run::new(seed);
        for _ in 0..1_000 {
            let (origin, message) = run.next();
            let mut lines = Lines::default();
            run.desk.apply_to(origin, &message, &mut lines);
            heard.extend(lines.0);
        }
    }
    let met = |what: &str| heard.iter().filter(|line| line.contains(what)).count();
    let at_least = [
        (100, " Accepted"),
        (20, "@market"),
        (100, " taker "),
        (6, " in 4 "),
        (100, "priority kept"),
        (100, "priority lost"),
        (5, "status 2 priority lost"),
        (20, "reason 1 "),
        (20, "reason 2 "),
        (20, "reason 7 "),
        (5, "ExpireTimeInvalid"),
        (20, "DisplayQtyInvalid"),
        (20, "ReduceOnly field 14"),
        (100, "reason 3 "),
        (20, "reason 8 "),
        (10, "InvalidCombination"),
        (20, "AccountBlocked"),
        (20, "Halted"),
        (20, "CancelOnly"),
        (20, "NoLiquidity"),
        (20, "PriceAboveBand"),
        (20, "PriceBelowBand"),
        (10, "WouldCross"),
        (20, "FokNotFillable"),
        (20, "InsufficientMargin"),
        (20, "OpenOrderLimit"),
        (20, "Capacity"),
        (100, " set/set"),
        (20, "QuoteAck InvalidCombination"),
        (20, "QuoteAck MmpNotConfigured"),
        (2, "QuoteAck MmpFrozen"),
        (20, "RequestComplete Done"),
        (1, "Rejected MmpFrozen"),
        (10, "reason 4 "),
        (1, "reason 1 canceled"),
        (1, "reason 2 canceled"),
        (1, "reason 3 canceled"),
        (1, "reason 4 canceled"),
        (20, "QuoteAck TooManyQuotes"),
        (20, "QuoteAck AccountBlocked"),
        (20, "DuplicateQuoteEntry/"),
        (20, "DuplicateClOrdId"),
        (20, "MassCancelAck Done"),
        (1, "MassCancelAck Unknown"),
        (20, "template 324"),
        (2, " auction "),
        (20, " Indicative 1 0@none"),
        (20, "surplus"),
        (20, "AuctionRule"),
        (20, "Settling"),
        (20, "ExpiredInstrument"),
        (5, "reason 15 "),
        (20, "template 301"),
        (50, " armed "),
        (50, "status 7 "),
        (20, "order 0.0 trigger"),
    ];
    let missed: Vec<_> = at_least
        .iter()
        .map(|(least, what)| (met(what), least, what))
        .filter(|(met, least, _)| met < least)
        .collect();
    assert!(missed.is_empty(), "met, wanted, what: {missed:?}");
}

#[test]
fn a_restored_engine_has_the_same_future() {
    for seed in 100..160 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for _ in 0..8 {
            for _ in 0..run.random.below(80) {
                run.step(None);
            }
            let bytes = run.desk.engine.snapshot();
            let mut twin = Engine::restore(&bytes).expect("an engine reads its own snapshot");
            assert_eq!(twin.snapshot(), bytes);
            assert_eq!(twin.digest(), run.desk.engine.digest());
            for _ in 0..60 {
                run.step(Some(&mut twin));
            }
        }
    }
}

#[test]
fn a_snapshot_taken_before_a_continuation_restores() {
    let (mut seen, mut without_a_taker) = (0, 0);
    for seed in 200..260 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        let mut terms = venue_open([seed, 1]);
        terms.matches_per_command_max = 1.into();
        terms.closed_ids_max = (seed as u32 % 4).into();
        run.desk = Desk::open_wide(terms, 1_000_000_000_000);
        for _ in 0..300 {
            run.step(None);
            if let Some(due) = run.desk.engine.continuation() {
                let mut twin =
                    Engine::restore(&run.desk.engine.snapshot()).expect("mid-order snapshots restore");
                assert_eq!(twin.continuation(), run.desk.engine.continuation());
                run.step(Some(&mut twin));
                seen += 1;
                without_a_taker += u32::from(due == 0);
            }
        }
    }
    assert!(seen > 20, "only {seen} continuations were met");
    assert!(without_a_taker > 40, "only {without_a_taker} of mass cancels and triggers");
}

/// Whatever a flipped byte makes of a snapshot, it is refused or a state that could have been.
#[test]
fn restore_is_total() {
    // At rest, with a taker that waits, and with a mass cancel that waits.
    let kinds: [fn(Option<u64>) -> bool; 3] =
        [|due| due.is_none(), |due| due.is_some_and(|id| id != 0), |due| due == Some(0)];
    for wanted in kinds {
        let mut run = Run::new(7);
        let mut steps = 0;
        while steps < 400 || !wanted(run.desk.engine.continuation()) {
            run.step(None);
            steps += 1;
        }
        spoil(&run.desk.engine.snapshot());
    }
}

#[test]
fn a_closed_engine_has_a_snapshot_too() {
    let engine = Engine::new();
    let restored = Engine::restore(&engine.snapshot()).expect("a closed engine restores");
    assert_eq!(restored.digest(), engine.digest());
    assert!(Engine::restore(&[]).is_err());
}

/// The hash key decides layouts in memory and nothing that anybody hears.
#[test]
fn events_do_not_depend_on_the_hash_key() {
    let mut run = Run::new(5);
    let mut other = Desk::open_wide(venue_open([9, 9]), 5_000_000_000);
    run.desk = Desk::open_wide(venue_open([1, 2]), 5_000_000_000);
    for _ in 0..2_000 {
        let (origin, message) = run.next();
        let (mut one, mut two) = (Bytes::default(), Bytes::default());
        other.ts_ns = run.desk.ts_ns;
        run.desk.apply_to(origin, &message, &mut one);
        other.apply_to(origin, &message, &mut two);
        assert_eq!(one, two);
    }
}

/// Whatever is looked at, in whatever state: no bytes stop it, and the engine says and is what it would have been.
#[test]
fn looking_ahead_changes_nothing() {
    for seed in 700..740 {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        let history: Vec<_> = (0..500)
            .map(|_| {
                let (origin, message) = run.next();
                let (ts_ns, mut heard) = (run.desk.ts_ns, Bytes::default());
                run.desk.apply_to(origin, &message, &mut heard);
                (origin, message, ts_ns, heard)
            })
            .collect();
        let Run { mut desk, mut random, .. } = Run::new(seed);
        let (mut ahead, mut seen) = (LookAhead::new(), history.iter());
        for (origin, message, ts_ns, heard) in &history {
            while ahead.has_room()
                && let Some((origin, message, ..)) = seen.next()
            {
                let mut payload = [origin.as_bytes(), message].concat();
                if random.one_in(10) {
                    let place = random.below(payload.len() as u64) as usize;
                    payload[place] ^= 1 << random.below(8);
                    payload.truncate(payload.len() - random.below(3) as usize);
                }
                ahead.see(&desk.engine, &payload);
            }
            let mut repeated = Bytes::default();
            desk.ts_ns = *ts_ns;
            desk.apply_to(*origin, message, &mut repeated);
            assert_eq!(*heard, repeated);
            ahead.pass(&desk.engine);
        }
        assert_eq!(run.desk.engine.digest(), desk.engine.digest());
    }
}
