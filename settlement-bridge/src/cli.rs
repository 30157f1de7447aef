//! The command line, and the loop behind `follow`: poll, state the positions when they changed, rest when idle.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use journal::{CursorName, Loss};

use crate::follower::Follower;
use crate::state::Home;
use crate::statement::Statement;
use crate::stop::Stop;

/// Follows the venue's journal with an engine of its own and states the net positions.
#[derive(Debug, Parser)]
#[command(name = "settlement-bridge", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub task: Task,
}

const EXIT_CODES: &str = "Exit codes: 0 ended as asked, 1 error, 2 usage, 3 the journal is damaged or differs, 4 no journal or its beginning is gone, 5 another bridge has the state";

#[derive(Debug, Subcommand)]
pub enum Task {
    Follow(Follow),
}

/// Tail the journal up to what is durable, verify every record, print the positions when they change.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Follow {
    /// The journal's directory, or a venue's directory that contains `journal/`.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Stop when this command and its events are verified.
    #[arg(long, value_name = "N")]
    pub until_seq: Option<u64>,
    /// Verify what is durable now, print the positions, and exit.
    #[arg(long)]
    pub exit_at_end: bool,
    /// Keep what was verified in this directory, go on from there the next time, and let the journal remove what is before.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The name under which the journal knows this consumer: its cursor's file.
    #[arg(long, default_value = "bridge", value_parser = consumer, requires = "state")]
    pub name: CursorName,
    /// One JSON object per line instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Print only the positions at the end.
    #[arg(long)]
    pub quiet: bool,
    /// Print changed positions at most once in this time.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub interval_ms: u64,
    /// Wait for a journal that does not exist yet.
    #[arg(long)]
    pub wait: bool,
    /// End as at SIGTERM when standard input reaches its end: a parent that is killed takes its bridge along.
    #[arg(long)]
    pub end_with_stdin: bool,
}

const REST_SHORTEST: Duration = Duration::from_millis(1);
const REST_LONGEST: Duration = Duration::from_millis(20);
/// What a bridge that is killed verifies again, at most.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// Follows until it is done, `end` is set, or something stops it. Positions go to `output`, notes to `notes`, which
/// nothing depends on.
pub fn follow(
    options: &Follow,
    end: &AtomicBool,
    output: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), Stop> {
    let Some(mut follower) = open(options, end, notes)? else {
        return Ok(());
    };
    let mut printer = Printer { options, output, changes_printed: 0, due: Instant::now() };
    let mut rest = REST_SHORTEST;
    let mut keep_due = Instant::now() + KEEP_EVERY;
    let mut losses_told = 0;
    loop {
        if end.load(Ordering::Relaxed) {
            follower.read_what_is_durable()?;
            break;
        }
        let read = follower.poll()?;
        let losses = follower.verifier().losses();
        for loss in &losses[losses_told..] {
            let _ = writeln!(notes, "settlement-bridge: {}", passed(loss));
        }
        losses_told = losses.len();
        if is_done(options, &follower, read)? {
            break;
        }
        printer.print_when_due(&follower)?;
        if Instant::now() >= keep_due {
            follower.keep()?;
            keep_due = Instant::now() + KEEP_EVERY;
        }
        rest = if read > 0 { REST_SHORTEST } else { rested(rest) };
    }
    follower.finish()?;
    follower.keep()?;
    printer.print(&follower, true)?;
    let _ = writeln!(notes, "settlement-bridge: {}", verified(&follower));
    Ok(())
}

/// `None` when the end was asked for while waiting. A journal that is there is opened even then: what is durable is
/// still to be stated.
fn open(options: &Follow, end: &AtomicBool, notes: &mut impl Write) -> Result<Option<Follower>, Stop> {
    let mut noted = String::new();
    loop {
        let stop = match follower(options) {
            Err(stop) if options.wait && stop.is_too_early() => stop.to_string(),
            result => return result.map(Some),
        };
        if end.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if stop != noted {
            let _ = writeln!(notes, "settlement-bridge: waiting: {stop}");
            noted = stop;
        }
        sleep(REST_LONGEST);
    }
}

fn follower(options: &Follow) -> Result<Follower, Stop> {
    let home = options.state.as_ref().map(|directory| {
        let failed = |fault| Stop::State { path: directory.clone(), fault };
        Home::open(directory, options.name).map_err(failed)
    });
    Follower::open_with(&options.directory, options.until_seq, home.transpose()?)
}

fn consumer(name: &str) -> Result<CursorName, String> {
    CursorName::new(name).ok_or("a name has 1 to 32 of a to z, 0 to 9 and -".into())
}

fn is_done(options: &Follow, follower: &Follower, read: usize) -> Result<bool, Stop> {
    if follower.has_passed() || (read == 0 && follower.has_reached()) {
        return Ok(true);
    }
    if read > 0 || !options.exit_at_end {
        return Ok(false);
    }
    match options.until_seq {
        Some(until_seq) => Err(Stop::EndsBefore { last_seq: follower.last_seq(), until_seq }),
        None => Ok(true),
    }
}

/// Sleeps and says how long to sleep the next time.
fn rested(rest: Duration) -> Duration {
    sleep(rest);
    (rest * 2).min(REST_LONGEST)
}

struct Printer<'a, W: Write> {
    options: &'a Follow,
    output: &'a mut W,
    changes_printed: u64,
    due: Instant,
}

impl<W: Write> Printer<'_, W> {
    fn print_when_due(&mut self, follower: &Follower) -> Result<(), Stop> {
        let verifier = follower.verifier();
        let is_changed = verifier.ledger().changes() != self.changes_printed;
        if self.options.quiet || !is_changed || !verifier.is_whole() || Instant::now() < self.due {
            return Ok(());
        }
        self.print(follower, false)
    }

    /// No line leaves before ledger and engine agree on every number in it.
    fn print(&mut self, follower: &Follower, is_last: bool) -> Result<(), Stop> {
        follower.compare()?;
        let verifier = follower.verifier();
        let statement = Statement::of(verifier.replay().engine(), follower.durable_seq(), is_last);
        let text = if self.options.json { statement.json() } else { statement.table() };
        self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()).map_err(Stop::Output)?;
        self.changes_printed = verifier.ledger().changes();
        self.due = Instant::now() + Duration::from_millis(self.options.interval_ms);
        Ok(())
    }
}

/// A loss that this bridge is not touched by.
fn passed(loss: &Loss) -> String {
    let Loss { last_seq, floor_seq, reason, .. } = loss;
    format!(
        "the venue's operator gave up everything behind seq {last_seq} (up to seq {floor_seq} had been promised): {reason}; \
         nothing of that was verified here, what follows is the history from now on"
    )
}

fn verified(follower: &Follower) -> String {
    let (checked, last_seq) = (follower.verifier().checked(), follower.last_seq());
    if checked.commands == 0 && last_seq > 0 {
        return format!("nothing new since seq {last_seq}; the ledger agrees with the engine");
    }
    if checked.commands == 0 {
        return format!(
            "nothing is durable in {}, so nothing was verified; after a restart of the machine, start the venue first",
            follower.path().display()
        );
    }
    format!(
        "verified {} commands, {} events and {} marks up to seq {}; the ledger agrees with the engine",
        checked.commands, checked.events, checked.marks, last_seq
    )
}
