//! What a version of a schema means, as one text and its hash. A peer that knows a version decodes by it for ever, so whatever
//! changes the text is another version.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::document::{Field, Kind, Schema};

/// Everything that decides how bytes are read, and no description: one line a fact.
pub fn canonical(schema: &Schema) -> String {
    let mut text = format!("schema {} version {} little-endian\n", schema.id, schema.version);
    for it in &schema.types {
        let _ = write!(text, "type {} {}", it.name, it.encoding());
        let _ = match &it.kind {
            Kind::Number { null: Some(null), .. } => write!(text, " null {null}"),
            Kind::Enumeration { values, .. } | Kind::Set { bits: values, .. } => {
                values.iter().try_for_each(|choice| write!(text, " {}={}", choice.value, choice.name))
            }
            Kind::Words { names, .. } => write!(text, " {}", names.join(" ")),
            Kind::Envelope(parts) => {
                parts.iter().try_for_each(|(name, primitive)| write!(text, " {name}:{}", primitive.name()))
            }
            _ => Ok(()),
        };
        text.push('\n');
    }
    for message in &schema.messages {
        let _ = writeln!(text, "message {} {} {}", message.id, message.name, message.block_length);
        fields(&mut text, &message.fields);
        if let Some(group) = &message.group {
            let _ = writeln!(text, "group {} {} {}", group.id, group.name, group.block_length);
            fields(&mut text, &group.fields);
        }
    }
    text
}

fn fields(text: &mut String, fields: &[Field]) {
    for field in fields {
        let _ = writeln!(text, " {} {} {} {}", field.offset, field.id, field.name, field.type_name);
    }
}

pub fn hash(schema: &Schema) -> String {
    blake3::hash(canonical(schema).as_bytes()).to_hex().to_string()
}

/// `gateway/schema/versions.toml`: by package and version.
pub type Versions = BTreeMap<String, BTreeMap<String, Version>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Once true, the layouts of the version never change again.
    pub released: bool,
    /// BLAKE3 of the canonical text.
    pub layouts: String,
}

pub fn read(text: &str) -> Result<Versions, String> {
    toml::from_str(text).map_err(|error| format!("versions.toml: {error}"))
}

/// Does the schema mean what its version says? If not, why, and what to do.
pub fn check(versions: &Versions, schema: &Schema) -> Result<(), String> {
    let (package, version) = (&schema.package, schema.version);
    let hash = hash(schema);
    match versions.get(package).and_then(|versions| versions.get(&version.to_string())) {
        Some(known) if known.layouts == hash => Ok(()),
        Some(known) if known.released => Err(format!(
            "{package} version {version} is released and its layouts changed: raise `version` in the schema and \
             SCHEMA_VERSION in engine/src/message.rs, give what is new sinceVersion=\"{}\", and leave the line of version \
             {version} in gateway/schema/versions.toml as it is",
            version + 1
        )),
        Some(_) => Err(format!(
            "the layouts of {package} version {version}, which is not released, changed: if that is meant, \
             `BALLAST_BLESS=1 cargo test -p gateway --test schema` writes the new hash {hash}"
        )),
        None => Err(format!(
            "{package} version {version} is not in gateway/schema/versions.toml: \
             `BALLAST_BLESS=1 cargo test -p gateway --test schema` writes it as a version that is not released"
        )),
    }
}
