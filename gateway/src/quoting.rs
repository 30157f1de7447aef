//! The lines of a person who makes markets: both sides of some instruments at once, and what a group of them may trade before
//! it is taken out. Reads words; whether the numbers are sensible is the venue's to judge.

use engine::command::MmpConfig;
use zerocopy::little_endian::{I64, U32};

use crate::client::orders::{self, Quote};
use crate::decimal;

/// `SYMBOL BID ASK` any number of times, then `slide` and `group=N`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quoting {
    pub entries: Vec<(String, Quote, Quote)>,
    pub group: u16,
    pub flags: u16,
}

impl Quoting {
    /// `None` where a word is not where it belongs.
    pub fn read(words: &[&str]) -> Option<Quoting> {
        let mut quoting = Quoting::default();
        let options = words.iter().rev().take_while(|word| quoting.option(word)).count();
        for entry in words[..words.len() - options].chunks(3) {
            let [symbol, bid, ask] = entry else { return None };
            quoting.entries.push((symbol.to_string(), side(bid)?, side(ask)?));
        }
        (!quoting.entries.is_empty()).then_some(quoting)
    }

    fn option(&mut self, word: &str) -> bool {
        let group = word.strip_prefix("group=").and_then(|number| number.parse().ok());
        match (word, group) {
            ("slide", _) => self.flags = orders::POST_ONLY_SLIDE,
            (_, Some(group)) => self.group = group,
            _ => return false,
        }
        true
    }
}

/// `LOTS@PRICE`, or `none`; the outer `None` is a fault.
fn side(word: &str) -> Option<Quote> {
    if word == "none" {
        return Some(None);
    }
    let (lots, price) = word.split_once('@')?;
    Some(Some((lots.parse().ok()?, decimal::parse(price, 9).ok()?)))
}

/// `GROUP SECONDS FREEZE`, then limits by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    group: u16,
    window_ms: u32,
    frozen_ms: u32,
    qty: Option<i64>,
    delta: Option<i64>,
    vega: Option<i64>,
    count: u32,
}

impl Protection {
    pub fn read(words: &[&str]) -> Option<Protection> {
        let [group, window, freeze, limits @ ..] = words else { return None };
        let ms = |seconds: &str| u32::try_from(decimal::parse(seconds, 3).ok()?).ok();
        let protection = Protection {
            group: group.parse().ok()?,
            window_ms: ms(window)?,
            frozen_ms: ms(freeze)?,
            ..Protection::default()
        };
        limits.iter().try_fold(protection, |protection, limit| protection.with(limit))
    }

    fn with(self, limit: &str) -> Option<Protection> {
        let (name, number) = limit.split_once('=')?;
        Some(match name {
            "qty" => Protection { qty: Some(number.parse().ok()?), ..self },
            "delta" => Protection { delta: Some(number.parse().ok()?), ..self },
            "vega" => Protection { vega: Some(number.parse().ok()?), ..self },
            "count" => Protection { count: number.parse().ok()?, ..self },
            _ => return None,
        })
    }

    pub fn of(self, account: u32, cl_ord_id: u64) -> MmpConfig {
        let config = orders::protection(account, self.group, self.window_ms, self.frozen_ms, cl_ord_id);
        MmpConfig {
            qty_limit: self.qty.map_or(config.qty_limit, I64::new),
            delta_limit: self.delta.map_or(config.delta_limit, I64::new),
            vega_limit: self.vega.map_or(config.vega_limit, I64::new),
            count_limit: U32::new(self.count),
            ..config
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::message::NULL_I64;

    use super::*;

    #[test]
    fn quotes_are_read_three_words_at_a_time() {
        let read = |line: &str| Quoting::read(&line.split_whitespace().collect::<Vec<_>>());
        let one = read("A 5@1.5 none group=2 slide").expect("it is a line");
        assert_eq!(one.entries, [("A".to_string(), Some((5, 1_500_000_000)), None)]);
        assert_eq!((one.group, one.flags), (2, orders::POST_ONLY_SLIDE));
        let two = read("A 5@-1 6@2 B none none").expect("it is a line");
        assert_eq!((two.entries.len(), two.group, two.flags), (2, 0, 0));
        assert_eq!(two.entries[0].1, Some((5, -1_000_000_000)));
        for line in ["", "group=1", "A", "A 5@1", "A 5 6@2", "A 5@1 x@2", "A 5@1 6@2 fast", "slide A 5@1 6@2"]
        {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn limits_are_read_by_name() {
        let read = |line: &str| Protection::read(&line.split_whitespace().collect::<Vec<_>>());
        let config = read("3 1.5 0 qty=10 count=4 vega=2").expect("it is a line").of(9, 7);
        let times = (config.mmp_group.get(), config.window_ms.get(), config.frozen_ms.get(), config.reset);
        assert_eq!(times, (3, 1_500, 0, 0));
        let limits = [config.qty_limit, config.delta_limit, config.vega_limit].map(|limit| limit.get());
        assert_eq!((limits, config.count_limit.get()), ([10, NULL_I64, 2], 4));
        for line in ["", "1", "1 1", "x 1 1", "1 -1 1", "1 1 1 qty", "1 1 1 qty=x", "1 1 1 depth=1"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
