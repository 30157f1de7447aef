//! Every input that fuzzing kept, through its target again. `BALLAST_INPUT` names a file and `BALLAST_TARGET` its target,
//! and only that one runs; `BALLAST_FUZZ_SECONDS` goes on with changed inputs for so long, for machines without a fuzzer.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use tests::fuzz::{TARGETS, Target, mutate};
use tests::workload::Draw;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/corpus").join(target);
    let files = fs::read_dir(&home).unwrap_or_else(|error| panic!("{}: {error}", home.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a readable directory").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a readable file"))).collect()
}

/// Says which input it was when a panic happened, and keeps it.
struct Place<'a> {
    target: &'a str,
    path: &'a Path,
    input: &'a [u8],
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = env::temp_dir().join(format!("ballast-{}-{}", self.target, std::process::id()));
            let _ = fs::write(&kept, self.input);
            eprintln!("target {}, from {}; to repeat it:", self.target, self.path.display());
            eprintln!(
                "BALLAST_TARGET={} BALLAST_INPUT={} cargo test -p tests --test corpus",
                self.target,
                kept.display()
            );
        }
    }
}

fn run(target: Target, path: &Path, input: &[u8]) {
    let _place = Place { target: target.0, path, input };
    target.1(input);
}

#[test]
fn the_corpus_finds_nothing() {
    let only = env::var("BALLAST_TARGET").ok();
    let seconds = env::var("BALLAST_FUZZ_SECONDS").map_or(0, |it| it.parse().expect("a number of seconds"));
    let wanted = TARGETS.iter().filter(|it| only.as_deref().is_none_or(|name| name == it.0));
    for target in wanted {
        if let Ok(path) = env::var("BALLAST_INPUT") {
            let path = Path::new(&path);
            run(*target, path, &fs::read(path).expect("a readable file"));
            continue;
        }
        let inputs = corpus(target.0);
        assert!(!inputs.is_empty(), "nothing is kept for {}", target.0);
        inputs.iter().for_each(|(path, input)| run(*target, path, input));
        change(*target, &inputs, Duration::from_secs(seconds));
    }
}

fn change(target: Target, inputs: &[(PathBuf, Vec<u8>)], length: Duration) {
    let seed = env::var("BALLAST_SEED").map_or(1, |it| it.parse().expect("a number"));
    let (mut draw, started, mut count) = (Draw::new(seed), Instant::now(), 0);
    while started.elapsed() < length {
        let [(path, input), (_, other)] = [0; 2].map(|_| &inputs[draw.below(inputs.len() as u64) as usize]);
        run(target, path, &mutate(&mut draw, input, other));
        count += 1;
    }
    println!(
        "F1 fuzz: {}: {} kept inputs, {count} changed ones, 0 failures (BALLAST_SEED={seed})",
        target.0,
        inputs.len()
    );
}
