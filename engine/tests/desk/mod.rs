//! A desk for tests: scripts of one command per line, answered by one line per event, so that a scenario reads as a
//! conversation. A line that starts with `>` is what the engine must say next. Prices are in ticks, money in 1e-6.
#![allow(dead_code)]

pub mod flow;

use engine::command::*;
use engine::event::*;
use engine::message::{
    Framed, GroupSize, HEADER_BYTES, Header, Message, NULL_I64, NULL_U64, Origin, ROUTE_BYTES, Route, block,
    group,
};
use engine::{Engine, Sequenced};
use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// 0.5 a tick, 2 a lot, contracts of 1: a tick of one lot is worth 1.
pub const TICK_SIZE: i64 = 500_000_000;
const ONE: i64 = 1_000_000_000;
const TS_STEP: u64 = 1_000;

/// Keeps what the engine says, one line per event.
#[derive(Default)]
pub struct Lines(pub Vec<String>);

impl EventSink for Lines {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        assert_eq!(sub as usize, self.0.len() + 1, "rule 1.3");
        self.0.push(describe(payload));
    }
}

/// Keeps what the engine says, byte for byte.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Bytes(pub Vec<u8>, pub u32);

impl EventSink for Bytes {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.1 += 1;
        assert_eq!(sub, self.1, "rule 1.3");
        self.0.extend_from_slice(&sub.to_le_bytes());
        self.0.extend_from_slice(payload);
    }
}

/// Counts on the way to another sink.
struct Counted<'a, S> {
    inner: &'a mut S,
    count: u32,
}

impl<S: EventSink> EventSink for Counted<'_, S> {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.count += 1;
        self.inner.event(sub, payload);
    }
}

pub fn bytes_of<M: Message>(message: M) -> Vec<u8> {
    Framed::new(message).as_bytes().to_vec()
}

/// A mass quote as a message.
pub fn quotes_bytes(head: MassQuote, entries: &[QuoteEntry]) -> Vec<u8> {
    let mut bytes = bytes_of(head);
    bytes.extend_from_slice(GroupSize::of(entries).as_bytes());
    bytes.extend_from_slice(entries.as_bytes());
    bytes
}

fn order_name(id: u64) -> String {
    format!("{}.{}", id >> 24, id & 0xFF_FFFF)
}

fn price_name(price: i64) -> String {
    if price == NULL_I64 { "market".to_string() } else { (price / TICK_SIZE).to_string() }
}

/// What an iceberg shows at most; nothing for other orders.
fn display_name(display: i64) -> String {
    if display == NULL_I64 { String::new() } else { format!(" display {display}") }
}

fn side_name(side: u8) -> &'static str {
    if side == 1 { "buy" } else { "sell" }
}

fn code_name(code: u16) -> String {
    if code == 0 {
        return "Done".to_string();
    }
    engine::reject::Reject::from_code(code).map_or(code.to_string(), |reject| format!("{reject:?}"))
}

/// One line per event: `session:place-in-stream what ...`.
pub fn describe(payload: &[u8]) -> String {
    let (route, message) = Route::ref_from_prefix(payload).expect("a route");
    assert_eq!(payload.len(), ROUTE_BYTES + message.len());
    let (header, _) = Header::ref_from_prefix(message).expect("a header");
    if header.template_id.get() != MassQuoteAck::TEMPLATE {
        assert_eq!(message.len(), HEADER_BYTES + usize::from(header.block_length.get()));
    }
    format!("{}:{} {}", route.session, route.server_seq, describe_block(message))
}

