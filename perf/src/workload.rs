//! A workload file: the same commands for any engine, and what must come of them. Owns the format; `generate` makes the
//! workloads, `reference` says what is right, `shape` counts. Knows no engine.
//!
//! ```text
//! header  136   0 magic u64 | 8 prefill u64 | 16 commands u64 | 24 max id u64 | 32 price low u32 | 36 price high u32
//!               40 accounts u32 | 44 symbols u32 | 48 trades u64 | 56 volume u64 | 64 notional u64 | 72 live u64
//!               80 kind u64 | 88 zero, 48 bytes
//! record   32   0 op u8 | 1 side u8 | 2 symbol u16 | 4 account u32 | 8 id u64 | 16 price u32 | 20 quantity u32
//!               24 hint price u32 | 28 hint quantity u32
//! ```
//!
//! Little-endian; the prefill's records first. The expected figures are those of the part behind the prefill.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

pub mod generate;
pub mod reference;
pub mod shape;

pub const MAGIC: u64 = 0x4D45_4245_4E43_4831;

#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    pub magic: U64,
    pub prefill: U64,
    pub commands: U64,
    pub id_max: U64,
    pub price_low: U32,
    pub price_high: U32,
    pub accounts: U32,
    pub symbols: U32,
    pub trades: U64,
    pub volume: U64,
    pub notional: U64,
    pub live: U64,
    pub kind: U64,
    pub reserved: [u8; 48],
}

const _: () = assert!(size_of::<Header>() == 136);

/// `price` and `quantity` of a cancel mean nothing. A move keeps what remains of the order. The hints are price and
/// remaining quantity of the resting order that a cancel or a move names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Record {
    pub op: u8,
    pub side: u8,
    pub symbol: U16,
    pub account: U32,
    pub id: U64,
    pub price: U32,
    pub quantity: U32,
    pub hint_price: U32,
    pub hint_quantity: U32,
}

const _: () = assert!(size_of::<Record>() == 32);

/// `Record::op`.
pub mod op {
    /// A limit order that rests.
    pub const NEW: u8 = 0;
    /// A limit order whose rest is dropped.
    pub const IOC: u8 = 1;
    pub const CANCEL: u8 = 2;
    /// To a new price, behind all who stand there.
    pub const MOVE: u8 = 3;
}

/// `Record::side`.
pub const BID: u8 = 0;
pub const ASK: u8 = 1;

/// What came of the commands: matches, lots, price times lots modulo 2^64, and orders that rest at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub trades: u64,
    pub volume: u64,
    pub notional: u64,
    pub live: u64,
}

impl Tally {
    pub fn trade(&mut self, price: u32, lots: u32) {
        self.trades += 1;
        self.volume += u64::from(lots);
        self.notional = self.notional.wrapping_add(u64::from(price) * u64::from(lots));
    }

    /// What came between `before` and now.
    pub fn since(&self, before: &Tally) -> Tally {
        Tally {
            trades: self.trades - before.trades,
            volume: self.volume - before.volume,
            notional: self.notional.wrapping_sub(before.notional),
            live: self.live,
        }
    }
}

/// A whole file, each record of which is in the header's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub header: Header,
    pub records: Vec<Record>,
}

impl Workload {
    pub fn prefill(&self) -> &[Record] {
        &self.records[..self.header.prefill.get() as usize]
    }

    pub fn commands(&self) -> &[Record] {
        &self.records[self.header.prefill.get() as usize..]
    }

    pub fn expected(&self) -> Tally {
        Tally {
            trades: self.header.trades.get(),
            volume: self.header.volume.get(),
            notional: self.header.notional.get(),
            live: self.header.live.get(),
        }
    }

    /// `W1`, `W2`, `W3`, or a number for what came from elsewhere.
    pub fn name(&self) -> String {
        match self.header.kind.get() {
            kind @ 1..=3 => format!("W{kind}"),
            kind => format!("kind {kind}"),
        }
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(self.header.as_bytes())?;
        file.write_all(self.records.as_bytes())?;
        file.flush()
    }

    pub fn read(path: &Path) -> io::Result<Workload> {
        Workload::read_from(BufReader::new(File::open(path)?))
    }

