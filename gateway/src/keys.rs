//! Who may log on as what: the public keys of every session, where each may come from, and which are revoked. Parsed at the
//! door of the operator's file; asked at each logon, and again about everybody who is here when the file is read anew.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use engine::reject::Reject;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An Ed25519 key as the file writes it: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(pub VerifyingKey);

impl TryFrom<String> for PublicKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<PublicKey, &'static str> {
        let bytes = from_hex(&text).ok_or("the public key must be 64 hexadecimal digits")?;
        let key =
            VerifyingKey::from_bytes(&bytes).map_err(|_| "the public key is not a point of the curve")?;
        Ok(PublicKey(key))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Addresses with a common beginning, as `10.1.0.0/16` or `2001:db8::/32`; one address alone is its own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// An IPv4 address that came over IPv6 is the IPv4 address.
    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        let one = IpAddr::from_str(&text).map(IpNet::from);
        let network = one.or_else(|_| IpNet::from_str(&text)).map_err(|_| {
            format!("'{text}' is neither an address nor a network, as 10.1.0.0/16 or 2001:db8::/32")
        })?;
        if network.addr() != network.network() {
            return Err(format!(
                "'{text}' is an address within a network; the network is {}",
                network.trunc()
            ));
        }
        Ok(Network(network))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.0.to_string()
    }
}

/// One key of a session.
#[derive(Clone, Debug)]
pub struct Key {
    pub public: VerifyingKey,
    /// Where it may come from; from anywhere if there is none.
    pub addresses: Vec<Network>,
    pub revoked: bool,
}

/// The keys of all sessions, by session and key id.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<u64, BTreeMap<u64, Key>>);

impl Keys {
    /// A session, with or without keys.
    pub fn add_session(&mut self, session: u64) {
        self.0.entry(session).or_default();
    }

    /// False if the session has a key of this id.
    pub fn add(&mut self, session: u64, id: u64, key: Key) -> bool {
        self.0.entry(session).or_default().insert(id, key).is_none()
    }

    /// The key that a logon names, if it may log on from there (PROTOCOL 2.3).
    pub fn judge(&self, session: u64, id: u64, address: IpAddr) -> Result<&VerifyingKey, Reject> {
        let keys = self.0.get(&session).ok_or(Reject::UnknownSession)?;
        let key = keys.get(&id).ok_or(Reject::UnknownKey)?;
        if key.revoked {
            return Err(Reject::KeyRevoked);
        }
        let is_allowed =
            key.addresses.is_empty() || key.addresses.iter().any(|network| network.contains(address));
        if is_allowed { Ok(&key.public) } else { Err(Reject::AddressNotAllowed) }
    }

    /// For the operator.
    pub fn shown(&self) -> String {
        let all = || self.0.values().flat_map(BTreeMap::values);
        let revoked = all().filter(|key| key.revoked).count();
        let bound = all().filter(|key| !key.addresses.is_empty()).count();
        format!(
            "{} of {} sessions; {revoked} revoked, {bound} bound to addresses",
            all().count(),
            self.0.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, String> {
        Network::try_from(text.to_string())
    }

    #[test]
    fn networks_hold_what_they_say() {
        for (text, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.3", "10.2.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3", "::ffff:10.1.2.3", "::ffff:10.1.2.4"),
            ("0.0.0.0/0", "9.9.9.9", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::/0", "2001:db8::1", "9.9.9.9"),
        ] {
            let network = network(text).expect("a network");
            let holds = |address: &str| network.contains(address.parse().expect("an address"));
            assert!(holds(inside) && !holds(outside), "{text}");
        }
        for text in ["", "10.1.0.0/33", "10.1.2.3/16", "10.1", "::/129", "host", "10.1.0.0/-1", "10.1.0.0/"] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_judged_in_the_order_of_the_protocol() {
        let signer = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let key = |revoked, networks: &[&str]| Key {
            public: signer.verifying_key(),
            addresses: networks.iter().map(|text| network(text).expect("a network")).collect(),
            revoked,
        };
        let mut keys = Keys::default();
        keys.add_session(2);
        for (id, key) in
            [(1, key(false, &[])), (2, key(true, &["10.0.0.0/8"])), (3, key(false, &["10.0.0.0/8", "::1"]))]
        {
            assert!(keys.add(1, id, key));
        }
        assert!(!keys.add(1, 1, key(true, &[])));
        let judged = |keys: &Keys, session, id, from: &str| {
            keys.judge(session, id, from.parse().expect("an address")).map(drop)
        };
        assert_eq!(judged(&keys, 3, 1, "10.0.0.1"), Err(Reject::UnknownSession));
        assert_eq!(judged(&keys, 2, 1, "10.0.0.1"), Err(Reject::UnknownKey));
        assert_eq!(judged(&keys, 1, 2, "11.0.0.1"), Err(Reject::KeyRevoked));
        assert_eq!(judged(&keys, 1, 3, "11.0.0.1"), Err(Reject::AddressNotAllowed));
        assert_eq!(judged(&keys, 1, 3, "10.0.0.1"), Ok(()));
        assert_eq!(judged(&keys, 1, 3, "::1"), Ok(()));
    }
}
