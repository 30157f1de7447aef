//! The program: arguments in, exit code out. What it does stands in the library.

#![forbid(unsafe_code)]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use clap::Parser;
use settlement_bridge::cli::{self, Arguments, Follow, Task};
use settlement_bridge::stop::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};

/// A disk that fails under a mapped segment ends the bridge as any other error does.
const EXIT_BUS: u8 = 1;

fn main() -> ExitCode {
    let Task::Follow(follow) = Arguments::parse().task;
    let mut output = BufWriter::new(io::stdout().lock());
    let result = journal::bus::end_with(EXIT_BUS, None)
        .map_err(Stop::Signals)
        .and_then(|()| asked_to_end(&follow))
        .and_then(|end| cli::follow(&follow, &end, &mut output, &mut io::stderr()));
    match result.and_then(|()| output.flush().map_err(Stop::Output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if !stop.is_closed_pipe() {
                // Nor does a closed standard error make it panic, as `eprintln!` would.
                let _ = writeln!(io::stderr(), "settlement-bridge: {stop}");
            }
            ExitCode::from(stop.exit_code())
        }
    }
}

/// Set by SIGTERM and SIGINT, and by the end of standard input if that was asked for.
fn asked_to_end(follow: &Follow) -> Result<Arc<AtomicBool>, Stop> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&end)).map_err(Stop::Signals)?;
    }
    if follow.end_with_stdin {
        let end = Arc::clone(&end);
        let watch = Builder::new().name("stdin".into()).spawn(move || wait_for_end_of_input(&end));
        watch.map_err(Stop::Signals)?;
    }
    Ok(end)
}

/// Whatever comes is thrown away. An input that cannot be read has ended too: nobody can say more through it.
fn wait_for_end_of_input(end: &AtomicBool) {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    end.store(true, Ordering::Relaxed);
}
