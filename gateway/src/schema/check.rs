//! A schema held against the code. Every difference names the line of the file and what to write there, or which
//! declaration of the code has no line yet.

use engine::layout::{self, Layout, Scalar, Unit};
use engine::message::{NULL_I64, NULL_U64, SCHEMA_VERSION};

use super::code::{self, FIELD_IDS_SHIFTED, Values};
use super::document::{Field, Group, Kind, Primitive, Schema, Type, camel};
use super::form;

/// Breaches of form first, then differences to the code; empty where there are none.
pub fn faults(file: &str, schema: &Schema) -> Vec<String> {
    let mut faults = form::faults(file, schema);
    if schema.version != SCHEMA_VERSION {
        faults.push(format!("{file}:1: version is {}, the code speaks {SCHEMA_VERSION}", schema.version));
    }
    let mut check = Check { file, schema, found: Vec::new() };
    check.messages();
    check.values();
    faults.extend(check.found);
    faults
}

/// Which part of a template is compared: its block, or the entries of its group.
struct Part<'a> {
    name: &'a str,
    bytes: usize,
    fields: &'a [layout::Field],
    first_id: u16,
}

impl Part<'_> {
    fn id(&self, at: usize) -> u16 {
        let shifted = FIELD_IDS_SHIFTED.iter().find(|(name, from, _)| *name == self.name && at >= *from);
        self.first_id + at as u16 + shifted.map_or(0, |(_, _, by)| *by)
    }
}

/// Of the group of a message, and of its first field. Far above, so that a block may grow.
const GROUP_ID: u16 = 100;

