//! Crates that others use for a book, fed with the same records. None of them checks margin or knows accounts. Where one
//! has no move or no IOC, it gets a cancel and a new order, or an order and a cancel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use perf::workload::{BID, Header, Record, Tally, op};

use crate::contest::{Book, Contender};

/// Orders for which room is taken ahead, where that can be said.
const ROOM: usize = 1 << 18;

pub fn contenders<'a>(header: &'a Header, commands: usize) -> Vec<Contender<'a>> {
    let contender = |name, open, commands| Contender { name, open, commands, must_agree: false };
    vec![
        contender("matchcore 0.4.0", Box::new(|| Box::new(Matchcore::new(header))), commands),
        contender("lobster 0.7.0", Box::new(|| Box::new(Lobster::new())), commands),
        // An order of magnitude slower than all others.
        contender("orderbook-rs 0.15.3", Box::new(|| Box::new(OrderbookRs::new())), commands / 5),
    ]
}

/// It calls orders by the number of the command that entered them.
struct Matchcore {
    book: matchcore::OrderBook,
    next: u64,
    /// By our id.
    ids: Vec<u64>,
    tally: Tally,
}

impl Matchcore {
    fn new(header: &Header) -> Matchcore {
        let ids = vec![0; header.id_max.get() as usize + 1];
        Matchcore { book: matchcore::OrderBook::new("W"), next: 0, ids, tally: Tally::default() }
    }

    fn kind(&mut self, record: &Record) -> matchcore::CommandKind {
        use matchcore::*;
        let price = Price(record.price.get().into());
        let id = &mut self.ids[record.id.get() as usize];
        match record.op {
            op::NEW | op::IOC => {
                *id = self.next;
                let side = if record.side == BID { Side::Buy } else { Side::Sell };
                let force = if record.op == op::IOC { TimeInForce::Ioc } else { TimeInForce::Gtc };
                let quantity = Quantity(record.quantity.get().into());
                let flags = OrderFlags::new(side, false, force);
                let order = LimitOrder::new(price, QuantityPolicy::Standard { quantity }, flags);
                CommandKind::Submit(SubmitCmd { order: NewOrder::Limit(order) })
            }
            op::CANCEL => {
                CommandKind::Cancel(CancelCmd { order_id: OrderId(*id), order_kind: OrderKind::Limit })
            }
            _ => {
                let patch = AmendPatch::Limit(LimitOrderPatch::new().with_price(price));
                CommandKind::Amend(AmendCmd { order_id: OrderId(*id), patch })
            }
        }
    }

    fn apply(&mut self, record: &Record) {
        use matchcore::*;
        let meta =
            CommandMeta { sequence_number: SequenceNumber(self.next), timestamp: Timestamp(self.next) };
        let command = Command { meta, kind: self.kind(record) };
        self.next += 1;
        let outcome = self.book.execute(&command);
        if let CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) =
            outcome
            && let Some(matched) = effects.target_order().match_result()
        {
            for trade in matched.trades() {
                self.tally.trade(trade.price().0 as u32, trade.quantity().0 as u32);
            }
        }
    }
}

impl Book for Matchcore {
    fn play(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.apply(record));
    }

    fn tally(&mut self) -> Tally {
        Tally { live: self.book.limit().orders().len() as u64, ..self.tally }
    }
}

struct Lobster {
    book: lobster::OrderBook,
    tally: Tally,
}

impl Lobster {
    fn new() -> Lobster {
        Lobster { book: lobster::OrderBook::new(ROOM, 16, false), tally: Tally::default() }
    }

    fn apply(&mut self, record: &Record) {
        match record.op {
            op::NEW => self.enter(record, record.quantity.get()),
            op::IOC => {
                self.enter(record, record.quantity.get());
                self.cancel(record);
            }
            op::CANCEL => self.cancel(record),
            _ => {
                self.cancel(record);
                self.enter(record, record.hint_quantity.get());
            }
        }
    }

    fn enter(&mut self, record: &Record, lots: u32) {
        use lobster::{OrderEvent, OrderType, Side};
        let event = self.book.execute(OrderType::Limit {
            id: record.id.get().into(),
            side: if record.side == BID { Side::Bid } else { Side::Ask },
            qty: lots.into(),
            price: record.price.get().into(),
        });
        if let OrderEvent::Filled { fills, .. } | OrderEvent::PartiallyFilled { fills, .. } = event {
            fills.iter().for_each(|fill| self.tally.trade(fill.price as u32, fill.qty as u32));
        }
    }

    fn cancel(&mut self, record: &Record) {
        self.book.execute(lobster::OrderType::Cancel { id: record.id.get().into() });
    }
}

impl Book for Lobster {
    fn play(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.apply(record));
    }

    fn tally(&mut self) -> Tally {
        self.tally
    }
}

/// Trades, volume, notional, from the listener that every trade is told to.
type Sums = [AtomicU64; 3];

struct OrderbookRs {
    book: orderbook_rs::OrderBook<()>,
    sums: Arc<Sums>,
}

impl OrderbookRs {
    fn new() -> OrderbookRs {
        let sums: Arc<Sums> = Arc::default();
        let told = Arc::clone(&sums);
        let listener = move |result: &orderbook_rs::TradeResult| {
            for trade in result.match_result.trades().as_vec() {
                let (price, lots) = (trade.price().as_u128() as u64, trade.quantity().as_u64());
                told[0].fetch_add(1, Relaxed);
                told[1].fetch_add(lots, Relaxed);
                told[2].fetch_add(price * lots, Relaxed);
            }
        };
        OrderbookRs { book: orderbook_rs::OrderBook::with_trade_listener("W", Arc::new(listener)), sums }
    }

    fn apply(&mut self, record: &Record) {
        use orderbook_rs::TimeInForce::{Gtc, Ioc};
        match record.op {
            op::NEW => self.enter(record, record.quantity.get(), Gtc),
            op::IOC => self.enter(record, record.quantity.get(), Ioc),
            op::CANCEL => self.cancel(record),
            _ => {
                self.cancel(record);
                self.enter(record, record.hint_quantity.get(), Gtc);
            }
        }
    }

    /// The rest of an IOC order comes back as an error.
    fn enter(&mut self, record: &Record, lots: u32, force: orderbook_rs::TimeInForce) {
        use orderbook_rs::{Id, Side};
        let side = if record.side == BID { Side::Buy } else { Side::Sell };
        let (id, price) = (Id::from_u64(record.id.get()), record.price.get());
        let _ = self.book.add_limit_order(id, price.into(), lots.into(), side, force, None);
    }

    fn cancel(&mut self, record: &Record) {
        let _ = self.book.cancel_order(orderbook_rs::Id::from_u64(record.id.get()));
    }
}

impl Book for OrderbookRs {
    fn play(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.apply(record));
    }

    fn tally(&mut self) -> Tally {
        let [trades, volume, notional] = [0, 1, 2].map(|index| self.sums[index].load(Relaxed));
        Tally { trades, volume, notional, live: 0 }
    }
}
