//! `ballast client`: order entry for a person. One line in, one sentence out; a script may be the person. Keeps nothing
//! between runs: open orders and positions are rebuilt from what the venue replays.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use engine::command::{ModifyOrder, NewOrder};
use engine::event::QuoteAckEntry;
use engine::limits::HISTORY_EVENTS_MAX;
use engine::message::{Message, NULL_I64};
use engine::reject::Reject;
use engine::units::Side;
use engine::{Condition, TradingState, TriggerType};
use zerocopy::little_endian::I64;

use crate::canceling::Canceling;
use crate::cli::{EXIT_ERROR, EXIT_REFUSED, Failure};
use crate::client::orders::{self, Tif};
use crate::client::portfolio::Portfolio;
use crate::client::{Body, Client, ClientError, ConnectOptions, Event};
use crate::client_config::{ClientConfig, ClientInstrument};
use crate::decimal;
use crate::manner::{self, Manner};
use crate::quoting::{Protection, Quoting};
use crate::release::SyncMode;
use crate::sentence::{amount, price, sentence, side_name};

/// How long the prompt leaves a typed line or an event unseen.
const GLANCE: Duration = Duration::from_millis(20);
/// How long an answer, or the next message of a replay, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of an answer is waited for: fills and the end of the event follow the first message at once.
const SETTLE: Duration = Duration::from_millis(200);
const WAIT_SECONDS_MAX: i64 = 86_400;
/// Lines that are read ahead of the one being executed.
const LINES_AHEAD: usize = 16;

const STATES: [(&str, TradingState); 6] = [
    ("auction", TradingState::Auction),
    ("open", TradingState::Open),
    ("cancel-only", TradingState::CancelOnly),
    ("halted", TradingState::Halted),
    ("settlement", TradingState::Settlement),
    ("expired", TradingState::Expired),
];

const COMMANDS: &str = "\
buy SYMBOL LOTS PRICE [HOW]     a limit order, which rests
buy SYMBOL LOTS market [reduce] takes what there is; the rest is canceled
buy SYMBOL LOTS mtl [HOW]       takes what there is at the best price; the rest rests there
sell SYMBOL LOTS PRICE [HOW] | market [reduce]
stop SIDE SYMBOL LOTS REFERENCE TRIGGER PRICE [HOW] | market [reduce]
                                waits until mark, index or last is at TRIGGER or worse for SIDE
take ...                        the same, but waits for TRIGGER or better
quote SYMBOL BID ASK [...] [slide] [group=N]
                                both sides of instruments anew, each as LOTS@PRICE or none
mmp N SECONDS FREEZE [qty=N] [count=N] [delta=N] [vega=N]
                                what group N may trade in SECONDS before it is canceled, and how
                                many seconds it is frozen then (0: until reset)
mmp reset N                     ends a freeze
modify cID LOTS PRICE [show=LOTS]  the new total, what is filled included, the new price, and what an iceberg shows
cancel ID | cID | all           by the venue's order id, by the client's, as c7, or every open order
cancel SCOPE [buy | sell]       SCOPE is session (what this session entered), on SYMBOL, underlying ID,
                                product perpetual | future | combo [ID of the underlying], or group N
open [SYMBOL]                   every open order of the account, as the venue has it now
history FROM [TO] [cID]         what the account was told from one execution id to another, 10000 events at most,
                                of all orders or of one
orders, positions, instruments  what this session was told
mark SYMBOL PRICE               the mark price, from an oracle session
index SYMBOL PRICE              the index price, from an oracle session
sensitivity SYMBOL DELTA VEGA   what one lot counts in a group, from a risk model's session
state SYMBOL STATE              auction, open, cancel-only, halted, settlement or expired, from an administrator's
auction SYMBOL SECONDS          an auction that opens by itself
wait SECONDS                    show what happens meanwhile
help, quit";

/// Every line that the shell understands.
pub fn help() -> String {
    format!("{COMMANDS}\n\n{}", manner::HELP)
}

