//! The journal against its own promises: what is written is read, what is durable is never lost, what is damaged
//! is never believed. One file per concern; `support` holds the workload, the oracle and the faulty disk.

mod background;
mod bit_rot;
mod follower;
mod inspect;
mod kills;
mod loss;
mod nested_kills;
mod power_cut;
mod processes;
mod refusals;
mod round_trip;
mod snapshots;
mod space;
pub mod support;
mod system_calls;
mod torn_tail;
