//! From a fresh connection to an established session: hello, challenge, signed logon, and the venue's answer.

use std::path::Path;
use std::time::{Duration, Instant};

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use engine::command::{Logon, cod_mode};
use engine::event::{LogonAck, LogonReject};
use engine::message::{Message, SCHEMA_VERSION};
use engine::reject::Reject;
use zerocopy::little_endian::{U16, U32, U64};

use super::event::{Heard, strange};
use super::link::Link;
use super::{ClientError, SessionPosition, now_ns, saturating_add};
use crate::frame;
use crate::message::{Agreed, Challenge, Hello, Logout, fixed_text, logon_text, shown_text, signature_words};
use crate::release::SyncMode;

/// Numbers from here on are out of range (rule 2.4), so a count that starts below never overflows.
const SEQ_END: u64 = 1 << 63;

/// Who logs on.
pub(super) struct Member {
    pub session: u64,
    pub key_id: u64,
    pub key: SigningKey,
    pub keep_alive_ms: u32,
}

pub(super) fn read_key(path: &Path) -> Result<SigningKey, ClientError> {
    let fault = |why: &dyn std::fmt::Display| ClientError::Key(format!("key file {}: {why}", path.display()));
    let pem = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| fault(&error))
}

/// Logs on over `link`, within `patience`. With the answer comes what the venue waits for before it says anything.
pub(super) fn establish(
    link: &mut Link,
    member: &Member,
    position: SessionPosition,
    patience: Duration,
) -> Result<(LogonAck, Option<SyncMode>), ClientError> {
    let deadline = saturating_add(Instant::now(), patience);
    let mut client_nonce = [0; 32];
    getrandom::fill(&mut client_nonce)
        .map_err(|error| ClientError::Key(format!("this system gives no random numbers: {error}")))?;
    say(link, hello(member.session, client_nonce))?;
    let challenge = match hear(link, deadline)? {
        Heard::Challenge(challenge) => challenge,
        other => return Err(refusal(other, "a challenge")),
    };
    let agreed = check_challenge(&challenge, member.session, client_nonce)?;
    say(link, signed(member, position, &agreed))?;
    match hear(link, deadline)? {
        Heard::LogonAck(ack) => {
            Ok((check_ack(ack, member.session)?, SyncMode::from_wire(challenge.sync_mode)))
        }
        other => Err(refusal(other, "an answer to the logon")),
    }
}

fn hello(session: u64, client_nonce: [u8; 32]) -> Hello {
    Hello {
        session_id: U64::new(session),
        client_nonce,
        schema_version_min: U16::new(SCHEMA_VERSION),
        schema_version_max: U16::new(SCHEMA_VERSION),
        pad_a: U32::ZERO,
        client_name: fixed_text("ballast"),
        client_version: fixed_text(env!("CARGO_PKG_VERSION")),
    }
}

fn check_challenge(
    challenge: &Challenge,
    session: u64,
    client_nonce: [u8; 32],
) -> Result<Agreed, ClientError> {
    if challenge.session_id.get() != session {
        return Err(strange(format!("a challenge for session {}", challenge.session_id)));
    }
    let (low, high) = (challenge.schema_version_min.get(), challenge.schema_version_max.get());
    if !(low..=high).contains(&SCHEMA_VERSION) {
        let text = format!("it speaks versions {low} to {high}, this client {SCHEMA_VERSION}");
        return Err(ClientError::Refused(Reject::VersionUnsupported, text));
    }
    Ok(Agreed {
        client_nonce,
        server_nonce: challenge.server_nonce,
        server_time: challenge.server_time.get(),
        engine_epoch: challenge.engine_epoch.get(),
    })
}

fn signed(member: &Member, position: SessionPosition, agreed: &Agreed) -> Logon {
    let mut logon = Logon {
        session_id: U64::new(member.session),
        key_id: U64::new(member.key_id),
        next_client_seq: U64::new(position.next_client_seq),
        next_server_seq: U64::new(position.next_server_seq),
        keep_alive_ms: U32::new(member.keep_alive_ms),
        schema_version: U16::new(SCHEMA_VERSION),
        cod_mode: cod_mode::OFF,
        pad_a: 0,
        cod_grace_ms: U32::ZERO,
        pad_b: U32::ZERO,
        signature: [U64::ZERO; 8],
    };
    let signature = member.key.sign(&logon_text(agreed, &logon));
    logon.signature = signature_words(&signature.to_bytes());
    logon
}

fn check_ack(ack: LogonAck, session: u64) -> Result<LogonAck, ClientError> {
    if ack.session_id.get() != session || ack.schema_version.get() != SCHEMA_VERSION {
        return Err(strange(format!(
            "a logon of session {} in version {}",
            ack.session_id, ack.schema_version
        )));
    }
    let numbers = [ack.next_client_seq, ack.next_server_seq, ack.oldest_server_seq];
    if numbers.iter().any(|seq| !(1..SEQ_END).contains(&seq.get())) {
        return Err(strange(format!("a logon with impossible sequence numbers {numbers:?}")));
    }
    Ok(ack)
}

fn refusal(heard: Heard, awaited: &str) -> ClientError {
    match heard {
        Heard::LogonReject(reject) => refused(&reject),
        Heard::Logout(logout) => logged_out(&logout),
        _ => strange(format!("something else than {awaited}")),
    }
}

fn refused(reject: &LogonReject) -> ClientError {
    let text = shown_text(&reject.text);
    match Reject::from_code(reject.code.get()) {
        Some(code) => ClientError::Refused(code, text),
        None => strange(format!("a refusal with the unknown code {} ({text})", reject.code)),
    }
}

pub(super) fn logged_out(logout: &Logout) -> ClientError {
    ClientError::LoggedOut(Reject::from_code(logout.code.get()), shown_text(&logout.text))
}

fn say<M: Message>(link: &mut Link, block: M) -> Result<(), ClientError> {
    let mut bytes = Vec::with_capacity(256);
    frame::append(&mut bytes, 0, 0, now_ns(), block);
    link.write(&bytes)
}

fn hear(link: &mut Link, deadline: Instant) -> Result<Heard, ClientError> {
    loop {
        if let Some(heard) = link.take()? {
            return Ok(heard);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::Unreachable("the venue did not answer the logon in time".into()));
        }
        link.fill(left)?;
    }
}
