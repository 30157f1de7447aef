//! `ballast init`: a directory that a venue can run from. Writes the operator's file, the keys, and for every session the file
//! that its member is given. Refuses to touch what is there.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

use crate::client_config::{ClientConfig, ClientInstrument};
use crate::config::{
    self, Account, CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, CONFIG_FILE, Capacities, Combo, Config, Gateway,
    Idle, Instrument, Journal, Key, Kind, Leg, Session, Threads, Venue,
};
use crate::keys::PublicKey;
use crate::market::settings::Market;
use crate::tls;

pub const CLIENTS_DIRECTORY: &str = "clients";
const KEYS_DIRECTORY: &str = "keys";
const KEY_ID: u64 = 1;

/// Members of the demonstration: name, account, session.
const MEMBERS: [(&str, u32, u64); 4] =
    [("alice", 10, 1001), ("bob", 11, 1002), ("carol", 12, 1003), ("dave", 13, 1004)];
const ORACLE: (&str, u64) = ("oracle", 9001);

fn instrument(
    id: u32,
    symbol: &str,
    kind: Kind,
    underlying: u32,
    sizes: [&str; 3],
    margin_ppm: u32,
) -> Instrument {
    let [tick, lot, mark] = sizes.map(String::from);
    Instrument {
        id,
        symbol: symbol.into(),
        kind,
        underlying,
        tick,
        lot,
        contract: "1".into(),
        mark,
        qty_max: 1_000_000,
        initial_margin_ppm: margin_ppm,
        maker_fee_ppm: 100,
        taker_fee_ppm: 400,
        price_band_ppm: 100_000,
    }
}

/// The future against the perpetual of the same underlying.
fn roll() -> Combo {
    let leg = |symbol: &str, ratio| Leg { instrument: symbol.into(), ratio };
    Combo {
        id: 4,
        symbol: "BTC-DEC26-PERP".into(),
        qty_max: 1_000_000,
        price_band_ppm: 50_000,
        legs: vec![leg("BTC-DEC26", 1), leg("BTC-PERP", -1)],
    }
}

/// The demonstration venue, without keys.
fn demo(name: &str, listen: &str, market: &str) -> Config {
    let member = |(name, account, _): &(&str, u32, u64)| Account {
        id: *account,
        name: (*name).into(),
        owner: 0,
        deposit: "1000000".into(),
    };
    Config {
        venue: Venue {
            name: name.into(),
            listen: listen.into(),
            threads: Threads::Auto,
            idle: Idle::Backoff,
            connections_max: 1_024,
        },
        market: Some(Market::at(market)),
        gateway: Gateway::default(),
        journal: Journal::default(),
        limits: Capacities::default(),
        instruments: vec![
            instrument(1, "BTC-PERP", Kind::Perpetual, 1, ["0.5", "0.001", "50000"], 50_000),
            instrument(2, "ETH-PERP", Kind::Perpetual, 2, ["0.05", "0.01", "3000"], 50_000),
            instrument(3, "BTC-DEC26", Kind::Future, 1, ["0.5", "0.001", "50500"], 80_000),
        ],
        combos: vec![roll()],
        accounts: MEMBERS.iter().map(member).collect(),
        sessions: Vec::new(),
    }
}

