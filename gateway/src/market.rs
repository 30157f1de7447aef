//! What is told to everybody: the layouts of the market data (schema 7702) and of the packets that carry them.

pub mod message;
pub mod packet;
