//! 9.10 to 9.16: groups of quotes and orders, every fill of theirs kept with its time, and what a breach does.

use super::*;

const MEMBERS_MAX: usize = 1_000;

/// The terms of one group and what was filled of it.
pub(super) struct Group {
    /// Who is told of a breach.
    session: u64,
    slice_ns: u64,
    frozen_ns: u64,
    qty_limit: Option<i128>,
    delta_limit: Option<i128>,
    vega_limit: Option<i128>,
    count_limit: Option<i128>,
    /// `NULL_U64` is until reset, 0 not at all.
    frozen_until: u64,
    fills: Vec<Fill>,
}

#[derive(Clone, Copy)]
struct Fill {
    ts_ns: u64,
    lots: i128,
    delta: i128,
    vega: i128,
}

impl Group {
    pub(super) fn is_frozen(&self, ts_ns: u64) -> bool {
        ts_ns < self.frozen_until
    }

    /// 9.13: the first limit that the window has reached.
    fn breach(&self, ts_ns: u64) -> Option<u8> {
        let slice = |at: u64| at / self.slice_ns;
        let counts = |fill: &&Fill| slice(fill.ts_ns) + 16 >= slice(ts_ns);
        let inside: Vec<&Fill> = self.fills.iter().filter(counts).collect();
        let lots: i128 = inside.iter().map(|fill| fill.lots).sum();
        let delta: i128 = inside.iter().map(|fill| fill.delta).sum();
        let vega: i128 = inside.iter().map(|fill| fill.vega).sum();
        let checks = [
            (mmp_reason::QTY, self.qty_limit, lots),
            (mmp_reason::COUNT, self.count_limit, inside.len() as i128),
            (mmp_reason::DELTA, self.delta_limit.map(|limit| limit * MILLION), delta.abs()),
            (mmp_reason::VEGA, self.vega_limit.map(|limit| limit * MILLION), vega.abs()),
        ];
        let reached = |check: &&(u8, Option<i128>, i128)| check.1.is_some_and(|limit| check.2 >= limit);
        checks.iter().find(reached).map(|check| check.0)
    }
}

impl Model {
    /// 9.10.
    pub(super) fn mmp_config(&mut self, now: &Now, session: &Session, it: &MmpConfig) {
        let outcome = self.configure(now, session, it);
        let code = outcome.err().map_or(0, |why| why.code);
        self.tell(now, now.origin.session.get(), |stamp| RequestComplete {
            exec_id: stamp.exec_id.into(),
            cl_ord_id: it.cl_ord_id,
            ref_seq: stamp.ref_seq.into(),
            count: 0.into(),
            code: code.into(),
            retry_after_ms: 0.into(),
        });
    }

    fn configure(&mut self, now: &Now, session: &Session, it: &MmpConfig) -> Outcome {
        let key = (it.account_id.get(), it.mmp_group.get());
        demand(session.role == Role::Trade, Reject::Permission, 0)?;
        self.own_account(session, key.0, 0)?;
        demand(key.1 != 0 && it.reset <= 1, Reject::InvalidCombination, 0)?;
        let window_ms = it.window_ms.get();
        demand(it.reset == 1 || (1..=3_600_000).contains(&window_ms), Reject::InvalidCombination, 0)?;
        for limit in [it.qty_limit, it.delta_limit, it.vega_limit] {
            let fits = limit.get() == NULL_I64 || (1..=1 << 62).contains(&limit.get());
            demand(fits, Reject::InvalidCombination, 0)?;
        }
        if it.reset == 1 {
            let group = self.groups.get_mut(&key).ok_or(refusal(Reject::MmpNotConfigured, 0))?;
            (group.frozen_until, group.fills) = (0, Vec::new());
            return Ok(());
        }
        let own = self.groups.keys().filter(|(account, _)| *account == key.0).count();
        let full = own >= 32 || self.groups.len() >= self.limits().mmp_groups as usize;
        demand(!full || self.groups.contains_key(&key), Reject::Capacity, 0)?;
        let limit = |limit: i64| (limit != NULL_I64).then_some(i128::from(limit));
        let group = Group {
            session: now.origin.session.get(),
            slice_ns: (u64::from(window_ms) * 1_000_000).div_ceil(16),
            frozen_ns: u64::from(it.frozen_ms.get()) * 1_000_000,
            qty_limit: limit(it.qty_limit.get()),
            delta_limit: limit(it.delta_limit.get()),
            vega_limit: limit(it.vega_limit.get()),
            count_limit: Some(it.count_limit.get().into()).filter(|limit| *limit != 0),
            frozen_until: 0,
            fills: Vec::new(),
        };
        self.groups.insert(key, group);
        Ok(())
    }

    /// 9.11 and 9.15.
    pub(super) fn may_join(&self, now: &Now, account: u32, group: u16, field: u16) -> Outcome {
        if group == 0 {
            return Ok(());
        }
        let known = self.groups.get(&(account, group)).ok_or(refusal(Reject::MmpNotConfigured, field))?;
        demand(!known.is_frozen(now.ts_ns), Reject::MmpFrozen, field)?;
        self.within_group(account, group, field)
    }

    /// 9.15.
    pub(super) fn within_group(&self, account: u32, group: u16, field: u16) -> Outcome {
        let members = self.orders.iter().filter(|order| order.account == account && order.group == group);
        if group != 0 && members.count() >= MEMBERS_MAX {
            return Err(with_detail(Reject::OpenOrderLimit, field, MEMBERS_MAX as i128));
        }
        Ok(())
    }

    /// 9.12 to 9.14: a fill of `order` as maker or in an auction.
    pub(super) fn count_fill(&mut self, now: &Now, order: &Order, lots: i128) {
        if order.group == 0 {
            return;
        }
        let instrument = self.instruments[&order.instrument];
        let sign = if order.buy { 1 } else { -1 };
        let group = self.groups.get_mut(&(order.account, order.group)).expect("9.11: it is configured");
        let (delta, vega) = (sign * instrument.delta * lots, sign * instrument.vega * lots);
        group.fills.push(Fill { ts_ns: now.ts_ns, lots, delta, vega });
        if let Some(reason) = group.breach(now.ts_ns) {
            self.freeze(now, order.account, order.group, reason);
        }
    }

    /// 9.14.
    fn freeze(&mut self, now: &Now, account: u32, id: u16, reason: u8) {
        let group = self.groups.get_mut(&(account, id)).expect("9.11: it is configured");
        let until = if group.frozen_ns == 0 { NULL_U64 } else { now.ts_ns.saturating_add(group.frozen_ns) };
        (group.frozen_until, group.fills) = (until, Vec::new());
        let told = group.session;
        let is_member = |order: &Order| order.account == account && order.group == id;
        let mut members: Vec<Order> = self.orders.iter().filter(|order| is_member(order)).copied().collect();
        members.sort_by_key(|order| order.order_id >> ORDER_SLOT_BITS);
        self.orders.retain(|order| !is_member(order));
        for order in &members {
            self.close_id(order);
            self.canceled(now, order.session, order, order.cl_ord_id, reason::MMP);
        }
        let canceled = members.len() as u32;
        self.steps += canceled;
        self.tell(now, told, |stamp| MmpTriggered {
            exec_id: stamp.exec_id.into(),
            match_time: stamp.match_time.into(),
            frozen_until: until.into(),
            account_id: account.into(),
            canceled: canceled.into(),
            mmp_group: id.into(),
            reason,
            pad_a: 0,
            pad_b: 0.into(),
        });
    }
}