struct Check<'a> {
    file: &'a str,
    schema: &'a Schema,
    found: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, line: u32, what: &str) {
        self.found.push(format!("{}:{line}: {what}", self.file));
    }

    fn messages(&mut self) {
        let layouts = code::layouts(self.schema.id);
        for layout in &layouts {
            match self.schema.message(layout.template) {
                Some(message) => self.message(layout, message),
                None => {
                    let before = self.schema.messages.iter().take_while(|it| it.id < layout.template).last();
                    let line = before.map_or(1, |message| message.end_line);
                    self.say(
                        line,
                        &format!("{} is missing; write behind this line\n{}", layout.name, written(layout)),
                    );
                }
            }
        }
        for message in &self.schema.messages {
            if !layouts.iter().any(|layout| layout.template == message.id) {
                let text = format!("the code has no template {}; take {} out", message.id, message.name);
                self.say(message.line, &text);
            }
        }
    }

    fn message(&mut self, layout: &Layout, message: &super::document::Message) {
        if message.name != layout.name {
            let text = format!(
                "template {} is {} in the code: write name=\"{}\"",
                message.id, layout.name, layout.name
            );
            self.say(message.line, &text);
        }
        let part = Part { name: layout.name, bytes: layout.bytes, fields: layout.fields, first_id: 1 };
        self.part(&part, &message.fields, message.block_length, message.line, message.end_line);
        match (layout.entry, &message.group) {
            (None, None) => {}
            (Some(entry), Some(group)) => self.group(entry, group),
            (Some(entry), None) => {
                self.say(
                    message.end_line,
                    &format!("{} has a group of {}: write it here", layout.name, entry.name),
                );
            }
            (None, Some(group)) => self.say(group.line, &format!("{} has no group in the code", layout.name)),
        }
    }

    fn group(&mut self, entry: &Layout, group: &Group) {
        let part =
            Part { name: entry.name, bytes: entry.bytes, fields: entry.fields, first_id: GROUP_ID + 1 };
        if group.id != GROUP_ID {
            self.say(group.line, &format!("write id=\"{GROUP_ID}\", as every group has it"));
        }
        self.part(&part, &group.fields, group.block_length, group.line, group.end_line);
    }

    fn part(&mut self, part: &Part<'_>, fields: &[Field], said: usize, line: u32, end_line: u32) {
        if part.bytes != said {
            let text = format!(
                "{} has {} bytes in the code: write blockLength=\"{}\"",
                part.name, part.bytes, part.bytes
            );
            self.say(line, &text);
        }
        let is_same = |at: usize| match (part.fields.get(at), fields.get(at)) {
            (Some(wanted), Some(field)) => self.is_same(part, at, wanted, field),
            _ => false,
        };
        let count = part.fields.len().max(fields.len());
        let Some(first) = (0..count).find(|at| !is_same(*at)) else { return };
        let end = (first..count).rfind(|at| !is_same(*at)).map_or(count, |last| last + 1);
        let wanted = (first..end.min(part.fields.len())).map(|at| self.line_of(part, at, fields));
        let lines = wanted.collect::<Vec<_>>().join("\n");
        let standing = fields.get(first..end.min(fields.len())).unwrap_or_default();
        let code = part.fields.get(first).map_or_else(|| "nothing more".to_owned(), declared);
        let (line, here, place) = match standing {
            [] => (end_line, "nothing".to_owned(), "before this line".to_owned()),
            [one] => (one.line, stands(one), "for this line".to_owned()),
            [one, .., last] => (one.line, stands(one), format!("for lines {} to {}", one.line, last.line)),
        };
        let text =
            format!("the code has in {} {code}, here stands {here}; write {place}\n{lines}", part.name);
        self.say(line, text.trim_end());
    }

    fn is_same(&self, part: &Part<'_>, at: usize, wanted: &layout::Field, field: &Field) -> bool {
        let it = self.schema.type_of(field);
        let is_there =
            field.name == camel(wanted.name) && field.id == part.id(at) && field.offset == wanted.offset;
        is_there && carries(it, wanted) && means(it, wanted)
    }

    /// How the field should stand, with the type that it has somewhere in the message where that one fits.
    fn line_of(&self, part: &Part<'_>, at: usize, fields: &[Field]) -> String {
        let wanted = &part.fields[at];
        let fits = |field: &&Field| {
            let it = self.schema.type_of(field);
            field.name == camel(wanted.name) && carries(it, wanted) && means(it, wanted)
        };
        field_line(wanted, part.id(at), fields.iter().find(fits))
    }

    fn values(&mut self) {
        let known = code::values();
        for it in &self.schema.types {
            let (choices, is_set) = match &it.kind {
                Kind::Enumeration { values, .. } => (values, false),
                Kind::Set { bits, .. } => (bits, true),
                Kind::Number { primitive, null } => {
                    self.null(it, *primitive, *null);
                    continue;
                }
                _ => continue,
            };
            let Some(wanted) = known.iter().find(|wanted| wanted.name == it.name && wanted.is_set == is_set)
            else {
                self.say(
                    it.line,
                    &format!("the code has no {}; list it in gateway/src/schema/code.rs", it.name),
                );
                continue;
            };
            let written: Vec<(String, u64)> =
                choices.iter().map(|choice| (choice.name.clone(), choice.value)).collect();
            if written != wanted.values {
                self.say(it.line, &differing(wanted));
            }
        }
    }

    fn null(&mut self, it: &Type, primitive: Primitive, null: Option<i128>) {
        let wanted = match primitive {
            Primitive::I64 => i128::from(NULL_I64),
            Primitive::U64 => i128::from(NULL_U64),
            _ if null.is_none() => return,
            _ => return self.say(it.line, "only 64 bits have a null in the code"),
        };
        if null.is_some_and(|null| null != wanted) || it.name.ends_with("Opt") != null.is_some() {
            self.say(it.line, &format!("null is {wanted} in the code, of types whose names end with Opt"));
        }
    }
}

fn differing(wanted: &Values) -> String {
    let mut text = format!("{} is in {}; write\n", wanted.name, wanted.home);
    let tag = if wanted.is_set { "choice" } else { "validValue" };
    let lines =
        wanted.values.iter().map(|(name, value)| format!("      <{tag} name=\"{name}\">{value}</{tag}>"));
    text += &lines.collect::<Vec<_>>().join("\n");
    text
}

/// The same bytes?
fn carries(it: &Type, wanted: &layout::Field) -> bool {
    let is_signed = matches!(wanted.scalar, Scalar::I32 | Scalar::I64);
    let primitive = match &it.kind {
        Kind::Number { primitive, .. }
        | Kind::Enumeration { primitive, .. }
        | Kind::Set { primitive, .. } => {
            return wanted.count == 1
                && primitive.bytes() == wanted.scalar.bytes()
                && matches!(primitive, Primitive::I32 | Primitive::I64) == is_signed;
        }
        Kind::Text { bytes } => return *bytes == wanted.bytes() && wanted.unit() == Unit::Text,
        Kind::Words { primitive, .. } => *primitive,
        Kind::Envelope(_) => return false,
    };
    // Keys and nonces are bytes in some structs and words in others: the same on the wire.
    it.bytes() == wanted.bytes()
        && (wanted.unit() == Unit::Opaque || primitive.bytes() == wanted.scalar.bytes())
        && matches!(primitive, Primitive::I32 | Primitive::I64) == is_signed
}

