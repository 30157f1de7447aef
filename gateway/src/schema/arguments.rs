//! `ballast schema`: what can be asked of the schemas, and the exit codes.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use engine::message::SCHEMA_MARKET_DATA;

use super::document::Schema;
use super::{MARKET_DATA_FILE, MARKET_DATA_XML, ORDER_ENTRY_FILE, ORDER_ENTRY_XML, Verdict};
use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_NOT_FOUND, Failure, say};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a schema in the XML of SBE, as this build speaks it
    #[command(after_help = "Example: ballast schema print order-entry > order-entry.xml")]
    Print {
        #[arg(value_enum, default_value_t = Which::OrderEntry)]
        schema: Which,
    },
    /// Hold schemas against what this build speaks: layouts, names, values, nulls, and the rules of the files
    #[command(
        after_help = "Without a FILE the built-in schemas. Exit 3 where anything differs, with file and line.\n\n\
        Example: ballast schema check order-entry.xml"
    )]
    Check { files: Vec<PathBuf> },
    /// Say whether a peer that knows A still reads what B describes
    #[command(
        after_help = "Exit 0: the same, or compatible (a field appended, a template or a value more, under a \
        version that says so). Exit 3: B needs a new version, or breaks A.\n\nExample: ballast schema diff \
        mine.xml <(ballast schema print)"
    )]
    Diff { a: PathBuf, b: PathBuf },
    /// Print the tables of gateway/PROTOCOL.md
    Md {
        #[arg(value_enum, default_value_t = Which::OrderEntry)]
        schema: Which,
    },
    /// Print a Wireshark dissector of both schemas
    #[command(
        after_help = "Example: ballast schema lua > ballast.lua && tshark -X lua_script:ballast.lua -r FILE -V"
    )]
    Lua,
    /// Print the constants of a Python client
    #[command(after_help = "Example: ballast schema python > _schema.py")]
    Python,
    /// Print the reject codes: code, name, meaning
    #[command(after_help = "Example: ballast schema csv > reject_codes.csv")]
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Schema 7701
    OrderEntry,
    /// Schema 7702
    MarketData,
}

impl Which {
    fn schema(self) -> &'static Schema {
        match self {
            Which::OrderEntry => super::order_entry(),
            Which::MarketData => super::market_data(),
        }
    }
}

pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Print { schema: Which::OrderEntry } => print(ORDER_ENTRY_XML),
        Command::Print { schema: Which::MarketData } => print(MARKET_DATA_XML),
        Command::Check { files } => check(files),
        Command::Diff { a, b } => diff(a, b),
        Command::Md { schema } => print(&super::page(schema.schema())),
        Command::Lua => print(&super::dissector()),
        Command::Python => print(&super::python_constants()),
        Command::Csv => print(&super::reject_codes()),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::nobody_reads()),
        Err(error) => Err(Failure::new(EXIT_ERROR, format!("cannot write to standard output: {error}"))),
    }
}

fn check(files: &[PathBuf]) -> Result<(), Failure> {
    let mut faults = Vec::new();
    let mut judge = |name: &str, schema: &Schema| {
        let found = super::faults(name, schema);
        if found.is_empty() {
            let (count, hash) = (schema.messages.len(), super::hash(schema));
            say(format_args!("{name}: {} version {}, {count} messages, {hash}", schema.id, schema.version));
        }
        faults.extend(found);
    };
    if files.is_empty() {
        judge(&format!("built in, {ORDER_ENTRY_FILE}"), super::order_entry());
        judge(&format!("built in, {MARKET_DATA_FILE}"), super::market_data());
    }
    for file in files {
        judge(&file.display().to_string(), &read(file)?);
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(EXIT_DAMAGED, faults.join("\n"))) }
}

fn diff(a: &Path, b: &Path) -> Result<(), Failure> {
    let (old, new) = (read(a)?, read(b)?);
    let changes = super::changes(&old, &new);
    for change in &changes {
        let mark = match change.verdict {
            Verdict::Same | Verdict::Compatible => "compatible",
            Verdict::NeedsVersion => "needs a version",
            Verdict::Breaks => "breaks",
        };
        say(format_args!("{mark}: {}", change.text));
    }
    let (a, b) = (a.display(), b.display());
    match super::verdict(&changes) {
        Verdict::Same => say(format_args!("{a} and {b} mean the same")),
        Verdict::Compatible => {
            say(format_args!("{b} is compatible: whoever knows {a} reads what it knows of it"))
        }
        Verdict::NeedsVersion => {
            let text =
                format!("{b} needs a new schema version: raise `version`, and `sinceVersion` of what came");
            return Err(Failure::new(EXIT_DAMAGED, text));
        }
        Verdict::Breaks => {
            let text = format!(
                "{b} breaks {a}: give what is another a new template id, and leave the old one as it is"
            );
            return Err(Failure::new(EXIT_DAMAGED, text));
        }
    }
    Ok(())
}

/// A file of one of our schemas.
fn read(path: &Path) -> Result<Schema, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let code = if error.kind() == ErrorKind::NotFound { EXIT_NOT_FOUND } else { EXIT_ERROR };
        Failure::new(code, format!("{shown}: {error}"))
    })?;
    let schema = Schema::parse(&shown.to_string(), &text).map_err(|text| Failure::new(EXIT_DAMAGED, text))?;
    let known = [super::order_entry().id, SCHEMA_MARKET_DATA];
    if !known.contains(&schema.id) {
        let text = format!("{shown}: schema id {} is none of ours ({known:?})", schema.id);
        return Err(Failure::new(EXIT_DAMAGED, text));
    }
    Ok(schema)
}
