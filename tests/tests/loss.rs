//! Durable data that is damaged and given up, as an operator meets it: refused until the exact word is said, told in every
//! tool, and never passed over in silence by a consumer that had read it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use engine::units::Side;
use gateway::client::Client;
use gateway::client::orders::{self, Tif};
use gateway::client_config::ClientConfig;
use tests::venue::{Home, program, run};

const PRICE9: i64 = 50_000_000_000_000;

fn trade(home: &Home, first_id: u64, orders: u64) {
    let config = ClientConfig::load(&home.path().join("clients/alice.toml")).expect("init wrote it");
    let mut alice = Client::connect(&config).expect("the venue listens");
    for id in first_id..first_id + orders {
        alice.queue(orders::limit(10, 1, Side::Sell, PRICE9, 1, Tif::Gtc, id)).expect("there is room");
    }
    while alice.unanswered() > 0 {
        alice.next_event(Duration::from_secs(120)).expect("the venue lives");
    }
}

/// Spoils the group of the command `seq`, in whichever segment.
fn spoil(home: &Home, seq: u64) {
    for number in 1.. {
        let path = journal::segment_path(&home.journal(), number);
        let mut bytes = fs::read(&path).expect("the command is in one of the segments");
        let is_its = |at: &usize| {
            bytes[at + 8..at + 16] == seq.to_le_bytes()
                && bytes[at + 24..at + 27] == [1, 0, 1]
                && bytes[*at] != 0
        };
        if let Some(at) = (4096..bytes.len() - 4096).step_by(8).find(is_its) {
            bytes[at + 60] ^= 0x40;
            let file = fs::OpenOptions::new().write(true).open(&path).expect("it is ours");
            return file.write_all_at(&bytes[at + 60..=at + 60], at as u64 + 60).expect("written");
        }
    }
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(all).expect("it prints text")
}

fn ballast(arguments: &[&str], code: i32) -> String {
    let done = run("ballast", arguments);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", said(&done));
    said(&done)
}

fn bridge(home: &Home, state: &str, code: i32) -> String {
    let state = home.path().join(state);
    let arguments = ["follow", home.shown(), "--exit-at-end", "--quiet", "--state"];
    let done = run("settlement-bridge", &[&arguments[..], &[state.to_str().expect("text")]].concat());
    assert_eq!(done.status.code(), Some(code), "{}", said(&done));
    said(&done)
}

/// A number behind its name in a line of JSON.
fn number(line: &str, name: &str) -> u64 {
    let (_, behind) = line.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name} in {line}"));
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// Serves with an accepted loss until it listens; what it printed to either stream.
fn accept(home: &Home, seq: u64) -> (Child, Vec<String>, fs::File) {
    let notes = tempfile::tempfile().expect("there is room");
    let mut child = Command::new(program("ballast"))
        .args(["serve", home.shown(), "--accept-data-loss", "--expect-last-seq", &seq.to_string()])
        .args(["--reason", "ticket 88"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(notes.try_clone().expect("a second handle"))
        .spawn()
        .expect("the program starts");
    let mut lines = Vec::new();
    let mut output = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    while !lines.last().is_some_and(|line: &String| line.starts_with("listening")) {
        let mut line = String::new();
        let bytes = std::io::BufRead::read_line(&mut output, &mut line).expect("the pipe is ours");
        assert!(bytes > 0, "it ended: {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    child.stdout = Some(output.into_inner());
    (child, lines, notes)
}

#[test]
fn damaged_durable_data_is_given_up_by_the_exact_word_alone() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    trade(&home, 1, 12_000);
    venue.kill();
    let until = 2_000;
    let early = home.path().join("early");
    let arguments = ["follow", home.shown(), "--quiet", "--until-seq", "100", "--state"];
    let done = run(
        "settlement-bridge",
        &[&arguments[..], &[early.to_str().expect("text"), "--name", "early"]].concat(),
    );
    assert!(done.status.success(), "{}", said(&done));
    bridge(&home, "late", 0);

    let word = |seq: u64| {
        let seq = seq.to_string();
        let parts =
            ["serve", home.shown(), "--accept-data-loss", "--expect-last-seq", &seq, "--reason", "ticket 88"];
        parts.map(str::to_owned)
    };
    let serve = |seq: u64, code: i32| ballast(&word(seq).each_ref().map(String::as_str), code);
    assert!(serve(3_000, 5).contains("nothing durable is damaged"));
    spoil(&home, until);
    let refused = ballast(&["serve", home.shown()], 3);
    let report = refused.lines().find(|line| line.starts_with('{')).expect("a report in JSON");
    assert!(
        report.contains("\"refusal\":\"damaged\"") && refused.contains("--accept-data-loss"),
        "{refused}"
    );
    let last_good = number(report, "last_good_seq");
    assert!(last_good < until && last_good > 100, "{report}");
    assert!(number(report, "floor_seq") > 12_000, "the floor of the whole journal: {report}");

    for part in [
        &["--accept-data-loss"][..],
        &["--expect-last-seq", "7"],
        &["--reason", "x", "--accept-data-loss"],
        &["--accept-data-loss", "--expect-last-seq", "7", "--reason", " "],
    ] {
        ballast(&[&["serve", home.shown()][..], part].concat(), 2);
    }
    assert!(serve(last_good + 1, 5).contains(&format!("the last good seq is {last_good}")));
    assert!(serve(last_good - 1, 5).contains("\"refusal\":\"loss_refused\""));
    ballast(&["serve", home.shown()], 3);

    let (mut child, lines, mut notes) = accept(&home, last_good);
    let told = format!("GAVE UP durable data behind seq {last_good}");
    assert!(lines.iter().any(|line| line.starts_with("journal") && line.contains(&told)), "{lines:?}");
    let mut text = String::new();
    std::io::Seek::rewind(&mut notes)
        .and_then(|()| std::io::Read::read_to_string(&mut notes, &mut text))
        .expect("read");
    assert!(text.contains(&told) && text.contains("ticket 88") && text.contains("torn"), "{text}");
    trade(&home, 10_000, 50);
    child.kill().and_then(|()| child.wait()).expect("it was ours");

    // Nothing else is to be said any more, and everything shows what was done.
    assert!(home.serve().terminate().0.success());
    for (tool, shows) in [
        ("verify", format!("given up: durable data behind seq {last_good}")),
        ("stat", format!("loss       durable data behind seq {last_good}")),
        ("ls", "behind a loss that an operator accepted".into()),
        ("cat", format!("Loss last_seq={last_good}")),
    ] {
        let shown = ballast(&["journal", tool, home.shown()], 0);
        assert!(shown.contains(&shows), "{tool}: {shows}");
    }
    assert!(ballast(&["journal", "verify", home.shown(), "--replay"], 0).contains("ticket 88"));
    assert!(ballast(&["snapshot", "create", home.shown()], 0).contains("verified"));
    // Who had read beyond stops, who had not goes on and says it.
    let stopped = bridge(&home, "late", 3);
    assert!(stopped.contains("operator gave up") && stopped.contains("ticket 88"), "{stopped}");
    let passed = bridge(&home, "early", 0);
    assert!(passed.contains(&format!("gave up everything behind seq {last_good}")), "{passed}");
    assert!(home.journal().join("divergent").join("bridge").exists(), "its cursor is kept aside");
}
