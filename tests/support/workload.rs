//! Seeded command streams that aim at every rule: mostly orders that a market would see, and among them every way to be
//! refused. Owns the choice of what comes next; looks at the model to aim (open orders, best prices, sequence numbers),
//! never decides what is right. `Stream` puts the commands in sequence, inserts the continuations that are due, and
//! counts in `Coverage` what the model answered.

mod answers;
mod combos;
mod features;
mod protection;
mod quotes;
mod special;
mod special_answers;
mod states;

use std::collections::BTreeMap;
use std::fmt;

use engine::command::*;
use engine::event::*;
use engine::limits::PRICE_TICKS_MAX;
use engine::message::*;
use engine::reject::Reject;
use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::model::{Instrument, Model, Order};
use crate::text::quotes_acked;

use special::{Burst, Curious};
use states::venue_state;

pub use features::Features;

/// SplitMix64: the same numbers on every machine, for ever.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Both ends included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below((most - least + 1) as u64) as i64
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// The capacities of one kind of run, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub name: &'static str,
    pub accounts: u32,
    pub sessions: u32,
    pub orders: u32,
    pub levels: u32,
    pub positions: u32,
    pub orders_per_account: u32,
    pub special_orders: u32,
    pub special_orders_per_account: u32,
    pub matches_per_command: u32,
    pub closed_ids: u32,
    pub features: Features,
}

impl Profile {
    /// Every capacity is met now and then.
    pub const STANDARD: Profile = Profile {
        name: "standard",
        accounts: 24,
        sessions: 36,
        orders: 120,
        levels: 70,
        positions: 180,
        orders_per_account: 20,
        special_orders: 40,
        special_orders_per_account: 17,
        matches_per_command: 6,
        closed_ids: 20,
        features: Features::ALL,
    };
    /// Sweeps end at the cap again and again.
    pub const CAPPED: Profile =
        Profile { name: "capped", matches_per_command: 1, levels: 200, closed_ids: 1, ..Profile::STANDARD };
    /// Hardly room to trade.
    pub const NARROW: Profile = Profile {
        name: "narrow",
        accounts: 21,
        sessions: 33,
        orders: 40,
        levels: 60,
        positions: 150,
        orders_per_account: 12,
        special_orders: 24,
        special_orders_per_account: 8,
        matches_per_command: 3,
        closed_ids: 0,
        features: Features::ALL,
    };
    /// Few prices, deep queues behind each.
    pub const FLAT: Profile =
        Profile { name: "flat", levels: 28, matches_per_command: 9, closed_ids: 300, ..Profile::STANDARD };
    /// No capacity is met: margin and matching alone decide.
    pub const ROOMY: Profile = Profile {
        name: "roomy",
        orders: 2_000,
        levels: 2_000,
        positions: 2_000,
        orders_per_account: 300,
        special_orders: 2_000,
        special_orders_per_account: 300,
        matches_per_command: 50,
        ..Profile::STANDARD
    };
    pub const ALL: [Profile; 5] =
        [Profile::STANDARD, Profile::CAPPED, Profile::NARROW, Profile::FLAT, Profile::ROOMY];
}

/// One command before it is sequenced.
#[derive(Clone, Debug)]
pub struct Step {
    pub origin: Origin,
    pub message: Vec<u8>,
}

const FIRST_MEMBER: u32 = 4;
const MEMBERS: u32 = 16;
const FEES: u32 = 2;
pub const CONNECTION: u32 = 7;
const AUCTION: u8 = 3;
const OPEN: u8 = 4;
const EXPIRED: u8 = 8;
const NO_UNDERLYING: u32 = 99;

/// One session of the genesis: id, account, role.
pub const SESSIONS: [(u64, u32, Role); 30] = [
    (100, 4, Role::Trade),
    (101, 5, Role::Trade),
    (102, 6, Role::Trade),
    (103, 7, Role::Trade),
    (104, 8, Role::Trade),
    (105, 9, Role::Trade),
    (106, 10, Role::Trade),
    (107, 11, Role::Trade),
    (108, 12, Role::Trade),
    (109, 13, Role::Trade),
    (110, 14, Role::Trade),
    (111, 15, Role::Trade),
    (112, 16, Role::Trade),
    (113, 17, Role::Trade),
    (114, 18, Role::Trade),
    (115, 19, Role::Trade),
    (116, FEES, Role::Trade),
    (200, 4, Role::Trade),
    (201, 5, Role::Trade),
    (202, 6, Role::Trade),
    (210, 4, Role::CancelOnly),
    (211, 7, Role::CancelOnly),
    (212, 8, Role::ReadOnly),
    (1, 0, Role::Admin),
    (u64::MAX, 0, Role::Admin),
    (2, 0, Role::Oracle),
    (3, 0, Role::Oracle),
    (4, 0, Role::Bridge),
    (5, 0, Role::Bridge),
    (6, 0, Role::RiskModel),
];

/// Sessions whose client ids only rise.
const RISING: [u64; 3] = [105, 201, 202];

/// One instrument of the genesis: sizes in 1e-9, mark in ticks.
struct Listing {
    tick: i64,
    lot: i64,
    contract: i64,
    mark: i64,
    qty_max: i64,
    margin: u32,
    maker: u32,
    taker: u32,
    band: u32,
    underlying: u32,
    kind: u8,
}

#[rustfmt::skip]
const LISTINGS: [Listing; 9] = [
    Listing { tick: 100_000_000, lot: 1_000_000, contract: 1_000_000_000, mark: 500_000, qty_max: 10_000, margin: 20_000, maker: 200, taker: 500, band: 200, underlying: 1, kind: 1 },
    Listing { tick: 10_000_000, lot: 10_000_000, contract: 1_000_000_000, mark: 300_000, qty_max: 10_000, margin: 50_000, maker: 0, taker: 0, band: 0, underlying: 1, kind: 1 },
    // The largest tick value: orders of a few lots reach the bound on values.
    Listing { tick: 1_000_000_000_000, lot: 1_000_000_000_000, contract: 1_000_000_000, mark: 30, qty_max: 2_147_483_647, margin: 1, maker: 100_000, taker: 0, band: 200_000, underlying: 1, kind: 2 },
    // The smallest tick value and almost no margin: positions reach their bound.
    Listing { tick: 1_000_000, lot: 1_000_000, contract: 1_000_000_000, mark: 30, qty_max: 2_147_483_647, margin: 1, maker: 0, taker: 1, band: 1_000_000, underlying: 2, kind: 1 },
    // Prices at their bound, margin in full.
    Listing { tick: 1, lot: 1_000_000_000_000, contract: 1_000_000_000, mark: PRICE_TICKS_MAX - 8, qty_max: 30, margin: 1_000_000, maker: 99_999, taker: 100_000, band: 1, underlying: 2, kind: 2 },
    // Nothing here divides anything.
    Listing { tick: 300_000_000, lot: 7_000_000, contract: 1_000_000_000, mark: 7_777, qty_max: 2_001, margin: 333_333, maker: 1, taker: 99_999, band: 1_000, underlying: 2, kind: 1 },
    Listing { tick: 500_000_000, lot: 1_000_000_000, contract: 100_000_000, mark: 25, qty_max: 100_000, margin: 100_000, maker: 150, taker: 450, band: 0, underlying: 0, kind: 2 },
    Listing { tick: 50_000_000, lot: 20_000_000, contract: 1_000_000_000, mark: 60_000, qty_max: 5_000, margin: 10_000, maker: 250, taker: 250, band: 50, underlying: 0, kind: 1 },
    // Three ticks more are a price that nothing can show.
    Listing { tick: 1_000_000, lot: 1_000_000, contract: 1_000_000_000, mark: 9_223_372_036_851, qty_max: 1_200, margin: 100_000, maker: 10, taker: 20, band: 1_000_000, underlying: 2, kind: 1 },
];

/// What combos have for legs beside the first instruments: ids from 11 on.
#[rustfmt::skip]
const LEGS: [Listing; 5] = [
    Listing { mark: 500_000, qty_max: 10_000, margin: 30_000, maker: 100, taker: 700, underlying: 1, ..LISTINGS[0] },
    Listing { mark: 499_990, qty_max: 10_000, margin: 10_000, maker: 0, taker: 300, band: 0, underlying: 1, ..LISTINGS[0] },
    Listing { mark: 3, qty_max: 10_000, margin: 900_000, maker: 90_000, taker: 0, band: 1_000_000, underlying: 2, ..LISTINGS[0] },
    Listing { mark: 29, margin: 1, ..LISTINGS[3] },
    Listing { mark: 31, taker: 1, ..LISTINGS[2] },
];
const FIRST_LEG: u32 = 11;
/// Combos have these ids, and one that is tried again and again has the last.
const COMBOS: [u32; 6] = [21, 22, 23, 24, 25, 26];
const ODD_COMBO: u32 = 28;
/// What expired comes again under the next id of its line: so many ids on.
const FIRST_REBORN: u32 = 31;
const GENERATIONS: u32 = 5;
const INSTRUMENTS: u32 = FIRST_REBORN - 1 + GENERATIONS * LISTINGS.len() as u32;
/// Ids under which nothing is listed, and at first nothing under 10.
const ODD_INSTRUMENTS: [u32; 5] = [0, 9, 10, INSTRUMENTS + 1, u32::MAX];

