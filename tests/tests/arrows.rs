//! Holds the shape of the workspace: which crate may import which, where `unsafe` may stand, and that the engine is a
//! function. Reads manifests and sources as text, and shows of every check that it can fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// Crate, and what of the workspace it may import.
const ARROWS: [(&str, &[&str]); 9] = [
    ("engine", &[]),
    ("risk-model", &["engine"]),
    ("journal", &[]),
    ("gateway", &["engine", "journal", "risk-model"]),
    ("ballast-client", &["engine", "gateway"]),
    ("settlement-bridge", &["engine", "journal", "gateway"]),
    ("perf", &["engine", "journal", "gateway"]),
    ("benches", &["engine", "risk-model", "journal", "gateway", "settlement-bridge", "perf"]),
    (
        "tests",
        &[
            "engine",
            "risk-model",
            "journal",
            "gateway",
            "ballast-client",
            "settlement-bridge",
            "perf",
            "benches",
        ],
    ),
];

const ENGINE_MAY_USE: [&str; 3] = ["blake3", "fixed", "zerocopy"];
const ENGINE_NEVER_NAMES: [&str; 6] = ["f32", "f64", "HashMap", "HashSet", "SystemTime", "Instant"];
const ENGINE_NEVER_IMPORTS: [&str; 7] = ["fs", "net", "thread", "time", "io", "env", "process"];

/// The ring, the memory map and the answer to its faults, one instruction of the engine that has no safe form, and tests that
/// count allocations.
const UNSAFE_MAY_STAND_IN: [&str; 6] = [
    "gateway/src/ring",
    "journal/src/map.rs",
    "journal/src/bus.rs",
    "engine/src/prefetch.rs",
    "engine/tests/allocation.rs",
    "tests/tests/allocation.rs",
];
const MAY_DENY_INSTEAD_OF_FORBID: [&str; 3] = ["engine", "gateway", "journal"];

const TOP_LEVEL: [&str; 12] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "engine",
    "gateway",
    "journal",
    "settlement-bridge",
    "benches",
    "perf",
    "tests",
    "target",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(text: &str) -> Table {
    text.parse().expect("a manifest is TOML")
}

fn members() -> Vec<String> {
    let workspace = manifest(&read(&root().join("Cargo.toml")));
    let members = workspace["workspace"]["members"].as_array().expect("members is a list");
    members.iter().map(|member| member.as_str().expect("a member is a path").to_string()).collect()
}

/// Every .rs file below `directory`.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources_of(member: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join(member), &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root()).expect("below the root").display().to_string();
    found.iter().map(|path| (relative(path), read(path))).collect()
}

// The checks, each from text to what is wrong with it.

/// The names in every dependency table of a manifest, those of targets included.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                for (name, wanted) in table {
                    let renamed = wanted.get("package").and_then(|package| package.as_str());
                    names.insert(renamed.unwrap_or(name).to_string());
                }
            }
            "target" => {
                names.extend(table.values().filter_map(|it| it.as_table()).flat_map(dependencies));
            }
            _ => {}
        }
    }
    names
}

fn wrong_arrows(manifest: &Table) -> Vec<String> {
    let name = manifest["package"]["name"].as_str().expect("a package has a name");
    let Some((_, allowed)) = ARROWS.iter().find(|(member, _)| *member == name) else {
        return vec![format!("{name} is not in the table of arrows")];
    };
    let here = |import: &String| ARROWS.iter().any(|(member, _)| member == import);
    let imports = dependencies(manifest).into_iter().filter(here);
    imports
        .filter(|import| !allowed.contains(&import.as_str()))
        .map(|import| format!("{name} imports {import}"))
        .collect()
}

fn foreign_to_the_engine(manifest: &Table) -> Vec<String> {
    let Some(table) = manifest.get("dependencies").and_then(|table| table.as_table()) else {
        return Vec::new();
    };
    table.keys().filter(|name| !ENGINE_MAY_USE.contains(&name.as_str())).cloned().collect()
}

