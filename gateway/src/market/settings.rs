//! `[market]` of `ballast.toml`: where market data is told, and how much of it is kept.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};

/// Lines of multicast: A, and B with the same packets.
const LINES_MAX: usize = 2;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Address and port of the feed. Nobody proves who they are there, so loopback only.
    pub listen: String,
    #[serde(default = "connections_default")]
    pub connections_max: usize,
    /// Messages that stay in memory to be told again.
    #[serde(default = "replay_mib_default")]
    pub replay_mib: usize,
    /// Groups that every message is sent to as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multicast: Vec<SocketAddrV4>,
    /// The address of the interface that packets leave by.
    #[serde(default = "interface_default", skip_serializing_if = "is_interface_default")]
    pub interface: Ipv4Addr,
}

fn connections_default() -> usize {
    256
}

fn replay_mib_default() -> usize {
    64
}

fn interface_default() -> Ipv4Addr {
    Ipv4Addr::LOCALHOST
}

fn is_interface_default(interface: &Ipv4Addr) -> bool {
    *interface == interface_default()
}

impl Market {
    pub fn at(listen: &str) -> Market {
        Market {
            listen: listen.into(),
            connections_max: connections_default(),
            replay_mib: replay_mib_default(),
            multicast: Vec::new(),
            interface: interface_default(),
        }
    }

    /// What the file's shape does not express, but where it may listen.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=4_096).contains(&self.connections_max) {
            return Err("[market] connections_max must be from 1 to 4096".into());
        }
        if !(1..=16_384).contains(&self.replay_mib) {
            return Err("[market] replay_mib must be from 1 to 16384".into());
        }
        if self.multicast.len() > LINES_MAX {
            return Err(format!("[market] multicast has at most {LINES_MAX} lines, A and B"));
        }
        match self.multicast.iter().find(|line| !line.ip().is_multicast()) {
            Some(line) => Err(format!("[market] multicast: {line} is not a multicast address")),
            None => Ok(()),
        }
    }
}