/// Connects as `name` and executes lines from stdin until `quit` or their end. The error is a connection lost for good, or,
/// where a script is the person, that not all of its lines were done.
pub fn run(config: ClientConfig, name: &str) -> Result<(), Failure> {
    let (sender, lines) = sync_channel(LINES_AHEAD);
    // Reading stdin cannot be given a timeout, so a thread of its own waits there; it ends with the process.
    std::thread::spawn(move || {
        // A line that is no UTF-8 is still a line: it is answered as one that nobody understands.
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    let prompts = std::io::stdin().is_terminal();
    let options = ConnectOptions { auto_reconnect: true, ..ConnectOptions::default() };
    let failed = |text| Failure::new(EXIT_ERROR, text);
    let mut shell = Shell::open(config, options, name, std::io::stdout(), prompts).map_err(failed)?;
    let done = shell.execute_all(&lines);
    match shell.not_done {
        _ if shell.nobody_reads => Err(Failure::nobody_reads()),
        count if count > 0 && done.is_ok() && !prompts => {
            Err(Failure::new(EXIT_REFUSED, format!("{count} lines were not done; the answers say why")))
        }
        _ => done.map_err(failed),
    }
}

struct Shell<W> {
    client: Client,
    config: ClientConfig,
    portfolio: Portfolio,
    out: W,
    prompts: bool,
    /// Lines that were refused, not understood, or not answered.
    not_done: u64,
    /// Whoever read what is printed has gone.
    nobody_reads: bool,
}

enum Flow {
    Next,
    Quit,
}

/// Why a line was not executed: the person can mend it, or nobody can.
enum Fault {
    Line(String),
    Lost(String),
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Fault {
        Fault::Lost(error.to_string())
    }
}

impl<W: Write> Shell<W> {
    fn open(
        config: ClientConfig,
        options: ConnectOptions,
        name: &str,
        out: W,
        prompts: bool,
    ) -> Result<Shell<W>, String> {
        let client = Client::connect_with(&config, options).map_err(|error| error.to_string())?;
        let portfolio = Portfolio::default();
        let mut shell = Shell { client, config, portfolio, out, prompts, not_done: 0, nobody_reads: false };
        let replayed = shell.catch_up().map_err(|error| error.to_string())?;
        let (config, portfolio) = (&shell.config, &shell.portfolio);
        let hello = format!(
            "connected to {} as {name} (session {}, account {}, {}); {replayed} messages replayed, {} open orders, {} positions; {}",
            config.address,
            config.session,
            config.account,
            config.role,
            portfolio.orders.len(),
            portfolio.positions.len(),
            meant(shell.client.sync_mode()),
        );
        shell.say(&hello)?;
        let oldest = shell.client.logon_ack().oldest_server_seq.get();
        if oldest > 1 {
            shell.say(&format!(
                "the venue repeats messages from number {oldest} on: orders and positions from before are not listed"
            ))?;
        }
        Ok(shell)
    }

    /// Hears in silence what happened before this run.
    fn catch_up(&mut self) -> Result<u64, ClientError> {
        let mut replayed = 0;
        while self.client.position().next_server_seq < self.client.live_from() {
            let Some(event) = self.client.next_event(PATIENCE)? else { break };
            replayed += u64::from(event.server_seq != 0);
            self.portfolio.hear(&event);
        }
        Ok(replayed)
    }

    fn execute_all(&mut self, lines: &Receiver<String>) -> Result<(), String> {
        while let Some(line) = self.next_line(lines)? {
            match self.execute(&line) {
                Ok(Flow::Next) => {}
                Ok(Flow::Quit) => break,
                Err(Fault::Line(why)) => {
                    self.not_done += 1;
                    self.say(&why)?;
                }
                Err(Fault::Lost(why)) => return Err(why),
            }
        }
        // Everything was answered or shown as unanswered; a goodbye that fails takes nothing with it.
        let _ = self.client.logout();
        Ok(())
    }

    /// The next line, with what happens until it comes; `None` at the end of the input.
    fn next_line(&mut self, lines: &Receiver<String>) -> Result<Option<String>, String> {
        self.prompt()?;
        loop {
            match lines.try_recv() {
                Ok(line) => return Ok(Some(line)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => {}
            }
            if let Some(event) = self.client.next_event(GLANCE).map_err(|error| error.to_string())? {
                if self.prompts {
                    // Over the prompt, which is written again beneath.
                    write!(self.out, "\r").map_err(|error| self.unwritten(&error))?;
                }
                self.show(&event)?;
                self.prompt()?;
            }
        }
    }

    fn prompt(&mut self) -> Result<(), String> {
        if !self.prompts {
            return Ok(());
        }
        write!(self.out, "> ").and_then(|()| self.out.flush()).map_err(|error| self.unwritten(&error))
    }

    fn execute(&mut self, line: &str) -> Result<Flow, Fault> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["buy", symbol, lots, price, how @ ..] => self.order(Side::Buy, symbol, lots, price, how)?,
            ["sell", symbol, lots, price, how @ ..] => self.order(Side::Sell, symbol, lots, price, how)?,
            ["stop", side, symbol, lots, reference, trigger, price, how @ ..] => {
                let armed = (Condition::Stop, *reference, *trigger);
                self.trigger_order(armed, side, symbol, lots, price, how)?;
            }
            ["take", side, symbol, lots, reference, trigger, price, how @ ..] => {
                let armed = (Condition::TakeProfit, *reference, *trigger);
                self.trigger_order(armed, side, symbol, lots, price, how)?;
            }
            ["quote", words @ ..] => self.quote(words)?,
            ["mmp", "reset", group] => self.reset(group)?,
            ["mmp", words @ ..] => self.protect(words)?,
            ["modify", id, lots, price, show @ ..] => self.modify(id, lots, price, show)?,
            ["cancel", "all"] => {
                let own = self.client.position().next_client_seq;
                self.ask(orders::cancel_all(self.config.account, own))?;
            }
            ["cancel", words @ ..] if Canceling::begins_with(words) => self.cancel_many(words)?,
            ["cancel", id] => self.cancel(id)?,
            ["mark", symbol, price] => self.mark(symbol, price)?,
            ["index", symbol, price] => self.index(symbol, price)?,
            ["sensitivity", symbol, delta, vega] => self.sensitivity(symbol, delta, vega)?,
            ["open"] => self.open_orders(0)?,
            ["open", symbol] => self.open_orders(find(&self.config, symbol)?.id)?,
            ["history", from, words @ ..] => self.history(from, words)?,
            ["state", symbol, state] => self.state(symbol, state)?,
            ["auction", symbol, seconds] => self.auction(symbol, seconds)?,
            ["orders"] => self.list_orders()?,
            ["positions"] => self.list_positions()?,
            ["instruments"] => self.list_instruments()?,
            ["wait", seconds] => self.wait(seconds)?,
            ["help"] => self.say(&help())?,
            ["quit"] => return Ok(Flow::Quit),
            [first, ..] => return Err(Fault::Line(usage(first))),
        }
        Ok(Flow::Next)
    }

    fn order(
        &mut self,
        side: Side,
        symbol: &str,
        lots: &str,
        price: &str,
        how: &[&str],
    ) -> Result<(), Fault> {
        let order = self.written(side, symbol, lots, price, how)?;
        self.ask(order)
    }

    /// `armed` is what for, the reference, and the price at which it fires.
    fn trigger_order(
        &mut self,
        (condition, reference, trigger): (Condition, &str, &str),
        side: &str,
        symbol: &str,
        lots: &str,
        price: &str,
        how: &[&str],
    ) -> Result<(), Fault> {
        let side = match side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(Fault::Line(usage("stop"))),
        };
        let follows = match reference {
            "mark" => TriggerType::Mark,
            "index" => TriggerType::Index,
            "last" => TriggerType::Last,
            _ => return Err(Fault::Line(usage("stop"))),
        };
        if price == "mtl" {
            return Err(Fault::Line(usage("stop")));
        }
        let order = self.written(side, symbol, lots, price, how)?;
        self.ask(orders::trigger(order, condition, follows, parse_price(trigger)?))
    }

    fn written(
        &self,
        side: Side,
        symbol: &str,
        lots: &str,
        price: &str,
        how: &[&str],
    ) -> Result<NewOrder, Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let (account, lots) = (self.config.account, count_of_lots(lots)?);
        // The command's own number is unique for ever, so it is the order's id as well.
        let id = self.client.position().next_client_seq;
        let manner = Manner::read(how).ok_or_else(|| {
            Fault::Line(format!("'{}' does not say how; `help` lists what does", how.join(" ")))
        })?;
        let order = match price {
            "market" => orders::market(account, instrument, side, lots, id),
            "mtl" => orders::market_to_limit(account, instrument, side, lots, id),
            price => orders::limit(account, instrument, side, parse_price(price)?, lots, Tif::Gtc, id),
        };
        Ok(manner.of(order, SystemTime::now()))
    }

    fn quote(&mut self, words: &[&str]) -> Result<(), Fault> {
        let quoting = Quoting::read(words).ok_or_else(|| Fault::Line(usage("quote")))?;
        let mut entries = Vec::new();
        for (symbol, bid, ask) in &quoting.entries {
            entries.push(orders::quote(find(&self.config, symbol)?.id, *bid, *ask));
        }
        let own = self.client.position().next_client_seq;
        let head = orders::quotes(self.config.account, quoting.group, quoting.flags, own);
        let seq = self.client.send_quotes(head, &entries)?;
        self.hear_out(seq).map(drop)
    }

    fn protect(&mut self, words: &[&str]) -> Result<(), Fault> {
        let protection = Protection::read(words).ok_or_else(|| Fault::Line(usage("mmp")))?;
        let own = self.client.position().next_client_seq;
        self.ask(protection.of(self.config.account, own))
    }

    fn reset(&mut self, group: &str) -> Result<(), Fault> {
        let group = group.parse().map_err(|_| Fault::Line(usage("mmp")))?;
        let own = self.client.position().next_client_seq;
        self.ask(orders::reset_protection(self.config.account, group, own))
    }

    fn modify(&mut self, id: &str, lots: &str, price: &str, show: &[&str]) -> Result<(), Fault> {
        let display = match show {
            [] => NULL_I64,
            [word] if word.starts_with("show=") => count_of_lots(&word["show=".len()..])?,
            _ => return Err(Fault::Line(usage("modify"))),
        };
        let order = id.strip_prefix('c').and_then(|digits| digits.parse().ok());
        let order = order.ok_or_else(|| Fault::Line(format!("'{id}' is no order of yours, such as c7")))?;
        let (total, price9) = (count_of_lots(lots)?, parse_price(price)?);
        let (account, own) = (self.config.account, self.client.position().next_client_seq);
        let amend = orders::modify(account, order, own, Some(price9), Some(total));
        self.ask(ModifyOrder { display_qty: I64::new(display), ..amend })
    }

    fn cancel_many(&mut self, words: &[&str]) -> Result<(), Fault> {
        if let ["on", symbol, ..] = words {
            find(&self.config, symbol)?;
        }
        let known = |symbol: &str| find(&self.config, symbol).ok().map(|instrument| instrument.id);
        let canceling = Canceling::read(words, known).ok_or_else(|| {
            Fault::Line(format!("'cancel {}' names no orders; `help` lists what does", words.join(" ")))
        })?;
        let own = self.client.position().next_client_seq;
        self.ask(canceling.of(self.config.account, own))
    }

    fn cancel(&mut self, id: &str) -> Result<(), Fault> {
        let (digits, mine) = id.strip_prefix('c').map_or((id, false), |digits| (digits, true));
        let order = digits.parse::<u64>().ok().filter(|order| *order != 0).ok_or_else(|| {
            Fault::Line(format!(
                "'{id}' is no order: give the venue's id as 16777216, or yours as c7; `orders` lists both"
            ))
        })?;
        let (account, own) = (self.config.account, self.client.position().next_client_seq);
        self.ask(match mine {
            true => orders::cancel_by_cl_ord_id(account, order, own),
            false => orders::cancel_by_order_id(account, order, own),
        })
    }

    /// 0 is every instrument.
    fn open_orders(&mut self, instrument: u32) -> Result<(), Fault> {
        let own = self.client.position().next_client_seq;
        let request = orders::open_orders(self.config.account, instrument, own);
        self.ask_to_see(request, "no orders are open")
    }

    /// Without a last id, up to now.
    fn history(&mut self, from: &str, words: &[&str]) -> Result<(), Fault> {
        let order = words.last().and_then(|word| word.strip_prefix('c'));
        let (to, order) = match (words, order) {
            ([], _) => (None, None),
            ([_], Some(order)) => (None, Some(order)),
            ([to], None) => (Some(*to), None),
            ([to, _], Some(order)) => (Some(*to), Some(order)),
            _ => return Err(Fault::Line(usage("history"))),
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| Fault::Line(usage("history")));
        let ids = number(from)?..=to.map_or(Ok(u64::MAX), number)?;
        let order = order.map_or(Ok(0), number)?;
        let request = orders::history(self.config.account, ids, HISTORY_EVENTS_MAX, order);
        self.ask_to_see(request, "the account was told nothing in that range")
    }

    fn mark(&mut self, symbol: &str, price: &str) -> Result<(), Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let price9 = parse_price(price)?;
        self.ask(orders::mark(instrument, price9))
    }

    fn index(&mut self, symbol: &str, price: &str) -> Result<(), Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let price9 = parse_price(price)?;
        self.ask(orders::index(instrument, price9))
    }

    fn sensitivity(&mut self, symbol: &str, delta: &str, vega: &str) -> Result<(), Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let millionths = |text: &str| decimal::parse(text, 6).map_err(Fault::Line);
        self.ask(orders::sensitivity(instrument, millionths(delta)?, millionths(vega)?))
    }

    fn state(&mut self, symbol: &str, name: &str) -> Result<(), Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let found = STATES.iter().find(|(known, _)| *known == name);
        let (_, state) = found.ok_or_else(|| Fault::Line(usage("state")))?;
        self.ask(orders::state(instrument, *state, 0))
    }

    /// The seconds count from now by the clock of this machine.
    fn auction(&mut self, symbol: &str, seconds: &str) -> Result<(), Fault> {
        let instrument = find(&self.config, symbol)?.id;
        let ms = decimal::parse(seconds, 3).ok().filter(|ms| (1..=1000 * WAIT_SECONDS_MAX).contains(ms));
        let lasts = Duration::from_millis(ms.ok_or_else(|| Fault::Line(usage("auction")))?.unsigned_abs());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.ask(orders::state(instrument, TradingState::Auction, (now + lasts).as_nanos() as u64))
    }

    /// Sends, and shows what happens until the answer is whole.
    fn ask<M: Message>(&mut self, command: M) -> Result<(), Fault> {
        let seq = self.client.send(command)?;
        self.hear_out(seq).map(drop)
    }

    /// The same for what is asked to be shown; `nothing` is said where there was none of it.
    fn ask_to_see<M: Message>(&mut self, command: M, nothing: &str) -> Result<(), Fault> {
        let seq = self.client.send(command)?;
        if self.hear_out(seq)? == Some(0) {
            self.say(nothing)?;
        }
        Ok(())
    }

    /// Shows what happens until command `seq` is answered; of a request that was done, how much it told.
    fn hear_out(&mut self, seq: u64) -> Result<Option<u32>, Fault> {
        let mut deadline = Instant::now() + PATIENCE;
        let mut answered = false;
        let mut told = None;
        loop {
            match self.client.next_event(GLANCE)? {
                Some(event) => {
                    self.show(&event)?;
                    let is_answer = !event.is_history() && answers(&event.body, seq);
                    answered |= is_answer;
                    self.not_done += u64::from(is_answer && refuses(&event.body));
                    if let Body::Complete(complete) = &event.body
                        && is_answer
                        && complete.code.get() == 0
                    {
                        told = Some(complete.count.get());
                    }
                    if answered && event.end_of_event {
                        return Ok(told);
                    }
                    if answered {
                        deadline = Instant::now() + SETTLE;
                    } else if event.is_history() || matches!(event.body, Body::Resumed(_)) {
                        deadline = Instant::now() + PATIENCE;
                    }
                }
                None if Instant::now() < deadline => {}
                None if answered => return Ok(told),
                None => {
                    let seconds = PATIENCE.as_secs();
                    let why = format!(
                        "no answer to command {seq} for {seconds} seconds; it is shown when it comes"
                    );
                    return Err(Fault::Line(why));
                }
            }
        }
    }

    fn wait(&mut self, seconds: &str) -> Result<(), Fault> {
        let ms = decimal::parse(seconds, 3)
            .ok()
            .filter(|ms| (0..=WAIT_SECONDS_MAX * 1000).contains(ms))
            .ok_or_else(|| {
                Fault::Line(format!("'{seconds}' is not a number of seconds up to a day, such as 1.5"))
            })?;
        let deadline = Instant::now() + Duration::from_millis(ms.unsigned_abs());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(event) = self.client.next_event(left)? {
                self.show(&event)?;
            } else if left.is_zero() {
                return Ok(());
            }
        }
    }

    fn list_orders(&mut self) -> Result<(), String> {
        let mut lines = Vec::new();
        for (id, order) in &self.portfolio.orders {
            let of = amount(&self.config, order.instrument, order.leaves);
            let (mine, side) = (order.cl_ord_id, side_name(order.side));
            let armed = if order.armed { "armed, " } else { "" };
            lines.push(format!("c{mine}: {armed}{side} {of} at {}, order {id}", price(order.price9)));
        }
        self.list(&lines, "no open orders")
    }

    fn list_positions(&mut self) -> Result<(), String> {
        let positions = self.portfolio.positions.iter();
        let lines: Vec<String> =
            positions.map(|(instrument, lots)| amount(&self.config, *instrument, *lots)).collect();
        self.list(&lines, "no positions")
    }

    fn list_instruments(&mut self) -> Result<(), String> {
        let instruments = self.config.instruments.iter();
        let lines: Vec<String> = instruments
            .map(|one| format!("{}: 1 lot is {}, prices in steps of {}", one.symbol, one.lot, one.tick))
            .collect();
        self.list(&lines, "the client's file names no instruments")
    }

    fn list(&mut self, lines: &[String], empty: &str) -> Result<(), String> {
        if lines.is_empty() { self.say(empty) } else { self.say(&lines.join("\n")) }
    }

    fn show(&mut self, event: &Event) -> Result<(), String> {
        self.portfolio.hear(event);
        let sentence = sentence(&self.config, &event.body);
        if event.is_history() {
            return self.say(&format!("told before, {}: {sentence}", event.body.exec_id()));
        }
        self.say(&sentence)
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&mut self, error: &std::io::Error) -> String {
        self.nobody_reads |= error.kind() == ErrorKind::BrokenPipe;
        format!("output cannot be written: {error}")
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Fault {
        Fault::Lost(why)
    }
}

