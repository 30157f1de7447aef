//! Readers beside a running writer: at full rate through rotations, across restarts, and when records that were
//! read beyond D are given up.

use std::fs;
use std::thread;

use journal::{Limit, OpenError, ReadError, Reader, Writer, remove_segments_below};

use crate::support::{DENSE, Oracle, SMALL, files, identity, put, reopen, scratch, segment, stocked, write};

fn follow(directory: &std::path::Path, limit: Limit, last_seq: u64) -> (u64, Reader) {
    let mut reader = Reader::open(directory).expect("opened");
    let watermarks = journal::Watermarks::open(directory).expect("mapped");
    let mut oracle = Oracle::default();
    while reader.position_seq() < last_seq || oracle.records == 0 {
        let count = reader.poll(limit, 64, &mut |record| oracle.check(record)).expect("read");
        let bound = if limit == Limit::Durable { watermarks.durable() } else { watermarks.written() };
        assert!(oracle.seq <= bound, "read {} beyond {bound}", oracle.seq);
        if count == 0 {
            thread::yield_now();
        }
    }
    (oracle.records, reader)
}

#[test]
fn followers_verify_every_record_at_full_rate_through_rotations() {
    const LAST: u64 = 60_000;
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    thread::scope(|scope| {
        let path = directory.path();
        let durable = scope.spawn(move || follow(path, Limit::Durable, LAST));
        let written = scope.spawn(move || follow(path, Limit::Written, LAST));
        write(&mut writer, 1..=LAST, 40, |seq| seq % 120 == 0);
        writer.sync().expect("synced");
        let (records, reader) = durable.join().expect("followed D");
        assert_eq!(records, written.join().expect("followed W").0);
        assert_eq!(reader.chain(), writer.chain());
    });
    assert!(writer.watermarks().written_position().segment() > 100);
}

type Heard = Vec<(u64, u32, Vec<u8>)>;

fn read_to_the_end(reader: &mut Reader) -> Heard {
    let mut heard = Vec::new();
    let mut hear = |record: &journal::Record<'_>| {
        heard.push((record.seq, record.sub, record.payload.to_vec()));
        Ok(())
    };
    while reader.poll(Limit::Durable, 64, &mut hear).expect("read") > 0 {}
    heard
}

fn after(heard: &Heard, seq: u64) -> Heard {
    heard.iter().filter(|it| it.0 > seq).cloned().collect()
}

#[test]
fn a_reader_that_starts_at_a_bookmark_reads_what_follows_it() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=2_000, 40, |seq| seq % 120 == 0);
    writer.sync().expect("synced");
    let mut reader = Reader::open(directory.path()).expect("opened");
    let mut marks = vec![reader.group_start()];
    let whole = read_to_the_end(&mut Reader::open(directory.path()).expect("opened"));
    while reader.poll(Limit::Durable, 100, &mut |_| Ok(())).expect("read") > 0 {
        marks.push(reader.group_start());
    }
    marks.dedup();
    assert!(marks.len() > 40 && marks[0].seq == 0, "{} groups", marks.len());
    for mark in marks {
        let mut later = Reader::open_at(directory.path(), &mark).expect("opened");
        assert_eq!(later.position_seq(), mark.seq);
        assert_eq!(read_to_the_end(&mut later), after(&whole, mark.seq));
        assert_eq!(later.chain(), writer.chain());
    }
}

#[test]
fn a_reader_of_what_is_recent_reads_little_else_and_needs_nothing_that_is_older() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=3_000, 40, |seq| seq % 120 == 0);
    writer.close().expect("closed");
    let mut writer = reopen(directory.path(), &SMALL).expect("reopened").0;
    write(&mut writer, 3_001..=4_000, 40, |seq| seq % 120 == 0);
    writer.sync().expect("synced");
    let whole = read_to_the_end(&mut Reader::open(directory.path()).expect("opened"));
    let last = writer.watermarks().durable_position().segment();
    let segment_records = whole.len() / last as usize;
    for seq in (0..=4_100).step_by(37).chain([3_000, 3_001, 4_000, u64::MAX]) {
        let mut reader = Reader::open_before(directory.path(), seq).expect("opened");
        let before = reader.position_seq();
        assert!(before < seq.max(1), "{before} is beyond {seq}");
        let heard = read_to_the_end(&mut reader);
        assert_eq!(heard, after(&whole, before));
        let more = heard.iter().filter(|it| it.0 < seq.min(4_000)).count();
        assert!(more < 3 * segment_records, "{more} records before {seq}, {segment_records} in a segment");
    }
    drop(writer);
    let removed = remove_segments_below(directory.path(), &identity(), last - 2).expect("removed");
    assert_eq!(removed, last - 3);
    let mut reader = Reader::open_before(directory.path(), 4_000).expect("opened");
    assert_eq!(read_to_the_end(&mut reader).last(), whole.last());
    let mut oldest = Reader::open_before(directory.path(), 1).expect("opened");
    let before = oldest.position_seq();
    assert!(before > 3_000, "{before}");
    assert_eq!(read_to_the_end(&mut oldest), after(&whole, before));
}

