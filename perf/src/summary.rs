//! What a histogram of nanoseconds comes to: the five figures that are printed, as a line for people and as JSON.

use hdrhistogram::Histogram;

/// One minute; whatever takes longer counts as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// An empty histogram, exact to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub count: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
}

impl Summary {
    pub const TITLES: [&'static str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

    pub fn of(histogram: &Histogram<u64>) -> Summary {
        Summary {
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }

    fn figures(&self) -> [u64; 5] {
        [self.p50_ns, self.p90_ns, self.p99_ns, self.p999_ns, self.max_ns]
    }

    /// In microseconds, under `TITLES`.
    pub fn row(&self) -> String {
        self.figures().map(|ns| format!("{:>10.1}", ns as f64 / 1e3)).concat()
    }

    /// How many times `other` each figure is.
    pub fn ratios(&self, other: &Summary) -> [f64; 5] {
        let (these, others) = (self.figures(), other.figures());
        std::array::from_fn(|index| these[index] as f64 / others[index].max(1) as f64)
    }

    pub fn json(&self) -> String {
        let figures = Summary::TITLES.iter().zip(self.figures());
        let fields: Vec<String> = figures.map(|(title, ns)| format!("\"{title}\":{ns}")).collect();
        format!("{{\"count\":{},{}}}", self.count, fields.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_samples() {
        let mut samples = histogram();
        (1..=1000).for_each(|ns| samples.record(ns).expect("within the bounds"));
        let summary = Summary::of(&samples);
        assert_eq!((summary.p50_ns, summary.p90_ns, summary.p99_ns), (500, 900, 990));
        assert_eq!((summary.count, summary.max_ns), (1000, 1000));
        assert_eq!(summary.ratios(&summary), [1.0; 5]);
        assert_eq!(summary.json(), r#"{"count":1000,"p50":500,"p90":900,"p99":990,"p99.9":999,"max":1000}"#);
    }
}