fn parse_price(text: &str) -> Result<i64, Fault> {
    decimal::parse(text, 9).map_err(|why| Fault::Line(format!("price: {why}")))
}

fn count_of_lots(text: &str) -> Result<i64, Fault> {
    text.parse::<i64>().ok().filter(|lots| *lots > 0).ok_or_else(|| {
        Fault::Line(format!("'{text}' is not a count of lots, such as 1; `instruments` shows what a lot is"))
    })
}

fn usage(command: &str) -> String {
    let known = |line: &&str| line.split([' ', ',']).next() == Some(command);
    match COMMANDS.lines().find(known) {
        Some(line) => format!("use it as: {line}"),
        None => format!("'{command}' is no command; `help` lists them"),
    }
}

fn find<'a>(config: &'a ClientConfig, symbol: &str) -> Result<&'a ClientInstrument, Fault> {
    let symbols = || config.instruments.iter().map(|one| one.symbol.as_str()).collect::<Vec<_>>().join(", ");
    config
        .instruments
        .iter()
        .find(|one| one.symbol.eq_ignore_ascii_case(symbol))
        .ok_or_else(|| Fault::Line(format!("'{symbol}' is no instrument; there are: {}", symbols())))
}

fn answers(body: &Body, seq: u64) -> bool {
    match body {
        Body::NotApplied(hole) => {
            let from = hole.from_seq.get();
            (from..from.saturating_add(hole.count.get().into())).contains(&seq)
        }
        body => body.ref_seq() == seq,
    }
}

