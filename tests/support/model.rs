//! The naive model: `engine/RULES.md` read clause by clause into plain lines. It owns no index and no arithmetic of the
//! engine's: every sum is made anew by a scan over all open orders, all money is `i128`. From the engine it takes the
//! layouts, the codes and the limits, which are the language of the rules and not an answer to them.

mod auction;
mod combos;
mod iceberg;
mod ids;
mod looks;
mod margin;
mod matching;
mod orders;
mod protection;
mod quotes;
mod reduce_only;
mod requests;
mod special;
mod states;
mod time;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};

use engine::command::*;
use engine::event::*;
use engine::limits::*;
use engine::message::*;
use engine::reject::Reject;
use zerocopy::IntoBytes;

use matching::Waiting;
use protection::Group;
use states::Auction;

pub use iceberg::SEEN as SEEN_OF_ICEBERGS;
pub use ids::SEEN as SEEN_OF_IDS;
pub use matching::{SEEN as SEEN_OF_GROUPS, SEEN_OF_SWEEPS};
pub use orders::band;
pub use quotes::quote_entries;
pub use reduce_only::SEEN as SEEN_OF_REDUCE_ONLY;
pub use requests::{HISTORY_GRANTED, SEEN as SEEN_OF_LISTS};
pub use special::SEEN as SEEN_OF_SPECIAL;
pub use time::SEEN as SEEN_OF_TIME;
pub use triggers::SEEN as SEEN_OF_TRIGGERS;
pub use triggers::{Matched, Trigger};

const CONFIRMED: Refusal = Refusal { code: 0, field: 0, order_id: 0, detail: 0 };
const VENUE: u64 = 0;
/// As a `Route` says it.
const NOBODY: u64 = 0;
const LIMIT: u8 = 1;
const MARKET: u8 = 2;
const MARKET_TO_LIMIT: u8 = 3;
const DAY: u8 = 1;
const GTC: u8 = 2;
const IOC: u8 = 3;
const FOK: u8 = 4;
const GTD: u8 = 5;
const STP_NONE: u8 = 1;
const POST_ONLY: u16 = 1;
const POST_ONLY_SLIDE: u16 = 2;
const MILLION: i128 = 1_000_000;
const SECOND_NS: i128 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub account: u32,
    pub role: Role,
    /// `None` until the first logon (3.5).
    pub connection: Option<u32>,
    pub next_client_seq: u64,
    pub next_server_seq: u64,
    /// The client ids of its orders only rise (12.2).
    pub rising_ids: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Instrument {
    pub kind: u8,
    pub tick_size: i128,
    pub lot_size: i128,
    pub contract_size: i128,
    pub tick_value: i128,
    /// A combo's is the sum of its legs' marks times ratios.
    pub mark: i128,
    /// `None` until the first `IndexPrice` (8.32).
    pub index: Option<i128>,
    /// `None` until the first match.
    pub matched: Option<Matched>,
    pub qty_max: i128,
    pub initial_margin_ppm: i128,
    pub maker_fee_ppm: i128,
    pub taker_fee_ppm: i128,
    pub band_ppm: i128,
    pub underlying: u32,
    pub state: u8,
    pub auction: Option<Auction>,
    /// Of one lot (3.10).
    pub delta: i128,
    pub vega: i128,
    /// Instrument and ratio; `NO_LEG` where there is none.
    pub legs: [(u32, i128); 4],
    /// The sum of the legs' marks times the ratios without their signs.
    pub gross_mark: i128,
}

pub const NO_LEG: (u32, i128) = (0, 0);

impl Instrument {
    pub fn legs(&self) -> impl Iterator<Item = (u32, i128)> {
        self.legs.into_iter().filter(|leg| *leg != NO_LEG)
    }

    pub fn is_combo(&self) -> bool {
        self.legs[0] != NO_LEG
    }
}

/// An open order, or the taker between its continuations. Prices are in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub order_id: u64,
    pub cl_ord_id: u64,
    pub session: u64,
    pub account: u32,
    pub instrument: u32,
    pub buy: bool,
    /// It has a working price but shows none.
    pub market: bool,
    pub tif: u8,
    pub stp_mode: u8,
    pub stp_group: u32,
    pub price: i128,
    pub qty: i128,
    pub leaves: i128,
    /// It was set by a `MassQuote`, and its client id is that message's `quote_id`.
    pub quote: bool,
    /// Its protection group, 0 for none.
    pub group: u16,
    /// `None` never ends (8.1).
    pub expiry: Option<u64>,
    /// The most that an iceberg shows (8.10).
    pub display: Option<i128>,
    /// What it shows while it rests; of no meaning without `display`.
    pub shown: i128,
    pub reduce_only: bool,
    /// While it is armed (8.31).
    pub trigger: Option<Trigger>,
}

impl Order {
    pub fn filled(&self) -> i128 {
        self.qty - self.leaves
    }
}

