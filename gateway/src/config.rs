//! `DIR/ballast.toml`: what an operator decides. Parsed once at the door; what comes out of `Config::load` is consistent,
//! so nobody behind it checks again. Knows the shape of the file, not what the venue does with it.

mod gateway;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::command::{Char16, Char32, Role};
use engine::limits::{ACCOUNT_MEMBERS_FROM, Limits};
use serde::{Deserialize, Serialize};

pub use self::gateway::{CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, Gateway, LOGON_BACKOFF_MS_MAX, address};
use crate::decimal;
use crate::keys::{self, Keys, Network, PublicKey};
use crate::market::settings::Market;
use crate::message::fixed_text;
use crate::release::{Release, SyncMode};
use crate::snapshots::retention::SNAPSHOTS_MIN;

pub const CONFIG_FILE: &str = "ballast.toml";
pub const JOURNAL_DIRECTORY: &str = "journal";
const LEGS_MAX: usize = 4;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub venue: Venue,
    /// Without it nobody is told market data.
    #[serde(default)]
    pub market: Option<Market>,
    #[serde(default)]
    pub gateway: Gateway,
    #[serde(default)]
    pub journal: Journal,
    #[serde(default)]
    pub limits: Capacities,
    #[serde(default, rename = "instrument")]
    pub instruments: Vec<Instrument>,
    #[serde(default, rename = "combo")]
    pub combos: Vec<Combo>,
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    #[serde(default, rename = "session")]
    pub sessions: Vec<Session>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venue {
    pub name: String,
    /// Address and port of order entry. Plain TCP, so loopback only.
    pub listen: String,
    #[serde(default)]
    pub threads: Threads,
    #[serde(default)]
    pub idle: Idle,
    #[serde(default = "connections_default")]
    pub connections_max: usize,
}

/// How the stages are laid on threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Threads {
    /// By the number of cores: one is blocking, two or three single, four and more dedicated.
    #[default]
    Auto,
    /// A thread per stage that sleeps as soon as it has nothing to do.
    Blocking,
    /// All stages on one pinned thread, which waits for the disk itself.
    Single,
    /// Gateway and engine on one pinned thread, the journal on another.
    Shared,
    /// A pinned thread per stage.
    Dedicated,
}

/// What a stage thread does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    Spin,
    /// Spins for a moment, then sleeps until rung.
    #[default]
    Backoff,
    Block,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    #[serde(default)]
    pub sync: SyncMode,
    /// With sync = "async": after so long the sync of a group starts.
    #[serde(default = "async_ms_default")]
    pub async_ms: u64,
    /// With sync = "async": the journal takes no more commands while this much is not durable.
    #[serde(default = "async_mib_default")]
    pub async_mib: u64,
    #[serde(default)]
    pub back_end: BackEnd,
    #[serde(default = "segment_mib_default")]
    pub segment_mib: u64,
    /// A digest of the whole state stands in the journal after every so many commands.
    #[serde(default = "mark_every_default")]
    pub mark_every: u64,
    /// A process makes a snapshot when so many commands have become durable since the last; 0 makes none.
    #[serde(default = "snapshot_every_default")]
    pub snapshot_every: u64,
    /// Older snapshots than these go.
    #[serde(default = "snapshots_keep_default")]
    pub snapshots_keep: usize,
    /// Sealed segments that stay although nobody needs them; left out, no segment is ever removed.
    #[serde(default)]
    pub keep_segments: Option<u64>,
    /// A segment is copied here before it is removed.
    #[serde(default)]
    pub archive: Option<PathBuf>,
    /// How fast sealed segments are read again to find damage; 0 reads none.
    #[serde(default = "scrub_mib_per_s_default")]
    pub scrub_mib_per_s: u64,
    /// A consumer that is so far behind raises an alarm.
    #[serde(default = "consumer_alarm_mib_default")]
    pub consumer_alarm_mib: u64,
    /// One that is so far behind ends the venue; 0 is never.
    #[serde(default)]
    pub consumer_halt_mib: u64,
}

