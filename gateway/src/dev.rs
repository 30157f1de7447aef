//! `ballast dev`: a whole venue on one machine, for whoever wants to try it: serves a directory and follows its journal with
//! the settlement bridge in a second process. Says what to do next.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{EXIT_ERROR, EXIT_NOT_FOUND, Failure, load, say, warn};
use crate::config::Config;
use crate::serve;
use crate::stage::Ending;

const BRIDGE: &str = "settlement-bridge";
const BRIDGE_STATE: &str = "bridge";
/// How long a bridge may take for its last words.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(directory: &Path) -> Result<(), Failure> {
    let bridge = bridge_program()?;
    let config = load(directory)?;
    let ending = Ending::default();
    let mut watch = None;
    let served = serve::run_until(directory, None, &ending, || {
        let child = Command::new(&bridge)
            .arg("follow")
            .arg(Config::journal_directory(directory))
            // Its end is the bridge's end, whatever becomes of this process.
            .arg("--end-with-stdin")
            // What it verified is kept beside the venue, so that the journal may let go of it.
            .arg("--state")
            .arg(directory.join(BRIDGE_STATE))
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| {
                Failure::new(EXIT_ERROR, format!("cannot start {}: {error}", bridge.display()))
            })?;
        say(format_args!("bridge    follows the journal as process {}", child.id()));
        next_steps(directory, &config);
        watch = Some(Watch::new(child, ending.clone()));
        Ok(())
    });
    let bridge = watch.map_or(Ok(()), Watch::end);
    served.and(bridge)
}

/// The bridge's process.
struct Watch {
    pid: Pid,
    input: Option<ChildStdin>,
    waiter: JoinHandle<Option<i32>>,
}

impl Watch {
    fn new(mut child: Child, ending: Ending) -> Watch {
        let (pid, input) = (Pid::from_child(&child), child.stdin.take());
        Watch { pid, input, waiter: std::thread::spawn(move || wait(child, &ending)) }
    }

    /// It reads what is durable, prints its last table and leaves; one that does not is killed.
    fn end(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        let patience = Instant::now() + PATIENCE;
        while !self.waiter.is_finished() && Instant::now() < patience {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if !self.waiter.is_finished() {
            warn("the bridge did not end; it is killed");
            let _ = kill_process(self.pid, Signal::KILL);
        }
        match self.waiter.join().ok().flatten() {
            Some(0) | None => Ok(()),
            Some(code) => {
                let text = "the bridge found a fault; its message stands above";
                Err(Failure::new(u8::try_from(code).unwrap_or(EXIT_ERROR), text))
            }
        }
    }
}

/// A bridge that ends while the venue runs has something to say; the venue goes on without it.
fn wait(mut bridge: Child, ending: &Ending) -> Option<i32> {
    let status = bridge.wait().ok()?;
    if !ending.asked() {
        warn(format_args!("the bridge ended early, {status}; see its message above"));
    }
    status.code()
}

fn bridge_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new(EXIT_ERROR, error.to_string()))?;
    let program = own.with_file_name(BRIDGE);
    if program.is_file() {
        return Ok(program);
    }
    let text = format!("there is no {}; `cargo build --release` builds both programs", program.display());
    Err(Failure::new(EXIT_NOT_FOUND, text))
}

fn next_steps(directory: &Path, config: &Config) {
    let program = std::env::args().next().unwrap_or("ballast".into());
    let symbol = config.instruments.first().map_or("SYMBOL", |instrument| &instrument.symbol);
    let mark = config.instruments.first().map_or("PRICE", |instrument| &instrument.mark);
    let shown = quoted(directory);
    say("");
    say(format_args!("Place an order from another terminal:"));
    say(format_args!("  {program} client {shown} alice     then type: buy {symbol} 10 {mark}"));
    say(format_args!("and trade against it from a third:"));
    say(format_args!("  {program} client {shown} bob       then type: sell {symbol} 10 {mark}"));
    if config.market.is_some() {
        say(format_args!("Watch the market move from a fourth:"));
        say(format_args!("  {program} market {shown} --level 2"));
    }
    say(format_args!("The bridge prints the net positions here. Ctrl-C ends both."));
    say("");
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
