//! What the verifier accepts and what it refuses, on records that need no file.

mod support;

use engine::message::ROUTE_BYTES;
use engine::units::{Lots, Money};
use journal::Kind;
use settlement_bridge::statement::Statement;
use settlement_bridge::verifier::{Fault, Verifier};
use support::{BTC, ETH, MAKER, TAKER, Venue, Written};

fn traded() -> Vec<Written> {
    let mut venue = Venue::open();
    venue.trade();
    venue.records
}

fn verify(records: &[Written]) -> Result<Verifier, Fault> {
    let mut verifier = Verifier::default();
    for written in records {
        verifier.record(&written.record())?;
    }
    verifier.finish()?;
    Ok(verifier)
}

/// The records are refused, and the sentence says all of `parts`.
#[track_caller]
fn check_refused(records: &[Written], parts: &[&str]) {
    let fault = verify(records).map(|_| ()).expect_err("a difference");
    let sentence = fault.to_string();
    for part in parts {
        assert!(sentence.contains(part), "'{part}' is not in: {sentence}");
    }
}

/// The place of the last record of `kind`.
fn last(records: &[Written], kind: Kind) -> usize {
    records.iter().rposition(|written| written.kind == kind).expect("one")
}

#[test]
fn a_faithful_record_is_accepted_and_the_ledger_sums_what_was_worked_out_by_hand() {
    let records = traded();
    let verifier = verify(&records).expect("faithful");
    let count = |kind| records.iter().filter(|written| written.kind == kind).count() as u64;
    let checked = verifier.checked();
    assert_eq!(
        (checked.commands, checked.events, checked.marks),
        (count(Kind::Command), count(Kind::Event), count(Kind::Mark))
    );
    let account = |id: u32| &verifier.ledger().accounts()[&id];
    assert_eq!(account(MAKER).quote, Money(1_000_017_380_398));
    assert_eq!(account(TAKER).quote, Money(999_982_573_525));
    assert_eq!(account(2).quote, Money(46_154), "fees");
    assert_eq!(verifier.ledger().deposits(), Money(2_000_000_000_077));
    assert_eq!(account(MAKER).positions, [(BTC, Lots(-47)), (ETH, Lots(30))].into());
    assert_eq!(account(TAKER).positions, [(BTC, Lots(47)), (ETH, Lots(-30))].into());
}

#[test]
fn the_statement_shows_it() {
    let verifier = verify(&traded()).expect("faithful");
    let engine = verifier.replay().engine();
    let table = Statement::of(engine, 99, true).table();
    let (place, rows) = table.split_once('\n').expect("lines");
    assert!(place.starts_with(&format!("seq {}  durable 99  digest ", engine.last_seq())), "{place}");
    assert_eq!(
        rows,
        "   account  name    quote balance  net lots
         2  FEES         0.046154  -
         4  MAKER  1000017.380398  BTC-PERP -47, ETH-PERP +30
         5  TAKER   999982.573525  BTC-PERP +47, ETH-PERP -30
  and 2 with neither balance nor position
"
    );
}

#[test]
fn every_changed_byte_of_every_event_is_a_difference() {
    let records = traded();
    for (index, written) in records.iter().enumerate().filter(|(_, written)| written.kind == Kind::Event) {
        let mut changed = records[..=index].to_vec();
        for byte in 0..written.payload.len() {
            changed[index].payload[byte] ^= 1;
            let fault = verify(&changed).map(|_| ()).expect_err("a difference");
            let place = format!("event seq {} sub {}:", written.seq, written.sub);
            assert!(fault.to_string().contains(&place), "{fault}");
            assert!(fault.to_string().contains(&format!("first different at byte {byte} (")), "{fault}");
            changed[index].payload[byte] ^= 1;
        }
    }
}

