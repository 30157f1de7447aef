//! `ballast journal verify`: is every byte what the writer left? With `--replay` also: did the engine say then what it
//! says now?

use clap::Args;
use journal::{Ending, HeaderCopyDamaged, Kind, Loss, Record, Survey};

use super::books::Books;
use super::json::{self, Object};
use super::output::Output;
use super::place::Place;
use super::progress::Progress;
use super::rerun::Rerun;
use super::source::{Journal, Step, Walked, failure};
use super::stat::loss_object;
use crate::cli::{EXIT_DAMAGED, Failure};
use crate::config::to_hex;
use crate::loss;

pub const EXAMPLES: &str = "Examples:
  ballast journal verify my-venue
  ballast journal verify my-venue --replay --json
  ballast journal verify my-venue --books

Of a venue that runs, everything durable is verified; of one that stands still, everything, its ending included.
Damage is exit code 3, and the message names segment, offset, last good seq and the durable floor. So is a header of
which one of the two copies does not verify, although no data is missing: the message says how it is healed.";

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    /// Run the engine as well and compare every event and every digest
    #[arg(long)]
    replay: bool,
    /// Print the bookHash of every instrument's public book, and the next number of the market data
    #[arg(long)]
    books: bool,
}

/// What went by.
#[derive(Default)]
struct Seen {
    records: u64,
    losses: Vec<Loss>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { place, replay, books } = arguments;
    let journal = Journal::find(&place.directory)?;
    let mut rerun = if *replay { Some(Rerun::start(&journal)?) } else { None };
    let mut books = if *books { Some(Books::start(&journal)?) } else { None };
    let mut progress = Progress::of(journal.last_seq_seen());
    let mut seen = Seen::default();
    let walked = journal.walk(&mut |record: &Record<'_>| {
        seen.records += 1;
        if record.kind == Kind::Loss {
            seen.losses.extend(Loss::read(record.payload));
        }
        progress.reached(record.seq);
        if let Some(books) = &mut books {
            books.record(record);
        }
        rerun.as_mut().map_or(Ok(()), |rerun| rerun.record(record)).map(|()| Step::Next)
    });
    let walked = walked.and_then(|walked| rerun.as_mut().map_or(Ok(()), Rerun::finish).map(|()| walked));
    drop(progress);
    if let Some(books) = &mut books {
        books.finish();
    }
    let books = books.as_ref();
    let copies = journal::header_copies_damaged(&journal.directory).map_err(failure)?;
    let mut output = Output::new();
    match &walked {
        Ok(walked) if place.json => output.line(object(&seen, walked, rerun.as_ref(), books, &copies))?,
        Ok(walked) => output.line(sentence(&seen, walked, rerun.as_ref(), books))?,
        Err(failure) if place.json && failure.code == EXIT_DAMAGED => output.line(damaged(failure))?,
        Err(_) => {}
    }
    output.flush()?;
    // It was told above.
    walked.map_err(|failure| Failure { report: None, ..failure })?;
    if copies.is_empty() {
        return Ok(());
    }
    let heal: String = copies.iter().map(|copy| format!("\n  {}", healing(copy))).collect();
    let text = format!(
        "{} headers have only one good copy left: all data is whole, and the medium has begun to rot. Look at the disk; each \
         is healed from its other copy, also while a venue runs, by{heal}",
        copies.len()
    );
    Err(Failure::new(EXIT_DAMAGED, text))
}

/// The command that copies the header that is whole over the other.
fn healing(copy: &HeaderCopyDamaged) -> String {
    let HeaderCopyDamaged { path, whole_page, damaged_page, .. } = copy;
    let path = path.display();
    format!(
        "dd if='{path}' of='{path}' bs=4096 count=1 skip={whole_page} seek={damaged_page} conv=notrunc,fsync"
    )
}

fn copy_object(copy: &HeaderCopyDamaged) -> String {
    let object = Object::new().raw("segment", copy.segment).text("path", &copy.path.display().to_string());
    object.raw("offset", copy.damaged_page * 4096).text("heal", &healing(copy)).end()
}

