//! The operator's tools on a journal: `ballast journal ...` and `ballast state-hash`. They only read: nothing is opened for
//! writing, no lock is taken, and a venue that runs is read up to what is durable. One file for each command; what they
//! share (finding a journal, walking it, decoding, filtering) stands beside them.

use clap::Subcommand;

use crate::cli::Failure;

mod books;
mod cat;
mod decode;
mod diff;
mod export;
mod filter;
mod instant;
pub(crate) mod json;
mod ls;
mod market;
mod output;
mod place;
mod progress;
mod replay;
mod rerun;
mod shown;
mod source;
mod stat;
mod state;
mod verify;
mod words;

pub use market::{Arguments as Market, EXAMPLES as MARKET_EXAMPLES, run as market};
pub use replay::Hash;

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// List the segment files: numbers, times, bytes, state
    #[command(after_help = "Example: ballast journal ls my-venue")]
    Ls(place::Place),
    /// Count everything: totals, watermarks, kinds and templates, rate
    #[command(after_help = "Example: ballast journal stat my-venue --json")]
    Stat(place::Place),
    /// Print decoded records, one a line
    #[command(after_help = cat::EXAMPLES)]
    Cat(cat::Arguments),
    /// Check every checksum, the chain, the order and the durable floor
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// Run the engine over the journal to some place and print the state there
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Arguments),
    /// Find the first record in which two journals part
    #[command(
        after_help = "Example: ballast journal diff my-venue backup/journal\n\nCompares commands, events, rules \
        and losses; where groups end, and which digests and snapshots are noted, may differ."
    )]
    Diff(diff::Arguments),
    /// Write fills, records or frames into a file for other programs
    #[command(after_help = export::EXAMPLES)]
    Export(export::Arguments),
}

impl JournalCommand {
    fn is_for_programs(&self) -> bool {
        match self {
            JournalCommand::Ls(place) | JournalCommand::Stat(place) => place.json,
            JournalCommand::Cat(arguments) => arguments.place.json,
            JournalCommand::Verify(arguments) => arguments.place.json,
            JournalCommand::Replay(arguments) => arguments.place.json,
            JournalCommand::Diff(arguments) => arguments.json,
            JournalCommand::Export(_) => false,
        }
    }
}

pub fn run(command: &JournalCommand) -> Result<(), Failure> {
    let done = match command {
        JournalCommand::Ls(place) => ls::run(place),
        JournalCommand::Stat(place) => stat::run(place),
        JournalCommand::Cat(arguments) => cat::run(arguments),
        JournalCommand::Verify(arguments) => verify::run(arguments),
        JournalCommand::Replay(arguments) => replay::run(arguments),
        JournalCommand::Diff(arguments) => diff::run(arguments),
        JournalCommand::Export(arguments) => export::run(arguments),
    };
    done.map_err(|failure| if command.is_for_programs() { failure.reported() } else { failure })
}

pub fn state_hash(hash: &Hash) -> Result<(), Failure> {
    replay::state_hash(hash).map_err(|failure| if hash.json { failure.reported() } else { failure })
}
