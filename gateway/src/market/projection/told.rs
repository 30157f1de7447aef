//! What one command told everybody: messages as they go over the wire, header and block, each with its number.

use engine::message::{Framed, GroupSize, Header, Message};
use zerocopy::{Immutable, IntoBytes};

/// One message of the channel.
#[derive(Clone, Copy, Debug)]
pub struct Public<'a> {
    pub seq: u64,
    pub template_id: u16,
    /// 0: of the whole venue.
    pub instrument: u32,
    /// Header and block.
    pub bytes: &'a [u8],
    /// The first and the last of their command.
    pub is_first: bool,
    pub is_last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    template_id: u16,
    instrument: u32,
    end: usize,
}

/// The messages of one command, in order.
#[derive(Clone, Debug, Default)]
pub struct Told {
    first_seq: u64,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Told {
    pub(super) fn clear(&mut self, next_seq: u64) {
        self.first_seq = next_seq;
        self.entries.clear();
        self.bytes.clear();
    }

    pub(super) fn say<M: Message>(&mut self, instrument: u32, block: M) {
        self.bytes.extend_from_slice(Framed::new(block).as_bytes());
        self.entries.push(Entry { template_id: M::TEMPLATE, instrument, end: self.bytes.len() });
    }

    pub(super) fn say_group<M: Message, E: IntoBytes + Immutable>(
        &mut self,
        instrument: u32,
        head: M,
        entries: &[E],
    ) {
        append_group(&mut self.bytes, head, entries);
        self.entries.push(Entry { template_id: M::TEMPLATE, instrument, end: self.bytes.len() });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn messages(&self) -> impl Iterator<Item = Public<'_>> {
        let last = self.entries.len().saturating_sub(1);
        self.entries.iter().enumerate().map(move |(place, entry)| {
            let start = place.checked_sub(1).map_or(0, |before| self.entries[before].end);
            Public {
                seq: self.first_seq + place as u64,
                template_id: entry.template_id,
                instrument: entry.instrument,
                bytes: &self.bytes[start..entry.end],
                is_first: place == 0,
                is_last: place == last,
            }
        })
    }
}

/// A message with a group: the header says the length of the head alone.
pub fn append_group<M: Message, E: IntoBytes + Immutable>(bytes: &mut Vec<u8>, head: M, entries: &[E]) {
    bytes.extend_from_slice(Header::of::<M>().as_bytes());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(GroupSize::of(entries).as_bytes());
    bytes.extend_from_slice(entries.as_bytes());
}
