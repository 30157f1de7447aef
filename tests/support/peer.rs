//! A peer that speaks raw frames: says what a test wants it to say, legal or not, and shows every frame that comes back. It
//! resumes nothing and hides nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use engine::command::Logon;
use engine::event::LogonAck;
use engine::message::{Message, block};
use gateway::client_config::ClientConfig;
use gateway::frame;
use gateway::message::{Agreed, Challenge, Hello, fixed_text, logon_text, signature_words};
use zerocopy::little_endian::{U16, U32, U64};

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    pub flags: u16,
    pub seq: u64,
    /// Header and block.
    pub message: Vec<u8>,
}

impl Came {
    pub fn template_id(&self) -> u16 {
        u16::from_le_bytes([self.message[2], self.message[3]])
    }

    pub fn is<M: Message>(&self) -> Option<M> {
        block::<M>(&self.message).copied()
    }
}

pub struct Peer {
    pub config: ClientConfig,
    pub key: SigningKey,
    socket: TcpStream,
    inbound: Vec<u8>,
}

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

impl Peer {
    pub fn connect(directory: &Path, name: &str) -> Peer {
        Peer::try_connect(directory, name).expect("the venue listens")
    }

    /// For a venue that may be gone.
    pub fn try_connect(directory: &Path, name: &str) -> std::io::Result<Peer> {
        let path = directory.join("clients").join(format!("{name}.toml"));
        let config = ClientConfig::load(&path).expect("init wrote it");
        let pem = std::fs::read_to_string(&config.key_file).expect("init wrote it");
        let key = SigningKey::from_pkcs8_pem(&pem).expect("init wrote it");
        let socket = TcpStream::connect(&config.address)?;
        socket.set_nodelay(true).expect("a TCP socket takes it");
        socket.set_read_timeout(Some(PATIENCE)).expect("a TCP socket takes it");
        Ok(Peer { config, key, socket, inbound: Vec::new() })
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // A venue that has closed already is what the test looks at next.
        let _ = self.socket.write_all(bytes);
    }

    /// One byte; false once the venue has closed.
    pub fn drip(&mut self, byte: u8) -> bool {
        self.socket.write_all(&[byte]).is_ok()
    }

    /// Says something and reads nothing; false once the venue has closed.
    pub fn is_taken<M: Message>(&mut self, seq: u64, block: M) -> bool {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, 0, seq, 0, block);
        self.socket.write_all(&bytes).is_ok()
    }

    /// Says its last byte; it still listens.
    pub fn end_output(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    pub fn say<M: Message>(&mut self, flags: u16, seq: u64, block: M) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, flags, seq, 0, block);
        self.write(&bytes);
    }

    pub fn hello(&self) -> Hello {
        Hello {
            session_id: U64::new(self.config.session),
            client_nonce: [7; 32],
            schema_version_min: U16::new(1),
            schema_version_max: U16::new(1),
            pad_a: U32::new(0),
            client_name: fixed_text("peer"),
            client_version: fixed_text("1"),
        }
    }

    /// An unsigned logon; `sign` completes it.
    pub fn logon_body(&self, next_server_seq: u64) -> Logon {
        Logon {
            session_id: U64::new(self.config.session),
            key_id: U64::new(self.config.key_id),
            next_client_seq: U64::new(1),
            next_server_seq: U64::new(next_server_seq),
            keep_alive_ms: U32::new(60_000),
            schema_version: U16::new(1),
            cod_mode: 1,
            pad_a: 0,
            cod_grace_ms: U32::new(0),
            pad_b: U32::new(0),
            signature: [U64::new(0); 8],
        }
    }

    pub fn sign(&self, challenge: &Challenge, mut logon: Logon) -> Logon {
        let agreed = Agreed {
            client_nonce: self.hello().client_nonce,
            server_nonce: challenge.server_nonce,
            server_time: challenge.server_time.get(),
            engine_epoch: challenge.engine_epoch.get(),
        };
        logon.signature = signature_words(&self.key.sign(&logon_text(&agreed, &logon)).to_bytes());
        logon
    }

    pub fn challenge(&mut self) -> Challenge {
        self.say(0, 0, self.hello());
        self.next().and_then(|came| came.is::<Challenge>()).expect("a hello is answered with a challenge")
    }

    pub fn log_on(&mut self, next_server_seq: u64) -> LogonAck {
        let challenge = self.challenge();
        let logon = self.sign(&challenge, self.logon_body(next_server_seq));
        self.say(0, 0, logon);
        let came = self.next().expect("a logon is answered");
        came.is::<LogonAck>().unwrap_or_else(|| panic!("the logon was refused: {came:?}"))
    }

    /// A logon at a venue that may end before it answers.
    pub fn try_log_on(&mut self, next_server_seq: u64) -> Option<LogonAck> {
        self.say(0, 0, self.hello());
        let challenge = self.next()?.is::<Challenge>()?;
        let logon = self.sign(&challenge, self.logon_body(next_server_seq));
        self.say(0, 0, logon);
        self.next()?.is::<LogonAck>()
    }

    /// What has come by now, without waiting.
    pub fn here(&mut self) -> Vec<Came> {
        self.socket.set_nonblocking(true).expect("a TCP socket takes it");
        while self.read() {}
        self.socket.set_nonblocking(false).expect("a TCP socket takes it");
        std::iter::from_fn(|| self.whole()).collect()
    }

    fn whole(&mut self) -> Option<Came> {
        let frame = frame::first(&self.inbound).expect("the venue writes legal frames")?;
        let came = Came {
            flags: frame.prefix.flags.get(),
            seq: frame.prefix.seq.get(),
            message: frame.message.to_vec(),
        };
        let bytes = frame.bytes();
        self.inbound.drain(..bytes);
        Some(came)
    }

    /// False when nothing more comes now.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => false,
            Ok(bytes) => {
                self.inbound.extend_from_slice(&buffer[..bytes]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(_) => false,
        }
    }
}

/// The frames as they come; the end when the venue has closed.
impl Iterator for Peer {
    type Item = Came;

    fn next(&mut self) -> Option<Came> {
        loop {
            if let Some(came) = self.whole() {
                return Some(came);
            }
            if !self.read() {
                return None;
            }
        }
    }
}