fn describe_block(message: &[u8]) -> String {
    if let Some(e) = block::<LogonAck>(message) {
        return format!(
            "LogonAck client {} server {} oldest {} epoch {} keep {} open {}",
            e.next_client_seq,
            e.next_server_seq,
            e.oldest_server_seq,
            e.engine_epoch,
            e.keep_alive_ms,
            e.max_open_orders
        );
    }
    if let Some(e) = block::<LogonReject>(message) {
        let text = String::from_utf8_lossy(&e.text);
        return format!("LogonReject {} '{}'", code_name(e.code.get()), text.trim_end_matches('\0'));
    }
    if let Some(e) = block::<NotApplied>(message) {
        return format!("NotApplied from {} count {}", e.from_seq, e.count);
    }
    if let Some(e) = block::<SessionReject>(message) {
        let code = code_name(e.code.get());
        return format!(
            "SessionReject {code} ref {} template {} field {}",
            e.ref_seq, e.ref_template_id, e.ref_field_id
        );
    }
    if let Some(e) = block::<OrderAccepted>(message) {
        return format!(
            "Accepted {} #{} {} {}@{}{}{} ref {}",
            order_name(e.order_id.get()),
            e.cl_ord_id,
            side_name(e.side),
            e.leaves_qty,
            price_name(e.price.get()),
            display_name(e.display_qty.get()),
            if e.status == status::SUSPENDED { " armed" } else { "" },
            e.ref_seq
        );
    }
    if let Some(e) = block::<OrderModified>(message) {
        return format!(
            "Modified {} #{} orig #{} {} {}@{} leaves {}{} status {} priority {} ref {}",
            order_name(e.order_id.get()),
            e.cl_ord_id,
            e.orig_cl_ord_id,
            side_name(e.side),
            e.qty,
            price_name(e.price.get()),
            e.leaves_qty,
            display_name(e.display_qty.get()),
            e.status,
            if e.priority_kept == priority::KEPT { "kept" } else { "lost" },
            e.ref_seq
        );
    }
    if let Some(e) = block::<MassCancelAck>(message) {
        let code = code_name(e.code.get());
        return format!("MassCancelAck {code} #{} canceled {} ref {}", e.cl_ord_id, e.canceled, e.ref_seq);
    }
    if let Some((e, entries)) = group::<MassQuoteAck, QuoteAckEntry>(message) {
        let entries: String = entries.iter().map(describe_quotes).collect();
        let code = code_name(e.code.get());
        return format!("QuoteAck {code} #{} group {} ref {}{entries}", e.quote_id, e.mmp_group, e.ref_seq);
    }
    if let Some(e) = block::<HistoryGranted>(message) {
        let (from, to) = (e.from_exec_id, e.to_exec_id);
        return format!(
            "HistoryGranted {} #{} ref {} from {from} to {to} account {} most {}",
            e.session, e.cl_ord_id, e.ref_seq, e.account_id, e.max_count
        );
    }
    if let Some(e) = block::<RequestComplete>(message) {
        let code = code_name(e.code.get());
        let wait = match e.retry_after_ms.get() {
            0 => String::new(),
            wait => format!(" again in {wait} ms"),
        };
        return format!("RequestComplete {code} #{} count {}{wait} ref {}", e.cl_ord_id, e.count, e.ref_seq);
    }
    if let Some(e) = block::<MmpTriggered>(message) {
        let until = match e.frozen_until.get() {
            NULL_U64 => "reset".to_string(),
            until => until.to_string(),
        };
        return format!(
            "MmpTriggered group {} reason {} canceled {} until {until}",
            e.mmp_group, e.reason, e.canceled
        );
    }
    if let Some(e) = block::<OrderRejected>(message) {
        let code = code_name(e.code.get());
        return format!(
            "Rejected {code} field {} detail {} #{} order {}{}",
            e.ref_field_id,
            e.detail,
            e.cl_ord_id,
            order_name(e.order_id.get()),
            if e.ref_template_id == NewTriggerOrder::TEMPLATE { " trigger" } else { "" }
        );
    }
    if let Some(e) = block::<OrderCanceled>(message) {
        return format!(
            "Canceled {} #{} orig #{} {} leaves {} cum {} reason {} ref {}",
            order_name(e.order_id.get()),
            e.cl_ord_id,
            e.orig_cl_ord_id,
            side_name(e.side),
            e.canceled_qty,
            e.cum_qty,
            e.reason,
            e.ref_seq
        );
    }
    if let Some(e) = block::<OrderExecuted>(message) {
        let role = match e.liquidity {
            liquidity::MAKER => "maker",
            liquidity::TAKER => "taker",
            _ => "auction",
        };
        // The desk's own instruments are 1 to 3, and a script trades one of them; legs are told apart.
        let id = e.instrument_id.get();
        let place = if id <= 3 { String::new() } else { format!(" in {id}") };
        return format!(
            "{role} {} #{} {} {}@{}{place} leaves {} cum {} fee {} position {} match {} ref {}",
            order_name(e.order_id.get()),
            e.cl_ord_id,
            side_name(e.side),
            e.last_qty,
            e.last_px.get() / TICK_SIZE,
            e.leaves_qty,
            e.cum_qty,
            e.fee,
            e.position,
            e.match_id,
            e.ref_seq
        );
    }
    if let Some(e) = block::<AuctionIndicative>(message) {
        let side = match e.imbalance_side {
            3 => "none",
            side => side_name(side),
        };
        let end = match e.auction_end.get() {
            NULL_U64 => "untold".to_string(),
            end => end.to_string(),
        };
        return format!(
            "Indicative {} {}@{} surplus {} {side} end {end}",
            e.instrument_id,
            e.indicative_qty,
            if e.indicative_px == NULL_I64 { "none".to_string() } else { price_name(e.indicative_px.get()) },
            e.imbalance_qty
        );
    }
    let e = block::<Confirmed>(message).expect("an event of a known template");
    format!(
        "Confirmed {} template {} field {} ref {}",
        code_name(e.code.get()),
        e.ref_template_id,
        e.ref_field_id,
        e.ref_seq
    )
}

