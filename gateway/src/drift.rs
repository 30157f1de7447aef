//! Where the operator's file and the venue have parted: what exists in the journal is never changed from the file, and
//! whoever edits the file must be told so.

use engine::command::Role;
use engine::limits::Limits;
use engine::{Engine, InstrumentView};

use crate::config::{Account, Combo, Config, Instrument, ROLES, Session};
use crate::decimal;
use crate::message::shown_text;

/// One sentence for each value of the file that has no effect.
pub fn differences(config: &Config, engine: &Engine) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(limits) = engine.limits() {
        limits_of(config, limits, &mut told);
    }
    for instrument in &config.instruments {
        if let Some(view) = engine.instruments().find(|view| view.id == instrument.id) {
            instrument_of(instrument, &view, &mut told);
        }
    }
    for combo in &config.combos {
        if let Some(view) = engine.instruments().find(|view| view.id == combo.id) {
            combo_of(combo, &view, config, &mut told);
        }
    }
    for account in &config.accounts {
        account_of(account, engine, &mut told);
    }
    for session in &config.sessions {
        session_of(session, engine, &mut told);
    }
    told
}

fn compare<T: PartialEq + std::fmt::Display>(
    told: &mut Vec<String>,
    what: &str,
    name: &str,
    has: T,
    says: T,
) {
    if has != says {
        told.push(format!("{what}: {name} is {has} in the venue, {says} in the file"));
    }
}

fn limits_of(config: &Config, limits: &Limits, told: &mut Vec<String>) {
    let values = limits.values().into_iter().zip(config.limits.limits().values());
    for ((name, _), (has, says)) in Limits::RANGES.iter().zip(values) {
        compare(told, "[limits]", name, has, says);
    }
}

fn instrument_of(says: &Instrument, has: &InstrumentView<'_>, told: &mut Vec<String>) {
    let what = format!("[[instrument]] {}", says.id);
    compare(told, &what, "symbol", shown_text(has.symbol), says.symbol.clone());
    for (name, has, says) in [
        ("tick", has.tick_size, &says.tick),
        ("lot", has.lot_size, &says.lot),
        ("contract", has.contract_size, &says.contract),
    ] {
        if decimal::parse(says, 9) != Ok(has) {
            compare(told, &what, name, decimal::show(has.into(), 9), says.clone());
        }
    }
    // The file's mark is the first one; an oracle may have moved it since.
    let mark = has.mark.0 * has.tick_size;
    if decimal::parse(&says.mark, 9) != Ok(mark) {
        compare(told, &what, "mark", decimal::show(mark.into(), 9), says.mark.clone());
    }
    for (name, has, says) in [
        ("qty_max", has.qty_max.0, says.qty_max),
        ("underlying", has.underlying_id.into(), says.underlying.into()),
        ("initial_margin_ppm", has.initial_margin.0.into(), says.initial_margin_ppm.into()),
        ("maker_fee_ppm", has.maker_fee.0.into(), says.maker_fee_ppm.into()),
        ("taker_fee_ppm", has.taker_fee.0.into(), says.taker_fee_ppm.into()),
        ("price_band_ppm", has.price_band.0.into(), says.price_band_ppm.into()),
    ] {
        compare(told, &what, name, has, says);
    }
}

fn combo_of(says: &Combo, has: &InstrumentView<'_>, config: &Config, told: &mut Vec<String>) {
    let what = format!("[[combo]] {}", says.id);
    compare(told, &what, "symbol", shown_text(has.symbol), says.symbol.clone());
    let id = |symbol: &str| config.instrument(symbol).map_or(0, |instrument| instrument.id);
    let legs = says.legs.iter().map(|leg| (leg.ratio, id(&leg.instrument)));
    let known = has.legs.iter().map(|leg| (leg.ratio, leg.instrument));
    compare(told, &what, "the sum of its legs", legs_shown(known), legs_shown(legs));
    compare(told, &what, "qty_max", has.qty_max.0, says.qty_max);
    compare(told, &what, "price_band_ppm", has.price_band.0, says.price_band_ppm);
}

/// Ratios and instrument ids.
fn legs_shown(legs: impl Iterator<Item = (i32, u32)>) -> String {
    legs.map(|(ratio, instrument)| format!("{ratio:+} of {instrument}")).collect::<Vec<_>>().join(", ")
}

fn account_of(says: &Account, engine: &Engine, told: &mut Vec<String>) {
    if let Some(has) = engine.accounts().find(|view| view.id == says.id) {
        let what = format!("[[account]] {}", says.id);
        compare(told, &what, "name", shown_text(has.name), says.name.clone());
        compare(told, &what, "owner", has.owner, says.owner);
    }
}

fn session_of(says: &Session, engine: &Engine, told: &mut Vec<String>) {
    let Some(has) = engine.session(says.id) else { return };
    let what = format!("[[session]] {}", says.id);
    let name_of =
        |role: Role| ROLES.iter().find(|(_, known)| *known == role).map_or("unused", |(name, _)| name);
    compare(told, &what, "account", has.account, says.account);
    compare(told, &what, "rising_ids", has.rising_ids, says.rising_ids);
    compare(told, &what, "role", name_of(has.role).to_string(), says.role.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis;
    use engine::Sequenced;
    use engine::event::EventSink;

    struct Unheard;

    impl EventSink for Unheard {
        fn event(&mut self, _: u32, _: &[u8]) {}
    }

    fn config() -> Config {
        let text = r#"
            [venue]
            name = "test"
            listen = "127.0.0.1:0"
            [[account]]
            id = 4
            name = "alice"
            owner = 7
        "#;
        toml::from_str(text).expect("it parses")
    }

    #[test]
    fn an_owner_and_a_capacity_that_were_edited_are_told() {
        let (mut edited, mut engine) = (config(), Engine::new());
        for (seq, command) in (1..).zip(genesis::commands(&edited, &engine, &[1; 32])) {
            let command =
                Sequenced::read(seq, seq, &command.payload).expect("the genesis writes whole commands");
            engine.apply(&command, &mut Unheard);
        }
        assert_eq!(differences(&edited, &engine), Vec::<String>::new());
        (edited.accounts[0].owner, edited.limits.levels) = (8, 70_000);
        let told = [
            "[limits]: levels is 65536 in the venue, 70000 in the file",
            "[[account]] 4: owner is 7 in the venue, 8 in the file",
        ];
        assert_eq!(differences(&edited, &engine), told);
    }
}
