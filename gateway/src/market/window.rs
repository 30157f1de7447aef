//! The last messages of the channel, kept to be told again: found by their number, forgotten oldest first.

use std::collections::VecDeque;

use super::projection::Public;

const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug)]
struct Entry {
    instrument: u32,
    template_id: u16,
    is_first: bool,
    is_last: bool,
    end: u32,
}

/// Consecutive messages.
#[derive(Debug)]
struct Chunk {
    first_seq: u64,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Window {
    next_seq: u64,
    chunks_max: usize,
    chunks: VecDeque<Chunk>,
}

impl Window {
    /// The first message that comes has the number `next_seq`.
    pub fn new(next_seq: u64, bytes_max: usize) -> Window {
        Window { next_seq, chunks_max: (bytes_max / CHUNK_BYTES).max(2), chunks: VecDeque::new() }
    }

    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub fn oldest_seq(&self) -> u64 {
        self.chunks.front().map_or(self.next_seq, |chunk| chunk.first_seq)
    }

    pub fn push(&mut self, message: &Public<'_>) {
        assert_eq!(message.seq, self.next_seq, "the channel has no gap");
        let is_full = |chunk: &Chunk| chunk.bytes.len() + message.bytes.len() > CHUNK_BYTES;
        if self.chunks.back().is_none_or(is_full) {
            if self.chunks.len() == self.chunks_max {
                self.chunks.pop_front();
            }
            let bytes = Vec::with_capacity(CHUNK_BYTES);
            self.chunks.push_back(Chunk { first_seq: message.seq, entries: Vec::new(), bytes });
        }
        let chunk = self.chunks.back_mut().expect("there is room in the last");
        chunk.bytes.extend_from_slice(message.bytes);
        chunk.entries.push(Entry {
            instrument: message.instrument,
            template_id: message.template_id,
            is_first: message.is_first,
            is_last: message.is_last,
            end: chunk.bytes.len() as u32,
        });
        self.next_seq += 1;
    }

    pub fn get(&self, seq: u64) -> Option<Public<'_>> {
        let after = self.chunks.partition_point(|chunk| chunk.first_seq <= seq);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        let index = usize::try_from(seq - chunk.first_seq).ok()?;
        let entry = chunk.entries.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| chunk.entries[before].end as usize);
        Some(Public {
            seq,
            template_id: entry.template_id,
            instrument: entry.instrument,
            bytes: &chunk.bytes[start..entry.end as usize],
            is_first: entry.is_first,
            is_last: entry.is_last,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_the_rest_is_found() {
        let mut window = Window::new(7, 2 * CHUNK_BYTES);
        let bytes = vec![5; 1_000];
        for seq in 7..2_000 {
            let message = Public {
                seq,
                template_id: 420,
                instrument: 3,
                bytes: &bytes,
                is_first: true,
                is_last: false,
            };
            window.push(&message);
            let found = window.get(seq).expect("it was just pushed");
            assert_eq!((found.seq, found.instrument, found.bytes), (seq, 3, &bytes[..]));
        }
        let oldest = window.oldest_seq();
        assert!(oldest > 1_000 && window.get(oldest).is_some() && window.get(oldest - 1).is_none());
        assert!(window.get(2_000).is_none());
    }
}