/// One entry of the answer to a mass quote: ` | instrument bid/ask`.
fn describe_quotes(entry: &QuoteAckEntry) -> String {
    let side = |status: u8, code: U16| match status {
        status::NEW => "set".to_string(),
        status::CANCELED => "none".to_string(),
        _ => code_name(code.get()),
    };
    let (bid, ask) = (side(entry.bid_status, entry.bid_code), side(entry.ask_status, entry.ask_code));
    format!(" | {} {bid}/{ask}", entry.instrument_id)
}

/// The words of a command line: plain ones in order, `key=value` ones by name.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: Vec<(&'a str, i128)>,
}

impl<'a> Words<'a> {
    fn read(line: &'a str) -> Words<'a> {
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => named.push((key, value.parse().expect("a number behind the ="))),
                None => plain.push(word),
            }
        }
        Words { plain, named }
    }

    fn find(&self, key: &str) -> Option<i128> {
        self.named.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn or(&self, key: &str, otherwise: i128) -> i128 {
        self.find(key).unwrap_or(otherwise)
    }

    fn number(&self, index: usize) -> i128 {
        self.plain.get(index).map_or(0, |word| word.trim_start_matches('#').parse().expect("a number"))
    }
}

pub struct Desk {
    pub engine: Engine,
    pub seq: u64,
    pub ts_ns: u64,
}

/// Without a window of closed ids (rule 12.1), so that a script may use an id again.
pub fn venue_open(hash_key: [u64; 2]) -> VenueOpen {
    VenueOpen {
        venue_id: 77.into(),
        engine_epoch: 9.into(),
        hash_key: hash_key.map(Into::into),
        accounts_max: 20.into(),
        instruments_max: 4.into(),
        sessions_max: 12.into(),
        orders_max: 16.into(),
        levels_max: 8.into(),
        positions_max: 10.into(),
        orders_per_account_max: 6.into(),
        matches_per_command_max: 3.into(),
        closed_ids_max: 0.into(),
        mmp_groups_max: 3.into(),
        special_orders_max: 64.into(),
        special_orders_per_account_max: 64.into(),
    }
}

pub fn instrument(id: u32, mark: i64) -> InstrumentCreate {
    InstrumentCreate {
        symbol: [b'X'; 32],
        tick_size: TICK_SIZE.into(),
        lot_size: (2 * ONE).into(),
        contract_size: ONE.into(),
        mark: (mark * TICK_SIZE).into(),
        qty_max: 1_000_000_000.into(),
        instrument_id: id.into(),
        underlying_id: 0.into(),
        initial_margin_ppm: 100_000.into(),
        maker_fee_ppm: 100.into(),
        taker_fee_ppm: 500.into(),
        kind: 1,
        pad_a: 0,
        pad_b: 0.into(),
        price_band_ppm: 0.into(),
        pad_c: 0.into(),
        pad_d: 0.into(),
    }
}

/// A combo with a band as wide as its legs are worth.
pub fn combo(id: u32, legs: &[(u32, i32)]) -> ComboCreate {
    let mut terms = ComboCreate {
        symbol: [b'C'; 32],
        leg_instruments: [0.into(); 4],
        leg_ratios: [0.into(); 4],
        qty_max: 1_000_000.into(),
        instrument_id: id.into(),
        price_band_ppm: 1_000_000.into(),
    };
    for (place, (leg, ratio)) in legs.iter().enumerate() {
        (terms.leg_instruments[place], terms.leg_ratios[place]) = ((*leg).into(), (*ratio).into());
    }
    terms
}

/// Sessions of the desk: id, account, role.
pub const SESSIONS: [(u64, u32, Role); 8] = [
    (10, 4, Role::Trade),
    (11, 4, Role::Trade),
    (12, 4, Role::CancelOnly),
    (13, 4, Role::ReadOnly),
    (20, 5, Role::Trade),
    (40, 0, Role::Oracle),
    (50, 0, Role::Bridge),
    (60, 0, Role::Admin),
];

