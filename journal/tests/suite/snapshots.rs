//! Snapshot files, bookmarks, cursors, and a journal whose beginning is gone.

use std::fs;
use std::path::Path;

use journal::{
    Bookmark, CursorName, FloorOrigin, Limit, OpenError, ReadError, Reader, Snapshot, SnapshotFault,
    SnapshotHead, Writer, Written,
};

use crate::support::{DENSE, Oracle, files, identity, put, records_of, scratch, segment, survey, write};

const LAST: u64 = 400;

/// A closed journal of several segments.
fn made(directory: &Path) {
    let mut writer = Writer::create(directory, &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=LAST, 3, |_| true);
    writer.close().expect("closed");
}

/// Every place between two groups, seals included, as a reader comes by.
fn bookmarks(directory: &Path) -> Vec<Bookmark> {
    let mut reader = Reader::open(directory).expect("opened");
    let mut found = vec![reader.bookmark().expect("at the start")];
    let mut oracle = Oracle::default();
    while reader.poll_group(Limit::Durable, u64::MAX, &mut |record| oracle.check(record)).expect("read") {
        found.push(reader.bookmark().expect("a group was handed out"));
    }
    found
}

fn records_between(first: u64, last: u64) -> u64 {
    (first..=last).map(|seq| records_of(seq).len() as u64).sum()
}

fn head(bookmark: Bookmark) -> SnapshotHead {
    let identity = identity();
    SnapshotHead {
        journal_id: identity.journal_id,
        shard: identity.shard,
        logic_version: identity.logic_version,
        bookmark,
        state_hash: [9; 32],
    }
}

fn put_snapshot(directory: &Path, bookmark: Bookmark) {
    fs::create_dir_all(journal::snapshots_directory(directory)).expect("made");
    let path = journal::snapshot_path(directory, bookmark.seq);
    journal::write_snapshot(&path, &head(bookmark), &[("state", b"abc")]).expect("written");
}

#[test]
fn a_reader_and_a_writer_start_behind_any_group_and_see_exactly_the_rest() {
    let directory = scratch();
    made(directory.path());
    let mut marks = bookmarks(directory.path());
    marks.push(journal::beginning(directory.path(), &identity()).expect("it has one"));
    assert!(
        marks.iter().max_by_key(|mark| mark.position).expect("there are some").position.segment() >= 3,
        "several segments"
    );
    let kept = files(directory.path());
    for bookmark in &marks {
        let mut reader = Reader::open_at(directory.path(), bookmark).expect("opened");
        let mut oracle = Oracle::behind(bookmark.seq);
        while reader.poll(Limit::Durable, 7, &mut |record| oracle.check(record)).expect("read") > 0 {}
        assert_eq!(oracle.records, records_between(bookmark.seq + 1, LAST));
        let copy = scratch();
        put(copy.path(), &kept);
        let mut oracle = Oracle::behind(bookmark.seq);
        let hear = &mut |record: &journal::Record<'_>| oracle.check(record);
        let disk = Box::new(Written::default());
        let (writer, recovery) =
            Writer::open_from(copy.path(), None, Some(bookmark), &DENSE, hear, disk).expect("recovered");
        assert_eq!((recovery.last_seq, oracle.whole_seq()), (LAST, LAST));
        assert_eq!(recovery.records, records_between(bookmark.seq + 1, LAST));
        let mut writer = writer;
        write(&mut writer, LAST + 1..=LAST + 5, 2, |_| true);
        drop(writer);
        assert_eq!(survey(copy.path()).expect("whole from the start as well").last_seq, LAST + 5);
    }
}

