//! The compact protocol of Thrift, as far as the metadata of Parquet needs it: structs, lists, integers, texts, booleans.

const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;
const BYTE: u8 = 3;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A struct under construction; fields go in by ascending id.
#[derive(Default)]
pub struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

impl Struct {
    pub fn new() -> Struct {
        Struct::default()
    }

    /// Ids of this format lie less than sixteen apart, so the step and the type share a byte.
    fn field(&mut self, id: u8, kind: u8) {
        assert!(id > self.last && id - self.last < 16, "fields go in by ascending id");
        self.bytes.push((id - self.last) << 4 | kind);
        self.last = id;
    }

    pub fn flag(mut self, id: u8, value: bool) -> Struct {
        self.field(id, if value { BOOL_TRUE } else { BOOL_FALSE });
        self
    }

    pub fn byte(mut self, id: u8, value: u8) -> Struct {
        self.field(id, BYTE);
        self.bytes.push(value);
        self
    }

    pub fn i32(mut self, id: u8, value: i32) -> Struct {
        self.field(id, I32);
        push_integer(&mut self.bytes, value.into());
        self
    }

    pub fn i64(mut self, id: u8, value: i64) -> Struct {
        self.field(id, I64);
        push_integer(&mut self.bytes, value);
        self
    }

    pub fn text(mut self, id: u8, value: &str) -> Struct {
        self.field(id, BINARY);
        push_text(&mut self.bytes, value);
        self
    }

    pub fn inner(mut self, id: u8, value: Struct) -> Struct {
        self.field(id, STRUCT);
        self.bytes.extend(value.end());
        self
    }

    pub fn structs(mut self, id: u8, values: impl IntoIterator<Item = Struct>) -> Struct {
        let values: Vec<Struct> = values.into_iter().collect();
        self.list(id, STRUCT, values.len());
        values.into_iter().for_each(|value| self.bytes.extend(value.end()));
        self
    }

    pub fn i32s(mut self, id: u8, values: &[i32]) -> Struct {
        self.list(id, I32, values.len());
        values.iter().for_each(|value| push_integer(&mut self.bytes, (*value).into()));
        self
    }

    pub fn texts(mut self, id: u8, values: &[&str]) -> Struct {
        self.list(id, BINARY, values.len());
        values.iter().for_each(|value| push_text(&mut self.bytes, value));
        self
    }

    fn list(&mut self, id: u8, kind: u8, count: usize) {
        self.field(id, LIST);
        if count < 15 {
            self.bytes.push((count as u8) << 4 | kind);
        } else {
            self.bytes.push(0xF0 | kind);
            push_varint(&mut self.bytes, count as u64);
        }
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Zigzag: small numbers of either sign are short.
fn push_integer(bytes: &mut Vec<u8>, value: i64) {
    push_varint(bytes, (value << 1 ^ value >> 63) as u64);
}

fn push_text(bytes: &mut Vec<u8>, value: &str) {
    push_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_compact_protocol() {
        let inner = Struct::new().flag(1, true).byte(2, 64);
        let bytes = Struct::new().i32(1, -1).i64(3, 300).text(4, "ab").inner(5, inner).i32s(9, &[1, 2]).end();
        let due = [0x15, 1, 0x26, 0xD8, 4, 0x18, 2, b'a', b'b', 0x1C, 0x11, 0x13, 64, 0, 0x49, 0x25, 2, 4, 0];
        assert_eq!(bytes, due);
        let long = Struct::new().texts(1, &["x"; 15]).end();
        assert_eq!(long[..4], [0x19, 0xF8, 15, 1]);
    }
}
