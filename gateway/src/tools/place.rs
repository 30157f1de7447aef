//! What every tool is given: which journal, and for whom the answer is.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Place {
    /// A venue's directory, or a journal's
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// For programs: one JSON object a line
    #[arg(long)]
    pub json: bool,
}
