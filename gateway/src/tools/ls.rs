//! `ballast journal ls`: the segment files, from their headers and the two ends of their data.

use journal::{SegmentState, SegmentSummary};

use super::instant;
use super::json::Object;
use super::output::Output;
use super::place::Place;
use super::source::{Journal, failure};
use crate::cli::{EXIT_DAMAGED, Failure};

pub fn run(place: &Place) -> Result<(), Failure> {
    let journal = Journal::find(&place.directory)?;
    let segments = journal::segment_summaries(&journal.directory).map_err(failure)?;
    let mut output = Output::new();
    if !place.json {
        output.line(format_args!(
            "{:>8}  {:<16}{:>12}  {:>12}  {:<30}  {:<30}  {:>11}  {:>11}  {:>5}",
            "segment", "state", "first seq", "last seq", "first time", "last time", "used", "bytes", "epoch"
        ))?;
    }
    for segment in &segments {
        if place.json { output.line(object(segment))? } else { output.line(row(segment))? }
    }
    output.flush()?;
    check(&journal, &segments)
}

fn state(segment: &SegmentSummary) -> String {
    match &segment.state {
        SegmentState::Spare => "spare".to_owned(),
        SegmentState::Active => "active".to_owned(),
        SegmentState::Sealed(reason) => format!("sealed: {reason}"),
        SegmentState::Damaged(_) => "damaged".to_owned(),
    }
}

fn row(segment: &SegmentSummary) -> String {
    let number = |number: u64| if number == 0 { "-".to_owned() } else { number.to_string() };
    let time = |ns| if ns == 0 { "-".to_owned() } else { instant::show(ns) };
    format!(
        "{:>8}  {:<19}{:>9}  {:>12}  {:<30}  {:<30}  {:>11}  {:>11}  {:>5}",
        segment.number,
        state(segment),
        number(segment.first_seq),
        number(segment.last_seq),
        time(segment.first_ts_ns),
        time(segment.last_ts_ns),
        segment.used_bytes,
        segment.bytes,
        segment.epoch
    ) + if segment.begins_after_loss { "  behind a loss that an operator accepted" } else { "" }
}

fn object(segment: &SegmentSummary) -> String {
    Object::new()
        .raw("segment", segment.number)
        .text("file", &segment.path.display().to_string())
        .text("state", &state(segment))
        .raw("first_seq", segment.first_seq)
        .raw("last_seq", segment.last_seq)
        .raw("first_ts_ns", segment.first_ts_ns)
        .raw("last_ts_ns", segment.last_ts_ns)
        .raw("used_bytes", segment.used_bytes)
        .raw("bytes", segment.bytes)
        .raw("epoch", segment.epoch)
        .raw("begins_after_loss", segment.begins_after_loss)
        .raw("created_ns", segment.created_ns)
        .raw("group_alignment", segment.group_alignment)
        .end()
}

/// A list with a hole or a file that does not verify is still a list, but not a whole journal.
fn check(journal: &Journal, segments: &[SegmentSummary]) -> Result<(), Failure> {
    let first = segments.first().map_or(1, |first| first.number);
    let begins = journal::beginning(&journal.directory, &journal.identity)
        .map_or(first, |beginning| beginning.position.segment());
    let missing = (begins..).zip(segments).find(|(due, segment)| segment.number != *due);
    if let Some((due, _)) = missing {
        let text = format!(
            "segment {due} is missing from {}; restore it from a backup",
            journal.directory.display()
        );
        let report = Object::new().text("refusal", "segment_missing").raw("segment", due);
        let report = report.text("text", &text).end();
        return Err(Failure::new(EXIT_DAMAGED, text).reporting(report));
    }
    let damaged = segments.iter().find_map(|segment| match &segment.state {
        SegmentState::Damaged(why) => Some(format!("segment {}: {why}", segment.number)),
        _ => None,
    });
    damaged.map_or(Ok(()), |text| Err(Failure::new(EXIT_DAMAGED, text)))
}
