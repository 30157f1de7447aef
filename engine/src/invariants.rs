//! What always holds (section 7), derived twice from the open orders: once from the table of slots and once from the
//! books. For tests and restores; it reads everything and allocates.

use std::collections::BTreeMap;

use crate::continuation::Continuation;
use crate::expiry;
use crate::instrument::Instrument;
use crate::limits::GROUP_MEMBERS_MAX;
use crate::message::NULL_U64;
use crate::order::{Order, serial_of};
use crate::pool::NONE;
use crate::position::Position;
use crate::trading_state::{AuctionTimes, TradingState};
use crate::trigger::Triggers;
use crate::units::{Lots, Money, Side, TickLots};
use crate::venue::Venue;
use crate::window::Window;

/// Open orders of one account in one instrument, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Open {
    buy: Lots,
    sell: Lots,
    value: TickLots,
    orders: u32,
}

/// By the slot of the position entry.
type Sums = Vec<Open>;

/// Whether no two are the same.
fn are_unique<T: Ord>(mut items: Vec<T>) -> bool {
    items.sort_unstable();
    items.is_sorted_by(|one, next| one < next)
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Venue {
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_money()?;
        self.check_lots()?;
        self.check_books()?;
        self.check_triggers()?;
        let from_slots = self.sum(self.orders.iter())?;
        let from_books = self.sum(self.canonical_orders())?;
        must(from_slots == from_books, || "rule 7.3: slots and books hold different orders".to_string())?;
        self.check_open(&from_books)?;
        self.check_orders()?;
        self.check_special()?;
        self.check_expiries()?;
        self.check_icebergs()?;
        self.check_reduce_only()?;
        self.check_account_lists()?;
        self.check_quotes()?;
        self.check_closed_ids()?;
        self.check_groups()
    }

    /// Rule 7.1.
    fn check_money(&self) -> Result<(), String> {
        let total = self.accounts.iter().fold(Money::ZERO, |sum, (_, account)| sum + account.quote);
        must(total == self.deposits, || {
            format!("rule 7.1: balances sum to {}, deposits to {}", total.0, self.deposits.0)
        })
    }

    /// Rule 7.2, and that each account's entries stand in order and are all there are.
    fn check_lots(&self) -> Result<(), String> {
        let mut totals: BTreeMap<u32, Lots> = BTreeMap::new();
        let mut entries = 0;
        for (id, account) in self.accounts.iter() {
            let mut last = 0;
            for position in self.positions.of(account) {
                let placed = position.account == id && position.instrument > last;
                let held = self
                    .positions
                    .find(id, position.instrument)
                    .is_some_and(|slot| !position.is_empty() || self.positions.armed(slot) > 0);
                let placed = placed && held;
                must(placed, || format!("account {id}: a position entry is misplaced or empty"))?;
                let is_combo = self.instruments[position.instrument].is_combo;
                must(!is_combo || position.lots == Lots::ZERO, || {
                    format!("rule 11.7: account {id} holds lots of combo {}", position.instrument)
                })?;
                *totals.entry(position.instrument).or_default() += position.lots;
                last = position.instrument;
                entries += 1;
            }
        }
        must(entries == self.positions.len(), || "a position entry is in no account's list".to_string())?;
        match totals.iter().find(|(_, lots)| **lots != Lots::ZERO) {
            Some((instrument, lots)) => {
                Err(format!("rule 7.2: instrument {instrument} sums to {} lots", lots.0))
            }
            None => Ok(()),
        }
    }

    /// The ladders, and what a state says of its book. A taker that waits for its continuation is in none.
    fn check_books(&self) -> Result<(), String> {
        let mut levels = 0;
        for (id, instrument) in self.instruments.iter() {
            let book = &instrument.book;
            for side in [Side::Buy, Side::Sell] {
                self.levels.check(book.side(side), side)?;
                levels += self.levels.walk(book.side(side), side).count() as u32;
            }
            self.check_state(id, instrument)?;
            for (side, trigger_type) in Triggers::places() {
                let ladder = self.instruments.triggers(id).book(trigger_type).side(side);
                self.levels.check(ladder, side)?;
                levels += self.levels.walk(ladder, side).count() as u32;
            }
        }
        self.auctions.check()?;
        must(levels == self.levels.len(), || "a level is in no book".to_string())
    }

    /// Rule 7.4, and that only an auction has times.
    fn check_state(&self, id: u32, instrument: &Instrument) -> Result<(), String> {
        let (is_crossed, is_empty) = (instrument.book.is_crossed(), self.first_order(id).is_none());
        let holds = match (instrument.state, &self.continuation) {
            (TradingState::Open, Continuation::Uncrossing(work)) if work.instrument == id => {
                instrument.meets_at(work.ticks)
            }
            (TradingState::Expired, Continuation::Expiring(instrument)) if *instrument == id => !is_empty,
            (TradingState::Open, _) => !is_crossed,
            (TradingState::Expired, _) => is_empty,
            _ => true,
        };
        must(holds, || format!("rule 7.4: the book of instrument {id} does not suit its state"))?;
        let times = *self.instruments.auction(id);
        let is_timed = times != AuctionTimes::NONE;
        let timer = self.auctions.of(id).map(|timer| (timer.due_ns, timer.rank));
        let timed = is_timed.then_some((times.due_ns(), u64::from(id)));
        must(is_timed == (instrument.state == TradingState::Auction) && timer == timed, || {
            format!("rule 10.5: instrument {id} has the times of an auction, or lacks them")
        })
    }

    /// Armed orders stand where their triggers say, and are counted; triggers are at rest (rule 8.33) but where work waits.
    fn check_triggers(&self) -> Result<(), String> {
        let mut held = vec![0; self.positions.slots_end()];
        let (mut orders, mut levels) = (0, 0);
        for (id, instrument) in self.instruments.iter() {
            let triggers = self.instruments.triggers(id);
            let before = orders;
            for (side, trigger_type) in Triggers::places() {
                let book = triggers.book(trigger_type);
                levels += self.levels.walk(book.side(side), side).count() as u32;
                for slot in book.queue(&self.levels, &self.orders, side) {
                    let order = self.orders.at(slot);
                    let placed = self.trigger_of(order).is_some_and(|trigger| {
                        trigger.trigger_type == trigger_type
                            && trigger.condition.waits_on(order.side()) == side
                    });
                    let position = self.positions.at(order.position);
                    must(placed && position.instrument == id, || {
                        format!("order {} waits for another trigger", order.id)
                    })?;
                    held[order.position as usize] += 1;
                    orders += 1;
                }
            }
            must(instrument.armed == orders - before, || {
                format!("instrument {id} miscounts its armed orders")
            })?;
            self.check_rest(id)?;
        }
        let armed = self.orders.iter().filter(|order| self.orders.is_armed(order)).count();
        must(armed as u32 == orders, || "an armed order waits nowhere".to_string())?;
        must((0..).zip(held).all(|(slot, count)| self.positions.armed(slot) == count), || {
            "a position entry miscounts its armed orders".to_string()
        })?;
        must(self.levels.kept_back == orders - levels, || {
            format!("{} levels are kept back for {orders} armed orders", self.levels.kept_back)
        })
    }

    fn check_rest(&self, instrument: u32) -> Result<(), String> {
        let traded = &self.instruments[instrument].traded;
        let mut rested = *traded;
        rested.come_to_rest();
        let (due, rests) = (self.due_trigger(instrument).is_some(), *traded == rested);
        let holds = match self.continuation {
            Continuation::Triggers(id) if id == instrument => due,
            Continuation::Taker(id) => {
                let at_work = |order: &Order| self.positions.at(order.position).instrument == instrument;
                self.orders.by_id(id).is_some_and(at_work) || !due && rests
            }
            Continuation::Uncrossing(work) if work.instrument == instrument => true,
            _ => !due && rests,
        };
        must(holds, || format!("rule 8.33: the triggers of instrument {instrument} are not at rest"))
    }

    fn sum<'a>(&self, orders: impl Iterator<Item = &'a Order>) -> Result<Sums, String> {
        let mut sums = vec![Open::default(); self.positions.slots_end()];
        for order in orders {
            let Position { account, instrument, .. } = *self.positions.at(order.position);
            let open = &mut sums[order.position as usize];
            open.orders += 1;
            if self.orders.is_armed(order) {
                continue;
            }
            match order.side() {
                Side::Buy => open.buy += order.leaves(),
                Side::Sell => open.sell += order.leaves(),
            }
            open.value += order.ticks * order.leaves();
            for leg in self.instruments.legs(instrument).iter() {
                let Some(slot) = self.positions.find(account, leg.instrument) else {
                    return Err(format!("rule 7.3: order {} has a leg without an entry", order.id));
                };
                let open = &mut sums[slot as usize];
                match leg.side(order.side()) {
                    Side::Buy => open.buy += leg.lots(order.leaves()),
                    Side::Sell => open.sell += leg.lots(order.leaves()),
                }
            }
        }
        Ok(sums)
    }

    /// Rule 7.3.
    fn check_open(&self, sums: &Sums) -> Result<(), String> {
        let mut counted = 0;
        for (id, account) in self.accounts.iter() {
            let mut orders = 0;
            for slot in self.positions.slots_of(account) {
                let (position, open) = (self.positions.at(slot), sums[slot as usize]);
                let kept = (position.open_buy, position.open_sell, position.open_value);
                must(kept == (open.buy, open.sell, open.value), || {
                    format!(
                        "rule 7.3: account {id}, instrument {}: {kept:?} kept, {open:?} open",
                        position.instrument
                    )
                })?;
                orders += open.orders;
            }
            must(orders == account.open_orders(), || {
                format!("rule 7.3: account {id} has {orders} open orders")
            })?;
            counted += orders;
        }
        must(counted == self.orders.slots.used(), || "an order slot is taken by no open order".to_string())?;
        let mut entered = vec![0; self.sessions.len() as usize];
        self.orders.iter().for_each(|order| entered[order.session() as usize] += 1);
        let miscounts = |slot: u32| self.sessions.at(slot).open_orders != entered[slot as usize];
        match (0..self.sessions.len()).find(|slot| miscounts(*slot)) {
            Some(slot) => {
                Err(format!("rule 7.3: session {} miscounts its orders", self.sessions.at(slot).id))
            }
            None => Ok(()),
        }
    }

    /// Every order is found by both of its names and stands where it says.
    fn check_orders(&self) -> Result<(), String> {
        for order in self.orders.iter() {
            let account = self.positions.at(order.position).account;
            let is_of = |position| self.positions.at(position).account == account;
            let by_client_id = self.orders.by_client_id(account, order.cl_ord_id, is_of);
            // A quote stands in no index of client ids, but in its side of its position (rules 9.2 and 9.5).
            let named = if order.is_quote() {
                self.positions.at(order.position).quote(order.side()) == order.slot()
                    && by_client_id.is_none_or(|other| !other.is_quote())
            } else {
                by_client_id.map(|found| found.id) == Some(order.id)
            };
            let found = named && self.orders.by_id(order.id).is_some();
            must(found && self.orders.slots.contains(order.slot()), || {
                format!("order {} is not found", order.id)
            })?;
            let placed =
                order.id == self.continuation.taker() || self.levels.ticks(order.level) == order.ticks;
            let open = order.leaves() > Lots::ZERO && order.leaves() <= order.qty();
            must(placed && open, || format!("order {} is misplaced or done", order.id))?;
        }
        Ok(())
    }

    /// An iceberg that rests shows something, no other order says that it does.
    fn check_icebergs(&self) -> Result<(), String> {
        for order in self.orders.iter() {
            let terms = self.orders.terms(order);
            let rests = order.id != self.continuation.taker() && !self.orders.is_armed(order);
            let most = if rests { terms.display.min(order.leaves().0 as u32) } else { 0 };
            must(terms.shown <= most && (terms.shown == 0) == (most == 0), || {
                format!("order {} shows {} of at most {most}", order.id, terms.shown)
            })?;
        }
        Ok(())
    }

    /// Each position's list has its reduce-only orders that rest, by serial; and rule 7.5.
    fn check_reduce_only(&self) -> Result<(), String> {
        let rests = |order: &&Order| {
            let waits = order.id == self.continuation.taker() || self.orders.is_armed(order);
            order.is_reduce_only() && !waits
        };
        let (resting, mut listed) = (self.orders.iter().filter(rests).count(), 0);
        for position in self.accounts.iter().flat_map(|(_, account)| self.positions.of(account)) {
            let (mut last, mut before) = (0, NONE);
            for order in self.reduce_only_orders(position) {
                let terms = self.orders.terms(order);
                let (account, instrument) = (position.account, position.instrument);
                let owner = self.positions.at(order.position);
                let placed = rests(&order)
                    && (owner.account, owner.instrument) == (account, instrument)
                    && serial_of(order.id) > last
                    && terms.reduce_before == before;
                must(placed, || format!("order {} is misplaced among the reduce-only ones", order.id))?;
                (last, before, listed) = (serial_of(order.id), order.slot(), listed + 1);
            }
        }
        must(listed == resting, || "a reduce-only order is in no list".to_string())?;
        let active = |order: &&Order| order.is_reduce_only() && !self.orders.is_armed(order);
        let excess = self.orders.iter().filter(active).find(|order| {
            let reducible = self.positions.at(order.position).reducible(order.side());
            order.leaves() > reducible
        });
        excess.map_or(Ok(()), |order| Err(format!("rule 7.5: order {} has more than can reduce", order.id)))
    }

    /// Who is special has terms of its own, nobody else has, and both are counted (rules 8.40 and 8.41).
    fn check_special(&self) -> Result<(), String> {
        let (mut places, mut held) = (Vec::new(), BTreeMap::<u32, u32>::new());
        for order in self.orders.iter() {
            let terms = self.orders.terms(order);
            let rests = order.tif().rests();
            let belongs = order.is_member() && !order.is_quote();
            let has_more = terms.expire_ns != NULL_U64 || terms.display != 0 || terms.trigger_type != 0;
            let is_special = has_more || belongs || order.is_reduce_only() && rests;
            if order.is_special() {
                places.push(order.terms_place());
            }
            must(order.is_special() == is_special && !(is_special && order.is_quote()), || {
                format!("rule 8.40: order {} has terms that are not its own, or lacks them", order.id)
            })?;
            if is_special {
                *held.entry(self.positions.at(order.position).account).or_default() += 1;
            }
        }
        let (special, count) = (self.orders.special(), places.len());
        must(count == special as usize && special <= self.limits.special_orders, || {
            format!("rule 8.41: {count} orders are special, {special} terms are taken")
        })?;
        must(are_unique(places), || "rule 8.40: two orders share their terms".to_string())?;
        let miscounted = self.accounts.iter().map(|(id, _)| id).find(|id| {
            let counted = self.accounts.special_orders(*id);
            let held = held.get(id).copied().unwrap_or_default();
            counted != held || held > self.limits.special_orders_per_account
        });
        miscounted.map_or(Ok(()), |id| Err(format!("rule 8.41: account {id} miscounts its special orders")))
    }

    /// Each expiry has its timer, and there are no others.
    fn check_expiries(&self) -> Result<(), String> {
        let mut expiring = 0;
        for order in self.orders.iter() {
            let expire_ns = self.orders.terms(order).expire_ns;
            let place = order.is_special().then(|| order.terms_place());
            let timer = place.and_then(|place| self.expiries.of(place));
            let kept = timer.map_or(NULL_U64, |timer| timer.due_ns);
            let ranked = timer.is_none_or(|timer| timer.rank == order.id);
            must(kept == expire_ns && ranked && expiry::suits(order.tif(), expire_ns), || {
                format!("order {} ends at {expire_ns}, its timer is due at {kept}", order.id)
            })?;
            expiring += usize::from(timer.is_some());
        }
        must(expiring == self.expiries.len(), || "a timer is of no open order".to_string())?;
        self.expiries.check()
    }

    /// What a position calls its quotes is as many as there are.
    fn check_quotes(&self) -> Result<(), String> {
        let positions = self.accounts.iter().flat_map(|(_, account)| self.positions.of(account));
        let named = positions
            .flat_map(|position| [position.quote(Side::Buy), position.quote(Side::Sell)])
            .filter(|slot| *slot != NONE)
            .count();
        let open = self.orders.iter().filter(|order| order.is_quote()).count();
        must(named == open, || format!("rule 9.2: {named} quotes are named, {open} are open"))
    }

    /// Each group has its members, all of them, by serial, and the sum of its slices (rules 9.11, 9.12 and 9.15).
    fn check_groups(&self) -> Result<(), String> {
        let mut listed = 0;
        for group in self.groups.iter() {
            let slot = self.groups.find(group.account, group.number).unwrap_or(NONE);
            let (mut last, mut youngest, mut members, mut next) = (0, NONE, 0, group.oldest);
            while next != NONE {
                let order = self.orders.at(next);
                let member = self.membership(order);
                let owner = self.positions.at(order.position).account;
                let named = order.is_member() && member.group == slot;
                let placed = named && owner == group.account && serial_of(order.id) > last;
                must(placed && member.before == youngest, || {
                    format!("order {} is misplaced in its group", order.id)
                })?;
                (last, youngest, members) = (serial_of(order.id), order.slot(), members + 1);
                next = member.after;
            }
            let whole = youngest == group.youngest && members == group.members;
            must(whole && members <= GROUP_MEMBERS_MAX, || {
                format!("a group counts {} members", group.members)
            })?;
            let window =
                Window::restore(group.terms.window_ms, group.window.newest(), &group.window.slices());
            must(window.sum() == group.window.sum(), || "a window does not sum up".to_string())?;
            listed += members;
        }
        let grouped = self.orders.iter().filter(|order| order.is_member()).count();
        must(grouped == listed as usize, || format!("{grouped} orders are in groups that list {listed}"))
    }

    /// Each account's list has its orders, all of them, by serial. Its count was compared in `check_open`.
    fn check_account_lists(&self) -> Result<(), String> {
        for (id, account) in self.accounts.iter() {
            let (mut last, mut youngest, mut listed) = (0, NONE, 0);
            for order in self.orders.listed_from(account.oldest) {
                let owner = self.positions.at(order.position).account;
                must(owner == id && serial_of(order.id) > last, || {
                    format!("account {id}: order {} is misplaced in its list", order.id)
                })?;
                (last, youngest, listed) = (serial_of(order.id), order.slot(), listed + 1);
            }
            must(youngest == account.youngest && listed == account.open_orders(), || {
                format!("account {id}: its list ends early or late")
            })?;
        }
        Ok(())
    }

    /// Rule 12.1: every closed id is found by its name and is the only one of it, and its order is not open.
    fn check_closed_ids(&self) -> Result<(), String> {
        let window = &self.closed_ids;
        let held = window.entered().min(u64::from(self.limits.closed_ids));
        must(u64::from(window.len()) == held, || format!("rule 12.1: the window holds {}", window.len()))?;
        must(window.sum() == window.recomputed_sum(), || "the sum of the closed ids is another".to_string())?;
        let mut serials: Vec<u64> = self.orders.iter().map(|order| serial_of(order.id)).collect();
        for closed in window.iter() {
            let is_of = |position| self.positions.at(position).account == closed.account;
            let open = self.orders.by_client_id(closed.account, closed.cl_ord_id, is_of);
            let found = window.find(closed.account, closed.cl_ord_id) == Some(closed.order_id);
            must(found && open.is_none(), || {
                format!("rule 12.1: order {} is misplaced among the closed ids", closed.order_id)
            })?;
            serials.push(serial_of(closed.order_id));
        }
        must(are_unique(serials), || "rule 12.1: two orders share a serial".to_string())
    }
}
