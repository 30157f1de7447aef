//! What an option is worth, and how a surface of volatilities says so: a pure function of integers to integers. Nothing here is
//! a float, so that every replica, of any build on any machine, computes the same bits. Knows no account and no order.

#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

pub mod black;
pub mod fraction;
pub mod gate;
pub mod implied;
pub mod normal;
pub mod ssvi;
pub mod svi;
