//! One record as a line: for a person, or as JSON.

use std::fmt::Write;

use engine::message::{ORIGIN_BYTES, Origin, ROUTE_BYTES, Route};
use journal::{Kind, Loss, Record};
use zerocopy::FromBytes;

use super::decode::{Decoded, message_of, template_of};
use super::instant;
use super::json::{self, Object};
use crate::config::to_hex;
use crate::snapshots::reference::SnapshotReference;

/// The message that a command or an event carries; nothing for any other record.
pub fn message<'a>(record: &Record<'a>) -> &'a [u8] {
    match record.kind {
        Kind::Command => message_of(record.payload, ORIGIN_BYTES),
        Kind::Event => message_of(record.payload, ROUTE_BYTES),
        _ => &[],
    }
}

/// The session that sent the command or that is told the event; 0 for the venue itself and for nobody.
pub fn session(record: &Record<'_>) -> u64 {
    match record.kind {
        Kind::Command => Origin::ref_from_prefix(record.payload).map_or(0, |(it, _)| it.session.get()),
        Kind::Event => Route::ref_from_prefix(record.payload).map_or(0, |(it, _)| it.session.get()),
        _ => 0,
    }
}

/// For a person: place, time, what, and its fields by name.
pub fn text(record: &Record<'_>) -> String {
    let mut line = format!("{}", record.seq);
    if record.kind == Kind::Event {
        let _ = write!(line, ".{}", record.sub);
    }
    let _ = write!(line, " {}", instant::show(record.ts_ns));
    match record.kind {
        Kind::Command => {
            if let Ok((origin, _)) = Origin::ref_from_prefix(record.payload) {
                push_message(&mut line, record, "from", origin.session.get(), origin.client_seq.get());
            }
        }
        Kind::Event => {
            if let Ok((route, _)) = Route::ref_from_prefix(record.payload) {
                push_message(&mut line, record, "to", route.session.get(), route.server_seq.get());
            }
        }
        kind => {
            let _ = write!(line, " {kind:?}");
            for (name, value) in noted(record) {
                let _ = write!(line, " {name}={value}");
            }
        }
    }
    line
}

fn push_message(line: &mut String, record: &Record<'_>, way: &str, session: u64, number: u64) {
    let message = message(record);
    let Some(decoded) = Decoded::read(message) else {
        let _ = write!(
            line,
            " template={} {way}={session}/{number} bytes={}",
            template_of(message),
            to_hex(message)
        );
        return;
    };
    let name = decoded.layout.name;
    let _ = write!(line, " {name} {way}={session}/{number}");
    for (field, value) in decoded.fields() {
        let _ = write!(line, " {}={}", field.name, value.shown(name, field.name));
    }
    for entry in decoded.entries() {
        let fields =
            entry.iter().map(|(field, value)| format!("{}={}", field.name, value.shown(name, field.name)));
        let _ = write!(line, " {{{}}}", fields.collect::<Vec<_>>().join(" "));
    }
}

/// For a program: the same, decimals as texts, times as nanoseconds.
pub fn object(record: &Record<'_>) -> String {
    let object = Object::new().raw("seq", record.seq).raw("sub", record.sub).raw("ts_ns", record.ts_ns);
    let object = object.text("time", &instant::show(record.ts_ns));
    match record.kind {
        Kind::Command => {
            let object = object.text("kind", "command");
            let Ok((origin, _)) = Origin::ref_from_prefix(record.payload) else {
                return object.text("bytes", &to_hex(record.payload)).end();
            };
            let object = object
                .raw("session", origin.session)
                .raw("client_seq", origin.client_seq)
                .raw("sent_ns", origin.sent_ns)
                .raw("received_ns", origin.received_ns)
                .raw("connection", origin.connection)
                .raw("flags", origin.flags);
            with_message(object, record)
        }
        Kind::Event => {
            let object = object.text("kind", "event");
            let Ok((route, _)) = Route::ref_from_prefix(record.payload) else {
                return object.text("bytes", &to_hex(record.payload)).end();
            };
            with_message(object.raw("session", route.session).raw("server_seq", route.server_seq), record)
        }
        kind => {
            let object = object.text("kind", &format!("{kind:?}").to_lowercase());
            noted(record).into_iter().fold(object, |object, (name, value)| object.text(name, &value)).end()
        }
    }
}

fn with_message(object: Object, record: &Record<'_>) -> String {
    let message = message(record);
    let object = object.raw("template", template_of(message));
    let Some(decoded) = Decoded::read(message) else {
        return object.text("bytes", &to_hex(message)).end();
    };
    let fields =
        decoded.fields().fold(Object::new(), |fields, (field, value)| fields.raw(field.name, value.json()));
    let object = object.text("name", decoded.layout.name).raw("fields", fields.end());
    if decoded.layout.entry.is_none() {
        return object.end();
    }
    let entries = decoded.entries().map(|entry| {
        let fields =
            entry.iter().fold(Object::new(), |fields, (field, value)| fields.raw(field.name, value.json()));
        fields.end()
    });
    object.raw("entries", json::list(entries)).end()
}

/// What a record that is no message says.
fn noted(record: &Record<'_>) -> Vec<(&'static str, String)> {
    match record.kind {
        Kind::Mark => vec![("digest", to_hex(record.payload))],
        Kind::Logic => match record.payload.try_into() {
            Ok(version) => vec![("version", u32::from_le_bytes(version).to_string())],
            Err(_) => vec![("bytes", to_hex(record.payload))],
        },
        Kind::SnapshotRef => match SnapshotReference::read(record.payload) {
            Some(reference) => vec![
                ("snapshot_seq", reference.seq().to_string()),
                ("state_hash", to_hex(reference.state_hash())),
                ("file_hash", to_hex(reference.file_hash())),
            ],
            None => vec![("bytes", to_hex(record.payload))],
        },
        Kind::Loss => match Loss::read(record.payload) {
            Some(loss) => vec![
                ("last_seq", loss.last_seq.to_string()),
                ("end", loss.end.to_string()),
                ("promised_seq", loss.floor_seq.to_string()),
                ("promised_position", loss.floor_position.to_string()),
                ("accepted", instant::show(loss.accepted_ns)),
                ("reason", loss.reason),
            ],
            None => vec![("bytes", to_hex(record.payload))],
        },
        _ => vec![("bytes", to_hex(record.payload))],
    }
}
