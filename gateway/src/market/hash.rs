//! `bookHash`: one number for the whole public book of an instrument, which a client computes from what it was told and holds
//! against the venue's.

use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{I64, U64};

use super::message::OrderEntry;

/// The first eight bytes, little-endian, of the SHA-256 over both sides, bids first: the side as u64, its number of orders as
/// u64, then each order as in `SnapshotOrders`, in the order in which they trade. `entries` must be so sorted.
pub fn book_hash(bids: &[OrderEntry], asks: &[OrderEntry]) -> u64 {
    let mut hash = Sha256::new();
    for (side, entries) in [(1_u64, bids), (2, asks)] {
        hash.update(side.to_le_bytes());
        hash.update((entries.len() as u64).to_le_bytes());
        hash.update(entries.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    u64::from_le_bytes(digest[..8].try_into().expect("thirty-two bytes hold eight"))
}

/// An order of the public book.
pub fn entry(md_order_id: u64, priority: u64, px: i64, qty: i64) -> OrderEntry {
    OrderEntry {
        md_order_id: U64::new(md_order_id),
        priority: U64::new(priority),
        px: I64::new(px),
        qty: I64::new(qty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `int.from_bytes(hashlib.sha256(struct.pack("<QQ", 1, 1) + struct.pack("<QQqq", 7, 7, 50000500000000, 10)
    /// + struct.pack("<QQ", 2, 0)).digest()[:8], "little")`.
    #[test]
    fn a_client_computes_the_same() {
        let bid = entry(7, 7, 50_000_500_000_000, 10);
        assert_eq!(book_hash(&[bid], &[]), PYTHON_ONE_BID);
        assert_ne!(book_hash(&[bid], &[]), book_hash(&[], &[bid]));
    }

    const PYTHON_ONE_BID: u64 = 4_113_719_019_962_186_416;
}
