//! The second derivation notices what the first would have to answer for: events that a wrong engine and a wrong record
//! agreed on.

mod support;

use engine::message::{HEADER_BYTES, ORIGIN_BYTES, ROUTE_BYTES};
use engine::units::{Money, Side};
use journal::Kind;
use settlement_bridge::ledger::{Disagreement, Ledger};
use support::{BTC, MAKER, TAKER, Venue, Written};

const EVENT_BLOCK: usize = ROUTE_BYTES + HEADER_BYTES;
const COMMAND_BLOCK: usize = ORIGIN_BYTES + HEADER_BYTES;

/// Sums the venue's records, changed by `change`, and holds them against its engine.
fn sum(change: impl Fn(&mut Written)) -> Result<Ledger, Disagreement> {
    let mut venue = Venue::open();
    venue.trade();
    let mut ledger = Ledger::default();
    for mut written in venue.records {
        change(&mut written);
        match written.kind {
            Kind::Command => ledger.command(&written.payload),
            Kind::Event => ledger.event(&written.payload)?,
            _ => {}
        }
    }
    ledger.compare(&venue.engine)?;
    Ok(ledger)
}

fn template(written: &Written) -> u16 {
    let at = 2 + if written.kind == Kind::Event { ROUTE_BYTES } else { ORIGIN_BYTES };
    u16::from_le_bytes([written.payload[at], written.payload[at + 1]])
}

#[track_caller]
fn check(change: impl Fn(&mut Written), part: &str) {
    let Disagreement(sentence) = sum(change).map(|_| ()).expect_err("a disagreement");
    assert!(sentence.contains(part), "'{part}' is not in: {sentence}");
}

/// Changes one byte of the block of every execution.
#[track_caller]
fn check_execution(byte: usize, flip: u8, part: &str) {
    let change = |written: &mut Written| {
        if written.kind == Kind::Event && template(written) == 204 {
            written.payload[EVENT_BLOCK + byte] ^= flip;
        }
    };
    check(change, part);
}

#[test]
fn the_sums_agree_and_conserve() {
    let ledger = sum(|_| ()).expect("agreement");
    let quote = ledger.accounts().values().fold(Money::ZERO, |sum, account| sum + account.quote);
    assert_eq!(quote, ledger.deposits());
}

#[test]
fn a_wrong_field_of_an_execution_is_noticed() {
    check_execution(56, 1, "its price is off the tick");
    check_execution(64, 1, "its position is said as");
    check_execution(88, 1, "quote sums to");
    check_execution(96, 1, "its position is said as");
    check_execution(104, 2, "its instrument is not listed");
    check_execution(108, 1, "account 4: quote sums to");
    check_execution(112, 4, "its side is unknown");
    check_execution(112, 3, "its position is said as");
}

#[test]
fn a_wrong_deposit_or_listing_is_noticed() {
    let of = |wanted: u16, at: usize| {
        move |written: &mut Written| {
            if written.kind == Kind::Command && template(written) == wanted {
                written.payload[COMMAND_BLOCK + at] ^= 1;
            }
        }
    };
    check(of(310, 8), "quote sums to");
    check(of(310, 16), "quote sums to");
    check(of(321, 40), "one tick of one lot is no whole");
}

#[test]
fn a_confirmation_that_nothing_asked_for_is_noticed() {
    let mut venue = Venue::open();
    venue.deposit(MAKER, 5);
    let confirmed = venue.records.pop().expect("the confirmation");
    let Disagreement(sentence) = Ledger::default().event(&confirmed.payload).expect_err("nobody asked");
    assert!(sentence.contains("template 310 is confirmed"), "{sentence}");
}

/// Both sides of a match are one account's: what it holds is as it was, and each side says so.
#[test]
fn an_account_may_stand_on_both_sides() {
    let mut venue = Venue::open();
    venue.order(MAKER, BTC, Side::Sell, 1000, 10);
    venue.order(MAKER, BTC, Side::Buy, 1000, 4);
    let ledger = heard(&venue.records).expect("no disagreement");
    ledger.compare(&venue.engine).expect("agreement");
    assert_eq!(ledger.accounts()[&MAKER].positions, [].into());
}

#[test]
fn a_match_with_one_side_is_noticed() {
    let mut venue = Venue::open();
    venue.order(MAKER, BTC, Side::Sell, 1000, 10);
    venue.order(TAKER, BTC, Side::Buy, 1000, 4);
    let last = venue.records.pop().expect("the maker's execution");
    assert_eq!(template(&last), 204);
    let ledger = heard(&venue.records).expect("no disagreement yet");
    let Disagreement(sentence) = ledger.compare(&venue.engine).expect_err("a side is missing");
    assert!(sentence.contains("its other side in instrument 1 is missing"), "{sentence}");
    venue.order(TAKER, BTC, Side::Buy, 1000, 4);
    let Disagreement(sentence) = heard(&venue.records).map(|_| ()).expect_err("another match");
    assert!(sentence.contains("match 1: its other side"), "{sentence}");
}

/// A ledger of these records.
fn heard(records: &[Written]) -> Result<Ledger, Disagreement> {
    let mut ledger = Ledger::default();
    for written in records {
        match written.kind {
            Kind::Command => ledger.command(&written.payload),
            _ => ledger.event(&written.payload)?,
        }
    }
    Ok(ledger)
}

/// A combo at a negative price: only its legs' executions move anything.
#[test]
fn the_legs_of_a_combo_sum_to_what_it_moves() {
    let mut venue = Venue::open();
    venue.list_combo(3, 4);
    venue.order(MAKER, 4, Side::Sell, -50, 7);
    venue.order(TAKER, 4, Side::Buy, 0, 5);
    let ledger = heard(&venue.records).expect("no disagreement");
    ledger.compare(&venue.engine).expect("agreement");
    let held: Vec<_> = ledger.accounts()[&TAKER].positions.iter().map(|(id, lots)| (*id, lots.0)).collect();
    assert_eq!(held, [(BTC, 5), (3, -5)]);
}