#[test]
fn a_bookmark_of_another_history_is_refused() {
    let directory = scratch();
    made(directory.path());
    let kept = files(directory.path());
    let good = bookmarks(directory.path())[20];
    let place = |position| Bookmark { position, ..good };
    let marks = bookmarks(directory.path());
    let beyond = marks.last().expect("there are some").position;
    for wrong in [
        Bookmark { chain: [1; 32], ..good },
        Bookmark { seq: good.seq - 1, ..good },
        Bookmark { seq: good.seq + 1, ..good },
        Bookmark { ts_ns: good.ts_ns + 1, ..good },
        place(marks[19].position),
        place(marks[21].position),
        place(beyond),
    ] {
        let read = Reader::open_at(directory.path(), &wrong).err().expect("refused");
        assert!(matches!(read, ReadError::BookmarkRefused { .. }), "{read}");
        let mut heard = 0;
        let opened = journal::survey_from(directory.path(), None, Some(&wrong), &mut |_| {
            heard += 1;
            Ok(())
        });
        assert!(matches!(opened, Err(OpenError::BookmarkRefused { .. })), "{opened:?}");
        assert_eq!(heard, 0, "nothing is handed out behind a place that is not there");
    }
    assert_eq!(files(directory.path()), kept, "a refusal modifies nothing");
}

#[test]
fn every_byte_of_a_snapshot_is_covered() {
    let directory = scratch();
    let path = directory.path().join("x.snap");
    let bookmark = Bookmark {
        position: bookmarks_of_one(directory.path()).position,
        seq: 7,
        ts_ns: 70,
        epoch: 1,
        chain: [4; 32],
    };
    let sections: [(&str, &[u8]); 3] = [("engine", &[1; 1000]), ("empty", &[]), ("outbox", &[2; 77])];
    let hash = journal::write_snapshot(&path, &head(bookmark), &sections).expect("written");
    let good = fs::read(&path).expect("there");
    let loaded = Snapshot::load(&path).expect("whole");
    assert_eq!((loaded.head, loaded.file_hash), (head(bookmark), hash));
    for (name, bytes) in sections {
        assert_eq!(loaded.section(name), Some(bytes), "{name}");
    }
    assert_eq!(loaded.section("other"), None);
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).expect("written");
        assert!(Snapshot::load(&path).is_err(), "byte {at}");
        assert_eq!(SnapshotHead::load(&path).is_err(), at < 4096, "byte {at}");
    }
    for bytes in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        fs::write(&path, &good[..bytes]).expect("written");
        assert!(Snapshot::load(&path).is_err(), "{bytes} bytes");
    }
    fs::write(&path, [&good[..], &[0]].concat()).expect("written");
    assert!(Snapshot::load(&path).is_err(), "one byte more");
    let mut other = identity();
    other.shard += 1;
    assert!(matches!(head(bookmark).check_belongs(&other), Err(SnapshotFault::Foreign("shard"))));
}

fn bookmarks_of_one(directory: &Path) -> Bookmark {
    let inside = directory.join("journal");
    let mut writer = Writer::create(&inside, &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=3, 3, |_| true);
    drop(writer);
    *bookmarks(&inside).last().expect("one group")
}

/// What a consumer finished with, and what a snapshot was made of, was durable: a journal that ends before is damaged.
#[test]
fn cursors_and_snapshots_count_for_the_floor() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=30, 3, |_| true);
    drop(writer);
    let marks = bookmarks(directory.path());
    let (end, before) = (marks[marks.len() - 1], marks[marks.len() - 2]);
    fs::remove_file(directory.path().join("durable.mark")).expect("the mark says nothing");
    let path = segment(directory.path(), 1);
    let mut bytes = fs::read(&path).expect("there");
    bytes[before.position.offset() as usize..end.position.offset() as usize].fill(0);
    fs::write(&path, &bytes).expect("the last group is lost");
    assert_eq!(survey(directory.path()).expect("nobody knows of it").last_seq, before.seq);

    let bridge = CursorName::new("bridge").expect("legal");
    let origin = |directory: &Path| match survey(directory) {
        Err(OpenError::Damaged(damage)) => damage.floor.origin,
        other => panic!("{other:?}"),
    };
    journal::store_cursor(directory.path(), identity().journal_id, &bridge, &end).expect("stored");
    assert_eq!(origin(directory.path()), FloorOrigin::Cursor(bridge));
    assert!(journal::remove_cursor(directory.path(), &bridge).expect("removed"));
    put_snapshot(directory.path(), end);
    assert_eq!(origin(directory.path()), FloorOrigin::Snapshot(end.seq));
    let from_it = journal::survey_from(directory.path(), None, Some(&end), &mut |_| Ok(()));
    assert!(matches!(from_it, Err(OpenError::BookmarkRefused { .. })), "{from_it:?}");
    journal::remove_snapshot(directory.path(), end.seq).expect("removed");
    put_snapshot(directory.path(), before);
    assert_eq!(survey(directory.path()).expect("whole").last_seq, before.seq);
}

