//! What an operator meets: the exit codes of the program and what it says with them, an end that loses nothing, and a venue
//! that goes on with every session's numbers and output, whether it was asked to end or was killed.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use gateway::frame::RETRANSMIT;
use tests::member::{Member, last_words, shown};
use tests::peer::{Came, Peer};
use tests::venue::{Home, program, run};

/// Exit code, and everything that was printed.
fn told(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The program ends with this code and names all of this.
fn check(arguments: &[&str], code: i32, named: &[&str]) {
    let (ended, text) = told(&run("ballast", arguments));
    assert_eq!(ended, Some(code), "{arguments:?}: {text}");
    for word in named {
        assert!(text.contains(word), "{arguments:?} does not say '{word}': {text}");
    }
}

/// Every file below a directory with its bytes.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).expect("it is readable"));
        }
    }
    files
}

fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let mut changed: Vec<String> =
        names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
    changed.dedup();
    changed
}

#[test]
fn the_program_explains_itself() {
    check(&["explain", "304"], 0, &["304 PriceAboveBand: price is above the band"]);
    check(&["explain", "1"], 0, &["1 BadFrame"]);
    check(&["explain", "0"], 4, &["there is no code 0"]);
    check(&["explain", "65536"], 4, &["there is no code 65536"]);
    for word in ["503", "JOURNAL_FULL", "JournalFull", "journal-full"] {
        check(&["explain", word], 0, &["503 JournalFull: "]);
    }
    check(&["explain", "JOURNAL"], 4, &["there is no code JOURNAL"]);
    check(&["client", "no/such/directory", "alice"], 4, &["there is no directory no/such/directory"]);
    check(&["explain"], 2, &["Usage"]);
    check(&["explode"], 2, &["explode", "Usage"]);
    check(&[], 2, &["Usage", "Exit codes"]);
    check(&["--version"], 0, &["ballast "]);
}

#[test]
fn a_directory_without_a_venue_is_not_found_and_a_broken_file_is_named_with_its_fault() {
    let nowhere = tempfile::tempdir().expect("there is room");
    let shown = nowhere.path().to_str().expect("temporary paths are text");
    check(&["serve", shown], 4, &[shown, "holds no ballast.toml", "ballast init"]);
    for listen in ["bogus", "0.0.0.0:5"] {
        check(&["init", shown, "--listen", listen], 2, &[listen, "address"]);
        check(&["dev", shown, "--listen", listen], 2, &[listen, "address"]);
    }
    assert_eq!(contents(nowhere.path()), BTreeMap::new(), "nothing was made");

    let home = Home::new(|text| text);
    let file = home.path().join("ballast.toml");
    let good = std::fs::read_to_string(&file).expect("init wrote it");
    let faults: &[(&str, &str, &str)] = &[
        ("[venue]", "[venue", "line"),
        ("connections_max = 1024", "connections_max = 0", "connections_max must be from 1 to 65536"),
        ("connections_max = 1024", "connections_most = 9", "unknown field `connections_most`"),
        ("listen = \"127.0.0.1", "listen = \"0.0.0.0", "not a loopback address"),
        ("role = \"oracle\"", "role = \"king\"", "role 'king' is not one of"),
        ("id = 13", "id = 12", "account id 12 is there twice"),
        ("mark = \"50000\"", "mark = \"50000.3\"", "BTC-PERP"),
        (
            "orders_per_account = 10000",
            "orders_per_account = 0",
            "[limits] orders_per_account must be from 1 to 16777216",
        ),
        (
            "instrument = \"BTC-PERP\"",
            "instrument = \"BTC\"",
            "[[combo]] BTC-DEC26-PERP: leg 'BTC' is the symbol of no",
        ),
        ("instrument = \"BTC-PERP\"", "instrument = \"ETH-PERP\"", "[[combo]] BTC-DEC26-PERP"),
        ("ratio = -1", "ratio = 9", "[[combo]] BTC-DEC26-PERP"),
    ];
    for (from, to, fault) in faults {
        assert!(good.contains(from), "{from}: {good}");
        std::fs::write(&file, good.replacen(from, to, 1)).expect("the directory is ours");
        check(&["serve", home.shown()], 1, &["ballast.toml", fault]);
    }
    // None of them has left a trace that the good file would stumble over.
    std::fs::write(&file, good).expect("the directory is ours");
    let venue = home.serve();
    Member::new(home.path(), "alice").trade();
    assert!(venue.terminate().0.success());
}

