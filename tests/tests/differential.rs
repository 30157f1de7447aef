//! Engine and model side by side: every event byte for byte, the continuation, and now and then the whole state. A
//! difference names the seed, the command and both answers. `BALLAST_COMMANDS` sets how many commands are compared,
//! `BALLAST_SEED` where the seeds start, `BALLAST_WITHOUT` which features a run leaves out
//! (`triggers,combos`), to narrow a difference down.

use std::time::Instant;

use engine::Engine;
use tests::agreement::same_state;
use tests::workload::{Coverage, Draw, Features, Profile, Sequenced, Stream};
use tests::{heard, text};

const COMMANDS: u64 = 1_000_000;
/// More seeds, not longer runs: in a long one everybody grows rich and margin decides nothing any more.
const COMMANDS_PER_RUN: u64 = 25_000;
const STATE_EVERY: u64 = 1_000;
const DIGEST_EVERY: usize = 10_000;
const TAIL: usize = 1_500;

fn answer(engine: &mut Engine, command: &Sequenced) -> Vec<Vec<u8>> {
    heard::answer(engine, command.seq, command.ts_ns, &command.step.origin, &command.step.message)
}

/// Says how to come back to where a panic happened.
struct Place {
    seed: u64,
    profile: &'static str,
    command: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("profile {} seed {}: cargo test -p tests --test differential", self.profile, self.seed);
            eprintln!("with BALLAST_SEED={} repeats it; the command was\n{}", self.seed, self.command);
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Drives both through `commands` commands; `after` sees the engine after each.
fn compare(seed: u64, profile: Profile, commands: u64, after: impl Fn(&Engine)) -> Coverage {
    let mut stream = Stream::new(seed, profile);
    let mut engine = Engine::new();
    let mut place = Place { seed, profile: profile.name, command: String::new() };
    let mut state_due = STATE_EVERY;
    for count in 1..=commands {
        let command = stream.advance();
        let step = &command.step;
        place.command = text::command(command.seq, command.ts_ns, &step.origin, &step.message);
        let heard = answer(&mut engine, &command);
        if heard != command.events {
            let (model, engine) = (text::events(&command.events), text::events(&heard));
            panic!("the answers differ\nmodel\n{model}\nengine\n{engine}");
        }
        assert_eq!(engine.continuation(), stream.model.continuation(), "5.6: what is due");
        if engine.continuation().is_none() {
            assert_eq!(engine.deadline(), stream.model.deadline(), "8.2: the deadline");
        }
        after(&engine);
        // A taker between its continuations is neither open nor done: the state is compared when it has ended.
        if count >= state_due && engine.continuation().is_none() {
            state_due = count + STATE_EVERY;
            same_state(&engine, &stream.model);
        }
    }
    std::mem::take(&mut stream.coverage)
}

#[test]
fn engine_and_model_give_the_same_answers() {
    let (commands, first_seed) = (number("BALLAST_COMMANDS", COMMANDS), number("BALLAST_SEED", 1));
    let features = Features::without(&std::env::var("BALLAST_WITHOUT").unwrap_or_default());
    let started = Instant::now();
    let mut all = Coverage::default();
    for run in 0..commands.div_ceil(COMMANDS_PER_RUN) {
        let profile = Profile { features, ..Profile::ALL[run as usize % Profile::ALL.len()] };
        let seed = first_seed + run / Profile::ALL.len() as u64;
        all.add(&compare(seed, profile, COMMANDS_PER_RUN, |_| ()));
    }
    println!("{all}{} s", started.elapsed().as_secs());
    if commands >= COMMANDS {
        assert_eq!(all.missing(features), Vec::<String>::new());
    }
}

#[test]
fn the_invariants_hold_after_every_command() {
    for profile in Profile::ALL {
        compare(number("BALLAST_SEED", 1) + 500, profile, 10_000, |engine| {
            assert_eq!(engine.check_invariants(), Ok(()));
        });
    }
}

#[test]
fn a_replay_has_the_same_digests() {
    for profile in [Profile::STANDARD, Profile::CAPPED] {
        let mut stream = Stream::new(number("BALLAST_SEED", 1) + 1_000, profile);
        let (mut first, mut commands, mut digests) = (Engine::new(), Vec::new(), Vec::new());
        for count in 1..=10 * DIGEST_EVERY {
            let command = stream.advance();
            answer(&mut first, &command);
            commands.push(command);
            if count % DIGEST_EVERY == 0 {
                digests.push(first.digest());
            }
        }
        let mut second = Engine::new();
        for (chunk, digest) in commands.chunks(DIGEST_EVERY).zip(&digests) {
            chunk.iter().for_each(|command| assert_eq!(answer(&mut second, command), command.events));
            assert_eq!(second.digest(), *digest);
        }
        digests.dedup();
        assert_eq!(digests.len(), 10, "a digest that never changes says nothing");
    }
}

#[test]
fn a_snapshot_goes_on_like_the_engine_it_was_taken_from() {
    for profile in Profile::ALL {
        let seed = number("BALLAST_SEED", 1) + 2_000;
        let mut draw = Draw::new(seed);
        let mut stream = Stream::new(seed, profile);
        let mut engine = Engine::new();
        for _ in 0..12 {
            for _ in 0..draw.below(3_000) {
                answer(&mut engine, &stream.advance());
            }
            // In the middle of a sweep too, when this seed comes to one soon.
            for _ in 0..if draw.one_in(2) { 2_000 } else { 0 } {
                if engine.continuation().is_some() {
                    break;
                }
                answer(&mut engine, &stream.advance());
            }
            let mut twin = restored(&engine);
            for _ in 0..TAIL {
                let command = stream.advance();
                assert_eq!(answer(&mut engine, &command), command.events);
                assert_eq!(answer(&mut twin, &command), command.events, "seed {seed} seq {}", command.seq);
            }
            assert_eq!(twin.digest(), engine.digest());
            assert_eq!(twin.snapshot(), engine.snapshot());
            assert_eq!(twin.check_invariants(), Ok(()));
        }
    }
}

fn restored(engine: &Engine) -> Engine {
    let snapshot = engine.snapshot();
    let Ok(twin) = Engine::restore(&snapshot) else { panic!("a snapshot of the engine restores") };
    assert_eq!(twin.digest(), engine.digest());
    assert_eq!(twin.continuation(), engine.continuation());
    assert_eq!(twin.check_invariants(), Ok(()));
    assert!(twin.snapshot() == snapshot, "a snapshot of the restored is the same bytes");
    twin
}
