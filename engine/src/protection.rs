//! Market-maker protection (rules 9.10 to 9.16): groups of one account's quotes and orders, what was filled of them lately,
//! and the breach that takes them all away. An order that is in no group is told so by one bit of its own; nothing of
//! this file is looked at for it.

use zerocopy::little_endian::{U16, U32, U64};

use crate::command::{MmpConfig, Role};
use crate::emit::Voice;
use crate::event::{EventSink, MmpTriggered, RequestComplete, mmp_reason, reason};
use crate::limits::{GROUP_MEMBERS_MAX, GROUPS_PER_ACCOUNT_MAX};
use crate::message::{NULL_I64, NULL_U64};
use crate::order::{Membership, Order};
use crate::pool::{NONE, room};
use crate::refusal::{Refusal, must, refused};
use crate::reject::Reject;
use crate::table::{HashKey, Table};
use crate::units::Lots;
use crate::venue::Venue;
use crate::window::{Fills, Window};

/// What an account asked of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTerms {
    pub window_ms: u32,
    /// 0 is until reset.
    pub frozen_ms: u32,
    /// `NULL_I64` is none.
    pub qty_limit: i64,
    pub delta_limit: i64,
    pub vega_limit: i64,
    /// 0 is none.
    pub count_limit: u32,
}

const WINDOW_MS_MAX: u32 = 3_600_000;
const LIMIT_MAX: i64 = 1 << 62;
/// Limits of delta and vega are in whole lots, sums in millionths.
const MILLION: u128 = 1_000_000;
const NS_PER_MS: u64 = 1_000_000;

impl GroupTerms {
    pub fn has_window(&self) -> bool {
        (1..=WINDOW_MS_MAX).contains(&self.window_ms)
    }

    pub fn has_limits(&self) -> bool {
        [self.qty_limit, self.delta_limit, self.vega_limit]
            .into_iter()
            .all(|limit| limit == NULL_I64 || (1..=LIMIT_MAX).contains(&limit))
    }

    /// Rule 9.13: the first limit that was reached.
    pub fn breach(&self, sum: &Fills) -> Option<u8> {
        let reached = |limit: i64, unit: u128, sum: u128| limit != NULL_I64 && sum >= limit as u128 * unit;
        if reached(self.qty_limit, 1, sum.lots.into()) {
            Some(mmp_reason::QTY)
        } else if self.count_limit != 0 && sum.count >= self.count_limit.into() {
            Some(mmp_reason::COUNT)
        } else if reached(self.delta_limit, MILLION, sum.delta.unsigned_abs()) {
            Some(mmp_reason::DELTA)
        } else if reached(self.vega_limit, MILLION, sum.vega.unsigned_abs()) {
            Some(mmp_reason::VEGA)
        } else {
            None
        }
    }

    fn frozen_until(&self, ts_ns: u64) -> u64 {
        match self.frozen_ms {
            0 => NULL_U64,
            frozen_ms => ts_ns.saturating_add(u64::from(frozen_ms) * NS_PER_MS),
        }
    }
}

#[derive(Clone, Copy)]
pub struct Group {
    pub account: u32,
    pub number: u16,
    /// The session that is told of a breach.
    pub session: u32,
    pub terms: GroupTerms,
    /// 0 was never frozen, or was reset; `NULL_U64` is until reset.
    pub frozen_until: u64,
    pub window: Window,
    /// Its open members of the lowest and of the highest serial, and how many there are.
    pub oldest: u32,
    pub youngest: u32,
    pub members: u32,
}

impl Group {
    pub fn new(account: u32, number: u16, session: u32, terms: GroupTerms) -> Group {
        let window = Window::new(terms.window_ms);
        let (oldest, youngest, members) = (NONE, NONE, 0);
        Group { account, number, session, terms, frozen_until: 0, window, oldest, youngest, members }
    }

    /// Rule 9.14.
    pub fn is_frozen(&self, ts_ns: u64) -> bool {
        ts_ns < self.frozen_until
    }

    fn thaw(&mut self) {
        self.frozen_until = 0;
        self.window.clear();
    }
}

/// All protection groups of the venue. A group that was configured stays.
pub struct Groups {
    rows: Vec<Group>,
    by_name: Table,
    /// Slots by account, then number, for walks that must not depend on when a group was made.
    sorted: Vec<u32>,
    key: HashKey,
    capacity: u32,
}

impl Groups {
    pub fn new(capacity: u32, key: HashKey) -> Groups {
        let size = capacity as usize;
        let terms = GroupTerms {
            window_ms: 1,
            frozen_ms: 0,
            qty_limit: NULL_I64,
            delta_limit: NULL_I64,
            vega_limit: NULL_I64,
            count_limit: 0,
        };
        Groups {
            rows: room(size, Group::new(0, 0, 0, terms)),
            by_name: Table::new(capacity),
            sorted: room(size, NONE),
            key,
            capacity,
        }
    }

