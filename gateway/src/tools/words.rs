//! The names of what is a number on the wire, as the schemas have them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use engine::reject::Reject;

use crate::schema::{self, Choice, Kind, Schema, snake};

/// By message, then by field, those of its entries included.
type Words = BTreeMap<&'static str, BTreeMap<String, &'static [Choice]>>;

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    [schema::order_entry(), schema::market_data()].into_iter().flat_map(of_schema).collect()
});

fn of_schema(
    schema: &'static Schema,
) -> impl Iterator<Item = (&'static str, BTreeMap<String, &'static [Choice]>)> {
    schema.messages.iter().map(|message| {
        let entries = message.group.iter().flat_map(|group| &group.fields);
        let named =
            message.fields.iter().chain(entries).filter_map(|field| match &schema.type_of(field).kind {
                Kind::Enumeration { values, .. } => Some((snake(&field.name), values.as_slice())),
                _ => None,
            });
        (message.name.as_str(), named.collect())
    })
}

/// Who waited, who came.
pub fn liquidity(value: u8) -> &'static str {
    name("OrderExecuted", "liquidity", value.into()).unwrap_or_default()
}

fn name(message: &str, field: &str, value: u64) -> Option<&'static str> {
    let choices = WORDS.get(message)?.get(field)?;
    choices.iter().find(|choice| choice.value == value).map(|choice| choice.name.as_str())
}

/// What `value` of the field is called in this message.
pub fn of(message: &str, field: &str, value: u64) -> Option<String> {
    match field {
        "code" | "bid_code" | "ask_code" => {
            let code = u16::try_from(value).ok().and_then(Reject::from_code)?;
            Some(format!("{code:?}"))
        }
        "ref_template_id" => {
            let template = u16::try_from(value).ok()?;
            engine::replay::template_name(template).map(str::to_owned)
        }
        _ => name(message, field, value).map(str::to_owned),
    }
}