/// Writes everything; the paths that a person wants to know.
pub fn write_demo(
    directory: &Path,
    listen: &str,
    market: &str,
    tls: Option<&str>,
) -> Result<Vec<PathBuf>, String> {
    let name = directory.file_name().map_or("demo".into(), |name| name.to_string_lossy().into_owned());
    let mut config = demo(&name, listen, market);
    config.gateway.tls = tls.map(String::from);
    for sub in [KEYS_DIRECTORY, CLIENTS_DIRECTORY] {
        let path = directory.join(sub);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let mut written = match tls {
        Some(address) => write_certificate(directory, address)?,
        None => Vec::new(),
    };
    let members = MEMBERS.iter().map(|(name, account, session)| (*name, *account, *session, "trade"));
    for (name, account, session, role) in members.chain([(ORACLE.0, 0, ORACLE.1, "oracle")]) {
        let public = write_key(directory, name)?;
        let key = Key { id: KEY_ID, public, addresses: Vec::new(), revoked: false };
        config.sessions.push(Session {
            id: session,
            account,
            role: role.into(),
            rising_ids: false,
            keys: vec![key],
        });
        written.push(write_client(directory, &config, name, account, session, role)?);
    }
    config.check()?;
    let head = "# The venue that `ballast serve` runs from this directory. What is added here is created at the next start;\n\
                # instruments, combos, accounts and sessions that exist are never changed or removed from here.\n\
                # Keys alone also change while the venue runs: add `revoked = true` or `addresses = [\"10.1.0.0/16\", \"::1\"]` to a key, or\n\
                # another [[session.key]] to a session, and send the venue SIGHUP.\n\n";
    let body =
        toml::to_string(&config).map_err(|error| format!("the configuration cannot be written: {error}"))?;
    // Last, because its presence says that the directory is complete.
    let path = directory.join(CONFIG_FILE);
    write_new(&path, &format!("{head}{body}"), 0o644)?;
    written.push(path);
    let parent = directory.canonicalize().ok().and_then(|full| full.parent().map(Path::to_owned));
    let made = [directory.join(KEYS_DIRECTORY), directory.join(CLIENTS_DIRECTORY), directory.to_owned()];
    let certificates =
        written.first().filter(|_| tls.is_some()).and_then(|path| path.parent().map(Path::to_owned));
    for made in made.into_iter().chain(certificates).chain(parent) {
        let synced = fs::File::open(&made).and_then(|made| made.sync_all());
        synced.map_err(|error| format!("{}: {error}", made.display()))?;
    }
    Ok(written)
}

/// For the address that is served, and for a client on the same machine.
fn write_certificate(directory: &Path, address: &str) -> Result<Vec<PathBuf>, String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    let served = config::address(address)?.ip();
    if !served.is_loopback() && !served.is_unspecified() {
        names.push(served.to_string());
    }
    let (certificate, key) = tls::self_signed(&names)?;
    let paths = [(CERTIFICATE_FILE, certificate, 0o644), (CERTIFICATE_KEY_FILE, key, 0o600)];
    paths
        .into_iter()
        .map(|(file, text, mode)| {
            let path = directory.join(file);
            let parent = path.parent().unwrap_or(directory);
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
            write_new(&path, &text, mode).map(|()| path)
        })
        .collect()
}

fn write_key(directory: &Path, name: &str) -> Result<PublicKey, String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    let path = directory.join(KEYS_DIRECTORY).join(format!("{name}.pem"));
    // Without the public half: the form that `openssl genpkey` writes and every tool reads.
    let pem = KeypairBytes { secret_key: secret, public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    write_new(&path, &pem, 0o600)?;
    Ok(PublicKey(SigningKey::from_bytes(&secret).verifying_key()))
}

fn write_client(
    directory: &Path,
    config: &Config,
    name: &str,
    account: u32,
    session: u64,
    role: &str,
) -> Result<PathBuf, String> {
    let shown = |id, symbol: &str, sizes: &Instrument| ClientInstrument {
        id,
        symbol: symbol.into(),
        tick: sizes.tick.clone(),
        lot: sizes.lot.clone(),
    };
    let listed = config.instruments.iter().map(|one| shown(one.id, &one.symbol, one));
    // A combo has the tick and the lot of its legs.
    let combos = config.combos.iter().filter_map(|combo| {
        let leg = combo.legs.first().and_then(|leg| config.instrument(&leg.instrument))?;
        Some(shown(combo.id, &combo.symbol, leg))
    });
    let client = ClientConfig {
        address: config.gateway.tls.as_ref().unwrap_or(&config.venue.listen).clone(),
        session,
        key_id: KEY_ID,
        key_file: Path::new("..").join(KEYS_DIRECTORY).join(format!("{name}.pem")),
        account,
        role: role.into(),
        certificate: config.gateway.tls.as_ref().map(|_| Path::new("..").join(CERTIFICATE_FILE)),
        instruments: listed.chain(combos).collect(),
    };
    let text = toml::to_string(&client).map_err(|error| format!("{name}: {error}"))?;
    let path = directory.join(CLIENTS_DIRECTORY).join(format!("{name}.toml"));
    write_new(&path, &text, 0o644)?;
    Ok(path)
}

/// Never over what is there.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{} is there already, from an init that did not end; remove it, or name another directory", path.display())
            }
            _ => format!("{}: {error}", path.display()),
        })
}