/// What instrument `id` was listed as.
fn listed(id: u32) -> &'static Listing {
    match id {
        1..=9 => &LISTINGS[id as usize - 1],
        FIRST_LEG..=15 => &LEGS[(id - FIRST_LEG) as usize],
        FIRST_REBORN.. => &LISTINGS[(id - FIRST_REBORN) as usize % LISTINGS.len()],
        _ => &LISTINGS[0],
    }
}

/// What a stream comes to by itself.
const NEAR_NS: u64 = 1_000_000;
/// Many orders end at the multiples of this.
const TOGETHER_NS: u64 = 8_000_000;

/// The generator of one stream.
pub struct Workload {
    draw: Draw,
    profile: Profile,
    genesis: Vec<Step>,
    cl_ord_id: u64,
    short: Option<Short>,
    burst: Option<Burst>,
    curious: Option<Curious>,
    /// Accounts and client ids of the last orders that were accepted.
    ids: Vec<(u32, u64)>,
}

/// What was refused for its margin: a deposit of what is missing, or of one less, and it comes again.
struct Short {
    session: u64,
    account: u32,
    message: Vec<u8>,
    missing: i64,
}

impl Workload {
    pub fn new(seed: u64, profile: Profile) -> Workload {
        let mut genesis = genesis(&profile);
        genesis.reverse();
        Workload {
            draw: Draw::new(seed),
            profile,
            genesis,
            cl_ord_id: 0,
            short: None,
            burst: None,
            curious: None,
            ids: Vec::new(),
        }
    }

    /// What comes next, for a command that will be stamped `ts_ns`.
    pub fn next(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut step = self.draw_step(model, ts_ns);
        self.profile.features.tame(&mut step.message);
        step
    }

    fn draw_step(&mut self, model: &Model, ts_ns: u64) -> Step {
        if let Some(step) = self.genesis.pop() {
            return step;
        }
        if let Some(short) = self.short.take() {
            return self.at_the_edge(model, ts_ns, short);
        }
        if self.draw.one_in(12)
            && let Some(step) = self.thaw(model, ts_ns)
        {
            return step;
        }
        if self.draw.one_in(4)
            && let Some(step) = self.featured(model, ts_ns)
        {
            return step;
        }
        if self.draw.one_in(2)
            && let Some(step) = self.next_of_curious(model, ts_ns)
        {
            return step;
        }
        if self.draw.one_in(2)
            && let Some(step) = self.next_of_burst(model, ts_ns)
        {
            return step;
        }
        if self.draw.one_in(6) {
            return self.special_step(model, ts_ns);
        }
        match self.draw.below(1000) {
            0..340 => self.near_order(model, ts_ns),
            340..380 => self.far_order(model, ts_ns),
            380..405 => self.sweep(model, ts_ns),
            405..520 => self.special_order(model, ts_ns),
            520..600 => self.cancel(model, ts_ns),
            600..630 => self.bad_cancel(model, ts_ns),
            630..740 => self.amend(model, ts_ns),
            740..775 => self.bad_amend(model, ts_ns),
            775..785 => self.mass_cancel(model, ts_ns),
            785..795 => self.bad_mass_cancel(model, ts_ns),
            795..870 => self.bad_order(model, ts_ns),
            870..895 => self.mark(model, ts_ns),
            895..910 => self.deposit(model, ts_ns),
            910..925 => self.logon(model, ts_ns),
            925..935 => self.refused(model, ts_ns),
            935..955 => self.bad_shape(model, ts_ns),
            955..975 => self.administration(model, ts_ns),
            975..988 => self.state(model, ts_ns),
            988..991 => self.stand_still(),
            _ => self.venue_says(model, ts_ns),
        }
    }

    /// One of the features, unless it is switched off.
    fn featured(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let has = self.profile.features;
        match self.draw.below(100) {
            0..40 if has.quotes => Some(self.mass_quote(model, ts_ns)),
            40..46 if has.quotes => Some(self.bad_mass_quote(model, ts_ns)),
            46..53 if has.mmp => Some(self.mmp_config(model, ts_ns)),
            53..55 if has.mmp => Some(self.bad_mmp_config(model, ts_ns)),
            55..58 if has.mmp => Some(self.sensitivity(model, ts_ns)),
            58..62 if has.states => Some(self.state(model, ts_ns)),
            62..66 if has.auctions => Some(self.auction(model, ts_ns)),
            66..78 if has.auctions => self.auction_order(model, ts_ns),
            78..80 if has.combos => Some(self.combo_create(model, ts_ns)),
            80..100 if has.combos => Some(self.combo_order(model, ts_ns)),
            _ => None,
        }
    }

    /// Unblocks an account or opens an instrument, so that the flow goes on.
    fn thaw(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        if model.stands_still() {
            return Some(venue_state(OPEN, 0));
        }
        let blocked: Vec<&(u64, u32, Role)> =
            SESSIONS[..20].iter().filter(|session| model.is_blocked(session.1)).collect();
        if !blocked.is_empty() {
            let session = self.draw.of(&blocked);
            let mut it = MassCancel::new_zeroed();
            (it.account_id, it.underlying_id) = (session.1.into(), NO_UNDERLYING.into());
            (it.scope, it.side, it.block_new) = (4, 3, 2);
            return Some(self.send(model, ts_ns, session.0, it));
        }
        if let Some(step) = self.reset_frozen(model, ts_ns) {
            return Some(step);
        }
        if let Some(step) = self.reborn(model, ts_ns) {
            return Some(step);
        }
        if self.profile.features.states && self.draw.one_in(2) {
            return None;
        }
        let auctions = self.draw.one_in(6);
        let closed = |id: &u32| {
            let state = model.instrument(*id).map_or(EXPIRED, |it| it.state);
            state != OPEN && state != EXPIRED && (state != AUCTION || auctions)
        };
        let closed: Vec<u32> = (1..=INSTRUMENTS).filter(closed).collect();
        if closed.is_empty() {
            return None;
        }
        let mut it = InstrumentState::new_zeroed();
        (it.instrument_id, it.state) = (self.draw.of(&closed).into(), OPEN);
        Some(self.privileged(model, ts_ns, Role::Admin, it))
    }

    /// Remembers what the answer to `step` asks for.
    pub fn hear(&mut self, step: &Step, events: &[Vec<u8>]) {
        self.remember(step, events);
        self.calm(events);
        let answer = events.last().and_then(|event| block::<OrderRejected>(&event[ROUTE_BYTES..]));
        let Some(answer) = answer else { return };
        let hurried = block::<NewOrder>(&step.message).is_some_and(|it| it.max_delay_us.get() != 0)
            || block::<ModifyOrder>(&step.message).is_some_and(|it| it.max_delay_us.get() != 0);
        if answer.code.get() == Reject::InsufficientMargin.code() && !hurried && self.draw.one_in(3) {
            self.short = Some(Short {
                session: step.origin.session.get(),
                account: answer.account_id.get(),
                message: step.message.clone(),
                missing: answer.detail.get(),
            });
        }
    }

    fn at_the_edge(&mut self, model: &Model, ts_ns: u64, short: Short) -> Step {
        if short.missing == 0 {
            return self.send_bytes(model, ts_ns, short.session, short.message);
        }
        let mut deposit = Deposit::new_zeroed();
        deposit.account_id = short.account.into();
        deposit.amount = (short.missing - self.draw.between(0, 1)).into();
        self.short = Some(Short { missing: 0, ..short });
        Step { origin: Origin::venue(), message: bytes(deposit) }
    }

    // Orders

    fn near_order(&mut self, model: &Model, ts_ns: u64) -> Step {
        let order = self.order(model, ts_ns, 4);
        self.send_order(model, ts_ns, order)
    }

    fn far_order(&mut self, model: &Model, ts_ns: u64) -> Step {
        let reach = self.draw.of(&[20, 300, 100_000, PRICE_TICKS_MAX]);
        let order = self.order(model, ts_ns, reach);
        self.send_order(model, ts_ns, order)
    }

    /// A large order through much of the other side.
    fn sweep(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut order = self.order(model, ts_ns, 3);
        let id = order.instrument_id.get();
        let Some(instrument) = model.instrument(id) else { return self.near_order(model, ts_ns) };
        let buy = order.side == 1;
        let away = instrument.mark + if buy { 12 } else { -12 };
        order.price = price9(instrument, away).into();
        let waiting = model.open_orders().iter().filter(|open| open.instrument == id && (open.buy != buy));
        let lots: i128 = waiting.map(|open| open.leaves).sum();
        let qty = (lots / i128::from(self.draw.between(1, 3))).clamp(1, instrument.qty_max);
        order.qty = (qty as i64).into();
        (order.tif, order.expire_time) = (self.draw.of(&[2, 3]), NULL_U64.into());
        order.display_qty = NULL_I64.into();
        self.send_order(model, ts_ns, order)
    }

