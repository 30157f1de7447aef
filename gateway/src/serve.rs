//! `ballast serve`: recover, listen, run until told to end. Prints what an operator must know at the start (how output is
//! released, how the stages lie on threads, where recovery ended) and where the venue stopped.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use journal::{Acceptance, Watermarks, bus};
use mio::net::TcpListener;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use socket2::{Domain, Protocol, Socket, Type};

use crate::cli::{EXIT_BUS, EXIT_DAMAGED, EXIT_DISK, EXIT_ERROR, EXIT_REFUSED, Failure, load, say, warn};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::drift;
use crate::loss;
use crate::market;
use crate::market::feed::Feed;
use crate::market::multicast::Multicast;
use crate::net::Listeners;
use crate::pipeline::{self, Plan};
use crate::recovery::{self, Recovered, StartError};
use crate::renewal::{self, Renewal};
use crate::ring::Bell;
use crate::shortage;
use crate::snapshots::keeper::{self, Keeper};
use crate::stage::Ending;
use crate::tls;

pub fn run(directory: &Path, acceptance: Option<&Acceptance>) -> Result<(), Failure> {
    run_until(directory, acceptance, &Ending::default(), || Ok(()))
}

/// Serves until `ending`; `ready` is called once the venue listens.
pub fn run_until(
    directory: &Path,
    acceptance: Option<&Acceptance>,
    ending: &Ending,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = load(directory)?;
    let failed = |text: String| Failure::new(EXIT_ERROR, text);
    let terms = secured_terms(directory, &config).map_err(failed)?;
    allow_files(&config).map_err(failed)?;
    let second = |error| failed(format!("cannot listen to signals: {error}"));
    // A second Ctrl-C ends at once, as a person who types it means. Nothing that was said is lost.
    signal_hook::flag::register_conditional_shutdown(SIGINT, 130, ending.asked_flag()).map_err(second)?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, ending.asked_flag())
            .map_err(|error| failed(format!("cannot listen to signals: {error}")))?;
    }
    // A limit on the size of files is then an error of the write that meets it, and not an end without a word.
    signal_hook::flag::register(SIGXFSZ, Arc::default())
        .map_err(|error| failed(format!("cannot listen to signals: {error}")))?;
    let changes = renewal::listen().map_err(|error| failed(format!("cannot listen to signals: {error}")))?;
    let clock = Clock::start();
    let armed = |error| failed(format!("cannot answer SIGBUS: {error}"));
    bus::end_with(EXIT_BUS, None).map_err(armed)?;
    let mut recovered =
        recovery::open_accepting(directory, &config, &clock, acceptance).map_err(|error| match error {
            StartError::Locked(text) | StartError::UnknownRules(text) => Failure::new(EXIT_REFUSED, text),
            StartError::JournalRefused { text, report } => {
                say(report);
                Failure::new(EXIT_DAMAGED, text)
            }
            StartError::LossRefused { text, report } => {
                say(report);
                Failure::new(EXIT_REFUSED, text)
            }
            StartError::Other(text) => failed(text),
        })?;
    if let Some(given_up) = &recovered.given_up {
        warn(loss::sentence(given_up));
    }
    // Only now, because a directory that is refused is left as it is.
    bus::end_with(EXIT_BUS, Some(fault_log(directory).map_err(failed)?)).map_err(armed)?;
    let address: SocketAddr = config.venue.listen.parse().expect("the configuration was checked");
    let listening = |address: SocketAddr| {
        listen(address).map_err(|error| {
            failed(format!("cannot listen on {address}: {error}; is another venue running?"))
        })
    };
    let plain = listening(address)?;
    let secured = match &terms {
        Some((address, terms)) => Some((listening(*address)?, Arc::clone(terms))),
        None => None,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan::new(config.venue.threads, config.venue.idle, cores);
    let bound = plain.local_addr().unwrap_or(address);
    say(format_args!("venue     {} in {}", config.venue.name, directory.display()));
    say(format_args!("journal   {}", recovered.report));
    if let Some(shortage) =
        shortage::at_start(recovered.engine.standstill(), &recovered.writer, &recovered.journal)
    {
        say(format_args!("space     {shortage}"));
        warn(shortage);
    }
    say(format_args!("release   {}", config.release()));
    say(format_args!("back end  {}", journal::BackEnd::from(config.journal.back_end)));
    say(format_args!("threads   {}", plan.shown()));
    say(format_args!("snapshots {}", config.journal.shown()));
    for difference in drift::differences(&config, &recovered.engine) {
        say(format_args!("ignored   {difference}; what exists is not changed"));
    }
    let behind_ns = recovered.engine.last_ts_ns().saturating_sub(clock.now_ns());
    if behind_ns > 1_000_000_000 {
        let seconds = behind_ns / 1_000_000_000;
        say(format_args!(
            "clock     {seconds} s behind the journal: times stand still until it has caught up"
        ));
    }
    let feed = feed(&config, &mut recovered, &clock, ending).map_err(failed)?;
    let keys = config.keys().map_err(failed)?;
    say(format_args!("keys      {}", keys.shown()));
    if let Some((listener, _)) = &secured {
        let address = listener.local_addr().map_or("?".into(), |bound| bound.to_string());
        say(format_args!("tls       {address}, {}", config.gateway.tls_certificate.display()));
    }
    let listeners = Listeners { plain, secured };
    say(format_args!("listening {bound}"));
    let (recorded, started_from) = (recovered.recorded.clone(), recovered.snapshot);
    let mut pipeline = pipeline::build(recovered, &config, keys, listeners, clock, ending.clone())
        .map_err(|error| failed(format!("cannot set up the sockets: {error}")))?;
    let mut market = None;
    if let Some((feed, bell)) = feed {
        pipeline.journaler.also_ring(bell);
        market = Some(feed.spawn().map_err(failed)?);
    }
    let line = pipeline.snapshots.take().expect("the pipeline was just built");
    let keeper = Keeper::start(keeper::Parts {
        directory: directory.to_owned(),
        config: config.journal.clone(),
        line,
        recorded,
        started_from,
        ending: ending.clone(),
    })
    .map_err(failed)?;
    let renewal = Renewal::start(changes, directory, pipeline.renewed_keys.clone())
        .map_err(|error| failed(format!("cannot listen to signals: {error}")))?;
    ready()?;
    let done = pipeline.run(plan);
    drop((keeper, renewal));
    if let Some(market) = market {
        // A panic there has shown itself on standard error, and ended nothing else.
        let _ = market.join();
    }
    let durable = Watermarks::open(&Config::journal_directory(directory)).map_or(0, |marks| marks.durable());
    match done {
        Ok(()) => {
            say(format_args!("stopped   at seq {durable}, everything durable"));
            ending.halted().map_or(Ok(()), |reason| Err(failed(format!("halted: {reason}"))))
        }
        Err(reason) => {
            let code = if ending.disk_failed() { EXIT_DISK } else { EXIT_ERROR };
            Err(Failure::new(code, format!("{reason}; durable up to seq {durable}; start again to recover")))
        }
    }
}