/// How groups reach the disk; the files do not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackEnd {
    /// pwrite into the page cache and fdatasync.
    #[default]
    Written,
    /// Stores into a mapping of the segment, and fdatasync.
    Mapped,
    /// Writes past the page cache that are durable when they return.
    Direct,
}

impl From<BackEnd> for journal::BackEnd {
    fn from(back_end: BackEnd) -> journal::BackEnd {
        match back_end {
            BackEnd::Written => journal::BackEnd::Written,
            BackEnd::Mapped => journal::BackEnd::Mapped,
            BackEnd::Direct => journal::BackEnd::Direct,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capacities {
    pub accounts: u32,
    pub instruments: u32,
    pub sessions: u32,
    pub orders: u32,
    pub levels: u32,
    pub positions: u32,
    pub orders_per_account: u32,
    pub matches_per_command: u32,
    pub closed_ids: u32,
    pub mmp_groups: u32,
    pub special_orders: u32,
    pub special_orders_per_account: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    pub id: u32,
    pub symbol: String,
    pub kind: Kind,
    #[serde(default)]
    pub underlying: u32,
    pub tick: String,
    pub lot: String,
    #[serde(default = "one")]
    pub contract: String,
    pub mark: String,
    pub qty_max: i64,
    pub initial_margin_ppm: u32,
    #[serde(default)]
    pub maker_fee_ppm: u32,
    #[serde(default)]
    pub taker_fee_ppm: u32,
    /// How far from the mark an order may be priced; 0 is anywhere.
    #[serde(default)]
    pub price_band_ppm: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Perpetual = 1,
    Future = 2,
}

/// Instruments that trade together in a book of their own (section 11 of the rules).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combo {
    pub id: u32,
    pub symbol: String,
    pub qty_max: i64,
    /// How far from the mark an order may be priced, measured on the marks of all legs together.
    pub price_band_ppm: u32,
    #[serde(default, rename = "leg")]
    pub legs: Vec<Leg>,
}

/// So many lots for each lot of the combo, the other way where the ratio is negative.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The symbol of an `[[instrument]]` of this file.
    pub instrument: String,
    pub ratio: i32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub id: u32,
    pub name: String,
    /// Who has it: accounts of one owner may keep from trading with each other (rule 5.8); 0 is nobody.
    #[serde(default)]
    pub owner: u32,
    /// Collateral that the account starts with.
    #[serde(default = "zero")]
    pub deposit: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub id: u64,
    #[serde(default)]
    pub account: u32,
    pub role: String,
    /// The client ids of its orders only rise.
    #[serde(default)]
    pub rising_ids: bool,
    #[serde(default, rename = "key")]
    pub keys: Vec<Key>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub id: u64,
    pub public: PublicKey,
    /// Where it may come from; left out, from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Network>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub revoked: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn connections_default() -> usize {
    1_024
}
fn async_ms_default() -> u64 {
    10
}

fn async_mib_default() -> u64 {
    16
}

fn segment_mib_default() -> u64 {
    64
}
fn mark_every_default() -> u64 {
    10_000
}
fn snapshot_every_default() -> u64 {
    1_000_000
}
fn snapshots_keep_default() -> usize {
    3
}
fn scrub_mib_per_s_default() -> u64 {
    8
}
fn consumer_alarm_mib_default() -> u64 {
    1_024
}
fn one() -> String {
    "1".into()
}
fn zero() -> String {
    "0".into()
}

impl Journal {
    /// What happens with what lies behind the venue, for the operator.
    pub fn shown(&self) -> String {
        let made = match self.snapshot_every {
            0 => "none is made".into(),
            every => format!("one after every {every} commands, {} are kept", self.snapshots_keep),
        };
        match self.keep_segments {
            None => format!("{made}; no segment is removed"),
            Some(keep) => format!("{made}; {keep} segments are kept beyond those that are needed"),
        }
    }
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            sync: SyncMode::default(),
            async_ms: async_ms_default(),
            async_mib: async_mib_default(),
            back_end: BackEnd::default(),
            segment_mib: segment_mib_default(),
            mark_every: mark_every_default(),
            snapshot_every: snapshot_every_default(),
            snapshots_keep: snapshots_keep_default(),
            keep_segments: None,
            archive: None,
            scrub_mib_per_s: scrub_mib_per_s_default(),
            consumer_alarm_mib: consumer_alarm_mib_default(),
            consumer_halt_mib: 0,
        }
    }
}

