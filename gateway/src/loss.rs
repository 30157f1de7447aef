//! Durable data that was given up, in a sentence for an operator.

use journal::{Loss, Surrender};

/// What this start gave up, and where it lies.
pub fn sentence(given_up: &Surrender) -> String {
    let torn = given_up
        .torn
        .as_ref()
        .map_or(String::new(), |saved| format!("; what stood there is in {}", saved.display()));
    let moved = match given_up.moved.as_slice() {
        [] => String::new(),
        [one] => format!("; moved aside: {}", one.display()),
        [first, others @ ..] => {
            format!("; moved aside: {} and {} more files beside it", first.display(), others.len())
        }
    };
    format!("GAVE UP {}{torn}{moved}", recorded(&given_up.loss))
}

/// What a Loss record says.
pub fn recorded(loss: &Loss) -> String {
    let Loss { last_seq, floor_seq, reason, .. } = loss;
    if loss.is_of_no_record() {
        return format!("bytes behind seq {last_seq} that were no record: {reason}");
    }
    format!("durable data behind seq {last_seq} (up to seq {floor_seq} had been promised): {reason}")
}
