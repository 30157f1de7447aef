//! The member's side of a session, synchronous, over one TCP connection: numbers commands, tells events exactly once and
//! without a gap, keeps the session alive, and resumes it where it stood. The mirror of the venue's session. It keeps no
//! order and no position; `portfolio` does. It works only while it is called: call `next_event` at least once per keep-alive.

#![deny(missing_docs)]

mod error;
mod event;
mod handler;
mod link;
mod logon;
pub mod orders;
#[cfg(test)]
pub(crate) mod peer;
mod pipe;
pub mod portfolio;
mod sent;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::command::{CancelOrder, MassQuote, NewOrder, QuoteEntry};
use engine::event::LogonAck;
use engine::limits::{FRAME_BYTES_MAX, KEEP_ALIVE_MS_MIN, QUOTE_ENTRIES_MAX};
use engine::message::{Framed, GroupSize, Message};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U64;

use crate::client_config::ClientConfig;
use crate::frame::{self, FRAME_BYTES_MIN};
use crate::message::{Heartbeat, Logout, TestRequest, fixed_text};
use crate::release::SyncMode;
use crate::tls;
pub use error::ClientError;
pub use event::{Body, Event};
pub use handler::{Handler, Step};

use event::{Heard, NUMBERED_FROM, strange};
use link::Link;
use logon::Member;
use sent::Sent;

/// How to connect, and how hard to hold on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Silence after which either side says that it is alive; the venue brings it into 100..=60000.
    pub keep_alive_ms: u32,
    /// Patience with the connection, with the logon, and with a venue that does not read.
    pub timeout: Duration,
    /// Where an earlier process stood. Without it the venue tells everything that it still keeps.
    pub resume: Option<SessionPosition>,
    /// `next_event` and `send` log on again by themselves.
    pub auto_reconnect: bool,
    /// Logons in a row, without anything heard between them, before a reconnect gives up.
    pub reconnect_attempts: u32,
    /// Pause in front of the second logon of a reconnect; it doubles up to `backoff_max`.
    pub backoff: Duration,
    /// The longest of these pauses.
    pub backoff_max: Duration,
    /// Commands that may wait for an answer.
    pub unanswered_max: usize,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            keep_alive_ms: 10_000,
            timeout: Duration::from_secs(5),
            resume: None,
            auto_reconnect: false,
            reconnect_attempts: 30,
            backoff: Duration::from_millis(50),
            backoff_max: Duration::from_secs(2),
            unanswered_max: 16_384,
        }
    }
}

/// The next number of either direction: all that a process needs to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPosition {
    /// Of the next command.
    pub next_client_seq: u64,
    /// Of the next message of the venue.
    pub next_server_seq: u64,
}

/// What a new logon brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Messages of the venue that were missed and follow now.
    pub replayed: u64,
    /// Commands that the venue had not applied and that were sent again.
    pub resent: usize,
    /// Another epoch means that the venue's history was restored from elsewhere.
    pub engine_epoch: u64,
}

/// A session with the venue, over one connection after the other.
pub struct Client {
    address: String,
    /// What is trusted to be the venue; without it the connection is plain.
    trust: Option<Arc<rustls::ClientConfig>>,
    member: Member,
    options: ConnectOptions,
    link: Option<Link>,
    /// Why writing failed. Told only when nothing is left to read, because a goodbye may stand there.
    write_fault: Option<ClientError>,
    sent: Sent,
    /// The last mass quote, kept for its memory.
    quotes: Vec<u8>,
    next_client_seq: u64,
    next_server_seq: u64,
    ack: LogonAck,
    sync_mode: Option<SyncMode>,
    acked_at: Instant,
    notice: Option<Resumed>,
    attempts_left: u32,
}

impl Client {
    /// Connects and logs on with the default options.
    pub fn connect(config: &ClientConfig) -> Result<Client, ClientError> {
        Client::connect_with(config, ConnectOptions::default())
    }

