//! What a device is written for one command: a group for each, each synced, on real file systems, over every back end.

use journal::{BackEnd, Options, Writer};

use crate::life;
use crate::loop_mount::LoopMount;

const GROUPS: u64 = 1_000;
/// More would mean that a store dirties a large folio, or that a sync commits metadata.
const BYTES_MAX: u64 = 16 << 10;

pub fn run() {
    for kind in ["ext4", "xfs"] {
        let disk = LoopMount::make(kind);
        let mut found = Vec::new();
        for back_end in BackEnd::ALL {
            disk.mount();
            let bytes = bytes_per_group(&disk, back_end);
            disk.unmount();
            assert!(bytes > 0 && bytes <= BYTES_MAX, "{kind} {back_end}: {bytes} bytes for one command");
            found.push(format!("{back_end} {bytes}"));
        }
        println!(
            "J4 device bytes on {kind}: for a group of one command {}, at most {BYTES_MAX}, {GROUPS} groups each",
            found.join(", ")
        );
    }
}

fn bytes_per_group(disk: &LoopMount, back_end: BackEnd) -> u64 {
    let directory = disk.point().join(back_end.name());
    let options = Options { segment_bytes: 16 << 20, group_alignment: 4096, back_end };
    let mut writer = Writer::create(&directory, &life::identity(), &options).expect("created");
    let mut seq = 0;
    let mut groups = |writer: &mut Writer, count: u64| {
        for _ in 0..count {
            seq += 1;
            life::append(writer, seq).expect("in order");
            writer.close_group().expect("there is room");
            writer.sync().expect("the disk is well");
        }
    };
    groups(&mut writer, 100);
    settle(disk);
    let before = disk.device_bytes();
    groups(&mut writer, GROUPS);
    let bytes = disk.device_bytes() - before;
    writer.close().expect("the disk is well");
    bytes / GROUPS
}

/// The spare segment is made by a thread of its own; its bytes are none of a group's.
fn settle(disk: &LoopMount) {
    let mut before = 0;
    loop {
        let (_nobody, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(std::time::Duration::from_millis(200));
        let bytes = disk.device_bytes();
        if bytes == before {
            return;
        }
        before = bytes;
    }
}