    /// Market, market-to-limit, fill-or-kill, post-only and slide, now and then with an own order in the way.
    fn special_order(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut order = self.order(model, ts_ns, 3);
        let (id, buy) = (order.instrument_id.get(), order.side == 1);
        (order.expire_time, order.display_qty) = (NULL_U64.into(), NULL_I64.into());
        (order.flags, order.mmp_group) = (0.into(), 0.into());
        match self.draw.below(10) {
            0..3 => {
                (order.ord_type, order.tif) = (2, self.draw.of(&[3, 3, 4]));
                order.price = NULL_I64.into();
            }
            3..5 => {
                (order.ord_type, order.tif) = (3, 2);
                order.price = NULL_I64.into();
                if self.draw.one_in(4) {
                    (order.tif, order.expire_time) = self.end(ts_ns);
                }
            }
            5..7 => order.tif = 4,
            _ => {
                order.tif = 2;
                order.flags = self.draw.of(&[1, 2, 2]).into();
                self.join_group(&mut order);
            }
        }
        if order.ord_type == 1 && self.draw.one_in(2) {
            order.price = self.price_at_the_touch(model, id, buy).unwrap_or(order.price.get()).into();
        }
        let ahead =
            |it: &Order| it.instrument == id && it.buy != buy && model.best(id, !buy) == Some(it.price);
        if self.draw.one_in(2)
            && let Some(owner) = self.pick_order(model, ahead)
        {
            order.account_id = owner.account.into();
            order.stp_mode = self.draw.of(&[2, 3, 4, 5]);
            return self.send(model, ts_ns, owner.session, order);
        }
        self.send_order(model, ts_ns, order)
    }

    /// A price at the best of the other side, or a little beside it.
    fn price_at_the_touch(&mut self, model: &Model, id: u32, buy: bool) -> Option<i64> {
        let best = model.best(id, !buy)? + i128::from(self.draw.between(-1, 1));
        Some(price9(model.instrument(id)?, best))
    }

    fn order(&mut self, model: &Model, ts_ns: u64, reach: i64) -> NewOrder {
        // Half of all goes into two books, which grow deep enough for a sweep.
        let anywhere = self.draw.between(1, LISTINGS.len() as i64) as u32;
        let line = self.draw.of(&[1, 2, anywhere, anywhere]);
        let id = if self.draw.one_in(12) { self.any_instrument(model) } else { self.latest(model, line) };
        self.order_in(model, ts_ns, id, reach)
    }

    fn order_in(&mut self, model: &Model, ts_ns: u64, id: u32, reach: i64) -> NewOrder {
        let mut order = NewOrder::new_zeroed();
        let away = i128::from(self.draw.between(-reach, reach));
        let price = model.instrument(id).map_or(1, |it| price9(it, it.mark + away));
        self.cl_ord_id += 1;
        order.cl_ord_id = self.cl_ord_id.into();
        order.price = price.into();
        order.qty = self.quantity(id).into();
        order.display_qty = NULL_I64.into();
        order.expire_time = NULL_U64.into();
        order.instrument_id = id.into();
        order.side = self.draw.of(&[1, 2]);
        order.ord_type = 1;
        order.tif = self.draw.of(&[2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 4]);
        order.stp_mode = self.draw.of(&[1, 1, 1, 2, 3, 4, 5]);
        order.stp_group = self.draw.of(&[0, 0, 0, 7, 8]).into();
        if order.tif == 2 && self.draw.one_in(5) {
            (order.tif, order.expire_time) = self.end(ts_ns);
        }
        if !matches!(order.tif, 3 | 4) && self.draw.one_in(6) {
            order.display_qty = self.display(order.qty.get());
        }
        if self.draw.one_in(20) {
            order.flags = 4.into();
        }
        self.join_group(&mut order);
        order
    }

    /// A time in force that ends by itself, and when.
    fn end(&mut self, ts_ns: u64) -> (u8, U64) {
        let soon = self.draw.below(100_000);
        let delay = self.draw.of(&[1, 2, soon, soon, 1_000_000, 4_000_000, 4_000_000, 90_000_000, 1 << 60]);
        match self.draw.below(8) {
            0..2 => (1, NULL_U64.into()),
            // Many at one moment.
            2..5 => (5, (together(ts_ns)).into()),
            5 if self.draw.one_in(10) => (5, ((1 << 63) - 1).into()),
            _ => (5, (ts_ns + delay).into()),
        }
    }

    /// The instrument that stands for one of the first nine now.
    fn latest(&self, model: &Model, line: u32) -> u32 {
        let later = (0..GENERATIONS).map(|count| FIRST_REBORN + line - 1 + count * LISTINGS.len() as u32);
        later.take_while(|id| model.instrument(*id).is_some()).last().unwrap_or(line)
    }

    /// Any instrument at all, combos and expired ones too.
    fn any_instrument(&mut self, model: &Model) -> u32 {
        let known = self.instruments_in(model, |_| true);
        self.draw.of(&known)
    }

    fn instruments_in(&self, model: &Model, wanted: impl Fn(&Instrument) -> bool) -> Vec<u32> {
        (1..=INSTRUMENTS).filter(|id| model.instrument(*id).is_some_and(&wanted)).collect()
    }

    fn quantity(&mut self, instrument: u32) -> i64 {
        match instrument {
            3 | 15 | 26 => self.draw.of(&[1, 2, 5, 100, 300, 400]),
            4 | 14 | 25 => self.draw.of(&[1, 7, 1_000, 1_000_000_000, 2_147_483_647]),
            5 => self.draw.between(1, 3),
            _ => self.draw.of(&[1, 2, 3, 5, 10, 20, 50, 400]),
        }
    }

    fn send_order(&mut self, model: &Model, ts_ns: u64, mut order: NewOrder) -> Step {
        let busy = self.draw.one_in(3);
        let mut session = if busy { SESSIONS[1] } else { self.draw.of(&SESSIONS[..20]) };
        // One lucky trade where a tick is a fortune, and an account would never be short again.
        if is_poor(session.1) && is_dear(order.instrument_id.get()) {
            session = SESSIONS[1];
        }
        if is_poor(session.1) && self.draw.one_in(4) {
            let most = listed(order.instrument_id.get()).qty_max;
            order.qty = self.draw.between(1, most).into();
        }
        order.account_id = session.1.into();
        if order.mmp_group.get() != 0 {
            let group = self.group_of(model, session.1);
            order.mmp_group = if group == 0 { self.draw.of(&[1, 9]) } else { group }.into();
        }
        let mut step = self.send(model, ts_ns, session.0, order);
        if self.draw.one_in(12) {
            self.hurry(ts_ns, &mut step, order);
        }
        step
    }

    /// The same order with a limit on its delay, met or not.
    fn hurry(&mut self, ts_ns: u64, step: &mut Step, mut order: NewOrder) {
        let limit_us = self.draw.of(&[1, 5, 1_000, u32::MAX]);
        order.max_delay_us = limit_us.into();
        step.origin.sent_ns = self.sent_ns(ts_ns, limit_us).into();
        step.message = bytes(order);
    }

    /// In time, at the edges of it, and far off.
    fn sent_ns(&mut self, ts_ns: u64, limit_us: u32) -> u64 {
        let edge = ts_ns.saturating_sub(1000 * u64::from(limit_us));
        let ahead = ts_ns + 1_000_000_000;
        self.draw.of(&[edge, edge - 1, edge + 1, ts_ns, ahead, ahead + 1, 0, u64::MAX, ts_ns - 10_000])
    }

    fn bad_order(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut order = self.order(model, ts_ns, 4);
        let mut session = self.draw.of(&SESSIONS[..20]);
        order.account_id = session.1.into();
        let spoiled = 1 + self.draw.one_in(8) as u32;
        for _ in 0..spoiled {
            match self.draw.below(20) {
                0 => session = self.draw.of(&SESSIONS),
                1 => order.account_id = self.draw.of(&[0, 1, 3, 5, 6, 30, 99, u32::MAX]).into(),
                2 => order.instrument_id = self.draw.of(&ODD_INSTRUMENTS).into(),
                3 => order.side = self.draw.of(&[0, 3, 255]),
                4 => order.ord_type = self.draw.of(&[0, 2, 3, 4, 5, 255]),
                5 => order.tif = self.draw.of(&[0, 1, 3, 4, 5, 6, 7, 255]),
                6 => order.cl_ord_id = 0.into(),
                7 => (order.ord_type, order.price) = (self.draw.of(&[2, 3]), NULL_I64.into()),
                8 => order.stp_mode = self.draw.of(&[0, 6, 255]),
                9 => order.flags = self.draw.of(&[1, 2, 3, 4, 5, 6, 7, 0x80, 0x8000]).into(),
                10 => order.mmp_group = self.draw.of(&[1, u16::MAX]).into(),
                11 => order.price = NULL_I64.into(),
                12 => order.price = self.odd_price(order.price.get()).into(),
                13 => order.qty = self.draw.of(&[0, -1, -5, i64::MIN, i64::MIN + 1]).into(),
                14 => order.qty = self.odd_quantity(order.instrument_id.get()).into(),
                15 => {
                    let qty = order.qty.get();
                    order.display_qty =
                        self.draw.of(&[0, 1, -1, qty, qty.wrapping_add(1), i64::MAX, i64::MIN + 1]).into();
                }
                16 => {
                    order.tif = self.draw.of(&[1, 2, 3, 5, 5, 5]);
                    let times = [0, 1, ts_ns, ts_ns - 1, ts_ns + 1, 1 << 63, u64::MAX - 1, NULL_U64];
                    order.expire_time = self.draw.of(&times).into();
                }
                _ => order.cl_ord_id = self.used_cl_ord_id(model, session.1).into(),
            }
        }
        self.send(model, ts_ns, session.0, order)
    }

