//! What a schema must keep to so that every tool reads it alike (`gateway/schema/README.md`, "The rules of the files"). Knows
//! one schema and nothing of the code.

use std::collections::BTreeSet;

use engine::message::{FIRST_PUBLIC_TEMPLATE, SCHEMA_MARKET_DATA};

use super::document::{Choice, Field, Group, Kind, Message, Primitive, Schema};

/// The tools turn names into identifiers; these are words of Java, C# or Go, or names that generated code has already.
const TAKEN: [&str; 34] = [
    "abstract", "base", "bool", "break", "byte", "case", "char", "class", "const", "continue", "default",
    "delete", "do", "double", "event", "float", "for", "func", "if", "int", "long", "map", "new", "object",
    "package", "private", "public", "range", "ref", "return", "short", "string", "this", "type",
];
const GENERATED: [&str; 6] = ["U8", "U16", "U32", "U64", "I32", "I64"];

/// Every breach, each with the line it stands on.
pub fn faults(file: &str, schema: &Schema) -> Vec<String> {
    let mut faults = Faults { file, found: Vec::new() };
    faults.types(schema);
    let mut ids = BTreeSet::new();
    let mut names = BTreeSet::new();
    for message in &schema.messages {
        faults.unless(ids.insert(message.id), message.line, "the template id is taken");
        faults.unless(names.insert(&message.name), message.line, "the name is taken");
        faults.message(schema, message);
    }
    let in_order = schema.messages.is_sorted_by_key(|message| message.id);
    faults.unless(in_order, 1, "messages stand in the order of their template ids");
    faults.unless(!schema.package.contains('.'), 1, "package has a dot, which no crate name may have");
    faults.found
}

struct Faults<'a> {
    file: &'a str,
    found: Vec<String>,
}

impl Faults<'_> {
    fn unless(&mut self, holds: bool, line: u32, what: &str) {
        if !holds {
            self.found.push(format!("{}:{line}: {what}", self.file));
        }
    }

    fn types(&mut self, schema: &Schema) {
        let mut names = BTreeSet::new();
        for it in &schema.types {
            let is_free = names.insert(&it.name) && !GENERATED.contains(&it.name.as_str());
            self.unless(is_free, it.line, "the name of the type is taken");
            match &it.kind {
                Kind::Enumeration { values, .. } => self.values(schema, it.line, values),
                Kind::Set { bits, .. } => {
                    let contiguous = bits.iter().enumerate().all(|(at, bit)| bit.value == at as u64);
                    self.unless(contiguous, it.line, "the bits of a set are contiguous from 0");
                }
                Kind::Envelope(parts) => {
                    let wanted: &[&str] = match it.name.as_str() {
                        "messageHeader" => &["blockLength", "templateId", "schemaId", "version"],
                        _ => &["blockLength", "numInGroup"],
                    };
                    let is_standard = parts.iter().map(|(name, _)| name.as_str()).eq(wanted.iter().copied())
                        && parts.iter().all(|(_, primitive)| *primitive == Primitive::U16);
                    self.unless(is_standard, it.line, &format!("{} is not the standard one", it.name));
                    continue;
                }
                _ => {}
            }
            self.unless(
                schema.is_used(&it.name),
                it.line,
                "no field is of this type, so no tool generates it",
            );
        }
        for envelope in ["messageHeader", "groupSizeEncoding"] {
            self.unless(names.iter().any(|name| *name == envelope), 1, &format!("{envelope} is missing"));
        }
    }

    fn values(&mut self, schema: &Schema, line: u32, values: &[Choice]) {
        let rising = values.is_sorted_by(|one, next| one.value < next.value);
        self.unless(rising, line, "values of an enumeration rise");
        let from_one = values.first().is_some_and(|value| value.value >= 1);
        self.unless(from_one, line, "an enumeration begins at 1, so that zeros are never a value");
        let names: BTreeSet<&str> = values.iter().map(|value| value.name.as_str()).collect();
        self.unless(names.len() == values.len(), line, "two values have one name");
        for value in values {
            self.since(schema, value.since, value.line);
        }
    }

    fn message(&mut self, schema: &Schema, message: &Message) {
        let bytes = sum(schema, &message.fields);
        let said = message.block_length;
        self.unless(
            bytes == said,
            message.line,
            &format!("blockLength is {said}, the fields have {bytes} bytes"),
        );
        let (rest, why) = match message.group {
            Some(_) => (4, "a block before a group ends at 4 mod 8, so that entries are aligned"),
            None => (0, "a block is a multiple of 8"),
        };
        self.unless(said % 8 == rest, message.line, why);
        let is_public = message.id >= FIRST_PUBLIC_TEMPLATE;
        let is_here = is_public == (schema.id == SCHEMA_MARKET_DATA);
        self.unless(is_here, message.line, "templates from 400 on are of schema 7702, those below of 7701");
        self.since(schema, message.since, message.line);
        self.fields(schema, &message.fields, message.since);
        let mut ids: BTreeSet<u16> = message.fields.iter().map(|field| field.id).collect();
        let mut count = message.fields.len();
        if let Some(Group { id, block_length, fields, line, .. }) = &message.group {
            let bytes = sum(schema, fields);
            let text = format!("blockLength is {block_length}, the fields have {bytes} bytes");
            self.unless(bytes == *block_length && bytes.is_multiple_of(8), *line, &text);
            self.fields(schema, fields, message.since);
            ids.insert(*id);
            ids.extend(fields.iter().map(|field| field.id));
            count += fields.len() + 1;
        }
        self.unless(ids.len() == count, message.line, "two fields have one id");
    }

    fn fields(&mut self, schema: &Schema, fields: &[Field], since: u16) {
        let mut names = BTreeSet::new();
        let mut latest = since;
        for field in fields {
            let is_free = names.insert(field.name.as_str()) && !TAKEN.contains(&field.name.as_str());
            self.unless(is_free, field.line, "the name of the field is taken, or a word of a language");
            let align = match &schema.type_of(field).kind {
                Kind::Number { primitive, .. } | Kind::Words { primitive, .. } => primitive.bytes(),
                Kind::Enumeration { primitive, .. } | Kind::Set { primitive, .. } => primitive.bytes(),
                _ => 1,
            };
            self.unless(
                field.offset % align == 0,
                field.line,
                &format!("offset {} is not aligned", field.offset),
            );
            self.since(schema, field.since, field.line);
            self.unless(
                field.since.max(since) >= latest,
                field.line,
                "an older field stands behind a younger one",
            );
            latest = latest.max(field.since);
        }
    }

    fn since(&mut self, schema: &Schema, since: u16, line: u32) {
        let exists = (1..=schema.version).contains(&since);
        self.unless(exists, line, &format!("sinceVersion {since} is not between 1 and {}", schema.version));
    }
}

fn sum(schema: &Schema, fields: &[Field]) -> usize {
    fields.last().map_or(0, |last| last.offset + schema.type_of(last).bytes())
}
