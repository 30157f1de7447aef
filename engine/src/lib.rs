//! The exchange as a function: `(state, sequenced command) -> events`. No clock, no I/O, no threads, no floats, no
//! random iteration order, so that everybody who replays the same journal holds the same state. The market and margin
//! rules stand in `engine/RULES.md`; code and tests cite its clauses.

#![deny(unsafe_code)]
#![deny(clippy::float_arithmetic)]

pub mod command;
pub mod event;
pub mod layout;
pub mod limits;
pub mod logic;
pub mod message;
pub mod reject;
pub mod replay;
pub mod units;

mod account;
mod amend;
mod arm;
mod auction;
mod band;
mod book;
mod cancel;
mod closed_ids;
mod combo;
mod combo_fill;
mod combo_margin;
mod continuation;
mod depth;
mod drop_copy;
mod emit;
mod engine;
mod entry;
mod expiry;
mod fire;
mod form;
mod history;
mod iceberg;
mod instrument;
mod invariants;
mod ladder;
mod look_ahead;
mod looks;
mod margin;
mod mass_cancel;
mod mass_quote;
mod matching;
mod open_orders;
mod order;
mod pool;
mod position;
mod prefetch;
mod privileged;
mod protection;
mod reduce_only;
mod refusal;
mod restore;
mod self_trade;
mod session;
mod snapshot;
mod special;
mod standstill;
mod table;
mod timers;
mod trading_state;
mod trigger;
mod venue;
mod view;
mod window;

pub use combo::Leg;
pub use engine::{Engine, Sequenced};
pub use expiry::Due;
pub use look_ahead::LookAhead;
pub use mass_cancel::Scope;
pub use order::Tif;
pub use restore::SnapshotError;
pub use self_trade::{Stp, StpMode};
pub use standstill::Standstill;
pub use trading_state::TradingState;
pub use trigger::{Condition, Trigger, TriggerType};
pub use view::{AccountView, InstrumentView, OrderView, PositionView, SessionView};