    /// Connects and logs on, once.
    pub fn connect_with(config: &ClientConfig, options: ConnectOptions) -> Result<Client, ClientError> {
        let member = Member {
            session: config.session,
            key_id: config.key_id,
            key: logon::read_key(&config.key_file)?,
            keep_alive_ms: options.keep_alive_ms,
        };
        let position = options.resume.unwrap_or(SessionPosition { next_client_seq: 1, next_server_seq: 1 });
        let trust = config.certificate.as_deref().map(tls::client).transpose();
        let trust = trust.map_err(ClientError::Unreachable)?;
        let mut link = Link::open(&config.address, trust.as_ref(), options.timeout)?;
        let (ack, sync_mode) = logon::establish(&mut link, &member, position, options.timeout)?;
        let next_server_seq = first_replayed(&ack, position.next_server_seq, options.resume.is_none())?;
        Ok(Client {
            address: config.address.clone(),
            trust,
            member,
            link: Some(link),
            write_fault: None,
            sent: Sent::default(),
            quotes: Vec::new(),
            next_client_seq: ack.next_client_seq.get(),
            next_server_seq,
            ack,
            sync_mode,
            acked_at: Instant::now(),
            notice: None,
            attempts_left: options.reconnect_attempts,
            options,
        })
    }

    /// Sends a limit order, or another that `orders` or the caller made; its number in the client's sequence.
    pub fn new_order(&mut self, order: NewOrder) -> Result<u64, ClientError> {
        self.send(order)
    }

    /// Sends a cancel.
    pub fn cancel_order(&mut self, cancel: CancelOrder) -> Result<u64, ClientError> {
        self.send(cancel)
    }

    /// Numbers and sends one command. An error means that it took no number and is never sent. Once numbered, it is
    /// delivered at most once, by a resume if this connection breaks; `next_event` tells when it does.
    pub fn send<M: Message>(&mut self, block: M) -> Result<u64, ClientError> {
        let seq = self.queue(block)?;
        // A fault is kept, and told once what the venue said before it is heard.
        let _ = self.flush_once();
        Ok(seq)
    }

    /// Numbers one command and keeps it until `flush` or `next_event`, so that many leave in one system call.
    pub fn queue<M: Message>(&mut self, block: M) -> Result<u64, ClientError> {
        const { assert!(M::TEMPLATE >= NUMBERED_FROM && FRAME_BYTES_MIN + size_of::<M>() <= FRAME_BYTES_MAX) };
        self.queue_message(Framed::new(block).as_bytes())
    }

    /// Sends a mass quote as `send` does a command: every entry sets both sides of its instrument.
    pub fn send_quotes(&mut self, head: MassQuote, entries: &[QuoteEntry]) -> Result<u64, ClientError> {
        if entries.len() > QUOTE_ENTRIES_MAX {
            return Err(ClientError::TooManyQuotes(entries.len()));
        }
        let (head, size) = (Framed::new(head), GroupSize::of(entries));
        let mut message = std::mem::take(&mut self.quotes);
        message.clear();
        for part in [head.as_bytes(), size.as_bytes(), entries.as_bytes()] {
            message.extend_from_slice(part);
        }
        let seq = self.queue_message(&message);
        self.quotes = message;
        let seq = seq?;
        let _ = self.flush_once();
        Ok(seq)
    }

    fn queue_message(&mut self, message: &[u8]) -> Result<u64, ClientError> {
        if self.sent.len() >= self.options.unanswered_max {
            return Err(ClientError::TooManyUnanswered(self.sent.len()));
        }
        self.have_link()?;
        let seq = self.next_client_seq;
        self.sent.push(seq, now_ns(), message);
        self.next_client_seq += 1;
        Ok(seq)
    }

