//! The thread of market data: follows the journal as far as output is released, projects what it reads, and tells subscribers.
//! Neither the engine nor order entry waits for it, and what goes wrong here ends the feed alone.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use engine::reject::Reject;
use journal::{Bookmark, Kind, Limit, ReadError, Reader, Record};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::archive::{Archive, Errand};
use super::multicast::Multicast;
use super::projection::Projection;
use super::subscriber::{Scene, Subscriber};
use super::window::Window;
use socket2::SockRef;

use crate::cli::warn;
use crate::clock::Clock;
use crate::ring::{self, Bell, Sleeper};
use crate::stage::Ending;

const LISTENER: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);
/// Groups of the journal that one turn reads.
const GROUPS_PER_TURN: usize = 16;
/// What the kernel keeps of the output of a connection.
const SEND_BYTES: usize = 256 << 10;
const ACCEPTS_PER_TURN: usize = 16;
const TIMER_NS: u64 = 100_000_000;
/// A sleeper looks again after this long, whatever happens.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// At the end, how long subscribers may take to hear what was said.
const GOODBYE_NS: u64 = 1_000_000_000;

/// Where the projection stands when the feed begins: at a snapshot, or before everything.
#[derive(Debug, Default)]
pub struct Start {
    pub projection: Projection,
    pub bookmark: Option<Bookmark>,
}

/// What the feed is built from.
pub struct Parts {
    pub journal: PathBuf,
    pub start: Start,
    /// How far it may read: what is released, and no more.
    pub limit: Limit,
    pub listener: std::net::TcpListener,
    pub multicast: Option<Multicast>,
    pub connections_max: usize,
    pub window_bytes: usize,
    pub engine_epoch: u64,
    pub clock: Clock,
    pub ending: Ending,
}

/// Reads the journal and numbers what it tells everybody.
pub struct Follower {
    reader: Reader,
    limit: Limit,
    projection: Projection,
    window: Window,
}

impl Follower {
    pub fn open(
        journal: &std::path::Path,
        start: Start,
        limit: Limit,
        window_bytes: usize,
    ) -> Result<Follower, ReadError> {
        let reader = match &start.bookmark {
            Some(bookmark) => Reader::open_at(journal, bookmark)?,
            None => Reader::open(journal)?,
        };
        let window = Window::new(start.projection.next_seq(), window_bytes);
        Ok(Follower { reader, limit, projection: start.projection, window })
    }

    /// The next group if it is released; whether there was one.
    pub fn poll(&mut self) -> Result<bool, ReadError> {
        let Follower { reader, limit, projection, window } = self;
        let mut hear = |record: &Record<'_>| {
            if record.kind == Kind::Command {
                projection.end().messages().for_each(|message| window.push(&message));
            }
            projection.hear(record);
            Ok(())
        };
        let read = reader.poll_group(*limit, u64::MAX, &mut hear)?;
        // Groups hold whole commands.
        projection.end().messages().for_each(|message| window.push(&message));
        Ok(read)
    }

    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    pub fn window(&self) -> &Window {
        &self.window
    }
}

pub struct Feed {
    follower: Follower,
    archive: Archive,
    poll: Poll,
    events: Events,
    listener: TcpListener,
    knocking: bool,
    subscribers: Vec<Option<Subscriber>>,
    connections: u64,
    connections_max: usize,
    multicast: Option<Multicast>,
    engine_epoch: u64,
    clock: Clock,
    ending: Ending,
    sleeper: Sleeper,
    timer_ns: u64,
    /// Everything below was told to subscribers.
    told_seq: u64,
}

