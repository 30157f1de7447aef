//! The operator's tools end to end: the real program on the journal of a recorded run and on that of a running venue, with
//! every exit code, and never a byte or a time of a file changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use engine::units::Side;
use gateway::client::orders::{self, Tif};
use gateway::client::{Body, Client};
use gateway::client_config::ClientConfig;
use journal::{BackEnd, Options};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::venue::{Home, program, run};
use tests::workload::Profile;
use tests::written;

const COMMANDS: u64 = 3_000;
const SMALL: Options = Options { segment_bytes: 256 << 10, group_alignment: 512, back_end: BackEnd::Written };

/// One recorded run for all tests that only read it.
struct Recorded {
    home: TempDir,
    digest: String,
}

fn record(directory: &Path, seed: u64, commands: u64) -> [u8; 32] {
    written::journal_of(&SMALL, directory, (seed, Profile::ROOMY), commands, |_| true, |_| ())
}

fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let home = tempfile::tempdir().expect("there is room");
        let digest = record(home.path(), 7, COMMANDS);
        Recorded { home, digest: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    })
}

impl Recorded {
    fn shown(&self) -> &str {
        self.home.path().to_str().expect("temporary paths are text")
    }

    /// A copy to be damaged.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("there is room");
        for entry in fs::read_dir(self.home.path()).expect("it is ours").flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("there is room");
            }
        }
        copy
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a tool that must end with `code`.
fn tool(code: i32, arguments: &[&str]) -> Output {
    let done = run("ballast", arguments);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}{}", text(&done.stdout), text(&done.stderr));
    done
}

fn said(arguments: &[&str]) -> String {
    text(&tool(0, arguments).stdout)
}

fn fault(code: i32, arguments: &[&str]) -> String {
    text(&tool(code, arguments).stderr)
}

/// The value of a key in one line of JSON that has it once.
fn value<'a>(json: &'a str, key: &str) -> &'a str {
    let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {json}"));
    rest.split([',', '}', ']']).next().expect("there is a rest").trim_matches('"')
}

/// Bytes, times and modes of everything below a directory.
fn everything(directory: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64, u32)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        let meta = fs::metadata(&path).expect("it is there");
        let bytes = if meta.is_dir() { Vec::new() } else { fs::read(&path).expect("it is ours") };
        if meta.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("it is ours").flatten().map(|entry| entry.path()));
        }
        found.insert(path, (bytes, meta.mtime(), meta.mtime_nsec(), meta.mode()));
    }
    found
}

#[test]
fn ls_lists_every_segment() {
    let shown = recorded().shown();
    let listed = said(&["journal", "ls", shown, "--json"]);
    let mut due = 1;
    let mut sealed = 0;
    for line in listed.lines() {
        if value(line, "state") != "spare" {
            assert_eq!(value(line, "first_seq"), due.to_string(), "{line}");
            due = value(line, "last_seq").parse::<u64>().expect("a number") + 1;
            sealed += u32::from(value(line, "state").starts_with("sealed"));
        }
    }
    assert_eq!(due, COMMANDS + 1);
    assert!(
        sealed > 2 && listed.contains("sealed: rotation") && listed.contains("sealed: clean close"),
        "{listed}"
    );
    let table = said(&["journal", "ls", shown]);
    assert_eq!(table.lines().count(), listed.lines().count() + 1);
}

#[test]
fn stat_counts_what_cat_prints() {
    let shown = recorded().shown();
    let stat = said(&["journal", "stat", shown, "--json"]);
    assert_eq!((value(&stat, "commands"), value(&stat, "last_seq")), ("3000", "3000"));
    assert_eq!((value(&stat, "first_seq"), value(&stat, "running")), ("1", "false"));
    let lines = |filter: &[&str]| said(&[&["journal", "cat", shown], filter].concat()).lines().count();
    assert_eq!(lines(&[]).to_string(), value(&stat, "records"));
    assert_eq!(lines(&["--commands"]), 3_000);
    assert_eq!(lines(&["--events"]).to_string(), value(&stat, "event"));
    assert_eq!(lines(&["--template", "OrderExecuted"]).to_string(), value(&stat, "OrderExecuted"));
    assert_eq!(lines(&["--template", "204"]).to_string(), value(&stat, "OrderExecuted"));
    assert!(said(&["journal", "stat", shown]).contains("NewOrder"));
}

