//! The process of the venue: sockets and sessions in front of the engine, the log and the journal behind it.
//! Knows nothing of matching, margin or chains.

// A print that cannot be written panics: `cli::say` and `cli::warn` do not.
#![deny(unsafe_code, clippy::print_stdout, clippy::print_stderr)]

pub mod canceling;
pub mod cli;
pub mod client;
pub mod client_config;
pub mod clock;
pub mod config;
pub mod connection;
pub mod decimal;
pub mod dev;
pub mod doorkeeper;
pub mod drift;
pub mod frame;
pub mod genesis;
pub mod history;
pub mod init;
pub mod journaler;
pub mod keys;
pub mod log;
pub mod logic;
mod loss;
pub mod manner;
pub mod market;
pub mod matcher;
pub mod message;
pub mod net;
pub mod outbox;
pub mod peers;
pub mod pipeline;
pub mod quoting;
pub mod recovery;
pub mod release;
pub mod renewal;
#[allow(unsafe_code)]
pub mod ring;
pub mod schema;
pub mod sentence;
pub mod serve;
pub mod session;
pub mod shell;
mod shortage;
pub mod snapshots;
pub mod space;
pub mod stage;
pub mod tls;
pub mod tools;
pub mod venue_id;
mod wire;
