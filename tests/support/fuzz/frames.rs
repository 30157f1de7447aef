//! A byte stream as a socket gives it: cut anywhere, it makes the same frames and the same fault. And a schema file: one that
//! passes its check means what the file of this build means; what the engine reads of a message is what the schema says.
//!
//! ```text
//! frames: cut u8 | the stream          schema: 0 and edits to the file, offset u16 | length u8 | count u8 | bytes
//!                                              or anything else and a message, template u16 | block length u16 | bytes
//! ```

use engine::command::{Command, session_block_bytes};
use engine::limits::FRAME_BYTES_MAX;
use engine::message::{GroupSize, HEADER_BYTES, Header, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION};
use engine::reject::Reject;
use gateway::frame::{self, ENCODING_TYPE, FRAME_BYTES_MIN, PREFIX_BYTES};
use gateway::schema;
use zerocopy::IntoBytes;

use super::Reader;

/// The ends of the frames, and the fault behind the last.
type Cut = (Vec<usize>, Option<Reject>);

pub fn frames(input: &[u8]) {
    let mut reader = Reader::new(input);
    let step = 1 + usize::from(reader.byte());
    let stream = reader.rest;
    let due = by_hand(stream);
    assert_eq!(cut(stream), due, "the whole stream at once");
    let (mut heard, mut start, mut end): (Cut, usize, usize) = Default::default();
    while end < stream.len() && heard.1.is_none() {
        end = stream.len().min(end + step);
        let (ends, fault) = cut(&stream[start..end]);
        heard.0.extend(ends.iter().map(|it| start + it));
        heard.1 = fault;
        start = heard.0.last().copied().unwrap_or(0);
    }
    assert_eq!(heard, due, "{step} bytes at a time");
}

/// As a connection reads what it has.
fn cut(bytes: &[u8]) -> Cut {
    let (mut ends, mut at) = (Vec::new(), 0);
    loop {
        match frame::first(&bytes[at..]) {
            Err(fault) => return (ends, Some(fault)),
            Ok(None) => return (ends, None),
            Ok(Some(frame)) => {
                assert_eq!(frame.message, &bytes[at..][PREFIX_BYTES..frame.bytes()]);
                assert_eq!(frame.block, &frame.message[HEADER_BYTES..]);
                at += frame.bytes();
                ends.push(at);
            }
        }
    }
}

/// By the words of PROTOCOL.md, 1.1.
fn by_hand(bytes: &[u8]) -> Cut {
    let (mut ends, mut at) = (Vec::new(), 0);
    loop {
        let rest = &bytes[at..];
        let Some(length) = rest.first_chunk::<4>().map(|it| u32::from_le_bytes(*it) as usize) else {
            return (ends, None);
        };
        if length > FRAME_BYTES_MAX {
            return (ends, Some(Reject::FrameTooLong));
        }
        if length < FRAME_BYTES_MIN {
            return (ends, Some(Reject::BadFrame));
        }
        if rest.len() >= 6 && u16::from_le_bytes([rest[4], rest[5]]) != ENCODING_TYPE {
            return (ends, Some(Reject::BadEncodingType));
        }
        if rest.len() < length {
            return (ends, None);
        }
        at += length;
        ends.push(at);
    }
}

pub fn schema(input: &[u8]) {
    let mut reader = Reader::new(input);
    if reader.byte() == 0 { changed_file(&mut reader) } else { message(&mut reader) }
}

fn changed_file(reader: &mut Reader<'_>) {
    let mut text = schema::ORDER_ENTRY_XML.as_bytes().to_vec();
    while !reader.is_empty() {
        let at = usize::from(reader.number(2) as u16) * 3 % text.len();
        let end = text.len().min(at + usize::from(reader.byte() % 32));
        let mut bytes = vec![0; usize::from(reader.byte() % 32)];
        reader.fill(&mut bytes);
        text.splice(at..end, bytes);
    }
    let text = String::from_utf8_lossy(&text);
    let read = match schema::Schema::parse("changed.xml", &text) {
        Ok(read) => read,
        Err(fault) => return assert!(fault.starts_with("changed.xml"), "a fault names its file: {fault}"),
    };
    let built_in = schema::order_entry();
    let changes = schema::changes(built_in, &read);
    schema::verdict(&changes);
    if schema::faults("changed.xml", &read).is_empty() {
        assert!(meaning(&read) == meaning(built_in), "a change that no check sees");
    }
}

/// Everything that decides how bytes are read; what the words of a composite are called is not in the code.
fn meaning(schema: &schema::Schema) -> String {
    let mut text = schema::canonical(schema);
    for it in &schema.types {
        if let schema::Kind::Words { names, .. } = &it.kind {
            text = text.replace(&format!(" {}", names.join(" ")), "");
        }
    }
    text
}

fn message(reader: &mut Reader<'_>) {
    let header = Header {
        template_id: (reader.number(2) as u16).into(),
        block_length: (reader.number(2) as u16).into(),
        schema_id: SCHEMA_ORDER_ENTRY.into(),
        version: SCHEMA_VERSION.into(),
    };
    let message = [header.as_bytes(), reader.rest].concat();
    let template = header.template_id.get();
    let due = schema::order_entry().message(template).filter(|due| {
        let (block, group) = reader.rest.split_at_checked(due.block_length).unwrap_or_default();
        let whole = match &due.group {
            None => group.is_empty(),
            Some(entries) => group.split_at_checked(size_of::<GroupSize>()).is_some_and(|(size, rest)| {
                let word = |at| usize::from(u16::from_le_bytes([size[at], size[at + 1]]));
                word(0) == entries.block_length && word(0) * word(2) == rest.len()
            }),
        };
        block.len() == usize::from(header.block_length.get()) && whole && !block.is_empty()
    });
    let read = Command::read(&message);
    assert!(read.is_none() || due.is_some(), "template {template}: read against the schema");
    let is_of_members = session_block_bytes(template).is_some();
    assert!(
        read.is_some() || due.is_none() || !is_of_members,
        "template {template}: what the schema says is not read"
    );
}