#[test]
fn a_journal_goes_on_without_its_beginning() {
    let directory = scratch();
    made(directory.path());
    let marks = bookmarks(directory.path());
    let whole = files(directory.path());
    let kept = marks.iter().find(|mark| mark.position.segment() == 3).expect("there are three segments");
    let removed = journal::remove_segments_below(directory.path(), &identity(), 3).expect("removed");
    assert_eq!(removed, 2);
    assert_eq!(journal::segments(directory.path(), &identity()).expect("listed")[0], 3);
    assert_eq!(journal::remove_segments_below(directory.path(), &identity(), 3).expect("nothing to do"), 0);

    let first_seq = marks.iter().rfind(|mark| mark.position.segment() == 2).expect("a seal").seq;
    let rest = |directory: &Path| {
        let mut oracle = Oracle::behind(first_seq);
        let mut reader = Reader::open(directory).expect("opened");
        while reader.poll(Limit::Durable, 50, &mut |record| oracle.check(record)).expect("read") > 0 {}
        oracle.whole_seq()
    };
    assert_eq!(rest(directory.path()), LAST);
    let gone = Reader::open_at(directory.path(), &marks[5]).err().expect("its segment is gone");
    assert!(matches!(gone, ReadError::Open(OpenError::SegmentMissing { .. })), "{gone}");

    // A removal that was cut short leaves segments that no longer belong: the next writer takes them away.
    fs::write(segment(directory.path(), 2), &whole["00000000000000000002.seg"]).expect("left behind");
    assert_eq!(rest(directory.path()), LAST);
    let mut oracle = Oracle::behind(first_seq);
    let (mut writer, recovery) =
        Writer::open(directory.path(), None, &DENSE, &mut |record| oracle.check(record)).expect("opened");
    assert_eq!((recovery.last_seq, oracle.whole_seq()), (LAST, LAST));
    assert!(!segment(directory.path(), 2).exists());
    write(&mut writer, LAST + 1..=LAST + 9, 3, |_| true);
    writer.close().expect("closed");
    let mut oracle = Oracle::behind(kept.seq);
    let disk = Box::new(Written::default());
    let hear = &mut |record: &journal::Record<'_>| oracle.check(record);
    let opened = Writer::open_from(directory.path(), None, Some(kept), &DENSE, hear, disk);
    assert_eq!(opened.expect("opened").1.last_seq, LAST + 9);
}

/// No file can be made, so none is needed: where the journal begins is written over blocks that are there.
#[test]
fn segments_are_removed_from_a_disk_that_takes_nothing_more() {
    let directory = scratch();
    made(directory.path());
    fs::create_dir(directory.path().join("journal.base.tmp")).expect("in the way");
    for first in [2, 3] {
        let removed = journal::remove_segments_below(directory.path(), &identity(), first);
        assert_eq!(removed.expect("removed"), 1);
        assert_eq!(journal::segments(directory.path(), &identity()).expect("listed")[0], first);
    }
    // A power cut while the first of the copies is written, when nothing has gone yet.
    let whole = fs::read(directory.path().join("journal.base")).expect("there");
    let torn = [vec![0; whole.len() / 2], vec![7; whole.len() / 2]].concat();
    fs::write(directory.path().join("journal.base"), torn).expect("written");
    let error = journal::survey(directory.path(), None, &mut |_| Ok(())).expect_err("it is not there");
    assert!(matches!(error, OpenError::SegmentMissing { segment: 1, .. }), "{error}");
}