#[test]
fn a_follower_goes_on_after_a_restart_it_was_not_hurt_by() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    let mut readers = [Limit::Durable, Limit::Written]
        .map(|limit| (limit, Reader::open(directory.path()).expect("opened"), Oracle::default()));
    for round in 0..12u64 {
        write(&mut writer, round * 30 + 1..=round * 30 + 30, 3, |seq| seq % 2 == 0);
        for (limit, reader, oracle) in &mut readers {
            while reader.poll(*limit, 5, &mut |record| oracle.check(record)).expect("read") > 0 {}
        }
        assert_eq!(readers[1].2.whole_seq(), round * 30 + 30);
        if round % 2 == 0 {
            drop(writer)
        } else {
            writer.close().expect("closed")
        }
        writer = reopen(directory.path(), if round % 4 == 0 { &SMALL } else { &DENSE }).expect("reopened").0;
    }
    for (limit, reader, oracle) in &mut readers {
        while reader.poll(*limit, 5, &mut |record| oracle.check(record)).expect("read") > 0 {}
        assert_eq!(oracle.whole_seq(), 360, "{limit:?}");
    }
}

#[test]
fn a_reader_beyond_d_learns_that_its_records_are_gone_and_one_below_d_does_not_care() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    write(&mut writer, 1..=10, 2, |_| true);
    let (mut below, mut beyond) =
        (Reader::open(directory.path()).expect("opened"), Reader::open(directory.path()).expect("opened"));
    let start = writer.watermarks().durable_position().offset();
    write(&mut writer, 11..=16, 2, |_| false);
    let (mut durable, mut written) = (Oracle::default(), Oracle::default());
    while below.poll(Limit::Durable, 9, &mut |record| durable.check(record)).expect("read") > 0 {}
    while beyond.poll(Limit::Written, 9, &mut |record| written.check(record)).expect("read") > 0 {}
    assert_eq!((durable.whole_seq(), written.whole_seq()), (10, 16));
    drop(writer);
    // What a failed sync does: the cache forgets what the disk never got.
    let file = fs::OpenOptions::new().write(true).open(segment(directory.path(), 1)).expect("opened");
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 100], start).expect("lost");
    let (mut writer, recovery) = reopen(directory.path(), &DENSE).expect("reopened");
    assert_eq!(recovery.last_seq, 10);
    write(&mut writer, 11..=40, 2, |_| true);
    let outcome = beyond.poll(Limit::Written, 9, &mut |_| Ok(()));
    assert!(matches!(outcome, Err(ReadError::Rewound { position_seq: 16 })), "{outcome:?}");
    while below.poll(Limit::Durable, 9, &mut |record| durable.check(record)).expect("read") > 0 {}
    assert_eq!(durable.whole_seq(), 40);
}

#[test]
fn a_group_that_vanishes_while_it_is_handed_out_is_damage_or_a_rewind() {
    for recovers in [false, true] {
        let directory = scratch();
        let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
        write(&mut writer, 1..=3, 3, |_| false);
        let mut reader = Reader::open(directory.path()).expect("opened");
        assert_eq!(reader.poll(Limit::Written, 1, &mut |_| Ok(())).expect("one record"), 1);
        let file = fs::OpenOptions::new().write(true).open(segment(directory.path(), 1)).expect("opened");
        std::os::unix::fs::FileExt::write_all_at(&file, &[0; 512], 4096).expect("lost");
        if recovers {
            drop(writer);
            assert_eq!(reopen(directory.path(), &DENSE).expect("reopened").1.last_seq, 0);
            let outcome = reader.poll(Limit::Written, 9, &mut |_| Ok(()));
            assert!(matches!(outcome, Err(ReadError::Rewound { position_seq: 1 })), "{outcome:?}");
        } else {
            let outcome = reader.poll(Limit::Written, 9, &mut |_| Ok(()));
            assert!(matches!(outcome, Err(ReadError::Damaged { .. })), "{outcome:?}");
        }
    }
}

#[test]
fn a_refused_record_comes_again() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=20, 5, |_| true);
    let mut reader = Reader::open(directory.path()).expect("opened");
    let mut oracle = Oracle::default();
    loop {
        let refused = reader.poll(Limit::Durable, 3, &mut |_| Err("not now".into()));
        match refused {
            Err(ReadError::Visit { .. }) => {}
            Ok(0) => break,
            other => panic!("{other:?}"),
        }
        reader.poll(Limit::Durable, 3, &mut |record| oracle.check(record)).expect("read");
    }
    assert_eq!(oracle.whole_seq(), 20);
}

#[test]
fn a_copied_directory_reads_the_same() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=500, 5, |_| true);
    let copy = scratch();
    put(copy.path(), &files(directory.path()));
    assert_eq!(follow(copy.path(), Limit::Durable, 500).1.chain(), writer.chain());
}

#[test]
fn a_first_segment_that_was_lost_is_damage_and_one_yet_to_come_is_not() {
    let directory = scratch();
    let writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    stocked(&writer, directory.path());
    drop(writer);
    fs::remove_file(segment(directory.path(), 1)).expect("removed");
    for spare_is_left in [true, false] {
        if !spare_is_left {
            for number in [2, 3] {
                fs::remove_file(segment(directory.path(), number)).expect("removed");
            }
        }
        let lost = Reader::open(directory.path()).err();
        assert!(
            matches!(lost, Some(ReadError::Open(OpenError::SegmentMissing { segment: 1, .. }))),
            "{lost:?}"
        );
    }
    let making = scratch();
    fs::copy(directory.path().join("journal.id"), making.path().join("journal.id")).expect("copied");
    let mut control = fs::read(directory.path().join("control")).expect("read");
    control[24..32].fill(0);
    fs::write(making.path().join("control"), control).expect("no writer has finished its start");
    let early = Reader::open(making.path()).err();
    assert!(matches!(early, Some(ReadError::Open(OpenError::Io { .. }))), "{early:?}");
}
