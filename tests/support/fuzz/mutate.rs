//! Changes to an input, for a machine that has no fuzzer: it knows nothing of what the input reached.

use crate::workload::Draw;

const BYTES_MAX: usize = 4096;
const NOTABLE: [u8; 8] = [0, 1, 0x40, 0x60, 0x7f, 0x80, 0xf0, 0xff];

/// A few changes, most of them in place; now and then the end of another input.
pub fn mutate(draw: &mut Draw, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if draw.one_in(8) {
        let (kept, from) = (draw.below(bytes.len() as u64 + 1), draw.below(other.len() as u64 + 1));
        bytes.truncate(kept as usize);
        bytes.extend(&other[from as usize..]);
    }
    for _ in 0..1 + draw.below(6) {
        if !bytes.is_empty() {
            change(draw, &mut bytes);
        }
    }
    bytes.truncate(BYTES_MAX.max(input.len()));
    bytes
}

fn change(draw: &mut Draw, bytes: &mut Vec<u8>) {
    let at = draw.below(bytes.len() as u64) as usize;
    let any = draw.bits() as u8;
    match draw.below(7) {
        0 => bytes[at] ^= 1 << (any % 8),
        1 => bytes[at] = any,
        2 => bytes[at] = NOTABLE[usize::from(any) % NOTABLE.len()],
        3 => bytes[at] = bytes[at].wrapping_add(any % 9).wrapping_sub(4),
        4 => bytes.insert(at, any),
        5 => drop(bytes.remove(at)),
        _ => {
            let end = bytes.len().min(at + usize::from(any % 40));
            bytes.extend_from_within(at..end);
        }
    }
}
