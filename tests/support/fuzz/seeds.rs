//! Inputs to begin with: streams of the workload, written down as the targets read them, so that depth is reached early.
//! What a target cannot say (templates that nobody knows, lengths that differ) is left out.

use engine::command::{MassQuote, QuoteEntry, template_of};
use engine::message::{GroupSize, HEADER_BYTES, Message, Origin, split};

use super::Reader;
use super::layouts::{self, Kind, Layout, QUOTE_ENTRY, Row, layout};
use super::messages::{self, ANY_BYTES, ANY_ORIGIN};
use super::pair::Pair;
use super::script::{self, AT_THE_TIME_BEFORE, ODD_ORIGIN, learn, offset, profile, reading_order, session};
use super::values::{RAW, Scene, value};
use crate::workload::{Draw, Profile, Step, Workload, genesis};
use zerocopy::IntoBytes;

/// One input for each target from the stream of this seed.
pub struct Seeds {
    pub commands: Vec<u8>,
    pub bytes: Vec<u8>,
    /// Taken while something was due, if there was such a moment.
    pub restore: Vec<u8>,
}

pub fn seeds(seed: u64, commands: u64) -> Seeds {
    let kind = (seed % Profile::ALL.len() as u64) as u8;
    let profile = profile(kind);
    let (mut pair, mut draw) = (Pair::new(&profile), Draw::new(!seed));
    let mut workload = Workload::new(seed, profile);
    for _ in genesis(&profile) {
        workload.next(&pair.model, pair.ts_ns);
    }
    let mut seeds = Seeds { commands: vec![kind], bytes: vec![2 * kind], restore: Vec::new() };
    for _ in 0..commands {
        let control = clock(&mut draw);
        script::advance(&mut pair, control, &mut Reader::new(&[]));
        let step = workload.next(&pair.model, pair.ts_ns);
        let Some((layout, control, tail)) = written(&pair, &step, control) else { continue };
        let number = |last| layouts::number(layout.template, last).expect("it has a layout");
        seeds.commands.extend([number(script::LAST_LAYOUT), control]);
        seeds.commands.extend(&tail);
        seeds.bytes.extend(as_message(&step, number(messages::LAST_LAYOUT)));
        let said = script::say(&mut pair, layout, control, &mut Reader::new(&tail));
        workload.hear(&step, &said);
        if pair.engine.continuation().is_some() {
            seeds.restore = pair.engine.snapshot();
        }
    }
    if seeds.restore.is_empty() {
        seeds.restore = pair.engine.snapshot();
    }
    seeds
}

/// Mostly no time passes; now and then it comes to the deadline.
fn clock(draw: &mut Draw) -> u8 {
    let clock = draw.of(&[0, 0, 0, 0, 5, 6, 6, 7, 8]);
    let clock = if draw.one_in(20) { draw.of(&[9, 10, 11, 12, 13, 14]) } else { clock };
    if draw.one_in(2) { clock | AT_THE_TIME_BEFORE } else { clock }
}

/// The layout, the control byte and what follows it.
fn written(pair: &Pair, step: &Step, control: u8) -> Option<(&'static Layout, u8, Vec<u8>)> {
    let template = template_of(&step.message);
    let layout = layouts::number(template, script::LAST_LAYOUT).map(|it| layout(it, script::LAST_LAYOUT))?;
    let id = step.origin.session.get();
    let mut bytes = match (0..RAW).find(|byte| session(template, *byte) == id) {
        Some(byte) => vec![byte],
        None => raw(id, 8),
    };
    let mut scene = script::scene(pair, id);
    let block = if template == MassQuote::TEMPLATE {
        step.message.get(HEADER_BYTES..HEADER_BYTES + layout.block_bytes())?
    } else {
        split(&step.message).map(|(_, block)| block).filter(|it| it.len() == layout.block_bytes())?
    };
    bytes.extend(row(&mut scene, layout.row, block));
    if template == MassQuote::TEMPLATE {
        let entries = step.message.get(HEADER_BYTES + block.len() + size_of::<GroupSize>()..)?;
        let entries = entries.chunks_exact(size_of::<QuoteEntry>());
        bytes.push(if entries.len() < 6 { entries.len() as u8 } else { return None });
        entries.for_each(|entry| bytes.extend(row(&mut scene, QUOTE_ENTRY, entry)));
    }
    let Some(odd) = odd_origin(&script::origin(pair, id), &step.origin) else {
        return Some((layout, control, bytes));
    };
    bytes.extend(odd);
    Some((layout, control | ODD_ORIGIN << 6, bytes))
}

fn row(scene: &mut Scene<'_>, row: Row, block: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in reading_order(row) {
        let (width, kind) = row[index];
        let field = &block[offset(row, index)..][..width];
        if kind == Kind::Byte || kind == Kind::Fill {
            bytes.push(field[0]);
            continue;
        }
        let mut wanted = [0; 8];
        wanted[..width].copy_from_slice(field);
        let wanted = u64::from_le_bytes(wanted);
        let mask = u64::MAX >> (64 - 8 * width);
        match (0..RAW).find(|byte| value(scene, kind, *byte) & mask == wanted) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(raw(wanted, width)),
        }
        learn(scene, kind, wanted);
    }
    bytes
}

fn raw(number: u64, width: usize) -> Vec<u8> {
    let mut bytes = vec![RAW];
    bytes.extend(&number.to_le_bytes()[..width]);
    bytes
}

/// When the numbers that the session depends on are others.
fn odd_origin(right: &Origin, origin: &Origin) -> Option<Vec<u8>> {
    let parts = |it: &Origin| (it.client_seq, it.connection, it.flags);
    if parts(right) == parts(origin) {
        return None;
    }
    let mut bytes = raw(origin.client_seq.get(), 8);
    bytes.extend([0, 0]);
    bytes.extend(raw(origin.connection.get().into(), 8));
    bytes.extend(raw(origin.flags.get().into(), 8));
    Some(bytes)
}

/// As the target `bytes` reads it.
fn as_message(step: &Step, layout: u8) -> Vec<u8> {
    let template = template_of(&step.message);
    let has_group = template == MassQuote::TEMPLATE;
    let known = (0..RAW).find(|byte| session(template, *byte) == step.origin.session.get());
    let mut kind = if has_group { layout | ANY_BYTES } else { layout };
    let mut sender = vec![known.unwrap_or(0)];
    if known.is_none() {
        kind |= ANY_ORIGIN;
        sender = step.origin.as_bytes().to_vec();
    }
    let mut bytes = vec![kind, 0];
    bytes.extend(sender);
    if has_group {
        bytes.push(step.message.len().min(255) as u8);
        bytes.extend(&step.message[..step.message.len().min(255)]);
    } else {
        bytes.extend(&step.message[HEADER_BYTES..]);
    }
    bytes
}
