//! Messages to named values, by the engine's table of layouts alone: no message is known here by name.

use engine::layout::{self, Field, Layout, Scalar, Unit};
use engine::message::{GroupSize, HEADER_BYTES, Header, NULL_I64, NULL_U64};
use zerocopy::FromBytes;

use super::json;
use super::{instant, words};
use crate::config::to_hex;
use crate::decimal;
use crate::market;

/// A message whose bytes have the shape of its template.
#[derive(Clone, Copy)]
pub struct Decoded<'a> {
    pub layout: &'static Layout,
    block: &'a [u8],
    /// Of a message with a group: the entries end to end.
    entries: &'a [u8],
}

/// One value, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i128),
    /// In units of 10^-places.
    Decimal(i128, u32),
    TimeNs(u64),
    Text(String),
    Opaque(Vec<u8>),
    List(Vec<Value>),
}

impl<'a> Decoded<'a> {
    /// `message` is `| Header | block |`, with or without a group. `None` for what this build has no layout for.
    pub fn read(message: &'a [u8]) -> Option<Decoded<'a>> {
        let (header, rest) = Header::ref_from_prefix(message).ok()?;
        let template = header.template_id.get();
        let public = || market::message::LAYOUTS.iter().find(|layout| layout.template == template);
        let layout = layout::find(template).or_else(public)?;
        let (block, group) = rest.split_at_checked(layout.bytes)?;
        if usize::from(header.block_length.get()) != layout.bytes {
            return None;
        }
        let entries = match layout.entry {
            None if group.is_empty() => group,
            None => return None,
            Some(entry) => group_entries(group, entry)?,
        };
        Some(Decoded { layout, block, entries })
    }

    /// The message's own fields without padding.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Field, Value)> {
        fields_of(self.layout, self.block)
    }

    /// The entries of its group, each with the fields of its layout.
    pub fn entries(&self) -> impl Iterator<Item = Vec<(&'static Field, Value)>> {
        let entry = self.layout.entry;
        entry.into_iter().flat_map(move |entry| {
            self.entries.chunks_exact(entry.bytes).map(move |bytes| fields_of(entry, bytes).collect())
        })
    }

    /// Does a field of one of these names, here or in an entry, hold `number`?
    pub fn names(&self, names: &[&str], number: u64) -> bool {
        let holds = |layout: &Layout, bytes: &[u8]| {
            let mut named = layout.fields.iter().filter(|field| names.contains(&field.name));
            named.any(|field| (0..field.count).any(|at| unsigned(field, at, bytes) == number))
        };
        let entry = self.layout.entry;
        holds(self.layout, self.block)
            || entry
                .is_some_and(|entry| self.entries.chunks_exact(entry.bytes).any(|bytes| holds(entry, bytes)))
    }
}

fn group_entries<'a>(group: &'a [u8], entry: &Layout) -> Option<&'a [u8]> {
    let (size, entries) = GroupSize::ref_from_prefix(group).ok()?;
    let is_whole = usize::from(size.block_length.get()) == entry.bytes
        && usize::from(size.num_in_group.get()) * entry.bytes == entries.len();
    is_whole.then_some(entries)
}

fn fields_of(layout: &'static Layout, bytes: &[u8]) -> impl Iterator<Item = (&'static Field, Value)> {
    let shown = layout.fields.iter().filter(|field| !field.is_padding());
    shown.map(|field| (field, value(field, bytes)))
}

fn value(field: &Field, bytes: &[u8]) -> Value {
    let all = &bytes[field.offset..][..field.bytes()];
    match field.unit() {
        Unit::Text => {
            let end = all.iter().position(|byte| *byte == 0).unwrap_or(all.len());
            Value::Text(String::from_utf8_lossy(&all[..end]).into_owned())
        }
        Unit::Opaque => Value::Opaque(all.to_vec()),
        _ if field.count > 1 => Value::List((0..field.count).map(|at| single(field, at, bytes)).collect()),
        _ => single(field, 0, bytes),
    }
}

fn single(field: &Field, at: usize, bytes: &[u8]) -> Value {
    let number = integer(field, at, bytes);
    let is_null = match field.scalar {
        Scalar::I64 => number == i128::from(NULL_I64),
        Scalar::U64 => field.unit() == Unit::TimeNs && number == i128::from(NULL_U64),
        _ => false,
    };
    match field.unit() {
        _ if is_null => Value::Null,
        Unit::Price | Unit::Size => Value::Decimal(number, 9),
        Unit::Money | Unit::Millionths => Value::Decimal(number, 6),
        Unit::TimeNs => Value::TimeNs(number as u64),
        _ => Value::Integer(number),
    }
}

fn integer(field: &Field, at: usize, bytes: &[u8]) -> i128 {
    let raw = unsigned(field, at, bytes);
    match field.scalar {
        Scalar::I32 => i128::from(raw as u32 as i32),
        Scalar::I64 => i128::from(raw as i64),
        _ => i128::from(raw),
    }
}

