//! The graph of the process: rings, bells, the released watermark, the three stages and the clerk who finds histories, built
//! in one function, and laid on threads in another. Whoever reads `build` has read the architecture.
//!
//! ```text
//! sockets -> Net --ingress ring--> Matcher --log ring--> Journaler -> segments
//!             ^                                  |            |
//!             +----------- log ring, up to R ----+     R <----+
//!
//! Net --errands--> Clerk, who reads segments --parts of histories--> Net
//! ```

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Waker};

use crate::clock::Clock;
use crate::config::{Config, Idle, Threads};
use crate::history::{self, Clerk, Office};
use crate::journaler::{self, Journaler};
use crate::keys::Keys;
use crate::matcher::{self, Matcher, room_bytes};
use crate::net::{self, Listeners, Net, WAKER};
use crate::recovery::Recovered;
use crate::renewal::NewKeys;
use crate::ring::{self, Bell, Sleeper};
use crate::snapshots::keeper::Line;
use crate::space::{Level, Space};
use crate::stage::{Ending, Released, Stage};

const INGRESS_BYTES: usize = 4 << 20;
const LOG_BYTES: usize = 16 << 20;
/// A stage with `idle = "backoff"` goes to sleep after this long without work.
const SPIN_MAX: Duration = Duration::from_micros(100);
/// Rounds of reading and applying in front of a sync on the same thread.
const ROUNDS_PER_SYNC: usize = 64;
/// A sleeper looks again after this long, whatever happens: timers, and the guard against a bell that nobody rings.
const SLEEP_MAX: Duration = Duration::from_millis(10);

/// The stages, and the bells that wake them.
pub struct Pipeline {
    pub net: Net,
    pub matcher: Matcher,
    pub journaler: Journaler,
    clerk: Clerk,
    net_sleeper: Sleeper,
    matcher_sleeper: Sleeper,
    journaler_sleeper: Sleeper,
    net_bell: Bell,
    ending: Ending,
    /// For keys that change while the venue runs.
    pub renewed_keys: Sender<NewKeys>,
    /// Taken by whoever has snapshots made and recorded.
    pub snapshots: Option<Line>,
}

pub fn build(
    recovered: Recovered,
    config: &Config,
    keys: Keys,
    listeners: impl Into<Listeners>,
    clock: Clock,
    ending: Ending,
) -> std::io::Result<Pipeline> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (net_bell, net_sleeper) = ring::doorbell_waking(Box::new(move || {
        // The descriptor is an eventfd of this process: it takes a wake-up as long as the process lives.
        let _ = waker.wake();
    }));
    let (matcher_bell, matcher_sleeper) = ring::doorbell();
    let (journal_bell, journaler_sleeper) = ring::doorbell();

    let engine = recovered.engine;
    let events = engine.limits().expect("the genesis opened the venue").events_per_command();
    let (ingress_sender, ingress_receiver) = ring::ingress(INGRESS_BYTES);
    let log_bytes = LOG_BYTES.max((8 * room_bytes(events)).next_power_of_two());
    let (log_writer, mut log_readers) = ring::log(log_bytes, 2);
    let (net_log, journal_log) = (log_readers.remove(0), log_readers.remove(0));
    let released = Released::at(engine.last_seq());
    let level = Level::behind(engine.standstill());
    let space = Space::at(level);
    let directory = recovered.journal.clone();

    let accounts = engine.sessions().map(|session| (session.id, session.account)).filter(|it| it.1 != 0);
    let (desk, clerk) = history::open(Office {
        journal: recovered.journal,
        accounts: accounts.collect(),
        net: net_bell.clone(),
        clock: clock.clone(),
    });

    let (renewed_keys, renewed) = channel();
    let net = Net::new(net::Parts {
        poll,
        listeners: listeners.into(),
        connections_max: config.venue.connections_max,
        limits: config.gateway.clone(),
        outboxes: recovered.outboxes,
        history: desk,
        ingress: ingress_sender,
        log: net_log,
        released: released.clone(),
        matcher: matcher_bell.clone(),
        keys,
        renewed,
        engine_epoch: engine.engine_epoch(),
        sync_mode: config.journal.sync,
        space: space.clone(),
        clock: clock.clone(),
        ending: ending.clone(),
    })?;
    let matcher = Matcher::new(matcher::Parts {
        engine,
        ingress: ingress_receiver,
        log: log_writer,
        clock: clock.clone(),
        journal: journal_bell,
        net: net_bell.clone(),
        ending: ending.clone(),
        space: space.clone(),
        mark_every: config.journal.mark_every,
    });
    let (references, to_record) = channel();
    let (recorded, told) = channel();
    let journaler = Journaler::new(journaler::Parts {
        to_record,
        recorded,
        writer: recovered.writer,
        log: journal_log,
        released,
        net: net_bell.clone(),
        matcher: matcher_bell,
        ending: ending.clone(),
        clock,
        release: config.release(),
        space,
        level,
        room_bytes: room_bytes(events),
        directory,
    });
    Ok(Pipeline {
        net,
        matcher,
        journaler,
        clerk,
        net_sleeper,
        matcher_sleeper,
        journaler_sleeper,
        net_bell,
        ending,
        renewed_keys,
        snapshots: Some(Line { references, recorded: told }),
    })
}

