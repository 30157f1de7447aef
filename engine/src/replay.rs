//! An engine that checks what was recorded against what it computes. It is handed commands, events and marks in the
//! order in which they were recorded, applies the commands, and compares every event byte for byte and every mark with
//! its own digest; the first `Difference` ends it. It knows no journal: where the bytes come from, and what becomes of a
//! difference, is its owner's affair. Whatever the bytes are, it answers and never panics: a fault of the sequencer
//! that would stop the engine is found here before the engine sees it.

use std::fmt;

use zerocopy::FromBytes;

use crate::command::Command;
use crate::event::EventSink;
use crate::layout;
use crate::logic::{self, UnknownLogic};
use crate::message::{HEADER_BYTES, Header, ORIGIN_BYTES, ROUTE_BYTES};
use crate::{Due, Engine, Sequenced};

/// A replay that checks. After a `Difference` it has nothing more to say; drop it.
#[derive(Default)]
pub struct Replay {
    engine: Engine,
    said: Said,
    /// How many events of the last command the record has shown, all of them equal.
    shown: usize,
    ts_ns: u64,
    checked: Checked,
    /// The rules that the last such record put in force.
    logic: Option<u32>,
}

/// How much was found equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub commands: u64,
    pub events: u64,
    pub marks: u64,
}

impl Replay {
    /// From an empty engine: the record starts at its first command.
    pub fn new() -> Replay {
        Replay::default()
    }

    /// From a state that is already known, such as a snapshot's: the record goes on at `engine.last_seq() + 1`.
    pub fn from_engine(engine: Engine) -> Replay {
        let ts_ns = engine.last_ts_ns();
        Replay { engine, ts_ns, ..Replay::default() }
    }

    /// The next recorded command; its `payload` is `| Origin | Header | block |`.
    pub fn command(&mut self, seq: u64, ts_ns: u64, payload: &[u8]) -> Result<(), Difference> {
        self.finish()?;
        let fault = |what| Err(Difference { seq, sub: 0, what });
        let last_seq = self.engine.last_seq();
        if seq.checked_sub(1) != Some(last_seq) {
            return fault(What::SeqNotNext { last_seq });
        }
        if ts_ns < self.ts_ns {
            return fault(What::TimeWentBack { last_ns: self.ts_ns, ts_ns });
        }
        let Some(command) = Sequenced::read(seq, ts_ns, payload) else {
            return fault(What::NoCommand { recorded: payload.into() });
        };
        if let Some(due) = self.engine.due(ts_ns)
            && !is_allowed(due, &command)
        {
            let recorded = payload.into();
            return fault(match due {
                Due::Continue(order_id) => What::ContinuationDue { order_id, recorded },
                Due::Tick => What::TickDue { ts_ns, recorded },
            });
        }
        self.said.clear();
        self.shown = 0;
        self.ts_ns = ts_ns;
        self.engine.apply(&command, &mut self.said);
        self.checked.commands += 1;
        Ok(())
    }

    /// The next recorded event; its `payload` is `| Route | Header | block |`.
    pub fn event(&mut self, seq: u64, sub: u32, payload: &[u8]) -> Result<(), Difference> {
        let fault = |what| Err(Difference { seq, sub, what });
        if seq != self.engine.last_seq() {
            self.finish()?;
            return fault(What::EventOfNoCommand {
                last_seq: self.engine.last_seq(),
                recorded: payload.into(),
            });
        }
        let Some(computed) = self.said.get(self.shown) else {
            return fault(What::EventNotComputed { said: self.said.len(), recorded: payload.into() });
        };
        if sub != self.said.sub(self.shown) {
            return fault(What::SubNotNext { expected: self.said.sub(self.shown), recorded: payload.into() });
        }
        if payload != computed {
            return fault(What::EventDiffers { recorded: payload.into(), computed: computed.into() });
        }
        self.shown += 1;
        self.checked.events += 1;
        Ok(())
    }

    /// A recorded digest of the state after the command `seq`.
    pub fn mark(&mut self, seq: u64, digest: &[u8]) -> Result<(), Difference> {
        self.finish()?;
        let last_seq = self.engine.last_seq();
        if seq != last_seq {
            return Err(Difference { seq, sub: 0, what: What::MarkOfNoCommand { last_seq } });
        }
        let computed = self.engine.digest();
        if digest != computed {
            let what = What::DigestDiffers { recorded: digest.into(), computed: Box::new(computed) };
            return Err(Difference { seq, sub: 0, what });
        }
        self.checked.marks += 1;
        Ok(())
    }

