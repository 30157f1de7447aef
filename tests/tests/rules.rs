//! Model and engine against the clauses that are easiest to misread: a few commands each, the answers as lines that a
//! trader can review. One lot at one tick is worth 1, so prices are money; see `World::listed`.

use engine::Engine;
use engine::command::*;
use engine::event::*;
use engine::message::*;
use engine::reject::Reject;
use tests::model::Model;
use tests::workload::{Profile, bytes, venue_open};
use tests::{heard, text};
use zerocopy::{FromBytes, FromZeros};

const VENUE: u64 = 0;
const ANNE: (u64, u32) = (10, 4);
const ANNES_OTHER: (u64, u32) = (11, 4);
const BEN: (u64, u32) = (20, 5);
/// Who has both accounts.
const OWNER: u32 = 9;
const TICK: i64 = 1_000_000;

struct World {
    model: Model,
    engine: Engine,
    seq: u64,
    ts_ns: u64,
    cl_ord_id: u64,
}

impl World {
    /// An open venue without instruments, and three traders who are logged on.
    fn open(profile: Profile) -> World {
        let mut world =
            World { model: Model::new(), engine: Engine::new(), seq: 0, ts_ns: 1_000_000_000, cl_ord_id: 0 };
        world.venue(venue_open(&profile));
        for account in [4, 5] {
            world.venue(AccountCreate { name: [0; 16], account_id: account.into(), owner: OWNER.into() });
        }
        for (session, account) in [ANNE, ANNES_OTHER, BEN] {
            world.session(session, account, Role::Trade);
            world.logon(session, 1, 1);
        }
        world
    }

    fn roomy() -> World {
        World::open(Profile::ROOMY)
    }

    /// Instrument 1 with its mark at 100 ticks, an initial margin of a tenth, and these fees.
    fn listed(mut self, maker_fee_ppm: u32, taker_fee_ppm: u32) -> World {
        let it = InstrumentCreate {
            maker_fee_ppm: maker_fee_ppm.into(),
            taker_fee_ppm: taker_fee_ppm.into(),
            ..instrument()
        };
        assert_eq!(self.venue(it), "0: done");
        self
    }

    fn funded(mut self, amount: i64) -> World {
        for account in [4, 5] {
            self.deposit(account, amount);
        }
        self
    }

    fn say(&mut self, origin: Origin, message: &[u8]) -> String {
        self.seq += 1;
        self.ts_ns += 10;
        let events = self.model.apply(self.seq, self.ts_ns, &origin, message);
        let heard = heard::answer(&mut self.engine, self.seq, self.ts_ns, &origin, message);
        assert_eq!(text::events(&events), text::events(&heard), "model and engine");
        assert_eq!(self.model.continuation(), self.engine.continuation());
        self.model.check();
        assert_eq!(self.engine.check_invariants(), Ok(()));
        events.iter().map(|event| line(event)).collect::<Vec<_>>().join(" | ")
    }

    fn venue<M: Message>(&mut self, command: M) -> String {
        self.say(Origin::venue(), &bytes(command))
    }

    fn origin(&self, session: u64) -> Origin {
        let mut origin = Origin::new_zeroed();
        origin.session = session.into();
        origin.connection = 1.into();
        origin.client_seq = self.model.session(session).map_or(1, |it| it.next_client_seq).into();
        origin.received_ns = 5.into();
        origin
    }

    fn from<M: Message>(&mut self, session: u64, command: M) -> String {
        self.say(self.origin(session), &bytes(command))
    }

    fn numbered(&mut self, session: u64, client_seq: u64, flags: u32) -> String {
        let mut origin = self.origin(session);
        (origin.client_seq, origin.flags) = (client_seq.into(), flags.into());
        self.say(origin, &bytes(CancelOrder::new_zeroed()))
    }

    fn logon(&mut self, session: u64, connection: u32, next_server_seq: u64) -> String {
        let mut origin = self.origin(session);
        origin.connection = connection.into();
        let mut logon = Logon::new_zeroed();
        (logon.session_id, logon.next_server_seq) = (session.into(), next_server_seq.into());
        self.say(origin, &bytes(logon))
    }

    fn session(&mut self, session: u64, account: u32, role: Role) -> String {
        let mut it = SessionCreate::new_zeroed();
        (it.session_id, it.account_id, it.role) = (session.into(), account.into(), role as u8);
        self.venue(it)
    }

    fn deposit(&mut self, account: u32, amount: i64) -> String {
        let mut it = Deposit::new_zeroed();
        (it.account_id, it.amount) = (account.into(), amount.into());
        self.venue(it)
    }

    fn mark(&mut self, ticks: i64) -> String {
        let mut it = MarkPrice::new_zeroed();
        (it.price, it.instrument_id) = ((ticks * TICK).into(), 1.into());
        self.venue(it)
    }

    fn order(&mut self, (session, account): (u64, u32), side: u8, qty: i64, ticks: i64, tif: u8) -> String {
        self.cl_ord_id += 1;
        let order = order(account, self.cl_ord_id, side, qty, ticks, tif);
        self.from(session, order)
    }

    fn buy(&mut self, who: (u64, u32), qty: i64, ticks: i64) -> String {
        self.order(who, 1, qty, ticks, 2)
    }

    fn sell(&mut self, who: (u64, u32), qty: i64, ticks: i64) -> String {
        self.order(who, 2, qty, ticks, 2)
    }

    /// As `order` with these terms changed.
    fn order_with(
        &mut self,
        who: (u64, u32),
        side: u8,
        qty: i64,
        ticks: i64,
        change: impl FnOnce(&mut NewOrder),
    ) -> String {
        self.cl_ord_id += 1;
        let mut order = order(who.1, self.cl_ord_id, side, qty, ticks, 2);
        change(&mut order);
        self.from(who.0, order)
    }

    fn market(&mut self, who: (u64, u32), side: u8, qty: i64, tif: u8) -> String {
        self.order_with(who, side, qty, 0, |it| (it.ord_type, it.tif, it.price) = (2, tif, NULL_I64.into()))
    }

    fn market_to_limit(&mut self, who: (u64, u32), side: u8, qty: i64) -> String {
        self.order_with(who, side, qty, 0, |it| (it.ord_type, it.price) = (3, NULL_I64.into()))
    }

    fn fok(&mut self, who: (u64, u32), side: u8, qty: i64, ticks: i64, stp_mode: u8) -> String {
        self.order_with(who, side, qty, ticks, |it| (it.tif, it.stp_mode) = (4, stp_mode))
    }

    fn flagged(&mut self, who: (u64, u32), side: u8, ticks: i64, flags: u16) -> String {
        self.order_with(who, side, 1, ticks, |it| it.flags = flags.into())
    }

    fn preventing(&mut self, who: (u64, u32), side: u8, qty: i64, ticks: i64, stp_mode: u8) -> String {
        self.order_with(who, side, qty, ticks, |it| it.stp_mode = stp_mode)
    }

    /// The order that was the `nth` to be sent is to have these terms.
    fn amend(&mut self, who: (u64, u32), nth: u64, total: Option<i64>, ticks: Option<i64>) -> String {
        self.from(who.0, amend(who.1, nth, total, ticks))
    }

    fn mass_cancel(&mut self, who: (u64, u32), scope: u8, side: u8, block_new: u8) -> String {
        self.from(who.0, mass_cancel(who.1, scope, side, block_new))
    }

    fn state(&mut self, state: u8) -> String {
        self.venue(InstrumentState {
            instrument_id: 1.into(),
            state,
            pad_a: 0,
            pad_b: 0.into(),
            until: 0.into(),
        })
    }

    /// As `listed`, without fees and with a band.
    fn banded(mut self, ppm: u32) -> World {
        self.venue(InstrumentCreate { price_band_ppm: ppm.into(), ..instrument() });
        self
    }

    fn go_on(&mut self, order_id: u64) -> String {
        self.venue(Continue { order_id: order_id.into() })
    }
}

