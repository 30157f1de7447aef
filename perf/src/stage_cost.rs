//! What the journal's stage costs a record: appended, checked, chained and handed to the page cache, against the bare copy
//! of the same bytes. No sync is in it (`sync-cost` has those).

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use journal::{BackEnd, FRAME_HEADER_BYTES, Identity, Kind, Options, Record, Writer};

const PAYLOAD_BYTES: usize = 64;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAYLOAD_BYTES;
/// A command and what it says: as a resting order has.
const RECORDS_PER_COMMAND: u64 = 3;
/// Where the bare copy goes: as much as lies behind the second level, so that it leaves the cache like a segment does.
const COPY_BYTES: usize = 8 << 20;
/// Groups as they are when nothing waits, when little does, and when much does.
const GROUP_COMMANDS: [u64; 4] = [1, 16, 256, 4096];

#[derive(Debug, Args)]
pub struct StageCost {
    /// Where the files are made and removed again; one in memory, such as /dev/shm, leaves the disk out
    #[arg(default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Rounds, of which the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Those whose `write` does not wait for the disk.
const BACK_ENDS: [BackEnd; 2] = [BackEnd::Written, BackEnd::Mapped];
/// One segment holds all that a round writes, so that no rotation is in the figures.
const SEGMENT_BYTES: u64 = 64 << 20;
const ROUND_BYTES: u64 = 48 << 20;
const ALIGNMENT: u64 = 4096;

/// Nanoseconds a record, in groups of so many commands.
struct Row {
    group_commands: u64,
    records: u64,
    copy_ns: f64,
    /// In the order of `BACK_ENDS`.
    stage_ns: [f64; BACK_ENDS.len()],
}

pub fn run(options: &StageCost) -> Result<String, Box<dyn Error>> {
    let parent = options.directory.join(format!("ballast-stage-cost-{}", std::process::id()));
    fs::create_dir(&parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    let measured = GROUP_COMMANDS.map(|group_commands| row(options.rounds, &parent, group_commands));
    let removed = fs::remove_dir_all(&parent);
    let rows = measured.into_iter().collect::<Result<Vec<Row>, _>>()?;
    removed.map_err(|error| format!("{}: {error}; remove it by hand", parent.display()))?;
    Ok(if options.json { json(&rows) } else { table(options, &rows) })
}

fn row(rounds: u64, parent: &Path, group_commands: u64) -> Result<Row, Box<dyn Error>> {
    let frames_bytes = group_commands * RECORDS_PER_COMMAND * FRAME_BYTES as u64;
    let groups = ROUND_BYTES / (frames_bytes + ALIGNMENT).next_multiple_of(ALIGNMENT);
    let (mut copies, mut stages) = (Vec::new(), BACK_ENDS.map(|_| Vec::new()));
    for round in 0..rounds {
        copies.push(copy(groups * group_commands * RECORDS_PER_COMMAND));
        for (back_end, stage) in BACK_ENDS.into_iter().zip(&mut stages) {
            let directory = parent.join(format!("{}-{group_commands}-{round}", back_end.name()));
            stage.push(staged(&directory, back_end, groups, group_commands)?);
            fs::remove_dir_all(directory)?;
        }
    }
    let records = groups * group_commands * RECORDS_PER_COMMAND;
    Ok(Row { group_commands, records, copy_ns: median(copies), stage_ns: stages.map(median) })
}

fn copy(records: u64) -> f64 {
    let (source, mut target) = ([0x5A; FRAME_BYTES], vec![1; COPY_BYTES]);
    let start = Instant::now();
    let mut at = 0;
    for _ in 0..records {
        if at + FRAME_BYTES > COPY_BYTES {
            at = 0;
        }
        target[at..at + FRAME_BYTES].copy_from_slice(black_box(&source));
        at += FRAME_BYTES;
    }
    black_box(&target);
    start.elapsed().as_nanos() as f64 / records as f64
}

fn staged(
    directory: &Path,
    back_end: BackEnd,
    groups: u64,
    group_commands: u64,
) -> Result<f64, Box<dyn Error>> {
    let identity = Identity { journal_id: [1; 16], shard: 0, config_hash: [0; 32], logic_version: 1 };
    let options = Options { segment_bytes: SEGMENT_BYTES, back_end, ..Options::default() };
    let mut writer = Writer::create(directory, &identity, &options)?;
    let (commands, payload) = (groups * group_commands, [0x5A; PAYLOAD_BYTES]);
    let start = Instant::now();
    for seq in 1..=commands {
        for sub in 0..RECORDS_PER_COMMAND as u32 {
            let kind = if sub == 0 { Kind::Command } else { Kind::Event };
            writer.append(&Record { seq, ts_ns: seq, kind, version: 1, flags: 0, sub, payload: &payload })?;
        }
        if seq.is_multiple_of(group_commands) {
            writer.close_group()?;
        }
    }
    let elapsed = start.elapsed();
    writer.close()?;
    Ok(elapsed.as_nanos() as f64 / (commands * RECORDS_PER_COMMAND) as f64)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn table(options: &StageCost, rows: &[Row]) -> String {
    let mut text = format!(
        "ns a record of {PAYLOAD_BYTES} bytes, the medians of {} rounds in {}\n{:>18}{:>10}{:>8}",
        options.rounds,
        options.directory.display(),
        "commands a group",
        "records",
        "copy"
    );
    for back_end in BACK_ENDS {
        let _ = write!(text, "{:>10}{:>12}", back_end.name(), "above copy");
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{:>18}{:>10}{:>8.1}", row.group_commands, row.records, row.copy_ns);
        for stage_ns in row.stage_ns {
            let _ = write!(text, "{stage_ns:>10.1}{:>12.1}", stage_ns - row.copy_ns);
        }
        text.push('\n');
    }
    text
}

fn json(rows: &[Row]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let [written, mapped] = row.stage_ns;
            format!(
                "{{\"group_commands\":{},\"records\":{},\"copy_ns\":{:.1},\"written_ns\":{written:.1},\"mapped_ns\":{mapped:.1}}}",
                row.group_commands, row.records, row.copy_ns
            )
        })
        .collect();
    format!("[{}]\n", rows.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_group_is_measured_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = StageCost { directory: directory.path().to_owned(), rounds: 1, json: true };
        let report = run(&options).expect("measured");
        for commands in GROUP_COMMANDS {
            assert!(report.contains(&format!("{{\"group_commands\":{commands},\"records\":")), "{report}");
        }
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    }
}
