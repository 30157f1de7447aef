//! Messages of the session itself, which the engine never sees or (`LogonAck` and its like) says itself: hello,
//! challenge, heartbeat, retransmission, goodbye; and the text that a logon signs.

use engine::command::Logon;
use engine::message::blocks;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

blocks! {
    Hello = 1, 80 {
        session_id: U64, client_nonce: [u8; 32], schema_version_min: U16, schema_version_max: U16, pad_a: U32,
        client_name: [u8; 16], client_version: [u8; 16],
    }

    Challenge = 2, 64 {
        session_id: U64, server_nonce: [u8; 32], server_time: U64, engine_epoch: U64,
        schema_version_min: U16, schema_version_max: U16, sync_mode: u8, pad_a: u8, pad_b: U16,
    }

    Logout = 6, 40 { code: U16, pad_a: U16, pad_b: U32, text: [u8; 32] }

    /// `next_seq` is the sender's next number, `ack_seq` the last of the peer's that is applied and durable.
    Heartbeat = 8, 24 { next_seq: U64, ack_seq: U64, echo: U64 }

    TestRequest = 9, 8 { echo: U64 }

    RetransmitRequest = 10, 24 { request_id: U64, from_seq: U64, count: U32, pad_a: U32 }

    Retransmission = 11, 24 { request_id: U64, from_seq: U64, count: U32, pad_a: U32 }

    RetransmitReject = 12, 24 { request_id: U64, oldest_server_seq: U64, code: U16, pad_a: U16, pad_b: U32 }
}

/// What both sides agreed on before the logon, and which the signature therefore covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    pub client_nonce: [u8; 32],
    pub server_nonce: [u8; 32],
    pub server_time: u64,
    pub engine_epoch: u64,
}

const LOGON_TAG: &[u8; 17] = b"BALLAST-LOGON-v1\0";
/// Bytes that a logon signs.
pub const LOGON_TEXT_BYTES: usize = 17 + 8 + 8 + 32 + 32 + 8 + 8 + 8 + 8 + 4 + 2 + 1 + 4;

/// The signed text: every value that was negotiated, so that none can be lowered or replayed.
pub fn logon_text(agreed: &Agreed, logon: &Logon) -> [u8; LOGON_TEXT_BYTES] {
    let mut text = [0; LOGON_TEXT_BYTES];
    let mut rest = text.as_mut_slice();
    let mut put = |bytes: &[u8]| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        rest = tail;
    };
    put(LOGON_TAG);
    put(logon.session_id.as_bytes());
    put(logon.key_id.as_bytes());
    put(&agreed.client_nonce);
    put(&agreed.server_nonce);
    put(&agreed.server_time.to_le_bytes());
    put(&agreed.engine_epoch.to_le_bytes());
    put(logon.next_client_seq.as_bytes());
    put(logon.next_server_seq.as_bytes());
    put(logon.keep_alive_ms.as_bytes());
    put(logon.schema_version.as_bytes());
    put(&[logon.cod_mode]);
    put(logon.cod_grace_ms.as_bytes());
    assert!(rest.is_empty());
    text
}

/// The 64 bytes of a signature in the words of the schema, and back.
pub fn signature_words(signature: &[u8; 64]) -> [U64; 8] {
    std::array::from_fn(|word| {
        U64::from_bytes(signature[word * 8..][..8].try_into().expect("eight words of eight bytes"))
    })
}

pub fn signature_bytes(words: &[U64; 8]) -> [u8; 64] {
    words.as_bytes().try_into().expect("eight words of eight bytes")
}

/// ASCII text cut or padded with NUL to a fixed field.
pub fn fixed_text<const BYTES: usize>(text: &str) -> [u8; BYTES] {
    let mut field = [0; BYTES];
    let kept = text.len().min(BYTES);
    field[..kept].copy_from_slice(&text.as_bytes()[..kept]);
    field
}

/// A fixed field as text, up to its first NUL.
pub fn shown_text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}
