//! The `perf` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use perf::{acks, recovery, replay, stage_cost, sync_cost};

#[derive(Debug, Parser)]
#[command(
    name = "perf",
    version,
    about = "Measures a running Ballast venue from outside, as a member sees it."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Time from sending an order to its acknowledgement, against the bare disk and the bare socket
    Acks(acks::Options),
    /// Verified replay against the engine's own speed, and a start from a snapshot
    Recovery(recovery::Recovery),
    /// A workload file through the whole engine: time, percentiles, and whether all came out as it must
    ReplayWorkload(replay::ReplayOptions),
    /// A record through the journal's stage, chain included, against the bare copy of it
    StageCost(stage_cost::StageCost),
    /// A durable group through each back end of the journal, against a bare synced write
    SyncCost(sync_cost::SyncCost),
    /// Writes one of the workloads to a file
    WriteWorkload(replay::WriteOptions),
}

/// What came of a workload is not what its header says.
const NOT_AS_EXPECTED: u8 = 3;

fn main() -> ExitCode {
    let report = |report| (report, ExitCode::SUCCESS);
    let found = match Cli::parse().command {
        Command::Acks(options) => acks::run(&options).map(report),
        Command::SyncCost(options) => sync_cost::run(&options).map(report).map_err(|error| error.to_string()),
        Command::StageCost(options) => {
            stage_cost::run(&options).map(report).map_err(|error| error.to_string())
        }
        Command::Recovery(options) => recovery::run(&options).map(report).map_err(|error| error.to_string()),
        Command::WriteWorkload(options) => replay::write(&options).map(report),
        Command::ReplayWorkload(options) => replay::replay(&options).map(|outcome| {
            let code = if outcome.as_expected { ExitCode::SUCCESS } else { NOT_AS_EXPECTED.into() };
            (outcome.report, code)
        }),
    };
    match found {
        Ok((report, code)) => {
            print!("{report}");
            code
        }
        Err(error) => {
            eprintln!("perf: {error}");
            ExitCode::FAILURE
        }
    }
}
