//! Market data: what the venue tells everybody. `MARKET-DATA.md` says what it means.

pub mod archive;
pub mod book;
pub mod feed;
pub mod hash;
pub mod message;
pub mod multicast;
pub mod packet;
pub mod present;
pub mod projection;
pub mod settings;
pub mod shadow;
pub mod subscriber;
pub mod window;

/// A venue has one channel.
pub const CHANNEL: u32 = 1;
