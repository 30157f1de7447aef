//! What goes in comes out, over rotations, restarts and groups of every size.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use journal::{Kind, Limit, Options, Reader, Record, Storage, Watermarks, WriteError, Writer};

use crate::support::{DENSE, Oracle, SMALL, append_command, identity, reopen, scratch, survey, write};

fn read_all(directory: &std::path::Path) -> (Oracle, Reader) {
    let mut reader = Reader::open(directory).expect("opened");
    let mut oracle = Oracle::default();
    while reader.poll(Limit::Durable, 7, &mut |record| oracle.check(record)).expect("read") > 0 {}
    (oracle, reader)
}

#[test]
fn records_survive_many_rotations_and_a_clean_close() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    write(&mut writer, 1..=3_000, 12, |seq| seq % 24 == 0);
    writer.close().expect("closed");
    let found = survey(directory.path()).expect("surveyed");
    assert!(found.segments > 12, "{} segments", found.segments);
    assert_eq!((found.last_seq, found.commands), (3_000, 3_000));
    assert_eq!(found.ending, journal::Ending::Sealed);
    let (oracle, reader) = read_all(directory.path());
    assert_eq!((oracle.whole_seq(), oracle.records), (3_000, found.records));
    assert_eq!((reader.position_seq(), reader.chain()), (3_000, found.chain));
    assert_eq!(reader.identity(), identity());
}

#[test]
fn a_journal_goes_on_through_restarts_clean_and_not() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    for round in 0..15u64 {
        let (first, last) = (round * 50 + 1, round * 50 + 50);
        write(&mut writer, first..=last, 1 + round, |seq| seq % 3 == 0);
        let chain = writer.chain();
        match round % 2 {
            0 => writer.close().expect("closed"),
            _ => drop(writer),
        }
        let options = if round % 3 == 0 { SMALL } else { DENSE };
        let (opened, recovery) = reopen(directory.path(), &options).expect("reopened");
        assert_eq!((recovery.last_seq, recovery.last_ts_ns, recovery.commands), (last, last * 10, last));
        assert!(recovery.discarded.is_none());
        assert_ne!(opened.chain(), chain, "a seal has been added to the chain");
        let watermarks = opened.watermarks();
        assert_eq!((watermarks.written(), watermarks.durable()), (last, last));
        writer = opened;
    }
    drop(writer);
    assert_eq!(read_all(directory.path()).0.whole_seq(), 750);
}

#[test]
fn nothing_is_published_before_its_step() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    let watermarks = writer.watermarks();
    append_command(&mut writer, 1);
    assert!(writer.open_group_bytes() > 0);
    assert_eq!((watermarks.written(), watermarks.durable()), (0, 0));
    assert_eq!(writer.sync().expect("nothing to sync"), 0);
    assert_eq!(writer.close_group().expect("closed"), 1);
    assert_eq!((watermarks.written(), watermarks.durable()), (1, 0));
    assert_eq!(writer.open_group_bytes(), 0);
    assert_eq!(writer.close_group().expect("an empty group is nothing"), 1);
    assert_eq!(writer.sync().expect("synced"), 1);
    assert_eq!((watermarks.written(), watermarks.durable()), (1, 1));
    let mut reader = Reader::open(directory.path()).expect("opened");
    append_command(&mut writer, 2);
    writer.close_group().expect("closed");
    let mut oracle = Oracle::default();
    let mut poll = |limit| reader.poll(limit, 100, &mut |record| oracle.check(record)).expect("read");
    assert_eq!(poll(Limit::Durable), 2, "a command and its event");
    assert_eq!(poll(Limit::Durable), 0);
    assert_eq!(poll(Limit::Written), 3, "the unsynced command and its two events");
    watermarks.publish_released(1);
    assert_eq!(Watermarks::open(directory.path()).expect("mapped").released(), 1);
}

/// A disk that looks, at each call, at what has been published so far.
struct Watching {
    disk: Box<dyn Storage>,
    directory: PathBuf,
    segment: u64,
    written_to: u64,
}

impl Watching {
    fn watermarks(&self) -> Option<Watermarks> {
        Watermarks::open(&self.directory).ok()
    }
}

impl Storage for Watching {
    fn attach(&mut self, segment: u64, file: File) -> io::Result<()> {
        self.segment = segment;
        self.disk.attach(segment, file)
    }

