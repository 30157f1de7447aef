//! Golden scenarios: `tests/golden/scenarios/*.txt` played on fresh desks, answer by answer. With `BALLAST_BLESS=1` the
//! answers in the files are written anew. What the lines mean stands in `tests/golden/README.md`.

mod desk;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use desk::{Desk, venue_open};

/// What members can ask for, and what each change does to priority. Every row has a scenario, every scenario a row.
const ROWS: &[&str] = &[
    "limit",
    "market",
    "market-to-limit",
    "stop by mark",
    "stop by index",
    "stop by last",
    "take-profit by mark",
    "take-profit by index",
    "take-profit by last",
    "iceberg",
    "day",
    "gtc",
    "ioc",
    "fok",
    "gtd",
    "post-only reject",
    "post-only slide",
    "reduce-only",
    "stale-order guard",
    "amend",
    "cancel by client id",
    "cancel by exchange id",
    "cancel from another session",
    "mass cancel by session",
    "mass cancel by account",
    "mass cancel by instrument",
    "mass cancel by underlying",
    "mass cancel by product",
    "mass cancel by protection group",
    "mass cancel by side",
    "block new",
    "mass quote",
    "quote pulled",
    "bad quote entry",
    "protection by quantity",
    "protection by count",
    "protection by delta",
    "protection by vega",
    "protection reset",
    "self-trade none",
    "self-trade cancel taker",
    "self-trade cancel maker",
    "self-trade cancel both",
    "self-trade decrement both",
    "self-trade group of one owner",
    "self-trade group of strangers",
    "open-order snapshot",
    "open orders asked for too often",
    "fill recovery by exec id range",
    "client id used twice",
    "rising client ids",
    "auction",
    "halt",
    "cancel-only",
    "settlement",
    "expired",
    "combo",
    "price band",
    "quantity down",
    "quantity up",
    "price change",
    "display down",
    "display up",
    "no-op amend",
    "re-sent quote",
    "flags only",
    "self-trade decrement keeps priority",
    "reduce-only cap keeps priority",
    "protection config keeps priority",
    "iceberg refresh",
    "trigger fires",
    "room for special orders",
];

/// One file: its head, and its lines as they stand.
struct Scenario {
    path: PathBuf,
    lines: Vec<String>,
}

impl Scenario {
    fn all() -> Vec<Scenario> {
        let mut paths: Vec<PathBuf> = fs::read_dir(root().join("tests/golden/scenarios"))
            .expect("the scenarios")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        paths.into_iter().map(Scenario::read).collect()
    }

    fn read(path: PathBuf) -> Scenario {
        let text = fs::read_to_string(&path).expect("a scenario");
        Scenario { lines: text.lines().map(str::to_string).collect(), path }
    }

    fn name(&self) -> String {
        self.path.strip_prefix(root()).expect("below the root").display().to_string()
    }

    /// The lines before the first empty one.
    fn head(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str).take_while(|line| !line.is_empty())
    }

    /// What stands behind `# key:`, cut at the commas.
    fn list(&self, key: &str) -> Vec<&str> {
        let prefix = format!("# {key}: ");
        let found = self.head().find_map(|line| line.strip_prefix(&prefix));
        found.map_or(Vec::new(), |text| text.split(',').map(str::trim).collect())
    }

    /// The desk that the head asks for.
    fn desk(&self) -> Desk {
        let mut terms = venue_open([1, 2]);
        (terms.instruments_max, terms.positions_max, terms.levels_max) = (8.into(), 20.into(), 16.into());
        (terms.orders_per_account_max, terms.matches_per_command_max) = (12.into(), 16.into());
        let (mut funds, mut owner) = (1_000_000_000_000_000, desk::OWNER);
        for choice in self.list("desk") {
            let (key, value) = choice.split_once('=').expect("key=value");
            let value: i64 = value.parse().expect("a number behind the =");
            match key {
                "steps" => terms.matches_per_command_max = (value as u32).into(),
                "closed_ids" => terms.closed_ids_max = (value as u32).into(),
                "special" => terms.special_orders_max = (value as u32).into(),
                "special_each" => terms.special_orders_per_account_max = (value as u32).into(),
                "funds" => funds = value,
                "owner" => owner = value as u32,
                other => panic!("{}: no desk has {other}", self.name()),
            }
        }
        Desk::open_owned(terms, funds, owner)
    }

    /// The lines with the answers that the engine gives now.
    fn played(&self) -> Vec<String> {
        let mut desk = self.desk();
        let head = self.head().count();
        let mut played = self.lines[..head].to_vec();
        for line in self.lines[head..].iter().filter(|line| !line.starts_with('>')) {
            if line.is_empty() || line.starts_with('#') {
                played.push(line.clone());
            } else {
                played.extend(desk.play(line).lines().map(str::to_string));
            }
        }
        played
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// Where two texts part: the line's number, and what stands there in each.
fn parting<'a>(expected: &'a [String], found: &'a [String]) -> Option<(usize, &'a str, &'a str)> {
    let line = |lines: &'a [String], at: usize| lines.get(at).map_or("(the end)", String::as_str);
    (0..expected.len().max(found.len()))
        .map(|at| (at + 1, line(expected, at), line(found, at)))
        .find(|(_, expected, found)| expected != found)
}

#[test]
fn every_scenario_is_answered_as_it_says() {
    let blesses = std::env::var_os("BALLAST_BLESS").is_some_and(|value| value == "1");
    let mut faults = String::new();
    for scenario in Scenario::all() {
        let played = scenario.played();
        if blesses {
            fs::write(&scenario.path, played.join("\n") + "\n").expect("written");
        } else if let Some((at, expected, found)) = parting(&scenario.lines, &played) {
            faults += &format!("\n{}:{at}\n  expected {expected}\n  found    {found}\n", scenario.name());
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_clause_that_a_scenario_names_exists() {
    let rules = fs::read_to_string(root().join("engine/RULES.md")).expect("the rules");
    let clauses: BTreeSet<&str> = rules.lines().filter_map(|line| line.split(' ').next()).collect();
    for scenario in Scenario::all() {
        let named = scenario.list("rules");
        assert!(!named.is_empty(), "{} names no rule", scenario.name());
        for clause in named {
            let is_number = clause.split('.').all(|part| part.parse::<u8>().is_ok());
            assert!(is_number && clauses.contains(clause), "{} names clause {clause}", scenario.name());
        }
    }
}

#[test]
fn every_row_has_a_scenario_and_every_scenario_a_row() {
    let scenarios = Scenario::all();
    let mut shown = BTreeSet::new();
    for scenario in &scenarios {
        let rows = scenario.list("rows");
        assert!(!rows.is_empty(), "{} shows no row", scenario.name());
        for row in rows {
            assert!(ROWS.contains(&row), "{}: no row is called {row}", scenario.name());
            shown.insert(row);
        }
    }
    let missing: Vec<&&str> = ROWS.iter().filter(|row| !shown.contains(**row)).collect();
    assert!(missing.is_empty(), "no scenario shows {missing:?}");
}
