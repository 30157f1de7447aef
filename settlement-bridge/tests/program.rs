//! The program from outside: exit codes, what it prints, and how it ends.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use journal::Kind;
use support::json::{Json, parse};
use support::{Venue, Written, append, create, write_journal};

fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settlement-bridge"));
    command.arg("follow").arg(directory).args(arguments);
    command
}

fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(directory, arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn traded() -> Venue {
    let mut venue = Venue::open();
    venue.trade();
    venue
}

/// A journal of `records` ends the program with 3 and a message that says all of `parts`.
#[track_caller]
fn check_different(records: &[Written], parts: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), records);
    let (code, output, errors) = run(directory.path(), &["--exit-at-end", "--quiet"]);
    assert_eq!((code, output.as_str()), (3, ""), "{errors}");
    for part in parts.iter().chain(&["nothing from this seq on may be settled"]) {
        assert!(errors.contains(part), "'{part}' is not in: {errors}");
    }
}

#[test]
fn a_journal_is_verified_to_its_end() {
    let venue = traded();
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(&directory.path().join("journal"), &venue.records);
    for path in [directory.path().to_owned(), directory.path().join("journal")] {
        let (code, output, errors) = run(&path, &["--exit-at-end", "--quiet"]);
        assert_eq!(code, 0, "{errors}");
        assert!(output.contains("4  MAKER  1000017.380398  BTC-PERP -47, ETH-PERP +30\n"), "{output}");
        assert!(errors.contains("the ledger agrees with the engine"), "{errors}");
    }
}

#[test]
fn one_that_goes_on_says_that_nothing_is_new() {
    let venue = traded();
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(&directory.path().join("journal"), &venue.records);
    let state = directory.path().join("state").display().to_string();
    let said = |_| run(directory.path(), &["--exit-at-end", "--state", &state]);
    let [first, second] = [0, 1].map(said);
    assert!(first.0 == 0 && first.2.contains("the ledger agrees with the engine"), "{}", first.2);
    let seq = venue.engine.last_seq();
    assert!(second.0 == 0 && second.2.contains(&format!("nothing new since seq {seq}")), "{}", second.2);
}

#[test]
fn json_says_what_the_engine_holds() {
    let venue = traded();
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &venue.records);
    let (code, output, _) = run(directory.path(), &["--exit-at-end", "--json", "--quiet"]);
    assert_eq!(code, 0);
    let line = parse(output.strip_suffix('\n').expect("one line")).expect("JSON");
    let digest: String = venue.engine.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    let seq = Json::Number(venue.engine.last_seq().to_string());
    assert_eq!((line.field("seq"), line.field("durable")), (&seq, &seq));
    assert_eq!(line.field("digest"), &Json::Text(digest));
    assert_eq!(line.field("last"), &Json::True);
    let Json::List(accounts) = line.field("accounts") else { panic!("a list") };
    assert_eq!(accounts.len(), 5);
    let maker = &accounts[3];
    assert_eq!(maker.field("id"), &Json::Number("4".to_owned()));
    assert_eq!(maker.field("name"), &Json::Text("MAKER".to_owned()));
    assert_eq!(maker.field("quote"), &Json::Text("1000017.380398".to_owned()));
    let Json::List(positions) = maker.field("positions") else { panic!("a list") };
    assert_eq!(positions[0].field("symbol"), &Json::Text("BTC-PERP".to_owned()));
    assert_eq!(positions[0].field("lots"), &Json::Number("-47".to_owned()));
}

#[test]
fn until_seq_stops_there_and_says_when_it_cannot() {
    let venue = traded();
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &venue.records);
    let last_seq = venue.engine.last_seq();
    let (code, output, _) = run(directory.path(), &["--until-seq", "9", "--quiet"]);
    assert!(code == 0 && output.starts_with("seq 9 "), "{output}");
    let (code, output, _) = run(directory.path(), &["--until-seq", &last_seq.to_string(), "--quiet"]);
    assert!(code == 0 && output.starts_with(&format!("seq {last_seq} ")), "{output}");
    let (code, _, errors) = run(directory.path(), &["--until-seq", "999", "--exit-at-end"]);
    assert_eq!(code, 1);
    assert!(errors.contains(&format!("ends at seq {last_seq}, before seq 999")), "{errors}");
}

