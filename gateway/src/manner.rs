//! The words that a person puts behind a price: how long an order stays, what of it shows, and what it may not do. Reads
//! words and sets fields; whether they go together is the venue's to judge.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::command::NewOrder;
use zerocopy::little_endian::{I64, U16, U32, U64};

use crate::client::orders::{self, Tif};
use crate::decimal;

/// Lines of the shell's help.
pub const HELP: &str = "\
HOW, any of:
  ioc | fok                     what does not trade at once is canceled; all at once or nothing
  day | for=SECONDS             rests until the next 08:00 UTC; rests so long (otherwise: until canceled)
  post | slide                  refused if it would take; moved to where it would not
  show=LOTS                     an iceberg, which shows so much at a time
  reduce                        only ever brings the position nearer to flat
  stp=MODE[/N]                  of its own orders, or those of self-trade group N, that it meets: taker,
                                maker or both are canceled, or decrement both by the smaller
  group=N                       one of the orders that protection group N cancels together";

/// A hundred years are for ever.
const SECONDS_MAX: i64 = 100 * 366 * 86_400;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    tif: Option<Tif>,
    stays: Option<Duration>,
    display: Option<i64>,
    flags: u16,
    group: u16,
    /// Mode on the wire, and the group that prevention spans.
    self_trade: Option<(u8, u32)>,
}

const STP_MODES: [(&str, u8); 4] = [("taker", 2), ("maker", 3), ("both", 4), ("decrement", 5)];

impl Manner {
    /// `None` where a word is unknown, or says again what one before it said.
    pub fn read(words: &[&str]) -> Option<Manner> {
        words.iter().try_fold(Manner::default(), |manner, word| manner.and(word))
    }

    fn and(self, word: &str) -> Option<Manner> {
        match word.split_once('=') {
            None => match word {
                "ioc" => self.with_tif(Tif::Ioc),
                "fok" => self.with_tif(Tif::Fok),
                "day" => self.with_tif(Tif::Day),
                "post" => self.with_flag(orders::POST_ONLY),
                "slide" => self.with_flag(orders::POST_ONLY_SLIDE),
                "reduce" => self.with_flag(orders::REDUCE_ONLY),
                _ => None,
            },
            Some(("for", seconds)) => {
                let ms = decimal::parse(seconds, 3).ok()?;
                let stays =
                    (0..=1000 * SECONDS_MAX).contains(&ms).then(|| Duration::from_millis(ms as u64))?;
                Some(Manner { stays: Some(stays), ..self.with_tif(Tif::Gtd)? })
            }
            Some(("show", lots)) if self.display.is_none() => {
                Some(Manner { display: Some(lots.parse().ok()?), ..self })
            }
            Some(("stp", said)) if self.self_trade.is_none() => {
                let (name, group) = said.split_once('/').unwrap_or((said, "0"));
                let (_, mode) = STP_MODES.iter().find(|(known, _)| *known == name)?;
                Some(Manner { self_trade: Some((*mode, group.parse().ok()?)), ..self })
            }
            Some(("group", number)) => {
                let group = number.parse().ok().filter(|group| *group != 0)?;
                Some(Manner { group, ..self.with_flag(orders::MMP)? })
            }
            Some(_) => None,
        }
    }

    fn with_tif(self, tif: Tif) -> Option<Manner> {
        self.tif.is_none().then_some(Manner { tif: Some(tif), ..self })
    }

    fn with_flag(self, flag: u16) -> Option<Manner> {
        (self.flags & flag == 0).then_some(Manner { flags: self.flags | flag, ..self })
    }

    /// The order with what was said; what was not said stays as it is. Seconds count from `now`.
    pub fn of(self, order: NewOrder, now: SystemTime) -> NewOrder {
        let expires = self.stays.map(|stays| now.duration_since(UNIX_EPOCH).unwrap_or_default() + stays);
        NewOrder {
            tif: self.tif.map_or(order.tif, |tif| tif as u8),
            expire_time: expires.map_or(order.expire_time, |at| U64::new(at.as_nanos() as u64)),
            display_qty: self.display.map_or(order.display_qty, I64::new),
            flags: U16::new(order.flags.get() | self.flags),
            mmp_group: U16::new(self.group),
            stp_mode: self.self_trade.map_or(order.stp_mode, |(mode, _)| mode),
            stp_group: self.self_trade.map_or(order.stp_group, |(_, group)| U32::new(group)),
            ..order
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::message::{NULL_I64, NULL_U64};
    use engine::units::Side;

    use super::*;

    fn said(words: &str) -> Option<(u8, u64, i64, u16, u16)> {
        let order = orders::limit(4, 1, Side::Buy, 1, 1, Tif::Gtc, 1);
        let words: Vec<&str> = words.split_whitespace().collect();
        let order = Manner::read(&words)?.of(order, UNIX_EPOCH + Duration::from_secs(60));
        Some((
            order.tif,
            order.expire_time.get(),
            order.display_qty.get(),
            order.flags.get(),
            order.mmp_group.get(),
        ))
    }

    #[test]
    fn self_trades_are_prevented_as_was_said() {
        let of = |words: &[&str]| {
            let order = orders::limit(4, 1, Side::Buy, 1, 1, Tif::Gtc, 1);
            Manner::read(words)
                .map(|manner| manner.of(order, UNIX_EPOCH))
                .map(|it| (it.stp_mode, it.stp_group.get()))
        };
        assert_eq!(of(&[]), Some((1, 0)));
        assert_eq!(of(&["stp=maker"]), Some((3, 0)));
        assert_eq!(of(&["post", "stp=decrement/7"]), Some((5, 7)));
        for wrong in [&["stp=none"][..], &["stp=taker/x"], &["stp=both", "stp=both"]] {
            assert_eq!(of(wrong), None);
        }
    }

    #[test]
    fn words_become_fields() {
        for (words, fields) in [
            ("", Some((2, NULL_U64, NULL_I64, 0, 0))),
            ("ioc reduce", Some((3, NULL_U64, NULL_I64, 4, 0))),
            ("fok", Some((4, NULL_U64, NULL_I64, 0, 0))),
            ("day post show=3", Some((1, NULL_U64, 3, 1, 0))),
            ("slide for=1.5", Some((5, 61_500_000_000, NULL_I64, 2, 0))),
            ("group=7 day", Some((1, NULL_U64, NULL_I64, 8, 7))),
            ("group=0", None),
            ("group=7 group=7", None),
            ("day for=1", None),
            ("ioc ioc", None),
            ("reduce reduce", None),
            ("show=1 show=1", None),
            ("show=some", None),
            ("for=-1", None),
            ("for=", None),
            ("gtc", None),
        ] {
            assert_eq!(said(words), fields, "{words}");
        }
    }
}