/// Who has accounts 4 and 5.
pub const OWNER: u32 = 9;

impl Desk {
    pub fn closed() -> Desk {
        Desk { engine: Engine::new(), seq: 0, ts_ns: 0 }
    }

    /// Accounts 4 and 5 of one owner with `funds` each, instruments 1 and 2 at mark 100, everybody logged on.
    pub fn open(funds: i64) -> Desk {
        Desk::open_with(venue_open([1, 2]), funds)
    }

    pub fn open_with(terms: VenueOpen, funds: i64) -> Desk {
        Desk::open_owned(terms, funds, OWNER)
    }

    /// Account 5 is somebody else's, or nobody's.
    pub fn open_owned(terms: VenueOpen, funds: i64, owner_of_5: u32) -> Desk {
        let mut desk = Desk::closed();
        desk.venue(terms);
        desk.venue(instrument(1, 100));
        desk.venue(instrument(2, 100));
        for (account_id, owner) in [(4, OWNER), (5, owner_of_5)] {
            let (account_id, owner) = (account_id.into(), owner.into());
            desk.venue(AccountCreate { name: [b'A'; 16], account_id, owner });
            if funds > 0 {
                desk.venue(Deposit {
                    reference: 1.into(),
                    amount: funds.into(),
                    account_id,
                    pad_a: 0.into(),
                });
            }
        }
        for (id, account, role) in SESSIONS {
            desk.venue(session(id, account, role));
            desk.log_on(id);
        }
        desk
    }

    /// As `open_with`, with instrument 3, which has a band of 3 % and the underlying 1, and with combo 4, which buys 1 and
    /// sells 2.
    pub fn open_wide(terms: VenueOpen, funds: i64) -> Desk {
        let mut desk = Desk::open_with(terms, funds);
        let mut listed = instrument(3, 100);
        (listed.underlying_id, listed.price_band_ppm) = (1.into(), 30_000.into());
        desk.venue(listed);
        desk.venue(combo(4, &[(1, 1), (2, -1)]));
        desk
    }

    /// A command of the venue itself.
    pub fn venue<M: Message>(&mut self, message: M) -> Vec<String> {
        self.apply(Origin::venue(), &bytes_of(message))
    }

    pub fn log_on(&mut self, id: u64) {
        let mut logon = Logon::new_zeroed();
        (logon.session_id, logon.next_server_seq) = (id.into(), 1.into());
        self.apply(self.origin(id), &bytes_of(logon));
    }

    pub fn origin(&self, session: u64) -> Origin {
        let next = self.engine.session(session).map_or(1, |session| session.next_client_seq);
        Origin {
            session: session.into(),
            client_seq: next.into(),
            sent_ns: self.ts_ns.into(),
            received_ns: (self.ts_ns + 1).into(),
            connection: (session as u32).into(),
            flags: 0.into(),
        }
    }

    pub fn apply(&mut self, origin: Origin, message: &[u8]) -> Vec<String> {
        let mut lines = Lines::default();
        self.apply_to(origin, message, &mut lines);
        lines.0
    }

    pub fn apply_to(&mut self, origin: Origin, message: &[u8], sink: &mut impl EventSink) {
        self.seq += 1;
        self.ts_ns += TS_STEP;
        let bound = self.engine.limits().map_or(1, |limits| limits.events_per_command());
        let mut counted = Counted { inner: sink, count: 0 };
        let command = Sequenced { seq: self.seq, ts_ns: self.ts_ns, origin: &origin, message };
        self.engine.apply(&command, &mut counted);
        assert!(counted.count <= bound, "{} events of one command, {bound} at most", counted.count);
        self.engine.check_invariants().expect("section 7 holds after every command");
    }

    /// Does a `Tick` have to come before any other command now (rule 8.2)?
    pub fn is_due(&self) -> bool {
        self.engine.due(self.ts_ns + TS_STEP).is_some()
    }