#[test]
fn a_changed_event_is_named_with_both_versions() {
    let mut records = traded();
    let index = records
        .iter()
        .position(|written| written.payload.get(ROUTE_BYTES + 2) == Some(&204) && written.kind == Kind::Event)
        .expect("an execution");
    records[index].payload[24 + 64] ^= 4;
    let seq = format!("seq {} sub {}", records[index].seq, records[index].sub);
    check_refused(
        &records,
        &[&seq, "recorded OrderExecuted", "computed OrderExecuted", "byte 88 (block byte 64)"],
    );
    records[index].payload.truncate(30);
    check_refused(&records, &[&seq, "recorded 30 unreadable bytes", "computed OrderExecuted"]);
}

#[test]
fn a_missing_event_is_noticed_at_the_next_record_and_at_the_end() {
    let mut records = traded();
    let index = last(&records, Kind::Event);
    let removed = records.remove(index);
    let place = format!("event seq {} sub {}", removed.seq, removed.sub);
    check_refused(&records, &[&place, "recorded nothing after 0 of 1 events", "computed Confirmed"]);
    check_refused(&records[..index], &[&place]);
}

#[test]
fn an_extra_event_is_noticed() {
    let mut records = traded();
    let index = last(&records, Kind::Event);
    let mut extra = records[index].clone();
    extra.sub += 1;
    records.insert(index + 1, extra);
    check_refused(&records, &["recorded Confirmed, computed nothing: the command has 1 events"]);
}

#[test]
fn events_in_another_order_or_of_another_command_are_noticed() {
    let records = traded();
    let index = records.iter().rposition(|written| written.sub == 2).expect("two events of a command");
    let mut swapped = records.clone();
    swapped.swap(index - 1, index);
    check_refused(&swapped, &["sub 2: recorded", "where sub 1 must stand"]);
    let mut moved = records.clone();
    moved[index].seq -= 1;
    check_refused(&moved, &["sub 2: recorded nothing after 1 of"]);
    let index = last(&records, Kind::Event);
    let mut late = records.clone();
    late.insert(index + 1, Written { seq: records[index].seq - 1, ..records[index].clone() });
    check_refused(&late, &["recorded Confirmed while the last command is seq"]);
    check_refused(&records[1..], &["event seq 1 sub 1", "while the last command is seq 0"]);
}

#[test]
fn a_wrong_digest_is_noticed() {
    let mut records = traded();
    let index = last(&records, Kind::Mark);
    records[index].payload[31] ^= 1;
    check_refused(&records, &[&format!("mark seq {}: recorded digest", records[index].seq), "computed"]);
    records[index].payload.clear();
    check_refused(&records, &["recorded digest (no bytes)"]);
    records[index] = traded().swap_remove(index);
    records[index].seq -= 1;
    check_refused(&records, &["while the last command is seq"]);
}

#[test]
fn faults_of_the_sequencer_are_differences() {
    let records = traded();
    let index = records.iter().rposition(|written| written.kind == Kind::Command).expect("one");
    let with = |change: fn(&mut Written)| {
        let mut records = records[..=index].to_vec();
        change(&mut records[index]);
        records
    };
    let seq = records[index].seq;
    check_refused(
        &with(|command| command.seq += 1),
        &[&format!("seq {}: recorded as the next after", seq + 1)],
    );
    check_refused(&with(|command| command.seq -= 1), &["recorded as the next after"]);
    check_refused(&with(|command| command.seq = 0), &["command seq 0: recorded as the next after"]);
    check_refused(&with(|command| command.ts_ns = 5), &["recorded at 5 ns, before"]);
    check_refused(&with(|command| command.payload.truncate(39)), &["39 bytes that are no command"]);
}

#[test]
fn rules_that_this_build_does_not_know_are_refused_and_the_rest_is_stepped_over() {
    let mut records = traded();
    let template = records[last(&records, Kind::Mark)].clone();
    for kind in [Kind::Epoch, Kind::SnapshotRef, Kind::Loss] {
        records.push(Written { kind, ..template.clone() });
        verify(&records).expect("no change of state");
    }
    let logic = |version: u32| Written {
        kind: Kind::Logic,
        payload: version.to_le_bytes().into(),
        ..template.clone()
    };
    records.push(logic(1));
    verify(&records).expect("the rules that held before");
    records.push(logic(2));
    check_refused(&records, &["needs version 2 of the rules", "knows version 1 only"]);
}