    fn odd_price(&mut self, price: i64) -> i64 {
        self.draw.of(&[
            0,
            price.wrapping_neg(),
            price.wrapping_add(1),
            price.wrapping_sub(1),
            i64::MAX,
            i64::MIN + 1,
            PRICE_TICKS_MAX,
            PRICE_TICKS_MAX + 1,
            1,
        ])
    }

    fn odd_quantity(&mut self, instrument: u32) -> i64 {
        let most = (1..).zip(&LISTINGS).find(|(id, _)| *id == instrument).map_or(1, |(_, it)| it.qty_max);
        self.draw.of(&[most, most + 1, 2_147_483_648, i64::MAX])
    }

    /// A client id that the account has open, or had.
    fn used_cl_ord_id(&mut self, model: &Model, account: u32) -> u64 {
        if self.draw.one_in(2)
            && let Some(id) = self.remembered(account)
        {
            return id;
        }
        let own = self.pick_order(model, |order| order.account == account);
        own.map_or(1, |order| order.cl_ord_id)
    }

    // Cancels

    fn pick_order(&mut self, model: &Model, wanted: impl Fn(&Order) -> bool) -> Option<Order> {
        self.pick(model.open_orders().iter(), wanted)
    }

    /// One that is armed, too.
    fn pick_open(&mut self, model: &Model, wanted: impl Fn(&Order) -> bool) -> Option<Order> {
        self.pick(model.open_orders().iter().chain(model.armed()), wanted)
    }

