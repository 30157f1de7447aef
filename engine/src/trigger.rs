//! What armed orders wait for (rule 8.32): the prices they follow, and for each of these a book of triggers whose asks are
//! the rising ones, lowest first, and whose bids are the falling ones, highest first. Finds the order that fires next;
//! what becomes of it is `fire`'s.

use crate::book::Book;
use crate::instrument::Instrument;
use crate::ladder::Levels;
use crate::order::Orders;
use crate::units::{Side, Ticks};

/// The price that a trigger follows, as TriggerType on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TriggerType {
    Mark = 1,
    Index = 2,
    Last = 3,
}

/// In the order of rule 8.33.
pub const TRIGGER_TYPES: [TriggerType; 3] = [TriggerType::Mark, TriggerType::Index, TriggerType::Last];

impl TriggerType {
    pub fn from_wire(value: u8) -> Option<TriggerType> {
        TRIGGER_TYPES.into_iter().find(|trigger_type| *trigger_type as u8 == value)
    }
}

/// What the order is for, as TriggerCondition on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Condition {
    Stop = 1,
    TakeProfit = 2,
}

impl Condition {
    pub fn from_wire(value: u8) -> Option<Condition> {
        [Condition::Stop, Condition::TakeProfit].into_iter().find(|condition| *condition as u8 == value)
    }

    /// The side of a book of triggers where an order of `side` waits: asks are reached from below, bids from above.
    pub fn waits_on(self, side: Side) -> Side {
        match self {
            Condition::Stop => side.opposite(),
            Condition::TakeProfit => side,
        }
    }
}

/// When an armed order fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub trigger_type: TriggerType,
    pub condition: Condition,
    pub ticks: Ticks,
}

/// The lowest and the highest of some prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub low: Ticks,
    pub high: Ticks,
}

impl Span {
    /// Reaches no trigger.
    pub const NOTHING: Span = Span { low: Ticks(i64::MAX), high: Ticks(0) };

    pub fn at(ticks: Ticks) -> Span {
        Span { low: ticks, high: ticks }
    }
}

/// The prices of an instrument's matches: the last one, and the span since its triggers came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traded {
    pub last: Option<Ticks>,
    pub span: Span,
}

impl Traded {
    pub const NEVER: Traded = Traded { last: None, span: Span::NOTHING };

    pub fn at(&mut self, ticks: Ticks) {
        self.last = Some(ticks);
        self.span = Span { low: self.span.low.min(ticks), high: self.span.high.max(ticks) };
    }

    /// The end of rule 8.33.
    pub fn come_to_rest(&mut self) {
        self.span = self.last.map_or(Span::NOTHING, Span::at);
    }
}

/// What the armed orders of one instrument follow beside its mark and its matches, and where they wait.
#[derive(Clone, Copy)]
pub struct Triggers {
    /// From the first `IndexPrice` on.
    pub index: Option<Ticks>,
    books: [Book; 3],
}

impl Triggers {
    pub const NONE: Triggers = Triggers { index: None, books: [Book::empty(); 3] };

    pub fn book(&self, trigger_type: TriggerType) -> &Book {
        &self.books[trigger_type as usize - 1]
    }

    pub fn book_mut(&mut self, trigger_type: TriggerType) -> &mut Book {
        &mut self.books[trigger_type as usize - 1]
    }

    /// Every place where orders wait, in the order of rule 8.33.
    pub fn places() -> impl Iterator<Item = (Side, TriggerType)> {
        [Side::Sell, Side::Buy]
            .into_iter()
            .flat_map(|side| TRIGGER_TYPES.into_iter().map(move |trigger_type| (side, trigger_type)))
    }

    /// The slots of the armed orders, in the order in which they would fire if all were due.
    pub fn queue<'a>(&self, levels: &'a Levels, orders: &'a Orders) -> impl Iterator<Item = u32> + use<'a> {
        let books = self.books;
        Triggers::places().flat_map(move |(side, trigger_type)| {
            books[trigger_type as usize - 1].queue(levels, orders, side)
        })
    }

    fn span(&self, trigger_type: TriggerType, instrument: &Instrument) -> Span {
        match trigger_type {
            TriggerType::Mark => Span::at(instrument.mark),
            TriggerType::Index => self.index.map_or(Span::NOTHING, Span::at),
            TriggerType::Last => instrument.traded.span,
        }
    }

    /// Rules 8.32 and 8.33: the order that fires next.
    pub fn due(&self, instrument: &Instrument, levels: &Levels) -> Option<u32> {
        let (side, trigger_type) = Triggers::places().find(|(side, trigger_type)| {
            let (book, span) = (self.book(*trigger_type), self.span(*trigger_type, instrument));
            match side {
                Side::Sell => book.crosses(Side::Buy, span.high),
                Side::Buy => book.crosses(Side::Sell, span.low),
            }
        })?;
        Some(levels.at(self.book(trigger_type).side(side).best).head)
    }
}
