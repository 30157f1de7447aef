//! The schemas as constants of a Python module that needs nothing but the standard library: formats for `struct`, the names
//! of fields, enumerations, codes.

use std::fmt::Write;

use engine::reject::Reject;

use super::document::{Field, Kind, Primitive, Schema, Type, snake};
use super::generated;
use super::lua::generated_types;

const HEAD: &str = r#""""The messages of Ballast as data: formats for struct, names of fields, enumerations, reject codes.

LAYOUTS[template].format reads a block into the values of LAYOUTS[template].fields, in that order; padding is skipped,
and written as zeros. Prices, sizes and money are integers: a kind of "decimal9" counts 1e-9, "decimal6" 1e-6.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple, Optional


class Field(NamedTuple):
    name: str
    # "number", "decimal9", "decimal6", "time", "text", "bytes", "enum", "set" or "code"
    kind: str
    # The value that says that there is none.
    null: Optional[int]
    # The enumeration or set.
    values: Optional[type]
    # The id of the schema, to which refFieldId points.
    id: int


class Group(NamedTuple):
    name: str
    size: int
    format: str
    fields: tuple


class Layout(NamedTuple):
    name: str
    template: int
    schema: int
    size: int
    format: str
    fields: tuple
    group: Optional[Group]


# frameLength, encodingType, frameFlags, seqNum, sendTime
PREFIX = "<IHHQQ"
ENCODING_TYPE = 0xEB50
# blockLength, templateId, schemaId, version
HEADER = "<HHHH"
# blockLength, numInGroup
DIMENSION = "<HH"
# seqNum, sendTime, engineEpoch, channelId, typeBits, msgCount
PACKET = "<QQQIHH"
# msgLength, msgFlags, spare
PACKET_MESSAGE = "<HHI"


class FrameFlags(IntFlag):
    POSS_RESEND = 1 << 0
    RETRANSMIT = 1 << 1
    END_OF_EVENT = 1 << 2
    SNAPSHOT = 1 << 3


"#;

pub fn write(schemas: &[&Schema]) -> String {
    let mut text = format!("# {}\n", generated("python"));
    text += HEAD;
    for it in generated_types(schemas) {
        let (base, choices) = match &it.kind {
            Kind::Enumeration { values, .. } => ("IntEnum", values),
            Kind::Set { bits, .. } => ("IntFlag", bits),
            _ => continue,
        };
        let _ = writeln!(text, "class {}({base}):", it.name);
        for choice in choices {
            let bit = if base == "IntFlag" { "1 << " } else { "" };
            let _ = writeln!(text, "    {} = {bit}{}", snake(&choice.name).to_uppercase(), choice.value);
        }
        text += "\n\n";
    }
    text += "class RejectCode(IntEnum):\n";
    for reject in Reject::ALL {
        let name = snake(&format!("{reject:?}")).to_uppercase();
        let _ = writeln!(text, "    {name} = {}", reject.code());
    }
    text += "\n\nREJECT_TEXT = {\n";
    for reject in Reject::ALL {
        let _ = writeln!(text, "    {}: \"{}\",", reject.code(), reject.text());
    }
    text += "}\n\n";
    for schema in schemas {
        let name = schema.package.trim_start_matches("ballast_").to_uppercase();
        let _ = writeln!(text, "{name}_ID = {}\n{name}_VERSION = {}", schema.id, schema.version);
    }
    text += "\nLAYOUTS = {\n";
    for schema in schemas {
        for message in &schema.messages {
            let _ = writeln!(text, "    {}: Layout(", message.id);
            let _ = writeln!(
                text,
                "        \"{}\", {}, {}, {}, \"{}\", (",
                message.name,
                message.id,
                schema.id,
                message.block_length,
                format(schema, &message.fields)
            );
            fields(&mut text, schema, &message.fields, 12);
            match &message.group {
                None => text += "        ), None),\n",
                Some(group) => {
                    let format = format(schema, &group.fields);
                    let name = snake(&group.name);
                    let _ = writeln!(
                        text,
                        "        ), Group(\"{name}\", {}, \"{format}\", (",
                        group.block_length
                    );
                    fields(&mut text, schema, &group.fields, 12);
                    text += "        ))),\n";
                }
            }
        }
    }
    text + "}\n"
}

/// One name for each value that the format reads: a composite of numbers has several.
fn fields(text: &mut String, schema: &Schema, fields: &[Field], indent: usize) {
    for field in fields.iter().filter(|field| !field.is_padding()) {
        let it = schema.type_of(field);
        let null = match &it.kind {
            Kind::Number { null: Some(null), .. } => null.to_string(),
            _ => "None".to_owned(),
        };
        let values = match &it.kind {
            Kind::Enumeration { .. } | Kind::Set { .. } => it.name.as_str(),
            _ if it.name == "RejectCode" => "RejectCode",
            _ => "None",
        };
        let name = snake(&field.name);
        let names: Vec<String> = match &it.kind {
            Kind::Words { names, .. } if kind(it) != "bytes" => {
                (1..=names.len()).map(|at| format!("{name}_{at}")).collect()
            }
            _ => vec![name],
        };
        for name in names {
            let kind = kind(it);
            let _ = writeln!(
                text,
                "{:indent$}Field(\"{name}\", \"{kind}\", {null}, {values}, {}),",
                "", field.id
            );
        }
    }
}

fn kind(it: &Type) -> &'static str {
    match &it.kind {
        Kind::Number { .. } => match it.name.trim_end_matches("Opt") {
            "Price9" | "Size9" => "decimal9",
            "Money6" | "Millionths" => "decimal6",
            "TimeNs" => "time",
            "RejectCode" => "code",
            _ => "number",
        },
        Kind::Text { .. } => "text",
        Kind::Words { .. } if it.name.starts_with("Bytes") => "bytes",
        Kind::Words { .. } | Kind::Envelope(_) => "number",
        Kind::Enumeration { .. } => "enum",
        Kind::Set { .. } => "set",
    }
}

fn format(schema: &Schema, fields: &[Field]) -> String {
    let mut format = "<".to_owned();
    for field in fields {
        let it = schema.type_of(field);
        let bytes = it.bytes();
        format += &match &it.kind {
            _ if field.is_padding() => format!("{bytes}x"),
            Kind::Number { primitive, .. }
            | Kind::Enumeration { primitive, .. }
            | Kind::Set { primitive, .. } => letter(*primitive).to_owned(),
            Kind::Words { primitive, names } if kind(it) != "bytes" => {
                format!("{}{}", names.len(), letter(*primitive))
            }
            _ => format!("{bytes}s"),
        };
    }
    format
}

fn letter(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::U8 => "B",
        Primitive::U16 => "H",
        Primitive::U32 => "I",
        Primitive::U64 => "Q",
        Primitive::I32 => "i",
        Primitive::I64 => "q",
    }
}
