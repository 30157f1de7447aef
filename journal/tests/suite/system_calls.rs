//! The order in which a journal calls the kernel, as strace saw it, through a creation, rotations, a cursor, a snapshot, a
//! pruning and the recovery of a torn tail. No file keeps what was not synced, and every rule here is one that a power cut
//! would show, one time in many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use journal::{BackEnd, CursorName, Limit, Reader, SnapshotHead, Writer};

use crate::BACK_END;
use crate::support::{DENSE, append_command, identity, reopen, scratch, segment};

pub const DIRECTORY: &str = "JOURNAL_TEST_LIFE";
/// Commands in a group.
pub const PER_GROUP: &str = "JOURNAL_TEST_PER_GROUP";
const SEGMENT_BYTES: u64 = 64 << 10;

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("the parent reads");
}

/// Whether there is strace: where there is none, a failure in CI and a word elsewhere.
pub fn has_strace(what: &str) -> bool {
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    let has = strace.is_ok_and(|status| status.success());
    assert!(has || std::env::var_os("CI").is_none(), "strace is not installed");
    if !has {
        println!("{what}: SKIPPED, strace is not installed");
    }
    has
}

/// Child half of the test below, and of those in `kills`.
#[test]
fn life() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let mut writer = Writer::create(directory, &identity(), &DENSE).expect("created");
    let per_group: u64 = std::env::var(PER_GROUP).map_or(1, |text| text.parse().expect("a number"));
    for seq in 1..=300 {
        append_command(&mut writer, seq);
        if seq % per_group == 0 {
            writer.close_group().expect("closed");
            say(&format!("durable {}\n", writer.sync().expect("synced")));
        }
    }
    let mut reader = Reader::open(directory).expect("opened");
    while reader.poll(Limit::Durable, 1_000, &mut |_| Ok(())).expect("read") > 0 {}
    let bookmark = reader.bookmark().expect("a whole group was handed out");
    let name = CursorName::new("bridge").expect("legal");
    journal::store_cursor(directory, identity().journal_id, &name, &bookmark).expect("stored");
    fs::create_dir_all(journal::snapshots_directory(directory)).expect("made");
    let making = journal::snapshots_directory(directory).join("new.tmp");
    let head = SnapshotHead {
        journal_id: identity().journal_id,
        shard: identity().shard,
        logic_version: identity().logic_version,
        bookmark,
        state_hash: [1; 32],
    };
    journal::write_snapshot(&making, &head, &[("engine", b"state")]).expect("written");
    journal::install_snapshot(directory, &making, bookmark.seq).expect("in place");
    append_command(&mut writer, 301);
    writer.close_group().expect("closed");
    let end = writer.watermarks().written_position();
    drop(writer);
    // What a power cut may leave of a group that was never synced.
    let file = fs::OpenOptions::new().write(true).open(segment(directory, end.segment())).expect("opened");
    file.write_all_at(&[7; 300], end.offset()).expect("torn");
    drop(file);
    let (mut writer, recovery) = reopen(directory, &DENSE).expect("recovered");
    assert!(recovery.discarded.is_some(), "there was something to cut");
    say(&format!("durable {}\n", recovery.last_seq));
    append_command(&mut writer, 302);
    writer.close_group().expect("closed");
    say(&format!("durable {}\n", writer.sync().expect("synced")));
    writer.close().expect("closed");
    journal::remove_segments_below(directory, &identity(), 2).expect("pruned");
}

/// What is known of a file that was written to.
#[derive(Default, Debug)]
struct Seen {
    is_dirty: bool,
    reserved: u64,
    written: u64,
    is_advised: bool,
}

#[derive(Default)]
struct Rules {
    directory: String,
    files: BTreeMap<String, Seen>,
    /// By thread: directories in which a name has changed and that were not synced since.
    unsynced: BTreeMap<u32, BTreeSet<String>>,
    /// Names of the calls that were judged.
    calls: BTreeMap<String, u64>,
    durable: u64,
    broken: Vec<String>,
}

/// `name(arguments) = result`, with the paths that strace wrote behind descriptors.
struct Call<'a> {
    thread: u32,
    name: &'a str,
    arguments: &'a str,
}

impl Call<'_> {
    /// The path of the first argument, a descriptor.
    fn path(&self) -> &str {
        let start = self.arguments.find('<').map_or(0, |at| at + 1);
        let end = self.arguments[start..].find('>').map_or(start, |at| start + at);
        &self.arguments[start..end]
    }

    fn bytes(&self) -> u64 {
        match self.name {
            "pwrite64" => self.number(1),
            "write" => self.number(0),
            _ => self.arguments.split("iov_len=").nth(1).map_or(0, |text| {
                let digits = text.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or("");
                digits.parse().unwrap_or(0)
            }),
        }
    }

    /// The texts in quotes.
    fn quoted(&self) -> Vec<&str> {
        self.arguments.split('"').skip(1).step_by(2).collect()
    }

    fn number(&self, index: usize) -> u64 {
        let part = self.arguments.rsplit(", ").nth(index).unwrap_or("0");
        part.trim().parse().unwrap_or(0)
    }
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned()
}

impl Rules {
    fn judge(&mut self, call: &Call<'_>) {
        *self.calls.entry(call.name.to_owned()).or_default() += 1;
        match call.name {
            "pwrite64" | "pwritev2" | "write" => self.written(call),
            "fsync" | "fdatasync" => self.synced(call),
            "rename" | "renameat" | "renameat2" => self.renamed(call),
            "ftruncate" | "truncate" => self.broken(format!("a file was shortened: {}", call.arguments)),
            "fallocate" => self.seen(call.path()).reserved = call.number(0),
            "fadvise64" => {
                let seen = self.seen(call.path());
                seen.is_advised = !seen.is_dirty && call.arguments.contains("DONTNEED");
            }
            _ => {}
        }
    }

