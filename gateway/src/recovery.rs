//! From a directory to a venue that can go on: the journal recovered, the engine rebuilt and checked against everything it
//! said before, every session's outbox rebuilt, and what the operator's file adds put behind it. Opens no socket.

use std::path::{Path, PathBuf};

use engine::event::{Confirmed, EventSink};
use engine::message::{ROUTE_BYTES, block};
use engine::reject::Reject;
use engine::replay::What;
use engine::{Engine, Sequenced, logic};
use journal::{
    Acceptance, Bookmark, Identity, Kind, OpenError, Options, Record, Recovery, Surrender, Writer,
    settle_loss,
};

use crate::clock::Clock;
use crate::config::{CONFIG_FILE, Config};
use crate::genesis::{self, Genesis};
use crate::logic::renew;
use crate::loss;
use crate::market::feed::Start;
use crate::outbox::Outboxes;
use crate::snapshots::reference::SnapshotReference;
use crate::snapshots::standing::Standing;
use crate::tools::json::Object;
use crate::venue_id;

/// A venue between two lives.
pub struct Recovered {
    pub engine: Engine,
    pub writer: Writer,
    pub outboxes: Outboxes,
    /// Where whoever tells everybody goes on.
    pub market: Start,
    /// The snapshot that the journal was read behind.
    pub snapshot: Option<u64>,
    /// The snapshots that the part of the journal that was read says were verified.
    pub recorded: Vec<SnapshotReference>,
    /// Durable data that this start gave up by an operator's word.
    pub given_up: Option<Surrender>,
    /// Where the journal lies.
    pub journal: PathBuf,
    /// What an operator reads.
    pub report: String,
}

/// Why the venue does not start.
#[derive(Debug)]
pub enum StartError {
    /// Another process has this directory.
    Locked(String),
    /// What the journal holds does not allow a start; `report` says it in JSON.
    JournalRefused {
        text: String,
        report: String,
    },
    /// What an operator said about giving up durable data is not what is found.
    LossRefused {
        text: String,
        report: String,
    },
    /// The journal needs newer rules than this build has.
    UnknownRules(String),
    Other(String),
}

impl StartError {
    /// A refusal that the journal crate does not know of.
    pub(crate) fn refused(kind: &str, path: &Path, text: String) -> StartError {
        let report = Object::new().text("refusal", kind).text("path", &path.display().to_string());
        StartError::JournalRefused { report: report.text("text", &text).end(), text }
    }
}

/// Collects the events of one command.
#[derive(Default)]
struct Said(Vec<(u32, Vec<u8>)>);

impl EventSink for Said {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.0.push((sub, payload.to_vec()));
    }
}

pub fn open(directory: &Path, config: &Config, clock: &Clock) -> Result<Recovered, StartError> {
    open_accepting(directory, config, clock, None)
}

/// The same where an operator gives up durable data that is damaged; without such damage it refuses.
pub fn open_accepting(
    directory: &Path,
    config: &Config,
    clock: &Clock,
    acceptance: Option<&Acceptance>,
) -> Result<Recovered, StartError> {
    let options = Options {
        segment_bytes: config.journal.segment_mib << 20,
        back_end: config.journal.back_end.into(),
        ..Options::default()
    };
    let mut random = [0; 48];
    getrandom::fill(&mut random)
        .map_err(|error| StartError::Other(format!("the system gives no random bytes: {error}")))?;
    let (id, words) = random.split_first_chunk::<16>().expect("forty-eight bytes hold sixteen");
    let journal_directory = Config::journal_directory(directory);
    let mut recovered = if has_journal(&journal_directory) {
        venue_id::check(directory, &journal_directory)?;
        let opening = Opening { options: &options, acceptance };
        replay(&journal_directory, &opening)?
    } else {
        venue_id::refuse_if_known(directory, &journal_directory)?;
        if acceptance.is_some() {
            let reason = format!("there is no journal in {}", journal_directory.display());
            return Err(start_error(OpenError::LossRefused { reason }));
        }
        create(&journal_directory, *id, &options)?
    };
    venue_id::keep(directory, &journal_directory)?;
    let words = words.try_into().expect("forty-eight bytes less sixteen are thirty-two");
    extend(&mut recovered, directory, config, clock, words)?;
    if recovered.given_up.is_some() {
        settle_loss(&journal_directory).map_err(|error| {
            StartError::Other(format!("the accepted loss cannot be settled: {error}; start again"))
        })?;
    }
    Ok(recovered)
}

fn has_journal(directory: &Path) -> bool {
    directory.join("journal.id").exists()
}

fn create(directory: &Path, journal_id: [u8; 16], options: &Options) -> Result<Recovered, StartError> {
    let identity =
        Identity { journal_id, shard: 0, config_hash: [0; 32], logic_version: logic::LOGIC_VERSION };
    let writer = Writer::create(directory, &identity, options).map_err(start_error)?;
    Ok(Recovered {
        engine: Engine::new(),
        writer,
        outboxes: Outboxes::default(),
        market: Start::default(),
        snapshot: None,
        recorded: Vec::new(),
        given_up: None,
        journal: directory.to_owned(),
        report: "new journal".into(),
    })
}

