//! Whether the engine and the naive model stand in the same state: every balance, position, open order in its place in
//! the queue, instrument and session, each read from either side by its own way.

use engine::units::Side;
use engine::{Engine, OrderView};

use crate::model::{Model, Order, Trigger};

pub fn same_state(engine: &Engine, model: &Model) {
    model.check();
    assert_eq!(engine.check_invariants(), Ok(()));
    assert_eq!(engine.deposits().0, model.total_deposits(), "deposits");
    let accounts: Vec<_> = engine.accounts().map(|it| (it.id, it.quote.0)).collect();
    assert_eq!(accounts, model.accounts().collect::<Vec<_>>(), "quotes");
    for account in engine.accounts() {
        let (id, open) = (account.id, model.all_orders().filter(|order| order.account == account.id));
        assert_eq!(account.open_orders as usize, open.count(), "open orders of account {id}");
        assert_eq!(account.blocked, model.is_blocked(id), "whether account {id} is blocked");
        assert_eq!(account.owner, model.owner(id), "owner of account {id}");
        assert_eq!(account.looks_paid_until_ns, model.looks_full_at(id), "looks of account {id}");
        assert_eq!(account.equity.0, model.equity(id), "equity of account {id}");
        assert_eq!(account.requirement.0, model.requirement(id), "requirement of account {id}");
        let held = engine.positions(id).map(|it| (it.instrument, i128::from(it.lots.0)));
        let mut held: Vec<_> = held.filter(|(_, lots)| *lots != 0).collect();
        held.sort_unstable();
        let known = model.positions().filter(|(owner, _, lots)| *owner == id && *lots != 0);
        let known: Vec<_> = known.map(|(_, instrument, lots)| (instrument, lots)).collect();
        assert_eq!(held, known, "positions of account {id}");
    }
    for it in engine.instruments() {
        let known = model.instrument(it.id).expect("the engine's instruments are the model's");
        assert_eq!(
            (it.state as u8, it.underlying_id),
            (known.state, known.underlying),
            "instrument {}",
            it.id
        );
        assert_eq!(i128::from(it.mark.0), known.mark, "mark of instrument {}", it.id);
        assert_eq!(it.index.map(|price| price.0.into()), known.index, "index of instrument {}", it.id);
        let last = known.matched.map(|matched| matched.last);
        assert_eq!(it.last.map(|price| price.0.into()), last, "last price of instrument {}", it.id);
        assert_eq!(i128::from(it.price_band.0), known.band_ppm, "band of instrument {}", it.id);
    }
    let (armed, booked): (Vec<_>, Vec<_>) = engine.open_orders().partition(|it| it.trigger.is_some());
    assert_eq!(booked.iter().map(seen).collect::<Vec<_>>(), canonical(model), "open orders");
    let mut armed: Vec<_> = armed.iter().map(seen).collect();
    armed.sort_by_key(|it| it.order_id);
    assert_eq!(armed, armed_of(model), "armed orders");
    for session in engine.sessions() {
        let known = model.session(session.id).expect("the engine's sessions are the model's");
        assert_eq!(session.next_client_seq, known.next_client_seq);
        assert_eq!(session.next_server_seq, known.next_server_seq);
        assert_eq!(session.connection, known.connection);
        assert_eq!(session.rising_ids, known.rising_ids);
    }
}

/// An order as the model has it.
fn seen(it: &OrderView) -> Order {
    assert_eq!(it.cum_qty.0, it.qty.0 - it.leaves.0);
    Order {
        order_id: it.order_id,
        cl_ord_id: it.cl_ord_id,
        session: it.session,
        account: it.account,
        instrument: it.instrument,
        buy: it.side == Side::Buy,
        market: it.is_market,
        tif: it.tif as u8,
        stp_mode: it.stp.mode as u8,
        stp_group: it.stp.group,
        price: it.price.0.into(),
        qty: it.qty.0.into(),
        leaves: it.leaves.0.into(),
        quote: it.is_quote,
        group: it.mmp_group,
        expiry: it.expire_ns,
        display: it.display.map(|lots| lots.0.into()),
        shown: it.display.map_or(0, |_| it.shown.0.into()),
        reduce_only: it.is_reduce_only,
        trigger: it.trigger.map(|trigger| Trigger {
            kind: trigger.trigger_type as u8,
            condition: trigger.condition as u8,
            price: trigger.ticks.0.into(),
            flags: 0,
        }),
    }
}

/// The model's armed orders by serial; a view shows nothing of the flags they will be judged by.
fn armed_of(model: &Model) -> Vec<Order> {
    let plain = |order: &Order| Order {
        trigger: order.trigger.map(|trigger| Trigger { flags: 0, ..trigger }),
        ..*order
    };
    let mut armed: Vec<Order> = model.armed().iter().map(plain).collect();
    armed.sort_by_key(|it| it.order_id);
    armed
}

/// The model's orders by instrument, buys before sells, best price first, oldest first.
fn canonical(model: &Model) -> Vec<Order> {
    let mut orders = model.open_orders().to_vec();
    orders.sort_by_key(|it| (it.instrument, !it.buy, if it.buy { -it.price } else { it.price }));
    orders
}