#[test]
fn what_is_taken_is_refused_and_left_alone() {
    let home = Home::new(|text| text);
    let before = contents(home.path());
    check(&["init", home.shown()], 5, &["already holds a venue", "nothing was changed"]);
    assert_eq!(changed(&before, &contents(home.path())), [""; 0]);

    let port_holder = {
        let text = std::fs::read_to_string(home.path().join("clients/alice.toml")).expect("init wrote it");
        let line = text.lines().find(|line| line.starts_with("address")).expect("it names the address");
        let address = line.split('"').nth(1).expect("a quoted address").to_string();
        TcpListener::bind(address).expect("the port is free")
    };
    check(&["serve", home.shown()], 1, &["cannot listen on 127.0.0.1:", "in use"]);
    drop(port_holder);

    let venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    alice.trade();
    check(&["serve", home.shown()], 5, &["LOCK"]);
    check(&["init", home.shown()], 5, &["already holds a venue"]);
    alice.trade();
    alice.log_on_again();
    assert!(venue.terminate().0.success());
}

#[test]
fn a_system_that_allows_too_few_open_files_is_told_before_the_journal_is_touched() {
    let home = Home::new(|text| text);
    let before = contents(home.path());
    let script = "ulimit -n 500 && exec \"$0\" serve \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program("ballast")).arg(home.path());
    let (code, text) = told(&shell.output().expect("there is a shell"));
    assert_eq!(code, Some(1), "{text}");
    for word in ["[market] connections_max = 256 need 1600 open files", "the system allows 500", "ulimit -n"]
    {
        assert!(text.contains(word), "no '{word}': {text}");
    }
    assert_eq!(changed(&before, &contents(home.path())), [""; 0]);
}

#[test]
fn a_journal_that_is_damaged_where_it_was_durable_is_not_served_and_not_touched() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let mut alice = Member::new(home.path(), "alice");
    (0..20).for_each(|_| alice.trade());
    assert!(venue.terminate().0.success());
    let segment = home.journal().join("00000000000000000001.seg");
    let good = std::fs::read(&segment).expect("the first segment");
    let mut bad = good.clone();
    // Behind the header page, inside the first groups.
    bad[4096 + 600] ^= 0x10;
    std::fs::write(&segment, &bad).expect("the directory is ours");
    let before = contents(home.path());
    check(
        &["serve", home.shown()],
        3,
        &[
            "segment=1",
            "offset=",
            "{\"refusal\":\"damaged\",\"segment\":1,\"offset\":",
            "\"floor_origin\":\"",
        ],
    );
    assert_eq!(changed(&before, &contents(home.path())), [""; 0]);

    std::fs::write(&segment, &good).expect("the directory is ours");
    let venue = home.serve();
    alice.log_on_again();
    alice.trade();
    assert!(venue.terminate().0.success());
}