#[test]
fn cat_filters_by_everything() {
    let shown = recorded().shown();
    let cat = |filter: &[&str]| said(&[&["journal", "cat", shown, "--json"], filter].concat());
    let first = cat(&["--limit", "1"]);
    assert!(
        first.starts_with(r#"{"seq":1,"sub":0,"ts_ns":"#) && value(&first, "kind") == "command",
        "{first}"
    );
    let opened = cat(&["--template", "VenueOpen", "--limit", "1"]);
    assert!(opened.contains(r#""fields":{"venue_id":"#) && !opened.contains("pad_"), "{opened}");
    let some = cat(&["--from", "100", "--to", "199"]);
    assert!(
        some.lines().all(|line| (100..200).contains(&value(line, "seq").parse::<u64>().expect("a number")))
    );
    assert!(some.lines().filter(|line| value(line, "kind") == "command").count() == 100);
    let at = value(some.lines().next().expect("a line"), "time").to_string();
    let until = cat(&["--until", &at]);
    assert_eq!(value(until.lines().last().expect("a line"), "seq"), "99");
    let all = cat(&[]);
    for from in [1, 2, 1_500, 2_999, 3_000] {
        let due = |line: &&str| value(line, "seq").parse::<u64>().expect("a number") >= from;
        let shown: Vec<&str> = all.lines().filter(due).collect();
        assert!(cat(&["--from", &from.to_string()]).lines().eq(shown), "from {from}");
    }
    for nothing in [["--account", "999999"], ["--from", "3001"], ["--until", "1"]] {
        let told = fault(4, &[&["journal", "cat", shown][..], &nothing].concat());
        assert!(told.contains("no record of"), "{told}");
    }
    let since = cat(&["--since", &at, "--limit", "1"]);
    assert_eq!(value(&since, "seq"), "100");
    let account = cat(&["--account", "5", "--instrument", "1", "--template", "NewOrder"]);
    assert!(account.lines().count() > 5);
    for line in account.lines() {
        assert_eq!((value(line, "account_id"), value(line, "instrument_id")), ("5", "1"), "{line}");
    }
    let session = value(account.lines().next().expect("a line"), "session").to_string();
    let of_session = cat(&["--session", &session]);
    assert!(of_session.lines().count() > 10);
    assert!(of_session.lines().all(|line| value(line, "session") == session));
    for line in cat(&["--events", "--template", "OrderExecuted"]).lines() {
        assert!(line.contains(r#""last_px":""#), "prices are texts: {line}");
    }
}

#[test]
fn cat_is_readable_and_ends_when_nobody_reads() {
    let shown = recorded().shown();
    let orders = said(&["journal", "cat", shown, "--template", "neworder", "--limit", "20"]);
    assert!(orders.contains("NewOrder from=") && orders.contains("(Buy)"), "{orders}");
    assert!(said(&["journal", "cat", shown]).contains(" Mark digest="));
    let mut child = Command::new(program("ballast"))
        .args(["journal", "cat", shown, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it prints");
    let mut complaint = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut complaint).expect("it ends");
    assert!(child.wait().expect("it is ours").success() && complaint.is_empty(), "{complaint}");
}

#[test]
fn verify_and_replay_agree_with_who_wrote_it() {
    let recorded = recorded();
    let shown = recorded.shown();
    let verified = said(&["journal", "verify", shown, "--replay", "--json"]);
    assert_eq!((value(&verified, "last_seq"), value(&verified, "ending")), ("3000", "sealed"));
    assert_eq!(value(&verified, "digests"), "6");
    assert!(said(&["journal", "verify", shown]).starts_with("whole: 3000 commands"));
    let state = said(&["journal", "replay", shown, "--json"]);
    assert_eq!(value(&state, "digest"), recorded.digest);
    assert!(said(&["state-hash", shown]).starts_with(&recorded.digest));
    let half = said(&["state-hash", shown, "--seq", "1500", "--json"]);
    assert_eq!(value(&half, "seq"), "1500");
    assert_eq!(
        value(&said(&["journal", "replay", shown, "--seq", "1500", "--json"]), "digest"),
        value(&half, "digest")
    );
    assert_ne!(value(&half, "digest"), recorded.digest);
}

#[test]
fn a_replay_stops_at_a_time_and_at_an_order() {
    let shown = recorded().shown();
    let line = said(&["journal", "cat", shown, "--json", "--from", "1200", "--limit", "1"]);
    let at = said(&["journal", "replay", shown, "--time", value(&line, "ts_ns"), "--json"]);
    assert_eq!(value(&at, "ts_ns"), value(&line, "ts_ns"));
    let fills = said(&["journal", "cat", shown, "--json", "--template", "OrderExecuted"]);
    let order = value(fills.lines().nth(5).expect("six fills"), "order_id").to_string();
    let named = format!("\"order_id\":{order},");
    let all = said(&["journal", "cat", shown, "--json", "--events"]);
    let last = all.lines().rfind(|line| line.contains(&named)).expect("the fill is one");
    let state = said(&["journal", "replay", shown, "--order", &order, "--json", "--speed", "1000000"]);
    assert_eq!(value(&state, "seq"), value(last, "seq"));
    let book = said(&["journal", "replay", shown, "--book", "1"]);
    assert!(book.contains("client id") && !book.contains("quote balance"), "{book}");
    assert!(said(&["journal", "replay", shown, "--accounts"]).contains("quote balance"));
    for missing in [["--seq", "3001"], ["--order", "1"], ["--book", "999"]] {
        fault(4, &[&["journal", "replay", shown], &missing[..]].concat());
    }
}

#[test]
fn diff_finds_the_first_difference() {
    let recorded = recorded();
    let shown = recorded.shown();
    assert!(said(&["journal", "diff", shown, shown]).starts_with("equal up to seq 3000"));
    let other = tempfile::tempdir().expect("there is room");
    let there = other.path().to_str().expect("text");
    record(other.path(), 7, 700);
    let prefix = said(&["journal", "diff", shown, there, "--json"]);
    assert_eq!((value(&prefix, "same_up_to"), value(&prefix, "result")), ("700", "b is a prefix of a"));
    assert!(said(&["journal", "diff", there, shown]).contains("is a prefix of"));
    let third = tempfile::tempdir().expect("there is room");
    let third = (third.path().to_str().expect("text"), &third);
    record(third.1.path(), 8, 700);
    let done = tool(3, &["journal", "diff", shown, third.0, "--json"]);
    assert_eq!(value(&text(&done.stdout), "result"), "different");
    assert!(text(&done.stdout).contains(r#""a":{"seq":"#), "{}", text(&done.stdout));
}

#[test]
fn damage_is_named_and_everything_before_it_is_shown() {
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    let path = copy.path().join("00000000000000000002.seg");
    let mut bytes = fs::read(&path).expect("a second segment");
    bytes[100_000] ^= 1;
    fs::write(&path, bytes).expect("it is ours");
    for command in ["verify", "stat", "replay", "cat"] {
        let why = fault(3, &["journal", command, shown]);
        assert!(why.contains("segment=2 offset=") && why.contains("last_good_seq="), "{command}: {why}");
    }
    fault(3, &["state-hash", shown]);
    let told = text(&tool(3, &["journal", "verify", shown, "--json"]).stdout);
    assert_eq!((value(&told, "whole"), value(&told, "segment")), ("false", "2"));
    assert!(value(&told, "last_good_seq").parse::<u64>().expect("a number") > 0, "{told}");
    assert!(text(&tool(3, &["journal", "cat", shown]).stdout).lines().count() > 100);
    fs::remove_file(&path).expect("it is ours");
    assert!(fault(3, &["journal", "ls", shown]).contains("segment 2 is missing"));
    assert!(fault(3, &["journal", "verify", shown]).contains("segment 2 is missing"));
}

/// What the scrubber alarms about, the tool tells as well, and how it is healed.
#[test]
fn a_header_with_one_good_copy_is_told_and_healed_by_what_is_told() {
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    for (segment, from_end) in [(1, 0), (2, 4096)] {
        let path = copy.path().join(format!("{segment:020}.seg"));
        let mut bytes = fs::read(&path).expect("it is there");
        let at = if from_end == 0 { 7 } else { bytes.len() - from_end + 7 };
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("it is ours");
    }
    let done = tool(3, &["journal", "verify", shown]);
    assert!(text(&done.stdout).starts_with("whole: 3000 commands"), "{}", text(&done.stdout));
    let told = text(&done.stderr);
    assert!(told.contains("2 headers have only one good copy left"), "{told}");
    let json = text(&tool(3, &["journal", "verify", shown, "--json"]).stdout);
    assert_eq!((json.lines().count(), value(&json, "whole")), (1, "true"), "{json}");
    assert!(json.contains("\"header_copies_damaged\":[{\"segment\":1,"), "{json}");
    for command in told.lines().filter(|line| line.trim_start().starts_with("dd ")) {
        let done = Command::new("sh").args(["-c", command]).output().expect("there is a shell");
        assert!(done.status.success(), "{command}: {}", text(&done.stderr));
    }
    assert!(said(&["journal", "verify", shown, "--json"]).contains("\"header_copies_damaged\":[]"));
}

#[test]
fn what_refuses_a_journal_is_told_to_programs() {
    let shown_by = |shown: &str| {
        [
            vec!["journal", "ls", shown, "--json"],
            vec!["journal", "stat", shown, "--json"],
            vec!["journal", "cat", shown, "--json"],
            vec!["journal", "verify", shown, "--json"],
            vec!["journal", "verify", shown, "--replay", "--json"],
            vec!["journal", "replay", shown, "--json"],
            vec!["state-hash", shown, "--json"],
        ]
        .map(|words| text(&tool(3, &words).stdout))
    };
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    fs::remove_file(copy.path().join("journal.id")).expect("it was there");
    for told in shown_by(shown) {
        assert_eq!((told.lines().count(), value(&told, "refusal")), (1, "identity_missing"), "{told}");
    }
    let told = text(&tool(3, &["snapshot", "ls", shown, "--json"]).stdout);
    assert_eq!(value(&told, "refusal"), "identity_missing", "{told}");
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    fs::remove_file(copy.path().join("00000000000000000001.seg")).expect("it was there");
    for told in shown_by(shown) {
        let last = told.lines().last().expect("something was told");
        assert!(last.contains("segment 1 is missing") || last.contains("\"refusal\":"), "{told}");
    }
}

#[test]
fn a_segment_that_was_cut_is_refused_with_all_that_is_known() {
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    let listed = said(&["journal", "ls", shown, "--json"]);
    let last = listed.lines().rfind(|line| value(line, "state") != "spare").expect("it holds data");
    let number: u64 = value(last, "segment").parse().expect("a number");
    let path = copy.path().join(format!("{number:020}.seg"));
    let used: u64 = value(last, "used_bytes").parse().expect("a number");
    fs::OpenOptions::new().write(true).open(&path).expect("ours").set_len(used - 600).expect("cut");
    let why = fault(3, &["journal", "verify", shown]);
    let place = format!("segment={number} offset=");
    for part in ["shorter than its header says", &place, "last_good_seq=2", "floor_seq=", "floor_origin="] {
        assert!(why.contains(part), "{part} in {why}");
    }
}

#[test]
fn what_is_no_journal_of_this_venue_is_refused() {
    let empty = tempfile::tempdir().expect("there is room");
    let empty = (empty.path().to_str().expect("text"), &empty);
    for command in ["ls", "stat", "cat", "verify", "replay"] {
        assert!(fault(4, &["journal", command, empty.0]).contains("neither a journal nor a venue"));
        fault(4, &["journal", command, "/there/is/no/such/directory"]);
        fault(2, &["journal", command]);
    }
    fault(2, &["journal", "cat", empty.0, "--since", "yesterday"]);
    fault(2, &["journal", "cat", empty.0, "--template", "NoSuchMessage"]);
    fault(2, &["journal", "replay", empty.0, "--seq", "1", "--time", "5"]);
    // A venue whose journal was put there from another.
    let copy = recorded().copy();
    fs::create_dir(empty.1.path().join("journal")).expect("there is room");
    for entry in fs::read_dir(copy.path()).expect("it is ours").flatten() {
        fs::copy(entry.path(), empty.1.path().join("journal").join(entry.file_name()))
            .expect("there is room");
    }
    assert!(said(&["journal", "verify", empty.0]).starts_with("whole"));
    fs::write(empty.1.path().join("venue.id"), "00112233445566778899aabbccddeeff\n").expect("there is room");
    assert!(fault(3, &["journal", "verify", empty.0]).contains("names journal 00112233"));
    // A format of the future: the major of journal.id, under a good checksum.
    let path = copy.path().join("journal.id");
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[8] = 2;
    let checksum = blake3::hash(&bytes[..104]);
    bytes[104..].copy_from_slice(checksum.as_bytes());
    fs::write(&path, bytes).expect("it is ours");
    assert!(fault(5, &["journal", "verify", copy.path().to_str().expect("text")]).contains("newer version"));
}

#[test]
fn tools_change_nothing_even_where_they_may_not_write() {
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    let elsewhere = tempfile::tempdir().expect("there is room");
    for mode in [0o755, 0o555] {
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(mode)).expect("it is ours");
        let before = everything(copy.path());
        for command in ["ls", "stat", "cat", "verify", "replay"] {
            said(&["journal", command, shown]);
        }
        said(&["journal", "verify", shown, "--replay"]);
        said(&["journal", "diff", shown, shown]);
        said(&["state-hash", shown]);
        for format in ["jsonl", "csv", "parquet", "pcapng"] {
            let out = elsewhere.path().join(format!("{mode}.{format}"));
            said(&["journal", "export", shown, "--format", format, "--out", out.to_str().expect("text")]);
        }
        assert!(before == everything(copy.path()), "a tool that reads has changed something");
    }
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Exports and returns what the file holds.
fn exported(format: &str, filter: &[&str]) -> Vec<u8> {
    let place = tempfile::tempdir().expect("there is room");
    let file = place.path().join("out");
    let out = file.to_str().expect("text");
    let base = ["journal", "export", recorded().shown(), "--format", format, "--out", out, "--json"];
    let told = said(&[&base[..], filter].concat());
    let bytes = fs::read(&file).expect("it was written");
    assert_eq!(value(&told, "bytes"), bytes.len().to_string());
    assert_eq!(fs::read_dir(place.path()).expect("it is ours").count(), 1, "nothing else is left behind");
    bytes
}

/// The fills as CSV has them: by column name.
fn csv_rows(bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = text(bytes);
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{line}");
        names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect()
    };
    lines.map(row).collect()
}

#[test]
fn exported_fills_sum_to_the_positions() {
    let rows = csv_rows(&exported("csv", &[]));
    let state = said(&["journal", "replay", recorded().shown(), "--accounts", "--json"]);
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["combo"] == "false") {
        let key = (row["account_id"].clone(), row["instrument_id"].clone());
        *sums.entry(key).or_default() += row["signed_lots"].parse::<i64>().expect("a number");
    }
    sums.retain(|_, lots| *lots != 0);
    let mut held = BTreeMap::new();
    let (_, accounts) = state.split_once(r#""accounts":["#).expect("it has accounts");
    for account in accounts.split(r#"{"id":"#).skip(1) {
        let id = account.split(',').next().expect("an id").to_owned();
        for position in account.split(r#"{"instrument":"#).skip(1) {
            let instrument = position.split(',').next().expect("an id").to_owned();
            let lots: i64 = value(position, "lots").parse().expect("a number");
            if lots != 0 {
                held.insert((id.clone(), instrument), lots);
            }
        }
    }
    assert!(held.len() > 5 && rows.len() > 100, "{} fills, {} positions", rows.len(), held.len());
    assert_eq!(sums, held);
    let some = csv_rows(&exported("csv", &["--account", "5", "--from", "1000"]));
    let due = rows
        .iter()
        .filter(|row| row["account_id"] == "5" && row["seq"].parse::<u64>().expect("a number") >= 1000);
    assert!(!some.is_empty() && due.eq(some.iter()));
}

/// Pages are plain, so a column of the CSV, encoded, stands in the Parquet file as it is.
#[test]
fn exported_parquet_holds_the_same_columns() {
    let rows = csv_rows(&exported("csv", &[]));
    let bytes = exported("parquet", &[]);
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let end = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().expect("four bytes")) as usize;
    let names = text(&bytes[end - footer..end]);
    assert!(["signed_lots", "price", "symbol", "fills"].iter().all(|name| names.contains(name)), "{names}");
    let holds = |page: Vec<u8>| !page.is_empty() && bytes.windows(page.len()).any(|window| window == page);
    let numbers = |name: &str| -> Vec<u8> {
        rows.iter().flat_map(|row| row[name].parse::<i64>().expect("a number").to_le_bytes()).collect()
    };
    let decimals = |name: &str, places| -> Vec<u8> {
        let whole =
            |row: &BTreeMap<String, String>| gateway::decimal::parse(&row[name], places).expect("exact");
        rows.iter().flat_map(|row| i128::from(whole(row)).to_be_bytes()).collect()
    };
    for name in ["seq", "signed_lots", "order_id", "position_lots"] {
        assert!(holds(numbers(name)), "{name}");
    }
    assert!(holds(decimals("price", 9)) && holds(decimals("size", 9)) && holds(decimals("fee", 6)));
}

#[test]
fn exported_records_are_those_of_cat_and_packets_are_frames() {
    let shown = recorded().shown();
    let lines = exported("jsonl", &["--events", "--to", "500"]);
    assert_eq!(text(&lines), said(&["journal", "cat", shown, "--json", "--events", "--to", "500"]));
    let capture = exported("pcapng", &[]);
    let stat = said(&["journal", "stat", shown, "--json"]);
    let count = |key| value(&stat, key).parse::<usize>().expect("a number");
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().expect("four bytes")) as usize;
    let (mut at, mut packets, mut frames) = (0, 0, 0);
    while at < capture.len() {
        if word(at) == 6 {
            packets += 1;
            // A random run also sends what is too short for a header.
            let (start, length) = (at + 28, word(at + 20));
            if length >= gateway::frame::FRAME_BYTES_MIN {
                let frame =
                    gateway::frame::first(&capture[start..start + length]).expect("legal").expect("whole");
                assert_eq!(frame.bytes(), length);
                frames += 1;
            }
        }
        at += word(at + 4);
    }
    assert_eq!(packets, count("commands") + count("event"));
    assert!(frames > packets - packets / 20, "{frames} of {packets} packets are frames");
}

#[test]
fn an_export_takes_nobodys_place_and_appears_only_when_whole() {
    let copy = recorded().copy();
    let place = tempfile::tempdir().expect("there is room");
    let file = place.path().join("fills.csv");
    let (shown, out) = (copy.path().to_str().expect("text"), file.to_str().expect("text"));
    let export = ["journal", "export", shown, "--format", "csv", "--out", out];
    assert!(said(&export).starts_with("wrote "));
    fs::write(&file, "mine").expect("it is ours");
    assert!(fault(5, &export).contains("there already"));
    assert_eq!(fs::read(&file).expect("it is there"), b"mine");
    said(&[&export[..], &["--force"]].concat());
    assert_ne!(fs::read(&file).expect("it is there"), b"mine");
    let inside = copy.path().join("fills.csv");
    let within = ["journal", "export", shown, "--format", "csv", "--out", inside.to_str().expect("text")];
    assert!(fault(5, &within).contains("lies in the journal"));
    fault(4, &["journal", "export", shown, "--format", "csv", "--out", "/there/is/no/such/place.csv"]);
    fault(2, &["journal", "export", shown, "--format", "xml", "--out", out]);
    let path = copy.path().join("00000000000000000002.seg");
    let mut bytes = fs::read(&path).expect("a second segment");
    bytes[100_000] ^= 1;
    fs::write(&path, bytes).expect("it is ours");
    fs::remove_file(&file).expect("it is ours");
    fault(3, &export);
    assert_eq!(fs::read_dir(place.path()).expect("it is ours").count(), 0);
}

#[test]
fn a_journal_whose_beginning_is_gone_is_replayed_from_its_snapshot() {
    let copy = recorded().copy();
    let shown = copy.path().to_str().expect("text");
    let made = run("ballast", &["snapshot", "create", shown]);
    // The only snapshot is of the end, so the state can be shown from there on and nowhere before.
    assert!(made.status.success(), "{}", text(&made.stderr));
    let snapshot = fs::read_dir(copy.path().join("snap")).expect("it was made").flatten();
    let file =
        snapshot.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|it| it == "snap"));
    let file = file.expect("one was made");
    let of_file = said(&["state-hash", file.to_str().expect("text")]);
    assert!(of_file.starts_with(&recorded().digest), "{of_file}");
    let identity = journal::load_identity(copy.path()).expect("it is a journal");
    assert!(journal::remove_segments_below(copy.path(), &identity, 3).expect("they may go") == 2);
    assert!(said(&["state-hash", shown]).starts_with(&recorded().digest));
    said(&["journal", "verify", shown, "--replay"]);
    said(&["journal", "ls", shown]);
    assert!(fault(4, &["journal", "replay", shown, "--seq", "2000"]).contains("from seq 3000 on"));
    let both = said(&["journal", "diff", shown, recorded().shown()]);
    assert!(both.starts_with("equal up to seq 3000"), "{both}");
    let place = tempfile::tempdir().expect("there is room");
    let out = place.path().join("fills.csv");
    let out = out.to_str().expect("text");
    said(&["journal", "export", shown, "--format", "csv", "--out", out]);
    fs::remove_dir_all(copy.path().join("snap")).expect("it is ours");
    assert!(fault(3, &["state-hash", shown]).contains("needs a snapshot"));
    for words in [&["state-hash", shown, "--json"][..], &["journal", "verify", shown, "--replay", "--json"]] {
        let told = text(&tool(3, words).stdout);
        assert_eq!((told.lines().count(), value(&told, "refusal")), (1, "no_snapshot"), "{told}");
    }
}

/// The next answer of the venue.
fn hear(client: &mut Client) -> Body {
    client.next_event(Duration::from_secs(120)).expect("the venue lives").expect("it answers").body
}

#[test]
fn a_running_venue_is_read_to_what_is_durable() {
    let home = Home::new(|text| text);
    let venue = home.serve();
    let config = ClientConfig::load(&home.path().join("clients/alice.toml")).expect("init wrote it");
    let mut alice = Client::connect(&config).expect("the venue listens");
    let mut follower = Command::new(program("ballast"))
        .args(["journal", "cat", home.shown(), "--follow", "--json", "--template", "OrderAccepted"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut followed = BufReader::new(follower.stdout.take().expect("piped"));
    for id in 1..=3 {
        let order = orders::limit(config.account, 1, Side::Buy, 50_000_000_000_000, 10, Tif::Gtc, id);
        alice.new_order(order).expect("it is sent");
        assert!(matches!(hear(&mut alice), Body::Accepted(_)));
        let mut line = String::new();
        followed.read_line(&mut line).expect("it follows");
        assert_eq!((value(&line, "cl_ord_id"), value(&line, "price")), (id.to_string().as_str(), "50000"));
    }
    kill_process(Pid::from_child(&follower), Signal::INT).expect("it is ours");
    assert!(follower.wait().expect("it is ours").success(), "Ctrl-C ends a follower in peace");
    let stat = said(&["journal", "stat", home.shown(), "--json"]);
    assert_eq!((value(&stat, "running"), value(&stat, "OrderAccepted")), ("true", "3"));
    let verified = said(&["journal", "verify", home.shown(), "--replay", "--json"]);
    assert_eq!(
        (value(&verified, "running"), value(&verified, "last_seq")),
        ("true", value(&stat, "durable"))
    );
    assert!(said(&["journal", "ls", home.shown()]).contains("active"));
    let live = said(&["journal", "replay", home.shown(), "--json"]);
    assert_eq!(value(&live, "open_orders"), "3");
    // Killed: what was durable then is there now, and more may be.
    venue.kill();
    let after = said(&["journal", "verify", home.shown(), "--replay", "--json"]);
    assert_eq!(value(&after, "running"), "false");
    let seq = |json: &str| value(json, "last_seq").parse::<u64>().expect("a number");
    assert!(seq(&after) >= seq(&verified));
    assert_eq!(value(&said(&["state-hash", home.shown(), "--json"]), "digest"), value(&live, "digest"));
}
