//! What was filled of a protection group lately (rule 9.12): sums over the slice of now and the sixteen before it. Time
//! comes with each fill; a slice that is too old is taken out of the sum when a later one is counted.

/// Slices that count together.
pub const SLICES: usize = 17;
const NS_PER_MS: u64 = 1_000_000;

/// Fills of a slice, or of all that count. `delta` and `vega` are in millionths of a lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    pub lots: u64,
    pub count: u64,
    pub delta: i128,
    pub vega: i128,
}

impl Fills {
    fn add(&mut self, other: &Fills) {
        self.lots += other.lots;
        self.count += other.count;
        self.delta += other.delta;
        self.vega += other.vega;
    }

    fn take(&mut self, other: &Fills) {
        self.lots -= other.lots;
        self.count -= other.count;
        self.delta -= other.delta;
        self.vega -= other.vega;
    }
}

#[derive(Clone, Copy)]
pub struct Window {
    slice_ns: u64,
    /// The number of the slice of the last fill, counted from time 0.
    newest: u64,
    /// Slice `n` stands at `n % SLICES`.
    slices: [Fills; SLICES],
    sum: Fills,
}

impl Window {
    pub fn new(window_ms: u32) -> Window {
        let slice_ns = (u64::from(window_ms) * NS_PER_MS).div_ceil(SLICES as u64 - 1);
        Window { slice_ns, newest: 0, slices: [Fills::default(); SLICES], sum: Fills::default() }
    }

    pub fn clear(&mut self) {
        (self.newest, self.slices, self.sum) = (0, [Fills::default(); SLICES], Fills::default());
    }

    /// Counts a fill of now, and gives all that counts.
    pub fn count(&mut self, ts_ns: u64, fill: &Fills) -> Fills {
        self.advance(ts_ns / self.slice_ns);
        self.slices[place(self.newest)].add(fill);
        self.sum.add(fill);
        self.sum
    }

    fn advance(&mut self, now: u64) {
        if now.saturating_sub(self.newest) >= SLICES as u64 {
            self.clear();
            self.newest = now;
        }
        while self.newest < now {
            self.newest += 1;
            let old = std::mem::take(&mut self.slices[place(self.newest)]);
            self.sum.take(&old);
        }
    }

    pub fn sum(&self) -> Fills {
        self.sum
    }

    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// From the oldest slice to that of the last fill.
    pub fn slices(&self) -> [Fills; SLICES] {
        std::array::from_fn(|index| self.slices[place(self.newest + 1 + index as u64)])
    }

    /// The window that said `newest` and `slices`.
    pub fn restore(window_ms: u32, newest: u64, slices: &[Fills; SLICES]) -> Window {
        let mut window = Window { newest, ..Window::new(window_ms) };
        for (index, fills) in slices.iter().enumerate() {
            window.slices[place(newest + 1 + index as u64)] = *fills;
            window.sum.add(fills);
        }
        window
    }

    /// Has the slice of the last fill begun by then?
    pub fn has_begun(&self, ts_ns: u64) -> bool {
        self.newest <= ts_ns / self.slice_ns
    }
}

fn place(slice: u64) -> usize {
    (slice % SLICES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against all fills that ever were.
    #[test]
    fn what_counts_is_this_slice_and_the_sixteen_before() {
        let mut window = Window::new(1);
        let (mut seed, mut ts_ns, mut all) = (1_u64, 0_u64, Vec::new());
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ts_ns += [0, 1, 62_499, 62_500, 700_000, 1_100_000][(seed >> 33) as usize % 6];
            let lots = (seed >> 40) % 9;
            let signed = i128::from(lots) - 4;
            let fill = Fills { lots, count: 1, delta: signed * 7, vega: -signed };
            all.push((ts_ns / 62_500, fill));
            let mut expected = Fills::default();
            let recent = all.iter().rev().take_while(|(slice, _)| slice + 16 >= ts_ns / 62_500);
            recent.for_each(|(_, fill)| expected.add(fill));
            assert_eq!(window.count(ts_ns, &fill), expected);
            let again = Window::restore(1, window.newest(), &window.slices());
            assert_eq!((again.sum(), again.slices()), (window.sum(), window.slices()));
        }
    }
}