impl Default for Capacities {
    fn default() -> Capacities {
        let limits = Limits::DEMO;
        Capacities {
            accounts: limits.accounts,
            instruments: limits.instruments,
            sessions: limits.sessions,
            orders: limits.orders,
            levels: limits.levels,
            positions: limits.positions,
            orders_per_account: limits.orders_per_account,
            matches_per_command: limits.matches_per_command,
            closed_ids: limits.closed_ids,
            mmp_groups: limits.mmp_groups,
            special_orders: limits.special_orders,
            special_orders_per_account: limits.special_orders_per_account,
        }
    }
}

impl Capacities {
    /// What the engine is opened with.
    pub fn limits(&self) -> Limits {
        Limits {
            accounts: self.accounts,
            instruments: self.instruments,
            sessions: self.sessions,
            orders: self.orders,
            special_orders: self.special_orders,
            special_orders_per_account: self.special_orders_per_account,
            levels: self.levels,
            positions: self.positions,
            orders_per_account: self.orders_per_account,
            matches_per_command: self.matches_per_command,
            closed_ids: self.closed_ids,
            mmp_groups: self.mmp_groups,
        }
    }

    fn check(&self) -> Result<(), String> {
        let Some(place) = self.limits().first_out_of_range() else { return Ok(()) };
        let (name, range) = &Limits::RANGES[place];
        Err(format!("[limits] {name} must be from {} to {}", range.start(), range.end()))
    }
}

impl Config {
    /// Reads and checks `directory/ballast.toml`; the error names the file, the place and the fault.
    pub fn load(directory: &Path) -> Result<Config, String> {
        let path = directory.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!("{}: {error}; `ballast init {}` writes one", path.display(), directory.display())
        })?;
        let config: Config = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        config.check().map_err(|fault| format!("{}: {fault}", path.display()))?;
        Ok(config)
    }

    pub fn journal_directory(directory: &Path) -> PathBuf {
        directory.join(JOURNAL_DIRECTORY)
    }

    /// Every rule that the file's shape does not express.
    pub fn check(&self) -> Result<(), String> {
        check_listen(&self.venue.listen, self.gateway.plain_beyond_loopback)
            .map_err(|fault| format!("[venue] listen: {fault}"))?;
        if !(1..=65_536).contains(&self.venue.connections_max) {
            return Err("[venue] connections_max must be from 1 to 65536".into());
        }
        if let Some(market) = &self.market {
            check_listen(&market.listen, false).map_err(|fault| format!("[market] listen: {fault}"))?;
            market.check()?;
        }
        self.gateway.check()?;
        if !(4..=4_096).contains(&self.journal.segment_mib) {
            return Err("[journal] segment_mib must be from 4 to 4096".into());
        }
        if !(1..=10_000).contains(&self.journal.async_ms) {
            return Err("[journal] async_ms must be from 1 to 10000".into());
        }
        if !(1..=1_024).contains(&self.journal.async_mib) {
            return Err("[journal] async_mib must be from 1 to 1024".into());
        }
        if self.journal.mark_every == 0 {
            return Err("[journal] mark_every must be at least 1".into());
        }
        if self.journal.snapshots_keep < SNAPSHOTS_MIN {
            return Err(
                "[journal] snapshots_keep must be at least 2: one to start from, one to fall back on".into(),
            );
        }
        if self.journal.scrub_mib_per_s > 1 << 20 {
            return Err("[journal] scrub_mib_per_s must be at most 1048576".into());
        }
        if self.journal.consumer_alarm_mib == 0 {
            return Err("[journal] consumer_alarm_mib must be at least 1".into());
        }
        if self.journal.archive.as_ref().is_some_and(|archive| archive.is_relative()) {
            return Err("[journal] archive must be an absolute path".into());
        }
        self.limits.check()?;
        let ids = self.instruments.iter().map(|instrument| instrument.id);
        unique("instrument id", ids.chain(self.combos.iter().map(|combo| combo.id)))?;
        let symbols = self.instruments.iter().map(|instrument| &instrument.symbol);
        unique("instrument symbol", symbols.chain(self.combos.iter().map(|combo| &combo.symbol)))?;
        unique("account id", self.accounts.iter().map(|account| account.id))?;
        unique("account name", self.accounts.iter().map(|account| &account.name))?;
        unique("session id", self.sessions.iter().map(|session| session.id))?;
        self.instruments.iter().try_for_each(Instrument::check)?;
        self.combos.iter().try_for_each(|combo| combo.check(self))?;
        self.accounts.iter().try_for_each(Account::check)?;
        self.sessions.iter().try_for_each(|session| session.check(self))?;
        self.keys().map(|_| ())
    }

    pub fn release(&self) -> Release {
        Release {
            mode: self.journal.sync,
            async_ns: self.journal.async_ms * 1_000_000,
            unsynced_bytes_max: self.journal.async_mib << 20,
        }
    }

    /// The instrument that a leg names.
    pub fn instrument(&self, symbol: &str) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.symbol == symbol)
    }

    pub fn keys(&self) -> Result<Keys, String> {
        let mut keys = Keys::default();
        for session in &self.sessions {
            keys.add_session(session.id);
            for Key { id, public, addresses, revoked } in &session.keys {
                let key = keys::Key { public: public.0, addresses: addresses.clone(), revoked: *revoked };
                if !keys.add(session.id, *id, key) {
                    return Err(format!("[[session]] {}: key id {id} is there twice", session.id));
                }
            }
        }
        Ok(keys)
    }
}