    fn pick<'a>(
        &mut self,
        orders: impl Iterator<Item = &'a Order>,
        wanted: impl Fn(&Order) -> bool,
    ) -> Option<Order> {
        let found: Vec<&Order> = orders.filter(|order| wanted(order)).collect();
        if found.is_empty() { None } else { Some(*self.draw.of(&found)) }
    }

    fn cancel(&mut self, model: &Model, ts_ns: u64) -> Step {
        let Some(order) = self.pick_open(model, |_| true) else { return self.near_order(model, ts_ns) };
        let owners: Vec<u64> =
            SESSIONS.iter().filter(|session| session.1 == order.account).map(|session| session.0).collect();
        let session = self.draw.of(&owners);
        let mut cancel = self.naming(&order);
        if self.draw.one_in(2) {
            cancel.instrument_id = order.instrument.into();
        }
        self.send(model, ts_ns, session, cancel)
    }

    fn naming(&mut self, order: &Order) -> CancelOrder {
        let mut cancel = CancelOrder::new_zeroed();
        self.cl_ord_id += self.draw.below(2);
        cancel.cl_ord_id = self.cl_ord_id.into();
        cancel.account_id = order.account.into();
        if self.draw.one_in(2) {
            cancel.order_id = order.order_id.into();
        } else {
            cancel.orig_cl_ord_id = order.cl_ord_id.into();
        }
        cancel
    }

    fn bad_cancel(&mut self, model: &Model, ts_ns: u64) -> Step {
        let Some(order) = self.pick_open(model, |_| true) else { return self.near_order(model, ts_ns) };
        let mut cancel = self.naming(&order);
        let owner =
            SESSIONS.iter().find(|session| session.1 == order.account).map_or(100, |session| session.0);
        let mut session = owner;
        match self.draw.below(8) {
            // Right name, wrong account, role or both.
            0 => session = self.draw.of(&SESSIONS).0,
            1 => {
                let other = self.draw.of(&SESSIONS[..20]);
                (session, cancel.account_id) = (other.0, other.1.into());
            }
            2 => cancel.account_id = self.draw.of(&[0, 1, 30, u32::MAX]).into(),
            3 => (cancel.orig_cl_ord_id, cancel.order_id) = (order.cl_ord_id.into(), order.order_id.into()),
            4 => (cancel.orig_cl_ord_id, cancel.order_id) = (0.into(), 0.into()),
            5 => cancel.instrument_id = (order.instrument + 1).into(),
            // The same slot under another serial, and an order of long ago.
            6 => {
                let other = order.order_id ^ (1 << self.draw.below(64));
                (cancel.orig_cl_ord_id, cancel.order_id) = (0.into(), other.into());
            }
            _ => {
                let ago = self.draw.between(1, 400) as u64;
                (cancel.orig_cl_ord_id, cancel.order_id) =
                    (self.cl_ord_id.saturating_sub(ago).max(1).into(), 0.into());
            }
        }
        self.send(model, ts_ns, session, cancel)
    }

    // Amends

    fn amend(&mut self, model: &Model, ts_ns: u64) -> Step {
        let (partly, poor, best) = (self.draw.one_in(3), self.draw.one_in(4), self.draw.one_in(4));
        let wanted = |order: &Order| {
            let trades = SESSIONS[..20].iter().any(|session| session.1 == order.account);
            trades
                && (!partly || order.filled() > 0)
                && (!poor || is_poor(order.account))
                && (!best || model.best(order.instrument, order.buy) == Some(order.price))
        };
        let Some(order) = self.pick_order(model, wanted) else { return self.near_order(model, ts_ns) };
        let it = self.amend_of(model, &order);
        let session = self.a_session_of(order.account);
        let mut step = self.send(model, ts_ns, session, it);
        if self.draw.one_in(12) {
            let limit_us = self.draw.of(&[1, 5, 1_000, u32::MAX]);
            step.origin.sent_ns = self.sent_ns(ts_ns, limit_us).into();
            step.message = bytes(ModifyOrder { max_delay_us: limit_us.into(), ..it });
        }
        step
    }

    fn a_session_of(&mut self, account: u32) -> u64 {
        let trades = SESSIONS[..20].iter().filter(|session| session.1 == account);
        let trades: Vec<u64> = trades.map(|session| session.0).collect();
        self.draw.of(&trades)
    }

    /// Half of what is asked is what people ask; the other half aims at the clauses.
    fn amend_of(&mut self, model: &Model, order: &Order) -> ModifyOrder {
        let named = self.naming(order);
        let mut it = ModifyOrder::new_zeroed();
        it.cl_ord_id = named.cl_ord_id;
        (it.orig_cl_ord_id, it.order_id) = (named.orig_cl_ord_id, named.order_id);
        (it.account_id, it.display_qty) = (named.account_id, NULL_I64.into());
        it.instrument_id = self.draw.of(&[0, order.instrument]).into();
        it.flags = self.draw.of(&[0, 0, 0, 1, 2, 2]).into();
        let instrument = model.instrument(order.instrument).expect("it has orders");
        let near = instrument.mark + i128::from(self.draw.between(-4, 4));
        let far = self.draw.of(&[-300, 300, -100_000, 100_000]) + instrument.mark;
        let beside = order.price + i128::from(self.draw.between(-1, 1));
        let price9 = |ticks: i128| price9(instrument, ticks);
        let touch = self.price_at_the_touch(model, order.instrument, order.buy).unwrap_or(NULL_I64);
        it.price = self
            .draw
            .of(&[
                NULL_I64,
                NULL_I64,
                price9(order.price),
                price9(beside),
                price9(near),
                touch,
                touch,
                price9(far),
            ])
            .into();
        let (total, filled) = (order.qty as i64, order.filled() as i64);
        let more = self.quantity(order.instrument);
        let less = self.draw.between(filled, total).max(1);
        let most = listed(order.instrument).qty_max;
        it.qty = self
            .draw
            .of(&[
                NULL_I64,
                NULL_I64,
                total,
                less,
                less,
                total + 1,
                total + more,
                more,
                filled.max(1),
                filled + 1,
                most,
            ])
            .into();
        it.display_qty = NULL_I64.into();
        if self.draw.one_in(3) {
            let old = order.display.unwrap_or(order.qty) as i64;
            let new = if it.qty.get() == NULL_I64 { total } else { it.qty.get() };
            it.display_qty =
                self.draw.of(&[1, old, old - 1, old + 1, new, new / 2 + 1, new.saturating_add(1)]).into();
        }
        it
    }

    fn bad_amend(&mut self, model: &Model, ts_ns: u64) -> Step {
        let Some(order) = self.pick_open(model, |order| order.account != FEES) else {
            return self.near_order(model, ts_ns);
        };
        let mut it = self.amend_of(model, &order);
        let mut session = self.a_session_of(order.account);
        for _ in 0..1 + self.draw.one_in(8) as u32 {
            match self.draw.below(13) {
                0 => session = self.draw.of(&SESSIONS).0,
                1 => {
                    let other = self.draw.of(&SESSIONS[..20]);
                    (session, it.account_id) = (other.0, other.1.into());
                }
                2 => it.account_id = self.draw.of(&[0, 1, 30, u32::MAX]).into(),
                3 => (it.orig_cl_ord_id, it.order_id) = (order.cl_ord_id.into(), order.order_id.into()),
                4 => (it.orig_cl_ord_id, it.order_id) = (0.into(), 0.into()),
                5 => it.instrument_id = (order.instrument + 1).into(),
                6 => {
                    let other = order.order_id ^ (1 << self.draw.below(64));
                    (it.orig_cl_ord_id, it.order_id) = (0.into(), other.into());
                }
                7 => {
                    let ago = self.draw.between(1, 400) as u64;
                    it.orig_cl_ord_id = self.cl_ord_id.saturating_sub(ago).max(1).into();
                    it.order_id = 0.into();
                }
                8 => it.flags = self.draw.of(&[3, 4, 7, 0x80, 0x8000]).into(),
                9 => it.display_qty = self.draw.of(&[0, 1, -1, i64::MAX]).into(),
                10 => it.price = self.odd_price(1_000_000_000).into(),
                11 => it.qty = self.draw.of(&[0, -1, -5, i64::MIN + 1]).into(),
                _ => it.qty = self.odd_quantity(order.instrument).into(),
            }
        }
        self.send(model, ts_ns, session, it)
    }

    // Mass cancels

    fn mass_cancel(&mut self, model: &Model, ts_ns: u64) -> Step {
        let Some(order) = self.pick_open(model, |_| true) else { return self.near_order(model, ts_ns) };
        let owners = SESSIONS.iter().filter(|session| session.1 == order.account);
        let owners: Vec<u64> =
            owners.filter(|it| matches!(it.2, Role::Trade | Role::CancelOnly)).map(|it| it.0).collect();
        let session = self.draw.of(&owners);
        let it = self.mass_cancel_of(&order);
        self.send(model, ts_ns, session, it)
    }

    fn mass_cancel_of(&mut self, order: &Order) -> MassCancel {
        let mut it = MassCancel::new_zeroed();
        self.cl_ord_id += 1;
        it.cl_ord_id = self.cl_ord_id.into();
        it.account_id = order.account.into();
        it.instrument_id = order.instrument.into();
        it.underlying_id = listed(order.instrument).underlying.into();
        it.mmp_group = self.draw.of(&[0, 0, 5]).into();
        it.scope = self.draw.of(&[1, 2, 3, 4, 5, 5]);
        it.kind =
            self.draw.of(&[listed(order.instrument).kind, listed(order.instrument).kind, 0, 1, 2, 5, 255]);
        if it.scope == 5 && self.draw.one_in(3) {
            it.underlying_id = self.draw.of(&[0, 0, 1, 2, 99]).into();
        }
        if self.profile.features.scopes && self.profile.features.mmp && self.draw.one_in(4) {
            (it.scope, it.mmp_group) = (6, self.draw.of(&[order.group, order.group, 1, 9]).into());
        }
        it.side = self.draw.of(&[1, 2, 3, 3]);
        it.block_new = self.draw.of(&[0, 0, 0, 1, 1, 2]);
        it
    }

    fn bad_mass_cancel(&mut self, model: &Model, ts_ns: u64) -> Step {
        let Some(order) = self.pick_open(model, |_| true) else { return self.near_order(model, ts_ns) };
        let owner = SESSIONS.iter().find(|session| session.1 == order.account);
        let mut session = owner.map_or(100, |session| session.0);
        let mut it = self.mass_cancel_of(&order);
        for _ in 0..1 + self.draw.one_in(6) as u32 {
            match self.draw.below(6) {
                0 => session = self.draw.of(&SESSIONS).0,
                1 => it.account_id = self.draw.of(&[0, 1, 4, 5, 30, u32::MAX]).into(),
                2 => it.scope = self.draw.of(&[0, 7, 255]),
                3 => it.side = self.draw.of(&[0, 4, 255]),
                4 => it.block_new = self.draw.of(&[3, 255]),
                _ => it.instrument_id = self.draw.of(&ODD_INSTRUMENTS).into(),
            }
        }
        self.send(model, ts_ns, session, it)
    }

    // Privileged commands

    fn state(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut it = InstrumentState::new_zeroed();
        let closed: Vec<u32> = self.instruments_in(model, |it| it.state != OPEN && it.state != EXPIRED);
        let again = !closed.is_empty() && self.draw.one_in(2);
        let anywhere = self.any_instrument(model);
        it.instrument_id = if again { self.draw.of(&closed) } else { anywhere }.into();
        it.state = self.draw.of(&[4, 5, 6]);
        if self.profile.features.states {
            let last = if self.may_end(model, it.instrument_id.get()) { EXPIRED } else { 7 };
            let first = if again { last } else { OPEN };
            it.state = self.draw.of(&[first, 5, 6, 7, last]);
        }
        if self.profile.features.auctions && self.draw.one_in(4) {
            it.state = AUCTION;
        }
        match self.draw.below(6) {
            0 => it.instrument_id = self.draw.of(&ODD_INSTRUMENTS).into(),
            1 => it.state = self.draw.of(&[0, 1, 2, 9, 255]),
            _ => {}
        }
        self.privileged(model, ts_ns, Role::Admin, it)
    }

    fn privileged<M: Message>(&mut self, model: &Model, ts_ns: u64, role: Role, command: M) -> Step {
        if self.draw.one_in(10) {
            return Step { origin: Origin::venue(), message: bytes(command) };
        }
        let wrong = self.draw.one_in(8);
        let able: Vec<u64> =
            SESSIONS.iter().filter(|session| wrong || session.2 == role).map(|session| session.0).collect();
        let session = self.draw.of(&able);
        self.send(model, ts_ns, session, command)
    }

    fn mark(&mut self, model: &Model, ts_ns: u64) -> Step {
        let (instrument_id, price) = self.oracle_price(model);
        let it = MarkPrice { price, instrument_id, pad_a: 0.into() };
        self.privileged(model, ts_ns, Role::Oracle, it)
    }

    /// What an oracle says, wrong now and then.
    fn oracle_price(&mut self, model: &Model) -> (U32, I64) {
        let line = self.draw.between(1, LISTINGS.len() as i64) as u32;
        let id = if self.draw.one_in(3) { self.any_instrument(model) } else { self.latest(model, line) };
        let listing = listed(id);
        let now = model.instrument(id).map_or(1, |instrument: &Instrument| instrument.mark) as i64;
        // A walk that is pulled home, so that prices stay where orders are.
        let home = if self.draw.one_in(4) { listing.mark } else { now };
        let ticks = (home + self.draw.between(-3, 3)).clamp(1, PRICE_TICKS_MAX);
        let price = ticks.saturating_mul(listing.tick);
        let (mut id, mut told) = (id, price);
        if self.draw.one_in(2)
            && let Some((instrument, price)) = self.price_that_fires(model)
        {
            (id, told) = (instrument, price);
        }
        match self.draw.below(12) {
            0 => id = self.draw.of(&ODD_INSTRUMENTS),
            1 => told = self.draw.of(&[0, -1, i64::MIN, i64::MAX, PRICE_TICKS_MAX + 1]),
            2 => told -= 1,
            _ => {}
        }
        (id.into(), told.into())
    }

    fn deposit(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut deposit = Deposit::new_zeroed();
        deposit.reference = self.draw.bits().into();
        deposit.account_id = (self.draw.between(1, i64::from(FIRST_MEMBER + MEMBERS)) as u32).into();
        let most = 1_000_000_000_000_000_000;
        let small = self.draw.between(1, 3_000_000_000);
        deposit.amount =
            self.draw.of(&[small, small, small, small, 1, most, most + 1, 0, -1, i64::MIN]).into();
        if self.draw.one_in(12) {
            deposit.account_id = self.draw.of(&[0, 25, 99, u32::MAX]).into();
        }
        self.privileged(model, ts_ns, Role::Bridge, deposit)
    }

    fn administration(&mut self, model: &Model, ts_ns: u64) -> Step {
        match self.draw.below(5) {
            0 => {
                let mut open = venue_open(&self.profile);
                open.accounts_max = (self.draw.below(2) as u32).into();
                self.privileged(model, ts_ns, Role::Admin, open)
            }
            1 => {
                let mut account = AccountCreate::new_zeroed();
                let top = self.profile.accounts;
                account.account_id = self.draw.of(&[0, 1, 3, 4, top, top + 1, u32::MAX]).into();
                account.owner = self.draw.of(&[0, 1, u32::MAX]).into();
                self.privileged(model, ts_ns, Role::Admin, account)
            }
            2 => {
                let session = self.odd_session();
                self.privileged(model, ts_ns, Role::Admin, session)
            }
            _ => {
                let instrument = self.odd_instrument();
                self.privileged(model, ts_ns, Role::Admin, instrument)
            }
        }
    }

    fn odd_session(&mut self) -> SessionCreate {
        let mut session = SessionCreate::new_zeroed();
        session.session_id =
            self.draw.of(&[0, 1, 100, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310]).into();
        session.account_id = self.draw.of(&[0, 1, 4, 5, 99]).into();
        session.role = self.draw.of(&[0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 255]);
        session.rising_ids = self.draw.of(&[0, 0, 0, 1, 1, 2, 255]);
        if self.draw.one_in(3) {
            // A sound one: until their capacity is used up.
            session.session_id = (300 + self.draw.below(11)).into();
            (session.account_id, session.role, session.rising_ids) = (4.into(), 1, 0);
        }
        session
    }

    fn odd_instrument(&mut self) -> InstrumentCreate {
        let mut it = listing(&LISTINGS[0], 10);
        it.instrument_id = self.draw.of(&[10, 10, 10, 10, 10, 10, 10, 1, 0, INSTRUMENTS + 1]).into();
        match self.draw.below(12) {
            0 => it.tick_size = self.draw.of(&[0, -1, i64::MAX, 1, i64::MIN]).into(),
            1 => it.lot_size = self.draw.of(&[0, -1, i64::MAX, 1, i64::MIN]).into(),
            2 => it.contract_size = self.draw.of(&[0, -1, i64::MAX, 1, i64::MIN]).into(),
            3 => it.mark = self.draw.of(&[0, -1, i64::MAX, 1, 100_000_001, i64::MIN]).into(),
            4 => it.qty_max = self.draw.of(&[0, -1, 2_147_483_648, i64::MIN, i64::MAX]).into(),
            5 => it.initial_margin_ppm = self.draw.of(&[0, 1_000_001, u32::MAX]).into(),
            6 => it.maker_fee_ppm = self.draw.of(&[100_001, u32::MAX]).into(),
            7 => it.taker_fee_ppm = self.draw.of(&[100_001, u32::MAX]).into(),
            8 => it.kind = self.draw.of(&[0, 3, 4, 7, 255]),
            // All at their ends, where products leave 64 and 128 bits.
            9 => {
                let ends = [1, 1_000_000_000, i64::MAX];
                (it.tick_size, it.lot_size, it.contract_size) =
                    (self.draw.of(&ends).into(), self.draw.of(&ends).into(), self.draw.of(&ends).into());
            }
            10 => it.price_band_ppm = self.draw.of(&[1_000_001, u32::MAX]).into(),
            _ if self.draw.one_in(3) => {}
            _ => it.tick_size = 0.into(),
        }
        it
    }

    // Sessions

    fn logon(&mut self, model: &Model, ts_ns: u64) -> Step {
        let unknown = self.draw.one_in(6);
        let id = if unknown { self.draw.of(&[99, 400, u64::MAX - 1]) } else { self.draw.of(&SESSIONS).0 };
        let next = model.session(id).map_or(1, |session| session.next_server_seq);
        let mut logon = Logon::new_zeroed();
        logon.session_id = id.into();
        logon.next_client_seq = self.draw.of(&[0, 1, u64::MAX]).into();
        logon.next_server_seq = self.draw.of(&[1, next, next, next, next - 1, next + 1, 0, u64::MAX]).into();
        logon.keep_alive_ms = self.draw.of(&[0, 99, 100, 101, 5_000, 60_000, 60_001, u32::MAX]).into();
        logon.schema_version = self.draw.of(&[0, 1, 2]).into();
        logon.cod_mode = self.draw.of(&[0, 1, 2, 3]);
        let mut step = self.send(model, ts_ns, id, logon);
        step.origin.connection = (self.draw.below(6) as u32).into();
        step
    }

    fn refused(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut refused = Refused::new_zeroed();
        refused.code = self.draw.of(Reject::ALL).code().into();
        refused.ref_template_id = self.draw.of(&[0, 100, 111, 300, u16::MAX]).into();
        refused.ref_field_id = (self.draw.below(20) as u16).into();
        let id = self.draw.of(&SESSIONS).0;
        self.send(model, ts_ns, id, refused)
    }

    /// Unknown templates, lengths that are not the template's, commands that are the venue's own.
    fn bad_shape(&mut self, model: &Model, ts_ns: u64) -> Step {
        let known =
            [3, 100, 101, 110, 111, 112, 115, 300, 301, 310, 320, 321, 322, 323, 324, 330, 331, 332, 333];
        let template = match self.draw.below(3) {
            0 => self.draw.of(&[0, 1, 4, 99, 200, 202, 204, 210, 350, u16::MAX]),
            _ => self.draw.of(&known),
        };
        let length = self.draw.of(&[0, 1, 8, 8, 16, 24, 32, 63, 64, 65, 80, 112, 120]);
        let mut message = bytes(Continue { order_id: 0.into() });
        message.resize(HEADER_BYTES + length, 0);
        let told = if self.draw.one_in(4) { length + 1 } else { length };
        message[0..2].copy_from_slice(&(told as u16).to_le_bytes());
        message[2..4].copy_from_slice(&template.to_le_bytes());
        let id = if self.draw.one_in(8) { 0 } else { self.draw.of(&SESSIONS).0 };
        let mut step = self.send(model, ts_ns, id, Continue { order_id: 1.into() });
        match self.draw.below(8) {
            0 => {}
            1 => step.message.truncate(self.draw.below(9) as usize),
            _ => step.message = message,
        }
        step
    }

    /// What has no effect when the venue itself says it.
    fn venue_says(&mut self, model: &Model, ts_ns: u64) -> Step {
        let order = self.order(model, ts_ns, 4);
        let message = match self.draw.below(9) {
            0 => bytes(order),
            5 => bytes(ModifyOrder::new_zeroed()),
            6 => bytes(MassCancel::new_zeroed()),
            1 => bytes(CancelOrder::new_zeroed()),
            2 => bytes(Logon::new_zeroed()),
            3 => bytes(Refused::new_zeroed()),
            7 => bytes(Tick { pad_a: self.draw.below(2).into() }),
            4 => bytes(Continue {
                order_id: self.pick_order(model, |_| true).map_or(0, |it| it.order_id).into(),
            }),
            _ => Vec::new(),
        };
        Step { origin: Origin::venue(), message }
    }

    /// A command from a session, in sequence and on its connection but for now and then.
    fn send<M: Message>(&mut self, model: &Model, ts_ns: u64, id: u64, command: M) -> Step {
        self.send_bytes(model, ts_ns, id, bytes(command))
    }

    fn send_bytes(&mut self, model: &Model, ts_ns: u64, id: u64, message: Vec<u8>) -> Step {
        let mut origin = Origin::new_zeroed();
        let session = model.session(id);
        let next = session.map_or(1, |session| session.next_client_seq);
        let connection = session.and_then(|session| session.connection).unwrap_or(0);
        origin.session = id.into();
        origin.client_seq = next.into();
        origin.sent_ns = ts_ns.saturating_sub(self.draw.below(50_000)).into();
        origin.received_ns = ts_ns.saturating_sub(self.draw.below(900)).into();
        origin.connection = connection.into();
        origin.flags = if self.draw.one_in(15) { ORIGIN_POSSIBLE_RESEND } else { 0 }.into();
        if id == 0 {
            return Step { origin: Origin::venue(), message };
        }
        match self.draw.below(160) {
            0..3 => origin.client_seq = (next - self.draw.below(3).min(next)).into(),
            3..5 => origin.client_seq = (next + self.draw.below(5)).into(),
            5 => origin.client_seq = 0.into(),
            6 => {
                let far = self.draw.of(&[next + (1 << 32), 1 << 63, (1 << 63) - 1, u64::MAX]);
                origin.client_seq = far.into();
            }
            7 if self.draw.one_in(50) => origin.client_seq = (next + u64::from(u32::MAX)).into(),
            8 | 9 => origin.connection = (connection ^ 1).into(),
            10 => origin.session = self.draw.of(&[99, 400, u64::MAX - 1]).into(),
            11 => origin.flags = self.draw.of(&[2, 3, u32::MAX, u32::MAX - 1]).into(),
            _ => {}
        }
        Step { origin, message }
    }
}

