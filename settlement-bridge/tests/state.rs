//! What a bridge keeps: it goes on exactly where it was, its cursor is never ahead of its own state, and a state that is
//! damaged, foreign or somebody else's is refused.

mod support;

use std::fs;
use std::path::Path;

use engine::units::Side;
use journal::{CursorName, Lock, load_cursor};
use settlement_bridge::follower::Follower;
use settlement_bridge::ledger::Ledger;
use settlement_bridge::state::{Home, StateFault};
use settlement_bridge::stop::Stop;
use support::{BTC, MAKER, TAKER, Venue, append, create};

fn name() -> CursorName {
    CursorName::new("bridge").expect("legal")
}

fn home(directory: &Path) -> Option<Home> {
    Some(Home::open(directory, name()).expect("nobody else has it"))
}

fn drain(follower: &mut Follower) -> u64 {
    while follower.poll().expect("it verifies") > 0 {}
    follower.last_seq()
}

fn trade(venue: &mut Venue, rounds: i64) {
    for round in 0..rounds {
        venue.order(MAKER, BTC, Side::Sell, 1000 + round % 7, 3);
        venue.order(TAKER, BTC, Side::Buy, 1000 + round % 7, 3);
    }
}

fn cursor_seq(journal: &Path) -> u64 {
    let identity = journal::load_identity(journal).expect("a journal");
    let cursor = load_cursor(journal, &identity.journal_id, &name()).expect("read").expect("registered");
    cursor.bookmark.expect("whole").seq
}

#[test]
fn it_goes_on_exactly_where_it_was_kept() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (journal, state) = (scratch.path().join("journal"), scratch.path().join("state"));
    let mut writer = create(&journal);
    let mut venue = Venue::open();
    let mut appended = 0;
    for _ in 0..5 {
        trade(&mut venue, 30);
        venue.mark();
        append(&mut writer, &venue.records[appended..]);
        appended = venue.records.len();
        writer.sync().expect("synced");
        let before = home(&state)
            .map_or(0, |_| fs::metadata(state.join("bridge.state")).map_or(0, |_| cursor_seq(&journal)));
        let mut follower = Follower::open_with(&journal, None, home(&state)).expect("it goes on");
        assert_eq!(follower.last_seq(), before);
        assert_eq!(cursor_seq(&journal), before, "registered before anything is read");
        assert_eq!(drain(&mut follower), venue.engine.last_seq());
        assert_eq!(follower.verifier().checked().commands, venue.engine.last_seq() - before);
        assert_eq!(cursor_seq(&journal), before, "the cursor waits for the state");
        follower.keep().expect("kept");
        assert_eq!(cursor_seq(&journal), venue.engine.last_seq());
        let mut whole = Follower::open(&journal, None).expect("from the start");
        drain(&mut whole);
        assert_eq!(whole.verifier().ledger().snapshot(), follower.verifier().ledger().snapshot());
    }
    // One that dies before it kept anything verifies the same again.
    trade(&mut venue, 5);
    append(&mut writer, &venue.records[appended..]);
    writer.sync().expect("synced");
    let kept = cursor_seq(&journal);
    let mut follower = Follower::open_with(&journal, None, home(&state)).expect("it goes on");
    drain(&mut follower);
    drop(follower);
    let follower = Follower::open_with(&journal, None, home(&state)).expect("it goes on");
    assert_eq!((follower.last_seq(), cursor_seq(&journal)), (kept, kept));
}

#[test]
fn a_journal_without_its_beginning_is_followed_only_from_a_state() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (journal, state) = (scratch.path().join("journal"), scratch.path().join("state"));
    let mut writer = create(&journal);
    let mut venue = Venue::open();
    let mut appended = 0;
    for _ in 0..400 {
        trade(&mut venue, 1);
        append(&mut writer, &venue.records[appended..]);
        appended = venue.records.len();
    }
    writer.sync().expect("synced");
    let mut follower = Follower::open_with(&journal, None, home(&state)).expect("from the start");
    drain(&mut follower);
    follower.keep().expect("kept");
    drop(follower);
    let identity = journal::load_identity(&journal).expect("a journal");
    assert!(journal::remove_segments_below(&journal, &identity, 2).expect("removed") > 0);
    let refused = Follower::open(&journal, None).err().expect("its first commands are gone");
    assert!(matches!(refused, Stop::BeginsLater { .. }), "{refused}");
    assert_eq!(refused.exit_code(), 4);
    trade(&mut venue, 3);
    append(&mut writer, &venue.records[appended..]);
    writer.sync().expect("synced");
    let mut follower = Follower::open_with(&journal, None, home(&state)).expect("from its state");
    assert_eq!(drain(&mut follower), venue.engine.last_seq());
    follower.finish().expect("the ledger agrees");
}

#[test]
fn a_state_that_is_damaged_foreign_or_in_use_is_refused() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (journal, state) = (scratch.path().join("journal"), scratch.path().join("state"));
    let mut writer = create(&journal);
    let mut venue = Venue::open();
    trade(&mut venue, 3);
    append(&mut writer, &venue.records);
    writer.sync().expect("synced");
    let mut follower = Follower::open_with(&journal, None, home(&state)).expect("from the start");
    drain(&mut follower);
    follower.keep().expect("kept");
    assert!(matches!(Home::open(&state, name()), Err(StateFault::Locked(_))));
    drop(follower);
    let _ = Lock::take(&state).expect("it was given back");
    let file = state.join("bridge.state");
    let good = fs::read(&file).expect("kept");
    for at in (0..good.len()).step_by(53) {
        let mut bytes = good.clone();
        bytes[at] ^= 8;
        fs::write(&file, bytes).expect("written");
        let refused = Follower::open_with(&journal, None, home(&state)).err().expect("refused");
        assert!(matches!(refused, Stop::State { fault: StateFault::Damaged(_), .. }), "byte {at}: {refused}");
        assert_eq!(refused.exit_code(), 3);
    }
    fs::write(&file, &good).expect("written");
    let ledger = {
        let follower = Follower::open_with(&journal, None, home(&state)).expect("good again");
        follower.verifier().ledger().snapshot()
    };
    assert!(Ledger::restore(&ledger).is_some());
    for cut in 0..ledger.len() {
        assert!(Ledger::restore(&ledger[..cut]).is_none(), "{cut} bytes");
    }
}
