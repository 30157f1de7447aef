//! Tools that measure a running venue from outside, as a member sees it. They know frames and client files; they share no
//! memory and no clock with the venue.

#![forbid(unsafe_code)]

pub mod acks;
pub mod bare;
pub mod member;
pub mod recovery;
pub mod replay;
pub mod stage_cost;
pub mod summary;
pub mod sync_cost;
pub mod workload;