    fn broken(&mut self, what: String) {
        self.broken.push(what);
    }

    fn seen(&mut self, path: &str) -> &mut Seen {
        self.files.entry(path.to_owned()).or_default()
    }

    fn written(&mut self, call: &Call<'_>) {
        let path = call.path().to_owned();
        if call.name == "write" && !path.starts_with(&self.directory) {
            return self.told(call);
        }
        self.names_are_synced(call, &path);
        let in_place = path.ends_with(".tmp") || path.contains("/torn/");
        if path.ends_with(".seg") {
            for (other, seen) in &self.files {
                // What is behind a seal, and what is cut, must be safe before anything is built on it.
                let is_another_segment = other.ends_with(".seg") && *other != path;
                if seen.is_dirty && (is_another_segment || other.contains("/torn/")) {
                    self.broken.push(format!("{path} was written while {other} was not synced"));
                }
            }
        } else if !in_place && !path.ends_with("/durable.mark") && !path.ends_with("/journal.base") {
            self.broken(format!("{path} was written under its name"));
        }
        let bytes = call.bytes();
        let seen = self.seen(&path);
        // Such a write is on the device when it returns.
        let is_through = call.arguments.contains("RWF_DSYNC");
        (seen.is_dirty, seen.is_advised) = (!is_through, false);
        seen.written += bytes;
    }

    /// The child said on its standard output that a seq is durable.
    fn told(&mut self, call: &Call<'_>) {
        if !call.quoted().first().is_some_and(|text| text.starts_with("durable")) {
            return;
        }
        self.durable += 1;
        let dirty = self.files.iter().find(|(path, seen)| path.ends_with(".seg") && seen.is_dirty);
        if let Some((path, _)) = dirty {
            self.broken.push(format!("{} was said while {path} was not synced", call.arguments));
        }
        self.names_are_synced(call, "the answer");
    }

    fn names_are_synced(&mut self, call: &Call<'_>, before: &str) {
        if let Some(left) = self.unsynced.get(&call.thread).filter(|left| !left.is_empty()) {
            self.broken.push(format!("a name in {left:?} was not synced before {before}"));
        }
    }

    fn synced(&mut self, call: &Call<'_>) {
        let path = call.path().to_owned();
        self.seen(&path).is_dirty = false;
        for left in self.unsynced.values_mut() {
            left.remove(&path);
        }
    }

    fn renamed(&mut self, call: &Call<'_>) {
        let quoted = call.quoted();
        let (from, to) = (quoted[0].to_owned(), quoted[1].to_owned());
        self.names_are_synced(call, &to);
        let seen = self.files.remove(&from).unwrap_or_default();
        if seen.is_dirty || seen.written == 0 {
            self.broken(format!("{to} got its name before its contents were synced: {seen:?}"));
        }
        let is_made_whole =
            seen.reserved == SEGMENT_BYTES && seen.written >= SEGMENT_BYTES && seen.is_advised;
        if to.ends_with(".seg") && !is_made_whole {
            self.broken(format!("{to} is not reserved, filled and out of the cache: {seen:?}"));
        }
        self.unsynced.entry(call.thread).or_default().insert(parent(&to));
    }
}

/// A line of `strace -f`; a call that another thread interrupted counts where it ends.
fn calls(trace: &str, mut judge: impl FnMut(&Call<'_>)) {
    let mut begun: BTreeMap<u32, String> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Ok(thread) = thread.parse() else { continue };
        let rest = rest.trim_start();
        let whole = if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start.to_owned());
            continue;
        } else if rest.starts_with("<...") {
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            format!("{}{end}", begun.remove(&thread).unwrap_or_default())
        } else {
            rest.to_owned()
        };
        let Some((call, result)) = whole.rsplit_once(" = ") else { continue };
        let Some((name, arguments)) = call.trim_end().split_once('(') else { continue };
        if !result.starts_with('-') {
            judge(&Call { thread, name, arguments: arguments.trim_end_matches(')') });
        }
    }
}

#[test]
fn nothing_is_built_on_what_was_not_synced() {
    let home = scratch();
    let (directory, trace) = (home.path().join("journal"), home.path().join("trace"));
    if !has_strace("J2 order of system calls") {
        return;
    }
    let traced = "trace=pwrite64,pwritev2,write,fsync,fdatasync,rename,renameat,renameat2,ftruncate,truncate,fallocate,fadvise64";
    let done = Command::new("strace")
        .args(["-f", "-y", "-s", "32", "-e", traced, "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", "suite::system_calls::life", "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, &directory)
        .output()
        .expect("strace runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut rules = Rules {
        directory: directory.to_str().expect("temporary paths are text").to_owned(),
        ..Rules::default()
    };
    calls(&fs::read_to_string(&trace).expect("strace wrote it"), |call| rules.judge(call));
    assert!(rules.broken.is_empty(), "{:#?}", rules.broken);
    assert_eq!(rules.durable, 302, "every word of the child was seen");
    let fdatasyncs = if BACK_END == BackEnd::Direct { 0 } else { 301 };
    let least_of =
        [("rename", 8), ("fallocate", 4), ("fdatasync", fdatasyncs), ("fsync", 8), ("fadvise64", 4)];
    for (name, least) in least_of {
        let found = rules.calls.get(name).copied().unwrap_or(0);
        assert!(found >= least, "{found} calls of {name}");
    }
    println!("J2 order of system calls over {BACK_END}: {:?}, each in its place, 0 failures", rules.calls);
}
