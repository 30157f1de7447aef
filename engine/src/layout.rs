//! The table of layouts: what every message is called, which fields it has, where they stand and what they count. The
//! macros that declare a message write its row, so a field is named once. Decoders, exports and schemas read it; the
//! engine itself never does.

use zerocopy::little_endian::{I32, I64, U16, U32, U64};

use crate::{command, event};

/// How the bytes of one value are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
}

impl Scalar {
    pub const fn bytes(self) -> usize {
        match self {
            Scalar::U8 => 1,
            Scalar::U16 => 2,
            Scalar::U32 | Scalar::I32 => 4,
            Scalar::U64 | Scalar::I64 => 8,
        }
    }

    /// As the protocol's page writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::U8 => "u8",
            Scalar::U16 => "u16",
            Scalar::U32 => "u32",
            Scalar::U64 => "u64",
            Scalar::I32 => "i32",
            Scalar::I64 => "i64",
        }
    }
}

/// What a field counts, which its name decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count, a number that names something, or a code.
    Number,
    /// In 1e-9, null allowed.
    Price,
    /// A size in 1e-9.
    Size,
    /// In 1e-6.
    Money,
    /// Whole lots, null allowed.
    Lots,
    /// What is said in millionths.
    Millionths,
    /// Nanoseconds since 1970, null allowed.
    TimeNs,
    /// ASCII, NUL-padded.
    Text,
    /// Bytes that mean nothing by themselves: keys and signatures.
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub scalar: Scalar,
    /// More than 1 for an array.
    pub count: usize,
}

impl Field {
    pub fn is_padding(&self) -> bool {
        self.name.starts_with("pad_")
    }

    pub fn bytes(&self) -> usize {
        self.scalar.bytes() * self.count
    }

    pub fn unit(&self) -> Unit {
        match self.name {
            "price" | "px" | "last_px" | "bid_px" | "ask_px" | "indicative_px" | "mark" | "index"
            | "strike" | "tick_size" | "trigger_price" | "trail_offset" | "funding_rate" | "implied_vol"
            | "band_low" | "band_high" => Unit::Price,
            "lot_size" | "contract_size" => Unit::Size,
            "amount" | "fee" => Unit::Money,
            "position" | "imbalance_qty" | "open_interest" => Unit::Lots,
            "delta" | "vega" | "delta_limit" | "vega_limit" => Unit::Millionths,
            "frozen_until" | "until" | "auction_end" | "expiry" | "effective_at" | "next_funding" => {
                Unit::TimeNs
            }
            "symbol" | "name" | "text" | "client_name" | "client_version" | "base_ccy" | "settle_ccy" => {
                Unit::Text
            }
            "signature" | "hash_key" | "client_nonce" | "server_nonce" => Unit::Opaque,
            name if name.ends_with("qty") || name == "qty_max" || name == "qty_limit" => Unit::Lots,
            name if name.ends_with("_time") => Unit::TimeNs,
            _ => Unit::Number,
        }
    }
}

/// One message, or one entry of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub name: &'static str,
    /// 0 for an entry.
    pub template: u16,
    pub bytes: usize,
    pub fields: &'static [Field],
    /// What a message with a group repeats behind its block and the group's dimension.
    pub entry: Option<&'static Layout>,
}

/// The types that a field may have.
pub trait FieldType {
    const SCALAR: Scalar;
    const COUNT: usize;
}

macro_rules! field_types {
    ($($kind:ty = $scalar:ident),+) => {$(
        impl FieldType for $kind {
            const SCALAR: Scalar = Scalar::$scalar;
            const COUNT: usize = 1;
        }
    )+};
}

field_types! { u8 = U8, U16 = U16, U32 = U32, U64 = U64, I32 = I32, I64 = I64 }

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    const SCALAR: Scalar = T::SCALAR;
    const COUNT: usize = N * T::COUNT;
}

/// Declares what the numbers of enumerations and the bits of sets are called on the wire, as constants and as a table.
macro_rules! values {
    ($($(#[$doc:meta])* $module:ident: $kind:ty { $($name:ident = $value:expr),+ $(,)? })+) => {$(
        $(#[$doc])*
        pub mod $module {
            $(pub const $name: $kind = $value;)+
            /// Each with its name.
            pub const ALL: &[(&str, $kind)] = &[$((stringify!($name), $name)),+];
        }
    )+};
}
pub(crate) use values;

/// Every command and every event, commands first.
pub fn all() -> impl Iterator<Item = &'static Layout> {
    command::LAYOUTS.iter().chain(event::LAYOUTS)
}

pub fn find(template: u16) -> Option<&'static Layout> {
    all().find(|layout| layout.template == template)
}

/// By the name in any case.
pub fn named(name: &str) -> Option<&'static Layout> {
    all().find(|layout| layout.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn with_entries() -> impl Iterator<Item = &'static Layout> {
        all().chain(all().filter_map(|layout| layout.entry))
    }

    #[test]
    fn fields_fill_their_block_without_a_hole() {
        for layout in with_entries() {
            let end = layout.fields.iter().fold(0, |end, field| {
                assert_eq!(field.offset, end, "{} {}", layout.name, field.name);
                end + field.bytes()
            });
            assert_eq!(end, layout.bytes, "{}", layout.name);
        }
    }

    #[test]
    fn templates_and_names_are_unique() {
        let templates: BTreeSet<u16> = all().map(|layout| layout.template).collect();
        let names: BTreeSet<&str> = all().map(|layout| layout.name).collect();
        assert_eq!((templates.len(), names.len()), (all().count(), all().count()));
        assert!(!templates.contains(&0));
        assert_eq!(find(100).map(|layout| layout.name), Some("NewOrder"));
        assert_eq!(named("orderexecuted").map(|layout| layout.template), Some(204));
    }

    #[test]
    fn every_signed_field_has_a_unit_but_for_what_depends_on_a_code() {
        for layout in with_entries() {
            for field in layout.fields {
                let is_plain = field.scalar == Scalar::I64 && field.unit() == Unit::Number;
                assert!(!is_plain || field.name == "detail", "{} {} has no unit", layout.name, field.name);
                let is_text = field.unit() == Unit::Text;
                assert_eq!(is_text, field.scalar == Scalar::U8 && field.count > 1, "{}", field.name);
            }
        }
    }
}