    pub fn read_from(mut bytes: impl Read) -> io::Result<Workload> {
        let mut header = Header::new_zeroed();
        bytes.read_exact(header.as_mut_bytes())?;
        check_header(&header)?;
        let mut rest = Vec::new();
        bytes.read_to_end(&mut rest)?;
        let promised = header.prefill.get().checked_add(header.commands.get());
        let records = <[Record]>::ref_from_bytes(&rest)
            .ok()
            .filter(|records| Some(records.len() as u64) == promised)
            .ok_or_else(|| bad(format!("{} bytes of records are not what the header says", rest.len())))?;
        for (index, record) in records.iter().enumerate() {
            check_record(&header, record).map_err(|what| bad(format!("record {index}: {what}")))?;
        }
        Ok(Workload { header, records: records.to_vec() })
    }
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn check_header(header: &Header) -> io::Result<()> {
    if header.magic.get() != MAGIC {
        return Err(bad("not a workload file: another magic number".to_string()));
    }
    let (low, high) = (header.price_low.get(), header.price_high.get());
    if low == 0 || low > high {
        return Err(bad(format!("prices from {low} to {high} are no range above 0")));
    }
    if header.id_max.get() >= 1 << 32 {
        return Err(bad("ids of 33 bits and more".to_string()));
    }
    if header.accounts.get() == 0 || !(1..=1 << 16).contains(&header.symbols.get()) {
        return Err(bad("no accounts, or not 1 to 65,536 symbols".to_string()));
    }
    Ok(())
}

fn check_record(header: &Header, record: &Record) -> Result<(), &'static str> {
    let must = |holds: bool, otherwise| if holds { Ok(()) } else { Err(otherwise) };
    must(record.op <= op::MOVE, "unknown op")?;
    must(record.side <= ASK, "unknown side")?;
    must(u32::from(record.symbol.get()) < header.symbols.get(), "symbol beyond the header's")?;
    must(record.account.get() < header.accounts.get(), "account beyond the header's")?;
    must(record.id.get() <= header.id_max.get(), "id beyond the header's")?;
    if record.op != op::CANCEL {
        let prices = header.price_low.get()..=header.price_high.get();
        must(prices.contains(&record.price.get()), "price outside of the header's range")?;
    }
    let enters = matches!(record.op, op::NEW | op::IOC);
    must(!enters || record.quantity.get() > 0, "no quantity")
}

#[cfg(test)]
mod tests {
    use super::generate::{Plan, Which};
    use super::*;

    fn small() -> Workload {
        Plan { which: Which::W1, commands: 1_000, seed: 1 }.generate()
    }

    fn bytes(workload: &Workload) -> Vec<u8> {
        [workload.header.as_bytes(), workload.records.as_bytes()].concat()
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("w1");
        small().write(&path).expect("written");
        assert_eq!(Workload::read(&path).expect("read"), small());
        let length = std::fs::metadata(&path).expect("there").len();
        assert_eq!(length, 136 + 32 * 2_000);
    }

    #[test]
    fn a_layout_is_what_the_page_says() {
        let bytes = bytes(&small());
        assert_eq!(bytes[..8], [0x31, 0x48, 0x43, 0x4E, 0x45, 0x42, 0x45, 0x4D]);
        assert_eq!(bytes[8..24], [&1_000_u64.to_le_bytes()[..], &1_000_u64.to_le_bytes()].concat());
        assert_eq!(bytes[80], 1, "kind");
        assert_eq!(bytes[88..136], [0; 48]);
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Vec<u8>), why: &str) {
        let mut bytes = bytes(&small());
        change(&mut bytes);
        let error = Workload::read_from(&bytes[..]).expect_err("damaged").to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn damage_is_named() {
        refused(|bytes| bytes[0] ^= 1, "magic");
        refused(|bytes| bytes.truncate(100), "fill whole buffer");
        refused(|bytes| bytes.truncate(200), "not what the header says");
        refused(|bytes| bytes[8..16].fill(255), "not what the header says");
        refused(|bytes| bytes[136] = 4, "record 0: unknown op");
        refused(|bytes| bytes[136 + 32 + 1] = 2, "record 1: unknown side");
        refused(|bytes| bytes[136 + 8 + 7] = 1, "record 0: id beyond");
        refused(|bytes| bytes[136 + 4..140 + 4].fill(255), "record 0: account beyond");
        refused(|bytes| bytes[136 + 16..136 + 20].fill(0), "record 0: price outside");
        refused(|bytes| bytes[136 + 20..136 + 24].fill(0), "record 0: no quantity");
    }
}
