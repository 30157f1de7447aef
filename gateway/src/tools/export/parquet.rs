//! Fills as Parquet: flat, required columns, plain and uncompressed pages, one for each column and row group. A format of
//! this shape is small enough to be written here; what reads it is everybody's.
//!
//! ```text
//! "PAR1" | row group: page of column 1, page of column 2, ... | row group ... | metadata | its length u32 | "PAR1"
//! ```

use std::io::{self, Write};

use super::columns::{COLUMNS, Cell, ColumnKind};
use super::thrift::Struct;

const MAGIC: &[u8; 4] = b"PAR1";
/// Rows are held in memory until so many make a group.
const GROUP_ROWS: usize = 64 << 10;

// Numbers of the format's own enumerations.
const TYPE_BOOLEAN: i32 = 0;
const TYPE_INT64: i32 = 2;
const TYPE_BYTE_ARRAY: i32 = 6;
const TYPE_FIXED: i32 = 7;
const CONVERTED_UTF8: i32 = 0;
const CONVERTED_DECIMAL: i32 = 5;
const CONVERTED_UINT_64: i32 = 14;
const CONVERTED_INT_64: i32 = 18;
const PAGE_DATA: i32 = 0;
const ENCODING_PLAIN: i32 = 0;
const ENCODING_RLE: i32 = 3;
const REQUIRED: i32 = 0;
const UNCOMPRESSED: i32 = 0;
/// 16 bytes hold every decimal of 38 digits.
const DECIMAL_BYTES: i32 = 16;
const DECIMAL_DIGITS: i32 = 38;

/// Rows on their way into a file.
pub struct Sheet {
    position: u64,
    /// Of the group that is being filled, a page's bytes for each column.
    pages: Vec<Vec<u8>>,
    group_rows: usize,
    rows: u64,
    groups: Vec<Group>,
}

struct Group {
    rows: usize,
    chunks: Vec<Chunk>,
}

/// Where a column of a group stands, and how long it is with its header.
#[derive(Clone, Copy)]
struct Chunk {
    offset: u64,
    bytes: u64,
}

impl Sheet {
    pub fn begin(out: &mut dyn Write) -> io::Result<Sheet> {
        out.write_all(MAGIC)?;
        let pages = vec![Vec::new(); COLUMNS.len()];
        Ok(Sheet { position: MAGIC.len() as u64, pages, group_rows: 0, rows: 0, groups: Vec::new() })
    }

    pub fn row(&mut self, out: &mut dyn Write, cells: &[Cell<'_>]) -> io::Result<()> {
        for (page, cell) in self.pages.iter_mut().zip(cells) {
            push(page, self.group_rows, cell)?;
        }
        self.group_rows += 1;
        if self.group_rows == GROUP_ROWS { self.end_group(out) } else { Ok(()) }
    }

    fn end_group(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.group_rows);
        let mut chunks = Vec::with_capacity(self.pages.len());
        for page in &mut self.pages {
            let header = page_header(page.len(), rows)?;
            out.write_all(&header)?;
            out.write_all(page)?;
            let bytes = (header.len() + page.len()) as u64;
            chunks.push(Chunk { offset: self.position, bytes });
            self.position += bytes;
            page.clear();
        }
        self.groups.push(Group { rows, chunks });
        self.rows += rows as u64;
        Ok(())
    }

    pub fn end(mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.group_rows > 0 {
            self.end_group(out)?;
        }
        let metadata = self.metadata();
        out.write_all(&metadata)?;
        out.write_all(&u32::try_from(metadata.len()).map_err(io::Error::other)?.to_le_bytes())?;
        out.write_all(MAGIC)
    }

    fn metadata(&self) -> Vec<u8> {
        let root = Struct::new().text(4, "fills").i32(5, COLUMNS.len() as i32);
        let columns = COLUMNS.iter().map(|column| schema(column.name, column.kind));
        Struct::new()
            .i32(1, 2)
            .structs(2, [root].into_iter().chain(columns))
            .i64(3, self.rows as i64)
            .structs(4, self.groups.iter().map(row_group))
            .text(6, concat!("ballast ", env!("CARGO_PKG_VERSION")))
            .end()
    }
}

/// Plain encoding; `row` is the number of values before this one.
fn push(page: &mut Vec<u8>, row: usize, cell: &Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Unsigned(value) => page.extend_from_slice(&value.to_le_bytes()),
        Cell::Signed(value) => page.extend_from_slice(&value.to_le_bytes()),
        Cell::TimeNs(ns) => {
            let ns = i64::try_from(*ns).map_err(|_| io::Error::other("a time lies after the year 2262"))?;
            page.extend_from_slice(&ns.to_le_bytes());
        }
        Cell::Decimal(value) => page.extend_from_slice(&value.to_be_bytes()),
        Cell::Text(text) => {
            page.extend_from_slice(&u32::try_from(text.len()).map_err(io::Error::other)?.to_le_bytes());
            page.extend_from_slice(text.as_bytes());
        }
        Cell::Flag(flag) => {
            if row.is_multiple_of(8) {
                page.push(0);
            }
            let last = page.last_mut().expect("a byte was pushed for every eight");
            *last |= u8::from(*flag) << (row % 8);
        }
    }
    Ok(())
}