/// The `name=value` pairs of the sentence about damage, for programs; the sentence itself for what has none.
fn damaged(failure: &Failure) -> String {
    let object = Object::new().raw("whole", false).text("error", &failure.text);
    let pairs = failure.text.split(' ').filter_map(|word| word.split_once('='));
    let object = pairs.fold(object, |object, (name, value)| match name {
        "segment" | "offset" | "last_good_seq" | "floor_seq" => object.raw(name, value),
        "floor_position" | "floor_origin" => object.text(name, value),
        _ => object,
    });
    object.end()
}

fn sentence(seen: &Seen, walked: &Walked, rerun: Option<&Rerun>, books: Option<&Books>) -> String {
    let records = seen.records;
    let what = match walked {
        Walked::ToEnd(survey) => format!(
            "whole: {} commands, {records} records in {} groups and {} segments up to seq {}; {}",
            survey.commands,
            survey.groups,
            survey.segments,
            survey.last_seq,
            ending(survey)
        ),
        Walked::ToDurable { seq, .. } => {
            format!("whole as far as it is durable: {records} records up to seq {seq}; a venue is running")
        }
        Walked::Cut => unreachable!("nobody cuts a verification short"),
    };
    let losses = seen.losses.iter().map(|given_up| format!("\ngiven up: {}", loss::recorded(given_up)));
    let what = what + &losses.collect::<String>();
    let what = match rerun.map(|rerun| rerun.replay.checked()) {
        None => what,
        Some(checked) => format!(
            "{what}\nreplayed: {} events and {} digests as they were recorded",
            checked.events, checked.marks
        ),
    };
    what + &books.map(Books::sentence).unwrap_or_default()
}

fn ending(survey: &Survey) -> String {
    match &survey.ending {
        Ending::Empty => "nothing was ever written".to_owned(),
        Ending::Sealed => "sealed at its end".to_owned(),
        Ending::WholeGroup => "it ends with a whole group".to_owned(),
        Ending::Torn { bytes, .. } => {
            format!(
                "behind it a torn tail of {bytes} bytes that was never durable, which the next start cuts"
            )
        }
    }
}

fn object(
    seen: &Seen,
    walked: &Walked,
    rerun: Option<&Rerun>,
    books: Option<&Books>,
    copies: &[HeaderCopyDamaged],
) -> String {
    let losses = json::list(seen.losses.iter().map(loss_object));
    let object = Object::new().raw("whole", true).raw("records", seen.records).raw("losses", losses);
    let object = object.raw("header_copies_damaged", json::list(copies.iter().map(copy_object)));
    let object = match walked {
        Walked::ToEnd(survey) => object
            .raw("running", false)
            .raw("last_seq", survey.last_seq)
            .raw("last_ts_ns", survey.last_ts_ns)
            .raw("commands", survey.commands)
            .raw("groups", survey.groups)
            .raw("segments", survey.segments)
            .raw("epoch", survey.epoch)
            .text("chain", &to_hex(&survey.chain))
            .raw("floor_seq", survey.floor.seq)
            .text("floor_position", &survey.floor.position.to_string())
            .text("floor_origin", &survey.floor.origin.to_string())
            .text("end", &survey.end.to_string())
            .text("ending", ending_name(&survey.ending)),
        Walked::ToDurable { seq, chain } => {
            object.raw("running", true).raw("last_seq", seq).text("chain", &to_hex(chain))
        }
        Walked::Cut => unreachable!("nobody cuts a verification short"),
    };
    let object = match books {
        None => object,
        Some(books) => object.raw("market", books.object()),
    };
    match rerun.map(|rerun| rerun.replay.checked()) {
        None => object.end(),
        Some(checked) => {
            let replayed = Object::new()
                .raw("commands", checked.commands)
                .raw("events", checked.events)
                .raw("digests", checked.marks);
            object.raw("replayed", replayed.end()).end()
        }
    }
}

fn ending_name(ending: &Ending) -> &'static str {
    match ending {
        Ending::Empty => "empty",
        Ending::Sealed => "sealed",
        Ending::WholeGroup => "whole group",
        Ending::Torn { .. } => "torn tail",
    }
}