    /// Writes what was queued. After an error it stays queued for the resume.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.flush_once().or_else(|fault| self.heal(fault))
    }

    /// The next event, waiting for at most `timeout`; `None` when nothing came. Zero polls. With `auto_reconnect` a
    /// broken connection is resumed first, which may take longer than `timeout`; `Body::Resumed` tells of it.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, ClientError> {
        let mut deadline = None;
        loop {
            if let Some(resumed) = self.notice.take() {
                return Ok(Some(notice(resumed)));
            }
            let fault = match self.step(timeout, &mut deadline) {
                Ok(told) => return Ok(told),
                Err(fault) => fault,
            };
            self.link = None;
            self.heal(fault)?;
        }
    }

    /// Logs on again: learns what the venue applied, sends the rest again under its numbers, and is told what it missed.
    pub fn reconnect(&mut self) -> Result<Resumed, ClientError> {
        self.attempts_left = self.options.reconnect_attempts;
        self.resume(ClientError::Disconnected)?;
        self.notice.take().ok_or(ClientError::Disconnected)
    }

    /// Where this session stands: what a later process gives as `ConnectOptions::resume`.
    pub fn position(&self) -> SessionPosition {
        SessionPosition { next_client_seq: self.next_client_seq, next_server_seq: self.next_server_seq }
    }

    /// The venue's next number at the last logon: what comes below it is history.
    pub fn live_from(&self) -> u64 {
        self.ack.next_server_seq.get()
    }

    /// Commands that are not known to be applied.
    pub fn unanswered(&self) -> usize {
        self.sent.len()
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// What the venue waits for before it says anything; none if it named a mode that this client does not know.
    pub fn sync_mode(&self) -> Option<SyncMode> {
        self.sync_mode
    }

    /// What the venue announced at the last logon.
    pub fn logon_ack(&self) -> &LogonAck {
        &self.ack
    }

    /// The venue's clock in ns since 1970: its time at the last logon, and what has passed here since.
    pub fn server_time(&self) -> u64 {
        let passed = u64::try_from(self.acked_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.ack.server_time.get().saturating_add(passed)
    }

    /// Says now that this client lives and what it has heard.
    pub fn heartbeat(&mut self) -> Result<(), ClientError> {
        self.flush_once()?;
        self.say_heartbeat(U64::ZERO)
    }

    /// Writes what is queued, says goodbye and closes. What the venue says meanwhile is told after the next logon.
    pub fn logout(&mut self) -> Result<(), ClientError> {
        let said = self.flush_once().and_then(|()| {
            let mut goodbye: Logout = zerocopy::FromZeros::new_zeroed();
            goodbye.text = fixed_text("goodbye");
            self.say(goodbye)
        });
        if let Some(link) = self.link.take() {
            link.finish();
        }
        said
    }
}

/// Hearing.
impl Client {
    /// Until there is something to tell: what was read, then the socket, then the clock.
    fn step(
        &mut self,
        timeout: Duration,
        deadline: &mut Option<Instant>,
    ) -> Result<Option<Event>, ClientError> {
        let _ = self.flush_once();
        loop {
            while let Some(heard) = self.link()?.take()? {
                if let Some(event) = self.hear(heard)? {
                    return Ok(Some(event));
                }
            }
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| saturating_add(now, timeout));
            let wait = until.min(self.next_duty()?).saturating_duration_since(now);
            let wait = if self.write_fault.is_some() { Duration::ZERO } else { wait };
            if self.link()?.fill(wait)? {
                self.say_heartbeat_when_due()?;
                continue;
            }
            if let Some(fault) = self.write_fault.take() {
                return Err(fault);
            }
            self.keep_alive()?;
            if Instant::now() >= until {
                return Ok(None);
            }
        }
    }

    fn hear(&mut self, heard: Heard) -> Result<Option<Event>, ClientError> {
        match heard {
            Heard::Told(event) => self.hear_event(event),
            Heard::Heartbeat(heartbeat) => {
                self.hear_heartbeat(&heartbeat)?;
                Ok(None)
            }
            Heard::TestRequest(test) => {
                self.say_heartbeat(test.echo)?;
                Ok(None)
            }
            Heard::Logout(logout) => Err(logon::logged_out(&logout)),
            Heard::Unasked => Ok(None),
            Heard::Challenge(_) | Heard::LogonAck(_) | Heard::LogonReject(_) => {
                Err(strange("a second answer to the logon".into()))
            }
        }
    }

    /// Exactly once and without a gap: a repeat is nothing, a gap is told as such.
    fn hear_event(&mut self, event: Event) -> Result<Option<Event>, ClientError> {
        if event.is_history() {
            // What it answered may be another session's command.
            return Ok(Some(event));
        }
        if event.server_seq != 0 {
            if event.server_seq < self.next_server_seq {
                return Ok(None);
            }
            if event.server_seq > self.next_server_seq {
                return Err(ClientError::Gap { expected: self.next_server_seq, received: event.server_seq });
            }
        }
        let decided = match &event.body {
            Body::NotApplied(hole) => {
                hole.from_seq.get().saturating_add(u64::from(hole.count.get())).saturating_sub(1)
            }
            body => body.ref_seq(),
        };
        self.applied_through(decided)?;
        if event.server_seq != 0 {
            self.next_server_seq += 1;
            self.attempts_left = self.options.reconnect_attempts;
        }
        Ok(Some(event))
    }

    /// A quiet venue's next number shows at once that a message is missing: frames come in order.
    fn hear_heartbeat(&mut self, heartbeat: &Heartbeat) -> Result<(), ClientError> {
        self.applied_through(heartbeat.ack_seq.get())?;
        let received = heartbeat.next_seq.get();
        if received > self.next_server_seq {
            return Err(ClientError::Gap { expected: self.next_server_seq, received });
        }
        self.attempts_left = self.options.reconnect_attempts;
        Ok(())
    }

    fn applied_through(&mut self, seq: u64) -> Result<(), ClientError> {
        if seq >= self.next_client_seq {
            let next = self.next_client_seq;
            return Err(strange(format!("an answer to command {seq}, but the next to be sent is {next}")));
        }
        self.sent.applied_below(seq + 1);
        Ok(())
    }
}