fn instrument() -> InstrumentCreate {
    let mut it = InstrumentCreate::new_zeroed();
    it.tick_size = TICK.into();
    it.lot_size = 1_000_000.into();
    it.contract_size = 1_000_000_000.into();
    it.mark = (100 * TICK).into();
    it.qty_max = i64::from(i32::MAX).into();
    it.instrument_id = 1.into();
    it.initial_margin_ppm = 100_000.into();
    it.kind = 1;
    it
}

fn order(account: u32, cl_ord_id: u64, side: u8, qty: i64, ticks: i64, tif: u8) -> NewOrder {
    let mut order = NewOrder::new_zeroed();
    order.cl_ord_id = cl_ord_id.into();
    order.price = (ticks * TICK).into();
    order.qty = qty.into();
    order.display_qty = NULL_I64.into();
    order.expire_time = NULL_U64.into();
    order.instrument_id = 1.into();
    order.account_id = account.into();
    (order.side, order.ord_type, order.tif, order.stp_mode) = (side, 1, tif, 1);
    order
}

fn amend(account: u32, orig: u64, total: Option<i64>, ticks: Option<i64>) -> ModifyOrder {
    let mut it = ModifyOrder::new_zeroed();
    (it.cl_ord_id, it.orig_cl_ord_id) = (90.into(), orig.into());
    it.account_id = account.into();
    it.price = ticks.map_or(NULL_I64, |ticks| ticks * TICK).into();
    it.qty = total.unwrap_or(NULL_I64).into();
    it.display_qty = NULL_I64.into();
    it
}

fn mass_cancel(account: u32, scope: u8, side: u8, block_new: u8) -> MassCancel {
    let mut it = MassCancel::new_zeroed();
    (it.cl_ord_id, it.account_id, it.instrument_id) = (80.into(), account.into(), 1.into());
    (it.scope, it.side, it.block_new) = (scope, side, block_new);
    it
}

fn code(code: u16) -> String {
    Reject::from_code(code).map_or(code.to_string(), |reject| format!("{reject:?}"))
}

fn ticks(price9: i64) -> String {
    (price9 / TICK).to_string()
}

/// One event: who is told, what, and whether it answers (`!`).
fn line(event: &[u8]) -> String {
    let (route, message) = Route::ref_from_prefix(event).expect("a route");
    let text = words(message).expect("a known event");
    format!("{}: {text}", route.session.get())
}

fn words(message: &[u8]) -> Option<String> {
    let answers = |ref_seq: u64| if ref_seq == 0 { "" } else { "!" };
    if let Some(it) = block::<OrderAccepted>(message) {
        let price = if it.price.get() == NULL_I64 { "market".into() } else { ticks(it.price.get()) };
        let plain = it.ord_type == 1 && it.flags.get() == 0;
        let shown = if plain { String::new() } else { format!(" at {price}") };
        return Some(format!("accepted {:x}{shown}", it.order_id.get()));
    }
    if let Some(it) = block::<OrderModified>(message) {
        let mark = answers(it.ref_seq.get());
        let price = if it.price.get() == NULL_I64 { "market".into() } else { ticks(it.price.get()) };
        let kept = ["kept", "lost"][usize::from(it.priority_kept) - 1];
        let (total, left, status) = (it.qty.get(), it.leaves_qty.get(), it.status);
        return Some(format!("modified{mark} {total}@{price} left {left} status {status} {kept}"));
    }
    if let Some(it) = block::<MassCancelAck>(message) {
        let (mark, canceled) = (answers(it.ref_seq.get()), it.canceled.get());
        let done = it.code.get() == 0;
        return Some(if done {
            format!("swept{mark} {canceled}")
        } else {
            format!("mass {}", code(it.code.get()))
        });
    }
    if let Some(it) = block::<OrderExecuted>(message) {
        let side = if it.liquidity == liquidity::MAKER { "maker" } else { "taker" };
        let (lots, price, left) = (it.last_qty.get(), it.last_px.get() / TICK, it.leaves_qty.get());
        let (fee, position, mark) = (it.fee.get(), it.position.get(), answers(it.ref_seq.get()));
        return Some(format!("{side}{mark} {lots}@{price} left {left} fee {fee} position {position}"));
    }
    if let Some(it) = block::<OrderCanceled>(message) {
        let mark = answers(it.ref_seq.get());
        let (left, done) = (it.canceled_qty.get(), it.cum_qty.get());
        return Some(format!("canceled{mark} reason {} left {left} done {done}", it.reason));
    }
    if let Some(it) = block::<OrderRejected>(message) {
        let (field, detail) = (it.ref_field_id.get(), it.detail.get());
        return Some(format!("{} {field} detail {detail}", code(it.code.get())));
    }
    if let Some(it) = block::<MmpTriggered>(message) {
        let (group, reason, canceled) = (it.mmp_group.get(), it.reason, it.canceled.get());
        return Some(format!("group {group} breached reason {reason} canceled {canceled}"));
    }
    if let Some(it) = block::<RequestComplete>(message) {
        let refused = it.code.get() != 0;
        return Some(if refused { code(it.code.get()) } else { format!("complete {}", it.count.get()) });
    }
    if let Some(it) = block::<Confirmed>(message) {
        let refused = format!("{} {}", code(it.code.get()), it.ref_field_id.get());
        return Some(if it.code.get() == 0 { "done".into() } else { refused });
    }
    if let Some(it) = block::<SessionReject>(message) {
        return Some(format!("session {} of {}", code(it.code.get()), it.ref_template_id.get()));
    }
    if let Some(it) = block::<NotApplied>(message) {
        return Some(format!("not applied {}+{}", it.from_seq.get(), it.count.get()));
    }
    if let Some(it) = block::<LogonReject>(message) {
        return Some(format!("logon {}", code(it.code.get())));
    }
    block::<LogonAck>(message)
        .map(|it| format!("hello {}/{}", it.next_client_seq.get(), it.next_server_seq.get()))
}

// 1 and 2

#[test]
fn nothing_happens_before_the_venue_is_open() {
    let mut world = World { model: Model::new(), engine: Engine::new(), seq: 0, ts_ns: 0, cl_ord_id: 0 };
    assert_eq!(world.deposit(2, 5), "");
    assert_eq!(world.logon(10, 1, 1), "");
    let mut bad = venue_open(&Profile::ROOMY);
    bad.matches_per_command_max = 4097.into();
    assert_eq!(world.venue(bad), "0: InvalidParameter 11");
    assert_eq!(world.deposit(2, 5), "");
    assert_eq!(world.venue(venue_open(&Profile::ROOMY)), "0: done");
    assert_eq!(world.venue(bad), "0: AlreadyExists 0");
    assert_eq!(world.deposit(2, 5), "0: done");
}

#[test]
fn a_session_without_a_logon_is_not_heard() {
    let mut world = World::roomy();
    world.session(30, 4, Role::Trade);
    let mut origin = world.origin(30);
    origin.connection = 0.into();
    assert_eq!(world.say(origin, &bytes(CancelOrder::new_zeroed())), "");
    assert_eq!(world.logon(30, 0, 1), "30: hello 1/1");
    assert_eq!(world.say(origin, &bytes(CancelOrder::new_zeroed())), "30: UnknownAccount 5 detail 0");
}

#[test]
fn a_newer_logon_displaces_and_a_bad_one_does_not() {
    let mut world = World::roomy();
    assert_eq!(world.logon(10, 9, 2), "10: logon SeqRegressed");
    assert_eq!(world.logon(10, 9, 0), "10: logon SeqOutOfRange");
    assert_eq!(world.logon(99, 9, 0), "99: logon UnknownSession");
    assert_eq!(world.numbered(10, 1, 0), "10: UnknownAccount 5 detail 0");
    assert_eq!(world.logon(10, 9, 1), "10: hello 2/2");
    assert_eq!(world.numbered(10, 2, 0), "");
}