fn unsigned(field: &Field, at: usize, bytes: &[u8]) -> u64 {
    let width = field.scalar.bytes();
    let mut word = [0; 8];
    word[..width].copy_from_slice(&bytes[field.offset + at * width..][..width]);
    u64::from_le_bytes(word)
}

impl Value {
    /// As a person reads it, in the field of a message.
    pub fn shown(&self, message: &str, field: &str) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => shown_number(message, field, *number),
            Value::Decimal(number, places) => decimal::show(*number, *places),
            Value::TimeNs(0) => "0".to_owned(),
            Value::TimeNs(ns) => instant::show(*ns),
            Value::Text(text) if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                json::quoted(text)
            }
            Value::Text(text) => text.clone(),
            Value::Opaque(bytes) => to_hex(bytes),
            Value::List(values) => {
                let shown: Vec<String> = values.iter().map(|value| value.shown(message, field)).collect();
                format!("[{}]", shown.join(","))
            }
        }
    }

    /// As a program reads it: decimals as texts, everything else that is a number as one.
    pub fn json(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Decimal(number, places) => json::quoted(&decimal::show(*number, *places)),
            Value::TimeNs(ns) => ns.to_string(),
            Value::Text(text) => json::quoted(text),
            Value::Opaque(bytes) => json::quoted(&to_hex(bytes)),
            Value::List(values) => json::list(values.iter().map(Value::json)),
        }
    }
}

/// Ids that the venue gives out are packed, and read more easily in hexadecimal; codes and enumerations have names.
fn shown_number(message: &str, field: &str, number: i128) -> String {
    if matches!(field, "order_id" | "match_id" | "exec_id") && number > 0 {
        return format!("{number}(0x{number:x})");
    }
    match u64::try_from(number).ok().and_then(|number| words::of(message, field, number)) {
        Some(word) => format!("{number}({word})"),
        None => number.to_string(),
    }
}

/// The message behind an envelope of `envelope` bytes.
pub fn message_of(payload: &[u8], envelope: usize) -> &[u8] {
    payload.get(envelope..).unwrap_or_default()
}

/// The template that a message names, 0 for none.
pub fn template_of(message: &[u8]) -> u16 {
    if message.len() < HEADER_BYTES { 0 } else { engine::command::template_of(message) }
}

#[cfg(test)]
mod tests {
    use engine::command::{MassQuote, NewOrder, QuoteEntry};
    use engine::message::{Framed, Message};
    use zerocopy::little_endian::{I64, U16, U32, U64};
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;

    fn shown(message: &[u8]) -> String {
        let decoded = Decoded::read(message).expect("it has its template's shape");
        let name = decoded.layout.name;
        let fields = decoded
            .fields()
            .map(|(field, value)| format!("{}={}", field.name, value.shown(name, field.name)));
        let mut text = fields.collect::<Vec<_>>().join(" ");
        for entry in decoded.entries() {
            let fields = entry.iter().map(|(field, value)| format!("{}={}", field.name, value.json()));
            text += &format!(" {{{}}}", fields.collect::<Vec<_>>().join(" "));
        }
        text
    }

    #[test]
    fn an_order_is_decoded_by_the_table() {
        let order = NewOrder {
            cl_ord_id: U64::new(7),
            price: I64::new(-1_500_000_000),
            qty: I64::new(3),
            display_qty: I64::new(NULL_I64),
            expire_time: U64::new(NULL_U64),
            instrument_id: U32::new(1),
            account_id: U32::new(4),
            side: 2,
            ord_type: 1,
            tif: 9,
            ..NewOrder::new_zeroed()
        };
        assert_eq!(
            shown(Framed::new(order).as_bytes()),
            "cl_ord_id=7 price=-1.5 qty=3 display_qty=null expire_time=null instrument_id=1 account_id=4 stp_group=0 \
             max_delay_us=0 side=2(Sell) ord_type=1(Limit) tif=9 stp_mode=0 flags=0 mmp_group=0"
        );
    }

    #[test]
    fn a_group_is_decoded_and_a_wrong_shape_is_none() {
        let entry =
            QuoteEntry { instrument_id: U32::new(5), bid_px: I64::new(1), ..QuoteEntry::new_zeroed() };
        let size = GroupSize { block_length: U16::new(40), num_in_group: U16::new(1) };
        let head = Framed::new(MassQuote::new_zeroed());
        let message = [head.as_bytes(), size.as_bytes(), entry.as_bytes()].concat();
        assert!(
            shown(&message)
                .ends_with(" {instrument_id=5 bid_px=\"0.000000001\" bid_qty=0 ask_px=\"0\" ask_qty=0}")
        );
        let decoded = Decoded::read(&message).expect("whole");
        assert_eq!(decoded.layout.template, MassQuote::TEMPLATE);
        assert!(decoded.names(&["instrument_id"], 5) && !decoded.names(&["instrument_id"], 6));
        for cut in 0..message.len() {
            assert!(Decoded::read(&message[..cut]).is_none(), "{cut}");
        }
    }
}
