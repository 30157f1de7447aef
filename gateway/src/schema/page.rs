//! The tables of a schema for a reader: messages, types, enumerations. They stand in `gateway/PROTOCOL.md` between markers.

use std::fmt::Write;

use super::document::{Field, Kind, Message, Schema};

/// What comes from which template on, as the page heads it.
const SECTIONS: [(u16, &str); 5] = [
    (0, "Session"),
    (100, "Members"),
    (200, "Answers and executions"),
    (300, "Privileged"),
    (400, "Market data"),
];

pub fn write(schema: &Schema) -> String {
    let mut text = String::new();
    for (at, (first, title)) in SECTIONS.iter().enumerate() {
        let end = SECTIONS.get(at + 1).map_or(u16::MAX, |(next, _)| *next);
        let messages = schema.messages.iter().filter(|message| (*first..end).contains(&message.id));
        let rows: Vec<String> = messages.map(row).collect();
        if !rows.is_empty() {
            let _ = writeln!(text, "### {title}\n\n| Id | Message | Block | Fields |\n|---|---|---|---|");
            let _ = writeln!(text, "{}\n", rows.concat().trim_end());
        }
    }
    types(&mut text, schema);
    enumerations(&mut text, schema);
    notes(&mut text, schema);
    text
}

fn row(message: &Message) -> String {
    let mut text = format!(
        "| {} | {} | {} | {}",
        message.id,
        message.name,
        message.block_length,
        fields(&message.fields)
    );
    if let Some(group) = &message.group {
        let _ = write!(
            text,
            " **group {} ({} bytes an entry):** {}",
            group.name,
            group.block_length,
            fields(&group.fields)
        );
    }
    text + " |\n"
}

fn fields(fields: &[Field]) -> String {
    let shown = fields.iter().map(|field| {
        let name = if field.is_padding() { "_" } else { &field.name };
        format!("{name}:{}", field.type_name)
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn types(text: &mut String, schema: &Schema) {
    text.push_str("### Types\n\n| Type | Bytes are | Null | Meaning |\n|---|---|---|---|\n");
    for it in &schema.types {
        let null = match &it.kind {
            Kind::Number { null, .. } => null.map_or_else(String::new, |null| null.to_string()),
            Kind::Text { .. } | Kind::Words { .. } => String::new(),
            _ => continue,
        };
        let _ = writeln!(text, "| {} | {} | {null} | {} |", it.name, it.encoding(), it.description);
    }
    text.push('\n');
}

fn enumerations(text: &mut String, schema: &Schema) {
    text.push_str("### Enumerations\n\n| Name | Values |\n|---|---|\n");
    for it in &schema.types {
        let (sign, choices) = match &it.kind {
            Kind::Enumeration { values, .. } => ("", values),
            Kind::Set { bits, .. } => ("b", bits),
            _ => continue,
        };
        let shown: Vec<String> =
            choices.iter().map(|choice| format!("{sign}{} {}", choice.value, choice.name)).collect();
        let note = if it.description.is_empty() { String::new() } else { format!("; {}", it.description) };
        let _ = writeln!(text, "| {} | {}{note} |", it.name, shown.join(", "));
    }
    text.push('\n');
}

/// What the type of a field does not say.
fn notes(text: &mut String, schema: &Schema) {
    text.push_str("### Notes\n\n| Message, or its field | Note |\n|---|---|\n");
    for message in &schema.messages {
        if !message.description.is_empty() {
            let _ = writeln!(text, "| {} | {} |", message.name, message.description);
        }
        let entries = message.group.iter().flat_map(|group| &group.fields);
        for field in message.fields.iter().chain(entries).filter(|field| !field.description.is_empty()) {
            let _ = writeln!(text, "| {}.{} | {} |", message.name, field.name, field.description);
        }
    }
}