#[test]
fn numbers_are_used_once_and_holes_are_named() {
    let mut world = World::roomy();
    let refused = "10: UnknownAccount 5 detail 0";
    assert_eq!(world.numbered(10, 1, 0), refused);
    assert_eq!(world.numbered(10, 1, 0), "10: session DuplicateSeq of 111");
    assert_eq!(world.numbered(10, 1, ORIGIN_POSSIBLE_RESEND), "");
    assert_eq!(world.numbered(10, 0, 0), "10: session DuplicateSeq of 111");
    assert_eq!(world.numbered(10, 4, ORIGIN_POSSIBLE_RESEND), format!("10: not applied 2+2 | {refused}"));
    assert_eq!(world.numbered(10, 5 + (1 << 32), 0), "10: session SeqOutOfRange of 111");
    assert_eq!(world.numbered(10, 1 << 63, 0), "10: session SeqOutOfRange of 111");
    let most = 4 + (1 << 32);
    assert_eq!(world.numbered(10, most, 0), format!("10: not applied 5+4294967295 | {refused}"));
    assert_eq!(world.numbered(10, most + 1, 0), refused);
}

#[test]
fn who_says_hello_is_the_origin_not_the_message() {
    let mut world = World::roomy();
    let mut logon = Logon::new_zeroed();
    (logon.session_id, logon.next_server_seq) = (20.into(), 1.into());
    let mut origin = world.origin(10);
    origin.connection = 3.into();
    assert_eq!(world.say(origin, &bytes(logon)), "10: hello 1/1");
    assert_eq!(world.model.session(20).and_then(|it| it.connection), Some(1));
}

#[test]
fn the_venue_is_told_nothing_and_asks_under_no_number() {
    let mut world = World::roomy();
    let mut origin = world.origin(VENUE);
    (origin.client_seq, origin.connection) = (77.into(), 3.into());
    assert_eq!(world.say(origin, &bytes(Deposit::new_zeroed())), "0: UnknownAccount 3");
}

#[test]
fn a_message_shorter_than_its_header_is_no_template() {
    let mut world = World::roomy();
    for length in 0..HEADER_BYTES {
        let message = &bytes(CancelOrder::new_zeroed())[..length];
        let answer = world.say(world.origin(10), message);
        assert_eq!(answer, "10: session UnknownTemplate of 0", "{length} bytes");
    }
    let header = &bytes(CancelOrder::new_zeroed())[..HEADER_BYTES];
    assert_eq!(world.say(world.origin(10), header), "10: session BadBlockLength of 111");
}

#[test]
fn a_bad_shape_is_answered_and_a_continue_is_the_venues() {
    let mut world = World::roomy();
    assert_eq!(world.from(10, Continue { order_id: 1.into() }), "10: session UnknownTemplate of 331");
    let mut cut = bytes(CancelOrder::new_zeroed());
    cut.pop();
    assert_eq!(world.say(world.origin(10), &cut), "10: session BadBlockLength of 111");
    let event = bytes(NotApplied::new_zeroed());
    assert_eq!(world.say(world.origin(10), &event), "10: session UnknownTemplate of 13");
    assert_eq!(world.say(Origin::venue(), &cut), "");
    assert_eq!(world.from(VENUE, CancelOrder::new_zeroed()), "");
}

// 3

#[test]
fn an_instrument_is_checked_field_by_field() {
    let listing = |change: fn(&mut InstrumentCreate)| {
        let mut it = instrument();
        change(&mut it);
        World::roomy().venue(it)
    };
    assert_eq!(listing(|_| ()), "0: done");
    assert_eq!(listing(|it| it.instrument_id = 0.into()), "0: InvalidParameter 7");
    assert_eq!(listing(|it| it.instrument_id = 76.into()), "0: InvalidParameter 7");
    assert_eq!(listing(|it| (it.tick_size, it.kind) = (0.into(), 9)), "0: InvalidParameter 2");
    assert_eq!(listing(|it| it.lot_size = (-1).into()), "0: InvalidParameter 3");
    assert_eq!(listing(|it| it.contract_size = i64::MIN.into()), "0: InvalidParameter 4");
    // The tick value: a half, too large, far beyond 128 bits, and its ends.
    assert_eq!(listing(|it| it.contract_size = 1_500_000_000.into()), "0: InvalidParameter 2");
    assert_eq!(listing(|it| it.contract_size = 999_999_999.into()), "0: InvalidParameter 2");
    assert_eq!(listing(|it| it.lot_size = 1_000_000_000_000_000_000.into()), "0: done");
    assert_eq!(listing(|it| it.lot_size = 1_000_000_000_001_000_000.into()), "0: InvalidParameter 2");
    let huge: fn(&mut InstrumentCreate) = |it| {
        (it.tick_size, it.lot_size) = (i64::MAX.into(), i64::MAX.into());
        it.contract_size = i64::MAX.into();
    };
    assert_eq!(listing(huge), "0: InvalidParameter 2");
    assert_eq!(listing(|it| it.mark = (100 * TICK + 1).into()), "0: PriceNotOnTick 5");
    assert_eq!(listing(|it| it.mark = i64::MAX.into()), "0: PriceNotOnTick 5");
    let beyond: fn(&mut InstrumentCreate) = |it| {
        (it.tick_size, it.lot_size) = (1.into(), 1_000_000_000_000.into());
        it.mark = ((1 << 48) + 1).into();
    };
    assert_eq!(listing(beyond), "0: InvalidParameter 5");
    assert_eq!(listing(|it| it.qty_max = (1 << 31).into()), "0: InvalidParameter 6");
    assert_eq!(listing(|it| it.initial_margin_ppm = 1_000_001.into()), "0: InvalidParameter 9");
    assert_eq!(listing(|it| it.maker_fee_ppm = 100_001.into()), "0: InvalidParameter 10");
    assert_eq!(listing(|it| it.taker_fee_ppm = 100_001.into()), "0: InvalidParameter 11");
    assert_eq!(listing(|it| it.kind = 3), "0: InvalidParameter 12");
}

#[test]
fn the_houses_accounts_exist_in_the_smallest_venue() {
    let mut world = World::open(Profile { accounts: 1, ..Profile::ROOMY });
    assert_eq!(world.deposit(3, 1), "0: done");
    assert_eq!(world.deposit(4, 1), "0: UnknownAccount 3");
    let two = AccountCreate { name: [0; 16], account_id: 2.into(), owner: 0.into() };
    assert_eq!(world.venue(two), "0: Capacity 2");
}

// 4

#[test]
fn a_request_may_ask_not_to_be_late() {
    let delayed = |sent: fn(u64) -> u64| {
        let mut world = World::roomy().listed(0, 0).funded(1_000_000);
        let mut origin = world.origin(10);
        origin.sent_ns = sent(world.ts_ns + 10).into();
        let mut order = order(4, 1, 1, 1, 100, 2);
        order.max_delay_us = 2.into();
        world.say(origin, &bytes(order))
    };
    assert_eq!(delayed(|ts| ts - 2_000), "10: accepted 1000000");
    assert_eq!(delayed(|ts| ts - 2_001), "10: StaleRequest 9 detail 1");
    assert_eq!(delayed(|ts| ts + 1_000_000_000), "10: accepted 1000000");
    assert_eq!(delayed(|ts| ts + 1_000_000_001), "10: StaleRequest 9 detail 0");
    assert_eq!(delayed(|_| u64::MAX), "10: StaleRequest 9 detail 0");
}

#[test]
fn the_latest_request_of_all_is_shown_at_the_bound() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.ts_ns = u64::MAX - 100;
    let mut order = order(4, 1, 1, 1, 100, 2);
    order.max_delay_us = 1.into();
    let answer = world.from(10, order);
    assert_eq!(answer, format!("10: StaleRequest 9 detail {}", i64::MAX));
}

