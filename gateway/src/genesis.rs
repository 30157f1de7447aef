//! From the operator's file to sequenced commands: what the file lists and the engine does not yet have is created, in the
//! file's order. On an empty journal that is everything, so the journal alone can rebuild the venue. Knows no file.

use engine::command::{AccountCreate, ComboCreate, Deposit, InstrumentCreate, SessionCreate, VenueOpen};
use engine::message::{Framed, Message, Origin};
use engine::{Due, Engine};
use zerocopy::little_endian::{I32, I64, U16, U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::config::{Account, Combo, Config, Instrument, Session};
use crate::decimal;

/// A command payload, and the words that name it in an error.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub payload: Vec<u8>,
    pub what: String,
}

fn command<M: Message>(block: M, what: String) -> Genesis {
    let mut payload = Origin::venue().as_bytes().to_vec();
    payload.extend_from_slice(Framed::new(block).as_bytes());
    Genesis { payload, what }
}

/// What the last life left waiting, or what became due since, goes before anything else (rules 5.6 and 8.2).
pub fn due(due: Due) -> Genesis {
    let payload = [Origin::venue().as_bytes(), &due.message()].concat();
    Genesis { payload, what: due.to_string() }
}

/// The commands that bring `engine` to what `config` lists. `random` fills the hash key and the venue's id of a new journal.
pub fn commands(config: &Config, engine: &Engine, random: &[u8; 32]) -> Vec<Genesis> {
    let mut commands = Vec::new();
    if engine.limits().is_none() {
        commands.push(command(venue_open(config, random), "[limits]".into()));
    }
    for instrument in &config.instruments {
        if !engine.instruments().any(|known| known.id == instrument.id) {
            commands.push(command(
                instrument_create(instrument),
                format!("[[instrument]] {}", instrument.symbol),
            ));
        }
    }
    for combo in &config.combos {
        if !engine.instruments().any(|known| known.id == combo.id) {
            commands.push(command(combo_create(combo, config), format!("[[combo]] {}", combo.symbol)));
        }
    }
    for account in &config.accounts {
        if !engine.accounts().any(|known| known.id == account.id) {
            commands.extend(account_create(account));
        }
    }
    for session in &config.sessions {
        if engine.session(session.id).is_none() {
            commands.push(command(session_create(session), format!("[[session]] {}", session.id)));
        }
    }
    commands
}

fn venue_open(config: &Config, random: &[u8; 32]) -> VenueOpen {
    let word = |index: usize| {
        U64::from_bytes(random[8 * index..][..8].try_into().expect("four words of eight bytes"))
    };
    let limits = &config.limits;
    VenueOpen {
        venue_id: word(0),
        // Another journal is another history, and every client must see that.
        engine_epoch: word(3),
        hash_key: [word(1), word(2)],
        accounts_max: U32::new(limits.accounts),
        instruments_max: U32::new(limits.instruments),
        sessions_max: U32::new(limits.sessions),
        orders_max: U32::new(limits.orders),
        levels_max: U32::new(limits.levels),
        positions_max: U32::new(limits.positions),
        orders_per_account_max: U32::new(limits.orders_per_account),
        matches_per_command_max: U32::new(limits.matches_per_command),
        closed_ids_max: U32::new(limits.closed_ids),
        mmp_groups_max: U32::new(limits.mmp_groups),
        special_orders_max: U32::new(limits.special_orders),
        special_orders_per_account_max: U32::new(limits.special_orders_per_account),
    }
}

fn price9(text: &str) -> I64 {
    I64::new(decimal::parse(text, 9).expect("the configuration was checked when it was loaded"))
}

fn instrument_create(instrument: &Instrument) -> InstrumentCreate {
    InstrumentCreate {
        symbol: instrument.symbol_field(),
        tick_size: price9(&instrument.tick),
        lot_size: price9(&instrument.lot),
        contract_size: price9(&instrument.contract),
        mark: price9(&instrument.mark),
        qty_max: I64::new(instrument.qty_max),
        instrument_id: U32::new(instrument.id),
        underlying_id: U32::new(instrument.underlying),
        initial_margin_ppm: U32::new(instrument.initial_margin_ppm),
        maker_fee_ppm: U32::new(instrument.maker_fee_ppm),
        taker_fee_ppm: U32::new(instrument.taker_fee_ppm),
        price_band_ppm: U32::new(instrument.price_band_ppm),
        kind: instrument.kind as u8,
        ..InstrumentCreate::new_zeroed()
    }
}

fn combo_create(combo: &Combo, config: &Config) -> ComboCreate {
    let mut create = ComboCreate {
        symbol: combo.symbol_field(),
        qty_max: I64::new(combo.qty_max),
        instrument_id: U32::new(combo.id),
        price_band_ppm: U32::new(combo.price_band_ppm),
        ..ComboCreate::new_zeroed()
    };
    for (place, leg) in combo.legs.iter().enumerate() {
        let instrument = config.instrument(&leg.instrument);
        let id = instrument.expect("the configuration was checked when it was loaded").id;
        (create.leg_instruments[place], create.leg_ratios[place]) = (U32::new(id), I32::new(leg.ratio));
    }
    create
}

fn account_create(account: &Account) -> Vec<Genesis> {
    let what = format!("[[account]] {}", account.name);
    let create = AccountCreate {
        name: account.name_field(),
        account_id: U32::new(account.id),
        owner: U32::new(account.owner),
    };
    let amount =
        decimal::parse(&account.deposit, 6).expect("the configuration was checked when it was loaded");
    let mut commands = vec![command(create, what.clone())];
    if amount > 0 {
        let deposit = Deposit {
            reference: U64::new(u64::from(account.id)),
            amount: I64::new(amount),
            account_id: U32::new(account.id),
            pad_a: U32::new(0),
        };
        commands.push(command(deposit, format!("{what}, deposit")));
    }
    commands
}

fn session_create(session: &Session) -> SessionCreate {
    SessionCreate {
        session_id: U64::new(session.id),
        account_id: U32::new(session.account),
        role: session.role().expect("the configuration was checked when it was loaded") as u8,
        rising_ids: u8::from(session.rising_ids),
        pad_a: U16::new(0),
    }
}