    /// Plays a script and returns it with the answers that really came.
    pub fn play(&mut self, script: &str) -> String {
        let mut transcript = String::new();
        for line in
            script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['>', '#']))
        {
            transcript += line;
            transcript += "\n";
            for answer in self.say(line) {
                transcript += &format!("> {answer}\n");
            }
        }
        transcript
    }

    fn say(&mut self, line: &str) -> Vec<String> {
        // `times=N` is the command so many times, and the last answer.
        let times = Words::read(line).or("times", 1);
        for _ in 1..times {
            let (origin, message) = self.message(line);
            self.apply(origin, &message);
        }
        let (origin, message) = self.message(line);
        self.apply(origin, &message)
    }

    /// The command that a line of a script means now.
    pub fn message(&mut self, line: &str) -> (Origin, Vec<u8>) {
        let words = Words::read(line);
        // `at=ns` is the time of this very command.
        if let Some(at) = words.find("at") {
            self.ts_ns = at as u64 - TS_STEP;
        }
        let mut origin = self.origin(words.number(0) as u64);
        let field = |key: &str| words.find(key).map(|value| value as u64);
        if let Some(seq) = field("seq") {
            origin.client_seq = seq.into();
        }
        if let Some(sent) = field("sent") {
            origin.sent_ns = sent.into();
        }
        if let Some(connection) = field("conn") {
            origin.connection = (connection as u32).into();
        }
        if let Some(flags) = field("flags") {
            origin.flags = (flags as u32).into();
        }
        let mut message = command(&words);
        if let Some(cut) = words.find("cut") {
            message.truncate(message.len() - cut as usize);
            if words.plain[1] != "quote" {
                let length = (message.len() - HEADER_BYTES) as u16;
                message[..2].copy_from_slice(&length.to_le_bytes());
            }
        }
        (origin, message)
    }
}

pub fn session(id: u64, account: u32, role: Role) -> SessionCreate {
    SessionCreate {
        session_id: id.into(),
        account_id: account.into(),
        role: role as u8,
        rising_ids: 0,
        pad_a: 0.into(),
    }
}

fn command(words: &Words<'_>) -> Vec<u8> {
    match words.plain[1] {
        "buy" | "sell" if trigger_ticks(words).is_some() => bytes_of(new_trigger_order(words)),
        "buy" => bytes_of(new_order(words, 1)),
        "sell" => bytes_of(new_order(words, 2)),
        "cancel" => bytes_of(CancelOrder {
            cl_ord_id: (words.number(2) as u64).into(),
            orig_cl_ord_id: (words.or("orig", 0) as u64).into(),
            order_id: ((words.or("serial", 0) << 24 | words.or("slot", 0)) as u64).into(),
            instrument_id: (words.or("instrument", 0) as u32).into(),
            account_id: (words.or("account", 4) as u32).into(),
        }),
        "amend" => bytes_of(amend(words)),
        "mass" => bytes_of(MassCancel {
            cl_ord_id: (words.number(2) as u64).into(),
            account_id: (words.or("account", own_account(words)) as u32).into(),
            instrument_id: (words.or("instrument", 0) as u32).into(),
            underlying_id: (words.or("underlying", 0) as u32).into(),
            mmp_group: (words.or("mmp", 0) as u16).into(),
            scope: words.or("scope", 2) as u8,
            side: words.or("side", 3) as u8,
            block_new: words.or("block", 0) as u8,
            kind: words.or("kind", 0) as u8,
            pad_a: 0.into(),
            pad_b: 0.into(),
        }),
        "quote" => mass_quote(words),
        "mmp" => bytes_of(mmp_config(words)),
        "sensitivity" => bytes_of(Sensitivity {
            delta: (words.or("delta", 0) as i64).into(),
            vega: (words.or("vega", 0) as i64).into(),
            instrument_id: (words.or("instrument", 1) as u32).into(),
            pad_a: 0.into(),
        }),
        "orders" => bytes_of(OpenOrdersRequest {
            cl_ord_id: (words.number(2) as u64).into(),
            account_id: (words.or("account", own_account(words)) as u32).into(),
            instrument_id: (words.or("instrument", 0) as u32).into(),
        }),
        "history" => bytes_of(ExecHistoryRequest {
            cl_ord_id: (words.number(2) as u64).into(),
            from_exec_id: (words.or("from", 1) as u64).into(),
            to_exec_id: (words.or("to", 1 << 40) as u64).into(),
            account_id: (words.or("account", own_account(words)) as u32).into(),
            max_count: (words.or("most", 10_000) as u32).into(),
        }),
        "state" => bytes_of(InstrumentState {
            instrument_id: (words.or("id", 1) as u32).into(),
            state: words.number(2) as u8,
            pad_a: 0,
            pad_b: 0.into(),
            until: (words.or("until", 0) as u64).into(),
        }),
        "mark" => bytes_of(MarkPrice {
            price: (words.or("price", words.or("ticks", 0) * i128::from(TICK_SIZE)) as i64).into(),
            instrument_id: (words.or("instrument", 1) as u32).into(),
            pad_a: 0.into(),
        }),
        "index" => bytes_of(IndexPrice {
            price: (words.or("price", words.or("ticks", 0) * i128::from(TICK_SIZE)) as i64).into(),
            instrument_id: (words.or("instrument", 1) as u32).into(),
            pad_a: 0.into(),
        }),
        "deposit" => bytes_of(Deposit {
            reference: 1.into(),
            amount: (words.or("amount", 0) as i64).into(),
            account_id: (words.or("account", 4) as u32).into(),
            pad_a: 0.into(),
        }),
        "logon" => {
            let mut logon = Logon::new_zeroed();
            logon.next_server_seq = (words.or("server", 1) as u64).into();
            logon.keep_alive_ms = (words.or("keep", 0) as u32).into();
            bytes_of(logon)
        }
        "continue" => bytes_of(Continue {
            order_id: ((words.or("serial", 0) << 24 | words.or("slot", 0)) as u64).into(),
        }),
        "tick" => bytes_of(Tick { pad_a: 0.into() }),
        "venue" => bytes_of(VenueState {
            state: words.number(2) as u8,
            pad_a: 0,
            code: (words.or("code", 0) as u16).into(),
            pad_b: 0.into(),
        }),
        "refused" => bytes_of(Refused {
            code: (words.or("code", 0) as u16).into(),
            ref_template_id: (words.or("template", 0) as u16).into(),
            ref_field_id: (words.or("field", 0) as u16).into(),
            pad_a: 0.into(),
        }),
        "open" => {
            let mut open = venue_open([1, 2]);
            open.matches_per_command_max = (words.or("matches", 3) as u32).into();
            bytes_of(open)
        }
        "account" => bytes_of(AccountCreate {
            name: [b'N'; 16],
            account_id: (words.or("id", 0) as u32).into(),
            owner: (words.or("owner", 0) as u32).into(),
        }),
        "session" => bytes_of(SessionCreate {
            session_id: (words.or("id", 0) as u64).into(),
            account_id: (words.or("account", 0) as u32).into(),
            role: words.or("role", 1) as u8,
            rising_ids: words.or("rising", 0) as u8,
            pad_a: 0.into(),
        }),
        "instrument" => bytes_of(listing(words)),
        "combo" => bytes_of(combo_of(words)),
        "unknown" => {
            let mut header = Header::of::<Continue>();
            header.template_id = 999.into();
            header.block_length = 0.into();
            header.as_bytes().to_vec()
        }
        other => panic!("{other} is no command"),
    }
}

