//! 8.30 to 8.34: orders that wait until a price is reached, and what becomes of them then.

use super::iceberg::display;
use super::matching::{Waiting, rests, serial};
use super::orders::*;
use super::time::expiry;
use super::*;

pub(super) const STOP_LIMIT: u8 = 4;
pub(super) const STOP_MARKET: u8 = 5;
const MARK: u8 = 1;
const INDEX: u8 = 2;
const LAST: u8 = 3;
const STOP: u8 = 1;
const TAKE_PROFIT: u8 = 2;

pub const SEEN: [&str; 13] = [
    "the mark rises to a trigger",
    "the mark falls to a trigger",
    "the index rises to a trigger",
    "the index falls to a trigger",
    "the last price rises to a trigger",
    "the last price falls to a trigger",
    "a trigger fires as it is entered",
    "a trigger fires after a match",
    "a trigger fires after another in one command",
    "a trigger fires as the market opens",
    "what fired rests",
    "what fired is refused",
    "a trigger's highest or lowest price is not the last",
];

/// What an armed order waits for, and what it is to be judged by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub kind: u8,
    pub condition: u8,
    /// In ticks.
    pub price: i128,
    pub flags: u16,
}

/// The lowest and the highest price matched since triggers last came to rest, and the last of all (8.32).
#[derive(Clone, Copy, Debug)]
pub struct Matched {
    lowest: i128,
    highest: i128,
    pub last: i128,
}

impl Model {
    pub(super) fn new_trigger(&mut self, now: &Now, session: &Session, it: &NewTriggerOrder) {
        let order = match self.arm(now, session, it) {
            Ok(order) => order,
            Err(why) => {
                let (instrument, account) = (it.instrument_id.get(), it.account_id.get());
                let (template, cl_ord_id) = (NewTriggerOrder::TEMPLATE, it.cl_ord_id.get());
                return self.reject(now, template, cl_ord_id, instrument, account, why);
            }
        };
        self.enter(session, &order);
        let price = self.price9(&order);
        self.tell(now, order.session, |stamp| OrderAccepted {
            ord_type: it.ord_type,
            flags: it.flags,
            ..accepted(&stamp, &order, price, status::SUSPENDED)
        });
        self.armed.push(order);
    }

    /// 8.30 in order.
    fn arm(&self, now: &Now, session: &Session, it: &NewTriggerOrder) -> Result<Order, Refusal> {
        use Reject::*;
        let (account, id) = (it.account_id.get(), it.instrument_id.get());
        demand(session.role == Role::Trade, Permission, 0)?;
        self.own_account(session, account, 7)?;
        let instrument = self.instruments.get(&id).ok_or(refusal(UnknownInstrument, 6))?;
        let flags = it.flags.get();
        let market = it.ord_type == STOP_MARKET;
        trigger_form(it, instrument.is_combo())?;
        let limit = if market {
            demand(it.price.get() == NULL_I64, PriceForbidden, 2)?;
            0
        } else {
            demand(it.price.get() != NULL_I64, PriceRequired, 2)?;
            in_ticks(instrument, it.price.get(), 2)?
        };
        demand(it.trigger_price.get() != NULL_I64, PriceRequired, 17)?;
        let price = in_ticks(instrument, it.trigger_price.get(), 17)?;
        let qty = quantity(instrument, it.qty.get(), 3)?;
        let display = display(it.display_qty.get(), !market && rests(it.tif), qty)?;
        let expiry = expiry(now, it.tif, it.expire_time.get())?;
        self.unused_id(session, account, it.cl_ord_id.get())?;
        in_time(now, it.max_delay_us.get(), 9)?;
        self.moves()?;
        self.may_enter(account, id, true)?;
        let order = Order {
            order_id: self.next_order_id(),
            cl_ord_id: it.cl_ord_id.get(),
            session: now.origin.session.get(),
            account,
            instrument: id,
            buy: it.side == 1,
            market,
            tif: it.tif,
            stp_mode: it.stp_mode,
            stp_group: it.stp_group.get(),
            price: limit,
            qty,
            leaves: qty,
            expiry,
            display,
            shown: 0,
            quote: false,
            group: 0,
            reduce_only: flags & REDUCE_ONLY != 0,
            trigger: Some(Trigger { kind: it.trigger_type, condition: it.condition, price, flags }),
        };
        self.has_room(&order)?;
        Ok(order)
    }

    /// 8.32.
    pub(super) fn note_match(&mut self, instrument: u32, price: i128) {
        let known = &mut self.instruments.get_mut(&instrument).expect("it matched").matched;
        let before = known.unwrap_or(Matched { lowest: price, highest: price, last: price });
        let (lowest, highest) = (before.lowest.min(price), before.highest.max(price));
        *known = Some(Matched { lowest, highest, last: price });
    }

    /// 8.33. It looks after every command: where none of its reasons holds, nothing can be due.
    pub(super) fn look_at_triggers(&mut self, now: &Now) {
        let open = self.instruments.iter().filter(|(_, it)| it.state == states::OPEN);
        let mut fired = 0;
        for id in open.map(|(id, _)| *id).collect::<Vec<u32>>() {
            while self.waiting.is_none() {
                let Some(order) = self.first_due(id) else {
                    self.come_to_rest(id);
                    break;
                };
                if self.at_the_cap() {
                    self.waiting = Some(Waiting::Triggers);
                    break;
                }
                self.steps += 1;
                fired += 1;
                self.note_fire(&order, fired);
                self.fire(now, order);
            }
        }
    }