#[test]
fn sealed_segments_are_read_again_one_behind_the_other_and_no_byte_may_be_another() {
    let directory = scratch();
    made(directory.path());
    let (path, identity) = (directory.path(), identity());
    let numbers = journal::segments(path, &identity).expect("listed");
    let mut end = journal::beginning(path, &identity).expect("it has one");
    let read =
        |number, end: &Bookmark| journal::verify_sealed_segment(path, &identity, number, end, &mut |_| true);
    let first = read(1, &end).expect("whole").expect("not stopped");
    assert!(read(2, &end).is_err(), "it does not follow the beginning");
    assert!(read(*numbers.last().expect("a spare"), &first).is_err(), "a spare is not sealed");
    let stopped = journal::verify_sealed_segment(path, &identity, 1, &end, &mut |_| false);
    assert_eq!(stopped.expect("no fault"), None);
    end = read(2, &first).expect("whole").expect("not stopped");
    assert_eq!(end.position.segment(), 2);
    let file = segment(path, 2);
    let good = fs::read(&file).expect("there");
    for at in (0..good.len()).step_by(37) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&file, bytes).expect("written");
        assert!(read(2, &first).is_err(), "byte {at}");
    }
}

#[test]
fn a_beginning_that_is_gone_without_a_base_or_with_a_wrong_one_is_refused() {
    let directory = scratch();
    made(directory.path());
    let whole = files(directory.path());
    journal::remove_segments_below(directory.path(), &identity(), 3).expect("removed");
    let base = directory.path().join("journal.base");
    let good = fs::read(&base).expect("there");
    for at in 0..good.len() / 2 {
        let mut flipped = good.clone();
        flipped[at] ^= 2;
        for twin in [at, good.len() / 2 + at] {
            let mut one = good.clone();
            one[twin] ^= 2;
            fs::write(&base, one).expect("written");
            let found = journal::survey(directory.path(), None, &mut |_| Ok(()));
            assert_eq!(found.expect("the other copy is whole").last_seq, LAST);
        }
        flipped[good.len() / 2 + at] ^= 4;
        fs::write(&base, flipped).expect("written");
        let error = journal::survey(directory.path(), None, &mut |_| Ok(())).expect_err("refused");
        assert!(matches!(error, OpenError::FileDamaged { .. }), "byte {at}: {error}");
    }
    fs::remove_file(&base).expect("removed");
    let error = journal::survey(directory.path(), None, &mut |_| Ok(())).expect_err("refused");
    assert!(matches!(error, OpenError::SegmentMissing { segment: 1, .. }), "{error}");
    // A base that claims more than is there.
    fs::write(&base, &good).expect("written");
    fs::remove_file(segment(directory.path(), 3)).expect("lost");
    let error = journal::survey(directory.path(), None, &mut |_| Ok(())).expect_err("refused");
    assert!(matches!(error, OpenError::SegmentMissing { segment: 3, .. }), "{error}");
    // Nothing goes when the segment that would be the first does not follow.
    let damaged = scratch();
    put(damaged.path(), &whole);
    let path = segment(damaged.path(), 3);
    let mut bytes = fs::read(&path).expect("there");
    bytes[5000] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert!(journal::remove_segments_below(damaged.path(), &identity(), 3).is_err());
    assert!(segment(damaged.path(), 1).exists());
    assert_eq!(fs::read(damaged.path().join("journal.base")).expect("there"), vec![0; good.len()]);
}