fn listing(words: &Words<'_>) -> InstrumentCreate {
    let mut terms = instrument(words.or("id", 3) as u32, 100);
    let long = |key: &str, otherwise: zerocopy::little_endian::I64| {
        words.find(key).map_or(otherwise, |v| (v as i64).into())
    };
    let short = |key: &str, otherwise: zerocopy::little_endian::U32| {
        words.find(key).map_or(otherwise, |v| (v as u32).into())
    };
    terms.tick_size = long("tick", terms.tick_size);
    terms.lot_size = long("lot", terms.lot_size);
    terms.contract_size = long("contract", terms.contract_size);
    terms.mark = long("mark", terms.mark);
    terms.qty_max = long("qty_max", terms.qty_max);
    terms.initial_margin_ppm = short("margin", terms.initial_margin_ppm);
    terms.maker_fee_ppm = short("maker", terms.maker_fee_ppm);
    terms.taker_fee_ppm = short("taker", terms.taker_fee_ppm);
    terms.underlying_id = short("underlying", terms.underlying_id);
    terms.price_band_ppm = short("band", terms.price_band_ppm);
    terms.kind = words.or("kind", 1) as u8;
    terms
}

/// Each leg by its place: `session combo leg1=1 ratio1=1 leg2=2 ratio2=-1`.
fn combo_of(words: &Words<'_>) -> ComboCreate {
    let mut terms = combo(words.or("id", 4) as u32, &[]);
    for (place, (leg, ratio)) in
        [("leg1", "ratio1"), ("leg2", "ratio2"), ("leg3", "ratio3"), ("leg4", "ratio4")]
            .into_iter()
            .enumerate()
    {
        terms.leg_instruments[place] = (words.or(leg, 0) as u32).into();
        terms.leg_ratios[place] = (words.or(ratio, 0) as i32).into();
    }
    terms.qty_max = (words.or("qty_max", 1_000_000) as i64).into();
    terms.price_band_ppm = (words.or("band", 1_000_000) as u32).into();
    terms
}