impl Feed {
    /// The bell is to be rung when something was released.
    pub fn new(parts: Parts) -> Result<(Feed, Bell), String> {
        let failed = |error: std::io::Error| format!("cannot set up the sockets of the market data: {error}");
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(failed)?);
        let archive =
            Archive::open(parts.journal.clone(), parts.limit, parts.clock.clone(), Arc::clone(&waker))?;
        let (bell, sleeper) = ring::doorbell_waking(Box::new(move || {
            // The descriptor lives as long as the process.
            let _ = waker.wake();
        }));
        parts.listener.set_nonblocking(true).map_err(failed)?;
        let mut listener = TcpListener::from_std(parts.listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(failed)?;
        let follower = Follower::open(&parts.journal, parts.start, parts.limit, parts.window_bytes)
            .map_err(|error| format!("the market data cannot read the journal: {error}"))?;
        let feed = Feed {
            told_seq: follower.window.next_seq(),
            follower,
            archive,
            poll,
            events: Events::with_capacity(256),
            listener,
            knocking: true,
            subscribers: Vec::new(),
            connections: 0,
            connections_max: parts.connections_max,
            multicast: parts.multicast,
            engine_epoch: parts.engine_epoch,
            timer_ns: 0,
            clock: parts.clock,
            ending: parts.ending,
            sleeper,
        };
        Ok((feed, bell))
    }

    pub fn spawn(self) -> Result<JoinHandle<()>, String> {
        let thread = Builder::new().name("market".into()).spawn(move || self.run());
        thread.map_err(|error| format!("cannot start a thread: {error}"))
    }

    /// Until the venue has ended, or the journal cannot be followed.
    pub fn run(mut self) {
        let code = match self.follow_to_the_end() {
            Ok(()) => Reject::ServerShutdown,
            Err(error) => {
                warn(format_args!(
                    "the market data ends, the venue goes on: the journal cannot be read: {error}"
                ));
                Reject::Internal
            }
        };
        self.goodbye(code);
    }

    fn follow_to_the_end(&mut self) -> Result<(), ReadError> {
        // Nobody is heard before the present is reached: what they would be told is not known.
        while self.follower.poll()? {
            if self.ending.failure().is_some() {
                return Ok(());
            }
        }
        self.told_seq = self.follower.window.next_seq();
        loop {
            // Read before the journal is: what was released before the end is told below.
            let is_over = self.ending.journal_done() || self.ending.failure().is_some();
            if self.turn(Duration::ZERO)? > 0 || self.has_work() {
                continue;
            }
            if is_over {
                return Ok(());
            }
            self.sleeper.prepare();
            if self.turn(Duration::ZERO)? == 0 {
                self.sockets(SLEEP_MAX);
            }
            self.sleeper.cancel();
        }
    }

    fn has_work(&self) -> bool {
        self.knocking || self.subscribers.iter().flatten().any(Subscriber::has_work)
    }

    /// A bounded amount of everything.
    pub fn turn(&mut self, wait: Duration) -> Result<usize, ReadError> {
        let mut done = 0;
        for _ in 0..GROUPS_PER_TURN {
            if !self.follower.poll()? {
                break;
            }
            done += 1;
            self.tell();
        }
        self.sockets(wait);
        done += self.accept();
        let Feed { follower, archive, subscribers, engine_epoch, clock, .. } = self;
        let scene = scene(follower, archive, *engine_epoch, clock.now_ns());
        while let Some(part) = archive.part() {
            let mut asker = subscribers.iter_mut().flatten();
            if let Some(asker) = asker.find(|subscriber| subscriber.id == part.subscriber) {
                asker.found(&part.frames, part.next_seq, &scene);
            }
            done += 1;
        }
        let is_time = scene.now_ns >= self.timer_ns + TIMER_NS;
        for place in subscribers.iter_mut() {
            let Some(subscriber) = place else { continue };
            if is_time {
                subscriber.tick(&scene);
            }
            done += subscriber.turn(&scene);
            if let Some(far) = subscriber.errand(&scene)
                && archive.send(Errand { subscriber: subscriber.id, from: far.start, end: far.end })
            {
                subscriber.wait_for_the_journal();
            }
            if subscriber.is_gone() {
                // Closing the descriptor takes it out of the poll.
                *place = None;
            }
        }
        if is_time {
            self.timer_ns = scene.now_ns;
            if let Some(multicast) = &mut self.multicast {
                multicast.tick(follower.window.next_seq(), scene.now_ns);
            }
        }
        Ok(done)
    }