/// Why not, and what the answer says besides.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    code: u16,
    field: u16,
    order_id: u64,
    detail: i128,
}

fn refusal(reject: Reject, field: u16) -> Refusal {
    Refusal { code: reject.code(), field, order_id: 0, detail: 0 }
}

fn with_detail(reject: Reject, field: u16, detail: i128) -> Refusal {
    Refusal { detail, ..refusal(reject, field) }
}

type Outcome = Result<(), Refusal>;

fn demand(holds: bool, reject: Reject, field: u16) -> Outcome {
    if holds { Ok(()) } else { Err(refusal(reject, field)) }
}

/// The command under way.
#[derive(Clone, Copy)]
struct Now {
    seq: u64,
    ts_ns: u64,
    origin: Origin,
}

/// What one match did to one side in one instrument: a combo's has one for itself and one for each leg (11.5).
struct Part {
    instrument: u32,
    buy: bool,
    price: i128,
    lots: i128,
    fee: i128,
    position: i128,
    liquidity: u8,
}

/// What every event of an order carries (1.3, 1.4).
struct Stamp {
    exec_id: u64,
    ref_seq: u64,
    recv_time: u64,
    match_time: u64,
}

pub struct Model {
    limits: Option<Limits>,
    epoch: u64,
    accounts: BTreeMap<u32, i128>,
    sessions: BTreeMap<u64, Session>,
    instruments: BTreeMap<u32, Instrument>,
    positions: BTreeMap<(u32, u32), i128>,
    blocked: BTreeSet<u32>,
    groups: BTreeMap<(u32, u16), Group>,
    /// In the order in which they came to rest, which is their order in time within a price too.
    orders: Vec<Order>,
    /// Orders that wait for their trigger, in the order of their serials: they stand in no book (8.31).
    armed: Vec<Order>,
    /// The last closed client ids of the venue, the oldest first (12.1).
    closed: Vec<ids::Closed>,
    /// The highest client id of an account's orders from sessions with rising ids (12.2).
    high_water: BTreeMap<u32, u64>,
    /// Who has an account, where somebody does (5.8).
    owners: BTreeMap<u32, u32>,
    /// The stores of looks that are not full (12.6).
    looks: BTreeMap<u32, looks::Store>,
    /// Whose last listing was refused for its looks, for `seen` alone.
    throttled: BTreeSet<u32>,
    waiting: Option<Waiting>,
    /// State and code while the venue stands still (10.6).
    standstill: Option<(u8, u16)>,
    /// Steps of the command under way (5.6).
    steps: u32,
    serial: u64,
    match_id: u64,
    deposits: i128,
    seq: u64,
    ts_ns: u64,
    events: Vec<Vec<u8>>,
    seen: BTreeMap<&'static str, u64>,
    /// Client ids that were used and are forgotten, for `seen` alone.
    past_ids: BTreeSet<(u32, u64)>,
    has_opened: bool,
}

impl Default for Model {
    fn default() -> Self {
        Model::new()
    }
}

impl Model {
    pub fn new() -> Model {
        Model {
            limits: None,
            epoch: 0,
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            instruments: BTreeMap::new(),
            positions: BTreeMap::new(),
            blocked: BTreeSet::new(),
            groups: BTreeMap::new(),
            orders: Vec::new(),
            armed: Vec::new(),
            closed: Vec::new(),
            high_water: BTreeMap::new(),
            owners: BTreeMap::new(),
            looks: BTreeMap::new(),
            throttled: BTreeSet::new(),
            waiting: None,
            standstill: None,
            steps: 0,
            serial: 0,
            match_id: 0,
            deposits: 0,
            seq: 0,
            ts_ns: 0,
            events: Vec::new(),
            seen: BTreeMap::new(),
            past_ids: BTreeSet::new(),
            has_opened: false,
        }
    }

    /// The events of one command, each `| Route | Header | block |`, in order.
    pub fn apply(&mut self, seq: u64, ts_ns: u64, origin: &Origin, message: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(seq, self.seq + 1, "1.1: a gap in seq");
        assert!(ts_ns >= self.ts_ns, "1.1: time went back");
        (self.seq, self.ts_ns) = (seq, ts_ns);
        self.steps = 0;
        if self.deadline() == Some(ts_ns + 1) {
            self.note(time::SEEN[0]);
        }
        let now = Now { seq, ts_ns, origin: *origin };
        if now.origin.session.get() == VENUE {
            self.hear_venue(&now, message);
        } else {
            self.in_place();
            self.hear_session(&now, message);
        }
        self.has_opened = block::<InstrumentState>(message).is_some() || block::<Tick>(message).is_some();
        self.look_at_triggers(&now);
        std::mem::take(&mut self.events)
    }