    /// A recorded change of the rules, which holds from the command after `seq` on; its payload is the version as u32.
    pub fn logic(&mut self, seq: u64, payload: &[u8]) -> Result<(), Difference> {
        self.finish()?;
        let fault = |what| Err(Difference { seq, sub: 0, what });
        let last_seq = self.engine.last_seq();
        if seq != last_seq {
            return fault(What::LogicOfNoCommand { last_seq });
        }
        let Ok(version) = payload.try_into().map(u32::from_le_bytes) else {
            return fault(What::NoLogic { recorded: payload.into() });
        };
        match logic::check(version) {
            Ok(()) => {
                self.logic = Some(version);
                Ok(())
            }
            Err(unknown) => fault(What::LogicUnknown(unknown)),
        }
    }

    /// The version of the rules that a record has put in force; none before there is one.
    pub fn logic_recorded(&self) -> Option<u32> {
        self.logic
    }

    /// Nothing more of the last command is to come: an event that the engine said and the record lacks is a difference.
    pub fn finish(&mut self) -> Result<(), Difference> {
        let Some(computed) = self.said.get(self.shown) else {
            return Ok(());
        };
        let what = What::EventMissing { shown: self.shown, said: self.said.len(), computed: computed.into() };
        Err(Difference { seq: self.engine.last_seq(), sub: self.said.sub(self.shown), what })
    }

    /// Events of the last command that the record has not shown yet.
    pub fn owed(&self) -> usize {
        self.said.len() - self.shown
    }

    pub fn checked(&self) -> Checked {
        self.checked
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn into_engine(self) -> Engine {
        self.engine
    }
}

/// Rules 5.6 and 8.2: what is due, and from the venue itself.
fn is_allowed(due: Due, command: &Sequenced<'_>) -> bool {
    command.origin.session.get() == 0
        && Command::read(command.message).is_some_and(|command| due.allows(&command))
}

/// What the engine said about the last command: payloads end to end in one buffer, which keeps its memory.
#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    events: Vec<Place>,
}

struct Place {
    sub: u32,
    end: usize,
}

impl EventSink for Said {
    fn event(&mut self, sub: u32, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.events.push(Place { sub, end: self.bytes.len() });
    }
}

impl Said {
    fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
    }

    fn len(&self) -> usize {
        self.events.len()
    }

    fn sub(&self, index: usize) -> u32 {
        self.events[index].sub
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        let end = self.events.get(index)?.end;
        let start = if index == 0 { 0 } else { self.events[index - 1].end };
        Some(&self.bytes[start..end])
    }
}