/// Session 20 trades for account 5, all others for 4.
fn own_account(words: &Words<'_>) -> i128 {
    if words.plain[0] == "20" { 5 } else { 4 }
}

/// `quantity@ticks` in lots and Price9; `-` is null, and so is the price of `market` and `limit` (market-to-limit).
fn terms<'a>(words: &Words<'a>) -> (i128, i128, &'a str) {
    let (qty, ticks) = words.plain[2].split_once('@').expect("quantity@ticks");
    let qty = if qty == "-" { i128::from(NULL_I64) } else { qty.parse().expect("a quantity") };
    let price = match ticks {
        "-" | "market" | "limit" => i128::from(NULL_I64),
        ticks => ticks.parse::<i128>().expect("ticks") * i128::from(TICK_SIZE),
    };
    (qty, price, ticks)
}

/// `session amend total@ticks #client-id orig=client-id`.
fn amend(words: &Words<'_>) -> ModifyOrder {
    let (qty, price, _) = terms(words);
    ModifyOrder {
        cl_ord_id: (words.number(3) as u64).into(),
        orig_cl_ord_id: (words.or("orig", 0) as u64).into(),
        order_id: ((words.or("serial", 0) << 24 | words.or("slot", 0)) as u64).into(),
        price: (words.or("price", price) as i64).into(),
        qty: (qty as i64).into(),
        display_qty: (words.or("display", i128::from(NULL_I64)) as i64).into(),
        instrument_id: (words.or("instrument", 0) as u32).into(),
        max_delay_us: (words.or("delay", 0) as u32).into(),
        flags: (words.or("order_flags", i128::from(posting(words))) as u16).into(),
        pad_a: 0.into(),
        account_id: (words.or("account", own_account(words)) as u32).into(),
    }
}

/// `session mmp #client-id group=number`, and any limit by name.
fn mmp_config(words: &Words<'_>) -> MmpConfig {
    let limit = |key: &str| (words.or(key, i128::from(NULL_I64)) as i64).into();
    MmpConfig {
        cl_ord_id: (words.number(2) as u64).into(),
        account_id: (words.or("account", own_account(words)) as u32).into(),
        mmp_group: (words.or("group", 1) as u16).into(),
        reset: words.or("reset", 0) as u8,
        pad_a: 0,
        window_ms: (words.or("window", 1_000) as u32).into(),
        frozen_ms: (words.or("frozen", 0) as u32).into(),
        qty_limit: limit("qty"),
        delta_limit: limit("delta"),
        vega_limit: limit("vega"),
        count_limit: (words.or("count", 0) as u32).into(),
        pad_b: 0.into(),
    }
}

/// `session quote #quote-id instrument:bid/ask ...`, each side `quantity@ticks`, or `0`.
fn mass_quote(words: &Words<'_>) -> Vec<u8> {
    let head = MassQuote {
        quote_id: (words.number(2) as u64).into(),
        account_id: (words.or("account", own_account(words)) as u32).into(),
        stp_group: (words.or("group", 0) as u32).into(),
        max_delay_us: (words.or("delay", 0) as u32).into(),
        mmp_group: (words.or("mmp", 0) as u16).into(),
        stp_mode: words.or("stp", 1) as u8,
        pad_a: 0,
        flags: (words.or("order_flags", i128::from(posting(words))) as u16).into(),
        pad_b: 0.into(),
    };
    let entries: Vec<QuoteEntry> = words.plain[3..].iter().filter_map(|word| quote_entry(word)).collect();
    quotes_bytes(head, &entries)
}

fn quote_entry(word: &str) -> Option<QuoteEntry> {
    let (instrument, sides) = word.split_once(':')?;
    let (bid, ask) = sides.split_once('/').expect("bid/ask");
    let side = |text: &str| {
        let (qty, ticks) = text.split_once('@').unwrap_or((text, "-"));
        let price = if ticks == "-" { NULL_I64 } else { ticks.parse::<i64>().expect("ticks") * TICK_SIZE };
        (qty.parse::<i64>().expect("a quantity").into(), price.into())
    };
    let ((bid_qty, bid_px), (ask_qty, ask_px)) = (side(bid), side(ask));
    let instrument_id = instrument.parse::<u32>().expect("an instrument").into();
    Some(QuoteEntry { instrument_id, pad_a: 0.into(), bid_px, bid_qty, ask_px, ask_qty })
}