/// An answer that says that the command has no effect, or a part of it.
fn refuses(body: &Body) -> bool {
    match body {
        Body::Rejected(_) | Body::SessionReject(_) | Body::NotApplied(_) => true,
        Body::MassCanceled(ack) => ack.code.get() != 0,
        Body::Confirmed(confirmed) => confirmed.code.get() != 0,
        Body::Quoted(ack, entries) => {
            let is_refused = |entry: &QuoteAckEntry| entry.bid_code.get() != 0 || entry.ask_code.get() != 0;
            ack.code.get() != 0 || entries.iter().any(is_refused)
        }
        Body::Complete(complete) => {
            let code = complete.code.get();
            code != 0 && code != Reject::RetransmitTooMany.code()
        }
        _ => false,
    }
}

/// What an answer of the venue is worth.
fn meant(mode: Option<SyncMode>) -> String {
    match mode {
        Some(mode) if mode.waits_for_the_disk() => {
            format!("what it says is durable (sync = \"{}\")", mode.name())
        }
        Some(mode) => format!(
            "what it says is NOT yet durable, a power cut may take it back (sync = \"{}\")",
            mode.name()
        ),
        None => "it names a sync mode that this client does not know".into(),
    }
}

#[cfg(test)]
mod tests {
    use engine::command::{
        CancelOrder, IndexPrice, InstrumentState, MarkPrice, MassCancel, MmpConfig, NewOrder,
        NewTriggerOrder, Quotes,
    };
    use engine::event::{
        Confirmed, MassCancelAck, MassQuoteAck, MmpTriggered, OrderAccepted, OrderCanceled, OrderExecuted,
        OrderModified, OrderRejected, QuoteAckEntry, RequestComplete, reason, status,
    };
    use engine::message::{Framed, GroupSize, Message};
    use engine::reject::Reject;
    use zerocopy::little_endian::{U16, U32, U64};
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;
    use crate::client::peer::{Connection, Numbers, Venue};
    use crate::frame::{self, END_OF_EVENT, RETRANSMIT};
    use crate::message::Logout;