/// The first place where the record and the engine part. Its text is for the operator who has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub seq: u64,
    /// The event's number within its command; 0 where a command or a mark is meant.
    pub sub: u32,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    SeqNotNext { last_seq: u64 },
    TimeWentBack { last_ns: u64, ts_ns: u64 },
    NoCommand { recorded: Box<[u8]> },
    ContinuationDue { order_id: u64, recorded: Box<[u8]> },
    TickDue { ts_ns: u64, recorded: Box<[u8]> },
    EventOfNoCommand { last_seq: u64, recorded: Box<[u8]> },
    EventNotComputed { said: usize, recorded: Box<[u8]> },
    SubNotNext { expected: u32, recorded: Box<[u8]> },
    EventDiffers { recorded: Box<[u8]>, computed: Box<[u8]> },
    EventMissing { shown: usize, said: usize, computed: Box<[u8]> },
    MarkOfNoCommand { last_seq: u64 },
    DigestDiffers { recorded: Box<[u8]>, computed: Box<[u8; 32]> },
    LogicOfNoCommand { last_seq: u64 },
    NoLogic { recorded: Box<[u8]> },
    LogicUnknown(UnknownLogic),
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { seq, sub, what } = self;
        match what {
            What::SeqNotNext { last_seq } => {
                write!(f, "command seq {seq}: recorded as the next after seq {last_seq}")
            }
            What::TimeWentBack { last_ns, ts_ns } => {
                write!(
                    f,
                    "command seq {seq}: recorded at {ts_ns} ns, before the command ahead of it at {last_ns} ns"
                )
            }
            What::NoCommand { recorded } => {
                write!(
                    f,
                    "command seq {seq}: recorded {} bytes that are no command: {}",
                    recorded.len(),
                    Hex(recorded)
                )
            }
            What::ContinuationDue { order_id: 0, recorded } => write!(
                f,
                "command seq {seq}: recorded {} while a continuation without an order is due: {}",
                name_after(recorded, ORIGIN_BYTES),
                Hex(recorded)
            ),
            What::ContinuationDue { order_id, recorded } => write!(
                f,
                "command seq {seq}: recorded {} while the continuation of order {order_id} is due: {}",
                name_after(recorded, ORIGIN_BYTES),
                Hex(recorded)
            ),
            What::TickDue { ts_ns, recorded } => write!(
                f,
                "command seq {seq}: recorded {} at {ts_ns} ns, past a deadline that no Tick has met: {}",
                name_after(recorded, ORIGIN_BYTES),
                Hex(recorded)
            ),
            What::EventOfNoCommand { last_seq, recorded } => write!(
                f,
                "event seq {seq} sub {sub}: recorded {} while the last command is seq {last_seq}: {}",
                name_after(recorded, ROUTE_BYTES),
                Hex(recorded)
            ),
            What::EventNotComputed { said, recorded } => write!(
                f,
                "event seq {seq} sub {sub}: recorded {}, computed nothing: the command has {said} events; recorded {}",
                name_after(recorded, ROUTE_BYTES),
                Hex(recorded)
            ),
            What::SubNotNext { expected, recorded } => write!(
                f,
                "event seq {seq} sub {sub}: recorded {} where sub {expected} must stand: {}",
                name_after(recorded, ROUTE_BYTES),
                Hex(recorded)
            ),
            What::EventDiffers { recorded, computed } => write!(
                f,
                "event seq {seq} sub {sub}: recorded {}, computed {}, first different at {}; recorded {} computed {}",
                name_after(recorded, ROUTE_BYTES),
                name_after(computed, ROUTE_BYTES),
                EventOffset(first_difference(recorded, computed)),
                Hex(recorded),
                Hex(computed)
            ),
            What::EventMissing { shown, said, computed } => write!(
                f,
                "event seq {seq} sub {sub}: recorded nothing after {shown} of {said} events, computed {}: {}",
                name_after(computed, ROUTE_BYTES),
                Hex(computed)
            ),
            What::MarkOfNoCommand { last_seq } => {
                write!(f, "mark seq {seq}: recorded while the last command is seq {last_seq}")
            }
            What::LogicOfNoCommand { last_seq } => {
                write!(f, "rules after seq {seq}: recorded while the last command is seq {last_seq}")
            }
            What::NoLogic { recorded } => {
                write!(f, "rules after seq {seq}: recorded no version: {}", Hex(recorded))
            }
            What::LogicUnknown(unknown) => write!(f, "after seq {seq} {unknown}"),
            What::DigestDiffers { recorded, computed } => {
                write!(
                    f,
                    "mark seq {seq}: recorded digest {}, computed {}",
                    Hex(recorded),
                    Hex(&computed[..])
                )
            }
        }
    }
}

/// The offset of the first byte that differs; the shorter's length when it is the start of the longer.
fn first_difference(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// An offset in an event's payload, said the way a person looks it up in a layout.
struct EventOffset(usize);

impl fmt::Display for EventOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BLOCK: usize = ROUTE_BYTES + HEADER_BYTES;
        let (part, start) = match self.0 {
            ..ROUTE_BYTES => ("route", 0),
            ROUTE_BYTES..BLOCK => ("header", ROUTE_BYTES),
            BLOCK.. => ("block", BLOCK),
        };
        write!(f, "byte {} ({part} byte {})", self.0, self.0 - start)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(no bytes)");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of the message that follows an envelope of `envelope` bytes.
fn name_after(payload: &[u8], envelope: usize) -> String {
    let header = payload.get(envelope..).and_then(|message| Header::ref_from_prefix(message).ok());
    // A group may follow the block, so a message may be longer than its block, but not shorter.
    match header.filter(|(header, rest)| rest.len() >= usize::from(header.block_length.get())) {
        Some((header, _)) => template_name(header.template_id.get())
            .map_or_else(|| format!("unknown template {}", header.template_id), str::to_owned),
        None => format!("{} unreadable bytes", payload.len()),
    }
}

/// The name of a template that this build knows.
pub fn template_name(template_id: u16) -> Option<&'static str> {
    layout::find(template_id).map(|layout| layout.name)
}
