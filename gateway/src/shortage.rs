//! What the journal's disk lacks, in a sentence for an operator. Asks the file system, changes nothing.

use std::path::Path;

use engine::Standstill;
use journal::Writer;

/// How much is free where the journal lies.
pub fn free_space(journal: &Path) -> String {
    let shown = journal.display();
    match rustix::fs::statvfs(journal) {
        Ok(found) => format!("{} bytes are free in {shown}", found.f_bavail * found.f_frsize),
        Err(error) => format!("the free space in {shown} is unknown: {error}"),
    }
}

/// A start that goes on where the disk had run full: what the venue is, how much room it needs, and how it resumes.
pub fn at_start(standstill: Standstill, writer: &Writer, journal: &Path) -> Option<String> {
    let is_written = writer.room().left_bytes > 0 || writer.room().spares > 0;
    let what = match standstill {
        Standstill::None if is_written => return None,
        Standstill::None | Standstill::Halted(_) => {
            "halted: nobody trades, a logon is refused with JOURNAL_FULL"
        }
        Standstill::CancelOnly(_) => "cancel-only: what adds is refused with JOURNAL_FULL",
    };
    let free = free_space(journal);
    let way_out = match writer.missing_bytes() {
        0 => format!("there is room again ({free}), and it goes on by itself at once"),
        bytes => format!(
            "{bytes} bytes must be free for a segment and the reserve, {free}; it goes on by itself as soon as they are"
        ),
    };
    Some(format!("the journal's disk ran full, the venue is {what}; {way_out}"))
}
