//! Snapshots of a venue: made by a process that tails the journal, so that the engine never waits for one, and believed only
//! when a fresh process has loaded it. What a snapshot spares: reading the journal from its first command at a start, and
//! keeping all of it.

pub mod arguments;
mod bar;
pub mod create;
pub mod keeper;
pub mod prune;
pub mod reference;
pub mod retention;
pub mod scrubber;
pub mod standing;
pub mod verify;
