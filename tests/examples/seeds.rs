//! Writes inputs to begin with: `seeds DIR [HOW_MANY] [COMMANDS]` makes `DIR/commands`, `DIR/bytes` and `DIR/restore`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let home = arguments.next().expect("the directory is named");
    let mut number = |otherwise| arguments.next().map_or(otherwise, |it| it.parse().expect("a number"));
    let (count, commands) = (number(100), number(80));
    for target in ["commands", "bytes", "restore"] {
        fs::create_dir_all(Path::new(&home).join(target))?;
    }
    for seed in 0..count {
        let inputs = tests::fuzz::seeds(seed, commands);
        for (target, input) in
            [("commands", inputs.commands), ("bytes", inputs.bytes), ("restore", inputs.restore)]
        {
            fs::write(Path::new(&home).join(target).join(format!("seed-{commands}-{seed}")), input)?;
        }
    }
    Ok(())
}
