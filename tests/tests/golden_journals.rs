//! Journals of every released version replay to their recorded digests for ever, and a writer of today goes on in them.

use std::fs;
use std::path::{Path, PathBuf};

use engine::replay::Replay;
use gateway::config::to_hex;
use journal::{BackEnd, Ending, Kind, Options, Record, Writer};

fn golden() -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/journals");
    let entries = fs::read_dir(home).expect("the directory is there").flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// The seq and the digest at the end, as they were recorded.
fn recorded(journal: &Path) -> (u64, String) {
    let text = fs::read_to_string(journal.join("digest")).expect("each has its digest");
    let (seq, digest) = text.trim().split_once(' ').expect("two words");
    (seq.parse().expect("a number"), digest.to_owned())
}

fn hear(replay: &mut Replay, record: &Record<'_>) -> Result<(), String> {
    match record.kind {
        Kind::Command => replay.command(record.seq, record.ts_ns, record.payload),
        Kind::Event => replay.event(record.seq, record.sub, record.payload),
        Kind::Mark => replay.mark(record.seq, record.payload),
        Kind::Logic => replay.logic(record.seq, record.payload),
        _ => Ok(()),
    }
    .map_err(|difference| difference.to_string())
}

#[test]
fn every_version_replays_to_its_digest() {
    let journals = golden();
    assert!(journals.iter().any(|path| path.ends_with("v1")), "{journals:?}");
    for journal in journals {
        let mut replay = Replay::new();
        let survey = journal::survey(&journal, None, &mut |record| hear(&mut replay, record));
        let survey = survey.unwrap_or_else(|error| panic!("{}: {error}", journal.display()));
        replay.finish().expect("the last command is whole");
        assert_eq!(survey.ending, Ending::Sealed, "{}", journal.display());
        let found = (replay.engine().last_seq(), to_hex(&replay.engine().digest()));
        assert_eq!(found, recorded(&journal), "{}", journal.display());
        assert!(replay.checked().events > 300, "{:?}", replay.checked());
    }
}

#[test]
fn a_writer_of_today_goes_on_in_each() {
    for journal in golden() {
        let copy = tempfile::tempdir().expect("there is room");
        for entry in fs::read_dir(&journal).expect("it is there").flatten() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("there is room");
        }
        let mut replay = Replay::new();
        let options = Options { segment_bytes: 64 << 10, group_alignment: 512, back_end: BackEnd::Written };
        let opened = Writer::open(copy.path(), None, &options, &mut |record| hear(&mut replay, record));
        let (writer, recovery) = opened.unwrap_or_else(|error| panic!("{}: {error}", journal.display()));
        assert_eq!((recovery.last_seq, recovery.discarded.is_some()), (recorded(&journal).0, false));
        writer.close().expect("it is durable");
    }
}