/// The source without comments, strings and characters.
fn code_only(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut code = String::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        at = match (text[at], next) {
            ('/', Some('/')) => past(&text, at, "\n"),
            ('/', Some('*')) => past(&text, at + 2, "*/"),
            ('r', Some('#')) if text.get(at + 2) == Some(&'"') => past(&text, at + 3, "\"#"),
            ('"', _) => past_string(&text, at + 1, '"'),
            ('\'', Some('\\')) => past_string(&text, at + 1, '\''),
            ('\'', Some(_)) if text.get(at + 2) == Some(&'\'') => at + 3,
            (other, _) => {
                code.push(other);
                at + 1
            }
        };
    }
    code
}

fn past(text: &[char], from: usize, end: &str) -> usize {
    let end: Vec<char> = end.chars().collect();
    (from..text.len()).find(|at| text[*at..].starts_with(&end)).map_or(text.len(), |at| at + end.len())
}

fn past_string(text: &[char], mut at: usize, end: char) -> usize {
    while at < text.len() && text[at] != end {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

fn names_unsafe(source: &str) -> bool {
    words(&code_only(source)).any(|word| word == "unsafe")
}

/// What the source takes from `std`: the first name of each path, those in braces too.
fn taken_from_std(source: &str) -> Vec<String> {
    let code: String = code_only(source).split_whitespace().collect();
    let starts = code.match_indices("std::").map(|(at, found)| at + found.len());
    starts.flat_map(|at| first_names(&code[at..])).collect()
}

fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| words(text).next().unwrap_or("").to_string();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            '}' => {
                names.push(name(&group[start..at]));
                break;
            }
            _ => {}
        }
    }
    names
}

fn impurities(source: &str) -> Vec<String> {
    let code = code_only(source);
    let mut found: Vec<String> =
        words(&code).filter(|word| ENGINE_NEVER_NAMES.contains(word)).map(String::from).collect();
    let taken =
        taken_from_std(source).into_iter().filter(|name| ENGINE_NEVER_IMPORTS.contains(&name.as_str()));
    found.extend(taken.map(|name| format!("std::{name}")));
    found
}

/// Whether a crate root holds `unsafe` out. A root without any code needs nothing.
fn guards(member: &str, source: &str) -> bool {
    let code: String = code_only(source).split_whitespace().collect();
    let denies = code.contains("#![deny(unsafe_code") && MAY_DENY_INSTEAD_OF_FORBID.contains(&member);
    code.is_empty() || code.contains("#![forbid(unsafe_code") || denies
}

fn is_root(member: &str, path: &str) -> bool {
    let inside = path.strip_prefix(member).unwrap_or(path);
    let bins = inside.starts_with("/src/bin/");
    bins || ["/src/lib.rs", "/src/main.rs", "/support/lib.rs", "/build.rs"].contains(&inside)
}

fn belongs_at_the_top(name: &str) -> bool {
    name.starts_with('.') || TOP_LEVEL.contains(&name)
}

// The workspace as it stands.

#[test]
fn crates_import_only_along_the_arrows() {
    for member in members() {
        let manifest = manifest(&read(&root().join(&member).join("Cargo.toml")));
        assert_eq!(wrong_arrows(&manifest), Vec::<String>::new());
    }
}

#[test]
fn the_engine_depends_on_computation_only() {
    let manifest = manifest(&read(&root().join("engine/Cargo.toml")));
    assert_eq!(foreign_to_the_engine(&manifest), Vec::<String>::new());
}

