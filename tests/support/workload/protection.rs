//! Protection groups: their terms, their resets, the sensitivities that they count, and orders that join them.

use super::*;

const MMP: u16 = 8;
const GROUPS: [u16; 3] = [1, 2, 3];

impl Workload {
    pub(super) fn mmp_config(&mut self, model: &Model, ts_ns: u64) -> Step {
        let session = self.draw.of(&SESSIONS[..20]);
        let it = self.mmp_terms(session.1);
        self.send(model, ts_ns, session.0, it)
    }

    fn mmp_terms(&mut self, account: u32) -> MmpConfig {
        let mut it = MmpConfig::new_zeroed();
        self.cl_ord_id += 1;
        it.cl_ord_id = self.cl_ord_id.into();
        it.account_id = account.into();
        it.mmp_group = self.draw.of(&GROUPS).into();
        it.reset = u8::from(self.draw.one_in(8));
        it.window_ms = self.draw.of(&[1, 2, 20, 1_000, 3_600_000]).into();
        it.frozen_ms = self.draw.of(&[0, 1, 1, 5, 100, u32::MAX]).into();
        it.qty_limit = self.draw.of(&[NULL_I64, NULL_I64, 1, 5, 50, 1_000, 1 << 62]).into();
        it.delta_limit = self.draw.of(&[NULL_I64, 1, 20, 1 << 62]).into();
        it.vega_limit = self.draw.of(&[NULL_I64, 1, 20, 1 << 62]).into();
        it.count_limit = self.draw.of(&[0, 0, 1, 2, 3, 10]).into();
        it
    }

    pub(super) fn bad_mmp_config(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut session = self.draw.of(&SESSIONS[..20]);
        let mut it = self.mmp_terms(session.1);
        for _ in 0..1 + self.draw.one_in(8) as u32 {
            match self.draw.below(9) {
                0 => session = self.draw.of(&SESSIONS),
                1 => it.account_id = self.draw.of(&[0, 1, 3, 5, 30, u32::MAX]).into(),
                2 => it.mmp_group = 0.into(),
                3 => it.reset = self.draw.of(&[2, 255]),
                4 => it.window_ms = self.draw.of(&[0, 3_600_001, u32::MAX]).into(),
                5 => it.qty_limit = self.draw.of(&[0, -1, (1 << 62) + 1, i64::MIN + 1]).into(),
                6 => it.delta_limit = self.draw.of(&[0, -1, (1 << 62) + 1, i64::MAX]).into(),
                7 => it.vega_limit = self.draw.of(&[0, -1, (1 << 62) + 1, i64::MAX]).into(),
                _ => (it.reset, it.mmp_group) = (1, self.draw.of(&[1, 9, u16::MAX]).into()),
            }
        }
        self.send(model, ts_ns, session.0, it)
    }

    /// Ends a freeze that would last until a reset.
    pub(super) fn reset_frozen(&mut self, model: &Model, ts_ns: u64) -> Option<Step> {
        let far = ts_ns + 10_000_000_000;
        let groups = SESSIONS[..20].iter().flat_map(|session| GROUPS.map(|group| (session, group)));
        let frozen: Vec<_> =
            groups.filter(|(session, group)| model.is_frozen(session.1, *group, far)).collect();
        if frozen.is_empty() || self.draw.one_in(2) {
            return None;
        }
        let (session, group) = self.draw.of(&frozen);
        let mut it = self.mmp_terms(session.1);
        (it.mmp_group, it.reset) = (group.into(), 1);
        Some(self.send(model, ts_ns, session.0, it))
    }

    pub(super) fn sensitivity(&mut self, model: &Model, ts_ns: u64) -> Step {
        let mut it = Sensitivity::new_zeroed();
        let line = self.draw.of(&[1, 2, 6, 8]);
        let anywhere = self.any_instrument(model);
        it.instrument_id = self.draw.of(&[self.latest(model, line), anywhere]).into();
        let values = [0, 1_000_000, 1_000_000, -1_000_000, 333_333, -700_001];
        (it.delta, it.vega) = (self.draw.of(&values).into(), self.draw.of(&values).into());
        match self.draw.below(10) {
            0 => it.instrument_id = self.draw.of(&ODD_INSTRUMENTS).into(),
            1 => it.delta = self.draw.of(&BOUNDS).into(),
            2 => it.vega = self.draw.of(&BOUNDS).into(),
            _ => {}
        }
        self.privileged(model, ts_ns, Role::RiskModel, it)
    }

    /// Some orders are to be members of a group.
    pub(super) fn join_group(&mut self, order: &mut NewOrder) {
        if self.profile.features.mmp
            && order.ord_type == 1
            && matches!(order.tif, 1 | 2 | 5)
            && self.draw.one_in(6)
        {
            order.flags = (order.flags.get() | MMP).into();
            order.mmp_group = 1.into();
        }
    }

    /// Mostly one that the account has configured, or 0.
    pub(super) fn group_of(&mut self, model: &Model, account: u32) -> u16 {
        let known: Vec<u16> = GROUPS.into_iter().filter(|it| model.has_group(account, *it)).collect();
        let known = if known.is_empty() || self.draw.one_in(3) { 0 } else { self.draw.of(&known) };
        let any = self.draw.of(&GROUPS);
        if self.draw.one_in(20) { any } else { known }
    }
}

/// Of what a lot may move, and beyond them.
const BOUNDS: [i64; 6] =
    [1_000_000_000_000, 1_000_000_000_001, -1_000_000_000_000, -1_000_000_000_001, i64::MIN, i64::MAX];
