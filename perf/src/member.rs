//! A member that posts and cancels as fast as it is answered: logs on as its client file says, keeps a number of orders in
//! flight, and times each from the moment before it is handed to the socket until its answer was read. Busy while it
//! measures: it never sleeps, so what it sees is the venue and not its own wake-up.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use engine::command::{CancelOrder, Logon, NewOrder};
use engine::event::{LogonAck, LogonReject, OrderAccepted, OrderCanceled, OrderRejected, SessionReject};
use engine::message::{HEADER_BYTES, Message, NULL_I64, NULL_U64, block};
use engine::reject::Reject;
use gateway::client_config::ClientConfig;
use gateway::decimal;
use gateway::frame::{self, Frame, PREFIX_BYTES};
use gateway::message::{Agreed, Challenge, Hello, Logout, fixed_text, logon_text, signature_words};
use hdrhistogram::Histogram;
use quanta::{Clock, Instant};
use zerocopy::little_endian::{I64, U16, U32, U64};

/// The frames of one post and one cancel: bytes of the question, bytes of the answer.
pub const EXCHANGES: [(usize, usize); 2] = [
    (frame_bytes::<NewOrder>(), frame_bytes::<OrderAccepted>()),
    (frame_bytes::<CancelOrder>(), frame_bytes::<OrderCanceled>()),
];

const fn frame_bytes<M: Message>() -> usize {
    PREFIX_BYTES + HEADER_BYTES + size_of::<M>()
}

/// How long the venue may be silent while something is expected of it.
const PATIENCE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_MS: u32 = 60_000;

pub struct Member {
    socket: TcpStream,
    inbound: Vec<u8>,
    /// How far `inbound` was understood.
    understood: usize,
    outbound: Vec<u8>,
    account: u32,
    instrument: u32,
    price: i64,
    next_seq: u64,
    /// What comes with a lower number was said to an earlier connection.
    fresh_from: u64,
    /// When each unanswered order was sent; the oldest has the number `next_seq - sent.len()`.
    sent: VecDeque<Instant>,
}

impl Member {
    pub fn log_on(path: &Path) -> Result<Member, String> {
        let config = ClientConfig::load(path)?;
        let shown = config.key_file.display();
        let pem = std::fs::read_to_string(&config.key_file).map_err(|error| format!("{shown}: {error}"))?;
        let key = SigningKey::from_pkcs8_pem(&pem).map_err(|error| format!("{shown}: {error}"))?;
        let listed =
            config.instruments.first().ok_or_else(|| format!("{}: no instrument", path.display()))?;
        let socket = TcpStream::connect(&config.address)
            .map_err(|error| format!("{}: {error}; is the venue running?", config.address))?;
        let set_up = socket.set_nodelay(true).and_then(|()| socket.set_read_timeout(Some(PATIENCE)));
        set_up.map_err(|error| error.to_string())?;
        let mut member = Member {
            socket,
            inbound: Vec::new(),
            understood: 0,
            outbound: Vec::new(),
            account: config.account,
            instrument: listed.id,
            // The lowest price there is: a bid that waits behind everybody and meets nobody.
            price: decimal::parse(&listed.tick, 9)?,
            next_seq: 1,
            fresh_from: 1,
            sent: VecDeque::new(),
        };
        let ack = member.exchange_proofs(&config, &key)?;
        member.next_seq = ack.next_client_seq.get();
        member.fresh_from = ack.next_server_seq.get();
        member.socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        Ok(member)
    }

    fn exchange_proofs(&mut self, config: &ClientConfig, key: &SigningKey) -> Result<LogonAck, String> {
        let mut hello = Hello {
            session_id: U64::new(config.session),
            client_nonce: [0; 32],
            schema_version_min: U16::new(1),
            schema_version_max: U16::new(1),
            pad_a: U32::new(0),
            client_name: fixed_text("perf"),
            client_version: fixed_text(env!("CARGO_PKG_VERSION")),
        };
        getrandom::fill(&mut hello.client_nonce)
            .map_err(|error| format!("the system gives no random bytes: {error}"))?;
        frame::append(&mut self.outbound, 0, 0, 0, hello);
        let challenge: Challenge = self.answer()?;
        let mut logon = Logon {
            session_id: U64::new(config.session),
            key_id: U64::new(config.key_id),
            next_client_seq: U64::new(1),
            next_server_seq: U64::new(1),
            keep_alive_ms: U32::new(KEEP_ALIVE_MS),
            schema_version: U16::new(1),
            cod_mode: 1,
            pad_a: 0,
            cod_grace_ms: U32::new(0),
            pad_b: U32::new(0),
            signature: [U64::new(0); 8],
        };
        let agreed = Agreed {
            client_nonce: hello.client_nonce,
            server_nonce: challenge.server_nonce,
            server_time: challenge.server_time.get(),
            engine_epoch: challenge.engine_epoch.get(),
        };
        logon.signature = signature_words(&key.sign(&logon_text(&agreed, &logon)).to_bytes());
        frame::append(&mut self.outbound, 0, 0, 0, logon);
        self.answer()
    }

    /// Sends what waits and takes the one frame that must follow.
    fn answer<M: Message>(&mut self) -> Result<M, String> {
        self.flush()?;
        loop {
            if let Some(frame) = next_frame(&self.inbound, &mut self.understood)? {
                return frame.block::<M>().copied().ok_or_else(|| refusal(&frame));
            }
            if self.read()? == 0 {
                return Err("the venue did not answer the logon".into());
            }
        }
    }

