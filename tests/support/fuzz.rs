//! What a fuzzer drives: each target takes any bytes and panics when something is wrong. `commands` has engine and model
//! hear the same commands, `bytes` throws messages at the engine alone, `restore` reads damaged snapshots, `segments` and
//! `names` read damaged journals, `config` the operator's file, `frames` cuts streams, `session` and `logon` stand at the door,
//! `schema` reads schema files and messages by them. Owns what is looked at; the inputs that are kept stand under
//! `tests/golden/corpus`, one directory for each target.

mod door;
mod frames;
mod journals;
mod layouts;
mod messages;
mod mutate;
mod pair;
mod script;
mod seeds;
mod snapshots;
mod values;

pub use door::{logon, session};
pub use frames::{frames, schema};
pub use journals::{config, names, segments};
pub use messages::bytes;
pub use mutate::mutate;
pub use script::commands;
pub use seeds::seeds;
pub use snapshots::restore;

/// A target by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 10] = [
    ("commands", commands),
    ("bytes", bytes),
    ("restore", restore),
    ("segments", segments),
    ("names", names),
    ("config", config),
    ("frames", frames),
    ("session", session),
    ("logon", logon),
    ("schema", schema),
];

/// Reads an input from the front; what is missing at its end is zeros.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.number(1) as u8
    }

    /// `width` bytes, little-endian.
    fn number(&mut self, width: usize) -> u64 {
        let mut number = [0; 8];
        self.fill(&mut number[..width]);
        u64::from_le_bytes(number)
    }

    fn fill(&mut self, to: &mut [u8]) {
        let length = to.len().min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        to[..length].copy_from_slice(taken);
        self.rest = rest;
    }
}