    fn hear_venue(&mut self, now: &Now, message: &[u8]) {
        if let Some(it) = block::<VenueState>(message).filter(|_| self.limits.is_some()) {
            let outcome = self.venue_state(it);
            return self.confirm(now, message, outcome);
        }
        if let Some(wanted) = block::<Continue>(message) {
            return self.go_on(now, wanted.order_id.get());
        }
        if block::<Tick>(message).is_some() {
            return self.tick(now);
        }
        self.in_place();
        if self.limits.is_none() && block::<VenueOpen>(message).is_none() {
            return;
        }
        if block::<Tick>(message).is_some() {
            return self.tick(now);
        }
        if let Some(outcome) = self.privileged(now, None, message) {
            self.confirm(now, message, outcome);
        }
    }

    fn hear_session(&mut self, now: &Now, message: &[u8]) {
        if self.limits.is_none() {
            return;
        }
        let id = now.origin.session.get();
        if let Some(logon) = block::<Logon>(message) {
            return self.logon(now, logon);
        }
        let Some(session) = self.sessions.get(&id).copied() else { return };
        if session.connection != Some(now.origin.connection.get())
            || !self.in_sequence(now, &session, message)
        {
            return;
        }
        if let Some(it) = block::<Refused>(message) {
            self.session_reject(now, it.code.get(), it.ref_template_id.get(), it.ref_field_id.get());
        } else if let Some(it) = block::<NewOrder>(message) {
            self.new_order(now, &session, it);
        } else if let Some(it) = block::<CancelOrder>(message) {
            self.cancel_order(now, &session, it);
        } else if let Some(it) = block::<ModifyOrder>(message) {
            self.modify_order(now, &session, it);
        } else if let Some(it) = block::<MassCancel>(message) {
            self.mass_cancel(now, &session, it);
        } else if let Some((head, entries)) = quote_entries(message) {
            self.mass_quote(now, &session, &head, &entries);
        } else if let Some(it) = block::<MmpConfig>(message) {
            self.mmp_config(now, &session, it);
        } else if let Some(it) = block::<NewTriggerOrder>(message) {
            self.new_trigger(now, &session, it);
        } else if let Some(it) = block::<OpenOrdersRequest>(message) {
            self.open_orders_request(now, &session, it);
        } else if let Some(it) = block::<ExecHistoryRequest>(message) {
            self.exec_history_request(now, &session, it);
        } else if let Some(outcome) = self.privileged(now, Some(session.role), message) {
            self.confirm(now, message, outcome);
        } else {
            // What has its shape and is none of these is the venue's alone (3.1).
            let code = Some(shape_fault(message)).filter(|code| *code != 0);
            let code = code.unwrap_or(Reject::UnknownTemplate.code());
            self.session_reject(now, code, template(message), 0);
        }
    }

    /// For those who ask whether a run came to all of it: what no event tells.
    fn note(&mut self, name: &'static str) {
        *self.seen.entry(name).or_insert(0) += 1;
    }

