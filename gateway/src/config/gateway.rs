//! `[gateway]` of the operator's file: what strangers may take of the door before anybody knows who they are.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest that a source waits for its next logon.
pub const LOGON_BACKOFF_MS_MAX: u32 = 60_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Connections at once from one source: an IPv4 address, or 64 bits of an IPv6 address.
    pub connections_per_address: usize,
    /// New connections a second, as many at once; the others wait with the kernel.
    pub accepts_per_s: u32,
    /// How long a source waits after its third failed logon in a row, twice as long after each further one; 0 is never.
    pub logon_backoff_ms: u32,
    /// Address and port of order entry under TLS 1.3; left out, there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// PEM files of what TLS shows, relative to the venue's directory unless absolute: the certificate, with the chain behind it.
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    /// Plain TCP on other addresses than loopback, where anybody on the way can read and change what is said.
    pub plain_beyond_loopback: bool,
}

pub const CERTIFICATE_FILE: &str = "tls/certificate.pem";
pub const CERTIFICATE_KEY_FILE: &str = "tls/key.pem";

impl Default for Gateway {
    fn default() -> Gateway {
        Gateway {
            connections_per_address: 256,
            accepts_per_s: 1_000,
            logon_backoff_ms: 1_000,
            tls: None,
            tls_certificate: CERTIFICATE_FILE.into(),
            tls_key: CERTIFICATE_KEY_FILE.into(),
            plain_beyond_loopback: false,
        }
    }
}

impl Gateway {
    pub fn check(&self) -> Result<(), String> {
        if !(1..=65_536).contains(&self.connections_per_address) {
            return Err("[gateway] connections_per_address must be from 1 to 65536".into());
        }
        if !(1..=1_000_000).contains(&self.accepts_per_s) {
            return Err("[gateway] accepts_per_s must be from 1 to 1000000".into());
        }
        if self.logon_backoff_ms > LOGON_BACKOFF_MS_MAX {
            return Err(format!("[gateway] logon_backoff_ms must be from 0 to {LOGON_BACKOFF_MS_MAX}"));
        }
        self.tls
            .as_deref()
            .map_or(Ok(()), |tls| address(tls).map(drop).map_err(|fault| format!("[gateway] tls: {fault}")))
    }
}

/// An address and a port as a file writes them.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address with a port, ADDRESS:PORT"))
}