    fn options() -> ConnectOptions {
        ConnectOptions {
            auto_reconnect: true,
            timeout: Duration::from_secs(120),
            reconnect_attempts: 2,
            backoff: Duration::from_millis(1),
            backoff_max: Duration::from_millis(2),
            ..ConnectOptions::default()
        }
    }

    /// Runs `script` against `venue`: how it ended, and what was printed behind the greeting.
    fn shown(venue: &Venue, script: &str) -> (Result<(), String>, String) {
        let (sender, lines) = sync_channel(64);
        script.lines().for_each(|line| sender.send(line.into()).expect("room for the script"));
        drop(sender);
        let mut shell =
            Shell::open(venue.config.clone(), options(), "alice", Vec::new(), false).expect("established");
        let ended = shell.execute_all(&lines);
        let text = String::from_utf8(shell.out).expect("text");
        let (greeting, rest) = text.split_once('\n').expect("a greeting");
        assert!(greeting.contains("as alice (session 7, account 40, trade)"), "{greeting}");
        (ended, rest.to_string())
    }

    fn accepted(id: u64, side: Side, lots: i64, price9: i64) -> OrderAccepted {
        let mut accepted = OrderAccepted::new_zeroed();
        (accepted.cl_ord_id, accepted.ref_seq, accepted.order_id) =
            (U64::new(id), U64::new(id), U64::new(500 + id));
        (accepted.qty, accepted.leaves_qty, accepted.price) =
            (I64::new(lots), I64::new(lots), I64::new(price9));
        (accepted.side, accepted.instrument_id) = (side as u8, U32::new(1));
        accepted
    }

