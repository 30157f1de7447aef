//! How a message looks in memory, on the wire and in the journal: the standard 8-byte SBE header, then a fixed block,
//! little-endian, alignment 1. Owns the header, the envelope of commands (`Origin`) and of events (`Route`), and the
//! macro that declares a block. Knows no message of its own; those stand in `command` and `event`.
//!
//! ```text
//! command payload   | Origin 40 | Header 8 | block |
//! event payload     | Route  16 | Header 8 | block |
//!                                 `-- the same bytes in a TCP frame from its offset 24 on
//! ```

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Schema id of order entry and of all that members and operators send.
pub const SCHEMA_ORDER_ENTRY: u16 = 7701;
/// Schema id of what is told to everybody.
pub const SCHEMA_MARKET_DATA: u16 = 7702;
/// Templates from here on are of that schema.
pub const FIRST_PUBLIC_TEMPLATE: u16 = 400;
/// The one version of the layouts that this build speaks.
pub const SCHEMA_VERSION: u16 = 1;
/// Price9 and Lots null.
pub const NULL_I64: i64 = i64::MIN;
/// TimeNs null.
pub const NULL_U64: u64 = u64::MAX;

/// The standard SBE message header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    pub block_length: U16,
    pub template_id: U16,
    pub schema_id: U16,
    pub version: U16,
}

pub const HEADER_BYTES: usize = size_of::<Header>();
const _: () = assert!(HEADER_BYTES == 8);

impl GroupSize {
    pub fn of<E>(entries: &[E]) -> GroupSize {
        GroupSize {
            block_length: U16::new(size_of::<E>() as u16),
            num_in_group: U16::new(entries.len() as u16),
        }
    }
}

impl Header {
    pub fn of<M: Message>() -> Header {
        let is_public = M::TEMPLATE >= FIRST_PUBLIC_TEMPLATE;
        Header {
            block_length: U16::new(size_of::<M>() as u16),
            template_id: U16::new(M::TEMPLATE),
            schema_id: U16::new(if is_public { SCHEMA_MARKET_DATA } else { SCHEMA_ORDER_ENTRY }),
            version: U16::new(SCHEMA_VERSION),
        }
    }
}

/// A fixed block with its template id.
pub trait Message: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy {
    const TEMPLATE: u16;
}

/// Who sent a command, and when: put in front of the untouched body by the gateway. Session 0 is the venue itself.
///
/// ```text
/// 0 session u64 | 8 client_seq u64 | 16 sent_ns u64 | 24 received_ns u64 | 32 connection u32 | 36 flags u32
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Origin {
    pub session: U64,
    pub client_seq: U64,
    pub sent_ns: U64,
    pub received_ns: U64,
    pub connection: U32,
    pub flags: U32,
}

pub const ORIGIN_BYTES: usize = size_of::<Origin>();
const _: () = assert!(ORIGIN_BYTES == 40);

/// `Origin::flags`: the sender may have sent this before; a repeat is dropped in silence.
pub const ORIGIN_POSSIBLE_RESEND: u32 = 1;

impl Origin {
    /// The venue itself: genesis, continuations, ticks.
    pub fn venue() -> Origin {
        Origin::new_zeroed()
    }
}

/// Where an event goes: the session that is told (0: nobody) and its place in that session's stream (0: not numbered).
///
/// ```text
/// 0 session u64 | 8 server_seq u64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Route {
    pub session: U64,
    pub server_seq: U64,
}

pub const ROUTE_BYTES: usize = size_of::<Route>();
const _: () = assert!(ROUTE_BYTES == 16);

/// A header in front of its block: what stands in a frame from offset 24 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Framed<M: Message> {
    pub header: Header,
    pub block: M,
}

impl<M: Message> Framed<M> {
    pub fn new(block: M) -> Framed<M> {
        Framed { header: Header::of::<M>(), block }
    }
}

