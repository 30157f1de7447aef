//! A journal written by hand: a random run of all that members, oracles and administrators can send, with the model's events
//! and a mark now and then, in groups of as many commands as the owner says.

use std::path::Path;

use engine::Engine;
use journal::{BackEnd, Identity, Kind, Options, Record, Writer};
use zerocopy::IntoBytes;

use crate::heard;
use crate::workload::{Profile, Sequenced, Stream};

const MARK_EVERY: u64 = 500;

pub const OPTIONS: Options =
    Options { segment_bytes: 4 << 20, group_alignment: 512, back_end: BackEnd::Written };

/// Writes `commands` commands into a new journal and closes it. `closes` says after which seq a group ends, and `hear` is
/// told the events of each command. Returns the digest at the end.
pub fn journal(
    directory: &Path,
    seed: u64,
    profile: Profile,
    commands: u64,
    closes: impl FnMut(u64) -> bool,
    hear: impl FnMut(&[Vec<u8>]),
) -> [u8; 32] {
    journal_of(&OPTIONS, directory, (seed, profile), commands, closes, hear)
}

/// The same in segments and groups of any size.
pub fn journal_of(
    options: &Options,
    directory: &Path,
    (seed, profile): (u64, Profile),
    commands: u64,
    mut closes: impl FnMut(u64) -> bool,
    mut hear: impl FnMut(&[Vec<u8>]),
) -> [u8; 32] {
    let identity = Identity { journal_id: [5; 16], shard: 0, config_hash: [6; 32], logic_version: 1 };
    let mut writer = Writer::create(directory, &identity, options).expect("a new journal");
    let (mut stream, mut engine) = (Stream::new(seed, profile), Engine::new());
    for count in 1..=commands {
        let command = stream.advance();
        hear(&command.events);
        append(&mut writer, &command);
        let step = &command.step;
        heard::answer(&mut engine, command.seq, command.ts_ns, &step.origin, &step.message);
        if count % MARK_EVERY == 0 {
            mark(&mut writer, &command, &engine);
        }
        if closes(command.seq) {
            writer.close_group().expect("there is room");
        }
    }
    writer.close().expect("it is durable");
    engine.digest()
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
