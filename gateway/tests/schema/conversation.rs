//! The frames of one session from its first byte to its last, for those who write a client: with a key, nonces and times that
//! anybody can write down, so that every byte can be compared.

use ed25519_dalek::{Signer, SigningKey};
use engine::command::Logon;
use engine::event::{LogonAck, LogonReject, NotApplied, SessionReject};
use engine::limits::FRAME_BYTES_MAX;
use engine::message::{Framed, Message};
use engine::reject::Reject;
use gateway::message::{
    Agreed, Challenge, Heartbeat, Hello, Logout, Retransmission, RetransmitRequest, TestRequest, fixed_text,
    logon_text, signature_words,
};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use super::{TIME_NS, hexadecimal, shown};

/// The first key of RFC 8032, section 7.1.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const SESSION: U64 = U64::new(1_001);
const OFF: u8 = 1;
const GROUP: u8 = 3;
const OPEN: u8 = 4;

pub fn conversation() -> String {
    let agreed = Agreed {
        client_nonce: std::array::from_fn(|at| at as u8),
        server_nonce: std::array::from_fn(|at| 32 + at as u8),
        server_time: TIME_NS,
        engine_epoch: 3,
    };
    let logon = logon(&agreed);
    let steps = [
        told("The member says who it is", hello(&agreed)),
        told("The venue asks for a proof", challenge(&agreed)),
        format!("These 140 bytes are signed:\n\n{}", hexadecimal(&logon_text(&agreed, &logon))),
        told("The member proves it, and says where it goes on", logon),
        told("The venue says where the member goes on", acknowledgement()),
        told("or why it does not", refusal()),
        told("After keepAliveMs of silence each asks", TestRequest { echo: U64::new(77) }),
        told(
            "and is answered",
            Heartbeat { next_seq: U64::new(12), ack_seq: U64::new(7), echo: U64::new(77) },
        ),
        told(
            "Numbers 9 and 10 never came and 11 was applied",
            NotApplied { from_seq: U64::new(9), count: U32::new(2), pad_a: U32::ZERO },
        ),
        told("Number 12 could not be read", unreadable()),
        told(
            "The member wants messages 5 to 7 again",
            RetransmitRequest {
                request_id: U64::new(1),
                from_seq: U64::new(5),
                count: U32::new(3),
                pad_a: U32::ZERO,
            },
        ),
        told(
            "and they follow",
            Retransmission {
                request_id: U64::new(1),
                from_seq: U64::new(5),
                count: U32::new(3),
                pad_a: U32::ZERO,
            },
        ),
        told("The venue ends", goodbye()),
    ];
    steps.concat()
}

fn told<M: Message>(what: &str, block: M) -> String {
    format!("{what}:\n\n{}", shown(0, 0, Framed::new(block).as_bytes()))
}

fn hello(agreed: &Agreed) -> Hello {
    Hello {
        session_id: SESSION,
        client_nonce: agreed.client_nonce,
        schema_version_min: U16::new(1),
        schema_version_max: U16::new(1),
        pad_a: U32::ZERO,
        client_name: fixed_text("mine"),
        client_version: fixed_text("1.0"),
    }
}

fn challenge(agreed: &Agreed) -> Challenge {
    Challenge {
        session_id: SESSION,
        server_nonce: agreed.server_nonce,
        server_time: U64::new(agreed.server_time),
        engine_epoch: U64::new(agreed.engine_epoch),
        schema_version_min: U16::new(1),
        schema_version_max: U16::new(1),
        sync_mode: GROUP,
        ..Challenge::new_zeroed()
    }
}

fn logon(agreed: &Agreed) -> Logon {
    let mut logon = Logon {
        session_id: SESSION,
        key_id: U64::new(1),
        next_client_seq: U64::new(8),
        next_server_seq: U64::new(5),
        keep_alive_ms: U32::new(10_000),
        schema_version: U16::new(1),
        cod_mode: OFF,
        ..Logon::new_zeroed()
    };
    let key = SigningKey::from_bytes(&SEED);
    let text = logon_text(agreed, &logon);
    let signature = key.sign(&text);
    key.verifying_key().verify_strict(&text, &signature).expect("as the venue verifies it");
    logon.signature = signature_words(&signature.to_bytes());
    logon
}

fn acknowledgement() -> LogonAck {
    LogonAck {
        session_id: SESSION,
        next_client_seq: U64::new(8),
        next_server_seq: U64::new(8),
        oldest_server_seq: U64::new(1),
        engine_epoch: U64::new(3),
        server_time: U64::new(TIME_NS + 1_000),
        keep_alive_ms: U32::new(10_000),
        schema_version: U16::new(1),
        cod_mode: OFF,
        trading_state: OPEN,
        max_frame: U32::new(FRAME_BYTES_MAX as u32),
        max_open_orders: U32::new(10_000),
        ..LogonAck::new_zeroed()
    }
}

fn refusal() -> LogonReject {
    LogonReject {
        session_id: SESSION,
        code: U16::new(Reject::BadSignature.code()),
        schema_version_min: U16::new(1),
        schema_version_max: U16::new(1),
        text: fixed_text(Reject::BadSignature.text()),
        ..LogonReject::new_zeroed()
    }
}

fn unreadable() -> SessionReject {
    SessionReject {
        ref_seq: U64::new(12),
        code: U16::new(Reject::BadBlockLength.code()),
        ref_template_id: U16::new(100),
        ..SessionReject::new_zeroed()
    }
}

fn goodbye() -> Logout {
    Logout {
        code: U16::new(Reject::ServerShutdown.code()),
        text: fixed_text(Reject::ServerShutdown.text()),
        ..Logout::new_zeroed()
    }
}
