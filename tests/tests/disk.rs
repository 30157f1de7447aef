//! The disk as a running venue meets it: every back end carries a venue through `kill -9`; a disk that takes nothing more,
//! or fails under a mapping, ends the venue with its own exit code and nothing said that is not durable.

use std::fs::{self, File, OpenOptions};
use std::process::Stdio;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use tests::member::Member;
use tests::venue::{Home, Venue};

fn with_back_end(name: &str) -> Home {
    Home::new(|text| text.replace("back_end = \"written\"", &format!("back_end = \"{name}\"")))
}

#[test]
fn a_venue_goes_on_where_it_was_killed_whatever_its_back_end_is_then() {
    let home = with_back_end("direct");
    let file = home.path().join("ballast.toml");
    let mut alice = None;
    for (life, name) in ["direct", "mapped", "written", "direct"].iter().enumerate() {
        let text = fs::read_to_string(&file).expect("init wrote it");
        let line = text.lines().find(|line| line.starts_with("back_end")).expect("it is set").to_string();
        fs::write(&file, text.replace(&line, &format!("back_end = \"{name}\""))).expect("ours");
        let venue = home.serve();
        assert!(venue.said.contains(&format!("back end  {name}")), "{:?}", venue.said);
        let alice = alice.get_or_insert_with(|| Member::new(home.path(), "alice"));
        if life > 0 {
            alice.log_on_again();
        }
        (0..20).for_each(|_| alice.trade());
        venue.kill();
    }
}

#[test]
fn a_disk_that_fails_under_the_mapping_ends_the_venue_and_is_kept() {
    let home = with_back_end("mapped");
    assert!(home.serve().terminate().0.success(), "a first life, so that the second is a recovery");
    let venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    alice.trade();
    let log = home.path().join("fault.log");
    assert_eq!(fs::read_to_string(&log).expect("opened ahead"), "");
    let segment = home.journal().join("00000000000000000002.seg");
    let segment = OpenOptions::new().write(true).open(segment).expect("the second segment");
    segment.set_len(4096).expect("its blocks are gone");
    alice.order();
    assert_eq!(alice.hear(), "closed", "nothing is said of what is not durable");
    let (status, said) = venue.ended();
    assert_eq!(status.code(), Some(7), "{said:?}");
    let kept = fs::read_to_string(&log).expect("kept");
    assert!(kept.starts_with("SIGBUS: the disk failed under a mapped file: segment=2 offset="), "{kept}");
}

/// A limit on the size of files stands for any error of the journal's disk: no byte is taken any more, nor by the file that
/// standard error goes to.
#[test]
fn a_disk_that_takes_nothing_more_ends_the_venue_and_loses_nothing() {
    for name in ["written", "mapped", "direct"] {
        let home = with_back_end(name);
        let errors = File::create(home.path().join("errors")).expect("ours");
        let mut venue = Venue::spawn_with("serve", &home, Stdio::from(errors));
        venue.read_until("listening");
        let mut alice = Member::new(home.path(), "alice");
        (0..10).for_each(|_| alice.trade());
        let maximum = getrlimit(Resource::Fsize).maximum;
        let none = Rlimit { current: Some(0), maximum };
        prlimit(Some(venue.pid()), Resource::Fsize, none).expect("it is ours");
        let seq = alice.order();
        let heard = alice.hear();
        assert!(["Logout Internal", "closed"].contains(&heard.as_str()), "{name}: {heard}");
        let (status, said) = venue.ended();
        assert_eq!(status.code(), Some(6), "{name}: {said:?}");
        // What was not answered may be there or not; everything that was answered is.
        let venue = home.serve();
        alice.peer = tests::peer::Peer::connect(home.path(), "alice");
        let ack = alice.peer.log_on(alice.next_server_seq);
        assert!([seq, seq + 1].contains(&ack.next_client_seq.get()), "{name}: {ack:?}");
        assert!(venue.terminate().0.success());
    }
}