#[test]
fn positions_reach_their_bound_and_not_one_lot_more() {
    const MOST: i64 = i32::MAX as i64;
    let mut world = World::roomy().listed(0, 0).funded(1_000_000_000_000);
    let refused = format!("10: PositionLimit 0 detail {MOST}");
    assert_eq!(world.buy(ANNE, MOST - 1, 1), "10: accepted 1000000");
    assert_eq!(world.buy(ANNE, 2, 1), refused);
    assert_eq!(world.buy(ANNE, 1, 1), "10: accepted 2000001");
    world.sell(BEN, MOST, 1);
    assert_eq!(world.model.position(4, 1), i128::from(MOST));
    assert_eq!(world.buy(ANNE, 1, 1), refused);
    // What is sold may turn the whole position, but no side's open lots pass the bound.
    assert_eq!(world.sell(ANNE, MOST, 100), "10: accepted 4000000");
    assert_eq!(world.sell(ANNE, 1, 100), refused);
}

#[test]
fn margin_is_short_by_one_or_not_at_all() {
    // Worst 10 lots: a tenth of 1000; slippage 10 * 2; fees ceil(1020 * 0.0005) = 1.
    let mut world = World::roomy().listed(300, 500).funded(120);
    assert_eq!(world.buy(ANNE, 10, 102), "10: InsufficientMargin 0 detail 1");
    world.deposit(4, 1);
    assert_eq!(world.buy(ANNE, 10, 102), "10: accepted 1000000");
}

#[test]
fn what_lowers_the_requirement_is_always_admitted() {
    let mut world = World::roomy().listed(0, 0).funded(150);
    world.buy(ANNE, 10, 100);
    world.sell(BEN, 10, 100);
    world.mark(80);
    // Ten long from 100: equity 150 - 200 = -50. Selling does not raise the worst case until it turns the position.
    assert_eq!(world.sell(ANNE, 20, 80), "10: accepted 3000000");
    assert_eq!(world.sell(ANNE, 1, 80), "10: InsufficientMargin 0 detail 138");
    assert_eq!(world.buy(ANNE, 1, 79), "10: InsufficientMargin 0 detail 138");
}

#[test]
fn a_level_must_be_free_even_where_one_stands() {
    let mut world = World::open(Profile { levels: 1, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    assert_eq!(world.buy(ANNE, 1, 100), "10: accepted 1000000");
    assert_eq!(world.buy(ANNE, 1, 100), "10: Capacity 0 detail 0");
    assert_eq!(world.sell(BEN, 1, 100), "20: Capacity 0 detail 0");
}

#[test]
fn numbers_at_their_ends_do_not_overflow() {
    const SMALL_TICK: i64 = 1_000;
    let mut world = World::roomy();
    let mut it = instrument();
    (it.tick_size, it.mark) = (SMALL_TICK.into(), SMALL_TICK.into());
    (it.lot_size, it.contract_size) = (1_000_000_000_000_000_000.into(), 1_000_000_000_000.into());
    it.initial_margin_ppm = 1_000_000.into();
    assert_eq!(world.venue(it), "0: done");
    for account in [4, 5].repeat(150) {
        world.deposit(account, 1_000_000_000_000_000_000);
    }
    let mut cl_ord_id = 0;
    let mut at = |world: &mut World, who: (u64, u32), side: u8, qty: i64, ticks: i64| {
        cl_ord_id += 1;
        let order = order(who.1, cl_ord_id, side, qty, 0, 2);
        world.from(who.0, NewOrder { price: (ticks * SMALL_TICK).into(), ..order })
    };
    let answer = at(&mut world, ANNE, 1, 10_001, 1);
    assert_eq!(answer, "10: MaxOrderValue 0 detail 10000000000000000");
    for _ in 0..100 {
        at(&mut world, ANNE, 1, 10_000, 1);
        at(&mut world, BEN, 2, 10_000, 1);
    }
    assert_eq!(world.model.position(4, 1), 1_000_000);
    let mut mark = MarkPrice::new_zeroed();
    (mark.price, mark.instrument_id) = ((SMALL_TICK << 48).into(), 1.into());
    assert_eq!(world.venue(mark), "0: done");
    // A million lots at 2^48 * 10^12 are 2.8e32; times 10^6 that is beyond 128 bits.
    assert_eq!(at(&mut world, BEN, 2, 1, 10_000), format!("20: InsufficientMargin 0 detail {}", i64::MAX));
    // Ben is a million short: to buy one back does not raise what is required of him.
    assert_eq!(at(&mut world, BEN, 1, 1, 1), "20: accepted c9000000");
}

// 5

#[test]
fn a_match_tells_the_taker_first_and_rounds_fees_up() {
    let mut world = World::roomy().listed(1, 500).funded(1_000_000);
    world.sell(BEN, 3, 100);
    world.sell(BEN, 3, 99);
    let answer = world.order(ANNE, 1, 5, 100, 3);
    let expected = [
        "10: accepted 3000002",
        "10: taker! 3@99 left 2 fee 1 position 3",
        "20: maker 3@99 left 0 fee 1 position -3",
        "10: taker! 2@100 left 0 fee 1 position 5",
        "20: maker 2@100 left 1 fee 1 position -5",
    ];
    assert_eq!(answer, expected.join(" | "));
    assert_eq!(world.model.quote(2), 4);
    assert_eq!(world.buy(ANNE, 1, 98), "10: accepted 4000001");
}

#[test]
fn an_account_may_trade_with_itself() {
    let mut world = World::roomy().listed(0, 10_000).funded(1_000_000);
    world.sell(ANNE, 1, 100);
    let expected = "11: accepted 2000001 | 11: taker! 1@100 left 0 fee 1 position 0 | \
                    10: maker 1@100 left 0 fee 0 position 0";
    assert_eq!(world.buy(ANNES_OTHER, 1, 100), expected);
}

#[test]
fn a_sweep_stops_at_the_cap_and_goes_on() {
    let mut world =
        World::open(Profile { matches_per_command: 2, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    for ticks in [100, 100, 101, 102, 103] {
        world.sell(BEN, 1, ticks);
    }
    let answer = world.order(ANNE, 1, 9, 102, 3);
    assert_eq!(answer.matches("taker! ").count(), 2);
    assert_eq!(world.model.continuation(), Some(6 << 24 | 5));
    assert_eq!(world.go_on(7), "");
    assert_eq!(world.model.continuation(), Some(6 << 24 | 5));
    // The fourth match is the last that crosses: no further continuation, and what remains is canceled.
    let expected = [
        "10: taker 1@101 left 6 fee 0 position 3",
        "20: maker 1@101 left 0 fee 0 position -3",
        "10: taker 1@102 left 5 fee 0 position 4",
        "20: maker 1@102 left 0 fee 0 position -4",
        "10: canceled reason 8 left 5 done 4",
    ];
    assert_eq!(world.go_on(6 << 24 | 5), expected.join(" | "));
    assert_eq!(world.model.continuation(), None);
    assert_eq!(world.go_on(6 << 24 | 5), "");
}

#[test]
#[should_panic(expected = "5.6")]
fn nothing_comes_between_continuations() {
    let mut world =
        World::open(Profile { matches_per_command: 1, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    world.sell(BEN, 1, 100);
    world.sell(BEN, 1, 100);
    world.buy(ANNE, 2, 100);
    world.deposit(4, 1);
}

fn engine_after(commands: &[(u64, u64)]) {
    let mut engine = Engine::new();
    let open = bytes(venue_open(&Profile::ROOMY));
    for (seq, ts_ns) in commands {
        heard::answer(&mut engine, *seq, *ts_ns, &Origin::venue(), &open);
    }
}

#[test]
fn the_engine_stops_at_a_fault_of_the_sequencer() {
    let stops = |commands: &[(u64, u64)]| std::panic::catch_unwind(|| engine_after(commands)).is_err();
    assert!(!stops(&[(1, 5), (2, 5), (3, 6)]));
    assert!(stops(&[(2, 5)]), "1.1: a first number that is not 1");
    assert!(stops(&[(1, 5), (3, 5)]), "1.1: a gap");
    assert!(stops(&[(1, 5), (1, 5)]), "1.1: a repeat");
    assert!(stops(&[(1, 5), (2, 4)]), "1.1: time that goes back");
}

#[test]
fn the_engine_stops_when_something_comes_between_continuations() {
    let mut world =
        World::open(Profile { matches_per_command: 1, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    world.sell(BEN, 1, 100);
    world.sell(BEN, 1, 100);
    world.buy(ANNE, 2, 100);
    let (seq, ts_ns, mut engine) = (world.seq + 1, world.ts_ns, world.engine);
    let message = bytes(Deposit::new_zeroed());
    let stops = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        heard::answer(&mut engine, seq, ts_ns, &Origin::venue(), &message)
    }));
    assert!(stops.is_err(), "5.6");
}

#[test]
fn a_cancel_from_another_session_is_copied_to_the_first() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 100);
    let cancel = |account: u32, orig: u64, order_id: u64, instrument: u32| CancelOrder {
        cl_ord_id: 50.into(),
        orig_cl_ord_id: orig.into(),
        order_id: order_id.into(),
        instrument_id: instrument.into(),
        account_id: account.into(),
    };
    assert_eq!(world.from(11, cancel(4, 1, 1 << 24, 0)), "11: InvalidCombination 2 detail 0");
    assert_eq!(world.from(11, cancel(4, 0, 0, 0)), "11: InvalidCombination 2 detail 0");
    assert_eq!(world.from(11, cancel(5, 1, 0, 0)), "11: NotYourAccount 5 detail 0");
    assert_eq!(world.from(20, cancel(5, 1, 0, 0)), "20: UnknownOrder 2 detail 0");
    assert_eq!(world.from(20, cancel(5, 0, 1 << 24, 0)), "20: UnknownOrder 3 detail 0");
    assert_eq!(world.from(11, cancel(4, 0, 2 << 24, 0)), "11: UnknownOrder 3 detail 0");
    assert_eq!(world.from(11, cancel(4, 0, 1 << 24, 2)), "11: UnknownOrder 3 detail 0");
    let expected = "11: canceled! reason 1 left 5 done 0 | 10: canceled reason 1 left 5 done 0";
    assert_eq!(world.from(11, cancel(4, 0, 1 << 24, 1)), expected);
    assert_eq!(world.from(11, cancel(4, 1, 0, 0)), "11: UnknownOrder 2 detail 0");
}

// 3.8 and 4.10

#[test]
fn a_halted_market_takes_cancels_and_nothing_else() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 100);
    assert_eq!(world.state(9), "0: InvalidParameter 2");
    for (state, refused) in [(6, "Halted"), (5, "CancelOnly")] {
        assert_eq!(world.state(state), "0: done");
        assert_eq!(world.buy(ANNE, 5, 100), format!("10: {refused} 0 detail 0"));
        // Even an amend that only cancels by its total would be an amend.
        assert_eq!(world.amend(ANNE, 1, Some(4), None), format!("10: {refused} 0 detail 0"));
        assert_eq!(world.mark(101), "0: done");
    }
    assert_eq!(world.mass_cancel(ANNE, 1, 3, 0), "10: canceled! reason 2 left 5 done 0 | 10: swept! 1");
    assert_eq!(world.state(4), "0: done");
    assert_eq!(world.buy(ANNE, 5, 100), "10: accepted 2000000");
}

// 4.11 to 4.14 and 4.18

#[test]
fn a_market_order_takes_what_there_is_and_shows_no_price() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    assert_eq!(world.market(ANNE, 1, 1, 3), "10: NoLiquidity 0 detail 0");
    assert_eq!(world.market(ANNE, 1, 1, 2), "10: InvalidCombination 12 detail 0");
    world.sell(BEN, 2, 100);
    world.sell(BEN, 2, 5_000);
    let expected = [
        "10: accepted 3000002 at market",
        "10: taker! 2@100 left 3 fee 0 position 2",
        "20: maker 2@100 left 0 fee 0 position -2",
        "10: taker! 2@5000 left 1 fee 0 position 4",
        "20: maker 2@5000 left 0 fee 0 position -4",
        "10: canceled! reason 8 left 1 done 4",
    ];
    assert_eq!(world.market(ANNE, 1, 5, 3), expected.join(" | "));
}

