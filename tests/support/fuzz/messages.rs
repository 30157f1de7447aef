//! Messages of any bytes for the engine alone: whatever comes, it neither stops nor breaks an invariant.
//!
//! ```text
//! venue u8 | then each: kind u8 | clock u8 | origin 40 or session u8 | length u8 and the bytes, or a block
//! ```

use engine::Engine;
use engine::command::{VenueOpen, template_of};
use engine::limits::Limits;
use engine::message::{HEADER_BYTES, Header, Message, Origin, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION};
use zerocopy::IntoBytes;

use super::Reader;
use super::layouts::layout;
use super::script::{bound_capacities, profile, session};
use super::values::{RAW, ahead, later};
use crate::heard;
use crate::workload::{CONNECTION, genesis};

const COMMANDS_MAX: usize = 1_000;
const INVARIANTS_EVERY: u64 = 8;
const DUE_MAX: u64 = 20_000;
/// Bits of a message's kind.
pub const ANY_BYTES: u8 = 1 << 7;
pub const ANY_ORIGIN: u8 = 1 << 6;
pub const LAST_LAYOUT: u8 = ANY_ORIGIN - 1;

pub fn bytes(input: &[u8]) {
    let mut reader = Reader::new(input);
    let mut venue = Lone::new(reader.byte());
    for _ in 0..COMMANDS_MAX {
        if reader.is_empty() {
            break;
        }
        venue.play(&mut reader);
    }
    venue.settle();
    restores(&venue.engine);
}

fn restores(engine: &Engine) {
    let snapshot = engine.snapshot();
    let twin = Engine::restore(&snapshot).expect("a snapshot of the engine restores");
    assert_eq!(twin.digest(), engine.digest());
    assert!(twin.snapshot() == snapshot, "a snapshot of the restored is the same bytes");
}

/// An engine without a model beside it.
struct Lone {
    engine: Engine,
    ts_ns: u64,
    /// Of the genesis, which is the same each time and is not looked at again.
    genesis: u64,
}

impl Lone {
    /// An odd byte: nobody has opened the venue.
    fn new(byte: u8) -> Lone {
        let mut lone = Lone { engine: Engine::new(), ts_ns: 1_700_000_000_000_000_000, genesis: 0 };
        if byte.is_multiple_of(2) {
            let genesis = genesis(&profile(byte / 2));
            lone.genesis = genesis.len() as u64;
            for step in genesis {
                lone.apply(&step.origin, &step.message);
            }
        }
        lone
    }

    fn play(&mut self, reader: &mut Reader<'_>) {
        let kind = reader.byte();
        self.ts_ns = match reader.byte() {
            clock @ 0..RAW => later(self.ts_ns, ahead(clock)),
            _ => later(self.ts_ns, reader.number(8)),
        };
        self.settle();
        let layout = layout(kind & LAST_LAYOUT, LAST_LAYOUT);
        let origin = if kind & ANY_ORIGIN != 0 {
            any_origin(reader)
        } else {
            self.origin(layout.template, reader.byte())
        };
        let mut message = Vec::new();
        if kind & ANY_BYTES == 0 {
            let header = Header {
                block_length: (layout.block_bytes() as u16).into(),
                template_id: layout.template.into(),
                schema_id: SCHEMA_ORDER_ENTRY.into(),
                version: SCHEMA_VERSION.into(),
            };
            message.extend(header.as_bytes());
            message.resize(HEADER_BYTES + layout.block_bytes(), 0);
            reader.fill(&mut message[HEADER_BYTES..]);
        } else {
            message.resize(usize::from(reader.byte()), 0);
            reader.fill(&mut message);
        }
        if template_of(&message) == VenueOpen::TEMPLATE {
            bound_capacities(&mut message[HEADER_BYTES..]);
        }
        self.apply(&origin, &message);
    }

    fn settle(&mut self) {
        for _ in 0..DUE_MAX {
            let Some(due) = self.engine.due(self.ts_ns) else { return };
            self.apply(&Origin::venue(), &due.message());
        }
        panic!("what is due at {} never ends", self.ts_ns);
    }

    fn apply(&mut self, origin: &Origin, message: &[u8]) {
        let seq = self.engine.last_seq() + 1;
        let heard = heard::answer(&mut self.engine, seq, self.ts_ns, origin, message);
        let bound = self.engine.limits().map_or(1, Limits::events_per_command);
        assert!(heard.len() <= bound as usize, "{} events, at most {bound}", heard.len());
        if seq.saturating_sub(self.genesis) % INVARIANTS_EVERY == 1 {
            assert_eq!(self.engine.check_invariants(), Ok(()));
        }
    }

    /// As the gateway would say it.
    fn origin(&self, template: u16, byte: u8) -> Origin {
        let id = session(template, byte);
        let known = self.engine.sessions().find(|it| it.id == id);
        let mut origin = Origin::venue();
        origin.session = id.into();
        origin.client_seq = known.as_ref().map_or(1, |it| it.next_client_seq).into();
        origin.connection = known.and_then(|it| it.connection).unwrap_or(CONNECTION).into();
        origin.sent_ns = self.ts_ns.into();
        origin
    }
}

fn any_origin(reader: &mut Reader<'_>) -> Origin {
    let mut origin = Origin::venue();
    reader.fill(origin.as_mut_bytes());
    origin
}