    pub fn take_seen(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.seen)
    }

    /// Neither a continuation (5.6) nor a `Tick` (8.2) is due.
    fn in_place(&self) {
        assert!(self.waiting.is_none(), "5.6: a command between continuations");
        assert!(self.deadline().is_none_or(|due| self.ts_ns < due), "8.2: a command at or past the deadline");
    }

    // 2 Sessions

    fn logon(&mut self, now: &Now, logon: &Logon) {
        let id = now.origin.session.get();
        let wanted = logon.next_server_seq.get();
        let refused = match self.sessions.get(&id) {
            None => Some(Reject::UnknownSession),
            Some(_) if wanted == 0 => Some(Reject::SeqOutOfRange),
            Some(session) if wanted > session.next_server_seq => Some(Reject::SeqRegressed),
            Some(_) => None,
        };
        if let Some(reject) = refused {
            let mut text = [0; 32];
            for (to, from) in text.iter_mut().zip(reject.text().bytes()) {
                *to = from;
            }
            return self.tell(now, id, |_| LogonReject {
                session_id: id.into(),
                code: reject.code().into(),
                pad_a: 0.into(),
                retry_after_ms: 0.into(),
                schema_version_min: 1.into(),
                schema_version_max: 1.into(),
                pad_b: 0.into(),
                text,
            });
        }
        let session = self.sessions.get_mut(&id).expect("known");
        session.connection = Some(now.origin.connection.get());
        let session = *session;
        let epoch = self.epoch;
        let orders_per_account = self.limits().orders_per_account;
        let trading_state = self.standstill.map_or(states::OPEN, |it| it.0);
        self.tell(now, id, |_| LogonAck {
            session_id: id.into(),
            next_client_seq: session.next_client_seq.into(),
            next_server_seq: session.next_server_seq.into(),
            oldest_server_seq: session.next_server_seq.saturating_sub(OUTBOX_MESSAGES).max(1).into(),
            engine_epoch: epoch.into(),
            server_time: now.ts_ns.into(),
            keep_alive_ms: logon.keep_alive_ms.get().clamp(100, 60_000).into(),
            schema_version: 1.into(),
            cod_mode: 1,
            trading_state,
            orders_per_sec: 0.into(),
            order_burst: 0.into(),
            max_frame: (FRAME_BYTES_MAX as u32).into(),
            max_open_orders: orders_per_account.into(),
        });
    }

    /// 2.4: whether the command is applied.
    fn in_sequence(&mut self, now: &Now, session: &Session, message: &[u8]) -> bool {
        let (seq, next) = (now.origin.client_seq.get(), session.next_client_seq);
        if seq < next {
            if now.origin.flags.get() & ORIGIN_POSSIBLE_RESEND == 0 {
                self.session_reject(now, Reject::DuplicateSeq.code(), template(message), 0);
            }
            return false;
        }
        let hole = seq - next;
        if hole > u64::from(u32::MAX) || seq >= 1 << 63 {
            self.session_reject(now, Reject::SeqOutOfRange.code(), template(message), 0);
            return false;
        }
        let id = now.origin.session.get();
        if hole > 0 {
            self.tell(now, id, |_| NotApplied {
                from_seq: next.into(),
                count: (hole as u32).into(),
                pad_a: 0.into(),
            });
        }
        self.sessions.get_mut(&id).expect("known").next_client_seq = seq + 1;
        true
    }

    fn session_reject(&mut self, now: &Now, code: u16, template: u16, field: u16) {
        self.tell(now, now.origin.session.get(), |_| SessionReject {
            ref_seq: now.origin.client_seq,
            code: code.into(),
            ref_template_id: template.into(),
            ref_field_id: field.into(),
            pad_a: 0.into(),
        });
    }

    // 3 Privileged commands

    /// `role` is `None` for the venue itself. `None` comes back for what is not privileged, or has not its shape.
    fn privileged(&mut self, now: &Now, role: Option<Role>, message: &[u8]) -> Option<Outcome> {
        let may = match template(message) {
            MarkPrice::TEMPLATE | IndexPrice::TEMPLATE => Role::Oracle,
            Sensitivity::TEMPLATE => Role::RiskModel,
            Deposit::TEMPLATE => Role::Bridge,
            VenueOpen::TEMPLATE
            | InstrumentCreate::TEMPLATE
            | ComboCreate::TEMPLATE
            | InstrumentState::TEMPLATE
            | AccountCreate::TEMPLATE
            | SessionCreate::TEMPLATE => Role::Admin,
            _ => return None,
        };
        if shape_fault(message) != 0 {
            return None;
        }
        if role.is_some_and(|role| role != may) {
            return Some(Err(refusal(Reject::Permission, 0)));
        }
        let outcome = block(message).map(|it| self.venue_open(it));
        let outcome = outcome.or_else(|| block(message).map(|it| self.instrument_create(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.combo_create(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.instrument_state(now, it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.account_create(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.session_create(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.mark_price(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.index_price(it)));
        let outcome = outcome.or_else(|| block(message).map(|it| self.sensitivity(it)));
        outcome.or_else(|| block(message).map(|it| self.deposit(it)))
    }

    fn confirm(&mut self, now: &Now, message: &[u8], outcome: Outcome) {
        let answer = outcome.err().unwrap_or(CONFIRMED);
        self.tell(now, now.origin.session.get(), |stamp| Confirmed {
            exec_id: stamp.exec_id.into(),
            ref_seq: stamp.ref_seq.into(),
            match_time: stamp.match_time.into(),
            detail: 0.into(),
            code: answer.code.into(),
            ref_template_id: template(message).into(),
            ref_field_id: answer.field.into(),
            pad_a: 0.into(),
        });
        if let Some(it) = block::<InstrumentState>(message).filter(|_| outcome.is_ok()) {
            self.state_confirmed(now, it);
        }
    }

    fn venue_open(&mut self, open: &VenueOpen) -> Outcome {
        demand(self.limits.is_none(), Reject::AlreadyExists, 0)?;
        let limits = Limits::read(open).map_err(|field| refusal(Reject::InvalidParameter, field))?;
        self.limits = Some(limits);
        self.epoch = open.engine_epoch.get();
        for account in [ACCOUNT_INSURANCE, ACCOUNT_FEES, ACCOUNT_DUST] {
            self.accounts.insert(account, 0);
        }
        Ok(())
    }

    fn instrument_create(&mut self, it: &InstrumentCreate) -> Outcome {
        use Reject::*;
        let id = it.instrument_id.get();
        let (tick, lot, contract) = (it.tick_size.get(), it.lot_size.get(), it.contract_size.get());
        let (mark, qty_max) = (it.mark.get(), it.qty_max.get());
        demand((1..=self.limits().instruments).contains(&id), InvalidParameter, 7)?;
        demand(!self.instruments.contains_key(&id), AlreadyExists, 7)?;
        demand(tick > 0, InvalidParameter, 2)?;
        demand(lot > 0, InvalidParameter, 3)?;
        demand(contract > 0, InvalidParameter, 4)?;
        // What does not fit 128 bits is far above 10^12.
        let product = (i128::from(tick) * i128::from(lot)).checked_mul(i128::from(contract)).unwrap_or(-1);
        let whole = 10_i128.pow(21);
        let tick_value = product / whole;
        demand(product >= 0 && product % whole == 0, InvalidParameter, 2)?;
        demand((1..=10_i128.pow(12)).contains(&tick_value), InvalidParameter, 2)?;
        demand(mark > 0 && within_ticks(mark, tick), InvalidParameter, 5)?;
        demand(mark % tick == 0, PriceNotOnTick, 5)?;
        demand((1..=i64::from(i32::MAX)).contains(&qty_max), InvalidParameter, 6)?;
        demand((1..=1_000_000).contains(&it.initial_margin_ppm.get()), InvalidParameter, 9)?;
        demand(it.maker_fee_ppm.get() <= 100_000, InvalidParameter, 10)?;
        demand(it.taker_fee_ppm.get() <= 100_000, InvalidParameter, 11)?;
        demand(it.kind == 1 || it.kind == 2, InvalidParameter, 12)?;
        demand(it.price_band_ppm.get() <= 1_000_000, InvalidParameter, 15)?;
        let instrument = Instrument {
            kind: it.kind,
            tick_size: tick.into(),
            lot_size: lot.into(),
            contract_size: contract.into(),
            tick_value,
            mark: (mark / tick).into(),
            index: None,
            matched: None,
            qty_max: qty_max.into(),
            initial_margin_ppm: it.initial_margin_ppm.get().into(),
            maker_fee_ppm: it.maker_fee_ppm.get().into(),
            taker_fee_ppm: it.taker_fee_ppm.get().into(),
            band_ppm: it.price_band_ppm.get().into(),
            underlying: it.underlying_id.get(),
            state: states::OPEN,
            auction: None,
            delta: 0,
            vega: 0,
            legs: [NO_LEG; 4],
            gross_mark: 0,
        };
        self.instruments.insert(id, instrument);
        Ok(())
    }

    fn account_create(&mut self, it: &AccountCreate) -> Outcome {
        let id = it.account_id.get();
        demand(id != 0, Reject::InvalidParameter, 2)?;
        demand(id <= self.limits().accounts, Reject::Capacity, 2)?;
        demand(!self.accounts.contains_key(&id), Reject::AlreadyExists, 2)?;
        self.accounts.insert(id, 0);
        self.owners.insert(id, it.owner.get());
        Ok(())
    }

    fn session_create(&mut self, it: &SessionCreate) -> Outcome {
        let (id, account) = (it.session_id.get(), it.account_id.get());
        demand(id != 0, Reject::InvalidParameter, 1)?;
        demand(!self.sessions.contains_key(&id), Reject::AlreadyExists, 1)?;
        let role = Role::from_wire(it.role).ok_or(refusal(Reject::InvalidParameter, 3))?;
        let rising = it.rising_ids == 1 && role == Role::Trade;
        demand(it.rising_ids == 0 || rising, Reject::InvalidParameter, 4)?;
        if matches!(role, Role::Trade | Role::ReadOnly | Role::CancelOnly) {
            demand(self.accounts.contains_key(&account), Reject::UnknownAccount, 2)?;
        } else {
            demand(account == 0, Reject::InvalidParameter, 2)?;
        }
        demand(self.sessions.len() < self.limits().sessions as usize, Reject::Capacity, 1)?;
        let session = Session {
            account,
            role,
            connection: None,
            next_client_seq: 1,
            next_server_seq: 1,
            rising_ids: rising,
        };
        self.sessions.insert(id, session);
        Ok(())
    }

    fn mark_price(&mut self, it: &MarkPrice) -> Outcome {
        let instrument = self.priced(it.instrument_id.get())?;
        instrument.mark = oracle_ticks(instrument, it.price.get())?;
        self.mark_combos();
        Ok(())
    }

    /// 3.10.
    fn sensitivity(&mut self, it: &Sensitivity) -> Outcome {
        let instrument =
            self.instruments.get_mut(&it.instrument_id.get()).ok_or(refusal(Reject::UnknownInstrument, 3))?;
        let most = 1_000_000_000_000;
        demand((-most..=most).contains(&it.delta.get()), Reject::InvalidParameter, 1)?;
        demand((-most..=most).contains(&it.vega.get()), Reject::InvalidParameter, 2)?;
        (instrument.delta, instrument.vega) = (it.delta.get().into(), it.vega.get().into());
        Ok(())
    }

    /// 3.9.
    fn index_price(&mut self, it: &IndexPrice) -> Outcome {
        let instrument = self.priced(it.instrument_id.get())?;
        instrument.index = Some(oracle_ticks(instrument, it.price.get())?);
        Ok(())
    }

    /// The instrument whose price an oracle tells.
    fn priced(&mut self, id: u32) -> Result<&mut Instrument, Refusal> {
        let instrument = self.instruments.get_mut(&id).ok_or(refusal(Reject::UnknownInstrument, 2))?;
        demand(!instrument.is_combo(), Reject::InvalidParameter, 2)?;
        Ok(instrument)
    }

    fn deposit(&mut self, it: &Deposit) -> Outcome {
        let quote = self.accounts.get_mut(&it.account_id.get()).ok_or(refusal(Reject::UnknownAccount, 3))?;
        let amount = it.amount.get();
        demand((1..=1_000_000_000_000_000_000).contains(&amount), Reject::InvalidParameter, 2)?;
        *quote += i128::from(amount);
        self.deposits += i128::from(amount);
        Ok(())
    }

    fn own_account(&self, session: &Session, account: u32, field: u16) -> Outcome {
        demand(self.accounts.contains_key(&account), Reject::UnknownAccount, field)?;
        demand(session.account == account, Reject::NotYourAccount, field)
    }

    // Telling

    /// An order's price as it is shown, null for a Market order.
    fn price9(&self, order: &Order) -> i64 {
        let price = order.price * self.instruments[&order.instrument].tick_size;
        if order.market { NULL_I64 } else { wire(price) }
    }

    fn reject(
        &mut self,
        now: &Now,
        template: u16,
        cl_ord_id: u64,
        instrument: u32,
        account: u32,
        why: Refusal,
    ) {
        self.tell(now, now.origin.session.get(), |stamp| {
            rejection(&stamp, template, cl_ord_id, instrument, account, why)
        });
    }

    fn executed(&mut self, now: &Now, order: &Order, part: &Part) {
        let price = part.price * self.instruments[&part.instrument].tick_size;
        let match_id = self.match_id;
        let filled = order.leaves == 0;
        self.tell(now, order.session, |stamp| OrderExecuted {
            exec_id: stamp.exec_id.into(),
            order_id: order.order_id.into(),
            cl_ord_id: order.cl_ord_id.into(),
            ref_seq: stamp.ref_seq.into(),
            recv_time: stamp.recv_time.into(),
            match_time: stamp.match_time.into(),
            match_id: match_id.into(),
            last_px: wire(price).into(),
            last_qty: wire(part.lots).into(),
            leaves_qty: wire(order.leaves).into(),
            cum_qty: wire(order.filled()).into(),
            fee: wire(part.fee).into(),
            position: wire(part.position).into(),
            instrument_id: part.instrument.into(),
            account_id: order.account.into(),
            side: if part.buy { 1 } else { 2 },
            status: if filled { status::FILLED } else { status::PARTIALLY_FILLED },
            liquidity: part.liquidity,
            pad_a: 0,
            mmp_group: order.group.into(),
            pad_b: 0.into(),
        });
    }

    fn modified(&mut self, now: &Now, session: u64, order: &Order, cl_ord_id: u64, kept: bool) {
        let price = self.price9(order);
        self.tell(now, session, |stamp| modification(&stamp, order, price, cl_ord_id, kept));
    }

    fn canceled(&mut self, now: &Now, session: u64, order: &Order, cl_ord_id: u64, reason: u8) {
        self.tell(now, session, |stamp| OrderCanceled {
            exec_id: stamp.exec_id.into(),
            order_id: order.order_id.into(),
            cl_ord_id: cl_ord_id.into(),
            ref_seq: stamp.ref_seq.into(),
            recv_time: stamp.recv_time.into(),
            match_time: stamp.match_time.into(),
            orig_cl_ord_id: order.cl_ord_id.into(),
            canceled_qty: wire(order.leaves).into(),
            cum_qty: wire(order.filled()).into(),
            instrument_id: order.instrument.into(),
            account_id: order.account.into(),
            side: side_of(order),
            reason,
            pad_a: 0.into(),
            pad_b: 0.into(),
        });
    }

    fn tell<M: Message>(&mut self, now: &Now, session: u64, block: impl FnOnce(Stamp) -> M) {
        self.tell_as(now, session, M::TEMPLATE >= 100, block, &[]);
    }

    /// What is not kept for a resume (12.4).
    fn tell_unnumbered<M: Message>(&mut self, now: &Now, session: u64, block: impl FnOnce(Stamp) -> M) {
        self.tell_as(now, session, false, block, &[]);
    }

    /// With a group behind the block.
    fn tell_as<M: Message>(
        &mut self,
        now: &Now,
        session: u64,
        numbered: bool,
        block: impl FnOnce(Stamp) -> M,
        group: &[u8],
    ) {
        let mut server_seq = 0;
        if numbered && let Some(told) = self.sessions.get_mut(&session) {
            server_seq = told.next_server_seq;
            told.next_server_seq += 1;
            let (account, role) = (told.account, told.role);
            // 2.7.
            if matches!(role, Role::Trade | Role::CancelOnly) {
                let of_account = self.sessions.values_mut().filter(|it| it.account == account);
                of_account.filter(|it| it.role == Role::ReadOnly).for_each(|it| it.next_server_seq += 1);
            }
        }
        let sub = self.events.len() as u64 + 1;
        let answers = session == now.origin.session.get();
        let stamp = Stamp {
            exec_id: now.seq << 16 | sub,
            ref_seq: if answers { now.origin.client_seq.get() } else { 0 },
            recv_time: if answers { now.origin.received_ns.get() } else { 0 },
            match_time: now.ts_ns,
        };
        let route = Route { session: session.into(), server_seq: server_seq.into() };
        let routed = Routed { route, message: Framed::new(block(stamp)) };
        self.events.push([routed.as_bytes(), group].concat());
    }

    // Views

    fn limits(&self) -> &Limits {
        self.limits.as_ref().expect("the venue is open")
    }

    pub fn quote(&self, account: u32) -> i128 {
        self.accounts.get(&account).copied().unwrap_or(0)
    }

    pub fn accounts(&self) -> impl Iterator<Item = (u32, i128)> {
        self.accounts.iter().map(|(id, quote)| (*id, *quote))
    }

    pub fn position(&self, account: u32, instrument: u32) -> i128 {
        self.positions.get(&(account, instrument)).copied().unwrap_or(0)
    }

    /// Every entry of the position table, the flat ones too.
    pub fn positions(&self) -> impl Iterator<Item = (u32, u32, i128)> {
        self.positions.iter().map(|((account, instrument), lots)| (*account, *instrument, *lots))
    }

    /// Those that stand in a book.
    pub fn open_orders(&self) -> &[Order] {
        &self.orders
    }

    pub fn armed(&self) -> &[Order] {
        &self.armed
    }

    /// Every open order, armed ones too.
    pub fn all_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().chain(&self.armed)
    }

    pub fn instrument(&self, id: u32) -> Option<&Instrument> {
        self.instruments.get(&id)
    }

    pub fn session(&self, id: u64) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// 0 is nobody.
    pub fn owner(&self, account: u32) -> u32 {
        self.owners.get(&account).copied().unwrap_or(0)
    }

    pub fn is_blocked(&self, account: u32) -> bool {
        self.blocked.contains(&account)
    }

    pub fn is_frozen(&self, account: u32, group: u16, ts_ns: u64) -> bool {
        self.groups.get(&(account, group)).is_some_and(|group| group.is_frozen(ts_ns))
    }

    pub fn has_group(&self, account: u32, group: u16) -> bool {
        self.groups.contains_key(&(account, group))
    }

    pub fn total_deposits(&self) -> i128 {
        self.deposits
    }

    /// The best price of one side of a book, in ticks.
    pub fn best(&self, instrument: u32, buy: bool) -> Option<i128> {
        let side = self.orders.iter().filter(|order| order.instrument == instrument && order.buy == buy);
        let prices = side.map(|order| order.price);
        if buy { prices.max() } else { prices.min() }
    }

    /// Section 7, as far as a model that keeps no sums can break it.
    pub fn check(&self) {
        assert_eq!(self.accounts.values().sum::<i128>(), self.deposits, "7.1");
        for (id, instrument) in &self.instruments {
            let held = self.positions.iter().filter(|((_, held), _)| held == id);
            assert_eq!(held.map(|(_, lots)| lots).sum::<i128>(), 0, "7.2");
            if let (None, Some(bid), Some(ask), states::OPEN) =
                (self.continuation(), self.best(*id, true), self.best(*id, false), instrument.state)
            {
                assert!(bid < ask, "7.4: {bid} stands against {ask} in instrument {id}");
            }
            let ended = instrument.state == states::EXPIRED && self.continuation().is_none();
            let open = self.orders.iter().any(|order| order.instrument == *id);
            assert!(!(ended && open), "7.4: instrument {id} has expired and has orders");
        }
        self.check_reduce_only();
    }
}

/// The template that a message names, 0 when it is too short for a header.
pub fn template(message: &[u8]) -> u16 {
    if message.len() < HEADER_BYTES { 0 } else { u16::from_le_bytes([message[2], message[3]]) }
}

/// 2.6: what is wrong with the shape of a message, 0 when nothing is. A `MassQuote` that has its shape never comes here.
fn shape_fault(message: &[u8]) -> u16 {
    let known = [
        (Logon::TEMPLATE, size_of::<Logon>()),
        (NewOrder::TEMPLATE, size_of::<NewOrder>()),
        (CancelOrder::TEMPLATE, size_of::<CancelOrder>()),
        (ModifyOrder::TEMPLATE, size_of::<ModifyOrder>()),
        (MassCancel::TEMPLATE, size_of::<MassCancel>()),
        (MassQuote::TEMPLATE, usize::MAX),
        (MmpConfig::TEMPLATE, size_of::<MmpConfig>()),
        (InstrumentState::TEMPLATE, size_of::<InstrumentState>()),
        (MarkPrice::TEMPLATE, size_of::<MarkPrice>()),
        (Sensitivity::TEMPLATE, size_of::<Sensitivity>()),
        (Deposit::TEMPLATE, size_of::<Deposit>()),
        (VenueOpen::TEMPLATE, size_of::<VenueOpen>()),
        (InstrumentCreate::TEMPLATE, size_of::<InstrumentCreate>()),
        (ComboCreate::TEMPLATE, size_of::<ComboCreate>()),
        (AccountCreate::TEMPLATE, size_of::<AccountCreate>()),
        (SessionCreate::TEMPLATE, size_of::<SessionCreate>()),
        (Refused::TEMPLATE, size_of::<Refused>()),
        (Continue::TEMPLATE, size_of::<Continue>()),
        (Tick::TEMPLATE, size_of::<Tick>()),
        (VenueState::TEMPLATE, size_of::<VenueState>()),
        (NewTriggerOrder::TEMPLATE, size_of::<NewTriggerOrder>()),
        (OpenOrdersRequest::TEMPLATE, size_of::<OpenOrdersRequest>()),
        (ExecHistoryRequest::TEMPLATE, size_of::<ExecHistoryRequest>()),
        (IndexPrice::TEMPLATE, size_of::<IndexPrice>()),
    ];
    let Some((_, bytes)) = known.iter().find(|(known, _)| *known == template(message)) else {
        return Reject::UnknownTemplate.code();
    };
    let whole = split(message).is_some_and(|(_, block)| block.len() == *bytes);
    if whole { 0 } else { Reject::BadBlockLength.code() }
}

fn rejection(
    stamp: &Stamp,
    template: u16,
    cl_ord_id: u64,
    instrument: u32,
    account: u32,
    why: Refusal,
) -> OrderRejected {
    OrderRejected {
        exec_id: stamp.exec_id.into(),
        order_id: why.order_id.into(),
        cl_ord_id: cl_ord_id.into(),
        ref_seq: stamp.ref_seq.into(),
        recv_time: stamp.recv_time.into(),
        match_time: stamp.match_time.into(),
        detail: wire(why.detail).into(),
        instrument_id: instrument.into(),
        account_id: account.into(),
        code: why.code.into(),
        ref_template_id: template.into(),
        ref_field_id: why.field.into(),
        pad_a: 0.into(),
    }
}

/// 5.34.
fn modification(stamp: &Stamp, order: &Order, price: i64, cl_ord_id: u64, kept: bool) -> OrderModified {
    OrderModified {
        exec_id: stamp.exec_id.into(),
        order_id: order.order_id.into(),
        cl_ord_id: cl_ord_id.into(),
        ref_seq: stamp.ref_seq.into(),
        recv_time: stamp.recv_time.into(),
        match_time: stamp.match_time.into(),
        orig_cl_ord_id: order.cl_ord_id.into(),
        price: price.into(),
        qty: wire(order.qty).into(),
        leaves_qty: wire(order.leaves).into(),
        display_qty: order.display.map_or(NULL_I64, wire).into(),
        instrument_id: order.instrument.into(),
        account_id: order.account.into(),
        side: side_of(order),
        status: if order.filled() > 0 { status::PARTIALLY_FILLED } else { status::NEW },
        priority_kept: if kept { 1 } else { 2 },
        pad_a: 0,
        flags: 0.into(),
        pad_b: 0.into(),
    }
}

/// 3.6.
fn oracle_ticks(instrument: &Instrument, price: i64) -> Result<i128, Refusal> {
    let price = i128::from(price);
    let most = i128::from(PRICE_TICKS_MAX) * instrument.tick_size;
    demand(price > 0 && price <= most, Reject::InvalidParameter, 1)?;
    demand(price % instrument.tick_size == 0, Reject::PriceNotOnTick, 1)?;
    Ok(price / instrument.tick_size)
}

fn within_ticks(price: i64, tick_size: i64) -> bool {
    i128::from(price) <= i128::from(tick_size) << 48
}

/// `ceil(amount * ppm / 10^6)`, in two parts because the product of the largest amounts exceeds 128 bits.
fn share_up(amount: i128, ppm: i128) -> i128 {
    amount / MILLION * ppm + (amount % MILLION * ppm + MILLION - 1) / MILLION
}

fn side_of(order: &Order) -> u8 {
    if order.buy { 1 } else { 2 }
}

/// A number as the wire shows it: at its bound when it does not fit.
fn wire(number: i128) -> i64 {
    number.clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX)) as i64
}
