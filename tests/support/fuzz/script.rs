//! An input read as a script of commands: the first byte chooses the venue, then each command is
//!
//! ```text
//! layout u8 | control u8 | [clock 8] | session u8 [8] | fields, one byte each [raw] | [entries] | [origin] | [shape]
//! control: bits 0-3 the clock, bit 4 what is due goes first at the time before, bit 5 strays among continuations,
//!          bits 6-7: 1 the engine goes on from its snapshot, 2 an odd origin, 3 an odd shape
//! ```
//!
//! A byte stands for a value that `values` finds in the state of the model, so that orders meet; every field can also
//! have any bits.

use engine::command::{MassQuote, QuoteEntry, VenueOpen};
use engine::limits::QUOTE_ENTRIES_MAX;
use engine::message::{GroupSize, HEADER_BYTES, Header, Message, Origin, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION};
use zerocopy::IntoBytes;

use super::Reader;
use super::layouts::{Kind, Layout, QUOTE_ENTRY, Row, layout};
use super::pair::Pair;
use super::values::{RAW, Scene, ahead, later, value};
use crate::workload::{CONNECTION, Profile, SESSIONS, Step};

/// Commands of one input.
const COMMANDS_MAX: usize = 1_000;
/// Templates that the venue itself may send.
const PRIVILEGED_FROM: u16 = 300;
const RAW_CLOCK: u8 = 15;
pub const LAST_LAYOUT: u8 = u8::MAX;

pub const AT_THE_TIME_BEFORE: u8 = 1 << 4;
const STRAYS: u8 = 1 << 5;
const RESTART: u8 = 1;
pub const ODD_ORIGIN: u8 = 2;
const ODD_SHAPE: u8 = 3;

pub fn commands(input: &[u8]) {
    let mut reader = Reader::new(input);
    let mut pair = Pair::new(&profile(reader.byte()));
    for _ in 0..COMMANDS_MAX {
        if reader.is_empty() {
            break;
        }
        play(&mut pair, &mut reader);
    }
    pair.settle(false);
    pair.end();
}

pub fn profile(byte: u8) -> Profile {
    Profile::ALL[usize::from(byte) % Profile::ALL.len()]
}

/// Reads one command and applies it, and before it what is due.
fn play(pair: &mut Pair, reader: &mut Reader<'_>) {
    let layout = layout(reader.byte(), LAST_LAYOUT);
    let control = reader.byte();
    advance(pair, control, reader);
    say(pair, layout, control, reader);
}

/// The clock moves, and what is due comes first.
pub fn advance(pair: &mut Pair, control: u8, reader: &mut Reader<'_>) {
    let strays = control & STRAYS != 0;
    if control & AT_THE_TIME_BEFORE != 0 {
        pair.settle(strays);
    }
    pair.ts_ns = match control & RAW_CLOCK {
        RAW_CLOCK => later(pair.ts_ns, reader.number(8)),
        clock => clocked(pair, clock),
    };
    pair.settle(strays);
}

/// The command itself, and its answer.
pub fn say(pair: &mut Pair, layout: &Layout, control: u8, reader: &mut Reader<'_>) -> Vec<Vec<u8>> {
    let step = read_step(pair, layout, control >> 6, reader);
    if control >> 6 == RESTART {
        pair.restart();
    }
    pair.apply(&step)
}

/// A step of the clock, or to the deadline.
fn clocked(pair: &Pair, clock: u8) -> u64 {
    let deadline = pair.engine.deadline().unwrap_or(0);
    match clock {
        0..4 => pair.ts_ns,
        13 => later(deadline.saturating_sub(1).max(pair.ts_ns), 0),
        14 => later(deadline.max(pair.ts_ns), 0),
        _ => later(pair.ts_ns, ahead(clock - 3)),
    }
}

/// Who speaks: a session that trades, the venue itself for what only it may say, or any.
pub fn session(template: u16, byte: u8) -> u64 {
    match byte {
        0..0x80 if template >= PRIVILEGED_FROM => 0,
        0..0x80 => SESSIONS[usize::from(byte) % 4].0,
        _ => SESSIONS.get(usize::from(byte - 0x80)).map_or(0, |it| it.0),
    }
}

fn read_step(pair: &mut Pair, layout: &Layout, oddity: u8, reader: &mut Reader<'_>) -> Step {
    let byte = reader.byte();
    let id = if byte < RAW { session(layout.template, byte) } else { reader.number(8) };
    let mut scene = scene(pair, id);
    let mut message = vec![0; HEADER_BYTES];
    message.extend(read_row(&mut scene, layout.row, reader));
    let mut header = Header {
        block_length: (layout.block_bytes() as u16).into(),
        template_id: layout.template.into(),
        schema_id: SCHEMA_ORDER_ENTRY.into(),
        version: SCHEMA_VERSION.into(),
    };
    if layout.template == VenueOpen::TEMPLATE {
        bound_capacities(&mut message[HEADER_BYTES..]);
    }
    if layout.template == MassQuote::TEMPLATE {
        message.extend(read_entries(&mut scene, reader));
    }
    pair.client_id = scene.client_id;
    let mut origin = origin(pair, id);
    match oddity {
        ODD_ORIGIN => read_origin(&mut origin, reader),
        ODD_SHAPE => read_shape(&mut header, &mut message, reader),
        _ => {}
    }
    let said = HEADER_BYTES.min(message.len());
    message[..said].copy_from_slice(&header.as_bytes()[..said]);
    Step { origin, message }
}