#[test]
fn the_end_loses_nothing_that_was_acknowledged() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let mut quiet = Peer::connect(home.path(), "carol");
    quiet.log_on(1);
    let mut stranger = Peer::connect(home.path(), "dave");
    let mut alice = Member::new(home.path(), "alice");
    for _ in 0..2_000 {
        alice.order();
    }
    alice.hears(&["OrderAccepted ref=1"]);
    let (status, said) = venue.terminate();
    assert_eq!(status.code(), Some(0), "{said:?}");
    let last = said.last().expect("it said something");
    assert!(last.starts_with("stopped   at seq ") && last.ends_with("everything durable"), "{last}");
    assert_eq!(last_words(&mut quiet), ["Logout ServerShutdown"]);
    assert_eq!(last_words(&mut stranger), ["Logout ServerShutdown"]);

    let mut words: Vec<String> =
        std::iter::from_fn(|| Some(alice.hear()).filter(|word| word != "closed")).collect();
    assert_eq!(words.pop(), Some("Logout ServerShutdown".into()));
    let answered = words.len() as u64 + 1;
    assert!(
        words.iter().enumerate().all(|(index, word)| *word == format!("OrderAccepted ref={}", index + 2))
    );

    let venue = home.serve();
    let mut peer = Peer::connect(home.path(), "alice");
    let ack = peer.log_on(1);
    let applied = ack.next_client_seq.get() - 1;
    assert!(applied >= answered, "{answered} answers were heard, {applied} orders are there");
    assert_eq!(ack.next_server_seq.get(), applied + 1);
    for seq in 1..=applied {
        assert_eq!(peer.next().map(|came| shown(&came)), Some(format!("OrderAccepted ref={seq} again")));
    }
    assert!(venue.terminate().0.success());
}

/// All that a session was ever told, as a logon from number 1 tells it.
fn everything(home: &Home, name: &str) -> (u64, Vec<Came>) {
    let mut peer = Peer::connect(home.path(), name);
    let ack = peer.log_on(1);
    let kept = (1..ack.next_server_seq.get()).map(|_| peer.next().expect("it is kept")).collect();
    (ack.next_client_seq.get(), kept)
}

#[test]
fn a_venue_goes_on_with_every_number_and_every_word_whether_it_was_asked_or_killed() {
    let home = Home::new(|text| text);
    let mut venue = home.serve();
    let mut members = ["alice", "bob"].map(|name| Member::new(home.path(), name));
    for life in 0..4 {
        for member in &mut members {
            (0..25).for_each(|_| member.trade());
            let seq = member.take_seq();
            member.peer.say(0, seq, member.empty_order(seq));
            member.hears(&[&format!("OrderRejected ref={seq} QtyNotPositive")]);
        }
        let told = ["alice", "bob"].map(|name| everything(&home, name));
        assert!(told.iter().all(|(_, kept)| kept.iter().all(|came| came.flags & RETRANSMIT != 0)));
        if life % 2 == 0 {
            assert!(venue.terminate().0.success());
        } else {
            venue.kill();
        }
        venue = home.serve();
        assert!(venue.said.iter().any(|line| line.contains("recovered to seq")), "{:?}", venue.said);
        assert_eq!(["alice", "bob"].map(|name| everything(&home, name)), told, "life {life}");
        members.iter_mut().for_each(Member::log_on_again);
    }
    // What was on its way when the venue was killed is there or is not, and the logon says which.
    for round in 0..5 {
        let [alice, _] = &mut members;
        let first = alice.next_seq;
        let orders: Vec<u64> = (0..500).map(|_| alice.order()).collect();
        alice.hears(&[&format!("OrderAccepted ref={first}")]);
        venue.kill();
        let mut heard = 1;
        while alice.hear() != "closed" {
            heard += 1;
        }
        venue = home.serve();
        alice.peer = Peer::connect(home.path(), "alice");
        let ack = alice.peer.log_on(alice.next_server_seq);
        let applied = ack.next_client_seq.get() - first;
        assert!((heard..=orders.len() as u64).contains(&applied), "round {round}: {heard}, {applied}");
        for seq in first + heard..first + applied {
            alice.hears(&[&format!("OrderAccepted ref={seq} again")]);
        }
        alice.next_seq = ack.next_client_seq.get();
        alice.trade();
    }
    assert!(venue.terminate().0.success());
}