fn unique<T: Ord + std::fmt::Display>(what: &str, values: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for value in values {
        let shown = value.to_string();
        if !seen.insert(value) {
            return Err(format!("{what} {shown} is there twice"));
        }
    }
    Ok(())
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Instrument {
    fn check(&self) -> Result<(), String> {
        let at = |fault: String| format!("[[instrument]] {}: {fault}", self.symbol);
        check_symbol(&self.symbol).map_err(at)?;
        for (name, text) in
            [("tick", &self.tick), ("lot", &self.lot), ("contract", &self.contract), ("mark", &self.mark)]
        {
            decimal::parse(text, 9).map_err(|fault| at(format!("{name}: {fault}")))?;
        }
        Ok(())
    }

    pub fn symbol_field(&self) -> Char32 {
        fixed_text(&self.symbol)
    }
}

impl Combo {
    fn check(&self, config: &Config) -> Result<(), String> {
        let at = |fault: String| format!("[[combo]] {}: {fault}", self.symbol);
        check_symbol(&self.symbol).map_err(at)?;
        if !(2..=LEGS_MAX).contains(&self.legs.len()) {
            return Err(at(format!("it must have 2 to {LEGS_MAX} legs")));
        }
        let unknown = self.legs.iter().find(|leg| config.instrument(&leg.instrument).is_none());
        match unknown {
            Some(leg) => Err(at(format!("leg '{}' is the symbol of no [[instrument]]", leg.instrument))),
            None => Ok(()),
        }
    }

    pub fn symbol_field(&self) -> Char32 {
        fixed_text(&self.symbol)
    }
}

/// Where a venue may listen.
pub fn check_listen(text: &str, beyond_loopback: bool) -> Result<(), String> {
    let address = address(text)?;
    if !address.ip().is_loopback() && !beyond_loopback {
        return Err(format!(
            "{address} is not a loopback address; plain TCP is served on loopback only: listen there and set [gateway] tls = \"{address}\", \
             or, where nobody else is on the way, plain_beyond_loopback = true"
        ));
    }
    Ok(())
}

fn check_symbol(symbol: &str) -> Result<(), String> {
    if symbol.is_empty() || symbol.len() > 32 || !symbol.is_ascii() {
        return Err("symbol must be 1 to 32 ASCII characters".into());
    }
    Ok(())
}

impl Account {
    fn check(&self) -> Result<(), String> {
        let at = |fault: String| format!("[[account]] {}: {fault}", self.name);
        if self.id < ACCOUNT_MEMBERS_FROM {
            return Err(at(format!(
                "id {} is the venue's own; members' accounts start at {ACCOUNT_MEMBERS_FROM}",
                self.id
            )));
        }
        if self.name.is_empty() || self.name.len() > 16 || !self.name.is_ascii() {
            return Err(at("name must be 1 to 16 ASCII characters".into()));
        }
        let deposit = decimal::parse(&self.deposit, 6).map_err(|fault| at(format!("deposit: {fault}")))?;
        if deposit < 0 {
            return Err(at("deposit is negative".into()));
        }
        Ok(())
    }

    pub fn name_field(&self) -> Char16 {
        fixed_text(&self.name)
    }
}

/// The roles that a session can use, by the names in the file.
pub const ROLES: [(&str, Role); 7] = [
    ("trade", Role::Trade),
    ("read-only", Role::ReadOnly),
    ("cancel-only", Role::CancelOnly),
    ("oracle", Role::Oracle),
    ("risk-model", Role::RiskModel),
    ("bridge", Role::Bridge),
    ("admin", Role::Admin),
];

impl Session {
    fn check(&self, config: &Config) -> Result<(), String> {
        let at = |fault: String| format!("[[session]] {}: {fault}", self.id);
        let role = self.role().ok_or_else(|| {
            let known: Vec<&str> = ROLES.iter().map(|(name, _)| *name).collect();
            at(format!("role '{}' is not one of {}", self.role, known.join(", ")))
        })?;
        if self.rising_ids && role != Role::Trade {
            return Err(at(format!("a session of role {} enters no orders whose ids could rise", self.role)));
        }
        let of_account = matches!(role, Role::Trade | Role::ReadOnly | Role::CancelOnly);
        let known = config.accounts.iter().any(|account| account.id == self.account);
        match (of_account, known, self.account) {
            (true, false, account) => Err(at(format!("there is no account {account}"))),
            (false, _, 1..) => Err(at(format!("a session of role {} has no account", self.role))),
            _ => Ok(()),
        }
    }

    pub fn role(&self) -> Option<Role> {
        ROLES.iter().find(|(name, _)| *name == self.role).map(|(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [venue]
        name = "test"
        listen = "127.0.0.1:0"
        [[instrument]]
        id = 1
        symbol = "BTC-PERP"
        kind = "perpetual"
        tick = "0.5"
        lot = "0.001"
        mark = "50000"
        qty_max = 1000
        initial_margin_ppm = 50000
        [[instrument]]
        id = 2
        symbol = "BTC-DEC"
        kind = "future"
        tick = "0.5"
        lot = "0.001"
        mark = "50500"
        qty_max = 1000
        initial_margin_ppm = 50000
        [[combo]]
        id = 3
        symbol = "BTC-ROLL"
        qty_max = 1000
        price_band_ppm = 50000
        leg = [{ instrument = "BTC-DEC", ratio = 1 }, { instrument = "BTC-PERP", ratio = -1 }]
        [[account]]
        id = 4
        name = "alice"
        deposit = "1000"
        [[session]]
        id = 100
        account = 4
        role = "trade"
        [[session.key]]
        id = 1
        public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    "#;

    fn fault(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        match toml::from_str::<Config>(&GOOD.replacen(from, to, 1)) {
            Err(error) => error.to_string(),
            Ok(config) => config.check().expect_err("the change is a fault"),
        }
    }

    #[test]
    fn the_good_file_is_good() {
        let config: Config = toml::from_str(GOOD).expect("it parses");
        config.check().expect("it is consistent");
        assert_eq!(
            config.keys().expect("keys are good").shown(),
            "1 of 1 sessions; 0 revoked, 0 bound to addresses"
        );
    }

    #[test]
    fn every_fault_is_named() {
        for (from, to, told) in [
            ("127.0.0.1:0", "nowhere", "is not an address with a port"),
            ("127.0.0.1:0", "10.0.0.1:7", "loopback only"),
            ("name = \"test\"", "name = \"test\"\nfoo = 1", "unknown field `foo`"),
            (
                "[[combo]]",
                "[market]\nlisten = \"10.0.0.1:7\"\n[[combo]]",
                "[market] listen: 10.0.0.1:7 is not",
            ),
            (
                "[[combo]]",
                "[market]\nlisten = \"127.0.0.1:7\"\nmulticast = [\"127.0.0.1:8\"]\n[[combo]]",
                "127.0.0.1:8 is not a multicast address",
            ),
            (
                "[[combo]]",
                "[market]\nlisten = \"127.0.0.1:7\"\nreplay_mib = 0\n[[combo]]",
                "[market] replay_mib must be from 1",
            ),
            ("tick = \"0.5\"", "tick = \"half\"", "not a decimal number"),
            ("id = 4", "id = 2", "the venue's own"),
            ("account = 4", "account = 5", "there is no account 5"),
            ("role = \"trade\"", "role = \"boss\"", "is not one of trade"),
            ("role = \"trade\"", "role = \"oracle\"", "has no account"),
            ("public = \"d7", "public = \"", "64 hexadecimal digits"),
            (
                "public = \"d7",
                "addresses = [\"10.0.0.0/8\", \"host\"]\npublic = \"d7",
                "'host' is neither an address nor",
            ),
            ("public = \"d7", "addresses = [\"10.1.0.0/8\"]\npublic = \"d7", "the network is 10.0.0.0/8"),
            ("id = 1\n        public", "id = 1\n        revoked = 1\n        public", "revoked = 1"),
            ("role = \"trade\"", "role = \"cancel-only\"\nrising_ids = true", "whose ids could rise"),
            ("deposit = \"1000\"", "deposit = \"-1\"", "negative"),
            ("[[combo]]", "[limits]\norders = 0\n[[combo]]", "[limits] orders must be from 1 to 16777216"),
            (
                "[[combo]]",
                "[limits]\nclosed_ids = 16777217\n[[combo]]",
                "closed_ids must be from 0 to 16777216",
            ),
            ("id = 4", "id = 4\nowner = -1", "invalid value"),
            ("[[combo]]", "[gateway]\ntls = \"7702\"\n[[combo]]", "[gateway] tls: '7702' is not an address"),
            (
                "[[combo]]",
                "[gateway]\naccepts_per_s = 0\n[[combo]]",
                "accepts_per_s must be from 1 to 1000000",
            ),
            (
                "[[combo]]",
                "[gateway]\nlogon_backoff_ms = 60001\n[[combo]]",
                "logon_backoff_ms must be from 0",
            ),
            ("[[combo]]", "[gateway]\nconnections_per_address = 0\n[[combo]]", "must be from 1 to 65536"),
            ("kind = \"perpetual\"", "kind = \"swap\"", "unknown variant `swap`"),
            ("id = 3", "id = 2", "instrument id 2 is there twice"),
            ("\"BTC-ROLL\"", "\"BTC-PERP\"", "instrument symbol BTC-PERP is there twice"),
            (
                "leg = [{ instrument = \"BTC-DEC\"",
                "leg = [{ instrument = \"BTC-ROLL\"",
                "leg 'BTC-ROLL' is the symbol of no",
            ),
            (", { instrument = \"BTC-PERP\", ratio = -1 }", "", "it must have 2 to 4 legs"),
        ] {
            let text = fault(from, to);
            assert!(text.contains(told), "{to}: {text}");
        }
    }
}
