//! A venue by script: one listener, and connections that say and hear exactly what a test writes down. The logon is
//! checked with the real signature.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use ed25519_dalek::{Signature, SigningKey};
use engine::command::Logon;
use engine::event::LogonAck;
use engine::message::Message;
use tempfile::TempDir;
use zerocopy::FromZeros;
use zerocopy::little_endian::{U16, U32, U64};

use crate::client_config::{ClientConfig, ClientInstrument};
use crate::frame;
use crate::message::{Agreed, Challenge, Hello, logon_text, signature_bytes};
use crate::release::SyncMode;

pub(crate) const SESSION: u64 = 7;
pub(crate) const KEY_ID: u64 = 3;
pub(crate) const ACCOUNT: u32 = 40;
const SERVER_TIME: u64 = 1_000_000;
const EPOCH: u64 = 11;
const PATIENCE: Duration = Duration::from_secs(120);

/// The secret key of 32 zero bytes, as `openssl genpkey -algorithm ED25519` writes it.
fn key_pem() -> String {
    let zeros = "A".repeat(43);
    format!("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI{zeros}\n-----END PRIVATE KEY-----\n")
}

/// A listener's script on its own thread, and the file of the member that it serves.
pub(crate) struct Venue {
    pub config: ClientConfig,
    script: JoinHandle<()>,
    _directory: TempDir,
}

impl Venue {
    pub fn run(script: impl FnOnce(TcpListener) + Send + 'static) -> Venue {
        let directory = tempfile::tempdir().expect("a directory");
        let key_file = directory.path().join("member.pem");
        std::fs::write(&key_file, key_pem()).expect("the key is written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("an ephemeral port");
        let address = listener.local_addr().expect("bound").to_string();
        let script = std::thread::spawn(move || script(listener));
        Venue { config: config(address, key_file), script, _directory: directory }
    }

    /// The script's own assertions count.
    pub fn done(self) {
        self.script.join().expect("the script ended well");
    }
}

fn config(address: String, key_file: PathBuf) -> ClientConfig {
    let instrument =
        ClientInstrument { id: 1, symbol: "BTC-PERP".into(), tick: "0.5".into(), lot: "0.001".into() };
    ClientConfig {
        address,
        session: SESSION,
        key_id: KEY_ID,
        key_file,
        account: ACCOUNT,
        role: "trade".into(),
        certificate: None,
        instruments: vec![instrument],
    }
}

/// The numbers of a `LogonAck`.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub next_client_seq: u64,
    pub next_server_seq: u64,
    pub oldest_server_seq: u64,
    pub keep_alive_ms: u32,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers { next_client_seq: 1, next_server_seq: 1, oldest_server_seq: 1, keep_alive_ms: 10_000 }
    }
}

/// A frame that the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub flags: u16,
    pub seq: u64,
    pub template: u16,
    pub message: Vec<u8>,
}

impl Said {
    pub fn block<M: Message>(&self) -> M {
        *engine::message::block::<M>(&self.message).expect("the block of its template")
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub fn accept(listener: &TcpListener) -> Connection {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Connection { stream, unread: Vec::new() }
    }

    /// Accepts and establishes.
    pub fn establish(listener: &TcpListener, numbers: Numbers) -> (Connection, Logon) {
        let mut connection = Connection::accept(listener);
        let logon = connection.hear_logon();
        connection.say(0, 0, ack(numbers));
        (connection, logon)
    }

    /// Hello, challenge, and a logon whose signature verifies.
    pub fn hear_logon(&mut self) -> Logon {
        let hello: Hello = self.hear().expect("a hello").block();
        let server_nonce = [9; 32];
        self.say(
            0,
            0,
            Challenge {
                session_id: hello.session_id,
                server_nonce,
                server_time: U64::new(SERVER_TIME),
                engine_epoch: U64::new(EPOCH),
                schema_version_min: U16::new(1),
                schema_version_max: U16::new(1),
                sync_mode: SyncMode::Group as u8,
                pad_a: 0,
                pad_b: U16::ZERO,
            },
        );
        let logon: Logon = self.hear().expect("a logon").block();
        let agreed = Agreed {
            client_nonce: hello.client_nonce,
            server_nonce,
            server_time: SERVER_TIME,
            engine_epoch: EPOCH,
        };
        let signature = Signature::from_bytes(&signature_bytes(&logon.signature));
        SigningKey::from_bytes(&[0; 32])
            .verifying_key()
            .verify_strict(&logon_text(&agreed, &logon), &signature)
            .expect("the signature covers what was agreed");
        assert_eq!((logon.session_id.get(), logon.key_id.get()), (SESSION, KEY_ID));
        logon
    }

    pub fn say<M: Message>(&mut self, flags: u16, seq: u64, block: M) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, flags, seq, 1, block);
        self.say_bytes(&bytes);
    }

    pub fn say_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client reads");
    }

    /// The next frame, `None` when the client is gone.
    pub fn hear(&mut self) -> Option<Said> {
        loop {
            if let Some(frame) = frame::first(&self.unread).expect("clients send whole frames") {
                let said = Said {
                    flags: frame.prefix.flags.get(),
                    seq: frame.prefix.seq.get(),
                    template: frame.template_id(),
                    message: frame.message.to_vec(),
                };
                self.unread.drain(..frame.bytes());
                return Some(said);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(bytes) => self.unread.extend_from_slice(&chunk[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the client said nothing in time: {error}"),
            }
        }
    }
}

pub(crate) fn ack(numbers: Numbers) -> LogonAck {
    let mut ack = LogonAck::new_zeroed();
    ack.session_id = U64::new(SESSION);
    ack.next_client_seq = U64::new(numbers.next_client_seq);
    ack.next_server_seq = U64::new(numbers.next_server_seq);
    ack.oldest_server_seq = U64::new(numbers.oldest_server_seq);
    ack.engine_epoch = U64::new(EPOCH);
    ack.server_time = U64::new(SERVER_TIME);
    ack.keep_alive_ms = U32::new(numbers.keep_alive_ms);
    ack.schema_version = U16::new(1);
    ack
}
