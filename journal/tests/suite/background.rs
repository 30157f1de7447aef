//! A sync beside the writer: D follows it, rotations and closes wait for it, and its failure is the writer's end.

use journal::{WriteError, Writer};

use crate::support::{DENSE, append_command, identity, reopen, scratch, survey};

#[test]
fn d_follows_a_sync_beside_the_writer_through_rotations() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    let watermarks = writer.watermarks();
    let mut durable = 0;
    for seq in 1..=2_000 {
        append_command(&mut writer, seq);
        writer.close_group().expect("closed");
        writer.start_sync().expect("started");
        let reached = writer.look_at_sync().expect("looked");
        assert!((durable..=seq).contains(&reached) && reached == watermarks.durable(), "{reached} at {seq}");
        durable = reached;
    }
    assert!(watermarks.written_position().segment() > 10);
    while durable < 2_000 {
        writer.start_sync().expect("started");
        durable = writer.look_at_sync().expect("looked");
        std::thread::yield_now();
    }
    assert_eq!(writer.unsynced_bytes(), 0);
    writer.close().expect("closed");
    assert_eq!(survey(directory.path()).expect("whole").last_seq, 2_000);
}

#[test]
fn what_is_not_synced_is_counted_and_a_plain_sync_waits_for_the_one_under_way() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("created");
    assert_eq!(writer.unsynced_bytes(), 0);
    for seq in 1..=10 {
        append_command(&mut writer, seq);
        writer.close_group().expect("closed");
        assert!(writer.unsynced_bytes() >= seq * 512, "{} at {seq}", writer.unsynced_bytes());
    }
    writer.start_sync().expect("started");
    append_command(&mut writer, 11);
    writer.close_group().expect("closed");
    assert_eq!(writer.sync().expect("synced"), 11);
    assert_eq!((writer.unsynced_bytes(), writer.look_at_sync().expect("nothing runs")), (0, 11));
    drop(writer);
    assert_eq!(reopen(directory.path(), &DENSE).expect("reopened").1.last_seq, 11);
}

#[test]
fn a_poisoned_writer_starts_no_sync() {
    let directory = scratch();
    Writer::create(directory.path(), &identity(), &DENSE).expect("created").close().expect("closed");
    let (disk, trace) = crate::support::RecordingDisk::new(directory.path());
    trace.lock().expect("ours").sync_to_fail = Some(3);
    let mut writer =
        Writer::open_with(directory.path(), None, &DENSE, &mut |_| Ok(()), disk).expect("opened").0;
    let failed = (1..100).find_map(|seq| {
        append_command(&mut writer, seq);
        writer.close_group().and_then(|_| writer.start_sync()).err()
    });
    assert!(matches!(failed, Some(WriteError::Io(_))), "{failed:?}");
    assert!(matches!(writer.start_sync(), Err(WriteError::Poisoned)));
    assert!(matches!(writer.look_at_sync(), Err(WriteError::Poisoned)));
}