/// From the newest snapshot that verifies, or from the journal's start if none does. What was passed over is reported.
fn replay(directory: &Path, opening: &Opening<'_>) -> Result<Recovered, StartError> {
    let identity = journal::load_identity(directory).map_err(start_error)?;
    logic::check(identity.logic_version).map_err(|unknown| StartError::UnknownRules(unknown.to_string()))?;
    let seqs = journal::snapshot_seqs(directory)
        .map_err(|error| StartError::Other(format!("the snapshots cannot be listed: {error}")))?;
    let mut passed_over = String::new();
    for seq in seqs.into_iter().rev() {
        let why = match Standing::load(directory, &identity, seq) {
            Ok((standing, bookmark)) => match go_on(directory, &identity, standing, Some(&bookmark), opening)
            {
                Ok(opened) => return Ok(recovered(directory, opened, Some(seq), &passed_over)),
                Err(Stopped::Bookmark(error)) => error.to_string(),
                Err(Stopped::Start(error)) => return Err(error),
            },
            Err(why) => why,
        };
        passed_over += &format!("; the snapshot of seq {seq} is not used: {why}");
    }
    let held = journal::segments(directory, &identity).map_err(start_error)?;
    if held.first().is_some_and(|first| *first > 1) {
        let text = format!(
            "the journal in {} begins with segment {} and there is no snapshot to go on from{passed_over}; put one back \
             from a backup",
            directory.display(),
            held[0]
        );
        return Err(StartError::refused("no_snapshot", directory, text));
    }
    match go_on(directory, &identity, Standing::default(), None, opening) {
        Ok(opened) => Ok(recovered(directory, opened, None, &passed_over)),
        Err(Stopped::Bookmark(error)) => Err(start_error(error)),
        Err(Stopped::Start(error)) => Err(error),
    }
}

/// How a journal is opened.
struct Opening<'a> {
    options: &'a Options,
    acceptance: Option<&'a Acceptance>,
}

/// A state and the journal behind it.
struct Opened {
    standing: Standing,
    market: Start,
    writer: Writer,
    recovery: Recovery,
    given_up: Option<Surrender>,
}

/// Why a state did not become a venue.
enum Stopped {
    /// It is not one of this journal's history.
    Bookmark(OpenError),
    /// The venue does not start, whatever the state.
    Start(StartError),
}

/// Recovers the journal behind `bookmark`, or all of it, and compares everything that it says with what the engine says.
fn go_on(
    directory: &Path,
    identity: &Identity,
    mut standing: Standing,
    bookmark: Option<&Bookmark>,
    opening: &Opening<'_>,
) -> Result<Opened, Stopped> {
    // It is followed beside the venue, so that the start does not wait for it.
    let market = Start { projection: standing.give_away_market(), bookmark: bookmark.copied() };
    let mut is_newer = false;
    let mut hear = |record: &Record<'_>| {
        standing.hear(record).map_err(|difference| {
            is_newer |= matches!(difference.what, What::LogicUnknown(_));
            difference.to_string()
        })
    };
    let Opening { options, acceptance } = *opening;
    let storage = options.back_end.storage();
    let opened = match acceptance {
        None => Writer::open_from(directory, None, bookmark, options, &mut hear, storage)
            .map(|(writer, recovery)| (writer, recovery, None)),
        Some(word) => Writer::open_giving_up(directory, bookmark, options, word, &mut hear, storage)
            .map(|(writer, recovery, given_up)| (writer, recovery, Some(given_up))),
    };
    let (mut writer, recovery, given_up) = opened.map_err(|error| match error {
        OpenError::BookmarkRefused { .. } => Stopped::Bookmark(error),
        OpenError::Replay { reason, .. } if is_newer => Stopped::Start(StartError::UnknownRules(reason)),
        error => Stopped::Start(start_error(error)),
    })?;
    standing.finish().map_err(|difference| {
        let (seq, reason) = (difference.seq, difference.to_string());
        Stopped::Start(start_error(OpenError::Replay { seq, reason }))
    })?;
    let active = standing.logic_recorded().unwrap_or(identity.logic_version);
    renew(active, &mut writer, recovery.last_seq, standing.engine().last_ts_ns()).map_err(|error| {
        Stopped::Start(StartError::Other(format!("the journal cannot be written: {error}")))
    })?;
    Ok(Opened { standing, market, writer, recovery, given_up })
}