#[test]
fn a_market_order_stops_at_the_band() {
    let mut world = World::roomy().banded(50_000).funded(1_000_000);
    world.sell(BEN, 2, 105);
    world.mark(99);
    // floor(99 * 1.05) = 103: what stands beyond the band is there, but out of reach.
    let answer = world.market(ANNE, 1, 1, 3);
    assert_eq!(answer, "10: accepted 2000001 at market | 10: canceled! reason 8 left 1 done 0");
    assert_eq!(world.market(ANNE, 1, 1, 4), "10: FokNotFillable 0 detail 0");
    // A market-to-limit would stand at 105.
    let above = format!("10: PriceAboveBand 2 detail {}", 103 * TICK);
    assert_eq!(world.market_to_limit(ANNE, 1, 1), above);
}

#[test]
fn a_band_is_rounded_inwards() {
    let mut world = World::roomy().banded(15_000).funded(1_000_000);
    // 98.5 to 101.5 around 100.
    assert_eq!(world.buy(ANNE, 1, 102), format!("10: PriceAboveBand 2 detail {}", 101 * TICK));
    assert_eq!(world.sell(ANNE, 1, 98), format!("10: PriceBelowBand 2 detail {}", 99 * TICK));
    assert_eq!(world.buy(ANNE, 1, 1), "10: accepted 1000000");
    assert_eq!(world.sell(ANNE, 1, 9_000), "10: accepted 2000001");
    let above = format!("10: PriceAboveBand 4 detail {}", 101 * TICK);
    assert_eq!(world.amend(ANNE, 3, None, Some(102)), above);
    // An order that the band has left behind may still shrink, and grow at its price.
    world.mark(9_500);
    assert_eq!(world.amend(ANNE, 4, Some(2), None), "10: modified! 2@9000 left 2 status 1 lost");
}

#[test]
fn the_widest_band_still_starts_at_one_tick() {
    let mut world = World::roomy().banded(1_000_000).funded(1_000_000);
    assert_eq!(world.buy(ANNE, 1, 1), "10: accepted 1000000");
    let answer = world.market(BEN, 2, 2, 3);
    assert!(answer.starts_with("20: accepted 2000001 at market | 20: taker! 1@1 "), "{answer}");
}

#[test]
fn market_to_limit_rests_where_it_found_the_best() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    assert_eq!(world.market_to_limit(ANNE, 1, 3), "10: NoLiquidity 0 detail 0");
    world.sell(BEN, 1, 100);
    world.sell(BEN, 1, 101);
    let expected = "10: accepted 3000002 at 100 | 10: taker! 1@100 left 2 fee 0 position 1 | \
                    20: maker 1@100 left 0 fee 0 position -1";
    assert_eq!(world.market_to_limit(ANNE, 1, 3), expected);
    assert_eq!(world.model.best(1, true), Some(100));
}

#[test]
fn a_market_orders_margin_is_that_of_its_walk() {
    // Nine lots, the last at 110: 90 of margin, and slippage 9 * 10.
    let setting = |funds: i64| {
        let mut world = World::roomy().listed(0, 0);
        world.deposit(5, 1_000_000);
        world.deposit(4, funds);
        world.sell(BEN, 5, 100);
        world.sell(BEN, 5, 110);
        world.sell(BEN, 5, 500);
        world
    };
    assert_eq!(setting(179).market(ANNE, 1, 9, 3), "10: InsufficientMargin 0 detail 1");
    assert!(setting(180).market(ANNE, 1, 9, 3).starts_with("10: accepted"));
    // Five lots at 100 cost no slippage, and one more reaches 110.
    assert!(setting(50).market(ANNE, 1, 5, 3).starts_with("10: accepted"));
    assert_eq!(setting(119).market(ANNE, 1, 6, 3), "10: InsufficientMargin 0 detail 1");
    // A walk that is better than the mark counts at the mark.
    let mut world = setting(1_000);
    world.mark(600);
    assert_eq!(world.market(ANNE, 1, 17, 3), "10: InsufficientMargin 0 detail 20");
}

