//! Who may be told what an account was told before (rule 12.5), as conversations in the manner of `scenarios`.

mod desk;

use desk::{Desk, check};

/// The grant takes no place in the stream.
#[test]
fn a_history_is_granted() {
    check(
        "
        10 buy 5@99 #1
        > 10:1 Accepted 1.0 #1 buy 5@99 ref 1
        10 history 7
        > 10:0 HistoryGranted 10 #7 ref 2 from 1 to 1099511627776 account 4 most 10000
        12 history 8 from=5 to=5 most=1
        > 12:0 HistoryGranted 12 #8 ref 1 from 5 to 5 account 4 most 1
        13 history 9 to=18446744073709551615
        > 13:0 HistoryGranted 13 #9 ref 1 from 1 to 18446744073709551615 account 4 most 10000
        10 buy 1@90 #3
        > 10:2 Accepted 2.1 #3 buy 1@90 ref 3
        ",
    );
}

#[test]
fn refusals_come_in_order() {
    check(
        "
        40 history 1 account=9 from=0
        > 40:0 RequestComplete Permission #1 count 0 ref 1
        10 history 2 account=9 from=0
        > 10:0 RequestComplete UnknownAccount #2 count 0 ref 1
        10 history 3 account=5 from=0
        > 10:0 RequestComplete NotYourAccount #3 count 0 ref 2
        10 history 4 from=0
        > 10:0 RequestComplete InvalidCombination #4 count 0 ref 3
        10 history 5 from=6 to=5
        > 10:0 RequestComplete InvalidCombination #5 count 0 ref 4
        10 history 6 most=0
        > 10:0 RequestComplete InvalidCombination #6 count 0 ref 5
        10 history 7 most=10001
        > 10:0 RequestComplete InvalidCombination #7 count 0 ref 6
        10 history 8 cut=8
        > 10:0 SessionReject BadBlockLength ref 7 template 116 field 0
        0 history 9
        ",
    );
}

/// A grant and a refusal leave the same state: one number used up, and nothing else.
#[test]
fn nothing_else_changes() {
    let digest_after = |line: &str| {
        let mut desk = Desk::open(1_000_000_000_000_000);
        desk.play("10 buy 1@90 #1");
        desk.play(line);
        desk.engine.digest()
    };
    assert_eq!(digest_after("10 history 7"), digest_after("10 history 7 from=0"));
}
