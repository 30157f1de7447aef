//! Shared pieces of the benches.

#![forbid(unsafe_code)]

pub mod contest;
pub mod floor;
pub mod market;
pub mod ours;
#[cfg(feature = "peers")]
pub mod peers;