#[test]
fn fill_or_kill_counts_what_the_prevention_lets_it_reach() {
    let fok = |stp_mode: u8| {
        let mut world = World::roomy().listed(0, 0).funded(1_000_000);
        world.sell(BEN, 2, 100);
        world.sell(ANNES_OTHER, 5, 100);
        world.sell(BEN, 3, 101);
        world.fok(ANNE, 1, 5, 101, stp_mode)
    };
    assert!(fok(1).starts_with("10: accepted 4000003 | 10: taker! 2@100 left 3"));
    for stops in [2, 4, 5] {
        assert_eq!(fok(stops), "10: FokNotFillable 0 detail 0");
    }
    let expected = [
        "10: accepted 4000003",
        "10: taker! 2@100 left 3 fee 0 position 2",
        "20: maker 2@100 left 0 fee 0 position -2",
        "11: canceled reason 3 left 5 done 0",
        "10: taker! 3@101 left 0 fee 0 position 5",
        "20: maker 3@101 left 0 fee 0 position -5",
    ];
    assert_eq!(fok(3), expected.join(" | "));
}

#[test]
fn post_only_refuses_and_slides() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.sell(BEN, 1, 100);
    assert_eq!(world.flagged(ANNE, 1, 100, 1), "10: WouldCross 0 detail 0");
    assert_eq!(world.flagged(ANNE, 1, 99, 1), "10: accepted 2000001 at 99");
    assert_eq!(world.flagged(ANNE, 1, 120, 2), "10: accepted 3000002 at 99");
    assert_eq!(world.flagged(BEN, 2, 5, 2), "20: accepted 4000003 at 100");
    assert_eq!(world.flagged(ANNE, 1, 99, 3), "10: InvalidCombination 14 detail 0");
    let ioc = world.order_with(ANNE, 1, 1, 99, |it| (it.tif, it.flags) = (3, 1.into()));
    assert_eq!(ioc, "10: InvalidCombination 12 detail 0");
}

#[test]
fn there_is_no_tick_to_slide_to_beyond_the_ends() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.sell(BEN, 1, 1);
    assert_eq!(world.flagged(ANNE, 1, 1, 2), "10: WouldCross 0 detail 0");
}

/// An instrument of one 1e-9 a tick, whose mark is two ticks below the highest price of all.
fn at_the_top() -> World {
    let mut world = World::roomy();
    let mut it = instrument();
    (it.tick_size, it.lot_size) = (1.into(), 1_000_000_000_000.into());
    it.mark = ((1 << 48) - 2).into();
    assert_eq!(world.venue(it), "0: done");
    world.funded(1_000_000_000_000_000_000)
}

#[test]
fn a_sell_slides_no_higher_than_the_highest_price() {
    let mut world = at_the_top();
    let flagged = |world: &mut World, who, side, price: i64, flags: u16| {
        world.order_with(who, side, 1, 0, |it| (it.price, it.flags) = (price.into(), flags.into()))
    };
    flagged(&mut world, BEN, 1, (1 << 48) - 1, 0);
    assert!(flagged(&mut world, ANNE, 2, 5, 2).starts_with("10: accepted 2000001"));
    assert_eq!(world.model.best(1, false), Some(1 << 48));
    world.mass_cancel(ANNE, 2, 3, 0);
    flagged(&mut world, BEN, 1, 1 << 48, 0);
    assert_eq!(flagged(&mut world, ANNE, 2, 5, 2), "10: WouldCross 0 detail 0");
}

#[test]
fn a_band_may_reach_beyond_what_a_price_can_show() {
    let mut world = World::roomy();
    let mut it = instrument();
    (it.mark, it.price_band_ppm) = ((9_000_000_000_000 * TICK).into(), 1_000_000.into());
    assert_eq!(world.venue(it), "0: done");
    let mut world = world.funded(1_000_000_000_000_000_000);
    assert_eq!(world.sell(BEN, 1, 9_223_372_036_854), "20: accepted 1000000");
    assert!(world.market(ANNE, 1, 1, 3).contains("taker! 1@9223372036854"));
    assert_eq!(world.buy(ANNE, 1, 9_223_372_036_854), "10: accepted 3000000");
}

#[test]
fn nothing_slides_to_a_price_that_cannot_be_shown() {
    let mut world = World::roomy();
    let mut it = instrument();
    it.mark = (9_000_000_000_000 * TICK).into();
    assert_eq!(world.venue(it), "0: done");
    let mut world = world.funded(1_000_000_000_000_000_000);
    assert_eq!(world.buy(BEN, 1, 9_223_372_036_854), "20: accepted 1000000");
    assert_eq!(world.flagged(ANNE, 2, 9_000_000_000_000, 2), "10: WouldCross 0 detail 0");
}

// 5.8

#[test]
fn every_mode_keeps_a_member_from_trading_with_itself() {
    let meet = |stp_mode: u8, qty: i64| {
        let mut world = World::roomy().listed(0, 0).funded(1_000_000);
        world.sell(ANNES_OTHER, 3, 100);
        world.sell(BEN, 1, 101);
        let answer = world.preventing(ANNE, 1, qty, 101, stp_mode);
        answer.strip_prefix("10: accepted 3000002 | ").expect("it is accepted").to_string()
    };
    let trade = |left: i64| {
        format!("10: taker! 1@101 left {left} fee 0 position 1 | 20: maker 1@101 left 0 fee 0 position -1")
    };
    let gone = "11: canceled reason 3 left 3 done 0";
    assert_eq!(meet(2, 4), "10: canceled! reason 3 left 4 done 0");
    assert_eq!(meet(3, 4), format!("{gone} | {}", trade(3)));
    assert_eq!(meet(4, 4), format!("{gone} | 10: canceled! reason 3 left 4 done 0"));
    assert_eq!(meet(5, 4), format!("{gone} | 10: modified! 1@101 left 1 status 1 kept | {}", trade(0)));
    assert_eq!(meet(5, 3), format!("{gone} | 10: canceled! reason 3 left 3 done 0"));
    let less = "11: modified 1@100 left 1 status 1 kept | 10: canceled! reason 3 left 2 done 0";
    assert_eq!(meet(5, 2), less);
}

#[test]
fn a_group_reaches_across_accounts_and_only_the_takers_mode_counts() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    let grouped = |world: &mut World, who, side, stp_mode, group: u32| {
        world.order_with(who, side, 1, 100, |it| (it.stp_mode, it.stp_group) = (stp_mode, group.into()))
    };
    grouped(&mut world, BEN, 2, 3, 7);
    let answer = grouped(&mut world, ANNE, 1, 2, 7);
    assert_eq!(answer, "10: accepted 2000001 | 10: canceled! reason 3 left 1 done 0");
    // A group of another number, no group, and no mode: all of them trade.
    for (stp_mode, group) in [(2, 8), (2, 0), (1, 7)] {
        assert!(grouped(&mut world, ANNE, 1, stp_mode, group).contains("taker! 1@100"));
        grouped(&mut world, BEN, 2, 3, 7);
    }
}

#[test]
fn a_group_means_nothing_to_another_owner_and_nobody_is_none() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    let (carl, dora) = ((30, 6), (40, 7));
    for ((session, account), owner) in [(carl, OWNER + 1), (dora, 0)] {
        world.venue(AccountCreate { name: [0; 16], account_id: account.into(), owner: owner.into() });
        world.session(session, account, Role::Trade);
        world.logon(session, 1, 1);
        world.deposit(account, 1_000_000);
    }
    world.venue(AccountCreate { name: [0; 16], account_id: 8.into(), owner: 0.into() });
    world.session(50, 8, Role::Trade);
    world.logon(50, 1, 1);
    world.deposit(8, 1_000_000);
    let mut grouped =
        |who, side| world.order_with(who, side, 1, 100, |it| (it.stp_mode, it.stp_group) = (2, 7.into()));
    for (maker, taker) in [(ANNE, carl), (carl, dora), (dora, (50, 8)), (dora, ANNE)] {
        grouped(maker, 2);
        assert!(grouped(taker, 1).contains("taker! 1@100"), "{maker:?} and {taker:?}");
    }
    grouped(ANNE, 2);
    assert!(grouped(BEN, 1).contains("canceled! reason 3"));
}

