//! Order entry for a Ballast venue, as a market maker writes it: one TCP connection, numbered commands, events told exactly
//! once and in order, and a session that resumes where it stood. `gateway/PROTOCOL.md` is what is spoken, `engine/RULES.md`
//! what the venue does with it.
//!
//! ```no_run
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use ballast_client::orders::{self, Tif};
//! use ballast_client::{Client, ClientConfig, Side};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = ClientConfig::load(Path::new("ballast-dev/clients/alice.toml"))?;
//!     let mut client = Client::connect(&config)?;
//!     // 10 lots of instrument 1 at 49000, under the client id 1.
//!     client.send(orders::limit(config.account, 1, Side::Buy, 49_000_000_000_000, 10, Tif::Gtc, 1))?;
//!     client.send(orders::modify(config.account, 1, 2, Some(49_000_500_000_000), Some(12)))?;
//!     client.send(orders::cancel_by_cl_ord_id(config.account, 1, 3))?;
//!     while let Some(event) = client.next_event(Duration::from_millis(200))? {
//!         println!("{:?}", event.body);
//!     }
//!     Ok(client.logout()?)
//! }
//! ```
//!
//! [`Client::next_event`] is the style that waits; [`Client::run`] calls a [`Handler`] back. Neither has a thread: they work
//! while they are called, and must be called at least once per keep-alive.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub use engine::reject::Reject;
pub use engine::units::Side;
pub use engine::{Condition, TriggerType, command, event};
pub use gateway::client::{
    Body, Client, ClientError, ConnectOptions, Event, Handler, Resumed, SessionPosition, Step, orders,
    portfolio,
};
pub use gateway::client_config::{ClientConfig, ClientInstrument};
pub use gateway::decimal;
