//! `ballast journal cat`: records, decoded, one a line.

use clap::Args;
use journal::Record;

use super::filter::Filter;
use super::output::Output;
use super::place::Place;
use super::shown;
use super::source::{Journal, Step};
use crate::cli::{EXIT_NOT_FOUND, Failure};

pub const EXAMPLES: &str = "Examples:
  ballast journal cat my-venue --template OrderExecuted --account 4
  ballast journal cat my-venue --since 2026-11-21T09:00:00Z --until 2026-11-21T09:05:00Z --json
  ballast journal cat my-venue --follow --session 10";

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    filter: Filter,
    /// At most so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on as the venue does, up to what is durable, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { place, filter, limit, follow } = arguments;
    let journal = Journal::find(&place.directory)?;
    let output = std::cell::RefCell::new(Output::new());
    let mut left = limit.unwrap_or(u64::MAX);
    let mut show = |record: &Record<'_>| {
        if left == 0 || filter.step(record) == Step::Enough {
            return Ok(Step::Enough);
        }
        if filter.passes(record) {
            let line = if place.json { shown::object(record) } else { shown::text(record) };
            output.borrow_mut().line(line)?;
            left -= 1;
        }
        Ok(if left == 0 { Step::Enough } else { Step::Next })
    };
    // What was shown before a fault stands: the fault comes after it.
    let done = if *follow {
        journal.follow(filter.from(), &mut show, &mut || output.borrow_mut().flush())
    } else {
        journal.walk_from(filter.from(), &mut show).map(|_| ())
    };
    output.borrow_mut().flush().and(done)?;
    let shown = limit.unwrap_or(u64::MAX) - left;
    if shown == 0 && !follow && *limit != Some(0) {
        let text = format!(
            "no record of {} passes; `ballast journal stat` says what there is",
            place.directory.display()
        );
        return Err(Failure::new(EXIT_NOT_FOUND, text));
    }
    Ok(())
}
