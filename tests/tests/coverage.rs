//! The workload reaches every answer that the rules know, and the model keeps section 7 all the while.

use tests::workload::{Coverage, Features, Profile, Stream};

/// The standard profile meets every capacity; only where there is room can an account spend its looks (rule 12.6).
#[test]
fn two_profiles_together_reach_every_answer() {
    let mut coverage = Coverage::default();
    let streams =
        (1..=16).map(|seed| (seed, Profile::STANDARD)).chain((1..=4).map(|seed| (seed, Profile::ROOMY)));
    for (seed, profile) in streams {
        let mut stream = Stream::new(seed, profile);
        for _ in 0..30_000 {
            stream.advance();
        }
        stream.model.check();
        coverage.add(&stream.coverage);
    }
    println!("{coverage}");
    assert_eq!(coverage.missing(Features::ALL), Vec::<String>::new());
}

#[test]
fn every_profile_conserves_money_and_lots() {
    for profile in Profile::ALL {
        let mut stream = Stream::new(9, profile);
        for count in 0..20_000 {
            stream.advance();
            if count % 50 == 0 {
                stream.model.check();
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_stream_again() {
    let record = || {
        let mut stream = Stream::new(5, Profile::CAPPED);
        (0..5_000)
            .map(|_| stream.advance())
            .map(|it| (it.ts_ns, it.step.message, it.events))
            .collect::<Vec<_>>()
    };
    assert!(record() == record());
}

#[test]
fn an_empty_coverage_misses_everything() {
    assert_eq!(Coverage::default().missing(Features::ALL).len(), Coverage::reachable(Features::ALL).len());
}