    fn write(&mut self, offset: u64, image: &[u8]) -> io::Result<()> {
        if let Some(position) = self.watermarks().map(|it| it.written_position()) {
            let here = (self.segment, offset);
            assert!((position.segment(), position.offset()) <= here, "W before the bytes of its group");
        }
        self.written_to = offset + image.len() as u64;
        self.disk.write(offset, image)
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(position) = self.watermarks().map(|it| it.durable_position()) {
            let end = (self.segment, self.written_to);
            assert!((position.segment(), position.offset()) < end, "D before the sync of its group");
        }
        self.disk.sync()
    }
}

#[test]
fn nothing_is_published_before_the_disk_has_it() {
    let directory = scratch();
    let disk = Watching {
        disk: crate::BACK_END.storage(),
        directory: directory.path().to_owned(),
        segment: 0,
        written_to: u64::MAX,
    };
    let mut writer =
        Writer::create_with(directory.path(), &identity(), &SMALL, Box::new(disk)).expect("created");
    write(&mut writer, 1..=200, 3, |seq| seq % 2 == 0);
    assert!(writer.watermarks().written_position().segment() > 3);
    writer.close().expect("closed");
}

#[test]
fn a_group_of_marks_alone_is_durable_data() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    let mark =
        Record { seq: 0, ts_ns: 1, kind: Kind::Mark, version: 1, flags: 9, sub: 0, payload: b"digest" };
    writer.append(&mark).expect("appended");
    assert_eq!(writer.close_group().expect("closed"), 0);
    let before = writer.watermarks().durable_position();
    writer.sync().expect("synced");
    assert!(writer.watermarks().durable_position() > before);
    drop(writer);
    let mut found = Vec::new();
    let mut keep = |record: &Record<'_>| {
        found.push((record.kind, record.flags, record.payload.to_vec()));
        Ok(())
    };
    drop(Writer::open(directory.path(), None, &SMALL, &mut keep).expect("reopened"));
    assert_eq!(found, [(Kind::Mark, 9, b"digest".to_vec())]);
}

#[test]
fn one_command_may_have_four_mebibytes_of_events_if_the_segment_holds_them() {
    let directory = scratch();
    let options = Options { segment_bytes: 8 << 20, ..SMALL };
    let mut writer = Writer::create(directory.path(), &identity(), &options).expect("created");
    let payload = vec![0xA5; journal::RECORD_PAYLOAD_BYTES_MAX];
    let record =
        |seq, kind, sub| Record { seq, ts_ns: 5, kind, version: 1, flags: 0, sub, payload: &payload };
    for seq in 1..=4 {
        writer.append(&record(seq, Kind::Command, 0)).expect("appended");
        for sub in 1..=300 {
            writer.append(&record(seq, Kind::Event, sub)).expect("appended");
        }
        assert!(writer.open_group_bytes() > 4 << 20);
        assert_eq!(writer.close_group().expect("closed"), seq);
    }
    writer.close().expect("closed");
    let mut count = 0;
    let mut reader = Reader::open(directory.path()).expect("opened");
    let mut visit = |found: &Record<'_>| {
        count += 1;
        if found.payload == payload { Ok(()) } else { Err("wrong bytes".into()) }
    };
    while reader.poll(Limit::Durable, 1_000, &mut visit).expect("read") > 0 {}
    assert_eq!(count, 4 * 301);
}

#[test]
fn what_cannot_come_next_is_refused_and_changes_nothing() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &SMALL).expect("created");
    let record = |seq, kind, sub| Record { seq, ts_ns: 5, kind, version: 1, flags: 0, sub, payload: b"x" };
    let large = vec![0; journal::RECORD_PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(writer.append(&record(1, Kind::Seal, 0)), Err(WriteError::KindReserved)));
    assert!(matches!(writer.append(&record(2, Kind::Command, 0)), Err(WriteError::OutOfOrder(_))));
    assert!(matches!(writer.append(&record(0, Kind::Event, 1)), Err(WriteError::OutOfOrder(_))));
    let too_large = Record { payload: &large, ..record(1, Kind::Command, 0) };
    assert!(matches!(writer.append(&too_large), Err(WriteError::PayloadTooLarge { .. })));
    assert_eq!(writer.open_group_bytes(), 0);
    append_command(&mut writer, 1);
    let full = Record { ts_ns: 10, payload: &large[1..], ..record(1, Kind::Event, 2) };
    let refusal =
        (2..).find_map(|sub| writer.append(&Record { sub, ..full }).err()).expect("a segment is full");
    assert!(matches!(refusal, WriteError::GroupTooLarge { bytes_max: 53_248, .. }), "{refusal}");
    assert_eq!(writer.close_group().expect("what fitted is written"), 1);
}