/// How the stages lie on threads, decided once and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub threads: Threads,
    pub idle: Idle,
    pub cores: usize,
}

impl Plan {
    pub fn new(threads: Threads, idle: Idle, cores: usize) -> Plan {
        let threads = match (threads, cores) {
            (Threads::Auto, 0..2) => Threads::Blocking,
            (Threads::Auto, 2..4) => Threads::Single,
            (Threads::Auto, _) => Threads::Dedicated,
            (chosen, _) => chosen,
        };
        let idle = if threads == Threads::Blocking { Idle::Block } else { idle };
        Plan { threads, idle, cores }
    }

    pub fn shown(&self) -> String {
        let layout = match self.threads {
            Threads::Auto | Threads::Blocking => "blocking: a sleeping thread per stage",
            Threads::Single => "single: gateway, engine and journal on core 0",
            Threads::Shared => "shared: gateway and engine on core 0, journal on core 1",
            Threads::Dedicated => "dedicated: gateway on core 0, engine on core 1, journal on core 2",
        };
        let idle = match self.idle {
            Idle::Spin => "spins when idle",
            Idle::Backoff => "spins, then sleeps when idle",
            Idle::Block => "sleeps when idle",
        };
        format!("{layout}; {idle} ({} cores)", self.cores)
    }
}

impl Pipeline {
    /// Runs until the venue has ended. The calling thread waits; an error is what went wrong for good.
    pub fn run(self, plan: Plan) -> Result<(), String> {
        let Pipeline { net, matcher, journaler, clerk, .. } = self;
        let ending = self.ending;
        let guard = || Guard { ending: ending.clone(), bell: self.net_bell.clone() };
        let pinned = |core: usize| (plan.threads != Threads::Blocking && core < plan.cores).then_some(core);
        let idle = plan.idle;
        let mut threads = Vec::new();
        let (journal_sleeper, matcher_sleeper, net_sleeper) =
            (self.journaler_sleeper, self.matcher_sleeper, self.net_sleeper);
        let stop = ending.clone();
        let parked_journal = |journaler, idle| move || parked(journaler, journal_sleeper, idle, &stop);
        match plan.threads {
            // Stages on the gateway's thread need no bell: whoever would ring is this thread, or rings the gateway as well.
            Threads::Single => threads.push(spawn("venue", pinned(0), guard(), move || {
                waiting(net, net_sleeper, idle, Some(matcher), Some(journaler));
            })),
            Threads::Shared => {
                // On few cores a journal that spins takes its time from those it works for.
                let journal = parked_journal(journaler, Idle::Block);
                threads.push(spawn("journal", pinned(1), guard(), journal));
                threads.push(spawn("gateway+engine", pinned(0), guard(), move || {
                    waiting(net, net_sleeper, idle, Some(matcher), None);
                }));
            }
            Threads::Auto | Threads::Blocking | Threads::Dedicated => {
                let stop = ending.clone();
                threads.push(spawn("journal", pinned(2), guard(), parked_journal(journaler, idle)));
                threads.push(spawn("engine", pinned(1), guard(), move || {
                    parked(matcher, matcher_sleeper, idle, &stop)
                }));
                threads.push(spawn("gateway", pinned(0), guard(), move || {
                    waiting(net, net_sleeper, idle, None, None);
                }));
            }
        }
        // On no core of its own, and it ends when the gateway is gone.
        threads.push(spawn("history", None, guard(), move || clerk.run()));
        for thread in threads {
            // A panic was told to the others by its guard; the message stands on standard error.
            let _ = thread.join();
        }
        ending.failure().map_or(Ok(()), |reason| Err(reason.to_string()))
    }
}

