//! The bridge on a journal with everything in it: a random run of all that members, oracles and administrators can send,
//! written down with the model's events. The program replays it, and its ledger sums every fill on its own.

use engine::event::{AuctionIndicative, MmpTriggered, OrderExecuted};
use engine::message::{ROUTE_BYTES, block};
use tests::venue::run;
use tests::workload::Profile;
use tests::written;

const COMMANDS: u64 = 6_000;

/// What of the run a ledger could stumble over.
#[derive(Debug, Default)]
struct Seen {
    fills: u64,
    auctioned: u64,
    of_one_account: u64,
    indicatives: u64,
    protections: u64,
}

impl Seen {
    fn hear(&mut self, events: &[Vec<u8>]) {
        let messages = || events.iter().map(|event| &event[ROUTE_BYTES..]);
        let fills: Vec<&OrderExecuted> = messages().filter_map(block::<OrderExecuted>).collect();
        self.fills += fills.len() as u64;
        self.auctioned += fills.iter().filter(|fill| fill.liquidity == 3).count() as u64;
        let is_of_one = |pair: &&[&OrderExecuted]| {
            pair[0].match_id == pair[1].match_id
                && pair[0].account_id == pair[1].account_id
                && pair[0].side != pair[1].side
        };
        self.of_one_account += fills.windows(2).filter(is_of_one).count() as u64;
        self.indicatives += messages().filter_map(block::<AuctionIndicative>).count() as u64;
        self.protections += messages().filter_map(block::<MmpTriggered>).count() as u64;
    }
}

#[test]
fn the_bridge_follows_whatever_the_rules_allow() {
    let mut seen = Seen::default();
    for (seed, profile) in (1..).zip(Profile::ALL) {
        let home = tempfile::tempdir().expect("there is room");
        let hear = |events: &[Vec<u8>]| seen.hear(events);
        written::journal(&home.path().join("journal"), seed, profile, COMMANDS, |_| true, hear);
        let shown = home.path().to_str().expect("temporary paths are text");
        let done = run("settlement-bridge", &["follow", shown, "--exit-at-end", "--json", "--quiet"]);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "profile {} seed {seed}: {said}", profile.name);
        assert!(said.contains("the ledger agrees with the engine"), "{said}");
    }
    println!("{seen:?}");
    let Seen { fills, auctioned, of_one_account, indicatives, protections } = seen;
    assert!(fills > 1_000 && auctioned > 0 && of_one_account > 0, "{seen:?}");
    assert!(indicatives > 0 && protections > 0, "{seen:?}");
}