#[test]
fn a_record_that_differs_ends_it() {
    let faithful = traded().records;
    let last = |kind| faithful.iter().rposition(|written| written.kind == kind).expect("one");
    let (event, mark) = (last(Kind::Event), last(Kind::Mark));
    let Written { seq, sub, .. } = faithful[event];

    let mut changed = faithful.clone();
    changed[event].payload[50] ^= 1;
    check_different(
        &changed,
        &[&format!("event seq {seq} sub {sub}: recorded Confirmed, computed Confirmed")],
    );

    let mut missing = faithful.clone();
    missing.remove(event);
    check_different(&missing, &[&format!("event seq {seq} sub {sub}: recorded nothing")]);

    let mut extra = faithful.clone();
    extra.insert(event + 1, Written { sub: sub + 1, ..faithful[event].clone() });
    check_different(
        &extra,
        &[&format!("event seq {seq} sub {}: recorded Confirmed, computed nothing", sub + 1)],
    );

    let mut digest = faithful.clone();
    digest[mark].payload[0] ^= 1;
    check_different(&digest, &[&format!("mark seq {seq}: recorded digest")]);
}

/// The framing holds a gap off; so the first command is left out and the rest moved up, which only the replay notices.
#[test]
fn a_record_without_its_beginning_ends_it() {
    let mut records = traded().records;
    records.retain(|written| written.seq != 1);
    for written in &mut records {
        written.seq -= 1;
    }
    check_different(&records, &["event seq 1 sub 1: recorded Confirmed, computed nothing"]);
}

#[test]
fn a_damaged_segment_ends_it() {
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &traded().records);
    let names = std::fs::read_dir(directory.path()).expect("listed");
    let mut segments: Vec<_> = names.map(|entry| entry.expect("an entry").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).expect("read");
    bytes[4096 + 40] ^= 1;
    std::fs::write(&segments[0], bytes).expect("written");
    let (code, _, errors) = run(directory.path(), &["--exit-at-end"]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("damaged: segment="), "{errors}");
    assert!(errors.contains(&format!("path={}", segments[0].display())), "{errors}");
}

#[test]
fn a_missing_segment_ends_it() {
    let mut venue = traded();
    for _ in 0..60 {
        venue.trade();
    }
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &venue.records);
    for name in ["00000000000000000002.seg", "00000000000000000001.seg"] {
        std::fs::remove_file(directory.path().join(name)).expect("a segment");
        let (code, _, errors) = run(directory.path(), &["--exit-at-end", "--quiet", "--wait"]);
        assert_eq!(code, 3, "{errors}");
        assert!(errors.contains(name), "{errors}");
    }
}

#[test]
fn a_missing_name_ends_it() {
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &traded().records);
    std::fs::remove_file(directory.path().join("journal.id")).expect("the name");
    let (code, _, errors) = run(directory.path(), &["--exit-at-end", "--wait"]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("journal.id is missing"), "{errors}");
}

#[test]
fn nothing_to_follow_and_nothing_understood_have_their_own_codes() {
    let directory = tempfile::tempdir().expect("a directory");
    for path in [directory.path().to_owned(), directory.path().join("nowhere")] {
        let (code, _, errors) = run(&path, &["--exit-at-end"]);
        assert_eq!(code, 4, "{errors}");
        assert!(errors.contains(&path.display().to_string()), "{errors}");
    }
    let (code, _, _) = run(directory.path(), &["--no-such-option"]);
    assert_eq!(code, 2);
}

/// Starts the program and reads its output line by line.
fn started(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    (child, output)
}

fn next_line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    line
}