/// Ends the venue when the thread that holds it stops on a broken assertion.
struct Guard {
    ending: Ending,
    bell: Bell,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ending.fail("a stage stopped on a broken assertion; its message stands above".into());
            self.bell.ring();
        }
    }
}

fn spawn(
    name: &str,
    core: Option<usize>,
    guard: Guard,
    run: impl FnOnce() + Send + 'static,
) -> JoinHandle<()> {
    let pinned = move || {
        let _guard = guard;
        if let Some(id) = core {
            // Not every machine lets a process choose; it then runs unpinned.
            core_affinity::set_for_current(core_affinity::CoreId { id });
        }
        run();
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(pinned)
        .expect("the system starts the venue's few threads")
}

/// A stage that sleeps until it is rung.
fn parked(mut stage: impl Stage, mut sleeper: Sleeper, idle: Idle, ending: &Ending) {
    let mut patience = Patience::new(idle);
    while !stage.finished() && ending.failure().is_none() {
        if stage.poll() > 0 {
            patience.renew();
        } else if !patience.is_over() {
            std::hint::spin_loop();
        } else {
            sleeper.prepare();
            if stage.poll() > 0 {
                sleeper.cancel();
                patience.renew();
            } else {
                sleeper.sleep(SLEEP_MAX);
            }
        }
    }
}

/// The gateway, alone or with other stages on its thread: it sleeps in the poll of its sockets.
fn waiting(
    mut net: Net,
    mut sleeper: Sleeper,
    idle: Idle,
    mut matcher: Option<Matcher>,
    mut journaler: Option<Journaler>,
) {
    let mut patience = Patience::new(idle);
    while !net.finished() {
        if turn(&mut net, &mut matcher, &mut journaler) > 0 || net.has_input() {
            patience.renew();
        } else if !patience.is_over() {
            std::hint::spin_loop();
        } else {
            sleeper.prepare();
            if turn(&mut net, &mut matcher, &mut journaler) == 0 {
                net.wait(SLEEP_MAX);
            }
            sleeper.cancel();
        }
    }
}

/// Everything that has come is applied before a journal on the same thread goes to the disk: one sync for all of it.
fn turn(net: &mut Net, matcher: &mut Option<Matcher>, journaler: &mut Option<Journaler>) -> usize {
    let mut work = 0;
    for _ in 0..if journaler.is_some() { ROUNDS_PER_SYNC } else { 1 } {
        let done = net.poll() + matcher.as_mut().map_or(0, Stage::poll);
        work += done;
        if done == 0 {
            break;
        }
    }
    work + journaler.as_mut().map_or(0, Stage::poll)
}

/// How long a stage goes on looking for work before it sleeps.
struct Patience {
    idle: Idle,
    since: Option<quanta::Instant>,
}

impl Patience {
    fn new(idle: Idle) -> Patience {
        Patience { idle, since: None }
    }

    fn renew(&mut self) {
        self.since = None;
    }

    fn is_over(&mut self) -> bool {
        match self.idle {
            Idle::Spin => false,
            Idle::Block => true,
            Idle::Backoff => self.since.get_or_insert_with(quanta::Instant::now).elapsed() > SPIN_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cores_chooses_the_layout() {
        let chosen = |cores| Plan::new(Threads::Auto, Idle::Backoff, cores).threads;
        assert_eq!(
            [1, 2, 3, 4, 64].map(chosen),
            [Threads::Blocking, Threads::Single, Threads::Single, Threads::Dedicated, Threads::Dedicated]
        );
        assert_eq!(Plan::new(Threads::Blocking, Idle::Spin, 8).idle, Idle::Block);
    }
}
