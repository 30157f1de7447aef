//! The command line of `ballast`: what can be asked, what is answered, and the exit codes. 0 ok, 1 error, 2 usage, 3 damaged
//! or different, 4 not found, 5 refused, 6 the journal's disk failed while the venue ran, 7 it failed under a
//! mapping.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::reject::Reject;
use journal::Acceptance;

use crate::client_config::ClientConfig;
use crate::config::{self, CONFIG_FILE, Config, check_listen};
use crate::tools::{self, JournalCommand};
use crate::{dev, init, schema, serve, shell, snapshots};

pub const EXIT_ERROR: u8 = 1;
pub const EXIT_DAMAGED: u8 = 3;
pub const EXIT_NOT_FOUND: u8 = 4;
pub const EXIT_REFUSED: u8 = 5;
pub const EXIT_DISK: u8 = 6;
pub const EXIT_BUS: u8 = 7;

#[derive(Debug, Parser)]
#[command(name = "ballast", version, about = "A derivatives exchange core: order book, margin, journal.")]
#[command(
    after_help = "Exit codes: 0 ok, 1 error, 2 usage, 3 damaged or different, 4 not found, 5 refused, 6 the journal's disk failed, 7 it failed under a mapped file."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a directory that a venue can run from: configuration, keys, one file per client
    Init {
        /// Where; made if it is not there
        directory: PathBuf,
        #[arg(long, value_enum, default_value_t = Profile::Demo)]
        profile: Profile,
        /// Address and port of order entry; loopback only
        #[arg(long, default_value = DEFAULT_LISTEN, value_parser = listen_at)]
        listen: String,
        /// Address and port of market data; loopback only
        #[arg(long, default_value = DEFAULT_MARKET, value_parser = listen_at)]
        market: String,
        /// Serve TLS 1.3 here as well, with a certificate that vouches for itself, and have the clients use it
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = address_of)]
        tls: Option<String>,
    },
    /// Run the venue of a directory until SIGTERM or SIGINT; SIGHUP has it read the keys of its file again
    #[command(after_help = SERVE_EXAMPLES)]
    Serve {
        /// What `ballast init` wrote
        directory: PathBuf,
        #[command(flatten)]
        loss: AcceptedLoss,
    },
    /// Enter orders by hand as one of the clients of a directory
    #[command(after_help = format!(
        "Lines on standard input:\n\n{}\n\nA script, which is any input that is no terminal, ends with exit code 5 if a line of it was refused, not \
         understood or not answered; the other lines were done.",
        shell::help()
    ))]
    Client {
        /// The venue's directory
        directory: PathBuf,
        /// A file in DIRECTORY/clients, without .toml
        name: String,
    },
    /// Watch the market of a venue that runs: best prices, levels or orders, as they change
    #[command(after_help = tools::MARKET_EXAMPLES)]
    Market(tools::Market),
    /// Init if needed, serve, and follow the journal with a bridge in a second process
    Dev {
        /// The venue's directory; made if it is not there
        #[arg(default_value = "ballast-dev")]
        directory: PathBuf,
        /// Address and port, when the directory is made
        #[arg(long, value_parser = listen_at)]
        listen: Option<String>,
        /// The same of market data
        #[arg(long, value_parser = listen_at)]
        market: Option<String>,
    },
    /// Make, list and verify snapshots, from which a start goes on
    Snapshot(snapshots::arguments::Arguments),
    /// Look at a journal: list, count, print, verify, replay, compare
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Print the digest of the state at the end of a journal, or at some place in it
    #[command(after_help = "Example: ballast state-hash my-venue --seq 1000")]
    StateHash(tools::Hash),
    /// Say what a reject code means
    #[command(
        after_help = "Example: ballast explain 503, ballast explain JOURNAL_FULL, ballast explain JournalFull"
    )]
    Explain {
        /// Its number, or its name as the schema or a client spells it
        code: String,
    },
    /// The schemas of the protocol: print, check, compare, and what is generated from them
    #[command(subcommand)]
    Schema(schema::Command),
}