/// The feed of market data, if the operator wants one, and the bell that wakes it.
fn feed(
    config: &Config,
    recovered: &mut Recovered,
    clock: &Clock,
    ending: &Ending,
) -> Result<Option<(Feed, Bell)>, String> {
    let Some(market) = &config.market else { return Ok(None) };
    let address: SocketAddr = market.listen.parse().expect("the configuration was checked");
    let engine_epoch = recovered.engine.engine_epoch();
    let lines = &market.multicast;
    let multicast = if lines.is_empty() {
        None
    } else {
        let opened = Multicast::open(lines, market.interface, engine_epoch);
        Some(opened.map_err(|error| format!("[market] multicast by {}: {error}", market.interface))?)
    };
    let listener = listening(address).map_err(|error| {
        format!("[market] listen: cannot listen on {address}: {error}; is another venue running?")
    })?;
    let (feed, bell) = Feed::new(market::feed::Parts {
        journal: recovered.journal.clone(),
        start: std::mem::take(&mut recovered.market),
        limit: config.journal.sync.limit(),
        listener,
        multicast,
        connections_max: market.connections_max,
        window_bytes: market.replay_mib << 20,
        engine_epoch,
        clock: clock.clone(),
        ending: ending.clone(),
    })?;
    let shown: String = lines.iter().map(|line| format!(", multicast {line}")).collect();
    say(format_args!("market    {}{shown}", feed.address().unwrap_or(address)));
    Ok(Some((feed, bell)))
}

/// Where TLS is served, and what it shows. Read before anything else is done, so that a fault in it costs nothing.
fn secured_terms(
    directory: &Path,
    config: &Config,
) -> Result<Option<(SocketAddr, Arc<ServerConfig>)>, String> {
    let Some(address) = &config.gateway.tls else { return Ok(None) };
    let address = config::address(address).expect("the configuration was checked");
    let at = |path: &Path| directory.join(path);
    let terms = tls::server(&at(&config.gateway.tls_certificate), &at(&config.gateway.tls_key))?;
    Ok(Some((address, terms)))
}

/// Where a fault under a mapping is kept. Opened ahead, because whoever writes to it can open nothing any more.
const FAULT_LOG: &str = "fault.log";

fn fault_log(directory: &Path) -> Result<File, String> {
    let path = directory.join(FAULT_LOG);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    opened.map_err(|error| format!("cannot open {}: {error}", path.display()))
}

/// Descriptors beside the sockets of members: segments, control files, poll, standard streams.
const FILES_OWN: u64 = 64;

/// A full house of connections must leave descriptors for the journal, which opens a segment whenever one is full.
fn allow_files(config: &Config) -> Result<(), String> {
    let venue = config.venue.connections_max;
    let market = config.market.as_ref().map_or(0, |market| market.connections_max);
    // Those beyond the limit of the market data are told so, each on a socket of its own.
    let needed = (venue + 2 * market) as u64 + FILES_OWN;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|files| files >= needed) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|error| {
        let allowed = current.unwrap_or(needed);
        format!(
            "[venue] connections_max = {venue} and [market] connections_max = {market} need {needed} open files, the \
             system allows {allowed} ({error}); lower connections_max or raise the limit (`ulimit -n`)"
        )
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    listening(address).map(TcpListener::from_std)
}

fn listening(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last life's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}
