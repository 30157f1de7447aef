//! The command line of `ballast snapshot`: what can be asked, and how it is answered to people and to programs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use journal::{OpenError, SnapshotHead};

use crate::cli::{EXIT_DAMAGED, EXIT_ERROR, EXIT_NOT_FOUND, Failure, reason, say, warn};
use crate::config::{Config, to_hex};
use crate::snapshots::bar::Bar;
use crate::snapshots::create::{Made, create};
use crate::snapshots::prune::{self, Pruned};
use crate::snapshots::retention::Policy;
use crate::snapshots::verify::{self, Seen, Verified};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ok, 1 error, 2 usage, 3 damaged or different, 4 not found, 5 refused.")]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make a snapshot of what is durable, beside a running venue or after it
    #[command(after_help = "Example: ballast snapshot create my-venue --json")]
    Create {
        /// A venue's directory, or a journal's
        directory: PathBuf,
        /// Stop at the end of the first group that reaches this command
        #[arg(long, value_name = "SEQ")]
        until_seq: Option<u64>,
        /// Leave the processor to others
        #[arg(long)]
        background: bool,
        /// Give up when standard input reaches its end: a venue that is killed takes its maker along
        #[arg(long)]
        end_with_stdin: bool,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the snapshots of a journal, oldest first, by their headers
    #[command(after_help = "Example: ballast snapshot ls my-venue")]
    Ls {
        /// A venue's directory, or a journal's
        directory: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Remove old snapshots and, if asked, segments that nobody needs; only while no venue runs
    #[command(
        after_help = "Example: ballast snapshot prune my-venue --keep 3 --keep-segments 8 --archive /backup/my-venue"
    )]
    Prune {
        /// A venue's directory, or a journal's
        directory: PathBuf,
        /// How many that verify stay, at least 2
        #[arg(long, value_name = "N", default_value_t = 3)]
        keep: usize,
        /// Remove segments below what snapshots and consumers need, but for this many
        #[arg(long, value_name = "N")]
        keep_segments: Option<u64>,
        /// Copy what goes here first
        #[arg(long, value_name = "DIR", requires = "keep_segments")]
        archive: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Give up what a consumer has not read: its cursor goes, and the reason is written down
    #[command(
        after_help = "Example: ballast snapshot forget my-venue bridge --reason 'the bridge was moved to another host'"
    )]
    Forget {
        /// A venue's directory, or a journal's
        directory: PathBuf,
        /// The cursor's file in `cursors/`
        name: String,
        /// Kept in `forgotten.log`
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Load a snapshot, or all of a directory, as a start would, and say what is wrong
    #[command(after_help = "Example: ballast snapshot verify my-venue")]
    Verify {
        /// A snapshot's file, a venue's directory, or a journal's
        path: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

impl Task {
    fn is_for_programs(&self) -> bool {
        match self {
            Task::Create { json, .. }
            | Task::Ls { json, .. }
            | Task::Prune { json, .. }
            | Task::Verify { json, .. } => *json,
            Task::Forget { .. } => false,
        }
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let is_for_programs = arguments.task.is_for_programs();
    perform(arguments.task).map_err(|failure| if is_for_programs { failure.reported() } else { failure })
}

fn perform(task: Task) -> Result<(), Failure> {
    match task {
        Task::Create { directory, until_seq, background, end_with_stdin, json } => {
            if background {
                // One that may not step back works on in its place.
                let _ = rustix::process::nice(10);
            }
            if end_with_stdin {
                std::thread::spawn(|| {
                    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
                    std::process::exit(i32::from(EXIT_ERROR));
                });
            }
            let mut bar = Bar::new();
            let made =
                create(&journal_of(&directory)?, until_seq, &mut |done, total| bar.reached(done, total));
            drop(bar);
            let made = made?;
            told(&made, json);
            Ok(())
        }
        Task::Prune { directory, keep, keep_segments, archive, json } => {
            let policy = Policy { keep_segments, archive };
            let pruned = prune::prune(&journal_of(&directory)?, keep, &policy)?;
            pruned_told(&pruned, json);
            Ok(())
        }
        Task::Forget { directory, name, reason } => {
            if let Some(warning) = prune::forget(&journal_of(&directory)?, &name, &reason)? {
                warn(warning);
            }
            say(format_args!("forgot    {name}; what it had not read may go from here on"));
            Ok(())
        }
        Task::Ls { directory, json } => list(&journal_of(&directory)?, json),
        Task::Verify { path, json } if path.is_file() => {
            judged(std::slice::from_ref(&path), verify::journal_around(&path).as_ref(), json)
        }
        Task::Verify { path, json } => {
            let directory = journal_of(&path)?;
            let identity = journal::load_identity(&directory).map_err(super::create::open_failure)?;
            let paths = verify::paths(&directory)?;
            if paths.is_empty() {
                return Err(verify::none_found(&directory));
            }
            judged(&paths, Some(&identity), json)
        }
    }
}

/// The journal of a venue's directory, or the directory itself.
fn journal_of(directory: &Path) -> Result<PathBuf, Failure> {
    let inside = Config::journal_directory(directory);
    let found = if inside.is_dir() { inside } else { directory.to_owned() };
    if found.join("journal.id").exists() {
        return Ok(found);
    }
    match journal::load_identity(&found) {
        Err(error @ OpenError::IdentityMissing { .. }) => Err(super::create::open_failure(error)),
        _ => {
            let text = format!("{} holds no journal", directory.display());
            Err(Failure::new(EXIT_NOT_FOUND, text))
        }
    }
}

fn told(made: &Made, json: bool) {
    for note in &made.notes {
        warn(note);
    }
    let (seq, path) = (made.reference.seq(), made.path.display());
    if json {
        let behind = made.behind.map_or("null".into(), |seq| seq.to_string());
        say(format_args!(
            r#"{{"seq":{seq},"state_hash":"{}","file_hash":"{}","bytes":{},"new":{},"behind":{behind},"path":{}}}"#,
            to_hex(made.reference.state_hash()),
            to_hex(made.reference.file_hash()),
            made.bytes,
            made.is_new,
            quoted(&made.path)
        ));
    } else if made.is_new {
        let behind =
            made.behind.map_or("the start of the journal".into(), |seq| format!("the snapshot of seq {seq}"));
        say(format_args!("snapshot  seq {seq}, {} bytes, verified, from {behind}: {path}", made.bytes));
    } else {
        say(format_args!("snapshot  of seq {seq} is there already, nothing came since: {path}"));
    }
}

fn pruned_told(pruned: &Pruned, json: bool) {
    let Pruned { snapshots, segments, floor } = pruned;
    if json {
        let seqs = snapshots.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        say(format_args!(
            r#"{{"snapshots":[{seqs}],"segments":{segments},"floor_segment":{},"held_by":{:?}}}"#,
            floor.segment, floor.held_by
        ));
    } else {
        let removed = snapshots.len();
        say(format_args!(
            "removed   {removed} snapshots and {segments} segments; the rest is held by {}",
            floor.held_by
        ));
    }
}

/// By the header pages alone; `verify` reads the rest.
fn list(directory: &Path, json: bool) -> Result<(), Failure> {
    let paths = verify::paths(directory)?;
    if paths.is_empty() {
        return Err(verify::none_found(directory));
    }
    let mut damaged = 0;
    for path in paths {
        let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
        match SnapshotHead::load(&path) {
            Ok(head) if json => say(format_args!(
                r#"{{"seq":{},"ts_ns":{},"position":"{}","state_hash":"{}","bytes":{bytes},"path":{}}}"#,
                head.bookmark.seq,
                head.bookmark.ts_ns,
                head.bookmark.position,
                to_hex(&head.state_hash),
                quoted(&path)
            )),
            Ok(head) => say(format_args!(
                "seq {:>12}  {bytes:>12} bytes  digest {}  {}",
                head.bookmark.seq,
                &to_hex(&head.state_hash)[..16],
                path.display()
            )),
            Err(fault) => {
                damaged += 1;
                refused(&path, &fault.to_string(), json);
            }
        }
    }
    damage(damaged)
}

fn judged(paths: &[PathBuf], identity: Option<&journal::Identity>, json: bool) -> Result<(), Failure> {
    let mut damaged = 0;
    for path in paths {
        let Seen { path, verdict } = verify::file(path, identity);
        match verdict {
            Ok(Verified { reference, bytes }) if json => say(format_args!(
                r#"{{"seq":{},"good":true,"state_hash":"{}","file_hash":"{}","bytes":{bytes},"path":{}}}"#,
                reference.seq(),
                to_hex(reference.state_hash()),
                to_hex(reference.file_hash()),
                quoted(&path)
            )),
            Ok(Verified { reference, bytes }) => say(format_args!(
                "good      seq {}, {bytes} bytes, digest {}: {}",
                reference.seq(),
                to_hex(reference.state_hash()),
                path.display()
            )),
            Err(why) => {
                damaged += 1;
                refused(&path, &why, json);
            }
        }
    }
    damage(damaged)
}

fn refused(path: &Path, why: &str, json: bool) {
    if json {
        say(format_args!(r#"{{"good":false,"why":{why:?},"path":{}}}"#, quoted(path)));
    } else {
        say(format_args!("damaged   {}: {why}", path.display()));
    }
}

fn damage(files: usize) -> Result<(), Failure> {
    match files {
        0 => Ok(()),
        1 => Err(Failure::new(EXIT_DAMAGED, "a snapshot is damaged; a start falls back to an older one")),
        _ => Err(Failure::new(EXIT_DAMAGED, format!("{files} snapshots are damaged"))),
    }
}

/// A path as JSON takes it.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
