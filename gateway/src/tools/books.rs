//! The public books at the end of a journal, for whoever compares them with what the feed told.

use journal::Record;

use super::json::{self, Object};
use super::rerun::oldest_standing;
use super::source::{Journal, failure};
use crate::cli::Failure;
use crate::market::projection::Projection;
use crate::message::shown_text;

const SEGMENT_FIRST: u64 = 1;

pub struct Books {
    projection: Projection,
    /// What the state that it began with already contains.
    from_seq: u64,
}

impl Books {
    /// From the first command, or, where retention has taken that, from the oldest snapshot that verifies.
    pub fn start(journal: &Journal) -> Result<Books, Failure> {
        let held = journal::segments(&journal.directory, &journal.identity).map_err(failure)?;
        if held.first().is_none_or(|first| *first <= SEGMENT_FIRST) {
            return Ok(Books { projection: Projection::default(), from_seq: 0 });
        }
        let mut standing = oldest_standing(journal)?;
        Ok(Books { from_seq: standing.engine().last_seq(), projection: standing.give_away_market() })
    }

    pub fn record(&mut self, record: &Record<'_>) {
        if record.seq > self.from_seq {
            self.projection.hear(record);
        }
    }

    /// Nothing more is to come of the last command.
    pub fn finish(&mut self) {
        self.projection.end();
    }

    pub fn sentence(&self) -> String {
        let next = self.projection.next_seq();
        let mut text = format!("\nmarket data: the next message of the channel is {next}");
        for listing in self.projection.listings() {
            let (symbol, hash) = (shown_text(&listing.symbol), listing.book.hash());
            text += &format!("\nbook {} {symbol}: bookHash {hash:#018x}", listing.id);
        }
        text
    }

    pub fn object(&self) -> String {
        let books = self.projection.listings().map(|listing| {
            Object::new()
                .raw("instrument", listing.id)
                .text("symbol", &shown_text(&listing.symbol))
                .text("book_hash", &format!("{:#018x}", listing.book.hash()))
                .end()
        });
        Object::new().raw("next_seq", self.projection.next_seq()).raw("books", json::list(books)).end()
    }
}