/// Whose margin is short again and again: no deposit makes them rich.
fn is_poor(account: u32) -> bool {
    account.is_multiple_of(3)
}

/// Where a tick or a lot is a fortune.
fn is_dear(instrument: u32) -> bool {
    let line =
        instrument.checked_sub(FIRST_REBORN).map_or(instrument, |past| past % LISTINGS.len() as u32 + 1);
    [3, 4, 5, 9, 14, 15, 25, 26].contains(&line)
}

/// A price as a member sends it: at the bound of what the instrument takes, or of what a Price9 shows.
fn price9(instrument: &Instrument, ticks: i128) -> i64 {
    let most = i128::from(PRICE_TICKS_MAX);
    let ticks = ticks.clamp(if instrument.is_combo() { -most } else { 1 }, most);
    (ticks * instrument.tick_size).clamp(i128::from(i64::MIN + 1), i128::from(i64::MAX)) as i64
}

/// When many orders end.
fn together(ts_ns: u64) -> u64 {
    ts_ns / TOGETHER_NS * TOGETHER_NS + TOGETHER_NS
}

/// Header and block.
pub fn bytes<M: Message>(block: M) -> Vec<u8> {
    Framed::new(block).as_bytes().to_vec()
}

pub fn venue_open(profile: &Profile) -> VenueOpen {
    VenueOpen {
        venue_id: 1.into(),
        engine_epoch: 77.into(),
        hash_key: [3.into(), 4.into()],
        accounts_max: profile.accounts.into(),
        instruments_max: INSTRUMENTS.into(),
        sessions_max: profile.sessions.into(),
        orders_max: profile.orders.into(),
        levels_max: profile.levels.into(),
        positions_max: profile.positions.into(),
        orders_per_account_max: profile.orders_per_account.into(),
        matches_per_command_max: profile.matches_per_command.into(),
        closed_ids_max: if profile.features.closed_ids { profile.closed_ids } else { 0 }.into(),
        mmp_groups_max: 40.into(),
        special_orders_max: profile.special_orders.into(),
        special_orders_per_account_max: profile.special_orders_per_account.into(),
    }
}

