//! Whoever watches the lives of a journal from outside: keeps what each was heard to promise, and holds the next one to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use journal::BackEnd;

/// What was promised on one directory, over all lives.
#[derive(Default, Debug)]
pub struct Told {
    /// The last seq that anybody began to write.
    begun: u64,
    durable: u64,
    cursor: u64,
    snapshot: u64,
    /// Lives that recovered, and those of them that found something beyond what was promised.
    pub recovered: u64,
    pub advanced: u64,
    pub promises: u64,
}

impl Told {
    /// Takes in one line of a life, and what it says against all that was said before. `place` reproduces it.
    fn hear(&mut self, line: &str, place: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let numbers: Vec<u64> = rest.split(' ').map_while(|word| word.parse().ok()).collect();
        match (word, &numbers[..]) {
            ("begun", [seq]) => self.begun = *seq,
            ("durable", [seq]) => self.promised(|told| &mut told.durable, *seq),
            ("cursor", [seq]) => self.promised(|told| &mut told.cursor, *seq),
            ("snapshot", [seq]) => self.promised(|told| &mut told.snapshot, *seq),
            ("recovered", [seq, cursor, snapshot]) => {
                let kept = *seq >= self.durable && *cursor >= self.cursor && *snapshot >= self.snapshot;
                assert!(kept && *seq <= self.begun, "{place}: {line}, after {self:?}");
                self.recovered += 1;
                self.advanced += u64::from(*seq > self.durable);
                // What a recovery builds on is durable, and what it found of the rest may be gone for good.
                (self.begun, self.durable) = (*seq, *seq);
                (self.cursor, self.snapshot) = (*cursor, *snapshot);
            }
            _ => panic!("{place}: {line}"),
        }
    }

    fn promised(&mut self, which: impl Fn(&mut Told) -> &mut u64, seq: u64) {
        assert!(seq >= *which(self), "what is promised never goes back");
        *which(self) = seq;
        self.promises += 1;
    }

    /// Adds the counts of another directory.
    pub fn add(&mut self, other: &Told) {
        self.recovered += other.recovered;
        self.advanced += other.advanced;
        self.promises += other.promises;
    }
}

/// A life in a process of its own. Dropped, it is killed.
pub struct Life {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Its last word, if it was one of failure.
    failed: Option<String>,
}

impl Life {
    pub fn begin(directory: &Path, back_end: BackEnd, seed: u64) -> Life {
        let this = std::env::current_exe().expect("a program has a path");
        let mut child = Command::new(this)
            .arg("life")
            .arg(directory)
            .args([back_end.name(), &seed.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a process");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Life { child, output, failed: None }
    }

    /// Hears one line; false when there is none any more.
    pub fn hear(&mut self, told: &mut Told, place: &str) -> bool {
        let mut line = String::new();
        let bytes = self.output.read_line(&mut line).expect("the pipe is ours");
        // The last line of a process that was killed may be cut short.
        let Some(line) = line.strip_suffix('\n') else { return bytes > 0 };
        match line.strip_prefix("failed ") {
            Some(failed) => self.failed = Some(failed.to_owned()),
            None => told.hear(line, place),
        }
        true
    }

    /// Hears everything up to its end. Returns why it failed, if it did: in words, or as its exit status.
    pub fn end(mut self, told: &mut Told, place: &str) -> Option<String> {
        while self.hear(told, place) {}
        let status = self.child.wait().expect("it is ours");
        self.failed.take().or_else(|| (!status.success()).then(|| status.to_string()))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