    /// What came since, to all.
    fn tell(&mut self) {
        let now_ns = self.clock.now_ns();
        let window = &self.follower.window;
        // More than the window holds is never one group, but at the start.
        for seq in self.told_seq.max(window.oldest_seq())..window.next_seq() {
            let message = window.get(seq).expect("the window holds all between");
            for subscriber in self.subscribers.iter_mut().flatten() {
                subscriber.hear(&message, now_ns);
            }
            if let Some(multicast) = &mut self.multicast {
                multicast.hear(&message, now_ns);
            }
        }
        if let Some(multicast) = &mut self.multicast {
            multicast.flush(now_ns);
        }
        self.told_seq = window.next_seq();
    }

    fn sockets(&mut self, timeout: Duration) {
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout)) {
            assert!(error.kind() == ErrorKind::Interrupted, "the poll of the market data failed: {error}");
            return;
        }
        for event in &self.events {
            match event.token() {
                WAKER => {}
                LISTENER => self.knocking = true,
                Token(place) => {
                    if let Some(Some(subscriber)) = self.subscribers.get_mut(place) {
                        subscriber.touched();
                    }
                }
            }
        }
    }

    fn accept(&mut self) -> usize {
        for accepted in 0..if self.knocking { ACCEPTS_PER_TURN } else { 0 } {
            match self.listener.accept() {
                Ok((socket, _)) => self.admit(socket),
                Err(_) => {
                    self.knocking = false;
                    return accepted;
                }
            }
        }
        0
    }

    fn admit(&mut self, mut socket: TcpStream) {
        // What the kernel keeps for a connection is bounded as well; where it refuses, it is by its own bound.
        let _ = socket.set_nodelay(true);
        let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BYTES);
        let now_ns = self.clock.now_ns();
        let scene = scene(&self.follower, &self.archive, self.engine_epoch, now_ns);
        self.connections += 1;
        let free = self.subscribers.iter().position(Option::is_none);
        let place = free.unwrap_or(self.subscribers.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut socket, Token(place), interest).is_err() {
            return;
        }
        let mut subscriber = Subscriber::new(self.connections, socket, &scene);
        // Those beyond the limit hear why, and they too are bounded.
        if place >= self.connections_max {
            if place >= 2 * self.connections_max {
                return;
            }
            subscriber.close(Reject::Capacity, now_ns);
        }
        if place == self.subscribers.len() {
            self.subscribers.push(None);
        }
        self.subscribers[place] = Some(subscriber);
    }

    fn goodbye(&mut self, code: Reject) {
        let until_ns = self.clock.now_ns() + GOODBYE_NS;
        let now_ns = self.clock.now_ns();
        self.subscribers.iter_mut().flatten().for_each(|subscriber| subscriber.close(code, now_ns));
        while self.subscribers.iter().any(Option::is_some) && self.clock.now_ns() < until_ns {
            self.sockets(Duration::from_millis(10));
            let scene = scene(&self.follower, &self.archive, self.engine_epoch, self.clock.now_ns());
            for place in &mut self.subscribers {
                if let Some(subscriber) = place {
                    subscriber.turn(&scene);
                    subscriber.tick(&scene);
                    if subscriber.is_gone() {
                        *place = None;
                    }
                }
            }
        }
    }

    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }
}

fn scene<'a>(follower: &'a Follower, archive: &Archive, engine_epoch: u64, now_ns: u64) -> Scene<'a> {
    let (projection, window) = (&follower.projection, &follower.window);
    Scene { projection, window, oldest_seq: archive.oldest_seq, engine_epoch, now_ns }
}
