//! What is seen of a journal from outside, against what was written.

use std::fs;

use journal::{SegmentState, Writer, is_being_written, segment_summaries};

use crate::support::{DENSE, append_command, identity, scratch};

#[test]
fn segments_are_summed_up_and_a_writer_is_seen() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("a new journal");
    for seq in 1..=400 {
        append_command(&mut writer, seq);
        writer.close_group().expect("there is room");
    }
    writer.sync().expect("it is durable");
    assert!(is_being_written(directory.path()).expect("it is asked"));
    let live = segment_summaries(directory.path()).expect("listed");
    assert!(live.iter().any(|segment| segment.state == SegmentState::Active));
    writer.close().expect("it is durable");
    assert!(!is_being_written(directory.path()).expect("it is asked"));

    let mut due = 1;
    for segment in segment_summaries(directory.path()).expect("listed") {
        match segment.state {
            SegmentState::Spare => assert_eq!((segment.first_seq, segment.last_seq), (0, 0)),
            SegmentState::Sealed(_) => {
                assert_eq!(segment.first_seq, due);
                assert!(segment.used_bytes > 4096 && segment.used_bytes <= segment.bytes - 4096);
                assert!(segment.first_ts_ns <= segment.last_ts_ns);
                due = segment.last_seq + 1;
            }
            other => panic!("segment {}: {other:?}", segment.number),
        }
    }
    assert_eq!(due, 401);
}

#[test]
fn a_torn_group_hides_nothing_before_it_and_a_bad_header_is_named() {
    let directory = scratch();
    let mut writer = Writer::create(directory.path(), &identity(), &DENSE).expect("a new journal");
    for seq in 1..=10 {
        append_command(&mut writer, seq);
        writer.close_group().expect("there is room");
    }
    drop(writer);
    let whole = segment_summaries(directory.path()).expect("listed")[0].clone();
    assert_eq!((whole.last_seq, whole.state), (10, SegmentState::Active));
    let mut bytes = fs::read(&whole.path).expect("it is there");
    bytes[whole.used_bytes as usize..][..5000].fill(0xA5);
    fs::write(&whole.path, &bytes).expect("it is ours");
    assert_eq!(segment_summaries(directory.path()).expect("listed")[0].last_seq, 10);
    bytes[10] ^= 1;
    let end = bytes.len();
    bytes[end - 4086] ^= 1;
    fs::write(&whole.path, &bytes).expect("it is ours");
    let found = segment_summaries(directory.path()).expect("listed")[0].clone();
    assert!(matches!(found.state, SegmentState::Damaged(_)), "{:?}", found.state);
}
