//! JSON as the tools write it: one object a line, keys in the order in which they are put. Money and prices go in as
//! texts, so that no reader makes a float of them.

use std::fmt::{Display, Write};

/// An object under construction.
#[derive(Clone, Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Object {
        Object("{".to_owned())
    }
}

impl Object {
    pub fn new() -> Object {
        Object::default()
    }

    /// A value that is JSON already: a number, an object, a list.
    pub fn raw(mut self, key: &str, value: impl Display) -> Object {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}{}:{value}", quoted(key));
        self
    }

    pub fn text(self, key: &str, value: &str) -> Object {
        let value = quoted(value);
        self.raw(key, value)
    }

    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

pub fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            character if character < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_its_order_and_quotes_what_it_must() {
        let inner = list(["1".to_owned(), "2".to_owned()]);
        let object = Object::new().raw("b", 5).text("a", "x\"\\\n").raw("c", inner).end();
        assert_eq!(object, r#"{"b":5,"a":"x\"\\\u000a","c":[1,2]}"#);
        assert_eq!(Object::new().end(), "{}");
    }
}