    /// Sends `count` orders, a post and the cancel of it in turn, at most `window` of them unanswered, and records how long
    /// each answer took. An even count leaves nothing in the book.
    pub fn orders(
        &mut self,
        count: u64,
        window: usize,
        clock: &Clock,
        taken: &mut Histogram<u64>,
    ) -> Result<(), String> {
        let (end, mut heard) = (self.next_seq + count, clock.now());
        let first = self.next_seq;
        while self.next_seq < end || !self.sent.is_empty() {
            let now = clock.now();
            while self.next_seq < end && self.sent.len() < window {
                self.encode((self.next_seq - first) % 2 == 1);
                self.sent.push_back(now);
            }
            self.flush()?;
            if self.read()? == 0 {
                if now.saturating_duration_since(heard) > PATIENCE {
                    return Err(format!("{} orders were not answered in {PATIENCE:?}", self.sent.len()));
                }
                spin_loop();
                continue;
            }
            heard = clock.now();
            while let Some(frame) = next_frame(&self.inbound, &mut self.understood)? {
                let expected = self.next_seq - self.sent.len() as u64;
                if answers(&frame, self.fresh_from, expected)? {
                    let sent = self.sent.pop_front().ok_or("an order was answered twice")?;
                    taken.saturating_record(heard.saturating_duration_since(sent).as_nanos() as u64);
                }
            }
        }
        Ok(())
    }

    fn encode(&mut self, cancel: bool) {
        let seq = self.next_seq;
        self.next_seq += 1;
        if cancel {
            let block = CancelOrder {
                cl_ord_id: U64::new(seq),
                orig_cl_ord_id: U64::new(seq - 1),
                order_id: U64::new(0),
                instrument_id: U32::new(self.instrument),
                account_id: U32::new(self.account),
            };
            return frame::append(&mut self.outbound, 0, seq, 0, block);
        }
        let block = NewOrder {
            cl_ord_id: U64::new(seq),
            price: I64::new(self.price),
            qty: I64::new(1),
            display_qty: I64::new(NULL_I64),
            expire_time: U64::new(NULL_U64),
            instrument_id: U32::new(self.instrument),
            account_id: U32::new(self.account),
            stp_group: U32::new(0),
            max_delay_us: U32::new(0),
            side: 1,
            ord_type: 1,
            tif: 2,
            stp_mode: 1,
            flags: U16::new(0),
            mmp_group: U16::new(0),
        };
        frame::append(&mut self.outbound, 0, seq, 0, block);
    }

    /// Writes as much as the socket takes; the rest waits, and answers are read meanwhile.
    fn flush(&mut self) -> Result<(), String> {
        while !self.outbound.is_empty() {
            match self.socket.write(&self.outbound) {
                Ok(written) => drop(self.outbound.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("the connection broke: {error}")),
            }
        }
        Ok(())
    }

    /// Bytes that came; 0 when there are none.
    fn read(&mut self) -> Result<usize, String> {
        self.inbound.drain(..self.understood);
        self.understood = 0;
        let mut buffer = [0; 64 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => Err("the venue closed the connection".into()),
            Ok(bytes) => {
                self.inbound.extend_from_slice(&buffer[..bytes]);
                Ok(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            Err(error) => Err(format!("the connection broke: {error}")),
        }
    }
}

fn next_frame<'a>(inbound: &'a [u8], understood: &mut usize) -> Result<Option<Frame<'a>>, String> {
    let frame =
        frame::first(&inbound[*understood..]).map_err(|code| format!("a bad frame: {}", code.text()))?;
    *understood += frame.as_ref().map_or(0, Frame::bytes);
    Ok(frame)
}

/// Is this frame the answer to the order `expected`? An error when it refuses one or answers another.
fn answers(frame: &Frame<'_>, fresh_from: u64, expected: u64) -> Result<bool, String> {
    let seq = frame.prefix.seq.get();
    if seq != 0 && seq < fresh_from {
        return Ok(false);
    }
    let accepted = frame.block::<OrderAccepted>().map(|it| it.ref_seq.get());
    match accepted.or_else(|| frame.block::<OrderCanceled>().map(|it| it.ref_seq.get())) {
        Some(answered) if answered == expected => Ok(true),
        Some(answered) => Err(format!("order {answered} was answered where {expected} was due")),
        None if is_refusal(frame) => Err(refusal(frame)),
        None => Ok(false),
    }
}

fn is_refusal(frame: &Frame<'_>) -> bool {
    [OrderRejected::TEMPLATE, SessionReject::TEMPLATE, Logout::TEMPLATE].contains(&frame.template_id())
}

/// What the venue says instead of what was expected.
fn refusal(frame: &Frame<'_>) -> String {
    let message = frame.message;
    let code = block::<OrderRejected>(message)
        .map(|it| it.code)
        .or_else(|| block::<SessionReject>(message).map(|it| it.code))
        .or_else(|| block::<LogonReject>(message).map(|it| it.code))
        .or_else(|| block::<Logout>(message).map(|it| it.code));
    match code.map(U16::get) {
        Some(code) => {
            format!("the venue refuses: {} (code {code})", Reject::from_code(code).map_or("", Reject::text))
        }
        None => format!("the venue says something else than expected, template {}", frame.template_id()),
    }
}