    pub fn find(&self, account: u32, number: u16) -> Option<u32> {
        self.by_name.find(self.hash(account, number), |slot| {
            let group = self.at(slot);
            group.account == account && group.number == number
        })
    }

    pub fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// May the account have one more (rule 9.10)?
    pub fn has_room(&self, account: u32) -> bool {
        let first = self.sorted.partition_point(|slot| self.at(*slot).account < account);
        let own = self.sorted[first..].iter().take_while(|slot| self.at(**slot).account == account);
        !self.is_full() && own.count() < GROUPS_PER_ACCOUNT_MAX as usize
    }

    pub fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// A group whose name is not taken, when the table is not full.
    pub fn create(&mut self, group: Group) {
        assert!(!self.is_full(), "a full table was given a group");
        let slot = self.len();
        let name = |group: &Group| (group.account, group.number);
        let place = self.sorted.partition_point(|other| name(self.at(*other)) < name(&group));
        self.rows.push(group);
        self.sorted.insert(place, slot);
        self.by_name.insert(self.hash(group.account, group.number), slot);
    }

    pub fn at(&self, slot: u32) -> &Group {
        &self.rows[slot as usize]
    }

    pub fn at_mut(&mut self, slot: u32) -> &mut Group {
        &mut self.rows[slot as usize]
    }

    /// All groups by account, then number.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.sorted.iter().map(|slot| self.at(*slot))
    }

    fn hash(&self, account: u32, number: u16) -> u32 {
        self.key.hash(u64::from(account), u64::from(number))
    }
}

/// What the loop that matched still works with when a fill is counted.
#[derive(Clone, Copy)]
pub struct Busy {
    /// The order that is on its way as a taker: no member until it rests. 0 is none.
    pub taker: u64,
    /// Entries that the loop itself gives back.
    pub positions: [u32; 2],
}