#[test]
fn a_decremented_market_order_shows_no_price() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.sell(ANNE, 1, 100);
    let answer = world.order_with(ANNE, 1, 3, 0, |it| {
        (it.ord_type, it.tif, it.stp_mode, it.price) = (2, 3, 5, NULL_I64.into());
    });
    let expected = [
        "10: accepted 2000001 at market",
        "10: canceled! reason 3 left 1 done 0",
        "10: modified! 2@market left 2 status 1 kept",
        "10: canceled! reason 8 left 2 done 0",
    ];
    assert_eq!(answer, expected.join(" | "));
}

#[test]
fn preventions_count_as_steps() {
    let mut world =
        World::open(Profile { matches_per_command: 2, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    for _ in 0..3 {
        world.sell(ANNES_OTHER, 1, 100);
    }
    let gone = "11: canceled reason 3 left 1 done 0";
    let answer = world.preventing(ANNE, 1, 1, 100, 3);
    assert_eq!(answer, format!("10: accepted 4000003 | {gone} | {gone}"));
    assert_eq!(world.go_on(4 << 24 | 3), gone);
    assert_eq!(world.model.best(1, true), Some(100));
}

// 5.20 to 5.22

#[test]
fn a_mass_cancel_is_refused_in_order() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.session(30, 4, Role::ReadOnly);
    world.logon(30, 1, 1);
    assert_eq!(world.mass_cancel((30, 4), 0, 0, 9), "30: mass Permission");
    assert_eq!(world.mass_cancel((10, 99), 0, 0, 9), "10: mass UnknownAccount");
    assert_eq!(world.mass_cancel((10, 5), 0, 0, 9), "10: mass NotYourAccount");
    assert_eq!(world.mass_cancel(ANNE, 7, 0, 9), "10: mass InvalidCombination");
    assert_eq!(world.mass_cancel(ANNE, 3, 0, 9), "10: mass InvalidSide");
    assert_eq!(world.mass_cancel(ANNE, 3, 4, 3), "10: mass InvalidSide");
    assert_eq!(world.mass_cancel(ANNE, 3, 3, 3), "10: mass InvalidCombination");
    let elsewhere = |scope: u8| MassCancel { instrument_id: 9.into(), ..mass_cancel(4, scope, 3, 1) };
    assert_eq!(world.from(10, elsewhere(3)), "10: mass UnknownInstrument");
    assert!(!world.model.is_blocked(4), "a refusal blocks nobody");
    assert_eq!(world.from(10, elsewhere(2)), "10: swept! 0");
    assert!(world.model.is_blocked(4));
}

#[test]
fn a_blocked_account_cancels_but_enters_nothing() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 100);
    world.buy(ANNE, 5, 99);
    let unused = MassCancel { underlying_id: 9.into(), ..mass_cancel(4, 4, 3, 1) };
    assert_eq!(world.from(11, unused), "11: swept! 0");
    assert_eq!(world.buy(ANNE, 1, 100), "10: AccountBlocked 0 detail 0");
    assert_eq!(world.amend(ANNE, 1, Some(1), None), "10: AccountBlocked 0 detail 0");
    assert_eq!(world.sell(BEN, 1, 101), "20: accepted 3000002");
    let cancel = tests::orders::cancel(4, 70, 1);
    assert_eq!(world.from(10, cancel), "10: canceled! reason 1 left 5 done 0");
    // The block goes before anything is canceled.
    let answer = world.mass_cancel(ANNE, 2, 3, 2);
    assert_eq!(answer, "10: canceled! reason 2 left 5 done 0 | 10: swept! 1");
    assert_eq!(world.buy(ANNE, 1, 100), "10: accepted 4000000");
}

#[test]
fn scopes_and_sides_name_orders_and_serials_order_them() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 1, 97);
    world.buy(ANNES_OTHER, 2, 98);
    world.buy(ANNE, 3, 99);
    world.sell(ANNE, 4, 101);
    world.buy(BEN, 5, 99);
    // The first order goes behind all others, but its serial stays the lowest.
    assert_eq!(world.amend(ANNE, 1, Some(7), Some(99)), "10: modified! 7@99 left 7 status 1 lost");
    let session =
        "10: canceled! reason 2 left 7 done 0 | 10: canceled! reason 2 left 3 done 0 | 10: swept! 2";
    assert_eq!(world.mass_cancel(ANNE, 1, 1, 0), session);
    let rest = "11: canceled reason 2 left 2 done 0 | 10: canceled! reason 2 left 4 done 0 | 10: swept! 2";
    assert_eq!(world.mass_cancel(ANNE, 3, 3, 0), rest);
    assert_eq!(world.model.open_orders().len(), 1);
}

#[test]
fn a_mass_cancel_goes_on_and_answers_its_sender_at_the_end() {
    let mut world =
        World::open(Profile { matches_per_command: 2, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    for ticks in [90, 91] {
        world.buy(ANNE, 1, ticks);
    }
    // As many as the cap, and nothing waits.
    assert!(world.mass_cancel(ANNE, 2, 3, 0).ends_with("10: swept! 2"));
    assert_eq!(world.model.continuation(), None);
    for ticks in [90, 91, 92] {
        world.buy(ANNES_OTHER, 1, ticks);
    }
    let told = "11: canceled reason 2 left 1 done 0";
    assert_eq!(world.mass_cancel(ANNE, 2, 3, 1), format!("{told} | {told}"));
    assert_eq!(world.model.continuation(), Some(0));
    assert_eq!(world.go_on(5 << 24), "");
    assert_eq!(world.go_on(0), format!("{told} | 10: swept! 3"));
    assert_eq!(world.go_on(0), "");
}

#[test]
fn the_engine_stops_when_something_comes_into_a_mass_cancel() {
    let mut world =
        World::open(Profile { matches_per_command: 1, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 1, 100);
    world.buy(ANNE, 1, 100);
    world.mass_cancel(ANNE, 2, 3, 0);
    let (seq, ts_ns, mut engine) = (world.seq + 1, world.ts_ns, world.engine);
    let message = bytes(Deposit::new_zeroed());
    let stops = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        heard::answer(&mut engine, seq, ts_ns, &Origin::venue(), &message)
    }));
    assert!(stops.is_err(), "5.6");
}

// 5.30 to 5.35

#[test]
fn an_amend_keeps_its_place_only_when_it_shrinks_where_it_stands() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    for _ in 0..3 {
        world.buy(ANNE, 5, 100);
    }
    assert_eq!(world.amend(ANNE, 1, None, None), "10: modified! 5@100 left 5 status 1 kept");
    assert_eq!(world.amend(ANNE, 1, Some(2), Some(100)), "10: modified! 2@100 left 2 status 1 kept");
    assert_eq!(world.amend(ANNE, 2, Some(6), None), "10: modified! 6@100 left 6 status 1 lost");
    // 1 first, then 3; 2 is the last now.
    let answer = world.order(BEN, 2, 8, 100, 3);
    let makers: Vec<&str> = answer.split(" | ").filter(|line| line.contains("maker")).collect();
    let expected = [
        "10: maker 2@100 left 0 fee 0 position 2",
        "10: maker 5@100 left 0 fee 0 position 7",
        "10: maker 1@100 left 5 fee 0 position 8",
    ];
    assert_eq!(makers, expected);
    // The total counts what is filled.
    assert_eq!(world.amend(ANNE, 2, Some(3), None), "10: modified! 3@100 left 2 status 2 kept");
    let gone = "11: canceled! reason 1 left 2 done 1 | 10: canceled reason 1 left 2 done 1";
    assert_eq!(world.amend(ANNES_OTHER, 2, Some(1), Some(7)), gone);
    assert_eq!(world.amend(ANNE, 2, None, None), "10: UnknownOrder 2 detail 0");
}

