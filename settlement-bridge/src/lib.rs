//! The settlement bridge: a second engine beside the venue, in a process of its own, that tails the journal up to the
//! durable watermark, checks every event and digest that was recorded, and states the net positions. It opens the
//! journal for reading only and nothing it does can delay the writer. Nothing is anchored yet; `ANCHOR.md` says what
//! exists.

#![forbid(unsafe_code)]

pub mod cli;
pub mod follower;
pub mod ledger;
pub mod state;
pub mod statement;
pub mod stop;
pub mod verifier;
