//! The bridge on a journal with everything in it: a random run of all that members, oracles and administrators can send,
//! written down with the model's events. The program replays it, and its ledger sums every fill on its own.

use std::path::Path;

use engine::Engine;
use engine::event::{AuctionIndicative, MmpTriggered, OrderExecuted};
use engine::message::{ROUTE_BYTES, block};
use journal::{Identity, Kind, Options, Record, Writer};
use tests::heard;
use tests::venue::run;
use tests::workload::{Profile, Sequenced, Stream};
use zerocopy::IntoBytes;

const COMMANDS: u64 = 6_000;
const MARK_EVERY: u64 = 500;

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

/// A journal of one run, with a mark now and then.
fn write(directory: &Path, seed: u64, profile: Profile, seen: &mut Seen) {
    let identity = Identity { journal_id: [5; 16], shard: 0, config_hash: [6; 32], logic_version: 1 };
    let options = Options { segment_bytes: 4 << 20, group_alignment: 512 };
    let mut writer = Writer::create(directory, &identity, &options).expect("a new journal");
    let (mut stream, mut engine) = (Stream::new(seed, profile), Engine::new());
    for count in 1..=COMMANDS {
        let command = stream.advance();
        seen.hear(&command.events);
        append(&mut writer, &command);
        let step = &command.step;
        heard::answer(&mut engine, command.seq, command.ts_ns, &step.origin, &step.message);
        if count % MARK_EVERY == 0 {
            mark(&mut writer, &command, &engine);
        }
        writer.close_group().expect("there is room");
    }
    writer.close().expect("it is durable");
}

fn append(writer: &mut Writer, Sequenced { seq, ts_ns, step, events }: &Sequenced) {
    let (seq, ts_ns) = (*seq, *ts_ns);
    let payload = [step.origin.as_bytes(), &step.message].concat();
    let record = |kind, sub, payload| Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload };
    writer.append(&record(Kind::Command, 0, &payload)).expect("in order");
    for (sub, event) in (1..).zip(events) {
        writer.append(&record(Kind::Event, sub, event)).expect("in order");
    }
}

fn mark(writer: &mut Writer, Sequenced { seq, ts_ns, .. }: &Sequenced, engine: &Engine) {
    let (seq, ts_ns, digest) = (*seq, *ts_ns, engine.digest());
    let record = Record { seq, ts_ns, kind: Kind::Mark, version: 1, flags: 0, sub: 0, payload: &digest };
    writer.append(&record).expect("in order");
}

#[test]
fn the_bridge_follows_whatever_the_rules_allow() {
    let mut seen = Seen::default();
    for (seed, profile) in (1..).zip(Profile::ALL) {
        let home = tempfile::tempdir().expect("there is room");
        write(&home.path().join("journal"), seed, profile, &mut seen);
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