#[test]
fn the_engine_is_a_function() {
    let sources = sources_of("engine/src");
    assert!(sources.len() >= 7, "the engine's sources were not found");
    for (path, source) in sources {
        assert_eq!(impurities(&source), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn unsafe_stands_only_where_it_may() {
    for member in members() {
        for (path, source) in sources_of(&member) {
            let may = UNSAFE_MAY_STAND_IN.iter().any(|allowed| path.starts_with(allowed));
            assert!(may || !names_unsafe(&source), "{path} names unsafe");
        }
    }
}

#[test]
fn every_crate_root_holds_unsafe_out() {
    for member in members() {
        let sources = sources_of(&member);
        let roots: Vec<_> = sources.iter().filter(|(path, _)| is_root(&member, path)).collect();
        assert!(!roots.is_empty(), "{member} has no root");
        for (path, source) in roots {
            assert!(guards(&member, source), "{path}: no forbid(unsafe_code)");
        }
    }
}

#[test]
fn nothing_else_stands_at_the_top() {
    for entry in fs::read_dir(root()).expect("the root is readable") {
        let name = entry.expect("a readable entry").file_name().into_string().expect("a plain name");
        assert!(belongs_at_the_top(&name), "{name} does not belong at the top level");
    }
}

// The checks themselves.

#[test]
fn an_arrow_that_points_back_is_seen() {
    let wrong = |text: &str| wrong_arrows(&manifest(text)).len();
    assert_eq!(wrong("[package]\nname = 'engine'\n[dependencies]\nblake3.workspace = true"), 0);
    assert_eq!(wrong("[package]\nname = 'engine'\n[dependencies]\njournal.workspace = true"), 1);
    assert_eq!(wrong("[package]\nname = 'journal'\n[dev-dependencies]\nengine.workspace = true"), 1);
    assert_eq!(wrong("[package]\nname = 'journal'\n[target.'cfg(unix)'.dependencies]\ngateway = '1'"), 1);
    assert_eq!(
        wrong(
            "[package]\nname = 'perf'\n[dependencies]\nlog = { package = 'settlement-bridge', version = '1' }"
        ),
        1
    );
    assert_eq!(wrong("[package]\nname = 'perf'\n[build-dependencies]\ntests.path = '../tests'"), 1);
    assert_eq!(wrong("[package]\nname = 'newcomer'"), 1);
}

#[test]
fn a_foreign_dependency_is_seen() {
    let foreign = |text: &str| foreign_to_the_engine(&manifest(text));
    assert_eq!(foreign("[dependencies]\nzerocopy = '1'\nfixed = '1'"), Vec::<String>::new());
    assert_eq!(foreign("[dependencies]\nmio = '1'"), ["mio"]);
}

#[test]
fn an_impure_line_is_seen() {
    let samples = [
        ("use std::fs;", "std::fs"),
        ("use std::{collections::BTreeMap, io::{self, Read}};", "std::io"),
        ("use std :: {fmt::{self, Debug}, env};", "std::env"),
        ("fn now() { ::std::time::now() }", "std::time"),
        ("let ratio: f64 = 1;", "f64"),
        ("use std::collections::HashMap;", "HashMap"),
        ("let at = Instant::now();", "Instant"),
        ("let mark = '\"'; let half = 0 as f32;", "f32"),
        ("fn life<'a>(text: &'a str) { thread_local(); std::process::exit(1) }", "std::process"),
    ];
    for (sample, fault) in samples {
        assert_eq!(impurities(sample), [fault], "{sample}");
    }
    for sample in ["// std::fs and f64", "/* HashMap */ let f641 = 1;", "let text = \"f64 \\\" Instant\";"] {
        assert_eq!(impurities(sample), Vec::<String>::new(), "{sample}");
    }
}

#[test]
fn an_unsafe_line_is_seen() {
    assert!(names_unsafe("fn a() { unsafe { b() } }"));
    assert!(names_unsafe("let quote = '\"'; unsafe impl Send for A {} let other = '\"';"));
    assert!(names_unsafe("let a = '\\''; unsafe { b(\"\") }"));
    assert!(!names_unsafe("#![forbid(unsafe_code)] // unsafe\nlet a = \"unsafe\"; let b = r#\"unsafe\"#;"));
}

#[test]
fn an_open_root_is_seen() {
    assert!(guards("engine", "//! Words.\n#![forbid(unsafe_code)]\nfn a() {}"));
    assert!(guards("gateway", "#![deny(unsafe_code)]\nfn a() {}"));
    assert!(guards("perf", "//! Words only."));
    assert!(!guards("perf", "#![deny(unsafe_code)]\nfn a() {}"));
    assert!(!guards("gateway", "// #![forbid(unsafe_code)]\nfn a() {}"));
    assert!(is_root("engine", "engine/src/lib.rs"));
    assert!(is_root("gateway", "gateway/src/main.rs"));
    assert!(!is_root("engine", "engine/src/book.rs"));
}

#[test]
fn a_stray_entry_is_seen() {
    assert!(belongs_at_the_top(".gitignore"));
    assert!(belongs_at_the_top("journal"));
    assert!(!belongs_at_the_top("notes.md"));
    assert!(!belongs_at_the_top("docs"));
}