/// The only way past a journal whose durable data is damaged (exit code 3), short of a backup. All three or none.
#[derive(Debug, Args)]
struct AcceptedLoss {
    /// Give up durable data that is damaged, and all that came after it; needs --expect-last-seq and --reason
    #[arg(long, requires_all = ["expect_last_seq", "reason"])]
    accept_data_loss: bool,
    /// The last seq that is kept: last_good_seq of the refusal, and no other
    #[arg(long, value_name = "SEQ", requires = "accept_data_loss")]
    expect_last_seq: Option<u64>,
    /// Why, in the journal for ever
    #[arg(long, value_name = "TEXT", requires = "accept_data_loss", value_parser = reason)]
    reason: Option<String>,
}

impl AcceptedLoss {
    fn acceptance(self) -> Option<Acceptance> {
        let (expect_last_seq, reason) = (self.expect_last_seq?, self.reason?);
        self.accept_data_loss.then_some(Acceptance { expect_last_seq, reason })
    }
}

const SERVE_EXAMPLES: &str = "Examples:
  ballast serve my-venue
  ballast serve my-venue --accept-data-loss --expect-last-seq 4711 --reason 'sdb lost a page, ticket 88'

The second is for a start that was refused with exit code 3 because durable data is damaged, when no backup is left.
What is given up lies in torn/ and divergent/ of the journal afterwards, and the journal says so for ever.";

const DEFAULT_LISTEN: &str = "127.0.0.1:7701";
const DEFAULT_MARKET: &str = "127.0.0.1:7702";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    /// Three instruments and a combo of two of them, four funded members, one oracle
    Demo,
}

/// What went wrong, for a person, and the exit code for a script.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub text: String,
    /// The refusal of a journal as JSON, where nothing else was said to programs yet.
    pub report: Option<String>,
}

impl Failure {
    pub fn new(code: u8, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into(), report: None }
    }

    pub fn reporting(self, report: String) -> Failure {
        Failure { report: Some(report), ..self }
    }

    /// For a tool that was asked to speak to programs: what refuses the journal is one JSON object.
    pub fn reported(self) -> Failure {
        self.report.as_ref().iter().for_each(say);
        Failure { report: None, ..self }
    }

    /// Whoever reads standard output has enough, which is no failure: the end, with nothing more to say.
    pub fn nobody_reads() -> Failure {
        Failure::new(0, "")
    }
}

/// A line on standard error, as `say`: a log that has run full must not end what it is about.
pub fn warn(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "ballast: {line}");
}

/// A line on standard output. Nobody may be listening any more; the venue goes on all the same.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Init { directory, profile: Profile::Demo, listen, market, tls } => {
            initialise(&directory, &listen, &market, tls.as_deref())
                .map(|()| say(format_args!("next: ballast serve {}", directory.display())))
        }
        Command::Serve { directory, loss } => {
            found(&directory).and_then(|()| serve::run(&directory, loss.acceptance().as_ref()))
        }
        Command::Client { directory, name } => client(&directory, &name),
        Command::Market(arguments) => tools::market(&arguments),
        Command::Dev { directory, listen, market } => {
            develop(&directory, listen.as_deref(), market.as_deref())
        }
        Command::Snapshot(arguments) => snapshots::arguments::run(arguments),
        Command::Journal(command) => tools::run(&command),
        Command::StateHash(hash) => tools::state_hash(&hash),
        Command::Explain { code } => explain(&code),
        Command::Schema(command) => schema::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                warn(failure.text);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// A word that is kept for ever says something.
pub fn reason(text: &str) -> Result<String, String> {
    let bytes = text.trim().len();
    if (1..=journal::REASON_BYTES_MAX).contains(&bytes) {
        return Ok(text.trim().to_owned());
    }
    Err(format!("say why, in 1 to {} bytes; these are {bytes}", journal::REASON_BYTES_MAX))
}