/// The flags of the words `post`, `slide` and `reduce`.
fn posting(words: &Words<'_>) -> u16 {
    u16::from(words.plain.contains(&"post"))
        | u16::from(words.plain.contains(&"slide")) << 1
        | u16::from(words.plain.contains(&"reduce")) << 2
}

/// The flag of a member of a protection group.
fn grouped(words: &Words<'_>) -> u16 {
    u16::from(words.find("mmp").is_some()) << 3
}

/// `session side quantity@ticks #client-id`, and any field by name.
fn new_order(words: &Words<'_>, side: u8) -> NewOrder {
    let (qty, price, kind) = terms(words);
    let ord_type = match kind {
        "market" => 2,
        "limit" => 3,
        _ => 1,
    };
    let has = |word: &str| words.plain.contains(&word);
    let tif = if has("ioc") {
        3
    } else if has("fok") {
        4
    } else if has("day") {
        1
    } else if words.find("expire").is_some() {
        5
    } else {
        2
    };
    let account = own_account(words);
    NewOrder {
        cl_ord_id: (words.number(3) as u64).into(),
        price: (words.or("price", price) as i64).into(),
        qty: (qty as i64).into(),
        display_qty: (words.or("display", i128::from(NULL_I64)) as i64).into(),
        expire_time: (words.or("expire", i128::from(NULL_U64)) as u64).into(),
        instrument_id: (words.or("instrument", 1) as u32).into(),
        account_id: (words.or("account", account) as u32).into(),
        stp_group: (words.or("group", 0) as u32).into(),
        max_delay_us: (words.or("delay", 0) as u32).into(),
        side: words.or("side", i128::from(side)) as u8,
        ord_type: words.or("type", ord_type) as u8,
        tif: words.or("tif", tif) as u8,
        stp_mode: words.or("stp", 1) as u8,
        flags: (words.or("order_flags", i128::from(posting(words) | grouped(words))) as u16).into(),
        mmp_group: (words.or("mmp", 0) as u16).into(),
    }
}

/// Where `stop=` or `take=` stands behind an order: the condition and the trigger price.
fn trigger_ticks(words: &Words<'_>) -> Option<(u8, i128)> {
    let stop = words.find("stop").map(|ticks| (1, ticks));
    stop.or(words.find("take").map(|ticks| (2, ticks)))
}

/// An order with `stop=ticks` or `take=ticks`, and `on=` 1 mark, 2 index, 3 last.
fn new_trigger_order(words: &Words<'_>) -> NewTriggerOrder {
    let order = new_order(words, if words.plain[1] == "buy" { 1 } else { 2 });
    let (condition, ticks) = trigger_ticks(words).expect("a trigger");
    let mut request = NewTriggerOrder::new_zeroed();
    request.as_mut_bytes()[..size_of::<NewOrder>()].copy_from_slice(order.as_bytes());
    request.ord_type = words.or("type", if order.ord_type == 2 { 5 } else { 4 }) as u8;
    request.trigger_price = (words.or("trigger", ticks * i128::from(TICK_SIZE)) as i64).into();
    request.trail_offset = (words.or("trail", i128::from(NULL_I64)) as i64).into();
    request.oco_group = (words.or("oco", 0) as u32).into();
    request.trigger_type = words.or("on", 1) as u8;
    request.condition = words.or("condition", i128::from(condition)) as u8;
    request
}

/// Plays `script` and holds the answers against those that stand in it.
#[track_caller]
pub fn check_on(desk: &mut Desk, script: &str) {
    let expected: String = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let transcript = desk.play(script);
    assert!(transcript == expected, "\n--- expected\n{expected}\n--- heard\n{transcript}");
}

/// On a fresh desk, two accounts with a billion each.
#[track_caller]
pub fn check(script: &str) {
    check_on(&mut Desk::open(1_000_000_000_000_000), script);
}

/// Whatever a cut or a flipped byte makes of a snapshot, it is refused or a state that could have been.
#[track_caller]
pub fn spoil(bytes: &[u8]) {
    for cut in 0..bytes.len() {
        assert!(Engine::restore(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(Engine::restore(&longer).is_err(), "a trailing byte");
    // The capacities stand at 64..96; larger ones only ask for more memory.
    for place in (0..64).chain(96..bytes.len()) {
        for flip in [1, 0x80, 0xFF] {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= flip;
            if let Ok(engine) = Engine::restore(&flipped) {
                assert_eq!(engine.snapshot(), flipped, "byte {place}");
                engine.check_invariants().expect("an accepted snapshot is consistent");
            }
        }
    }
}