/// An event as it stands on the log ring and in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Routed<M: Message> {
    pub route: Route,
    pub message: Framed<M>,
}

/// The dimension in front of a group's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct GroupSize {
    pub block_length: U16,
    pub num_in_group: U16,
}

/// A message split into header and block, the block's length checked against the header.
pub fn split(message: &[u8]) -> Option<(&Header, &[u8])> {
    let (header, block) = Header::ref_from_prefix(message).ok()?;
    (usize::from(header.block_length.get()) == block.len()).then_some((header, block))
}

/// A block read as `M`; `None` when the template or the length is not M's.
pub fn block<M: Message>(message: &[u8]) -> Option<&M> {
    let (header, block) = split(message)?;
    if header.template_id.get() != M::TEMPLATE {
        return None;
    }
    M::ref_from_bytes(block).ok()
}

/// A message of a head and one group: the entries follow the group's dimension to the last byte. `None` when the
/// template or any length is another.
pub fn group<M: Message, E>(message: &[u8]) -> Option<(&M, &[E])>
where
    E: FromBytes + Immutable + KnownLayout + Unaligned,
{
    let (header, rest) = Header::ref_from_prefix(message).ok()?;
    let (head, rest) = M::ref_from_prefix(rest).ok()?;
    let (size, entries) = GroupSize::ref_from_prefix(rest).ok()?;
    let said = (header.template_id.get(), header.block_length.get(), size.block_length.get());
    if said != (M::TEMPLATE, size_of::<M>() as u16, size_of::<E>() as u16) {
        return None;
    }
    let entries = <[E]>::ref_from_bytes(entries).ok()?;
    (entries.len() == usize::from(size.num_in_group.get())).then_some((head, entries))
}

/// Declares blocks: fields in wire order, template id, the size that the schema states, and with `=>` the entries of the
/// group that follows. Writes the table of their layouts as well.
#[macro_export]
macro_rules! blocks {
    ($($(#[$doc:meta])* $name:ident = $template:literal, $bytes:literal { $($field:ident : $kind:ty),+ $(,)? }
        $(=> $entry:ident)?)+) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
            )]
            #[repr(C)]
            pub struct $name { $(pub $field: $kind),+ }

            impl $crate::message::Message for $name {
                const TEMPLATE: u16 = $template;
            }

            const _: () = assert!(size_of::<$name>() == $bytes && $bytes % 4 == 0);
        )+

        /// One row for each message of this file.
        pub static LAYOUTS: &[$crate::layout::Layout] = &[$($crate::layout::Layout {
            name: stringify!($name),
            template: $template,
            bytes: $bytes,
            fields: $crate::fields!($name { $($field: $kind),+ }),
            entry: $crate::entry!($($entry)?),
        }),+];
    };
}
pub use crate::blocks;

/// Declares the entries of groups: as `blocks`, without a template.
#[macro_export]
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $bytes:literal { $($field:ident : $kind:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name { $(pub $field: $kind),+ }

        impl $name {
            pub const LAYOUT: $crate::layout::Layout = $crate::layout::Layout {
                name: stringify!($name),
                template: 0,
                bytes: $bytes,
                fields: $crate::fields!($name { $($field: $kind),+ }),
                entry: None,
            };
        }

        const _: () = assert!(size_of::<$name>() == $bytes && $bytes % 8 == 0);
    )+};
}
pub use crate::rows;

/// The fields of a declared block, as rows of the table of layouts.
#[doc(hidden)]
#[macro_export]
macro_rules! fields {
    ($name:ident { $($field:ident : $kind:ty),+ }) => {
        &[$($crate::layout::Field {
            name: stringify!($field),
            offset: std::mem::offset_of!($name, $field),
            scalar: <$kind as $crate::layout::FieldType>::SCALAR,
            count: <$kind as $crate::layout::FieldType>::COUNT,
        }),+]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    () => {
        None
    };
    ($entry:ident) => {
        Some(&$entry::LAYOUT)
    };
}