impl Venue {
    /// Rule 9.10.
    pub fn configure_group<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        sender: u32,
        request: &MmpConfig,
    ) {
        let outcome = self.try_configure(sender, request);
        let block = RequestComplete {
            exec_id: voice.exec_id(),
            cl_ord_id: request.cl_ord_id,
            ref_seq: voice.command.origin.client_seq,
            count: U32::new(0),
            code: U16::new(outcome.err().map_or(0, |refusal| refusal.reject.code())),
            retry_after_ms: U16::new(0),
        };
        voice.tell(self.sessions.at_mut(sender), block);
    }

    fn try_configure(&mut self, sender: u32, request: &MmpConfig) -> Result<(), Refusal> {
        let session = self.sessions.at(sender);
        must(session.role == Role::Trade, refused(Reject::Permission, 0))?;
        let (account, number) = (request.account_id.get(), request.mmp_group.get());
        self.check_account(session, account, 0)?;
        let terms = GroupTerms {
            window_ms: request.window_ms.get(),
            frozen_ms: request.frozen_ms.get(),
            qty_limit: request.qty_limit.get(),
            delta_limit: request.delta_limit.get(),
            vega_limit: request.vega_limit.get(),
            count_limit: request.count_limit.get(),
        };
        let resets = request.reset == 1;
        let makes_sense = number != 0 && request.reset <= 1 && (resets || terms.has_window());
        must(makes_sense && terms.has_limits(), refused(Reject::InvalidCombination, 0))?;
        let found = self.groups.find(account, number);
        match found {
            Some(slot) if resets => self.groups.at_mut(slot).thaw(),
            Some(slot) => {
                let group = self.groups.at_mut(slot);
                (group.session, group.terms, group.frozen_until) = (sender, terms, 0);
                group.window = Window::new(terms.window_ms);
            }
            None if resets => return Err(refused(Reject::MmpNotConfigured, 0)),
            None if !self.groups.has_room(account) => return Err(refused(Reject::Capacity, 0)),
            None => self.groups.create(Group::new(account, number, sender, terms)),
        }
        Ok(())
    }

    /// Rules 9.11 and 9.15 for a new member: the slot of its group, `NONE` for number 0.
    pub fn check_group(&self, account: u32, number: u16, ts_ns: u64, field: u16) -> Result<u32, Refusal> {
        if number == 0 {
            return Ok(NONE);
        }
        let slot = self.groups.find(account, number).ok_or(refused(Reject::MmpNotConfigured, field))?;
        self.check_frozen(slot, ts_ns, field)?;
        self.check_members(slot, field)?;
        Ok(slot)
    }

    /// Rule 9.14, of a group or `NONE`.
    pub fn check_frozen(&self, group: u32, ts_ns: u64, field: u16) -> Result<(), Refusal> {
        let is_frozen = group != NONE && self.groups.at(group).is_frozen(ts_ns);
        must(!is_frozen, refused(Reject::MmpFrozen, field))
    }

    /// Rule 9.15, of a group or `NONE`.
    pub fn check_members(&self, group: u32, field: u16) -> Result<(), Refusal> {
        let has_room = group == NONE || self.groups.at(group).members < GROUP_MEMBERS_MAX;
        let bound = i64::from(GROUP_MEMBERS_MAX);
        must(has_room, refused(Reject::OpenOrderLimit, field).with_detail(bound))
    }

    /// The slot of an order's group, or `NONE`.
    pub fn group_of(&self, order: &Order) -> u32 {
        if order.is_member() { self.membership(order).group } else { NONE }
    }

    /// The number of an order's group (rule 9.16).
    pub fn group_number(&self, order: &Order) -> u16 {
        if order.is_member() { self.groups.at(self.membership(order).group).number } else { 0 }
    }

    /// Where a member stands in its group. A quote's stands beside its position entry, so that makers need no special orders.
    #[cold]
    pub fn membership(&self, order: &Order) -> &Membership {
        if order.is_quote() {
            self.positions.membership(order.position, order.side())
        } else {
            &self.orders.terms(order).member
        }
    }

    fn membership_mut(&mut self, slot: u32) -> &mut Membership {
        let order = self.orders.at(slot);
        debug_assert!(order.is_member());
        if order.is_quote() {
            self.positions.membership_mut(order.position, order.side())
        } else {
            &mut self.orders.terms_at_mut(slot).member
        }
    }

    /// A member that has just been opened joins its group behind all others: it has the highest serial.
    pub fn join_group(&mut self, order: &Order) {
        let slot = self.membership(order).group;
        let group = self.groups.at_mut(slot);
        group.members += 1;
        let before = std::mem::replace(&mut group.youngest, order.slot());
        if before == NONE {
            group.oldest = order.slot();
        } else {
            self.membership_mut(before).after = order.slot();
        }
        *self.membership_mut(order.slot()) = Membership { group: slot, before, after: NONE };
    }

    /// A member that ends leaves its group.
    pub fn leave_group(&mut self, order: &Order) {
        let Membership { group: slot, before, after } = *self.membership(order);
        let group = self.groups.at_mut(slot);
        group.members -= 1;
        if before == NONE {
            group.oldest = after;
        }
        if after == NONE {
            group.youngest = before;
        }
        if before != NONE {
            self.membership_mut(before).after = after;
        }
        if after != NONE {
            self.membership_mut(after).before = before;
        }
    }

    /// Rules 9.12 and 9.13: `lots` of `order`, a member of `group`, were filled, as a maker or in an auction.
    pub fn count_fill<S: EventSink>(
        &mut self,
        voice: &mut Voice<'_, S>,
        group: u32,
        order: &Order,
        lots: Lots,
        busy: Busy,
    ) {
        let listing = self.instruments.listing(self.positions.at(order.position).instrument);
        let signed = i128::from(order.side().signed(lots).0);
        let fill = Fills {
            lots: lots.0 as u64,
            count: 1,
            delta: signed * i128::from(listing.delta),
            vega: signed * i128::from(listing.vega),
        };
        let row = self.groups.at_mut(group);
        let sum = row.window.count(voice.command.ts_ns, &fill);
        if let Some(reason) = row.terms.breach(&sum) {
            self.freeze(voice, group, reason, busy);
        }
    }

    /// Rule 9.14.
    fn freeze<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, group: u32, reason: u8, busy: Busy) {
        let row = self.groups.at_mut(group);
        let frozen_until = row.terms.frozen_until(voice.command.ts_ns);
        row.thaw();
        row.frozen_until = frozen_until;
        let (account, number, session) = (row.account, row.number, row.session);
        let canceled = self.cancel_members(voice, group, busy);
        let block = MmpTriggered {
            exec_id: voice.exec_id(),
            match_time: voice.time(),
            frozen_until: U64::new(frozen_until),
            account_id: U32::new(account),
            canceled: U32::new(canceled),
            mmp_group: U16::new(number),
            reason,
            pad_a: 0,
            pad_b: U32::new(0),
        };
        voice.tell(self.sessions.at_mut(session), block);
    }

    /// All members, in the order of their serials; how many they were. May pass the cap on steps.
    fn cancel_members<S: EventSink>(&mut self, voice: &mut Voice<'_, S>, group: u32, busy: Busy) -> u32 {
        let (mut next, mut canceled) = (self.groups.at(group).oldest, 0);
        while next != NONE {
            let order = *self.orders.at(next);
            next = self.membership(&order).after;
            if order.id == busy.taker {
                continue;
            }
            let (to, leaves) = (order.session(), order.leaves());
            self.tell_canceled(voice, to, &order, order.cl_ord_id, leaves, reason::MMP);
            self.remove(&order);
            self.leave_position_but(order.position, &busy.positions);
            self.take_step();
            canceled += 1;
        }
        canceled
    }
}