/// Keeping alive.
impl Client {
    fn keep_alive_after(&self) -> Duration {
        Duration::from_millis(self.ack.keep_alive_ms.get().max(KEEP_ALIVE_MS_MIN).into())
    }

    /// When this side has to say something or to give up, if nothing happens before.
    fn next_duty(&mut self) -> Result<Instant, ClientError> {
        let after = self.keep_alive_after();
        let link = self.link()?;
        Ok((link.wrote_at + after).min(link.tested_at.unwrap_or(link.heard_at) + after))
    }

    /// Called when the socket had nothing: only then is silence the venue's, and not this side's. A venue that was asked has
    /// as long again to answer, however late this side came to ask.
    fn keep_alive(&mut self) -> Result<(), ClientError> {
        let after = self.keep_alive_after();
        let link = self.link()?;
        let silence = link.heard_at.elapsed();
        if link.tested_at.is_some_and(|asked| asked.elapsed() >= after) {
            return Err(ClientError::Silent { waited_ms: silence.as_millis() as u64 });
        }
        let asks = silence >= after && link.tested_at.is_none();
        self.say_heartbeat_when_due()?;
        if asks {
            self.say(TestRequest { echo: U64::new(now_ns()) })?;
            self.link()?.tested_at = Some(Instant::now());
        }
        Ok(())
    }

    fn say_heartbeat_when_due(&mut self) -> Result<(), ClientError> {
        let after = self.keep_alive_after();
        if self.link()?.wrote_at.elapsed() >= after {
            self.say_heartbeat(U64::ZERO)?;
        }
        Ok(())
    }

    fn say_heartbeat(&mut self, echo: U64) -> Result<(), ClientError> {
        let (next_seq, ack_seq) = (U64::new(self.next_client_seq), U64::new(self.next_server_seq - 1));
        self.say(Heartbeat { next_seq, ack_seq, echo })
    }

    fn say<M: Message>(&mut self, block: M) -> Result<(), ClientError> {
        let mut bytes = Vec::with_capacity(FRAME_BYTES_MIN + size_of::<M>());
        frame::append(&mut bytes, 0, 0, now_ns(), block);
        self.link()?.write(&bytes)
    }

    /// Written counts as possibly sent even when the write failed: a part of it may have arrived.
    fn flush_once(&mut self) -> Result<(), ClientError> {
        if let Some(fault) = &self.write_fault {
            return Err(fault.clone());
        }
        let link = self.link.as_mut().ok_or(ClientError::Disconnected)?;
        if self.sent.queued().is_empty() {
            return Ok(());
        }
        let written = link.write(self.sent.queued());
        self.sent.mark_written();
        self.write_fault = written.as_ref().err().cloned();
        written
    }
}

