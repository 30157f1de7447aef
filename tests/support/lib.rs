//! What the tests share: the naive model, workloads, checkers, a raw peer, and venues in processes of their own.

#![forbid(unsafe_code)]

pub mod agreement;
pub mod audit;
pub mod crowd;
pub mod fuzz;
pub mod heard;
pub mod listener;
pub mod member;
pub mod model;
pub mod orders;
pub mod peer;
pub mod text;
pub mod tier;
pub mod venue;
pub mod workload;
pub mod written;
