//! A file that loses its blocks under a mapping: the process says where, keeps it, and ends with its own exit code.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use journal::{BackEnd, Identity, Kind, Limit, Options, Reader, Record, Writer, bus};

const EXIT_CODE: u8 = 77;
const DIRECTORY: &str = "JOURNAL_TEST_BUS";

fn identity() -> Identity {
    Identity { journal_id: *b"a test's journal", shard: 3, config_hash: [7; 32], logic_version: 1 }
}

fn writer(directory: &Path) -> Writer {
    let options = Options { segment_bytes: 64 << 10, group_alignment: 512, back_end: BackEnd::Mapped };
    Writer::create(directory, &identity(), &options).expect("created")
}

fn append(writer: &mut Writer, seq: u64) {
    let record = Record { seq, ts_ns: seq, kind: Kind::Command, version: 1, flags: 0, sub: 0, payload: b"x" };
    writer.append(&record).expect("appended");
    assert_eq!(writer.close_group().expect("closed"), seq);
}

/// The file that a handler writes into, and segment 1 of the journal beside it.
fn arm(directory: &Path) -> File {
    bus::end_with(EXIT_CODE, Some(File::create(directory.join("note")).expect("made"))).expect("installed");
    let segment = directory.join("journal/00000000000000000001.seg");
    fs::OpenOptions::new().write(true).open(segment).expect("segment 1")
}

/// What the child of a test does, if this is the child.
fn as_child(what: fn(&Path)) {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        what(directory.as_ref());
    }
}

#[test]
fn writer_child() {
    as_child(|directory| {
        let mut writer = writer(&directory.join("journal"));
        let segment = arm(directory);
        append(&mut writer, 1);
        segment.set_len(4096).expect("truncated under the map");
        append(&mut writer, 2);
    });
}

#[test]
fn reader_child() {
    as_child(|directory| {
        let mut writer = writer(&directory.join("journal"));
        append(&mut writer, 1);
        writer.sync().expect("synced");
        let mut reader = Reader::open(&directory.join("journal")).expect("opened");
        let segment = arm(directory);
        segment.set_len(4096).expect("truncated under the map");
        let read = reader.poll(Limit::Durable, 10, &mut |_| Ok(()));
        panic!("the file is gone, and yet {read:?}");
    });
}

fn run_child(name: &str, directory: &Path) -> Output {
    let test = std::env::current_exe().expect("this binary");
    let mut child = Command::new(test);
    child.args(["--exact", name, "--nocapture"]).env(DIRECTORY, directory).output().expect("a second process")
}

#[test]
fn a_fault_under_a_mapping_is_told_kept_and_the_end() {
    for (child, offset) in [("writer_child", 4608), ("reader_child", 4096)] {
        let directory = tempfile::tempdir().expect("a directory");
        let output = run_child(child, directory.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(EXIT_CODE.into()), "{child}: {said}");
        let line = format!(
            "SIGBUS: the disk failed under a mapped file: segment=1 offset={offset}; the process ends\n"
        );
        assert!(said.contains(&line), "{child}: {said}");
        assert_eq!(fs::read_to_string(directory.path().join("note")).expect("kept"), line, "{child}");
    }
}

#[test]
fn nothing_has_struck_a_healthy_process() {
    assert!(!bus::has_struck());
}
