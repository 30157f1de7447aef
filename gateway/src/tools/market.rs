//! `ballast market`: the feed of a venue, as a trader would read it, or message by message for a program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use engine::TradingState;
use engine::message::NULL_I64;
use engine::reject::Reject;
use engine::units::Side;
use zerocopy::FromBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::decode::Decoded;
use super::json::{self, Object};
use super::output::Output;
use super::source::interruption;
use crate::cli::{EXIT_ERROR, EXIT_NOT_FOUND, Failure, load};
use crate::config::CONFIG_FILE;
use crate::decimal;
use crate::frame::{self, Frame, SNAPSHOT};
use crate::market::message::{
    InstrumentDefinition, MarketStats, MdClose, MdLevel, MdSubscribe, MdSubscribed, TradeSummary,
    TradingStatus,
};
use crate::market::shadow::Shadow;
use crate::message::shown_text;

pub const EXAMPLES: &str = "Examples:
  ballast market my-venue
  ballast market 127.0.0.1:7702 --level 3 --instrument BTC-PERP
  ballast market my-venue --json

Level 1 is the best price of each side, 2 every price, 3 every order. On a terminal the picture is drawn anew as the
market moves; elsewhere each change is a line, or a block of lines. Ctrl-C ends it.";

/// How often the picture is drawn at most.
const PICTURE: Duration = Duration::from_millis(200);
/// How long the socket is waited for before the signals are looked at.
const PATIENCE: Duration = Duration::from_millis(50);
/// By when every instrument has told its name.
const DEFINITIONS: Duration = Duration::from_secs(3);
/// Prices of each side that a picture shows.
const DEPTH: usize = 8;
/// Orders of a price that are shown one by one.
const ORDERS_SHOWN: usize = 6;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A venue's directory, or the address of its market data
    place: String,
    /// 1 best prices, 2 every price, 3 every order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    level: u8,
    /// Only this one; may be given several times
    #[arg(long, value_name = "SYMBOL")]
    instrument: Vec<String>,
    /// Every message as a line of JSON
    #[arg(long)]
    json: bool,
}

fn error(text: String) -> Failure {
    Failure::new(EXIT_ERROR, text)
}

fn address(place: &str) -> Result<SocketAddr, Failure> {
    let directory = Path::new(place);
    if !directory.is_dir() {
        let text = format!("'{place}' is neither a directory nor an address with a port, ADDRESS:PORT");
        return place.parse().map_err(|_| Failure::new(EXIT_NOT_FOUND, text));
    }
    let config = load(directory)?;
    let market = config.market.ok_or_else(|| {
        let file = directory.join(CONFIG_FILE);
        let text = format!("{} has no [market]: this venue tells no market data", file.display());
        Failure::new(EXIT_NOT_FOUND, text)
    })?;
    Ok(market.listen.parse().expect("the configuration was checked"))
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let address = address(&arguments.place)?;
    let interrupted = interruption()?;
    let mut socket = TcpStream::connect(address)
        .map_err(|fault| error(format!("cannot connect to {address}: {fault}; is the venue running?")))?;
    let failed = |fault: std::io::Error| error(format!("the connection to {address} failed: {fault}"));
    socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    // Names are known once definitions came: all of level 1 are asked for first, then what is wanted.
    let mut screen = Screen::new(arguments);
    let first = if arguments.instrument.is_empty() { arguments.level } else { MdLevel::Best as u8 };
    socket.write_all(&subscription(0, first)).map_err(failed)?;
    let mut inbound = Vec::new();
    let mut output = Output::new();
    while !interrupted.load(Ordering::Relaxed) {
        let mut buffer = [0; 64 * 1024];
        match socket.read(&mut buffer) {
            Ok(0) => return Err(error(format!("{address} closed the connection"))),
            Ok(bytes) => inbound.extend_from_slice(&buffer[..bytes]),
            Err(fault) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&fault.kind()) => {}
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return Err(failed(fault)),
        }
        let mut taken = 0;
        while let Some(frame) = frame::first(&inbound[taken..])
            .map_err(|code| error(format!("{address} does not speak market data: {}", code.text())))?
        {
            taken += frame.bytes();
            screen.hear(&frame, &mut output)?;
        }
        inbound.drain(..taken);
        for request in screen.requests.drain(..) {
            socket.write_all(&request).map_err(failed)?;
        }
        screen.draw(&mut output)?;
        output.flush()?;
    }
    Ok(())
}

fn subscription(instrument: u32, level: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let subscribe = MdSubscribe {
        request_id: U64::new(u64::from(instrument)),
        instrument_id: U32::new(instrument),
        level,
        pad_a: 0,
        pad_b: U16::new(0),
    };
    frame::append(&mut bytes, 0, 0, 0, subscribe);
    bytes
}