#[test]
fn an_amend_that_crosses_trades_as_a_taker_for_the_session_that_entered_it() {
    let mut world = World::roomy().listed(0, 500).funded(1_000_000);
    world.buy(ANNE, 5, 90);
    world.sell(BEN, 3, 100);
    let expected = [
        "11: modified! 5@101 left 5 status 1 lost",
        "10: modified 5@101 left 5 status 1 lost",
        "10: taker 3@100 left 2 fee 1 position 3",
        "20: maker 3@100 left 0 fee 0 position -3",
    ];
    assert_eq!(world.amend(ANNES_OTHER, 1, None, Some(101)), expected.join(" | "));
    assert_eq!(world.model.best(1, true), Some(101));
    assert_eq!(world.model.open_orders()[0].order_id, 1 << 24);
}

#[test]
fn an_amended_order_keeps_its_own_prevention() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.preventing(ANNE, 1, 5, 90, 2);
    world.sell(ANNE, 3, 100);
    let expected = "10: modified! 5@100 left 5 status 1 lost | 10: canceled! reason 3 left 5 done 0";
    assert_eq!(world.amend(ANNE, 1, None, Some(100)), expected);
}

#[test]
fn an_amend_posts_or_slides_only_at_a_new_price() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 99);
    world.sell(BEN, 5, 100);
    let flagged = |total, ticks, flags: u16| ModifyOrder { flags: flags.into(), ..amend(4, 1, total, ticks) };
    assert_eq!(world.from(10, flagged(None, Some(100), 3)), "10: InvalidCombination 9 detail 0");
    assert_eq!(world.from(10, flagged(None, Some(100), 1)), "10: WouldCross 0 detail 0");
    // Slid back to where it stands: no new price, and its place is kept unless it grows.
    assert_eq!(world.from(10, flagged(None, Some(100), 2)), "10: modified! 5@99 left 5 status 1 kept");
    assert_eq!(world.from(10, flagged(Some(6), Some(150), 2)), "10: modified! 6@99 left 6 status 1 lost");
    assert_eq!(world.from(10, flagged(Some(4), Some(98), 1)), "10: modified! 4@98 left 4 status 1 lost");
    assert_eq!(world.from(10, flagged(Some(4), Some(120), 2)), "10: modified! 4@99 left 4 status 1 lost");
}

#[test]
fn an_amend_is_refused_in_order() {
    let mut world = World::roomy().listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 99);
    let with = |change: fn(&mut ModifyOrder)| {
        let mut it = amend(4, 1, Some(6), Some(98));
        change(&mut it);
        it
    };
    let mut refused = |change: fn(&mut ModifyOrder)| world.from(10, with(change));
    assert_eq!(refused(|it| it.account_id = 9.into()), "10: UnknownAccount 11 detail 0");
    assert_eq!(refused(|it| it.account_id = 5.into()), "10: NotYourAccount 11 detail 0");
    assert_eq!(refused(|it| it.order_id = 1.into()), "10: InvalidCombination 2 detail 0");
    assert_eq!(refused(|it| it.flags = 4.into()), "10: InvalidCombination 9 detail 0");
    assert_eq!(refused(|it| it.instrument_id = 2.into()), "10: UnknownOrder 2 detail 0");
    assert_eq!(refused(|it| it.price = 0.into()), "10: PriceNotOnTick 4 detail 0");
    assert_eq!(refused(|it| it.qty = 0.into()), "10: QtyNotPositive 5 detail 0");
    let most = i64::from(i32::MAX);
    let large = format!("10: QtyTooLarge 5 detail {most}");
    assert_eq!(refused(|it| it.qty = i64::MAX.into()), large);
    assert_eq!(refused(|it| it.display_qty = 7.into()), "10: DisplayQtyInvalid 6 detail 0");
    assert_eq!(refused(|it| it.max_delay_us = 1.into()), "10: StaleRequest 8 detail 999999230");
    assert_eq!(refused(|_| ()), "10: modified! 6@98 left 6 status 1 lost");
}

#[test]
fn an_amend_needs_a_free_level_beside_its_own() {
    let mut world = World::open(Profile { levels: 1, ..Profile::ROOMY }).listed(0, 0).funded(1_000_000);
    world.buy(ANNE, 5, 99);
    assert_eq!(world.amend(ANNE, 1, None, Some(98)), "10: Capacity 0 detail 0");
    assert_eq!(world.amend(ANNE, 1, Some(6), None), "10: modified! 6@99 left 6 status 1 lost");
}

#[test]
fn an_amends_margin_takes_the_order_out_but_not_its_price() {
    // Ten lots at 100 and ten at 104 need 200, slippage 20 * 4 and no fees: 280.
    let mut world = World::roomy().listed(0, 0).funded(280);
    world.buy(ANNE, 10, 100);
    world.buy(ANNE, 10, 104);
    // The order leaves 40 of slippage for itself, and the other's 40 stay while it is the best bid.
    assert_eq!(world.amend(ANNE, 2, Some(11), None), "10: InsufficientMargin 0 detail 14");
    assert_eq!(world.amend(ANNE, 2, Some(14), Some(100)), "10: modified! 14@100 left 14 status 1 lost");
}

#[test]
fn an_amend_that_asks_for_less_is_admitted_to_the_poor() {
    let mut world = World::roomy().listed(0, 0).funded(100);
    world.buy(ANNE, 10, 100);
    world.mark(200);
    // 200 are required and 100 are there; slippage is none below the mark.
    assert_eq!(world.amend(ANNE, 1, Some(11), None), "10: InsufficientMargin 0 detail 120");
    assert_eq!(world.amend(ANNE, 1, None, Some(150)), "10: modified! 10@150 left 10 status 1 lost");
    assert_eq!(world.amend(ANNE, 1, Some(9), Some(300)), "10: InsufficientMargin 0 detail 980");
}

// 9.14 and 9.15

#[test]
fn a_group_has_a_thousand_members_and_not_one_more() {
    let profile = Profile { orders_per_account: 1_100, special_orders_per_account: 1_100, ..Profile::ROOMY };
    let mut world = World::open(profile).listed(0, 0).funded(1_000_000_000);
    let mut terms = MmpConfig::new_zeroed();
    (terms.account_id, terms.mmp_group) = (ANNE.1.into(), 1.into());
    (terms.window_ms, terms.count_limit) = (1.into(), 1.into());
    for limit in [&mut terms.qty_limit, &mut terms.delta_limit, &mut terms.vega_limit] {
        *limit = NULL_I64.into();
    }
    assert_eq!(world.from(ANNE.0, terms), "10: complete 0");
    let member = |it: &mut NewOrder| (it.flags, it.mmp_group) = (8.into(), 1.into());
    for _ in 0..1_000 {
        assert!(world.order_with(ANNE, 1, 1, 90, member).starts_with("10: accepted"));
    }
    assert_eq!(world.order_with(ANNE, 1, 1, 90, member), "10: OpenOrderLimit 15 detail 1000");
    assert!(world.buy(ANNE, 1, 89).starts_with("10: accepted"));
    // One fill takes all others away, far beyond the cap, and what did not belong to them trades on.
    let answer = world.sell(BEN, 5, 89);
    assert_eq!(answer.matches("10: canceled reason 4 left 1 done 0").count(), 999);
    let last = "10: group 1 breached reason 4 canceled 999";
    assert!(answer.ends_with(last), "{answer}");
    assert_eq!(
        world.go_on(1_002 << 24 | 1_001),
        "20: taker 1@89 left 3 fee 0 position -2 | 10: maker 1@89 left 0 fee 0 position 2"
    );
    assert_eq!(world.order_with(ANNE, 1, 1, 80, member), "10: MmpFrozen 15 detail 0");
}
