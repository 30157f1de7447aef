//! A follower beside a living writer: across rotations, never beyond the durable watermark, and through a restart.

mod support;

use engine::units::Side;
use settlement_bridge::cli::{Follow, follow};
use settlement_bridge::follower::Follower;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use support::{BTC, MAKER, TAKER, Venue, append, create};

/// Polls until nothing more is durable.
fn drain(follower: &mut Follower) -> u64 {
    while follower.poll().expect("it verifies") > 0 {}
    follower.last_seq()
}

fn segments(directory: &Path) -> usize {
    let names =
        std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".seg")).count()
}

#[test]
fn it_follows_across_rotations_up_to_what_is_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = create(directory.path());
    let mut follower = Follower::open(directory.path(), None).expect("an empty journal");
    assert_eq!(drain(&mut follower), 0);

    let mut venue = Venue::open();
    let mut appended = 0;
    for round in 0..400 {
        let ticks = 1000 + round % 7;
        venue.order(MAKER, BTC, Side::Sell, ticks, 3);
        venue.order(TAKER, BTC, Side::Buy, ticks, 3);
        if round % 50 == 0 {
            venue.mark();
        }
        append(&mut writer, &venue.records[appended..]);
        appended = venue.records.len();
        assert!(drain(&mut follower) <= follower.durable_seq(), "written is not durable");
        writer.sync().expect("synced");
        assert_eq!(drain(&mut follower), venue.engine.last_seq());
        follower.compare().expect("the ledger agrees");
    }
    assert!(segments(directory.path()) > 3, "several segments were filled");
    follower.finish().expect("nothing is owed");
    assert_eq!(follower.verifier().replay().engine().digest(), venue.engine.digest());
    assert_eq!(follower.verifier().checked().marks, 8);
}

#[test]
fn what_is_only_written_is_not_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = create(directory.path());
    let venue = Venue::open();
    append(&mut writer, &venue.records);
    let mut follower = Follower::open(directory.path(), None).expect("a journal");
    assert_eq!(drain(&mut follower), 0);
    writer.sync().expect("synced");
    assert_eq!(drain(&mut follower), venue.engine.last_seq());
}

#[test]
fn it_goes_on_when_the_writer_was_closed_and_opened_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = create(directory.path());
    let mut venue = Venue::open();
    append(&mut writer, &venue.records);
    let mut follower = Follower::open(directory.path(), None).expect("a journal");
    writer.close().expect("closed");
    assert_eq!(drain(&mut follower), venue.engine.last_seq());

    let before = venue.records.len();
    venue.trade();
    let (mut writer, _) =
        journal::Writer::open(directory.path(), None, &support::OPTIONS, &mut |_| Ok(())).expect("opened");
    append(&mut writer, &venue.records[before..]);
    writer.sync().expect("synced");
    assert_eq!(drain(&mut follower), venue.engine.last_seq());
    follower.finish().expect("whole");
}

fn stated_once(directory: &Path) -> Follow {
    Follow {
        directory: directory.to_owned(),
        until_seq: None,
        exit_at_end: false,
        json: true,
        quiet: true,
        interval_ms: 0,
        wait: false,
        end_with_stdin: false,
        state: None,
        name: journal::CursorName::new("bridge").expect("legal"),
    }
}

#[test]
fn positions_are_stated_when_they_changed_and_not_otherwise() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut venue = Venue::open();
    venue.trade();
    support::write_journal(directory.path(), &venue.records);
    for (quiet, lines) in [(false, 2), (true, 1)] {
        let options = Follow { exit_at_end: true, quiet, ..stated_once(directory.path()) };
        let (mut output, mut notes) = (Vec::new(), Vec::new());
        follow(&options, &AtomicBool::new(false), &mut output, &mut notes).expect("it verifies");
        assert_eq!(output.split(|byte| *byte == b'\n').count() - 1, lines);
        let notes = String::from_utf8(notes).expect("text");
        assert!(notes.contains("and 2 marks up to seq") && notes.contains("the ledger agrees"), "{notes}");
    }
}

/// The first poll ends after 4096 records, here between a command and its events.
#[test]
fn asked_to_stop_while_catching_up_it_reads_on_to_what_is_durable() {
    const RECORDS_PER_POLL: usize = 4096;
    let directory = tempfile::tempdir().expect("a directory");
    let mut venue = Venue::open();
    if venue.records.len().is_multiple_of(2) {
        venue.mark();
    }
    while venue.records.len() < 3 * RECORDS_PER_POLL {
        venue.deposit(MAKER, 1);
    }
    assert_eq!(venue.records[RECORDS_PER_POLL].kind, journal::Kind::Event);
    support::write_journal(directory.path(), &venue.records);
    let options = stated_once(directory.path());
    let mut output = Vec::new();
    follow(&options, &AtomicBool::new(true), &mut output, &mut Vec::new()).expect("a healthy journal");
    let last_seq = venue.engine.last_seq();
    let line = String::from_utf8(output).expect("text");
    assert!(line.starts_with(&format!("{{\"seq\":{last_seq},\"durable\":{last_seq},")), "{line}");
    assert!(line.contains("\"last\":true"), "{line}");
}
