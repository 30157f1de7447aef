//! The reject codes as a table for other programs.

use std::fmt::Write;

use engine::reject::Reject;

pub fn write() -> String {
    let mut text = "code,name,meaning\n".to_owned();
    for reject in Reject::ALL {
        let _ = writeln!(text, "{},{reject:?},\"{}\"", reject.code(), reject.text());
    }
    text
}
