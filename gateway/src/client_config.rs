//! What a member is given: `clients/NAME.toml` with the venue's address, the session, the key, and the instruments.
//! Written by `ballast init`, read by every client. Knows no socket.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One member's file. `key_file` is a PKCS#8 PEM, relative to the file itself unless absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    pub address: String,
    pub session: u64,
    pub key_id: u64,
    pub key_file: PathBuf,
    pub account: u32,
    pub role: String,
    /// Where the venue is spoken to under TLS: a PEM file of its certificate, or of those who sign for it. Relative like `key_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    #[serde(default, rename = "instrument")]
    pub instruments: Vec<ClientInstrument>,
}

/// Sizes are decimal texts, as a person writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientInstrument {
    pub id: u32,
    pub symbol: String,
    pub tick: String,
    pub lot: String,
}

impl ClientConfig {
    /// Reads the file and makes `key_file` usable from any directory.
    pub fn load(path: &Path) -> Result<ClientConfig, String> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("{}: {error}; `ballast init` writes the clients' files", path.display())
        })?;
        let mut config: ClientConfig =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        config.key_file = directory.join(&config.key_file);
        config.certificate = config.certificate.map(|certificate| directory.join(certificate));
        Ok(config)
    }
}