fn address_of(text: &str) -> Result<String, String> {
    config::address(text).map(|_| text.to_string())
}

/// Judged before anything is written.
fn listen_at(text: &str) -> Result<String, String> {
    check_listen(text, false).map(|()| text.to_string())
}

fn found(directory: &Path) -> Result<(), Failure> {
    if directory.join(CONFIG_FILE).is_file() {
        return Ok(());
    }
    let shown = directory.display();
    Err(Failure::new(
        EXIT_NOT_FOUND,
        format!("{shown} holds no {CONFIG_FILE}; `ballast init {shown}` writes one"),
    ))
}

fn initialise(directory: &Path, listen: &str, market: &str, tls: Option<&str>) -> Result<(), Failure> {
    let shown = directory.display();
    if directory.join(CONFIG_FILE).exists() {
        let text = format!("{shown} already holds a venue; nothing was changed");
        return Err(Failure::new(EXIT_REFUSED, text));
    }
    let written =
        init::write_demo(directory, listen, market, tls).map_err(|text| Failure::new(EXIT_ERROR, text))?;
    for path in written {
        say(format_args!("wrote {}", path.display()));
    }
    Ok(())
}

fn client(directory: &Path, name: &str) -> Result<(), Failure> {
    if !directory.is_dir() {
        return Err(Failure::new(EXIT_NOT_FOUND, format!("there is no directory {}", directory.display())));
    }
    let clients = directory.join(init::CLIENTS_DIRECTORY);
    let path = clients.join(format!("{name}.toml"));
    if !path.is_file() {
        let mut known: Vec<String> = std::fs::read_dir(&clients)
            .map(|entries| {
                entries
                    .flatten()
                    .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
                    .collect()
            })
            .unwrap_or_default();
        known.sort();
        let known = if known.is_empty() {
            format!("{} holds no client's file; is it a venue's directory?", directory.display())
        } else {
            format!("known clients: {}", known.join(", "))
        };
        let text = format!("there is no {}; {known}", path.display());
        return Err(Failure::new(EXIT_NOT_FOUND, text));
    }
    let config = ClientConfig::load(&path).map_err(|text| Failure::new(EXIT_ERROR, text))?;
    shell::run(config, name)
}

fn develop(directory: &Path, listen: Option<&str>, market: Option<&str>) -> Result<(), Failure> {
    if !directory.join(CONFIG_FILE).exists() {
        initialise(directory, listen.unwrap_or(DEFAULT_LISTEN), market.unwrap_or(DEFAULT_MARKET), None)?;
    } else if listen.is_some() || market.is_some() {
        let text = format!(
            "{} has its addresses in {CONFIG_FILE}; leave --listen and --market out, or edit them there",
            directory.display()
        );
        return Err(Failure::new(EXIT_REFUSED, text));
    }
    dev::run(directory)
}

fn explain(word: &str) -> Result<(), Failure> {
    let reject = match word.parse() {
        Ok(code) => Reject::from_code(code),
        Err(_) => Reject::ALL.iter().copied().find(|reject| is_spelled(*reject, word)),
    };
    let reject = reject.ok_or_else(|| {
        let text = format!("there is no code {word}; `ballast schema codes` lists them");
        Failure::new(EXIT_NOT_FOUND, text)
    })?;
    say(format_args!("{} {reject:?}: {}", reject.code(), reject.text()));
    Ok(())
}

/// JournalFull, JOURNAL_FULL and journal-full are one.
fn is_spelled(reject: Reject, word: &str) -> bool {
    let letters = word.chars().filter(|letter| !['_', '-', ' '].contains(letter));
    letters.map(|letter| letter.to_ascii_lowercase()).eq(format!("{reject:?}").to_lowercase().chars())
}

/// The operator's file of a directory, or why not.
pub fn load(directory: &Path) -> Result<Config, Failure> {
    Config::load(directory).map_err(|text| Failure::new(EXIT_ERROR, text))
}