/// Resuming.
impl Client {
    fn link(&mut self) -> Result<&mut Link, ClientError> {
        self.link.as_mut().ok_or(ClientError::Disconnected)
    }

    /// A connection that may take commands, by a resume where that is allowed.
    fn have_link(&mut self) -> Result<(), ClientError> {
        let fault = match (&self.link, &self.write_fault) {
            (Some(_), None) => return Ok(()),
            (_, Some(fault)) => fault.clone(),
            (None, None) => ClientError::Disconnected,
        };
        self.heal(fault)
    }

    fn heal(&mut self, fault: ClientError) -> Result<(), ClientError> {
        if self.options.auto_reconnect { self.resume(fault) } else { Err(fault) }
    }

    /// Attempts are counted until something is heard, so a venue that accepts the logon and hangs up is not asked for ever.
    fn resume(&mut self, mut fault: ClientError) -> Result<(), ClientError> {
        while self.attempts_left > 0 && fault.heals() {
            std::thread::sleep(self.pause());
            self.attempts_left -= 1;
            self.link = None;
            self.write_fault = None;
            match self.resume_once() {
                Ok(resumed) => {
                    self.notice = Some(resumed);
                    return Ok(());
                }
                Err(next) => fault = next,
            }
        }
        (self.link, self.attempts_left) = (None, 0);
        Err(fault)
    }

    /// None in front of the first attempt, then twice the last.
    fn pause(&self) -> Duration {
        match self.options.reconnect_attempts.saturating_sub(self.attempts_left) {
            0 => Duration::ZERO,
            tried => {
                let growth = 2_u32.saturating_pow(tried - 1);
                self.options.backoff.saturating_mul(growth).min(self.options.backoff_max)
            }
        }
    }

    fn resume_once(&mut self) -> Result<Resumed, ClientError> {
        let mut link = Link::open(&self.address, self.trust.as_ref(), self.options.timeout)?;
        let (ack, sync_mode) =
            logon::establish(&mut link, &self.member, self.position(), self.options.timeout)?;
        first_replayed(&ack, self.next_server_seq, false)?;
        self.agree_on_commands(ack.next_client_seq.get())?;
        let resent = self.sent.len();
        (self.ack, self.acked_at, self.link) = (ack, Instant::now(), Some(link));
        self.sync_mode = sync_mode;
        self.sent.rewind();
        let _ = self.flush_once();
        let replayed = ack.next_server_seq.get() - self.next_server_seq;
        Ok(Resumed { replayed, resent, engine_epoch: ack.engine_epoch.get() })
    }

    /// The venue's next number must be that of the oldest command which is not applied; anything else is another history.
    fn agree_on_commands(&mut self, venue: u64) -> Result<(), ClientError> {
        self.sent.applied_below(venue);
        let mine = self.sent.oldest().unwrap_or(self.next_client_seq);
        if mine == venue { Ok(()) } else { Err(ClientError::Diverged { mine, venue }) }
    }
}

/// The first message that the venue will tell, where `asked` was asked for. Only who remembers nothing can lose nothing.
fn first_replayed(ack: &LogonAck, asked: u64, remembers_nothing: bool) -> Result<u64, ClientError> {
    let (next, oldest) = (ack.next_server_seq.get(), ack.oldest_server_seq.get());
    if asked > next || oldest > next {
        return Err(strange(format!(
            "a logon from message {asked} on, with {oldest} as oldest and {next} as next"
        )));
    }
    if asked < oldest && !remembers_nothing {
        return Err(ClientError::Forgotten { asked, oldest });
    }
    Ok(asked.max(oldest))
}

fn notice(resumed: Resumed) -> Event {
    let body = Body::Resumed(resumed);
    Event { server_seq: 0, send_time: now_ns(), retransmitted: false, end_of_event: true, body }
}

fn saturating_add(now: Instant, wait: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    now + wait.min(DAY)
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