#[test]
fn it_waits_follows_and_ends_with_the_last_positions_when_asked_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    let (mut child, mut output) = started(program(&path, &["--wait", "--json", "--interval-ms", "0"]));
    let mut notes = BufReader::new(child.stderr.take().expect("piped"));
    assert!(next_line(&mut notes).contains("waiting: no journal at"));

    let venue = traded();
    let mut writer = create(&path);
    append(&mut writer, &venue.records);
    writer.sync().expect("synced");
    let seq = Json::Number(venue.engine.last_seq().to_string());
    while parse(&next_line(&mut output)).expect("JSON").field("seq") != &seq {}

    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("sent");
    assert!(kill.success());
    let last = parse(&next_line(&mut output)).expect("JSON");
    assert_eq!((last.field("seq"), last.field("last")), (&seq, &Json::True));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn it_ends_with_its_standard_input() {
    let venue = traded();
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = create(directory.path());
    append(&mut writer, &venue.records);
    writer.sync().expect("synced");
    let seq = Json::Number(venue.engine.last_seq().to_string());

    let mut command = program(directory.path(), &["--end-with-stdin", "--json", "--interval-ms", "0"]);
    command.stdin(Stdio::piped());
    let (mut child, mut output) = started(command);
    let mut input = child.stdin.take().expect("piped");
    assert_eq!(parse(&next_line(&mut output)).expect("JSON").field("last"), &Json::False);
    input.write_all(b"words are not the end\n").expect("it reads");
    assert!(child.try_wait().expect("asked").is_none(), "it goes on while the pipe is open");
    drop(input);
    let last = parse(&next_line(&mut output)).expect("JSON");
    assert_eq!((last.field("seq"), last.field("last")), (&seq, &Json::True));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));

    // An input that is at its end from the start: one statement of what is durable.
    let mut command = program(directory.path(), &["--end-with-stdin", "--json", "--quiet"]);
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let last = parse(String::from_utf8(output.stdout).expect("text").trim_end()).expect("one line");
    assert_eq!((last.field("seq"), output.status.code()), (&seq, Some(0)));
}

/// What `| head` does. The journal comes only after the pipe is closed, so the order is certain.
#[test]
fn a_closed_pipe_ends_it_quietly() {
    for errors_closed in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let (mut child, output) = started(program(&path, &["--wait", "--exit-at-end"]));
        drop(output);
        let mut notes = BufReader::new(child.stderr.take().expect("piped"));
        assert!(next_line(&mut notes).contains("waiting: no journal at"));
        let notes = if errors_closed { None } else { Some(notes) };
        let venue = Venue::open();
        let staged = directory.path().join("staged");
        let mut writer = create(&staged);
        append(&mut writer, &venue.records);
        writer.sync().expect("synced");
        std::fs::rename(&staged, &path).expect("it appears whole");
        assert_eq!(child.wait().expect("it ends").code(), Some(1));
        if let Some(mut notes) = notes {
            assert_eq!(next_line(&mut notes), "", "not a word");
        }
    }
}

/// Whatever byte of the shared watermarks is overwritten, it ends with one of its own codes; a position that its segment
/// does not have is damage.
#[test]
fn damaged_watermarks_end_it_without_a_panic() {
    let directory = tempfile::tempdir().expect("a directory");
    write_journal(directory.path(), &traded().records);
    let control = directory.path().join("control");
    let whole = std::fs::read(&control).expect("read");
    for at in 0..208 {
        let mut bytes = whole.clone();
        bytes[at] = 0xFF;
        std::fs::write(&control, bytes).expect("damaged");
        let (code, _, errors) = run(directory.path(), &["--exit-at-end", "--quiet"]);
        assert!([0, 1, 3].contains(&code) && !errors.contains("panicked"), "byte {at}: {code} {errors}");
    }
    let mut bytes = whole.clone();
    (bytes[147], bytes[155]) = (0x7F, !0x7F);
    std::fs::write(&control, bytes).expect("damaged");
    let (code, _, errors) = run(directory.path(), &["--exit-at-end", "--quiet"]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("/control lies beyond its segment"), "{errors}");
}
