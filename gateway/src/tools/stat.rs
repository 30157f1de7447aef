//! `ballast journal stat`: everything counted.

use std::collections::BTreeMap;

use engine::replay::template_name;
use journal::{Kind, Loss, Record};

use super::decode::template_of;
use super::instant;
use super::json::{self, Object};
use super::output::Output;
use super::place::Place;
use super::progress::Progress;
use super::shown;
use super::source::{Journal, Step};
use crate::cli::Failure;
use crate::config::to_hex;
use crate::decimal;
use crate::loss;

#[derive(Default)]
struct Counts {
    kinds: BTreeMap<u16, (String, u64)>,
    templates: BTreeMap<u16, u64>,
    records: u64,
    commands: u64,
    payload_bytes: u64,
    first: Option<(u64, u64)>,
    last: (u64, u64),
    losses: Vec<Loss>,
}

impl Counts {
    fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.payload_bytes += record.payload.len() as u64;
        let named = || (format!("{:?}", record.kind), 0);
        self.kinds.entry(record.kind as u16).or_insert_with(named).1 += 1;
        if matches!(record.kind, Kind::Command | Kind::Event) {
            *self.templates.entry(template_of(shown::message(record))).or_default() += 1;
        }
        if record.kind == Kind::Loss {
            self.losses.extend(Loss::read(record.payload));
        }
        if record.kind == Kind::Command {
            self.commands += 1;
            self.first = self.first.or(Some((record.seq, record.ts_ns)));
            self.last = (record.seq, record.ts_ns);
        }
    }

    /// Commands a second between the first and the last, in thousandths.
    fn rate_milli(&self) -> Option<u128> {
        let (_, first_ns) = self.first?;
        let ns = u128::from(self.last.1 - first_ns);
        (ns > 0).then(|| u128::from(self.commands - 1) * 1_000_000_000_000 / ns)
    }
}

pub fn run(place: &Place) -> Result<(), Failure> {
    let journal = Journal::find(&place.directory)?;
    let mut counts = Counts::default();
    let mut progress = Progress::of(journal.last_seq_seen());
    journal.walk(&mut |record| {
        progress.reached(record.seq);
        counts.record(record);
        Ok(Step::Next)
    })?;
    drop(progress);
    let mut output = Output::new();
    if place.json {
        output.line(object(&journal, &counts)?)?;
    } else {
        output.line(table(&journal, &counts)?)?;
    }
    output.flush()
}

/// W, D, R and the epoch as `control` says; they are worth nothing once the machine has restarted.
fn watermarks(journal: &Journal) -> Result<Option<[(&'static str, u64); 4]>, Failure> {
    let marks = match journal.watermarks() {
        Ok(marks) => marks,
        // A journal that was copied without its control file is a journal.
        Err(_) if !journal.directory.join("control").exists() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    Ok(Some([
        ("written", marks.written()),
        ("durable", marks.durable()),
        ("released", marks.released()),
        ("epoch", marks.epoch()),
    ]))
}

fn template(number: u16) -> String {
    template_name(number).map_or_else(|| format!("template {number}"), str::to_owned)
}

fn table(journal: &Journal, counts: &Counts) -> Result<String, Failure> {
    let mut lines = vec![
        format!("journal    {} in {}", to_hex(&journal.identity.journal_id), journal.directory.display()),
        format!("rules      begun under version {}", journal.identity.logic_version),
        format!("writer     {}", if journal.is_running { "a venue is running" } else { "none" }),
    ];
    if let Some(marks) = watermarks(journal)? {
        let shown = marks.iter().map(|(name, seq)| format!("{name} {seq}")).collect::<Vec<_>>();
        lines.push(format!("watermarks {}", shown.join(", ")));
    }
    lines.push(format!("records    {}, {} bytes of payload", counts.records, counts.payload_bytes));
    if let Some((seq, ns)) = counts.first {
        lines.push(format!("first      seq {seq} at {}", instant::show(ns)));
        lines.push(format!("last       seq {} at {}", counts.last.0, instant::show(counts.last.1)));
    }
    if let Some(milli) = counts.rate_milli() {
        lines.push(format!("rate       {} commands a second", decimal::show(milli as i128, 3)));
    }
    lines.extend(counts.losses.iter().map(|given_up| format!("loss       {}", loss::recorded(given_up))));
    lines.extend(counts.kinds.values().map(|(name, count)| format!("{name:<24} {count:>12}")));
    lines.extend(counts.templates.iter().map(|(it, count)| format!("  {:<22} {count:>12}", template(*it))));
    Ok(lines.join("\n"))
}

fn object(journal: &Journal, counts: &Counts) -> Result<String, Failure> {
    let mut object = Object::new()
        .text("journal", &to_hex(&journal.identity.journal_id))
        .raw("shard", journal.identity.shard)
        .raw("logic_version", journal.identity.logic_version)
        .raw("running", journal.is_running);
    for (name, seq) in watermarks(journal)?.into_iter().flatten() {
        object = object.raw(name, seq);
    }
    object = object
        .raw("records", counts.records)
        .raw("commands", counts.commands)
        .raw("payload_bytes", counts.payload_bytes);
    if let Some((seq, ns)) = counts.first {
        object = object.raw("first_seq", seq).raw("first_ts_ns", ns);
        object = object.raw("last_seq", counts.last.0).raw("last_ts_ns", counts.last.1);
    }
    if let Some(milli) = counts.rate_milli() {
        object = object.text("commands_per_second", &decimal::show(milli as i128, 3));
    }
    let kinds = counts
        .kinds
        .values()
        .fold(Object::new(), |kinds, (name, count)| kinds.raw(&name.to_lowercase(), count));
    let templates =
        counts.templates.iter().fold(Object::new(), |all, (it, count)| all.raw(&template(*it), count));
    let losses = json::list(counts.losses.iter().map(loss_object));
    Ok(object.raw("losses", losses).raw("kinds", kinds.end()).raw("templates", templates.end()).end())
}

/// A Loss record, for programs.
pub fn loss_object(loss: &Loss) -> String {
    Object::new()
        .raw("last_seq", loss.last_seq)
        .raw("promised_seq", loss.floor_seq)
        .raw("accepted_ns", loss.accepted_ns)
        .text("reason", &loss.reason)
        .end()
}