pub fn scene(pair: &Pair, session: u64) -> Scene<'_> {
    Scene {
        model: &pair.model,
        ts_ns: pair.ts_ns,
        account: pair.model.session(session).map_or(0, |it| it.account),
        instrument: 0,
        client_id: pair.client_id,
    }
}

/// As the gateway would say it.
pub fn origin(pair: &Pair, session: u64) -> Origin {
    let mut origin = Origin::venue();
    if session != 0 {
        let known = pair.model.session(session);
        origin.session = session.into();
        origin.client_seq = known.map_or(1, |it| it.next_client_seq).into();
        origin.connection = known.and_then(|it| it.connection).unwrap_or(CONNECTION).into();
        origin.sent_ns = pair.ts_ns.into();
        origin.received_ns = pair.ts_ns.into();
    }
    origin
}

/// The instrument is read first: prices depend on it.
pub fn reading_order(row: Row) -> impl Iterator<Item = usize> {
    let is_instrument = |it: &usize| row[*it].1 == Kind::Instrument;
    (0..row.len()).filter(is_instrument).chain((0..row.len()).filter(move |it| !is_instrument(it)))
}

pub fn offset(row: Row, index: usize) -> usize {
    row[..index].iter().map(|(width, _)| width).sum()
}

fn read_row(scene: &mut Scene<'_>, row: Row, reader: &mut Reader<'_>) -> Vec<u8> {
    let mut block = vec![0; offset(row, row.len())];
    for index in reading_order(row) {
        let (width, kind) = row[index];
        let field = &mut block[offset(row, index)..][..width];
        let byte = reader.byte();
        if kind == Kind::Byte || kind == Kind::Fill {
            field.fill(byte);
            continue;
        }
        let found = if byte < RAW { value(scene, kind, byte) } else { reader.number(width) };
        field.copy_from_slice(&found.to_le_bytes()[..width]);
        learn(scene, kind, found);
    }
    block
}

/// What later fields are chosen by.
pub fn learn(scene: &mut Scene<'_>, kind: Kind, found: u64) {
    match kind {
        Kind::Instrument => scene.instrument = found as u32,
        Kind::ClientId if found < 1 << 32 => scene.client_id = scene.client_id.max(found),
        _ => {}
    }
}

/// A group of few entries, or of as many as no command may have.
fn read_entries(scene: &mut Scene<'_>, reader: &mut Reader<'_>) -> Vec<u8> {
    let byte = usize::from(reader.byte());
    let count = if byte < 0x80 { byte % 6 } else { byte % (QUOTE_ENTRIES_MAX + 3) };
    let size = GroupSize {
        block_length: (size_of::<QuoteEntry>() as u16).into(),
        num_in_group: (count as u16).into(),
    };
    let mut group = size.as_bytes().to_vec();
    for _ in 0..count {
        group.extend(read_row(scene, QUOTE_ENTRY, reader));
    }
    group
}

/// Memory is taken by capacity when a venue opens: those that can be had are small ones.
pub fn bound_capacities(block: &mut [u8]) {
    const FIRST: usize = 32;
    const MOST: u32 = 1 << 12;
    for capacity in block.chunks_exact_mut(4).skip(FIRST / 4) {
        let wanted = u32::from_le_bytes([capacity[0], capacity[1], capacity[2], capacity[3]]);
        if wanted <= 1 << 26 {
            capacity.copy_from_slice(&(wanted % MOST).to_le_bytes());
        }
    }
}

/// Each part as it should be, a little off, or anything.
fn read_origin(origin: &mut Origin, reader: &mut Reader<'_>) {
    let mut off = |right: u64| match reader.byte() {
        0..0x40 => right,
        byte @ 0x40..RAW => right.wrapping_add(u64::from(byte)).wrapping_sub(0x80),
        _ => reader.number(8),
    };
    origin.client_seq = off(origin.client_seq.get()).into();
    origin.sent_ns = off(origin.sent_ns.get()).into();
    origin.received_ns = off(origin.received_ns.get()).into();
    origin.connection = (off(origin.connection.get().into()) as u32).into();
    origin.flags = (off(0) as u32).into();
}

/// A block that is longer or shorter than its header says, or a header that says something else.
fn read_shape(header: &mut Header, message: &mut Vec<u8>, reader: &mut Reader<'_>) {
    let (how, number) = (reader.byte() % 4, reader.number(2) as u16);
    match how {
        0 => header.template_id = number.into(),
        1 => header.block_length = number.into(),
        2 => message.truncate(usize::from(number) % (message.len() + 1)),
        _ => {
            let length = usize::from(number % 300);
            message.resize(HEADER_BYTES + length, 1);
            header.block_length = (length as u16).into();
        }
    }
}