    fn note_fire(&mut self, order: &Order, fired: u32) {
        let it = order.trigger.expect("it is armed");
        self.note(SEEN[usize::from(it.kind - 1) * 2 + usize::from(!rises(order))]);
        let first = self.events.first().map_or(0, |event| template(&event[ROUTE_BYTES..]));
        let entered = serial(order) == self.serial && first == OrderAccepted::TEMPLATE;
        let reasons = [
            (entered, SEEN[6]),
            (first != Confirmed::TEMPLATE && !entered, SEEN[7]),
            (fired > 1, SEEN[8]),
            (self.has_opened, SEEN[9]),
        ];
        for (_, name) in reasons.into_iter().filter(|reason| reason.0) {
            self.note(name);
        }
        let matched = self.instruments[&order.instrument].matched;
        let last_reaches = matched
            .is_some_and(|them| if rises(order) { them.last >= it.price } else { them.last <= it.price });
        if it.kind == LAST && !last_reaches {
            self.note(SEEN[12]);
        }
    }

    fn come_to_rest(&mut self, id: u32) {
        let instrument = self.instruments.get_mut(&id).expect("it exists");
        instrument.matched =
            instrument.matched.map(|Matched { last, .. }| Matched { lowest: last, highest: last, last });
    }

    fn first_due(&self, id: u32) -> Option<Order> {
        let due = self.armed.iter().filter(|order| order.instrument == id && self.is_due(order));
        due.min_by_key(|order| turn(order)).copied()
    }

    /// 8.32.
    fn is_due(&self, order: &Order) -> bool {
        let it = order.trigger.expect("it is armed");
        let (instrument, rising) = (&self.instruments[&order.instrument], rises(order));
        let reference = match it.kind {
            MARK => Some(instrument.mark),
            INDEX => instrument.index,
            _ => instrument.matched.map(|them| if rising { them.highest } else { them.lowest }),
        };
        reference.is_some_and(|price| if rising { price >= it.price } else { price <= it.price })
    }

    /// 10.3: those that are armed in an instrument, in the order of 8.33.
    pub(super) fn armed_in(&self, id: u32) -> Vec<Order> {
        let mut armed: Vec<Order> = self.armed.iter().filter(|it| it.instrument == id).copied().collect();
        armed.sort_by_key(turn);
        armed
    }

    /// 8.34.
    fn fire(&mut self, now: &Now, armed: Order) {
        self.armed.retain(|order| order.order_id != armed.order_id);
        let flags = armed.trigger.expect("it was armed").flags;
        let limit = if armed.market { None } else { Some(armed.price) };
        let order = Order { trigger: None, ..armed };
        let judged = self.may_enter(order.account, order.instrument, false);
        match judged.and_then(|()| self.judge(order, flags, limit, false)) {
            Ok(order) => {
                let price = self.price9(&order);
                self.tell(now, order.session, |stamp| OrderModified {
                    status: status::TRIGGERED,
                    ..modification(&stamp, &order, price, order.cl_ord_id, false)
                });
                self.meet(now, order);
                if self.orders.iter().any(|it| it.order_id == order.order_id) {
                    self.note(SEEN[10]);
                }
            }
            Err(why) => {
                self.note(SEEN[11]);
                let why = Refusal { order_id: armed.order_id, ..why };
                self.tell(now, armed.session, |stamp| {
                    let Order { cl_ord_id, instrument, account, .. } = armed;
                    rejection(&stamp, NewTriggerOrder::TEMPLATE, cl_ord_id, instrument, account, why)
                });
                self.close_id(&armed);
            }
        }
    }
}

/// What 8.30 makes of 4.4.
fn trigger_form(it: &NewTriggerOrder, combo: bool) -> Outcome {
    use Reject::*;
    let flags = it.flags.get();
    demand(it.side == 1 || it.side == 2, InvalidSide, 10)?;
    let known = it.ord_type == STOP_LIMIT || it.ord_type == STOP_MARKET;
    demand(known && !combo, InvalidOrdType, 11)?;
    demand((DAY..=GTD).contains(&it.tif), InvalidTif, 12)?;
    demand(it.cl_ord_id.get() != 0, InvalidCombination, 1)?;
    demand((1..=5).contains(&it.stp_mode), InvalidCombination, 13)?;
    demand(known_flags(flags & !REDUCE_ONLY), InvalidCombination, 14)?;
    demand(it.mmp_group.get() == 0, InvalidCombination, 15)?;
    let as_if = if it.ord_type == STOP_MARKET { MARKET } else { LIMIT };
    demand(fits_tif(as_if, it.tif, flags), InvalidCombination, 12)?;
    demand(it.trail_offset.get() == NULL_I64, InvalidCombination, 18)?;
    demand(it.oco_group.get() == 0, InvalidCombination, 19)?;
    demand((MARK..=LAST).contains(&it.trigger_type), InvalidCombination, 20)?;
    demand((STOP..=TAKE_PROFIT).contains(&it.condition), InvalidCombination, 21)
}

/// 8.33: whose turn is first.
fn turn(order: &Order) -> (bool, u8, i128, u64) {
    let it = order.trigger.expect("it is armed");
    let rising = rises(order);
    (!rising, it.kind, if rising { it.price } else { -it.price }, serial(order))
}

/// 8.32: does it wait for a price to come up to it?
fn rises(order: &Order) -> bool {
    order.trigger.expect("it is armed").condition == if order.buy { STOP } else { TAKE_PROFIT }
}
