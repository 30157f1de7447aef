//! `ballast journal export`: what the journal says, in files that other programs read. Fills as CSV and Parquet, one row
//! for each side of a match; every record as JSON lines; commands and events as a capture of frames.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::event::OrderExecuted;
use engine::message::block;
use journal::{Kind, Record};

use super::filter::Filter;
use super::json::Object;
use super::output::Output;
use super::progress::Progress;
use super::rerun::Rerun;
use super::shown;
use super::source::{Journal, Step};
use crate::cli::{EXIT_DAMAGED, Failure};
use columns::Fill;
use file::{Pending, failure};
use listings::Listings;

mod columns;
mod csv;
mod file;
mod listings;
mod parquet;
mod pcapng;
mod thrift;

pub const EXAMPLES: &str = "Examples:
  ballast journal export my-venue --format parquet --out fills.parquet
  ballast journal export my-venue --format csv --out alice.csv --account 4 --since 2026-11-21T00:00:00Z
  ballast journal export my-venue --format pcapng --out morning.pcapng --until 2026-11-21T12:00:00Z";

#[derive(Debug, Args)]
pub struct Arguments {
    /// A venue's directory, or a journal's
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// The file; it appears when it is complete
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// For programs: one JSON object on standard output that says what was written
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Every record, one JSON object a line, as `cat --json` prints it
    Jsonl,
    /// Fills, one row for each side
    Csv,
    /// Fills, one row for each side: exact decimals, times in ns
    Parquet,
    /// Commands and events as frames of the protocol, times in ns
    Pcapng,
}

/// What a file of one format is written with.
enum Form {
    Jsonl,
    Csv,
    Parquet(parquet::Sheet),
    Pcapng,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { directory, format, out, force, json, filter } = arguments;
    let journal = Journal::find(directory)?;
    let mut export = Export::begin(&journal, *format, Pending::begin(out, *force, &journal.directory)?)?;
    let mut progress = Progress::of(journal.last_seq_seen());
    journal.walk(&mut |record| {
        if filter.step(record) == Step::Enough {
            return Ok(Step::Enough);
        }
        progress.reached(record.seq);
        export.record(record, filter).map(|()| Step::Next)
    })?;
    drop(progress);
    let (rows, bytes) = export.end()?;
    let mut output = Output::new();
    let shown = out.display();
    output.line(if *json {
        Object::new().text("file", &shown.to_string()).raw("rows", rows).raw("bytes", bytes).end()
    } else {
        format!("wrote {shown}: {rows} {}, {bytes} bytes", format.unit())
    })?;
    output.flush()
}

impl Format {
    fn unit(self) -> &'static str {
        match self {
            Format::Jsonl => "records",
            Format::Csv | Format::Parquet => "fills",
            Format::Pcapng => "packets",
        }
    }
}

struct Export {
    file: Pending,
    path: PathBuf,
    form: Form,
    listings: Listings,
    rows: u64,
}

impl Export {
    fn begin(journal: &Journal, format: Format, mut file: Pending) -> Result<Export, Failure> {
        let path = file.path().to_owned();
        let failed = |error| failure(&path, &error);
        let form = match format {
            Format::Jsonl => Form::Jsonl,
            Format::Csv => csv::head(&mut file.out).map(|()| Form::Csv).map_err(failed)?,
            Format::Parquet => parquet::Sheet::begin(&mut file.out).map(Form::Parquet).map_err(failed)?,
            Format::Pcapng => pcapng::begin(&mut file.out).map(|()| Form::Pcapng).map_err(failed)?,
        };
        // A journal that was pruned no longer says what was listed before its beginning; its oldest snapshot does.
        let listings = match format {
            Format::Csv | Format::Parquet => Listings::of(Rerun::start(journal)?.engine()),
            Format::Jsonl | Format::Pcapng => Listings::default(),
        };
        Ok(Export { file, path, form, listings, rows: 0 })
    }

    fn record(&mut self, record: &Record<'_>, filter: &Filter) -> Result<(), Failure> {
        let out = &mut self.file.out;
        let failed = |error| failure(&self.path, &error);
        match &mut self.form {
            Form::Csv | Form::Parquet(_) => {
                self.listings.hear(record);
                return self.fill(record, filter);
            }
            _ if !filter.passes(record) => return Ok(()),
            Form::Jsonl => {
                use std::io::Write;
                writeln!(out, "{}", shown::object(record)).map_err(failed)?;
                self.rows += 1;
            }
            Form::Pcapng => self.rows += pcapng::packet(out, record).map_err(failed)?,
        }
        Ok(())
    }

    fn fill(&mut self, record: &Record<'_>, filter: &Filter) -> Result<(), Failure> {
        if record.kind != Kind::Event {
            return Ok(());
        }
        let Some(executed) = block::<OrderExecuted>(shown::message(record)) else { return Ok(()) };
        if !filter.passes(record) {
            return Ok(());
        }
        let instrument = executed.instrument_id.get();
        let Some(listing) = self.listings.instrument(instrument) else {
            let text = format!(
                "the fill at seq {} is of instrument {instrument}, which was never listed",
                record.seq
            );
            return Err(Failure::new(EXIT_DAMAGED, text));
        };
        let account = self.listings.account(executed.account_id.get());
        let (seq, sub, ts_ns, session) = (record.seq, record.sub, record.ts_ns, shown::session(record));
        let fill = Fill { seq, sub, ts_ns, session, executed, listing, account };
        let written = match &mut self.form {
            Form::Parquet(sheet) => sheet.row(&mut self.file.out, &fill.cells()),
            _ => csv::row(&mut self.file.out, &fill.cells()),
        };
        self.rows += 1;
        written.map_err(|error| failure(&self.path, &error))
    }

    /// How many rows and how many bytes there are.
    fn end(self) -> Result<(u64, u64), Failure> {
        let Export { mut file, path, form, rows, .. } = self;
        if let Form::Parquet(sheet) = form {
            sheet.end(&mut file.out).map_err(|error| failure(&path, &error))?;
        }
        Ok((rows, file.end()?))
    }
}