    fn filled(id: u64, leaves: i64, position: i64) -> OrderExecuted {
        let mut fill = OrderExecuted::new_zeroed();
        (fill.cl_ord_id, fill.ref_seq, fill.order_id) = (U64::new(id), U64::new(id), U64::new(500 + id));
        (fill.last_qty, fill.leaves_qty, fill.position) = (I64::new(1), I64::new(leaves), I64::new(position));
        (fill.last_px, fill.fee) = (I64::new(50_000_000_000_000), I64::new(25_000));
        (fill.side, fill.instrument_id) = (Side::Buy as u8, U32::new(1));
        fill
    }

    #[test]
    fn lines_are_executed_in_order_and_each_waits_for_its_answer() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            let first: NewOrder = connection.hear().expect("buy").block();
            assert_eq!((first.qty.get(), first.price.get(), first.tif), (2, 50_000_000_000_000, 2));
            // In one piece: the shell waits only briefly for the rest of an answer.
            let mut answer = Vec::new();
            frame::append(&mut answer, 0, 1, 1, accepted(1, Side::Buy, 2, first.price.get()));
            frame::append(&mut answer, END_OF_EVENT, 2, 1, filled(1, 1, 1));
            connection.say_bytes(&answer);
            let cancel: CancelOrder = connection.hear().expect("cancel").block();
            assert_eq!((cancel.orig_cl_ord_id.get(), cancel.order_id.get()), (1, 0));
            let mut canceled = OrderCanceled::new_zeroed();
            (canceled.cl_ord_id, canceled.orig_cl_ord_id, canceled.ref_seq, canceled.order_id) =
                (U64::new(2), U64::new(1), U64::new(2), U64::new(501));
            (canceled.canceled_qty, canceled.instrument_id, canceled.reason) = (I64::new(1), U32::new(1), 1);
            connection.say(END_OF_EVENT, 3, canceled);
            let third: NewOrder = connection.hear().expect("sell").block();
            assert_eq!((third.side, third.tif), (Side::Sell as u8, 3));
            let mut rejected = OrderRejected::new_zeroed();
            (rejected.cl_ord_id, rejected.ref_seq) = (U64::new(3), U64::new(3));
            (rejected.code, rejected.detail) =
                (U16::new(Reject::InsufficientMargin.code()), I64::new(12_500_000));
            connection.say(END_OF_EVENT, 4, rejected);
            let mark: MarkPrice = connection.hear().expect("mark").block();
            assert_eq!(mark.price.get(), 1_500_000_000);
            let mut confirmed = Confirmed::new_zeroed();
            (confirmed.ref_seq, confirmed.code) = (U64::new(4), U16::new(Reject::Permission.code()));
            connection.say(END_OF_EVENT, 5, confirmed);
            let state: InstrumentState = connection.hear().expect("state").block();
            assert_eq!((state.instrument_id.get(), state.state, state.until.get()), (1, 5, 0));
            (confirmed.ref_seq, confirmed.code) = (U64::new(5), U16::new(0));
            connection.say(END_OF_EVENT, 6, confirmed);
            let auction: InstrumentState = connection.hear().expect("auction").block();
            assert_eq!(auction.state, 3);
            assert!(auction.until.get() > 1 << 60, "a time of day");
            confirmed.ref_seq = U64::new(6);
            connection.say(END_OF_EVENT, 7, confirmed);
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) = shown(
            &venue,
            "buy btc-perp 2 50000\norders\npositions\ncancel c1\norders\nsell BTC-PERP 1 40000 ioc\nmark BTC-PERP 1.5\nstate BTC-PERP cancel-only\nauction BTC-PERP 1.5\nquit\nbuy",
        );
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
c1 accepted: buy 2 lots (0.002) of BTC-PERP at 50000, order 501
c1 filled: bought 1 lot (0.001) of BTC-PERP at 50000, 1 lot left, fee 0.025, position 1 lot (0.001) of BTC-PERP
c1: buy 1 lot (0.001) of BTC-PERP at 50000, order 501
1 lot (0.001) of BTC-PERP
c1 canceled: 1 lot (0.001) of BTC-PERP, on request, order 501
no open orders
c3 refused: margin is insufficient, 12.5 short
command 4 refused: the session's role does not allow this
command 5 done
command 6 done
"
        );
        venue.done();
    }

    #[test]
    fn an_armed_order_is_shown_until_it_fires_and_when_it_is_refused() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            let stop: NewTriggerOrder = connection.hear().expect("stop").block();
            assert_eq!((stop.ord_type, stop.tif, stop.trigger_type, stop.condition), (5, 3, 3, 1));
            assert_eq!((stop.trigger_price.get(), stop.price.get()), (49_000_000_000_000, NULL_I64));
            let armed = |id, side, lots, price9| OrderAccepted {
                status: status::SUSPENDED,
                ..accepted(id, side, lots, price9)
            };
            connection.say(END_OF_EVENT, 1, armed(1, Side::Sell, 2, NULL_I64));
            let take: NewTriggerOrder = connection.hear().expect("take").block();
            assert_eq!((take.ord_type, take.tif, take.trigger_type, take.condition), (4, 1, 2, 2));
            assert_eq!((take.price.get(), take.order().cl_ord_id.get()), (48_000_000_000_000, 2));
            connection.say(END_OF_EVENT, 2, armed(2, Side::Buy, 3, take.price.get()));
            let index: IndexPrice = connection.hear().expect("index").block();
            assert_eq!((index.instrument_id.get(), index.price.get()), (1, 47_000_000_000_000));
            let mut fired = OrderModified::new_zeroed();
            (fired.orig_cl_ord_id, fired.order_id, fired.price) = (U64::new(2), U64::new(502), take.price);
            (fired.qty, fired.leaves_qty) = (I64::new(3), I64::new(3));
            (fired.instrument_id, fired.side, fired.status) = (U32::new(1), 1, status::TRIGGERED);
            let mut refused = OrderRejected::new_zeroed();
            (refused.cl_ord_id, refused.order_id) = (U64::new(1), U64::new(501));
            (refused.code, refused.ref_template_id) = (U16::new(Reject::NoLiquidity.code()), U16::new(101));
            let mut confirmed = Confirmed::new_zeroed();
            confirmed.ref_seq = U64::new(3);
            let mut answer = Vec::new();
            frame::append(&mut answer, 0, 3, 1, confirmed);
            frame::append(&mut answer, 0, 4, 1, fired);
            frame::append(&mut answer, END_OF_EVENT, 5, 1, refused);
            connection.say_bytes(&answer);
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) = shown(
            &venue,
            "stop sell BTC-PERP 2 last 49000 market\ntake buy BTC-PERP 3 index 47000 48000 day\norders\nindex BTC-PERP 47000\norders",
        );
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
c1 armed: sell 2 lots (0.002) of BTC-PERP at the market, order 501
c2 armed: buy 3 lots (0.003) of BTC-PERP at 48000, order 502
c1: armed, sell 2 lots (0.002) of BTC-PERP at the market, order 501
c2: armed, buy 3 lots (0.003) of BTC-PERP at 48000, order 502
command 3 done
c2 triggered: buy 3 lots (0.003) of BTC-PERP at 48000, order 502
c1 triggered and refused: no liquidity
c2: buy 3 lots (0.003) of BTC-PERP at 48000, order 502
"
        );
        venue.done();
    }

    #[test]
    fn quotes_and_their_protection_are_told() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            let config: MmpConfig = connection.hear().expect("a configuration").block();
            assert_eq!((config.window_ms.get(), config.frozen_ms.get(), config.reset), (1_000, 500, 0));
            assert_eq!((config.qty_limit.get(), config.delta_limit.get()), (10, NULL_I64));
            let mut done = RequestComplete::new_zeroed();
            (done.cl_ord_id, done.ref_seq) = (U64::new(1), U64::new(1));
            connection.say(END_OF_EVENT, 1, done);
            let quotes = connection.hear().expect("quotes");
            let Quotes { head, entries } = Quotes::read(&quotes.message).expect("a mass quote");
            assert_eq!((head.quote_id.get(), head.mmp_group.get(), entries.len()), (2, 4, 1));
            assert_eq!((entries[0].bid_px.get(), entries[0].bid_qty.get()), (-2_500_000_000, 5));
            assert_eq!((entries[0].ask_px.get(), entries[0].ask_qty.get()), (NULL_I64, 0));
            let mut ack = MassQuoteAck::new_zeroed();
            (ack.quote_id, ack.ref_seq) = (U64::new(2), U64::new(2));
            let mut entry = QuoteAckEntry::new_zeroed();
            (entry.instrument_id, entry.bid_status, entry.ask_status) =
                (U32::new(1), status::REJECTED, status::CANCELED);
            entry.bid_code = U16::new(Reject::PriceBelowBand.code());
            let (ack, size) = (Framed::new(ack), GroupSize::of(&[entry]));
            let mut answer = Vec::new();
            let message = [ack.as_bytes(), size.as_bytes(), entry.as_bytes()].concat();
            frame::append_message(&mut answer, 0, 2, 1, &message);
            let mut canceled = OrderCanceled::new_zeroed();
            (canceled.cl_ord_id, canceled.canceled_qty) = (U64::new(9), I64::new(1));
            (canceled.instrument_id, canceled.reason) = (U32::new(1), reason::MMP);
            frame::append(&mut answer, 0, 3, 1, canceled);
            let mut breach = MmpTriggered::new_zeroed();
            (breach.match_time, breach.frozen_until) = (U64::new(1_000), U64::new(500_001_000));
            (breach.mmp_group, breach.reason, breach.canceled) = (U16::new(4), 4, U32::new(1));
            frame::append(&mut answer, END_OF_EVENT, 4, 1, breach);
            connection.say_bytes(&answer);
            let reset: MmpConfig = connection.hear().expect("a reset").block();
            assert_eq!((reset.mmp_group.get(), reset.reset), (4, 1));
            (done.cl_ord_id, done.ref_seq) = (U64::new(3), U64::new(3));
            done.code = U16::new(Reject::MmpNotConfigured.code());
            connection.say(END_OF_EVENT, 5, done);
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) =
            shown(&venue, "mmp 4 1 0.5 qty=10\nquote BTC-PERP 5@-2.5 none group=4\nmmp reset 4");
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
c1 done
c2 quoted: BTC-PERP bid none: price is below the band, ask none
c9 canceled: 1 lot (0.001) of BTC-PERP, its protection group was breached, order 0
group 4 reached its count of fills: 1 orders canceled, frozen for 0.5 seconds
c3 refused: market-maker protection is not configured
"
        );
        venue.done();
    }

    #[test]
    fn many_are_canceled_at_once_and_where_there_is_nothing_it_is_said() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            let cancel: MassCancel = connection.hear().expect("cancel").block();
            assert_eq!((cancel.scope, cancel.side, cancel.instrument_id.get()), (3, 1, 1));
            let mut ack = MassCancelAck::new_zeroed();
            (ack.cl_ord_id, ack.ref_seq, ack.canceled) = (U64::new(1), U64::new(1), U32::new(0));
            connection.say(END_OF_EVENT, 1, ack);
            for seq in 2..=4 {
                connection.hear().expect("a request");
                let mut done = RequestComplete::new_zeroed();
                (done.ref_seq, done.count) = (U64::new(seq), U32::new(u32::from(seq == 4)));
                connection.say(END_OF_EVENT, seq, done);
            }
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) =
            shown(&venue, "cancel on btc-perp buy\nopen\nhistory 1\nopen\ncancel on X\ncancel group x");
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
c1: 0 orders canceled
done
no orders are open
done
the account was told nothing in that range
done: 1 told
'X' is no instrument; there are: BTC-PERP
'cancel group x' names no orders; `help` lists what does
"
        );
        venue.done();
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_what_can() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) = shown(
            &venue,
            "frobnicate\nbuy BTC-PERP\nbuy BTC-PERP 1 1 gtc\nbuy X 1 1\nbuy BTC-PERP 1.5 1\nbuy BTC-PERP 1 cheap\ncancel me\nwait long\nstate BTC-PERP shut\nauction BTC-PERP 0\nstop sell BTC-PERP 1 close 1 1\nquote BTC-PERP 1 1\nmmp 1\ninstruments\n\n",
        );
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
'frobnicate' is no command; `help` lists them
use it as: buy SYMBOL LOTS PRICE [HOW]     a limit order, which rests
'gtc' does not say how; `help` lists what does
'X' is no instrument; there are: BTC-PERP
'1.5' is not a count of lots, such as 1; `instruments` shows what a lot is
price: 'cheap' is not a decimal number with at most 9 places: it has a character that is no digit
'me' is no order: give the venue's id as 16777216, or yours as c7; `orders` lists both
'long' is not a number of seconds up to a day, such as 1.5
use it as: state SYMBOL STATE              auction, open, cancel-only, halted, settlement or expired, from an administrator's
use it as: auction SYMBOL SECONDS          an auction that opens by itself
use it as: stop SIDE SYMBOL LOTS REFERENCE TRIGGER PRICE [HOW] | market [reduce]
use it as: quote SYMBOL BID ASK [...] [slide] [group=N]
use it as: mmp N SECONDS FREEZE [qty=N] [count=N] [delta=N] [vega=N]
BTC-PERP: 1 lot is 0.001, prices in steps of 0.5
"
        );
        venue.done();
    }

    #[test]
    fn a_replay_rebuilds_and_a_break_is_told() {
        let venue = Venue::run(|listener| {
            let told = Numbers { next_client_seq: 2, next_server_seq: 3, ..Numbers::default() };
            let (mut connection, _) = Connection::establish(&listener, told);
            connection.say(RETRANSMIT, 1, accepted(1, Side::Buy, 3, 50_000_000_000_000));
            connection.say(RETRANSMIT | END_OF_EVENT, 2, filled(1, 2, 1));
            assert_eq!(connection.hear().expect("sell").seq, 2);
            drop(connection);
            let later = Numbers { next_server_seq: 4, next_client_seq: 3, ..told };
            let (mut connection, _) = Connection::establish(&listener, later);
            connection.say(RETRANSMIT | END_OF_EVENT, 3, accepted(2, Side::Sell, 1, 60_000_000_000_000));
            assert_eq!(connection.hear().map(|said| said.template), Some(Logout::TEMPLATE));
        });
        let (ended, text) = shown(&venue, "orders\nsell BTC-PERP 1 60000");
        assert_eq!(ended, Ok(()));
        assert_eq!(
            text,
            "\
c1: buy 2 lots (0.002) of BTC-PERP at 50000, order 501
reconnected, 1 messages replayed, 0 commands sent again
c2 accepted: sell 1 lot (0.001) of BTC-PERP at 60000, order 502
"
        );
        venue.done();
    }

    #[test]
    fn a_connection_lost_for_good_is_an_error() {
        let venue = Venue::run(|listener| {
            let (mut connection, _) = Connection::establish(&listener, Numbers::default());
            connection.hear();
        });
        let (ended, _) = shown(&venue, "buy BTC-PERP 1 1\nquit");
        assert!(ended.as_ref().is_err_and(|why| why.contains("is the venue running")), "{ended:?}");
        venue.done();
    }
}
