//! The Wireshark dissector: tables from the schemas in front of `dissector.lua`, which is written by hand.

use std::fmt::Write;

use engine::reject::Reject;

use super::document::{Choice, Field, Kind, Schema, Type};
use super::generated;

const DISSECTOR: &str = include_str!("dissector.lua");

pub fn write(schemas: &[&Schema]) -> String {
    let mut text = format!(
        "-- {}\n-- Put it into the folder that Help, About, Folders calls Personal Lua Plugins, or run\n\
         -- `tshark -X lua_script:ballast.lua -r FILE`. Order entry on any TCP port, market data on UDP 7702 or over TCP.\n\n",
        generated("lua")
    );
    let types: Vec<&Type> = generated_types(schemas);
    table(&mut text, "enums", &types, |it| match &it.kind {
        Kind::Enumeration { values, .. } => Some(choices(values)),
        _ => None,
    });
    table(&mut text, "sets", &types, |it| match &it.kind {
        Kind::Set { bits, .. } => Some(choices(bits)),
        _ => None,
    });
    table(&mut text, "types", &types, |it| Some(described(it)));
    text += "local messages = {\n";
    for schema in schemas {
        let _ = writeln!(text, "  [{}] = {{", schema.id);
        for message in &schema.messages {
            let _ = write!(text, "    [{}] = {{name = \"{}\", fields = {{", message.id, message.name);
            text += &fields(&message.fields);
            text += "}";
            if let Some(group) = &message.group {
                let _ = write!(
                    text,
                    ", group = {{name = \"{}\", fields = {{{}}}}}",
                    group.name,
                    fields(&group.fields)
                );
            }
            text += "},\n";
        }
        text += "  },\n";
    }
    text += "}\nlocal codes = {\n  [0] = \"None\",\n";
    for reject in Reject::ALL {
        let _ = writeln!(text, "  [{}] = \"{reject:?}\",", reject.code());
    }
    text += "}\n\n";
    text + DISSECTOR
}

/// The types of all schemas, each name once: where two have it, it means the same.
pub fn generated_types<'a>(schemas: &[&'a Schema]) -> Vec<&'a Type> {
    let mut types: Vec<&Type> = Vec::new();
    for it in schemas.iter().flat_map(|schema| &schema.types) {
        let is_known = types.iter().any(|known| known.name == it.name);
        if !is_known && !matches!(it.kind, Kind::Envelope(_)) {
            types.push(it);
        }
    }
    types
}

fn table(text: &mut String, name: &str, types: &[&Type], row: impl Fn(&Type) -> Option<String>) {
    let _ = writeln!(text, "local {name} = {{");
    for it in types {
        if let Some(row) = row(it) {
            let _ = writeln!(text, "  {} = {{{row}}},", it.name);
        }
    }
    text.push_str("}\n");
}

fn choices(choices: &[Choice]) -> String {
    let rows = choices.iter().map(|choice| format!("[{}] = \"{}\"", choice.value, choice.name));
    rows.collect::<Vec<_>>().join(", ")
}

fn described(it: &Type) -> String {
    let size = it.bytes();
    match &it.kind {
        Kind::Number { primitive, null } => {
            let kind = match it.name.trim_end_matches("Opt") {
                "Price9" | "Size9" => "kind = \"decimal\", places = 9",
                "Money6" | "Millionths" => "kind = \"decimal\", places = 6",
                "TimeNs" => "kind = \"time\"",
                "RejectCode" => "kind = \"code\"",
                _ => "kind = \"number\"",
            };
            let null = null.map_or_else(String::new, |null| format!(", null = \"{null}\""));
            format!("size = {size}, {kind}, primitive = \"{}\"{null}", primitive.name())
        }
        Kind::Enumeration { primitive, .. } => {
            format!("size = {size}, kind = \"enum\", primitive = \"{}\"", primitive.name())
        }
        Kind::Set { primitive, .. } => {
            format!("size = {size}, kind = \"set\", primitive = \"{}\"", primitive.name())
        }
        Kind::Text { .. } => format!("size = {size}, kind = \"text\""),
        Kind::Words { .. } if it.name.starts_with("Bytes") => format!("size = {size}, kind = \"bytes\""),
        Kind::Words { primitive, names } => {
            let count = names.len();
            format!("size = {size}, kind = \"words\", primitive = \"{}\", count = {count}", primitive.name())
        }
        Kind::Envelope(_) => format!("size = {size}"),
    }
}

fn fields(fields: &[Field]) -> String {
    let rows = fields.iter().map(|field| format!("{{\"{}\", \"{}\"}}", field.name, field.type_name));
    rows.collect::<Vec<_>>().join(", ")
}