fn recovered(
    directory: &Path,
    Opened { standing, market, writer, recovery, given_up }: Opened,
    snapshot: Option<u64>,
    passed_over: &str,
) -> Recovered {
    let torn = match &recovery.discarded {
        Some(torn) => format!(
            "; cut a torn tail of {} bytes that was never durable, kept in {}",
            torn.bytes,
            torn.saved.display()
        ),
        None => String::new(),
    };
    let checked = match snapshot {
        Some(seq) => format!("from the snapshot of seq {seq}, every event behind it as it was said then"),
        None => "every event as it was said then".into(),
    };
    let lost = given_up.as_ref().map_or(String::new(), |given_up| format!("; {}", loss::sentence(given_up)));
    let report = format!("recovered to seq {}, {checked}{torn}{lost}{passed_over}", recovery.last_seq);
    let (engine, outboxes, recorded) = standing.into_parts();
    let journal = directory.to_owned();
    Recovered { engine, writer, outboxes, market, snapshot, recorded, given_up, journal, report }
}

pub(crate) fn start_error(error: OpenError) -> StartError {
    let (mut text, report) = (error.to_string(), error.report());
    if let OpenError::Damaged(damage) = &error {
        let last = damage.last_good_seq;
        let what = if damage.is_behind_everything() {
            "sets what stands there aside, and no record goes".into()
        } else {
            format!("gives up all behind seq {last}, which is promised up to seq {}", damage.floor.seq)
        };
        text += &format!(
            "; with no backup left, --accept-data-loss --expect-last-seq {last} --reason TEXT {what}"
        );
    }
    match error {
        OpenError::Locked { .. } => StartError::Locked(text),
        OpenError::Damaged(_)
        | OpenError::FileDamaged { .. }
        | OpenError::SegmentMissing { .. }
        | OpenError::IdentityMissing { .. }
        | OpenError::OtherJournal { .. }
        | OpenError::BookmarkRefused { .. }
        | OpenError::Replay { .. }
        | OpenError::LossUnfinished { .. } => StartError::JournalRefused { text, report },
        OpenError::LossRefused { .. } => StartError::LossRefused { text, report },
        _ => StartError::Other(text),
    }
}

/// Tries the new commands on a copy first, so that a fault in the file leaves no trace in the journal.
fn extend(
    venue: &mut Recovered,
    directory: &Path,
    config: &Config,
    clock: &Clock,
    random: &[u8; 32],
) -> Result<(), StartError> {
    if genesis::commands(config, &venue.engine, random).is_empty() {
        return Ok(());
    }
    let mut copy = Engine::restore(&venue.engine.snapshot())
        .map_err(|error| StartError::Other(format!("the engine does not read its own snapshot: {error}")))?;
    let mut commands = Vec::new();
    // One moment for all, on the copy and then on the venue, so that what is due is the same for both.
    let ts_ns = clock.now_ns().max(copy.last_ts_ns());
    while let Some(due) = copy.due(ts_ns) {
        commands.push(genesis::due(due));
        apply(&mut copy, ts_ns, &commands[commands.len() - 1]);
    }
    let added = genesis::commands(config, &copy, random);
    for command in &added {
        let said = apply(&mut copy, ts_ns, command);
        if let Some(fault) = said.0.iter().find_map(|(_, payload)| refusal(payload)) {
            let file = directory.join(CONFIG_FILE);
            let text = format!("{}: {} is refused: {fault}", file.display(), command.what);
            return Err(StartError::Other(text));
        }
    }
    let report = format!("; {} commands added from the configuration", added.len());
    commands.extend(added);
    let failed = |error| StartError::Other(format!("the journal cannot be written: {error}"));
    for command in &commands {
        let said = apply(&mut venue.engine, ts_ns, command);
        let seq = venue.engine.last_seq();
        let record = |kind, sub, payload| Record { seq, ts_ns, kind, version: 1, flags: 0, sub, payload };
        venue.outboxes.command(&command.payload);
        venue.writer.append(&record(Kind::Command, 0, &command.payload)).map_err(failed)?;
        for (sub, payload) in &said.0 {
            venue.outboxes.event(payload);
            venue.writer.append(&record(Kind::Event, *sub, payload)).map_err(failed)?;
        }
    }
    venue.outboxes.finish_command();
    venue.writer.close_group().map_err(failed)?;
    venue.writer.sync().map_err(failed)?;
    venue.report += &report;
    Ok(())
}

fn apply(engine: &mut Engine, ts_ns: u64, command: &Genesis) -> Said {
    let seq = engine.last_seq() + 1;
    let command = Sequenced::read(seq, ts_ns, &command.payload).expect("the genesis writes whole commands");
    let mut said = Said::default();
    engine.apply(&command, &mut said);
    said
}

fn refusal(payload: &[u8]) -> Option<String> {
    let confirmed = block::<Confirmed>(&payload[ROUTE_BYTES..])?;
    let code = confirmed.code.get();
    let text = Reject::from_code(code).map_or("unknown code", Reject::text);
    (code != 0).then(|| format!("{text} (code {code}, field {})", confirmed.ref_field_id.get()))
}
