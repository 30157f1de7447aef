//! Which records a tool is to show. All that is asked for must hold.

use clap::Args;
use engine::layout;
use engine::message::HEADER_BYTES;
use journal::{Kind, Record};

use super::decode::{Decoded, template_of};
use super::source::Step;
use super::{instant, shown};

#[derive(Clone, Debug, Default, Args)]
pub struct Filter {
    /// From this seq on
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Up to this seq, and all of its events
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// From this moment on: RFC 3339 in UTC, or ns since 1970
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    since: Option<u64>,
    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    until: Option<u64>,
    /// Only this message, by name or number; may be repeated
    #[arg(long, value_name = "NAME|ID", value_parser = template)]
    template: Vec<u16>,
    /// Only what names this account
    #[arg(long, value_name = "ID")]
    account: Option<u32>,
    /// Only what names this instrument, as a leg or in a quote too
    #[arg(long, value_name = "ID")]
    instrument: Option<u32>,
    /// Only what this session sent or was told
    #[arg(long, value_name = "ID")]
    session: Option<u64>,
    /// Only events
    #[arg(long, conflicts_with = "commands")]
    events: bool,
    /// Only commands
    #[arg(long)]
    commands: bool,
}

impl Filter {
    /// Nothing before this seq passes.
    pub fn from(&self) -> Option<u64> {
        self.from
    }

    pub fn passes(&self, record: &Record<'_>) -> bool {
        let is_event = record.kind == Kind::Event;
        let is_command = record.kind == Kind::Command;
        self.from.is_none_or(|from| record.seq >= from)
            && self.since.is_none_or(|since| record.ts_ns >= since)
            && (!self.events || is_event)
            && (!self.commands || is_command)
            && (self.asks_nothing_of_messages() || self.passes_message(record))
    }

    /// Whether anything that comes after this record could still pass.
    pub fn step(&self, record: &Record<'_>) -> Step {
        let is_past = self.to.is_some_and(|to| record.seq > to)
            || self.until.is_some_and(|until| record.ts_ns >= until);
        if is_past { Step::Enough } else { Step::Next }
    }

    fn asks_nothing_of_messages(&self) -> bool {
        self.template.is_empty()
            && self.account.is_none()
            && self.instrument.is_none()
            && self.session.is_none()
    }

    fn passes_message(&self, record: &Record<'_>) -> bool {
        let message = shown::message(record);
        if message.len() < HEADER_BYTES {
            return false;
        }
        let decoded = Decoded::read(message);
        let names = |names: &[&str], id: Option<u32>| {
            id.is_none_or(|id| decoded.is_some_and(|decoded| decoded.names(names, id.into())))
        };
        (self.template.is_empty() || self.template.contains(&template_of(message)))
            && self.session.is_none_or(|session| shown::session(record) == session)
            && names(&["account_id"], self.account)
            && names(&["instrument_id", "leg_instruments"], self.instrument)
    }
}

fn template(text: &str) -> Result<u16, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    layout::named(text).map(|layout| layout.template).ok_or_else(|| {
        let names: Vec<&str> = layout::all().map(|layout| layout.name).collect();
        format!("there is no message '{text}'; known: {}", names.join(", "))
    })
}