/// Does the type say what the code's unit says?
fn means(it: &Type, wanted: &layout::Field) -> bool {
    let names: &[&str] = match wanted.unit() {
        Unit::Price => &["Price9", "Price9Opt"],
        Unit::Size => &["Size9"],
        Unit::Money => &["Money6"],
        Unit::Lots => &["Lots", "LotsOpt"],
        Unit::Millionths => &["Millionths", "MillionthsOpt"],
        Unit::TimeNs => &["TimeNs", "TimeNsOpt"],
        Unit::Text => return matches!(it.kind, Kind::Text { .. }),
        Unit::Opaque => return matches!(it.kind, Kind::Words { .. }),
        Unit::Number => {
            let united = ["Price9", "Size9", "Money6", "Lots", "Millionths", "TimeNs"];
            return !united.contains(&it.name.trim_end_matches("Opt"));
        }
    };
    names.contains(&it.name.as_str())
}

fn declared(field: &layout::Field) -> String {
    let count = if field.count > 1 { format!("[{}]", field.count) } else { String::new() };
    format!("{} at offset {} as {}{count}", field.name, field.offset, field.scalar.name())
}

fn stands(field: &Field) -> String {
    format!("{} at offset {} as {}", field.name, field.offset, field.type_name)
}

/// The line of a field; where it stands already with a type that fits, with that type.
fn field_line(wanted: &layout::Field, id: u16, standing: Option<&Field>) -> String {
    let type_name = standing.map_or_else(|| suggested(wanted), |field| field.type_name.clone());
    format!("    <field name=\"{}\" id=\"{id}\" type=\"{type_name}\"/>", camel(wanted.name))
}

/// The plainest type that fits; of a byte that is no padding perhaps an enumeration of the schema instead.
fn suggested(wanted: &layout::Field) -> String {
    let plain = || match wanted.scalar {
        Scalar::U8 => "UInt8",
        Scalar::U16 => "UInt16",
        Scalar::U32 => "UInt32",
        Scalar::U64 => "UInt64",
        Scalar::I32 => "Int32",
        Scalar::I64 => "Int64",
    };
    match wanted.unit() {
        Unit::Price => "Price9Opt".to_owned(),
        Unit::Size => "Size9".to_owned(),
        Unit::Money => "Money6".to_owned(),
        Unit::Lots => "Lots".to_owned(),
        Unit::Millionths => "Millionths".to_owned(),
        Unit::TimeNs => "TimeNs".to_owned(),
        Unit::Text => format!("Char{}", wanted.bytes()),
        Unit::Opaque => format!("Bytes{}", wanted.bytes()),
        Unit::Number => named(wanted.name).unwrap_or_else(plain).to_owned(),
    }
}

fn named(name: &str) -> Option<&'static str> {
    Some(match name {
        "cl_ord_id" | "orig_cl_ord_id" | "quote_id" => "ClOrdId",
        "order_id" => "OrderId",
        "account_id" => "AccountId",
        "instrument_id" => "InstrumentId",
        "code" => "RejectCode",
        name if name.ends_with("exec_id") => "ExecId",
        name if name.ends_with("_seq") => "SeqNum",
        _ => return None,
    })
}

/// A whole message, as it would stand in the file.
fn written(layout: &Layout) -> String {
    let part = Part { name: layout.name, bytes: layout.bytes, fields: layout.fields, first_id: 1 };
    let mut text = format!(
        "  <sbe:message name=\"{}\" id=\"{}\" blockLength=\"{}\">\n",
        layout.name, layout.template, layout.bytes
    );
    for (at, field) in layout.fields.iter().enumerate() {
        text += &field_line(field, part.id(at), None);
        text.push('\n');
    }
    text + "  </sbe:message>"
}
