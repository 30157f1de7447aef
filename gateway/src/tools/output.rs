//! Standard output of a tool. Whoever reads it may have enough: a closed pipe ends the tool without an error.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use crate::cli::{EXIT_ERROR, Failure};

pub struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub fn new() -> Output {
        Output(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(failure)
    }

    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        write!(self.0, "{text}").map_err(failure)
    }

    /// To be called at the end, and before waiting.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(failure)
    }
}

fn failure(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::new(EXIT_ERROR, format!("cannot write to standard output: {error}")),
    }
}