fn page_header(bytes: usize, rows: usize) -> io::Result<Vec<u8>> {
    let bytes = i32::try_from(bytes).map_err(io::Error::other)?;
    let data =
        Struct::new().i32(1, rows as i32).i32(2, ENCODING_PLAIN).i32(3, ENCODING_RLE).i32(4, ENCODING_RLE);
    Ok(Struct::new().i32(1, PAGE_DATA).i32(2, bytes).i32(3, bytes).inner(5, data).end())
}

fn physical(kind: ColumnKind) -> i32 {
    match kind {
        ColumnKind::Unsigned | ColumnKind::Signed | ColumnKind::TimeNs => TYPE_INT64,
        ColumnKind::Decimal(_) => TYPE_FIXED,
        ColumnKind::Text => TYPE_BYTE_ARRAY,
        ColumnKind::Flag => TYPE_BOOLEAN,
    }
}

/// A column's row of the schema, with what it means in the older and in the newer way of the format.
fn schema(name: &str, kind: ColumnKind) -> Struct {
    let start = Struct::new().i32(1, physical(kind));
    let named = |start: Struct| start.i32(3, REQUIRED).text(4, name);
    match kind {
        ColumnKind::Unsigned => {
            named(start).i32(6, CONVERTED_UINT_64).inner(10, Struct::new().inner(10, integer(false)))
        }
        ColumnKind::Signed => {
            named(start).i32(6, CONVERTED_INT_64).inner(10, Struct::new().inner(10, integer(true)))
        }
        ColumnKind::Decimal(places) => {
            let places = places as i32;
            let meaning = Struct::new().i32(1, places).i32(2, DECIMAL_DIGITS);
            named(start.i32(2, DECIMAL_BYTES))
                .i32(6, CONVERTED_DECIMAL)
                .i32(7, places)
                .i32(8, DECIMAL_DIGITS)
                .inner(10, Struct::new().inner(5, meaning))
        }
        ColumnKind::TimeNs => {
            let nanoseconds = Struct::new().inner(3, Struct::new());
            let meaning = Struct::new().flag(1, true).inner(2, nanoseconds);
            named(start).inner(10, Struct::new().inner(8, meaning))
        }
        ColumnKind::Text => {
            named(start).i32(6, CONVERTED_UTF8).inner(10, Struct::new().inner(1, Struct::new()))
        }
        ColumnKind::Flag => named(start),
    }
}

fn integer(is_signed: bool) -> Struct {
    Struct::new().byte(1, 64).flag(2, is_signed)
}

fn row_group(group: &Group) -> Struct {
    let columns = COLUMNS.iter().zip(&group.chunks).map(|(column, chunk)| {
        let meta = Struct::new()
            .i32(1, physical(column.kind))
            .i32s(2, &[ENCODING_PLAIN])
            .texts(3, &[column.name])
            .i32(4, UNCOMPRESSED)
            .i64(5, group.rows as i64)
            .i64(6, chunk.bytes as i64)
            .i64(7, chunk.bytes as i64)
            .i64(9, chunk.offset as i64);
        Struct::new().i64(2, chunk.offset as i64).inner(3, meta)
    });
    let bytes: u64 = group.chunks.iter().map(|chunk| chunk.bytes).sum();
    Struct::new().structs(1, columns).i64(2, bytes as i64).i64(3, group.rows as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_plain() {
        let mut page = Vec::new();
        push(&mut page, 0, &Cell::Decimal(-2)).expect("any decimal");
        assert_eq!(page, [[255; 15].as_slice(), &[254]].concat());
        page.clear();
        for row in 0..10 {
            push(&mut page, row, &Cell::Flag(row == 1 || row == 9)).expect("any flag");
        }
        assert_eq!(page, [2, 2]);
        page.clear();
        push(&mut page, 0, &Cell::Text("ab")).expect("any text");
        push(&mut page, 1, &Cell::TimeNs(258)).expect("a time of this century");
        assert_eq!(page, [2, 0, 0, 0, b'a', b'b', 2, 1, 0, 0, 0, 0, 0, 0]);
        assert!(push(&mut page, 2, &Cell::TimeNs(u64::MAX)).is_err());
    }
}
