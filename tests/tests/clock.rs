//! The venue on clocks that are wrong: hours and years ahead or behind when it starts, standing, stumbling, going back. Its
//! members notice nothing, the journal's time never goes back, and a replay, which reads no clock, says the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::clock::Clock;
use gateway::config::Config;
use gateway::pipeline::{self, Pipeline};
use gateway::recovery;
use gateway::stage::{Ending, Stage};
use journal::{Limit, Reader};
use mio::net::TcpListener;
use quanta::Mock;
use tests::audit::audit;
use tests::member::Member;
use tests::tier::{seed, tiered};
use tests::venue::Home;
use tests::workload::Draw;

/// 2026-01-01.
const NOON_NS: u64 = 1_767_225_600_000_000_000;
const HOUR_NS: i64 = 3_600_000_000_000;
const YEAR_NS: i64 = 365 * 24 * HOUR_NS;
const TRADES: u64 = 5;

/// What the counter does at each look of the venue.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Even,
    Stands,
    Stumbles,
    Back,
}

const LIVES: [(i64, Pace); 10] = [
    (0, Pace::Even),
    (HOUR_NS, Pace::Even),
    (-HOUR_NS, Pace::Even),
    (YEAR_NS, Pace::Even),
    (-YEAR_NS, Pace::Even),
    (0, Pace::Stands),
    (YEAR_NS, Pace::Stumbles),
    (0, Pace::Back),
    (-YEAR_NS, Pace::Back),
    (-HOUR_NS, Pace::Stumbles),
];

impl Pace {
    fn step(self, counter: &Mock, draw: &mut Draw) {
        let step = Duration::from_nanos(1 + draw.below(20_000));
        match self {
            Pace::Even => counter.increment(step),
            Pace::Stands => {}
            Pace::Stumbles if draw.one_in(2) => counter.decrement(step),
            Pace::Stumbles => counter.increment(step),
            Pace::Back => counter.decrement(step),
        }
    }
}

fn venue(home: &Home, offset_ns: i64) -> (Pipeline, Arc<Mock>) {
    let (counter, mock) = quanta::Clock::mock();
    // Room to go back.
    mock.increment(Duration::from_secs(3_600));
    let clock = Clock::on(counter, NOON_NS.checked_add_signed(offset_ns).expect("after 1970"));
    let config = Config::load(home.path()).expect("init wrote it");
    let recovered = recovery::open(home.path(), &config, &clock).expect("the journal is whole");
    let address: SocketAddr = config.venue.listen.parse().expect("init wrote it");
    let listener = TcpListener::bind(address).expect("the port is free");
    let keys = config.keys().expect("init wrote them");
    let venue = pipeline::build(recovered, &config, keys, listener, clock, Ending::default());
    (venue.expect("sockets are to be had"), mock)
}

/// Members that trade in one life of the venue, on a thread of their own, because they block.
fn trades(member: Option<Member>, home: &Home) -> std::thread::JoinHandle<Member> {
    let path = home.path().to_owned();
    std::thread::spawn(move || {
        let mut member = match member {
            Some(mut member) => {
                member.log_on_again();
                member
            }
            None => Member::new(&path, "alice"),
        };
        (0..TRADES).for_each(|_| member.trade());
        member
    })
}

#[test]
fn no_clock_is_so_wrong_that_a_member_or_a_replay_would_notice() {
    let (lives, seed) = (tiered(10, 100), seed());
    let home = Home::new(|text| text.replace("mark_every = 10000", "mark_every = 10"));
    let mut draw = Draw::new(seed);
    let mut member = None;
    for life in 0..lives {
        let (offset_ns, pace) = LIVES[life as usize % LIVES.len()];
        let (mut venue, counter) = venue(&home, offset_ns);
        let trading = trades(member.take(), &home);
        while !trading.is_finished() {
            pace.step(&counter, &mut draw);
            venue.net.poll();
            venue.matcher.poll();
            venue.journaler.poll();
        }
        let Ok(back) = trading.join() else {
            panic!("life {life} of BALLAST_SEED={seed}: {offset_ns} ns off, {pace:?}")
        };
        member = Some(back);
    }
    let mut reader = Reader::open(&home.journal()).expect("the journal is whole");
    let (mut last_ns, mut records) = (0, 0);
    let mut visit = |record: &journal::Record<'_>| {
        assert!(record.ts_ns >= last_ns, "the time of seq {} went back", record.seq);
        (last_ns, records) = (record.ts_ns, records + 1);
        Ok(())
    };
    while reader.poll(Limit::Durable, 10_000, &mut visit).expect("the journal is whole") > 0 {}
    let audit = audit(&home.journal());
    assert!(audit.marks > 0 && last_ns >= NOON_NS + YEAR_NS.unsigned_abs());
    println!(
        "D3 clocks: {lives} lives on wrong clocks, {} trades, {records} records in time, {} digests equal in replay, \
         0 members lost (BALLAST_SEED={seed})",
        lives * TRADES,
        audit.marks
    );
}
