//! What a durable group costs against the least that the disk asks for: the writer's append + close + sync, and
//! a bare pwrite + fdatasync of 4 KiB into a zero-filled file, in turn on the same file system.
//!
//! `cargo run --release -p journal --example sync_cost [DIRECTORY] [ROUNDS]`

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use journal::{Identity, Kind, Options, Record, Writer};

const BARE_BYTES: u64 = 256 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds: u64 = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let directory = tempfile::tempdir_in(&parent)?;
    let bare = zero_filled(&directory.path().join("bare"))?;
    let identity = Identity { journal_id: [1; 16], shard: 0, config_hash: [0; 32], logic_version: 1 };
    let mut writer = Writer::create(&directory.path().join("journal"), &identity, &Options::default())?;
    let block = [0x5A; 4096];
    let (mut bare_costs, mut close_costs, mut group_costs) = (Vec::new(), Vec::new(), Vec::new());
    for seq in 1..=rounds {
        let start = Instant::now();
        bare.write_all_at(&block, seq * 4096 % BARE_BYTES)?;
        bare.sync_data()?;
        bare_costs.push(start.elapsed());

        let start = Instant::now();
        let record =
            |kind, sub| Record { seq, ts_ns: seq, kind, version: 1, flags: 0, sub, payload: &block[..64] };
        writer.append(&record(Kind::Command, 0))?;
        writer.append(&record(Kind::Event, 1))?;
        writer.append(&record(Kind::Event, 2))?;
        writer.close_group()?;
        close_costs.push(start.elapsed());
        writer.sync()?;
        group_costs.push(start.elapsed());
    }
    writer.close()?;
    println!("{rounds} rounds, interleaved, in {}", parent.display());
    let bare_median = report("bare pwrite + fdatasync, 4 KiB", &mut bare_costs);
    report("writer: append x3 + close_group", &mut close_costs);
    let group_median = report("writer: append x3 + close_group + sync", &mut group_costs);
    println!("ratio of the medians: {:.2}", group_median.as_secs_f64() / bare_median.as_secs_f64());
    Ok(())
}

fn zero_filled(path: &std::path::Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    for at in 0..BARE_BYTES / 4096 {
        file.write_all_at(&[0; 4096], at * 4096)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn report(what: &str, costs: &mut [Duration]) -> Duration {
    costs.sort_unstable();
    let at = |per_mille: usize| costs[(costs.len() - 1) * per_mille / 1000];
    println!("{what:40} p50 {:>9.1?}  p99 {:>9.1?}  p99.9 {:>9.1?}", at(500), at(990), at(999));
    at(500)
}
