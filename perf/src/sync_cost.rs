//! What a durable group costs through each back end of the journal, against the least that the disk asks for: a bare
//! pwrite + fdatasync of 4 KiB into a zero-filled file. All in turn, in one run, on one file system.

use std::error::Error;
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use hdrhistogram::Histogram;
use journal::{BackEnd, Identity, Kind, Options, Record, Writer};

use crate::summary::{Summary, histogram};

const BLOCK_BYTES: usize = 4096;
const BARE_BYTES: u64 = 64 << 20;
const SECTOR_BYTES: u64 = 512;
const PAYLOAD_BYTES: usize = 64;

#[derive(Debug, Args)]
pub struct SyncCost {
    /// Where the files are made and removed again; the file system is what is measured
    #[arg(default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// Groups of one command through each
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Bytes of a segment, in MiB
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    segment_mib: u64,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One way to the disk: what each durable group took, and what the device wrote for it.
struct Lane {
    name: &'static str,
    costs: Histogram<u64>,
    device_bytes: Vec<u64>,
}

impl Lane {
    fn new(name: &'static str) -> Lane {
        Lane { name, costs: histogram(), device_bytes: Vec::new() }
    }

    fn measure(
        &mut self,
        device: Option<&Device>,
        durable_group: impl FnOnce() -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let before = device.and_then(Device::written_bytes);
        let start = Instant::now();
        durable_group()?;
        let cost_ns = u64::try_from(start.elapsed().as_nanos())?;
        self.costs.saturating_record(cost_ns.max(1));
        if let (Some(before), Some(after)) = (before, device.and_then(Device::written_bytes)) {
            self.device_bytes.push(after.saturating_sub(before));
        }
        Ok(())
    }

    /// Of the median group: others write to the device as well, and what they write is in the mean.
    fn device_bytes_median(&mut self) -> Option<u64> {
        self.device_bytes.sort_unstable();
        self.device_bytes.get(self.device_bytes.len() / 2).copied()
    }
}

/// The counters of the device that a directory lies on.
struct Device {
    stat: PathBuf,
}

impl Device {
    /// None where the file system lies on no block device, or its counters are not shown.
    fn of(directory: &Path) -> Option<Device> {
        let number = fs::metadata(directory).ok()?.dev();
        let (major, minor) = ((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00));
        let device = Device { stat: PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat")) };
        device.written_bytes().map(|_| device)
    }

    fn written_bytes(&self) -> Option<u64> {
        let text = fs::read_to_string(&self.stat).ok()?;
        let sectors: u64 = text.split_whitespace().nth(6)?.parse().ok()?;
        Some(sectors * SECTOR_BYTES)
    }
}

pub fn run(options: &SyncCost) -> Result<String, Box<dyn Error>> {
    let parent = options.directory.join(format!("ballast-sync-cost-{}", std::process::id()));
    fs::create_dir(&parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    let measured = measure(options, &parent);
    let removed = fs::remove_dir_all(&parent);
    let lanes = measured?;
    removed.map_err(|error| format!("{}: {error}; remove it by hand", parent.display()))?;
    Ok(if options.json { json(lanes) } else { table(options, lanes) })
}

fn measure(options: &SyncCost, parent: &Path) -> Result<Vec<Lane>, Box<dyn Error>> {
    let device = Device::of(parent);
    let bare = zero_filled(&parent.join("bare"))?;
    let mut writers = Vec::new();
    for back_end in BackEnd::ALL {
        writers.push((Lane::new(back_end.name()), writer(options, parent, back_end)?));
    }
    let mut bare_lane = Lane::new("bare");
    let block = [0x5A; BLOCK_BYTES];
    for seq in 1..=options.rounds {
        bare_lane.measure(device.as_ref(), || {
            bare.write_all_at(&block, seq * BLOCK_BYTES as u64 % BARE_BYTES)?;
            Ok(bare.sync_data()?)
        })?;
        for (lane, writer) in &mut writers {
            lane.measure(device.as_ref(), || durable_group(writer, seq, &block[..PAYLOAD_BYTES]))?;
        }
    }
    let mut lanes = vec![bare_lane];
    for (lane, writer) in writers {
        writer.close()?;
        lanes.push(lane);
    }
    Ok(lanes)
}

fn writer(options: &SyncCost, parent: &Path, back_end: BackEnd) -> Result<Writer, Box<dyn Error>> {
    let identity = Identity { journal_id: [1; 16], shard: 0, config_hash: [0; 32], logic_version: 1 };
    let options = Options { segment_bytes: options.segment_mib << 20, back_end, ..Options::default() };
    Ok(Writer::create(&parent.join(back_end.name()), &identity, &options)?)
}

/// A command with two events, as a resting order has, made durable by itself.
fn durable_group(writer: &mut Writer, seq: u64, payload: &[u8]) -> Result<(), Box<dyn Error>> {
    for (kind, sub) in [(Kind::Command, 0), (Kind::Event, 1), (Kind::Event, 2)] {
        writer.append(&Record { seq, ts_ns: seq, kind, version: 1, flags: 0, sub, payload })?;
    }
    writer.close_group()?;
    writer.sync()?;
    Ok(())
}

fn zero_filled(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    for at in 0..BARE_BYTES / BLOCK_BYTES as u64 {
        file.write_all_at(&[0; BLOCK_BYTES], at * BLOCK_BYTES as u64)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn table(options: &SyncCost, mut lanes: Vec<Lane>) -> String {
    let bare = Summary::of(&lanes[0].costs);
    let titles = Summary::TITLES.map(|title| format!("{title:>10}")).concat();
    let mut text = format!(
        "{} rounds in turn in {}, microseconds\n{:<10}{titles}{:>10}  device bytes of the median group\n",
        options.rounds,
        options.directory.display(),
        "",
        "p50/bare"
    );
    for lane in &mut lanes {
        let summary = Summary::of(&lane.costs);
        let bytes =
            lane.device_bytes_median().map_or_else(|| "not shown here".into(), |bytes| bytes.to_string());
        let ratio = summary.ratios(&bare)[0];
        let _ = writeln!(text, "{:<10}{}{ratio:>10.2}  {bytes}", lane.name, summary.row());
    }
    text
}

fn json(lanes: Vec<Lane>) -> String {
    let fields: Vec<String> = lanes
        .into_iter()
        .map(|mut lane| {
            let bytes = lane.device_bytes_median().map_or_else(|| "null".into(), |bytes| bytes.to_string());
            let summary = Summary::of(&lane.costs).json();
            format!("\"{}\":{{\"ns\":{summary},\"device_bytes\":{bytes}}}", lane.name)
        })
        .collect();
    format!("{{{}}}\n", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_back_end_is_measured_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let options =
            SyncCost { directory: directory.path().to_owned(), rounds: 3, segment_mib: 1, json: true };
        let report = run(&options).expect("measured");
        for lane in ["bare", "written", "mapped", "direct"] {
            assert!(report.contains(&format!("\"{lane}\":{{\"ns\":{{\"count\":3,")), "{report}");
        }
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
        assert_eq!(run(&SyncCost { json: false, ..options }).expect("measured").lines().count(), 6);
    }
}