fn listing(it: &Listing, id: u32) -> InstrumentCreate {
    InstrumentCreate {
        symbol: [b'X'; 32],
        tick_size: it.tick.into(),
        lot_size: it.lot.into(),
        contract_size: it.contract.into(),
        mark: (it.mark * it.tick).into(),
        qty_max: it.qty_max.into(),
        instrument_id: id.into(),
        underlying_id: it.underlying.into(),
        initial_margin_ppm: it.margin.into(),
        maker_fee_ppm: it.maker.into(),
        taker_fee_ppm: it.taker.into(),
        kind: it.kind,
        pad_a: 0,
        pad_b: 0.into(),
        price_band_ppm: it.band.into(),
        pad_c: 0.into(),
        pad_d: 0.into(),
    }
}

/// What every stream starts with: silence before the venue is open, its opening, and all that trades there.
pub fn genesis(profile: &Profile) -> Vec<Step> {
    let venue = |message| Step { origin: Origin::venue(), message };
    let mut steps = vec![venue(bytes(MarkPrice::new_zeroed())), venue(Vec::new())];
    let mut bad = venue_open(profile);
    bad.levels_max = 0.into();
    steps.push(venue(bytes(bad)));
    let mut early = Origin::venue();
    early.session = 100.into();
    steps.push(Step { origin: early, message: bytes(Logon::new_zeroed()) });
    steps.push(venue(bytes(venue_open(profile))));
    let legs = (FIRST_LEG..).zip(&LEGS).filter(|_| profile.features.combos);
    for (id, it) in (1..).zip(&LISTINGS).chain(legs) {
        steps.push(venue(bytes(listing(it, id))));
    }
    for combo in combos::listed().into_iter().filter(|_| profile.features.combos) {
        steps.push(venue(bytes(combo)));
    }
    for id in FIRST_MEMBER..FIRST_MEMBER + MEMBERS {
        let mut account = AccountCreate::new_zeroed();
        account.account_id = id.into();
        account.name = [b'a'; 16];
        // Three owners of four accounts each; four have none.
        account.owner = (id % 4).into();
        steps.push(venue(bytes(account)));
        let mut deposit = Deposit::new_zeroed();
        deposit.account_id = id.into();
        deposit.amount = if is_poor(id) { 200_000_000 } else { 400_000_000_000_000_000 }.into();
        steps.push(venue(bytes(deposit)));
    }
    for (id, account, role) in SESSIONS {
        let mut session = SessionCreate::new_zeroed();
        (session.session_id, session.account_id, session.role) = (id.into(), account.into(), role as u8);
        session.rising_ids = RISING.contains(&id).into();
        steps.push(venue(bytes(session)));
        // Session 6 stays without a connection until a logon is drawn for it.
        if id == 6 {
            continue;
        }
        let mut origin = Origin::new_zeroed();
        (origin.session, origin.connection) = (id.into(), CONNECTION.into());
        let mut logon = Logon::new_zeroed();
        (logon.session_id, logon.next_server_seq) = (id.into(), 1.into());
        steps.push(Step { origin, message: bytes(logon) });
    }
    steps
}

/// A command in its place, and what the model answered.
pub struct Sequenced {
    pub seq: u64,
    pub ts_ns: u64,
    pub step: Step,
    pub events: Vec<Vec<u8>>,
}

/// A workload put in sequence in front of a model.
pub struct Stream {
    pub model: Model,
    pub coverage: Coverage,
    workload: Workload,
    clock: Draw,
    seq: u64,
    ts_ns: u64,
}

impl Stream {
    pub fn new(seed: u64, profile: Profile) -> Stream {
        Stream {
            model: Model::new(),
            coverage: Coverage::default(),
            workload: Workload::new(seed, profile),
            clock: Draw::new(!seed),
            seq: 0,
            ts_ns: 1_700_000_000_000_000_000,
        }
    }

    pub fn advance(&mut self) -> Sequenced {
        let step = self.draw();
        self.coverage.look(&self.model, &step);
        let command = self.hear(step);
        let Sequenced { step, events, .. } = &command;
        self.coverage.count(step, events, self.model.continuation());
        self.coverage.count_features(&self.model, step, events);
        self.coverage.count_special(&mut self.model, step, events);
        command
    }

    /// The same, and nobody counts what the model answers.
    pub fn advance_uncounted(&mut self) -> Sequenced {
        let step = self.draw();
        self.hear(step)
    }

    /// What comes next, and when.
    fn draw(&mut self) -> Step {
        self.seq += 1;
        // Ticks that follow one another have one time (8.2).
        if self.model.continuation().is_some() || !self.is_tick_due() {
            self.ts_ns = self.next_moment();
        }
        match self.model.continuation() {
            // What waits for nothing (10.6).
            Some(_) if self.clock.one_in(60) => self.workload.stand_still(),
            Some(due) => self.go_on(due),
            None if self.is_tick_due() && self.clock.one_in(60) => self.workload.stand_still(),
            None if self.is_tick_due() => {
                Step { origin: Origin::venue(), message: bytes(Tick { pad_a: 0.into() }) }
            }
            None => self.workload.next(&self.model, self.ts_ns),
        }
    }

    fn hear(&mut self, step: Step) -> Sequenced {
        let events = self.model.apply(self.seq, self.ts_ns, &step.origin, &step.message);
        self.workload.hear(&step, &events);
        Sequenced { seq: self.seq, ts_ns: self.ts_ns, step, events }
    }

    fn is_tick_due(&self) -> bool {
        self.model.deadline().is_some_and(|deadline| deadline <= self.ts_ns)
    }

    /// A little later; now and then what is next at the deadline, or just before it, however far that is.
    fn next_moment(&mut self) -> u64 {
        let mut later = self.ts_ns + self.clock.of(&[0, 1, 700, 2_500, 40_000]);
        if self.workload.waits() && self.clock.one_in(60) {
            later += self.clock.of(&[60_000, 500_000, 3_000_000, 90_000_000, 400_000_000, 1_100_000_000]);
        }
        let Some(deadline) = self.model.deadline() else { return later };
        let far = deadline.saturating_sub(self.ts_ns) > NEAR_NS;
        match self.clock.below(if far { 2_000 } else { 30 }) {
            0 => deadline.max(self.ts_ns),
            1 => (deadline - 1).max(self.ts_ns),
            _ => later,
        }
    }

    /// The continuation that is due, after one that names another order now and then.
    fn go_on(&mut self, due: u64) -> Step {
        let order_id = if self.clock.one_in(10) { due ^ (1 << self.clock.below(64)) } else { due };
        Step { origin: Origin::venue(), message: bytes(Continue { order_id: order_id.into() }) }
    }
}

/// How often each answer occurred.
#[derive(Default)]
pub struct Coverage {
    pub commands: u64,
    pub counts: BTreeMap<Answer, u64>,
    before: answers::Before,
}

/// One kind of thing that an answer can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// An event of this template.
    Event(u16),
    /// A code in an event of template `event`, about a request of template `of` where the event tells it, else 0. Codes
    /// that a `Refused` brought along do not count.
    Code {
        event: u16,
        of: u16,
        code: u16,
    },
    Accepted {
        ord_type: u8,
        tif: u8,
        flags: u16,
    },
    CanceledFor(u8),
    PriorityKept(u8),
    /// A new order of this mode came upon an order of its own.
    Prevented(u8),
    /// A second event of this template told another session of one thing.
    Copied(u16),
    /// The command ended with work left: a taker's, or a mass cancel's.
    Waits {
        mass_cancel: bool,
    },
    /// One side of one entry of a mass quote.
    QuoteSide {
        status: u8,
        code: u16,
    },
    Transition {
        from: u8,
        to: u8,
    },
    /// What no single answer tells.
    Feature(&'static str),
}

impl Coverage {
    const EVENTS: [u16; 11] = [
        LogonAck::TEMPLATE,
        LogonReject::TEMPLATE,
        NotApplied::TEMPLATE,
        SessionReject::TEMPLATE,
        OrderAccepted::TEMPLATE,
        OrderRejected::TEMPLATE,
        OrderModified::TEMPLATE,
        OrderCanceled::TEMPLATE,
        OrderExecuted::TEMPLATE,
        MassCancelAck::TEMPLATE,
        Confirmed::TEMPLATE,
    ];

