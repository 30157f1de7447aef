//! Just enough of a JSON parser to prove that another one would understand the output.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    True,
    False,
    /// As written: nothing here is a float.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    #[track_caller]
    pub fn field(&self, name: &str) -> &Json {
        let Json::Object(fields) = self else { panic!("no object: {self:?}") };
        &fields.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no field {name}")).1
    }
}

/// The one value that `text` is.
pub fn parse(text: &str) -> Option<Json> {
    let mut rest = text.trim_end().chars().peekable();
    let value = value(&mut rest)?;
    rest.next().is_none().then_some(value)
}

fn value(rest: &mut Peekable<Chars>) -> Option<Json> {
    match rest.peek()? {
        '{' => Some(Json::Object(series(rest, '}', |rest| {
            let name = string(rest)?;
            (rest.next()? == ':').then_some(())?;
            Some((name, value(rest)?))
        })?)),
        '[' => Some(Json::List(series(rest, ']', value)?)),
        '"' => string(rest).map(Json::Text),
        't' => word(rest, "true", Json::True),
        'f' => word(rest, "false", Json::False),
        _ => number(rest),
    }
}

fn series<T>(
    rest: &mut Peekable<Chars>,
    end: char,
    item: impl Fn(&mut Peekable<Chars>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut items = Vec::new();
    rest.next()?;
    if rest.next_if_eq(&end).is_some() {
        return Some(items);
    }
    loop {
        items.push(item(rest)?);
        match rest.next()? {
            ',' => {}
            found => return (found == end).then_some(items),
        }
    }
}

fn string(rest: &mut Peekable<Chars>) -> Option<String> {
    (rest.next()? == '"').then_some(())?;
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => text.push(rest.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            control if control.is_control() => return None,
            plain => text.push(plain),
        }
    }
}

fn number(rest: &mut Peekable<Chars>) -> Option<Json> {
    let mut digits: String = rest.next_if_eq(&'-').into_iter().collect();
    digits.extend(std::iter::from_fn(|| rest.next_if(char::is_ascii_digit)));
    digits.ends_with(|last: char| last.is_ascii_digit()).then_some(Json::Number(digits))
}

fn word(rest: &mut Peekable<Chars>, word: &str, value: Json) -> Option<Json> {
    word.chars().all(|letter| rest.next() == Some(letter)).then_some(value)
}