/// What is known of an instrument beside its book.
#[derive(Default)]
struct Known {
    symbol: String,
    state: u8,
    mark: Option<i64>,
    trade: Option<(i64, i64)>,
}

struct Screen<'a> {
    arguments: &'a Arguments,
    shadow: Shadow,
    known: BTreeMap<u32, Known>,
    /// What changed since the last picture.
    changed: BTreeSet<u32>,
    is_terminal: bool,
    drawn: Option<Instant>,
    /// Symbols that were asked for and not yet seen.
    wanted: BTreeSet<String>,
    requests: Vec<Vec<u8>>,
    since: Instant,
}

impl<'a> Screen<'a> {
    fn new(arguments: &'a Arguments) -> Screen<'a> {
        Screen {
            arguments,
            shadow: Shadow::default(),
            known: BTreeMap::new(),
            changed: BTreeSet::new(),
            is_terminal: std::io::stdout().is_terminal(),
            drawn: None,
            wanted: arguments.instrument.iter().cloned().collect(),
            requests: Vec::new(),
            since: Instant::now(),
        }
    }

    fn hear(&mut self, frame: &Frame<'_>, output: &mut Output) -> Result<(), Failure> {
        if let Some(close) = frame.block::<MdClose>() {
            let code = close.code.get();
            let text = Reject::from_code(code).map_or("unknown code", Reject::text);
            return Err(error(format!("the venue closed the connection: {text} (code {code})")));
        }
        let refused = frame.block::<MdSubscribed>().map(|answer| answer.code.get()).filter(|code| *code != 0);
        if let Some(code) = refused {
            return Err(error(format!("the venue refused the subscription: code {code}")));
        }
        let instrument = self.note(frame);
        let is_snapshot = frame.prefix.flags.get() & SNAPSHOT != 0;
        self.shadow
            .hear(frame.message, is_snapshot)
            .map_err(|misfit| error(format!("message {}: {}", frame.prefix.seq, misfit.0)))?;
        if self.arguments.json {
            let is_wanted = instrument.is_none_or(|id| self.is_wanted(id));
            return if is_wanted { output.line(object(frame)) } else { Ok(()) };
        }
        if let Some(instrument) = instrument.filter(|id| self.is_wanted(*id)) {
            self.changed.insert(instrument);
        }
        Ok(())
    }

    fn is_wanted(&self, instrument: u32) -> bool {
        let names = &self.arguments.instrument;
        names.is_empty() || self.known.get(&instrument).is_some_and(|known| names.contains(&known.symbol))
    }

    /// Keeps what a message says beside the book; the instrument that it is about.
    fn note(&mut self, frame: &Frame<'_>) -> Option<u32> {
        if frame.template_id() == 400 {
            let block = InstrumentDefinition::ref_from_prefix(frame.block).ok()?.0;
            let id = block.instrument_id.get();
            let symbol = shown_text(&block.symbol);
            if self.wanted.remove(&symbol) && self.arguments.level > MdLevel::Best as u8 {
                self.requests.push(subscription(id, self.arguments.level));
            }
            let known = self.known.entry(id).or_default();
            (known.symbol, known.state) = (symbol, block.state);
            return Some(id);
        }
        if let Some(status) = frame.block::<TradingStatus>() {
            let id = status.instrument_id.get();
            self.known.entry(id).or_default().state = status.state;
            return Some(id).filter(|id| *id != 0);
        }
        if let Some(stats) = frame.block::<MarketStats>() {
            let known = self.known.entry(stats.instrument_id.get()).or_default();
            known.mark = Some(stats.mark.get()).filter(|mark| *mark != NULL_I64);
            return Some(stats.instrument_id.get());
        }
        if let Some(trade) = frame.block::<TradeSummary>() {
            let known = self.known.entry(trade.instrument_id.get()).or_default();
            known.trade = Some((trade.qty.get(), trade.px.get()));
            return Some(trade.instrument_id.get());
        }
        instrument_of(frame)
    }

    fn draw(&mut self, output: &mut Output) -> Result<(), Failure> {
        if !self.wanted.is_empty() && self.since.elapsed() > DEFINITIONS {
            let listed = self.known.values().map(|known| known.symbol.as_str());
            let known: Vec<&str> = listed.filter(|symbol| !symbol.is_empty()).collect();
            let wanted: Vec<&str> = self.wanted.iter().map(String::as_str).collect();
            let text = format!("there is no instrument {}; known: {}", wanted.join(", "), known.join(" "));
            return Err(Failure::new(EXIT_NOT_FOUND, text));
        }
        let is_early = self.drawn.is_some_and(|drawn| drawn.elapsed() < PICTURE);
        if self.changed.is_empty() || is_early {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let changed = std::mem::take(&mut self.changed);
        if self.is_terminal {
            // Home, the picture, and nothing below it.
            output.text("\x1b[H\x1b[2J")?;
        }
        for (id, known) in &self.known {
            if *id != 0 && self.is_wanted(*id) && (self.is_terminal || changed.contains(id)) {
                output.line(self.picture(*id, known))?;
            }
        }
        Ok(())
    }

    fn picture(&self, id: u32, known: &Known) -> String {
        let state = TradingState::from_wire(known.state).map_or("?".into(), |state| format!("{state:?}"));
        let price = |px: i64| decimal::show(px.into(), 9);
        let mark = known.mark.map_or(String::new(), |mark| format!("  mark {}", price(mark)));
        let trade = known.trade.map_or(String::new(), |(qty, px)| format!("  last {qty} @ {}", price(px)));
        let head = format!("{:<16} {state}", known.symbol);
        let Some(book) = self.shadow.book(id) else { return format!("{head}{mark}{trade}") };
        if self.arguments.level == MdLevel::Best as u8 {
            let side = |px: i64, qty: i64| match px {
                NULL_I64 => "-".to_owned(),
                px => format!("{qty} @ {}", price(px)),
            };
            let best = book.bbo().map_or((String::new(), String::new()), |bbo| {
                (side(bbo.bid_px.get(), bbo.bid_qty.get()), side(bbo.ask_px.get(), bbo.ask_qty.get()))
            });
            return format!("{head}  bid {:>20}  ask {:>20}{mark}{trade}", best.0, best.1);
        }
        let rows = |side: Side| -> Vec<String> {
            if self.arguments.level == MdLevel::Orders as u8 {
                let entries = book.book().entries(side);
                let levels = book.book().levels(side).take(DEPTH).map(|(px, level)| {
                    let of_level = entries.iter().filter(|entry| entry.px.get() == px);
                    let mut orders: Vec<String> =
                        of_level.map(|entry| entry.qty.get().to_string()).take(ORDERS_SHOWN).collect();
                    if level.orders() > ORDERS_SHOWN {
                        orders.push(format!("({} more)", level.orders() - ORDERS_SHOWN));
                    }
                    format!("{:>8} @ {:<16} {}", level.qty, price(px), orders.join("+"))
                });
                return levels.collect();
            }
            let row = |(px, (qty, orders)): (&i64, &(i64, u32))| {
                format!("{qty:>8} @ {:<16} {orders} orders", price(*px))
            };
            let levels = book.levels(side).iter();
            if side == Side::Buy {
                levels.rev().take(DEPTH).map(row).collect()
            } else {
                levels.take(DEPTH).map(row).collect()
            }
        };
        let mut lines = vec![format!("{head}{mark}{trade}")];
        let (bids, asks) = (rows(Side::Buy), rows(Side::Sell));
        for at in 0..bids.len().max(asks.len()) {
            let cell = |side: &[String]| side.get(at).cloned().unwrap_or_default();
            let line = format!("  {:<46} | {}", cell(&bids), cell(&asks));
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }
}

/// The instrument that a message names, whatever it is.
fn instrument_of(frame: &Frame<'_>) -> Option<u32> {
    let decoded = Decoded::read(frame.message)?;
    let field = decoded.layout.fields.iter().find(|field| field.name == "instrument_id")?;
    let bytes = frame.block.get(field.offset..field.offset + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?)).filter(|id| *id != 0)
}

fn object(frame: &Frame<'_>) -> String {
    let seq = frame.prefix.seq.get();
    let flags = frame.prefix.flags.get();
    let object = Object::new()
        .raw("seq", seq)
        .raw("snapshot", flags & SNAPSHOT != 0)
        .raw("end_of_event", flags & frame::END_OF_EVENT != 0)
        .raw("template", frame.template_id());
    let Some(decoded) = Decoded::read(frame.message) else { return object.end() };
    let fields =
        decoded.fields().fold(Object::new(), |fields, (field, value)| fields.raw(field.name, value.json()));
    let object = object.text("name", decoded.layout.name).raw("fields", fields.end());
    if decoded.layout.entry.is_none() {
        return object.end();
    }
    let entries = decoded.entries().map(|entry| {
        entry.iter().fold(Object::new(), |fields, (field, value)| fields.raw(field.name, value.json())).end()
    });
    object.raw("entries", json::list(entries)).end()
}