    /// The codes by the event that carries them and the request that it answers.
    fn codes() -> Vec<(u16, u16, &'static [Reject])> {
        use Reject::*;
        let (rejected, confirmed) = (OrderRejected::TEMPLATE, Confirmed::TEMPLATE);
        vec![
            (LogonReject::TEMPLATE, 0, &[UnknownSession, SeqOutOfRange, SeqRegressed]),
            (SessionReject::TEMPLATE, 0, &[UnknownTemplate, BadBlockLength, DuplicateSeq, SeqOutOfRange]),
            (
                rejected,
                NewOrder::TEMPLATE,
                &[
                    Permission,
                    UnknownAccount,
                    NotYourAccount,
                    UnknownInstrument,
                    InvalidSide,
                    InvalidOrdType,
                    InvalidTif,
                    InvalidCombination,
                    PriceRequired,
                    PriceNotOnTick,
                    PriceForbidden,
                    QtyNotPositive,
                    QtyTooLarge,
                    DisplayQtyInvalid,
                    ExpireTimeInvalid,
                    DuplicateClOrdId,
                    StaleRequest,
                    JournalFull,
                    AccountBlocked,
                    Halted,
                    CancelOnly,
                    NoLiquidity,
                    PriceAboveBand,
                    PriceBelowBand,
                    WouldCross,
                    FokNotFillable,
                    MaxOrderValue,
                    PositionLimit,
                    OpenOrderLimit,
                    Capacity,
                    InsufficientMargin,
                ],
            ),
            (
                rejected,
                ModifyOrder::TEMPLATE,
                &[
                    Permission,
                    UnknownAccount,
                    NotYourAccount,
                    InvalidCombination,
                    UnknownOrder,
                    PriceNotOnTick,
                    QtyNotPositive,
                    QtyTooLarge,
                    StaleRequest,
                    AccountBlocked,
                    Halted,
                    CancelOnly,
                    PriceAboveBand,
                    PriceBelowBand,
                    WouldCross,
                    MaxOrderValue,
                    PositionLimit,
                    Capacity,
                    InsufficientMargin,
                    JournalFull,
                ],
            ),
            (
                rejected,
                CancelOrder::TEMPLATE,
                &[Permission, UnknownAccount, NotYourAccount, InvalidCombination, UnknownOrder],
            ),
            (
                MassCancelAck::TEMPLATE,
                0,
                &[
                    Permission,
                    UnknownAccount,
                    NotYourAccount,
                    InvalidCombination,
                    InvalidSide,
                    UnknownInstrument,
                ],
            ),
            (
                confirmed,
                MarkPrice::TEMPLATE,
                &[Permission, UnknownInstrument, InvalidParameter, PriceNotOnTick],
            ),
            (confirmed, Deposit::TEMPLATE, &[Permission, UnknownAccount, InvalidParameter]),
            (confirmed, VenueOpen::TEMPLATE, &[Permission, AlreadyExists, InvalidParameter]),
            (
                confirmed,
                InstrumentCreate::TEMPLATE,
                &[Permission, InvalidParameter, AlreadyExists, PriceNotOnTick],
            ),
            (confirmed, AccountCreate::TEMPLATE, &[Permission, InvalidParameter, Capacity, AlreadyExists]),
            (
                confirmed,
                SessionCreate::TEMPLATE,
                &[Permission, InvalidParameter, AlreadyExists, UnknownAccount, Capacity],
            ),
            (confirmed, InstrumentState::TEMPLATE, &[Permission, UnknownInstrument, InvalidParameter]),
            (confirmed, VenueState::TEMPLATE, &[InvalidParameter]),
        ]
    }

    /// Everything that RULES.md lets occur. A canceled rest of a Fok is not here: by 4.14 there is none.
    pub fn reachable(has: Features) -> Vec<Answer> {
        let mut all: Vec<Answer> = Coverage::EVENTS.iter().map(|event| Answer::Event(*event)).collect();
        for (event, of, codes) in Coverage::codes() {
            all.extend(codes.iter().map(|code| Answer::Code { event, of, code: code.code() }));
        }
        let kinds = [(1, 2, 0), (1, 2, 1), (1, 2, 2), (1, 3, 0), (1, 4, 0), (2, 3, 0), (2, 4, 0), (3, 2, 0)];
        all.extend(kinds.map(|(ord_type, tif, flags)| Answer::Accepted { ord_type, tif, flags }));
        let hides = Answer::Code {
            event: OrderRejected::TEMPLATE,
            of: ModifyOrder::TEMPLATE,
            code: Reject::DisplayQtyInvalid.code(),
        };
        all.retain(|answer| has.icebergs || *answer != hides);
        use reason::{BY_USER, IOC, MASS_CANCEL, STP};
        all.extend([BY_USER, MASS_CANCEL, STP, IOC].map(Answer::CanceledFor));
        all.extend([1, 2].map(Answer::PriorityKept));
        all.extend([2, 3, 4, 5].map(Answer::Prevented));
        all.extend([OrderCanceled::TEMPLATE, OrderModified::TEMPLATE].map(Answer::Copied));
        all.extend([false, true].map(|mass_cancel| Answer::Waits { mass_cancel }));
        all.extend(Coverage::reachable_features(has));
        all.extend(Coverage::reachable_special(has));
        all
    }

    fn count(&mut self, step: &Step, events: &[Vec<u8>], waits: Option<u64>) {
        self.commands += 1;
        if let Some(due) = waits {
            self.one(Answer::Waits { mass_cancel: due == 0 });
        }
        for event in events {
            self.count_event(step, &event[ROUTE_BYTES..]);
        }
        self.count_copies(step, events);
    }

    fn one(&mut self, answer: Answer) {
        *self.counts.entry(answer).or_insert(0) += 1;
    }

    fn count_event(&mut self, step: &Step, message: &[u8]) {
        let event = crate::model::template(message);
        self.one(Answer::Event(event));
        let brought = event == SessionReject::TEMPLATE && block::<Refused>(&step.message).is_some();
        if let Some((of, code)) = code_of(message)
            && !brought
        {
            self.one(Answer::Code { event, of, code });
        }
        if let Some(it) = block::<OrderAccepted>(message) {
            let (ord_type, tif, flags) = (it.ord_type, it.tif, it.flags.get());
            self.one(Answer::Accepted { ord_type, tif, flags });
        }
        if let Some(it) = block::<OrderModified>(message) {
            self.one(Answer::PriorityKept(it.priority_kept));
        }
        if let Some(it) = block::<OrderCanceled>(message) {
            self.one(Answer::CanceledFor(it.reason));
            let taker = block::<NewOrder>(&step.message).filter(|_| it.reason == reason::STP);
            if let Some(taker) = taker {
                self.one(Answer::Prevented(taker.stp_mode));
            }
        }
    }

    /// A cancel or an amend that is told twice, to two sessions.
    fn count_copies(&mut self, step: &Step, events: &[Vec<u8>]) {
        let [first, second, ..] = events else { return };
        let template = crate::model::template(&first[ROUTE_BYTES..]);
        let asked =
            matches!(crate::model::template(&step.message), ModifyOrder::TEMPLATE | CancelOrder::TEMPLATE);
        let twice = template == crate::model::template(&second[ROUTE_BYTES..]);
        let copied = matches!(template, OrderCanceled::TEMPLATE | OrderModified::TEMPLATE);
        if asked && twice && copied && first[..8] != second[..8] {
            self.one(Answer::Copied(template));
        }
    }

    pub fn add(&mut self, other: &Coverage) {
        self.commands += other.commands;
        for (answer, count) in &other.counts {
            *self.counts.entry(*answer).or_insert(0) += count;
        }
    }

    /// What should have occurred and did not.
    pub fn missing(&self, has: Features) -> Vec<String> {
        let reachable = Coverage::reachable(has);
        let missing = reachable.iter().filter(|answer| !self.counts.contains_key(answer));
        missing.map(|answer| answer.to_string()).collect()
    }
}

/// The template of the request, where the event tells it, and the code.
fn code_of(message: &[u8]) -> Option<(u16, u16)> {
    if let Some(it) = block::<LogonReject>(message) {
        return Some((0, it.code.get()));
    }
    if let Some(it) = block::<SessionReject>(message) {
        return Some((0, it.code.get()));
    }
    if let Some(it) = block::<OrderRejected>(message) {
        return Some((it.ref_template_id.get(), it.code.get()));
    }
    let code = block::<MassCancelAck>(message).map(|it| it.code);
    let code = code.or(block::<RequestComplete>(message).map(|it| it.code));
    if let Some(code) = code.or(quotes_acked(message).map(|it| it.0.code)) {
        return Some((0, code.get())).filter(|(_, code)| *code != 0);
    }
    let it = block::<Confirmed>(message)?;
    Some((it.ref_template_id.get(), it.code.get())).filter(|(_, code)| *code != 0)
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Answer::Event(event) => write!(out, "event {event}"),
            Answer::Code { event, of, code } => {
                let name = Reject::from_code(code).map_or(String::from("?"), |reject| format!("{reject:?}"));
                let of = if of == 0 { String::new() } else { format!(" of {of}") };
                write!(out, "event {event}{of} code {code} {name}")
            }
            other => write!(out, "{other:?}"),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        writeln!(out, "{:>9} commands", self.commands)?;
        for (answer, count) in &self.counts {
            writeln!(out, "{count:>9} {answer}")?;
        }
        Ok(())
    }
}
