//! Writes a journal of a random run: `golden_journal DIR [COMMANDS] [SEED]`. Segments are as small as they may be; what only a
//! writer or a running venue needs (spares, the reserve, `LOCK`, `control`) is left out, so that the directory can be committed.

use std::path::Path;
use std::{env, fs, io};

use journal::{BackEnd, Options, SegmentState, segment_summaries};
use tests::workload::Profile;
use tests::written;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let home = arguments.next().expect("the directory is named");
    let mut number = |otherwise| arguments.next().map_or(otherwise, |it| it.parse().expect("a number"));
    let (commands, seed) = (number(400), number(1));
    let options = Options { segment_bytes: 64 << 10, group_alignment: 512, back_end: BackEnd::Written };
    let journal = Path::new(&home);
    let digest = written::journal_of(&options, journal, (seed, Profile::ROOMY), commands, |_| true, |_| ());
    let segments = segment_summaries(journal).map_err(io::Error::other)?;
    for spare in segments.iter().filter(|segment| segment.state == SegmentState::Spare) {
        fs::remove_file(&spare.path)?;
    }
    for name in ["LOCK", "control", "reserve.bin"] {
        fs::remove_file(journal.join(name))?;
    }
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(journal.join("digest"), format!("{commands} {digest}\n"))?;
    println!("{commands} {digest}");
    Ok(())
}
